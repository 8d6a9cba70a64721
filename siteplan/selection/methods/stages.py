"""Plans in phases: which sites in all, and which of them in which year."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from siteplan.selection.methods.compact import compacted
from siteplan.selection.methods.stage_moves import improve_years, mend_years
from siteplan.selection.model import Answer, Effort, Multipliers, Problem, Row
from siteplan.selection.model.count import breaches, value_of
from siteplan.selection.model.problem import relaxed

if TYPE_CHECKING:
    from siteplan.selection.methods.bound import Proof

Choose = Callable[[Problem, Effort], Answer]

FORWARD_INTERVALS = 2_000_000
"""Problems with more intervals of reach are planned forwards only when planning backwards finds nothing: forwards,
every year is a choice among all candidates."""


@dataclass(frozen=True, eq=False)
class _Draft:
    """A plan on trial: the year (stage) of each candidate, -1 = not chosen; what stopped it; what was cut short."""

    stage: NDArray[np.int32]
    status: str = "feasible"
    cut: str = ""


def staged(problem: Problem, effort: Effort, choose: Choose) -> Answer:
    """A plan in phases by a method for one phase.

    Backwards: what stands at the end is chosen first, then year by year what of it stands a year earlier. Forwards:
    the first year is chosen first, and every later one around what stands. The better plan is taken, broken yearly
    limits are mended, and sites change their years as long as service grows.

    Parameters
    ----------
    problem : Problem
    effort : Effort
        Of each call of ``choose``.
    choose : callable
        A method for a problem without stages.

    Returns
    -------
    Answer
        ``feasible`` with no bound (:func:`stage_bounds` gives one); ``infeasible`` where ``choose`` proves that one
        year alone cannot be planned; ``unknown`` otherwise.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.methods.exact import exact
    >>> from siteplan.selection.model import Stage
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> one = (Row("yearly", np.arange(3), np.ones(3), most=1.0),)
    >>> problem = cover_problem(reach_of_matrix(sp.eye(3).tocsc()), np.array([1.0, 3.0, 2.0]), 2,
    ...                         stages=(Stage(2027, 0.6, new=one), Stage(2028, 0.4, new=one)))
    >>> answer = staged(problem, Effort(), exact)
    >>> answer.chosen.tolist(), answer.stage.tolist(), answer.value
    ([1, 2], [0, 1], 3.8)
    """
    if not problem.stages:
        return choose(problem, effort)
    clock = time.process_time()
    drafts = {"backwards": _backwards(problem, effort, choose)}
    answers = {"backwards": _finished(problem, drafts["backwards"])}
    few = len(problem.reach.first) <= FORWARD_INTERVALS
    if drafts["backwards"].status != "infeasible" and (few or answers["backwards"].status != "feasible"):
        drafts["forwards"] = _forwards(problem, effort, choose)
        answers["forwards"] = _finished(problem, drafts["forwards"])
    way = max(answers, key=lambda name: (answers[name].status == "feasible", answers[name].value))
    answer = answers[way]
    if answer.status != "feasible" and any(draft.status == "infeasible" for draft in drafts.values()):
        answer = replace(answer, status="infeasible", proof="search")
    cuts = dict.fromkeys(draft.cut for draft in drafts.values() if draft.cut)
    return replace(answer, method="staged", seed=effort.seed, seconds=time.process_time() - clock, cut="；".join(cuts),
                   facts={**answer.facts, "way": way})


def stage_bounds(problem: Problem, prove: Callable[[Problem], Proof]) -> tuple[float, tuple[Multipliers, ...]]:
    """What no plan in phases exceeds: the sum over the stages of the bound of each stage alone.

    ``prove`` bounds a problem without stages (``methods.bound.prove``); the multipliers are those of the stages in
    their order, or of the problem itself where it has none.
    """
    proofs = [prove(relaxed(problem, number)) for number in range(max(len(problem.stages), 1))]
    return float(sum(proof.bound for proof in proofs)), tuple(proof.multipliers for proof in proofs)


def _finished(problem: Problem, draft: _Draft) -> Answer:
    """The draft mended, improved and recounted."""
    chosen = np.flatnonzero(draft.stage >= 0)
    stage, moves = draft.stage[chosen], 0
    nothing = Answer("unknown", np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), -np.inf)
    if draft.status != "feasible":
        return nothing
    if breaches(problem, chosen, stage):
        stage = mend_years(problem, chosen, stage)
        if breaches(problem, chosen, stage):
            return nothing
    stage, moves = improve_years(problem, chosen, stage)
    if breaches(problem, chosen, stage):
        return nothing
    return Answer("feasible", chosen, stage, value_of(problem, chosen, stage), facts={"year_moves": moves})


def stage_problem(problem: Problem, number: int) -> Problem:
    """The relaxed problem of a stage with what follows for it besides: no plan in phases is lost.

    What stands stays, so lower limits of earlier years hold on, and what is built in one year at least stands at the
    end of it; rivals of locked sites stand in no year.
    """
    base = relaxed(problem, number)
    rows = [*base.rows, *_lower_limits(problem, number)]
    rows = [replace(row, name=f"{row.name}#{place}") for place, row in enumerate(rows)]
    last = number == len(problem.stages) - 1
    barred = base.barred if last else base.barred | _rivals(problem)
    return replace(base, rows=tuple(rows), barred=barred, built_in=np.full(len(problem), -1, dtype=np.int32))


def _lower_limits(problem: Problem, number: int) -> list[Row]:
    """Lower limits on what stands at the end of a stage that follow from those of earlier years."""
    found = [replace(row, most=np.inf) for year in problem.stages[:number] for row in year.on_air
             if np.isfinite(row.least) and (row.amounts >= 0).all()]
    yearly: dict[str, Row] = {}
    for year in problem.stages[:number + 1]:
        for row in year.new:
            if not np.isfinite(row.least) or row.least <= row.already or (row.amounts < 0).any():
                continue
            same = yearly.get(row.name)
            if same is None:
                yearly[row.name] = replace(row, least=row.least - row.already, most=np.inf, already=0.0)
            elif np.array_equal(same.candidates, row.candidates) and np.array_equal(same.amounts, row.amounts):
                yearly[row.name] = replace(same, least=same.least + row.least - row.already)
    return [*found, *yearly.values()]


def _rivals(problem: Problem) -> NDArray[np.bool_]:
    """Candidates too near to a locked one, or of its group."""
    rival = np.zeros(len(problem), dtype=bool)
    if len(problem.near):
        first, second = problem.near[:, 0], problem.near[:, 1]
        rival[second[problem.locked[first]]] = True
        rival[first[problem.locked[second]]] = True
    own = problem.group[problem.locked]
    rival |= np.isin(problem.group, own[own >= 0])
    return rival & ~problem.locked


def _backwards(problem: Problem, effort: Effort, choose: Choose) -> _Draft:
    stage = np.full(len(problem), -1, dtype=np.int32)
    last = len(problem.stages) - 1
    final = choose(stage_problem(problem, last), effort)
    if final.status not in ("feasible", "optimal"):
        return _Draft(stage, final.status, final.cut)
    inside, cuts = final.chosen, [final.cut]
    stage[inside] = last
    for number in range(last - 1, -1, -1):
        part = _inside(problem, number, inside)
        answer = choose(part, effort)
        if answer.status not in ("feasible", "optimal"):  # upper limits alone; what is missing is mended afterwards
            rows = tuple(replace(row, least=-np.inf) for row in part.rows if (row.amounts >= 0).all())
            answer = choose(replace(part, rows=rows), effort)
        good = answer.status in ("feasible", "optimal")
        inside = inside[answer.chosen if good else part.locked]
        cuts.append(answer.cut)
        stage[inside] = number
    return _Draft(stage, cut="；".join(dict.fromkeys(cut for cut in cuts if cut)))


def _inside(problem: Problem, number: int, later: NDArray[np.int64]) -> Problem:
    """The problem of a stage among what stands a year later, so that the later year's own limits can be kept."""
    base = stage_problem(problem, number)
    rows = [*base.rows]
    for row in problem.stages[number + 1].new:
        total = row.already + float(row.amounts[np.isin(row.candidates, later)].sum())
        rows.append(replace(row, name=f"{row.name}#{len(rows)}", least=total - row.most, most=total - row.least,
                            already=0.0))
    fixed = problem.built_in[later]
    locked = base.locked[later] | ((fixed >= 0) & (fixed <= number))
    return compacted(replace(
        base, reach=base.reach.pick(later), bonus=base.bonus[later], locked=locked, barred=fixed > number,
        rows=tuple(picked_row(row, later, len(problem)) for row in rows), group=np.full(len(later), -1, dtype=np.int32),
        near=np.zeros((0, 2), dtype=np.int32), built_in=np.full(len(later), -1, dtype=np.int32), names=()))


