"""Tasks: how they stand on a day, which are overdue, and the verbs that change them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from siteplan.register.duties._columns import days, half_year_start, numbers, span, spelled_codes, texts
from siteplan.register.store import DAY, Transaction, edit_rows
from siteplan.tables import read_table

STATUS_WORDS = {"done": "已完成", "blocked": "受阻", "late": "逾期", "open": "办理中", "cancelled": "已取消"}
OVERDUE_COLUMNS = ("title", "kind", "kind_zh", "organisation", "partners", "county", "town", "issued_on", "due_on",
                   "days_late", "status", "status_zh", "blocked_reason", "reminders", "reminded_on", "reply_by",
                   "replied_on", "reply", "promised_on", "answered", "promise_passed", "waiting", "light")


def task_table(tasks: pd.DataFrame, as_of: dt.date, *, since: dt.date | None = None, warn_days: int | None = None,
               ) -> pd.DataFrame:
    """Tasks as they stand at the end of a day: what is dated on the day counts, the day after does not.

    Parameters
    ----------
    tasks : DataFrame
        Rows of the table ``tasks``, as of the day or later: the days in the rows decide.
    as_of : date
    since : date, optional
        First day of the period of the flags; that of the half-year of the day when absent.
    warn_days : int, optional
        An open task that is due within so many days is yellow; of ``tables/cases.toml`` when absent.

    Returns
    -------
    DataFrame
        The tasks that are issued by the day, with

        * ``status``: done (``done_on`` up to the day), else blocked, else late (``due_on`` before the day), else open;
          tasks called off are ``cancelled``. ``status_zh`` in words.
        * ``is_overdue``: due before the day and neither done nor cancelled; blocked tasks can be overdue.
        * ``days_late``: days from ``due_on`` to the day, or to ``done_on`` of a done task; 0 where it is in time.
        * ``is_done_late``: done after ``due_on`` (逾期完成).
        * ``light``: red overdue; yellow blocked, or due within ``warn_days``; green else; empty for cancelled tasks.
        * ``done_in_period``, ``due_in_period``, ``in_period`` (one of them): between ``since`` and the day.

    Examples
    --------
    >>> tasks = pd.DataFrame({"due_on": ["2026-06-30"] * 2, "done_on": ["2026-06-30", "2026-07-01"]})
    >>> task_table(tasks, dt.date(2026, 6, 30))["status"].tolist()
    ['done', 'open']
    >>> task_table(tasks, dt.date(2026, 7, 1))[["status", "is_done_late"]].values.tolist()
    [['done', False], ['done', True]]
    """
    warn = read_table("cases")["tasks"]["warn_days"] if warn_days is None else warn_days
    day, first = pd.Timestamp(as_of), pd.Timestamp(since or half_year_start(as_of))
    out = pd.DataFrame(tasks)[~(days(tasks, "issued_on") > day).to_numpy(bool)].copy()
    state, due, done_on = texts(out, "state"), days(out, "due_on"), days(out, "done_on", as_of)
    is_cancelled = (state == "cancelled") & ~(days(out, "cancelled_on") > day)
    is_done = done_on.notna() & ~is_cancelled
    is_live = ~is_done & ~is_cancelled
    is_blocked = is_live & (state != "open") & days(out, "blocked_on", as_of).notna()
    is_overdue = is_live & (due < day)
    status = np.select([is_cancelled, is_done, is_blocked, is_overdue],
                       ["cancelled", "done", "blocked", "late"], "open")
    ended = done_on.where(is_done, day)
    is_soon = is_live & (due <= day + pd.Timedelta(days=warn))
    out["status"] = pd.Series(status, index=out.index, dtype="str")
    out["status_zh"] = out["status"].map(STATUS_WORDS).astype("str")
    out["kind_zh"] = spelled_codes("tasks", "kind", texts(out, "kind"))
    out["is_overdue"] = is_overdue
    out["is_done_late"] = is_done & (done_on > due)
    out["days_late"] = span(ended, due).where(is_overdue | is_done, 0.0).fillna(0.0).clip(lower=0.0).astype("int64")
    light = np.select([is_cancelled, is_overdue, is_blocked | is_soon], ["", "red", "yellow"], "green")
    out["light"] = pd.Series(light, index=out.index, dtype="str")
    out["done_in_period"] = is_done & (done_on >= first)
    out["due_in_period"] = ~is_cancelled & (due >= first) & (due <= day)
    out["in_period"] = out["done_in_period"] | out["due_in_period"]
    return out


def overdue_tasks(tasks: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Tasks that were due before a day and are neither done nor cancelled, the longest overdue first.

    Parameters
    ----------
    tasks : DataFrame
        Rows of the table ``tasks``; as of the day, so that reminders and replies are those of the day.
    as_of : date

    Returns
    -------
    DataFrame
        Columns of `OVERDUE_COLUMNS`, among them

        * ``answered``: a reply on or after the day of the last reminder; where none was sent, a reply after ``due_on``.
        * ``promise_passed``: the day that the reply promised is over.
        * ``waiting``: reminded, not answered, and the term of the reminder is not over.
    """
    table = task_table(tasks, as_of)
    table = table[table["is_overdue"]].copy()
    table["issued_on"], table["due_on"] = days(table, "issued_on"), days(table, "due_on")
    reminded, replied = days(table, "reminded_on", as_of), days(table, "replied_on", as_of)
    table["reminders"] = numbers(table, "reminders").fillna(0.0).astype("int64")
    table["reminded_on"], table["replied_on"] = reminded, replied
    table["promised_on"] = days(table, "promised_on").where(replied.notna())
    table["reply_by"] = days(table, "reply_by").where(reminded.notna())
    table["reply"] = texts(table, "reply").where(replied.notna(), "").astype("str")
    table["answered"] = np.where(reminded.notna(), replied >= reminded, replied > table["due_on"]).astype(bool)
    table["promise_passed"] = table["answered"] & (table["promised_on"] < pd.Timestamp(as_of))
    table["waiting"] = ~table["answered"] & (table["reply_by"] >= pd.Timestamp(as_of))
    for name in ("title", "kind", "organisation", "partners", "county", "town", "blocked_reason"):
        table[name] = texts(table, name)
    table = table.assign(row=table.index)
    return table.sort_values(["days_late", "organisation", "row"], ascending=[False, True, True])[list(OVERDUE_COLUMNS)]


