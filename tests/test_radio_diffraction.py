"""Diffraction over profiles: ITU's cases, closed forms and plain twins."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan import radio
from siteplan.errors import ModelError
from siteplan.radio._diffraction import read_profile
from siteplan.radio._spherical import _clearance, _smooth_heights

CHECKS = Path(__file__).parents[2] / "shared" / "checks"
shared = pytest.mark.skipif(not CHECKS.is_dir(), reason="../shared/checks is absent")
NAN = float("nan")
TWO_RIDGES = [300.0, 310.0, 420.0, 360.0, 430.0, 330.0, 310.0]
HALF_KM = np.arange(7) * 0.5
heights = st.lists(st.floats(0, 200), min_size=3, max_size=30)


def knife(nu: float) -> float:
    """J of P.526, plainly."""
    return 0.0 if nu <= -0.78 else 6.9 + 20 * math.log10(math.sqrt((nu - 0.1) ** 2 + 1) + nu - 0.1)


def plain_bullington(d, h, tx, rx, freq, radius):
    """Slow twin: one point after another, as the text of P.526 has it."""
    total, wave = d[-1] - d[0], 0.2998 / freq
    points = [(x - d[0], top + 500 * (x - d[0]) * (d[-1] - x) / radius)
              for x, top in zip(d[1:-1], h[1:-1], strict=True)]
    steepest = max((top - tx) / x for x, top in points)
    if steepest <= (rx - tx) / total:
        nu = max((top - (tx * (total - x) + rx * x) / total) * math.sqrt(0.002 * total / (wave * x * (total - x)))
                 for x, top in points)
    else:
        back = max((top - rx) / (total - x) for x, top in points)
        at = (rx - tx + back * total) / (steepest + back)
        over = tx + steepest * at - (tx * (total - at) + rx * at) / total
        nu = over * math.sqrt(0.002 * total / (wave * at * (total - at)))
    loss = knife(nu)
    return loss + (1 - math.exp(-loss / 6)) * (10 + 0.02 * total)


def plain_deygout(d, h, tx, rx, freq, radius):
    """Slow twin of the cascade; heights above the chord of each stretch, with the stretch's own bulge."""
    wave = 0.2998 / freq

    def best(first, last, left, right):
        found = (-math.inf, 0)
        for i in range(first + 1, last):
            d_1, d_2 = d[i] - d[first], d[last] - d[i]
            over = h[i] + 500 * d_1 * d_2 / radius - (left * d_2 + right * d_1) / (d_1 + d_2)
            found = max(found, (over * math.sqrt(0.002 * (d_1 + d_2) / (wave * d_1 * d_2)), -i))
        return found[0], -found[1]

    last = len(d) - 1
    nu, at = best(0, last, tx, rx)
    main = knife(nu)
    if main == 0.0:
        return 0.0
    sides = knife(best(0, at, tx, h[at])[0]) + knife(best(at, last, h[at], rx)[0])
    return main + (1 - math.exp(-main / 6)) * (sides + 10 + 0.04 * (d[-1] - d[0]))


def test_knife_edge():
    nu = [-5.0, -0.78, -0.5, 0.0, 0.5, 1.0, 2.0, 2.4, 3.0, 5.0]
    want = [0.0, 0.0, 1.959, 6.033, 10.288, 13.926, 19.043, 20.539, 22.416, 26.814]
    np.testing.assert_allclose(radio.knife_edge_loss_db(nu), want, atol=6e-4)


def test_knife_edge_inverse():
    nu = np.linspace(-0.7, 40, 200)
    np.testing.assert_allclose(radio.knife_edge_nu(radio.knife_edge_loss_db(nu)), nu, atol=1e-9)
    assert radio.knife_edge_nu([0.0, -5.0]).tolist() == [-0.78, -0.78]
    np.testing.assert_array_equal(np.isnan(radio.knife_edge_loss_db([NAN, -5.0, 1.0])), [True, False, False])
    assert np.isnan(radio.knife_edge_nu(NAN))


@pytest.mark.parametrize(("over", "d_1", "d_2", "freq", "nu", "loss"), [
    (10, 0.5, 0.5, 3.5, 3.0551, 22.571), (10, 0.5, 0.5, 0.7, 1.3663, 16.087), (-5, 0.5, 1.5, 2.6, -1.0750, 0.0),
    (30, 2, 3, 0.7, 1.8708, 18.506), (5, 0.1, 0.9, 3.5, 2.5459, 21.031)])
