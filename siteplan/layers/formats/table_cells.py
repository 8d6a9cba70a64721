"""Cells of a plain table into a raw table: where its header is, in one line or two, and what its columns are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.where import select_rows
from siteplan.params import LayerSource
from siteplan.schema import coordinate_words, layer_schema, normalise_word
from siteplan.unit_words import UNIT_FACTORS

Record = tuple[int, list[Any]]
"""Line or sheet row (header = 1), and its cells; None = empty."""
HEADER_SEARCH_ROWS = 12
_BRACKET = re.compile(r"[(（\[【].*")
_NUMBER = re.compile(r"\s*[+-]?[\d.,]+\s*[%°]?\s*")
_ERRORS = frozenset(("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#GETTING_DATA",
                     "#SPILL!", "#CALC!"))
_FEW_ROWS = 50
"""Rows told one by one up to this number, in one line beyond."""


@dataclass(frozen=True)
class Header:
    """Names of the columns, the place of the first row below, how much of a header it is, and lines used for it."""

    names: list[str]
    below: int
    score: int
    lines: tuple[int, ...]


def known_words(layer: str, source: LayerSource) -> frozenset[str]:
    """Spellings of a layer's columns, of coordinate columns, and of those the study file names.

    >>> "挂高" in known_words("stations", LayerSource(path="a.csv"))
    True
    """
    return _layer_words(layer) | {_word(word) for word in source.columns.values()}


@lru_cache(maxsize=64)
def _layer_words(layer: str) -> frozenset[str]:
    fields = layer_schema(layer).fields.values()
    words = {normalise_word(word) for spec in fields for word in (spec.name, spec.zh, *spec.accepts)}
    return frozenset(words | {normalise_word(word) for words in coordinate_words().values() for word in words})


@lru_cache(maxsize=1)
def _unit_words() -> frozenset[str]:
    return frozenset(word for units in UNIT_FACTORS.values() for word in units)


def _word(cell: object) -> str:
    return normalise_word(_BRACKET.sub("", str(cell)))


def find_header(records: Sequence[Record], known: frozenset[str]) -> Header:
    """The line, or pair of lines, that looks most like a header; titles may stand above it, a line of units below.

    In a pair (merged cells over two lines) the lower name counts, with the upper one before it where it is repeated.

    >>> find_header([(1, ["站名", "经纬度", None]), (2, [None, "经度", "纬度"])], frozenset(("站名", "经度", "纬度"))).names
    ['站名', '经度', '纬度']
    """
    best = Header([], 0, -1, ())
    records = [(number, [_none(cell) for cell in record]) for number, record in records[:HEADER_SEARCH_ROWS + 2]]
    for place, (number, record) in enumerate(records[:HEADER_SEARCH_ROWS]):
        score = _score(record, known)
        if score > best.score:
            best = Header([_text(cell) for cell in record], place + 1, score, (number,))
    for place in range(min(len(records), HEADER_SEARCH_ROWS) - 1):
        (upper, above), (lower, below) = records[place], records[place + 1]
        if lower - upper == 1 and not any(_is_value(cell) for cell in (*above, *below)):
            names = _pair(above, below, known)
            score = _score(names, known)
            if score > best.score:
                best = Header(names, place + 2, score, (upper, lower))
    return _with_units(best, records)


def _with_units(header: Header, records: Sequence[Record]) -> Header:
    """A line of units below the header goes into its names."""
    if header.below >= len(records):
        return header
    number, record = records[header.below]
    words = [normalise_word(str(cell).strip(" ()（）[]")) for cell in record if cell is not None]
    if not words or not all(word in _unit_words() and not word.isdigit() for word in words):
        return header
    names = [f"{name}({str(unit).strip(' ()（）[]')})" if name and unit is not None else name
             for name, unit in zip(header.names, [*record, *[None] * len(header.names)], strict=False)]
    return Header(names, header.below + 1, header.score, (*header.lines, number))


def _score(record: Iterable[object], known: frozenset[str]) -> int:
    return len({word for cell in record if cell is not None and (word := _word(cell)) in known})


def _text(cell: object) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def _is_value(cell: object) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(_NUMBER.fullmatch(cell)))


def _pair(above: Sequence[object], below: Sequence[object], known: frozenset[str]) -> list[str]:
    width = max(len(above), len(below))
    upper = [_text(cell) for cell in [*above, *[None] * (width - len(above))]]
    lower = [_text(cell) for cell in [*below, *[None] * (width - len(below))]]
    group, names = "", []
    for top, low in zip(upper, lower, strict=True):
        group = top or (group if low else "")
        if low and top and _word(low) not in known and _word(top) in known:
            names.append(top)
        elif low and low in names:
            names.append(f"{group}{low}")
        else:
            names.append(low or top)
    return names


def make_table(records: Sequence[Record], source: LayerSource, encoding: str, log: FileLog) -> RawTable | None:
    """A raw table of records; None = a problem was logged."""
    if not records:
        log.problem("没有任何内容", "核对文件")
        return None
    header = find_header(records, known_words(log.layer, source))
    log_header(header, records[0][0], log)
    body = [(number, [_none(cell) for cell in record]) for number, record in records[header.below:]]
    width = max(len(header.names), max((len(record) for _, record in body), default=0))
    names = unique_names(header.names, log)
    kept = len(names)
    log_ragged(body, kept, log)
    blank: list[Any] = [None] * width
    columns = list(zip(*((record + blank)[:kept] for _, record in body), strict=True)) or [()] * kept
    rows = np.array([str(number) for number, _ in body], dtype=object)
    return table_of(names, [list(column) for column in columns], rows, source, encoding, log)


def _none(cell: Any) -> Any:
    return None if isinstance(cell, str) and (not cell or cell.isspace()) else cell


def table_of(names: Sequence[str], columns: Iterable[Sequence[Any]], rows: NDArray[np.object_], source: LayerSource,
             encoding: str, log: FileLog) -> RawTable | None:
    """A raw table of columns, without those that have neither name nor cell; error cells (``#N/A``) are missing."""
    out: dict[str, NDArray[np.object_]] = {}
    for name, column in zip(names, columns, strict=True):
        cells = np.empty(len(rows), dtype=object)
        cells[:] = column
        if _ERRORS.intersection(column):
            errors = np.array([cell in _ERRORS for cell in column])
            log.rows(rows[errors], name, cells[errors][0], "repaired", "单元格是表格软件的错误值，作为空", "在表格软件里改正公式")
            cells[errors] = None
        if not (re.fullmatch(r"第\d+列", name) and all(cell is None for cell in cells)):
            out[name] = cells
    frame = pd.DataFrame(out, index=pd.RangeIndex(len(rows)), dtype=object)
    frame.columns = pd.Index(list(out), dtype=object)
    if source.where:
        keep = select_rows(frame, source.where, log)
        if keep is None:
            return None
        frame, rows = frame.iloc[keep].reset_index(drop=True), rows[keep]
    return RawTable(frame, rows, None, None, encoding)


def log_header(header: Header, first: int, log: FileLog) -> None:
    """Say where the header is when it is not simply the first line."""
    number = header.lines[0]
    if number > first:
        log.line("", "", number, "note", f"表头在第 {number} 行，其上的标题行未读", "无需处理")
    if len(header.lines) > 1:
        numbers = "、".join(map(str, header.lines))
        log.line("", "", "、".join(name for name in header.names if name)[:150], "assumed",
                 f"表头由第 {numbers} 行合成（合并单元格或单位行）", "核对列名，必要时在 columns 写明")


def log_ragged(body: Sequence[Record], width: int, log: FileLog) -> None:
    """Say which rows have more cells than the header, or fewer."""
    long = [(str(number), next(cell for cell in record[width:] if cell is not None)) for number, record in body
            if len(record) > width and any(cell is not None for cell in record[width:])]
    reason, remedy = "单元格比表头多，多出的未读，该行各列可能错位", "核对是否有未加引号的分隔符"
    if len(long) <= _FEW_ROWS:
        log.each([row for row, _ in long], "", [cell for _, cell in long], "note", reason, remedy)
    else:
        log.rows([row for row, _ in long], "", long[0][1], "note", reason, f"{remedy}；首行是第 {long[0][0]} 行")


def unique_names(record: Iterable[Any], log: FileLog) -> list[str]:
    """Names of the columns: blanks squeezed, empty ones numbered, repeated ones told and numbered."""
    names: list[str] = []
    for number, cell in enumerate(record, start=1):
        name = " ".join(str(cell).split()) if cell not in (None, "") else f"第{number}列"
        if name in names:
            log.line("", name, f"第{number}列", "note", "列名重复，采用前一列", "改名或删除重复列")
            name = f"{name}#{number}"
        names.append(name)
    return names
