"""What a report refuses and what it warns of: rows edited by hand, days after the cut-off, late entries."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sqlite3
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import shapely
from report_city import EDUCATION, TOWER, report_city, site

from siteplan.errors import RegisterError
from siteplan.register import DAY, add_rows, edit_rows, read_rows, writing
from siteplan.register.duties import venue_stands
from siteplan.register.snapshots import take_snapshot
from siteplan.report import Pack, ReportFacts, write_report
from siteplan.report._document_facts import town_facts
from siteplan.report._people import town_rows
from siteplan.report._sentences import venue_sentences
from siteplan.report._sites import site_facts
from siteplan.report._towns import town_homes
from siteplan.report._venues import fee_rows, refusal_rows
from siteplan.report._warnings import state_warnings
from siteplan.report.facts import earlier_notes
from siteplan.report.period import period_of
from siteplan.report.reading import register_state, register_states
from siteplan.report.workbook import write_workbook
from tests.registers import stamp, toy_register

JUNE = dt.date(2026, 6, 30)


def test_a_row_that_another_program_changed_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    register = report_city(tmp_path / "r.gpkg")
    with sqlite3.connect(tmp_path / "r.gpkg") as other:
        other.execute("UPDATE tasks SET done_on = '2026-06-01' WHERE id = 'RW000003'")
        other.execute("DELETE FROM fees")
    other.close()
    with pytest.raises(RegisterError, match="被其他程序改动过") as caught:
        write_report(register, JUNE, tmp_path / "out")
    assert [(fault.layer, fault.row) for fault in caught.value.problems] == [
        ("tasks", "RW000003"), ("fees", "SF000001")]
    assert all("siteplan register check" in fault.remedy for fault in caught.value.problems)
    assert not (tmp_path / "out").exists()


def test_several_days_are_of_one_state_and_equal_to_each_read_alone(report_register: Any) -> None:
    days = [dt.date(2026, 7, 1), JUNE, dt.date(2025, 12, 31)]
    for day, state in register_states(report_register, dict.fromkeys(days, ())).items():
        for name, table in state.tables.items():
            own = read_rows(report_register, name, day)
            pd.testing.assert_frame_equal(pd.DataFrame(table), pd.DataFrame(own), check_dtype=name != "works")


def test_a_register_whose_sites_were_all_entered_later_says_so(report_register: Any) -> None:
    (sites, tasks, quotas) = state_warnings(register_state(report_register, dt.date(2026, 1, 19)))
    assert sites.startswith("全部站址(6条)的登记日晚于截止日 2026-01-19(最早 2026-01-20),本报告不计")
    assert "--day" in sites
    assert tasks.startswith("全部任务(6条)")
    assert quotas.startswith("全部指标(1条)")
    assert state_warnings(register_state(report_register, dt.date(2026, 1, 20))) == ()


def test_what_was_entered_late_about_the_time_before_stands_above_the_changes(june_pack: Pack, tmp_path: Path,
                                                                             ) -> None:
    register = report_city(tmp_path / "r.gpkg")
    take_snapshot(register, "2026年上半年", JUNE, stamp("2026-07-02"))
    with writing(register, stamp("2026-07-05")) as t:
        edit_rows(t, "sites", {"ZZ000004": {"state": "blocked", "state_reason": "补登", DAY: JUNE}})
    (late,) = earlier_notes(register, register_state(register, dt.date(2026, 12, 31), ["snapshots"]), JUNE)
    assert late.startswith("快照“2026年上半年”(2026-06-30)的内容与存入时不同:存快照后补登了")
    (basis,) = june_pack.facts.notes["changes"]
    assert basis.startswith("比较基准:2025-12-31")
    facts = dataclasses.replace(june_pack.facts, notes={"changes": (basis, late)})
    book = openpyxl.load_workbook(write_workbook(facts, tmp_path / "a.xlsx"))
    assert late in [row[0] for row in book["变化"].iter_rows(values_only=True)]


def test_refused_venues_are_counted_as_in_the_scores(tmp_path: Path) -> None:
    """One asked about by its site, one agreed by its own day, one hard, one refused and hard since."""
    register = toy_register(tmp_path / "r.gpkg")
    with writing(register, stamp("2026-01-20")) as t:
        place = {"department": EDUCATION, "must_open": True, "county": "溪西县", "town": "云岭镇"}
        add_rows(t, "venues", [{"name": f"校{n}", "study_id": f"F{n}", **place,
                                "geometry": shapely.Point(500000, 3300000)}
                               for n in range(1, 5)])
        add_rows(t, "sites", [site("校1楼顶", 10, venue_id="CS000001"), site("村口", 500)])
        add_rows(t, "decisions", [
            {"action": action, "day": dt.date(2026, 2, number), "why": "无", DAY: dt.date(2026, 2, number), **where}
            for number, (action, where) in enumerate([
                ("refused", {"site_id": "ZZ000001"}), ("refused", {"venue_id": "CS000002"}),
                ("hard", {"venue_id": "CS000003"}), ("refused", {"venue_id": "CS000004"}),
                ("hard", {"venue_id": "CS000004"}), ("refused", {"site_id": "ZZ000002"})], start=1)])
        add_rows(t, "fees", [{"ref": f"F{n}", "venue_id": f"CS00000{n}", "kind": kind, "amount_yuan": 1.0,
                              "payer": TOWER, "day": dt.date(2026, 2, 10), DAY: dt.date(2026, 2, 10)}
                             for n, kind in ((1, "entry"), (2, "deposit"))])
    with writing(register, stamp("2026-03-01")) as t:
        edit_rows(t, "venues", {"CS000002": {"agreed_on": dt.date(2026, 3, 1)}})
    held = register_state(register, JUNE, ["venues", "decisions", "sites", "fees"]).tables
    stands = venue_stands(held["venues"], held["decisions"], JUNE, held["sites"])
    found = refusal_rows(held["decisions"], held["venues"], held["sites"], period_of(JUNE))
    assert found[["ref", "action"]].to_numpy().tolist() == [
        ["CS000001", "refused"], ["CS000003", "hard"], ["CS000004", "refused"], ["ZZ000002", "refused"]]
    assert set(found["ref"][found["action"] == "refused"]) - {"ZZ000002"} == set(stands.index[stands == "refused"])
    fees = fee_rows(held["fees"], held["venues"], held["sites"], period_of(JUNE))
    assert fees[["name", "verdict_zh"]].to_numpy().tolist() == [["校1", "违规"], ["校2", ""]]


def test_the_report_says_how_many_fees_are_violations(june_pack: Pack) -> None:
    assert june_pack.facts.numbers["fees_wrong"] == 1
    assert "未办结1件，其中初判违规1件。" in venue_sentences(june_pack.facts)[0]


def test_two_towns_of_one_name_are_two_rows_and_two_sheets(june_pack: Pack) -> None:
    facts: ReportFacts = june_pack.facts
    towns = facts.tables["towns"]
    here = towns[towns["name"] == "云岭镇"].set_index("county")
    assert here["sites"].to_dict() == {"溪东县": 2, "溪西县": 3}
    assert here["tasks_total"].to_dict() == {"溪东县": 0, "溪西县": 1}
    sheets = {town["county"]: town for town in town_facts(facts, "办公室")["towns"]}
    assert sorted(sheets) == ["溪东县", "溪西县"]
    assert [row["name"] for row in sheets["溪西县"]["refusals"]] == ["溪口一中"]
    assert sheets["溪东县"]["refusals"] == []
    assert {row["name"] for row in sheets["溪东县"]["sites_left"]} == {"人民医院", "东关"}


def test_a_row_without_its_county_is_in_the_one_that_has_the_town(report_register: Any) -> None:
    held = register_state(report_register, JUNE).tables
    period = period_of(JUNE)
    sites = site_facts(held["sites"].assign(county=["溪西县", None, None, None, None, None]), period)
    none = held["organisations"].iloc[:0]
    found = town_rows(town_homes([sites]), none, held["tasks"].iloc[:0], held["cases"].iloc[:0], sites, period)
    assert found[["county", "name", "sites"]].to_numpy().tolist() == [["溪西县", "云岭镇", 5], ["", "(未写)", 1]]
