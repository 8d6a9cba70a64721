"""Kernels against slow plain twins, the exact profile against its published oracle, JIT on against JIT off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from siteplan import _kernels as kernels
from siteplan import radio

LOS = Path(__file__).parents[2] / "shared" / "checks" / "los"
shared = pytest.mark.skipif(not LOS.is_dir(), reason="../shared/checks/los is absent")


def f1(got: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (got & truth).sum() / (got.sum() + truth.sum()))


def town(size: int = 81) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    ground = (gaussian_filter(rng.normal(size=(size, size)), 8) * 250).astype(np.float32)
    top = ground.copy()
    for _ in range(size):
        r, c = rng.integers(0, size, 2)
        top[r:r + 3, c:c + 4] = ground[r:r + 3, c:c + 4] + np.float32(rng.uniform(5, 30))
    return top, ground


def mast_on(ground: np.ndarray, row: int, col: int, curvature: float = 5.88e-8) -> kernels.Mast:
    return kernels.Mast(row, col, float(ground[row, col]) + 25.0, 1.5, 10.0, curvature)


def slow_profile(surface: np.ndarray, mast: kernels.Mast, row: int, col: int, target_m: float) -> tuple[bool, float]:
    """Samples one by one, the Earth's bulge added to each height: (blocked, nu of the steepest at 1 GHz)."""
    e = np.hypot(row - mast.row, col - mast.col)
    worst, nu = 0.0, -9.0
    steepest = -np.inf
    for d in np.arange(1.0, e - 0.5 + 1e-12, 0.5):
        y, x = mast.row + (row - mast.row) * d / e, mast.col + (col - mast.col) * d / e
        i, j = min(int(y), surface.shape[0] - 2), min(int(x), surface.shape[1] - 2)
        fy, fx = y - i, x - j
        z = ((surface[i, j] * (1 - fx) + surface[i, j + 1] * fx) * (1 - fy)
             + (surface[i + 1, j] * (1 - fx) + surface[i + 1, j + 1] * fx) * fy)
        d1, d2 = d * mast.pixel_m, (e - d) * mast.pixel_m
        over = z + d1 * d2 * mast.curvature - (mast.top_amsl_m + (target_m - mast.top_amsl_m) * d / e)
        slope = over / d1
        if slope > steepest:
            steepest = slope
            if over > 1e-9:
                worst, nu = over, over * np.sqrt(2 * (d1 + d2) / (0.2998 * d1 * d2))
    return worst > 0, nu


def test_exact_profile_equals_its_slow_twin():
    top, ground = town()
    mast = mast_on(ground, 40, 37)
    space = kernels.profile_space(120, mast)
    rng = np.random.default_rng(3)
    for row, col in rng.integers(0, 81, (300, 2)):
        target = float(ground[row, col]) + mast.receiver_m
        hidden, nu = slow_profile(ground, mast, row, col, target)
        blocked, got = kernels.target_sight(top, ground, True, mast, row, col, space)
        assert blocked == (slow_profile(top, mast, row, col, target)[0] or hidden)
        assert got == pytest.approx(nu, abs=1e-3)


def swept(top: np.ndarray, ground: np.ndarray, mast: kernels.Mast, radius: int, two: bool = True):
    disc = kernels.build_disc(radius)
    windows = [np.empty((2 * radius + 3,) * 2, np.float32) for _ in range(2)]
    kernels.copy_window(top, mast.row, mast.col, radius + 1, windows[0])
    kernels.copy_window(ground, mast.row, mast.col, radius + 1, windows[1])
    blocked = np.zeros(disc.ring.shape, np.bool_)
    nu = np.full(disc.ring.shape, kernels.CLEAR_NU, np.float32)
    everywhere = (0, 2 * disc.radius + 1, 0, 2 * disc.radius + 1)
    kernels.sweep(windows[0], windows[1], two, mast, disc, everywhere, blocked, nu)
    return disc, blocked, nu


def test_sweep_is_close_to_the_exact_profile():
    top, ground = town(161)
    mast = mast_on(ground, 80, 83)
    disc, blocked, nu = swept(top, ground, mast, 70)
    space = kernels.profile_space(120, mast)
    rows, cols = np.nonzero(disc.ring >= 0)
    exact = [kernels.target_sight(top, ground, True, mast, r + 10, c + 13, space)
             for r, c in zip(rows, cols, strict=True)]
    hidden = np.array([part[0] for part in exact])
    assert 0.05 < hidden.mean() < 0.95
    assert f1(~blocked[rows, cols], ~hidden) >= 0.985
    exact_db = radio.knife_edge_loss_db([part[1] for part in exact])
    error = np.abs(exact_db - radio.knife_edge_loss_db(nu[rows, cols]))
    assert np.median(error) <= 0.1
    assert np.quantile(error, 0.9) <= 2.0


