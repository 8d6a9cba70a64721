"""The surface: ground, clutter, and what is told about gaps in both."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pytest
import shapely
from odc.geo.geobox import GeoBox

from siteplan.errors import ModelError
from siteplan.grid import study_geobox
from siteplan.input_ledger import InputLedger
from siteplan.surface import Surface, build_surface

CRS = "EPSG:4547"
BOX = study_geobox((0, 0, 200, 100), CRS, 10.0)


@dataclass(frozen=True)
class Heights:
    array: np.ndarray
    geobox: GeoBox
    filled: np.ndarray | None = None


def test_flat_without_any_data():
    ledger = InputLedger()
    flat = build_surface(BOX, ledger=ledger)
    assert not flat.ground_m.any()
    assert not flat.has_clutter
    assert flat.known.all()
    assert {line.layer for line in ledger} == {"ground", "buildings"}


def test_the_larger_of_building_and_raster_counts():
    shapes = [shapely.box(0, 0, 20, 20), shapely.box(20, 0, 40, 20)]
    buildings = gpd.GeoDataFrame({"height_m": [20.0, 8.0]}, geometry=shapes, crs=CRS)
    raster = np.full(BOX.shape, 12.0, np.float32)
    raster[:, 10:] = np.nan
    ledger = InputLedger()
    surface = build_surface(BOX, buildings, heights=Heights(raster, BOX), ledger=ledger)
    assert surface.clutter_m[9, [0, 2, 5, 15]].tolist() == [20.0, 12.0, 12.0, 0.0]
    assert surface.has_clutter
    line = next(line for line in ledger if line.layer == "heights")
    assert (line.action, line.value) == ("assumed", "100 px")
    np.testing.assert_array_equal(surface.top_m, surface.ground_m + surface.clutter_m)


def test_voids_take_the_nearest_height_and_far_ones_stay_unknown():
    box = study_geobox((0, 0, 1000, 50), CRS, 10.0)
    ground = np.full(box.shape, np.nan, np.float32)
    ground[:, :20] = 77.0
    ledger = InputLedger()
    surface = build_surface(box, ground=Heights(ground, box), ledger=ledger)
    assert (surface.ground_m == 77.0).all()
    assert surface.known[:, :70].all()
    assert not surface.known[:, 70:].any()
    assert ledger.count("assumed", "ground") == 1


def test_ground_filled_in_from_around_does_not_make_more_of_it_known():
    """Known means 500 m from what was measured, whether the void between was filled at reading or here."""
    box = study_geobox((0, 0, 1000, 50), CRS, 10.0)
    ground = np.full(box.shape, np.nan, np.float32)
    ground[:, :70] = 77.0
    filled = np.zeros(box.shape, dtype=bool)
    filled[:, 20:70] = True
    surface = build_surface(box, ground=Heights(ground, box, filled))
    assert (surface.ground_m == 77.0).all()
    assert surface.known[:, :70].all()
    assert not surface.known[:, 70:].any()


def test_ground_that_misses_the_study_is_unknown_everywhere():
    away = study_geobox((90000, 90000, 90100, 90100), CRS, 10.0)
    surface = build_surface(BOX, ground=Heights(np.ones(away.shape, np.float32), away))
    assert not surface.known.any()


def test_shapes_and_nan_are_refused():
    zero = np.zeros(BOX.shape, np.float32)
    with pytest.raises(ModelError):
        Surface(BOX, zero[:2], zero, zero == 0, True)
    with pytest.raises(ModelError):
        Surface(BOX, zero * np.nan, zero, zero == 0, True)


def test_low_things_are_not_built():
    """Noise of a height raster makes neither a town nor an inside."""
    box = study_geobox((0.0, 0.0, 40.0, 10.0), "EPSG:4547", 10.0)
    clutter = np.array([[0.0, 0.05, 2.0, 2.5]], np.float32)
    surface = Surface(box, np.zeros_like(clutter), clutter, np.ones(clutter.shape, bool), True)
    assert surface.built.tolist() == [[False, False, False, True]]
