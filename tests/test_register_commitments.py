"""What states of sites commit the next plan to, and sites on air as stations: pure tables, hand-worked answers."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import CRS, at, table

from siteplan.coverage import load_equipment, sectors_of_stations
from siteplan.decisions import read_decisions
from siteplan.input_ledger import InputLedger
from siteplan.register.built import STATION_COLUMNS, built_stations, networks_of, without_doubles
from siteplan.register.commitments import commitments
from siteplan.register.rules.site_states import STATES
from tests.registers import day

EMPTY = {"name": "甲", "study_id": None, "state": "reserve", "state_on": "2026-03-01", "state_reason": None,
         "kind": "macro", "phase_year": None, "networks": "移动", "bands": None, "azimuths": None,
         "antenna_height_m": 30.0, "owner": None, "on_air_on": None}


def sites(*rows: dict[str, Any]) -> gpd.GeoDataFrame:
    """Table ``sites`` of the register, as far as it matters here; every site 300 m from the next."""
    frame = pd.DataFrame([{**EMPTY, **row} for row in rows])
    places = frame.pop("geometry") if "geometry" in frame else [None] * len(frame)
    points = [at(100 + 300 * number, 500) if place is None else place if place != "lost" else None
              for number, place in enumerate(places)]
    for name in ("state_on", "on_air_on"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[us]")
    frame["phase_year"] = frame["phase_year"].astype("float64")
    index = pd.Index([f"ZZ{number:06d}" for number in range(1, len(frame) + 1)], name="id")
    return gpd.GeoDataFrame(frame.set_index(index), geometry=points, crs=CRS)


def on_air(**more: Any) -> dict[str, Any]:
    return {"state": "on_air", "on_air_on": "2026-05-10", **more}


def said(rows: pd.DataFrame) -> list[list[str]]:
    return rows[["id", "action", "value"]].to_numpy().tolist()


@pytest.mark.parametrize(("state", "actions"), [
    ("reserve", []), ("ready", []), ("approved", ["keep", "year"]), ("building", ["keep", "year"]), ("on_air", []),
    ("blocked", ["hard"]), ("withdrawn", ["ban"])])
def test_what_each_state_commits_to(state: str, actions: list[str]) -> None:
    found = commitments(sites({"state": state, "study_id": "V-facility:F1", "phase_year": 2027, "state_reason": "阻挠"}))
    assert found["action"].tolist() == actions
    assert set(found["source_row"]) <= {"ZZ000001"}
    assert found.index.tolist() == [f"ZZ000001-{action}" for action in actions]


def test_every_state_has_an_answer() -> None:
    assert len(commitments(sites(*({"state": state} for state in STATES)))) == 4  # no year is planned


def test_a_site_without_year_is_kept_without_one_and_reasons_are_told() -> None:
    found = commitments(sites({"state": "building", "study_id": "P-pole:D1"},
                              {"state": "withdrawn", "study_id": "P-pole:D2", "state_reason": "拆迁"}))
    assert said(found) == [["P-pole:D1", "keep", ""], ["P-pole:D2", "ban", ""]]
    assert found["why"].tolist() == ["在建", "已撤销：拆迁"]
    assert found["date"].tolist() == [pd.Timestamp("2026-03-01")] * 2


def test_a_state_counts_on_its_day_and_not_the_day_before() -> None:
    table_ = sites({"state": "approved", "study_id": "P-pole:D1", "state_on": "2026-06-30"})
    assert len(commitments(table_, day("2026-06-30"))) == 1
    assert commitments(table_, day("2026-06-29")).empty


def test_a_blocked_site_is_a_hard_site_with_its_cause() -> None:
    rows = commitments(sites({"state": "blocked", "study_id": "P-pole:D1", "state_reason": "用电报装未批"}))
    ledger = InputLedger()
    found, = read_decisions(rows, ledger).rows
    assert (found.action, found.kind) == ("hard", "power")
    assert not len(ledger)


def test_a_site_of_no_plan_keeps_the_id_of_the_register() -> None:
    assert said(commitments(sites({"state": "approved"}))) == [["ZZ000001", "keep", ""]]


def test_a_later_refusal_overrules_an_approval() -> None:
    """Approved on 2026-03-01, refused by the owner on 2026-05-01: the refusal stands."""
    rows = commitments(sites({"state": "approved", "study_id": "V-facility:F1"}))
    late = pd.DataFrame({"id": ["V-facility:F1"], "action": "refused", "value": "业主", "who": "某街道",
                         "date": pd.Timestamp("2026-05-01"), "why": "反悔"})
    found = read_decisions(pd.concat([late, rows]), InputLedger())
    assert {row.action: row.overruled for row in found.rows} == {"refused": False, "keep": True}


# Sites on air.


def test_a_macro_site_has_three_sectors_with_the_power_of_the_equipment_table() -> None:
    """200 W on 273 resource blocks: 53.01 dBm - 10 log10(3276) = 17.86 dBm per resource element."""
    rows = built_stations(sites(on_air(owner="镇政府")))
    assert list(rows.columns) == [*STATION_COLUMNS, "geometry"]
    assert rows.index.tolist() == ["ZZ000001-移动-1", "ZZ000001-移动-2", "ZZ000001-移动-3"]
    assert rows["azimuth_deg"].tolist() == [0.0, 120.0, 240.0]
    assert rows["epre_dbm"].to_numpy() == pytest.approx(17.86, abs=0.005)
    first = rows.iloc[0]
    assert first[["source_site", "operators", "technology", "freq_mhz", "antenna_height_m", "status", "owner", "kind"]
                 ].tolist() == ["ZZ000001", "移动", "5G", 3500.0, 30.0, "in_service", "镇政府", "macro"]
    assert (rows["built_on"] == pd.Timestamp("2026-05-10")).all()
    assert (rows.geometry == at(100, 500)).all()


def test_a_micro_site_is_one_omni_sector_for_each_network() -> None:
    rows = built_stations(sites(on_air(kind="micro", networks="移动|电信", antenna_height_m=8.0)))
    assert rows["operators"].tolist() == ["电信", "移动"]
    assert rows["azimuth_deg"].isna().all()
    assert rows["epre_dbm"].to_numpy() == pytest.approx(7.86, abs=0.005)


def test_azimuths_are_those_of_the_plan_and_bad_ones_are_told() -> None:
    ledger = InputLedger()
    given = [on_air(azimuths=text) for text in ("0|240", "朝南", "omni")]
    rows = built_stations(sites(*given), ledger=ledger)
    counts = rows.groupby("site_id")["azimuth_deg"].apply(list).to_dict()
    assert counts["ZZ000001"] == [0.0, 240.0]
    assert counts["ZZ000002"] == [0.0, 120.0, 240.0]
    assert len(counts["ZZ000003"]) == 1
    assert np.isnan(counts["ZZ000003"][0])
    assert [(line.row, line.field) for line in ledger] == [("ZZ000002", "azimuths")]


def test_a_site_counts_from_the_day_it_went_on_air() -> None:
    table_ = sites(on_air(on_air_on="2026-06-30"))
    assert len(built_stations(table_, day("2026-06-30"))) == 3
    assert built_stations(table_, day("2026-06-29")).empty
    assert built_stations(sites({"state": "building"})).empty


def test_a_site_without_place_is_left_out_and_told() -> None:
    ledger = InputLedger()
    assert built_stations(sites(on_air(geometry="lost")), ledger=ledger).empty
    assert [(line.row, line.action) for line in ledger] == [("ZZ000001", "refused")]


def test_operators_that_share_a_network_are_one_network_at_a_built_site() -> None:
    groups = {"电信": "电信&联通", "联通": "电信&联通"}
    assert networks_of("移动|电信|联通", (), groups) == ["移动", "电信&联通"]
    assert networks_of("", ("移动", "电信"), groups) == ["移动", "电信&联通"]
    rows = built_stations(sites(on_air(kind="micro", networks="*")), serves=("移动", "电信", "联通"), shared=["电信&联通"])
    assert rows["operators"].tolist() == ["电信&联通", "移动"]


def test_of_several_bands_an_operator_takes_those_it_holds() -> None:
    rows = built_stations(sites(on_air(kind="micro", networks="移动|电信&联通", bands="n41|3.5G")))
    assert dict(zip(rows["operators"], rows["freq_mhz"], strict=True)) == {"移动": 2565.0, "电信&联通": 3500.0}
    assert rows["band_given"].all()


def test_a_band_that_is_not_known_is_told_and_the_equipment_counts() -> None:
    ledger = InputLedger()
    rows = built_stations(sites(on_air(kind="micro", bands="6G")), ledger=ledger)
    assert rows["freq_mhz"].tolist() == [3500.0]
    assert [line.field for line in ledger] == ["bands"]


def test_an_indoor_site_is_a_station_without_power_of_its_own() -> None:
    rows = built_stations(sites(on_air(kind="indoor")))
    assert rows[["kind", "technology"]].to_numpy().tolist() == [["indoor", "5G"]]
    assert rows["epre_dbm"].isna().all()


# Against the layer of stations.


def cell(east: float, site: str = "A", network: str = "移动", **more: Any) -> dict[str, Any]:
    return {"technology": "5G", "freq_mhz": 2565.0, "kind": "macro", "antenna_height_m": 30.0, "epre_dbm": 17.8,
            "tilt_deg": 6.0, "source_site": site, "network": network, "name": "某站", "geometry": at(east, 500), **more}


def beside(built: dict[str, Any], *cells: dict[str, Any], metres: float = 50.0) -> tuple[gpd.GeoDataFrame, InputLedger]:
    ledger = InputLedger()
    stations = table("stations", {f"c{number}": row for number, row in enumerate(cells)})
    rows = built_stations(sites(on_air(kind="micro", **built)))
    return without_doubles(rows, stations, metres, ledger=ledger, file="库"), ledger


def test_a_station_that_the_layer_has_does_not_count_twice() -> None:
    """The plan stood for 3.5 GHz and named no band; what was built for 移动 is at 2.6 GHz: the same station."""
    left, ledger = beside({}, cell(140))
    assert left.empty
    assert [(line.row, line.action, line.file) for line in ledger] == [("ZZ000001", "note", "库")]
    assert "工参站址 A（相距 40 米）" in next(iter(ledger)).reason


@pytest.mark.parametrize(("east", "name", "count"), [(150, "某站", 0), (151, "某站", 1), (500, "甲", 0), (701, "甲", 1)])
def test_the_same_place_or_the_same_name_not_too_far(east: float, name: str, count: int) -> None:
    left, _ = beside({}, cell(east, name=name))
    assert len(left) == count


def test_an_operator_that_the_layer_lacks_is_added_to_the_same_site() -> None:
    left, ledger = beside({"networks": "移动|电信"}, cell(110))
    assert left[["operators", "source_site"]].to_numpy().tolist() == [["电信", "A"]]
    assert ["补入" in line.reason for line in ledger] == [False, True]


@pytest.mark.parametrize(("built", "other", "count"), [
    ({"bands": "n78"}, {}, 1),                                    # a further band of the operator
    ({"bands": "n41"}, {}, 0),
    ({}, {"technology": "4G", "freq_mhz": 1840.0}, 1),            # 4G is no 5G
    ({}, {"kind": "indoor"}, 1),                                  # indoors is another station
    ({"networks": "电信"}, {"network": "电信&联通"}, 0),          # a shared network serves each operator
    ({"networks": "电信&联通"}, {"network": "电信"}, 1)])
def test_what_counts_as_the_same_station(built: dict[str, Any], other: dict[str, Any], count: int) -> None:
    left, _ = beside(built, cell(110, **other))
    assert len(left) == count
    assert set(left["source_site"]) <= {"A"}


def test_without_stations_all_that_is_built_counts() -> None:
    left, ledger = beside({})
    assert len(left) == 1
    assert not len(ledger)


def test_built_sectors_radiate_as_the_plan_had_them() -> None:
    """As a layer of stations they give the sectors that the new site had: height, azimuths, power, antenna."""
    rows = built_stations(sites(on_air()))
    filled = gpd.GeoDataFrame(rows.rename(columns={"operators": "network"}).assign(
        tilt_deg=rows["tilt_electrical_deg"]), crs=CRS)
    sectors = sectors_of_stations(filled, load_equipment())
    assert sectors["antenna"].tolist() == ["macro_64t"] * 3
    assert sectors["bandwidth_mhz"].tolist() == [100.0] * 3
    assert sectors["tilt_deg"].tolist() == rows["tilt_electrical_deg"].tolist()
