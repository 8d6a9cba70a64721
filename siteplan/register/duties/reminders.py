"""Reminder letters (催办函): who is due one on a day, what they hold; that they were sent, and what was replied."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from siteplan.register.duties._columns import spelled_codes, texts
from siteplan.register.duties.tasks import overdue_tasks
from siteplan.register.store import DAY, Transaction, edit_rows, read_rows
from siteplan.tables import read_table


@dataclass(frozen=True)
class ReminderItem:
    """One task of a reminder.

    Attributes
    ----------
    task_id, title : str
    due_on : date
    days_late : int
    source : str
        Number of the minutes where they are known, else the kind of the task.
    why : str
        Why it is in the letter: not answered, or the promised day is over.
    blocked_reason : str
        Empty where it is not blocked.
    times : int
        How often it was reminded before this letter.
    """

    task_id: str
    title: str
    due_on: dt.date
    days_late: int
    source: str
    why: str
    blocked_reason: str
    times: int


@dataclass(frozen=True)
class Reminder:
    """One letter to one organisation.

    Attributes
    ----------
    organisation : str
    number : str
        Number of the letter, left open or counted.
    title : str
    items : tuple of ReminderItem
        The longest overdue first.
    reply_by, day : date
        When an answer is due; the day of the letter.
    cc : tuple of str
        Who gets a copy.
    times : int
        How often the item that was reminded most was reminded before.
    """

    organisation: str
    number: str
    title: str
    items: tuple[ReminderItem, ...]
    reply_by: dt.date
    day: dt.date
    cc: tuple[str, ...]
    times: int


def reminders_due(tasks: pd.DataFrame, organisations: pd.DataFrame, as_of: dt.date, reply_days: int | None = None, *,
                  decisions: pd.DataFrame | None = None, first_number: int | None = None) -> tuple[Reminder, ...]:
    """One letter for each organisation that leads overdue tasks it has not answered for, or whose promise is over.

    A task that was reminded is left alone until the term of its reminder is over. On the day of a reminder itself the
    same letter is due, so that it can be printed again.

    Parameters
    ----------
    tasks : DataFrame
        Rows of the table ``tasks`` as of the day.
    organisations : DataFrame
        Rows of that table: the order of the letters, names of the leading group.
    as_of : date
        Day of the letters.
    reply_days : int, optional
        Days to answer; of ``tables/cases.toml`` when absent.
    decisions : DataFrame, optional
        Rows of that table: numbers of minutes.
    first_number : int, optional
        Number of the first letter, the others follow; left open when absent.

    Returns
    -------
    tuple of Reminder
    """
    entry = read_table("cases")["reminders"]
    days_to_reply = read_table("cases")["tasks"]["reply_days"] if reply_days is None else reply_days
    table = overdue_tasks(tasks, as_of)
    is_today = table["reminded_on"] == pd.Timestamp(as_of)
    table = table[(~table["answered"] & (~table["waiting"] | is_today)) | table["promise_passed"]]
    table = table.assign(
        times=(table["reminders"] - (table["reminded_on"] == pd.Timestamp(as_of))).clip(lower=0),
        source=_sources(tasks.loc[table.index], decisions),
        why=table["promise_passed"].map({True: entry["why_promise"], False: entry["why_late"]}))
    order = {name: place for place, name in enumerate(texts(organisations, "name"))}
    names = sorted(table["organisation"].unique(), key=lambda name: (order.get(name, len(order)), name))
    out = []
    for place, name in enumerate(names):
        group = table[table["organisation"] == name]
        items = tuple(ReminderItem(
            str(row.Index), row.title, row.due_on.date(), int(row.days_late), row.source, row.why, row.blocked_reason,
            int(row.times)) for row in group.itertuples())
        times = max(item.times for item in items)
        number = (entry["number_open"].format(year=as_of.year) if first_number is None
                  else entry["number"].format(year=as_of.year, number=first_number + place))
        out.append(Reminder(name, number, entry["title"], items, as_of + dt.timedelta(days=days_to_reply), as_of,
                            _copies(times, name, organisations), times))
    return tuple(out)


def _sources(tasks: pd.DataFrame, decisions: pd.DataFrame | None) -> list[str]:
    kinds = spelled_codes("tasks", "kind", texts(tasks, "kind"))
    papers: Mapping[str, str] = {}
    if decisions is not None:
        named = texts(decisions, "minutes_no").where(texts(decisions, "minutes_no") != "", texts(decisions, "meeting"))
        papers = dict(zip(decisions.index.astype("str"), named, strict=True))
    return [papers.get(decision, "") or kind for decision, kind in zip(texts(tasks, "decision_id"), kinds, strict=True)]


def _copies(times: int, organisation: str, organisations: pd.DataFrame) -> tuple[str, ...]:
    out: list[str] = []
    for rule in read_table("cases")["reminders"]["cc"]:
        if times >= rule["after"]:
            of_kind = (texts(organisations, "kind") == rule["kind"]) & bool(rule["kind"])
            out += [rule["words"], *texts(organisations, "name")[of_kind]]
    return tuple(name for name in dict.fromkeys(out) if name != organisation)


def record_reminders(transaction: Transaction, reminders: Iterable[Reminder]) -> int:
    """Note in the tasks that they were reminded: the day, once more, the day by which to answer.

    Returns
    -------
    int
        Tasks that changed; a task that was reminded on that day already is left as it is.
    """
    items = {item.task_id: reminder for reminder in reminders for item in reminder.items}
    found = read_rows(transaction.register, "tasks", connection=transaction.connection, ids=items)
    edits = {}
    for task_id, reminder in items.items():
        if task_id in found.index and found.loc[task_id, "reminded_on"] == pd.Timestamp(reminder.day):
            continue
        before = found.loc[task_id, "reminders"] if task_id in found.index else 0.0
        edits[task_id] = {"reminded_on": reminder.day, "reply_by": reminder.reply_by, DAY: reminder.day,
                          "reminders": (0 if pd.isna(before) else int(before)) + 1}
    return edit_rows(transaction, "tasks", edits)


def record_reply(transaction: Transaction, task_id: str, day: dt.date, reply: str, promised_on: dt.date | None = None,
                 ) -> int:
    """Note what an organisation replied on a day, and by when it promises to be done; an earlier promise goes.

    Returns
    -------
    int
        1 where something changed.
    """
    return edit_rows(transaction, "tasks", {task_id: {"replied_on": day, "reply": reply, "promised_on": promised_on,
                                                      DAY: day}})
