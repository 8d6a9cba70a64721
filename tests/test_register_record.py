"""From the deliverables of a plan to the register: a real small plan, and its folder, give the same record."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import CRS, SIZE_M, at, rect
from master_town import study_layers
from shapely import LineString, Point
from test_minimal_studies import rows, shapes, study

from siteplan.export import write_plan
from siteplan.export.master import PlanLayers, plan_layers, read_plan_layers
from siteplan.export.master.fibre_links import fibre_links
from siteplan.export.register_record import record_of
from siteplan.plan import Plan
from siteplan.register import read_rows
from siteplan.register.organisations import default_enterprises, seed_rows
from siteplan.register.sync import PlanRecord, sync_plan
from siteplan.study import run
from siteplan.venues import load_venues
from tests.registers import day, stamp, toy_register

AS_OF = day("2026-01-01")
DECISIONS = {"id": "F1", "action": "疑难", "value": "业主阻挠", "who": "镇街", "date": "2025-06-01", "why": "多次协调未果"}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The town with two schools, of which one is a hard site, and a cable along its southern edge."""
    folder = tmp_path_factory.mktemp("town")
    layers = study_layers(folder)
    shapes(folder / "facilities.gpkg", [rect(700, 700, 780, 780), rect(300, 300, 380, 380)], facility_id=["F1", "F2"],
           name=["锦溪小学", "东门中学"], venue_type=["小学", "中学"], owner=["锦溪小学", "东门中学"])
    shapes(folder / "fibre.gpkg", [LineString([at(0, 0), at(SIZE_M, 0)])], fibre_id=["L1"])
    rows(folder / "decisions.csv", DECISIONS)
    layers |= {"facilities": "facilities.gpkg", "fibre": "fibre.gpkg", "decisions": "decisions.csv"}
    return run(study(folder, layers, study={"as_of": "2026-01-01"}, selection={
        "min_gain": 0.0, "max_yuan_per_gain": 1e8, "max_sites": 4}, **{"selection.phases": {"years": [2026, 2027]}}))


@pytest.fixture(scope="module")
def layers(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> PlanLayers:
    """As the folder of the plan gives them back."""
    out = tmp_path_factory.mktemp("written")
    write_plan(plan, out)
    read = read_plan_layers(out)
    made = plan_layers(plan)
    for name in ("venues", "fibre_links"):
        pd.testing.assert_frame_equal(pd.DataFrame(made.layers[name]), pd.DataFrame(read.layers[name]))
    return read


@pytest.fixture(scope="module")
def record(layers: PlanLayers) -> PlanRecord:
    return record_of(layers, AS_OF, "build/demo")


def test_sites_are_those_of_the_plan_in_codes(plan: Plan, record: PlanRecord) -> None:
    sites, own = record.sites, plan.proposed
    assert sorted(sites.index) == sorted(own.index)
    own = own.loc[sites.index]
    for name in ("name", "kind", "build", "antenna_height_m", "owner", "county", "town", "capex_yuan", "rank_no"):
        assert sites[name].tolist() == own[name].tolist(), name
    assert sites["is_free"].tolist() == own["must_be_free"].tolist()
    assert sites["is_public"].tolist() == own["must_open"].tolist()
    assert sites["build_year"].tolist() == own["build_year"].tolist()
    words = {"ground_tower": "落地塔", "roof_tower": "楼面塔", "roof_pole": "楼面抱杆", "pole": "灯杆", "mast": "现有铁塔"}
    assert sites["mount"].tolist() == [words[code] for code in own["mount"]]
    assert sites.geometry.to_list() == own.geometry.to_list()
    facility = own["source"].isin(["facility", "ground"])
    assert sites["venue"].tolist() == [f"V-facility:{text}" if here else "" for text, here in
                                       zip(own["source_id"], facility, strict=True)]
    assert "V-facility:" in "".join(sites["venue"]), "the town's plan has a site at a school"
    assert (record.name, record.years, record.folder) == (plan.study["name"], (2026, 2027), "build/demo")
    assert record.crs.to_epsg() == 4547
    assert len(record.version) == 12


def test_all_venues_of_the_ledger_come_and_say_which_are_chosen(record: PlanRecord) -> None:
    venues = record.venues
    assert venues["name"].to_dict() == {"V-facility:F1": "锦溪小学", "V-facility:F2": "东门中学"}
    assert set(venues["department"]) == {"教育和体育局"}
    assert venues["must_open"].all()
    chosen = set(record.sites["venue"]) - {""}
    assert set(venues.index[venues["is_chosen"].to_numpy(bool)]) == chosen
    hard = record.sites["venue"] == "V-facility:F1"
    assert record.sites["is_hard"].tolist() == hard.tolist()


def test_links_run_from_each_site_to_the_cable(record: PlanRecord) -> None:
    south = at(0, 0).y
    assert sorted(record.links.index) == sorted(record.sites.index)
    for study_id, line in record.links.geometry.items():
        place = record.sites.geometry[study_id]
        assert line.coords[0] == (place.x, place.y)
        assert line.length == pytest.approx(place.y - south)
        assert line.coords[1] == pytest.approx((place.x, south))


def test_indicators_are_those_of_plan_json_with_their_rules(layers: PlanLayers, record: PlanRecord) -> None:
    table = record.indicators.set_index(["level", "area", "name"])
    before, after = (layers.facts["indicators"][state] for state in ("before", "after"))
    city = table.loc[("city", "", "面积覆盖率")]
    assert city[["now", "planned"]].tolist() == [before["area_share"], after["area_share"]]
    counties = {row["area"]: row for row in layers.facts["results"]["counties"]}
    for name, row in counties.items():
        told = table.loc[("county", name, "行政村达标率")]
        assert told["planned"] == row["village_rate_after"]
        assert told["rule"] == "面积覆盖率不低于95%(任一5G网络)"
    assert table["rule"].fillna("").astype(bool).all(), "every rate names its rule"
    assert not table.index.duplicated().any()
    assert table[["now", "planned"]].notna().any(axis=1).all()


def test_the_record_comes_into_a_register_once(record: PlanRecord, plan: Plan, tmp_path: Path) -> None:
    register = toy_register(tmp_path / "register.gpkg")
    found = sync_plan(register, record, stamp("2026-02-01"))
    assert found.counts()["added"] == len(record.sites)
    assert sync_plan(register, record_of(plan_layers(plan), AS_OF), stamp("2026-02-02")).is_same
    sites = read_rows(register, "sites").set_index("study_id")
    assert sites["capex_yuan"].sum() == plan.proposed["capex_yuan"].sum()
    assert len(read_rows(register, "venues")) == 2
    assert set(read_rows(register, "indicators")["level"]) == {"city", "county", "town"}


def test_a_folder_of_an_earlier_version_has_no_venues_and_no_links(layers: PlanLayers) -> None:
    old = dataclasses.replace(layers, layers={
        name: table.drop(columns=["version", "unit_code"], errors="ignore") for name, table in layers.layers.items()
        if name not in ("venues", "fibre_links")})
    record = record_of(old, AS_OF)
    assert (len(record.venues), len(record.links), record.version) == (0, 0, "")
    assert set(record.sites["venue"]) == {""}


def changed(layers: PlanLayers, **columns: Any) -> PlanRecord:
    sites = layers.layers["sites"].assign(**columns)
    return record_of(dataclasses.replace(layers, layers={**layers.layers, "sites": sites}), AS_OF)


def test_odd_texts_and_numbers_are_texts_and_nothing(layers: PlanLayers) -> None:
    record = changed(layers, name="甲\x07乙\n丙", owner=None, gain_demand=np.inf, department="无主管部门（业主协商）")
    assert set(record.sites["name"]) == {"甲 乙\n丙"}
    assert set(record.sites["owner"]) == {""}
    assert record.sites["gain_demand"].isna().all()
    assert set(record.sites["department"]) == {""}


def test_the_day_of_the_data_is_the_study_s_where_that_is_not_later(layers: PlanLayers) -> None:
    assert record_of(layers, day("2026-05-01")).day == AS_OF
    assert record_of(layers, day("2025-05-01")).day == day("2025-05-01")


# links, worked out by hand


def places(**spots: Any) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=list(spots.values()), index=pd.Index(list(spots), name="site_id"), crs=CRS)


