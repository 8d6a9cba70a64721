"""Faulty settings, candidates and limits of a selection: each is named for its fault, all of them at once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from siteplan.errors import ModelError, StudyError
from siteplan.params import SelectionParams
from siteplan.selection.clashes import setting_clashes
from siteplan.selection.faults import check_wishes, limit_faults, problem_faults, weight_faults
from siteplan.selection.model import Stage
from siteplan.selection.model.problem import Row, cover_problem
from siteplan.selection.model.reach import reach_of_matrix
from siteplan.selection.sifting import named, sift, twins
from siteplan.study import Study

HEAD = '[study]\nname = "试"\n[layers.villages]\npath = "v.gpkg"\n[layers.ground]\npath = "g.tif"\n'
TWO_YEARS = {"years": [2026, 2027]}


def county(name: str, **quota: Any) -> dict[str, Any]:
    return {"of": "county", "value": name, **quota}


CLASHES: dict[str, tuple[dict[str, Any], str, str]] = {
    "least cost without share": ({"objective": "least_cost"}, "required_share", "时须写要覆盖的比例"),
    "share without least cost": ({"required_share": 0.9}, "required_share", "不起作用"),
    "probability and least cost": ({"objective": "least_cost", "required_share": 0.5, "probability_weighted": True},
                                   "probability_weighted", '不能与 objective = "least_cost" 同用'),
    "probability and order": ({"preference_mode": "lexicographic", "probability_weighted": True},
                              "probability_weighted", '不能与 preference_mode = "lexicographic" 同用'),
    "floor without share": ({"preference_mode": "floor"}, "free_share_least", "时须写免费场所"),
    "cost without prices": ({"preference_mode": "cost"}, "tier_price_people", "时须写各优先级"),
    "prices without cost": ({"tier_price_people": {"4": 9}}, "tier_price_people", "不起作用"),
    "negative price": ({"preference_mode": "cost", "tier_price_people": {"4": -9}}, "tier_price_people.4", "现为 -9"),
    "falling levels": ({"probability_levels": [0.9, 0.5]}, "probability_levels", "由小到大"),
    "level above one": ({"probability_levels": [0.5, 1.5]}, "probability_levels", "不大于 1"),
    "falling years": ({"phases": {"years": [2027, 2026]}}, "phases.years", "由早到晚"),
    "a year long ago": ({"phases": {"years": [26]}}, "phases.years", "2000 到 2100"),
    "worth of other years": ({"phases": {**TWO_YEARS, "worth": [1]}}, "phases.worth", "1 个数,而年份有 2 个"),
    "worth of nothing": ({"phases": {**TWO_YEARS, "worth": [0, 0]}}, "phases.worth", "不全为 0"),
    "value of all": ({"quotas": [{"value": "甲县", "most": 1}]}, "quotas#1.value", "不用 value"),
    "no value": ({"quotas": [{"of": "county", "most": 1}]}, "quotas#1.value", "未写是哪一个县区"),
    "unknown kind": ({"quotas": [{"of": "kind", "value": "makro", "most": 1}]}, "quotas#1.value", "没有这种站型:makro"),
    "unknown source": ({"quotas": [{"of": "source", "value": "poles", "most": 1}]}, "quotas#1.value", "没有这种来源"),
    "no bound": ({"quotas": [county("甲县")]}, "quotas#1.least", "下限、上限都没有写"),
    "least above most": ({"quotas": [county("甲县", least=3, most=2)]}, "quotas#1.least", "下限 3 大于上限 2"),
    "money on air": ({"quotas": [{"unit": "元", "count": "on_air", "most": 1}]}, "quotas#1.unit", "只能按站址或基站计"),
    "year without phases": ({"quotas": [county("甲县", least=1, year=2026)]}, "quotas#1.year", "为 (未写)"),
    "year of no phase": ({"quotas": [county("甲县", least=1, year=2030)], "phases": TWO_YEARS}, "quotas#1.year",
                         "2030 年不在分期年份中"),
    "the same twice": ({"quotas": [county("甲县", least=1), county("甲县", most=9)]}, "quotas#2", "与第 1 条限额"),
    "counties above all": ({"max_sites": 30, "quotas": [county("甲县", least=20), county("乙县", least=15)]}, "max_sites",
                           "各县区新建站址下限合计 35,超过上限 30"),
    "counties above the year": ({"phases": TWO_YEARS, "quotas": [
        county("甲县", least=2, year=2026), county("乙县", least=2, year=2026), {"most": 3, "year": 2026}]},
        "quotas#3.most", "各县区2026年新建站址下限合计 4,超过上限 3"),
    "free sites above all": ({"max_sites": 9, "quotas": [
        county("甲县", least=6, free=True), county("甲县", least=4), county("乙县", least=4)]},
        "max_sites", "各县区新建站址下限合计 10,超过上限 9"),
    "free sites above the free": ({"quotas": [
        county("甲县", least=6, free=True), county("乙县", least=4), {"most": 5, "free": True}]},
        "quotas#3.most", "各县区免费开放新建站址下限合计 6,超过上限 5"),
    "years above all": ({"max_sites": 5, "phases": TWO_YEARS, "quotas": [
        county("甲县", least=3, year=2026), county("甲县", least=3, year=2027)]}, "max_sites", "下限合计 6,超过上限 5"),
    "years above the county": ({"phases": TWO_YEARS, "quotas": [
        county("甲县", least=3, year=2026), county("甲县", least=3, year=2027), county("甲县", most=5)]},
        "quotas#3.most", "各年下限合计 6,超过上限 5"),
    "years below the county": ({"phases": TWO_YEARS, "quotas": [
        county("甲县", most=3, year=2026), county("甲县", most=1, year=2027), county("甲县", least=5)]},
        "quotas#3.least", "各年上限合计 4,不到下限 5"),
    "money above the budget": ({"budget_yuan": 10, "quotas": [{"unit": "元", "least": 12}]}, "budget_yuan",
                               "全部投资下限合计 12,超过上限 10"),
    "on air falls": ({"phases": TWO_YEARS, "quotas": [
        {"count": "on_air", "least": 9, "year": 2026}, {"count": "on_air", "least": 8, "year": 2027}]},
        "quotas#2.least", "2027 年底的在用下限 8 少于 2026 年底的下限 9"),
    "on air capped": ({"phases": TWO_YEARS, "quotas": [
        {"count": "on_air", "most": 8, "year": 2027}, {"count": "on_air", "least": 9, "year": 2026}]},
        "quotas#1.most", "2027 年底的在用上限 8 少于 2026 年底的下限 9"),
}


@pytest.mark.parametrize("fault", CLASHES)
def test_settings_that_do_not_go_together_are_named(fault: str) -> None:
    settings, key, said = CLASHES[fault]
    found = setting_clashes(SelectionParams(**settings))
    assert [clash.key for clash in found] == [key]
    assert said in found[0].reason
    assert found[0].remedy


@pytest.mark.parametrize("settings", [
    {}, {"objective": "least_cost", "required_share": 1.0}, {"preference_mode": "cost", "tier_price_people": {"4": 0}},
    {"max_sites": 35, "quotas": [county("甲县", least=20), county("乙县", least=15), {"least": 35, "most": 35}]},
    {"max_sites": 3, "quotas": [{"of": "operator", "value": name, "least": 2} for name in ("电信", "移动")]},
    {"max_sites": 2, "quotas": [county("甲县", least=9, unit="基站")]},
    {"phases": TWO_YEARS, "quotas": [county("甲县", least=2, year=year) for year in (2026, 2027)]}])
def test_settings_that_add_up_are_left_alone(settings: dict[str, Any]) -> None:
    """An operator's sites may be another's as well, and a site may carry many stations: those do not add up."""
    assert setting_clashes(SelectionParams(**settings)) == []


def sites(**columns: Any) -> pd.DataFrame:
    count = len(next(iter(columns.values()))) if columns else 3
    base = {"cost_yuan": [5.0] * count, "x": np.arange(count) * 1000.0, "y": [0.0] * count, "county": ["甲县"] * count,
            "must_be_free": [False] * count}
    return pd.DataFrame({**base, **columns}, index=[f"S{number}" for number in range(count)])


def told(table: pd.DataFrame, matrix: Any = None, weight: Any = None, kept: tuple[str, ...] = (),
         existing: pd.DataFrame | None = None, **settings: Any) -> dict[tuple[str, str], str]:
    """(row, field) -> reason of every problem that the check finds."""
    reach = sp.identity(len(table), format="csc") if matrix is None else sp.csc_matrix(matrix)
    weights = np.ones(reach.shape[0]) if weight is None else np.array(weight)
    wishes = cast(Any, SimpleNamespace(existing=existing, kept=kept))
    try:
        check_wishes(table, reach, weights, SelectionParams(**settings), wishes)
    except ModelError as error:
        return {(problem.row, problem.field): problem.reason for problem in error.problems}
    return {}


def test_a_sound_question_passes() -> None:
    assert told(sites(), kept=("S0", "S2"), budget_yuan=10, quotas=[county("甲县", least=3)]) == {}


BAD_VALUES = {
    "NaN cost": ({"cost_yuan": [1.0, np.nan, 2.0]}, ("S1", "cost_yuan"), "造价不是有限的数"),
    "negative cost": ({"cost_yuan": [1.0, -1.0, -2.0]}, ("S1、S2", "cost_yuan"), "造价小于 0"),
    "no place": ({"x": [0.0, np.inf, 9000.0]}, ("S1", "x"), "东坐标不是有限的数"),
    "no preference": ({"preference": [1.0, 0.0, 1.0]}, ("S1", "preference"), "优先系数须大于 0"),
    "endless spacing": ({"spacing_m": [np.nan, np.inf, 1.0]}, ("S1", "spacing_m"), "站间距不是有限的数"),
    "unknown stations": ({"stations": [1.0, np.nan, 1.0]}, ("S1", "stations"), "基站数不是有限的数"),
}


@pytest.mark.parametrize("fault", BAD_VALUES)
def test_bad_values_of_candidates_name_their_rows(fault: str) -> None:
    columns, place, reason = BAD_VALUES[fault]
    assert told(sites(**columns)) == {place: reason}


def test_ids_that_occur_twice_are_named() -> None:
    assert told(sites().set_axis(["A", "B", "A"])) == {("A", "site_id"): "编号重复"}


def test_weights_are_named_by_their_cells() -> None:
    found = told(sites(), weight=[0.0, -1.0, np.nan])
    assert found == {("1、2", "weight"): "权重小于 0 或不是有限的数", ("0", "weight"): "权重为 0,覆盖它没有作用"}
    assert list(weight_faults(np.ones(3))) == []


def test_no_more_than_twenty_rows_are_named() -> None:
    many = sites(cost_yuan=[np.nan] * 30)
    (row, _), = told(many)
    assert row.startswith("S0、S1、")
    assert row.endswith("S19 等共 30 处")
    assert named([1]) == "1"


def test_duplicate_candidates_are_named() -> None:
    """S0 and S2 stand in one place and serve the same; S1 and S3 do not serve the same."""
    table = sites(x=[0.0, 50.0, 0.0, 50.0], spacing_m=[0.0] * 4)
    reach = np.array([[1, 1, 1, 0], [0, 1, 0, 1]])
    assert told(table, reach) == {("S0、S2", "geometry"): "同一位置、服务范围相同的重复候选"}
    assert told(table.assign(venue="F1"), reach) == {}
    assert told(table.assign(venue=["F1", "", "F2", ""]), reach) == {("S0、S2", "geometry"): "同一位置、服务范围相同的重复候选"}


def test_sifting_keeps_the_cheapest_twin_and_what_has_to_be_chosen() -> None:
    table = sites(x=[0.0] * 3 + [9.0] * 2, cost_yuan=[5.0, 3.0, 3.0, 1.0, 1.0])
    reach = sp.csc_matrix(np.array([[1, 1, 1, 0, 0]]))
    assert twins(table, reach) == [["S0", "S1", "S2"]]
    assert sift(table, reach).usable.tolist() == [False, True, False, False, False]
    assert [note.row for note in sift(table, reach).notes] == ["S3、S4", "S0、S2"]
    assert sift(table, reach, ["S2", "S4"]).usable.tolist() == [False, False, True, False, True]


LIMITS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown county": ({"quotas": [county("甲线", most=1)]}, "selection.quotas#1.value", "候选站址中没有这个县区:甲线"),
    "unknown operator": ({"quotas": [{"of": "operator", "value": "铁通", "most": 1}]}, "selection.quotas#1.value",
                         "候选站址中没有这个运营商:铁通"),
    "nobody asked": ({"quotas": [{"of": "requested_by", "value": "移动", "most": 1}]}, "selection.quotas#1.value",
                     "候选站址中没有这个提出需求的运营商:移动"),
    "no free site": ({"quotas": [{"free": True, "least": 1}]}, "selection.quotas#1.least", "全部入选也只有 0"),
    "unknown department": ({"quotas": [{"of": "department", "value": "教育", "most": 1}]}, "selection.quotas#1",
                           "缺少限额要看的列"),
    "too few candidates": ({"quotas": [county("甲县", least=4)]}, "selection.quotas#1.least", "全部入选也只有 3"),
    "too few stations": ({"quotas": [{"unit": "基站", "least": 7}]}, "selection.quotas#1.least", "全部入选也只有 6"),
    "budget below the cheapest": ({"budget_yuan": 4.5}, "selection.budget_yuan", "低于最便宜的候选站址 S0(5 元)"),
    "no free venue": ({"free_share_least": 0.2}, "selection.free_share_least", "没有应免费开放的候选站址"),
}


@pytest.mark.parametrize("fault", LIMITS)
def test_limits_that_these_candidates_cannot_meet_are_named(fault: str) -> None:
    settings, key, said = LIMITS[fault]
    found = told(sites(networks=["电信&联通", "移动", ""], operators=["电信", "", ""], stations=[2, 2, 2]), **settings)
    assert list(found) == [("", key)]
    assert said in found["", key]


def test_what_stands_already_counts_in_limits_on_what_is_on_air() -> None:
    existing = pd.DataFrame({"county": ["甲县"] * 4, "stations": 1})
    target = [{"count": "on_air", "least": 7}]
    assert told(sites(), existing=existing, quotas=target) == {}
    assert told(sites(), quotas=target) == {("", "selection.quotas#1.least"): (
        "全部 在用站址 不少于 7 处:候选站址全部入选也只有 3")}
    assert told(sites(), existing=existing, quotas=[county("甲县", count="on_air", most=3)]) == {
        ("", "selection.quotas#1.most"): "甲县 在用站址(含现有4处) 不多于 3 处:现有的已有 4"}
    assert "缺少限额要看的列" in next(limit_faults(sites(), SelectionParams(
        quotas=[county("甲县", count="on_air", most=9)]), existing[["stations"]])).reason


def test_a_county_of_existing_sites_alone_is_no_unknown_name() -> None:
    existing = pd.DataFrame({"county": ["乙县"], "stations": 1})
    assert told(sites(), existing=existing, quotas=[county("乙县", count="on_air", most=3)]) == {}


def test_mandatory_sites_that_cannot_all_be_built() -> None:
    table = sites(x=[0.0, 60.0, 500.0], venue=["F1", "", "F1"], spacing_m=[300.0, 200.0, np.nan])
    found = told(table, kept=("S0", "S1", "S2", "S9"), max_sites=2, budget_yuan=12)
    assert found == {
        ("S0、S1、S2", "selection.max_sites"): "必选站址 3 处,超过最多新建 2 处",
        ("S0、S1、S2", "selection.budget_yuan"): "必选站址造价合计 15 元,超过投资上限 12 元",
        ("S0、S1", "selection.spacing_m"): "两处必选站址相距 60 米,小于要求的 200 米",
        ("S0、S2", "venue"): "同一场所(F1)必选了几处"}


def test_mandatory_sites_that_leave_no_room_for_free_venues() -> None:
    """Two paid sites have to be built; one free venue more makes a third at most."""
    table = sites(must_be_free=[False, False, True])
    assert told(table, kept=("S0", "S1"), free_share_least=0.33) == {}
    assert told(table, kept=("S0", "S1"), free_share_least=0.4) == {
        ("S0、S1", "selection.free_share_least"): "必选的非免费站址 2 处,至多再选免费站址 1 处,达不到 40%"}
    assert ("S0、S1", "selection.free_share_least") in told(table, kept=("S0", "S1"), free_share_least=0.1, max_sites=2)


def test_arrays_that_rule_out_every_plan() -> None:
    reach = reach_of_matrix(sp.eye(3).tocsc())
    both = np.array([True, True, False])
    row = Row("few", np.arange(3, dtype=np.int32), np.ones(3), least=3.0, most=1.0, zh="少而又多")
    question = cover_problem(reach, np.ones(3), rows=(row,), locked=both, barred=np.array([True, False, False]),
                             near=np.array([[0, 1]], dtype=np.int32), group=np.array([0, 0, -1], dtype=np.int32),
                             stages=(Stage(2026, 1.0, new=(Row("year", np.arange(3, dtype=np.int32), np.ones(3),
                                                               least=9.0),)),), names=("A", "B", "C"))
    assert [(problem.row, problem.field, problem.reason) for problem in problem_faults(question)] == [
        ("A", "", "既是必选站址,又是不可用的站址"), ("A、B", "spacing_m", "两处必选站址的间距小于要求"),
        ("A、B", "venue", "同一场所必选了几处"), ("", "few", "少而又多:下限大于上限"),
        ("", "few", "少而又多:全部可用站址入选也只有 2站址"), ("", "few", "少而又多:现有和必选站址已有 2站址"),
        ("", "year", "year:全部可用站址入选也只有 2站址")]
    assert list(problem_faults(cover_problem(reach, np.ones(3), 2, locked=both))) == []


def problems_of(tmp_path: Path, text: str) -> dict[str, str]:
    file = tmp_path / "study.toml"
    file.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        Study.from_toml(file)
    return {problem.field: f"{problem.reason};{problem.remedy}" for problem in caught.value.problems}


def test_a_study_file_with_every_kind_of_limit_is_read(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(HEAD + """
[venues.tiers.7]
zh = "自建塔"
preference = 0.3
[selection]
preference_mode = "cost"
tier_price_people = { "4" = 20, "自建塔" = 90 }
[[selection.quotas]]
of = "tier"
value = 7
most = 3
[selection.shares]
layer = "zones"
least_share = 0.9
[selection.phases]
years = [2026, 2027]
[selection.passing]
villages = 2
""", encoding="utf-8")
    params = Study.from_toml(file).params.selection
    assert (params.quotas[0].value, params.shares[0].measure, params.passing.villages) == ("7", "people", 2)


def test_every_fault_of_a_study_file_is_told_at_once(tmp_path: Path) -> None:
    """Numbers count from one; what stands beside a value out of bounds is checked all the same."""
    found = problems_of(tmp_path, """
