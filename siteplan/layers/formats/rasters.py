"""Rasters: ground, heights, clutter (and population grids) as float32, row 0 north, NaN = no data."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj.exceptions import CRSError as ProjCrsError
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from siteplan import crs as crs_module
from siteplan.errors import CrsError
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raster_files import FAULTS, SUFFIXES, name_fits, numbers_only, opened
from siteplan.layers.formats.raster_grids import MAX_PX, face_north, fill_voids, join_rasters
from siteplan.layers.formats.raster_places import Box, likely_crs, lonlat_bounds, misplaced, unbind, window_of
from siteplan.layers.formats.raster_values import Encoding, find_spikes, pixel_metres, read_values, zeros_apart
from siteplan.params import LayerSource

__all__ = ["SUFFIXES", "fill_voids", "join_rasters", "read_raster"]

_METRES = {"m": 1.0, "ft": 0.3048, "dm": 0.1, "cm": 0.01}
_UNIT_WORDS = {"m": "m", "metre": "m", "metres": "m", "meter": "m", "meters": "m", "米": "m", "ft": "ft", "foot": "ft",
               "feet": "ft", "us survey foot": "ft", "us-ft": "ft", "ftus": "ft", "us_survey_foot": "ft",
               "international foot": "ft", "英尺": "ft", "dm": "dm", "decimetre": "dm", "分米": "dm", "cm": "cm",
               "centimetre": "cm", "centimeter": "cm", "厘米": "cm"}
_MAX_BLOCK_BYTES = 500_000_000
_MAX_RATIO = 200.0


def read_raster(path: Path, source: LayerSource, log: FileLog, bounds: Box | None = None,
                ) -> tuple[NDArray[np.float32], GeoBox] | None:
    """Read one band of a raster.

    Parameters
    ----------
    path : Path
    source : LayerSource
        ``crs``, ``towgs84``, ``nodata`` and ``unit`` as the planner names them; ``layer`` is the number of the band
        (1 when absent).
    log : FileLog
        Its ``layer`` says what the values are. What is done without being told is a ledger line.
    bounds : (west, south, east, north), optional
        Longitudes and latitudes: only what lies in there is read, with a margin of some pixels, so that a raster of
        the whole country may be given.

    Returns
    -------
    (array, GeoBox) or None
        float32 (row, col), row 0 north, NaN = no data, in metres (ground, heights), class codes or people; in the CRS
        of the file. None = a problem was logged, or (a ``refused`` line) nothing lies in `bounds`.

    Notes
    -----
    Done in this order: no data declared by the file, named by the study, and unlabelled (-9999, -32768, 65535 of 16
    bits, 1e9 and beyond) is masked; scale, offset and unit are applied; impossible values are masked; mirrored rasters
    are flipped and rotated ones resampled; isolated spikes of the ground are masked. Refused are pictures, complex
    numbers, rasters without CRS or place, and those whose header claims more than the file or the memory holds.
    """
    if not _words_fit(source, log) or not name_fits(path, log):
        return None
    try:
        if not numbers_only(path, log):
            return None
        with opened(path) as data:
            return _read(data, path, source, log, bounds)
    except CrsError as error:
        problem = error.problems[0] if error.problems else None
        log.problem(problem.reason if problem else str(error), problem.remedy if problem else "在研究文件写明 crs", "crs")
    except FAULTS as error:
        text = str(error).replace(str(path.absolute()), path.name).replace(str(path.parent.absolute()), "")
        log.problem(f"栅格读不出来（{text[:160]}）", "文件可能损坏或不完整：用 GIS 软件打开检查，另存为 GeoTIFF")
    return None


def _words_fit(source: LayerSource, log: FileLog) -> bool:
    """Whether the study says nothing that a raster cannot have."""
    before = len(log.problems)
    if source.datum in ("gcj02", "bd09"):
        log.mistake(f"栅格不能按 datum = {source.datum} 转换（偏移不均匀）", "用 GIS 软件纠正为 WGS84 或 CGCS2000 后再提供", "datum")
    if source.where:
        log.mistake("栅格没有属性，不用 where", "删去 where", "where")
    if log.layer in ("clutter", "population") and source.unit != "m":
        log.mistake("地物类别和人口没有长度单位，不用 unit", "删去 unit", "unit")
    return len(log.problems) == before


def _read(data: DatasetReader, path: Path, source: LayerSource, log: FileLog, bounds: Box | None,
          ) -> tuple[NDArray[np.float32], GeoBox] | None:
    band = _band(data, source, log)
    if band is None or not _usable(data, band, path, log):
        return None
    others = sum(kind is not ColorInterp.alpha for kind in data.colorinterp) - 1
    if others > 0 and source.layer is None:
        log.line("", "", data.count, "note", f"有 {data.count} 个波段，读第一个", "需要别的波段时写明 layer = \"2\"")
    place = _place(data, source, log, bounds)
    if place is None:
        return None
    crs, vertical = place
    window = Window(0, 0, data.width, data.height)
    if bounds is not None:
        window = window_of(data.transform, (data.height, data.width), crs, bounds)
        if window is None:
            west, south, east, north = lonlat_bounds(data.transform, (data.height, data.width), crs)
            log.line("", "", f"{west:.3f},{south:.3f} – {east:.3f},{north:.3f}", "refused", "栅格在研究范围之外，未读入",
                     "核对坐标系和范围；不需要时从研究文件删去")
            return None
    if window.width * window.height > MAX_PX:
        log.problem(f"栅格有 {data.width}×{data.height} 个像元，太大", "裁剪到规划范围，或重采样为较粗的像元")
        return None
    encoding = _encoding(data, band, source, vertical, log)
    if encoding is None:
        return None
    array = read_values(data, window, encoding, _absent_blocks(data, band, path), log)
    if not np.isfinite(array).any():
        log.problem("栅格没有任何有效值", "核对文件、无数据值和单位")
        return None
    transform = data.transform @ Affine.translation(window.col_off, window.row_off)
    if crs.is_bound:
        transform, crs, off = unbind(transform, array.shape, crs)
        if off > 0.25:
            log.problem(f"按 towgs84 转换后像元错位达 {off:.2g} 个像元", "在 GIS 软件中转换为 CGCS2000 后再提供", "towgs84")
            return None
    code = crs.to_epsg()
    text = f"EPSG:{code}" if code else crs.to_wkt()
    if log.layer == "ground":
        rows, cols = _spikes(array, GeoBox(array.shape, transform, text), log)
        array[rows, cols] = np.nan
        zeros, lowest = zeros_apart(array)
        if zeros:
            log.line("", "nodata", 0, "note", f"{zeros} 个像元恰为 0 m，其余都在 {lowest:.0f} m 以上，保留",
                     "若 0 表示无数据，在研究文件写明 nodata = 0")
    return face_north(array, transform, text, log)


def _band(data: DatasetReader, source: LayerSource, log: FileLog) -> int | None:
    if source.layer is None:
        return 1
    if source.layer.isdecimal() and 1 <= int(source.layer) <= data.count:
        return int(source.layer)
    log.mistake(f"栅格没有波段 {source.layer}，只有 {data.count} 个", "layer 写波段号，从 1 起，或删去", "layer")
    return None


def _usable(data: DatasetReader, band: int, path: Path, log: FileLog) -> bool:
    """Whether the band holds numbers that can be read, as far as the header tells."""
    kinds, dtype = data.colorinterp, data.dtypes[band - 1]
    picture = {ColorInterp.red, ColorInterp.green, ColorInterp.blue} <= set(kinds) and dtype in ("uint8", "uint16")
    palette = kinds[band - 1] is ColorInterp.palette and log.layer != "clutter"
    before = len(log.problems)
    if dtype.startswith("complex"):
        log.problem("栅格的值是复数（雷达影像？），不是高度或类别", "提供实数栅格")
    elif picture or palette or kinds[band - 1] is ColorInterp.alpha:
        log.problem("栅格是彩色图片（渲染后的截图），颜色不是高度或类别", "提供原始数值栅格（单波段 GeoTIFF），不是导出的图片")
    elif not _holds(data, path):
        log.problem(f"文件头说有 {data.width}×{data.height} 个像元，文件只有 {path.stat().st_size} 字节",
                    "文件不完整或文件头损坏，重新导出")
    elif _block_bytes(data, band) > _MAX_BLOCK_BYTES:
        log.problem(f"栅格有 {data.width}×{data.height} 个像元，整块存放，太大", "用 GIS 软件另存为分块（tiled）的 GeoTIFF，并裁剪到规划范围")
    elif dtype in ("uint8", "int8") and log.layer == "ground":
        log.line("", "", dtype, "note", "高程只有 256 级（8 位），可能是灰度图而不是高程", "核对；提供 16 位整数或浮点数的高程")
    return len(log.problems) == before


def _claim(data: DatasetReader) -> int:
    """Bytes of all pixels, uncompressed."""
    return int(data.width) * int(data.height) * sum(np.dtype(dtype).itemsize for dtype in data.dtypes)


def _holds(data: DatasetReader, path: Path) -> bool:
    """Whether an uncompressed file is as long as its header says; a GeoTIFF may leave out blocks, within reason."""
    if data.driver == "GTiff":
        return data.compression is not None or _claim(data) <= _MAX_RATIO * max(1 << 16, path.stat().st_size)
    if data.driver in ("EHdr", "ENVI"):
        return all(Path(file).stat().st_size >= _claim(data) for file in data.files[:1])
    return True


def _block_bytes(data: DatasetReader, band: int) -> int:
    """Bytes that are decoded at once."""
    rows, cols = data.block_shapes[band - 1]
    bands = data.count if data.interleaving is not None and data.interleaving.value == "PIXEL" else 1
    return int(rows) * int(cols) * bands * np.dtype(data.dtypes[band - 1]).itemsize


def _absent_blocks(data: DatasetReader, band: int, path: Path) -> list[Window]:
    """Blocks that a GeoTIFF without declared no data leaves out: GDAL reads zeros there, and 0 m is no height."""
    size = path.stat().st_size
    enough = size * (1 if data.compression is None else 100)
    if data.driver != "GTiff" or data.nodatavals[band - 1] is not None or _claim(data) <= enough:
        return []
    return [window for (row, col), window in data.block_windows(band)
            if data.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=band) is None]


def _place(data: DatasetReader, source: LayerSource, log: FileLog, bounds: Box | None,
           ) -> tuple[pyproj.CRS, str] | None:
    """CRS of the raster and the unit of its heights (empty: not said); None = a problem was logged."""
    shape = data.height, data.width
    transform = data.transform
    if transform == Affine.identity() or not all(map(math.isfinite, transform[:6])) or transform.determinant == 0.0:
        gcps = len(data.gcps[0])
        log.problem(f"栅格只有 {gcps} 个控制点，没有纠正" if gcps else "栅格没有坐标（没有地理变换参数）",
                    "用 GIS 软件纠正、配准后再提供" if gcps else "配准后再提供，或附 .tfw 文件")
        return None
    edge, far = math.sqrt(abs(transform.determinant)), max(abs(transform.c), abs(transform.f))
    if not 1e-9 < edge < 1e6 or far > 1e9:
        log.problem(f"栅格的像元大小 {edge:g} 或坐标 {transform.c:g}, {transform.f:g} 不可能", "文件头损坏，重新导出")
        return None
    if not source.crs and data.crs is None:
        log.problem("栅格没有坐标系", f"在研究文件写明 crs；{likely_crs(transform, shape, bounds)}", "crs")
        return None
    try:
        written = None if data.crs is None else _written(data.crs)
    except (ProjCrsError, RasterioError) as error:
        written = None
        if not source.crs:
            log.problem(f"栅格的坐标系无法识别（{str(error)[:100]}）", "在研究文件写明 crs", "crs")
            return None
    vertical = written.axis_info[2].unit_name if written is not None and len(written.axis_info) > 2 else ""
    crs = crs_module.read_crs(source.crs or written, source.towgs84)
    if source.crs and written is not None and not _same_crs(written, crs):
        log.line("", "crs", written.name, "repaired", f"文件写的坐标系按研究文件改为 {crs.name}", "核对坐标系")
    wrong = misplaced(transform, shape, crs)
    if wrong:
        log.problem(f"坐标系 {crs.name} 与坐标数值不符：{wrong}",
                    f"在研究文件写明正确的 crs；{likely_crs(transform, shape, bounds)}", "crs")
        return None
    return crs, vertical


def _written(crs: rasterio.crs.CRS) -> pyproj.CRS:
    """The CRS of the file, with its EPSG code where GDAL knows it (ESRI .prj files have none)."""
    written = pyproj.CRS.from_user_input(crs.to_wkt())
    if written.to_epsg() is None and len(written.axis_info) == 2 and crs.to_epsg() is not None:
        return pyproj.CRS.from_epsg(crs.to_epsg())
    return written


def _same_crs(written: pyproj.CRS, named: pyproj.CRS) -> bool:
    """Whether the study names the CRS that the file has anyway."""
    try:
        found = crs_module.read_crs(written)
    except CrsError:
        return False
    return found == named or found.to_epsg() == named.to_epsg() is not None


def _encoding(data: DatasetReader, band: int, source: LayerSource, vertical: str, log: FileLog) -> Encoding | None:
    scale, offset = float(data.scales[band - 1]), float(data.offsets[band - 1])
    if not (math.isfinite(scale) and math.isfinite(offset)) or scale == 0.0:
        log.problem(f"文件写的比例 {scale:g}、偏移 {offset:g} 不能用", "改正栅格的 scale 和 offset")
        return None
    if (scale, offset) != (1.0, 0.0):
        log.line("", "", f"×{scale:g} {offset:+g}", "repaired", f"按文件写的比例 {scale:g} 和偏移 {offset:g} 换算", "核对换算后的数值")
    factor = _METRES[source.unit]
    if log.layer in ("clutter", "population"):
        return Encoding(band, data.nodatavals[band - 1], source.nodata, scale, offset)
    told = (data.units[band - 1] or vertical or "").strip()
    unit = _UNIT_WORDS.get(told.lower())
    if not told and "unit" not in source.model_fields_set and log.layer in ("ground", "heights"):
        log.line("", "unit", "m", "assumed", "文件没有写高度的单位，按米", "不是米时在研究文件写明 unit")
    if told and unit is None:
        log.line("", "unit", told, "note", f"不认识文件写的单位“{told}”，按 {source.unit} 读", "在研究文件写明 unit")
    elif unit is not None and unit != source.unit:
        if "unit" in source.model_fields_set:
            log.line("", "unit", told, "note", f"文件写的单位是 {told}，按研究文件的 {source.unit} 读", "核对单位")
        else:
            factor = _METRES[unit]
            log.line("", "unit", told, "repaired", f"文件写的单位是 {told}，已换算为米", f"在研究文件写明 unit = \"{unit}\"")
    return Encoding(band, data.nodatavals[band - 1], source.nodata, scale, offset, factor)


def _spikes(array: NDArray[np.float32], box: GeoBox, log: FileLog) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of isolated impossible values of the ground, told."""
    spikes = find_spikes(array, pixel_metres(box))
    if spikes is None:
        log.line("", "", "", "note", "相邻像元的高差处处突变，不像地面高程", "核对文件是否为地面高程（DEM）")
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows, cols = spikes
    if len(rows):
        x, y = box.affine @ (cols[0] + 0.5, rows[0] + 0.5)
        digits = 6 if box.crs is not None and box.crs.geographic else 1
        log.line("", "", f"{array[rows[0], cols[0]]:g}", "repaired",
                 f"{len(rows)} 个孤立像元与四周地面相差过大（第一个在 {x:.{digits}f}, {y:.{digits}f}，值 "
                 f"{array[rows[0], cols[0]]:g} m），作为无数据", "核对这些点的高程")
    return rows, cols
