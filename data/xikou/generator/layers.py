"""The tables of the city with the headers that bureaus use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import shapely

from .city import City
from .frame import CRS, to_grid
from .land import CODES
from .people import people_grid
from .places import key_zones, planned_projects, restricted_areas, road_works
from .progress import NO_4G, NO_FIBRE, UNREPORTED_4G, UNREPORTED_FIBRE, fibre_lines, filings, reported
from .streets import RAILWAY
from .terrain import LAKE, RIVERS
from .villages import COUNTIES, TOWNS, county_of

CONTROL_M = {"电力走廊": 20.0, "文物保护": 0.0}


def _frame(columns: Mapping[str, Sequence[object]], shapes: Sequence[shapely.Geometry], crs: str = CRS) -> gpd.GeoDataFrame:
    table = gpd.GeoDataFrame(columns, geometry=to_grid(np.array(shapes, dtype=object)), crs=CRS)
    if crs == CRS:
        return table
    table = table.to_crs(crs)
    table.geometry = shapely.transform(table.geometry.to_numpy(), lambda xy: np.round(xy, 8))
    return table


def boundary_layer(city: City) -> gpd.GeoDataFrame:
    """The city's outline in WGS 84 (GeoJSON)."""
    return _frame({"编号": ["449900"], "名称": ["溪口市（合成数据）"]}, [city.boundary], "EPSG:4326")


def village_layer(city: City) -> gpd.GeoDataFrame:
    """Villages with households and people counted from the population grid."""
    xy, people, _ = people_grid(city)
    counts = [float(people[shapely.contains_xy(v.polygon, xy)].sum()) for v in city.villages]
    names = [v.name for v in city.villages]
    return _frame({"行政村代码": [v.code for v in city.villages], "行政村名称": names,
                   "所属镇街": [v.town for v in city.villages], "所属县区": [v.county for v in city.villages],
                   "户数": [int(round(c / 3.1)) for c in counts], "人口": [int(round(c)) for c in counts],
                   "是否通4G": reported(names, NO_4G, UNREPORTED_4G),
                   "是否通光纤": reported(names, NO_FIBRE, UNREPORTED_FIBRE)},
                  [v.polygon for v in city.villages])


def _joined(city: City, names: list[str], of: str) -> list[shapely.Geometry]:
    out = []
    for name in names:
        area = shapely.union_all([v.polygon for v in city.villages if getattr(v, of) == name])
        closed = shapely.get_parts(area.buffer(0.02).buffer(-0.02))
        parts = [shapely.Polygon(p.exterior) for p in closed if p.area > 100.0]
        out.append(parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts))
    return out


def base_layers(city: City) -> dict[str, gpd.GeoDataFrame]:
    """Counties, towns, roads, railway, water, fibre."""
    roads, fibre = city.roads, fibre_lines(city)
    rivers = [(f"SX{k + 1:02d}", name, width, line.intersection(city.boundary)) for k, (name, (line, width))
              in enumerate(RIVERS.items())] + [("SX90", "松湖", None, LAKE)]
    return {
        "counties": _frame({"县区代码": list(COUNTIES.values()), "县区名称": list(COUNTIES)},
                           _joined(city, list(COUNTIES), "county")),
        "towns": _frame({"镇街代码": list(TOWNS.values()), "镇街名称": list(TOWNS), "所属县区": [county_of(t) for t in TOWNS]},
                        _joined(city, list(TOWNS), "town")),
        "roads": _frame({"道路编号": [f"DL{k + 1:04d}" for k in range(len(roads))], "道路名称": [r.name for r in roads],
                         "道路等级": [r.road_class for r in roads]}, [r.line.simplify(0.5) for r in roads]),
        "rail": _frame({"铁路编号": ["TL01"], "铁路名称": ["溪口铁路"]}, [RAILWAY.intersection(city.boundary)]),
        "water": _frame({"水系编号": [r[0] for r in rivers], "名称": [r[1] for r in rivers], "宽度": [r[2] for r in rivers]},
                        [r[3] for r in rivers]),
        "fibre": _frame({"编号": [f"GL{k + 1:02d}" for k in range(len(fibre))], "名称": [name for name, _ in fibre]},
                        [line for _, line in fibre])}


def planning_layers(city: City) -> dict[str, gpd.GeoDataFrame]:
    """Units, parcels, restricted land, works, planned buildings."""
    unit_of = shapely.STRtree(np.array([u[2] for u in city.units], dtype=object))
    codes = []
    for k, parcel in enumerate(city.parcels):
        unit = city.units[int(unit_of.nearest(parcel.polygon.representative_point()))][0]
        codes.append(f"{unit}-{k + 1:04d}")
    restricted, works, projects = restricted_areas(city), road_works(city), planned_projects(city)
    filed = filings(len(projects))
    return {
        "units": _frame({"单元编号": [u[0] for u in city.units], "单元名称": [u[1] for u in city.units]},
                        [u[2].simplify(0.5) for u in city.units]),
        "parcels": _frame({"地块编号": codes, "用地性质代码": [CODES[p.use] for p in city.parcels]},
                          [p.polygon.simplify(0.4) for p in city.parcels]),
        "restricted": _frame({"编号": [f"XZ{k + 1:02d}" for k in range(len(restricted))],
                              "名称": [r[0] for r in restricted], "限制类型": [r[1] for r in restricted],
                              "控制距离": [CONTROL_M.get(r[1]) for r in restricted]},
                             [r[2] for r in restricted]),
        "works": _frame({"工程编号": [w[0] for w in works], "工程名称": [w[1] for w in works], "工程类型": [w[2] for w in works],
                         "计划开工": [w[3] for w in works], "计划完工": [w[4] for w in works]}, [w[5] for w in works]),
        "planned_buildings": _frame({"项目编号": [p[0] for p in projects], "项目名称": [p[1] for p in projects],
                                     "用途": [p[2] for p in projects], "建筑面积": [p[3] for p in projects],
                                     "层数": [p[4] for p in projects], "座席数": [p[5] for p in projects],
                                     "备案状态": [f[0] for f in filed], "竣工日期": [f[1] for f in filed]},
                                    [p[6] for p in projects])}


def zone_layer(city: City) -> gpd.GeoDataFrame:
    """The key zones in CGCS2000 longitude and latitude (EPSG:4490)."""
    zones = key_zones(city)
    villages = shapely.STRtree(np.array([v.polygon for v in city.villages], dtype=object))
    towns = [city.villages[int(villages.nearest(z[3].representative_point()))].town for z in zones]
    resettled = [z[1].endswith("安置点") for z in zones]
    names = [z[0] for z in zones]
    ask = {"是否通4G": reported(names, NO_4G, UNREPORTED_4G), "是否通光纤": reported(names, NO_FIBRE, UNREPORTED_FIBRE)}
    return _frame({"区域编号": [f"Z{k + 1:02d}" for k in range(len(zones))], "区域名称": names,
                   "区域类型": [z[1] for z in zones], "等级": [z[2] or None for z in zones], "所属镇街": towns,
                   "所属县区": [county_of(town) for town in towns],
                   **{head: [word if own else None for word, own in zip(words, resettled, strict=True)]
                      for head, words in ask.items()}},
                  [z[3] for z in zones], "EPSG:4490")
