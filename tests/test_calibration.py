"""Calibration: samples against hand-worked geometry, fits against made-up truth, predictions against a plain loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shapely.geometry import Point

from siteplan.coverage import predict_coverage
from siteplan.coverage._calibration import (
    Calibration,
    Curve,
    Provenance,
    calibrated_power_dbm,
    calibration_from_toml,
    calibration_to_toml,
    environment_loss_tables,
    environment_sigma_tables,
    pixel_term_db,
    predict_samples,
    sigma_of_samples,
)
from siteplan.coverage._calibration_fit import FitSettings, fit_calibration, hat_weights
from siteplan.coverage._calibration_report import ScoreSettings, cross_validate, mean_scores, report_text
from siteplan.coverage._features import SAMPLE_COLUMNS, draw_measurements, measurement_samples, surroundings
from siteplan.errors import ModelError
from siteplan.grid import pixel_xy
from siteplan.input_ledger import InputLedger
from siteplan.params import CoverageParams
from siteplan.radio import free_space_loss_db, knife_edge_loss_db, path_loss_db
from siteplan.surface import Surface
from tests.conftest import CRS, X0, Y0

TRUTH = Calibration(
    name="truth", distance_m=(10.0, 100.0, 1000.0, 3000.0), clear_db=(70.0, 78.0, 102.0, 125.0),
    blocked_db=(75.0, 88.0, 112.0, 128.0), diffraction_weight=0.1, pattern_scale_horizontal=0.4,
    pattern_scale_vertical=0.2, pattern_depth_db=60.0, power_weight=0.5, power_reference_dbm=28.0,
    clutter_db={5: -1.0, 7: 3.0}, pixel_terms={"built_share": Curve(knots=(0.0, 0.5, 1.0), db=(-2.0, 1.0, 4.0))},
)


def made_up(rows: int = 6000, sites: int = 40, seed: int = 1) -> pd.DataFrame:
    """Samples of sectors in made-up surroundings; the signal is still to be filled in."""
    rng = np.random.default_rng(seed)
    site = rng.integers(sites, size=rows)
    return pd.DataFrame({
        "sector_id": [f"{s}-{n}" for s, n in zip(site, rng.integers(3, size=rows), strict=True)],
        "site": [f"m{s}" for s in site], "x": 1000.0 * (site % 7) + rng.uniform(0, 300, rows),
        "y": rng.uniform(0, 3000, rows), "rsrp_dbm": 0.0, "power_dbm": 25.0 + 2.0 * (site % 4),
        "freq_ghz": 2.6, "antenna_height_m": 30.0, "distance_m": 10.0 ** rng.uniform(1.2, 3.4, rows),
        "azimuth_off_deg": 0.0, "down_deg": 0.0, "horizontal_db": rng.uniform(0, 30, rows),
        "vertical_db": rng.uniform(0, 18, rows), "depth_db": 50.0, "nu_ground": -5.0,
        "clutter_code": rng.choice([5, 7], rows),
        "built_share": rng.uniform(0, 1, rows), "clutter_mean_m": 0.0, "reach_ratio": 1.0,
    }).assign(nu_top=lambda t: rng.normal(0.0, 3.0, rows), blocked=lambda t: t["nu_top"] > 0).rename_axis("sample_id")


def measured(samples: pd.DataFrame, model: Calibration, sigma_db: float, seed: int = 2) -> pd.DataFrame:
    noise = np.random.default_rng(seed).normal(0.0, 1.0, len(samples)) * sigma_db
    return samples.assign(rsrp_dbm=predict_samples(samples, model) + noise)


def sector(**changes: object) -> dict[str, object]:
    return {"x": X0 + 205.0, "y": Y0 + 505.0, "antenna_height_m": 30.0, "azimuth_deg": 90.0, "tilt_electrical_deg": 2.0,
            "tilt_mechanical_deg": 4.0, "freq_mhz": 2600.0, "epre_dbm": 18.0, "feeder_db": 1.5,
            "antenna": "panel_passive", "kind": "macro", "networks": "*", "technology": "4G"} | changes


def points(places: dict[str, tuple[float, float]], **columns: object) -> gpd.GeoDataFrame:
    geometry = [Point(X0 + east, Y0 + north) for east, north in places.values()]
    return gpd.GeoDataFrame(columns, geometry=geometry, crs=CRS, index=pd.Index(list(places), name="sample_id"))


# --- samples -------------------------------------------------------------------------------------------------------


def test_geometry_of_a_sample_worked_by_hand(flat: Surface) -> None:
    rows = points({"east": (505.0, 505.0), "north": (205.0, 805.0), "mast": (203.0, 508.0)},
                  sector_id="A", rsrp_dbm=[-80.0, -85.0, -60.0])
    out = measurement_samples(rows, pd.DataFrame([sector()], index=["A"]), flat, CoverageParams(body_loss_db=2.0))
    assert tuple(out.columns) == SAMPLE_COLUMNS
    assert out["distance_m"].tolist() == [300.0, 300.0, 10.0]  # a receiver on the mast's pixel counts as 10 m away
    assert out.loc[["east", "north"], "azimuth_off_deg"].tolist() == [0.0, -90.0]
    down = math.degrees(math.atan2(28.5, 300.0))
    assert out["down_deg"].iloc[:2].to_numpy() == pytest.approx([down, down])
    gain = 15.0  # of the passive panel, checked by the next line's difference alone
    assert out["power_dbm"].to_numpy() == pytest.approx(np.full(3, 18.0 + gain - 1.5 - 2.0), abs=3.0)
    assert out["power_dbm"].nunique() == 1
    assert out.loc["east", "horizontal_db"] == 0.0
    # across, the mechanical tilt does not lean the beam: 2 degrees are left of 6
    narrow, wide = out.loc["north", "vertical_db"], out.loc["east", "vertical_db"]
    assert narrow / wide == pytest.approx(((down - 2.0) / (down - 6.0)) ** 2, rel=0.05)
    assert not out["blocked"].any()


def test_a_wall_blocks_what_lies_behind_it_and_nothing_else(flat: Surface) -> None:
    roofs = flat.clutter_m.copy()
    roofs[:, 40] = 60.0  # a wall from north to south, 205 m east of the mast
    walled = Surface(flat.geobox, flat.ground_m, roofs, flat.known, True)
    places = {"before": (385.0, 505.0), "behind": (505.0, 505.0), "west": (55.0, 505.0)}
    rows = points(places, sector_id="A", rsrp_dbm=-90.0)
    out = measurement_samples(rows, pd.DataFrame([sector()], index=["A"]), walled)
    assert out["blocked"].to_dict() == {"before": False, "behind": True, "west": False}
    line = 30.0 + (1.5 - 30.0) * 200.0 / 300.0  # height of the sight line at the wall
    nu = (60.0 - line) * math.sqrt(2.0 * 300.0 / (0.2998 * 200.0 * 100.0))
    assert out.loc["behind", "nu_top"] == pytest.approx(nu, rel=0.02)
    assert (out["nu_ground"] < -0.78).all()  # the ground alone is in nobody's way
    unknown = Surface(flat.geobox, flat.ground_m, roofs, flat.known, False)
    assert not measurement_samples(rows, pd.DataFrame([sector()], index=["A"]), unknown)["blocked"].any()


def test_rows_that_cannot_be_used_are_told(flat: Surface) -> None:
    sectors = pd.DataFrame([sector(), sector(x=X0 - 5000.0), sector(kind="indoor", antenna="indoor")],
                           index=["A", "far", "in"])
    rows = points({"good": (505.0, 505.0), "nan": (505.0, 505.0), "who": (505.0, 505.0), "out": (5000.0, 505.0),
                   "mast": (505.0, 505.0), "room": (505.0, 505.0)},
                  sector_id=["A", "A", "Z", "A", "far", "in"], rsrp_dbm=[-80.0, np.nan, -80.0, -80.0, -80.0, -80.0])
    ledger = InputLedger()
    out = measurement_samples(rows, sectors, flat, ledger=ledger)
    assert out.index.tolist() == ["good"]
    assert ledger.count("refused", "measurements") == 5  # one line for each reason
    assert len(rows) == len(out) + sum(int(line.value.split()[0]) for line in ledger)
    nothing = measurement_samples(rows.iloc[:0], sectors, flat)
    assert nothing.empty
    assert tuple(nothing.columns) == SAMPLE_COLUMNS


def test_samples_need_their_columns_and_a_fitting_clutter_raster(flat: Surface) -> None:
    sectors = pd.DataFrame([sector()], index=["A"])
    with pytest.raises(ModelError, match="rsrp_dbm"):
        measurement_samples(points({"a": (5.0, 5.0)}, sector_id="A"), sectors, flat)
    with pytest.raises(ModelError, match="clutter classes"):
        measurement_samples(points({"a": (5.0, 5.0)}, sector_id="A", rsrp_dbm=-90.0), sectors, flat,
                            clutter_code=np.zeros((3, 3), np.int16))


def test_surroundings_are_means_of_a_square(flat: Surface) -> None:
    roofs = np.random.default_rng(3).choice([0.0, 12.0, 30.0], flat.clutter_m.shape).astype(np.float32)
    near = surroundings(Surface(flat.geobox, flat.ground_m, roofs, flat.known, True))
    for row, col in ((10, 20), (50, 50), (97, 3)):
        part = roofs[row - 2:row + 3, col - 2:col + 3]  # 25 m of pixels of 10 m: two to each side
        if part.shape == (5, 5):
            assert near.clutter_mean_m[row, col] == pytest.approx(part.mean(), rel=1e-5)
            assert near.built_share[row, col] == pytest.approx((part > 0).mean(), rel=1e-5)


def test_a_report_from_beyond_the_neighbours_has_a_great_reach_ratio(flat: Surface) -> None:
    masts = {"A": 105.0, "B": 705.0, "C": 755.0, "D": 805.0}
    sectors = pd.DataFrame([sector(x=X0 + east) for east in masts.values()], index=list(masts))
    rows = points({"own": (755.0, 515.0), "wrong": (756.0, 515.0)}, sector_id=["C", "A"], rsrp_dbm=-90.0)
    ratio = measurement_samples(rows, sectors, flat)["reach_ratio"]
    assert ratio["own"] < 1.0
    assert ratio["wrong"] == pytest.approx(650.0 / math.hypot(50.0, 10.0), rel=0.05)


def test_drawing_is_seeded_and_bounded() -> None:
    rows = pd.DataFrame({"sector_id": np.repeat(["a", "b"], [80, 7])}, index=[f"r{i}" for i in range(87)])
    one, two, other = (draw_measurements(rows, 20, seed) for seed in (5, 5, 6))
    assert one.index.equals(two.index)
    assert not one.index.equals(other.index)
    assert one["sector_id"].value_counts().to_dict() == {"a": 20, "b": 7}
    assert one.index.tolist() == sorted(one.index, key=lambda name: int(name[1:]))


# --- the noun ------------------------------------------------------------------------------------------------------


def plain_signal(row: pd.Series, model: Calibration) -> float:
    """One sample by the formulas, nothing vectorised."""
    table = model.blocked_db if row["blocked"] else model.clear_db
    x, knots = math.log10(row["distance_m"]), [math.log10(d) for d in model.distance_m]
    loss = table[0]
    for k in range(1, len(knots)):
        if x >= knots[k - 1]:
            slope = (table[k] - table[k - 1]) / (knots[k] - knots[k - 1])
            loss = table[k - 1] + slope * (min(x, knots[k]) - knots[k - 1])
            if k == len(knots) - 1 and x > knots[k]:
                loss += max(slope, 20.0) * (x - knots[k])
    loss += model.offset_db + model.slope_db_per_decade * (x - 3.0) + 20.0 * math.log10(row["freq_ghz"])
    free = 32.45 + 20.0 * math.log10(row["freq_ghz"] * math.hypot(row["distance_m"], row["antenna_height_m"] - 1.5))
    loss = max(loss, free)
    scale = math.sqrt(row["freq_ghz"])
    loss += model.diffraction_weight * min(float(knife_edge_loss_db(row["nu_top"] * scale)), model.diffraction_cap_db)
    edge = float(knife_edge_loss_db(row["nu_ground"] * scale))
    loss = max(loss, free + edge + (1.0 - math.exp(-edge / 6.0)) * (10.0 + 0.02 * row["distance_m"] / 1000.0))
    loss += model.clutter_db.get(int(row["clutter_code"]), 0.0)
    for name, curve in model.pixel_terms.items():
        loss += float(np.interp(row[name], curve.knots, curve.db))
    away = model.pattern_scale_horizontal * row["horizontal_db"] + model.pattern_scale_vertical * row["vertical_db"]
    power = model.power_reference_dbm + model.power_weight * (row["power_dbm"] - model.power_reference_dbm)
    deepest = max(model.pattern_scale_horizontal, model.pattern_scale_vertical) * row["depth_db"]
    return float(power - min(away, deepest, model.pattern_depth_db) - loss)


def test_predictions_equal_a_plain_loop() -> None:
    samples = made_up(300).assign(nu_ground=np.linspace(-3.0, 8.0, 300), distance_m=np.geomspace(10.0, 9000.0, 300))
    model = Calibration.model_validate({**TRUTH.model_dump(), "offset_db": -3.0, "slope_db_per_decade": 2.0,
                                        "diffraction_cap_db": 15.0, "pattern_depth_db": 9.0})
    expected = [plain_signal(row, model) for _, row in samples.iterrows()]
    np.testing.assert_allclose(predict_samples(samples, model), expected, atol=1e-9)
    terrain = samples["nu_ground"] > 6.0
    calm = predict_samples(samples.assign(nu_ground=-5.0), model)
    assert (predict_samples(samples, model)[terrain] < calm[terrain] - 1.0).all()  # the hill is felt


@pytest.mark.parametrize("base", ["table", "uma"])
def test_the_engine_gives_the_signal_of_a_sample_at_its_pixel(flat: Surface, base: str) -> None:
    rng = np.random.default_rng(8)
    roofs = np.where(rng.random(flat.clutter_m.shape) < 0.15, rng.uniform(5.0, 45.0, flat.clutter_m.shape), 0.0)
    ground = flat.ground_m + (30.0 * np.exp(-((np.arange(100) - 60.0) / 6.0) ** 2)).astype(np.float32)
    hilly = Surface(flat.geobox, ground, roofs.astype(np.float32), flat.known, True)
    sectors = pd.DataFrame([sector(azimuth_deg=30.0)], index=["A"])
    tables = {"distance_m": (), "clear_db": (), "blocked_db": (), "base": "uma", "offset_db": -4.0}
    model = Calibration.model_validate({**TRUTH.model_dump(), "clutter_db": {}, "name": base,
                                        **(tables if base == "uma" else {})})
    params = CoverageParams(sight="exact", indoor=False, max_range_m=900.0)
    coverage = predict_coverage(hilly, sectors, params, calibration=model)
    # pixels of the mast itself and right beside it are left out: a sample counts as 10 m away at least
    rows, cols = (part.ravel() for part in np.meshgrid(np.arange(1, 99, 7), np.arange(1, 99, 7), indexing="ij"))
    x, y = pixel_xy(hilly.geobox, rows, cols)
    places = {f"p{i}": (float(a - X0), float(b - Y0)) for i, (a, b) in enumerate(zip(x, y, strict=True))}
    samples = measurement_samples(points(places, sector_id="A", rsrp_dbm=-90.0), sectors, hilly, params)
    mapped = coverage.rsrp_dbm[0, rows, cols]
    reached = np.isfinite(mapped) & (samples["distance_m"].to_numpy() > 15.0)
    assert reached.sum() > 150
    assert samples["blocked"][reached].nunique() == 2
    np.testing.assert_allclose(mapped[reached], predict_samples(samples, model)[reached], atol=0.02)


def test_a_model_of_38901_with_full_trust_is_that_model() -> None:
    d = np.geomspace(10.0, 5000.0, 50)
    clear, blocked = environment_loss_tables(Calibration(name="b", base="uma", building_weight=1.0), d, 2.6, 30.0)
    floor = free_space_loss_db(np.hypot(d, 28.5), 2.6)
    np.testing.assert_allclose(clear, np.maximum(path_loss_db("uma", d, 2.6, 30.0, 1.5, True), floor))
    np.testing.assert_allclose(blocked, np.maximum(path_loss_db("uma", d, 2.6, 30.0, 1.5, False), floor))


@given(st.lists(st.floats(0.0, 15.0), min_size=4, max_size=4), st.floats(0.0, 12.0), st.floats(0.7, 5.0))
def test_loss_never_falls_with_distance_or_by_an_obstacle(steps: list[float], gap: float, freq: float) -> None:
    clear = 60.0 + np.cumsum(steps)
    model = Calibration(name="h", distance_m=(20.0, 90.0, 400.0, 2000.0), clear_db=tuple(clear),
                        blocked_db=tuple(clear + gap))
    d = np.geomspace(5.0, 30000.0, 200)
    near, far = environment_loss_tables(model, d, freq, 25.0)
    assert (np.diff(near) >= -1e-9).all()
    assert (np.diff(far) >= -1e-9).all()
    assert (far >= near).all()
    assert (near >= free_space_loss_db(np.hypot(d, 23.5), freq) - 1e-9).all()


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda text: text == text.strip())


@given(names, names, st.floats(0.0, 1.0), st.floats(-50.0, 50.0),
       st.dictionaries(st.integers(0, 99), st.floats(-9.0, 9.0)))
def test_text_and_back_is_the_same_calibration(name: str, note: str, weight: float, offset: float,
                                               clutter: dict[int, float]) -> None:
    model = TRUTH.model_copy(update={
        "name": name, "building_weight": weight, "offset_db": offset, "clutter_db": clutter,
        "provenance": Provenance(data=note, date="2026-01-01", scores={"rmse_db": 9.1, "所有": -0.5},
                                 notes=(note, "b"))})
    back = calibration_from_toml(calibration_to_toml(model))
    assert back == model
    assert calibration_to_toml(back) == calibration_to_toml(model)


@pytest.mark.parametrize(("changes", "words"), [
    ({"clear_db": (70.0, 69.0, 102.0, 125.0)}, "clear_db falls"),
    ({"blocked_db": (75.0, 77.0, 112.0, 128.0)}, "below clear_db"),
    ({"distance_m": (10.0, 10.0, 1000.0, 3000.0)}, "must rise"),
    ({"clear_db": (70.0,)}, "differ in length"),
    ({"building_weight": 1.2}, "less than or equal to 1"),
    ({"sigma_clear_db": (0.0,)}, "positive"),
    ({"freq_low_mhz": 5000.0, "freq_high_mhz": 3000.0}, "above"),
    ({"base": "uma"}, "base 'table' only"),
    ({"wieght": 0.5}, "Extra inputs"),
])
def test_what_makes_no_sense_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Calibration.model_validate({**TRUTH.model_dump(), **changes})


def test_bad_text_names_every_fault() -> None:
    with pytest.raises(ModelError, match="TOML"):
        calibration_from_toml("name = ")
    text = calibration_to_toml(TRUTH).replace("building_weight = 0.5", "building_weight = 7.0").replace("truth", "")
    with pytest.raises(ModelError, match=r"(?s)name.*building_weight"):
        calibration_from_toml(text)


def test_terms_that_a_calibration_needs_must_be_there() -> None:
    with pytest.raises(ModelError, match="built_share"):
        pixel_term_db(TRUTH, [5], {})


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
    found = fit_calibration(samples, "three", FitSettings(pattern_scales=(0.0, 0.0), fit_power=False))
    x = np.log10(samples["distance_m"].to_numpy())
    weights = np.polyfit(x, (samples["power_dbm"] - samples["rsrp_dbm"]).to_numpy(), 1)
    expected = samples["power_dbm"] - np.polyval(weights, x)  # the classical log-distance line
    np.testing.assert_allclose(predict_samples(samples, found), expected, atol=0.3)
    assert found.clear_db == found.blocked_db
    assert found.clutter_db == {}
    assert found.provenance.notes
    with pytest.raises(ModelError, match="30"):
        fit_calibration(samples.iloc[:20], "too few")


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
