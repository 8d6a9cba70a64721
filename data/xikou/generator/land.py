"""Blocks, their use, parcels with land-use codes, and detailed-plan units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
import shapely.affinity
import shapely.ops
from shapely.geometry.base import BaseGeometry

from .frame import main_angle, polygon_parts, stage_rng
from .streets import Road, bank_inside, road_surface, split_blocks
from .terrain import INDUSTRY, RIVERS, TOWN_SITES, town_shape

# land-use codes after the 2023 land and sea use classification
CODES = {"estate": "0701", "slab": "0701", "old": "0701", "village": "0703", "commerce": "0901", "office": "0902",
         "industry": "1001", "logistics": "1101", "school": "0804", "university": "0804", "hospital": "0806",
         "government": "0801", "culture": "0803", "sport": "0805", "park": "1401", "square": "1403", "station": "1208",
         "utility": "1302", "reserve": "16", "resettlement": "0701", "market": "0901"}
CENTRES = ((4950.0, 5150.0), (6850.0, 4500.0))
# name, use, place, number of blocks taken
SPECIAL: tuple[tuple[str, str, tuple[float, float], int], ...] = (
    ("溪口学院", "university", (3750.0, 3900.0), 6), ("溪口市人民医院", "hospital", (4450.0, 5650.0), 1),
    ("溪口市中医院", "hospital", (7750.0, 5050.0), 1), ("溪西县人民医院", "hospital", (4800.0, 3900.0), 1),
    ("溪东县人民医院", "hospital", (7250.0, 3550.0), 1), ("市行政中心", "government", (4300.0, 5050.0), 2),
    ("溪西县政府", "government", (4750.0, 4600.0), 1), ("溪东县政府", "government", (7350.0, 4700.0), 1),
    ("凤山公园", "park", (4250.0, 6150.0), 3), ("文笔山公园", "park", (8050.0, 3350.0), 2),
    ("滨江公园", "park", (5600.0, 4450.0), 1), ("湿地公园", "park", (6350.0, 5300.0), 1), ("儿童公园", "park", (5200.0, 6000.0), 1),
    ("人民公园", "park", (5050.0, 3600.0), 1), ("市民广场", "square", (4550.0, 5100.0), 1),
    ("站前广场", "square", (8700.0, 4650.0), 1), ("市体育中心", "sport", (3950.0, 4850.0), 1),
    ("溪东县体育馆", "sport", (7700.0, 3950.0), 1), ("市文化中心", "culture", (4350.0, 4700.0), 1),
    ("溪东县文化馆", "culture", (7000.0, 5050.0), 1), ("市汽车客运站", "station", (3500.0, 5300.0), 1),
    ("溪东汽车客运站", "station", (8500.0, 5000.0), 1), ("城西污水处理厂", "utility", (4900.0, 3150.0), 1),
    ("中街商圈", "commerce", (5150.0, 5100.0), 4), ("东桥商圈", "commerce", (6800.0, 4450.0), 3),
)
SCHOOL_NAMES = ("第一中学", "第二中学", "第三中学", "实验中学", "实验小学", "文昌小学", "北门小学", "河西小学", "南门小学", "学府小学", "东桥小学",
                "站前小学", "东街小学", "迎宾小学", "渔浦小学", "新城小学", "溪西中学", "溪东中学", "溪东实验学校", "职业技术学校")


@dataclass(frozen=True)
class Block:
    """One block: polygon behind its kerbs, use (key of ``CODES``), name of a campus or park, place."""

    polygon: shapely.Polygon
    use: str
    name: str
    place: str


@dataclass(frozen=True)
class Parcel:
    """One parcel of a block."""

    polygon: shapely.Polygon
    use: str
    name: str
    place: str


def _draw_use(rng: np.random.Generator, block: shapely.Polygon, side: int) -> str:
    centre = CENTRES[0 if side < 0 else 1]
    d = float(np.hypot(block.centroid.x - centre[0], block.centroid.y - centre[1]))
    if d < 450.0:
        weights = {"old": 0.30, "slab": 0.16, "estate": 0.10, "commerce": 0.22, "office": 0.17, "park": 0.05}
    elif d < 1000.0:
        weights = {"old": 0.30, "slab": 0.28, "estate": 0.22, "commerce": 0.06, "office": 0.08, "park": 0.06}
    elif d < 1550.0:
        weights = {"old": 0.25, "slab": 0.23, "estate": 0.33, "office": 0.04, "industry": 0.04, "park": 0.06,
                   "reserve": 0.03}
    else:
        weights = {"old": 0.20, "slab": 0.16, "estate": 0.36, "industry": 0.13, "park": 0.06, "reserve": 0.09}
    names = list(weights)
    return names[int(rng.choice(len(names), p=np.array(list(weights.values())) / sum(weights.values())))]


def build_blocks(roads: Sequence[Road], keep_out: BaseGeometry) -> list[Block]:
    """All blocks of the two seats, the industrial park and the towns, with a use each."""
    rng = stage_rng(4)
    surface = road_surface(roads)
    raw: list[tuple[shapely.Polygon, str]] = []
    for side, place in ((-1, "城关镇"), (1, "东门镇")):
        raw += [(b, place) for b in split_blocks(bank_inside(side).difference(keep_out), surface, 1200.0)]
    uses: dict[int, tuple[str, str]] = {}
    spots = np.array([[b.centroid.x, b.centroid.y] for b, _ in raw])
    areas = np.array([b.area for b, _ in raw])
    for name, use, spot, number in SPECIAL:
        far = np.hypot(*(spots - spot).T) + np.where(areas < 9000.0, 400.0, 0.0)
        free = [k for k in np.argsort(far, kind="stable") if int(k) not in uses]
        uses.update({int(k): (use, name) for k in free[:number]})
    schools = [k for k in range(len(raw)) if k not in uses and 14000.0 < areas[k] < 60000.0]
    picked = schools[5::max(1, len(schools) // len(SCHOOL_NAMES))][:len(SCHOOL_NAMES)]
    uses.update({k: ("school", SCHOOL_NAMES[n]) for n, k in enumerate(picked)})
    blocks = [Block(b, *(uses[k] if k in uses else (_draw_use(rng, b, -1 if place == "城关镇" else 1), "")), place)
              for k, (b, place) in enumerate(raw)]
    for k, b in enumerate(split_blocks(INDUSTRY.difference(keep_out), surface, 1200.0)):
        use = "logistics" if k % 9 == 4 else ("office" if k == 12 else ("slab" if k == 20 else "industry"))
        blocks.append(Block(b, use, "溪口高新技术产业园" if k == 12 else "", "河湾镇"))
    for town in TOWN_SITES:
        parts = split_blocks(town_shape(town).difference(keep_out), surface, 700.0)
        middle = town_shape(town).centroid
        order = sorted(range(len(parts)), key=lambda k: (parts[k].distance(middle), k))
        rank = {k: n for n, k in enumerate(order)}
        plan = ("government", "commerce", "school", "hospital", "square", "slab")
        for k, b in enumerate(parts):
            use = plan[rank[k]] if rank[k] < len(plan) else ("slab" if rng.random() < 0.16 else
                                                              ("reserve" if rng.random() < 0.10 else "old"))
            names = {"government": f"{town}人民政府", "school": f"{town}中心小学", "hospital": f"{town}卫生院",
                     "square": f"{town}文化广场", "commerce": f"{town}农贸市场"}
            blocks.append(Block(b, use, names.get(use, ""), town))
    return blocks


def cut_in_two(polygon: shapely.Polygon) -> list[shapely.Polygon]:
    """Halves of a polygon, cut across its long side."""
    angle = main_angle(polygon)
    c = polygon.centroid
    dx, dy = -np.sin(angle) * 2000.0, np.cos(angle) * 2000.0
    cut = shapely.LineString([(c.x - dx, c.y - dy), (c.x + dx, c.y + dy)])
    return polygon_parts(shapely.ops.split(polygon, cut), 50.0)


def split_parcels(blocks: Sequence[Block]) -> list[Parcel]:
    """Parcels: blocks cut across their long side until they are small enough for their use."""
    rng = stage_rng(5)
    most = {"old": 12500.0, "slab": 15500.0, "estate": 24000.0, "commerce": 11000.0, "office": 9000.0,
            "industry": 20000.0}
    parcels: list[Parcel] = []
    for block in blocks:
        todo = [block.polygon]
        limit = most.get(block.use, 1e9)
        while todo:
            piece = todo.pop()
            if piece.area > limit:
                todo += cut_in_two(piece)
                continue
            use = block.use
            if use in ("slab", "old", "estate") and rng.random() < 0.07:
                use = str(rng.choice(["commerce", "office", "park"]))
            parcels.append(Parcel(piece, use, block.name, block.place))
    return parcels


def build_units(roads: Sequence[Road]) -> list[tuple[str, str, shapely.Polygon]]:
    """Detailed-plan units (code, name, polygon): urban land between main roads, the park, the towns."""
    units: list[tuple[str, str, shapely.Polygon]] = []
    for side, county, stem in ((-1, "XX", "溪西"), (1, "XD", "溪东")):
        area = bank_inside(side)
        kinds = ("主干路",)
        lines = [road.line for road in roads if road.road_class in kinds]
        cells = [p for p in shapely.polygonize([shapely.union_all([*lines, area.exterior])]).geoms
                 if area.buffer(1.0).contains(p.representative_point())]
        pieces: list[shapely.Polygon] = []
        todo = list(cells)
        while todo:
            cell = todo.pop()
            if cell.area > 1000000.0:
                todo += cut_in_two(cell)
            elif cell.area > 30000.0:
                pieces.append(cell)
        for k, cell in enumerate(polygon_parts(shapely.MultiPolygon(pieces))):
            units.append((f"{county}-{k + 1:02d}", f"{stem}第{k + 1}单元", cell))
    for k, part in enumerate(cut_in_two(INDUSTRY)):
        units.append((f"CY-{k + 1:02d}", f"产业园第{k + 1}单元", part))
    for k, town in enumerate(TOWN_SITES):
        units.append((f"ZQ-{k + 1:02d}", f"{town}镇区单元", town_shape(town)))
    return units


def waters() -> BaseGeometry:
    """All water and its banks, where nothing is built."""
    return shapely.union_all([line.buffer(width / 2.0 + 8.0) for line, width in RIVERS.values()])
