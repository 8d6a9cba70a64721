"""Path loss, line of sight and shadow fading against published numbers and plain twins."""

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

CHECKS = Path(__file__).parents[2] / "shared" / "checks"
shared = pytest.mark.skipif(not CHECKS.is_dir(), reason="../shared/checks is absent")
NAN = float("nan")
OUTDOORS = ("rma", "uma", "umi")
ALL = sorted(radio.MODELS)


@pytest.mark.parametrize(
    ("model", "freq", "d", "h_bs", "h_ut", "clear", "blocked"),
    [
        ("uma", 3.5, 50, 25, 1.5, 77.21, 92.51), ("uma", 3.5, 561, 25, 1.5, 99.38, 131.87),
        ("uma", 0.7, 3000, 40, 1.5, 123.14, 146.33), ("umi", 2.6, 10, 10, 1.5, 64.18, 70.71),
        ("umi", 3.5, 211, 10, 1.5, 92.14, 116.05), ("rma", 0.7, 771, 35, 1.5, 88.87, 112.09),
        ("rma", 3.5, 2000, 40, 1.5, 113.02, 140.56), ("inh", 0.7, 1, 3, 1.5, 33.73, 33.73),
        ("inh", 3.5, 50, 3, 1, 72.68, 95.93),
    ],
)
def test_path_loss_of_tr_38901(model, freq, d, h_bs, h_ut, clear, blocked):
    got = radio.path_loss_db(model, d, freq, h_bs, h_ut, [True, False])
    np.testing.assert_allclose(got, [clear, blocked], atol=0.0051)


@shared
@pytest.mark.shared
@pytest.mark.parametrize(("name", "rows"), [("tr38901_checks", 160), ("tr38901_ns3_run", 540),
                                            ("tr38901_ns3_testvectors", 32)])
def test_path_loss_tables(name, rows):
    table = pd.read_csv(CHECKS / f"{name}.csv").rename(
        columns={"scenario": "model", "freq_ghz": "fc_ghz", "h_bs_m": "hbs_m", "h_ut_m": "hut_m", "state": "condition",
                 "pathloss_db": "pl_db"})
    table["model"] = table["model"].str.lower().str.extract(r"^(\w+)", expand=False)
    assert len(table) == rows
    for model, part in table.groupby("model"):
        got = radio.path_loss_db(model, part["d2d_m"], part["fc_ghz"], part["hbs_m"], part["hut_m"],
                                 part["condition"] == "LOS")
        assert np.abs(got - part["pl_db"]).max() <= 0.01


@given(st.sampled_from(ALL), st.floats(0, 9000), st.floats(0.5, 6.0), st.floats(3, 150),
       st.floats(0.5, 12))
def test_blocked_is_never_less_than_clear(model, d, freq, h_bs, h_ut):
    clear, blocked = radio.path_loss_db(model, d, freq, h_bs, h_ut, [True, False])
    assert np.isfinite([clear, blocked]).all()
    assert blocked >= clear


@given(st.sampled_from(ALL), st.floats(0, 9000), st.floats(1, 2), st.floats(0.5, 6.0),
       st.floats(8, 60), st.booleans())
def test_loss_never_falls_with_distance_or_frequency(model, d, factor, freq, h_bs, los):
    here, farther, higher = (float(radio.path_loss_db(model, *numbers, h_bs, 1.5, los))
                             for numbers in ((d, freq), (d * factor, freq), (d, freq * factor)))
    assert farther >= here - 1e-9
    assert higher >= here - (1e-2 if model == "rma" and los else 1e-9)  # RMa has a small step at its breakpoint


@pytest.mark.parametrize("model", OUTDOORS)
def test_path_loss_has_no_step_at_the_breakpoint(model):
    at = float(radio.breakpoint_m(model, 2.6, 30.0, 1.5))
    near, far = radio.path_loss_db(model, [at * (1 - 1e-9), at * (1 + 1e-9)], 2.6, 30.0, 1.5, True)
    assert abs(near - far) < (1e-6 if model != "rma" else 1e-3)  # RMa's text puts d_BP where its PL1 takes d_3D


def test_an_office_has_no_breakpoint():
    assert radio.breakpoint_m("inh", 3.5, 3.0, 1.0) == np.inf


