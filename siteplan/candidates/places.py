"""Where each site lies: ground, town, county, planning unit, parcel, degrees, and how far its antennas look."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.rules.refuse import inside_polygons
from siteplan.candidates.rules.spacing import masts_with_5g
from siteplan.candidates.table import text
from siteplan.grid import sample

TILT_RADIUS_M = (250.0, 1500.0)
"""Least and greatest radius a tilt aims at (site distances of dense urban to rural scenes), m."""
ON_MAST = ("station", "sharing")
"""Sources of sites that stand on an existing mast."""


def with_places(sites: gpd.GeoDataFrame, context: CandidateContext) -> gpd.GeoDataFrame:
    """Ground height, town, county, planning unit, parcel, longitude and latitude of every site.

    A town that the site's own row names stands; else that of the first polygon by id that covers the point.
    """
    if sites.empty:
        return sites
    degrees = sites.geometry.to_crs("EPSG:4490")
    places = {name: inside_polygons(sites, context.tables[layer])
              for name, layer in (("town", "towns"), ("county", "counties"))}
    coded = {}
    for layer, column in (("units", "unit_code"), ("parcels", "parcel_code")):
        table = context.tables[layer]
        coded[column] = inside_polygons(sites, table.assign(name=table.index.astype("str")))
    land_use = text(context.tables["parcels"]["land_use_code"])
    return sites.assign(
        town=sites["town"].where(sites["town"] != "", places["town"]), county=places["county"], **coded,
        land_use_code=text(coded["parcel_code"].map(land_use)),
        ground_m=np.round(sample(context.surface.ground_m, context.surface.geobox, sites.geometry.x.to_numpy(),
                                 sites.geometry.y.to_numpy()), 1),
        lon=np.round(degrees.x, 7), lat=np.round(degrees.y, 7))


def tilt_radius_m(sites: gpd.GeoDataFrame, existing: gpd.GeoDataFrame) -> np.ndarray:
    """Radius a new macro site's tilt aims at: distance to the nearest 5G macro mast / 1.5, within limits.

    The rule of operators' tilt tables (R = nearest site distance / 1.5); NaN for sites that are not new macros. A site
    on an existing mast is asked for the nearest other one.
    """
    masts = masts_with_5g(existing)
    new = ((sites["kind"] == "macro") & (sites["status"] != "existing")).to_numpy(dtype=bool)
    distance = np.full(len(sites), np.inf)
    if len(masts) and new.any():
        tree = cKDTree(np.column_stack([masts.geometry.x, masts.geometry.y]))
        found = tree.query(np.column_stack([sites.geometry.x, sites.geometry.y])[new], k=2)[0]
        own = sites["source"].isin(ON_MAST).to_numpy(dtype=bool)[new] & (found[:, 0] < 1.0)
        distance[new] = np.where(own, found[:, 1], found[:, 0])
    radius = np.clip(distance / 1.5, *TILT_RADIUS_M)
    return np.where(new, np.round(radius, 0), np.nan)


def concat_sites(parts: list[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    """Tables of sites one below the other; the first where all are empty."""
    filled = [part for part in parts if len(part)]
    return gpd.GeoDataFrame(pd.concat(filled), crs=parts[0].crs) if filled else parts[0]
