"""A plan made up for the map tests: 12 x 10 km."""

from __future__ import annotations

import base64
from dataclasses import make_dataclass
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from odc.geo.geobox import GeoBox
from scipy.ndimage import gaussian_filter

from siteplan.gaps import load_rules
from siteplan.gaps.people.complaint_findings import FINDING_ZH

CRS = "EPSG:4547"
WEST, SOUTH = 430_000.0, 2_485_000.0
HOSTILE = (
    "<script>alert(1)</script>", "${document.title=7*7}", "`${document.title=7*7}`", "a\\b\\u0041\\n", "q\"u'ote",
    "</script><script>document.title=49</script>", "<img src=x onerror=document.title=49>", "{{ 7*7 }}{% raw %}",
    "<!--<script>", "javascript:document.title=49", "\u2028line\u2029", "url(http://127.0.0.1:9/a.png)",
    "<img src=http://127.0.0.1:9/b.png>", "@import 'http://127.0.0.1:9/c.css'",
)
STATUS_ZH = {"existing": "现有站", "proposed": "规划站", "candidate": "候选点", "refused": "不可用点"}
CODES = ("terrain", "buildings", "no_site", "weak", "unknown")
TIERS = {1: "党政机关及公共机构", 2: "学校医院等公共设施", 3: "路灯杆等市政设施", 4: "商业楼宇", 5: "住宅"}


class FakeCoverage(SimpleNamespace):
    """Arrays of the best 5G network, as ``Coverage`` gives them."""

    def any_5g(self) -> SimpleNamespace:
        return SimpleNamespace(rsrp_dbm=self.rsrp, server=self.server, probability=self.probability)

    @property
    def sector_ids(self) -> tuple[str, ...]:
        """One sector a site."""
        return tuple(f"S{number}" for number in range(self.sectors))


def signal(geobox: GeoBox, sites: np.ndarray, seed: int) -> FakeCoverage:
    """Signal that falls with distance, with smooth shadowing."""
    rng = np.random.default_rng(seed)
    rows, cols = geobox.shape
    a = geobox.affine
    x = a.c + (np.arange(cols) + 0.5) * a.a
    y = a.f + (np.arange(rows) + 0.5) * a.e
    best = np.full((rows, cols), np.nan, np.float32)
    server = np.full((rows, cols), -1, np.int32)
    shadow = gaussian_filter(rng.normal(0, 1, (rows, cols)), 6.0, mode="wrap")
    shadow *= 6.0 / shadow.std()
    for number, (east, north, power) in enumerate(sites):
        away = np.hypot(x[None, :] - east, y[:, None] - north)
        level = power - 18.0 - 35.0 * np.log10(np.maximum(away, 20.0)) + shadow
        better = (away < 2500) & ~(level <= best)
        best[better], server[better] = level[better], number
    margin = (np.nan_to_num(best, nan=-200.0) + 105.0) / 8.0
    probability = (1 / (1 + np.exp(-1.7 * margin))).astype(np.float32)
    return FakeCoverage(geobox=geobox, rsrp=best, server=server, probability=probability, threshold_dbm=-105.0,
                        sectors=len(sites))


