"""Rows of a register: added, changed, corrected; problems of every row told once; the same in both stores."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import shapely

from siteplan.errors import RegisterError
from siteplan.register import (
    Register,
    add_rows,
    check_seals,
    correct_event,
    edit_rows,
    open_register,
    read_events,
    read_rows,
    writing,
)
from siteplan.register.rules.site_states import state_faults
from tests.registers import day, stamp


def add_site(register: Register, on: str = "2026-02-01", **values: Any) -> str:
    with writing(register, stamp(on)) as transaction:
        (site,) = add_rows(transaction, "sites", [{"name": "锦溪小学", "state": "储备", **values}])
    return site


def edit(register: Register, site: str, on: str, why: str = "", **values: Any) -> int:
    with writing(register, stamp(on, why)) as transaction:
        return edit_rows(transaction, "sites", {site: values})


def faults(register: Register, rows: list[dict[str, Any]], table: str = "sites") -> list[tuple[str, str]]:
    with pytest.raises(RegisterError) as caught, writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, table, rows)
    return [(problem.row, problem.field) for problem in caught.value.problems]


def test_a_row_keeps_its_id_and_its_history(register: Register) -> None:
    site = add_site(register)
    with writing(register, stamp("2026-03-01", "手续齐全")) as transaction:
        assert edit_rows(transaction, "sites", {site: {"state": "具备条件", "name": "锦溪小学"}}) == 1
    assert read_rows(register, "sites").loc[site, "state"] == "ready"
    assert read_rows(register, "sites", day("2026-02-28")).loc[site, "state"] == "reserve"
    assert not len(read_rows(register, "sites", day("2026-01-31")))
    log = read_events(register, table="sites", row_id=site, field="state")
    assert log[["old", "new", "author", "why"]].to_numpy().tolist() == [["reserve", "ready", "测试员", "手续齐全"]]
    assert check_seals(register) == ()


def test_every_problem_of_every_row_is_told_once_and_nothing_is_kept(register: Register) -> None:
    assert faults(register, [{"name": "甲", "state": "储备"}, {"name": "", "state": "飞行"},
                             {"name": "乙", "state": "储备", "department": "教育局"}]) == [
        ("ZZ000002", "state"), ("ZZ000002", "name"), ("ZZ000003", "department")]
    assert not len(read_rows(register, "sites"))


def test_a_problem_names_the_row_where_it_was_read(register: Register) -> None:
    with pytest.raises(RegisterError) as caught, writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", [{"name": "甲", "state": "?", "source_file": "清单.xlsx", "source_row": 7}])
    (problem,) = caught.value.problems
    assert (problem.file, problem.row, problem.field) == ("清单.xlsx", "7", "state")


def test_ids_of_rows_that_were_not_kept_are_given_again_others_never(register: Register) -> None:
    faults(register, [{"name": "甲", "state": "?"}])
    assert add_site(register) == "ZZ000001"
    with register.engine.begin() as connection:  # as another program would
        connection.exec_driver_sql(f"DELETE FROM {_named(register, 'sites')}")
        connection.exec_driver_sql(f"DELETE FROM {_named(register, 'register_counters')}")
    assert add_site(register) == "ZZ000002"


def _named(register: Register, table: str) -> str:
    return f'"{register.place.schema}"."{table}"' if register.place.schema else f'"{table}"'


def test_a_row_may_be_added_and_changed_twice_in_one_transaction(register: Register) -> None:
    with writing(register, stamp("2026-02-01")) as transaction:
        (site,) = add_rows(transaction, "sites", [{"name": "甲", "state": "储备"}])
        assert edit_rows(transaction, "sites", {site: {"name": "乙"}}) == 1
        assert edit_rows(transaction, "sites", {site: {"name": "丙", "state": "具备条件"}}) == 1
        assert edit_rows(transaction, "sites", {site: {"name": "丙"}}) == 0
    log = read_events(register, table="sites", row_id=site)
    assert log["field"].tolist() == ["*", "name", "name", "state"]
    assert log["old"].tolist()[1:] == ["甲", "乙", "reserve"]
    assert log["change"].tolist() == [17, 18, 19, 19], "events of one change belong together; 16 others came first"
    assert check_seals(register) == ()


def test_a_change_earlier_than_the_last_one_or_than_the_row_is_told(register: Register) -> None:
    site = add_site(register)
    edit(register, site, "2026-05-01", name="乙")
    with pytest.raises(RegisterError, match="早于它"):
        edit(register, site, "2026-04-30", name="丙")
    with pytest.raises(RegisterError, match="早于这一行的登记日") as caught:
        edit(register, site, "2026-06-01", town="云岭镇", event_day=day("2026-01-31"))
    assert [problem.field for problem in caught.value.problems] == ["event_day"]
    edit(register, site, "2026-04-30", town="云岭镇")
    with writing(register, stamp("2026-06-01")) as transaction:
        edit_rows(transaction, "sites", {site: {"name": "丁"}})
        edit_rows(transaction, "sites", {site: {"name": "戊", "event_day": "2026-05-31"}})
        assert [problem.field for problem in transaction.problems] == ["name"], "the log of the same transaction counts"
        transaction.problems.clear()


def test_an_organisation_may_be_given_by_a_short_name_that_it_alone_has(register: Register) -> None:
    with writing(register, stamp("2026-01-10")) as transaction:
        names = read_rows(register, "organisations", connection=transaction.connection)["name"]
        edit_rows(transaction, "organisations", {
            row_id: {"words": words} for row_id, name in names.items()
            if (words := {"教育和体育局": "教体局|教育局", "移动溪口分公司": "移动|运营商", "电信溪口分公司": "电信|运营商"}.get(name))})
    site = add_site(register, department="教育局", enterprise="移动")
    assert read_rows(register, "sites").loc[site, ["department", "enterprise"]].tolist() == ["教育和体育局", "移动溪口分公司"]
    with pytest.raises(RegisterError, match="移动溪口分公司、电信溪口分公司共有的简称"):
        add_site(register, enterprise="运营商")
    with pytest.raises(RegisterError, match="是不是 教育和体育局"):
        add_site(register, department="教育体育局")
    with writing(register, stamp("2026-02-01")) as transaction:
        (task,) = add_rows(transaction, "tasks", [{
            "title": "开放场所", "organisation": "交通运输局", "partners": "教体局|自然资源局|教育和体育局", "state": "办理中",
            "issued_on": "2026-02-01", "due_on": "2026-03-01"}])
    assert read_rows(register, "tasks").loc[task, "partners"] == "教育和体育局|自然资源局"


def test_fields_of_many_values_keep_their_order_each_value_once(register: Register) -> None:
    site = add_site(register, bands=["n78", "n28", "n78"], networks=" 移动 |电信||移动")
    assert read_rows(register, "sites").loc[site, ["bands", "networks"]].tolist() == ["n78|n28", "移动|电信"]


def test_a_natural_key_stands_once(register: Register) -> None:
    work = {"work_no": "G1", "name": "开挖", "kind": "道路开挖"}
    assert faults(register, [work, work], "works") == [("GC000002", "work_no")]
    with writing(register, stamp("2026-02-01")) as transaction:
        _, other = add_rows(transaction, "works", [work, work | {"work_no": "G2"}])
    with pytest.raises(RegisterError, match="已登记"), writing(register, stamp("2026-02-02")) as transaction:
        edit_rows(transaction, "works", {other: {"work_no": "G1"}})


def test_correcting_the_day_of_a_state_corrects_the_days_that_followed_from_it(register: Register) -> None:
    site = add_site(register, state="建设中")
    edit(register, site, "2026-07-02", state="已开通", note="验收")
    event = int(read_events(register, row_id=site, field="state")["seq"].iloc[-1])
    with writing(register, stamp("2026-07-10", "单据日期是 6 月 30 日")) as transaction:
        correct_event(transaction, event, day=day("2026-06-30"))
    row = read_rows(register, "sites").loc[site]
    assert [row[name].date() for name in ("state_on", "on_air_on", "started_on")] == [
        day("2026-06-30"), day("2026-06-30"), day("2026-02-01")]
    at_cut_off = read_rows(register, "sites", day("2026-06-30")).loc[site]
    assert at_cut_off["state"] == "on_air"
    assert at_cut_off["on_air_on"].date() == day("2026-06-30")
    assert at_cut_off["note"] != "验收", "a note is no consequence of a state"
    log = read_events(register, row_id=site, with_void=True)
    last = log[log["seq"] > event + 3]
    assert sorted(last["field"]) == ["on_air_on", "state", "state_on"]
    assert last["change"].nunique() == 1
    assert check_seals(register) == ()


def test_correcting_a_state_itself_undoes_what_followed_from_it(register: Register) -> None:
    site = add_site(register, state="已批准")
    edit(register, site, "2026-05-01", state="建设中")
    event = int(read_events(register, row_id=site, field="state")["seq"].iloc[-1])
    with writing(register, stamp("2026-05-03", "误填")) as transaction:
        edit_rows(transaction, "sites", {site: {"state_reason": "业主反对"}})
        correct_event(transaction, event, "受阻")
    row = read_rows(register, "sites").loc[site]
    assert (row["state"], row["blocked_from"]) == ("blocked", "approved")
    assert row[["started_on"]].isna().all()
    assert check_seals(register) == ()


def test_a_day_changed_since_is_left_alone_by_a_correction(register: Register) -> None:
    site = add_site(register, state="建设中")
    edit(register, site, "2026-07-02", state="已开通")
    edit(register, site, "2026-07-05", on_air_on="2026-07-01")
    event = int(read_events(register, row_id=site, field="state")["seq"].iloc[-1])
    with writing(register, stamp("2026-07-10", "误")) as transaction:
        correct_event(transaction, event, day=day("2026-06-30"))
    row = read_rows(register, "sites").loc[site]
    assert (row["state_on"].date(), row["on_air_on"].date()) == (day("2026-06-30"), day("2026-07-01"))


def test_a_correction_that_cannot_be_is_told(register: Register) -> None:
    site = add_site(register)
    edit(register, site, "2026-03-01", state="具备条件")
    edit(register, site, "2026-04-01", state="已批准")
    log = read_events(register, row_id=site)
    first, last = log.loc[log["field"] == "state", "seq"].astype(int)
    came = int(log["seq"].iloc[0])
    for why, arguments, words in (
            ("", {"seq": last, "day": day("2026-04-05")}, "没有写原因"),
            ("误", {"seq": came, "day": day("2026-03-05")}, "登记本身"),
            ("误", {"seq": 999}, "没有这一条变更"), ("误", {"seq": first, "day": day("2026-03-05")}, "不是这个字段的最后一条"),
            ("误", {"seq": last, "value": "已批准"}, "相同"), ("误", {"seq": last, "day": day("2026-02-28")}, "早于前一条变更"),
            ("误", {"seq": last, "day": day("2026-01-28")}, "早于这一行的登记日"),
            ("误", {"seq": last, "value": "飞行"}, "不是可用的取值"), ("误", {"seq": last, "value": "已开通"}, "不能从"),
            ("误", {"seq": last, "value": ""}, "状态为空")):
        with pytest.raises(RegisterError, match=words), writing(register, stamp("2026-05-01", why)) as transaction:
            correct_event(transaction, **arguments)
    assert read_rows(register, "sites").loc[site, "state"] == "approved"


HOSTILE_VALUES: dict[str, Any] = {
    "name": "“引号”'单'\"双\"\\反斜\n第二行\t😀䶮㙍𬭎", "note": "长" * 10_000, "land_m2": 0.1 + 0.2, "capex_yuan": 9_999_999_999.99,
    "gain_demand": -1.7976931348623157e308, "rank_no": 2 ** 53, "due_on": dt.date(1969, 12, 31), "is_hard": False,
    "completed_on": dt.date(2200, 12, 31), "geometry": shapely.Point(-0.0004, 2_499_999.9996)}


def test_values_come_back_as_they_were_given_in_both_stores(register: Register) -> None:
    site = add_site(register, **HOSTILE_VALUES)
    place = register.place
    again = open_register(place.path or f"{place.url.replace('+psycopg', '')}&schema={place.schema}")
    for source in (register, again):
        row = read_rows(source, "sites").loc[site]
        for name, value in HOSTILE_VALUES.items():
            found = row[name].date() if isinstance(value, dt.date) else row[name]
            assert found == (shapely.Point(0, 2_500_000) if name == "geometry" else value), name
    assert check_seals(again) == ()
    assert edit(register, site, "2026-03-01", **HOSTILE_VALUES) == 0, "the same values are no change"


UNTAKEN: list[tuple[str, Any]] = [
    ("name", "零\x00"), ("name", "\ud800"), ("note", "长" * 10_001), ("rank_no", 2 ** 53 + 2),
    ("rank_no", 1.5), ("rank_no", "x"),
    ("land_m2", float("inf")), ("due_on", "2026-02-30"), ("due_on", "1026-02-03"), ("is_hard", 2), ("name", ["甲"]),
    ("geometry", shapely.LineString([(0, 0), (1, 1)])), ("geometry", shapely.Point(float("nan"), 1)),
    ("geometry", shapely.Point(1e9, 1)), ("geometry", "POINT (1 2)"), ("event_day", "昨天"), ("venue_id", "CS000001")]


def test_every_value_that_cannot_be_taken_is_told(register: Register) -> None:
    rows = [{"name": "甲", "state": "储备", name: value} for name, value in UNTAKEN]
    assert faults(register, rows) == [(f"ZZ{number:06d}", name) for number, (name, _) in enumerate(UNTAKEN, 1)]


@pytest.mark.parametrize(("reason", "why", "faults"), [
    ("拆迁", "", 0), ("业主阻挠", "", 1), ("业主阻挠", "不再建设", 0), (None, "不再建设", 1)])
def test_a_blocked_site_is_withdrawn_with_one_reason_of_its_own(reason: str | None, why: str, faults: int) -> None:
    """The reason of the block is none for the withdrawal; a new one in its field is enough."""
    before = {"state": "blocked", "state_reason": "业主阻挠", "blocked_from": "ready"}
    assert len(list(state_faults(before, {"state": "withdrawn", "state_reason": reason}, why))) == faults
