"""Reminder letters: who is due one, how often, with whom in copy; recorded once a day; answered by replies."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from siteplan.errors import RegisterError
from siteplan.register import Register, add_rows, read_rows, writing
from siteplan.register.duties import (
    Reminder,
    record_reminders,
    record_reply,
    reminders_due,
    tasks_from_minutes,
    unanswered_tasks,
)
from tests.registers import day, stamp

CUT = day("2026-06-30")
KNOWN = pd.DataFrame({"name": ["卫生健康局", "教育和体育局", "市领导小组"], "kind": ["department", "department", "group"]})


def tasks(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {"title": "开放校园屋面", "kind": "decision", "organisation": "教育和体育局", "issued_on": "2026-01-10",
            "due_on": "2026-06-29", "state": "open"}
    return pd.DataFrame([base | row for row in rows], index=[f"RW{n:06d}" for n in range(1, len(rows) + 1)])


def due(table: pd.DataFrame, on: str = "2026-06-30", **options: Any) -> tuple[Reminder, ...]:
    return reminders_due(table, KNOWN, day(on), 10, **options)


def test_one_letter_for_each_organisation_in_the_order_of_the_register() -> None:
    letters = due(tasks({}, {"due_on": "2026-05-31", "kind": "opening"}, {"organisation": "卫生健康局"},
                        {"due_on": "2026-06-30"}, {"organisation": "外地单位"}))
    assert [letter.organisation for letter in letters] == ["卫生健康局", "教育和体育局", "外地单位"]
    second = letters[1]
    assert [(item.task_id, item.days_late, item.source, item.why) for item in second.items] == [
        ("RW000002", 30, "场所开放", "逾期未反馈"), ("RW000001", 1, "会议议定", "逾期未反馈")]
    assert (second.day, second.reply_by, second.times, second.cc) == (CUT, day("2026-07-10"), 0, ())
    assert second.number == "〔2026〕    号"


def test_numbers_are_counted_when_asked_for() -> None:
    assert [letter.number for letter in due(tasks({}, {"organisation": "卫生健康局"}), first_number=7)] == [
        "〔2026〕7号", "〔2026〕8号"]


def test_nothing_is_due_when_all_have_replied_or_are_in_time() -> None:
    replied = {"due_on": "2026-05-01", "reminded_on": "2026-06-01", "reply_by": "2026-06-11", "reminders": 1,
               "replied_on": "2026-06-05"}
    assert due(tasks(replied, {"due_on": "2026-06-30"}, {"state": "done", "done_on": "2026-06-30"})) == ()


def test_within_the_term_of_a_reminder_there_is_no_second_one_but_on_its_own_day_the_same_again() -> None:
    table = tasks({"reminded_on": "2026-06-30", "reply_by": "2026-07-10", "reminders": 1})
    (again,) = due(table)
    assert again.times == 0
    assert due(table, "2026-07-01") == ()
    assert due(table, "2026-07-10") == ()
    (second,) = due(table, "2026-07-11")
    assert (second.times, second.cc) == (1, ("单位分管负责同志",))


def test_the_leading_group_gets_a_copy_of_the_third_letter() -> None:
    (letter,) = due(tasks({"due_on": "2026-03-31", "reminded_on": "2026-05-01", "reply_by": "2026-05-11",
                           "reminders": 2}))
    assert letter.cc == ("单位分管负责同志", "单位主要负责同志", "市领导小组")


def test_a_promise_that_was_not_kept_is_reminded_again() -> None:
    answered = {"due_on": "2026-03-31", "reminded_on": "2026-05-01", "reply_by": "2026-05-11", "reminders": 1,
                "replied_on": "2026-05-05", "promised_on": "2026-06-30"}
    assert due(tasks(answered)) == ()
    (letter,) = due(tasks(answered), "2026-07-01")
    assert letter.items[0].why == "承诺期限已过"


# ---------------------------------------------------------------- in the register

@pytest.fixture
def late(register: Register) -> Register:
    """Two tasks of minutes, due at the end of March."""
    row = {"meeting": "第一次例会", "day": "2026-01-20", "minutes_no": "溪通建纪〔2026〕1号", "due_on": "2026-03-31"}
    with writing(register, stamp("2026-01-20")) as transaction:
        tasks_from_minutes(transaction, [row | {"matter": "开放校园屋面", "organisation": "教育和体育局"},
                                         row | {"matter": "开放医院屋面", "organisation": "卫生健康局"}])
    return register


def letters_of(register: Register, on: str) -> tuple[Reminder, ...]:
    held = {name: read_rows(register, name, day(on)) for name in ("tasks", "organisations", "decisions")}
    return reminders_due(held["tasks"], held["organisations"], day(on), decisions=held["decisions"])


def test_reminders_are_recorded_once_a_day_and_the_letters_stay_the_same(late: Register) -> None:
    letters = letters_of(late, "2026-06-30")
    assert [letter.items[0].source for letter in letters] == ["溪通建纪〔2026〕1号"] * 2
    for changed in (2, 0):
        with writing(late, stamp("2026-07-02")) as transaction:
            assert record_reminders(transaction, letters_of(late, "2026-06-30")) == changed
    assert letters_of(late, "2026-06-30") == letters
    table = read_rows(late, "tasks")
    assert table["reminders"].tolist() == [1.0, 1.0]
    assert table["reminded_on"].tolist() == [pd.Timestamp("2026-06-30")] * 2
    assert table["reply_by"].tolist() == [pd.Timestamp("2026-07-10")] * 2
    assert read_rows(late, "tasks", day("2026-06-29"))["reminders"].isna().all(), "dated on the day of the letters"


def test_who_replies_is_no_longer_reminded_and_the_list_of_unanswered_ones_empties(late: Register) -> None:
    with writing(late, stamp("2026-06-30")) as transaction:
        record_reminders(transaction, letters_of(late, "2026-06-30"))
    with writing(late, stamp("2026-07-05")) as transaction:
        record_reply(transaction, "RW000001", day("2026-07-05"), "已协调,九月完成", day("2026-09-30"))
    (letter,) = letters_of(late, "2026-07-11")
    assert (letter.organisation, letter.times) == ("卫生健康局", 1)
    with writing(late, stamp("2026-07-11")) as transaction:
        record_reminders(transaction, [letter])
        record_reply(transaction, "RW000002", day("2026-07-11"), "医院正在装修", day("2026-12-31"))
    held = read_rows(late, "tasks")
    assert len(unanswered_tasks(held, day("2026-07-11"))) == 0
    assert held["reminders"].tolist() == [1.0, 2.0]
    assert [letter.organisation for letter in letters_of(late, "2026-10-01")] == ["教育和体育局"], "its promise is over"


def test_a_reminder_of_a_task_that_is_not_there_is_a_named_problem(late: Register) -> None:
    (letter, *_) = letters_of(late, "2026-06-30")
    (item,) = letter.items
    wrong = Reminder(**{**vars(letter), "items": (type(item)(**{**vars(item), "task_id": "RW000099"}),)})
    with pytest.raises(RegisterError, match="RW000099"), writing(late, stamp("2026-06-30")) as transaction:
        record_reminders(transaction, [wrong])


def test_a_reply_before_the_task_was_issued_is_refused(late: Register) -> None:
    with pytest.raises(RegisterError, match="反馈日期 2026-01-19 早于"), writing(late, stamp("2026-06-30")) as transaction:
        record_reply(transaction, "RW000001", day("2026-01-19"), "在办")


def test_a_task_added_by_hand_is_reminded_by_its_kind(register: Register) -> None:
    with writing(register, stamp("2026-01-10")) as transaction:
        add_rows(transaction, "tasks", [{"title": "督导", "kind": "督导检查", "organisation": "云岭镇", "state": "办理中",
                                         "issued_on": "2026-01-10", "due_on": "2026-03-01"}])
    (letter,) = letters_of(register, "2026-06-30")
    assert letter.items[0].source == "督导检查"
