"""Existing stations: rows of status existing, and reuse candidates where a mast carries no 5G yet."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.context import CandidateContext, load_mounts
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text
from siteplan.grid import sample


def existing_sites(context: CandidateContext) -> gpd.GeoDataFrame:
    """One row per mast of the stations layer (status existing); networks are joined by ``|``."""
    stations = context.tables["stations"]
    if stations.empty:
        return empty_sites(stations.crs)
    masts = stations.sort_index().groupby("source_site", sort=True)
    first = masts.first()
    rows = pd.DataFrame({
        "name": text(first["name"]), "kind": text(first["kind"]), "source": "station", "source_id": first.index,
        "status": "existing", "build": "", "owner": text(first["owner"]),
        "antenna_height_m": masts["antenna_height_m"].max(),
        "networks": masts.apply(
            lambda rows: "|".join(sorted({f"{n} {t}" for n, t in zip(rows["network"], rows["technology"],
                                                                        strict=True)}))),
        "reason": "现有基站",
    }, index=first.index)
    points = gpd.GeoSeries(first["geometry"].to_numpy(), crs=stations.crs)
    rows.index = site_ids("existing", first.index)
    return sites_table(rows, points)


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Masts of the stations layer without 5G, as macro candidates of build ``reuse``."""
    stations = context.tables["stations"]
    outdoor = stations[stations["kind"] != "indoor"]
    with_5g = set(outdoor.loc[outdoor["technology"] == "5G", "source_site"])
    without = outdoor[~outdoor["source_site"].isin(with_5g)].sort_index()
    mount = load_mounts()["mast"]
    without = without[without["antenna_height_m"] >= mount.min_antenna_m]
    if without.empty:
        return empty_sites(stations.crs)
    masts = without.groupby("source_site", sort=True)
    first = masts.first()
    points = gpd.GeoSeries(first["geometry"].to_numpy(), crs=stations.crs)
    built = np.nan_to_num(sample(context.surface.clutter_m, context.surface.geobox, points.x, points.y))
    traits = context.class_columns(pd.Series("existing_site", index=first.index))
    rows = traits.drop(columns=["class_mount", "class_roof_m", "class_department"]).assign(
        name=text(first["name"]), kind="macro", source="station", source_id=first.index, build="reuse",
        owner=text(first["owner"]), department=traits["class_department"],
        mount=np.where(built > 0, "roof_tower", "ground_tower"),
        antenna_height_m=masts["antenna_height_m"].max(),
        cost_yuan=context.equipment.site_types["macro"].cost_yuan + mount.cost_yuan)
    rows.index = site_ids("station", first.index)
    return sites_table(rows, points)
