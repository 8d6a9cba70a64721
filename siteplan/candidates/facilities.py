"""Public facilities as macro candidates: on the roof of the building they stand in, or a tower on their land."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text
from siteplan.grid import sample

BUILDING_SNAP_M = 30.0
STOREY_HEIGHT_M = 3.5
LEAST_ROOF_M = 3.0
"""Lower values of a height raster are no roof, m."""


def _building_of(points: gpd.GeoSeries, buildings: gpd.GeoDataFrame) -> pd.Series:
    """Building each point stands in, or the nearest within BUILDING_SNAP_M; "" where there is none."""
    found = pd.Series("", index=points.index)
    if buildings.empty or points.empty:
        return found
    ordered = buildings.sort_index()
    pairs = ordered.geometry.sindex.nearest(points.to_numpy(), return_all=False, max_distance=BUILDING_SNAP_M)
    found.iloc[pairs[0]] = ordered.index.to_numpy()[pairs[1]]
    return found


def _roof_height(facilities: gpd.GeoDataFrame, building: pd.Series, context: CandidateContext,
                 class_roof_m: pd.Series) -> pd.Series:
    """Roof height: the building's, the facility's own, from its storeys, of the height raster there, or the class's."""
    heights = context.tables["buildings"]["height_m"].astype("float64")
    from_building = building.map(heights).astype("float64")
    own = facilities["roof_height_m"].astype("float64")
    from_storeys = facilities["storeys"].astype("float64") * STOREY_HEIGHT_M
    there = pd.Series(sample(context.surface.clutter_m, context.surface.geobox, facilities.geometry.x.to_numpy(),
                             facilities.geometry.y.to_numpy()), index=facilities.index, dtype="float64")
    from_raster = there.where(there >= LEAST_ROOF_M)
    return from_building.fillna(own).fillna(from_storeys).fillna(from_raster).fillna(class_roof_m)


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Every facility of a class that takes a site, as a macro candidate.

    On a roof that is high enough the antenna stands on a pole, on a lower one on a roof tower, without a usable roof on
    a ground tower (``tables/mounts.toml``); towers cost more.
    """
    facilities = context.tables["facilities"].sort_index()
    if facilities.empty:
        return empty_sites(facilities.crs)
    traits = context.class_columns(text(facilities["venue_class"]))
    building = _building_of(facilities.geometry, context.tables["buildings"])
    roof = _roof_height(facilities, building, context, traits["class_roof_m"])
    usable = (traits["class_mount"] == "roof") & (roof >= context.params.venue_min_roof_m)
    given = text(facilities["department"])
    rows = traits.drop(columns=["class_mount", "class_roof_m", "class_department"]).assign(
        name=text(facilities["name"]), kind="macro", source="facility", source_id=facilities.index, build="new",
        owner=text(facilities["owner"]), department=given.where(given != "", traits["class_department"]),
    ).join(context.roof_mounts(roof.where(usable)))
    points = gpd.GeoSeries(facilities.geometry.to_numpy(), crs=facilities.crs)
    rows.index = site_ids("facility", facilities.index)
    return sites_table(rows, points)


def buildings_taken(context: CandidateContext) -> set[str]:
    """Ids of the buildings that facilities stand in (their roofs are offered by the facility, not again)."""
    return set(_building_of(context.tables["facilities"].geometry, context.tables["buildings"])) - {""}
