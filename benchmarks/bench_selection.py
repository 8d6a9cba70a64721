"""Selection with a proof: value, bound, gap, cpu seconds, wall seconds and memory on every instance with a bar.

``python benchmarks/bench_selection.py`` runs all but the peers; ``python benchmarks/bench_selection.py S M sjc city
city_limits peers`` runs some. ``--methods greedy,swap,auto`` compares methods, ``--seed`` takes another seed,
``--seconds`` cuts the search.
Every part runs in a process of its own, so that its peak memory (the instance included) is its own; kernels are warm.
Values and limits are counted again from the instance, whatever the method says. Gaps are asserted, times are printed.
The peers (spopt, HiGHS direct, OR-Tools on S) need packages that siteplan does not: see ``peers_selection.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that wait for others would count as cpu time

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from bench_coverage import peak_gib
from bench_demo import machine
from selection_instances import CHECKS, clustered, made, maxcover, reach_of_points, sjc, sjc_optima

from siteplan.selection.methods.solve import solve
from siteplan.selection.model import Effort, Problem
from siteplan.selection.model.count import breaches, value_of
from siteplan.selection.model.problem import cover_problem

# greatest gap; cpu seconds, wall seconds, GiB (None: no bar)
BARS: dict[str, tuple[float, float | None, float | None, float | None]] = {
    "S": (0.006, 1.0, None, None), "M": (0.013, 10.0, None, None), "L": (0.02, 60.0, None, None),
    "maxcover": (0.001, 1.0, None, None), "sjc": (0.001, 1.0, None, None), "customers": (0.0, 10.0, None, None),
    "city": (0.02, None, 60.0, 2.0), "city_limits": (0.04, None, 120.0, None)}
PARTS = (*BARS, "peers")
KNOWN = ("maxcover", "sjc")
HEAD = (f"{'instance':<18}{'method':<8}{'status':<11}{'value':>13}{'bound':>15}"
        f"{'gap %':>9}{'cpu s':>8}{'wall s':>8}{'MiB':>7}")


def cases(part: str) -> Iterator[tuple[str, Problem, float | None]]:
    """Instances of a part: name, problem, proved optimum where one is known."""
    if part == "maxcover":
        for number in range(4):
            problem, _, optimum = maxcover(number)
            yield f"maxcover {number}", problem, optimum
    elif part == "sjc":
        for case in sjc_optima().itertuples():
            yield (f"{case.instance} {case.R_m} {case.p}", sjc(str(case.instance), float(case.R_m), int(case.p)),
                   float(case.optimum))
    else:
        yield part, made(part), None


def warm_up() -> None:
    """Kernels compiled or loaded, highspy imported: none of it counts."""
    xy, weight, sites = clustered(np.random.default_rng(9), 150, 3000)
    problem = cover_problem(reach_of_points(xy, sites, 0.05), weight, 20)
    solve(problem, effort=Effort(moves=2000, passes=40, seconds=5.0))


def run_part(part: str, method: str, effort: Effort) -> list[dict[str, Any]]:
    """Solve every instance of a part; what came out, counted again."""
    warm_up()
    found = []
    for name, problem, optimum in cases(part):
        wall, cpu = time.perf_counter(), time.process_time()
        answer = solve(problem, method, effort)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        planned = answer.status in ("optimal", "feasible")
        stage = answer.stage if problem.stages else None
        broken = [entry.name for entry in breaches(problem, answer.chosen, stage)] if planned else ["no plan"]
        value = value_of(problem, answer.chosen, stage) if planned else float("nan")
        found.append({"name": name, "method": method, "status": answer.status, "value": value, "bound": answer.bound,
                      "gap": answer.bound / value - 1 if planned else float("inf"), "cpu": cpu, "wall": wall,
                      "mib": peak_gib() * 1024, "broken": broken, "optimum": optimum, "cut": answer.cut})
    return found


def in_process(part: str, method: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The same in a fresh process."""
    command = [sys.executable, __file__, "--part", part, "--methods", method, "--seed", str(options.seed)]
    command += [] if options.seconds is None else ["--seconds", str(options.seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChildProcessError(f"{part}, {method} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def line_of(one: dict[str, Any]) -> str:
    tail = f"  {one['cut']}" if one["cut"] else ""
    tail += f"  BREAKS {', '.join(one['broken'])}" if one["broken"] else ""
    return (f"{one['name']:<18}{one['method']:<8}{one['status']:<11}{one['value']:>13,.1f}{one['bound']:>15,.1f}"
            f"{100 * one['gap']:>9.3f}{one['cpu']:>8.2f}{one['wall']:>8.1f}{one['mib']:>7.0f}{tail}")


def judged_part(part: str, found: list[dict[str, Any]]) -> str:
    """The bars of a part, and on which side of them its worst instance is."""
    gap, cpu, wall, memory = BARS[part]
    far = max(distance(one) for one in found)
    words = [("from the optimum" if part in KNOWN else "gap", 100 * far, 100 * gap, "%")]
    words += [] if cpu is None else [("cpu", max(one["cpu"] for one in found), cpu, "s")]
    words += [] if wall is None else [("wall", max(one["wall"] for one in found), wall, "s")]
    words += [] if memory is None else [("memory", max(one["mib"] for one in found) / 1024, memory, "GiB")]
    told = [f"{word} {value:.3g} {unit} (bar {bar:g}: {'within' if value <= bar * (1 + 1e-9) + 1e-9 else 'OVER'})"
            for word, value, bar, unit in words]
    solved = sum(one["status"] == "optimal" for one in found)
    return f"  worst of {part}: {', '.join(told)}; {solved} of {len(found)} proved optimal"


def distance(one: dict[str, Any]) -> float:
    """How far a value is from the proved optimum, or can be from an unknown one."""
    if not one["value"] > 0:
        return float("inf")
    return float(one["gap"] if one["optimum"] is None else 1 - one["value"] / one["optimum"])


def faults(part: str, found: list[dict[str, Any]]) -> list[str]:
    """What is wrong, whatever the machine: limits broken, a bound below a known value, a gap over its bar."""
    told = []
    for one in found:
        best = max(one["value"], one["optimum"] or -np.inf)
        if one["broken"]:
            told.append(f"{one['name']} breaks {one['broken']}")
        if one["bound"] < best * (1 - 1e-9):
            told.append(f"{one['name']}: bound {one['bound']} is below {best}")
        if one["optimum"] is not None and one["value"] > one["optimum"] * (1 + 1e-9):
            told.append(f"{one['name']}: {one['value']} exceeds the proved optimum {one['optimum']}")
        if one["method"] == "auto" and not distance(one) <= BARS[part][0] + 1e-9:
            told.append(f"{one['name']}: {100 * distance(one):.3f} % is over the bar {100 * BARS[part][0]:g} %")
    return told


def measure(options: argparse.Namespace) -> tuple[str, list[str]]:
    """Table of the parts, and the faults."""
    lines, wrong = [machine(), HEAD], []
    for part in options.parts:
        if part == "peers":
            from peers_selection import measure as measure_peers

            lines.append(measure_peers(options.python, options.peer_seconds))
            continue
        if part in KNOWN and not (CHECKS / part).exists():
            lines.append(f"{part}: ../shared/checks/{part} is absent")
            continue
        for method in options.methods.split(","):
            try:
                found = in_process(part, method, options)
            except ChildProcessError as error:  # the other parts go on
                lines.append(str(error))
                wrong.append(str(error))
                continue
            lines += [line_of(one) for one in found]
            lines += [judged_part(part, found)] if method == "auto" else []
            wrong += faults(part, found)
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines), wrong


def asked(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all but peers by default")
    parser.add_argument("--methods", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--python", default=sys.executable, help="Python that has the peers")
    parser.add_argument("--peer-seconds", type=float, default=120.0)
    parser.add_argument("--part", choices=list(BARS), help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    options.parts = options.parts or list(BARS)
    return options


def test_selection(capsys: pytest.CaptureFixture[str]) -> None:
    text, wrong = measure(asked([]))
    with capsys.disabled():
        print("\n" + text)
    assert not wrong, "\n".join(wrong)


if __name__ == "__main__":
    arguments = asked()
    if arguments.part:
        how = Effort(arguments.seed, seconds=arguments.seconds)
        print(json.dumps(run_part(arguments.part, arguments.methods, how)))
    else:
        table, errors = measure(arguments)
        print(table)
        sys.exit("\n".join(errors) if errors else 0)
