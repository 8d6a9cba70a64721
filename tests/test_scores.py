"""Scores of organisations: facts counted by hand, points added up by other means; stands of venues; page of a town."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.gaps.progress.ranking import Weights
from siteplan.register import register_tables
from siteplan.register.duties import open_violations, town_facts, venue_stands
from siteplan.register.score_facts import on_air_by, village_gain
from siteplan.register.scores import (
    ORGANISATION_KINDS,
    SCORE_TABLES,
    ScoreKind,
    score_facts,
    score_organisations,
    score_parts,
    score_rules,
    score_weights,
    weakest,
)
from siteplan.tables import read_table
from tests.registers import ORGANISATIONS, day

CUT = day("2026-06-30")
KINDS: tuple[ScoreKind, ...] = ("departments", "enterprises", "counties")


def table(name: str, *rows: dict[str, Any]) -> pd.DataFrame:
    """Rows of a table of the register, with all of its columns."""
    spec = register_tables()[name]
    return pd.DataFrame([dict(row) for row in rows], index=[f"{spec.prefix}{n:06d}" for n in range(1, len(rows) + 1)],
                        columns=list(spec.fields))


def tables(**given: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    values = register_tables()["organisations"].fields["kind"].spec.values
    codes = {spellings[0]: code for code, spellings in values.items()}
    known = [{"name": name, "kind": codes[kind], "county": "溪西县" if name == "云岭镇" else None}
             for name, kind in ORGANISATIONS]
    return {name: table(name, *given.get(name, known if name == "organisations" else [])) for name in SCORE_TABLES}


def task(organisation: str, due_on: str, done_on: str | None = None, **values: Any) -> dict[str, Any]:
    return {"title": "任务", "organisation": organisation, "issued_on": "2026-01-10", "due_on": due_on,
            "done_on": done_on, "state": "done" if done_on else "open", **values}


# ---------------------------------------------------------------- weights

@pytest.mark.parametrize("kind", KINDS)
def test_published_weights_add_up_and_every_one_says_how_it_is_counted(kind: ScoreKind) -> None:
    weights, rules = score_weights(kind), score_rules(kind)
    assert math.fsum(item.weight for item in weights.indicators) == pytest.approx(1.0, abs=1e-12)
    assert list(rules.index) == [item.id for item in weights.indicators]
    assert (rules["rule"].str.len() > 8).all()
    assert (rules["source"].str.len() > 0).all()


def test_an_indicator_of_two_kinds_is_read_in_one_direction() -> None:
    seen: dict[str, bool] = {}
    for entry in read_table("scores")["rankings"].values():
        for name, item in entry["indicators"].items():
            assert seen.setdefault(name, item["best"] > item["worst"]) == (item["best"] > item["worst"])


def test_weights_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="权重之和"):
        score_weights("counties", {"indicators": {"task_rate": {"weight": 0.5}}})


# ---------------------------------------------------------------- facts

def test_facts_of_a_department_counted_by_hand() -> None:
    """教育和体育局: 3 tasks due, 2 done, 1 of them in time; 3 venues asked, 1 agreed, 1 refused and charging; one reminder of
    two answered in time; one whistle of two answered."""
    edu = "教育和体育局"
    held = tables(
        tasks=[task(edu, "2026-03-31", "2026-03-31"), task(edu, "2026-03-31", "2026-06-30"),
               task(edu, "2026-04-30", reminded_on="2026-05-10", reply_by="2026-05-20", replied_on="2026-05-20"),
               task(edu, "2026-09-30", reminded_on="2026-05-10", reply_by="2026-05-20", replied_on="2026-05-21")],
        venues=[{"department": edu, "is_chosen": True, "agreed_on": "2026-06-30", "study_id": "F1"},
                {"department": edu, "is_chosen": True, "study_id": "F2", "must_be_free": True},
                {"department": edu, "study_id": "F3"}, {"department": edu, "is_chosen": True, "study_id": "F4"}],
        decisions=[{"action": "refused", "ref": "F2", "day": "2026-05-01"},
                   {"action": "refused", "venue_id": "CS000004", "day": "2026-07-01"}],
        fees=[{"ref": "F2", "kind": "entry", "day": "2026-05-02"}, {"ref": "F3", "kind": "entry", "day": "2026-05-02"},
              {"ref": "F2", "kind": "entry", "day": "2026-05-02", "resolved_on": "2026-06-30"}],
        cases=[{"kind": "whistle", "called": f"{edu}|卫生健康局", "opened_on": "2026-05-01"},
               {"kind": "whistle", "called": edu, "reported": edu, "reported_on": "2026-06-30",
                "opened_on": "2026-05-01"},
               {"kind": "whistle", "called": edu, "opened_on": "2026-06-29"}])
    facts = score_facts("departments", held, CUT)
    row = facts.loc[edu]
    assert row[["task_rate_n", "task_rate_of", "on_time_rate_n"]].tolist() == [2.0, 3.0, 1.0]
    assert row[["venue_rate_n", "venue_rate_of", "disputes"]].tolist() == [1.0, 3.0, 2.0]
    assert row[["reply_rate", "report_rate"]].tolist() == [0.5, 0.5]
    assert facts.loc["卫生健康局", "report_rate"] == 0.0
    assert math.isnan(facts.loc["卫生健康局", "venue_rate"]), "a department without venues has no rate"
    assert math.isnan(facts.loc["卫生健康局", "disputes"])


def test_facts_of_an_enterprise_counted_by_hand() -> None:
    """Four sites of the year, one withdrawn: 1 of 3 on air; 60 + 0 of 100 + 200 spent."""
    tower = "铁塔溪口分公司"
    site = {"enterprise": tower, "phase_year": 2026.0}
    held = tables(sites=[
        site | {"state": "on_air", "on_air_on": "2026-06-30", "capex_yuan": 100.0, "invested_yuan": 60.0,
                "environment": "done"},
        site | {"state": "on_air", "on_air_on": "2026-07-01", "capex_yuan": 200.0}, site | {"state": "ready"},
        site | {"state": "withdrawn", "state_on": "2026-06-30", "capex_yuan": 1e6},
        {"enterprise": tower, "phase_year": 2025.0, "state": "on_air", "state_on": "2025-12-01",
         "environment": "none"}])
    progress = pd.DataFrame({"organisation": [tower, tower, tower], "level": "city", "area": "溪口市",
                             "value": [100.0, 10.0, 5.0], "done": [40.0, 9.0, 0.0], "plan_share": [0.5, 0.5, 0.0]})
    row = score_facts("enterprises", held, CUT, progress).loc[tower]
    assert row["quota_rate"] == pytest.approx((0.8 + 1.0) / 2), "a quota that need not have begun does not count"
    assert row["year_rate"] == pytest.approx(1 / 3)
    assert row["money_rate"] == pytest.approx(60 / 300)
    assert row["filing_rate"] == 0.5
    assert math.isnan(score_facts("enterprises", held, CUT).loc[tower, "quota_rate"])


def test_facts_of_a_county_counted_by_hand() -> None:
    held = tables(
        tasks=[task("溪西县", "2026-03-31", "2026-03-01"), task("云岭镇", "2026-03-31"), task("教育和体育局", "2026-01-31")],
        sites=[{"county": "溪西县", "is_free": True, "state": "on_air", "on_air_on": "2026-06-30"},
               {"county": "溪西县", "is_free": True, "state": "ready"},
               {"county": "溪西县", "is_free": True, "state": "withdrawn", "state_on": "2026-02-01"}],
        cases=[{"kind": "hard_site", "county": "溪西县", "opened_on": on, "closed_on": "2026-06-30", "outcome": outcome}
               for on, outcome in (("2026-06-25", "solved"), ("2026-01-25", "dropped"))],
        indicators=[{"level": "county", "area": "溪西县", "name": "village_rate", "day": on, "now": now, "planned": 0.99,
                     "rule": "甲"} for on, now in (("2025-06-30", 0.5), ("2025-12-31", 0.55), ("2026-06-30", 0.6),
                                                  ("2026-07-01", 0.9))])
    facts = score_facts("counties", held, CUT)
    row = facts.loc["溪西县"]
    assert row[["task_rate_n", "task_rate_of"]].tolist() == [1.0, 2.0], "the county's own tasks and those of its towns"
    assert row["village_gain"] == pytest.approx(0.05), "today's value against that before the year, no prediction"
    assert row[["case_rate", "free_rate", "hard_rate"]].tolist() == [0.5, 0.5, 0.5]
    assert facts.loc["溪东县"].drop([name for name in facts if name.endswith(("_n", "_of"))]).isna().all()


def test_the_gain_in_villages_wants_two_values_under_one_rule() -> None:
    def rows(*values: tuple[str, float, str]) -> pd.DataFrame:
        same = {"level": "county", "area": "甲县", "name": "village_rate"}
        return pd.DataFrame([same | {"day": on, "now": now, "rule": rule} for on, now, rule in values])

    assert village_gain(rows(("2026-02-01", 0.5, "a"), ("2026-05-01", 0.4, "a")), CUT)["甲县"] == pytest.approx(-0.1)
    for one in (rows(("2026-02-01", 0.5, "a")), rows(("2025-02-01", 0.5, "a")),
                rows(("2025-02-01", 0.5, "a"), ("2026-05-01", 0.9, "b"))):
        assert math.isnan(village_gain(one, CUT)["甲县"])


# ---------------------------------------------------------------- scores

_VALUES = st.one_of(st.just(math.nan), st.floats(0, 1))


@given(st.sampled_from(KINDS), st.lists(st.lists(_VALUES, min_size=6, max_size=6), min_size=1, max_size=6))
def test_every_score_can_be_added_up_again(kind: ScoreKind, rows: list[list[float]]) -> None:
    entry = read_table("scores")["rankings"][kind]
    names = list(entry["indicators"])
    facts = pd.DataFrame([row[:len(names)] for row in rows], columns=names, index=[f"单位{n}" for n in range(len(rows))])
    scores = score_organisations(kind, facts, CUT)
    parts = score_parts(kind, scores)
    for organisation in facts.index:
        known = {name: value for name, value in facts.loc[organisation].items() if not math.isnan(value)}
        weight = sum(entry["indicators"][name]["weight"] for name in known)
        row = scores.loc[organisation]
        if weight < entry["least_weight"] - 1e-9:
            assert math.isnan(row["score"])
            continue
        points = 0.0
        for name, value in known.items():
            item = entry["indicators"][name]
            mark = min(1.0, max(0.0, (value - item["worst"]) / (item["best"] - item["worst"])))
            points += 100 * item["weight"] / weight * mark
        assert row["score"] == pytest.approx(points, abs=0.0051)
        listed = parts[parts["organisation"] == organisation]
        assert listed["points"].sum() == pytest.approx(points)
        assert listed["weight"].sum() == pytest.approx(1.0)
        assert len(row["missing"].split("、")) == len(names) - len(known) or not row["missing"]


def test_a_score_worked_by_hand() -> None:
    """甲: 35 * 0.8 + 25 * 0.5 + 15 * 1 + 15 * 0 + 10 * 0.4 = 59.5. 乙 has only 0.6 of the weight: (28 + 25) / 0.6."""
    facts = pd.DataFrame({"quota_rate": [0.8, 0.8], "year_rate": [0.5, 1.0], "money_rate": [1.0, None],
                          "task_rate": [0.0, None], "filing_rate": [0.4, None]}, index=["甲", "乙"])
    scores = score_organisations("enterprises", facts, CUT)
    assert scores["score"].to_dict() == {"乙": 88.33, "甲": 59.5}
    assert scores["rank_no"].tolist() == [1, 2]
    assert scores.loc["乙", "missing"] == "本年度投资完成率、到期任务完成率、已开通站址备案率"
    assert scores.loc["乙", "weight_quota_rate"] == pytest.approx(0.35 / 0.6)
    assert scores.loc["甲", "as_of"] == pd.Timestamp(CUT)


def test_other_weights_may_be_given() -> None:
    only: Weights = score_weights("enterprises", {"indicators": {
        "year_rate": {"weight": 1.0}, **{name: {"weight": 0} for name in ("quota_rate", "money_rate", "task_rate",
                                                                         "filing_rate")}}})
    facts = pd.DataFrame({"year_rate": [0.25]}, index=["甲"])
    assert score_organisations("enterprises", facts, CUT, only)["score"].tolist() == [25.0]


def test_the_weakest_are_named_by_indicator_and_full_marks_are_not_weak() -> None:
    facts = pd.DataFrame({"task_rate": [0.2, 1.0, 0.2, 0.1], "on_time_rate": 1.0, "venue_rate": math.nan,
                          "disputes": [0.0, 1.0, 9.0, 2.0], "reply_rate": 1.0, "report_rate": 1.0}, index=list("丙乙甲丁"))
    table = weakest(facts, 2)
    assert table[["indicator", "place", "organisation", "value"]].to_numpy().tolist() == [
        ["task_rate", 1, "丁", 0.1], ["task_rate", 2, "丙", 0.2], ["disputes", 1, "甲", 9.0], ["disputes", 2, "丁", 2.0]]
    assert len(weakest(pd.DataFrame(), 2)) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_register_scores_nobody(kind: ScoreKind) -> None:
    facts = score_facts(kind, tables(), CUT)
    scores = score_organisations(kind, facts, CUT)
    assert len(scores) == sum(zh == {"department": "部门", "enterprise": "企业", "county": "县区"}[ORGANISATION_KINDS[kind]]
                              for _, zh in ORGANISATIONS)
    assert scores["score"].isna().all()
    assert (scores["status"] == "无法判定").all()


# ---------------------------------------------------------------- venues, towns

def test_the_last_word_of_a_venue_up_to_the_day_holds() -> None:
    venues = table("venues", {"study_id": "F1", "is_chosen": True, "agreed_on": "2026-03-01"}, {"study_id": "F2"},
                   {"study_id": "F3", "is_chosen": True}, {"study_id": "F4"})
    sites = table("sites", {"study_id": "V-facility:F4", "venue_id": "CS000004"})
    decisions = table("decisions", {"action": "refused", "ref": "F1", "day": "2026-06-30"},
                      {"action": "refused", "ref": "F2", "day": "2026-04-01", "withdrawn_on": "2026-07-01"},
                      {"action": "agreed", "ref": "F1", "day": "2026-07-01"},
                      {"action": "refused", "site_id": "ZZ000001", "day": "2026-01-05"},
                      {"action": "task", "ref": "F3"})
    assert venue_stands(venues, decisions, CUT, sites).tolist() == ["refused", "refused", "asked", "refused"]
    assert venue_stands(venues, decisions, day("2026-07-01"), sites).tolist() == ["agreed", "idle", "asked", "refused"]
    assert venue_stands(venues, decisions, day("2026-06-29")).tolist() == ["agreed", "refused", "asked", "idle"]


def test_only_violations_that_are_open_count() -> None:
    venues = table("venues", {"study_id": "F1", "must_be_free": True}, {"study_id": "F2"})
    fees = table("fees", {"ref": "F1", "kind": "rent", "day": "2026-06-30"},
                 {"ref": "F1", "kind": "rent", "day": "2026-07-01"},
                 {"ref": "F1", "kind": "deposit"}, {"ref": "F2", "kind": "entry"}, {"ref": "F9", "kind": "entry"})
    assert open_violations(fees, venues, CUT).to_dict() == {"SF000001": "CS000001"}, "a deposit is only to be checked"


def test_a_site_is_on_air_from_its_day_on() -> None:
    sites = table("sites", {"state": "on_air", "on_air_on": "2026-06-30"},
                  {"state": "on_air", "on_air_on": "2026-07-01"}, {"state": "building", "state_on": "2026-01-01"})
    assert on_air_by(sites, CUT).tolist() == [True, False, False]


def test_the_page_of_a_town_holds_its_rows_alone() -> None:
    held = tables(
        sites=[{"name": "甲", "town": "云岭镇", "county": "溪西县", "state": "ready"}, {"name": "乙", "town": "云岭镇",
               "county": "溪西县", "state": "ready"}, {"name": "丙", "town": "他镇", "state": "ready"}],
        tasks=[task("云岭镇", "2026-12-31"), task("教育和体育局", "2026-06-29", town="云岭镇"), task("教育和体育局", "2026-01-31")],
        cases=[{"kind": "whistle", "town": "云岭镇", "opened_on": "2026-06-29", "called": "云岭镇"}],
        venues=[{"name": "小学", "town": "云岭镇", "study_id": "F1"}, {"name": "医院", "town": "云岭镇", "is_chosen": True}],
        decisions=[{"action": "refused", "ref": "F1", "day": "2026-06-01"}])
    progress = pd.DataFrame({"level": ["town", "county"], "area": ["云岭镇", "云岭镇"], "light": ["yellow", "red"]})
    page = town_facts(held, "云岭镇", CUT, progress=progress)
    assert (page.county, page.light) == ("溪西县", "red")
    assert page.sites.loc[page.sites["state"] == "ready", ["state_zh", "sites"]].to_numpy().tolist() == [["具备条件", 2]]
    assert page.tasks["status"].tolist() == ["late", "open"]
    assert len(page.cases) == len(page.quotas) == 1
    assert page.refused["name"].tolist() == ["小学"]
    assert page.venues.set_index("stand")["venues"].to_dict() == {"agreed": 0, "refused": 1, "asked": 1, "idle": 0}
    assert town_facts(held, "没有的镇", CUT).light == "green"
