"""Exposure screening: what planners get - sheets, table file, indicators, what is said of every proposed site."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
from conftest import X0, rect
from openpyxl.utils import get_column_letter
from test_exposure import house, screen, sector, sectors
from test_minimal_studies import ground, poles, shapes, stations, study, zones

from siteplan.coverage._exposure import site_exposure
from siteplan.coverage._sensitive import load_exposure
from siteplan.export import write_plan
from siteplan.export._exposure import SHEET_COLUMNS
from siteplan.export._sheets import write_ledger
from siteplan.maps._layers import collect_layers
from siteplan.plan import Plan
from siteplan.study import run
from siteplan.surface import Surface

WORDING = "不是环境影响评价"
RULES = load_exposure()


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Sites on lamp poles, a house two metres beside one of them, one without height, a school further away."""
    folder = tmp_path_factory.mktemp("plan")
    houses = [rect(257, 245, 270, 265), rect(240, 245, 250, 265), rect(790, 745, 810, 765)]
    shapes(folder / "buildings.gpkg", houses, 编号=["=1", "B2", "B3"], 高度=[12.0, None, 9.0],
           名称=["甲楼", None, "东村小学"], 建筑用途=["住宅", "住宅", "公共"])
    layers = {**ground(folder), **zones(folder), **poles(folder), "buildings": "buildings.gpkg",
              **stations(folder, {"x": X0 + 50.0, "参考信号功率": 0.0})}
    made = run(study(folder, layers, selection={"min_gain": 0.0, "max_yuan_per_gain": 1e9}))
    assert len(made.proposed)
    return made


