"""Link budget, walls, clutter, fitted forms and exposure against the published numbers."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan import radio
from siteplan.errors import ModelError

NAN = float("nan")


@pytest.mark.parametrize(("watts", "blocks", "want"), [
    (200, 273, 17.86), (240, 273, 18.65), (320, 273, 19.90), (160, 160, 19.21), (240, 160, 20.97), (240, 216, 19.67),
    (20, 273, 7.86), (1, 273, -5.15), (10, 273, 4.85)])
def test_power_per_resource_element(watts, blocks, want):
    assert radio.epre_dbm(watts, blocks) == pytest.approx(want, abs=0.0051)


def test_noise_and_sinr():
    np.testing.assert_allclose(radio.noise_dbm([30.0, 15.0], 7.0), [-122.23, -125.24], atol=0.0051)
    for signal, others in ((-80.0, [-90.0, -95.0]), (-100.0, []), (-120.0, [-119.0])):
        floor = 10 ** (-122.23 / 10)
        want = 10 * math.log10(10 ** (signal / 10) / (sum(10 ** (other / 10) for other in others) + floor))
        got = radio.sinr_db(signal, sum(10 ** (other / 10) for other in others), -122.23)
        assert got == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize(("n", "sigma", "row"), [
    (3.908, 6.0, [(4.05, 92.28), (5.05, 94.14), (6.22, 95.85), (7.69, 97.43), (9.87, 98.84)]),
    (3.908, 8.0, [(5.40, 90.59), (6.73, 92.82), (8.29, 94.90), (10.25, 96.82), (13.16, 98.55)]),
    (3.53, 7.82, [(5.27, 90.09), (6.58, 92.44), (8.10, 94.62), (10.02, 96.64), (12.86, 98.47)])])
def test_margins_of_jakes(n, sigma, row):
    margin = radio.shadow_margin_db(sigma, [0.75, 0.80, 0.85, 0.90, 0.95])
    np.testing.assert_allclose(margin, [at for at, _ in row], atol=0.0051)
    np.testing.assert_allclose(100 * radio.area_probability(margin, sigma, n), [share for _, share in row], atol=0.0051)


@given(st.floats(-10, 20), st.floats(3, 12), st.floats(2, 5))
def test_area_probability_is_the_mean_over_the_disc(margin, sigma, n):
    """Twin: the mean of the probability over rings of equal area."""
    r = np.sqrt((np.arange(4000) + 0.5) / 4000)
    signal = margin - 10 * n * np.log10(r)
    want = radio.coverage_probability(signal, 0.0, sigma).mean()
    assert radio.area_probability(margin, sigma, n) == pytest.approx(want, abs=1e-4)


@given(st.floats(-140, -40), st.floats(-140, -40), st.floats(0.1, 15))
def test_probability_of_coverage(rsrp, threshold, sigma):
    got = radio.coverage_probability(rsrp, threshold, sigma)
    assert got == pytest.approx(NormalDist(threshold, sigma).cdf(rsrp), abs=1e-9)
    assert radio.coverage_probability(rsrp, threshold, 0.0) == float(rsrp >= threshold)


RADII = {  # model, GHz, W, resource blocks, gain dBi, mast m, wall: radius at -90 .. -110 dBm
    ("uma", 3.5, 200, 273, 17, 25, ""): (292, 392, 527, 708, 951),
    ("uma", 3.5, 200, 273, 17, 25, "low"): (107, 145, 196, 263, 354),
    ("uma", 3.5, 200, 273, 17, 25, "high"): (38, 56, 78, 107, 145),
    ("uma", 2.6, 240, 273, 17, 30, ""): (356, 479, 643, 864, 1160),
    ("uma", 2.6, 240, 273, 17, 30, "low"): (134, 181, 245, 330, 444),
    ("uma", 0.7, 160, 160, 14, 30, "low"): (260, 349, 470, 631, 848),
    ("rma", 0.7, 160, 160, 14, 45, ""): (1277, 1725, 2331, 3149, 4253),
    ("rma", 2.6, 240, 273, 17, 45, ""): (745, 1006, 1360, 1837, 2482),
    ("umi", 3.5, 20, 273, 8, 8, ""): (77, 107, 148, 205, 284),
}


@pytest.mark.parametrize("case", RADII, ids=lambda case: " ".join(str(part) for part in case))
def test_radii_of_the_link_budget(case):
    """The radius table of the domain reference: NLOS, 75 % at the edge, 2.5 dB of room loss indoors."""
    model, freq, watts, blocks, gain, mast, wall = case
    sigma = radio.indoor_sigma_db(wall) if wall else float(radio.shadow_sigma_db(model, False))
    indoors = float(radio.wall_loss_db(freq, wall)) + 2.5 if wall else 0.0
    margin = float(radio.shadow_margin_db(sigma, 0.75))

    def edge_dbm(d):
        loss = radio.path_loss_db(model, d, freq, mast, 1.5, False)
        return float(radio.rsrp_dbm(radio.epre_dbm(watts, blocks), gain, 0.0, 0.0, indoors, loss)) - margin

    for threshold, want in zip((-90, -95, -100, -105, -110), RADII[case], strict=True):
        near, far = 10.0, 10_000.0
        while far - near > 1e-3:
            middle = (near + far) / 2
            near, far = (middle, far) if edge_dbm(middle) >= threshold else (near, middle)
        assert near == pytest.approx(want, abs=0.6)


@given(st.floats(700, 5000), st.floats(5, 100), st.floats(700, 5000), st.floats(5, 100))
def test_overlap_of_carriers(centre, width, other, other_width):
    """Both share the same MHz, so share times bandwidth is one number; twin by counting narrow slices."""
    share, back = (float(radio.overlap_share(*numbers)) for numbers in
                   ((centre, width, other, other_width), (other, other_width, centre, width)))
    assert 0.0 <= share <= 1.0 + 1e-12
    assert share * width == pytest.approx(back * other_width, abs=1e-6)
    slices = centre + width * ((np.arange(2000) + 0.5) / 2000 - 0.5)
    assert share == pytest.approx((np.abs(slices - other) <= other_width / 2).mean(), abs=1e-3)


def test_subcarriers_of_two_widths_keep_the_power():
    """One watt on n subcarriers of 15 kHz or on n/2 of 30 kHz: the same power per hertz."""
    narrow, wide = radio.epre_dbm(1.0, 200), radio.epre_dbm(1.0, 100)
    scale = 10 * np.log10(radio.subcarrier_scale(30.0, 15.0))
    assert narrow + scale == pytest.approx(float(wide))


WALLS = {  # GHz: glass, IRR, IRR V19, concrete, wood, low, high, high V19, low A
    0.7: (2.14, 23.21, 25.477, 7.8, 4.934, 10.24, 17.75, 17.86, 6.42),
    0.9: (2.18, 23.27, 25.499, 8.6, 4.958, 10.56, 18.50, 18.63, 6.46),
    1.8: (2.36, 23.54, 25.598, 12.2, 5.066, 11.65, 21.74, 21.99, 6.62),
    2.1: (2.42, 23.63, 25.631, 13.4, 5.102, 11.91, 22.76, 23.06, 6.67),
    2.6: (2.52, 23.78, 25.686, 15.4, 5.162, 12.26, 24.36, 24.77, 6.76),
    3.3: (2.66, 23.99, 25.763, 18.2, 5.246, 12.61, 26.35, 26.94, 6.89),
    3.5: (2.70, 24.05, 25.785, 19.0, 5.270, 12.70, 26.85, 27.50, 6.92),
    4.9: (2.98, 24.47, 25.939, 24.6, 5.438, 13.14, 29.51, 30.49, 7.17),
}


@pytest.mark.parametrize("freq", WALLS)
def test_walls(freq):
    got = [radio.material_loss_db(name, freq) for name in ("glass", "irr_glass", "irr_glass_v19", "concrete", "wood")]
    got += [radio.wall_loss_db(freq, kind) for kind in ("low", "high", "high_v19", "low_a")]
    np.testing.assert_allclose(got, WALLS[freq], atol=0.0051)


def test_depth_and_spread_indoors():
    rng = np.random.default_rng(4)
    for model, deepest in (("uma", 25.0), ("umi", 25.0), ("rma", 10.0)):
        draws = rng.uniform(0, deepest, (2, 200_000)).min(axis=0)
        assert radio.mean_depth_m(model) == pytest.approx(draws.mean(), rel=0.01)
    assert radio.depth_loss_db([0.0, 8.0, -1.0]).tolist() == [0.0, 4.0, 0.0]
    assert [radio.wall_sigma_db(kind) for kind in ("low", "high", "low_a")] == [4.4, 6.5, 4.4]
    assert radio.indoor_sigma_db("high") == pytest.approx(math.sqrt(49 + 6.5**2))
    assert radio.penetration_loss_db(3.5, "low", 8.0) == pytest.approx(16.70, abs=0.0051)
    with pytest.raises(ModelError):
        radio.mean_depth_m("inh")
    with pytest.raises(ModelError, match="high, high_v19, low, low_a"):
        radio.wall_loss_db(3.5, "paper")


@pytest.mark.parametrize(("freq", "d", "percent", "want"), [
    (0.7, 0.25, 50, 17.95), (0.7, 1, 50, 23.42), (2.6, 0.5, 50, 26.33), (2.6, 1, 50, 28.94), (3.5, 0.25, 50, 20.20),
    (3.5, 0.5, 50, 26.93), (3.5, 1, 50, 30.11), (3.5, 2, 50, 30.38), (3.5, 5, 50, 30.38), (3.5, 1, 90, 35.53),
    (3.5, 1, 10, 24.59), (4.9, 1, 50, 31.27)])
def test_statistical_clutter(freq, d, percent, want):
    assert radio.statistical_clutter_db(freq, d, percent) == pytest.approx(want, abs=0.0051)


@given(st.floats(0.5, 67), st.floats(0, 20), st.floats(0, 20), st.floats(1, 94))
def test_statistical_clutter_rises_with_distance_and_share_of_places(freq, d, more, percent):
    """The median only: at other shares the narrower spread of long paths may outweigh the distance by a little."""
    near, far = radio.statistical_clutter_db(freq, [d, d + more])
    assert 0.0 <= near <= far + 1e-9
    fewer, most = radio.statistical_clutter_db(freq, d, [percent, percent + 5.0])
    assert most >= fewer
    assert far <= radio.statistical_clutter_db(freq, 2.0)


@pytest.mark.parametrize(("freq", "top", "want"), [(0.7, 10, 17.67), (0.7, 15, 21.48), (2.6, 15, 27.20),
                                                   (2.6, 20, 29.71)])
def test_height_gain(freq, top, want):
    for kind in ("urban", "suburban", "forest"):
        assert radio.height_gain_db(freq, 1.5, top, kind) == pytest.approx(want, abs=0.0051)


def test_height_gain_of_open_land():
    want = -(21.8 + 6.2 * math.log10(0.9)) * math.log10(1.5 / 10.0)
    assert radio.height_gain_db(0.9, 1.5, 10.0, "open") == pytest.approx(want)
    assert radio.height_gain_db(0.9, [10.0, 11.0], 10.0, "water").tolist() == [0.0, 0.0]
    with pytest.raises(ModelError):
        radio.height_gain_db(0.9, 1.5, 10.0, "mud")


@pytest.mark.parametrize("model", [*sorted(set(radio.MODELS) - {"free_space"}), "okumura_hata", "spm"])
def test_clutter_is_never_added_to_a_model_that_contains_it(model):
    sight = np.array([True, False])
    assert not radio.clutter_applies(model, sight).any()
    assert radio.add_clutter_db(model, [100.0, 130.0], 30.0, sight).tolist() == [100.0, 130.0]


@given(st.floats(100, 5000), st.floats(0.7, 4.9), st.floats(20, 50), st.floats(0, 60), st.booleans())
def test_no_clutter_is_counted_twice(d, freq, mast, terrain_db, los):
    """Whatever the hill, the whole loss is that of UMa or that of the hill: no sum of UMa and a clutter term."""
    clutter = radio.statistical_clutter_db(freq, d / 1000)
    path = radio.path_loss_db("uma", d, freq, mast, 1.5, los)
    free = radio.free_space_loss_db(np.hypot(d, mast - 1.5), freq)
    whole = radio.environment_loss_db(radio.add_clutter_db("uma", path, clutter, los), free + terrain_db)
    assert whole == max(float(path), float(free) + terrain_db)
    bare = radio.add_clutter_db("terrain", free + terrain_db, clutter, los)
    assert bare == pytest.approx(float(free) + terrain_db + (0.0 if los else float(clutter)))


def test_clutter_with_unknown_sight_is_unknown():
    assert np.isnan(radio.add_clutter_db("terrain", 100.0, 20.0, NAN))
    assert np.isnan(radio.environment_loss_db([NAN, 1.0], [1.0, NAN])).all()
    with pytest.raises(ModelError, match="free_space"):
        radio.clutter_applies("hata", True)


def plain_hata(kind, d_km, mhz, h_bs, h_ut, metropolitan):
    """Slow twin of both forms, as the reports print them."""
    log = math.log10
    a = (1.1 * log(mhz) - 0.7) * h_ut - (1.56 * log(mhz) - 0.8)
    slope = (44.9 - 6.55 * log(h_bs)) * log(d_km) - 13.82 * log(h_bs)
    if kind == "cost231":
        return 46.3 + 33.9 * log(mhz) - a + slope + (3 if metropolitan else 0)
    if metropolitan:
        a = 8.29 * log(1.54 * h_ut) ** 2 - 1.1 if mhz < 300 else 3.2 * log(11.75 * h_ut) ** 2 - 4.97
    return 69.55 + 26.16 * log(mhz) - a + slope


@given(st.floats(1, 20), st.floats(150, 2000), st.floats(30, 200), st.floats(1, 10), st.booleans())
def test_hata_against_a_plain_twin(d, mhz, h_bs, h_ut, metropolitan):
    city = "metropolitan" if metropolitan else "medium"
    for kind, function in (("okumura", radio.okumura_hata_db), ("cost231", radio.cost231_hata_db)):
        got = function(d * 1000, mhz / 1000, h_bs, h_ut, city)
        assert got == pytest.approx(plain_hata(kind, d, mhz, h_bs, h_ut, metropolitan), abs=1e-9)


def test_the_two_hata_forms_are_parallel():
    """They differ in two constants only: by 1.33 dB at 1500 MHz, where one follows the other, at every distance."""
    d = np.array([1000.0, 5000.0, 20_000.0])
    masts = [30.0, 40.0, 90.0]
    apart = radio.cost231_hata_db(d, 1.5, masts, 1.5) - radio.okumura_hata_db(d, 1.5, masts, 1.5)
    np.testing.assert_allclose(apart, 46.3 - 69.55 + (33.9 - 26.16) * math.log10(1500.0), atol=1e-9)
    with pytest.raises(ModelError, match="medium, metropolitan"):
        radio.cost231_hata_db(d, 1.8, 40.0, 1.5, "village")


def test_standard_model_is_found_again_by_least_squares():
    rng = np.random.default_rng(7)
    model = radio.StandardModel(22.0, 44.0, 5.8, 0.4, -6.5, -0.2)
    d, h_bs, h_ut = 10 ** rng.uniform(1.5, 3.7, 400), rng.uniform(15, 50, 400), rng.uniform(1, 9, 400)
    edge = rng.uniform(0, 30, 400)
    loss = radio.standard_model_db(model, d, h_bs, h_ut, edge)
    one = 22.0 + 44.0 * math.log10(d[3]) + 5.8 * math.log10(h_bs[3]) + 0.4 * edge[3]
    one += -6.5 * math.log10(d[3]) * math.log10(h_bs[3]) - 0.2 * h_ut[3]
    assert loss[3] == pytest.approx(one)
    found, *_ = np.linalg.lstsq(radio.standard_model_terms(d, h_bs, h_ut, edge), loss, rcond=None)
    np.testing.assert_allclose(found, model, atol=1e-6)
    np.testing.assert_allclose(radio.standard_model_db(model, d, h_bs, h_ut, edge, 7.5), loss + 7.5)
    assert np.isnan(radio.standard_model_db(model, [NAN, 9.0], [9.0, NAN], 1.5, 0.0)).all()


@pytest.mark.parametrize(("watts", "gain", "s_w_m2", "factor", "limit", "fifth"), [
    (160, 14, 0.4, 1.0, 28.3, 63.2), (240, 24, 0.4, 1.0, 109.5, 244.9), (240, 24, 0.4, 0.1875, 47.4, 106.0),
    (200, 24, 0.46667, 1.0, 92.6, 207.0), (200, 24, 0.46667, 0.1875, 40.1, 89.6),
    (320, 24, 0.46667, 0.1875, 50.7, 113.4), (20, 8, 0.46667, 0.75, 4.0, 9.0),
    (200, 24, 0.65333, 0.1875, 33.9, 75.7)])
def test_compliance_distances(watts, gain, s_w_m2, factor, limit, fifth):
    got = radio.compliance_distance_m(watts, gain, [s_w_m2, 0.2 * s_w_m2], factor)
    np.testing.assert_allclose(got, [limit, fifth], atol=0.051)


@given(st.floats(0.1, 400), st.floats(-20, 30), st.floats(0.5, 500), st.floats(0.05, 1), st.floats(0.01, 10))
def test_exposure_hangs_together(watts, gain, r, factor, limit):
    """Density at the compliance distance is the limit; the field squared over 120 pi ohm is the density."""
    density = float(radio.power_density_w_m2(watts, gain, r, factor))
    assert radio.field_strength_v_m(watts, gain, r, factor) ** 2 / (120 * math.pi) == pytest.approx(density)
    edge = radio.compliance_distance_m(watts, gain, limit, factor)
    assert radio.power_density_w_m2(watts, gain, edge, factor) == pytest.approx(limit)
    assert radio.power_density_w_m2(watts, gain, 2 * r, factor) == pytest.approx(density / 4)


def test_numbers_out_of_their_domain_are_refused():
    for call in (lambda: radio.power_density_w_m2(1, 0, 0.0, 1), lambda: radio.field_strength_v_m(1, 0, -1.0, 1),
                 lambda: radio.compliance_distance_m(1, 0, 0.0, 1), lambda: radio.shadow_margin_db(-1.0, 0.5),
                 lambda: radio.shadow_margin_db(6.0, 1.0), lambda: radio.area_probability(1.0, 0.0, 3.5),
                 lambda: radio.overlap_share(3500, 0.0, 3500, 100),
                 lambda: radio.overlap_share(3500, 100, 3500, 0.0),
                 lambda: radio.statistical_clutter_db(3.5, 1, 100),
                 lambda: radio.mixture_db(1.5, (0, 0), (0, 0)), lambda: radio.coverage_probability(0, 0, -1.0)):
        with pytest.raises(ModelError):
            call()


@pytest.mark.parametrize(("function", "numbers"), [
    (radio.epre_dbm, (20.0, 273)), (radio.noise_dbm, (30.0, 7.0)), (radio.sinr_db, (-90.0, 1e-9, -120.0)),
    (radio.rsrp_dbm, (10.0, 17.0, 1.0, 3.0, 12.0, 110.0)), (radio.coverage_probability, (-100.0, -105.0, 6.0)),
    (radio.coverage_probability, (-100.0, -105.0, 0.0)), (radio.shadow_margin_db, (6.0, 0.75)),
    (radio.area_probability, (4.0, 6.0, 3.9)), (radio.overlap_share, (3500.0, 100.0, 3550.0, 100.0)),
    (radio.subcarrier_scale, (30.0, 15.0)), (radio.depth_loss_db, (3.0,)),
    (radio.statistical_clutter_db, (3.5, 1.0, 50.0)), (radio.height_gain_db, (0.7, 1.5, 15.0)),
    (radio.height_gain_db, (0.7, 20.0, 15.0)), (radio.okumura_hata_db, (900.0, 0.9, 30.0, 1.5)),
    (radio.cost231_hata_db, (900.0, 1.8, 30.0, 1.5)), (radio.power_density_w_m2, (20.0, 8.0, 30.0, 0.75)),
    (radio.field_strength_v_m, (20.0, 8.0, 30.0, 0.75)), (radio.compliance_distance_m, (20.0, 8.0, 0.4, 0.75)),
    (radio.shadow_correlation, (10.0, 37.0)), (radio.edge_nu, (3.0, 1.0, 2.0))])
def test_nan_in_any_argument_is_nan(function, numbers):
    assert np.isfinite(function(*numbers))
    for at in range(len(numbers)):
        assert np.isnan(function(*[NAN if i == at else value for i, value in enumerate(numbers)]))
    both = function(*[np.array([value, value]) for value in numbers])
    assert both.shape == (2,)
    assert both.dtype == np.float64
