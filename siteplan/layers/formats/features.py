"""One layer of a vector file through GDAL: cells, geometry, CRS; text that is no UTF-8 is decoded here, with lines."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyogrio
import pyproj
from numpy.typing import NDArray
from pyproj.exceptions import CRSError as ProjCrsError

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.encodings import choose_encoding, decode_text
from siteplan.layers.formats.shapes import decode_shapes, type_code

_RAW = "ISO-8859-1"
"""One character per byte: how text is carried until its encoding is known."""
_MOST_NOTES = 6
_EXACT = 2**53
_LOOKED_AT = 20_000
_CURVES = frozenset((8, 9, 10, 11, 12))
"""Type numbers of CircularString, CompoundCurve, CurvePolygon, MultiCurve, MultiSurface."""


@dataclass(frozen=True)
class Opened:
    """A file as GDAL is to open it.

    Attributes
    ----------
    place : Path
        The file, or its stand-in in a scratch folder.
    encoding : str
        Encoding of its text; empty where the driver gives UTF-8.
    options : mapping of str to str
        Open options of the driver.
    shown : mapping of str to str
        Field as GDAL names it -> as planners know it.
    widths : mapping of str to int
        Bytes of a text field, where the format has such a limit.
    recoded : bool
        The driver itself recodes text: what is not UTF-8 then cannot be told from the bytes.
    """

    place: Path
    encoding: str = ""
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    shown: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    widths: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    recoded: bool = False


@dataclass(frozen=True)
class Cells:
    """What GDAL gave of one layer: columns, geometry (None = a plain table), CRS, encoding that was found."""

    frame: pd.DataFrame
    rows: NDArray[np.object_]
    geometry: NDArray[np.object_] | None
    crs: pyproj.CRS | None
    encoding: str


def quietly(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a library function; its warnings are not shown (the reading itself repeats and logs them)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **options)


def logged(call: Callable[..., Any], place: Path, log: FileLog, **options: Any) -> Any:
    """Call a library function on a file; its warnings become notes, each sentence once, at most a handful."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = call(place, **options)
    words = [str(warning.message).splitlines() or [""] for warning in caught]
    sentences = sorted({lines[0].replace(str(place), log.file) for lines in words})
    for sentence in sentences[:_MOST_NOTES]:
        log.line("", "", sentence, "note", "读取库的提示", "用 GIS 软件检查该文件")
    if len(sentences) > _MOST_NOTES:
        log.line("", "", f"{len(sentences) - _MOST_NOTES} 条", "note", "读取库还有更多提示，未列出", "用 GIS 软件检查该文件")
    return found


def label_rows(count: int, layer: str = "") -> NDArray[np.object_]:
    """Row labels from 1; with the layer's name in front where a file has several.

    >>> label_rows(2, "站点").tolist()
    ['站点 1', '站点 2']
    """
    front = f"{layer} " if layer else ""
    return np.array([f"{front}{number}" for number in range(1, count + 1)], dtype=object)


def read_cells(opened: Opened, layer: str | int | None, where: str | None, columns: Sequence[str] | None,
               label: str, log: FileLog) -> Cells:
    """Read one layer.

    Parameters
    ----------
    opened : Opened
    layer : str, int or None
        None = the only one.
    where : str or None
        OGR WHERE clause, names as planners know them.
    columns : sequence of str or None
        Fields to read, as GDAL names them; None = all.
    label : str
        Put before row numbers; empty where the file has one layer.
    log : FileLog

    Raises
    ------
    RuntimeError, ValueError, OSError
        What pyogrio raises.
    """
    options: dict[str, Any] = {"layer": layer, "columns": columns, **opened.options}
    options["where"] = _as_stored(where, opened, "")
    if not opened.encoding:
        try:
            return _read(opened, options, label, log)
        except UnicodeDecodeError:
            if opened.recoded:
                raise
            # not UTF-8 after all: read as bytes
    options["where"] = _as_stored(where, opened, opened.encoding or "utf-8")
    return _read(opened, options | {"encoding": _RAW}, label, log)


