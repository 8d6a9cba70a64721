"""Advice: the limits named do conflict, none of them needlessly, and what is advised is just enough."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from siteplan.selection.methods import advice_model
from siteplan.selection.methods.advice import Advice, conflicts, relax
from siteplan.selection.methods.advice_model import Limit, limits_of, rows_of
from siteplan.selection.model import Effort, Floor, Problem, Row, Stage, Wanted
from siteplan.selection.model.count import breaches
from siteplan.selection.model.problem import cover_problem
from siteplan.selection.model.reach import reach_of_matrix


def line(count: int = 4, **limits: Any) -> Problem:
    """Candidate k serves cell k alone."""
    return cover_problem(reach_of_matrix(sp.eye(count).tocsc()), np.ones(count), **limits)


def row(name: str, members: list[int], amounts: Any = 1.0, **sides: Any) -> Row:
    return Row(name, np.array(members, np.int32), np.full(len(members), amounts, dtype=float), **sides)


def floor(name: str, cells: list[int], least: float, **more: Any) -> Floor:
    return Floor(name, np.array(cells), np.ones(len(cells)), least, **more)


def alone(advice: Advice, name: str) -> Any:
    """The one relaxation of that limit."""
    return next(one for one in advice.relaxations if one.name == name)


def marks(count: int, *chosen: int) -> np.ndarray:
    return np.isin(np.arange(count), chosen)


def test_quota_of_a_county_with_fewer_candidates() -> None:
    advice = conflicts(line(rows=(row("county", [0, 1], least=3.0, zh="甲县至少3处"), row("all", [0, 1, 2, 3], most=4.0))))
    assert advice.proved
    assert advice.conflicts == ("county",)
    assert advice.words == ("甲县至少3处",)
    one = alone(advice, "county")
    assert (one.side, one.from_value, one.to_value, one.amount) == ("least", 3, 2, 1)
    assert one.enough
    assert one.smallest
    assert one.sentence == "把“甲县至少3处”的下限从3处降到2处(减少1处)"
    assert [entry.name for entry in advice.combined] == ["county"]


def test_budget_too_small_for_a_floor() -> None:
    """3 of 4 cells need three sites of 100,000 yuan; there are 250,000."""
    problem = line(rows=(row("budget", [0, 1, 2, 3], 100_000.0, most=250_000.0, zh="预算", unit="元"),),
                   floors=(floor("zone", [0, 1, 2, 3], 3.0, zh="重点区"),))
    advice = conflicts(problem)
    assert set(advice.conflicts) == {"budget", "zone"}
    budget, zone = alone(advice, "budget"), alone(advice, "zone")
    assert (budget.side, budget.to_value, budget.amount) == ("most", 300_000, 50_000)
    assert budget.sentence == "把“预算”的上限从25万元提高到30万元(增加5万元)"
    assert zone.to_value == 2
    assert zone.sentence == "把“重点区”的覆盖要求从75.00%降到50.00%(减少25.00个百分点)"
    assert [entry.name for entry in advice.combined] == ["budget"], "a fifth more is less than a third less"


def test_mandatory_sites_too_near_to_each_other() -> None:
    advice = conflicts(line(locked=marks(4, 1, 2, 3), near=np.array([[1, 2]], np.int32), names=tuple("ABCD")))
    assert set(advice.conflicts) == {"locked", "near"}
    assert alone(advice, "near").sentence == "允许1对站址的间距小于规定:B、C"
    given_up = alone(advice, "locked")
    assert len(given_up.sites) == 1
    assert given_up.sites[0] in (1, 2)
    assert (given_up.from_value, given_up.to_value) == (3, 2)


def test_mandatory_site_that_is_barred() -> None:
    advice = conflicts(line(locked=marks(4, 1), barred=marks(4, 1, 2)))
    assert set(advice.conflicts) == {"locked", "barred"}
    assert alone(advice, "barred").sites == (1,)
    assert [entry.name for entry in advice.combined] == ["locked"], "what is forbidden stays forbidden where it can"


def test_two_mandatory_sites_of_one_venue() -> None:
    advice = conflicts(line(locked=marks(4, 0, 1), group=np.array([5, 5, -1, -1], np.int32)))
    assert set(advice.conflicts) == {"locked", "group"}
    assert alone(advice, "group").sites == (1,)


def test_more_villages_wanted_than_sites_can_serve() -> None:
    villages = tuple(floor(f"v{k}", [k], 1.0, required=False) for k in range(4))
    advice = conflicts(line(most_sites=2, floors=villages, wanted=(Wanted("pass", (0, 1, 2, 3), 3, "达标村"),)))
    assert set(advice.conflicts) == {"max_sites", "pass"}
    assert alone(advice, "pass").sentence == "把“达标村”少要求 1 个"
    assert alone(advice, "max_sites").to_value == 3


def years(yearly: float, aim: float) -> tuple[Stage, ...]:
    everyone = [0, 1, 2, 3, 4]
    return (Stage(2026, 0.5, (), (row("new", everyone, most=yearly),)),
            Stage(2027, 0.5, (row("on_air", everyone, least=aim, already=10.0, unit="基站"),),
                  (row("new", everyone, most=yearly),)))


def test_aim_on_air_beyond_what_the_years_allow() -> None:
    """10 stand, 2 + 1 may be added each year, 15 are wanted."""
    problem = line(5, stages=years(2, 15))
    advice = conflicts(problem)
    assert set(advice.conflicts) == {"new@2026", "on_air@2027", "new@2027"}
    assert (alone(advice, "on_air@2027").to_value, alone(advice, "on_air@2027").unit) == (14, "基站")
    assert alone(advice, "new@2026").to_value == 3
    assert all(conflicts(relax(problem, [one])).status == "feasible" for one in advice.relaxations)


def test_year_of_a_decision_beyond_the_quota() -> None:
    problem = line(5, stages=years(2, 10), locked=marks(5, 0, 1, 2), built_in=np.array([0, 0, 0, -1, -1], np.int32))
    advice = conflicts(problem)
    assert set(advice.conflicts) == {"new@2026", "locked", "built_in"}
    assert len(alone(advice, "built_in").sites) == 1


def test_share_of_free_venues() -> None:
    """Three of four have to be chosen and one is free: a third, not half. The limit itself says no share."""
    share = row("free_share", [0, 1, 2, 3], [0.5, -0.5, -0.5, -0.5], least=0.0, zh="免费场所占比")
    problem = line(rows=(share, row("all", [0, 1, 2, 3], least=3.0)))
    advice = conflicts(problem)
    one = alone(advice, "free_share")
    assert (one.side, one.from_value, one.to_value) == ("share", 0.5, pytest.approx(1 / 3))
    assert one.sentence == "把“免费场所占比”的占比要求从50.00%降到33.33%(减少16.67个百分点)"
    assert conflicts(relax(problem, [one])).status == "feasible"
    assert alone(advice, "all").to_value == 2


def test_a_problem_with_plans_gets_no_advice() -> None:
    assert conflicts(line(most_sites=2)) == Advice("feasible")


def test_two_conflicts_at_once_need_the_combined_advice() -> None:
    """No single limit is enough to relax; the combined advice mends both."""
    problem = line(rows=(row("a", [0, 1], least=3.0), row("b", [2, 3], least=4.0)))
    advice = conflicts(problem)
    assert len(advice.conflicts) == 1
    assert advice.relaxations == ()
    assert {one.name: one.to_value for one in advice.combined} == {"a": 2, "b": 2}
    assert conflicts(relax(problem, advice.combined)).status == "feasible"


def test_too_large_for_the_programme(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reachable floors, rows alone and the bound still prove; the rest is unknown, never feasible."""
    monkeypatch.setattr(advice_model, "MOST_ENTRIES", 0)
    over = conflicts(line(3, floors=(floor("zone", [0, 1, 2], 2.5),), barred=marks(3, 1)))
    assert (over.status, over.conflicts) == ("infeasible", ("zone", "barred"))
    assert not over.relaxations[0].enough
    assert over.relaxations[0].sentence.endswith("(至少如此,未必足够)")
    county = row("county", [0, 1], least=3.0)
    counts = conflicts(line(3, most_sites=3, floors=(floor("zone", [0], 1.0),), rows=(county,)))
    assert (counts.status, counts.conflicts) == ("infeasible", ("county",))
    assert not counts.relaxations[0].enough
    problem = line(3, most_sites=1, floors=(floor("zone", [0, 1], 2.0),), rows=(row("budget", [0, 1, 2], most=9.0),))
    bound = conflicts(problem, Effort(passes=200, threads=1))
    assert (bound.status, bound.conflicts) == ("infeasible", ("zone", "max_sites"))
    assert bound.relaxations[0].to_value == 1
    assert possible(relax(problem, bound.relaxations))


