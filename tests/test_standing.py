"""Where a plan stands: gains, losses, limits of every change - against a plain recount of the changed plan."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from small_problems import KINDS, plans, problems, staged_problems

from siteplan.selection.model import Row
from siteplan.selection.model.count import breaches, value_of
from siteplan.selection.model.problem import Problem, Stage, cover_problem
from siteplan.selection.model.reach import reach_of_matrix
from siteplan.selection.rivals import Bar, Need, best_rivals, exchange_bar, needed_for
from siteplan.selection.standing import Standing, blocked_by, blocked_in_years

RULES = {"near": "near", "group": "group"}


def town(seed: int, cells: int = 12, count: int = 7) -> tuple[Problem, np.ndarray]:
    """A random problem with rows, pairs, groups and backup, and a random plan that keeps its limits."""
    random = np.random.default_rng(seed)
    reach = reach_of_matrix(sp.csc_matrix(random.random((cells, count)) < 0.4))
    everyone = np.arange(count, dtype=np.int32)
    cost = random.integers(1, 6, count).astype(float)
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count) if random.random() < 0.1]
    problem = cover_problem(
        reach, random.integers(1, 9, cells).astype(float), 4, bonus=-random.random(count),
        backup=float(random.choice([0.0, 0.3])), group=random.integers(-1, 3, count).astype(np.int32),
        near=np.array(pairs, dtype=np.int32).reshape(-1, 2), rows=(Row("budget_yuan", everyone, cost, most=12.0),))
    chosen: list[int] = []
    for candidate in random.permutation(count):
        if not breaches(problem, np.sort([*chosen, candidate])):
            chosen.append(int(candidate))
    return problem, np.sort(np.array(chosen, dtype=np.int64))


@given(seed=st.integers(0, 10**6))
def test_gains_and_losses_are_those_of_the_changed_plan(seed: int) -> None:
    problem, chosen = town(seed)
    standing = Standing(problem, chosen)
    value = value_of(problem, chosen)
    for candidate in range(len(problem)):
        if candidate in chosen:
            assert np.isnan(standing.gains[candidate])
        else:
            more = np.sort(np.append(chosen, candidate))
            assert standing.gains[candidate] == pytest.approx(value_of(problem, more) - value)
    for number, candidate in enumerate(chosen):
        assert standing.losses[number] == pytest.approx(value - value_of(problem, chosen[chosen != candidate]))


@given(seed=st.integers(0, 10**6))
def test_a_fault_is_named_exactly_where_the_changed_plan_breaks_a_limit(seed: int) -> None:
    problem, chosen = town(seed)
    standing = Standing(problem, chosen)
    names, others = blocked_by(standing)
    for candidate in np.setdiff1d(np.arange(len(problem)), chosen):
        for out in (-1, *chosen):
            kept = chosen[chosen != out]
            broken = {entry.name for entry in breaches(problem, np.sort(np.append(kept, candidate)))}
            name, other = standing.fault(int(candidate), int(out))
            assert bool(name) == bool(broken), (name, broken)
            assert not name or name in broken
            assert (other in kept) == (name in RULES)
        alone = {entry.name for entry in breaches(problem, np.sort(np.append(chosen, candidate)))}
        assert bool(names[candidate]) == bool(alone)
        assert (others[candidate] in chosen) == (names[candidate] in RULES)


@given(seed=st.integers(0, 10**6))
def test_the_best_rival_is_the_best_of_all_exchanges(seed: int) -> None:
    problem, chosen = town(seed)
    told = best_rivals(problem, chosen, np.zeros((len(problem), 2)))
    value = value_of(problem, chosen)
    count = problem.reach.served(chosen)
    for (_, row), out in zip(told.iterrows(), chosen, strict=True):
        kept = chosen[chosen != out]
        alone = problem.reach.cells_of(int(out))
        alone = alone[count[alone] == 1]
        changes = {}
        for candidate in np.setdiff1d(np.arange(len(problem)), chosen):
            plan = np.sort(np.append(kept, candidate))
            takes = problem.weight[np.intersect1d(alone, problem.reach.cells_of(int(candidate)))].sum()
            if takes > 0 and not breaches(problem, plan):
                changes[int(candidate)] = value - value_of(problem, plan)
        if changes:
            assert row["rival_bar"] == ""
            assert row["rival_worse"] == pytest.approx(min(changes.values()))
            assert changes[int(row["rival"])] == pytest.approx(row["rival_worse"])
        elif not changes:
            assert row["rival"] == -1 or row["rival_bar"]


def test_a_year_with_room_keeps_nobody_out() -> None:
    """Two years of one site each; B and C are in. D fits into no year; with room in 2027 it fits."""
    everyone, ones = np.arange(3, dtype=np.int32), np.ones(3)

    def stages(most: float) -> tuple[Stage, ...]:
        return (Stage(2026, 0.5, new=(Row("a year", everyone, ones, most=1),)),
                Stage(2027, 0.5, new=(Row("a year", everyone, ones, most=most),)))

    reach = reach_of_matrix(sp.eye(3).tocsc())
    plan, when = np.array([0, 1]), np.array([0, 1], dtype=np.int32)
    full = cover_problem(reach, ones, stages=stages(1))
    assert blocked_in_years(full, plan, when).tolist()[2] == "a year"
    assert blocked_in_years(cover_problem(reach, ones, stages=stages(2)), plan, when).tolist()[2] == ""
    fixed = cover_problem(reach, ones, stages=stages(2), built_in=np.array([-1, -1, 0], dtype=np.int32))
    assert blocked_in_years(fixed, plan, when).tolist()[2] == "a year", "its year is fixed, and full"


@given(data=st.data())
def test_a_rival_in_a_plan_of_years_is_judged_by_all_years_and_all_limits(data: st.DataObject) -> None:
    kinds = ("most", data.draw(st.sampled_from(KINDS[:-2])), data.draw(st.sampled_from(("bonus", "floor"))))
    problem = data.draw(staged_problems(data.draw(problems(kinds, 4, 6))))
    good = [plan for plan in plans(problem) if len(plan[0]) and not breaches(problem, *plan)]
    if not good:
        return
    chosen, stage = good[data.draw(st.integers(0, len(good) - 1))]
    value, count = value_of(problem, chosen, stage), problem.reach.served(chosen)
    told = best_rivals(problem, chosen, np.zeros((len(problem), 2)), stage)
    for (_, row), out in zip(told.iterrows(), chosen, strict=True):
        cells = problem.reach.cells_of(int(out))
        alone = cells[count[cells] == 1]
        worse, broken = {}, {}
        for into in np.setdiff1d(np.flatnonzero(~problem.barred), chosen):
            plan = np.where(chosen == out, into, chosen)
            order = np.argsort(plan)
            if problem.weight[np.intersect1d(alone, problem.reach.cells_of(int(into)))].sum() > 0:
                worse[int(into)] = value - value_of(problem, plan[order], stage[order])
                broken[int(into)] = {entry.name for entry in breaches(problem, plan[order], stage[order])}
        free = [into for into in worse if broken[into] <= {"locked"}]
        if not worse:
            assert row["rival"] == -1
            continue
        assert row["rival_worse"] == pytest.approx(worse[row["rival"]], abs=1e-9)
        assert bool(row["rival_bar"]) == bool(broken[row["rival"]])
        assert not row["rival_bar"] or row["rival_bar"] in broken[row["rival"]]
        if free:
            assert row["rival_worse"] == pytest.approx(min(worse[into] for into in free), abs=1e-9)


@given(data=st.data())
def test_a_site_that_costs_more_than_it_brings_names_the_limits_that_hold_it(data: st.DataObject) -> None:
    problem = data.draw(staged_problems(data.draw(problems(("least", data.draw(st.sampled_from(KINDS[:-2]))), 4, 6))))
    good = [plan for plan in plans(problem) if len(plan[0]) and not breaches(problem, *plan)]
    if not good:
        return
    chosen, stage = good[data.draw(st.integers(0, len(good) - 1))]
    told = needed_for(Standing(problem, chosen, stage))
    value = value_of(problem, chosen, stage)
    for out in chosen:
        keep = chosen != out
        gain = value - value_of(problem, chosen[keep], stage[keep])
        assert (int(out) in told) == (gain <= 1e-7)
        if int(out) in told:
            broken = [entry.name for entry in breaches(problem, chosen[keep], stage[keep])]
            assert [need.name for need in told[int(out)]] == broken


def yearly_plan() -> tuple[Problem, np.ndarray, np.ndarray]:
    """A serves the first cell (3), B that and the second (9), C the third (1); A is in in 2026, C in 2027."""
    reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]])))
    held = Row("county/by_year", np.array([2], dtype=np.int32), np.ones(1), least=1, zh="甲县 2027年 不少于 1 处")
    stages = (Stage(2026, 0.75), Stage(2027, 0.25, new=(held,)))
    problem = cover_problem(reach, np.array([3.0, 9.0, 1.0]), 2, stages=stages, bonus=np.array([0.0, 0.0, -2.0]))
    return problem, np.array([0, 2]), np.array([0, 1], dtype=np.int32)


def test_an_exchange_that_breaks_a_yearly_limit_names_the_limit_of_that_year() -> None:
    """B for A is worth 9 more in both years; B for C would be worth more in 2027, which asks for C."""
    problem, chosen, stage = yearly_plan()
    told = best_rivals(problem, chosen, np.zeros((3, 2)), stage)
    assert told["rival"].tolist() == [1, -1], "C alone serves a cell that B does not"
    assert told["rival_worse"].tolist()[0] == pytest.approx(-9.0)
    standing = Standing(problem, chosen, stage)
    assert exchange_bar(standing, 1, 2) == Bar("county/by_year", zh="甲县 2027年 不少于 1 处")
    assert exchange_bar(standing, 1, 0) == Bar()
    assert exchange_bar(Standing(problem, chosen), 1, 2) == Bar(), "without the years nothing is in the way"


def test_a_site_that_only_a_yearly_limit_holds_says_what_would_be_missing() -> None:
    problem, chosen, stage = yearly_plan()
    assert needed_for(Standing(problem, chosen, stage)) == {
        2: (Need("county/by_year", "甲县 2027年 不少于 1 处", 1.0, "站址"),)}
