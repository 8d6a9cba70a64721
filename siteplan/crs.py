"""Coordinate reference systems and Chinese datums. Order is always (lon, lat) or (x easting, y northing).

WGS 84 and CGCS2000 are taken as equal (PROJ has only a ballpark no-op between them; they differ by centimetres, far
below what siting needs). Beijing 1954 and Xian 1980 are refused (no official parameters are public) unless the planner
gives parameters to WGS 84; then the first step is to WGS 84 by these, the second WGS 84 ~ CGCS2000.
GCJ-02 and BD-09 are not reference systems but published distortions of longitude and latitude: see `siteplan.datums`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj.crs import BoundCRS
from pyproj.crs.coordinate_operation import ToWGS84Transformation
from pyproj.exceptions import CRSError as ProjCrsError
from pyproj.exceptions import ProjError

from siteplan.datums import DISTORTED, to_wgs84
from siteplan.errors import CrsError, Problem

Floats = NDArray[np.float64]

PARAMETER_COUNTS = (3, 7)
"""How many parameters to WGS 84 may be given: three shifts, or also three rotations and a scale."""

_SAME_DATUM = ("wgs84", "wgs1984", "worldgeodeticsystem1984", "cgcs2000", "china2000",
               "chinageodeticcoordinatesystem2000")
_REFUSED_DATUM = ("beijing1954", "beijing54", "newbeijing", "xian1980", "xian80", "pulkovo1942", "北京54", "北京1954",
                  "西安80", "西安1980")
_REFUSED_AXES_M = (6378245.0, 6378140.0)
"""Semi-major axes of Beijing 1954 (Krassovsky 1940) and Xian 1980 (IAG 1975)."""


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


def read_crs(crs: Any, towgs84: Sequence[float] | None = None) -> pyproj.CRS:
    """Parse a CRS and refuse those that cannot be transformed honestly.

    Parameters
    ----------
    crs : str, int or pyproj.CRS
        EPSG code, WKT, PROJ text or a CRS object. Heights of a compound CRS, and parameters to WGS 84 that a file
        brings along, are left out.
    towgs84 : sequence of 3 or 7 float, optional
        Parameters from its datum to WGS 84: dX, dY, dZ (m), rX, rY, rZ (arc seconds, position vector), scale (ppm).

    Returns
    -------
    pyproj.CRS
        A bound CRS when `towgs84` is given.

    Raises
    ------
    CrsError
        It cannot be parsed, is a local system, or rests on an unnamed datum, Beijing 1954 or Xian 1980 without
        `towgs84`; or `towgs84` is given for WGS 84 or CGCS2000, or has another length.

    Examples
    --------
    >>> read_crs("EPSG:4490").name
    'China Geodetic Coordinate System 2000'
    >>> read_crs("EPSG:2383", [-10.0, 20.0, -30.0]).is_bound
    True
    """
    try:
        parsed = pyproj.CRS.from_user_input(crs)
    except ProjCrsError:
        raise _crs_error(crs, "坐标系无法识别", "请写 EPSG 编号，例如 EPSG:4547（CGCS2000 三度带 114E）") from None
    if parsed.is_compound:
        parsed = parsed.sub_crs_list[0]
    if parsed.is_bound and parsed.source_crs is not None:
        parsed = parsed.source_crs
    geodetic = parsed.geodetic_crs
    if geodetic is None or not (parsed.is_projected or parsed.is_geographic):
        raise _crs_error(parsed.name, "是地方独立坐标系，没有说明与国家坐标系的关系", "请转换为 CGCS2000 后再提供")
    if towgs84 is not None:
        return _bind(parsed, towgs84)
    name = f"{geodetic.name} {geodetic.datum.name if geodetic.datum else ''} {parsed.name}"
    axis = geodetic.ellipsoid.semi_major_metre if geodetic.ellipsoid else 0.0
    if _plain(name, _REFUSED_DATUM) or (axis in _REFUSED_AXES_M and not _is_plan_datum(parsed)):
        kind = {6378245.0: "北京54（克拉索夫斯基椭球）", 6378140.0: "西安80（IAG 1975 椭球）"}.get(axis, "北京54、西安80")
        raise _crs_error(parsed.name, f"基准是{kind}，没有公开的官方转换参数，不能直接转到 CGCS2000",
                         "在该图层写明 towgs84（三参数或七参数），或用控制点转换为 CGCS2000 后再提供")
    if geodetic.datum is None or "unknown" in geodetic.datum.name.lower():
        raise _crs_error(parsed.name, "没有写明大地基准", "请在该图层写明 crs，用 EPSG 编号，例如 EPSG:4547")
    return parsed


def _plain(text: str, words: tuple[str, ...]) -> bool:
    """Whether one of the words is in a name, whatever its case, blanks and signs."""
    squeezed = re.sub(r"[\W_]+", "", text).casefold()
    return any(word in squeezed for word in words)


def _bind(crs: pyproj.CRS, towgs84: Sequence[float]) -> pyproj.CRS:
    """The CRS with the planner's parameters to WGS 84."""
    if len(towgs84) not in PARAMETER_COUNTS or not np.isfinite(towgs84).all():
        raise _crs_error(crs.name, f"towgs84 有 {len(towgs84)} 个数，应为 3 个或 7 个",
                         "依次写 dX、dY、dZ（m）、rX、rY、rZ（秒）、比例（ppm）")
    if _is_plan_datum(crs):
        raise _crs_error(crs.name, "基准是 WGS84 或 CGCS2000，不用 towgs84", "删去 towgs84，或改正 crs")
    return BoundCRS(source_crs=crs, target_crs=pyproj.CRS.from_epsg(4326),
                    transformation=ToWGS84Transformation(crs.geodetic_crs, *towgs84))


