"""The opening ledger on a toy town: venues, fees, refusals, hard sites, sums, the list that may be published."""

from __future__ import annotations

import dataclasses
import re
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opening_town import CRS, decisions, facilities, opening, sites

from siteplan.decisions import Decisions
from siteplan.export._opening import sheet_notes
from siteplan.input_ledger import InputLedger
from siteplan.opening import build_opening, fee_verdict, opens_in_words, public_text
from siteplan.opening._owners import is_person, reads_private
from siteplan.opening._public import NO_SECRECY_LIST, public_list
from siteplan.opening._sums import hide_in_departments
from siteplan.venues import load_venues


@pytest.fixture(scope="module")
def town():
    return opening()


def test_every_public_venue_and_every_proposed_place_has_one_row(town):
    """F6 takes no site and need not open; the unproposed pole is listed because a decision speaks of it."""
    assert sorted(town.venues.index) == ["B-building:B1", "P-pole:L1", "P-pole:L2", "V-facility:F1", "V-facility:F2",
                                         "V-facility:F3", "V-facility:F4", "V-facility:F5"]
    assert town.venues["number"].tolist() == list(range(1, 9))
    assert town.venues.crs == CRS


def test_roof_and_ground_of_a_venue_are_one_row_that_the_proposed_site_speaks_for(town):
    row = town.venues.loc["V-facility:F1"]
    assert row[["status", "site_ids", "sites", "cost_yuan"]].tolist() == ["proposed", "V-facility:F1", 1, 100_000.0]


def test_place_in_the_plan_and_state_of_the_opening_are_two_things(town):
    states = town.venues[["status", "state"]].apply(tuple, axis=1).to_dict()
    assert states == {
        "V-facility:F1": ("proposed", "fee"),      # rent asked of a state organ: to be looked into
        "V-facility:F2": ("proposed", "fee"),
        "V-facility:F3": ("refused", "agreed"),    # refused in 2024, agreed in 2025
        "V-facility:F4": ("candidate", "idle"),    # a shop may ask for money
        "V-facility:F5": ("refused", "idle"),
        "P-pole:L1": ("proposed", "asked"),
        "P-pole:L2": ("candidate", "hard"),
        "B-building:B1": ("proposed", "refused"),
    }
    assert town.venues.loc["V-facility:F3", "status_reason"] == "位于水域"


def test_duties_have_their_basis_and_nothing_else_has_one(town):
    classes = load_venues().classes
    hall, school, shop = (town.venues.loc[f"V-facility:{key}"] for key in ("F1", "F2", "F4"))
    assert hall["open_basis"] == classes["government"].source_open
    assert hall["free_basis"] == classes["government"].source_free
    assert (school["open_basis"], school["free_basis"]) == (classes["school"].source_open, "")
    assert (shop["open_basis"], shop["free_basis"]) == ("", "")


def test_what_opens(town):
    asked = town.venues["asked"]
    assert asked["V-facility:F1"] == "光纤、基站、室分 / 楼顶"
    assert asked["P-pole:L1"] == "光纤、基站 / 杆体"
    assert asked["B-building:B1"] == "光纤、基站 / 楼顶"   # need not open: no indoor system is asked for
    assert asked["V-facility:F4"] == ""
    assert town.venues.loc["V-facility:F3", "opened"] == "光纤、基站"
    assert opens_in_words("弱电间与屋面") == ("", "机房")


def test_the_later_agreement_is_told_with_the_earlier_refusal(town):
    row = town.refusals.set_index("venue_id").loc["V-facility:F3"]
    assert (bool(row["stands"]), row["stands_zh"], row["tell"]) == (False, "其后已签协议", "城市管理和综合执法局")
    assert town.venues.loc["V-facility:F3", "refusal"] == ""


def test_fees_are_violations_only_where_the_venue_must_open(town):
    told = town.fees.set_index(["id", "kind"])["verdict"].to_dict()
    banned = any("租" in word for word in load_venues().banned_fees)
    assert told == {("F1", "rent"): "violation", ("F2", "entry"): "violation",
                    ("F2", "rent"): "violation" if banned else "check", ("F4", "entry"): "negotiate",
                    ("F9", "coordination"): "check"}


