"""Lists for the register as offices write them: what is read, what is told, and that nothing is lost in silence."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
from shapely import LineString, Point

from siteplan.crs import transform_points
from siteplan.errors import RegisterError
from siteplan.layers import ledger_sheets, read_list
from siteplan.register.edits import ListTable
from tests.registers import CRS


def csv(folder: Path, name: str, text: str, encoding: str = "utf-8-sig") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def book(folder: Path, name: str, *rows: tuple[object, ...], sheet: str = "Sheet1") -> Path:
    made = openpyxl.Workbook()
    made.active.title = sheet
    for row in rows:
        made.active.append(row)
    path = folder / name
    made.save(path)
    return path


def faults(given: ListTable) -> list[tuple[str, str]]:
    return [(problem.row, problem.field) for problem in given.problems]


def told(given: ListTable) -> str:
    return "\n".join(f"{line.field} {line.value} {line.reason}" for line in given.ledger)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_a_task_list_is_read_in_every_encoding_that_offices_use(tmp_path: Path, encoding: str) -> None:
    path = csv(tmp_path, "tasks.csv", "事项,牵头单位,交办日期,时限,配合单位\n开放学校楼顶,教育和体育局,2026年1月10日,2026/6/30,"
               "卫生健康局、交通运输局\n", encoding)
    given = read_list(path, "tasks")
    assert given.problems == ()
    row = given.rows.iloc[0]
    assert (row["title"], row["organisation"], row["partners"]) == ("开放学校楼顶", "教育和体育局", "卫生健康局、交通运输局")
    assert [row["issued_on"].date(), row["due_on"].date()] == [dt.date(2026, 1, 10), dt.date(2026, 6, 30)]
    assert (row["source_file"], row["source_row"]) == ("tasks.csv", "2")


def test_a_workbook_with_a_title_line_and_excel_days_is_read(tmp_path: Path) -> None:
    path = book(tmp_path, "quotas.xlsx", ("溪口市2026年建设任务", None, None, None, None, None),
                ("任务", "层级", "区域", "计数口径", "任务数(个)", "完成期限"),
                ("新建5G基站", "市", "溪口市", "新建", "660个", dt.date(2026, 12, 31)),
                ("新建5G基站", "县区", "溪西县", "新增", "3,399", "2026-12-31"))
    given = read_list(path, "quotas")
    assert given.problems == ()
    assert given.rows["value"].tolist() == [660.0, 3399.0]
    assert given.rows["level"].tolist() == ["city", "county"]
    assert given.rows["source_row"].tolist() == ["3", "4"]


@pytest.mark.parametrize(("column", "cell", "words"), [
    ("完成期限", "6月底", "无法识别"), ("完成期限", "2026年6月", "只有年月,没有日"), ("完成期限", "2026-02-30", "无法识别"),
    ("任务数", "约六百", "无法识别"), ("任务数", "600-700", "范围"), ("层级", "街道办", "无法识别"), ("任务数", "-5", "超出"),
    ("任务数", "#REF!", "错误值")])
def test_a_value_that_cannot_be_read_is_a_problem_with_its_row(tmp_path: Path, column: str, cell: str, words: str,
                                                              ) -> None:
    row: dict[str, object] = {"任务": "新建", "层级": "市", "区域": "溪口市", "任务数": 660, "完成期限": "2026-12-31"}
    faulty = tuple({**row, column: cell}.values())
    given = read_list(book(tmp_path, "q.xlsx", tuple(row), tuple(row.values()), faulty), "quotas")
    (problem,) = given.problems
    assert (problem.layer, problem.file, problem.row) == ("quotas", "q.xlsx", "3")
    assert words in problem.reason


def test_headers_that_nothing_takes_are_told(tmp_path: Path) -> None:
    given = read_list(csv(tmp_path, "t.csv", "任务,责任单位,分管领导\n甲,交通运输局,某\n"), "tasks")
    assert "分管领导 1 列没有对应字段,未读入" in told(given)


def test_a_file_without_any_known_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match="没有一列是这张表的字段"):
        read_list(csv(tmp_path, "t.csv", "甲,乙\n1,2\n"), "tasks")


@pytest.mark.parametrize(("name", "words"), [("none.csv", "文件不存在"), ("http://a/b.csv", "文件不存在")])
def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(RegisterError, match=words):
        read_list(tmp_path / name, "tasks")


def test_longitudes_eastings_and_datums_come_to_the_register(tmp_path: Path) -> None:
    lon, lat = (float(axis[0]) for axis in transform_points([437100.0], [2491200.0], CRS, 4326))
    sites = "站名,状态,{}\n甲,储备,{}\n"
    degrees = read_list(csv(tmp_path, "d.csv", sites.format("经度,纬度", f"{lon:.9f},{lat:.9f}")), "sites", CRS)
    plane = read_list(csv(tmp_path, "p.csv", sites.format("东坐标,北坐标", "437100,2491200")), "sites", CRS)
    shifted = read_list(csv(tmp_path, "g.csv", sites.format("经度,纬度", f"{lon:.9f},{lat:.9f}")), "sites", CRS,
                        datum="gcj02")
    assert degrees.rows["geometry"][0].distance(Point(437100, 2491200)) < 0.01
    assert plane.rows["geometry"][0] == Point(437100, 2491200)
    assert 100 < shifted.rows["geometry"][0].distance(Point(437100, 2491200)) < 1000
    assert "按储备库的坐标系" in told(plane)


def test_lines_of_a_geopackage_keep_their_shape(tmp_path: Path) -> None:
    path = tmp_path / "works.gpkg"
    gpd.GeoDataFrame({"工程编号": ["G1"], "项目名称": ["人民路"], "类型": ["雨污分流"], "建设单位": ["住建局"]},
                     geometry=[LineString([(437000, 2491000), (437500, 2491000)])], crs=CRS).to_file(path)
    given = read_list(path, "works", CRS)
    assert given.rows["geometry"][0].length == pytest.approx(500.0)
    assert given.rows.loc[0, "kind"] == "雨污分流"  # the room of joint works knows more words
    assert given.problems == ()


@pytest.mark.parametrize(("heading", "yuan"), [("完成投资(元)", 12.0), ("完成投资(万元)", 120_000.0), ("完成投资", 12.0)])
def test_money_in_ten_thousands_is_not_taken_for_yuan(tmp_path: Path, heading: str, yuan: float) -> None:
    given = read_list(csv(tmp_path, "s.csv", f"站名,状态,{heading}\n甲,储备,12\n"), "sites", CRS)
    assert given.rows["invested_yuan"].tolist() == [yuan]


def test_an_unknown_unit_in_a_heading_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match="单位不认识"):
        read_list(csv(tmp_path, "s.csv", "站名,状态,完成投资(美元)\n甲,储备,12\n"), "sites", CRS)


def test_a_cell_that_says_emptied_is_kept_apart_from_an_empty_one(tmp_path: Path) -> None:
    given = read_list(csv(tmp_path, "s.csv", "储备库编号,备注,应开通日期\nZZ000001,清空,清空\nZZ000002,,\n"), "sites", CRS)
    assert given.rows["emptied"].tolist() == ["due_on|note", ""]
    assert given.rows["note"].isna().all()
    assert given.problems == ()


@pytest.mark.parametrize(("heading", "cells", "is_id"), [
    ("储备库编号", ["ZZ000001"], True), ("编号", ["ZZ000001", "ZZ000002"], True), ("id", ["ZZ000001", ""], True),
    ("编号", ["1", "2"], False), ("编号", ["ZZ000001", "乙"], False)])
def test_ids_are_known_by_what_they_look_like(tmp_path: Path, heading: str, cells: list[str], is_id: bool) -> None:
    rows = "".join(f"{cell},名\n" for cell in cells)
    given = read_list(csv(tmp_path, "s.csv", f"{heading},站址名称\n{rows}"), "sites", CRS)
    assert ("id" in given.rows) is is_id


def test_minutes_and_opinions_are_lists_of_their_own(tmp_path: Path) -> None:
    minutes = read_list(csv(tmp_path, "m.csv", "会议,日期,事项,责任单位,期限\n联席会议,2026-06-20,开放公园,城市管理和综合执法局,2026-09-30\n"),
                        "minutes")
    assert minutes.rows.loc[0, "matter"] == "开放公园"
    opinions = read_list(csv(tmp_path, "o.csv", "站址编号,决定,取值,日期\nF1,收费,进场费 2万,2026-05-01\n"), "opinions")
    assert opinions.rows.loc[0, ["id", "action", "value"]].tolist() == ["F1", "收费", "进场费 2万"]


def test_a_row_longer_than_the_heading_is_a_problem(tmp_path: Path) -> None:
    given = read_list(csv(tmp_path, "t.csv", "任务,责任单位\n甲,交通运输局,多出\n"), "tasks")
    assert [("多出的未读" in problem.reason) for problem in given.problems] == [True]


def test_a_workbook_that_is_no_ledger_is_told(tmp_path: Path) -> None:
    for path in (book(tmp_path, "a.xlsx", ("甲",)), csv(tmp_path, "b.xlsx", "甲\n"), tmp_path / "none.xlsx"):
        with pytest.raises(RegisterError, match="不能使用"):
            ledger_sheets(path)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """Side files of a Shapefile that lead elsewhere."""
    (tmp_path / "in").mkdir()
    frame: Any = gpd.GeoDataFrame({"MC": ["甲"]}, geometry=[Point(437000, 2491000)], crs=CRS)
    frame.to_file(tmp_path / "in" / "w.shp")
    (tmp_path / "in" / "w.dbf").rename(tmp_path / "w.dbf")
    (tmp_path / "in" / "w.dbf").symlink_to(tmp_path / "w.dbf")
    with pytest.raises(RegisterError, match="离开了数据所在的文件夹"):
        read_list(tmp_path / "in" / "w.shp", "works", CRS)


def test_typed_columns_have_the_dtypes_of_the_register(tmp_path: Path) -> None:
    given = read_list(csv(tmp_path, "s.csv", "站名,状态,疑难站址,基站数,开通日期\n甲,在建,是,2,2026-01-01\n"), "sites", CRS)
    kinds = {name: str(dtype) for name, dtype in given.rows.dtypes.items()}
    assert {name: kinds[name] for name in ("name", "state", "is_hard", "station_count", "on_air_on")} == {
        "name": "str", "state": "str", "is_hard": "boolean", "station_count": "float64", "on_air_on": "datetime64[us]"}
    assert isinstance(given.rows, pd.DataFrame)
