"""Exact search: the problem as an integer program, solved by HiGHS, and everything it says recounted."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siteplan.errors import ModelError
from siteplan.selection.methods.integer_program import Program, completed, integer_program
from siteplan.selection.methods.signatures import merge_signatures, segment_starts, signature_sizes
from siteplan.selection.model import Answer, Effort, Problem
from siteplan.selection.model.count import breaches, value_of

AGREES = 1e-6
"""Relative difference of the solver's value and the recounted one up to which its answer is trusted."""
CLOSED = 1e-9
"""Relative gap up to which a plan is the best one."""
_MOST_SEGMENTS = 3_000_000
_TOLERANCE = 1e-9
_ABSOLUTE_GAP = 1e-7
_COST_BITS = 10
_PRESOLVE = ("off", "on")


def exact_size(problem: Problem) -> int:
    """Entries of the integer program (cells after merging times their candidates, in each stage), roughly.

    Where runs of equal cells alone are too many to compare, the entries of these runs: an upper estimate.

    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> exact_size(cover_problem(reach_of_matrix(sp.csc_matrix(np.ones((50, 3)))), np.ones(50), 2))
    7
    """
    starts = segment_starts(problem.reach)
    if len(starts) > _MOST_SEGMENTS:
        number = np.searchsorted(starts, np.append(problem.reach.first, problem.reach.end))
        half = len(problem.reach.first)
        entries = int((number[half:] - number[:half]).sum()) + len(starts)
    else:
        sizes = signature_sizes(problem.reach)
        entries = int(sizes.sum()) + len(sizes)
    yearly = sum(len(row.candidates) for year in problem.stages for row in (*year.on_air, *year.new))
    limits = sum(len(row.candidates) for row in problem.rows) + 2 * len(problem.near)
    return entries * max(len(problem.stages), 1) + limits + yearly


def exact(problem: Problem, effort: Effort) -> Answer:
    """The best choice, proved.

    Parameters
    ----------
    problem : Problem
        Up to some hundred thousand entries (:func:`exact_size`).
    effort : Effort
        ``seconds`` is a limit of wall time, ``gap`` a relative gap that is good enough.

    Returns
    -------
    Answer
        ``optimal`` only when the search ended, its plan keeps every limit by our own count, and its bound is within
        1e-9 of the recounted value; a search that was cut is ``feasible`` with the bound reached, or ``unknown``.

    Raises
    ------
    ModelError
        The solver refuses the model.

    References
    ----------
    HiGHS: Q. Huangfu, J. A. J. Hall (2018), Parallelizing the dual revised simplex method, Math. Prog. Comp. 10.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]])))
    >>> answer = exact(cover_problem(reach, np.array([5.0, 3.0, 4.0]), 2), Effort())
    >>> answer.status, answer.chosen.tolist(), answer.value
    ('optimal', [0, 2], 12.0)
    """
    return search_exactly(problem, effort)


def search_exactly(problem: Problem, effort: Effort, start: Answer | None = None,
                   most_nodes: int | None = None) -> Answer:
    """The same from a plan that is known already, and with a limit on the nodes of the search.

    HiGHS searches without its presolve: merged cells leave it little to find (on 36 instances of 324 to 500 sites it
    took more than half of the time), and it was wrong in the past (its issues 1273, 1710, 3094). It is asked again,
    with presolve, when what it says does not stand the recount.
    """
    clock, wall = time.process_time(), time.monotonic()
    merged, number = merge_signatures(problem)
    facts = {"cells": problem.reach.cells, "signatures": merged.reach.cells, "left_out_cells": int((number < 0).sum())}
    program = integer_program(merged)
    known = _known(problem, start)
    if (program.lower > program.upper).any() or (program.least > program.most).any():
        answer, runs = _answer("infeasible", proof="search"), 0
    else:
        answer, runs = _searched(problem, merged, program, (effort, wall, known, most_nodes))
    return replace(answer, method="exact", seed=effort.seed, seconds=time.process_time() - clock,
                   facts={**facts, **answer.facts, "runs": runs})


