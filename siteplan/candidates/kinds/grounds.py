"""Land of venues that have a usable roof as well: a tower beside the building, as the second of two alternatives."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.kinds.facilities import LEAST_ROOF_M, STOREY_HEIGHT_M
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text
from siteplan.grid import sample

GROUND_LEAST_AREA_M2 = 2000.0
"""Least area per storey of a venue that has land for a tower, m2 (unverified). Files give land or floor area."""
RINGS_M = (15.0, 25.0, 40.0, 60.0)
"""Distances from the venue's point at which a place beside the buildings is looked for, m."""
CLEARANCE_M = 3.0
"""The place is at least this far from any building, m."""
DIRECTIONS = ("北", "东北", "东", "东南", "南", "西南", "西", "西北")


def _places() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Offsets (east, north) of the places that are tried, nearest first, their distances, and both in words."""
    ring = np.repeat(RINGS_M, len(DIRECTIONS))
    angle = np.tile(np.arange(len(DIRECTIONS)) * np.pi / 4.0, len(RINGS_M))
    words = [f"{way} {metres:g} 米" for metres in RINGS_M for way in DIRECTIONS]
    return np.column_stack([ring * np.sin(angle), ring * np.cos(angle)]), ring, words


def open_land(points: gpd.GeoSeries, radius_m: np.ndarray, context: CandidateContext) -> tuple[np.ndarray, np.ndarray]:
    """The nearest place beside each point that is clear of buildings.

    Parameters
    ----------
    points : GeoSeries, n points
    radius_m : ndarray, shape (n,)
        Places farther away are not the venue's.
    context : CandidateContext
        Its buildings and building heights say what is built up.

    Returns
    -------
    xy : ndarray, shape (n, 2)
        The place; the point itself where there is none.
    place : ndarray of int, shape (n,)
        Number of the place among those that are tried, -1 where there is none.
    """
    offsets, ring, _ = _places()
    own = np.column_stack([points.x, points.y])
    tried = own[:, None, :] + offsets[None]
    flat = tried.reshape(-1, 2)
    there = sample(context.surface.clutter_m, context.surface.geobox, flat[:, 0], flat[:, 1])
    taken = np.nan_to_num(there) >= LEAST_ROOF_M
    buildings = context.tables["buildings"]
    if len(buildings) and len(flat):
        near = buildings.geometry.sindex.query(shapely.points(flat), predicate="dwithin", distance=CLEARANCE_M)[0]
        taken[near] = True
    free = np.logical_not(taken).reshape(len(own), -1) & (ring[None] <= radius_m[:, None])
    first, found = free.argmax(axis=1), np.asarray(free.any(axis=1))
    return np.where(found[:, None], tried[np.arange(len(own)), first], own), np.where(found, first, -1)


def _area_per_storey(context: CandidateContext) -> pd.Series:
    """Area of every facility over its storeys, m2; where these are not known, those of the class's usual roof."""
    facilities = context.tables["facilities"]
    classes = text(facilities["venue_class"])
    usual = classes.map({name: context.venues.classes[name].default_roof_height_m / STOREY_HEIGHT_M
                         for name in set(classes)}).astype("float64")
    storeys = facilities["storeys"].astype("float64").fillna(usual)
    return facilities["area_m2"].astype("float64") / np.maximum(storeys, 1.0)


def propose(context: CandidateContext, venues: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """A tower on the land of venues that have to open and whose roof is offered.

    Parameters
    ----------
    context : CandidateContext
    venues : GeoDataFrame
        What :func:`siteplan.candidates.kinds.facilities.offered` gives. Venues without a usable roof stand on the
        ground there already.

    Returns
    -------
    GeoDataFrame
        Sites of source ``ground``, ``source_id`` the facility's id, ``members`` the site on the roof. The place lies
        beside the buildings, within the radius of a circle of the venue's area per storey (so that it is the venue's
        land even where the file gives floor area). Whether the roof is still the other alternative after the rules is
        told by :func:`siteplan.candidates.kinds.facilities.settle_spots`.
    """
    area = _area_per_storey(context).reindex(venues["source_id"]).to_numpy()
    takes = venues["venue_class"].map(lambda name: context.venues.classes[name].takes_site).to_numpy(dtype=bool)
    land = ((venues["status"] == "candidate") & (venues["opens"] == "roof") & venues["must_open"]).to_numpy()
    large = np.nan_to_num(area) >= GROUND_LEAST_AREA_M2
    chosen = venues[land & takes & large]
    if chosen.empty:
        return empty_sites(venues.crs)
    xy, place = open_land(chosen.geometry, np.sqrt(area[land & takes & large] / np.pi), context)
    _tell_no_land(int((place < 0).sum()), context)
    there = place >= 0
    if not there.any():
        return empty_sites(venues.crs)
    chosen, xy, place = chosen[there], xy[there], place[there]
    words = _places()[2]
    mounted = context.roof_mounts(pd.Series(np.nan, index=chosen.index))
    rows = pd.DataFrame(chosen.drop(columns="geometry")).assign(
        name=chosen["name"] + "(地面)", source="ground", opens="ground", roof_area_m2=np.nan, members=chosen.index,
        evidence=[f"{evidence.split(';')[0]};场所每层面积不小于{GROUND_LEAST_AREA_M2:g}平方米;位于场所点{words[number]},不在建筑内"
                  for evidence, number in zip(chosen["evidence"], place, strict=True)],
        **{name: mounted[name] for name in mounted})
    rows.index = site_ids("ground", pd.Index(chosen["source_id"]))
    return sites_table(rows, gpd.GeoSeries(shapely.points(xy), crs=venues.crs))


def _tell_no_land(count: int, context: CandidateContext) -> None:
    if count:
        context.ledger.add("facilities", "", f"共 {count} 行", "geometry", "", "note",
                           f"场所够大,但 {RINGS_M[-1]:g} 米内没有不在建筑上的空地:不列地面备选", "核对建筑图层和场所坐标")


def link_alternatives(venues: gpd.GeoDataFrame, grounds: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Venues whose ``members`` names the tower on their land, where there is one."""
    if grounds.empty:
        return venues
    tower = pd.Series(grounds.index, index=grounds["members"].to_numpy())
    return venues.assign(members=venues.index.to_series().map(tower).fillna(venues["members"]).astype("str"))
