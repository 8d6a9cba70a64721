"""Obstruction kernels: exact points against a slow twin, sweeps against exact points and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jit_off import run_jit_off
from scipy.ndimage import gaussian_filter

from siteplan import _kernels as kernels
from siteplan import radio
from siteplan._kernels._sweep import free_edge_loss

EARTH = 5.88e-8
SCALE = 3.5**0.5


def f1(got: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (got & truth).sum() / (got.sum() + truth.sum()))


def town(size: int = 81) -> tuple[np.ndarray, np.ndarray]:
    """Top and ground: hills with buildings."""
    rng = np.random.default_rng(7)
    ground = (gaussian_filter(rng.normal(size=(size, size)), 8) * 250).astype(np.float32)
    top = ground.copy()
    for _ in range(size):
        r, c = rng.integers(0, size, 2)
        top[r:r + 3, c:c + 4] = ground[r:r + 3, c:c + 4] + np.float32(rng.uniform(5, 30))
    return top, ground


def mast_on(ground: np.ndarray, row: int, col: int, height_m: float = 25.0, curvature: float = EARTH) -> kernels.Mast:
    return kernels.Mast(row, col, float(ground[row, col]) + height_m, 1.5, 10.0, curvature)


def slow_profile(surface: np.ndarray, mast: kernels.Mast, row: int, col: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Distances of the samples and bilinear heights, one by one, and the distance of the target; pixels and m."""
    e = float(np.hypot(row - mast.row, col - mast.col))
    distances = np.arange(1.0, e - 0.5 + 1e-12, 0.5)
    heights = []
    for d in distances:
        y, x = mast.row + (row - mast.row) * d / e, mast.col + (col - mast.col) * d / e
        i, j = min(int(y), surface.shape[0] - 2), min(int(x), surface.shape[1] - 2)
        cell = surface[i:i + 2, j:j + 2].astype(float)
        upper, lower = cell @ np.array([1 - (x - j), x - j])
        heights.append(upper + (lower - upper) * (y - i))
    return distances, np.array(heights), e


def slow_nu(top: np.ndarray, ground: np.ndarray, mast: kernels.Mast, row: int, col: int) -> tuple[float, float]:
    """The Earth's bulge added to each height: greatest nu over the top surface, Bullington's over the ground."""
    target = float(ground[row, col]) + mast.receiver_m
    d, h, e = slow_profile(top, mast, row, col)
    if d.size == 0:
        return kernels.CLEAR_NU, kernels.CLEAR_NU
    near, far = d * mast.pixel_m, (e - d) * mast.pixel_m
    over = h + near * far * mast.curvature - (mast.top_amsl_m * far + target * near) / (near + far)
    nu_top = float(np.max(over * np.sqrt(2.0 * (near + far) / (0.2998 * near * far))))
    _, h, _ = slow_profile(ground, mast, row, col)
    d_km = np.array([0.0, *d, e]) * mast.pixel_m / 1000.0
    radius_km = 1.0 / (2000.0 * mast.curvature) if mast.curvature else 1e12
    nu_ground = radio.bullington_nu(d_km, [0.0, *h, 0.0], mast.top_amsl_m, target, radius_km)
    return nu_top, nu_ground


def windows(top: np.ndarray, ground: np.ndarray, mast: kernels.Mast, radius: int) -> list[np.ndarray]:
    filled = []
    for surface in (top, ground):
        window = np.empty((2 * radius + 3,) * 2, np.float32)
        kernels.copy_window(surface, mast.row, mast.col, radius + 1, window)
        filled.append(window)
    return filled


def swept(top: np.ndarray, ground: np.ndarray, mast: kernels.Mast, radius: int,
          within: tuple[int, int, int, int] | None = None) -> tuple[kernels.Disc, np.ndarray, np.ndarray]:
    """Disc, nu of the top surface, nu of the ground; 7 where nothing was filled."""
    disc = kernels.build_disc(radius)
    upper, lower = windows(top, ground, mast, radius)
    sight, terrain = np.full((2,) + disc.ring.shape, 7, np.float32)
    part = within or (0, 2 * radius + 1, 0, 2 * radius + 1)
    kernels.sweep_sight(upper, lower, mast, disc, part, sight)
    kernels.sweep_terrain(lower, mast, disc, part, terrain)
    return disc, sight, terrain


