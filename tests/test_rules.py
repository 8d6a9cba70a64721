"""Rules: a toy case with hand-worked answers for every rule there is, rules of a study, one operator and every one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pydantic import ValidationError
from shapely import LineString, box
from shapely.geometry import Point

from siteplan.errors import ModelError
from siteplan.gaps.judging.areas import assess_areas, assess_rules
from siteplan.gaps.judging.lines import assess_lines
from siteplan.gaps.judging.networks import assess_networks, judge_operators
from siteplan.gaps.judging.rules import Rule, load_rules, rule_faults, rule_named, rule_of, rules_of
from siteplan.gaps.judging.verdicts import VERDICTS, Signal, judge_indoor, judge_shares
from siteplan.gaps.people.demand import Demand

CRS = "EPSG:4547"
GRID = GeoBox.from_bbox((0, 0, 100, 100), crs=CRS, resolution=10)
COVERED, UNCOVERED, UNKNOWN = Point(25, 50), Point(75, 50), Point(95, 50)


def town(covered_to: int = 5) -> np.ndarray:
    """10 x 10 pixels of 10 m: covered in the west, uncovered in the east, unknown in the easternmost column."""
    probability = np.zeros((10, 10), np.float32)
    probability[:, :covered_to] = 1.0
    probability[:, 9] = np.nan
    return probability


def people() -> Demand:
    """3 people on every pixel of the west, 1 in the east."""
    count = np.ones((10, 10), np.float32)
    count[:, :5] = 3.0
    return Demand(count, "people", GRID)


def strips(**edges: tuple[float, float]) -> gpd.GeoDataFrame:
    """Areas from north to south between two eastings, m."""
    return gpd.GeoDataFrame(geometry=[box(west, 0, east, 100) for west, east in edges.values()], crs=CRS,
                            index=pd.Index(list(edges), name="zone_id"))


def table(rows: dict[str, list[Any]], places: list[Any]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(rows, geometry=places, crs=CRS, index=pd.RangeIndex(len(places)))


def share_case(passes: float, fails: float) -> Callable[[Rule], pd.DataFrame]:
    """Strips from the west edge to ``passes`` and ``fails`` m; 50 m are covered. The open one is unknown land."""
    def case(rule: Rule) -> pd.DataFrame:
        areas = strips(**{"pass": (0, passes), "fail": (0, fails), "not_assessable": (90, 100)})
        return assess_areas(areas, town(), people(), rule)
    return case


def indoor_case(rule: Rule) -> pd.DataFrame:
    """Covered outdoors up to 50 m; 30 built columns of pixels: indoors 1 to 40 m, 0.8 in the column up to 50 m.

    pass: 20 built pixels, all covered indoors. fail: 10 built pixels at 0.8. not_assessable: half the strip's 20
    pixels are unknown land, which may be built as well.
    """
    indoor = np.full((10, 10), np.nan, np.float32)
    indoor[:, 2:4], indoor[:, 4] = 1.0, 0.8
    areas = strips(**{"pass": (20, 40), "fail": (40, 50), "not_assessable": (85, 95)})
    return assess_areas(areas, town(9), people(), rule, indoor=indoor)


def village_case(rule: Rule) -> pd.DataFrame:
    """Committee, school and clinic: all covered; the clinic uncovered; the clinic missing from the data."""
    clinics = {"pass": COVERED, "fail": UNCOVERED}
    rows = [(code, kind, clinics.get(code) if kind == "clinic" else COVERED)
            for code in VERDICTS for kind in ("committee", "school", "clinic")
            if (code, kind) != ("not_assessable", "clinic")]
    points = table({"village_code": [row[0] for row in rows], "kind": [row[1] for row in rows],
                    "exists": [True] * len(rows)}, [row[2] for row in rows])
    areas = strips(**dict.fromkeys(VERDICTS, (0, 100)))
    if rule.operators == "any":
        return assess_areas(areas, town(), people(), rule, points=points)
    best = assess_areas(areas, town(), people(), rule, points=points)
    both = assess_networks(areas, {"移动": Signal(town()), "联通": Signal(town(0))}, people(), rule, points=points)
    return judge_operators(best, both, rule)


def village_4g_case(rule: Rule) -> pd.DataFrame:
    """No point is covered; the 4G site stands 5 km north of the first committee, 5.001 km north of the second.

    Of the third village the committee's place is not known.
    """
    places = {"pass": Point(75, 95), "fail": Point(75, 94), "not_assessable": None}
    points = table({"village_code": list(places), "kind": ["committee"] * 3, "exists": [True] * 3},
                   list(places.values()))
    schools = table({"village_code": list(places), "kind": ["school"] * 3, "exists": [True] * 3}, [UNCOVERED] * 3)
    site = gpd.GeoDataFrame(geometry=[Point(75, 5095)], crs=CRS)
    return assess_areas(strips(**dict.fromkeys(VERDICTS, (0, 100))), town(), people(), rule,
                        points=pd.concat([points, schools]), sites=site)


def key_point_case(rule: Rule) -> pd.DataFrame:
    points = table({"zone_id": ["pass", "pass", "fail", "fail", "not_assessable", "not_assessable"],
                    "name": list("甲乙丙丁戊己")}, [COVERED, COVERED, COVERED, UNCOVERED, COVERED, UNKNOWN])
    return assess_areas(strips(**dict.fromkeys(VERDICTS, (0, 100))), town(), people(), rule, key_points=points)


def line_case(rule: Rule) -> pd.DataFrame:
    """From west to east: 50 of 52 m covered (96.2 %); 50 of 53 m (94.3 %); 10 m unknown beside 10 m covered."""
    lines = table({"name": ["pass", "fail", "not_assessable"], "layer": ["roads", "rail", "water"],
                   "road_class": ["primary", None, None]},
                  [LineString([(0, 5), (52, 5)]), LineString([(0, 15), (53, 15)]), LineString([(80, 25), (100, 25)])])
    probability = town()
    probability[7, 8] = 1.0
    return assess_lines(lines, probability, GRID, rule).sections.set_index("name")


CASES: dict[str, Callable[[Rule], pd.DataFrame]] = {
    "area_share_95": share_case(52.0, 53.0),  # 50/52 = 96.2 %, 50/53 = 94.3 %
    "area_share_98": share_case(51.0, 52.0),  # 98.04 %, 96.2 %
    "area_share_80": share_case(62.0, 63.0),  # 80.6 %, 79.4 %
    "area_98_-90": share_case(51.0, 52.0),
    "area_98_-95": share_case(51.0, 52.0),
    "area_full": share_case(50.5, 51.0),  # 99.01 %, 98.04 %
    "population_share_95": share_case(57.0, 58.0),  # of 15 : 0.7 people 95.5 %, of 15 : 0.8 94.9 %
    "indoor_outdoor_95": indoor_case,
    "village_miit_2025": village_case,
    "village_miit_2025_one": village_case,
    "village_4g_2018": village_4g_case,
    "key_points_all": key_point_case,
    "line_share_95": line_case,
}


@pytest.mark.parametrize("rule_id", list(load_rules()))
def test_every_rule_gives_the_hand_worked_answers(rule_id: str) -> None:
    """Rows are named for the verdict they must get. A rule without a case here fails."""
    rule = rule_named(rule_id)
    judged = CASES[rule_id](rule)
    assert judged["verdict"].to_dict() == {name: name for name in VERDICTS}
    assert (judged["rule"] == rule_id).all()
    lacks = judged["shortfall"]
    assert lacks["pass"] == 0
    assert lacks["fail"] > 0
    assert np.isnan(lacks["not_assessable"])


def test_shortfalls_are_worked_out_by_hand() -> None:
    assert CASES["area_share_95"](rule_named("area_share_95")).at["fail", "shortfall"] == pytest.approx(0.95 - 50 / 53)
    assert CASES["indoor_outdoor_95"](rule_named("indoor_outdoor_95")).at["fail", "shortfall"] == pytest.approx(0.15)
    assert CASES["key_points_all"](rule_named("key_points_all")).at["fail", "shortfall"] == 1
    assert CASES["line_share_95"](rule_named("line_share_95")).at["fail", "shortfall"] == pytest.approx(0.95 - 50 / 53)


def test_every_rule_has_a_source_and_a_sentence_of_its_own() -> None:
    rules = load_rules()
    assert all(len(rule.source) > 10 for rule in rules.values())
    assert len({rule.zh for rule in rules.values()}) == len(rules)


@pytest.mark.parametrize(("rule_id", "said"), [
    ("village_miit_2025", "village_points"), ("village_4g_2018", "village_points"), ("key_points_all", "zone_points"),
])
def test_a_layer_that_is_not_there_is_named_and_nothing_is_judged(rule_id: str, said: str) -> None:
    areas = strips(west=(0, 50), east=(50, 90))
    none = table({"village_code": [], "kind": [], "exists": [], "zone_id": []}, [])
    for given_tables in ({}, {"points": none, "key_points": none}):
        judged = assess_areas(areas, town(), people(), rule_named(rule_id), **given_tables)
        assert judged["verdict"].to_list() == ["not_assessable"] * 2
        assert judged["reason"].str.contains(said, regex=False).all()
        assert judged["shortfall"].isna().all()


def test_without_a_signal_inside_a_rule_of_both_fails_only_what_fails_outdoors() -> None:
    judged = assess_areas(strips(west=(0, 50), east=(50, 90)), town(), people(), rule_named("indoor_outdoor_95"))
    assert judged["verdict"].to_dict() == {"west": "not_assessable", "east": "fail"}
    assert "coverage.indoor" in judged.at["west", "reason"]
    assert np.isnan(judged.at["west", "shortfall"])
    assert judged.at["east", "shortfall"] == pytest.approx(0.95)


def test_a_signal_for_another_threshold_is_not_judged() -> None:
    areas = strips(west=(0, 50))
    rule = rule_named("area_98_-90")
    wrong = assess_areas(areas, town(), people(), rule, threshold_dbm=-105.0).loc["west"]
    assert (wrong["verdict"], np.isnan(wrong["area_share"])) == ("not_assessable", True)
    assert "-90dBm" in wrong["reason"]
    assert assess_areas(areas, town(), people(), rule, threshold_dbm=-90.0).at["west", "verdict"] == "pass"


def test_a_rule_of_lines_does_not_judge_areas() -> None:
    with pytest.raises(ModelError, match="assess_lines"):
        assess_areas(strips(west=(0, 50)), town(), people(), rule_named("line_share_95"))


def test_several_rules_at_once_are_the_same_as_one_by_one() -> None:
    areas = strips(a=(0, 52), b=(0, 58), c=(85, 95))
    rules = [rule_named(name) for name in ("area_share_95", "population_share_95", "key_points_all")]
    at_once = assess_rules(areas, town(), people(), rules)
    for rule in rules:
        pd.testing.assert_frame_equal(at_once[rule.id], assess_areas(areas, town(), people(), rule))


def test_an_area_without_people_has_no_share_and_says_why() -> None:
    empty = Demand(np.zeros((10, 10), np.float32), "people", GRID)
    judged = assess_areas(strips(a=(0, 50)), town(), empty, rule_named("population_share_95")).loc["a"]
    assert np.isnan(judged["demand_share"])
    assert (judged["verdict"], judged["reason"]) == ("not_assessable", "区域内人口(人)为0,无法判定")


def test_an_area_without_buildings_is_judged_outdoors_alone() -> None:
    indoor = np.full((10, 10), np.nan, np.float32)
    judged = assess_areas(strips(west=(0, 50), east=(50, 90)), town(), people(), rule_named("indoor_outdoor_95"),
                          indoor=indoor)
    assert judged["verdict"].to_list() == ["pass", "fail"]
    assert judged["reason"].str.contains("无建筑").all()
    assert judged["indoor_share"].isna().all()


def test_indoor_share_is_that_of_built_pixels_by_their_fractions() -> None:
    """20 m of the strip of 25 m are built at 1.0, 5 m at 0.2: (20 + 5 x 0.2) / 25."""
    indoor = np.full((10, 10), np.nan, np.float32)
    indoor[:, :2], indoor[:, 2] = 1.0, 0.2
    judged = assess_areas(strips(a=(0, 25)), town(), people(), rule_named("area_share_95"), indoor=indoor)
    assert judged.at["a", "indoor_share"] == pytest.approx(21 / 25)


@pytest.mark.parametrize(("committee", "sites", "verdict"), [
    (UNCOVERED, [], "fail"),                        # there is no 4G site at all
    (UNCOVERED, None, "not_assessable"),            # nothing is known of 4G sites
    (None, [Point(0, 90000)], "not_assessable"),    # the committee may lie beside the far site
    (None, [], "fail"),                             # wherever it lies: there is no site
    (UNCOVERED, [Point(0, 90000)], "fail"),
])
def test_a_site_within_5_km_is_ruled_out_only_by_data(committee: Point | None, sites: list[Point] | None,
                                                       verdict: str) -> None:
    points = table({"village_code": ["a", "a"], "kind": ["committee", "school"], "exists": [True, True]},
                   [committee, UNCOVERED])
    given_sites = None if sites is None else gpd.GeoDataFrame(geometry=sites, crs=CRS)
    judged = assess_areas(strips(a=(0, 100)), town(), people(), rule_named("village_4g_2018"), points=points,
                          sites=given_sites)
    assert judged.at["a", "verdict"] == verdict


@pytest.mark.parametrize(("sites", "verdict"), [([], "fail"), ([Point(0, 90000)], "not_assessable")])
def test_a_committee_missing_from_the_data_may_lie_near_a_site(sites: list[Point], verdict: str) -> None:
    points = table({"village_code": ["a"], "kind": ["school"], "exists": [True]}, [UNCOVERED])
    judged = assess_areas(strips(a=(0, 100)), town(), people(), rule_named("village_4g_2018"), points=points,
                          sites=gpd.GeoDataFrame(geometry=sites, crs=CRS))
    assert judged.at["a", "verdict"] == verdict


def test_unknown_land_may_be_built_and_uncovered_inside() -> None:
    """From 50 to 92 m: outdoors 40 of 42 m covered, 2 m unknown. Inside 0.96 on 10 m; with the 2 m: 80 to 96.7 %."""
    indoor = np.full((10, 10), np.nan, np.float32)
    indoor[:, 5] = 0.96
    judged = assess_areas(strips(a=(50, 92), b=(50, 90)), town(9), people(), rule_named("indoor_outdoor_95"),
                          indoor=indoor)
    assert judged["verdict"].to_list() == ["not_assessable", "pass"]


def test_unknown_land_without_people_does_not_matter_for_people() -> None:
    """From 80 to 100 m: half of the land is unknown, and nobody lives there."""
    count = np.ones((10, 10), np.float32)
    count[:, 9] = 0.0
    areas, residents = strips(a=(80, 100)), Demand(count, "people", GRID)
    by_rule = assess_rules(areas, town(9), residents, [rule_named("population_share_95"), rule_named("area_share_95")])
    assert by_rule["population_share_95"].loc["a", ["verdict", "known_share"]].to_list() == ["pass", 1.0]
    assert by_rule["area_share_95"].loc["a", ["verdict", "known_share"]].to_list() == ["not_assessable", 0.5]


@given(share=st.floats(0, 1), known=st.floats(0, 1), minimum=st.floats(0.01, 1))
def test_verdict_is_that_of_both_ends_of_the_unknown(share: float, known: float, minimum: float) -> None:
    """Oracle: try all unknown covered and all uncovered; only where both agree there is a verdict."""
    judged = judge_shares(pd.Series([share]), pd.Series([known]), minimum, "面积覆盖率").iloc[0]
    outcomes = {share * known + unknown >= minimum for unknown in (0.0, 1.0 - known)}
    want = "not_assessable" if len(outcomes) > 1 or known == 0 else "pass" if outcomes.pop() else "fail"
    assert judged["verdict"] == want


@given(share=st.floats(0, 1), built=st.integers(0, 9), unknown=st.integers(0, 9), minimum=st.floats(0.01, 1),
       outdoors=st.sampled_from(VERDICTS))
def test_indoors_unknown_land_may_be_built_or_not(share: float, built: int, unknown: int, minimum: float,
                                                  outdoors: str) -> None:
    """Oracle: any number of the unknown pixels is built, all of them covered inside or none; outdoors either way."""
    lack = {"pass": 0.0, "fail": 0.02, "not_assessable": np.nan}[outdoors]
    before = pd.DataFrame({"verdict": [outdoors], "shortfall": [lack], "reason": ["面积"]})
    known = share if built else np.nan
    judged = judge_indoor(before, *(pd.Series([value]) for value in (known, float(built), float(unknown))), minimum)
    inside = set()
    for more in range(unknown + 1):
        for covered in (0, more):
            count = built + more
            inside.add(count == 0 or (share * built + covered) / count >= minimum - 1e-12 * (more == 0))
    outside = {"pass": {True}, "fail": {False}, "not_assessable": {True, False}}[outdoors]
    outcomes = {indoor and out for indoor in inside for out in outside}
    want = "not_assessable" if len(outcomes) > 1 else "pass" if outcomes.pop() else "fail"
    assert judged.at[0, "verdict"] == want
    assert np.isnan(judged.at[0, "shortfall"]) == (want == "not_assessable")


def networks_of(*verdicts: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    index = pd.MultiIndex.from_product([["a"], [f"网{number}" for number in range(len(verdicts))]])
    lack = [{"pass": 0.0, "fail": 1.0 + number, "not_assessable": np.nan}[word] for number, word in enumerate(verdicts)]
    long = pd.DataFrame({"verdict": list(verdicts), "shortfall": lack, "reason": list(verdicts)}, index=index)
    best = pd.DataFrame({"verdict": ["pass"], "shortfall": [0.0], "reason": ["合并"]}, index=["a"])
    return best, long


def asks(operators: str) -> Rule:
    return Rule(id="r", zh="规则", source="test", measure="area_share", minimum=0.9, operators=operators)


@given(st.lists(st.sampled_from(VERDICTS), max_size=4))
def test_one_and_every_agree_with_all_ways_the_unclear_may_turn_out(verdicts: list[str]) -> None:
    """Oracle: turn each unclear network into pass and into fail; a verdict is what all these worlds share."""
    worlds: list[list[bool]] = [[]]
    for word in verdicts:
        turns = {"pass": [True], "fail": [False], "not_assessable": [True, False]}[word]
        worlds = [[*world, turn] for world in worlds for turn in turns]
    best, long = networks_of(*verdicts)
    for operators, satisfied in (("one", any), ("every", all)):
        outcomes = {satisfied(world) for world in worlds}
        want = "not_assessable" if len(outcomes) > 1 or not verdicts else "pass" if outcomes.pop() else "fail"
        judged = judge_operators(best, long, asks(operators)).loc["a"]
        assert judged["verdict"] == want
        assert np.isnan(judged["shortfall"]) == (want == "not_assessable")
        if want == "fail":
            assert all(f"网{number}" in judged["reason"] for number, word in enumerate(verdicts) if word == "fail")


def test_shortfall_of_operators_is_of_the_nearest_and_of_the_farthest() -> None:
    best, long = networks_of("fail", "fail")
    assert judge_operators(best, long, asks("one")).at["a", "shortfall"] == 1.0
    assert judge_operators(best, long, asks("every")).at["a", "shortfall"] == 2.0


def test_any_operator_leaves_the_table_as_it_is() -> None:
    best, long = networks_of("fail")
    pd.testing.assert_frame_equal(judge_operators(best, long, asks("any")), best)


def test_two_operators_together_are_not_one_alone() -> None:
    """Each network covers one of two points: together the village passes, alone none does."""
    rows = table({"village_code": ["a"] * 3, "kind": ["committee", "school", "clinic"], "exists": [True, True, False]},
                 [COVERED, UNCOVERED, None])
    west, east = np.nan_to_num(town()), 1 - np.nan_to_num(town())
    areas, rule = strips(a=(0, 100)), rule_named("village_miit_2025_one")
    together = assess_areas(areas, np.maximum(west, east), people(), rule, points=rows)
    alone = assess_networks(areas, {"移动": Signal(west), "联通": Signal(east)}, people(), rule, points=rows)
    judged = judge_operators(together, alone, rule).loc["a"]
    assert together.at["a", "verdict"] == "pass"
    assert (judged["verdict"], judged["shortfall"]) == ("fail", 1.0)
    assert "移动、联通均未达标" in judged["reason"]


def test_networks_of_a_shared_ran_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from siteplan.gaps.judging import networks

    calls = []
    monkeypatch.setattr(networks, "assess_areas", lambda *args, **more: calls.append(1) or assess_areas(*args, **more))
    shared = town()
    signals = {"电信": Signal(shared), "联通": Signal(shared), "移动": Signal(town(2))}
    found = assess_networks(strips(b=(0, 50), a=(0, 20)), signals, people(), rule_named("area_share_95"))
    assert len(calls) == 2
    assert list(found.index) == [(area, name) for area in ("b", "a") for name in signals]
    assert found["verdict"].to_list() == ["pass", "pass", "fail", "pass", "pass", "pass"]
    assert found.index.names == ["zone_id", "network"]


def test_sites_count_for_the_network_that_owns_them() -> None:
    points = table({"village_code": ["a"], "kind": ["committee"], "exists": [True]}, [UNCOVERED])
    more = table({"village_code": ["a"] * 3, "kind": ["school", "clinic", "settlement"], "exists": [False] * 3},
                 [None] * 3)
    points = pd.concat([points, more])
    sites = gpd.GeoDataFrame({"networks": ["移动|广电"]}, geometry=[Point(75, 500)], crs=CRS)
    signals = {"移动": Signal(town()), "联通": Signal(town())}
    areas, rule = strips(a=(0, 100)), rule_named("village_4g_2018")
    found = assess_networks(areas, signals, people(), rule, points=points, sites=sites)["verdict"]
    assert found.to_dict() == {("a", "移动"): "pass", ("a", "联通"): "fail"}
    nameless = assess_networks(areas, signals, people(), rule, points=points, sites=sites[["geometry"]])["verdict"]
    assert set(nameless) == {"not_assessable"}


def test_no_network_is_no_verdict() -> None:
    areas, rule = strips(a=(0, 50)), asks("one")
    none = assess_networks(areas, {}, people(), rule)
    assert len(none) == 0
    judged = judge_operators(assess_areas(areas, town(), people(), rule), none, rule).loc["a"]
    assert judged["verdict"] == "not_assessable"
    assert "5G" in judged["reason"]


def test_a_rule_of_the_study_takes_over_fields_of_others() -> None:
    extra = {
        "ours": {"like": "village_miit_2025", "zh": "三类点位,概率九成", "point_probability": 0.9},
        "stricter": {"like": "ours", "zh": "每一家都要覆盖", "operators": "every"},
        "land": {"like": "stricter", "zh": "面积九成", "measure": "area_share", "minimum": 0.9},
    }
    rules = rules_of(extra)
    assert rules["stricter"].kinds == ("committee", "school", "clinic")
    assert (rules["stricter"].point_probability, rules["stricter"].operators) == (0.9, "every")
    assert (rules["land"].kinds, rules["land"].operators) == ((), "every")
    assert {rules[name].source for name in extra} == {"研究文件"}
    assert rules["area_share_95"] is load_rules()["area_share_95"]
    assert rule_named("land", rules).minimum == 0.9


GOOD = {"zh": "规则", "measure": "area_share", "minimum": 0.9}


@pytest.mark.parametrize(("entry", "key", "said"), [
    ({**GOOD, "minimun": 1}, "minimun", "没有这个键"),
    ({**GOOD, "minimum": 95}, "minimum", "不得大于 1"),
    ({**GOOD, "minimum": float("nan")}, "minimum", "取值不对"),
    ({**GOOD, "measure": "area"}, "measure", "只能写"),
    ({**GOOD, "threshold_dbm": 90}, "threshold_dbm", "不得大于 -40"),
    ({**GOOD, "operators": "both"}, "operators", '"any"、"one"、"every"'),
    ({**GOOD, "kinds": ["school"]}, "kinds", "不用这个键"),
    ({**GOOD, "id": "x"}, "id", "没有这个键"),
    ({"measure": "area_share", "minimum": 0.9}, "zh", "缺少必需的键"),
    ({"like": "area_share_95", "minimum": 0.9}, "zh", "缺少必需的键"),
    ({"zh": "规则", "minimum": 0.9}, "measure", "缺少必需的键"),
    ({"zh": "规则", "measure": "area_share"}, "minimum", "未写最低比例"),
    ({"zh": "规则", "measure": "points"}, "kinds", "未写要覆盖哪些点位"),
    ({"zh": "规则", "measure": "points", "kinds": ["shop"]}, "kinds", "只能写"),
    ({"zh": "规则", "measure": "points", "kinds": ["school"], "minimum": 0.5}, "minimum", "全部覆盖"),
    ({"zh": "规则", "measure": "key_points", "classes": ["hospitals"]}, "classes", "hospitals"),
    ({"zh": "规则", "measure": "key_points", "indoor_minimum": 0.5}, "indoor_minimum", "不用这个键"),
    ({"zh": "规则", "measure": "line_share", "minimum": 0.9, "layers": ["rail"], "line_classes": ["国道"]},
     "line_classes", "没有 roads"),
    ({"zh": "规则", "like": "area_share_59"}, "like", "area_share_59"),
    ({"zh": "规则", "like": "mine"}, "like", "绕回"),
    ({"zh": "规则", "like": ["area_share_95"]}, "like", "加引号"),
])
def test_every_fault_of_a_rule_is_told_with_its_key(entry: dict[str, Any], key: str, said: str) -> None:
    faults = rule_faults({"mine": entry})
    assert [(fault[0], fault[1]) for fault in faults] == [("mine", key)]
    assert said in faults[0][2]
    assert faults[0][3]


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    faults = {fault[0]: fault[3] for fault in rule_faults({
        "a": {**GOOD, "minimun": 1}, "b": {"zh": "规则", "like": "area_share_59"},
        "c": {"zh": "规则", "measure": "key_points", "classes": ["hospitals"]}})}
    assert "minimum" in faults["a"]
    assert "area_share_9" in faults["b"]
    assert "hospital" in faults["c"]


def test_all_faults_are_raised_at_once_and_heirs_do_not_repeat_them() -> None:
    extra = {
        "a": {"zh": "规则", "measure": "area_share", "minimum": 95, "colour": "red"},
        "heir": {"zh": "规则", "like": "a"},
        "second": {"zh": "规则", "like": "heir", "operators": "both"},
        "b": {"zh": "规则", "like": "c"}, "c": {"zh": "规则", "like": "b"},
        "lost": {"zh": "规则", "like": "nobody"}, "after": {"zh": "规则", "like": "lost"},
    }
    with pytest.raises(ModelError) as caught:
        rules_of(extra)
    fields = sorted(problem.field for problem in caught.value.problems)
    assert fields == ["gaps.rules.a.colour", "gaps.rules.a.minimum", "gaps.rules.b.like", "gaps.rules.c.like",
                      "gaps.rules.lost.like", "gaps.rules.second.operators"]


def test_good_rules_have_no_fault() -> None:
    assert rule_faults({"a": GOOD, "b": {"zh": "规则", "like": "a"}}) == []


def test_a_single_rule_with_faults_raises_what_the_settings_raise() -> None:
    with pytest.raises(ValidationError):
        rule_of("mine", {"mine": {"zh": "规则", "measure": "points"}})
    with pytest.raises(ModelError, match="village_miit_2025"):
        rule_of("vilage_miit_2025", {})
