"""Put the kinds together, refuse what the rules forbid, fill in where each site lies."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates import facilities, poles, roofs, stations
from siteplan.candidates.context import CandidateContext
from siteplan.candidates.refuse import (
    far_from_gap,
    gap_distance_m,
    inside_polygons,
    nearest_distance,
    outside_boundary,
    refuse,
    unknown_ground,
)
from siteplan.candidates.table import text
from siteplan.candidates.thin import keep_spaced
from siteplan.grid import sample

TILT_RADIUS_M = (250.0, 1500.0)
"""Least and greatest radius a tilt aims at (site distances of dense urban to rural scenes), m."""


def _masts_with_5g(existing: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Existing macro masts that carry 5G."""
    return existing[existing["networks"].str.contains("5G") & (existing["kind"] == "macro")]


def _refuse_by_place(sites: gpd.GeoDataFrame, context: CandidateContext, existing: gpd.GeoDataFrame,
                     to_gap_m: np.ndarray) -> gpd.GeoDataFrame:
    """Rules of place: boundary, ground, restricted areas, too near a 5G mast, no gap around."""
    if sites.empty:
        return sites
    sites = refuse(sites, outside_boundary(sites, context.boundary), "在规划范围之外")
    barred_class = sites["venue_class"].map(lambda name: not context.venues.classes[name].takes_site)
    sites = refuse(sites, barred_class.to_numpy(dtype=bool), "易燃易爆场所,不设基站")
    sites = refuse(sites, unknown_ground(sites, context.surface), "地面高程未知")
    barred = inside_polygons(sites, context.tables["restricted"])
    sites = refuse(sites, (barred != "").to_numpy(), [f"位于限制区:{name}" for name in barred])
    water = inside_polygons(sites, context.tables["water"])
    sites = refuse(sites, (water != "").to_numpy(), [f"位于水域:{name}" for name in water])
    macro = (sites["kind"] == "macro").to_numpy()
    given = context.params.min_distance_existing_m
    limit = 80.0 if given is None else given
    sites = refuse(sites, macro & (nearest_distance(sites, _masts_with_5g(existing)) < limit), f"距现有5G宏站不足{limit:g}米")
    radius = np.where(macro, context.params.gap_radius_macro_m, context.params.gap_radius_micro_m)
    reasons = [f"{distance:g}米内没有覆盖空洞" for distance in radius]
    return refuse(sites, far_from_gap(sites, to_gap_m, context.surface, radius), reasons)


def _refuse_crowded(sites: gpd.GeoDataFrame, order: np.ndarray, spacing_m: float, what: str) -> gpd.GeoDataFrame:
    """Of open candidates nearer than the spacing, the better one stands for the others."""
    open_rows = np.flatnonzero((sites["status"] == "candidate").to_numpy())
    if len(open_rows) < 2:
        return sites
    position = np.full(len(sites), -1)
    position[open_rows] = np.arange(len(open_rows))
    best_first = position[order]
    xy = np.column_stack([sites.geometry.x, sites.geometry.y])[open_rows]
    stands_for = keep_spaced(xy, best_first[best_first >= 0], spacing_m)
    crowded = np.flatnonzero(stands_for >= 0)
    where = np.zeros(len(sites), dtype=bool)
    where[open_rows[crowded]] = True
    reasons = np.full(len(sites), "", dtype=object)
    names = sites.index.to_numpy()[open_rows]
    reasons[open_rows[crowded]] = [f"{what}不足{spacing_m:g}米,由 {names[other]} 代表" for other in stands_for[crowded]]
    return refuse(sites, where, reasons.tolist())


def _with_places(sites: gpd.GeoDataFrame, context: CandidateContext) -> gpd.GeoDataFrame:
    """Ground height, town, county, planning unit, parcel, longitude and latitude of every site."""
    if sites.empty:
        return sites
    degrees = sites.geometry.to_crs("EPSG:4490")
    places = {name: inside_polygons(sites, context.tables[layer])
              for name, layer in (("town", "towns"), ("county", "counties"))}
    coded = {}
    for layer, column in (("units", "unit_code"), ("parcels", "parcel_code")):
        table = context.tables[layer]
        coded[column] = inside_polygons(sites, table.assign(name=table.index.astype("str")))
    land_use = text(context.tables["parcels"]["land_use_code"]).to_dict()
    return sites.assign(
        **places, **coded, land_use_code=coded["parcel_code"].map(lambda code: land_use.get(code, "")),
        ground_m=np.round(sample(context.surface.ground_m, context.surface.geobox, sites.geometry.x.to_numpy(),
                                 sites.geometry.y.to_numpy()), 1),
        lon=np.round(degrees.x, 7), lat=np.round(degrees.y, 7))


def _tilt_radius(sites: gpd.GeoDataFrame, existing: gpd.GeoDataFrame) -> np.ndarray:
    """Radius a new macro site's tilt aims at: distance to the nearest 5G macro mast / 1.5, within limits.

    The rule of operators' tilt tables (R = nearest site distance / 1.5); NaN for sites that are not new macros.
    """
    new = (sites["kind"] == "macro") & (sites["status"] != "existing")
    radius = np.clip(nearest_distance(sites, _masts_with_5g(existing)) / 1.5, *TILT_RADIUS_M)
    return np.where(new, np.round(radius, 0), np.nan)


def propose_sites(context: CandidateContext) -> gpd.GeoDataFrame:
    """ONE sites table: existing stations, open candidates, and refused ones with the reason.

    Parameters
    ----------
    context : CandidateContext

    Returns
    -------
    GeoDataFrame
        Index ``site_id`` (from kind and source id), columns of DESIGN.md, sorted by id. Free public venues have the
        best tier (1), private housing the last.
    """
    existing = stations.existing_sites(context)
    to_gap_m = gap_distance_m(context.gap, context.surface)
    lamp = _refuse_by_place(poles.propose(context), context, existing, to_gap_m)
    lamp = _refuse_crowded(lamp, poles.thinning_order(context), context.params.pole_spacing_m, "与更优灯杆间距")
    roof = _refuse_by_place(roofs.propose(context), context, existing, to_gap_m)
    roof = _refuse_crowded(roof, roofs.thinning_order(roof), context.params.roof_spacing_m, "与更优楼顶间距")
    others = [_refuse_by_place(kind.propose(context), context, existing, to_gap_m) for kind in (facilities, stations)]
    parts = [part for part in (existing, *others, lamp, roof) if len(part)]
    if not parts:
        return existing
    table = gpd.GeoDataFrame(pd.concat(parts), crs=existing.crs).sort_index()
    return _with_places(table.assign(tilt_radius_m=_tilt_radius(table, existing)), context)
