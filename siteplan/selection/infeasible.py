"""What to tell when no plan meets every limit: the limits that conflict, then what to relax, each list for itself."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siteplan.errors import PlanError, Problem
from siteplan.selection.methods.advice import Advice, Relaxation, conflicts
from siteplan.selection.methods.advice_model import MOST_SECONDS, limits_of, rows_of
from siteplan.selection.methods.advice_model import Limit as Named
from siteplan.selection.methods.advice_words import NOT_SURE, sites_told
from siteplan.selection.methods.solve import EXACT_SECONDS
from siteplan.selection.model import Answer, Effort, Row
from siteplan.selection.task import Task, column_of

_NOT_FOUND = "在给定的计算量内没有找到满足全部限制的方案,也没有证明无解"
_FOUND = "满足全部限制的方案是有的,这次选址没有找到"
_CHECKED_ALONE = "“可行的放宽”每项的放宽幅度已由一个方案验证,其余各项不动。"
_CHECKED = "(放宽幅度已由一个方案验证)"
_ANY, _ONLY = "可行的放宽(任选一项):", "可行的放宽:"
_AT_LEAST = "至少须放宽:"
_TOGETHER = "须同时放宽:"
_NOT_ALONE = "只放宽这一项不够"
_NOT_COUNTED = "没有算出只放宽这一项要放宽多少"
_SECONDS_ASKED = 600


def plan_error(task: Task, answer: Answer, effort: Effort) -> PlanError:
    """The limits that conflict, each with what to relax and by how much; else those to be relaxed together.

    Problems of limits in conflict have the field ``selection:NAME``, those of a list to be relaxed together
    ``放宽:NAME``. That list is given only where no limit suffices alone.

    Parameters
    ----------
    task : Task
    answer : Answer
        ``infeasible`` or ``unknown``.
    effort : Effort
    """
    problem = task.problem
    apart, own = _distances(task, problem.near)
    advice = conflicts(problem, effort, np.where(own > apart, np.nan, apart))
    single = {one.name: _in_words(task, one) for one in advice.relaxations}
    together = () if any(one.enough for one in advice.relaxations) else tuple(
        _in_words(task, one) for one in advice.combined if len(advice.combined) > 1 or one.name not in single)
    zh = {**{limit.name: limit.zh for limit in task.limits}, **dict(zip(advice.conflicts, advice.words, strict=True))}
    sums = _station_sums(task, advice.conflicts)
    found = [Problem("study", "", "", f"selection:{name}", zh[name] + sums.get(name, ""),
                     _remedy(name, single, {one.name: one for one in together}, advice)) for name in advice.conflicts]
    parts: list[tuple[str, list[Problem]]] = []
    if any(one.enough for one in advice.relaxations):
        parts.append((_CHECKED_ALONE, []))
    if together:
        checked = _CHECKED if all(one.enough for one in together) else NOT_SURE
        parts.append((f"须同时放宽以下 {len(together)} 项{checked}:",
                      [Problem("study", "", "", f"放宽:{one.name}", one.zh or one.name, one.sentence)
                       for one in together]))
    notes = _notes(task, answer, advice, effort)
    if notes:
        parts.append(("说明:", notes))
    return PlanError(_message(answer, advice), found, parts)


def _message(answer: Answer, advice: Advice) -> str:
    if advice.status == "feasible":
        return _FOUND
    if not (answer.status == "infeasible" or advice.proved):
        return _NOT_FOUND
    count = len(advice.conflicts)
    if not count:
        return "没有满足全部限制的方案(已证明),没有找出是哪几项冲突"
    fault = f"以下 {count} 项不能同时成立" if count > 1 else "以下 1 项达不到"
    return f"没有满足全部限制的方案。{fault}:"


def _remedy(name: str, single: dict[str, Relaxation], together: dict[str, Relaxation], advice: Advice) -> str:
    """What is advised for one limit in conflict, with the amount wherever one is known."""
    if name in single:
        one = single[name]
        enough = _ANY if sum(other.enough for other in single.values()) > 1 else _ONLY
        return f"{enough if one.enough else _AT_LEAST}{one.sentence}"
    alone = _NOT_ALONE if advice.settled else _NOT_COUNTED
    if name in together:
        return f"{alone};{_TOGETHER}{together[name].sentence}"
    if together:
        return f"{alone};见下面须同时放宽的各项"
    return f"{alone};见其他各项的放宽" if single else alone


def _in_words(task: Task, one: Relaxation) -> Relaxation:
    """The relaxation in what a planner writes: spacing in metres, areas by what is still to be covered."""
    if one.name == "near" and one.sites:
        return replace(one, sentence=_spacing_words(task, one))
    asked = {str(fact["name"]): fact["share"] for fact in task.wishes.floor_facts}
    if asked.get(one.name) is None or one.from_value <= 0:
        return one
    less = math.ceil(1000 * one.amount / one.from_value) / 10  # the floor leaves out what is covered already
    tail = "" if one.enough or not one.sentence.endswith(NOT_SURE) else NOT_SURE
    return replace(one, sentence=f"把“{one.zh}”还须新增的覆盖减少 {less:g}%{tail}")


def _distances(task: Task, pairs: NDArray[np.integer[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far pairs of candidates stand apart, and what both ask for themselves whatever the settings, m."""
    apart = np.hypot(*(task.xy[pairs[:, 0]] - task.xy[pairs[:, 1]]).T)
    return apart, column_of(task.candidates, "spacing_m", 0.0)[pairs].min(axis=1)


