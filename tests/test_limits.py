"""Quotas, budget and spacing: rows recounted plainly from the tables, in the words of the certificate."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import ModelError
from siteplan.params import PhaseParams, SelectionParams
from siteplan.selection.limits import Limit, limit_facts, limit_zh, limits_of, members, required_floor, rows_of, worths
from siteplan.selection.model.count import breaches
from siteplan.selection.model.problem import cover_problem, relaxed
from siteplan.selection.model.reach import reach_of_matrix
from siteplan.selection.spacing import near_pairs

YEARS = PhaseParams(years=[2026, 2027])
SERVED = {"移动 4G|移动 5G|电信&联通 5G": ["移动", "电信", "联通"], "电信": ["电信"], "移动 4G": []}
WORDS: dict[str, list[str]] = {
    "county": ["溪西县", "溪东县"], "town": ["甲镇", ""], "department": ["教育", "交通"], "operators": ["电信|联通", "移动", ""],
    "networks": list(SERVED), "kind": ["macro", "micro"], "tier": ["1", "4"], "source": ["facility", "pole"],
    "owner": ["某校", "某公司"]}


@st.composite
def sites(draw: st.DrawFn) -> pd.DataFrame:
    count = draw(st.integers(1, 6))
    columns: dict[str, Any] = {name: [draw(st.sampled_from(words)) for _ in range(count)]
                               for name, words in WORDS.items()}
    columns["tier"] = [int(word) for word in columns["tier"]]
    return pd.DataFrame({**columns, "stations": [draw(st.integers(1, 3)) for _ in range(count)],
                         "cost_yuan": [draw(st.sampled_from([5.0, 8.5, 20.0])) for _ in range(count)],
                         "must_be_free": [draw(st.booleans()) for _ in range(count)]})


@st.composite
def quotas(draw: st.DrawFn) -> dict[str, Any]:
    column = draw(st.sampled_from(["all", *WORDS]))
    of = {"operators": "requested_by", "networks": "operator"}.get(column, column)
    values = ["电信", "移动"] if of in ("operator", "requested_by") else [word for word in WORDS.get(column, [""]) if word]
    on_air = draw(st.booleans())
    return {"of": of, "free": draw(st.booleans()), "value": "" if of == "all" else draw(st.sampled_from(values)),
            "unit": draw(st.sampled_from(["站址", "基站"] if on_air else ["站址", "基站", "元"])),
            "count": "on_air" if on_air else "new", "year": draw(st.sampled_from([None, 2026, 2027])),
            "least": draw(st.sampled_from([None, 0.0, 2.0])), "most": draw(st.sampled_from([None, 1.0, 9.0]))}


def recount(table: pd.DataFrame, quota: dict[str, Any], chosen: list[int], stage: list[int],
            existing: pd.DataFrame) -> float:
    """What a quota comes to, row by row."""
    def counts(row: pd.Series) -> float:
        if quota["of"] == "requested_by":
            inside = quota["value"] in row["operators"].split("|")
        elif quota["of"] == "operator":
            inside = quota["value"] in SERVED[row["networks"]]
        else:
            inside = quota["of"] == "all" or str(row[quota["of"]]) == quota["value"]
        if quota["free"] and not row["must_be_free"]:
            return 0.0
        stations = 1 if quota["of"] == "operator" else row["stations"]
        return inside * {"站址": 1.0, "基站": stations, "元": row["cost_yuan"]}[quota["unit"]]

    year = None if quota["year"] is None else YEARS.years.index(quota["year"])
    total = 0.0 if quota["count"] == "new" else sum(counts(row) for _, row in existing.iterrows())
    for site, built in zip(chosen, stage, strict=True):
        if year is None or (built <= year if quota["count"] == "on_air" else built == year):
            total += counts(table.iloc[site])
    return total


@given(sites(), sites(), st.lists(quotas(), min_size=1, max_size=4), st.data())
def test_rows_break_exactly_where_a_recount_of_the_tables_does(
        table: pd.DataFrame, existing: pd.DataFrame, asked: list[dict[str, Any]], data: st.DataObject) -> None:
    chosen = sorted(data.draw(st.sets(st.integers(0, len(table) - 1))))
    stage = [data.draw(st.integers(0, 1)) for _ in chosen]
    limits = limits_of(SelectionParams(max_sites=100, quotas=asked), existing)
    rows, stages = rows_of(limits, table, YEARS)
    problem = cover_problem(reach_of_matrix(sp.csc_matrix((0, len(table)))), [], rows=rows, stages=stages)
    broken = [breach.zh for breach in breaches(problem, np.array(chosen, dtype=int), np.array(stage, dtype=int))]
    wanted = []
    for quota, limit in zip(asked, limits[1:], strict=True):
        has = recount(table, quota, chosen, stage, existing)
        if has < (quota["least"] or 0.0) or (quota["most"] is not None and has > quota["most"]):
            wanted.append(limit.zh)
    assert sorted(broken) == sorted(wanted)


def test_every_limit_has_a_sentence() -> None:
    asked = SelectionParams(max_sites=8, budget_yuan=5e6, free_share_least=0.3, quotas=[
        {"of": "county", "value": "溪西县", "year": 2026, "least": 5}, {"unit": "基站", "year": 2027, "most": 2600},
        {"count": "on_air", "unit": "基站", "year": 2027, "least": 10000}, {"of": "tier", "value": 4, "most": 3},
        {"of": "kind", "value": "micro", "least": 1, "most": 4},
        {"unit": "元", "of": "operator", "value": "电信", "most": 100},
        {"of": "operator", "value": "移动", "unit": "基站", "least": 8},
        {"of": "requested_by", "value": "移动", "least": 8},
        {"of": "county", "value": "溪西县", "free": True, "least": 5}, {"free": True, "year": 2026, "most": 13},
        {"zh": "全市总数", "most": 9}])
    existing = pd.DataFrame({"stations": [3, 4]})
    assert [limit.zh for limit in limits_of(asked, existing)] == [
        "最多新建8处", "投资不多于 5000000 元", "免费开放场所占新建站址不少于 30%", "溪西县 2026年 新建站址 不少于 5 处",
        "全部 2027年 新建基站 不多于 2600 个", "全部 到2027年底 在用基站(含现有7个) 不少于 10000 个", "优先级4 新建站址 不多于 3 处",
        "微站 新建站址 不少于 1、不多于 4 处", "电信 投资 不多于 100 元", "移动 新建基站 不少于 8 个",
        "移动提出需求的 新建站址 不少于 8 处", "溪西县 免费开放 新建站址 不少于 5 处", "全部 免费开放 2026年 新建站址 不多于 13 处", "全市总数"]


def test_facts_are_plain_numbers_in_the_words_of_the_certificate() -> None:
    asked = SelectionParams(free_share_least=0.5, quotas=[{"of": "kind", "value": "macro", "least": 1, "year": 2026}])
    facts = limit_facts(limits_of(asked))
    assert json.loads(json.dumps(facts)) == facts
    assert [list(fact) for fact in facts] == [["name", "zh", "of", "value", "unit", "count", "year", "least", "most",
                                               "already", "share", "free"]] * 3
    assert (facts[1]["of"], facts[1]["share"], facts[2]["value"]) == ("free", 0.5, "macro")


def test_a_yearly_quota_has_one_name_so_that_its_years_add_up() -> None:
    """At most 1 a year: the relaxed problem of the second year knows that at most 2 stand then."""
    table = pd.DataFrame({"county": ["甲县"] * 3})
    both = [{"of": "county", "value": "甲县", "most": 1, "year": year} for year in YEARS.years]
    rows, stages = rows_of(limits_of(SelectionParams(max_sites=3, quotas=both)), table, YEARS)
    problem = cover_problem(reach_of_matrix(sp.eye(3).tocsc()), np.ones(3), rows=rows, stages=stages)
    assert [row.most for row in relaxed(problem, 1).rows] == [2.0, 3.0]
    assert [row.most for row in relaxed(problem, 0).rows] == [1.0, 3.0]


def test_two_quotas_of_the_same_have_two_names() -> None:
    twice = [{"of": "county", "value": "甲县", "most": 1}, {"of": "county", "value": "甲县", "least": 1}]
    names = [limit.name for limit in limits_of(SelectionParams(quotas=twice))]
    assert len(set(names)) == 3


def test_the_share_of_free_venues_holds_where_enough_of_the_chosen_are_free() -> None:
    table = pd.DataFrame({"must_be_free": [True, False, False]})
    rows, _ = rows_of(limits_of(SelectionParams(free_share_least=0.5)), table)
    problem = cover_problem(reach_of_matrix(sp.eye(3).tocsc()), np.ones(3), rows=rows)
    assert breaches(problem, np.array([0, 1])) == []
    assert breaches(problem, np.array([])) == []
    assert [breach.name for breach in breaches(problem, np.array([0, 1, 2]))] == ["free_share"]


def test_money_of_existing_sites_is_not_counted() -> None:
    quota = {"unit": "元", "count": "on_air", "most": 5}
    assert limits_of(SelectionParams(quotas=[quota]), pd.DataFrame({"cost_yuan": [9.0]}))[1].already == 0.0


def test_an_operator_has_one_base_station_at_each_site_that_serves_it() -> None:
    """Existing: two masts carry 电信's 5G, one of them shared, none counts its 4G; new ones count 1, not 3 stations."""
    old = pd.DataFrame({"networks": ["移动 4G|移动 5G|电信&联通 5G", "电信 5G|电信 4G", "电信 4G"], "stations": [3, 1, 0]})
    quota = {"of": "operator", "value": "电信", "unit": "基站", "count": "on_air", "least": 4}
    limit = limits_of(SelectionParams(quotas=[quota]), old)[1]
    assert (limit.already, limit.zh) == (2.0, "电信 在用基站(含现有2个) 不少于 4 个")
    new = pd.DataFrame({"networks": ["电信&联通|移动", "移动", "电信|移动|联通", "*"], "stations": [2, 1, 3, 3]})
    (_, row), _ = rows_of([limit, limit], new)
    assert (row.candidates.tolist(), row.amounts.tolist()) == ([0, 2, 3], [1.0, 1.0, 1.0])
    asked = Limit("", "", "requested_by", "电信", "基站")
    table = new.assign(operators=["", "电信", "移动|电信", ""])
    assert rows_of([asked], table)[0][0].amounts.tolist() == [1.0, 3.0]


