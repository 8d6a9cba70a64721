"""The price of preference: two plans within the same limits, at the same number of sites and at the same cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import ModelError
from siteplan.params import SelectionParams
from siteplan.selection import PreferencePrice, compare_preference, price_sentences, select_sites
from siteplan.selection.preference import STRENGTHS

LIMITS = SelectionParams(max_sites=2, min_gain=5, spacing_m=0, max_yuan_per_gain=1e9)


def sites(**columns: list[object]) -> pd.DataFrame:
    """A dear roof that serves most, a cheap village office, a school; far from each other."""
    base = {"cost_yuan": [30.0, 10.0, 20.0], "preference": [0.5, 1.0, 0.9], "x": [0.0, 5000.0, 10000.0], "y": 0.0,
            "tier": [6, 1, 3], "must_be_free": [False, True, False]}
    return pd.DataFrame({**base, **columns}, index=["roof", "office", "school"])


WEIGHT = np.array([10.0, 8.0, 6.0])


def compared(table: pd.DataFrame, reach: sp.spmatrix, weight: np.ndarray, demand: np.ndarray, params: SelectionParams,
             strengths: tuple[float, ...] = STRENGTHS) -> PreferencePrice:
    return compare_preference(select_sites(table, reach, weight, params), demand, strengths)


def town(table: pd.DataFrame | None = None, params: SelectionParams = LIMITS) -> PreferencePrice:
    return compared(sites() if table is None else table, sp.eye(3).tocsr(), WEIGHT, WEIGHT / 2, params)


def rows(price: PreferencePrice, *columns: str) -> dict[tuple[str, str], list[float]]:
    return {(row["basis"], row["plan"]): [row[name] for name in columns] for _, row in price.table.iterrows()}


def test_the_two_plans_worked_by_hand() -> None:
    """A site has to bring 5, a roof 10, a school 5.6. Favoured: office 8, school 6. None: roof 10, office 8."""
    found = rows(town(), "sites", "free_sites", "public_sites", "private_sites", "cost_yuan", "served_weight",
                 "served_demand", "gap_share")
    assert found["same_limits", "favoured"] == [2, 1, 1, 0, 30.0, 14.0, 7.0, 14 / 24]
    assert found["same_limits", "none"] == [2, 1, 0, 1, 40.0, 18.0, 9.0, 18 / 24]
    assert found["same_sites", "none"] == found["same_limits", "none"]
    assert found["same_cost", "favoured"] == found["same_limits", "favoured"]
    assert found["same_cost", "none"] == [1, 0, 0, 1, 30.0, 10.0, 5.0, 10 / 24]


def test_preference_may_cost_or_save_and_the_sentences_say_which() -> None:
    """With these costs the favoured plan is cheaper; with a dear office and school it is dearer."""
    cheap, dear = town(), town(sites(cost_yuan=[1e5, 4e5, 5e5]))
    assert cheap.difference().loc["same_limits", "cost_yuan"] == -10.0
    assert dear.difference().loc["same_limits", "cost_yuan"] == 4e5
    assert price_sentences(dear)[0] == ("同样的限制时,优先免费公共场所比不设优先:站数相同,投资估算多40.0万元,服务需求少2人,"
                                        "非公共站址少1处。")
    better = town(sites(cost_yuan=[5e5, 1e5, 1e5]))
    assert "投资估算少40.0万元" in price_sentences(better)[0]
    assert price_sentences(better)[2].startswith("同样投资时,优先免费公共场所比不设优先:站数多2处,")
    assert "不一定是最优" in price_sentences(dear)[-1]
    assert price_sentences(dear, years=5.0)[3] == "投资估算 = 建设投资 + 5年租金和电费。"


def test_public_is_who_has_to_open_whatever_the_tier() -> None:
    """A city puts schools into tier 4; the office may be charged for and is public too, the roof of tier 3 is not."""
    table = sites(tier=[3, 4, 4], must_be_free=[False, True, False], must_open=[False, True, True])
    found = rows(town(table), "free_sites", "public_sites", "private_sites")
    assert found["same_limits", "favoured"] == [1, 1, 0]
    assert found["same_limits", "none"] == [1, 0, 1]


def test_money_is_summed_where_the_candidates_tell_it() -> None:
    found = rows(town(sites(capex_yuan=[9.0, 1.0, 2.0], yearly_yuan=[3.0, 0.0, 1.0])), "capex_yuan", "yearly_yuan")
    assert found["same_limits", "favoured"] == [3.0, 1.0]
    assert found["same_limits", "none"] == [10.0, 3.0]
    assert town().table["capex_yuan"].isna().all()


def test_the_curve_climbs_from_nothing_to_the_whole_plan() -> None:
    curve = town().curve
    assert curve["strength"].unique().tolist() == [0.0, 0.5, 1.0, 2.0]
    mine = curve[curve["strength"] == 1.0]
    assert mine["site_id"].tolist() == ["", "office", "school"]
    assert mine["cost_yuan"].tolist() == [0.0, 10.0, 30.0]
    assert mine["served_weight"].tolist() == [0.0, 8.0, 14.0]
    assert mine["served_demand"].tolist() == [0.0, 4.0, 7.0]
    half = curve[(curve["strength"] == 0.5)]["site_id"].tolist()
    assert half == ["", "office", "roof"]  # 10 - 5 / 0.707 = 2.93 before 6 - 5 / 0.949 = 0.73


def test_equal_preferences_have_no_price() -> None:
    price = town(sites(preference=[1.0, 1.0, 1.0]))
    assert (price.difference().drop(columns=["capex_yuan", "yearly_yuan"]) == 0).all(axis=None)
    assert "投资估算相同" in price_sentences(price)[0]


def test_without_preference_a_roof_does_not_give_way() -> None:
    """Roof and school 200 m apart serve the same two cells; one more is the roof's alone."""
    table = pd.DataFrame({"cost_yuan": 1.0, "preference": [1.0, 1.0], "x": [0.0, 200.0], "y": 0.0, "tier": [4, 3],
                          "must_be_free": False}, index=["roof", "school"])
    price = compared(table, sp.csc_matrix(np.array([[1, 1], [1, 1], [1, 0]])), np.array([4.0, 4.0, 1.0]),
                               np.ones(3), LIMITS.model_copy(update={"max_sites": 1}))
    assert rows(price, "private_sites", "served_weight") == {
        (basis, plan): value for basis in ("same_limits", "same_sites", "same_cost")
        for plan, value in (("favoured", [0, 8.0]), ("none", [1, 9.0]))}


