"""CSV and XLSX into raw tables."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.encodings import text_encoding
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.where import select_rows
from siteplan.params import LayerSource
from siteplan.schema import coordinate_words, layer_schema, normalise_word

_HEADER_SEARCH_ROWS = 12


def read_csv(path: Path, source: LayerSource, log: FileLog) -> RawTable | None:
    """Read a CSV: encoding and delimiter found, row labels are file lines. None = a problem was logged."""
    data = path.read_bytes()
    encoding = text_encoding(data, source.encoding)
    if encoding is None:
        log.problem(f"编码不是 {source.encoding or 'UTF-8 或 GB18030'}，读不出文字", "在研究文件写明 encoding", "encoding")
        return None
    text = data.decode(encoding, "replace").removeprefix("﻿")
    first = text[:text.find("\n") if "\n" in text else None]
    delimiter = max(",\t;|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    cells: list[tuple[int, list[Any]]] = []
    start = 1
    try:
        for record in reader:
            if any(cell.strip() for cell in record):
                cells.append((start, [cell or None for cell in record]))
            start = reader.line_num + 1
    except csv.Error as error:
        log.problem(f"CSV 第 {start} 行格式错误（{error}）", "用表格软件另存为 CSV UTF-8")
        return None
    return _table(cells, source, encoding, log)


def read_xlsx(path: Path, source: LayerSource, log: FileLog) -> RawTable | None:
    """Read a worksheet: the sheet named in the study or the first; row labels are sheet rows."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        log.problem(f"不是可读的 XLSX（{error}）", "用表格软件打开并另存为 .xlsx")
        return None
    try:
        names = book.sheetnames
        name = source.layer or names[0]
        if name not in names:
            log.problem(f"没有工作表“{name}”；有：{'、'.join(names)}", "核对 layer", "layer")
            return None
        if not source.layer and len(names) > 1:
            log.line("", "layer", name, "note", f"有 {len(names)} 个工作表，读第一个", "需要别的表时写明 layer")
        rows = enumerate(book[name].iter_rows(values_only=True), start=1)
        cells = [(number, list(row)) for number, row in rows if any(cell not in (None, "") for cell in row)]
    finally:
        book.close()
    return _table(cells, source, "", log)


def _known_words(layer: str, source: LayerSource) -> set[str]:
    schema = layer_schema(layer)
    words = {normalise_word(word) for spec in schema.fields.values() for word in (spec.name, spec.zh, *spec.accepts)}
    words |= {normalise_word(word.split("(")[0].split("（")[0]) for word in source.columns.values()}
    return words | {normalise_word(word) for words in coordinate_words().values() for word in words}


def _header_row(cells: Sequence[tuple[int, list[Any]]], known: set[str]) -> int:
    """Position of the row that looks most like a header (titles may stand above it)."""

    def score(record: list[Any]) -> int:
        return sum(normalise_word(str(cell).split("(")[0].split("（")[0]) in known for cell in record if cell)

    return max(range(min(len(cells), _HEADER_SEARCH_ROWS)), key=lambda place: (score(cells[place][1]), -place))


def _table(cells: list[tuple[int, list[Any]]], source: LayerSource, encoding: str, log: FileLog) -> RawTable | None:
    if not cells:
        log.problem("没有任何内容", "核对文件")
        return None
    place = _header_row(cells, _known_words(log.layer, source))
    if place:
        log.line("", "", cells[place][0], "note", f"表头在第 {cells[place][0]} 行，其上的标题行未读", "无需处理")
    header = _unique_names(cells[place][1], log)
    body, rows = [], []
    for number, record in cells[place + 1:]:
        if len(record) > len(header) and any(cell not in (None, "") for cell in record[len(header):]):
            log.line(str(number), "", record[len(header)], "note", "单元格比表头多，多出的未读", "核对是否有未加引号的分隔符")
        body.append((record + [None] * len(header))[:len(header)])
        rows.append(str(number))
    frame = pd.DataFrame(body, columns=pd.Index(header, dtype=object), dtype=object)
    labels = np.array(rows, dtype=object)
    if source.where:
        keep = select_rows(frame, source.where, log)
        if keep is None:
            return None
        frame, labels = frame.iloc[keep].reset_index(drop=True), labels[keep]
    return RawTable(frame, labels, None, None, encoding)


def _unique_names(record: Iterable[Any], log: FileLog) -> list[str]:
    names: list[str] = []
    for number, cell in enumerate(record, start=1):
        name = " ".join(str(cell).split()) if cell not in (None, "") else f"第{number}列"
        if name in names:
            log.line("", name, f"第{number}列", "note", "列名重复，采用前一列", "改名或删除重复列")
            name = f"{name}#{number}"
        names.append(name)
    return names
