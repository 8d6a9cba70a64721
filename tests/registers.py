"""Registers for the tests: one GeoPackage and one PostGIS schema for each test that asks for ``register_place``."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from siteplan.register import Register, Stamp, add_rows, create_register, writing

CITY, CRS = "溪口市", "EPSG:4547"
DEFAULT_SERVER = "postgresql:///siteplan_test?host=/var/run/postgresql"
"""What ``make postgis`` starts; the environment's SITEPLAN_TEST_POSTGIS names another one."""
ORGANISATIONS = (
    ("通信建设管理办公室", "牵头办公室"), ("教育和体育局", "部门"), ("卫生健康局", "部门"), ("交通运输局", "部门"),
    ("自然资源局", "部门"), ("住房和城乡建设局", "部门"), ("城市管理和综合执法局", "部门"), ("市场监督管理局", "部门"),
    ("铁塔溪口分公司", "企业"), ("移动溪口分公司", "企业"), ("电信溪口分公司", "企业"), ("联通溪口分公司", "企业"),
    ("溪西县", "县区"), ("溪东县", "县区"), ("云岭镇", "镇街"), ("市领导小组", "领导小组"))


def moment(day: dt.date) -> dt.datetime:
    """Noon of a day: when something is entered, without a clock."""
    return dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def stamp(text: str, why: str = "", author: str = "测试员") -> Stamp:
    """What is entered on the day on which it holds."""
    return Stamp(author, day(text), moment(day(text)), why)


@cache
def server_address() -> str | None:
    """Address of a PostGIS server that tests may make schemas in; None where there is none."""
    address = os.environ.get("SITEPLAN_TEST_POSTGIS") or DEFAULT_SERVER
    try:
        import psycopg
    except ImportError:
        return None
    try:
        with psycopg.connect(address, connect_timeout=5) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    except psycopg.Error:
        return None
    return address


@contextmanager
def place(kind: str, folder: Path) -> Iterator[str]:
    """Where a register of this kind may be made; what is made there goes when the block ends."""
    if kind == "gpkg":
        yield str(folder / "register.gpkg")
        return
    import psycopg

    address, schema = server_address() or "", f"t_{uuid.uuid4().hex[:12]}"
    yield f"{address}{'&' if '?' in address else '?'}schema={schema}"
    with psycopg.connect(address) as connection:
        connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')


def toy_register(where: str | Path, made_on: str = "2026-01-05") -> Register:
    """A register with organisations and nothing else."""
    register = create_register(where, CITY, CRS, moment(day(made_on)))
    with writing(register, stamp(made_on, "建库")) as transaction:
        add_rows(transaction, "organisations", [{"name": name, "kind": kind} for name, kind in ORGANISATIONS])
    return register
