"""Cells of a store: rows in and out of its tables as the drivers take and give them, without loss and quickly."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import shapely
from sqlalchemy import Connection, Table

from siteplan.register.dictionary import RegisterTable
from siteplan.register.store.seals import digest
from siteplan.register.store.shapes import driver_shapes, shapes_of
from siteplan.register.store.values import DECIMALS

DAY_LETTERS = len("2026-06-30")
_MIDNIGHT = re.compile(r"[T ]00:00:00(\.0+)?Z?")
Column = tuple[list[Any], list[str | None]]
"""Typed values of one column, and how the log spells them."""


class Held(NamedTuple):
    """A row as the store holds it.

    ``values`` typed, every column; ``texts`` as the log spells them, empty ones left out; ``broken`` columns whose cell
    is of a wrong kind, with what stands in it: another program filled it.
    """

    row_id: str
    values: dict[str, Any]
    texts: dict[str, str]
    revision: int
    seal: str
    broken: Mapping[str, str]


def fetch(connection: Connection, source: Table, names: Sequence[str], ids: Iterable[str] | None = None,
          ) -> list[Sequence[Any]]:
    """Cells of some columns, row by row in the order of ids, as the driver gives them."""
    quote = connection.dialect.identifier_preparer
    asked = f"SELECT {', '.join(map(quote.quote, names))} FROM {quote.format_table(source)}"
    lite = connection.dialect.name == "sqlite"
    order = " ORDER BY id, fid" if lite else ' ORDER BY id COLLATE "C", fid'
    if ids is None:
        return raw_rows(connection, asked + order)
    words, taken = id_list(connection, ids)
    return raw_rows(connection, f"{asked} WHERE id {words}{order}", taken)


def raw_rows(connection: Connection, statement: str, values: tuple[Any, ...] = ()) -> list[Sequence[Any]]:
    """Rows as the driver gives them, without a wrapper around each."""
    result = connection.exec_driver_sql(statement, values)
    cursor: Any = result.cursor
    rows: list[Sequence[Any]] = cursor.fetchall()
    result.close()
    return rows


def id_list(connection: Connection, ids: Iterable[str]) -> tuple[str, tuple[Any, ...]]:
    """A condition on a column of texts that may be long, and its parameter; what cannot be an id is left out."""
    wanted = sorted({word for word in ids if word.isprintable()})
    if connection.dialect.name == "sqlite":
        return "IN (SELECT value FROM json_each(?))", (json.dumps(wanted),)
    return "= ANY(%s)", (wanted,)


def insert_rows(connection: Connection, source: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Add rows of cells as the driver takes them."""
    if rows:
        quote = connection.dialect.identifier_preparer
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        connection.exec_driver_sql(
            f"INSERT INTO {quote.format_table(source)} ({', '.join(map(quote.quote, names))}) "
            f"VALUES ({', '.join([mark] * len(names))})", [tuple(row) for row in rows])


