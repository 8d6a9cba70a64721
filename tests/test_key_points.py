"""Key points: which of them fall to which zone, and what a zone needs to pass."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import Point

from siteplan.errors import CrsError
from siteplan.gaps.judging.key_points import judge_key_points, points_of_areas
from siteplan.gaps.judging.rules import Rule, rule_named
from siteplan.gaps.judging.verdicts import KeyPoints

CRS = "EPSG:4547"
ALL = rule_named("key_points_all")
ZONES = gpd.GeoDataFrame(geometry=[box(0, 0, 10, 10), box(5, 0, 20, 10), box(50, 0, 60, 10)], crs=CRS,
                         index=pd.Index(["west", "east", "far"], name="zone_id"))


def places(*rows: tuple[str, object, dict[str, object]]) -> gpd.GeoDataFrame:
    """Points by name, place and further columns."""
    facts = pd.DataFrame([{"name": name, **more} for name, _, more in rows])
    return gpd.GeoDataFrame(facts, geometry=[place for _, place, _ in rows], crs=CRS)


def found(points: gpd.GeoDataFrame, rule: Rule = ALL) -> set[tuple[str, str]]:
    got = points_of_areas(ZONES, points, np.ones(len(points)), rule)
    return {(ZONES.index[area], str(name)) for area, name in zip(got.area, got.name, strict=True)}


def test_a_point_with_a_zone_belongs_there_wherever_it_lies() -> None:
    rows = places(("门", Point(55, 5), {"zone_id": "west"}), ("塔", None, {"zone_id": "east"}),
                  ("他", Point(5, 5), {"zone_id": "nobody"}))
    assert found(rows) == {("west", "门"), ("east", "塔")}


def test_a_point_without_a_zone_belongs_to_every_polygon_that_holds_it() -> None:
    rows = places(("内", Point(2, 5), {}), ("叠", Point(7, 5), {}), ("边", Point(20, 5), {}), ("外", Point(30, 5), {}))
    want = {("west", "内"), ("west", "叠"), ("east", "叠"), ("east", "边")}
    assert found(rows) == want
    assert found(rows.assign(zone_id=pd.Series([None] * 4, dtype="str"))) == want


def test_only_venues_of_the_classes_count_and_listed_points_always_do() -> None:
    rule = Rule(id="r", zh="医院", source="test", measure="key_points", classes=("hospital",))
    rows = places(("医", Point(1, 1), {"venue_class": "hospital"}), ("校", Point(1, 1), {"venue_class": "school"}),
                  ("点", Point(1, 1), {"venue_class": None}))
    assert found(rows, rule) == {("west", "医"), ("west", "点")}
    assert len(found(rows)) == 3


def test_a_point_without_a_name_is_told_by_its_id() -> None:
    rows = places(("", Point(1, 1), {}), ("门", Point(1, 1), {})).set_index(pd.Index(["K1", "K2"]))
    assert found(rows) == {("west", "K1"), ("west", "门")}


def test_another_crs_is_refused() -> None:
    with pytest.raises(CrsError, match="CRS"):
        found(places(("门", Point(1, 1), {})).set_crs("EPSG:4549", allow_override=True))


def judged(*chances: float, minimum: float = 1.0) -> pd.Series:
    rule = ALL.model_copy(update={"minimum": minimum})
    names = np.array([f"点{number}" for number in range(len(chances))], object)
    points = KeyPoints(np.zeros(len(chances), np.int64), names, np.array(chances, float), np.arange(len(chances)))
    return judge_key_points(pd.Index(["Z"]), points, rule).loc["Z"]


def test_one_uncovered_point_fails_the_zone_and_is_named() -> None:
    result = judged(0.9, 0.7499, 0.75)
    assert (result["verdict"], result["shortfall"]) == ("fail", 1.0)
    assert result["reason"] == "关键点位3个,未覆盖1个:点1"


def test_no_more_than_five_points_are_named() -> None:
    reason = judged(*[0.1] * 7)["reason"]
    assert reason.endswith("点0、点1、点2、点3、点4等")
    assert "点5" not in reason
    assert judged(*[0.1] * 5)["reason"].endswith("点4")


def test_an_unknown_point_is_neither_covered_nor_uncovered() -> None:
    result = judged(0.9, np.nan)
    assert result["verdict"] == "not_assessable"
    assert "1个无数据:点1" in result["reason"]
    assert judged(0.1, np.nan)["verdict"] == "fail"


def test_a_zone_without_a_point_is_not_assessable() -> None:
    assert judged()["verdict"] == "not_assessable"


@given(st.lists(st.sampled_from([0.9, 0.1, np.nan]), min_size=1, max_size=6),
       st.sampled_from([0.1, 0.25, 0.5, 0.8, 1.0]))
def test_verdict_holds_however_the_unknown_points_turn_out(chances: list[float], minimum: float) -> None:
    """Oracle: count the zone with all unknown points covered and with none; the shortfall is that of the best case."""
    result = judged(*chances, minimum=minimum)
    covered, unknown = chances.count(0.9), sum(np.isnan(chances))
    outcomes = {(covered + more) / len(chances) >= minimum for more in (0, unknown)}
    want = "not_assessable" if len(outcomes) > 1 else "pass" if outcomes.pop() else "fail"
    assert result["verdict"] == want
    if want == "fail":
        lack = int(result["shortfall"])
        assert (covered + unknown + lack) / len(chances) >= minimum > (covered + unknown + lack - 1) / len(chances)
