"""What the opening of public venues needs: poles at crossings, operators' requests, decisions, power, secret units.

Every fact is drawn from a random stream of its own, so that the rest of the city stays as it is.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from .city import City
from .faults import Fault
from .frame import Array, gcj02, lonlat, points_along, stage_rng, to_grid
from .radio_layers import URBAN_GAPS
from .streets import HALF_WIDTH
from .terrain import RIVERS

CROSSING_CLASSES = ("主干路", "次干路")
OPERATORS = ("移动", "电信", "联通")
BANDS = {"移动": "n41", "电信": "n78", "联通": "n78"}
# villages that operators ask for, whose 5G is missing or thin
ASKED = ("上洞村", "梅坑村", "石鼓村", "桐坪村", "高坪村", "岗背村", "新围村", "大岗村", "半岭村", "岭脚村")
SIGNAL_OWNER, CCTV_OWNER = "溪口市公安局交通警察支队", "溪口市公安局"
TRANSFORMER_STEP_M = 450.0


def _degrees(xy: Array) -> Array:
    return np.round(lonlat(xy), 6)


def _crossings(city: City) -> list[tuple[float, float, str]]:
    """Where main streets of different names meet, 60 m apart or more."""
    roads = [road for road in city.roads if road.road_class in CROSSING_CLASSES]
    found: list[tuple[float, float, str]] = []
    for k, one in enumerate(roads):
        for other in roads[k + 1:]:
            if one.name == other.name:
                continue
            parts = shapely.get_parts(one.line.intersection(other.line))
            for point in parts[shapely.get_type_id(parts) == 0]:
                if all(np.hypot(point.x - x, point.y - y) >= 60.0 for x, y, _ in found):
                    found.append((round(point.x, 2), round(point.y, 2), one.name))
    return sorted(found)


def pole_rows(city: City, lamps: pd.DataFrame) -> tuple[pd.DataFrame, list[Fault]]:
    """Lamps with kind and loads, then signal and camera poles of the crossings; the last one stands in the river."""
    rng = stage_rng(70)
    known = rng.random(len(lamps)) < 0.6
    load = np.where(known, rng.choice(["30", "40", "60", "80"], len(lamps)), "")
    used = np.where(known & (rng.random(len(lamps)) < 0.3), rng.choice(["10", "20", "35"], len(lamps)), "")
    lamps = lamps.assign(杆类型="路灯杆", 允许荷载=load, 已挂载重量=used)
    rows = []
    for x, y, road in _crossings(city):
        out = HALF_WIDTH["主干路"] + 2.0
        for n, (word, owner) in enumerate((("信号灯杆", SIGNAL_OWNER), ("信号灯杆", SIGNAL_OWNER), ("监控杆", CCTV_OWNER))):
            side = np.array([1.0, 1.0]) if n != 1 else np.array([-1.0, -1.0])
            place = np.array([x, y]) + side * out + (np.array([3.0, 0.0]) if n == 2 else 0.0)
            rows.append((place, road, word, owner, str(rng.choice([6.5, 7.0, 8.0]))))
    river = shapely.line_interpolate_point(RIVERS["锦溪"][0], 0.45, normalized=True)
    rows.append((np.array([river.x, river.y]), "滨江路", "监控杆", CCTV_OWNER, "8.0"))
    ll = _degrees(np.array([row[0] for row in rows]))
    ids = [f"{'XH' if row[2] == '信号灯杆' else 'JK'}{k + 1:04d}" for k, row in enumerate(rows)]
    more = pd.DataFrame({"杆号": ids, "经度": ll[:, 0], "纬度": ll[:, 1], "杆高": [row[4] for row in rows],
                         "所在道路": [row[1] for row in rows], "权属单位": [row[3] for row in rows], "租用单位": "",
                         "租用日期": "", "安装日期": "", "是否通电": "是", "杆类型": [row[2] for row in rows],
                         "允许荷载": "50", "已挂载重量": ["15" if row[2] == "监控杆" else "8" for row in rows]})
    return pd.concat([lamps, more], ignore_index=True), [
        ("poles", ids[-1], "经度/纬度", "落在河里：候选中列为不可用 pole in the river")]


def facility_rows(facilities: pd.DataFrame) -> tuple[pd.DataFrame, list[Fault]]:
    """Facilities with agreements; four awkward rows at the end."""
    rng = stage_rng(71)
    public = facilities["设施类型"].isin(["党政机关", "村委会", "居委会", "事业单位", "国有企业", "派出所", "中小学", "公园"])
    agreed = public.to_numpy() & (rng.random(len(facilities)) < 0.12)
    days = np.datetime64("2024-03-01") + rng.integers(0, 700, len(facilities))
    kinds = rng.choice(["基站", "光纤、基站", "光纤、基站、室分"], len(facilities))
    table = facilities.assign(开放内容=np.where(agreed, kinds, ""),
                              协议日期=[str(day) if done else "" for day, done in zip(days, agreed, strict=True)])
    host = table.loc[table["设施类型"] == "居委会"].iloc[4]
    old = table.loc[table["名称"].str.contains("中街社区")].iloc[0]
    blank = dict.fromkeys(table.columns, "")
    first = len(table) + 1
    more = [
        {**blank, "设施编号": f"F{first:04d}", "名称": f"{host['名称'][:2]}社区卫生服务站", "设施类型": "卫生服务站", "地址": host["地址"],
         "经度": host["经度"], "纬度": host["纬度"], "权属单位": "溪口市卫生服务中心", "主管部门": "市卫生健康局",
         "层数": host["层数"], "楼顶高度": host["楼顶高度"], "面积": "240"},
        {**blank, "设施编号": f"F{first + 1:04d}", "名称": "中街老学堂小学", "设施类型": "中小学", "地址": old["地址"],
         "经度": f"{float(old['经度']) + 0.0006:.6f}", "纬度": f"{float(old['纬度']) + 0.0004:.6f}", "权属单位": "", "主管部门": "",
         "层数": "4", "面积": "3100"},
        {**blank, "设施编号": f"F{first + 2:04d}", "名称": "溪口第七号楼", "设施类型": "综合体", "地址": old["地址"],
         "经度": f"{float(old['经度']) - 0.0011:.6f}", "纬度": f"{float(old['纬度']) + 0.0009:.6f}", "权属单位": "溪口某公司",
         "主管部门": "", "层数": "9"},
    ]
    faults: list[Fault] = [
        ("facilities", f"F{first:04d}", "经度/纬度", "与社区居委会同一位置 two venues on one spot"),
        ("facilities", f"F{first + 1:04d}", "权属单位", "权属单位、主管部门都为空 venue without owner or department"),
        ("facilities", f"F{first + 2:04d}", "设施类型", "“综合体”：类别无法判断 unknown class")]
    return pd.concat([table, pd.DataFrame(more)], ignore_index=True), faults


def free_positions(stations: pd.DataFrame) -> pd.DataFrame:
    """The cell table with the free positions of most masts, the same in all rows of a mast."""
    rng = stage_rng(72)
    sites = sorted(set(stations["站址编号"].dropna()))
    free = {site: None if value < 0.35 else int(value * 10) % 4 for site, value in
            zip(sites, rng.random(len(sites)), strict=True)}
    return stations.assign(空余挂载位=[free.get(site) for site in stations["站址编号"]])


def demand_table(city: City) -> tuple[pd.DataFrame, list[Fault]]:
    """Requests of the operators of the first half of 2026, WGS 84: some within a street of each other."""
    rng = stage_rng(73)
    seats = {village.name: village for village in city.villages}
    spots: list[tuple[float, float, str]] = [
        (x + float(dx), y + float(dy), f"{'城西' if x < 5900 else '城东'}补盲{k + 1}-{n + 1}")
        for k, (x, y, radius) in enumerate(URBAN_GAPS) for n, (dx, dy) in enumerate(rng.normal(0.0, radius * 0.35, (5, 2)))]
    spots += [(*seats[name].seat, f"{name}补盲") for name in ASKED]
    rows = []
    for k, (x, y, name) in enumerate(spots):
        for n, operator in enumerate(rng.permutation(np.array(OPERATORS))[:1 + k % 3]):
            shift = rng.normal(0.0, 25.0, 2) if n else np.zeros(2)
            rows.append((np.array([x, y]) + shift, name, str(operator), "宏站" if k % 4 else "微站",
                         str(np.datetime64("2026-01-05") + int(rng.integers(0, 170)))))
    rows.append((rows[0][0] + 8.0, rows[0][1], rows[0][2], rows[0][3], rows[0][4]))
    rows.append((np.array([4300.0, 5200.0]), "市行政中心补热", "", "微站", "2026-03-12"))
    rows.append((np.array([-2500.0, 5000.0]), "邻市边界站", "移动", "宏站", "2026-04-02"))
    ll = _degrees(np.array([row[0] for row in rows]))
    ids = [f"XQ26H1-{k + 1:03d}" for k in range(len(rows))]
    table = pd.DataFrame({"需求编号": ids, "需求名称": [row[1] for row in rows], "运营商": [row[2] for row in rows],
                          "频段": [BANDS.get(row[2], "") for row in rows], "站址类型": [row[3] for row in rows],
                          "期望挂高": ["" if k % 3 else ("30" if row[3] == "宏站" else "8") for k, row in enumerate(rows)],
                          "提出日期": [row[4] for row in rows], "经度": [f"{v:.6f}" for v in ll[:, 0]],
                          "纬度": [f"{v:.6f}" for v in ll[:, 1]]})
    return table, [("demands", ids[-2], "运营商", "运营商为空 request without operator"),
                   ("demands", ids[-1], "经度/纬度", "在规划范围之外 outside the boundary")]


def _ids(facilities: pd.DataFrame, kind: str, number: int, skip: int = 0) -> list[str]:
    named = facilities[(facilities["设施类型"] == kind) & (facilities["权属单位"] != "")]
    return named["设施编号"].iloc[skip::3].iloc[:number].tolist()


def _east_of(map_place: Array, metres: float) -> str:
    """The WGS 84 place so far east of a GCJ-02 place, as a meeting notes it: longitude, latitude."""
    place = map_place.copy()
    for _ in range(4):  # the distortion hardly changes over its own size
        place += map_place - gcj02(place[None])[0]
    return f"{place[0] + metres / (111_320.0 * np.cos(np.radians(place[1]))):.6f},{place[1]:.6f}"


def decision_table(facilities: pd.DataFrame) -> tuple[pd.DataFrame, list[Fault]]:
    """Refusals, fees, hard sites and decisions of meetings; three rows contradict something."""
    school, estate, market = (_ids(facilities, kind, 4) for kind in ("中小学", "住宅小区", "农贸市场"))
    hall, park, clinic = (_ids(facilities, kind, 3, 1) for kind in ("党政机关", "公园", "社区卫生服务中心"))
    places = facilities.set_index("设施编号")["地址"]
    map_place = facilities.set_index("设施编号").loc[park[2], ["经度", "纬度"]].to_numpy(dtype=float)
    town = places[school[1]].split("县", 1)[1].split("镇", 1)[0] + "镇"
    rows = [
        (school[0], "拒绝", "业主拒绝", "校务会", "2026-03-18", "担心影响学生，要求换址"),
        (hall[0], "拒绝", "安全", "保卫科", "2026-04-09", "楼顶为应急指挥场地"),
        (estate[0], "拒绝", "业主拒绝", "物业企业", "2026-02-27", "部分业主反对"),
        (park[0], "收费", "场地租赁费 30000", "移动溪口分公司", "2026-01-20", "园区管理方要求先付一年"),
        (market[0], "收费", "进场费 12000", "铁塔溪口分公司", "2026-05-11", "进场施工前收取"),
        (clinic[0], "收费", "协调费 5000", "电信溪口分公司", "2025-11-03", "用于居民协调"),
        (clinic[0], "收费", "协调费 8000", "电信溪口分公司", "2025-11-03", "用于居民协调"),
        (estate[1], "收费", "分摊费 2万", "联通溪口分公司", "2026-05-30", "电梯维护分摊"),
        (school[1], "疑难", "群众反对", f"{town}人民政府", "2025-09-01", "已开两次说明会，拟请生态环境部门现场监测"),
        (park[1], "疑难", "手续", "城市管理和综合执法局", "2025-12-15", "绿地占用审批未办结"),
        (hall[1], "保留", "", "市通信建设管理办公室例会", "2026-06-05", "已谈妥，须列入本期"),
        (school[2], "禁用", "", "市通信建设管理办公室例会", "2026-06-05", "校舍拆建"),
        (hall[2], "保留", "", "市通信建设管理办公室例会", "2026-06-05", "县政府驻地，须有备用覆盖"),
        (hall[2], "年度", "2027", "市通信建设管理办公室例会", "2026-06-05", "办公楼改造后实施"),
        (park[2], "移动", _east_of(map_place, 60.0), "市通信建设管理办公室例会", "2026-06-05", "避让古树，移至公园东门"),
        ("F9999", "拒绝", "业主拒绝", "物业企业", "2026-05-02", "编号有误"),
        (market[1], "涨价", "", "市场管理方", "2026-05-02", "不认识的决定"),
    ]
    table = pd.DataFrame(rows, columns=["站址编号", "决定", "取值", "决定人", "日期", "理由"])
    return table, [("decisions", clinic[0], "取值", "同一天同一费用两个金额 contradictory fee records"),
                   ("decisions", "F9999", "站址编号", "没有这个编号 unknown id"),
                   ("decisions", market[1], "决定", "“涨价”：不是可用的决定 unknown action")]


def secrecy_table(facilities: pd.DataFrame) -> pd.DataFrame:
    """Units that are no candidates: one by its id, one by its name."""
    chosen = facilities[facilities["设施类型"] == "党政机关"].iloc[[9, 15]]
    return pd.DataFrame({"设施编号": [chosen.iloc[0]["设施编号"], ""], "单位名称": ["", chosen.iloc[1]["名称"]],
                         "依据": ["保密审查（虚构）", "保密审查（虚构）"]})


def power_layer(city: City) -> gpd.GeoDataFrame:
    """Transformers along the main roads and at the village seats."""
    roads = [road for road in city.roads if road.road_class in ("主干路", "次干路", "县道", "镇区道路")]
    along = np.vstack([points_along(road.line, TRANSFORMER_STEP_M, 40.0) for road in roads])
    spots = np.vstack([along, np.array([village.seat for village in city.villages])])
    shapes = to_grid(np.array([shapely.Point(spot) for spot in spots], dtype=object))
    return gpd.GeoDataFrame({"编号": [f"BY{k + 1:03d}" for k in range(len(spots))],
                             "名称": [f"公用配变{k + 1}号" for k in range(len(spots))]}, geometry=shapes, crs="EPSG:4547")

