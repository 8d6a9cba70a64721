"""Make a register, open a register."""

from __future__ import annotations

import datetime as dt
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyproj
from sqlalchemy import Connection, Engine, MetaData, func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from siteplan.crs import require_projected
from siteplan.errors import CrsError, Problem, RegisterError
from siteplan.register.dictionary import layout_version
from siteplan.register.store.connect import WAIT_S, Place, engine_of, place_of, reading_connection, writing_connection
from siteplan.register.store.faults import damaged, with_rescue
from siteplan.register.store.layout import Layout, keep_fact, layout_of, list_in_geopackage, make_geopackage, meta_table

LAST_EVENT = "last_event"
"""Key of ``register_meta``: number of the last event."""
LOST_EVENTS = "lost_events"
"""Key of ``register_meta``: numbers of events that a rescue could not read."""
_HEAD = b"SQLite format 3\x00"
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,40}")


@dataclass(frozen=True)
class Register:
    """One city's register, open.

    Attributes
    ----------
    place : Place
    engine : Engine
    layout : Layout
    crs : pyproj.CRS
        Projected, metres; of every place in it.
    city : str
    version : int
        Of the layout.
    migrated : str
        Where the backup of the older version lies when opening brought it to the present one; else empty.
    """

    place: Place
    engine: Engine
    layout: Layout
    crs: pyproj.CRS
    city: str
    version: int
    migrated: str = ""

    @property
    def shown(self) -> str:
        """The place as messages name it."""
        return self.place.shown


def utc_text(at: dt.datetime) -> str:
    """A moment as the log spells it.

    >>> utc_text(dt.datetime(2026, 6, 30, 8, 0, tzinfo=dt.timezone.utc))
    '2026-06-30T08:00:00.000Z'
    """
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def create_register(where: str | Path, city: str, crs: Any, at: dt.datetime, *, version: int | None = None) -> Register:
    """Make an empty register.

    Parameters
    ----------
    where : str or Path
        File name of a GeoPackage that is not there yet, or ``postgresql://user@host/db?schema=city``.
    city : str
    crs : any
        Projected CRS with an EPSG code; the study's.
    at : datetime
        Moment of making, with its zone.
    version : int, optional
        An older layout, for tests of migration.

    Raises
    ------
    RegisterError
        There is one already, the CRS has no EPSG code, or the place cannot be written to.
    CrsError
        The CRS is not projected in metres.

    Examples
    --------
    >>> import tempfile
    >>> now = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
    >>> made = create_register(Path(tempfile.mkdtemp()) / "xikou.gpkg", "溪口市", "EPSG:4547", now)
    >>> made.city, made.version
    ('溪口市', 2)
    """
    place, projected = place_of(where), require_projected(crs)
    srid = projected.to_epsg()
    if srid is None:
        raise RegisterError(f"坐标系 {projected.name} 没有 EPSG 编号,不能建储备库:用 EPSG:4513-4554 之一")
    if not city.strip() or _CONTROL.search(city):
        raise RegisterError("没有写城市名称,或其中有控制字符")
    if at.tzinfo is None:
        raise RegisterError("建库时间没有时区:用带时区的时间")
    version = version or layout_version()
    layout = layout_of(srid, place.schema, version)
    facts = {"city": city.strip(), "crs": f"EPSG:{srid}", "version": str(version), "created": utc_text(at)}
    if place.path is not None:
        _make_file(place, layout, projected, srid, facts)
    else:
        _make_schema(place, layout, facts)
    return Register(place, engine_of(place), layout, projected, facts["city"], version)