def test_nothing_to_choose() -> None:
    price = town(params=LIMITS.model_copy(update={"max_sites": 0}))
    assert (price.table["sites"] == 0).all()
    assert len(price.curve) == 4
    empty = compared(sites().iloc[:0], sp.csc_matrix((2, 0)), np.ones(2), np.zeros(2), LIMITS)
    assert (empty.table["gap_share"] == 0).all()


def test_wrong_input_is_named() -> None:
    with pytest.raises(ModelError, match="demand"):
        compared(sites(), sp.eye(3).tocsr(), WEIGHT, np.ones(2), LIMITS)
    with pytest.raises(ModelError, match="strength"):
        compared(sites(), sp.eye(3).tocsr(), WEIGHT, WEIGHT, LIMITS, strengths=(-1.0,))
    with pytest.raises(ModelError, match="roof"):
        town(sites(cost_yuan=[np.nan, 1.0, 1.0]))
    with pytest.raises(ModelError, match="must_be_free, tier"):
        town(sites().drop(columns=["tier", "must_be_free"]))


@given(seed=st.integers(0, 10**6), budget=st.one_of(st.none(), st.floats(9, 30)))
def test_rows_are_prefixes_of_the_plans_and_the_favoured_one_is_the_selection(seed: int, budget: float | None) -> None:
    random = np.random.default_rng(seed)
    cells, count = 15, 8
    reach = random.random((cells, count)) < 0.3
    weight, demand = random.integers(1, 9, cells).astype(float), random.integers(0, 9, cells).astype(float)
    tier = random.integers(1, 7, count)
    table = pd.DataFrame({"cost_yuan": random.integers(1, 9, count).astype(float), "preference": 1.1 - tier / 10,
                          "x": random.uniform(0, 3000, count), "y": 0.0, "tier": tier, "must_be_free": tier == 1},
                         index=[f"S{number}" for number in range(count)])
    params = SelectionParams(max_sites=5, min_gain=0, spacing_m=50, budget_yuan=budget, max_yuan_per_gain=1e9)
    price = compared(table, sp.csr_matrix(reach), weight, demand, params)
    mine = price.curve[price.curve["strength"] == 1.0]
    assert tuple(mine["site_id"][1:]) == select_sites(table, sp.csr_matrix(reach), weight, params).site_ids
    for plan, strength in (("favoured", 1.0), ("none", 0.0)):
        names = price.curve[price.curve["strength"] == strength]["site_id"].tolist()[1:]
        for _, row in price.table[price.table["plan"] == plan].iterrows():
            chosen = [int(name[1:]) for name in names[:row["sites"]]]
            cover = reach[:, chosen].any(axis=1)
            assert row["served_weight"] == pytest.approx(weight[cover].sum())
            assert row["served_demand"] == pytest.approx(demand[cover].sum())
            assert row["cost_yuan"] == pytest.approx(table["cost_yuan"].iloc[chosen].sum())
            assert row["sites"] == row["free_sites"] + row["public_sites"] + row["private_sites"]
            assert row["free_sites"] == sum(tier[number] == 1 for number in chosen)
    whole = price.table.set_index(["basis", "plan"])
    assert whole.loc["same_sites", "sites"].nunique() == 1
    purse = whole.loc["same_limits", "cost_yuan"].min()
    assert (whole.loc["same_cost", "cost_yuan"] <= purse + 1e-9).all()
