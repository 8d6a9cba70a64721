"""The pack of files: exact cut-off in the workbook, equal bytes, text that is no formula, whole when killed."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from PIL import Image
from report_city import HOSTILE, report_city

from siteplan.errors import ExportError
from siteplan.register import edit_rows, open_register, read_events, read_rows, writing
from siteplan.report import Pack, send_reminders, write_report
from siteplan.report._document_facts import more_of, rows_of
from siteplan.report.facts import facts_of
from siteplan.report.period import year_closed_by
from siteplan.report.reading import register_states
from siteplan.report.workbook import report_sheets, write_workbook
from tests.registers import stamp

ROOT = Path(__file__).resolve().parents[1]
JUNE = dt.date(2026, 6, 30)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.fixture
def city(report_register: Any) -> Any:
    return report_register


@pytest.fixture
def june(june_pack: Pack) -> Pack:
    return june_pack


def digests(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def folder_of(pack: Pack) -> Path:
    return next(path.parent for path in pack.files if path.name == "half_year.xlsx")


def cells(path: Path, sheet: str) -> dict[str, dict[str, Any]]:
    """Rows of a sheet by their first cell, each by heading."""
    rows = list(openpyxl.load_workbook(path)[sheet].iter_rows(values_only=True))
    top = next(number for number, row in enumerate(rows) if sum(cell is not None for cell in row) > 2)
    return {str(row[0]): dict(zip(rows[top], row, strict=True)) for row in rows[top + 1:]}


def test_the_pack_of_a_half_year_has_all_its_files(june: Pack) -> None:
    assert set(digests(folder_of(june))) == {
        "half_year.xlsx", "half_year_report.docx", "town_sheet.docx", "map.png", "progress_map.html",
        "export-files.csv",
        "reminders/01_教育和体育局.docx", "reminders/02_卫生健康局.docx", "reminders/03_交通运输局.docx",
        "reminders/04_溪西县.docx"}
    assert folder_of(june).name == "2026-06-30"


def test_the_year_is_reported_on_its_last_day(city: Any) -> None:
    """And in January: see the tests of the command."""
    year = year_closed_by(day("2026-12-31"))
    assert year is not None
    states = register_states(city, {year.last: (), year.before: ("sites",)})
    annual = facts_of(states[year.last], year, states[year.before])
    assert (annual.period.title, annual.numbers["on_air_now"], annual.period.plan_year) == ("2026年度", 2, 2027)


def test_a_task_done_on_the_cut_off_counts_in_the_workbook_and_one_of_the_next_day_does_not(june: Pack) -> None:
    path = folder_of(june) / "half_year.xlsx"
    ledger = cells(path, "任务台账")
    assert (ledger["RW000001"]["状态"], ledger["RW000001"]["完成日期"]) == ("已完成", "2026-06-30")
    assert ledger["RW000002"]["状态"] == "逾期", "done on 07-01"
    assert cells(path, "部门")["教育和体育局"]["已完成"] == 1
    assert cells(path, "部门")["卫生健康局"]["已完成"] == 0
    summary = {row["项目"]: row["数值"] for row in cells_of(path)}
    assert (summary["已完成"], summary["其中本期开通"], summary["平均办结天数"]) == (1, 1, 61)


def cells_of(path: Path) -> list[dict[str, Any]]:
    rows = list(openpyxl.load_workbook(path)["总体情况"].iter_rows(values_only=True))
    top = next(number for number, row in enumerate(rows) if row[0] == "类别")
    return [dict(zip(rows[top], row, strict=True)) for row in rows[top + 1:]]


def test_every_sheet_names_the_cut_off_the_rule_and_the_last_event(june: Pack) -> None:
    book = openpyxl.load_workbook(folder_of(june) / "half_year.xlsx")
    assert book.sheetnames == ["总体情况", *(sheet.sheet for sheet in report_sheets().values())]
    for sheet in book.worksheets:
        head = " ".join(str(row[0]) for row in sheet.iter_rows(max_row=4, max_col=1, values_only=True))
        assert "2026-06-30" in head, sheet.title
        assert f"最后一条变更号 {june.facts.last_event}" in head, sheet.title
        assert sheet.title == "总体情况" or "口径:" in head, sheet.title


def test_a_sheet_without_rows_says_so(june: Pack) -> None:
    book = openpyxl.load_workbook(folder_of(june) / "half_year.xlsx")
    texts = [str(cell) for row in book["里程碑"].iter_rows(values_only=True) for cell in row if cell]
    assert "没有记录" in texts


def test_late_blocked_and_red_are_in_colour(june: Pack) -> None:
    sheet = openpyxl.load_workbook(folder_of(june) / "half_year.xlsx")["任务台账"]
    shown = {str(cell.value): cell.fill.start_color.rgb for row in sheet.iter_rows() for cell in row
             if cell.value in ("逾期", "红", "已完成")}
    assert shown["逾期"] == shown["红"] == "FFFFC7CE"
    assert shown["已完成"] == "00000000"


def test_a_name_is_never_a_formula(june: Pack) -> None:
    book = openpyxl.load_workbook(folder_of(june) / "half_year.xlsx")
    found = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row if cell.value == HOSTILE]
    assert found
    assert {cell.data_type for cell in found} == {"s"}
    assert not any(cell.data_type == "f" for sheet in book.worksheets for row in sheet.iter_rows() for cell in row)


def test_the_same_state_gives_the_same_bytes(june: Pack, city: Any, tmp_path: Path) -> None:
    again = write_report(open_register(city.place.path), JUNE, tmp_path)
    assert digests(folder_of(again)) == digests(folder_of(june))


def test_a_report_changes_nothing_and_letters_are_noted_once_when_asked(june: Pack, city: Any, tmp_path: Path) -> None:
    register = report_city(tmp_path / "r.gpkg")
    assert len(read_events(city)) == len(read_events(register)), "reports were written from this one"
    assert send_reminders(register, june.facts, stamp("2026-06-30", "发出")) == 4
    noted = read_rows(register, "tasks").loc["RW000003"]
    assert (noted["reminders"], str(noted["reply_by"])[:10]) == (1, "2026-07-10")
    assert send_reminders(register, june.facts, stamp("2026-06-30", "发出")) == 0


def test_many_rows_are_cut_and_the_rest_is_told(june: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    from siteplan.report import workbook

    short = {key: dataclasses.replace(sheet, most=2) for key, sheet in report_sheets().items()}
    monkeypatch.setattr(workbook, "report_sheets", lambda: short)
    sheet = openpyxl.load_workbook(write_workbook(june.facts, tmp_path / "a.xlsx"))["任务台账"]
    texts = [str(row[0]) for row in sheet.iter_rows(values_only=True)]
    assert any("共6行,列出前2行" in text for text in texts)
    assert sum(text.startswith("RW") for text in texts) == 2


def test_the_picture_shows_something(june: Pack) -> None:
    with Image.open(folder_of(june) / "map.png") as picture:
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 50


def test_a_file_that_somebody_changed_is_not_replaced(june: Pack, city: Any, tmp_path: Path) -> None:
    own = Path(shutil.copytree(folder_of(june), tmp_path / "2026-06-30")) / "half_year_report.docx"
    own.write_bytes(own.read_bytes() + b" ")
    before = digests(tmp_path)
    with pytest.raises(ExportError, match=r"half_year_report\.docx"):
        write_report(city, JUNE, tmp_path)
    assert digests(tmp_path) == before


STOPPED = """
import datetime as dt, sys, time
from pathlib import Path
from siteplan.export import _staging
from siteplan.register import open_register
from siteplan.report import pack

