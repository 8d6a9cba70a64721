"""Geometry: swapped axes, invalid rings, wrong kinds, several points in a row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable

Shapes = NDArray[np.object_]
Mask = NDArray[np.bool_]

POINT, LINE, POLYGON = 0, 1, 3
COLLECTION = 7
_SINGLE = {0: POINT, 1: LINE, 2: LINE, 3: POLYGON, 4: POINT, 5: LINE, 6: POLYGON}
_KINDS = {"point": POINT, "line": LINE, "polygon": POLYGON}
_WORDS = {POINT: "点", LINE: "线", POLYGON: "面"}
_TYPES = {POINT: (0,), LINE: (1, 5), POLYGON: (3, 6)}
"""shapely type numbers that a layer of the kind takes as they are."""
FAR_M = (6.2e7, 2.1e7)
"""No easting (zone number included) and no northing on Earth is larger, m."""
WIDE_M = 6e6
"""No feature of a city is wider: it crosses the date line, or one of its points lies elsewhere, m."""
TOLD_AREA_SHARE = 0.01
"""A repair that changes an area by more is told with both areas."""
_FEW_ROWS = 50
"""So many rows get a line each; beyond, one line tells how many."""
_CHINA_LON, _CHINA_LAT = (73.0, 136.0), (3.0, 54.0)


def _centres(shapes: Shapes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    bounds = shapely.bounds(shapes)
    return bounds[:, 0] / 2.0 + bounds[:, 2] / 2.0, bounds[:, 1] / 2.0 + bounds[:, 3] / 2.0


def _within(values: NDArray[np.float64], low: float, high: float) -> Mask:
    return (values >= low) & (values <= high)


def swapped_lonlat(shapes: Shapes, box: tuple[float, float, float, float] | None) -> Mask:
    """Features whose longitude and latitude are exchanged.

    Sure signs only: latitude beyond 90; both values of a Chinese place in the other's range; or outside the study
    box (west, south, east, north) and inside it when exchanged.

    >>> swapped_lonlat(np.array([shapely.Point(22.5, 113.4), shapely.Point(113.4, 22.5)]), None).tolist()
    [True, False]
    """
    x, y = _centres(shapes)
    swapped = (np.abs(y) > 90.0) & (np.abs(y) <= 180.0) & (np.abs(x) <= 90.0)
    swapped |= _within(x, *_CHINA_LAT) & _within(y, *_CHINA_LON)
    if box is not None:
        west, south, east, north = box
        inside = _within(x, west, east) & _within(y, south, north)
        swapped |= ~inside & _within(y, west, east) & _within(x, south, north)
    return swapped


def swap(shapes: Shapes, swapped: Mask, log: FileLog, rows: Shapes) -> Shapes:
    """Exchange x and y of the marked features; one line each, or one line when all are."""
    if not swapped.any():
        return shapes
    out = shapes.copy()
    out[swapped] = shapely.transform(shapes[swapped], lambda xy: xy[:, ::-1])
    values = [shapely.to_wkt(shapely.centroid(shape), rounding_precision=4) for shape in shapes[swapped]]
    reason, remedy = "两个坐标写反（经纬度或东北坐标互换），已换回", "核对坐标列名"
    if swapped.all():
        log.rows(rows[swapped], "geometry", values[0], "repaired", reason, remedy)
    else:
        log.each(rows[swapped], "geometry", values, "repaired", reason, remedy)
    return out


def split_points(raw: RawTable, log: FileLog) -> tuple[RawTable, NDArray[np.int_]]:
    """One row per point where a row holds several; a collection gives its points, or else its largest surface.

    Parameters
    ----------
    raw : RawTable
        Placed rows of a layer of points.
    log : FileLog

    Returns
    -------
    raw : RawTable
        Rows that were split are labelled ``7（1/3）``; ``made`` counts the rows added.
    part : ndarray of int
        Number of the point within its row, from 1; 0 for rows that were not split.

    Examples
    --------
    >>> import pandas as pd
    >>> from siteplan.input_ledger import InputLedger
    >>> shapes = np.array([shapely.Point(0, 0), shapely.MultiPoint([(1, 1), (2, 2)])])
    >>> table = RawTable(pd.DataFrame({"a": [1, 2]}), np.array(["1", "2"], dtype=object), shapes, None, "")
    >>> found, part = split_points(table, FileLog("poles", "p.gpkg", InputLedger()))
    >>> found.rows.tolist(), part.tolist(), found.made
    (['1', '2（1/2）', '2（2/2）'], [0, 1, 2], 1)
    """
    if raw.geometry is None:
        return raw, np.zeros(len(raw.frame), dtype=int)
    shapes = np.array(raw.geometry, dtype=object)
    kinds = shapely.get_type_id(shapes)
    alone = (kinds == 4) & (shapely.get_num_geometries(shapes) == 1)
    shapes[alone] = shapely.get_geometry(shapes[alone], 0)
    counts = np.ones(len(shapes), dtype=int)
    parts: dict[int, Shapes] = {}
    for place in np.flatnonzero(np.isin(kinds, (4, COLLECTION)) & ~alone & ~shapely.is_empty(shapes)):
        points = _points_of(shapes[place], str(raw.rows[place]), log)
        if len(points) == 1:
            shapes[place] = points[0]
        elif len(points):
            parts[int(place)] = points
            counts[place] = len(points)
    if not parts:
        return replace(raw, geometry=shapes), np.zeros(len(shapes), dtype=int)
    order = np.repeat(np.arange(len(shapes)), counts)
    split = counts[order] > 1
    part = np.where(split, np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts) + 1, 0)
    out = shapes[order]
    out[split] = np.concatenate([parts[place] for place in sorted(parts)])
    rows = raw.rows[order].astype(object)
    rows[split] = [f"{row}（{number}/{count}）" for row, number, count in zip(
        rows[split], part[split], counts[order][split], strict=True)]
    reason, remedy = "一行有多个点，拆成一行一个，编号加 -1、-2……", "需要一行一个点时在 GIS 软件中拆分"
    if split.sum() <= _FEW_ROWS:
        log.each(rows[split], "geometry", ["多点"] * int(split.sum()), "repaired", reason, remedy)
    else:
        log.rows(rows[split], "geometry", f"{len(parts)} 行多点", "repaired", reason, remedy)
    made = raw.made + len(order) - len(shapes)
    return replace(raw, frame=raw.frame.iloc[order].reset_index(drop=True), rows=rows, geometry=out, made=made), part


def _flat(shape: BaseGeometry) -> Shapes:
    """Single geometries of a geometry, however deep they stand."""
    parts = np.array([shape], dtype=object)
    while (shapely.get_type_id(parts) >= 4).any():
        parts = shapely.get_parts(parts)
    return parts[~shapely.is_empty(parts)]


def _counts(parts: Shapes) -> str:
    """What parts there are: ``面 1 个、线 2 个``."""
    kinds = [_SINGLE[int(number)] for number in shapely.get_type_id(parts)]
    return "、".join(f"{_WORDS[kind]} {kinds.count(kind)} 个" for kind in (POLYGON, LINE, POINT) if kind in kinds)


def _points_of(shape: BaseGeometry, row: str, log: FileLog) -> Shapes:
    """Different points of a MultiPoint or a collection; without any, its largest surface; the rest is told."""
    parts = _flat(shape)
    kinds = np.array([_SINGLE[int(number)] for number in shapely.get_type_id(parts)], dtype=int)
    points, surfaces = parts[kinds == POINT], parts[kinds == POLYGON]
    kept = np.array(list(dict.fromkeys(shapely.force_2d(points))), dtype=object)
    if not len(points) and len(surfaces):
        kept = surfaces[[int(np.argmax(shapely.area(surfaces)))]]
        log.line(row, "geometry", _counts(parts), "repaired", "几何集合中没有点，取最大的面", "无需处理")
    elif len(points) and len(points) < len(parts):
        log.line(row, "geometry", _counts(parts), "repaired", f"几何集合中只取点，舍去{_counts(parts[kinds != POINT])}", "无需处理")
    if len(kept) < len(points):
        log.line(row, "geometry", f"{len(points)} 个点", "repaired", f"同一行有重复的点，只留 {len(kept)} 个", "无需处理")
    return kept


def mend_shapes(shapes: Shapes, log: FileLog, rows: Shapes, may_lack: Mask | None = None) -> tuple[Shapes, Mask]:
    """Refuse what is missing, empty or not finite; repair rings.

    Parameters
    ----------
    shapes : ndarray of geometry, study CRS
    log, rows
        Where lines go, and the row labels.
    may_lack : ndarray of bool, optional
        Rows that are kept without geometry.

    Returns
    -------
    shapes : ndarray of geometry
    refused : ndarray of bool

    Notes
    -----
    Rings are repaired by ``make_valid`` with the method ``structure``: a bow-tie becomes its two halves, a hole outside
    its shell goes, overlapping parts are one surface; what collapses to a line or a point goes.
    """
    out = np.array(shapes, dtype=object)
    empty = shapely.is_missing(out) | shapely.is_empty(out)
    lacking = np.zeros(len(out), dtype=bool) if may_lack is None else (may_lack & empty)
    out[lacking] = None
    refused = empty & ~lacking
    untold = refused & ~np.isin(rows, list(_told(log))) if refused.any() else refused
    log.each(rows[untold], "geometry", [""] * int(untold.sum()), "refused", "没有几何或坐标，或几何无法解析", "补充坐标")
    xy, owner = shapely.get_coordinates(out, return_index=True)
    wild = np.zeros(len(out), dtype=bool)
    wild[owner[~(np.abs(xy) <= FAR_M).all(axis=1)]] = True
    log.each(rows[wild], "geometry", [""] * int(wild.sum()), "refused", "坐标不是有限的数，或不在坐标系范围内", "核对坐标和坐标系")
    bounds = shapely.bounds(out)
    with np.errstate(invalid="ignore"):
        size = np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    wide = ~wild & (size > WIDE_M)
    log.each(rows[wide], "geometry", [f"{metres / 1e3:.0f} km" for metres in size[wide]], "refused",
             f"图形跨度超过 {WIDE_M / 1e3:g} km（跨 180° 经线，或个别点的坐标有错）", "核对坐标")
    refused |= wild | wide
    invalid = np.flatnonzero(~refused & ~lacking & ~shapely.is_valid(out))
    if len(invalid):
        mended = _made_valid(out[invalid])
        refused[invalid[_tell_repairs(out[invalid], mended, rows[invalid], log)]] = True
        out[invalid] = mended
    return out, refused


def _made_valid(shapes: Shapes) -> Shapes:
    """Valid shapes; a hole outside its shell goes (``make_valid`` would make a surface of it)."""
    out = shapely.make_valid(shapes, method="structure", keep_collapsed=False)
    for place in np.flatnonzero(np.isin(shapely.get_type_id(shapes), _TYPES[POLYGON])):
        parts = _flat(shapes[place])
        if shapely.get_num_interior_rings(parts).any():
            shells = shapely.polygons(shapely.get_exterior_ring(parts))
            shells = shapely.make_valid(shells, method="structure", keep_collapsed=False)
            out[place] = shapely.intersection(out[place], shapely.union_all(shells))
    return out


def _told(log: FileLog) -> set[str]:
    """Rows of the file that have a refused line already, such as those with unreadable coordinates."""
    return {line.row for line in log.ledger
            if line.action == "refused" and line.layer == log.layer and line.file == log.file and line.row}


def _tell_repairs(old: Shapes, new: Shapes, rows: Shapes, log: FileLog) -> Mask:
    """A line per repaired row; those of which nothing is left are refused."""
    before, after = shapely.area(old), shapely.area(new)
    lost = shapely.is_empty(new)
    dropped = shapely.get_dimensions(old) > shapely.get_dimensions(new)
    for row, why, gone, lower, first, last in zip(rows, shapely.is_valid_reason(old), lost, dropped, before, after,
                                                  strict=True):
        if gone or lower:
            log.line(row, "geometry", why, "refused", "图形退化（面缩成线、线缩成点），修复后什么也不剩", "重新绘制")
            continue
        changed = abs(last - first) > TOLD_AREA_SHARE * max(first, last)
        told = f"，面积由 {first:.1f} 变为 {last:.1f} m²" if changed else ""
        log.line(row, "geometry", why, "repaired", f"图形自相交或环有错，已修复{told}", "核对修复后的图形")
    return lost | dropped


def across_date_line(shapes: Shapes, log: FileLog, rows: Shapes) -> Mask:
    """Features in degrees that are wider than half the Earth, each with a refused line."""
    bounds = shapely.bounds(shapes)
    with np.errstate(invalid="ignore"):
        widths = bounds[:, 2] - bounds[:, 0]
    across = np.asarray(widths > 180.0)
    log.each(rows[across], "geometry", [f"{width:.1f}°" for width in widths[across]], "refused",
             "图形跨 180° 经线", "核对坐标")
    return across


def fit_kind(shapes: Shapes, kind: str, usable: Mask, log: FileLog, rows: Shapes) -> tuple[Shapes, Mask]:
    """Geometry of the kind that the layer wants.

    Surfaces of a layer of points become a point inside; closed lines of a layer of surfaces become surfaces; of a
    collection the parts of the wanted kind stay (of the highest dimension where any kind will do).

    Parameters
    ----------
    shapes : ndarray of geometry, study CRS, valid
    kind : {"point", "line", "polygon", "any", "none"}
    usable : ndarray of bool
        Rows to look at.
    log, rows
        Where lines go, and the row labels.

    Returns
    -------
    shapes : ndarray of geometry
    refused : ndarray of bool
    """
    out, refused = np.array(shapes, dtype=object), np.zeros(len(shapes), dtype=bool)
    if kind == "none":
        return out, refused
    out, types = _ring_lines(out, shapely.get_type_id(out))
    if kind == "point":
        areas = usable & np.isin(types, _TYPES[POLYGON])
        out[areas] = shapely.point_on_surface(out[areas])
        log.rows(rows[areas], "geometry", "面", "repaired", "图层需要点，面取其内部代表点", "无需处理")
    if kind == "polygon":
        closed = usable & (types == 1) & shapely.is_ring(out)
        rings = shapely.linearrings(shapely.get_coordinates(out[closed]), indices=_owners(out[closed]))
        out[closed] = shapely.polygons(rings)
        log.rows(rows[closed], "geometry", "闭合线", "repaired", "图层需要面，闭合的线按面", "无需处理")
    types = shapely.get_type_id(out)
    wanted = () if kind == "any" else _TYPES[_KINDS[kind]]
    other = types == COLLECTION if kind == "any" else ~np.isin(types, wanted)
    for place in np.flatnonzero(usable & other):
        out[place], refused[place] = _of_kind(out[place], kind, str(rows[place]), log)
    return out, refused


def _owners(shapes: Shapes) -> NDArray[np.int_]:
    return np.repeat(np.arange(len(shapes)), shapely.get_num_coordinates(shapes))


def _ring_lines(shapes: Shapes, types: NDArray[np.int_]) -> tuple[Shapes, NDArray[np.int_]]:
    """Linear rings as the closed lines they are."""
    rings = types == 2
    if rings.any():
        shapes[rings] = shapely.linestrings(shapely.get_coordinates(shapes[rings]), indices=_owners(shapes[rings]))
        types = np.where(rings, LINE, types)
    return shapes, types


def _of_kind(shape: BaseGeometry, kind: str, row: str, log: FileLog) -> tuple[BaseGeometry | None, bool]:
    """Parts of the wanted kind of one geometry, or None and that it was refused."""
    parts = _flat(shape)
    kinds = np.array([_SINGLE[int(number)] for number in shapely.get_type_id(parts)], dtype=int)
    wanted = int(kinds.max(initial=0)) if kind == "any" else _KINDS[kind]
    mine = parts[kinds == wanted]
    if not len(mine):
        log.line(row, "geometry", shape.geom_type, "refused",
                 f"图层需要{_WORDS[wanted]}，这是{_counts(parts) or '空的集合'}", "换用正确的图层")
        return None, True
    if len(mine) < len(parts):
        log.line(row, "geometry", shape.geom_type, "repaired",
                 f"几何集合中只取{_WORDS[wanted]}，舍去{_counts(parts[kinds != wanted])}", "核对舍去的部分")
    if wanted == POLYGON:
        return shapely.union_all(mine), False
    if wanted == LINE:
        return shapely.multilinestrings(mine), False
    return (mine[0], False) if len(mine) == 1 else (shapely.multipoints(mine), False)