def areas(geobox: GeoBox, number: int, rng: np.random.Generator, *, zones: bool, hostile: bool) -> gpd.GeoDataFrame:
    """Villages as Voronoi cells, or zones as small boxes, with both verdicts."""
    box = shapely.box(*geobox.boundingbox.bbox)
    west, south, east, north = box.bounds
    xy = np.column_stack([rng.uniform(west, east, number), rng.uniform(south, north, number)])
    if zones:
        shapes = [shapely.box(x - 350, y - 250, x + 350, y + 250) for x, y in xy]
    else:
        cells = shapely.voronoi_polygons(shapely.MultiPoint(xy), extend_to=box)
        shapes = [cell.intersection(box) for cell in cells.geoms]
    names = [f"{'重点' if zones else ''}{word}{'景区' if zones else '村'}" for word in
             (list("甲乙丙丁戊己庚辛壬癸") + [a + b for a in "东南西北中" for b in "河山岭湾塘"])[:number]]
    if hostile:
        names = [HOSTILE[k % len(HOSTILE)] for k in range(number)]
    before, after = rng.uniform(0.3, 1, number), rng.uniform(0.9, 1, number)
    before[-1] = after[-1] = np.nan

    def verdict(share: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(share), "not_assessable", np.where(share >= 0.95, "pass", "fail"))

    table: dict[str, Any] = {
        "name": names, "town": "东升镇", "county": "示例县", "rule": "area_share_95", "area_m2": [s.area for s in shapes],
        "demand": rng.uniform(100, 5000, number), "demand_kind": "people",
    }
    for state, share in (("before", before), ("after", np.fmax(before, after))):
        table |= {f"area_share_{state}": share, f"demand_share_{state}": share, f"verdict_{state}": verdict(share),
                  f"shortfall_{state}": np.maximum(0.95 - share, 0), f"reason_{state}": "面积覆盖率与 95% 比较"}
        table |= {f"share_low_{state}": share - 0.2, f"share_high_{state}": np.minimum(share + 0.05, 1.0),
                  f"pass_probability_{state}": np.where(np.isnan(share), 1.0, np.minimum(share, 0.5))}
    if zones:
        table["zone_type"] = "景区"
    index = pd.Index([f"{'Z' if zones else '44200010'}{k:04d}" for k in range(number)],
                     name="zone_id" if zones else "village_code")
    return gpd.GeoDataFrame(table, geometry=shapes, index=index, crs=CRS)


def gaps(coverage: FakeCoverage, limit: float = 0.75) -> gpd.GeoDataFrame:
    """Connected pixels below the probability."""
    from rasterio.features import shapes
    from shapely.geometry import shape

    weak = (coverage.probability < limit).astype(np.uint8)
    found = [shape(g) for g, v in shapes(weak, mask=weak > 0, transform=coverage.geobox.affine)]
    found = sorted((s for s in found if s.area > 20_000), key=lambda s: -s.area)
    count = len(found)
    return gpd.GeoDataFrame({
        "rank_no": range(1, count + 1), "area_m2": [s.area for s in found], "demand": [s.area / 500 for s in found],
        "demand_kind": "people", "reason": "有基站但信号弱(距离远或受遮挡)", "villages": "甲村、乙村", "zones": "",
        "nearest_site": "S-1", "distance_m": 812.0,
        "gap_type": ["populated" if k % 3 else "land" for k in range(count)],
        "reason_code": [CODES[k % len(CODES)] for k in range(count)], "complaints": range(count), "key_points": 2,
        "nearest_venue": "F-9", "venue_name": "东升镇文化站", "venue_distance_m": 340.0, "town": "东升镇", "county": "示例县",
    }, geometry=found, index=pd.Index([f"G-{k}" for k in range(count)], name="gap_id"), crs=CRS)


def sites(rng: np.random.Generator, box: Any, counts: dict[str, int], *, hostile: bool) -> gpd.GeoDataFrame:
    """The one sites table, with all four states."""
    rows = []
    for status, number in counts.items():
        for k in range(number):
            tier = int(rng.integers(1, 6)) if status != "existing" else pd.NA
            name = STATUS_ZH[status] + str(k + 1)
            rows.append({
                "site_id": f"{status[0].upper()}-{k:05d}", "name": HOSTILE[k % len(HOSTILE)] if hostile else name,
                "kind": "macro" if rng.random() < 0.4 else "micro",
                "source": "facility" if rng.random() < 0.5 else "pole", "status": status,
                "build": ("new", "reuse", "share")[k % 3] if status == "proposed" else "new", "tier": tier,
                "tier_name": TIERS.get(tier, "") if status != "existing" else "",
                "owner": HOSTILE[(k + 3) % len(HOSTILE)] if hostile else "市机关事务中心", "department": "机关事务管理局",
                "must_open": True, "must_be_free": k % 2 == 0, "mount": "pole", "antenna_height_m": 8.0 + k % 30,
                "networks": "*", "cost_yuan": 60_000.0, "reason": "服务现状空洞内居民,公共设施优先",
                "rank_no": k + 1 if status == "proposed" else 0,
                "build_year": 2026 + k % 3 if status == "proposed" else 0,
                "gain": 5000.0 / (k + 1), "gain_share": 0.2 / (k + 1), "town": "东升镇",
                "unit_code": f"DY-{1 + k % 2:02d}", "parcel_code": None,
                "x": rng.uniform(box[0] + 300, box[2] - 300), "y": rng.uniform(box[1] + 300, box[3] - 300),
            })
    frame = pd.DataFrame(rows).set_index("site_id")
    frame["tier"] = frame["tier"].astype("Int64")
    points = gpd.points_from_xy(frame["x"], frame["y"])
    return gpd.GeoDataFrame(frame.drop(columns=["x", "y"]), geometry=points, crs=CRS)


