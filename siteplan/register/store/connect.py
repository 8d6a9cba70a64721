"""Where a register lies, and how it is connected to: a GeoPackage file, or a schema of a PostGIS database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from siteplan.errors import Problem, RegisterError
from siteplan.register.store.faults import damaged, fault_of, is_damage, with_rescue
from siteplan.register.store.shapes import add_shape_functions

WAIT_S = 30.0
"""How long a program waits for another one that writes."""
DEFAULT_SCHEMA = "siteplan"
_SERVERS = ("postgresql", "postgres", "postgis", "postgresql+psycopg")
_SECRET = ("password", "sslpassword", "passfile", "sslkey")
_WRITES = "siteplan_writes"


@dataclass(frozen=True)
class Place:
    """Where a register lies.

    Attributes
    ----------
    kind : str
        ``gpkg`` or ``postgis``.
    path : Path or None
        The file of a GeoPackage.
    url : str
        Address of the database, with its password; never shown.
    schema : str or None
        Schema of a PostGIS register.
    shown : str
        The place as messages name it, without password.
    """

    kind: str
    path: Path | None
    url: str = field(repr=False)
    schema: str | None
    shown: str


def place_of(where: str | Path) -> Place:
    """The place that a path or an address means.

    Examples
    --------
    >>> place_of("postgresql://me:secret@db/city?schema=xikou").shown
    'postgresql://me@db/city?schema=xikou'
    >>> place_of("plan/register.gpkg").kind
    'gpkg'
    """
    words = str(where)
    if "://" not in words:
        if "\x00" in words or not words.strip():
            raise RegisterError(f"储备库文件名 {words!r} 不能使用:写 GeoPackage 文件名")
        return Place("gpkg", Path(where), "", None, words)
    try:
        url = make_url(words)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in _SERVERS:
        kind = words.partition("://")[0]
        reason = f"不认识 {kind}:// 这样的地址" if kind not in _SERVERS else "地址写法有误(用户名和密码中的特殊符号须转义)"
        raise RegisterError("储备库地址不能使用:", [Problem(
            "register", "", "", "--register", reason, "写 GeoPackage 文件名,或 postgresql://用户@主机/库?schema=模式")])
    asked = url.query.get("schema", DEFAULT_SCHEMA)
    schema = asked if isinstance(asked, str) else asked[-1]
    plain = url.difference_update_query(["schema"]).set(drivername="postgresql+psycopg")
    shown = url.set(drivername="postgresql")._replace(password=None).difference_update_query(
        ["schema", *_SECRET]).update_query_dict({"schema": schema})
    return Place("postgis", None, plain.render_as_string(hide_password=False), schema, shown.render_as_string())


def engine_of(place: Place, wait_s: float = WAIT_S) -> Engine:
    """The engine of a place; nothing is opened yet. A file that is not there is not made."""
    if place.path is not None:
        name = f"file:{quote(str(place.path.absolute()))}?mode=rw"

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(name, uri=True, timeout=wait_s, isolation_level=None)
            add_shape_functions(connection)
            connection.execute("PRAGMA synchronous = FULL")
            return connection

        engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
        engine = engine.execution_options(siteplan_wait_s=wait_s, siteplan_path=place.path)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise RegisterError("没有安装连接 PostGIS 的组件:pip install 'siteplan-cn[db]'") from error
    engine = create_engine(place.url, poolclass=NullPool, isolation_level="REPEATABLE READ",
                           connect_args={"connect_timeout": 10})
    return engine.execution_options(siteplan_wait_s=wait_s)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading_connection(engine: Engine, shown: str) -> Iterator[Connection]:
    """A connection that sees one state of the register, whatever others write meanwhile.

    Raises
    ------
    RegisterError
        The register cannot be reached or is damaged.
    """
    with told(engine, shown), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing_connection(engine: Engine, shown: str, schema: str | None) -> Iterator[Connection]:
    """A connection that alone writes; all or nothing of what it does stays.

    Raises
    ------
    RegisterError
        Another program wrote longer than the register's waiting time, or the register cannot be reached, or is damaged.
    """
    with told(engine, shown), engine.connect() as plain:
        connection = plain.execution_options(**{_WRITES: True})
        if connection.dialect.name != "sqlite":  # its own statements see what was written before the lock was got
            connection = connection.execution_options(isolation_level="READ COMMITTED")
        with connection.begin():
            if connection.dialect.name != "sqlite":
                connection.execute(text(f"SET LOCAL lock_timeout = '{max(1, int(1000 * wait_of(engine))):d}ms'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"),
                                   {"name": f"siteplan.{schema}"})
            yield connection


def wait_of(engine: Engine) -> float:
    """Seconds that an engine waits for another program that writes."""
    return float(engine.get_execution_options().get("siteplan_wait_s", WAIT_S))


@contextmanager
def told(engine: Engine, shown: str) -> Iterator[None]:
    """Faults of the database in a sentence, without addresses that hold a password."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        if is_damage(error):
            raise with_rescue(damaged(shown), engine.get_execution_options().get("siteplan_path")) from error
        raise fault_of(error, shown, wait_of(engine), str(engine.url.password or "")) from error
