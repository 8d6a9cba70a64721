"""Advice for wishes that cannot be fulfilled: which limits conflict, which one to relax, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from siteplan.selection.methods.advice_model import (
    Found,
    Limit,
    Programme,
    limits_of,
    merged_floors,
    rows_of,
    without_cells,
)
from siteplan.selection.methods.advice_words import NOT_SURE, Relaxation, floor_words, relax, relaxation, share_of
from siteplan.selection.model import Effort, Problem, Row
from siteplan.selection.model.count import TOLERANCE, breaches

__all__ = ["Advice", "Relaxation", "conflicts", "relax", "smallest_conflict"]
_ROUNDS = 20
_PATIENCE = 4.0
"""Greatest wall time for one try of a spacing, s."""
_QUICK_ENTRIES = 20_000
"""Merged cells times candidates up to which an integer programme is asked first: quick, and it tells more."""


@dataclass(frozen=True)
class Advice:
    """Why a problem has no plan, and what to do.

    Attributes
    ----------
    status : str
        ``infeasible`` (proved), ``feasible`` (a plan was found and recounted) or ``unknown``.
    conflicts : tuple of str
        Names of limits that cannot hold together, though any of them left out can.
    words : tuple of str
        The same limits in words.
    relaxations : tuple of Relaxation
        Each alone, all other limits kept; smallest first by what it is relative to its limit.
    combined : tuple of Relaxation
        All together, with the least sum of relative relaxations.
    cut : str
        What could not be settled, in Chinese; empty when nothing was.
    late : bool
        It was cut by the time allowed; more time may settle it.
    settled : bool
        Proved of every limit in conflict that has no relaxation of its own: relaxing it alone does not suffice.
    """

    status: str
    conflicts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()
    combined: tuple[Relaxation, ...] = ()
    cut: str = ""
    late: bool = False
    settled: bool = False

    @property
    def proved(self) -> bool:
        """Whether it is proved that no plan exists."""
        return self.status == "infeasible"


def conflicts(problem: Problem, effort: Effort | None = None, apart: NDArray[np.float64] | None = None) -> Advice:
    """Say which limits of a problem conflict, and how each could be relaxed.

    Limits are all rows (yearly ones too), required floors, wishes, mandatory and barred sites, spacing, groups and
    fixed years. Small problems are settled by integer programmes over cells merged by their candidates. Of larger
    ones, the rows (without floors and spacing), what all candidates reach of each floor, and the bound on what can be
    served of a floor under all other limits are looked at: what these show to be out of reach is proved impossible,
    else the status is ``unknown``.

    A floor should be required or stand in a wish, not both: relaxing it is judged as if the wish kept its own.

    Parameters
    ----------
    problem : Problem
    effort : Effort, optional
        Its seed, and its seconds (60 by default) for all solves together.
    apart : ndarray, shape (pairs,), optional
        How far the pairs of ``near`` stand apart, m; NaN: stays a pair whatever the spacing. Spacing alone is then
        relaxed to the greatest whole metres that do; without it, for the fewest pairs.

    Returns
    -------
    Advice

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model import Row
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> county = Row("county", np.array([0, 1], np.int32), np.ones(2), least=3.0, zh="甲县至少3处")
    >>> advice = conflicts(cover_problem(reach_of_matrix(sp.eye(4).tocsc()), np.ones(4), rows=(county,)))
    >>> advice.status, advice.conflicts
    ('infeasible', ('county',))
    >>> advice.relaxations[0].sentence
    '把“甲县至少3处”的下限从3处降到2处(减少1处)'
    """
    how = Effort() if effort is None else effort
    merged = merged_floors(problem)
    if merged is None or int(merged.reach.counts.sum()) > _QUICK_ENTRIES:
        proved = _beyond_reach(problem) or _by_rows(problem, how) or _by_bound(problem, how)
        if proved is not None:
            return proved
    if merged is not None:
        programme = Programme(merged, problem, how.seed, how.seconds)
        found = programme.ask(programme.limits)
        if found.says == "no":
            return _advised(problem, programme, complete=True, apart=apart)
        if programme.holds(problem, found):
            return Advice("feasible")
    reason = "问题规模太大,未能整体检验" if merged is None else "在限定时间内未能判定"
    return Advice("unknown", cut=f"{reason};未发现不可行,也未找到方案", late=merged is not None)


def _by_rows(problem: Problem, effort: Effort) -> Advice | None:
    """What rows and marks on candidates alone exclude."""
    programme = Programme(without_cells(problem), problem, effort.seed, effort.seconds)
    return _advised(problem, programme, complete=False) if programme.ask(programme.limits).says == "no" else None


def _by_bound(problem: Problem, effort: Effort) -> Advice | None:
    """A floor proved out of reach by multipliers; what a plan serves of it is advised, where one is found."""
    from siteplan.selection.methods.advice_bound import shortfall

    found = shortfall(problem, effort)
    if found is None:
        return None
    told = () if found.choice is None else tuple(
        replace(one, smallest=False) for one in [relaxation(problem, found.floor, found.choice, complete=True)]
        if one is not None and not breaches(relax(problem, [one]), found.choice.chosen,
                                            found.choice.stage if problem.stages else None))
    named = {limit.name for limit in found.limits}
    least = tuple(one for one in found.at_least if one.name in named and one.name not in {other.name for other in told})
    return Advice("infeasible", tuple(limit.name for limit in found.limits), tuple(limit.zh for limit in found.limits),
                  (*told, *least), told, "规模较大,冲突组合由上界证明,未必最小" + (";放宽幅度未必最小" if told else ""))


def smallest_conflict(limits: Sequence[Limit], fails: Callable[[Sequence[Limit]], bool]) -> list[Limit]:
    """Limits that fail together while any one left out does not; all of them fail together (QuickXplain, Junker 2004).

    >>> letters = [Limit(name, "", "row") for name in "abcdef"]
    >>> [limit.name for limit in smallest_conflict(letters, lambda part: {"b", "e"} <= {one.name for one in part})]
    ['b', 'e']
    """
    def search(held: list[Limit], fresh: bool, part: list[Limit]) -> list[Limit]:
        if fresh and fails(held):
            return []
        if len(part) <= 1:
            return part
        first, second = part[:len(part) // 2], part[len(part) // 2:]
        late = search(held + first, True, second)
        early = search(held + late, bool(late), first)
        return early + late

    return search([], True, list(limits))


def _advised(problem: Problem, programme: Programme, complete: bool, apart: NDArray[np.float64] | None = None,
             ) -> Advice:
    """Conflict, single relaxations, combined relaxation, from a programme that has no solution."""
    found = smallest_conflict(programme.limits, lambda held: programme.ask(held).says == "no")
    single = [one for limit in found if (one := _alone(problem, programme, limit, complete, apart)) is not None]
    single.sort(key=lambda one: one.amount / max(abs(one.from_value), 1e-9 if one.side == "share" else 1.0))
    rigid = [limit for limit in programme.limits if limit.kind == "barred"]
    choice = programme.ask(rigid, [limit for limit in programme.limits if limit not in rigid])
    combined = _broken(problem, choice, complete) if choice.says == "yes" else ()
    if complete and not programme.holds(relax(problem, combined), choice):
        combined = ()  # a row whose least is above its most
    return Advice("infeasible", tuple(limit.name for limit in found), tuple(limit.zh for limit in found), tuple(single),
                  combined, "限定时间用完,冲突组合或放宽幅度未必最小" if programme.cut else "", programme.cut,
                  not programme.cut)


def _alone(problem: Problem, programme: Programme, limit: Limit, complete: bool,
           apart: NDArray[np.float64] | None) -> Relaxation | None:
    """The least relaxation of one limit, all others kept; None where none suffices."""
    others = [other for other in programme.limits if other is not limit]
    row = rows_of(programme.problem, limit)[limit.index] if limit.kind == "row" else None
    shared = None if row is None else share_of(row)
    if limit.kind == "near" and apart is not None:
        choice = _widest(programme, others, limit, apart)
    elif row is None or shared is None:
        choice = programme.ask(others, [limit])
    else:
        choice = _best_share(programme, others, limit, row, shared)
    if choice.says != "yes":
        return None
    one = relaxation(problem, limit, choice, complete)
    if one is None or (complete and not programme.holds(relax(problem, [one]), choice)):
        return None
    return one


def _best_share(programme: Programme, others: list[Limit], limit: Limit, row: Row,
                shared: tuple[float, NDArray[np.float64]]) -> Found:
    """The choice with the greatest share, all other limits kept: Dinkelbach's method (1967)."""
    share, amount = shared
    free = np.where(row.amounts > 0, amount, 0.0)
    best = Found("no", np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32))
    for _ in range(_ROUNDS):
        favour = np.zeros(len(programme.klass))
        favour[row.candidates] = free - share * amount
        choice = programme.ask(others, favour=favour, at=limit)
        if choice.says != "yes":
            return best
        taken = np.isin(row.candidates, choice.chosen if limit.part != "new" else
                        choice.chosen[choice.stage == limit.stage])
        total = float(amount[taken].sum())
        if total == 0:
            return choice
        reached = float(free[taken].sum()) / total
        if best.says == "yes" and reached <= share + 1e-12:
            return replace(best, best=best.best and choice.best)
        best, share = choice, reached
    return replace(best, best=False)


