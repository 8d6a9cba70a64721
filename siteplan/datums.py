"""Datums of longitude and latitude used in China: GCJ-02 and BD-09 are published distortions of WGS 84, not systems.

Order is always (lon, lat). CGCS2000 is taken as equal to WGS 84 (they differ by centimetres).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siteplan.errors import CrsError

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
DISTORTED = tuple(_FORWARD)
"""Datums whose longitudes and latitudes are distorted."""


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
