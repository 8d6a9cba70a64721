"""Straight lines from proposed sites to the nearest fibre, as far as the study has a layer of fibre."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely


def fibre_links(sites: gpd.GeoDataFrame, fibre: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame | None:
    """The shortest line from each site to fibre. The fibre itself is not told: it belongs to others.

    Parameters
    ----------
    sites : GeoDataFrame
        Proposed sites, index ``site_id``.
    fibre : GeoDataFrame or None
        Layer of the study, in the same CRS.

    Returns
    -------
    GeoDataFrame or None
        Index ``site_id``: ``length_m`` (straight, to 0.1 m), lines that begin at the site. A site that stands on fibre
        has none; None without a layer of fibre, or where no site has a link.

    Examples
    --------
    >>> sites = gpd.GeoDataFrame(geometry=[shapely.Point(0, 30)], index=pd.Index(["S1"], name="site_id"), crs=4547)
    >>> cable = gpd.GeoDataFrame(geometry=[shapely.LineString([(-50, 0), (50, 0)])], crs=4547)
    >>> fibre_links(sites, cable).geometry.to_wkt().tolist()
    ['LINESTRING (0 30, 0 0)']
    """
    if fibre is None:
        return None
    shapes = fibre.geometry.to_numpy()
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    points = sites.geometry.to_numpy()
    placed = np.flatnonzero(~(shapely.is_missing(points) | shapely.is_empty(points)))
    if not len(shapes) or not len(placed):
        return None
    nearest = shapely.STRtree(shapes).nearest(points[placed])
    lines = shapely.shortest_line(points[placed], shapes[nearest])
    length_m = np.round(shapely.length(lines), 1)
    away = length_m > 0
    if not away.any():
        return None
    index = pd.Index(sites.index[placed][away], name="site_id")
    return gpd.GeoDataFrame({"length_m": length_m[away]}, geometry=lines[away], crs=sites.crs, index=index)
