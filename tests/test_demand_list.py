"""The demand list of building projects: duty after GB 51456-2023, sites, fibre, power, what each side is told."""

from __future__ import annotations

import datetime as dt
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from shapely import LineString, Point, affinity, box

from siteplan.register import Register, add_rows, read_rows, writing
from siteplan.register.works import demand_list, import_works, load_joint_works
from tests.joint_street import DIG, POLE, ROOF, links, sites, works
from tests.registers import day, stamp

TOWER: dict[str, Any] = {"work_no": "X1", "name": "锦城大厦", "kind": "building", "works_owner": "锦城置业", "use": "办公",
                         "floor_area_m2": 30000.0, "storeys": 20.0, "seats": float("nan"), "filing": "未备案",
                         "start_on": "2026-12-01", "end_on": "2028-06-30", "geometry": box(0, 0, 60, 40)}
AS_OF = dt.date(2026, 6, 1)
"""Half a year (the lead of building projects) before the tower begins."""
ON_TOWER = {**ROOF, "geometry": Point(30, 20), "station_count": 2.0}
BESIDE = {**POLE, "geometry": Point(70, 20)}


def line(projects: gpd.GeoDataFrame, held: gpd.GeoDataFrame, own: gpd.GeoDataFrame | None = None, **more: Any,
         ) -> pd.Series:
    table = demand_list(projects, held, own, AS_OF, **more)
    assert len(table) == 1
    return table.iloc[0]


def test_a_project_and_the_operators_are_told_of_each_other() -> None:
    row = line(works(TOWER, DIG), sites(ON_TOWER, BESIDE), links(LineString([(30, 20), (30, 275)]), "ZZ000001"))
    assert (row["duty"], row["duty_zh"], row["clause"]) == ("must", "应建", "GB 51456-2023 第3.0.3条第1款")
    assert (row["sites"], row["site_ids"], row["site_names"]) == (2, "ZZ000001|ZZ000002", "乙、甲")
    assert row["operators"] == "电信、移动、联通"
    assert row["fibre_m"] == 255.0
    # two stations of a macro site of 1.5 kW and one micro of 0.2 kW, times 1.5
    assert row["power_kw"] == pytest.approx((2 * 1.5 + 0.2) * 1.5)
    assert row["file_by"] == pd.Timestamp("2026-06-01")
    assert row["to_operators"] == ("办公,建筑面积30000平方米,窗口2026-12-01 至 2028-06-30;室内覆盖基础设施应建"
                                   "(GB 51456-2023 第3.0.3条第1款);覆盖缺口未提供;项目处已规划站址2处")
    assert row["to_project"] == (
        "预留站址2处(乙、甲),光缆接入约255米,用电约4.8千瓦(估算),联合报装;应建信源设备机房、远端设备间、通信用外市电引入、"
        "布线桥架、防雷与接地(第3.0.2条)(GB 51456-2023 第3.0.3条第1款);请于2026-06-01前(含当日)落实到设计")


def test_a_project_without_a_site_has_its_line_all_the_same() -> None:
    row = line(works(TOWER), sites(POLE, ROOF).iloc[:0])
    assert (row["sites"], row["existing_sites"], row["operators"]) == (0, 0, "")
    assert pd.isna(row["fibre_m"])
    assert pd.isna(row["power_kw"])
    assert "尚无规划站址,请报需求" in row["to_operators"]
    assert row["to_project"].startswith("应建信源设备机房")


@pytest.mark.parametrize(("change", "duty"), [
    ({"floor_area_m2": 10000.0}, "must"), ({"floor_area_m2": 9999.0}, "none"),
    ({"floor_area_m2": None, "storeys": None}, "unknown"),
    ({"use": "住宅", "storeys": 7.0}, "should"), ({"use": "住宅", "storeys": 6.0}, "none"),
    ({"use": "住宅", "storeys": None}, "unknown"), ({"use": "体育", "seats": 3000.0}, "must"),
    ({"use": None, "floor_area_m2": 500.0, "storeys": 2.0}, "none"), ({"use": None}, "unknown")])
