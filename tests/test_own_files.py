"""Exporting again: what a planner put or changed in the folder of an earlier export is never lost."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from test_bundle import SITES, VILLAGES, contents, plan

from siteplan.errors import ExportError
from siteplan.export.exchange.bundle import export_bundle
from siteplan.export.exchange.own_files import LIST, check_others

FORMATS = ["shp", "gpkg", "gdb"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export_bundle(plan(), folder, FORMATS, [SITES, VILLAGES])
    return folder


@pytest.fixture
def out(exported: Path, tmp_path: Path) -> Path:
    return shutil.copytree(exported, tmp_path / "out")


@pytest.fixture
def new(exported: Path, tmp_path: Path) -> Path:
    return shutil.copytree(exported, tmp_path / "new")


def is_refused(new: Path, out: Path, *words: str) -> None:
    """Replacing the old export by a new one fails, and names the files."""
    with pytest.raises(ExportError) as caught:
        check_others(new, out)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["shp/sites.docx", "metadata.xlsx"])
def test_a_refused_export_leaves_everything_as_it_was(out: Path, name: str) -> None:
    (out / name).write_text("mine")
    before = contents(out)
    with pytest.raises(ExportError, match=name.replace(".", r"\.")):
        export_bundle(plan(("新", "名")), out, ["shp"], [SITES, VILLAGES])
    assert contents(out) == before


@pytest.mark.parametrize("name", [
    "shp/sites.docx", "shp/sites.xlsx", "shp/dictionary.notes", "gpkg/plan.qgz", "shp/sites.zip", "shp/sites.sbn.docx",
    "shp/notes.sbn", "gdb/plan.gdb/notes.txt", "gdb/notes.lock", "shp/plan.gdb/x.lock", "shp/deep/er/sites.sbn",
    "gpkg/plan.qml", "shp/~$dictionary.xlsx"])
def test_a_file_of_the_planner_stays(new: Path, out: Path, name: str) -> None:
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("mine")
    is_refused(new, out, name, "不是导出写的", "移走")


@pytest.mark.parametrize("name", ["shp/sites.dbf", "shp/sites.qml", "shp/dictionary.xlsx", "gpkg/plan.gpkg",
                                  "metadata.xlsx", "adjustments.csv", "gdb/plan.gdb/a00000001.gdbtable"])
def test_a_file_of_ours_that_was_changed_stays(new: Path, out: Path, name: str) -> None:
    """One byte, at the same size."""
    data = bytearray((out / name).read_bytes())
    data[len(data) // 2] ^= 1
    (out / name).write_bytes(data)
    is_refused(new, out, name, "改动")


def test_all_of_them_are_told_at_once(new: Path, out: Path) -> None:
    for number in range(30):
        (out / "shp" / f"{number:02d}.txt").write_text("mine")
    is_refused(new, out, "共 30 个", "shp/00.txt", "shp/19.txt")


def test_a_log_of_a_database_with_something_in_it_stays(new: Path, out: Path) -> None:
    """QGIS has the file open, and somebody's edits are in the log."""
    (out / "gpkg" / "plan.gpkg-wal").write_bytes(b"edits")
    is_refused(new, out, "plan.gpkg-wal")


def test_what_gis_programs_make_beside_ours_goes_with_it(out: Path) -> None:
    for name in ("shp/sites.shp.xml", "shp/sites.sbn", "shp/sites.SBX", "shp/villages.qix", "shp/sites.qpj",
                 "shp/sites.shp.PC1.4711.sr.lock", "shp/villages.CDM.atx", "gpkg/plan.gpkg-wal", "gpkg/plan.gpkg-shm",
                 "gpkg/plan.gpkg.aux.xml", "gdb/plan.gdb/_gdb.PC1.4711.sr.lock"):
        (out / name).write_bytes(b"")
    export_bundle(plan(), out, FORMATS, [SITES, VILLAGES])
    assert not [name for name in contents(out) if name.endswith((".xml", ".sbn", ".SBX", ".lock", "-wal", "-shm"))]


def test_a_link_is_not_ours(new: Path, out: Path) -> None:
    try:
        (out / "shp" / "elsewhere").symlink_to(out / "gpkg", target_is_directory=True)
    except OSError:
        pytest.skip("this system makes no links")
    is_refused(new, out, "shp/elsewhere")


@pytest.mark.parametrize("text", ["", "a,b\n", "\ufeff文件,字节\nsites.shp,1\n"])
def test_a_list_that_is_none_of_ours_knows_nothing(new: Path, out: Path, text: str) -> None:
    (out / "shp" / LIST).write_text(text, encoding="utf-8")
    is_refused(new, out, f"shp/{LIST}", "shp/sites.shp")
    (out / LIST).write_text(text, encoding="utf-8")
    is_refused(new, out, "metadata.csv")


def test_exporting_again_and_again_is_no_change(out: Path) -> None:
    before = contents(out)
    for made in (plan(("甲", "乙")), plan()):
        export_bundle(made, out, FORMATS, [SITES, VILLAGES])
    after = contents(out)
    assert {name for name in before if not name.startswith("gdb/")} == {
        name for name in after if not name.startswith("gdb/")}
    export_bundle(plan(), out, ["shp"], [replace(SITES, out="zhanzhi")])
    assert not (out / "shp" / "sites.shp").exists()