def test_single_surface_sweep_equals_the_double_one_without_clutter():
    _, ground = town()
    mast = mast_on(ground, 40, 40)
    _, once, nu_once = swept(ground, ground, mast, 35, two=False)
    _, twice, nu_twice = swept(ground, ground, mast, 35, two=True)
    np.testing.assert_array_equal(once, twice)
    np.testing.assert_array_equal(nu_once, nu_twice)
    assert (nu_once[once] >= 0).all()


def test_knife_edge_twin():
    nu = np.linspace(-3, 30, 500)
    got = [kernels.knife_edge_db(value) for value in nu]
    np.testing.assert_allclose(got, radio.knife_edge_loss_db(nu), atol=1e-12)
    assert np.isnan([kernels.knife_edge_db(np.nan), kernels.knife_edge_db.py_func(np.nan)]).all()


def test_disc_tables():
    disc = kernels.build_disc(5)
    assert (disc.ring >= 0).sum() == disc.pixel_row.size == 81
    assert disc.distance[disc.ring[5, 10]] == 5.0
    assert disc.azimuth[0, 5] == 0.0
    assert disc.azimuth[5, 10] == 90.0
    assert disc.azimuth[10, 5] == 180.0
    e = disc.pixel_distance
    last = 1.0 + 0.5 * (disc.pixel_samples - 1)
    assert (last[disc.pixel_samples > 0] <= e[disc.pixel_samples > 0] - 0.5).all()
    assert (last + 0.5 > e - 0.5).all()


@shared
@pytest.mark.shared
@pytest.mark.parametrize("name", ["hills_5m", "chengdu_buildings_5m"])
def test_published_clearances(name):
    import rasterio

    with rasterio.open(LOS / f"{name}.tif") as source:
        surface = source.read(1)
    truth = np.load(LOS / f"{name}_dev.npz")
    row, col, pixel = int(truth["obs_row"]), int(truth["obs_col"]), float(truth["pixel_m"])
    observer, target = float(truth["obs_above_surface_m"]), float(truth["target_above_surface_m"])
    seen = truth["clearance_m"] >= 0
    from siteplan.coverage import visible

    assert f1(visible(surface, pixel, row, col, observer, target), seen) >= 0.9999
    mast = kernels.Mast(row, col, float(surface[row, col]) + observer, target, pixel, 0.0)
    disc, blocked, _ = swept(surface, surface, mast, 299, two=False)
    inside = disc.ring >= 0
    part = seen[row - 299:row + 300, col - 299:col + 300]
    assert f1(~blocked[inside], part[inside]) >= 0.985


def signal_of_a_mast() -> np.ndarray:
    """Best signal and z of three sectors on a small town, and the reach of a few points."""
    top, ground = town(41)
    mast = mast_on(ground, 20, 18)
    disc, blocked, nu = swept(top, ground, mast, 9)
    d = disc.distance * mast.pixel_m
    path = np.stack([radio.path_loss_db("uma", d, 3.5, 25.0, 1.5, los) for los in (True, False)])
    losses = kernels.Losses(path, np.full_like(path, 4.0), radio.free_space_loss_db(d, 3.5),
                            np.zeros(d.size), 3.5**0.5)
    pattern = np.array([[0.0, 120.0, 240.0], *([value] * 3 for value in (6.0, 30.0, 1 / 65, 1 / 12, 30.0, 18.0))])
    sectors = kernels.Sectors(pattern, np.arange(3, dtype=np.int32), np.array([True, False]))
    shape = (2, 41, 41)
    best = kernels.Best(0, 0, np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int32),
                        np.full(shape, -np.inf, np.float32))
    kernels.add_sectors(ground, mast, disc, (blocked, nu), losses, sectors, -105.0, best)
    starts, cols = np.arange(42), np.full(41, 21)
    z, touched, count = np.full(41, -np.inf, np.float32), np.zeros(41, np.int64), np.zeros(1, np.int64)
    kernels.reach_mast((top, ground, True), mast, disc, losses, sectors, (-105.0, -2.3), (starts, cols),
                       (z, touched, count))
    return np.concatenate([best.rsrp.ravel(), best.server.ravel().astype(np.float32), best.z.ravel(), z])


def test_compiled_equals_plain_python():
    """JIT off equals JIT on: to float32's last digits, as NumPy keeps float32 where numba goes on in float64."""
    code = ("import sys; sys.path.insert(0, 'tests'); from test_kernels_reference import signal_of_a_mast as run; "
            "sys.stdout.buffer.write(run().tobytes())")
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True,
                          cwd=Path(__file__).parents[1])
    plain = np.frombuffer(done.stdout, np.float32)
    compiled = signal_of_a_mast()
    assert np.isfinite(compiled).sum() > 700
    np.testing.assert_allclose(compiled, plain, rtol=2e-6, atol=2e-5)
