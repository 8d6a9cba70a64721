"""Complaints: a toy town of a square kilometre by hand, slow twins, and the sample city by shapely and pyproj alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from conftest import CRS, X0, Y0, at, rect, table
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from shapely.geometry import Point

from siteplan.coverage import Coverage, Layer, Network
from siteplan.coverage._spectrum import Spectrum
from siteplan.datums import to_wgs84
from siteplan.errors import CrsError, ModelError
from siteplan.gaps.people.complaint_findings import (
    ANY_ZH,
    FINDING_ZH,
    complaint_rates,
    complaints_without_gap,
    count_findings,
    match_complaints,
    operator_notes,
    operators_named,
)
from siteplan.gaps.people.complaints import complaint_notes, complaint_weight, counted_complaints, duplicate_complaints
from siteplan.gaps.people.demand import Demand
from siteplan.gaps.people.hot_spots import hot_spots
from siteplan.grid import pixel_xy, study_geobox
from siteplan.params import GapParams

CITY = Path(__file__).parents[1] / "data" / "xikou"
GRID = study_geobox((X0, Y0, X0 + 1000, Y0 + 1000), CRS, 10.0)
PARAMS = GapParams(gap_probability=0.75, hot_spot_m=200.0, hot_spot_count=4, complaint_people=20.0)


def coverage_of(geobox: GeoBox, signals: Mapping[Network, tuple[np.ndarray, np.ndarray | None]]) -> Coverage:
    """A coverage of given probabilities outdoors and indoors; nothing else in it is true."""
    empty = np.full(tuple(geobox.shape), np.nan, np.float32)
    nobody = np.full(empty.shape, -1, np.int32)
    layers = tuple(Layer(empty, nobody, outdoors, empty, nobody, nobody.astype(np.int16), empty,
                         None if indoors is None else empty, indoors) for outdoors, indoors in signals.values())
    spectrum = Spectrum((), np.zeros(0, np.int64), np.zeros(0, np.float32), 7.0)
    return Coverage(geobox, tuple(signals), layers, (), -105.0, -105.0, spectrum, np.zeros((0, *empty.shape), np.int64))


@cache
def toy_coverage() -> Coverage:
    """移动 reaches the west up to 400 m, the shared network 电信&联通 up to 600 m; nothing is known from 900 m on.

    At 200..210 m east, 800..810 m north is a hole of one pixel. A house at 100..120 m on both axes is reached indoors
    by 移动 alone. Of 4G there is 移动, everywhere.
    """
    east, north = pixel_xy(GRID, *np.indices(tuple(GRID.shape)))
    east, north = east - X0, north - Y0
    house = (east > 100) & (east < 120) & (north > 100) & (north < 120)
    hole = (east > 200) & (east < 210) & (north > 800) & (north < 810)

    def signal(reach_m: float, inside: float) -> tuple[np.ndarray, np.ndarray]:
        outdoors = np.where((east < reach_m) & ~hole, 0.9, 0.1)
        return np.where(east > 900, np.nan, outdoors), np.where(house, inside, np.nan)

    return coverage_of(GRID, {Network("电信&联通", "5G"): signal(600, 0.2), Network("移动", "4G"): signal(2000, 0.9),
                              Network("移动", "5G"): signal(400, 0.8)})


GAPS = gpd.GeoDataFrame(geometry=[rect(600, 0, 750, 1000), rect(750, 0, 900, 1000)], crs=CRS,
                        index=pd.Index(["G-1", "G-2"], name="gap_id"))
INDOORS = "家中无信号,要到路边才能打电话"


def complaint(east: float, north: float, operator: str | None = None, text: str = "信号弱", **more: Any) -> dict[str, Any]:
    return {"geometry": at(east, north), "operator": operator, "text": text, "date": "2024-05-01", "source": "12345热线",
            "inside": True, **more}


def found_of(*rows: dict[str, Any], technology: str = "5G") -> gpd.GeoDataFrame:
    named = {f"C{number:02d}": row for number, row in enumerate(rows)}
    return match_complaints(table("complaints", named), toy_coverage(), GAPS, PARAMS, technology=technology)


# where, operator, text -> finding, networks, own probability, probability of any, gap, distance
BY_HAND = {
    "in a gap": (complaint(700, 500, "移动"), "in_gap", "移动", 0.1, 0.1, "G-1", 0.0),
    "in the hole, too small to be listed": (complaint(205, 805), "in_gap", ANY_ZH, None, 0.1, "", None),
    "another operator reaches it": (complaint(450, 305, "中国移动"), "operator_gap", "移动", 0.1, 0.9, "G-1", 150.0),
    "one of two does not": (complaint(450, 305, "移动、联通"), "operator_gap", "电信&联通、移动", 0.1, 0.9, "G-1", 150.0),
    "near a gap": (complaint(450, 305, "联通"), "near_gap", "电信&联通", 0.9, 0.9, "G-1", 150.0),
    "not near": (complaint(350, 305, "电信"), "no_gap", "电信&联通", 0.9, 0.9, "", None),
    "in the house, not reached": (complaint(105, 105, "电信"), "indoor_gap", "电信&联通", 0.9, 0.9, "", None),
    "in the house, reached": (complaint(105, 105, "移动"), "no_gap", "移动", 0.9, 0.9, "", None),
    "20 m off, of the inside": (complaint(135, 105, "联通", INDOORS), "indoor_gap", "电信&联通", 0.9, 0.9, "", None),
    "20 m off, not of the inside": (complaint(135, 105, "联通"), "no_gap", "电信&联通", 0.9, 0.9, "", None),
    "40 m off": (complaint(155, 105, "联通", INDOORS), "no_gap", "电信&联通", 0.9, 0.9, "", None),
    "its operator has no network": (complaint(350, 305, "广电"), "no_gap", ANY_ZH, None, 0.9, "", None),
    "nothing is known": (complaint(950, 500, "移动"), "unknown", "移动", None, None, "G-2", 50.0),
    "off the grid": (complaint(1500, 500, "移动", inside=False), "unknown", "移动", None, None, "", None),
    "without a place": (complaint(0, 0) | {"geometry": None}, "unknown", ANY_ZH, None, None, "", None),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_findings_by_hand(case: str) -> None:
    row, finding, networks, own, best, gap, away = BY_HAND[case]
    found = found_of(row).iloc[0]
    assert (found["finding"], found["networks"], found["gap_id"]) == (finding, networks, gap)
    for column, value in (("own_probability", own), ("probability", best), ("gap_distance_m", away)):
        assert found[column] == pytest.approx(np.nan if value is None else value, nan_ok=True), column
    assert found["reason"].startswith(FINDING_ZH[finding])
    assert "nan" not in found["reason"]
    assert found["counted"] == (case not in ("off the grid", "without a place"))


def test_indoors_is_that_of_the_own_network_else_the_best() -> None:
    found = found_of(complaint(105, 105, "电信"), complaint(105, 105, "移动"), complaint(105, 105))
    assert found["indoor_probability"].tolist() == pytest.approx([0.2, 0.8, 0.8])


def test_a_complaint_that_names_no_operator_tells_which_networks_are_weak() -> None:
    found = found_of(complaint(450, 305), complaint(350, 305), complaint(700, 500), complaint(950, 500))
    assert found["weak_networks"].tolist() == ["移动", "", "电信&联通、移动", ""]
    assert ["其中移动未覆盖" in reason for reason in found["reason"]] == [True, False, False, False]


def test_another_crs_is_refused() -> None:
    rows = table("complaints", {"a": complaint(700, 500)})
    moved = rows.set_crs(4548, allow_override=True)
    for told, areas in ((moved, GAPS), (rows, GAPS.set_crs(4548, allow_override=True))):
        with pytest.raises(CrsError, match="one CRS"):
            match_complaints(told, toy_coverage(), areas, PARAMS)
    with pytest.raises(CrsError, match="one CRS"):
        complaint_weight(moved, GRID, PARAMS)


def test_a_network_of_all_serves_every_operator() -> None:
    half = np.where(np.arange(100) < 50, 0.9, 0.2) * np.ones((100, 1))
    coverage = coverage_of(GRID, {Network("*", "5G"): (half, None), Network("移动", "5G"): (half * 0.5, None)})
    rows = table("complaints", {"a": complaint(300, 305, "移动"), "b": complaint(300, 505, "广电")})
    found = match_complaints(rows, coverage, GAPS.iloc[:0], PARAMS)
    assert found["networks"].tolist() == ["全部网络、移动", "全部网络"]
    assert found["own_probability"].tolist() == pytest.approx([0.9, 0.9])
    assert found["weak_networks"].tolist() == ["移动", "移动"]


def test_rates_per_person_by_hand() -> None:
    """40 people live in the hole of one pixel, 4 on every other pixel of the west, nobody further east."""
    probability = toy_coverage().any_5g().probability
    people = np.where(probability >= 0.75, 4.0, 0.0)
    people[np.unravel_index(np.flatnonzero(probability[:, :60] < 0.75), (100, 60))] = 40.0
    told = table("complaints", {"a": complaint(205, 805), "b": complaint(305, 305), "c": complaint(305, 405),
                                "d": complaint(950, 500), "e": complaint(305, 605, inside=False)})
    found = complaint_rates(told, probability, Demand(people, "people", GRID), PARAMS)
    assert found["number"].to_dict() == {"gap": 1, "covered": 2, "unknown": 1}
    covered = 4 * (60 * 100 - 1)
    assert found["per_10000"].tolist() == pytest.approx([1e4 / 40, 2e4 / covered, np.nan], nan_ok=True)
    land = complaint_rates(told, probability, Demand(people, "area_m2", GRID), PARAMS)
    assert land["per_10000"].isna().all()
    assert "代替人口" in land.loc["gap", "demand_zh"]


def test_of_two_operators_the_worse_one_counts_indoors_too() -> None:
    found = found_of(complaint(105, 105, "移动、联通")).iloc[0]
    assert (found["indoor_probability"], found["finding"]) == (pytest.approx(0.2), "indoor_gap")


def test_4g_is_judged_by_4g() -> None:
    found = found_of(complaint(700, 500, "移动"), technology="4G").iloc[0]
    assert (found["networks"], found["own_probability"], found["finding"]) == ("移动", pytest.approx(0.9), "in_gap")
    assert found_of(complaint(450, 305, "移动"), technology="4G").iloc[0]["finding"] == "near_gap"


def test_without_indoor_prediction_nothing_is_said_of_indoors() -> None:
    signals = {Network("移动", "5G"): (np.full(tuple(GRID.shape), 0.9), None)}
    found = match_complaints(table("complaints", {"a": complaint(105, 105, "移动", INDOORS)}), coverage_of(GRID, signals),
                             GAPS, PARAMS).iloc[0]
    assert np.isnan(found["indoor_probability"])
    assert found["finding"] == "no_gap"


def test_no_complaint_and_no_gap() -> None:
    none = table("complaints", {})
    found = match_complaints(none, toy_coverage(), GAPS, PARAMS)
    assert len(found) == 0
    assert count_findings(found)["number"].sum() == 0
    assert count_findings(found)["share"].isna().all()
    assert list(hot_spots(found, PARAMS).columns) == list(hot_spots(found_of(*four(300, 300)), PARAMS).columns)
    assert complaint_notes(none) == ()
    assert complaint_weight(none, GRID, PARAMS).sum() == 0.0
    lonely = match_complaints(table("complaints", {"a": complaint(700, 500)}), toy_coverage(), GAPS.iloc[:0], PARAMS)
    assert lonely[["finding", "gap_id"]].iloc[0].tolist() == ["in_gap", ""]


@pytest.mark.parametrize(("text", "names"), [
    ("中国移动", ("移动",)), ("电信/联通", ("电信", "联通")), ("移动联通均差", ("移动", "联通")), ("CMCC", ("移动",)),
    ("China Unicom用户", ("联通",)), ("yd", ("移动",)), ("today", ()), ("三网", ()), ("Swisscom AG", ("Swisscom",)),
    (None, ()), ("", ())])
def test_operators_of_a_cell(text: str | None, names: tuple[str, ...]) -> None:
    assert set(operators_named(text, ["Swisscom", "电信&联通"])) == set(names)


def test_operators_without_a_network_are_told() -> None:
    told = operator_notes(table("complaints", {str(k): complaint(1, 1, name) for k, name in
                                               enumerate(["广电", "中国广电", "移动", None])}), ["电信&联通", "移动"])
    assert [(line.value, line.row) for line in told] == [("广电", "共 2 条")]
    assert operator_notes(table("complaints", {"a": complaint(1, 1, "广电")}), ["*"]) == ()


def test_unexplained_complaints_are_a_list_of_their_own() -> None:
    found = found_of(*({**row[0], "text": f"{row[0]['text']}{case}"} for case, row in BY_HAND.items()))
    numbers = count_findings(found)
    assert set(found["finding"]) == set(FINDING_ZH)
    assert set(complaints_without_gap(found).index) == {"C05", "C07", "C09", "C10", "C11"}
    assert numbers["number"].sum() == len(BY_HAND) - 2 == found["counted"].sum()
    assert numbers["share"].sum() == pytest.approx(1.0)


REPEATED = {
    "d": complaint(300, 305, text="进村后没有网络，无法扫码"),
    "b": complaint(304, 305, text="进村后没有网络,无法扫码 "),
    "a": complaint(296, 305, text="进村后没有网络无法扫码", inside=False),
    "c": complaint(340, 305, text="进村后没有网络，无法扫码"),
    "e": complaint(300, 305, text="进村后没有网络，无法扫码", date="2024-05-02"),
    "f": complaint(300, 305, text="通话中断"),
    "g": complaint(300, 305, text="进村后没有网络，无法扫码", date=None),
    "h": complaint(300, 305, text="进村后没有网络，无法扫码", date=None),
    "i": complaint(300, 305, text=None), "j": complaint(300, 305, text=None),
}


def test_duplicates_are_of_one_place_day_and_text() -> None:
    """a, b and d are one (of them b lies inside and comes first); undated and wordless ones are not known to be."""
    told = table("complaints", REPEATED)
    repeated = duplicate_complaints(told)
    assert {one: kept for one, kept in repeated.items() if kept} == {"a": "b", "d": "b"}
    assert list(repeated.index) == list(told.index)
    assert set(told.index[counted_complaints(told)]) == set("bcefghij")
    assert set(told.index[counted_complaints(told, dt.date(2024, 5, 2))]) == {"e"}


def test_what_is_left_out_is_told() -> None:
    lines = complaint_notes(table("complaints", {**REPEATED, "z": complaint(1, 1) | {"geometry": None}}))
    assert {line.reason.split(":")[0].split(",")[0]: (line.row, line.value) for line in lines} == {
        "没有日期": ("共 2 条", "g、h"), "在规划范围之外": ("共 1 条", "a"), "没有位置": ("共 1 条", "z"),
        "与另一条同一地点、同一天、内容相同": ("共 2 条", "a、d")}
    assert all(line.action == "note" and line.layer == "complaints" for line in lines)


def test_weight_by_hand() -> None:
    """Eight of the ten count; c lies on a pixel of its own."""
    weight = complaint_weight(table("complaints", REPEATED), GRID, PARAMS)
    row = 100 - 31
    assert {(int(r), int(c)): weight[r, c] for r, c in np.argwhere(weight)} == {(row, 30): 140.0, (row, 34): 20.0}
    mask = np.zeros(weight.shape, bool)
    mask[row, 34] = True
    assert complaint_weight(table("complaints", REPEATED), GRID, PARAMS, mask=mask).sum() == 20.0
    assert complaint_weight(table("complaints", REPEATED), GRID, PARAMS, since=dt.date(2024, 5, 2)).sum() == 20.0
    with pytest.raises(ModelError, match="mask"):
        complaint_weight(table("complaints", REPEATED), GRID, PARAMS, mask=mask[:3])


ROWS = st.lists(st.tuples(
    st.integers(-4, 104), st.integers(-4, 104), st.sampled_from(["弱", "断", None]),
    st.sampled_from(["05-01", "05-02", None]),
    st.sampled_from([True, False, None]), st.sampled_from(["移动", "联通", None])), min_size=1, max_size=25)


def drawn(rows: list[tuple[Any, ...]]) -> gpd.GeoDataFrame:
    """Complaints on a mesh of 10 m, so that several share their place."""
    return table("complaints", {f"C{number:02d}": complaint(
        10 * col + 5, 10 * row + 5, operator, text, date=day and f"2024-{day}", inside=inside)
        for number, (col, row, text, day, inside, operator) in enumerate(rows)})


@given(ROWS)
def test_weight_is_conserved(rows: list[tuple[Any, ...]]) -> None:
    """Its sum is that of the complaints that count, recounted in a plain loop: the first of its kind that is inside.

    On the mesh of 10 m neighbours touch the tolerance of 10 m, so the rows are spread out to 30 m first.
    """
    spread = [(3 * (col // 3), 3 * (row // 3), *rest) for col, row, *rest in rows]
    told = drawn(spread)
    seen: set[Any] = set()
    kept = 0
    for col, row, text, day, inside, _ in spread:
        if inside is False:
            continue
        known = text is not None and day is not None
        new = not known or (col, row, text, day) not in seen
        seen.add((col, row, text, day))
        kept += new and 0 <= col < 100 and 0 <= row < 100
    weight = complaint_weight(told, GRID, PARAMS)
    assert weight.sum() == 20.0 * kept
    west = np.zeros(weight.shape, bool)
    west[:, :50] = True
    assert complaint_weight(told, GRID, PARAMS, mask=west).sum() + complaint_weight(
        told, GRID, PARAMS, mask=~west).sum() == weight.sum()


@settings(max_examples=15)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[tuple[Any, ...]], random: Any) -> None:
    told = drawn(rows)
    order = list(range(len(told)))
    random.shuffle(order)
    mixed, few = told.iloc[order], GapParams(hot_spot_count=2)
    pd.testing.assert_series_equal(duplicate_complaints(mixed).sort_index(), duplicate_complaints(told).sort_index())
    assert np.array_equal(complaint_weight(mixed, GRID, PARAMS), complaint_weight(told, GRID, PARAMS))
    before, after = (match_complaints(part, toy_coverage(), GAPS, few) for part in (told, mixed))
    pd.testing.assert_frame_equal(before, after)
    pd.testing.assert_frame_equal(hot_spots(before, few), hot_spots(after.iloc[order], few))
    assert complaint_notes(told) == complaint_notes(mixed)


def four(east: float, north: float, operator: str = "移动", day: int = 1) -> list[dict[str, Any]]:
    """Four complaints 50 m around a place, on four days."""
    steps = ((-50, 0), (50, 0), (0, -50), (0, 50))
    return [complaint(east + right, north + up, operator, date=f"2024-05-{day + k:02d}", status="已办结")
            for k, (right, up) in enumerate(steps)]


def test_hot_spots_by_hand() -> None:
    """Four in the gap and one more of another source; four at its edge, later; three elsewhere are none."""
    far = [complaint(100 + 10 * k, 900, "移动") for k in range(3)]
    beside = complaint(700, 300, None, date=None, source="市长信箱")
    villages = gpd.GeoDataFrame({"name": ["甲村", "乙村"]}, geometry=[rect(0, 0, 500, 1000), rect(500, 0, 1000, 1000)],
                                crs=CRS, index=pd.Index(["1", "2"], name="village_code"))
    zones = gpd.GeoDataFrame({"name": ["工业园", "景区"]}, crs=CRS,
                             geometry=[rect(0, 0, 100, 100), rect(260, 300, 280, 320)],
                             index=pd.Index(["Z1", "Z2"], name="zone_id"))
    matched = found_of(*four(700, 300), beside, *four(300, 305, "联通", 11), *far)
    found = hot_spots(matched, PARAMS, villages=villages, zones=zones)
    assert found["rank_no"].tolist() == [1, 2]
    assert found["count"].tolist() == [5, 4]
    first, second = found.iloc[0], found.iloc[1]
    assert first[["sources", "operators", "statuses"]].tolist() == ["12345热线4、市长信箱1", "移动4、未注明1", "已办结4、未注明1"]
    assert (first["first_date"], first["last_date"], first["undated"]) == (
        pd.Timestamp("2024-05-01"), pd.Timestamp("2024-05-04"), 1)
    assert first[["in_gap_share", "finding", "gap_ids", "village", "zone"]].tolist() == [1.0, "in_gap", "G-1", "乙村", ""]
    assert second[["in_gap_share", "finding", "gap_ids", "village", "zone"]].tolist() == [0.0, "no_gap", "", "甲村", "景区"]
    assert first["complaint_ids"] == "C00、C01、C02、C03、C04"
    # a square of 50 sqrt 2 m on a side, widened by 50 m
    assert first.geometry.area == pytest.approx(5000 + 4 * 50 * np.sqrt(2) * 50 + np.pi * 50**2, rel=0.01)
    assert list(found.index) == [f"H-{X0 + 700:.0f}-{Y0 + 300:.0f}", f"H-{X0 + 300:.0f}-{Y0 + 300:.0f}"]


def test_a_hot_spot_keeps_its_id_when_others_come_and_complaints_are_added() -> None:
    alone = hot_spots(found_of(*four(700, 300)), PARAMS)
    joined = hot_spots(found_of(*four(300, 305), *four(150, 150), *four(700, 300), complaint(710, 310)), PARAMS)
    assert set(alone.index) < set(joined.index)
    assert len(joined) == 2  # the two in the west lie within 200 m of each other: one hot spot of eight
    assert joined["count"].tolist() == [8, 5]


def test_unknown_neither_leads_nor_counts_in_the_share() -> None:
    """Two in the gap, two where nothing is known; of two zones at the centre the one with the lower id is told."""
    matched = found_of(*(complaint(east, 305, text=str(east)) for east in (860, 880, 920, 940)))
    zones = gpd.GeoDataFrame({"name": ["乙区", "甲区"]}, geometry=[rect(800, 200, 1000, 400), rect(850, 250, 950, 350)],
                             crs=CRS, index=pd.Index(["Z2", "Z1"], name="zone_id"))
    found = hot_spots(matched, PARAMS, zones=zones).iloc[0]
    assert found[["in_gap_share", "finding", "zone", "gap_ids"]].tolist() == [1.0, "in_gap", "甲区", "G-2"]
    blind = hot_spots(found_of(*(complaint(920 + 10 * k, 305, text=str(k)) for k in range(4))), PARAMS).iloc[0]
    assert np.isnan(blind["in_gap_share"])
    assert blind["finding"] == "unknown"


def test_complaints_at_one_address_have_an_area() -> None:
    rows = [complaint(300, 300, date=f"2024-05-{day:02d}") for day in range(1, 5)]
    assert hot_spots(found_of(*rows), PARAMS).geometry.area.iloc[0] == pytest.approx(np.pi * 50**2, rel=0.01)
    assert hot_spots(found_of(*rows[:1] * 4), PARAMS).empty  # one complaint, told four times


def test_recent_hot_spots_only() -> None:
    matched = found_of(*four(700, 300), *four(300, 300, day=11))
    assert len(hot_spots(matched, PARAMS)) == 2
    assert hot_spots(matched, PARAMS, since=dt.date(2024, 5, 10))["last_date"].tolist() == [pd.Timestamp("2024-05-14")]


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), min_size=4, max_size=40, unique=True))
def test_hot_spots_against_plain_distances(places: list[tuple[int, int]]) -> None:
    """Slow twin: complaints with four within 200 m, joined where they lie within 200 m of each other."""
    matched = found_of(*(complaint(east, north, date=None) for east, north in places))
    xy = np.array(places, dtype=float)
    near = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) <= 200.0
    cores = {k for k in range(len(xy)) if near[k].sum() >= 4}
    left, groups = set(cores), []
    while left:
        group, edge = set(), [min(left)]
        while edge:
            one = edge.pop()
            group.add(one)
            edge += [k for k in sorted(left - group - set(edge)) if near[one, k]]
        groups.append(group)
        left -= group
    found = [{int(one[1:]) for one in ids.split("、")} for ids in hot_spots(matched, PARAMS)["complaint_ids"]]
    assert sorted(sorted(ids & cores) for ids in found) == sorted(sorted(group) for group in groups)
    edges = [one for ids in found for one in ids - cores]
    assert sorted(edges) == sorted({k for k in range(len(xy)) if k not in cores and near[k, list(cores)].any()})
    assert all(near[one, sorted(ids & cores)].any() for ids in found for one in ids)


@pytest.fixture(scope="module")
def city() -> gpd.GeoDataFrame:
    from siteplan.layers import inspect_layers
    from siteplan.params import LayerSource

    sources = {"complaints": LayerSource(path="complaints.csv", datum="gcj02"),
               "boundary": LayerSource(path="boundary.geojson")}
    return inspect_layers(sources, CRS, CITY).table("complaints")


def test_sample_city_recounted_with_pyproj_and_shapely(city: gpd.GeoDataFrame) -> None:
    """Three stripes (uncovered, covered by 移动 alone, by all) over the city; the rows of the file are laid on them.

    The columns are turned into metres here by the datum formulas and pyproj, without any code of reading and gaps.
    """
    rows = pd.read_csv(CITY / "complaints.csv", encoding="utf-8-sig").set_index("工单编号")
    lon, lat = to_wgs84(rows["经度"].to_numpy(), rows["纬度"].to_numpy(), "gcj02")
    x, y = pyproj.Transformer.from_crs("EPSG:4490", CRS, always_xy=True).transform(lon, lat)
    west, east = (round(float(np.quantile(x, part)), -1) for part in (0.4, 0.7))
    grid = study_geobox((x.min() - 300, y.min() - 300, x.max() + 300, y.max() + 300), CRS, 10.0)
    across, _ = pixel_xy(grid, *np.indices(tuple(grid.shape)))
    mobile, other = np.where(across < west, 0.0, 1.0), np.where(across < east, 0.0, 1.0)
    coverage = coverage_of(grid, {Network("电信&联通", "5G"): (other, None), Network("移动", "5G"): (mobile, None)})
    left, bottom, _, top = grid.boundingbox
    gap = shapely.box(left, bottom, west, top)
    areas = gpd.GeoDataFrame(geometry=[gap], crs=CRS, index=pd.Index(["G"], name="gap_id"))
    found = match_complaints(city, coverage, areas, PARAMS)

    expected = {}
    for one, operator, place in zip(rows.index, rows["运营商"], map(Point, x, y), strict=True):
        lacking = operator in ("电信", "联通") and west <= place.x < east
        expected[one] = ("in_gap" if gap.covers(place) else "operator_gap" if lacking
                         else "near_gap" if gap.distance(place) <= PARAMS.hot_spot_m else "no_gap")
    assert found["finding"].to_dict() == expected
    assert set(expected.values()) == {"in_gap", "operator_gap", "near_gap", "no_gap"}
    away = [gap.distance(Point(*place)) for place in zip(x, y, strict=True)]
    told = found["gap_distance_m"].reindex(rows.index)
    assert np.allclose(told[told.notna()], np.array(away)[told.notna()], atol=0.2)
    assert complaint_weight(city, grid, PARAMS).sum() == 20.0 * len(rows) == 20.0 * found["counted"].sum()


def test_sample_city_has_one_complaint_without_a_date(city: gpd.GeoDataFrame) -> None:
    assert [(line.field, line.value) for line in complaint_notes(city)] == [("date", "RX2023110061")]