@pytest.mark.parametrize("kind", ["entry", "coordination", "apportioned", "rent", "management", "other"])
def test_no_fee_is_lawful_where_opening_is_free_and_none_a_violation_where_it_need_not_open(kind):
    assert fee_verdict(kind, known=True, must_open=True, must_be_free=True) == "violation"
    assert fee_verdict(kind, known=True, must_open=False, must_be_free=False, rent_banned=True) == "negotiate"
    assert fee_verdict(kind, known=False, must_open=False, must_be_free=False) == "check"


@pytest.mark.parametrize("kind", ["utility", "deposit"])
def test_water_power_and_deposits_are_to_be_checked(kind):
    for free in (True, False):
        assert fee_verdict(kind, known=True, must_open=True, must_be_free=free, rent_banned=True) == "check"
    assert fee_verdict(kind, known=True, must_open=False, must_be_free=False) == "negotiate"
    table = opening([("F1", "收费", "水电费 300", "移动", "2026-01-20", "")]).fees
    assert table["why"].tolist() == ["据实代收的水电费、可退押金不在此列，须核实"]


@pytest.mark.parametrize("owner", ["阳光教育有限公司", "民办第一小学", "王小明", "欧阳明", "溪口市粮食集团有限公司"])
def test_a_private_owner_is_a_doubt_and_no_violation_but_no_other_duty(owner):
    rows = [("F2", "收费", "进场费 2万", "电信", "2026-01-22", "")]
    private = facilities()
    private.loc["F2", "owner"] = owner
    table = build_opening(sites(), private, decisions(rows), load_venues())
    assert "权属似为民营，应否开放、免费须核实" in table.venues.loc["V-facility:F2", "doubt"]
    assert table.venues.loc["V-facility:F2", "must_open"]
    assert table.fees[["verdict", "why"]].values.tolist() == [["check", "权属似为民营，应否开放、免费须核实"]]
    assert "民营" not in table.venues.loc["V-facility:F1", "doubt"]
    assert opening(rows).fees["verdict"].tolist() == ["violation"]


def test_companies_own_what_the_state_owns_by_companies():
    assert not any(reads_private("城投集团有限公司", kind) for kind in ("soe", "transport_hub", "water_works", "wharf"))
    assert reads_private("城投集团有限公司", "school")
    assert reads_private("王小明", "transport_hub")


def test_rent_where_opening_is_a_duty_but_not_free_goes_by_the_profile():
    open_only = {"known": True, "must_open": True, "must_be_free": False}
    assert fee_verdict("rent", **open_only) == "check"
    assert fee_verdict("rent", **open_only, rent_banned=True) == "violation"
    assert fee_verdict("apportioned", **open_only) == "violation"


def test_violations_go_to_the_market_regulator_and_the_owners_department(town):
    row = town.fees[town.fees["id"] == "F1"].iloc[0]
    assert row["tell"] == "市场监督管理局；机关事务管理局"
    assert town.fees[town.fees["verdict"] == "negotiate"]["tell"].tolist() == ["不上报"]


def test_records_of_unknown_ids_stay(town):
    row = town.fees[town.fees["id"] == "F9"].iloc[0]
    assert (row["name"], row["department"], row["payer"]) == ("F9（编号未匹配）", "(待明确)", "联通")
    assert np.isnan(row["amount_yuan"])


def test_refusals_of_unknown_ids_are_to_be_checked_and_tell_no_duty():
    row = opening([("F9", "拒绝", "业主拒绝", "甲", "2026-01-01", "x")]).refusals.iloc[0]
    assert (bool(row["stands"]), row["stands_zh"], row["must_open"]) == (False, "编号待核对", "")
    known = opening([("F1", "拒绝", "业主拒绝", "甲", "2026-01-01", "x")]).refusals.iloc[0]
    assert (bool(known["stands"]), known["stands_zh"], known["must_open"]) == (True, "有效", True)


def test_an_agreement_withdraws_a_refusal():
    rows = [("F1", "拒绝", "业主拒绝", "甲", "2026-01-01", "x"), ("F1", "同意", "", "甲", "2026-02-01", "")]
    table = opening(rows)
    assert table.refusals["stands_zh"].tolist() == ["已被其后的决定取代"]
    assert table.venues.loc["V-facility:F1", "state"] == "asked"


