"""Counties and towns: what lies inside the boundary counts, where it lies, and only where enough is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import CRS, SIZE_M, X0, Y0, at, rect, table
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplan.gaps import Demand, build_demand, rank_areas
from siteplan.gaps.progress.ranking import ranking_of
from siteplan.grid import study_geobox
from siteplan.input_ledger import InputLedger
from siteplan.study._places import LEVELS, place_pixels, tell_unplaced, with_places
from siteplan.study._ranking import LEAST_KNOWN_SHARE, place_indicators

GRID = study_geobox((X0, Y0, X0 + SIZE_M, Y0 + SIZE_M), CRS, 10.0)
WEST, EAST = rect(0, 0, 500, 1000), rect(500, 0, 1000, 1000)
COUNTIES = {"C1": {"name": "甲县", "geometry": WEST}, "C2": {"name": "乙县", "geometry": EAST}}
VILLAGES = {"V1": {"name": "一村", "county": "甲县", "town": "东镇", "people": 1000, "geometry": rect(0, 0, 500, 900)},
            "V2": {"name": "二村", "county": "乙县", "town": "东镇", "people": 2000, "geometry": rect(500, 0, 1000, 900)}}
ONE_EACH = {"a": at(250, 250), "b": at(750, 250)}
RULES = {"villages": "village_miit_2025", "zones": "area_share_95"}


def people(**columns: list[float]) -> gpd.GeoDataFrame:
    """The population of two cells of a square kilometre's half each: west, east."""
    cells = {str(number): {name: values[number] for name, values in columns.items()} | {
        "cell_area_m2": 500.0 * 500.0, "geometry": at(250 + 500 * number, 250)} for number in (0, 1)}
    return table("population", cells)


def scene_of(boundary: Any = None, stations: dict[str, Any] | None = None, basis: Any = "resident",
             population: gpd.GeoDataFrame | None = None, **layers: dict[str, Any]) -> Any:
    """What indicators of places look at of a scene; its boundary is the whole toy town."""
    tables = {name: table(name, layers.get(name, {})) for name in ("towns", "counties", "villages", "zones")}
    for name in ("villages", "zones"):
        tables[name] = with_places(tables[name], tables)
    masts = {name: {"technology": "5G", "network": "移动", "source_site": name, "geometry": point}
             for name, point in (ONE_EACH if stations is None else stations).items()}
    tables |= {"stations": table("stations", masts),
               "population": table("population", {}) if population is None else population}
    area = gpd.GeoDataFrame(geometry=[rect(0, 0, 1000, 1000) if boundary is None else boundary], crs=CRS)
    demand = build_demand(GRID, area, tables["population"], tables["population"].iloc[:0], basis)
    return SimpleNamespace(tables=tables, boundary=area, demand=demand, crs=CRS)


def indicators(scene: Any, layer: str = "counties", probability: Any = 1.0, **verdicts: str) -> pd.DataFrame:
    """Indicators under a probability; areas pass unless a verdict is given by their id."""
    judged = {}
    for name, rule in RULES.items():
        codes = scene.tables[name].index
        judged[name] = pd.DataFrame({"verdict": [verdicts.get(code, "pass") for code in codes], "rule": rule}, codes)
    best: Any = SimpleNamespace(probability=np.broadcast_to(np.float32(probability), GRID.shape))
    pixels = place_pixels(scene.tables, scene.boundary, GRID)[layer]
    return place_indicators(scene, pixels, LEVELS[layer], best, judged, None)


def test_a_sliver_of_a_neighbour_is_no_row() -> None:
    """The boundary reaches 0.05 m into the county in the east: 50 m2, half a pixel. At 0.2 m it is 200 m2, two."""
    for reach, names in ((0.05, ["甲县"]), (0.2, ["乙县", "甲县"])):
        scene = scene_of(rect(0, 0, 500 + reach, 1000), counties=COUNTIES)
        assert sorted(place_pixels(scene.tables, scene.boundary, GRID)["counties"].index) == names


