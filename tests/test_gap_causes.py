"""Causes of gaps on a flat kilometre by hand: a hill, a wall of buildings, nothing in range, a free way."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jit_off import run_jit_off
from shapely.geometry import Point

from siteplan._kernels import Mast, sight_of_pairs
from siteplan.coverage._path_profile import equivalent_nu, greatest_nu, path_samples
from siteplan.errors import ModelError
from siteplan.gaps.holes.causes import CAUSES, SHARE_COLUMNS, gap_causes, with_causes
from siteplan.gaps.holes.gap_areas import INDOOR_ZH, GapAreas, GapPlaces, find_gap_areas, find_indoor_gaps
from siteplan.gaps.people.demand import Demand
from siteplan.grid import study_geobox
from siteplan.params import GapParams
from siteplan.surface import Surface

CRS = "EPSG:4547"
GRID = study_geobox((437_000, 2_491_000, 438_000, 2_492_000), CRS, 10)
SHAPE = (100, 100)
MAST_X, ROW = 437_055.0, 2_491_495.0
HERE = pd.DataFrame({"x": [MAST_X], "y": [ROW], "antenna_height_m": [30.0]}, index=["s1"])
SITES = gpd.GeoDataFrame(geometry=[Point(MAST_X, ROW)], index=["站1"], crs=CRS)
ALL_SERVED = np.zeros(SHAPE, np.int32)


def surface(ground: np.ndarray | None = None, clutter: np.ndarray | None = None, known: bool = True) -> Surface:
    flat = np.zeros(SHAPE, np.float32)
    return Surface(GRID, flat if ground is None else ground.astype(np.float32),
                   flat if clutter is None else clutter.astype(np.float32), np.ones(SHAPE, np.bool_), known)


def village(*columns: int, rows: tuple[int, int] = (48, 52)) -> GapAreas:
    """A gap with 20 people on every pixel of some columns beside the row of the mast."""
    mask, people = np.zeros(SHAPE, np.bool_), np.zeros(SHAPE, np.float32)
    for column in columns:
        mask[rows[0]:rows[1], column:column + 10] = True
    people[mask] = 20.0
    return find_gap_areas(mask, Demand(people, "people", GRID), GapParams(), GapPlaces(sites=SITES))


def wall(height_m: float) -> np.ndarray:
    """A wall along column 50, 40 m thick, from north to south."""
    out = np.zeros(SHAPE)
    out[:, 48:52] = height_m
    return out


def causes_of(areas: GapAreas, ground: Surface, server: np.ndarray = ALL_SERVED) -> pd.DataFrame:
    return gap_causes(areas, server, HERE, ground)


def test_a_hill_in_between_is_terrain() -> None:
    row = causes_of(village(80), surface(ground=wall(60.0))).iloc[0]
    assert (row["reason_code"], row["share_terrain"]) == ("terrain", 1.0)
    assert row["reason"] == f"距主服站{row['server_distance_m']:.0f}米,地形遮挡"
    assert 750 <= row["server_distance_m"] <= 850


def test_buildings_in_between_are_buildings_and_on_a_hill_still_terrain() -> None:
    row = causes_of(village(80), surface(clutter=wall(60.0))).iloc[0]
    assert (row["reason_code"], row["share_buildings"]) == ("buildings", 1.0)
    both = causes_of(village(80), surface(wall(60.0), wall(20.0))).iloc[0]
    assert both["reason_code"] == "terrain"


def test_a_free_way_is_a_weak_signal() -> None:
    for ground in (surface(), surface(clutter=wall(5.0)), surface(ground=wall(5.0))):
        row = causes_of(village(80), ground).iloc[0]
        assert (row["reason_code"], row["share_weak"]) == ("weak", 1.0)
        assert row["reason"].endswith("米,距离远或天线背向")


def test_no_sector_computed_is_no_site_and_tells_the_nearest_one() -> None:
    areas = village(80)
    row = causes_of(areas, surface(), np.full(SHAPE, -1, np.int32)).iloc[0]
    assert (row["reason_code"], row["share_no_site"]) == ("no_site", 1.0)
    away = areas.table["distance_m"].iloc[0]
    assert row["reason"] == f"计算范围内无5G基站,最近5G基站{away:.0f}米"
    assert np.isnan(row["server_distance_m"])


def test_shares_are_those_of_the_people() -> None:
    """Half of the people stand 100 m behind the wall, half 100 m before it: terrain and weak, 40 % : 60 %."""
    mask, people = np.zeros(SHAPE, np.bool_), np.zeros(SHAPE, np.float32)
    mask[45:50, 35:60] = True
    people[45:50, 40:45], people[45:50, 55:60] = 6.0, 4.0
    params = GapParams(cluster_distance_m=200)
    areas = find_gap_areas(mask, Demand(people, "people", GRID), params, GapPlaces(sites=SITES))
    found = gap_causes(areas, ALL_SERVED, HERE, surface(ground=wall(60.0)), samples=100)
    row = found.iloc[0]
    assert row[list(SHARE_COLUMNS)].tolist() == pytest.approx([0.0, 0.4, 0.0, 0.6])
    assert row["reason"].endswith("距离远或天线背向(占60%)")
    assert row["server_distance_m"] < 400  # of the leading cause alone


def test_land_counts_by_its_area() -> None:
    """Nobody lives on 40 columns of land: what the hill hides is a fourth."""
    mask = np.zeros(SHAPE, np.bool_)
    mask[45:55, 20:45] = True
    mask[45:55, 45:60] = True
    areas = find_gap_areas(mask, Demand(np.zeros(SHAPE, np.float32), "people", GRID), GapParams())
    row = gap_causes(areas, ALL_SERVED, HERE, surface(ground=wall(60.0)), samples=400).iloc[0]
    hidden = 1.0 - row["share_weak"]
    assert areas.table["gap_type"].tolist() == ["land"]
    assert 0.15 <= hidden <= 0.35
    assert sum(row[name] for name in SHARE_COLUMNS) == pytest.approx(1.0)


def test_a_receiver_in_a_building_is_not_blocked_by_its_own_roof() -> None:
    """A block of houses 40 m deep in the open: from its edge the mast is seen."""
    roofs = np.zeros(SHAPE)
    roofs[48:52, 80:90] = 15.0
    assert causes_of(village(80), surface(clutter=roofs)).iloc[0]["reason_code"] == "weak"
    assert causes_of(village(80), surface(clutter=wall(60.0) + roofs)).iloc[0]["reason_code"] == "buildings"


def test_without_heights_of_buildings_only_the_ground_can_block() -> None:
    assert causes_of(village(80), surface(clutter=wall(60.0), known=False)).iloc[0]["reason_code"] == "weak"


def test_an_area_is_judged_alike_with_others_beside_it() -> None:
    ground = surface(ground=wall(60.0))
    alone, both = village(80), village(20, 80)
    first, second = causes_of(alone, ground), causes_of(both, ground)
    assert set(alone.table.index[:1]) < set(both.table.index)
    pd.testing.assert_series_equal(first.iloc[0], second.loc[first.index[0]])


def test_the_table_takes_the_causes_and_keeps_its_columns() -> None:
    areas = village(80)
    causes = causes_of(areas, surface(ground=wall(60.0)))
    told = with_causes(areas.table, causes)
    assert list(told.columns) == list(areas.table.columns)
    assert told["reason_code"].iloc[0] == "terrain"
    assert areas.table["reason_code"].iloc[0] == ""
    assert areas.table[list(SHARE_COLUMNS)].isna().all(axis=None)


def test_indoor_gaps_keep_their_reason() -> None:
    indoor = np.full(SHAPE, np.nan, np.float32)
    indoor[45:50, 20:25] = 0.1
    demand = Demand(np.full(SHAPE, 9.0, np.float32), "people", GRID)
    areas = find_indoor_gaps(np.ones(SHAPE, np.float32), indoor, demand, GapParams())
    row = causes_of(areas, surface()).iloc[0]
    assert row[["reason_code", "reason"]].tolist() == ["indoor", INDOOR_ZH]
    assert row[list(SHARE_COLUMNS)].isna().all()


def test_no_gap_has_no_cause() -> None:
    areas = find_gap_areas(np.zeros(SHAPE, bool), Demand(np.zeros(SHAPE, np.float32), "people", GRID), GapParams())
    assert len(causes_of(areas, surface())) == 0


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ModelError, match="one grid"):
        causes_of(village(80), surface(), np.zeros((3, 3), np.int32))
    with pytest.raises(ModelError, match="sector 7"):
        causes_of(village(80), surface(), np.full(SHAPE, 7, np.int32))
    with pytest.raises(ModelError, match="outside"):
        gap_causes(village(80), ALL_SERVED, HERE.assign(x=0.0), surface())


@settings(max_examples=15)
@given(st.integers(0, 2**31), st.integers(1, 40))
def test_shares_sum_to_one_and_name_the_greatest(seed: int, samples: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.random((20, 20)), np.ones((5, 5))) < 0.4
    people = np.where(rng.random(SHAPE) < 0.02, 40.0, 0.0).astype(np.float32)
    areas = find_gap_areas(mask, Demand(people, "people", GRID), GapParams(min_gap_area_m2=0))
    server = np.where(np.kron(rng.random((10, 10)), np.ones((10, 10))) < 0.3, -1, 0).astype(np.int32)
    hills = np.kron(rng.normal(0, 15, (20, 20)), np.ones((5, 5)))
    found = gap_causes(areas, server, HERE, surface(hills, 20.0 * (rng.random(SHAPE) < 0.1)), samples=samples)
    assert found.index.equals(areas.table.index)
    assert found[list(SHARE_COLUMNS)].sum(axis=1).to_numpy() == pytest.approx(1.0)
    greatest = found[list(SHARE_COLUMNS)].max(axis=1)
    for code, (_, row), most in zip(found["reason_code"], found.iterrows(), greatest, strict=True):
        assert row[f"share_{code}"] == pytest.approx(most)
    for name, part in zip(found.index, areas.table["rank_no"], strict=True):
        pixels = server[areas.labels == part]
        assert found.at[name, "share_no_site"] == pytest.approx(float((pixels < 0).all())) or (
            (pixels < 0).any() and (pixels >= 0).any())
    assert set(found["reason_code"]) <= set(CAUSES)


# the kernel and its slow twin


def made_pairs() -> tuple[Surface, tuple[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(4)
    ground = surface(np.kron(rng.normal(0, 12, (20, 20)), np.ones((5, 5))), 15.0 * (rng.random(SHAPE) < 0.2))
    row, col, mast_row, mast_col = rng.integers(0, 100, (4, 60))
    return ground, (mast_row, mast_col, ground.ground_m[mast_row, mast_col] + rng.uniform(5, 40, 60)), (row, col)


def kernel_sight() -> np.ndarray:
    ground, masts, pixels = made_pairs()
    out = np.empty((60, 2))
    sight_of_pairs((ground.top_m, ground.ground_m, True), (1.5, 10.0, 0.5 / 8.5e6), masts, pixels, out)
    return out


def test_sight_of_pairs_is_that_of_each_profile() -> None:
    """Slow twin: the profile of one link by map_coordinates; the sign tells whether the way is cut."""
    ground, masts, pixels = made_pairs()
    cut = 0
    for (mast_row, mast_col, top, row, col), (nu_top, nu_ground) in zip(
            zip(*masts, *pixels, strict=True), kernel_sight(), strict=True):
        if np.hypot(row - mast_row, col - mast_col) < 1.5:
            continue
        path = path_samples(ground, Mast(int(mast_row), int(mast_col), float(top), 1.5, 10.0, 0.5 / 8.5e6),
                            (int(row), int(col)))
        assert nu_top == pytest.approx(greatest_nu(path, path.top_m), abs=1e-3)
        slow = greatest_nu(path, path.ground_m)
        assert (nu_ground > 0) == (slow > 0)
        assert nu_ground == pytest.approx(slow if slow <= 0 else equivalent_nu(path), abs=1e-2)
        cut += slow > 0
    assert 5 < cut < 55


def test_sight_of_pairs_is_the_same_without_the_compiler() -> None:
    plain = run_jit_off(Path(__file__).stem, "kernel_sight", np.float64).reshape(-1, 2)
    assert plain == pytest.approx(kernel_sight(), abs=1e-5)
