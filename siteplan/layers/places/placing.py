"""Where the rows of one file are: their geometry, its CRS, axes that were exchanged, zones that disagree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from siteplan import crs as crs_module
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.places import zones
from siteplan.layers.places.coordinates import locate
from siteplan.layers.places.geometry import swap, swapped_lonlat
from siteplan.params import LayerSource
from siteplan.schema import layer_schema

Box = tuple[float, float, float, float]

_CHINA = (73.0, 3.0, 136.0, 54.0)
_MOST = 0.5
_LEAST_SPREAD_DEG = 0.01
_SAMPLE = 20_000


def place_rows(raw: RawTable, source: LayerSource, log: FileLog, box: Box | None = None,
               ) -> tuple[RawTable, tuple[str, ...]] | None:
    """Give the rows of a file their geometry and CRS.

    Parameters
    ----------
    raw : RawTable
    source : LayerSource
    log : FileLog
    box : tuple of float, optional
        West, south, east, north of the study, degrees: settles what the numbers alone leave open.

    Returns
    -------
    (RawTable, tuple of str) or None
        The table with geometry and CRS, and the columns used up for them; None = a problem was logged.

    Raises
    ------
    CrsError
        A CRS is refused.
    """
    if layer_schema(log.layer).geometry == "none":
        return raw, ()
    count = len(source.towgs84 or ())
    if source.towgs84 is not None and count not in crs_module.PARAMETER_COUNTS:
        log.mistake(f"towgs84 有 {count} 个数，应为 3 个或 7 个", "依次写 dX、dY、dZ（m）、rX、rY、rZ（秒）、比例（ppm）", "towgs84")
        return None
    used: tuple[str, ...] = ()
    if raw.geometry is None or (len(raw.rows) and bool(shapely.is_missing(raw.geometry).all())):
        located = locate(raw, source, log, box)
        if located is None:
            return None
        raw, used = located
    named, found = None, raw.crs
    if source.crs is not None:
        named = crs_module.read_crs(source.crs, source.towgs84)
        if found is not None and found != named and not used and crs_module.crs_name(named) != str(found.to_string()):
            log.line("", "crs", found.name, "repaired", f"文件写的坐标系按研究文件改为 {crs_module.crs_name(named)}", "核对坐标系")
    elif found is not None:
        named = crs_module.read_crs(found, source.towgs84)
    if named is not None and named.is_bound:
        log.line("", "crs", crs_module.crs_name(named), "assumed",
                 "按研究文件给的 towgs84 参数转到 WGS84，再按 WGS84 与 CGCS2000 相同处理", "用控制点核对转换结果")
    placed = settle_crs(raw, named, box, log)
    return None if placed is None else (placed, used)


def settle_crs(raw: RawTable, named: pyproj.CRS | None, box: Box | None, log: FileLog) -> RawTable | None:
    """The table in a CRS that its numbers agree with.

    Parameters
    ----------
    raw : RawTable
        With geometry.
    named : pyproj.CRS or None
        What the study file or the file says.
    box : tuple of float or None
        West, south, east, north of the study, degrees.
    log : FileLog
        Gets a line for everything that was found out, or the problem.

    Returns
    -------
    RawTable or None
        None = a problem was logged.
    """
    shapes = np.asarray(raw.geometry, dtype=object)
    x, y = _centres(shapes)
    here = np.isfinite(x) & np.isfinite(y)
    if not here.any():
        if named is None:
            _ask(raw, x[here], y[here], box, log)
            return None
        return replace(raw, crs=named)
    degrees = bool((np.abs(x[here]) <= 180.0).all() and (np.abs(y[here]) <= 180.0).all())
    if degrees:
        return _as_degrees(raw, named, box, log)
    turned = here & zones.exchanged(x, y)
    shapes = swap(shapes, turned, log, raw.rows)
    x, y = np.where(turned, y, x), np.where(turned, x, y)
    eastings = zones.Eastings(shapes, x, y, raw.rows, box)
    plane = (eastings.zones >= 0)[here].mean() > _MOST
    if named is not None and (not named.is_geographic or not plane):
        agreed = zones.agree_with(eastings, named, log) if named.is_projected else shapes
        if agreed is None:
            return None
        if named.is_projected:
            moved = _centres(agreed)
            zones.note_other_zone(moved[0][here], moved[1][here], named, box, log)
        return replace(raw, geometry=agreed, crs=named)
    action = "assumed" if named is None else "repaired"
    reason = "没有写明坐标系" if named is None else f"坐标系写的是经纬度（{crs_module.crs_name(named)}），数值是平面坐标"
    read = zones.by_zone_numbers(eastings, action, reason, log)
    if read is None:
        _ask(replace(raw, crs=named), x[here], y[here], box, log)
        return None
    return replace(raw, geometry=read[1], crs=read[0])


def _as_degrees(raw: RawTable, named: pyproj.CRS | None, box: Box | None, log: FileLog) -> RawTable | None:
    """A table whose numbers are longitudes and latitudes."""
    if named is not None and named.is_geographic:
        return replace(raw, crs=named)
    x, y = _centres(np.asarray(raw.geometry, dtype=object))
    west, south, east, north = box or _CHINA
    here = np.isfinite(x) & np.isfinite(y)
    straight = (x >= west) & (x <= east) & (y >= south) & (y <= north)
    turned = (y >= west) & (y <= east) & (x >= south) & (x <= north)
    likely = float((straight | turned)[here].mean()) > _MOST
    if named is None and likely:
        log.line("", "crs", "EPSG:4326", "assumed", "没有坐标系（缺 .prj），数值是经纬度，按 WGS84", "在研究文件写明 crs 或 datum")
        return replace(raw, crs=crs_module.read_crs(4326))
    if named is not None and likely and not named.is_bound and named.geodetic_crs is not None:
        log.line("", "crs", crs_module.crs_name(named), "repaired",
                 f"坐标系写的是平面坐标（{crs_module.crs_name(named)}），数值是经纬度，按经纬度读", "改正坐标系")
        return replace(raw, crs=named.geodetic_crs.to_2d())
    if named is None:
        _ask(raw, x[here], y[here], None, log)
        return None
    return replace(raw, crs=named)


def _ask(raw: RawTable, x: NDArray[np.float64], y: NDArray[np.float64], box: Box | None, log: FileLog) -> None:
    """The problem of a file whose CRS must be named."""
    if raw.crs is not None:
        log.problem(f"坐标系写的是经纬度（{crs_module.crs_name(raw.crs)}），数值是平面坐标，例如 {x[0]:.3f}, {y[0]:.3f}",
                    f"在研究文件写明 crs：{zones.which_zone(x, y, box)}", "crs")
    else:
        log.problem("坐标是平面坐标，没有坐标系（缺 .prj，也没有写明 crs）" if len(x) else "没有坐标系（缺 .prj）",
                    f"在研究文件写明 crs：{zones.which_zone(x, y, box)}", "crs")


def unswap(raw: RawTable, log: FileLog, box: Box | None) -> RawTable:
    """Exchange longitudes and latitudes that are surely swapped; eastings and northings `settle_crs` has exchanged."""
    if raw.geometry is None or raw.crs is None or not raw.crs.is_geographic:
        return raw
    return replace(raw, geometry=swap(raw.geometry, swapped_lonlat(raw.geometry, box), log, raw.rows))


def _centres(shapes: NDArray[np.object_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    bounds = shapely.bounds(shapes)
    return bounds[:, 0] / 2.0 + bounds[:, 2] / 2.0, bounds[:, 1] / 2.0 + bounds[:, 3] / 2.0


def warn_spread(shapes: NDArray[np.object_], crs: pyproj.CRS, log: FileLog) -> None:
    """A note when features reach beyond the zone of the study CRS: zones, shares, scale error at the far edge.

    Parameters
    ----------
    shapes : ndarray of geometry
        In the study CRS, those that are kept.
    crs : pyproj.CRS
    log : FileLog

    Notes
    -----
    The scale error is that of the projection (meridional scale - 1, from PROJ), cm per km.
    """
    bounds = shapely.total_bounds(shapes) if len(shapes) else np.full(4, np.nan)
    if not np.isfinite(bounds).all():
        return
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(bounds[0], bounds[2], 11), np.linspace(bounds[1],
                                                                                                    bounds[3], 11)))
    lon, lat = crs_module.transform_points(x, y, crs, 4326)
    meridian = zones.meridian_of(crs)
    use = crs.area_of_use
    if meridian is not None:
        west, east = meridian.degrees - 1.5, meridian.degrees + 1.5
    elif use is not None:
        west, east = use.west, use.east
    else:
        return
    if np.nanmin(lon) >= west - _LEAST_SPREAD_DEG and np.nanmax(lon) <= east + _LEAST_SPREAD_DEG:
        return
    scale = np.asarray(pyproj.Proj(crs).get_factors(lon, lat).meridional_scale, dtype=float)
    far = int(np.nanargmax(np.abs(scale - 1.0)))
    worst = f"最远处（经度 {lon[far]:.2f}°）长度变形 {1e5 * abs(scale[far] - 1.0):.1f} cm/km"
    value = f"{np.nanmin(lon):.3f}°–{np.nanmax(lon):.3f}°"
    if meridian is not None:
        x, y = _centres(shapes[::max(1, len(shapes) // _SAMPLE)])
        own = crs_module.transform_points(x[np.isfinite(x)], y[np.isfinite(x)], crs, 4326)[0]
        numbers, counts = np.unique(np.floor((own[np.isfinite(own)] + 1.5) / 3.0).astype(int), return_counts=True)
        value = "、".join(f"{zone} 带 {100.0 * count / counts.sum():.1f} %" for zone, count in zip(numbers, counts,
                                                                                                 strict=True))
    log.line("", "geometry", value, "note",
             f"数据超出研究坐标系 {crs_module.crs_name(crs)} 的适用范围（经度 {west:g}°–{east:g}°），{worst}",
             "全市用一个坐标系时留意此变形；分县出图用各县所在的三度带")
