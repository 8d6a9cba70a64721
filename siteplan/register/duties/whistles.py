"""What happens to a whistle case: opened, reported in, taken one level up, closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from siteplan.errors import Problem
from siteplan.register.dictionary import register_tables
from siteplan.register.duties._columns import parts_of, texts
from siteplan.register.duties.cases import case_levels
from siteplan.register.opinions import places_meant
from siteplan.register.store import DAY, Transaction, add_rows, edit_rows, read_rows
from siteplan.register.store.names import checked_names
from siteplan.register.store.values import ValueFault, typed

Values = Mapping[str, Any]


def open_case(transaction: Transaction, values: Values, day: dt.date | None = None) -> str:
    """Open a case: an enterprise whistles after its own talks failed, or a hard site is taken up.

    Parameters
    ----------
    transaction : Transaction
    values : mapping
        Columns of ``cases``. A whistle needs ``title``, ``enterprise``, ``failed_talks``, ``lead`` (the county's) and
        ``called`` (names joined by ``|``); ``kind`` is ``whistle`` where it is not given.
    day : date, optional
        Day of the whistle; that of the stamp when absent.

    Returns
    -------
    str
        Id of the case. What is missing is a problem of the transaction.
    """
    opened = day or transaction.stamp.day
    given = {"kind": "whistle", "level": 1, "opened_on": opened, DAY: opened, **values}
    (case_id,) = add_rows(transaction, "cases", [given])
    return case_id


def report_in(transaction: Transaction, case_id: str, organisations: Iterable[str], day: dt.date | None = None) -> int:
    """Note that called organisations reported in; ``reported_on`` is the day of the last that did.

    Returns
    -------
    int
        1 where something changed; who is known to have reported in changes nothing.
    """
    row = _case(transaction, case_id)
    if row is None:
        return 0
    there = parts_of(row["reported"])
    new = [name for name in dict.fromkeys(_names(transaction, organisations)) if name not in there]
    if not new:
        return 0
    when = day or transaction.stamp.day
    values = {"reported": "|".join([*there, *new]), "reported_on": when, DAY: when}
    return edit_rows(transaction, "cases", {case_id: values})


def escalate(transaction: Transaction, case_id: str, day: dt.date | None = None, why: str = "") -> int:
    """Take an open case one level up: 2 the city's office, 3 the leading group.

    Returns
    -------
    int
        The new level; the old one where the case is closed or at the highest, which is a problem.
    """
    row = _case(transaction, case_id)
    if row is None:
        return 0
    level = int(row["level"]) if pd.notna(row["level"]) else 1
    if pd.notna(row["closed_on"]):
        _problem(transaction, case_id, "closed_on", "已办结,不能再升级", "须重新办理的,先写明理由取消办结")
        return level
    if level >= max(case_levels()):
        _problem(transaction, case_id, "level", f"已在最高层级({case_levels()[level]['zh']})", "由领导小组办理")
        return level
    when = day or transaction.stamp.day
    edit_rows(transaction, "cases", {case_id: {"level": level + 1, f"level{level + 1}_on": when, DAY: when}}, why)
    return level + 1


def close_case(transaction: Transaction, case_id: str, outcome: str, day: dt.date | None = None, note: str = "") -> int:
    """Close a case with its outcome; the note is added to what was noted before.

    A hard site that is solved is hard no longer: the decisions ``hard`` on its site or venue are withdrawn that day.

    Returns
    -------
    int
        1 where something changed.
    """
    row = _case(transaction, case_id)
    if row is None:
        return 0
    when = day or transaction.stamp.day
    values: dict[str, Any] = {"closed_on": when, "outcome": outcome, DAY: when}
    if note:
        values["note"] = f"{row['note']};{note}" if isinstance(row["note"], str) else note
    changed = edit_rows(transaction, "cases", {case_id: values})
    if row["kind"] == "hard_site" and typed(register_tables()["cases"].fields["outcome"], outcome) == "solved":
        _withdraw_hard(transaction, case_id, row, when)
    return changed


def _withdraw_hard(transaction: Transaction, case_id: str, case: Values, day: dt.date) -> None:
    """Withdraw what was decided up to a day of the site or venue of a case: that it is hard."""
    table = read_rows(transaction.register, "decisions", connection=transaction.connection)
    stands = table["withdrawn_on"].isna() & ~(table["day"] > pd.Timestamp(day))
    held = table[(texts(table, "action") == "hard") & stands]
    site, venue = (case[name] if isinstance(case[name], str) else "" for name in ("site_id", "venue_id"))
    meant = places_meant(transaction, filter(None, texts(held, "ref")))
    edits: dict[str, dict[str, Any]] = {}
    for key, ref, own_site, own_venue in zip(held.index.astype("str"), *(texts(held, name) for name in (
            "ref", "site_id", "venue_id")), strict=True):
        of_ref = meant.get(ref, ("", ""))
        said_site, said_venue = own_site or of_ref[0], own_venue or of_ref[1]
        is_same = said_site == site if site and said_site else bool(venue) and said_venue == venue
        if is_same:
            edits[key] = {"withdrawn_on": day, DAY: day}
    if edits:
        edit_rows(transaction, "decisions", edits, f"疑难站址事项 {case_id} 已解决")


def _case(transaction: Transaction, case_id: str) -> Mapping[str, Any] | None:
    found = read_rows(transaction.register, "cases", connection=transaction.connection, ids=[case_id])
    if not len(found):
        _problem(transaction, case_id, "id", f"吹哨事项中没有编号 {case_id}", "核对编号")
        return None
    return {str(name): value for name, value in found.iloc[0].items()}


def _names(transaction: Transaction, organisations: Iterable[str]) -> list[str]:
    """Organisations under their names; as they are written where the register does not know them."""
    field = register_tables()["cases"].fields["reported"]
    found = [(name, checked_names(transaction, field, name)) for name in organisations]
    return [name if isinstance(known, ValueFault) else known for name, known in found]


def _problem(transaction: Transaction, case_id: str, field: str, reason: str, remedy: str) -> None:
    transaction.problems.append(Problem("cases", transaction.register.shown, case_id, field, reason, remedy))
