"""Planned buildings and road works of the toy town as candidates of the future."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from candidate_town import told, town_context
from conftest import X0, Y0, at, rect
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, MultiLineString, affinity

from siteplan.candidates import propose_sites
from siteplan.candidates.kinds import planned, works
from siteplan.candidates.kinds.works import kind_of_works, line_points
from siteplan.params import CandidateParams
from siteplan.surface import Surface

TODAY = dt.date(2026, 6, 30)
PROJECTS = {
    "XM1": {"geometry": rect(100, 100, 140, 150), "name": "一号楼", "use": "办公楼", "storeys": 6.0, "floor_area_m2": 6000.0,
            "completed_on": pd.Timestamp(2028, 3, 1), "filing": "未备案", "source_file": "规划.gpkg", "source_row": "4"},
    "XM2": {"geometry": rect(300, 100, 340, 140), "use": "住宅", "storeys": 3.0},
    "XM3": {"geometry": rect(500, 100, 540, 140), "use": "体育馆", "completed_on": pd.Timestamp(2025, 1, 1)},
    "XM4": {"geometry": rect(700, 100, 740, 140), "use": "商业", "storeys": 5.0,
            "completed_on": pd.Timestamp(2025, 1, 1)},
    "XM5": {"geometry": rect(900, 100, 940, 140), "storeys": 2.0, "completed_on": pd.Timestamp(2027, 1, 1)},
}
BUILT = {"B4": {"geometry": rect(700, 100, 740, 125), "height_m": 19.0, "use": "commercial"}}


def road(east: float, north: float, length: float) -> LineString:
    return LineString([(X0 + east, Y0 + north), (X0 + east + length, Y0 + north)])


WORKS = {
    "GC1": {"geometry": road(100, 500, 350), "name": "一路改造", "kind": "道路改造", "start_date": pd.Timestamp(2026, 1, 1),
            "end_date": pd.Timestamp(2026, 12, 31), "source_file": "工程.gpkg", "source_row": "1"},
    "GC2": {"geometry": road(100, 600, 350), "kind": "新建道路", "end_date": pd.Timestamp(2026, 6, 29)},
    "GC3": {"geometry": road(100, 700, 350), "kind": "综合管廊"},
    "GC4": {"geometry": road(100, 800, 350), "kind": "燃气管网改造"},
    "GC5": {"geometry": road(100, 900, 350), "kind": "技改"},
    "GC6": {"geometry": road(950, 500, 300), "kind": "公路大修", "end_date": pd.Timestamp(2027, 1, 1)},
    "GC7": {"geometry": at(500, 300), "kind": "桥梁", "end_date": pd.Timestamp(2027, 1, 1)},
}


def test_a_planned_roof_is_as_high_as_its_storeys_and_its_class_follows_from_its_use(flat: Surface) -> None:
    sites = planned.propose(town_context(flat, planned_buildings=PROJECTS, as_of=TODAY))
    office, housing, hall = (sites.loc[f"N-planned:XM{number}"] for number in (1, 2, 3))
    # 6 x 3.8 = 22.8 m, a pole of 4 m on it; 3 x 3.0 = 9 m, a roof tower of at least 18 m; sports without storeys is
    # public, 12 m, a roof tower of 9 m on it
    assert office[["mount", "antenna_height_m", "venue_class", "must_open"]].tolist() == [
        "roof_pole", 26.8, "office", False]
    assert housing[["mount", "antenna_height_m", "venue_class", "tier"]].tolist() == ["roof_tower", 18.0, "housing", 6]
    assert hall[["mount", "antenna_height_m", "venue_class", "must_open"]].tolist() == [
        "roof_tower", 21.0, "public_building", True]
    assert office["roof_area_m2"] == 1000.0  # 6000 m2 on 6 storeys, less than the plot of 2000 m2
    assert housing["roof_area_m2"] == 1600.0
    assert set(sites["department"]) == {"住房和城乡建设局"}
    assert office[["owner", "opens", "build", "name"]].tolist() == ["建设单位(名称待补)", "roof", "new", "一号楼"]


def test_the_evidence_of_a_planned_roof_tells_height_year_and_filing(flat: Surface) -> None:
    context = town_context(flat, planned_buildings=PROJECTS, as_of=TODAY)
    sites = planned.propose(context)
    assert sites.loc["N-planned:XM1", "evidence"] == (
        "规划建筑 规划.gpkg 第 4 行;楼高22.8米(6层×3.8米);计划竣工2028-03-01,最早2028年可用;通信设施验收备案:未备案")
    assert "竣工日期未提供" in sites.loc["N-planned:XM2", "evidence"]
    assert "竣工日期2025-01-01已过" in sites.loc["N-planned:XM3", "evidence"]
    assert "层数未提供,按公共默认" in sites.loc["N-planned:XM3", "evidence"]
    assert told(context, "planned_buildings") == [
        "层数未提供,楼高按用途默认", "用途未提供,按其他", "竣工日期未提供,按可用候选保留"]


def test_a_roof_that_is_too_low_is_refused_with_its_own_height(flat: Surface) -> None:
    """Two storeys of housing are 6 m; the mast of at least 18 m on it does not make the roof higher."""
    low = {"XM6": {"geometry": rect(100, 300, 140, 340), "use": "住宅", "storeys": 2.0}}
    context = town_context(flat, planned_buildings={**PROJECTS, **low}, as_of=TODAY,
                           params=CandidateParams(kinds=["planned"]))
    sites = propose_sites(context)
    assert sites.loc["N-planned:XM6", ["status", "refusal_code", "reason"]].tolist() == [
        "refused", "roof_height", "楼顶高6米,须不小于12米"]
    assert sites.loc["N-planned:XM2", "reason"] == "楼顶高9米,须不小于12米"
    assert sites.loc["N-planned:XM1", "status"] == "candidate"
    lower = town_context(flat, planned_buildings=low, params=CandidateParams(kinds=["planned"], roof_min_height_m=6.0))
    assert propose_sites(lower).loc["N-planned:XM6", "status"] == "candidate"


def test_a_venue_on_the_plot_of_a_project_is_named(flat: Surface) -> None:
    context = town_context(flat, planned_buildings=PROJECTS, facilities={
        "F1": {"geometry": at(110, 110), "venue_class": "school"},
        "F2": {"geometry": at(200, 110), "venue_class": "school"}})
    evidence = planned.propose(context)["evidence"]
    assert evidence["N-planned:XM1"].endswith(";范围内现有公共场所 F1")
    assert not evidence.drop("N-planned:XM1").str.contains("现有公共场所").any()


def test_a_project_that_stands_already_is_left_to_the_buildings(flat: Surface) -> None:
    context = town_context(flat, planned_buildings=PROJECTS, buildings=BUILT, as_of=TODAY)
    sites = planned.propose(context)
    assert "N-planned:XM4" not in sites.index  # 25 of its 40 m are built on
    assert "已竣工,现状建筑图层中已有,按现状建筑列候选" in told(context, "planned_buildings")
    early = town_context(flat, planned_buildings=PROJECTS, buildings=BUILT, as_of=dt.date(2024, 6, 30))
    assert "N-planned:XM4" in planned.propose(early).index  # an old house that will go


def test_new_poles_stand_along_road_works_with_equal_rests_at_the_ends(flat: Surface) -> None:
    context = town_context(flat, works=WORKS, as_of=TODAY)
    sites = works.propose(context)
    first = sites[sites["members"] == "GC1"]
    # 350 m at 100 m: four poles, 25 m from both ends
    assert (first.geometry.x - X0).round(6).tolist() == [125.0, 225.0, 325.0, 425.0]
    assert first.index[0] == "W-works:GC1-001"
    row = first.iloc[0]
    assert row[["kind", "mount", "opens", "build", "antenna_height_m", "tier", "name"]].tolist() == [
        "micro", "pole", "pole", "new", 7.5, 2, "一路改造 新杆1"]
    assert row["evidence"] == ("道路工程 工程.gpkg 第 1 行;同步开挖窗口:2026-01-01开工 至 2026-12-31完工;新杆间距100米;"
                               "杆高8米按默认")
    assert (sites["members"] == "GC6").sum() == 1  # of four poles at 0, 100, 200, 300 m only the first is inside


def test_other_works_and_ended_ones_are_told_once(flat: Surface) -> None:
    context = town_context(flat, works=WORKS, as_of=TODAY)
    assert set(works.propose(context)["members"]) == {"GC1", "GC6"}
    lines = {line.reason: line.value for line in context.ledger}
    assert lines == {
        "不是道路工程,不立杆,没有新杆候选": "燃气管网改造、综合管廊", "工程类型不明,没有新杆候选": "GC5",
        "道路工程在 2026-06-30 前已完工,没有新杆候选": "GC2", "道路工程只有一个点,不知走向,没有新杆候选": "GC7"}
    endless = town_context(flat, works={"GC2": WORKS["GC2"]})
    assert len(works.propose(endless)) == 4  # without the day of the study nothing has ended


def test_doubtful_dates_of_works_are_told(flat: Surface) -> None:
    odd = {"GC8": {**WORKS["GC1"], "start_date": pd.Timestamp(2027, 1, 1)},
           "GC9": {"geometry": road(100, 200, 350), "kind": "道路"}}
    context = town_context(flat, works=odd, as_of=TODAY)
    assert len(works.propose(context)) == 8
    assert told(context, "works") == ["开工日期晚于完工日期,按完工日期判断", "没有完工日期,按未完工计"]


def test_a_work_drawn_as_an_area_has_poles_along_its_edge(flat: Surface) -> None:
    area = {"GC1": {"geometry": rect(100, 500, 300, 520), "kind": "道路改造"}}
    sites = works.propose(town_context(flat, works=area, params=CandidateParams(pole_spacing_m=0.0)))
    assert len(sites) == 22  # 440 m of edge at the least spacing of 20 m
    assert sites.geometry.distance(area["GC1"]["geometry"].exterior).max() < 1e-6


def test_no_planned_rows_no_candidates(flat: Surface) -> None:
    context = town_context(flat, as_of=TODAY)
    assert planned.propose(context).empty
    assert works.propose(context).empty
    assert len(context.ledger) == 0


@pytest.mark.parametrize(("kind", "name", "verdict"), [
    ("道路改造", "", "road"), ("道路雨污分流", "", "other"), ("雨污分流", "一路道路雨污分流", "other"), ("", "滨河大桥工程", "road"),
    ("技改", "城南快速路", "road"), ("", "", "unknown")])
def test_works_are_known_by_the_word_that_ends_last(kind: str, name: str, verdict: str) -> None:
    assert kind_of_works(kind, name) == verdict


@given(length=st.floats(1, 3000), spacing=st.floats(20, 500), turn=st.floats(0, 360), back=st.booleans())
def test_points_keep_the_spacing_whichever_way_the_line_was_drawn(length: float, spacing: float, turn: float,
                                                                  back: bool) -> None:
    line = affinity.rotate(LineString([(0, 0), (length, 0)]), turn, origin=(0, 0))
    points = line_points(line.reverse() if back else line, spacing)
    assert np.allclose(points, line_points(line, spacing), atol=1e-6)
    assert len(points) == int(length / spacing + 1e-9) + 1
    assert np.allclose(np.hypot(*np.diff(points, axis=0).T), spacing)


def test_parts_of_a_line_that_meet_are_one_line() -> None:
    parts = MultiLineString([[(0, 0), (150, 0)], [(350, 0), (150, 0)], [(0, 900), (50, 900)]])
    assert line_points(parts, 100.0).tolist() == [[25, 0], [125, 0], [225, 0], [325, 0], [25, 900]]
