"""Tables of results as sheets: headings, order and meaning of the columns stand in ``tables/result_sheets.toml``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pandas as pd

from siteplan.gaps import VERDICT_ZH
from siteplan.gaps.judging.areas import percent_down
from siteplan.tables import read_table

NO_DATA = "无数据"
VERDICT_MARKS: Mapping[str, str] = {"fail": "bad", "not_assessable": "warn", "False": "warn"}
MOST_ROWS = 20_000
"""Rows of a sheet; the GeoPackage holds all."""


@dataclass(frozen=True)
class ResultField:
    """One column of a sheet: name in the table, heading, what its values are, width in letters (0 = fitting).

    ``optional``: left out where no row has a value.
    """

    name: str
    zh: str
    kind: str = "text"
    width: float = 0.0
    optional: bool = False


@dataclass(frozen=True)
class ResultSheet:
    """One table of results as a planner sees it."""

    key: str
    sheet: str
    title: str
    notes: tuple[str, ...]
    fields: tuple[ResultField, ...]
    most: int = MOST_ROWS


@cache
def result_sheets() -> Mapping[str, ResultSheet]:
    """Sheets by the key of their table, in order.

    >>> result_sheets()["targets"].sheet
    '目标差距'
    """
    out, table = {}, read_table("result_sheets")
    for key, entry in table["sheets"].items():
        listed = table["column_sets"][entry["columns_of"]] if "columns_of" in entry else entry["columns"]
        fields = tuple(ResultField(name, **({"zh": item} if isinstance(item, str) else item))
                       for name, item in listed.items())
        out[key] = ResultSheet(key, entry["sheet"], entry["title"], tuple(entry.get("notes", ())), fields,
                               int(entry.get("most", MOST_ROWS)))
    return out


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _rounded(digits: int, factor: float = 1.0) -> Callable[[Any], Any]:
    def tell(value: Any) -> Any:
        number = float(value) * factor
        return "" if not math.isfinite(number) else int(round(number)) if digits == 0 else round(number, digits)
    return tell


_FIXED: Mapping[str, Mapping[Any, str]] = {
    "verdict": VERDICT_ZH, "yes_no": {"True": "是", "False": "否"}, "done": {"True": "是", "False": "否"},
    "state": {"yes": "是", "no": "否", "unknown": "不明"},
}
_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "text": str, "int": _rounded(0), "number1": _rounded(1), "number2": _rounded(2),
    "degrees": _rounded(6), "hectares": _rounded(1, 1e-4),
    "km": _rounded(2, 1e-3), "wan": _rounded(1, 1e-4), "share": percent_down, "percent": _rounded(1, 100.0),
    "percent3": _rounded(3, 100.0), "year": lambda value: int(value) or "", "date": lambda value: str(value)[:10],
}
"""How a value of each kind is told; ``share`` is percent rounded down."""
_BLANK: Mapping[str, str] = {"share": NO_DATA, "verdict": VERDICT_ZH["not_assessable"], "state": "不明", "yes_no": "不明"}
_BY_UNIT: Mapping[str, str] = {"share": "share", "count": "int", "m": "int"}
_SCALES: Mapping[str, float] = {"m2": 1e-6, "yuan": 1e-4, "元": 1e-4}


@cache
def _words(kind: str) -> Mapping[Any, str] | None:
    """Words of a kind; None where it is a number or a text."""
    listed: Mapping[Any, str] | None = _FIXED.get(kind) or read_table("result_sheets")["words"].get(kind)
    return listed


def tell(value: Any, kind: str) -> Any:
    """One value as a cell: a number, or words; a share that is not known never reads as a number.

    >>> tell(0.9496, "share"), tell(float("nan"), "share"), tell("pass", "verdict"), tell(15000.0, "hectares")
    (94.9, '无数据', '达标', 1.5)
    """
    if _missing(value):
        return _BLANK.get(kind, "")
    words = _words(kind)
    return words.get(str(value), str(value)) if words is not None else _KINDS[kind](value)


def _tell_by_unit(value: Any, unit: str, *, change: bool) -> Any:
    """A number in the unit of its row: shares in percent, rounded down, their changes to the nearest tenth."""
    if _missing(value):
        return "" if change else NO_DATA
    if unit in _BY_UNIT:
        return tell(value, "percent" if change and unit == "share" else _BY_UNIT[unit])
    return round(float(value) * _SCALES.get(unit, 1.0), 2)


def shown_sheet(table: pd.DataFrame, sheet: ResultSheet) -> ResultSheet:
    """The sheet without its optional columns of which no row has a value.

    >>> sheet = result_sheets()["limits"]
    >>> [item.name for item in shown_sheet(pd.DataFrame({"year": [0, 0]}), sheet).fields][:2]
    ['zh', 'unit']
    """
    named = table.reset_index()
    fields = tuple(item for item in sheet.fields if not item.optional or (item.name in named and any(
        tell(value, item.kind) != "" for value in named[item.name])))
    return replace(sheet, fields=fields)


def result_rows(table: pd.DataFrame, sheet: ResultSheet) -> list[list[Any]]:
    """Cells under the headings of a sheet; columns that the table lacks are left empty."""
    named = table.reset_index()
    columns = []
    for item in sheet.fields:
        values = named[item.name].astype("object").tolist() if item.name in named else [None] * len(named)
        if item.kind in ("by_unit", "change_by_unit"):
            change = item.kind == "change_by_unit"
            columns.append([_tell_by_unit(value, str(unit), change=change)
                            for value, unit in zip(values, named["unit"], strict=True)])
            continue
        columns.append([tell(value, item.kind) for value in values])
    return [list(row) for row in zip(*columns, strict=True)]


def verdict_marks(columns: Mapping[int, Iterable[Any]]) -> dict[tuple[int, int], str]:
    """Cells of verdicts that a planner must not miss, by row and column number; ``columns``: number -> verdicts."""
    return {(row, column): VERDICT_MARKS[str(value)] for column, values in columns.items()
            for row, value in enumerate(values) if str(value) in VERDICT_MARKS}


def result_marks(table: pd.DataFrame, sheet: ResultSheet) -> dict[tuple[int, int], str]:
    """`verdict_marks` of the columns of verdicts, and of what was done or not."""
    return verdict_marks({column: table[item.name] for column, item in enumerate(sheet.fields)
                          if item.kind in ("verdict", "done") and item.name in table})


def widths_of(sheet: ResultSheet) -> dict[int, float]:
    """Given widths by column number."""
    return {number: item.width for number, item in enumerate(sheet.fields) if item.width}
