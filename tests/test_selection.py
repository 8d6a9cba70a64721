"""Selection: greedy against brute force, the bound against every choice, limits, preference, ties."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from conftest import CRS
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from siteplan.errors import ModelError
from siteplan.params import SelectionParams
from siteplan.selection import (
    CHOICE_ZH,
    Selection,
    bound_from_multipliers,
    explain_choice,
    gather_demand,
    mark_proposed,
    max_cover,
    select_sites,
)
from siteplan.selection.explain import REASON_BYTES, fit
from siteplan.selection.task import LAST_PUBLIC_TIER

NEARBY_M, RIVAL_SHARE = 1000.0, 0.8
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
                                        np.random.default_rng(seed + 1).integers(1, 20, rows).astype(float)),
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
    assert again >= answer.upper_bound - 1e-9, "an exact search may know better than the multipliers"
    swapped = max_cover(sp.csr_matrix(reach), weight, 2, "swap")
    mine = bound_from_multipliers(sp.csr_matrix(reach), weight, swapped.multipliers, 2)
    assert swapped.upper_bound == pytest.approx(max(mine, swapped.covered))


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
    assert choose(table, [[1, 0], [1, 1]], [4.0, 5.0], max_sites=1, min_gain=4.95) == ("S1",)
    assert choose(table, [[1, 0], [1, 1]], [6.0, 5.0], max_sites=1, min_gain=4.95) == ("S0",)


def test_budget_is_never_exceeded() -> None:
    table = candidates(cost_yuan=[6.0, 5.0, 5.0])
    chosen = choose(table, np.eye(3, dtype=int).tolist(), [6.0, 4.9, 4.8], budget_yuan=10.0, max_sites=3)
    assert chosen == ("S1", "S2"), "greedy alone would take S0 and have no money left"
    answer = select_sites(table, sp.eye(3).tocsr(), np.array([6.0, 4.9, 4.8]),
                          SelectionParams(budget_yuan=10.0, max_sites=3, spacing_m=0, min_gain=0))
    assert answer.cost_yuan <= 10.0
    assert answer.upper_bound == pytest.approx(9.7, abs=0.01), "S1 and S2 together, less what they have to be worth"
    assert (answer.status, answer.stopped) == ("optimal", "budget")


def test_neighbours_inside_the_spacing_are_not_both_chosen() -> None:
    table = candidates(x=[0.0, 50.0, 500.0])
    assert choose(table, np.eye(3, dtype=int).tolist(), [3.0, 2.0, 1.0], spacing_m=100.0) == ("S0", "S2")


def test_the_smaller_of_two_spacings_counts_and_never_less_than_that_of_the_plan() -> None:
    """S0 and S1 are 300 m apart, S2 is 60 m from S0."""
    table = candidates(x=[0.0, 300.0, -60.0])
    reach, weight = np.eye(3, dtype=int).tolist(), [3.0, 2.0, 1.0]
    assert choose(table.assign(spacing_m=[400.0, 350.0, 50.0]), reach, weight) == ("S0", "S2")
    assert choose(table.assign(spacing_m=[400.0, 250.0, 50.0]), reach, weight) == ("S0", "S1", "S2")
    assert choose(table.assign(spacing_m=[400.0, 250.0, 50.0]), reach, weight, spacing_m=100.0) == ("S0", "S1")
    assert choose(table.assign(spacing_m=[400.0, np.nan, 50.0]), reach, weight) == ("S0", "S1", "S2")


@given(seed=st.integers(0, 10**6), count=st.integers(1, 8))
def test_no_two_chosen_sites_break_their_spacing(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    table = candidates(x=random.uniform(0, 500, count), y=random.uniform(0, 500, count)).assign(
        spacing_m=random.choice([0.0, 100.0, 300.0], count))
    chosen = choose(table, np.eye(count, dtype=int).tolist(), random.integers(1, 9, count).astype(float).tolist(),
                    spacing_m=60.0)
    for one, other in itertools.combinations(chosen, 2):
        a, b = table.loc[one], table.loc[other]
        assert np.hypot(a["x"] - b["x"], a["y"] - b["y"]) >= max(60.0, min(a["spacing_m"], b["spacing_m"]))


def test_of_two_places_of_a_venue_one_is_chosen() -> None:
    table = candidates(x=[0.0, 300.0, 900.0]).assign(venue=["F1", "F1", ""])
    answer = select_sites(table, sp.eye(3).tocsr(), np.array([3.0, 2.0, 1.0]), SelectionParams(spacing_m=0, min_gain=0))
    assert answer.site_ids == ("S0", "S2")
    assert answer.barred == {"S1": ("venue", "S0")}
    assert choose(table.assign(venue=""), np.eye(3, dtype=int).tolist(), [3.0, 2.0, 1.0]) == ("S0", "S1", "S2")


def test_of_equal_candidates_the_cheaper_is_chosen() -> None:
    assert choose(candidates(cost_yuan=[3.0, 2.0]), [[1, 1]], [5.0]) == ("S1",)


ROOF = [[1, 1], [1, 1], [1, 0]]
"""What a roof (S0) and a school (S1) serve: two cells together, one the roof alone."""


@pytest.mark.parametrize(("weight", "apart", "chosen"), [
    ([4.0, 4.0, 2.0], 200.0, "S1"),                 # 8 of 10: just enough
    ([4.0, 4.0, 2.1], 200.0, "S0"),
    ([4.0, 4.0, 1.0], NEARBY_M, "S1"),
    ([4.0, 4.0, 1.0], NEARBY_M + 1, "S0"),          # not nearby
])
def test_a_private_roof_gives_way_to_a_public_rival(weight: list[float], apart: float, chosen: str) -> None:
    table = candidates(x=[0.0, apart]).assign(tier=[4, 3])
    assert choose(table, ROOF, weight, max_sites=1) == (chosen,)
    assert choose(table.drop(columns="tier"), ROOF, weight, max_sites=1) == ("S0",)
    assert choose(table.assign(tier=[3, 3]), ROOF, weight, max_sites=1) == ("S0",)
    assert choose(table.assign(tier=[6, 4]), ROOF, weight, max_sites=1) == ("S0",)


def test_who_has_to_open_is_public_whatever_the_tier() -> None:
    """The school of the test above in a tier that a city calls 4, the roof in tier 3."""
    table = candidates(x=[0.0, 200.0]).assign(tier=[3, 4], must_open=[False, True])
    limits = SelectionParams(max_sites=1, spacing_m=0, min_gain=0, max_yuan_per_gain=1e9)
    reach, weight = sp.csc_matrix(np.array(ROOF)), np.array([4.0, 4.0, 1.0])
    assert select_sites(table, reach, weight, limits).site_ids == ("S1",)
    swapped = table.assign(must_open=[True, False])
    assert select_sites(swapped, reach, weight, limits).site_ids == ("S0",)


def test_a_roof_that_gave_way_does_not_come_back() -> None:
    """Beside it the school would serve nothing alone."""
    table = candidates(x=[0.0, 200.0]).assign(tier=[4, 3])
    answer = select_sites(table, sp.csr_matrix(np.array(ROOF)), np.array([4.0, 4.0, 1.0]),
                          SelectionParams(spacing_m=0, min_gain=0.9))
    assert (answer.site_ids, answer.gains.tolist(), answer.covered) == (("S1",), [8.0], 8.0)
    assert answer.given == {"S0": "S1"}
    assert (answer.status, answer.value) == ("feasible", pytest.approx(8.0 - 0.9))
    assert answer.upper_bound == pytest.approx(9.0 - 0.9), "the rule is left out of the bound"


@pytest.mark.parametrize(("change", "limits"), [
    ({"cost_yuan": [1.0, 90.0]}, {"max_yuan_per_gain": 10.0}), ({"cost_yuan": [1.0, 90.0]}, {"budget_yuan": 50.0})])
def test_a_rival_that_breaks_a_limit_is_no_rival(change: dict[str, list[float]], limits: dict[str, float]) -> None:
    table = candidates(x=[0.0, 200.0], **change).assign(tier=[4, 3])
    assert choose(table, ROOF, [4.0, 4.0, 1.0], max_sites=1, **limits) == ("S0",)


@given(problem=problems, seed=st.integers(0, 10**6))
def test_no_private_site_stands_where_an_admissible_rival_would_do(problem: tuple, seed: int) -> None:
    """Recounts every choice: at its turn no free public candidate nearby served RIVAL_SHARE of what it newly served."""
    reach, weight = problem
    count = reach.shape[1]
    random = np.random.default_rng(seed)
    table = candidates(x=random.uniform(0, 2500, count), y=np.zeros(count)).assign(tier=random.integers(1, 7, count))
    params = SelectionParams(max_sites=10, spacing_m=300, min_gain=3, max_yuan_per_gain=1e9)
    answer = select_sites(table, sp.csr_matrix(reach), weight, params)
    left, x = weight.copy(), table["x"].to_numpy()
    for name, gain in zip(answer.site_ids, answer.gains, strict=True):
        column = int(name[1:])
        assert gain == pytest.approx(left[reach[:, column]].sum())
        for rival in range(count):
            if (table["tier"].iloc[column] <= LAST_PUBLIC_TIER or table["tier"].iloc[rival] > LAST_PUBLIC_TIER
                    or abs(x[rival] - x[column]) > NEARBY_M):
                continue
            others = [int(site[1:]) for site in answer.site_ids if site != name]
            admissible = left[reach[:, rival]].sum() >= 3 and all(abs(x[rival] - x[other]) >= 300 for other in others)
            both = left[reach[:, rival] & reach[:, column]].sum()
            assert not admissible or both < RIVAL_SHARE * gain + 1e-6
        left[reach[:, column]] = 0


def test_sites_without_gain_are_not_chosen() -> None:
    answer = select_sites(candidates(x=[0.0, 900.0]), sp.csr_matrix(np.array([[1, 1]])), np.array([1.0]),
                          SelectionParams(spacing_m=0, min_gain=0))
    assert answer.site_ids == ("S0",)
    assert answer.stopped == "no_gain"
    assert answer.gains.tolist() == [1.0]


def test_a_site_for_a_handful_of_people_is_not_worth_it() -> None:
    answer = select_sites(candidates(x=[0.0, 900.0, 1800.0]), sp.eye(3).tocsr(), np.array([80.0, 60.0, 9.0]),
                          SelectionParams(spacing_m=0, min_gain=50))
    assert (answer.site_ids, answer.stopped) == (("S0", "S1"), "min_gain")
    assert answer.upper_bound == pytest.approx(answer.value) == pytest.approx(140.0 - 2 * 50)


def test_a_site_too_dear_for_what_it_brings_is_not_built() -> None:
    answer = select_sites(candidates(x=[0.0, 900.0], cost_yuan=[1e5, 1e5]), sp.eye(2).tocsr(), np.array([80.0, 40.0]),
                          SelectionParams(spacing_m=0, min_gain=0, max_yuan_per_gain=2000))
    assert (answer.site_ids, answer.stopped) == (("S0",), "too_dear")
    assert answer.value == pytest.approx(80.0 - 1e5 / 2000)
    assert answer.barred == {"S1": ("too_dear", "")}


def test_a_candidate_too_near_names_the_site_it_is_near_to() -> None:
    answer = select_sites(candidates(x=[0.0, 50.0]), sp.eye(2).tocsr(), np.array([80.0, 60.0]),
                          SelectionParams(spacing_m=100, min_gain=0))
    assert answer.barred == {"S1": ("spacing", "S0")}


@given(problem=problems, budget=st.integers(0, 24).map(lambda half: half / 2), limit=st.integers(0, 4),
       seed=st.integers(0, 99))
def test_bound_under_a_budget_holds_for_every_affordable_choice(problem: tuple, budget: float, limit: int,
                                                                seed: int) -> None:
    reach, weight = problem
    columns = reach.shape[1]
    cost = np.random.default_rng(seed).integers(1, 8, columns).astype(float)
    table = candidates(cost_yuan=cost.tolist())
    if limit and budget < cost.min():
        with pytest.raises(ModelError, match="budget_yuan"):
            select_sites(table, sp.csr_matrix(reach), weight, SelectionParams(max_sites=limit, budget_yuan=budget))
        return
    answer = select_sites(table, sp.csr_matrix(reach), weight, SelectionParams(
        max_sites=limit, budget_yuan=budget, spacing_m=0, min_gain=0, max_yuan_per_gain=1e9))
    best = max(served(reach, weight, combo) for size in range(limit + 1)
               for combo in itertools.combinations(range(columns), size) if cost[list(combo)].sum() <= budget)
    assert answer.upper_bound >= best - 1e-7, "a yuan counts a thousand millionth of a person"
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


def site_table(x: list[float], tier: list[int], **columns: list[object]) -> gpd.GeoDataFrame:
    """A sites table of candidates in a row; names are 甲, 乙, 丙, ..."""
    count = len(x)
    base = {"name": list("甲乙丙丁戊")[:count], "status": "candidate", "tier": tier, "tier_name": "某层级", "owner": "",
            "department": "", "must_open": [1 <= number <= 3 for number in tier],
            "must_be_free": False, "rank_no": 0, "gain": 0.0, "gain_demand": 0.0,
            "gain_share": 0.0, "networks": "*", "reason": "", "choice_code": "", "cost_yuan": 1.0, "preference": 1.0}
    return gpd.GeoDataFrame({**base, **columns}, geometry=gpd.points_from_xy(x, [0.0] * count), crs=CRS,
                            index=pd.Index([f"S{number}" for number in range(count)], name="site_id"))


def explained(sites: gpd.GeoDataFrame, reach: list[list[int]], weight: list[float], **limits: float,
              ) -> tuple[pd.DataFrame, Selection]:
    """Choice among the open sites, explained; columns of reach are the open sites."""
    open_sites = sites[sites["status"] == "candidate"]
    frame = pd.DataFrame(open_sites[["cost_yuan", "preference", "tier"]]).assign(x=open_sites.geometry.x, y=0.0)
    params = SelectionParams(**{"max_sites": 10, "spacing_m": 100, "min_gain": 3, **limits})
    selection = select_sites(frame, sp.csr_matrix(np.array(reach)), np.array(weight), params)
    return explain_choice(sites, selection, np.array(weight), "people"), selection


def test_no_public_venue_nearby() -> None:
    sites = site_table([0.0, 1500.0], [6, 1])
    answer, _ = explained(sites, [[1, 0], [0, 1]], [9.0, 5.0])
    assert answer["choice_code"].to_dict() == {"S0": "no_public_near", "S1": "public"}
    assert answer.loc["S0", "reason"] == "第1位:某层级;新增服务9人,加权9(占空洞64.3%);权属待查;1000米内没有公共场所、杆塔候选"


def test_public_venues_nearby_that_are_all_refused() -> None:
    """Two refused venues within reach: that of the better tier is named, with why it is refused."""
    sites = site_table([0.0, 300.0, 500.0, 1200.0], [6, 3, 1, 1],
                       status=["candidate", "refused", "refused", "refused"],
                       reason=["", "位于水域:某河", "位于限制区:水源保护区", "业主拒绝"])
    answer, _ = explained(sites, [[1]], [9.0])
    assert answer.loc["S0", "choice_code"] == "public_refused"
    assert answer.loc["S0", "reason"].endswith(";1000米内公共场所、杆塔2处均不可用,最优的 丙(S2):位于限制区:水源保护区")


def test_a_public_rival_that_serves_far_less() -> None:
    sites = site_table([0.0, 300.0, 400.0], [5, 2, 3])
    alone, _ = explained(sites, [[1, 1, 0], [1, 0, 1], [1, 0, 0]], [2.0, 3.0, 5.0])
    assert alone.loc["S0", ["rank_no", "choice_code"]].tolist() == [1, "public_weaker"]
    assert alone.loc["S0", "reason"].endswith("公共候选 丙(S2) 最多能服务其中30%")


def test_public_candidates_nearby_that_serve_nothing_of_it() -> None:
    answer, _ = explained(site_table([0.0, 300.0], [5, 2]), [[1, 0], [0, 1]], [9.0, 4.0])
    assert answer.loc["S0", "choice_code"] == "public_weaker"
    assert answer.loc["S0", "reason"].endswith("1000米内的1处公共候选不能服务这些需求")


def test_a_rival_too_near_a_chosen_site() -> None:
    """甲 is chosen first; 乙 would serve all of the roof's demand but stands 50 m from 甲."""
    sites = site_table([0.0, 50.0, 400.0], [1, 3, 6])
    answer, _ = explained(sites, [[1, 0, 0], [0, 1, 1]], [20.0, 9.0])
    assert answer.index.tolist() == ["S0", "S2"]
    assert answer.loc["S2", "choice_code"] == "public_too_near"
    assert answer.loc["S2", "reason"].endswith("公共候选 乙(S1) 能服务其中100%,但距入选站过近:甲(S0)")


