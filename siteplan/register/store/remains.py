"""What is still to be read in a file that was a register: through SQLite where it can, page by page where it cannot."""

from __future__ import annotations

import datetime as dt
import json
import re
import sqlite3
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from siteplan.errors import Problem, RegisterError
from siteplan.register.dictionary import RegisterTable, layout_version, register_tables
from siteplan.register.store.cells import Held, as_held
from siteplan.register.store.checking import is_sealed
from siteplan.register.store.opening import LAST_EVENT, LOST_EVENTS
from siteplan.register.store.pages import records
from siteplan.register.store.seals import seal_of_event, seal_of_texts
from siteplan.register.store.transaction import CREATED, EVENT_COLUMNS
from siteplan.register.store.values import value_of

_FACTS = ("city", "crs", "version", "created", LAST_EVENT, LOST_EVENTS)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_MOST_EVENTS = 100_000_000
Event = list[Any]


@dataclass
class Remains:
    """What was read: the best copy of each row, the log in the order of its numbers, the facts."""

    why: str = ""
    srid: int = 0
    facts: dict[str, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    rows: dict[str, dict[str, Held]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    doubtful_events: tuple[int, ...] = ()

    @property
    def known_lost(self) -> set[int]:
        """Events that an earlier rescue could not read."""
        return {int(word) for word in self.facts.get(LOST_EVENTS, "").split() if word.isdecimal()}

    @property
    def last_event(self) -> int:
        """Number of the last event that is known of."""
        noted = self.facts.get(LAST_EVENT, "")
        return max([event[0] for event in self.events] + [int(noted) if noted.isdecimal() else 0])

    @property
    def mentioned(self) -> dict[str, set[str]]:
        """Ids of rows that the log speaks of."""
        out: dict[str, set[str]] = {}
        for event in self.sure_events:
            out.setdefault(str(event[4]), set()).add(str(event[5]))
        return out

    @cached_property
    def sure_events(self) -> list[Event]:
        """Lines of the log that fit their seals."""
        doubtful = set(self.doubtful_events)
        return [event for event in self.events if event[0] not in doubtful]

    def numbered(self, table: str) -> set[str]:
        """Ids that a table had given, by its counter; none where the counter cannot be right."""
        prefix = register_tables()[table].prefix
        last = self.counters.get(prefix, 0)
        known = [int(digits) for row_id in self.rows.get(table, {})
                 if (digits := row_id.removeprefix(prefix)).isdecimal()]
        if last > 2 * max(known, default=0) + 1000:
            return set()
        return {f"{prefix}{number:06d}" for number in range(1, last + 1)}

    def built(self, table: str, row_id: str, texts: Mapping[str, str]) -> Held:
        """A row as the log says it is."""
        spec = register_tables()[table]
        values: dict[str, Any] = {}
        for name, text in texts.items():
            try:
                values[name] = value_of(spec.fields.get(name), text)
            except ValueError:
                continue
        return Held(row_id, dict.fromkeys(spec.columns) | values, dict(texts), self.changes.get((table, row_id), 1),
                    seal_of_texts(row_id, texts), {})

    @cached_property
    def changes(self) -> dict[tuple[str, str], int]:
        """How often each row was changed, its coming included."""
        seen = {(str(event[4]), str(event[5]), event[11]) for event in self.sure_events}
        out: dict[tuple[str, str], int] = {}
        for table, row_id, _ in seen:
            out[table, row_id] = out.get((table, row_id), 0) + 1
        return out


def read_remains(path: Path) -> Remains:
    """Everything that a file still gives away.

    Raises
    ------
    RegisterError
        It cannot be read, or nothing of a register is in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RegisterError(f"读不了 {path}:", [Problem(
            "register", str(path), "", "", f"不能读取:{error.strerror or error}", "核对路径和权限")]) from error
    out, found = Remains(), _Found()
    out.why = _through_sqlite(path, found)
    if out.why:
        _through_pages(data, found)
    found.settle(out)
    if not out.events and not any(out.rows.values()) and "city" not in out.facts:
        raise RegisterError(f"{path} 中没有可救出的储备库内容:", [Problem(
            "register", str(path), "", "", out.why or "不是储备库", "用备份替换")])
    return out


class _Found:
    """Copies of rows and events as they turn up; dead copies among them."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Held]] = {}
        self.events: dict[int, tuple[bool, Event]] = {}
        self.facts: dict[str, str] = {}
        self.counters: dict[str, int] = {}
        self.srids: dict[int, int] = {}

    def take_row(self, table: str, held: Held) -> None:
        """Keep the newest copy of a row that fits its seal; one that does not fit only for want of another."""
        kept = self.rows.setdefault(table, {})
        other = kept.get(held.row_id)
        if other is None or _rank(held) > _rank(other):
            kept[held.row_id] = held

    def take_event(self, event: Event) -> None:
        """Keep a line of the log if it can be one; what fits its seal goes first."""
        if not _is_event(event):
            return
        event[2] = str(event[2])
        good = event[-1] == seal_of_event(event[:-1])
        if event[0] not in self.events or (good and not self.events[event[0]][0]):
            self.events[event[0]] = (good, event)

    def settle(self, out: Remains) -> None:
        """What was found, sorted out."""
        out.rows, out.facts, out.counters = self.rows, self.facts, self.counters
        out.events = [self.events[seq][1] for seq in sorted(self.events)]
        out.doubtful_events = tuple(seq for seq in sorted(self.events) if not self.events[seq][0])
        out.srid = max(self.srids, key=lambda srid: self.srids[srid], default=0)


def _rank(held: Held) -> tuple[bool, int]:
    return is_sealed(held), held.revision


def _is_event(event: Event) -> bool:
    """Whether values can be a line of the log."""
    seq, at, day, _, kind, row_id, name = event[:7]
    if not isinstance(seq, int) or not 0 < seq < _MOST_EVENTS or not _MOMENT.fullmatch(str(at)):
        return False
    spec = register_tables().get(str(kind))
    if spec is None or not str(row_id).startswith(spec.prefix) or not (name == CREATED or name in spec.columns):
        return False
    try:
        dt.date.fromisoformat(str(day))
    except ValueError:
        return False
    return True


def _through_sqlite(path: Path, found: _Found) -> str:
    """Whole tables as SQLite gives them; the first fault that it tells, empty for none."""
    why = ""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=5)) as connection:
            connection.text_factory = lambda text: text.decode("utf-8", "replace")
            for table in ("register_meta", "register_counters", "events", *register_tables()):
                try:
                    names = [str(row[1]) for row in connection.execute(f'PRAGMA table_info("{table}")')]
                    if names:
                        _take_all(found, table, names, connection.execute(f'SELECT * FROM "{table}" NOT INDEXED'))
                    elif table in ("register_meta", "events"):
                        why = why or f"没有表 {table}"
                except sqlite3.Error as error:
                    why = why or f"{table}: {error}"
            why = why or _faults(connection)
    except sqlite3.Error as error:
        return why or str(error)
    return why


