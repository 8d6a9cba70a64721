"""Lists with faults: every one is a named problem with file and row, all at once, and nothing is written.

The files are named for their fault. One store is enough: the stores have the same tests elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from shapely import Point, box
from test_lists import book, csv
from test_register_edits import bring
from test_register_ledger import count, edit, filled

from siteplan.errors import Problem, RegisterError
from siteplan.export.register_ledger import write_ledger, write_register_layers
from siteplan.register import Register, add_rows, check_seals, edit_rows, read_rows, writing
from siteplan.register.edits import apply_list
from tests.registers import CRS, stamp, toy_register

SITE_HEAD = "站址名称,状态,所属县区,主管部门,开工日期,开通日期,东坐标,北坐标"


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return toy_register(tmp_path / "register.gpkg")


def problems_of(register: Register, path: Path, kind: str, **more: Any) -> list[Problem]:
    """What is wrong with a list; nothing of it may have been written."""
    before = count(register)
    with pytest.raises(RegisterError) as caught:
        bring(register, path, kind, **more)
    assert count(register) == before
    assert {problem.file for problem in caught.value.problems} == {path.name}
    return list(caught.value.problems)


def places(problems: list[Problem]) -> list[tuple[str, str]]:
    return sorted((problem.row, problem.field) for problem in problems)


def test_unknown_department(register: Register, tmp_path: Path) -> None:
    path = csv(tmp_path, "unknown_department.csv", f"{SITE_HEAD}\n甲,储备,溪西县,教育体育局,,,437000,2491000\n"
                                                   "乙,储备,溪西县,水利局,,,437500,2491000\n")
    found = problems_of(register, path, "sites")
    assert places(found) == [("2", "department"), ("3", "department")]
    assert "教育和体育局" in found[0].remedy


def test_dates_in_the_wrong_order(register: Register, tmp_path: Path) -> None:
    path = csv(tmp_path, "dates_in_the_wrong_order.csv", "任务,责任单位,下达日期,完成期限\n甲,交通运输局,2026-06-30,2026-01-10\n"
                                                         "乙,交通运输局,2026-01-10,2026-06-30\n"
                                                         "丙,交通运输局,2026-05-01,2026-04-30\n")
    found = problems_of(register, path, "tasks")
    assert places(found) == [("2", "due_on"), ("4", "due_on")]
    assert "完成期限 2026-01-10 早于下达日期 2026-06-30" in found[0].reason


def test_state_jump(register: Register, tmp_path: Path) -> None:
    filled(register)
    path = csv(tmp_path, "state_jump.csv", "储备库编号,状态,受阻或撤销原因\nZZ000001,已开通,\nZZ000002,受阻,\nZZ000003,具备条件,\n")
    found = problems_of(register, path, "sites")
    assert places(found) == [("2", "state"), ("3", "state_reason")]
    assert "不能从“储备”直接变为“已开通”" in found[0].reason


def test_a_site_in_two_counties_within_a_list(register: Register, tmp_path: Path) -> None:
    path = book(tmp_path, "site_in_two_counties.xlsx", tuple(SITE_HEAD.split(",")),
                ("界河大桥", "储备", "溪西县", None, None, None, 437000, 2491000),
                ("界河大桥", "储备", "溪东县", None, None, None, 437003, 2491000),
                ("另一处", "储备", "溪东县", None, None, None, 439000, 2491000))
    (problem,) = problems_of(register, path, "sites")
    assert (problem.row, problem.field) == ("3", "county")
    assert "同一处站址列在两个县区:第 2 行在溪西县,本行在溪东县" in problem.reason


def test_a_site_in_two_counties_of_list_and_register(register: Register, tmp_path: Path) -> None:
    filled(register)
    path = csv(tmp_path, "site_in_two_counties.csv", f"{SITE_HEAD}\n锦溪小学,储备,溪东县,,,,437101,2491200\n")
    (problem,) = problems_of(register, path, "sites")
    assert "ZZ000001在溪西县,本行在溪东县" in problem.reason
    assert "写储备库编号 ZZ000001" in problem.remedy


def test_a_county_that_the_place_does_not_lie_in(register: Register, tmp_path: Path) -> None:
    counties = gpd.GeoDataFrame({"name": ["溪西县", "溪东县"]}, geometry=[
        box(430000, 2480000, 437500, 2500000), box(437500, 2480000, 445000, 2500000)], crs=CRS)
    path = csv(tmp_path, "county_elsewhere.csv", f"{SITE_HEAD}\n甲,储备,溪东县,,,,437000,2491000\n"
                                                 "乙,储备,溪东县,,,,438000,2491000\n"
                                                 "丙,储备,东溪县,,,,438500,2491000\n")
    found = problems_of(register, path, "sites", counties=counties)
    assert places(found) == [("2", "county"), ("4", "county"), ("4", "county")]
    assert any("所属县区写的是溪东县,位置在溪西县" in problem.reason for problem in found)
    assert any("溪东县" in problem.remedy for problem in found)


def test_numbers_that_are_no_numbers_and_faults_of_the_rules_come_together(register: Register, tmp_path: Path) -> None:
    path = csv(tmp_path, "many_faults.csv", "任务,层级,区域,计数口径,单位,任务数,起始日,完成期限\n甲,市,溪口市,新建,基站,若干,,2026-12-31\n"
                                            "乙,市,溪口市,新建,基站,660,2026-12-31,2026-01-01\n丙,市,溪口市,新建,基站,2.5,,2026-12-31\n")
    assert set(places(problems_of(register, path, "quotas"))) == {("2", "value"), ("3", "by"), ("4", "value")}


def test_ids_that_are_unknown_or_stand_twice(register: Register, tmp_path: Path) -> None:
    filled(register)
    path = csv(tmp_path, "ids.csv", "储备库编号,备注\nZZ000099,甲\nZZ000001,乙\nZZ000001,丙\n")
    found = problems_of(register, path, "sites")
    assert places(found) == [("2", "id"), ("4", "id")]
    assert "与第 3 行是同一项(ZZ000001)" in found[1].reason


def test_rows_that_stand_twice(register: Register, tmp_path: Path) -> None:
    text = "任务,责任单位,下达日期,完成期限\n" + "甲,交通运输局,2026-01-10,2026-06-30\n" * 2
    (problem,) = problems_of(register, csv(tmp_path, "twice.csv", text), "tasks")
    assert (problem.row, "内容完全相同" in problem.reason) == ("3", True)


def test_a_missing_column_is_told_once(register: Register, tmp_path: Path) -> None:
    rows = "".join(f"任务{number},交通运输局,2026-01-10\n" for number in range(30))
    (problem,) = problems_of(register, csv(tmp_path, "short.csv", "任务,责任单位,下达日期\n" + rows), "tasks")
    assert (problem.row, problem.field) == ("", "due_on")
    assert "没有“完成期限”这一列" in problem.reason


def test_a_fact_of_a_day_to_come(register: Register, tmp_path: Path) -> None:
    filled(register)
    path = csv(tmp_path, "tomorrow.csv", "储备库编号,状态,完成日期\nRW000001,已完成,2026-07-03\n")
    found = problems_of(register, path, "tasks")
    assert any("晚于登记日 2026-07-02" in problem.reason for problem in found)


def test_columns_that_the_plan_owns(register: Register, tmp_path: Path) -> None:
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", [{"name": "甲", "state": "储备", "origin": "plan", "study_id": "S-1", "rank_no": 3,
                                         "geometry": Point(437000, 2491000)},
                                        {"name": "乙", "state": "储备", "origin": "manual",
                                         "geometry": Point(438000, 2491000)}])
    path = csv(tmp_path, "plan_columns.csv", "储备库编号,站址名称,入选次序,东坐标,北坐标\nZZ000001,丁,1,437050,2491000\n"
                                             "ZZ000002,戊,,438050,2491000\n")
    assert places(problems_of(register, path, "sites")) == [("2", "geometry"), ("2", "name"), ("2", "rank_no")]


def test_tables_that_the_program_keeps_are_not_edited_by_lists(register: Register) -> None:
    with pytest.raises(RegisterError, match="由程序维护"):
        apply_list(register, "milestones", pd.DataFrame({"step": ["甲"]}), stamp("2026-07-02"))


def test_quotas_that_do_not_add_up(register: Register, tmp_path: Path) -> None:
    """13 sites for two counties: 7 and 5 do not make 13; 7 and 6 do."""
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "quotas", [{"title": "免费开放公共区域站址", "level": "市", "area": "溪口市", "measure": "免费开放公共区域",
                                          "unit": "站址", "value": 13, "by": "2026-12-31", "is_current": True}])
    head = ("区域", "任务数", "层级")
    wrong = book(tmp_path, "quotas_that_do_not_add_up.xlsx", head, ("溪西县", 7, "县区"), ("溪东县", 5, "县区"))
    before = count(register)
    with pytest.raises(RegisterError) as caught:
        bring(register, wrong, "split", parent_id="ZB000001")
    assert count(register) == before
    assert "12" in str(caught.value)
    assert "13" in str(caught.value)
    right = book(tmp_path, "split.xlsx", head, ("溪西县", 7, "县区"), ("溪东县", 6, "县区"))
    done = bring(register, right, "split", parent_id="ZB000001")
    assert read_rows(register, "quotas", ids=done.added)["value"].tolist() == [7, 6]


# copies edited by other programs


def test_edited_in_qgis(register: Register, tmp_path: Path) -> None:
    """A copy of the layer of sites: one state jumped, and a value that somebody changed meanwhile."""
    path, _ = write_register_layers(filled(register), tmp_path)
    with writing(register, stamp("2026-03-01", author="另一人")) as transaction:
        edit_rows(transaction, "sites", {"ZZ000002": {"town": "云岭镇"}})
    layer = gpd.read_file(path, layer="站址_在建")
    layer.loc[0, ["状态", "所属镇街"]] = ["储备", "别的镇"]
    copy = tmp_path / "edited_in_qgis.gpkg"
    layer.to_file(copy, layer="站址_在建", driver="GPKG")
    found = problems_of(register, copy, "sites")
    assert places(found) == [("1", "state"), ("1", "town")]
    assert any("由 另一人 改为“云岭镇”" in problem.reason for problem in found)


def test_the_register_itself_edited_in_qgis_is_noticed(register: Register, tmp_path: Path) -> None:
    import sqlite3

    filled(register)
    with sqlite3.connect(tmp_path / "register.gpkg") as connection:
        connection.create_function("ST_IsEmpty", 1, lambda shape: 0)
        connection.execute("UPDATE tasks SET state = 'done' WHERE id = 'RW000001'")
    connection.close()
    assert [(problem.layer, problem.row) for problem in check_seals(register)] == [("tasks", "RW000001")]


def test_edited_in_excel(register: Register, tmp_path: Path) -> None:
    path = write_ledger(filled(register), tmp_path / "edited_in_excel.xlsx", ("sites",))
    edit(path, "站址", 2, 状态="飞行", 应开通日期="九月底", **{"挂高(米)": "二十五"})
    edit(path, "站址", 3, 储备库编号="ZZ000777")
    edit(path, "站址", 4, 储备库版次=9, 备注="改")
    found = problems_of(register, path, "sites")
    assert places(found) == [("2", "antenna_height_m"), ("2", "due_on"), ("2", "state"), ("3", "id"), ("4", "revision")]