def test_free_sites_of_a_county_can_be_asked_for() -> None:
    """Two of the three sites of the county have to be free; existing ones count where they have to be."""
    table = pd.DataFrame({"county": ["溪西县", "溪西县", "溪东县", "溪西县"], "must_be_free": [True, False, True, True]})
    quota = {"of": "county", "value": "溪西县", "free": True, "count": "on_air", "least": 3}
    limit = limits_of(SelectionParams(quotas=[quota]), table.iloc[:2])[1]
    assert (limit.free, limit.already) == (True, 1.0)
    assert rows_of([limit], table)[0][0].candidates.tolist() == [0, 3]


def test_kinds_may_be_written_in_chinese() -> None:
    asked = SelectionParams(quotas=[{"of": "kind", "value": word, "most": 1} for word in ("宏站", "micro")])
    assert [limit.value for limit in limits_of(asked)[1:]] == ["macro", "micro"]


def test_columns_that_are_missing_are_named() -> None:
    limits = limits_of(SelectionParams(quotas=[{"of": "county", "value": "甲县", "least": 1}]))
    with pytest.raises(ModelError, match="column county"):
        rows_of(limits, pd.DataFrame({"town": ["甲镇"]}))
    with pytest.raises(ModelError, match="column stations"):
        limits_of(SelectionParams(quotas=[{"count": "on_air", "unit": "基站", "least": 1}]), pd.DataFrame({"x": [1]}))


