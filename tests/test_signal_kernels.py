"""Signal kernels: keys, sums, pattern and angle against plain twins; any order gives the same bits; JIT on and off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jit_off import run_jit_off

from siteplan import _kernels as kernels
from siteplan import radio

WINDOWS = hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9)),
                     elements=st.sampled_from([-np.float32(x) for x in (60.5, 88.125, 88.126, 105.0, 131.25)]))


def ranked(rsrp: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, ...]:
    """Keys and power of ready windows, added in an order."""
    shape = rsrp.shape[1:]
    best, second = (np.full(shape, kernels.NO_SERVER, np.int64) for _ in range(2))
    power, load = np.zeros(shape, np.int64), np.linspace(0.1, 1.0, len(rsrp)).astype(np.float32)
    kernels.fuse_windows(rsrp[order], order.astype(np.int64), load[order], best, second, power)
    return best, second, power


@given(WINDOWS, st.randoms(use_true_random=False))
def test_best_and_second_server_equal_sorting_in_any_order(rsrp, random):
    order = np.arange(len(rsrp))
    random.shuffle(order)
    best, second, power = ranked(rsrp, order)
    steps = np.floor(rsrp * 1024 + 0.5)
    place = np.lexsort((np.broadcast_to(np.arange(len(rsrp))[:, None, None], rsrp.shape), -steps), axis=0)
    for keys, rank in ((best, 0), (second, 1)):
        signal, server = np.empty(best.size, np.float32), np.empty(best.size, np.int32)
        kernels.decode_keys(keys.ravel(), signal, server)
        if len(rsrp) <= rank:
            assert (server == -1).all()
            assert np.isnan(signal).all()
            continue
        np.testing.assert_array_equal(server.reshape(best.shape), place[rank])
        want = np.take_along_axis(steps, place[rank:rank + 1], axis=0)[0] / 1024
        np.testing.assert_array_equal(signal.reshape(best.shape), want)
        none = np.full(best.shape, np.nan, np.float32), np.full(best.shape, -1, np.int32)
        one = signal.reshape(best.shape), server.reshape(best.shape)
        out = [np.empty_like(part) for part in (*one, *one)]
        kernels.merge_servers((*one, *none), (*none, *none), 0, tuple(out))
        np.testing.assert_array_equal(out[0], one[0])
        np.testing.assert_array_equal(out[1], one[1])
        assert (out[3] == -1).all()
    np.testing.assert_array_equal(power, ranked(rsrp, np.arange(len(rsrp)))[2])


def test_sums_of_power_and_sinr_equal_float64():
    rng = np.random.default_rng(5)
    rsrp = rng.uniform(-140, -50, (12, 30, 40)).astype(np.float32)
    best, _, power = ranked(rsrp, rng.permutation(12))
    load = np.linspace(0.1, 1.0, 12).astype(np.float32)
    steps = np.floor(rsrp.astype(float) * 1024 + 0.5) / 1024
    mw = 10.0 ** (steps / 10)
    np.testing.assert_allclose(power / 2.0**60, (load[:, None, None] * mw).sum(axis=0), rtol=5e-5)
    signal, server = np.empty(best.size, np.float32), np.empty(best.size, np.int32)
    kernels.decode_keys(best.ravel(), signal, server)
    out, noise = np.empty(best.size, np.float32), 6e-13
    air = np.zeros(12, np.int64), load, np.ones((1, 1)), np.array([noise])
    kernels.fill_sinr(signal, server, power.reshape(1, -1), air, out)
    own = server.reshape(best.shape)
    best_mw = np.take_along_axis(mw, own[None], axis=0)[0]
    others = (load[:, None, None] * mw).sum(axis=0) - load[own] * best_mw
    np.testing.assert_allclose(out.reshape(best.shape), 10 * np.log10(best_mw / (others + noise)), atol=0.01)


def test_power_is_exact_enough_over_the_whole_range():
    steps = np.arange(-170 * 1024, 1, 37, dtype=np.int32)
    got = np.array([float(kernels.power_units(step)) for step in steps]) / 2.0**60
    np.testing.assert_allclose(got, 10.0 ** (steps / 10240.0), rtol=3e-5)
    assert kernels.power_units(np.int32(40 * 1024)) == kernels.power_units(np.int32(0))  # nothing louder than 0 dBm


def test_knife_edge_twin():
    nu = np.linspace(-3, 30, 500)
    np.testing.assert_allclose([kernels.knife_edge_db(value) for value in nu], radio.knife_edge_loss_db(nu), atol=1e-12)
    assert np.isnan([kernels.knife_edge_db(np.nan), kernels.knife_edge_db.py_func(np.nan)]).all()


def losses_of(d: np.ndarray, weight: float = 0.0) -> kernels.Losses:
    path = np.stack([radio.path_loss_db("uma", d, 3.5, 25.0, 1.5, los) for los in (True, False)], axis=1)
    free = radio.free_space_loss_db(d, 3.5)
    return kernels.Losses(path.astype(np.float32), np.full(path.shape, 0.125, np.float32),
                          np.full(path.shape, -9.0, np.float32), free.astype(np.float32),
                          (10 + 0.02 * d / 1000).astype(np.float32), 3.5**0.5, weight, 20.0)


def sectors_of(count: int, mechanical: float = 0.0, antenna: tuple[float, float] = (65.0, 12.0)) -> kernels.Sectors:
    angle, below = np.arange(362.0), np.arange(722) / 4.0 - 90.0
    flat = np.zeros(count, np.float32)
    horizontal = radio.pattern_loss_db(angle, 0.0, (antenna[0], np.inf), 30.0)
    vertical = radio.pattern_loss_db(0.0, below, (np.inf, antenna[1]), 18.0)
    return kernels.Sectors(
        (np.arange(count) * 360.0 / count).astype(np.float32), flat + np.float32(6), flat + np.float32(mechanical),
        flat + np.float32(34), flat + np.float32(30), np.tile(horizontal.astype(np.float32), (count, 1)),
        np.tile(vertical.astype(np.float32), (count, 1)), flat + np.float32(0.5), np.arange(count), 0, np.array([0]),
        12.7, 4.4)


def one_mast(sectors: kernels.Sectors, weight: float = 0.1, size: int = 41) -> tuple[kernels.Servers, tuple]:
    """Servers of one mast on rough ground, with made-up diffraction and a term of the pixel."""
    rng = np.random.default_rng(11)
    radius, row, col = 15, 18, 22
    ground = rng.uniform(0, 30, (size, size)).astype(np.float32)
    mast = kernels.Mast(row, col, 55.0, 1.5, 10.0, 0.0)
    disc = kernels.build_disc(radius)
    nu = [rng.uniform(-2, 4, disc.ring.shape).astype(np.float32) for _ in range(2)]
    losses = losses_of(disc.distance * 10.0, weight)
    pixels = kernels.Pixels(ground, rng.uniform(-3, 5, ground.shape).astype(np.float32),
                            np.full(ground.shape, 4.0, np.float32))
    servers = kernels.empty_servers(0, 0, ground.shape, 1, 1, True)
    kernels.add_mast(pixels, mast, disc, (nu[0], nu[1]), losses, sectors, kernels.Limits(-105.0, -100.0), servers)
    return servers, (pixels, mast, disc, nu, losses)


@pytest.mark.parametrize(("count", "mechanical"), [(1, 0.0), (3, 0.0), (3, 5.0)])
def test_signal_of_a_mast_equals_its_formula(count, mechanical):
    servers, (pixels, mast, disc, nu, losses) = one_mast(sectors_of(count, mechanical))
    signal, server = np.empty(servers.best.size, np.float32), np.empty(servers.best.size, np.int32)
    kernels.decode_keys(servers.best.ravel(), signal, server)
    rows, cols = np.nonzero(disc.ring >= 0)
    error = []
    for i, j in zip(rows, cols, strict=True):
        y, x = mast.row + i - disc.radius, mast.col + j - disc.radius
        ring, d = disc.ring[i, j], max(disc.distance[disc.ring[i, j]] * 10.0, 1e-3)
        top, ground = float(nu[0][i, j]), float(nu[1][i, j])
        loss = float(losses.path_db[ring, int(top > 0)])
        loss += 0.1 * min(float(radio.knife_edge_loss_db(top * 3.5**0.5)), 20.0)
        edge = float(radio.edge_loss_db(ground * 3.5**0.5, disc.distance[ring] * 10.0 / 1000))
        loss = max(loss, float(losses.free_db[ring]) + edge)
        assert kernels.point_loss(ring, nu[0][i, j], nu[1][i, j], losses) == pytest.approx(loss, abs=3e-3)
        loss += float(pixels.extra_db[y, x])
        down = np.degrees(np.arctan2(mast.top_amsl_m - 1.5 - float(pixels.ground_m[y, x]), d))
        bearing = np.degrees(np.arctan2(j - disc.radius, disc.radius - i))
        options = []
        for s in range(count):
            off = bearing - 360.0 * s / count
            lean = 6.0 + mechanical * np.cos(np.radians(off))
            away = radio.pattern_loss_db(off, 0.0, (65.0, np.inf), 30.0)
            away = away + radio.pattern_loss_db(0.0, down - lean, (np.inf, 12.0), 18.0)
            options.append(34.0 - min(float(away), 30.0) - loss)
        error.append(abs(signal[y * 41 + x] - max(options)))
    assert np.quantile(error, 0.95) < 0.01
    assert max(error) < 0.15  # tables are linear between their angles: a little off where the pattern has a kink
    assert (server >= 0).sum() == rows.size


def test_mechanical_tilt_is_close_to_the_turned_antenna():
    """To 10 degrees of tilt and within the main lobe the cosine rule stays within 0.4 degrees of the exact rotation."""
    azimuth = np.linspace(-60.0, 60.0, 25)
    for tilt in (2.0, 6.0, 10.0):
        for down in (0.0, 5.0, 10.0):
            exact = radio.antenna_angles(azimuth, down, tilt)[1]
            np.testing.assert_allclose(down - tilt * np.cos(np.radians(azimuth)), exact, atol=0.4)


def test_every_network_a_sector_serves_gets_it_and_others_nothing():
    sectors = sectors_of(3)._replace(serves=np.array([0, 2]))
    _, (pixels, mast, disc, nu, losses) = one_mast(sectors_of(3))
    servers = kernels.empty_servers(0, 0, (41, 41), 3, 1, False)
    kernels.add_mast(pixels, mast, disc, (nu[0], nu[1]), losses, sectors, kernels.Limits(-105.0, -105.0), servers)
    np.testing.assert_array_equal(servers.best[0], servers.best[2])
    assert (servers.best[1] == kernels.NO_SERVER).all()
    assert servers.power.sum() > 0  # once per carrier, however many networks


def run_plain() -> np.ndarray:
    """Arrays of one mast and the reach of a few points, as bytes of float64."""
    servers, (pixels, mast, disc, _, losses) = one_mast(sectors_of(3, 4.0))
    starts, cols = np.arange(42), np.full(41, 21)
    z, touched, count = np.full(41, -np.inf, np.float32), np.zeros(41, np.int64), np.zeros(1, np.int64)
    built = np.zeros((41, 41), bool)
    built[5:12, 18:24] = True
    facade = np.zeros((41, 41, 2), np.int8)
    kernels.nearest_open(built, kernels.steps_outwards(4), facade)
    top = pixels.ground_m + 15.0 * built.astype(np.float32)
    kernels.reach_mast((top, pixels.ground_m, True, True, pixels.extra_db, facade), mast, disc, losses, sectors_of(3),
                       (-105.0, -2.3), (starts, cols), (z, touched, count))
    signal, server = np.empty(servers.best.size, np.float32), np.empty(servers.best.size, np.int32)
    kernels.decode_keys(servers.best.ravel(), signal, server)
    return np.concatenate([signal, server, servers.z.ravel(), servers.power.ravel() / 2.0**40, z]).astype(np.float64)


def test_compiled_equals_plain_python():
    """JIT off equals JIT on: to float32's last digits, as NumPy keeps float32 where numba goes on in float64."""
    plain, compiled = run_jit_off("test_signal_kernels", "run_plain", np.float64), run_plain()
    assert np.isfinite(compiled).sum() > 700
    np.testing.assert_allclose(compiled, plain, rtol=1e-3, atol=2e-3)
