"""The scene: antennas inside buildings, notes on layers and points, and the rooms a notebook reaches."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from conftest import at, rect, table

import siteplan
from siteplan.gaps import rule_named
from siteplan.input_ledger import InputLedger
from siteplan.params import SelectionParams
from siteplan.selection import mark_proposed, select_sites
from siteplan.study._networks import NEW_NETWORK, tell_new_networks, wanted_networks
from siteplan.study._notes import ABSENT, tell_notes
from siteplan.study._scene import _raise_above_roofs
from siteplan.surface import Surface

COMMON = {"network": "移动", "technology": "5G", "freq_mhz": 2565.0, "epre_dbm": 17.86, "azimuth_deg": 0.0,
          "tilt_deg": 6.0, "source_file": "工参.xlsx"}
STATIONS = {
    "low-1": {**COMMON, "geometry": at(505, 505), "source_site": "low", "antenna_height_m": 25.0, "kind": "macro",
              "source_row": "2"},
    "low-2": {**COMMON, "geometry": at(505, 505), "source_site": "low", "antenna_height_m": 25.0, "kind": "macro",
              "source_row": "3"},
    "high-1": {**COMMON, "geometry": at(505, 505), "source_site": "high", "antenna_height_m": 45.0, "kind": "macro",
               "source_row": "4"},
    "pole-1": {**COMMON, "geometry": at(505, 505), "source_site": "pole", "antenna_height_m": 8.0, "kind": "micro",
               "source_row": "5"},
    "open-1": {**COMMON, "geometry": at(105, 105), "source_site": "open", "antenna_height_m": 25.0, "kind": "macro",
               "source_row": "6"},
}


def with_tower(flat: Surface) -> Surface:
    """A building of 40 m on the pixel at 500..510 m east and north."""
    clutter = flat.clutter_m.copy()
    clutter[100 - 51, 50] = 40.0
    return replace(flat, clutter_m=clutter)


def test_a_macro_antenna_inside_a_building_is_put_above_its_roof(flat: Surface) -> None:
    ledger = InputLedger()
    raised = _raise_above_roofs(with_tower(flat), table("stations", STATIONS), ledger)["antenna_height_m"]
    assert raised.to_dict() == {"low-1": 43.0, "low-2": 43.0, "high-1": 45.0, "pole-1": 8.0, "open-1": 25.0}
    assert [(line.row, line.action, line.value) for line in ledger] == [("2、3", "assumed", "low:25 米")]


def test_no_building_no_change(flat: Surface) -> None:
    ledger = InputLedger()
    stations = table("stations", STATIONS)
    assert _raise_above_roofs(flat, stations, ledger) is stations
    assert len(ledger) == 0


def layers_with(*names: str) -> SimpleNamespace:
    return SimpleNamespace(has=lambda name: name in names)


def test_absent_unused_orphan_and_missing_are_told() -> None:
    ledger = InputLedger()
    tables = {"villages": table("villages", {"V4499": {"geometry": rect(0, 0, 9, 9)}}), "village_points": table(
        "village_points", {"a": {"geometry": at(1, 1), "village_code": "V4499", "kind": "committee", "exists": True},
                           "b": {"geometry": at(2, 2), "village_code": "V4498", "kind": "school", "exists": True}})}
    tell_notes(layers_with("ground", "villages", "village_points", "clutter"), tables, rule_named("village_miit_2025"),
               ledger)
    said = [(line.layer, line.field, line.value) for line in ledger]
    assert ("clutter", "", "") in said
    assert ("village_points", "village_code", "V4498") in said
    assert {line.field for line in ledger if line.row == "V4499"} == {"school", "clinic"}
    told = {line.layer for line in ledger}
    assert {names[0] for names, _ in ABSENT} - told == {"ground", "villages"}
    assert any("V4499" in line.remedy for line in ledger if line.value == "V4498")


def test_a_network_nobody_has_is_told() -> None:
    ledger = InputLedger()
    tell_new_networks(["移懂", "移动", "*"], ("移动",), ledger)
    assert [line.value for line in ledger] == ["移懂"]
    assert "是否应为 移动?" in next(iter(ledger)).remedy


@pytest.mark.parametrize(("name", "told"), [
    ("中国移动", None), ("CMCC", None), ("电信", ""), ("中国电信", ""), ("中国电心", "是否应为 电信?"),
    ("Swiscom", "是否应为 Swisscom?"), ("Orange", ""), ("Salt", "")])
def test_a_near_name_is_suggested_and_an_operator_is_none(name: str, told: str | None) -> None:
    """A known operator without a 5G station is a newcomer, not a slip of the keys."""
    ledger = InputLedger()
    tell_new_networks([name], ("Swisscom", "移动"), ledger)
    remedies = [line.remedy for line in ledger]
    assert len(remedies) == (told is not None)
    assert all(told in remedy if told else "是否应为" not in remedy for remedy in remedies)


@pytest.mark.parametrize(("serves", "wanted"), [
    (["中国电信"], {"电信"}), (["电信&联通"], {"电信", "联通"}), (["中国联通、中国电信", "联通"], {"电信", "联通"}),
    (["*"], {"移动", "广电"}), (["*", "CTCC"], {"移动", "广电", "电信"}), (["Swisscom"], {"Swisscom"}),
    (["移动", "5G"], {"移动"}), ([], {"移动", "广电"})])
def test_wanted_networks_are_read_as_those_of_the_stations(serves: list[str], wanted: set[str]) -> None:
    got = wanted_networks(serves, ("移动", "广电"))
    assert set(got) == wanted
    assert len(got) == len(wanted)
    assert wanted_networks(["*"], ()) == (NEW_NETWORK,)


def test_a_band_is_no_network_to_serve() -> None:
    ledger = InputLedger()
    tell_new_networks(["移动", "n78", "5G"], ("移动",), ledger)
    assert [(line.field, line.value) for line in ledger] == [("candidates.serves", "n78"), ("candidates.serves", "5G")]


def test_rooms_are_there_without_importing_them() -> None:
    assert siteplan.radio.path_loss_db("uma", 100.0, 3.5, 25.0, 1.5, True) == pytest.approx(83.14, abs=0.01)
    for room in ("crs", "coverage", "gaps", "selection"):
        assert getattr(siteplan, room).__name__ == f"siteplan.{room}"
    with pytest.raises(AttributeError, match="nothing"):
        siteplan.nothing  # noqa: B018


def test_reasons_tell_why_and_why_not() -> None:
    """A house of 10 cells; the clinic that serves 6 of them stands too near the committee that was chosen first."""
    reach = np.zeros((30, 4), int)
    reach[:20, 0] = 1                       # committee, tier 1
    reach[20:26, 1] = reach[:10, 1] = 1     # clinic next to it, tier 3
    reach[20:30, 2] = 1                     # house, tier 6
    reach[29:, 3] = 1                       # a pole for one cell
    ids = ["V-facility:committee", "V-facility:clinic", "B-building:house", "P-pole:lamp"]
    sites = pd.DataFrame({"cost_yuan": 1.0, "preference": [1.0, 0.9, 0.55, 0.95], "x": [0.0, 30.0, 900.0, 1800.0],
                          "y": 0.0}, index=ids)
    chosen = select_sites(sites, sp.csr_matrix(reach), np.full(30, 10.0), SelectionParams(spacing_m=100, min_gain=20))
    assert chosen.site_ids == ("V-facility:committee", "B-building:house")
    rows = pd.DataFrame({"status": "candidate", "tier": [1, 3, 6, 2], "tier_name": ["免费", "应开放", "住宅", "杆"],
                         "rank_no": 0, "gain": 0.0, "gain_demand": 0.0, "gain_share": 0.0, "networks": "*",
                         "reason": ""}, index=ids)
    told = mark_proposed(rows, chosen, np.full(30, 3.0), "people", "移动")
    assert told["status"].tolist() == ["proposed", "candidate", "proposed", "candidate"]
    assert told.loc["V-facility:clinic", "reason"] == "备选:距入选站 V-facility:committee 过近"
    assert told.loc["P-pole:lamp", "reason"] == "备选:能服务的空洞已由入选站服务"
    house = told.loc["B-building:house", "reason"]
    assert house.startswith("第2位:住宅;新增服务30人,加权100(占空洞33.3%)")
    assert house.endswith("公共候选 V-facility:clinic 最多能服务其中60%(但距入选站过近:V-facility:committee)")
