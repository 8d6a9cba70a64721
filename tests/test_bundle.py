"""Exchange files as a whole: all profiles, all formats, all or nothing, and nothing of others is lost."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
from conftest import CRS, at, rect
from out_layers import HOSTILE

from siteplan.errors import ExportError
from siteplan.export import _staging
from siteplan.export.exchange import bundle
from siteplan.export.exchange.bundle import FORMATS, LIST, export_bundle, write_profile_shapes
from siteplan.export.master.plan_layers import PlanLayers
from siteplan.params import DeliverParams
from siteplan.profiles import Profile, ProfileField

SITES = Profile("sites", "规划站址", "sites", "sites", "Point", "ZZBH", (
    ProfileField("ZZBH", "站址编号", "站址编号", "text", 20, source="site_id", mandatory=True),
    ProfileField("ZZMC", "站址名称", "站址名称", "text", 250, source="name", over_long="cut"),
    ProfileField("ZZLX", "站址类型", "站址类型", "text", 4, source="kind", codes={"宏站": "01", "微站": "02"}),
    ProfileField("GG", "挂高", "挂高(米)", "float", 7, 1, source="antenna_height_m"),
    ProfileField("JSNF", "建设年度", "建设年度", "int", 4, source="build_year"),
    ProfileField("XZB", "X坐标北", "X坐标(北)", "float", 14, 3, source="x_north_m"),
    ProfileField("YZB", "Y坐标东", "Y坐标(东)", "float", 14, 3, source="y_east_m")), style="ZZLX", source="自定")
VILLAGES = Profile("villages", "行政村", "villages", "villages", "Polygon", "CDM", (
    ProfileField("CDM", "村代码", "村代码", "text", 12, source="village_code", mandatory=True),
    ProfileField("CMC", "村名", "村名", "text", 60, source="name")))
UNITS = Profile("units", "控规单元", "units", "units", "Polygon", "DYBH", (
    ProfileField("DYBH", "单元编号", "单元编号", "text", 40, source="unit_code", mandatory=True),))


def plan(names: tuple[str, ...] = ("石桥村委会", "人民路灯杆"), **columns: Any) -> PlanLayers:
    numbers = range(len(names))
    sites = gpd.GeoDataFrame({
        "name": list(names), "kind": ["宏站", "微站"] * (len(names) // 2) + ["宏站"] * (len(names) % 2),
        "antenna_height_m": [35.04 + number for number in numbers], "build_year": [2026 for _ in numbers], **columns},
        geometry=[at(100 * number, 50) for number in numbers], crs=CRS,
        index=pd.Index([f"S{number}" for number in numbers], name="site_id", dtype="str"))
    villages = gpd.GeoDataFrame({"name": ["石桥村"]}, geometry=[rect(0, 0, 500, 500)], crs=CRS,
                                index=pd.Index(["441801001201"], name="village_code", dtype="str"))
    facts = {"study": {"name": "=试验", "file": "study.toml", "sha256": "ab" * 32, "crs": CRS, "notices": ["合成数据"],
                       "threshold_dbm": -105.0, "synthetic": True, "map_approval_no": "GS(2026)1号"},
             "parameters": {"study": {"as_of": "2026-06-30"}},
             "inputs": [{"layer": "villages", "file": "villages.shp", "bytes": 12, "sha256": "cd" * 32}]}
    return PlanLayers(facts, {"sites": sites, "villages": villages})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_format_reads_back_equal_and_lies_in_its_folder(tmp_path: Path) -> None:
    said: list[str] = []
    in_gbk = replace(SITES, replace={"䶮": "(龙天)", "𬭎": "(金弘)", "㙍": "(土夺)"})  # MapInfo has no other letters
    made = export_bundle(plan(tuple(HOSTILE)), tmp_path / "成果 一", list(FORMATS), [in_gbk, VILLAGES],
                         progress=said.append)
    assert said == list(FORMATS)
    assert sorted(path.name for path in (tmp_path / "成果 一").iterdir()) == sorted(
        [*FORMATS, "metadata.xlsx", "metadata.csv", "adjustments.csv", LIST])
    assert [(check.format, check.layer.name) for check in made.checks] == [
        (name, layer) for name in FORMATS for layer in ("sites", "villages")]
    assert made.checks[0].values == len(HOSTILE) * 8  # 7 fields and a shape
    assert {path.relative_to(made.folder).as_posix() for path in made.files} == set(contents(made.folder))
    read = gpd.read_file(made.folder / "shp" / "sites.shp")
    assert read["ZZMC"].tolist() == [name.replace("\n", " ") for name in HOSTILE]
    assert {item.written for item in made.adjustments if item.value.endswith("䶮𬭎㙍")} == {"(龙天)(金弘)(土夺)"}
    assert any(item.value == "两\n行" and item.written == "两 行" for item in made.adjustments)


def test_metadata_says_what_the_files_are(tmp_path: Path) -> None:
    export_bundle(plan(), tmp_path, ["shp", "csv"], [SITES, UNITS])
    with (tmp_path / "metadata.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = [(row[0], row[1]) for row in csv.reader(handle)]
    told = dict(rows)
    assert told["成果名称"] == "'=试验"
    assert (told["数据截止日期"], told["审图号"], told["密级或使用范围"]) == ("2026-06-30", "GS(2026)1号", "内部资料")
    assert "EPSG:4547" in told["坐标系"]
    assert "中央经线 114°" in told["坐标系"]
    assert "北向" in told["坐标系"]
    assert [words for label, words in rows if label == "声明"] == ["合成数据", "覆盖为模型预测值,非实测"]
    assert told["没有数据而未导出的图层"] == "控规单元"
    book = openpyxl.load_workbook(tmp_path / "metadata.xlsx")
    assert book.sheetnames == ["元数据", "图层与检查", "输入文件", "参数", "导出调整清单"]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell.value for cell in cells if cell.data_type == "f"]
    assert "cd" * 32 in [cell.value for cell in cells]
    assert [[cell.value for cell in row[:6]] for row in book["图层与检查"].iter_rows(min_row=3)] == [
        ["shp", "sites", "规划站址", 2, 7, 16], ["csv", "sites", "规划站址", 2, 7, 16]]


def test_the_problems_of_all_profiles_come_at_once(tmp_path: Path) -> None:
    faulty = plan(kind=["宏站", "飞艇"])
    faulty = replace(faulty, layers={**faulty.layers, "villages": faulty.layers["villages"].rename(index={
        "441801001201": ""})})
    with pytest.raises(ExportError) as caught:
        export_bundle(faulty, tmp_path / "out", ["shp", "gpkg"], [SITES, VILLAGES])
    assert {problem.layer for problem in caught.value.problems} == {"sites", "villages"}
    assert "飞艇" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_what_a_narrow_format_lacks_is_told_before_writing(tmp_path: Path) -> None:
    """䶮 is not in GBK; GeoPackage alone takes it."""
    with pytest.raises(ExportError, match="䶮"):
        export_bundle(plan(("䶮村", "b")), tmp_path / "out", ["shp", "gpkg"], [SITES], DeliverParams(encoding="GBK"))
    assert not (tmp_path / "out").exists()
    assert export_bundle(plan(("䶮村", "b")), tmp_path / "out", ["gpkg"], [SITES], DeliverParams(encoding="GBK")).checks


def test_names_and_encoding_of_the_settings(tmp_path: Path) -> None:
    export_bundle(plan(), tmp_path, ["shp"], [SITES], DeliverParams(encoding="GBK", names="chinese"))
    assert (tmp_path / "shp" / "sites.cpg").read_text() == "936"
    assert list(gpd.read_file(tmp_path / "shp" / "sites.shp"))[:2] == ["站址编号", "站址名称"]
    with (tmp_path / "shp" / "sites_fields.csv").open(encoding="utf-8-sig", newline="") as handle:
        assert [row["字段"] for row in csv.DictReader(handle)][:2] == ["站址编号", "站址名称"]


@pytest.mark.parametrize(("formats", "word"), [(["dwg"], "dwg"), ([], "可用"), (["shp", "../x"], "../x")])
def test_formats_that_there_are_not(tmp_path: Path, formats: list[str], word: str) -> None:
    with pytest.raises(ExportError) as caught:
        export_bundle(plan(), tmp_path / "out", formats, [SITES])
    assert word in str(caught.value)


def test_two_layers_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="文件名相同"):
        export_bundle(plan(), tmp_path / "out", ["shp"], [SITES, replace(VILLAGES, out="Sites")])


def damaged(monkeypatch: pytest.MonkeyPatch, name: str, **changes: Any) -> None:
    monkeypatch.setattr(bundle, "FORMATS", {**FORMATS, name: FORMATS[name]._replace(**changes)})


def test_a_file_that_does_not_read_back_leaves_everything_as_it_was(tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    export_bundle(plan(), tmp_path, ["shp", "gpkg"], [SITES])
    before = contents(tmp_path)
    read = FORMATS["gpkg"].read
    damaged(monkeypatch, "gpkg", read=lambda folder, layer: read(folder, layer).iloc[:-1])
    with pytest.raises(ExportError, match="读回 1 行"):
        export_bundle(plan(("新", "名")), tmp_path, ["shp", "gpkg"], [SITES])
    assert contents(tmp_path) == before


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied")])
def test_a_disk_that_is_full_or_closed_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                     error: OSError) -> None:
    def fail(layers: Any, folder: Path) -> None:
        (folder / "half.gpkg").write_bytes(b"half")
        raise error

    export_bundle(plan(), tmp_path, ["gpkg"], [SITES])
    before = contents(tmp_path)
    damaged(monkeypatch, "gpkg", write=fail)
    with pytest.raises(ExportError, match=error.strerror):
        export_bundle(plan(), tmp_path, ["gpkg"], [SITES])
    assert contents(tmp_path) == before


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError, match="不能写入"):
        export_bundle(plan(), tmp_path / "file" / "out", ["gpkg"], [SITES])
    (tmp_path / "gpkg").write_text("x")
    with pytest.raises(ExportError):
        export_bundle(plan(), tmp_path, ["gpkg"], [SITES])
    assert (tmp_path / "gpkg").read_text() == "x"


def test_nothing_of_an_earlier_export_stays_mixed(tmp_path: Path) -> None:
    """Another layer name: the folder has the new files only; the other format stays, and the metadata says so."""
    export_bundle(plan(), tmp_path, ["shp", "gpkg"], [SITES, VILLAGES])
    export_bundle(plan(), tmp_path, ["shp"], [replace(SITES, out="zhanzhi")])
    assert {path.stem for path in (tmp_path / "shp").glob("*.shp")} == {"zhanzhi"}
    assert (tmp_path / "gpkg").is_dir()
    assert "gpkg" in dict(pd.read_csv(tmp_path / "metadata.csv").to_numpy())["早先导出、本次没有重写的格式"]


def test_files_of_others_are_never_lost(tmp_path: Path) -> None:
    export_bundle(plan(), tmp_path, ["shp"], [SITES])
    (tmp_path / "shp" / "sites.shp.xml").write_text("made by a GIS beside ours")
    export_bundle(plan(), tmp_path, ["shp"], [SITES])
    (tmp_path / "shp" / "mine.docx").write_text("x")
    with pytest.raises(ExportError, match=r"mine\.docx"):
        export_bundle(plan(), tmp_path, ["shp"], [SITES])
    assert (tmp_path / "shp" / "mine.docx").read_text() == "x"
    (tmp_path / "shp" / "mine.docx").unlink()
    (tmp_path / "shp" / LIST).unlink()  # now none of it is known
    with pytest.raises(ExportError, match=r"sites\.shp"):
        export_bundle(plan(), tmp_path, ["shp"], [SITES])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "metadata.csv").write_text("a,b")
    with pytest.raises(ExportError, match=r"metadata\.csv"):
        export_bundle(plan(), tmp_path / "other", ["shp"], [SITES])


@pytest.mark.parametrize("swap", [True, False], ids=["exchange", "two renames"])
def test_a_move_that_fails_half_way_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap: bool) -> None:
    export_bundle(plan(), tmp_path, ["shp", "gpkg"], [SITES])
    before = contents(tmp_path)
    put, moved = _staging._put, []
    if not swap:
        monkeypatch.setattr(_staging, "_exchanged", lambda one, other: False)

    def fail(part: Path, place: Path, kept: Path) -> None:
        moved.append(part.name)
        if len(moved) == 3:
            raise PermissionError(13, "in use", str(place))
        put(part, place, kept)

    monkeypatch.setattr(_staging, "_put", fail)
    with pytest.raises(ExportError, match="其他程序"):
        export_bundle(plan(("新", "名")), tmp_path, ["shp", "gpkg"], [SITES])
    assert contents(tmp_path) == before


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from siteplan.export import _staging
from siteplan.export.exchange.bundle import export_bundle
from test_bundle import SITES, plan
put, done = _staging._put, []
def kill(part, place, kept):
    if len(done) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(part)
    put(part, place, kept)
_staging._put = kill
export_bundle(plan(("新", "名")), Path(sys.argv[1]), ["gpkg", "shp"], [SITES])
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("after", [0, 3])
def test_a_killed_export_leaves_whole_folders(tmp_path: Path, after: int) -> None:
    """Killed before the part of that number is moved (the list, adjustments.csv, gpkg, metadata.csv, ...)."""
    export_bundle(plan(), tmp_path, ["gpkg", "shp"], [SITES])
    old = contents(tmp_path)
    run = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent), str(after)],
                         capture_output=True, text=True, check=False)
    assert run.returncode == -9, run.stderr
    for name, layer in (("gpkg", "plan.gpkg"), ("shp", "sites.shp")):
        same = {key: value for key, value in contents(tmp_path).items() if key.startswith(f"{name}/")} == {
            key: value for key, value in old.items() if key.startswith(f"{name}/")}
        renewed = after >= 3 and name == "gpkg"
        assert same != renewed
        options = {"layer": "sites"} if name == "gpkg" else {}
        names = gpd.read_file(tmp_path / name / layer, **options)["ZZMC"].tolist()
        assert names == (["新", "名"] if renewed else ["石桥村委会", "人民路灯杆"])
    assert len(list(tmp_path.glob(".siteplan-*"))) == 1  # a copy of everything
    export_bundle(plan(), tmp_path, ["gpkg", "shp"], [SITES])
    assert not list(tmp_path.glob(".siteplan*"))


def test_equal_plans_make_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_bundle(plan(), tmp_path / name, ["shp"], [SITES, VILLAGES])
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_shapes_of_a_plan_stay_in_the_study_s_crs(tmp_path: Path) -> None:
    """``siteplan verify`` reads them: settings of exchange files do not touch them."""
    settings = DeliverParams(crs="EPSG:4490", encoding="GBK", names="chinese")
    write_profile_shapes(plan(("䶮村", "b")), settings, [SITES, VILLAGES, UNITS], tmp_path / "shp" / "sites.shp")
    read = gpd.read_file(tmp_path / "shp" / "sites.shp")
    assert read.crs.to_epsg(20) == 4547
    assert read["ZZMC"].tolist() == ["䶮村", "b"]
    told = (".shp", ".qml", ".csv", ".xlsx")
    assert sorted(path.name for path in (tmp_path / "shp").iterdir() if path.suffix in told) == [
        "dictionary.xlsx", "sites.qml", "sites.shp", "sites_fields.csv", "villages.qml", "villages.shp",
        "villages_fields.csv"]
