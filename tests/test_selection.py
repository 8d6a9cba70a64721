"""Selection: greedy against brute force, the bound against every choice, limits, preference, ties."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from siteplan.errors import ModelError
from siteplan.params import SelectionParams
from siteplan.selection import bound_from_multipliers, gather_demand, max_cover, select_sites

CHECKS = Path(__file__).parents[2] / "shared" / "checks"


def served(reach: np.ndarray, weight: np.ndarray, chosen: tuple[int, ...]) -> float:
    """Recount by hand: a row counts once, whoever serves it."""
    return float(weight[reach[:, list(chosen)].any(axis=1)].sum()) if chosen else 0.0


def best_of_all(reach: np.ndarray, weight: np.ndarray, limit: int) -> float:
    columns = range(reach.shape[1])
    return max(served(reach, weight, combo) for size in range(limit + 1)
               for combo in itertools.combinations(columns, size))


problems = st.builds(
    lambda seed, rows, columns, share: (np.random.default_rng(seed).random((rows, columns)) < share,
                                        np.random.default_rng(seed + 1).integers(0, 20, rows).astype(float)),
    st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 7), st.floats(0.05, 0.6))


@given(problem=problems, limit=st.integers(0, 4))
def test_bound_holds_for_every_choice_and_greedy_is_recounted(problem: tuple, limit: int) -> None:
    reach, weight = problem
    answer = max_cover(sp.csr_matrix(reach), weight, limit)
    best = best_of_all(reach, weight, limit)
    assert answer.covered == pytest.approx(served(reach, weight, tuple(answer.sites)))
    assert answer.covered >= (1 - 1 / np.e) * best - 1e-9
    assert answer.upper_bound >= best - 1e-9
    assert len(answer.sites) <= limit
    assert len(set(answer.sites.tolist())) == len(answer.sites)


@given(problem=problems, limit=st.integers(1, 3), seed=st.integers(0, 99))
def test_any_multipliers_give_a_valid_bound(problem: tuple, limit: int, seed: int) -> None:
    reach, weight = problem
    multipliers = np.random.default_rng(seed).uniform(-1, 25, len(weight))
    bound = bound_from_multipliers(sp.csr_matrix(reach), weight, multipliers, limit)
    assert bound >= best_of_all(reach, weight, limit) - 1e-9


@given(problem=problems)
def test_the_stored_multipliers_reproduce_the_bound(problem: tuple) -> None:
    reach, weight = problem
    answer = max_cover(sp.csr_matrix(reach), weight, 2)
    again = bound_from_multipliers(sp.csr_matrix(reach), weight, answer.multipliers, 2)
    assert answer.upper_bound <= max(again, answer.covered) + 1e-9
    if reach.any():
        assert again == pytest.approx(answer.upper_bound)


def test_any_nonzero_reach_counts_once() -> None:
    reach = sp.coo_matrix(([0.4, 3.0, 1.0], ([0, 0, 1], [0, 0, 1])), shape=(2, 2))
    assert max_cover(reach, np.array([2.0, 1.0]), 2).covered == 3.0


def test_ties_go_to_the_lower_column() -> None:
    reach = sp.csr_matrix(np.array([[1, 0, 1], [0, 1, 0]]))
    assert max_cover(reach, np.array([1.0, 1.0]), 1).sites.tolist() == [0]


def test_nothing_to_choose() -> None:
    for columns, limit in ((0, 3), (2, 0)):
        answer = max_cover(sp.csr_matrix((4, columns)), np.ones(4), limit)
        assert (len(answer.sites), answer.covered, answer.upper_bound, answer.optimality_gap) == (0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("weight", [[1.0, np.nan], [1.0, -2.0], [1.0, np.inf], [1.0]])
def test_bad_weights_are_named(weight: list[float]) -> None:
    with pytest.raises(ModelError, match="weight"):
        max_cover(sp.csr_matrix(np.eye(2)), np.array(weight), 1)


def test_dense_reach_and_negative_limit_are_refused() -> None:
    with pytest.raises(ModelError, match="sparse"):
        max_cover(np.eye(2), np.ones(2), 1)
    with pytest.raises(ModelError, match="max_sites"):
        max_cover(sp.eye(2).tocsr(), np.ones(2), -1)
    for limit in (float("nan"), None, 1.5, "2"):
        with pytest.raises(ModelError, match="max_sites"):
            max_cover(sp.eye(2).tocsr(), np.ones(2), limit)


@pytest.mark.shared
def test_instances_with_proved_optima() -> None:
    folder = CHECKS / "maxcover"
    if not folder.is_dir():
        pytest.skip("../shared/checks/maxcover is absent")
    for entry in json.loads((folder / "optima.json").read_text(encoding="utf-8")):
        data = np.load(folder / f"inst_{entry['inst']}.npz")
        reach = np.unpackbits(data["cover"], axis=1)[:, : int(data["nD"])].T
        answer = max_cover(sp.csr_matrix(reach), data["weight"], entry["p"])
        assert answer.covered >= 0.999 * entry["optimum"]
        assert answer.upper_bound >= entry["optimum"] - 1e-6
        assert answer.optimality_gap <= 0.01


@pytest.mark.shared
def test_sjc_bound_never_below_the_optimum() -> None:
    folder = CHECKS / "sjc"
    if not folder.is_dir():
        pytest.skip("../shared/checks/sjc is absent")
    for row in pd.read_csv(folder / "optima_highs.csv").itertuples():
        xy = np.loadtxt(folder / f"{row.instance}.txt", skiprows=1)
        weight = np.loadtxt(folder / f"demand-{row.instance}.dat")[-len(xy):]
        near = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) <= row.R_m
        answer = max_cover(sp.csr_matrix(near), weight, row.p)
        assert 0.9 * row.optimum <= answer.covered <= row.optimum
        assert answer.upper_bound >= row.optimum - 1e-6


def candidates(**columns: list[float]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    base = {"cost_yuan": [1.0] * count, "preference": [1.0] * count, "x": np.arange(count) * 1000.0,
            "y": [0.0] * count}
    return pd.DataFrame({**base, **columns}, index=[f"S{number}" for number in range(count)])


def choose(table: pd.DataFrame, reach: list[list[int]], weight: list[float], **limits: float) -> tuple[str, ...]:
    params = SelectionParams(**{"max_sites": 10, "spacing_m": 0, "min_gain": 0, **limits})
    return select_sites(table, sp.csr_matrix(np.array(reach)), np.array(weight), params).site_ids


def test_equal_gain_goes_to_the_free_public_venue() -> None:
    table = candidates(preference=[0.55, 1.0])
    assert choose(table, [[1, 1]], [5.0]) == ("S1",)


def test_a_private_roof_wins_only_with_a_clearly_greater_gain() -> None:
    table = candidates(preference=[0.55, 1.0])
    assert choose(table, [[1, 0], [1, 1]], [4.0, 5.0], max_sites=1) == ("S1",)
    assert choose(table, [[1, 0], [1, 1]], [6.0, 5.0], max_sites=1) == ("S0",)


def test_budget_is_never_exceeded() -> None:
    table = candidates(cost_yuan=[6.0, 5.0, 5.0])
    assert choose(table, np.eye(3, dtype=int).tolist(), [6.0, 4.9, 4.8], budget_yuan=10.0, max_sites=3) == ("S0",)
    answer = select_sites(table, sp.eye(3).tocsr(), np.array([6.0, 4.9, 4.8]),
                          SelectionParams(budget_yuan=10.0, max_sites=3, spacing_m=0, min_gain=0))
    assert answer.cost_yuan <= 10.0
    assert answer.upper_bound >= 9.7  # S1 and S2 together: the better choice that greedy misses
    assert answer.stopped == "budget"


def test_neighbours_inside_the_spacing_are_not_both_chosen() -> None:
    table = candidates(x=[0.0, 50.0, 500.0])
    assert choose(table, np.eye(3, dtype=int).tolist(), [3.0, 2.0, 1.0], spacing_m=100.0) == ("S0", "S2")


def test_sites_without_gain_are_not_chosen() -> None:
    answer = select_sites(candidates(x=[0.0, 900.0]), sp.csr_matrix(np.array([[1, 1]])), np.array([1.0]),
                          SelectionParams(spacing_m=0, min_gain=0))
    assert answer.site_ids == ("S0",)
    assert answer.stopped == "no_gain"
    assert answer.gains.tolist() == [1.0]


def test_a_site_for_a_handful_of_people_is_not_worth_it() -> None:
    answer = select_sites(candidates(x=[0.0, 900.0, 1800.0]), sp.eye(3).tocsr(), np.array([80.0, 60.0, 9.0]),
                          SelectionParams(spacing_m=0, min_gain=50))
    assert (answer.site_ids, answer.stopped, answer.bound_sites) == (("S0", "S1"), "min_gain", 2)
    assert answer.upper_bound == pytest.approx(140.0)


def test_a_site_too_dear_for_what_it_brings_is_not_built() -> None:
    answer = select_sites(candidates(x=[0.0, 900.0], cost_yuan=[1e5, 1e5]), sp.eye(2).tocsr(), np.array([80.0, 40.0]),
                          SelectionParams(spacing_m=0, min_gain=0, max_yuan_per_gain=2000))
    assert (answer.site_ids, answer.stopped, answer.bound_sites) == (("S0",), "too_dear", 1)
    assert answer.barred == {"S1": ("too_dear", "")}


def test_a_candidate_too_near_names_the_site_it_is_near_to() -> None:
    answer = select_sites(candidates(x=[0.0, 50.0]), sp.eye(2).tocsr(), np.array([80.0, 60.0]),
                          SelectionParams(spacing_m=100, min_gain=0))
    assert answer.barred == {"S1": ("spacing", "S0")}


@given(problem=problems, budget=st.floats(0, 12), limit=st.integers(0, 4), seed=st.integers(0, 99))
def test_bound_under_a_budget_holds_for_every_affordable_choice(problem: tuple, budget: float, limit: int,
                                                                seed: int) -> None:
    reach, weight = problem
    columns = reach.shape[1]
    cost = np.random.default_rng(seed).integers(1, 8, columns).astype(float)
    table = candidates(cost_yuan=cost.tolist())
    answer = select_sites(table, sp.csr_matrix(reach), weight, SelectionParams(
        max_sites=limit, budget_yuan=budget, spacing_m=0, min_gain=0, max_yuan_per_gain=1e9))
    best = max(served(reach, weight, combo) for size in range(limit + 1)
               for combo in itertools.combinations(range(columns), size) if cost[list(combo)].sum() <= budget)
    assert answer.upper_bound >= best - 1e-9
    assert answer.cost_yuan <= budget
    chosen = tuple(int(site[1:]) for site in answer.site_ids)
    assert answer.covered == pytest.approx(served(reach, weight, chosen))


def test_nan_cost_names_the_site() -> None:
    with pytest.raises(ModelError, match="S1"):
        choose(candidates(cost_yuan=[1.0, np.nan]), [[1, 1]], [1.0])


def test_row_order_of_candidates_does_not_change_the_choice() -> None:
    table = candidates(preference=[1.0, 1.0, 0.9])
    reach, weight = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]]), [1.0, 1.0, 1.0]
    order = [2, 0, 1]
    assert choose(table, reach.tolist(), weight) == choose(table.iloc[order], reach[:, order].tolist(), weight)


def test_demand_cells_keep_every_gap_pixel_and_its_weight() -> None:
    grid = GeoBox((7, 9), __import__("affine").Affine(10, 0, 0, 0, -10, 70), "EPSG:4547")
    rng = np.random.default_rng(3)
    gap, people = rng.random((7, 9)) < 0.5, rng.random((7, 9)).astype(np.float32)
    weight = people * 2.0
    cells = gather_demand(gap, people, weight, grid, 30.0)
    assert cells.weight.sum() == pytest.approx(weight[gap].sum())
    assert cells.demand.sum() == pytest.approx(people[gap].sum())
    assert gap[cells.rows, cells.cols].all()
    assert len({(r // 3, c // 3) for r, c in zip(cells.rows, cells.cols, strict=True)}) == len(cells)
    for row, col in zip(cells.rows, cells.cols, strict=True):
        block = np.s_[row // 3 * 3:row // 3 * 3 + 3, col // 3 * 3:col // 3 * 3 + 3]
        assert weight[row, col] == np.where(gap[block], weight[block], 0).max()
