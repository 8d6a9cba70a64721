"""Rows of the panel from the further tables of a plan: targets, lines, rules side by side, ranking, complaints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from siteplan.maps._gap_layers import complaint_layer
from siteplan.maps._shapes import Json
from siteplan.maps._texts import as_day, as_number, as_text, is_missing, plan_results, rule_name, rule_words
from siteplan.maps._words import CHINESE, Say

if TYPE_CHECKING:
    from siteplan.plan import Plan

LEVELS = {"counties": "县区排名", "towns": "镇街排名"}
MOST_ROWS = 60
"""Rows of one ranking on the page."""


def result_rows(plan: Plan, say: Say = CHINESE) -> list[Json]:
    """Rows of the indicator table: targets reached, and lines that pass; those without a table are left out."""
    results, rules, rows = plan_results(plan), rule_words(plan), []
    targets, lines = results.get("targets"), results.get("lines")
    if targets is not None and len(targets):
        reached = {state: (targets[f"status_{state}"] == "已达成").sum() for state in ("before", "after")}
        rows.append({"label": say("目标达成"), **{state: f"{int(n)}/{len(targets)}" for state, n in reached.items()},
                     "note": say("每项目标的规则和差额见“目标与排名”")})
    if lines is not None:
        lines = lines[lines["length_m"] > 0]  # a layer that is not there has a row, and is no line
    if lines is not None and len(lines):
        names = say(";").join(rule_name(rule, rules) for rule in sorted(set(lines["rule"].astype(str))))
        rows.append({"label": say("线路达标"),
                     "before": _passed(lines["verdict_before"]), "after": _passed(lines["verdict"]),
                     "note": say("规则:{rules}", rules=names) + _unknown_lines(lines, say)
                     + _stretches(results.get("stretches"), say)})
    return rows


def result_groups(plan: Plan, say: Say = CHINESE) -> list[Json]:
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
    return [make(plan, table, name, say) for name, make, table in found if table is not None and len(table)]


def _targets(plan: Plan, table: pd.DataFrame, _: str, say: Say) -> Json:
    """Each target with the number wanted, what is reached and still needed, and its rule."""
    rules, rows = rule_words(plan), []
    for row in table.to_dict("records"):
        place = " ".join(filter(None, (as_text(row.get("county")), as_text(row.get("town")))))
        rule = rule_name(row.get("rule"), rules)
        total = say("(共 {total})", total=_count(row.get("total"))) if as_text(row.get("unit")) == "%" else ""
        open_ = _count(row.get("not_assessable_after"))
        notes = [say("应达到 {wanted}", wanted=as_number(row.get("wanted"))) + total
                 if not is_missing(row.get("wanted")) else "",
                 say("期限 {day}", day=as_day(row.get("by"))) if as_day(row.get("by")) else "",
                 say("规划后无法判定 {number}", number=as_number(open_)) if open_ else "",
                 say("规则:{rules}", rules=rule) if rule else ""]
        rows.append({"label": as_text(row.get("zh")) + (f"({place})" if place else ""),
                     **{state: _reached(row, state, say) for state in ("before", "after")},
                     "note": say(";").join(filter(None, notes))})
    return {"label": say("规划目标"), "note": say("无法判定的不计入已达到;比率目标的应达到数 = 比率 × 总数,向上取整"),
            "columns": say.words("", "现状", "规划后"), "open": True, "rows": rows}


def _reached(row: Mapping[str, Any], state: str, say: Say) -> str:
    """``22,还差 4`` or ``33 ✓``; unknown where the target could not be counted."""
    reached, needed = row.get(f"reached_{state}"), row.get(f"needed_{state}")
    if is_missing(reached) or as_text(row.get(f"status_{state}")) not in ("已达成", "未达成"):
        return say("无法判定")
    if as_text(row[f"status_{state}"]) == "已达成":
        return f"{as_number(reached)} ✓"
    return say("{reached},还差 {needed}", reached=as_number(reached), needed=as_number(needed))


def _rules(_: Plan, table: pd.DataFrame, __: str, say: Say) -> Json:
    """The same villages under several rules."""
    rows = []
    for key, row in zip(table.index, table.to_dict("records"), strict=True):
        unknown = _count(row.get("not_assessable_after"))
        own = row.get("own")
        notes = [say("本次采用") if not is_missing(own) and bool(own) else "",
                 say("规划后 {number} 个无法判定", number=unknown) if unknown else ""]
        rows.append({"label": as_text(row.get("rule_zh")) or str(key),
                     **{state: f"{_count(row.get(f'passed_{state}'))}/{_count(row.get('total'))}"
                        for state in ("before", "after")}, "note": say(";").join(filter(None, notes))})
    return {"label": say("同一批行政村按不同规则"), "note": say("达标数/总数;规则不同,不可相比"),
            "columns": say.words("", "现状", "规划后"), "open": False, "rows": rows}


def _ranking(_: Plan, table: pd.DataFrame, level: str, say: Say) -> Json:
    """Score and rank of counties or towns, best as planned first, those without score last."""
    order = table.sort_values("score_after", ascending=False, kind="stable", na_position="last")
    rows = []
    for key, row in zip(order.index[:MOST_ROWS], order.head(MOST_ROWS).to_dict("records"), strict=True):
        missing = [as_text(row.get(f"missing_{state}")) for state in ("before", "after")]
        rows.append({"label": str(key), **{state: _score(row, state, say) for state in ("before", "after")},
                     "note": say("缺:{missing}", missing=missing[1] or missing[0]) if any(missing) else ""})
    names = [as_text(name) for name in dict.fromkeys(table["ranking"])] if "ranking" in table else []
    more = say(";列出前 {shown} 个,共 {total} 个", shown=MOST_ROWS, total=len(table)) if len(table) > MOST_ROWS else ""
    return {"label": say.word(LEVELS[level]), "columns": say.words("", "现状", "规划后"), "open": level == "counties",
            "rows": rows, "note": say("规则:{rules},满分100分,括号内为名次;缺指标的不评分",
                                      rules=say("、").join(filter(None, names)) or say("评分")) + more}


def _score(row: Mapping[str, Any], state: str, say: Say) -> str:
    """``54.92 (2)``; a score that is not known is none."""
    score, rank = row.get(f"score_{state}"), row.get(f"rank_no_{state}")
    if is_missing(score):
        return say("无法判定")
    return as_number(score, digits=2) + ("" if is_missing(rank) else f" ({as_number(rank)})")


def _complaints(_: Plan, table: Any, __: str, say: Say) -> Json:
    """What was found of the complaints that count, under present coverage."""
    layer = complaint_layer(table, say)
    rows = [{"label": words, "before": as_number(number), "after": f"{100 * number / layer['total']:.0f}%", "note": ""}
            for _code, words, number in layer["findings"]]
    left = len(table) - layer["total"]
    more = say(";另有 {left} 件重复或在范围外,不计", left=left) if left else ""
    return {"label": say("投诉与模型对照"), "note": say("计入 {total} 件,与现状覆盖预测对照", total=layer["total"]) + more,
            "columns": say.words("", "件数", "占比"), "open": False, "rows": rows}


def _passed(verdicts: pd.Series) -> str:
    return f"{int((verdicts == 'pass').sum())}/{len(verdicts)}"


def _unknown_lines(lines: pd.DataFrame, say: Say) -> str:
    unknown = int((~lines["verdict"].isin(["pass", "fail"])).sum())
    return say(";{number} 段无法判定,不计入达标", number=unknown) if unknown else ""


def _stretches(stretches: pd.DataFrame | None, say: Say) -> str:
    if stretches is None or stretches.empty:
        return ""
    length = float(np.nansum(stretches["length_m"])) / 1e3
    return say(";规划后仍有 {number} 处未覆盖路段,共 {length} km", number=len(stretches), length=f"{length:,.1f}")


def _count(value: Any) -> int:
    return 0 if is_missing(value) else int(float(value))
