"""XLSX into raw tables: which sheet, what its cells hold, and what it hides."""

from __future__ import annotations

import difflib
import struct
import warnings
import zipfile
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

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
from siteplan.schema import layer_schema, normalise_word

MAX_CELLS = 5_000_000
"""Cells of all sheets that are read: more take minutes and gigabytes, and belong into a CSV or a GeoPackage."""
MAX_ROW = 1_048_576
"""Last row that a sheet can have (ECMA-376 as spreadsheet programs keep to it)."""
_MAX_SHEETS, _MAX_MERGED = 60, 200_000
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
        out: list[tuple[str, list[Record]]] = []
        held = 0
        for name in names:
            records = _records(sheets[name])
            held += sum(len(row) for _, row in records)
            if held > MAX_CELLS:
                raise _TooLargeError(f"要读的 {len(names)} 个工作表合计超过 {MAX_CELLS} 个单元格")
            _log_percent(sheets[name], records, log)
            if _has_formulas(stream):
                _log_formulas(stream, name, records, log)
            ranges = _merged(stream, sheets[name])
            known = known_words(log.layer, source)
            out.append((name, _filled(records, ranges, name, known, log) if ranges else records))
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
    looks = {name: _look(sheets[name], known, log.layer) for name in open_names} if len(open_names) > 1 else {}
    best = max(open_names, key=lambda name: (looks[name].score, looks[name].titled) if looks else 0)
    alike = [name for name in open_names if looks and name != best and looks[best].is_like(looks[name])]
    chosen = [name for name in open_names if name == best or name in alike]
    if alike:
        log.line("", "layer", "、".join(chosen)[:150], "assumed",
                 f"{len(chosen)} 个工作表的表头相同（{'、'.join(chosen)}），全部读入，行号前写表名", "只要其中一个时写明 layer")
    rest = [name for name in open_names if name not in chosen]
    if rest:
        why = "列名最像这个图层" if looks[best].score else "都不像这个图层，读第一个"
        log.line("", "layer", best, "note", f"有 {len(open_names)} 个工作表（{'、'.join(open_names[:8])}），"
                 f"读“{'、'.join(chosen)}”：{why}", "需要别的表时写明 layer")
    if hidden and best not in hidden:
        log.line("", "layer", "、".join(hidden[:8]), "note", "隐藏的工作表未读", "需要时写明 layer")
    return chosen


@dataclass(frozen=True)
class _Look:
    """What the first rows of a sheet look like.

    ``score`` counts the layer's columns they name, ``titled`` says whether the title has the layer's name, ``names``
    are the columns in order of the alphabet, ``has_rows`` says whether anything stands below them.
    """

    score: int
    titled: bool
    names: tuple[str, ...]
    has_rows: bool

    def is_like(self, other: _Look) -> bool:
        """Whether both sheets are parts of one table: columns of the layer, the same in both, and rows."""
        return self.score > 0 and self.has_rows and other.has_rows and self.names == other.names


def _look(sheet: Any, known: frozenset[str], layer: str) -> _Look:
    rows = _rows(sheet, HEADER_SEARCH_ROWS + 2)
    titled = layer_schema(layer).zh in sheet.title or layer in sheet.title.lower()
    if not rows:
        return _Look(0, titled, (), False)
    header = find_header(rows, known)
    return _Look(header.score, titled, tuple(sorted(normalise_word(name) for name in header.names if name)),
                 header.below < len(rows))


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


def _merged(stream: IO[bytes], sheet: Any) -> list[tuple[int, int, int, int]]:
    """Merged ranges of a sheet: first column, first row, last column, last row, counted from 1.

    Read-only workbooks do not tell them; they stand behind the cells, so the part is read once more, piece by piece
    (`office_fault` has refused entities and parts of more than 1 GiB before).
    """
    from openpyxl.utils.cell import range_boundaries

    found: list[tuple[int, int, int, int]] = []
    with zipfile.ZipFile(stream) as archive:
        name = sheet._worksheet_path
        with archive.open(name) as part:
            if not _holds(part, (b"mergeCell", b"m\0e\0r\0g\0e\0C")):
                return []
        with archive.open(name) as part:
            cells: ElementTree.Element | None = None
            for event, element in ElementTree.iterparse(part, ("start", "end")):
                kind = element.tag.rpartition("}")[2]
                if event == "start":
                    cells = element if kind == "sheetData" else cells
                elif kind == "row" and cells is not None:
                    cells.clear()  # rows are not kept
                elif kind == "mergeCell":
                    bounds = range_boundaries(element.get("ref", ""))
                    if len(found) >= _MAX_MERGED:
                        raise _TooLargeError(f"工作表“{sheet.title}”的合并单元格超过 {_MAX_MERGED} 处")
                    if None not in bounds and bounds[0] <= bounds[2] and bounds[1] <= bounds[3]:
                        found.append(bounds)
    return found


def _filled(records: list[Record], ranges: Sequence[tuple[int, int, int, int]], name: str, known: frozenset[str],
            log: FileLog) -> list[Record]:
    """Rows with the value of the first cell in the empty cells of each merged range below the header.

    A title over most of a single row stays as it is.
    """
    below = find_header(records, known).below if records else 0
    numbers = [number for number, _ in records]
    width = max((len(row) for _, row in records), default=0)
    out = records[:below] + [(number, row + [None] * (width - len(row))) for number, row in records[below:]]
    used, rows, visited = 0, set(), 0
    for left, top, right, bottom in ranges:
        place, end = bisect_left(numbers, top), bisect_right(numbers, bottom)
        last = min(right, width)
        if place < below or place == end or numbers[place] != top or left > last or (
                top == bottom and 2 * (last - left + 1) > width):
            continue
        value = out[place][1][left - 1]
        visited += (end - place) * (last - left + 1)
        if visited > MAX_CELLS:
            raise _TooLargeError(f"工作表“{name}”的合并单元格超过 {MAX_CELLS} 个单元格")
        changed = [] if value in (None, "") else [
            (number, row, column) for number, row in out[place:end] for column in range(left - 1, last)
            if row[column] in (None, "")]
        for number, row, column in changed:
            row[column] = value
            rows.add(number)
        used += bool(changed)
    if used:
        log.line("", "", f"{name}：{used} 处", "repaired", f"{used} 处合并单元格，{len(rows)} 行的空格按合并区的首格补上",
                 "核对；不对时在表格软件里取消合并，逐行填写")
    return out


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
                    if _holds(part, (b"<f>", b"<f ", b":f>")):
                        return True
    return False


def _holds(part: IO[bytes], words: Sequence[bytes]) -> bool:
    """Whether one of some words stands in a stream, read piece by piece."""
    longest = max(map(len, words))
    rest = b""
    while block := part.read(1 << 20):
        whole = rest + block
        if any(word in whole for word in words):
            return True
        rest = whole[1 - longest:]
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
