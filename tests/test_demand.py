"""Demand by night and by day: a toy town of 4 x 2 pixels of 10 m, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import CRS
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from shapely import box
from shapely.geometry import Point

from siteplan.errors import ModelError
from siteplan.gaps.judging.shares import area_pixels
from siteplan.gaps.people.demand import build_demand, day_and_night, day_night_shares

CITY = Path(__file__).parents[1] / "data" / "xikou"
GRID = GeoBox.from_bbox((0, 0, 40, 20), crs=CRS, resolution=10)
NOTHING = gpd.GeoDataFrame({"height_m": []}, geometry=gpd.GeoSeries([], crs=CRS))
HOUSE = gpd.GeoDataFrame({"height_m": [6.0]}, geometry=[box(2, 2, 7, 7)], crs=CRS)


def cells(*rows: tuple[float, float, float | None, float | None]) -> gpd.GeoDataFrame:
    """Population cells of one pixel each: x, y, people by night, by day."""
    return gpd.GeoDataFrame(
        {"people": pd.array([row[2] for row in rows], "Float64"), "source_file": "人口.csv", "cell_area_m2": 100.0,
         "people_day": pd.array([row[3] for row in rows], "Float64")},
        geometry=[Point(row[0], row[1]) for row in rows], crs=CRS)


# a dormitory in the north-west, an office in the north-east, a cell without a number for the day between them
TOWN = cells((5, 15, 90.0, 10.0), (15, 15, 30.0, None), (35, 15, 5.0, 200.0))


@pytest.mark.parametrize(("people", "row", "zh"), [
    ("resident", [90, 30, 0, 5], "人口(人)"), ("day", [10, 30, 0, 200], "日间人口(人)"),
    ("greater", [90, 30, 0, 200], "昼夜较大值(人)")])
def test_people_by_night_by_day_and_the_greater_of_both(people: str, row: list[float], zh: str) -> None:
    found = build_demand(GRID, NOTHING, TOWN, NOTHING, people=people)
    assert found.per_pixel.tolist() == [row, [0, 0, 0, 0]]
    assert (found.kind, found.basis, found.zh) == ("people", people, zh)
    told = [(line.field, line.value, line.file, line.action) for line in found.notes]
    assert told == ([] if people == "resident" else [("people_day", "共 1 格", "人口.csv", "assumed")])


@pytest.mark.parametrize("people", ["day", "greater"])
@pytest.mark.parametrize("population", [TOWN.drop(columns="people_day"), TOWN.assign(people_day=np.nan)],
                         ids=["no column", "no number"])
def test_without_people_of_the_day_residents_count_and_are_called_so(population: gpd.GeoDataFrame, people: str) -> None:
    found = build_demand(GRID, NOTHING, population, NOTHING, people=people)
    assert found.per_pixel.sum() == 125.0
    assert (found.basis, found.zh) == ("resident", "人口(人)")
    line, = found.notes
    assert (line.layer, line.field, line.action) == ("population", "people_day", "assumed")
    assert "常住人口" in line.reason


def test_cells_without_a_number_are_told_and_count_nothing() -> None:
    found = build_demand(GRID, NOTHING, cells((5, 15, None, None), (15, 15, 30.0, None)), HOUSE)
    assert (found.kind, float(found.per_pixel.sum())) == ("people", 30.0)
    assert [(line.field, line.value) for line in found.notes] == [("people", "共 1 格")]


def test_a_population_without_a_single_number_is_none() -> None:
    found = build_demand(GRID, NOTHING, cells((5, 15, None, None)), HOUSE, people="day")
    assert (found.kind, float(found.per_pixel.sum())) == ("floor_area_m2", 25.0 * 2)
    assert "代替人口" in found.zh
    assert {line.field for line in found.notes} == {"people", "people_day"}


def test_nobody_in_the_boundary_is_told() -> None:
    south = gpd.GeoDataFrame(geometry=[box(0, 0, 40, 10)], crs=CRS)
    found = build_demand(GRID, south, TOWN, NOTHING)
    assert found.per_pixel.sum() == 0.0
    assert ["合计为0" in line.reason for line in found.notes] == [True]


def test_other_people_are_refused() -> None:
    with pytest.raises(ModelError, match="resident, day, greater"):
        build_demand(GRID, NOTHING, TOWN, NOTHING, people="tourists")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.floats(0, 1e4), st.none() | st.floats(0, 1e4)),
                min_size=1, max_size=12))
def test_totals_are_kept_and_the_greater_is_no_less(rows: list[tuple[int, int, float, float | None]]) -> None:
    population = cells(*((10 * col + 5, 10 * row + 5, night, day) for col, row, night, day in rows))
    night, day, greater = (build_demand(GRID, NOTHING, population, NOTHING, people=people).per_pixel.sum(dtype=float)
                           for people in ("resident", "day", "greater"))
    assert night == pytest.approx(sum(row[2] for row in rows), rel=1e-5)
    assert day == pytest.approx(sum(row[2] if row[3] is None else row[3] for row in rows), rel=1e-5)
    assert greater * (1 + 1e-5) >= max(night, day)


AREAS = gpd.GeoDataFrame(geometry=[box(0, 0, 40, 20), box(0, 10, 10, 20), box(0, 0, 40, 10), box(30, 10, 40, 20)],
                         index=["all", "dormitory", "fields", "office"], crs=CRS)


def test_shares_by_land_by_night_and_by_day() -> None:
    """The west half is covered, the office's column is unknown: 200 of the 240 people of the day are there."""
    probability = np.array([[1, 1, 0, np.nan]] * 2, np.float32)
    found = day_night_shares(area_pixels(GRID, AREAS), probability, day_and_night(GRID, NOTHING, TOWN))
    town = found.loc["all"]
    assert town["area_share"] == pytest.approx(2 / 3)
    assert town[["demand_resident", "demand_day"]].tolist() == [125.0, 240.0]
    assert town[["demand_share_resident", "demand_share_day"]].tolist() == [1.0, 1.0]
    assert town[["known_share_resident", "known_share_day"]].tolist() == pytest.approx([120 / 125, 40 / 240])
    assert town["reason_day"] == "仅16.6%的日间人口有数据"
    assert found.loc["dormitory", ["demand_share_resident", "demand_share_day", "reason_day"]].tolist() == [1, 1, ""]


