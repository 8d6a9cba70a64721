"""Where a raster lies: the window over the study area, coordinates that do not fit their CRS, the likely CRS."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import shapely
from affine import Affine
from pyproj.crs import ProjectedCRS
from pyproj.exceptions import ProjError
from rasterio.windows import Window

from siteplan import crs as crs_module
from siteplan.errors import CrsError

Box = tuple[float, float, float, float]
"""West, south, east, north, degrees."""
MARGIN_PX = 16
"""Pixels read beyond the study area: neighbours of the pixels at its edge."""
_FAR_DEG = 10.0


def _corners(transform: Affine, shape: tuple[int, int]) -> list[tuple[float, float]]:
    height, width = shape
    return [transform @ corner for corner in ((0, 0), (width, 0), (width, height), (0, height))]


def lonlat_bounds(transform: Affine, shape: tuple[int, int], crs: pyproj.CRS) -> Box:
    """Longitudes and latitudes that hold the corners of a raster; NaN where they cannot be transformed."""
    xs, ys = zip(*_corners(transform, shape), strict=True)
    lon, lat = crs_module.transform_points(xs, ys, crs, 4326)
    return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())


def window_of(transform: Affine, shape: tuple[int, int], crs: pyproj.CRS, bounds: Box) -> Window | None:
    """Rows and columns over a box of longitudes and latitudes, with a margin; None when the box lies outside.

    >>> window_of(Affine(0.1, 0, 100, 0, -0.1, 40), (100, 100), pyproj.CRS.from_epsg(4326), (105.0, 35.0, 105.1, 35.1))
    Window(col_off=34, row_off=33, width=33, height=33)
    """
    whole = Window(0, 0, shape[1], shape[0])
    west, south, east, north = bounds
    edge = max(east - west, north - south, 1e-9) / 16.0
    try:
        area = crs_module.transform_geometry([shapely.box(*bounds).segmentize(edge)], 4326, crs)[0]
    except CrsError:
        return whole
    xy = shapely.get_coordinates(area)
    if not np.isfinite(xy).all():
        return whole
    inverse = ~transform
    cols = inverse.a * xy[:, 0] + inverse.b * xy[:, 1] + inverse.c
    rows = inverse.d * xy[:, 0] + inverse.e * xy[:, 1] + inverse.f
    if cols.max() <= 0 or rows.max() <= 0 or cols.min() >= shape[1] or rows.min() >= shape[0]:
        return None
    left, top = (max(0, math.floor(ends.min() + 1e-6) - MARGIN_PX) for ends in (cols, rows))
    right = min(shape[1], math.ceil(cols.max() - 1e-6) + MARGIN_PX)
    bottom = min(shape[0], math.ceil(rows.max() - 1e-6) + MARGIN_PX)
    return Window(left, top, right - left, bottom - top)


def unbind(transform: Affine, shape: tuple[int, int], crs: pyproj.CRS) -> tuple[Affine, pyproj.CRS, float]:
    """Place of a raster whose CRS has parameters to WGS 84, in the same projection on CGCS2000.

    GDAL leaves such parameters out of account when it resamples to CGCS2000, so the shift is put into the transform.

    Parameters
    ----------
    transform : Affine
    shape : (rows, cols)
    crs : pyproj.CRS
        Bound to WGS 84, as ``read_crs`` gives it.

    Returns
    -------
    transform : Affine
        The best fit (least squares) over the raster; it may turn by some seconds of arc.
    crs : pyproj.CRS
        On CGCS2000.
    error_px : float
        Greatest distance between the fit and the exact place, pixels.

    Examples
    --------
    >>> bound = crs_module.read_crs("EPSG:2382", [20.0, -30.0, 10.0])
    >>> place, plain, error = unbind(Affine(10, 0, 437000, 0, -10, 2491000), (100, 100), bound)
    >>> round(place.c), round(place.f), error < 0.01
    (436992, 2491022, True)
    """
    cgcs = pyproj.CRS.from_epsg(4490)
    source = crs.source_crs
    target = cgcs
    if source is not None and source.is_projected:
        target = ProjectedCRS(conversion=source.coordinate_operation, name="CGCS2000, projection of the file",
                              geodetic_crs=cgcs)
    cols, rows = (part.ravel() for part in np.meshgrid(np.linspace(0, shape[1], 9), np.linspace(0, shape[0], 9)))
    x, y = transform.a * cols + transform.b * rows + transform.c, transform.d * cols + transform.e * rows + transform.f
    new_x, new_y = crs_module.transform_points(x, y, crs, target)
    design = np.column_stack([cols, rows, np.ones_like(cols)])
    fit, *_ = np.linalg.lstsq(design, np.column_stack([new_x, new_y]), rcond=None)
    place = Affine(*fit[:, 0].tolist(), *fit[:, 1].tolist())
    off = np.hypot(*(design @ fit - np.column_stack([new_x, new_y])).T).max() / math.sqrt(abs(place.determinant))
    return place, target, float(off)


def misplaced(transform: Affine, shape: tuple[int, int], crs: pyproj.CRS) -> str:
    """Why the coordinates of a raster cannot be of its CRS (empty: they can).

    >>> misplaced(Affine(10, 0, 437000, 0, -10, 2491000), (5, 5), pyproj.CRS.from_epsg(4490))
    '坐标 437000, 2491000 不是经纬度'
    >>> misplaced(Affine(0.1, 0, 113, 0, -0.1, 23), (5, 5), pyproj.CRS.from_epsg(4490))
    ''
    """
    corners = _corners(transform, shape)
    x, y = corners[0]
    if crs.is_geographic:
        inside = all(abs(lon) <= 360.5 and abs(lat) <= 90.5 for lon, lat in corners)
        return "" if inside else f"坐标 {x:.0f}, {y:.0f} 不是经纬度"
    if all(abs(lon) <= 180.0 and abs(lat) <= 90.0 for lon, lat in corners):
        return f"坐标 {x:g}, {y:g} 像经纬度，不是米"
    height, width = shape
    middle = transform @ (width / 2.0, height / 2.0)
    try:
        lon, lat = (float(value) for value in crs_module.transform_points(*middle, crs, 4326))
    except (CrsError, ProjError):
        return ""
    area = crs.area_of_use
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return f"坐标 {middle[0]:.0f}, {middle[1]:.0f} 在它的范围之外"
    if area is not None and not (area.west - _FAR_DEG <= lon <= area.east + _FAR_DEG
                                 and area.south - _FAR_DEG <= lat <= area.north + _FAR_DEG):
        return f"中心落在经度 {lon:.2f}、纬度 {lat:.2f}，远在它的范围之外"
    return ""


def likely_crs(transform: Affine, shape: tuple[int, int], bounds: Box | None) -> str:
    """What the numbers of a raster without CRS tell about it, as a sentence.

    Parameters
    ----------
    transform : Affine
    shape : (rows, cols)
    bounds : (west, south, east, north), optional
        Where the study is, degrees.

    Examples
    --------
    >>> likely_crs(Affine(10, 0, 38437000, 0, -10, 2491000), (5, 5), None)
    '东坐标带 3 度带带号 38，多半是 crs = "EPSG:4526"'
    """
    height, width = shape
    x, y = transform @ (width / 2.0, height / 2.0)
    if abs(x) <= 180.0 and abs(y) <= 90.0:
        swapped = "；但经度和纬度像是写反了" if 3.0 <= x <= 54.0 and 73.0 <= y <= 90.0 else ""
        return f'坐标像经纬度，多半是 crs = "EPSG:4490"（CGCS2000）或 "EPSG:4326"（WGS84）{swapped}'
    zone = math.floor(x / 1e6)
    if 25 <= zone <= 45 and 0.5e6 <= y <= 6.5e6:
        return f'东坐标带 3 度带带号 {zone}，多半是 crs = "EPSG:{4488 + zone}"'
    if 13 <= zone <= 23 and 0.5e6 <= y <= 6.5e6:
        return f'东坐标带 6 度带带号 {zone}，多半是 crs = "EPSG:{4478 + zone}"'
    if 5e4 <= x <= 9.5e5 and 0.5e6 <= y <= 6.5e6:
        fitting = [] if bounds is None else [code for code in range(4534, 4555) if _inside(x, y, code, bounds)]
        if fitting:
            return f'按研究范围，多半是 crs = "EPSG:{fitting[0]}"（CGCS2000 三度带）'
        return '坐标是不带带号的米，例如 crs = "EPSG:4547"（CGCS2000 三度带，中央经线 114°E）；请按当地中央经线选 EPSG:4534–4554'
    return "例如 crs = \"EPSG:4547\""


def _inside(x: float, y: float, code: int, bounds: Box) -> bool:
    west, south, east, north = bounds
    lon, lat = (float(value) for value in crs_module.transform_points(x, y, code, 4326))
    return west - 0.5 <= lon <= east + 0.5 and south - 0.5 <= lat <= north + 0.5
