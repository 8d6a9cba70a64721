"""The ``[deliver]`` table of a study file: its faults are told when it is opened, all at once; its profiles travel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import CRS
from rasterio.transform import from_origin

from siteplan.errors import StudyError
from siteplan.fonts import chinese_font
from siteplan.study import Study

HEAD = '[study]\nname = "试验"\ncrs = "EPSG:4547"\n[layers.ground]\npath = "dem.tif"\n'
HEAD += '[layers.villages]\npath = "villages.gpkg"\n'
PROFILE = 'like = "sites"\nout = "TXJZ"\n'


def opened(folder: Path, deliver: str, head: str = HEAD) -> Study:
    """The study with this ``[deliver]`` table; its layers are not read."""
    (folder / "study.toml").write_text(head + deliver, encoding="utf-8")
    return Study.from_toml(folder / "study.toml")


def refused(folder: Path, deliver: str, head: str = HEAD) -> dict[str, str]:
    """Field -> reason and remedy of every problem that the study has."""
    with pytest.raises(StudyError) as caught:
        opened(folder, deliver, head)
    assert all(problem.reason and problem.remedy for problem in caught.value.problems)
    return {problem.field: f"{problem.file} {problem.reason} {problem.remedy}" for problem in caught.value.problems}


def image(path: Path, crs: str | None = CRS) -> None:
    with rasterio.open(path, "w", driver="GTiff", width=4, height=4, count=1, dtype="uint8", crs=crs,
                       transform=from_origin(437_000, 2_492_000, 250, 250)) as target:
        target.write(np.zeros((4, 4), np.uint8), 1)


def test_everything_that_can_be_asked(tmp_path: Path) -> None:
    (tmp_path / "局").mkdir()
    (tmp_path / "局" / "a b.toml").write_bytes(("\ufeff" + PROFILE).replace("\n", "\r\n").encode())
    image(tmp_path / "base.tif")
    study = opened(tmp_path, f"""
[deliver]
crs = "EPSG:4526"
encoding = "GB18030"
names = "chinese"
profiles = ["局/a b.toml"]
font = '{chinese_font().path}'
[deliver.county_crs]
"白河县" = "EPSG:4546"
[deliver.title]
project = "<script>=1+1${{}}"
[deliver.map]
base = "base.tif"
public = true
""")
    assert study.params.deliver.county_crs == {"白河县": "EPSG:4546"}
    # as it is, byte order mark and line ends too
    assert dict(study.profile_files) == {"a b.toml": (tmp_path / "局" / "a b.toml").read_bytes()}


def test_a_study_without_the_table_has_no_profiles(tmp_path: Path) -> None:
    assert dict(opened(tmp_path, "").profile_files) == {}
    assert dict(opened(tmp_path, "[deliver]\nprofiles = []\n").profile_files) == {}


def test_all_faults_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('like = "sites"\nout = "../x"\n[fields]\nZZMC = { widht = 3 }\n',
                                       encoding="utf-8")
    found = refused(tmp_path, """
