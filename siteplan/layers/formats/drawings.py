"""DXF drawings: text encoding by version and bytes, drawing layers, closed lines as areas, blocks as points."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.drawing_entities import read_entities
from siteplan.layers.formats.encodings import choose_encoding
from siteplan.layers.formats.features import Opened
from siteplan.layers.formats.layer_reading import read_layer
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.formats.scratch import scratch_folder, stand_in
from siteplan.layers.where import names_in, quote_names, select_rows
from siteplan.params import LayerSource
from siteplan.schema import layer_schema

_ACADVER = re.compile(rb"\$ACADVER\s+1\s+(AC\d{4})")
_CODEPAGE = re.compile(rb"\$DWGCODEPAGE\s+3\s+(\S+)")
_UTF8_SINCE = b"AC1021"
"""R2007 and later are UTF-8, whatever ``$DWGCODEPAGE`` says (DXF reference, "Drawing files: encoding")."""
_HEAD = 1 << 17
_MOST_LINES = 20_000
_MOST_FALLBACK = 1 << 26
_BINARY = b"AutoCAD Binary DXF"
_KINDS = {"point": (0, 4), "line": (1, 5), "polygon": (3, 6)}
_KIND_WORDS = {0: "点", 1: "线", 3: "面", 4: "点", 5: "线", 6: "面", 7: "集合"}
_HIDDEN = ("PaperSpace", "SubClasses", "Linetype", "EntityHandle", "BlockScale", "BlockAngle", "BlockOCSNormal",
           "BlockOCSCoords", "Block", "AttributeTag")


def _holds_nul(path: Path) -> bool:
    with path.open("rb") as stream:
        return any(b"\0" in block for block in iter(lambda: stream.read(1 << 20), b""))


def read_drawing(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read the entities of a DXF that are of the kind the layer wants; ``layer`` names drawing layers.

    Parameters
    ----------
    path : Path
    source : LayerSource
    log : FileLog

    Notes
    -----
    GDAL reads first; where it gives up (a spline without knots, block attributes in GBK, a binary drawing), ezdxf does.
    """
    kind = layer_schema(log.layer).geometry
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head.startswith(_BINARY) and _holds_nul(path):  # GDAL would never come to an end
        log.problem("文本 DXF 里有空字符（NUL），文件已损坏", "在 CAD 里修复图纸（RECOVER），重新导出 DXF")
        return
    encoding = _encoding(path, head, source, log)
    raw = None if head.startswith(_BINARY) else _through_gdal(path, encoding, kind, source, log)
    if raw is None and not log.problems:
        if path.stat().st_size > _MOST_FALLBACK:
            log.problem("GDAL 读不了这份图纸，文件又太大，不能用另一种方法读", "在 CAD 中只保留需要的图层，另存为 R2000 或 R2010 DXF")
            return
        raw = _selected(read_entities(path, encoding, kind == "point", log), source, log)
    if raw is None:
        return
    raw = _expand_attributes(raw)
    layers = [str(name) for name in raw.frame["Layer"]] if "Layer" in raw.frame else []
    keep = _on_layers(layers, source, log)
    if keep is None:
        return
    raw = _only(raw, keep)
    if kind == "point":
        raw = _without_texts(raw, source, log)
    yield _of_kind(raw, kind, log)


def _selected(raw: RawTable, source: LayerSource, log: FileLog) -> RawTable | None:
    """Entities that satisfy the study's ``where``; None = it cannot be used, which was logged."""
    if not source.where:
        return raw
    rows = select_rows(raw.frame, source.where, log)
    return None if rows is None else _only(raw, np.isin(np.arange(len(raw.rows)), rows))


def _without_texts(raw: RawTable, source: LayerSource, log: FileLog) -> RawTable:
    """Points without labels, which stand beside the things they name; a ``where`` on ``Text`` asks for labels."""
    named = [name.casefold() for names in names_in(quote_names(source.where or "")) for name in names]
    if raw.geometry is None or "Text" not in raw.frame or "text" in named:
        return raw
    texts = raw.frame["Text"].notna().to_numpy() & (shapely.get_type_id(raw.geometry) == 0)
    if "BlockName" in raw.frame:
        texts &= raw.frame["BlockName"].isna().to_numpy()
    if not texts.any():
        return raw
    count = int(texts.sum())
    log.line("", "Text", f"{count} 个", "note", f"图纸里有 {count} 个文字（TEXT、MTEXT、块属性），是标注不是点，没有读",
             '需要文字时，用 where 选出它们，例如 where = "Text IS NOT NULL"')
    return _only(raw, ~texts)


def _encoding(path: Path, head: bytes, source: LayerSource, log: FileLog) -> str:
    version, page = _ACADVER.search(head), _CODEPAGE.search(head)
    texts: dict[bytes, None] = {}
    with path.open("rb") as stream:
        for line in stream:
            if not line.isascii() and not head.startswith(_BINARY):
                texts[line.strip()[:500]] = None
                if len(texts) >= _MOST_LINES:
                    break
    if version and version[1] >= _UTF8_SINCE:
        said = [(f"DXF 版本 {version[1].decode()}", "utf-8")]
    else:
        said = [("$DWGCODEPAGE", page[1].decode("ascii", "replace").replace("ANSI_", "cp"))] if page else []
    return choose_encoding(list(texts), said, source.encoding, log)


