"""Places of rows in plain tables: longitude and latitude, easting and northing, both in one cell, or shapes as text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from siteplan import crs as crs_module
from siteplan.datums import to_wgs84
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.places.degrees import COMMA, CONVERTED, UNREAD, parse_degrees, read_axis, read_pairs, read_shapes
from siteplan.layers.places.zones import exchanged, zone_numbers
from siteplan.params import LayerSource
from siteplan.schema import Field, coordinate_words, layer_schema, match_columns, normalise_word, place_words

__all__ = ["find_coordinates", "find_place_column", "locate", "parse_degrees"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]

_MOST = 0.5
_FEW_ROWS = 50
_DATUM_WORDS = {"gcj02": ("gcj02", "高德", "腾讯", "火星"), "bd09": ("bd09", "百度"), "wgs84": ("wgs84", "gps"),
                "cgcs2000": ("cgcs2000", "国家2000")}


def find_coordinates(columns: list[str], source: LayerSource) -> tuple[str, str, bool] | None:
    """Columns that hold the place: first, second, and whether they are longitude and latitude.

    >>> find_coordinates(["站名", "经度", "纬度(°)"], LayerSource(path="a.csv"))
    ('经度', '纬度(°)', True)
    """
    fields = [Field(name, "float", name, accepts=words) for name, words in coordinate_words().items()]
    found = match_columns(columns, fields, source.columns).columns
    plane = source.crs is not None and crs_module.read_crs(source.crs, source.towgs84).is_projected
    if plane and "x" in found and "y" in found:
        return found["x"], found["y"], False
    if "lon" in found and "lat" in found:
        return found["lon"], found["lat"], True
    if "x" in found and "y" in found:
        return found["x"], found["y"], False
    return None


def find_place_column(columns: list[str], kind: str) -> str | None:
    """The column that holds both coordinates (``pair``) or a shape as text (``shape``).

    >>> find_place_column(["站名", "经纬度"], "pair"), find_place_column(["name", "WKT"], "shape")
    ('经纬度', 'WKT')
    """
    field = Field(kind, "text", kind, accepts=place_words()[kind])
    return match_columns(columns, [field]).columns.get(kind)


def locate(raw: RawTable, source: LayerSource, log: FileLog, box: Box | None = None,
           ) -> tuple[RawTable, tuple[str, ...]] | None:
    """Geometry of a plain table.

    Parameters
    ----------
    raw : RawTable
    source : LayerSource
    log : FileLog
    box : tuple of float, optional
        West, south, east, north of the study, degrees: settles where a lost decimal point stood.

    Returns
    -------
    (RawTable, tuple of str) or None
        The table with points (or shapes), its CRS where the numbers are degrees (None = still to be settled), and
        the columns they came from. None = a problem was logged.
    """
    columns = [str(column) for column in raw.frame.columns]
    found = find_coordinates(columns, source)
    shape = find_place_column(columns, "shape")
    if shape is not None and (found is None or layer_schema(log.layer).geometry != "point"):
        return _from_shapes(raw, shape, source, log)
    pair = find_place_column(columns, "pair")
    if found is not None and found[0] == found[1]:
        pair, found = found[0], None
    if found is None and pair is None:
        log.problem("没有坐标列", f"提供经度、纬度列，或在 columns 写明 lon、lat（x、y）；文件的列：{'、'.join(columns[:30])}", "geometry")
        return None
    if found is not None:
        first, second, degrees = found
        names: tuple[str, ...] = (first, second)
        (x, how_x), (y, how_y) = read_axis(raw.frame[first], degrees), read_axis(raw.frame[second], degrees)
        told = [(first, how_x), (second, how_y)]
    else:
        first = second = str(pair)
        names, degrees = (first,), True
        x, y, how = read_pairs(raw.frame[first])
        x, y = _in_order(x, y, first, log)
        told = [(first, how)]
    degrees = _really_degrees(x, y, degrees, names, source, log)
    if degrees and source.crs is not None and crs_module.read_crs(source.crs, source.towgs84).is_projected:
        log.problem(f"坐标列是经纬度，crs 写的却是投影坐标系 {crs_module.read_crs(source.crs, source.towgs84).name}",
                    "去掉 crs，或用 columns 指定 x、y 列", "crs")
        return None
    lost = np.zeros(len(x), dtype=bool)
    for name, kinds in told:
        lost |= _log_axis(raw, name, kinds, degrees, log)
    if degrees:
        x, lost_x = _points_put_back(raw, x, first, None if box is None else (box[0], box[2]), log)
        y, lost_y = _points_put_back(raw, y, second, None if box is None else (box[1], box[3]), log)
        lost |= lost_x | lost_y
    lost |= _nowhere(raw, x, y, degrees, box, names, log)
    if degrees:
        x, y = _as_the_header_says(x, y, names, source, log)
    good = np.isfinite(x) & np.isfinite(y) & ~lost
    shapes = np.full(len(x), None, dtype=object)
    shapes[good] = shapely.points(x[good], y[good])
    crs = _degrees_crs(source, log, _header_datum(names) is not None) if degrees else None
    return replace(raw, geometry=shapes, crs=crs), names


def _header_datum(names: tuple[str, ...]) -> str | None:
    """The datum that the headers of both coordinate columns name."""
    words = [normalise_word(name) for name in names]
    return next((datum for datum, marks in _DATUM_WORDS.items()
                 if all(any(mark in word for mark in marks) for word in words)), None)


def _as_the_header_says(x: Floats, y: Floats, names: tuple[str, ...], source: LayerSource, log: FileLog,
                        ) -> tuple[Floats, Floats]:
    """Longitudes and latitudes in WGS 84 where the header names another datum and the study file none."""
    said = _header_datum(names)
    if said is None or said == source.datum:
        return x, y
    if source.datum is not None:
        log.line("", "datum", source.datum, "note", f"列名“{names[0]}”写的是 {said}，研究文件写的是 {source.datum}，按研究文件",
                 "核对基准")
        return x, y
    log.line("", "datum", said, "assumed", f"按列名“{names[0]}”，基准是 {said}", "列名不对时在研究文件写明 datum")
    turned = (x < 60.0) & (y > 60.0)  # written the wrong way round: put right later, by its own line
    lon, lat = to_wgs84(np.where(turned, y, x), np.where(turned, x, y), said)
    return np.where(turned, lat, lon), np.where(turned, lon, lat)


def _degrees_crs(source: LayerSource, log: FileLog, told: bool = False) -> pyproj.CRS:
    if source.crs is not None:
        return crs_module.read_crs(source.crs, source.towgs84)
    if source.datum is None and not told:
        log.line("", "datum", "wgs84", "assumed", "没有写明经纬度的基准，按 WGS84", "来自高德、腾讯写 gcj02，来自百度写 bd09")
    return crs_module.read_crs(4490 if source.datum == "cgcs2000" else 4326)


def _from_shapes(raw: RawTable, column: str, source: LayerSource, log: FileLog,
                 ) -> tuple[RawTable, tuple[str, ...]] | None:
    shapes, code, unread = read_shapes(raw.frame[column])
    _refuse(raw, unread, column, raw.frame[column], "几何文字（WKT）无法识别", "用 GIS 软件重新导出", log)
    named = None if code is None or source.crs is not None else crs_module.read_crs(code, source.towgs84)
    if named is None and source.crs is None and source.datum is not None:
        named = _degrees_crs(source, log)
    return replace(raw, geometry=shapes, crs=named), (column,)


def _refuse(raw: RawTable, rows: Mask, field: str, values: pd.Series | Floats, reason: str, remedy: str, log: FileLog,
            ) -> None:
    """A line for each row that has no place; a note where the layer keeps rows without one."""
    action = "note" if "exists" in layer_schema(log.layer).fields else "refused"
    log.each(raw.rows[rows], field, np.asarray(values, dtype=object)[rows], action, reason, remedy)


def _in_order(x: Floats, y: Floats, column: str, log: FileLog) -> tuple[Floats, Floats]:
    """Both coordinates of one column as longitude, latitude (easting, northing): the order is decided by size."""
    turned = exchanged(x, y) | ((np.abs(x) <= 90.0) & (y > 90.0)) | ((x < 60.0) & (y > 60.0) & (np.abs(y) <= 180.0))
    if not turned.any():
        return x, y
    whole = turned[np.isfinite(x)].mean() > _MOST
    log.line("", column, "", "assumed", "坐标列按数值大小判断为先纬度后经度" if whole else "坐标列的先后不一，按数值大小判断", "核对坐标")
    return np.where(turned, y, x), np.where(turned, x, y)


def _really_degrees(x: Floats, y: Floats, degrees: bool, names: tuple[str, ...], source: LayerSource, log: FileLog,
                    ) -> bool:
    """Whether the numbers are degrees, whatever the columns are called."""
    here = np.isfinite(x) & np.isfinite(y)
    if not here.any():
        return degrees
    if degrees:
        plane = here & ((zone_numbers(x) >= 0) & (y > 1e6) & (y < 6.2e6) | exchanged(x, y))
        if plane[here].mean() > _MOST:
            log.line("", "geometry", "、".join(names), "assumed", "坐标列名是经纬度，数值是平面坐标，按平面坐标读", "改正列名")
            return False
        return True
    if source.crs is None and (np.abs(x[here]) <= 180.0).all() and (np.abs(y[here]) <= 180.0).all():
        log.line("", "geometry", ", ".join(names), "assumed", "坐标列的值在 ±180 内，按经纬度", "核对列名")
        return True
    return False


def _log_axis(raw: RawTable, column: str, how: NDArray[np.int8], degrees: bool, log: FileLog) -> Mask:
    """Lines about how the cells of a column were read; the rows that were not."""
    cells = raw.frame[column]
    unread = how == UNREAD
    _refuse(raw, unread, column, cells, "坐标无法识别", "写十进制度或 113°22′48.5″" if degrees else "写以米为单位的数", log)
    log.each(raw.rows[how == COMMA], column, cells[how == COMMA], "repaired", "逗号当作小数点", "核对坐标")
    converted = np.flatnonzero(how == CONVERTED)
    if len(converted):
        words = "度分秒、半球字母或全角字符已换算为度" if degrees else "单位文字、千分位或全角字符已去掉"
        if len(converted) <= _FEW_ROWS:
            log.each(raw.rows[converted], column, cells.iloc[converted], "repaired", words, "无需处理")
        else:
            log.rows(raw.rows[converted], column, cells.iloc[converted[0]], "repaired", words, "无需处理")
    return unread


def _packed_degrees(value: float) -> float:
    """A number read as DDDMMSS.s, NaN when minutes or seconds are beyond 60."""
    whole, seconds = divmod(abs(value), 100.0)
    whole, minutes = divmod(whole, 100.0)
    return whole + minutes / 60.0 + seconds / 3600.0 if minutes < 60.0 and seconds < 60.0 else float("nan")


def _points_put_back(raw: RawTable, values: Floats, column: str, bounds: tuple[float, float] | None, log: FileLog,
                     ) -> tuple[Floats, Mask]:
    """Degrees beyond 180: a whole number gets its decimal point back where that puts it in the study area alone."""
    out, lost = values.copy(), np.isfinite(values) & (np.abs(values) > 180.0)
    for place in np.flatnonzero(lost):
        value, text = values[place], str(raw.frame[column].iloc[place])
        packed = _packed_degrees(value)
        fits = [] if bounds is None or value != np.floor(value) else [
            value / 10.0 ** digits for digits in range(1, 12) if bounds[0] <= value / 10.0 ** digits <= bounds[1]]
        packed_fits = bounds is not None and bounds[0] <= packed <= bounds[1]
        if len(fits) == 1 and not packed_fits:
            out[place], lost[place] = fits[0], False
            log.line(raw.rows[place], column, text, "repaired", f"没有小数点，补为 {fits[0]:.9g} 后落在规划范围内", "核对坐标")
            continue
        hint = f"，像度分秒连写（{packed:.6f}°）" if packed <= 180.0 and (packed_fits or not fits) else ""
        one = np.arange(len(values)) == place
        _refuse(raw, one, column, raw.frame[column], f"不是经纬度：大于 180{hint}，不猜", "写十进制度或 113°22′48.5″", log)
    return out, lost


def _nowhere(raw: RawTable, x: Floats, y: Floats, degrees: bool, box: Box | None, names: tuple[str, ...],
             log: FileLog) -> Mask:
    """Rows at 0, 0, and rows whose two coordinates are the same number."""
    field = names[0] if len(names) == 1 else "geometry"
    zero = (x == 0.0) & (y == 0.0)
    same = (x == y) & ~zero
    if degrees and box is not None:
        same &= ~((x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3]))
    values = np.empty(len(x), dtype=object)
    values[zero | same] = [f"{a:g}, {b:g}" for a, b in zip(x[zero | same], y[zero | same], strict=True)]
    _refuse(raw, zero, field, values, "坐标是 0, 0", "补填坐标", log)
    _refuse(raw, same, field, values, "两个坐标是同一个数", "核对坐标", log)
    return zero | same
