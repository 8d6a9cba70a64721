"""Cells of a list beside those of the register: what differs, and what was edited from an older copy."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import shapely

from siteplan.errors import Problem
from siteplan.input_ledger import InputLedger
from siteplan.register.dictionary import RegisterField, RegisterTable, word_of
from siteplan.register.store import CREATED, Transaction, read_events
from siteplan.register.store.values import ValueFault, is_same, typed, value_of

EMPTY_WORD = "清空"
"""Cell that empties a value of the register; an empty cell is no change."""
EMPTIED, REVISION = "emptied", "revision"
ORIGIN = ("source_file", "source_row")
_SAME_SHARE = 1e-12
"""Numbers that differ by less are the same: a spreadsheet keeps 15 digits."""
_BREAKS = re.compile(r"_x000D_\n?|\r\n?")
_PARTS = re.compile("[|\u3001,\uff0c;\uff1b\n]")
_ONE_BY_ONE = 50
"""So many older rows are looked up one by one; beyond, the log of the table is read once."""
Record = dict[str, Any]


def python_value(value: Any, *, is_whole: bool = False) -> Any:
    """A cell of a table as a plain value: None, str, int, float, bool, date or geometry."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, dt.datetime):  # a Timestamp is one
        return value.date()
    if hasattr(value, "item") and not isinstance(value, shapely.Geometry):
        value = value.item()
    return int(value) if is_whole and isinstance(value, float) and value.is_integer() else value


def split_many(text: str) -> str:
    """Several values of one cell, joined as the register joins them.

    >>> split_many("教育和体育局、卫生健康局"), split_many("A,B|"), split_many("移动")
    ('教育和体育局|卫生健康局', 'A,B', '移动')
    """
    parts = text.split("|") if "|" in text else _PARTS.split(text)
    return "|".join(part for word in parts if (part := word.strip()))


def join_many(text: str) -> str:
    """Several values as a cell of a ledger shows them; `split_many` gives them back.

    >>> join_many("教育和体育局|卫生健康局"), join_many("A,B")
    ('教育和体育局、卫生健康局', 'A,B|')
    """
    parts = text.split("|")
    if any(_PARTS.search(part) for part in parts):
        return text if len(parts) > 1 else f"{text}|"
    return "、".join(parts)


def records_of(spec: RegisterTable, frame: pd.DataFrame) -> dict[str, Record]:
    """Rows of a table by id, as plain values."""
    whole = {name for name, held in spec.fields.items() if held.spec.type == "int"} | {REVISION}
    names = [name for name in (*spec.columns, REVISION) if name in frame]
    columns = [[python_value(cell, is_whole=name in whole) for cell in frame[name].to_numpy(object)] for name in names]
    return {str(row_id): dict(zip(names, cells, strict=True))
            for row_id, cells in zip(frame.index, zip(*columns, strict=True), strict=True)}


def given_values(spec: RegisterTable, rows: pd.DataFrame) -> Iterator[Record]:
    """What each row of a list says, as plain values; cells that say nothing are left out."""
    known = ("id", REVISION, EMPTIED, *ORIGIN, *spec.columns)
    names = [name for name in known if name in rows]
    whole = {name for name, held in spec.fields.items() if held.spec.type == "int"}
    columns = [[python_value(cell, is_whole=name in whole) for cell in rows[name].to_numpy(object)] for name in names]
    for cells in zip(*columns, strict=True):
        row = {name: value for name, value in zip(names, cells, strict=True) if value is not None}
        for name, held in spec.fields.items():
            if held.many and isinstance(row.get(name), str):
                row[name] = split_many(row[name])
        yield row


def is_same_cell(field: RegisterField | None, one: Any, other: Any) -> bool:
    """Whether a cell of a file says what the register holds; spreadsheets keep 15 digits and other line breaks."""
    if one is None or other is None:
        return one is other
    if field is None:
        return is_same(shapely.force_2d(one), other)
    value = typed(field, one)
    if isinstance(value, ValueFault):
        return False
    if isinstance(value, float) and isinstance(other, float):
        return math.isclose(value, other, rel_tol=_SAME_SHARE, abs_tol=0.0)
    if isinstance(value, str) and isinstance(other, str):
        plain = [_BREAKS.sub("\n", text).strip() for text in (value, other)]
        return plain[0] == plain[1] or (field.many and split_many(plain[0]) == split_many(plain[1]))
    return is_same(value, other)


def changed_cells(spec: RegisterTable, row: Mapping[str, Any], current: Mapping[str, Any]) -> Record:
    """Fields of a row of a list that say something else than the register; None = to be emptied."""
    emptied = str(row.get(EMPTIED) or "").split("|")
    out = {name: None for name in emptied if name in spec.columns and current.get(name) is not None}
    return out | {name: row[name] for name in spec.columns if row.get(name) is not None
                  and not is_same_cell(spec.fields.get(name), row[name], current.get(name))}


