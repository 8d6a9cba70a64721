"""One sheet of a workbook, and one CSV: the same looks everywhere, text never taken for a formula or a link."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

WORKBOOK_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
"""Options of an xlsxwriter workbook whose text stays text."""
NUMBER_FORMATS = {"经度": "0.0000000", "纬度": "0.0000000", "挂高(米)": "0.0", "投资估算(元)": "#,##0", "新增服务需求": "#,##0",
                  "面积(公顷)": "#,##0.0", "需求": "#,##0", "现状面积覆盖率": "0.0", "规划后面积覆盖率": "0.0",
                  "现状需求覆盖率": "0.0", "规划后需求覆盖率": "0.0", "建筑高度(米)": "0.0", "水平距离(米)": "0.0",
                  "最不利点离地(米)": "0.0", "低于天线(米)": "0.0", "斜距(米)": "0.0", "功率密度(W/m²)": "0.0000",
                  "功率密度(μW/cm²)": "0.00", "限值(W/m²)": "0.0000", "占限值比例": "0.000", "全部站址占限值比例": "0.000",
                  "轴向达标距离(米)": "0.0", "轴向五分之一距离(米)": "0.0", "下倾角(度)": "0.0", "发射功率(W)": "0.0"}
"""Number format by heading."""


def add_sheet(book: Any, name: str, head: Sequence[str], rows: Sequence[Sequence[Any]], notes: Sequence[str],
              widths: Mapping[int, float]) -> None:
    """One sheet: notes, heading, rows, frozen heading, filter, print settings."""
    sheet = book.add_worksheet(name)
    note = book.add_format({"font_color": "#7A4B00", "italic": True})
    heading = book.add_format({"bold": True, "bg_color": "#DCE6F1", "border": 1, "text_wrap": True,
                               "valign": "vcenter"})
    cell = book.add_format({"border": 1, "valign": "top", "text_wrap": True})
    formats = {title: book.add_format({"border": 1, "valign": "top", "num_format": pattern})
               for title, pattern in NUMBER_FORMATS.items()}
    title_style = book.add_format({"bold": True, "font_size": 14})
    for number, line in enumerate(notes):
        sheet.write_string(number, 0, line, note if number else title_style)
    top = len(notes)
    lines = 1
    for column, title in enumerate(head):
        longest = max([2 * len(title)] + [_width(row[column]) for row in rows[:500]])
        width = widths.get(column, min(max(8.0, longest + 2.0), 40.0))
        lines = max(lines, math.ceil(1.1 * _width(title) / width))
        sheet.set_column(column, column, width)
        sheet.write_string(top, column, title, heading)
    if lines > 1:
        sheet.set_row(top, 15.0 * lines)
    for number, row in enumerate(rows, start=top + 1):
        for column, value in enumerate(row):
            if isinstance(value, int | float) and value == value:
                sheet.write_number(number, column, value, formats.get(head[column], cell))
            else:
                sheet.write_string(number, column, "" if value != value else str(value), cell)
    sheet.freeze_panes(top + 1, 0)
    if rows:
        sheet.autofilter(top, 0, top + len(rows), len(head) - 1)
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(top)
    sheet.set_footer("&L&F&C第 &P / &N 页&R&D")


def _width(value: Any) -> int:
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in str(value))


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """CSV that a spreadsheet opens: UTF-8 with BOM, no cell or heading that starts a formula."""
    out = frame.rename(columns=_plain_text)
    for name in out.columns:
        if not pd.api.types.is_numeric_dtype(out[name]):
            words = out[name].astype("str").where(out[name].notna(), "")
            out[name] = words.where(~words.str.match(r"^[=+\-@\t\r]"), "'" + words)
    out.to_csv(path, index=False, encoding="utf-8-sig")


def _plain_text(heading: Any) -> str:
    text = str(heading)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