[selection]
objective = "least_cost"
backup_share = 1.0
preference_mode = "cost"
tier_price_people = { "商业办功" = 3 }
[[selection.quotas]]
of = "county"
value = "甲县"
leest = 3
[[selection.quotas]]
of = "county"
value = "甲县"
least = 5
most = 4
[[selection.quotas]]
of = "tier"
value = "商业办公"
most = 4
[[selection.shares]]
layer = "village"
least_share = 2
[selection.phases]
yeers = [2026]
""")
    assert found == {
        "selection.backup_share": "取值不对:须小于 1(现为 1.0);见 docs/study-file.md 中该键的范围",
        "selection.required_share": 'objective = "least_cost" 时须写要覆盖的比例;写 0 到 1 之间的小数,如 0.9',
        "selection.tier_price_people.商业办功": "没有这个优先级:商业办功;是否应为 商业办公?",
        "selection.quotas#1.leest": "没有这个键(unknown key);是否应为 least?",
        "selection.quotas#2.least": "下限 5 大于上限 4;改小 least,或改大 most",
        "selection.quotas#3.value": "没有这个优先级序号:商业办公;写序号 4",
        "selection.shares#1.layer": '取值不对:只能写 "villages"、"zones"(现为 "village");见 docs/study-file.md 中该键的范围',
        "selection.shares#1.least_share": "取值不对:不得大于 1(现为 2);见 docs/study-file.md 中该键的范围",
        "selection.phases.yeers": "没有这个键(unknown key);是否应为 years?"}


def test_a_quota_that_is_no_table_says_how_to_write_one(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "[selection]\nquotas = [5]\n") == {
        "selection.quotas#1": "取值不对:应为表(键 = 值)(现为 5);写成 [[selection.quotas]] 一节,其下逐行写 键 = 值"}


def test_what_was_meant_is_told_as_it_is_written(tmp_path: Path) -> None:
    """Shares in percent, numbers with words, Chinese for the words of a key."""
    found = problems_of(tmp_path, """
[selection]
free_share_least = 60
budget_yuan = "1,000万元"
max_sites = "六十"
[[selection.quotas]]
of = "县区"
value = "甲县"
unit = "个"
least = "30处"
[[selection.quotas]]
of = "kind"
value = "宏站"
unit = "万元"
count = "新建"
most = 5
[[selection.shares]]
layer = "行政村"
least_share = 80
""")
    assert {key.removeprefix("selection."): said.rpartition(";")[2] for key, said in found.items()} == {
        "free_share_least": "写 0.6(表示 60%)", "budget_yuan": "写 10000000,不加引号",
        "max_sites": "见 docs/study-file.md 中该键的范围", "quotas#1.of": '写 of = "county"',
        "quotas#1.unit": '写 unit = "基站"(一处站址可有几个基站)或 unit = "站址"', "quotas#1.least": "写 30,不加引号",
        "quotas#2.unit": '写 unit = "元",数也按元写', "quotas#2.count": '写 count = "new"',
        "shares#1.layer": '写 layer = "villages"', "shares#1.least_share": "写 0.8(表示 80%)"}
