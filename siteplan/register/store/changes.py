"""Write rows into a register: every change is checked and logged with old and new value."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import func, insert, select, update

from siteplan.errors import RegisterError
from siteplan.register.dictionary import RegisterTable, register_tables
from siteplan.register.rules import derived_values, row_faults
from siteplan.register.store.cells import Held, change_rows, driver_cells, held_rows, insert_rows
from siteplan.register.store.checking import is_sealed
from siteplan.register.store.names import ORGANISATIONS, checked_names, forget_names, known_names
from siteplan.register.store.seals import seal_of_texts
from siteplan.register.store.transaction import CREATED, Transaction
from siteplan.register.store.values import ValueFault, is_same, readers_of, spelled, text_of, typed_day, typed_shapes

ORIGIN = ("source_file", "source_row")
"""Keys of a row that say where it was read; they name it in problems and are not kept."""
DAY = "event_day"
"""Key of a row or of changes: the day of this change alone, where it is not that of the stamp."""
Values = Mapping[str, Any]
Where = tuple[str, str, str]


def add_rows(transaction: Transaction, table: str, rows: Iterable[Values], why: str = "") -> list[str]:
    """Add rows; each gets an id that no other row ever had.

    Parameters
    ----------
    transaction : Transaction
    table : str
    rows : iterable of mapping
        Values by column (``geometry`` a shapely geometry in the register's CRS); unknown keys are a fault of the
        program. ``source_file`` and ``source_row`` name the row in problems; ``event_day`` is its own day. An
        organisation may be given by a short name (``words``) that it alone has.
    why : str
        Reason for all of them.

    Returns
    -------
    list of str
        Their ids, in order; those of rows with problems are there as well, but nothing will be kept.
    """
    spec, given = register_tables()[table], list(rows)
    taken = transaction.keys_of(table, spec.key) if spec.key else set()
    shapes = _shapes(spec, given)
    ids = _new_ids(transaction, spec, len(given))
    reason = why or transaction.stamp.why
    ready: list[tuple[dict[str, Any], dict[str, str]]] = []
    for row, row_id, shape in zip(given, ids, shapes, strict=True):
        where = _where(transaction, table, row, row_id)
        day = _own_day(transaction, row, where)
        values, bad = checked_values(transaction, spec, row, where, shape)
        values |= derived_values(table, None, values, day)
        bad |= _require(transaction, spec, values, where, bad)
        _only_one(transaction, spec, values, where, taken)
        for fault in row_faults(table, None, values, reason):
            if fault.field not in bad:
                transaction.fault(where, fault.field, fault.reason, fault.remedy)
        texts = spelled(values)
        ready.append((values, texts))
        transaction.log(table, row_id, [(CREATED, None, json.dumps(texts, ensure_ascii=False))], day, why)
    if ready:
        _insert(transaction, spec, ids, ready)
    return ids


def edit_rows(transaction: Transaction, table: str, edits: Mapping[str, Values], why: str = "") -> int:
    """Change rows; values that are the same already are no change.

    Parameters
    ----------
    transaction : Transaction
    table : str
    edits : mapping of str to mapping
        Id -> new values by column; None empties. ``event_day`` and the origin as in `add_rows`.
    why : str

    Returns
    -------
    int
        Rows that changed.
    """
    spec = register_tables()[table]
    source = transaction.register.layout.tables[table]
    current = {held.row_id: held for held in held_rows(transaction.connection, source, spec, edits)}
    shapes = _shapes(spec, edits.values())
    reason = why or transaction.stamp.why
    ready: list[tuple[Held, dict[str, Any], dt.date, Where]] = []
    for (row_id, edit), shape in zip(edits.items(), shapes, strict=True):
        where = _where(transaction, table, edit, row_id)
        held = current.get(row_id)
        if held is None:
            transaction.fault(where, "id", f"{spec.zh}中没有编号 {row_id[:40]}", "核对编号")
            continue
        day = _own_day(transaction, edit, where)
        wanted, bad = checked_values(transaction, spec, edit, where, shape)
        before = held.values
        changed = {name: value for name, value in wanted.items() if not is_same(before[name], value)}
        if not changed:
            continue
        if not is_sealed(held):
            transaction.fault(where, "id", "这一行被其他程序改动过", "先运行 siteplan register check 认定或改回")
            continue
        after = before | changed
        changed |= {name: value for name, value in derived_values(table, before, after, day).items()
                    if not is_same(before[name], value)}
        after |= changed
        bad |= _require(transaction, spec, after, where, bad)
        if spec.key in changed:
            taken = transaction.keys_of(table, spec.key)
            taken.discard(str(before[spec.key]))
            _only_one(transaction, spec, changed, where, taken)
        for fault in row_faults(table, before, after, reason):
            if fault.field not in bad:
                transaction.fault(where, fault.field, fault.reason, fault.remedy)
        ready.append((held, changed, day, where))
    _check_days(transaction, spec, ready)
    for held, changed, day, _ in ready:
        transaction.log(table, held.row_id, [(name, held.texts.get(name), text_of(value))
                                             for name, value in changed.items()], day, why)
    write_changes(transaction, table, [(held, changed) for held, changed, _, _ in ready])
    return len(ready)


def write_changes(transaction: Transaction, table: str, rows: Sequence[tuple[Held, Values]]) -> None:
    """Write changed values of rows, with their seals anew."""
    if not rows:
        return
    out: list[tuple[str, dict[str, Any]]] = []
    for held, changed in rows:
        texts = dict(held.texts)
        for name, value in changed.items():
            text = text_of(value)
            if text is None:
                texts.pop(name, None)
            else:
                texts[name] = text
        out.append((held.row_id, {**changed, "revision": held.revision + 1, "seal": seal_of_texts(held.row_id, texts)}))
    change_rows(transaction.connection, transaction.register.layout.tables[table], out)
    forget_names(transaction, table)
    transaction.count(table, "changed", len(out))


def checked_values(transaction: Transaction, spec: RegisterTable, row: Values, where: Where, shape: Any,
                   ) -> tuple[dict[str, Any], set[str]]:
    """Typed values of the columns that a row gives, and the columns that have problems."""
    out: dict[str, Any] = {}
    bad: set[str] = set()
    readers, columns = readers_of(spec.name), transaction.register.layout.tables[spec.name].c
    for name, value in row.items():
        reader = readers.get(name)
        if reader is not None and name in columns:
            found = reader(value)
            if type(found) is str:
                held = spec.fields[name]
                if held.refers or held.organisation:
                    found = checked_names(transaction, held, found)
        elif name == "geometry" and spec.geometry:
            found = shape
        elif name in ORIGIN or name == DAY:
            continue
        else:
            raise RegisterError(f"{spec.name} has no column {name!r}")
        if isinstance(found, ValueFault):
            transaction.fault(where, name, found.reason, found.remedy)
            bad.add(name)
        else:
            out[name] = found
    return out, bad


def _shapes(spec: RegisterTable, rows: Iterable[Values]) -> list[Any]:
    """Geometries of rows, all at once; None where a row gives none."""
    given = [row.get("geometry") if spec.geometry else None for row in rows]
    return typed_shapes(spec.geometry, given) if spec.geometry else given


def _where(transaction: Transaction, table: str, row: Values, row_id: str) -> Where:
    """Layer, file and row of a problem."""
    return table, str(row.get(ORIGIN[0]) or transaction.register.shown), str(row.get(ORIGIN[1]) or row_id[:40])


def _own_day(transaction: Transaction, row: Values, where: Where) -> dt.date:
    """The day of a row's change: its own, or that of the stamp."""
    if DAY not in row:
        return transaction.stamp.day
    found = typed_day(row[DAY])
    if isinstance(found, ValueFault):
        transaction.fault(where, DAY, found.reason, found.remedy)
        return transaction.stamp.day
    return found or transaction.stamp.day


def _require(transaction: Transaction, spec: RegisterTable, values: Values, where: Where, bad: set[str]) -> set[str]:
    """Required fields that are empty, told and given back; those with another problem are not told twice."""
    empty = [name for name in _required(spec.name) if values.get(name) is None and name not in bad]
    for name in empty:
        zh = spec.fields[name].spec.zh
        transaction.fault(where, name, f"{zh}为空", f"补填{zh}")
    return set(empty)


@cache
def _required(table: str) -> tuple[str, ...]:
    return tuple(name for name, held in register_tables()[table].fields.items() if held.spec.required)


def _only_one(transaction: Transaction, spec: RegisterTable, values: Values, where: Where, taken: set[str]) -> None:
    """The natural key, which no other row has."""
    key = values.get(spec.key) if spec.key else None
    if key is None:
        return
    if str(key) in taken:
        zh = spec.fields[spec.key].spec.zh
        transaction.fault(where, spec.key, f"{zh} {str(key)[:40]} 已登记", "改为修改那一行,或换一个")
    taken.add(str(key))


def _check_days(transaction: Transaction, spec: RegisterTable,
                rows: Sequence[tuple[Held, Mapping[str, Any], dt.date, Where]]) -> None:
    """No change is dated before its row came, nor before the last change of its field."""
    names = {name for _, changed, _, _ in rows for name in changed}
    last = transaction.last_days(spec.name, [held.row_id for held, _, _, _ in rows], names) if rows else {}
    for held, changed, day, where in rows:
        came = last.get((held.row_id, CREATED))
        if came is not None and came > day:
            transaction.fault(where, DAY, f"{day} 早于这一行的登记日 {came}", "改用不早于登记日的日期")
            continue
        for name in changed:
            newest = last.get((held.row_id, name))
            if newest is not None and newest > day:
                zh = spec.fields[name].spec.zh if name in spec.fields else "位置"
                transaction.fault(where, name, f"{zh}在 {newest} 已有变更,{day} 早于它",
                                  "改用不早于该日的日期,或用更正(correct)改那一条")


def _new_ids(transaction: Transaction, spec: RegisterTable, count: int) -> list[str]:
    """Ids that no row has or had; the counter goes on even past rows that another program removed."""
    if not count:
        return []
    layout = transaction.register.layout
    last = transaction.connection.execute(
        select(layout.counters.c.last).where(layout.counters.c.prefix == spec.prefix)).scalar()
    logged = transaction.connection.execute(
        select(func.max(layout.events.c.row_id)).where(layout.events.c.kind == spec.name)).scalar()
    digits = str(logged or "").removeprefix(spec.prefix)
    number = max(int(last or 0), int(digits) if digits.isdecimal() else 0)
    there = set() if spec.name == ORGANISATIONS else known_names(transaction, spec.name)
    ids: list[str] = []
    while len(ids) < count:
        number += 1
        row_id = f"{spec.prefix}{number:06d}"
        if row_id not in there:
            ids.append(row_id)
    done = transaction.connection.execute(
        update(layout.counters).where(layout.counters.c.prefix == spec.prefix).values(last=number))
    if not done.rowcount:
        transaction.connection.execute(insert(layout.counters).values(prefix=spec.prefix, last=number))
    return ids


def _insert(transaction: Transaction, spec: RegisterTable, ids: Sequence[str],
            rows: Sequence[tuple[dict[str, Any], dict[str, str]]]) -> None:
    source = transaction.register.layout.tables[spec.name]
    used = {name for values, _ in rows for name in values}
    names = [name for name in spec.columns if name in used]
    columns = [driver_cells(transaction.connection, source, name, [values.get(name) for values, _ in rows])
               for name in names]
    seals = [seal_of_texts(row_id, texts) for row_id, (_, texts) in zip(ids, rows, strict=True)]
    insert_rows(transaction.connection, source, ["id", "revision", "seal", *names],
                list(zip(ids, [1] * len(ids), seals, *columns, strict=True)))
    forget_names(transaction, spec.name)
    if spec.name != ORGANISATIONS:
        known_names(transaction, spec.name).update(ids)
    transaction.count(spec.name, "added", len(ids))
