"""KML and GeoJSON: encoding, entities, depth and names are looked at before GDAL opens them."""

from __future__ import annotations

import codecs
import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
import pyogrio
import pyproj
import shapely

from siteplan import crs as crs_module
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.encodings import choose_encoding, codec_of, decodes
from siteplan.layers.formats.features import Opened, quietly
from siteplan.layers.formats.layer_reading import read_layer
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.formats.scratch import scratch_folder, stand_in
from siteplan.params import LayerSource
from siteplan.schema import layer_schema

_MOST_BYTES = 1 << 30
_DEEPEST = 64
_CHECKED_JSON = 1 << 23
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_DATA_NAME = re.compile(r"""(<Data\b[^>]*?\bname\s*=\s*)(["'])(.*?)\2""", re.DOTALL)
_JSON_CRS = re.compile(r'"crs"\s*:\s*\{[^{}]*"properties"\s*:\s*\{[^{}]*"name"\s*:\s*"([^"]{1,200})"')
_STANDARD = ("timestamp", "begin", "end", "altitudeMode", "tessellate", "extrude", "visibility", "drawOrder", "icon")
"""Columns LIBKML makes of every placemark's drawing style; no planner's data."""
_KINDS = {"point": (0, 4), "line": (1, 2, 5), "polygon": (3, 6)}


class _UnfitError(ValueError):
    """A file is not fit to be read: reason and remedy."""


def read_kml(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read the folders of a KML: those the study names, or all that hold the kind of geometry wanted.

    Parameters
    ----------
    path : Path
        The .kml (a .kmz is unpacked before it comes here).
    source : LayerSource
    log : FileLog
    """
    if path.stat().st_size > _MOST_BYTES:
        log.problem("KML 超过 1 GiB", "转为 GeoPackage 后再提供")
        return
    try:
        text = _xml_text(path.read_bytes(), source, log)
        _check_xml(text)
    except _UnfitError as error:
        log.problem(*error.args)
        return
    text, shown = _plain_data_names(_DECLARATION.sub("", text))
    with scratch_folder() as folder:
        place = folder / "data.kml"
        place.write_text('<?xml version="1.0" encoding="UTF-8"?>\n' + text.strip(), encoding="utf-8")
        opened = Opened(place, shown=shown)
        names = [str(name) for name in quietly(pyogrio.list_layers, place)[:, 0]]
        wanted = _named(names, source, log) if source.layer else names
        found = []
        for name in wanted or []:
            raw = read_layer(opened, name, source, log, name if len(wanted or []) > 1 else "")
            if raw is not None:
                found.append((name, _without_style(raw, source)))
    yield from _of_kind(found, source, log)


def read_geojson(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read a GeoJSON; text that is not UTF-8 is decoded first, a CRS named in it is kept to.

    Parameters
    ----------
    path : Path
    source : LayerSource
    log : FileLog
    """
    with scratch_folder() as folder:
        place = folder / "data.geojson"
        data = path.read_bytes()
        encoding = "utf-8"
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or not decodes(data, "utf-8"):
            encoding = "utf-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else choose_encoding(
                [line for line in data[:1 << 24].splitlines() if not line.isascii()], [], source.encoding, log)
            place.write_text(data.decode(encoding, "replace"), encoding="utf-8", newline="")
        else:
            stand_in(path, folder, place.name)
        if not _check_json(data, log):
            return
        ends = (data[:1 << 16] + b"\n" + data[-(1 << 16):]).decode(encoding, "ignore")
        del data
        raw = read_layer(Opened(place), None, source, log)
    if raw is not None:
        named = _JSON_CRS.search(ends)
        yield _in_named_crs(raw, named[1] if named else "", source, log)


def _xml_text(data: bytes, source: LayerSource, log: FileLog) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    declared = (found := _DECLARED.search(data[:400])) and codec_of(found[1].decode("ascii", "ignore"))
    plain = data.removeprefix(codecs.BOM_UTF8)
    if plain.isascii() or (source.encoding is None and declared in (None, "utf-8") and decodes(plain, "utf-8")):
        return plain.decode("utf-8", "replace")
    lines = [line for line in plain[:1 << 24].splitlines() if not line.isascii()]
    said = [("XML 声明", found[1].decode("ascii", "ignore"))] if found else [("KML 规范", "utf-8")]
    return plain.decode(choose_encoding(lines, said, source.encoding, log), "replace")


