"""Raster files before their pixels are read: names, text grids, and opening by no other driver than their own."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import rasterio
from pyproj.exceptions import CRSError as ProjCrsError
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from siteplan.layers.file_log import FileLog

_DRIVERS = {".tif": ("GTiff",), ".tiff": ("GTiff",), ".hgt": ("SRTMHGT",), ".asc": ("AAIGrid", "GRASSASCIIGrid"),
            ".img": ("HFA", "ENVI"), ".bil": ("EHdr", "ENVI"), ".vrt": ("VRT",),
            ".dem": ("USGSDEM", "AAIGrid", "ENVI"), ".grd": ("GSAG", "GSBG", "GS7BG", "NWT_GRD", "AAIGrid")}
SUFFIXES = tuple(_DRIVERS)
"""File name endings read as rasters. Each is opened by its own drivers only: a .tif that is XML with addresses inside
is not followed."""
_HGT_NAME = re.compile(r"[NS]\d{2}[EW]\d{3}", re.IGNORECASE)
_HGT_BYTES = (2 * 1201 * 1201, 2 * 3601 * 3601, 2 * 3601 * 1801)
_CELL_BYTES = b"0123456789+-.Ee* \t\r\n"
_CELL_NAMES = re.compile(rb"nan|inf", re.IGNORECASE)
_HEAD_WORDS = frozenset((b"ncols", b"nrows", b"xllcorner", b"yllcorner", b"xllcenter", b"yllcenter", b"cellsize", b"dx",
                         b"dy", b"nodata_value", b"byteorder", b"north", b"south", b"east", b"west", b"rows", b"cols",
                         b"null", b"type", b"multiplier"))
FAULTS = (RasterioError, CPLE_BaseError, ProjCrsError, MemoryError, ValueError, OSError, IndexError, ArithmeticError)
"""What GDAL and its Python layers raise over broken files."""
_SAFE = {"GDAL_VRT_ENABLE_PYTHON": "NO", "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none", "GDAL_CACHEMAX": 128}


@contextmanager
def opened(path: Path) -> Iterator[DatasetReader]:
    """The file, open for reading; its own drivers only, no network, no Python of a VRT.

    Messages of GDAL that quote broken bytes of a file cannot be decoded; rasterio would print a traceback for each.

    Raises
    ------
    One of `FAULTS`.
    """
    with _quiet(), warnings.catch_warnings(), rasterio.Env(**_SAFE):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with _open(path) as data:
            yield data


@contextmanager
def _quiet() -> Iterator[None]:
    """No traceback on the screen for a message of GDAL that is not UTF-8 (it is shown by both hooks)."""
    shown, lost = sys.excepthook, sys.unraisablehook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if kind is not UnicodeDecodeError:
            shown(kind, error, trace)

    def lose(what: Any) -> None:
        if what.exc_type is not UnicodeDecodeError:
            lost(what)

    sys.excepthook, sys.unraisablehook = show, lose
    try:
        yield
    finally:
        sys.excepthook, sys.unraisablehook = shown, lost


def _open(path: Path) -> DatasetReader:
    """The file, by the first of its drivers that takes it."""
    *others, last = _DRIVERS[path.suffix.lower()]
    for driver in others:
        try:
            return rasterio.open(path.absolute(), driver=driver)
        except (RasterioError, CPLE_BaseError):
            continue
    return rasterio.open(path.absolute(), driver=last)


def name_fits(path: Path, log: FileLog) -> bool:
    """An .hgt has no header: its name is its place, its size the number of its pixels."""
    if path.suffix.lower() != ".hgt":
        return True
    size = path.stat().st_size
    if not _HGT_NAME.match(path.stem):
        log.problem("SRTM 的 .hgt 只靠文件名说明位置，这个名字不是经纬度格式", "改回原名，例如 N22E113.hgt（西南角的纬度和经度）")
    elif size not in _HGT_BYTES:
        log.problem(f"SRTM 的 .hgt 应为 1201×1201 或 3601×3601 个像元，这个文件有 {size} 字节",
                    f"应为 {_HGT_BYTES[0]} 或 {_HGT_BYTES[1]} 字节；重新下载")
    else:
        return True
    return False


def _claimed(said: Mapping[bytes, bytes]) -> int:
    """Pixels that the header of an ASCII grid claims; 0 when it does not say."""
    sizes = [said.get(long, said.get(short, b"")) for long, short in ((b"ncols", b"cols"), (b"nrows", b"rows"))]
    return int(sizes[0]) * int(sizes[1]) if all(size.isdigit() and len(size) < 12 for size in sizes) else 0


def numbers_only(path: Path, log: FileLog) -> bool:
    """Whether the cells of an ASCII grid are numbers: GDAL reads words as 0 and leaves out what follows a comma."""
    if path.suffix.lower() != ".asc":
        return True
    with path.open("rb") as stream:
        head, said = 0, {}
        while (words := (line := stream.readline(4096)).split()) and words[0].lower().rstrip(b":") in _HEAD_WORDS:
            head += len(line)
            said[words[0].lower().rstrip(b":")] = words[-1]
        if _claimed(said) * 2 > path.stat().st_size + 1:  # a value takes a digit and a blank
            log.problem(f"文件头说有 {_claimed(said)} 个像元，文件只有 {path.stat().st_size} 字节，不完整", "重新传送或导出")
            return False
        stream.seek(head)
        while block := stream.read(1 << 22):
            rest = _CELL_NAMES.sub(b"", (block + stream.readline(1 << 20)).translate(None, _CELL_BYTES))
            if rest:
                log.problem(f"ASCII 栅格的数值里有不是数字的字符 {rest[:20].decode('ascii', 'replace')!r}",
                            "数值只用数字和小数点，用空格分开；无数据写 NODATA_value 的值")
                return False
    return True
