"""Results after a part of a coverage changed are those of judging all areas anew."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pandas.testing import assert_frame_equal
from shapely import Point, box

from siteplan.errors import ModelError
from siteplan.gaps.judging.areas import assess_areas
from siteplan.gaps.judging.rules import rule_named
from siteplan.gaps.judging.shares import AreaPixels, area_pixels
from siteplan.gaps.judging.update import reassess, touched_areas
from siteplan.gaps.people.demand import Demand

CRS = "EPSG:4547"
SIDE = 40
GRID = GeoBox.from_bbox((500_000, 2_500_000, 500_000 + 10 * SIDE, 2_500_000 + 10 * SIDE), crs=CRS, resolution=10)
RNG = np.random.default_rng(6)


def made_areas() -> gpd.GeoDataFrame:
    """Overlapping rectangles, one beyond the grid, one smaller than a pixel, one without a polygon."""
    corners, sizes = RNG.uniform(0, 300, (24, 2)), RNG.uniform(3, 160, (24, 2))
    shapes: list[Any] = [box(500_000 + x, 2_500_000 + y, 500_000 + x + w, 2_500_000 + y + h)
                         for (x, y), (w, h) in zip(corners, sizes, strict=True)]
    shapes += [box(490_000, 2_400_000, 490_100, 2_400_100), box(500_001, 2_500_001, 500_003, 2_500_002), None]
    return gpd.GeoDataFrame({"name": [f"村{k}" for k in range(len(shapes))]}, geometry=shapes, crs=CRS,
                            index=pd.Index([f"V{k:02d}" for k in range(len(shapes))], name="village_code"))


AREAS = made_areas()
PIXELS = area_pixels(GRID, AREAS)
DEMAND = Demand(RNG.uniform(0, 3, (SIDE, SIDE)).astype(np.float32), "people", GRID)
PLACES = RNG.uniform(-50, 450, (60, 2)) + [500_000, 2_500_000]
POINTS = gpd.GeoDataFrame({"village_code": RNG.choice(AREAS.index, 60),
                           "kind": RNG.choice(["committee", "school", "clinic"], 60), "exists": RNG.random(60) < 0.9},
                          geometry=[Point(place) if k % 9 else None for k, place in enumerate(PLACES)], crs=CRS)
BEFORE = RNG.choice(np.array([0.0, 0.5, 0.9, 1.0, 1.0, np.nan], np.float32), (SIDE, SIDE))


@settings(max_examples=25)
@given(top=st.integers(-5, 42), left=st.integers(-5, 42), high=st.integers(0, 25), wide=st.integers(0, 25),
       rule=st.sampled_from(["area_share_95", "population_share_95", "village_miit_2025", "village_4g_2018"]))
def test_updated_results_are_those_of_assessing_anew(top: int, left: int, high: int, wide: int, rule: str) -> None:
    window = (slice(max(top, 0), max(top + high, 0)), slice(max(left, 0), max(left + wide, 0)))
    after = BEFORE.copy()
    after[window] = np.where(np.isnan(after[window]), 0.4, 1.0 - after[window])
    sites = gpd.GeoDataFrame(geometry=[Point(500_100, 2_500_100)], crs=CRS)
    more: dict[str, Any] = {"points": POINTS, "sites": sites} if rule.startswith("village") else {}
    old = assess_areas(AREAS, BEFORE, DEMAND, rule_named(rule), pixels=PIXELS, **more)
    kept = old.copy()
    new = reassess(old, AREAS, after, DEMAND, rule_named(rule), PIXELS, window, **more)
    assert_frame_equal(new, assess_areas(AREAS, after, DEMAND, rule_named(rule), pixels=PIXELS, **more))
    assert_frame_equal(old, kept)


@settings(max_examples=25)
@given(top=st.integers(0, 40), left=st.integers(0, 40), high=st.integers(0, 20), wide=st.integers(0, 20))
def test_touched_areas_are_those_with_a_pixel_there(top: int, left: int, high: int, wide: int) -> None:
    there = np.zeros((SIDE, SIDE), bool)
    there[top:top + high, left:left + wide] = True
    found = touched_areas(PIXELS, (slice(top, top + high), slice(left, left + wide)))
    assert found.tolist() == np.flatnonzero(PIXELS.sums(there) > 0).tolist()


def test_untouched_areas_keep_their_rows_as_they_are() -> None:
    rule, window = rule_named("area_share_95"), (slice(0, 4), slice(0, 4))
    marked = assess_areas(AREAS, BEFORE, DEMAND, rule, pixels=PIXELS).assign(reason="as it was")
    new = reassess(marked, AREAS, BEFORE, DEMAND, rule, PIXELS, window)
    touched = touched_areas(PIXELS, window)
    assert 0 < len(touched) < len(AREAS)
    assert np.flatnonzero(new["reason"] != "as it was").tolist() == touched.tolist()


def test_some_areas_on_a_part_of_the_grid_count_the_same() -> None:
    some = np.array([5, 2, 9])
    bounds = PIXELS.bounds[some]
    rows, cols = (slice(int(bounds[:, k].min()), int(bounds[:, k + 1].max()) + 1) for k in (0, 2))
    part = PIXELS.rows(some).crop(rows, cols)
    whole = PIXELS.mean(BEFORE, DEMAND.per_pixel).iloc[some]
    assert part.mean(BEFORE[rows, cols], DEMAND.per_pixel[rows, cols]).tolist() == whole.tolist()
    assert tuple(part.geobox.shape) == (rows.stop - rows.start, cols.stop - cols.start)


def test_pixels_in_pieces_sum_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow twin: a dense matrix product; pieces of 7 pixels, so that areas are cut."""
    dense = PIXELS.fractions.toarray().astype(np.float64)
    known = np.nan_to_num(BEFORE).ravel()
    monkeypatch.setattr("siteplan.gaps.judging.shares._CHUNK", 7)
    assert PIXELS.sums(BEFORE).to_numpy() == pytest.approx(dense @ known)
    base = dense @ ~np.isnan(BEFORE.ravel())
    with np.errstate(invalid="ignore"):
        assert PIXELS.mean(BEFORE).to_numpy() == pytest.approx(dense @ known / base, nan_ok=True)
    fresh = AreaPixels(PIXELS.fractions, PIXELS.index, GRID)
    held = [np.divmod(np.flatnonzero(row), SIDE) for row in dense]
    assert fresh.bounds.tolist() == [[int(row.min()), int(row.max()), int(col.min()), int(col.max())]
                                     if len(row) else [0, -1, 0, -1] for row, col in held]