@pytest.mark.parametrize(("limits", "words"), [
    ({"max_yuan_per_gain": 10.0}, "但单位新增需求的投资过高"), ({"budget_yuan": 50.0}, "但超出预算")])
def test_a_rival_too_dear(limits: dict[str, float], words: str) -> None:
    answer, _ = explained(site_table([0.0, 300.0], [6, 1], cost_yuan=[1.0, 95.0]), [[1, 1]], [9.0], **limits)
    assert answer.loc["S0", "choice_code"] == "public_too_dear"
    assert answer.loc["S0", "reason"].endswith(f"公共候选 乙(S1) 能服务其中100%,{words}")


def test_what_bars_a_rival_only_later_is_no_reason() -> None:
    """乙 serves 4 of the roof's 9 and 2 besides: it falls below the least gain only when those are served."""
    answer, selection = explained(site_table([0.0, 300.0], [6, 1]), [[1, 0], [1, 1], [0, 1]], [5.0, 4.0, 2.0])
    assert selection.barred == {"S1": ("min_gain", "")}
    assert answer.loc["S0", "reason"].endswith("最多能服务其中44%")


def test_a_public_site_names_duty_department_owner_and_better_tiers() -> None:
    sites = site_table([0.0, 300.0], [3, 1], must_open=[True, True], must_be_free=[False, True],
                       department=["教育和体育局", "机关事务管理局"], owner=["某县第一小学", "某镇人民政府"])
    answer, _ = explained(sites, [[1, 0], [1, 1], [0, 1]], [9.0, 4.0, 5.0])
    assert answer["choice_code"].tolist() == ["public", "public"]
    assert answer.loc["S0", "reason"].endswith(";应开放,主管教育和体育局,权属某县第一小学;更优层级的 乙(S1) 最多能服务其中31%,按目标值不及")
    assert answer.loc["S1", "reason"].endswith(";须免费开放,主管机关事务管理局,权属某镇人民政府")


