"""The CRS that an exchange layer leaves in: one for all, or one for each county where a city spans two zones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from siteplan.crs import crs_name, plan_epsg, read_crs, transform_points
from siteplan.errors import CrsError, ExportError, Problem
from siteplan.export.exchange.findings import Findings, Rows
from siteplan.params import DeliverParams
from siteplan.profiles import Profile
from siteplan.setting_faults import suggestion

GEOGRAPHIC = 4490
"""CGCS2000 as longitude and latitude."""
ZONES = range(4513, 4555)
"""3-degree Gauss-Kruger zones of CGCS2000: easting with the number of the zone (4513-4533), or without (4534-4554)."""
COUNTY = "county"


class Part(NamedTuple):
    """Rows of a layer that leave in one CRS: name of the layer, its CRS, positions of its rows."""

    name: str
    crs: pyproj.CRS
    rows: Rows


FAR_DEG = 1.5
"""So many degrees beyond the edge of a 3-degree zone, a whole zone from its meridian, are taken for a wrong zone."""


def target_crs(name: str | None, study: pyproj.CRS) -> pyproj.CRS:
    """The CRS that a profile or a setting names, that of the study where it names none.

    Raises
    ------
    CrsError
        It is neither CGCS2000 (a 3-degree zone, or EPSG:4490) nor that of the study.

    Examples
    --------
    >>> target_crs("EPSG:4526", pyproj.CRS(4547)).name
    'CGCS2000 / 3-degree Gauss-Kruger zone 38'
    """
    if not name:
        return study
    crs = read_crs(name)
    code = crs.to_epsg()
    if code == GEOGRAPHIC or code in ZONES or crs == study:
        return crs
    raise CrsError(f"坐标系 {name} 不能用于导出", [Problem(
        "deliver", "", "", "crs", f"{name}({crs.name})不是 CGCS2000 三度带,也不是研究坐标系",
        "写 EPSG:4513–4533(带号在东坐标前)、EPSG:4534–4554(不带带号)或 EPSG:4490(经纬度)")])


def parts_of(table: gpd.GeoDataFrame, profile: Profile, settings: DeliverParams, layers: Mapping[str, Any],
             findings: Findings) -> list[Part]:
    """Which rows leave in which CRS.

    A CRS of the profile holds for all rows. Else, where ``settings.county_crs`` names counties, their rows leave in
    the CRS given there and all others in the default one; every part then bears the code of its CRS.

    Parameters
    ----------
    table : GeoDataFrame
        Rows of the master layer, in the CRS of the study.
    profile : Profile
    settings : DeliverParams
    layers : mapping of str to GeoDataFrame
        All master layers: which counties there are, and where, if the layer does not say its own.
    findings : Findings
        Told: a CRS that cannot be used, a county that is nowhere, a layer whose counties are not known.
    """
    every = np.arange(len(table), dtype=np.intp)
    default = _told_crs(profile.crs or settings.crs, table.crs, "crs", findings)
    if profile.crs or not settings.county_crs:
        return [Part(profile.out, default, every)]
    counties = _known_counties(layers)
    systems = {}
    for county, name in settings.county_crs.items():
        if counties and county not in counties:
            findings.whole(f"county_crs.{county}", "成果中没有这个县区", suggestion(county, sorted(counties)))
        systems[county] = _told_crs(name, table.crs, f"county_crs.{county}", findings)
    named = _counties_of(table, layers)
    if named is None:
        findings.changed(every, "geometry", ("县区不详", crs_name(default)), "图层没有县区,全部按缺省坐标系写出")
        named = np.full(len(table), "", dtype=object)
    order: list[pyproj.CRS] = [default]
    order += [crs for crs in systems.values() if crs not in order]
    of_row = np.array([order.index(systems.get(county, default)) for county in named], dtype=np.intp)
    parts = [Part(f"{profile.out}_{_code(crs)}", crs, np.flatnonzero(of_row == number))
             for number, crs in enumerate(dict.fromkeys(order))]
    return [part for part in parts if len(part.rows)] or parts[:1]


def _told_crs(name: str | None, study: pyproj.CRS, field: str, findings: Findings) -> pyproj.CRS:
    try:
        return target_crs(name, study)
    except CrsError as error:
        for problem in error.problems:
            findings.whole(field, problem.reason, problem.remedy)
        return study


def _code(crs: pyproj.CRS) -> str:
    code = crs.to_epsg()
    return str(code) if code else "study"


def _known_counties(layers: Mapping[str, Any]) -> set[str]:
    """All counties that the plan names."""
    columns = [table[COUNTY] for table in layers.values() if COUNTY in table]
    columns += [layers["counties"]["name"]] if "name" in layers.get("counties", ()) else []
    return {str(name) for column in columns for name in column.dropna().unique() if str(name)}


def _counties_of(table: gpd.GeoDataFrame, layers: Mapping[str, Any]) -> NDArray[np.object_] | None:
    """The county of every row: its own column, else that which a point of it lies in; None where neither is there."""
    if COUNTY in table:
        return table[COUNTY].astype("object").where(table[COUNTY].notna(), "").to_numpy(dtype=object)
    counties = layers.get("counties")
    if counties is None or "name" not in counties:
        return None
    named = np.full(len(table), "", dtype=object)
    points = shapely.point_on_surface(table.geometry.to_numpy())
    row, county = shapely.STRtree(counties.geometry.to_numpy()).query(points, predicate="intersects")
    named[row[::-1]] = counties["name"].to_numpy(dtype=object)[county[::-1]]
    return named


def tell_outside(crs: pyproj.CRS, points: NDArray[np.object_], study: pyproj.CRS, findings: Findings) -> None:
    """Tell which rows lie outside the area a CRS is meant for: written all the same up to `FAR_DEG`, else a problem.

    Parameters
    ----------
    crs : pyproj.CRS
    points : ndarray of shapely Point
        A point of each row, in the CRS of the study; None where there is none.
    study : pyproj.CRS
    findings : Findings
    """
    area = crs.area_of_use
    here = np.setdiff1d(np.flatnonzero(~shapely.is_missing(points)), findings.rows_told("geometry"))
    if area is None or not len(here):
        return
    xy = shapely.get_coordinates(points[here])
    lon, lat = transform_points(xy[:, 0], xy[:, 1], study, GEOGRAPHIC)
    far = (lon < area.west - FAR_DEG) | (lon > area.east + FAR_DEG)
    if far.any():
        fits = _fitting(float(np.median(lon)))
        findings.rows(here[far], "geometry", lambda row: f"远在 {crs_name(crs)} 的三度带之外(经度 {lon[here == row][0]:.3f})",
                      f"核对坐标系{fits};跨带的县区写 [deliver.county_crs]")
        return
    outside = (lon < area.west) | (lon > area.east) | (lat < area.south) | (lat > area.north)
    if outside.any():
        name, lons, lats = crs_name(crs), lon[outside], lat[outside]
        where = f"经度 {lons.min():.3f}–{lons.max():.3f},纬度 {lats.min():.3f}–{lats.max():.3f}"
        bounds = f"经度 {area.west:g}–{area.east:g},纬度 {area.south:g}–{area.north:g}"
        findings.changed(here[outside], "geometry", (where, f"照样按 {name} 写出"),
                         f"在 {name} 的适用范围({bounds})之外,长度、面积变形加大;跨带的县区可写 [deliver.county_crs]")


def _fitting(lon: float) -> str:
    """Which zone would fit; nothing outside of the longitudes that have one."""
    try:
        return f",这里宜用 EPSG:{plan_epsg(lon)}"
    except CrsError:
        return ""


def study_crs(table: gpd.GeoDataFrame, facts: Mapping[str, Any], layer: str) -> pyproj.CRS:
    """The CRS that a master layer is in: its own, else that of the plan.

    Raises
    ------
    ExportError
        Neither says one.
    """
    named = table.crs if table.crs is not None else facts.get("study", {}).get("crs")
    if named is None:
        raise ExportError(f"图层 {layer} 不能导出:", [Problem(layer, "", "", "geometry", "没有坐标系", "重新运行 siteplan run")])
    return read_crs(named)
