"""The calibration as numbers: against a plain loop, the engine and TR 38.901; its text, its bounds, where it holds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from siteplan.coverage import predict_coverage
from siteplan.coverage._calibration import (
    Calibration,
    Curve,
    Provenance,
    calibration_from_toml,
    calibration_to_toml,
    environment_loss_tables,
    holds_for,
    pixel_term_db,
    predict_samples,
)
from siteplan.coverage._features import measurement_samples
from siteplan.errors import ModelError
from siteplan.grid import pixel_xy
from siteplan.params import CoverageParams
from siteplan.radio import free_space_loss_db, knife_edge_loss_db, path_loss_db
from siteplan.surface import Surface
from tests.calibration_data import TRUTH, made_up, points, sector
from tests.conftest import X0, Y0


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
    ({"domain": {"antenna_height_m": (40.0, 20.0)}}, "the least is above"),
    ({"domain": {"kinds": ("indoor",)}}, "'macro' or 'micro'"),
])
def test_what_makes_no_sense_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Calibration.model_validate({**TRUTH.model_dump(), **changes})


def test_bad_text_names_every_fault() -> None:
    with pytest.raises(ModelError, match="TOML"):
        calibration_from_toml("name = ")
    text = calibration_to_toml(TRUTH).replace("building_weight = 0.25", "building_weight = 7.0").replace("truth", "")
    with pytest.raises(ModelError, match=r"(?s)name.*building_weight"):
        calibration_from_toml(text)


def town(flat: Surface) -> Surface:
    """Blocks of every height on flat ground."""
    rng = np.random.default_rng(4)
    roofs = np.where(rng.random(flat.clutter_m.shape) < 0.2, rng.uniform(5.0, 40.0, flat.clutter_m.shape), 0.0)
    return Surface(flat.geobox, flat.ground_m, roofs.astype(np.float32), flat.known, True)


@pytest.mark.parametrize("base", ["uma", "rma"])
def test_what_a_calibration_does_not_say_is_as_the_settings_have_it_by_default(flat: Surface, base: str) -> None:
    """One that names no more than its base predicts what the engine predicts without it (beyond 200 m, where no model
    falls below free space)."""
    params = CoverageParams(model_macro=base, indoor=False)
    sectors = pd.DataFrame([sector(azimuth_deg=60.0)], index=["A"])
    plain, same = (predict_coverage(town(flat), sectors, params, calibration=model)
                   for model in (None, Calibration(name="nothing said", base=base)))
    cols = np.arange(100)
    away = np.hypot(np.arange(100)[:, None] - 49, cols[None, :] - 20) > 20
    assert np.ptp(plain.rsrp_dbm[0][away]) > 20.0
    np.testing.assert_allclose(same.rsrp_dbm[0][away], plain.rsrp_dbm[0][away], atol=0.01)


@pytest.mark.parametrize("receiver_m", [1.5, 6.0])
def test_the_height_of_the_receiver_is_that_of_the_samples_or_else_of_the_fit(receiver_m: float) -> None:
    rows = made_up(50)
    model = Calibration(name="h", base="uma", domain={"receiver_height_m": receiver_m})
    told = predict_samples(rows.assign(receiver_height_m=receiver_m), Calibration(name="h", base="uma"))
    np.testing.assert_array_equal(predict_samples(rows, model), told)
    clear, blocked = environment_loss_tables(model, rows["distance_m"], 2.6, 30.0, receiver_m)
    calm = rows.assign(horizontal_db=0.0, vertical_db=0.0, power_dbm=0.0)
    np.testing.assert_allclose(-predict_samples(calm, model), np.where(rows["blocked"], blocked, clear))


@given(st.sampled_from([(), ("macro",), ("micro",), ("macro", "micro")]), st.floats(300.0, 7000.0),
       st.sampled_from(["macro", "micro", "indoor"]))
def test_a_calibration_holds_for_its_bands_and_the_kinds_that_were_measured(kinds: tuple[str, ...], freq: float,
                                                                            kind: str) -> None:
    model = Calibration(name="d", base="uma", freq_low_mhz=2000.0, freq_high_mhz=3000.0, domain={"kinds": kinds})
    held, = holds_for(model, pd.DataFrame({"freq_mhz": [freq], "kind": [kind]}))
    assert held == (2000.0 <= freq <= 3000.0 and kind in (kinds or ("macro", "micro")))


def test_terms_that_a_calibration_needs_must_be_there() -> None:
    with pytest.raises(ModelError, match="built_share"):
        pixel_term_db(TRUTH, [5], {})


@pytest.mark.parametrize("name", ["distance_m", "sigma_distance_m", "sigma_clear_db", "sigma_blocked_db"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_none_are_refused(name: str, value: float) -> None:
    """Otherwise every pixel would get a probability of 0 in silence."""
    model = Calibration(name="b", base="uma").model_dump()
    with pytest.raises(ValidationError):
        Calibration.model_validate({**model, name: (value,)})
    with pytest.raises(ValidationError):
        Curve(knots=(value,), db=(1.0,))


@pytest.mark.parametrize(("table", "more", "want"), [(0.0, 35.0, 35.0), (30.0, -20.0, 20.0), (10.0, 0.0, 20.0)])
def test_beyond_its_last_knot_a_table_goes_on_with_its_slope_20_db_at_least(table: float, more: float,
                                                                            want: float) -> None:
    model = Calibration(name="t", base="table", distance_m=(100.0, 1000.0), clear_db=(120.0, 120.0 + table),
                        blocked_db=(130.0, 130.0 + table), slope_db_per_decade=more)
    clear, blocked = environment_loss_tables(model, [1000.0, 10_000.0], 1.0, 30.0)
    assert clear[1] - clear[0] == pytest.approx(want)
    assert blocked[1] - blocked[0] == pytest.approx(want)
