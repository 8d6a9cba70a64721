"""Streets: a curving grid on both banks, town grids, valley roads, an expressway, a railway, village roads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
import shapely.affinity
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from shapely.geometry.base import BaseGeometry

from .frame import CELL, HEIGHT, MARGIN, Array, polygon_parts, smooth_line, stage_rng
from .terrain import EAST, INDUSTRY, RIVERS, TOWN_SITES, WEST, Ground, axis_x, town_shape

HALF_WIDTH = {"高速公路": 15.0, "主干路": 16.0, "次干路": 10.0, "支路": 6.0, "县道": 5.0, "镇区道路": 6.0, "村道": 2.6}
EAST_WEST = ("环城北路", "学府路", "文昌路", "凤山路", "桂香路", "朝阳路", "人民路", "解放路", "建设路", "和平路", "新华路",
             "工业路", "兴业路", "富民路", "康乐路", "翠竹路", "稻香路", "丰收路", "南环路", "临溪路", "望江路", "青年路",
             "团结路", "前进路")
NORTH_SOUTH = ("滨江", "沿江", "中兴", "锦绣", "文化", "体育", "龙腾", "凤凰", "紫荆", "木棉", "榕树", "春晖", "站前", "迎宾")
RAILWAY = smooth_line([(9500, 11200), (9420, 9600), (9300, 8000), (9180, 6400), (9030, 4700), (8930, 3400),
                       (8350, 2250), (7850, 1150), (7500, -1200)])
EXPRESSWAY = smooth_line([(-1100, 8050), (900, 7750), (3000, 7330), (5200, 7290), (7300, 6780), (9500, 7120),
                          (11300, 8000), (13100, 8600)])
STATION_SQUARE = (8960.0, 4650.0)


@dataclass(frozen=True)
class Road:
    """One road: name, class (key of ``HALF_WIDTH``), local line."""

    name: str
    road_class: str
    line: shapely.LineString


def curve_point(r: Array, s: Array) -> Array:
    """From (distance to the city's axis, position along it) to local points (n, 2)."""
    slope = (axis_x(s + 1.0) - axis_x(s - 1.0)) / 2.0
    alpha = np.arctan(slope)
    return np.column_stack([axis_x(s) + r * np.cos(alpha), s - r * np.sin(alpha)])


def _lines_of(geometry: BaseGeometry, least: float) -> list[shapely.LineString]:
    parts = [g for g in shapely.get_parts(shapely.line_merge(geometry) if geometry.geom_type == "MultiLineString"
                                          else geometry) if g.geom_type == "LineString" and g.length >= least]
    return sorted(parts, key=lambda g: (round(g.coords[0][0], 1), round(g.coords[0][1], 1)))


def _spaced(rng: np.random.Generator, start: float, end: float, low: float, high: float) -> list[float]:
    out = [start]
    while out[-1] < end:
        out.append(out[-1] + float(rng.uniform(low, high)))
    return out


def bank_inside(side: int) -> shapely.Polygon:
    """Urban footprint of a bank (-1 west, 1 east) behind the riverside road."""
    river, width = RIVERS["锦溪"]
    land = (WEST if side < 0 else EAST).difference(river.buffer(width / 2.0 + 40.0))
    return max(polygon_parts(land), key=lambda part: part.area).buffer(-60.0).buffer(60.0)


def _urban_grid(rng: np.random.Generator) -> list[Road]:
    roads: list[Road] = []
    across = _spaced(rng, 2950.0, 7100.0, 175.0, 235.0)
    for number, s in enumerate(across):
        main = number % 4 == 2
        r = np.arange(-3300.0, 3350.0, 50.0)
        line = shapely.LineString(curve_point(r, np.full(r.shape, s)))
        whole = [WEST.union(EAST).union(shapely.box(5500, s - 200, 6500, s + 200))] if main and s < 6000 \
            else [bank_inside(-1), bank_inside(1)]
        for area in whole:
            for part in _lines_of(line.intersection(area), 80.0):
                suffix = "" if main else ("西" if part.centroid.x < 5900 else "东")
                roads.append(Road(EAST_WEST[number % len(EAST_WEST)] + suffix, "主干路" if main else
                                  ("次干路" if number % 2 == 0 else "支路"), part))
    for side in (-1, 1):
        for number, r0 in enumerate(_spaced(rng, 300.0, 2800.0, 165.0, 240.0)):
            down = np.arange(2500.0, 7500.0, 50.0)
            line = shapely.LineString(curve_point(np.full(down.shape, side * r0), down))
            kind = "主干路" if number % 4 == 2 else ("次干路" if number % 2 == 0 else "支路")
            stem = NORTH_SOUTH[(number + 1) % len(NORTH_SOUTH)]
            for part in _lines_of(line.intersection(bank_inside(side)), 120.0):
                roads.append(Road(stem + ("西路" if side < 0 else "东路"), kind, part))
        ring = bank_inside(side).exterior
        roads.append(Road("环城西路" if side < 0 else "环城东路", "次干路", shapely.LineString(ring.coords)))
    return roads


def _drop_some(rng: np.random.Generator, roads: list[Road], share: float) -> list[Road]:
    """Cut minor streets at crossings and leave out a share of the pieces: larger blocks here and there."""
    kept = [road for road in roads if road.road_class != "支路"]
    for road in roads:
        if road.road_class != "支路":
            continue
        others = shapely.union_all([other.line for other in roads if other is not road])
        cut = road.line.difference(shapely.intersection(others, road.line).buffer(0.05))
        run: list[shapely.LineString] = []
        for piece in [*_pieces(cut), None]:
            if piece is not None and rng.random() > share:
                run.append(piece)
            elif run:
                xy = np.vstack([shapely.get_coordinates(part) for part in run])
                kept.append(Road(road.name, road.road_class, shapely.LineString(xy)))
                run = []
    return kept


def _pieces(geometry: BaseGeometry) -> list[shapely.LineString]:
    return [g for g in shapely.get_parts(geometry) if g.geom_type == "LineString" and g.length > 1.0]


def _local_grid(area: shapely.Polygon, angle_deg: float, step: tuple[float, float], names: Sequence[str],
                kind: str) -> list[Road]:
    """Rectangular street grid inside an area, plus its rim."""
    centre = area.centroid
    roads: list[Road] = []
    west, south, east, north = area.bounds
    reach = max(east - west, north - south)
    number = 0
    for turn, gap in ((0.0, step[1]), (90.0, step[0])):
        for offset in np.arange(-reach, reach + 1.0, gap):
            flat = shapely.LineString([(centre.x - reach, centre.y + offset), (centre.x + reach, centre.y + offset)])
            line = shapely.affinity.rotate(flat, angle_deg + turn, origin=(centre.x, centre.y))
            for part in _lines_of(line.intersection(area), 60.0):
                roads.append(Road(names[number % len(names)], kind, part))
                number += 1
    roads.append(Road(names[-1], kind, shapely.LineString(area.exterior.coords)))
    return roads


def _valley_roads() -> list[Road]:
    """One county road up every side valley, beside its stream, and one along each bank of the river."""
    names = {"东溪": "溪茶公路", "西溪": "溪石公路", "竹溪": "溪竹公路", "云溪": "溪云公路", "松溪": "溪松公路", "茶溪": "溪湾公路"}
    hold = shapely.union_all([WEST, EAST])
    roads = []
    for river, name in names.items():
        line = RIVERS[river][0].simplify(5.0).offset_curve(95.0 if river in ("云溪", "西溪", "竹溪") else -95.0)
        for part in _lines_of(line.difference(hold), 200.0):
            roads.append(Road(name, "县道", part))
    river_line, width = RIVERS["锦溪"]
    for sign, name in ((-1.0, "沿溪东路"), (1.0, "沿溪西路")):
        line = river_line.simplify(8.0).offset_curve(-sign * (width / 2.0 + 40.0))
        for part in _lines_of(line.difference(hold), 200.0):
            roads.append(Road(name, "县道", part))
    links = (("站前大道", [(8740, 4640), (8950, 4650)]), ("园区大道", [(8560, 2980), (8900, 2250)]),
             ("园区北路", [(9250, 2260), (9330, 2640)]), ("石桥大道", [(2350, 2600), (2350, 2500)]),
             ("溪松连接线", [(6080, 5960), (6100, 7000)]), ("河西连接线", [(5700, 6900), (5800, 7700)]))
    roads += [Road(name, "县道", smooth_line(points, 2)) for name, points in links]
    return roads


def build_streets() -> list[Road]:
    """Every road except the village roads."""
    rng = stage_rng(2)
    roads = _drop_some(rng, _urban_grid(rng), 0.14)
    roads += _local_grid(INDUSTRY, 4.0, (290.0, 235.0), ("创业路", "科技路", "工业大道", "智造路", "兴园路", "园区环路"), "次干路")
    for name, (_, _, angle) in TOWN_SITES.items():
        stem = name[:2]
        names = (f"{stem}中街", f"{stem}东街", f"{stem}圩路", f"{stem}新街", f"{stem}环路")
        roads += _local_grid(town_shape(name), angle, (135.0, 105.0), names, "镇区道路")
    roads += _valley_roads()
    roads.append(Road("溪口高速", "高速公路", EXPRESSWAY))
    return roads


def trim_roads(roads: Sequence[Road], boundary: shapely.Polygon) -> list[Road]:
    """Roads clipped to the boundary."""
    return [Road(road.name, road.road_class, part) for road in roads
            for part in _lines_of(road.line.intersection(boundary), 15.0)]


def road_surface(roads: Sequence[Road], classes: Sequence[str] = tuple(HALF_WIDTH)) -> BaseGeometry:
    """Union of the carriageways of some classes."""
    return shapely.union_all([road.line.buffer(HALF_WIDTH[road.road_class], cap_style="flat") for road in roads
                              if road.road_class in classes])


class PathFinder:
    """Cheapest way from a place to the road network over the ground, on a 40 m grid."""

    def __init__(self, ground: Ground, avoid: BaseGeometry) -> None:
        self.step = 2
        height = ground.height[::self.step, ::self.step]
        self.shape = height.shape
        rows, cols = np.mgrid[0:self.shape[0], 0:self.shape[1]]
        self.xy = np.column_stack([(cols.ravel() * self.step + 0.5) * CELL - MARGIN,
                                   HEIGHT + MARGIN - (rows.ravel() * self.step + 0.5) * CELL])
        shapely.prepare(avoid)
        wet = shapely.contains_xy(avoid, self.xy).reshape(self.shape)
        number = np.arange(height.size).reshape(self.shape)
        starts, ends, costs = [], [], []
        for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
            a = (slice(0, self.shape[0] - dr), slice(max(0, -dc), self.shape[1] - max(0, dc)))
            b = (slice(dr, self.shape[0]), slice(max(0, dc), self.shape[1] - max(0, -dc)))
            run = np.hypot(dr, dc) * CELL * self.step
            cost = run * (1.0 + 40.0 * ((height[a] - height[b]) / run) ** 2 + 8.0 * (wet[a] | wet[b]))
            starts.append(number[a].ravel())
            ends.append(number[b].ravel())
            costs.append(cost.ravel())
        self.graph = coo_matrix((np.concatenate(costs), (np.concatenate(starts), np.concatenate(ends))),
                                shape=(height.size, height.size)).tocsr()

    def cell(self, xy: Array) -> np.ndarray:
        """Node numbers of local points (n, 2)."""
        col = np.clip(np.round(((xy[:, 0] + MARGIN) / CELL - 0.5) / self.step), 0, self.shape[1] - 1)
        row = np.clip(np.round(((HEIGHT + MARGIN - xy[:, 1]) / CELL - 0.5) / self.step), 0, self.shape[0] - 1)
        return (row * self.shape[1] + col).astype(np.int64)

    def connect(self, places: Array, targets: Array) -> list[shapely.LineString | None]:
        """One smoothed line per place to the nearest target; None where it is already there."""
        _, before, _ = dijkstra(self.graph, directed=False, indices=np.unique(self.cell(targets)),
                                return_predecessors=True, min_only=True)
        lines: list[shapely.LineString | None] = []
        for place, node in zip(places, self.cell(places), strict=True):
            path = []
            while node >= 0:
                path.append(self.xy[node])
                node = before[node]
            if len(path) < 3:
                lines.append(None)
                continue
            path[0] = np.asarray(place)
            end = targets[int(np.argmin(np.hypot(*(targets - path[-1]).T)))]
            lines.append(smooth_line(shapely.get_coordinates(
                shapely.LineString([*path, end]).simplify(28.0)), 2))
        return lines


def split_blocks(area: BaseGeometry, surface: BaseGeometry, least: float) -> list[shapely.Polygon]:
    """Blocks: what the carriageways leave of an area."""
    return polygon_parts(area.difference(surface.buffer(3.0)), least)
