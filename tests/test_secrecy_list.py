"""The list of secret units: what a row means for candidates, facilities and layers; rows without effect."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import pytest
from conftest import X0, at, rect
from hypothesis import given
from hypothesis import strategies as st
from master_town import study_layers
from shapely import LineString
from test_minimal_studies import ground, rows, shapes, stations, study, villages

from siteplan.candidates.rules.secrecy_list import secret_sites, unmatched
from siteplan.decisions import Decision, Decisions
from siteplan.input_ledger import InputLedger
from siteplan.opening._public import NO_SECRECY_LIST
from siteplan.plan import Plan
from siteplan.secrecy import hide_secret_units
from siteplan.study import run, write_deliverables
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


# rows of layers that the list means, whatever sites came of them

LISTED = {"by id and name": ([("W1", ""), ("", "秘密管线"), ("N2", ""), ("", "秘密禁区"), ("", "秘密园区")], 10),
          "by name and id": ([("", "秘密大道"), ("W2", ""), ("", "保密楼"), ("X1", ""), ("Z1", "")], 10),
          "without sites": ([("", "秘密管线"), ("", "保密楼"), ("X1", "")], 0)}
NAMES = ("秘密大道", "秘密管线", "保密楼", "秘密禁区", "秘密园区")
OPEN = ("明路大道", "新商场", "明区")


def secret_town(folder: Path, listed: list[tuple[str, str]]) -> Plan:
    """The town with two works (roads give poles, pipes none), two restricted areas and a zone of secret names."""
    layers = study_layers(folder, secret="保密楼")
    shapes(folder / "works.gpkg", [LineString([at(0, y), at(900, y)]) for y in (907, 111, 311)],
           work_id=["W1", "W2", "W3"], name=["秘密大道", "秘密管线", "明路大道"], kind=["道路", "燃气管网", "道路"])
    shapes(folder / "restricted.gpkg", [rect(20, 20, 61, 61), rect(900, 20, 941, 61)], restricted_id=["X1", "X2"],
           name=["秘密禁区", "明区"], kind=["军事设施", "军事设施"])
    shapes(folder / "zones.gpkg", [rect(513, 517, 911, 907)], zone_id=["Z1"], name=["秘密园区"], zone_type=["产业园区"])
    rows(folder / "secrecy.csv", *({"设施编号": key, "单位名称": name} for key, name in listed))
    layers |= {"restricted": "restricted.gpkg", "zones": "zones.gpkg"}
    return run(study(folder, layers, selection={"min_gain": 0.0, "max_yuan_per_gain": 1e8}))


def raw(path: Path) -> bytes:
    """Bytes of a file, those of its parts where it is an archive."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as parts:
        return b"".join(parts.read(name) for name in parts.namelist())


@pytest.fixture(scope="module", params=list(LISTED))
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Plan, Path]:
    folder = tmp_path_factory.mktemp("secret_town")
    made = secret_town(folder, LISTED[request.param][0])
    if request.param == "without sites":  # as a planned building that stands already has none
        made = dataclasses.replace(made, sites=made.sites.drop(index="N-planned:N2"))
    write_deliverables(made, folder / "out")
    return request.param, made, folder / "out"


def test_the_poles_of_listed_works_are_refused(town: tuple[str, Plan, Path]) -> None:
    case, made, _ = town
    secret = made.sites["refusal_code"] == "secrecy"
    assert (secret & (made.sites["members"] == "W1")).sum() == LISTED[case][1]
    assert not (secret & (made.sites["members"] == "W3")).any()


def test_no_file_holds_a_listed_row(town: tuple[str, Plan, Path]) -> None:
    """Neither names, nor ids as they stand in sites, nor places: whatever sites came of the row."""
    case, made, out = town
    meant = {name: list(rows) for name, rows in made.secret_rows.items()}
    assert meant == {"works": ["W2"] if case == "without sites" else ["W1", "W2"], "planned_buildings": ["N2"],
                     "restricted": ["X1"], **({} if case == "without sites" else {"zones": ["Z1"]})}
    words = {name for rows in made.secret_rows.values() for name in rows.values()}
    assert words <= set(NAMES)
    places = [at(0, 111), at(20, 20), at(600, 800), *([] if case == "without sites" else [at(0, 907)])]
    files = {path: raw(path) for path in out.rglob("*") if path.is_file()}
    assert len(files) > 15
    told_of = b"".join(files.values())
    assert all(word.encode() in told_of for word in OPEN)
    assert struct.pack("<dd", at(0, 311).x, at(0, 311).y) in files[out / "areas.gpkg"]
    spoken = {word: (word.encode(), json.dumps(word)[1:-1].encode(), word.encode("gbk")) for word in words}
    spoken |= {word: (word.encode(),) for word in ("works:W2", "N-planned:N2", "restricted:X1")}
    spoken |= {str(place): (struct.pack("<dd", place.x, place.y),) for place in places}
    assert [(path.name, word) for path, content in files.items() for word, forms in spoken.items()
            if any(form in content for form in forms)] == []
    assert [path.name for path, content in files.items() if path.suffix == ".xlsx" and b">N2<" in content] == []


def test_listed_rows_are_counted_and_open_ones_stay(town: tuple[str, Plan, Path]) -> None:
    case, made, out = town
    left = {name: set(pyogrio.read_dataframe(out / "areas.gpkg", layer=name)[key]) for name, key in (
        ("works", "work_id"), ("planned_buildings", "project_id"), ("restricted", "restricted_id"),
        ("zones", "zone_id"))}
    assert left == {"works": {"W1", "W3"} if case == "without sites" else {"W3"}, "planned_buildings": {"N1"},
                    "restricted": {"X2"}, "zones": {"Z1"}}
    told_rows = {line.layer: line.row for line in made.ledger if "涉密单位名单" in line.reason and line.layer != "secrecy"}
    assert told_rows == {name: f"共 {len(rows)} 行" for name, rows in made.secret_rows.items()}
    hidden = hide_secret_units(made)
    assert hide_secret_units(hidden) is hidden
    assert len(hidden.results["filing"]) == len(made.results["filing"]) == 2
    assert hidden.results["filing"].loc["secret:1", "town"] == made.results["filing"].loc["N2", "town"]
    assert hidden.zones.geometry.equals(made.zones.geometry)


def test_a_name_that_open_rows_share_names_no_unit(tmp_path: Path) -> None:
    """One of two areas of one name is listed by its id: the other one, and its name, stay."""
    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, {"x": X0 + 50.0})}
    shapes(tmp_path / "restricted.gpkg", [rect(20, 20, 61, 61), rect(900, 20, 941, 61)], restricted_id=["X1", "X2"],
           name=["基本农田", "基本农田"], kind=["永久基本农田"] * 2)
    rows(tmp_path / "secrecy.csv", {"设施编号": "X1", "单位名称": ""})
    made = run(study(tmp_path, {**layers, "restricted": "restricted.gpkg", "secrecy": "secrecy.csv"}))
    assert made.secret_rows == {"restricted": {"X1": ""}}
    shown = hide_secret_units(made).context["restricted"]
    assert shown["name"].to_dict() == {"X2": "基本农田"}
