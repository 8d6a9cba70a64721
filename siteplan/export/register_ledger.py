"""The register as a workbook that the office edits and gives back, and as layers for QGIS."""

from __future__ import annotations

import datetime as dt
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from siteplan.errors import ExportError
from siteplan.export._register_columns import (
    LedgerColumn,
    crs_words,
    ledger_cells,
    ledger_columns,
)
from siteplan.export._workbook import open_book, without_markup
from siteplan.register import Register, read_rows, reading, register_tables, word_of
from siteplan.register.dictionary import RegisterTable
from siteplan.register.edits import EDITABLE, EMPTY_WORD

NOTES, CHOICES = "说明", "选项"
LAYERS = "register_layers.gpkg"
_SPARE_ROWS = 2000
"""Rows below the last one that have drop-down lists too."""
_WIDE, _NARROW, _NOTES_WIDTH = 28.0, 12.0, 84.0
_LINE_POINTS, _SPARE = 16.0, 1.15
"""Height of a line of notes; room for lines that break early."""
_LOOKS: Mapping[str, Mapping[str, Any]] = {"date": {"num_format": "yyyy-mm-dd"}, "place": {"num_format": "0.000"},
                                           "text": {"num_format": "@", "text_wrap": True}}
_LOCKED_LOOK = {"bg_color": "#F2F2F2", "font_color": "#595959"}


def write_ledger(register: Register, path: Path, tables: Sequence[str] = EDITABLE, as_of: dt.date | None = None,
                 ) -> Path:
    """One workbook with a sheet per table: edited by the office, read back with :func:`siteplan.layers.read_list`.

    Parameters
    ----------
    register : Register
    path : Path
        The ``.xlsx``; its folder is made.
    tables : sequence of str
    as_of : date, optional
        The register as it stood at the end of that day, to look at: its revisions say so, and it is not read back.

    Returns
    -------
    Path

    Raises
    ------
    ExportError
        It cannot be written.
    RegisterError
        The register cannot be read.
    """
    held: dict[str, pd.DataFrame] = {}
    with reading(register) as connection:
        for name in tables:
            found = read_rows(register, name, as_of, connection=connection, technical=True)
            held[name] = pd.DataFrame(found)
        organisations = read_rows(register, "organisations", as_of, connection=connection)["name"].tolist()
    if as_of is not None:
        for name, rows in held.items():
            held[name] = rows.assign(revision=f"截至{as_of}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"{path} 不能写出:{error.strerror or error}") from error
    with open_book(path, f"{register.city}储备库") as book:
        _write_notes(book, register, held, as_of)
        choices = _Choices(book, organisations)
        for name, rows in held.items():
            _write_table(book, register_tables()[name], rows, choices)
        choices.write()
    return path


def _write_notes(book: Any, register: Register, held: Mapping[str, pd.DataFrame], as_of: dt.date | None) -> None:
    sheet = book.add_worksheet(NOTES)
    title = book.add_format({"bold": True, "font_size": 14})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, _NOTES_WIDTH, wrapped)
    lines = [f"{register.city}储备库", *_notes(register, as_of),
             *(f"工作表“{register_tables()[name].zh}”:{len(rows)} 行" for name, rows in held.items())]
    for number, line in enumerate(lines):
        sheet.write_string(number, 0, without_markup(line), title if number == 0 else wrapped)
        if number:
            sheet.set_row(number, _LINE_POINTS * math.ceil(_SPARE * _half_widths(line) / _NOTES_WIDTH))
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def _half_widths(text: str) -> int:
    """Width of a text; a Chinese character is two."""
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)


def _notes(register: Register, as_of: dt.date | None) -> list[str]:
    if as_of is not None:
        return [f"本工作簿是储备库截至 {as_of}(含当日)的查阅本,不能读回;要修改时不带 --as-of 重新导出。"]
    return [
        "改完后用 siteplan register import ledger 本文件 读回;有一处不对就全部不写入,并逐行列出原因。",
        "灰色列由程序填写,不要改:储备库编号认行,储备库版次认本次导出。别人在导出之后改过的格子不会被旧值盖回;两边都改了同一格时会提示。",
        "新增一行:在末尾填写,储备库编号和版次留空。不要删行;不再需要的站址把状态改为“已撤销”并写原因。",
        f"空格子表示不改;要把原有内容去掉,写“{EMPTY_WORD}”。",
        "有下拉选项的列只用所列的词;责任单位须先在“责任单位”表登记(可填简称);多个单位用顿号隔开。",
        "日期写 2026-06-30。状态、完成日期等按所填日期生效,半年报按截止日(含当日)统计。",
        "状态依次为:储备、具备条件、已批准、在建、已开通;受阻和撤销须写原因,不能跳级。",
        f"坐标为 {crs_words(register)};规划成果给出的站址不在这里改名称和位置。线、面工程的位置用 GIS 文件导入。",
    ]


class _Choices:
    """Words of drop-down lists, each list a column of a hidden sheet."""

    def __init__(self, book: Any, organisations: Sequence[str]) -> None:
        self._book, self._organisations = book, list(organisations)
        self._lists: dict[tuple[str, ...], int] = {}

    def of(self, column: LedgerColumn) -> tuple[str, ...]:
        """Words that a column may hold; empty = any."""
        field = column.field
        if field is None or column.is_locked or field.many:
            return ()
        words: tuple[str, ...] = ()
        if field.spec.values:
            words = tuple(spellings[0] for spellings in field.spec.values.values())
        elif field.spec.type == "bool":
            words = ("是", "否")
        elif field.organisation:
            words = tuple(self._organisations)
        return (*words, EMPTY_WORD) if words and not field.spec.required else words

    def source(self, words: tuple[str, ...]) -> str:
        """The range that holds a list."""
        from xlsxwriter.utility import xl_col_to_name

        place = self._lists.setdefault(words, len(self._lists))
        letters = xl_col_to_name(place, col_abs=True)
        return f"={CHOICES}!{letters}$1:{letters}${len(words)}"

    def write(self) -> None:
        """The hidden sheet, last."""
        sheet = self._book.add_worksheet(CHOICES)
        for words, place in self._lists.items():
            for number, word in enumerate(words):
                sheet.write_string(number, place, without_markup(word))
        sheet.hide()


