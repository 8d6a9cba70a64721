"""Targets of a study on a toy town: five villages side by side, one candidate in each, worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import CRS, at, rect, table

from siteplan.coverage import load_equipment
from siteplan.gaps import Demand, area_pixels, rules_of
from siteplan.gaps.judging.areas import Signal
from siteplan.input_ledger import InputLedger
from siteplan.params import StudyParams
from siteplan.study._areas import judged_under
from siteplan.study._cheapest import why_no_list
from siteplan.study._findings import _targets
from siteplan.surface import Surface

RATE = {"level": "city", "measure": "village_rate", "value": 100, "unit": "%", "by": "2027-12-31", "source": "a test"}
PLACES = {"v1": "甲县", "v2": "甲县", "v3": "乙县", "v4": "乙县", "v5": "乙县"}
COSTS = {"s1": 100.0, "s2": 200.0, "s3": 300.0, "s4": 400.0, "s5": 1.0}
ZONES = {"z1": ("县城主城区", "area_share_95"), "z2": ("旅游景区", "area_share_80")}


def village_points(**changes: Mapping[str, Any]) -> gpd.GeoDataFrame:
    """A committee in the middle of each village (that of v5 without coordinates, but with a school); nothing else."""
    rows: dict[str, dict[str, Any]] = {}
    for number, code in enumerate(PLACES):
        for kind in ("committee", "school", "clinic"):
            rows[f"{code}-{kind}"] = {"village_code": code, "kind": kind, "exists": kind == "committee",
                                      "geometry": at(200 * number + 100, 500) if kind == "committee" else None}
    rows["v5-committee"]["geometry"] = None
    rows["v5-school"] |= {"exists": True, "geometry": at(900, 500)}
    for name, change in changes.items():
        rows[name] = {**rows.get(name, {}), **change}
    return table("village_points", rows)


def town(surface: Surface, targets: Mapping[str, Mapping[str, Any]], *, village_rule: str = "village_miit_2025",
         points: gpd.GeoDataFrame | None = None, rules: Mapping[str, Any] | None = None) -> Any:
    """What targets look at in a scene: villages in strips of 200 m, two zones, each judged by the rule of its type."""
    strips = {code: {"name": f"{code}村", "county": county, "town": "城关镇", "people": 100.0,
                     "geometry": rect(200 * number, 0, 200 * number + 200, 1000)}
              for number, (code, county) in enumerate(PLACES.items())}
    zones = {name: {"name": name, "zone_type": kind, "geometry": rect(500 * number, 0, 500 * number + 500, 1000)}
             for number, (name, (kind, _)) in enumerate(ZONES.items())}
    tables = {"villages": table("villages", strips), "zones": table("zones", zones),
              "village_points": village_points() if points is None else points}
    tables["zones"] = tables["zones"].assign(county="甲县", town="城关镇")
    tables |= {name: table(name, {}) for name in ("stations", "zone_points", "facilities", "towns", "counties")}
    params = StudyParams(study={"name": "玩具镇", "crs": CRS}, layers={}, coverage={"micro_range_m": 80.0},
                         targets={name: {**RATE, **entry} for name, entry in targets.items()})
    known, grid = rules_of(rules or {}), surface.geobox
    return SimpleNamespace(
        params=params, tables=tables, surface=surface, crs=CRS, equipment=load_equipment(), calibration=None,
        demand=Demand(np.ones(grid.shape, np.float32), "people", grid), networks=("移动",), ledger=InputLedger(),
        rules={"villages": known[village_rule], "zones": known["area_share_95"]}, all_rules=known,
        area_rules={"villages": pd.Series(village_rule, tables["villages"].index),
                    "zones": pd.Series([rule for _, rule in ZONES.values()], tables["zones"].index)},
        pixels={name: area_pixels(grid, tables[name]) for name in ("villages", "zones")})


def state_of(scene: Any, probability: np.ndarray, threshold_dbm: float = -105.0) -> Any:
    """How things stand where every network has this signal; each area judged by its own rule."""
    best = Signal(probability, threshold_dbm=threshold_dbm)
    signals = SimpleNamespace(any_network=lambda rule: best, networks=lambda rule: {"移动": best}, sites=None,
                              knows=lambda rule: True)
    areas = {}
    for name in ("villages", "zones"):
        own = scene.area_rules[name]
        parts = [judged_under(scene, name, scene.all_rules[rule], signals)[(own == rule).to_numpy()]
                 for rule in dict.fromkeys(own)]
        areas[name] = pd.concat(parts)
    return SimpleNamespace(signals=signals, areas=areas)


def candidates() -> gpd.GeoDataFrame:
    """A lamp pole at the committee of each village; it reaches no other village's committee."""
    return gpd.GeoDataFrame(
        {"status": "candidate", "kind": "micro", "antenna_height_m": 10.0, "tilt_radius_m": np.nan,
         "cost_yuan": list(COSTS.values()), "county": "", "town": ""},
        geometry=[at(200 * number + 100, 500) for number in range(5)], crs=CRS, index=pd.Index(COSTS, name="site_id"))