module, name = (pack, "write_list") if sys.argv[3] == "written" else (_staging, "_exchanged")
usual = getattr(module, name)
def stop(*given):
    result = usual(*given)
    print("stopped", flush=True)
    time.sleep(60)
    return result
setattr(module, name, stop)
pack.write_report(open_register(sys.argv[1]), dt.date(2026, 6, 30), Path(sys.argv[2]))
"""


@pytest.mark.parametrize(("when", "is_new"), [("written", False), ("moved", True)])
def test_a_killed_report_leaves_the_old_or_the_new_pack_and_the_register(june: Pack, when: str, is_new: bool,
                                                                         tmp_path: Path) -> None:
    register = report_city(tmp_path / "r.gpkg")
    out = tmp_path / "out"
    shutil.copytree(folder_of(june), out / "2026-06-30")
    with writing(register, stamp("2026-07-03", "补登")) as t:
        edit_rows(t, "tasks", {"RW000003": {"state": "done", "done_on": day("2026-06-30")}})
    with subprocess.Popen([sys.executable, "-c", STOPPED, str(register.place.path), str(out), when], cwd=ROOT,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"stopped\n"
        os.kill(process.pid, signal.SIGKILL)
    left = digests(out / "2026-06-30")
    assert (left == digests(folder_of(june))) is not is_new
    assert cells(out / "2026-06-30" / "half_year.xlsx", "任务台账")["RW000003"]["状态"] == ("已完成" if is_new else "逾期")
    assert len(read_rows(open_register(register.place.path), "sites")) == 6
    if is_new:
        return
    write_report(register, JUNE, out)
    assert not list(out.glob(".siteplan-*")), "what it left beside is gone"


def test_documents_list_who_has_something_to_tell_and_count_the_others(june: Pack) -> None:
    every = june.facts.tables["departments"]
    idle = every["name"][(every["tasks_total"] + every["missed"] + every["refusals"] == 0).to_numpy(bool)]
    listed = [row["name"] for row in rows_of(june.facts, "departments")]
    assert len(idle)
    assert sorted([*listed, *idle]) == sorted(every["name"])
    assert more_of(june.facts, "departments") == f"另有{len(idle)}个单位没有任务和事项,见 half_year.xlsx“部门”"
    assert all(row["score"] for row in rows_of(june.facts, "scores"))
