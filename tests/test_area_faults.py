"""Doubtful polygons: each fault by hand on a grid of 10 x 10 pixels of 10 m, and numbers that stay right beside."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from shapely import MultiPolygon, Polygon, affinity, box

from siteplan.errors import ModelError
from siteplan.gaps.judging.area_faults import FAULT_ZH, OVERLAP_WIDTH_M, area_faults, overlapping_pairs
from siteplan.gaps.judging.areas import assess_areas
from siteplan.gaps.judging.rules import rule_named
from siteplan.gaps.judging.shares import area_pixels
from siteplan.gaps.people.demand import Demand

CRS = "EPSG:4547"
GRID = GeoBox.from_bbox((0, 0, 100, 100), crs=CRS, resolution=10)


def areas(*shapes: object, names: list[object] | None = None, towns: list[object] | None = None) -> gpd.GeoDataFrame:
    codes = [f"V{number}" for number in range(len(shapes))]
    return gpd.GeoDataFrame({"name": names or [f"村{code}" for code in codes], "town": towns or ["溪东镇"] * len(codes)},
                            geometry=list(shapes), crs=CRS, index=pd.Index(codes, name="village_code"))


def told(table: gpd.GeoDataFrame, **more: object) -> list[tuple[str, str, str]]:
    return [tuple(row) for row in area_faults(table, GRID, **more)[["area", "fault", "other"]].to_numpy()]


def demand(values: np.ndarray, kind: str = "people") -> Demand:
    return Demand(values.astype(np.float32), kind, GRID)


def test_neighbours_and_land_between_them_are_no_fault() -> None:
    assert told(areas(box(0, 0, 50, 50), box(50, 0, 100, 50), box(0, 60, 100, 100))) == []


def test_an_overlap_names_both_villages_its_area_and_its_share_of_the_smaller() -> None:
    table = area_faults(areas(box(0, 0, 60, 50), box(50, 0, 100, 50), names=["溪东", None]), GRID)
    row = table.iloc[0]
    assert (len(table), row["area"], row["fault"], row["other"], row["figure"], row["share"]) == (
        1, "V0", "overlap", "V1", 500.0, 0.2)
    assert row["reason"] == "溪东(V0)与V1重叠500平方米,占较小者20.0%"


@pytest.mark.parametrize(("depth", "wanted"), [(0.5, 0), (1.5, 0), (4.0, 1)])
def test_narrow_overlaps_of_digitising_are_left_out(depth: float, wanted: int) -> None:
    """An overlap of 50 m by its depth is 2 * 50 * depth / (2 * (50 + depth)) wide: just under its depth."""
    assert len(told(areas(box(0, 0, 50 + depth, 50), box(50, 0, 100, 50)))) == wanted


def test_the_same_polygon_twice_and_a_village_within_another() -> None:
    one = box(0, 0, 40, 40)
    assert told(areas(one, box(0, 0, 40, 39.9), box(10, 10, 30, 30))) == [
        ("V0", "duplicate", "V1"), ("V0", "overlap", "V2"), ("V1", "overlap", "V2")]


def test_the_same_name_counts_within_a_town_only() -> None:
    squares = [box(20 * k, 0, 20 * k + 20, 50) for k in range(5)]
    table = areas(*squares, names=["新村", "新村 ", "新村", None, None], towns=["甲镇", "甲镇", "乙镇", "甲镇", "甲镇"])
    assert told(table) == [("V1", "same_name", "V0")]
    assert area_faults(table, GRID)["reason"].iloc[0] == "甲镇有2个新村:V0、V1"


def test_slivers_are_small_or_thin() -> None:
    assert told(areas(box(0, 0, 19, 20), box(0, 40, 100, 45), box(40, 60, 60.1, 80))) == [
        ("V0", "sliver", ""), ("V1", "sliver", "")]


def test_what_lies_beyond_the_grid_is_told_with_its_part() -> None:
    table = area_faults(areas(box(-30, 0, 30, 50), box(200, 0, 250, 50), box(0, 60, 100, 100)), GRID)
    assert table[["area", "fault", "figure", "share"]].to_numpy().tolist() == [
        ["V0", "partly_off_grid", 1500.0, 0.5], ["V1", "off_grid", 2500.0, 1.0]]


def test_parts_that_touch_are_one_and_holes_are_counted() -> None:
    ring = Polygon(box(0, 0, 50, 50).exterior.coords, [box(10, 10, 30, 30).exterior.coords])
    apart = MultiPolygon([box(60, 0, 80, 30), box(60, 50, 80, 80), box(85, 50, 100, 80)])
    touching = MultiPolygon([box(0, 60, 20, 80), box(20, 80, 40, 100)])
    assert area_faults(areas(ring, apart, touching), GRID)[["area", "fault", "figure"]].to_numpy().tolist() == [
        ["V0", "holes", 1.0], ["V1", "multi_part", 3.0]]


def test_missing_shapes_are_told_and_overlap_nothing() -> None:
    assert told(areas(None, Polygon(), box(0, 0, 50, 50))) == [("V0", "no_geometry", ""), ("V1", "no_geometry", "")]


def test_unknown_coverage_and_no_people_never_become_a_rate() -> None:
    table = areas(box(0, 0, 40, 40), box(60, 0, 100, 40), box(0, 60, 40, 100), box(200, 0, 240, 40))
    pixels, probability, people = area_pixels(GRID, table), np.ones((10, 10), np.float32), np.ones((10, 10))
    probability[:, 6:] = np.nan  # V1
    probability[:5, 0] = np.nan  # a quarter of V2
    people[:5] = 0.0  # V2
    found = told(table, demand=demand(people), pixels=pixels, probability=probability)
    assert found == [("V1", "unknown", ""), ("V2", "partly_unknown", ""), ("V2", "no_people", ""),
                     ("V3", "off_grid", "")]
    shares = assess_areas(table, probability, demand(people), rule_named("population_share_95"), pixels=pixels)
    assert shares["area_share"].isna().tolist() == [False, True, False, True]
    assert shares["demand_share"].isna().tolist() == [False, True, True, True]
    assert shares["verdict"].tolist() == ["pass", "not_assessable", "not_assessable", "not_assessable"]


def test_floor_area_of_zero_is_not_told_as_no_people() -> None:
    table = areas(box(0, 0, 40, 40))
    pixels = area_pixels(GRID, table)
    assert told(table, demand=demand(np.zeros((10, 10)), "floor_area_m2"), pixels=pixels) == []


def test_land_in_common_counts_in_both_villages() -> None:
    table = areas(box(0, 0, 60, 50), box(40, 0, 100, 50))
    counted = area_pixels(GRID, table).sums(np.ones((10, 10)))
    assert counted.tolist() == pytest.approx([30.0, 30.0])
    assert counted.sum() == pytest.approx(50.0 + 10.0)  # the union is the caller's business


def test_demand_without_pixels_and_pixels_of_other_areas_are_refused() -> None:
    table = areas(box(0, 0, 40, 40))
    with pytest.raises(ModelError, match="need the pixels"):
        area_faults(table, GRID, demand(np.ones((10, 10))))
    with pytest.raises(ModelError, match="share one index"):
        area_faults(table, GRID, pixels=area_pixels(GRID, areas(box(0, 0, 9, 9), box(9, 0, 99, 9))))


def test_no_areas_no_faults() -> None:
    table = area_faults(areas(box(0, 0, 40, 40)).iloc[:0], GRID)
    assert len(table) == 0
    assert "reason" in table


def test_every_fault_has_words() -> None:
    ring = Polygon(box(0, 0, 50, 50).exterior.coords, [box(10, 10, 30, 30).exterior.coords])
    table = area_faults(areas(ring, box(-30, 60, 30, 90)), GRID)
    assert (table["fault_zh"] == table["fault"].map(FAULT_ZH)).all()
    assert (table["reason"].str.len() > 5).all()
    assert (table["remedy"].str.len() > 3).all()


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80), st.integers(5, 40), st.integers(5, 40),
                          st.integers(0, 3)), min_size=2, max_size=8))
def test_pairs_are_those_of_trying_all(boxes: list[tuple[int, int, int, int, int]]) -> None:
    """Oracle: each polygon with each."""
    shapes = np.array([affinity.rotate(box(x, y, x + w, y + h), 15 * turn) for x, y, w, h, turn in boxes], object)
    wanted = {}
    for i in range(len(shapes)):
        for j in range(i + 1, len(shapes)):
            common = shapes[i].intersection(shapes[j])
            if common.area > 0 and 2 * common.area >= OVERLAP_WIDTH_M * common.length:
                wanted[i, j] = common.area
    found = overlapping_pairs(shapes)
    pairs = {(int(i), int(j)): area for i, j, area in found[["left", "right", "area_m2"]].itertuples(index=False)}
    assert pairs.keys() == wanted.keys()
    assert all(pairs[pair] == pytest.approx(area) for pair, area in wanted.items())
    assert (found["share"] <= 1 + 1e-9).all()
    assert shapely.is_valid(shapes).all()