def test_reasons_fit_a_shapefile_field_and_the_whole_text_is_kept() -> None:
    sites = site_table([0.0, 300.0], [6, 1], name=["某" * 40, "南" * 60], owner=["权" * 60, ""], department=["局" * 60, ""])
    answer, _ = explained(sites, [[1, 0], [1, 1]], [9.0, 4.0], max_sites=1)
    assert len(answer.loc["S0", "reason"].encode()) <= REASON_BYTES
    assert answer.loc["S0", "reason"].endswith("…")
    assert answer.loc["S0", "choice_text"].endswith("最多能服务其中31%")
    assert fit("甲乙", 6) == "甲乙"


def test_the_table_takes_code_and_reason_of_every_proposed_site() -> None:
    sites = site_table([0.0, 50.0, 400.0, 3000.0], [1, 3, 6, 6])
    _, selection = explained(sites, [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], [20.0, 9.0, 1.0])
    marked = mark_proposed(sites, selection, np.array([20.0, 9.0, 1.0]), "people", "移动")
    assert marked["choice_code"].tolist() == ["public", "", "public_too_near", ""]
    assert marked["status"].tolist() == ["proposed", "candidate", "proposed", "candidate"]
    assert marked["rank_no"].tolist() == [1, 0, 2, 0]
    assert marked.loc["S1", "reason"] == "备选:距入选站 S0 过近"
    assert set(marked["choice_code"]) - {""} <= set(CHOICE_ZH)
    assert (sites["status"] == "candidate").all()


