"""``siteplan register works``: matched, accepted, declined; lists for owners and projects; lists that follow others."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
from master_town import study_layers
from shapely import LineString, box
from test_cli import is_told, said
from test_cli_register import call, ok, small_register
from test_minimal_studies import study

from siteplan.cli import app
from siteplan.export._plan import write_plan
from siteplan.export.works_lists import sheet_names
from siteplan.register import open_register, read_rows
from siteplan.study import run
from tests.registers import CRS

SOUTH = LineString([(437050, 2491190), (437300, 2491190)])
"""10 m south of the first site (锦溪小学)."""
NORTH = LineString([(437050, 2491220), (437300, 2491220)])
"""20 m north of it."""


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return small_register(tmp_path / "register.gpkg")


def works_file(folder: Path, *rows: tuple[str, str, str], name: str = "works.gpkg") -> Path:
    """Digs: number, owner, last day; the first is the one in the south, the second that in the north."""
    numbers, owners, ends = zip(*rows, strict=True)
    shapes = {"G1": SOUTH, "G2": NORTH}
    gpd.GeoDataFrame({"工程编号": numbers, "工程名称": [f"{one}路" for one in numbers], "工程类型": ["道路开挖"] * len(rows),
                      "计划开工": ["2027-03-01"] * len(rows), "计划完工": ends, "业主": owners},
                     geometry=[shapes[number] for number in numbers], crs=CRS).to_file(folder / name)
    return folder / name


@pytest.fixture
def listed(where: Path, tmp_path: Path) -> Path:
    ok(where, "import", "works", works_file(tmp_path, ("G1", "市政处", "2027-09-30"), ("G2", "水务局", "2027-09-30")),
       "--list-name", "2027年计划")
    return where


def test_the_owner_of_works_may_be_called_as_lists_call_it(listed: Path) -> None:
    assert read_rows(open_register(listed), "works")["works_owner"].tolist() == ["市政处", "水务局"]


def test_the_best_works_of_a_site_are_shown_and_all_on_request(listed: Path) -> None:
    text = ok(listed, "works", "match")
    assert "GC000001  G1路  ZZ000001" in text
    assert "GC000002" not in text
    assert "1 处站址可同步实施" in text
    assert "works / ZZ000003" not in text
    assert "sites / ZZ000003 / geometry: 没有位置,不能与工程匹配" in text
    assert "GC000002  G2路  ZZ000001" in ok(listed, "works", "match", "--all")


def test_what_is_declined_is_not_suggested_again(listed: Path) -> None:
    assert "新增或变更 1 条" in ok(listed, "works", "match", "--record")
    is_told(call(listed, "works", "decline", "GC000001", "ZZ000001"), "没有写不采纳的原因")
    ok(listed, "works", "decline", "GC000001", "ZZ000001", "--why", "管线冲突")
    text = ok(listed, "works", "match", "--all")
    assert "GC000001" not in text
    assert "GC000002  G2路  ZZ000001" in text
    ok(listed, "works", "accept", "GC000002", "ZZ000001", "--year", "2027")
    assert "已采纳" in ok(listed, "works", "match")
    states = read_rows(open_register(listed), "joint_matches").set_index("work_id")["state"]
    assert states.to_dict() == {"GC000001": "declined", "GC000002": "accepted"}


def test_each_owner_gets_a_list_with_the_latest_day(listed: Path, tmp_path: Path) -> None:
    text = ok(listed, "works", "owners", "--out", tmp_path / "lists" / "owners.xlsx", "--all")
    assert "2 家业主、2 项工程" in text
    book = openpyxl.load_workbook(tmp_path / "lists" / "owners.xlsx")
    assert book.sheetnames == ["汇总", "市政处", "水务局"]
    cells = list(book["市政处"].values)
    head = next(row for row in cells if row[0] == "业主单位")
    row = dict(zip(head, cells[cells.index(head) + 1], strict=True))
    assert (row["工程名称"], row["站址"]) == ("G1路", "锦溪小学")
    held = read_rows(open_register(listed), "works").loc["GC000001"]
    assert row["最迟提出日期"] == f"{held['start_on'] - pd.DateOffset(months=3):%Y-%m-%d}"
    ok(listed, "works", "owners", "--out", tmp_path / "owners.csv")
    assert pd.read_csv(tmp_path / "owners.csv")["业主单位"].tolist() == ["市政处"]
    is_told(call(listed, "works", "owners", "--out", tmp_path / "owners.doc"), ".xlsx")


def test_names_of_sheets_are_such_as_a_workbook_takes() -> None:
    names = sheet_names(["甲" * 40, "甲" * 41, "a[b]:c", "A b c", "'", "汇总"])
    assert all(len(name) <= 31 for name in names)
    assert len({name.casefold() for name in names}) == len(names)
    assert not any(set(name) & set("[]:*?/\\") for name in names)


def test_a_list_takes_the_place_of_another(listed: Path, tmp_path: Path) -> None:
    new = works_file(tmp_path, ("G1", "市政处", "2027-12-31"), name="new.gpkg")
    is_told(call(listed, "import", "works", new, "--replaces", "2026年计划"), "没有工程清单“2026年计划”", "2027年计划")
    text = ok(listed, "import", "works", new, "--list-name", "调整计划", "--replaces", "2027年计划")
    assert "修改 1 项(GC000001),不变 0 项,不再列入 1 项(GC000002),重新列入 0 项" in text
    assert read_rows(open_register(listed), "works")["is_current"].tolist() == [True, False]
    again = works_file(tmp_path, ("G1", "市政处", "2027-12-31"), ("G2", "水务局", "2027-09-30"), name="again.gpkg")
    assert "重新列入 1 项(GC000002)" in ok(listed, "import", "works", again, "--list-name", "调整计划")
    is_told(call(listed, "import", "tasks", new, "--replaces", "调整计划"), "--replaces", "只用于 works")


def test_building_projects_get_a_demand_list(where: Path, tmp_path: Path) -> None:
    file = tmp_path / "projects.gpkg"
    gpd.GeoDataFrame({"工程编号": ["J1"], "工程名称": ["新商场"], "工程类型": ["建设项目"], "计划开工": ["2027-03-01"],
                      "计划完工": ["2028-09-30"], "用途": ["商业"], "建筑面积(平方米)": [30000.0]},
                     geometry=[box(437090, 2491190, 437140, 2491240)], crs=CRS).to_file(file)
    ok(where, "import", "works", file)
    assert "1 个建设项目,其中须配建室内覆盖 1 个;附近覆盖空洞没有提供" in ok(
        where, "works", "demand", "--out", tmp_path / "demand.csv")
    row = pd.read_csv(tmp_path / "demand.csv").iloc[0]
    assert (row["建设项目"], row["规划站址"], row["最迟提出日期"]) == ("新商场", "锦溪小学", "2026-09-01")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the plan of the toy town: one dig, two planned buildings, two counties."""
    folder = tmp_path_factory.mktemp("town")
    made = run(study(folder, study_layers(folder), selection={"min_gain": 0.0, "max_yuan_per_gain": 1e8}))
    write_plan(made, folder / "plan")
    return folder / "plan"