def test_a_day_to_come_has_no_age():
    assert opening([("F2", "疑难", "手续", "", "2026-07-01", "")]).hard["days"].isna().all()
    assert opening([("F2", "疑难", "手续", "", "2026-06-30", "")]).hard["days"].tolist() == [0.0]


def test_hard_sites_name_cause_steps_and_who_is_responsible(town):
    row = town.hard.iloc[0]
    assert (row["cause_zh"], row["steps"], row["responsible"], row["days"]) == ("电力", "取电未批", "供电所", 10.0)
    unnamed = opening([("F2", "疑难", "手续", "", "2026-06-01", "")]).hard.iloc[0]
    assert (unnamed["responsible"], unnamed["responsible_source"]) == ("教育和体育局", "按主管部门")


def test_without_a_day_the_age_of_a_hard_site_is_not_told():
    assert opening(as_of=None).hard["days"].isna().all()


def test_departments_add_up_and_those_outside_the_group_say_so(town):
    table = town.departments.set_index("department")
    assert table["venues"].sum() == len(town.venues)
    assert table["fees"].sum() == len(town.fees)
    assert table["fees_yuan"].sum() == 30_000 + 10_000 + 20_000 + 5_000
    assert table.loc["(待明确)", ["venues", "fees", "fees_unknown"]].tolist() == [0, 1, 1]
    school = table.loc["教育和体育局"]
    assert school[["venues", "proposed", "fees", "fees_yuan"]].tolist() == [1, 1, 2, 30_000.0]
    members = [entry.zh for entry in load_venues().departments.values() if entry.in_group]
    assert table.index[:len(members)].tolist() == members
    outside = table.loc["城市管理和综合执法局"]
    assert (outside["group_zh"], outside["venues"]) == ("组外", 3)
    assert f"{len(members)}家" in outside["note"]
    assert (table.loc[members, "note"] == "").all()


def test_what_has_no_department_is_not_outside_of_the_group():
    """To say so would ask somebody to invite a department that there is not."""
    nobody = load_venues().departments["none"].zh
    alone = sites()
    alone.loc["B-building:B1", "department"] = nobody
    table = build_opening(alone, facilities(), decisions(), load_venues())
    assert table.departments.set_index("department").loc[[nobody, "(待明确)"], "group_zh"].tolist() == ["", ""]
    assert table.venues.loc["B-building:B1", "group_zh"] == ""


def test_secret_units_are_one_row_of_the_departments_and_nothing_is_lost(town):
    hidden = hide_in_departments(town.departments, pd.DataFrame(town.venues), town.fees)
    before, after = town.departments.set_index("department"), hidden.set_index("department")
    assert town.venues.loc["V-facility:F5", ["department", "secret"]].tolist() == ["民政局", True]
    assert (before.loc["民政局", "venues"], after.loc["民政局", "venues"]) == (1, 0)
    assert after.loc["涉密单位(不列名)", ["venues", "must_open", "refused"]].tolist() == [1, 1, 0]
    assert hidden["department"].iloc[-1] == "涉密单位(不列名)"
    numbers = before.select_dtypes("number").columns
    assert after[numbers].sum().to_dict() == before[numbers].sum().to_dict()
    assert hidden.dtypes.to_dict() == town.departments.dtypes.to_dict()
    open_town = town.venues.assign(secret=False)
    pd.testing.assert_frame_equal(hide_in_departments(town.departments, open_town, town.fees), town.departments)


def test_a_department_outside_of_the_group_with_secret_units_only_is_no_row(town):
    alone = pd.DataFrame(town.venues.assign(secret=town.venues["department"] == "城市管理和综合执法局"))
    hidden = hide_in_departments(town.departments, alone, town.fees)
    assert "城市管理和综合执法局" not in set(hidden["department"])
    assert hidden["venues"].sum() == len(alone)


def test_towns_add_up_too(town):
    assert town.towns["venues"].sum() == len(town.venues)
    assert town.towns.loc[town.towns["town"] == "东镇", "proposed"].tolist() == [4]