@pytest.mark.parametrize("curvature", [0.0, EARTH])
@pytest.mark.parametrize(("row", "col", "height_m"), [(40, 37, 25.0), (0, 0, 10.0), (80, 11, 3.0)])
def test_exact_point_equals_its_slow_twin(row, col, height_m, curvature):
    top, ground = town()
    mast = mast_on(ground, row, col, height_m, curvature)
    space = kernels.point_space(120, mast)
    states = set()
    for r, c in np.random.default_rng(3).integers(0, 81, (150, 2)):
        slow = slow_nu(top, ground, mast, r, c)
        assert kernels.point_sight(top, ground, True, mast, r, c, space) == pytest.approx(slow, abs=1e-5)
        alone = slow_nu(ground, ground, mast, r, c)
        assert kernels.point_sight(ground, ground, False, mast, r, c, space) == pytest.approx(alone, abs=1e-5)
        states.add((slow[0] > 0, slow[1] > 0))
    assert len(states) >= 2, "the targets shall not all be alike"


def test_visibility_of_a_whole_grid():
    top, _ = town(41)
    mast = mast_on(top, 12, 30, 15.0)
    seen = np.empty(top.shape, np.bool_)
    kernels.exact_visible(top, mast, seen)
    slow = [[slow_nu(top, top, mast, r, c)[0] <= 0 for c in range(0, 41, 4)] for r in range(0, 41, 4)]
    np.testing.assert_array_equal(seen[::4, ::4], slow)
    assert 0.1 < seen.mean() < 0.9


def test_sweeps_are_close_to_exact_points():
    top, ground = town(161)
    mast = mast_on(ground, 80, 83)
    disc, sight, terrain = swept(top, ground, mast, 70)
    space = kernels.point_space(120, mast)
    rows, cols = np.nonzero(disc.ring >= 0)
    exact = np.array([kernels.point_sight(top, ground, True, mast, r + 10, c + 13, space)
                      for r, c in zip(rows, cols, strict=True)])
    seen = exact[:, 0] <= 0
    assert 0.05 < seen.mean() < 0.95
    assert f1(sight[rows, cols] <= 0, seen) >= 0.985
    for nu, truth, p90 in ((sight, exact[:, 0], 2.0), (terrain, exact[:, 1], 0.5)):
        error = np.abs(radio.knife_edge_loss_db(nu[rows, cols] * SCALE) - radio.knife_edge_loss_db(truth * SCALE))
        assert np.median(error) <= 0.1
        assert np.quantile(error, 0.9) <= p90


def test_terrain_of_hills():
    """Bullington on ground without buildings: 9 of 10 pixels within 0.2 dB of the exact profile, blocked ones too."""
    ground = (gaussian_filter(np.random.default_rng(11).normal(size=(201, 201)), 14) * 1200).astype(np.float32)
    mast = mast_on(ground, 100, 100, 20.0)
    disc, _, terrain = swept(ground, ground, mast, 100)
    rows, cols = np.nonzero(disc.ring >= 0)
    chosen = np.random.default_rng(5).choice(rows.size, 4000, replace=False)
    space = kernels.point_space(120, mast)
    truth = np.array([kernels.point_sight(ground, ground, False, mast, r, c, space)[1]
                      for r, c in zip(rows[chosen], cols[chosen], strict=True)])
    blocked = truth > 0
    assert 0.2 < blocked.mean() < 0.8
    got, right = (radio.knife_edge_loss_db(nu * SCALE) for nu in (terrain[rows[chosen], cols[chosen]], truth))
    error = np.abs(got - right + 10.0 * (np.exp(-right / 6) - np.exp(-got / 6)))
    assert np.quantile(error, 0.9) <= 0.2
    assert np.quantile(error[blocked], 0.9) <= 0.3


@pytest.mark.parametrize("radius", [1, 2, 3, 9, 40])
def test_flat_ground_is_clear(radius):
    ground = np.full((90, 90), 412.5, np.float32)
    disc, sight, terrain = swept(ground, ground, mast_on(ground, 40, 50, 20.0), radius)
    inside = disc.ring >= 0
    for nu in (sight, terrain):
        assert (nu[inside] < 0).all()
        assert (nu[inside & (disc.distance[disc.ring] < 1.5)] == kernels.CLEAR_NU).all()
        assert (nu[~inside] == 7).all()


def test_the_earth_hides_what_lies_beyond_the_horizon():
    """Two heights see each other up to sqrt(h1 / c) + sqrt(h2 / c), c = 1 / (2 a_e)."""
    ground, curvature = np.zeros((181, 181), np.float32), 2e-5
    mast = mast_on(ground, 90, 90, 4.0, curvature)
    horizon_px = (4.0 / curvature) ** 0.5 / 10.0 + (1.5 / curvature) ** 0.5 / 10.0
    disc, sight, terrain = swept(ground, ground, mast, 90)
    away = np.where(disc.ring >= 0, disc.distance[disc.ring], 0.0)
    assert 60 < horizon_px < 85
    for nu in (sight, terrain):
        assert (nu[(away >= 1) & (away < horizon_px - 1)] <= 0).all()
        assert (nu[away > horizon_px + 1] > 0).all()


