"""Counties, towns, villages, their settlements and houses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
import shapely.affinity
import shapely.ops
from shapely.geometry.base import BaseGeometry

from .frame import Array, cells_of, polygon_parts, stage_rng
from .terrain import EAST, INDUSTRY, LAKE, RIVERS, TOWN_SITES, WEST, Ground, distance_to, town_shape

COUNTIES = {"溪西县": "449921", "溪东县": "449922"}
TOWNS = {"城关镇": "449921100", "石桥镇": "449921101", "云岭镇": "449921102", "竹园镇": "449921103",
         "东门镇": "449922100", "松坪镇": "449922101", "茶亭镇": "449922102", "河湾镇": "449922103"}
# name, town, seat of the settlement (local metres)
SEATS: tuple[tuple[str, str, float, float], ...] = (
    ("北门社区", "城关镇", 4000, 6450), ("河西社区", "城关镇", 5150, 6300), ("文昌社区", "城关镇", 3900, 5350),
    ("中街社区", "城关镇", 5100, 5350), ("学府社区", "城关镇", 3950, 4000), ("南门社区", "城关镇", 5050, 4050),
    ("石桥村", "石桥镇", 2350, 2830), ("上洞村", "石桥镇", 650, 2080), ("岭脚村", "石桥镇", 1750, 850),
    ("沙洲村", "石桥镇", 4850, 1500),
    ("云岭村", "云岭镇", 2830, 8740), ("高坪村", "云岭镇", 1250, 9000), ("梅坑村", "云岭镇", 4700, 8750),
    ("大岗村", "云岭镇", 1050, 7600),
    ("竹园村", "竹园镇", 1650, 5660), ("竹坑村", "竹园镇", 520, 6250), ("白石村", "竹园镇", 1250, 4050),
    ("桐坪村", "竹园镇", 2350, 6900),
    ("东桥社区", "东门镇", 6750, 5450), ("站前社区", "东门镇", 8150, 5350), ("东街社区", "东门镇", 6750, 4400),
    ("迎宾社区", "东门镇", 8150, 4350), ("渔浦社区", "东门镇", 6850, 3400), ("新城社区", "东门镇", 8050, 3250),
    ("松坪村", "松坪镇", 8550, 8560), ("岗背村", "松坪镇", 10600, 9000), ("冲口村", "松坪镇", 6950, 8950),
    ("长坑村", "松坪镇", 7500, 7480),
    ("茶亭村", "茶亭镇", 10500, 6680), ("麻园村", "茶亭镇", 11300, 7550), ("半岭村", "茶亭镇", 10900, 5050),
    ("塘尾村", "茶亭镇", 9500, 6250),
    ("河湾村", "河湾镇", 10380, 3110), ("渡头村", "河湾镇", 6850, 950), ("石鼓村", "河湾镇", 11250, 1900),
    ("新围村", "河湾镇", 10300, 600),
)
HAMLETS = ("上屋", "下屋", "新屋", "老围", "岭背", "坑尾", "大塘", "石坳", "竹山", "横岗", "水口", "田心", "塘边", "禾坪", "黄泥坳",
           "樟树下", "石壁", "长埔", "湾里", "塔下", "牛岗", "沙坪", "桥头", "枫树坪", "双井", "白泥", "高排", "金竹", "莲塘", "围肚")


@dataclass(frozen=True)
class Village:
    """One administrative village: polygon, seat, and its natural villages (name, point)."""

    code: str
    name: str
    town: str
    county: str
    seat: tuple[float, float]
    polygon: shapely.Polygon
    urban: bool
    hamlets: tuple[tuple[str, float, float], ...]


def county_of(town: str) -> str:
    """County that a town belongs to."""
    return "溪西县" if TOWNS[town].startswith("449921") else "溪东县"


def city_boundary() -> shapely.Polygon:
    """Outline of the city: about 12 x 10 km, uneven like a watershed."""
    t = np.linspace(0.0, 2.0 * np.pi, 241)[:-1]
    c, s = np.cos(t), np.sin(t)
    wave = 1.0 + 0.018 * np.sin(5 * t + 0.7) + 0.014 * np.sin(9 * t + 2.0) + 0.008 * np.sin(17 * t + 4.0) \
        + 0.005 * np.sin(31 * t)
    x = 6000.0 + np.sign(c) * np.abs(c) ** 0.36 * 5880.0 * wave
    y = 5000.0 + np.sign(s) * np.abs(s) ** 0.36 * 4880.0 * wave
    return shapely.Polygon(np.column_stack([x, y]))


def _warp(xy: Array) -> Array:
    """Bend straight village borders; nothing moves at the river (the county border)."""
    river = RIVERS["锦溪"][0]
    far = np.clip(shapely.distance(shapely.points(xy), river) / 500.0, 0.0, 1.0)
    dx = 95.0 * np.sin(xy[:, 1] / 210.0 + xy[:, 0] / 730.0) + 35.0 * np.sin(xy[:, 1] / 83.0)
    dy = 95.0 * np.sin(xy[:, 0] / 230.0 - xy[:, 1] / 810.0) + 35.0 * np.sin(xy[:, 0] / 91.0)
    return xy + far[:, None] * np.column_stack([dx, dy])


def _hamlets(rng: np.random.Generator, name: str, seat: Array, polygon: shapely.Polygon, slope: Array,
             names: list[str]) -> list[tuple[str, float, float]]:
    """Two to five gentle places well inside the village, not too near one another."""
    west, south, east, north = polygon.bounds
    xy = rng.uniform((west, south), (east, north), (600, 2))
    inside = shapely.contains_xy(polygon.buffer(-140.0), xy)
    away = np.hypot(*(xy - seat).T)
    xy = xy[inside & (away > 420.0) & (away < 1700.0)]
    score = slope[cells_of(xy)] + 0.00009 * np.hypot(*(xy - seat).T)
    chosen: list[Array] = []
    for k in np.argsort(score, kind="stable"):
        if all(np.hypot(*(xy[k] - other)) > 420.0 for other in chosen):
            chosen.append(xy[k])
        if len(chosen) == int(2 + (len(name) * 7 + int(seat[0])) % 4):
            break
    return [(names.pop(0), float(np.round(p[0], 1)), float(np.round(p[1], 1))) for p in chosen]


def build_villages(ground: Ground, boundary: shapely.Polygon) -> list[Village]:
    """Cells around the settlements on either bank, clipped to the boundary, with bent borders."""
    rng = stage_rng(3)
    river = RIVERS["锦溪"][0]
    banks = polygon_parts(shapely.ops.split(boundary, river))
    cells: list[BaseGeometry] = []
    for west in (True, False):
        bank = max(banks, key=lambda g: g.area if (g.centroid.x < 5900) == west else 0.0)
        seats = [seat for seat in SEATS if bank.buffer(1.0).contains(shapely.Point(seat[2], seat[3]))]
        parts = shapely.voronoi_polygons(shapely.MultiPoint([seat[2:] for seat in seats]), extend_to=boundary)
        cells += [cell.intersection(bank) for cell in parts.geoms]
    faces = shapely.polygonize([shapely.union_all([cell.boundary for cell in cells], grid_size=0.01)])
    polygons = {seat[0]: next(f for f in faces.geoms if f.contains(shapely.Point(seat[2], seat[3]))) for seat in SEATS}
    slope = ground.slope()
    blocked = distance_to([line.buffer(width) for line, width in RIVERS.values()]
                          + [WEST.buffer(150), EAST.buffer(150), INDUSTRY.buffer(150), LAKE.buffer(60)]
                          + [town_shape(name).buffer(60) for name in TOWN_SITES]) < 60.0
    slope = np.where(blocked, 9.0, slope)
    names = list(HAMLETS) + [stem + tail for tail in ("坪", "坳", "围", "塘") for stem in
                             ("南", "北", "东", "西", "新", "老", "上", "下", "前", "后", "大", "小", "石", "松", "茶", "梅",
                              "兰", "桂", "柳", "杉")]
    out = []
    counts: dict[str, int] = {}
    for name, town, x, y in SEATS:
        counts[town] = counts.get(town, 0) + 1
        shape = shapely.transform(shapely.segmentize(polygons[name], 60.0), _warp)
        shape = shapely.set_precision(shape, 0.01)
        urban = town in ("城关镇", "东门镇")
        seat = np.array([x, y], dtype=float)
        hamlets = [] if urban else _hamlets(rng, name, seat, shape, slope, names)
        code = f"{TOWNS[town]}{counts[town] + (0 if urban else 200):03d}"
        out.append(Village(code, name, town, county_of(town), (x, y), shape, urban, tuple(hamlets)))
    return out


def lane_plan(centre: tuple[float, float], angle: float, lanes: int, length: float) -> list[shapely.LineString]:
    """Lanes of a settlement: parallel ones joined by a spine, all through the centre."""
    gap = 37.0
    lines = []
    half = (lanes - 1) / 2.0
    for k in range(lanes):
        off = (k - half) * gap
        reach = length / 2.0 * (1.0 - 0.5 * (abs(k - half) / max(lanes, 2)))
        lines.append(shapely.LineString([(-reach, off), (reach, off)]))
    lines.append(shapely.LineString([(0.0, -half * gap - 20.0), (0.0, half * gap + 20.0)]))
    turned = [shapely.affinity.rotate(line, angle, origin=(0, 0), use_radians=True) for line in lines]
    return [shapely.affinity.translate(line, *centre) for line in turned]


def contour_angle(ground: Ground, xy: tuple[float, float]) -> float:
    """Direction along the slope at a place, radians: lanes follow the contour."""
    d = 60.0
    h = ground.at(np.array([[xy[0] + d, xy[1]], [xy[0] - d, xy[1]], [xy[0], xy[1] + d], [xy[0], xy[1] - d]]))
    return float(np.arctan2(h[2] - h[3], h[0] - h[1]) + np.pi / 2.0)
