"""Lists applied to a register: new rows, changed rows, days of their own; the same in both stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_lists import book, csv
from test_register_ledger import filled

from siteplan.layers import read_list
from siteplan.register import Register, add_rows, read_events, read_rows, writing
from siteplan.register.edits import EditResult
from siteplan.register.list_kinds import KINDS, import_list
from tests.registers import day, stamp


def bring(register: Register, path: Path, kind: str, on: str = "2026-07-02", why: str = "", **more: Any) -> EditResult:
    return import_list(register, kind, read_list(path, KINDS[kind], register.crs), stamp(on, why), **more)


def test_new_rows_are_added_and_known_ones_are_left_alone(register: Register, tmp_path: Path) -> None:
    path = csv(tmp_path, "tasks.csv", "任务,责任单位,下达日期,完成期限\n甲,交通运输局,2026-01-10,2026-06-30\n"
                                      "乙,自然资源局,2026-01-10,2026-09-30\n")
    first = bring(register, path, "tasks")
    assert (first.added, first.changed, first.unchanged) == (("RW000001", "RW000002"), (), 0)
    assert any("按“办理中”" in line.reason for line in first.ledger)
    again = bring(register, path, "tasks")
    assert (again.added, again.changed, again.unchanged) == ((), (), 2)


def test_a_row_counts_from_its_own_day(register: Register, tmp_path: Path) -> None:
    """Entered on 2 July; the task was issued in January and done on 30 June, so the half-year counts it."""
    bring(register, csv(tmp_path, "tasks.csv", "任务,责任单位,下达日期,完成期限\n甲,交通运输局,2026-01-10,2026-06-30\n"), "tasks")
    bring(register, csv(tmp_path, "done.csv", "储备库编号,状态,完成日期,备注\nRW000001,已完成,2026-06-30,验收\n"), "tasks")
    assert read_rows(register, "tasks", day("2026-06-29")).loc["RW000001", "state"] == "open"
    row = read_rows(register, "tasks", day("2026-06-30")).loc["RW000001"]
    assert (row["state"], str(row["done_on"].date())) == ("done", "2026-06-30")
    assert row[["note"]].isna().all()  # the note itself was written on 2 July


def test_a_site_that_went_on_air_before_the_cut_off_counts_at_it(register: Register, tmp_path: Path) -> None:
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", [{"name": "甲", "state": "在建"}])
    bring(register, csv(tmp_path, "s.csv", "储备库编号,状态,开通日期\nZZ000001,已开通,2026-06-30\n"), "sites")
    assert read_rows(register, "sites", day("2026-06-30")).loc["ZZ000001", "state"] == "on_air"
    assert read_rows(register, "sites", day("2026-06-29")).loc["ZZ000001", "state"] == "building"


def test_short_names_and_titles_are_understood_and_told(register: Register, tmp_path: Path) -> None:
    filled(register)
    bring(register, csv(tmp_path, "o.csv", "单位名称,简称\n教育和体育局,教体局、教育局\n"), "organisations")
    done = bring(register, csv(tmp_path, "r.csv", "指标编号,截止日,累计完成数,上报单位\n新建5G基站,2026-06-30,330,教体局\n"), "reports")
    row = read_rows(register, "reports").loc[done.added[0]]
    assert (row["quota_id"], row["organisation"], row["value"]) == ("ZB000001", "教育和体育局", 330)
    assert sum("认作" in line.reason for line in done.ledger) == 2


def test_a_report_of_the_same_day_replaces_its_number(register: Register, tmp_path: Path) -> None:
    filled(register)
    text = "指标编号,截止日,累计完成数\nZB000001,2026-06-30,{}\n"
    bring(register, csv(tmp_path, "r.csv", text.format(330)), "reports")
    done = bring(register, csv(tmp_path, "r.csv", text.format(333)), "reports")
    assert (done.added, done.changed) == ((), ("SB000001",))
    assert read_rows(register, "reports")["value"].tolist() == [333]


@pytest.mark.parametrize("text", ["'; DROP TABLE sites; --", '"); DELETE FROM events; --', "=HYPERLINK(\"x\")",
                                  "%s {} ${x} \\x00"])
def test_hostile_words_are_words(register: Register, tmp_path: Path, text: str) -> None:
    path = book(tmp_path, "hostile.xlsx", ("任务", "责任单位", "下达日期", "完成期限", text),
                (text, "交通运输局", "2026-01-10", "2026-06-30", 1))
    sheet_is_text = read_list(path, "tasks")
    if sheet_is_text.problems:  # a formula that has no result is nothing that could be read
        return
    done = bring(register, path, "tasks")
    assert read_rows(register, "tasks").loc[done.added[0], "title"] == text
    assert len(read_events(register, table="tasks")) == 1
