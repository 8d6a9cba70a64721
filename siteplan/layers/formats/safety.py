"""A data file must not lead outside its own folder: places, links, and what files of a format can point to."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from urllib.parse import quote
from xml.etree import ElementTree

from siteplan.layers.formats.catalogue import HEAD_BYTES, content_of, format_of, suffixes_of

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]+:/{1,2}|/?/?vsi[a-z0-9_]+/)", re.IGNORECASE)
_PROLOG = re.compile(rb"(?:\s|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_PROLOG_BYTES = 1 << 20
_VRT_BYTES = 1 << 24
_VRT_TAGS = frozenset((
    "VRTDataset", "SRS", "GeoTransform", "GCPList", "GCP", "Metadata", "MDI", "VRTRasterBand", "Description",
    "UnitType", "Offset", "Scale", "CategoryNames", "Category", "ColorTable", "Entry", "ColorInterp", "NoDataValue",
    "HideNoDataValue", "Histograms", "HistItem", "HistMin", "HistMax", "BucketCount", "IncludeOutOfRange",
    "Approximate", "HistCounts", "SimpleSource", "ComplexSource", "AveragedSource", "SourceFilename", "SourceBand",
    "SourceProperties", "SrcRect", "DstRect", "NODATA", "ScaleOffset", "ScaleRatio", "LUT", "ColorTableComponent",
    "UseMaskBand", "BlockXSize", "BlockYSize", "OverviewList", "Resampling", "MaskBand",
))
"""Elements of a plain mosaic. Warps, raw bands, code and processing steps can reach any file, so they are refused."""
_VIRTUAL = re.compile(r"create\s+virtual\s+table\s.*?\susing\s+[\"'`\[]?(\w+)", re.IGNORECASE | re.DOTALL)
_HARMLESS_MODULES = frozenset(("rtree", "rtree_i32", "fts3", "fts4", "fts5"))
_TAB_POINTERS = re.compile(r'\bisseamless"?\s*=\s*"?true|\bopen\s+table\b|\bcreate\s+view\b'
                           r'|\btype\s+"?(?:linked|raster)\b|^\s*file\s+"[^"]*[/\\:]', re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Fault:
    """Why a file is refused, and how to mend that, in Chinese."""

    reason: str
    remedy: str


def place_fault(path: Path, written: str) -> Fault | None:
    """What is wrong with the place a study file names: an address, nothing there, no plain file, not readable.

    Parameters
    ----------
    path : Path
        Where to look.
    written : str
        What the study file says.

    >>> place_fault(Path("http:/a/b.csv"), "http://a/b.csv").reason
    '是网址或远程路径，不是本地文件'
    """
    if _ADDRESS.match(written):
        return Fault("是网址或远程路径，不是本地文件", "先下载到本地，再写本地路径")
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return Fault("文件不存在", f"核对路径（相对研究文件所在文件夹）：{written}")
    except (OSError, ValueError) as error:
        return Fault(f"路径不能用（{getattr(error, 'strerror', None) or error}）", "核对路径和文件名")
    if stat.S_ISDIR(mode):
        return _folder_fault(path)
    if not stat.S_ISREG(mode):
        return Fault("不是普通文件（管道、设备或套接字）", "换成磁盘上的普通文件")
    if path.suffix.lower() == ".gdb":
        return Fault(".gdb 应为文件夹，这里是一个文件", "解压或重新复制整个 .gdb 文件夹")
    try:
        with path.open("rb"):
            return None
    except OSError as error:
        return Fault(f"文件打不开（{error.strerror}）", "核对读取权限，关闭占用它的软件")


def _folder_fault(path: Path) -> Fault | None:
    try:
        names = sorted(item.name for item in path.iterdir())
    except OSError as error:
        return Fault(f"文件夹打不开（{error.strerror}）", "核对读取权限")
    if path.suffix.lower() == ".gdb":
        if any(name.lower() == "a00000001.gdbtable" for name in names):
            return None
        return Fault("不是完整的 File GDB（没有 a00000001.gdbtable）", "重新复制整个 .gdb 文件夹")
    known = [name for name in names if Path(name).suffix.lower() in suffixes_of("vector", "table", "raster", "archive")]
    have = f"文件夹里有：{'、'.join(known[:20])}" if known else "文件夹里没有可读的文件"
    return Fault("是文件夹，不是文件", f"写到具体文件；{have}")


def link_fault(path: Path) -> Fault | None:
    """A side file, or a member of a .gdb folder, that is a link out of the folder or no plain file.

    The path itself may be a link: the study file names it.
    """
    if path.is_dir():
        homes = [path.resolve()]
        parts = [Path(folder) / name for folder, folders, names in os.walk(path) for name in (*folders, *names)]
    else:
        homes = [path.parent.resolve(), path.resolve().parent]
        start = f"{path.stem}.".casefold()
        parts = [item for item in path.parent.iterdir()
                 if item.name.casefold().startswith(start) and item.name != path.name]
    for part in sorted(parts):
        try:
            mode = part.lstat().st_mode
            inside = not stat.S_ISLNK(mode) or any(part.resolve().is_relative_to(home) for home in homes)
            plain = stat.S_ISDIR(mode) or not part.exists() or part.is_dir() or part.is_file()
        except (OSError, RuntimeError):
            inside, plain = False, True
        if not inside:
            return Fault(f"{part.name} 是指向别处的链接，离开了数据所在的文件夹", "用真正的文件代替链接")
        if not plain:
            return Fault(f"{part.name} 不是普通文件（管道、设备或套接字）", "换成磁盘上的普通文件")
    return None


def xml_fault(head: bytes) -> Fault | None:
    """A DOCTYPE or entity before the first element of an XML text (which lets it grow or read files).

    >>> xml_fault(b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a/>') is None, xml_fault(b"<a/>") is None
    (False, True)
    """
    plain = head[:_PROLOG_BYTES].replace(b"\0", b"")
    for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        plain = plain.removeprefix(mark)
    end = _PROLOG.match(plain)
    rest = plain[end.end() if end else 0:]
    if rest.startswith(b"<!") or (not rest and len(head) >= _PROLOG_BYTES):
        return Fault("XML 含 DOCTYPE 或实体（ENTITY）声明", "正常软件不写这些声明：用原软件重新导出")
    return None


def _gpkg_fault(path: Path) -> Fault | None:
    """Virtual tables that read other files."""
    address = f"file:{quote(path.absolute().as_posix())}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(address, uri=True)
    except sqlite3.Error:
        return None  # the reader says what is wrong with the file
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    try:
        made = connection.execute("SELECT sql FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'").fetchall()
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    finally:
        connection.close()
    for (text,) in made:
        found = _VIRTUAL.match(str(text))
        if found is None or found[1].lower() not in _HARMLESS_MODULES:
            return Fault(f"含引用外部内容的虚拟表（{found[1] if found else '无法识别'}）", "把图层另存为新的 GeoPackage")
    return None


def _tab_fault(path: Path) -> Fault | None:
    with path.open("rb") as stream:
        text = stream.read(HEAD_BYTES).decode("latin-1")
    if _TAB_POINTERS.search(text):
        return Fault("TAB 引用了别的文件（无缝图层、视图、链接表或栅格登记）", "在 MapInfo 里另存为普通表，或导出为 GeoPackage")
    return None


def _kml_fault(path: Path) -> Fault | None:
    with path.open("rb") as stream:
        return xml_fault(stream.read(_PROLOG_BYTES))


def _raster_fault(path: Path) -> Fault | None:
    """Side files of a raster that hold something else than overviews, masks and plain metadata."""
    for side in (f"{path.name}.ovr", f"{path.name}.msk", f"{path.stem}.ovr", f"{path.stem}.aux", f"{path.name}.aux"):
        place = path.with_name(side)
        if place != path and os.path.isfile(place):
            with place.open("rb") as stream:
                found = content_of(stream.read(HEAD_BYTES))
            if found.id not in ("tiff", "hfa"):
                return Fault(f"附属文件 {side} 内容像{found.zh}", f"删去 {side}，它不含数据")
    for side in (f"{path.name}.aux.xml", f"{path.stem}.aux.xml"):
        place = path.with_name(side)
        if os.path.isfile(place):
            with place.open("rb") as stream:
                text = stream.read(_VRT_BYTES)
            if xml_fault(text) or b"OVERVIEW_FILE" in text or b"SourceFilename" in text:
                return Fault(f"附属文件 {side} 引用了别的文件，或含 DOCTYPE", f"删去 {side}，它不含数据")
    return None


def vrt_fault(path: Path) -> Fault | None:
    """Anything in a .vrt but a mosaic of plain rasters of its own folder."""
    remedy = "用 gdal_translate 或 GIS 软件转成 GeoTIFF"
    text = path.read_bytes()[:_VRT_BYTES + 1]
    if len(text) > _VRT_BYTES:
        return Fault("VRT 过大", remedy)
    if xml_fault(text):
        return xml_fault(text)
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        return Fault(f"VRT 不是完整的 XML（{error}）", remedy)
    home = path.parent.resolve()
    for element in root.iter():
        kind = element.attrib.get("subClass", "VRTSourcedRasterBand")
        plain = kind == "VRTSourcedRasterBand" and element.attrib.get("domain") != "OVERVIEWS"
        if element.tag not in _VRT_TAGS or not plain:
            return Fault(f"VRT 不只是拼接（含 {element.tag} {element.attrib.get('subClass', '')}".rstrip() + "）", remedy)
        if element.tag == "SourceFilename":
            fault = _source_fault((element.text or "").strip(), element.attrib, home)
            if fault:
                return fault
    return None


def _source_fault(name: str, attributes: Mapping[str, str], home: Path) -> Fault | None:
    """One source of a .vrt."""
    remedy = "只引用同一文件夹里的栅格（写相对路径），或转成 GeoTIFF"
    if attributes.get("relativeToVRT") != "1" or escapes(name) or _ADDRESS.match(name) or ":" in name:
        return Fault(f"VRT 引用了本文件夹以外的内容：{name[:120]}", remedy)
    place = home / name
    try:
        inside = place.resolve().is_relative_to(home)
    except (OSError, RuntimeError, ValueError):
        inside = False
    if not inside:
        return Fault(f"VRT 引用了本文件夹以外的内容：{name[:120]}", remedy)
    found = format_of(name)
    if found is None or found.kind != "raster" or found.id == "vrt":
        return Fault(f"VRT 引用的不是普通栅格：{name[:120]}", remedy)
    if not place.is_file():
        return Fault(f"VRT 引用的文件不存在：{name[:120]}", "连同它引用的文件一起提供")
    with place.open("rb") as stream:
        content = content_of(stream.read(HEAD_BYTES))
    if content.id not in found.contents:
        return Fault(f"VRT 引用的 {name[:120]} 内容像{content.zh}", remedy)
    return link_fault(place) or _raster_fault(place)


_CHECKS: Mapping[str, Callable[[Path], Fault | None]] = MappingProxyType({
    "geopackage": _gpkg_fault, "mapinfo_tab": _tab_fault, "kml": _kml_fault, "vrt": vrt_fault,
})


def content_fault(path: Path, format_id: str) -> Fault | None:
    """What a file of a format points to beyond its own folder; None when nothing.

    Parameters
    ----------
    path : Path
        A file whose first bytes are those of its format.
    format_id : str
        Key of ``tables/formats.toml``.
    """
    check = _CHECKS.get(format_id)
    fault = check(path) if check else None
    if fault is None and path.suffix.lower() in suffixes_of("raster"):
        fault = _raster_fault(path)
    return fault


def escapes(name: str) -> bool:
    r"""Whether a relative name leaves its folder: absolute, with a drive letter, or by ``..``.

    >>> escapes("../a"), escapes("C:\\a"), escapes("a/b.shp"), escapes("a/../../b")
    (True, True, False, True)
    """
    plain = name.replace("\\", "/")
    if plain.startswith("/") or PureWindowsPath(plain).drive or "\0" in plain:
        return True
    return ".." in PurePosixPath(plain).parts


ZIP_DIRECTORY_BYTES = 1 << 24
"""Greatest list of members (16 MiB holds 10,000 of them with the longest usual names many times over)."""
_END = b"PK\x05\x06"
_END64 = b"PK\x06\x06"


def zip_fault(path: Path) -> Fault | None:
    """What is wrong with the list of members of a zip, seen before it is taken into memory."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - 65_557 - 76))
        tail = stream.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) < place + 22:
        return Fault("压缩包不完整（没有结尾的目录）", "重新复制或下载")
    listed = int.from_bytes(tail[place + 12:place + 16], "little")
    if listed == 0xFFFFFFFF:
        big = tail.rfind(_END64)
        listed = int.from_bytes(tail[big + 40:big + 48], "little") if big >= 0 else listed
    if listed > ZIP_DIRECTORY_BYTES:
        return Fault("压缩包的成员目录过大", "解压后写解出的文件")
    return None


def open_zip(path: Path) -> zipfile.ZipFile | Fault:
    """A zip ready to be listed, or why it is not."""
    try:
        return zip_fault(path) or zipfile.ZipFile(path)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, OSError, ValueError, EOFError) as error:
        return Fault(f"压缩包打不开（{error}）", "重新复制或下载，或重新压缩为 .zip")