def test_a_candidate_that_serves_no_gap_says_so() -> None:
    """丙 serves nothing at all, 丁 only what 甲 serves, 乙 stands too near to 甲."""
    sites = site_table([0.0, 50.0, 3000.0, 6000.0], [1, 3, 3, 6])
    _, selection = explained(sites, [[1, 0, 0, 1], [1, 1, 0, 0]], [20.0, 9.0])
    marked = mark_proposed(sites, selection, np.array([20.0, 9.0]), "people", "移动")
    assert marked["reason"].tolist()[1:] == ["备选:距入选站 S0 过近", "备选:不能服务任何空洞", "备选:能服务的空洞已由入选站服务"]


@given(seed=st.integers(0, 10**6), count=st.integers(1, 25))
def test_what_surrounds_a_site_is_what_a_plain_loop_finds(seed: int, count: int) -> None:
    """Places at multiples of 250 m, so that many are exactly 1,000 m apart, which still counts."""
    random = np.random.default_rng(seed)
    sites = site_table([0.0] * count, [6] * count, name="", must_open=list(random.random(count) < 0.6),
                       status=list(random.choice(["candidate", "refused"], count)), reason="某因")
    sites = sites.set_geometry(gpd.points_from_xy(*(random.integers(0, 9, (2, count)) * 250.0), crs=CRS))
    sites = sites.set_index(pd.Index([f"S{number:02d}" for number in range(count)], name="site_id"))
    asked = sites[sites["status"] == "candidate"]
    frame = pd.DataFrame(asked[["cost_yuan", "preference", "tier", "must_open"]]).assign(
        x=asked.geometry.x, y=asked.geometry.y)
    weight = np.arange(1.0, len(asked) + 1)
    selection = select_sites(frame, sp.identity(len(asked), format="csc"), weight,
                             SelectionParams(spacing_m=0, min_gain=0, max_sites=50))
    told = explain_choice(sites, selection, weight, "people")
    public = sites["must_open"]
    for site, row in told.iterrows():
        near = sites.geometry.distance(sites.geometry[site]) <= NEARBY_M
        open_, shut = (int((near & public & (sites["status"] == status)).sum()) for status in ("candidate", "refused"))
        if public[site]:
            assert row["choice_code"] == "public"
        elif open_:
            assert row["choice_text"].endswith(f"1000米内的{open_}处公共候选{'都' if open_ > 1 else ''}不能服务这些需求")
        else:
            assert row["choice_code"] == ("public_refused" if shut else "no_public_near")
            assert not shut or f"杆塔{shut}处均不可用" in row["choice_text"]
