"""Whistle cases and hard sites: levels by days, who did not report in, days to close; worked by hand."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from siteplan.errors import RegisterError
from siteplan.register import Register, add_rows, edit_rows, read_rows, writing
from siteplan.register.duties import (
    case_levels,
    case_sums,
    case_table,
    close_case,
    escalate,
    escalation_due,
    hard_site_table,
    leaders_of,
    mean_days_to_close,
    open_case,
    report_in,
    report_in_sums,
)
from siteplan.register.duties.cases import CaseKey
from tests.registers import day, stamp

CUT = day("2026-06-30")
ORGANISATIONS = pd.DataFrame({"name": ["市通信建设办", "市5G领导小组", "教育和体育局"], "kind": ["office", "group", "department"]})


def case(**values: Any) -> dict[str, Any]:
    return {"title": "锦溪花园物业阻挠", "kind": "whistle", "enterprise": "铁塔溪口分公司", "failed_talks": "与物业协调三次无果",
            "lead": "溪西县", "called": "住房和城乡建设局|云岭镇", "county": "溪西县", "town": "云岭镇", "opened_on": "2026-06-01",
            "level": 1, **values}


def cases(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([case(**row) for row in rows], index=[f"SX{n:06d}" for n in range(1, len(rows) + 1)])


def test_the_terms_of_the_levels_are_those_of_the_table() -> None:
    assert {number: entry["days"] for number, entry in case_levels().items()} == {1: 10, 2: 15, 3: 30}


@pytest.mark.parametrize(("row", "as_of", "wanted"), [
    ({}, "2026-06-11", ["open", 1, 10]),
    ({}, "2026-06-12", ["overdue", 1, 11]),
    ({"level": 2, "level2_on": "2026-06-12"}, "2026-06-11", ["open", 1, 10]),
    ({"level": 2, "level2_on": "2026-06-12"}, "2026-06-12", ["open", 2, 0]),
    ({"level": 2, "level2_on": "2026-06-12"}, "2026-06-28", ["overdue", 2, 16]),
    ({"level": 3, "level2_on": "2026-06-12", "level3_on": "2026-06-28"}, "2026-06-30", ["open", 3, 2]),
    ({"closed_on": "2026-06-30"}, "2026-06-30", ["closed", 1, 29]),
    ({"closed_on": "2026-07-01"}, "2026-06-30", ["overdue", 1, 29]),
])
def test_status_and_level_are_those_of_the_day(row: dict[str, Any], as_of: str, wanted: list[Any]) -> None:
    assert case_table(cases(row), day(as_of))[["status", "level", "level_days"]].iloc[0].tolist() == wanted


def test_a_case_that_opens_after_the_day_is_not_there() -> None:
    assert len(case_table(cases({"opened_on": "2026-07-01"}), CUT)) == 0


def test_who_was_called_and_did_not_come_is_named_after_three_days() -> None:
    row = {"reported": "云岭镇", "reported_on": "2026-06-03"}
    on_term, after = (case_table(cases(row), day(text)).iloc[0] for text in ("2026-06-04", "2026-06-05"))
    assert [on_term["to_report"], on_term["not_reported"], on_term["light"]] == ["住房和城乡建设局", "", "green"]
    assert [after["to_report"], after["not_reported"], after["light"]] == ["住房和城乡建设局", "住房和城乡建设局", "yellow"]
    assert math.isnan(after["days_to_report"])
    both = case_table(cases({"reported": "云岭镇|住房和城乡建设局", "reported_on": "2026-06-08"}), day("2026-06-10")).iloc[0]
    assert both["days_to_report"] == 7.0


def test_reports_are_added_up_for_each_organisation_that_was_called() -> None:
    rows = cases({"reported": "云岭镇", "reported_on": "2026-06-02"}, {"opened_on": "2026-06-28"},
                 {"reported": "云岭镇", "reported_on": "2026-06-02", "closed_on": "2026-06-03", "outcome": "solved"})
    table = report_in_sums(rows, CUT)
    assert table.loc["云岭镇", ["called", "reported", "waiting", "missed", "rate"]].tolist() == [3, 2, 1, 0, 1.0]
    assert table.loc["住房和城乡建设局", ["called", "reported", "waiting", "missed", "rate", "cases"]].tolist() == [
        3, 0, 1, 2, 0.0, "SX000001|SX000003"]


def test_the_mean_of_the_days_to_close_is_exact_and_nothing_where_none_is_closed() -> None:
    """11 days, 20 days and 2 days: mean 11; the one closed on 07-01 does not count on 06-30."""
    rows = cases({"closed_on": "2026-06-12"}, {"opened_on": "2026-06-10", "closed_on": "2026-06-30"},
                 {"opened_on": "2026-06-29", "closed_on": "2026-07-01"}, {"county": "溪东县"})
    assert mean_days_to_close(rows, CUT) == 15.5
    assert mean_days_to_close(rows, day("2026-07-01")) == 11.0
    assert mean_days_to_close(rows, day("2026-07-01"), since=day("2026-07-01")) == 2.0
    sums = case_sums(rows, day("2026-07-01"), "county")
    counts = ["total", "open", "overdue", "closed", "mean_days_to_close", "max_days_to_close"]
    assert sums.loc["溪西县", counts].tolist() == [3, 0, 0, 3, 11.0, 20.0]
    assert sums.loc["溪东县", ["total", "closed", "overdue", "level1"]].tolist() == [1, 0, 1, 1]
    assert math.isnan(sums.loc["溪东县", "mean_days_to_close"])
    assert math.isnan(mean_days_to_close(rows, day("2026-06-05")))


def test_in_time_is_closed_by_the_county_within_its_days() -> None:
    rows = cases({"closed_on": "2026-06-11"}, {"closed_on": "2026-06-12"}, {"opened_on": "2026-06-25"}, {},
                 {"level": 2, "level2_on": "2026-06-05", "closed_on": "2026-06-06"})
    assert case_table(rows, CUT)["in_time"].tolist() == [True, False, pd.NA, False, False]
    sums = case_sums(rows, CUT, "county").loc["溪西县"]
    assert sums[["in_time", "decided"]].tolist() == [1, 4]


@pytest.mark.parametrize("by", ["county", "town", "kind", "enterprise", "lead", "level", "cause"])
def test_sums_add_up_by_every_key(by: CaseKey) -> None:
    rows = cases({}, {"closed_on": "2026-06-12"}, {"opened_on": "2026-06-29"}, {"county": None, "town": None},
                 {"level": 2, "level2_on": "2026-06-12"})
    sums = case_sums(rows, CUT, by)
    assert sums[["total", "open", "overdue", "closed"]].sum().tolist() == [5, 1, 3, 1]
    assert int(sums[["level1", "level2", "level3"]].to_numpy().sum()) == 4
    assert sums.index.name == by


def test_what_is_past_its_days_goes_one_level_up_and_the_highest_stays() -> None:
    rows = cases({}, {"level": 2, "level2_on": "2026-06-02"}, {"opened_on": "2026-06-20"},
                 {"level": 3, "level2_on": "2026-05-01", "level3_on": "2026-05-02", "opened_on": "2026-04-01"})
    table = escalation_due(rows, CUT, ORGANISATIONS)
    assert table[["level", "level_days", "handled_by", "next_level", "next_handled_by"]].to_numpy().tolist() == [
        [1, 29, "溪西县", 2, "市通信建设办|工业和信息化局"], [2, 28, "市通信建设办|工业和信息化局", 3, "市5G领导小组"]]
    assert leaders_of(3) == ("领导小组",)


def test_hard_sites_without_a_case_are_listed_as_well() -> None:
    rows = cases({"kind": "hard_site", "site_id": "ZZ000001", "cause": "people", "note": "已开两次协调会"},
                 {"kind": "hard_site", "site_id": "ZZ000002", "lead": None, "called": None, "closed_on": "2026-06-30",
                  "outcome": "solved"})
    sites = pd.DataFrame({"name": ["甲", "乙", "丙", "丁"], "is_hard": [True, True, True, True],
                          "state": ["blocked", "on_air", "blocked", "on_air"]},
                         index=["ZZ000001", "ZZ000002", "ZZ000003", "ZZ000004"])
    table = hard_site_table(rows, sites, CUT)
    assert table[["site_id", "cause_zh", "status", "lacks"]].to_numpy().tolist() == [
        ["ZZ000001", "群众反对", "overdue", ""], ["ZZ000002", "", "closed", "原因类别、牵头单位、办理经过"],
        ["ZZ000003", "", "none", "未立疑难站址事项"]]


# ---------------------------------------------------------------- in the register

def test_a_whistle_goes_through_the_levels_and_is_closed(register: Register) -> None:
    with writing(register, stamp("2026-06-01")) as transaction:
        case_id = open_case(transaction, {name: value for name, value in case().items()
                                          if name not in ("kind", "level", "opened_on")})
    with writing(register, stamp("2026-06-20")) as transaction:
        assert report_in(transaction, case_id, ["云岭镇"], day("2026-06-03")) == 1
        assert report_in(transaction, case_id, ["云岭镇"]) == 0
        assert escalate(transaction, case_id, day("2026-06-12")) == 2
        report_in(transaction, case_id, ["住房和城乡建设局"], day("2026-06-15"))
    with writing(register, stamp("2026-07-02")) as transaction:
        assert escalate(transaction, case_id, day("2026-06-28")) == 3
        close_case(transaction, case_id, "已解决", day("2026-07-02"), "领导小组协调后物业同意")
    then = case_table(read_rows(register, "cases", CUT), CUT).loc[case_id]
    assert then[["status", "level", "to_report"]].tolist() == ["open", 3, ""]
    assert case_table(read_rows(register, "cases", day("2026-06-11")), day("2026-06-11")).loc[
        case_id, "not_reported"] == "住房和城乡建设局"
    end = case_table(read_rows(register, "cases"), day("2026-07-02")).loc[case_id]
    assert end[["status", "days_to_close", "outcome_zh", "days_to_report"]].tolist() == ["closed", 31.0, "已解决", 14.0]


def test_who_reports_in_under_a_short_name_is_known_the_second_time(register: Register) -> None:
    with writing(register, stamp("2026-06-01")) as transaction:
        names = read_rows(register, "organisations", connection=transaction.connection)["name"]
        edit_rows(transaction, "organisations", {names.index[names == "住房和城乡建设局"][0]: {"words": "住建局"}})
        case_id = open_case(transaction, case(called="住建局"))
        report_in(transaction, case_id, ["住建局"], day("2026-06-02"))
    with writing(register, stamp("2026-06-09")) as transaction:
        assert report_in(transaction, case_id, ["住建局", "住房和城乡建设局"]) == 0
    row = read_rows(register, "cases").loc[case_id]
    assert row[["called", "reported", "reported_on"]].tolist() == ["住房和城乡建设局"] * 2 + [pd.Timestamp("2026-06-02")]


def test_what_a_case_lacks_is_named(register: Register) -> None:
    with pytest.raises(RegisterError) as caught, writing(register, stamp("2026-06-30")) as transaction:
        add_rows(transaction, "cases", [
            case(failed_talks=None, called=None), case(called="云岭镇", reported="教育和体育局", reported_on="2026-06-02"),
            case(closed_on="2026-06-20"), case(level=3, level3_on="2026-06-20"), case(level2_on="2026-06-20"),
            case(outcome="不再建设"), case(closed_on="2026-05-31", outcome="已解决"), case(reported="云岭镇")])
    assert [(problem.row[-1], problem.field) for problem in caught.value.problems] == [
        ("1", "failed_talks"), ("1", "called"), ("2", "reported"), ("3", "outcome"), ("4", "level2_on"),
        ("5", "level2_on"), ("6", "closed_on"), ("6", "note"), ("7", "closed_on"), ("8", "reported_on")]


def test_a_whistle_before_any_talks_is_refused(register: Register) -> None:
    with pytest.raises(RegisterError, match="协调无果后才吹哨"), writing(register, stamp("2026-06-30")) as transaction:
        open_case(transaction, {"title": "协调不了", "enterprise": "移动溪口分公司", "lead": "溪西县", "called": "云岭镇"})


def test_a_closed_case_is_not_escalated_nor_one_that_is_not_there(register: Register) -> None:
    with writing(register, stamp("2026-06-01")) as transaction:
        case_id = open_case(transaction, case())
        close_case(transaction, case_id, "solved", day("2026-06-01"))
    for wrong, told in ((case_id, "不能再升级"), ("SX000099", "没有编号 SX000099")):
        with pytest.raises(RegisterError, match=told), writing(register, stamp("2026-06-02")) as transaction:
            escalate(transaction, wrong)
    with pytest.raises(RegisterError, match="不在应报到单位中"), writing(register, stamp("2026-06-02")) as transaction:
        report_in(transaction, case_id, ["交通运输局"])


def test_a_solved_hard_site_is_hard_no_longer_and_others_stay_so(register: Register) -> None:
    with writing(register, stamp("2026-06-01")) as transaction:
        one, other = add_rows(transaction, "sites", [
            {"name": "甲", "state": "储备", "study_id": "V-facility:F1"}, {"name": "乙", "state": "储备"}])
        add_rows(transaction, "decisions", [{"action": "hard", "day": "2026-05-01", **place} for place in (
            {"site_id": one}, {"ref": "F1"}, {"site_id": other}, {"ref": "F9"})])
        case_id = open_case(transaction, {"kind": "hard_site", "title": "甲", "site_id": one, "cause": "people",
                                          "lead": "住房和城乡建设局"}, day("2026-06-01"))
    with writing(register, stamp("2026-06-30")) as transaction:
        close_case(transaction, case_id, "已解决", day("2026-06-20"))
    gone = read_rows(register, "decisions")["withdrawn_on"]
    assert [str(when.date()) if pd.notna(when) else "" for when in gone] == ["2026-06-20", "2026-06-20", "", ""]