def test_distances_below_the_nearest_count_as_it():
    got = radio.path_loss_db("umi", [0.0, 3.0, 10.0], 3.5, 8.0, 1.5, True)
    assert got[0] == got[1] == got[2]
    inside = radio.path_loss_db("inh", [0.0, 0.5, 1.0, 3.0], 3.5, 1.5, 1.5, True)
    assert inside[0] == inside[1] == inside[2] < inside[3]


def test_unknown_model_names_the_known_ones():
    with pytest.raises(ModelError, match="cost231, free_space, inh, p2108, rma, uma, umi"):
        radio.path_loss_db("hata", 100.0, 1.0, 30.0, 1.5, True)
    with pytest.raises(ModelError, match="inh, uma, umi"):
        radio.optional_nlos_db("rma", 100.0, 1.0, 30.0, 1.5)
    with pytest.raises(ModelError, match="mixed, open"):
        radio.los_probability("inh", 10.0, 1.5, office="closed")


@pytest.mark.parametrize(("model", "slope", "sigma"), [("uma", 30.0, 7.8), ("umi", 31.9, 8.2), ("inh", 31.9, 8.29)])
def test_optional_nlos(model, slope, sigma):
    d_3d = math.sqrt(120.0**2 + 8.5**2)
    want = 32.4 + 20 * math.log10(2.6) + slope * math.log10(d_3d)
    assert radio.optional_nlos_db(model, 120.0, 2.6, 10.0, 1.5) == pytest.approx(want, abs=1e-9)
    assert radio.optional_nlos_sigma_db(model) == sigma
    assert np.isnan(radio.optional_nlos_db(model, [NAN, 9.0], [2.6, NAN], 10.0, 1.5)).all()


LOS_ROWS = {  # d: uma up to 13 m, uma 16 m, uma 22.5 m, umi, rma, inh mixed, inh open
    1: (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), 2: (1.0, 1.0, 1.0, 1.0, 1.0, 0.8435, 1.0),
    6.5: (1.0, 1.0, 1.0, 1.0, 1.0, 0.32, 0.9790), 18: (1.0, 1.0, 1.0, 1.0, 0.9920, 0.2249, 0.8323),
    20: (0.9728, 0.9742, 0.9807, 0.9574, 0.9900, 0.2115, 0.8091),
    49: (0.6580, 0.6695, 0.7226, 0.5295, 0.9618, 0.0869, 0.5372),
    50: (0.6494, 0.6613, 0.7167, 0.5196, 0.9608, 0.0843, 0.5375),
    100: (0.3477, 0.3843, 0.5543, 0.2310, 0.9139, 0.0182, 0.4244),
    500: (0.0363, 0.0696, 0.2239, 0.0360, 0.6126, 0.0, 0.0641),
    5000: (0.0036, 0.0036, 0.0036, 0.0036, 0.0068, 0.0, 0.0),
}


@pytest.mark.parametrize("d", LOS_ROWS)
def test_los_probability(d):
    got = [radio.los_probability("uma", d, h_ut) for h_ut in (1.5, 16.0, 22.5)]
    got += [radio.los_probability(model, d, 1.5) for model in ("umi", "rma", "inh")]
    got.append(radio.los_probability("inh", d, 1.5, office="open"))
    np.testing.assert_allclose(got, LOS_ROWS[d], atol=6e-5)


@given(st.sampled_from(ALL), st.floats(0, 9000), st.floats(0, 9000), st.floats(1, 13))
def test_sight_only_falls_with_distance(model, d, more, h_ut):
    near, far = radio.los_probability(model, [d, d + more], h_ut)
    assert 0.0 <= far <= near <= 1.0


def test_sigmas_and_their_correlation():
    assert radio.shadow_sigma_db("rma", [True, True, False], [False, True, False]).tolist() == [4.0, 6.0, 8.0]
    assert radio.shadow_sigma_db("inh", [True, False]).tolist() == [3.0, 8.03]
    got = {model: radio.shadow_correlation_m(model, [True, False]).tolist() for model in (*OUTDOORS, "inh", "indoor")}
    assert got == {"uma": [37, 50], "umi": [10, 13], "rma": [37, 120], "inh": [10, 6], "indoor": [7, 7]}
    np.testing.assert_allclose(radio.shadow_correlation([0.0, -50.0, 50.0], 50.0), [1.0, math.exp(-1), math.exp(-1)])
    assert np.isnan(radio.shadow_correlation_m("uma", NAN))


