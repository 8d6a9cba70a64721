"""Gap mask: the pixels that count as uncovered."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.grid import rasterize


def gap_mask(probability: np.ndarray, geobox: GeoBox, boundary: gpd.GeoDataFrame,
             gap_probability: float) -> NDArray[np.bool_]:
    """Pixels inside the boundary whose known probability is below the gap probability.

    Parameters
    ----------
    probability : ndarray, shape (rows, cols)
        Probability of coverage; NaN where unknown, which is never a gap.
    geobox : GeoBox
    boundary : GeoDataFrame
        Polygons in the CRS of the grid; empty: the whole grid.
    gap_probability : float
        Probability that is enough.

    Examples
    --------
    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 30.0, 10.0), "EPSG:4547", 10.0)
    >>> gap_mask(np.array([[0.7, 0.75, np.nan]]), box, gpd.GeoDataFrame(geometry=[]), 0.75).tolist()
    [[True, False, False]]
    """
    with np.errstate(invalid="ignore"):
        weak = np.asarray(probability < gap_probability, np.bool_)
    if len(boundary):
        weak &= ~np.isnan(rasterize(boundary.geometry, np.ones(len(boundary)), geobox, merge="last"))
    return weak
