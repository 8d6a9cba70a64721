"""Population grid and street lamps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely

from .city import City
from .frame import Array, lonlat, stage_rng
from .streets import HALF_WIDTH

TOTAL_PEOPLE = 300_000
PEOPLE_PER_M2 = {"estate": 0.020, "slab": 0.027, "old": 0.019, "resettlement": 0.030, "village": 0.013}
WORKERS_PER_M2 = {"office": 0.045, "commerce": 0.035, "shop": 0.035, "industry": 0.012, "school": 0.06,
                  "university": 0.05, "hospital": 0.05, "government": 0.035}
LESSEES = ("溪口智联杆塔租赁有限公司", "移动溪口分公司", "电信溪口分公司", "联通溪口分公司", "铁塔溪口分公司", "溪口安视监控有限公司")


def people_grid(city: City) -> tuple[Array, Array, Array]:
    """Centres (n, 2) of 100 m cells that hold people, night people, day people (rounded to 0.1)."""
    xy = city.points()
    area = np.array([b.polygon.area * b.storeys for b in city.buildings])
    home = np.array([PEOPLE_PER_M2.get(b.land, 0.0) for b in city.buildings]) * area
    work = np.array([WORKERS_PER_M2.get(b.land, 0.0) for b in city.buildings]) * area
    home *= TOTAL_PEOPLE / home.sum()
    work *= 0.62 * TOTAL_PEOPLE / work.sum()
    cell = np.floor(xy / 100.0).astype(np.int64)
    keys, where = np.unique(cell[:, 1] * 1000 + cell[:, 0], return_inverse=True)
    night = np.round(np.bincount(where, home), 1).astype(np.float64)
    day = np.round(0.38 * np.bincount(where, home) + np.bincount(where, work), 1).astype(np.float64)
    kept = night >= 0.5
    centres = np.column_stack([keys % 1000, keys // 1000]).astype(np.float64) * 100.0 + 50.0
    return centres[kept], night[kept], day[kept]


def population_table(city: City) -> pd.DataFrame:
    """People per 100 m cell with WGS 84 centres."""
    centres, night, day = people_grid(city)
    ll = np.round(lonlat(centres), 6)
    return pd.DataFrame({"格网编号": [f"G{k + 1:05d}" for k in range(len(ll))], "经度": ll[:, 0], "纬度": ll[:, 1],
                         "人口": night, "日间人口": day, "格网面积": 10000})


def _pole_points(city: City) -> tuple[Array, list[str]]:
    """Lamp positions on both sides of lit roads, clear of crossing carriageways."""
    rng = stage_rng(10)
    step = {"主干路": 29.0, "次干路": 31.5, "支路": 39.0, "镇区道路": 34.0}
    points: list[Array] = []
    names: list[str] = []
    own: list[int] = []
    roads = [(k, road) for k, road in enumerate(city.roads) if road.road_class in step]
    for k, road in roads:
        gap = step[road.road_class]
        sides = (-1.0,) if road.road_class == "镇区道路" else (-1.0, 1.0)
        for side in sides:
            at = np.arange(gap / 2.0 if side > 0 else gap * 0.3, road.line.length - 4.0, gap)
            at = np.clip(at + rng.normal(0.0, 0.6, len(at)), 0.0, road.line.length - 1.0)
            a = shapely.get_coordinates(shapely.line_interpolate_point(road.line, at))
            b = shapely.get_coordinates(shapely.line_interpolate_point(road.line, at + 0.5))
            u = (b - a) / np.maximum(np.hypot(*(b - a).T), 1e-9)[:, None]
            out = HALF_WIDTH[road.road_class] + 0.8
            points.append(a + side * out * np.column_stack([-u[:, 1], u[:, 0]]))
            names += [road.name] * len(a)
            own += [k] * len(a)
    xy = np.vstack(points)
    ways = np.array([road.line.buffer(HALF_WIDTH[road.road_class] + 0.2, cap_style="flat") for _, road in roads])
    hit, way = shapely.STRtree(ways).query(shapely.points(xy), predicate="intersects")
    numbers = np.array([k for k, _ in roads])
    bad = np.unique(hit[numbers[way] != np.array(own)[hit]])
    keep = np.ones(len(xy), dtype=bool)
    keep[bad] = False
    return xy[keep], [name for name, good in zip(names, keep, strict=True) if good]


def pole_table(city: City) -> pd.DataFrame:
    """Street lamps: height, road, owner, lessee and dates; one lessee holds many and uses none."""
    rng = stage_rng(11)
    xy, roads = _pole_points(city)
    order = np.argsort(np.array(roads), kind="stable")
    xy, roads = xy[order], [roads[k] for k in order]
    n = len(xy)
    ll = np.round(lonlat(xy), 6)
    height = rng.choice([8, 9, 10, 12], n, p=[0.22, 0.28, 0.35, 0.15])
    west = xy[:, 0] < 5900.0
    owner = np.where(rng.random(n) < 0.12, "", np.where(west, "溪西县路灯管理所", "溪东县路灯管理所"))
    lessee = np.full(n, "", dtype=object)
    hoard = sorted(set(roads))[3::6]
    on_hoard = np.isin(np.array(roads), hoard)
    lessee[on_hoard & (rng.random(n) < 0.46)] = LESSEES[0]
    free = lessee == ""
    others = free & (rng.random(n) < 0.045)
    lessee[others] = rng.choice(np.array(LESSEES[1:], dtype=object), int(others.sum()))
    leased = lessee != ""
    start = np.datetime64("2020-03-01") + rng.integers(0, 1400, n)
    idle = (lessee == LESSEES[0]) & (rng.random(n) < 0.96)
    lease = [str(d) if f else "" for d, f in zip(start, leased, strict=True)]
    used = leased & ~idle & (rng.random(n) < 0.85)
    install = [str(d + int(k)) if f else "" for d, k, f in zip(start, rng.integers(20, 240, n), used, strict=True)]
    return pd.DataFrame({"杆号": [f"LD{k + 1:06d}" for k in range(n)], "经度": ll[:, 0], "纬度": ll[:, 1],
                         "杆高": height.astype(str), "所在道路": roads, "权属单位": owner, "租用单位": lessee, "租用日期": lease,
                         "安装日期": install, "是否通电": np.where(rng.random(n) < 0.93, "是", "否")})
