"""One page of the survey: the form of a site on an A4 sheet, drawn by the blocks of ``tables/survey_sheet.toml``."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from siteplan.export._workbook import without_markup
from siteplan.export.survey.facts import SiteFacts
from siteplan.tables import read_table

COLUMNS, LABEL_CELLS, _HEAD_CELLS = 24, 3, 15
_COLUMN_PIXELS, _LINE_POINTS, _BAR_POINTS = 32, 12.0, 14.5
_ROW_POINTS, _FRAME_POINTS = 16.0, 27.0
_LETTERS_PER_CELL = 4.6
"""Width of a column in half-width letters of the size of values."""
_FONT = "宋体"
_LEFT: Mapping[str, Any] = {"align": "left", "indent": 1}
_DARK, _PALE, _LINE = "#1F3864", "#EAF0F8", "#7F7F7F"


@cache
def _edges() -> tuple[float, ...]:
    """Where the columns of the workbook begin, in cells of the form, and where the last one ends.

    Only where a slot, a frame or a field of the sketch begins: each further column is a cell in every row of a page.
    """
    table, found = read_table("survey_sheet"), {0.0, float(_HEAD_CELLS), float(COLUMNS)}
    rows = [[slot["cells"] for slot in table["sectors"]["columns"]]]
    for block in table["blocks"]:
        rows += [[part for slot in row for part in (LABEL_CELLS, slot["cells"])] for row in block.get("rows", ())]
        if block["kind"] == "frames":
            first, *others = block["photos"]
            wide, left = COLUMNS // 4, COLUMNS // 4 * len(others[0])
            rows += [[COLUMNS // len(first)] * len(first), [wide] * len(others[0])]
            found |= {left + step * block["sketch_cells"]
                      for step in range(int((COLUMNS - left) / block["sketch_cells"]))}
    for row in rows:
        found |= {float(sum(row[:number])) for number in range(len(row))}
    return tuple(sorted(found))


class _Page:
    """A sheet that is filled from above to below, and its cell formats, each made once."""

    def __init__(self, book: Any, sheet: Any, formats: dict[tuple[Any, ...], Any]) -> None:
        self.book, self.sheet, self.row, self._formats = book, sheet, 0, formats

    def style(self, **shape: Any) -> Any:
        """A format in the looks of the form."""
        key = tuple(sorted(shape.items()))
        if key not in self._formats:
            usual = {"font_name": _FONT, "font_size": 9, "valign": "vcenter", "border": 1, "border_color": _LINE}
            self._formats[key] = self.book.add_format({**usual, **shape})
        return self._formats[key]

    def put(self, first: int, cells: int, value: Any, style: Any, rows: int = 1) -> None:
        """A value over some columns (and rows) of the current row; text stays text."""
        left, end, bottom = bisect_left(_edges(), first), bisect_left(_edges(), first + cells), self.row + rows - 1
        content = value if isinstance(value, int | float) else without_markup(str(value))
        if end - left > 1 or rows > 1:
            self.sheet.merge_range(self.row, left, bottom, end - 1, content, style)
        else:
            self.sheet.write(self.row, left, content, style)

    def next(self, points: float = _ROW_POINTS, rows: int = 1) -> None:
        """Height of the current row (or rows), and on to the one below."""
        for row in range(self.row, self.row + rows):
            self.sheet.set_row(row, points)
        self.row += rows


def add_form(book: Any, sheet: Any, site: SiteFacts, head: Mapping[str, str],
             formats: dict[tuple[Any, ...], Any]) -> None:
    """Draw the form of a site on an empty sheet, set to print on one A4 page.

    Parameters
    ----------
    book, sheet : xlsxwriter.Workbook, worksheet
    site : SiteFacts
    head : mapping of str to str
        ``project``, ``secrecy``, ``crs``, ``notice`` (notices of the study).
    formats : dict
        Formats of the workbook so far; filled.
    """
    table = read_table("survey_sheet")
    page = _Page(book, sheet, formats)
    for number, (left, right) in enumerate(pairwise(_edges())):
        sheet.set_column_pixels(number, number, round((right - left) * _COLUMN_PIXELS))
    page.put(0, COLUMNS, table["title"], page.style(bold=True, font_size=16, align="center", border=0))
    page.next(26.0)
    page.put(0, _HEAD_CELLS, head["project"], page.style(border=0, font_size=9, shrink=True))
    page.put(_HEAD_CELLS, COLUMNS - _HEAD_CELLS, f"密级:{head['secrecy']}    第 {site.text('rank_no')} 号",
             page.style(border=0, align="right"))
    page.next(15.0)
    for block in table["blocks"]:
        _bar(page, str(block["title"]).replace("{crs}", head["crs"]))
        _BLOCKS[block["kind"]](page, block, site)
    if head["notice"]:
        lines = _lines(head["notice"], COLUMNS, 3)
        page.put(0, COLUMNS, head["notice"], page.style(border=0, italic=True, font_size=8, font_color="#7A4B00",
                                                        text_wrap=True, valign="top"))
        page.next(_LINE_POINTS * lines)
    _print_settings(sheet, page.row, head)


def _print_settings(sheet: Any, rows: int, head: Mapping[str, str]) -> None:
    sheet.set_portrait()
    sheet.set_paper(9)
    sheet.set_margins(left=0.45, right=0.4, top=0.4, bottom=0.5)
    sheet.center_horizontally()
    sheet.fit_to_pages(1, 1)
    sheet.print_area(0, 0, rows - 1, len(_edges()) - 2)
    # a blank behind the size: "&8" and "2026" would be a size of 82026
    sheet.set_footer("&L&8 " + head["secrecy"][:60].replace("&", "&&") + "&R&8&A")
    sheet.hide_gridlines(2)


def _bar(page: _Page, title: str) -> None:
    page.put(0, COLUMNS, title, page.style(bold=True, font_size=10, font_color="#FFFFFF", bg_color=_DARK, **_LEFT))
    page.next(_BAR_POINTS)


def _lines(text: str, cells: int, most: int) -> int:
    """Lines that a text takes over some columns, ``most`` at most."""
    room = cells * _LETTERS_PER_CELL
    parts = (sum(2 if ord(letter) > 0x2E80 else 1 for letter in part) for part in text.split("\n"))
    return min(most, sum(max(1, math.ceil(part / room)) for part in parts))


def _label(page: _Page, first: int, text: str, cells: int = LABEL_CELLS) -> None:
    page.put(first, cells, text, page.style(bold=True, bg_color=_PALE, align="center", shrink=True))


def _facts(page: _Page, block: Mapping[str, Any], site: SiteFacts) -> None:
    """Rows of slots: label and value, or label and an empty field."""
    unknown = read_table("survey_sheet")["unknown"]
    for row in block["rows"]:
        column, lines = 0, 1
        for slot in row:
            _label(page, column, slot["label"])
            column += LABEL_CELLS
            value = site.values.get(slot["value"], unknown) if "value" in slot else slot.get("text", "")
            wraps = "lines" in slot
            shape = {"text_wrap": True, **_LEFT} if wraps else {"shrink": True, "align": "left"}
            if "format" in slot and isinstance(value, int | float):
                shape["num_format"] = slot["format"]
            lines = max(lines, _lines(str(value), slot["cells"], slot["lines"]) if wraps else 1)
            page.put(column, slot["cells"], value, page.style(**shape))
            column += slot["cells"]
        page.next(max(_LINE_POINTS * lines + 2, *(slot.get("high", _ROW_POINTS) for slot in row), _ROW_POINTS))


def _sectors(page: _Page, block: Mapping[str, Any], site: SiteFacts) -> None:
    """A line for each sector, and empty ones up to the least number."""
    columns = read_table("survey_sheet")["sectors"]["columns"]
    column = 0
    for slot in columns:
        _label(page, column, slot["label"], slot["cells"])
        column += slot["cells"]
    page.next()
    blank: Mapping[str, Any] = {}
    for sector in [*site.sectors, *[blank] * (block["least"] - len(site.sectors))]:
        column = 0
        for slot in columns:
            value = sector.get(slot.get("value", ""), "")
            page.put(column, slot["cells"], value, page.style(align="center", shrink=True))
            column += slot["cells"]
        page.next()


def _text(page: _Page, block: Mapping[str, Any], site: SiteFacts) -> None:
    text = site.text(block["value"]) or read_table("survey_sheet")["unknown"]
    lines = _lines(text, COLUMNS, block["lines"])
    page.put(0, COLUMNS, text, page.style(text_wrap=True, **_LEFT))
    page.next(_LINE_POINTS * max(2, lines) + 5)


def _frames(page: _Page, block: Mapping[str, Any], _: SiteFacts) -> None:
    """Frames for photos, their names beneath; beside the last two rows of them a sketch on a dotted grid."""
    high = block["frame_lines"]
    first, *others = block["photos"]
    _photos(page, first, COLUMNS // len(first), 1, _FRAME_POINTS * high)
    top, wide = page.row, COLUMNS // 4
    for names in others:
        _photos(page, names, wide, high, _FRAME_POINTS)
    left = wide * len(others[0])
    _sketch(page, block, top, left)


def _photos(page: _Page, names: Sequence[str], wide: int, high: int, points: float) -> None:
    """A row of frames over some rows of the workbook, points high each, and a name below each."""
    for number, _ in enumerate(names):
        page.put(number * wide, wide, "", page.style(), rows=high)
    page.next(points, rows=high)
    for number, name in enumerate(names):
        _label(page, number * wide, name, wide)
    page.next(14.0)


def _sketch(page: _Page, block: Mapping[str, Any], top: int, left: int) -> None:
    """Dotted fields from ``top`` down to above the current row, from a cell of the form to the right edge."""
    bottom, first, last = page.row - 1, bisect_left(_edges(), left), len(_edges()) - 2
    for row in range(top, bottom):
        for column in range(first, last + 1):
            edges = {"left": 1 if column == first else 4, "right": 1 if column == last else 4,
                     "top": 1 if row == top else 4, "bottom": 4}
            if row == top and column == last:
                page.sheet.write_string(row, column, block["north"], page.style(border=4, align="center"))
            else:
                page.sheet.write_blank(row, column, None, page.style(border_color="#BFBFBF", border=0, **edges))
    page.sheet.merge_range(bottom, first, bottom, last, block["sketch"],
                           page.style(bold=True, bg_color=_PALE, align="center", shrink=True))


_BLOCKS: Mapping[str, Callable[[_Page, Mapping[str, Any], SiteFacts], None]] = {
    "facts": _facts, "sectors": _sectors, "text": _text, "frames": _frames}
"""How each kind of block is drawn."""
