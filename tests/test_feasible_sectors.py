"""Azimuths that walls leave to a site: worked out by hand, and against a slow twin."""

from __future__ import annotations

import math

import geopandas as gpd
import numpy as np
import pytest
from conftest import CRS, X0, Y0
from hypothesis import given
from hypothesis import strategies as st

from siteplan.candidates.traits.feasible_sectors import feasible_azimuths, wall_rule, without_sector
from siteplan.coverage import equipment_of, load_equipment, sectors_of_sites
from siteplan.grid import study_geobox
from siteplan.params import EquipmentParams
from siteplan.surface import Surface

SIZE = 21
MIDDLE = (X0 + 105.0, Y0 + 105.0)


def surface_of(walls: dict[tuple[int, int], float], ground_m: float = 100.0) -> Surface:
    """Level ground, 21 x 21 pixels of 10 m; walls by how many pixels east and north of the middle they stand."""
    grid = study_geobox((X0, Y0, X0 + 10 * SIZE, Y0 + 10 * SIZE), CRS, 10.0)
    clutter = np.zeros(grid.shape, np.float32)
    for (east, north), height in walls.items():
        clutter[10 - north, 10 + east] = height
    return Surface(grid, np.full(grid.shape, ground_m, np.float32), clutter, np.ones(grid.shape, bool), True)


def sites_of(*heights: float, kind: str = "macro", place: tuple[float, float] = MIDDLE) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"kind": kind, "antenna_height_m": list(heights), "status": "candidate", "networks": "*"},
                            index=[f"S{number}" for number in range(len(heights))], crs=CRS,
                            geometry=gpd.points_from_xy([place[0]] * len(heights), [place[1]] * len(heights)))


def azimuths(walls: dict[tuple[int, int], float], height_m: float = 25.0) -> str:
    (found,) = feasible_azimuths(sites_of(height_m), surface_of(walls), load_equipment())
    return str(found)


@pytest.mark.parametrize(("walls", "want"), [
    ({}, "0|120|240"),
    ({(0, 2): 26.0}, "120|240"),                    # 20 m north
    ({(0, 3): 26.0}, "120|240"),                    # 30 m north
    ({(0, 4): 26.0}, "0|120|240"),                  # 40 m north: too far to matter
    ({(0, 2): 25.0}, "0|120|240"),                  # as high as the antenna, not higher
    ({(0, 0): 60.0}, "0|120|240"),                  # the mast's own pixel
    ({(1, 2): 26.0}, "120|240"),                    # 27 degrees off: in the beam
    ({(2, 1): 26.0}, "0|120|240"),                  # 63 degrees: between two beams
    ({(2, -1): 26.0}, "0|240"),                     # 117 degrees
    ({(-2, -1): 26.0}, "0|120"),                    # 243 degrees
    ({(0, 1): 26.0, (2, -1): 26.0}, "240"),
    ({(0, 1): 26.0, (2, -1): 26.0, (-2, -1): 26.0}, ""),
])
def test_walls_close_before_the_antenna_take_its_azimuths(walls: dict[tuple[int, int], float], want: str) -> None:
    assert azimuths(walls) == want


def test_a_higher_antenna_looks_over_the_wall_and_a_hill_is_a_wall() -> None:
    walls = {(0, 2): 40.0}
    got = feasible_azimuths(sites_of(25.0, 39.9, 40.1, np.nan), surface_of(walls), load_equipment())
    assert got.tolist() == ["120|240", "120|240", "0|120|240", "0|120|240"]
    assert got.index.tolist() == ["S0", "S1", "S2", "S3"]
    hill = surface_of({})
    hill.ground_m[:10, :] = 130.0  # all that lies further north is 30 m higher
    assert feasible_azimuths(sites_of(25.0, 31.0), hill, load_equipment()).tolist() == ["120|240", "0|120|240"]


