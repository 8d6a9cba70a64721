"""Exact pixel fractions of many small polygons at once (buildings): a plain-array twin of `area_pixels`."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
MOST_CELLS = 1_000_000
"""Pixels of windows that are worked at once (the scratch arrays stay below 200 MB)."""


class PixelParts(NamedTuple):
    """Pixels of polygons, one entry for each pixel that a polygon touches.

    Attributes
    ----------
    owner : ndarray of int
        Position of the polygon, ascending.
    cell : ndarray of int
        Number of the pixel on the grid, ``row * columns + column``.
    fraction : ndarray of float
        Share 0..1 of the pixel inside the polygon.
    """

    owner: Numbers
    cell: Numbers
    fraction: Floats


def _edges(shapes: NDArray[np.object_], geobox: GeoBox) -> tuple[Floats, Floats, Numbers]:
    """Starts and ends of the edges in pixels (column, row), and the polygon of each; outer rings in one direction."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    turned = shapely.orient_polygons(parts)
    rings, part = shapely.get_rings(turned, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    affine = geobox.affine
    xy = np.column_stack([(points[:, 0] - affine.c) / affine.a, (points[:, 1] - affine.f) / affine.e])
    inner = ring[:-1] == ring[1:]
    return xy[:-1][inner], xy[1:][inner], owner[part[ring[:-1][inner]]]


def _pieces(start: Floats, end: Floats) -> tuple[Floats, Floats, Numbers]:
    """Edges cut where they cross a grid line: starts, ends, and the edge of each piece."""
    edge, at = [np.arange(len(start))] * 2, [np.zeros(len(start)), np.ones(len(start))]
    for axis in (0, 1):
        low, high = np.minimum(start[:, axis], end[:, axis]), np.maximum(start[:, axis], end[:, axis])
        first = np.floor(low).astype(np.int64) + 1
        count = np.maximum(np.ceil(high).astype(np.int64) - first, 0)
        whose = np.repeat(np.arange(len(start)), count)
        step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        line = first[whose] + step
        edge.append(whose)
        at.append((line - start[whose, axis]) / (end[whose, axis] - start[whose, axis]))
    edges, place = np.concatenate(edge), np.concatenate(at)
    order = np.lexsort((place, edges))
    edges, place = edges[order], place[order]
    same = edges[:-1] == edges[1:]
    whose, here, there = edges[:-1][same], place[:-1][same, None], place[1:][same, None]
    along = end[whose] - start[whose]
    return start[whose] + here * along, start[whose] + there * along, whose


def _window_parts(shapes: NDArray[np.object_], geobox: GeoBox) -> PixelParts:
    """Pixel parts of a handful of polygons.

    Every piece of an edge lies in one pixel. Walked in the direction of its ring it adds its height to all pixels east
    of it in its row, and to its own the part of its height east of its middle: sums along the rows are the fractions.
    """
    start, end, owner = _edges(shapes, geobox)
    box = shapely.bounds(shapes)
    affine = geobox.affine
    left = np.floor((box[:, 0] - affine.c) / affine.a).astype(np.int64)
    top = np.floor((box[:, 3] - affine.f) / affine.e).astype(np.int64)
    width = np.floor((box[:, 2] - affine.c) / affine.a).astype(np.int64) - left + 2
    height = np.floor((box[:, 1] - affine.f) / affine.e).astype(np.int64) - top + 1
    size = width * height
    offset = np.cumsum(size) - size
    one, two, edge = _pieces(start, end)
    whose = owner[edge]
    middle = (one + two) / 2.0
    col = np.clip(np.floor(middle[:, 0]).astype(np.int64) - left[whose], 0, width[whose] - 2)
    row = np.clip(np.floor(middle[:, 1]).astype(np.int64) - top[whose], 0, height[whose] - 1)
    rise = two[:, 1] - one[:, 1]
    east = 1.0 - (middle[:, 0] - left[whose] - col)
    number = offset[whose] + row * width[whose] + col
    total = int(size.sum())
    held = np.bincount(number, rise * east, total) + np.bincount(number + 1, rise * (1.0 - east), total)
    fraction = np.clip(np.abs(np.cumsum(held)), 0.0, 1.0)
    polygon = np.repeat(np.arange(len(shapes)), size)
    inner = np.arange(total) - offset[polygon]
    rows, cols = inner // width[polygon] + top[polygon], inner % width[polygon] + left[polygon]
    kept = (fraction > 1e-9) & (rows >= 0) & (rows < geobox.shape[0]) & (cols >= 0) & (cols < geobox.shape[1])
    return PixelParts(polygon[kept], rows[kept] * geobox.shape[1] + cols[kept], fraction[kept])


def pixel_parts(shapes: NDArray[np.object_], geobox: GeoBox) -> PixelParts:
    """Exact pixel fractions of polygons.

    Parameters
    ----------
    shapes : ndarray of Polygon or MultiPolygon
        In the CRS of the geobox, valid. Missing and empty ones hold no pixel, what lies off the grid neither.
    geobox : GeoBox
        Upright: rows run south, columns east.

    Returns
    -------
    PixelParts

    Notes
    -----
    The signed area of the pieces of the outline, summed along the rows of each polygon's own window, is exact but for
    rounding (1e-9 of a pixel). Fit for polygons of a few to some thousand pixels; for large ones `area_pixels` needs
    less memory.

    Examples
    --------
    >>> from siteplan.grid import study_geobox
    >>> grid = study_geobox((0.0, 0.0, 30.0, 10.0), "EPSG:4547", 10.0)
    >>> parts = pixel_parts(np.array([shapely.box(5, 0, 30, 5)]), grid)
    >>> parts.cell.tolist(), parts.fraction.tolist()
    ([0, 1, 2], [0.25, 0.5, 0.5])
    """
    usable = np.flatnonzero(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    if len(usable) == 0:
        return PixelParts(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    box = shapely.bounds(shapes[usable]) / abs(geobox.affine.a)
    cells = np.cumsum((box[:, 2] - box[:, 0] + 3.0) * (box[:, 3] - box[:, 1] + 2.0))
    cuts = np.searchsorted(cells, np.arange(MOST_CELLS, cells[-1], MOST_CELLS), side="right")
    chunks = [usable[a:b] for a, b in pairwise([0, *cuts.tolist(), len(usable)]) if a < b]
    found = [(chunk, _window_parts(shapes[chunk], geobox)) for chunk in chunks]
    return PixelParts(np.concatenate([chunk[parts.owner] for chunk, parts in found]),
                      np.concatenate([parts.cell for _, parts in found]),
                      np.concatenate([parts.fraction for _, parts in found]))
