"""The input ledger and the verdicts as sheets and as CSV, alone (a check of the layers) or with a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from siteplan.export._staging import write_files
from siteplan.export._workbook import add_sheet, open_book, write_csv
from siteplan.input_ledger import ACTION_ZH, InputLedger
from siteplan.schema import field_zh, layer_zh

LEDGER_HEAD = ["图层", "文件", "行/要素", "字段", "原值", "处理", "原因", "如何改正"]
FILE_HEAD = ["图层", "文件", "编码", "坐标系", "基准", "读入行", "拆分增加行", "保留行", "拒收行", "结论", "说明", "字节", "SHA-256"]
LAYER_HEAD = ["图层", "结论", "说明"]
MOST_SHEET_ROWS = 200_000
"""Lines of the ledger in a workbook; a sheet ends at 1,048,576 rows, and a planner long before."""
_LEDGER_WIDTHS = {6: 44.0, 7: 44.0}
_FILE_WIDTHS = {10: 36.0, 12: 30.0}


def ledger_rows(ledger: InputLedger) -> list[list[Any]]:
    """Lines of the ledger under `LEDGER_HEAD`."""
    return [[layer_zh(line.layer), line.file, line.row, field_zh(line.layer, line.field), line.value,
             ACTION_ZH[line.action], line.reason, line.remedy] for line in ledger]


def _sheet_rows(ledger: InputLedger) -> list[list[Any]]:
    """As many lines as a sheet holds; the last row says how many more there are."""
    rows = ledger_rows(ledger)
    if len(rows) <= MOST_SHEET_ROWS:
        return rows
    more = [""] * 6 + [f"另有 {len(rows) - MOST_SHEET_ROWS} 行，工作表放不下", "见 ledger.csv"]
    return [*rows[:MOST_SHEET_ROWS], more]


def file_rows(files: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
    """Facts of the input files, each with its verdict, under `FILE_HEAD`."""
    return [[layer_zh(file["layer"]), file["file"], file["encoding"] or "", file["crs"] or "", file["datum"] or "",
             file["rows_in"], file["rows_made"], file["rows_kept"], file["rows_refused"], file["verdict"], file["why"],
             file["bytes"], file["sha256"]] for file in files]


def add_ledger_sheets(book: Any, ledger: InputLedger, files: Iterable[Mapping[str, Any]], notes: Sequence[str]) -> None:
    """The sheets 数据问题清单 and 输入文件."""
    add_sheet(book, "数据问题清单", LEDGER_HEAD, _sheet_rows(ledger), notes, _LEDGER_WIDTHS)
    add_sheet(book, "输入文件", FILE_HEAD, file_rows(files), notes, _FILE_WIDTHS)


def write_ledger_csv(ledger: InputLedger, path: Path) -> None:
    """The ledger as ``ledger.csv``."""
    write_csv(pd.DataFrame(ledger_rows(ledger), columns=LEDGER_HEAD), path)


def write_check(out: Path, name: str, ledger: InputLedger, files: Sequence[Mapping[str, Any]],
                layers: Sequence[Sequence[str]]) -> dict[str, Path]:
    """Write what a check of the layers found: ``ledger.csv`` and ``ledger.xlsx`` (verdicts, lines, files).

    Parameters
    ----------
    out : Path
        Folder; made when absent.
    name : str
        Name of the study, heading of every sheet.
    ledger : InputLedger
    files : sequence of mapping
        Facts of `InputFile` with ``verdict`` and ``why``.
    layers : sequence of (layer, verdict, why)

    Returns
    -------
    dict
        File name -> path.

    Raises
    ------
    ExportError
        The folder cannot be written to.
    """
    notes = [f"{name} 图层检查"]

    def write_book(path: Path) -> None:
        with open_book(path) as book:
            add_sheet(book, "图层结论", LAYER_HEAD, [[layer_zh(name), *rest] for name, *rest in layers], notes, {2: 60.0})
            add_ledger_sheets(book, ledger, files, notes)

    return write_files(out, [("ledger.csv", lambda path: write_ledger_csv(ledger, path)), ("ledger.xlsx", write_book)])