def _write_table(book: Any, spec: RegisterTable, rows: pd.DataFrame, choices: _Choices) -> None:
    sheet, columns = book.add_worksheet(spec.zh), ledger_columns(spec)
    head = {locked: book.add_format({"bold": True, "bg_color": "#D9D9D9" if locked else "#DCE6F1", "border": 1,
                                     "text_wrap": True, "valign": "vcenter"}) for locked in (True, False)}
    for place, column in enumerate(columns):
        kind = "" if column.field is None else column.field.spec.type
        look: dict[str, Any] = {"valign": "top", **_LOOKS.get("place" if column.name in ("x", "y") else kind, {}),
                                **(_LOCKED_LOOK if column.is_locked else {})}
        cells = ledger_cells(spec, rows, column)
        longest = max((_half_widths(cell) for cell in cells[:200] if isinstance(cell, str)), default=0)
        style = book.add_format(look)
        sheet.set_column(place, place, min(max(_NARROW, longest + 2.0), _WIDE), style)
        sheet.write_string(0, place, column.heading, head[column.is_locked])
        for number, cell in enumerate(cells, start=1):
            _write_cell(sheet, number, place, cell, style)
        words = choices.of(column)
        last = len(rows) + _SPARE_ROWS
        if words:
            sheet.data_validation(1, place, last, place, {
                "validate": "list", "source": choices.source(words), "error_title": "不是可用的词",
                "error_message": "从下拉选项中选。"})
        elif kind == "date" and not column.is_locked:
            sheet.data_validation(1, place, last, place, {
                "validate": "date", "criteria": ">=", "value": dt.date(1990, 1, 1), "error_type": "warning",
                "error_title": "不是日期", "error_message": f"写 2026-06-30 这样的日期;要去掉日期写“{EMPTY_WORD}”。"})
    sheet.set_row(0, 34.0)
    sheet.freeze_panes(1, 3)
    sheet.autofilter(0, 0, max(len(rows), 1), len(columns) - 1)
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.repeat_rows(0)


def _write_cell(sheet: Any, number: int, place: int, cell: Any, style: Any) -> None:
    if cell is None:
        return
    if isinstance(cell, str):
        sheet.write_string(number, place, without_markup(cell), style)
    elif isinstance(cell, dt.datetime):
        sheet.write_datetime(number, place, cell, style)
    else:
        sheet.write_number(number, place, cell, style)


def write_register_layers(register: Register, folder: Path, as_of: dt.date | None = None,
                          ) -> tuple[Path, tuple[str, ...]]:
    """Layers for QGIS: sites by state, venues, fibre links and joint works in one GeoPackage; a copy, not the register.

    Parameters
    ----------
    register : Register
    folder : Path
        Gets ``register_layers.gpkg``.
    as_of : date, optional

    Returns
    -------
    path : Path
    names : tuple of str
        The layers that were written; those without a place on the map are left out.

    Raises
    ------
    ExportError
        It cannot be written.
    """
    with reading(register) as connection:
        held = {name: read_rows(register, name, as_of, connection=connection, technical=True)
                for name in ("sites", "venues", "links", "works")}
    layers: dict[str, gpd.GeoDataFrame] = {}
    for name, rows in held.items():
        spec = register_tables()[name]
        placed = rows[rows["geometry"].notna()]
        for code, part in ((code, placed[placed["state"] == code]) for code in spec.fields["state"].spec.values
                           ) if name == "sites" else (("", placed),):
            if len(part):
                words = f"_{word_of('sites', 'state', code)}" if code else ""
                layers[f"{spec.zh}{words}"] = _layer(spec, part, as_of)
    path = folder / LAYERS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".layers-", dir=folder, ignore_cleanup_errors=True) as scratch:
            draft = Path(scratch) / LAYERS
            for name, layer in layers.items():
                layer.to_file(draft, driver="GPKG", layer=name, engine="pyogrio")
            if layers:
                os.replace(draft, path)
            else:
                path.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        raise ExportError(f"{path} 不能写出:{getattr(error, 'strerror', None) or error}") from error
    return path, tuple(layers)


def _layer(spec: RegisterTable, rows: gpd.GeoDataFrame, as_of: dt.date | None) -> gpd.GeoDataFrame:
    """One layer under Chinese headings; days as text, as QGIS shows them."""
    out: dict[str, Any] = {}
    for column in ledger_columns(spec):
        if column.name in ("x", "y"):
            continue
        cells = ledger_cells(spec, pd.DataFrame(rows), column)
        if column.name == "revision" and as_of is not None:
            cells = [f"截至{as_of}"] * len(rows)
        numeric = column.field is not None and column.field.spec.type in ("int", "float")
        texts = [f"{cell:%Y-%m-%d}" if isinstance(cell, dt.datetime) else cell for cell in cells]
        out[column.heading if column.field is None else column.field.spec.zh] = pd.array(
            texts, dtype="Float64") if numeric else pd.array([None if text is None else str(text) for text in texts],
                                                             dtype="str")
    return gpd.GeoDataFrame(out, geometry=rows["geometry"].to_numpy(object), crs=rows.crs)
