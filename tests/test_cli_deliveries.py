"""Commands on the folder of a finished plan: what they say and leave behind; bad input is told and leaves nothing."""

from __future__ import annotations

import csv
import json
import os
import shutil
import zipfile
from pathlib import Path

import geopandas as gpd
import openpyxl
import pyogrio
import pytest
from conftest import at
from master_town import RARE, study_layers
from test_cli import call, contents, is_told, said
from test_minimal_studies import study

from siteplan.export.exchange.bundle import FORMATS, LIST
from siteplan.sheets.atlas import check_pdf
from siteplan.study import run, write_deliverables

BUREAU = """
like = "sites"
id = "sites"
out = "TXJZ"
encoding = "GBK"
keep = ["ZZBH", "ZZMC", "ZZLX", "XZB", "YZB"]
[fields]
JZBH = { was = "ZZBH", zh = "基站编号", name_zh = "基站编号", width = 40 }
ZZLX = { width = 2, codes = { "宏站" = "01", "微站" = "02", "室分" = "03" } }
"""
"""A bureau's own layer of sites: fewer fields, one renamed, kinds as codes."""
GBK_OF = '\n[replace]\n"䶮" = "龑"\n"𬭎" = "弘"\n"㙍" = "缀"\n'


@pytest.fixture(scope="module")
def plan_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy town's plan as ``siteplan run`` writes it; its study names the bureau's profile."""
    folder = tmp_path_factory.mktemp("town")
    (folder / "bureau").mkdir()
    (folder / "bureau" / "txjz.toml").write_text(BUREAU, encoding="utf-8")
    opened = study(folder, study_layers(folder), selection={"min_gain": 0.0, "max_yuan_per_gain": 1e8},
                   deliver={"profiles": ["bureau/txjz.toml"]})
    write_deliverables(run(opened), folder / "out", root=opened.root)
    return folder / "out"


@pytest.fixture
def with_package_profiles(plan_folder: Path, tmp_path: Path) -> Path:
    """The same plan, of a study without a profile of its own."""
    shutil.copytree(plan_folder, tmp_path / "plan", ignore=shutil.ignore_patterns("profiles", "letters", "certificate"))
    return tmp_path / "plan"


def leaves_nothing(out: Path) -> bool:
    return not out.exists() or not list(out.iterdir())


# export


def test_export_tells_each_layer_and_its_files_are_there(plan_folder: Path, tmp_path: Path) -> None:
    before = contents(plan_folder)
    result = call("export", plan_folder, "--out", tmp_path, "--format", "shp, GDB、csv")
    assert result.exit_code == 0, said(result)
    sites = gpd.read_file(plan_folder / "sites.gpkg")
    assert f"Shapefile TXJZ:{len(sites)} 行" in result.output
    assert "值读回一致" in result.output
    assert str(tmp_path) in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "adjustments.csv", "csv", "export-files.csv", "gdb", "metadata.csv", "metadata.xlsx", "shp"]
    assert set(pyogrio.list_layers(tmp_path / "gdb" / "plan.gdb")[:, 0]) == {"TXJZ", "villages", "gaps", "units"}
    assert contents(plan_folder) == before


def test_profiles_that_travel_with_the_plan_are_used(plan_folder: Path, tmp_path: Path) -> None:
    """The study's own profile replaces the package's of that id; values are those of the master."""
    assert (plan_folder / "profiles" / "txjz.toml").read_text(encoding="utf-8") == BUREAU
    assert call("export", plan_folder, "--out", tmp_path, "--format", "shp").exit_code == 0
    read = gpd.read_file(tmp_path / "shp" / "TXJZ.shp").set_index("JZBH")
    master = gpd.read_file(plan_folder / "sites.gpkg").set_index("site_id")
    assert list(read.columns) == ["ZZMC", "ZZLX", "XZB", "YZB", "geometry"]
    assert read["ZZLX"].to_dict() == master["kind"].map({"宏站": "01", "微站": "02", "室分": "03"}).to_dict()
    assert read["XZB"].to_dict() == pytest.approx(master.geometry.y.to_dict(), abs=5e-4)
    assert (tmp_path / "shp" / "TXJZ.cpg").read_text() == "936"
    assert not (tmp_path / "shp" / "sites.shp").exists()


def test_a_profile_of_the_command_line_replaces_that_of_the_study(plan_folder: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.toml"
    newer.write_text(BUREAU.replace("TXJZ", "JZ2026"), encoding="utf-8")
    result = call("export", plan_folder, "--out", tmp_path / "out", "--format", "shp", "--profile", newer)
    assert result.exit_code == 0, said(result)
    assert {path.stem for path in (tmp_path / "out" / "shp").glob("*.shp")} == {"JZ2026"}  # only what is asked for


def test_a_further_profile_makes_a_further_layer(with_package_profiles: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.toml"
    more.write_text('like = "villages"\nout = "XZC"\nkeep = ["CUNDM", "CUNMC", "PDH"]\n', encoding="utf-8")
    result = call("export", with_package_profiles, "--out", tmp_path / "out", "--format", "shp", "--profile", more,
                  "--profile", "sites")
    assert result.exit_code == 0, said(result)
    assert {path.stem for path in (tmp_path / "out" / "shp").glob("*.shp")} == {"sites", "XZC"}


def test_only_the_layers_that_are_asked_for(with_package_profiles: Path, tmp_path: Path) -> None:
    """By the ids of profiles, in any order; an unknown one is told with those that there are."""
    made = call("export", with_package_profiles, "--out", tmp_path, "--format", "csv", "--profile", "villages, sites")
    assert made.exit_code == 0, said(made)
    assert {path.stem for path in (tmp_path / "csv").glob("*.csv")} - {"export-files"} == {"sites", "villages"}
    told = call("export", with_package_profiles, "--out", tmp_path / "b", "--profile", "sites,vilages")
    assert told.exit_code == 2
    words = ("--profile", "没有导出方案 vilages", "sites、villages、gaps、units")
    assert [word for word in words if word not in said(told)] == []
    assert not (tmp_path / "b").exists()


def test_the_package_s_profiles_cut_no_text_of_the_town(with_package_profiles: Path, tmp_path: Path) -> None:
    told = call("export", with_package_profiles, "--out", tmp_path, "--format", "shp,geojson")
    assert told.exit_code == 0
    assert [line for line in told.output.splitlines() if "截短" in line and " BZ" in line] == []
    rows = gpd.read_file(tmp_path / "shp" / "sites.shp")
    assert {"预测" in text for text in rows["BZ"]} == {True}
    assert not rows["GXYYS"].fillna("").str.contains("|", regex=False).any(), "entries are parted by 、"


def test_every_format_with_letters_that_mapinfo_lacks(with_package_profiles: Path, tmp_path: Path) -> None:
    """The town is called 䶮𬭎㙍村: MapInfo cannot, and says so; with letters to replace it all formats are written."""
    is_told(call("export", with_package_profiles, "--out", tmp_path / "out"), RARE, "GBK", "[replace]")
    assert leaves_nothing(tmp_path / "out")
    words: list[str | Path] = []
    for name in ("sites", "villages", "gaps"):
        file = tmp_path / f"{name}.toml"
        file.write_text(f'like = "{name}"\nid = "{name}"\n{GBK_OF}', encoding="utf-8")
        words += ["--profile", file]
    result = call("export", with_package_profiles, "--out", tmp_path / "out", *words)
    assert result.exit_code == 0, said(result)
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == set(FORMATS)
    assert "龑弘缀村" in set(gpd.read_file(tmp_path / "out" / "tab" / "villages.tab")["SSZJ"])
    assert RARE in set(gpd.read_file(tmp_path / "out" / "gpkg" / "plan.gpkg", layer="villages")["SSZJ"])
    assert "替换" in result.output
    assert "不保留" in result.output


def test_crs_names_and_encoding_of_the_command_line(with_package_profiles: Path, tmp_path: Path) -> None:
    """Zone 38 with its number before the easting: EPSG:4526 = EPSG:4547 moved by 38,000,000 m."""
    result = call("export", with_package_profiles, "--out", tmp_path, "--format", "shp", "--crs", "EPSG:4526",
                  "--names", "chinese", "--encoding", "GB18030")
    assert result.exit_code == 0, said(result)
    read = gpd.read_file(tmp_path / "shp" / "sites.shp").set_index("站址编号")
    master = gpd.read_file(with_package_profiles / "sites.gpkg").set_index("site_id")
    assert read.crs.to_epsg(20) == 4526
    assert read.geometry.x.to_dict() == pytest.approx((master.geometry.x + 38e6).to_dict(), abs=1e-3)
    assert max(len(name.encode("gbk")) for name in read.columns if name != "geometry") <= 10
    assert RARE in set(gpd.read_file(tmp_path / "shp" / "villages.shp").iloc[:, :-1].to_numpy().ravel())


@pytest.mark.parametrize(("option", "words"), [
    (("--format", "shp,dwg,../x"), ["dwg", "../x", "可用:shp"]), (("--format", ""), ["可用:shp"]),
    (("--crs", "EPSG:99999"), ["--crs", "无法识别", "EPSG:4490"]), (("--crs", "EPSG:2435"), ["--crs", "北京54"]),
    (("--crs", "EPSG:3857"), ["--crs", "不是 CGCS2000"]), (("--encoding", "BIG5"), ["--encoding", "BIG5", "GB18030"]),
    (("--names", "english", "--crs", "x"), ["--names", "english", "pinyin", "--crs"]),
    (("--profile", "没有.toml"), ["没有.toml", "不能读取"]), (("--profile", "."), ["不能读取"])],
    ids=["formats", "no format", "no crs", "Beijing 54", "web mercator", "encoding", "names and crs", "no profile",
         "profile is a folder"])
def test_options_that_cannot_be_used(plan_folder: Path, tmp_path: Path, option: tuple[str, ...],
                                     words: list[str]) -> None:
    result = call("export", plan_folder, "--out", tmp_path / "out", *option)
    is_told(result, *words)
    assert result.stderr.count("--crs") <= 1  # once, not for every layer
    assert leaves_nothing(tmp_path / "out")


def test_every_fault_of_every_profile_is_told(plan_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "一.toml").write_text('like = "sites"\nout = "../x"\n[fields]\n"站名" = { was = "ZZMC" }\n'
                                     'ZZLX = { widht = 2 }\n', encoding="utf-8")
    (tmp_path / "二.toml").write_text("like = [", encoding="utf-8")
    is_told(call("export", plan_folder, "--out", tmp_path / "out", "--profile", tmp_path / "一.toml",
                 "--profile", tmp_path / "二.toml"),
            "一.toml", "../x", "站名", "是否应为 width", "二.toml", "TOML")
    assert leaves_nothing(tmp_path / "out")


def test_a_faulty_profile_beside_the_plan_is_told_with_those_of_the_command_line(plan_folder: Path,
                                                                               tmp_path: Path) -> None:
    folder = shutil.copytree(plan_folder, tmp_path / "plan", ignore=shutil.ignore_patterns("letters", "certificate"))
    (folder / "profiles" / "txjz.toml").write_bytes('like = "方案"'.encode("gbk"))
    (tmp_path / "b.toml").write_text('like = "sites"\nout = "b"\ncrs = "EPSG:0"\n', encoding="utf-8")
    is_told(call("export", folder, "--out", tmp_path / "out", "--profile", tmp_path / "b.toml"), "txjz.toml", "UTF-8",
            "b.toml", "EPSG:0")


def test_files_of_others_in_the_output_folder_are_not_replaced(plan_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "mine.csv").write_text("mine")
    is_told(call("export", plan_folder, "--out", tmp_path, "--format", "csv"), "csv/mine.csv", "换一个导出目录")
    assert {name: data for name, (_, data) in contents(tmp_path).items()} == {"csv/mine.csv": b"mine"}
    # nor is the plan's own folder of Shapefiles, that `siteplan verify` reads
    before = contents(plan_folder)
    is_told(call("export", plan_folder, "--out", plan_folder, "--format", "shp"), "shp/sites.shp")
    assert contents(plan_folder) == before


def test_export_twice_replaces_its_own_files(plan_folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert call("export", plan_folder, "--out", tmp_path, "--format", "csv").exit_code == 0
    with (tmp_path / "csv" / LIST).open(encoding="utf-8-sig", newline="") as handle:
        listed = {row[0] for row in list(csv.reader(handle))[1:]}
    assert listed == {path.name for path in (tmp_path / "csv").iterdir()} - {LIST}


# all commands on folders that are no plan


@pytest.mark.parametrize("verb", ["export", "survey", "print"])
def test_folders_that_are_no_plan(plan_folder: Path, tmp_path: Path, verb: str) -> None:
    is_told(call(verb, tmp_path / "nowhere", "--out", tmp_path / "out"), "plan.json", "nowhere", "siteplan run")
    is_told(call("changes", tmp_path / "nowhere", plan_folder, "--out", tmp_path / "out"), "nowhere")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "plan.json").write_text('{"study": 3}', encoding="utf-8")
    (tmp_path / "broken" / "sites.gpkg").write_bytes(os.urandom(500))
    is_told(call(verb, tmp_path / "broken", "--out", tmp_path / "out"), "plan.json", "study", "sites.gpkg",
            "candidates.gpkg")
    assert leaves_nothing(tmp_path / "out")


@pytest.mark.parametrize("verb", ["export", "changes", "survey", "print"])
def test_an_output_folder_that_is_a_file(plan_folder: Path, tmp_path: Path, verb: str) -> None:
    (tmp_path / "out").write_text("mine")
    more = {"changes": [plan_folder], "export": ["--format", "csv"]}.get(verb, [])
    is_told(call(verb, plan_folder, *more, "--out", tmp_path / "out"), "不能写入")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("verb", ["export", "changes", "survey", "print"])
def test_commands_have_help(verb: str) -> None:
    assert verb in call("--help").output
    assert "--debug" in call(verb, "--help").output


def test_settings_of_a_damaged_plan_are_its_own_fault(plan_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(plan_folder, tmp_path / "plan", ignore=shutil.ignore_patterns("letters", "certificate"))
    facts = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    facts["parameters"]["deliver"]["map"]["language"] = "fr"
    (folder / "plan.json").write_text(json.dumps(facts), encoding="utf-8")
    is_told(call("export", folder, "--out", tmp_path / "out", "--names", "x"), "parameters.deliver.map.language",
            "plan.json", "--names")


# changes


def test_changes_between_two_folders(plan_folder: Path, tmp_path: Path) -> None:
    """One site moved by 5 m, one dropped, one renamed."""
    later = shutil.copytree(plan_folder, tmp_path / "later", ignore=shutil.ignore_patterns("letters", "certificate"))
    sites = gpd.read_file(later / "sites.gpkg")
    sites.loc[0, "geometry"] = at(sites.geometry[0].x - at(0, 0).x + 3, sites.geometry[0].y - at(0, 0).y + 4)
    sites.loc[1, "name"] = "=改名\n"
    sites.drop(index=2).to_file(later / "sites.gpkg", layer="sites", driver="GPKG")
    result = call("changes", plan_folder, later, "--out", tmp_path / "changes")
    assert result.exit_code == 0, said(result)
    assert f"新增 0、取消 1、移动 1、属性变更 1 项,不变 {len(sites) - 3}" in result.output
    book = openpyxl.load_workbook(tmp_path / "changes" / "changes.xlsx")
    assert not [cell.value for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    assert gpd.read_file(tmp_path / "changes" / "changes.gpkg", layer="moved")["distance_m"].tolist() == [5.0]
    is_told(call("changes", plan_folder, later, "--out", tmp_path / "x", "--layer", "站址"), "站址", "没有这一图层")
    is_told(call("changes", plan_folder, later, "--out", tmp_path / "x", "--moved-m", "nan"), "--moved-m")
    assert not (tmp_path / "x").exists()


# survey and print


def test_survey_and_what_may_not_leave(plan_folder: Path, tmp_path: Path) -> None:
    result = call("survey", plan_folder, "--out", tmp_path / "勘察")
    assert result.exit_code == 0, said(result)
    assert {path.name for path in (tmp_path / "勘察").iterdir()} == {"survey.xlsx", "survey.kmz", "withheld.xlsx"}
    assert zipfile.ZipFile(tmp_path / "勘察" / "survey.kmz").testzip() is None
    files = [path for path in plan_folder.rglob("*") if path.is_file()]
    assert f"不得外传清单({len(files) + 3} 个文件)" in result.output  # two survey files, and the list itself
    (tmp_path / "勘察" / "survey.xlsx").write_bytes(b"filled in by hand")
    is_told(call("survey", plan_folder, "--out", tmp_path / "勘察"), "survey.xlsx", "已被填写")
    assert (tmp_path / "勘察" / "survey.xlsx").read_bytes() == b"filled in by hand"


def test_print_writes_atlas_and_brief(plan_folder: Path, tmp_path: Path) -> None:
    result = call("print", plan_folder, "--out", tmp_path, "--paper", "A4", "--by", "unit", "--only", "U-W")
    assert result.exit_code == 0, said(result)
    pages = sorted(path.name for path in tmp_path.glob("*.png"))
    assert len(pages) >= 2  # the overview and the unit
    check_pdf(tmp_path / "atlas_unit_A4.pdf", len(pages))
    assert f"共 {len(pages) + 1} 个文件" in result.output
    assert (tmp_path / "brief.docx").stat().st_size > 10_000


def test_print_options_that_cannot_be_used(plan_folder: Path, tmp_path: Path) -> None:
    """All at once; a template that cannot be used is told before anything is drawn."""
    is_told(call("print", plan_folder, "--out", tmp_path / "out", "--by", "village", "--paper", "A0", "--what", "sinr"),
            "--by", "village", "--paper", "A0", "--what", "sinr", "rsrp")
    (tmp_path / "own.docx").write_bytes(b"no Word file")
    is_told(call("print", plan_folder, "--out", tmp_path / "out", "--template", tmp_path / "own.docx"), "own.docx")
    is_told(call("print", plan_folder, "--out", tmp_path / "out", "--template", tmp_path / "没有.docx"), "没有.docx")
    is_told(call("print", plan_folder, "--out", tmp_path / "out", "--only", "无此镇"), "无此镇")
    assert leaves_nothing(tmp_path / "out")