def results(plan: Any, rng: np.random.Generator, *, hostile: bool) -> dict[str, Any]:
    """Further tables of a plan, small, with words of files in them."""

    def word(number: int, plain: str) -> str:
        return HOSTILE[number % len(HOSTILE)] if hostile else plain

    west, south, east, north = plan.boundary.total_bounds
    points = gpd.points_from_xy(rng.uniform(west, east, 30), rng.uniform(south, north, 30))
    findings = ["in_gap", "no_gap", "unknown", "near_gap", "operator_gap", "indoor_gap"] * 5
    complaints = gpd.GeoDataFrame({
        "date": pd.to_datetime(["2024-02-06"] * 29 + [None]), "source": word(0, "12345热线"), "operator": word(1, "移动"),
        "text": "SECRET 13800000000", "status": word(2, "已办结"), "finding": findings,
        "finding_zh": [FINDING_ZH[code] for code in findings],
        "reason": word(3, "位于覆盖空洞"), "counted": [True] * 28 + [False] * 2,
    }, geometry=points, index=pd.Index([f"C-{k}" for k in range(30)], name="complaint_id"), crs=CRS)
    hot = gpd.GeoDataFrame({
        "rank_no": [1, 2], "count": [6, 4], "first_date": pd.to_datetime(["2024-02-01", None]),
        "last_date": pd.to_datetime(["2024-02-06", None]), "sources": word(4, "12345热线6"), "operators": word(5, "移动4"),
        "finding_zh": "位于覆盖空洞", "in_gap_share": [0.5, np.nan], "village": word(6, "甲村"), "zone": "",
    }, geometry=[points[0].buffer(250), points[1].buffer(250)], index=pd.Index(["H-1", "H-2"]), crs=CRS)
    lines = pd.DataFrame({
        "name": [word(7, "人民路"), "溪口铁路", "支路"], "layer": ["roads", "rail", "roads"], "rule": "line_share_95",
        "length_m": [5000.0, 3000.0, 100.0], "length_share": [0.97, 0.9, np.nan],
        "verdict": ["pass", "fail", "not_assessable"], "verdict_before": ["fail", "fail", "not_assessable"],
    }, index=pd.Index(["a", "b", "c"], name="section_id"))
    stretches = gpd.GeoDataFrame(
        {"section_id": word(8, "rail:b"), "name": word(9, "溪口铁路"), "layer": "rail", "length_m": 300.0},
        geometry=[shapely.LineString([(west, south), (west + 300, south)])], index=["L-1"], crs=CRS)
    buildings = gpd.GeoDataFrame({
        "rank_no": range(1, 7), "name": word(10, "市民中心"), "duty": ["must"] * 5 + ["should"],
        "reach": ["not_reached"] * 4 + ["reached", "not_reached"],
        "has_indoor": pd.array([False, True, None, None, False, False], "boolean"),
        "reason": word(11, "办公,应配建"), "clause": "第3.0.3条第1款", "indoor_probability": 0.4, "need": "应建未建",
    }, geometry=[point.buffer(20) for point in points[:6]], index=[f"B-{k}" for k in range(6)], crs=CRS)
    verdicts = {(layer, str(key), network): (now, then)
                for layer in ("villages", "zones") for key in getattr(plan, layer).index
                for network, now, then in ((word(12, "移动"), "fail", "pass"), ("电信", "fail", "not_assessable"))}
    operators = pd.DataFrame(verdicts.values(), columns=["verdict_before", "verdict_after"],
                             index=pd.MultiIndex.from_tuples(verdicts, names=["layer", "area", "network"]))
    states = [("行政村", plan.villages.index[0], "yes", "predicted", True, "unknown", "unknown", False),
              ("安置点", plan.zones.index[0], "no", "reported", False, "yes", "mapped", True)]
    connectivity = pd.DataFrame([state[2:] for state in states], index=pd.MultiIndex.from_tuples(
        [state[:2] for state in states], names=["kind", "area"]), columns=[
        "has_4g", "source_4g", "conflict_4g", "has_fibre", "source_fibre", "conflict_fibre"])
    connectivity["rule_4g"] = "village_4g_2018"
    targets = pd.DataFrame({
        "target": ["t1", "t2", "t3"], "zh": [word(13, "到2027年5G网络覆盖70%以上的行政村"), "2024年全市新建5G基站40个以上", "全覆盖"],
        "rule": ["village_miit_2025", "", "my_rule"], "county": ["", "", "示例县"], "town": "", "unit": ["%", "基站", "%"],
        "by": pd.to_datetime(["2027-12-31", "2024-12-31", None]), "total": [36, 58, 1], "wanted": [26, 40, 1],
        "reached_before": [22, 10, 0], "needed_before": [4, 30, 1], "status_before": ["未达成", "未达成", "无法判定"],
        "reached_after": [33, 35, 0], "needed_after": [0, 5, 1], "status_after": ["已达成", "未达成", "无法判定"],
        "not_assessable_after": [3, 0, 1]})
    towns = pd.DataFrame({"rank_no_before": pd.array([1, 2, None], "Int64"), "score_before": [60.0, 50.0, np.nan],
                          "rank_no_after": pd.array([2, 1, None], "Int64"), "score_after": [70.25, 80.5, np.nan],
                          "missing_before": "", "missing_after": ["", "", "重点区域达标率"], "ranking": "5G覆盖综合评分"},
                         index=pd.Index([word(14, "甲县"), "乙县", "丙县"], name="area"))
    rules = pd.DataFrame({"rule_zh": ["规则一", "规则二"], "own": [True, False], "total": 36, "passed_before": [22, 1],
                          "passed_after": [33, 6], "not_assessable_after": [3, 0]},
                         index=pd.Index(["r1", "r2"], name="rule"))
    inside = plan.gaps_after.iloc[:2].assign(gap_type="indoor", reason_code="indoor", reason="室外已覆盖,仅室内未覆盖")
    return {"complaints": complaints, "hot_spots": hot, "lines": lines, "stretches": stretches,
            "indoor_buildings": buildings, "operators": operators,
            "connectivity": connectivity, "targets": targets, "counties": towns, "towns": towns,
            "rules": rules, "indoor_gaps": inside}


