"""Tables of the register as a plan is compared with them: whole rows, as the toolkit wrote them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import select

from siteplan.register.dictionary import register_tables
from siteplan.register.store import CREATED, Transaction, require_sealed
from siteplan.register.store.cells import fetch, seals_of_columns, typed_columns
from siteplan.register.sync.record import TypedTable


def held_table(transaction: Transaction, name: str) -> TypedTable:
    """A table of the register, read once and held against its seals and its log.

    Raises
    ------
    RegisterError
        Another program changed, added or deleted rows; each is named.
    """
    register, connection, spec = transaction.register, transaction.connection, register_tables()[name]
    source, events = register.layout.tables[name], register.layout.events
    names = ["id", *(column for column in spec.columns if column in source.c), "seal"]
    rows = fetch(connection, source, names)
    columns = typed_columns(spec, names, rows, connection.dialect.name)
    ids = tuple("" if row[0] is None else str(row[0]) for row in rows)
    logged = {str(row_id) for (row_id,) in connection.execute(
        select(events.c.row_id).where(events.c.kind == name, events.c.field == CREATED))}
    sealed = [row[-1] for row in rows] == seals_of_columns(ids, columns)
    if not sealed or set(ids) != logged or len(logged) != len(ids):
        require_sealed(register, (name,), connection=connection)
    nothing: list[Any] = [None] * len(rows)
    values = {column: columns[column][0] if column in columns else list(nothing) for column in spec.columns}
    shapes = np.full(len(rows), None, dtype=object)
    shapes[:] = values.pop("geometry", nothing)
    return TypedTable(ids, values, shapes)