def _spacing_words(task: Task, one: Relaxation) -> str:
    """The spacing that does: how far the nearest of the pairs stand apart, whole metres."""
    pairs = np.array(one.sites, dtype=np.int64).reshape(-1, 2)
    apart, own = _distances(task, pairs)
    does, asked = math.floor(float(apart.min()) + 1e-6), task.params.spacing_m
    change = [f"selection.spacing_m 从 {asked:g} 改为 {does}"] if asked > does else []
    if (own > apart).any():
        change.append(f"候选站型自身的站间距(最大 {own.max():g} 米)降到 {does} 米")
    told = sites_told(task.problem, pairs) + ("" if one.smallest else "(更大的站间距未能判定)")
    return f"{','.join(change)};方案中有 {len(pairs)} 对站址小于原来的站间距:{told}"


def _station_sums(task: Task, names: tuple[str, ...]) -> dict[str, str]:
    """What the sites that may be chosen carry in all, for limits in stations that conflict with a number of sites."""
    named = [limit for limit in limits_of(task.problem) if limit.kind == "row" and limit.name in names]
    rows = [(limit, rows_of(task.problem, limit)[limit.index]) for limit in named]
    pairs = [(row.most, limit.name, row, asked) for (limit, asked), (other, row) in product(rows, repeat=2)
             if asked.unit == "基站" and row.unit == "站址" and _bounds(limit, asked, other, row)]
    pairs.sort(key=lambda pair: -pair[0])  # the least number of sites tells most: it is written last
    return {name: _station_sum(asked, row) for _, name, row, asked in pairs}


def _bounds(limit: Named, row: Row, other: Named, of_sites: Row) -> bool:
    """Whether a greatest number of sites bounds a least number of stations."""
    same = other.part == "rows" or (other.part == limit.part and other.stage == limit.stage)
    return bool(same and np.isfinite(row.least) and np.isfinite(of_sites.most) and (of_sites.amounts == 1).all()
                and of_sites.most > of_sites.already and np.isin(row.candidates, of_sites.candidates).all())


def _station_sum(row: Row, of_sites: Row) -> str:
    sites = round(of_sites.most - of_sites.already)
    each, more = int(row.amounts.max()), round(row.already)
    alike = bool((row.amounts == each).all())
    total = _most_stations(row.amounts, sites)
    text = (f"入选站址最多{sites}处,每处{'' if alike else '最多'}{each}个基站,"
            f"{'共' if alike and sites <= len(row.amounts) else '至多共'}{total}个")
    return f"({text}{f',另有现有{more}个' if more else ''})"


def _most_stations(amounts: NDArray[np.float64], sites: int) -> int:
    """Stations at the sites that carry most."""
    return round(float(np.sort(amounts)[::-1][:sites].sum()))


def _notes(task: Task, answer: Answer, advice: Advice, effort: Effort) -> list[Problem]:
    """What was cut short, by which limit, and what to write for more."""
    if advice.status == "feasible":
        other = "exact" if task.params.method in ("auto", "exact") else "auto"
        return [Problem("study", "", "", "selection.method", f"method = \"{task.params.method}\" 没有找到方案",
                        f"写 selection.method = \"{other}\",或写 selection.seconds = {_more(effort)}")]
    found = []
    if answer.cut:
        timed = any(word in answer.cut for word in ("时间", "用时", "time"))
        found.append(_late(answer.cut, effort, EXACT_SECONDS) if timed else Problem(
            "study", "", "", "selection", answer.cut, "放宽限制后再试"))
    if advice.cut:
        found.append(_late(advice.cut, effort, MOST_SECONDS) if advice.late else Problem(
            "study", "", "", "selection", advice.cut, "按所列的放宽修改后再试" if advice.proved else "先去掉一部分限制再试"))
    return found


def _late(cut: str, effort: Effort, default: float) -> Problem:
    """A cut by time: the limit that ran out, which may be the default one."""
    which = (f"没有写 selection.seconds,默认限时 {default:g} 秒已用完" if effort.seconds is None
             else f"selection.seconds = {effort.seconds:g} 已用完")
    return Problem("study", "", "", "selection.seconds", f"{which}:{cut}", f"写 selection.seconds = {_more(effort)}")


def _more(effort: Effort) -> int:
    return max(_SECONDS_ASKED, math.ceil(10 * (effort.seconds or 0.0)))
