"""Most coverage first, then the fewest private sites, then the least cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from siteplan.selection.methods.solve import solve
from siteplan.selection.model import Answer, Effort, Floor, Problem
from siteplan.selection.model.count import service
from siteplan.selection.task import Task


def fewest_private(task: Task, effort: Effort) -> tuple[Task, Answer]:
    """Of the plans that serve nearly as much as the best one, that with the fewest private sites, then the cheapest.

    Parameters
    ----------
    task : Task
        Of a coverage objective; ``params.lexicographic_slack`` says what "nearly" is.
    effort : Effort

    Returns
    -------
    task : Task
        The second question: coverage as a floor, and as price of a site its cost, of a private one more than all sites
        together cost besides, so that one private site less outweighs any cost.
    answer : Answer
        Its answer (the first one where there is no plan), with years as the coverage asks for them; ``facts`` tells
        ``first_value``, ``first_bound`` and ``first_gap`` of the coverage.
    """
    first = solve(task.problem, task.params.method, effort)
    if first.status not in ("optimal", "feasible"):
        return task, first
    problem = task.problem
    cells = np.flatnonzero(problem.weight > 0)
    least = (1.0 - task.params.lexicographic_slack) * service(replace(problem, backup=0.0), first.chosen)
    floor = Floor("best_coverage", cells, problem.weight[cells], least, True,
                  f"服务需求不低于首轮最优的{1 - task.params.lexicographic_slack:.1%}")
    price = task.cost + np.where(task.public, 0.0, float(task.cost.sum()) + 1.0)
    second = replace(problem, weight=np.zeros(len(problem.weight)), bonus=-price, floors=(*problem.floors, floor))
    answer = solve(second, task.params.method, effort)
    if problem.stages and answer.status in ("optimal", "feasible"):
        answer = replace(answer, stage=_years(problem, answer, effort))
    told = {"first_value": first.value, "first_bound": first.bound, "first_gap": first.gap}
    return replace(task, problem=second, price=price), replace(answer, facts={**answer.facts, **told})


def _years(problem: Problem, answer: Answer, effort: Effort) -> NDArray[np.int32]:
    """Years in which the chosen sites serve most; the second question does not care when they are built."""
    chosen = np.zeros(len(problem), dtype=bool)
    chosen[answer.chosen] = True
    dated = solve(replace(problem, locked=chosen, barred=~chosen), "swap", effort)
    return dated.stage if len(dated.chosen) == len(answer.chosen) else answer.stage
