"""The list of what may not leave the bureau: every file is on it, one that no rule knows in red."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point

from siteplan.errors import ExportError
from siteplan.export._plan import FILES
from siteplan.export.master import PlanLayers
from siteplan.export.survey.withheld import UNVERIFIED, files_of, handling_of, write_withheld
from siteplan.tables import read_table

RED = "FFFFC7CE"


def plan(**study: object) -> PlanLayers:
    sites = gpd.GeoDataFrame({"name": ["甲"]}, geometry=[Point(437_000, 2_491_000)], crs="EPSG:4547")
    everything = gpd.GeoDataFrame({"name": ["甲", "涉密单位(不列名)"]}, geometry=[Point(437_000, 2_491_000), None],
                                  crs="EPSG:4547")
    facts = {"study": {"name": "溪口市", "notices": ["合成数据"]} | study}
    return PlanLayers(facts, {"sites": sites, "all_sites": everything})


def rows_of(path: Path) -> list[list[openpyxl.cell.cell.Cell]]:
    sheet = openpyxl.load_workbook(path)["不得外传清单"]
    lines = [list(line) for line in sheet.iter_rows()]
    head = next(number for number, line in enumerate(lines) if line[0].value == "文件")
    return lines[head + 1:]


def placed(folder: Path, *names: str) -> Path:
    """A folder with files of these names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    folder.mkdir(exist_ok=True)
    return folder


@given(names=st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
                      .filter(lambda name: "/" not in name and name not in (".", "..")), unique=True, max_size=8))
def test_no_file_is_left_out(names: list[str]) -> None:
    assert {row.file for row in handling_of(names)} == set(names)


@pytest.mark.parametrize(("file", "level"), [
    ("public_list.csv", "public"), ("review_map_public.html", "reviewed"), ("review_map.html", "withheld"),
    ("certificate/surface.tif", "withheld"), ("certificate/reach.npz", "withheld"), ("demand.tif", "withheld"),
    ("letters/01_民政局.docx", "limited"), ("survey/survey.xlsx", "limited"), ("survey_溪口镇.xlsx", "limited"),
    ("shp/sites.shp", "withheld"), ("dxf/plan.dxf", "withheld"), ("sites.gpkg", "withheld"),
    ("metadata.xlsx", "limited"), ("SITES.GPKG", "withheld"), ("notes.txt", "unknown"),
    ("x/public_list.csv.exe", "unknown"),
    (".DS_Store", "unknown")])
def test_files_by_what_they_hold(file: str, level: str) -> None:
    assert [row.level for row in handling_of([file])] == [level]


def test_the_surface_names_its_own_reason() -> None:
    surface, reach = handling_of(["certificate/surface.tif", "certificate/reach.npz"])[::-1]
    assert "地面高程" in surface.content
    assert "地面高程" not in reach.content
    assert "地面高程" not in handling_of(["demand.tif"])[0].content


def test_every_file_of_a_run_has_a_rule() -> None:
    """What ``siteplan run`` writes is known; a new deliverable without a rule shows here."""
    assert [row.file for row in handling_of([name for name, _ in FILES]) if row.level == "unknown"] == []


def test_only_what_is_meant_may_be_published() -> None:
    names = [name for name, _ in FILES]
    assert [row.file for row in handling_of(names) if row.level == "public"] == ["public_list.csv"]


def test_a_file_gdb_is_one_line() -> None:
    found = handling_of(["gdb/plan.gdb/a00000001.gdbtable", "gdb/plan.gdb/gdb"])
    assert [(row.file, row.level) for row in found] == [("gdb/plan.gdb", "withheld")]


def test_unknown_files_stand_first_and_in_red(tmp_path: Path) -> None:
    run = placed(tmp_path, "sites.gpkg", "=cmd|x", "public_list.csv")
    rows = write_withheld(plan(), run, tmp_path / "withheld.xlsx")
    assert {row.file for row in rows} == {"sites.gpkg", "=cmd|x", "public_list.csv", "withheld.xlsx"}
    told = rows_of(tmp_path / "withheld.xlsx")
    assert [(line[0].value, line[2].value) for line in told] == [
        ("=cmd|x", "待定"), ("sites.gpkg", "不得外传"), ("withheld.xlsx", "不得外传"), ("public_list.csv", "可以公开")]
    assert [line[0].fill.fgColor.rgb == RED for line in told] == [True, False, False, False]
    assert told[0][0].data_type == "s"


def test_what_has_no_citable_text_says_so(tmp_path: Path) -> None:
    write_withheld(plan(), placed(tmp_path, "letters/01.docx", "sites.gpkg"), tmp_path / "withheld.xlsx")
    bases = {line[0].value: str(line[5].value) for line in rows_of(tmp_path / "withheld.xlsx")}
    assert f"《个人信息保护法》({UNVERIFIED})" in bases["letters/01.docx"]
    assert "《测绘成果管理条例》第十六条\n" in bases["sites.gpkg"]
    sheet = openpyxl.load_workbook(tmp_path / "withheld.xlsx")["依据"]
    told = {row[0]: row[2] for row in sheet.iter_rows(min_row=4, values_only=True)}
    table = read_table("withheld")["bases"]
    assert told == {entry["short"]: "已见文本" if entry["verified"] else UNVERIFIED for entry in table.values()}


