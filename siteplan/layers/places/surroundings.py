"""What lies around the study: beyond its margin refused, within it kept as context, too large or too small told."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from siteplan.layers.file_log import FileLog
from siteplan.layers.places.geometry import TOLD_AREA_SHARE

Shapes = NDArray[np.object_]
Mask = NDArray[np.bool_]

HUGE_TIMES = 10.0
"""A surface so many times larger than the study area is told."""
LEAST_AREA_M2 = 1.0
"""A smaller surface is a remnant of drawing, m2."""


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


def inside_boundary(shapes: Shapes, boundary: BaseGeometry) -> Mask:
    """Features that count: points in or on the boundary, lines and surfaces with a real part within it.

    A neighbour that shares an edge, or reaches over it by less than 1 % of its own and of the boundary's area, does
    not count.

    Examples
    --------
    >>> town = shapely.box(0, 0, 100, 100)
    >>> shapes = np.array([shapely.Point(100, 50), shapely.box(100, 0, 200, 100), shapely.box(90, 0, 190, 100)])
    >>> inside_boundary(shapes, town).tolist()
    [True, False, True]
    """
    shapely.prepare(boundary)
    inside: Mask = np.asarray(shapely.covers(boundary, shapes), dtype=bool)
    size = shapely.get_dimensions(shapes)
    edge = np.flatnonzero(~inside & (size > 0) & shapely.intersects(boundary, shapes))
    parts = shapely.intersection(boundary, shapes[edge])
    surface = size[edge] == 2
    share = np.where(surface, _ratio(shapely.area(parts), shapely.area(shapes[edge])),
                     _ratio(shapely.length(parts), shapely.length(shapes[edge])))
    own = np.where(surface, shapely.area(parts) / boundary.area, 0.0)
    inside[edge] = (share >= TOLD_AREA_SHARE) | (own >= TOLD_AREA_SHARE)
    return inside


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def tell_context(inside: Mask, log: FileLog, rows: Shapes, context_m: float) -> None:
    """One note: how many rows are kept as context only."""
    log.rows(rows[~inside], "geometry", f"{int((~inside).sum())} 行", "note",
             f"在规划范围之外、{context_m:g} m 以内，作为周边背景保留：参与信号、遮挡和干扰的计算，不计入统计，不作候选站址", "无需处理")


def tell_sizes(shapes: Shapes, boundary: BaseGeometry | None, log: FileLog, rows: Shapes) -> None:
    """Surfaces that are absurdly large, or next to nothing, are kept and told."""
    areas = shapely.area(shapes)
    tiny = (shapely.get_dimensions(shapes) == 2) & (areas < LEAST_AREA_M2)
    log.rows(rows[tiny], "geometry", f"{areas[tiny].max(initial=0.0):.2f} m²", "note",
             f"面积不足 {LEAST_AREA_M2:g} m²，可能是绘图残余", "核对图形")
    if boundary is None:
        return
    huge = areas > HUGE_TIMES * boundary.area
    log.each(rows[huge], "geometry", [f"{area / 1e6:.1f} km²" for area in areas[huge]], "note",
             f"面积超过规划范围的 {HUGE_TIMES:g} 倍", "核对坐标和坐标系")