def fake_plan(**parts: Any) -> Any:
    """What the map reads of a plan: some of its fields, and the proposed sites by rank."""
    def proposed(plan: Any) -> gpd.GeoDataFrame:
        return plan.sites[plan.sites["status"] == "proposed"].sort_values("rank_no")

    made = make_dataclass("FakePlan", list(parts), namespace={"proposed": property(proposed)}, eq=False)
    return made(**parts)


def limits(box: Any, *, hostile: bool) -> dict[str, gpd.GeoDataFrame]:
    """Restricted areas, works and a planned building."""
    names = list(HOSTILE[:3]) if hostile else ["南岭生态保护红线", "机场净空", "大河堤防"]
    west, south = box[0], box[1]
    restricted = gpd.GeoDataFrame({
        "name": names, "kind": ["生态保护红线", "机场净空区", ""], "distance_m": [np.nan, 500.0, 30.0]}, geometry=[
        shapely.box(west + 400, south + 400, west + 1400, south + 1200), shapely.Point(west + 2500, south + 2500),
        shapely.LineString([(west, south + 900), (west + 2000, south + 1000)])],
        index=pd.Index(["R1", "R2", "R3"], name="restricted_id"), crs=CRS)
    works = gpd.GeoDataFrame({
        "name": [HOSTILE[3] if hostile else "人民路改造"], "kind": ["道路改造"],
        "start_date": pd.to_datetime(["2026-03-01"]), "end_date": pd.to_datetime([None])},
        geometry=[shapely.LineString([(west + 100, south + 100), (west + 900, south + 300)])],
        index=pd.Index(["W1"], name="work_id"), crs=CRS)
    buildings = gpd.GeoDataFrame({
        "name": [HOSTILE[4] if hostile else "市民中心二期"], "use": ["办公"], "filing": ["未备案"],
        "completed_on": pd.to_datetime(["2027-06-30"])},
        geometry=[shapely.box(west + 600, south + 600, west + 660, south + 650)],
        index=pd.Index(["P1"], name="project_id"), crs=CRS)
    return {"restricted": restricted, "works": works, "planned_buildings": buildings}