def found(scene: Any, probability: np.ndarray, sites: gpd.GeoDataFrame | None = None) -> dict[str, pd.DataFrame]:
    state = state_of(scene, probability)
    return _targets(scene, state, state, candidates() if sites is None else sites)


def dark(surface: Surface) -> np.ndarray:
    return np.zeros(surface.geobox.shape)


def lists(tables: Mapping[str, pd.DataFrame]) -> dict[tuple[str, str], list[str]]:
    """Villages of each list by target and area."""
    cheapest = tables["cheapest"]
    return {key: rows["village_id"].tolist() for key, rows in cheapest.groupby(["target_id", "area"], sort=False)}


def test_a_target_lacks_villages_though_none_fails(flat: Surface) -> None:
    """Nothing is known anywhere: no village fails, all five are still needed, and there is none to list."""
    tables = found(town(flat, {"all": {}}), np.full(flat.geobox.shape, np.nan))
    assert tables["targets"][["needed_before", "not_assessable_before"]].to_numpy().tolist() == [[5, 5]]
    assert "cheapest" not in tables


@pytest.mark.parametrize("rule", ["village_miit_2025", "area_share_95", "population_share_95"])
def test_nothing_to_list_where_nothing_is_known_under_any_measure(flat: Surface, rule: str) -> None:
    assert "cheapest" not in found(town(flat, {"all": {}}, village_rule=rule), np.full(flat.geobox.shape, np.nan))


def test_each_county_has_its_own_list_and_rows_stay_unique(flat: Surface) -> None:
    """Half of each county: one of two, two of three. v5 is cheapest, but nobody knows where its committee is."""
    scene = town(flat, {"half": {"level": "county", "value": 50}, "all": {}})
    tables = found(scene, dark(flat))
    assert lists(tables) == {("half", "乙县"): ["v3", "v4"], ("half", "甲县"): ["v1"],
                             ("all", "全市"): ["v1", "v2", "v3", "v4"]}
    cheapest = tables["cheapest"]
    assert cheapest.index.is_unique
    assert set(cheapest["target"]) == {"到2027年12月31日,各县区达标行政村不低于50%", "到2027年12月31日,全市达标行政村不低于100%"}
    assert cheapest.loc[cheapest["area"] == "乙县", "cumulative_cost_yuan"].tolist() == [300.0, 700.0]


def test_a_town_of_a_county_has_the_villages_of_that_county_only(flat: Surface) -> None:
    scene = town(flat, {"one": {"level": "town", "area": "甲县/城关镇", "value": 50}})
    assert lists(found(scene, dark(flat))) == {("one", "甲县/城关镇"): ["v1"]}


def test_a_village_with_a_point_of_unknown_place_is_never_gained(flat: Surface) -> None:
    """With the committee on the map, v5 is the cheapest; off the grid, or where nothing is known, it is not listed."""
    def listed(place: Any, probability: np.ndarray) -> list[str]:
        points = village_points(**{"v5-committee": {"geometry": place}})
        return lists(found(town(flat, {"one": {"value": 20}}, points=points), probability))[("one", "全市")]

    blind = dark(flat)
    blind[50, 95] = np.nan
    assert listed(at(900, 510), dark(flat)) == ["v5"]
    assert listed(at(2000, 500), dark(flat)) == ["v1"]
    assert listed(at(955, 495), blind) == ["v1"]


def test_settlements_with_few_households_are_not_asked_for(flat: Surface) -> None:
    """v1 has a settlement of 30 households at its candidate and one of 5 that none reaches; v2 has one of 5 alone."""
    rule = {"mine": {"like": "village_miit_2025", "zh": "含自然村", "kinds": ["committee", "settlement"],
                     "least_households": 20}}
    points = village_points(**{
        name: {"village_code": name[:2], "kind": "settlement", "exists": True, "households": number, "geometry": place}
        for name, number, place in (("v1-a", 30, at(110, 500)), ("v1-b", 5, at(100, 900)), ("v2-b", 5, at(300, 500)))})
    scene = town(flat, {"all": {}}, village_rule="mine", rules=rule, points=points)
    assert lists(found(scene, dark(flat))) == {("all", "全市"): ["v1"]}


