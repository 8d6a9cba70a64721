"""Geometry of an exchange layer: of one kind, valid, flat, in its CRS; what cannot be is told."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from siteplan.crs import transform_geometry, transform_points
from siteplan.export.exchange.findings import Findings, Rows
from siteplan.profiles import Profile

Shapes = NDArray[np.object_]
_TYPES = {"Point": (0, 4), "LineString": (1, 5), "Polygon": (3, 6)}
"""Single and multi type of each kind, as shapely numbers them."""
_ZH = {-1: "空值", 0: "点", 1: "线", 2: "环", 3: "面", 4: "多点", 5: "多线", 6: "多面", 7: "几何集合"}
_MULTI = {"Point": shapely.multipoints, "LineString": shapely.multilinestrings, "Polygon": shapely.multipolygons}


def usable_rows(shapes: Shapes, profile: Profile, findings: Findings) -> NDArray[np.bool_]:
    """Rows whose shape is of the kind of the profile, not empty, all its coordinates finite; the others are told."""
    missing, empty = shapely.is_missing(shapes), shapely.is_empty(shapes)
    findings.rows(np.flatnonzero(missing | empty), "geometry", "没有几何(空)", "补全位置,或在导出方案的 where 中去掉这些行")
    kinds = shapely.get_type_id(shapes)
    good: NDArray[np.bool_] = ~(missing | empty)
    other = good & ~np.isin(kinds, _TYPES[profile.geometry])
    findings.rows(np.flatnonzero(other), "geometry",
                  lambda row: f"是{_ZH.get(int(kinds[row]), '别的几何')},图层要{_ZH[_TYPES[profile.geometry][0]]}",
                  "一个图层只能有一种几何:改正数据,或改导出方案的 geometry")
    good &= ~other
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    wild = np.zeros(len(shapes), dtype=bool)
    wild[owner[~np.isfinite(xy).all(axis=1)]] = True
    wild &= good
    findings.rows(np.flatnonzero(wild), "geometry", "坐标不是有限的数", "改正坐标")
    return good & ~wild


def moved_shapes(shapes: Shapes, source: pyproj.CRS, target: pyproj.CRS, rows: Rows, findings: Findings) -> Shapes:
    """Shapes in another CRS, flat; what cannot be transformed is told.

    Parameters
    ----------
    shapes : ndarray of shapely geometry
        Usable ones.
    source, target : pyproj.CRS
    rows : ndarray of int
        Their rows.
    findings : Findings
    """
    solid = shapely.has_z(shapes) | shapely.has_m(shapes)
    if solid.any():
        findings.changed(rows[solid], "geometry", ("有高程(Z)或测量值(M)", "只有平面坐标"), "图层是平面图形")
    moved = transform_geometry(shapes, source, target)
    bounds = shapely.bounds(moved)
    lost = ~np.isfinite(bounds).all(axis=1)
    findings.rows(rows[lost], "geometry", f"不能转换到 {target.name}", "改正坐标")
    return moved


def tidy_shapes(shapes: Shapes, kind: str, rows: Rows, findings: Findings) -> Shapes:
    """Valid shapes, all single or all multi; invalid polygons are mended and told, other invalid shapes are a problem.

    Examples
    --------
    >>> bow_tie = shapely.from_wkt(["POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))"])
    >>> findings = Findings("villages", np.array(["A"]))
    >>> tidy_shapes(bow_tie, "Polygon", np.array([0]), findings)[0].area, len(findings.adjustments)
    (2.0, 1)
    """
    out = shapes.copy()
    for number in np.flatnonzero(~shapely.is_valid(shapes)):
        why = shapely.is_valid_reason(shapes[number]).split("[")[0]
        mended = _mended(shapes[number]) if kind == "Polygon" else None
        row = rows[number:number + 1]
        if mended is None:
            findings.rows(row, "geometry", f"几何无效({why})", "改正几何")
            continue
        out[number] = mended
        findings.changed(row, "geometry", (f"无效的面({why})", f"修复后面积 {mended.area:.6g}"), "按 make_valid 修复,只留面")
    single, multi = _TYPES[kind]
    kinds = shapely.get_type_id(out)
    if (kinds == single).any() and (kinds == multi).any():
        ones = np.flatnonzero(kinds == single)
        parts, owner = shapely.get_parts(out[ones], return_index=True)
        out[ones] = _MULTI[kind](parts, indices=owner)
        findings.changed(rows[ones], "geometry", (_ZH[single], _ZH[multi]), f"图层中有{_ZH[multi]},全部写成{_ZH[multi]}")
    return out


def _mended(shape: shapely.Geometry) -> shapely.Geometry | None:
    """The polygons of a mended shape, None where it has none."""
    valid = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    parts = shapely.get_parts(valid)
    surfaces = parts[(shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)]
    if not len(surfaces):
        return None
    return surfaces[0] if len(surfaces) == 1 else shapely.multipolygons(surfaces)


def inner_points(shapes: Shapes) -> Shapes:
    """A point of every shape: itself, or one inside of it."""
    points = shapes.copy()
    other = shapely.get_type_id(shapes) != 0
    points[other] = shapely.point_on_surface(shapes[other])
    return points


def place_columns(points: Shapes, study: pyproj.CRS, crs: pyproj.CRS,
                  names: Iterable[str]) -> dict[str, NDArray[np.float64]]:
    """``x_north_m, y_east_m`` (of the CRS of the layer, of the study where that is in degrees) and ``lon, lat``.

    Parameters
    ----------
    points : ndarray of shapely Point
        In the CRS of the study; those of None are NaN.
    study, crs : pyproj.CRS
    names : iterable of str
        Columns that are asked for.

    Examples
    --------
    >>> place = shapely.points([[437507.625, 2491176.699]])
    >>> place_columns(place, pyproj.CRS(4547), pyproj.CRS(4526), ["x_north_m", "y_east_m"])
    {'x_north_m': array([2491176.699]), 'y_east_m': array([38437507.625])}
    """
    x, y = shapely.get_x(points), shapely.get_y(points)
    metric = study if crs.is_geographic else crs
    asked, values = set(names), dict[str, NDArray[np.float64]]()
    if asked & {"x_north_m", "y_east_m"}:
        east, north = (x, y) if metric == study else transform_points(x, y, study, metric)
        values |= {"x_north_m": north, "y_east_m": east}
    if asked & {"lon", "lat"}:
        lon, lat = transform_points(x, y, study, 4490)
        values |= {"lon": lon, "lat": lat}
    return {name: value for name, value in values.items() if name in asked}