def stale_edits(transaction: Transaction, spec: RegisterTable, edits: Mapping[str, Record], wanted: dict[str, Record],
                current: Mapping[str, Record], ledger: InputLedger) -> None:
    """Take out of `wanted` what an older copy merely still says; what was changed on both sides is a problem.

    Parameters
    ----------
    transaction : Transaction
        Gets the problems.
    spec : RegisterTable
    edits : mapping of str to dict
        Rows of the list by id, with their ``revision`` where the list has one.
    wanted : dict of str to dict
        Cells to write by id; changed here.
    current : mapping of str to dict
        Rows of the register by id.
    ledger : InputLedger
        Gets a note for each cell that somebody else changed since.
    """
    older: dict[str, int] = {}
    for row_id in wanted:
        if REVISION in edits[row_id]:
            fault, count = _age(str(edits[row_id][REVISION]), int(current[row_id][REVISION]))
            if fault is not None:
                _tell(transaction, spec, edits[row_id], REVISION, *fault)
            elif count:
                older[row_id] = count
    whole = read_events(transaction.register, table=spec.name, with_void=True, connection=transaction.connection
                        ) if len(older) > _ONE_BY_ONE else None
    rows = None if whole is None else dict(iter(whole.groupby("row_id", sort=False)))
    for row_id, count in older.items():
        events = rows[row_id] if rows is not None else read_events(
            transaction.register, table=spec.name, row_id=row_id, with_void=True, connection=transaction.connection)
        for name, (base, last) in _since(spec, events, count).items():
            if name not in wanted[row_id]:
                continue
            field, now = spec.fields.get(name), shown_value(spec, name, current[row_id].get(name))
            told = f"此行已于 {last['day']:%Y-%m-%d} 由 {last['author']} 改为“{now}”"
            zh = field.spec.zh if field is not None else "位置"
            if is_same_cell(field, wanted[row_id][name], base):
                del wanted[row_id][name]
                row = edits[row_id]
                ledger.add(spec.name, str(row.get(ORIGIN[0], "")), row.get(ORIGIN[1], ""), name,
                           shown_value(spec, name, base), "note", f"{zh}:{told},清单里仍是导出时的值,保留后来的改动", "无需处理")
            else:
                _tell(transaction, spec, edits[row_id], name, f"{zh}:{told},清单是更早导出的",
                      "重新导出储备库表,在新表里改这一格")
    for row_id in [row_id for row_id, cells in wanted.items() if not cells]:
        del wanted[row_id]


def shown_value(spec: RegisterTable, name: str, value: Any) -> str:
    """A value as planners read it."""
    if value is None:
        return "(空)"
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, shapely.Geometry):
        point = value.representative_point()
        return f"{point.x:.3f}, {point.y:.3f}"
    return f"{value:.15g}" if isinstance(value, float) else word_of(spec.name, name, str(value)) or str(value)


def _age(text: str, now: int) -> tuple[tuple[str, str] | None, int]:
    """What is wrong with the revision of a row, and by how many changes it is older than the register."""
    try:
        number = int(float(text))
    except ValueError:
        return (f"储备库版次是“{text[:40]}”,不是可以读回的导出", "重新导出储备库表(不带 --as-of),在新表里改"), 0
    if number > now:
        return (f"储备库版次 {number} 比储备库的 {now} 新", "核对是不是这个储备库导出的;用备份恢复过的,重新导出再改"), 0
    return None, now - number


def _since(spec: RegisterTable, events: pd.DataFrame, count: int) -> dict[str, tuple[Any, pd.Series]]:
    """Fields that the last so many changes of a row touched: their value before, and the last event.

    One writing counts as at least as many changes as its most frequent field has events; so the value before may be
    older than the copy where a row was changed several times in one writing, never newer.
    """
    ordered = events[events["field"] != CREATED].sort_values("seq", ascending=False)
    found: list[pd.Series] = []
    left = count
    for _, writing in ordered.groupby(["at", "author"], sort=False):
        if left <= 0:
            break
        found += [row for _, row in writing.iterrows()]
        left -= int(writing["field"].value_counts().max())
    by_seq = {int(row["seq"]): row for _, row in events.iterrows()}
    out: dict[str, tuple[Any, pd.Series]] = {}
    for event in found:  # newest first: the oldest one of a field says what stood before
        name = str(event["field"])
        voided = by_seq.get(int(event["voids"])) if pd.notna(event["voids"]) else None
        text = event["old"] if voided is None else voided["new"]
        base = value_of(spec.fields.get(name), None if pd.isna(text) else str(text))
        out[name] = (base, out[name][1] if name in out else event)
    return out


def _tell(transaction: Transaction, spec: RegisterTable, row: Mapping[str, Any], name: str, reason: str, remedy: str,
          ) -> None:
    transaction.problems.append(Problem(spec.name, str(row.get(ORIGIN[0]) or transaction.register.shown),
                                        str(row.get(ORIGIN[1]) or ""), name, reason, remedy))
