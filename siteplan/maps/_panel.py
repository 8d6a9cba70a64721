"""What the page says beside the map: indicators, bound, and the statements every map must carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np

from siteplan.gaps.judging.areas import REST_COVERED
from siteplan.maps._layers import tier_names
from siteplan.maps._result_rows import result_groups, result_rows
from siteplan.maps._shapes import Json
from siteplan.maps._texts import (
    DEMAND_NAMES,
    DEMAND_UNITS,
    KINDS,
    RuleWords,
    as_number,
    as_share,
    as_text,
    plan_results,
    rule_name,
    rule_words,
)
from siteplan.selection import STOPS_ZH, gap_text, price_sentences

if TYPE_CHECKING:
    from siteplan.coverage import Coverage
    from siteplan.input_ledger import LedgerLine
    from siteplan.plan import Plan


def list_indicators(plan: Plan) -> list[Json]:
    """Rows of the indicator panel: label, values before and after, and the rule or meaning in small print.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    list of dict
        ``label, before, after, note``; rates come with the name of their rule. Then the tables that open and close,
        see :func:`~siteplan.maps._result_rows.result_groups`.
    """
    rows: list[Json] = []
    rules = rule_words(plan)
    for label, areas in (("行政村达标", plan.villages), ("重点区域达标", plan.zones)):
        if len(areas):
            rows.append({"label": label, "note": _rules_of(areas, rules),
                         **{state: _passed(areas, state) for state in ("before", "after")}})
    name, unit = DEMAND_NAMES.get(plan.demand_kind, "需求"), DEMAND_UNITS.get(plan.demand_kind, "")
    before, after = (covered_demand(plan.demand, state) for state in (plan.before, plan.after))
    rows.append({"label": f"{name}覆盖率", **_shares(plan, "demand_share", before[1], after[1]),
                 "note": f"覆盖概率均值,任一5G网络;规划后覆盖 {as_number(after[0], unit)}"})
    if all("area_share" in plan.indicators.get(state, {}) for state in ("before", "after")):
        rows.append({"label": "面积覆盖率", **_shares(plan, "area_share", None, None), "note": "覆盖概率均值,任一5G网络"})
    rows += _indoor_rows(plan)
    rows.append({"label": "覆盖空洞", "before": _hectares(plan.gaps_before), "after": _hectares(plan.gaps_after),
                 "note": f"{_gap_meaning(plan)};{len(plan.gaps_before)} 处 → {len(plan.gaps_after)} 处"
                         f"{_gap_kinds(plan)}"})
    return [*rows, *_free_venue_rows(plan), *result_rows(plan), *result_groups(plan)]


def _free_venue_rows(plan: Plan) -> list[Json]:
    """Free public venues among the proposed sites, and what favouring them costs or saves; none without such sites."""
    proposed = plan.proposed
    if "must_be_free" not in proposed or proposed.empty:
        return []
    free = int(proposed["must_be_free"].fillna(False).astype(bool).sum())
    counts = "、".join(f"{tier['name']} {tier['macro'] + tier['micro']}" for tier in count_sites(plan))
    price = getattr(plan.selection, "price", None)
    told = price_sentences(price, DEMAND_UNITS.get(plan.demand_kind, ""))[0].rstrip("。") if price is not None else ""
    return [{"label": "免费开放场所", "before": "", "after": f"{free}/{len(proposed)} 处",
             "note": ";".join(part for part in (f"规划站址中应当免费开放的;按优先级:{counts}", told) if part)}]


def _indoor_rows(plan: Plan) -> list[Json]:
    """The row of what reaches the inside of buildings; none where it was not predicted."""
    shares = [plan.indicators.get(state, {}).get("indoor_share") for state in ("before", "after")]
    if shares[1] is None:
        return []
    before, after = ("无数据" if share is None else as_share(share) for share in shares)
    threshold = float(plan.after.indoor_threshold_dbm)
    return [{"label": "室内(建筑内)", "before": before, "after": after,
             "note": f"建筑像元内的覆盖概率均值(预测),SS-RSRP ≥ {threshold:g} dBm,任一5G网络;分运营商见 indicators.xlsx"}]


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


def count_sites(plan: Plan) -> list[Json]:
    """Proposed sites by tier and kind: ``{tier, name, macro, micro}``, best tier first."""
    proposed = plan.proposed
    out = []
    for tier, name in tier_names(plan.sites).items():
        kinds = proposed.loc[proposed["tier"] == tier, "kind"].value_counts()
        if int(kinds.sum()):
            out.append({"tier": tier, "name": name, "macro": int(kinds.get("macro", 0)),
                        "micro": int(kinds.get("micro", 0))})
    return out


def describe_bound(plan: Plan) -> Json:
    """How good the choice is: demand served, what no plan exceeds, limits that hold, and why it stopped."""
    selection = plan.selection
    return {
        "covered": as_number(selection.covered), "proof": _proof(plan), "sizes": _sizes(plan), "limits": _limits(plan),
        "sites": len(selection.site_ids), "stopped": as_text(selection.stopped, STOPS_ZH),
        "cost": as_number(float(selection.cost_yuan) / 1e4, "万元", 1) if selection.cost_yuan else "",
    }


def _goal(plan: Plan) -> str:
    """What the choice aims at: ``least_cost``, ``lexicographic`` or ``coverage``."""
    asked = _settings(plan.parameters, "selection")
    if asked.get("objective") == "least_cost":
        return "least_cost"
    return "lexicographic" if asked.get("preference_mode") == "lexicographic" else "coverage"


def _proof(plan: Plan) -> str:
    """How much better any other plan could be, in a sentence."""
    selection = plan.selection
    if selection.status == "optimal":
        return "已证明没有更好的方案"
    gap = float(selection.optimality_gap)
    if not np.isfinite(gap):
        return "没有算出上界,离最好的方案多远未知"
    goal = {"least_cost": "投资最多再低", "lexicographic": "非公共站址和投资(折算)最多再低"}.get(_goal(plan), "目标值最多再高")
    return f"任何满足同样限制的方案,{goal} {gap_text(gap).replace('<', '不到 ')}"


def _sizes(plan: Plan) -> str:
    """Value and bound in small print; none where they are not in units that planners know."""
    selection, goal = plan.selection, _goal(plan)
    if goal == "lexicographic" or not np.isfinite(float(selection.upper_bound)):
        return ""
    value, bound = (as_number(abs(number)) for number in (selection.value, selection.upper_bound))
    if goal == "least_cost":
        return f"投资 {value} 元,同样限制下不会少于 {bound} 元"
    return f"目标值(加权需求减去各站的建站门槛){value},上界 {bound}:同样限制下任何方案的目标值都不会超过上界"


def _limits(plan: Plan) -> str:
    """``限制 11/11 满足``; empty where no limit was asked for."""
    table = plan_results(plan).get("limits")
    if table is None or table.empty:
        return ""
    return f"限制 {int(table['held'].sum())}/{len(table)} 满足"


def list_statements(plan: Plan) -> list[str]:
    """Sentences at the foot of the page: what the numbers are, notices of the study, map approval number."""
    study = plan.study
    threshold = float(plan.after.threshold_dbm)
    notices = [as_text(notice) for notice in study.get("notices") or ()]
    predicted = [] if any("预测值,非实测" in notice for notice in notices) else ["图中覆盖为模型预测值,非实测。"]
    out = [
        *predicted, *(f"{sentence}。" for sentence in describe_model(plan)), f"覆盖门限 SS-RSRP ≥ {threshold:g} dBm。",
        f"覆盖概率 = Φ((预测值 − 门限) / σ),σ 为{_sigma_meaning(plan)};空洞指{_gap_meaning(plan)}的区域。",
        *_band_statements(plan), *_calibration_statements(plan), *_exposure_statements(plan), *notices,
    ]
    if study.get("map_approval_no"):
        out.append(f"审图号:{as_text(study['map_approval_no'])}")
    return [sentence for sentence in out if sentence]


def describe_model(plan: Plan) -> list[str]:
    """Which propagation model the prediction comes from, in Chinese sentences without a full stop.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    list of str
        The model of macro and micro sites with the trust in buildings; that free space is no prediction of a city.
    """
    from siteplan.radio import MODEL_WORDS

    settings = _settings(plan.parameters, "coverage")
    model = as_text(settings.get("model_macro"))
    if not model:
        return []
    has_clutter = getattr(plan.surface, "has_clutter", True)
    if model == "auto" and not has_clutter:
        macro = "自动(分不出城区和农村,全部按 TR 38.901 城区 UMa)"
    elif model == "auto":
        macro = "自动(TR 38.901,城区 UMa、农村 RMa)"
    else:
        macro = MODEL_WORDS.get(model, model)
    lead = "不用校正模型的扇区:" if _calibrated(plan) else ""
    weight = (f"建筑遮挡信任度 building_weight = {float(settings.get('building_weight', 0.0)):g}"
              "(0 = 只按统计的视距概率,1 = 全按建筑表面)" if has_clutter else "没有建筑高度资料,视距只按统计概率")
    out = [f"{lead}宏站模型:{macro};微站模型:{MODEL_WORDS['umi']};{weight}"]
    if model == "free_space":
        out.append("自由空间模型不计建筑等地物的损耗,宏站信号只是上限,不是城市覆盖的预测,不能据以判定达标")
    return out


def _calibration_lines(plan: Plan) -> list[LedgerLine]:
    """What the ledger says of the calibration that the study names.

    The first line is ``refused``, or a ``note``: ``value`` has how many of how many existing sectors take it, ``row``
    the site types whose new sites do.
    """
    return [line for line in plan.ledger or () if line.layer == "study" and line.field == "coverage.calibration"]


def _calibrated(plan: Plan) -> bool:
    """Whether a sector of the plan takes the calibration: an existing one, or one of a proposed site."""
    first = next(iter(_calibration_lines(plan)), None)
    if first is None or first.action != "note":
        return False
    return not first.value.startswith("0/") or _calibrated_sites(plan, first) > 0


def _calibrated_sites(plan: Plan, line: LedgerLine) -> int:
    """How many proposed sites take the calibration, by the site types that its first ledger line names."""
    return int(("site_types." + plan.proposed["kind"].astype("str")).isin(line.row.split("、")).sum())


def _sigma_meaning(plan: Plan) -> str:
    sigma = float(_settings(plan.parameters, "coverage").get("model_sigma_db") or 0.0)
    error = f"与模型误差 {sigma:g} dB 的合成标准差" if sigma > 0 else "标准差,未计模型误差"
    if _calibrated(plan):
        return f"校正模型在实测数据上误差的标准差(不用校正的扇区:阴影衰落{error})"
    return f"阴影衰落{error}"


def _band_statements(plan: Plan) -> list[str]:
    """What the band of an area's share and its probability of passing are; nothing where the areas have none."""
    if not any("share_low_after" in areas for areas in (plan.villages, plan.zones)):
        return []
    return ["覆盖率80%区间和达标概率由预测误差推算,相邻位置的误差相关;达标结果只按预测值判定。"]


