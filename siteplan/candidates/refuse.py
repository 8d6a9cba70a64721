"""Refusals: rules that take a candidate out, each with its reason in words."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy import ndimage
from scipy.spatial import cKDTree

from siteplan.grid import inside, pixel_of
from siteplan.surface import Surface


def refuse(sites: gpd.GeoDataFrame, where: np.ndarray, reasons: str | Sequence[str]) -> gpd.GeoDataFrame:
    """The table with these candidates refused; one that is refused already keeps its first reason."""
    hit = np.asarray(where, dtype=bool) & (sites["status"] == "candidate").to_numpy()
    words = np.full(len(sites), reasons, dtype=object) if isinstance(reasons, str) else np.asarray(reasons, object)
    return sites.assign(status=np.where(hit, "refused", sites["status"]),
                        reason=np.where(hit, words, sites["reason"].astype(object)))


def outside_boundary(sites: gpd.GeoDataFrame, boundary: gpd.GeoDataFrame) -> np.ndarray:
    """Candidates outside the study boundary."""
    area = boundary.geometry.union_all()
    shapely.prepare(area)
    return ~shapely.covers(area, sites.geometry.to_numpy())


def inside_polygons(sites: gpd.GeoDataFrame, areas: gpd.GeoDataFrame) -> pd.Series:
    """Name of the area each site lies in ("" where none); the first by id where several overlap."""
    names = pd.Series("", index=sites.index)
    solid = areas[areas.geometry.geom_type.isin(["Polygon", "MultiPolygon"])].sort_index()
    if solid.empty or sites.empty:
        return names
    # the polygons are the ones to prepare: they are few, and each is asked about many points
    polygon, point = sites.geometry.sindex.query(solid.geometry.to_numpy(), predicate="contains")
    first = pd.Series(polygon).groupby(point).min()
    label = solid["name"].astype("str").where(solid["name"].notna(), solid.index.astype("str")).to_numpy()
    names.iloc[first.index.to_numpy()] = label[first.to_numpy()]
    return names


def nearest_distance(sites: gpd.GeoDataFrame, others: gpd.GeoDataFrame) -> np.ndarray:
    """Distance of each site to the nearest of the others, m; infinite where there are none."""
    if others.empty or sites.empty:
        return np.full(len(sites), np.inf)
    tree = cKDTree(np.column_stack([others.geometry.x, others.geometry.y]))
    distance: np.ndarray = tree.query(np.column_stack([sites.geometry.x, sites.geometry.y]))[0]
    return distance


def gap_distance_m(gap: np.ndarray, surface: Surface) -> np.ndarray:
    """Distance of every pixel to the nearest gap pixel, m; infinite where there is none."""
    if not gap.any():
        return np.full(gap.shape, np.inf)
    distance: np.ndarray = ndimage.distance_transform_edt(~gap)
    distance *= surface.pixel_m
    return distance


def far_from_gap(sites: gpd.GeoDataFrame, distance_m: np.ndarray, surface: Surface, radius_m: np.ndarray) -> np.ndarray:
    """Sites with no gap pixel within their planning radius; ``distance_m`` is :func:`gap_distance_m`."""
    rows, cols = pixel_of(surface.geobox, sites.geometry.x.to_numpy(), sites.geometry.y.to_numpy())
    on = inside(surface.geobox, rows, cols)
    far = np.ones(len(sites), dtype=bool)
    far[on] = distance_m[rows[on], cols[on]] > radius_m[on]
    return far


def unknown_ground(sites: gpd.GeoDataFrame, surface: Surface) -> np.ndarray:
    """Sites off the grid or on pixels whose ground is unknown."""
    rows, cols = pixel_of(surface.geobox, sites.geometry.x.to_numpy(), sites.geometry.y.to_numpy())
    on = inside(surface.geobox, rows, cols)
    out = np.ones(len(sites), dtype=bool)
    out[on] = ~surface.known[rows[on], cols[on]]
    return out