def change_rows(connection: Connection, source: Table, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Set columns of rows: id -> typed values; rows that change the same columns go together."""
    quote = connection.dialect.identifier_preparer
    lite = connection.dialect.name == "sqlite"
    groups: dict[tuple[str, ...], list[tuple[str, Mapping[str, Any]]]] = {}
    for row_id, values in rows:
        groups.setdefault(tuple(values), []).append((row_id, values))
    for names, group in groups.items():
        columns = [driver_cells(connection, source, name, [values[name] for _, values in group]) for name in names]
        mark = "?" if lite else "%s"
        connection.exec_driver_sql(
            f"UPDATE {quote.format_table(source)} SET {', '.join(f'{quote.quote(name)} = {mark}' for name in names)} "
            f"WHERE id = {mark}", list(zip(*columns, [row_id for row_id, _ in group], strict=True)))


def driver_cells(connection: Connection, source: Table, name: str, values: list[Any]) -> list[Any]:
    """Typed values of a column as the driver takes them."""
    if name == "geometry":
        kind: Any = source.c[name].type
        return driver_shapes(values, kind.srid, connection.dialect.name)
    if connection.dialect.name == "sqlite" and source.c[name].type.python_type is dt.date:
        return [None if value is None else value.isoformat() for value in values]
    return values


def held_rows(connection: Connection, source: Table, spec: RegisterTable, ids: Iterable[str] | None = None,
              ) -> list[Held]:
    """Rows of a table as the store holds them, in the order of ids."""
    names = ["id", *(name for name in spec.columns if name in source.c), "revision", "seal"]
    return as_held(spec, names, fetch(connection, source, names, ids), connection.dialect.name)


def typed_columns(spec: RegisterTable, names: Sequence[str], rows: Sequence[Sequence[Any]], dialect: str,
                  ) -> dict[str, Column]:
    """Rows of cells as columns of typed values and their spelling, None for nothing.

    A cell of a wrong kind is as it was found, and has no spelling. Columns without any cell are left out.
    """
    out: dict[str, Column] = {}
    known = set(spec.columns)
    for name, cells in zip(names, zip(*rows, strict=True), strict=True) if rows else ():
        there = [row for row, cell in enumerate(cells) if cell is not None] if name in known else []
        if not there:
            continue
        kind = "geometry" if name == "geometry" else spec.fields[name].spec.type
        given = list(cells) if len(there) == len(cells) else [cells[row] for row in there]
        values, texts = typed_cells(kind, given, dialect)
        values = [cell if text is None else value for cell, value, text in zip(given, values, texts, strict=True)]
        if len(there) < len(cells):
            values, texts = _spread(values, there, len(cells)), _spread(texts, there, len(cells))
        out[name] = values, texts
    return out


def _spread(cells: Sequence[Any], places: Sequence[int], length: int) -> list[Any]:
    """A list with some cells in their places, None in the others."""
    out: list[Any] = [None] * length
    for place, cell in zip(places, cells, strict=True):
        out[place] = cell
    return out


def seals_of_columns(ids: Sequence[Any], columns: Mapping[str, Column]) -> list[str | None]:
    """Seals that rows ought to have, all at once; None for a row with a cell of a wrong kind."""
    parts: list[list[str | None]] = []
    broken: set[int] = set()
    for name in sorted(columns):
        values, texts = columns[name]
        parts.append([None if text is None else f"{name}={text}" for text in texts])
        broken |= {row for row, text in enumerate(texts) if text is None and values[row] is not None}
    lines = zip(*parts, strict=True) if parts else ((),) * len(ids)
    out: list[str | None] = [digest([str(row_id), *[part for part in line if part is not None]])
                             for row_id, line in zip(ids, lines, strict=True)]
    for row in broken:
        out[row] = None
    return out


def expected_seals(spec: RegisterTable, names: Sequence[str], rows: Sequence[Sequence[Any]], dialect: str,
                   ) -> list[str | None]:
    """Seals that rows of cells ought to have, all at once; None for a row with a cell of a wrong kind."""
    place = list(names).index("id")
    return seals_of_columns([row[place] for row in rows], typed_columns(spec, names, rows, dialect))


def as_held(spec: RegisterTable, names: Sequence[str], rows: Sequence[Sequence[Any]], dialect: str) -> list[Held]:
    """Rows of cells as typed rows; ``names`` with ``id``, ``revision`` and ``seal``."""
    empty = dict.fromkeys(spec.columns)
    every: list[dict[str, Any]] = [empty.copy() for _ in rows]
    spelled: list[dict[str, str]] = [{} for _ in rows]
    broken: dict[int, dict[str, str]] = {}
    for name, (values, texts) in typed_columns(spec, names, rows, dialect).items():
        for row, (value, text) in enumerate(zip(values, texts, strict=True)):
            if text is not None:
                every[row][name], spelled[row][name] = value, text
            elif value is not None:
                broken.setdefault(row, {})[name] = str(value)
    places = [list(names).index(name) for name in ("id", "revision", "seal")]
    out = []
    for row, cells in enumerate(rows):
        row_id, revision, seal = (cells[place] for place in places)
        out.append(Held("" if row_id is None else str(row_id), every[row], spelled[row],
                        revision if isinstance(revision, int) else 0, seal if isinstance(seal, str) else "",
                        broken.get(row, {})))
    return out


def typed_cells(kind: str, cells: list[Any], dialect: str) -> Column:
    """Cells of one column, none of them empty; a cell of a wrong kind has no text."""
    if kind == "geometry":
        shapes = shapes_of(cells, dialect)
        known = shapes != None  # noqa: E711 - element by element
        texts = np.full(len(cells), None, dtype=object)
        texts[known] = shapely.to_wkt(shapes[known], rounding_precision=DECIMALS)
        return list(shapes), list(texts)
    if kind == "text":
        return cells, [cell if isinstance(cell, str) else None for cell in cells]
    values = [_TYPED[kind](cell) for cell in cells]
    return values, [None if value is None else _SPELLED[kind](value) for value in values]


def _whole(cell: Any) -> int | None:
    return cell if isinstance(cell, int) and not isinstance(cell, bool) else None


def _real(cell: Any) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return None
    return float(cell) if math.isfinite(cell) else None


def _truth(cell: Any) -> bool | None:
    return bool(cell) if isinstance(cell, int) and cell in (0, 1) else None


def day_of_cell(cell: Any) -> dt.date | None:
    """The day in a cell; some programs write midnight instead. None where it holds none."""
    if isinstance(cell, dt.date):
        return cell
    if not isinstance(cell, str) or (len(cell) != DAY_LETTERS and not _MIDNIGHT.fullmatch(cell[DAY_LETTERS:])):
        return None
    try:
        return dt.date.fromisoformat(cell[:DAY_LETTERS])
    except ValueError:
        return None


_TYPED: Mapping[str, Callable[[Any], Any]] = {"int": _whole, "float": _real, "bool": _truth, "date": day_of_cell}
_SPELLED: Mapping[str, Callable[[Any], str]] = {
    "int": str, "float": repr, "bool": lambda value: "1" if value else "0", "date": dt.date.isoformat}
