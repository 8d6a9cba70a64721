"""Results of areas after a part of a coverage changed: only the areas that it touches are judged anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.errors import ModelError
from siteplan.gaps.judging.areas import assess_areas
from siteplan.gaps.judging.rules import Rule
from siteplan.gaps.judging.shares import AreaPixels
from siteplan.gaps.people.demand import Demand
from siteplan.grid import inside, pixel_of

Window = tuple[slice, slice]
Positions = NDArray[np.intp]


def touched_areas(pixels: AreaPixels, window: Window) -> Positions:
    """Positions of the areas that hold a pixel of the window.

    Parameters
    ----------
    pixels : AreaPixels
    window : (slice, slice)
        Rows and columns of the grid, without a step; what lies beyond the grid holds no pixel.

    Returns
    -------
    ndarray of int
        Rising positions in ``pixels.index``.

    Raises
    ------
    ModelError
        The window has a step.

    Examples
    --------
    >>> from odc.geo.geobox import GeoBox
    >>> from shapely import box
    >>> from siteplan.gaps.judging.shares import area_pixels
    >>> grid = GeoBox.from_bbox((0, 0, 40, 40), crs="EPSG:4547", resolution=10)
    >>> areas = gpd.GeoDataFrame(geometry=[box(0, 0, 10, 10), box(20, 20, 40, 40)], index=["a", "b"], crs="EPSG:4547")
    >>> touched_areas(area_pixels(grid, areas), (slice(0, 2), slice(0, 3))).tolist()
    [1]
    """
    (top, bottom), (left, right) = _limits(pixels, window)
    first_row, last_row, first_col, last_col = pixels.bounds.T
    near = np.flatnonzero((first_row < bottom) & (last_row >= top) & (first_col < right) & (last_col >= left))
    whole = (first_row >= top) & (last_row < bottom) & (first_col >= left) & (last_col < right)
    indptr, cells, columns = pixels.fractions.indptr, pixels.fractions.indices, np.int32(pixels.geobox.shape[1])
    hit = whole[near]
    for k in np.flatnonzero(~hit):
        own = cells[indptr[near[k]]:indptr[near[k] + 1]]
        own = own[np.searchsorted(own, top * columns):np.searchsorted(own, bottom * columns)]
        col = own % columns
        hit[k] = ((col >= left) & (col < right)).any()
    return near[hit]


def reassess(table: pd.DataFrame, areas: gpd.GeoDataFrame, probability: np.ndarray, demand: Demand, rule: Rule,
             pixels: AreaPixels, window: Window, **tables: Any) -> pd.DataFrame:
    """Results of all areas after the probability changed inside a window.

    Areas that hold a pixel of the window, or one of whose points lies there, are judged anew by
    :func:`~siteplan.gaps.judging.areas.assess_areas`; the others keep their rows. The answer is that of judging all
    anew, as long as nothing but the probability (and the ``indoor`` one) inside the window differs from when ``table``
    was made. When sites were added or moved and the rule asks for sites (``site_within_m``), all areas are judged anew.

    Parameters
    ----------
    table : DataFrame
        What ``assess_areas`` gave before, on the index of the areas.
    areas : GeoDataFrame
    probability : ndarray, shape (rows, cols)
        After the change.
    demand : Demand
    rule : Rule
    pixels : AreaPixels
        Of the areas.
    window : (slice, slice)
        Rows and columns in which the probability may have changed.
    **tables
        ``points``, ``sites``, ``indoor``, ``key_points``, as ``assess_areas`` takes them.

    Returns
    -------
    DataFrame
        As ``assess_areas`` gives it.

    Raises
    ------
    ModelError
        The table is not on the index of the areas, or the window has a step.
    """
    if not table.index.equals(areas.index) or not pixels.index.equals(areas.index):
        raise ModelError("results, pixel fractions and areas must share one index")
    if rule.site_within_m is not None and tables.get("sites") is not None:
        return assess_areas(areas, probability, demand, rule, pixels=pixels, **tables)
    touched = touched_areas(pixels, window)
    for name, key in _POINTS:
        points = tables.get(name)
        if points is not None and key in points:
            codes = points[key].astype(str).to_numpy()
            touched = np.union1d(touched, _owners(codes, points, areas.index, demand, _limits(pixels, window)))
    if len(touched) == 0:
        return table.copy()
    return _replaced(table, _assess_some(touched, areas, probability, demand, rule, pixels, tables))


_POINTS = (("points", "village_code"), ("key_points", "zone_id"))
"""Tables of points, and the column that says whose they are."""


def _limits(pixels: AreaPixels, window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    """Start and stop of the rows and of the columns of a window, on the grid."""
    if any(axis.step not in (None, 1) for axis in window):
        raise ModelError(f"a window has no step: {window}")
    (top, bottom, _), (left, right, _) = (axis.indices(size)
                                          for axis, size in zip(window, pixels.geobox.shape, strict=True))
    return (top, bottom), (left, right)


def _places(points: gpd.GeoDataFrame, demand: Demand) -> tuple[Positions, NDArray[np.int64], NDArray[np.int64]]:
    """Which points lie on the grid, and their rows and columns."""
    placed = np.flatnonzero(~(points.geometry.isna() | points.geometry.is_empty).to_numpy())
    where = points.geometry.iloc[placed]
    rows, cols = pixel_of(demand.geobox, where.x.to_numpy(), where.y.to_numpy())
    on = inside(demand.geobox, rows, cols)
    return placed[on], rows[on], cols[on]


def _owners(codes: NDArray[np.object_], points: gpd.GeoDataFrame, index: pd.Index, demand: Demand,
            limits: tuple[tuple[int, int], tuple[int, int]]) -> Positions:
    """Positions of the areas that own a point inside the window, wherever the area itself lies."""
    (top, bottom), (left, right) = limits
    which, rows, cols = _places(points, demand)
    hit = (rows >= top) & (rows < bottom) & (cols >= left) & (cols < right)
    return np.flatnonzero(index.astype(str).isin(codes[which[hit]]))


def _assess_some(touched: Positions, areas: gpd.GeoDataFrame, probability: np.ndarray, demand: Demand, rule: Rule,
                 pixels: AreaPixels, tables: dict[str, Any]) -> pd.DataFrame:
    """Results of some areas, computed on the part of the grid that holds them and their points."""
    own = dict(tables)
    extent = [pixels.bounds[touched][pixels.bounds[touched][:, 1] >= 0]]
    codes = areas.index[touched].astype(str)
    for name, key in _POINTS:
        if own.get(name) is not None and key in own[name]:
            held_by = own[name][key].astype(str).isin(codes)
            _, rows, cols = _places(own[name][held_by], demand)
            extent.append(np.column_stack([rows, rows, cols, cols]))
            own[name] = own[name][held_by] if held_by.any() else own[name].iloc[:1]  # none here is not no layer
    held = np.concatenate(extent)
    (rows_in, cols_in) = ((slice(int(held[:, 2 * axis].min()), int(held[:, 2 * axis + 1].max()) + 1)
                           for axis in (0, 1)) if len(held) else (slice(0, 1), slice(0, 1)))
    crop = (rows_in, cols_in)
    if own.get("indoor") is not None:
        own["indoor"] = own["indoor"][crop]
    part = pixels.rows(touched).crop(*crop)
    there = replace(demand, per_pixel=demand.per_pixel[crop], geobox=part.geobox)
    return assess_areas(areas.iloc[touched], probability[crop], there, rule, pixels=part, **own)


def _replaced(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The table with these rows in place of its own."""
    where = table.index.get_indexer(rows.index)
    columns = {}
    for name in table.columns:
        values = table[name].array.copy()
        values[where] = rows[name].array
        columns[name] = values
    return pd.DataFrame(columns, index=table.index)
