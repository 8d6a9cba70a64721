"""Works lists in the register: what came, moved, left; suggestions accepted and declined; in both stores."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from shapely import LineString, Point, Polygon, affinity

from siteplan.errors import RegisterError
from siteplan.layers import read_list
from siteplan.register import Register, Stamp, add_rows, edit_rows, read_events, read_rows, writing
from siteplan.register.works import (
    WorksChange,
    accept_match,
    change_lines,
    decline_match,
    import_works,
    match_works,
    record_suggestions,
    works_of_layers,
)
from tests.joint_street import AS_OF, CRS, STREET
from tests.registers import day, moment, stamp

LIST = "道路开挖计划"
ROAD: dict[str, Any] = {"work_no": "D1", "name": "滨河路改造", "kind": "道路改造", "works_owner": "市政工程处",
                        "start_on": "2026-09-01", "end_on": "2027-03-31", "geometry": STREET}
SIDE: dict[str, Any] = {**ROAD, "work_no": None, "name": "新民路改造", "geometry": affinity.translate(STREET, 0, 500)}
SITE = {"name": "甲", "state": "储备", "mount": "pole", "build": "新建", "phase_year": 2028, "geometry": Point(100, 8)}


def bring(register: Register, rows: list[dict[str, Any]], on: str, name: str = LIST, **more: Any) -> WorksChange:
    with writing(register, stamp(on)) as transaction:
        return import_works(transaction, rows, name, day(on), **more)


def refused(register: Register, rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Row, field and reason of every problem of a list that is not taken."""
    with pytest.raises(RegisterError) as caught:
        bring(register, rows, "2026-02-01")
    assert not len(read_rows(register, "works"))
    return [(problem.row, problem.field, problem.reason) for problem in caught.value.problems]


def a_site(register: Register) -> str:
    with writing(register, stamp("2026-01-10")) as transaction:
        return add_rows(transaction, "sites", [SITE])[0]


def test_a_new_list_adds_moves_and_retires(register: Register) -> None:
    first = bring(register, [ROAD, SIDE], "2026-01-31")
    assert (first.added, first.gone, first.changed) == (("GC000001", "GC000002"), (), ())
    later = {**ROAD, "start_on": "2026-10-16", "end_on": "2027-03-01", "geometry": affinity.translate(STREET, 5, 0)}
    new = {**ROAD, "work_no": "D9", "name": "沿溪路", "geometry": affinity.translate(STREET, 0, -800)}
    second = bring(register, [new, later], "2026-07-31")
    assert (second.added, second.gone, second.same) == (("GC000003",), ("GC000002",), 0)
    (move,) = second.changed
    assert (move.work_id, move.start_days, move.end_days, move.is_elsewhere) == ("GC000001", 45, -30, True)
    assert move.text == ("滨河路改造(GC000001):开工推迟45天(2026-09-01→2026-10-16),完工提前30天(2027-03-31→2027-03-01),"
                         "位置有变")
    table = read_rows(register, "works")
    assert table["is_current"].tolist() == [True, False, True]
    assert str(read_rows(register, "works", day("2026-07-30")).loc["GC000001", "start_on"].date()) == "2026-09-01"
    assert change_lines(second, table)[0] == (
        "工程清单“道路开挖计划”(2026-07-31):新增1项、变更1项、不再列入1项、重新列入0项、未变0项")
    assert set(read_events(register, table="works", field="is_current")["why"]) == {"工程清单“道路开挖计划”(2026-07-31)"}


def test_a_list_that_is_read_twice_changes_nothing(register: Register) -> None:
    bring(register, [ROAD, SIDE], "2026-01-31")
    again = bring(register, [SIDE, ROAD], "2026-02-28")
    assert (again.added, again.changed, again.gone, again.same) == ((), (), (), 2)
    assert not len(read_events(register, after=day("2026-01-31")))


