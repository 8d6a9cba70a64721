"""Tables on the choice of a plan: why each site, what became of each limit and decision, coverage by money."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.selection import Selection
from siteplan.selection.limits import Limit, amounts, members
from siteplan.study._decisions import effects_of
from siteplan.study._scene import Scene

REASONS = ("rank_no", "name", "tier_name", "build_year", "station_count", "cost_yuan", "gain", "gain_demand", "loss",
           "loss_demand", "gain_points", "loss_points", "choice_text", "rival_id", "rival_text")
"""Columns of a proposed site that tell why it is in."""
LIMIT_COLUMNS = ("zh", "year", "unit", "least", "most", "has")
KNEE_ZH = "拐点"
_ROUNDING = 1e-7


def choice_tables(scene: Scene, sites: gpd.GeoDataFrame, selection: Selection) -> dict[str, pd.DataFrame]:
    """Tables of results by name; those that have nothing to say are absent.

    Returns
    -------
    dict
        ``choice_reasons``, ``limits``, ``decision_effects``, ``money_curve``, ``stability``.
    """
    proposed = pd.DataFrame(sites[sites["status"] == "proposed"]).sort_values("rank_no")
    kept = pd.Series(np.nan, index=proposed.index)
    if selection.stability is not None:
        kept = selection.stability.kept_share.reindex(proposed.index)
    found = {"choice_reasons": proposed[list(REASONS)].assign(kept_share=kept), "limits": limit_table(selection)}
    effects = effects_of(scene, sites, scene.params.selection.phases.years)
    if len(effects):
        found["decision_effects"] = effects
    if selection.money is not None and len(selection.money.table) > 1:
        found["money_curve"] = money_table(selection, sites)
    if selection.stability is not None and len(selection.site_ids):
        draws = selection.stability.draws
        found["stability"] = draws.assign(number=draws.index + 1)
    return found


def money_table(selection: Selection, sites: pd.DataFrame) -> pd.DataFrame:
    """The curve of coverage by money with the names of its sites.

    Parameters
    ----------
    selection : Selection
        With ``money``.
    sites : DataFrame
        The sites table of the plan.

    Returns
    -------
    DataFrame
        The curve from the first site on, and besides ``name``, ``in_plan``, ``per_10000_yuan`` (weight that the step
        newly serves for 10,000 yuan, NaN where it costs nothing) and ``remark`` (``KNEE_ZH`` at the knee).
    """
    if selection.money is None:
        return pd.DataFrame()
    curve, knee = selection.money.table, selection.money.knee
    spent, won = curve["cost_yuan"].diff(), curve["served_weight"].diff()
    rate = (won / (spent / 1e4)).where(spent > 0)
    remark = np.where((curve["step"] == knee) & (knee > 0), KNEE_ZH, "")
    named = curve.assign(per_10000_yuan=rate, remark=remark).iloc[1:]
    ids = named["site_id"].astype("str")
    return named.assign(name=sites["name"].reindex(ids).fillna("").astype("str").to_numpy(),
                        in_plan=ids.isin(selection.site_ids)).reset_index(drop=True)


def limit_table(selection: Selection) -> pd.DataFrame:
    """What the plan has of each limit, counted from the table of candidates.

    Returns
    -------
    DataFrame
        Index ``limit``; ``zh, year`` (0 = the whole plan), ``unit``, ``least, most`` (NaN = none), ``has`` (existing
        ones included), ``room`` (how far the plan is from the nearer side, in the unit), ``held``. A share of free
        venues is told in %. Villages and zones that have to reach a share (in %, those that have it today included),
        and how many of them have to pass (those that pass today included), follow; both as counted on demand cells.
    """
    rows = [*_counted(selection), *_areas(selection)]
    table = pd.DataFrame(rows, columns=["limit", *LIMIT_COLUMNS]).set_index("limit")
    table[["least", "most", "has"]] = table[["least", "most", "has"]].astype("float64")
    room = np.fmin(table["has"] - table["least"], table["most"] - table["has"])
    scale = _ROUNDING * np.maximum(1.0, table[["least", "most", "has"]].abs().max(axis=1).fillna(0.0))
    return table.assign(room=room, held=(room.isna() | (room >= -scale)).to_numpy(dtype=bool))


def _counted(selection: Selection) -> Iterator[tuple[object, ...]]:
    """A row for each limit on sites, base stations or money."""
    chosen = selection.task.candidates.loc[list(selection.site_ids)]
    years = np.array(selection.years, dtype=np.int64)
    for limit in selection.task.limits:
        counted = np.ones(len(chosen), dtype=bool)
        if limit.year is not None:
            counted = years <= limit.year if limit.count == "on_air" else years == limit.year
        mine = chosen[counted & members(chosen, limit)]
        name = limit.name if limit.year is None else f"{limit.name}@{limit.year}"
        if limit.share is not None:
            yield name, limit.zh, limit.year or 0, "%", 100 * limit.share, None, _free_share(mine, limit)
        else:
            has = limit.already + float(amounts(mine, limit).sum())
            yield name, limit.zh, limit.year or 0, limit.unit, limit.least, limit.most, has


def _free_share(sites: pd.DataFrame, limit: Limit) -> float:
    """Share of sites that have to be free, %; NaN without a site, which holds."""
    free = sites["must_be_free"].to_numpy(dtype=bool)
    each = np.ones(len(sites)) if limit.unit == "站址" else sites[
        "stations" if limit.unit == "基站" else "cost_yuan"].to_numpy(dtype=np.float64)
    total = float(each.sum())
    return 100 * float(each[free].sum()) / total if total > 0 else math.nan


def _areas(selection: Selection) -> Iterator[tuple[object, ...]]:
    """A row for each village or zone that has to reach a share, and for how many have to pass."""
    problem, facts = selection.task.problem, selection.task.wishes.floor_facts
    known: dict[str, Mapping[str, Any]] = {str(fact["name"]): fact for fact in facts}
    served = problem.reach.served(selection.chosen) > 0
    has = [float(floor.weights[served[floor.cells]].sum()) for floor in problem.floors]
    shares = {floor.name: value for floor, value in zip(problem.floors, has, strict=True) if floor.required}
    for floor in problem.floors:
        if floor.required and "total" not in known.get(floor.name, {}):
            yield floor.name, floor.zh, 0, "权重", floor.least, None, shares[floor.name]
    for fact in facts:
        if "total" in fact:
            yield _share_row(fact, shares.get(str(fact["name"]), 0.0))
    for wish in problem.wanted:
        met = [has[number] >= problem.floors[number].least - _ROUNDING * max(1.0, abs(problem.floors[number].least))
               for number in wish.floors]
        passed = known.get(wish.name, {}).get("passed", 0)
        yield wish.name, wish.zh, 0, "个", float(passed + wish.least), None, float(passed + sum(met))
    for fact in facts:
        if "passed" in fact and fact["met"]:
            words = f"{fact['zh']}(现状已满足)" if fact["passed"] >= fact["count"] else fact["zh"]
            yield fact["name"], words, 0, "个", float(min(fact["count"], fact["passed"])), None, float(fact["passed"])


def _share_row(fact: Mapping[str, Any], more: float) -> tuple[object, ...]:
    """Share of an area: what is asked for, and what it comes to with what the plan adds."""
    today = 100 * fact["covered"] / fact["total"]
    words = "现状已满足" if fact["met"] else f"现状 {today:.1f}%"
    return (fact["name"], f"{fact['zh']}({words})", 0, "%", 100 * fact["share"], None,
            today + 100 * more / fact["total"])
