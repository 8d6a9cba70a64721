"""Back-scheduled milestones: of a site from its due day, of a quota in steps; which of them are late."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import RegisterError
from siteplan.register import Register, add_rows, edit_rows, read_rows, writing
from siteplan.register.quotas import (
    cumulative_plan,
    lead_days,
    milestones_due,
    planned_value,
    quota_milestones,
    schedule_sites,
    site_milestones,
)
from siteplan.tables import read_table
from tests.registers import day, stamp

STEPS = read_table("lead_times")["steps"]
WORDS = [entry["zh"] for entry in STEPS.values()]
MOUNTS = [*read_table("mounts")["mounts"], "落地塔", "别的", ""]


def test_the_steps_of_a_roof_pole_by_hand() -> None:
    assert [(step, str(latest)) for step, latest in site_milestones(day("2026-06-30"), "楼面抱杆", "new")] == [
        ("现场勘察", "2026-04-11"), ("场所协议", "2026-05-01"), ("手续审批", "2026-05-31"), ("用电报装送电", "2026-06-20"),
        ("施工", "2026-06-20"), ("验收开通", "2026-06-30")]


def test_a_ground_tower_begins_earlier_and_a_shared_site_later() -> None:
    first = [site_milestones(day("2026-06-30"), *kind)[0].due_on
             for kind in (("ground_tower", "new"), ("", ""), ("ground_tower", "share"))]
    assert first == sorted(first)
    assert len(set(first)) == 3
    assert lead_days("ground_tower", "share")["approval"] == lead_days("", "share")["approval"] == 10


@given(st.dates(dt.date(2000, 1, 1), dt.date(2090, 1, 1)), st.sampled_from(MOUNTS),
       st.sampled_from(["new", "reuse", "share", ""]))
def test_every_step_leaves_its_time_to_those_that_need_it_and_the_last_ends_on_the_day(due_on: dt.date, mount: str,
                                                                                       build: str) -> None:
    latest, days = dict(zip(STEPS, site_milestones(due_on, mount, build), strict=True)), lead_days(mount, build)
    assert max(step.due_on for step in latest.values()) == latest["acceptance"].due_on == due_on
    for name, entry in STEPS.items():
        for earlier in entry["needs"]:
            assert latest[earlier].due_on + dt.timedelta(days[name]) <= latest[name].due_on
        after = [later for later in STEPS if name in STEPS[later]["needs"]]
        tight = any(latest[name].due_on + dt.timedelta(days[later]) == latest[later].due_on for later in after)
        assert tight or not after


def test_the_table_of_lead_times_is_whole() -> None:
    names = list(STEPS)
    for number, entry in enumerate(STEPS.values()):
        assert set(entry["needs"]) <= set(names[:number])      # in order, without a circle
    for group in ("mounts", "builds"):
        assert all(set(days) <= set(names) for days in read_table("lead_times")[group].values())


SITE = {"name": "锦溪小学", "state": "reserve", "state_reason": None, "procedures": None, "procedures_on": None,
        "power_application": None, "construction": None, "completed_on": None, "on_air_on": None, "county": "溪西县",
        "town": None, "enterprise": None, "venue_id": "CS1"}


def judged(as_of: str, step: str = "手续审批", due_on: str = "2026-05-31", agreed_on: str | None = None,
           **site: Any) -> Any:
    sites = pd.DataFrame([{**SITE, **site}], index=["ZZ1"])
    for name in ("procedures_on", "completed_on", "on_air_on"):
        sites[name] = pd.to_datetime(sites[name])
    rows = pd.DataFrame({"site_id": ["ZZ1"], "quota_id": [None], "step": [step], "due_on": pd.to_datetime([due_on]),
                         "value": [None], "is_current": pd.array([None], dtype="boolean")}, index=["LC1"])
    venues = pd.DataFrame({"agreed_on": pd.to_datetime([agreed_on])}, index=["CS1"])
    return milestones_due(rows, sites, day(as_of), venues).loc["LC1"]


@pytest.mark.parametrize(("as_of", "site", "status", "light"), [
    ("2026-04-30", {}, "due", "green"), ("2026-05-01", {}, "due", "yellow"), ("2026-05-31", {}, "due", "yellow"),
    ("2026-06-01", {}, "late", "red"), ("2026-06-01", {"procedures": "underway"}, "late", "red"),
    ("2026-06-01", {"procedures": "done"}, "done", "green"),
    ("2026-06-01", {"procedures": "done", "procedures_on": "2026-06-01"}, "done", "green"),
    ("2026-06-01", {"procedures": "done", "procedures_on": "2026-06-02"}, "late", "red"),    # known later
    ("2026-06-01", {"state": "building"}, "done", "green"),
    ("2026-06-01", {"state": "withdrawn", "state_reason": "拆迁"}, "withdrawn", "green")])
def test_a_milestone_is_judged_by_the_columns_of_its_site(as_of: str, site: dict[str, Any], status: str,
                                                          light: str) -> None:
    row = judged(as_of, **site)
    assert (row["status"], row["light"]) == (status, light)


@pytest.mark.parametrize(("step", "site", "done"), [
    ("现场勘察", {}, False), ("现场勘察", {"state": "ready"}, True), ("场所协议", {"procedures": "underway"}, False),
    ("场所协议", {"agreed_on": "2026-06-01"}, True), ("场所协议", {"agreed_on": "2026-06-02"}, False),
    ("用电报装送电", {"power_application": "applied"}, False), ("用电报装送电", {"power_application": "connected"}, True),
    ("施工", {"construction": "underway", "state": "building"}, False), ("施工", {"construction": "done"}, True),
    ("施工", {"construction": "done", "completed_on": "2026-06-02"}, False), ("验收开通", {"construction": "done"}, False),
    ("验收开通", {"state": "on_air", "on_air_on": "2026-06-01"}, True)])
def test_each_step_has_its_own_proof(step: str, site: dict[str, Any], done: bool) -> None:
    assert (judged("2026-06-01", step, **site)["status"] == "done") is done


def test_reasons_say_days_blocks_and_proofs() -> None:
    late = judged("2026-06-10", state="blocked", state_reason="业主阻挠")
    assert (late["days_late"], late["reason"]) == (10, "最迟 2026-05-31,已逾期10天,站址受阻:业主阻挠")
    assert judged("2026-05-21")["reason"] == "最迟 2026-05-31,还有10天"
    assert judged("2026-06-10", procedures="done")["reason"] == "手续办理:已办结"
    assert "不在 lead_times 表中" in judged("2026-06-10", "设计")["reason"]


@pytest.mark.parametrize(("steps", "values"), [
    ("month", [284, 568, 852, 1135, 1418, 1701, 1984, 2267, 2550, 2833, 3116, 3399]),    # 283.25 a month
    ("quarter", [850, 1700, 2550, 3399]), ("half", [1700, 3399]), ("year", [3399])])
def test_a_quota_in_equal_steps_adds_up_to_the_last_one(steps: str, values: list[int]) -> None:
    plan = cumulative_plan(3399, day("2020-01-01"), day("2020-12-31"), steps)
    assert [value for _, value in plan] == values
    assert plan[-1][0] == day("2020-12-31")


@given(st.integers(0, 5000), st.integers(0, 500), st.dates(dt.date(2020, 1, 1), dt.date(2022, 1, 1)),
       st.integers(0, 1200), st.sampled_from(["month", "quarter", "half", "year"]))
def test_cumulative_values_never_fall_and_keep_to_the_line(value: int, base: int, since: dt.date, length: int,
                                                           steps: str) -> None:
    by = since + dt.timedelta(length)
    plan = cumulative_plan(value + base, since, by, steps, base)
    numbers = [number for _, number in plan]
    assert numbers == sorted(numbers)
    assert plan[-1] == (by, value + base)
    assert all(since <= latest <= by for latest, _ in plan)
    assert planned_value(plan, since, base, by) == value + base
    assert planned_value(plan, since, base, since - dt.timedelta(1)) == base
    assert all(planned_value(plan, since, base, latest) == number for latest, number in plan)


@pytest.mark.parametrize(("changes", "words"), [
    ({"base": 14}, "基期数 14 多于任务数 13"), ({"weights": [1, 2]}, "给了 2 个权重"), ({"weights": [0, 0, 0, 0]}, "需求都是0"),
    ({"steps": [dt.date(2019, 12, 31)]}, "依次排列"), ({"steps": [dt.date(2020, 6, 30), dt.date(2020, 3, 31)]}, "依次排列"),
    ({"steps": [dt.date(2021, 1, 31)]}, "依次排列"), ({"steps": "week"}, "month")])
def test_steps_that_cannot_be_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RegisterError, match=words):
        cumulative_plan(**{"value": 13, "since": day("2020-01-01"), "by": day("2020-12-31"), "steps": "quarter",
                           **changes})


def test_sites_are_scheduled_once_and_anew_when_their_day_moves(register: Register) -> None:
    with writing(register, stamp("2026-01-10")) as transaction:
        one, other, bare, built = add_rows(transaction, "sites", [
            {"name": "甲", "state": "储备", "due_on": "2026-06-30", "mount": "roof_pole", "build": "新建"},
            {"name": "乙", "state": "储备", "due_on": "2026-12-31", "mount": "ground_tower"}, {"name": "丙", "state": "储备"},
            {"name": "丁", "state": "已开通", "on_air_on": "2026-01-05", "due_on": "2026-06-30"}])
        assert len(schedule_sites(transaction)) == 12
        assert schedule_sites(transaction, [one, other]) == []
    rows = read_rows(register, "milestones")
    assert rows[rows["site_id"] == one]["step"].tolist() == WORDS
    with writing(register, stamp("2026-03-01")) as transaction:
        edit_rows(transaction, "sites", {one: {"due_on": "2026-07-10"}}, "会议调整")
        assert len(schedule_sites(transaction)) == 6
    rows = read_rows(register, "milestones")
    assert rows["is_current"].value_counts().to_dict() == {True: 12, False: 6}
    table = milestones_due(rows, read_rows(register, "sites"), day("2026-05-12"))
    assert len(table) == 12
    assert table[table["status"] == "late"][["site_id", "step"]].to_numpy().tolist() == [[one, "现场勘察"], [one, "场所协议"]]
    with pytest.raises(RegisterError) as caught, writing(register, stamp("2026-03-02")) as transaction:
        schedule_sites(transaction, [bare, built, "ZZ000099"])
    assert [(problem.row, problem.field) for problem in caught.value.problems] == [
        (bare, "due_on"), (built, "state"), ("ZZ000099", "id")]


def test_milestones_of_a_quota_are_written_once_and_replaced(register: Register) -> None:
    with writing(register, stamp("2026-01-10")) as transaction:
        [quota] = add_rows(transaction, "quotas", [
            {"title": "免费开放公共区域站址", "level": "市", "area": "溪口市", "measure": "免费开放公共区域", "unit": "站址", "value": 13,
             "since": "2026-01-01", "by": "2026-12-31"}])
        assert len(quota_milestones(transaction, quota, "quarter")) == 4
        assert quota_milestones(transaction, quota, "quarter") == []
    with writing(register, stamp("2026-02-10")) as transaction:
        assert quota_milestones(transaction, quota, "half") == []            # 7 in June and 13 in December stay
    rows = read_rows(register, "milestones")
    assert rows[rows["is_current"]][["step", "value"]].to_numpy().tolist() == [
        ["至2026-06-30累计", 7], ["至2026-12-31累计", 13]]
    with pytest.raises(RegisterError, match="没有这一现行指标"), writing(register, stamp("2026-02-10")) as transaction:
        quota_milestones(transaction, "ZB000099")
    with pytest.raises(RegisterError) as caught, writing(register, stamp("2026-02-10")) as transaction:
        add_rows(transaction, "milestones", [{"step": "勘察", "due_on": "2026-03-01"},
                                             {"step": "累计", "due_on": "2026-03-01", "quota_id": quota}])
    assert [problem.field for problem in caught.value.problems] == ["quota_id", "value"]
