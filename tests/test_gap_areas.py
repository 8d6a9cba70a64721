"""Gap areas: hand-worked clusters of uncovered people, what they are named after, and ids that stay."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from shapely import box
from shapely.geometry import Point

from siteplan.errors import CrsError, ModelError
from siteplan.gaps.holes.clusters import cluster_cells, divide_wide, fill_between
from siteplan.gaps.holes.gap_areas import (
    GAP_COLUMNS,
    INDOOR_ZH,
    GapAreas,
    GapPlaces,
    LeftOut,
    find_gap_areas,
    find_indoor_gaps,
)
from siteplan.gaps.holes.gap_ids import _overlaps, carry_ids
from siteplan.gaps.holes.mask import gap_mask
from siteplan.gaps.people.demand import Demand
from siteplan.grid import pixel_xy, study_geobox
from siteplan.params import GapParams

CRS = "EPSG:4547"
X0, Y0 = 437_000.0, 2_491_000.0
SIDE = 100
GRID = study_geobox((X0, Y0, X0 + 1000, Y0 + 1000), CRS, 10)
EVERYWHERE = np.ones((SIDE, SIDE), np.bool_)
PARAMS = GapParams()


def at(east: float, north: float) -> Point:
    return Point(X0 + east, Y0 + north)


def rect(left: float, bottom: float, right: float, top: float) -> Any:
    return box(X0 + left, Y0 + bottom, X0 + right, Y0 + top)


def table(rows: dict[str, Any], **columns: list[Any]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=list(rows.values()), crs=CRS, index=pd.Index(list(rows), dtype="str"))


def people_at(*places: tuple[float, float, float], grid: GeoBox = GRID, kind: str = "people") -> Demand:
    """Demand of single pixels: (east, north, how much)."""
    out = np.zeros(grid.shape, np.float32)
    for east, north, count in places:
        row = int((grid.affine.f - (Y0 + north)) // 10)
        out[row, int((X0 + east - grid.affine.c) // 10)] += count
    return Demand(out, kind, grid)


def test_two_villages_in_one_giant_hole_give_two_areas() -> None:
    """A square kilometre without signal; villages 600 m apart: two areas of one cell of 50 m each, and the land."""
    found = find_gap_areas(EVERYWHERE, people_at((212, 512, 80), (812, 512, 60)), PARAMS).table
    assert list(found.columns) == list(GAP_COLUMNS)
    assert found["gap_type"].tolist() == ["populated", "populated", "land"]
    assert found["demand"].tolist() == [80.0, 60.0, 0.0]
    assert found["area_m2"].tolist() == [2500.0, 2500.0, 1e6 - 5000.0]
    assert found["rank_no"].tolist() == [1, 2, 3]
    assert found.index[:2].tolist() == ["G-4372-24915", "G-4378-24915"]
    assert found.geometry.iloc[0].equals(rect(200, 500, 250, 550))


def test_houses_near_one_another_are_one_area_with_the_land_between() -> None:
    """20 + 20 + 20 people, 100 m from cell to cell: together 60 within 150 m of the middle one."""
    found = find_gap_areas(EVERYWHERE, people_at((212, 512, 20), (312, 512, 20), (412, 512, 20)), PARAMS).table
    assert found["gap_type"].tolist() == ["populated", "land"]
    assert found.geometry.iloc[0].equals(rect(200, 500, 450, 550))
    assert found.iloc[0][["demand", "weight"]].tolist() == [60.0, 60.0]


def test_few_people_are_land_with_people() -> None:
    found = find_gap_areas(EVERYWHERE, people_at((212, 512, 49)), PARAMS).table
    assert found[["gap_type", "demand", "area_m2"]].to_numpy().tolist() == [["land", 49.0, 1e6]]
    found = find_gap_areas(EVERYWHERE, people_at((212, 512, 50)), PARAMS).table
    assert found["gap_type"].tolist() == ["populated", "land"]


def test_covered_people_weigh_nothing() -> None:
    mask = EVERYWHERE.copy()
    mask[:, :50] = False
    found = find_gap_areas(mask, people_at((212, 512, 500)), PARAMS).table
    assert found[["gap_type", "demand", "area_m2"]].to_numpy().tolist() == [["land", 0.0, 5e5]]


def test_weight_is_people_and_complaints_and_key_points() -> None:
    """60 people, 2 complaints of 20, 1 school of 200; the third complaint has no place, the fourth is covered."""
    mask = EVERYWHERE.copy()
    mask[:, 90:] = False
    places = GapPlaces(complaints=table({"a": at(205, 505), "b": at(245, 545), "c": None, "d": at(950, 500)}),
                       key_points=table({"school": at(255, 505)}))
    first = find_gap_areas(mask, people_at((212, 512, 60)), PARAMS, places).table.iloc[0]
    assert first[["weight", "demand", "complaints", "key_points"]].tolist() == [300.0, 60.0, 2, 1]


def test_a_key_point_alone_makes_an_area_and_complaints_do_when_they_are_enough() -> None:
    nobody = people_at()
    school = find_gap_areas(EVERYWHERE, nobody, PARAMS, GapPlaces(key_points=table({"s": at(512, 512)})))
    assert school.table[["gap_type", "weight"]].to_numpy().tolist() == [["populated", 200.0], ["land", 0.0]]
    for count, kinds in ((2, ["land"]), (3, ["populated", "land"])):
        calls = table({str(k): at(512 + k, 512) for k in range(count)})
        found = find_gap_areas(EVERYWHERE, nobody, PARAMS, GapPlaces(complaints=calls)).table
        assert found["gap_type"].tolist() == kinds
        assert found["complaints"].sum() == count


@pytest.mark.parametrize(("kind", "amount", "weight"), [("people", 90.0, 90.0), ("floor_area_m2", 2700.0, 90.0),
                                                        ("area_m2", 900_000.0, 90.0)])
def test_other_demand_is_turned_into_people(kind: str, amount: float, weight: float) -> None:
    """30 m2 of floor or a hectare of land count as one person; the demand itself stays what it is."""
    found = find_gap_areas(EVERYWHERE, people_at((212, 512, amount), kind=kind), PARAMS).table
    assert found.iloc[0][["weight", "demand", "demand_kind"]].tolist() == [weight, amount, kind]
    half = find_gap_areas(EVERYWHERE, people_at((212, 512, amount), kind=kind), PARAMS,
                          demand_per_person=amount / 45).table
    assert half.iloc[0]["gap_type"] == "land"


def test_populated_areas_come_first_however_small_and_small_land_is_summed() -> None:
    """Uncovered: one pixel with 70 people, 40 pixels of land, 60 pixels of land."""
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[48, 21], mask[0, :40], mask[10:16, 50:60] = True, True, True
    found = find_gap_areas(mask, people_at((212, 512, 70)), PARAMS)
    assert found.table[["gap_type", "area_m2"]].to_numpy().tolist() == [["populated", 100.0], ["land", 6000.0]]
    assert found.left_out == LeftOut(1, 4000.0, 0.0, 0, 0)


def test_unknown_land_is_no_gap() -> None:
    probability = np.full((SIDE, SIDE), np.nan, np.float32)
    probability[:, :10] = 0.2
    mask = gap_mask(probability, GRID, table({}), 0.75)
    found = find_gap_areas(mask, people_at((50, 500, 60), (500, 500, 60)), PARAMS)
    assert mask.sum() == 1000
    assert found.table["demand"].sum() == 60.0
    assert found.table["area_m2"].sum() == 1e5


def test_nothing_uncovered_is_an_empty_table() -> None:
    found = find_gap_areas(~EVERYWHERE, people_at((5, 5, 100)), PARAMS, GapPlaces(sites=table({"S": at(0, 0)})))
    assert len(found.table) == 0
    assert list(found.table.columns) == list(GAP_COLUMNS)
    assert found.left_out == LeftOut(0, 0.0, 0.0, 0, 0)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ModelError, match="shape"):
        find_gap_areas(np.ones((3, 3), bool), people_at(), PARAMS)
    with pytest.raises(CrsError):
        find_gap_areas(EVERYWHERE, people_at(), PARAMS, GapPlaces(sites=table({"s": at(0, 0)}).set_crs(
            32649, allow_override=True)))
    with pytest.raises(ModelError, match="one of people"):
        find_gap_areas(EVERYWHERE, people_at(kind="cars"), PARAMS)
    with pytest.raises(ModelError, match="without negative"):
        cluster_cells([[-1.0]], 1.0, 1.0)


def check_sums(found: GapAreas, mask: np.ndarray, demand: Demand) -> None:
    """Area and demand of the list and of what is left out are those of the mask; polygons hold their pixels."""
    rows = found.table
    assert rows["area_m2"].sum() + found.left_out.area_m2 == pytest.approx(100.0 * mask.sum())
    assert rows["demand"].sum() + found.left_out.demand == pytest.approx(demand.per_pixel[mask].sum(dtype=float))
    assert not found.labels[~mask].any()
    assert rows.index.is_unique
    assert rows["rank_no"].tolist() == list(range(1, len(rows) + 1))
    for number, row in zip(rows["rank_no"], rows.itertuples(), strict=True):
        pixels = found.labels == number
        assert row.area_m2 == pytest.approx(100.0 * pixels.sum())
        assert row.geometry.is_valid
        assert row.geometry.area == pytest.approx(row.area_m2)
        assert row.demand == pytest.approx(demand.per_pixel[pixels].sum(dtype=float))
        x, y = pixel_xy(demand.geobox, *np.nonzero(pixels))
        assert shapely.contains_xy(row.geometry, x, y).all()


@settings(max_examples=12)
@given(st.integers(0, 2**31), st.floats(0.05, 0.95), st.sampled_from([20.0, 50.0, 70.0]),
       st.sampled_from([10.0, 60.0, 150.0]), st.sampled_from([0.0, 500.0, 5000.0]))
def test_nothing_vanishes(seed: int, share: float, cell_m: float, distance_m: float, least_m2: float) -> None:
    rng = np.random.default_rng(seed)
    grid = study_geobox((X0 + 30, Y0, X0 + 430, Y0 + 370), CRS, 10)
    coarse = np.kron(rng.random((13, 14)), np.ones((3, 3)))[:37, :40]
    mask = coarse < share
    people = np.where(rng.random(mask.shape) < 0.1, rng.gamma(1.0, 20.0, mask.shape), 0.0).astype(np.float32)
    demand = Demand(people, "people", grid)
    params = GapParams(cluster_cell_m=cell_m, cluster_distance_m=distance_m, min_gap_area_m2=least_m2)
    check_sums(find_gap_areas(mask, demand, params), mask, demand)


def scene_of(seed: int) -> tuple[np.ndarray, Demand, GapPlaces]:
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.random((20, 20)), np.ones((5, 5))) < 0.5
    people = np.where(rng.random(mask.shape) < 0.03, 30.0, 0.0).astype(np.float32)

    def scattered(count: int, **columns: list[Any]) -> gpd.GeoDataFrame:
        return table({f"p{k}": at(*rng.uniform(0, 1000, 2)) for k in range(count)}, **columns)

    towns = {"t1": rect(0, 0, 500, 1000), "t2": rect(500, 0, 1000, 1000)}
    return mask, Demand(people, "people", GRID), GapPlaces(
        sites=scattered(9), complaints=scattered(30), key_points=scattered(5),
        facilities=scattered(12, name=[f"学校{k}" for k in range(12)], venue_class=["school"] * 12),
        villages=table(towns, name=["东村", "西村"]), towns=table(towns, name=["甲镇", "乙镇"], county=["县", "县"]))


@settings(max_examples=12)
@given(st.integers(0, 2**31), st.randoms(use_true_random=False))
def test_order_of_the_tables_makes_no_difference(seed: int, random: Any) -> None:
    mask, demand, places = scene_of(seed)

    def shuffled(one: Any) -> Any:
        return None if one is None else one.iloc[random.sample(range(len(one)), len(one))]

    mixed = GapPlaces(**{name: shuffled(one) for name, one in vars(places).items()})
    before, after = (find_gap_areas(mask, demand, PARAMS, one).table for one in (places, mixed))
    pd.testing.assert_frame_equal(pd.DataFrame(before.drop(columns="geometry")),
                                  pd.DataFrame(after.drop(columns="geometry")))
    assert before.geometry.geom_equals(after.geometry).all()


@settings(max_examples=12)
@given(st.integers(0, 2**31))
def test_ids_do_not_change_when_another_gap_appears_or_the_grid_grows(seed: int) -> None:
    """The grid grows by 70 m and 1030 m; the new gap with 90,000 people lies 700 m and more away from all others."""
    mask, demand, _ = scene_of(seed)
    grid = study_geobox((X0 - 70, Y0 - 1030, X0 + 1030, Y0 + 1070), CRS, 10)
    wide, people = np.zeros(grid.shape, np.bool_), np.zeros(grid.shape, np.float32)
    wide[7:107, 7:107], people[7:107, 7:107] = mask, demand.per_pixel
    wide[185:195, 40:60], people[185:195, 40:60] = True, 450.0
    before = find_gap_areas(mask, demand, PARAMS).table
    after = find_gap_areas(wide, Demand(people, "people", grid), PARAMS).table
    same = [*before.columns.drop(["rank_no", "geometry"])]
    assert after.iloc[0]["demand"] == 90_000.0
    new = after.iloc[1:]
    pd.testing.assert_frame_equal(pd.DataFrame(before[same]), pd.DataFrame(new[same]))
    assert before.geometry.geom_equals(new.geometry).all()


def test_an_area_in_the_square_of_a_heavier_one_is_numbered_by_its_pixel() -> None:
    """Two pixels of 100 m2 in the square from (200, 500), 85 m apart: 90 people at row 1, column 1, 60 at row 7, 7."""
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[48, 21], mask[42, 27] = True, True
    params = GapParams(cluster_cell_m=10, cluster_distance_m=20)
    found = find_gap_areas(mask, people_at((212, 512, 90), (272, 572, 60)), params).table
    assert found.index.tolist() == ["G-4372-24915", "G-4372-24915.77"]


def test_neighbours_are_looked_for_from_the_heaviest_cell() -> None:
    """80 people at (215, 515): a school 30 m east, a nearer shop (not obliged), and sites equally far away."""
    places = GapPlaces(
        sites=table({"b": at(215, 815), "a": at(215, 215), "far": at(900, 900)}),
        facilities=table({"F1": at(245, 515), "F2": at(216, 515), "F3": at(214, 515)}, name=["小学", "商店", "油库"],
                         venue_class=["school", "commercial", "hazard"]),
        villages=table({"v": rect(0, 0, 500, 1000), "touching": rect(250, 0, 500, 540), "other": rect(600, 0, 700, 9),
                        "nameless": rect(0, 0, 900, 900)}, name=["北村", "边村", "远村", None]),
        zones=table({"z": rect(240, 540, 300, 600)}, name=["景区"]),
        towns=table({"t": rect(0, 0, 1000, 514), "u": rect(0, 514, 1000, 1000)}, name=["甲镇", "乙镇"],
                    county=["A县", "B县"]))
    first = find_gap_areas(EVERYWHERE, people_at((212, 512, 80)), PARAMS, places).table.iloc[0]
    assert first[["nearest_site", "distance_m"]].tolist() == ["a", 300.0]
    assert first[["nearest_venue", "venue_name", "venue_distance_m"]].tolist() == ["F1", "小学", 30.0]
    assert first[["villages", "zones", "town", "county"]].tolist() == ["北村", "景区", "乙镇", "B县"]


def test_venues_outside_of_the_boundary_do_not_count() -> None:
    venues = table({"in": at(600, 515), "out": at(220, 515)}, name=["", "学校"], venue_class=["school"] * 2,
                   inside=[True, False])
    found = find_gap_areas(EVERYWHERE, people_at((212, 512, 80)), PARAMS, GapPlaces(facilities=venues)).table
    assert found.iloc[0]["nearest_venue"] == "in"


# clusters of cells


@given(st.integers(0, 2**31), st.floats(0.0, 5.0), st.integers(1, 60), st.floats(0.02, 0.9))
def test_clusters_are_those_of_dbscan(seed: int, reach: float, least: int, filled: float) -> None:
    """Slow twin: distances of all cells to all. A cell that is no core may join any cluster with a core in reach."""
    rng = np.random.default_rng(seed)
    weight = np.where(rng.random((12, 17)) < filled, rng.integers(1, 20, (12, 17)), 0).astype(float)
    labels = cluster_cells(weight, reach, least)
    points = np.column_stack(np.nonzero(weight))
    near = np.hypot(*(points[:, None, :] - points[None, :, :]).transpose(2, 0, 1)) <= reach + 1e-9
    core = near @ weight[weight > 0] >= least
    _, group = connected_components(csr_matrix(near & core & core[:, None]), directed=False)
    ours = labels[weight > 0]
    assert ((ours > 0) == (near & core).any(axis=1)).all()
    pairs = set(zip(ours[core].tolist(), group[core].tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    for cell in np.flatnonzero((ours > 0) & ~core):
        assert ours[cell] in ours[core & near[cell]]
    firsts = [np.flatnonzero(core & (ours == number))[0] for number in range(1, ours.max(initial=0) + 1)]
    assert firsts == sorted(firsts)


@given(st.integers(0, 2**31), st.integers(2, 9))
def test_divided_clusters_are_parts_no_wider_than_allowed(seed: int, widest: int) -> None:
    rng = np.random.default_rng(seed)
    weight = np.where(rng.random((25, 40)) < 0.35, rng.integers(1, 9, (25, 40)), 0).astype(float)
    labels = cluster_cells(weight, 2.0, 12)
    parts = divide_wide(labels, weight, 2.0, widest)
    assert ((parts > 0) == (labels > 0)).all()
    for number in range(1, parts.max(initial=0) + 1):
        rows, cols = np.nonzero(parts == number)
        whole = np.unique(labels[parts == number])
        assert len(whole) == 1  # never two clusters in one part, and no number without a cell
        assert max(np.ptp(rows), np.ptp(cols)) <= widest
    alone = divide_wide(np.where(labels == 1, 1, 0).astype(np.int32), weight, 2.0, widest)
    spread = pd.DataFrame({"alone": alone[labels == 1], "all": parts[labels == 1]}).drop_duplicates()
    assert spread["alone"].is_unique
    assert spread["all"].is_unique


def test_a_town_without_any_signal_becomes_several_areas() -> None:
    """People everywhere on 8 x 2 km: no area is wider than 3 km and all people are in one."""
    grid = study_geobox((X0, Y0, X0 + 8000, Y0 + 2000), CRS, 20)
    demand = Demand(np.full(grid.shape, 2.0, np.float32), "people", grid)
    found = find_gap_areas(np.ones(grid.shape, bool), demand, GapParams(cluster_cell_m=100)).table
    bounds = found.bounds
    assert 3 <= len(found) <= 10
    assert (found["gap_type"] == "populated").all()
    assert (bounds["maxx"] - bounds["minx"]).max() <= 3100
    assert found["demand"].sum() == 2.0 * demand.per_pixel.size


def test_strips_of_up_to_two_cells_between_cells_of_clusters_are_filled() -> None:
    row = [[1, 0, 0, 1, 0, 0, 0, 2, 0, 2, 0]]
    assert fill_between(np.array(row, np.int32)).tolist() == [[1, 1, 1, 1, 0, 0, 0, 2, 2, 2, 0]]
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.int32)
    assert fill_between(ring).tolist() == [[1] * 3] * 3


# ids from one list to the next


def listed(mask: np.ndarray, demand: Demand) -> gpd.GeoDataFrame:
    return find_gap_areas(mask, demand, PARAMS).table


def test_a_split_hole_keeps_its_id_at_the_heaviest_piece() -> None:
    """Village of 300 m; a new site covers its middle, where the heaviest cell was, and its halves drift apart."""
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[45:50, 10:45] = True
    demand = people_at((112, 512, 60), (212, 512, 90), (262, 512, 100), (412, 512, 70), (432, 512, 65))
    before = listed(mask, demand)
    assert before.index.tolist() == ["G-4372-24915"] or len(before) == 1
    mask[:, 20:38] = False
    after = listed(mask, demand)
    assert after["demand"].tolist() == [135.0, 60.0]
    carried = carry_ids(before, after)
    assert carried.index.tolist() == [before.index[0], after.index[1]]
    assert carried.index.name == "gap_id"
    assert carried["demand"].tolist() == after["demand"].tolist()


def test_nothing_changed_keeps_all_ids_and_new_holes_have_their_own() -> None:
    mask, demand, _ = scene_of(5)
    before = listed(mask, demand)
    assert carry_ids(before, before).index.tolist() == before.index.tolist()
    assert carry_ids(before.iloc[:0], before).index.tolist() == before.index.tolist()
    assert len(carry_ids(before, before.iloc[:0])) == 0


def test_an_id_of_the_old_list_never_stands_for_another_place() -> None:
    """The old area moved east, and its heaviest cell's square holds a new, light one."""
    def one(**shapes: tuple[Any, float, str]) -> gpd.GeoDataFrame:
        geometry, weight, kind = zip(*shapes.values(), strict=True)
        return table(dict(zip(shapes, geometry, strict=True)), weight=list(weight), gap_type=list(kind))

    old = one(a=(rect(0, 0, 100, 100), 50.0, "populated"))
    new = one(a=(rect(0, 0, 10, 100), 5.0, "populated"), b=(rect(20, 0, 200, 100), 90.0, "populated"))
    assert carry_ids(old, new).index.tolist() == ["a+", "a"]
    apart = one(a=(rect(500, 500, 510, 510), 5.0, "populated"))
    assert carry_ids(old, apart).index.tolist() == ["a+"]
    merged = one(c=(rect(0, 0, 300, 100), 90.0, "populated"))
    two = one(a=(rect(0, 0, 100, 100), 50.0, "populated"), b=(rect(150, 0, 300, 100), 40.0, "populated"))
    assert carry_ids(two, merged).index.tolist() == ["b"]  # the greater overlap
    assert carry_ids(old, one(d=(rect(0, 0, 100, 100), 9.0, "indoor"))).index.tolist() == ["d"]
    land = one(e=(rect(0, 0, 100, 100), 9.0, "land"))
    parts = one(f=(rect(0, 0, 10, 10), 99.0, "populated"), g=(rect(10, 0, 100, 100), 0.0, "land"))
    assert carry_ids(land, parts).index.tolist() == ["f", "e"]  # land stays land


