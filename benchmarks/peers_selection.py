"""Other solvers on instance S beside siteplan: objective, bound, seconds, memory, each in a process of its own.

spopt's MCLP (PuLP with CBC), HiGHS called directly, and CP-SAT of OR-Tools, which cannot share a process with highspy.
They are not among the packages of siteplan: ``uv venv peers && uv pip install --python peers/bin/python spopt ortools
highspy`` outside of the repository, then ``python benchmarks/peers_selection.py --python peers/bin/python``.
``--seconds`` limits each solver (wall). What is absent is told. Plans are counted again from the instance.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

NEEDS = {"spopt": "spopt", "highs": "highspy", "cp-sat": "ortools", "siteplan": "siteplan"}
TITLES = {"spopt": "spopt MCLP + CBC", "highs": "HiGHS, 1 thread", "cp-sat": "CP-SAT, 2 workers",
          "siteplan": "siteplan, auto"}
ABSENT = 77


def with_spopt(cover: sp.csr_matrix, weight: np.ndarray, most: int, seconds: float) -> tuple[list[int], float, str]:
    import pulp
    from spopt.locate import MCLP

    cost = 1.0 - cover.toarray()  # it takes a dense matrix of clients x facilities
    model = MCLP.from_cost_matrix(cost, weight, 0.5, most)
    try:
        model = model.solve(pulp.PULP_CBC_CMD(msg=False, timeLimit=seconds, threads=1), results=False)
    except RuntimeError:  # how spopt says that there is no plan
        return [], float("nan"), pulp.LpStatus[model.problem.status]
    chosen = [site for site, variable in enumerate(model.fac_vars) if (variable.value() or 0) > 0.5]
    return chosen, float("nan"), pulp.LpStatus[model.problem.status]


def with_highs(cover: sp.csr_matrix, weight: np.ndarray, most: int, seconds: float) -> tuple[list[int], float, str]:
    import highspy

    points, sites = cover.shape
    matrix = sp.bmat([[-cover, sp.eye(points)], [sp.csr_matrix(np.ones((1, sites))), None]]).tocsr()
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = sites + points, points + 1
    model.col_cost_ = np.concatenate([np.zeros(sites), -weight])
    model.col_lower_, model.col_upper_ = np.zeros(sites + points), np.ones(sites + points)
    model.row_lower_ = np.full(points + 1, -np.inf)
    model.row_upper_ = np.append(np.zeros(points), most)
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    model.integrality_ = [highspy.HighsVarType.kInteger] * sites + [highspy.HighsVarType.kContinuous] * points
    solver = highspy.Highs()
    for name, value in (("output_flag", False), ("threads", 1), ("time_limit", seconds)):
        solver.setOptionValue(name, value)
    solver.passModel(model)
    solver.run()
    values = np.asarray(solver.getSolution().col_value[:sites])
    return (np.flatnonzero(values > 0.5).tolist(), -solver.getInfo().mip_dual_bound,
            solver.modelStatusToString(solver.getModelStatus()))


def with_cp_sat(cover: sp.csr_matrix, weight: np.ndarray, most: int, seconds: float) -> tuple[list[int], float, str]:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    opened = [model.new_bool_var("") for _ in range(cover.shape[1])]
    served = [model.new_bool_var("") for _ in range(cover.shape[0])]
    for point, one in enumerate(served):
        near = cover.indices[cover.indptr[point]:cover.indptr[point + 1]]
        model.add_bool_or([*(opened[site] for site in near), one.Not()])
    model.add(sum(opened) <= most)
    model.maximize(cp_model.LinearExpr.weighted_sum(served, weight.astype(int).tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds, solver.parameters.num_workers = seconds, 2
    status = solver.solve(model)
    chosen = [site for site, one in enumerate(opened) if solver.value(one)] if status in (
        cp_model.OPTIMAL, cp_model.FEASIBLE) else []
    return chosen, solver.best_objective_bound, solver.status_name(status)


def with_siteplan(cover: sp.csr_matrix, weight: np.ndarray, most: int, seconds: float) -> tuple[list[int], float, str]:
    from bench_selection import warm_up

    from siteplan.selection.methods.solve import solve
    from siteplan.selection.model import Effort
    from siteplan.selection.model.problem import cover_problem
    from siteplan.selection.model.reach import reach_of_matrix

    warm_up()
    global STARTED  # noqa: PLW0603 - kernels are warm from here on
    STARTED = clock()
    answer = solve(cover_problem(reach_of_matrix(cover.tocsc()), weight, most), effort=Effort(seconds=seconds))
    return answer.chosen.tolist(), answer.bound, answer.status


SOLVERS: dict[str, Callable[..., tuple[list[int], float, str]]] = {
    "spopt": with_spopt, "highs": with_highs, "cp-sat": with_cp_sat, "siteplan": with_siteplan}


def clock() -> tuple[float, float]:
    """Wall and cpu seconds, children included."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used)