def test_poles_are_counted_by_street(town):
    assert town.poles[["street", "poles", "proposed", "refused"]].values.tolist() == [["新街", 2, 1, 0]]


def test_the_public_list_tells_three_columns_and_the_class_of_public_venues(town):
    assert list(town.public.columns) == ["number", "address", "owner", "class_zh"]
    assert sorted(town.public["address"]) == ["公园路3号", "新街", "新街", "新街1号", "新街2号"]
    told = town.left_out.set_index("reason")["venues"].to_dict()
    assert told == {"不属于应当开放的公共场所": 2, "涉密单位": 1}
    assert len(town.public) + sum(told.values()) == len(town.venues)


def test_a_refusal_for_secrecy_or_safety_keeps_a_venue_off_the_public_list():
    for kind in ("保密", "安全"):
        table = opening([("F1", "拒绝", kind, "甲", "2026-01-01", "x")])
        assert "新街1号" not in set(table.public["address"])


@pytest.mark.parametrize("rows", [
    [("F1", "拒绝", "业主拒绝", "甲", "2026-01-01", "属涉密场所")],                       # in the reason alone
    [("F1", "拒绝", "楼顶安全", "甲", "2026-01-01", "x"), ("F1", "保留", "", "会", "2026-02-01", "")],       # overruled
    [("F1", "拒绝", "保密", "甲", "2026-01-01", "x"), ("F1", "拒绝", "业主拒绝", "甲", "2026-02-01", "x")],   # not the last
    [("F1", "拒绝", "涉密", "甲", "2026-01-01", "x"), ("F1", "同意", "", "甲", "2026-02-01", "")]])
def test_any_refusal_for_secrecy_or_safety_keeps_a_venue_off_the_public_list(rows):
    assert "新街1号" not in set(opening(rows).public["address"])
    assert "新街1号" in set(opening([("F1", "拒绝", "业主拒绝", "甲", "2026-01-01", "x")]).public["address"])


def test_without_a_list_of_secret_units_nothing_counts_as_checked(town):
    venues = pd.DataFrame(town.venues.drop(columns="geometry"))
    public, out = public_list(venues.assign(checked=False))
    assert public.empty
    assert out.set_index("reason").loc[NO_SECRECY_LIST, "venues"] == len(town.public)


def test_a_list_that_nothing_has_checked_for_secrecy_says_so():
    nowhere = sites().iloc[:0]
    unchecked = build_opening(nowhere, facilities().drop(columns="secret"), Decisions(), load_venues())
    assert not unchecked.screened
    assert any("未作保密核对" in note for note in sheet_notes(unchecked, "public"))
    listed = facilities().assign(secret=[True, False, False, False, False, False])
    table = build_opening(nowhere, listed, Decisions(), load_venues())
    assert table.screened
    assert not any("未作保密核对" in note for note in sheet_notes(table, "public"))
    assert sorted(table.public["address"]) == ["公园路3号", "新街2号", "新街5号"]
    assert table.left_out.set_index("reason").loc["涉密单位", "venues"] == 1


def test_a_private_owner_is_not_published():
    private = facilities().assign(owner="王小明")
    table = build_opening(sites().iloc[:0], private, Decisions(), load_venues())
    assert table.public.empty
    assert "权属为个人" in set(table.left_out["reason"])


@pytest.mark.parametrize(("text", "plain"), [
    ("新街3栋101号", "新街3栋101号"), ("新街2号（联系人：王小明 13800138000）", "新街2号"), ("镇政府 0760-88886666", "镇政府"),
    ("新街8号 张主任：１３９０００１１１２２", "新街8号"), ("学校（电话 400-800-1234）", "学校"), ("新街9号 a.b@c.cn", "新街9号"),
    ("新街 113.392612,22.517001", "新街"), ("31.237872-121.470259", ""), ("韩征18017525786", ""),
    ("东街 镇政府 0760-88886666", "东街 镇政府"), ("王家村委会", "王家村委会"),
    ("新街8号 微信abc_12345", "新街8号"), ("新街8号 微信号：wx-77abc", "新街8号"),
    ("新街8号（QQ 12345）", "新街8号"), ("新街8号 身份证号44200019800101123X", "新街8号"), ("新街8号 业主张三", "新街8号"),
    ("新街8号(房东：王小明)", "新街8号"), ("新街8号 户主欧阳明 13800138000", "新街8号"), ("镇政府 0760-88886666转802", "镇政府"),
    ("新街8号 0760-88886666 转 802", "新街8号"), ("新街8号 欧阳主任", "新街8号"), ("新街8号 诸葛明 13800138000", "新街8号"),
    ("新街8号业主委员会", "新街8号业主委员会"), ("转塘路802号", "转塘路802号"), ("318国道1256号", "318国道1256号")])
