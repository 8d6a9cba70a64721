"""Geometry: swapped axes, invalid rings, wrong kinds, features outside the study."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from siteplan.layers.file_log import FileLog

Shapes = NDArray[np.object_]
Mask = NDArray[np.bool_]

POINT, LINE, POLYGON = 0, 1, 3
_SINGLE = {0: POINT, 1: LINE, 2: LINE, 3: POLYGON, 4: POINT, 5: LINE, 6: POLYGON}
_KIND_WORDS = {"point": "点", "line": "线", "polygon": "面"}
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


def swapped_plane(shapes: Shapes) -> Mask:
    """Features whose easting and northing are exchanged, by the size of the numbers in Gauss-Kruger zones of China."""
    x, y = _centres(shapes)

    def east(values: NDArray[np.float64]) -> Mask:
        return _within(values, 1e5, 9e5) | _within(values, 2.4e7, 4.6e7)

    def north(values: NDArray[np.float64]) -> Mask:
        return _within(values, 1.0e6, 6.2e6)

    return east(y) & north(x)


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


def clean_shapes(shapes: Shapes, kind: str, log: FileLog, rows: Shapes, may_lack: Mask | None = None,
                 ) -> tuple[Shapes, Mask]:
    """Mend what can be mended, refuse the rest.

    Parameters
    ----------
    shapes : ndarray of geometry, study CRS
    kind : {"point", "line", "polygon", "any"}
        What the layer wants.
    log, rows
        Where lines go, and the row labels.
    may_lack : ndarray of bool, optional
        Rows that are kept without geometry.

    Returns
    -------
    shapes : ndarray of geometry
    refused : ndarray of bool
    """
    out = np.array(shapes, dtype=object)
    empty = shapely.is_missing(out) | shapely.is_empty(out)
    lacking = np.zeros(len(out), dtype=bool) if may_lack is None else (may_lack & empty)
    out[lacking] = None
    refused = empty & ~lacking
    log.each(rows[refused], "geometry", [""] * int(refused.sum()), "refused", "没有几何或坐标，或几何无法解析", "补充坐标")
    wild = ~empty & ~np.isfinite(shapely.bounds(out)).all(axis=1)
    wild |= ~empty & np.isnan(shapely.bounds(out)).any(axis=1)
    log.each(rows[wild], "geometry", [""] * int(wild.sum()), "refused", "坐标不是有限的数，或不在坐标系范围内", "核对坐标和坐标系")
    refused |= wild
    usable = ~refused & ~lacking
    invalid = usable & ~shapely.is_valid(out)
    why = shapely.is_valid_reason(out[invalid])
    out[invalid] = shapely.make_valid(out[invalid])
    log.each(rows[invalid], "geometry", why, "repaired", "图形自相交或环有错，已修复", "核对修复后的图形")
    if kind == "point":
        areas = usable & np.isin(shapely.get_type_id(out), (3, 6))
        out[areas] = shapely.point_on_surface(out[areas])
        log.rows(rows[areas], "geometry", "面", "repaired", "图层需要点，面取其内部代表点", "无需处理")
    for place in np.flatnonzero(usable & _of_other_kind(out, kind)):
        mended, reason = _to_kind(out[place], kind)
        name = shapely.get_type_id(out[place]) if mended is None else 0
        if mended is None:
            log.line(rows[place], "geometry", out[place].geom_type, "refused",
                     f"图层需要{_KIND_WORDS[kind]}，这是{_type_word(int(name))}", "换用正确的图层")
            refused[place] = True
        elif reason:
            log.line(rows[place], "geometry", out[place].geom_type, "repaired", reason, "无需处理")
        out[place] = mended
    return out, refused


def _type_word(type_id: int) -> str:
    return {POINT: "点", LINE: "线", POLYGON: "面"}.get(_SINGLE.get(type_id, -1), "集合")


def _of_other_kind(shapes: Shapes, kind: str) -> Mask:
    if kind in ("any", "none"):
        return np.zeros(len(shapes), dtype=bool)
    wanted = {"point": (0,), "line": (1, 5), "polygon": (3, 6)}[kind]
    return ~np.isin(shapely.get_type_id(shapes), wanted)


def _to_kind(shape: BaseGeometry, kind: str) -> tuple[BaseGeometry | None, str]:
    """Geometry of the wanted kind and what was done, or None."""
    wanted = {"point": POINT, "line": LINE, "polygon": POLYGON}[kind]
    own = _SINGLE.get(int(shapely.get_type_id(shape)))
    if kind == "point" and own == POINT:
        parts = shapely.get_parts(shape)
        return parts[0], "" if len(parts) == 1 else "一行有多个点，取第一个"
    if own is None:
        parts = [part for part in shapely.get_parts(shape) if _SINGLE.get(int(shapely.get_type_id(part))) == wanted]
        if parts and kind == "polygon":
            return shapely.union_all(parts), "几何集合中只取面"
        if parts and kind == "line":
            return shapely.multilinestrings([p for part in parts for p in shapely.get_parts(part)]), "几何集合中只取线"
        return (parts[0], "几何集合中只取第一个点") if parts else (None, "")
    if kind == "line" and int(shapely.get_type_id(shape)) == 2:
        return shapely.linestrings(shapely.get_coordinates(shape)), ""
    return None, ""


def outside(shapes: Shapes, area: BaseGeometry | None, log: FileLog, rows: Shapes, refused: Mask,
            context_m: float) -> Mask:
    """Rows that lie wholly outside the study area and its surroundings, each with a line."""
    out = np.zeros(len(shapes), dtype=bool)
    if area is None:
        return out
    shapely.prepare(area)
    present = ~refused & ~shapely.is_missing(shapes)
    out[present] = ~shapely.intersects(area, shapes[present])
    log.each(rows[out], "geometry", [shapely.to_wkt(shapely.centroid(shape), rounding_precision=0)
                                     for shape in shapes[out]], "refused",
             f"范围外：在规划范围之外 {context_m:g} m 以上", "属于本市时核对坐标和坐标系，否则无需处理")
    return out
