"""Lists for the register: works, quotas, tasks, cases ... from a spreadsheet, a CSV or a GIS file; nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from siteplan import crs as crs_module
from siteplan.errors import CrsError, Problem, RegisterError
from siteplan.input_ledger import InputLedger, LedgerLine
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.archives import office_fault
from siteplan.layers.formats.opening import open_tables
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.places.coordinates import find_coordinates, find_place_column, locate
from siteplan.layers.places.geometry import fit_kind, mend_shapes
from siteplan.layers.places.placing import settle_crs, unswap
from siteplan.layers.values import read_column
from siteplan.params import LayerSource
from siteplan.register import register_tables
from siteplan.register.edits import EDITABLE, EMPTY_WORD, ListTable
from siteplan.schema import Field, LayerSchema, layer_schema, match_columns, normalise_word
from siteplan.unit_words import UNIT_FACTORS

_PREFIX = "register."
_TECHNICAL = ("seal", "fid")
_LOST = ("作为空", "读作空", "已置空", "多出的未读", "尾数已丢失", "只取", "舍去")
"""Words of lines that tell of something in the file that was not read: in a list each is a problem."""
_COUNTED = re.compile(r"\s*([+-]?[\d,\uff0c.]+)\s*(?:个|座|处|项|次|站|村|人|家|名|基站|站址)\s*")
_NO_DAY = re.compile(r"\s*\d{4}\s*(?:年|[-/.])?\s*\d{1,2}\s*月?\s*")
Datum = Literal["wgs84", "cgcs2000", "gcj02", "bd09"]


def read_list(path: Path | str, table: str, crs: Any = None, *, datum: Datum | None = None, layer: str | None = None,
              member: str | None = None, columns: Mapping[str, str] | None = None) -> ListTable:
    """A list of a table of the register.

    Parameters
    ----------
    path : Path or str
        Spreadsheet, CSV, GIS file or a zip of one.
    table : str
        Table of the register, such as ``works``: its fields say which columns are looked for; or ``minutes`` (of
        meetings), ``opinions`` (a table of the layer ``decisions``).
    crs : any
        CRS of the register: of places read, and of eastings and northings without a CRS of their own. None = places are
        not read.
    datum : str, optional
        Datum of longitudes and latitudes.
    layer, member : str, optional
        Sheet or layer; file in the zip.
    columns : mapping of str to str, optional
        Field -> column of the file, where its heading is not known.

    Returns
    -------
    ListTable
        Unreadable values are in its ``problems``.

    Raises
    ------
    RegisterError
        The file cannot be read at all.
    """
    path, name = Path(path), f"{_PREFIX}{table}"
    log = FileLog(name, path.name, InputLedger())
    source = LayerSource(path=path.name, datum=datum, layer=layer or _own_layers(path, table), member=member,
                         columns=dict(columns or {}))
    target = None if crs is None else crs_module.require_projected(crs)
    parts = [_typed(raw, source, target, log) for raw in open_tables(path, source, log)]
    if log.problems or not parts:
        met = [Problem(table, path.name, problem.row, problem.field, problem.reason, problem.remedy)
               for problem in log.problems] or [Problem(table, path.name, "", "", "没有可读的表", "核对文件")]
        raise RegisterError(f"清单 {path.name} 不能使用:", dict.fromkeys(met))
    rows = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    told, problems = _sorted(log.ledger, table)
    return ListTable(table, rows, told, problems)


def ledger_sheets(path: Path | str) -> dict[str, str]:
    """Tables of the register that a workbook holds, by the names of their sheets.

    Parameters
    ----------
    path : Path or str
        A workbook that :func:`siteplan.export.register_ledger.write_ledger` wrote.

    Returns
    -------
    dict of str to str
        Table -> sheet.

    Raises
    ------
    RegisterError
        It is no workbook, or has no such sheet.
    """
    path = Path(path)
    fault = office_fault(path) if path.is_file() else None
    names: list[str] = []
    if fault is None:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException

        try:
            with path.open("rb") as stream:
                book = load_workbook(stream, read_only=True, keep_links=False)
                names = list(book.sheetnames)
                book.close()
        except (OSError, ValueError, KeyError, SyntaxError, InvalidFileException) as error:
            raise RegisterError(f"清单 {path.name} 不能使用:", [
                Problem("register", path.name, "", "", "不是可读的 XLSX 工作簿", "核对文件")]) from error
    found = {table: sheet for table in EDITABLE for sheet in names if sheet.strip() == register_tables()[table].zh}
    if not found:
        reason = fault.reason if fault is not None else "没有储备库表的工作表"
        raise RegisterError(f"清单 {path.name} 不能使用:", [
            Problem("register", path.name, "", "", reason, "用 siteplan register export 写出的工作簿;单张清单写明类别导入")])
    return found


def _own_layers(path: Path, table: str) -> str | None:
    """Layers of a GeoPackage that were written for a table, all of them."""
    if path.suffix.lower() != ".gpkg" or not path.is_file():
        return None
    import pyogrio
    from pyogrio.errors import DataSourceError

    zh = layer_schema(f"{_PREFIX}{table}").zh
    try:
        names = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
    except DataSourceError:
        return None  # the reader says what is wrong with it
    own = [name for name in names if name == zh or name.startswith(f"{zh}_")]
    return ",".join(own) or (table if table in names else None)


def _typed(raw: RawTable, source: LayerSource, target: pyproj.CRS | None, log: FileLog) -> pd.DataFrame:
    """Typed rows of one table of a file."""
    schema = layer_schema(log.layer)
    shapes, used = _places(raw, schema.geometry, source, target, log)
    columns, factors = _match(raw, schema, source, used, log)
    out: dict[str, Any] = {}
    emptied = np.full(len(raw.rows), "", dtype=object)
    for name, column in columns.items():
        cells = raw.frame[column]
        gone = np.array([isinstance(cell, str) and cell.strip() == EMPTY_WORD for cell in cells], dtype=bool)
        if gone.any():
            emptied[gone] = [f"{text}|{name}" if text else name for text in emptied[gone]]
            cells = cells.mask(gone, None)
        spec = schema.fields[name]
        if (schema.name, name) == (f"{_PREFIX}works", "kind"):
            spec = replace(spec, values={})  # the room of joint works knows more words
        if spec.type == "date":
            cells = _whole_days(cells, spec, log, raw.rows)
        elif spec.type == "float" and not spec.unit:
            cells = cells.map(_without_counter)
        out[name], _ = read_column(cells, spec, factors.get(name, 1.0), log, raw.rows)
    rows = pd.DataFrame(out, index=pd.RangeIndex(len(raw.rows)))
    if shapes is not None:
        rows["geometry"] = pd.Series(shapes, index=rows.index, dtype=object)
    return rows.assign(emptied=pd.Series(emptied, dtype=object), source_file=log.file,
                       source_row=pd.Series([str(row) for row in raw.rows], dtype=object))


def _without_counter(cell: Any) -> Any:
    """A number without the word of what is counted."""
    found = _COUNTED.fullmatch(cell) if isinstance(cell, str) else None
    return cell if found is None else found[1]


def _match(raw: RawTable, schema: LayerSchema, source: LayerSource, used: tuple[str, ...], log: FileLog,
           ) -> tuple[dict[str, str], dict[str, float]]:
    """Column and factor of each field; columns that nothing takes are told."""
    columns = [str(column) for column in raw.frame.columns if column not in used]
    override = {name: column for name, column in source.columns.items() if name in schema.fields}
    for name, column in override.items():
        if column not in columns:
            log.mistake(f"没有“{column}”这一列", f"文件的列:{'、'.join(columns[:30])}", name)
            return {}, {}
    own = _id_column(raw, columns, schema.name.removeprefix(_PREFIX))
    if own:
        override.setdefault("id", own)
    found = match_columns(columns, schema.fields.values(), override)
    taken = dict(found.columns)
    if "id" not in taken:  # a revision belongs to an id
        taken.pop("revision", None)
    for name, column in taken.items():
        unit, words = schema.fields[name].unit, re.findall(r"[(\uff08\[]([^)\uff09\]]*)[)\uff09\]]", column)
        if unit and words and column not in override.values() and not any(
                normalise_word(word) in UNIT_FACTORS.get(unit.lower(), {}) for word in words):
            log.problem(f"列名“{column}”里的单位不认识", f"换成认识的单位:{'、'.join(UNIT_FACTORS.get(unit.lower(), {}))}", name)
    for column, text in found.notes:
        log.line("", column, "", "note", text, "需要另一列时改列名")
    unused = [column for column in columns if column not in taken.values() and raw.frame[column].notna().any()
              and column not in _TECHNICAL]
    if unused:
        log.line("", "", "、".join(unused), "note", f"{len(unused)} 列没有对应字段,未读入", "需要时按储备库表的列名改名")
    if not taken:
        log.problem("没有一列是这张表的字段", f"文件的列:{'、'.join(columns[:30])};可用的列名见 siteplan register export 写出的表")
    return taken, dict(found.factors)


def _id_column(raw: RawTable, columns: list[str], table: str) -> str | None:
    """A column ``id`` or 编号 whose cells are ids of this table."""
    if table not in register_tables():
        return None
    pattern = re.compile(rf"{register_tables()[table].prefix}\d{{6,}}")
    for column in columns:
        if normalise_word(column) not in ("id", "编号", "储备库编号"):
            continue
        cells = [text for cell in raw.frame[column].dropna() if (text := str(cell).strip())]
        if cells and all(pattern.fullmatch(cell) for cell in cells):
            return column
    return None


def _whole_days(cells: pd.Series, spec: Field, log: FileLog, rows: NDArray[np.object_]) -> pd.Series:
    """Cells of days without those that name a month alone: which day is meant is not guessed."""
    month = np.array([isinstance(cell, str) and bool(_NO_DAY.fullmatch(cell)) and len(re.sub(r"\D", "", cell)) < 7
                      for cell in cells], dtype=bool)
    if not month.any():
        return cells
    log.each(rows[month], spec.name, cells[month], "refused", f"“{spec.zh}”只有年月,没有日", "写到日,如 2026-06-30")
    return cells.mask(month, None)


def _places(raw: RawTable, kind: str, source: LayerSource, target: pyproj.CRS | None, log: FileLog,
            ) -> tuple[NDArray[np.object_] | None, tuple[str, ...]]:
    """Shapes in the CRS of the register, and the columns that they came from; None where the file has no places."""
    if kind == "none" or target is None or not len(raw.rows):
        return None, ()
    used: tuple[str, ...] = ()
    try:
        if raw.geometry is None or bool(shapely.is_missing(raw.geometry).all()):
            names = [str(column) for column in raw.frame.columns]
            if find_coordinates(names, source) is None and not any(find_place_column(names, word)
                                                                   for word in ("pair", "shape")):
                return None, ()
            located = locate(raw, source, log)
            if located is None:
                return None, ()
            raw, used = located
        placed = _settled(raw, target, log)
        if placed is None or placed.geometry is None or placed.crs is None:
            return None, used
        shapes = crs_module.transform_geometry(placed.geometry, placed.crs, target, source.datum)
    except CrsError as error:
        first = error.problems[0] if error.problems else None
        log.problem(first.reason if first else str(error), first.remedy if first else "核对坐标系")
        return None, used
    mended, bad = mend_shapes(shapes, log, raw.rows, np.ones(len(shapes), dtype=bool))
    fitted, wrong = fit_kind(mended, kind, ~bad & ~shapely.is_missing(mended), log, raw.rows)
    fitted[bad | wrong] = None
    return fitted, used


def _settled(raw: RawTable, target: pyproj.CRS, log: FileLog) -> RawTable | None:
    """The table in a CRS: its own, degrees, or that of the register."""
    shapes = np.asarray(raw.geometry, dtype=object)
    bounds = shapely.bounds(shapes)
    here = np.isfinite(bounds).all(axis=1)
    if not here.any():
        return None
    named = raw.crs
    if named is None and not (np.abs(bounds[here]) <= 180.0).all():
        named = target
        log.line("", "crs", crs_module.crs_name(target), "assumed", "平面坐标没有写明坐标系,按储备库的坐标系", "不是时先转换")
    settled = settle_crs(raw, named, None, log)
    return None if settled is None else unswap(settled, log, None)


def _sorted(ledger: InputLedger, table: str) -> tuple[InputLedger, tuple[Problem, ...]]:
    """Lines that only tell, and the problems: whatever was refused or not read."""
    told, problems = InputLedger(), dict[Problem, None]()
    for line in ledger:
        if line.action == "refused" or any(word in line.reason for word in _LOST):
            problems[_as_problem(line, table)] = None
        else:
            told.add(table, line.file, line.row, line.field, line.value, line.action, line.reason, line.remedy)
    return told, tuple(problems)


def _as_problem(line: LedgerLine, table: str) -> Problem:
    value = f":{line.value[:60]}" if line.value else ""
    return Problem(table, line.file, line.row, line.field, f"{line.reason}{value}", line.remedy)
