"""What the page says beside the map: indicators, numbers of sites, and how good the choice is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.gaps.judging.areas import REST_COVERED
from siteplan.maps._layers import tier_names
from siteplan.maps._result_rows import result_groups, result_rows
from siteplan.maps._shapes import Json
from siteplan.maps._statements import gap_meaning, settings_of
from siteplan.maps._texts import (
    DEMAND_NAMES,
    DEMAND_UNITS,
    KINDS,
    RuleWords,
    as_number,
    as_share,
    as_word,
    plan_results,
    rule_name,
    rule_words,
)
from siteplan.maps._words import CHINESE, Say
from siteplan.selection import STOPS_ZH, gap_text, price_sentences

if TYPE_CHECKING:
    from siteplan.coverage import Coverage
    from siteplan.plan import Plan


def list_indicators(plan: Plan, say: Say = CHINESE) -> list[Json]:
    """Rows of the indicator panel: label, values before and after, and the rule or meaning in small print.

    Parameters
    ----------
    plan : Plan
    say : Say
        In which language.

    Returns
    -------
    list of dict
        ``label, before, after, note``; rates come with the name of their rule. Then the tables that open and close,
        see :func:`~siteplan.maps._result_rows.result_groups`.
    """
    rows: list[Json] = []
    rules = rule_words(plan)
    for label, areas in ((say("行政村达标"), plan.villages), (say("重点区域达标"), plan.zones)):
        if len(areas):
            rows.append({"label": label, "note": _rules_of(areas, rules, say),
                         **{state: _passed(areas, state) for state in ("before", "after")}})
    name, unit = say.word(DEMAND_NAMES.get(plan.demand_kind, "需求")), say.word(DEMAND_UNITS.get(plan.demand_kind, ""))
    before, after = (covered_demand(plan.demand, state) for state in (plan.before, plan.after))
    any_network = say("覆盖概率均值,任一5G网络")
    rows.append({"label": say("{demand}覆盖率", demand=name), **_shares(plan, "demand_share", before[1], after[1], say),
                 "note": any_network + say(";规划后覆盖 {number}", number=as_number(after[0], unit))})
    if all("area_share" in plan.indicators.get(state, {}) for state in ("before", "after")):
        rows.append({"label": say("面积覆盖率"), **_shares(plan, "area_share", None, None, say), "note": any_network})
    rows += _indoor_rows(plan, say)
    counts = say(";{before} 处 → {after} 处", before=len(plan.gaps_before), after=len(plan.gaps_after))
    rows.append({"label": say("覆盖空洞"), "before": _hectares(plan.gaps_before, say),
                 "after": _hectares(plan.gaps_after, say),
                 "note": gap_meaning(plan, say) + counts + _gap_kinds(plan, say)})
    return [*rows, *_free_venue_rows(plan, say), *result_rows(plan, say), *result_groups(plan, say)]


def _free_venue_rows(plan: Plan, say: Say) -> list[Json]:
    """Free public venues among the proposed sites, and what favouring them costs or saves; none without such sites."""
    proposed = plan.proposed
    if "must_be_free" not in proposed or proposed.empty:
        return []
    free = int(proposed["must_be_free"].fillna(False).astype(bool).sum())
    counts = say("、").join(f"{tier['name']} {tier['macro'] + tier['micro']}" for tier in count_sites(plan, say))
    price = getattr(plan.selection, "price", None)
    told = price_sentences(price, DEMAND_UNITS.get(plan.demand_kind, ""))[0].rstrip("。") if price is not None else ""
    after = say("{number} 处", number=f"{free}/{len(proposed)}")
    said = say("规划站址中应当免费开放的;按优先级:{counts}", counts=counts)
    return [{"label": say("免费开放场所"), "before": "", "after": after, "note": say(";").join(filter(None, (said, told)))}]


def _indoor_rows(plan: Plan, say: Say) -> list[Json]:
    """The row of what reaches the inside of buildings; none where it was not predicted."""
    shares = [plan.indicators.get(state, {}).get("indoor_share") for state in ("before", "after")]
    if shares[1] is None:
        return []
    before, after = (say("无数据") if share is None else as_share(share, say) for share in shares)
    threshold = float(plan.after.indoor_threshold_dbm)
    return [{"label": say("室内(建筑内)"), "before": before, "after": after, "note": say(
        "建筑像元内的覆盖概率均值(预测),SS-RSRP ≥ {threshold} dBm,任一5G网络;分运营商见 indicators.xlsx", threshold=f"{threshold:g}")}]


def covered_demand(demand: np.ndarray, coverage: Coverage) -> tuple[float, float]:
    """Demand covered (weighted by probability) and its share of the demand where anything is known.

    Parameters
    ----------
    demand : ndarray
        Per pixel (row, col).
    coverage : Coverage

    Returns
    -------
    covered : float
    share : float
        NaN where there is no demand.
    """
    probability = coverage.any_5g().probability.astype(np.float64)
    known = np.isfinite(probability) & np.isfinite(demand)
    weight = np.where(known, demand, 0.0).astype(np.float64)
    covered, total = float((weight * np.where(known, probability, 0.0)).sum()), float(weight.sum())
    return covered, covered / total if total > 0 else float("nan")


def count_sites(plan: Plan, say: Say = CHINESE) -> list[Json]:
    """Proposed sites by tier and kind: ``{tier, name, macro, micro}``, best tier first."""
    proposed = plan.proposed
    out = []
    for tier, name in tier_names(plan.sites, say).items():
        kinds = proposed.loc[proposed["tier"] == tier, "kind"].value_counts()
        if int(kinds.sum()):
            out.append({"tier": tier, "name": name, "macro": int(kinds.get("macro", 0)),
                        "micro": int(kinds.get("micro", 0))})
    return out


def describe_bound(plan: Plan, say: Say = CHINESE) -> Json:
    """How good the choice is: demand served, what no plan exceeds, limits that hold, and why it stopped."""
    selection = plan.selection
    return {
        "covered": as_number(selection.covered), "proof": _proof(plan, say), "sizes": _sizes(plan, say),
        "limits": _limits(plan, say),
        "sites": len(selection.site_ids), "stopped": as_word(selection.stopped, STOPS_ZH, say),
        "cost": as_number(float(selection.cost_yuan) / 1e4, say("万元"), 1) if selection.cost_yuan else "",
    }


def _goal(plan: Plan) -> str:
    """What the choice aims at: ``least_cost``, ``lexicographic`` or ``coverage``."""
    asked = settings_of(plan, "selection")
    if asked.get("objective") == "least_cost":
        return "least_cost"
    return "lexicographic" if asked.get("preference_mode") == "lexicographic" else "coverage"


def _proof(plan: Plan, say: Say) -> str:
    """How much better any other plan could be, in a sentence."""
    selection = plan.selection
    if selection.status == "optimal":
        return say("已证明没有更好的方案")
    gap = float(selection.optimality_gap)
    if not np.isfinite(gap):
        return say("没有算出上界,离最好的方案多远未知")
    goal = {"least_cost": "投资最多再低", "lexicographic": "非公共站址和投资(折算)最多再低"}.get(_goal(plan), "目标值最多再高")
    return say("任何满足同样限制的方案,{goal} {gap}", goal=say.word(goal), gap=gap_text(gap).replace("<", say("不到 ")))


def _sizes(plan: Plan, say: Say) -> str:
    """Value and bound in small print; none where they are not in units that planners know."""
    selection, goal = plan.selection, _goal(plan)
    if goal == "lexicographic" or not np.isfinite(float(selection.upper_bound)):
        return ""
    value, bound = (as_number(abs(number)) for number in (selection.value, selection.upper_bound))
    if goal == "least_cost":
        return say("投资 {value} 元,同样限制下不会少于 {bound} 元", value=value, bound=bound)
    return say("目标值(加权需求减去各站的建站门槛){value},上界 {bound}:同样限制下任何方案的目标值都不会超过上界", value=value, bound=bound)


def _limits(plan: Plan, say: Say) -> str:
    """``限制 11/11 满足``; empty where no limit was asked for."""
    table = plan_results(plan).get("limits")
    if table is None or table.empty:
        return ""
    return say("限制 {held} 满足", held=f"{int(table['held'].sum())}/{len(table)}")


def describe_kinds(plan: Plan, say: Say = CHINESE) -> str:
    """``宏站 12 处,微站 48 处`` of the proposed sites."""
    kinds = plan.proposed["kind"].astype("object").value_counts()
    parts = [f"{as_word(kind, KINDS, say)} {say('{number} 处', number=int(number))}"
             for kind, number in sorted(kinds.items(), key=str)]
    return say(",").join(parts)


def _shares(plan: Plan, name: str, before: float | None, after: float | None, say: Say) -> dict[str, str]:
    """A share of both states as text: the plan's own indicator where it has one, else the number given."""
    given = {"before": before, "after": after}
    return {state: as_share(plan.indicators.get(state, {}).get(name, given[state]), say) for state in given}