@given(st.lists(st.tuples(st.booleans(), st.floats(-9, 9)), min_size=2, max_size=60), st.floats(80, 120),
       st.floats(0, 40))
def test_mixture_is_the_mean_and_spread_of_its_members(members, clear_db, excess_db):
    """Twin: losses of single places in two states; the mixture of the two groups has the moments of them all."""
    first = np.array([state for state, _ in members])
    losses = np.array([fade for _, fade in members]) + np.where(first, clear_db, clear_db + excess_db)
    groups = [losses[first], losses[~first]]
    means = tuple(group.mean() if group.size else 0.0 for group in groups)
    sigmas = tuple(group.std() if group.size else 0.0 for group in groups)
    mean, sigma = radio.mixture_db(first.mean(), means, sigmas)
    assert mean == pytest.approx(losses.mean(), abs=1e-9)
    assert sigma == pytest.approx(losses.std(), abs=1e-6)


@pytest.mark.parametrize("model", OUTDOORS)
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_blend_of_sight(model, weight):
    """The definition, written plainly for one distance after another."""
    for d in (15.0, 200.0, 2500.0):
        los, nlos = (float(radio.path_loss_db(model, d, 2.6, 30.0, 1.5, flag)) for flag in (True, False))
        share = float(radio.los_probability(model, d, 1.5))
        mix = share * los + (1 - share) * nlos
        clear, blocked = radio.sight_loss_db(model, d, 2.6, 30.0, 1.5, weight)
        assert clear == pytest.approx(weight * los + (1 - weight) * mix, abs=1e-9)
        assert blocked == pytest.approx(weight * nlos + (1 - weight) * mix, abs=1e-9)


def test_sigma_of_the_blend_at_its_ends():
    d = np.array([20.0, 300.0, 4000.0])
    clear, blocked = radio.sight_sigma_db("rma", d, 0.7, 35.0, 1.5, 1.0)
    assert clear.tolist() == [4.0, 4.0, 6.0]
    assert blocked.tolist() == [8.0, 8.0, 8.0]
    share = radio.los_probability("rma", d, 1.5)
    los, nlos = (radio.path_loss_db("rma", d, 0.7, 35.0, 1.5, flag) for flag in (True, False))
    want = np.sqrt(share * clear**2 + (1 - share) * 64.0 + share * (1 - share) * (nlos - los) ** 2)
    for sigma in radio.sight_sigma_db("rma", d, 0.7, 35.0, 1.5, 0.0):
        np.testing.assert_allclose(sigma, want, atol=1e-9)


@given(st.sampled_from(OUTDOORS), st.floats(0, 9000), st.floats(0, 500), st.floats(0, 1))
def test_blend_is_ordered_and_only_rises_with_distance(model, d, more, weight):
    clear, blocked = radio.sight_loss_db(model, [d, d + more], 2.6, 30.0, 1.5, weight)
    assert (blocked >= clear).all()
    assert clear[1] >= clear[0] - 1e-9
    assert blocked[1] >= blocked[0] - 1e-9


def test_blend_refuses_a_weight_that_is_none_and_keeps_nan():
    with pytest.raises(ModelError, match="building weight"):
        radio.sight_loss_db("uma", 100.0, 2.6, 30.0, 1.5, 1.01)
    for function in (radio.sight_loss_db, radio.sight_sigma_db):
        for at in range(5):
            numbers = [NAN if i == at else value for i, value in enumerate((100.0, 2.6, 30.0, 1.5, 1.0))]
            assert np.isnan(function("uma", *numbers)).all()


@pytest.mark.parametrize("model", ALL)
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


