"""A table as it stood at the end of a day: what is dated later is undone, completions that came late count."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from siteplan.errors import Problem, RegisterError
from siteplan.register.dictionary import RegisterField, RegisterTable
from siteplan.register.store.cells import id_list, raw_rows
from siteplan.register.store.columns import COLUMNS
from siteplan.register.store.opening import Register
from siteplan.register.store.transaction import CREATED
from siteplan.register.store.values import value_of


class Standing(NamedTuple):
    """Rows on a day, and the ids of those whose completion was entered later and is dated up to it."""

    rows: pd.DataFrame
    late: tuple[str, ...]


def standing_on(register: Register, spec: RegisterTable, now: pd.DataFrame, as_of: dt.date, connection: Connection,
                ids: set[str] | None = None) -> Standing:
    """A table as it stood at the end of a day.

    Parameters
    ----------
    register : Register
    spec : RegisterTable
    now : DataFrame
        The table as it is, or some rows of it; is not changed.
    as_of : date
    connection : Connection
        That ``now`` was read by.
    ids : set of str, optional
        The rows of ``now`` where they are not all.

    Raises
    ------
    RegisterError
        An old value of the log cannot be read.
    """
    born, olds = _later(register, spec, as_of, connection, ids)
    out = now[~now.index.isin(born)].copy() if born else now
    if not len(out):
        return Standing(out, ())
    for name, old in olds.items():
        if name in out:
            values = {row_id: _old_value(register, spec.fields.get(name), row_id, text) for row_id, text in old.items()}
            out = _with_values(out, spec, name, values)
    return _completed(spec, out, now, as_of, () if spec.completion is None else olds.get(spec.completion.day, ()))


def _later(register: Register, spec: RegisterTable, as_of: dt.date, connection: Connection, ids: set[str] | None,
           ) -> tuple[set[str], Mapping[str, Mapping[str, str | None]]]:
    """What is dated later than a day: rows that came, and by field and row the value before."""
    lite = connection.dialect.name == "sqlite"
    events, mark = connection.dialect.identifier_preparer.format_table(register.layout.events), "?" if lite else "%s"
    words, taken = ("", ()) if ids is None else id_list(connection, ids)
    found: Sequence[Sequence[Any]] = raw_rows(
        connection, f"SELECT row_id, field, old FROM {events} WHERE kind = {mark} AND day > {mark}"
        f"{f' AND row_id {words}' if words else ''} "
        f"AND seq NOT IN (SELECT voids FROM {events} WHERE voids IS NOT NULL) ORDER BY seq",
        (spec.name, as_of.isoformat() if lite else as_of, *taken))
    born: set[str] = set()
    olds: dict[str, dict[str, str | None]] = {}
    for row_id, name, old in found:
        if name == CREATED:
            born.add(row_id)
        else:
            olds.setdefault(name, {}).setdefault(row_id, old)
    return born, olds


def _with_values(table: pd.DataFrame, spec: RegisterTable, name: str, values: Mapping[str, Any]) -> pd.DataFrame:
    """The table with other values in some rows of a column; rows that are not there are passed over."""
    column = list(table[name].to_numpy(object))
    places = table.index.get_indexer(pd.Index(list(values), dtype="str"))
    for place, value in zip(places, values.values(), strict=True):
        if place >= 0:
            column[place] = value
    if name == "geometry":
        shapes = np.empty(len(column), dtype=object)
        shapes[:] = column
        return table.assign(geometry=shapes)
    cells = [None if cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and math.isnan(cell))
             else cell.date() if isinstance(cell, dt.datetime) else cell for cell in column]
    return table.assign(**{name: COLUMNS[spec.fields[name].spec.type](cells)})


def _old_value(register: Register, field: RegisterField | None, row_id: str, text: str | None) -> Any:
    try:
        return value_of(field, text)
    except ValueError:
        raise RegisterError(f"储备库 {register.shown} 的变更记录被其他程序改动过:", [Problem(
            "events", register.shown, row_id, field.name if field else "geometry", f"原值“{text}”不可读",
            "运行 siteplan register check 查看,用备份替换")]) from None


def _completed(spec: RegisterTable, table: pd.DataFrame, now: pd.DataFrame, as_of: dt.date, later: Iterable[str],
               ) -> Standing:
    """Rows with the completions that are dated up to the day, of those whose day of completion was entered later.

    What had ended otherwise by that day (``unless``) stays so.
    """
    ids, meant = sorted(set(later) & set(table.index)), spec.completion
    if meant is None or not ids:
        return Standing(table, ())
    limit, rows = pd.Timestamp(as_of), now.loc[ids]
    kept = (rows[meant.day] <= limit) & ~(table.loc[ids, meant.day] <= limit)
    kept &= ~table.loc[ids, meant.field].isin(meant.unless)
    done = rows.index[kept.to_numpy(bool)]
    if not len(done):
        return Standing(table, ())
    out = table.copy()
    out.loc[done, meant.day] = now.loc[done, meant.day]
    out.loc[done, meant.field] = meant.value or now.loc[done, meant.field]
    if meant.since:
        out.loc[done, meant.since] = now.loc[done, meant.day]
    return Standing(out, tuple(done))
