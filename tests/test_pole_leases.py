"""Leases of poles: unused ones, bad dates, and shares of streets and towns, worked out by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import CRS, at, rect, table
from test_poles import context

from siteplan.candidates.kinds.pole_leases import (
    LEASE_UNUSED,
    NO_LESSEE,
    NO_ROAD,
    NO_TOWN,
    lease_state,
    lease_tables,
    tell_leases,
)
from siteplan.candidates.kinds.poles import propose
from siteplan.input_ledger import InputLedger
from siteplan.layers import inspect_layers
from siteplan.params import CandidateParams, LayerSource
from siteplan.surface import Surface

DAY = dt.date(2026, 6, 30)
FIELDS = {"lessee": "甲公司", "lease_date": "2025-01-01", "install_date": None}
CASES = {
    "free": {"lessee": None, "lease_date": None},
    "unused": {},
    "on_the_limit": {"lease_date": "2026-01-01"},
    "one_day_over": {"lease_date": "2025-12-31"},
    "fresh": {"lease_date": "2026-06-01"},
    "installed": {"install_date": "2025-02-01"},
    "installs_later": {"install_date": "2026-07-01"},
    "no_date": {"lease_date": None},
    "begins_later": {"lease_date": "2026-08-01"},
    "nobody": {"lessee": None, "lease_date": None, "install_date": "2025-02-01"},
    "nameless": {"lessee": None},
}


def poles_of(rows: dict[str, dict[str, Any]]) -> gpd.GeoDataFrame:
    """Poles 50 m apart with dates as words."""
    full = {}
    for number, (name, row) in enumerate(rows.items()):
        dates = {key: pd.Timestamp(row[key]) if row.get(key) else None for key in ("lease_date", "install_date")}
        full[name] = {"geometry": at(50 * (number % 20) + 5, 50 * (number // 20) + 5), "height_m": 8.0, **row, **dates}
    return table("poles", full)


@pytest.fixture
def cases() -> gpd.GeoDataFrame:
    return poles_of({name: {**FIELDS, **row} for name, row in CASES.items()})


def test_a_lease_is_installed_unused_waiting_or_of_unknown_age(cases: gpd.GeoDataFrame) -> None:
    """180 days before 2026-06-30 is 2026-01-01: a lease of that day is not yet older than 180 days."""
    state = lease_state(cases, CandidateParams(), DAY)
    assert set(state.index[state["unused"]]) == {"unused", "one_day_over", "installs_later", "nameless"}
    assert set(state.index[state["waiting"]]) == {"on_the_limit", "fresh", "begins_later"}
    assert set(state.index[state["installed"]]) == {"installed"}
    assert set(state.index[state["age_unknown"]]) == {"no_date"}
    assert set(state.index[~state["leased"]]) == {"free", "nobody"}
    assert state.loc[["unused", "one_day_over"], "days"].tolist() == [545, 181]
    parts = state[["installed", "unused", "waiting", "age_unknown"]].sum(axis=1)
    assert (parts == state["leased"]).all()


def test_without_a_day_nothing_is_called_unused(cases: gpd.GeoDataFrame) -> None:
    state = lease_state(cases, CandidateParams(), None)
    assert not state["unused"].any()
    assert state["days"].isna().all()
    assert set(state.index[state["installed"]]) == {"installed", "installs_later"}
    assert set(state.index[state["age_unknown"]]) == set(CASES) - {"installed", "installs_later", "free", "nobody"}


def test_the_limit_is_a_setting(cases: gpd.GeoDataFrame) -> None:
    state = lease_state(cases, CandidateParams(lease_unused_days=600), DAY)
    assert not state["unused"].any()


def test_an_unused_lease_flags_the_candidate_and_refuses_nothing(cases: gpd.GeoDataFrame, flat: Surface) -> None:
    here = replace(context(flat, cases), as_of=DAY)
    sites = propose(here).set_index("source_id")
    assert set(sites.index[sites["flags"] == LEASE_UNUSED]) == {"unused", "one_day_over", "installs_later", "nameless"}
    assert (sites["status"] == "candidate").all()
    assert sites.loc["unused", "lessee"] == "甲公司"
    assert "已租545天未安装" in sites.loc["unused", "evidence"]
    assert "租用日期未填" in sites.loc["no_date", "evidence"]
    assert (propose(replace(here, as_of=None))["flags"] == "").all()


def test_bad_dates_are_noted(cases: gpd.GeoDataFrame) -> None:
    late = poles_of({"late": {**FIELDS, "install_date": "2024-12-31"}})
    ledger = InputLedger()
    tell_leases(gpd.GeoDataFrame(pd.concat([cases, late]), crs=CRS), DAY, ledger)
    found = {(entry.value, entry.field) for entry in ledger}
    assert found == {("late", "install_date"), ("nobody", "lessee"), ("nameless", "lessee"), ("no_date", "lease_date"),
                     ("begins_later", "lease_date")}
    assert {entry.action for entry in ledger} == {"note"}


def town(**roads: list[str]) -> gpd.GeoDataFrame:
    """Poles of roads, given by their lessees ("" = not leased)."""
    rows = {f"{road}-{number:02}": {"road": None if road == "none" else road, "lessee": lessee or None,
                                    "lease_date": "2025-01-01" if lessee else None}
            for road, lessees in roads.items() for number, lessee in enumerate(lessees)}
    return poles_of(rows)


NO_TOWNS = table("towns", {})


def verdicts(poles: gpd.GeoDataFrame, towns: gpd.GeoDataFrame = NO_TOWNS, **params: Any) -> pd.DataFrame:
    shares = lease_tables(poles, CandidateParams(**params), DAY, towns)["pole_shares"]
    return shares.set_index(["level", "road", "lessee"])


def test_more_than_half_of_a_streets_poles_is_over_the_limit_and_half_is_not() -> None:
    rows = verdicts(town(东街=["甲"] * 6 + ["乙"] + [""] * 3, 西街=["甲"] * 5 + [""] * 5, 短街=["甲"] * 9))
    east = rows.loc["street", "东街", "甲"]
    assert east[["leased", "poles", "place_leased", "share", "verdict"]].tolist() == [6, 10, 7, 0.6, "over"]
    assert east["share_of_leased"] == pytest.approx(6 / 7)
    assert east["reason"] == "占公共杆的份额超过50%"
    assert rows.loc[("street", "东街", "乙"), "verdict"] == "within"
    assert rows.loc[("street", "西街", "甲"), "verdict"] == "within"
    short = rows.loc["street", "短街", "甲"]
    assert (short["verdict"], short["reason"]) == ("not_judged", "公共杆不足10根,不判定")


def test_a_town_counts_all_its_streets_and_comes_from_the_row_or_the_polygon() -> None:
    poles = town(东街=["甲"] * 10, 西街=[""] * 10)
    towns = table("towns", {"T1": {"geometry": rect(0, 0, 2000, 2000), "name": "城关镇"}})
    rows = verdicts(poles, towns)
    assert rows.loc[("town", "", "甲"), ["town", "leased", "poles", "share", "verdict"]].tolist() == [
        "城关镇", 10, 20, 0.5, "within"]
    named = poles.assign(town=poles["town"].where(poles["road"] != "东街", "东镇"))
    assert verdicts(named, towns).loc[("town", "", "甲"), ["town", "poles", "verdict"]].tolist() == ["东镇", 10, "over"]
    unknown = verdicts(poles).loc["town", "", "甲"]
    assert unknown[["town", "verdict"]].tolist() == [NO_TOWN, "not_judged"]


def test_streets_of_one_name_in_two_towns_are_two() -> None:
    poles = town(东街=["甲"] * 10 + [""] * 10)
    poles = poles.assign(town=pd.array(["北镇"] * 10 + ["南镇"] * 10, dtype="str"))
    assert verdicts(poles).loc[("street", "东街", "甲"), ["town", "poles", "verdict"]].tolist() == ["北镇", 10, "over"]


def test_poles_without_a_road_or_a_lessees_name_are_listed_and_not_judged() -> None:
    rows = verdicts(town(none=["甲"] * 12))
    assert rows.loc[("street", NO_ROAD, "甲"), "verdict"] == "not_judged"
    nameless = poles_of({f"D{n}": {"road": "东街", "lease_date": "2025-01-01"} for n in range(12)})
    assert verdicts(nameless).loc[("street", "东街", NO_LESSEE), "verdict"] == "not_judged"


def test_poles_outside_the_boundary_are_not_counted() -> None:
    poles = town(东街=["甲"] * 6 + [""] * 6)
    outside = poles.assign(inside=pd.array([False] * 6 + [True] * 6, dtype="boolean"))
    assert len(verdicts(outside)) == 0
    assert len(verdicts(poles)) == 2


def test_the_table_of_leases_adds_up(cases: gpd.GeoDataFrame) -> None:
    poles = cases.assign(road=pd.array(["东街"] * 6 + ["西街"] * 5, dtype="str"))
    rows = lease_tables(poles, CandidateParams(), DAY, NO_TOWNS)["pole_leases"]
    assert rows[["lessee", "road"]].to_numpy().tolist() == [[NO_LESSEE, "西街"], ["甲公司", "东街"], ["甲公司", "西街"]]
    counts = rows.set_index(["lessee", "road"])[["poles", "installed", "unused", "waiting", "age_unknown"]]
    assert counts.loc["甲公司", "东街"].tolist() == [5, 1, 2, 2, 0]
    assert counts.loc["甲公司", "西街"].tolist() == [3, 0, 1, 1, 1]
    assert rows["longest_unused_days"].tolist() == [545, 545, 545]
    assert rows.set_index(["lessee", "road"]).loc[("甲公司", "西街"), "idle_ids"] == "installs_later、no_date"
    assert rows["first_lease"].tolist() == [pd.Timestamp("2025-01-01")] * 3


def test_tables_do_not_depend_on_row_order_and_empty_ones_keep_their_columns(cases: gpd.GeoDataFrame) -> None:
    one = lease_tables(cases, CandidateParams(), DAY, NO_TOWNS)
    for other in (cases.iloc[::-1], cases.iloc[:0], cases.loc[["free"]]):
        turned = lease_tables(other, CandidateParams(), DAY, NO_TOWNS)
        for name, found in turned.items():
            assert list(found.columns) == list(one[name].columns)
            assert len(found) == (len(one[name]) if len(other) == len(cases) else 0)
            if len(found):
                pd.testing.assert_frame_equal(found, one[name])


def test_the_sample_city_has_a_firm_that_leases_and_does_not_install() -> None:
    root = Path(__file__).parents[1] / "data" / "xikou"
    layers = inspect_layers({"poles": [LayerSource(path="poles.csv", datum="wgs84")],
                             "towns": [LayerSource(path="basemap.gpkg", layer="towns")]}, "EPSG:4547", root)
    poles = layers.table("poles")
    tables = lease_tables(poles, CandidateParams(), DAY, layers.table("towns"))
    leases, shares = tables["pole_leases"], tables["pole_shares"]
    leased = poles["lessee"].notna() | poles["lease_date"].notna()
    assert leases["poles"].sum() == leased.sum()
    for level in ("street", "town"):
        assert shares.loc[shares["level"] == level, "leased"].sum() == leased.sum()
    by_firm = leases.groupby("lessee")["unused"].sum().sort_values()
    assert by_firm.index[-1] == "溪口智联杆塔租赁有限公司"
    worst = shares[(shares["verdict"] == "over")]
    assert len(worst) > 0
    for _, row in worst.iterrows():
        here = poles[(poles["road"] == row["road"]) & (poles["lessee"] == row["lessee"])]
        assert len(here) >= row["leased"] > 0.5 * row["poles"]
    assert np.isfinite(shares["share"]).all()
