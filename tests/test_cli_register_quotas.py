"""``siteplan register quota``, ``scores``, ``check --counties``: split by need, checked, followed, scored."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
from shapely import Point, box
from test_cli import is_told
from test_cli_register import call, ok, small_register

from siteplan.register import Register, add_rows, edit_rows, open_register, read_rows, writing
from siteplan.register.county_places import county_problems, unplaced_sites
from siteplan.register.quotas import needs_of
from siteplan.register.score_facts import village_gain
from siteplan.tables import read_table
from tests.registers import CRS, day, stamp

ZH = {name: entry["zh"] for name, entry in read_table("register_sync")["indicators"].items()}
"""Names under which a plan that was merged leaves its results."""


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """A quota of 660 stations for the city, three sites; the results of two plans, as a merge leaves them."""
    path = small_register(tmp_path / "register.gpkg")
    with writing(open_register(path), stamp("2026-02-01")) as transaction:
        (plan,) = add_rows(transaction, "plans", [{"name": "甲", "day": "2026-01-01"}])
        add_rows(transaction, "indicators", [
            {"plan_id": plan, "day": on, "level": "county", "area": area, "name": ZH[name], "now": now, "rule": "同一规则"}
            for on, rates in (("2025-12-31", (0.5, 0.6)), ("2026-01-31", (0.75, 0.5)))
            for area, people, rate in (("溪西县", 8000.0, rates[0]), ("溪东县", 4000.0, rates[1]))
            for name, now in (("people", people), ("population_share", rate), ("village_rate", rate))])
    return path


def test_people_without_coverage_come_from_the_names_of_merged_plans(where: Path) -> None:
    """8,000 people at 75 % and 4,000 at 50 %: 2,000 each."""
    register = open_register(where)
    needs = needs_of(read_rows(register, "sites"), read_rows(register, "indicators"), "county", "people")
    assert needs.values == {"溪东县": 2000.0, "溪西县": 2000.0}
    assert needs.basis == "未覆盖人口(2026-01-31)"


def test_a_quota_is_split_by_people(where: Path) -> None:
    text = ok(where, "quota", "split", "ZB000001", "--by-need", "people")
    assert "溪东县  330 基站  需求 2000/合计 4000,应得 330.00" in text
    assert "已按未覆盖人口(2026-01-31)分解为 2 项,合计 660" in text
    assert "加总、期限、区域无误" in ok(where, "quota", "tree")


def test_a_quota_is_split_by_sites_and_what_has_no_county_is_told(where: Path) -> None:
    text = ok(where, "quota", "split", "ZB000001", "--by-need", "sites", "--level", "县区")
    assert "溪西县  330 基站" in text
    assert "1处储备站址未注明县区,未计入需求" in text
    is_told(call(where, "quota", "split", "ZB000001", "--by-need", "钱"), "--by-need", "demand、sites、people")
    is_told(call(where, "quota", "split", "ZB000001", "--level", "村"), "--level")
    is_told(call(where, "quota", "split", "ZB000099", "--by-need", "sites"), "没有这一现行指标")
    is_told(call(where, "quota", "split", "ZB000001", "--level", "town", "--by-need", "people"), "没有这一层级的覆盖指标")


def test_a_tree_that_was_changed_by_hand_does_not_add_up(where: Path) -> None:
    ok(where, "quota", "split", "ZB000001", "--by-need", "people")
    ok(where, "set", "ZB000002", "任务数=331", "--why", "试")
    result = call(where, "quota", "tree")
    is_told(result, "下级任务数合计 661,应为 660", "1 处须改正")
    lines = [line for line in result.output.splitlines() if "ZB0000" in line[:12]]
    assert [line.index("ZB") for line in lines[:3]] == [0, 2, 2], "parts stand below the quota"


def test_milestones_of_a_quota_by_quarter(where: Path) -> None:
    text = ok(where, "quota", "milestones", "ZB000001")
    assert ["2026-03-31  累计 165" in text, "2026-12-31  累计 660" in text] == [True, True]
    assert "新编 0 个" in ok(where, "quota", "milestones", "ZB000001", "--by", "quarter")
    assert "有里程碑 12 个" in ok(where, "quota", "milestones", "ZB000001", "--by", "month")
    is_told(call(where, "quota", "milestones", "ZB000001", "--by", "week"), "--by", "quarter")


STUDY = """
[study]
name = "测试"
crs = "EPSG:4547"
[layers.villages]
path = "villages.gpkg"
[layers.ground]
path = "ground.tif"
"""


def test_targets_of_a_study_become_quotas_once(where: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(STUDY, encoding="utf-8")
    assert "0 个目标" in ok(where, "quota", "from-study", study)
    study.write_text(STUDY + '[targets.stations]\nlike = "new_stations_2022"\n', encoding="utf-8")
    assert "新增 1 项(ZB000002)" in ok(where, "quota", "from-study", study)
    assert "不变 1 项" in ok(where, "quota", "from-study", study)
    row = read_rows(open_register(where), "quotas").loc["ZB000002"]
    assert (row["value"], row["area"], row["unit"]) == (2600, "溪口市", "基站")


def test_scores_are_printed_with_their_parts(where: Path) -> None:
    """Villages of 溪西县 rose from 50 % to 75 %; those of 溪东县 fell. One indicator alone is too little for a score."""
    gain = village_gain(read_rows(open_register(where), "indicators"), day("2026-06-30"))
    assert gain.round(9).to_dict() == {"溪东县": -0.1, "溪西县": 0.25}
    ok(where, "set", "RW000001", "所属县区=溪西县")
    text = ok(where, "scores", "--kind", "counties", "--as-of", "2026-07-02")
    assert "溪西县  已有数据的权重不足,不评分" in text
    assert "行政村达标率提高:+25.0 个百分点" in text
    assert "不适用或没有数据:" in text
    text = ok(where, "scores", "--kind", "departments", "--as-of", "2026-07-02")
    assert "没有一项可评:" in text
    is_told(call(where, "scores", "--kind", "towns"), "departments、enterprises、counties")


def counties() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"name": ["溪西县", "溪东县"]}, geometry=[
        box(430000, 2480000, 437500, 2500000), box(437500, 2480000, 445000, 2500000)], crs=CRS)


def test_a_site_in_two_counties_and_one_in_the_wrong_county(register: Register) -> None:
    rows = [("在界上", "溪东县", 437500.0), ("写错", "溪东县", 437000.0), ("没写", None, 438000.0), ("在外", "溪西县", 450000.0),
            ("甲", "溪西县", 437100.0), ("乙", "溪东县", 437100.4), ("撤销", "溪东县", 437200.0)]
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", [
            {"name": name, "county": county, "state": "储备", "kind": "宏站", "geometry": Point(east, 2491000.0)}
            for name, county, east in rows])
        edit_rows(transaction, "sites", {"ZZ000007": {"state": "撤销", "state_reason": "重复"}})
        add_rows(transaction, "sites", [{"name": "无位置", "state": "储备", "county": "溪西县"}])
    sites = gpd.GeoDataFrame(read_rows(register, "sites"))
    found = {(problem.row, problem.reason) for problem in county_problems(sites, counties())}
    assert found == {
        ("ZZ000002", "所属县区写的是溪东县,位置在溪西县"), ("ZZ000003", "没有写所属县区,位置在溪东县"), ("ZZ000004", "位置不在任何一个县区内"),
        ("ZZ000006", "所属县区写的是溪东县,位置在溪西县"), ("ZZ000006", "与 ZZ000005 是同一处,分别列在溪西县和溪东县")}
    assert unplaced_sites(sites) == ["ZZ000008"]


def test_counties_are_checked_by_a_file(where: Path, tmp_path: Path) -> None:
    file = tmp_path / "counties.gpkg"
    counties().to_crs("EPSG:4490").to_file(file)
    text = ok(where, "check", "--counties", file)
    assert "没有位置、不能核对县区的站址 1 项(ZZ000003)" in text
    assert "按 2 个县区核对站址 3 处:0 处须改正" in text
    ok(where, "set", "ZZ000001", "所属县区=溪东县", "--why", "试")
    is_told(call(where, "check", "--counties", file), "ZZ000001 / county: 所属县区写的是溪东县,位置在溪西县")
    is_told(call(where, "check", "--counties", tmp_path / "none.gpkg"), "none.gpkg")
