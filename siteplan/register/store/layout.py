"""The tables of a register in a database, built from the dictionary; what makes a database a GeoPackage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyproj
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    insert,
    text,
    update,
)

from siteplan.register.dictionary import RegisterField, RegisterTable, layout_version, register_tables
from siteplan.register.store.shapes import GPKG_KINDS, Shape

TECHNICAL = ("fid", "id", "revision", "seal")
_WHOLE = BigInteger().with_variant(Integer, "sqlite")
_TYPES: dict[str, Any] = {"text": Text(), "int": _WHOLE, "float": Double(), "bool": Boolean(), "date": Date()}
_EVENT_COLUMNS: tuple[tuple[str, Any, bool], ...] = (
    ("at", Text, True), ("day", Date, True), ("author", Text, True), ("kind", Text, True), ("row_id", Text, True),
    ("field", Text, True), ("old", Text, False), ("new", Text, False), ("why", Text, False), ("voids", _WHOLE, False))
_EVENT_COLUMNS_2: tuple[tuple[str, Any], ...] = (("change", _WHOLE), ("seal", Text))
EVENTS_SEALED = 2
"""Version of the layout since which an event knows its change (number of the change's first event) and has a seal."""
GPKG_APPLICATION, GPKG_VERSION = 0x47504B47, 10300


@dataclass(frozen=True)
class Layout:
    """Tables of a register: those of the dictionary by name, and the log, ``register_meta``, ``register_counters``."""

    metadata: MetaData
    tables: dict[str, Table]
    events: Table
    meta: Table
    counters: Table


def layout_of(srid: int, schema: str | None = None, version: int | None = None) -> Layout:
    """The tables of a register.

    Parameters
    ----------
    srid : int
        EPSG code of the register's CRS.
    schema : str, optional
        Schema of a PostGIS register.
    version : int, optional
        Version of the layout; the present one when absent.
    """
    version = layout_version() if version is None else version
    metadata = MetaData(schema=schema)
    tables = {name: _table(table, metadata, srid, version) for name, table in register_tables().items()
              if table.since <= version}
    events = Table("events", metadata, Column("seq", _WHOLE, primary_key=True, autoincrement=False),
                   *(Column(name, kind, nullable=not held) for name, kind, held in _EVENT_COLUMNS),
                   *(Column(name, kind) for name, kind in _EVENT_COLUMNS_2 if version >= EVENTS_SEALED))
    Index("events_of_row", events.c.kind, events.c.row_id, events.c.field, events.c.day)
    Index("events_by_day", events.c.day)
    given = events.c.voids.is_not(None)
    Index("events_voided", events.c.voids, sqlite_where=given, postgresql_where=given)
    meta = meta_table(metadata)
    counters = Table("register_counters", metadata, Column("prefix", Text, primary_key=True), Column("last", _WHOLE))
    return Layout(metadata, tables, events, meta, counters)


def meta_table(metadata: MetaData) -> Table:
    """``register_meta``: what a register says of itself, the same in every version."""
    return Table("register_meta", metadata, Column("key", Text, primary_key=True), Column("value", Text))


def column_of(field: RegisterField) -> Column[Any]:
    """The column of a field."""
    return Column(field.name, _TYPES[field.spec.type])


def _table(table: RegisterTable, metadata: MetaData, srid: int, version: int) -> Table:
    columns = [column_of(field) for field in table.fields.values() if field.since <= version]
    shape = [Column("geometry", Shape(table.geometry, srid))] if table.geometry else []
    return Table(table.name, metadata, Column("fid", _WHOLE, primary_key=True), Column("id", Text, nullable=False,
                 unique=True), *columns, Column("revision", _WHOLE, nullable=False, server_default="0"),
                 Column("seal", Text), *shape)


def make_geopackage(connection: Connection, crs: pyproj.CRS, srid: int) -> None:
    """The system tables of a GeoPackage (OGC 12-128r19, clause 1.1) in an empty SQLite database."""
    connection.execute(text(f"PRAGMA application_id = {GPKG_APPLICATION:d}"))
    connection.execute(text(f"PRAGMA user_version = {GPKG_VERSION:d}"))
    for statement in _SYSTEM_TABLES:
        connection.execute(text(statement))
    known = [("Undefined cartesian", -1, "NONE", -1, "undefined", None),
             ("Undefined geographic", 0, "NONE", 0, "undefined", None),
             ("WGS 84", 4326, "EPSG", 4326, pyproj.CRS.from_epsg(4326).to_wkt("WKT1_GDAL"), "longitude/latitude")]
    if srid not in (-1, 0, 4326):
        known.append((crs.name, srid, "EPSG", srid, crs.to_wkt("WKT1_GDAL"), None))
    for row in known:
        connection.execute(text("INSERT INTO gpkg_spatial_ref_sys VALUES (:a,:b,:c,:d,:e,:f)"),
                           dict(zip("abcdef", row, strict=True)))


def list_in_geopackage(connection: Connection, names: Iterable[str], srid: int, at: str) -> None:
    """Have GeoPackage readers see tables: those of the dictionary, and the log."""
    for name in names:
        table = register_tables().get(name)
        geometry = table.geometry if table else ""
        connection.execute(text(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id) "
            "VALUES (:name, :kind, :name, :zh, :at, :srid)"),
            {"name": name, "kind": "features" if geometry else "attributes", "zh": table.zh if table else "变更记录",
             "at": at, "srid": srid if geometry else 0})
        if geometry:
            connection.execute(text("INSERT INTO gpkg_geometry_columns VALUES (:name, 'geometry', :kind, :srid, 0, 0)"),
                               {"name": name, "kind": GPKG_KINDS[geometry], "srid": srid})


def tell_change(connection: Connection, names: Iterable[str], at: str) -> None:
    """Tell GeoPackage readers that tables changed; the extent that one of them may have noted is no longer sure."""
    if connection.dialect.name == "sqlite":
        for name in names:
            connection.execute(text("UPDATE gpkg_contents SET last_change = :at, min_x = NULL, min_y = NULL, "
                                    "max_x = NULL, max_y = NULL WHERE table_name = :name"), {"at": at, "name": name})


def keep_fact(connection: Connection, layout: Layout, key: str, value: str) -> None:
    """Write one line of ``register_meta``."""
    done = connection.execute(update(layout.meta).where(layout.meta.c.key == key).values(value=value))
    if not done.rowcount:
        connection.execute(insert(layout.meta).values(key=key, value=value))


_SYSTEM_TABLES = (
    ("CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY,"
     " organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL,"
     " description TEXT)"),
    ("CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,"
     " identifier TEXT UNIQUE, description TEXT DEFAULT '',"
     " last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),"
     " min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,"
     " CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id))"),
    ("CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,"
     " geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,"
     " CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name),"
     " CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),"
     " CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id))"),
)