def _searched(problem: Problem, merged: Problem, program: Program,
              asked: tuple[Effort, float, Answer | None, int | None]) -> tuple[Answer, int]:
    """The answer of the first run that can be trusted, and how many there were."""
    effort, wall, known, most_nodes = asked
    first = None if known is None else completed(program, merged, known.chosen, known.stage)
    told: list[Answer] = []
    for presolve in _PRESOLVE:
        seconds = None if effort.seconds is None else max(effort.seconds - (time.monotonic() - wall), 0.0)
        run = _run(program, effort, (presolve, seconds, most_nodes), first)
        told.append(_judged(problem, program, run, known, effort))
        if told[-1].facts["trusted"]:
            break
    answer = told[-1]
    if not answer.facts["trusted"]:
        answer = _undecided(told, known)
    return answer, len(told)


@dataclass(frozen=True, eq=False)
class _Run:
    """What HiGHS says: its status word, values of the variables (None without a solution), objective, bound."""

    status: str
    values: NDArray[np.float64] | None
    value: float
    bound: float
    nodes: int
    presolve: str


def _run(program: Program, effort: Effort, how: tuple[str, float | None, int | None],
         first: NDArray[np.float64] | None) -> _Run:
    import highspy  # heavy, and only wanted here

    presolve, seconds, nodes = how
    if not len(program.cost):
        return _Run("kOptimal", np.zeros(0), 0.0, 0.0, 0, presolve)
    scale = _cost_scale(program.cost)
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {
        "output_flag": False, "threads": 1, "parallel": "off", "random_seed": int(effort.seed) % (2**31 - 1),
        "presolve": presolve, "mip_rel_gap": float(effort.gap), "mip_abs_gap": _ABSOLUTE_GAP,
        "mip_feasibility_tolerance": _TOLERANCE, "primal_feasibility_tolerance": _TOLERANCE,
        "dual_feasibility_tolerance": _TOLERANCE}
    if seconds is not None:
        options["time_limit"] = float(seconds)
    if nodes is not None:
        options["mip_max_nodes"] = int(nodes)
    for name, value in options.items():
        solver.setOptionValue(name, value)
    _pass(solver, program, scale)
    if first is not None:
        solver.setSolution(len(first), np.arange(len(first), dtype=np.int32), first)
    solver.run()
    info, status = solver.getInfo(), solver.getModelStatus().name
    solution = solver.getSolution()
    values = np.asarray(solution.col_value) if solution.value_valid else None
    if values is not None and (len(values) != len(program.cost) or not np.isfinite(info.objective_function_value)):
        values = None
    return _Run(status, values, info.objective_function_value / scale, info.mip_dual_bound / scale,
                int(info.mip_node_count), presolve)


def _pass(solver: Any, program: Program, scale: float) -> None:
    import highspy

    matrix = program.matrix
    told = solver.passModel(
        len(program.cost), len(program.least), matrix.nnz, int(highspy.MatrixFormat.kRowwise),
        int(highspy.ObjSense.kMaximize), 0.0, program.cost * scale, program.lower, program.upper, program.least,
        program.most, matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data,
        program.whole.astype(np.int32))
    if told == highspy.HighsStatus.kError:
        raise ModelError("the exact search refuses this model: weights, prices and amounts must be finite")


def _cost_scale(cost: NDArray[np.float64]) -> float:
    """A power of two that brings the greatest coefficient near 1000, so that absolute tolerances mean something."""
    greatest = float(np.abs(cost).max(initial=0.0))
    return float(2.0 ** (_COST_BITS - np.frexp(greatest)[1])) if greatest else 1.0


