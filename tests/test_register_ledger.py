"""The workbook of the register: edited by the office and read back; untouched it changes nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point

from siteplan.errors import RegisterError
from siteplan.export.register_ledger import CHOICES, write_ledger, write_register_layers
from siteplan.layers import ledger_sheets, read_list
from siteplan.register import Register, add_rows, edit_rows, read_events, read_rows, register_tables, writing
from siteplan.register.edits import EDITABLE, EditResult, apply_list
from siteplan.schema import match_columns
from tests.registers import day, stamp, toy_register

SITES: list[dict[str, Any]] = [
    {"name": "锦溪小学", "state": "储备", "kind": "宏站", "county": "溪西县", "department": "教育和体育局", "antenna_height_m": 25.5,
     "networks": "移动|电信", "is_free": True, "due_on": "2026-09-30", "station_count": 2, "capex_yuan": 123456.789,
     "note": "=1+1", "geometry": Point(437100.123, 2491200.456)},
    {"name": "东岸村委会", "state": "在建", "county": "溪东县", "origin": "manual", "study_id": "S-7",
     "geometry": Point(438000.0, 2491000.0)},
    {"name": "无位置", "state": "储备"}]


def filled(register: Register) -> Register:
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", SITES)
        add_rows(transaction, "tasks", [{"title": "开放学校楼顶", "organisation": "教育和体育局", "issued_on": "2026-01-10",
                                         "due_on": "2026-06-30", "state": "办理中", "partners": "卫生健康局|交通运输局"}])
        add_rows(transaction, "quotas", [{"title": "新建5G基站", "level": "市", "area": "溪口市", "measure": "新建", "unit": "基站",
                                          "value": 660, "by": "2026-12-31"}])
    return register


def sheet_of(path: Path, zh: str) -> tuple[openpyxl.Workbook, Any, dict[str, int]]:
    book = openpyxl.load_workbook(path)
    return book, book[zh], {cell.value: cell.column for cell in book[zh][1]}


def edit(path: Path, zh: str, row: int, **cells: object) -> None:
    """Change cells of a sheet as an office does; keys are headings."""
    book, sheet, columns = sheet_of(path, zh)
    for heading, value in cells.items():
        sheet.cell(row, columns[heading]).value = value
    book.save(path)


def give_back(register: Register, path: Path, on: str = "2026-07-02", author: str = "测试员") -> dict[str, EditResult]:
    sheets = ledger_sheets(path)
    return {table: apply_list(register, table, read_list(path, table, register.crs, layer=sheet),
                              stamp(on, author=author))
            for table, sheet in sheets.items()}


def count(register: Register) -> int:
    return len(read_events(register, with_void=True))


def test_a_ledger_that_nobody_touched_changes_nothing(register: Register, tmp_path: Path) -> None:
    path, before = write_ledger(filled(register), tmp_path / "ledger.xlsx"), count(register)
    done = give_back(register, path)
    assert sorted(done) == sorted(EDITABLE)
    assert {(result.added, result.changed) for result in done.values()} == {((), ())}
    assert done["sites"].unchanged == 3
    assert count(register) == before


def test_notes_print_whole_and_name_the_crs_in_chinese(tmp_path: Path) -> None:
    """A line of n half-widths in a column of 84 needs n / 84 lines of 15 points or more; the sheet is one page wide."""
    path = write_ledger(filled(toy_register(tmp_path / "r.gpkg")), tmp_path / "ledger.xlsx")
    sheet = openpyxl.load_workbook(path)["说明"]
    lines = {row: str(sheet.cell(row, 1).value) for row in range(2, sheet.max_row + 1)}
    assert any("CGCS2000 3度带" in line and "中央子午线" in line for line in lines.values())
    width = sheet.column_dimensions["A"].width
    for row, line in lines.items():
        needed = -(-sum(2 if ord(letter) > 0x2E80 else 1 for letter in line) // width)
        assert sheet.row_dimensions[row].height >= 15 * needed, line
    assert sheet.page_setup.fitToHeight == 0
    assert sheet.sheet_properties.pageSetUpPr.fitToPage


def test_edits_become_exactly_those_events(register: Register, tmp_path: Path) -> None:
    path, before = write_ledger(filled(register), tmp_path / "ledger.xlsx"), count(register)
    edit(path, "站址", 2, 状态="具备条件", 备注="清空", 应开通日期=dt.date(2026, 10, 31))
    edit(path, "站址", 5, 站址名称="新增站", 状态="储备", 所属县区="溪西县")
    done = give_back(register, path)["sites"]
    assert done.changed == ("ZZ000001",)
    assert done.added == ("ZZ000004",)
    log = read_events(register, table="sites", row_id="ZZ000001").iloc[1:]
    assert {(row.field, row.old, row.new) for row in log.fillna("").itertuples()} == {
        ("state", "reserve", "ready"), ("state_on", "2026-02-01", "2026-07-02"), ("note", "=1+1", ""),
        ("due_on", "2026-09-30", "2026-10-31")}
    assert count(register) == before + 4 + 1


def test_an_untouched_cell_of_an_older_copy_does_not_undo_what_others_did(register: Register, tmp_path: Path) -> None:
    path = write_ledger(filled(register), tmp_path / "ledger.xlsx")
    with writing(register, stamp("2026-03-01", author="另一人")) as transaction:
        edit_rows(transaction, "sites", {"ZZ000001": {"note": "后写的"}})
    edit(path, "站址", 2, **{"挂高(米)": 30})
    done = give_back(register, path)["sites"]
    row = read_rows(register, "sites").loc["ZZ000001"]
    assert (row["note"], row["antenna_height_m"]) == ("后写的", 30.0)
    assert ["保留后来的改动" in line.reason for line in done.ledger if line.field == "note"] == [True]


def test_a_cell_that_two_people_changed_is_a_problem_with_row_and_author(register: Register, tmp_path: Path) -> None:
    path = write_ledger(filled(register), tmp_path / "ledger.xlsx")
    with writing(register, stamp("2026-03-01", author="另一人")) as transaction:
        edit_rows(transaction, "sites", {"ZZ000001": {"note": "后写的"}})
    edit(path, "站址", 2, 备注="我写的", 地址="锦溪路1号")
    before = count(register)
    with pytest.raises(RegisterError) as caught:
        give_back(register, path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.row, problem.field) == ("ledger.xlsx", "2", "note")
    assert "此行已于 2026-03-01 由 另一人 改为“后写的”" in problem.reason
    assert count(register) == before


def test_a_copy_as_of_a_day_cannot_be_given_back(register: Register, tmp_path: Path) -> None:
    path = write_ledger(filled(register), tmp_path / "ledger.xlsx", as_of=day("2026-06-30"))
    edit(path, "站址", 2, 备注="改")
    with pytest.raises(RegisterError, match="截至2026-06-30"):
        give_back(register, path)


def test_text_is_no_formula_and_days_are_days(register: Register, tmp_path: Path) -> None:
    path = write_ledger(filled(register), tmp_path / "ledger.xlsx")
    book, sheet, columns = sheet_of(path, "站址")
    note, due = sheet.cell(2, columns["备注"]), sheet.cell(2, columns["应开通日期"])
    assert (note.value, note.data_type) == ("=1+1", "s")
    assert due.value.date() == dt.date(2026, 9, 30)
    assert book[CHOICES].sheet_state == "hidden"
    assert next(iter(sheet[1])).value == "储备库编号"


def test_coded_columns_and_organisations_have_lists_to_choose_from(register: Register, tmp_path: Path) -> None:
    path = write_ledger(filled(register), tmp_path / "ledger.xlsx")
    book, sheet, columns = sheet_of(path, "站址")
    lists = {str(rule.sqref).split(":")[0]: rule for rule in sheet.data_validations.dataValidation
             if rule.type == "list"}
    for heading, words in (("状态", ("储备", "具备条件", "已批准", "在建", "已开通", "受阻", "已撤销")),
                           ("免费开放公共区域", ("是", "否", "清空"))):
        cell = f"{openpyxl.utils.get_column_letter(columns[heading])}2"
        name, _, span = lists[cell].formula1.partition("!")
        assert name == CHOICES
        assert tuple(one.value for (one,) in book[CHOICES][span.replace("$", "")]) == words
    assert "教育和体育局" in [cell.value for row in book[CHOICES] for cell in row]


@pytest.mark.parametrize("table", EDITABLE)
def test_every_heading_is_read_as_its_own_field(table: str) -> None:
    from siteplan.export._register_columns import ledger_columns
    from siteplan.schema import layer_schema

    columns = [column for column in ledger_columns(register_tables()[table]) if column.name not in ("x", "y")]
    found = match_columns([column.heading for column in columns], layer_schema(f"register.{table}").fields.values())
    assert dict(found.columns) == {column.name: column.heading for column in columns}
    assert set(found.factors.values()) == {1.0}


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=30)


@settings(max_examples=12)
@given(names=st.lists(TEXT.filter(lambda text: text.strip()), min_size=1, max_size=4, unique=True), note=TEXT,
       height=st.none() | st.floats(0, 300), many=st.lists(TEXT, max_size=3), free=st.none() | st.booleans(),
       due=st.none() | st.dates(dt.date(1990, 1, 1), dt.date(2099, 12, 31)),
       east=st.floats(437000, 438000), north=st.floats(2491000, 2492000))
def test_whatever_stands_in_the_register_comes_back_unchanged(
        tmp_path_factory: pytest.TempPathFactory, names: list[str], note: str, height: float | None, many: list[str],
        free: bool | None, due: dt.date | None, east: float, north: float) -> None:
    folder = tmp_path_factory.mktemp("any")
    register = toy_register(folder / "r.gpkg")
    rows = [{"name": name, "state": "reserve", "note": note, "antenna_height_m": height, "networks": "|".join(many),
             "is_free": free, "due_on": due, "geometry": Point(east, north + place)}
            for place, name in enumerate(names)]
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", rows)
    path, before = write_ledger(register, folder / "ledger.xlsx", ("sites",)), count(register)
    done = give_back(register, path)["sites"]
    assert (done.added, done.changed, done.unchanged, count(register)) == ((), (), len(names), before)


def test_layers_for_qgis_are_a_copy_by_state_and_may_be_given_back(register: Register, tmp_path: Path) -> None:
    path, names = write_register_layers(filled(register), tmp_path)
    assert names == ("站址_储备", "站址_在建")
    assert sorted(pyogrio.list_layers(path)[:, 0]) == sorted(names)
    before = count(register)
    done = apply_list(register, "sites", read_list(path, "sites", register.crs), stamp("2026-07-02"))
    assert (done.added, done.changed, done.unchanged, count(register)) == ((), (), 2, before)
    layer = gpd.read_file(path, layer="站址_储备")
    layer.loc[0, "所属镇街"] = "云岭镇"
    layer.to_file(path, layer="站址_储备", driver="GPKG")
    done = apply_list(register, "sites", read_list(path, "sites", register.crs), stamp("2026-07-02"))
    assert done.changed == ("ZZ000001",)
    assert pd.DataFrame(read_rows(register, "sites")).loc["ZZ000001", "town"] == "云岭镇"
