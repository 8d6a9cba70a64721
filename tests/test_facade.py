"""Receivers on built pixels: no roof of their own in the way, the sight of the street in front of the nearest wall."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_coverage import CRS, flat, omni, params, town

from siteplan import radio
from siteplan._kernels import nearest_open, point_sight, point_space, steps_outwards
from siteplan._kernels._profiles import LEAST_NU
from siteplan.coverage import (
    Network,
    complete_sectors,
    load_equipment,
    measurement_samples,
    predict_coverage,
    reach_probability,
)
from siteplan.coverage._masts import prepare_masts
from siteplan.coverage._predict import make_job, make_place, sight_windows
from siteplan.coverage._surroundings import FACADE_M, facade_steps
from siteplan.grid import pixel_xy, study_geobox
from siteplan.surface import Surface

NET = Network("电信&联通", "5G")


def with_block(rows: slice, cols: slice, height_m: float = 20.0, size: int = 61) -> Surface:
    base = flat(size)
    clutter = base.clutter_m.copy()
    clutter[rows, cols] = height_m
    return replace(base, clutter_m=clutter)


def test_steps_of_a_block_worked_by_hand():
    """A block of 3 x 5 pixels: the rim goes straight out; in the middle row the ends leave by the nearer side."""
    steps = facade_steps(with_block(slice(10, 13), slice(20, 25)))
    assert steps[10, 22].tolist() == [-1, 0]
    assert steps[12, 22].tolist() == [1, 0]
    assert steps[11, 20].tolist() == [0, -1]
    assert steps[11, 24].tolist() == [0, 1]
    assert steps[11, 22].tolist() == [-2, 0]  # two pixels up or down: the first by row
    assert not steps[0, 0].any()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), share=st.floats(0.05, 0.98), reach=st.integers(1, 7))
def test_steps_lead_to_the_nearest_open_pixel(seed: int, share: float, reach: int) -> None:
    """Against brute force: the nearest of the grid, else the nearest beyond its edge, where nothing stands."""
    built = np.random.default_rng(seed).random((14, 17)) < share
    out = np.zeros((14, 17, 2), np.int8)
    nearest_open(built, steps_outwards(reach), out)
    rows, cols = np.nonzero(~built)
    away = [part.ravel() for part in np.mgrid[-reach:14 + reach, -reach:17 + reach]]
    beyond = (away[0] < 0) | (away[0] >= 14) | (away[1] < 0) | (away[1] >= 17)
    for r, c in np.ndindex(built.shape):
        nearest = np.hypot(rows - r, cols - c).min(initial=np.inf)
        if nearest > reach:
            nearest = np.hypot(away[0][beyond] - r, away[1][beyond] - c).min()
        if built[r, c] and nearest <= reach:
            assert np.hypot(*out[r, c].astype(float)) == pytest.approx(nearest)
            y, x = r + int(out[r, c, 0]), c + int(out[r, c, 1])
            assert not (0 <= y < 14 and 0 <= x < 17) or not built[y, x]
        else:
            assert not out[r, c].any()


def test_the_wall_towards_the_mast_is_in_the_clear_and_the_one_behind_is_not():
    """A mast 150 m west of a block 60 m deep: half the block looks at it, half into its own shadow."""
    surface = with_block(slice(20, 41), slice(30, 36))
    x, y = pixel_xy(surface.geobox, 30, 15)
    sectors = omni(float(x), float(y), height=25.0)
    got = predict_coverage(surface, sectors, params(400.0, indoor=True, wall="low", model_macro="uma"), (NET,))
    d = (np.arange(30, 36) - 15) * 10.0
    freq, h = float(sectors["freq_mhz"].iloc[0]) / 1000.0, 25.0
    loss = [radio.path_loss_db("uma", d, freq, h, 1.5, los) for los in (True, False)]
    state = np.array([True, True, True, False, False, False])  # the three western columns leave by the western wall
    street = got.rsrp_dbm[0][30, 30:36].astype(float) + np.where(state, *loss)
    down = np.degrees(np.arctan2(23.5, d))
    antenna = load_equipment().antennas[sectors["antenna"].iloc[0]]
    away = radio.pattern_loss_db(0.0, down, (np.inf, antenna.vertical_deg), antenna.depth_db, antenna.side_lobe_db)
    power = float(sectors["epre_dbm"].iloc[0]) + antenna.gain_dbi - antenna.feeder_db
    np.testing.assert_allclose(street, power - away, atol=0.16)  # a table is linear across the pattern's kink
    depth = np.array([5.0, 15.0, 25.0, 25.0, 15.0, 5.0])
    inwards = got.rsrp_dbm[0][30, 30:36] - got.indoor_rsrp_dbm[0][30, 30:36]
    np.testing.assert_allclose(inwards, float(radio.wall_loss_db(freq, "low")) + 0.5 * depth, atol=0.01)


@pytest.mark.parametrize("exact", [True, False])
def test_sight_of_every_pixel_is_that_of_its_open_pixel(exact: bool) -> None:
    surface, radius = town(81, seed=11), 25
    x, y = pixel_xy(surface.geobox, 40, 40)
    chosen = params(radius * 10.0, sight="exact" if exact else "sweep")
    job = make_job(make_place(surface, chosen), omni(float(x), float(y), height=30.0), chosen, load_equipment(), (NET,))
    mast, facade = job.masts.mast(0), facade_steps(surface)
    nu_top, nu_ground = sight_windows(job, mast, radius, (0, 81, 0, 81))
    lent = 0
    for i, j in np.ndindex(nu_top.shape):
        r, c = mast.row + i - radius, mast.col + j - radius
        if np.hypot(i - radius, j - radius) > radius:
            continue
        y2, x2 = i + int(facade[r, c, 0]), j + int(facade[r, c, 1])
        if np.hypot(y2 - radius, x2 - radius) > radius:
            continue  # the open pixel lies beyond the reach: the receiver keeps its own sight
        if exact:
            space = point_space(2.0 * radius, mast)
            ground = np.ascontiguousarray(surface.ground_m)
            top = point_sight(np.ascontiguousarray(surface.top_m), ground, True, mast, y2 + mast.row - radius,
                              x2 + mast.col - radius, space)[0]
            own = point_sight(ground, ground, False, mast, r, c, space)[0]
            assert max(nu_top[i, j], LEAST_NU) == pytest.approx(max(top, LEAST_NU), abs=1e-4)
            assert (nu_ground[i, j] > 0.0) == (own > 0.0) or abs(own) < 1e-3
        else:
            assert nu_top[i, j] == nu_top[y2, x2]
        lent += (y2, x2) != (i, j)
    assert lent > 100


def test_reach_and_samples_take_the_same_sight():
    """Points on built pixels: the reach of a candidate and the features of a measurement agree with the engine."""
    surface = town(81, seed=4)
    x, y = pixel_xy(surface.geobox, 40, 40)
    sectors = omni(float(x), float(y), height=30.0).assign(site_id="A")
    chosen = params(300.0, sight="exact")
    got = predict_coverage(surface, sectors, chosen, (NET,))
    rows, cols = np.nonzero(surface.built & ~np.isnan(got.rsrp_dbm[0]))
    steps = facade_steps(surface)[rows, cols]
    far = np.hypot(rows + steps[:, 0] - 40, cols + steps[:, 1] - 40) <= 30
    rows, cols = rows[far], cols[far]
    reach = reach_probability(surface, sectors, chosen, rows, cols, floor=1e-6).matrix.toarray()[:, 0]
    np.testing.assert_allclose(reach, got.probability[0][rows, cols], atol=6e-4)
    xs, ys = pixel_xy(surface.geobox, rows, cols)
    points = gpd.GeoDataFrame({"sector_id": sectors.index[0], "rsrp_dbm": -90.0},
                              geometry=gpd.points_from_xy(xs, ys), crs=CRS,
                              index=pd.RangeIndex(rows.size).astype(str))
    samples = measurement_samples(points, sectors, surface)
    masts = prepare_masts(surface, complete_sectors(sectors, load_equipment()), chosen, load_equipment())
    job = make_job(make_place(surface, chosen), sectors, chosen, load_equipment(), (NET,))
    nu = sight_windows(job, masts.mast(0), 30, (0, 81, 0, 81))[0][rows - 10, cols - 10]
    np.testing.assert_array_equal(samples["blocked"].to_numpy(), nu > 0.0)
    assert 0.1 < samples["blocked"].mean() < 0.99


def test_no_building_in_front_of_its_own_receiver():
    """Raising a lone building does not weaken the signal at the wall that looks at the mast."""
    x, y = pixel_xy(flat().geobox, 30, 15)
    sectors, chosen = omni(float(x), float(y), height=25.0), params(400.0)
    low, high = (predict_coverage(with_block(slice(28, 33), slice(30, 32), h), sectors, chosen, (NET,)).rsrp_dbm[0]
                 for h in (5.0, 80.0))
    assert low[30, 30] == high[30, 30]
    assert low[30, 29] == high[30, 29]
    assert high[30, 35] < low[30, 35] - 5.0  # behind it the shadow is real


def test_a_hall_wider_than_the_search_keeps_the_sight_of_its_roof():
    wide = int(FACADE_M // 10) * 2 + 3
    steps = facade_steps(with_block(slice(20, 20 + wide), slice(20, 20 + wide)))
    assert not steps[20 + wide // 2, 20 + wide // 2].any()
    assert steps[20, 20 + wide // 2].any()


@pytest.mark.parametrize("has_clutter", [True, False])
@pytest.mark.parametrize("more", [{}, {"terrain_diffraction": "knife_edge"}, {"diffraction_weight": 0.4}])
def test_reach_is_the_exact_prediction_whatever_the_settings(has_clutter: bool, more: dict) -> None:
    surface = town(81, seed=6)
    surface = replace(surface, has_clutter=has_clutter, clutter_m=surface.clutter_m * np.float32(has_clutter))
    x, y = pixel_xy(surface.geobox, 40, 40)
    sectors = omni(float(x), float(y), height=20.0).assign(site_id="A", antenna_height_m=12.0)
    chosen = params(300.0, sight="exact", **more)
    got = predict_coverage(surface, sectors, chosen, (NET,))
    rows, cols = np.nonzero(~np.isnan(got.rsrp_dbm[0]))
    reach = reach_probability(surface, sectors, chosen, rows, cols, floor=1e-6).matrix.toarray()[:, 0]
    far_facade = np.abs(reach - got.probability[0][rows, cols]) > 1e-3
    assert far_facade.mean() < 2e-3  # where nu is 0 to the last digit, the state is a matter of rounding
    assert len(np.unique(reach)) > 100


def test_a_building_at_the_edge_of_the_grid_looks_into_the_grid():
    """A one-pixel house in the first row: the street beside it serves, not the unknown beyond the edge."""
    surface = with_block(slice(0, 1), slice(30, 31), 12.0)
    assert facade_steps(surface)[0, 30].tolist() == [0, -1]
    x, y = pixel_xy(surface.geobox, 5, 30)
    signal = predict_coverage(surface, omni(float(x), float(y)), params(), (NET,)).rsrp_dbm[0]
    assert signal[0, 30] == pytest.approx(signal[0, 29], abs=0.2)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1)])
def test_a_grid_of_one_row_or_column(shape: tuple[int, int]) -> None:
    box = study_geobox((0.0, 0.0, shape[1] * 10.0, shape[0] * 10.0), CRS, 10.0)
    clutter = np.zeros(shape, np.float32)
    clutter.flat[clutter.size // 2] = 9.0
    surface = Surface(box, np.zeros(shape, np.float32), clutter, np.ones(shape, bool), True)
    sectors, chosen = omni(5.0, 5.0).assign(site_id="A"), params(300.0, sight="exact")
    got = predict_coverage(surface, sectors, chosen, (NET,))
    rows, cols = (part.ravel() for part in np.indices(shape))
    reach = reach_probability(surface, sectors, chosen, rows, cols, floor=1e-6).matrix.toarray()[:, 0]
    np.testing.assert_allclose(reach, np.nan_to_num(got.probability[0][rows, cols]), atol=6e-4)
