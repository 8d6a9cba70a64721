"""A toy street for the tests of joint works: one dig of 400 m, two sites beside it, one link along it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from shapely import LineString, Point

CRS = "EPSG:4547"
AS_OF = dt.date(2026, 6, 1)
"""Three months (the lead of road works) before the dig begins."""
STREET = LineString([(0, 0), (400, 0)])
DIG = {"name": "滨河路改造", "kind": "road", "works_owner": "市政工程处", "start_on": "2026-09-01", "end_on": "2027-03-31",
       "geometry": STREET}
POLE = {"name": "甲", "state": "reserve", "mount": "pole", "build": "new", "kind": "micro", "phase_year": 2028.0,
        "networks": "移动", "geometry": Point(100, 8)}
ROOF = {"name": "乙", "state": "ready", "mount": "roof_pole", "build": "new", "kind": "macro", "phase_year": 2026.0,
        "networks": "电信|联通", "geometry": Point(300, 25)}
LINK = LineString([(300, 25), (300, 40), (280, 40), (280, 10), (400, 10), (400, 60)])
"""Of its 255 m, 120 m run beside the dig and 2 m come down to it within 12 m."""


def table(prefix: str, rows: Sequence[Mapping[str, Any]]) -> gpd.GeoDataFrame:
    """Rows as a table of a register."""
    index = pd.Index([f"{prefix}{number:06d}" for number in range(1, len(rows) + 1)], dtype="str", name="id")
    frame = pd.DataFrame(list(rows), index=index)
    for name in ("start_on", "end_on"):
        if name in frame:
            frame[name] = pd.to_datetime(frame[name]).astype("datetime64[us]")
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=CRS)


def sites(*rows: Mapping[str, Any]) -> gpd.GeoDataFrame:
    return table("ZZ", rows or (POLE, ROOF))


def works(*rows: Mapping[str, Any]) -> gpd.GeoDataFrame:
    return table("GC", rows or (DIG,))


def links(shape: shapely.Geometry | None = LINK, site: str = "ZZ000002") -> gpd.GeoDataFrame:
    return table("GL", ({"site_id": site, "length_m": 255.0, "is_current": True, "geometry": shape},))