@pytest.mark.parametrize("model", ALL)
def test_nan_in_the_small_functions(model):
    assert np.isnan(radio.los_probability(model, [NAN, 5.0, 200.0], [1.5, NAN, NAN])).all()
    if model != "p2108":
        assert np.isnan(radio.shadow_sigma_db(model, [NAN, True, False], [True, NAN, NAN])).all()
    numbers = [300.0, 3.5, 25.0, 1.5]
    assert np.isfinite(radio.fading_sigma_db(model, *numbers)).all()
    for at in range(4):
        assert np.isnan(radio.fading_sigma_db(model, *[NAN if i == at else n for i, n in enumerate(numbers)])).all()
    assert all(np.isnan(radio.breakpoint_m(model, *[NAN if i == k else 2.0 for i in range(3)])) for k in range(3))
    assert np.isnan(radio.free_space_loss_db([NAN, 0.0, 9.0], [1.0, NAN, NAN])).all()


def test_free_space():
    np.testing.assert_allclose(radio.free_space_loss_db([1000.0, 500.0, 100.0], [0.7, 3.5, 4.9]),
                               [89.35, 97.31, 86.25], atol=0.0051)


V = radio.Validity


@pytest.mark.parametrize(("model", "numbers", "bits"), [
    ("uma", (10.0, 0.5, 25.0, 1.5), 0), ("uma", (9.9, 0.4, 30.0, 1.4), V.NEAR | V.FREQUENCY | V.MAST | V.TERMINAL),
    ("uma", (5000.0, 3.5, 25.0, 22.5), V.RANDOM_HEIGHT), ("umi", (5001.0, 3.5, 10.0, 13.0), V.FAR),
    ("rma", (5000.0, 0.7, 150.0, 10.0), 0),
    ("rma", (5001.0, 31.0, 151.0, 0.9), V.FAR | V.FREQUENCY | V.MAST | V.TERMINAL),
    ("inh", (1.0, 3.5, 3.0, 1.0), 0), ("inh", (0.5, 3.5, 1.5, 1.0), V.NEAR), ("inh", (150.0, 3.5, 3.0, 1.0), V.FAR),
    ("okumura_hata", (1000.0, 0.9, 30.0, 1.5), 0),
    ("cost231", (999.0, 2.6, 25.0, 1.5), V.NEAR | V.FREQUENCY | V.MAST),
    ("cost231", (20_001.0, 1.8, 201.0, 11.0), V.FAR | V.MAST | V.TERMINAL),
    ("p2108", (249.0, 0.4, 500.0, 0.5), V.NEAR | V.FREQUENCY), ("p2108", (250.0, 67.0, 9.0, 1.5), 0),
    ("free_space", (10.0, 0.1, 500.0, 30.0), 0), ("free_space", (9.0, 200.0, 1.0, 30.0), V.NEAR),
    ("uma", (NAN, 99.0, 99.0, 99.0), V.UNKNOWN),
])
def test_validity(model, numbers, bits):
    assert int(radio.validity(model, *numbers)) == bits


@pytest.mark.parametrize(("model", "mast", "terminal", "freq"), [
    ("uma", (25, 25), (1.5, 22.5), (0.5, 100)), ("umi", (10, 10), (1.5, 22.5), (0.5, 100)),
    ("rma", (10, 150), (1, 10), (0.5, 30)), ("inh", None, None, (0.5, 100)),
    ("okumura_hata", (30, 200), (1, 10), (0.15, 1.5)), ("cost231", (30, 200), (1, 10), (1.5, 2.0)),
    ("p2108", None, None, (0.5, 67))])
def test_ends_of_the_ranges_belong_to_them(model, mast, terminal, freq):
    middle = {"d": 100.0 if model == "inh" else 4000.0, "freq": freq[0], "mast": (mast or (3,))[0],
              "terminal": (terminal or (1,))[0]}
    for name, ends, bit in (("freq", freq, V.FREQUENCY), ("mast", mast, V.MAST), ("terminal", terminal, V.TERMINAL)):
        if ends is None:
            continue
        for end, beyond in ((ends[0], ends[0] * 0.999), (ends[1], ends[1] * 1.001)):
            at, off = (int(radio.validity(model, *(middle | {name: value}).values())) for value in (end, beyond))
            assert not at & bit
            assert off & bit


def test_rma_reaches_farther_with_sight_than_without():
    got = radio.validity("rma", [9000.0, 9000.0, 10_001.0, 100.0], 0.7, 35.0, 1.5, [True, False, True, NAN])
    assert got.tolist() == [0, V.FAR, V.FAR, V.UNKNOWN]