def _calibration_statements(plan: Plan) -> list[str]:
    """Which calibration the coverage comes from and what it does not hold for; that there is none, or why not."""
    lines = _calibration_lines(plan)
    if not lines:
        return ["模型未用本地测量校正。"]
    name, more = as_text(lines[0].file), [f"{as_text(line.reason)}({as_text(line.value)})。" for line in lines[1:]]
    if _calibrated(plan):
        new = f",规划站址 {len(plan.proposed)} 处中的 {_calibrated_sites(plan, lines[0])} 处" if len(plan.proposed) else ""
        lead = f"校正模型“{name}”(现有室外扇区 {as_text(lines[0].value)} 个{new}):{as_text(lines[0].reason)}。"
    elif lines[0].action == "note":
        lead = f"没有采用校正模型“{name}”:现有扇区没有一个适用,也没有规划适用的站址。"
    else:
        lead = f"没有采用校正模型“{name}”:{as_text(lines[0].reason)}。"
    return [lead, *more]


def _exposure_statements(plan: Plan) -> list[str]:
    """What the exposure screening found; nothing where no site is proposed."""
    from siteplan.coverage import describe_exposure

    exposure = getattr(plan, "exposure", None)
    if exposure is None or not len(plan.proposed):
        return []
    return [f"电磁环境{describe_exposure(exposure)}。"]