def test_nu_of_single_edges(over, d_1, d_2, freq, nu, loss):
    got = radio.edge_nu(over, d_1, d_2) * math.sqrt(freq)
    assert got == pytest.approx(nu, rel=5e-4)  # the published ones take c = 3e8
    assert radio.knife_edge_loss_db(got) == pytest.approx(loss, abs=0.004)


@shared
@pytest.mark.shared
def test_knife_edge_table():
    table = pd.read_csv(CHECKS / "knife_edge_J.csv")
    loss = radio.knife_edge_loss_db(table["nu"])
    np.testing.assert_allclose(loss, table["J_itu_approx_db"], atol=1e-3)
    lit = table["nu"] > -0.7
    np.testing.assert_allclose(loss[lit], table["J_exact_fresnel_db"][lit], atol=0.13)


@pytest.mark.parametrize(("freq", "bullington", "deygout"), [(0.7, 44.4825, 66.20), (2.6, 50.2249, 77.71),
                                                             (3.5, 51.5224, 80.31)])
def test_two_ridges(freq, bullington, deygout):
    assert radio.bullington_loss_db(HALF_KM, TWO_RIDGES, 335.0, 311.5, freq) == pytest.approx(bullington, abs=1e-3)
    assert radio.deygout_loss_db(HALF_KM, TWO_RIDGES, 335.0, 311.5, freq) == pytest.approx(deygout, abs=0.006)


def test_a_slope_in_sight_loses_nothing():
    slope = [300.0, 301.0, 302.0, 303.0, 304.0, 305.0, 310.0]
    for function in (radio.bullington_loss_db, radio.deygout_loss_db):
        assert function(HALF_KM, slope, 335.0, 311.5, 3.5) == 0.0


@shared
@pytest.mark.shared
def test_cases_of_the_itu():
    profiles = {n: pd.read_csv(CHECKS / "bullington" / f"path{n}.csv").to_numpy() for n in (1, 2)}
    cases = pd.read_csv(CHECKS / "bullington" / "cases.csv")
    assert len(cases) == 10
    for case in cases.itertuples():
        d, h = profiles[case.path].T
        freq, ends = case.freq_mhz / 1000, (h[0] + case.tx_agl_m, h[-1] + case.rx_agl_m)
        first, last = _smooth_heights(read_profile(d, h, ends, 8500.0))
        above = ends[0] - first, ends[1] - last
        assert above == pytest.approx((case.expected_hts_prime_m, case.expected_hrs_prime_m), abs=1e-3)
        got = radio.bullington_loss_db(d, h, *ends, freq)
        assert got == pytest.approx(case.expected_L_bullington_actual_db, abs=0.1)
        smooth = radio.bullington_loss_db(d, np.zeros_like(h), *above, freq)
        assert smooth == pytest.approx(case.expected_L_bullington_smooth_db, abs=0.1)
        level = radio.spherical_earth_loss_db(d[-1] - d[0], *above, freq)
        assert level == pytest.approx(case.expected_L_spherical_db, abs=0.1)
        delta = radio.delta_bullington_loss_db(d, h, ends, freq)
        assert delta == pytest.approx(case.expected_L_delta_bullington_db, abs=0.1)


@shared
@pytest.mark.shared
def test_profiles_of_p1812():
    """Bullington on ground and clutter in all 30 cases; in the open delta-Bullington is all that P.1812 adds."""
    cases = pd.read_csv(CHECKS / "p1812_synthetic" / "cases.csv")
    assert len(cases) == 30
    for case in cases.itertuples():
        profile = pd.read_csv(CHECKS / "p1812_synthetic" / f"profile_{case.profile:02d}.csv")
        d, ground = profile["d_km"].to_numpy(), profile["ground_m"].to_numpy()
        top = ground + profile["clutter_m"].to_numpy()
        ends = ground[0] + case.tx_agl_m, ground[-1] + case.rx_agl_m
        got = radio.bullington_loss_db(d, top, *ends, case.freq_ghz, case.ae_km)
        assert got == pytest.approx(case.L_bullington_actual_db, abs=1e-3)
        if not case.urban:
            slope_km = math.hypot(case.dist_km, (ends[0] - ends[1]) / 1000)
            free = 92.4 + 20 * math.log10(case.freq_ghz * slope_km)  # as P.1812 has it
            loss = free + radio.delta_bullington_loss_db(d, ground, ends, case.freq_ghz, case.ae_km, "vertical")
            assert loss == pytest.approx(case.Lb_p1812_Py1812_db, abs=0.1)


