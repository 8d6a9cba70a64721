"""Fitting a calibration: made-up truths are found, bounds hold, scores are those worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.coverage._calibration import (
    calibrated_power_dbm,
    calibration_to_toml,
    environment_loss_tables,
    environment_sigma_tables,
    predict_samples,
    sigma_of_samples,
)
from siteplan.coverage._calibration_fit import FitSettings, fit_calibration, hat_weights
from siteplan.coverage._calibration_report import ScoreSettings, cross_validate, mean_scores, report_text
from siteplan.errors import ModelError
from tests.calibration_data import TRUTH, made_up, measured

# --- the fit -------------------------------------------------------------------------------------------------------


def test_a_fit_without_noise_finds_the_truth() -> None:
    samples = measured(made_up(8000), TRUTH, 0.0)
    settings = FitSettings(distance_m=TRUTH.distance_m, built_share=(0.0, 0.5, 1.0), clutter_mean_m=(), ridge=1e-6,
                           distance_quantile=1.0)
    found = fit_calibration(samples, "found", settings)
    # the reference of the powers is their mean: what counts is the signal
    np.testing.assert_allclose(predict_samples(samples, found), samples["rsrp_dbm"], atol=0.01)
    for name in ("diffraction_weight", "pattern_scale_horizontal", "pattern_scale_vertical", "power_weight"):
        assert getattr(found, name) == pytest.approx(getattr(TRUTH, name), abs=1e-3)
    assert found.clutter_db[7] - found.clutter_db[5] == pytest.approx(4.0, abs=1e-3)
    assert found.provenance.rows == 8000
    assert found.provenance.sites == 40


def test_sigma_is_that_of_the_noise_by_sight() -> None:
    plain = made_up(20000)
    samples = measured(plain, TRUTH, np.where(plain["blocked"], 9.0, 5.0))
    found = fit_calibration(samples, "noise")
    clear, blocked = environment_sigma_tables(found, np.geomspace(60.0, 1500.0, 20))
    assert clear == pytest.approx(np.full(20, 5.0), rel=0.1)
    assert blocked == pytest.approx(np.full(20, 9.0), rel=0.1)
    assert set(np.unique(sigma_of_samples(samples, found) > 7.0) == [False, True]) == {True}


@given(st.integers(0, 10_000))
def test_bounds_hold_whatever_is_measured(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = made_up(400, seed=seed).assign(rsrp_dbm=rng.uniform(-130.0, -50.0, 400))
    for base in ("table", "uma"):
        found = fit_calibration(samples, "wild", FitSettings(base=base, ridge=0.1))  # the noun checks its tables itself
        signal = predict_samples(samples.assign(distance_m=np.geomspace(10.0, 9000.0, 400), blocked=False, nu_top=-5.0,
                                                built_share=0.0, clutter_code=5, horizontal_db=0.0, vertical_db=0.0,
                                                power_dbm=30.0), found)
        assert (np.diff(signal) <= 1e-9).all()
        for name in ("diffraction_weight", "pattern_scale_horizontal", "power_weight", "building_weight"):
            assert 0.0 <= getattr(found, name) <= 1.0


def test_more_antenna_attenuation_than_drawn_is_not_believed() -> None:
    strong = measured(made_up(4000), TRUTH, 1.0)
    samples = strong.assign(rsrp_dbm=strong["rsrp_dbm"] - 1.5 * strong["horizontal_db"])  # 1.9 times the pattern
    found = fit_calibration(samples, "deep")
    assert found.pattern_scale_horizontal == 1.0
    assert abs((predict_samples(samples, found) - samples["rsrp_dbm"]).mean()) < 0.1  # the rest was solved again


def test_rows_of_the_wrong_cell_and_behind_hills_are_left_out() -> None:
    good = measured(made_up(3000), TRUTH, 1.0)
    spoilt = good.assign(rsrp_dbm=-60.0, reach_ratio=np.where(np.arange(3000) % 2, 9.0, 1.0),
                         nu_ground=np.where(np.arange(3000) % 2, -5.0, 3.0))
    both = fit_calibration(pd.concat([good, spoilt]), "both")
    alone = fit_calibration(good, "alone")
    assert both.provenance.rows_left_out == alone.provenance.rows_left_out + 3000
    assert both.model_copy(update={"name": "alone", "provenance": alone.provenance}) == alone


def test_a_handful_of_far_rows_does_not_shape_the_tables() -> None:
    near = measured(made_up(4000), TRUTH, 1.0)
    far = near.iloc[:30].assign(distance_m=7900.0, rsrp_dbm=-50.0)
    found = fit_calibration(pd.concat([near, far.set_axis(far.index + 10_000)]), "far")
    assert found.distance_m[-1] < 4000.0
    clear, _ = environment_loss_tables(found, [found.distance_m[-1], 10.0 * found.distance_m[-1]], 1.0, 30.0)
    assert clear[1] - clear[0] >= 20.0 - 1e-9


def test_few_masts_get_offset_and_slope_alone() -> None:
    samples = measured(made_up(500, sites=3), TRUTH, 2.0)
    found = fit_calibration(samples, "three", FitSettings(pattern_prior=(0.0, 0.0), fit_power=False))
    x = np.log10(samples["distance_m"].to_numpy())
    weights = np.polyfit(x, (samples["power_dbm"] - samples["rsrp_dbm"]).to_numpy(), 1)
    expected = samples["power_dbm"] - np.polyval(weights, x)  # the classical log-distance line
    np.testing.assert_allclose(predict_samples(samples, found), expected, atol=0.3)
    assert found.clear_db == found.blocked_db
    assert found.clutter_db == {}
    assert found.provenance.notes
    with pytest.raises(ModelError, match="30"):
        fit_calibration(samples.iloc[:20], "too few")


def test_the_scales_of_few_masts_are_searched_from_eight_on_and_stand_below() -> None:
    """Made of half the horizontal and a quarter of the vertical plane: both lie on the grid, the prior does not."""
    flat = TRUTH.model_copy(update={
        "pattern_scale_horizontal": 0.5, "pattern_scale_vertical": 0.25, "pixel_terms": {}, "clutter_db": {},
        "diffraction_weight": 0.0, "power_weight": 1.0, "blocked_db": TRUTH.clear_db})
    for sites, scales in ((12, (0.5, 0.25)), (7, (0.17, 0.06))):
        found = fit_calibration(measured(made_up(3000, sites), flat, 3.0), "few")
        assert (found.pattern_scale_horizontal, found.pattern_scale_vertical) == scales
        assert f"{scales[0]:g}、{scales[1]:g} 倍" in found.provenance.notes[0]
    one = fit_calibration(measured(made_up(3000, 12), flat, 3.0), "few", FitSettings(pattern_scales=(0.75,)))
    assert (one.pattern_scale_horizontal, one.pattern_scale_vertical) == (0.75, 0.75)


def test_a_fit_says_what_was_measured() -> None:
    samples = made_up(1000).assign(antenna_height_m=np.linspace(12.04, 41.26, 1000), kind="macro",
                                   receiver_height_m=2.5)
    stray = samples.iloc[:5].assign(antenna_height_m=99.0, kind="micro", reach_ratio=50.0)
    rows = pd.concat([measured(samples, TRUTH, 3.0), stray.set_axis(stray.index + 10_000)])
    domain = fit_calibration(rows, "told", FitSettings(distance_quantile=1.0)).domain
    assert domain.kinds == ("macro",)  # rows of the wrong cell were not fitted
    assert domain.antenna_height_m == (12.0, 41.3)
    assert domain.receiver_height_m == 2.5
    nearest, farthest = domain.distance_m
    assert nearest <= samples["distance_m"].min() < nearest + 1.0
    assert farthest <= samples["distance_m"].max()
    silent = fit_calibration(measured(made_up(1000), TRUTH, 3.0), "silent").domain
    assert (silent.kinds, silent.receiver_height_m) == ((), 1.5)


def test_a_tr_38901_fit_takes_the_receivers_as_high_as_they_were() -> None:
    truth = TRUTH.model_copy(update={"base": "uma", "distance_m": (), "clear_db": (), "blocked_db": (),
                                     "offset_db": 4.0, "pixel_terms": {}, "clutter_db": {}})
    samples = made_up(4000).assign(receiver_height_m=8.0)
    found = fit_calibration(measured(samples, truth, 0.0), "high", FitSettings(base="uma", ridge=1e-6))
    assert found.domain.receiver_height_m == 8.0
    assert found.building_weight == pytest.approx(truth.building_weight, abs=0.01)
    assert found.offset_db == pytest.approx(4.0, abs=0.1)


def test_a_fit_leaves_its_samples_alone_and_repeats_itself() -> None:
    samples = measured(made_up(1000), TRUTH, 5.0)
    before = samples.copy(deep=True)
    first, second = fit_calibration(samples, "one"), fit_calibration(samples, "one")
    pd.testing.assert_frame_equal(samples, before)
    assert calibration_to_toml(first) == calibration_to_toml(second)


@given(st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=8))
def test_hat_weights_interpolate(values: list[float]) -> None:
    knots, heights = (-2.0, 0.0, 1.0, 4.0), np.array([3.0, -1.0, 5.0, 0.5])
    found = hat_weights(np.array(values), knots) @ heights
    np.testing.assert_allclose(found, np.interp(values, knots, heights), atol=1e-12)


def test_distrusted_powers_come_to_one_level() -> None:
    assert np.ptp(calibrated_power_dbm(TRUTH.model_copy(update={"power_weight": 0.0}), [20.0, 35.0])) == 0.0
    assert np.ptp(calibrated_power_dbm(TRUTH.model_copy(update={"power_weight": 1.0}), [20.0, 35.0])) == 15.0


# --- the report ----------------------------------------------------------------------------------------------------


def test_scores_of_a_held_out_group_equal_those_worked_out_by_hand() -> None:
    samples = measured(made_up(4000), TRUTH, 6.0)
    group = samples["site"].str[-1].isin(list("01234")).map({True: "a", False: "b"})
    report = cross_validate(samples, group, scoring=ScoreSettings(min_block_rows=20, threshold_dbm=-70.0))
    train, test = samples[group == "b"], samples[group == "a"]
    error = predict_samples(test, fit_calibration(train, "by hand")) - test["rsrp_dbm"]
    row = report.scores.loc[("matched", "a", "calibration")]
    assert row["rmse_db"] == pytest.approx(float(np.sqrt((error**2).mean())))
    assert row["bias_db"] == pytest.approx(float(error.mean()))
    assert row["rmse_sector_db"] == pytest.approx(float(np.sqrt((error**2).groupby(test["sector_id"]).mean().mean())))
    x = np.log10(train["distance_m"])
    line = np.polyval(np.polyfit(x, train["rsrp_dbm"], 1), np.log10(test["distance_m"])) - test["rsrp_dbm"]
    found = report.scores.loc[("matched", "a", "log_distance"), "rmse_db"]
    assert found == pytest.approx(float(np.sqrt((line**2).mean())))
    means = mean_scores(report)
    assert means.loc[("matched", "calibration"), "rows"] == 4000
    assert means.loc[("matched", "calibration"), "rmse_db"] < means.loc[("matched", "log_distance"), "rmse_db"]
    assert means.loc[("matched", "log_distance"), "rmse_db"] < means.loc[("matched", "constant"), "rmse_db"]
    assert report.by_distance["rows"].sum() == report.by_clutter["rows"].sum() == 4000
    assert report.predictions.index.equals(samples.index)
    assert "对数距离" in report_text(report)


def test_nothing_of_the_held_out_group_is_known() -> None:
    samples = measured(made_up(2000), TRUTH, 6.0)
    group = np.where(samples["site"].str[-1].isin(list("01234")), "a", "b")
    moved = samples.assign(rsrp_dbm=samples["rsrp_dbm"] + np.where(group == "a", 20.0, 0.0))
    one, other = (cross_validate(table, group).predictions for table in (samples, moved))
    held = group == "a"
    np.testing.assert_array_equal(one["predicted_dbm"][held], other["predicted_dbm"][held])
    assert (one["predicted_dbm"][~held] != other["predicted_dbm"][~held]).all()


def test_wrongly_matched_rows_count_among_all_rows() -> None:
    samples = measured(made_up(3000), TRUTH, 4.0)
    wrong = np.arange(3000) % 10 == 0
    spoilt = samples.assign(reach_ratio=np.where(wrong, 20.0, 1.0),
                            rsrp_dbm=np.where(wrong, -97.0, samples["rsrp_dbm"]))
    report = cross_validate(spoilt, samples["site"].str[-1].isin(list("01234")))
    means = mean_scores(report)
    assert means.loc[("matched", "calibration"), "rows"] == 2700
    assert means.loc[("all", "calibration"), "rows"] == 3000
    assert report.predictions.loc[wrong, "predicted_dbm"].to_numpy() == pytest.approx(np.full(300, -97.0))


def test_a_mast_must_not_stand_on_both_sides() -> None:
    samples = measured(made_up(500), TRUTH, 4.0)
    rows = np.arange(len(samples)) % 2
    with pytest.raises(ModelError, match="more than one group"):
        cross_validate(samples, rows)
    assert len(cross_validate(samples, rows, scoring=ScoreSettings(shared_masts=True)).predictions) == 500
    with pytest.raises(ModelError, match="two groups"):
        cross_validate(samples, np.zeros(len(samples)))


@pytest.mark.shared
def test_recife_beats_the_log_distance_line(shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    shared("data/measurements/recife_gsm1800/measurements.csv")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    from bench_accuracy import recife_samples

    samples = recife_samples()
    assert len(samples) == 9308  # every row finds its sector and its pixel: the masts' mended places fit
    means = mean_scores(cross_validate(samples, samples["sector_id"], scoring=ScoreSettings(shared_masts=True)))
    assert means.loc[("matched", "calibration"), "rmse_db"] < means.loc[("matched", "log_distance"), "rmse_db"]


@pytest.mark.parametrize("wrong", [{"freq_ghz": 28.0}, {"freq_ghz": 2600.0}, {"rsrp_dbm": -9000.0}])
def test_a_fit_out_of_bounds_is_an_error_of_ours(wrong: dict[str, float]) -> None:
    """Wrong units of the measurements come to light as bounds of the model, told in Chinese."""
    with pytest.raises(ModelError, match="核对测量的频率、单位和小区"):
        fit_calibration(made_up(rows=600).assign(**wrong), "x")
