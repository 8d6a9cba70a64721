"""Roofs of other buildings as macro candidates: commerce and offices before industry, housing last."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.kinds.facilities import buildings_taken
from siteplan.candidates.kinds.origins import Fact, tell_rows
from siteplan.candidates.kinds.venue_evidence import roof_evidence
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Roofs of at least ``roof_min_height_m`` that no venue offers; ledger lines count the lower and the taken ones."""
    buildings = context.tables["buildings"].sort_index()
    limit = context.params.roof_min_height_m
    low = ~(buildings["height_m"].astype("float64") >= limit)
    if low.any():
        context.ledger.add("buildings", "", f"共 {int(low.sum())} 行", "height_m", "", "note",
                           f"建筑低于 {limit:g} 米,楼顶不列为候选站址", "需要时调低 candidates.roof_min_height_m")
    high = buildings[~low]
    taken = buildings_taken(context)
    _tell_taken(high, taken, context)
    high = high[~high.index.isin(taken.index)]
    if high.empty:
        return empty_sites(buildings.crs)
    uses = text(high["use"])
    classes = uses.map({use: context.venues.building_use.get(use, "housing") for use in set(uses)})
    traits = context.class_columns(classes)
    named = text(high["name"])
    rows = traits.assign(
        name=named.where(named != "", "楼顶 " + high.index.astype("str")), kind="macro", source="building",
        source_id=high.index, build="new", owner=text(high["owner"]), department=traits["class_department"],
        opens="roof", roof_area_m2=high.geometry.area.round(1),
        evidence=roof_evidence(high)).join(context.roof_mounts(high["height_m"].astype("float64")))
    points = gpd.GeoSeries(high.geometry.representative_point().to_numpy(), crs=high.crs)
    rows.index = site_ids("building", high.index)
    return sites_table(rows, points)


def _tell_taken(high: gpd.GeoDataFrame, taken: pd.Series, context: CandidateContext) -> None:
    """One ledger line on roofs that a venue in the house offers, one on houses with a dangerous venue."""
    for why, reason in (("venue", "楼顶由楼内公共场所代表,不另列为非公共楼顶候选"), ("hazard", "楼内有易燃易爆场所,楼顶不列为候选站址")):
        tell_rows(context.ledger, "buildings", high[high.index.isin(taken.index[taken == why])], Fact(
            "geometry", "note", reason, "核对场所坐标和建筑轮廓"))


def thinning_order(roofs: gpd.GeoDataFrame) -> np.ndarray:
    """Row numbers, best first: lower tier, higher antenna, then by id."""
    return np.lexsort((roofs.index.to_numpy(dtype=object).astype(str), -roofs["antenna_height_m"].to_numpy(),
                       roofs["tier"].to_numpy()))
