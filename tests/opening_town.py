"""A toy town for the opening ledger: six facilities, two poles, a roof, a mast; every answer worked out by hand."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import pandas as pd

from siteplan.candidates.table import sites_table
from siteplan.decisions import Decisions, read_decisions
from siteplan.input_ledger import InputLedger
from siteplan.opening import Opening, build_opening
from siteplan.venues import load_venues

CRS = "EPSG:4547"
AS_OF = dt.date(2026, 6, 30)
X0, Y0 = 437_500.0, 2_491_000.0

FACILITIES = [
    # id, name, class, address, owner, department, opens, agreed_on
    ("F1", "镇政府", "government", "新街1号", "镇人民政府", "机关事务管理局", "", ""),
    ("F2", "第一小学", "school", "新街2号（联系人：王小明 13800138000）", "第一小学", "教育和体育局", "", ""),
    ("F3", "街心公园", "park", "公园路3号", "园林所", "城市管理和综合执法局", "基站、光缆", "2025-03-01"),
    ("F4", "新城商场", "commercial", "新街4号", "某商业公司", "商务局", "", ""),
    ("F5", "档案馆", "institution", "新街5号", "档案馆", "民政局", "", ""),
    ("F6", "加油站", "hazard", "新街6号", "石油公司", "", "", ""),
]
SITES = [
    # id, kind, source, status, class, mount, opens, rank_no, refusal_code, reason, address
    ("V-facility:F1", "macro", "facility", "proposed", "government", "roof_pole", "roof", 1, "", "新增服务 100 人", ""),
    ("G-ground:F1", "macro", "ground", "candidate", "government", "ground_tower", "ground", 0, "", "", ""),
    ("V-facility:F2", "macro", "facility", "proposed", "school", "roof_pole", "roof", 2, "", "新增服务 80 人", ""),
    ("V-facility:F3", "macro", "facility", "refused", "park", "ground_tower", "ground", 0, "water", "位于水域", ""),
    ("V-facility:F4", "macro", "facility", "candidate", "commercial", "roof_pole", "roof", 0, "", "", ""),
    ("V-facility:F5", "macro", "facility", "refused", "institution", "roof_pole", "roof", 0, "secrecy", "涉密单位", ""),
    ("P-pole:L1", "micro", "pole", "proposed", "pole", "pole", "pole", 3, "", "新增服务 20 人", "新街"),
    ("P-pole:L2", "micro", "pole", "candidate", "pole", "pole", "pole", 0, "", "", "新街"),
    ("B-building:B1", "macro", "building", "proposed", "housing", "roof_pole", "roof", 4, "", "附近没有公共场所", "和平路9号"),
    ("E-station:S1", "macro", "station", "existing", "existing_site", "ground_tower", "", 0, "", "", ""),
]
DECISIONS = [
    # id, action, value, who, date, why
    ("F1", "收费", "场地租赁费 30000", "移动", "2026-01-20", ""),
    ("F2", "收费", "场地租赁费 10000", "移动", "2026-01-21", ""),
    ("F2", "收费", "进场费 2万", "电信", "2026-01-22", ""),
    ("F4", "收费", "进场费 5000", "铁塔", "2026-01-23", ""),
    ("F3", "拒绝", "业主拒绝", "园林所", "2024-01-01", "绿地改造"),
    ("B-building:B1", "拒绝", "业主拒绝", "物业", "2026-02-01", "部分业主反对"),
    ("P-pole:L2", "疑难", "电力", "供电所", "2026-06-20", "取电未批"),
    ("F9", "收费", "协调费", "联通", "2026-05-01", ""),
]


def facilities() -> gpd.GeoDataFrame:
    table = pd.DataFrame(FACILITIES, columns=["facility_id", "name", "venue_class", "address", "owner", "department",
                                              "opens", "agreed_on"]).set_index("facility_id")
    table = table.assign(agreed_on=pd.to_datetime(table["agreed_on"].replace("", None)), class_confidence=0.98,
                         class_rule="type:样例", venue_type="", inside=True, secret=False, source_file="facilities.csv",
                         department_source="given", source_row=[str(number) for number in range(2, len(table) + 2)])
    points = gpd.points_from_xy([X0 + 100 * number for number in range(len(table))], [Y0] * len(table))
    return gpd.GeoDataFrame(table, geometry=points, crs=CRS)


def sites() -> gpd.GeoDataFrame:
    names = ["site_id", "kind", "source", "status", "venue_class", "mount", "opens", "rank_no", "refusal_code",
             "reason", "address"]
    table = pd.DataFrame(SITES, columns=names).set_index("site_id")
    classes, places = load_venues().classes, facilities()
    source_id = pd.Series(table.index.str.split(":").str[1], index=table.index)
    departments = {"pole": "城市管理和综合执法局", "building": "住房和城乡建设局", "station": "通信建设管理办公室"}
    own = source_id.map(places["department"]).fillna(table["source"].map(departments))
    table = table.assign(
        source_id=source_id, name=source_id.map(places["name"]).fillna("点" + source_id), department=own,
        owner=source_id.map(places["owner"]).fillna("某业主"), town="东镇", county="溪县", build="new", tier_name="甲",
        must_open=table["venue_class"].map(lambda key: classes[key].must_open),
        must_be_free=table["venue_class"].map(lambda key: classes[key].must_be_free), antenna_height_m=20.0,
        cost_yuan=100_000.0, gain_demand=10.0, lon=113.39, lat=22.51)
    return sites_table(table, gpd.GeoSeries(gpd.points_from_xy([X0 + 50.0 * n for n in range(len(table))],
                                                               [Y0] * len(table)), crs=CRS))


def decisions(rows: list[tuple[str, ...]] | None = None) -> Decisions:
    table = pd.DataFrame(DECISIONS if rows is None else rows, columns=["id", "action", "value", "who", "date", "why"])
    table = table.assign(date=pd.to_datetime(table["date"].replace("", None)), source_file="decisions.csv",
                         source_row=[str(number) for number in range(2, len(table) + 2)])
    return read_decisions(table, InputLedger())


def opening(rows: list[tuple[str, ...]] | None = None, **changes: object) -> Opening:
    given = {"as_of": AS_OF, **changes}
    return build_opening(sites(), facilities(), decisions(rows), load_venues(), **given)
