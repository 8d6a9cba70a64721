"""Decisions of meetings become tasks; plans of work of a year become tasks."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from siteplan.errors import Problem, RegisterError
from siteplan.register.dictionary import register_tables
from siteplan.register.duties._columns import days, flags, texts
from siteplan.register.opinions import places_meant
from siteplan.register.store import DAY, Transaction, add_rows, read_rows
from siteplan.register.store.names import checked_names
from siteplan.register.store.values import ValueFault, typed

Values = Mapping[str, Any]
MINUTE_COLUMNS = ("meeting", "day", "minutes_no", "matter", "organisation", "partners", "due_on", "county", "town",
                  "ref", "action", "value", "kind")
"""What a row of minutes may say; the rest is left."""
_REGISTER_ID = re.compile(r"(ZZ|CS)\d{6,}")


@dataclass(frozen=True)
class MinutesResult:
    """What became of the rows of minutes.

    Attributes
    ----------
    tasks, decisions : tuple of str
        Ids of the new tasks and of the new decisions, in the order of the rows.
    repeated : tuple of Problem
        Rows that are in the register already, or stand twice in the list; they were not added again.
    """

    tasks: tuple[str, ...]
    decisions: tuple[str, ...]
    repeated: tuple[Problem, ...]


def tasks_from_minutes(transaction: Transaction, rows: Iterable[Values]) -> MinutesResult:
    """Keep the decisions of meetings, and a task for each that somebody is to carry out.

    A row is one matter for one organisation: ``meeting, day, minutes_no, matter, organisation, partners, due_on,
    county, town, ref`` (id of a site or venue, of the register or of a plan), ``action, value, kind``. Without
    ``action`` it is handed to the organisation (交办). With keep, ban, move, year, refused, agreed or hard it is a
    decision on ``ref``; where an organisation or a term is named as well, there is also a task. A matter of the same
    paper for the same organisation and place is added once.

    Parameters
    ----------
    transaction : Transaction
    rows : iterable of mapping
        ``source_file`` and ``source_row`` name the row in problems.

    Returns
    -------
    MinutesResult
        What is wrong with rows is a problem of the transaction.
    """
    rows = list(rows)
    places = _Places.of(transaction, {_text(row.get("ref")) for row in rows})
    known, repeated = _known_matters(transaction), list[Problem]()
    decisions: list[dict[str, Any]] = []
    tasks: list[dict[str, Any] | None] = []
    for number, row in enumerate(rows, start=1):
        where = ("decisions", str(row.get("source_file") or "纪要"), str(row.get("source_row") or number))
        decision = _decision(transaction, row, places, where)
        task = _task(row, decision, places)
        key = _key(decision, task)
        if key in known:
            old = known[key]
            repeated.append(Problem(*where, "matter", f"“{_short(decision['why'])}”已登记({old}),没有重复登记",
                                    "内容有变化的,修改已登记的任务"))
            continue
        known[key] = f"本清单第{where[2]}行"
        decisions.append(decision)
        tasks.append(task)
    ids = add_rows(transaction, "decisions", decisions)
    wanted = [{**task, "decision_id": decision_id} for task, decision_id in zip(tasks, ids, strict=True)
              if task is not None]
    return MinutesResult(tuple(add_rows(transaction, "tasks", wanted)), tuple(ids), tuple(repeated))


@dataclass(frozen=True)
class _Places:
    """Site and venue that each id of the rows means; county and town of each by its id in the register."""

    ids: Mapping[str, tuple[str, str]]
    towns: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, transaction: Transaction, refs: Iterable[str]) -> _Places:
        towns: dict[str, tuple[str, str]] = {}
        for table in ("venues", "sites"):
            found = read_rows(transaction.register, table, connection=transaction.connection)
            areas = zip(texts(found, "county"), texts(found, "town"), strict=True)
            towns |= dict(zip(found.index.astype("str"), areas, strict=True))
        return cls(places_meant(transaction, filter(None, refs)), towns)


def _decision(transaction: Transaction, row: Values, places: _Places, where: tuple[str, str, str]) -> dict[str, Any]:
    fields = register_tables()["decisions"].fields
    day = typed(fields["day"], row.get("day"))
    for name, zh in (("day", "会议日期"), ("meeting", "会议"), ("matter", "事项")):
        if not _text(row.get(name)):
            transaction.problems.append(Problem(*where, name, f"{zh}为空", f"补填{zh}"))
    if isinstance(day, dt.date) and day > transaction.stamp.day:
        transaction.problems.append(Problem(*where, "day", f"会议日期 {day} 晚于登记日 {transaction.stamp.day}", "核对日期"))
        day = transaction.stamp.day
    action = typed(fields["action"], row.get("action")) or "task"
    ref = _text(row.get("ref"))
    site_id, venue_id = places.ids.get(ref, ("", ""))
    if ref and not (site_id or venue_id) and _REGISTER_ID.fullmatch(ref):
        transaction.problems.append(Problem(*where, "ref", f"储备库中没有编号 {ref}", "核对编号"))
    if not ref and action != "task" and not isinstance(action, ValueFault):
        transaction.problems.append(Problem(*where, "ref", "对站址或场所的决定没有写编号", "写明站址或场所编号"))
    return {
        "ref": ref, "site_id": site_id, "venue_id": venue_id,
        "action": row.get("action") if isinstance(action, ValueFault) else action, "value": row.get("value"),
        "who": row.get("meeting"), "day": row.get("day") if isinstance(day, ValueFault) else day,
        "why": row.get("matter"), "meeting": row.get("meeting"), "minutes_no": row.get("minutes_no"),
        "organisation": _organisation(transaction, row),
        "due_on": row.get("due_on"), "source_file": where[1], "source_row": where[2],
        DAY: day if isinstance(day, dt.date) else None}


def _organisation(transaction: Transaction, row: Values) -> Any:
    """The organisation of a row under its name; as it is written where the register does not know it."""
    name = _text(row.get("organisation"))
    found = checked_names(transaction, register_tables()["decisions"].fields["organisation"], name) if name else name
    return row.get("organisation") if isinstance(found, ValueFault) else found


def _task(row: Values, decision: Mapping[str, Any], places: _Places) -> dict[str, Any] | None:
    """The task of a row; None where a decision on a place asks nobody for anything."""
    if decision["action"] != "task" and not (_text(row.get("organisation")) or _text(row.get("due_on"))):
        return None
    county, town = places.towns.get(decision["site_id"] or decision["venue_id"], ("", ""))
    return {
        "title": row.get("matter"), "kind": row.get("kind") or "decision", "organisation": decision["organisation"],
        "partners": row.get("partners"), "county": _text(row.get("county")) or county,
        "town": _text(row.get("town")) or town,
        "site_id": decision["site_id"], "venue_id": decision["venue_id"], "issued_on": decision["day"],
        "due_on": row.get("due_on"), "state": "open", "source_file": decision["source_file"],
        "source_row": decision["source_row"], DAY: decision[DAY]}


def _key(decision: Mapping[str, Any], task: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What makes a matter the same: paper, matter, organisation, place."""
    paper = _text(decision["minutes_no"]) or f"{_text(decision['meeting'])} {_text(decision['day'])[:10]}"
    place = ("", "") if task is None else (_text(task["county"]), _text(task["town"]))
    return tuple(re.sub(r"\s+", "", part) for part in (
        paper, _text(decision["why"]), _text(decision["organisation"]), _text(decision["ref"]), *place))


