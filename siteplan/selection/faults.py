"""What is wrong with candidates, weights and limits: found in one go, each problem naming its rows.

What no plan can use but nobody has to mend is put aside beforehand, with a line each: see
:func:`siteplan.selection.sifting.sift`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan.errors import ModelError, Problem
from siteplan.params import SelectionParams
from siteplan.selection.clashes import setting_clashes
from siteplan.selection.limits import (
    BUDGET,
    COLUMN_ZH,
    FREE_SHARE,
    MAX_SITES,
    Limit,
    amounts,
    limits_of,
    members,
    number_zh,
    words_in,
)
from siteplan.selection.model.problem import Problem as Question
from siteplan.selection.model.problem import Row
from siteplan.selection.sifting import MOST_NAMED, named, twins
from siteplan.selection.spacing import near_pairs
from siteplan.setting_faults import suggestion

if TYPE_CHECKING:
    from siteplan.selection.task import Wishes

_SETTINGS = "study"
_SIDE = 1e-9


def check_wishes(candidates: pd.DataFrame, matrix: sp.csc_matrix, weight: NDArray[np.float64],
                 params: SelectionParams, wishes: Wishes) -> None:
    """Tell everything that is wrong with the question of a selection at once.

    Parameters
    ----------
    candidates : DataFrame
        Index ``site_id``, one row per column of ``matrix``.
    matrix : csc_matrix, shape (demand cells, candidates)
    weight : ndarray, shape (demand cells,)
    params : SelectionParams
    wishes : Wishes

    Raises
    ------
    ModelError
        With a problem for each fault; rows are named by their id.
    """
    found = [Problem(_SETTINGS, "", "", f"selection.{clash.key}", clash.reason, clash.remedy)
             for clash in setting_clashes(params)]
    found += [*candidate_faults(candidates), *twin_faults(candidates, matrix), *weight_faults(weight)]
    if not any(problem.field in ("site_id", "cost_yuan", "x", "y") for problem in found):
        found += [*limit_faults(candidates, params, wishes.existing), *kept_faults(candidates, params, wishes.kept)]
    if found:
        raise ModelError("选址不能开始:以下要求有误", found)


def candidate_faults(candidates: pd.DataFrame) -> Iterator[Problem]:
    """Ids that occur twice, and values that cannot be: cost, place, preference, spacing, number of stations.

    Parameters
    ----------
    candidates : DataFrame
        Index ``site_id``; ``cost_yuan, x, y``, and ``preference, spacing_m, stations`` where they are there. Spacing
        may be NaN (nothing is asked for).

    Examples
    --------
    >>> sites = pd.DataFrame({"cost_yuan": [np.nan, -1.0, 2.0], "x": 0.0, "y": 0.0}, index=["A", "B", "B"])
    >>> for problem in candidate_faults(sites):
    ...     print(problem.row, problem.field, problem.reason)
    B site_id 编号重复
    A cost_yuan 造价不是有限的数
    B cost_yuan 造价小于 0
    """
    ids = candidates.index.astype(str)
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        yield Problem("candidates", "", named(list(twice)), "site_id", "编号重复", "每处候选站址用一个编号")
    finite = {"cost_yuan": "造价", "x": "东坐标", "y": "北坐标", "preference": "优先系数", "stations": "基站数"}
    for column, zh in {**finite, "spacing_m": "站间距"}.items():
        if column not in candidates:
            continue
        values = candidates[column].to_numpy(dtype=np.float64, na_value=np.nan)
        bad = ~np.isfinite(values) if column in finite else np.isinf(values)
        if bad.any():
            yield Problem("candidates", "", named(list(ids[bad])), column, f"{zh}不是有限的数", "补填,或去掉这些候选")
        low = values <= 0 if column == "preference" else values < 0
        if column not in ("x", "y") and low.any():
            words = "须大于 0" if column == "preference" else "小于 0"
            yield Problem("candidates", "", named(list(ids[low])), column, f"{zh}{words}", "改为正确的数")


def weight_faults(weight: NDArray[np.float64]) -> Iterator[Problem]:
    """Cells of demand whose weight is no number above 0.

    >>> [(problem.row, problem.reason) for problem in weight_faults(np.array([1.0, 0.0, -2.0, np.nan]))]
    [('2、3', '权重小于 0 或不是有限的数'), ('1', '权重为 0,覆盖它没有作用')]
    """
    bad = np.flatnonzero(~np.isfinite(weight) | (weight < 0))
    if len(bad):
        yield Problem("demand", "", named(list(bad)), "weight", "权重小于 0 或不是有限的数", "改为大于 0 的数")
    zero = np.flatnonzero(weight == 0)
    if len(zero):
        yield Problem("demand", "", named(list(zero)), "weight", "权重为 0,覆盖它没有作用", "去掉这些需求格")


def twin_faults(candidates: pd.DataFrame, matrix: sp.csc_matrix) -> Iterator[Problem]:
    """A problem for each group of twins, at most 20 of them."""
    found = twins(candidates, matrix)
    for ids in found[:MOST_NAMED]:
        more = f"(这样的重复共 {len(found)} 组)" if len(found) > MOST_NAMED else ""
        yield Problem("candidates", "", named(ids), "geometry", f"同一位置、服务范围相同的重复候选{more}", "只保留一处")


def limit_faults(candidates: pd.DataFrame, params: SelectionParams,
                 existing: pd.DataFrame | None = None) -> Iterator[Problem]:
    """Limits that these candidates cannot meet: names that nothing has, too few of them, too little money.

    Parameters
    ----------
    candidates : DataFrame
    params : SelectionParams
    existing : DataFrame, optional
        Existing sites, for limits on what is on air.

    Examples
    --------
    >>> sites = pd.DataFrame({"county": ["溪西县"], "cost_yuan": 5.0}, index=["A"])
    >>> asked = SelectionParams(budget_yuan=4, quotas=[{"of": "county", "value": "西溪县", "least": 2}])
    >>> for problem in limit_faults(sites, asked):
    ...     print(problem.field, problem.reason, problem.remedy)
    selection.quotas#1.value 候选站址中没有这个县区:西溪县 是否应为 溪西县?
    selection.budget_yuan 投资上限 4 元低于最便宜的候选站址 A(5 元) 至少 5 元,或去掉上限
    """
    table = candidates if "stations" in candidates else candidates.assign(stations=1)
    try:
        limits = limits_of(params, existing)
    except ModelError as error:
        yield Problem(_SETTINGS, "", "", "selection.quotas", f"现有站址缺少限额要看的列({error})", "补上该列,或去掉这条限额")
        return
    first = len(limits) - len(params.quotas)
    for number, limit in enumerate(limits[first:], 1):
        yield from _quota_faults(table, limit, f"selection.quotas#{number}", existing)
    by_name = {limit.name: limit for limit in limits[:first]}
    cost = table["cost_yuan"].to_numpy(dtype=np.float64)
    if BUDGET in by_name and len(table) and by_name[MAX_SITES].most:
        cheapest = int(cost.argmin())
        if cost[cheapest] > (params.budget_yuan or 0.0):
            yield Problem(_SETTINGS, "", "", "selection.budget_yuan",
                          f"投资上限 {number_zh(params.budget_yuan or 0.0)} 元低于最便宜的候选站址 {table.index[cheapest]}"
                          f"({number_zh(cost[cheapest])} 元)", f"至少 {number_zh(cost[cheapest])} 元,或去掉上限")
    if FREE_SHARE in by_name:
        yield from _free_faults(table, params)


def _quota_faults(table: pd.DataFrame, limit: Limit, key: str, existing: pd.DataFrame | None) -> Iterator[Problem]:
    try:
        member, amount = members(table, limit), amounts(table, limit)
    except ModelError as error:
        yield Problem(_SETTINGS, "", "", key, f"候选站址缺少限额要看的列({error})", "补上该列,或去掉这条限额")
        return
    if limit.of != "all" and not member.any():
        known = words_in(table, limit.of)
        if existing is not None:
            known = sorted({*known, *words_in(existing, limit.of)})
        if limit.value not in known:
            where = "候选站址" if existing is None else "候选站址和现有站址"
            yield Problem(_SETTINGS, "", "", f"{key}.value", f"{where}中没有这个{COLUMN_ZH[limit.of]}:{limit.value}",
                          suggestion(limit.value, known) if known else "去掉这条限额")
            return
    has = limit.already + float(amount[member].sum())
    if limit.least is not None and has < limit.least * (1 - _SIDE):
        stands = f",含现有 {number_zh(limit.already)}" if limit.already else ""
        yield Problem(_SETTINGS, "", "", f"{key}.least",
                      f"{limit.zh}:候选站址全部入选也只有 {number_zh(has)}{stands}", f"下限不大于 {number_zh(has)},或增加候选站址")
    if limit.most is not None and limit.already > limit.most * (1 + _SIDE):
        yield Problem(_SETTINGS, "", "", f"{key}.most", f"{limit.zh}:现有的已有 {number_zh(limit.already)}",
                      f"上限不小于 {number_zh(limit.already)};在用总量含现有站址")


def _free_faults(table: pd.DataFrame, params: SelectionParams) -> Iterator[Problem]:
    key, share = "selection.free_share_least", params.free_share_least or 0.0
    if "must_be_free" not in table:
        yield Problem(_SETTINGS, "", "", key, "候选站址没有“应免费”一列(must_be_free)", "补上该列,或去掉这个键")
    elif share > 0 and len(table) and not table["must_be_free"].astype(bool).any():
        yield Problem(_SETTINGS, "", "", key, f"没有应免费开放的候选站址,达不到 {100 * share:g}%", "去掉这个键,或补充公共场所图层")


def kept_faults(candidates: pd.DataFrame, params: SelectionParams, kept: Sequence[str]) -> Iterator[Problem]:
    """Sites that have to be chosen and cannot all be: too many, too dear, too near to each other, one venue.

    Parameters
    ----------
    candidates : DataFrame
        With ``cost_yuan, x, y``, and ``spacing_m, venue, must_be_free`` where they are there.
    params : SelectionParams
    kept : sequence of str
        Ids; those that are no candidates are passed over.

    Examples
    --------
    >>> sites = pd.DataFrame({"cost_yuan": [5.0, 6.0], "x": [0.0, 30.0], "y": 0.0}, index=["A", "B"])
    >>> for problem in kept_faults(sites, SelectionParams(max_sites=1), ["A", "B"]):
    ...     print(problem.row, problem.field, problem.reason)
    A、B selection.max_sites 必选站址 2 处,超过最多新建 1 处
    A、B selection.spacing_m 两处必选站址相距 30 米,小于要求的 100 米
    """
    wanted = set(kept)
    table = candidates[[str(site) in wanted for site in candidates.index]].sort_index()
    ids = [str(site) for site in table.index]
    if not ids:
        return
    if len(ids) > params.max_sites:
        yield Problem("decisions", "", named(ids), "selection.max_sites",
                      f"必选站址 {len(ids)} 处,超过最多新建 {params.max_sites} 处", f"max_sites 至少 {len(ids)},或减少必选站址")
    cost = float(table["cost_yuan"].sum())
    if params.budget_yuan is not None and cost > params.budget_yuan * (1 + _SIDE):
        yield Problem("decisions", "", named(ids), "selection.budget_yuan",
                      f"必选站址造价合计 {number_zh(cost)} 元,超过投资上限 {number_zh(params.budget_yuan)} 元",
                      f"投资上限至少 {number_zh(cost)} 元,或减少必选站址")
    yield from _kept_free_faults(candidates, params, wanted)
    spacing = (table["spacing_m"] if "spacing_m" in table else pd.Series(0.0, table.index)).to_numpy(dtype=np.float64)
    places = table[["x", "y"]].to_numpy(dtype=np.float64)
    for one, other in near_pairs(places, spacing, params.spacing_m)[:MOST_NAMED].tolist():
        apart = float(np.hypot(*(places[one] - places[other])))
        asked = max(params.spacing_m, float(np.nan_to_num(spacing[[one, other]]).min()))
        yield Problem("decisions", "", named([ids[one], ids[other]]), "selection.spacing_m",
                      f"两处必选站址相距 {apart:.0f} 米,小于要求的 {asked:g} 米", "只保留一处,或改小站间距")
    if "venue" in table:
        venue = table["venue"].fillna("").astype(str)
        for name, group in venue[venue != ""].groupby(venue[venue != ""], sort=True):
            if len(group) > 1:
                yield Problem("decisions", "", named(list(group.index)), "venue", f"同一场所({name})必选了几处", "只保留一处")


def _kept_free_faults(candidates: pd.DataFrame, params: SelectionParams, kept: set[str]) -> Iterator[Problem]:
    """Sites that have to be chosen and leave no room for the share of free venues."""
    share = params.free_share_least
    if share is None or "must_be_free" not in candidates:
        return
    free = candidates["must_be_free"].to_numpy(dtype=bool)
    paid = [site for site in candidates.index[~free].astype(str) if site in kept]
    room = min(int(free.sum()), max(params.max_sites - len(paid), 0))
    if paid and free.any() and room < share * (room + len(paid)) * (1 - _SIDE):
        yield Problem("decisions", "", named(paid), "selection.free_share_least",
                      f"必选的非免费站址 {len(paid)} 处,至多再选免费站址 {room} 处,达不到 {100 * share:g}%",
                      f"不大于 {math.floor(1000 * room / (room + len(paid))) / 10:g}%,或减少必选站址")


def problem_faults(question: Question) -> Iterator[Problem]:
    """What in the arrays of a problem rules out every plan: sites mandatory and forbidden, limits out of reach.

    Parameters
    ----------
    question : siteplan.selection.model.Problem

    Examples
    --------
    >>> from siteplan.selection.model import Reach
    >>> from siteplan.selection.model.problem import cover_problem
    >>> nothing = Reach(0, np.zeros(2, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32))
    >>> asked = cover_problem(nothing, [], locked=np.array([True]), barred=np.array([True]), names=("A",))
    >>> [(problem.row, problem.reason) for problem in problem_faults(asked)]
    [('A', '既是必选站址,又是不可用的站址')]
    """
    names = np.array(question.names or [str(number) for number in range(len(question))], dtype=object)
    locked, barred = question.locked, question.barred
    if (locked & barred).any():
        yield Problem("candidates", "", named(list(names[locked & barred])), "", "既是必选站址,又是不可用的站址",
                      "撤销其中一项决定")
    pairs = question.near[locked[question.near].all(axis=1)] if len(question.near) else question.near
    for one, other in pairs[:MOST_NAMED].tolist():
        yield Problem("candidates", "", named([names[one], names[other]]), "spacing_m", "两处必选站址的间距小于要求",
                      "只保留一处,或改小站间距")
    groups = question.group[locked & (question.group >= 0)]
    for group in np.flatnonzero(np.bincount(groups) > 1).tolist():
        yield Problem("candidates", "", named(list(names[locked & (question.group == group)])), "venue",
                      "同一场所必选了几处", "只保留一处")
    for row in question.rows:
        yield from _row_faults(row, ~barred, locked)
    for stage in question.stages:
        for row in (*stage.on_air, *stage.new):
            yield from _row_faults(row, ~barred, np.zeros(len(locked), dtype=bool))


def _row_faults(row: Row, free: NDArray[np.bool_], locked: NDArray[np.bool_]) -> Iterator[Problem]:
    """A row whose limits lie beyond what any choice comes to."""
    most_of_all = row.already + float(np.maximum(row.amounts, 0.0)[free[row.candidates]].sum())
    least_of_all = row.already + float(row.amounts[locked[row.candidates] & (row.amounts > 0)].sum()
                                       + np.minimum(row.amounts, 0.0)[free[row.candidates]].sum())
    side = _SIDE * max(1.0, abs(most_of_all), abs(least_of_all))
    words = row.zh or row.name
    if row.least > row.most:
        yield Problem(_SETTINGS, "", "", row.name, f"{words}:下限大于上限", "改小下限,或改大上限")
    if row.least > most_of_all + side:
        yield Problem(_SETTINGS, "", "", row.name, f"{words}:全部可用站址入选也只有 {number_zh(most_of_all)}{row.unit}",
                      f"下限不大于 {number_zh(most_of_all)}")
    if row.most < least_of_all - side:
        yield Problem(_SETTINGS, "", "", row.name, f"{words}:现有和必选站址已有 {number_zh(least_of_all)}{row.unit}",
                      f"上限不小于 {number_zh(least_of_all)},或减少必选站址")
