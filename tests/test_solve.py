"""The one way in: status words, what a limit of time leaves, and questions that cannot be asked."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from siteplan.errors import ModelError
from siteplan.params import SelectionParams
from siteplan.selection import Selection, Wishes, select_sites, solve
from siteplan.selection.model import Effort, Row
from siteplan.selection.model.problem import cover_problem
from siteplan.selection.model.reach import reach_of_matrix


def table(**columns: object) -> pd.DataFrame:
    base = {"cost_yuan": [10.0, 20.0, 30.0], "preference": 1.0, "x": [0.0, 100.0, 5000.0], "y": 0.0, "tier": [4, 1, 1],
            "must_open": [False, True, True], "must_be_free": [False, True, True]}
    return pd.DataFrame({**base, **columns}, index=list("ABC"))


def choose(reach: object, weight: list[float], wishes: Wishes | None = None, sites: pd.DataFrame | None = None,
           **asked: Any) -> Selection:
    params = SelectionParams(**{"min_gain": 0, "spacing_m": 0, "max_yuan_per_gain": 1e9, **asked})
    return select_sites(table() if sites is None else sites, sp.csc_matrix(np.array(reach)), np.array(weight), params,
                        wishes)


def city(seed: int = 1, cells: int = 900, count: int = 150) -> sp.csc_matrix:
    return sp.random(cells, count, 0.02, "csc", random_state=seed)


def test_a_bound_below_the_plan_proves_nothing() -> None:
    """The site that has to be in costs a little more than the budget: within the tolerance of sums, not of prices."""
    cost = np.array([1_000_000.05, 1.0, 1.0])
    everyone = np.arange(3, dtype=np.int32)
    problem = cover_problem(reach_of_matrix(sp.eye(3).tocsc()), np.array([30.0, 5.0, 4.0]),
                            locked=np.array([True, False, False]),
                            rows=(Row("yuan", everyone, cost, most=1_000_000.0),))
    found = solve(problem, "greedy")
    assert found.status != "optimal" or found.value == pytest.approx(found.bound)
    assert found.bound >= found.value
    if found.status == "feasible":
        assert not np.isfinite(found.bound) or found.bound >= 30.0


@pytest.mark.parametrize("method", ["greedy", "swap", "anneal"])
def test_a_gap_is_never_called_optimal(method: str) -> None:
    """A random instance that no quick method closes: 12 of 150 sites, with time for almost nothing."""
    problem = cover_problem(reach_of_matrix(city()), np.arange(1.0, 901.0), 12)
    start = time.monotonic()
    found = solve(problem, method, Effort(moves=200, passes=20, seconds=2.0, threads=1))
    assert found.status == "feasible"
    assert found.bound > found.value * (1 + 1e-9)
    assert found.gap == pytest.approx((found.bound - found.value) / found.value)
    assert time.monotonic() - start < 60, "a stop that does not come at all"


def test_what_is_cut_short_is_told() -> None:
    problem = cover_problem(reach_of_matrix(city(cells=4_500, count=450)), np.arange(1.0, 4501.0), 30)
    found = solve(problem, "auto", Effort(seconds=0.05, threads=1))
    assert found.status == "feasible"
    assert found.cut


def test_the_same_seed_gives_the_same_plan_on_any_number_of_threads() -> None:
    problem = cover_problem(reach_of_matrix(city(seed=4)), np.arange(1.0, 901.0), 12)
    plans = [solve(problem, "auto", Effort(seed=5, moves=2000, passes=50, threads=threads)) for threads in (1, 2)]
    assert plans[0].chosen.tolist() == plans[1].chosen.tolist()
    assert plans[0].bound == plans[1].bound


def test_service_that_was_there_is_told_in_the_same_grades() -> None:
    """0.62 and 0.55 count as 0.5, so that there are as many levels as grades."""
    found = choose([[0.95, 0, 0], [0, 0.8, 0]], [100.0, 10.0], Wishes(already=np.array([0.62, 0.55])),
                   probability_weighted=True)
    assert found.task.levels.levels == (0.5, 0.75, 0.9)
    assert found.value == pytest.approx(100 * (0.9 - 0.5) + 10 * (0.75 - 0.5))
    assert sorted(found.gains.tolist()) == pytest.approx([2.5, 40.0])


def test_a_site_gives_way_only_to_one_that_serves_as_well() -> None:
    """The venue beside the roof serves the same cell with 0.6 instead of 0.95: that is not 80 % of it."""
    asked = {"probability_weighted": True, "max_sites": 1}
    assert choose([[0.95, 0.6, 0]], [100.0], **asked).site_ids == ("A",)
    found = choose([[0.95, 0.92, 0]], [100.0], **asked)
    assert (found.site_ids, found.status) == (("B",), "optimal"), "it serves as well, and is taken at no loss"


def test_a_paid_venue_gives_way_to_a_free_one_and_not_to_a_pole() -> None:
    sites = table(tier=[3, 1, 1], must_open=True, source=["facility", "facility", "pole"], x=[0.0, 100.0, 100.0],
                  must_be_free=[False, True, False])
    reach = [[1, 1, 0], [1, 1, 0], [1, 0, 0]]
    assert choose(reach, [4.0, 4.0, 2.0], sites=sites, max_sites=1).site_ids == ("B",)
    assert choose([[1, 0, 1], [1, 0, 1], [1, 0, 0]], [4.0, 4.0, 2.0], sites=sites, max_sites=1).site_ids == ("A",)


@pytest.mark.parametrize(("wishes", "told"), [
    (Wishes(kept=("Z",)), "Z"), (Wishes(years={"A": 2031}), "2031|A"),
    (Wishes(existing=pd.DataFrame({"stations": [np.nan]}, index=["E-1"])), "E-1")])
def test_wishes_about_what_there_is_not_are_named(wishes: Wishes, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        choose([[1, 0, 0], [0, 1, 1]], [1.0, 1.0], wishes, phases={"years": [2026, 2027]})


@pytest.mark.parametrize(("sites", "reach", "told"), [
    (table().drop(columns="preference"), [[1, 1, 1]], "preference"),
    (table(cost_yuan=["5", "a", "6"]), [[1, 1, 1]], "cost_yuan"), (table(), [[1, np.nan, 1]], "NaN"),
    (table(), [[1, -1, 1]], "negative")])
def test_tables_that_cannot_be_read_are_named(sites: pd.DataFrame, reach: list[list[float]], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        choose(reach, [1.0], sites=sites)


def test_an_unknown_duty_is_none() -> None:
    found = choose([[1, 1, 0]], [1.0], sites=table(must_open=pd.array([pd.NA, True, False], dtype="boolean")))
    assert found.site_ids == ("B",)
