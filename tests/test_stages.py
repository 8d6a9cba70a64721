"""Plans in phases: every limit of every year holds, nothing beats the exact search, and years are used well."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from small_problems import KINDS, best_value, plans, problems, staged_problems

from siteplan.selection.methods import stages as module
from siteplan.selection.methods.exact import exact
from siteplan.selection.methods.stage_moves import improve_years, mend_years
from siteplan.selection.methods.stages import stage_bounds, stage_problem, staged
from siteplan.selection.model import Answer, Effort, Multipliers, Row, Stage
from siteplan.selection.model.count import breaches, value_of
from siteplan.selection.model.problem import cover_problem, relaxed
from siteplan.selection.model.reach import reach_of_matrix


def yearly(count, least=-np.inf, most=np.inf, name="yearly", candidates=None):
    members = np.arange(count, dtype=np.int32) if candidates is None else np.array(candidates, dtype=np.int32)
    return Row(name, members, np.ones(len(members)), least, most)


def line(weights, most_sites=None, **more):
    """Every candidate serves its own cell."""
    reach = reach_of_matrix(sp.eye(len(weights)).tocsc())
    return cover_problem(reach, np.array(weights, dtype=float), most_sites, **more)


@given(data=st.data())
def test_a_plan_in_phases_keeps_every_limit_and_never_beats_the_exact_one(data):
    problem = data.draw(staged_problems(data.draw(problems(("most", data.draw(st.sampled_from(KINDS[:-2]))), 4, 6))))
    best, answer = best_value(problem), staged(problem, Effort(), exact)
    assert answer.status in (("feasible", "unknown") if best is not None else ("infeasible", "unknown"))
    if answer.status == "feasible":
        assert breaches(problem, answer.chosen, answer.stage) == []
        assert answer.value == value_of(problem, answer.chosen, answer.stage)
        assert answer.value <= best + 1e-9 * max(1.0, abs(best))
    else:
        assert not len(answer.chosen)


@given(data=st.data())
def test_each_year_alone_bounds_its_share_of_every_plan(data):
    problem = data.draw(staged_problems(data.draw(problems(("most", data.draw(st.sampled_from(KINDS[:-2]))), 4, 6))))
    best = best_value(problem)
    found = [exact(relaxed(problem, number), Effort()) for number in range(len(problem.stages))]
    tight = [exact(stage_problem(problem, number), Effort()) for number in range(len(problem.stages))]
    if best is None:
        return
    assert all(answer.status == "optimal" for answer in (*found, *tight))
    assert sum(answer.value for answer in tight) >= best - 1e-9 * max(1.0, abs(best))
    assert sum(answer.value for answer in found) >= sum(answer.value for answer in tight) - 1e-9 * max(1.0, abs(best))
    for chosen, stage in plans(problem):
        if not breaches(problem, chosen, stage):
            for number in range(len(problem.stages)):
                assert breaches(stage_problem(problem, number), chosen[stage <= number]) == []
            break


def test_the_bound_of_a_plan_is_the_sum_over_its_years():
    problem = line([5.0, 3.0, 2.0], 2, stages=(Stage(2027, 0.75, new=(yearly(3, most=1),)),
                                               Stage(2028, 0.25, new=(yearly(3, most=1),))))

    @dataclass
    class Bound:
        bound: float
        multipliers: Multipliers

    seen = []

    def prove(part):
        seen.append(part)
        return Bound(exact(part, Effort()).bound, Multipliers(np.zeros(3)))

    bound, multipliers = stage_bounds(problem, prove)
    assert bound == pytest.approx(0.75 * 5 + 0.25 * 8)  # one site in the first year, two at the end
    assert len(multipliers) == len(seen) == 2
    assert stage_bounds(replace(problem, stages=()), prove)[0] == pytest.approx(8.0)


def test_the_first_year_takes_the_sites_that_serve_most_of_what_stands_at_the_end():
    # at the end 0 and 1 serve all; site 2 alone serves more than either, but has no place in the end
    reach = reach_of_matrix(sp.csc_matrix(np.array([[1, 0, 0], [1, 0, 1], [0, 1, 1], [0, 1, 0]])))
    limits = (yearly(3, most=1),)
    for worth, first in ((0.1, 0), (0.9, 2)):
        problem = cover_problem(reach, [3.0, 4.0, 4.0, 2.0], 2,
                                stages=(Stage(2027, worth, new=limits), Stage(2028, 1 - worth, new=limits)))
        answer = staged(problem, Effort(), exact)
        assert answer.chosen[answer.stage == 0].tolist() == [first]
        assert answer.value == pytest.approx(best_value(problem))
        assert answer.facts["way"] == ("backwards" if worth == 0.1 else "forwards")


def test_yearly_quotas_of_a_county_are_kept_though_another_one_serves_more():
    county = yearly(6, least=1, name="county", candidates=[3, 4, 5])
    years = tuple(Stage(2027 + number, 1 / 3, on_air=(yearly(6, least=2 * number + 2, name="air"),),
                        new=(yearly(6, most=2), county)) for number in range(3))
    answer = staged(line([9.0, 8.0, 7.0, 3.0, 2.0, 1.0], stages=years), Effort(), exact)
    assert answer.status == "feasible"
    assert [sorted(answer.chosen[answer.stage == number].tolist()) for number in range(3)] == [[0, 3], [1, 4], [2, 5]]


def test_a_year_that_was_decided_stays():
    years = tuple(Stage(2027 + number, 0.5, new=(yearly(3, most=1),)) for number in range(2))
    problem = line([9.0, 5.0, 1.0], stages=years, built_in=np.array([1, -1, -1], dtype=np.int32))
    answer = staged(problem, Effort(), exact)
    assert dict(zip(answer.chosen.tolist(), answer.stage.tolist(), strict=True)) == {0: 1, 1: 0}
    assert answer.value == best_value(problem)


def test_rivals_of_a_mandatory_site_are_never_built_in_its_place():
    # 1 serves more than 0 and is too near to it; 0 has to stand at the end, so 1 can stand in no year
    years = (Stage(2027, 0.9, new=(yearly(2, most=1),)), Stage(2028, 0.1, new=(yearly(2, most=1),)))
    problem = line([1.0, 9.0], stages=years, near=np.array([[0, 1]], dtype=np.int32), locked=np.array([True, False]))
    answer = staged(problem, Effort(), exact)
    assert answer.chosen.tolist() == [0]
    assert answer.status == "feasible"
    assert stage_problem(problem, 0).barred.tolist() == [False, True]


@pytest.mark.parametrize("limit", ["on_air", "new"])
def test_what_the_first_year_needs_has_a_place_in_the_end(limit):
    # site 2 serves least; a choice for the end that forgets the first year would leave it out
    least = {limit: (yearly(3, least=1, candidates=[2]),)}
    problem = line([9.0, 8.0, 1.0], 2, stages=(Stage(2027, 0.5, **least), Stage(2028, 0.5)))
    answer = staged(problem, Effort(), exact)
    assert answer.value == best_value(problem)
    assert exact(stage_problem(problem, 1), Effort()).chosen.tolist() == [0, 2]
    assert exact(relaxed(problem, 1), Effort()).chosen.tolist() == [0, 1]


def test_broken_years_are_mended_and_bad_ones_improved(monkeypatch):
    monkeypatch.setattr(module, "FORWARD_INTERVALS", -1)
    years = tuple(Stage(2027 + number, 0.5, new=(yearly(4, least=2, most=2),)) for number in range(2))
    problem = line([1.0, 2.0, 3.0, 4.0], stages=years)

    def shy(part, effort):  # gives up where a year asks for a least number
        if any(row.least == 4 for row in part.rows):  # the end: both years together
            return exact(part, effort)
        nothing = Answer("unknown", np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), -np.inf)
        return nothing if any(np.isfinite(row.least) for row in part.rows) else replace(
            nothing, status="feasible", chosen=np.array([0]), stage=np.zeros(1, dtype=np.int32))

    def contrary(part, effort):  # the worst sites first
        return exact(replace(part, weight=5.0 - part.weight), effort)

    for choose in (shy, contrary):
        answer = staged(problem, Effort(), choose)
        assert answer.facts["way"] == "backwards"
        assert answer.chosen[answer.stage == 0].tolist() == [2, 3]
        assert answer.facts["year_moves"] > 0


def test_years_that_cannot_be_planned_are_told():
    years = (Stage(2027, 0.5, new=(yearly(2, least=3),)), Stage(2028, 0.5))
    answer = staged(line([1.0, 2.0], stages=years), Effort(), exact)
    assert answer.status == "infeasible"
    assert not len(answer.chosen)

    def helpless(problem, effort):
        nobody = np.zeros(0, dtype=np.int64)
        return Answer("unknown", nobody, nobody.astype(np.int32), -np.inf, cut="到达用时上限")

    answer = staged(line([1.0, 2.0], stages=(Stage(2027, 1.0),)), Effort(), helpless)
    assert (answer.status, answer.cut) == ("unknown", "到达用时上限")


def test_mending_moves_sites_to_years_that_lack_them():
    years = tuple(Stage(2027 + number, 1 / 3, new=(yearly(9, 2, 4, "all"), yearly(3, 1, 1, "county", [0, 1, 2])))
                  for number in range(3))
    problem = line(np.ones(9), stages=years)
    stage = mend_years(problem, np.arange(9), np.zeros(9, dtype=np.int32))
    assert breaches(problem, np.arange(9), stage) == []
    fixed = replace(problem, built_in=np.array([2, -1, -1, 1, -1, -1, -1, -1, -1], dtype=np.int32))
    stage = mend_years(fixed, np.arange(9), np.zeros(9, dtype=np.int32))
    assert breaches(fixed, np.arange(9), stage) == []
    assert stage[[0, 3]].tolist() == [2, 1]


def test_sites_change_years_as_long_as_service_grows():
    years = tuple(Stage(2027 + number, 0.5, new=(yearly(4, most=2),)) for number in range(2))
    problem = line([1.0, 2.0, 3.0, 4.0], stages=years)
    stage, moves = improve_years(problem, np.arange(4), np.array([0, 0, 1, 1], dtype=np.int32))
    assert stage.tolist() == [1, 1, 0, 0]
    assert moves == 2
    open_years = replace(problem, stages=tuple(replace(year, new=()) for year in problem.stages))
    assert improve_years(open_years, np.arange(4), np.array([0, 0, 1, 1], dtype=np.int32))[0].tolist() == [0, 0, 0, 0]


def clustered(sites=60, cells=400):
    rng = np.random.default_rng(8)
    place, points = rng.random((sites, 2)), rng.random((cells, 2))
    near = ((place[None] - points[:, None]) ** 2).sum(axis=2) < 0.14 ** 2
    weight = rng.integers(1, 20, cells).astype(float)
    sides = [np.flatnonzero((place[:, 0] > 0.5) == east) for east in (False, True)]
    rows = (yearly(sites, most=4, name="all"),
            *(yearly(sites, 1, 3, f"county{number}", own) for number, own in enumerate(sides)))
    return cover_problem(reach_of_matrix(sp.csc_matrix(near)), weight, stages=tuple(
        Stage(2027 + number, worth, new=rows) for number, worth in enumerate((0.5, 0.3, 0.2))))


def test_the_heuristic_is_near_the_exact_plan(monkeypatch):
    problem = clustered()
    best = exact(problem, Effort(seconds=60))
    answer = staged(problem, Effort(), exact)
    assert best.status == "optimal"
    assert 0.985 * best.value <= answer.value <= best.value * (1 + 1e-9)
    monkeypatch.setattr(module, "FORWARD_INTERVALS", 0)
    backwards = staged(problem, Effort(), exact)
    assert backwards.facts["way"] == "backwards"
    assert 0.95 * best.value <= backwards.value <= answer.value
    assert sum(exact(relaxed(problem, number), Effort()).bound for number in range(3)) >= best.value


def test_the_same_plan_every_time():
    one, two = (staged(clustered(40, 200), Effort(seed=1), exact) for _ in range(2))
    assert one.chosen.tolist() == two.chosen.tolist()
    assert one.stage.tolist() == two.stage.tolist()
