"""A made-up plan of 10,000 sites for the register of `register_city`: most of them are in it already."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from register_city import CITY, COUNTIES, CRS, SEED

from siteplan.register import Register, read_rows
from siteplan.register.sync import PlanRecord, empty_record

DAY = dt.date(2026, 7, 1)


def city_plan(register: Register, sites: int = 10_000) -> PlanRecord:
    """A plan most of whose sites are in a register.

    Nine of ten are, one of five of these under a new id and one of seven 3 m away; all have another rank, gain, owner
    and cost, and a link to the fibre.
    """
    held = read_rows(register, "sites")
    known = min(len(held), sites * 9 // 10)
    order = np.sort(np.random.default_rng(SEED).permutation(len(held))[:known])
    rows = {_study_id(number, str(row["study_id"])): {**_same(number), **_kept(number, row)}
            for number, row in enumerate(held.iloc[order].to_dict("records"))}
    rows |= {f"X{number:05d}": {**_same(known + number), **_new(number)} for number in range(sites - known)}
    table = gpd.GeoDataFrame(pd.DataFrame.from_dict(rows, orient="index"), geometry="geometry", crs=CRS)
    table = table.rename_axis("study_id")
    lines = [shapely.LineString([point, (point.x, point.y + 100.0)]) for point in table.geometry]
    return dataclasses.replace(empty_record(CRS, f"{CITY}规划", DAY, "v2"), years=(2026, 2027, 2028), sites=table,
                               links=gpd.GeoDataFrame(geometry=lines, index=table.index, crs=CRS))


def _study_id(number: int, old: str) -> str:
    return old if number % 5 else f"N{number:05d}"


def _same(number: int) -> dict[str, Any]:
    return {"kind": "macro", "build": "new", "mount": "楼面塔", "networks": "移动|电信", "bands": "n78|n28",
            "station_count": 2, "owner": f"业主{number % 300}", "rank_no": number + 1, "gain_demand": number + 0.25,
            "reason": f"第{number}位", "build_year": 2026 + number % 3}


def _kept(number: int, row: dict[str, Any]) -> dict[str, Any]:
    here = row["geometry"]
    return {**{name: row[name] for name in ("name", "department", "county", "town")},
            "antenna_height_m": row["antenna_height_m"] + (number % 3 == 0), "capex_yuan": row["capex_yuan"] * 1.1,
            "geometry": shapely.Point(here.x + (0.0 if number % 7 else 3.0), here.y)}


def _new(number: int) -> dict[str, Any]:
    return {"name": f"新站{number}", "antenna_height_m": 30.0, "capex_yuan": 1e5, "county": COUNTIES[number % 5],
            "town": "镇01", "geometry": shapely.Point(490_000.0 + 40.0 * number, 2_440_000.0)}
