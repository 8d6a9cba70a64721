"""Reach of the outdoor sites into buildings, the list of buildings, the list of filings: hand-worked."""

from __future__ import annotations

import datetime as dt
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import shapely
from conftest import CRS, X0, Y0, rect, table
from hypothesis import given
from hypothesis import strategies as st
from shapely import affinity

from siteplan.errors import CrsError, ModelError
from siteplan.gaps import area_pixels
from siteplan.gaps.buildings.building_duty import building_duty
from siteplan.gaps.buildings.building_standard import load_building_standard
from siteplan.gaps.buildings.indoor import (
    FILING_COLUMNS,
    LIST_COLUMNS,
    count_indoor,
    filing_list,
    indoor_list,
    indoor_reach,
)
from siteplan.gaps.judging.small_areas import pixel_parts
from siteplan.grid import study_geobox

GRID = study_geobox((X0, Y0, X0 + 60.0, Y0 + 40.0), CRS, 10.0)
NAN = float("nan")


def houses(**shapes: Any) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=list(shapes.values()), crs=CRS, index=pd.Index(list(shapes), name="building_id"))


def filled(value: float) -> np.ndarray:
    return np.full(GRID.shape, value, np.float32)


def shape_of(corners: list[tuple[float, float]], turn: float, hole: bool) -> Any:
    """The hull of some points, turned, with a hole around its middle."""
    hull = shapely.MultiPoint([(X0 + x, Y0 + y) for x, y in corners]).convex_hull.buffer(0.3)
    turned = affinity.rotate(hull, turn)
    return turned.difference(affinity.scale(turned, 0.4, 0.4)) if hole else turned


CORNERS = st.lists(st.tuples(st.floats(-15, 75), st.floats(-15, 55)), min_size=1, max_size=6)


@given(shapes=st.lists(st.tuples(CORNERS, st.floats(0, 360), st.booleans()), min_size=1, max_size=4))
def test_pixel_parts_are_those_of_exactextract(shapes: list[tuple[list[tuple[float, float]], float, bool]]) -> None:
    drawn = houses(**{f"B{n}": shape_of(*one) for n, one in enumerate(shapes)})
    owner, cell, fraction = pixel_parts(drawn.geometry.to_numpy(), GRID)
    mine = sp.csr_matrix((fraction, (owner, cell)), shape=(len(drawn), GRID.shape[0] * GRID.shape[1])).toarray()
    np.testing.assert_allclose(mine, area_pixels(GRID, drawn).fractions.toarray(), atol=2e-6)


def test_pixel_parts_on_grid_lines_multi_parts_holes_and_nothing() -> None:
    ring = rect(0, 0, 30, 30).difference(rect(10, 10, 20, 20))
    two = rect(30, 0, 35, 10).union(rect(50, 0, 60, 10))
    owner, cell, fraction = pixel_parts(np.array([ring, None, two, shapely.Polygon(), rect(900, 900, 910, 910)]), GRID)
    sums = np.bincount(owner, fraction, 5)
    np.testing.assert_allclose(sums, [8.0, 0.0, 1.5, 0.0, 0.0], atol=1e-9)
    assert 2 * 6 + 1 not in cell[owner == 0]
    assert len(pixel_parts(np.array([None], dtype=object), GRID).cell) == 0


def test_rings_may_run_either_way() -> None:
    outer, inner = rect(0, 0, 30, 30).exterior.coords, rect(5, 5, 20, 20).exterior.coords
    for ring in (outer, outer[::-1]):
        for hole in (inner, inner[::-1]):
            beside = rect(30, 0, 32, 10)
            shape = shapely.MultiPolygon([shapely.Polygon(ring, [hole]), beside])
            assert pixel_parts(np.array([shape]), GRID).fraction.sum() == pytest.approx(9.0 - 2.25 + 0.2)


def test_parts_do_not_depend_on_how_many_are_worked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    shapes = shapely.buffer(shapely.points(X0 + rng.uniform(0, 60, 50), Y0 + rng.uniform(0, 40, 50)), 6.0)
    whole = pixel_parts(shapes, GRID)
    monkeypatch.setattr("siteplan.gaps.judging.small_areas.MOST_CELLS", 40)
    parted = pixel_parts(shapes, GRID)
    assert (whole.owner == parted.owner).all()
    assert (whole.cell == parted.cell).all()
    np.testing.assert_allclose(whole.fraction, parted.fraction, atol=1e-9)


def test_reach_is_the_mean_by_exact_fractions_over_built_pixels() -> None:
    indoor = filled(NAN)
    indoor[3, 0], indoor[3, 1] = 0.9, 0.6
    reach = indoor_reach(houses(B=rect(0, 0, 15, 10), edge=rect(5, 0, 10, 15)), indoor, GRID, 0.75)
    assert reach["indoor_probability"].tolist() == pytest.approx([(0.9 + 0.5 * 0.6) / 1.5, 0.9])
    assert reach["state"].tolist() == ["reached", "reached"]  # the pixel north of "edge" is not built, not unknown
    assert reach["known_share"].tolist() == [1.0, 1.0]


