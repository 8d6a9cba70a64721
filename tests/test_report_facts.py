"""Facts of a report: what counts on which day, who it counts for, and that no table says otherwise than another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from report_city import EDUCATION, HEALTH, TOWER, report_city

from siteplan.register import edit_rows, writing
from siteplan.report import Pack, ReportFacts, report_facts
from siteplan.report._changes import changed_rows
from siteplan.report._lists import worst_rows
from siteplan.report._venues import refusal_rows
from siteplan.report.period import period_of
from siteplan.report.reading import register_state, register_states
from siteplan.report.workbook import percent, report_sheets
from tests.registers import stamp


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.fixture(scope="module")
def city(report_register: Any) -> Any:
    return report_register


@pytest.fixture(scope="module")
def on(city: Any, june: ReportFacts) -> Callable[[str], ReportFacts]:
    """Facts of a cut-off, each made once."""
    @cache
    def facts(as_of: str) -> ReportFacts:
        return june if as_of == "2026-06-30" else report_facts(city, day(as_of))
    return facts


@pytest.fixture(scope="module")
def june(june_pack: Pack) -> ReportFacts:
    return june_pack.facts


def row(facts: ReportFacts, table: str, name: str, column: str = "name") -> dict[str, Any]:
    found = facts.tables[table]
    return found[found[column] == name].iloc[0].to_dict()


def test_both_stores_give_the_same_facts(register_place: str, june: ReportFacts) -> None:
    other = report_facts(report_city(register_place), day("2026-06-30"))
    assert dict(other.numbers) == pytest.approx(dict(june.numbers), nan_ok=True)
    for name, table in june.tables.items():
        pd.testing.assert_frame_equal(other.tables[name].drop(columns="geometry", errors="ignore"),
                                      table.drop(columns="geometry", errors="ignore"))


@pytest.mark.parametrize(("as_of", "done", "on_air"), [
    ("2026-06-29", 0, 0), ("2026-06-30", 1, 1), ("2026-07-01", 2, 2)])
def test_what_is_dated_on_the_cut_off_counts_and_the_day_after_does_not(
        on: Callable[[str], ReportFacts], as_of: str, done: int, on_air: int) -> None:
    facts = on(as_of)
    assert (facts.numbers["done"], facts.numbers["sites_on_air"]) == (done, on_air)
    assert len(facts.tables["on_air_sites"]) == facts.numbers["on_air_now"]


def test_a_task_is_late_from_the_day_after_its_term(on: Callable[[str], ReportFacts]) -> None:
    due = on("2026-06-29").tables["tasks"].set_index("id")["status"]
    assert due["RW000003"] == "open", "its term is this day"
    assert on("2026-06-30").tables["tasks"].set_index("id")["status"]["RW000003"] == "late"


def test_numbers_of_june_are_those_counted_by_hand(june: ReportFacts) -> None:
    n = june.numbers
    assert (n["tasks"], n["done"], n["late"], n["blocked"], n["open"]) == (6, 1, 4, 0, 1)
    assert (n["due"], n["due_done"], n["rate"]) == (5, 1, 0.2)
    assert [n[name] for name in ("sites", "sites_on_air", "sites_building", "sites_blocked", "sites_reserve")] == [
        6, 1, 1, 1, 3]
    assert (n["capex_yuan"], n["invested_yuan"]) == (300_000.0, 50_000.0)
    assert (n["cases_opened"], n["cases_closed"], n["days_to_close"]) == (1, 1, 61.0)
    assert (n["refusals"], n["fees_open"], n["works_sites"], n["letters"]) == (1, 1, 1, 4)
    assert n["carried"] == 2, "one of 2025 moved to 2026, one still in 2025"


def test_departments_counties_and_enterprises_add_up(june: ReportFacts) -> None:
    tables, n = june.tables, june.numbers
    assert tables["counties"]["sites"].sum() == tables["library"].iloc[0]["sites"] == n["sites"] + n["sites_withdrawn"]
    assert tables["towns"]["sites"].sum() == n["sites"]
    assert tables["counties"]["tasks_total"].sum() == n["tasks"]
    assert tables["enterprises"]["sites"].sum() == n["sites"]
    assert row(june, "departments", EDUCATION)["tasks_total"] == 2
    assert row(june, "departments", EDUCATION)["light"] == "red"
    assert row(june, "departments", HEALTH)["tasks_late"] == 1
    assert row(june, "enterprises", TOWER)["on_air"] == 1


def test_a_task_that_a_county_leads_lies_in_the_county(june: ReportFacts) -> None:
    assert row(june, "counties", "溪西县")["tasks_total"] == 2
    assert row(june, "counties", "溪东县")["tasks_total"] == 1
    assert row(june, "counties", "市级")["tasks_total"] == 3, "those of the city's departments"
    assert row(june, "counties", "市级")["sites"] == 0


def test_rows_without_a_county_are_counted_and_come_last(june: ReportFacts) -> None:
    assert june.tables["counties"]["name"].tolist()[-2:] == ["市级", "(未写)"]
    assert row(june, "counties", "(未写)")["sites"] == 1


def test_what_was_entered_later_counts_on_its_own_day_and_a_dropped_site_does_not(june: ReportFacts, tmp_path: Path,
                                                                                  ) -> None:
    register = report_city(tmp_path / "late.gpkg")
    with writing(register, stamp("2026-06-10")) as t:
        edit_rows(t, "sites", {"ZZ000005": {"in_plan": False}, "ZZ000001": {"in_plan": False}})
    with writing(register, stamp("2026-07-20", "补登")) as t:
        edit_rows(t, "tasks", {"RW000003": {"state": "done", "done_on": day("2026-06-29")}})
    facts = report_facts(register, day("2026-06-30"))
    assert (facts.numbers["done"], facts.late_entries, june.late_entries) == (2, 1, 0)
    assert row(facts, "tasks", "RW000003", "id")["status"] == "done"
    assert (facts.numbers["sites"], facts.numbers["sites_unlisted"]) == (5, 1)
    assert facts.numbers["sites_on_air"] == 1, "what is built stays"


def test_the_state_of_a_day_has_no_later_event(city: Any) -> None:
    one, other = register_state(city, day("2026-06-30")), register_state(city, day("2026-07-01"))
    assert one.last_event < other.last_event
    assert one.tables["sites"].loc["ZZ000002", "state"] == "building"
    assert other.tables["sites"].loc["ZZ000002", "state"] == "on_air"


def test_changes_are_those_since_the_cut_off_before(city: Any, on: Callable[[str], ReportFacts]) -> None:
    assert on("2026-06-30").numbers["changes_added"] == 6, "the register began in this half-year"
    assert on("2026-12-31").tables["changes"]["id"].tolist() == ["ZZ000002"]
    states = register_states(city, {day(text): ["sites"] for text in ("2026-05-31", "2026-12-31")})
    changes = changed_rows(*(state.tables["sites"] for state in states.values()))
    assert sorted(changes["id"][changes["change"] == "state"]) == ["ZZ000001", "ZZ000002"]


def test_the_last_word_of_an_owner_counts(june: ReportFacts) -> None:
    assert june.tables["refusals"][["name", "department", "action_zh"]].iloc[0].tolist() == ["溪口一中", EDUCATION, "拒绝"]
    said = pd.DataFrame({"venue_id": ["CS1"] * 3, "site_id": None, "ref": "F1",
                         "action": ["refused", "agreed", "refused"],
                         "day": pd.to_datetime(["2026-01-05", "2026-03-05", "2026-08-05"]), "organisation": None,
                         "withdrawn_on": pd.NaT, "who": None, "why": None}, index=["JD1", "JD2", "JD3"])
    places = pd.DataFrame({"name": ["一中"], "department": ["教育局"], "county": ["甲"], "town": ["乙"], "agreed_on": pd.NaT,
                           "study_id": "F1", "venue_id": None}, index=["CS1"])
    numbers = {as_of: len(refusal_rows(said, places, places.iloc[:0], period_of(day(as_of))))
               for as_of in ("2026-02-28", "2026-06-30", "2026-12-31")}
    assert numbers == {"2026-02-28": 1, "2026-06-30": 0, "2026-12-31": 1}


def test_the_plan_of_a_year_holds_what_is_due_and_what_was_left_over(on: Callable[[str], ReportFacts]) -> None:
    plan = on("2026-12-31").tables["year_plan"]
    tasks = plan[plan["kind_zh"] == "任务"]
    assert len(tasks) == 4
    assert set(tasks["note"]) == {"上年结转"}
    tower = plan[(plan["organisation"] == TOWER) & (plan["kind_zh"] == "站址")].iloc[0]
    assert (tower["number"], tower["note"]) == (3, "其中上年结转3处")


def test_the_weakest_are_named_with_all_that_are_equal() -> None:
    counties = pd.DataFrame({"name": list("甲乙丙丁戊己庚"), "tasks_overdue": [3, 1, 1, 1, 1, 1, 0], "tasks_blocked": 0,
                             "sites_late": 0})
    none = pd.DataFrame({"name": [], "level": [], "area": [], "now": [], "rule": []})
    found = worst_rows(none, counties, counties.iloc[:0], most=3)
    assert sorted(found["area"]) == sorted("甲乙丙丁戊己"), "five share the second place"
    assert found["rank"].tolist() == [1, 2, 2, 2, 2, 2]


def test_few_people_are_no_weakness_and_shares_are_in_percent() -> None:
    """Of two counties, one with a village rate of 50 % and few people."""
    rows = pd.DataFrame([("行政村达标率", 0.5), ("行政村达标率", 0.9), ("常住人口", 10.0), ("综合得分", 1.0)], columns=["name", "now"])
    rows = rows.assign(level="county", area=["甲", "乙", "甲", "甲"], rule="按规则")
    nobody = pd.DataFrame({"name": [], "tasks_overdue": [], "tasks_blocked": [], "sites_late": []})
    found = worst_rows(rows, nobody, nobody, most=3)
    assert found[["indicator", "area", "value"]].to_numpy().tolist() == [
        ["行政村达标率(%,现状,预测)", "甲", 50.0], ["行政村达标率(%,现状,预测)", "乙", 90.0]]


def test_every_sheet_has_a_table_and_every_column_a_value_somewhere(june: ReportFacts) -> None:
    for key, sheet in report_sheets().items():
        assert key in june.tables, key
        lacking = [column.name for column in sheet.columns if column.name not in june.tables[key]]
        assert lacking == [], f"{sheet.sheet} has no such columns"


@pytest.mark.parametrize(("part", "whole", "told"), [
    (2289, 3399, 67.3), (8, 12, 66.7), (9999, 10000, 99.9), (1, 1, 100.0), (1, 100000, 0.1), (0, 5, 0.0)])
def test_percentages_are_rounded_and_never_up_to_all(part: int, whole: int, told: float) -> None:
    assert percent(part / whole) == told
