"""Gaps: hand-worked shares, rules and polygons on a grid of 10 x 10 pixels of 10 m."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from shapely import box
from shapely.geometry import Point

from siteplan import gaps
from siteplan.errors import CrsError, ModelError
from siteplan.gaps.judging.areas import REST_COVERED, percent_down
from siteplan.grid import study_geobox
from siteplan.params import GapParams

CRS = "EPSG:4547"
GRID = GeoBox.from_bbox((0, 0, 100, 100), crs=CRS, resolution=10)
SHARED = Path(__file__).parents[2] / "shared"


def areas(**shapes: object) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"name": list(shapes)}, geometry=list(shapes.values()), crs=CRS,
                            index=pd.Index(list(shapes), name="village_code"))


def points(*rows: tuple[str, str, bool, object]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"village_code": [r[0] for r in rows], "kind": [r[1] for r in rows],
                             "exists": [r[2] for r in rows]}, geometry=[r[3] for r in rows], crs=CRS)


def demand(value: float = 1.0) -> gaps.Demand:
    return gaps.Demand(np.full((10, 10), value, np.float32), "people", GRID)


def west_covered() -> np.ndarray:
    """Probability 1 in the west half (columns 0-4), 0 in the east."""
    probability = np.zeros((10, 10), np.float32)
    probability[:, :5] = 1.0
    return probability


def test_share_counts_the_fraction_of_each_pixel() -> None:
    table = areas(straddling=box(45, 0, 55, 10), sliver=box(0, 0, 1, 1), beyond=box(200, 200, 210, 210))
    shares = gaps.covered_share(west_covered(), GRID, table)
    assert shares["straddling"] == pytest.approx(0.5)
    assert shares["sliver"] == pytest.approx(1.0)
    assert np.isnan(shares["beyond"])


def test_unknown_pixels_are_neither_covered_nor_uncovered() -> None:
    probability = west_covered()
    probability[:, 5:] = np.nan
    shares = gaps.covered_share(probability, GRID, areas(all=box(0, 0, 100, 100), east=box(60, 0, 100, 100)))
    assert shares["all"] == pytest.approx(1.0)
    assert np.isnan(shares["east"])


def test_share_of_people_weighs_by_people() -> None:
    people = demand()
    people.per_pixel[:, :5] = 3.0
    share = gaps.weighted_share(west_covered(), people.per_pixel, GRID, areas(all=box(0, 0, 100, 100)))
    assert share["all"] == pytest.approx(3 / 4)


def test_no_people_is_no_share() -> None:
    share = gaps.weighted_share(west_covered(), np.zeros((10, 10)), GRID, areas(all=box(0, 0, 100, 100)))
    assert np.isnan(share["all"])


def test_different_crs_is_refused_not_counted_as_zero() -> None:
    with pytest.raises(CrsError, match="CRS"):
        gaps.covered_share(west_covered(), GRID, areas(all=box(0, 0, 9, 9)).set_crs(32649, allow_override=True))


def test_points_and_wrong_shapes_are_one_clear_error() -> None:
    with pytest.raises(ModelError, match="polygons"):
        gaps.covered_share(west_covered(), GRID, areas(a=Point(5, 5)))
    with pytest.raises(ModelError, match="shape"):
        gaps.covered_share(np.ones((3, 3)), GRID, areas(a=box(0, 0, 9, 9)))


@given(left=st.floats(0, 80), bottom=st.floats(0, 80), wide=st.floats(0.5, 20), high=st.floats(0.5, 20))
def test_share_equals_the_cut_area(left: float, bottom: float, wide: float, high: float) -> None:
    """Oracle: intersect the polygon with the covered half as a polygon."""
    shape = box(left, bottom, left + wide, bottom + high)
    want = shape.intersection(box(0, 0, 50, 100)).area / shape.area
    assert gaps.covered_share(west_covered(), GRID, areas(one=shape))["one"] == pytest.approx(want, abs=2e-4)


@pytest.mark.shared
def test_share_on_polygons_with_exact_truth() -> None:
    """Voronoi polygons with shares computed by shapely: p95 error at 10 m within 0.0015."""
    folder = SHARED / "checks" / "zonal"
    if not folder.is_dir():
        pytest.skip("../shared/checks/zonal is absent")
    covered = gpd.read_file(folder / "coverage_exact.gpkg")
    villages = gpd.read_file(folder / "villages_truth.gpkg")
    truth = villages.geometry.intersection(covered.geometry.union_all()).area / villages.area
    left, bottom, right, top = (round(value, -1) for value in villages.total_bounds)
    grid = GeoBox.from_bbox((left - 20, bottom - 20, right + 20, top + 20), crs=villages.crs, resolution=10)
    from siteplan.grid import rasterize

    raster = ~np.isnan(rasterize(covered.geometry, np.ones(len(covered)), grid, merge="last"))
    shares = gaps.covered_share(raster, grid, villages)
    assert np.nanpercentile(np.abs(shares - truth), 95) <= 0.0015


ALL_THREE = [("a", "committee", True, Point(15, 15)), ("a", "school", True, Point(25, 25)),
             ("a", "clinic", True, Point(35, 35))]


def judge(*rows: tuple[str, str, bool, object]) -> pd.Series:
    rule = gaps.rule_named("village_miit_2025")
    return gaps.assess_areas(areas(a=box(0, 0, 50, 50)), west_covered(), demand(), rule, points=points(*rows)).loc["a"]


def test_village_passes_when_committee_school_and_clinic_are_covered() -> None:
    result = judge(*ALL_THREE)
    assert (result["verdict"], result["shortfall"]) == ("pass", 0.0)


def test_village_fails_on_one_uncovered_point() -> None:
    result = judge(*ALL_THREE[:2], ("a", "clinic", True, Point(85, 35)))
    assert (result["verdict"], result["shortfall"]) == ("fail", 1.0)
    assert "卫生室未覆盖" in result["reason"]


def test_missing_clinic_data_is_not_assessable_never_covered() -> None:
    result = judge(*ALL_THREE[:2])
    assert result["verdict"] == "not_assessable"
    assert "卫生室" in result["reason"]
    assert np.isnan(result["shortfall"])


def test_reason_says_that_the_rest_is_covered_only_where_there_is_a_rest() -> None:
    assert REST_COVERED in judge(*ALL_THREE[:2])["reason"]
    assert REST_COVERED in judge(*ALL_THREE[:1], ("a", "school", False, None))["reason"]
    for rows in ((), (("a", "school", False, None), ("a", "committee", False, None)),
                 (*ALL_THREE[:1], ("a", "school", True, Point(95, 95)))):
        assert REST_COVERED not in judge(*rows)["reason"]


def test_village_that_has_no_clinic_is_judged_on_the_rest() -> None:
    result = judge(*ALL_THREE[:2], ("a", "clinic", False, None))
    assert result["verdict"] == "pass"
    assert "不设卫生室" in result["reason"]


def test_uncovered_school_fails_even_when_the_clinic_is_missing() -> None:
    assert judge(ALL_THREE[0], ("a", "school", True, Point(95, 95)))["verdict"] == "fail"


def test_two_schools_must_both_be_covered() -> None:
    assert judge(*ALL_THREE, ("a", "school", True, Point(95, 95)))["verdict"] == "fail"


def test_one_uncovered_school_decides_even_when_another_lies_off_the_grid() -> None:
    assert judge(*ALL_THREE, ("a", "school", True, Point(95, 95)), ("a", "school", True, Point(900, 900)))[
        "verdict"] == "fail"


def test_point_off_the_grid_is_missing_data() -> None:
    assert judge(*ALL_THREE[:2], ("a", "clinic", True, Point(900, 900)))["verdict"] == "not_assessable"


@given(st.floats(0.0, 1.0))
def test_a_share_is_never_told_as_more_than_it_is(share: float) -> None:
    assert percent_down(share) - 1e-9 <= 100 * share < percent_down(share) + 0.1 + 1e-9
    assert (percent_down(share) >= 95.0) == (share >= 0.95)


@pytest.mark.parametrize("share", [0.94996, 0.9499, 0.95, np.nextafter(0.95, 1.0), np.nextafter(0.95, 0.0), 0.99985])
def test_reason_of_a_share_never_contradicts_its_verdict(share: float) -> None:
    """A sum over pixels may miss the minimum by its last digit, on either side: text and verdict go together."""
    probability = np.full(GRID.shape, share)
    result = gaps.assess_areas(areas(a=box(0, 0, 50, 50)), probability, demand(), gaps.rule_named("area_share_95"))
    verdict, reason, found = result.loc["a", ["verdict", "reason", "area_share"]]
    told = float(reason.removeprefix("面积覆盖率").partition("%")[0])
    assert told == percent_down(found)
    assert told <= 100.0 * found + 1e-12
    assert ("达到95%" in reason) == (verdict == "pass") == (told >= 95.0)


def test_share_rule_tells_how_much_is_lacking() -> None:
    rule = gaps.rule_named("area_share_95")
    table = gaps.assess_areas(areas(half=box(0, 0, 100, 100), west=box(0, 0, 50, 50)), west_covered(), demand(), rule)
    assert table.loc["half", "verdict"] == "fail"
    assert table.loc["half", "shortfall"] == pytest.approx(0.45)
    assert table.loc["west", ["verdict", "shortfall"]].tolist() == ["pass", 0.0]
    assert table["demand"].tolist() == pytest.approx([100.0, 25.0])


@pytest.mark.parametrize(("unknown_columns", "verdict"), [(0, "pass"), (4, "not_assessable")])
def test_unknown_land_may_change_the_verdict(unknown_columns: int, verdict: str) -> None:
    """All known land is covered; with 40 % unknown nobody can tell whether 95 % are."""
    probability = np.ones((10, 10), np.float32)
    probability[:, 10 - unknown_columns:] = np.nan
    result = gaps.assess_areas(areas(a=box(0, 0, 100, 100)), probability, demand(), gaps.rule_named("area_share_95"))
    assert result.loc["a", "verdict"] == verdict
    assert result.loc["a", "area_share"] == pytest.approx(1.0)
    assert result.loc["a", "known_share"] == pytest.approx(1.0 - unknown_columns / 10)


def test_mostly_unknown_but_surely_failing() -> None:
    probability = np.zeros((10, 10), np.float32)
    probability[:, 9:] = np.nan
    result = gaps.assess_areas(areas(a=box(0, 0, 100, 100)), probability, demand(), gaps.rule_named("area_share_95"))
    assert result.loc["a", "verdict"] == "fail"


def test_area_reaching_beyond_the_grid_is_partly_unknown() -> None:
    result = gaps.assess_areas(areas(a=box(50, 0, 150, 100)), np.ones((10, 10), np.float32), demand(),
                               gaps.rule_named("area_share_95"))
    assert result.loc["a", ["known_share", "verdict"]].tolist() == [pytest.approx(0.5), "not_assessable"]


def test_rate_divides_by_all_areas() -> None:
    counts = gaps.count_verdicts(pd.Series(["pass", "fail", "not_assessable", "pass"]),
                                 gaps.rule_named("area_share_95"))
    assert counts["rate"] == 0.5
    assert counts["rule"] == "area_share_95"


def test_unknown_rule_suggests_the_nearest() -> None:
    with pytest.raises(ModelError, match="village_miit_2025"):
        gaps.rule_named("vilage_miit_2025")


def test_gap_mask_is_the_known_uncovered_land_inside_the_boundary() -> None:
    """East half uncovered, two columns of it unknown, the boundary leaves out the two northern rows."""
    probability = west_covered()
    probability[:, 8:] = np.nan
    probability[5, 2], probability[6, 2] = 0.75, np.nextafter(np.float32(0.75), np.float32(0.0))
    mask = gaps.gap_mask(probability, GRID, areas(city=box(0, 0, 100, 80)), 0.75)
    want = np.zeros((10, 10), np.bool_)
    want[2:, 5:8] = True
    want[6, 2] = True
    assert (mask == want).all()


def test_gap_areas_hold_the_uncovered_land_and_its_people() -> None:
    probability = west_covered()
    boundary = areas(city=box(0, 0, 100, 80))
    sites = gpd.GeoDataFrame(geometry=[Point(5, 40), Point(20, 40)], index=["far", "near"], crs=CRS)
    mask = gaps.gap_mask(probability, GRID, boundary, 0.75)
    found = gaps.find_gap_areas(mask, demand(2.0), GapParams(), gaps.GapPlaces(
        sites, areas(east=box(60, 0, 100, 80), west=box(0, 0, 50, 80)))).table
    assert len(found) == 1
    gap = found.iloc[0]
    assert (gap["area_m2"], gap.geometry.area) == (50 * 80, 50 * 80)
    assert (gap["gap_type"], gap["demand"]) == ("populated", 2.0 * 40)
    assert (gap["villages"], gap["nearest_site"], gap["rank_no"]) == ("east", "near", 1)


def population(*rows: tuple[float, float, float, float | None]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"people": [r[2] for r in rows], "cell_area_m2": [r[3] for r in rows]},
                            geometry=[Point(r[0], r[1]) for r in rows], crs=CRS)


def nothing() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"height_m": []}, geometry=gpd.GeoSeries([], crs=CRS))


def test_people_of_a_grid_point_fill_its_square() -> None:
    built = gaps.build_demand(GRID, areas(), population((50, 50, 80.0, 1600.0)), nothing())
    assert built.kind == "people"
    assert built.per_pixel[3:7, 3:7].tolist() == [[5.0] * 4] * 4
    assert built.per_pixel.sum() == pytest.approx(80.0)


def test_people_outside_the_boundary_do_not_count() -> None:
    built = gaps.build_demand(GRID, areas(west=box(0, 0, 50, 100)), population((50, 50, 80.0, 1600.0)), nothing())
    assert built.per_pixel.sum() == pytest.approx(40.0)


def test_a_population_raster_keeps_its_people() -> None:
    """Two pixels of 40 m with 80 and 16 people lie as squares of 4 x 4 pixels."""
    people = np.array([[80.0, 16.0]], np.float32)
    raster = SimpleNamespace(array=people, geobox=GeoBox((1, 2), Affine(40, 0, 0, 0, -40, 60), CRS))
    built = gaps.build_demand(GRID, areas(), gaps.people_points(raster, CRS), nothing())
    assert built.per_pixel[4:8, 0:4].tolist() == [[5.0] * 4] * 4
    assert built.per_pixel[4:8, 4:8].tolist() == [[1.0] * 4] * 4
    assert built.per_pixel.sum() == pytest.approx(96.0)


def test_a_geographic_population_raster_keeps_its_people_too() -> None:
    grid = GeoBox((10, 10), Affine(0.0008, 0, 113.39, 0, -0.0008, 22.52), "EPSG:4326")
    raster = SimpleNamespace(array=np.full((10, 10), 7.0, np.float32), geobox=grid)
    points = gaps.people_points(raster, CRS)
    assert points["cell_area_m2"].median() == pytest.approx(82.3 * 88.6, rel=0.01)
    left, bottom, right, top = points.total_bounds
    around = study_geobox((left - 200, bottom - 200, right + 200, top + 200), CRS, 10.0)
    built = gaps.build_demand(around, areas(), points, nothing())
    assert built.per_pixel.sum() == pytest.approx(700.0)


def test_floor_area_stands_in_for_people_and_says_so() -> None:
    houses = gpd.GeoDataFrame({"height_m": [9.0]}, geometry=[box(12, 12, 18, 18)], crs=CRS)
    built = gaps.build_demand(GRID, areas(), population(), houses)
    assert built.kind == "floor_area_m2"
    assert built.per_pixel.sum() == pytest.approx(36 * 3)
    assert "代替人口" in built.zh


def four_g(committee: Point, settlements: list[tuple[Point, float]], sites: list[Point]) -> pd.Series:
    """A village under the rule of 2018: its committee, its settlements with their households, the 4G sites."""
    rows = points(("a", "committee", True, committee), ("a", "school", False, None), ("a", "clinic", False, None),
                  *(("a", "settlement", True, place) for place, _ in settlements))
    rows["households"] = [np.nan, np.nan, np.nan, *(households for _, households in settlements)]
    stations = gpd.GeoDataFrame(geometry=sites, crs=CRS)
    return gaps.assess_areas(areas(a=box(0, 0, 100, 100)), west_covered(), demand(), gaps.rule_named("village_4g_2018"),
                             points=rows, sites=stations).loc["a"]


def test_a_4g_site_within_5_km_of_the_committee_is_enough() -> None:
    near = four_g(Point(95, 5), [], [Point(95, 5005)])
    assert near[["verdict", "reason"]].tolist() == ["pass", "村委会 5.0 公里处有4G基站"]
    assert four_g(Point(95, 5), [], [Point(95, 5006)])["verdict"] == "fail"
    assert four_g(Point(95, 5), [], [])["verdict"] == "fail"


def test_only_settlements_of_20_households_and_more_count() -> None:
    covered = Point(5, 5)
    small = four_g(covered, [(Point(95, 5), 19.0)], [])  # as if the village had no settlement
    assert small["verdict"] == "pass"
    assert "自然村或不足20户" in small["reason"]
    assert four_g(covered, [(Point(95, 5), 19.0), (Point(15, 5), 20.0)], [])["verdict"] == "pass"
    assert four_g(covered, [(Point(95, 5), 20.0)], [])["verdict"] == "fail"
    assert four_g(covered, [(Point(95, 5), np.nan)], [])["verdict"] == "fail"  # not known to be small
