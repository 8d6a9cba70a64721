"""Path loss, patterns and diffraction against published numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan import radio
from siteplan.errors import ModelError

CHECKS = Path(__file__).parents[2] / "shared" / "checks"
shared = pytest.mark.skipif(not CHECKS.is_dir(), reason="../shared/checks is absent")


@pytest.mark.parametrize(
    ("model", "freq", "d", "h_bs", "h_ut", "clear", "blocked"),
    [
        ("uma", 3.5, 50, 25, 1.5, 77.21, 92.51), ("uma", 3.5, 561, 25, 1.5, 99.38, 131.87),
        ("uma", 0.7, 3000, 40, 1.5, 123.14, 146.33), ("umi", 2.6, 10, 10, 1.5, 64.18, 70.71),
        ("umi", 3.5, 211, 10, 1.5, 92.14, 116.05), ("rma", 0.7, 771, 35, 1.5, 88.87, 112.09),
        ("rma", 3.5, 2000, 40, 1.5, 113.02, 140.56),
    ],
)
def test_path_loss_of_tr_38901(model, freq, d, h_bs, h_ut, clear, blocked):
    got = radio.path_loss_db(model, d, freq, h_bs, h_ut, [True, False])
    np.testing.assert_allclose(got, [clear, blocked], atol=0.0051)


@shared
@pytest.mark.shared
@pytest.mark.parametrize("name", ["tr38901_checks", "tr38901_ns3_run", "tr38901_ns3_testvectors"])
def test_path_loss_tables(name):
    table = pd.read_csv(CHECKS / f"{name}.csv").rename(
        columns={"scenario": "model", "freq_ghz": "fc_ghz", "h_bs_m": "hbs_m", "h_ut_m": "hut_m", "state": "condition",
                 "pathloss_db": "pl_db"})
    table["model"] = table["model"].str.lower().str.split("-").str[0]
    table = table[table["model"].isin(radio.MODELS)]
    assert len(table) > 20
    for model, part in table.groupby("model"):
        got = radio.path_loss_db(model, part["d2d_m"], part["fc_ghz"], part["hbs_m"], part["hut_m"],
                                 part["condition"] == "LOS")
        assert np.abs(got - part["pl_db"]).max() <= 0.01


@given(st.sampled_from(sorted(radio.MODELS)), st.floats(0, 9000), st.floats(0.5, 6.0), st.floats(3, 150),
       st.floats(0.5, 12))
def test_blocked_is_never_less_than_clear(model, d, freq, h_bs, h_ut):
    clear, blocked = radio.path_loss_db(model, d, freq, h_bs, h_ut, [True, False])
    assert np.isfinite([clear, blocked]).all()
    assert blocked >= clear


@pytest.mark.parametrize("model", ["uma", "umi", "rma"])
def test_path_loss_has_no_step_at_the_breakpoint(model):
    at = float(radio.breakpoint_m(model, 2.6, 30.0, 1.5))
    near, far = radio.path_loss_db(model, [at * (1 - 1e-9), at * (1 + 1e-9)], 2.6, 30.0, 1.5, True)
    assert abs(near - far) < (1e-6 if model != "rma" else 1e-3)  # RMa's text puts d_BP where its PL1 takes d_3D


def test_distances_below_ten_metres_count_as_ten():
    got = radio.path_loss_db("umi", [0.0, 3.0, 10.0], 3.5, 8.0, 1.5, True)
    assert got[0] == got[1] == got[2]


def test_unknown_model_names_the_known_ones():
    with pytest.raises(ModelError, match="rma, uma, umi"):
        radio.path_loss_db("hata", 100.0, 1.0, 30.0, 1.5, True)


@pytest.mark.parametrize(("model", "d", "h_ut", "want"), [
    ("uma", 200, 1.5, 0.1280), ("uma", 200, 16, 0.1835), ("uma", 100, 22.5, 0.5543), ("umi", 50, 1.5, 0.5196),
    ("rma", 500, 1.5, 0.6126), ("uma", 5, 1.5, 1.0), ("rma", 10, 1.5, 1.0)])
def test_los_probability(model, d, h_ut, want):
    assert radio.los_probability(model, d, h_ut) == pytest.approx(want, abs=6e-5)


@pytest.mark.parametrize(("zenith", "azimuth", "want"), [
    (90, 0, 8.0), (96, 0, 7.90), (122.5, 0, 5.0), (90, 65, -4.0), (90, 90, -15.01), (90, 180, -22.0), (120, 60, -4.78),
    (180, 0, -15.01), (90, 360 - 32.5, 5.0)])
def test_element_gain(zenith, azimuth, want):
    assert radio.element_gain_dbi(azimuth, zenith) == pytest.approx(want, abs=0.005)


def test_knife_edge():
    nu = [-5.0, -0.78, -0.5, 0.0, 0.5, 1.0, 2.0, 2.4, 3.0, 5.0]
    want = [0.0, 0.0, 1.959, 6.033, 10.288, 13.926, 19.043, 20.539, 22.416, 26.814]
    np.testing.assert_allclose(radio.knife_edge_loss_db(nu), want, atol=6e-4)


def test_knife_edge_inverse():
    nu = np.linspace(-0.7, 40, 200)
    np.testing.assert_allclose(radio.knife_edge_nu(radio.knife_edge_loss_db(nu)), nu, atol=1e-9)
    assert radio.knife_edge_nu([0.0, -5.0]).tolist() == [-0.78, -0.78]


@shared
@pytest.mark.shared
def test_knife_edge_table():
    table = pd.read_csv(CHECKS / "knife_edge_J.csv")
    np.testing.assert_allclose(radio.knife_edge_loss_db(table["nu"]), table["J_itu_approx_db"], atol=1e-3)


@pytest.mark.parametrize(("freq", "want"), [(0.7, 44.4825), (2.6, 50.2249), (3.5, 51.5224)])
def test_bullington_over_two_ridges(freq, want):
    ground = [300, 310, 420, 360, 430, 330, 310]
    got = radio.bullington_loss_db(np.arange(7) * 0.5, ground, 335.0, 311.5, freq)
    assert got == pytest.approx(want, abs=1e-3)


@shared
@pytest.mark.shared
def test_bullington_cases():
    profiles = {n: pd.read_csv(CHECKS / "bullington" / f"path{n}.csv").to_numpy() for n in (1, 2)}
    for case in pd.read_csv(CHECKS / "bullington" / "cases.csv").itertuples():
        d, h = profiles[case.path].T
        got = radio.bullington_loss_db(d, h, h[0] + case.tx_agl_m, h[-1] + case.rx_agl_m, case.freq_mhz / 1000)
        assert got == pytest.approx(case.expected_L_bullington_actual_db, abs=0.1)


NAN = float("nan")


@pytest.mark.parametrize("model", sorted(radio.MODELS))
@pytest.mark.parametrize("los", [True, False])
@pytest.mark.parametrize("at", range(5))
def test_nan_is_never_a_path_loss(model, los, at):
    numbers = [300.0, 3.5, 25.0, 1.5, los]
    for d in (5.0, 300.0, 9000.0):  # nearer than the text, before and beyond the breakpoint
        numbers[0] = d
        assert np.isfinite(radio.path_loss_db(model, *numbers))
        assert np.isnan(radio.path_loss_db(model, *[NAN if i == at else value for i, value in enumerate(numbers)]))


def test_nan_spoils_its_own_element_only():
    got = radio.path_loss_db("uma", [100.0, NAN, 100.0, 100.0], 3.5, 25.0, 1.5, [1.0, 1.0, NAN, 0.0])
    assert np.isnan(got).tolist() == [False, True, True, False]
    assert got[[0, 3]].tolist() == radio.path_loss_db("uma", 100.0, 3.5, 25.0, 1.5, [True, False]).tolist()


@pytest.mark.parametrize("model", sorted(radio.MODELS))
def test_nan_in_the_small_functions(model):
    assert np.isnan(radio.los_probability(model, [NAN, 5.0, 200.0], [1.5, NAN, NAN])).all()
    assert np.isnan(radio.shadow_sigma_db(model, [NAN, True, False], [True, NAN, NAN])).all()
    assert all(np.isnan(radio.breakpoint_m(model, *[NAN if i == k else 2.0 for i in range(3)])) for k in range(3))
    assert np.isnan(radio.element_gain_dbi([NAN, 0.0, NAN], [90.0, NAN, NAN])).all()
    assert np.isnan(radio.pattern_loss_db([NAN, 0, 0, 0], [0, NAN, 0, 0], (np.inf, 7.0), [30, 30, NAN, 30],
                                          [18, 18, 18, NAN])).all()
    assert np.isnan(radio.free_space_loss_db([NAN, 0.0, 9.0], [1.0, NAN, NAN])).all()
    assert np.isnan(radio.epre_dbm([NAN, 20.0], [273, NAN])).all()
    np.testing.assert_array_equal(np.isnan(radio.knife_edge_loss_db([NAN, -5.0, 1.0])), [True, False, False])
    assert np.isnan(radio.knife_edge_nu(NAN))


@pytest.mark.parametrize("points", [2, 3, 7])
def test_bullington_of_nan_is_nan(points):
    d, h = np.arange(points) * 0.5, np.linspace(300.0, 420.0, points)
    rest = [335.0, 311.5, 2.6, 8500.0]
    assert np.isfinite(radio.bullington_loss_db(d, h, *rest))
    for at in range(points):
        hole = np.where(np.arange(points) == at, NAN, 0.0)
        assert np.isnan(radio.bullington_loss_db(d, h + hole, *rest))
        assert np.isnan(radio.bullington_loss_db(d + hole, h, *rest))
    for at in range(4):
        assert np.isnan(radio.bullington_loss_db(d, h, *[NAN if i == at else x for i, x in enumerate(rest)]))
    with pytest.raises(ModelError):
        radio.bullington_loss_db(d, [NAN], *rest)


def test_bullington_of_a_grazing_line():
    level = radio.bullington_loss_db([0.0, 1.0, 2.0], [0.0, 10.0, 0.0], 10.0, 10.0, 2.6, float("inf"))
    knife = float(radio.knife_edge_loss_db(0.0))
    assert level == pytest.approx(knife + (1 - np.exp(-knife / 6)) * 10.04)


def test_bullington_refuses_a_profile_that_turns_back():
    with pytest.raises(ModelError):
        radio.bullington_loss_db([0, 2, 1], [0, 0, 0], 10, 10, 1.0)


def test_powers_sigmas_and_free_space():
    np.testing.assert_allclose(radio.epre_dbm([200.0, 160.0, 20.0], [273, 160, 273]), [17.86, 19.21, 7.86], atol=0.005)
    np.testing.assert_allclose(radio.free_space_loss_db([1000.0, 500.0], [0.7, 3.5]), [89.35, 97.31], atol=0.005)
    assert radio.shadow_sigma_db("rma", [True, True, False], [False, True, False]).tolist() == [4.0, 6.0, 8.0]
