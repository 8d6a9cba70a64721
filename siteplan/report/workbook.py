"""The workbook of a report: one sheet for each table, headings and rules from ``tables/report_sheets.toml``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from siteplan.export._workbook import add_sheet, open_book
from siteplan.report._counting import day_text, text_of
from siteplan.report.facts import ReportFacts
from siteplan.tables import read_table

MOST_ROWS = 5000
"""Rows of a sheet where its entry does not say; what is left out is told."""
_SUMMARY, _WIDE = "总体情况", 20
"""The first sheet; more columns than this are printed on two pages."""


@dataclass(frozen=True)
class SheetColumn:
    """One column: name in the table, heading, what its values are, width in letters (0 = fitting)."""

    name: str
    zh: str
    kind: str = "text"
    width: float = 0.0


@dataclass(frozen=True)
class ReportSheet:
    """One table as a planner sees it."""

    key: str
    sheet: str
    title: str
    rule: str
    columns: tuple[SheetColumn, ...]
    most: int = MOST_ROWS


@cache
def report_sheets() -> Mapping[str, ReportSheet]:
    """Sheets by the key of their table, in order.

    >>> report_sheets()["overdue"].sheet
    '逾期清单'
    """
    table = read_table("report_sheets")
    return {key: ReportSheet(key, entry["sheet"], entry["title"], entry["rule"], tuple(_columns(entry["columns"])),
                             int(entry.get("most", MOST_ROWS))) for key, entry in table["sheets"].items()}


def _columns(entries: Mapping[str, Any]) -> list[SheetColumn]:
    """Columns of a sheet; ``+`` stands for a set of columns."""
    out: list[SheetColumn] = []
    for name, entry in entries.items():
        if name.startswith("+"):
            out += _columns(read_table("report_sheets")["column_sets"][entry])
        else:
            out.append(SheetColumn(name, entry) if isinstance(entry, str) else SheetColumn(name, **entry))
    return out


def told(value: Any, kind: str) -> Any:
    """A value as a cell: a number, or words; nothing where it is not known.

    Examples
    --------
    >>> told(2289 / 3399, "rate"), told(0.9999, "rate"), told(1.0, "rate"), told(float("nan"), "rate")
    (67.3, 99.9, 100.0, '')
    >>> told(25_000.0, "wan"), told(pd.Timestamp("2026-06-30"), "date"), told("red", "light"), told("甲|乙", "list")
    (2.5, '2026-06-30', '红', '甲、乙')
    """
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    return _KINDS[kind](value)


def percent(share: float) -> float:
    """A share in percent to one decimal; 100 and 0 only where it is so.

    >>> percent(8 / 12), percent(0.99999), percent(0.00001), percent(0.0)
    (66.7, 99.9, 0.1, 0.0)
    """
    out = round(100.0 * share, 1)
    if out >= 100.0 > 100.0 * share:
        return 99.9
    return 0.1 if out == 0.0 < share else out


def _whole(value: Any) -> int:
    return int(round(float(value)))


def _light(value: Any) -> str:
    return str(read_table("report_sheets")["words"]["light"].get(str(value), ""))


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "text": str, "status": str, "int": _whole, "year": _whole, "bad_above_0": _whole, "warn_above_0": _whole,
    **{f"number{digits}": partial(round, ndigits=digits) for digits in (1, 2, 3)},
    "rate": lambda value: percent(float(value)), "points": lambda value: round(100.0 * float(value), 1),
    "wan": lambda value: round(float(value) / 1e4, 1), "date": day_text, "light": _light,
    "list": lambda value: "、".join(str(value).split("|"))}
"""How a value of each kind is told."""


def sheet_cells(table: pd.DataFrame, sheet: ReportSheet) -> list[list[Any]]:
    """Cells under the headings of a sheet; columns that the table lacks stay empty."""
    columns = [[told(value, column.kind) for value in table[column.name].astype("object")] if column.name in table
               else [""] * len(table) for column in sheet.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def cell_marks(cells: Sequence[Sequence[Any]], sheet: ReportSheet) -> dict[tuple[int, int], str]:
    """Cells that a planner must not miss, by row and column: red and yellow lights, late, blocked."""
    words: Mapping[str, str] = read_table("report_sheets")["marks"]
    out: dict[tuple[int, int], str] = {}
    for at, column in enumerate(sheet.columns):
        for number, row in enumerate(cells):
            value = row[at]
            if column.kind in ("status", "light") and value in words:
                out[number, at] = words[value]
            elif column.kind.endswith("_above_0") and value != "" and value > 0:
                out[number, at] = column.kind.partition("_")[0]
    return out


def cut_off_note(facts: ReportFacts) -> str:
    """What every sheet says of its state."""
    period = facts.period
    late = f"；其中{facts.late_entries}项在截止日后补登、完成日期不晚于截止日，照计" if facts.late_entries else ""
    invented = next((f"；{text}" for text in facts.notices if "合成" in text), "")
    return (f"{facts.city} {period.title}：本期 {period.first} 至 {period.last}，截止日当天计入，次日起不计；"
            f"最后一条变更号 {facts.last_event}{late}{invented}")


def write_workbook(facts: ReportFacts, path: Path) -> Path:
    """Write the tables of a report as a workbook.

    Parameters
    ----------
    facts : ReportFacts
    path : Path
        The ``.xlsx``; its folder is there.

    Returns
    -------
    Path
        ``path``. Equal facts give equal bytes; text is never a formula.

    Raises
    ------
    ExportError
        The workbook cannot be written.
    """
    note = cut_off_note(facts)
    with open_book(path, f"{facts.city} {facts.period.title}") as book:
        _write_summary(book, facts, note)
        for key, sheet in report_sheets().items():
            table = facts.tables.get(key)
            if table is None:
                continue
            cells = sheet_cells(table.iloc[:sheet.most], sheet)
            notes = [sheet.title, note, f"口径:{sheet.rule}", *facts.notes.get(key, ())]
            if len(table) > sheet.most:
                notes.append(f"共{len(table)}行,列出前{sheet.most}行;全部见 siteplan register export")
            widths = {at: column.width for at, column in enumerate(sheet.columns) if column.width}
            add_sheet(book, sheet.sheet, [column.zh for column in sheet.columns], cells, notes, widths,
                      cell_marks(cells, sheet), pages=2 if len(sheet.columns) > _WIDE else 1)
    return path


def summary_rows(facts: ReportFacts, keys: Collection[str] = ()) -> list[list[Any]]:
    """The first sheet: group, what, number, unit, rule of counting; ``keys``: only those numbers."""
    return [[entry["group"], zh, _number(facts.numbers[key], kind), unit, rule]
            for entry in read_table("report_sheets")["summary"] for key, zh, kind, unit, rule in entry["items"]
            if not keys or key in keys]


def _number(value: float, kind: str) -> Any:
    cell = told(value, kind)
    return "无" if cell == "" else cell


def _write_summary(book: Any, facts: ReportFacts, note: str) -> None:
    notes = [f"{facts.city}5G站址建设{facts.period.title}情况", note, *(f"注意:{text}" for text in facts.warnings),
             f"下次上报:{facts.period.next_report};对催办函的答复期限:{facts.period.reply_by}"]
    rows = summary_rows(facts)
    marks = {(number, 2): "bad" for number, row in enumerate(rows)
             if text_of(row[1]).startswith(("逾期", "超期")) and isinstance(row[2], int) and row[2] > 0}
    add_sheet(book, _SUMMARY, ["类别", "项目", "数值", "单位", "口径"], rows, notes, {0: 12.0, 1: 24.0, 2: 12.0, 4: 70.0}, marks)
