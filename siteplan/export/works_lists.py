"""What is asked of the owners of works, and of building projects and operators, as lists that are handed out."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from siteplan.errors import ExportError
from siteplan.export._workbook import add_sheet, open_book, write_csv

OWNER_ZH: Mapping[str, str] = {
    "works_owner": "业主单位", "work_id": "储备库编号", "work_no": "工程编号", "work_name": "工程名称", "kind_zh": "工程类型",
    "window": "施工窗口", "file_by": "最迟提出日期", "sites": "站址数", "site_names": "站址", "links": "光缆段数",
    "shared_m": "共沟长度(米)", "years": "实施年度", "saving_yuan": "估算节省(元)", "asked": "请予配合"}
"""Columns of a list of an owner of works, and their headings."""
DEMAND_ZH: Mapping[str, str] = {
    "work_id": "储备库编号", "work_no": "项目编号", "project": "建设项目", "works_owner": "业主单位", "kind_zh": "类型",
    "window": "施工窗口", "file_by": "最迟提出日期", "use": "用途", "floor_area_m2": "建筑面积(平方米)", "duty_zh": "室内覆盖配建",
    "clause": "条文", "filing": "验收备案", "sites": "规划站址数", "site_names": "规划站址", "operators": "运营商",
    "existing_sites": "已开通站址数", "fibre_m": "光缆长度(米)", "power_kw": "用电(千瓦,估算)", "gap_ids": "附近覆盖缺口",
    "to_operators": "告知运营商", "to_project": "告知建设项目"}
"""Columns of the demand list, and their headings."""
SAVING_NOTE = "节省为按默认单价的估算(默认值,未经核实,可在 joint_works 表中改),不是预算。"
_BAD_LETTERS = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_MOST_LETTERS = 31
_SUMMARY = "汇总"
_WIDTHS = {"asked": 48.0, "to_operators": 48.0, "to_project": 48.0, "site_names": 32.0}


def write_owner_lists(owners: pd.DataFrame, path: Path, city: str, as_of: dt.date) -> Path:
    """The list of every owner of works: a workbook with a sheet each, or one CSV.

    Parameters
    ----------
    owners : DataFrame
        Of :func:`siteplan.register.works.owner_table`.
    path : Path
        ``.xlsx`` or ``.csv``; its folder is made.
    city : str
    as_of : date
        The day that the list holds for.

    Returns
    -------
    Path

    Raises
    ------
    ExportError
        Another ending, or it cannot be written.
    """
    title = f"{city}同步实施清单(按业主单位)"
    notes = [f"截至 {as_of}(含当日)。最迟提出日期当天仍可提出;空着的为施工时间未提供。", SAVING_NOTE]
    parts = {str(owner): rows for owner, rows in owners.groupby("works_owner", sort=False)}
    return _write(path, OWNER_ZH, title, notes, {_SUMMARY: owners, **parts})


def write_demand_list(demand: pd.DataFrame, path: Path, city: str, as_of: dt.date) -> Path:
    """The demand list of building projects, for the projects and for the operators; parameters as `write_owner_lists`.

    Parameters
    ----------
    demand : DataFrame
        Of :func:`siteplan.register.works.demand_list`.
    path : Path
    city : str
    as_of : date
    """
    notes = [f"截至 {as_of}(含当日)。每个在建、拟建的建设项目一行;室内覆盖配建按 GB 51456-2023 判定。",
             "用电为估算(默认值,未经核实)。"]
    return _write(path, DEMAND_ZH, f"{city}建设项目通信需求清单", notes, {"建设项目": demand.reset_index()})


def _write(path: Path, heads: Mapping[str, str], title: str, notes: list[str], sheets: Mapping[str, pd.DataFrame],
           ) -> Path:
    if path.suffix.lower() not in (".xlsx", ".csv"):
        raise ExportError(f"{path.name} 不能写出:文件名以 .xlsx 或 .csv 结尾")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = next(iter(sheets.values()))
        if path.suffix.lower() == ".csv":
            rows = _cells(whole, heads)
            write_csv(pd.DataFrame(rows, columns=list(heads.values()), dtype=object), path)
            return path
    except OSError as error:
        raise ExportError(f"{path} 不能写出:{error.strerror or error}") from error
    widths = {place: _WIDTHS[name] for place, name in enumerate(heads) if name in _WIDTHS}
    with open_book(path, title) as book:
        for name, (sheet, rows) in zip(sheet_names(sheets), sheets.items(), strict=True):
            own = title if sheet == _SUMMARY or len(sheets) == 1 else f"{title}:{sheet}"
            add_sheet(book, name, list(heads.values()), _cells(rows, heads), [own, *notes], widths)
    return path


def _cells(rows: pd.DataFrame, heads: Mapping[str, str]) -> list[list[Any]]:
    """Rows as cells: days as they are read, nothing for what is not known."""
    out = []
    for row in rows[list(heads)].to_dict("records"):
        out.append(["" if value is None or value is pd.NaT or value != value
                    else f"{value:%Y-%m-%d}" if isinstance(value, dt.date) else value for value in row.values()])
    return out


def sheet_names(names: Iterable[str]) -> list[str]:
    """Names of sheets that a workbook takes, each once.

    >>> sheet_names(["甲/乙公司", "甲:乙公司", ""])
    ['甲 乙公司', '甲 乙公司 2', '未命名']
    """
    out, seen = list[str](), set[str]()
    for name in names:
        base = _BAD_LETTERS.sub(" ", name).strip().strip("'")[:_MOST_LETTERS] or "未命名"
        found, number = base, 1
        while found.casefold() in seen:
            number += 1
            found = f"{base[:_MOST_LETTERS - 1 - len(str(number))]} {number}"
        seen.add(found.casefold())
        out.append(found)
    return out