def test_a_county_that_shares_an_edge_with_the_boundary_elsewhere_stays() -> None:
    """The county is a U around the boundary's bay: together they have an area and a line in common."""
    county = rect(0, 0, 1000, 500).union(rect(600, 500, 1000, 1000))
    boundary = rect(0, 0, 300, 400).union(rect(200, 300, 600, 1000))
    common = county.intersection(boundary)
    assert common.geom_type == "GeometryCollection"
    scene = scene_of(boundary, counties={"C1": {"name": "甲县", "geometry": county}})
    pixels = place_pixels(scene.tables, scene.boundary, GRID)["counties"]
    assert pixels.sums(np.full(GRID.shape, 100.0))["甲县"] == pytest.approx(common.area, rel=1e-6)


def test_a_town_cut_by_the_boundary_counts_the_part_inside() -> None:
    """Of 1000 and 2000 people on squares of 500 m, 1000 and 400 live west of 600 m; the eastern station is out."""
    towns = {"T1": {"name": "东镇", "county": "甲县", "geometry": rect(0, 0, 1000, 1000)}}
    scene = scene_of(rect(0, 0, 600, 1000), towns=towns, population=people(people=[1000.0, 2000.0]))
    scene.tables["stations"] = scene.tables["stations"].assign(
        inside=pd.array([True, False], dtype="boolean"))
    found = indicators(scene, "towns").loc["甲县/东镇"]
    assert (found["people"], found["stations"]) == (pytest.approx(1400.0), 1)
    assert found["sites_per_10000"] == pytest.approx(1e4 / 1400)


def test_without_layers_stations_and_villages_count_in_outlines_of_villages() -> None:
    found = indicators(scene_of(villages=VILLAGES))
    assert found[["villages", "stations", "people", "sites_per_10000"]].to_dict("index") == {
        "甲县": {"villages": 1, "stations": 1, "people": 1000.0, "sites_per_10000": 10.0},
        "乙县": {"villages": 1, "stations": 1, "people": 2000.0, "sites_per_10000": 5.0}}


def test_a_village_that_lies_in_another_counts_in_its_own_county_where_outlines_are_made_of_villages() -> None:
    villages = {"V1": {**VILLAGES["V1"], "geometry": rect(0, 0, 1000, 900)}, "V2": VILLAGES["V2"]}
    assert indicators(scene_of(villages=villages))["villages"].to_dict() == {"甲县": 1, "乙县": 1}


def test_two_towns_of_one_name_stay_two_where_their_layer_has_no_counties() -> None:
    towns = {"T1": {"name": "东镇", "geometry": WEST}, "T2": {"name": "东镇", "geometry": EAST}}
    for more in ({"counties": COUNTIES}, {"villages": VILLAGES}, {"counties": COUNTIES, "villages": VILLAGES}):
        found = indicators(scene_of(towns=towns, **more), "towns")
        assert found["stations"].to_dict() == {"甲县/东镇": 1, "乙县/东镇": 1}
        assert found["villages"].fillna(0).eq(1).all() == ("villages" in more)


def test_villages_called_otherwise_than_the_county_count_where_they_lie() -> None:
    """溪西 is short for 溪西县; 旧县 is another name altogether: either way both villages lie in 溪西县."""
    counties = {"C1": {"name": "溪西县", "geometry": rect(0, 0, 1000, 1000)}}
    villages = {"V1": {**VILLAGES["V1"], "county": "溪西"}, "V2": {**VILLAGES["V2"], "county": "旧县"}}
    found = indicators(scene_of(counties=counties, villages=villages), V2="fail")
    assert found[["villages", "villages_passed", "village_rate", "people"]].to_dict("index") == {
        "溪西县": {"villages": 2, "villages_passed": 1, "village_rate": 0.5, "people": 3000.0}}


