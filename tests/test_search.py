"""Greedy, swap search and annealing against brute force, plain twins and hand-worked towns."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplan.errors import ModelError
from siteplan.selection.methods import heat
from siteplan.selection.methods.compact import compacted
from siteplan.selection.methods.greedy import greedy, greedy_order
from siteplan.selection.methods.search import anneal, anneal_from, swap
from siteplan.selection.methods.solve import solve
from siteplan.selection.model import Effort, Floor, Problem, Row, Stage, Wanted
from siteplan.selection.model.count import breaches, value_of
from siteplan.selection.model.problem import cover_problem
from siteplan.selection.model.reach import reach_of_matrix

METHODS = {"greedy": greedy, "swap": swap, "anneal": anneal}
QUICK = Effort(moves=800, threads=1)


def town(cells, weight, most=None, **more) -> Problem:
    """A problem from a matrix written cell by cell: 1 where the candidate of the column serves."""
    return cover_problem(reach_of_matrix(sp.csc_matrix(np.array(cells))), np.array(weight, dtype=float), most, **more)


def brute(problem: Problem) -> float | None:
    """Best value within all limits, by trying every choice; None where no choice keeps them."""
    best = None
    for size in range(len(problem) + 1):
        for choice in itertools.combinations(range(len(problem)), size):
            chosen = np.array(choice, dtype=np.int64)
            if not breaches(problem, chosen):
                value = value_of(problem, chosen)
                best = value if best is None else max(best, value)
    return best


def numbers(values) -> np.ndarray:
    return np.array(values, dtype=np.int32)


@st.composite
def small_problems(draw) -> Problem:
    """Up to 7 candidates and 10 cells with any of the limits."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    count, cells = int(rng.integers(2, 8)), int(rng.integers(2, 11))
    matrix = (rng.random((cells, count)) < 0.35).astype(float)
    everyone = np.arange(count, dtype=np.int32)
    has = {kind: draw(st.booleans()) for kind in
           ("price", "backup", "budget", "least", "share", "floor", "wanted", "group", "near", "locked", "barred")}
    rows = []
    if has["budget"]:
        cost = rng.integers(1, 6, count).astype(float)
        rows.append(Row("budget", everyone, cost, most=float(rng.integers(3, 12)), already=float(rng.integers(0, 3))))
    if has["least"]:
        part = everyone[rng.random(count) < 0.6]
        rows.append(Row("county", part, np.ones(len(part)), least=float(rng.integers(0, 3)), most=4.0))
    if has["share"]:
        rows.append(Row("free", everyone, np.where(rng.random(count) < 0.5, 0.7, -0.3), least=0.0))
    floors = []
    for number in range(int(rng.integers(1, 4)) if has["floor"] or has["wanted"] else 0):
        area = np.flatnonzero(rng.random(cells) < 0.5)
        measure = rng.integers(1, 5, len(area)).astype(float)
        floors.append(Floor(f"village{number}", area, measure, float(np.floor(0.5 * measure.sum())),
                            has["floor"] and not has["wanted"]))
    wanted = (Wanted("villages", tuple(range(len(floors))), 1),) if has["wanted"] and floors else ()
    locked = (rng.random(count) < 0.2) & has["locked"]
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count) if rng.random() < 0.15]
    return cover_problem(
        reach_of_matrix(sp.csc_matrix(matrix)), rng.integers(0, 9, cells).astype(float),
        int(rng.integers(1, count + 1)), rows=tuple(rows), floors=tuple(floors), wanted=wanted,
        backup=0.4 if has["backup"] else 0.0,
        bonus=rng.integers(-4, 3, count).astype(float) if has["price"] else np.zeros(count), locked=locked,
        barred=(rng.random(count) < 0.2) & has["barred"] & ~locked,
        group=rng.integers(-1, 3, count).astype(np.int32) if has["group"] else np.full(count, -1, dtype=np.int32),
        near=np.array(pairs if has["near"] else [], dtype=np.int32).reshape(-1, 2))