def test_a_wall_in_closed_form():
    """A wall one pixel wide across the line: one knife edge, and Bullington's edge is the same."""
    ground = np.zeros((101, 101), np.float32)
    ground[:, 60] = 30.0
    mast = kernels.Mast(50, 40, 12.0, 1.5, 10.0, 0.0)
    _, sight, terrain = swept(ground, ground, mast, 45)
    e = np.arange(22, 46)
    line = 12.0 - 10.5 * 20 / e
    right = (30.0 - line) * np.sqrt(2 * e / (0.2998 * 10 * 20 * (e - 20)))
    np.testing.assert_allclose(sight[45, 45 + e], right, rtol=2e-3)
    np.testing.assert_allclose(terrain[45, 45 + e], right, rtol=2e-3)


@st.composite
def parts(draw: st.DrawFn) -> tuple[int, int, int, int]:
    rows, cols = (sorted(draw(st.tuples(st.integers(0, 61), st.integers(0, 61)))) for _ in range(2))
    return (*rows, *cols)


@settings(max_examples=25)
@given(within=parts())
def test_a_part_of_the_window_is_the_same_as_in_the_whole(within):
    top, ground = town()
    mast = mast_on(ground, 33, 47)
    disc, *whole = swept(top, ground, mast, 30)
    _, *part = swept(top, ground, mast, 30, within)
    asked = np.zeros(disc.ring.shape, np.bool_)
    asked[within[0]:within[1], within[2]:within[3]] = True
    for one, other in zip(part, whole, strict=True):
        np.testing.assert_array_equal(one, np.where(asked, other, 7))


@pytest.mark.parametrize(("row", "col"), [(0, 0), (0, 40), (80, 80), (41, 80)])
def test_mast_at_the_edge_of_the_grid(row, col):
    """What lies on the grid is as good as in its middle: the edge repeats itself outside."""
    top, ground = town()
    mast = mast_on(ground, row, col)
    disc, sight, _ = swept(top, ground, mast, 40)
    rows, cols = np.nonzero(disc.ring >= 0)
    y, x = rows - 40 + row, cols - 40 + col
    on_grid = (y >= 0) & (y < 81) & (x >= 0) & (x < 81)
    space = kernels.point_space(60, mast)
    truth = np.array([kernels.point_sight(top, ground, True, mast, r, c, space)[0]
                      for r, c in zip(y[on_grid], x[on_grid], strict=True)])
    assert f1(sight[rows, cols][on_grid] <= 0, truth <= 0) >= 0.98


def test_window_repeats_the_edge():
    surface = np.arange(20, dtype=np.float32).reshape(4, 5)
    for row, col, reach in ((0, 0, 2), (3, 4, 6), (1, 2, 1)):
        out = np.empty((2 * reach + 1,) * 2, np.float32)
        kernels.copy_window(surface, row, col, reach, out)
        padded = np.pad(surface, reach, mode="edge")
        np.testing.assert_array_equal(out, padded[row:row + 2 * reach + 1, col:col + 2 * reach + 1])


@pytest.mark.parametrize("radius", [1, 2, 5, 60])
def test_tables_of_a_disc(radius):
    disc = kernels.build_disc(radius)
    n = 2 * radius + 1
    inside = disc.ring >= 0
    rows, cols = np.divmod(disc.pixel, n)
    assert inside[rows, cols].all()
    assert np.unique(disc.pixel).size == disc.pixel.size == inside.sum()
    np.testing.assert_array_equal(disc.place, (rows + 1) * (n + 2) + cols + 1)
    np.testing.assert_allclose(disc.away, disc.distance[disc.ring[rows, cols]], rtol=1e-6)
    assert (disc.azimuth[0, radius], disc.azimuth[radius, n - 1]) == (0.0, 90.0)
    np.testing.assert_array_equal(np.sort(disc.by_ray), np.arange(disc.pixel.size))
    assert (np.diff(disc.ray_start) >= 0).all()
    samples = np.maximum(np.floor((disc.away - 0.5) * 2.0) - 1, 0)
    for band in disc.shell:
        for m in range(band.size - 1):
            assert (samples[band[m]:band[m + 1]] == m).all()


