"""Places of rows in plain tables: longitude and latitude, or easting and northing."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import replace

import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from siteplan import crs as crs_module
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.params import LayerSource
from siteplan.schema import Field, coordinate_words, match_columns

_DMS = re.compile(r"([NSEW])?(\d{1,3})[°度d:](\d{1,2})(?:['′分m:](\d{1,2}(?:\.\d+)?)?)?(?:[\"″”秒s]|'')?([NSEW])?",
                  re.IGNORECASE)


def parse_degrees(text: str) -> float:
    """Decimal degrees, or degrees, minutes and seconds; NaN when neither.

    >>> round(parse_degrees("113°22′48″E"), 6), parse_degrees("113.38"), parse_degrees("x")
    (113.38, 113.38, nan)
    """
    plain = unicodedata.normalize("NFKC", text).replace("′", "'").replace("″", '"').replace(" ", "")
    try:
        value = float(plain.rstrip("°度"))
    except ValueError:
        found = _DMS.fullmatch(plain)
        if not found:
            return math.nan
        value = float(found[2]) + float(found[3]) / 60.0 + float(found[4] or 0.0) / 3600.0
        if (found[1] or found[5] or "").upper() in ("S", "W"):
            value = -value
    return value if math.isfinite(value) else math.nan


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    plain = np.array(pd.to_numeric(column.astype(object), errors="coerce"), dtype=float)
    unread = ~np.isfinite(plain) & column.notna().to_numpy()
    plain[unread] = [parse_degrees(str(text)) for text in column[unread]]
    return np.where(np.isfinite(plain), plain, np.nan)


def find_coordinates(columns: list[str], source: LayerSource) -> tuple[str, str, bool] | None:
    """Columns that hold the place: first, second, and whether they are longitude and latitude.

    >>> find_coordinates(["站名", "经度", "纬度(°)"], LayerSource(path="a.csv"))
    ('经度', '纬度(°)', True)
    """
    fields = [Field(name, "float", name, accepts=words) for name, words in coordinate_words().items()]
    found = match_columns(columns, fields, source.columns).columns
    plane = source.crs is not None and crs_module.read_crs(source.crs).is_projected
    if plane and "x" in found and "y" in found:
        return found["x"], found["y"], False
    if "lon" in found and "lat" in found:
        return found["lon"], found["lat"], True
    if "x" in found and "y" in found:
        return found["x"], found["y"], False
    return None


def locate(raw: RawTable, source: LayerSource, log: FileLog) -> tuple[RawTable, tuple[str, ...]] | None:
    """Points of a plain table, with their CRS, and the columns they came from; None = a problem was logged."""
    columns = list(raw.frame.columns)
    found = find_coordinates(columns, source)
    if found is None:
        log.problem("没有坐标列", f"提供经度、纬度列，或在 columns 写明 lon、lat（x、y）；文件的列：{'、'.join(columns[:30])}", "geometry")
        return None
    first, second, degrees = found
    x, y = _numbers(raw.frame[first]), _numbers(raw.frame[second])
    if not degrees and np.nanmax(np.abs(np.r_[x, y, 0.0])) <= 180.0 and source.crs is None:
        degrees = True
        log.line("", "geometry", f"{first}, {second}", "assumed", "坐标列的值在 ±180 内，按经纬度", "核对列名")
    crs = _table_crs(degrees, x, y, source, log)
    if crs is None:
        return None
    shapes = np.full(len(x), None, dtype=object)
    good = np.isfinite(x) & np.isfinite(y)
    if degrees:
        good &= (np.abs(x) <= 180.0) & (np.abs(y) <= 180.0)
    shapes[good] = shapely.points(x[good], y[good])
    return replace(raw, geometry=shapes, crs=crs), (first, second)


def _zone_prefix(values: NDArray[np.float64]) -> int:
    """Zone number (25 to 45) that starts every easting such as 38437528; 0 when there is none."""
    zones = set((values[np.isfinite(values)] // 1e6).astype(int).tolist())
    return zones.pop() if len(zones) == 1 and zones <= set(range(25, 46)) else 0


def _table_crs(degrees: bool, x: NDArray[np.float64], y: NDArray[np.float64], source: LayerSource, log: FileLog,
               ) -> pyproj.CRS | None:
    if not degrees:
        zone = _zone_prefix(x) or _zone_prefix(y)
        if source.crs is None and zone:
            code = f"EPSG:{4488 + zone}"
            log.line("", "crs", code, "assumed", f"没有写明坐标系，按横坐标的带号 {zone} 选 CGCS2000 三度带", "在研究文件写明 crs")
            return crs_module.read_crs(code)
        if source.crs is None:
            log.problem("坐标是平面坐标，没有写明坐标系", "在研究文件写明 crs，例如 EPSG:4547", "crs")
            return None
        return crs_module.read_crs(source.crs)
    if source.crs is not None:
        named = crs_module.read_crs(source.crs)
        if named.is_projected:
            log.problem(f"坐标列是经纬度，crs 写的却是投影坐标系 {named.name}", "去掉 crs，或用 columns 指定 x、y 列", "crs")
            return None
        return named
    if source.datum is None:
        log.line("", "datum", "wgs84", "assumed", "没有写明经纬度的基准，按 WGS84", "来自高德、腾讯写 gcj02，来自百度写 bd09")
    return pyproj.CRS.from_epsg(4490 if source.datum == "cgcs2000" else 4326)
