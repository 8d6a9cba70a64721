"""Outlines of labelled pixels as polygons."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import shapes


def label_polygons(labels: NDArray[np.int32], geobox: GeoBox, count: int) -> NDArray[np.object_]:
    """Polygon of the pixels of every label.

    Parameters
    ----------
    labels : ndarray of int32, shape (rows, cols)
        0 = none, else 1..count, each of which occurs.
    geobox : GeoBox
    count : int

    Returns
    -------
    ndarray of shapely geometries, shape (count,)
        Polygons, or multipolygons where the pixels of a label do not hang together by their edges.

    Examples
    --------
    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 30.0, 20.0), "EPSG:4547", 10.0)
    >>> found = label_polygons(np.array([[1, 0, 2], [0, 1, 2]], np.int32), box, 2)
    >>> [(one.geom_type, one.area) for one in found]
    [('MultiPolygon', 200.0), ('Polygon', 200.0)]
    """
    if count == 0:
        return np.zeros(0, object)
    parts = [(int(value), geometry["coordinates"]) for geometry, value in
             shapes(labels, mask=labels > 0, connectivity=4, transform=geobox.affine)]
    parts.sort(key=lambda part: part[0])
    rings = [ring for _, part in parts for ring in part]
    points = np.fromiter(_numbers(rings), np.float64, 2 * sum(map(len, rings))).reshape(-1, 2)
    per_label = np.bincount([number for number, _ in parts], minlength=count + 1)[1:]
    offsets = tuple(np.concatenate([[0], np.cumsum(sizes)]) for sizes in (
        [len(ring) for ring in rings], [len(part) for _, part in parts], per_label))
    found = shapely.from_ragged_array(shapely.GeometryType.MULTIPOLYGON, points, offsets)
    single = shapely.get_num_geometries(found) == 1
    return np.where(single, shapely.get_geometry(found, 0), found)


def _numbers(rings: Iterable[Any]) -> Iterable[float]:
    return chain.from_iterable(chain.from_iterable(rings))
