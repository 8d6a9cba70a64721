"""The sites table: its columns, and small helpers every kind of candidate uses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd

SITE_COLUMNS: Mapping[str, object] = {
    "name": "", "kind": "", "source": "", "source_id": "", "status": "candidate", "build": "new", "tier": 0,
    "tier_name": "", "preference": 0.0, "venue_class": "", "class_name": "", "owner": "", "department": "",
    "must_open": False, "must_be_free": False, "mount": "", "antenna_height_m": np.nan,
    "ground_m": np.nan, "tilt_radius_m": np.nan,
    "networks": "*", "azimuths": "", "opens": "", "address": "", "scene": "", "spacing_m": 0.0,
    "roof_area_m2": np.nan, "slope_deg": np.nan, "power_m": np.nan, "fibre_m": np.nan, "cost_model": "",
    "capex_yuan": 0.0, "yearly_yuan": 0.0, "cost_yuan": 0.0,
    "operators": "", "demand_ids": "", "members": "", "lessee": "",
    "refusal_code": "", "flags": "", "evidence": "", "choice_code": "", "choice_text": "",
    "reason": "", "rank_no": 0, "build_year": 0, "station_count": 0, "moved_m": 0.0, "gain": 0.0, "gain_demand": 0.0,
    "gain_points": 0, "loss_points": 0, "loss": 0.0, "loss_demand": 0.0, "rival_id": "", "rival_text": "",
    "gain_share": 0.0, "town": "", "county": "",
    "unit_code": "", "parcel_code": "", "land_use_code": "", "lon": np.nan, "lat": np.nan,
}
"""Columns of the sites table and the value a column has where nobody sets it."""

STATION_5G = " 5G"
"""How a network of an existing station ends that is counted: ``电信&联通 5G``."""
PREFIX = {"facility": "V", "ground": "G", "pole": "P", "building": "B", "station": "R", "sharing": "S",
          "planned": "N", "works": "W", "greenfield": "L", "demand": "D", "existing": "E"}
"""First letter of a site id: venue roof or land, ground of a venue with a roof, pole, building roof, mast without 5G,
mast with room for more operators, planned building, planned works, open land, operators' request, existing station."""


def empty_sites(crs: object) -> gpd.GeoDataFrame:
    """A sites table without rows."""
    return _empty().set_crs(crs) if crs is not None else _empty().copy()


@cache
def _empty() -> gpd.GeoDataFrame:
    """An empty sites table without CRS; to be copied."""
    return sites_table(pd.DataFrame(index=pd.Index([], dtype="str")), gpd.GeoSeries([]))


def sites_table(rows: pd.DataFrame, points: gpd.GeoSeries) -> gpd.GeoDataFrame:
    """A sites table from the columns that are known; the others take their default."""
    columns = {}
    for name, default in SITE_COLUMNS.items():
        values = rows[name] if name in rows else pd.Series(default, index=rows.index)
        if isinstance(default, str):
            values = values.astype("str").fillna("")
        elif isinstance(default, bool):
            values = values.fillna(False).astype(bool)
        elif isinstance(default, int):
            values = values.fillna(0).astype("int64")
        else:
            values = values.astype("float64")
        columns[name] = values
    table = gpd.GeoDataFrame(columns, geometry=points.to_numpy(), crs=points.crs, index=rows.index)
    table.index = table.index.astype("str").rename("site_id")
    return table


def site_ids(source: str, source_ids: pd.Index | pd.Series) -> pd.Index:
    """Ids made from kind and source id, never from row order.

    >>> site_ids("pole", pd.Index(["D-1"])).tolist()
    ['P-pole:D-1']
    """
    word = "station" if source == "existing" else source
    return pd.Index([f"{PREFIX[source]}-{word}:{value}" for value in source_ids], dtype="str", name="site_id")


_ON_EXISTING = ("station", "sharing")
"""Sources of candidates that stand on the mast of an existing site."""


def on_existing_sites(sites: pd.DataFrame) -> pd.Series:
    """Proposed sites on the mast of an existing site: a place that is counted among the existing ones already.

    >>> on_existing_sites(pd.DataFrame({"build": ["new", "share", "reuse"],
    ...                                 "source": ["pole", "sharing", "pole"]})).tolist()
    [False, True, False]
    """
    return (sites["build"] != "new") & sites["source"].isin(_ON_EXISTING)


def text(column: pd.Series) -> pd.Series:
    """A text column with empty strings for missing values."""
    return column.astype("str").where(column.notna(), "")
