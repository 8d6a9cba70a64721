"""Tasks: how they stand on a day, to the day; sums worked by hand; what a task may not be."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import RegisterError
from siteplan.register import Register, add_rows, edit_rows, read_rows, writing
from siteplan.register.duties import (
    block_task,
    cancel_task,
    finish_task,
    lights,
    overdue_tasks,
    reopen_task,
    task_sums,
    task_table,
    unanswered_tasks,
)
from tests.registers import day, stamp

CUT = day("2026-06-30")
NEXT = day("2026-07-01")


def task(**values: Any) -> dict[str, Any]:
    """A task issued in January and due at the cut-off."""
    return {"title": "开放校园屋面", "kind": "decision", "organisation": "教育和体育局", "issued_on": "2026-01-10",
            "due_on": "2026-06-30", "state": "open", **values}


def tasks(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([task(**row) for row in rows], index=[f"RW{n:06d}" for n in range(1, len(rows) + 1)])


def done(on: str, **values: Any) -> dict[str, Any]:
    return {"state": "done", "done_on": on, **values}


def blocked(on: str, **values: Any) -> dict[str, Any]:
    return {"state": "blocked", "blocked_on": on, "blocked_reason": "业主阻挠", **values}


def status(row: dict[str, Any], as_of: dt.date = CUT) -> str:
    return task_table(tasks(row), as_of)["status"].iloc[0]


# ---------------------------------------------------------------- status of one task

@pytest.mark.parametrize(("row", "at_cut", "day_after"), [
    ({}, "open", "late"),
    (done("2026-06-30"), "done", "done"),
    (done("2026-07-01"), "open", "done"),
    (done("2026-07-02"), "open", "late"),
    ({"due_on": "2026-06-29"}, "late", "late"),
    (blocked("2026-06-30"), "blocked", "blocked"),
    (blocked("2026-07-01"), "open", "blocked"),
    (done("2026-07-01", blocked_on="2026-05-01"), "blocked", "done"),
    ({"state": "cancelled", "cancelled_on": "2026-06-30"}, "cancelled", "cancelled"),
    ({"state": "cancelled", "cancelled_on": "2026-07-01"}, "open", "cancelled"),
])
def test_the_cut_off_is_exact(row: dict[str, Any], at_cut: str, day_after: str) -> None:
    assert [status(row, CUT), status(row, NEXT)] == [at_cut, day_after]


def test_a_task_that_is_issued_after_the_day_is_no_task_yet() -> None:
    rows = tasks({"issued_on": "2026-07-01", "due_on": "2026-12-31"}, {"issued_on": "2026-06-30"})
    assert len(task_table(rows, CUT)) == 1
    assert len(task_table(rows, NEXT)) == 2


def test_done_late_is_done_and_counted_apart() -> None:
    table = task_table(tasks(done("2026-06-29", due_on="2026-06-20"), done("2026-06-20", due_on="2026-06-20")), CUT)
    assert table[["status", "is_done_late", "days_late", "light"]].to_numpy().tolist() == [
        ["done", True, 9, "green"], ["done", False, 0, "green"]]


@pytest.mark.parametrize(("row", "light"), [
    ({"due_on": "2026-07-15"}, "yellow"), ({"due_on": "2026-07-16"}, "green"), ({"due_on": "2026-06-29"}, "red"),
    (blocked("2026-06-01", due_on="2026-12-31"), "yellow"), (blocked("2026-06-01", due_on="2026-06-29"), "red"),
    (done("2026-06-30", due_on="2026-01-31"), "green"),
])
def test_the_light_is_yellow_fifteen_days_ahead_or_blocked_and_red_overdue(row: dict[str, Any], light: str) -> None:
    assert task_table(tasks(row), CUT)["light"].iloc[0] == light


def test_the_warning_may_be_set_otherwise() -> None:
    assert task_table(tasks({"due_on": "2026-07-15"}), CUT, warn_days=14)["light"].iloc[0] == "green"


def test_the_half_year_holds_its_first_and_its_last_day() -> None:
    rows = tasks(done("2025-12-31", due_on="2026-12-31"), done("2026-01-01", due_on="2026-12-31"),
                 {"due_on": "2026-06-30"}, done("2026-07-01", due_on="2026-07-31"))
    table = task_table(rows, CUT)
    assert table["done_in_period"].tolist() == [False, True, False, False]
    assert table["due_in_period"].tolist() == [False, False, True, False]
    assert task_table(rows, day("2026-12-31"), since=day("2026-01-01"))["in_period"].tolist() == [True] * 4
    assert task_table(rows, day("2026-12-31"))["in_period"].tolist() == [True, True, False, True]


def test_rows_are_not_changed_and_empty_tables_have_all_columns() -> None:
    rows = tasks({}, done("2026-06-01"))
    before = rows.copy()
    task_table(rows, CUT)
    pd.testing.assert_frame_equal(rows, before)
    nothing = task_table(tasks().reindex(columns=rows.columns), CUT)
    assert {"status", "days_late", "light", "in_period"} <= set(nothing.columns)
    assert len(task_sums(nothing, CUT, "organisation")) == 0
    assert len(overdue_tasks(nothing, CUT)) == 0


# ---------------------------------------------------------------- overdue

def test_overdue_tasks_longest_first_with_what_was_answered() -> None:
    rows = tasks(
        {"due_on": "2026-06-29"},
        {"due_on": "2026-03-31", "reminded_on": "2026-05-01", "reply_by": "2026-05-11", "reminders": 1,
         "replied_on": "2026-05-05", "reply": "正在协调", "promised_on": "2026-06-29"},
        {"due_on": "2026-03-31", "reminded_on": "2026-05-01", "reply_by": "2026-05-11", "reminders": 1,
         "replied_on": "2026-04-30", "reply": "旧的反馈"},
        {"due_on": "2026-05-31", "replied_on": "2026-06-02", "reply": "七月完成", "promised_on": "2026-07-15"},
        blocked("2026-06-01", due_on="2026-06-10"), done("2026-06-30", due_on="2026-05-01"), {"due_on": "2026-06-30"})
    table = overdue_tasks(rows, CUT)
    assert table["days_late"].to_dict() == {"RW000002": 91, "RW000003": 91, "RW000004": 30, "RW000005": 20,
                                            "RW000001": 1}
    assert table["answered"].to_dict() == {"RW000002": True, "RW000003": False, "RW000004": True, "RW000005": False,
                                           "RW000001": False}
    assert table.index[table["promise_passed"]].tolist() == ["RW000002"]
    assert sorted(unanswered_tasks(rows, CUT).index) == ["RW000001", "RW000003", "RW000005"]
    assert table.loc["RW000005", ["status_zh", "blocked_reason"]].tolist() == ["受阻", "业主阻挠"]


def test_a_reply_after_the_day_is_not_known_on_the_day() -> None:
    rows = tasks({"due_on": "2026-05-31", "reminded_on": "2026-06-20", "reply_by": "2026-06-30",
                  "replied_on": "2026-07-01", "reply": "七月完成"})
    assert overdue_tasks(rows, CUT)[["answered", "waiting"]].to_numpy().tolist() == [[False, True]]
    assert overdue_tasks(rows, NEXT)[["answered", "waiting"]].to_numpy().tolist() == [[True, False]]


# ---------------------------------------------------------------- sums

def test_sums_worked_by_hand() -> None:
    """教育和体育局: due by 06-30 are four (1 in time, 1 late, 1 overdue, 1 due today), done of these 2: 50 %."""
    rows = tasks(done("2026-03-01", due_on="2026-03-31", partners="卫生健康局"), done("2026-05-02", due_on="2026-04-30"),
                 {"due_on": "2026-05-31"}, {}, {"due_on": "2026-09-30"}, done("2026-06-01", due_on="2026-10-31"),
                 {"state": "cancelled", "cancelled_on": "2026-02-01", "partners": "卫生健康局"},
                 {"organisation": "卫生健康局", "due_on": "2026-12-31", "partners": "教育和体育局|交通运输局"})
    sums = task_sums(rows, CUT, "organisation")
    edu = sums.loc["教育和体育局"]
    counts = ["total", "done", "done_late", "open", "late", "blocked", "overdue", "cancelled", "due", "due_done",
              "due_on_time", "helps_with"]
    assert edu[counts].tolist() == [6, 3, 1, 2, 1, 0, 1, 1, 4, 2, 1, 1]
    assert edu["rate"] == 0.5
    assert edu["on_time_rate"] == 0.25
    assert edu["next_due"] == pd.Timestamp("2026-06-30")
    assert edu["light"] == "red"
    health = sums.loc["卫生健康局"]
    assert health[["total", "due", "helps_with"]].tolist() == [1, 0, 1], "partners do not count twice"
    assert pd.isna(health["rate"]), "nothing was due: no rate, not a rate of 0"
    assert sums.loc["交通运输局", ["total", "helps_with", "light"]].tolist() == [0, 1, "green"]


def test_towns_stand_beside_their_county_and_nameless_ones_have_a_name() -> None:
    sums = task_sums(tasks({"county": "溪西县", "town": "云岭镇"}, {"county": "溪东县", "town": "云岭镇"}, {}), CUT, "town")
    assert sums.reset_index()[["town", "county", "total"]].to_numpy().tolist() == [
        ["未注明", "未注明", 1], ["云岭镇", "溪东县", 1], ["云岭镇", "溪西县", 1]]


_DAYS = st.dates(day("2026-01-01"), day("2026-12-31"))
_ROWS = st.lists(st.fixed_dictionaries({
    "issued_on": _DAYS, "due_on": _DAYS, "on": _DAYS,
    "state": st.sampled_from(["open", "done", "blocked", "cancelled"]), "organisation": st.sampled_from(["甲局", "乙局"]),
}), min_size=1, max_size=12)


@given(_ROWS, _DAYS)
def test_every_task_has_one_status_and_sums_add_up(rows: list[dict[str, Any]], as_of: dt.date) -> None:
    fields = {"done": "done_on", "blocked": "blocked_on", "cancelled": "cancelled_on"}
    table = pd.DataFrame([{**row, **({fields[row["state"]]: row["on"]} if row["state"] in fields else {})}
                          for row in rows])
    slow = [_slow_status(row, as_of) for row in rows if row["issued_on"] <= as_of]
    assert task_table(table, as_of)["status"].tolist() == slow
    sums = task_sums(table, as_of, "organisation")
    assert (sums["total"] == sums[["done", "open", "late", "blocked"]].sum(axis=1)).all()
    assert int(sums["total"].sum() + sums["cancelled"].sum()) == len(slow)
    assert (sums["due_done"] <= sums["due"]).all()


def _slow_status(row: dict[str, Any], as_of: dt.date) -> str:
    if row["state"] != "open" and row["on"] <= as_of:
        return str(row["state"])
    return "late" if row["due_on"] < as_of else "open"


def test_lights_of_organisations_say_what_they_rest_on() -> None:
    cases = pd.DataFrame({"title": ["甲站"], "kind": ["whistle"], "lead": ["溪西县"], "called": ["教育和体育局|交通运输局"],
                          "reported": ["教育和体育局"], "reported_on": ["2026-06-21"], "opened_on": ["2026-06-20"],
                          "county": ["溪西县"]}, index=["SX000001"])
    rows = tasks({"due_on": "2026-06-01"}, {"due_on": "2026-07-10", "organisation": "卫生健康局"})
    table = lights(rows, cases, CUT, "organisation")
    assert table[["light", "reasons"]].T.to_dict("list") == {
        "交通运输局": ["red", "1次未按时报到"], "卫生健康局": ["yellow", "1项临近期限"], "教育和体育局": ["red", "1项逾期"]}
    assert lights(rows, cases, NEXT, "organisation").loc["溪西县", "reasons"] == "1件吹哨超期"


# ---------------------------------------------------------------- in the register

def faults(register: Register, *rows: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(RegisterError) as caught, writing(register, stamp("2026-06-30")) as transaction:
        add_rows(transaction, "tasks", rows)
    return [(problem.row, problem.field) for problem in caught.value.problems]


def test_tasks_that_contradict_themselves_are_named(register: Register) -> None:
    assert faults(register, task(state="完成", done_on=None), task(state="done"), task(state="blocked"),
                  task(state="cancelled"), task(done_on="2026-06-01"), task(due_on="2026-01-09"),
                  task(partners="教育和体育局|交通运输局"), task(reply="在办"), task(organisation="教育局")) == [
        ("RW000001", "state"), ("RW000002", "done_on"), ("RW000003", "blocked_on"), ("RW000003", "blocked_reason"),
        ("RW000004", "note"), ("RW000005", "done_on"), ("RW000006", "due_on"), ("RW000007", "partners"),
        ("RW000008", "replied_on"), ("RW000009", "organisation")]


def test_the_life_of_a_task_keeps_to_its_moves(register: Register) -> None:
    with writing(register, stamp("2026-01-10")) as transaction:
        (one, two) = add_rows(transaction, "tasks", [task(), task()])
    with writing(register, stamp("2026-07-03")) as transaction:
        block_task(transaction, one, day("2026-04-01"), "业主阻挠")
        finish_task(transaction, two, day("2026-06-30"))
    assert task_table(read_rows(register, "tasks", CUT), CUT)["status"].tolist() == ["blocked", "done"]
    assert task_table(read_rows(register, "tasks"), day("2026-03-31"))["status"].tolist() == ["open", "open"]
    with writing(register, stamp("2026-07-04")) as transaction:
        reopen_task(transaction, one, day("2026-07-04"), "业主已同意")
    row = read_rows(register, "tasks").loc[one]
    assert row["state"] == "open"
    assert pd.isna(row["blocked_on"])
    assert pd.isna(row["blocked_reason"])
    with pytest.raises(RegisterError, match="不能从“已完成”变为“受阻”"), writing(register, stamp("2026-07-05")) as transaction:
        edit_rows(transaction, "tasks", {two: {"state": "blocked", "done_on": None, "blocked_on": "2026-07-05",
                                               "blocked_reason": "停电"}})
    with pytest.raises(RegisterError, match="没有写理由"), writing(register, stamp("2026-07-05")) as transaction:
        edit_rows(transaction, "tasks", {two: {"state": "open"}})
    with writing(register, stamp("2026-07-05")) as transaction:
        cancel_task(transaction, one, day("2026-07-05"), "会议纪要2026-9号取消")
    assert read_rows(register, "tasks").loc[one, "cancelled_on"] == pd.Timestamp("2026-07-05")
    assert task_table(read_rows(register, "tasks"), day("2026-07-04"))["status"].tolist() == ["late", "done"]