def test_unknown_surface_and_the_edge_of_the_grid_are_tried_both_ways() -> None:
    indoor, unknown = filled(0.8), np.zeros(GRID.shape, bool)
    indoor[3, 5] = NAN
    unknown[3, 5] = True
    shapes = houses(half=rect(40, 0, 60, 10), tenth=rect(0, 0, 51, 10), lost=rect(50, 0, 60, 10),
                    off=rect(55, 20, 65, 30), away=rect(900, 0, 910, 10))
    reach = indoor_reach(shapes, indoor, GRID, 0.75, unknown=unknown)
    assert reach.index[reach["state"] == "reached"].tolist() == ["tenth"]
    assert (reach["state"] == "not_assessable").sum() == 4
    assert reach["known_share"].tolist() == pytest.approx([0.5, 50 / 51, 0.0, 0.5, 0.0])
    assert np.isnan(reach.loc[["lost", "away"], "indoor_probability"]).all()
    weaker = [indoor_reach(shapes, filled(p), GRID, 0.75).loc["off", "state"] for p in (0.4, 0.6)]
    assert weaker == ["not_reached", "not_assessable"]  # with its other half covered: 0.7 and 0.8


def test_nothing_predicted_indoors_is_not_assessable() -> None:
    reach = indoor_reach(houses(a=rect(0, 0, 10, 10), b=None), None, GRID, 0.75)
    assert reach["state"].tolist() == ["not_assessable"] * 2
    assert reach["indoor_probability"].isna().all()
    some = indoor_reach(houses(a=rect(0, 0, 10, 10), b=None), filled(1.0), GRID, 1.0)
    assert some["state"].tolist() == ["reached", "not_assessable"]


def test_reach_refuses_what_does_not_fit() -> None:
    one = houses(a=rect(0, 0, 10, 10))
    with pytest.raises(CrsError):
        indoor_reach(one.to_crs("EPSG:4548"), filled(1.0), GRID, 0.75)
    with pytest.raises(ModelError, match="shape"):
        indoor_reach(one, np.ones((2, 2)), GRID, 0.75)
    with pytest.raises(ModelError, match="minimum"):
        indoor_reach(one, filled(1.0), GRID, 0.0)


