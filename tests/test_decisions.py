"""Decisions: what a row says, rows that contradict each other, which sites they mean; nothing is dropped silently."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.decisions import (
    Decisions,
    kept_sites,
    moved_sites,
    parse_amount,
    parse_place,
    read_decisions,
    refusals,
    site_years,
    sites_meant,
)
from siteplan.input_ledger import InputLedger


def table(*rows: tuple[str, ...]) -> pd.DataFrame:
    """Rows of id, action, value, who, date, why, as the layer has them."""
    out = pd.DataFrame(list(rows), columns=["id", "action", "value", "who", "date", "why"])
    return out.assign(date=pd.to_datetime(out["date"].replace("", None)), source_file="decisions.csv",
                      source_row=[str(number) for number in range(2, len(out) + 2)])


def read(*rows: tuple[str, ...]) -> tuple[Decisions, InputLedger]:
    ledger = InputLedger()
    return read_decisions(table(*rows), ledger), ledger


def sites(*ids: str) -> pd.DataFrame:
    parts = [text.split("-", 1)[1].split(":") for text in ids]
    return pd.DataFrame({"source": [part[0] for part in parts], "source_id": [part[1] for part in parts]},
                        index=pd.Index(ids, name="site_id"))


@pytest.mark.parametrize(("word", "action"), [
    ("保留", "keep"), ("KEEP", "keep"), ("同意", "agreed"),
    ("禁用", "ban"), ("移动", "move"), ("年度", "year"), ("拒绝", "refused"),
    ("收费", "fee"), ("疑难站址", "hard"), ("hard", "hard")])
def test_actions_in_both_languages(word, action):
    value = {"move": "1,2", "year": "2027"}.get(action, "")
    found, _ = read(("F1", word, value, "甲", "2026-01-01", "说明"))
    assert [row.action for row in found.rows] == [action]


@pytest.mark.parametrize(("text", "yuan"), [
    ("进场费 20000", 20000.0), ("20000元 协调费", 20000.0), ("2万", 20000.0), ("1.5万元/年", 15000.0), ("￥３０，０００", 30000.0),
    ("分摊费：8 000 元", 8000.0), ("2026年租金3千", 3000.0), ("2w", 20000.0), ("2W元", 20000.0), ("二万元", 20000.0),
    ("进场费 二万", 20000.0), ("2万5千", 25000.0), ("2万5", 25000.0), ("2万5000元", 25000.0), ("两万五千元整", 25000.0),
    ("壹拾贰万元", 120000.0), ("一千五", 1500.0), ("三百零五元", 305.0), ("5k", 5000.0), ("2万-3万元", 30000.0),
    ("电话13800138000 进场费2000", 2000.0), ("进场费2000 0760-88886666", 2000.0), ("138 0013 8000 进场费 3000元", 3000.0),
    ("2026年1月20日 租金 3千", 3000.0), ("2026-01-20 进场费500", 500.0), ("2025-2026年租金 6000", 6000.0),
    ("万科广场进场费 3000", 3000.0), ("协调费5000(张三13800138000)", 5000.0), ("十万", 100000.0), ("两千元", 2000.0)])
def test_amounts_as_planners_write_them(text, yuan):
    assert parse_amount(text)[0] == yuan


@pytest.mark.parametrize(("text", "why"), [("进场费", "没有金额"), ("-500", "金额为负"), ("进场费 负300元", "金额为负"), ("", "没有金额"),
                                           ("电话13800138000", "没有金额"), ("进场费 2", "金额过小，请核对单位"), ("99元", "金额过小，请核对单位")])
def test_an_amount_that_cannot_be_read_is_unknown_and_said(text, why):
    amount, note = parse_amount(text)
    assert math.isnan(amount)
    assert note == why


def test_the_unit_may_stand_in_the_reason_and_great_amounts_are_told():
    found, ledger = read(("F1", "收费", "进场费 2", "移动", "2026-01-20", "单位：万元"),
                         ("F2", "收费", "协调费 5", "移动", "2026-01-20", ""))
    assert found.rows[0].amount_yuan == 20000.0
    assert math.isnan(found.rows[1].amount_yuan)
    assert [line.reason for line in ledger] == ["金额没有单位，按说明中的万元计，记录保留", "金额过小，请核对单位，记录保留，金额按不明"]
    assert parse_amount("2元", "单位万元")[1] == "金额过小，请核对单位"
    assert parse_amount("1千 2000万") == (2e7, "写有几个数，取最大的一个，金额过大，请核对单位")


def test_kinds_of_fees_and_refusals():
    found, _ = read(*[(word, "收费", f"{word} 300", "移动", "2026-01-20", "") for word in (
        "水电费", "电费", "可退押金", "进场费、电费", "电费分摊", "电梯维护分摊")])
    assert [row.kind for row in found.rows] == ["utility", "utility", "deposit", "entry", "utility", "apportioned"]
    found, _ = read(("F1", "拒绝", "业主拒绝", "甲", "2026-01-01", "涉密场所"), ("F1", "拒绝", "业主拒绝", "甲", "2026-01-01", "承重不足"),
                    ("F1", "拒绝", "楼顶安全", "甲", "2026-01-01", "保密要求"), ("F1", "拒绝", "业主拒绝", "甲", "2026-01-01", "x"))
    assert [row.kind for row in found.rows] == ["secrecy", "safety", "secrecy", "owner"]


def test_the_later_of_refused_and_agreed_stands_and_refused_on_the_same_day():
    rows = [("F1", "拒绝", "业主拒绝", "校", "2026-01-01", "x"), ("V-facility:F1", "同意", "", "校", "2026-02-01", "")]
    found, ledger = read(*rows)
    assert [(row.action, row.overruled) for row in found.rows] == [("refused", True), ("agreed", False)]
    assert [(line.row, "“同意”" in line.reason) for line in ledger] == [("2", True)]
    assert not refusals(found, sites("V-facility:F1"))
    again, _ = read(*rows, ("F1", "拒绝", "业主拒绝", "校", "2026-03-01", "x"))
    assert [row.overruled for row in again.rows] == [True, True, False]
    same, _ = read(rows[0], ("F1", "同意", "", "校", "2026-01-01", ""))
    assert [row.overruled for row in same.rows] == [False, True]
    assert [row.action for row in read(("F1", "同意", "", "校", "2026-02-01", ""))[0].of("agreed")] == ["agreed"]


@given(st.integers(100, 10_000_000), st.sampled_from(["进场费 {}", "{}元 协调费", "分摊费{}元整", "{}"]))
def test_any_whole_amount_reads_back(number, form):
    assert parse_amount(form.format(number)) == (float(number), "")
    assert parse_amount(form.format(f"{number:,}"))[0] == float(number)


def test_fee_has_kind_amount_payer_and_day():
    found, ledger = read(("F1", "收费", "2万 进场费", "移动", "2026-01-20", "先付一年"))
    row = found.rows[0]
    assert (row.kind_zh, row.amount_yuan, row.who, row.date.isoformat()) == ("进场费", 20000.0, "移动", "2026-01-20")
    assert len(ledger) == 0


def test_a_fee_without_name_or_amount_is_kept_and_told():
    found, ledger = read(("F1", "fee", "随便", "移动", "2026-01-20", ""))
    assert [row.kind_zh for row in found.rows] == ["其他名目费用"]
    assert math.isnan(found.rows[0].amount_yuan)
    assert [line.action for line in ledger] == ["assumed", "assumed"]


def test_two_amounts_for_one_fee_keep_the_greater_and_name_both_rows():
    found, ledger = read(("F1", "收费", "协调费 5000", "电信", "2025-11-03", "居民"),
                         ("F1", "收费", "协调费 8000", "电信", "2025-11-03", "居民"))
    assert [row.amount_yuan for row in found.rows] == [8000.0]
    line = next(iter(ledger))
    assert line.row == "2"
    assert "第 3 行" in line.reason
    assert "8000" in line.reason


def test_different_payers_paid_two_fees():
    found, ledger = read(("F1", "收费", "协调费 5000", "电信", "2025-11-03", "x"),
                         ("F1", "收费", "协调费 8000", "移动", "2025-11-03", "x"))
    assert [row.amount_yuan for row in found.rows] == [5000.0, 8000.0]
    assert len(ledger) == 0


def test_the_later_of_keep_and_ban_stands_and_ban_on_the_same_day():
    later, ledger = read(("F1", "禁用", "", "会", "2026-01-01", "拆"), ("F1", "保留", "", "会", "2026-02-01", ""))
    assert [(row.action, row.overruled) for row in later.rows] == [("ban", True), ("keep", False)]
    assert [line.row for line in ledger] == ["2"]
    same, _ = read(("F1", "禁用", "", "会", "2026-01-01", "拆"), ("F1", "保留", "", "会", "2026-01-01", ""))
    assert [row.action for row in same.rows if not row.overruled] == ["ban"]


def test_contradictions_are_seen_through_two_spellings_of_one_id():
    found, _ = read(("V-facility:F1", "ban", "", "会", "2026-01-01", "拆"), ("F1", "keep", "", "会", "2026-02-01", ""))
    assert kept_sites(found, sites("V-facility:F1")) == ("V-facility:F1",)
    assert not refusals(found, sites("V-facility:F1"))


def test_a_refusal_overruled_by_a_later_keep_stays_in_the_record():
    found, _ = read(("F1", "拒绝", "业主拒绝", "校", "2026-01-01", "担心"), ("F1", "保留", "", "会", "2026-02-01", ""))
    assert not refusals(found, sites("V-facility:F1"))
    assert len(found.of("refused", overruled=True)) == 1


@pytest.mark.parametrize(("rows", "field"), [
    ([("F1", "涨价", "", "甲", "2026-01-01", "x")], "action"), ([("", "保留", "", "甲", "2026-01-01", "x")], "id"),
    ([("F1", "年度", "明年", "甲", "2026-01-01", "x")], "value"), ([("F1", "年度", "20277", "甲", "2026-01-01", "x")], "value"),
    ([("F1", "移动", "往东50米", "甲", "2026-01-01", "x")], "value")])
def test_rows_that_cannot_be_used_are_refused_with_their_place(rows, field):
    found, ledger = read(*rows)
    assert not found.rows
    assert [(line.action, line.row, line.field) for line in ledger] == [("refused", "2", field)]


def test_missing_days_and_payers_are_one_line_each():
    _, ledger = read(*[(f"F{number}", "收费", "进场费 100", "", "", "x") for number in range(7)])
    assert sorted((line.field, line.action) for line in ledger) == [("date", "assumed"), ("who", "assumed")]
    assert all("共 7 行" in line.reason for line in ledger)


actions = st.sampled_from(["保留", "禁用", "移动", "年度", "拒绝", "同意", "收费", "疑难", "胡写", ""])
texts = st.one_of(st.sampled_from(["2027", "进场费 200", "-5", "100,200", "业主"]), st.text(max_size=8))


@given(st.lists(st.tuples(st.sampled_from(["F1", "V-facility:F1", "F2", ""]), actions, texts, texts,
                          st.sampled_from(["2026-01-01", "2026-02-01", ""]), texts), max_size=8))
def test_every_row_is_followed_or_told(rows):
    """Property: a row is in the result as it stands, or a ledger line names it."""
    found, ledger = read(*rows)
    told = {line.row for line in ledger}
    followed = {row.row for row in found.rows if not row.overruled}
    assert {str(number) for number in range(2, len(rows) + 2)} <= followed | told


def test_bare_ids_mean_roof_and_ground_of_a_venue_and_venues_before_poles():
    everything = sites("V-facility:12", "G-ground:12", "P-pole:12", "P-pole:7", "B-building:7")
    found, _ = read(("12", "ban", "", "会", "2026-01-01", "x"), ("7", "ban", "", "会", "2026-01-01", "x"),
                    ("P-pole:12", "keep", "", "会", "2026-01-01", ""), ("F9", "keep", "", "会", "2026-01-01", ""))
    ledger = InputLedger()
    meant = sites_meant(found, everything, ledger)
    assert meant == {"12": ("G-ground:12", "V-facility:12"), "7": ("B-building:7",), "P-pole:12": ("P-pole:12",),
                     "F9": ()}
    assert [line.value for line in ledger] == ["12", "7", "F9"]


def test_ids_of_merged_poles_and_site_numbers_mean_the_site_they_are_part_of():
    everything = sites("P-pole:1", "P-pole:3", "S-sharing:M1").assign(members=["1|2", "", "M1|M2"])
    found, _ = read(("2", "keep", "", "会", "2026-01-01", ""), ("P-pole:2", "年度", "2027", "会", "2026-01-01", ""),
                    ("M2", "ban", "", "会", "2026-01-01", "x"), ("3", "keep", "", "会", "2026-01-01", ""))
    ledger = InputLedger()
    assert sites_meant(found, everything, ledger) == {
        "2": ("P-pole:1",), "P-pole:2": ("P-pole:1",), "M2": ("S-sharing:M1",), "3": ("P-pole:3",)}
    assert len(ledger) == 0
    assert kept_sites(found, everything) == ("P-pole:1", "P-pole:3")


def test_members_that_are_sites_are_no_ids_of_a_layer():
    both = sites("V-facility:F1", "G-ground:F1").assign(members=["G-ground:F1", "V-facility:F1"])
    found, _ = read(("G-ground:F1", "keep", "", "会", "2026-01-01", ""))
    assert sites_meant(found, both) == {"G-ground:F1": ("G-ground:F1",)}


def test_a_request_is_meant_last_of_layers_that_share_an_id():
    found, _ = read(("12", "ban", "", "会", "2026-01-01", "x"))
    assert sites_meant(found, sites("D-demand:12", "P-pole:12")) == {"12": ("P-pole:12",)}
    assert sites_meant(found, sites("D-demand:12")) == {"12": ("D-demand:12",)}


def test_venues_without_a_candidate_are_not_unknown():
    found, _ = read(("F9", "拒绝", "安全", "甲", "2026-01-01", "x"))
    ledger = InputLedger()
    assert sites_meant(found, sites("P-pole:1"), ledger, {"F9"}) == {"F9": ()}
    assert len(ledger) == 0


def test_refusals_say_who_when_and_why():
    found, _ = read(("F1", "拒绝", "安全", "保卫科", "2026-04-09", "应急场地"), ("F2", "禁用", "", "例会", "2026-06-05", "拆建"))
    told = refusals(found, sites("V-facility:F1", "V-facility:F2"))
    assert told["V-facility:F1"] == ("refused_by_owner", "权属单位拒绝（保卫科，2026-04-09）：安全，应急场地")
    assert told["V-facility:F2"] == ("banned", "会议决定不用（例会，2026-06-05）：拆建")


def test_years_and_places():
    found, ledger = read(("F1", "年度", "2027年", "会", "2026-06-05", ""), ("F1", "年度", "2028", "会", "2026-07-05", ""),
                         ("F2", "移动", "113.3926,22.517", "会", "2026-06-05", ""),
                         ("F3", "移动", "2491176.7, 437507.6", "会", "2026-06-05", ""))
    here = sites("V-facility:F1", "V-facility:F2", "V-facility:F3")
    assert site_years(found, here) == {"V-facility:F1": 2028}
    places = moved_sites(found, here, "EPSG:4547")
    assert places["V-facility:F2"] == pytest.approx((437507.625, 2491176.699), abs=0.01)
    assert places["V-facility:F3"] == (437507.6, 2491176.7)
    assert sorted(line.row for line in ledger if line.action == "assumed") == ["2", "5"]


def test_latitude_first_is_turned():
    assert parse_place("22.517,113.3926")[0] == (113.3926, 22.517)


def test_an_empty_table_is_no_decision():
    assert read_decisions(pd.DataFrame(), InputLedger()) == Decisions(())