def test_what_only_whole_numbers_exclude_is_unknown_when_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of four corners see five of the six edges between them; four halves see all six."""
    edges = np.array([[k in pair for k in range(4)] for pair in combinations(range(4), 2)], float)
    every = floor("all", list(range(6)), 6.0)
    problem = cover_problem(reach_of_matrix(sp.csc_matrix(edges)), np.ones(6), 2, floors=(every,))
    assert conflicts(problem).conflicts == ("max_sites", "all")
    monkeypatch.setattr(advice_model, "MOST_ENTRIES", 0)
    silent = conflicts(problem, Effort(passes=200, threads=1))
    assert (silent.status, silent.conflicts) == ("unknown", ())
    assert "规模太大" in silent.cut


def test_no_time_is_unknown() -> None:
    advice = conflicts(line(most_sites=1, floors=(floor("zone", [0, 1], 2.0),)), Effort(seconds=0.0))
    assert advice.status == "unknown"
    assert advice.conflicts == ()


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Four or five candidates, six cells, limits that often conflict; sometimes two years."""
    count = draw(st.integers(3, 5))
    matrix = draw(st.lists(st.booleans(), min_size=6 * count, max_size=6 * count))
    reach = reach_of_matrix(sp.csc_matrix(np.array(matrix, float).reshape(6, count)))
    members = st.lists(st.integers(0, count - 1), min_size=1, unique=True).map(sorted)

    def limit(name: str) -> Row:
        one = draw(members)
        amounts = draw(st.lists(st.integers(1, 3), min_size=len(one), max_size=len(one)))
        least, most = draw(st.sampled_from([(-np.inf, 1.0), (-np.inf, 3.0), (1.0, 1.0), (2.0, 3.0), (4.0, np.inf)]))
        return row(name, one, amounts, least=least, most=most, already=float(draw(st.integers(0, 1))))

    area = st.sets(st.integers(0, 5), min_size=1).map(sorted)
    floors = tuple(floor(f"f{k}", draw(area), draw(st.integers(1, 4)), required=draw(st.booleans())) for k in range(3))
    free = tuple(k for k, one in enumerate(floors) if not one.required)
    marked = st.lists(st.sampled_from([False, False, True]), min_size=count, max_size=count).map(np.array)
    pairs = sorted(draw(st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(
        lambda pair: pair[0] < pair[1]), max_size=2)))
    stages = (Stage(2026, 0.5, (limit("s"),), (limit("n"),)), Stage(2027, 0.5, (), (limit("n"),)))
    two_years = draw(st.booleans())
    return cover_problem(
        reach, np.ones(6), rows=(limit("r0"), limit("r1")), floors=floors,
        wanted=(Wanted("w", free, draw(st.integers(0, 3))),), locked=draw(marked), barred=draw(marked),
        near=np.array(pairs, np.int32).reshape(-1, 2), stages=stages if two_years else (),
        group=np.array(draw(st.lists(st.sampled_from([-1, -1, 0]), min_size=count, max_size=count)), np.int32),
        built_in=np.array(draw(st.lists(st.sampled_from([-1, -1, 0, 1]), min_size=count, max_size=count)), np.int32))


