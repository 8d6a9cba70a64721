"""The workbook ``ledger.xlsx``: venues to open by department, and the input ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from siteplan.export._detailed_plan import site_fields
from siteplan.gaps import VERDICT_ZH
from siteplan.input_ledger import ACTION_ZH
from siteplan.plan import Plan, percent_down
from siteplan.venues import load_venues


def _in_words(row: pd.Series, column: str) -> str:
    """A coded value of the sites table in the words of the detailed-plan fields."""
    words: Mapping[str, str] = site_fields()[column]["values"]
    return words.get(str(row[column]), "")


def venue_rows(plan: Plan) -> list[list[Any]]:
    """Proposed venues, sorted by department and order of choice."""
    proposed = plan.proposed.sort_values(["department", "rank_no"], kind="stable")
    classes = load_venues().classes
    rows = []
    for number, (site_id, row) in enumerate(proposed.iterrows(), start=1):
        zh = classes[row["venue_class"]].zh if row["venue_class"] in classes else row["venue_class"]
        rows.append([number, row["department"] or "(待明确)", row["owner"] or "(待核实)", row["name"], zh,
                     row["tier_name"], *(_in_words(row, column) for column in CODED),
                     row["county"], row["town"], row["lon"],
                     row["lat"], row["antenna_height_m"], row["cost_yuan"], row["gain_demand"], row["rank_no"],
                     row["reason"], site_id])
    return rows


AREA_HEAD = ["代码", "名称", "所属/类型", "规则", "面积(公顷)", "需求", "现状面积覆盖率", "规划后面积覆盖率", "现状需求覆盖率",
             "规划后需求覆盖率", "现状结论", "规划后结论", "现状原因", "规划后原因"]


def area_rows(table: gpd.GeoDataFrame) -> list[list[Any]]:
    """Villages or key zones with verdicts in words; shares in percent, rounded down to a tenth."""
    rows = []
    for code, row in table.iterrows():
        group = " ".join(str(row[name]) for name in ("county", "town", "zone_type", "grade")
                         if name in table.columns and isinstance(row[name], str))
        shares = [percent_down(row[f"{kind}_share_{state}"]) if row[f"{kind}_share_{state}"] >= 0
                  else "无数据" for kind in ("area", "demand") for state in ("before", "after")]
        rows.append([code, row["name"], group, row["rule"], round(row["area_m2"] / 1e4, 1), round(row["demand"], 0),
                     *shares, VERDICT_ZH[row["verdict_before"]], VERDICT_ZH[row["verdict_after"]],
                     row["reason_before"], row["reason_after"]])
    return rows


CODED = ("must_open", "must_be_free", "kind", "mount", "build")
VENUE_HEAD = ["序号", "主管部门", "权属单位", "场所名称", "场所类别", "优先级", "应当开放", "免费开放", "站型", "建设方式", "建设性质",
              "县区", "镇街", "经度", "纬度", "挂高(米)", "投资估算(元)", "新增服务需求", "入选次序", "入选理由", "站址编号"]


def department_rows(plan: Plan) -> list[list[Any]]:
    """Counts by department: sites, venues that must open free of charge, cost."""
    rows = []
    for department, group in plan.proposed.groupby("department", sort=True):
        rows.append([department or "(待明确)", len(group), int(group["must_open"].sum()),
                     int(group["must_be_free"].sum()), float(group["cost_yuan"].sum()),
                     float(group["gain_demand"].sum())])
    return rows


NUMBER_FORMATS = {"经度": "0.0000000", "纬度": "0.0000000", "挂高(米)": "0.0", "投资估算(元)": "#,##0", "新增服务需求": "#,##0",
                  "面积(公顷)": "#,##0.0", "需求": "#,##0", "现状面积覆盖率": "0.0", "规划后面积覆盖率": "0.0",
                  "现状需求覆盖率": "0.0", "规划后需求覆盖率": "0.0"}
"""Number format by heading."""


def _add_sheet(book: Any, name: str, head: Sequence[str], rows: Sequence[Sequence[Any]], notes: Sequence[str],
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
    for column, title in enumerate(head):
        longest = max([2 * len(title)] + [_width(row[column]) for row in rows[:500]])
        sheet.set_column(column, column, widths.get(column, min(max(8.0, longest + 2.0), 40.0)))
        sheet.write_string(top, column, title, heading)
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


def write_ledger(plan: Plan, path: Path) -> None:
    """Write the workbook: 开放台账, 部门汇总, 行政村, 重点区域, 数据问题清单, 输入文件.

    Text is never taken for a formula or a link.
    """
    import xlsxwriter

    notes = [f"{plan.study['name']} 开放台账与数据问题清单", *plan.study["notices"]]
    lines = [[line.layer, line.file, line.row, line.field, line.value, ACTION_ZH[line.action], line.reason, line.remedy]
             for line in plan.ledger]
    facts = [[file["layer"], file["file"], file["encoding"] or "", file["crs"] or "", file["datum"] or "",
              file["rows_in"], file["rows_kept"], file["rows_refused"], file["bytes"], file["sha256"]]
             for file in plan.inputs]
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(str(path), options)
    _add_sheet(book, "开放台账", VENUE_HEAD, venue_rows(plan), notes, {19: 46, 3: 26, 1: 22})
    _add_sheet(book, "部门汇总", ["主管部门", "站址数", "其中应当开放", "其中免费开放", "投资估算(元)", "新增服务需求"],
               department_rows(plan), notes, {})
    for name, table in (("行政村", plan.villages), ("重点区域", plan.zones)):
        if len(table):
            unit = f"需求单位:{plan.study['demand_zh']};覆盖率为百分数,按覆盖概率均值,向下取到0.1"
            _add_sheet(book, name, AREA_HEAD, area_rows(table), [*notes, unit], {12: 36, 13: 36})
    _add_sheet(book, "数据问题清单", ["图层", "文件", "行/要素", "字段", "原值", "处理", "原因", "如何改正"], lines, notes,
               {6: 44, 7: 44})
    _add_sheet(book, "输入文件", ["图层", "文件", "编码", "坐标系", "基准", "读入行", "保留行", "拒收行", "字节", "SHA-256"],
               facts, notes, {9: 30})
    book.close()
