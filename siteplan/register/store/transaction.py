"""One transaction of a register: who writes what, which problems were found, the events to be logged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from siteplan.errors import Problem, RegisterError
from siteplan.register.store.cells import id_list, insert_rows, raw_rows
from siteplan.register.store.connect import writing_connection
from siteplan.register.store.layout import EVENTS_SEALED, tell_change
from siteplan.register.store.opening import Register, keep_last_event, last_event, utc_text
from siteplan.register.store.seals import seal_of_event
from siteplan.register.store.values import has_control

CREATED = "*"
"""Field of the event that brings a row; its new value holds the whole row as JSON."""
EVENT_COLUMNS = ("seq", "at", "day", "author", "kind", "row_id", "field", "old", "new", "why", "voids", "change")
"""Columns of the log, in the order in which a seal takes them."""
Change = tuple[str, str | None, str | None]
"""Field, old and new value as the log spells them."""


@dataclass(frozen=True)
class Stamp:
    """Who changes, on which day it holds, when it is entered, and why.

    Attributes
    ----------
    author : str
    day : date
        The day on which what is entered came true.
    at : datetime
        Moment of entering, with its zone.
    why : str
    """

    author: str
    day: dt.date
    at: dt.datetime
    why: str = ""


@dataclass
class Transaction:
    """Changes that are written together; made by `writing`.

    Attributes
    ----------
    register : Register
    connection : Connection
        For :func:`read_rows`.
    stamp : Stamp
    problems : list of Problem
        Found so far; any of them undoes the whole when it ends.
    written : dict of (table, what) to int
        Rows ``added`` and ``changed``.
    """

    register: Register
    connection: Connection
    stamp: Stamp
    problems: list[Problem] = field(default_factory=list)
    written: dict[tuple[str, str], int] = field(default_factory=dict)
    _events: list[list[Any]] = field(default_factory=list, repr=False)
    _days: dict[tuple[str, str, str], dt.date] = field(default_factory=dict, repr=False)
    _known: dict[str, set[str]] = field(default_factory=dict, repr=False)
    _words: dict[str, list[str]] = field(default_factory=dict, repr=False)
    _keys: dict[str, set[str]] = field(default_factory=dict, repr=False)
    _seq: int = 0

    def fault(self, where: tuple[str, str, str], name: str, reason: str, remedy: str) -> None:
        """Note a problem of a row: (layer, file, row), field, why, how to mend it."""
        self.problems.append(Problem(*where, name, reason, remedy))

    def count(self, table: str, what: str, number: int) -> None:
        """Note how many rows of a table were added or changed."""
        self.written[table, what] = self.written.get((table, what), 0) + number

    def log(self, table: str, row_id: str, changes: Sequence[Change], day: dt.date, why: str = "",
            voids: Sequence[int | None] = ()) -> None:
        """Log what changed in one row at once."""
        at, author, why = utc_text(self.stamp.at), self.stamp.author.strip(), why or self.stamp.why
        if why and has_control(why):
            self.fault((table, self.register.shown, row_id), "why", "原因含有控制字符", "删去后重填")
        first = self._seq + 1
        for place, (name, old, new) in enumerate(changes):
            self._seq += 1
            self._events.append([self._seq, at, day.isoformat(), author, table, row_id, name, old, new, why or None,
                                 voids[place] if voids else None, first])
            self._days[table, row_id, name] = day

    def flush(self) -> None:
        """Write the events that wait; whoever reads the log in a transaction does this first."""
        if not self._events:
            return
        source, rows = self.register.layout.events, self._events
        names = list(EVENT_COLUMNS)
        if self.register.version >= EVENTS_SEALED:
            names.append("seal")
            rows = [[*row, seal_of_event(row)] for row in rows]
        else:
            rows = [row[:-1] for row in rows]
            names.remove("change")
        insert_rows(self.connection, source, names, rows)
        self._events.clear()

    def last_days(self, table: str, ids: Iterable[str], names: Iterable[str]) -> dict[tuple[str, str], dt.date]:
        """Day of the last change of some fields of some rows; field ``*`` = the day on which a row came."""
        wanted, fields = list(ids), sorted(set(names) | {CREATED})
        lite = self.connection.dialect.name == "sqlite"
        events = self.connection.dialect.identifier_preparer.format_table(self.register.layout.events)
        words, taken = id_list(self.connection, wanted)
        mark = "?" if lite else "%s"
        rows = raw_rows(
            self.connection, f"SELECT row_id, field, MAX(day) FROM {events} WHERE kind = {mark} AND row_id {words} "
            f"AND field IN ({', '.join([mark] * len(fields))}) AND seq NOT IN "
            f"(SELECT voids FROM {events} WHERE voids IS NOT NULL) "
            "GROUP BY row_id, field", (table, *taken, *fields))
        out = {(str(row_id), str(name)): dt.date.fromisoformat(day) if isinstance(day, str) else day
               for row_id, name, day in rows}
        if self._days:
            for row_id in wanted:
                out |= {(row_id, name): self._days[table, row_id, name] for name in fields
                        if (table, row_id, name) in self._days}
        return out

    def keys_of(self, table: str, column: str) -> set[str]:
        """Every value of a column that only one row may have."""
        if table not in self._keys:
            asked = select(self.register.layout.tables[table].c[column])
            self._keys[table] = {str(word) for (word,) in self.connection.execute(asked) if word is not None}
        return self._keys[table]

    def finish(self) -> None:
        """Write what waits, and what is told of a register once per transaction."""
        if self._events or self.written:
            self.flush()
            keep_last_event(self.register, self.connection, self._seq)
            tell_change(self.connection, [*dict.fromkeys(table for table, _ in self.written), "events"],
                        utc_text(self.stamp.at))


@contextmanager
def writing(register: Register, stamp: Stamp) -> Iterator[Transaction]:
    """Changes that are written together, or not at all; other programs wait meanwhile.

    Raises
    ------
    RegisterError
        Something is wrong with what was to be written (all problems of all rows, once), another program writes, or the
        register cannot be written to. The register is as it was.

    Examples
    --------
    >>> with writing(register, Stamp("张", day, now)) as transaction:  # doctest: +SKIP
    ...     ids = add_rows(transaction, "works", rows)
    """
    problems = [Problem("register", register.shown, "", name, reason, remedy)
                for name, reason, remedy in _stamp_faults(stamp)]
    if problems:
        raise RegisterError("不能写入储备库:", problems)
    with writing_connection(register.engine, register.shown, register.place.schema) as connection:
        transaction = Transaction(register, connection, stamp)
        transaction._seq = last_event(register, connection)
        yield transaction
        raise_problems(transaction)
        transaction.finish()


def _stamp_faults(stamp: Stamp) -> Iterator[tuple[str, str, str]]:
    if not stamp.author.strip() or not stamp.author.strip().isprintable():
        yield "author", "没有写登记人,或其中有控制字符", "写明登记人(--author)"
    if has_control(stamp.why):
        yield "why", "含有控制字符", "删去后重填"
    if stamp.at.tzinfo is None:
        yield "at", "登记时间没有时区", "用带时区的时间"


def raise_problems(transaction: Transaction, message: str = "没有写入储备库,须先改正:") -> None:
    """Raise RegisterError when there are problems so far."""
    if transaction.problems:
        raise RegisterError(message, dict.fromkeys(transaction.problems))
