"""Bring a register of an older version to the present one: backup first, then all or nothing."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, MetaData, Table, func, insert, inspect, select, text

from siteplan.errors import RegisterError
from siteplan.register.dictionary import layout_version
from siteplan.register.store.connect import Place, writing_connection
from siteplan.register.store.layout import Layout, keep_fact, layout_of, list_in_geopackage, meta_table
from siteplan.register.store.opening import LAST_EVENT, column_names, put_new, utc_text
from siteplan.register.store.seals import seal_of_event
from siteplan.register.store.transaction import EVENT_COLUMNS

_MOST_NAMES = 1000


def migrate(place: Place, engine: Engine, srid: int, version: int, at: dt.datetime) -> str:
    """Bring a register to the present layout.

    The backup lies beside it (a file ``NAME.v1-YYYYMMDD.gpkg``, or a schema ``NAME_v1_YYYYMMDD`` of the same database)
    and is a register of the old version. Of two programs that migrate at once one does it.

    Parameters
    ----------
    place : Place
    engine : Engine
    srid : int
        EPSG code of the register's CRS.
    version : int
        The version that it had when it was opened.
    at : datetime
        Moment of migration, with its zone; names the backup.

    Returns
    -------
    str
        Where the backup lies; empty when another program migrated meanwhile.

    Raises
    ------
    RegisterError
        The backup cannot be written or does not agree with the register, or another program writes. The register is as
        it was.
    """
    if at.tzinfo is None:
        raise RegisterError("迁移时间没有时区:用带时区的时间")
    made: list[Path] = []
    try:
        with writing_connection(engine, place.shown, place.schema) as connection:
            meta = meta_table(MetaData(schema=place.schema))
            found = connection.execute(select(meta.c.value).where(meta.c.key == "version")).scalar()
            version = int(str(found))
            if version >= layout_version():
                return ""
            old = layout_of(srid, place.schema, version)
            backup = _copy_file(place, old, at, connection, made) if place.path else _copy_schema(
                place, srid, old, (version, at), connection)
            for step in range(version + 1, layout_version() + 1):
                layout = layout_of(srid, place.schema, step)
                _extend(connection, layout, place, srid, at)
                for further in _STEPS.get(step, ()):
                    further(connection, layout)
            keep_fact(connection, layout, "version", str(layout_version()))
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    return backup


def _tables(layout: Layout) -> dict[str, Table]:
    return {**layout.tables, "events": layout.events, "register_meta": layout.meta,
            "register_counters": layout.counters}


def _counts(connection: Connection, layout: Layout) -> dict[str, int]:
    return {name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            for name, table in _tables(layout).items()}


def _copy_file(place: Place, layout: Layout, at: dt.datetime, connection: Connection, made: list[Path]) -> str:
    """The file as it stands, checked, under a name that is free."""
    path = place.path or Path()
    version = connection.execute(select(layout.meta.c.value).where(layout.meta.c.key == "version")).scalar()
    stem, counts = f"{path.stem}.v{version}-{at:%Y%m%d}", _counts(connection, layout)
    draft: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=".siteplan-", suffix=".gpkg", dir=path.absolute().parent)
        os.close(handle)
        draft = Path(name)
        source = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
        target = sqlite3.connect(draft)
        try:
            source.backup(target)
            whole = [str(line) for (line,) in target.execute("PRAGMA integrity_check")] == ["ok"]
            copied = {table: int(target.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]) for table in counts}
        finally:
            source.close()
            target.close()
        if not whole or copied != counts:
            raise RegisterError(f"储备库 {place.shown} 的备份与原文件不一致,没有迁移:先运行 siteplan register rescue")
        for number in range(1, _MOST_NAMES):
            backup = path.with_name(f"{stem}{f'-{number}' if number > 1 else ''}.gpkg")
            if not backup.exists():
                put_new(draft, backup)
                made.append(backup)
                return str(backup)
    except OSError as error:
        raise RegisterError(f"不能写备份,储备库 {place.shown} 没有迁移:{error.strerror or error}") from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)
    raise RegisterError(f"{path.parent} 中名为 {stem} 的备份太多,储备库没有迁移:移走旧备份")


def _copy_schema(place: Place, srid: int, old: Layout, made_of: tuple[int, dt.datetime], connection: Connection) -> str:
    """A schema beside with the same tables and rows; part of the same transaction."""
    version, at = made_of
    stem, taken = f"{place.schema}_v{version}_{at:%Y%m%d}", set(inspect(connection).get_schema_names())
    name = next(name for number in range(1, _MOST_NAMES) if (name := f"{stem}{f'_{number}' if number > 1 else ''}")
                not in taken)
    quoted = connection.dialect.identifier_preparer.quote_identifier(name)
    connection.execute(text(f"CREATE SCHEMA {quoted}"))
    copy = layout_of(srid, name, version)
    copy.metadata.create_all(connection)
    for table, source in _tables(old).items():
        target = _tables(copy)[table]
        columns = [column.name for column in target.columns]
        connection.execute(insert(target).from_select(columns, select(*(source.c[column] for column in columns))))
        if "fid" in columns:
            connection.execute(text("SELECT setval(pg_get_serial_sequence(:name, 'fid'), :last)"), {
                "name": f"{quoted}.{table}",
                "last": connection.execute(select(func.coalesce(func.max(target.c.fid), 0) + 1)).scalar_one()})
    if _counts(connection, copy) != _counts(connection, old):
        raise RegisterError(f"储备库 {place.shown} 的备份与原表不一致,没有迁移")
    return f"{place.shown.rpartition('schema=')[0]}schema={name}"


def _extend(connection: Connection, layout: Layout, place: Place, srid: int, at: dt.datetime) -> None:
    """Tables, columns and indexes that a version brought."""
    there = column_names(connection, place.schema)
    preparer = connection.dialect.identifier_preparer
    new = [table for name, table in _tables(layout).items() if name not in there]
    layout.metadata.create_all(connection, tables=new, checkfirst=False)
    for name, table in _tables(layout).items():
        if table in new:
            continue
        for column in table.columns:
            if column.name not in there[name]:
                kind = column.type.compile(dialect=connection.dialect)
                connection.execute(text(
                    f"ALTER TABLE {preparer.format_table(table)} ADD COLUMN {preparer.quote(column.name)} {kind}"))
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    if place.path is not None and new:
        list_in_geopackage(connection, [table.name for table in new], srid, utc_text(at))


def _seal_events(connection: Connection, layout: Layout) -> None:
    """Version 2: each event is a change of its own and gets its seal."""
    preparer = connection.dialect.identifier_preparer
    names = [name for name in EVENT_COLUMNS if name != "change"]
    table = preparer.format_table(layout.events)
    columns = ", ".join(map(preparer.quote, names))
    rows = connection.exec_driver_sql(f"SELECT {columns} FROM {table} ORDER BY seq").fetchall()
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    if rows:
        connection.exec_driver_sql(f"UPDATE {table} SET change = {mark}, seal = {mark} WHERE seq = {mark}",
                                   [(row[0], seal_of_event([*row, row[0]]), row[0]) for row in rows])
    keep_fact(connection, layout, LAST_EVENT, str(max((row[0] for row in rows), default=0)))


_STEPS: Mapping[int, tuple[Callable[[Connection, Layout], None], ...]] = {2: (_seal_events,)}
"""What else a version needs, in order, after its tables and columns are there."""
