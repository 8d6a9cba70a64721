"""One sheet of a workbook, and one CSV: the same looks everywhere, text never taken for a formula or a link."""

from __future__ import annotations

import datetime as dt
import io
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from siteplan.errors import ExportError

WORKBOOK_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
"""Options of an xlsxwriter workbook whose text stays text."""
CREATED = dt.datetime(2000, 1, 1)  # noqa: DTZ001  a fixed time: the same input gives the same bytes
NUMBER_FORMATS = {"次序": "0_)", "经度": "0.0000000", "纬度": "0.0000000", "挂高(米)": "0.0",
                  "新增服务需求": "#,##0", "新增加权需求": "#,##0",
                  "预计新增服务需求": "#,##0", "预计新增加权需求": "#,##0",
                  "面积(公顷)": "#,##0.0", "需求": "#,##0", "现状面积覆盖率": "0.0", "规划后面积覆盖率": "0.0",
                  "现状需求覆盖率": "0.0", "规划后需求覆盖率": "0.0", "建筑高度(米)": "0.0", "水平距离(米)": "0.0",
                  "最不利点离地(米)": "0.0", "低于天线(米)": "0.0", "斜距(米)": "0.0", "功率密度(W/m²)": "0.0000",
                  "功率密度(μW/cm²)": "0.00", "限值(W/m²)": "0.0000", "占限值比例": "0.000", "全部站址占限值比例": "0.000",
                  "轴向达标距离(米)": "0.0", "轴向管理值距离(米)": "0.0", "下倾角(度)": "0.0", "发射功率(W)": "0.0",
                  "缺它少服务需求": "#,##0", "缺它少服务加权需求": "#,##0", "累计服务需求": "#,##0", "累计服务加权需求": "#,##0",
                  "加权需求的上限": "#,##0", "投资(万元)": "#,##0.0", "累计投资(万元)": "#,##0.0", "本步每万元新增加权需求": "#,##0.0",
                  "目标值损失(%)": "0.000"}
"""Number format by heading."""
NO_ROWS = "没有记录"
"""Stands under the heading of a sheet without rows."""
MARKS: Mapping[str, Mapping[str, str]] = {"bad": {"bg_color": "#FFC7CE", "font_color": "#9C0006"},
                                          "warn": {"bg_color": "#FFEB9C", "font_color": "#9C5700"}}
"""Colours of cells that a planner must not miss; the words of the cell say the same."""
_LINE_POINTS, _MOST_LINES = 17.0, 12
_SCREEN_WIDTH = 150.0
"""Notes longer than this (letters) are wrapped into that width."""