def only(problem: Problem, kept: list[Limit]) -> Problem:
    """The problem with these limits alone."""
    names = {(limit.kind, limit.part, limit.stage, limit.index) for limit in kept}

    def rows(part: str, stage: int) -> tuple[Row, ...]:
        every = rows_of(problem, Limit("", "", "row", 0, part, stage))
        return tuple(one for at, one in enumerate(every) if ("row", part, stage, at) in names)

    kinds, count = {limit.kind for limit in kept}, len(problem)
    floors = tuple(replace(one, required=one.required and ("floor", "rows", -1, at) in names)
                   for at, one in enumerate(problem.floors))
    stages = tuple(replace(one, on_air=rows("on_air", at), new=rows("new", at))
                   for at, one in enumerate(problem.stages))
    return replace(
        problem, rows=rows("rows", -1), stages=stages, floors=floors,
        wanted=problem.wanted if "wanted" in kinds else (),
        locked=problem.locked & ("locked" in kinds), barred=problem.barred & ("barred" in kinds),
        near=problem.near if "near" in kinds else problem.near[:0],
        group=problem.group if "group" in kinds else np.full(count, -1, np.int32),
        built_in=problem.built_in if "built_in" in kinds else np.full(count, -1, np.int32))


def possible(problem: Problem) -> bool:
    """By brute force: a choice with its stages that breaks nothing."""
    years_of = range(len(problem.stages) or 1)
    for when in product((-1, *years_of), repeat=len(problem)):
        stage = np.array(when)
        chosen = np.flatnonzero(stage >= 0)
        if not breaches(problem, chosen, stage[chosen] if problem.stages else None):
            return True
    return False


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(problems())
def test_advice_equals_brute_force(problem: Problem) -> None:
    advice = conflicts(problem)
    assert advice.cut == ""
    assert advice.proved == (not possible(problem))
    assume(advice.proved)
    named = [limit for limit in limits_of(problem) if limit.name in advice.conflicts]
    assert not possible(only(problem, named)), "these cannot hold together"
    for left_out in named:
        assert possible(only(problem, [limit for limit in named if limit is not left_out])), "none is named needlessly"
    assert possible(relax(problem, advice.combined))
    told = {one.name for one in advice.relaxations}
    for limit in named:
        others = [other for other in limits_of(problem) if other.name != limit.name]
        assert (limit.name in told) == possible(only(problem, others)), "told when, and only when, it alone can help"
    for one in advice.relaxations:
        assert possible(relax(problem, [one])), "what is advised suffices"
        if one.name in ("locked", "barred"):
            where = np.flatnonzero(getattr(problem, one.name))
            fewer = combinations(where.tolist(), int(one.amount) - 1)
            assert not any(possible(relax(problem, [replace(one, sites=some)])) for some in fewer)
        elif not one.sites:
            less = one.to_value + 1 if one.side == "least" else one.to_value - 1
            assert not possible(relax(problem, [replace(one, to_value=less)])), "one unit less does not"


