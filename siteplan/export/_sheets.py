"""The workbook ``ledger.xlsx``: venues to open by department, exposure screening, and the input ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from siteplan.export._check import add_ledger_sheets
from siteplan.export._detailed_plan import site_fields
from siteplan.export._exposure import SITE_HEAD, SITE_MARKS, add_exposure_sheets, site_states
from siteplan.export._workbook import WORKBOOK_OPTIONS, add_sheet
from siteplan.plan import Plan
from siteplan.venues import load_venues


def _in_words(row: pd.Series, column: str) -> str:
    """A coded value of the sites table in the words of the detailed-plan fields."""
    words: Mapping[str, str] = site_fields()[column]["values"]
    return words.get(str(row[column]), "")


def _by_department(plan: Plan) -> gpd.GeoDataFrame:
    return plan.proposed.sort_values(["department", "rank_no"], kind="stable")


def venue_rows(plan: Plan) -> list[list[Any]]:
    """Proposed venues, sorted by department and order of choice."""
    proposed = _by_department(plan)
    flags = site_states(plan, proposed.index)["flag"]
    classes = load_venues().classes
    rows = []
    for number, (site_id, row) in enumerate(proposed.iterrows(), start=1):
        zh = classes[row["venue_class"]].zh if row["venue_class"] in classes else row["venue_class"]
        rows.append([number, row["department"] or "(待明确)", row["owner"] or "(待核实)", row["name"], zh,
                     row["tier_name"], *(_in_words(row, column) for column in CODED),
                     row["county"], row["town"], row["lon"],
                     row["lat"], row["antenna_height_m"], row["cost_yuan"], row["gain_demand"], row["rank_no"],
                     row["reason"], flags[site_id], site_id])
    return rows


CODED = ("must_open", "must_be_free", "kind", "mount", "build")
VENUE_HEAD = ["序号", "主管部门", "权属单位", "场所名称", "场所类别", "优先级", "应当开放", "免费开放", "站型", "建设方式", "建设性质",
              "县区", "镇街", "经度", "纬度", "挂高(米)", "投资估算(元)", "新增服务需求", "入选次序", "入选理由", SITE_HEAD, "站址编号"]


def venue_marks(plan: Plan) -> dict[tuple[int, int], str]:
    """Cells of `venue_rows` that the exposure screening colours."""
    column, states = VENUE_HEAD.index(SITE_HEAD), site_states(plan, _by_department(plan).index)["state"]
    return {(row, column): SITE_MARKS[state] for row, state in enumerate(states) if state in SITE_MARKS}


def department_rows(plan: Plan) -> list[list[Any]]:
    """Counts by department: sites, venues that must open free of charge, cost."""
    rows = []
    for department, group in plan.proposed.groupby("department", sort=True):
        rows.append([department or "(待明确)", len(group), int(group["must_open"].sum()),
                     int(group["must_be_free"].sum()), float(group["cost_yuan"].sum()),
                     float(group["gain_demand"].sum())])
    return rows


def write_ledger(plan: Plan, path: Path) -> None:
    """Write the workbook: 开放台账, 部门汇总, 电磁环境筛查, 扇区达标距离, 数据问题清单, 输入文件.

    Text is never taken for a formula or a link.
    """
    import xlsxwriter

    notes = [f"{plan.study['name']} 开放台账与数据问题清单", *plan.study["notices"]]
    book = xlsxwriter.Workbook(str(path), WORKBOOK_OPTIONS)
    add_sheet(book, "开放台账", VENUE_HEAD, venue_rows(plan), notes, {20: 46, 19: 46, 3: 26, 1: 22},
              venue_marks(plan), pages=2)
    add_sheet(book, "部门汇总", ["主管部门", "站址数", "其中应当开放", "其中免费开放", "投资估算(元)", "新增服务需求"],
               department_rows(plan), notes, {})
    if plan.exposure is not None:
        add_exposure_sheets(book, plan)
    add_ledger_sheets(book, plan.ledger, plan.inputs, notes)
    book.close()