STARTED = clock()


def solved(name: str, file: str, seconds: float) -> dict[str, Any]:
    """One solver on the instance of a file; all it does after the imports counts, building its model too."""
    try:
        __import__(NEEDS[name])
    except ImportError:
        sys.exit(ABSENT)
    with np.load(file) as stored:
        ones = np.ones(len(stored["indices"]))
        cover = sp.csr_matrix((ones, stored["indices"], stored["indptr"]), shape=stored["shape"])
        weight, most = stored["weight"], int(stored["most"])
    global STARTED  # noqa: PLW0603
    STARTED = clock()
    chosen, bound, status = SOLVERS[name](cover, weight, most, seconds)
    wall, cpu = (after - before for after, before in zip(clock(), STARTED, strict=True))
    if len(chosen) > most:
        raise ValueError(f"{name} opens {len(chosen)} of {most}")
    memory = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    count = np.asarray(cover[:, chosen].sum(axis=1)).ravel() if chosen else np.zeros(cover.shape[0])
    return {"value": float(weight[count > 0].sum()), "bound": bound, "status": status, "cpu": cpu, "wall": wall,
            "mib": memory}


def line_of(name: str, one: dict[str, Any]) -> str:
    bound = "none" if np.isnan(one["bound"]) else f"{one['bound']:,.0f}"
    open_gap = np.isnan(one["bound"]) or not one["value"]
    gap = "unknown" if open_gap else f"{100 * (one['bound'] / one['value'] - 1):.2f} %"
    return (f"{TITLES[name]:<20}{one['value']:>11,.0f}  bound {bound:>9}  gap {gap:>8}  {one['cpu']:7.1f} cpu s "
            f"{one['wall']:6.1f} wall s {one['mib']:6.0f} MiB  says {one['status']!r}")


def measure(python: str, seconds: float = 120.0, names: tuple[str, ...] = tuple(SOLVERS)) -> str:
    """Every solver on S; siteplan with the Python that runs this."""
    sys.path.insert(0, str(Path(__file__).parent))
    from selection_instances import instance

    problem, most = instance("S")
    cover = problem.reach.matrix().tocsr()
    lines = [f"S with a limit of {seconds:g} s for each solver (building its model comes on top)"]
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "S.npz")
        np.savez(file, indices=cover.indices, indptr=cover.indptr, shape=cover.shape, weight=problem.weight, most=most)
        for name in names:
            command = [sys.executable if name == "siteplan" else python, __file__, "--solve", name, file,
                       "--seconds", str(seconds)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == ABSENT:
                lines.append(f"{TITLES[name]:<20}absent: {python} has no {NEEDS[name]}")
            elif done.returncode:
                lines.append(f"{TITLES[name]:<20}failed: {done.stderr.strip().splitlines()[-1]}")
            else:
                lines.append(line_of(name, json.loads(done.stdout.splitlines()[-1])))
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="Python that has the peers")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--solve", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.solve:
        print(json.dumps(solved(*arguments.solve, arguments.seconds)))
    else:
        print(measure(arguments.python, arguments.seconds))