def test_a_place_without_villages_has_no_rate_and_no_village_table_no_number() -> None:
    found = indicators(scene_of(counties=COUNTIES, villages={"V1": VILLAGES["V1"]}))
    assert found["villages"].to_dict() == {"甲县": 1, "乙县": 0}
    assert found["village_rate"].isna().to_dict() == {"甲县": False, "乙县": True}
    assert indicators(scene_of(counties=COUNTIES))["villages"].isna().all()


def test_villages_none_of_which_can_be_judged_have_no_rate() -> None:
    scene = scene_of(counties=COUNTIES, villages=VILLAGES)
    found = indicators(scene, V1="not_assessable", V2="fail")
    assert found["village_rate"].isna().to_dict() == {"甲县": True, "乙县": False}
    assert found["villages_not_assessable"].to_dict() == {"甲县": 1, "乙县": 0}
    assert found.loc["乙县", "village_rate"] == 0.0


def test_people_of_villages_are_no_sum_where_one_is_missing() -> None:
    villages = {**VILLAGES, "V3": {"name": "三村", "county": "甲县", "geometry": rect(0, 900, 500, 1000)}}
    found = indicators(scene_of(counties=COUNTIES, villages=villages))
    assert found["people"].isna().to_dict() == {"甲县": True, "乙县": False}
    assert found["people_source"].to_dict() == {"甲县": "", "乙县": "行政村表"}
    assert found["sites_per_10000"].isna().to_dict() == {"甲县": True, "乙县": False}


