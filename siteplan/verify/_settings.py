"""The certificate held against the settings that ``plan.json`` lists: nothing that was asked for may be left out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from siteplan.verify._check import Check, figure
from siteplan.verify._header import is_number
from siteplan.verify._limits import totals
from siteplan.verify._problem import Case

LEAST_PREFERENCE = 0.01
"""No preference counts for less."""
_WORTH = ("min_gain", "max_yuan_per_gain")
_QUOTA = ("of", "value", "unit", "count", "year", "free")
_DEFAULTS = {"of": "all", "value": "", "unit": "站址", "count": "new", "year": None, "free": False}


def settings_check(case: Case, plan: Mapping[str, Any]) -> Check:
    """Objective, spacing, phases, number of sites, budget, free venues and quotas as the study asked for them."""
    settings = plan.get("parameters")
    settings = settings.get("selection") if isinstance(settings, Mapping) else None
    zh = "符合 plan.json 所列的选址设置"
    if not isinstance(settings, Mapping):
        return Check("parameters", zh, None, told="plan.json 没有列出选址的设置")
    told = [*_totals(case, settings), *_objective(case, settings), *_missing_limits(case, settings)]
    return Check("parameters", zh, not told, "0 项不符", f"{len(told)} 项不符", ";".join(told))


def _worth_check(case: Case, plan: Mapping[str, Any], zh: str) -> Check | None:
    """Prices of a coverage plan: what a site has to bring by its cost, divided by the preference of its tier."""
    parameters = plan.get("parameters")
    asked = parameters.get("selection") if isinstance(parameters, Mapping) else None
    if not isinstance(asked, Mapping) or not all(is_number(asked.get(name)) for name in _WORTH):
        return None
    table, mode = case.papers.candidates, asked.get("preference_mode", "factor")
    least = np.maximum(float(asked["min_gain"]), table["cost_yuan"].to_numpy() / float(asked["max_yuan_per_gain"]))
    factor = np.maximum(pd.to_numeric(table["preference"]).to_numpy(), LEAST_PREFERENCE)
    want = least / factor if mode == "factor" else least
    price = table["price"].to_numpy()
    wrong = price < want * (1 - 1e-6) if mode == "cost" else ~np.isclose(price, want, rtol=1e-6, atol=1e-9)
    names = "、".join(map(str, table["site_id"].to_numpy()[wrong][:5]))
    return Check("prices", zh, not wrong.any(), "max(最少新增, 投资/每人上限) / 优先系数", f"{int(wrong.sum())} 处不同",
                 names)


def radio_check(folder: Path, plan: Mapping[str, Any]) -> Check | None:
    """The settings that single reaches are recomputed with, held against those of the plan."""
    zh, parameters = "抽查所用的传播设置与 plan.json 一致", plan.get("parameters")
    try:
        radio = json.loads((folder / "certificate" / "radio.json").read_text("utf-8"))
        settings, served = dict(radio["settings"]), radio["served_probability"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the spot check tells that the files are not there
    if not isinstance(parameters, Mapping) or not isinstance(parameters.get("coverage"), Mapping):
        return Check("radio", zh, None, told="plan.json 没有列出覆盖的设置")
    asked, selection = parameters["coverage"], parameters.get("selection") or {}
    told = [f"{name} 是 {value},plan.json 为 {asked[name]}" for name, value in settings.items()
            if name in asked and asked[name] != value]
    wanted = (parameters.get("gaps") or {}).get("gap_probability")
    if selection.get("probability_weighted") and selection.get("probability_levels"):
        wanted = min(wanted, selection["probability_levels"][0])
    if is_number(wanted) and served != wanted:
        told.append(f"服务概率门限是 {served},plan.json 为 {wanted}")
    return Check("radio", zh, not told, "0 项不符", f"{len(told)} 项不符", ";".join(told))


def price_check(case: Case, plan: Mapping[str, Any]) -> Check | None:
    """Prices: of a coverage plan what the settings ask for; where the cost counts the cost itself, or much more.

    A surcharge that is the same for all sites that have it, and greater than what all sites cost together, puts the
    number of such sites before the cost.
    """
    zh, table = "各站的门槛(价格)与设置、投资一致", case.papers.candidates
    if case.papers.facts["objective"]["kind"] != "least_cost":
        return _worth_check(case, plan, zh)
    cost = table["cost_yuan"].to_numpy()
    more = table["price"].to_numpy() - cost
    rounding = 1e-9 * max(float(cost.sum()), 1.0)
    dearer = np.abs(more) > rounding
    good = not dearer.any() or (float(more[dearer].min()) > float(cost.sum()) and np.ptp(more[dearer]) <= rounding)
    told = f"{int(dearer.sum())} 处另加价,先使其入选最少,再使投资最低" if good and dearer.any() else ""
    return Check("prices", zh, bool(good), "投资,或投资加同一高价", f"{int(dearer.sum())} 处与投资不同", told)


def _totals(case: Case, settings: Mapping[str, Any]) -> Iterator[str]:
    own, spacing = totals(case), float(case.papers.facts["spacing_m"])
    most, budget, least = (settings.get(name) for name in ("max_sites", "budget_yuan", "spacing_m"))
    if is_number(most) and own["sites"] > float(most or 0):
        yield f"入选 {own['sites']:.0f} 处,最多 {most:g} 处"
    if is_number(budget) and own["cost_yuan"] > float(budget or 0) * (1 + 1e-9):
        yield f"投资 {figure(own['cost_yuan'])} 元,最多 {figure(float(budget or 0))} 元"
    if is_number(least) and spacing < float(least or 0):
        yield f"证书的最小站间距 {spacing:g} 米,设置为 {least:g} 米"


def _objective(case: Case, settings: Mapping[str, Any]) -> Iterator[str]:
    objective, phases = case.papers.facts["objective"], settings.get("phases")
    kind, backup = settings.get("objective", objective["kind"]), settings.get("backup_share", case.backup)
    second = settings.get("preference_mode") == "lexicographic" and objective["kind"] == "least_cost"
    if kind != objective["kind"] and not second:  # the second question of that mode asks for the least price
        yield f"证书的目标是 {objective['kind']},设置为 {kind}"
    if is_number(backup) and not math.isclose(backup, case.backup):
        yield f"证书的备份份额是 {case.backup:g},设置为 {backup:g}"
    asked = phases.get("years") if isinstance(phases, Mapping) else None
    if isinstance(asked, list) and asked != list(case.papers.years):
        yield f"证书的年度是 {list(case.papers.years)},设置为 {asked}"


def _missing_limits(case: Case, settings: Mapping[str, Any]) -> Iterator[str]:
    """Limits that were asked for, and that the certificate does not have, or has looser."""
    limits, share = case.papers.facts["limits"], settings.get("free_share_least")
    if is_number(share) and not any(one["of"] == "free" and one["share"] >= share for one in limits):
        yield f"证书没有免费开放场所不少于 {share:.0%} 的限制"
    floors = case.papers.facts["floors"]
    least = settings.get("required_share")
    if settings.get("objective") == "least_cost" and is_number(least):
        whole = float(case.papers.weight.sum())
        if not any(one["required"] and one["least"] >= float(least or 0) * whole * (1 - 1e-6) for one in floors):
            yield f"证书没有服务需求不少于 {least:.1%} 的要求"
    quotas = settings.get("quotas")
    for number, quota in enumerate(quotas if isinstance(quotas, list) else ()):
        if isinstance(quota, Mapping) and not any(_holds(one, quota) for one in limits):
            yield f"证书没有第 {number + 1} 项指标({quota.get('zh') or quota.get('value') or '全部'})"


def _holds(one: Mapping[str, Any], quota: Mapping[str, Any]) -> bool:
    """Whether a limit is the one that was asked for, or a tighter one."""
    if any((one.get(key) or None) != (quota.get(key, _DEFAULTS[key]) or None) for key in _QUOTA):
        return False
    least, most = quota.get("least"), quota.get("most")
    lower, upper = one.get("least"), one.get("most")
    return (least is None or (lower is not None and lower >= least)) and (
        most is None or (upper is not None and upper <= most))
