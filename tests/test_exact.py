"""Exact search: equal to trying every choice, for each kind of limit alone and for all at once."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from small_problems import KINDS, best_value, plans, problems, staged_problems

from siteplan.selection.methods import exact as search
from siteplan.selection.methods import signatures
from siteplan.selection.methods.exact import exact, exact_size, search_exactly
from siteplan.selection.methods.signatures import merge_signatures
from siteplan.selection.model import Answer, Effort, Row
from siteplan.selection.model.count import breaches, value_of
from siteplan.selection.model.problem import cover_problem
from siteplan.selection.model.reach import reach_of_matrix
from tests.pace import allowed_s


def check(problem):
    """The exact answer is what trying every choice finds."""
    best, answer = best_value(problem), exact(problem, Effort())
    if best is None:
        assert answer.status == "infeasible"
        assert not len(answer.chosen)
        return
    assert answer.status == "optimal"
    assert breaches(problem, answer.chosen, answer.stage) == []
    assert value_of(problem, answer.chosen, answer.stage if problem.stages else None) == answer.value
    assert answer.value == pytest.approx(best, rel=1e-9, abs=1e-9)
    assert answer.value <= answer.bound <= answer.value + 1e-8 * max(1.0, abs(answer.value))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_each_limit_alone_equals_brute_force(kind, data):
    # the count limit beside it makes the choice a choice
    check(data.draw(problems(("most", kind) if kind != "least_cost" else (kind,))))


@given(data=st.data())
def test_all_limits_at_once_equal_brute_force(data):
    kinds = tuple(kind for kind in KINDS if kind != "least_cost")
    check(data.draw(problems(data.draw(st.sets(st.sampled_from(kinds), min_size=4)))))


@given(data=st.data())
def test_stages_equal_brute_force(data):
    problem = data.draw(problems(("most", data.draw(st.sampled_from(KINDS[:-2]))), 4, 6))
    check(data.draw(staged_problems(problem)))


@given(data=st.data())
def test_merging_cells_changes_no_choice(data):
    problem = data.draw(problems(("most", "floor", "wanted", "backup")))
    merged, number = merge_signatures(problem)
    assert merged.reach.cells <= problem.reach.cells == len(number)
    for chosen, _ in plans(problem):
        assert value_of(merged, chosen) == pytest.approx(value_of(problem, chosen), abs=1e-12)
        assert [entry.name for entry in breaches(merged, chosen)] == [entry.name for entry in breaches(problem, chosen)]
    assert len({tuple(row) for row in merged.reach.matrix().toarray()}) == merged.reach.cells


def test_a_collision_of_hashes_is_noticed(monkeypatch):
    # all sums equal at first: every cell would be one signature, which the candidates' own lists contradict
    real, asked = signatures._hashes, []

    def colliding(reach, seed):
        asked.append(seed)
        one, two = real(reach, seed)
        return (one * 0, two * 0) if len(asked) == 1 else (one, two)

    monkeypatch.setattr(signatures, "_hashes", colliding)
    reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 0], [1, 1]])))
    merged, number = merge_signatures(cover_problem(reach, [1.0, 2.0]))
    assert len(asked) == 2
    assert number.tolist() == [0, 1]
    assert merged.weight.tolist() == [1.0, 2.0]


def hard_problem(sites=60, cells=400):
    """Random reach has a weak linear relaxation: far more than a few nodes, and a second, of search."""
    rng = np.random.default_rng(1)
    matrix = sp.csc_matrix(rng.random((cells, sites)) < 0.08)
    return cover_problem(reach_of_matrix(matrix), rng.integers(1, 50, cells).astype(float), 12)


@pytest.mark.parametrize("limit", [{"seconds": 1e-3}, {"seconds": 0.3}, {"most_nodes": 1}])
def test_what_is_cut_short_is_never_called_optimal(limit):
    problem = hard_problem(*((60, 400) if "seconds" in limit else (40, 200)))
    answer = search_exactly(problem, Effort(seconds=limit.get("seconds")), most_nodes=limit.get("most_nodes"))
    assert answer.status in ("feasible", "unknown")
    assert "未做完" in answer.cut
    assert answer.bound >= answer.value
    if answer.status == "feasible" and np.isfinite(answer.bound):
        assert answer.gap > 1e-9
        assert answer.proof == "search"


def test_a_plan_to_start_from_is_kept_when_nothing_better_is_found():
    problem = hard_problem()
    start = Answer("feasible", np.arange(12), np.zeros(12, dtype=np.int32), 0.0)
    answer = search_exactly(problem, Effort(seconds=1e-3), start)
    assert answer.status == "feasible"
    assert answer.value >= value_of(problem, start.chosen)
    broken = replace(start, chosen=np.arange(13), stage=np.zeros(13, dtype=np.int32))
    assert search_exactly(problem, Effort(seconds=1e-3), broken).status == "unknown"


def test_a_good_enough_gap_is_feasible_not_optimal():
    answer = exact(hard_problem(40, 200), Effort(gap=0.2))
    assert answer.status == "feasible"
    assert 1e-9 < answer.gap <= 0.2
    assert answer.cut == ""


@pytest.mark.parametrize("lie", ["optimal", "infeasible"])
def test_a_solver_that_errs_is_not_believed(monkeypatch, lie):
    # a first run with a wrong objective, or one that calls a problem with a known plan infeasible: the second decides
    real, asked = search._run, []
    problem = hard_problem(20, 60)
    start = Answer("feasible", np.arange(3), np.zeros(3, dtype=np.int32), 0.0)

    def erring(*arguments):
        run = real(*arguments)
        asked.append(run.presolve)
        if len(asked) > 1:
            return run
        wrong = {"value": run.value * 1.01} if lie == "optimal" else {"status": "kInfeasible", "values": None}
        return replace(run, **wrong)

    monkeypatch.setattr(search, "_run", erring)
    answer = search_exactly(problem, Effort(), start)
    assert asked == ["off", "on"]
    assert answer.status == "optimal"
    monkeypatch.setattr(search, "_run", lambda *arguments: replace(real(*arguments), bound=1.0))
    answer = search_exactly(problem, Effort(), start)
    assert answer.status == "feasible"
    assert answer.bound == np.inf
    assert "复核" in answer.cut


def test_sides_give_way_by_the_tolerance_of_counting_and_no_more():
    cases = (([500_000.02, 500_000.02], [0, 1]), ([500_000.0, 500_001.0], [1]), ([500_000.2, 500_000.3], [1]))
    for amounts, chosen in cases:
        row = Row("budget", np.arange(2, dtype=np.int32), np.array(amounts), most=1e6)
        problem = cover_problem(reach_of_matrix(sp.eye(2).tocsc()), [1.0, 2.0], rows=(row,))
        assert exact(problem, Effort()).chosen.tolist() == chosen
        assert exact(problem, Effort()).value == best_value(problem)


def test_limits_of_zero_size_and_contradictions():
    empty = cover_problem(reach_of_matrix(sp.csc_matrix((3, 0))), np.ones(3))
    assert exact(empty, Effort()).status == "optimal"
    lonely = cover_problem(reach_of_matrix(sp.csc_matrix((3, 2))), np.ones(3), 1)
    assert exact(lonely, Effort()).value == 0.0
    both = replace(lonely, locked=np.array([True, False]), barred=np.array([True, False]))
    assert exact(both, Effort()).status == "infeasible"
    assert exact_size(lonely) == 2


def test_the_same_seed_gives_the_same_plan():
    problem = hard_problem(40, 200)
    one, two = exact(problem, Effort(seed=4)), exact(problem, Effort(seed=4))
    assert one.chosen.tolist() == two.chosen.tolist()
    assert one.facts["nodes"] == two.facts["nodes"]


@pytest.mark.shared
def test_proved_optima_of_sjc(shared):
    folder = shared("checks/sjc")
    with (folder / "optima_highs.csv").open(encoding="utf-8") as file:
        wanted = [row for row in csv.DictReader(file) if row["instance"] == "SJC324" or row["p"] == "7"]
    for row in wanted:
        place = np.loadtxt(folder / f"{row['instance']}.txt", skiprows=1)
        near = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)) <= float(row["R_m"])
        weight = np.loadtxt(folder / f"demand-{row['instance']}.dat")
        start = time.process_time()
        answer = exact(cover_problem(reach_of_matrix(sp.csc_matrix(near)), weight, int(row["p"])), Effort())
        assert (answer.status, answer.value) == ("optimal", float(row["optimum"])), row
        spent = time.process_time() - start
        assert spent < allowed_s(2.0), row


@pytest.mark.shared
def test_proved_optima_of_maxcover(shared):
    folder = shared("checks/maxcover")
    for entry in json.loads((folder / "optima.json").read_text(encoding="utf-8")):
        data = np.load(folder / f"inst_{entry['inst']}.npz")
        matrix = sp.csc_matrix(np.unpackbits(data["cover"], axis=1)[:, :int(data["nD"])].T)
        answer = exact(cover_problem(reach_of_matrix(matrix), data["weight"], int(data["p"])), Effort())
        assert (answer.status, answer.value) == ("optimal", float(entry["optimum"]))
