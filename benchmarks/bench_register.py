"""A register of 50,000 sites and 500,000 events: opening, reading, checking, writing.

``python benchmarks/bench_register.py [sites]``: cpu and wall seconds of each step on a copy of the register that
`register_city.py` makes, best of three where it changes nothing. `STEPS` is where other rooms add theirs.
"""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import shapely
from register_city import SITES, city_register, moment
from register_plan import city_plan

from siteplan.register import (
    Register,
    Stamp,
    add_rows,
    check_seals,
    edit_rows,
    open_register,
    read_events,
    read_rows,
    salvage,
    writing,
)

DAY = dt.date(2026, 7, 1)
MANY = 10_000
BAR_CPU_S = {"open": 1.0, "add 10,000": 1.0, "edit 10,000": 1.2, "sync 10,000": 10.0, "report": 15.0}


def stamp(day: dt.date = DAY) -> Stamp:
    return Stamp("测试员", day, moment(day), "基准")


def opened(register: Register) -> None:
    open_register(register.place.path or "")


def as_of(register: Register) -> None:
    read_rows(register, "sites", dt.date(2024, 12, 31))


def now(register: Register) -> None:
    read_rows(register, "sites")


def one_log(register: Register) -> None:
    read_events(register, table="sites", row_id="ZZ000777")


def half_year_log(register: Register) -> None:
    read_events(register, after=dt.date(2024, 6, 30), until=dt.date(2024, 12, 31))


def seals(register: Register) -> None:
    assert check_seals(register) == ()


def seals_of_sites(register: Register) -> None:
    assert check_seals(register, ["sites"]) == ()


def added(register: Register) -> None:
    with writing(register, stamp()) as transaction:
        add_rows(transaction, "sites", [{
            "name": f"新站{number}", "state": "储备", "department": "教育和体育局", "county": "东县", "station_count": 2,
            "gain_demand": 1.5 * number, "is_free": True, "geometry": shapely.Point(5e5 + number, 2.5e6)}
            for number in range(MANY)])


def edited(register: Register) -> None:
    ids = [f"ZZ{number:06d}" for number in range(1, MANY + 1)]
    with writing(register, stamp()) as transaction:
        changed = edit_rows(transaction, "sites", {
            row_id: {"note": "基准", "rank_no": number, "land_m2": 12.5} for number, row_id in enumerate(ids)})
    assert changed == MANY


def saved(register: Register) -> None:
    told = salvage(register.place.path or "")
    assert not told.why


def synced(register: Register, record: Any) -> None:
    from siteplan.register.sync import sync_plan

    result = sync_plan(register, record, stamp(dt.date(2026, 7, 2)))
    assert len(result.added) + len(result.kept) == len(record.sites)


def reported(register: Register) -> None:
    from siteplan.report import write_report

    with tempfile.TemporaryDirectory() as folder:
        write_report(register, dt.date(2026, 6, 30), Path(folder) / "report")


STEPS: dict[str, tuple[Callable[..., Any], int]] = {
    "open": (opened, 3), "read sites": (now, 3), "read sites as of": (as_of, 3), "log of one site": (one_log, 3),
    "log of half a year": (half_year_log, 1), "check all seals": (seals, 1), "check sites": (seals_of_sites, 1),
    "salvage (sound)": (saved, 1), f"add {MANY:,}": (added, 1), f"edit {MANY:,}": (edited, 1), f"sync {MANY:,}": (synced, 1),
    "report": (reported, 1)}
"""Step -> what is done, and how often; in this order, on one register but for those of ``ANEW``."""
ANEW = (f"sync {MANY:,}", "report")
"""Steps that begin with the register as it was made, 50,000 sites."""
BEFORE: dict[str, Callable[[Register], Any]] = {f"sync {MANY:,}": city_plan}
"""What a step is given beside the register; its making is not counted."""


def measure(sites: int = SITES) -> dict[str, tuple[float, float]]:
    """Cpu and wall seconds of each step."""
    out: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "register.gpkg"
        shutil.copy(city_register(sites), path)
        for name, (step, times) in STEPS.items():
            if name in ANEW:
                shutil.copy(city_register(sites), path)
            register = open_register(path)
            took, given = [], [BEFORE[name](register)] if name in BEFORE else []
            for _ in range(times):
                cpu, wall = time.process_time(), time.perf_counter()
                step(register, *given)
                took.append((time.process_time() - cpu, time.perf_counter() - wall))
            out[name] = min(took)
    return out


def open_in_a_fresh_process(sites: int = SITES) -> float:
    """Cpu seconds of a process that imports siteplan.register and opens the register."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = "import sys; from siteplan.register import open_register; open_register(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(city_register(sites))], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_register_of_a_large_city() -> None:
    for name, (cpu, wall) in measure().items():
        print(f"{name:22} {cpu:6.2f} cpu s {wall:6.2f} s{f'  (bar {BAR_CPU_S[name]:g})' if name in BAR_CPU_S else ''}")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SITES
    for key, (cpu_s, wall_s) in measure(count).items():
        print(f"{key:22} {cpu_s:6.2f} cpu s {wall_s:6.2f} s{f'  (bar {BAR_CPU_S[key]:g})' if key in BAR_CPU_S else ''}")
    print(f"{'import and open':22} {open_in_a_fresh_process(count):6.2f} cpu s")