@given(heights, st.floats(1, 80), st.floats(1, 80), st.floats(0.5, 6), st.sampled_from([8500.0, 6371.0, math.inf]))
def test_profiles_against_plain_twins(ground, h_tx, h_rx, freq, radius):
    d = np.arange(len(ground)) * 0.05
    ends = ground[0] + h_tx, ground[-1] + h_rx
    assert radio.bullington_loss_db(d, ground, *ends, freq, radius) == pytest.approx(
        plain_bullington(d, ground, *ends, freq, radius), abs=1e-6)
    assert radio.deygout_loss_db(d, ground, *ends, freq, radius) == pytest.approx(
        plain_deygout(d, ground, *ends, freq, radius), abs=1e-6)


@given(heights, st.floats(1, 80), st.floats(1, 80), st.floats(0.5, 6))
def test_a_path_is_the_same_from_both_ends(ground, h_tx, h_rx, freq):
    d = np.cumsum(np.linspace(0.03, 0.08, len(ground)))
    back, turned = d[-1] - d[::-1], ground[::-1]
    ends = ground[0] + h_tx, ground[-1] + h_rx
    for function in (radio.bullington_loss_db, radio.deygout_loss_db):
        here, there = function(d, ground, *ends, freq), function(back, turned, ends[1], ends[0], freq)
        assert here == pytest.approx(there, abs=1e-6)
    here = radio.delta_bullington_loss_db(d, ground, ends, freq)
    assert here == pytest.approx(radio.delta_bullington_loss_db(back, turned, ends[::-1], freq), abs=1e-4)


@given(heights, st.floats(1, 80), st.floats(0, 100), st.integers(0, 29), st.floats(0.5, 6))
def test_a_higher_obstacle_never_loses_less(ground, h_tx, more, at, freq):
    d = np.arange(len(ground)) * 0.05
    at = 1 + at % (len(ground) - 2)
    raised = np.array(ground) + np.where(np.arange(len(ground)) == at, more, 0.0)
    ends = ground[0] + h_tx, ground[-1] + 1.5
    low, high = (radio.bullington_nu(d, h, *ends) for h in (ground, raised))
    assert high >= low - 1e-9
    assert radio.edge_loss_db(high * freq**0.5, d[-1]) >= radio.edge_loss_db(low * freq**0.5, d[-1]) - 1e-9


@given(heights, st.floats(1, 80), st.floats(1, 80), st.floats(0.5, 6))
def test_the_edge_at_1_ghz_serves_every_frequency(ground, h_tx, h_rx, freq):
    d = np.arange(len(ground)) * 0.05
    ends = ground[0] + h_tx, ground[-1] + h_rx
    nu = radio.bullington_nu(d, ground, *ends)
    assert radio.edge_loss_db(nu * math.sqrt(freq), d[-1]) == radio.bullington_loss_db(d, ground, *ends, freq)


def test_one_knife_is_found_by_all():
    """A single ridge: Bullington is J and its correction, the cascade J and its constant."""
    d, h = [0.0, 1.0, 3.0], [0.0, 40.0, 0.0]
    j = knife(float(radio.edge_nu(40.0 - 20.0, 1.0, 2.0)) * math.sqrt(2.6))
    rest = 1 - math.exp(-j / 6)
    assert radio.bullington_loss_db(d, h, 20.0, 20.0, 2.6, math.inf) == pytest.approx(j + rest * 10.06)
    assert radio.deygout_loss_db(d, h, 20.0, 20.0, 2.6, math.inf) == pytest.approx(j + rest * 10.12)


def test_a_grazing_line():
    level = radio.bullington_loss_db([0.0, 1.0, 2.0], [0.0, 10.0, 0.0], 10.0, 10.0, 2.6, float("inf"))
    assert level == pytest.approx(knife(0.0) + (1 - math.exp(-knife(0.0) / 6)) * 10.04)


def test_two_points_have_no_edge():
    assert radio.bullington_nu([0.0, 0.1], [5.0, 5.0], 30.0, 6.5) == -math.inf
    for function in (radio.bullington_loss_db, radio.deygout_loss_db):
        assert function([0.0, 0.1], [5.0, 5.0], 30.0, 6.5, 3.5) == 0.0
    assert radio.delta_bullington_loss_db([0.0, 0.1], [5.0, 5.0], (30.0, 6.5), 3.5) == 0.0


