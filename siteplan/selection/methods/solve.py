"""One way in: choose by a named method, and prove how far the choice can be from the best."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from siteplan.errors import ModelError
from siteplan.selection.methods.bound import prove
from siteplan.selection.methods.greedy import greedy
from siteplan.selection.methods.search import MANY_CELLS, anneal, anneal_from, swap
from siteplan.selection.methods.stages import stage_bounds, staged
from siteplan.selection.model import Answer, Effort, Problem
from siteplan.selection.model.count import breaches, value_of

if TYPE_CHECKING:
    from siteplan.selection.methods.bound import Proof

Method = Callable[[Problem, Effort], Answer]

EXACT_ENTRIES = 150_000
EXACT_UNKNOWNS = 4_000
"""Problems with at most so many entries (cells times candidates that serve them, merged) and unknowns (candidates and
merged cells) are searched exactly when the bound leaves a gap."""
LAST_ENTRIES = 1_000_000
"""Up to so many entries an exact search is tried when no other method finds a plan."""
EXACT_NODES = 2000
EXACT_SECONDS = 60.0
"""Most nodes of an exact search beside the other methods, and longest wall time where it is a last resort; what is cut
short is told."""
LEAST_SECONDS = 0.05
"""Every part of a search that is cut short by time still has so long, s."""
BELOW = 1e-7
"""A bound may lie below a value by so much, relatively, through rounding alone."""
CLOSED = 1e-9
"""A relative gap up to this is none: the sums are float64."""


@dataclass(frozen=True)
class Deadline(Effort):
    """An effort whose parts share one allowance of wall time."""

    until: float = np.inf


def _left(effort: Effort) -> Effort:
    """What is left of an effort now."""
    if not isinstance(effort, Deadline):
        return effort
    return replace(effort, seconds=max(effort.until - time.monotonic(), LEAST_SECONDS))


def _exact(problem: Problem, effort: Effort) -> Answer:
    from siteplan.selection.methods.exact import exact  # highspy takes its time to import

    return exact(problem, effort)


METHODS: Mapping[str, Method] = {"greedy": greedy, "swap": swap, "anneal": anneal, "exact": _exact}
"""Methods by name, one signature each."""


def solve(problem: Problem, method: str = "auto", effort: Effort | None = None) -> Answer:
    """Choose, and bound what any choice can reach.

    Parameters
    ----------
    problem : Problem
    method : str
        A name of ``METHODS``, or ``auto``: greedy and swap with the bound beside them; where a gap is left an exact
        search of what is small enough (``EXACT_ENTRIES``, ``EXACT_UNKNOWNS``, ``EXACT_NODES``), else annealing.
    effort : Effort, optional

    Returns
    -------
    Answer
        ``optimal`` only when the gap is closed or an exact search ended; the multipliers are there in either case, so
        that the bound can be recounted.

    Raises
    ------
    ModelError
        An unknown method.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]])))
    >>> answer = solve(cover_problem(reach, np.array([5.0, 3.0, 4.0]), 2))
    >>> answer.status, answer.chosen.tolist(), answer.value, answer.gap
    ('optimal', [0, 2], 12.0, 0.0)
    """
    if method != "auto" and method not in METHODS:
        raise ModelError(f"method {method!r} is none of auto, {', '.join(METHODS)}")
    asked = Effort() if effort is None else effort
    start = time.process_time()
    if asked.seconds is not None:
        asked = Deadline(**{**vars(asked), "until": time.monotonic() + asked.seconds})
    if problem.stages:
        answer = _solve_stages(problem, method, asked)
    else:
        answer = _solve_once(problem, method, asked)
    return replace(_checked(problem, answer), method=method, seed=asked.seed,
                   seconds=round(time.process_time() - start, 3))


def _solve_once(problem: Problem, method: str, effort: Effort) -> Answer:
    if method == "auto":
        quick = swap if problem.reach.cells <= MANY_CELLS else greedy
        plan = quick(problem, _left(effort))
        proof = prove(problem, _left(effort), _target(plan))
        answer = _with_proof(plan, proof.bound, (proof,), proof.infeasible)
        if not _settled(answer, effort) and (small(problem) or _last_resort(problem, answer)):
            answer = _searched(problem, answer, effort)
        if not _settled(answer, effort) and answer.status == "feasible":
            better = anneal_from(problem, answer.chosen, _left(effort), proof.profit)
            if better.value > answer.value:
                found = replace(better, bound=answer.bound, proof=answer.proof, cut=_joined(answer.cut, better.cut))
                answer = _with_proof(found, proof.bound, (proof,), False)
            else:
                answer = replace(answer, cut=_joined(answer.cut, better.cut))
        return answer
    plan = METHODS[method](problem, _left(effort))
    proof = prove(problem, _left(effort), _target(plan))
    return _with_proof(plan, proof.bound, (proof,), proof.infeasible)


def _solve_stages(problem: Problem, method: str, effort: Effort) -> Answer:
    proofs: list[Proof] = []
    share = 1.0 / len(problem.stages) if problem.reach.cells > MANY_CELLS else 1.0

    def bound_of(part: Problem) -> Proof:
        proofs.append(prove(part, replace(_left(effort), share=share)))
        return proofs[-1]

    def choose(part: Problem, how: Effort) -> Answer:
        if method != "auto" or len(part) != len(problem):
            return METHODS["anneal" if method == "auto" else method](part, _left(how))
        quick = swap if part.reach.cells <= MANY_CELLS else greedy
        plan = quick(part, _left(how))
        return plan if plan.status != "feasible" else anneal_from(part, plan.chosen, _left(how), proofs[-1].profit)

    bound, _ = stage_bounds(problem, bound_of)
    plan = METHODS["exact"](problem, _left(effort)) if method == "exact" else staged(problem, effort, choose)
    answer = _with_proof(plan, bound, tuple(proofs), any(proof.infeasible for proof in proofs))
    if method == "auto" and not _settled(answer, effort) and (small(problem) or _last_resort(problem, answer)):
        answer = _searched(problem, answer, effort)
    return answer


def _target(plan: Answer) -> float:
    return plan.value if plan.status in ("feasible", "optimal") else -np.inf


def _open(plan: Answer, bound: float, effort: Effort) -> bool:
    """Whether the bound leaves more of a gap than is good enough."""
    return bound - plan.value > max(effort.gap, CLOSED) * max(abs(plan.value), 1e-300)


def _joined(*cuts: str) -> str:
    """What was cut short, each thing once."""
    return ";".join(dict.fromkeys(part for cut in cuts for part in cut.split(";") if part))


def _with_proof(plan: Answer, bound: float, proofs: tuple[Proof, ...], infeasible: bool) -> Answer:
    """The plan with the better of its own bound and that of the multipliers, and the status that follows.

    A bound below the value of a plan that keeps every limit (to the tolerance of sums) proves nothing and is dropped.
    """
    multipliers = tuple(proof.multipliers for proof in proofs)
    facts = {**plan.facts, "multiplier_bound": float(bound)}
    plan = replace(plan, cut=_joined(plan.cut, *(proof.cut for proof in proofs)), facts=facts)
    if plan.status == "infeasible" or (plan.status == "unknown" and infeasible):
        return replace(plan, status="infeasible", multipliers=multipliers)
    if plan.status == "unknown":
        return replace(plan, bound=float(bound), multipliers=multipliers)
    if plan.status == "optimal":
        return replace(plan, multipliers=multipliers)
    if bound < plan.value - BELOW * max(1.0, abs(plan.value)):
        told = "限制的边缘在舍入误差以内,上界乘子不能证明什么"
        return replace(plan, multipliers=(), cut=_joined(plan.cut, told))
    best = min(plan.bound, float(bound))
    closed = best - plan.value <= CLOSED * max(abs(plan.value), 1e-300)
    return replace(plan, status="optimal" if closed else "feasible", bound=max(best, plan.value),
                   multipliers=multipliers, proof="multipliers" if bound <= plan.bound else plan.proof)


def _settled(answer: Answer, effort: Effort) -> bool:
    """Whether nothing is left to find: best or hopeless by proof, or near enough to the best."""
    return answer.status in ("optimal", "infeasible") or (
        answer.status == "feasible" and not _open(answer, answer.bound, effort))


def small(problem: Problem) -> bool:
    """Whether an exact search is likely to end soon."""
    from siteplan.selection.methods.exact import exact_size
    from siteplan.selection.methods.signatures import signature_sizes

    if exact_size(problem) > EXACT_ENTRIES:
        return False
    unknowns = len(problem) + len(signature_sizes(problem.reach))
    return unknowns * max(len(problem.stages), 1) <= EXACT_UNKNOWNS


def _last_resort(problem: Problem, answer: Answer) -> bool:
    """Whether an exact search may find a plan, or prove that there is none, where nothing else found one."""
    from siteplan.selection.methods.exact import exact_size

    return answer.status == "unknown" and exact_size(problem) <= LAST_ENTRIES


def _searched(problem: Problem, answer: Answer, effort: Effort) -> Answer:
    """What an exact search finds from a plan; its bound where that is the better one."""
    from siteplan.selection.methods.exact import search_exactly

    seconds = _left(effort).seconds  # without a wish for time only nodes are counted: the same answer on any machine
    if answer.status == "unknown" and not small(problem):
        seconds = EXACT_SECONDS if seconds is None else min(seconds, EXACT_SECONDS)
    known = answer if len(answer.chosen) else None
    found = search_exactly(problem, replace(effort, seconds=seconds), known, EXACT_NODES)
    if found.status in ("optimal", "infeasible"):
        return replace(found, multipliers=answer.multipliers, facts={**answer.facts, **found.facts})
    if found.status == "unknown" or found.value < answer.value:
        bound = min(found.bound, answer.bound)
        return replace(answer, bound=bound, proof=answer.proof if bound == answer.bound else "search",
                       cut=_joined(answer.cut, found.cut))
    better = min(found.bound, answer.bound)
    return replace(found, bound=better, proof="search" if better < answer.bound else answer.proof,
                   multipliers=answer.multipliers, facts={**answer.facts, **found.facts},
                   cut=_joined(answer.cut, found.cut))


def _checked(problem: Problem, answer: Answer) -> Answer:
    """The answer, its value recounted; a plan that breaks a limit is none."""
    if answer.status not in ("optimal", "feasible"):
        return answer
    stage = answer.stage if problem.stages else None
    broken = breaches(problem, answer.chosen, stage)
    if broken:
        return replace(answer, status="unknown", chosen=np.zeros(0, dtype=np.int64), stage=np.zeros(0, dtype=np.int32),
                       value=-np.inf, cut="所得方案不满足:" + "、".join(entry.zh or entry.name for entry in broken[:5]))
    return replace(answer, value=value_of(problem, answer.chosen, stage))