def _check_xml(text: str) -> None:
    """Raise where the text declares entities, is nested too deep, or is no KML."""
    parser = expat.ParserCreate("utf-8")
    depth = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        del attributes
        if depth == 0 and name.rpartition(":")[2].lower() != "kml":
            raise _UnfitError(f"不是 KML（根元素是 {name[:40]}）", "请提供方重新导出 KML")
        depth += 1
        if depth > _DEEPEST:
            raise _UnfitError(f"KML 嵌套超过 {_DEEPEST} 层，不读", "减少文件夹层数，重新导出")

    def end(name: str) -> None:
        nonlocal depth
        del name
        depth -= 1

    def declare(*words: Any) -> None:
        del words
        raise _UnfitError("KML 里有 DOCTYPE 或 ENTITY 声明，不读（可能引用外部文件）", "请提供方导出不带 DOCTYPE 的 KML")

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.StartDoctypeDeclHandler = declare
    parser.EntityDeclHandler = declare
    body = _DECLARATION.sub("", text)
    try:
        parser.Parse(body.strip().encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise _UnfitError(f"XML 第 {error.lineno} 行有错（{expat.errors.messages[error.code]}）",
                          "文件可能没有传完，请提供方重新导出") from error


def _plain_data_names(text: str) -> tuple[str, dict[str, str]]:
    """Names of untyped ExtendedData that GDAL would spoil (all beyond ASCII letters) as plain ones; and what they are.

    >>> _plain_data_names('<Data name="挂高"><value>3</value></Data>')
    ('<Data name="x0001"><value>3</value></Data>', {'x0001': '挂高'})
    """
    known: dict[str, str] = {}

    def plain(found: re.Match[str]) -> str:
        if re.fullmatch(r"[A-Za-z]\w*", found[3], re.ASCII):
            return found[0]
        token = known.setdefault(html.unescape(found[3]), f"x{len(known) + 1:04d}")
        return f"{found[1]}{found[2]}{token}{found[2]}"

    out = _DATA_NAME.sub(plain, text)
    return out, {token: name for name, token in known.items()}


def _named(names: list[str], source: LayerSource, log: FileLog) -> list[str] | None:
    """Layers of the study file; a folder name stands for all folders of that name (GDAL numbers them)."""
    wanted = [name.strip() for name in (source.layer or "").split(",") if name.strip()]
    out: list[str] = []
    for want in wanted:
        fitting = [name for name in names if name == want or re.sub(r" \(#\d+\)$", "", name) == want]
        if not fitting:
            log.mistake(f"没有图层“{want}”；有：{'、'.join(names[:40])}", "核对 layer", "layer")
            return None
        out += [name for name in fitting if name not in out]
    return out


def _without_style(raw: RawTable, source: LayerSource) -> RawTable:
    kept = set(source.columns.values())
    drop = [column for column in raw.frame.columns if column in _STANDARD and column not in kept]
    return RawTable(raw.frame.drop(columns=drop), raw.rows, raw.geometry, raw.crs, raw.encoding)


def _of_kind(found: list[tuple[str, RawTable]], source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Tables that hold the wanted kind of geometry; where none does, all of them."""
    kind = layer_schema(log.layer).geometry
    codes = _KINDS.get(kind)

    def fits(raw: RawTable) -> bool:
        if raw.geometry is None or codes is None:
            return raw.geometry is not None
        return bool(np.isin(shapely.get_type_id(raw.geometry), codes).any())

    chosen = found if source.layer or len(found) < 2 else [pair for pair in found if fits(pair[1])] or found
    if len(found) > 1:
        other = [name for name, _ in found if name not in [kept for kept, _ in chosen]]
        tail = f"；几何种类不合、未读：{'、'.join(other)}" if other else ""
        log.line("", "layer", "、".join(name for name, _ in chosen)[:150], "note",
                 f"有 {len(found)} 个文件夹，读了 {len(chosen)} 个{tail}", "只要其中几个时写明 layer")
    for _, raw in chosen:
        yield raw


def _check_json(data: bytes, log: FileLog) -> bool:
    """Whether small JSON is well formed and flat; keys given twice are noted (GDAL takes the last)."""
    if len(data) > _CHECKED_JSON:
        return True
    twice: Counter[str] = Counter()

    def pairs(items: list[tuple[str, Any]]) -> None:
        if len(items) != len({key for key, _ in items}):
            twice.update(key for key, count in Counter(key for key, _ in items).items() if count > 1)

    try:
        json.loads(data.decode("utf-8-sig", "replace"), object_pairs_hook=pairs, parse_constant=float)
    except RecursionError:
        log.problem("JSON 嵌套太深，不读", "用 GIS 软件重新导出")
        return False
    except ValueError as error:
        log.line("", "", str(error)[:120], "note", "JSON 写得不合规范，能读多少读多少", "请提供方重新导出")
    if twice:
        log.line("", "", "、".join(list(twice)[:20]), "note",
                 f"同一个对象里有重复的键（{sum(twice.values())} 处），取最后一个值", "请提供方去掉重复的键")
    return True


def _in_named_crs(raw: RawTable, name: str, source: LayerSource, log: FileLog) -> RawTable:
    """The table with GCJ-02 or BD-09 coordinates, where the file names these, moved to WGS 84."""
    plain = name.lower().replace("-", "").replace("_", "").replace(" ", "")
    datum = next((datum for datum in ("gcj02", "bd09") if datum in plain), None)
    if datum is None or raw.geometry is None:
        return raw
    if source.datum is not None or source.crs is not None:
        log.line("", "crs", name, "note", "文件写明的坐标基准与研究文件的 datum 或 crs 并存，以研究文件为准", "核对 datum")
        return raw
    moved = crs_module.transform_geometry(raw.geometry, 4326, 4326, datum)
    log.line("", "crs", name, "repaired", f"文件写明坐标是 {datum.upper()}，已换算到 WGS 84", "核对与其他图层是否对齐")
    return RawTable(raw.frame, raw.rows, moved, pyproj.CRS.from_epsg(4326), raw.encoding)
