"""``siteplan check``: every file and layer gets a verdict, the ledger is written, a hopeless study ends with 2."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pytest
from conftest import CRS, X0, Y0
from test_cli import call, said
from test_minimal_studies import ground, poles, rows, shapes, study, villages

from siteplan.layers import InputFile, file_verdicts, layer_verdicts
from siteplan.layers.verdicts import LOSSES, UNUSABLE, USABLE, file_verdict
from siteplan.schema import field_zh, layer_zh
from siteplan.study import check_layers, write_layer_check


def fact(kept: int, refused: int, problem: str = "") -> InputFile:
    facts = ("poles", "poles.csv", 10, "00", "utf-8", "EPSG:4326", "")
    return InputFile(*facts, kept + refused, kept, refused, 0, problem)


@pytest.mark.parametrize(("file", "word"), [
    (fact(5, 0), USABLE), (fact(4, 1), LOSSES), (fact(0, 5), UNUSABLE), (fact(0, 0, "读不出来"), UNUSABLE),
    (fact(0, 0), USABLE)])
def test_verdict_of_a_file(file: InputFile, word: str) -> None:
    assert file_verdict(file).word == word


def test_each_layer_has_the_verdict_of_its_worst_file(tmp_path: Path) -> None:
    layers = {**ground(tmp_path), **villages(tmp_path), **poles(tmp_path)}
    (tmp_path / "more.csv").write_text("杆号,杆高\nD9,8\n", encoding="utf-8")
    layers["poles"]["path"] = ["poles.csv", "more.csv"]
    (tmp_path / "none.csv").write_text("no table", encoding="utf-8")
    opened = study(tmp_path, {**layers, "facilities": {"path": "none.csv", "crs": CRS}})
    found = check_layers(opened)
    assert [(verdict.layer, verdict.file, verdict.word) for verdict in file_verdicts(found)] == [
        ("ground", "dem.tif", USABLE), ("poles", "poles.csv", USABLE), ("poles", "more.csv", UNUSABLE),
        ("facilities", "none.csv", UNUSABLE), ("villages", "villages.gpkg", USABLE)]
    assert {verdict.layer: verdict.word for verdict in layer_verdicts(found)} == {
        "ground": USABLE, "poles": LOSSES, "facilities": UNUSABLE, "villages": USABLE}


def test_a_required_layer_that_fails_is_shown_beside_the_others(tmp_path: Path) -> None:
    layers = {**ground(tmp_path), **villages(tmp_path), **poles(tmp_path)}
    (tmp_path / "dem.tif").write_bytes(b"not a raster")
    opened = study(tmp_path, layers)
    result = call("check", opened.path)
    assert result.exit_code == 2, said(result)
    text = said(result)
    for words in ("不可用", "poles.csv", "不能运行", "ground", "图层结论"):
        assert words in text
    assert "Traceback" not in text


def test_check_writes_the_ledger_as_csv_and_workbook(tmp_path: Path) -> None:
    layers = {**ground(tmp_path), **villages(tmp_path), **poles(tmp_path)}
    rows(tmp_path / "poles.csv", {"杆号": "=1+1", "杆高": "三十", "x": X0 + 255, "y": Y0 + 255},
         {"杆号": "D2", "杆高": 9, "x": "", "y": ""})
    opened = study(tmp_path, layers)
    out = tmp_path / "found" / "here"
    result = call("check", opened.path, "--out", out)
    assert result.exit_code == 0, said(result)
    assert sorted(path.name for path in out.iterdir()) == ["ledger.csv", "ledger.xlsx"]
    with (out / "ledger.csv").open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.DictReader(stream))
    found = check_layers(opened)
    assert [(line["图层"], line["行/要素"], line["字段"]) for line in lines] == [
        (layer_zh(line.layer), line.row, field_zh(line.layer, line.field)) for line in found.ledger]
    assert {line["处理"] for line in lines if line["行/要素"] == "3" and line["字段"] == "geometry"} == {"拒收"}
    book = openpyxl.load_workbook(out / "ledger.xlsx")
    assert book.sheetnames == ["图层结论", "数据问题清单", "输入文件"]
    assert len(list(book["数据问题清单"].iter_rows())) == len(lines) + 2
    verdicts = {row[0].value: row[1].value for row in book["图层结论"].iter_rows(min_row=3)}
    assert verdicts["路灯杆 poles"] == LOSSES
    assert not any(cell.data_type == "f" for sheet in book for row in sheet.iter_rows() for cell in row)


def test_check_into_a_folder_that_is_a_file_says_so(tmp_path: Path) -> None:
    opened = study(tmp_path, {**ground(tmp_path), **villages(tmp_path)})
    (tmp_path / "file").write_text("x", encoding="utf-8")
    result = call("check", opened.path, "--out", tmp_path / "file")
    assert result.exit_code == 2
    assert "不能写入" in said(result)


def test_several_tables_of_one_layer_keep_their_own_settings(tmp_path: Path) -> None:
    """Two pole files with different column names, each in its own ``[[layers.poles]]``."""
    layers = {**ground(tmp_path), **villages(tmp_path)}
    rows(tmp_path / "a.csv", {"杆号": "A", "杆高": 9, "x": X0 + 255, "y": Y0 + 255})
    rows(tmp_path / "b.csv", {"no": "B", "杆高": 9, "E": X0 + 355, "N": Y0 + 355})
    opened = study(tmp_path, layers)
    text = opened.path.read_text(encoding="utf-8") + f"""
[[layers.poles]]
path = "a.csv"
crs = "{CRS}"
[[layers.poles]]
path = "b.csv"
crs = "{CRS}"
columns = {{ pole_id = "no", x = "E", y = "N" }}
"""
    opened.path.write_text(text, encoding="utf-8")
    found = check_layers(type(opened).from_toml(opened.path))
    assert list(found.tables["poles"].index) == ["A", "B"]
    assert {file.file: file.rows_kept for file in found.files if file.layer == "poles"} == {"a.csv": 1, "b.csv": 1}


@pytest.mark.parametrize(("table", "field"), [
    ("[[layers.poles]]\npath = 'a.csv'\n[[layers.poles]]\npath = 'b.csv'\ndatun = 'gcj02'\n", "layers.poles#2.datun"),
    ("[[layers.poles]]\npath = 'a.csv'\n[[layers.poles]]\npath = 'b.csv'\ncolumns = { polid = 'x' }\n",
     "layers.poles.columns.polid"),
    ("[layers.poles]\npath = 'a.csv'\ntowgs84 = [1, 2]\n", "layers.poles.towgs84")])
def test_mistakes_name_the_table_they_are_in(tmp_path: Path, table: str, field: str) -> None:
    opened = study(tmp_path, {**ground(tmp_path), **villages(tmp_path)})
    opened.path.write_text(opened.path.read_text(encoding="utf-8") + "\n" + table, encoding="utf-8")
    result = call("check", opened.path)
    assert result.exit_code == 2
    assert field in said(result)


def test_the_check_of_a_study_is_a_call_too(tmp_path: Path) -> None:
    shapes(tmp_path / "lost.gpkg", [], 编号=[])
    opened = study(tmp_path, {**ground(tmp_path), **villages(tmp_path), "zones": "lost.gpkg"})
    found = check_layers(opened)
    assert [problem.layer for problem in found.problems] == ["zones"]
    written = write_layer_check(opened, found, tmp_path / "out")
    assert sorted(written) == ["ledger.csv", "ledger.xlsx"]