def test_clutter_is_stated_from_a_quarter_of_a_kilometre_on_without_sight_only():
    got = radio.validity("p2108", [100.0, 100.0, 250.0], 3.5, 25.0, 1.5, [True, False, False])
    assert got.tolist() == [0, V.NEAR, 0]


@pytest.mark.parametrize("model", ALL)
def test_every_model_is_known_to_every_table(model):
    assert model in radio.MODEL_WORDS
    assert int(radio.validity(model, NAN, 3.5, 25.0, 1.5)) == V.UNKNOWN
    radio.clutter_applies(model, False)
    assert radio.breakpoint_m(model, 3.5, 25.0, 1.5) > 0.0
    clear, blocked = radio.fading_sigma_db(model, [20.0, 300.0, 3000.0], 3.5, 25.0, 1.5)
    assert (clear > 0.0).all()
    assert (blocked >= clear).all()


@given(st.sampled_from(("uma", "umi", "rma", "inh", "cost231", "free_space")), st.floats(0, 9000), st.floats(0.5, 6))
def test_fading_at_a_distance_is_that_of_the_table(model, d, freq):
    beyond = d > radio.breakpoint_m(model, freq, 30.0, 1.5)
    want = radio.shadow_sigma_db(model, True, beyond), radio.shadow_sigma_db(model, False, beyond)
    assert radio.fading_sigma_db(model, d, freq, 30.0, 1.5) == want


@given(st.floats(0, 9000), st.floats(0.5, 6), st.floats(2, 150), st.floats(0.5, 12), st.booleans())
def test_p2108_is_free_space_and_clutter_where_there_is_no_sight(d, freq, h_bs, h_ut, los):
    """The definition, over the slope distance; clutter in the blocked state only, and nothing else ever."""
    slope = math.hypot(max(d, 10.0), h_bs - h_ut)
    want = 32.45 + 20 * math.log10(freq) + 20 * math.log10(slope)
    assert radio.path_loss_db("free_space", d, freq, h_bs, h_ut, los) == pytest.approx(want, abs=1e-9)
    if not los:
        want += float(radio.statistical_clutter_db(freq, slope / 1000))
    assert radio.path_loss_db("p2108", d, freq, h_bs, h_ut, los) == pytest.approx(want, abs=1e-9)


@given(st.floats(0, 20_000), st.floats(0.5, 6), st.floats(5, 300), st.booleans())
def test_cost231_is_hata_but_never_below_free_space(d, freq, h_bs, los):
    """One formula with sight and without; below a high mast it would promise more than empty space does."""
    hata, free = radio.cost231_hata_db(d, freq, h_bs, 1.5), radio.path_loss_db("free_space", d, freq, h_bs, 1.5, los)
    assert radio.path_loss_db("cost231", d, freq, h_bs, 1.5, los) == max(float(hata), float(free))


def test_models_without_a_sight_of_their_own_take_that_of_uma():
    d, h_ut = np.array([5.0, 40.0, 700.0]), np.array([1.5, 15.0, 22.5])
    for model in ("cost231", "p2108", "free_space"):
        np.testing.assert_array_equal(radio.los_probability(model, d, h_ut), radio.los_probability("uma", d, h_ut))


def test_fading_in_the_clutter_is_that_of_the_recommendation():
    """The 90 % value less the median is 1.28 deviations, within the distances where neither is held at its greatest."""
    d = np.array([0.3, 0.6, 0.9])
    at = [radio.statistical_clutter_db(3.5, d, percent) for percent in (84.134, 50.0)]
    np.testing.assert_allclose(radio.statistical_clutter_sigma_db(3.5, d), at[0] - at[1], atol=1e-3)
    assert radio.statistical_clutter_sigma_db(3.5, 2.0) == radio.statistical_clutter_sigma_db(3.5, 9.0)
    with pytest.raises(ModelError, match="cost231, free_space, inh, rma, uma, umi"):
        radio.shadow_sigma_db("p2108", False)


def test_every_bit_has_words():
    words = radio.validity_words(np.array([int(bit) for bit in V]))
    assert len(words) == len(V) == len(set(words))
    assert radio.validity_words([0, 0]) == ()
    assert radio.validity_words(V.FAR) == (radio.VALIDITY_WORDS[V.FAR],)