def test_means_in_one_pass_are_the_means_one_by_one() -> None:
    layers = {"before": BEFORE, "known": np.nan_to_num(BEFORE, nan=0.25)}
    land, people = PIXELS.means(layers, DEMAND.per_pixel)
    for name, layer in layers.items():
        assert land[name].to_numpy() == pytest.approx(PIXELS.mean(layer).to_numpy(), nan_ok=True)
        assert people[name].to_numpy() == pytest.approx(PIXELS.mean(layer, DEMAND.per_pixel).to_numpy(), nan_ok=True)


def test_tables_of_other_areas_and_windows_with_a_step_are_refused() -> None:
    rule, window = rule_named("area_share_95"), (slice(0, 4), slice(0, 4))
    table = assess_areas(AREAS, BEFORE, DEMAND, rule, pixels=PIXELS)
    with pytest.raises(ModelError, match="share one index"):
        reassess(table.iloc[1:], AREAS, BEFORE, DEMAND, rule, PIXELS, window)
    with pytest.raises(ModelError, match="no step"):
        touched_areas(PIXELS, (slice(0, 4, 2), slice(0, 4)))
    assert touched_areas(AreaPixels(sp.csr_matrix((0, SIDE * SIDE)), AREAS.index[:0], GRID), window).tolist() == []
