"""Everything that a report reads of a register, as it stood at the end of one day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd
import pyproj
from sqlalchemy import Connection, func, select

from siteplan.register import Register, read_rows, reading, register_tables, require_sealed
from siteplan.register.store import rows_on


@dataclass(frozen=True)
class RegisterState:
    """A register at the end of a day.

    Attributes
    ----------
    city : str
    shown : str
        The register, as messages name it.
    crs : pyproj.CRS
    as_of : date
    last_event : int
        Number of the last event that is dated up to that day.
    late_entries : int
        Completions that were dated up to that day and entered later; they count.
    tables : mapping of str to DataFrame
        Rows of every table by its name.
    now : mapping of str to int
        How many rows each table has now, what is dated later among them.
    entered : mapping of str to date
        Tables that have rows now and had none that day, with the day that their first row is dated on.
    """

    city: str
    shown: str
    crs: pyproj.CRS
    as_of: dt.date
    last_event: int
    late_entries: int
    tables: Mapping[str, pd.DataFrame]
    now: Mapping[str, int]
    entered: Mapping[str, dt.date]


def register_state(register: Register, as_of: dt.date, names: Iterable[str] = ()) -> RegisterState:
    """Read every table as it stood at the end of a day, all of one state of the register.

    Parameters
    ----------
    register : Register
    as_of : date
        The day counts, the day after does not.
    names : iterable of str
        Tables to read; all when there is none.

    Raises
    ------
    RegisterError
        The register cannot be read, or another program changed rows of these tables.
    """
    return register_states(register, {as_of: tuple(names)})[as_of]


def register_states(register: Register, wanted: Mapping[dt.date, Iterable[str]]) -> dict[dt.date, RegisterState]:
    """The register at the end of several days, all of one state of it; every table is read and checked once.

    Parameters
    ----------
    register : Register
    wanted : mapping of date to iterable of str
        Tables of each day; all when there is none.

    Raises
    ------
    RegisterError
        The register cannot be read, or another program changed rows of these tables: a problem each.
    """
    days = {day: tuple(names) or tuple(register_tables()) for day, names in wanted.items()}
    listed = [name for name in register_tables() if any(name in names for names in days.values())]
    with reading(register) as connection:
        require_sealed(register, listed, connection=connection)
        held = {name: read_rows(register, name, connection=connection) for name in listed}
        return {day: _state(register, connection, held, names, day) for day, names in days.items()}


def _state(register: Register, connection: Connection, held: Mapping[str, pd.DataFrame], names: Iterable[str],
           as_of: dt.date) -> RegisterState:
    """Tables as they are now, brought to the end of a day."""
    tables: dict[str, pd.DataFrame] = {}
    entered: dict[str, dt.date] = {}
    entries = 0
    for name in names:
        tables[name], late = rows_on(register, name, held[name], as_of, connection)
        entries += len(late)
        first = None if len(tables[name]) or not len(held[name]) else _first_day(register, connection, name)
        entered |= {} if first is None else {name: first}
    return RegisterState(
        register.city, register.shown, register.crs, as_of, last_event_of(register, connection, as_of), entries,
        MappingProxyType(tables), MappingProxyType({name: len(held[name]) for name in names}),
        MappingProxyType(entered))


def _first_day(register: Register, connection: Connection, name: str) -> dt.date | None:
    """The first day that events of a table are dated on."""
    events = register.layout.events
    found = connection.execute(select(func.min(events.c.day)).where(events.c.kind == name)).scalar()
    return dt.date.fromisoformat(found) if isinstance(found, str) else found


def last_event_of(register: Register, connection: Connection, as_of: dt.date) -> int:
    """Number of the last event that is dated up to a day; 0 where there is none."""
    events = register.layout.events
    return int(connection.execute(
        select(func.coalesce(func.max(events.c.seq), 0)).where(events.c.day <= as_of)).scalar_one())
