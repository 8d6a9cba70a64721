"""Sheets and layers of the opening ledger: every row, the words of planners, colours, a file that reads back."""

from __future__ import annotations

import dataclasses

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import scipy.sparse as sp
import xlsxwriter
from opening_town import opening, sites

from siteplan.export._opening import add_opening_sheets, basis_table, opening_layers, opening_sheets
from siteplan.export._vector import write_geopackage
from siteplan.export._workbook import NO_ROWS, WORKBOOK_OPTIONS
from siteplan.opening import Opening
from siteplan.opening._sums import with_total
from siteplan.params import SelectionParams
from siteplan.selection import PreferencePrice, compare_preference, price_sentences, select_sites

NOTES = ["东市规划", "合成数据：全部虚构。"]
NAMES = ["开放台账", "开放依据", "部门汇总", "镇街汇总", "收费记录", "疑难站址", "拒绝开放", "公开清单", "杆路汇总"]


def book_of(path, table: Opening, given=None):
    book = xlsxwriter.Workbook(str(path), WORKBOOK_OPTIONS)
    add_opening_sheets(book, table, NOTES, given)
    book.close()
    return openpyxl.load_workbook(path)


def rows_of(sheet) -> pd.DataFrame:
    """Cells under the heading; the heading is the row that the sheet is frozen below."""
    top = int(sheet.freeze_panes[1:]) - 1
    values = [row for row in sheet.iter_rows(min_row=top, values_only=True) if row[0] != NO_ROWS]
    return pd.DataFrame(values[1:], columns=values[0])


@pytest.fixture(scope="module")
def town():
    return opening()


@pytest.fixture(scope="module")
def book(town, tmp_path_factory):
    return book_of(tmp_path_factory.mktemp("book") / "ledger.xlsx", town)


def test_every_table_has_its_sheet(book):
    assert book.sheetnames == NAMES


def test_every_row_is_there_with_its_title_and_notices(book, town):
    for name, table in (("开放台账", town.venues), ("部门汇总", town.departments), ("收费记录", town.fees), ("疑难站址", town.hard),
                        ("拒绝开放", town.refusals), ("公开清单", town.public), ("镇街汇总", town.towns)):
        totals = name in ("部门汇总", "镇街汇总")
        assert len(rows_of(book[name])) == len(table) + totals, name
        above = [row[0] for row in book[name].iter_rows(max_row=6, max_col=1, values_only=True)]
        assert above[0].startswith("东市规划 ")
        assert "合成数据：全部虚构。" in above


def test_words_not_codes(book):
    table = rows_of(book["开放台账"]).set_index("站址编号")
    hall = table.loc["V-facility:F1"]
    assert hall[["应当开放", "免费开放", "方案状态", "开放状态", "站型", "建设方式", "建设性质"]].tolist() == [
        "是", "是", "本期选用", "收费待查", "宏站", "楼面抱杆", "新建"]
    assert hall["收费记录"] == "场地租赁费30,000元（初步认定违规）"
    assert table.loc["V-facility:F4", "入选次序"] == ""


def test_columns_that_planners_know_are_all_there(book):
    known = {"序号", "主管部门", "权属单位", "场所名称", "场所类别", "优先级", "应当开放", "免费开放", "站型", "建设方式", "建设性质", "县区", "镇街",
             "经度", "纬度", "挂高(米)", "投资估算(元)", "预计新增服务需求", "入选次序", "电磁环境筛查", "站址编号"}
    assert known <= set(rows_of(book["开放台账"]).columns)


def test_sums_end_with_their_total(book, town):
    for name, table, label in (("部门汇总", town.departments, "主管部门"), ("镇街汇总", town.towns, "镇街")):
        rows = rows_of(book[name])
        assert rows[label].iloc[-1] == "合计"
        assert rows["场所"].iloc[-1] == rows["场所"].iloc[:-1].sum() == len(town.venues)
        assert rows["收费合计(元)"].iloc[-1] == table["fees_yuan"].sum()
    assert with_total(town.towns[:0], "town").empty


def test_records_name_their_county(book):
    assert rows_of(book["拒绝开放"])["县区"].tolist() == ["溪县", "溪县"]
    assert set(rows_of(book["收费记录"])["县区"]) == {"溪县", ""}


def test_a_basis_is_told_once_and_named_in_the_ledger(book, town):
    bases = rows_of(book["开放依据"]).set_index("编号")
    for site_id, text in town.venues["open_basis"].items():
        row = rows_of(book["开放台账"]).set_index("场所名称").loc[town.venues.loc[site_id, "name"]]
        assert (bases.loc[row["应当开放依据"], "依据"] == text) if text else not row["应当开放依据"]
    counts = basis_table(pd.DataFrame(town.venues)).groupby("duty")["venues"].sum()
    assert counts.to_dict() == {"应当开放": town.venues["must_open"].sum(), "免费开放": town.venues["must_be_free"].sum()}


