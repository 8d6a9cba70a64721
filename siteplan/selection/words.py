"""How good a choice is, in the words that planners read."""

from __future__ import annotations

import math
from collections.abc import Mapping

from siteplan.selection.choose import Selection
from siteplan.selection.methods.solve import CLOSED

PLAN_STATUS_ZH: Mapping[str, str] = {
    "optimal": "已证明最优", "feasible": "可行,与最优的距离不超过间隙", "infeasible": "无解", "unknown": "未知"}
STOPS_ZH: Mapping[str, str] = {
    "max_sites": "已达站址数上限", "budget": "已达预算上限", "quota": "受数量限制", "no_gain": "再建无新增覆盖",
    "min_gain": "其余候选新增需求太少", "too_dear": "其余候选造价过高", "spacing": "受站间距限制"}


def objective_zh(selection: Selection) -> str:
    """What the choice aims at."""
    params = selection.task.params
    if params.objective == "least_cost":
        return f"服务空洞内加权需求的{params.required_share or 0:.1%},投资最少"
    if params.preference_mode == "lexicographic":
        gap = gap_text(float(selection.answer.facts.get("first_gap", float("inf"))))
        return (f"服务需求不低于首轮方案(离最优不超过{gap})的{1 - params.lexicographic_slack:.1%},非公共站址最少,"
                "再求投资最少")
    price = {"factor": "(除以场所优先系数)", "cost": "和各级站址的代价"}.get(params.preference_mode, "")
    backup = f",第二服务站按{params.backup_share:.0%}计" if params.backup_share else ""
    return f"服务的加权需求减去各站的建站门槛{price}{backup},最大"


def gap_text(gap: float) -> str:
    """A gap as planners read it, never rounded down to 0.

    >>> gap_text(0.0), gap_text(2e-5), gap_text(0.0123), gap_text(float("inf"))
    ('0%', '<0.01%', '1.23%', '—')
    """
    if not math.isfinite(gap):
        return "—"
    return "0%" if gap <= CLOSED else "<0.01%" if gap < 1e-4 else f"{gap:.2%}"


def _private_words(selection: Selection) -> str:
    """Number of private sites and cost of a lexicographic plan, and what no plan can do with."""
    task = selection.task
    each = float(task.cost.sum()) + 1.0
    private = int((~task.public[selection.chosen]).sum())
    fewest = max(math.floor(-selection.upper_bound / each), 0) if math.isfinite(selection.upper_bound) else 0
    return (f"非公共站址 {private} 处(同样限制下任何方案不少于 {min(fewest, private)} 处),"
            f"投资 {selection.cost_yuan / 1e4:,.0f} 万元")


def proof_sentence(selection: Selection) -> str:
    """What is served, what no plan within the same limits exceeds, and how far the plan can be from it."""
    total = float(selection.weight.sum())
    share = f"(占空洞{selection.covered / total:.1%})" if total > 0 else ""
    gap = gap_text(selection.optimality_gap)
    if selection.task.params.preference_mode == "lexicographic" and "first_gap" in selection.answer.facts:
        return f"已服务加权需求 {selection.covered:.0f}{share};{_private_words(selection)}({PLAN_STATUS_ZH[selection.status]})"
    least = selection.task.params.objective == "least_cost"
    sizes = (-selection.value, -selection.upper_bound) if least else (selection.value, selection.upper_bound)
    what = "投资(元)" if least else "目标值"
    beyond = "不少于" if least else "不超过"
    return (f"已服务加权需求 {selection.covered:.0f}{share};{what} {sizes[0]:.0f},同样限制下任何方案都{beyond} {sizes[1]:.0f}"
            f"(最优性间隙 {gap},{PLAN_STATUS_ZH[selection.status]})")
