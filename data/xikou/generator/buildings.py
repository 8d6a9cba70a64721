"""Buildings in rows inside parcels, and houses along village lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import shapely
import shapely.affinity
from shapely.geometry.base import BaseGeometry

from .frame import Array, main_angle, stage_rng
from .land import Parcel


@dataclass(frozen=True)
class Spec:
    """How a use is built: length, depth, gap along the row, pitch of rows, set-back (m), storeys, storey height."""

    length: tuple[float, float]
    depth: tuple[float, float]
    gap: tuple[float, float]
    pitch: tuple[float, float]
    setback: float
    storeys: tuple[int, int]
    storey_m: float
    use: str
    skip: float = 0.0


SPECS = {
    "estate": Spec((28, 46), (14.5, 17), (10, 16), (34, 40), 5, (11, 32), 3.0, "住宅"),
    "slab": Spec((32, 58), (11.5, 13), (6, 10), (24, 29), 4, (5, 8), 3.0, "住宅"),
    "resettlement": Spec((40, 48), (12, 12.5), (9, 10), (27, 28), 4, (6, 7), 3.0, "住宅"),
    "old": Spec((8.5, 13.5), (9, 12), (0.6, 1.8), (14.8, 15.6), 1.0, (2, 6), 3.3, "住宅", 0.06),
    "commerce": Spec((26, 52), (20, 30), (8, 12), (34, 40), 3, (3, 7), 4.5, "商业"),
    "market": Spec((30, 48), (20, 28), (8, 12), (34, 38), 4, (1, 3), 4.5, "商业"),
    "office": Spec((26, 40), (19, 25), (12, 18), (36, 42), 5, (6, 22), 3.7, "办公"),
    "industry": Spec((46, 90), (24, 34), (10, 14), (38, 44), 6, (1, 4), 6.0, "工业", 0.08),
    "logistics": Spec((80, 120), (36, 44), (16, 20), (64, 70), 8, (1, 2), 9.0, "工业"),
    "school": Spec((42, 62), (12, 15), (12, 18), (36, 44), 8, (3, 6), 3.7, "公共服务", 0.35),
    "university": Spec((50, 76), (14, 20), (20, 32), (52, 66), 10, (4, 9), 3.8, "公共服务", 0.22),
    "hospital": Spec((46, 72), (18, 24), (16, 22), (46, 54), 8, (4, 16), 3.9, "公共服务", 0.10),
    "government": Spec((40, 64), (15, 19), (16, 24), (48, 58), 8, (4, 10), 3.8, "办公", 0.15),
    "culture": Spec((50, 70), (36, 48), (20, 28), (70, 80), 8, (2, 5), 5.5, "公共服务"),
    "sport": Spec((56, 74), (44, 56), (20, 30), (80, 90), 6, (2, 3), 8.0, "公共服务"),
    "station": Spec((50, 80), (24, 34), (20, 30), (60, 70), 8, (2, 4), 5.0, "公共服务"),
    "utility": Spec((24, 40), (16, 24), (14, 20), (40, 46), 8, (1, 3), 4.5, "其他", 0.25),
    "park": Spec((12, 18), (8, 12), (60, 90), (60, 90), 8, (1, 2), 4.0, "公共服务", 0.2),
    "square": Spec((12, 20), (8, 12), (200, 240), (160, 200), 12, (1, 2), 4.0, "公共服务"),
}


@dataclass(frozen=True)
class Building:
    """One building before the faults: local polygon, use, storeys, height, name, owner, place, land use."""

    polygon: shapely.Polygon
    use: str
    storeys: int
    height: float
    name: str
    owner: str
    place: str
    land: str


def _corner_cut(x0: float, y0: float, x1: float, y1: float, share: float, flip: bool) -> list[tuple[float, float]]:
    """L-shaped ring inside a rectangle."""
    xc, yc = x0 + (x1 - x0) * share, y0 + (y1 - y0) * 0.5
    ring = [(x0, y0), (x1, y0), (x1, yc), (xc, yc), (xc, y1), (x0, y1)]
    return [(x0 + x1 - x, y) for x, y in ring][::-1] if flip else ring


def _rows(rng: np.random.Generator, polygon: shapely.Polygon, spec: Spec, angle: float) -> list[shapely.Polygon]:
    """Footprints in rows along ``angle`` that fit inside the polygon behind its set-back."""
    inner = polygon.buffer(-spec.setback)
    if inner.is_empty:
        return []
    c = shapely.Point(polygon.centroid)
    turned = shapely.affinity.rotate(inner, -angle, origin=(c.x, c.y), use_radians=True)
    west, south, east, north = turned.bounds
    rings: list[list[tuple[float, float]]] = []
    back_to_back = spec.storey_m == 3.3
    pitch = spec.depth[1] + 1.0 + 4.0 / 2.0 if back_to_back else float(rng.uniform(*spec.pitch))
    rows = max(1, int((north - south - spec.depth[1]) // pitch) + 1)
    pitch = max(pitch, (north - south - spec.depth[1]) / max(1, rows - 1) if rows > 1 else pitch)
    for row in range(rows):
        y = south + row * pitch + (1.5 if back_to_back and row % 2 == 0 else 0.0)
        x = west + float(rng.uniform(0.0, 3.0))
        while x + spec.length[0] <= east:
            length = min(float(rng.uniform(*spec.length)), east - x)
            depth = float(rng.uniform(*spec.depth))
            draws = rng.random(3)
            if draws[0] >= spec.skip:
                if draws[1] < 0.12 and spec.length[0] > 9.0:
                    rings.append(_corner_cut(x, y, x + length, y + depth, 0.55, draws[2] < 0.5))
                else:
                    rings.append([(x, y), (x + length, y), (x + length, y + depth), (x, y + depth)])
            x += length + float(rng.uniform(*spec.gap))
    shapes = np.array([shapely.Polygon(ring) for ring in rings], dtype=object)
    if not len(shapes):
        return []
    shapely.prepare(turned)
    shapes = shapes[shapely.contains(turned, shapes)]
    cos, sin = np.cos(angle), np.sin(angle)

    def turn(xy: Array) -> Array:
        d = xy - (c.x, c.y)
        return np.column_stack([c.x + d[:, 0] * cos - d[:, 1] * sin, c.y + d[:, 0] * sin + d[:, 1] * cos])

    return list(shapely.transform(shapes, turn))


def _shop_fronts(rng: np.random.Generator, parcel: Parcel) -> list[Building]:
    """Low shops along the longer street sides of a housing parcel."""
    out: list[Building] = []
    ring = shapely.get_coordinates(shapely.orient_polygons(parcel.polygon.buffer(-1.0).simplify(3.0)).exterior)
    for a, b in pairwise(ring):
        run = float(np.hypot(*(b - a)))
        if run < 55.0 or rng.random() < 0.4:
            continue
        u = (b - a) / run
        n = np.array([-u[1], u[0]])
        if not parcel.polygon.contains(shapely.Point((a + b) / 2.0 + n * 5.0)):
            n = -n
        at = float(rng.uniform(12.0, 18.0))
        while at + 26.0 < run:
            w, d = float(rng.uniform(11.0, 22.0)), float(rng.uniform(8.5, 10.5))
            p, q = a + u * at, a + u * (at + w)
            if rng.random() > 0.15:
                storeys = int(rng.integers(1, 4))
                height = round(storeys * 3.9 + float(rng.uniform(0.3, 1.2)), 1)
                out.append(Building(shapely.Polygon([p, q, q + n * d, p + n * d]), "商业", storeys, height, "", "",
                                    parcel.place, "shop"))
            at += w + float(rng.choice([0.8, 1.2, 9.0]))
    return out


def _storeys(rng: np.random.Generator, spec: Spec, number: int) -> np.ndarray:
    """Storeys of the buildings of one parcel: one typical number, small differences."""
    low, high = spec.storeys
    if spec.storey_m == 3.3:
        return rng.choice(np.arange(low, high + 1), number, p=[0.14, 0.30, 0.28, 0.19, 0.09])
    typical = int(rng.integers(low, high + 1))
    spread = 0 if high - low <= 1 else max(1, (high - low) // 8)
    return np.clip(typical + rng.integers(-spread, spread + 1, number), low, high)


def fill_parcels(parcels: Sequence[Parcel]) -> list[Building]:
    """Buildings of every parcel that is built on."""
    rng = stage_rng(6)
    out: list[Building] = []
    for parcel in parcels:
        if parcel.use not in SPECS:
            continue
        spec = SPECS[parcel.use]
        angle = main_angle(parcel.polygon)
        if spec.use == "住宅" and parcel.use != "old" and abs(angle) > np.pi / 4:
            angle = (angle + np.pi) % np.pi - np.pi / 2  # houses face south
        land = parcel.polygon
        if parcel.use in ("slab", "estate") and rng.random() < 0.8:
            out += _shop_fronts(rng, parcel)
            land = land.buffer(-9.0)
        footprints = _rows(rng, land, spec, angle) if not land.is_empty else []
        if not footprints and parcel.name:  # a campus too small for its usual buildings
            small = replace(spec, length=(16.0, 26.0), depth=(10.0, 13.0), pitch=(24.0, 30.0), setback=3.0, skip=0.0)
            footprints = _rows(rng, parcel.polygon, small, angle)
        storeys = _storeys(rng, spec, len(footprints))
        factor = 0.75 if parcel.place not in ("城关镇", "东门镇") and parcel.use not in ("industry", "logistics") else 1.0
        for footprint, n in zip(footprints, storeys, strict=True):
            n = max(1, min(int(n), 8)) if factor < 1 else int(n)
            height = n * spec.storey_m + float(rng.uniform(0.3, 2.2))
            name = parcel.name if parcel.use not in ("park", "square") else f"{parcel.name or '街心公园'}管理房"
            out.append(Building(footprint, spec.use, n, round(height, 1), name, "", parcel.place, parcel.use))
    return out


def lane_houses(lanes: Sequence[shapely.LineString], place: str, rng: np.random.Generator) -> list[Building]:
    """Village houses on both sides of lanes, 2 to 4 storeys, their fronts along the lane."""
    out: list[Building] = []
    for lane in lanes:
        xy = shapely.get_coordinates(lane)
        for a, b in pairwise(xy):
            run = float(np.hypot(*(b - a)))
            if run < 12.0:
                continue
            u = (b - a) / run
            n = np.array([-u[1], u[0]])
            for side in (-1.0, 1.0):
                at = float(rng.uniform(0.0, 5.0))
                while at + 8.0 < run:
                    w, d = rng.uniform(8.5, 13.0), rng.uniform(9.0, 12.5)
                    if rng.random() > 0.14 and at + w < run:
                        p = a + u * at + n * side * 4.2
                        q = p + u * w
                        ring = [p, q, q + n * side * d, p + n * side * d]
                        n_storeys = int(rng.choice([1, 2, 3, 4, 5], p=[0.14, 0.36, 0.31, 0.15, 0.04]))
                        height = round(n_storeys * 3.2 + float(rng.uniform(0.2, 1.6)), 1)
                        out.append(Building(shapely.Polygon(ring), "住宅", n_storeys, height, "", "", place, "village"))
                    at += w + float(rng.uniform(1.5, 7.0))
    return out


def drop_overlaps(buildings: Sequence[Building], obstacles: Sequence[BaseGeometry]) -> list[Building]:
    """Buildings clear of roads, water and one another; the earlier one stays."""
    shapes = np.array([b.polygon for b in buildings], dtype=object)
    hit = np.unique(shapely.STRtree(shapes).query(np.array(obstacles, dtype=object), predicate="intersects")[1])
    free = np.ones(len(shapes), dtype=bool)
    free[hit] = False
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    order = np.lexsort((first, second))
    for a, b in zip(first[order], second[order], strict=True):
        if a < b and free[a] and free[b]:
            free[b] = False
    return [b for b, keep in zip(buildings, free, strict=True) if keep]


def rename(building: Building, use: str, name: str, owner: str) -> Building:
    """The same building with another use, name and owner."""
    return replace(building, use=use, name=name, owner=owner)
