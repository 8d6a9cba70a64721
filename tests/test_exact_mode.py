"""Exact mode of the obstruction kernels: against a plain loop over every sample, and the kernel of single targets."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan import radio
from siteplan._kernels._disc import build_disc, copy_window
from siteplan._kernels._exact import point_sight, point_space
from siteplan._kernels._nouns import CLEAR_NU, Mast
from siteplan._kernels._profiles import LEAST_NU, _rays_of_wedge, exact_sight, exact_terrain

PIXEL_M, CURVATURE, RECEIVER_M = 10.0, 5.88e-8, 1.5
EVERYWHERE = (-10_000, 10_000, -10_000, 10_000)


def rough(seed: int, size: int, blocks: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Surface with hills, noise and blocks of 6-60 m, and its bare ground."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size]
    ground = 30.0 + 40.0 * np.sin(x / rng.uniform(5, 30)) * np.cos(y / rng.uniform(5, 30)) + rng.normal(0, 0.3, x.shape)
    top = ground.copy()
    for _ in range(int(blocks * size * size / 12)):
        r, c = rng.integers(0, size, 2)
        h, w = rng.integers(1, 7, 2)
        top[r:r + h, c:c + w] = ground[r:r + h, c:c + w] + rng.uniform(6, 60)
    return top.astype(np.float32), ground.astype(np.float32)


def windows(seed: int, radius: int, where: tuple[float, float],
            antenna_m: float) -> tuple[np.ndarray, np.ndarray, Mast]:
    """Windows around a mast at a share of the way through a grid, so near its edge, too."""
    size = 2 * radius + 9
    grids = rough(seed, size)
    row, col = (int(share * (size - 1)) for share in where)
    cut = [np.empty((2 * radius + 3,) * 2, np.float32) for _ in grids]
    for grid, window in zip(grids, cut, strict=True):
        copy_window(grid, row, col, radius + 1, window)
    mast = Mast(row, col, float(cut[1][radius + 1, radius + 1]) + antenna_m, RECEIVER_M, PIXEL_M, CURVATURE)
    return cut[0], cut[1], mast


def profile(window: np.ndarray, row: int, col: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Distances (pixels) and bilinear heights of the samples before a pixel, and the pixel's distance."""
    centre = window.shape[0] // 2
    dy, dx = row - centre, col - centre
    e = math.hypot(dy, dx)
    d = 1.0 + 0.5 * np.arange(max(int(math.floor((e - 0.5) * 2.0)) - 1, 0))
    y, x = centre + d * (dy / max(e, 1.0)), centre + d * (dx / max(e, 1.0))
    i, j = y.astype(int), x.astype(int)
    fy, fx = y - i, x - j
    w = window.astype(np.float64)
    above = (1 - fx) * w[i, j] + fx * w[i, j + 1]
    below = (1 - fx) * w[i + 1, j] + fx * w[i + 1, j + 1]
    return d, (1 - fy) * above + fy * below, e


def slow_sight(top: np.ndarray, ground: np.ndarray, mast: Mast, row: int, col: int) -> float:
    """Greatest knife-edge parameter at 1 GHz over all samples, by its definition in metres."""
    d, height, e = profile(top, row, col)
    if d.size == 0:
        return CLEAR_NU
    d_m, e_m = d * PIXEL_M, e * PIXEL_M
    receiver = float(ground[row, col]) + mast.receiver_m - mast.curvature * e_m**2
    line = mast.top_amsl_m + (receiver - mast.top_amsl_m) * d_m / e_m
    over = height - mast.curvature * d_m**2 - line
    return float(np.max(over * np.sqrt(2.0 / 0.2998 * e_m / (d_m * (e_m - d_m)))))


def slow_terrain(ground: np.ndarray, mast: Mast, row: int, col: int) -> float:
    """Bullington's equivalent edge of the same profile, by the formula in :mod:`siteplan.radio`."""
    d, height, e = profile(ground, row, col)
    if d.size == 0:
        return CLEAR_NU
    receiver = float(ground[row, col]) + mast.receiver_m
    distances = np.concatenate([[0.0], d, [e]]) * (PIXEL_M / 1000.0)
    heights = np.concatenate([[0.0], height, [0.0]])
    return radio.bullington_nu(distances, heights, mast.top_amsl_m, receiver, 1.0 / (2.0 * CURVATURE) / 1000.0)


