"""Which reader a file goes to, and what the file is made of: the one door that data files come in by."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats import archives, dbf_tables, delimited, rasters, safety, spreadsheets, vectors
from siteplan.layers.formats.catalogue import (
    HEAD_BYTES,
    Content,
    Format,
    content_of,
    format_of,
    load_contents,
    load_formats,
)
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.formats.scratch import siblings
from siteplan.params import LayerSource

Reader = Callable[[Path, LayerSource, FileLog], Iterator[RawTable]]
_TABLE_READERS: Mapping[str, Reader] = MappingProxyType({
    "csv": delimited.read_csv, "xlsx": spreadsheets.read_xlsx, "dbf": dbf_tables.read_dbf})
"""By format id; formats of kind ``vector`` all go to ``vectors.read_vector``."""
_SIDECARS = {".shp": (".shp", ".shx", ".dbf", ".prj", ".cpg"), ".tab": (".tab", ".dat", ".map", ".id", ".ind"),
             ".mif": (".mif", ".mid")}
_HOSTILE = re.compile(r"[!?;\x00-\x1f\x7f]")
"""Characters of a path that pyogrio takes for something else than part of a name."""
_LONGEST_NAME = 200
"""Longer names (bytes) leave no room for the endings of side files."""


@dataclass(frozen=True)
class _Part:
    """A file that was let in: its format, and its name in the archive (empty outside archives)."""

    path: Path
    format: Format
    member: str


def is_raster(path: str) -> bool:
    """Whether a file is read as a raster, by its ending (a zip is asked by `holds_raster`).

    >>> is_raster("N22E113.hgt"), is_raster("people.csv")
    (True, False)
    """
    found = format_of(path)
    return found is not None and found.kind == "raster"


def holds_raster(path: Path, source: LayerSource) -> bool:
    """Whether a file is a raster, or a zip in which (what `source` chooses) rasters alone can be read."""
    if is_raster(path.name) or path.suffix.lower() != ".zip" or not path.is_file():
        return is_raster(path.name)
    member = source.member
    names = [name for name in archives.zip_names(path) if member is None or archives.is_meant(name, member)]
    kinds = {found.kind for name in names if (found := format_of(name))} & {"vector", "table", "raster"}
    return kinds == {"raster"}


def open_tables(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Raw tables of one file (or of the wanted members of a zip); problems are logged."""
    with ExitStack() as scratch:
        try:
            parts = _let_in(path, source, ("vector", "table"), log, scratch)
        except OSError as error:
            log.problem(f"文件读不出来（{error.strerror or error}）", "核对文件、读取权限和临时文件夹的空间")
            return
        for part in parts:
            reader = _TABLE_READERS.get(part.format.id, vectors.read_vector)
            try:
                name = scratch.enter_context(_plain_name(part.path)) if part.format.kind == "vector" else part.path
                for raw in reader(name, source, log):
                    prefix = f"{part.member} " if len(parts) > 1 else ""
                    yield replace(raw, rows=prefix + raw.rows) if prefix else raw
            except OSError as error:
                log.problem(f"文件读不出来（{error.strerror or error}）", "核对文件和读取权限，关闭占用它的软件")


def open_raster(path: Path, source: LayerSource, log: FileLog, bounds: tuple[float, float, float, float] | None = None,
                ) -> tuple[NDArray[np.float32], GeoBox] | None:
    """One band of a raster file (or of one in a zip), within `bounds` (degrees); None = a problem was logged."""
    with ExitStack() as scratch:
        parts = _let_in(path, source, ("raster",), log, scratch)
        if len(parts) > 1:
            log.problem(f"压缩包里有 {len(parts)} 个栅格：{'、'.join(part.member for part in parts[:20])}",
                        "每个栅格写一个 [[layers.图层]]，用 member 指定", "member")
            return None
        try:
            if not parts:
                return None
            short = parts[0].format.id == "vrt" or len(os.fsencode(path.name)) <= _LONGEST_NAME
            name = parts[0].path if short else scratch.enter_context(_plain_name(parts[0].path))
            return rasters.read_raster(name, source, log, bounds)
        except OSError as error:
            log.problem(f"文件读不出来（{error.strerror or error}）", "核对文件和读取权限，关闭占用它的软件")
            return None


def _let_in(path: Path, source: LayerSource, kinds: tuple[str, ...], log: FileLog, scratch: ExitStack) -> list[_Part]:
    """Files to read, after every check; empty = a problem was logged."""
    place = path.absolute()
    found = _checked(place, kinds, log)
    if found is None:
        return []
    if found.kind != "archive":
        if source.member:
            log.line("", "member", source.member, "note", "不是压缩包，不用 member", "删去 member")
        return [_Part(place, found, "")]
    if found.id == "kmz":
        kinds = tuple(kind for kind in kinds if kind == "vector")
        if not source.member and any(name.lower() == "doc.kml" for name in archives.zip_names(place)):
            source = source.model_copy(update={"member": "doc.kml"})
    parts = []
    for member, unpacked in scratch.enter_context(archives.unpacked(place, source, kinds, log)):
        inner = _checked(unpacked, kinds, log, member)
        if inner is None:
            return []
        parts.append(_Part(unpacked, inner, member))
    return parts


def _checked(path: Path, kinds: tuple[str, ...], log: FileLog, member: str = "") -> Format | None:
    """The format that a file really has, if it can be read for these kinds; None = a problem was logged."""
    label = f"{member}：" if member else ""
    try:
        fault = safety.place_fault(path, member or log.file)
        if fault is not None and not member:  # the path is the study file's own word
            log.mistake(fault.reason, fault.remedy, "path")
            return None
        if fault is None:
            fault = safety.link_fault(path)
        found = None if fault else _true_format(path, kinds, label, log)
        if found is not None:
            fault = safety.content_fault(path, found.id)
    except OSError as error:
        fault, found = safety.Fault(f"文件读不出来（{error.strerror or error}）", "核对文件和读取权限"), None
    if fault is not None:
        log.problem(f"{label}{fault.reason}", fault.remedy)
        return None
    return found


