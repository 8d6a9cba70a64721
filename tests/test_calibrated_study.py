"""A study that names a calibration: used, told, and refused with a reason; a square kilometre with one mast."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from siteplan.cli import app
from siteplan.coverage import Calibration, Provenance, calibration_to_toml
from siteplan.errors import StudyError
from siteplan.input_ledger import InputLedger
from siteplan.maps._panel import list_statements
from siteplan.study import Study, build_scene, cover_existing, read_layers, run
from siteplan.study._calibration import FIELD, LARGEST_BYTES, check_calibration, tell_calibration
from tests.conftest import X0, Y0, rect
from tests.test_minimal_studies import ground, shapes, stations, study, villages

BAND_MHZ = 2565.0
"""n41, the band of the mast of :func:`stations`."""
MODEL = Calibration(
    name="郊区路测", distance_m=(10.0, 100.0, 1000.0), clear_db=(60.0, 80.0, 115.0), blocked_db=(65.0, 90.0, 125.0),
    sigma_distance_m=(100.0,), sigma_clear_db=(5.0,), sigma_blocked_db=(5.0,), freq_low_mhz=2000.0,
    freq_high_mhz=3000.0,
    provenance=Provenance(data="五月路测", rows=900, sites=30, split="逐站留一", scores={"rmse_db": 6.7}))


def built(folder: Path) -> dict[str, Any]:
    """Ground, villages, the mast in the middle and one house in the corner."""
    shapes(folder / "buildings.gpkg", [rect(20, 20, 40, 40)], 高度=[9.0])
    return {**ground(folder), **villages(folder), **stations(folder), "buildings": "buildings.gpkg"}


def calibrated(folder: Path, model: Calibration = MODEL, layers: Mapping[str, Any] | None = None) -> Study:
    (folder / "校正.toml").write_text(calibration_to_toml(model), encoding="utf-8")
    return study(folder, layers or built(folder), coverage={"calibration": "校正.toml"})


def about(ledger: InputLedger) -> list[tuple[str, str]]:
    return [(line.action, line.reason) for line in ledger if line.field == FIELD]


# --- what a good calibration does ----------------------------------------------------------------------------------


def test_the_signal_is_that_of_the_calibration_worked_by_hand(tmp_path: Path) -> None:
    """Along the row of an omni mast on flat open ground: EPRE + gain - feeder - vertical pattern - table."""
    flat = MODEL.model_copy(update={"pattern_scale_horizontal": 0.0, "pattern_scale_vertical": 0.0})
    opened = calibrated(tmp_path, flat)
    scene = build_scene(opened.params, read_layers(opened), opened.equipment, opened.calibration)
    layer, sector = cover_existing(scene).any_5g(), scene.sectors.iloc[0]
    affine = scene.surface.geobox.affine
    row, col = int((affine.f - (Y0 + 500.0)) // 10.0), int((X0 + 500.0 - affine.c) // 10.0)
    steps = np.arange(5, 40)
    power = sector["epre_dbm"] + scene.equipment.antennas[sector["antenna"]].gain_dbi - sector["feeder_db"]
    table = np.interp(np.log10(10.0 * steps), np.log10(flat.distance_m), flat.clear_db)
    want = power - table - 20.0 * np.log10(sector["freq_mhz"] / 1000.0)
    np.testing.assert_allclose(layer.rsrp_dbm[row, col + steps], want, atol=0.01)


def test_a_run_that_names_a_calibration_differs_and_says_which(tmp_path: Path) -> None:
    opened = calibrated(tmp_path)
    done = CliRunner().invoke(app, ["run", str(opened.path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    facts = json.loads((tmp_path / "out" / "plan.json").read_text(encoding="utf-8"))
    assert facts["parameters"]["coverage"]["calibration"] == "校正.toml"
    page = (tmp_path / "out" / "review_map.html").read_text(encoding="utf-8")
    for word in ("郊区路测", "五月路测", "逐站留一", "900 行"):
        assert word in page
    assert "未用本地测量校正" not in page
    plain = run(study(tmp_path, built(tmp_path)))
    plan = run(opened)
    was, now = (one.before.any_5g() for one in (plain, plan))
    assert np.nanmax(np.abs(was.rsrp_dbm - now.rsrp_dbm)) > 1.0
    assert plan.indicators["before"]["area_share"] == facts["indicators"]["before"]["area_share"]
    assert about(plan.ledger)[0][0] == "note"
    assert "2000–3000 MHz" in about(plan.ledger)[0][1]
    assert "6.7 dB" in about(plan.ledger)[0][1]
    assert about(plain.ledger) == []
    assert "模型未用本地测量校正。" in list_statements(plain)


def test_the_foot_of_the_map_names_the_model_and_its_sigma(tmp_path: Path) -> None:
    said = "".join(list_statements(run(calibrated(tmp_path))))
    assert "校正模型“郊区路测”" in said
    assert "σ 为校正模型在实测数据上误差的标准差" in said
    assert "非实测" in said


def test_sigma_of_the_calibration_takes_the_place_of_the_model_error(tmp_path: Path) -> None:
    """Probability is Phi((signal - threshold) / 5 dB), whatever ``model_sigma_db`` says."""
    from scipy.stats import norm

    opened = calibrated(tmp_path)
    scene = build_scene(opened.params, read_layers(opened), opened.equipment, opened.calibration)
    layer = cover_existing(scene).any_5g()
    want = norm.cdf((layer.rsrp_dbm - opened.params.coverage.threshold_dbm) / 5.0)
    known = np.isfinite(layer.rsrp_dbm)
    np.testing.assert_allclose(layer.probability[known], want[known], atol=0.002)


# --- where it does not hold ----------------------------------------------------------------------------------------


def test_another_band_is_predicted_without_it(tmp_path: Path) -> None:
    other = MODEL.model_copy(update={"freq_low_mhz": 700.0, "freq_high_mhz": 800.0})
    one = run(calibrated(tmp_path, other)).before
    two = run(study(tmp_path, built(tmp_path))).before
    np.testing.assert_array_equal(one.rsrp_dbm, two.rsrp_dbm)
    np.testing.assert_array_equal(one.probability, two.probability)


def test_bands_that_it_does_not_hold_for_are_told() -> None:
    ledger = InputLedger()
    assert tell_calibration(MODEL, True, ledger, [773.0, BAND_MHZ, BAND_MHZ, 3450.0]) is MODEL
    told, = [line for line in ledger if "MHz" in line.value]
    assert told.value == "773、3450 MHz"
    assert "以下频率的扇区不在此频段内" in told.reason
    none = InputLedger()
    tell_calibration(MODEL, True, none, [3450.0])
    assert "没有一个扇区" in list(none)[-1].reason
    inside = InputLedger()
    tell_calibration(MODEL, True, inside, [MODEL.freq_low_mhz, MODEL.freq_high_mhz])
    assert len(inside) == 1


def test_without_buildings_it_is_refused_and_the_run_goes_on(tmp_path: Path) -> None:
    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path)}
    plan = run(calibrated(tmp_path, layers=layers))
    (action, reason), = about(plan.ledger)
    assert action == "refused"
    assert "建筑" in reason
    said = "".join(list_statements(plan))
    assert "没有采用校正模型“郊区路测”" in said
    assert "误差的标准差" not in said
    plain = run(study(tmp_path, layers))
    np.testing.assert_array_equal(plan.before.rsrp_dbm, plain.before.rsrp_dbm)


def test_clutter_terms_without_clutter_classes_are_told() -> None:
    model, ledger = MODEL.model_copy(update={"clutter_db": {3: 2.0}}), InputLedger()
    tell_calibration(model, True, ledger, (), has_classes=False)
    assert any("clutter" in line.reason for line in ledger)
    with_classes = InputLedger()
    tell_calibration(model, True, with_classes, ())
    assert len(with_classes) == 1


# --- files that cannot be used -------------------------------------------------------------------------------------

GOOD = calibration_to_toml(MODEL)


@pytest.mark.parametrize(("content", "field", "words"), [
    (b"name = ", FIELD, "TOML"),
    (b"\xff\xfe\x00n", FIELD, "UTF-8"),
    (b"", "name", "缺少必需的键"),
    (GOOD.replace("diffraction_weight", "difraction_weight").encode(), "difraction_weight", "diffraction_weight"),
    (GOOD.replace("building_weight = 0.5", "building_weight = 7").encode(), "building_weight", "不得大于 1"),
    (GOOD.replace("offset_db = 0.0", 'offset_db = "x"').encode(), "offset_db", "现为 x"),
    (GOOD.replace("clear_db = [60.0", "clear_db = [90.0").encode(), FIELD, "损耗随距离变小"),
    (GOOD.replace("blocked_db = [65.0", "blocked_db = [20.0").encode(), FIELD, "小于通视"),
    (GOOD.replace("schema_version = 1", "schema_version = 9").encode(), "schema_version", "只能写 1"),
    (b"#" * (LARGEST_BYTES + 1), FIELD, "1 MB"),
], ids=["syntax", "encoding", "empty", "key", "bound", "type", "falls", "crossed", "version", "size"])
def test_a_faulty_file_stops_the_study_with_reason_and_remedy(tmp_path: Path, content: bytes, field: str,
                                                              words: str) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    with pytest.raises(StudyError) as caught:
        study(tmp_path, built(tmp_path), coverage={"calibration": "bad.toml"})
    found = [problem for problem in caught.value.problems if problem.field == field]
    assert found, str(caught.value)
    assert any(words in f"{problem.reason}{problem.remedy}" for problem in found), str(caught.value)
    assert all(problem.remedy and re.search(r"[一-鿿]", problem.reason) for problem in caught.value.problems)


@pytest.mark.parametrize("name", ["absent.toml", ".", "folder", "../../absent/x.toml", "/absent/校正.toml", "a\0b",
                                  "校" * 300])
def test_a_path_to_no_file_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    none, problems = check_calibration(name, tmp_path, "study.toml")
    problem, = problems
    assert none is None
    assert problem.field == FIELD
    assert problem.remedy
    assert "07_calibrate" in problem.remedy


def test_every_fault_of_a_study_is_told_at_once_and_the_command_line_ends_with_2(tmp_path: Path) -> None:
    opened = study(tmp_path, built(tmp_path))
    text = opened.path.read_text(encoding="utf-8")
    opened.path.write_text(text.replace("[coverage]", '[coverage]\ncalibration = "absent.toml"\nsigma = 3', 1),
                           encoding="utf-8")
    done = CliRunner().invoke(app, ["run", str(opened.path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "absent.toml" in done.output
    assert "sigma" in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_a_calibration_of_another_folder_is_found_as_layers_are(tmp_path: Path) -> None:
    inner = tmp_path / "study"
    inner.mkdir()
    (tmp_path / "shared.toml").write_text("\ufeff" + GOOD, encoding="utf-8")  # as Windows editors save it
    opened = study(inner, built(inner), coverage={"calibration": "../shared.toml"})
    assert opened.calibration == MODEL


@given(st.binary(max_size=60), st.integers(0, len(GOOD.encode()) - 1))
def test_no_bytes_end_in_a_trace(tmp_path_factory: pytest.TempPathFactory, dirt: bytes, place: int) -> None:
    """A calibration, or problems with reason and remedy: nothing else comes out of a spoilt file."""
    folder = tmp_path_factory.mktemp("dirt")
    good = GOOD.encode()
    (folder / "x.toml").write_bytes(good[:place] + dirt + good[place + len(dirt):])
    found, problems = check_calibration("x.toml", folder, "study.toml")
    assert (found is None) == bool(problems)
    assert all(problem.reason and problem.remedy for problem in problems)
