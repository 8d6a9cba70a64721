"""Lists and hand-edited ledgers into the register: what a file says is compared, checked and applied, or nothing is."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import pandas as pd

from siteplan.errors import Problem, RegisterError
from siteplan.input_ledger import InputLedger
from siteplan.register._edit_cells import (
    EMPTIED,
    EMPTY_WORD,
    ORIGIN,
    REVISION,
    Record,
    changed_cells,
    given_values,
    join_many,
    records_of,
    stale_edits,
)
from siteplan.register._edit_checks import check_places, check_rows, dated, days_to_come, key_of, place_problems
from siteplan.register._edit_names import Names
from siteplan.register.dictionary import RegisterTable, register_tables
from siteplan.register.opinions import places_meant
from siteplan.register.store import DAY, Register, Stamp, Transaction, add_rows, edit_rows, read_rows, writing

__all__ = ["DEFAULTS", "EDITABLE", "EMPTY_WORD", "LOCKED", "EditResult", "ListTable", "apply_list", "apply_within",
           "join_many"]

EDITABLE = ("organisations", "sites", "venues", "quotas", "reports", "tasks", "cases", "decisions", "fees", "works")
"""Tables that a list may add to or change; the others are kept by the program itself."""
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "sites": {"state": "reserve", "origin": "manual", "in_plan": False}, "tasks": {"state": "open"},
    "quotas": {"is_current": True, "counted": "register"}, "works": {"is_current": True}, "cases": {"level": 1}}
"""What a new row is where its list does not say; told as assumed."""


@dataclass(frozen=True)
class ListTable:
    """A list of a table of the register, as it was read from a file.

    Attributes
    ----------
    table : str
        Table of the register.
    rows : DataFrame
        A column for each field that the file has, typed as `read_rows` types it (whole numbers are float64); ``id`` and
        ``revision`` where a ledger was given back; ``geometry`` in the register's CRS; ``source_file``,
        ``source_row``; ``emptied``: fields whose cell says that the value is to go, joined by ``|``.
    ledger : InputLedger
        What was repaired, assumed or not read.
    problems : tuple of Problem
        What could not be read; nothing of the list is written while there is any.
    """

    table: str
    rows: pd.DataFrame
    ledger: InputLedger = field(default_factory=InputLedger)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class EditResult:
    """What became of a list.

    Attributes
    ----------
    table : str
    added : tuple of str
        Ids of new rows.
    changed : tuple of str
        Ids of rows that changed.
    unchanged : int
        Rows of the list that say what the register says already.
    ledger : InputLedger
        What was repaired, assumed, kept against an older copy, or not read.
    gone, returned : tuple of str
        Of works: ids that are no longer listed, and those that are listed again.
    """

    table: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: int
    ledger: InputLedger
    gone: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()


def apply_list(register: Register, table: str, rows: ListTable | pd.DataFrame, stamp: Stamp, *,
               counties: gpd.GeoDataFrame | None = None) -> EditResult:
    """Apply a list: rows with an id, or with the natural key of a row, change it; others are added.

    Parameters
    ----------
    register : Register
    table : str
        One of `EDITABLE`.
    rows : ListTable or DataFrame
        An empty cell is no change; a cell that says 清空 empties the value. A cell that says what the row said when the
        ledger was written is no change either, even where somebody changed it since.
    stamp : Stamp
        A row that dates itself (``done_on``, ``on_air_on``, ``day`` ...) holds from its own day.
    counties : GeoDataFrame, optional
        Counties with a column ``name``: the county of a placed row must be the one it lies in.

    Returns
    -------
    EditResult

    Raises
    ------
    RegisterError
        Every problem of every row: unreadable values, unknown names and ids, a row edited from an older copy, states
        and days out of order, one site listed twice. Nothing was written.
    """
    _require_editable(table)
    given = rows if isinstance(rows, ListTable) else ListTable(table, rows)
    with writing(register, stamp) as transaction:
        return apply_within(transaction, given, counties=counties)


def apply_within(transaction: Transaction, given: ListTable, *, counties: gpd.GeoDataFrame | None = None,
                 ) -> EditResult:
    """As `apply_list`, within a transaction: several sheets of one ledger stay or go together.

    Problems are kept in ``transaction.problems``.
    """
    _require_editable(given.table)
    transaction.problems += given.problems
    work = _Work(transaction, register_tables()[given.table], given)
    news, edits = work.split()
    news = work.unknown(news)
    place_problems(work.spec, given.rows, work.current, counties, transaction.problems)
    check_places(transaction, work.spec, news, work.current)
    changed = work.change(edits)
    added = work.add(news)
    return EditResult(given.table, tuple(added), tuple(changed), work.unchanged, work.ledger)


def _require_editable(table: str) -> None:
    if table not in EDITABLE:
        zh = register_tables()[table].zh if table in register_tables() else table
        names = "、".join(register_tables()[name].zh for name in EDITABLE)
        raise RegisterError(f"“{zh}”由程序维护,不能用清单改;可用清单改的:{names}")


class _Work:
    """One list on its way into one table."""

    def __init__(self, transaction: Transaction, spec: RegisterTable, given: ListTable) -> None:
        self.transaction, self.spec, self.given = transaction, spec, given
        self.ledger = InputLedger(given.ledger)
        self.current = records_of(spec, pd.DataFrame(read_rows(
            transaction.register, spec.name, connection=transaction.connection, technical=True)))
        self.names = Names(transaction, spec)
        self.unchanged = 0

    def problem(self, row: Mapping[str, Any], name: str, reason: str, remedy: str) -> None:
        """A problem of a row of the list."""
        shown = self.transaction.register.shown
        self.transaction.problems.append(Problem(self.spec.name, str(row.get(ORIGIN[0]) or shown),
                                                 str(row.get(ORIGIN[1]) or ""), name, reason, remedy))

    def split(self) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
        """Rows to add, and values by id of rows to change."""
        news: list[dict[str, Any]] = []
        edits: dict[str, dict[str, Any]] = {}
        keys = key_of(self.spec, self.current)
        seen: dict[object, str] = {}
        for row in given_values(self.spec, self.given.rows):
            self.names.settle(row, self.problem, self.ledger)
            check_rows(self.spec, row, self.names, self.problem)
            row_id = row.pop("id", None)
            if row_id is not None and row_id not in self.current:
                self.problem(row, "id", f"{self.spec.zh}中没有编号 {row_id}", "核对编号;新增的行编号留空")
                continue
            target = row_id or keys.find(row)
            mark = target or keys.mark(row)
            if mark is not None and mark in seen:
                self.problem(row, "id" if row_id else keys.first, f"与第 {seen[mark]} 行是同一项({keys.told(row, target)})",
                             "只留一行")
                continue
            if mark is not None:
                seen[mark] = str(row.get(ORIGIN[1]) or "?")
            if target is None:
                news.append(row)
            else:
                edits[str(target)] = row
        return news, edits

    def change(self, edits: Mapping[str, dict[str, Any]]) -> list[str]:
        """Write the cells that differ; ids of rows that changed."""
        wanted: dict[str, dict[str, Any]] = {}
        for row_id, row in edits.items():
            differing = changed_cells(self.spec, row, self.current[row_id])
            if differing:
                wanted[row_id] = differing
        stale_edits(self.transaction, self.spec, edits, wanted, self.current, self.ledger)
        done = []
        for row_id, cells in wanted.items():
            for name in [name for name in cells if name in LOCKED.get(self.spec.name, {})]:
                if self._is_locked(name, row_id):
                    self.problem(edits[row_id], name, f"“{self._zh(name)}”不能在清单里改", LOCKED[self.spec.name][name])
                    del cells[name]
            if not cells:
                continue
            self._check_days(edits[row_id], cells)
            if "ref" in cells:
                cells |= self._places([{**edits[row_id], **cells}])[0]
            origin = {key: edits[row_id][key] for key in ORIGIN if key in edits[row_id]}
            for day, part in dated(self.spec.name, cells, self.transaction.stamp.day):
                edit_rows(self.transaction, self.spec.name, {row_id: {**part, **origin, DAY: day}})
            done.append(row_id)
        self.unchanged += len(edits) - len(done)
        return done

    def _is_locked(self, name: str, row_id: str) -> bool:
        """Whether a locked column is so for this row: what a plan gave is free on a row that somebody entered."""
        if self.spec.name != "sites" or name not in ("geometry", "name"):
            return True
        return bool(self.current[row_id].get("origin") == "plan")

    def _check_days(self, row: Mapping[str, Any], cells: Mapping[str, Any]) -> None:
        """Facts of a day to come, and the day of a state without the state."""
        for fault in days_to_come(self.spec, cells, self.transaction.stamp.day):
            self.problem(row, *fault)
        if self.spec.name == "sites" and "state_on" in cells and "state" not in cells:
            self.problem(row, "state_on", "状态日期只随状态一起改", "状态没变而日期记错的,用 siteplan register correct 更正")

    def _zh(self, name: str) -> str:
        return self.spec.fields[name].spec.zh if name in self.spec.fields else "位置"

    def unknown(self, news: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows without an id, less those of which the register says all that they say: a list may be read twice."""
        alike = _Alike(self.spec, self.current)
        left = [row for row in news if not alike.has(row)]
        self.unchanged += len(news) - len(left)
        return left

    def add(self, news: list[dict[str, Any]]) -> list[str]:
        """Add new rows; their ids."""
        ready: list[dict[str, Any]] = []
        defaults = DEFAULTS.get(self.spec.name, {})
        lacking = self._lacking(news, defaults)
        for row, meant in zip(news, self._places(news), strict=True):
            values = {name: value for name, value in row.items()
                      if value is not None and name not in (REVISION, EMPTIED)}
            for name in [name for name in LOCKED.get(self.spec.name, {}) if name in values and name in _ONLY_PLAN]:
                self.problem(row, name, f"“{self._zh(name)}”不能在清单里填", LOCKED[self.spec.name][name])
            self._check_days(row, {"state": "", **values})
            own_day = _own_day(self.spec.name, values, self.transaction.stamp.day)
            ready.append({**defaults, **meant, **values, DAY: own_day})
        for name, value in defaults.items():
            if ready and any(name not in row or row[name] is None for row in news):
                words = {True: "是", False: "否"} if isinstance(value, bool) else {}
                shown = words.get(value) or self.spec.fields[name].spec.values.get(str(value), (value,))[0]
                self.ledger.add(self.spec.name, str(ready[0].get(ORIGIN[0]) or ""), "", name, "", "assumed",
                                f"新增的行没有写{self._zh(name)},按“{shown}”", "不是时在清单里写明")
        before = len(self.transaction.problems)
        ids = add_rows(self.transaction, self.spec.name, ready)
        if lacking:  # a column that is not there is told once, not for each row
            told = self.transaction.problems[before:]
            self.transaction.problems[before:] = [problem for problem in told if problem.field not in lacking]
        return ids

    def _places(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Sites and venues of the register that the ids of decisions and fees mean."""
        names = [name for name in ("site_id", "venue_id") if name in self.spec.fields]
        if self.spec.name not in ("decisions", "fees") or not any("ref" in row for row in rows):
            return [{} for _ in rows]
        found = places_meant(self.transaction, {str(row["ref"]) for row in rows if row.get("ref")})
        out = []
        for row in rows:
            meant = dict(zip(("site_id", "venue_id"), found.get(str(row.get("ref")), ("", "")), strict=True))
            if row.get("ref") and not any(meant.values()) and _REGISTER_ID.fullmatch(str(row["ref"])):
                self.problem(row, "ref", f"储备库中没有编号 {row['ref']}", "核对站址或场所编号")
            out.append({name: meant[name] or None for name in names} if "ref" in row else {})
        return out

    def _lacking(self, news: list[dict[str, Any]], defaults: Mapping[str, Any]) -> set[str]:
        """Required fields that the file has no column for."""
        if not news:
            return set()
        lacking = {name for name, held in self.spec.fields.items() if held.spec.required and name not in defaults
                   and name not in self.given.rows}
        for name in sorted(lacking):
            self.transaction.problems.append(Problem(
                self.spec.name, str(news[0].get(ORIGIN[0]) or ""), "", name, f"没有“{self._zh(name)}”这一列,新增的行须有",
                "补上这一列;是改已有的行时写储备库编号"))
        return lacking


_REGISTER_ID = re.compile(r"(ZZ|CS)\d{6,}")
"""An id of a site or a venue of the register."""
_PLANNED = "由规划成果给出:改规划后用 siteplan register sync 并入"
_ONLY_PLAN = {"plan_id", "blocked_from", "former_ids", "rank_no"}
LOCKED: Mapping[str, Mapping[str, str]] = {
    "sites": {**dict.fromkeys(("study_id", "former_ids", "plan_id", "origin", "in_plan", "rank_no", "gain_demand",
                               "reason", "first_year"), _PLANNED),
              "geometry": "由规划成果给出:用会议决定“移动”,重新规划后并入", "name": _PLANNED,
              "blocked_from": "由状态变更记下,改状态即可"},
    "venues": {"study_id": _PLANNED},
    "decisions": {"site_id": "由站址编号查得", "venue_id": "由场所编号查得"},
    "tasks": {"reminders": "由催办记录得出:siteplan register remind", "reminded_on": "由催办记录得出:siteplan register remind"},
}
"""Columns that a hand-edited ledger may not change, and what to do instead."""
_OWN_DAYS: Mapping[str, tuple[str, ...]] = {
    "sites": ("state_on", "on_air_on"), "tasks": ("issued_on",), "cases": ("opened_on",), "decisions": ("day",),
    "fees": ("day",), "reports": ("day",)}


def _own_day(table: str, values: Mapping[str, Any], day: dt.date) -> dt.date:
    """Day on which a new row began to hold: its own where it has one, and never a day to come."""
    own = next((values[name] for name in _OWN_DAYS.get(table, ()) if isinstance(values.get(name), dt.date)), day)
    return min(own, day)


class _Alike:
    """Rows of the register that say all that a new row says."""

    def __init__(self, spec: RegisterTable, current: Mapping[str, Record]) -> None:
        self.spec = spec
        self.first = next((name for name, held in spec.fields.items() if held.spec.required), "")
        self.by_first: dict[str, list[Record]] = {}
        for row in current.values():
            self.by_first.setdefault(str(row.get(self.first)), []).append(row)

    def has(self, values: Mapping[str, Any]) -> bool:
        """Whether such a row is there already."""
        return any(not changed_cells(self.spec, values, row)
                   for row in self.by_first.get(str(values.get(self.first)), ()))
