"""The city as one object: ground, roads, villages, parcels, buildings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
import shapely.affinity
import shapely.ops
from shapely.geometry.base import BaseGeometry

from .buildings import Building, drop_overlaps, fill_parcels, lane_houses
from .frame import Array, blob, points_along, stage_rng
from .land import Parcel, build_blocks, build_units, split_parcels, waters
from .streets import HALF_WIDTH, RAILWAY, PathFinder, Road, build_streets, trim_roads
from .terrain import LAKE, RIVERS, Ground, build_ground, level_places
from .villages import Village, build_villages, city_boundary, contour_angle, lane_plan

RESETTLEMENT = {"石桥镇幸福里安置点": ((3060.0, 2900.0), (150.0, 105.0), 4.0),
                "松坪镇新苑安置点": ((8020.0, 8180.0), (130.0, 120.0), 48.0)}
RAIL_STATION = (8985.0, 4640.0)


@dataclass(frozen=True)
class City:
    """Everything that the layers are made of, in local metres."""

    boundary: shapely.Polygon
    ground: Ground
    roads: tuple[Road, ...]
    villages: tuple[Village, ...]
    parcels: tuple[Parcel, ...]
    units: tuple[tuple[str, str, shapely.Polygon], ...]
    buildings: tuple[Building, ...]

    def points(self) -> Array:
        """Centres of the buildings (n, 2)."""
        return shapely.get_coordinates(shapely.centroid(np.array([b.polygon for b in self.buildings], dtype=object)))


def _village_lanes(ground: Ground, villages: list[Village]) -> tuple[list[Road], list[tuple[str, shapely.LineString]]]:
    """Lanes of seats and hamlets, as roads and as house rows with the town's name."""
    rng = stage_rng(7)
    roads: list[Road] = []
    rows: list[tuple[str, shapely.LineString]] = []
    for village in villages:
        if village.urban:
            continue
        places = [(village.name, *village.seat, 7, 270.0)] if not _is_town(village) else []
        places += [(name, x, y, int(rng.integers(3, 6)), float(rng.uniform(120.0, 200.0)))
                   for name, x, y in village.hamlets]
        for name, x, y, lanes, length in places:
            for line in lane_plan((x, y), contour_angle(ground, (x, y)), lanes, length):
                stem = village.name if name == village.name else f"{village.name[:2]}{name}"
                roads.append(Road(f"{stem}巷", "村道", line))
                rows.append((village.town, line))
    return roads, rows


def _is_town(village: Village) -> bool:
    return village.name[:2] == village.town[:2]


def _village_roads(ground: Ground, roads: list[Road], villages: list[Village], boundary: shapely.Polygon) -> list[Road]:
    """Roads from village seats to the network, then from hamlets to that."""
    wet = shapely.union_all([line.buffer(width / 2.0 + 20.0) for line, width in RIVERS.values()] + [LAKE])
    finder = PathFinder(ground, wet)
    lit = [road.line for road in roads if road.road_class not in ("高速公路",)]
    targets = np.vstack([points_along(line, 35.0) for line in lit])
    targets = targets[shapely.contains_xy(boundary, targets)]
    out: list[Road] = []
    rural = [village for village in villages if not village.urban]
    seats = [(f"{v.name[:2]}公路", v.seat) for v in rural if not _is_town(v)]
    hamlets = [(f"{name}路", (x, y)) for v in rural for name, x, y in v.hamlets]
    hamlets.sort(key=lambda item: float(np.min(np.hypot(*(targets - item[1]).T))))
    half = len(hamlets) // 2
    for group in (seats, hamlets[:half], hamlets[half:]):
        lines = finder.connect(np.array([xy for _, xy in group]), targets)
        for (name, _), line in zip(group, lines, strict=True):
            if line is not None:
                out.append(Road(name, "村道", line))
                targets = np.vstack([targets, points_along(line, 35.0)])
    return out


def _resettlement_parcels() -> list[Parcel]:
    return [Parcel(blob(centre, half, angle, power=9.0, wobble=0.0), "resettlement", name, name[:3])
            for name, (centre, half, angle) in RESETTLEMENT.items()]


def _keep_out(roads: list[Road]) -> list[BaseGeometry]:
    wet = [line.buffer(width / 2.0 + 8.0) for line, width in RIVERS.values()]
    ways = [road.line.buffer(HALF_WIDTH[road.road_class] + 0.8, cap_style="flat") for road in roads]
    return [*wet, RAILWAY.buffer(22.0), LAKE.buffer(15.0), *ways]


def build_city() -> City:
    """Ground first, then water, roads, blocks, parcels, buildings, villages."""
    boundary = city_boundary()
    first = build_ground()
    streets = build_streets()
    villages = build_villages(first, boundary)
    boundary = shapely.union_all([v.polygon for v in villages]).buffer(0)
    if boundary.geom_type != "Polygon":
        boundary = max(boundary.geoms, key=lambda g: g.area)
    boundary = shapely.Polygon(boundary.exterior)
    places = [v.seat for v in villages if not v.urban] + [(x, y) for v in villages for _, x, y in v.hamlets]
    ground = level_places(first, np.array(places))
    lanes, rows = _village_lanes(ground, villages)
    streets = trim_roads(streets, boundary)
    country = trim_roads(_village_roads(ground, streets, villages, boundary), boundary)
    parcels = split_parcels(build_blocks(streets, shapely.union_all([waters(), RAILWAY.buffer(25.0)])))
    parcels += _resettlement_parcels()
    built = fill_parcels(parcels)
    hall = shapely.affinity.rotate(shapely.box(-14, -75, 14, 75), 4.0, origin=(0, 0))
    built.insert(0, Building(shapely.affinity.translate(hall, RAIL_STATION[0] - 8, RAIL_STATION[1]), "公共服务", 3, 22.0,
                             "溪口火车站", "", "东门镇", "rail"))
    rest = shapely.affinity.rotate(shapely.box(-32, -11, 32, 11), -8.0, origin=(0, 0))
    built.insert(1, Building(shapely.affinity.translate(rest, 2030.0, 7585.0), "公共服务", 2, 10.5, "溪口服务区", "", "",
                             "service"))
    rng = stage_rng(8)
    houses = [b for town, lane in rows for b in lane_houses([lane], town, rng)]
    for road in country:
        short = shapely.ops.substring(road.line, 0.0, min(140.0, road.line.length))
        houses += lane_houses([short], "", rng)
    everywhere = boundary.buffer(-30.0)
    shapely.prepare(everywhere)
    urban = shapely.union_all([p.polygon for p in parcels]).buffer(5.0)
    shapely.prepare(urban)
    houses = [h for h in houses if everywhere.contains(h.polygon) and not urban.intersects(h.polygon)]
    buildings = drop_overlaps([*built, *houses], _keep_out([*streets, *country, *lanes]))
    return City(boundary, ground, (*streets, *country, *trim_roads(lanes, boundary)), tuple(villages),
                tuple(parcels), tuple(build_units(streets)), tuple(buildings))
