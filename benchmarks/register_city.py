"""A made-up register of a large city: 50,000 sites, 500,000 events, valid to the last seal; one seed, the same rows.

Rows and log go into the store past the checks of `add_rows` and `edit_rows`, through the same lines that write them.
"""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from siteplan.register import Register, Stamp, add_rows, create_register, open_register, register_tables, writing
from siteplan.register.store.cells import driver_cells, insert_rows
from siteplan.register.store.seals import seal_of_texts
from siteplan.register.store.transaction import CREATED, Transaction
from siteplan.register.store.values import spelled, text_of

CITY, CRS, SEED = "大城市", "EPSG:4547", 20260630
SITES, EVENTS_EACH = 50_000, 10
"""Its coming and nine changes: 500,000 events."""
BEGIN, END = dt.date(2024, 1, 1), dt.date(2026, 6, 30)
LIFE = ("reserve", "ready", "approved", "building", "on_air")
OFFICES = tuple(f"{name}局" for name in ("教育和体育", "卫生健康", "交通运输", "自然资源", "住房和城乡建设", "城市管理", "市场监督管理", "文化"))
ENTERPRISES = ("铁塔公司", "移动公司", "电信公司", "联通公司")
COUNTIES = tuple(f"{name}县" for name in ("东", "南", "西", "北", "中"))


def moment(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC)


def city_register(sites: int = SITES, folder: Path | None = None) -> Path:
    """Path of the register; built once for each number of sites, kept in the folder for temporary files."""
    path = (folder or Path(tempfile.gettempdir())) / f"siteplan-register-{sites}-{register_version()}.gpkg"
    if not path.exists():
        draft = path.with_suffix(".draft.gpkg")
        draft.unlink(missing_ok=True)
        fill(create_register(draft, CITY, CRS, moment(BEGIN)), sites)
        draft.replace(path)
    return path


def register_version() -> str:
    """Changes with the fields of the tables, so that no old register is taken."""
    import hashlib

    return hashlib.sha256(str([(name, *table.columns) for name, table in register_tables().items()]).encode()).hexdigest()[:8]


def fill(register: Register, sites: int) -> None:
    """Organisations, sites, and the life of each site."""
    random = np.random.default_rng(SEED)
    with writing(register, Stamp("建库员", BEGIN, moment(BEGIN), "建库")) as transaction:
        add_rows(transaction, "organisations", [
            {"name": name, "kind": kind} for names, kind in ((OFFICES, "部门"), (ENTERPRISES, "企业"), (COUNTIES, "县区"))
            for name in names])
    with writing(register, Stamp("建库员", END, moment(END), "批量")) as transaction:
        _write_sites(transaction, [_life(random, number) for number in range(sites)])


Life = tuple[dict[str, Any], list[tuple[dt.date, dict[str, Any]]]]


def _life(random: np.random.Generator, number: int) -> Life:
    """First values of a site, and its dated changes: states as they follow each other, then progress."""
    came = BEGIN + dt.timedelta(days=int(random.integers(0, 300)))
    first = {"name": f"站址{number:05d}", "study_id": f"S{number:05d}", "origin": "plan", "in_plan": True,
             "state": "reserve", "state_on": came, "kind": "macro", "build": "new", "mount": "楼面塔",
             "antenna_height_m": float(random.integers(15, 60)),
             "networks": "移动|电信", "bands": "n78|n28", "station_count": 2, "enterprise": ENTERPRISES[number % 4],
             "department": OFFICES[number % 8], "is_public": number % 3 == 0, "is_free": number % 5 == 0,
             "county": COUNTIES[number % 5], "town": f"镇{number % 40:02d}", "phase_year": 2024 + number % 3,
             "due_on": dt.date(2024 + number % 3, 12, 31), "capex_yuan": float(random.integers(50, 500) * 1000),
             "rank_no": number,
             "gain_demand": round(float(random.random() * 300), 2), "reason": "覆盖空洞",
             "geometry": shapely.Point(437_000 + round(float(random.random() * 42_000), 3),
                                       2_470_000 + round(float(random.random() * 42_000), 3))}
    changes: list[tuple[dt.date, dict[str, Any]]] = [(came, first)]
    day, left, reached = came, EVENTS_EACH - 1, int(random.integers(0, len(LIFE)))
    for state in LIFE[1:reached + 1]:
        values: dict[str, Any] = {"state": state, "state_on": None}
        values |= {"building": {"started_on": None}, "on_air": {"on_air_on": None}}.get(state, {})
        if len(values) > left:
            break
        day = min(day + dt.timedelta(days=int(random.integers(5, 180))), END)
        changes.append((day, {name: value or day for name, value in values.items()}))
        left -= len(values)
    for step in range(left):
        day = min(day + dt.timedelta(days=int(random.integers(0, 30))), END)
        changes.append((day, {"invested_yuan": float(1000 * (step + 1))}))
    return first, changes


def _write_sites(transaction: Transaction, lives: list[Life]) -> None:
    spec = register_tables()["sites"]
    rows: list[dict[str, Any]] = []
    for number, (first, changes) in enumerate(lives, 1):
        row_id, now = f"{spec.prefix}{number:06d}", dict(first)
        came = json.dumps(spelled(first), ensure_ascii=False)
        transaction.log("sites", row_id, [(CREATED, None, came)], changes[0][0])
        for day, values in changes[1:]:
            transaction.log("sites", row_id, [(name, text_of(now.get(name)), text_of(value))
                                              for name, value in values.items()], day)
            now |= values
        rows.append({"id": row_id, "revision": len(changes), "seal": seal_of_texts(row_id, spelled(now)), **now})
        if number % 5000 == 0:
            transaction.flush()
    source = transaction.register.layout.tables["sites"]
    names = ["id", "revision", "seal", *(name for name in spec.columns if any(name in row for row in rows))]
    columns = [driver_cells(transaction.connection, source, name, [row.get(name) for row in rows]) for name in names]
    insert_rows(transaction.connection, source, names, list(zip(*columns, strict=True)))
    counters = transaction.register.layout.counters
    insert_rows(transaction.connection, counters, ["prefix", "last"], [(spec.prefix, len(rows))])
    transaction.count("sites", "added", len(rows))


if __name__ == "__main__":
    import sys

    found = city_register(int(sys.argv[1]) if len(sys.argv) > 1 else SITES)
    print(found, found.stat().st_size // 2**20, "MB", open_register(found).city)