def test_poles_are_omnidirectional_and_other_kinds_have_none() -> None:
    around = {(east, north): 50.0 for east in (-1, 0, 1) for north in (-1, 0, 1) if (east, north) != (0, 0)}
    surface = surface_of(around)
    assert feasible_azimuths(sites_of(8.0, kind="micro"), surface, load_equipment()).tolist() == ["omni"]
    assert feasible_azimuths(sites_of(8.0, kind="indoor"), surface, load_equipment()).tolist() == [""]
    assert feasible_azimuths(sites_of(8.0).iloc[:0], surface, load_equipment()).tolist() == []


def test_at_the_edge_of_the_grid_nothing_is_a_wall() -> None:
    corner = sites_of(25.0, place=(X0 + 1.0, Y0 + 1.0))
    assert feasible_azimuths(corner, surface_of({}), load_equipment()).tolist() == ["0|120|240"]


def test_azimuths_are_those_of_the_study_s_site_type() -> None:
    mine = equipment_of(EquipmentParams(site_types={"macro": {"azimuths_deg": [90.0, 270.0]}}), {})
    assert feasible_azimuths(sites_of(25.0), surface_of({(0, 2): 99.0, (2, 0): 99.0}), mine).tolist() == ["270"]


def test_a_site_without_any_sector_is_to_be_refused() -> None:
    sites = sites_of(25.0, 60.0)
    walled = surface_of({(east, north): 50.0 for east in (-1, 0, 1) for north in (-1, 0, 1)})
    sites = sites.assign(azimuths=feasible_azimuths(sites, walled, load_equipment()))
    assert sites["azimuths"].tolist() == ["", "0|120|240"]
    assert without_sector(sites, load_equipment()).tolist() == [True, False]
    assert not without_sector(sites.assign(status="existing"), load_equipment()).any()
    assert not without_sector(sites.assign(kind="indoor"), load_equipment()).any()


def test_what_is_feasible_is_what_radiates() -> None:
    sites = sites_of(25.0, 60.0)
    sites = sites.assign(azimuths=feasible_azimuths(sites, surface_of({(0, 2): 40.0}), load_equipment()))
    assert sectors_of_sites(sites)["azimuth_deg"].tolist() == [120.0, 240.0, 0.0, 120.0, 240.0]


@given(st.integers(0, 2**32 - 1))
def test_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    surface = surface_of({}, 0.0)
    surface.ground_m[:] = rng.uniform(0.0, 20.0, surface.ground_m.shape)
    surface.clutter_m[:] = np.where(rng.random(surface.ground_m.shape) < 0.06, 40.0, 0.0)
    x, y = X0 + rng.uniform(0.0, 210.0, 6), Y0 + rng.uniform(0.0, 210.0, 6)
    heights = rng.uniform(10.0, 60.0, 6)
    sites = gpd.GeoDataFrame({"kind": "macro", "antenna_height_m": heights}, crs=CRS, geometry=gpd.points_from_xy(x, y))

    def height_at(east: float, north: float, clutter: bool) -> float:
        col, row = math.floor((east - X0) / 10.0), SIZE - 1 - math.floor((north - Y0) / 10.0)
        if not (0 <= row < SIZE and 0 <= col < SIZE):
            return -math.inf
        return float(surface.ground_m[row, col]) + (float(surface.clutter_m[row, col]) if clutter else 0.0)

    want = []
    for east, north, height in zip(x, y, heights, strict=True):
        antenna = height_at(east, north, False) + height
        free = [azimuth for azimuth in (0, 120, 240) if not any(
            height_at(east + metres * math.sin(math.radians(azimuth + off)),
                      north + metres * math.cos(math.radians(azimuth + off)), True) > antenna
            for metres in (10, 20, 30) for off in (-30, -15, 0, 15, 30))]
        want.append("|".join(map(str, free)))
    assert feasible_azimuths(sites, surface, load_equipment()).tolist() == want


def test_the_rule_looks_at_the_edges_of_the_beam_and_at_its_end() -> None:
    odd = wall_rule().model_copy(update={"within_m": 25.0, "beam_deg": 40.0})
    assert odd.distances_m().tolist() == [10.0, 20.0, 25.0]
    assert odd.off_deg()[[0, -1]].tolist() == [-40.0, 40.0]
    assert np.diff(odd.off_deg()).max() <= odd.step_deg