def cable(*shapes_: Any) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=list(shapes_), crs=CRS)


def test_a_link_is_the_shortest_line_to_the_nearest_fibre() -> None:
    sites = places(A=Point(0, 30), B=Point(60, 40), C=Point(10, 0), D=None)
    found = fibre_links(sites, cable(LineString([(-50, 0), (50, 0)]), Point(60, 45), None))
    assert found is not None
    assert found["length_m"].to_dict() == {"A": 30.0, "B": 5.0}
    assert found.geometry.to_wkt().tolist() == ["LINESTRING (0 30, 0 0)", "LINESTRING (60 40, 60 45)"]


@pytest.mark.parametrize("fibre", [None, cable(), cable(Point(0, 0))], ids=["no layer", "no row", "on the fibre"])
def test_without_fibre_there_is_no_layer_of_links(fibre: gpd.GeoDataFrame | None) -> None:
    assert fibre_links(places(A=Point(0, 0)), fibre) is None


# organisations of a new register


def test_organisations_of_a_new_register() -> None:
    catalogue = load_venues()
    found = seed_rows(catalogue, ["东县", "西县"], [("云岭镇", "东县"), ("城关镇", "东县"), ("城关镇", "西县"), ("直属镇", "")])
    table = pd.DataFrame(found).set_index("name")
    assert table.index.is_unique
    assert table["kind"].value_counts()["department"] == len(catalogue.departments) - 2, "without the office and nobody"
    assert table.index[table["kind"] == "office"].tolist() == ["通信建设管理办公室"]
    assert table.index[table["kind"] == "enterprise"].tolist() == list(default_enterprises())
    assert table.index[table["kind"] == "town"].tolist() == ["云岭镇", "东县城关镇", "西县城关镇", "直属镇"]
    assert table.loc["教育和体育局", "words"] == "教育|教体|体育"
    assert int(table.loc[table["kind"].isin(["department", "office"]), "in_group"].sum()) == 15


def test_enterprises_of_the_city_take_the_place_of_the_usual_ones() -> None:
    found = seed_rows(load_venues(), enterprises={"铁塔溪口分公司": ("铁塔",)})
    names = [row["name"] for row in found if row["kind"] == "enterprise"]
    assert names == ["铁塔溪口分公司"]