def unanswered_tasks(tasks: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Overdue tasks that nobody has answered for (逾期未反馈); empty when all replied."""
    table = overdue_tasks(tasks, as_of)
    return table[~table["answered"]]


def finish_task(transaction: Transaction, task_id: str, day: dt.date, note: str = "") -> int:
    """Set a task done on a day; the change is dated on that day.

    Returns
    -------
    int
        1 where something changed.
    """
    return _move(transaction, task_id, day, note, {"state": "done", "done_on": day})


def block_task(transaction: Transaction, task_id: str, day: dt.date, reason: str) -> int:
    """Set a task blocked since a day, with the reason."""
    return _move(transaction, task_id, day, "", {"state": "blocked", "blocked_on": day, "blocked_reason": reason})


def reopen_task(transaction: Transaction, task_id: str, day: dt.date, why: str) -> int:
    """Set a task that was blocked, done or called off open again; days and reason of that state are emptied."""
    return edit_rows(transaction, "tasks", {task_id: {"state": "open", DAY: day}}, why)


def cancel_task(transaction: Transaction, task_id: str, day: dt.date, note: str) -> int:
    """Call a task off on a day; the note says why."""
    return _move(transaction, task_id, day, note, {"state": "cancelled", "cancelled_on": day})


def _move(transaction: Transaction, task_id: str, day: dt.date, note: str, values: dict[str, Any]) -> int:
    noted = {"note": note} if note else {}
    return edit_rows(transaction, "tasks", {task_id: {**values, **noted, DAY: day}}, note)
