"""Find what other programs did to a register: rows and events that do not fit their seals, or are gone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import Connection, select

from siteplan.errors import Problem, RegisterError
from siteplan.register.dictionary import RegisterTable, register_tables
from siteplan.register.store.cells import Held, as_held, expected_seals, fetch, raw_rows
from siteplan.register.store.layout import EVENTS_SEALED
from siteplan.register.store.opening import Register, last_event, lost_events, reading
from siteplan.register.store.seals import seal_of_event, seal_of_texts
from siteplan.register.store.transaction import CREATED, EVENT_COLUMNS

_SHOWN = 20
_REMEDY = "运行 siteplan register check 查看,用 --adopt 认定,或用 --restore 按变更记录改回"
HAND_EDIT_COLUMNS = ("table", "id", "field", "logged", "found")


def check_seals(register: Register, tables: Iterable[str] = (), *, connection: Connection | None = None,
                ) -> tuple[Problem, ...]:
    """Rows that another program changed, added, deleted, or that stand twice: a problem each.

    Parameters
    ----------
    register : Register
    tables : iterable of str
        Only these; all of them, and the log, when empty.
    connection : Connection, optional
        Of :func:`reading` or of a transaction.
    """
    if connection is None:
        with reading(register) as own:
            return check_seals(register, tables, connection=own)
    problems: list[Problem] = []
    names = list(tables)
    for name in names or register.layout.tables:
        known = logged_ids(register, connection, name)
        ids, odd = odd_rows(register, name, connection, known)
        problems += [Problem(name, register.shown, row.held.row_id, "、".join(row.held.broken), row.reason, _REMEDY)
                     for row in odd]
        problems += [Problem(name, register.shown, row_id, "", "这一行被其他程序删除",
                             "运行 siteplan register check --restore 按变更记录恢复") for row_id in sorted(known - ids)]
    if not names:
        problems += check_log(register, connection)
    return tuple(problems)


def _fault(held: Held, seen: set[str]) -> str:
    """What is wrong with a row as it stands; empty for nothing."""
    if not held.row_id:
        return "这一行没有编号,不是本程序登记的"
    if held.row_id in seen:
        return "编号重复,不是本程序登记的"
    if not held.seal:
        return "这一行不是本程序登记的"
    if held.broken:
        return "单元格的类型不对,被其他程序改动过"
    return "" if is_sealed(held) else "这一行被其他程序改动过(与登记时的摘要不符)"


def logged_ids(register: Register, connection: Connection, name: str) -> set[str]:
    """Ids of the rows of a table whose coming is in the log."""
    events = register.layout.events
    return {str(row_id) for (row_id,) in connection.execute(
        select(events.c.row_id).where(events.c.kind == name, events.c.field == CREATED))}


def check_log(register: Register, connection: Connection) -> list[Problem]:
    """Events that another program changed, added or deleted: numbers have no gaps, every event fits its seal."""
    if register.version < EVENTS_SEALED:
        return []
    wrong: list[int] = []
    seen: set[int] = set()
    for *event, seal in events_raw(register, connection):
        seen.add(event[0])
        if seal_of_event(event) != seal:
            wrong.append(event[0])
    gone = sorted(set(range(1, last_event(register, connection) + 1)) - seen - lost_events(register, connection))
    return [Problem("events", register.shown, row, "", reason, "用备份替换")
            for numbers, reason in ((wrong, "这条变更记录被其他程序改动过或添加"), (gone, "这条变更记录被其他程序删除"))
            for row in _some(numbers)]


def _some(numbers: Sequence[int]) -> list[str]:
    """Numbers, the first one by one, many more as one line."""
    out = [str(number) for number in numbers[:_SHOWN]]
    more = len(numbers) - _SHOWN
    return [*out, f"{numbers[_SHOWN]} 至 {numbers[-1]} 中的 {more} 条"] if more > 0 else out


def events_raw(register: Register, connection: Connection) -> Iterable[Sequence[Any]]:
    """The whole log in the order of numbers, as the driver gives it, each event with its seal."""
    preparer = connection.dialect.identifier_preparer
    names = ", ".join(map(preparer.quote, (*EVENT_COLUMNS, "seal")))
    return raw_rows(connection, f"SELECT {names} FROM {preparer.format_table(register.layout.events)} ORDER BY seq")


def require_sealed(register: Register, tables: Iterable[str] = (), *, connection: Connection | None = None) -> None:
    """Raise RegisterError when another program has changed rows of the register."""
    problems = check_seals(register, tables, connection=connection)
    if problems:
        raise RegisterError(f"储备库 {register.shown} 被其他程序改动过:", problems)


def logged_rows(register: Register, table: str, ids: Iterable[str], connection: Connection,
                ) -> dict[str, dict[str, str]]:
    """Rows as the log says they are, spelled; those that never came are left out."""
    events, wanted = register.layout.events, set(ids)
    voided = select(events.c.voids).where(events.c.voids.is_not(None))
    out: dict[str, dict[str, str]] = {}
    rows = connection.execute(select(events.c.row_id, events.c.field, events.c.new).where(
        events.c.kind == table, events.c.seq.not_in(voided)).order_by(events.c.seq))
    for row_id, name, new in rows:
        if row_id not in wanted:
            continue
        if name == CREATED:
            out[row_id] = _row_of(new)
        elif new is None:
            out.setdefault(row_id, {}).pop(name, None)
        else:
            out.setdefault(row_id, {})[name] = new
    return out


def _row_of(text: str | None) -> dict[str, str]:
    """The row that a creating event holds; empty when another program spoilt it."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def hand_edits(register: Register, tables: Iterable[str] = (), *, connection: Connection | None = None) -> pd.DataFrame:
    """What other programs changed, compared with the log.

    Parameters
    ----------
    register : Register
    tables : iterable of str
        Only these; all when empty.
    connection : Connection, optional

    Returns
    -------
    DataFrame
        ``table, id, field, logged, found``: a line for each changed field; field ``*`` for a row that was added
        (``logged`` empty) or deleted (``found`` empty).
    """
    if connection is None:
        with reading(register) as own:
            return hand_edits(register, tables, connection=own)
    lines: list[tuple[str, str, str, str | None, str | None]] = []
    for name in tables or register.layout.tables:
        spec, known = register_tables()[name], logged_ids(register, connection, name)
        ids, odd = odd_rows(register, name, connection, known)
        gone = sorted(known - ids)
        logged = logged_rows(register, name, [*(row.held.row_id for row in odd), *gone], connection)
        for row in odd:
            row_id = row.held.row_id
            if row.added:
                lines.append((name, row_id, CREATED, None, json.dumps(row.held.texts, ensure_ascii=False)))
            else:
                lines += [(name, row_id, *change) for change in differences(spec, logged.get(row_id, {}), row.held)]
        lines += [(name, row_id, CREATED, json.dumps(logged.get(row_id, {}), ensure_ascii=False), None)
                  for row_id in gone]
    return pd.DataFrame(lines, columns=list(HAND_EDIT_COLUMNS)).astype("str")