def test_a_works_that_is_listed_again_is_current_again(register: Register) -> None:
    bring(register, [ROAD, SIDE], "2026-01-31")
    bring(register, [ROAD], "2026-02-28")
    back = bring(register, [ROAD, SIDE], "2026-03-31")
    assert (back.added, back.returned) == ((), ("GC000002",))
    assert read_rows(register, "works")["is_current"].all()


def test_works_without_a_number_are_known_by_name_kind_and_place(register: Register) -> None:
    bring(register, [SIDE], "2026-01-31")
    redrawn = {**SIDE, "geometry": affinity.translate(SIDE["geometry"], 20, 3)}
    numbered = bring(register, [{**redrawn, "work_no": "D7"}], "2026-02-28")
    assert [(move.work_id, move.fields) for move in numbered.changed] == [("GC000001", ("work_no", "geometry"))]
    elsewhere = {**SIDE, "geometry": affinity.translate(SIDE["geometry"], 0, 300)}
    moved = bring(register, [elsewhere], "2026-03-31")
    assert (moved.added, moved.gone) == (("GC000002",), ("GC000001",))


def test_other_lists_stay_unless_they_are_replaced(register: Register) -> None:
    bring(register, [ROAD], "2026-01-31", "住建局清单")
    other = bring(register, [SIDE], "2026-02-28", "交通局清单")
    assert (other.gone, other.notes) == ((), ("其他清单的1项工程不受影响",))
    joint = bring(register, [SIDE], "2026-03-31", "全市清单", replaces=["住建局清单", "交通局清单"])
    assert (joint.gone, joint.same) == (("GC000001",), 1)
    assert read_rows(register, "works").loc["GC000002", "list_name"] == "全市清单"


def test_an_empty_cell_empties_but_a_column_that_is_not_given_stays(register: Register) -> None:
    bring(register, [ROAD, SIDE], "2026-01-31")
    rows = [{**ROAD, "works_owner": None, "start_on": None}, {**SIDE, "works_owner": None}]
    (move,) = bring(register, rows, "2026-02-28").changed
    assert move.fields == ("start_on",)
    assert (move.start_days, move.text) == (None, "滨河路改造(GC000001):开工日期由2026-09-01改为未提供")
    assert set(read_rows(register, "works")["works_owner"]) == {"市政工程处"}


def test_everything_that_is_wrong_with_a_list_is_named_once_and_nothing_of_it_is_taken(register: Register) -> None:
    rows = [ROAD, {**ROAD, "name": "重号"}, {**SIDE, "start_on": "2027-09-01"}, {**SIDE, "kind": "绿化", "name": "河岸"},
            {**SIDE, "geometry": None, "name": "无位置"}, {**SIDE, "name": None, "floor_area_m2": "很大"},
            {**SIDE, "kind": None, "name": "无类型", "start_on": "九月", "source_row": "第12行"}]
    assert refused(register, rows) == [
        ("3", "end_on", "计划完工 2027-03-31 早于计划开工 2027-09-01"), ("4", "kind", "“绿化”不是可用的取值"),
        ("5", "geometry", "没有位置"), ("6", "floor_area_m2", "“很大”不是数"), ("6", "name", "工程名称为空"),
        ("第12行", "start_on", "“九月”不是日期"), ("第12行", "kind", "工程类型为空"),
        ("2", "work_no", "工程编号 D1 与第 1 行重复")]


def test_the_same_works_twice_without_a_number_is_a_problem(register: Register) -> None:
    assert refused(register, [SIDE, {**SIDE, "geometry": affinity.translate(SIDE["geometry"], 10, 0)}]) == [
        ("2", "name", "与第 1 行同名、同类、同一位置")]


def test_a_list_without_rows_retires_nothing(register: Register) -> None:
    assert refused(register, []) == [("", "", "清单没有一行")]


def test_parts_of_one_street_that_only_meet_are_two_works(register: Register) -> None:
    parts = [{**SIDE, "geometry": LineString([(east, 0), (east + 300, 0)])} for east in (0, 300)]
    assert len(bring(register, parts, "2026-01-31").added) == 2


