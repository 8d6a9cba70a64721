"""The same operations on a GeoPackage and on PostGIS leave the same tables, log, states of a day and seals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from random import Random

import geopandas as gpd
import pandas as pd
import pytest
from shapely import LineString, Point, Polygon

from siteplan.errors import RegisterError
from siteplan.register import Register, Stamp, add_rows, check_seals, edit_rows, read_events, read_rows, writing
from siteplan.register.dictionary import register_tables
from siteplan.register.duties import escalate, finish_task, open_case, report_in
from siteplan.register.edits import apply_list
from siteplan.register.opinions import import_opinions
from siteplan.register.phases import carry_over
from siteplan.register.snapshots import difference, take_snapshot
from siteplan.register.sync import sync_plan
from tests.longer import FUZZ
from tests.registers import day, moment, place, server_address, toy_register
from tests.sync_plans import at, plan, site, venue

BEGIN = day("2026-02-01")
NAMES = ("云岭小学", "Ñandú \U0001f3eb", "'; DROP TABLE sites; --", "=HYPERLINK(1)", "a|b", "%s %(x)s", "\\x00", "\ufeff甲")
Step = Callable[[Register, Random, Stamp], object]


def ids_of(register: Register, table: str) -> list[str]:
    return list(read_rows(register, table).index)


def bring_a_plan(register: Register, random: Random, stamp: Stamp) -> object:
    numbers = sorted(random.sample(range(14), random.randint(1, 12)))
    venues = {f"V{number}": venue(150.0 * number, must_be_free=random.random() < 0.5) for number in range(4)}
    sites = {f"S{number + random.choice((0, 0, 100))}": site(
        150.0 * number + random.choice((0.0, 0.4, 5.0, 14.9)), name=random.choice(NAMES), rank_no=random.randint(1, 9),
        gain_demand=random.random() * 300, build_year=random.choice((2026, 2027, 2028)), bands="n78|n28",
        venue=f"V{number}" if number < 4 else "", antenna_height_m=0.1 + random.random()) for number in numbers}
    links = {key: random.choice((80.0, 120.5)) for key in sites if random.random() < 0.5}
    rows = pd.DataFrame([{"level": "city", "area": "", "name": "指标", "now": 1 / 3, "planned": 0.7, "rule": "规则"}])
    record = plan(sites, venues, links, day=stamp.day, version=f"v{random.randint(1, 3)}", indicators=rows)
    return sync_plan(register, record, stamp).counts()


def edit_some_sites(register: Register, random: Random, stamp: Stamp) -> object:
    found = ids_of(register, "sites")
    edits = {row_id: random.choice((
        {"state": random.choice(("ready", "approved", "building", "on_air", "blocked", "withdrawn", "reserve")),
         "state_reason": random.choice(("拆迁", None))},
        {"note": random.choice(NAMES), "capex_yuan": random.random() * 1e6}, {"owner": None, "is_free": True},
        {"geometry": at(1000 * random.random(), 50.0)}, {"enterprise": random.choice(("铁塔溪口分公司", "没有的公司"))},
        {"due_on": day("2026-12-31"), "azimuths": "0|120|240"}))
        for row_id in random.sample(found, min(len(found), 3))}
    with writing(register, stamp) as transaction:
        return edit_rows(transaction, "sites", edits, random.choice(("", "核对")))


def read_a_list(register: Register, random: Random, stamp: Stamp) -> object:
    number = random.randint(1, 6)
    shape = random.choice((Point(437_000, 2_491_000), LineString([(437_000, 2_491_000), (437_900, 2_491_000.25)]),
                           Polygon([(437_000, 2_491_000), (437_200, 2_491_000), (437_200, 2_491_300)]), None))
    rows = pd.DataFrame([{"work_no": f"G{number}", "name": random.choice(NAMES), "kind": "道路开挖", "works_owner": "城建公司",
                          "start_on": random.choice(("2026-03-01", "2026/5/1", "后天")), "end_on": "2026-09-30"}])
    found = apply_list(register, "works", gpd.GeoDataFrame(rows, geometry=[shape], crs=register.crs), stamp)
    return found.added, found.changed, found.unchanged, found.gone, found.returned, found.ledger.summary()


def take_a_case_on(register: Register, random: Random, stamp: Stamp) -> object:
    found = ids_of(register, "cases")
    with writing(register, stamp) as transaction:
        if not found or random.random() < 0.4:
            return open_case(transaction, {"title": random.choice(NAMES), "enterprise": "移动溪口分公司", "lead": "溪西县",
                                           "failed_talks": "三次协商未果", "called": "教育和体育局|交通运输局"})
        case_id = random.choice(found)
        if random.random() < 0.5:
            return report_in(transaction, case_id, [random.choice(("教育和体育局", "交通运输局"))])
        return escalate(transaction, case_id)


def set_a_task(register: Register, random: Random, stamp: Stamp) -> object:
    found = ids_of(register, "tasks")
    with writing(register, stamp) as transaction:
        if found and random.random() < 0.5:
            return finish_task(transaction, random.choice(found), stamp.day)
        return add_rows(transaction, "tasks", [{
            "title": random.choice(NAMES), "organisation": "教育和体育局", "issued_on": stamp.day,
            "due_on": stamp.day + dt.timedelta(random.randint(-3, 60)), "state": "办理中"}])


def hear_owners(register: Register, random: Random, stamp: Stamp) -> object:
    table = pd.DataFrame([(f"S{random.randint(0, 13)}", random.choice(("拒绝", "收费", "保留", "同意")), "进场费 12000元",
                           "业主", stamp.day.isoformat(), random.choice(NAMES))],
                         columns=["id", "action", "value", "who", "date", "why"])
    with writing(register, stamp) as transaction:
        return import_opinions(transaction, table)


def take_a_snapshot(register: Register, random: Random, stamp: Stamp) -> object:
    return take_snapshot(register, f"快照{random.randint(1, 5)}", stamp.day - dt.timedelta(random.randint(-1, 20)), stamp)


def close_a_year(register: Register, random: Random, stamp: Stamp) -> object:
    with writing(register, stamp) as transaction:
        return carry_over(transaction, random.choice((2025, 2026)), stamp.day).to_dict("list")


STEPS: tuple[Step, ...] = (bring_a_plan, bring_a_plan, edit_some_sites, edit_some_sites, read_a_list, take_a_case_on,
                           set_a_task, hear_owners, take_a_snapshot, close_a_year)


def told_by(step: Step, register: Register, random: Random, stamp: Stamp) -> object:
    """What an operation answers, or what it refuses, without the place of the register."""
    try:
        return step(register, random, stamp)
    except RegisterError as error:
        return "refused", [(found.row, found.field, found.reason, found.remedy) for found in error.problems]


@pytest.mark.parametrize("seed", [1, 2] if FUZZ else [1])
def test_both_stores_hold_the_same_after_the_same_operations(seed: int, tmp_path: Path) -> None:
    if server_address() is None:
        pytest.skip("no PostGIS server")
    with place("gpkg", tmp_path) as one, place("postgis", tmp_path) as other:
        pair = [toy_register(where) for where in (one, other)]
        random, when, days = Random(seed), BEGIN, [BEGIN]
        for number in range(30):
            when += dt.timedelta(random.choice((0, 0, 1, 5, 30)))
            days.append(when)
            step, own = random.choice(STEPS), random.randint(0, 10**9)
            stamp = Stamp("测试员", when, moment(when), f"第{number}步")
            answers = [told_by(step, register, Random(own), stamp) for register in pair]
            assert str(answers[0]) == str(answers[1]), (number, step.__name__)
        assert_equal(pair, days)


def assert_equal(pair: list[Register], days: list[dt.date]) -> None:
    events = [read_events(register) for register in pair]
    pd.testing.assert_frame_equal(*events)
    assert len(events[0]) > 60
    for name in register_tables():
        for when in (None, days[8], days[20], days[-1]):
            tables = [read_rows(register, name, when, technical=when is None) for register in pair]
            pd.testing.assert_frame_equal(*(pd.DataFrame(table) for table in tables), check_like=False)
    pd.testing.assert_frame_equal(*(difference(register, days[5], days[-1]) for register in pair))
    assert [check_seals(register) for register in pair] == [(), ()]
