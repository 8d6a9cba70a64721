"""One layer of an opened file into a raw table: the study's ``where`` and the fields that are worth reading."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyogrio
from pyproj.exceptions import ProjError
from shapely.errors import ShapelyError

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.encodings import decode_text, mojibake
from siteplan.layers.formats.features import Cells, Opened, holds_curves, quietly, read_cells
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.where import bad_where, names_in, names_known, quote_names, strangers
from siteplan.params import LayerSource
from siteplan.schema import coordinate_words, find_column, layer_schema, match_columns

LIBRARY_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError, ValueError, OSError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError,
    MemoryError, struct.error, ShapelyError, ProjError, pa.ArrowException)
"""What the reading libraries raise on broken files; RecursionError and pyogrio's errors are RuntimeErrors."""
MANY_ROWS = 100_000
"""From so many features on, columns that no field wants are left in the file."""


def read_layer(opened: Opened, name: str | int | None, source: LayerSource, log: FileLog, label: str = "",
               ) -> RawTable | None:
    """Read one layer; None = its ``where`` cannot be used, which was logged.

    Parameters
    ----------
    opened : Opened
    name : str, int or None
        Layer; None = the only one.
    source : LayerSource
    log : FileLog
    label : str
        Put before row numbers where a file has several layers.
    """
    where = quote_names(source.where) if source.where else None
    is_gpkg = opened.place.suffix.lower() == ".gpkg"
    if where and is_gpkg and not names_known(where, fields_of(opened, name, hidden=True), log):
        return None
    wanted, left = _wanted(opened, name, source, where, log)
    try:
        cells = read_cells(opened, name, where, wanted, label, log)
    except (RuntimeError, ValueError, OSError) as error:
        words = None if where is None else _blame(opened, name, where, error)
        if words is None or where is None:
            raise
        bad_where(where, words, fields_of(opened, name), log)
        return None
    if source.where:
        log.line("", "where", source.where, "note", f"按 where 条件选出 {len(cells.rows)} 个要素，行号从选出的要素数起", "无需处理")
    _note_mojibake(cells, log)
    if opened.place.suffix.lower() in (".gpkg", ".gdb") and cells.geometry is not None and holds_curves(opened, name):
        log.line("", "geometry", "曲线", "repaired", "图形含圆弧，按折线读入（GDAL 默认步长）", "无需处理")
    return RawTable(_with_names(cells.frame, left), cells.rows, cells.geometry, cells.crs, cells.encoding)


def unreadable(error: Exception, place: Path | None, log: FileLog) -> None:
    """Log a file that a library cannot read."""
    lines = str(error).strip().splitlines()
    words = (lines[0] if lines else type(error).__name__)[:300]
    for path in [] if place is None else [str(place), str(place.parent)]:
        words = words.replace(path, log.file)
    if isinstance(error, MemoryError):
        words = "文件头里的数目大得不合理，内存不够"
    log.problem(f"读不出来（{words[:160]}）", "用 GIS 软件打开检查，另存为 GeoPackage 后再提供")


def fields_of(opened: Opened, name: str | int | None, hidden: bool = False) -> list[str]:
    """Field names of one layer as planners know them, and those of its feature number and geometry where `hidden`."""
    raw = {"encoding": "ISO-8859-1"} if opened.encoding else {}
    info = quietly(pyogrio.read_info, opened.place, layer=name, **raw, **opened.options)
    more = [info["fid_column"], info["geometry_name"]] if hidden else []
    return [*_shown([str(field) for field in info["fields"]], opened), *[str(field) for field in more]]


def _shown(names: list[str], opened: Opened) -> list[str]:
    if not opened.encoding:
        return [opened.shown.get(name, name) for name in names]
    return [opened.shown.get(name) or decode_text(name.encode("latin-1", "ignore"), opened.encoding)[0]
            for name in names]