def test_kinds_taken_by_words_and_mended_shapes_are_noted(register: Register) -> None:
    bow = Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])
    done = bring(register, [{**ROAD, "kind": "雨污分流"}, {**SIDE, "kind": "招商", "geometry": bow}], "2026-01-31")
    assert done.notes == ("工程类型“招商”按“建设项目”计(1行)", "工程类型“雨污分流”按“综合管廊”计(1行)", "1行的图形自相交,已修正")
    assert read_rows(register, "works")["kind"].tolist() == ["gallery", "building"]


def test_an_accepted_match_sets_works_and_year_and_is_told_when_the_works_move(register: Register) -> None:
    site = a_site(register)
    bring(register, [ROAD], "2026-01-31")
    with writing(register, stamp("2026-05-20")) as transaction:
        accept_match(transaction, "GC000001", site, 2026, "例会议定")
    row = read_rows(register, "sites").loc[site]
    assert (row["joint_work"], row["phase_year"]) == ("GC000001", 2026.0)
    (event,) = read_events(register, table="sites", field="phase_year").to_dict("records")
    assert event["why"] == "与“滨河路改造”(GC000001)同步实施,计划年度由2028年改为2026年;例会议定"
    kept = read_rows(register, "joint_matches")
    assert kept[["work_id", "site_id", "state", "year"]].to_numpy().tolist() == [["GC000001", site, "accepted", 2026.0]]
    moved = bring(register, [{**ROAD, "start_on": "2026-12-01"}], "2026-07-31")
    assert moved.affected == ((site, "GC000001"),)
    assert "须复核:站址 ZZ000001 已定与 滨河路改造(GC000001) 同步实施" in change_lines(moved, read_rows(register, "works"))
    assert bring(register, [SIDE], "2026-08-31").affected == ((site, "GC000001"),)


def test_suggestions_are_kept_and_a_declined_one_is_not_made_again(register: Register) -> None:
    site = a_site(register)
    bring(register, [ROAD], "2026-01-31")

    def suggest(on: dt.date) -> int:
        tables = [read_rows(register, name) for name in ("sites", "links", "works", "joint_matches")]
        with writing(register, Stamp("测试员", on, moment(on))) as transaction:
            return record_suggestions(transaction, match_works(*tables[:3], on, decided=tables[3]))
    assert suggest(AS_OF) == 1
    assert suggest(AS_OF) == 0
    assert read_rows(register, "joint_matches")[["state", "year", "saving_yuan"]].to_numpy().tolist() == [
        ["suggested", 2026.0, 10000.0]]
    assert suggest(day("2026-06-02")) == 1, "filed a day later it is the year of the end"
    assert read_rows(register, "joint_matches")["year"].tolist() == [2027.0]
    with writing(register, stamp("2026-06-30")) as transaction:
        decline_match(transaction, "GC000001", site, "杆位与行道树冲突")
    assert suggest(day("2026-06-30")) == 0
    (row,) = read_rows(register, "joint_matches").to_dict("records")
    assert (row["state"], row["why"], str(row["decided_on"].date())) == ("declined", "杆位与行道树冲突", "2026-06-30")


def test_another_works_takes_the_place_of_the_one_accepted_before(register: Register) -> None:
    site = a_site(register)
    bring(register, [ROAD, SIDE], "2026-01-31")
    for number, work in enumerate(("GC000001", "GC000002")):
        with writing(register, stamp(f"2026-05-1{number}")) as transaction:
            accept_match(transaction, work, site, 2026)
    assert read_rows(register, "sites").loc[site, "joint_work"] == "GC000002"
    assert read_rows(register, "joint_matches")["state"].tolist() == ["declined", "accepted"]
    with writing(register, stamp("2026-05-20")) as transaction:
        decline_match(transaction, "GC000002", site, "业主不同意")
    assert read_rows(register, "sites")["joint_work"].isna().all()