def _known_matters(transaction: Transaction) -> dict[tuple[str, ...], str]:
    """Matters of meetings in the register, and the id under which each is kept."""
    decisions = read_rows(transaction.register, "decisions", connection=transaction.connection)
    tasks = read_rows(transaction.register, "tasks", connection=transaction.connection)
    named = zip(tasks.index, *(texts(tasks, name) for name in ("decision_id", "county", "town")), strict=True)
    of_decision = {decision: {"id": task_id, "county": county, "town": town}
                   for task_id, decision, county, town in named if decision}
    out: dict[tuple[str, ...], str] = {}
    for row in decisions.reset_index().to_dict("records"):
        if _text(row["meeting"]) or _text(row["minutes_no"]):
            task = of_decision.get(str(row["id"]))
            out.setdefault(_key({str(name): value for name, value in row.items()}, task),
                           str(task["id"] if task else row["id"]))
    return out


def _text(value: Any) -> str:
    return "" if value is None or value is pd.NaT or value is pd.NA or value != value else str(value).strip()


def _short(text: Any) -> str:
    words = _text(text)
    return words if len(words) <= 20 else f"{words[:20]}…"


def work_plan_rows(rows: Iterable[Values], year: int, issued_on: dt.date) -> list[dict[str, Any]]:
    """Rows of ``tasks`` for the plans of work that organisations make at the start of a year (年度工作计划).

    Parameters
    ----------
    rows : iterable of mapping
        ``organisation, title`` and what else a task has; ``due_on`` is the last day of the year where it is not given,
        which the note says.
    year : int
    issued_on : date
        Day on which the plans were handed in.

    Raises
    ------
    RegisterError
        A row has no organisation or title, or is due outside of the year; all problems at once.

    Examples
    --------
    >>> (row,) = work_plan_rows([{"organisation": "教育和体育局", "title": "开放校园屋面"}], 2026, dt.date(2026, 1, 9))
    >>> row["kind"], row["due_on"], row["note"]
    ('work_plan', datetime.date(2026, 12, 31), '计划未写期限,按年底')
    """
    field, out, problems = register_tables()["tasks"].fields["due_on"], list[dict[str, Any]](), list[Problem]()
    for number, row in enumerate(rows, start=1):
        where = ("tasks", str(row.get("source_file") or "年度计划"), str(row.get("source_row") or number))
        due = typed(field, row.get("due_on"))
        problems += [Problem(*where, name, f"{zh}为空", f"补填{zh}") for name, zh in (
            ("organisation", "责任单位"), ("title", "任务")) if not _text(row.get(name))]
        if isinstance(due, ValueFault):
            problems.append(Problem(*where, "due_on", due.reason, due.remedy))
        elif due is not None and (due.year != year or due < issued_on):
            problems.append(Problem(*where, "due_on", f"完成期限 {due} 不在 {year} 年计划期内({issued_on} 至 {year}-12-31)",
                                    "核对期限"))
        note = _text(row.get("note"))
        blank = "" if due is not None else "计划未写期限,按年底"
        out.append({**row, "kind": "work_plan", "state": "open", "issued_on": issued_on,
                    "due_on": due or dt.date(year, 12, 31), "note": ";".join(filter(None, (note, blank)))})
    if problems:
        raise RegisterError("年度工作计划须先改正:", problems)
    return out


def without_work_plan(tasks: pd.DataFrame, organisations: pd.DataFrame, year: int) -> tuple[str, ...]:
    """Members of the working group that have no plan of work for a year; departments where no member is marked.

    The leading group and the office collect plans and hand in none.
    """
    plans = tasks[(texts(tasks, "kind") == "work_plan").to_numpy(bool)]
    there = set(texts(plans, "organisation")[(days(plans, "due_on").dt.year == year).to_numpy(bool)])
    collects = texts(organisations, "kind").isin(["group", "office"])
    members: Sequence[str] = texts(organisations, "name")[flags(organisations, "in_group") & ~collects].tolist()
    members = members or texts(organisations, "name")[texts(organisations, "kind") == "department"].tolist()
    return tuple(name for name in members if name not in there)
