"""Shares of areas with exact pixel fractions (exactextract)."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse as sp
from odc.geo.geobox import GeoBox

from siteplan.errors import CrsError, ModelError


@dataclass(frozen=True)
class AreaPixels:
    """Which part of each pixel lies in each area: computed once, used for any number of rasters.

    Attributes
    ----------
    fractions : csr_matrix of float64, shape (areas, rows * cols)
        Share 0..1 of the pixel that lies inside the area.
    index : Index
        Index of the areas.
    geobox : GeoBox
    """

    fractions: sp.csr_matrix
    index: pd.Index
    geobox: GeoBox

    def sums(self, values: np.ndarray) -> pd.Series:
        """Sum of a per-pixel quantity in each area; unknown (NaN) pixels count nothing."""
        return pd.Series(self.fractions @ np.nan_to_num(self._flat(values)), index=self.index, name="area_sum")

    def mean(self, values: np.ndarray, weight: np.ndarray | None = None) -> pd.Series:
        """Mean of the known pixels of each area, weighted by their fraction (times ``weight``); NaN where none is."""
        flat = self._flat(values)
        base = (~np.isnan(flat)).astype(np.float64)
        if weight is not None:
            base *= self._flat(weight)
        total = self.fractions @ base
        served = self.fractions @ (np.nan_to_num(flat) * base)
        return pd.Series(np.divide(served, total, out=np.full(len(total), np.nan), where=total > 0), index=self.index)

    def _flat(self, values: np.ndarray) -> np.ndarray:
        array = np.asarray(values, dtype=np.float64)
        if array.shape != tuple(self.geobox.shape):
            raise ModelError(f"array of shape {array.shape} does not fit a geobox of shape {tuple(self.geobox.shape)}")
        return array.ravel()


def area_pixels(geobox: GeoBox, areas: gpd.GeoDataFrame) -> AreaPixels:
    """Exact pixel fractions of areas (exactextract).

    Areas without a geometry, or outside the grid, hold no pixel.

    Raises
    ------
    CrsError
        Areas and geobox do not share a CRS.
    ModelError
        An area is not a polygon.
    """
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource

    if areas.crs is None or geobox.crs is None or (areas.crs.to_wkt() != geobox.crs.to_wkt()
                                                   and areas.crs != geobox.crs.proj):
        raise CrsError(f"areas are in {areas.crs}, the raster in {geobox.crs}: bring both into one CRS first")
    shape = (len(areas), geobox.shape[0] * geobox.shape[1])
    usable = np.flatnonzero(~(areas.geometry.isna() | areas.geometry.is_empty).to_numpy())
    kinds = set(areas.geometry.iloc[usable].geom_type) - {"Polygon", "MultiPolygon"}
    if kinds:
        raise ModelError(f"areas must be polygons, found {', '.join(sorted(kinds))}")
    if len(usable) == 0:
        return AreaPixels(sp.csr_matrix(shape), areas.index, geobox)
    box = geobox.boundingbox
    raster = NumPyRasterSource(np.zeros(tuple(geobox.shape), np.int8), xmin=box.left, ymin=box.bottom, xmax=box.right,
                               ymax=box.top, srs_wkt=areas.crs.to_wkt())
    shapes = gpd.GeoDataFrame({"row_number": usable}, geometry=areas.geometry.to_numpy()[usable], crs=areas.crs)
    table = exact_extract(raster, shapes, ["cell_id", "coverage"], include_cols=["row_number"], output="pandas")
    counts = table["cell_id"].map(len).to_numpy()
    rows = np.repeat(table["row_number"].to_numpy(dtype=int), counts)
    cells, parts = (np.concatenate(table[name].to_list()) for name in ("cell_id", "coverage"))
    fractions = sp.csr_matrix((parts.astype(np.float64), (rows, cells.astype(np.int64))), shape=shape)
    return AreaPixels(fractions, areas.index, geobox)


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
    return area_pixels(geobox, areas).mean(covered).rename("covered_share")


def area_sum(values: np.ndarray, geobox: GeoBox, areas: gpd.GeoDataFrame) -> pd.Series:
    """Sum of a per-pixel quantity (people) in each area, by exact pixel fractions; 0 where no pixel is known."""
    return area_pixels(geobox, areas).sums(values)


def weighted_share(covered: np.ndarray, weight: np.ndarray, geobox: GeoBox, areas: gpd.GeoDataFrame) -> pd.Series:
    """Share of a weight (people, floor area) of each area that is covered; NaN where the area has no weight."""
    return area_pixels(geobox, areas).mean(covered, weight).rename("weighted_share")
