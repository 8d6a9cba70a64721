"""XLSX: a sheet for each layer, Chinese headings, days as days, text never a formula."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import geopandas as gpd

from siteplan.crs import crs_zh
from siteplan.errors import ExportError, Problem
from siteplan.export._workbook import NO_ROWS, add_sheet, open_book
from siteplan.export.exchange.formats.registry import Format, Kept
from siteplan.export.exchange.formats.text import (
    headings,
    layer_cells,
    place_columns,
    placed_table,
    reading,
    table_faults,
    typed_column,
)
from siteplan.export.exchange.formats.words import layer_title
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import ProfileField

FILE = "plan.xlsx"
MOST_LETTERS = 32_767
"""Letters (UTF-16 units) of a cell; Excel's limit."""
MOST_ROWS = 1_048_576 - 20
"""Rows of a sheet less those over the heading; Excel's limit."""
_CONTENTS = "目录"
_SHEET_LETTERS = 31
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_UNWRITABLE = re.compile(r"[\x00\ufffe\uffff]|^<r>.*</r>$|_x[0-9A-Fa-f]{4}_x[0-9A-Fa-f]{4}_", re.DOTALL)
"""What XML cannot hold even when it is escaped, and what xlsxwriter 3.3 writes wrongly: ``<r>...</r>`` as it
stands, the second of two escapes that share a ``_``."""
_FIRST_DAY = "1900-03-01"
"""Days before it (and after 9999) are no days in Excel: written as text."""
_WHOLE = 10**15
"""Excel shows 15 digits: longer whole numbers are written as text."""
_PAGE_COLUMNS = 14
"""Columns that a printed page (A3) is wide."""
_XML = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def sheet_names(titles: Sequence[str]) -> list[str]:
    """Names of sheets that Excel takes: 31 letters (UTF-16 units) at most, none twice, nothing that it forbids.

    Examples
    --------
    >>> sheet_names(["规划站址", "规划/站址", "规划:站址", ""])
    ['规划站址', '规划_站址', '规划_站址_2', '图层']
    """
    names, taken = [], {_CONTENTS, "history"}
    for title in titles:
        plain = _FORBIDDEN.sub("_", title).strip(" '") or "图层"
        name, number = _cut(plain, _SHEET_LETTERS), 2
        while name.casefold() in taken:
            name, number = f"{_cut(plain, _SHEET_LETTERS - 1 - len(str(number)))}_{number}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names


def _cut(text: str, units: int) -> str:
    return text.encode("utf-16-le")[:2 * units].decode("utf-16-le", errors="ignore").rstrip(" '")


def _crs_note(layer: OutLayer) -> str:
    crs = layer.table.crs
    if crs is None:
        return "坐标系:未知"
    axes = "经度、纬度" if crs.is_geographic else "X=北、Y=东,米"
    code = crs.to_epsg()
    return f"坐标系:{crs_zh(crs)}{f'(EPSG:{code})' if code else ''};{axes}"


def _faults(layers: Sequence[OutLayer]) -> list[Problem]:
    found = table_faults(layers, FILE, MOST_LETTERS)
    for layer in layers:
        if len(layer.table) > MOST_ROWS:
            found.append(Problem(layer.name, FILE, "", "", f"超过一张表能放的 {MOST_ROWS} 行", "使用 CSV 或 GeoPackage"))
        keys = layer.table[layer.profile.key].astype("str")
        titles = (layer_title(layer), *(field.zh for field in layer.profile.fields))
        found += [Problem(layer.name, FILE, "", "", f"标题“{title!r}”不能写成表头", "改正导出方案的标题")
                  for title in titles if _UNWRITABLE.search(title)]
        for name, values in layer_cells(layer):
            found += [Problem(layer.name, FILE, key, name, "文字含 XLSX 写不出的控制字符或代码(U+0000、U+FFFE、U+FFFF、"
                              "整段 <r>…</r>、连写的 _x005F_x0041_)", "改正来源文字,或使用 CSV、GeoPackage")
                      for key, value in zip(keys, values, strict=True)
                      if isinstance(value, str) and _UNWRITABLE.search(value)]
    return found


def _write(layers: Sequence[OutLayer], folder: Path) -> None:
    """All layers in one workbook, with a list of the sheets before them.

    Raises
    ------
    ExportError
        A value cannot be written to a sheet.
    """
    problems = _faults(layers)
    if problems:
        raise ExportError("XLSX 不能写出:", problems)
    names = sheet_names([layer_title(layer) for layer in layers])
    with open_book(folder / FILE) as book:
        rows = [(name, layer_title(layer), layer.name, len(layer.table), _crs_note(layer))
                for name, layer in zip(names, layers, strict=True)]
        add_sheet(book, _CONTENTS, ["工作表", "图层", "图层名", "行数", "坐标系"], rows, ["规划图层目录"], {})
        for name, layer in zip(names, layers, strict=True):
            _add_layer(book, name, layer)


def _as_text(value: Any, field: ProfileField) -> bool:
    """Whether a value is written as text because a cell cannot hold it as what it is."""
    if field.type == "int":
        return bool(abs(value) >= _WHOLE)
    if field.type == "float":  # Excel keeps 15 digits
        return round(float(f"{value:.15g}"), field.decimals) != round(value, field.decimals)
    return field.type == "date" and not _FIRST_DAY <= value[:10] <= "9999-12-31"


