"""What the ledger says of sectors (range of their model, unknown ground, no direction) and of unused layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import pytest

from siteplan.coverage import Calibration, Equipment, equipment_of, load_equipment
from siteplan.coverage._calibration import Domain
from siteplan.input_ledger import InputLedger, LedgerLine
from siteplan.layers import Layers
from siteplan.params import CoverageParams, EquipmentParams
from siteplan.study._notes import UNUSED, _tell_unused, tell_masts, tell_validity
from siteplan.surface import Surface
from tests.calibration_data import sector
from tests.conftest import CRS, at, table

KEPT = {"max_range_m": 1000.0, "micro_range_m": 300.0, "model_macro": "uma"}


def lines_on(flat: Surface, sectors: pd.DataFrame, calibration: Calibration | None = None,
             equipment: Equipment | None = None, **settings: Any) -> list[LedgerLine]:
    ledger = InputLedger()
    tell_validity(flat, sectors, load_equipment() if equipment is None else equipment,
                  CoverageParams(**{**KEPT, **settings}), ledger, calibration)
    return list(ledger)


def sectors_of(*changes: Mapping[str, object]) -> pd.DataFrame:
    return pd.DataFrame([sector() | change for change in changes or ({},)])


# --- ranges of the models ------------------------------------------------------------------------------------------


def test_a_usual_network_has_nothing_to_tell(flat: Surface) -> None:
    usual = sectors_of({}, {"antenna_height_m": 45.0}, {"kind": "micro", "antenna_height_m": 8.0})
    assert lines_on(flat, usual) == []
    assert lines_on(flat, usual.iloc[:0]) == []


@pytest.mark.parametrize(("macro_m", "micro_m", "told"), [
    (5000.0, 600.0, {}), (5001.0, 600.0, {"uma 宏站": "现有 2 个扇区、拟建宏站"}),
    (8000.0, 5000.0, {"uma 宏站": "现有 2 个扇区、拟建宏站"})])
def test_distances_beyond_the_table_are_told_of_old_and_new_sectors(flat: Surface, macro_m: float, micro_m: float,
                                                                    told: dict[str, str]) -> None:
    network = sectors_of({}, {}, {"kind": "micro", "antenna_height_m": 10.0})
    lines = lines_on(flat, network, max_range_m=macro_m, micro_range_m=micro_m)
    assert {line.value: line.row for line in lines} == told
    assert all(f"算到 {macro_m:g} 米" in line.reason and "max_range_m" in line.remedy for line in lines)


def test_frequencies_are_told_by_model_and_kind(flat: Surface) -> None:
    """Below 0.5 GHz no model of TR 38.901 is stated; a study may well plan 450 MHz."""
    old = {"freq_mhz": 460.0}
    network = sectors_of(old, old, {}, old | {"kind": "micro", "antenna_height_m": 10.0}, old | {"kind": "indoor"})
    lines = lines_on(flat, network)
    assert {line.value: line.row for line in lines} == {"uma 宏站": "现有 2 个扇区", "umi 微站": "现有 1 个扇区"}
    low = {"n450": {"freq_mhz": 460.0, "bandwidth_mhz": 5.0, "scs_khz": 15, "resource_blocks": 25, "technology": "5G",
                    "source": "test"}}
    planned = equipment_of(EquipmentParams(bands=low, site_types={"macro": {"band": "n450"}}), {})
    (line,) = lines_on(flat, sectors_of(), equipment=planned)
    assert (line.value, line.row) == ("uma 宏站", "拟建宏站")
    by_place = lines_on(flat, sectors_of().iloc[:0], equipment=planned, model_macro="auto")
    assert [line.value for line in by_place] == ["rma 宏站", "uma 宏站"]  # where it will stand decides


def test_masts_out_of_the_range_of_rma_are_told_one_and_all(flat: Surface) -> None:
    (line,) = lines_on(flat, sectors_of({"antenna_height_m": 8.0}, {}, {}, {"antenna_height_m": 200.0}),
                       model_macro="rma")
    assert (line.value, line.row) == ("rma 宏站", "现有 2 个扇区")
    assert "挂高" in line.reason


@pytest.mark.parametrize(("heights", "far"), [((25.0, 25.0, 60.0), 0), ((9.0, 60.0, 25.0), 2), ((9.0, 9.0), 2),
                                              ((10.0, 50.0), 0), ((60.0, 25.0), 0)])
def test_masts_far_from_the_one_height_of_uma_are_told_where_they_are_most(flat: Surface, heights: tuple[float, ...],
                                                                          far: int) -> None:
    lines = lines_on(flat, sectors_of(*({"antenna_height_m": height} for height in heights)))
    assert [line.row for line in lines] == [f"共 {far} 个扇区"] * (far > 0)
    assert all("挂高 25 米" in line.reason for line in lines)


def test_micro_masts_are_compared_with_the_height_of_umi(flat: Surface) -> None:
    (line,) = lines_on(flat, sectors_of({"kind": "micro", "antenna_height_m": 25.0}))
    assert "挂高 10 米" in line.reason
    assert line.value == "umi 微站"


@pytest.mark.parametrize("base", ["table", "uma"])
def test_calibrated_sectors_are_told_apart(flat: Surface, base: str) -> None:
    """Tables by distance are no formula of TR 38.901, so its ranges say nothing about them."""
    tables = {"distance_m": (10.0, 1000.0), "clear_db": (60.0, 110.0), "blocked_db": (65.0, 120.0)}
    model = Calibration.model_validate({"name": "c", "base": base, "freq_low_mhz": 2000.0, "freq_high_mhz": 3000.0,
                                        "domain": Domain(kinds=("macro",)), **(tables if base == "table" else {})})
    network = sectors_of({}, {}, {}, {"freq_mhz": 1900.0})
    told = {line.reason.split(":")[0]: line.row for line in lines_on(flat, network, model, max_range_m=9000.0)}
    plain = {"传播模型 TR 38.901 城区宏站 UMa": "现有 1 个扇区、拟建宏站"}  # new macro sites are of n78
    assert told == (plain if base == "table" else {**plain, "校正模型 TR 38.901 城区宏站 UMa": "现有 3 个扇区"})


# --- what is assumed of single sectors -----------------------------------------------------------------------------


def station(site: str, east: float, **changes: Any) -> dict[str, Any]:
    return {"geometry": at(east, 505.0), "source_site": site, "network": "移动", "technology": "5G", "freq_mhz": 2565.0,
            "epre_dbm": 17.8, "azimuth_deg": 0.0, "tilt_deg": 6.0, "antenna_height_m": 25.0, "kind": "macro",
            "source_file": "工参.xlsx", "source_row": "2", **changes}


def assumed_of(surface: Surface, rows: Mapping[str, Mapping[str, Any]]) -> list[LedgerLine]:
    from siteplan.coverage import sectors_of_stations

    stations, ledger = table("stations", rows), InputLedger()
    tell_masts(surface, sectors_of_stations(stations), stations, load_equipment(), ledger)
    assert {line.action for line in ledger} <= {"assumed"}
    assert all(line.file == "工参.xlsx" and line.remedy for line in ledger)
    return list(ledger)


def test_sites_on_unknown_ground_are_named_once_each(flat: Surface) -> None:
    """The west half of the ground is not known."""
    known = flat.known & (np.arange(100)[None, :] >= 50)
    rows = {"a-1": station("a", 205.0, source_row="2"), "a-2": station("a", 205.0, source_row="3", azimuth_deg=120.0),
            "b-1": station("b", 705.0), "c-1": station("c", 405.0, source_row="9"),
            "in-1": station("in", 105.0, kind="indoor")}
    lines = assumed_of(replace(flat, known=known), rows)
    assert [(line.value, line.row) for line in lines] == [("a", "2、3"), ("c", "9")]
    assert all("20 米" in line.reason and "ground" in line.remedy for line in lines)
    assert assumed_of(flat, rows) == []
    assert assumed_of(replace(flat, known=np.zeros_like(known)), rows) == []  # the ground itself says so then


def test_directional_antennas_without_a_direction_are_named(flat: Surface) -> None:
    rows = {"a-1": station("a", 205.0, azimuth_deg=None, antenna="macro_64t"),
            "a-2": station("a", 205.0, azimuth_deg=None, antenna="Macro_64T", source_row="3"),
            "b-1": station("b", 305.0, azimuth_deg=None),  # names none: an omni antenna
            "c-1": station("c", 405.0, azimuth_deg=None, antenna="panel_passive", source_row="5"),
            "d-1": station("d", 505.0, antenna="macro_64t"),
            "p-1": station("p", 605.0, azimuth_deg=None, kind="micro")}
    lines = assumed_of(flat, rows)
    assert [(line.value, line.row) for line in lines] == [("a-1、a-2", "2、3"), ("c-1", "5")]
    assert "17 dBi" in lines[0].reason
    assert "panel_passive" in lines[1].reason


# --- layers that change nothing ------------------------------------------------------------------------------------


def unused_told(names: tuple[str, ...], used: tuple[str, ...] = ()) -> list[str]:
    ledger, one_row = InputLedger(), table("works", {"G1": {"geometry": at(0, 0)}})
    _tell_unused(Layers(pyproj.CRS(CRS), dict.fromkeys(names, one_row), {}, InputLedger(), ()), used, ledger)
    return [line.layer for line in ledger]


def test_layers_that_change_nothing_are_told_and_those_in_use_are_not() -> None:
    assert unused_told(("measurements", "works", "power", "demands", "decisions", "secrecy")) == ["measurements"]
    assert unused_told(UNUSED) == list(UNUSED)
    assert unused_told(UNUSED, used=("clutter",)) == ["measurements"]
