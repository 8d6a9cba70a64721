"""Which reader a file goes to, and what the file is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats import rasters, spreadsheets, vectors
from siteplan.layers.formats.raw_table import RawTable
from siteplan.params import LayerSource

_TABLE_SUFFIXES = (".csv", ".txt", ".xlsx", ".xlsm")
_SIDECARS = {".shp": (".shp", ".shx", ".dbf", ".prj", ".cpg"), ".tab": (".tab", ".dat", ".map", ".id", ".ind"),
             ".mif": (".mif", ".mid")}


def is_raster(path: str) -> bool:
    """Whether a file is read as a raster, by its ending.

    >>> is_raster("N22E113.hgt"), is_raster("people.csv")
    (True, False)
    """
    return Path(path).suffix.lower() in rasters.SUFFIXES


def open_tables(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Raw tables of one file; problems are logged."""
    suffix = path.suffix.lower()
    if not path.exists():
        log.problem("文件不存在", f"核对路径（相对研究文件所在文件夹）：{log.file}")
    elif suffix in vectors.SUFFIXES:
        yield from vectors.read_vector(path, source, log)
    elif suffix in _TABLE_SUFFIXES:
        read = spreadsheets.read_xlsx if suffix.startswith(".xls") else spreadsheets.read_csv
        raw = read(path, source, log)
        if raw is not None:
            yield raw
    else:
        log.problem(f"不认识的格式 {suffix or '（无后缀）'}", "转为 gpkg、shp、geojson、tab、csv 或 xlsx（DWG 请转 DXF 再转 gpkg）")


def open_raster(path: Path, source: LayerSource, log: FileLog) -> tuple[NDArray[np.float32], GeoBox] | None:
    """Band 1 of a raster file; None = a problem was logged."""
    if not path.exists():
        log.problem("文件不存在", f"核对路径（相对研究文件所在文件夹）：{log.file}")
        return None
    return rasters.read_raster(path, source, log)


def digest(path: Path) -> tuple[int, str]:
    """Bytes and sha256 of a file; of all its parts for a Shapefile, a TAB or a folder (.gdb), in order of name."""
    if path.is_dir():
        parts = sorted(item for item in path.rglob("*") if item.is_file())
    elif path.suffix.lower() in _SIDECARS:
        wanted = _SIDECARS[path.suffix.lower()]
        parts = sorted(item for item in path.parent.iterdir()
                       if item.stem == path.stem and item.suffix.lower() in wanted and item.is_file())
    else:
        parts = [path]
    found, size = hashlib.sha256(), 0
    for part in parts:
        with part.open("rb") as stream:
            while block := stream.read(1 << 20):
                found.update(block)
                size += len(block)
    return size, found.hexdigest()
