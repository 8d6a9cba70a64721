"""Shapefiles as they arrive: side files missing, misspelled or wrong, text in four encodings, names cut in half."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyproj
import shapely
from pyproj.exceptions import CRSError as ProjCrsError

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.dbf import Dbf, dbf_texts, read_dbf_header
from siteplan.layers.formats.encodings import choose_encoding, decode_text, decodes, language_byte
from siteplan.layers.formats.features import Opened
from siteplan.layers.formats.layer_reading import read_layer
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.formats.scratch import scratch_folder, siblings, stand_in
from siteplan.layers.formats.shapes import footprint
from siteplan.params import LayerSource
from siteplan.schema import layer_schema

_HEADER = 100
_MAGIC = 9994
_MULTIPATCH = 31
_NAME_BYTES = 10
_MOST_PRJ_BYTES = 1 << 16
_BEYOND = ".shx 指到 .shp 之外"


def read_shapefile(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read a Shapefile through stand-ins in a scratch folder; the user's folder is never written to.

    Parameters
    ----------
    path : Path
        The .shp; its sidecars are found whatever the case of their names.
    source : LayerSource
    log : FileLog
    """
    parts = siblings(path)
    with path.open("rb") as stream:
        head = stream.read(_HEADER)
    if len(head) < _HEADER:
        log.problem("文件不完整，连文件头都没有", "请提供方重新导出")
        return
    with scratch_folder() as folder:
        place = stand_in(path, folder, "data.shp")
        if not _index(path, parts.get(".shx"), folder / "data.shx", log):
            return
        _projection(parts.get(".prj"), folder, log)
        opened = Opened(place)
        if ".dbf" in parts:
            opened = _attributes(parts, folder, opened, source, log)
        else:
            log.line("", "", f"{path.stem}.dbf", "note", "没有 .dbf，只读到几何，没有属性", "向提供方索取 .dbf")
        raw = read_layer(opened, None, source, log)
        table = read_dbf_header(folder / "data.dbf") if (folder / "data.dbf").exists() else None
    if raw is None:
        return
    if table is not None and not source.where and table.rows != len(raw.rows):
        log.line("", "", f"{table.rows} 行", "note", f".dbf 有 {table.rows} 行，读到 {len(raw.rows)} 个要素，两者对不上",
                 "核对 .shp、.shx、.dbf 是否是同一次导出的")
    if int.from_bytes(head[32:36], "little") == _MULTIPATCH and raw.geometry is not None:
        log.rows(raw.rows, "geometry", "MultiPatch", "repaired", "三维面片取其平面投影", "无需处理")
        raw = replace(raw, geometry=_flat(raw.geometry))
    yield raw


def _flat(shapes: np.ndarray) -> np.ndarray:
    out = np.empty(len(shapes), dtype=object)
    for place, shape in enumerate(shapes):
        out[place] = footprint(shape) if shape is not None and not shapely.is_empty(shape) else shape
    return out