def test_refusals_fees_and_hard_sites_are_coloured(book):
    sheet = book["开放台账"]
    top = int(sheet.freeze_panes[1:]) - 1
    column = next(cell.column for cell in sheet[top] if cell.value == "开放状态")
    colours = {row[0].value: row[0].fill.fgColor.rgb for row in
               sheet.iter_rows(min_row=top + 1, min_col=column, max_col=column)}
    assert colours["拒绝"] == colours["收费待查"] == "FFFFC7CE"
    assert colours["疑难"] == "FFFFEB9C"
    assert colours["已开放"] == colours["未启动"] == "00000000"


def test_the_sheets_can_be_filtered_and_scrolled_under_their_heading(book):
    assert all(book[name].auto_filter.ref and book[name].freeze_panes for name in NAMES)


def test_the_public_sheet_says_what_it_leaves_out(book):
    above = "".join(str(row[0]) for row in book["公开清单"].iter_rows(max_row=5, max_col=1, values_only=True))
    assert "列入 5 处；未列入 3 处。" in above
    assert "涉密单位 1" not in above
    assert rows_of(book["公开清单"]).columns.tolist() == ["序号", "基站地址", "物业所属单位", "场所类别"]


def test_given_tables_get_a_sheet_and_absent_ones_none(tmp_path, town):
    shares = pd.DataFrame({"level": ["street"], "town": ["东镇"], "road": ["新街"], "lessee": ["甲公司"], "leased": [8],
                           "poles": [10], "place_leased": [9], "share": [0.8], "share_of_leased": [8 / 9],
                           "verdict": ["over"], "reason": ["超过"]})
    counts = pd.DataFrame({"code": ["water"], "zh": ["水域"], "effect": ["refuse"], "effect_zh": ["不可用"],
                           "source": ["pole"], "number": [3], "alone": [2]})
    given = {"pole_shares": shares, "refusal_counts": counts, "pole_leases": shares[:0]}
    book = book_of(tmp_path / "x.xlsx", town, given)
    assert book.sheetnames == [*NAMES, "杆体占用份额", "不可用候选统计"]
    assert rows_of(book["杆体占用份额"])[["范围", "份额(%)", "判定"]].values.tolist() == [["道路", 80, "超过限值"]]
    assert rows_of(book["不可用候选统计"])[["规则", "候选种类", "候选数", "仅此一条"]].values.tolist() == [["水域", "公共杆体", 3, 2]]


def test_text_is_never_a_formula(tmp_path, town):
    evil = dataclasses.replace(town, venues=town.venues.assign(name="=1+1"))
    book = book_of(tmp_path / "x.xlsx", evil)
    cell = next(cell for cell in book["开放台账"][int(book["开放台账"].freeze_panes[1:])] if cell.value == "=1+1")
    assert cell.data_type == "s"


def test_empty_tables_are_sheets_with_headings(tmp_path, town):
    empty = dataclasses.replace(town, fees=town.fees[:0], hard=town.hard[:0], refusals=town.refusals[:0],
                                public=town.public[:0], venues=town.venues[:0])
    book = book_of(tmp_path / "x.xlsx", empty)
    assert book.sheetnames == NAMES
    assert rows_of(book["收费记录"]).empty
    below = book["收费记录"].cell(int(book["收费记录"].freeze_panes[1:]), 1)
    assert below.value == "没有记录"
    assert book["收费记录"].auto_filter.ref is None


def test_a_wide_sheet_prints_on_several_pages_with_its_first_columns(book):
    wide, small = book["开放台账"], book["部门汇总"]
    assert (wide.page_setup.fitToWidth, wide.page_setup.fitToHeight) == (4, 0)
    assert wide.print_title_cols == "$A:$B"
    heading = int(wide.print_title_rows.rpartition("$")[2])
    assert [wide.cell(heading, column).value for column in (1, 2)] == ["序号", "场所名称"]
    assert small.page_setup.fitToWidth in (None, 1)
    assert small.print_title_cols is None


def test_venues_without_any_duty_have_no_basis(tmp_path, town):
    shops = dataclasses.replace(town, venues=town.venues[~town.venues["must_open"]])
    book = book_of(tmp_path / "x.xlsx", shops)
    assert rows_of(book["开放依据"]).empty
    assert set(rows_of(book["开放台账"])["应当开放依据"]) == {""}


def test_every_column_of_the_sheets_is_a_column_of_its_table(town):
    tables = {"venues": town.venues, "departments": town.departments, "towns": town.towns, "fees": town.fees,
              "hard": town.hard, "refusals": town.refusals, "public": town.public, "poles": town.poles,
              "bases": basis_table(pd.DataFrame(town.venues))}
    for key, table in tables.items():
        missing = [field.name for field in opening_sheets()[key].fields if field.name not in table]
        assert not missing, key


def test_layers_read_back(tmp_path, town):
    layers = opening_layers(town, sites(), "合成")
    assert {name: len(table) for name, table in layers.items()} == {"venues": 8, "chosen": 4, "fees": 4, "hard": 1}
    write_geopackage(layers, tmp_path / "ledger.gpkg")   # compares what was written with what reads back
    assert layers["chosen"]["must_open"].tolist().count("否") == 1
    assert set(layers["venues"]["notice"]) == {"合成"}


