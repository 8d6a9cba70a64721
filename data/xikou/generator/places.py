"""Facilities (each beside its building), village points, key zones, restricted land, works, planned buildings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import shapely
import shapely.ops

from .buildings import Building, rename
from .city import RESETTLEMENT, City
from .frame import Array, blob, gcj02, lonlat, stage_rng
from .streets import STATION_SQUARE, bank_inside
from .terrain import INDUSTRY, LAKE, RIVERS

NO_SCHOOL = ("大岗村", "高坪村", "半岭村", "白石村", "岭脚村", "新围村", "岗背村")
NO_CLINIC_ROW = ("石鼓村", "桐坪村", "冲口村")
# department: classes
DEPARTMENTS = {"教育": "市教育体育局", "卫生": "市卫生健康局", "交通": "市交通运输局", "文旅": "市文化广电旅游局", "公安": "市公安局",
               "民政": "市民政局", "住建": "市住房和城乡建设局", "自然": "市自然资源局", "农业": "市农业农村局", "国资": "市国资委",
               "城管": "市城市管理局", "商务": "市商务局", "工信": "市工业和信息化局", "机关": "市机关事务管理局", "水务": "市水务局",
               "应急": "市应急管理局", "": ""}


@dataclass(frozen=True)
class Ask:
    """A class of facilities: type word, number, name pattern, owner pattern, department key, use, land wanted."""

    kind: str
    number: int
    name: str
    owner: str
    department: str
    use: str
    land: tuple[str, ...]
    where: str = "urban"
    campus: bool = False


# {p} town, {c} county, {r} road, {n} number, {b} name of the campus
ASKS = (
    Ask("综合医院", 11, "{b}", "{b}", "卫生", "公共服务", ("hospital",), "any", True),
    Ask("高等院校", 6, "{b}{n}号楼", "{b}", "教育", "公共服务", ("university",), "urban", True),
    Ask("中小学", 26, "{b}", "{b}", "教育", "公共服务", ("school",), "any", True),
    Ask("党政机关", 12, "{b}", "{c}机关事务管理局", "机关", "办公", ("government",), "any", True),
    Ask("文化馆", 3, "{b}", "{c}文化馆", "文旅", "公共服务", ("culture",), "urban", True),
    Ask("体育场馆", 3, "{b}", "{c}体育中心", "教育", "公共服务", ("sport",), "urban", True),
    Ask("汽车客运站", 3, "{b}", "溪口市公路运输有限公司", "交通", "公共服务", ("station",), "urban", True),
    Ask("污水处理厂", 1, "{b}", "溪口市水务集团有限公司", "水务", "其他", ("utility",), "urban", True),
    Ask("火车站", 1, "溪口火车站", "溪口铁路建设投资有限公司", "交通", "公共服务", ("rail",), "any", True),
    Ask("高速公路服务区", 1, "溪口高速溪口服务区", "溪口市交投集团有限公司", "交通", "公共服务", ("service",), "any", True),
    Ask("公园", 20, "{b}", "{c}园林管理所", "城管", "公共服务", ("park",), "urban", True),
    Ask("广场", 8, "{b}", "{p}人民政府", "城管", "公共服务", ("square",), "any", True),
    Ask("党政机关", 26, "{c}{d}", "{c}{d}", "机关", "办公", ("office", "slab"), "urban"),
    Ask("事业单位", 22, "{c}{i}", "{c}{i}", "机关", "办公", ("office", "slab", "shop"), "urban"),
    Ask("国有企业", 18, "溪口市{s}集团{r}办公楼", "溪口市{s}集团有限公司", "国资", "办公", ("office", "shop"), "urban"),
    Ask("图书馆", 2, "{c}图书馆", "{c}图书馆", "文旅", "公共服务", ("office", "commerce"), "urban"),
    Ask("博物馆", 2, "{c}博物馆", "{c}博物馆", "文旅", "公共服务", ("office", "commerce"), "urban"),
    Ask("会展中心", 1, "溪口会展中心", "溪口市城投集团有限公司", "商务", "公共服务", ("commerce",), "urban"),
    Ask("幼儿园", 22, "{r}幼儿园", "{r}幼儿园", "教育", "公共服务", ("shop", "old"), "any"),
    Ask("社区卫生服务中心", 6, "{r}社区卫生服务中心", "{c}卫生健康局", "卫生", "公共服务", ("shop",), "urban"),
    Ask("公交首末站", 12, "{r}公交首末站", "溪口市公共交通有限公司", "交通", "公共服务", ("shop", "old"), "any"),
    Ask("公共厕所", 36, "{r}公厕", "{c}环境卫生管理所", "城管", "公共服务", ("shop", "old"), "any"),
    Ask("垃圾转运站", 20, "{r}垃圾转运站", "{c}环境卫生管理所", "城管", "公共服务", ("shop", "old"), "any"),
    Ask("排水泵站", 9, "{r}泵站", "溪口市水务集团有限公司", "水务", "其他", ("shop", "old"), "any"),
    Ask("派出所", 11, "{p}{r}派出所", "{c}公安局", "公安", "公共服务", ("shop", "slab"), "any"),
    Ask("消防站", 4, "{r}消防救援站", "溪口市消防救援支队", "应急", "公共服务", ("shop",), "urban"),
    Ask("农贸市场", 14, "{r}农贸市场", "{p}市场开发服务中心", "商务", "商业", ("commerce", "shop"), "any"),
    Ask("商场", 14, "{r}购物中心", "溪口{r}商业管理有限公司", "商务", "商业", ("commerce",), "urban"),
    Ask("写字楼", 22, "{r}商务大厦", "溪口{r}物业服务有限公司", "", "办公", ("office",), "urban"),
    Ask("酒店", 16, "{r}宾馆", "溪口{r}酒店有限公司", "文旅", "商业", ("commerce", "shop", "slab"), "any"),
    Ask("住宅小区", 40, "{r}花园{n}栋", "溪口{r}物业服务有限公司", "住建", "住宅", ("estate",), "urban"),
    Ask("加油站", 9, "{r}加油站", "溪口石油销售有限公司", "商务", "商业", ("shop", "village"), "any"),
    Ask("公路养护站", 4, "{p}公路养护站", "{c}公路事务中心", "交通", "公共服务", ("village",), "rural"),
    Ask("变电站", 6, "{r}变电站", "溪口供电局", "工信", "其他", ("industry", "shop"), "any"),
    Ask("养老院", 6, "{p}{n}号敬老院", "{p}人民政府", "民政", "公共服务", ("old", "shop"), "any"),
    Ask("邮政所", 8, "{p}{r}邮政所", "邮政溪口分公司", "国资", "公共服务", ("shop", "old"), "any"),
    Ask("停车场", 6, "{r}停车楼", "溪口市城投集团有限公司", "城管", "其他", ("shop", "commerce"), "urban"),
    Ask("产业园区", 8, "高新区{r}标准厂房{n}", "溪口高新投资有限公司", "工信", "工业", ("industry",), "rural"),
    Ask("码头", 2, "{r}码头", "溪口市港航事务中心", "交通", "公共服务", ("old",), "urban"),
)
FILLS = {"d": ("发展和改革局", "财政局", "人力资源和社会保障局", "司法局", "审计局", "统计局", "信访局", "税务局", "自然资源局", "水务局", "林业局",
               "生态环境局", "住房和城乡建设局"),
         "i": ("不动产登记中心", "政务服务中心", "疾病预防控制中心", "农业技术推广站", "气象站", "档案馆", "公路事务中心", "水文站", "融媒体中心",
               "青少年宫", "人才服务中心"), "s": ("城投", "交投", "水务", "农发", "文旅", "粮食")}


@dataclass(frozen=True)
class Facility:
    """One facility: number of its building, type word, name, owner, department."""

    building: int
    kind: str
    name: str
    owner: str
    department: str


def _spread(rng: np.random.Generator, xy: Array, pool: list[int], number: int) -> list[int]:
    """Some members of a pool, far from one another (farthest-point choice among a random subset)."""
    pool = [pool[k] for k in np.sort(rng.choice(len(pool), min(len(pool), 900), replace=False))]
    if not pool:
        return []
    chosen = [pool[int(rng.integers(len(pool)))]]
    reach = np.hypot(*(xy[pool] - xy[chosen[0]]).T)
    while len(chosen) < min(number, len(pool)):
        k = int(np.argmax(reach * (0.75 + 0.25 * rng.random(len(pool)))))
        chosen.append(pool[k])
        reach = np.minimum(reach, np.hypot(*(xy[pool] - xy[pool[k]]).T))
    return chosen


def road_namer(city: City) -> Callable[[Array], tuple[str, str]]:
    """Function from a place to (name of the nearest named road, town)."""
    roads = [r for r in city.roads if not r.name.endswith("巷") and r.road_class != "高速公路"]
    tree = shapely.STRtree(np.array([r.line for r in roads], dtype=object))
    areas = shapely.STRtree(np.array([v.polygon for v in city.villages], dtype=object))

    def name(xy: Array) -> tuple[str, str]:
        point = shapely.Point(xy)
        return roads[int(tree.nearest(point))].name, city.villages[int(areas.nearest(point))].town

    return name


def _fits(building: Building, ask: Ask) -> bool:
    urban = building.place in ("城关镇", "东门镇")
    small = building.land not in ("old", "village") or building.storeys <= 3
    return building.land in ask.land and (ask.where == "any" or urban == (ask.where == "urban")) and \
        (ask.campus or small)


def _county(town: str) -> str:
    return "溪西县" if town in ("城关镇", "石桥镇", "云岭镇", "竹园镇") else "溪东县"


def choose_facilities(city: City) -> tuple[City, list[Facility]]:
    """Facilities on their buildings, which take the use, name and owner."""
    rng = stage_rng(30)
    namer = road_namer(city)
    xy = city.points()
    buildings = list(city.buildings)
    used: set[int] = set()
    out: list[Facility] = []
    names: dict[str, int] = {}
    for ask in ASKS:
        pool = [k for k, b in enumerate(buildings)
                if k not in used and _fits(b, ask) and (b.name != "" or not ask.campus)]
        if ask.campus:
            first: dict[str, int] = {}
            for k in pool:  # one building per campus; several of the university, every pocket park
                many = ask.kind == "高等院校" or buildings[k].name.startswith("街心")
                first.setdefault(f"{buildings[k].name}#{k}" if many else buildings[k].name, k)
            pool = list(first.values())
        for n, k in enumerate(_spread(rng, xy, pool, ask.number)):
            road, town = namer(xy[k])
            base = buildings[k].name.removesuffix("管理房").replace("街心公园", f"{road}街心公园")
            words = {"p": town, "c": _county(town), "r": road, "n": str(n + 1), "b": base}
            words.update({key: fill[n % len(fill)] for key, fill in FILLS.items()})
            name = ask.name.format(**words)
            names[name] = names.get(name, 0) + 1
            name = name if names[name] == 1 else f"{name}（{names[name]}）"
            owner = ask.owner.format(**words)
            buildings[k] = rename(buildings[k], ask.use, name, owner)
            used.add(k)
            kind = "乡镇卫生院" if base.endswith("卫生院") else ask.kind
            out.append(Facility(k, kind, name, owner, DEPARTMENTS[ask.department] if rng.random() > 0.08 else ""))
    return replace(city, buildings=tuple(buildings)), out


def village_places(city: City, facilities: list[Facility]) -> tuple[City, list[Facility], pd.DataFrame]:
    """Committees, schools, clinics of the 36 villages as facilities, and the village point table."""
    rng = stage_rng(31)
    buildings = list(city.buildings)
    xy = city.points()
    used = {f.building for f in facilities}
    out = list(facilities)
    rows: list[dict[str, Any]] = []
    for village in city.villages:
        away = np.hypot(*(xy - np.asarray(village.seat)).T)
        inside = shapely.contains_xy(village.polygon, xy)
        near = [int(k) for k in np.argsort(away, kind="stable") if inside[k] and int(k) not in used
                and buildings[k].land in ("village", "old", "shop", "slab")]
        spots = {"村委会": near[0], "小学": near[int(rng.integers(10, 28))], "卫生室": near[int(rng.integers(3, 9))]}
        stem = village.name[:2]
        community = village.urban
        named = {"村委会": f"{village.name}{'居民委员会' if community else '村民委员会'}",
                 "小学": f"{stem}{'学校' if community else '小学'}",
                 "卫生室": f"{village.name}{'卫生服务站' if community else '卫生室'}"}
        kinds = {"村委会": ("居委会", "市民政局") if community else ("村委会", "市农业农村局"),
                 "小学": ("中小学", "市教育体育局"), "卫生室": ("卫生服务站" if community else "卫生室", "市卫生健康局")}
        for kind, k in spots.items():
            exists = not (kind == "小学" and village.name in NO_SCHOOL)
            row: dict[str, Any] = {"行政村代码": village.code, "点位类型": kind, "名称": named[kind] if exists else "",
                                      "是否设有": "是" if exists else "否", "户数": None, "k": k if exists else -1}
            if exists:
                owner = village.name + ("居民委员会" if community else "村民委员会") if kind != "小学" else named[kind]
                buildings[k] = rename(buildings[k], "公共服务", named[kind], owner)
                used.add(k)
                if not (kind == "卫生室" and village.name in NO_CLINIC_ROW):
                    out.append(Facility(k, kinds[kind][0], named[kind], owner, kinds[kind][1]))
            if not (kind == "卫生室" and village.name in NO_CLINIC_ROW):
                rows.append(row)
        for name, x, y in village.hamlets:
            homes = int(np.sum(np.hypot(*(xy - (x, y)).T) < 190.0))
            rows.append({"行政村代码": village.code, "点位类型": "自然村", "名称": f"{name}自然村", "是否设有": "是",
                         "户数": max(8, homes), "k": -1, "x": x, "y": y})
    table = pd.DataFrame(rows)
    at = np.array([tuple(xy[r["k"]]) if r["k"] >= 0 else (r.get("x", np.nan), r.get("y", np.nan)) for r in rows],
                  dtype=np.float64)
    ll = np.round(lonlat(at), 6)
    table = table.drop(columns=["k", "x", "y"])
    table.insert(0, "点位编号", [f"P{k + 1:04d}" for k in range(len(table))])
    table["经度"] = [f"{v:.6f}" if np.isfinite(v) else "" for v in ll[:, 0]]
    table["纬度"] = [f"{v:.6f}" if np.isfinite(v) else "" for v in ll[:, 1]]
    table["户数"] = ["" if pd.isna(v) else str(int(v)) for v in table["户数"]]
    return replace(city, buildings=tuple(buildings)), out, table


def facility_table(city: City, facilities: list[Facility]) -> pd.DataFrame:
    """The facility ledger in GCJ-02."""
    namer = road_namer(city)
    xy = city.points()
    at = np.array([xy[f.building] for f in facilities])
    ll = np.round(gcj02(lonlat(at)), 6)
    built = [city.buildings[f.building] for f in facilities]
    places = [namer(p) for p in at]
    return pd.DataFrame({
        "设施编号": [f"F{k + 1:04d}" for k in range(len(facilities))], "名称": [f.name for f in facilities],
        "设施类型": [f.kind for f in facilities],
        "地址": [f"{_county(t)}{t}{r}{(k * 37) % 180 + 1}号" for k, (r, t) in enumerate(places)],
        "经度": [f"{v:.6f}" for v in ll[:, 0]], "纬度": [f"{v:.6f}" for v in ll[:, 1]],
        "权属单位": [f.owner for f in facilities], "主管部门": [f.department for f in facilities],
        "层数": [str(b.storeys) for b in built],
        "楼顶高度": [f"{b.height:.1f}" if k % 3 else "" for k, b in enumerate(built)],
        "面积": [f"{b.polygon.area * b.storeys:.0f}" for b in built]})


def key_zones(city: City) -> list[tuple[str, str, str, shapely.Geometry]]:
    """The 14 key zones: name, type, grade, polygon."""
    def campus(name: str, grow: float = 14.0) -> shapely.Geometry:
        land = shapely.union_all([p.polygon.buffer(grow, join_style="mitre") for p in city.parcels if p.name == name])
        return land.buffer(-4.0, join_style="mitre")

    return [("溪西县县城主城区", "县城主城区", "", bank_inside(-1)), ("溪东县县城主城区", "县城主城区", "", bank_inside(1)),
            ("溪口高新技术产业园", "产业园区", "省级", INDUSTRY),
            ("云岭山景区", "旅游景区", "4A", blob((1700, 8130), (640, 430), 25.0, power=2.3, wobble=0.08)),
            ("松湖景区", "旅游景区", "3A", LAKE.buffer(190.0).intersection(city.boundary.buffer(-20.0))),
            ("溪口学院", "高等院校", "", campus("溪口学院")), ("溪口市人民医院", "医疗机构", "三级", campus("溪口市人民医院")),
            ("溪口市中医院", "医疗机构", "二级", campus("溪口市中医院")),
            ("溪口火车站", "交通枢纽", "", blob(STATION_SQUARE, (150, 210), 4.0, power=6.0, wobble=0.0)),
            ("市行政中心", "党政机关", "", campus("市行政中心")), ("中街商圈", "核心商圈", "", campus("中街商圈")),
            ("东桥商圈", "核心商圈", "", campus("东桥商圈")),
            *((name, "易地扶贫搬迁安置点", "", blob(c, (h[0] + 15, h[1] + 15), a, power=9.0, wobble=0.0))
              for name, (c, h, a) in RESETTLEMENT.items())]


def restricted_areas(city: City) -> list[tuple[str, str, shapely.Geometry]]:
    """Restricted land: name, kind, polygon."""
    cable = shapely.LineString([(300, 3300), (2900, 3500), (3080, 2750), (5600, 2700), (8900, 2380), (11800, 2700)])
    out = [("云岭生态保护红线", "生态保护红线", blob((3650, 9300), (850, 480), -15.0, power=2.2, wobble=0.1)),
           ("茶山生态保护红线", "生态保护红线", blob((10000, 4700), (520, 650), 10.0, power=2.2, wobble=0.1, phase=2.0)),
           ("南岭生态保护红线", "生态保护红线", blob((3400, 1300), (800, 420), 5.0, power=2.2, wobble=0.1, phase=4.0)),
           ("松湖饮用水水源一级保护区", "饮用水水源保护区", LAKE.buffer(140.0)),
           ("锦溪取水口水源保护区", "饮用水水源保护区", RIVERS["锦溪"][0].intersection(shapely.box(5000, 8300, 7000, 9300)).buffer(110.0)),
           ("中街历史文化街区建设控制地带", "文物保护", blob((5450, 5600), (230, 190), 6.0, power=5.0, wobble=0.0)),
           ("220千伏溪云线走廊", "电力走廊", cable.buffer(35.0)),
           ("溪口通用机场净空保护区", "机场净空", shapely.box(6900, -200, 7500, 700))]
    return [(name, kind, area.intersection(city.boundary)) for name, kind, area in out]


def road_works(city: City) -> list[tuple[str, str, str, str, str, shapely.LineString]]:
    """25 planned road works: id, name, kind, start, end, line."""
    rng = stage_rng(32)
    kinds = ("道路改造", "雨污分流", "综合管廊", "燃气管网改造", "路面大修", "新建道路", "电力管沟")
    pool = [r for r in city.roads if r.road_class in ("主干路", "次干路", "县道", "镇区道路") and r.line.length > 400.0]
    out = []
    for k, j in enumerate(np.sort(rng.choice(len(pool), 25, replace=False))):
        road = pool[int(j)]
        start = float(rng.uniform(0.0, road.line.length * 0.4))
        line = shapely.ops.substring(road.line, start, min(road.line.length, start + float(rng.uniform(350.0, 1500.0))))
        begin = np.datetime64("2026-02-15") + int(rng.integers(0, 480))
        end = begin + int(rng.integers(60, 330))
        kind = kinds[k % len(kinds)]
        out.append((f"GC{k + 1:03d}", f"{road.name}{kind}工程", kind, str(begin), str(end), line))
    return out


def planned_projects(city: City) -> list[tuple[str, str, str, float, int, int | None, shapely.Polygon]]:
    """30 planned buildings on free parcels: id, name, use, floor area, storeys, seats, polygon."""
    rng = stage_rng(33)
    free = [p for p in city.parcels if p.use == "reserve" and p.polygon.area > 2500.0]
    more = [p for p in city.parcels if p.use in ("park", "industry") and p.polygon.area > 6000.0 and not p.name]
    pool = (free + more[::3])[:30]
    plan = (("住宅", 26000.0, 18), ("商业", 12500.0, 5), ("办公", 9800.0, 9), ("公共服务", 10400.0, 6), ("住宅", 8600.0, 6),
            ("工业", 15500.0, 3), ("商业", 6400.0, 4), ("办公", 22800.0, 16), ("体育", 14200.0, 2), ("住宅", 19800.0, 11))
    out: list[tuple[str, str, str, float, int, int | None, shapely.Polygon]] = []
    for k, parcel in enumerate(pool):
        use, area, storeys = plan[k % len(plan)]
        area = round(area * float(rng.uniform(0.85, 1.4)), 0)
        seats = (2600, 3200, 5000)[k // len(plan)] if use == "体育" else None
        side = np.sqrt(area / storeys)
        c = parcel.polygon.representative_point()
        shape = shapely.box(c.x - side / 2 * 1.3, c.y - side / 2 / 1.3, c.x + side / 2 * 1.3, c.y + side / 2 / 1.3)
        shape = shape.intersection(parcel.polygon.buffer(-3.0))
        if shape.geom_type != "Polygon" or shape.area < 100.0:
            shape = parcel.polygon.buffer(-5.0).simplify(2.0)
        out.append((f"XM{k + 1:03d}", f"{parcel.place}{use}项目{k + 1}号", use, area, storeys, seats, shape))
    return out
