"""XLSX into raw tables: which sheet, what its cells hold, and what it hides."""

from __future__ import annotations

import difflib
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.archives import office_fault
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.formats.table_cells import (
    HEADER_SEARCH_ROWS,
    Record,
    find_header,
    known_words,
    make_table,
)
from siteplan.params import LayerSource
from siteplan.schema import layer_schema

MAX_CELLS = 5_000_000
"""Cells of one sheet that are read: more take minutes and gigabytes, and belong into a CSV or a GeoPackage."""
MAX_ROW = 1_048_576
"""Last row that a sheet can have (ECMA-376 as spreadsheet programs keep to it)."""
_MAX_SHEETS = 60
_READ_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, ArithmeticError, AttributeError, AssertionError, EOFError,
                LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, NotImplementedError)
"""What openpyxl raises on damaged workbooks (a broken XML is a SyntaxError)."""


class _TooLargeError(ValueError):
    """More cells or rows than are read."""


def read_xlsx(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read worksheets: those the study file names, or else the one that looks most like the layer.

    Row labels are sheet rows, with the sheet before them where several are read. Formulas give the result that was
    saved with them; macros never run. Nothing comes when a problem was logged.
    """
    fault = office_fault(path)
    if fault:
        log.problem(fault.reason, fault.remedy)
        return
    found: list[tuple[str, list[Record]]] = []
    with warnings.catch_warnings(record=True) as caught, path.open("rb") as stream:
        warnings.simplefilter("always")
        try:
            found = _read_book(stream, source, log)
        except _TooLargeError as error:
            log.problem(str(error), "删去用不到的行列，或把数据另存为 CSV、GeoPackage")
        except _READ_ERRORS as error:
            log.problem(f"不是可读的 XLSX（{str(error)[:160] or type(error).__name__}）", "用表格软件打开并另存为 .xlsx")
    for text in sorted({str(item.message) for item in caught if "outside the limits" in str(item.message)}):
        log.line("", "", text[:120], "repaired", "日期单元格的数超出日历，作为空", "在表格软件里改正单元格")
    for name, records in found:
        raw = make_table(records, source, "", log)
        if raw is not None:
            yield replace(raw, rows=f"{name} " + raw.rows) if len(found) > 1 else raw


def _read_book(stream: IO[bytes], source: LayerSource, log: FileLog) -> list[tuple[str, list[Record]]]:
    """Names and rows of the sheets to read."""
    from openpyxl import load_workbook

    book = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
    try:
        sheets = {sheet.title: sheet for sheet in book.worksheets[:_MAX_SHEETS]}
        names = _chosen_sheets(sheets, source, log)
        out = []
        for name in names:
            records = _records(sheets[name])
            _log_percent(sheets[name], records, log)
            if _has_formulas(stream):
                _log_formulas(stream, name, records, log)
            out.append((name, records))
        return out
    finally:
        book.close()


def _chosen_sheets(sheets: dict[str, Any], source: LayerSource, log: FileLog) -> list[str]:
    """Names of the sheets to read; empty = a problem was logged."""
    if not sheets:
        log.problem("工作簿里没有工作表", "核对文件")
        return []
    if source.layer:
        named = [source.layer] if source.layer in sheets else list(
            dict.fromkeys(name.strip() for name in source.layer.split(",")))
        for name in named:
            if name not in sheets:
                near = difflib.get_close_matches(name, sheets, n=1, cutoff=0.4)
                hint = f"是否应为“{near[0]}”？" if near else ""
                log.mistake(f"没有工作表“{name}”；有：{'、'.join(list(sheets)[:30])}", f"{hint}核对 layer", "layer")
                return []
            if sheets[name].sheet_state != "visible":
                log.line("", "layer", name, "note", "读的是隐藏的工作表", "核对是否为正式数据")
        return named
    hidden = [name for name, sheet in sheets.items() if sheet.sheet_state != "visible"]
    open_names = [name for name in sheets if name not in hidden] or list(sheets)
    known = known_words(log.layer, source)
    scores = {name: _sheet_score(sheets[name], known, log.layer) for name in open_names} if len(open_names) > 1 else {}
    best = max(open_names, key=lambda name: scores.get(name, (0, False)))
    if len(open_names) > 1:
        why = "列名最像这个图层" if scores[best][0] else "都不像这个图层，读第一个"
        log.line("", "layer", best, "note", f"有 {len(open_names)} 个工作表（{'、'.join(open_names[:8])}），读“{best}”：{why}",
                 "需要别的表时写明 layer")
    if hidden and best not in hidden:
        log.line("", "layer", "、".join(hidden[:8]), "note", "隐藏的工作表未读", "需要时写明 layer")
    return [best]


def _sheet_score(sheet: Any, known: frozenset[str], layer: str) -> tuple[int, bool]:
    """How many of the layer's columns the first rows name, and whether the title has the layer's name."""
    rows = _rows(sheet, HEADER_SEARCH_ROWS + 2)
    score = find_header(rows, known).score if rows else 0
    return score, layer_schema(layer).zh in sheet.title or layer in sheet.title.lower()


def _rows(sheet: Any, most: int = MAX_ROW) -> list[Record]:
    """Rows that hold anything; the size a sheet claims is not trusted."""
    sheet.reset_dimensions()
    out: list[Record] = []
    cells = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells += len(row)
        if number > MAX_ROW or cells > MAX_CELLS:
            raise _TooLargeError(f"工作表“{sheet.title}”超过 {MAX_CELLS} 个单元格或 {MAX_ROW} 行")
        if number > most:
            break
        if any(cell not in (None, "") for cell in row):
            out.append((number, list(row)))
    return out


def _records(sheet: Any) -> list[Record]:
    """All rows, without the empty cells on the right that formatting leaves."""
    records = _rows(sheet)
    width = 0
    for _, row in records:
        filled = len(row)
        while filled > width and row[filled - 1] in (None, ""):
            filled -= 1
        width = max(width, filled)
    return [(number, row[:width]) for number, row in records]


def _log_percent(sheet: Any, records: Sequence[Record], log: FileLog) -> None:
    """Say which columns are shown in percent: what is read is the number behind (95 % is 0.95)."""
    if not records:
        return
    shown = set()
    for row in sheet.iter_rows(min_row=records[0][0], max_row=records[0][0] + HEADER_SEARCH_ROWS):
        shown |= {cell.column_letter for cell in row
                  if isinstance(cell.value, float) and "%" in (cell.number_format or "")}
    if shown:
        log.line("", "、".join(sorted(shown)), "", "note", "列是百分比格式，按小数读取（95% 读作 0.95）", "需要百分数时改单元格格式")


def _has_formulas(stream: IO[bytes]) -> bool:
    """Whether any sheet of the book holds a formula."""
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if info.filename.lower().startswith("xl/worksheets/") and info.filename.lower().endswith(".xml"):
                with archive.open(info) as part:
                    rest = b""
                    while block := part.read(1 << 20):
                        if b"<f>" in (whole := rest + block) or b"<f " in whole or b":f>" in whole:
                            return True
                        rest = block[-3:]
    return False


def _log_formulas(stream: IO[bytes], name: str, records: Sequence[Record], log: FileLog) -> None:
    """Say which formulas have no saved result: their cells read as empty."""
    from openpyxl import load_workbook

    values = dict(records)
    lost: list[str] = []
    book = load_workbook(stream, read_only=True, data_only=False, keep_links=False)
    try:
        sheet = book[name]
        sheet.reset_dimensions()
        for number, row in enumerate(sheet.iter_rows(), start=1):
            have = values.get(number, [])
            lost += [cell.coordinate for place, cell in enumerate(row) if cell.data_type == "f"
                     and (place >= len(have) or have[place] is None)]
    finally:
        book.close()
    if lost:
        log.line("", "", "、".join(lost[:8]), "repaired", f"{len(lost)} 个公式没有保存结果，读作空",
                 "用表格软件打开、保存一次再提供（程序导出的公式没有结果）")
