"""What lies in and near gap areas: villages, zones and towns; the nearest site and the nearest public venue."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.venues import VenueCatalogue, load_venues

SLACK_M = 0.01
"""Areas that overlap a gap by less only touch it."""


def names_touched(gaps: gpd.GeoSeries, areas: gpd.GeoDataFrame) -> pd.Series:
    """Names of the areas that each gap overlaps, sorted and joined by 、; areas that only touch are left out.

    Parameters
    ----------
    gaps : GeoSeries
        Polygons.
    areas : GeoDataFrame
        Polygons with a column ``name``; nameless ones are left out.

    Examples
    --------
    >>> gap = gpd.GeoSeries([shapely.box(0, 0, 2, 1)])
    >>> table = gpd.GeoDataFrame({"name": ["乙", "甲"]}, geometry=[shapely.box(1, 0, 3, 1), shapely.box(2, 0, 3, 1)])
    >>> names_touched(gap, table).tolist()
    ['乙']
    """
    named = areas[areas["name"].fillna("").astype(str).str.strip() != ""]
    inner = np.asarray(shapely.buffer(named.geometry.to_numpy(), -SLACK_M), object)
    inner[shapely.is_empty(inner)] = None
    gap, area = shapely.STRtree(inner).query(gaps.to_numpy(), predicate="intersects")
    names = named["name"].astype(str).to_numpy(object)[area]
    pairs = pd.DataFrame({"gap": gap, "name": names}).drop_duplicates().sort_values(["gap", "name"])
    joined = pairs.groupby("gap")["name"].agg("、".join)
    return pd.Series(joined.reindex(range(len(gaps))).fillna("").to_numpy(object), index=gaps.index, dtype="str")


def nearest_of(xy: NDArray[np.float64], table: gpd.GeoDataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Row of the nearest geometry of a table, and its distance in m; of equally near ones the first by id.

    Parameters
    ----------
    xy : ndarray, shape (points, 2)
    table : GeoDataFrame
        Rows without a geometry are passed over.

    Returns
    -------
    (rows, distance_m)
        -1 and NaN without any geometry.

    Examples
    --------
    >>> table = gpd.GeoDataFrame(geometry=[shapely.Point(0, 9), shapely.Point(0, 3)], index=["a", "b"])
    >>> [part.tolist() for part in nearest_of(np.array([[0.0, 0.0], [0.0, 6.0]]), table)]
    [[1, 0], [3.0, 3.0]]
    """
    rows, distance = np.full(len(xy), -1, np.int64), np.full(len(xy), np.nan)
    order = np.argsort(table.index.astype(str).to_numpy(object), kind="stable")
    shapes = table.geometry.to_numpy()[order]
    if len(xy) == 0 or (shapely.is_missing(shapes) | shapely.is_empty(shapes)).all():
        return rows, distance
    tree = shapely.STRtree(shapes)
    (point, found), away = tree.query_nearest(shapely.points(xy), return_distance=True, all_matches=True)
    best = np.lexsort((found, point))
    first = best[np.flatnonzero(np.diff(point[best], prepend=-1))]
    rows[point[first]], distance[point[first]] = order[found[first]], away[first]
    return rows, distance


def public_venues(facilities: gpd.GeoDataFrame, catalogue: VenueCatalogue | None = None) -> gpd.GeoDataFrame:
    """Facilities that must be opened to base stations or be free of charge, by their class, and that take a site.

    What lies outside of the boundary (``inside`` False) is left out.
    """
    classes = (load_venues() if catalogue is None else catalogue).classes
    wanted = {name for name, entry in classes.items()
              if (entry.must_open or entry.must_be_free) and entry.takes_site}
    chosen = facilities["venue_class"].isin(wanted)
    if "inside" in facilities:
        chosen &= facilities["inside"].fillna(True).astype(bool)
    return facilities[chosen]


def nearest_sites(xy: NDArray[np.float64], sites: gpd.GeoDataFrame | None, index: pd.Index) -> pd.DataFrame:
    """``nearest_site`` (its index) and ``distance_m`` of every point; empty and NaN without sites."""
    out = pd.DataFrame({"nearest_site": pd.Series("", index=index, dtype="str"), "distance_m": np.nan}, index=index)
    if sites is not None and len(sites):
        rows, distance = nearest_of(xy, sites)
        ids = sites.index.astype(str).to_numpy(object)
        return out.assign(nearest_site=np.where(rows >= 0, ids[rows], ""), distance_m=np.round(distance, 1))
    return out


def nearest_venues(xy: NDArray[np.float64], facilities: gpd.GeoDataFrame | None, index: pd.Index,
                   catalogue: VenueCatalogue | None = None) -> pd.DataFrame:
    """``nearest_venue, venue_name, venue_distance_m``: the nearest of :func:`public_venues`."""
    out = pd.DataFrame({"nearest_venue": pd.Series("", index=index, dtype="str"),
                        "venue_name": pd.Series("", index=index, dtype="str"), "venue_distance_m": np.nan}, index=index)
    venues = None if facilities is None else public_venues(facilities, catalogue)
    if venues is None or venues.empty:
        return out
    rows, distance = nearest_of(xy, venues)
    ids = venues.index.astype(str).to_numpy(object)
    names = venues["name"].fillna("").astype(str).to_numpy(object)
    return out.assign(nearest_venue=np.where(rows >= 0, ids[rows], ""), venue_name=np.where(rows >= 0, names[rows], ""),
                      venue_distance_m=np.round(distance, 1))


def towns_around(xy: NDArray[np.float64], towns: gpd.GeoDataFrame | None, index: pd.Index) -> pd.DataFrame:
    """``town, county`` that hold each point; of overlapping towns the first by code; empty where none does."""
    out = pd.DataFrame({name: pd.Series("", index=index, dtype="str") for name in ("town", "county")}, index=index)
    if towns is None or towns.empty or len(xy) == 0:
        return out
    ordered = towns.sort_index()
    point, town = shapely.STRtree(ordered.geometry.to_numpy()).query(shapely.points(xy), predicate="intersects")
    pairs = pd.DataFrame({"point": point, "town": town}).groupby("point")["town"].min()
    for column, source in (("town", "name"), ("county", "county")):
        words = ordered[source].fillna("").astype(str).to_numpy(object)
        values = out[column].to_numpy(object, copy=True)
        values[pairs.index.to_numpy()] = words[pairs.to_numpy()]
        out[column] = pd.Series(values, index=index, dtype="str")
    return out