def test_a_village_too_much_of_which_is_unknown_is_not_listed(flat: Surface) -> None:
    """96 % of v1 is known: it may reach 95 %, but lacks 0.95 of the whole; 90 % of v2 is: it never will."""
    wide = candidates()
    wide["kind"], wide["antenna_height_m"], wide["cost_yuan"] = "macro", 35.0, [100.0, 200.0, 300.0, 400.0, 500.0]
    probability = dark(flat)
    probability[:4, 0:20] = np.nan
    probability[:10, 20:40] = np.nan
    scene = town(flat, {"all": {}}, village_rule="area_share_95")
    tables = found(scene, probability, wide)
    listed = lists(tables)[("all", "全市")]
    assert "v1" in listed
    assert "v2" not in listed


@pytest.mark.parametrize(("rule", "word"), [
    ("village_4g_2018", "4G"), ("village_miit_2025_one", "单个运营商"), ("indoor_outdoor_95", "建筑内"),
])
def test_no_list_under_a_rule_that_asks_for_more_than_the_outdoor_signal(flat: Surface, rule: str, word: str) -> None:
    scene = town(flat, {"all": {"rule": rule}})
    tables = found(scene, dark(flat))
    assert "cheapest" not in tables
    assert tables["targets"]["needed_before"].tolist() == [5]
    [line] = list(scene.ledger)
    assert (line.layer, line.action, line.value) == ("study", "note", rule)
    assert word in line.reason


def test_no_list_at_a_threshold_that_was_not_predicted() -> None:
    rule = rules_of({})["area_98_-90"]
    assert why_no_list(rule, Signal(np.ones((1, 1)), threshold_dbm=-90.0)) == ""
    assert "-90dBm" in why_no_list(rule, Signal(np.ones((1, 1)), threshold_dbm=-105.0))


def test_a_target_under_another_rule_counts_the_villages_under_that_rule(flat: Surface) -> None:
    """The committees of v1 and v2 are covered, the land of v3 alone is: other villages, other numbers."""
    probability = dark(flat)
    probability[45:55, 0:40] = 1.0
    probability[:45, 40:60] = probability[55:, 40:60] = 1.0
    probability[45:55, 40:60] = 0.7
    scene = town(flat, {"points": {}, "land": {"rule": "area_share_95"}})
    told = found(scene, probability)["targets"].set_index("target")
    assert told["rule"].to_dict() == {"points": "village_miit_2025", "land": "area_share_95"}
    assert told["reached_before"].to_dict() == {"points": 2, "land": 1}
    assert told["needed_before"].to_dict() == {"points": 3, "land": 4}
    assert lists(found(scene, probability))[("points", "全市")] == ["v3", "v4"]


def test_a_rule_that_cannot_judge_villages_is_named(flat: Surface) -> None:
    for rule in ("line_share_95", "key_points_all"):
        row = found(town(flat, {"all": {"rule": rule}}), dark(flat))["targets"].iloc[0]
        assert row["status_before"] == "无法判定"
        assert f"没有按规则 {rule} 判定的行政村" in row["reason_before"]


def test_zones_of_several_rules_do_not_stop_the_run(flat: Surface) -> None:
    """Without a rule: of one type, the rule of that type; of all, nothing. With one, both zones are judged by it."""
    zones = {"measure": "full_coverage"}
    scene = town(flat, {"mixed": zones, "typed": {**zones, "zone_types": ["旅游景区"]},
                        "named": {**zones, "rule": "area_share_80"}})
    told = found(scene, np.full(flat.geobox.shape, 0.9))["targets"].set_index("target")
    assert told["status_before"].to_dict() == {"mixed": "无法判定", "typed": "已达成", "named": "已达成"}
    assert "须写 rule" in told.at["mixed", "reason_before"]
    assert pd.isna(told.at["mixed", "needed_before"])
    assert (told.at["typed", "total"], told.at["named", "total"]) == (1, 2)


def test_a_town_that_two_counties_have_does_not_stop_the_run(flat: Surface) -> None:
    row = found(town(flat, {"t": {"level": "town", "area": "城关镇"}}), dark(flat))["targets"].iloc[0]
    assert (row["status_before"], row["status_after"], row["town"]) == ("无法判定", "无法判定", "城关镇")
    assert "乙县、甲县都有“城关镇”,须写“县区/镇街”" in row["reason_before"]


def test_a_study_without_targets(flat: Surface) -> None:
    tables = found(town(flat, {}), dark(flat))
    assert tables["targets"].empty
    assert {"needed_before", "needed_after", "reason_after"} <= set(tables["targets"].columns)