def _take_all(found: _Found, table: str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows of a table until there are no more or a fault comes up."""
    taken: list[Sequence[Any]] = []
    try:
        for row in rows:
            if table in register_tables():
                taken.append(row)
            else:
                _take(found, table, dict(zip(names, row, strict=True)))
    finally:
        if taken and "id" in names:
            _take_rows(found, register_tables()[table], names, taken)


def _faults(connection: sqlite3.Connection) -> str:
    told = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    return "" if told == "ok" else told.splitlines()[-1]


def _take(found: _Found, table: str, row: Mapping[str, Any]) -> None:
    """A row of a table by the names of its columns."""
    if table == "register_meta":
        if row.get("key") in _FACTS and isinstance(row.get("value"), str):
            found.facts[row["key"]] = row["value"]
    elif table == "register_counters":
        if isinstance(row.get("last"), int):
            found.counters[str(row.get("prefix"))] = row["last"]
    else:
        found.take_event(_event_of(row))


def _event_of(row: Mapping[str, Any]) -> Event:
    """A line of the log; one of the first version has no seal of its own and gets one."""
    event = [row.get(name) for name in EVENT_COLUMNS]
    if "seal" in row:
        return [*event, row["seal"]]
    event[-1] = event[0]
    return [*event, seal_of_event(event)]


def _take_rows(found: _Found, spec: RegisterTable, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    names = ["id", *(name for name in columns if name in spec.columns or name in ("revision", "seal"))]
    at, place = [columns.index(name) for name in names], columns.index("geometry") if "geometry" in columns else None
    cells = [[row[number] for number in at] for row in rows]
    for held, row in zip(as_held(spec, names, cells, "sqlite"), rows, strict=True):
        if held.row_id.startswith(spec.prefix) and held.row_id.removeprefix(spec.prefix).isdecimal():
            found.take_row(spec.name, held)
            blob = None if place is None else row[place]
            if isinstance(blob, bytes) and len(blob) > 8:
                srid = int(struct.unpack("<i", blob[4:8])[0])
                found.srids[srid] = found.srids.get(srid, 0) + 1


def _through_pages(data: bytes, found: _Found) -> None:
    """Whatever records stand in the pages, dead ones too: seals tell them apart."""
    prefixes = {spec.prefix: name for name, spec in register_tables().items()}
    for rowid, values in records(data):
        first = values[0] if values else None
        if len(values) == 2 and isinstance(first, str) and first in _FACTS and isinstance(values[1], str):
            found.facts.setdefault(first, values[1])
        elif len(values) == 2 and first in prefixes and isinstance(values[1], int):
            found.counters[str(first)] = max(found.counters.get(str(first), 0), values[1])
        elif first is None and len(values) > 2 and isinstance(values[1], str):
            table = prefixes.get(values[1][:2])
            if table and values[1][2:].isdecimal():
                _take_record(found, register_tables()[table], [rowid, *values[1:]])
            elif _MOMENT.fullmatch(values[1]):
                names = (*EVENT_COLUMNS, "seal") if len(values) > len(EVENT_COLUMNS) - 1 else EVENT_COLUMNS[:-1]
                found.take_event(_event_of(dict(zip(names, [rowid, *values[1:]], strict=False))))


def _take_record(found: _Found, spec: RegisterTable, values: Sequence[Any]) -> None:
    """A record under the order of columns with which it fits its seal; else under the first that is long enough."""
    fits = [columns for columns in _orders(spec.name) if len(columns) >= len(values)]
    for columns in fits:
        trial = _Found()
        _take_rows(trial, spec, columns, [[*values, *[None] * (len(columns) - len(values))]])
        held = next(iter(trial.rows.get(spec.name, {}).values()), None)
        if held is not None and _rank(held)[0]:
            break
    else:
        if not fits:
            return
        columns = fits[0]
    _take_rows(found, spec, columns, [[*values, *[None] * (len(columns) - len(values))]])


@cache
def _orders(table: str) -> tuple[tuple[str, ...], ...]:
    """Columns of a table in the orders that registers have: made by one version, perhaps brought to later ones."""
    spec = register_tables()[table]
    last = ("revision", "seal", *(("geometry",) if spec.geometry else ()))
    out: list[tuple[str, ...]] = []
    for made in range(layout_version(), 0, -1):
        first = [name for name, held in spec.fields.items() if held.since <= made]
        added = [name for step in range(made + 1, layout_version() + 1) for name, held in spec.fields.items()
                 if held.since == step]
        out.append(("fid", "id", *first, *last, *added))
    return tuple(dict.fromkeys(out))


def replayed(events: Iterable[Event]) -> dict[str, dict[str, dict[str, str]]]:
    """Rows as the log says they are, table by table; those whose coming was not read are left out."""
    lines = list(events)
    void = {event[10] for event in lines if event[10] is not None}
    out: dict[str, dict[str, dict[str, str]]] = {}
    for event in lines:
        if event[0] in void:
            continue
        rows, row_id, name, new = out.setdefault(event[4], {}), event[5], event[6], event[8]
        if name == CREATED:
            try:
                rows[row_id] = {str(key): str(value) for key, value in json.loads(new or "{}").items()}
            except (ValueError, AttributeError):
                continue
        elif row_id in rows and new is None:
            rows[row_id].pop(name, None)
        elif row_id in rows:
            rows[row_id][name] = new
    return out