[deliver]
crs = "EPSG:2435"
formats = "shp"
profiles = ["bad.toml", "missing.toml"]
font = "没有的字体.ttf"
[deliver.county_crs]
"东县" = "EPSG:99999"
"西县" = "EPSG:3857"
[deliver.title]
projct = "x"
drawn_by = 3
[deliver.map]
base = "none.tif"
languag = "en"
public_step_m = 1
""")
    assert "北京54" in found["deliver.crs"]
    assert "EPSG:4490" in found["deliver.crs"]
    assert "towgs84" not in found["deliver.crs"]  # a key of layers, not of what leaves
    assert "没有这个键" in found["deliver.formats"]
    assert "无法识别" in found["deliver.county_crs.东县"]
    assert "不是 CGCS2000" in found["deliver.county_crs.西县"]
    assert "project" in found["deliver.title.projct"]
    assert "文字" in found["deliver.title.drawn_by"]
    assert "none.tif" in found["deliver.map.base"]
    assert "language" in found["deliver.map.languag"]
    assert "不得小于 10" in found["deliver.map.public_step_m"]
    assert "字体文件不存在" in found["deliver.font"]
    assert "bad.toml" in found["out"]
    assert "width" in found["widht"]
    assert "missing.toml" in found[""]


@pytest.mark.parametrize(("deliver", "field"), [
    ("deliver = 3\n", "deliver"), ("[deliver]\nprofiles = 'a.toml'\n", "deliver.profiles"),
    ("[deliver]\nprofiles = [3]\n", "deliver.profiles.0"),
    ("[deliver]\ncounty_crs = 'EPSG:4546'\n", "deliver.county_crs"),
    ("[deliver.county_crs]\n'东县' = 4546\n", "deliver.county_crs.东县"), ("[deliver]\ntitle = 'x'\n", "deliver.title"),
    ("[deliver]\nmap = []\n", "deliver.map"), ("[deliver]\ncrs = ' '\n", "deliver.crs"),
    ("[deliver]\ncrs = ''\n", "deliver.crs"), ("[deliver]\nencoding = 'gbk'\n", "deliver.encoding"),
    ("[deliver.map]\nbase = 3\n", "deliver.map.base"), ("[deliver.map]\nbase = ' '\n", "deliver.map.base"),
    ('[deliver.map]\nbase = "a\\u0000b"\n', "deliver.map.base"),
    (f"[deliver.map]\nbase = '{'长' * 300}.tif'\n", "deliver.map.base"),
    ("[deliver.map]\nbase = '.'\n", "deliver.map.base"),
    ("[deliver]\nprofiles = ['']\n", "deliver.profiles"),
    ('[deliver]\nprofiles = ["a\\u0000.toml"]\n', "deliver.profiles"),
    (f"[deliver]\nprofiles = ['{'长' * 300}.toml']\n", "deliver.profiles"),
    ("[deliver]\nfont = 'Nowhere Sans'\n", "deliver.font")])
def test_values_of_the_wrong_kind(tmp_path: Path, deliver: str, field: str) -> None:
    """Never a trace, and one sentence for one fault."""
    assert set(refused(tmp_path, "", deliver + HEAD) if deliver.startswith("deliver =")
               else refused(tmp_path, deliver)) == {field}


def test_a_base_image_is_opened_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("no image")
    assert "GeoTIFF" in refused(tmp_path, '[deliver.map]\nbase = "text.tif"\n')["deliver.map.base"]
    image(tmp_path / "plain.tif", crs=None)
    assert "没有坐标系" in refused(tmp_path, '[deliver.map]\nbase = "plain.tif"\n')["deliver.map.base"]


def test_profiles_whose_files_could_not_lie_in_one_folder(tmp_path: Path) -> None:
    """The plan has one folder for them; ``siteplan export`` reads ``*.toml`` there."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ("a.toml" if name == "one" else "A.toml")).write_text(
            f'like = "sites"\nid = "{name}"\nout = "{name}"\n', encoding="utf-8")
    assert "文件名相同" in refused(tmp_path, '[deliver]\nprofiles = ["one/a.toml", "two/A.toml"]\n')["deliver.profiles"]
    (tmp_path / "a.txt").write_text(PROFILE, encoding="utf-8")
    assert ".toml" in refused(tmp_path, '[deliver]\nprofiles = ["a.txt"]\n')["deliver.profiles"]


def test_two_profiles_that_write_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('like = "sites"\n', encoding="utf-8")
    assert 'id = "sites"' in refused(tmp_path, '[deliver]\nprofiles = ["a.toml"]\n')["out"]


@pytest.mark.parametrize(("crs", "told"), [("EPSG:4490", False), ("EPSG:4526", False), ("EPSG:32649", True)])
def test_the_crs_of_a_profile_is_one_that_files_can_leave_in(tmp_path: Path, crs: str, told: bool) -> None:
    (tmp_path / "a.toml").write_text(f'{PROFILE}crs = "{crs}"\n', encoding="utf-8")
    if told:
        assert "不是 CGCS2000" in refused(tmp_path, '[deliver]\nprofiles = ["a.toml"]\n')["crs"]
    else:
        assert list(opened(tmp_path, '[deliver]\nprofiles = ["a.toml"]\n').profile_files) == ["a.toml"]


def test_files_may_leave_in_the_crs_of_the_study(tmp_path: Path) -> None:
    """Outside China it is a UTM zone; where the study names none, it is not known before the layers are read."""
    utm = HEAD.replace("EPSG:4547", "EPSG:32632")
    assert opened(tmp_path, '[deliver]\ncrs = "EPSG:32632"\n', utm).params.deliver.crs == "EPSG:32632"
    assert "EPSG:32632" in refused(tmp_path, '[deliver]\ncrs = "EPSG:32632"\n')["deliver.crs"]
    none = HEAD.replace('crs = "EPSG:4547"\n', "")
    assert opened(tmp_path, '[deliver]\ncrs = "EPSG:32632"\n', none).params.deliver.crs == "EPSG:32632"
    assert "deliver.crs" in refused(tmp_path, '[deliver]\ncrs = "EPSG:2435"\n', none)
