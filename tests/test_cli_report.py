"""``siteplan report``: what it says and writes; bad input is a sentence, and nothing is written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import openpyxl
import pytest
import typer
from report_city import report_city
from typer.testing import CliRunner, Result

from siteplan.cli._report import report
from siteplan.register import Register, open_register, read_events
from tests.registers import toy_register

app = typer.Typer()
app.command()(report)
WIDE = {"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"}


@pytest.fixture
def where(report_register: Register) -> Path:
    path = report_register.place.path
    assert path is not None
    return path


def call(where: Path, *words: object) -> Result:
    return CliRunner().invoke(app, ["--register", str(where), *map(str, words)], env=WIDE)


def test_the_pack_is_written_and_its_files_are_named(where: Path, tmp_path: Path) -> None:
    events = len(read_events(open_register(where)))
    told = call(where, "--as-of", "2026-06-30", "--out", tmp_path)
    assert told.exit_code == 0, told.output
    assert "2026年上半年,截止日 2026-06-30:任务 6 项,完成 1,逾期 4,受阻 0;站址开通 1 处,本期 1 处" in told.output
    assert str(tmp_path / "2026-06-30" / "half_year.xlsx") in told.output
    assert (tmp_path / "2026-06-30" / "half_year_report.docx").is_file()
    assert len(read_events(open_register(where))) == events, "a report only reads"


def test_letters_are_noted_only_when_somebody_says_they_went_out(tmp_path: Path) -> None:
    report_city(tmp_path / "own.gpkg")
    told = call(tmp_path / "own.gpkg", "--as-of", "2027-01-15", "--out", tmp_path / "out", "--send-reminders", "测试员")
    assert told.exit_code == 0, told.output
    assert "2026年度报告和 2027 年度工作计划一并生成" in told.output
    names = {path.name for path in (tmp_path / "out" / "2027-01-15").iterdir()}
    assert {"annual_report.docx", "year_plan.docx"} <= names
    assert "已记入储备库:催办函 4 份,任务 4 项" in told.output
    events = read_events(open_register(tmp_path / "own.gpkg"), field="reminded_on")
    assert set(events["author"]) == {"测试员"}
    assert set(events["day"].dt.date.astype(str)) == {"2027-01-15"}


@pytest.mark.parametrize(("words", "said"), [
    (("--as-of", "2026-06-31"), "2026-06-31 不是日期"), (("--as-of", "June"), "June 不是日期"), (("--as-of", ""), "没有写截止日"),
    (("--as-of", "2026-06-30", "--previous", "2026-06-30"), "不早于截止日"),
    (("--as-of", "2026-06-30", "--template-dir", "none"), "文件夹不存在"),
    (("--as-of", "2026-06-30", "--register", "none.gpkg"), "文件不存在")])
def test_bad_input_is_told_and_nothing_is_written(where: Path, words: tuple[str, ...], said: str, tmp_path: Path,
                                                  ) -> None:
    told = call(where, *words, "--out", tmp_path / "out")
    assert told.exit_code == 2
    assert said in told.output
    assert "Traceback" not in told.output
    assert not (tmp_path / "out").exists()


def test_a_row_edited_by_hand_is_told_with_what_to_do(tmp_path: Path) -> None:
    report_city(tmp_path / "own.gpkg")
    with sqlite3.connect(tmp_path / "own.gpkg") as other:
        other.execute("UPDATE quotas SET value = 1")
    other.close()
    told = call(tmp_path / "own.gpkg", "--as-of", "2026-06-30", "--out", tmp_path / "out")
    assert told.exit_code == 2
    assert "ZB000001" in told.output
    assert "这一行被其他程序改动过" in told.output
    assert "siteplan register check" in told.output
    assert not (tmp_path / "out").exists()


def test_a_register_with_nothing_by_the_cut_off_is_reported_with_a_warning(tmp_path: Path) -> None:
    toy_register(tmp_path / "own.gpkg")
    told = call(tmp_path / "own.gpkg", "--as-of", "2026-06-30", "--out", tmp_path / "out")
    assert told.exit_code == 0, told.output
    assert "注意:储备库是空的" in told.output
    rows = list(openpyxl.load_workbook(tmp_path / "out" / "2026-06-30" / "half_year.xlsx")["总体情况"].values)
    assert any(str(row[0]).startswith("注意:储备库是空的") for row in rows)
    assert {row[1]: row[2] for row in rows if row[1]}["到期任务完成率"] == "无"
