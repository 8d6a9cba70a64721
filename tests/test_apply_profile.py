"""A master layer under a profile: a toy town worked out by hand, and every fault of its rows named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import ExportError
from siteplan.export.exchange.apply import apply_profile
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.export.master.plan_layers import PlanLayers
from siteplan.params import DeliverParams
from siteplan.profiles import Profile, ProfileField, load_profiles

KEY = ProfileField("BH", "编号", "编号", "text", 20, source="site_id", mandatory=True)
NORTH = ProfileField("XZB", "X坐标北", "X坐标(北)", "float", 14, 3, source="x_north_m")
EAST = ProfileField("YZB", "Y坐标东", "Y坐标(东)", "float", 14, 3, source="y_east_m")
TOWN = [(437_528.1134, 2_491_154.4684), (437_000.0, 2_491_000.0), (437_100.0, 2_491_000.0)]
"""The first is 113.3928 E, 22.5168 N (a published check value)."""


def field(kind: str, **more: Any) -> ProfileField:
    return ProfileField(**{"name": "A", "name_zh": "甲", "zh": "甲", "type": kind, "width": 20, "source": "a", **more})


def profile(*fields: ProfileField, **more: Any) -> Profile:
    return Profile(
        **{
            "id": "t",
            "zh": "站址",
            "layer": "sites",
            "out": "zz",
            "geometry": "Point",
            "key": "BH",
            "fields": (KEY, *fields),
            **more,
        }
    )


def plan(
    values: Sequence[Any] | pd.Series = ("x", "y", "z"),
    shapes: Sequence[Any] | None = None,
    crs: Any = 4547,
    **columns: Any,
) -> PlanLayers:
    shapes = [shapely.Point(place) for place in TOWN[: len(values)]] if shapes is None else shapes
    index = pd.Index([f"S{number + 1}" for number in range(len(values))], name="site_id")
    column = values if isinstance(values, pd.Series) else pd.Series(list(values), dtype="object")
    table = gpd.GeoDataFrame(
        {"a": column.set_axis(index), **columns}, geometry=gpd.GeoSeries(shapes, index=index, crs=crs), index=index
    )
    return PlanLayers({"study": {"crs": "EPSG:4547"}}, {"sites": table})


def one(layers: PlanLayers, wanted: Profile, settings: DeliverParams | None = None) -> OutLayer:
    (layer,) = apply_profile(layers, wanted, settings or DeliverParams())
    return layer


def faults(layers: PlanLayers, wanted: Profile, settings: DeliverParams | None = None) -> list[tuple[str, str]]:
    """Row and field of every problem."""
    with pytest.raises(ExportError) as caught:
        apply_profile(layers, wanted, settings or DeliverParams())
    assert all(problem.reason and problem.remedy for problem in caught.value.problems)
    return [(problem.row, problem.field) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([" 甲", "", None], "text", [" 甲", None, None]),
        ([1, 2.0, True], "text", ["1", "2", "是"]),
        ([1.5, np.nan, 3.0], "text", ["1.5", None, "3"]),
        ([dt.date(2026, 6, 30), None, pd.NaT], "text", ["2026-06-30", None, None]),
        ([1, None, 3.0], "int", [1, None, 3]),
        (["12", " -3 ", ""], "int", [12, -3, None]),
        ([True, False, None], "int", [1, 0, None]),
        ([np.float32(0.5), 2, "7.25"], "float", [0.5, 2.0, 7.25]),
        (
            ["2026-06-30", "2026/6/1", "20260701"],
            "date",
            [dt.date(2026, 6, 30), dt.date(2026, 6, 1), dt.date(2026, 7, 1)],
        ),
        (
            [pd.Timestamp("2026-06-30"), dt.date(2026, 7, 1), None],
            "date",
            [dt.date(2026, 6, 30), dt.date(2026, 7, 1), None],
        ),
    ],
)
def test_values_take_the_type_of_their_field(values: list[Any], kind: str, expected: list[Any]) -> None:
    column = one(plan(values), profile(field(kind, decimals=2 if kind == "float" else 0))).table["A"]
    found = [None if pd.isna(value) else value.date() if kind == "date" else value for value in column]
    assert found == expected
    assert str(column.dtype) == {"text": "str", "int": "Int64", "float": "float64", "date": "datetime64[s]"}[kind]


@pytest.mark.parametrize(
    "dtype", ["str", "string", "category", "boolean", "int16", "uint64", "float32", "Int64", "datetime64[ms]"]
)
def test_columns_of_any_dtype_come_as_texts(dtype: str) -> None:
    raw = {"boolean": [True, False, True], "datetime64[ms]": ["2026-06-30"] * 3}.get(dtype, ["1", "2", "3"])
    words = {"boolean": ["是", "否", "是"], "datetime64[ms]": ["2026-06-30"] * 3}.get(dtype, ["1", "2", "3"])
    assert one(plan(pd.Series(raw).astype(dtype)), profile(field("text"))).table["A"].tolist() == words


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([[1, 2], "x", "y"], "text"),
        ([{"a": 1}, "x", "y"], "text"),
        ([np.inf, 1.0, 2.0], "float"),
        ([-np.inf, 1.0, 2.0], "text"),
        ([1.5, 1.0, 2.0], "int"),
        ([2**53 + 1, 1, 2], "int"),
        ([2**80, 1, 2], "int"),
        (["9" * 30, "1", "2"], "int"),
        (["x", "1", "2"], "int"),
        (["x", "1", "2"], "float"),
        (["inf", "1", "2"], "float"),
        (["1_0", "1", "2"], "float"),
        (["30.6.2026", "", None], "date"),
        ([-(2.0**53) - 2, 1.0, 2.0], "int"),
        ([b"x", "x", "y"], "text"),
        ([np.array([1]), "x", "y"], "text"),
    ],
)
def test_a_value_that_is_none_of_its_field_is_told_with_its_row(values: list[Any], kind: str) -> None:
    assert faults(plan(values), profile(field(kind))) == [("S1", "A")]


def test_all_problems_of_all_rows_are_told_at_once_and_counted_beyond_the_first() -> None:
    many = plan([np.inf] * 500, [shapely.Point(437_000 + step, 2_491_000) for step in range(500)])
    with pytest.raises(ExportError, match="共 500 个问题,列出前 200 个") as caught:
        one(many, profile(field("float")))
    assert len(caught.value.problems) == 200
    layers = plan([np.inf, "x", None], [shapely.Point(), *map(shapely.Point, TOWN[:2])])
    assert set(faults(layers, profile(field("float", mandatory=True)))) == {
        ("S1", "geometry"),
        ("S1", "A"),
        ("S2", "A"),
        ("S3", "A"),
    }


def test_numbers_are_rounded_to_their_decimals_without_a_minus_zero_or_an_overflow() -> None:
    column = one(plan([2.34567, -0.0001, 1e300]), profile(field("float", decimals=3))).table["A"]
    assert [str(value) for value in column] == ["2.346", "0.0", "1e+300"]


def test_codes_constants_and_defaults() -> None:
    coded = field("text", codes={"宏站": "1", "微站": "2", "x": ""}, value="9")
    always = ProfileField("YSDM", "要素代码", "要素代码", "text", 10, value="2090")
    table = one(plan(["宏站", "x", None]), profile(coded, always)).table
    assert table["A"].fillna("").tolist() == ["1", "", "9"]  # a code may be empty; an empty value has the default
    assert table["YSDM"].tolist() == ["2090"] * 3
    assert one(plan([1, 2, 2]), profile(field("int", codes={"1": "10", "2": "20"}))).table["A"].tolist() == [10, 20, 20]
    assert faults(plan(["宏站", "铁塔", "铁塔"]), profile(coded)) == [("S2", "A"), ("S3", "A")]
    kept = replace(coded, other_codes="keep")
    assert one(plan(["宏站", "铁塔", "微站"]), profile(kept)).table["A"].tolist() == ["1", "铁塔", "2"]


def test_mandatory_fields_and_keys() -> None:
    assert faults(plan(["x", "", " "]), profile(field("text", mandatory=True))) == [("S2", "A"), ("S3", "A")]
    keyed = profile(field("text", mandatory=True), key="A")
    assert [row for row, _ in faults(plan(["x", "y", "x"]), keyed)] == ["x"]
    assert faults(plan([1.1, 1.4, 2.0]), profile(field("float", mandatory=True), key="A"))  # alike when rounded


def test_where_takes_rows_by_their_words() -> None:
    assert one(plan(["宏站", "微站", None]), profile(where={"a": ("微站", "")})).table["BH"].tolist() == ["S2", "S3"]
    assert one(plan([True, False, True]), profile(where={"a": ("是",)})).table["BH"].tolist() == ["S1", "S3"]
    assert len(one(plan(["x"]), profile(where={"a": ("y",)})).table) == 0
    assert faults(plan(), profile(where={"b": ("y",)})) == [("", "where.b")]


def test_layers_and_columns_that_are_not_there() -> None:
    assert faults(plan(), profile(layer="villages")) == [("", "layer")]
    assert faults(plan(), profile(field("text", source="b", mandatory=True))) == [("", "A")]
    older = one(plan(), profile(field("text", source="bands")))  # known of today's plans: an older one lacks it
    assert older.table["A"].isna().all()
    assert [(change.field, change.value) for change in older.adjustments] == [("A", "成果中没有列 bands")]


def test_characters_that_no_format_holds_are_told() -> None:
    layer = one(plan(["甲\x00乙", "\ud800", "丙\n丁"]), profile(field("text")))
    assert layer.table["A"].tolist() == ["甲 乙", " ", "丙\n丁"]
    assert [(change.row, change.field) for change in layer.adjustments] == [("S1", "A"), ("S2", "A")]


def test_a_time_of_day_is_not_lost_without_being_told() -> None:
    layer = one(plan([pd.Timestamp("2026-06-30 08:30", tz="Asia/Shanghai"), None, None]), profile(field("date")))
    assert str(layer.table["A"].iloc[0].date()) == "2026-06-30"
    assert [(change.row, change.written) for change in layer.adjustments] == [("S1", "2026-06-30")]


@pytest.mark.parametrize(("crs", "east"), [(None, 437528.113), ("EPSG:4526", 38437528.113), ("EPSG:4490", 437528.113)])
def test_x_is_north_and_y_is_east_in_the_crs_of_the_layer(crs: str | None, east: float) -> None:
    table = one(plan(), profile(NORTH, EAST), DeliverParams(crs=crs)).table
    assert (table["XZB"].iloc[0], table["YZB"].iloc[0]) == (2491154.468, east)
    place = table.geometry.iloc[0]
    if crs == "EPSG:4490":
        assert (round(place.x, 4), round(place.y, 4)) == (113.3928, 22.5168)
    else:
        assert (round(place.y, 3), round(place.x, 3)) == (2491154.468, east)


def test_the_crs_of_the_profile_goes_before_that_of_the_settings() -> None:
    assert one(plan(), profile(crs="EPSG:4526"), DeliverParams(crs="EPSG:4490")).table.crs.to_epsg() == 4526


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:2383", "EPSG:2433", "EPSG:32649", "EPSG:4326", "nonsense"])
def test_other_crs_are_refused_unless_the_study_has_them(crs: str) -> None:
    assert faults(plan(), profile(), DeliverParams(crs=crs)) == [("", "crs")]


def test_a_study_outside_china_leaves_in_its_own_crs() -> None:
    away = plan(["x"], [shapely.Point(290_000, 9_110_000)], crs=32725)
    assert one(away, profile(), DeliverParams(crs="EPSG:32725")).table.crs.to_epsg() == 32725


def test_a_missing_crs_is_that_of_the_plan_or_a_problem() -> None:
    assert one(plan(crs=None), profile()).table.crs.to_epsg() == 4547
    nowhere = replace(plan(crs=None), facts={})
    assert faults(nowhere, profile()) == [("", "geometry")]


def two_zones() -> PlanLayers:
    """Sites of two counties of a city over 109.5 E, in the zone of the western one (domain check values)."""
    places = [
        shapely.Point(596_528.227, 3_618_870.107),
        shapely.Point(687_293.0, 3_631_600.0),
        shapely.Point(596_000, 3_618_000),
    ]
    return plan(["x", "y", "z"], places, crs=4545, county=["汉滨区", "白河县", None])


def test_counties_leave_in_their_zones() -> None:
    west, east = apply_profile(two_zones(), profile(NORTH, EAST), DeliverParams(county_crs={"白河县": "EPSG:4546"}))
    assert (west.name, east.name) == ("zz_4545", "zz_4546")
    assert (west.table["BH"].tolist(), east.table["BH"].tolist()) == (["S1", "S3"], ["S2"])
    assert east.table.crs.to_epsg() == 4546
    place = gpd.GeoSeries([shapely.Point(687_293.0, 3_631_600.0)], crs=4545).to_crs(4546).iloc[0]
    assert east.table["YZB"].iloc[0] == round(place.x, 3)
    assert east.table.geometry.iloc[0].distance(place) < 1e-6
    assert not east.adjustments


def test_a_county_that_is_nowhere_and_keys_over_both_zones() -> None:
    assert faults(two_zones(), profile(), DeliverParams(county_crs={"白河": "EPSG:4546"})) == [("", "county_crs.白河")]
    same = two_zones()
    table = same.layers["sites"].assign(a=["x", "x", "y"])
    keyed = profile(field("text", mandatory=True), key="A")
    found = faults(PlanLayers({}, {"sites": table}), keyed, DeliverParams(county_crs={"白河县": "EPSG:4546"}))
    assert [row for row, _ in found] == ["x"]


def test_rows_without_a_county_column_are_sorted_by_place_or_told() -> None:
    settings = DeliverParams(county_crs={"白河县": "EPSG:4546"})
    table = two_zones().layers["sites"].drop(columns="county")
    counties = gpd.GeoDataFrame(
        {"name": ["白河县"]}, geometry=[shapely.box(680_000, 3_600_000, 700_000, 3_700_000)], crs=4545
    )
    west, east = apply_profile(PlanLayers({}, {"sites": table, "counties": counties}), profile(), settings)
    assert east.table["BH"].tolist() == ["S2"]
    (alone,) = apply_profile(PlanLayers({}, {"sites": table}), profile(), settings)
    assert (alone.name, len(alone.table)) == ("zz_4545", 3)
    assert any("没有县区" in change.reason for change in alone.adjustments)
    assert len(west.table) == 2


def test_rows_outside_the_area_of_a_crs_are_told() -> None:
    told = one(two_zones(), profile()).adjustments
    assert [(change.row, change.field) for change in told] == [("S2", "geometry")]
    assert "适用范围" in told[0].reason


BOX = shapely.box(437_000, 2_491_000, 437_010, 2_491_010)
BOW_TIE = shapely.Polygon([(437_000, 2_491_000), (437_002, 2_491_002), (437_002, 2_491_000), (437_000, 2_491_002)])
PIPE = shapely.LineString([(437_000, 2_491_000), (437_010, 2_491_010)])


def areas(*shapes: Any) -> OutLayer:
    return one(plan(["x"] * len(shapes), shapes), profile(geometry="Polygon"))


def test_an_invalid_polygon_is_mended_and_told() -> None:
    layer = areas(BOX, BOW_TIE)
    mended = layer.table.geometry.iloc[1]
    assert mended.is_valid
    assert mended.area == pytest.approx(2.0)  # its two triangles
    assert (layer.adjustments[0].row, layer.adjustments[0].field) == ("S2", "geometry")
    assert set(layer.table.geometry.geom_type) == {"MultiPolygon"}  # the mended one has two parts, so all are multi
    assert layer.adjustments[1].row == "S1"


def test_heights_are_dropped_and_told() -> None:
    layer = areas(shapely.force_3d(BOX, 5.0))
    assert not layer.table.geometry.has_z.any()
    assert [change.field for change in layer.adjustments] == ["geometry"]


@pytest.mark.parametrize(
    "shape",
    [
        None,
        shapely.Polygon(),
        PIPE,
        shapely.Point(TOWN[0]),
        shapely.GeometryCollection([BOX, PIPE]),
        shapely.Polygon([(0, 0), (1, 1), (2, 2), (0, 0)]),
        shapely.from_wkt("POLYGON ((0 0, 1 inf, 2 2, 0 0))"),
    ],
)
def test_shapes_that_cannot_be_an_area_are_told(shape: Any) -> None:
    assert faults(plan(["x", "y"], [BOX, shape]), profile(NORTH, geometry="Polygon")) == [("S2", "geometry")]


def test_a_point_without_a_place_is_told() -> None:
    places = [shapely.Point(TOWN[0]), shapely.from_wkt("POINT (nan 1)"), shapely.Point(np.inf, 0), shapely.Point()]
    assert faults(plan(["x"] * 4, places), profile(NORTH)) == [(f"S{row}", "geometry") for row in (4, 2, 3)]


def test_an_area_has_its_coordinates_inside() -> None:
    lon = ProfileField("JD", "经度", "经度", "float", 12, 7, "lon")
    table = one(plan(["x"], [BOX]), profile(NORTH, EAST, lon, geometry="Polygon")).table
    assert BOX.contains(shapely.Point(table["YZB"].iloc[0], table["XZB"].iloc[0]))
    assert 113.3 < table["JD"].iloc[0] < 113.4


def test_an_empty_layer_and_nothing_of_the_master_changed() -> None:
    layers = plan()
    before = layers.layers["sites"].copy(deep=True)
    assert one(layers, profile(field("text"))).table.columns.tolist() == ["BH", "A", "geometry"]
    pd.testing.assert_frame_equal(pd.DataFrame(layers.layers["sites"]), pd.DataFrame(before))
    empty = one(plan([]), profile(field("text"), field("date", name="B"), NORTH))
    assert (len(empty.table), empty.table["XZB"].dtype, str(empty.table["B"].dtype)) == (0, np.float64, "datetime64[s]")


def test_the_package_profiles_apply_to_a_table_of_their_columns() -> None:
    """Every master column empty but those that must be there."""
    for wanted in load_profiles().values():
        key = next(item.source for item in wanted.fields if item.name == wanted.key)
        made = ("x_north_m", "y_east_m")
        given = {item.source: ["1"] for item in wanted.fields if item.mandatory and item.source not in made}
        shape = shapely.Point(TOWN[0]) if wanted.geometry == "Point" else BOX
        table = gpd.GeoDataFrame({**given, key: ["S1"]}, geometry=[shape], crs=4547)
        layer = one(PlanLayers({}, {wanted.layer: table}), wanted)
        assert [*layer.table.columns] == [*(item.name for item in wanted.fields), "geometry"]
        assert layer.table[wanted.key].tolist() == ["S1"]


VALUES = st.one_of(st.none(), st.text(max_size=12), st.integers(), st.floats(), st.booleans(), st.dates())


@given(st.lists(VALUES, min_size=1, max_size=5), st.sampled_from(["text", "int", "float", "date"]))
def test_every_value_comes_out_the_same_or_is_told(values: list[Any], kind: str) -> None:
    layers = plan(values, [shapely.Point(TOWN[0])] * len(values))
    wanted = profile(field(kind, decimals=15 if kind == "float" else 0))
    problems, layer = (), None
    try:
        layer = one(layers, wanted)
    except ExportError as error:
        problems = error.problems
    assert (layer is None) == bool(problems)
    assert all(problem.field == "A" and problem.row.startswith("S") for problem in problems)
    if layer is None:
        return
    changed = {change.row for change in layer.adjustments}
    for number, (before, after) in enumerate(zip(values, layer.table["A"], strict=True)):
        if f"S{number + 1}" in changed or any("等" in row for row in changed):
            continue
        if before is None or before == "" or before != before:
            assert pd.isna(after)
        elif isinstance(before, str) and kind == "text":
            assert after == before
        elif kind in ("int", "float") and not isinstance(before, (str, dt.date)):
            assert float(after) == pytest.approx(float(before), rel=1e-12, abs=1e-15)
        else:
            assert not pd.isna(after) or not str(before).strip()
