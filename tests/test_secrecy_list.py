"""The list of secret units: what a row means, the same for candidates and for facilities; rows without effect."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.candidates.rules.secrecy_list import secret_sites, unmatched
from siteplan.decisions import Decision, Decisions
from siteplan.input_ledger import InputLedger
from siteplan.opening._public import NO_SECRECY_LIST
from siteplan.study._opening import _tell_later_hard, _tell_secrecy

SITES = pd.DataFrame([
    # site id, source, layer id, name, owner, members
    ("V-facility:F1", "facility", "F1", "第一粮库（东）", "溪口市粮食集团有限公司", "G-ground:F1"),
    ("G-ground:F1", "ground", "F1", "第一粮库（东）(地面)", "溪口市粮食集团有限公司", "V-facility:F1"),
    ("S-sharing:XK018", "sharing", "XK018", "东门站", "铁塔", ""),
    ("P-pole:LD001234", "pole", "LD001234", "新街1号杆", "城管局", "LD001234|LD001235"),
    ("B-building:F2", "building", "F2", "写字楼", "", ""),
    ("V-facility:F2", "facility", "F2", "小学", "小学", "")],
    columns=["site_id", "source", "source_id", "name", "owner", "members"]).set_index("site_id")
FACILITIES = pd.DataFrame({"name": ["第一粮库（东）", "小学"], "owner": ["溪口市粮食集团有限公司", None]},
                          index=pd.Index(["F1", "F2"], name="facility_id"))


def listed(*rows: tuple[str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["id", "name"]).astype("str")


@pytest.mark.parametrize(("row", "meant"), [
    (("F1", None), ["V-facility:F1", "G-ground:F1"]),
    (("V-facility:F1", None), ["V-facility:F1", "G-ground:F1"]),
    (("G-ground:F1", None), ["V-facility:F1", "G-ground:F1"]),
    (("XK018", None), ["S-sharing:XK018"]), (("E-station:XK018", None), ["S-sharing:XK018"]),
    (("LD001234", None), ["P-pole:LD001234"]), (("P-pole:LD001235", None), ["P-pole:LD001234"]),
    (("LD001235", None), ["P-pole:LD001234"]), ((" ＬＤ００１２３４ ", None), ["P-pole:LD001234"]),
    (("F2", None), ["B-building:F2", "V-facility:F2"]), (("V-facility:F2", None), ["V-facility:F2"]),
    (("B-building:F1", None), []), ((None, None), []), (("", " "), []),
    ((None, "溪口市粮食集团有限公司"), ["V-facility:F1", "G-ground:F1"]),
    ((None, "溪口市 粮食集团\u3000有限公司"), ["V-facility:F1", "G-ground:F1"]),
    ((None, "第一粮库 (东)"), ["V-facility:F1", "G-ground:F1"]), ((None, "粮库"), [])])
def test_what_a_row_means(row, meant):
    assert SITES.index[secret_sites(listed(row), SITES)].tolist() == meant


@pytest.mark.parametrize("row", [("F1", None), ("V-facility:F1", None), (None, "溪口市粮食集团有限公司"),
                                 (None, "第一粮库(东)"), ("G-ground:F1", None)])
def test_a_facility_and_the_site_on_it_are_meant_by_the_same_rows(row):
    assert secret_sites(listed(row), FACILITIES).tolist() == [True, False]
    assert secret_sites(listed(row), SITES)[0]


def test_an_id_of_another_layer_does_not_mean_a_facility():
    assert not secret_sites(listed(("P-pole:F1", None)), FACILITIES).any()
    assert secret_sites(listed(("B-building:F1", None)), FACILITIES[["name"]], "building").tolist() == [True, False]


def test_rows_that_mean_nothing():
    rows = listed(("F1", None), ("F9", None), (None, "小 学"), (None, "某局"), (None, None), ("F9", "小学"),
                  ("LD001235", None))
    assert unmatched(rows, {"facility": FACILITIES, "sites": SITES}).index.tolist() == [1, 3, 4]
    assert unmatched(rows, {"facility": FACILITIES}).index.tolist() == [1, 3, 4, 6]
    assert unmatched(rows, {}).index.tolist() == [*range(7)]


words = st.text(alphabet="F12（()） 甲", max_size=4)


@given(st.lists(st.tuples(words, words), max_size=4), st.lists(st.tuples(words, words, words), max_size=5))
def test_one_row_at_a_time_gives_the_same(rows, places):
    """Property: the list means what its rows mean one by one, and a row means nothing when alone it marks nothing."""
    table = pd.DataFrame(places, columns=["id", "name", "owner"], dtype="str").set_index("id")
    whole = listed(*rows)
    each = [secret_sites(whole.iloc[[number]], table) for number in range(len(whole))]
    assert secret_sites(whole, table).tolist() == np.logical_or.reduce([np.zeros(len(table), bool), *each]).tolist()
    idle = [number for number, hit in enumerate(each) if not hit.any()]
    assert unmatched(whole, {"facility": table}).index.tolist() == idle


def scene(rows: pd.DataFrame, **more: Any) -> SimpleNamespace:
    """What the ledger lines ask of a scene: facilities F1 and F2, one building, a list with its file and rows."""
    traced = rows.assign(source_file="secrecy.csv", source_row=[str(number) for number in range(2, len(rows) + 2)])
    return SimpleNamespace(tables={"facilities": FACILITIES, "secrecy": traced,
                                   "buildings": pd.DataFrame({"name": ["写字楼"]}, index=["B7"])},
                           ledger=InputLedger(), **more)


def test_rows_without_effect_are_told_by_their_number_alone():
    here = scene(listed(("F1", None), (None, "某某绝密所"), ("B7", None), ("LD001235", None), ("F987654", None)))
    _tell_secrecy(here, SITES)
    assert [line.reason for line in here.ledger] == [
        "名单第 3 行没有对上任何设施或站址，未起作用", "名单第 6 行没有对上任何设施或站址，未起作用"]
    assert not any(word in str(line) for line in here.ledger for word in ("绝密", "F987654"))


def test_no_list_is_told_where_there_is_something_to_check():
    here = scene(listed())
    _tell_secrecy(here, SITES)
    assert [(line.layer, line.reason) for line in here.ledger] == [("secrecy", NO_SECRECY_LIST)]
    bare = scene(listed())
    bare.tables["facilities"] = FACILITIES.iloc[:0]
    _tell_secrecy(bare, SITES)
    assert len(bare.ledger) == 0


def test_hard_sites_of_a_day_to_come_are_told():
    rows = tuple(Decision("F1", "hard", kind="land", date=dt.date(2026, 6, day), row=str(day)) for day in (29, 30))
    here = scene(listed(), decisions=Decisions(rows), params=SimpleNamespace(
        study=SimpleNamespace(as_of=dt.date(2026, 6, 29))))
    _tell_later_hard(here)
    assert [(line.row, line.field, line.value) for line in here.ledger] == [("30", "date", "2026-06-30")]