@given(st.integers(0, 2**31), st.booleans())
@settings(max_examples=12)
def test_overlaps_are_those_of_the_polygons(seed: int, moved: bool) -> None:
    """Oracle: the polygons cut with one another; also for a grid of half the pixels, moved by half a pixel."""
    rng = np.random.default_rng(seed)
    lists = []
    for side_m, shift in ((10, 0), (5, 5) if moved else (10, 0)):
        grid = study_geobox((X0 + shift, Y0 + shift, X0 + shift + 300, Y0 + shift + 200), CRS, side_m)
        mask = np.kron(rng.random((10, 15)), np.ones((20 // side_m,) * 2)) < 0.6
        people = np.where(rng.random(mask.shape) < 0.02, 60.0, 0.0).astype(np.float32)
        lists.append(find_gap_areas(mask, Demand(people, "people", grid), GapParams(min_gap_area_m2=0)).table)
    old, new = lists
    got = {(a, b): count for a, b, count in zip(*map(np.ndarray.tolist, _overlaps(old, new)), strict=True)}
    side = 5.0 if moved else 10.0
    want = {(a, b): one.intersection(other).area / side**2 for a, one in enumerate(new.geometry)
            for b, other in enumerate(old.geometry)}
    if got:
        side_of_grid = np.sqrt(sum(want.values()) / sum(got.values()))  # of a few areas the grid may be coarser
        assert {pair: count * side_of_grid**2 for pair, count in got.items()} == pytest.approx(
            {pair: area for pair, area in want.items() if area > 0})
    else:
        assert not any(want.values())


def test_lists_in_different_crs_are_not_compared() -> None:
    mask, demand, _ = scene_of(5)
    before = listed(mask, demand)
    with pytest.raises(CrsError):
        carry_ids(before, before.set_crs(32649, allow_override=True))


# indoor


def test_buildings_covered_in_the_street_only() -> None:
    """Two blocks of 60 people weak inside; one of them weak outside too; a third without a known outdoor signal."""
    indoor = np.full((SIDE, SIDE), np.nan, np.float32)
    outdoor = np.ones((SIDE, SIDE), np.float32)
    indoor[45:50, 20:25] = 0.1
    indoor[45:50, 60:65] = 0.1
    indoor[85:90, 20:25] = 0.1
    indoor[5:10, 5:10] = 0.9
    outdoor[45:50, 60:65], outdoor[85:90, 20:25] = 0.2, np.nan
    demand = people_at((212, 512, 60), (612, 512, 60), (212, 112, 60), (62, 912, 60))
    found = find_indoor_gaps(outdoor, indoor, demand, PARAMS)
    row = found.table.iloc[0]
    assert len(found.table) == 1
    assert row[["gap_type", "area_m2", "demand", "reason_code", "reason"]].tolist() == [
        "indoor", 2500.0, 60.0, "indoor", INDOOR_ZH]
    assert found.table.index.tolist() == ["I-4372-24915"]
    nowhere = find_indoor_gaps(outdoor, indoor, demand, PARAMS, within=np.zeros((SIDE, SIDE), bool))
    assert len(nowhere.table) == 0