class OddRow(NamedTuple):
    """A row that does not fit its seal, or whose id another row has: why, whether it was added, its ``fid``."""

    held: Held
    reason: str
    added: bool
    fid: int


def odd_rows(register: Register, table: str, connection: Connection, known: set[str]) -> tuple[set[str], list[OddRow]]:
    """Ids of all rows of a table, and the rows that another program changed or added.

    Parameters
    ----------
    register : Register
    table : str
    connection : Connection
    known : set of str
        Ids that the log knows. Of several rows with one of them, one at most is that row.
    """
    spec, source = register_tables()[table], register.layout.tables[table]
    names = ["id", *(name for name in spec.columns if name in source.c), "revision", "seal"]
    rows = fetch(connection, source, [*names, "fid"])
    expected = expected_seals(spec, [*names, "fid"], rows, connection.dialect.name)
    times = Counter(row[0] for row in rows)
    odd = [row for row, seal in zip(rows, expected, strict=True) if seal is None or row[-2] != seal or not row[0]
           or times[row[0]] > 1]
    held = as_held(spec, names, [row[:-1] for row in odd], connection.dialect.name)
    seen: set[str] = set()
    out = []
    for one, fid in sorted(zip(held, [int(row[-1]) for row in odd], strict=True),
                           key=lambda pair: (pair[0].row_id, not is_sealed(pair[0]), pair[1])):
        reason = _fault(one, seen)
        if reason:
            out.append(OddRow(one, reason, one.row_id not in known or one.row_id in seen, fid))
        seen.add(one.row_id)
    return {str(row[0]) for row in rows}, out


def is_sealed(held: Held) -> bool:
    """Whether a row is as the toolkit wrote it."""
    return not held.broken and held.seal == seal_of_texts(held.row_id, held.texts)


def differences(spec: RegisterTable, logged: Mapping[str, str], held: Held) -> list[tuple[str, str | None, str | None]]:
    """Field, value by the log, value found; of a cell of a wrong kind what stands in it."""
    return [(name, logged.get(name), held.broken.get(name, held.texts.get(name)))
            for name in spec.columns
            if name in held.broken or logged.get(name) != held.texts.get(name)]
