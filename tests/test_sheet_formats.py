"""XLSX and CSV: no text is a formula, every value comes back, what a cell cannot hold is told before writing."""

from __future__ import annotations

import csv
import dataclasses
import tempfile
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
from exchange_layers import FIELDS, layers, out_layer, plain_layer
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import ExportError
from siteplan.export.exchange.compare import differences
from siteplan.export.exchange.formats.registry import Format
from siteplan.export.exchange.formats.text import CSV, guarded, headings, typed_column, unguarded
from siteplan.export.exchange.formats.workbook import XLSX, sheet_names
from siteplan.export.exchange.out_layer import OutLayer

FORMATS = {"csv": CSV, "xlsx": XLSX}
FILES = {"csv": "ghzz.csv", "xlsx": "plan.xlsx"}
each_format = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
NASTY = ("=1+1", "'=1+1", "''", "+a", "-a", "@a", "\ta", "\ra", "\na", "=1", "a\r\nb\rc\nd", "_x000D_",
         "_x0041_ _x005F_", "ax005F_b", " 前后 ", "{=1}", "http://a.cn", "#N/A", "TRUE", "1e5", "\x01\x1f", '"', ",", ";",
         "007")
letters = st.characters(exclude_categories=("Cs",), exclude_characters="\x00\ufffe\uffff")


def round_trip(form: Format, layer: OutLayer) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        form.write([layer], Path(folder))
        return form.read(Path(folder), layer)


@each_format
@given(layer=layers())
def test_whatever_is_written_reads_back_equal(form: Format, layer: OutLayer) -> None:
    read = round_trip(form, layer)
    assert differences(layer, read, form.kept) == []
    assert read.drop(columns="geometry").dtypes.to_dict() == layer.table.drop(columns="geometry").dtypes.to_dict()


@each_format
@given(text=st.sampled_from(NASTY) | st.text(letters, min_size=1, max_size=200))
def test_any_text_reads_back_letter_by_letter(form: Format, text: str) -> None:
    layer = plain_layer(MC=text)
    assert round_trip(form, layer)["MC"].iloc[0] == text


def test_text_that_xlsxwriter_would_write_as_markup_is_refused_by_the_workbook_alone() -> None:
    layer = plain_layer(MC="<r>&</r>")
    assert round_trip(CSV, layer)["MC"].iloc[0] == "<r>&</r>"
    with pytest.raises(ExportError, match="整段"):
        round_trip(XLSX, layer)


@given(text=st.text())
def test_the_mark_before_a_formula_comes_off_again(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize("text", NASTY)
def test_no_cell_and_no_heading_is_a_formula(text: str, tmp_path: Path) -> None:
    fields = (*FIELDS[:1], dataclasses.replace(FIELDS[1], zh=text), *FIELDS[2:])
    layer = plain_layer(MC=text)
    layer = dataclasses.replace(layer, profile=dataclasses.replace(layer.profile, fields=fields))
    CSV.write([layer], tmp_path)
    with (tmp_path / "ghzz.csv").open(encoding="utf-8-sig", newline="") as file:
        head, first, _ = csv.reader(file)
    assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in (*head, *first))
    assert head[1] == first[1] == guarded(text)
    XLSX.write([layer], tmp_path)
    sheet = openpyxl.load_workbook(tmp_path / "plan.xlsx")["规划站址"]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}
    assert differences(layer, XLSX.read(tmp_path, layer), XLSX.kept) == []


def test_csv_has_a_bom_and_chinese_headings(tmp_path: Path) -> None:
    CSV.write([plain_layer()], tmp_path)
    content = (tmp_path / "ghzz.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.decode("utf-8-sig").splitlines()[0] == (
        "站址编号,站址名称,站址类型,建设年度,覆盖人口,天线挂高(米),经度,填报日期,图形X(北,米;EPSG:4547),图形Y(东,米;EPSG:4547)"
        .replace("图形X(北,米;EPSG:4547)", '"图形X(北,米;EPSG:4547)"').replace("图形Y(东,米;EPSG:4547)", '"图形Y(东,米;EPSG:4547)"'))