def _index(shp: Path, shx: Path | None, place: Path, log: FileLog) -> bool:
    """Put the index into the scratch folder, made anew from the .shp where there is none or a bad one."""
    reason = "没有 .shx" if shx is None else _bad_index(shx, shp.stat().st_size)
    if shx is not None and not reason:
        stand_in(shx, place.parent, place.name)
        return True
    entries, whole = _records(shp)
    if shx is not None and reason == _BEYOND and not whole and len(entries) < (shx.stat().st_size - _HEADER) // 8:
        stand_in(shx, place.parent, place.name)  # the rows whose shapes are lost are refused one by one
        log.line("", "", shp.name, "note", f".shp 不完整，只有 {len(entries)} 个图形", "文件可能没有传完，请重新传送")
        return True
    if not entries and shp.stat().st_size > _HEADER:
        log.problem(f"{reason}，.shp 里也数不出记录", "请提供方重新导出整套 Shapefile")
        return False
    with shp.open("rb") as stream:
        header = bytearray(stream.read(_HEADER))
    header[24:28] = struct.pack(">i", (_HEADER + 8 * len(entries)) // 2)
    place.write_bytes(bytes(header) + b"".join(struct.pack(">2i", *entry) for entry in entries))
    more = "" if whole else "；最后的记录不完整，没有读"
    log.line("", "", f"{shp.stem}.shx", "repaired", f"{reason}，已按 .shp 重建索引，共 {len(entries)} 个图形{more}",
             "用 GIS 软件另存一份完整的 Shapefile")
    return True


def _bad_index(shx: Path, size: int) -> str:
    """Why an index cannot be used; empty when it can."""
    data = shx.read_bytes()
    if len(data) < _HEADER or int.from_bytes(data[:4], "big") != _MAGIC:
        return ".shx 不是索引文件"
    if (len(data) - _HEADER) % 8 or int.from_bytes(data[24:28], "big") * 2 != len(data):
        return ".shx 的长度与文件头不符"
    entries = np.frombuffer(data, ">i4", offset=_HEADER).astype(np.int64)
    starts = entries[::2] * 2
    if len(starts) and ((starts < _HEADER) | (starts > size)).any():
        return _BEYOND
    if not len(starts) and size > _HEADER + 8:
        return ".shx 是空的"
    return ""


def _records(shp: Path) -> tuple[list[tuple[int, int]], bool]:
    """Place and length of each record in 16-bit words, and whether the file ends with a whole record."""
    size = shp.stat().st_size
    entries: list[tuple[int, int]] = []
    here = _HEADER
    with shp.open("rb") as stream:
        while here + 12 <= size:
            stream.seek(here)
            length = int.from_bytes(stream.read(8)[4:], "big", signed=True)
            if length < 2 or here + 8 + 2 * length > size:
                return entries, False
            entries.append((here // 2, length))
            here += 8 + 2 * length
    return entries, here == size


def _projection(prj: Path | None, folder: Path, log: FileLog) -> None:
    """Put the .prj into the scratch folder where it says a CRS."""
    if prj is None:
        return
    data = prj.read_bytes()[:_MOST_PRJ_BYTES]
    encoding = "utf-8-sig" if decodes(data, "utf-8") else "gb18030"  # names of local systems are Chinese
    text = data.decode(encoding, "replace").strip("\0 \r\n\t")
    try:
        pyproj.CRS.from_wkt(text)
    except (ProjCrsError, ValueError):
        log.line("", "crs", " ".join(text.split())[:80], "note", ".prj 里写的不是坐标系，未采用",
                 "请提供方给出正确的 .prj，或在研究文件写明 crs")
        return
    (folder / "data.prj").write_text(text, encoding="utf-8")


def _attributes(parts: dict[str, Path], folder: Path, opened: Opened, source: LayerSource, log: FileLog) -> Opened:
    """Put the .dbf into the scratch folder and find its encoding."""
    dbf = parts[".dbf"]
    table = read_dbf_header(dbf)
    if table is None:
        log.line("", "", dbf.name, "note", ".dbf 读不懂，没有属性", "请提供方重新导出")
        return opened
    if table.rows > table.held:
        log.line("", "", f"{table.rows} 行", "repaired", f".dbf 的文件头说有 {table.rows} 行，文件里只有 {table.held} 行",
                 "文件可能没有传完，请重新传送")
        _with_count(dbf, folder / "data.dbf", table)
    else:
        stand_in(dbf, folder, "data.dbf")
    texts = dbf_texts(dbf, table)
    said = []
    if ".cpg" in parts:
        said.append((".cpg", parts[".cpg"].read_bytes()[:200].decode("utf-8-sig", "replace").strip()))
    if (language := language_byte(table.language)) is not None:
        said.append(("LDID", language))
    encoding = choose_encoding(texts, said, source.encoding, log)
    names = {field.name.decode("latin-1"): field for field in table.fields}
    shown = _whole_names(table, encoding, log)
    plain = not texts or (encoding == "utf-8" and not shown and all(_is_whole(text) for text in texts))
    options = {"ENCODING": "UTF-8"} if plain and texts else {}
    return replace(opened, encoding="" if plain else encoding, options=options, shown=shown,
                   widths={name: field.width for name, field in names.items()})


def _is_whole(text: bytes) -> bool:
    return not decode_text(text, "utf-8")[1]


def _with_count(dbf: Path, place: Path, table: Dbf) -> None:
    data = bytearray(dbf.read_bytes())
    data[4:8] = struct.pack("<I", table.held)
    place.write_bytes(data)


def _whole_names(table: Dbf, encoding: str, log: FileLog) -> dict[str, str]:
    """Names that were cut at ten bytes, completed where one word of the column dictionary begins so.

    Returns
    -------
    dict
        Name as GDAL gives it (one character per byte) -> whole name.
    """
    schema = layer_schema(log.layer)
    words = list(dict.fromkeys(word for spec in schema.fields.values() for word in (spec.zh, *spec.accepts)))
    out = {}
    for field in table.fields:
        cut = decode_text(field.name, encoding)[1] == "cut"
        if not cut and (len(field.name) < _NAME_BYTES or field.name.isascii()):
            continue
        fitting = [word for word in words if word.encode(encoding, "replace")[:_NAME_BYTES] == field.name]
        shown = field.name.decode(encoding, "ignore")
        if len(fitting) == 1 and fitting[0] != shown and decodes(field.name, encoding):
            out[field.name.decode("latin-1")] = fitting[0]
            log.line("", fitting[0], shown, "repaired", f"字段名“{shown}”在第 {_NAME_BYTES} 个字节被截断，按字段表补全为“{fitting[0]}”",
                     "核对；字段名用五个汉字以内")
        elif cut:
            log.line("", shown, shown, "repaired", f"字段名在字符中间被截断，去掉残缺的字节后是“{shown}”",
                     "需要时在 columns 写明；字段名用五个汉字以内")
    return out