def test_layers_without_any_record_are_still_written(tmp_path):
    layers = opening_layers(opening([]), sites())
    assert len(layers["fees"]) == len(layers["hard"]) == 0
    write_geopackage(layers, tmp_path / "ledger.gpkg")


def sharing() -> gpd.GeoDataFrame:
    """Three masts: one with room, one full, one where nobody is missing."""
    return gpd.GeoDataFrame({
        "name": ["甲站", "乙站", "丙站"], "owner": "铁塔公司", "operators_5g": ["移动", "移动|电信|联通", "移动|电信|联通|广电"],
        "operators": ["移动|电信", "移动|电信|联通", "移动|电信|联通|广电"], "missing": ["电信|联通", "广电", ""], "places": [2, 0, 1],
        "places_source": ["given", "assumed", "given"], "offered": ["电信|联通", "", ""],
        "verdict": ["room", "full", "complete"],
        "antenna_height_m": 30.0, "evidence": "依据"}, index=pd.Index(["S3", "S1", "S2"], name="source_site"),
        geometry=gpd.points_from_xy([0, 1, 2], [0, 0, 0]), crs="EPSG:4547")


def test_sharing_is_told_in_words_with_its_basis_and_what_is_assumed(tmp_path, town):
    sheet = book_of(tmp_path / "x.xlsx", town, {"sharing": sharing()})["共享加挂"]
    rows = rows_of(sheet)
    assert rows[["站址编号", "缺少5G的运营商", "空余挂载位", "挂载位来源", "可加挂", "结论"]].values.tolist() == [
        ["S3", "电信、联通", 2, "资料给出", "电信、联通", "可共享"], ["S1", "广电", 0, "假定", "", "没有空余挂载位"],
        ["S2", "", 1, "资料给出", "", "各家5G齐全"]]
    assert "依据：现有基站图层" in sheet["A2"].value
    assumed = [cell for row in sheet.iter_rows() for cell in row if cell.value == "假定"]
    assert [cell.fill.fgColor.rgb for cell in assumed] == ["FFFFEB9C"]


def price() -> PreferencePrice:
    """At most two of three: worth 5, 4, 3 less the least gain of 2.2, which counts twice for the private roof."""
    places = pd.DataFrame({
        "cost_yuan": [20_000.0, 10_000.0, 15_000.0], "preference": [0.5, 1.0, 1.0], "x": [0.0, 2000.0, 4000.0],
        "y": 0.0, "tier": [5, 1, 1], "must_be_free": [False, True, True]}, index=["roof", "school", "hall"])
    weight = np.array([5.0, 4.0, 3.0])
    asked = SelectionParams(max_sites=2, min_gain=2.2, max_yuan_per_gain=1e9)
    return compare_preference(select_sites(places, sp.identity(3, format="csc"), weight, asked), weight)


def test_the_price_of_preference_has_its_sentences_its_table_and_a_chart_of_its_curve(tmp_path, town):
    found = price()
    book = xlsxwriter.Workbook(str(tmp_path / "x.xlsx"), WORKBOOK_OPTIONS)
    add_opening_sheets(book, town, NOTES, {"preference": found.table, "preference_curve": found.curve},
                       {"preference": price_sentences(found)})
    book.close()
    read = openpyxl.load_workbook(tmp_path / "x.xlsx")
    table, curve = rows_of(read["优先代价"]), rows_of(read["优先代价曲线"])
    assert table[["比较口径", "方案", "站址数", "其中应当免费开放的场所"]].head(2).values.tolist() == [
        ["同样的限制", "优先免费公共场所", 2, 2], ["同样的限制", "不设优先", 2, 1]]
    above = [str(row[0]) for row in read["优先代价"].iter_rows(max_row=8, max_col=1, values_only=True)]
    assert price_sentences(found)[0] in above
    ours = curve[curve["优先强度"] == 1.0]
    assert ours[["站址数", "累计造价(万元)"]].values.tolist() == [[0, 0], [1, 1.0], [2, 2.5]]
    chart, = read["优先代价"]._charts
    first = read["优先代价曲线"].freeze_panes
    begins = int(first[1:])
    ends = [int(series.xVal.numRef.f.rpartition("$")[2]) for series in chart.series]
    starts = [int(series.xVal.numRef.f.split("$")[2].rstrip(":")) for series in chart.series]
    assert starts[0] == begins
    assert starts[1:] == [row + 1 for row in ends[:-1]]
    assert ends[-1] == begins + len(curve) - 1


def test_secret_units_are_counted_by_town_and_not_named(tmp_path, town):
    kept = town.venues[~town.venues["secret"]]
    book = book_of(tmp_path / "x.xlsx", dataclasses.replace(town, venues=kept))
    above = [str(row[0]) for row in book["开放台账"].iter_rows(max_row=6, max_col=1, values_only=True)]
    assert "另有涉密单位1处，不列名（东镇1处），计入镇街汇总，在部门汇总中单列一行。" in above
