"""Rows of the panel from the further tables of a plan: targets, lines, rules side by side, ranking, complaints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from siteplan.maps._gap_layers import complaint_layer
from siteplan.maps._shapes import Json
from siteplan.maps._texts import as_day, as_number, as_text, is_missing, plan_results, rule_name, rule_words

if TYPE_CHECKING:
    from siteplan.plan import Plan

LEVELS = {"counties": "县区", "towns": "镇街"}
MOST_ROWS = 60
"""Rows of one ranking on the page."""


def result_rows(plan: Plan) -> list[Json]:
    """Rows of the indicator table: targets reached, and lines that pass; those without a table are left out."""
    results, rules, rows = plan_results(plan), rule_words(plan), []
    targets, lines = results.get("targets"), results.get("lines")
    if targets is not None and len(targets):
        reached = {state: (targets[f"status_{state}"] == "已达成").sum() for state in ("before", "after")}
        rows.append({"label": "目标达成", **{state: f"{int(n)}/{len(targets)}" for state, n in reached.items()},
                     "note": "每项目标的规则和差额见“目标与排名”"})
    if lines is not None:
        lines = lines[lines["length_m"] > 0]  # a layer that is not there has a row, and is no line
    if lines is not None and len(lines):
        names = ";".join(rule_name(rule, rules) for rule in sorted(set(lines["rule"].astype(str))))
        rows.append({"label": "线路达标", "before": _passed(lines["verdict_before"]), "after": _passed(lines["verdict"]),
                     "note": f"规则:{names}{_unknown_lines(lines)}{_stretches(results.get('stretches'))}"})
    return rows


def result_groups(plan: Plan) -> list[Json]:
    """Tables of the panel that open and close: targets, rules side by side, ranking of counties and towns, complaints.

    Parameters
    ----------
    plan : Plan
        What its results do not have is left out.

    Returns
    -------
    list of dict
        ``label`` (heading), ``note`` (what the numbers are), ``columns`` (three headings), ``open`` at the start or
        not, and ``rows``: ``label, before, after, note``.
    """
    results = plan_results(plan)
    makers = {"targets": _targets, "rules": _rules, "counties": _ranking, "towns": _ranking, "complaints": _complaints}
    found = [(name, make, results.get(name)) for name, make in makers.items()]
    return [make(plan, table, name) for name, make, table in found if table is not None and len(table)]


def _targets(plan: Plan, table: pd.DataFrame, _: str) -> Json:
    """Each target with the number wanted, what is reached and still needed, and its rule."""
    rules, rows = rule_words(plan), []
    for row in table.to_dict("records"):
        place = " ".join(filter(None, (as_text(row.get("county")), as_text(row.get("town")))))
        rule = rule_name(row.get("rule"), rules)
        total = f"(共 {_count(row.get('total'))})" if as_text(row.get("unit")) == "%" else ""
        notes = [f"应达到 {as_number(row.get('wanted'))}{total}" if not is_missing(row.get("wanted")) else "",
                 f"期限 {as_day(row.get('by'))}" if as_day(row.get("by")) else "",
                 f"规划后无法判定 {as_number(open_)}" if (open_ := _count(row.get("not_assessable_after"))) else "",
                 f"规则:{rule}" if rule else ""]
        rows.append({"label": as_text(row.get("zh")) + (f"({place})" if place else ""),
                     **{state: _reached(row, state) for state in ("before", "after")},
                     "note": ";".join(filter(None, notes))})
    return {"label": "规划目标", "note": "无法判定的不计入已达到;比率目标的应达到数 = 比率 × 总数,向上取整", "columns": ["", "现状", "规划后"],
            "open": True, "rows": rows}


def _reached(row: Mapping[str, Any], state: str) -> str:
    """``22,还差 4`` or ``33 ✓``; unknown where the target could not be counted."""
    reached, needed = row.get(f"reached_{state}"), row.get(f"needed_{state}")
    if is_missing(reached) or as_text(row.get(f"status_{state}")) not in ("已达成", "未达成"):
        return "无法判定"
    if as_text(row[f"status_{state}"]) == "已达成":
        return f"{as_number(reached)} ✓"
    return f"{as_number(reached)},还差 {as_number(needed)}"


def _rules(_: Plan, table: pd.DataFrame, __: str) -> Json:
    """The same villages under several rules."""
    rows = []
    for key, row in zip(table.index, table.to_dict("records"), strict=True):
        unknown = _count(row.get("not_assessable_after"))
        own = row.get("own")
        notes = ["本次采用" if not is_missing(own) and bool(own) else "", f"规划后 {unknown} 个无法判定" if unknown else ""]
        rows.append({"label": as_text(row.get("rule_zh")) or str(key),
                     **{state: f"{_count(row.get(f'passed_{state}'))}/{_count(row.get('total'))}"
                        for state in ("before", "after")}, "note": ";".join(filter(None, notes))})
    return {"label": "同一批行政村按不同规则", "note": "达标数/总数;规则不同,不可相比", "columns": ["", "现状", "规划后"], "open": False,
            "rows": rows}


def _ranking(_: Plan, table: pd.DataFrame, level: str) -> Json:
    """Score and rank of counties or towns, best as planned first, those without score last."""
    order = table.sort_values("score_after", ascending=False, kind="stable", na_position="last")
    rows = []
    for key, row in zip(order.index[:MOST_ROWS], order.head(MOST_ROWS).to_dict("records"), strict=True):
        missing = [as_text(row.get(f"missing_{state}")) for state in ("before", "after")]
        rows.append({"label": str(key), **{state: _score(row, state) for state in ("before", "after")},
                     "note": f"缺:{missing[1] or missing[0]}" if any(missing) else ""})
    names = [as_text(name) for name in dict.fromkeys(table["ranking"])] if "ranking" in table else []
    more = f";列出前 {MOST_ROWS} 个,共 {len(table)} 个" if len(table) > MOST_ROWS else ""
    return {"label": f"{LEVELS[level]}排名", "columns": ["", "现状", "规划后"], "open": level == "counties", "rows": rows,
            "note": f"规则:{'、'.join(filter(None, names)) or '评分'},满分100分,括号内为名次;缺指标的不评分{more}"}


def _score(row: Mapping[str, Any], state: str) -> str:
    """``54.92 (2)``; a score that is not known is none."""
    score, rank = row.get(f"score_{state}"), row.get(f"rank_no_{state}")
    if is_missing(score):
        return "无法判定"
    return as_number(score, digits=2) + ("" if is_missing(rank) else f" ({as_number(rank)})")


def _complaints(_: Plan, table: Any, __: str) -> Json:
    """What was found of the complaints that count, under present coverage."""
    layer = complaint_layer(table)
    rows = [{"label": words, "before": as_number(number), "after": f"{100 * number / layer['total']:.0f}%", "note": ""}
            for _code, words, number in layer["findings"]]
    left = len(table) - layer["total"]
    more = f";另有 {left} 件重复或在范围外,不计" if left else ""
    return {"label": "投诉与模型对照", "note": f"计入 {layer['total']} 件,与现状覆盖预测对照{more}", "columns": ["", "件数", "占比"],
            "open": False, "rows": rows}


def _passed(verdicts: pd.Series) -> str:
    return f"{int((verdicts == 'pass').sum())}/{len(verdicts)}"


def _unknown_lines(lines: pd.DataFrame) -> str:
    unknown = int((~lines["verdict"].isin(["pass", "fail"])).sum())
    return f";{unknown} 段无法判定,不计入达标" if unknown else ""


def _stretches(stretches: pd.DataFrame | None) -> str:
    if stretches is None or stretches.empty:
        return ""
    length = float(np.nansum(stretches["length_m"])) / 1e3
    return f";规划后仍有 {len(stretches)} 处未覆盖路段,共 {length:,.1f} km"


def _count(value: Any) -> int:
    return 0 if is_missing(value) else int(float(value))
