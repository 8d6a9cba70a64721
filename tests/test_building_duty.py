"""Duty of indoor infrastructure (GB 51456-2023): hand-worked buildings, one for each clause and each thing unknown."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import CRS, at, rect, table
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplan.errors import ModelError
from siteplan.gaps.buildings.building_duty import building_duty
from siteplan.gaps.buildings.building_standard import (
    kinds_of_name,
    kinds_of_use,
    load_building_standard,
    room_conditions,
)
from siteplan.venues import load_venues

SQUARE = rect(0, 0, 50, 20)
"""1,000 m2."""
ORDER = {"none": 0, "should": 1, "must": 2}


def planned(**row: Any) -> pd.Series:
    """Duty of one planned building on 1,000 m2."""
    return building_duty(table("planned_buildings", {"P": {"geometry": SQUARE, **row}})).loc["P"]


def existing(**row: Any) -> pd.Series:
    """Duty of one building on 1,000 m2, with the height that reading fills in."""
    filled = {"geometry": SQUARE, "height_m": 6.0, "height_source": "default", **row}
    return building_duty(table("buildings", {"B": filled})).loc["B"]


@pytest.mark.parametrize("use", ["商业", "办公", "医疗", "文化", "酒店", "交通枢纽", "学校"])
def test_ten_thousand_square_metres_bind_the_seven_named_kinds(use: str) -> None:
    below, reached = planned(use=use, floor_area_m2=9999.0), planned(use=use, floor_area_m2=10_000.0)
    assert (below["duty"], below["clause"]) == ("none", "")
    assert (reached["duty"], reached["clause"]) == ("must", "GB 51456-2023 第3.0.3条第1款")
    assert "建筑面积10000平方米" in reached["reason"]
    assert "应配建" in reached["reason"]


def test_a_stadium_is_judged_by_its_seats_alone() -> None:
    assert planned(use="体育", seats=3000, floor_area_m2=500.0)["duty"] == "must"
    assert planned(use="体育", seats=2999, floor_area_m2=90_000.0)["duty"] == "none"
    unsaid = planned(use="体育", floor_area_m2=90_000.0)
    assert (unsaid["duty"], unsaid["duty_at_most"]) == ("unknown", "must")
    assert "座席数未填" in unsaid["reason"]


def test_other_civil_buildings_are_bound_at_twenty_thousand() -> None:
    assert planned(use="养老院", floor_area_m2=19_999.0)["duty"] == "none"
    reached = planned(use="养老院", floor_area_m2=20_000.0)
    assert (reached["duty"], reached["clause"]) == ("must", "GB 51456-2023 第3.0.3条第3款")


def test_housing_of_seven_storeys_is_advised_and_the_other_reading_is_told() -> None:
    assert planned(use="住宅", storeys=6.0, floor_area_m2=5000.0)["duty"] == "none"
    tall = planned(use="住宅", storeys=7.0, floor_area_m2=5000.0)
    assert (tall["duty"], tall["clause"]) == ("should", "GB 51456-2023 第3.0.4条第1款")
    assert "口径" not in tall["reason"]
    assert "以当地口径为准" in planned(use="住宅", storeys=7.0, floor_area_m2=20_000.0)["reason"]
    assert planned(use="住宅", floor_area_m2=5000.0)["duty"] == "unknown"


def test_industry_is_never_bound_and_a_large_one_is_asked() -> None:
    assert planned(use="工业", floor_area_m2=9000.0)["duty"] == "none"
    large = planned(use="厂房", floor_area_m2=90_000.0)
    assert (large["duty"], large["duty_at_most"]) == ("unknown", "should")
    assert "信息化需求" in large["reason"]


def test_places_below_ground_are_advised_whatever_their_size_and_bound_as_shops() -> None:
    assert planned(use="地下车库", floor_area_m2=300.0)["duty"] == "should"
    assert planned(use="地下商业街", floor_area_m2=300.0)["clause"] == "GB 51456-2023 第3.0.4条第2款"
    assert planned(use="地下商业街", floor_area_m2=12_000.0)["duty"] == "must"


def test_public_buildings_between_the_limits_are_unknown_unless_something_tells_their_kind() -> None:
    duties = [existing(use="public", floor_area_m2=area)["duty"] for area in (9999.0, 10_000.0, 19_999.0, 20_000.0)]
    assert duties == ["none", "unknown", "unknown", "must"]
    named = existing(use="public", floor_area_m2=12_000.0, name="溪西县人民医院")
    assert named["duty"] == "must"
    assert "医疗卫生(按名称)" in named["reason"]
    between = existing(use="public", floor_area_m2=12_000.0, name="某某镇人民政府")
    assert (between["duty"], between["kinds"]) == ("unknown", "office|other_civil")
    assert existing(use="public", floor_area_m2=12_000.0, name="市体育馆")["duty"] == "unknown"


def test_a_facility_on_the_building_tells_its_kind_and_one_beside_it_does_not() -> None:
    buildings = table("buildings", {
        "on": {"geometry": rect(0, 0, 50, 50), "use": "public", "floor_area_m2": 12_000.0},
        "two": {"geometry": rect(100, 0, 150, 50), "use": "public", "floor_area_m2": 12_000.0},
        "beside": {"geometry": rect(200, 0, 250, 50), "use": "public", "floor_area_m2": 12_000.0},
        "house": {"geometry": rect(300, 0, 350, 50), "use": "residential", "storeys": 3.0},
    })
    facilities = table("facilities", {
        "F1": {"geometry": at(25, 25), "venue_class": "school"},
        "F2": {"geometry": at(125, 25), "venue_class": "school"},
        "F3": {"geometry": at(126, 25), "venue_class": "religious"},
        "F4": {"geometry": at(260, 25), "venue_class": "school"},
        "F5": {"geometry": at(325, 25), "venue_class": "school"}, "F6": {"geometry": at(25, 20), "venue_class": "pole"},
        "F7": {"geometry": at(225, 25), "venue_class": "school", "class_confidence": 0.3},
    })
    alone, told = building_duty(buildings), building_duty(buildings, facilities=facilities)
    assert alone["duty"].tolist() == ["unknown"] * 3 + ["none"]
    assert told["duty"].tolist() == ["must", "unknown", "unknown", "none"]
    assert "教育(按设施点)" in told.loc["on", "reason"]
    assert told.loc["house", "kinds"] == "housing"
    with pytest.raises(ModelError, match="EPSG:4326"):
        building_duty(buildings, facilities=facilities.to_crs("EPSG:4326"))


def test_unknown_use_is_decided_only_where_every_kind_agrees() -> None:
    assert existing(use="other", storeys=6.0)["duty"] == "none"
    assert existing(use="other", storeys=8.0)["duty"] == "unknown"
    assert existing(use="other", storeys=40.0)["duty_at_most"] == "must"
    assert existing(use="other", storeys=2.0, seats=5000)["duty"] == "unknown"


def test_floor_area_is_given_estimated_or_unknown() -> None:
    given_ = existing(use="office", storeys=30.0, floor_area_m2=4000.0)
    assert (given_["floor_area_source"], given_["duty"]) == ("given", "none")
    counted = existing(use="office", storeys=15.0)
    assert (counted["floor_area_source"], counted["floor_area_m2"]) == ("estimated", 15_000.0)
    assert "约15000平方米(占地面积×地上层数估算)" in counted["reason"]
    measured = existing(use="office", height_m=57.0, height_source="measured")  # 57 / 3.8 = 15 storeys
    assert (measured["floor_area_m2"], measured["storeys_source"]) == (15_000.0, "estimated")
    default = existing(use="office", height_m=57.0)
    assert default["floor_area_source"] == "unknown"
    assert np.isnan(default["floor_area_m2"])
    assert (default["duty"], default["duty_at_most"]) == ("unknown", "must")
    assert existing(use="office", floor_area_m2=0.0, storeys=15.0)["floor_area_source"] == "estimated"


def test_unknown_storeys_do_not_hide_what_any_number_of_them_gives() -> None:
    assert existing(use="office", geometry=rect(0, 0, 100, 100))["duty"] == "must"
    assert existing(use="office", geometry=rect(0, 0, 10, 30))["duty"] == "none"  # 33 storeys give 9,900 m2


def test_estimates_near_a_limit_are_doubtful_given_areas_are_not() -> None:
    near = [existing(use="office", storeys=float(n))["doubtful"] for n in (7, 8, 12, 13)]
    assert near == [False, True, True, False]
    assert "存疑" in existing(use="office", storeys=8.0)["reason"]
    assert not existing(use="office", floor_area_m2=9999.0)["doubtful"]
    assert existing(use="residential", height_m=21.0, height_source="measured")["doubtful"]
    assert not existing(use="residential", storeys=7.0)["doubtful"]


def test_a_total_over_several_blocks_is_told() -> None:
    blocks = rect(0, 0, 10, 10).union(rect(50, 0, 60, 10))
    several = planned(use="办公", floor_area_m2=15_000.0, geometry=blocks)
    assert several["duty"] == "must"
    assert several["doubtful"]
    assert "逐栋核对" in several["reason"]


def test_missing_columns_and_shapes_give_unknown_and_an_empty_table_an_empty_one() -> None:
    bare = gpd.GeoDataFrame(geometry=[SQUARE, None], crs=CRS, index=["a", "b"])
    assert building_duty(bare)["duty"].tolist() == ["unknown", "unknown"]
    none = building_duty(table("buildings", {}), facilities=table("facilities", {}))
    assert len(none) == 0
    assert "duty" in none


def test_words_of_use() -> None:
    assert kinds_of_use("综合医院").kinds == ("health",)
    assert kinds_of_use("商住楼").kinds == ("housing", "commerce")
    assert kinds_of_use("学生宿舍").kinds == ("housing",)
    assert kinds_of_use("商业、办公").kinds == ("commerce", "office")
    assert "commerce" not in kinds_of_use("公共服务").kinds  # the word 服务 alone would leave shops open
    assert kinds_of_use("公共服务").broad
    assert kinds_of_use("某种用途").zh == "用途不详"
    by_name = [kinds_of_name(name) for name in ("市图书馆", "12号楼", "人民广场")]
    assert [found.kinds if found else None for found in by_name] == [("culture",), None, None]


def test_the_table_is_whole() -> None:
    standard, venues = load_building_standard(), load_venues().classes
    assert {venue for use in standard.uses for venue in use.venues} <= set(venues)
    assert {kind for entry in standard.duties for kind in entry.kinds} == set(standard.kinds)
    words = [word for use in standard.uses for word in use.words]
    assert len(words) == len(set(words))
    codes = [code for use in standard.uses for code in use.codes]
    assert sorted(codes) == ["commercial", "industrial", "office", "other", "public", "residential"]
    rooms = room_conditions()
    assert rooms.loc["floor_load", "value"] == 6.0
    assert rooms.loc["not_beside_transformer", "strength"] == "宜"
    assert rooms["clause"].str.startswith("GB 51456-2023 第4.1.").all()


@given(use=st.sampled_from(["商业", "养老院", "公共", "商住", "住宅", "工业", "地下商业", "体育"]),
       area=st.floats(100.0, 60_000.0) | st.none(), storeys=st.floats(1.0, 33.0) | st.none(),
       seats=st.integers(0, 9000) | st.none())
@settings(max_examples=25)
def test_a_duty_holds_for_every_value_that_what_is_unknown_may_take(
        use: str, area: float | None, storeys: float | None, seats: int | None) -> None:
    """Filling in what is missing never goes beyond what was left open, and never changes a decided duty."""
    row = {"use": use, "floor_area_m2": area, "storeys": storeys if area else None, "geometry": SQUARE}
    if use != "公共":  # seats given to a building of no known kind say that it may be a stadium
        row["seats"] = seats
    known = {name: value for name, value in row.items() if value is not None}
    small = {"floor_area_m2": 1000.0, "storeys": 1.0, "seats": 10, **known}
    large = {"floor_area_m2": 33_000.0, "storeys": 33.0, "seats": 9000, **known}
    if use == "公共":
        small.pop("seats"), large.pop("seats")
    judged = building_duty(table("planned_buildings", {"first": row, "small": small, "large": large}))
    first = judged.loc["first"]
    for other in ("small", "large"):
        if first["duty"] != "unknown":
            assert judged.loc[other, "duty"] == first["duty"]
        assert ORDER[judged.loc[other, "duty_at_most"]] <= ORDER[first["duty_at_most"]]