def test_the_duty_follows_use_area_storeys_and_seats(change: dict[str, Any], duty: str) -> None:
    row = line(works({**TOWER, **change}), sites())
    assert row["duty"] == duty
    assert bool(row["clause"]) == (duty != "none")
    assert ("请提供建筑用途" in row["to_project"]) == (duty == "unknown")


def test_a_point_or_a_plot_is_no_footprint() -> None:
    """Without a floor area only the drawing of a building of known storeys speaks for its size."""
    bare = {**TOWER, "floor_area_m2": None, "geometry": box(0, 0, 200, 100)}
    assert line(works(bare), sites())["duty"] == "must", "20000 m2 of footprint on 20 storeys"
    assert line(works({**bare, "storeys": None}), sites())["duty"] == "unknown"
    assert line(works({**bare, "geometry": Point(0, 0)}), sites())["duty"] == "unknown"
    plot = line(works({**bare, "kind": "land"}), sites())
    assert plot["duty"] == "unknown"
    assert plot["duty_reason"].endswith("地块请逐栋核对")


def test_sites_on_air_are_counted_and_not_asked_for() -> None:
    row = line(works(TOWER), sites({**ON_TOWER, "state": "on_air"}, {**BESIDE, "state": "withdrawn"}))
    assert (row["sites"], row["existing_sites"]) == (0, 1)


def test_gap_areas_at_the_project_are_named() -> None:
    gaps = gpd.GeoDataFrame(index=["QK-2", "QK-1", "QK-9"], geometry=[box(50, 0, 90, 40), box(-30, 0, -20, 9), box(
        500, 0, 600, 9)], crs=works().crs)
    row = line(works(TOWER), sites(), gap_areas=gaps)
    assert (row["gap_ids"], row["gap_known"]) == ("QK-1|QK-2", True)
    assert "附近有覆盖缺口QK-1、QK-2" in row["to_operators"]
    assert "缺口" not in line(works(TOWER), sites(), gap_areas=gaps.iloc[2:])["to_operators"]


def test_finished_projects_are_gone_the_day_after_and_late_ones_are_told() -> None:
    last = works({**TOWER, "start_on": "2025-01-01", "end_on": "2026-06-01"})
    row = line(last, sites(ON_TOWER))
    assert row["join"] == "too_late"
    assert row["to_project"].endswith("来不及同步实施,另行协商")
    assert demand_list(last, sites(ON_TOWER), None, dt.date(2026, 6, 2)).empty


def test_an_unknown_window_asks_for_the_days() -> None:
    row = line(works({**TOWER, "start_on": None, "end_on": None}), sites(ON_TOWER))
    assert (row["window"], row["join"]) == ("时间待定", "unknown")
    assert row["to_project"].endswith("请告知开工、完工日期")
    assert "光缆接入长度未知" in row["to_project"]


def test_projects_come_by_the_latest_day_of_the_request() -> None:
    later = {**TOWER, "start_on": "2027-12-01", "geometry": affinity.translate(TOWER["geometry"], 500, 0)}
    never = {**later, "start_on": None, "end_on": None}
    table = demand_list(works(never, later, TOWER), sites(), None, AS_OF)
    assert table.index.tolist() == ["GC000003", "GC000002", "GC000001"]


def test_rates_of_power_can_be_changed() -> None:
    rates = load_joint_works({"power": {"headroom": 1.0, "kind_kw": {"macro": 4.0}}})
    assert line(works(TOWER), sites(ON_TOWER), settings=rates)["power_kw"] == 8.0


def test_the_tables_of_a_register_are_taken_as_they_are(register: Register) -> None:
    with writing(register, stamp("2026-02-01")) as transaction:
        import_works(transaction, [TOWER], "建设项目清单", day("2026-02-01"))
        (site,) = add_rows(transaction, "sites", [
            {"name": "乙", "state": "储备", "mount": "roof_pole", "kind": "宏站", "geometry": Point(30, 20)}])
        add_rows(transaction, "links", [{"site_id": site, "is_current": True,
                                         "geometry": LineString([(30, 20), (30, 120)])}])
    row = line(*(read_rows(register, name) for name in ("works", "sites", "links")))
    assert (row["site_ids"], row["fibre_m"], row["power_kw"], row["filing"]) == (site, 100.0, 2.25, "未备案")