def _widest(programme: Programme, others: list[Limit], limit: Limit, apart: NDArray[np.float64]) -> Found:
    """A choice that keeps the greatest spacing in whole metres that can be, all other limits kept: by halving.

    Pairs nearer than that are held, those whose distance is NaN too; where these cannot be, the fewest pairs give way.
    """
    def spaced(metres: int) -> Found:
        far = apart >= metres
        return programme.ask([*others, replace(limit, slack=limit.slack[~far])])

    programme.patience = _PATIENCE
    found, low, high, sure = spaced(0), 0, int(np.nan_to_num(apart).max(initial=0.0)) + 1, True
    while found.says == "yes" and high - low > 1:
        middle = (low + high) // 2
        choice = spaced(middle)
        sure &= choice.says != "unknown"
        if choice.says == "yes":
            found, low = choice, middle
        else:
            high = middle
    programme.patience = np.inf
    return replace(found, best=found.best and sure) if found.says == "yes" else programme.ask(others, [limit])


def _broken(problem: Problem, choice: Found, complete: bool) -> tuple[Relaxation, ...]:
    """What has to be relaxed for a choice, limit by limit."""
    every = (relaxation(problem, limit, choice, complete) for limit in limits_of(problem)
             if complete or limit.kind in ("row", "locked", "barred", "built_in"))
    return tuple(one for one in every if one is not None)