def _true_format(path: Path, kinds: tuple[str, ...], label: str, log: FileLog) -> Format | None:
    """The format by name and first bytes, where both agree or the bytes can be read all the same."""
    named = format_of(path.name)
    if path.is_dir():
        return named if _fits(named, kinds, path, label, log) else None
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    content = _content(path, head, plain_table=named is None or named.kind in ("table", "refused"))
    suffix = path.suffix.lower() or "（无扩展名）"
    if named is not None and content.id in named.contents:
        return named if _fits(named, kinds, path, label, log) else None
    readable = {"xlsx": "xlsx", "text": "csv"} if named is not None and named.id in ("csv", "xlsx", "xls") else {}
    if content.id in readable and "table" in kinds and suffix not in (".xlsb", ".ods", ".numbers"):
        true = load_formats()[readable[content.id]]
        log.line("", "", path.name[:100], "note", f"{label}扩展名是 {suffix}，内容是{content.zh}，按内容读取",
                 f"改名为 {true.suffixes[0]}")
        return true
    if named is not None and named.kind == "refused" and content.id not in ("empty", "lfs", "html"):
        like = f"，内容像{content.zh}" if content.suffix and content.suffix not in (".csv", suffix) else ""
        log.problem(f"{label}不读 {suffix}（{named.zh}）{like}：{named.refuses}",
                    f"内容如确是{content.zh}，改名为 {content.suffix}；否则{named.advice}" if like else named.advice)
    elif named is None and (content.suffix or content.id == "binary"):
        like, rename = (f"，内容像{content.zh}", f"改名为 {content.suffix}，或") if content.suffix else ("", "")
        log.problem(f"{label}不认识的格式 {suffix}{like}", f"{rename}转为 gpkg、shp、geojson、tab、csv 或 xlsx")
    else:
        remedy = content.remedy or f"核对文件；如确是{content.zh}，改名为 {content.suffix}"
        log.problem(f"{label}{content.zh}" if content.id in ("empty", "lfs") else
                    f"{label}扩展名是 {suffix}，内容像{content.zh}", remedy)
    return None


def _content(path: Path, head: bytes, plain_table: bool) -> Content:
    """What a file is; a zip by the names in it."""
    content = content_of(head, plain_table)
    if content.id == "zip":
        names = [name.lower() for name in archives.zip_names(path)]
        if any(name.startswith("xl/worksheets") for name in names):
            return load_contents()["xlsx"]
        if any(name.startswith(("word/", "ppt/")) or name == "mimetype" for name in names):
            return load_contents()["office"]
        if "doc.kml" in names:
            return load_contents()["kmz"]
    return content


def _fits(found: Format | None, kinds: tuple[str, ...], path: Path, label: str, log: FileLog) -> bool:
    """Whether a format is one of the kinds a layer can use; a problem is logged when not."""
    if found is not None and found.kind in (*kinds, "archive"):
        return True
    zh = found.zh if found else path.suffix
    want = "栅格（tif、hgt、asc …）" if "raster" in kinds else "矢量图层或表（gpkg、shp、csv、xlsx …）"
    log.problem(f"{label}这个图层要{want}，文件是 {zh}", "核对 path 写在了正确的图层下")
    return False


@contextmanager
def _plain_name(path: Path) -> Iterator[Path]:
    """The same file under a name that no library misreads, for as long as the context lasts."""
    names = path.parts[1:] if path.anchor else path.parts
    if not any(_HOSTILE.search(name) for name in names) and len(os.fsencode(path.name)) <= _LONGEST_NAME:
        yield path
        return
    stem = path.stem if path.suffix else path.name
    plain = re.sub(r"[^\w.()（）-]", "_", stem).lstrip("-")[:60] or "file"
    with tempfile.TemporaryDirectory(prefix="siteplan-", ignore_cleanup_errors=True) as folder:
        for item in [path] if path.is_dir() else sorted(path.parent.iterdir()):
            if item == path or item.name.casefold().startswith(f"{stem}.".casefold()):
                _same_file(item, Path(folder) / f"{plain}{item.name[len(stem):]}")
        yield Path(folder) / f"{plain}{path.name[len(stem):]}"


def _same_file(item: Path, place: Path) -> None:
    """A link where the system has links, else a copy."""
    try:
        place.symlink_to(item, target_is_directory=item.is_dir())
    except (OSError, NotImplementedError):
        if item.is_dir():
            shutil.copytree(item, place)
        else:
            shutil.copyfile(item, place)


def digest(path: Path) -> tuple[int, str]:
    """Bytes and sha256 of a file; of all its parts for a Shapefile, a TAB or a folder (.gdb), in order of name."""
    if path.is_dir():
        parts = sorted(item for item in path.rglob("*") if item.is_file()) if path.suffix.lower() == ".gdb" else []
    elif path.suffix.lower() in _SIDECARS:
        wanted = (path.suffix.lower(), *_SIDECARS[path.suffix.lower()])
        parts = [part for ending, part in sorted(siblings(path).items()) if ending in wanted]
    else:
        parts = [path]
    found, size = hashlib.sha256(), 0
    for part in parts:
        with part.open("rb") as stream:
            while block := stream.read(1 << 20):
                found.update(block)
                size += len(block)
    return size, found.hexdigest()