@pytest.mark.parametrize("points", [2, 3, 7])
def test_nan_in_a_profile_is_nan(points):
    d, h = np.arange(points) * 0.5, np.linspace(300.0, 420.0, points)
    rest = [335.0, 311.5, 2.6, 8500.0]

    def delta(d, h, tx, rx, freq, radius):
        return radio.delta_bullington_loss_db(d, h, (tx, rx), freq, radius)

    for function in (radio.bullington_loss_db, radio.deygout_loss_db, delta):
        assert np.isfinite(function(d, h, *rest))
        for at in range(points):
            hole = np.where(np.arange(points) == at, NAN, 0.0)
            assert np.isnan(function(d, h + hole, *rest))
            assert np.isnan(function(d + hole, h, *rest))
        for at in range(4):
            assert np.isnan(function(d, h, *[NAN if i == at else x for i, x in enumerate(rest)]))
        with pytest.raises(ModelError):
            function(d, [NAN], *rest)
    assert np.isnan(radio.bullington_nu(d, h, NAN, 1.0))
    assert np.isnan(radio.edge_loss_db([NAN, 1.0], [1.0, NAN])).all()


def test_a_profile_that_turns_back_is_refused():
    for function in (radio.bullington_loss_db, radio.deygout_loss_db):
        with pytest.raises(ModelError):
            function([0, 2, 1], [0, 0, 0], 10, 10, 1.0)


@given(st.floats(0.01, 300), st.floats(1, 2), st.floats(0.1, 200), st.floats(0.1, 200), st.floats(0.3, 6),
       st.sampled_from(["horizontal", "vertical"]))
def test_round_earth(d, farther, h_tx, h_rx, freq, polarisation):
    """Same from both ends; never less farther away; nothing lost where the path clears the bulge by far."""
    loss, far, back = (float(radio.spherical_earth_loss_db(*numbers, freq, polarisation=polarisation))
                       for numbers in ((d, h_tx, h_rx), (d * farther, h_tx, h_rx), (d, h_rx, h_tx)))
    assert loss >= 0.0
    assert loss == pytest.approx(back, abs=1e-6)
    assert far >= loss - 1e-6
    bulge = 125.0 * d**2 / 8500.0
    if min(h_tx, h_rx) - bulge > 17.456 * math.sqrt(d / 4 * 0.2998 / freq):
        assert loss == 0.0


@given(st.floats(0.02, 0.99), st.floats(1, 200), st.floats(1, 200), st.floats(0.3, 6))
def test_clearance_at_the_point_of_reflection(part, h_tx, h_rx, freq):
    """Twin: the point where both rays meet the round Earth at one angle, found by bisection."""
    d = part * math.sqrt(2 * 8500.0) * (math.sqrt(h_tx / 1000) + math.sqrt(h_rx / 1000))
    left, right = 0.0, d
    while right - left > 1e-9:
        at = (left + right) / 2
        steeper = (h_tx - 500 * at**2 / 8500) * (d - at) > (h_rx - 500 * (d - at) ** 2 / 8500) * at
        left, right = (at, right) if steeper else (left, at)
    over = (h_tx * (d - left) + h_rx * left) / d - 500 * left * (d - left) / 8500
    numbers = [np.asarray(value) for value in (d, freq, 8500.0)]
    smallest, enough = _clearance(numbers[0], (np.asarray(h_tx), np.asarray(h_rx)), *numbers[1:])
    assert smallest == pytest.approx(over, abs=1e-4)
    assert enough == pytest.approx(17.456 * math.sqrt(left * (d - left) * 0.2998 / (freq * d)), rel=1e-4)


def test_round_earth_of_odd_arguments():
    assert np.isnan(radio.spherical_earth_loss_db([NAN, 9.0, 9.0, 9.0], [9.0, NAN, 9.0, 9.0], [9.0, 9.0, NAN, 9.0],
                                                  [1.0, 1.0, 1.0, NAN])).all()
    ground = radio.spherical_earth_loss_db(10.0, [0.0, -5.0, 0.01], 30.0, 0.7)
    assert np.isfinite(ground).all()
    assert ground[0] == ground[1] == ground[2]
    with pytest.raises(ModelError, match="horizontal, vertical"):
        radio.spherical_earth_loss_db(10.0, 1.0, 1.0, 1.0, polarisation="slant")
    with pytest.raises(ModelError):
        radio.spherical_earth_loss_db(0.0, 1.0, 1.0, 1.0)


@given(heights, st.floats(1, 80), st.floats(0.5, 6))
def test_delta_bullington_is_never_less_than_bullington(ground, h_tx, freq):
    d = np.arange(len(ground)) * 0.4
    ends = ground[0] + h_tx, ground[-1] + 1.5
    assert radio.delta_bullington_loss_db(d, ground, ends, freq) >= radio.bullington_loss_db(d, ground, *ends, freq)
