"""A new plan in the register: what is added, kept, moved, dropped, taken up again; what the office wrote stands."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from siteplan.register import Register, add_rows, check_seals, edit_rows, read_events, read_rows, writing
from siteplan.register.sync import sync_plan
from tests.registers import stamp
from tests.sync_plans import X0, Y0, at, plan, site, venue


def one(register: Register, table: str = "sites", **wanted: Any) -> pd.Series:
    """The row with these values."""
    rows = read_rows(register, table)
    for name, value in wanted.items():
        rows = rows[(rows[name] == value).fillna(False)]
    assert len(rows) == 1
    return rows.iloc[0]


def edit(register: Register, when: str, row_id: str, why: str = "", table: str = "sites", **values: Any) -> None:
    with writing(register, stamp(when, why)) as transaction:
        edit_rows(transaction, table, {row_id: values})


def go(register: Register, row_id: str, *states: str) -> None:
    """Bring a site through its states, one a month from February on."""
    for month, state in enumerate(states, 2):
        edit(register, f"2026-{month:02d}-10", row_id, "按进度", state=state)


FIRST = plan({"S1": site(0), "S2": site(100, venue="V-1", mount="落地塔", rank_no=2), "S3": site(200, rank_no=3)},
             {"V-1": venue(100), "V-2": venue(5000, is_chosen=False)}, {"S1": 50.0})


def test_a_first_plan_fills_the_reserve(register: Register) -> None:
    found = sync_plan(register, FIRST, stamp("2026-02-01"))
    assert found.counts() == {
        "added": 3, "kept": 0, "moved": 0, "taken_up": 0, "dropped": 0, "committed": 0, "withdrawn": 0}
    sites, plans = read_rows(register, "sites"), read_rows(register, "plans")
    assert sites["study_id"].tolist() == ["S1", "S2", "S3"]
    assert set(sites["state"]) == {"reserve"}
    assert sites[["first_year", "phase_year", "plan_year"]].to_numpy().tolist() == [[2026.0] * 3] * 3
    assert sites[["kind", "build", "origin"]].to_numpy().tolist() == [["macro", "new", "plan"]] * 3
    assert sites["in_plan"].all()
    assert set(sites["plan_id"]) == set(plans.index)
    assert plans[["name", "version", "sites", "first_year", "last_year"]].to_numpy().tolist() == [
        ["溪口市规划", "v1", 3.0, 2026.0, 2028.0]]
    venues = read_rows(register, "venues")
    assert venues["is_chosen"].tolist() == [True, False]
    assert sites["venue_id"].fillna("").tolist() == ["", venues.index[0], ""]
    links = read_rows(register, "links")
    assert links[["site_id", "length_m", "is_current"]].to_numpy().tolist() == [[sites.index[0], 50.0, True]]
    assert check_seals(register) == ()


def test_the_same_plan_again_changes_nothing(register: Register) -> None:
    sync_plan(register, FIRST, stamp("2026-02-01"))
    before = read_events(register)
    again = sync_plan(register, FIRST, stamp("2026-03-01"))
    assert again.is_same
    assert again.sentences() == ("规划“溪口市规划”与储备库中的相同,没有改动。",)
    assert len(read_events(register)) == len(before)
    assert len(read_rows(register, "plans")) == 1


def test_a_new_version_of_an_equal_plan_is_another_plan(register: Register) -> None:
    sync_plan(register, FIRST, stamp("2026-02-01"))
    found = sync_plan(register, dataclasses.replace(FIRST, version="v2"), stamp("2026-03-01"))
    assert not found.is_same
    assert (found.counts()["kept"], found.counts()["moved"]) == (3, 0)
    assert set(read_rows(register, "sites")["plan_id"]) == {found.plan_id}


SECOND = plan({"S1": site(5, gain_demand=650.0), "T2": site(103, venue="V-1", mount="落地塔"),
               "S9": site(900, county="溪东县")}, {"V-1": venue(100)}, {"S1": 50.0}, version="v2")


def test_a_second_plan_keeps_ids_and_tells_what_became_of_each_site(register: Register) -> None:
    """S1 moved 5 m; S2 is T2 now, known by its venue, and 3 m off; S3 is gone; S9 is new."""
    sync_plan(register, FIRST, stamp("2026-02-01"))
    found = sync_plan(register, SECOND, stamp("2026-03-01"))
    assert {name: list(table["study_id"]) for name, table in found.tables.items()} == {
        "added": ["S9"], "kept": ["S1", "T2"], "moved": ["S1", "T2"], "taken_up": [], "dropped": ["S3"],
        "committed": [], "withdrawn": []}
    assert found.moved["distance_m"].tolist() == [5.0, 3.0]
    assert found.kept["how"].tolist() == ["编号相同", "场所相同"]
    sites = read_rows(register, "sites")
    assert sites.index.tolist() == ["ZZ000001", "ZZ000002", "ZZ000003", "ZZ000004"]
    assert sites["study_id"].tolist() == ["S1", "T2", "S3", "S9"]
    assert sites["former_ids"].fillna("").tolist() == ["", "S2", "", ""]
    assert sites["in_plan"].tolist() == [True, True, False, True]
    assert set(sites["state"]) == {"reserve"}
    assert sites.geometry.x.tolist() == [X0 + 5.0, X0 + 103.0, X0 + 200.0, X0 + 900.0]
    assert sites.loc["ZZ000001", "gain_demand"] == 650.0
    assert not read_rows(register, "venues")["is_chosen"].iloc[1], "V-2 is not in the new plan"
    links = read_rows(register, "links")
    assert links["is_current"].tolist() == [False, True]
    log = read_events(register, table="sites", row_id="ZZ000001", field="gain_demand")
    assert log[["old", "new", "author", "why"]].to_numpy().tolist() == [["500.0", "650.0", "测试员", "并入规划“溪口市规划”"]]


def test_the_first_plan_again_takes_up_what_was_dropped(register: Register) -> None:
    for number, record in enumerate((FIRST, SECOND, FIRST), 2):
        found = sync_plan(register, record, stamp(f"2026-{number:02d}-01"))
    assert found.taken_up["study_id"].tolist() == ["S3"]
    assert found.dropped["study_id"].tolist() == ["S9"]
    sites = read_rows(register, "sites")
    assert sites["study_id"].tolist() == ["S1", "S2", "S3", "S9"]
    assert sites.loc["ZZ000002", "former_ids"] == "T2"
    assert len(read_rows(register, "plans")) == 3
    assert [line.split(":")[0] for line in found.sentences()] == [
        "规划“溪口市规划”已并入储备库(GH000003)", "位置不同 2 处", "未再列入 1 处"]


def test_less_than_a_metre_is_no_move(register: Register) -> None:
    sync_plan(register, FIRST, stamp("2026-02-01"))
    near = plan({"S1": site(0, 1.0), "S2": site(100, venue="V-1", mount="落地塔", rank_no=2),
                 "S3": site(201.5, rank_no=3)}, {"V-1": venue(100, 0.9)}, version="v2")
    found = sync_plan(register, near, stamp("2026-03-01"))
    assert found.moved["study_id"].tolist() == ["S3"]
    assert read_rows(register, "sites").geometry.y.iloc[0] == Y0


# what the office owns


def test_progress_and_status_of_a_site_are_never_a_plan_s(register: Register) -> None:
    sync_plan(register, FIRST, stamp("2026-02-01"))
    own = {"procedures": "办理中", "land": "绿色通道办理中", "due_on": "2026-12-31", "enterprise": "铁塔溪口分公司", "note": "注意"}
    edit(register, "2026-02-05", "ZZ000001", **own)
    sync_plan(register, SECOND, stamp("2026-03-01"))
    row = read_rows(register, "sites").loc["ZZ000001"]
    assert row[["procedures", "land", "enterprise", "note"]].tolist() == ["underway", "green", "铁塔溪口分公司", "注意"]
    assert row["due_on"] == pd.Timestamp("2026-12-31")


def test_a_fact_that_the_office_corrected_stands_and_is_told(register: Register) -> None:
    sync_plan(register, FIRST, stamp("2026-02-01"))
    edit(register, "2026-02-05", "ZZ000001", "现场核实", owner="业主乙", geometry=at(2))
    found = sync_plan(register, plan({"S1": site(5, owner="业主丙")}, version="v2"), stamp("2026-03-01"))
    row = one(register, study_id="S1")
    assert (row["owner"], row.geometry.x) == ("业主乙", X0 + 2.0)
    assert found.held[["id", "field", "kept", "planned"]].to_numpy().tolist() == [
        ["ZZ000001", "owner", "业主乙", "业主丙"],
        ["ZZ000001", "geometry", f"POINT ({X0 + 2:.0f} {Y0:.0f})", f"POINT ({X0 + 5:.0f} {Y0:.0f})"]]
    assert found.moved["why"].tolist() == ["相距 3.0 米,储备库位置不变(办公室登记的取值)"]


def test_a_fact_is_the_plan_s_again_after_a_plan_has_set_it(register: Register) -> None:
    """The office emptied the owner; the plan fills it in, and the next plan may change it."""
    sync_plan(register, FIRST, stamp("2026-02-01"))
    edit(register, "2026-02-05", "ZZ000001", owner=None)
    for number, owner in enumerate(("业主乙", "业主丙"), 3):
        sync_plan(register, plan({"S1": site(0, owner=owner)}, version=owner), stamp(f"2026-{number:02d}-01"))
        assert one(register, study_id="S1")["owner"] == owner


@pytest.mark.parametrize("states", [("ready", "approved"), ("ready", "approved", "building"),
                                    ("ready", "approved", "building", "on_air")])
def test_an_approved_site_keeps_its_facts_and_stays(register: Register, states: tuple[str, ...]) -> None:
    sync_plan(register, FIRST, stamp("2026-02-01"))
    go(register, "ZZ000001", *states)
    moved = plan({"S1": site(30, antenna_height_m=30.0, build_year=2027, rank_no=7), "S3": site(200)}, version="v2")
    found = sync_plan(register, moved, stamp("2026-07-01"))
    row = read_rows(register, "sites").loc["ZZ000001"]
    assert row[["antenna_height_m", "phase_year", "plan_year", "rank_no"]].tolist() == [25.0, 2026.0, 2027.0, 7.0]
    assert row.geometry.x == X0
    assert sorted(found.held["field"]) == ["antenna_height_m", "geometry", "name", "phase_year"]
    found = sync_plan(register, plan({"S3": site(200)}, version="v3"), stamp("2026-08-01"))
    assert found.committed.index.tolist() == ["ZZ000001"]
    row = read_rows(register, "sites").loc["ZZ000001"]
    assert (row["in_plan"], row["state"]) == (True, states[-1])
    assert one(register, "links", site_id="ZZ000001")["is_current"], "its link stays"


def test_a_site_blocked_after_its_approval_is_committed(register: Register) -> None:
    sync_plan(register, FIRST, stamp("2026-02-01"))
    go(register, "ZZ000001", "ready", "approved")
    edit(register, "2026-05-01", "ZZ000001", state="blocked", state_reason="业主阻挠")
    edit(register, "2026-05-01", "ZZ000003", state="blocked", state_reason="征地")
    found = sync_plan(register, plan({"S2": site(100)}, version="v2"), stamp("2026-06-01"))
    assert found.committed.index.tolist() == ["ZZ000001"]
    assert found.dropped.index.tolist() == ["ZZ000003"]


def test_a_withdrawn_site_stays_withdrawn_and_is_told(register: Register) -> None:
    sync_plan(register, FIRST, stamp("2026-02-01"))
    edit(register, "2026-02-10", "ZZ000001", state="withdrawn", state_reason="拆迁")
    found = sync_plan(register, plan({"N1": site(3), "S3": site(200)}, version="v2"), stamp("2026-03-01"))
    assert found.withdrawn.index.tolist() == ["ZZ000001"]
    assert not len(found.added)
    row = read_rows(register, "sites").loc["ZZ000001"]
    assert (row["state"], row["study_id"], row["former_ids"], row.geometry.x) == ("withdrawn", "N1", "S1", X0)
    assert "已撤销而新方案又列入 1 处" in found.sentences()[2]


def test_a_site_entered_by_hand_is_found_by_its_place(register: Register) -> None:
    with writing(register, stamp("2026-01-20")) as transaction:
        rows = [{"name": "手工站", "state": "储备", "origin": "人工登记", "geometry": at(6)},
                {"name": "别处", "state": "储备", "origin": "人工登记", "geometry": at(400)}]
        add_rows(transaction, "sites", rows)
    found = sync_plan(register, FIRST, stamp("2026-02-01"))
    row = one(register, study_id="S1")
    assert (row.name, row["name"], row["owner"], row.geometry.x) == ("ZZ000001", "手工站", "业主甲", X0 + 6.0)
    assert found.kept.loc["ZZ000001", "how"] == "位置相同"
    assert not len(found.dropped), "a site that never was in a plan is not dropped"
    assert row["origin"] == "manual"


# years


def test_a_year_follows_the_plan_only_when_the_plan_changes_it(register: Register) -> None:
    sync_plan(register, FIRST, stamp("2026-02-01"))
    edit(register, "2026-12-31", "ZZ000001", "结转", phase_year=2027)
    assert sync_plan(register, FIRST, stamp("2027-01-10")).is_same
    assert one(register, study_id="S1")["phase_year"] == 2027
    later = plan({"S1": site(0, build_year=2028)}, version="v2")
    found = sync_plan(register, later, stamp("2027-02-01"))
    assert one(register, study_id="S1")[["first_year", "phase_year", "plan_year"]].tolist() == [2026.0, 2028.0, 2028.0]
    assert found.told == ("1 处站址的计划年度先前由办公室调整过,现按新方案:站0(ZZ000001,2027→2028)。",)


# other tables


def test_indicators_come_with_each_plan(register: Register) -> None:
    table = pd.DataFrame([["county", "溪西县", "面积覆盖率", 0.4, 0.8, "预测"], ["city", "", "行政村达标率", np.nan, 0.9, "面积"]],
                         columns=["level", "area", "name", "now", "planned", "rule"])
    record = dataclasses.replace(FIRST, indicators=table)
    found = sync_plan(register, record, stamp("2026-02-01"))
    rows = read_rows(register, "indicators")
    assert rows[["plan_id", "level", "name", "planned"]].to_numpy().tolist() == [
        [found.plan_id, "county", "面积覆盖率", 0.8], [found.plan_id, "city", "行政村达标率", 0.9]]
    assert sync_plan(register, record, stamp("2026-03-01")).is_same
    assert len(read_rows(register, "indicators")) == 2


def test_a_department_that_the_register_does_not_know_is_entered_and_told(register: Register) -> None:
    record = plan({"S1": site(0, department="数据局")})
    found = sync_plan(register, record, stamp("2026-02-01"))
    row = one(register, "organisations", name="数据局")
    assert (row["kind"], row["in_group"]) == ("department", False)
    assert any("数据局" in line for line in found.told)
    assert sync_plan(register, record, stamp("2026-02-02")).is_same


def test_venues_keep_what_the_office_learnt(register: Register) -> None:
    sync_plan(register, FIRST, stamp("2026-02-01"))
    edit(register, "2026-02-05", "CS000001", table="venues", opened="光纤", owner="教育局直属学校")
    again = plan({"S1": site(0)}, {"V-9": venue(103, name="学校 100", opened="基站", owner="学校")}, version="v2")
    found = sync_plan(register, again, stamp("2026-03-01"))
    row = read_rows(register, "venues").loc["CS000001"]
    assert (row["study_id"], row["opened"], row["owner"]) == ("V-9", "光纤", "教育局直属学校")
    assert found.held["field"].tolist() == ["owner"]
    assert len(read_rows(register, "venues")) == 2


def test_a_plan_without_fibre_says_nothing_of_links(register: Register) -> None:
    sync_plan(register, FIRST, stamp("2026-02-01"))
    sync_plan(register, plan({"S1": site(0)}, version="v2"), stamp("2026-03-01"))
    assert one(register, "links", site_id="ZZ000001")["is_current"]
    sync_plan(register, plan({"S1": site(20)}, version="v3"), stamp("2026-04-01"))
    assert not one(register, "links", site_id="ZZ000001")["is_current"], "the site has moved away from its link"


def test_a_plan_in_another_crs_is_brought_over(register: Register) -> None:
    """The same places in geographic coordinates' neighbour zone: the sites stand where they stood."""
    sync_plan(register, FIRST, stamp("2026-02-01"))
    other = dataclasses.replace(FIRST, version="v2", **{
        name: getattr(FIRST, name).to_crs(4526) for name in ("sites", "venues", "links")},
        crs=FIRST.sites.to_crs(4526).crs)
    found = sync_plan(register, other, stamp("2026-03-01"))
    assert (found.counts()["kept"], found.counts()["moved"], found.counts()["added"]) == (3, 0, 0)
    assert read_rows(register, "links")["is_current"].tolist() == [True]