@contextmanager
def open_book(path: Path, title: str = "", *, is_small: bool = False) -> Iterator[Any]:
    """A new workbook whose text stays text, made on a fixed day; written when the block ends without an error.

    Parameters
    ----------
    path : Path
        The ``.xlsx``; its folder is there.
    title : str
        Title in the properties of the file.
    is_small : bool
        Its parts are made in memory (quicker where there are hundreds of sheets), not in files beside the workbook.

    Yields
    ------
    xlsxwriter.Workbook

    Raises
    ------
    ExportError
        The workbook cannot be made or written, such as when the disk is full.

    Examples
    --------
    >>> with open_book(Path("plan/list.xlsx"), "清单") as book:  # doctest: +SKIP
    ...     add_sheet(book, "清单", ["名称"], [["甲"]], ["清单"], {})
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError, FileSizeError, XlsxWriterException

    content = io.BytesIO()  # a zip on a full disk complains once more when it is thrown away
    try:
        with tempfile.TemporaryDirectory(prefix=".book-", dir=path.parent, ignore_cleanup_errors=True) as parts:
            book = xlsxwriter.Workbook(content, {**WORKBOOK_OPTIONS, "tmpdir": parts, "in_memory": is_small})
            book.set_properties({"created": CREATED, **({"title": title} if title else {})})
            yield book
            book.close()
        path.write_bytes(content.getbuffer())
    except (XlsxWriterException, OSError) as error:  # the first is no OSError, but may carry one
        if isinstance(error, ExportError):
            raise
        cause = error.args[0] if isinstance(error, FileCreateError) and error.args else error
        why = "内容超过一个工作簿的大小" if isinstance(error, FileSizeError) else getattr(cause, "strerror", None) or error
        raise ExportError(f"{path.name} 不能写出:{why}") from error


def add_sheet(book: Any, name: str, head: Sequence[str], rows: Sequence[Sequence[Any]], notes: Sequence[str],
              widths: Mapping[int, float], marks: Mapping[tuple[int, int], str] | None = None,
              pages: int = 1) -> int:
    """One sheet: notes, heading, rows, frozen heading, filter, print settings.

    Parameters
    ----------
    book : xlsxwriter.Workbook
    name : str
    head : sequence of str
    rows : sequence of sequence
        Cells under the heading; text that is longer than its column is wide is wrapped.
    notes : sequence of str
        Lines above the heading, the first one is the title.
    widths : mapping of int to float
        Column number -> width in letters; others follow from their longest text.
    marks : mapping of (int, int) to str, optional
        Row and column number of a cell -> key of `MARKS`.
    pages : int
        Pages (A3, landscape) that the print is wide; where more than one, the first two columns stand on each.

    Returns
    -------
    int
        Row number (from 0) of the first row under the heading; it says `NO_ROWS` where there is none.
    """
    sheet = book.add_worksheet(name)
    heading = book.add_format({"bold": True, "bg_color": "#DCE6F1", "border": 1, "text_wrap": True,
                               "valign": "vcenter"})
    own = [widths.get(column, _fitting(title, rows, column)) for column, title in enumerate(head)]
    _write_notes(book, sheet, notes, own)
    top = len(notes)
    for column, title in enumerate(head):
        sheet.set_column(column, column, own[column])
        sheet.write_string(top, column, title, heading)
    lines = max((math.ceil(1.1 * _width(title) / width) for title, width in zip(head, own, strict=True)), default=1)
    if lines > 1:
        sheet.set_row(top, _LINE_POINTS * lines)
    styles, coloured = _Styles(book, head), marks or {}
    for number, row in enumerate(rows):
        _fit_row(sheet, top + 1 + number, row, own)
        for column, value in enumerate(row):
            mark = coloured.get((number, column), "")
            if isinstance(value, int | float) and value == value:
                sheet.write_number(top + 1 + number, column, value, styles.of(column, mark, is_number=True))
            else:
                text = "" if value != value else str(value)
                sheet.write_string(top + 1 + number, column, without_markup(text),
                                   styles.of(column, mark, is_number=False))
    sheet.freeze_panes(top + 1, 0)
    if not rows:
        sheet.write_string(top + 1, 0, NO_ROWS, book.add_format({"font_color": "#7A4B00", "italic": True}))
    if rows:
        sheet.autofilter(top, 0, top + len(rows), len(head) - 1)
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.fit_to_pages(pages, 0)
    if pages > 1:
        sheet.repeat_columns(0, 1)
        sheet.print_across()
    sheet.repeat_rows(top)
    sheet.set_footer("&L&F&C第 &P / &N 页&R&D")
    return top + 1


def without_markup(text: str) -> str:
    """Text that xlsxwriter does not take for markup: a blank at the end of ``<r>...</r>``.

    >>> without_markup("<r>1</r>"), without_markup("溪口镇")
    ('<r>1</r> ', '溪口镇')
    """
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text


def _usual_format(title: str) -> str:
    """Number format of a heading that `NUMBER_FORMATS` does not know: by its unit."""
    return "0.0" if title.endswith("(%)") else "#,##0" if title.endswith(("(元)", "(元/年)")) else ""


class _Styles:
    """Formats of the cells of one sheet, each made once."""

    def __init__(self, book: Any, head: Sequence[str]) -> None:
        self._book, self._head, self._made = book, head, dict[tuple[str, str], Any]()

    def of(self, column: int, mark: str, *, is_number: bool) -> Any:
        """Format of a number (by heading) or a text, with the colours of a mark."""
        title = self._head[column]
        pattern = NUMBER_FORMATS.get(title, _usual_format(title)) if is_number else ""
        if (pattern, mark) not in self._made:
            shape = {"num_format": pattern} if pattern else {"text_wrap": True}
            self._made[pattern, mark] = self._book.add_format({"border": 1, "valign": "top", **shape,
                                                               **MARKS.get(mark, {})})
        return self._made[pattern, mark]


def _write_notes(book: Any, sheet: Any, notes: Sequence[str], widths: Sequence[float]) -> None:
    """Title and notes, one line each; a long one wrapped over the columns that a screen shows."""
    title = book.add_format({"bold": True, "font_size": 14})
    note = book.add_format({"font_color": "#7A4B00", "italic": True})
    wrapped = book.add_format({"font_color": "#7A4B00", "italic": True, "text_wrap": True, "valign": "top"})
    last = max(sum(sum(widths[:end]) <= _SCREEN_WIDTH for end in range(1, len(widths) + 1)) - 1, 0)
    room = sum(widths[:last + 1])
    for number, line in enumerate(notes):
        if number and last and _width(line) > room:
            sheet.merge_range(number, 0, number, last, "", wrapped)
            sheet.write_string(number, 0, without_markup(line), wrapped)
            sheet.set_row(number, _LINE_POINTS * math.ceil(1.1 * _width(line) / room))
        else:
            sheet.write_string(number, 0, without_markup(line), note if number else title)


def _fit_row(sheet: Any, number: int, row: Sequence[Any], widths: Sequence[float]) -> None:
    """Height for the text that needs most lines; a row of one line keeps the usual height."""
    lines = max((math.ceil(1.1 * _width(value) / width) for value, width in zip(row, widths, strict=True)
                 if isinstance(value, str) and 2.2 * len(value) > width), default=1)
    if lines > 1:
        sheet.set_row(number, _LINE_POINTS * min(lines, _MOST_LINES))


def _fitting(title: str, rows: Sequence[Sequence[Any]], column: int) -> float:
    """Width for the first rows of a column, 8 to 40 letters; a heading that is wider than 12 is wrapped."""
    longest = max([min(_width(title), 12)] + [_width(row[column]) for row in rows[:500]])
    return float(min(max(8.0, longest + 2.0), 40.0))


def _width(value: Any) -> int:
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in str(value))


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """CSV that a spreadsheet opens: UTF-8 with BOM, no cell or heading that starts a formula."""
    out = frame.rename(columns=_plain_text)
    for name in out.columns:
        if not pd.api.types.is_numeric_dtype(out[name]):
            words = out[name].astype("str").where(out[name].notna(), "")
            out[name] = words.where(~words.str.match(r"^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"), "'" + words)
    out.to_csv(path, index=False, encoding="utf-8-sig")


def _plain_text(heading: Any) -> str:
    text = str(heading)
    return f"'{text}" if text[:1] in tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20") else text
