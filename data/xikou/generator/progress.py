"""Where the building of networks stands: 4G, fibre, opening days, filings, indoor systems, points of key zones.

Every fact is drawn from a random stream of its own, so that the rest of the city stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import shapely

from .buildings import Building
from .city import City
from .frame import Array, lonlat, points_along, polygon_parts, stage_rng
from .places import key_zones

# what the bureau reports of a village or a zone: 是 where not listed, blank = not reported
NO_4G = ("高坪村", "岗背村")
UNREPORTED_4G = ("岭脚村", "半岭村", "新围村", "松坪镇新苑安置点")
NO_FIBRE = ("岗背村", "新围村", "长坑村")  # the trunk passes 长坑村, which has no access yet
UNREPORTED_FIBRE = ("大岗村", "竹坑村", "沙洲村", "松坪镇新苑安置点")
# villages whose road carries no line of the fibre map
UNMAPPED = ("岗背村", "新围村", "大岗村", "半岭村")
TRUNK_CLASSES = ("主干路", "县道")
FIRST_DAY = {"4G": np.datetime64("2014-03-01"), "5G": np.datetime64("2020-04-01")}
LAST_DAY = {"4G": np.datetime64("2019-12-01"), "5G": np.datetime64("2024-06-15")}
INDOOR_LANDS = ("公共服务", "商业", "办公")


def reported(names: Sequence[str], no: Sequence[str], blank: Sequence[str]) -> list[str | None]:
    """是, 否 or nothing for each name."""
    return [None if name in blank else "否" if name in no else "是" for name in names]


def fibre_lines(city: City) -> list[tuple[str, shapely.LineString]]:
    """Name and line of the cables: along trunk roads, and along the roads to most villages."""
    branches = {f"{v.name[:2]}公路" for v in city.villages if v.name not in UNMAPPED}
    return [(f"{road.name}光缆", road.line.simplify(1.0)) for road in city.roads
            if road.road_class in TRUNK_CLASSES or (road.road_class == "村道" and road.name in branches)]


def dated_stations(stations: pd.DataFrame) -> pd.DataFrame:
    """The cell table with the day on which each site went on air with its technology; a few are blank."""
    rng = stage_rng(60)
    days: dict[tuple[str, str], str] = {}
    for site, technology in zip(stations["站址编号"], stations["制式"], strict=True):
        if (site, technology) not in days:
            span = int((LAST_DAY[technology] - FIRST_DAY[technology]).astype(int))
            day = FIRST_DAY[technology] + int(rng.integers(0, span))
            days[site, technology] = "" if rng.random() < 0.04 else str(day)
    opened = [days[key] or None for key in zip(stations["站址编号"], stations["制式"], strict=True)]
    return stations.assign(开通日期=opened)


def indoor_words(buildings: Sequence[Building]) -> list[str | None]:
    """有 or 无 indoor system for most large public, commercial and office buildings, nothing for the others."""
    rng = stage_rng(61)
    draw = rng.random(len(buildings))
    words: list[str | None] = []
    for building, value in zip(buildings, draw, strict=True):
        floor_m2 = building.polygon.area * building.storeys
        if building.use not in INDOOR_LANDS or floor_m2 < 5000.0:
            words.append(None)
            continue
        has = 0.7 if floor_m2 >= 10000.0 else 0.3
        words.append(None if value > 0.85 else "有" if value < has else "无")
    return words


def filings(projects: int) -> list[tuple[str | None, str | None]]:
    """State of the acceptance filing and day of completion of each planned building."""
    rng = stage_rng(62)
    out: list[tuple[str | None, str | None]] = []
    for k in range(projects):
        day = np.datetime64("2023-10-01") + int(rng.integers(0, 900))
        done = day < np.datetime64("2024-06-30")
        state = ("已备案", "已备案", "未备案", "办理中", None)[int(rng.integers(0, 5))] if done else "未备案"
        out.append((state, None if k % 9 == 8 else str(day)))
    return out


def _points_of(city: City, zone: shapely.Geometry, name: str, number: int) -> Array:
    """Places inside a zone, 25 m apart or more: its own buildings first, then places well inside its border."""
    mine = shapely.centroid(np.array([b.polygon for b in city.buildings if b.name == name], dtype=object))
    ring = max(polygon_parts(zone.buffer(-40.0)), key=lambda part: part.area).exterior
    spots = np.vstack([shapely.get_coordinates(mine[shapely.contains(zone, mine)]),
                       points_along(ring, ring.length / 7.0)])
    found: list[Array] = []
    for spot in spots:
        if len(found) < number and all(np.hypot(*(spot - other)) > 25.0 for other in found):
            found.append(spot)
    return np.array(found)


ZONE_POINTS = {"溪口市人民医院": (("门诊大厅", "门诊"), ("急诊入口", "急诊"), ("住院楼", "住院"), ("医技楼", "医技")),
               "溪口火车站": (("候车厅", "候车"), ("站前广场", "广场"), ("出站口", "出入口")),
               "云岭山景区": (("游客中心", "游客服务"), ("山门", "出入口"), ("云顶观景台", "观景"), ("停车场", "停车"))}


def zone_point_table(city: City) -> pd.DataFrame:
    """Key points of a hospital, a station and a scenic area, WGS 84."""
    rows = []
    for number, (name, _, _, zone) in enumerate(key_zones(city), start=1):
        words = ZONE_POINTS.get(name, ())
        places = _points_of(city, zone, name, len(words)) if words else np.empty((0, 2))
        rows += [(f"Z{number:02d}", f"{name}{word}", kind, place)
                 for (word, kind), place in zip(words, places, strict=True)]
    ll = np.round(lonlat(np.array([row[3] for row in rows])), 6)
    return pd.DataFrame({"点位编号": [f"K{k + 1:03d}" for k in range(len(rows))], "所属区域编号": [row[0] for row in rows],
                         "点位名称": [row[1] for row in rows], "点位类型": [row[2] for row in rows],
                         "经度": [f"{v:.6f}" for v in ll[:, 0]], "纬度": [f"{v:.6f}" for v in ll[:, 1]]})