def test_a_workbook_as_openpyxl_sees_it(tmp_path: Path) -> None:
    """Days are days, numbers numbers, north before east; the list of sheets says the CRS."""
    layer = plain_layer()
    XLSX.write([layer], tmp_path)
    book = openpyxl.load_workbook(tmp_path / "plan.xlsx")
    assert book.sheetnames == ["目录", "规划站址"]
    rows = list(book["规划站址"].iter_rows(values_only=True))
    head = rows.index(tuple(headings(layer)))
    point = layer.table.geometry.iloc[0]
    assert rows[head + 1] == ("A1", "溪口镇政府", "1", 2026, 1200, 35.5, 113.3928, pd.Timestamp("2026-06-30"),
                              pytest.approx(point.y, abs=1e-6), pytest.approx(point.x, abs=1e-6))
    assert rows[head + 2][1:8] == (None,) * 7
    assert book["规划站址"].freeze_panes == f"A{head + 2}"
    assert "EPSG:4547" in str(book["目录"].cell(3, 5).value)


def test_long_numbers_and_old_days_stand_as_text_and_are_told(tmp_path: Path) -> None:
    layer = plain_layer(RK=2**53 - 1, RQ="1850-01-01")
    XLSX.write([layer], tmp_path)
    sheet = openpyxl.load_workbook(tmp_path / "plan.xlsx")["规划站址"]
    cells = {cell.value for row in sheet.iter_rows() for cell in row}
    assert {"9007199254740991", "1850-01-01"} <= cells
    assert any("2 个值以文字写出" in str(cell) for cell in cells)
    assert differences(layer, XLSX.read(tmp_path, layer), XLSX.kept) == []


@pytest.mark.parametrize(("changes", "form", "words"), [
    ({"MC": "长" * 32_768}, XLSX, "超过一个单元格"), ({"MC": "𬭎" * 16_384}, XLSX, "超过一个单元格"),
    ({"MC": "<r><t>1</t></r>"}, XLSX, "整段 <r>"), ({"MC": "_x005F_x0041_"}, XLSX, "连写"),
    ({"MC": "a\x00"}, XLSX, "控制字符"), ({"MC": "a\ufffe"}, XLSX, "控制字符"), ({"MC": "a\ud800"}, XLSX, "半个代理对"),
    ({"MC": "a\ud800"}, CSV, "半个代理对"), ({"GG": np.inf}, XLSX, "无穷大"), ({"GG": -np.inf}, CSV, "无穷大")])
def test_what_no_cell_holds_is_an_error_with_its_row(changes: dict[str, object], form: Format, words: str,
                                                     tmp_path: Path) -> None:
    field, value = next(iter(changes.items()))
    layer = plain_layer()
    values = [value, None if field == "MC" else np.nan]
    kind = "object" if field == "MC" else "float64"  # a half letter has no place in an Arrow text
    table = layer.table.assign(**{field: pd.Series(values, dtype=kind)})
    with pytest.raises(ExportError, match=words) as told:
        form.write([dataclasses.replace(layer, table=table)], tmp_path)
    assert [(problem.row, problem.field) for problem in told.value.problems] == [("A1", field)]
    assert list(tmp_path.iterdir()) == []


def test_a_cell_holds_32767_letters(tmp_path: Path) -> None:
    layer = plain_layer(MC="长" * 32_767)
    assert round_trip(XLSX, layer)["MC"].iloc[0] == "长" * 32_767


@each_format
def test_points_of_several_or_none_are_an_error(form: Format, tmp_path: Path) -> None:
    layer = plain_layer()
    layer.table.geometry = [None, shapely.MultiPoint([(0, 0), (1, 1)])]
    with pytest.raises(ExportError) as told:
        form.write([layer], tmp_path)
    assert sorted((problem.row, problem.field) for problem in told.value.problems) == [
        ("A1", "geometry"), ("A2", "geometry")]


def square(crs: str) -> OutLayer:
    """0.01 by 0.01 degrees near 113.4 E, 22.5 N: about 1,029 m by 1,107 m."""
    data = {name: [None] for name in ("MC", "LX", "NF", "RK", "GG", "JD", "RQ")}
    return out_layer({"BH": ["C1"], **data}, [shapely.box(113.4, 22.5, 113.41, 22.51)], "Polygon", crs)


@each_format
@pytest.mark.parametrize("crs", ["EPSG:4547", "EPSG:4490"])
def test_areas_have_a_point_inside_and_their_size(form: Format, crs: str, tmp_path: Path) -> None:
    layer = square(crs)
    form.write([layer], tmp_path)
    if form is CSV:
        with (tmp_path / "ghzz.csv").open(encoding="utf-8-sig", newline="") as file:
            head, row = csv.reader(file)
    else:
        *_, head, row = openpyxl.load_workbook(tmp_path / "plan.xlsx")["规划站址"].iter_rows(values_only=True)
    told = dict(zip(head, row, strict=True))
    first, second = (float(value) for name, value in told.items() if str(name).startswith("代表点"))
    place = shapely.Point(first, second) if crs == "EPSG:4490" else shapely.Point(second, first)
    assert layer.table.geometry.iloc[0].contains(place)
    assert float(told["图形面积(平方米)"]) == pytest.approx(1_029 * 1_107, rel=0.002)