@pytest.mark.parametrize(("unknown_m", "told"), [(20, True), (30, False)])
def test_a_place_of_which_too_little_is_known_has_no_share_and_no_score(unknown_m: int, told: bool) -> None:
    """In the west 500 m wide, 20 m without data leave 96 %, 30 m leave 94 %. The rest is covered: never a full mark."""
    probability = np.ones(GRID.shape)
    probability[:, :unknown_m // 10] = np.nan
    zones = {"Z1": {"name": "区", "geometry": rect(50, 50, 90, 90)},
             "Z2": {"name": "区", "geometry": rect(800, 50, 900, 90)}}
    scene = scene_of(counties=COUNTIES, villages=VILLAGES, zones=zones, population=people(people=[1000.0, 2000.0]))
    found = indicators(scene, probability=probability)
    assert found.loc["甲县", "known_share"] == pytest.approx(1 - unknown_m / 500)
    assert (found.loc["甲县", "known_share"] >= LEAST_KNOWN_SHARE) == told
    assert found.loc["甲县", ["area_share", "population_share"]].notna().tolist() == [told, told]
    assert found.loc["乙县", ["area_share", "population_share"]].tolist() == [1.0, 1.0]
    status = rank_areas(found, ranking_of("coverage", {}))["status"]
    assert status.to_dict() == {"乙县": "已评分", "甲县": "已评分" if told else "无法判定"}


def test_people_on_unknown_ground_leave_the_share_of_people_missing() -> None:
    """The west's people live on the first 100 of its 500 m; 20 m without data are 4 % of its land, 20 % of them."""
    probability = np.ones(GRID.shape)
    probability[:, :2] = np.nan
    scene = scene_of(counties=COUNTIES)
    per_pixel = np.zeros(GRID.shape, np.float32)
    per_pixel[:, :10], per_pixel[:, 60:] = 1.0, 1.0
    scene.demand = Demand(per_pixel, "people", GRID)
    found = indicators(scene, probability=probability).loc["甲县"]
    assert (found["known_share"], found["people_known_share"]) == (pytest.approx(0.96), pytest.approx(0.8))
    assert found["area_share"] == 1.0
    assert np.isnan(found["population_share"])


def test_known_people_do_not_make_up_for_unknown_land() -> None:
    """Of the west 30 m of 500 are without data and without people: all its people are known, 94 % of its land."""
    probability, per_pixel = np.ones(GRID.shape), np.ones(GRID.shape, np.float32)
    probability[:, :3], per_pixel[:, :3] = np.nan, 0.0
    scene = scene_of(counties=COUNTIES)
    scene.demand = Demand(per_pixel, "people", GRID)
    found = indicators(scene, probability=probability).loc["甲县"]
    assert found["people_known_share"] == 1.0
    assert np.isnan(found["population_share"])


@pytest.mark.parametrize("basis", ["resident", "day", "greater"])
def test_sites_are_counted_per_resident_whichever_people_count_as_demand(basis: str) -> None:
    """West: 1000 by night, 4000 by day. East: 2000 by night, 500 by day. One station each: 10 and 5 per 10,000."""
    cells = people(people=[1000.0, 2000.0], people_day=[4000.0, 500.0])
    scene = scene_of(basis=basis, population=cells, counties=COUNTIES)
    found = indicators(scene)
    assert scene.demand.basis == basis
    assert found["people"].to_dict() == pytest.approx({"甲县": 1000.0, "乙县": 2000.0})
    assert found["sites_per_10000"].to_dict() == pytest.approx({"甲县": 10.0, "乙县": 5.0})
    assert set(found["people_source"]) == {"人口图层(常住)"}
    assert set(found["population_basis"]) == {scene.demand.zh}


def test_people_of_the_day_alone_are_no_residents() -> None:
    """Then residents come from the village table."""
    scene = scene_of(basis="day", population=people(people_day=[4000.0, 500.0]), counties=COUNTIES, villages=VILLAGES)
    found = indicators(scene)
    assert found["people"].to_dict() == {"甲县": 1000.0, "乙县": 2000.0}
    assert set(found["people_source"]) == {"行政村表"}


def test_rates_name_their_rules() -> None:
    found = indicators(scene_of(counties=COUNTIES, villages=VILLAGES))
    assert found["village_rule"].to_dict() == {"甲县": RULES["villages"], "乙县": RULES["villages"]}
    assert set(found["zone_rule"]) == {""}  # no zone, no rate, no rule


def test_what_lies_in_no_county_is_told() -> None:
    """The only county is the west; village, zone and station in the east are in none; one outside is no matter."""
    ledger = InputLedger()
    scene = scene_of(counties={"C1": COUNTIES["C1"]}, villages=VILLAGES,
                     zones={"Z1": {"name": "区", "geometry": rect(800, 50, 900, 90)}},
                     stations={**ONE_EACH, "c": at(900, 900)})
    scene.tables["stations"] = scene.tables["stations"].assign(inside=pd.array([True, True, False], dtype="boolean"))
    tell_unplaced(scene.tables, place_pixels(scene.tables, scene.boundary, GRID), ledger)
    told = [(line.layer, line.row, line.field, line.value) for line in ledger if line.field == "counties"]
    assert told == [("villages", "共 1 行", "counties", "V2"), ("zones", "共 1 行", "counties", "Z1"),
                    ("stations", "共 1 行", "counties", "b")]


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=4, max_size=20))
def test_every_station_of_a_partition_counts_exactly_once(places: list[tuple[int, int]]) -> None:
    """On edges and corners as well: the first of the places that touch it takes it."""
    quarters = {f"C{2 * i + j}": {"name": f"{2 * i + j}县",
                                  "geometry": rect(500 * i, 500 * j, 500 * (i + 1), 500 * (j + 1))}
                for i in (0, 1) for j in (0, 1)}
    stations = {f"s{number:02}": at(50 * east, 50 * north) for number, (east, north) in enumerate(places)}
    found = indicators(scene_of(stations=stations, counties=quarters))["stations"]
    slow = pd.Series([f"{2 * (east > 10) + (north > 10)}县" for east, north in places]).value_counts()
    assert found.to_dict() == {name: int(slow.get(name, 0)) for name in found.index}
    assert found.sum() == len(places)