@settings(max_examples=20, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(problems())
def test_what_is_proved_of_large_problems_is_true(problem: Problem) -> None:
    """Without the integer programme less is proved, but nothing false."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(advice_model, "MOST_ENTRIES", -1)
        advice = conflicts(problem, Effort(passes=200, moves=200, threads=1))
    assert advice.status != "feasible"
    assume(advice.proved)
    named = [limit for limit in limits_of(problem) if limit.name in advice.conflicts]
    assert not possible(only(problem, named))
    for one in advice.relaxations:
        if one.enough:
            assert possible(relax(problem, [one]))
        elif not one.sites:
            less = one.to_value + 1 if one.side == "least" else one.to_value - 1
            assert not possible(relax(problem, [replace(one, to_value=less)])), "at least so much"


def test_spacing_is_relaxed_to_the_greatest_distance_that_does() -> None:
    """Three of four; pairs 10, 25, 40 m apart: the first two can be avoided together by leaving out site 1."""
    pairs = np.array([[0, 1], [1, 2], [2, 3]], np.int32)
    problem = line(rows=(row("all", [0, 1, 2, 3], least=3.0),), near=pairs)
    assert alone(conflicts(problem, apart=np.array([10.0, 25.0, 40.0])), "near").sites == (2, 3)
    assert alone(conflicts(problem, apart=np.array([40.0, 25.0, 10.0])), "near").sites == (0, 1)
    kept = alone(conflicts(problem, apart=np.array([10.0, 25.0, np.nan])), "near")
    assert kept.sites == (0, 1), "the last pair stays one whatever the spacing"