def test_private_words_are_taken_out_of_addresses(text, plain):
    assert public_text(text) == plain


@given(st.text(alphabet="0123456789 -（）()王路号联系人：:电话1380.", max_size=40))
def test_no_long_number_is_ever_published(text):
    """Property: no seven digits in a row remain, and cleaning twice changes nothing more of that."""
    assert not re.search(r"\d{7,}", unicodedata.normalize("NFKC", public_text(text)))


def test_any_mobile_number_goes_in_any_spelling():
    for number in ("13800138000", "138 0013 8000", "138-0013-8000", "+86 13800138000", "１３８００１３８０００"):
        assert not any(letter.isdigit() for letter in public_text(f"新街甲号 {number}"))


@pytest.mark.parametrize("owner", [
    "个人", "私人", "村民王五", "张三等5户", "张三等五户", "张三、李四", "欧阳明", "司马小明", "王小明 13800138000", "王某某", "居民",
    "李四（个人）"])
def test_owners_that_are_persons(owner):
    assert is_person(owner)


@pytest.mark.parametrize("owner", [
    "第一小学", "王家村村民委员会", "石桥村居民委员会", "溪口市粮食集团有限公司", "镇人民政府", "个体劳动者协会", "园林所", ""])
def test_owners_that_are_bodies(owner):
    assert not is_person(owner)


def test_screening_and_flags_are_told_in_words():
    told = build_opening(sites().assign(flags="emf|lease"), facilities(), Decisions(), load_venues(),
                         screening={"V-facility:F1": "30 m 内有学校"}, flag_words={"emf": "电磁敏感"})
    assert told.venues.loc["V-facility:F1", "screening"] == "30 m 内有学校；电磁敏感；lease"


def test_doubts_are_told():
    doubtful = facilities().assign(class_confidence=0.3, owner="", department_source="class")
    table = build_opening(sites().iloc[:0], doubtful, Decisions(), load_venues())
    assert table.venues.loc["V-facility:F1", "doubt"] == "类别依据不足，请核实；权属单位待核实；主管部门按场所类别推定"


def test_facilities_outside_the_boundary_are_not_listed():
    beyond = facilities().assign(inside=[True, False, True, True, True, True])
    table = build_opening(sites().iloc[:0], beyond, Decisions(), load_venues())
    assert "V-facility:F2" not in table.venues.index
    assert "V-facility:F1" in table.venues.index


def test_nothing_at_all_gives_empty_tables_of_the_same_columns(town):
    table = build_opening(sites().iloc[:0], facilities().iloc[:0], Decisions(), load_venues())
    for field in dataclasses.fields(table):
        found, full = getattr(table, field.name), getattr(town, field.name)
        if field.name == "screened":
            continue
        assert list(found.columns) == list(full.columns), field.name
        if field.name != "departments":
            assert found.empty, field.name


def test_the_order_of_rows_does_not_matter(town):
    turned = build_opening(sites().iloc[::-1], facilities().iloc[::-1], decisions(), load_venues(),
                           pd.Timestamp("2026-06-30").date())
    pd.testing.assert_frame_equal(pd.DataFrame(turned.venues), pd.DataFrame(town.venues))
    pd.testing.assert_frame_equal(turned.public, town.public)


def test_inputs_are_not_changed_and_unknown_ids_are_told():
    places, found, ledger = sites(), facilities(), InputLedger()
    before = places.copy(), found.copy()
    build_opening(places, found, decisions(), load_venues(), ledger=ledger)
    pd.testing.assert_frame_equal(places, before[0])
    pd.testing.assert_frame_equal(found, before[1])
    assert [line.value for line in ledger] == ["F9"]
