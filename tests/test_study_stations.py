"""5G stations and sites as targets count them: where they stand, of which day, and whether they are 5G at all."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from conftest import CRS, at, rect, table

from siteplan.coverage._equipment import equipment_of
from siteplan.gaps import shortfall
from siteplan.gaps.progress.targets import Target
from siteplan.input_ledger import InputLedger
from siteplan.params import EquipmentParams
from siteplan.study._places import with_places
from siteplan.study._scene import _as_5g
from siteplan.study._stations import sites_of, stations_of
from siteplan.study._targets import OWN, target_table

COUNTIES = {"C1": {"name": "甲县", "geometry": rect(0, 0, 500, 1000)},
            "C2": {"name": "乙县", "geometry": rect(500, 0, 1000, 1000)}}


def sector(east: float, north: float, site: str, network: str = "移动", **more: Any) -> dict[str, Any]:
    return {"technology": "5G", "freq_mhz": 2565.0, "kind": "macro", "antenna_height_m": 30.0, "epre_dbm": 17.8,
            "tilt_deg": 6.0, "source_site": site, "network": network, "geometry": at(east, north), **more}


def scene_of(stations: gpd.GeoDataFrame | dict[str, Any], **layers: dict[str, Any]) -> Any:
    """What counting stations looks at of a scene."""
    tables = {name: table(name, layers.get(name, {})) for name in ("towns", "counties", "villages", "zones")}
    tables["villages"] = with_places(tables["villages"], tables)
    tables["stations"] = table("stations", stations) if isinstance(stations, dict) else stations
    return SimpleNamespace(tables=tables, crs=CRS)


def proposed(**rows: dict[str, Any]) -> gpd.GeoDataFrame:
    """Rows of a sites table."""
    frame = pd.DataFrame.from_dict(rows, orient="index").assign(networks="移动|联通")
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=CRS)


def target(measure: str, value: float, unit: str, year: int, level: str = "city") -> Target:
    return Target(id=f"{measure}-{unit}-{year}", level=level, measure=measure, value=value, unit=unit,
                  by=dt.date(year, 12, 31), source="a test")


def reached(wanted: Target, counted: pd.DataFrame) -> int:
    return int(shortfall([wanted], None, None, counted)["reached"].iloc[0])


def test_stations_outside_the_boundary_are_not_counted() -> None:
    rows = {"in": sector(100, 500, "in", inside=True), "out": sector(900, 500, "out", inside=False)}
    assert list(stations_of(scene_of(rows, counties=COUNTIES), None)["site"]) == ["in"]


def test_without_a_boundary_all_stations_count() -> None:
    rows = {"a": sector(100, 500, "a"), "b": sector(900, 500, "b")}
    assert stations_of(scene_of(rows, counties=COUNTIES), None)["county"].to_dict() == {"a 移动": "甲县", "b 移动": "乙县"}


def test_every_network_of_a_site_has_its_own_day_and_the_site_that_of_its_first() -> None:
    """移动 came in 2023 (its first sector), 联通 in 2024: one new station in either year, a new site in 2023 only."""
    rows = {"a-1": sector(100, 500, "a", "移动", built_on=pd.Timestamp("2023-05-01")),
            "a-2": sector(100, 500, "a", "移动", built_on=pd.Timestamp("2024-02-01")),
            "a-3": sector(100, 500, "a", "联通", built_on=pd.Timestamp("2024-06-01"))}
    stations = stations_of(scene_of(rows), None)
    sites = sites_of(stations)
    assert [reached(target("site_quota", 9, "基站", year), stations) for year in (2023, 2024, 2025)] == [1, 1, 0]
    assert [reached(target("site_quota", 9, "站址", year), sites) for year in (2023, 2024, 2025)] == [1, 0, 0]
    assert reached(target("site_total", 9, "基站", 2025), stations) == 2
    assert reached(target("site_total", 9, "站址", 2025), sites) == 1
    assert set(sites.loc["a", "network"].split("|")) == {"移动", "联通"}


def test_a_shared_network_is_one_station() -> None:
    rows = {"a-1": sector(100, 500, "a", "电信&联通"), "a-2": sector(100, 500, "a", "电信&联通")}
    assert stations_of(scene_of(rows), None)["stations"].sum() == 1


def test_proposed_sites_count_once_they_are_asked_for() -> None:
    """A new roof is a new site; 5G outdoors at a site that has 5G indoors is a new station, not a new site."""
    rows = {"a-1": sector(100, 500, "a", kind="indoor", built_on=pd.Timestamp("2023-05-01"))}
    new = proposed(roof={"status": "proposed", "source": "building", "source_id": "B1", "geometry": at(900, 500)},
                   mast={"status": "proposed", "source": "station", "source_id": "a", "geometry": at(100, 500)},
                   other={"status": "candidate", "source": "building", "source_id": "B2", "geometry": at(900, 600)})
    scene = scene_of(rows, counties=COUNTIES)
    stations = stations_of(scene, new)
    assert stations["status"].tolist() == ["existing", "proposed", "proposed"]
    assert stations["county"].tolist() == ["甲县", "乙县", "甲县"]
    sites = sites_of(stations)
    assert sites["status"].to_dict() == {"a": "existing", "roof": "proposed"}
    assert sites["stations"].to_dict() == {"a": 2.0, "roof": 1.0}
    assert sites.loc["a", "built_on"] == pd.Timestamp("2023-05-01")
    assert len(stations_of(scene, None)) == 1


def test_a_planned_site_counts_from_the_end_of_its_year_and_one_without_year_at_once() -> None:
    """Four stations at a site of 2026, one at a site of 2028 and one without year; the roof of 2022 is too early."""
    def new(name: str, year: int, count: int = 1) -> dict[str, Any]:
        return {"status": "proposed", "source": "building", "source_id": name, "geometry": at(100, 500),
                "build_year": year, "station_count": count}
    planned = proposed(a=new("A", 2026, 4), b=new("B", 2028), c=new("C", 0), d=new("D", 2022))
    stations = stations_of(scene_of({}, counties=COUNTIES), planned)
    sites = sites_of(stations)
    assert sites["built_on"].dropna().astype(str).to_dict() == {"a": "2026-12-31", "b": "2028-12-31", "d": "2022-12-31"}

    def count(unit: str, measure: str, since: int, by: dt.date) -> int:
        asked = Target(id="t", level="city", measure=measure, value=9, unit=unit, since=dt.date(since, 1, 1), by=by,
                       source="a test")
        told = shortfall([asked], None, None, stations if unit == "基站" else sites, dt.date(2026, 6, 30), state="after")
        return int(told["reached"].iloc[0])

    ends = [dt.date(2026, 6, 30), dt.date(2026, 12, 31), dt.date(2027, 12, 31), dt.date(2028, 12, 31)]
    assert [count("基站", "site_quota", 2026, by) for by in ends] == [1, 5, 5, 6]
    assert [count("站址", "site_quota", 2026, by) for by in ends] == [1, 2, 2, 3]
    assert [count("基站", "site_total", 2026, by) for by in ends] == [2, 6, 6, 7]
    assert count("基站", "site_quota", 2022, dt.date(2022, 12, 31)) == 0  # its day is past: nothing planned is there


def test_a_rate_says_that_sites_beyond_its_day_are_in_the_coverage_it_is_judged_by() -> None:
    """The coverage as planned has the site of 2028: the rate by 2027 says so, that by 2028 need not; nor the quota."""
    planned = proposed(**{name: {"status": "proposed", "source": "building", "source_id": name,
                                 "geometry": at(100, 500), "build_year": year}
                          for name, year in (("A", 2027), ("B", 2028))})
    stations = stations_of(scene_of({}, counties=COUNTIES), planned)
    asked = {f"rate_{year}": {"level": "city", "measure": "village_rate", "value": 50, "unit": "%",
                              "by": dt.date(year, 12, 31)} for year in (2027, 2028)}
    asked["quota"] = {"level": "city", "measure": "site_quota", "value": 2, "unit": "基站", "by": dt.date(2027, 12, 31)}
    villages = pd.DataFrame({"verdict_before": ["fail"], "verdict_after": ["pass"]}, index=["V1"])
    here = SimpleNamespace(params=SimpleNamespace(targets=asked))
    told = target_table(here, {"villages": {OWN: villages}, "zones": {OWN: villages.iloc[:0]}}, stations)
    assert [";按全部规划站址建成后判定,其中1处在期限之后" in reason for reason in told["reason_after"]] == [True, False, False]
    assert not told["reason_before"].str.contains("期限之后").any()
    assert told["reached_after"].tolist() == [1, 1, 1]


def test_a_planned_day_does_not_date_a_site_that_exists() -> None:
    """Built on a day that nobody noted, and given a further station in 2027: no new site of 2027."""
    new = proposed(mast={"status": "proposed", "source": "station", "source_id": "a", "geometry": at(100, 500),
                         "build_year": 2027})
    stations = stations_of(scene_of({"a-1": sector(100, 500, "a")}, counties=COUNTIES), new)
    sites = sites_of(stations)
    assert sites["built_on"].isna().tolist() == [True]
    assert [int(shortfall([target("site_quota", 9, unit, 2027)], None, None, table, state="after")["reached"].iloc[0])
            for unit, table in (("基站", stations), ("站址", sites))] == [1, 0]


def test_4g_stations_that_stand_in_are_not_counted_as_5g() -> None:
    given = table("stations", {"old": sector(100, 500, "old", technology="4G", freq_mhz=1840.0),
                               "new": sector(200, 500, "new")})
    stand_in = _as_5g(given, equipment_of(EquipmentParams(), {}), InputLedger())
    assert stand_in["technology"].tolist() == ["5G", "5G"]
    assert list(stations_of(scene_of(stand_in), None)["site"]) == ["new"]


def test_without_layers_a_station_is_in_the_county_and_town_of_its_village() -> None:
    villages = {"V1": {"name": "一村", "county": "甲县", "town": "东镇", "geometry": rect(0, 0, 400, 1000)}}
    rows = {"a": sector(100, 500, "a"), "b": sector(900, 500, "b")}
    found = stations_of(scene_of(rows, villages=villages), None)
    assert found[["county", "town"]].to_numpy().tolist() == [["甲县", "东镇"], ["", ""]]
    quota = shortfall([target("site_total", 1, "基站", 2025, "county").model_copy(update={"area": "甲县"})], None, None,
                      found)
    assert int(quota["reached"].iloc[0]) == 1


def test_a_county_comes_from_the_towns_where_there_is_no_layer_of_counties() -> None:
    towns = {"T1": {"name": "东镇", "county": "甲县", "geometry": rect(0, 0, 500, 1000)}}
    found = stations_of(scene_of({"a": sector(100, 500, "a")}, towns=towns), None)
    assert found[["county", "town"]].to_numpy().tolist() == [["甲县", "东镇"]]


def test_a_short_name_in_the_village_table_is_the_county_of_the_layer() -> None:
    """溪西 and 溪西县 are one county for a target; another name in the table stays what it says."""
    counties = {"C1": {"name": "溪西县", "geometry": rect(0, 0, 1000, 1000)}}
    villages = {"V1": {"name": "一村", "county": "溪西", "geometry": rect(0, 0, 400, 1000)},
                "V2": {"name": "二村", "county": "东山", "geometry": rect(400, 0, 800, 1000)},
                "V3": {"name": "三村", "geometry": rect(800, 0, 1000, 1000)}}
    scene = scene_of({"a": sector(100, 500, "a")}, counties=counties, villages=villages)
    assert scene.tables["villages"]["county"].to_dict() == {"V1": "溪西县", "V2": "东山", "V3": "溪西县"}
    assert stations_of(scene, None)["county"].tolist() == ["溪西县"]


@pytest.mark.parametrize("sites", [None, proposed(x={"status": "refused", "source": "pole", "source_id": "P",
                                                     "geometry": at(0, 0)})])
def test_no_station_is_an_empty_table(sites: gpd.GeoDataFrame | None) -> None:
    stations = stations_of(scene_of({}, counties=COUNTIES), sites)
    assert len(stations) == len(sites_of(stations)) == 0
    assert {"status", "county", "town", "stations", "built_on"} <= set(stations) & set(sites_of(stations))
