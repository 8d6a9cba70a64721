"""Rasters: ground, heights, clutter (and population grids) as float32, row 0 north, NaN = no data."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pyproj
import rasterio
import rasterio.merge
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj.exceptions import CRSError as ProjCrsError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from siteplan import crs as crs_module
from siteplan.layers.file_log import FileLog
from siteplan.params import LayerSource

NAMES = ("ground", "heights", "clutter")
SUFFIXES = (".tif", ".tiff", ".hgt", ".asc", ".img", ".bil", ".vrt", ".dem", ".grd")
"""File name endings read as rasters."""
_METRES = {"m": 1.0, "ft": 0.3048, "dm": 0.1, "cm": 0.01}
_UNLABELLED = (-9999.0, -32768.0)
_LIMITS_M = {"ground": (-500.0, 9000.0), "heights": (-50.0, 1000.0)}
"""Values outside are no data (metres): below the Dead Sea or above Everest; no building or tree is higher."""


def read_raster(path: Path, source: LayerSource, log: FileLog) -> tuple[NDArray[np.float32], GeoBox] | None:
    """Read band 1 of a raster; None = a problem was logged.

    Nodata declared by the file, named in the study, and unlabelled -9999 and -32768 become NaN; south-up rasters are
    flipped; values are converted to metres. What is done without being told is a ledger line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as data:
                array = data.read(1).astype(np.float32)
                transform, crs, declared = data.transform, data.crs, data.nodata
                bands = data.count
    except RasterioError as error:
        log.problem(f"栅格读不出来（{str(error)[:160]}）", "用 GIS 软件打开检查，另存为 GeoTIFF")
        return None
    if bands > 1:
        log.line("", "", bands, "note", f"有 {bands} 个波段，读第一个", "核对波段")
    found_crs = _crs(crs, source, log)
    if transform == Affine.identity():
        log.problem("栅格没有坐标（没有地理变换参数）", "配准后再提供，或附 .tfw 文件")
        return None
    if found_crs is None:
        return None
    if transform.b or transform.d or transform.a <= 0:
        log.problem("栅格是旋转的", "重采样为正北朝上后再提供")
        return None
    if transform.e > 0:
        array = array[::-1]
        transform = Affine(transform.a, 0.0, transform.c, 0.0, -transform.e, transform.f + transform.e * array.shape[0])
        log.line("", "", "", "repaired", "栅格南北颠倒，已翻转", "无需处理")
    array = _mask(array, declared, source, log)
    array = np.ascontiguousarray(array * np.float32(_METRES[source.unit]))
    limits = _LIMITS_M.get(log.layer)
    if limits is not None:
        wild = (array < limits[0]) | (array > limits[1])
        if wild.any():
            log.line("", "", float(array[wild][0]), "repaired",
                     f"{int(wild.sum())} 个像元超出 {limits[0]:g}–{limits[1]:g} m，作为无数据", "核对单位和无数据值")
            array[wild] = np.nan
    if not np.isfinite(array).any():
        log.problem("栅格没有任何有效值", "核对文件和无数据值")
        return None
    code = found_crs.to_epsg()
    return array, GeoBox(array.shape, transform, f"EPSG:{code}" if code else found_crs.to_wkt())


def _crs(crs: rasterio.crs.CRS | None, source: LayerSource, log: FileLog) -> pyproj.CRS | None:
    if source.crs:
        return crs_module.read_crs(source.crs)
    if crs is None:
        log.problem("栅格没有坐标系", "在研究文件写明 crs", "crs")
        return None
    try:
        return crs_module.read_crs(crs.to_wkt())
    except (ProjCrsError, RasterioError) as error:
        log.problem(f"栅格的坐标系无法识别（{error}）", "在研究文件写明 crs", "crs")
        return None


def _mask(array: NDArray[np.float32], declared: float | None, source: LayerSource, log: FileLog) -> NDArray[np.float32]:
    out = array.copy()
    for value in (declared, source.nodata):
        if value is not None:
            out[array == np.float32(value)] = np.nan
    for value in _UNLABELLED:
        hits = out == np.float32(value)
        if hits.any():
            out[hits] = np.nan
            log.line("", "nodata", value, "assumed", f"{int(hits.sum())} 个像元是 {value:g}，文件未声明，作为无数据",
                     "在研究文件写明 nodata")
    out[~np.isfinite(out)] = np.nan
    return out


def join_rasters(parts: list[tuple[NDArray[np.float32], GeoBox]], log: FileLog,
                 ) -> tuple[NDArray[np.float32], GeoBox] | None:
    """One raster of several tiles with one CRS and pixel size; the first file wins where tiles overlap."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0][1]
    size = abs(first.transform.a), abs(first.transform.e)
    if any(box.crs != first.crs or not np.allclose((abs(box.transform.a), abs(box.transform.e)), size)
           for _, box in parts):
        log.problem("几个栅格的坐标系或像元大小不同", "先拼接成一个文件")
        return None
    memory = [rasterio.MemoryFile() for _ in parts]
    try:
        tiles = []
        for file, (array, box) in zip(memory, parts, strict=True):
            tile = file.open(driver="GTiff", height=array.shape[0], width=array.shape[1], count=1, dtype="float32",
                             crs=str(box.crs), transform=box.transform, nodata=float("nan"))
            tile.write(array, 1)
            tiles.append(tile)
        merged, transform = rasterio.merge.merge(tiles, nodata=float("nan"))
        for tile in tiles:
            tile.close()
    finally:
        for file in memory:
            file.close()
    return merged[0].astype(np.float32), GeoBox(merged[0].shape, transform, first.crs)
