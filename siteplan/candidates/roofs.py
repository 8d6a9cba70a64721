"""Roofs of other buildings as macro candidates: commerce and offices before industry, housing last."""

from __future__ import annotations

import geopandas as gpd
import numpy as np

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.facilities import buildings_taken
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Roofs of at least ``roof_min_height_m`` that no facility stands in."""
    buildings = context.tables["buildings"].sort_index()
    high = buildings[buildings["height_m"].astype("float64") >= context.params.roof_min_height_m]
    high = high[~high.index.isin(buildings_taken(context))]
    if high.empty:
        return empty_sites(buildings.crs)
    traits = context.class_columns(high["use"].map(lambda use: context.venues.building_use.get(use, "housing")))
    named = text(high["name"])
    rows = traits.drop(columns=["class_mount", "class_roof_m", "class_department"]).assign(
        name=named.where(named != "", "楼顶 " + high.index.astype("str")), kind="macro", source="building",
        source_id=high.index, build="new", owner=text(high["owner"]), department=traits["class_department"],
    ).join(context.roof_mounts(high["height_m"].astype("float64")))
    points = gpd.GeoSeries(high.geometry.representative_point().to_numpy(), crs=high.crs)
    rows.index = site_ids("building", high.index)
    return sites_table(rows, points)


def thinning_order(roofs: gpd.GeoDataFrame) -> np.ndarray:
    """Row numbers, best first: lower tier, higher antenna, then by id."""
    return np.lexsort((roofs.index.to_numpy(dtype=object).astype(str), -roofs["antenna_height_m"].to_numpy(),
                       roofs["tier"].to_numpy()))