def crs_name(crs: pyproj.CRS) -> str:
    """``EPSG:4547`` where it has a code, else its name; parameters to WGS 84 are said.

    >>> crs_name(read_crs(4547)), crs_name(read_crs(2383, [1.0, 2.0, 3.0]))
    ('EPSG:4547', 'EPSG:2383 + towgs84')
    """
    plain = crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
    code = plain.to_epsg()
    return (f"EPSG:{code}" if code else str(plain.name)) + (" + towgs84" if crs.is_bound else "")


def crs_zh(crs: pyproj.CRS) -> str:
    """Name of a CRS as planners write it, without its code; names that are not CGCS2000 stay.

    >>> crs_zh(read_crs(4547)), crs_zh(read_crs(4526)), crs_zh(read_crs(4490))
    ('CGCS2000 3度带 中央子午线114°', 'CGCS2000 3度带 第38带 中央子午线114°', 'CGCS2000 经纬度')
    >>> crs_zh(read_crs(32632))
    'WGS 84 / UTM zone 32N'
    """
    if not re.match(r"CGCS2000|China Geodetic Coordinate System 2000", crs.name):
        return str(crs.name)
    if crs.is_geographic:
        return "CGCS2000 经纬度"
    zone = re.search(r"zone (\d+)", crs.name)
    params = crs.coordinate_operation.params if crs.coordinate_operation else ()
    meridian = next((item.value for item in params if item.name == "Longitude of natural origin"), None)
    parts = ["CGCS2000", "3度带" if "3-degree" in crs.name else "高斯-克吕格", f"第{zone[1]}带" if zone else "",
             "" if meridian is None else f"中央子午线{meridian:g}°"]
    return " ".join(part for part in parts if part)


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
    if geodetic is None or geodetic.datum is None or crs.is_bound:
        return False
    if geodetic.datum.name.lower().startswith("unknown based"):
        return False
    return _plain(f"{geodetic.name} {geodetic.datum.name}", _SAME_DATUM)


def _usable(crs: Any) -> pyproj.CRS:
    """A CRS that `read_crs` bound to WGS 84 as it is, any other checked."""
    return crs if isinstance(crs, pyproj.CRS) and crs.is_bound else read_crs(crs)


@lru_cache(maxsize=64)
def _transformer(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
    """Transformer in x, y order; ballpark only between WGS 84 and CGCS2000. To make one costs 40 ms: kept."""
    ballpark = _is_plan_datum(source) and _is_plan_datum(target)
    try:
        return pyproj.Transformer.from_crs(source, target, always_xy=True, allow_ballpark=ballpark)
    except ProjError:
        raise _crs_error(source.name, f"没有到 {target.name} 的可靠转换", "请先转换为 CGCS2000 或 WGS84") from None


def _steps(source: pyproj.CRS, target: pyproj.CRS) -> list[tuple[pyproj.CRS, pyproj.CRS]]:
    """Pairs of CRS to go through: by way of WGS 84 where parameters to it were given."""
    hub = pyproj.CRS.from_epsg(4326)
    return [(source, hub), (hub, target)] if source.is_bound or target.is_bound else [(source, target)]


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
    source_crs, target_crs = _usable(source), _usable(target)
    new_x, new_y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    for start, end in _steps(source_crs, target_crs):
        new_x, new_y = _transformer(start, end).transform(new_x, new_y)
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
        New geometries; one with a vertex that cannot be transformed becomes ``POINT (NaN NaN)``.

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
    source_crs, target_crs = _usable(source), _usable(target)
    shapes = np.asarray(geometry, dtype=object)
    distorted = datum in DISTORTED
    if distorted and not source_crs.is_geographic:
        raise _crs_error(source_crs.name, f"datum = {datum} 只能用于经纬度", "请去掉 datum，或提供经纬度坐标")
    if not distorted and source_crs == target_crs:
        return np.asarray(shapely.force_2d(shapes), dtype=object)

    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    x, y = to_wgs84(xy[:, 0], xy[:, 1], datum) if distorted and datum else (xy[:, 0], xy[:, 1])
    moved = np.column_stack(transform_points(x, y, 4326 if distorted else source_crs, target_crs))
    out = np.array(shapes, dtype=object)
    here = ~(shapely.is_missing(out) | shapely.is_empty(out))
    if (shapely.get_type_id(out[here]) == 0).all():  # points are made anew: three times faster
        out[here] = shapely.points(moved)
        return out
    wild = ~np.isfinite(moved).all(axis=1)
    if wild.any():  # a ring whose ends are not finite does not close
        lost = np.unique(owner[wild])
        out[lost] = shapely.Point()
        moved = moved[~np.isin(owner, lost)]
        out = shapely.set_coordinates(out, moved)
        out[lost] = shapely.Point(np.nan, np.nan)
        return out
    return np.asarray(shapely.set_coordinates(out, moved), dtype=object)


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
