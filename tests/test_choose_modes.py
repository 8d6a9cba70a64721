"""Objectives and modes of preference, each worked by hand; money curve, noise, and what an impossible wish is told."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import ModelError, PlanError
from siteplan.params import SelectionParams
from siteplan.selection import (
    Selection,
    Wishes,
    explain_choice,
    gap_text,
    knee_sentence,
    money_curve,
    objective_zh,
    proof_sentence,
    select_sites,
)
from siteplan.selection.stability import Stability, stability, stability_sentence

WEIGHT = np.array([5.0, 6.0, 7.0, 8.0])


def sites(**columns: object) -> pd.DataFrame:
    """Two public venues in one county, two private roofs in the other; each serves one cell of its own."""
    base = {"cost_yuan": [10.0, 20.0, 30.0, 40.0], "preference": 1.0, "x": [0.0, 2000.0, 4000.0, 6000.0], "y": 0.0,
            "tier": [1, 2, 4, 4], "must_open": [True, True, False, False], "must_be_free": [True, False, False, False],
            "county": ["甲县", "甲县", "乙县", "乙县"], "stations": [1, 3, 2, 2]}
    return pd.DataFrame({**base, **columns}, index=list("ABCD"))


def choose(wishes: Wishes | None = None, reach: object = None, **asked: object) -> Selection:
    params = SelectionParams(**{"min_gain": 0, "spacing_m": 0, "max_yuan_per_gain": 1e9, **asked})
    matrix = sp.eye(4).tocsc() if reach is None else sp.csc_matrix(np.array(reach))
    return select_sites(sites(), matrix, WEIGHT[:matrix.shape[0]], params, wishes)


def test_least_cost_for_a_share_of_the_demand() -> None:
    """26 in all; 0.7 of it are 18.2. A, B, C serve 18; A, B, D 19 for 70; A, C, D 20 for 80; B, C, D 21 for 90."""
    found = choose(objective="least_cost", required_share=0.7)
    assert sorted(found.site_ids) == ["A", "B", "D"]
    assert (found.status, found.cost_yuan, found.value) == ("optimal", 70.0, -70.0)
    assert "投资最少" in objective_zh(found)
    assert "投资(元) 70" in proof_sentence(found)


def test_lexicographic_takes_fewest_private_sites_that_serve_nearly_as_much() -> None:
    """Two sites: the best is C and D with 15. A tenth less is 13.5: no pair with a public one but B and D with 14."""
    assert sorted(choose(max_sites=2, preference_mode="lexicographic", lexicographic_slack=0.0).site_ids) == ["C", "D"]
    found = choose(max_sites=2, preference_mode="lexicographic", lexicographic_slack=0.1)
    assert sorted(found.site_ids) == ["B", "D"]
    assert found.answer.facts["first_value"] == pytest.approx(15.0)


def test_a_price_of_tiers() -> None:
    found = choose(preference_mode="cost", tier_price_people={"4": 7.5})
    assert sorted(found.site_ids) == ["A", "B", "D"], "C brings 7 and would cost 7.5"
    assert found.value == pytest.approx(19.0 - 7.5)


def test_a_floor_on_the_share_of_free_venues() -> None:
    found = choose(preference_mode="floor", free_share_least=0.5)
    assert sorted(found.site_ids) == ["A", "D"], "one free venue allows one other site"


def test_backup_counts_a_second_server_in_part() -> None:
    """Cell 1 (6) is served by A and B, cell 0 (5) by A: A and B are worth 11 + 0.5 x 6."""
    found = choose(reach=[[1, 0, 0, 0], [1, 1, 0, 0]], backup_share=0.5)
    assert found.value == pytest.approx(14.0)
    assert found.covered == 11.0


def test_probability_counts_in_steps_above_what_is_there() -> None:
    """A gives cell 0 (5) a chance of 0.8, which counts 0.75; B gives 0.95; 0.5 were there."""
    matrix = [[0.8, 0.95, 0, 0], [0, 0, 0, 0.6]]
    asked = {"probability_weighted": True, "probability_levels": [0.5, 0.75, 0.9]}
    found = choose(reach=matrix, max_sites=2, **asked)
    assert sorted(found.site_ids) == ["B", "D"]
    assert found.value == pytest.approx(5 * 0.9 + 6 * 0.5)
    there = choose(Wishes(already=np.array([0.5, 0.0])), reach=matrix, max_sites=2, **asked)
    assert there.value == pytest.approx(5 * 0.4 + 6 * 0.5)
    with pytest.raises(ModelError, match="probability_weighted"):
        choose(reach=matrix, objective="least_cost", required_share=0.5, **asked)


def test_quotas_in_sites_and_in_stations() -> None:
    """County 甲 at most 3 stations (A has 1, B 3), county 乙 exactly one site."""
    quotas = [{"of": "county", "value": "甲县", "unit": "基站", "most": 3},
              {"of": "county", "value": "乙县", "least": 1, "most": 1}]
    found = choose(quotas=quotas)
    assert sorted(found.site_ids) == ["B", "D"]
    assert found.barred == {"A": ("county=甲县/stations/new", ""), "C": ("county=乙县/sites/new", "")}
    assert found.stopped == "quota"


def test_years_keep_what_was_built_and_what_was_decided() -> None:
    """One site in the first year, two in the second; A has to come, C is decided for the first year if at all."""
    quotas = [{"year": 2026, "most": 1}, {"year": 2027, "most": 2}]
    found = choose(Wishes(kept=("A",)), phases={"years": [2026, 2027]}, quotas=quotas)
    assert dict(zip(found.site_ids, found.years, strict=True)) == {"D": 2026, "C": 2027, "A": 2027}
    assert found.value == pytest.approx(0.5 * 8 + 0.5 * 20)
    decided = choose(Wishes(kept=("A",), years={"A": 2026}), phases={"years": [2026, 2027]}, quotas=quotas)
    assert dict(zip(decided.site_ids, decided.years, strict=True)) == {"A": 2026, "D": 2027, "C": 2027}


def test_on_air_counts_what_stands() -> None:
    """Three stations stand; six on air in all: sites with three stations more, the best of them."""
    old = pd.DataFrame({"stations": [2, 1], "county": "甲县"}, index=["E-1", "E-2"])
    found = choose(Wishes(existing=old), max_sites=2, quotas=[{"count": "on_air", "unit": "基站", "most": 6}])
    assert sorted(found.site_ids) in (["A", "D"], ["A", "C"])
    assert found.value == pytest.approx(13.0)


def test_an_impossible_wish_is_told_with_what_to_relax() -> None:
    """Free venues half of all, two sites in the county of roofs: there is one free venue, so 1 of 3 at most."""
    with pytest.raises(PlanError) as caught:
        choose(free_share_least=0.5, quotas=[{"of": "county", "value": "乙县", "least": 2}])
    told = str(caught.value)
    assert "不能同时成立" in told
    assert "从50.00%降到33.33%" in told
    assert "从2处降到1处" in told
    assert {problem.field for problem in caught.value.problems} == {"selection:free_share",
                                                                    "selection:county=乙县/sites/new"}


def test_what_may_not_be_chosen_is_not_and_says_why() -> None:
    found = choose(Wishes(barred={"D": "会议决定不用"}), max_sites=2)
    assert sorted(found.site_ids) == ["B", "C"]


def test_the_money_curve_worked_by_hand() -> None:
    """For each yuan A brings 0.5, B 0.3, C 0.233, D 0.2; the bound of the whole money is all there is."""
    curve = money_curve(choose(max_sites=1), np.ones(4))
    assert curve.table["site_id"].tolist() == ["", "A", "B", "C", "D"]
    assert curve.table["cost_yuan"].tolist() == [0.0, 10.0, 30.0, 60.0, 100.0]
    assert curve.table["served_weight"].tolist() == [0.0, 5.0, 11.0, 18.0, 26.0]
    assert curve.table["served_demand"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert curve.table["upper_weight"].iloc[-1] == pytest.approx(26.0)
    assert curve.knee == 2
    assert "拐点在2处" in knee_sentence(curve, "人")


@given(seed=st.integers(0, 10**6))
def test_no_choice_for_the_money_serves_more_than_the_curve_of_the_bound(seed: int) -> None:
    random = np.random.default_rng(seed)
    reach = random.random((9, 5)) < 0.4
    weight, cost = random.integers(1, 9, 9).astype(float), random.integers(1, 6, 5).astype(float)
    table = pd.DataFrame({"cost_yuan": cost, "preference": 1.0, "x": np.arange(5) * 900.0, "y": 0.0, "tier": 1},
                         index=list("ABCDE"))
    plan = select_sites(table, sp.csc_matrix(reach), weight, SelectionParams(min_gain=0, spacing_m=0))
    curve = money_curve(plan, weight).table
    for purse, most in zip(curve["cost_yuan"], curve["upper_weight"], strict=True):
        best = max(weight[reach[:, list(combo)].any(axis=1)].sum() if combo else 0.0
                   for size in range(6) for combo in itertools.combinations(range(5), size)
                   if cost[list(combo)].sum() <= purse)
        assert most >= best - 1e-6
    assert (curve["upper_weight"] >= curve["served_weight"] - 1e-9).all()


def test_noise_changes_nothing_where_choices_are_clear_and_something_where_they_are_not() -> None:
    clear = stability(choose(max_sites=2), noise=0.01, draws=4)
    assert clear.draws["changed"].tolist() == [0] * 4
    assert (clear.kept_share == 1).all()
    assert "平均更换0.0处" in stability_sentence(clear)
    twins = select_sites(sites(), sp.eye(4).tocsc(), np.array([8.0, 8.0, 8.0, 8.0]),
                         SelectionParams(max_sites=2, min_gain=0, spacing_m=0, give_way_m=0))
    shaken = stability(twins, noise=0.05, draws=8)
    assert shaken.draws["changed"].max() >= 1
    assert (shaken.draws["regret"] >= 0).all()
    assert shaken.draws["regret"].max() < 0.2
    again = stability(twins, noise=0.05, draws=8)
    pd.testing.assert_frame_equal(shaken.draws, again.draws)


def test_noise_is_not_tried_on_a_plan_in_phases() -> None:
    """Two sites of 乙县 have to be on air in 2027: a trial without the years would take B instead of C."""
    quotas = [{"of": "county", "value": "乙县", "year": 2027, "count": "on_air", "least": 2}]
    params = SelectionParams(max_sites=2, min_gain=0, spacing_m=0, give_way_m=0, quotas=quotas,
                             phases={"years": [2026, 2027], "worth": [1, 0]})
    plan = select_sites(sites(), sp.eye(4).tocsc(), np.array([5.0, 60.0, 7.0, 8.0]), params)
    assert sorted(plan.site_ids) == ["C", "D"]
    assert stability(plan) is None
    assert stability(choose(max_sites=2), draws=1) is not None


@pytest.mark.parametrize(("regret", "told"), [(0.0, "0%"), (3e-5, "0.003%"), (0.0031, "0.31%"), (0.01231, "1.24%")])
def test_what_noise_costs_at_most_is_never_rounded_down(regret: float, told: str) -> None:
    draws = pd.DataFrame({"changed": [1], "added": [1], "regret": [regret]})
    assert stability_sentence(Stability(0.01, draws, pd.Series([1.0]))).endswith(f"目标值损失不超过{told}。")


def explained(found: Selection) -> pd.DataFrame:
    table = sites(name=list("甲乙丙丁"), status="candidate", tier_name="某层级", owner="", department="", reason="")
    return explain_choice(table, found, np.ones(len(found.weight)), "people")


def test_a_site_that_serves_nothing_new_says_which_limit_it_is_there_for() -> None:
    """A serves all that C does; 乙县 asks for a site in 2027, and D may not be one."""
    quotas = [{"of": "county", "value": "乙县", "year": 2027, "least": 1}]
    found = choose(Wishes(barred={"D": "业主拒绝"}), reach=[[1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]], max_sites=2,
                   quotas=quotas, phases={"years": [2026, 2027]}, give_way_m=5000)
    told = explained(found).loc["C"]
    assert told["choice_code"] == "for_limit"
    assert told["choice_text"].endswith(";权属待查;为满足“乙县 2027年 新建站址 不少于 1 处”入选,不选它该限制差1处")
    assert told["rival_text"] == "没有只由它服务的需求"


def test_a_rival_that_a_yearly_limit_keeps_out_names_it() -> None:
    """B serves twice what C does, but it is 乙县 that asks for a site in 2027, and one site is all."""
    quotas = [{"of": "county", "value": "乙县", "year": 2027, "least": 1}]
    found = choose(Wishes(barred={"D": "业主拒绝"}), reach=[[0, 1, 1, 0], [0, 1, 0, 0]], max_sites=1, quotas=quotas,
                   phases={"years": [2026, 2027]})
    assert found.site_ids == ("C",)
    assert explained(found)["rival_text"].tolist() == ["乙(B) 可接替其中100%,但受限于“乙县 2027年 新建站址 不少于 1 处”"]


def test_a_rival_that_is_as_good_and_one_that_is_worse_say_so_with_their_unit() -> None:
    """A and B serve the same; C lacks a cell of 6."""
    alike = choose(reach=[[1, 1, 0, 0], [1, 1, 0, 0]], max_sites=1)
    assert explained(alike)["rival_text"].tolist() == ["乙(B) 可接替其中100%,但换用它目标值相同(差不到1加权人)"]
    less = choose(reach=[[1, 0, 1, 0], [1, 0, 0, 0]], max_sites=1)
    assert explained(less)["rival_text"].tolist() == ["丙(C) 可接替其中45%,但换用它目标值少6加权人"]
    none = choose(reach=[[1, 0, 0, 0], [0, 1, 0, 0]], max_sites=1)
    assert explained(none)["rival_text"].tolist() == ["没有能接替的候选"]
    cheap = choose(reach=[[1, 1, 0, 0]], objective="least_cost", required_share=1.0)
    assert explained(cheap)["rival_text"].tolist() == ["乙(B) 可接替其中100%,但换用它投资多10元"]


def test_a_gap_is_never_rounded_to_nothing() -> None:
    assert [gap_text(value) for value in (0.0, 1e-12, 3e-6, 0.01234, float("inf"))] == [
        "0%", "0%", "<0.01%", "1.23%", "—"]
