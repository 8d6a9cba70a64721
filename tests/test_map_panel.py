"""The panel of the review map on the choice: how good it is, which limits hold, what free venues cost."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from map_plan import make_plan

from siteplan.maps._panel import describe_bound, describe_kinds, list_indicators
from siteplan.params import SelectionParams
from siteplan.selection import compare_preference, price_sentences, select_sites


@pytest.fixture(scope="module")
def plan() -> Any:
    return make_plan(shape=(60, 80), pixel=50.0, candidates=40, proposed=6, villages=5)


@pytest.mark.parametrize(("changes", "asked", "proof", "sizes"), [
    ({"status": "optimal", "optimality_gap": 0.0}, {}, "已证明没有更好的方案", "上界 84,900"),
    ({"optimality_gap": 2e-5}, {}, "任何满足同样限制的方案,目标值最多再高 不到 0.01%", "上界 84,900"),
    ({"optimality_gap": float("inf"), "upper_bound": float("inf")}, {}, "没有算出上界,离最好的方案多远未知", ""),
    ({"value": -2e6, "upper_bound": -1.9e6, "optimality_gap": 0.05}, {"objective": "least_cost"},
     "任何满足同样限制的方案,投资最多再低 5.00%", "投资 2,000,000 元,同样限制下不会少于 1,900,000 元"),
    ({"optimality_gap": 0.05}, {"preference_mode": "lexicographic"},
     "任何满足同样限制的方案,非公共站址和投资(折算)最多再低 5.00%", "")])
def test_panel_tells_how_good_the_choice_is(plan: Any, changes: dict[str, Any], asked: dict[str, str], proof: str,
                                            sizes: str) -> None:
    changed = copy.copy(plan)
    changed.selection = SimpleNamespace(**{**vars(plan.selection), **changes})
    changed.parameters = {**plan.parameters, "selection": asked}
    told = describe_bound(changed)
    assert told["proof"] == proof
    assert told["sizes"] == sizes if not sizes else sizes in told["sizes"]


def test_panel_counts_the_limits_that_hold(plan: Any) -> None:
    changed = copy.copy(plan)
    told = []
    for table in (pd.DataFrame({"held": [True, False, True]}), pd.DataFrame({"held": []}, dtype=bool)):
        changed.results = {**plan.results, "limits": table}
        told.append(describe_bound(changed)["limits"])
    assert told == ["限制 2/3 满足", ""]


def test_sites_are_counted_as_places(plan: Any) -> None:
    kinds = plan.proposed["kind"].value_counts()
    assert describe_kinds(plan) == f"宏站 {kinds['macro']} 处,微站 {kinds['micro']} 处"


def test_panel_counts_free_venues_and_tells_the_price_of_preference(plan: Any) -> None:
    changed = copy.copy(plan)
    free = int(plan.proposed["must_be_free"].astype(bool).sum())
    places = pd.DataFrame({"cost_yuan": [20.0, 10.0], "preference": [0.5, 1.0], "x": [0.0, 2000.0], "y": 0.0,
                           "tier": [4, 1], "must_be_free": [False, True]}, index=["roof", "school"])
    weight = np.array([5.0, 4.0])
    limits = SelectionParams(max_sites=1, min_gain=2)
    price = compare_preference(select_sites(places, sp.identity(2, format="csc"), weight, limits), weight)
    changed.selection = SimpleNamespace(**{**vars(plan.selection), "price": price})
    row = next(row for row in list_indicators(changed) if row["label"] == "免费开放场所")
    assert row["after"] == f"{free}/{len(plan.proposed)} 处"
    assert price_sentences(price)[0].rstrip("。") in row["note"]
    assert "比不设优先" not in next(row for row in list_indicators(plan) if row["label"] == "免费开放场所")["note"]