@settings(max_examples=25)
@given(small_problems())
@pytest.mark.parametrize("name", METHODS)
def test_a_plan_keeps_every_limit_and_is_never_better_than_the_best(name, problem):
    best = brute(problem)
    answer = METHODS[name](problem, QUICK)
    assert answer.status in ("feasible", "unknown")
    assert answer.bound == np.inf
    if answer.status == "feasible":
        assert best is not None
        assert not breaches(problem, answer.chosen)
        assert answer.value == pytest.approx(value_of(problem, answer.chosen), abs=1e-12)
        assert answer.value <= best + 1e-9
    else:
        assert len(answer.chosen) == 0
        assert answer.facts["unmet"]


@settings(max_examples=30)
@given(small_problems())
def test_a_plan_is_found_where_there_is_one(problem):
    """Annealing may miss a plan among narrow limits, and calls no wrong one feasible; the exact search settles it."""
    best = brute(problem)
    answer = anneal(problem, Effort(moves=20_000, threads=1))
    assert best is not None or answer.status == "unknown"
    whole = solve(problem, "auto", Effort(moves=2_000, threads=1))
    assert whole.status == ("infeasible" if best is None else "optimal")
    if best is not None:
        assert whole.value == pytest.approx(best)


def test_annealing_reaches_the_best_of_most_small_problems():
    reached = total = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        problem = town(rng.random((25, 10)) < 0.25, rng.integers(1, 20, 25), 4)
        total += 1
        reached += anneal(problem, QUICK).value == brute(problem)
    assert reached >= 0.95 * total


def slow_greedy(problem: Problem, most: int) -> list[int]:
    """Greedy as one would write it down: the best of all, again and again."""
    chosen: list[int] = []
    while len(chosen) < most:
        now = value_of(problem, np.array(chosen, dtype=np.int64))
        gains = [-1.0 if k in chosen else value_of(problem, np.array([*chosen, k])) - now for k in range(len(problem))]
        if max(gains) <= 0:
            break
        chosen.append(int(np.argmax(gains)))
    return sorted(chosen)


@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.5]))
def test_greedy_equals_its_slow_twin(seed, backup):
    rng = np.random.default_rng(seed)
    problem = town(rng.random((30, 12)) < 0.2, rng.integers(0, 16, 30), 5, backup=backup,
                   bonus=rng.integers(-6, 3, 12).astype(float))
    assert greedy(problem, QUICK).chosen.tolist() == slow_greedy(problem, 5)


def test_order_and_gains_of_a_set_are_those_of_greedy():
    problem = town([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]], [4, 3, 2, 1])
    order, gains = greedy_order(problem, np.array([3, 2, 0]))
    assert order.tolist() == [0, 2, 3]
    assert gains.tolist() == [7.0, 2.0, 1.0]  # the third serves two cells, one of them served already


SIDE_BY_SIDE = np.eye(4, dtype=int)  # four candidates, each with a cell of its own


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("limit", "chosen"), [
    ({}, [0, 1]),
    ({"barred": np.array([True, False, False, False])}, [1, 2]),
    ({"locked": np.array([False, False, False, True])}, [0, 3]),
    ({"group": numbers([0, 0, -1, -1])}, [0, 2]),
    ({"near": numbers([[0, 1], [0, 2]])}, [1, 2]),
    ({"bonus": np.array([0.0, -8.5, -7.5, 0.0])}, [0, 3]),
    ({"rows": (Row("county", numbers([2, 3]), np.ones(2), least=1.0),)}, [0, 2]),
    ({"rows": (Row("county", numbers([0, 1]), np.ones(2), most=2.0, already=1.0),)}, [0, 2]),
    ({"rows": (Row("free", numbers([0, 1, 2, 3]), np.array([-0.5, -0.5, -0.5, 0.5]), least=0.0),)}, [0, 3]),
    ({"rows": (Row("budget", numbers([0, 1, 2, 3]), np.array([7.0, 3, 3, 1]), most=6.0, unit="元"),)}, [1, 2]),
    ({"floors": (Floor("village", np.array([3]), np.array([5.0]), 5.0),)}, [0, 3]),
    ({"floors": (Floor("a", np.array([3]), np.array([5.0]), 5.0, False),
                 Floor("b", np.array([2]), np.ones(1), 1.0, False)),
      "wanted": (Wanted("villages", (0, 1), 1),)}, None),
])
def test_each_limit_by_hand(name, limit, chosen):
    """Weights 10, 9, 8, 1 and two sites: without limits the first two."""
    weight = [10, 7, 6, 0] if "near" in limit else [10, 9, 8, 1]
    problem = town(SIDE_BY_SIDE, weight, 2, **limit)
    answer = METHODS[name](problem, QUICK)
    assert answer.status == "feasible"
    if chosen is None:
        assert {2, 3} & set(answer.chosen.tolist())  # either village will do
        assert name == "greedy" or answer.chosen.tolist() == [0, 2]
    elif "near" not in limit or name != "greedy":  # greedy takes the first, which excludes the other two
        assert answer.chosen.tolist() == chosen


