"""The workbook ``indicators.xlsx``: indicators with their rules, villages, zones, targets, gaps and complaints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from siteplan.export._annex import HEAD as ANNEX_HEAD
from siteplan.export._annex import SHEET as ANNEX_SHEET
from siteplan.export._annex import WIDTHS, annex_notes, annex_rows, rule_notes
from siteplan.export._networks import HEAD, SHEET, network_notes, network_rows
from siteplan.export._results import (
    result_marks,
    result_rows,
    result_sheets,
    shown_sheet,
    tell,
    verdict_marks,
    widths_of,
)
from siteplan.export._workbook import add_sheet, open_book
from siteplan.gaps import VERDICT_ZH, complaints_without_gap
from siteplan.gaps.progress.ranking import ranking_of
from siteplan.plan import Plan
from siteplan.selection import objective_zh, proof_sentence
from siteplan.selection.explain import DEMAND_UNIT
from siteplan.selection.money import knee_sentence
from siteplan.selection.stability import stability_sentence

ZONE_SHEET = "重点区域"
ZONE_HEAD = ["编号", "名称", "类型", "县区", "镇街", "规则", "面积(公顷)", "需求", "现状面积覆盖率(%)", "规划后面积覆盖率(%)", "现状需求覆盖率(%)",
             "规划后需求覆盖率(%)", "现状室内覆盖率(%)", "规划后室内覆盖率(%)", "现状达标概率(%)", "规划后达标概率(%)", "现状结论", "规划后结论",
             "现状说明", "规划后说明"]
WIDE = 16
"""Sheets of more columns are printed two pages wide."""
CHOICE_SHEETS = ("choice_reasons", "limits", "money_curve", "stability")
"""Sheets with sentences on the choice over them."""
SHARES = ("area_share", "demand_share", "indoor_share", "pass_probability")


def zone_rows(table: gpd.GeoDataFrame) -> list[list[Any]]:
    """Key zones under `ZONE_HEAD`; shares in percent, rounded down to a tenth."""
    rows = []
    for code, row in table.iterrows():
        kind = " ".join(str(row[name]) for name in ("zone_type", "grade") if isinstance(row.get(name), str))
        shares = [tell(row.get(f"{share}_{state}"), "share") for share in SHARES for state in ("before", "after")]
        rows.append([code, row["name"], kind, row.get("county", ""), row.get("town", ""), row["rule"],
                     round(row["area_m2"] / 1e4, 1), round(row["demand"], 0), *shares,
                     VERDICT_ZH[row["verdict_before"]], VERDICT_ZH[row["verdict_after"]], row["reason_before"],
                     row["reason_after"]])
    return rows


def result_tables(plan: Plan) -> Mapping[str, pd.DataFrame]:
    """Tables of the plan by the key of their sheet; those that it lacks are left out."""
    found = {**plan.results, "gaps_after": plan.gaps_after, "gaps_before": plan.gaps_before}
    told = plan.results.get("complaints")
    if told is not None:
        found["no_gap"] = complaints_without_gap(gpd.GeoDataFrame(told))
    if "lines" in found:
        found["lines"] = found["lines"][found["lines"]["length_m"] > 0]
    return {key: found[key] for key in result_sheets() if key in found and len(found[key])}


def write_indicators(plan: Plan, path: Path) -> None:
    """Write the workbook; sheets whose table the plan lacks are left out, text is never taken for a formula."""
    notices = list(plan.study["notices"])
    with open_book(path) as book:
        tables = result_tables(plan)
        if "comparison" in tables:
            _add_result(book, plan, "comparison", tables["comparison"])
        if len(plan.villages):
            rows, marks = annex_rows(plan.villages, plan.results.get("village_facts"))
            add_sheet(book, ANNEX_SHEET, ANNEX_HEAD, rows, [*annex_notes(plan), *notices], WIDTHS, marks, pages=2)
        if len(plan.zones):
            unit = f"需求单位:{plan.study['demand_zh']};覆盖率为预测的覆盖概率均值,向下取到0.1"
            marks = verdict_marks({ZONE_HEAD.index("现状结论"): plan.zones["verdict_before"],
                                   ZONE_HEAD.index("规划后结论"): plan.zones["verdict_after"]})
            add_sheet(book, ZONE_SHEET, ZONE_HEAD, zone_rows(plan.zones),
                      [f"附表2 {plan.study['name']} 重点区域5G网络覆盖情况表", *rule_notes(plan, plan.zones["rule"]), unit,
                       *notices], {1: 18, 2: 14, 5: 18, 18: 36, 19: 36}, marks, pages=2)
        add_sheet(book, SHEET, HEAD, network_rows(plan.indicators),
                  [f"{plan.study['name']} {SHEET}", *network_notes(plan), *notices],
                  {0: 24.0, **dict.fromkeys(range(2, len(HEAD)), 16.0)})
        for key, table in tables.items():
            if key != "comparison":
                _add_result(book, plan, key, table)


def _add_result(book: Any, plan: Plan, key: str, table: pd.DataFrame) -> None:
    """One table of results as a sheet."""
    sheet = shown_sheet(table, result_sheets()[key])
    notes = [f"{plan.study['name']} {sheet.title}", *_choice_notes(plan, key),
             *(_with_values(plan, note) for note in sheet.notes),
             *(_weight_notes(plan) if key in ("counties", "towns") else ()), *plan.study["notices"]]
    if len(table) > sheet.most:
        notes.append(f"只列前 {sheet.most} 行,共 {len(table)} 行,全部见 gaps.gpkg")
    shown = _with_degrees(table.head(sheet.most))
    add_sheet(book, sheet.sheet, [item.zh for item in sheet.fields], result_rows(shown, sheet), notes, widths_of(sheet),
              result_marks(shown, sheet), pages=2 if len(sheet.fields) > WIDE else 1)


def _choice_notes(plan: Plan, key: str) -> list[str]:
    """Over the sheets of the choice: what it aims at, how good it is, and the sentence of the sheet itself."""
    if key not in CHOICE_SHEETS:
        return []
    chosen = plan.selection
    if key == "money_curve":
        return [] if chosen.money is None else [knee_sentence(chosen.money, DEMAND_UNIT[plan.demand_kind]),
                                                _plan_beside(plan)]
    if key == "stability":
        return [] if chosen.stability is None else [stability_sentence(chosen.stability)]
    unit = [f"需求单位:{plan.study['demand_zh']}"] if key == "choice_reasons" else []
    return [f"目标:{objective_zh(chosen)}", proof_sentence(chosen), *unit]


def _plan_beside(plan: Plan) -> str:
    """What the plan itself costs and serves, to be read beside the curve."""
    served = float(plan.proposed["gain_demand"].sum())
    return (f"本方案:{len(plan.proposed)}处、{plan.selection.cost_yuan / 1e4:,.0f}万元,服务{served:,.0f}"
            f"{DEMAND_UNIT[plan.demand_kind]},加权{plan.selection.covered:,.0f}")


def _with_values(plan: Plan, note: str) -> str:
    """A note with the values of the settings ``{gaps.KEY}`` that it names."""
    gaps = plan.parameters.get("gaps") or {}
    return re.sub(r"\{gaps\.(\w+)\}", lambda found: f"{gaps.get(found[1], '')}", note)


def _weight_notes(plan: Plan) -> list[str]:
    """Weights and bounds of the ranking, as published, and what a missing indicator does."""
    gaps = plan.parameters.get("gaps") or {}
    ranking = ranking_of(str(gaps.get("ranking", "coverage")), plan.parameters.get("rankings") or {})
    told = "、".join(f"{item.zh} {100 * item.weight:g}%({item.worst:g} 得零分,{item.best:g} 得满分)"
                    for item in ranking.indicators)
    rest = ("缺任一指标的不评分" if ranking.missing == "not_assessable" else
            f"缺少的指标权重按比例分给其余指标,已知权重不足 {100 * ranking.least_weight:g}% 的不评分")
    return [f"{ranking.zh}:{told}(来源:{ranking.source})", rest]


def _with_degrees(table: pd.DataFrame) -> pd.DataFrame:
    """A table with places: longitude and latitude (CGCS2000) of a point inside each."""
    if not isinstance(table, gpd.GeoDataFrame) or table.crs is None or table.empty:
        return table
    points = table.geometry.representative_point().to_crs("EPSG:4490")
    return table.assign(lon=points.x.round(6), lat=points.y.round(6))