def list_badges(study: Mapping[str, Any]) -> list[str]:
    """Warnings that stand beside the title."""
    badges = [("synthetic", "合成数据 · 仅供演示"), ("stand_in_5g", "以4G小区代替5G")]
    return [text for key, text in badges if study.get(key)]


def describe_kinds(plan: Plan) -> str:
    """``宏站 12 处,微站 48 处`` of the proposed sites."""
    kinds = plan.proposed["kind"].astype("object").value_counts()
    parts = [f"{KINDS.get(str(kind), str(kind))} {int(number)} 处" for kind, number in sorted(kinds.items(), key=str)]
    return ",".join(parts)


def _shares(plan: Plan, name: str, before: float | None, after: float | None) -> dict[str, str]:
    """A share of both states as text: the plan's own indicator where it has one, else the number given."""
    given = {"before": before, "after": after}
    return {state: as_share(plan.indicators.get(state, {}).get(name, given[state])) for state in given}


def _passed(areas: gpd.GeoDataFrame, state: str) -> str:
    verdicts = areas[f"verdict_{state}"]
    return f"{int((verdicts == 'pass').sum())}/{len(areas)}"


def _rules_of(areas: gpd.GeoDataFrame, rules: Mapping[str, RuleWords]) -> str:
    """Names of the rules that judged these areas, and how many could not be judged."""
    names = [rule_name(rule, rules) for rule in sorted(set(areas["rule"].dropna().astype(str)))]
    reasons = areas.loc[areas["verdict_after"] == "not_assessable", "reason_after"].astype("str")
    if len(reasons) and reasons.str.contains(REST_COVERED, regex=False).all():
        told = f";另 {len(reasons)} 村缺点位资料,{REST_COVERED},不计入达标"
    else:
        told = f";{len(reasons)} 个无法判定,不计入达标" if len(reasons) else ""
    return "规则:" + ";".join(names) + told


def _gap_meaning(plan: Plan) -> str:
    limit = _settings(plan.parameters, "gaps").get("gap_probability")
    return f"覆盖概率低于 {100 * float(limit):g}%" if limit is not None else "覆盖概率不足"


def _gap_kinds(plan: Plan) -> str:
    """How many of the gap areas are populated, and how many as planned are too small for the list."""
    told = ""
    if all("gap_type" in gaps for gaps in (plan.gaps_before, plan.gaps_after)):
        counts = [int((gaps["gap_type"] == "populated").sum()) for gaps in (plan.gaps_before, plan.gaps_after)]
        told = f",其中聚居 {counts[0]} → {counts[1]} 处"
    small = plan.indicators.get("after", {}).get("gap_small_count")
    return told + (f";规划后另有 {small} 处过小,未列" if small else "")


def _settings(parameters: Mapping[str, Any], table: str) -> Mapping[str, Any]:
    found = parameters.get(table)
    return found if isinstance(found, Mapping) else {}


def _hectares(gaps: gpd.GeoDataFrame) -> str:
    return f"{float(gaps['area_m2'].sum()) / 1e4:,.0f} 公顷" if len(gaps) else "0 公顷"
