"""A register with a half-year in it, for the tests of reports: few rows of every table, answers known by hand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import shapely

from siteplan.register import DAY, Register, add_rows, edit_rows, writing
from tests.registers import stamp, toy_register

EDUCATION, HEALTH, TRAFFIC, TOWER, MOBILE = "教育和体育局", "卫生健康局", "交通运输局", "铁塔溪口分公司", "移动溪口分公司"
HOSTILE = "=HYPERLINK(\"http://x\",\"点\")<script>alert(1)</script>"


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def site(name: str, x: float, county: str | None = "溪西县", town: str | None = "云岭镇", **more: Any) -> dict[str, Any]:
    return {"name": name, "state": "reserve", "county": county, "town": town, "phase_year": 2026, "first_year": 2026,
            "kind": "macro", "build": "new", "enterprise": TOWER,
            "geometry": shapely.Point(500000 + x, 3300000 + x / 2), **more}


def task(title: str, organisation: str, due_on: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "kind": "decision", "organisation": organisation, "issued_on": day("2026-01-20"),
            "due_on": day(due_on), "state": "open", **more}


def report_city(where: str | Path) -> Register:
    """The register at the end of 2026, entered day by day."""
    register = toy_register(where)
    with writing(register, stamp("2026-01-20", "年初")) as t:
        add_rows(t, "venues", [{"name": "溪口一中", "study_id": "F1", "department": EDUCATION, "county": "溪西县",
                                "town": "云岭镇", "must_open": True, "geometry": shapely.Point(500010, 3300000)}])
        add_rows(t, "sites", [
            site("溪口一中楼顶", 10, department=EDUCATION, venue_id="CS000001", capex_yuan=200_000.0),
            site("人民医院", 900, department=HEALTH, county="溪东县", capex_yuan=100_000.0, invested_yuan=50_000.0),
            site("客运站", 1800, department=TRAFFIC, due_on=day("2026-05-31")), site("云岭村", 2700, first_year=2025),
            site("东关", 3600, county="溪东县", enterprise=MOBILE, phase_year=2027, first_year=2027),
            site(HOSTILE, 4500, county=None, town=None, phase_year=2025, first_year=2025)])
        add_rows(t, "quotas", [{"title": "新建5G基站", "level": "city", "area": "溪口市", "measure": "new", "unit": "站址",
                                "value": 12, "since": day("2026-01-01"), "by": day("2026-12-31"), "counted": "register",
                                "is_current": True}])
        add_rows(t, "tasks", [
            task("开放一中屋面", EDUCATION, "2026-06-30", county="溪西县", town="云岭镇"),
            task("开放医院场地", HEALTH, "2026-05-31", county="溪东县"),
            task("开放客运站", TRAFFIC, "2026-06-29"), task("落实用地", "自然资源局", "2026-09-30"),
            task("协调电力", "溪西县", "2026-06-15"), task(HOSTILE, EDUCATION, "2026-04-30", partners=HEALTH)])
        add_rows(t, "cases", [{"title": "业主阻挠施工", "kind": "whistle", "enterprise": TOWER, "failed_talks": "三次协调未果",
                               "county": "溪西县", "town": "云岭镇", "lead": "溪西县", "called": f"{EDUCATION}|住房和城乡建设局",
                               "opened_on": day("2026-03-01"),
                               "level": 1}])
        add_rows(t, "decisions", [
            {"venue_id": "CS000001", "ref": "F1", "action": "refused", "day": day("2026-02-01"), "why": "担心辐射",
             DAY: day("2026-02-01")}])
        add_rows(t, "fees", [{"ref": "F1", "venue_id": "CS000001", "kind": "entry", "amount_yuan": 5000.0,
                              "payer": TOWER, "day": day("2026-02-10"), DAY: day("2026-02-10")}])
        add_rows(t, "works", [{"name": "滨河路改造", "work_no": "G1", "kind": "road", "works_owner": "住房和城乡建设局",
                               "start_on": day("2026-09-01"), "end_on": day("2026-12-31"), "is_current": True,
                               "geometry": shapely.LineString([(501790, 3300880), (501900, 3300950)])}])
    for when, states in (("2026-03-01", {"ZZ000001": "ready", "ZZ000002": "ready", "ZZ000003": "blocked"}),
                         ("2026-04-01", {"ZZ000001": "approved", "ZZ000002": "approved"}),
                         ("2026-05-01", {"ZZ000001": "building", "ZZ000002": "building"}),
                         ("2026-06-30", {"ZZ000001": "on_air"}), ("2026-07-01", {"ZZ000002": "on_air"})):
        with writing(register, stamp(when)) as t:
            edit_rows(t, "sites", {key: {"state": value, **({"state_reason": "产权纠纷"} if value == "blocked" else {})}
                                   for key, value in states.items()})
            if when == "2026-05-01":
                edit_rows(t, "cases", {"SX000001": {"closed_on": day("2026-05-01"), "outcome": "solved"}})
            if when == "2026-06-30":
                edit_rows(t, "tasks", {"RW000001": {"state": "done", "done_on": day(when)}})
            if when == "2026-07-01":
                edit_rows(t, "tasks", {"RW000002": {"state": "done", "done_on": day(when)}})
    return register