def test_the_whole_way_from_a_study_to_joint_works(plan: Path, tmp_path: Path) -> None:
    path, file = tmp_path / "new.gpkg", plan.parent / "study.toml"
    is_told(call(path, "init", "--study", file), "--city", "研究的规划范围图层也没有给出")
    assert not path.exists()
    ok(path, "init", "--study", file, "--city", "溪口市", day="2026-01-05")
    kinds = read_rows(open_register(path), "organisations")["kind"].value_counts()
    assert (kinds["county"], kinds["town"], kinds["office"]) == (2, 1, 1)
    text = ok(path, "sync", plan, day="2026-01-10")
    assert "处没有应开通日期" in text
    assert "再 siteplan register schedule 倒排工期" in text
    text = ok(path, "works", "import", plan, day="2026-01-12")
    assert "新增 3 项(GC000001、GC000002、GC000003)" in text
    assert "不变 3 项" in ok(path, "works", "import", plan, day="2026-01-13")
    assert "3 处站址可同步实施" in ok(path, "works", "match", day="2026-01-12")
    assert "1 个建设项目" not in ok(path, "works", "demand", "--out", tmp_path / "d.xlsx", "--plan", plan, day="2026-01-12")
    for source in (plan, file, plan.parent / "counties.gpkg"):
        assert "0 处须改正" in ok(path, "check", "--counties", source)
    sites = tmp_path / "s.csv"
    sites.write_text("站址名称,所属县区,状态\n无位置,西县,储备\n", encoding="utf-8")
    assert "新增 1 项" in ok(path, "import", "sites", sites, "--counties", file)
    west = read_rows(open_register(path), "sites").query("county == '西县'").index[0]
    ok(path, "set", west, "所属县区=东县", "--why", "试")
    is_told(call(path, "check", "--counties", plan), f"{west} / county: 所属县区写的是东县,位置在西县")


def test_a_study_whose_counties_cannot_be_used_is_told(where: Path, tmp_path: Path) -> None:
    """The files of ground, villages and boundary are not opened: they are not there; those of the counties are."""
    text = '[study]\nname = "溪口市"\ncrs = "EPSG:4547"\n' + "".join(
        f'[layers.{name}]\npath = "absent.gpkg"\n' for name in ("boundary", "ground", "villages"))
    (tmp_path / "bare.toml").write_text(text, encoding="utf-8")
    (tmp_path / "study.toml").write_text(f'{text}[layers.counties]\npath = "none.gpkg"\n', encoding="utf-8")
    (tmp_path / "sound.toml").write_text(f'{text}[layers.counties]\npath = "counties.gpkg"\n', encoding="utf-8")
    gpd.GeoDataFrame({"name": ["溪西县"]}, geometry=[box(430000, 2480000, 437500, 2500000)], crs=CRS).to_file(
        tmp_path / "counties.gpkg")
    assert "按 1 个县区核对站址 3 处" in said(call(where, "check", "--counties", tmp_path / "sound.toml"))
    result = call(where, "check", "--counties", tmp_path / "study.toml")
    is_told(result, "none.gpkg", "县区面不能使用")
    is_told(call(where, "check", "--counties", tmp_path / "bare.toml"), "--counties")
    is_told(call(tmp_path / "x.gpkg", "init", "--study", tmp_path / "bare.toml"), "--city")


def test_every_command_has_a_group_and_a_help() -> None:
    from typer.main import get_command

    held = get_command(app).commands["register"].commands  # type: ignore[attr-defined]
    assert {name for name, command in held.items() if not command.rich_help_panel} == set()
    assert {name for name, command in held.items() if "。" not in (command.help or "")} == set()