def _add_layer(book: Any, name: str, layer: OutLayer) -> None:
    """The sheet of a layer: cells by :func:`add_sheet`, then days and decimals in their own format."""
    fields, columns = layer.profile.fields, dict(layer_cells(layer))
    places = place_columns(layer)
    kept = [["" if value is None else str(value) if field.type in ("int", "float") and _as_text(value, field) else value
             for value in columns[field.name]] for field in fields]
    changed = sum(value is not None and _as_text(value, field) for field in fields for value in columns[field.name])
    notes = [layer_title(layer), _crs_note(layer)]
    if changed:
        notes.append(f"{changed} 个值以文字写出:超过15位的数,或 1900-03-01 以前的日期")
    rows = list(zip(*kept, *places.values(), strict=True))
    head = headings(layer)
    widths = {number: 12.0 for number, field in enumerate(fields) if field.type == "date"}
    first = add_sheet(book, name, head, rows, notes, widths, pages=math.ceil(len(head) / _PAGE_COLUMNS))
    sheet = book.get_worksheet_by_name(name)
    border = {"border": 1, "valign": "top"}
    blank = book.add_format(border)
    for number, field in enumerate(fields):
        values = columns[field.name]
        for row in (row for row, value in enumerate(values) if value is None):
            sheet.write_blank(first + row, number, None, blank)
        if field.type == "date":
            day = book.add_format({**border, "num_format": "yyyy-mm-dd"})
            moment = book.add_format({**border, "num_format": "yyyy-mm-dd hh:mm:ss"})
            for row, value in enumerate(values):
                if value is not None and not _as_text(value, field):
                    sheet.write_datetime(first + row, number, dt.datetime.fromisoformat(value),
                                         day if len(value) == 10 else moment)
        elif field.type == "float" and field.decimals:
            cells = [None if value is None or _as_text(value, field) else value for value in values]
            _format_numbers(sheet, first, number, cells, book.add_format(
                {**border, "num_format": "0." + "0" * field.decimals}))
    geographic = layer.table.crs is not None and layer.table.crs.is_geographic
    exact = book.add_format({**border, "num_format": "0.0000000" if geographic else "0.000"})
    for number, values in enumerate(list(places.values())[:2], len(fields)):
        _format_numbers(sheet, first, number, values, exact)


def _format_numbers(sheet: Any, first: int, column: int, values: Sequence[float | None], style: Any) -> None:
    for row, value in enumerate(values):
        if value is not None:
            sheet.write_number(first + row, column, value, style)


def sheet_cells(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, list[dict[int, Any]]]]:
    """Cells of the wanted sheets as they stand in the file, escapes undone; rows of column number -> value.

    By own reading: openpyxl 3.1 takes ``x005F_`` out of texts and leaves ``_x000D_`` in them.
    """
    from xml.etree import ElementTree as Tree

    with ZipFile(path) as parts:
        texts = [_plain("".join(part.text or "" for part in entry.iter(f"{_XML}t")))
                 for entry in Tree.fromstring(parts.read("xl/sharedStrings.xml"))]
        sheets = Tree.fromstring(parts.read("xl/workbook.xml")).iter(f"{_XML}sheet")
        for number, sheet in enumerate(sheets, 1):  # xlsxwriter numbers its files in the order of the sheets
            if not wanted(str(sheet.get("name"))):
                continue
            rows = []
            for row in Tree.fromstring(parts.read(f"xl/worksheets/sheet{number}.xml")).iter(f"{_XML}row"):
                cells: dict[int, Any] = {}
                for cell in row:
                    value = cell.find(f"{_XML}v")
                    if value is not None and value.text is not None:
                        is_text = cell.get("t") == "s"
                        cells[_column(cell.get("r", ""))] = texts[int(value.text)] if is_text else float(value.text)
                rows.append(cells)
            yield str(sheet.get("name")), rows


def _plain(text: str) -> str:
    """Text of XLSX with its ``_xHHHH_`` undone.

    >>> _plain("a_x0021_b_x005F_x0041_")
    'a!b_x0041_'
    """
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)


def _column(place: str) -> int:
    """Number of a column from 0: ``AA7`` -> 26."""
    number = 0
    for letter in place.rstrip("0123456789"):
        number = 26 * number + ord(letter) - 64
    return number - 1


def _moment(value: Any) -> Any:
    """ISO text of a day that stands as a number; text as it is."""
    if not isinstance(value, float):
        return value
    return (dt.datetime(1899, 12, 30) + dt.timedelta(seconds=round(value * 86_400))).isoformat()  # noqa: DTZ001


def _read(folder: Path, layer: OutLayer) -> gpd.GeoDataFrame:
    """A layer read back from its sheet, which the list of sheets names."""
    with reading(FILE):
        return _from_sheet(folder, layer)


def _from_sheet(folder: Path, layer: OutLayer) -> gpd.GeoDataFrame:
    contents = dict(sheet_cells(folder / FILE, lambda sheet: sheet == _CONTENTS))[_CONTENTS]
    name = next((row[0] for row in contents if row.get(2) == layer.name), None)
    if name is None:
        raise ExportError(f"{FILE} 中没有图层 {layer.name}")
    titles = headings(layer)
    rows = dict(sheet_cells(folder / FILE, lambda sheet: sheet == name))[str(name)]
    head = next((number for number, row in enumerate(rows)
                 if [row.get(at) for at in range(len(titles))] == titles), None)
    if head is None:
        raise ExportError(f"{FILE} 的工作表 {name} 没有写出的表头")
    body = [row for row in rows[head + 1:] if row != {0: NO_ROWS}]
    columns = {}
    for number, field in enumerate(layer.profile.fields):
        cells = [row.get(number) for row in body]
        days = [_moment(cell) for cell in cells] if field.type == "date" else cells
        columns[field.name] = typed_column(field.type, days)
    count = len(columns)
    return placed_table(layer, FILE, columns, [[row.get(at) for row in body] for at in range(count, len(titles))])


XLSX = Format("xlsx", "Excel 工作簿", narrow=False, write=_write, read=_read, kept=Kept(kinds=("Point",)))