@given(titles=st.lists(st.text(max_size=60), max_size=6))
def test_names_of_sheets_are_taken_by_excel(titles: list[str]) -> None:
    names = sheet_names(titles)
    assert len({name.casefold() for name in names}) == len(titles)
    for name in names:
        assert 0 < len(name.encode("utf-16-le")) <= 62
        assert not set(name) & set("[]:*?/\\")
        assert not name.startswith("'")
        assert not name.endswith("'")


@each_format
def test_same_layers_same_bytes(form: Format, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        form.write([plain_layer(), dataclasses.replace(plain_layer(), name="ghzz_4526")], tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@each_format
def test_two_layers_of_one_title_do_not_mix(form: Format, tmp_path: Path) -> None:
    one, other = plain_layer(MC="甲"), dataclasses.replace(plain_layer(BH="B1", MC="乙"), name="other")
    form.write([one, other], tmp_path)
    for layer in (one, other):
        assert differences(layer, form.read(tmp_path, layer), form.kept) == []


@each_format
@pytest.mark.parametrize("fault", ["cut", "absent", "another zone", "a value changed"])
def test_a_file_that_says_something_else_is_noticed(form: Format, fault: str, tmp_path: Path) -> None:
    layer = plain_layer()
    wrong = {"another zone": layer.table.set_crs("EPSG:4546", allow_override=True),
             "a value changed": layer.table.assign(GG=[35.51, np.nan])}.get(fault, layer.table)
    form.write([dataclasses.replace(layer, table=wrong)], tmp_path)
    path = tmp_path / FILES[form.id]
    if fault == "absent":
        path.unlink()
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:path.stat().st_size * 3 // 4])
    try:
        found = differences(layer, form.read(tmp_path, layer), form.kept)
    except ExportError as error:
        found = [str(error)]
    assert found


def test_typed_columns_are_those_of_an_exchange_layer() -> None:
    assert typed_column("int", ["1", "", None]).dtype == "Int64"
    assert typed_column("float", ["1.5", ""]).tolist()[0] == 1.5
    assert typed_column("date", ["1850-01-01T12:30:00"]).iloc[0] == pd.Timestamp("1850-01-01 12:30:00")
    assert str(typed_column("text", ["", "a"]).dtype) == "str"


def test_the_workbook_holds_no_time_of_writing(tmp_path: Path) -> None:
    XLSX.write([plain_layer()], tmp_path)
    with ZipFile(tmp_path / "plan.xlsx") as parts:
        assert {entry.date_time[0] for entry in parts.infolist()} == {1980}
        assert b"2000-01-01T00:00:00Z" in parts.read("docProps/core.xml")


@each_format
@pytest.mark.parametrize("column", [8, 9, 10])
def test_the_place_and_the_size_of_an_area_are_compared(form: Format, column: int, tmp_path: Path) -> None:
    """The columns behind the fields: X, Y of a place inside, area; written for another shape they are noticed."""
    blank = {field.name: [None] for field in FIELDS}
    layer = out_layer({**blank, "BH": ["C1"]}, [shapely.box(113.0, 22.5, 113.01, 22.51)], "Polygon")
    way = {8: (0.0, 0.01), 9: (0.01, 0.0), 10: (0.0, 0.0)}[column]
    table = layer.table.set_geometry(layer.table.translate(*way) if any(way) else layer.table.buffer(0.5, join_style=2))
    form.write([layer], tmp_path)
    assert differences(layer, form.read(tmp_path, layer), form.kept) == []
    form.write([dataclasses.replace(layer, table=table)], tmp_path)
    with pytest.raises(ExportError, match="C1 / " + ["代表点X", "代表点Y", "图形面积"][column - 8]):
        form.read(tmp_path, layer)


def test_numbers_of_more_digits_than_excel_keeps_are_texts(tmp_path: Path) -> None:
    layer = plain_layer(GG=123456789012345.12)
    assert round_trip(CSV, layer)["GG"].iloc[0] == 123456789012345.12
    XLSX.write([layer], tmp_path)
    assert differences(layer, XLSX.read(tmp_path, layer), XLSX.kept) == []
    cells = [cell.value for row in openpyxl.load_workbook(tmp_path / "plan.xlsx").worksheets[1] for cell in row]
    assert "123456789012345.12" in cells
    assert any("1 个值以文字写出:超过15位的数" in str(cell) for cell in cells)
