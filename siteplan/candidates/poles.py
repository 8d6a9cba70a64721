"""Lamp poles as micro candidates, thinned to the pole spacing."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.context import CandidateContext, load_mounts
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text

POLE_CLASS = "pole"


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Every pole as a micro candidate."""
    poles = context.tables["poles"].sort_index()
    if poles.empty:
        return empty_sites(poles.crs)
    mount, radio = load_mounts()["pole"], context.equipment.site_types["micro"].cost_yuan
    traits = context.class_columns(pd.Series(POLE_CLASS, index=poles.index))
    road = text(poles["road"])
    rows = traits.drop(columns=["class_mount", "class_roof_m", "class_department"]).assign(
        name=np.where(road != "", road + " 灯杆 " + poles.index.astype("str"), "灯杆 " + poles.index.astype("str")),
        kind="micro", source="pole", source_id=poles.index, build="share", owner=text(poles["owner"]),
        department=traits["class_department"], mount="pole", cost_yuan=radio + mount.cost_yuan,
        antenna_height_m=np.maximum(poles["height_m"].astype("float64") + mount.raise_m, mount.min_antenna_m))
    points = gpd.GeoSeries(poles.geometry.to_numpy(), crs=poles.crs)
    rows.index = site_ids("pole", poles.index)
    return sites_table(rows, points)


def thinning_order(context: CandidateContext) -> np.ndarray:
    """Pole numbers (of the sorted layer), best first: with power, not leased, higher, then by id."""
    poles = context.tables["poles"].sort_index()
    power = poles["has_power"].astype("boolean").fillna(True).to_numpy(dtype=bool)
    leased = (text(poles["lessee"]) != "").to_numpy()
    return np.lexsort((np.arange(len(poles)), -poles["height_m"].to_numpy(dtype=float), leased, ~power))