def make_plan(*, shape: tuple[int, int] = (500, 600), pixel: float = 20.0, candidates: int = 3000, proposed: int = 60,
              villages: int = 30, hostile: bool = False, **study: Any) -> Any:
    """A whole plan, in the form that :func:`siteplan.maps.render_review_map` reads."""
    rng = np.random.default_rng(7)
    rows, cols = shape
    geobox = GeoBox.from_bbox((WEST, SOUTH, WEST + cols * pixel, SOUTH + rows * pixel), CRS, resolution=pixel)
    box = geobox.boundingbox.bbox
    table = sites(rng, box, {"existing": 40, "proposed": proposed, "candidate": candidates, "refused": candidates // 4},
                  hostile=hostile)
    old, new = table[table["status"] == "existing"], table[table["status"] == "proposed"]
    powers = [np.column_stack([f.geometry.x, f.geometry.y, np.full(len(f), p)]) for f, p in ((old, 24.0), (new, 20.0))]
    before, after = signal(geobox, powers[0], 1), signal(geobox, np.vstack(powers), 1)
    x, y = np.meshgrid(np.linspace(0, 9, cols), np.linspace(0, 7, rows))
    ground = (40 + 60 * np.sin(x) * np.cos(y) + 15 * np.sin(3 * x + y)).astype(np.float32)
    stations = gpd.GeoDataFrame({"azimuth_deg": np.tile([0.0, 120.0, 240.0], len(old))},
                                geometry=np.repeat(old.geometry.to_numpy(), 3), crs=CRS)
    stations.loc[0:2, "azimuth_deg"] = np.nan
    bounds = shapely.box(*box).buffer(-150)
    river = shapely.LineString([(box[0], box[1] + 3000), (box[0] + 5000, box[1] + 5200), (box[2], box[1] + 4300)])
    context = {
        "stations": stations,
        "water": gpd.GeoDataFrame({"name": ["大河"]}, geometry=[river.buffer(110).intersection(bounds)], crs=CRS),
        "towns": gpd.GeoDataFrame({"name": ["东升镇", "西江镇"]}, geometry=[
            shapely.box(box[0], box[1], box[0] + 6200, box[3]),
            shapely.box(box[0] + 6200, box[1], box[2], box[3])], crs=CRS),
        "roads": gpd.GeoDataFrame({"road_class": ["primary"] * 4 + ["residential"] * 40}, geometry=[
            shapely.LineString([(box[0], box[1] + d), (box[2], box[1] + d * 0.8 + 800)])
            for d in (1500, 4000, 6500, 9000)] + [
            shapely.LineString([(box[0] + 290 * k, box[1]), (box[0] + 290 * k + 400, box[3])])
            for k in range(40)], crs=CRS),
        "units": gpd.GeoDataFrame({"name": list(HOSTILE[5:7]) if hostile else ["城东第1单元", ""]}, geometry=[
            shapely.box(box[0], box[1], box[0] + 2000, box[3]), shapely.box(box[0] + 2000, box[1], box[2], box[3])],
            index=pd.Index(["DY-01", "DY-02"], name="unit_code"), crs=CRS),
        **limits(box, hostile=hostile),
    }
    info = {"name": HOSTILE[5] if hostile else "示例市5G站址规划(2026—2028)", "crs": CRS,
            "resolution_m": pixel, "synthetic": True,
            "notices": list(HOSTILE) if hostile else ["道路数据 © 示例来源(ODbL 许可)"], "stand_in_5g": True,
            "map_approval_no": "粤S(2026)000号", **study}
    demand = rng.gamma(0.3, 2.0, shape).astype(np.float32)
    plan = fake_plan(
        study=info,
        parameters={"coverage": {"threshold_dbm": -105.0, "model_sigma_db": 6.0}, "gaps": {"gap_probability": 0.75},
                    "study": {"as_of": "2026-06-30"}, "selection": {"phases": {"years": [2026, 2027, 2028]}},
                    "opening": {"office": "通信建设管理办公室"}},
        inputs=(), surface=SimpleNamespace(geobox=geobox, ground_m=ground), before=before, after=after, demand=demand,
        demand_kind="people", boundary=gpd.GeoDataFrame({"name": ["示例市"]}, geometry=[bounds], crs=CRS),
        villages=areas(geobox, villages, rng, zones=False, hostile=hostile),
        zones=areas(geobox, 4, rng, zones=True, hostile=hostile),
        gaps_before=gaps(before), gaps_after=gaps(after), sites=table,
        selection=SimpleNamespace(site_ids=tuple(new.index), gains=np.ones(len(new)), cost_yuan=60_000.0 * len(new),
                                  covered=82_311.0, value=82_311.0, upper_bound=84_900.0, status="feasible",
                                  optimality_gap=84_900 / 82_311 - 1, stopped="max_sites"),
        indicators={}, ledger=None, context=context, timings={}, versions={}, rules=load_rules(), results={},
        opening=None, exposure=None, letters=(), secret_rows={},
    )
    plan.results = results(plan, rng, hostile=hostile)
    return plan


def make_big_plan(points: int = 100_000, side: int = 6000, pixel: float = 10.0) -> Any:
    """A plan with so many candidates and refused sites (one in five) and a raster of ``side`` x ``side``.

    The signal is that of a coarse plan with fine shadowing laid over it, so that its pictures do not pack better than
    those of a real city; every point has a name and an id of its own, every refused one a reason of its own.
    """
    factor = 10
    plan = make_plan(shape=(side // factor, side // factor), pixel=pixel * factor, candidates=10, proposed=60)
    rng = np.random.default_rng(11)
    geobox = GeoBox.from_bbox(plan.surface.geobox.boundingbox.bbox, CRS, resolution=pixel)
    refused = points // 5
    table = sites(rng, geobox.boundingbox.bbox, {"candidate": points - refused, "refused": refused}, hostile=False)
    table["name"] = [f"灯杆 LD{number:06d}" for number in range(points)]
    far = iter(rng.uniform(201, 900, refused).round(1))
    table["reason"] = [f"200米内没有覆盖空洞(最近的在{next(far)}米外)" if status == "refused" else ""
                       for status in table["status"]]
    plan.sites = gpd.GeoDataFrame(pd.concat([plan.sites[plan.sites["status"].isin(["existing", "proposed"])], table]),
                                  crs=CRS)
    shadow = gaussian_filter(rng.normal(0, 1, (side // 4, side // 4)), 4.0, mode="wrap").astype(np.float32)
    shadow = np.tile(shadow * np.float32(3.0 / shadow.std()), (4, 4))
    for name in ("before", "after"):
        coarse = getattr(plan, name)
        rsrp, server = (np.repeat(np.repeat(part, factor, 0), factor, 1) for part in (coarse.rsrp, coarse.server))
        rsrp += shadow
        chance = 1 / (1 + np.exp(-1.7 * (np.nan_to_num(rsrp, nan=-200.0) + np.float32(105.0)) / 8))
        setattr(plan, name, FakeCoverage(geobox=geobox, rsrp=rsrp, server=server, probability=chance.astype(np.float32),
                                         threshold_dbm=-105.0, sectors=coarse.sectors))
    ground = np.repeat(np.repeat(plan.surface.ground_m, factor, 0), factor, 1) + shadow
    plan.surface = SimpleNamespace(geobox=geobox, ground_m=ground)
    plan.demand = np.repeat(np.repeat(plan.demand, factor, 0), factor, 1)
    return plan


def unpacked(layer: dict[str, Any]) -> list[tuple[float, float, int, list[str]]]:
    """Latitude, longitude, tier and texts (title first) of each point of a packed layer."""
    def numbers(text: str, kind: str) -> np.ndarray:
        return np.frombuffer(base64.b64decode(text), kind)

    places = numbers(layer["at"], "<i4").reshape(-1, 2) / 1e6
    columns = [numbers(part, "<u4") for part in layer["texts"]]
    return [(float(lat), float(lon), int(tier), [layer["words"][column[row]] for column in columns])
            for row, ((lat, lon), tier) in enumerate(zip(places, numbers(layer["tier"], "u1"), strict=True))]