def _beyond_reach(problem: Problem) -> Advice | None:
    """Floors that all candidates together do not reach; barred ones count only where a floor fails without them."""
    if not any(floor.required for floor in problem.floors):
        return None
    free = Found("yes", np.flatnonzero(~problem.barred), np.zeros(0, dtype=np.int32), True)
    everybody = replace(free, chosen=np.arange(len(problem)))
    count, all_count = problem.reach.served(free.chosen), problem.reach.served(everybody.chosen)
    found: list[tuple[Limit, float, bool]] = []
    for limit in limits_of(problem):
        if limit.kind != "floor":
            continue
        floor = problem.floors[limit.index]
        has, could = (float(floor.weights[served[floor.cells] > 0].sum()) for served in (count, all_count))
        if has < floor.least - TOLERANCE * max(1.0, abs(floor.least)):
            found.append((limit, has, could >= floor.least - TOLERANCE * max(1.0, abs(floor.least))))
    if not found:
        return None
    limit, _, barred = found[0]
    every = tuple(Relaxation(
        one.name, one.zh, "least", problem.floors[one.index].least, has, problem.floors[one.index].least - has, "权重",
        floor_words(problem, one, has) + NOT_SURE, False, True) for one, has, _ in found)
    names, words = ((limit.name, "barred"), (limit.zh, "不可用站址")) if barred else ((limit.name,), (limit.zh,))
    return Advice("infeasible", names, words, every if len(every) == 1 else (), every, "只比较了全部候选能覆盖的上限,其他条件未检验")