def _through_gdal(path: Path, encoding: str, kind: str, source: LayerSource, log: FileLog) -> RawTable | None:
    """All entities through GDAL, or None where it fails."""
    options = {"ENCODING": encoding.upper().replace("CP950", "BIG5").replace("_", "-"),
               "CLOSED_LINE_AS_POLYGON": "YES" if kind in ("polygon", "any") else "NO",
               "INLINE_BLOCKS": "NO" if kind == "point" else "YES"}
    trial = FileLog(log.layer, log.file, type(log.ledger)())
    with scratch_folder() as folder:
        opened = Opened(stand_in(path, folder, "data.dxf"), options=options, recoded=True)
        try:
            raw = read_layer(opened, "entities", source.model_copy(update={"layer": None}), trial)
        except (RuntimeError, ValueError, OSError, pa.ArrowException):
            return None
    log.ledger.extend(trial.ledger)
    log.problems += trial.problems
    log.mistakes += trial.mistakes
    text = raw.frame["Text"] if raw is not None and "Text" in raw.frame else pd.Series([], dtype="str")
    if raw is None or text.astype("str").str.contains("�", na=False).any():
        return None
    return raw


def _expand_attributes(raw: RawTable) -> RawTable:
    """Attributes of block inserts ("编号 L1" in a list) as columns; columns about drawing style are left out."""
    frame = raw.frame
    if "BlockAttributes" in frame:
        cells = [json.loads(cell) if isinstance(cell, str) and cell.startswith("[") else [] for cell in
                 frame["BlockAttributes"]]
        pairs = [dict(str(item).partition(" ")[::2] for item in cell) for cell in cells]
        names = list(dict.fromkeys(name for found in pairs for name in found if name not in frame))
        more = {name: pd.Series([found.get(name) for found in pairs], index=frame.index, dtype="str") for name in names}
        frame = pd.concat([frame.drop(columns="BlockAttributes"), pd.DataFrame(more, index=frame.index)], axis=1)
    return replace(raw, frame=frame.drop(columns=[name for name in _HIDDEN if name in frame]))


def _on_layers(layers: list[str], source: LayerSource, log: FileLog) -> NDArray[np.bool_] | None:
    """Entities on the drawing layers of the study file; None = it names one that is not there."""
    wanted = [name.strip() for name in (source.layer or "").split(",") if name.strip()]
    have = list(dict.fromkeys(layers))
    folded = {name.casefold() for name in have}
    strange = [name for name in wanted if name.casefold() not in folded]
    if strange:
        log.mistake(f"图纸里没有图层“{'、'.join(strange)}”；有：{'、'.join(sorted(have)[:60])}", "核对 layer", "layer")
        return None
    if not wanted and len(have) > 1:
        log.line("", "layer", "、".join(sorted(have))[:150], "note", f"图纸有 {len(have)} 个图层，全部读入", "只要其中几个时写明 layer")
    picked = {name.casefold() for name in wanted}
    return np.array([not picked or name.casefold() in picked for name in layers], dtype=bool)


def _only(raw: RawTable, keep: NDArray[np.bool_]) -> RawTable:
    geometry = None if raw.geometry is None else raw.geometry[keep]
    return RawTable(raw.frame[keep].reset_index(drop=True), raw.rows[keep], geometry, raw.crs, raw.encoding)


def _of_kind(raw: RawTable, kind: str, log: FileLog) -> RawTable:
    """Entities of the wanted kind: closed lines become areas, labels inside an area go to its ``Text``."""
    if raw.geometry is None or kind not in _KINDS:
        return raw
    shapes = _closed_as_areas(raw.geometry) if kind == "polygon" else raw.geometry
    types = shapely.get_type_id(shapes)
    fits = np.isin(types, _KINDS[kind])
    if not fits.any():
        return replace(raw, geometry=shapes)
    frame = raw.frame
    if kind == "polygon" and "Text" in frame:
        frame = _labelled(frame, shapes, fits, raw.rows, log)
    if not fits.all():
        words = [_KIND_WORDS.get(int(code), "其他") for code in types[~fits]]
        counts = "、".join(f"{words.count(word)} 个{word}" for word in dict.fromkeys(words))
        log.line("", "geometry", counts, "note", f"图纸里还有 {counts}，种类与本图层不合，没有读", "需要时放到别的图层读")
    return _only(replace(raw, frame=frame, geometry=shapes), fits)


def _closed_as_areas(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    lines = (shapely.get_type_id(shapes) == 1) & (shapely.get_num_points(shapes) >= 4) & shapely.is_closed(shapes)
    out = shapes.copy()
    for place in np.flatnonzero(lines):
        out[place] = shapely.Polygon(shapely.get_coordinates(shapes[place]))
    return out


def _labelled(frame: pd.DataFrame, shapes: NDArray[np.object_], areas: NDArray[np.bool_], rows: NDArray[np.object_],
              log: FileLog) -> pd.DataFrame:
    """``Text`` of areas without one: that of the label inside, where exactly one stands in it."""
    labels = np.flatnonzero((shapely.get_type_id(shapes) == 0) & frame["Text"].notna().to_numpy())
    places = np.flatnonzero(areas)
    if not len(labels) or not len(places):
        return frame
    which, label = shapely.STRtree(shapes[labels]).query(shapes[places], predicate="contains")
    count = np.bincount(which, minlength=len(places))
    owners = np.bincount(label, minlength=len(labels))
    single = (count[which] == 1) & (owners[label] == 1)
    text = frame["Text"].to_numpy(dtype=object).copy()
    taken = places[which[single]]
    text[taken] = text[labels[label[single]]]
    log.rows(rows[taken], "Text", text[taken[0]] if len(taken) else "", "assumed", "面的 Text 取其中唯一的文字标注",
             "核对标注与图形是否对应")
    return frame.assign(Text=pd.Series(text, index=frame.index, dtype="str"))