def _as_stored(where: str | None, opened: Opened, encoding: str) -> str | None:
    """The clause with names as the file stores them; one character per byte where an encoding is given."""

    def raw(text: str) -> str:
        return text.encode(encoding, "replace").decode("latin-1") if encoding else text

    if where is None:
        return None
    clause = raw(where)
    for stored, shown in opened.shown.items():
        clause = clause.replace(f'"{raw(shown)}"', f'"{stored}"')
    return clause


def holds_curves(opened: Opened, layer: str | int | None) -> bool:
    """Whether geometry is made of arcs (looked for in the first features): GDAL gives straight pieces for them."""
    _, table = quietly(pyogrio.raw.read_arrow, opened.place, layer=layer, columns=[], max_features=_LOOKED_AT,
                       **opened.options)
    column = table.column(table.num_columns - 1) if table.num_columns else pa.chunked_array([], pa.binary())
    return bool({type_code(wkb.as_py()) for wkb in column if wkb.is_valid} & _CURVES)


def arrow_frame(table: pa.Table) -> pd.DataFrame:
    """Columns of an Arrow table as pandas knows them here: dates without zone, nested cells as JSON text.

    Raises
    ------
    pyarrow.ArrowInvalid
        Text that is not UTF-8.

    Examples
    --------
    >>> arrow_frame(pa.table({"a": [[1, 2], None]}))["a"].dropna().tolist()
    ['[1, 2]']
    """
    out: dict[str, Any] = {}
    for number in range(table.num_columns):
        column, kind = table.column(number), table.column(number).type
        if isinstance(kind, pa.BaseExtensionType):
            column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
            kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            column.validate(full=True)
        elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            column = column.cast(pa.timestamp("ms", getattr(kind, "tz", None)), safe=False).cast(pa.timestamp("ms"))
        elif pa.types.is_nested(kind):
            column = pa.chunked_array([pa.array([_as_json(cell) for cell in column.to_pylist()], pa.string())])
        elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            column = pa.chunked_array([pa.nulls(len(column), pa.string())])
        elif pa.types.is_int64(kind) and column.null_count and _is_large(column):
            out[f"{number}"] = pd.Series(column.to_pylist(), dtype=object)
            continue
        out[f"{number}"] = column.to_pandas()
    frame = pd.DataFrame(out) if out else pd.DataFrame(index=range(table.num_rows))
    frame.columns = pd.Index(table.column_names, dtype=object)
    return frame


def _is_large(column: pa.ChunkedArray) -> bool:
    values = column.drop_null().to_numpy()
    return bool(len(values)) and int(np.abs(values).max()) > _EXACT


def _as_json(cell: Any) -> str | None:
    return None if cell is None else json.dumps(cell, ensure_ascii=False, default=str)


def _read(opened: Opened, options: Mapping[str, Any], label: str, log: FileLog) -> Cells:
    """Read one layer; not through Arrow, which ends without a word where a file is damaged."""
    meta, _, wkb, values = logged(pyogrio.raw.read, opened.place, log, **options)
    count = len(wkb) if wkb is not None else (len(values[0]) if len(values) else 0)
    rows = label_rows(count, label)
    geometry = None if wkb is None else decode_shapes(wkb, rows, log)
    names = [str(name) for name in meta["fields"]]
    cells = [_json_cells(column) if "List" in kind or kind == "OFTBinary" else column
             for kind, column in zip(meta["ogr_types"], values, strict=True)]
    encoding = "utf-8"
    if "encoding" in options:
        encoding = opened.encoding or choose_encoding(_high_texts(names, cells), [], None, log)
        cells = [_decode_cells(column, encoding, opened.widths.get(name), rows, name, log) if column.dtype == object
                 else column for name, column in zip(names, cells, strict=True)]
        shown = [_real_name(name, opened, encoding) for name in names]
    else:
        cells = [_whole_numbers(opened, options, name, column) if kind == "OFTInteger64" else column
                 for name, kind, column in zip(names, meta["ogr_types"], cells, strict=True)]
        shown = [opened.shown.get(name, name) for name in names]
    frame = pd.DataFrame(dict(enumerate(cells)), index=range(count))
    frame.columns = pd.Index(unique_names(shown, log), dtype=object)
    return Cells(frame, rows, geometry, crs_of(meta["crs"], log), encoding)


