"""Coordinate reference systems and Chinese datums. Order is always (lon, lat) or (x easting, y northing).

WGS 84 and CGCS2000 are taken as equal (PROJ has only a ballpark no-op between them; they differ by centimetres, far
below what siting needs). Beijing 1954 and Xian 1980 are refused: no official parameters are public.
GCJ-02 and BD-09 are not reference systems but published distortions of longitude and latitude.
"""

from __future__ import annotations

import math
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj.exceptions import CRSError as ProjCrsError
from pyproj.exceptions import ProjError

from siteplan.errors import CrsError, Problem

Floats = NDArray[np.float64]

GCJ_AXIS_M = 6378245.0
"""Semi-major axis in the published GCJ-02 formula (Krassovsky ellipsoid), m."""
GCJ_ECCENTRICITY2 = 0.00669342162296594323
"""Squared eccentricity in the published GCJ-02 formula."""
CHINA_BOX = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north, degrees: outside it GCJ-02 and BD-09 values are taken as WGS 84, unchanged."""
DATUMS = ("wgs84", "cgcs2000", "gcj02", "bd09")
"""Datums of longitude and latitude that are understood."""

_BD_PI = math.pi * 3000.0 / 180.0
_ITERATIONS = 40
_TOLERANCE_DEG = 1e-11
_SAME_DATUM = ("wgs 84", "wgs_1984", "world geodetic system 1984", "china 2000", "china_2000", "cgcs2000",
               "china geodetic coordinate system 2000")
_REFUSED_DATUM = ("beijing 1954", "xian 1980", "beijing_1954", "xian_1980", "new beijing")


def _inside_china(lon: Floats, lat: Floats) -> NDArray[np.bool_]:
    west, south, east, north = CHINA_BOX
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


def _gcj_shift(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Shift of GCJ-02 at a WGS 84 point, degrees (the published formula)."""
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    common = (20.0 * np.sin(6.0 * x * math.pi) + 20.0 * np.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    dlat = (-100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common
            + (20.0 * np.sin(y * math.pi) + 40.0 * np.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
            + (160.0 * np.sin(y / 12.0 * math.pi) + 320.0 * np.sin(y * math.pi / 30.0)) * 2.0 / 3.0)
    dlon = (300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common
            + (20.0 * np.sin(x * math.pi) + 40.0 * np.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
            + (150.0 * np.sin(x / 12.0 * math.pi) + 300.0 * np.sin(x / 30.0 * math.pi)) * 2.0 / 3.0)
    radians = np.radians(lat)
    magic = 1.0 - GCJ_ECCENTRICITY2 * np.sin(radians) ** 2
    root_magic = np.sqrt(magic)
    dlat = dlat * 180.0 / (GCJ_AXIS_M * (1.0 - GCJ_ECCENTRICITY2) / (magic * root_magic) * math.pi)
    dlon = dlon * 180.0 / (GCJ_AXIS_M / root_magic * np.cos(radians) * math.pi)
    return dlon, dlat


def _wgs_to_gcj(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    dlon, dlat = _gcj_shift(lon, lat)
    return lon + dlon, lat + dlat


def _gcj_to_bd(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    radius = np.sqrt(lon * lon + lat * lat) + 0.00002 * np.sin(lat * _BD_PI)
    theta = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_PI)
    return radius * np.cos(theta) + 0.0065, radius * np.sin(theta) + 0.006


def _wgs_to_bd(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    return _gcj_to_bd(*_wgs_to_gcj(lon, lat))


_FORWARD = {"gcj02": _wgs_to_gcj, "bd09": _wgs_to_bd}


def _as_pair(lon: ArrayLike, lat: ArrayLike, datum: str) -> tuple[Floats, Floats]:
    if datum not in DATUMS:
        raise CrsError(f"坐标基准 {datum!r} 不认识；可用：{', '.join(DATUMS)}")
    first, second = np.broadcast_arrays(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))
    return np.array(first), np.array(second)


def from_wgs84(lon: ArrayLike, lat: ArrayLike, datum: str) -> tuple[Floats, Floats]:
    """Convert WGS 84 longitude and latitude to another datum.

    Parameters
    ----------
    lon, lat : array_like
        WGS 84 degrees, any shapes that broadcast.
    datum : {"wgs84", "cgcs2000", "gcj02", "bd09"}
        Datum wanted. ``cgcs2000`` equals ``wgs84`` here.

    Returns
    -------
    lon, lat : ndarray of float64
        Degrees. Points outside `CHINA_BOX` are unchanged; NaN stays NaN.

    Raises
    ------
    CrsError
        The datum is not known.

    Notes
    -----
    The GCJ-02 formula is the one published in many open tools, not an official document.

    Examples
    --------
    >>> lon, lat = from_wgs84(113.3928, 22.5168, "gcj02")
    >>> round(float(lon), 7), round(float(lat), 7)
    (113.3982823, 22.5141106)
    """
    lon_in, lat_in = _as_pair(lon, lat, datum)
    if datum not in _FORWARD:
        return lon_in, lat_in
    inside = _inside_china(lon_in, lat_in)
    new_lon, new_lat = _FORWARD[datum](lon_in, lat_in)
    return np.where(inside, new_lon, lon_in), np.where(inside, new_lat, lat_in)


def to_wgs84(lon: ArrayLike, lat: ArrayLike, datum: str) -> tuple[Floats, Floats]:
    """Convert longitude and latitude of a datum to WGS 84.

    The inverse is iterated (a fixed point of the forward formula) until going there and back agrees to better than
    1e-9 degrees, about 0.1 mm.

    Parameters
    ----------
    lon, lat : array_like
        Degrees in `datum`, any shapes that broadcast.
    datum : {"wgs84", "cgcs2000", "gcj02", "bd09"}

    Returns
    -------
    lon, lat : ndarray of float64
        WGS 84 degrees. Points outside `CHINA_BOX` are unchanged; NaN stays NaN.

    Raises
    ------
    CrsError

    Examples
    --------
    >>> lon, lat = to_wgs84([113.3982823], [22.5141106], "gcj02")
    >>> [round(float(v), 6) for v in (lon[0], lat[0])]
    [113.3928, 22.5168]
    """
    lon_in, lat_in = _as_pair(lon, lat, datum)
    if datum not in _FORWARD:
        return lon_in, lat_in
    inside = _inside_china(lon_in, lat_in)
    forward = _FORWARD[datum]
    target_lon, target_lat = np.where(inside, lon_in, 105.0), np.where(inside, lat_in, 35.0)
    new_lon, new_lat = target_lon.copy(), target_lat.copy()
    for _ in range(_ITERATIONS):
        got_lon, got_lat = forward(new_lon, new_lat)
        error_lon, error_lat = target_lon - got_lon, target_lat - got_lat
        new_lon, new_lat = new_lon + error_lon, new_lat + error_lat
        if max(np.max(np.abs(error_lon), initial=0.0), np.max(np.abs(error_lat), initial=0.0)) < _TOLERANCE_DEG:
            break
    return np.where(inside, new_lon, lon_in), np.where(inside, new_lat, lat_in)


def plan_epsg(lon: float) -> int:
    """EPSG code of the 3-degree CGCS2000 Gauss-Kruger zone of a longitude, easting without zone number.

    Zone = floor((lon + 1.5) / 3), code = 4509 + zone, zones 25 to 45 (4534 to 4554).

    Raises
    ------
    CrsError
        The longitude is outside 73.5 to 136.5 degrees east.

    Examples
    --------
    >>> plan_epsg(113.4), plan_epsg(109.03), plan_epsg(104.83)
    (4547, 4545, 4544)
    """
    if not 73.5 <= lon < 136.5:
        raise CrsError(f"经度 {lon:g} 不在 CGCS2000 三度带范围（73.5–136.5）内；请在研究文件 [study] 中写明 crs")
    return 4509 + math.floor((lon + 1.5) / 3.0)


def utm_epsg(lon: float, lat: float) -> int:
    """EPSG code of the WGS 84 UTM zone of a place, used outside China.

    >>> utm_epsg(9.5, 47.1)
    32632
    """
    zone = min(60, max(1, math.floor((lon + 180.0) / 6.0) + 1))
    return (32600 if lat >= 0 else 32700) + zone


def read_crs(crs: Any) -> pyproj.CRS:
    """Parse a CRS and refuse those that cannot be transformed honestly.

    Parameters
    ----------
    crs : str, int or pyproj.CRS
        EPSG code, WKT, PROJ text or a CRS object.

    Returns
    -------
    pyproj.CRS

    Raises
    ------
    CrsError
        It cannot be parsed, or rests on Beijing 1954 or Xian 1980 (no official parameters to CGCS2000).

    Examples
    --------
    >>> read_crs("EPSG:4490").name
    'China Geodetic Coordinate System 2000'
    """
    try:
        parsed = pyproj.CRS.from_user_input(crs)
    except ProjCrsError:
        raise _crs_error(crs, "坐标系无法识别", "请写 EPSG 编号，例如 EPSG:4547（CGCS2000 三度带 114E）") from None
    geodetic = parsed.geodetic_crs
    names = " ".join(str(name) for name in (parsed.name, geodetic and geodetic.name,
                                            geodetic and geodetic.datum and geodetic.datum.name)).lower()
    if any(word in names for word in _REFUSED_DATUM):
        raise _crs_error(parsed.name, "北京54、西安80 没有公开的官方转换参数，不能直接转到 CGCS2000",
                         "请用控制点或七参数在 GIS 软件中转换为 CGCS2000 后再提供")
    return parsed


def _crs_error(crs: Any, reason: str, remedy: str) -> CrsError:
    return CrsError(f"坐标系 {crs} 不能使用", [Problem("study", "", "", "crs", f"{crs}：{reason}", remedy)])


def require_projected(crs: Any) -> pyproj.CRS:
    """Return the CRS if distances and areas can be measured in it, in metres.

    Parameters
    ----------
    crs : str, int, pyproj.CRS or None

    Returns
    -------
    pyproj.CRS

    Raises
    ------
    CrsError
        It is missing, geographic, not in metres, Web Mercator, or on a refused datum.

    Examples
    --------
    >>> require_projected("EPSG:4547").to_epsg()
    4547
    """
    remedy = "请改用以米为单位的投影坐标系，例如 EPSG:4547（CGCS2000 三度带 114E）"
    if crs is None:
        raise _crs_error("（空）", "没有坐标系", remedy)
    parsed = read_crs(crs)
    if not parsed.is_projected:
        raise _crs_error(parsed.name, "不是投影坐标系，不能量距离和面积", remedy)
    if any(axis.unit_name not in ("metre", "meter") for axis in parsed.axis_info[:2]):
        raise _crs_error(parsed.name, "单位不是米", remedy)
    operation = parsed.coordinate_operation
    if operation is not None and "pseudo" in operation.method_name.lower():
        raise _crs_error(parsed.name, "Web 墨卡托会把距离放大 8–19 %", remedy)
    return parsed


def _is_plan_datum(crs: pyproj.CRS) -> bool:
    geodetic = crs.geodetic_crs
    if geodetic is None or geodetic.datum is None:
        return False
    text = f"{geodetic.name} {geodetic.datum.name}".lower()
    return any(name in text for name in _SAME_DATUM)


def _transformer(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
    """Transformer in x, y order; ballpark only between WGS 84 and CGCS2000."""
    ballpark = _is_plan_datum(source) and _is_plan_datum(target)
    try:
        return pyproj.Transformer.from_crs(source, target, always_xy=True, allow_ballpark=ballpark)
    except ProjError:
        raise _crs_error(source.name, f"没有到 {target.name} 的可靠转换", "请先转换为 CGCS2000 或 WGS84") from None


def transform_points(x: ArrayLike, y: ArrayLike, source: Any, target: Any) -> tuple[Floats, Floats]:
    """Transform coordinates between two CRS, x (easting or longitude) first.

    Parameters
    ----------
    x, y : array_like
        Coordinates in `source`.
    source, target : str, int or pyproj.CRS

    Returns
    -------
    x, y : ndarray of float64
        Coordinates in `target`; points that cannot be transformed are NaN.

    Raises
    ------
    CrsError
        A CRS is refused, or no reliable transformation exists.

    Examples
    --------
    >>> x, y = transform_points(113.3926, 22.517, "EPSG:4490", "EPSG:4547")
    >>> round(float(x), 3), round(float(y), 3)
    (437507.625, 2491176.699)
    """
    transformer = _transformer(read_crs(source), read_crs(target))
    new_x, new_y = transformer.transform(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    out_x, out_y = np.array(new_x, dtype=np.float64), np.array(new_y, dtype=np.float64)
    bad = ~(np.isfinite(out_x) & np.isfinite(out_y))
    return np.where(bad, np.nan, out_x), np.where(bad, np.nan, out_y)


def transform_geometry(geometry: Any, source: Any, target: Any, datum: str | None = None) -> NDArray[np.object_]:
    """Transform an array of shapely geometries; Z is dropped.

    Parameters
    ----------
    geometry : array_like of shapely geometry
    source, target : str, int or pyproj.CRS
    datum : str, optional
        ``gcj02`` or ``bd09``: the longitudes and latitudes are converted to WGS 84 first.

    Returns
    -------
    ndarray of object
        New geometries; vertices that cannot be transformed are NaN.

    Raises
    ------
    CrsError
        As `transform_points`, or a distorted datum is named for projected coordinates.

    Examples
    --------
    >>> point = transform_geometry([shapely.Point(113.3926, 22.517)], 4490, 4547)[0]
    >>> round(point.x, 2)
    437507.62
    """
    source_crs, target_crs = read_crs(source), read_crs(target)
    shapes = shapely.force_2d(np.asarray(geometry, dtype=object))
    distorted = datum in _FORWARD
    if distorted and not source_crs.is_geographic:
        raise _crs_error(source_crs.name, f"datum = {datum} 只能用于经纬度", "请去掉 datum，或提供经纬度坐标")
    if not distorted and source_crs == target_crs:
        return np.asarray(shapes, dtype=object)

    def move(xy: Floats) -> Floats:
        x, y = to_wgs84(xy[:, 0], xy[:, 1], datum) if distorted and datum else (xy[:, 0], xy[:, 1])
        return np.column_stack(transform_points(x, y, 4326 if distorted else source_crs, target_crs))

    return np.asarray(shapely.transform(shapes, move), dtype=object)


def to_study_crs(gdf: gpd.GeoDataFrame, crs: Any, datum: str | None = None) -> gpd.GeoDataFrame:
    """A copy of a table with its geometry in the study CRS.

    Parameters
    ----------
    gdf : GeoDataFrame
    crs : str, int or pyproj.CRS
    datum : str, optional
        ``gcj02`` or ``bd09`` when longitudes and latitudes are distorted.

    Returns
    -------
    GeoDataFrame

    Raises
    ------
    CrsError
        The table has no CRS, or one of the two is refused.

    Examples
    --------
    >>> table = gpd.GeoDataFrame(geometry=[shapely.Point(113.3926, 22.517)], crs=4490)
    >>> to_study_crs(table, "EPSG:4547").crs.to_epsg()
    4547
    """
    target = require_projected(crs)
    if gdf.crs is None:
        raise _crs_error("（空）", "数据没有坐标系", "请在该图层写明 crs")
    shapes = transform_geometry(gdf.geometry.array, gdf.crs, target, datum)
    return gdf.set_geometry(gpd.GeoSeries(shapes, index=gdf.index, crs=target))
