"""What keeps the indicators of many areas cheap: counted, not timed."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from shapely import box

from siteplan.gaps.certainty.error_field import ErrorComponent
from siteplan.gaps.certainty.uncertainty import pass_probability, share_band
from siteplan.gaps.judging import areas as judging
from siteplan.gaps.judging.rules import rule_named
from siteplan.gaps.judging.shares import area_pixels
from siteplan.gaps.judging.update import reassess

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from bench_gaps import COMPONENTS, City, made_city

SIDE = 320


@pytest.fixture(scope="module")
def city() -> City:
    return made_city(SIDE, villages=40, zones=30)


def peak_bytes(call: object) -> int:
    """Greatest memory beyond what there was, of arrays and objects."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_benchmark_is_what_it_says(city: City) -> None:
    villages, zones = city.areas["villages"], city.areas["zones"]
    assert villages.area.sum() == pytest.approx((SIDE * 10) ** 2, rel=1e-9)  # they tile the raster
    assert villages.is_valid.all()
    assert zones.is_valid.all()
    assert (zones.area < 100).sum() == 10
    assert sum(len(shape.geoms) > 1 for shape in zones.geometry if shape.geom_type == "MultiPolygon") > 0
    assert np.nanmin(city.probability) < 0.5 < np.nanmax(city.probability) <= 1.0
    pixels = area_pixels(city.geobox, villages)
    assert pixels.sums(np.ones(city.probability.shape)).sum() == pytest.approx(SIDE * SIDE, rel=1e-6)


def test_fractions_take_eight_bytes_a_pixel(city: City) -> None:
    fractions = area_pixels(city.geobox, city.areas["villages"]).fractions
    assert (fractions.data.dtype, fractions.indices.dtype) == (np.float32, np.int32)
    assert fractions.has_sorted_indices


def test_means_make_no_copy_of_the_raster() -> None:
    """On a raster far greater than its areas, memory goes by the areas."""
    grid = GeoBox.from_bbox((0, 0, 40_000, 40_000), crs="EPSG:4547", resolution=10)
    areas = gpd.GeoDataFrame(geometry=[box(0, 0, 300, 300), box(5000, 5000, 5004, 5004)], index=["a", "b"],
                             crs=grid.crs.proj)
    pixels, values = area_pixels(grid, areas), np.full(grid.shape, 0.9, np.float32)
    assert peak_bytes(lambda: (pixels.mean(values), pixels.mean(values, values), pixels.sums(values))) < 200_000
    copied = 2 * values.nbytes  # as float64
    assert peak_bytes(lambda: share_band(values, pixels, COMPONENTS)) < 0.8 * copied


def test_an_area_of_the_whole_raster_is_counted_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer does not depend on the pieces; memory stays near the cells, far from a matrix of pixels."""
    grid = GeoBox.from_bbox((0, 0, 9000, 6000), crs="EPSG:4547", resolution=10)
    areas = gpd.GeoDataFrame(geometry=[box(0, 0, 9000, 6000)], index=["a"], crs=grid.crs.proj)
    p = np.random.default_rng(1).uniform(0.6, 1.0, (60, 90)).repeat(10, axis=0).repeat(10, axis=1).astype(np.float32)
    pixels, components = area_pixels(grid, areas), [ErrorComponent(6.0, 50.0), ErrorComponent(12.0, 500.0)]
    whole = share_band(p, pixels, components)
    monkeypatch.setattr("siteplan.gaps.certainty.uncertainty._CHUNK", 4001)
    pieces = share_band(p, pixels, components)
    assert pieces.sigma["a"] == pytest.approx(whole.sigma["a"], rel=1e-9)
    assert pass_probability(pieces, 0.8)["a"] == pytest.approx(pass_probability(whole, 0.8)["a"], abs=1e-3)


def test_an_update_judges_the_touched_areas_only(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    villages, rule = city.areas["villages"], rule_named("area_share_95")
    pixels = area_pixels(city.geobox, villages)
    table = judging.assess_areas(villages, city.probability, city.demand, rule, pixels=pixels)
    seen: list[tuple[int, int]] = []

    def counted(areas: gpd.GeoDataFrame, probability: np.ndarray, *others: object, **more: object) -> object:
        seen.append((len(areas), probability.size))
        return judging.assess_areas(areas, probability, *others, **more)

    monkeypatch.setattr("siteplan.gaps.judging.update.assess_areas", counted)
    reassess(table, villages, city.probability, city.demand, rule, pixels, (slice(0, 20), slice(0, 20)))
    (count, size), = seen
    assert count < 10
    assert size < city.probability.size / 3