def test_memory_of_a_disc():
    assert sum(table.nbytes for table in kernels.build_disc(300)[1:]) <= 15e6


def test_loss_of_free_space_and_edge():
    disc = kernels.build_disc(50)
    nu = np.linspace(-3, 40, disc.ring.size, dtype=np.float32).reshape(disc.ring.shape)
    free = radio.free_space_loss_db(disc.distance * 10.0, 3.5)
    out = np.full(nu.shape, np.nan, np.float32)
    free_edge_loss(disc, nu, free, SCALE, out)
    inside = disc.ring >= 0
    right = free[disc.ring] + radio.knife_edge_loss_db(nu.astype(float) * SCALE)
    np.testing.assert_allclose(out[inside], right[inside], atol=1e-4)
    assert np.isnan(out[~inside]).all()


@pytest.mark.shared
@pytest.mark.parametrize("name", ["hills_5m", "chengdu_buildings_5m"])
def test_published_clearances(shared, name):
    import rasterio

    with rasterio.open(shared(f"checks/los/{name}.tif")) as source:
        surface = source.read(1)
    truth = np.load(shared(f"checks/los/{name}_dev.npz"))
    row, col, pixel = int(truth["obs_row"]), int(truth["obs_col"]), float(truth["pixel_m"])
    observer, target = float(truth["obs_above_surface_m"]), float(truth["target_above_surface_m"])
    mast = kernels.Mast(row, col, float(surface[row, col]) + observer, target, pixel, 0.0)
    visible = truth["clearance_m"] >= 0
    seen = np.empty(surface.shape, np.bool_)
    kernels.exact_visible(surface, mast, seen)
    assert f1(seen, visible) >= 0.9999
    disc, sight, _ = swept(surface, surface, mast, 299)
    inside = disc.ring >= 0
    part = visible[row - 299:row + 300, col - 299:col + 300]
    assert f1(sight[inside] <= 0, part[inside]) >= 0.985


@pytest.mark.shared
@pytest.mark.parametrize("path", [1, 2])
def test_bullington_loss_of_published_profiles(shared, path):
    """A profile of the ITU's cases as a ridge across a grid: nu gives the loss of the formula for the profile."""
    profile = pd.read_csv(shared(f"checks/bullington/path{path}.csv"))
    km, heights = profile.to_numpy(float)[:-1].T  # all but the odd last step
    pixel_m = float(km[1] * 1000)
    np.testing.assert_allclose(np.diff(km) * 1000, pixel_m, rtol=1e-6)
    ground = np.repeat(heights[None, :].astype(np.float32), 3, axis=0)
    cases = pd.read_csv(shared("checks/bullington/cases.csv"))
    for case in cases[cases["path"] == path].itertuples():
        mast = kernels.Mast(1, 0, heights[0] + case.tx_agl_m, case.rx_agl_m, pixel_m, 1 / (2 * 8.5e6))
        space = kernels.point_space(km.size, mast)
        _, nu = kernels.point_sight(ground, ground, False, mast, 1, km.size - 1, space)
        freq = case.freq_mhz / 1000
        knife = float(radio.knife_edge_loss_db(nu * freq**0.5))
        loss = knife + (1 - np.exp(-knife / 6)) * (10 + 0.02 * km[-1])
        right = radio.bullington_loss_db(km, heights, mast.top_amsl_m, heights[-1] + case.rx_agl_m, freq)
        assert loss == pytest.approx(right, abs=0.1)
        assert loss > 10


def small_case() -> np.ndarray:
    """All that the kernels of this file say about a tiny town, for the run without a compiler."""
    top, ground = town(31)
    mast = mast_on(ground, 14, 17, 12.0)
    disc, sight, terrain = swept(top, ground, mast, 8)
    _, part, _ = swept(top, ground, mast, 8, (3, 9, 5, 17))
    loss = np.zeros_like(sight)
    free_edge_loss(disc, sight, radio.free_space_loss_db(disc.distance * 10.0, 3.5), SCALE, loss)
    space = kernels.point_space(30, mast)
    points = np.array([kernels.point_sight(top, ground, True, mast, r, 30, space) for r in range(31)], np.float32)
    return np.concatenate([sight.ravel(), terrain.ravel(), part.ravel(), loss.ravel(), points.ravel()])


def test_compiled_equals_plain_python():
    """JIT off equals JIT on, to the last digits of float32."""
    plain, compiled = run_jit_off("test_obstruction", "small_case", np.float32), small_case()
    assert np.unique(compiled).size > 300
    np.testing.assert_allclose(compiled, plain, rtol=2e-5, atol=2e-5)
