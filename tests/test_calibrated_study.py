"""A study that names a calibration: used, told, and refused with a reason; a square kilometre with one mast."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from siteplan.cli import app
from siteplan.coverage import (
    Calibration,
    Equipment,
    Provenance,
    calibration_from_toml,
    calibration_to_toml,
    equipment_of,
    load_equipment,
)
from siteplan.coverage._calibration import Domain
from siteplan.errors import ModelError, StudyError
from siteplan.input_ledger import InputLedger, LedgerLine
from siteplan.maps._statements import list_statements
from siteplan.params import CoverageParams, EquipmentParams
from siteplan.study import Study, build_scene, cover_existing, read_layers, run
from siteplan.study._calibration import FIELD, LARGEST_BYTES, check_calibration, tell_calibration
from siteplan.surface import Surface
from tests.calibration_data import sector
from tests.conftest import X0, Y0, rect
from tests.map_plan import make_plan
from tests.test_minimal_studies import ground, shapes, stations, study, villages

BAND_MHZ = 2565.0
"""n41, the band of the mast of :func:`stations`."""
MODEL = Calibration(
    name="郊区路测", distance_m=(10.0, 100.0, 1000.0), clear_db=(60.0, 80.0, 115.0), blocked_db=(65.0, 90.0, 125.0),
    sigma_distance_m=(100.0,), sigma_clear_db=(5.0,), sigma_blocked_db=(5.0,), freq_low_mhz=2000.0,
    freq_high_mhz=3000.0,
    domain=Domain(kinds=("macro",), antenna_height_m=(15.0, 45.0), distance_m=(20.0, 1500.0)),
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


def told(flat: Surface, model: Calibration, table: pd.DataFrame, equipment: Equipment | None = None,
         **settings: float) -> tuple[Calibration | None, list[LedgerLine]]:
    """The calibration as a study uses it, and what the ledger says of it; every site type in its band by default."""
    ledger = InputLedger()
    used = tell_calibration(model, flat, table, n41_types() if equipment is None else equipment,
                            CoverageParams(**{"max_range_m": 1000.0, **settings}), ledger)
    assert {line.field for line in ledger} == {FIELD}
    return used, list(ledger)


def n41_types() -> Equipment:
    return equipment_of(EquipmentParams(site_types={"macro": {"band": "n41"}, "micro": {"band": "n41"}}), {})


def masts(*changes: Mapping[str, object]) -> pd.DataFrame:
    return pd.DataFrame([sector(freq_mhz=BAND_MHZ, model="uma") | change for change in changes])


EVERY_KIND = MODEL.model_copy(update={"domain": MODEL.domain.model_copy(update={"kinds": ("macro", "micro")})})


def test_one_that_holds_for_all_is_told_in_one_line(flat: Surface) -> None:
    used, (line,) = told(flat, EVERY_KIND, masts({}, {"freq_mhz": 2000.0}, {"kind": "indoor", "freq_mhz": 800.0}))
    assert used is EVERY_KIND
    assert (line.action, line.value, line.row) == ("note", "2/2", "site_types.macro、site_types.micro")
    assert "2 个室外扇区中的 2 个" in line.reason


def test_bands_that_it_does_not_hold_for_are_told(flat: Surface) -> None:
    _, lines = told(flat, EVERY_KIND, masts({"freq_mhz": 773.0}, {}, {}, {"freq_mhz": 4900.0}), load_equipment())
    assert (lines[0].value, lines[0].row) == ("2/4", "")  # new sites are of n78
    assert lines[1].value == "773、3500、4900 MHz"
    assert "现有宏站扇区 2 个、拟建宏站、微站" in lines[1].reason
    used, (first, why) = told(flat, EVERY_KIND, masts({"freq_mhz": 3500.0}), load_equipment())
    assert used is None
    assert (first.action, first.value) == ("refused", "0/1")
    assert "3500 MHz" in why.value


def test_kinds_that_were_not_measured_stay_uncalibrated_and_are_told(flat: Surface) -> None:
    table = masts({}, {"kind": "micro", "antenna": "pole_micro"})
    _, (first, left) = told(flat, MODEL, table)
    assert (first.value, first.row) == ("1/2", "site_types.macro")
    assert left.value == "微站"
    assert "只有宏站:现有微站扇区 1 个、拟建微站不用它" in left.reason
    silent = MODEL.model_copy(update={"domain": Domain()})
    _, (first, unknown) = told(flat, silent, table)
    assert first.value == "2/2"  # a file that says nothing of kinds is used for all, and this is told
    assert "domain.kinds" in unknown.reason


def test_heights_and_distances_beyond_what_was_measured_are_told(flat: Surface) -> None:
    table = masts({"antenna_height_m": 8.0}, {"antenna_height_m": 15.0}, {"antenna_height_m": 45.0},
                  {"antenna_height_m": 46.0}, {"antenna_height_m": 90.0},
                  {"antenna_height_m": 60.0, "freq_mhz": 3500.0})  # not calibrated: does not count
    _, lines = told(flat, EVERY_KIND, table, max_range_m=4000.0)
    height, = [line for line in lines if "挂高" in line.reason]
    assert height.value == "宏站:现有扇区 1 个低于 15 米、现有扇区 2 个高于 45 米"
    assert "损耗表不随挂高变" in height.reason
    far, = [line for line in lines if "最远" in line.reason]
    assert far.value == "4000 米"
    assert "1500 米" in far.reason
    low = EVERY_KIND.model_copy(update={"domain": Domain(kinds=("macro", "micro"), antenna_height_m=(2.0, 10.0))})
    _, lines = told(flat, low, masts({"antenna_height_m": 9.0}))
    assert [line.value for line in lines[1:]] == ["宏站:拟建的一律高于 10 米"]  # macro mounts begin at 15 m


def test_masts_in_the_country_lose_their_own_model_and_this_is_told(flat: Surface) -> None:
    """The ground of the toy town is bare: ``auto`` would take rma there."""
    _, lines = told(flat, EVERY_KIND, masts({}).drop(columns="model"))
    assert [line.value for line in lines[1:]] == ["1 个扇区"]
    assert "rma" in lines[1].reason


@pytest.mark.parametrize(("base", "height_m", "used"), [
    ("table", 1.5, True), ("table", 2.0, True), ("table", 20.0, False), ("uma", 20.0, True)])
def test_another_height_of_the_receiver_is_told_and_tables_are_not_stretched(flat: Surface, base: str, height_m: float,
                                                                             used: bool) -> None:
    model = EVERY_KIND if base == "table" else Calibration(name="u", base="uma", domain=EVERY_KIND.domain)
    found, lines = told(flat, model, masts({}), receiver_height_m=height_m)
    assert (found is not None) == used
    assert (lines[0].action == "refused") == (not used)
    about_height = [line.reason for line in lines if "终端高" in line.reason]
    assert len(about_height) == (height_m != 1.5)
    if base == "uma":
        assert "TR 38.901 换算" in about_height[0]


@pytest.mark.parametrize(("value", "row", "proposed", "used"), [
    ("3/4", "", 0, True), ("0/4", "site_types.macro", 0, False), ("0/4", "site_types.macro", 7, True),
    ("0/4", "site_types.pole", 7, False), ("0/0", "site_types.micro", 7, True)])
def test_the_foot_of_the_map_says_calibrated_only_where_a_sector_is(value: str, row: str, proposed: int,
                                                                    used: bool) -> None:
    plan = make_plan(shape=(80, 90), candidates=4, proposed=proposed, villages=3)
    plan.ledger = InputLedger()
    plan.ledger.add("study", "甲校正", row, FIELD, value, "note", "某些扇区用校正模型预测", "")
    said = "".join(list_statements(plan))
    assert ("没有采用校正模型“甲校正”" not in said) == used
    assert ("误差的标准差" in said) == used
    assert (f"现有室外扇区 {value} 个" in said) == used
    if used and proposed:
        kinds = int((plan.proposed["kind"] == row.removeprefix("site_types.")).sum())
        assert f"规划站址 7 处中的 {kinds} 处" in said


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


def test_clutter_terms_without_clutter_classes_are_told(flat: Surface) -> None:
    model = EVERY_KIND.model_copy(update={"clutter_db": {3: 2.0}})
    _, lines = told(flat, model, masts({}))
    assert any("clutter" in line.reason for line in lines)
    known = replace(flat, classes=np.ones(flat.clutter_m.shape, np.int16))
    assert len(told(known, model, masts({}))[1]) == 1


# --- files that cannot be used -------------------------------------------------------------------------------------

GOOD = calibration_to_toml(MODEL)


@pytest.mark.parametrize(("content", "words"), [
    (b"name = ", "TOML"),
    (b"\xff\xfe\x00n", "UTF-8"),
    (b"", "的 name:缺少必需的键"),
    (GOOD.replace("diffraction_weight", "difraction_weight").encode(), "的 difraction_weight:没有这个键"),
    (GOOD.replace("building_weight = 0.25", "building_weight = 7").encode(), "的 building_weight:取值不对:不得大于 1"),
    (GOOD.replace("offset_db = 0.0", 'offset_db = "x"').encode(), "的 offset_db:取值不对:应为数(不加引号)(现为 \"x\")"),
    (GOOD.replace("clear_db = [60.0", "clear_db = [90.0").encode(), "损耗随距离变小"),
    (GOOD.replace("blocked_db = [65.0", "blocked_db = [20.0").encode(), "小于通视"),
    (GOOD.replace("schema_version = 1", "schema_version = 9").encode(), "的 schema_version:取值不对:只能写 1"),
    (GOOD.replace('kinds = ["macro"]', 'kinds = ["tower"]').encode(), "的 domain.kinds.0:取值不对:只能写 \"macro\"、\"micro\""),
    (GOOD.replace("[15.0, 45.0]", "[45.0, 15.0]").encode(), "的 domain:下限大于上限"),
    (GOOD.replace("[15.0, 45.0]", "[15.0]").encode(), "的 domain.antenna_height_m.1:缺少必需的键"),
    (b"#" * (LARGEST_BYTES + 1), "1 MB"),
], ids=["syntax", "encoding", "empty", "key", "bound", "type", "falls", "crossed", "version", "kind", "order", "length",
        "size"])
def test_a_faulty_file_stops_the_study_with_reason_and_remedy(tmp_path: Path, content: bytes, words: str) -> None:
    """Every problem names the study file, its key, the calibration file and the place in it."""
    (tmp_path / "bad.toml").write_bytes(content)
    with pytest.raises(StudyError) as caught:
        study(tmp_path, built(tmp_path), coverage={"calibration": "bad.toml"})
    problems = caught.value.problems
    assert any(words in problem.reason for problem in problems), str(caught.value)
    assert {(problem.file, problem.field) for problem in problems} == {("study.toml", FIELD)}
    assert all(problem.remedy and "bad.toml" in problem.reason for problem in problems)


def test_a_misspelt_key_of_the_file_gets_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(GOOD.replace("diffraction_weight", "difraction_weight"), encoding="utf-8")
    _, (problem,) = check_calibration("bad.toml", tmp_path, "study.toml")
    assert "diffraction_weight" in problem.remedy


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


def test_brackets_without_end_are_an_error_in_words(tmp_path: Path) -> None:
    deep = "a = " + "[" * 5000 + "]" * 5000
    with pytest.raises(ModelError, match="嵌套太深"):
        calibration_from_toml(deep)
    (tmp_path / "study.toml").write_text(deep, encoding="utf-8")
    with pytest.raises(StudyError, match="嵌套太深"):
        Study.from_toml(tmp_path / "study.toml")
