"""Small plans to be brought into a register: sites on a line, 100 m apart unless a place is given."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import pandas as pd
from shapely import LineString, Point

from siteplan.register.sync import PlanRecord, empty_record
from tests.registers import CRS, day

X0, Y0 = 437_000.0, 2_491_000.0


def at(x: float, y: float = 0.0) -> Point:
    """A place of the test city, metres from its corner."""
    return Point(X0 + x, Y0 + y)


def site(x: float, y: float = 0.0, **values: Any) -> dict[str, Any]:
    """A proposed site: a roof pole in the west, 2026."""
    return {"name": f"站{x:g}", "kind": "宏站", "build": "新建", "mount": "楼面抱杆", "antenna_height_m": 25.0,
            "networks": "移动|联通", "station_count": 2, "county": "溪西县", "town": "云岭镇", "owner": "业主甲",
            "capex_yuan": 100_000.0, "rank_no": 1, "gain_demand": 500.0, "reason": "第1位", "build_year": 2026,
            "geometry": at(x, y), **values}


def places(rows: Mapping[str, Mapping[str, Any]], columns: pd.Index) -> gpd.GeoDataFrame:
    """A table of a record by study id."""
    if not rows:
        return gpd.GeoDataFrame({name: [] for name in columns}, geometry=gpd.GeoSeries([], crs=CRS),
                                index=pd.Index([], dtype="str", name="study_id"))
    table = pd.DataFrame.from_dict(rows, orient="index")
    return gpd.GeoDataFrame(table, geometry="geometry", crs=CRS).rename_axis("study_id")


def plan(sites: Mapping[str, Mapping[str, Any]], venues: Mapping[str, Mapping[str, Any]] | None = None,
         links: Mapping[str, float] | None = None, **changes: Any) -> PlanRecord:
    """A plan; ``links``: study id -> length of a link that runs north from the site, m."""
    empty = empty_record(CRS, "溪口市规划", day("2026-01-01"), "v1")
    lines = {key: {"geometry": LineString([sites[key]["geometry"], Point(sites[key]["geometry"].x,
                                                                        sites[key]["geometry"].y + length)])}
             for key, length in (links or {}).items()}
    record = dataclasses.replace(
        empty, years=(2026, 2028), sites=places(sites, empty.sites.columns.drop("geometry")),
        venues=places(venues or {}, empty.venues.columns.drop("geometry")), links=places(lines, pd.Index([])))
    return dataclasses.replace(record, **changes)


def venue(x: float, y: float = 0.0, **values: Any) -> dict[str, Any]:
    """A school in the west."""
    return {"name": f"学校{x:g}", "venue_class": "学校", "owner": "学校", "department": "教育和体育局", "county": "溪西县",
            "town": "云岭镇", "must_open": True, "must_be_free": True, "is_chosen": True, "geometry": at(x, y), **values}