def picked_row(row: Row, numbers: NDArray[Any], count: int) -> Row:
    """The row over some of the candidates (ascending), numbered anew; ``count`` candidates there were."""
    place = np.full(count, -1, dtype=np.int32)
    place[numbers] = np.arange(len(numbers))
    own = place[row.candidates]
    return replace(row, candidates=own[own >= 0], amounts=row.amounts[own >= 0])


def _forwards(problem: Problem, effort: Effort, choose: Choose) -> _Draft:
    stage = np.full(len(problem), -1, dtype=np.int32)
    cuts: list[str] = []
    for number in range(len(problem.stages)):
        base, stands = stage_problem(problem, number), stage >= 0
        rows = [*base.rows]
        for row in problem.stages[number].new:
            before = float(row.amounts[stands[row.candidates]].sum())
            rows.append(replace(row, name=f"{row.name}#{len(rows)}", least=row.least + before, most=row.most + before))
        late = (problem.built_in >= 0) & (problem.built_in < number) & ~stands
        answer = choose(replace(base, rows=tuple(rows), locked=base.locked | stands, barred=base.barred | late), effort)
        cuts.append(answer.cut)
        if answer.status not in ("feasible", "optimal"):
            proved = answer.status == "infeasible" and number == 0  # later years depend on what was chosen before
            return _Draft(stage, "infeasible" if proved else "unknown", answer.cut)
        new = answer.chosen[~stands[answer.chosen]]
        stage[new] = number
    return _Draft(stage, cut="；".join(dict.fromkeys(cut for cut in cuts if cut)))
