"""What was read back is compared value by value: what is changed in one place is found, what says the same is not."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from conftest import at
from hypothesis import given
from hypothesis import strategies as st
from out_layers import HOSTILE, layer, shaped
from shapely.geometry import LineString, MultiPoint, Point, Polygon

from siteplan.errors import ExportError
from siteplan.export.exchange.compare import check_read_back, differences, key_column
from siteplan.export.exchange.formats.registry import Kept

MADE = layer()
ROWS = len(MADE.table)


def read(**columns: Any) -> gpd.GeoDataFrame:
    return MADE.table.assign(**columns)


def test_the_same_layer_is_equal() -> None:
    assert differences(MADE, MADE.table.copy(), Kept()) == []
    for kind in ("LineString", "Polygon"):
        made = shaped(kind)
        assert differences(made, made.table.copy(), Kept()) == []


def other(value: Any, kind: str) -> Any:
    """Another value of the same kind, as little away as must be found."""
    if pd.isna(value):
        return {"text": "x", "int": 0, "float": 0.0, "date": pd.Timestamp("2000-01-01")}[kind]
    return {"text": lambda: value + "。", "int": lambda: value + 1, "date": lambda: value + pd.Timedelta(days=1)}.get(
        kind, lambda: None)()


@given(row=st.integers(0, ROWS - 1), column=st.integers(0, len(MADE.profile.fields) - 1), empties=st.booleans())
def test_any_changed_cell_is_found(row: int, column: int, empties: bool) -> None:
    field = MADE.profile.fields[column]
    table = MADE.table.copy()
    value = table.iloc[row, column]
    if empties and not pd.isna(value):
        changed = {"date": pd.NaT, "int": pd.NA}.get(field.type, np.nan)
    elif field.type == "float" and not pd.isna(value):
        changed = value + 10.0 ** -field.decimals
    else:
        changed = other(value, field.type)
    table.iloc[row, column] = changed
    told = differences(MADE, table, Kept())
    assert told
    if field.name != MADE.profile.key:
        assert [text.split(" / ")[0] for text in told] == [field.name]
        assert f"S{row:03d}" in told[0]


@given(row=st.integers(0, 3), corner=st.integers(0, 100), axis=st.integers(0, 1),
       kind=st.sampled_from(["Point", "LineString", "Polygon"]), way=st.sampled_from([2e-6, 0.01, -3.0]))
def test_any_moved_corner_is_found(row: int, corner: int, axis: int, kind: str, way: float) -> None:
    made = layer(["甲", "乙", "丙", "丁"]) if kind == "Point" else shaped(kind)
    shape = made.table.geometry.iloc[row]
    places = shapely.get_coordinates(shape)
    number = corner % len(places)
    places[(places == places[number]).all(axis=1), axis] += way  # a ring is closed by the same corner
    moved = made.table.geometry.to_numpy().copy()
    moved[row] = shapely.set_coordinates(shapely.from_wkb(shapely.to_wkb(shape)), places)
    told = differences(made, made.table.set_geometry(gpd.GeoSeries(moved, crs=made.table.crs)), Kept())
    assert len(told) == 1
    assert told[0].startswith(f"geometry / S{row:03d}: ")


@given(row=st.integers(0, ROWS - 1))
def test_a_lost_or_doubled_row_is_found(row: int) -> None:
    lost = differences(MADE, MADE.table.drop(index=row), Kept())
    assert lost[0] == f"写出 {ROWS} 行,读回 {ROWS - 1} 行"
    assert any(f"S{row:03d}: 读回时缺少这些行" in text for text in lost)
    twice = pd.concat([MADE.table, MADE.table.iloc[[row]]], ignore_index=True)
    assert any("编号重复" in text for text in differences(MADE, twice, Kept()))


@given(order=st.permutations(range(ROWS)))
def test_rows_in_another_order_are_matched_by_their_key(order: list[int]) -> None:
    mixed = MADE.table.iloc[list(order)].reset_index(drop=True)
    assert differences(MADE, mixed, Kept()) == []
    names = mixed["ZZMC"].copy()
    names.iloc[0] = "换了"
    told = differences(MADE, mixed.assign(ZZMC=names), Kept())
    assert len(told) == 1
    assert f"S{order[0]:03d}" in told[0]


def test_a_swapped_pair_of_names_is_found() -> None:
    names = MADE.table["ZZMC"].to_list()
    names[0], names[1] = names[1], names[0]
    assert differences(MADE, read(ZZMC=names), Kept())[0].startswith("ZZMC / S000、S001: 写出“<script>")


@pytest.mark.parametrize(("how", "words"), [
    (lambda table: table.drop(columns="GG"), "GG: 读回时缺少这个字段"),
    (lambda table: table.assign(FID=1), "FID: 读回时多出这个字段"),
    (lambda table: table.rename(columns={"GG": "gg"}), "GG: 读回时缺少这个字段"),
    (lambda table: table.set_crs(4526, allow_override=True), "EPSG:4547),读回"),
    (lambda table: table.set_crs(None, allow_override=True), "没有读回"),
    (lambda table: pd.DataFrame(table.drop(columns="geometry")), "读回时没有几何"),
    (lambda table: table.assign(GG=table["GG"].astype("str")), "应为小数,读回的类型是 str"),
    (lambda table: table.assign(JSNF=table["JSNF"].astype("str")), "应为整数"),
    (lambda table: table.assign(RQ=table["RQ"].astype("str")), "应为日期"),
    (lambda table: table.set_geometry([None, *table.geometry[1:]], crs=table.crs), "geometry / S000: 写出 Point,读回 空"),
    (lambda table: table.set_geometry([LineString([at(0, 0), at(1, 1)]), *table.geometry[1:]], crs=table.crs),
     "写出 Point,读回 LineString"),
], ids=["field lost", "field more", "field renamed", "other zone", "no crs", "no geometry", "float as text",
        "int as text", "date as text", "shape lost", "other kind"])
def test_structure_is_compared(how: Any, words: str) -> None:
    assert words in "\n".join(differences(MADE, how(MADE.table), Kept()))


def test_numbers_are_compared_at_the_decimals_of_their_field() -> None:
    """35.5 with one decimal: 35.54 says the same, 35.56 does not."""
    assert differences(MADE, read(GG=MADE.table["GG"].replace(35.5, 35.54)), Kept()) == []
    told = differences(MADE, read(GG=MADE.table["GG"].replace(35.5, 35.56)), Kept())
    assert told == ["GG / S000、S003、S006: 写出“35.5”,读回“35.56”;写出“35.5”,读回“35.56”;写出“35.5”,读回“35.56”"]


def test_whole_numbers_are_compared_digit_by_digit() -> None:
    """A double cannot tell 9007199254740993 from ...992: a column of doubles is a difference there."""
    large = 2**53 + 1
    made = replace(MADE, table=read(JSNF=pd.Series([large] * ROWS, dtype="Int64")))
    assert differences(made, made.table, Kept()) == []
    assert differences(made, made.table.assign(JSNF=float(large)), Kept())
    assert differences(made, made.table.assign(JSNF=str(large)), Kept(types=False)) == []
    assert differences(made, made.table.assign(JSNF=str(large - 1)), Kept(types=False))


def test_empty_text_counts_as_missing() -> None:
    assert differences(MADE, read(ZZLX=MADE.table["ZZLX"].fillna("")), Kept()) == []


def test_text_is_compared_exactly() -> None:
    """Nothing is trimmed, folded or normalised: a full-width letter is another one."""
    for given_text, came in (("甲", "甲 "), ("\uff21", "A"), ("e\u0301", "\u00e9"), ("两\n行", "两 行"), ("a", "A")):
        made = layer([given_text])
        assert differences(made, made.table.assign(ZZMC=[came]), Kept()), given_text


def test_a_format_of_texts_is_compared_by_what_they_say() -> None:
    """Kept(types=False): ``35.50`` is 35.5 and ``2026-06-30`` the day, but another number or word is not."""
    kept = Kept(types=False)
    texts = read(JSNF=["2026", "2027", ""] * 3, GG=["35.50", "-0.1", ""] * 3, JD=["113.1234567", "0", ""] * 3,
                 RQ=["2026-06-30", "1999-12-31", ""] * 3)
    assert differences(MADE, texts, kept) == []
    for name, column in (("JSNF", ["2026", "2028", ""] * 3), ("GG", ["35.6", "-0.1", ""] * 3),
                         ("JD", ["113.1234568", "0", ""] * 3), ("RQ", ["2026-06-30", "1999-12-30", ""] * 3),
                         ("GG", ["很高", "-0.1", ""] * 3), ("RQ", ["昨天", "1999-12-31", ""] * 3),
                         ("JSNF", ["2026", "2027", "0"] * 3)):
        assert differences(MADE, texts.assign(**{name: column}), kept), (name, column)


def test_dates_may_come_back_as_days_or_times() -> None:
    days = [value.date() if not pd.isna(value) else None for value in MADE.table["RQ"]]
    assert isinstance(days[0], dt.date)
    assert differences(MADE, read(RQ=pd.Series(days, dtype="object")), Kept()) == []
    assert differences(MADE, read(RQ=MADE.table["RQ"].dt.tz_localize("UTC")), Kept()) == []
    assert differences(MADE, read(RQ=MADE.table["RQ"] + pd.Timedelta(hours=8)), Kept())


def test_the_way_of_rings_and_the_order_of_parts_say_nothing() -> None:
    """Each format turns rings its own way and may reorder holes and parts; the area is the same."""
    made = shaped("Polygon")
    turned = [shapely.reverse(shapely.normalize(shape)) for shape in made.table.geometry]
    assert differences(made, made.table.set_geometry(gpd.GeoSeries(turned, crs=made.table.crs)), Kept()) == []
    parts = [shapely.multipolygons([shape]) if shape.geom_type == "Polygon" else
             shapely.multipolygons(list(shape.geoms)[::-1]) for shape in made.table.geometry]
    assert differences(made, made.table.set_geometry(gpd.GeoSeries(parts, crs=made.table.crs)), Kept()) == []


def test_the_same_corners_in_another_order_are_another_shape() -> None:
    """Four corners joined as a square or as a dart: the same points, another area."""
    corners = [(0, 0), (10, 0), (10, 10), (0, 10), (4, 5)]
    square, dart = Polygon(corners), Polygon([corners[0], corners[1], corners[4], corners[2], corners[3]])
    made = shaped("Polygon")
    made = replace(made, table=made.table.iloc[:1].set_geometry([square], crs=made.table.crs))
    assert differences(made, made.table.set_geometry([dart], crs=made.table.crs), Kept())


def test_a_corner_that_moves_along_its_own_edge_is_found() -> None:
    """The outline is the same, the corners are not: a distance between outlines would miss it."""
    made = shaped("Polygon")
    here, there = (Polygon([(0, 0), (middle, 0), (10, 0), (10, 10), (0, 10)]) for middle in (4, 6))
    made = replace(made, table=made.table.iloc[:1].set_geometry([here], crs=made.table.crs))
    assert differences(made, made.table.set_geometry([there], crs=made.table.crs), Kept())


def test_how_far_coordinates_may_move_is_the_format_s() -> None:
    moved = MADE.table.set_geometry(MADE.table.translate(0.002))
    assert differences(MADE, moved, Kept(geometry_m=0.01)) == []
    assert differences(MADE, moved, Kept(geometry_m=0.001)) == [
        "geometry / S000、S001、S002等9行: 坐标相差最多 0.002 米"]
    assert differences(MADE, moved, Kept(geometry_m=np.inf)) == []


def test_degrees_are_measured_as_metres() -> None:
    """1e-6 degrees are 0.111 m: within 1 m, not within 1 cm."""
    here = MADE.table.to_crs(4490)
    made = replace(MADE, table=here)
    moved = here.set_geometry(here.translate(1e-6))
    assert differences(made, moved, Kept(geometry_m=1.0)) == []
    assert differences(made, moved, Kept(geometry_m=0.01))[0].endswith("度")


def test_a_point_and_a_multi_point_of_one_are_the_same() -> None:
    many = [MultiPoint([shape]) for shape in MADE.table.geometry]
    assert differences(MADE, MADE.table.set_geometry(many, crs=MADE.table.crs), Kept()) == []
    many[0] = MultiPoint([Point(0, 0), many[0].geoms[0]])
    assert "读回 2 点" in differences(MADE, MADE.table.set_geometry(many, crs=MADE.table.crs), Kept())[0]


def test_heights_that_are_lost_are_found() -> None:
    high = replace(MADE, table=MADE.table.set_geometry(shapely.force_3d(MADE.table.geometry.to_numpy(), 12.0),
                                                      crs=MADE.table.crs))
    assert differences(high, high.table, Kept()) == []
    assert differences(high, MADE.table, Kept()) == ["geometry / S000、S001、S002等9行: 形状或高程不一致"]


def test_only_what_a_format_keeps_is_compared() -> None:
    part = MADE.table[["ZZBH", "ZZMC", "geometry"]]
    assert differences(MADE, part, Kept(fields=("ZZBH", "ZZMC"))) == []
    assert differences(MADE, part.assign(ZZMC="x"), Kept(fields=("ZZBH", "ZZMC")))
    assert differences(MADE, pd.DataFrame(MADE.table.drop(columns="geometry")), Kept(kinds=("Polygon",))) == []


def test_the_error_names_layer_file_row_field_and_both_values() -> None:
    with pytest.raises(ExportError, match="读回检查未通过") as caught:
        check_read_back(MADE, read(ZZMC=["换了", *HOSTILE[1:]]), Kept(), "sites.shp")
    problem, = caught.value.problems
    assert (problem.layer, problem.file, problem.row, problem.field) == ("sites", "sites.shp", "S000", "ZZMC")
    assert problem.reason == "写出“<script>alert(1)</script>”,读回“换了”"
    check_read_back(MADE, MADE.table, Kept(), "sites.shp")


def test_columns_may_bear_chinese_names() -> None:
    """Of a narrow format the columns bear the names that are written; their order tells which field they are."""
    renamed = MADE.table.rename(columns={field.name: field.name_zh for field in MADE.profile.fields})
    made = replace(MADE, table=renamed)
    assert key_column(made) == "站址编号"
    assert differences(made, renamed, Kept()) == []
    assert differences(made, renamed.assign(挂高=1.0), Kept())[0].startswith("挂高 / ")


def test_a_layer_without_rows() -> None:
    none = layer([])
    assert differences(none, none.table, Kept()) == []
    assert differences(none, MADE.table, Kept())[0] == "写出 0 行,读回 9 行"