def _passed(areas: gpd.GeoDataFrame, state: str) -> str:
    verdicts = areas[f"verdict_{state}"]
    return f"{int((verdicts == 'pass').sum())}/{len(areas)}"


def _rules_of(areas: gpd.GeoDataFrame, rules: Mapping[str, RuleWords], say: Say) -> str:
    """Names of the rules that judged these areas, and how many could not be judged."""
    names = [rule_name(rule, rules) for rule in sorted(set(areas["rule"].dropna().astype(str)))]
    unknown = areas[areas["verdict_after"] == "not_assessable"]
    reasons = unknown["reason_after"].astype("str") if "reason_after" in unknown else pd.Series("", index=unknown.index)
    if len(reasons) and reasons.str.contains(REST_COVERED, regex=False).all():
        told = say(";另 {number} 村缺点位资料,{rest},不计入达标", number=len(reasons), rest=say.word(REST_COVERED))
    else:
        told = say(";{number} 个无法判定,不计入达标", number=len(reasons)) if len(reasons) else ""
    return say("规则:{rules}", rules=say(";").join(names)) + told


def _gap_kinds(plan: Plan, say: Say) -> str:
    """How many of the gap areas are populated, and how many as planned are too small for the list."""
    told = ""
    if all("gap_type" in gaps for gaps in (plan.gaps_before, plan.gaps_after)):
        counts = [int((gaps["gap_type"] == "populated").sum()) for gaps in (plan.gaps_before, plan.gaps_after)]
        told = say(",其中聚居 {before} → {after} 处", before=counts[0], after=counts[1])
    small = plan.indicators.get("after", {}).get("gap_small_count")
    return told + (say(";规划后另有 {number} 处过小,未列", number=small) if small else "")


def _hectares(gaps: gpd.GeoDataFrame, say: Say) -> str:
    return as_number(float(gaps["area_m2"].sum()) / 1e4 if len(gaps) else 0.0, say("公顷"))