@pytest.fixture(scope="module")
def out(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    write_plan(plan, folder)
    return folder


def test_sheet_is_in_the_workbook(plan: Plan, out: Path) -> None:
    assert plan.exposure is not None
    assert len(plan.exposure.pairs)
    sheet = openpyxl.load_workbook(out / "ledger.xlsx")["电磁环境筛查"]
    lines = [[cell.value for cell in row] for row in sheet.iter_rows()]
    head = next(number for number, row in enumerate(lines) if row[0] == "序号")
    assert lines[head] == [RULES.columns[name]["zh"] for name in SHEET_COLUMNS]
    assert sheet.freeze_panes == f"A{head + 2}"
    assert lines[0][0].startswith(plan.study["name"])
    assert "电磁环境筛查" in lines[0][0]
    said = "".join(str(row[0]) for row in lines[:head])
    assert all(word in said for word in (WORDING, "筛查估算", "非实测", "GB 8702", "未经核实", "评估对象", "幼儿园", "50 米",
                                         *plan.study["notices"]))
    rows = [dict(zip(lines[head], row, strict=True)) for row in lines[head + 1:]]
    assert len(rows) == len(plan.exposure.pairs)
    assert [row["序号"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["敏感目标类别"] for row in rows} == {"住宅", "中小学"}
    assert {row["高度来源"] for row in rows} == {"有高度", "无高度,按缺省"}
    assert all(row["筛查意见"] for row in rows)
    assert all(("尽量避让" in row["筛查意见"]) == (row["避让或说明"] == "是") for row in rows)
    assert all(("没有高度" in row["筛查意见"]) == (row["高度来源"] != "有高度") for row in rows)


def test_long_text_is_wrapped_and_its_row_high_enough(plan: Plan, out: Path) -> None:
    """Every cell whose text is wider than its column wraps, and its row holds at least two lines."""
    sheet = openpyxl.load_workbook(out / "ledger.xlsx")["电磁环境筛查"]
    merged = {part.min_row: part for part in sheet.merged_cells.ranges}
    head = next(row[0].row for row in sheet.iter_rows() if row[0].value == "序号")
    long = []
    for row in sheet.iter_rows(min_row=2):
        for cell in row:
            spans = merged[cell.row].max_col if cell.row in merged else len(row) if cell.row < head else cell.column
            room = sum(sheet.column_dimensions[get_column_letter(n)].width for n in range(cell.column, spans + 1))
            if isinstance(cell.value, str) and sum(2 if ord(letter) > 0x2E80 else 1 for letter in cell.value) > room:
                long.append(cell)
                assert cell.alignment.wrap_text
                assert sheet.row_dimensions[cell.row].height >= 30.0
    assert {cell.row < head for cell in long} == {True, False}


def test_sheet_of_sectors_has_every_proposed_one(plan: Plan, out: Path) -> None:
    assert plan.exposure is not None
    rows = list(openpyxl.load_workbook(out / "ledger.xlsx")["扇区达标距离"].iter_rows(values_only=True))
    proposed = plan.exposure.sectors["site_status"] == "proposed"
    assert len([row for row in rows if row[2] == "规划"]) == proposed.sum()
    said = "".join(str(row[0]) for row in rows)
    assert all(word in said for word in (WORDING, "自由空间", "未经核实"))


def test_worst_rows_come_first(plan: Plan) -> None:
    """Buildings by their total; the sites near one building stand together, the strongest first."""
    assert plan.exposure is not None
    pairs = plan.exposure.pairs
    assert pairs["total_share"].is_monotonic_decreasing
    runs = (pairs["target_id"] != pairs["target_id"].shift()).sum()
    assert runs == pairs["target_id"].nunique()
    assert all(group["share"].is_monotonic_decreasing for _, group in pairs.groupby("target_id"))


def louder(plan: Plan, factor: float) -> Plan:
    """The plan with that many times the exposure."""
    assert plan.exposure is not None
    pairs = plan.exposure.pairs
    share, total = factor * pairs["share"], factor * pairs["total_share"]
    pairs = pairs.assign(share=share, total_share=total, above_limit=total > 1.0, above_managed=share > 0.2)
    return dataclasses.replace(plan, exposure=dataclasses.replace(plan.exposure, pairs=pairs))


@pytest.mark.parametrize("factor", [1e-9, 1.0, 1e9])
def test_cells_are_coloured_where_the_words_say_so(plan: Plan, tmp_path: Path, factor: float) -> None:
    write_ledger(louder(plan, factor), tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["电磁环境筛查"]
    lines = list(sheet.iter_rows())
    head = next(number for number, row in enumerate(lines) if row[0].value == "序号")
    titles = [cell.value for cell in lines[head]]
    for title, colour, share in (("超过限值", "FFC7CE", "全部站址占限值比例"), ("超过单站管理值", "FFEB9C", "占限值比例"),
                                 ("邻近且高于天线", "FFEB9C", ""), ("避让或说明", "FFEB9C", "")):
        for row in lines[head + 1:]:
            flagged = row[titles.index(title)]
            for cell in (flagged, *([row[titles.index(share)]] if share else [])):
                assert (cell.fill.fgColor.rgb[-6:] == colour) == (flagged.value == "是"), title
    told = {row[titles.index("超过限值")].value for row in lines[head + 1:]}
    if factor != 1.0:
        assert told == {"是" if factor > 1.0 else "否"}


def test_table_file_says_the_same(plan: Plan, out: Path) -> None:
    assert plan.exposure is not None
    assert (out / "exposure.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (out / "exposure.csv").open(encoding="utf-8-sig", newline="") as handle:
        listed = list(csv.DictReader(handle))
    assert list(listed[0]) == [*RULES.columns, "notice"]
    assert all(WORDING in row["notice"] for row in listed)
    shares = plan.exposure.pairs.set_index(["site_id", "target_id"])["share"].to_dict()
    for row in listed:
        share = shares[row["site_id"], row["target_id"].removeprefix("'")]
        assert float(row["share"]) == pytest.approx(share, abs=6e-5)
        assert (row["above_managed"] == "True") == (share > 0.2)
    assert [int(row["rank_no"]) for row in listed] == list(range(1, len(listed) + 1))
    totals = [float(row["total_share"]) for row in listed]
    assert totals == sorted(totals, reverse=True)


# what is said of a site


def test_every_proposed_site_says_what_was_found(plan: Plan, out: Path) -> None:
    """The worksheet of venues, plan.json and the map say the same sentence."""
    assert plan.exposure is not None
    said = site_exposure(plan.exposure)
    assert list(said.index) == sorted(plan.proposed.index)
    sheet = list(openpyxl.load_workbook(out / "ledger.xlsx")["开放台账"].iter_rows(values_only=True))
    head = next(row for row in sheet if row[0] == "序号")
    rows = {row[head.index("站址编号")]: row[head.index("电磁环境筛查")] for row in sheet[sheet.index(head) + 1:]
            if row[head.index("站址编号")] in said.index}
    assert rows == said["flag"].to_dict()
    facts = json.loads((out / "plan.json").read_text(encoding="utf-8"))["sites"]
    assert {site["site_id"]: site["exposure_flag"] for site in facts} == rows
    layer = collect_layers(plan)["proposed"]
    at_flag, at_id = (layer["fields"].index(name) for name in ("电磁环境筛查(估算)", "站址编号"))
    assert {item["values"][at_id]: item["values"][at_flag] for item in layer["items"]} == rows
    assert gpd.read_file(out / "sites.gpkg").set_index("site_id")["exposure_flag"].to_dict() == rows
    assert gpd.read_file(out / "shp" / "sites.shp").set_index("ZZBH")["DCSC"].to_dict() == rows


@pytest.mark.parametrize(("factor", "state", "word"), [
    (1e9, "above_limit", "超过限值,需复核"), (None, "above_managed", "超过单站管理值(限值的 20%)"), (1e-9, "below", "低于限值的 20%")])
def test_state_of_a_site_is_that_of_its_worst_building(plan: Plan, factor: float | None, state: str, word: str) -> None:
    """With the strongest pair at half the limit nothing is above it, and its site is above the management value."""
    assert plan.exposure is not None
    pairs = plan.exposure.pairs
    own = 0.5 / pairs["total_share"].max() if factor is None else factor
    calm = dataclasses.replace(plan.exposure, pairs=pairs.assign(taller_near=False))
    made = louder(dataclasses.replace(plan, exposure=calm), own).exposure
    assert made is not None
    said = site_exposure(made)
    new = made.pairs[made.pairs["site_status"] == "proposed"]
    worst = new["site_id"].iloc[0]
    assert said.loc[worst, "state"] == state
    assert said.loc[worst, "flag"].startswith(word)
    greatest = new.groupby("site_id")["total_share"].max().reindex(said.index).fillna(0.0)
    pd.testing.assert_series_equal(said["share"], greatest, check_names=False)
    assert set(said.index[said["state"] == "none"]) == set(said.index) - set(new["site_id"])


def test_a_higher_house_near_is_told_before_the_management_value(flat: Surface) -> None:
    """Behind the antenna: far below the limit, but higher than the antenna within 30 m."""
    masts = sectors(A_1=sector(), B_1=sector(site_id="B", east=900.0))
    behind = house(rect(460, 490, 475, 510), 40.0, "public", name="东村小学")
    said = site_exposure(screen(flat, masts, {"S": behind}))
    assert said["state"].to_dict() == {"A": "taller_near", "B": "none"}
    assert all(word in said.loc["A", "flag"] for word in ("30 米内高于天线", "东村小学(中小学)", "水平 25 米", "避让或说明理由 1 栋"))
    assert said.loc["B", "flag"] == "筛查范围内没有敏感建筑"


# counts and plans without sites


def test_counts_are_in_the_indicators(plan: Plan) -> None:
    assert plan.exposure is not None
    pairs = plan.exposure.pairs[plan.exposure.pairs["site_status"] == "proposed"]
    said = plan.indicators["after"]["sites"]["exposure_screening"]
    assert said["sensitive_buildings"] == pairs["target_id"].nunique()
    assert said["above_managed"] == pairs.loc[pairs["above_managed"], "target_id"].nunique()


def test_existing_station_is_named_as_in_the_sites_table(plan: Plan) -> None:
    """Ids of the screening are those of the sites table, so that rows can be joined."""
    assert plan.exposure is not None
    assert set(plan.exposure.pairs["site_id"]) <= set(plan.sites.index)


def test_a_study_without_sites_or_buildings(tmp_path: Path) -> None:
    made = run(study(tmp_path, {**ground(tmp_path), **zones(tmp_path)}))
    assert made.exposure is not None
    assert not made.exposure.has_buildings
    write_plan(made, tmp_path / "out")
    sheet = openpyxl.load_workbook(tmp_path / "out" / "ledger.xlsx")["电磁环境筛查"]
    said = "".join(str(row[0]) for row in sheet.iter_rows(values_only=True))
    assert "没有建筑物图层" in said
    assert "没有规划的室外站址" in said
    assert len(pd.read_csv(tmp_path / "out" / "exposure.csv")) == 0
