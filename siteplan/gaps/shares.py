"""Shares of areas with exact pixel fractions (exactextract)."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox

from siteplan.errors import CrsError, ModelError


def _extract(array: np.ndarray, geobox: GeoBox, areas: gpd.GeoDataFrame, operation: str) -> np.ndarray:
    """One exactextract statistic per area, in the order of the areas; NaN pixels are left out."""
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource

    if areas.crs is None or geobox.crs is None or areas.crs.to_wkt() != geobox.crs.to_wkt():
        same = areas.crs is not None and geobox.crs is not None and areas.crs == geobox.crs.proj
        if not same:
            raise CrsError(f"areas are in {areas.crs}, the raster in {geobox.crs}: bring both into one CRS first")
    if tuple(array.shape) != tuple(geobox.shape):
        raise ModelError(f"array of shape {array.shape} does not fit a geobox of shape {tuple(geobox.shape)}")
    result = np.full(len(areas), np.nan)
    usable = ~(areas.geometry.isna() | areas.geometry.is_empty).to_numpy()
    if not usable.any():
        return result
    box = geobox.boundingbox
    raster = NumPyRasterSource(np.ascontiguousarray(array, dtype=np.float64), xmin=box.left, ymin=box.bottom,
                               xmax=box.right, ymax=box.top, nodata=float("nan"), srs_wkt=areas.crs.to_wkt())
    shapes = gpd.GeoDataFrame({"row_number": np.flatnonzero(usable)}, geometry=areas.geometry.to_numpy()[usable],
                              crs=areas.crs)
    table = exact_extract(raster, shapes, [operation], include_cols=["row_number"], output="pandas")
    values = table[operation].to_numpy(dtype=float, na_value=np.nan)
    result[table["row_number"].to_numpy(dtype=int)] = values
    return result


def covered_share(covered: np.ndarray, geobox: GeoBox, areas: gpd.GeoDataFrame) -> pd.Series:
    """Share of each area that is covered, pixels counted by the exact fraction inside the area.

    Parameters
    ----------
    covered : ndarray, shape (rows, cols)
        Booleans, or probabilities 0..1; NaN where nothing is known.
    geobox : GeoBox
        Where the array lies.
    areas : GeoDataFrame
        Polygons in the CRS of the geobox; areas smaller than a pixel are welcome.

    Returns
    -------
    Series
        ``covered_share`` 0..1 on the index of the areas. Unknown pixels are left out of both sums; an area without
        any known pixel is NaN, never 0.

    Raises
    ------
    CrsError
        Areas and geobox do not share a CRS.

    Examples
    --------
    >>> from odc.geo.geobox import GeoBox
    >>> from shapely import box
    >>> grid = GeoBox.from_bbox((0, 0, 20, 10), crs="EPSG:4547", resolution=10)
    >>> areas = gpd.GeoDataFrame(geometry=[box(5, 0, 15, 10)], index=["a"], crs="EPSG:4547")
    >>> float(covered_share(np.array([[True, False]]), grid, areas)["a"])
    0.5
    """
    values = _extract(np.asarray(covered), geobox, areas, "mean")
    return pd.Series(values, index=areas.index, name="covered_share")


def area_sum(values: np.ndarray, geobox: GeoBox, areas: gpd.GeoDataFrame) -> pd.Series:
    """Sum of a per-pixel quantity (people) in each area, by exact pixel fractions; 0 where no pixel is known."""
    sums = _extract(np.asarray(values), geobox, areas, "sum")
    return pd.Series(np.nan_to_num(sums, nan=0.0), index=areas.index, name="area_sum")


def weighted_share(covered: np.ndarray, weight: np.ndarray, geobox: GeoBox, areas: gpd.GeoDataFrame) -> pd.Series:
    """Share of a weight (people, floor area) of each area that is covered; NaN where the area has no weight."""
    covered = np.asarray(covered, dtype=np.float64)
    known = np.where(np.isnan(covered), np.nan, np.asarray(weight, dtype=np.float64))
    total = area_sum(known, geobox, areas)
    served = area_sum(known * covered, geobox, areas)
    return (served / total.where(total > 0)).rename("weighted_share")