def town() -> tuple[gpd.GeoDataFrame, pd.DataFrame, pd.DataFrame]:
    """Ten buildings, their duty and reach: only those in the easternmost column are reached."""
    def row(place: int, use: str, area: float | None, **more: Any) -> dict[str, Any]:
        return {"geometry": rect(10 * (place % 6), 10 * (place // 6), 10 * (place % 6) + 10, 10 * (place // 6) + 10),
                "use": use, "floor_area_m2": area, "storeys": 3.0, "height_m": 9.0, "height_source": "measured", **more}

    buildings = table("buildings", {
        "mall": row(0, "commercial", 30_000.0, has_indoor=False), "hall": row(1, "commercial", 40_000.0),
        "bank": row(2, "office", 12_000.0, has_indoor=True), "shop": row(5, "commercial", 50_000.0, has_indoor=False),
        "flats": row(3, "residential", 9000.0, storeys=18.0), "hut": row(4, "residential", 100.0),
        "seen": row(11, "residential", 100.0), "forum": row(6, "public", 15_000.0),
        "equipped": row(8, "residential", 100.0, has_indoor=True),
        "abroad": row(7, "commercial", 90_000.0, inside=False),
    })
    indoor = filled(0.2)
    indoor[:, 5] = 0.95
    return buildings, building_duty(buildings), indoor_reach(buildings, indoor, GRID, 0.75)


def test_list_ranks_duty_then_reach_then_size_and_says_what_is_needed() -> None:
    buildings, duty, reach = town()
    listed = indoor_list(buildings, duty, reach)
    assert list(listed.columns) == LIST_COLUMNS
    assert listed["need"].to_dict() == {
        "hall": "应建,有无室分未知,宏站室内未达", "mall": "应建未建,宏站室内未达", "shop": "应建未建,宏站室内已达",
        "bank": "应建已建", "flats": "宜建,有无室分未知,宏站室内未达", "forum": "是否应建不明,有无室分未知,宏站室内未达",
        "hut": "宏站室内未达"}
    assert list(listed.index) == ["hall", "mall", "shop", "bank", "flats", "forum", "hut"]
    assert listed["rank_no"].tolist() == list(range(1, 8))
    assert listed["has_indoor"].isna().sum() == 4
    bound = indoor_list(buildings, duty, reach, without_duty=False)
    assert list(bound.index) == ["hall", "mall", "shop", "bank", "flats"]


def test_list_does_not_depend_on_the_order_of_rows() -> None:
    buildings, duty, reach = town()
    backward = buildings.index[::-1]
    again = indoor_list(buildings.loc[backward], duty.loc[backward], reach.loc[backward])
    pd.testing.assert_frame_equal(again, indoor_list(buildings, duty, reach))


def test_counts_keep_what_is_unknown_apart() -> None:
    buildings, duty, reach = town()
    counts = count_indoor(buildings, duty, reach)
    assert (counts["rule"], counts["total"]) == ("building_indoor", 9)
    assert [counts[name] for name in ("must", "should", "none", "unknown")] == [4, 1, 3, 1]
    assert [counts[f"must_{name}"] for name in ("built", "not_built", "built_unknown", "not_reached")] == [1, 2, 1, 3]
    assert (counts["must_built_least"], counts["must_built_most"]) == (0.25, 0.5)
    nobody = buildings.iloc[:0]
    assert count_indoor(nobody, duty.iloc[:0], reach.iloc[:0])["must_built_least"] is None


def test_tables_of_other_buildings_are_refused() -> None:
    buildings, duty, reach = town()
    with pytest.raises(ModelError, match="reach"):
        indoor_list(buildings, duty, reach.iloc[1:])
    with pytest.raises(ModelError, match="duty"):
        filing_list(buildings, duty.iloc[1:])


def projects() -> gpd.GeoDataFrame:
    early, late = "2025-03-01", "2026-03-01"
    common = {"geometry": rect(0, 0, 10, 10), "floor_area_m2": 12_000.0, "storeys": 6.0}
    return table("planned_buildings", {
        "office": {**common, "use": "办公", "filing": "未备案", "completed_on": early},
        "office_later": {**common, "use": "办公", "filing": "未备案", "completed_on": late},
        "office_filed": {**common, "use": "办公", "filing": "已备案", "completed_on": early},
        "office_pending": {**common, "use": "办公", "filing": "办理中", "completed_on": "2025-02-01"},
        "office_blank": {**common, "use": "办公", "completed_on": early},
        "office_undated": {**common, "use": "办公", "filing": "未备案"},
        "flats": {**common, "use": "住宅", "filing": "未备案", "completed_on": "2025-06-29"},
        "shop": {**common, "use": "商业", "floor_area_m2": 900.0, "filing": "未备案", "completed_on": early},
        "hall": {**common, "use": "公共服务", "filing": "报审材料退回", "completed_on": early},
        "beyond": {**common, "use": "办公", "filing": "未备案", "completed_on": early, "inside": False},
    })


def test_filing_is_overdue_only_where_all_that_matters_is_known() -> None:
    planned = projects()
    listed = filing_list(planned, building_duty(planned), today=dt.date(2025, 6, 30))
    assert list(listed.columns) == FILING_COLUMNS
    yes, no, unknown = (dict.fromkeys(names, value) for value, names in (
        ("True", ("office_pending", "office", "flats")), ("False", ("office_filed", "office_later", "shop")),
        ("<NA>", ("hall", "office_blank", "office_undated"))))
    assert listed["overdue"].map(str, na_action=None).to_dict() == {**yes, **no, **unknown}
    assert list(listed.index) == ["office_pending", "office", "flats", "hall", "office_blank", "office_undated",
                                  "office_filed", "shop", "office_later"]
    assert listed.loc["office", "overdue_days"] == 121
    assert listed.loc["flats", "overdue_days"] == 1
    assert listed["filing"].loc[["office_blank", "hall", "office_filed"]].tolist() == ["未填", "报审材料退回", "已备案"]


def test_filing_of_buildings_that_all_lack_a_state_is_unknown() -> None:
    planned = projects().loc[["office_blank", "office_undated"]].assign(filing=None)
    listed = filing_list(planned, building_duty(planned), today=dt.date(2025, 6, 30))
    assert listed["overdue"].isna().all()
    assert sorted(listed.index) == ["office_blank", "office_undated"]


def test_filing_says_what_must_be_built_and_by_which_paper() -> None:
    planned = projects()
    listed = filing_list(planned, building_duty(planned))
    assert listed["overdue"].isna().sum() == 7  # without a day: all but the filed one and the one without a duty
    assert listed.loc["office", "must_build"].startswith("应配建:信源设备机房")
    assert listed.loc["shop", "must_build"] == ""
    assert listed.loc["flats", "filing_basis"] == load_building_standard().limits.filing_zh
    assert listed.loc["office", "filing_basis"] == "GB 51456-2023"
    assert listed["must_file"].isna().sum() == 1
    assert pd.isna(listed.loc["hall", "must_file"])
    assert listed["town"].isna().all()
    placed = filing_list(planned.assign(town="城关镇", unit_code="XX-01"), building_duty(planned))
    assert set(placed["town"]) == {"城关镇"}
    assert set(placed["unit"]) == {"XX-01"}


def test_empty_layers_give_empty_lists_of_the_same_types() -> None:
    planned = projects()
    nothing = planned.iloc[:0]
    some, none = filing_list(planned, building_duty(planned)), filing_list(nothing, building_duty(nothing))
    assert none.dtypes.to_dict() == some.dtypes.to_dict()
    buildings, duty, reach = town()
    blank = buildings.iloc[:0]
    empty = indoor_list(blank, building_duty(blank), indoor_reach(blank, filled(1.0), GRID, 0.75))
    assert empty.dtypes.to_dict() == indoor_list(buildings, duty, reach).dtypes.to_dict()