def run(kernel: Callable[..., None], mast: Mast, radius: int, *surfaces: np.ndarray,
        within: tuple[int, int, int, int] = EVERYWHERE) -> np.ndarray:
    nu = np.full((2 * radius + 1,) * 2, np.nan, np.float32)
    kernel(*surfaces, mast, build_disc(radius), within, nu)
    return nu


def agree(nu: np.ndarray, slow: Callable[[int, int], float], pixels: np.ndarray) -> None:
    """Same sight, and the same nu where it can cost anything; nothing costs where either is below the limit."""
    for row, col in pixels:
        expected, found = slow(row + 1, col + 1), float(nu[row, col])
        assert (found > 0.0) == (expected > 0.0)
        if expected > LEAST_NU + 1e-6:
            assert found == pytest.approx(expected, abs=1e-4, rel=1e-5)
        elif expected < LEAST_NU - 1e-6:
            assert found == CLEAR_NU


def some_pixels(radius: int, count: int = 250) -> np.ndarray:
    disc = build_disc(radius)
    pixels = np.argwhere(disc.ring >= 0)
    keep = np.random.default_rng(radius).permutation(len(pixels))[:count]
    return pixels[keep]


SITES = given(seed=st.integers(0, 10_000), radius=st.sampled_from([1, 2, 5, 40]),
              antenna_m=st.sampled_from([3.0, 30.0, 120.0]), where=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)))


@SITES
def test_sight_is_that_of_every_sample(seed: int, radius: int, antenna_m: float, where: tuple[float, float]) -> None:
    top, ground, mast = windows(seed, radius, where, antenna_m)
    nu = run(exact_sight, mast, radius, top, ground)
    agree(nu, lambda r, c: slow_sight(top, ground, mast, r, c), some_pixels(radius))


@SITES
def test_terrain_is_bullingtons_edge(seed: int, radius: int, antenna_m: float, where: tuple[float, float]) -> None:
    _, ground, mast = windows(seed, radius, where, antenna_m)
    nu = run(exact_terrain, mast, radius, ground)
    agree(nu, lambda r, c: slow_terrain(ground, mast, r, c), some_pixels(radius))


