"""Decisions of meetings become tasks, once; plans of work of a year."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from siteplan.errors import RegisterError
from siteplan.register import Register, add_rows, edit_rows, read_rows, writing
from siteplan.register.duties import (
    MinutesResult,
    task_table,
    tasks_from_minutes,
    without_work_plan,
    work_plan_rows,
)
from tests.registers import day, stamp


def minute(**values: Any) -> dict[str, Any]:
    return {"meeting": "第一次例会", "day": "2026-01-20", "minutes_no": "溪通建纪〔2026〕1号", "matter": "开放锦溪小学屋面",
            "organisation": "教育和体育局", "partners": "云岭镇", "due_on": "2026-03-31", **values}


def add(register: Register, *rows: dict[str, Any], on: str = "2026-02-01") -> MinutesResult:
    with writing(register, stamp(on)) as transaction:
        return tasks_from_minutes(transaction, rows)


@pytest.fixture
def places(register: Register) -> Register:
    """A register with one venue and one site."""
    with writing(register, stamp("2026-01-06")) as transaction:
        add_rows(transaction, "venues", [{"name": "锦溪小学", "study_id": "F0012", "county": "溪西县", "town": "云岭镇"}])
        add_rows(transaction, "sites", [{"name": "锦溪站", "state": "储备", "study_id": "V-facility:F0012",
                                         "former_ids": "V-facility:F0011", "county": "溪西县", "town": "云岭镇"}])
    return register


def test_a_matter_becomes_a_decision_and_a_task_that_refers_to_it(places: Register) -> None:
    done = add(places, minute(ref="F0012"))
    task = read_rows(places, "tasks").loc[done.tasks[0]]
    assert task[["title", "kind", "organisation", "partners", "state", "decision_id", "venue_id"]].tolist() == [
        "开放锦溪小学屋面", "decision", "教育和体育局", "云岭镇", "open", done.decisions[0], "CS000001"]
    assert task[["county", "town"]].tolist() == ["溪西县", "云岭镇"], "the place is that of the venue"
    decision = read_rows(places, "decisions").loc[done.decisions[0]]
    assert decision[["action", "minutes_no", "why", "ref"]].tolist() == ["task", "溪通建纪〔2026〕1号", "开放锦溪小学屋面", "F0012"]


def test_minutes_that_are_entered_late_count_from_the_day_of_the_meeting(register: Register) -> None:
    add(register, minute(day="2026-06-30", due_on="2026-12-31"), on="2026-07-10")
    assert len(task_table(read_rows(register, "tasks", day("2026-06-30")), day("2026-06-30"))) == 1
    assert len(read_rows(register, "tasks", day("2026-06-29"))) == 0


def test_decisions_about_a_site_are_kept_with_or_without_a_task(places: Register) -> None:
    nobody = {"organisation": None, "due_on": None, "partners": None}
    done = add(places, minute(matter="保留锦溪站", action="保留", ref="V-facility:F0012", **nobody),
               minute(matter="锦溪站改到下一年", action="year", value="2027", ref="ZZ000001"),
               minute(matter="不用旧址", action="ban", ref="G-ground:17", **nobody),
               minute(matter="原址", action="keep", ref="V-facility:F0011", **nobody))
    decisions = read_rows(places, "decisions")
    assert decisions["action"].tolist() == ["keep", "year", "ban", "keep"]
    assert decisions["site_id"].fillna("").tolist() == ["ZZ000001", "ZZ000001", "", "ZZ000001"]
    assert len(done.tasks) == 1
    assert read_rows(places, "tasks")["decision_id"].tolist() == [done.decisions[1]]


def test_a_matter_is_told_the_second_time_and_not_doubled(register: Register) -> None:
    first = add(register, minute(), minute(matter="开放 锦溪小学屋面"), minute(organisation="卫生健康局"))
    assert len(first.tasks) == 2, "the same matter for two organisations is two tasks"
    assert [problem.row for problem in first.repeated] == ["2"]
    again = add(register, minute(source_file="纪要.xlsx", source_row="5"), minute(minutes_no="溪通建纪〔2026〕2号"))
    assert len(again.tasks) == 1
    (told,) = again.repeated
    assert (told.file, told.row, told.field) == ("纪要.xlsx", "5", "matter")
    assert first.tasks[0] in told.reason
    assert len(read_rows(register, "tasks")) == 3


def test_a_short_name_is_the_same_organisation(register: Register) -> None:
    with writing(register, stamp("2026-01-06")) as transaction:
        names = read_rows(register, "organisations", connection=transaction.connection)["name"]
        edit_rows(transaction, "organisations", {names.index[names == "教育和体育局"][0]: {"words": "教体局"}})
    add(register, minute(organisation="教体局"))
    assert len(add(register, minute(organisation="教体局"), minute()).repeated) == 2
    assert read_rows(register, "tasks")["organisation"].tolist() == ["教育和体育局"]


def test_the_same_matter_in_two_counties_is_two_tasks_and_again_known(register: Register) -> None:
    rows = [minute(county=county, organisation=county, partners=None) for county in ("溪西县", "溪东县")]
    assert len(add(register, *rows).tasks) == 2
    assert len(add(register, *rows).repeated) == 2


def test_faults_of_minutes_are_named_with_their_rows(places: Register) -> None:
    rows = [minute(meeting=""), minute(day="2026-02-02"), minute(day="无"), minute(matter=""), minute(due_on=None),
            minute(action="飞行"), minute(action="keep"), minute(ref="ZZ000099"), minute(organisation="教育局"),
            minute(due_on="2026-01-19"), minute(partners="教育和体育局")]
    with pytest.raises(RegisterError) as caught:
        add(places, *(row | {"source_row": str(number), "matter": row["matter"] and f"事项{number}"}
                      for number, row in enumerate(rows, 2)))
    found = {(problem.row, problem.field) for problem in caught.value.problems}
    assert {("2", "meeting"), ("3", "day"), ("4", "day"), ("5", "matter"), ("6", "due_on"), ("7", "action"),
            ("8", "ref"), ("9", "ref"), ("10", "organisation"), ("11", "due_on"), ("12", "partners")} <= found
    assert {row for row, _ in found} == {str(number) for number in range(2, 13)}
    assert len(read_rows(places, "decisions")) == 0


# ---------------------------------------------------------------- plans of work

def test_plans_of_work_are_tasks_of_the_year(register: Register) -> None:
    rows = work_plan_rows([{"organisation": "教育和体育局", "title": "开放校园屋面", "due_on": "2026-09-30"},
                           {"organisation": "卫生健康局", "title": "开放医院屋面"}], 2026, dt.date(2026, 1, 9))
    with writing(register, stamp("2026-01-09")) as transaction:
        add_rows(transaction, "tasks", rows)
    table = task_table(read_rows(register, "tasks"), day("2026-06-30"))
    assert table[["kind", "status"]].to_numpy().tolist() == [["work_plan", "open"]] * 2
    assert table["due_on"].tolist() == [pd.Timestamp("2026-09-30"), pd.Timestamp("2026-12-31")]
    assert table["note"].fillna("").tolist() == ["", "计划未写期限,按年底"]
    left = without_work_plan(read_rows(register, "tasks"), read_rows(register, "organisations"), 2026)
    assert left == ("交通运输局", "自然资源局", "住房和城乡建设局", "城市管理和综合执法局", "市场监督管理局")
    assert len(without_work_plan(read_rows(register, "tasks"), read_rows(register, "organisations"), 2027)) == 7


def test_only_members_of_the_working_group_owe_a_plan_where_they_are_marked() -> None:
    known = pd.DataFrame({"name": ["甲局", "乙局"], "kind": ["department"] * 2, "in_group": [True, pd.NA]})
    assert without_work_plan(pd.DataFrame({"kind": [], "organisation": [], "due_on": []}), known, 2026) == ("甲局",)


def test_faults_of_plans_of_work_are_all_told() -> None:
    with pytest.raises(RegisterError) as caught:
        work_plan_rows([{"organisation": "", "title": "甲"}, {"organisation": "甲局", "title": " "},
                        {"organisation": "甲局", "title": "乙", "due_on": "2027-01-01"},
                        {"organisation": "甲局", "title": "丙", "due_on": "2026-01-08"},
                        {"organisation": "甲局", "title": "丁", "due_on": "年底"}], 2026, dt.date(2026, 1, 9))
    assert [(problem.row, problem.field) for problem in caught.value.problems] == [
        ("1", "organisation"), ("2", "title"), ("3", "due_on"), ("4", "due_on"), ("5", "due_on")]


def test_a_bare_id_of_a_facility_is_its_site_even_without_a_venue(places: Register) -> None:
    with writing(places, stamp("2026-01-07")) as transaction:
        add_rows(transaction, "sites", [{"name": "云岭站", "state": "储备", "study_id": "V-facility:F0015"}])
    done = add(places, minute(ref="F0015"), minute(matter="落实用电", ref="F9999"))
    assert read_rows(places, "decisions")["site_id"].fillna("").tolist() == ["ZZ000002", ""]
    assert read_rows(places, "tasks").loc[done.tasks[0], "site_id"] == "ZZ000002"