def test_nobody_and_nothing_known_are_reasons_and_no_share() -> None:
    probability = np.array([[1, 1, 0, np.nan]] * 2, np.float32)
    found = day_night_shares(area_pixels(GRID, AREAS), probability, day_and_night(GRID, NOTHING, TOWN))
    for name, words in (("fields", "人口为0"), ("office", "无数据区域")):
        for key in ("resident", "day"):
            assert np.isnan(found.loc[name, f"demand_share_{key}"])
            assert words in found.loc[name, f"reason_{key}"]
    assert found.loc["fields", "area_share"] == pytest.approx(2 / 3)
    assert np.isnan(found.loc["office", "area_share"])
    assert found.loc["office", "known_share_day"] == 0.0
    assert np.isnan(found.loc["fields", "known_share_day"])


def test_only_people_with_numbers_have_a_demand() -> None:
    assert list(day_and_night(GRID, NOTHING, TOWN)) == ["resident", "day"]
    assert list(day_and_night(GRID, NOTHING, TOWN.drop(columns="people_day"))) == ["resident"]
    assert day_and_night(GRID, NOTHING, TOWN.iloc[:0]) == {}


def test_the_sample_city_by_day_is_the_sum_of_its_file() -> None:
    """The file's rows summed by pandas; its cells near the edge of the grid stay whole when the grid is wide enough."""
    from siteplan.layers import inspect_layers
    from siteplan.params import LayerSource

    rows = pd.read_csv(CITY / "population.csv", encoding="utf-8-sig")
    good = rows[rows["人口"] >= 0]
    layers = inspect_layers({"population": LayerSource(path="population.csv", datum="wgs84")}, CRS, CITY)
    table = layers.table("population")
    left, bottom, right, top = table.total_bounds
    grid = GeoBox.from_bbox((left - 500, bottom - 500, right + 500, top + 500), crs=CRS, resolution=50)
    for people, column in (("resident", good["人口"]), ("day", good["日间人口"]),
                           ("greater", good[["人口", "日间人口"]].max(axis=1))):
        found = build_demand(grid, NOTHING, table, NOTHING, people=people)
        assert found.notes == ()
        assert found.per_pixel.sum(dtype=float) == pytest.approx(column.sum(), rel=1e-5)
