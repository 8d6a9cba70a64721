"""Yearly batches, what was not built, what is on air: worked out by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from siteplan.errors import RegisterError
from siteplan.register import Register, add_rows, edit_rows, read_events, read_rows, writing
from siteplan.register.phases import (
    carry_over,
    completed_sites,
    delay_sentence,
    listed,
    set_year,
    unlisted_sites,
    year_batches,
    year_plan,
)
from tests.registers import day, stamp


def fill(register: Register, *rows: dict[str, Any]) -> list[str]:
    """Sites of 2026, entered at the start of that year."""
    usual = {"state": "储备", "in_plan": True, "first_year": 2026, "phase_year": 2026, "station_count": 1,
             "capex_yuan": 1e5}
    with writing(register, stamp("2026-01-10")) as transaction:
        return add_rows(transaction, "sites", [
            {"name": f"站{number}", **usual, **row} for number, row in enumerate(rows)])


def test_batches_count_what_is_planned_built_and_left(register: Register) -> None:
    fill(register, {}, {"state": "已开通", "station_count": 3, "invested_yuan": 9e4}, {"state": "在建", "first_year": 2025},
         {"in_plan": False}, {"in_plan": False, "state": "已批准"}, {"phase_year": 2027, "capex_yuan": None},
         {"phase_year": None, "first_year": None})
    table = year_batches(read_rows(register, "sites"))
    assert table.index.tolist() == [0, 2026, 2027]
    row = table.loc[2026]
    names = ["sites", "reserve", "approved", "building", "on_air", "left", "delayed"]
    assert row[names].tolist() == [4, 1, 1, 1, 1, 3, 1]
    assert row[["stations", "stations_on_air", "capex_yuan", "invested_yuan"]].tolist() == [6, 3, 4e5, 9e4]
    assert table["capex_yuan"].tolist() == [1e5, 4e5, 0.0]
    assert table["unlisted"].tolist() == [0, 1, 0]


def test_a_site_that_a_plan_dropped_counts_once_it_is_approved() -> None:
    table = pd.DataFrame({"state": ["reserve", "ready", "approved", "reserve", "blocked"],
                          "in_plan": pd.array([False, False, False, None, False], dtype="boolean")})
    assert listed(table).tolist() == [False, False, True, True, True]


def test_a_dropped_site_that_is_unblocked_is_told_everywhere(register: Register) -> None:
    """Blocked it counts in its batch; ready again it is in none, and no year can be given: each says so."""
    (site,) = fill(register, {"in_plan": False, "state": "具备条件"})
    with writing(register, stamp("2026-02-01")) as transaction:
        edit_rows(transaction, "sites", {site: {"state": "受阻", "state_reason": "征地"}})
    assert year_batches(read_rows(register, "sites")).loc[2026, ["sites", "unlisted"]].tolist() == [1, 0]
    with writing(register, stamp("2026-03-01")) as transaction:
        edit_rows(transaction, "sites", {site: {"state": "具备条件"}})
    sites = read_rows(register, "sites")
    assert year_batches(sites).loc[2026, ["sites", "ready", "left", "unlisted"]].tolist() == [0, 0, 0, 1]
    assert (unlisted_sites(sites, 2026).index.tolist(), len(unlisted_sites(sites, 2027))) == ([site], 0)
    with pytest.raises(RegisterError, match="未列入现行方案"), writing(register, stamp("2026-03-02")) as transaction:
        set_year(transaction, [site], 2027, "会议")
    with writing(register, stamp("2026-12-31")) as transaction:
        table = carry_over(transaction, 2026, day("2026-12-31"))
    assert table["what_zh"].to_dict() == {site: "未列入现行方案,未结转"}


def test_no_sites_make_no_batches(register: Register) -> None:
    assert year_batches(read_rows(register, "sites")).empty


def test_the_plan_of_a_year_is_in_order_and_tells_delays(register: Register) -> None:
    fill(register, {"county": "溪西县", "rank_no": 2}, {"county": "溪东县", "first_year": 2024},
         {"county": "溪西县", "rank_no": 1}, {"phase_year": 2027})
    table = year_plan(read_rows(register, "sites"), 2026)
    assert table.index.tolist() == ["ZZ000002", "ZZ000003", "ZZ000001"]
    assert table["delay_years"].tolist() == [2, 0, 0]


def test_what_was_not_built_goes_on_to_the_next_year(register: Register) -> None:
    """Not those on air or withdrawn; blocked and dropped ones are listed apart; earlier years come along."""
    ids = fill(register, {}, {"state": "已开通"}, {"state": "在建", "first_year": 2024, "phase_year": 2025},
               {"in_plan": False}, {"phase_year": 2027}, {"state": "已批准", "in_plan": False}, {})
    with writing(register, stamp("2026-03-01")) as transaction:
        edit_rows(transaction, "sites", {ids[6]: {"state": "受阻", "state_reason": "征地"}})
    with writing(register, stamp("2027-01-05")) as transaction:
        table = carry_over(transaction, 2026, day("2026-12-31"))
    assert table["what"].to_dict() == {ids[0]: "carried", ids[2]: "carried", ids[3]: "unlisted", ids[5]: "carried",
                                       ids[6]: "blocked"}
    assert table["delay_years"].to_dict() == {ids[0]: 1, ids[2]: 3, ids[3]: 0, ids[5]: 1, ids[6]: 0}
    assert table.loc[ids[6], "what_zh"] == "受阻,未结转"
    sites = read_rows(register, "sites")
    assert sites["phase_year"].tolist() == [2027, 2026, 2027, 2026, 2027, 2027, 2026]
    assert sites["first_year"].tolist() == [2026, 2026, 2024, 2026, 2026, 2026, 2026]
    log = read_events(register, table="sites", row_id=ids[0], field="phase_year")
    assert log["why"].tolist() == ["2026 年度未建成,结转至 2027 年度"]
    assert log["day"].tolist() == [pd.Timestamp("2026-12-31")]
    assert delay_sentence(sites, [2027]) == "比首次列入的年度推迟的站址 4 处:1 年 3 处,3 年 1 处。"


def test_carrying_over_again_changes_nothing(register: Register) -> None:
    fill(register, {})
    for when in ("2026-12-31", "2027-01-01"):
        with writing(register, stamp(when)) as transaction:
            table = carry_over(transaction, 2026, day(when))
    assert table.empty


def test_a_year_that_is_not_over_is_not_carried_over(register: Register) -> None:
    fill(register, {})
    with pytest.raises(RegisterError, match="还没有结束"), writing(register, stamp("2026-12-30")) as transaction:
        carry_over(transaction, 2026, day("2026-12-30"))
    assert read_rows(register, "sites")["phase_year"].tolist() == [2026]


def test_sites_on_air_serve_from_their_day_on(register: Register) -> None:
    (site,) = fill(register, {"state": "在建"})
    with writing(register, stamp("2026-06-30")) as transaction:
        edit_rows(transaction, "sites", {site: {"state": "已开通"}})
    sites = read_rows(register, "sites")
    assert len(completed_sites(sites, day("2026-06-29"))) == 0
    assert completed_sites(sites, day("2026-06-30")).index.tolist() == [site]


def test_a_meeting_gives_sites_another_year(register: Register) -> None:
    ids = fill(register, {}, {"first_year": None, "phase_year": None})
    with writing(register, stamp("2026-03-01", "纪要〔2026〕2号")) as transaction:
        assert set_year(transaction, ids, 2028) == 2
    sites = read_rows(register, "sites")
    assert sites[["first_year", "phase_year"]].to_numpy().tolist() == [[2026, 2028], [2028, 2028]]


@pytest.mark.parametrize(("change", "why", "field"), [
    ({"year": 2025}, "会议", "phase_year"), ({}, "", "why"), ({"state": "已开通"}, "会议", "phase_year"),
    ({"ids": ["ZZ000009"]}, "会议", "id")], ids=["a year gone by", "no reason", "on air", "no such site"])
def test_years_that_cannot_be_given(register: Register, change: dict[str, Any], why: str, field: str) -> None:
    ids = fill(register, {"state": change.get("state", "储备")})
    with pytest.raises(RegisterError) as caught, writing(register, stamp("2026-03-01")) as transaction:
        set_year(transaction, change.get("ids", ids), change.get("year", 2027), why)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert read_rows(register, "sites")["phase_year"].tolist() == [2026]