@pytest.mark.parametrize(("number", "words"), [("", "审图号:未填写"), ("粤S(2026)001号", "审图号:粤S(2026)001号")])
def test_notes_tell_the_approval_number_and_hidden_units(number: str, words: str, tmp_path: Path) -> None:
    write_withheld(plan(map_approval_no=number), tmp_path, tmp_path / "withheld.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "withheld.xlsx")["不得外传清单"]
    notes = [str(sheet.cell(line, 1).value) for line in range(1, 8)]
    assert any(line.startswith(words) for line in notes)
    assert any("候选表中 1 行" in line for line in notes)
    assert "合成数据" in notes


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    """What a killed program left is listed as one thing that is to be cleared: it may be a copy of everything."""
    placed(tmp_path, "sites.gpkg", "certificate/surface.tif", "x/.siteplan-x/new/shp/half.shp", "a/b/c.txt",
           ".siteplan.lock")
    (tmp_path / ".siteplan-empty").mkdir()
    assert set(files_of(tmp_path)) == {
        ".siteplan-empty", "a/b/c.txt", "certificate/surface.tif", "sites.gpkg", "x/.siteplan-x"}
    rows = write_withheld(plan(), tmp_path, tmp_path / "withheld.xlsx")  # clears the folder that it writes into
    assert [row.file for row in rows if row.level == "unknown"] == ["a/b/c.txt"]
    assert [row.file for row in rows if row.level == "leftover"] == ["x/.siteplan-x"]
    told = rows_of(tmp_path / "withheld.xlsx")[0]
    assert (told[0].value, told[2].value, told[0].fill.fgColor.rgb) == ("x/.siteplan-x", "待清理", RED)
    assert not list(tmp_path.glob(".siteplan*"))


def test_all_folders_are_listed_each_file_once(tmp_path: Path) -> None:
    """Survey sheets and exports lie elsewhere, or inside the output folder: both are told with their folder."""
    run = placed(tmp_path / "run", "sites.gpkg", "export/shp/sites.shp", "export/metadata.csv")
    out = placed(tmp_path / "out", "survey.kmz", "survey.xlsx", "withheld.xlsx")
    rows = write_withheld(plan(), [run, out, run / "export"], out / "withheld.xlsx")
    assert {(row.folder, row.file, row.level) for row in rows} == {
        (str(run), "sites.gpkg", "withheld"), (str(run), "export/shp/sites.shp", "withheld"),
        (str(run), "export/metadata.csv", "limited"), (str(out), "survey.kmz", "limited"),
        (str(out), "survey.xlsx", "limited"), (str(out), "withheld.xlsx", "withheld")}
    assert len(rows) == 6
    assert {(line[1].value, line[0].value) for line in rows_of(out / "withheld.xlsx")} == {
        (row.folder, row.file) for row in rows}
    sheet = openpyxl.load_workbook(out / "withheld.xlsx")["不得外传清单"]
    notes = [str(sheet.cell(line, 1).value) for line in range(1, 8)]
    assert any(str(run) in note and str(out) in note and "没有列入" in note for note in notes)


def test_a_list_outside_its_folders_lists_itself(tmp_path: Path) -> None:
    run = placed(tmp_path / "run", "sites.gpkg")
    rows = write_withheld(plan(), run, tmp_path / "withheld.xlsx")
    assert [(row.folder, row.file) for row in rows] == [(str(run), "sites.gpkg"), (str(tmp_path), "withheld.xlsx")]


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="不存在"):
        files_of(tmp_path / "none")
    with pytest.raises(ExportError, match="不存在"):
        write_withheld(plan(), [tmp_path, tmp_path / "none"], tmp_path / "x" / "withheld.xlsx")
    assert not (tmp_path / "x").exists()


def test_rules_name_levels_and_bases_that_are_there() -> None:
    table = read_table("withheld")
    for rule in table["rules"]:
        assert rule["level"] in table["levels"], rule
        assert set(rule["bases"]) <= set(table["bases"]), rule
        assert rule["content"]
        assert rule["who"]
    assert all(entry["source"] for entry in table["bases"].values())


def test_same_files_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    run = placed(tmp_path / "run", "sites.gpkg")
    for _ in range(2):
        write_withheld(plan(), run, run / "withheld.xlsx")
        (run / "withheld.xlsx").replace(tmp_path / "a" / f"{len(list((tmp_path / 'a').iterdir()))}.xlsx")
    assert (tmp_path / "a" / "0.xlsx").read_bytes() == (tmp_path / "a" / "1.xlsx").read_bytes()
