"""Antenna patterns: published values, a rotation by matrices, the closed form of a column."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from siteplan import radio
from siteplan.errors import ModelError

NAN = float("nan")
turns = st.floats(-720, 720)


@pytest.mark.parametrize(("zenith", "azimuth", "want"), [
    (90, 0, 8.0), (96, 0, 7.90), (100, 0, 7.72), (122.5, 0, 5.0), (90, 32.5, 5.0), (90, 65, -4.0), (90, 90, -15.01),
    (90, 120, -22.0), (90, 180, -22.0), (120, 60, -4.78), (180, 0, -15.01), (0, 0, -15.01), (90, 360 - 32.5, 5.0)])
def test_element_gain(zenith, azimuth, want):
    assert radio.element_gain_dbi(azimuth, zenith) == pytest.approx(want, abs=0.0051)


@given(turns, st.floats(-90, 90), st.floats(0, 40), st.floats(0, 40))
def test_a_pattern_is_symmetric_and_bounded(azimuth, vertical, depth, side):
    left, right, turned = (float(radio.pattern_loss_db(phi, vertical, (65.0, 7.0), depth, side))
                           for phi in (azimuth, -azimuth, azimuth + 360.0))
    assert left == pytest.approx(right, abs=1e-6)
    assert left == pytest.approx(turned, abs=1e-6)
    assert 0.0 <= left <= depth
    assert left == pytest.approx(float(radio.pattern_loss_db(azimuth, -vertical, (65.0, 7.0), depth, side)))


@given(turns, st.floats(-89, 89), st.floats(-30, 30))
def test_rotation_against_a_matrix(azimuth, down, tilt):
    """Twin: the direction as a vector, turned about the cross axis, angles read from it."""
    phi, below, t = (math.radians(angle) for angle in (azimuth, down, tilt))
    direction = np.array([math.cos(below) * math.cos(phi), math.cos(below) * math.sin(phi), -math.sin(below)])
    turn = np.array([[math.cos(t), 0.0, -math.sin(t)], [0.0, 1.0, 0.0], [math.sin(t), 0.0, math.cos(t)]])
    ahead, aside, up = turn @ direction
    assume(math.hypot(ahead, aside) > 1e-3)
    got_azimuth, got_down = radio.antenna_angles(azimuth, down, tilt)
    assert got_down == pytest.approx(-math.degrees(math.asin(up)), abs=1e-5)
    off = (float(got_azimuth) - math.degrees(math.atan2(aside, ahead)) + 180.0) % 360.0 - 180.0
    assert off == pytest.approx(0.0, abs=1e-6)


@given(turns, st.floats(-80, 80), st.floats(0, 20))
def test_tilting_there_and_back_changes_nothing(azimuth, down, tilt):
    there = radio.antenna_angles(azimuth, down, tilt)
    assume(abs(float(there[1])) < 89.0)
    back_azimuth, back_down = radio.antenna_angles(*there, -tilt)
    assert back_down == pytest.approx(down, abs=1e-6)
    off = (float(back_azimuth) - azimuth + 180.0) % 360.0 - 180.0
    assert off == pytest.approx(0.0, abs=1e-6)


def test_tilt_lowers_ahead_lifts_behind_and_leaves_the_sides():
    azimuth, down = radio.antenna_angles([0.0, 90.0, 180.0, -90.0], [6.0, 0.0, 0.0, 0.0], 6.0)
    np.testing.assert_allclose(azimuth, [0.0, 90.0, 180.0, -90.0], atol=1e-9)
    np.testing.assert_allclose(down, [0.0, 0.0, 6.0, 0.0], atol=1e-9)
    untouched = radio.antenna_angles([30.0, -170.0], [12.0, -3.0], 0.0)
    np.testing.assert_allclose(untouched, [[30.0, -170.0], [12.0, -3.0]], atol=1e-9)


@given(st.floats(-90, 90), st.integers(1, 16), st.floats(0.3, 1.0), st.floats(-15, 15))
def test_column_against_its_closed_form(down, elements, spacing, tilt):
    """``sin^2(M psi/2) / (M sin^2(psi/2))`` where that is not 0/0."""
    psi = 2 * math.pi * spacing * (math.sin(math.radians(down)) - math.sin(math.radians(tilt)))
    assume(abs(math.sin(psi / 2)) > 1e-3)
    power = math.sin(elements * psi / 2) ** 2 / (elements * math.sin(psi / 2) ** 2)
    assume(power > elements * 1e-5)
    got = radio.column_gain_db(down, elements, spacing, tilt)
    assert got == pytest.approx(10 * math.log10(power), abs=1e-6)
    assert got <= 10 * math.log10(elements) + 1e-9


@pytest.mark.parametrize("elements", [1, 2, 8, 12])
def test_column_peaks_at_its_tilt_and_keeps_the_power(elements):
    down = np.linspace(-90, 90, 20_001)
    gain = radio.column_gain_db(down, elements, 0.5, 6.0)
    assert gain.max() == pytest.approx(10 * math.log10(elements), abs=1e-4)
    assert elements == 1 or down[gain.argmax()] == pytest.approx(6.0, abs=0.01)
    weight = np.cos(np.radians(down))
    assert (10 ** (gain / 10) * weight).sum() / weight.sum() == pytest.approx(1.0, abs=1e-3)  # half-wave spacing


def test_a_null_is_filled_and_a_column_needs_elements():
    null = math.degrees(math.asin(0.25))
    assert radio.column_gain_db(null, 8, 0.5, 0.0, depth_db=30.0) == pytest.approx(10 * math.log10(8) - 30.0)
    for elements, spacing in ((0, 0.5), (8, 0.0), (8, NAN)):
        with pytest.raises(ModelError):
            radio.column_gain_db(0.0, elements, spacing, 0.0)


def test_nan_angles_are_nan():
    assert np.isnan(radio.element_gain_dbi([NAN, 0.0, NAN], [90.0, NAN, NAN])).all()
    assert np.isnan(radio.pattern_loss_db([NAN, 0, 0, 0], [0, NAN, 0, 0], (np.inf, 7.0), [30, 30, NAN, 30],
                                          [18, 18, 18, NAN])).all()
    for angles in ((NAN, 1.0, 1.0), (1.0, NAN, 1.0), (1.0, 1.0, NAN)):
        assert np.isnan(radio.antenna_angles(*angles)).all()
    assert np.isnan(radio.column_gain_db([NAN, 3.0], 8, 0.5, 6.0)).tolist() == [True, False]
    assert np.isnan(radio.column_gain_db(3.0, 8, 0.5, NAN))
