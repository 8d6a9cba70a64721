"""How a choice changes when the data are a little off."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from siteplan.selection.choose import Selection, gave_way
from siteplan.selection.methods.search import anneal_from
from siteplan.selection.model import Effort
from siteplan.selection.model.count import value_of
from siteplan.selection.task import Task

NOISE = 0.01
"""Relative standard deviation that weights and costs are disturbed by."""
DRAWS = 5


@dataclass(frozen=True)
class Stability:
    """What small errors of the data do to a choice.

    Attributes
    ----------
    noise : float
        Relative standard deviation of the disturbance of weights and costs (normal, independent).
    draws : DataFrame
        Index ``draw``; ``changed`` (sites of the plan that go when it is improved on the disturbed data), ``added``
        (sites that come in), ``regret`` (share of the disturbed objective that the plan as it is gives away against the
        improved one, >= 0).
    kept_share : Series
        Index ``site_id`` of the plan: share of the draws in which the site stays.
    """

    noise: float
    draws: pd.DataFrame
    kept_share: pd.Series


def stability(selection: Selection, noise: float = NOISE, draws: int = DRAWS) -> Stability | None:
    """Disturb weights and costs, improve the plan on the disturbed data, and see what changes.

    Every draw starts from the plan and takes every exchange that helps: what changes is due to the data, not to the
    luck of another search. Seeded by the selection's seed.

    Parameters
    ----------
    selection : Selection
    noise : float
    draws : int

    Returns
    -------
    Stability or None
        None for a plan in phases. A trial that leaves the years out breaks their limits, and improving the last year
        alone changes a good plan of all years even where the data stay as they are: neither tells what noise does.
    """
    if selection.task.problem.stages:
        return None
    task, plan = selection.task, selection.chosen
    random = np.random.default_rng(task.params.seed)
    rows, stays = [], np.zeros(len(plan))
    for _ in range(draws):
        other = _disturbed(task, noise, random)
        found = _improved(other, selection)
        stay = np.isin(plan, found)
        kept = value_of(other.problem, np.sort(plan))
        best = value_of(other.problem, found)
        regret = max(best - kept, 0.0) / max(abs(best), 1e-12)
        rows.append((int((~stay).sum()), int((~np.isin(found, plan)).sum()), regret))
        stays += stay
    table = pd.DataFrame(rows, columns=["changed", "added", "regret"]).rename_axis("draw")
    share = pd.Series(stays / max(draws, 1), index=pd.Index(list(selection.site_ids), dtype="str", name="site_id"))
    return Stability(noise, table, share)


def _disturbed(task: Task, noise: float, random: np.random.Generator) -> Task:
    """The task with other weights and costs; a cell has one error at all levels of service."""
    cells, levels = len(task.weight), len(task.levels.levels)
    weight = np.maximum(1.0 + noise * random.standard_normal(cells), 0.0)
    cost = np.maximum(1.0 + noise * random.standard_normal(len(task.cost)), 0.0)
    problem = replace(task.problem, weight=task.problem.weight * np.tile(weight, levels),
                      bonus=task.problem.bonus * cost)
    return replace(task, problem=problem, weight=task.weight * weight)


def _improved(task: Task, selection: Selection) -> np.ndarray:
    """The plan after every exchange that helps, private sites giving way as ever."""
    answer = anneal_from(task.problem, np.sort(selection.chosen), Effort(seed=task.params.seed, moves=0))
    if not len(answer.chosen):
        return np.sort(selection.chosen)
    return gave_way(task, answer)[0]


def at_most(share: float) -> str:
    """A share as an upper limit in percent: rounded up, so that it never reads as nothing when it is something.

    >>> at_most(0.0), at_most(0.000003), at_most(0.00003), at_most(0.0031), at_most(0.01234)
    ('0%', '0.0003%', '0.003%', '0.31%', '1.24%')
    """
    percent = 100.0 * share
    if percent <= 1e-7:
        return "0%"
    digits = max(2, -math.floor(math.log10(percent)))
    step = 10.0**digits
    return f"{math.ceil(percent * step * (1 - 1e-9)) / step:.{digits}f}%"


def stability_sentence(found: Stability) -> str:
    """How many sites change, and what that is worth."""
    changed = found.draws["changed"]
    total = len(found.kept_share)
    firm = int((found.kept_share == 1).sum())
    return (f"需求和造价各有{found.noise:.0%}随机误差时({len(found.draws)}次试算),{total}处站址平均更换{changed.mean():.1f}处、"
            f"最多{changed.max()}处;{firm}处每次都在;不改方案的目标值损失不超过{at_most(float(found.draws['regret'].max()))}。")
