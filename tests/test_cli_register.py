"""``siteplan register``: what the commands say and leave behind; bad input is told and leaves everything as it was."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
from shapely import LineString
from test_cli import is_told, said
from test_lists import book, csv
from test_register_ledger import SITES, edit
from typer.testing import CliRunner, Result

from siteplan.cli import app
from siteplan.register import add_rows, edit_rows, open_register, read_events, read_rows, writing
from tests.registers import CRS, stamp, toy_register

WIDE = {"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"}


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return small_register(tmp_path / "register.gpkg")


def small_register(path: Path) -> Path:
    """A register with organisations, three sites, a task and a quota."""
    register = toy_register(path)
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", [{**row, "phase_year": 2026} for row in SITES])
        add_rows(transaction, "tasks", [{"title": "开放学校楼顶", "organisation": "教育和体育局", "issued_on": "2026-01-10",
                                         "due_on": "2026-05-31", "state": "办理中"}])
        add_rows(transaction, "quotas", [{"title": "新建5G基站", "level": "市", "area": "溪口市", "measure": "新建", "unit": "基站",
                                          "value": 660, "since": "2026-01-01", "by": "2026-12-31", "is_current": True,
                                          "counted": "上报数"}])
    return path


def call(where: Path, *words: object, day: str = "2026-07-02", author: str = "测试员") -> Result:
    environment = WIDE | {"SITEPLAN_REGISTER": str(where), "SITEPLAN_AUTHOR": author}
    return CliRunner().invoke(app, ["register", *map(str, words), "--day", day], env=environment)


def ok(where: Path, *words: object, day: str = "2026-07-02") -> str:
    result = call(where, *words, day=day)
    assert result.exit_code == 0, said(result)
    return result.output


def test_a_register_is_made_and_knows_departments(tmp_path: Path) -> None:
    path = tmp_path / "new.gpkg"
    text = ok(path, "init", "--city", "溪口市", "--crs", CRS)
    assert "已新建 溪口市 的储备库" in text
    assert "下一步" in text
    assert "教育和体育局" in set(read_rows(open_register(path), "organisations")["name"])
    is_told(call(path, "init", "--city", "溪口市", "--crs", CRS), "已存在")


def test_a_register_needs_a_city_and_a_crs_and_sound_organisations(tmp_path: Path) -> None:
    path = tmp_path / "new.gpkg"
    is_told(call(path, "init"), "--city", "--crs")
    faulty = csv(tmp_path, "orgs.csv", "单位名称,单位类别\n交通运输局,联盟\n")
    is_told(call(path, "init", "--city", "溪口市", "--crs", CRS, "--organisations", faulty), "没有新建储备库", "联盟")
    assert not path.exists()


def test_a_register_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    is_told(call(tmp_path / "none.gpkg", "list", "sites"), "文件不存在", "siteplan register init")


def test_rows_are_listed_with_conditions_and_as_of_a_day(where: Path) -> None:
    text = ok(where, "list", "站址", "--where", "状态=在建")
    assert "ZZ000002  东岸村委会  在建" in text
    assert "站址:1 行" in text
    assert "站址:0 行" in ok(where, "list", "sites", "--as-of", "2026-01-31")
    is_told(call(where, "list", "飞机"), "储备库没有这张表", "sites(站址)")
    is_told(call(where, "list", "sites", "--where", "颜色=红"), "没有这个字段")
    is_told(call(where, "list", "sites", "--as-of", "六月"), "--as-of", "不是日期")


def test_a_row_is_changed_shown_and_corrected(where: Path) -> None:
    assert "已修改" in ok(where, "set", "ZZ000001", "状态=具备条件", "备注=清空", "--why", "手续齐全")
    text = ok(where, "show", "ZZ000001")
    assert "2026-07-02 测试员 状态 储备 -> 具备条件,手续齐全" in text
    number = re.search(r"(\d+) 2026-07-02 测试员 状态 ", text)
    assert number
    is_told(call(where, "correct", number[1], "--on", "2026-06-30"), "没有写原因")
    ok(where, "correct", number[1], "--on", "2026-06-30", "--why", "日期记错")
    assert read_rows(open_register(where), "sites", stamp("2026-06-30").day).loc["ZZ000001", "state"] == "ready"
    assert "已被更正" in ok(where, "show", "ZZ000001")
    assert "没有变化" in ok(where, "set", "ZZ000001", "状态=具备条件")
    is_told(call(where, "set", "ZZ000001", "状态=已开通"), "不能从")
    is_told(call(where, "set", "ZZ000001", "入选次序=1"), "不能在清单里改")
    is_told(call(where, "set", "XX1", "状态=储备"), "没有这样的编号")
    is_told(call(where, "show", "ZZ000099"), "没有这个编号")


def test_a_task_that_is_done_counts_from_its_own_day(where: Path) -> None:
    ok(where, "set", "RW000001", "状态=已完成", "完成日期=2026-06-30")
    register = open_register(where)
    assert read_rows(register, "tasks", stamp("2026-06-30").day).loc["RW000001", "state"] == "done"
    assert read_rows(register, "tasks", stamp("2026-06-29").day).loc["RW000001", "state"] == "open"


def test_the_ledger_goes_out_and_comes_back(where: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "out" / "ledger.xlsx"
    text = ok(where, "export", "--out", ledger, "--layers", tmp_path / "layers")
    assert "站址_储备、站址_在建" in text
    assert "import ledger" in text
    before = len(read_events(open_register(where)))
    ok(where, "import", "ledger", ledger)
    assert len(read_events(open_register(where))) == before
    edit(ledger, "站址", 2, 地址="锦溪路1号")
    assert "站址:新增 0 项,修改 1 项(ZZ000001),不变 2 项" in ok(where, "import", "ledger", ledger)
    edit(ledger, "站址", 2, 地址="锦溪路2号")
    is_told(call(where, "import", "ledger", ledger), "此行已于 2026-07-02 由 测试员 改为“锦溪路1号”")
    is_told(call(where, "export", "--out", tmp_path / "ledger.doc"), ".xlsx")


def test_one_faulty_sheet_of_a_ledger_keeps_all_sheets_out(where: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.xlsx"
    ok(where, "export", "--out", ledger)
    edit(ledger, "站址", 2, 地址="锦溪路1号")
    edit(ledger, "任务", 2, 责任单位="水利局")
    before = len(read_events(open_register(where)))
    is_told(call(where, "import", "ledger", ledger), "水利局", "ledger.xlsx")
    assert len(read_events(open_register(where))) == before


def test_lists_of_every_kind_are_brought_in(where: Path, tmp_path: Path) -> None:
    works = tmp_path / "works.gpkg"
    gpd.GeoDataFrame({"工程编号": ["G1"], "工程名称": ["锦溪路"], "工程类型": ["道路开挖"], "计划开工": ["2027-03-01"],
                      "计划完工": ["2027-09-30"], "业主单位": ["交通运输局"]},
                     geometry=[LineString([(437050, 2491200), (437300, 2491200)])], crs=CRS).to_file(works)
    assert "GC000001" in ok(where, "import", "works", works, "--list-name", "2027年道路计划")
    assert "ZZ000001" in ok(where, "works", "match")
    ok(where, "works", "accept", "GC000001", "ZZ000001", "--year", "2027")
    assert read_rows(open_register(where), "sites").loc["ZZ000001", "joint_work"] == "GC000001"
    minutes = csv(tmp_path, "m.csv", "会议,日期,纪要文号,事项,责任单位,期限\n联席会议,2026-06-20,〔2026〕3号,开放公园,自然资源局,2026-09-30\n")
    assert "RW000002" in ok(where, "import", "minutes", minutes)
    opinions = csv(tmp_path, "o.csv", "站址编号,决定,取值,决定人,日期\nS-7,保留,,联席会议,2026-06-20\nS-7,收费,进场费 2万,某公司,2026-06-21\n")
    ok(where, "import", "decisions", opinions)
    assert read_rows(open_register(where), "fees")["amount_yuan"].tolist() == [20000.0]
    fees = csv(tmp_path, "f.csv", "站址编号,费用名目,金额(万元),缴费单位,日期\nS-7,协调费,1.5,某公司,2026-06-22\n")
    ok(where, "import", "fees", fees)
    assert read_rows(open_register(where), "fees")["amount_yuan"].tolist() == [20000.0, 15000.0]
    is_told(call(where, "import", "天气", fees), "没有这一类清单", "works")
    is_told(call(where, "import", "works", works, "--datum", "北京54"), "--datum", "gcj02")


def test_quotas_are_split_followed_and_scheduled(where: Path, tmp_path: Path) -> None:
    parts = book(tmp_path, "split.xlsx", ("区域", "任务数"), ("溪西县", 400), ("溪东县", 260))
    assert "ZB000003" in ok(where, "import", "split", parts, "--parent", "ZB000001")
    is_told(call(where, "import", "split", parts), "--parent")
    reports = csv(tmp_path, "r.csv", "指标编号,截止日,累计完成数\nZB000001,2026-06-30,330\n")
    ok(where, "import", "reports", reports)
    assert "330/660 基站,完成 50.0 %" in ok(where, "quota", "progress", "--as-of", "2026-06-30")
    assert "倒排工期" in ok(where, "schedule", "ZZ000001")
    assert len(read_rows(open_register(where), "milestones"))


def test_a_schedule_that_is_empty_says_why(where: Path) -> None:
    assert "新的里程碑 0 项" not in ok(where, "schedule")
    assert "没有新编里程碑:1 处站址的里程碑与已有的相同" in ok(where, "schedule")
    ok(where, "set", "ZZ000001", "应开通日期=清空", "--why", "试")
    text = ok(where, "schedule")
    assert "3 处站址没有应开通日期" in text
    assert "没有新编里程碑:没有一处未开通的站址有应开通日期" in text


def test_a_site_in_no_plan_is_told_when_it_gets_a_year(where: Path) -> None:
    with writing(open_register(where), stamp("2026-02-02")) as transaction:
        edit_rows(transaction, "sites", {"ZZ000001": {"in_plan": False}})
    assert "ZZ000001 站址未列入现行方案" in ok(where, "set", "ZZ000001", "phase_year=2027", "--why", "会议")
    text = ok(where, "year", "--plan", 2027)
    assert "未列入现行方案、不计入计划的站址 1 项(ZZ000001)" in text
    assert "2027 年计划 0 处" in text


def test_a_case_is_opened_answered_raised_and_closed(where: Path) -> None:
    text = ok(where, "case", "open", "锦溪小学不让进场", "--enterprise", "铁塔溪口分公司", "--failed-talks", "三次协商未果",
              "--lead", "溪西县", "--called", "教育和体育局", "--called", "云岭镇", day="2026-03-01")
    assert "已登记 SX000001" in text
    ok(where, "case", "report-in", "SX000001", "教育和体育局", day="2026-03-03")
    ok(where, "case", "escalate", "SX000001", "--why", "未果", day="2026-03-20")
    ok(where, "case", "close", "SX000001", "已解决", day="2026-03-31")
    assert "平均办结 30.0 天" in ok(where, "case", "list", "--as-of", "2026-06-30")
    is_told(call(where, "case", "close", "SX000099", "已解决"), "SX000099")


def test_overdue_tasks_are_reminded_of(where: Path) -> None:
    assert "教育和体育局:1 项" in ok(where, "remind", "--as-of", "2026-06-30", "--send")
    assert read_rows(open_register(where), "tasks")["reminders"].tolist() == [1]
    assert "应发催办函 0 份" in ok(where, "remind", "--as-of", "2026-05-31")


def test_a_year_is_closed_and_snapshots_are_compared(where: Path) -> None:
    ok(where, "snapshot", "2026年上半年", "--day", "2026-06-30")
    assert "结转 3 项" in ok(where, "year", "--close", 2026, day="2026-12-31")
    assert "2027 年计划 3 处" in ok(where, "year", "--plan", 2027, day="2027-01-05")
    assert "截至 2026-12-30(含当日),2026 年计划 3 处" in ok(where, "year", "--plan", 2026, day="2026-12-30")
    assert "2026 年计划 0 处" in ok(where, "year", "--plan", 2026, day="2026-12-31")
    assert "3 处差别" in ok(where, "diff", "2026年上半年", "2026-12-31", day="2027-01-05")
    is_told(call(where, "diff", "没有的快照", "2026-12-31"), "没有的快照")
    is_told(call(where, "year"), "--close")


def test_rows_that_another_program_changed_are_found_and_adopted(where: Path) -> None:
    assert "没有被其他程序改动过" in ok(where, "check")
    connection = sqlite3.connect(where)
    connection.execute("UPDATE tasks SET title = '改过' WHERE id = 'RW000001'")
    connection.commit()
    connection.close()
    result = call(where, "check")
    assert result.exit_code == 2, said(result)
    assert "RW000001 任务:登记为 开放学校楼顶,现为 改过" in said(result)
    is_told(call(where, "check", "--adopt"), "没有写原因")
    ok(where, "check", "--adopt", "--why", "经核实")
    assert "没有被其他程序改动过" in ok(where, "check")
    assert read_rows(open_register(where), "tasks").loc["RW000001", "title"] == "改过"


def test_a_damaged_register_is_rescued_into_a_new_one(where: Path, tmp_path: Path) -> None:
    ok(where, "rescue", where, "--out", tmp_path / "new.gpkg")
    assert len(read_rows(open_register(tmp_path / "new.gpkg"), "sites")) == 3
    assert "无需升级" in ok(where, "migrate")


def test_a_day_that_is_none_and_an_author_that_is_missing_are_told(where: Path) -> None:
    is_told(call(where, "list", "sites", day="昨天"), "--day", "不是日期")
    words = ["register", "set", "ZZ000001", "地址=甲", "--register", str(where), "--author", " "]
    result = CliRunner().invoke(app, words, env=WIDE)
    is_told(result, "登记人")


def test_the_workbook_of_a_day_is_for_looking_only(where: Path, tmp_path: Path) -> None:
    text = ok(where, "export", "--out", tmp_path / "old.xlsx", "--as-of", "2026-06-30")
    assert "不能读回" in text
    assert "查阅本" in str(openpyxl.load_workbook(tmp_path / "old.xlsx")["说明"]["A2"].value)
