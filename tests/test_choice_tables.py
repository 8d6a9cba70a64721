"""Tables on the choice: what a plan has of every limit, the curve of money with names, and how the sheets tell it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from siteplan.export._results import result_marks, result_rows, result_sheets, shown_sheet
from siteplan.params import SelectionParams
from siteplan.selection import Selection, Wishes, money_curve, select_sites
from siteplan.selection.model import Floor, Wanted
from siteplan.study._choice_tables import limit_table, money_table

WEIGHT = np.array([9.0, 7.0, 5.0, 3.0])


def choice(asked: dict[str, Any], wishes: Wishes | None = None) -> Selection:
    """Four sites a kilometre apart, each serves one cell; A and C are free, C and D cost twice as much."""
    sites = pd.DataFrame({"cost_yuan": [100_000.0, 100_000.0, 200_000.0, 200_000.0], "preference": 1.0,
                          "x": [0.0, 1000.0, 2000.0, 3000.0], "y": 0.0, "stations": [1, 2, 3, 4],
                          "county": ["溪西县", "溪东县", "溪西县", "溪东县"], "must_open": True,
                          "must_be_free": [True, False, True, False], "tier": 1}, index=list("ABCD"))
    limits = {"min_gain": 0.0, "max_yuan_per_gain": 1e9, "max_sites": 3, **asked}
    return select_sites(sites, sp.eye(4, format="csc"), WEIGHT, SelectionParams.model_validate(limits), wishes)


def test_every_limit_is_counted_by_hand() -> None:
    """A, B and C are built: 6 base stations, 400,000 yuan, two of three free, two of them in 溪西县."""
    selection = choice({"budget_yuan": 450_000.0, "free_share_least": 0.5, "quotas": [
        {"of": "county", "value": "溪西县", "least": 1, "most": 2}, {"unit": "基站", "least": 4}]})
    assert set(selection.site_ids) == set("ABC")
    table = limit_table(selection)
    assert table[["has", "room"]].round(6).to_numpy().tolist() == [
        [3, 0], [400_000, 50_000], [pytest.approx(66.666667), pytest.approx(16.666667)], [2, 0], [6, 2]]
    assert table["unit"].tolist() == ["站址", "元", "%", "站址", "基站"]
    assert table.loc["free_share", "least"] == 50.0
    assert table["held"].all()
    assert (table["year"] == 0).all()


def test_yearly_limits_count_their_year() -> None:
    """Two a year at most; what is on air at the end of 2027 counts both years and the three stations there are."""
    old = pd.DataFrame({"stations": [3]}, index=["E"])
    selection = choice({"phases": {"years": [2026, 2027]}, "quotas": [
        {"year": 2026, "most": 2}, {"year": 2027, "most": 2},
        {"unit": "基站", "count": "on_air", "year": 2027, "least": 9}]},
        Wishes(existing=old))
    table, years = limit_table(selection), pd.Series(selection.years, index=list(selection.site_ids))
    assert table["year"].tolist() == [0, 2026, 2027, 2027]
    assert table["has"].tolist()[1:3] == [(years == 2026).sum(), (years == 2027).sum()]
    stations = {"A": 1, "B": 2, "C": 3, "D": 4}
    assert table["has"].iloc[3] == 3 + sum(stations[site] for site in selection.site_ids)
    assert table["held"].all()


def test_floors_and_wishes_follow_the_limits() -> None:
    """Cell 3, the lightest, has to be served: D comes in. Of the two wished-for cells one is reached."""
    floors = (Floor("west", np.array([3]), np.array([2.0]), 2.0, zh="西村不少于 2"),
              Floor("a", np.array([0]), np.array([1.0]), 1.0, required=False),
              Floor("b", np.array([2]), np.array([1.0]), 1.0, required=False))
    selection = choice({"max_sites": 2}, Wishes(floors=floors, wanted=(Wanted("passing", (1, 2), 1, "一个达标"),)))
    assert set(selection.site_ids) == {"A", "D"}
    table = limit_table(selection)
    assert table.index.tolist() == ["max_sites", "west", "passing"]
    assert table.loc["west", ["least", "has", "room"]].tolist() == [2.0, 2.0, 0.0]
    assert table.loc["passing", ["zh", "unit", "least", "has", "held"]].tolist() == ["一个达标", "个", 1.0, 1.0, True]


def test_areas_are_told_in_the_planners_numbers() -> None:
    """West: 60 of 100 people today, 20 more with its cell; east has its share today; 1 zone passes today, 1 more."""
    floors = (Floor("west", np.array([0]), np.array([20.0]), 15.0, zh="西村"),
              Floor("z", np.array([1]), np.array([1.0]), 1.0, required=False))
    facts = ({"name": "west", "zh": "西村不少于 75%", "share": 0.75, "covered": 60.0, "total": 100.0, "met": False},
             {"name": "east", "zh": "东村不少于 75%", "share": 0.75, "covered": 80.0, "total": 100.0, "met": True},
             {"name": "passing", "zh": "重点区域不少于 2 个", "passed": 1, "count": 2, "met": False},
             {"name": "passing/villages", "zh": "行政村不少于 3 个", "passed": 4, "count": 3, "met": True})
    table = limit_table(choice({}, Wishes(floors=floors, wanted=(Wanted("passing", (1,), 1, "重点区域不少于 2 个"),),
                                          floor_facts=facts))).drop("max_sites")
    assert table[["zh", "unit", "least", "has"]].to_numpy().tolist() == [
        ["西村不少于 75%(现状 60.0%)", "%", 75.0, 80.0], ["东村不少于 75%(现状已满足)", "%", 75.0, 80.0],
        ["重点区域不少于 2 个", "个", 2.0, 2.0], ["行政村不少于 3 个(现状已满足)", "个", 3.0, 4.0]]
    assert table["held"].all()


def test_the_sheet_of_limits_reads_in_wan_yuan_and_marks_what_does_not_hold() -> None:
    table = pd.DataFrame({"zh": ["投资", "站址"], "year": [0, 2027], "unit": ["元", "站址"], "least": [np.nan, 5.0],
                          "most": [2_600_000.0, np.nan], "has": [2_550_000.0, 4.0], "room": [50_000.0, -1.0],
                          "held": [True, False]}, index=pd.Index(["a", "b"], name="limit"))
    sheet = shown_sheet(table, result_sheets()["limits"])
    assert result_rows(table, sheet) == [["投资", "", "万元", "", 260.0, 255.0, 5.0, "是"],
                                         ["站址", 2027, "站址", 5.0, "", 4.0, -1.0, "否"]]
    assert result_marks(table, sheet) == {(1, 7): "warn"}
    assert "year" not in [item.name for item in shown_sheet(table.assign(year=0), sheet).fields]


def test_the_curve_has_names_and_what_a_step_brings() -> None:
    """A brings 9 for 10万, B 7 for 10万, C 5 for 20万, D 3 for 20万; the plan is A, B, C."""
    selection = choice({})
    curve = money_table(
        Selection(**{**vars(selection), "money": money_curve(selection, WEIGHT)}),
        pd.DataFrame({"name": ["甲", "乙", "丙", None]}, index=list("ABCD")))
    assert curve["site_id"].tolist() == list("ABCD")
    assert curve["name"].tolist() == ["甲", "乙", "丙", ""]
    assert curve["in_plan"].tolist() == [True, True, True, False]
    assert curve["per_10000_yuan"].tolist() == pytest.approx([0.9, 0.7, 0.25, 0.15])
    assert (curve["upper_weight"] >= curve["served_weight"] - 1e-9).all()
    assert curve.loc[curve["remark"] == "拐点", "step"].tolist() == [2], "farthest above the chord"
