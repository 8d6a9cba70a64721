"""Read a register: rows as they stand or as they stood on a day, and the log."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection

from siteplan.errors import Problem, RegisterError
from siteplan.register.dictionary import RegisterField, RegisterTable, register_tables
from siteplan.register.store.cells import DAY_LETTERS, day_of_cell, fetch, id_list, raw_rows
from siteplan.register.store.opening import Register, reading
from siteplan.register.store.shapes import shapes_of
from siteplan.register.store.transaction import CREATED, EVENT_COLUMNS
from siteplan.register.store.values import value_of


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
        up to that day counts.
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
        out = _undone(register, spec, out, as_of, connection, wanted)
    if not technical:
        out = out.drop(columns=["revision", "seal"])
    return gpd.GeoDataFrame(out, geometry="geometry", crs=register.crs) if spec.geometry else out


def rows_on(register: Register, table: str, rows: pd.DataFrame, as_of: dt.date, connection: Connection) -> pd.DataFrame:
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
    DataFrame or GeoDataFrame
        As ``read_rows`` with the day gives it.
    """
    spec = register_tables()[table]
    out = _undone(register, spec, pd.DataFrame(rows), as_of, connection, None)
    return gpd.GeoDataFrame(out, geometry="geometry", crs=register.crs) if spec.geometry else out


def _frame(spec: RegisterTable, names: Sequence[str], cells: Sequence[list[Any]], dialect: str) -> pd.DataFrame:
    keys = pd.Index(["" if key is None else str(key) for key in cells[names.index("id")]], dtype="str", name="id")
    columns: dict[str, Any] = {}
    for name, column in zip(names, cells, strict=True):
        if name == "geometry":
            columns[name] = shapes_of(column, dialect)
        elif name != "id":
            kind = "int" if name == "revision" else "text" if name == "seal" else spec.fields[name].spec.type
            columns[name] = _COLUMNS[kind](column)
    out = pd.DataFrame(columns, index=keys)
    return out if out.index.is_unique else out[~out.index.duplicated()]


_TEXT = {str, type(None)}


def _texts(cells: list[Any]) -> Any:
    """One column in its dtype; a cell that another program filled with something else is nothing here."""
    if not set(map(type, cells)) <= _TEXT:
        cells = [cell if isinstance(cell, str) else None for cell in cells]
    return pd.array(pa.array(cells, type=pa.large_string()), dtype="str")


def _numbers(cells: list[Any]) -> Any:
    try:
        out = np.array(cells, dtype=np.float64)  # None becomes NaN
    except (TypeError, ValueError, OverflowError):
        out = np.array([cell if isinstance(cell, int | float) and abs(cell) < np.finfo(float).max else np.nan
                        for cell in cells], dtype=np.float64)
    return np.where(np.isfinite(out), out, np.nan)


def _truths(cells: list[Any]) -> Any:
    return pd.array([bool(cell) if isinstance(cell, int) and cell in (0, 1) else None for cell in cells],
                    dtype="boolean")


def _days(cells: list[Any]) -> Any:
    texts = [cell if cell is None or (isinstance(cell, str) and len(cell) == DAY_LETTERS) else
             None if (day := day_of_cell(cell)) is None else day.isoformat() for cell in cells]
    try:
        return np.array(texts, dtype="datetime64[D]").astype("datetime64[us]")
    except ValueError:
        return pd.to_datetime(pd.Series(texts, dtype="object"), errors="coerce", format="%Y-%m-%d").to_numpy(
            "datetime64[us]")


_COLUMNS: Mapping[str, Callable[[list[Any]], Any]] = {
    "text": _texts, "int": _numbers, "float": _numbers, "bool": _truths, "date": _days}


def _undone(register: Register, spec: RegisterTable, table: pd.DataFrame, as_of: dt.date, connection: Connection,
            ids: set[str] | None) -> pd.DataFrame:
    """The table without what is dated later than a day."""
    first: dict[tuple[str, str], str | None] = {}
    born: set[str] = set()
    for row_id, name, old in _later(register, spec, as_of, connection, ids):
        if name == CREATED:
            born.add(row_id)
        else:
            first.setdefault((row_id, name), old)
    out = table[~table.index.isin(born)].copy() if born else table
    if not first or not len(out):
        return out
    by_field: dict[str, dict[str, str | None]] = {}
    for (row_id, name), old in first.items():
        by_field.setdefault(name, {})[row_id] = old
    for name, olds in by_field.items():
        if name not in out:
            continue
        where = out.index.get_indexer(pd.Index(list(olds), dtype="str"))
        values = [_old_value(register, spec.fields.get(name), row_id, old) for row_id, old in olds.items()]
        column = list(out[name].to_numpy(object))
        for place, value in zip(where, values, strict=True):
            if place >= 0:
                column[place] = value
        if name == "geometry":
            shapes = np.empty(len(column), dtype=object)
            shapes[:] = column
            out = out.assign(geometry=shapes)
        else:
            cells = [None if cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and math.isnan(cell))
                     else cell.date() if isinstance(cell, dt.datetime) else cell for cell in column]
            out = out.assign(**{name: _COLUMNS[spec.fields[name].spec.type](cells)})
    return out


def _later(register: Register, spec: RegisterTable, as_of: dt.date, connection: Connection, ids: set[str] | None,
           ) -> list[Sequence[Any]]:
    """Row, field and old value of what is dated later than a day, in the order in which it was entered."""
    lite = connection.dialect.name == "sqlite"
    events, mark = connection.dialect.identifier_preparer.format_table(register.layout.events), "?" if lite else "%s"
    words, taken = ("", ()) if ids is None else id_list(connection, ids)
    return raw_rows(
        connection, f"SELECT row_id, field, old FROM {events} WHERE kind = {mark} AND day > {mark}"
        f"{f' AND row_id {words}' if words else ''} "
        f"AND seq NOT IN (SELECT voids FROM {events} WHERE voids IS NOT NULL) ORDER BY seq",
        (spec.name, as_of.isoformat() if lite else as_of, *taken))


def _old_value(register: Register, field: RegisterField | None, row_id: str, text: str | None) -> Any:
    try:
        return value_of(field, text)
    except ValueError:
        raise RegisterError(f"储备库 {register.shown} 的变更记录被其他程序改动过:", [Problem(
            "events", register.shown, row_id, field.name if field else "geometry", f"原值“{text}”不可读",
            "运行 siteplan register check 查看,用备份替换")]) from None


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
            columns[name] = _days(cells[name]) if name == "day" else _texts(cells[name])
    return pd.DataFrame(columns)