def _known(problem: Problem, start: Answer | None) -> Answer | None:
    """The plan to start from; none when it breaks a limit."""
    if start is None or start.status not in ("feasible", "optimal") or breaches(problem, start.chosen, start.stage):
        return None
    return replace(start, value=value_of(problem, start.chosen, start.stage))


def _judged(problem: Problem, program: Program, run: _Run, known: Answer | None, effort: Effort) -> Answer:
    """What the run proves by our own count; ``facts["trusted"]`` False: ask again in the other way."""
    ended = run.status == "kOptimal"
    facts = {"nodes": run.nodes, "presolve": run.presolve, "solver_status": run.status, "trusted": True}
    if run.status in ("kInfeasible", "kUnboundedOrInfeasible"):
        proved = run.status == "kInfeasible" and known is None
        return _answer("infeasible" if proved else "unknown", proof="search" if proved else "",
                       facts={**facts, "trusted": proved})
    cut = "" if ended else _cut_words(run.status, effort)
    bound = run.bound if np.isfinite(run.bound) else np.inf
    plan = _plan(problem, run)
    if plan is None or (known is not None and known.value > plan.value):
        plan = known if not ended else plan
    if plan is None:
        return _answer("unknown", bound=np.inf if ended else bound, cut=cut, facts={**facts, "trusted": not ended})
    room = AGREES * max(abs(plan.value), CLOSED * float(np.abs(program.cost).sum()))
    agrees = (not ended or abs(plan.value - run.value) <= room) and plan.value <= bound + room
    if known is not None and ended and known.value > plan.value + room:
        agrees = False
    if not agrees:
        return replace(plan, status="feasible", bound=np.inf, proof="", cut=cut, facts={**facts, "trusted": False})
    closed = bound - plan.value <= CLOSED * max(abs(plan.value), CLOSED * float(np.abs(program.cost).sum()))
    return replace(plan, status="optimal" if ended and closed else "feasible", bound=max(bound, plan.value), cut=cut,
                   proof="search" if np.isfinite(bound) else "", multipliers=(), facts=facts)


def _plan(problem: Problem, run: _Run) -> Answer | None:
    """The solver's plan, rounded, recounted; None when it breaks a limit."""
    if run.values is None:
        return None
    years = max(len(problem.stages), 1)
    standing = run.values[:len(problem) * years].reshape(years, len(problem)) > 0.5
    chosen = np.flatnonzero(standing[-1])
    stage = np.asarray(np.argmax(standing[:, chosen], axis=0), dtype=np.int32)
    if breaches(problem, chosen, stage):
        return None
    return _answer("feasible", chosen, stage, value_of(problem, chosen, stage))


def _cut_words(status: str, effort: Effort) -> str:
    if status == "kTimeLimit":
        return f"到达用时上限（{effort.seconds or 0:g}秒），精确搜索未做完"
    if status == "kSolutionLimit":
        return "到达搜索节点上限，精确搜索未做完"
    if status == "kMemoryLimit":
        return "到达内存上限，精确搜索未做完"
    return f"精确搜索中断（{status}）"


def _undecided(told: list[Answer], known: Answer | None) -> Answer:
    """Two runs that disagree, or cannot be checked: the best plan that is known, nothing proved."""
    plans = [answer for answer in (*told, known) if answer is not None and answer.status in ("feasible", "optimal")]
    cut = "求解器两次结果未通过复核，上界不予采用"
    if plans:
        best = max(plans, key=lambda answer: answer.value)
        return replace(best, status="feasible", bound=np.inf, multipliers=(), proof="", cut=cut)
    return replace(told[-1], status="unknown", bound=np.inf, proof="", cut=cut)


def _answer(status: str, chosen: NDArray[Any] | None = None, stage: NDArray[Any] | None = None, value: float = -np.inf,
            **more: Any) -> Answer:
    return Answer(status, np.zeros(0, dtype=np.int64) if chosen is None else chosen,
                  np.zeros(0, dtype=np.int32) if stage is None else stage, value, **more)
