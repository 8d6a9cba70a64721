"""Read a register: rows as they stand or as they stood on a day, and the log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from sqlalchemy import Connection

from siteplan.register.dictionary import RegisterTable, register_tables
from siteplan.register.store.cells import fetch, raw_rows
from siteplan.register.store.columns import COLUMNS
from siteplan.register.store.opening import Register, reading
from siteplan.register.store.shapes import shapes_of
from siteplan.register.store.standing import Standing, standing_on
from siteplan.register.store.transaction import EVENT_COLUMNS


def read_rows(register: Register, table: str, as_of: dt.date | None = None, *, connection: Connection | None = None,
              technical: bool = False, ids: Iterable[str] | None = None) -> pd.DataFrame:
    """A table of the register.

    Parameters
    ----------
    register : Register
    table : str
        Name of the table, such as ``sites``.
    as_of : date, optional
        The table as it stood at the end of that day: what was dated later is undone. What was entered later but dated
        up to that day counts, and so does a completion (``completion`` of the dictionary) whose own day is not later.
    connection : Connection, optional
        Of :func:`reading` or of a transaction, so that several tables are of one state.
    technical : bool
        With ``revision`` and ``seal``.
    ids : iterable of str, optional
        Only these rows; rows that are not there are left out.

    Returns
    -------
    DataFrame or GeoDataFrame
        Index ``id`` in order; columns as in the dictionary: texts ``str`` with NaN, whole numbers ``float64``, yes and
        no ``boolean``, days ``datetime64[us]``; geometry in the register's CRS.

    Raises
    ------
    RegisterError
        The register cannot be read.
    """
    if connection is None:
        with reading(register) as own:
            return read_rows(register, table, as_of, connection=own, technical=technical, ids=ids)
    spec, source = register_tables()[table], register.layout.tables[table]
    names = [column.name for column in source.columns if column.name != "fid"]
    wanted = None if ids is None else set(ids)
    rows = fetch(connection, source, names, wanted)
    cells = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in names]
    out = _frame(spec, names, cells, connection.dialect.name)
    if as_of is not None:
        out = standing_on(register, spec, out, as_of, connection, wanted).rows
    if not technical:
        out = out.drop(columns=["revision", "seal"])
    return gpd.GeoDataFrame(out, geometry="geometry", crs=register.crs) if spec.geometry else out


def rows_on(register: Register, table: str, rows: pd.DataFrame, as_of: dt.date, connection: Connection) -> Standing:
    """A whole table that :func:`read_rows` gave without a day, as it stood at the end of a day: read once for all.

    Parameters
    ----------
    register : Register
    table : str
    rows : DataFrame
        Of the same connection; is not changed.
    as_of : date
    connection : Connection

    Returns
    -------
    Standing
        ``rows`` as ``read_rows`` with the day gives them, and which completions were entered ``late``.
    """
    spec = register_tables()[table]
    out, late = standing_on(register, spec, pd.DataFrame(rows), as_of, connection)
    return Standing(gpd.GeoDataFrame(out, geometry="geometry", crs=register.crs) if spec.geometry else out, late)


def _frame(spec: RegisterTable, names: Sequence[str], cells: Sequence[list[Any]], dialect: str) -> pd.DataFrame:
    keys = pd.Index(["" if key is None else str(key) for key in cells[names.index("id")]], dtype="str", name="id")
    columns: dict[str, Any] = {}
    for name, column in zip(names, cells, strict=True):
        if name == "geometry":
            columns[name] = shapes_of(column, dialect)
        elif name != "id":
            kind = "int" if name == "revision" else "text" if name == "seal" else spec.fields[name].spec.type
            columns[name] = COLUMNS[kind](column)
    out = pd.DataFrame(columns, index=keys)
    return out if out.index.is_unique else out[~out.index.duplicated()]


def read_events(register: Register, *, table: str = "", row_id: str = "", field: str = "", after: dt.date | None = None,
                until: dt.date | None = None, with_void: bool = False, connection: Connection | None = None,
                ) -> pd.DataFrame:
    """The log: every change with moment, day, author, old and new value, in the order of days and of entering.

    Parameters
    ----------
    register : Register
    table, row_id, field : str
        Only those; field ``*`` = the coming of rows.
    after, until : date, optional
        Only days later than ``after``, and up to ``until``.
    with_void : bool
        With events that a later correction voids.

    Returns
    -------
    DataFrame
        ``seq, at, day, author, kind, row_id, field, old, new, why, voids, change``: events of one change have its
        number, that of its first event, in ``change``.
    """
    if connection is None:
        with reading(register) as own:
            return read_events(register, table=table, row_id=row_id, field=field, after=after, until=until,
                               with_void=with_void, connection=own)
    names = [name for name in EVENT_COLUMNS if name in register.layout.events.c]
    lite, quote = connection.dialect.name == "sqlite", connection.dialect.identifier_preparer
    mark, events = "?" if lite else "%s", quote.format_table(register.layout.events)
    asked: list[tuple[str, Any]] = [(f"{name} = {mark}", word) for name, word in (
        ("kind", table), ("row_id", row_id), ("field", field)) if word]
    asked += [(f"day {sign} {mark}", day.isoformat() if lite else day) for sign, day in ((">", after), ("<=", until))
              if day is not None]
    conditions = [condition for condition, _ in asked]
    if not with_void:
        conditions.append(f"seq NOT IN (SELECT voids FROM {events} WHERE voids IS NOT NULL)")
    rows = raw_rows(connection, f"SELECT {', '.join(map(quote.quote, names))} FROM {events}"
                    f"{' WHERE ' if conditions else ''}{' AND '.join(conditions)} ORDER BY day, seq",
                    tuple(word for _, word in asked))
    return _event_table(names, rows)


def _event_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    cells = dict(zip(names, map(list, zip(*rows, strict=True)) if rows else ([] for _ in names), strict=True))
    columns: dict[str, Any] = {}
    for name in EVENT_COLUMNS:
        if name == "seq":
            columns[name] = np.array(cells[name], dtype="int64")
        elif name == "change":
            given = cells.get(name, cells["seq"])
            columns[name] = np.array([seq if change is None else change for seq, change in zip(
                cells["seq"], given, strict=True)], dtype="int64")
        elif name == "voids":
            columns[name] = np.array(cells[name], dtype=object)
        else:
            columns[name] = COLUMNS["date" if name == "day" else "text"](cells[name])
    return pd.DataFrame(columns)