def _wanted(opened: Opened, name: str | int | None, source: LayerSource, where: str | None, log: FileLog,
            ) -> tuple[list[str] | None, list[str]]:
    """Fields to read (None = all) and those left out, for layers so large that it matters."""
    if opened.encoding or opened.shown or opened.place.suffix.lower() not in (".gpkg", ".fgb", ".gdb", ".shp"):
        return None, []
    info = quietly(pyogrio.read_info, opened.place, layer=name, **opened.options)
    if info["features"] < MANY_ROWS:
        return None, []
    names = [str(field) for field in info["fields"]]
    wanted = useful_columns(names, source, log.layer)
    if where:
        used = {word.casefold() for words in names_in(where) for word in words}
        wanted = [field for field in names if field in wanted or field.casefold() in used]
    left = [field for field in names if field not in wanted]
    if left:
        log.line("", "", "、".join(left), "note", f"要素很多，{len(left)} 列与本图层的字段无关，没有读", "需要时在 columns 写明")
    return wanted, left


def useful_columns(names: list[str], source: LayerSource, layer: str) -> list[str]:
    """Those columns of a file that a field of the layer, its coordinates or the study file can use, in file order.

    >>> useful_columns(["杆号", "备注", "LON", "H"], LayerSource(path="p.gpkg", columns={"height_m": "h"}), "poles")
    ['杆号', 'LON', 'H']
    """
    fields = layer_schema(layer).fields
    named = {find_column(names, column) for column in source.columns.values()}
    rest, used = [column for column in names if column not in named], {column for column in named if column}
    while True:  # a field takes the first column that fits; the next one may be wanted where that is empty
        found = set(match_columns(rest, fields.values()).columns.values())
        if not found:
            break
        used |= found
        rest = [column for column in rest if column not in found]
    used |= {column for words in coordinate_words().values() for word in words
             if (column := find_column(names, word)) is not None}
    return [column for column in names if column in used]


def _with_names(frame: pd.DataFrame, left: list[str]) -> pd.DataFrame:
    """The frame with empty columns (a byte per row) for those left in the file, so that their names are known."""
    if not left:
        return frame
    empty = pd.Categorical.from_codes(np.full(len(frame), -1, np.int8), categories=[""])
    return pd.concat([frame, pd.DataFrame(dict.fromkeys(left, empty), index=frame.index)], axis=1)


def _note_mojibake(cells: Cells, log: FileLog) -> None:
    """Note text that was already garbled when the file was written."""
    for column in cells.frame.columns:
        values = cells.frame[column]
        if values.dtype == "str" or values.dtype == object:
            some = [value for value in values.dropna().iloc[:2000] if isinstance(value, str) and not value.isascii()]
            meant = mojibake(some[:200])
            if meant:
                log.line("", str(column), some[0], "note", f"文字像乱码，原文可能是“{meant}”", "请提供方用正确的编码重新导出")


def _blame(opened: Opened, name: str | int | None, where: str, error: Exception) -> str | None:
    """What a parser has against a clause; None when the clause is not to blame for the error."""
    message = str(error)
    if isinstance(error, UnicodeDecodeError):
        return None
    if "prepare SQL" in message:
        return message.rpartition(f"{where}: ")[2]
    if "Invalid SQL query" not in message and where not in message:
        return None
    unknown = strangers([word for words in names_in(where) for word in words], fields_of(opened, name))
    if opened.encoding:
        return f"没有“{unknown[0]}”这一列" if unknown else "写法不对"
    layer = str(name if isinstance(name, str) else quietly(pyogrio.list_layers, opened.place)[0, 0]).replace('"', '""')
    try:  # OGR says what is wrong only for the same clause in a SELECT
        sql = f'SELECT * FROM "{layer}" WHERE {where}'
        quietly(pyogrio.read_dataframe, opened.place, sql=sql, sql_dialect="OGRSQL", max_features=1,
                read_geometry=False, **opened.options)
    except (RuntimeError, ValueError) as parsed:
        message = str(parsed)
    return message.splitlines()[0].partition(" Occurred around")[0][:160]