def test_a_year_without_phases_is_refused() -> None:
    limits = limits_of(SelectionParams(quotas=[{"year": 2026, "least": 1}]))
    with pytest.raises(ModelError, match="2026年"):
        rows_of(limits, pd.DataFrame({"county": ["甲县"]}))


@pytest.mark.parametrize("worth", [[1.0], [-1.0, 2.0], [0.0, 0.0], [float("nan"), 1.0]])
def test_worths_that_do_not_fit_the_years_are_refused(worth: list[float]) -> None:
    with pytest.raises(ModelError, match="worth"):
        worths(PhaseParams(years=[2026, 2027], worth=worth))


def test_a_tier_is_the_same_as_a_number_and_as_text() -> None:
    table = pd.DataFrame({"tier": [4, 1, 4.0, None]}, dtype=object)
    assert members(table, Limit("", "", "tier", "4")).tolist() == [True, False, True, False]
    assert limit_zh(Limit("", "", "tier", "商业办公", most=1.0)) == "商业办公 新建站址 不多于 1 处"


def test_least_cost_has_a_floor_over_all_cells() -> None:
    floor = required_floor(np.array([2.0, 0.0, 6.0]), 0.75)
    assert (floor.cells.tolist(), floor.weights.tolist()) == ([0, 2], [2.0, 6.0])
    assert (floor.least, floor.required) == (6.0, True)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from([0.0, 3.0, 5.0, 7.5, float("nan")])),
                max_size=14), st.sampled_from([0.0, 2.0, 4.0]))
def test_near_pairs_are_those_of_a_slow_loop(places: list[tuple[int, int, float]], least: float) -> None:
    wanted = []
    for one, (x, y, spacing) in enumerate(places):
        for other in range(one + 1, len(places)):
            u, v, its = places[other]
            asked = max(least, min(0.0 if spacing != spacing else spacing, 0.0 if its != its else its))
            if np.hypot(x - u, y - v) < asked:
                wanted.append([one, other])
    found = near_pairs([place[:2] for place in places], [place[2] for place in places], least)
    assert found.tolist() == wanted
    assert (found.dtype, found.shape[1]) == (np.int32, 2)


@given(st.integers(0, 2**32 - 1))
def test_many_different_spacings_make_no_difference(seed: int) -> None:
    random = np.random.default_rng(seed)
    xy, spacing = random.uniform(0, 300, (60, 2)), random.uniform(0, 120, 60)
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    near = np.argwhere(np.triu(apart < np.maximum(10.0, np.minimum(spacing[:, None], spacing)), 1))
    assert near_pairs(xy, spacing, 10.0).tolist() == near.tolist()


def test_bad_places_are_named() -> None:
    with pytest.raises(ModelError, match="without a place"):
        near_pairs([[0.0, np.nan]], [1.0])
    with pytest.raises(ModelError, match="1 places for 2"):
        near_pairs([[0.0, 0.0]], [1.0, 2.0])