@pytest.mark.parametrize("kind", ["noise", "steps", "needles", "level"])
def test_hard_surfaces(kind: str) -> None:
    """Surfaces on which interpolation between two rays is at its worst, or every sample is as high as the next."""
    radius, rng = 40, np.random.default_rng(5)
    size = 2 * radius + 3
    top = {"noise": rng.uniform(0, 60, (size, size)),
           "steps": 50.0 * (np.indices((size, size)).sum(axis=0) // 3 % 2),
           "needles": np.where(rng.uniform(size=(size, size)) < 0.03, 80.0, 0.0),
           "level": np.zeros((size, size))}[kind].astype(np.float32)
    mast = Mast(0, 0, float(top[radius + 1, radius + 1]) + 20.0, RECEIVER_M, PIXEL_M, CURVATURE)
    nu = run(exact_sight, mast, radius, top, top)
    agree(nu, lambda r, c: slow_sight(top, top, mast, r, c), some_pixels(radius, 2000))


def test_same_as_the_kernel_of_single_targets() -> None:
    radius = 150
    top, ground, mast = windows(11, radius, (0.5, 0.4), 25.0)
    sight, terrain = run(exact_sight, mast, radius, top, ground), run(exact_terrain, mast, radius, ground)
    centre = mast._replace(row=radius + 1, col=radius + 1)
    space = point_space(radius * 1.5, centre)
    pixels = some_pixels(radius, 4000)
    truth = np.array([point_sight(top, ground, True, centre, row + 1, col + 1, space) for row, col in pixels])
    for found, expected in zip((sight, terrain), truth.T, strict=True):
        found = found[tuple(pixels.T)]
        costs = expected > LEAST_NU
        np.testing.assert_array_equal(found > 0.0, expected > 0.0)
        np.testing.assert_allclose(found[costs], expected[costs], rtol=1e-6, atol=1e-6)
        assert (found[~costs] == CLEAR_NU).all()
        assert costs.mean() > 0.05


@given(seed=st.integers(0, 10_000), edges=st.tuples(*[st.integers(-3, 45)] * 4), terrain=st.booleans())
def test_a_part_is_the_same_as_in_the_whole(seed: int, edges: tuple[int, int, int, int], terrain: bool) -> None:
    radius = 20
    top, ground, mast = windows(seed, radius, (0.3, 0.6), 20.0)
    kernel, surfaces = (exact_terrain, (ground,)) if terrain else (exact_sight, (top, ground))
    whole = run(kernel, mast, radius, *surfaces)
    part = run(kernel, mast, radius, *surfaces, within=edges)
    rows, cols = np.indices(whole.shape)
    asked = (rows >= edges[0]) & (rows < edges[1]) & (cols >= edges[2]) & (cols < edges[3])
    np.testing.assert_array_equal(part[asked], whole[asked])
    assert np.isnan(part[~asked]).all()


@pytest.mark.parametrize("radius", [1, 2, 3, 25, 26, 40, 77, 300])
def test_wedges_are_narrow_and_never_cross_an_axis(radius: int) -> None:
    """What the bounds rest on: less than a pixel wide at the rim, and a multiple of 4 of them from the north on."""
    disc = build_disc(radius)
    rays = disc.ray_start.size - 1
    group, most = _rays_of_wedge(disc)
    assert rays // group % 4 == 0
    assert 2.0 * math.pi * radius * group / rays < 1.0
    assert most == np.diff(disc.ray_start[::group]).max()


def test_nothing_outside_of_the_disc() -> None:
    radius = 10
    top, ground, mast = windows(2, radius, (0.5, 0.5), 20.0)
    nu = run(exact_sight, mast, radius, top, ground)
    np.testing.assert_array_equal(np.isnan(nu), build_disc(radius).ring < 0)


def test_higher_mast_lowers_the_edges_of_hidden_pixels() -> None:
    """A higher antenna raises every sight line, so no parameter can rise."""
    radius = 40
    top, ground, mast = windows(3, radius, (0.5, 0.5), 10.0)
    low = run(exact_sight, mast, radius, top, ground)
    high = run(exact_sight, mast._replace(top_amsl_m=mast.top_amsl_m + 15.0), radius, top, ground)
    inside = build_disc(radius).ring >= 0
    assert (high[inside] <= low[inside]).all()
    assert (high[inside] < low[inside]).any()


def test_without_compiler(tmp_path: Path) -> None:
    """The same answers when the kernels run as plain Python."""
    radius = 6
    top, ground, mast = windows(4, radius, (0.5, 0.5), 10.0)
    np.savez(tmp_path / "in.npz", top=top, ground=ground, mast=np.array(mast))
    script = (
        "import sys, numpy as np\n"
        "from siteplan._kernels._disc import build_disc\n"
        "from siteplan._kernels._profiles import exact_sight, exact_terrain\n"
        "from siteplan._kernels._nouns import Mast\n"
        "f = np.load(sys.argv[1])\n"
        "m = f['mast']\n"
        "mast = Mast(int(m[0]), int(m[1]), *(float(v) for v in m[2:]))\n"
        f"a, b = np.zeros((2, {2 * radius + 1}, {2 * radius + 1}), np.float32)\n"
        f"exact_sight(f['top'], f['ground'], mast, build_disc({radius}), (0, 99, 0, 99), a)\n"
        f"exact_terrain(f['ground'], mast, build_disc({radius}), (0, 99, 0, 99), b)\n"
        "np.save(sys.argv[2], np.stack([a, b]))\n"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-W", "error", "-c", script, str(tmp_path / "in.npz"), str(tmp_path / "out.npy")],
                   check=True, env=environment)
    plain = np.load(tmp_path / "out.npy")
    inside = build_disc(radius).ring >= 0
    np.testing.assert_allclose(plain[0][inside], run(exact_sight, mast, radius, top, ground)[inside], atol=1e-5)
    np.testing.assert_allclose(plain[1][inside], run(exact_terrain, mast, radius, ground)[inside], atol=1e-5)
