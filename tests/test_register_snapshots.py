"""Snapshots, the state on a day, and the difference between two of them."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import pandas as pd
import pytest

from siteplan.errors import RegisterError
from siteplan.register import Register, add_rows, correct_event, edit_rows, read_events, read_rows, writing
from siteplan.register.snapshots import (
    CHANGES,
    compare_sites,
    difference,
    difference_counts,
    late_entries,
    snapshot_sentences,
    state_on,
    take_snapshot,
)
from siteplan.register.sync import sync_plan
from tests.registers import day, stamp
from tests.sync_plans import at, plan, site


def change(register: Register, when: str, row_id: str, why: str = "", **values: Any) -> None:
    with writing(register, stamp(when, why)) as transaction:
        edit_rows(transaction, "sites", {row_id: values})


@pytest.fixture
def lived(register: Register) -> Register:
    """Three sites of February; in March one is ready, in April one more comes and one is moved and dearer."""
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", [
            {"name": name, "state": "储备", "county": "溪西县", "in_plan": True, "phase_year": 2026, "capex_yuan": 1e5,
             "geometry": at(100.0 * number)} for number, name in enumerate("甲乙丙")])
    change(register, "2026-03-01", "ZZ000001", state="具备条件")
    with writing(register, stamp("2026-04-01")) as transaction:
        add_rows(transaction, "sites", [{"name": "丁", "state": "储备", "geometry": at(900)}])
        edit_rows(transaction, "sites", {
            "ZZ000002": {"geometry": at(103, 4), "capex_yuan": 120_000.0, "phase_year": 2027},
            "ZZ000003": {"in_plan": False}})
    return register


def test_the_state_on_a_day_ends_with_that_day(lived: Register) -> None:
    assert len(state_on(lived, day("2026-01-31"))) == 0
    assert state_on(lived, day("2026-02-28"))["state"].tolist() == ["reserve"] * 3
    assert state_on(lived, day("2026-03-01"))["state"].tolist() == ["ready", "reserve", "reserve"]
    assert len(state_on(lived, day("2026-04-01"))) == 4


def test_the_difference_tells_every_change_of_every_site(lived: Register) -> None:
    table = difference(lived, day("2026-02-28"), day("2026-04-01"))
    assert table[["id", "name", "change", "before", "after", "words"]].to_numpy().tolist() == [
        ["ZZ000001", "甲", "state", "储备", "具备条件", "储备→具备条件"],
        ["ZZ000002", "乙", "moved", "437100.0, 2491000.0", "437103.0, 2491004.0", "移动 5.0 米"],
        ["ZZ000002", "乙", "year", "2026 年度", "2027 年度", "2026 年度→2027 年度"],
        ["ZZ000002", "乙", "cost", "100,000 元", "120,000 元", "100,000 元→120,000 元"],
        ["ZZ000003", "丙", "dropped", "在规划中", "不在规划中", "新方案不再列入"],
        ["ZZ000004", "丁", "added", "", "储备", "新增,储备"]]
    assert difference_counts(table) == {
        "added": 1, "dropped": 1, "taken_up": 0, "state": 1, "moved": 1, "year": 1, "cost": 1}
    assert set(table["change"]) <= set(CHANGES)


def test_a_day_differs_in_nothing_from_itself(lived: Register) -> None:
    table = difference(lived, day("2026-04-01"), day("2026-04-01"))
    assert table.empty
    assert list(table.columns) == ["id", "name", "county", "town", "change", "change_zh", "before", "after", "words"]
    assert sum(difference_counts(table).values()) == 0


def test_the_difference_of_two_plans_tells_drops_and_returns(register: Register) -> None:
    one, other = plan({"S1": site(0), "S2": site(100)}), plan({"S1": site(0)}, version="v2")
    for when, record in (("2026-02-01", one), ("2026-03-01", other), ("2026-04-01", one)):
        sync_plan(register, record, stamp(when))
    assert difference(register, day("2026-02-01"), day("2026-03-01"))["change"].tolist() == ["dropped"]
    assert difference(register, day("2026-03-01"), day("2026-04-01"))["change"].tolist() == ["taken_up"]
    assert difference(register, day("2026-02-01"), day("2026-04-01")).empty


def test_a_reason_is_told_with_the_state(lived: Register) -> None:
    change(lived, "2026-05-01", "ZZ000001", state="受阻", state_reason="业主阻挠")
    table = difference(lived, day("2026-04-30"), day("2026-05-01"))
    assert table["words"].tolist() == ["具备条件→受阻(业主阻挠)"]


def test_days_in_the_wrong_order_and_unknown_snapshots_are_named(lived: Register) -> None:
    with pytest.raises(RegisterError, match="晚于"):
        difference(lived, day("2026-04-01"), day("2026-03-01"))
    with pytest.raises(RegisterError, match="没有这个名称的快照"):
        state_on(lived, "上半年")


# snapshots


def test_a_snapshot_notes_counts_and_is_a_day_by_name(lived: Register) -> None:
    take_snapshot(lived, "一季度", day("2026-03-31"), stamp("2026-04-02"))
    row = read_rows(lived, "snapshots").iloc[0]
    assert row["counts"] == "共 3 处:储备 2、具备条件 1"
    assert row["last_event"] == read_events(lived)["seq"].max() - 1
    assert len(state_on(lived, "一季度")) == 3
    assert difference(lived, "一季度", day("2026-04-01"))["change"].nunique() == 5
    assert snapshot_sentences(lived, ["一季度"]) == ()
    assert late_entries(lived, "一季度").empty


def test_later_changes_do_not_touch_a_snapshot(lived: Register) -> None:
    take_snapshot(lived, "一季度", day("2026-03-31"), stamp("2026-04-02"))
    change(lived, "2026-05-01", "ZZ000002", state="具备条件")
    assert snapshot_sentences(lived, ["一季度"]) == ()


def test_an_entry_about_the_time_before_is_told(lived: Register) -> None:
    take_snapshot(lived, "一季度", day("2026-03-31"), stamp("2026-04-02"))
    with writing(lived, stamp("2026-05-01")) as transaction:
        edit_rows(transaction, "sites", {"ZZ000002": {"state": "具备条件", "event_day": day("2026-03-20")}})
    assert late_entries(lived, "一季度")["row_id"].unique().tolist() == ["ZZ000002"]
    (line,) = snapshot_sentences(lived, ["一季度"])
    assert line.startswith("快照“一季度”(2026-03-31)的内容与存入时不同:存快照后补登了")
    assert "涉及站址 1 处" in line
    assert state_on(lived, "一季度")["state"].tolist() == ["ready", "ready", "reserve"]


def built(register: Register, row_id: str, when: str) -> None:
    """A site that goes on through all states in April and May."""
    for number, state in enumerate(("具备条件", "已批准", "在建"), start=2):
        change(register, f"2026-04-{number:02d}", row_id, state=state)
    change(register, "2026-05-20", row_id, state="已开通", on_air_on=day(when))


def test_a_site_on_air_counts_from_its_own_day_though_it_was_entered_later(lived: Register) -> None:
    built(lived, "ZZ000002", "2026-05-10")
    told = {when: state_on(lived, day(when)).loc["ZZ000002", ["state", "state_on", "on_air_on"]].tolist() for when in (
        "2026-05-09", "2026-05-10", "2026-05-20")}
    assert told["2026-05-09"][0] == "building"
    assert pd.isna(told["2026-05-09"][2])
    assert told["2026-05-10"] == ["on_air", pd.Timestamp("2026-05-10"), pd.Timestamp("2026-05-10")]
    assert told["2026-05-20"][::2] == ["on_air", pd.Timestamp("2026-05-10")]
    changes = difference(lived, day("2026-05-09"), day("2026-05-10"))
    assert changes["words"].tolist() == ["在建→已开通"]


def test_what_was_withdrawn_by_a_day_is_not_on_air_that_day(lived: Register) -> None:
    change(lived, "2026-04-10", "ZZ000002", why="业主收回", state="已撤销", state_reason="业主收回")
    with writing(lived, stamp("2026-05-20", "补记旧站")) as transaction:
        edit_rows(transaction, "sites", {"ZZ000002": {"on_air_on": day("2026-04-05")}})
    assert state_on(lived, day("2026-04-30")).loc["ZZ000002", "state"] == "withdrawn"


def test_a_late_day_of_going_on_air_is_told_of_a_snapshot(lived: Register) -> None:
    for number, state in enumerate(("具备条件", "已批准", "在建"), start=2):
        change(lived, f"2026-04-{number:02d}", "ZZ000002", state=state)
    take_snapshot(lived, "五月中", day("2026-05-15"), stamp("2026-05-16"))
    change(lived, "2026-05-20", "ZZ000002", state="已开通", on_air_on=day("2026-05-10"))
    assert late_entries(lived, "五月中")[["row_id", "field", "new"]].to_numpy().tolist() == [
        ["ZZ000002", "on_air_on", "2026-05-10"]]
    (line,) = snapshot_sentences(lived, ["五月中"])
    assert "补登了 1 条,涉及站址 1 处" in line


def test_a_correction_of_the_time_before_is_told(lived: Register) -> None:
    take_snapshot(lived, "一季度", day("2026-03-31"), stamp("2026-04-02"))
    seq = int(read_events(lived, table="sites", row_id="ZZ000001", field="state")["seq"].iloc[0])
    with writing(lived, stamp("2026-05-01", "登记错误")) as transaction:
        correct_event(transaction, seq, value="reserve")
    assert len(snapshot_sentences(lived, ["一季度"])) == 1
    assert state_on(lived, "一季度")["state"].tolist() == ["reserve"] * 3


def test_snapshots_that_cannot_be_taken(lived: Register) -> None:
    take_snapshot(lived, "一季度", day("2026-03-31"), stamp("2026-04-02"))
    for name, when, field in (("一季度", "2026-04-02", "name"), ("", "2026-04-02", "name"), ("未来", "2026-07-01", "day")):
        with pytest.raises(RegisterError) as caught:
            take_snapshot(lived, name, day(when), stamp("2026-04-03"))
        assert {problem.field for problem in caught.value.problems} == {field}
    assert len(read_rows(lived, "snapshots")) == 1


def test_tables_compare_without_a_store() -> None:
    usual = {"name": "甲", "county": "", "town": "", "state": "reserve", "state_reason": None, "in_plan": True,
             "phase_year": None, "capex_yuan": None}
    table = gpd.GeoDataFrame(pd.DataFrame([usual], index=["ZZ000001"]).astype(
        {"phase_year": float, "capex_yuan": float, "in_plan": "boolean"}), geometry=[None], crs=4547)
    dated = table.assign(phase_year=2026.0)
    assert compare_sites(table, table).empty
    assert compare_sites(table, dated)["words"].tolist() == ["未定→2026 年度"]