def test_a_match_that_cannot_be_is_refused_by_name(register: Register) -> None:
    site = a_site(register)
    bring(register, [ROAD, SIDE], "2026-01-31")
    bring(register, [ROAD], "2026-02-28")

    def fields(*asked: Any) -> set[str]:
        with pytest.raises(RegisterError) as caught, writing(register, stamp("2026-05-20")) as transaction:
            accept_match(transaction, *asked)
        return {f"{problem.field}:{problem.reason}" for problem in caught.value.problems}
    assert fields("GC000009", "ZZ000009", 2026) == {"work_id:同步工程中没有“GC000009”", "site_id:站址中没有“ZZ000009”"}
    assert fields("GC000001", site, 2029) == {"year:2029年不在工程窗口内(2026-09-01 至 2027-03-31)"}
    assert fields("GC000002", site, 2026) == {"work_id:工程“新民路改造”已不在现行清单"}
    with writing(register, stamp("2026-05-20")) as transaction:
        edit_rows(transaction, "sites", {site: {"state": "已撤销", "state_reason": "重复"}})
    assert fields("GC000001", site, 2026) == {"site_id:站址已撤销,不再需要同步实施"}
    with pytest.raises(RegisterError, match="不采纳没有写理由"), writing(register, stamp("2026-05-21")) as transaction:
        decline_match(transaction, "GC000001", site, "")


def test_layers_of_a_plan_become_a_list(register: Register) -> None:
    digs = gpd.GeoDataFrame({
        "name": ["滨河公路工程", "管网", None], "kind": [None, "燃气管网改造", "地块出让"],
        "start_date": [pd.Timestamp("2026-09-01"), None, None], "end_date": [None, pd.Timestamp("2027-01-01"), None]},
        index=["G1", "G2", "G3"], geometry=[STREET, SIDE["geometry"], Point(5, 5).buffer(40)], crs=CRS)
    houses = gpd.GeoDataFrame({"name": ["住宅1号"], "use": ["住宅"], "floor_area_m2": [31543.0], "storeys": [18.0],
                               "seats": [None], "filing": ["未备案"], "completed_on": [pd.Timestamp("2027-05-01")]},
                              index=["X1"], geometry=[Point(900, 0).buffer(20)], crs=CRS)
    assert len(bring(register, works_of_layers(digs, houses), "2026-01-31", "规划成果").added) == 4
    table = read_rows(register, "works").set_index("work_no")
    assert table["kind"].to_dict() == {"G1": "road", "G2": "gallery", "G3": "land", "X1": "building"}
    assert table.loc["G3", "name"] == "工程 G3"
    assert str(table.loc["X1", "end_on"].date()) == "2027-05-01"
    assert table.loc["X1", ["storeys", "filing"]].tolist() == [18.0, "未备案"]
    assert works_of_layers(None) == []
    plan = digs.rename_axis(None).assign(work_id=["G1", "G2", None]).reset_index(drop=True)
    assert [row["work_no"] for row in works_of_layers(plan)] == ["G1", "G2", None]


def test_a_shape_that_was_rounded_on_its_way_did_not_move(register: Register) -> None:
    bring(register, [ROAD], "2026-01-31")
    assert bring(register, [{**ROAD, "geometry": affinity.translate(STREET, 0.03, 0)}], "2026-02-28").changed == ()
    (move,) = bring(register, [{**ROAD, "geometry": affinity.translate(STREET, 0.06, 0)}], "2026-03-31").changed
    assert move.is_elsewhere


def test_headings_of_land_and_building_lists_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "地块.geojson"
    gpd.GeoDataFrame({"项目编号": ["X1"], "项目名称": ["住宅1号"], "类型": ["建设项目"], "计划竣工": ["2027-05-01"],
                      "建筑面积": [900.0], "用途": ["住宅"]}, geometry=[Point(113.3, 22.5)], crs=4326).to_file(path)
    row = read_list(path, "works", CRS).rows.iloc[0]
    assert [row[name] for name in ("work_no", "name", "end_on", "floor_area_m2", "use")] == [
        "X1", "住宅1号", pd.Timestamp("2027-05-01"), 900.0, "住宅"]