def _make_file(place: Place, layout: Layout, crs: pyproj.CRS, srid: int, facts: dict[str, str]) -> None:
    """Under a temporary name, then moved; a file that is there stays."""
    path = place.path
    if path is None or path.exists():
        raise RegisterError(f"{place.shown} 已存在,没有改动它:换一个文件名")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".siteplan-", suffix=".gpkg", dir=path.parent)
    except OSError as error:
        raise RegisterError(f"{place.shown} 不能写入:{error.strerror or error}") from error
    os.close(handle)
    draft = Path(name)
    try:
        engine = engine_of(Place("gpkg", draft, "", None, place.shown))
        with writing_connection(engine, place.shown, None) as connection:
            make_geopackage(connection, crs, srid)
            _make_tables(connection, layout, facts)
            list_in_geopackage(connection, [*layout.tables, "events"], srid, facts["created"])
        engine.dispose()
        put_new(draft, path)
    except FileExistsError:
        raise RegisterError(f"{place.shown} 已存在,没有改动它:换一个文件名") from None
    except OSError as error:
        raise RegisterError(f"{place.shown} 不能写入:{error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


def put_new(draft: Path, path: Path) -> None:
    """Give a finished file its name; a file that has the name already stays.

    Raises
    ------
    FileExistsError
        Another program made one meanwhile.
    OSError
        The folder cannot be written to.
    """
    with suppress(OSError):
        draft.chmod(0o644)
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: claim the name, then put the file there
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        draft.replace(path)


def _make_schema(place: Place, layout: Layout, facts: dict[str, str]) -> None:
    schema = place.schema or ""
    if not _SCHEMA_NAME.fullmatch(schema):
        raise RegisterError(f"模式名 {schema!r} 不能使用:只用小写字母、数字和下划线")
    engine = engine_of(place)
    with writing_connection(engine, place.shown, schema) as connection:
        if inspect(connection).has_schema(schema):
            raise RegisterError(f"{place.shown} 已存在,没有改动它:换一个 schema")
        try:
            with connection.begin_nested():
                connection.execute(text("CREATE EXTENSION IF NOT EXISTS postgis"))
        except DBAPIError as error:
            raise RegisterError("数据库没有 PostGIS 扩展,也没有权限安装:请管理员运行 CREATE EXTENSION postgis") from error
        connection.execute(text(f'CREATE SCHEMA "{schema}"'))
        _make_tables(connection, layout, facts)


def _make_tables(connection: Connection, layout: Layout, facts: dict[str, str]) -> None:
    layout.metadata.create_all(connection)
    connection.execute(insert(layout.meta), [{"key": key, "value": value} for key, value in facts.items()])


def open_register(where: str | Path, at: dt.datetime | None = None, *, wait_s: float = WAIT_S) -> Register:
    """Open a register; one of an older version is brought to the present one, with a backup.

    Parameters
    ----------
    where : str or Path
        As :func:`create_register` was told.
    at : datetime, optional
        Names the backup of an older version; without it an older version is refused.
    wait_s : float
        How long to wait for another program that writes.

    Raises
    ------
    RegisterError
        It is not there, is no register, is damaged (what can be saved is told), or was made by a later version.
    """
    place = place_of(where)
    if place.path is not None:
        _check_file(place)
    engine = engine_of(place, wait_s)
    try:
        facts = _facts(place, engine)
        version, srid = int(facts["version"]), int(facts["crs"].partition(":")[2])
        migrated = ""
        if version < layout_version():
            if at is None:
                raise RegisterError(f"储备库 {place.shown} 是旧版本 {version}:先运行 siteplan register migrate(会自动备份)")
            from siteplan.register.store.migrate import migrate

            migrated, version = migrate(place, engine, srid, version, at), layout_version()
        layout = layout_of(srid, place.schema, version)
        _check_tables(place, engine, layout)
    except UnicodeDecodeError as error:
        raise with_rescue(damaged(place.shown), place.path) from error
    return Register(place, engine, layout, pyproj.CRS.from_epsg(srid), facts["city"], version, migrated)


def _check_file(place: Place) -> None:
    path = place.path
    try:
        if path is None or not path.exists():
            raise RegisterError(f"打不开储备库 {place.shown}:", [Problem(
                "register", place.shown, "", "", "文件不存在", "核对路径;新建用 siteplan register init")])
        if path.is_dir():
            raise RegisterError(f"打不开储备库 {place.shown}:", [Problem(
                "register", place.shown, "", "", "这是文件夹,不是文件", "写文件夹中 .gpkg 文件的名字")])
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise RegisterError(f"打不开储备库 {place.shown}:", [Problem(
            "register", place.shown, "", "", f"不能读取:{error.strerror or error}", "核对路径和权限")]) from error
    if not head.startswith(_HEAD):
        reason = "文件是空的" if not head else "不是 GeoPackage 文件,或文件头已损坏"
        raise with_rescue(RegisterError(f"储备库 {place.shown} 已损坏,或不是储备库:", [Problem(
            "register", place.shown, "", "", reason, "核对路径,或用备份替换")]), path)


def _check_length(place: Place, connection: Connection) -> None:
    """The file is as long as it says: one that was cut off may open all the same."""
    if place.path is None or connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal":
        return
    wanted = int(connection.exec_driver_sql("PRAGMA page_count").scalar_one()) * int(
        connection.exec_driver_sql("PRAGMA page_size").scalar_one())
    if place.path.stat().st_size < wanted:
        raise with_rescue(damaged(place.shown), place.path)


def _facts(place: Place, engine: Engine) -> dict[str, str]:
    """What ``register_meta`` says."""
    meta = meta_table(MetaData(schema=place.schema))
    with reading_connection(engine, place.shown) as connection:
        if not inspect(connection).has_table("register_meta", schema=place.schema):
            raise RegisterError(f"{place.shown} 不是储备库:", [Problem(
                "register", place.shown, "", "", "没有储备库的表", "核对路径;新建用 siteplan register init")])
        _check_length(place, connection)
        lines = connection.execute(select(meta.c.key, meta.c.value))
        facts = {str(key): str(value) for key, value in lines}
    lacking = [key for key in ("city", "crs", "version") if key not in facts]
    if lacking or not re.fullmatch(r"[1-9]\d{0,5}", facts["version"]) or not is_crs(facts["crs"]):
        raise RegisterError(f"储备库 {place.shown} 的说明表被改动:", [Problem(
            "register", place.shown, "register_meta", "、".join(lacking) or "version, crs", "缺少或不可读", "用备份替换")])
    if int(facts["version"]) > layout_version():
        raise RegisterError(f"储备库 {place.shown} 是版本 {facts['version']},本程序只认到版本 {layout_version()}:请升级 siteplan")
    return facts


def is_crs(words: str) -> bool:
    """Whether the CRS that a register names is one it can have."""
    if not re.fullmatch(r"EPSG:\d{1,6}", words):
        return False
    try:
        require_projected(words)
    except CrsError:
        return False
    return True


def _check_tables(place: Place, engine: Engine, layout: Layout) -> None:
    """Every table and column of the layout is there."""
    problems: list[Problem] = []
    with reading_connection(engine, place.shown) as connection:
        there = column_names(connection, place.schema)
    for name, table in {**layout.tables, "events": layout.events, "register_counters": layout.counters}.items():
        if name not in there:
            problems.append(Problem("register", place.shown, name, "", "表被删除", "用备份替换"))
            continue
        problems += [Problem("register", place.shown, name, column.name, "字段被删除或改名", "用备份替换")
                     for column in table.columns if column.name not in there[name]]
    if problems:
        raise RegisterError(f"储备库 {place.shown} 的结构被改动,不能使用:", problems)


def column_names(connection: Connection, schema: str | None) -> dict[str, set[str]]:
    """Columns of every table there is; asked of the catalogue, because geometry types have no reflection."""
    rows = connection.execute(text(
        "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'")
        if connection.dialect.name == "sqlite" else text(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = :schema").bindparams(
                schema=schema))
    out: dict[str, set[str]] = {}
    for table, column in rows:
        out.setdefault(str(table), set()).add(str(column))
    return out


@contextmanager
def reading(register: Register) -> Iterator[Connection]:
    """One state of the register for several reads."""
    with reading_connection(register.engine, register.shown) as connection:
        yield connection


def last_event(register: Register, connection: Connection) -> int:
    """Number of the last event that was ever kept; 0 of an empty register."""
    layout = register.layout
    noted = connection.execute(select(layout.meta.c.value).where(layout.meta.c.key == LAST_EVENT)).scalar()
    newest = int(connection.execute(select(func.coalesce(func.max(layout.events.c.seq), 0))).scalar_one())
    return max(newest, int(noted) if isinstance(noted, str) and noted.isdigit() else 0)


def lost_events(register: Register, connection: Connection) -> set[int]:
    """Numbers of events that were lost before a rescue."""
    meta = register.layout.meta
    words = str(connection.execute(select(meta.c.value).where(meta.c.key == LOST_EVENTS)).scalar() or "")
    return {int(word) for word in words.split() if word.isdecimal()}


def keep_last_event(register: Register, connection: Connection, seq: int) -> None:
    """Note the number of the last event, so that events missing at the end are found."""
    keep_fact(connection, register.layout, LAST_EVENT, str(seq))