@pytest.mark.parametrize("name", METHODS)
def test_least_cost_for_a_required_share(name):
    problem = town([[1, 0, 1], [1, 0, 1], [0, 1, 1]], [0, 0, 0], bonus=np.array([-3.0, -2.0, -9.0]),
                   floors=(Floor("all", np.arange(3), np.ones(3), 3.0),))
    answer = METHODS[name](problem, QUICK)
    assert (answer.chosen.tolist(), answer.value) == ([0, 1], -5.0)


@pytest.mark.parametrize("name", METHODS)
def test_what_cannot_be_met_is_told_and_by_how_much(name):
    problem = town(SIDE_BY_SIDE, [10, 9, 8, 1], 2, rows=(Row("county", numbers([1, 2, 3]), np.ones(3), least=3.0),))
    answer = METHODS[name](problem, QUICK)
    assert answer.status == "unknown"
    assert sum(answer.facts["unmet"].values()) == 1.0
    assert set(answer.facts["unmet"]) <= {"county", "max_sites"}


def test_swap_leaves_what_greedy_is_stuck_in():
    """Greedy takes the wide middle site first; two sites beside each other serve everything."""
    problem = town([[1, 0, 0], [1, 0, 1], [0, 1, 1], [0, 1, 0]], [3, 4, 4, 3], 2)
    assert greedy(problem, QUICK).value == 11.0
    assert swap(problem, QUICK).value == 14.0


def test_two_cheap_sites_come_for_a_dear_one():
    cost = Row("budget", numbers([0, 1, 2]), np.array([4.0, 2.0, 2.0]), most=4.0, unit="元")
    problem = town(np.eye(3, dtype=int), [10, 8, 7], rows=(cost,))
    assert swap(problem, QUICK).chosen.tolist() == [1, 2]