def _json_cells(column: NDArray[Any]) -> NDArray[Any]:
    lists = [cell.tolist() if isinstance(cell, np.ndarray) else None for cell in column]
    return np.array([_as_json(cell) for cell in lists], dtype=object)


def _whole_numbers(opened: Opened, options: Mapping[str, Any], name: str, column: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers beside nulls, exact: as floats they lose digits beyond 2**53."""
    if column.dtype.kind != "f" or not (np.abs(column) >= _EXACT).any():
        return column
    _, table = quietly(pyogrio.raw.read_arrow, opened.place, **{**options, "columns": [name], "read_geometry": False})
    exact = table.column(name).to_pylist()
    return np.array(exact, dtype=object) if len(exact) == len(column) else column


def _high_texts(names: Sequence[str], cells: Sequence[NDArray[Any]]) -> list[bytes]:
    found: dict[str, None] = dict.fromkeys(name for name in names if not name.isascii())
    for column in cells:
        if column.dtype == object:
            found |= dict.fromkeys(cell for cell in column if isinstance(cell, str) and not cell.isascii())
    return [text.encode("latin-1", "ignore") for text in found]


def _real_name(name: str, opened: Opened, encoding: str) -> str:
    return opened.shown.get(name) or decode_text(name.encode("latin-1", "ignore"), encoding)[0]


def _decode_cells(column: NDArray[Any], encoding: str, width: int | None, rows: NDArray[np.object_], name: str,
                  log: FileLog) -> NDArray[Any]:
    """Text of cells carried as one character per byte; one line per kind of trouble."""
    known: dict[str, tuple[str, str]] = {}
    troubled: dict[str, list[int]] = {}
    out = column.copy()
    for place, cell in enumerate(column):
        if not isinstance(cell, str) or cell.isascii():
            continue
        if cell not in known:
            known[cell] = decode_text(cell.encode("latin-1", "ignore"), encoding, width)
        out[place], note = known[cell]
        if note:
            troubled.setdefault(note, []).append(place)
    shown = decode_text(name.encode("latin-1", "ignore"), encoding)[0]
    reasons = {"cut": "文字在字符中间被截断，已去掉残缺的字节", "broken": "有字节无法解码，以 � 代替"}
    for note, places in troubled.items():
        reason = reasons.get(note, f"这些文字不是 {encoding}，是 {note}，已按 {note} 读出")
        log.rows(rows[places], shown, out[places[0]], "repaired", reason, "核对文字，用一种编码和足够的字段宽度重新导出")
    return out


def unique_names(names: Sequence[str], log: FileLog) -> list[str]:
    """Column names, a repeated one numbered, with a line."""
    out: list[str] = []
    for number, name in enumerate(names, start=1):
        if name in out:
            log.line("", name, f"第{number}列", "note", "列名重复，采用前一列", "改名或删除重复列")
            name = f"{name}#{number}"
        out.append(name)
    return out


def crs_of(text: str | None, log: FileLog) -> pyproj.CRS | None:
    """The CRS GDAL found; what PROJ does not understand is a line, and None."""
    if not text:
        return None
    try:
        found = pyproj.CRS.from_user_input(text)
    except ProjCrsError:
        log.line("", "crs", text[:120], "note", "文件写的坐标系看不懂，未采用", "在研究文件写明 crs")
        return None
    if found.is_engineering or found.type_name == "Engineering CRS":
        log.line("", "crs", found.name, "note", "文件写的是没有地理位置的平面坐标系，未采用", "在研究文件写明 crs")
        return None
    return found