def grid_town(side: int, sites: int, **more) -> Problem:
    """Discs on a raster, numbered row by row."""
    rng = np.random.default_rng(5)
    row, col = np.divmod(np.arange(side * side), side)
    at = rng.integers(0, side, (sites, 2))
    at = at[np.argsort(at[:, 0] // 8 * side + at[:, 1], kind="stable")]  # neighbours have numbers near each other
    matrix = sp.csc_matrix((row[:, None] - at[:, 0]) ** 2 + (col[:, None] - at[:, 1]) ** 2 <= 16)
    return cover_problem(reach_of_matrix(matrix), rng.gamma(1.0, 1.0, side * side), sites // 8, **more)


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of a dozen sites, so that a small town is worked on in several at once."""
    monkeypatch.setattr(heat, "PART_SITES", 12)


@pytest.mark.usefixtures("small_parts")
def test_same_seed_same_plan_whatever_the_threads():
    problem = grid_town(60, 600)
    plans = [anneal(problem, Effort(seed=3, moves=40_000, threads=threads)) for threads in (1, 2, 5, 2)]
    assert len({tuple(plan.chosen.tolist()) for plan in plans}) == 1
    assert plans[0].facts["parts"] > 1
    assert plans[0].value > swap(problem, QUICK).value


@pytest.mark.usefixtures("small_parts")
def test_parts_keep_limits_that_they_share():
    rng = np.random.default_rng(2)
    everyone = np.arange(600, dtype=np.int32)
    budget = Row("budget", everyone, rng.uniform(1, 3, 600), most=120.0, unit="元")
    area = np.arange(0, 3600, 3)
    problem = grid_town(60, 600, rows=(budget, Row("county", everyone[:200], np.ones(200), least=15.0, most=22.0)),
                        floors=(Floor("zone", area, np.ones(len(area)), 900.0),),
                        group=(everyone // 3 - 1).astype(np.int32),
                        near=np.array([(k, k + 1) for k in range(0, 598, 2)], dtype=np.int32))
    first = swap(problem, QUICK)
    better = anneal_from(problem, first.chosen, Effort(moves=40_000))
    assert better.status == "feasible"
    assert better.facts["parts"] > 1
    assert better.value > first.value


def test_a_guide_only_steers():
    problem = grid_town(40, 200)
    first = greedy(problem, QUICK)
    plain, guided = (anneal_from(problem, first.chosen, Effort(moves=20_000), profit)
                     for profit in (None, problem.reach.sums(problem.weight)))
    assert guided.status == plain.status == "feasible"
    assert min(plain.value, guided.value) > first.value
    with pytest.raises(ModelError, match="200 candidates"):
        anneal_from(problem, first.chosen, Effort(), np.zeros(7))


def test_compacting_changes_no_value():
    problem = grid_town(200, 40, floors=(Floor("zone", np.arange(0, 40_000, 7), np.ones(5715), 10.0),))
    smaller, chosen = compacted(problem), np.array([1, 5, 11])
    assert smaller.reach.cells < problem.reach.cells
    assert value_of(smaller, chosen) == pytest.approx(value_of(problem, chosen))
    served = [part.floors[0].weights[part.reach.served(chosen)[part.floors[0].cells] > 0].sum()
              for part in (smaller, problem)]
    assert served[0] == served[1]


def test_stages_are_refused():
    problem = replace(town(SIDE_BY_SIDE, [1, 1, 1, 1]), stages=(Stage(2026, 1.0),))
    with pytest.raises(ModelError, match="one stage"):
        greedy(problem, QUICK)


def test_a_time_limit_is_told():
    problem = grid_town(40, 200)
    answer = anneal_from(problem, greedy(problem, QUICK).chosen, Effort(seconds=0.0))
    assert "时间" in answer.cut
    assert answer.status == "feasible"


@pytest.mark.shared
@pytest.mark.parametrize("name", ["SJC324", "SJC402", "SJC500"])
def test_sjc_within_a_thousandth_of_the_proved_optimum(name):
    folder = SHARED / "checks" / "sjc"
    if not folder.exists():
        pytest.skip("../shared/checks/sjc is absent")
    xy = np.loadtxt(folder / f"{name}.txt", skiprows=1)
    weight = np.loadtxt(folder / f"demand-{name}.dat")[:len(xy)]
    lines = [line.split(",") for line in (folder / "optima_highs.csv").read_text().splitlines()[1:]]
    away = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    mine = [line for line in lines if line[0] == name]  # all of them: benchmarks/bench_selection.py
    assert mine
    for _, radius, most, optimum, *_ in (mine[1], mine[-2]):
        problem = cover_problem(reach_of_matrix(sp.csc_matrix(away <= float(radius))), weight, int(most))
        answer = anneal(problem, Effort())
        assert 0.999 * float(optimum) <= answer.value <= float(optimum)


@pytest.mark.shared
def test_maxcover_reaches_the_proved_optimum():
    import json

    folder = SHARED / "checks" / "maxcover"
    if not folder.exists():
        pytest.skip("../shared/checks/maxcover is absent")
    for entry in json.loads((folder / "optima.json").read_text()):
        with np.load(folder / f"inst_{entry['inst']}.npz") as stored:
            cover = np.unpackbits(stored["cover"], axis=1)[:, :int(stored["nD"])]
            problem = cover_problem(reach_of_matrix(sp.csc_matrix(cover.T)), stored["weight"], int(stored["p"]))
        assert swap(problem, Effort()).value == entry["optimum"]
