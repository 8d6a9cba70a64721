"""Shapefiles: the widths, decimals and encoding of the profile stand in the table, and every value comes back."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from conftest import CRS, at
from exchange_layers import plain_layer
from hypothesis import given
from hypothesis import strategies as st
from out_layers import FIELDS, HOSTILE, layer, profile, shaped
from shapely.geometry import MultiPoint

from siteplan.errors import ExportError
from siteplan.export.exchange.compare import differences
from siteplan.export.exchange.formats.shapefile import SHP
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import ProfileField


def written(folder: Path, made: OutLayer) -> gpd.GeoDataFrame:
    """Written and read back; nothing differs."""
    SHP.write([made], folder)
    read = SHP.read(folder, made)
    assert differences(made, read, SHP.kept) == []
    return read


def header(path: Path, encoding: str = "utf-8") -> tuple[int, dict[str, tuple[str, int, int]]]:
    """Language byte, and type, width and decimals of each field, read from the bytes of a DBF header (dBASE III)."""
    content = path.read_bytes()
    length, = struct.unpack("<H", content[8:10])
    fields = {}
    for start in range(32, length - 1, 32):
        name, kind, width, decimals = struct.unpack("<11sc4xBB14x", content[start:start + 32])
        fields[name.rstrip(b"\0").decode(encoding)] = (kind.decode(), width, decimals)
    return content[29], fields


def test_widths_and_decimals_are_those_of_the_profile(tmp_path: Path) -> None:
    """C(20), C(254), C(4), N(4), N(7,1), N(12,7), D(8), C(10): what `FIELDS` says, byte for byte."""
    written(tmp_path, layer())
    assert header(tmp_path / "sites.dbf")[1] == {
        "ZZBH": ("C", 20, 0), "ZZMC": ("C", 254, 0), "ZZLX": ("C", 4, 0), "JSNF": ("N", 4, 0), "GG": ("N", 7, 1),
        "JD": ("N", 12, 7), "RQ": ("D", 8, 0), "BBH": ("C", 10, 0)}


def test_hostile_names_come_back_as_they_are(tmp_path: Path) -> None:
    read = written(tmp_path, layer())
    assert read["ZZMC"].tolist() == HOSTILE
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".cpg", ".dbf", ".prj", ".shp", ".shx"]


@pytest.mark.parametrize(("encoding", "page", "language"), [("UTF-8", "UTF-8", 0), ("GBK", "936", 0x4D),
                                                          ("GB18030", "GB18030", 0)])
def test_the_encoding_is_told_and_used(tmp_path: Path, encoding: str, page: str, language: int) -> None:
    """GBK stands in the language byte, which old readers look at, and in the .cpg, which new ones look at."""
    made = layer(["溪口镇中心小学", "㎡①—“引号”", "长" * (84 if encoding == "UTF-8" else 127)], encoding=encoding)
    written(tmp_path, made)
    assert header(tmp_path / "sites.dbf")[0] == language
    assert (tmp_path / "sites.cpg").read_text("ascii") == page
    assert "溪口镇中心小学".encode(encoding) in (tmp_path / "sites.dbf").read_bytes()
    plain = gpd.read_file(tmp_path / "sites.shp")  # no hint of the encoding
    assert plain["ZZMC"].tolist() == made.table["ZZMC"].tolist()


def test_gbk_is_read_by_either_hint_alone(tmp_path: Path) -> None:
    made = layer(["溪口镇"], encoding="GBK")
    written(tmp_path, made)
    for name in ("by_page", "by_language"):
        shutil.copytree(tmp_path, tmp_path / name, ignore=shutil.ignore_patterns("by_*"))
    (tmp_path / "by_language" / "sites.cpg").unlink()
    table = bytearray((tmp_path / "by_page" / "sites.dbf").read_bytes())
    table[29] = 0
    (tmp_path / "by_page" / "sites.dbf").write_bytes(bytes(table))
    for name in ("by_page", "by_language"):
        assert gpd.read_file(tmp_path / name / "sites.shp")["ZZMC"].tolist() == ["溪口镇"], name


@pytest.mark.parametrize("encoding", ["GBK", "GB18030"])
def test_chinese_names_of_fields(tmp_path: Path, encoding: str) -> None:
    """Five characters are ten bytes: the longest that fit."""
    fields = (ProfileField("XZCMC", "所属行政村", "所属行政村", "text", 40), ProfileField("GG", "挂高", "挂高", "float", 6, 1))
    table = gpd.GeoDataFrame({"所属行政村": ["石桥村"], "挂高": [20.5]}, geometry=[at(1, 1)], crs=CRS)
    made = OutLayer(profile(fields=fields, key="XZCMC", encoding=encoding, style=""), "sites", table)
    written(tmp_path, made)
    assert list(header(tmp_path / "sites.dbf", "gbk")[1]) == ["所属行政村", "挂高"]


@given(st.data())
def test_every_number_that_fits_comes_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever the width and the decimals: a number of so many letters, point and sign included, is written whole."""
    decimals = data.draw(st.integers(0, 7), "decimals")
    width = data.draw(st.integers(max(decimals + 3, 3), 17), "width")
    most = min(10 ** (width - (1 if decimals else 0)) - 1, 10**15)  # a double has 15 digits
    digits = data.draw(st.lists(st.one_of(st.none(), st.integers(-most // 10, most)), min_size=1, max_size=5), "digits")
    values = [None if value is None else value / 10**decimals for value in digits]
    values = [value for value in values if value is None or len(f"{value:.{decimals}f}") <= width] or [None]
    field = ProfileField("SZ", "数值", "数值", "float", width, decimals)
    table = gpd.GeoDataFrame({"BH": [str(number) for number in range(len(values))],
                              "SZ": pd.Series(values, dtype="float64")},
                             geometry=[at(number, 0) for number in range(len(values))], crs=CRS)
    folder = tmp_path_factory.mktemp("numbers")
    made = OutLayer(profile(fields=(FIELDS[0], field), style=""), "a", table.rename(columns={"BH": "ZZBH"}))
    read = written(folder, made)
    assert header(folder / "a.dbf")[1]["SZ"] == ("N", width, decimals)
    assert read["SZ"].isna().tolist() == [value is None for value in values]


def test_whole_numbers_beyond_a_double_stay_exact(tmp_path: Path) -> None:
    field = ProfileField("DM", "代码", "代码", "int", 18)
    values = [2**53 + 1, -(2**53) - 1, 999_999_999_999_999_999, None]
    table = gpd.GeoDataFrame({"ZZBH": list("abcd"), "DM": pd.Series(values, dtype="Int64")},
                             geometry=[at(number, 0) for number in range(4)], crs=CRS)
    read = written(tmp_path, OutLayer(profile(fields=(FIELDS[0], field), style=""), "a", table))
    assert read["DM"].tolist()[:3] == values[:3]


@pytest.mark.parametrize("kind", ["LineString", "Polygon"])
def test_shapes_of_many_parts_and_with_holes(tmp_path: Path, kind: str) -> None:
    read = written(tmp_path, shaped(kind))
    assert read.geom_type.str.removeprefix("Multi").unique().tolist() == [kind]
    assert read.area.tolist() == pytest.approx(shaped(kind).table.area.tolist())


def test_points_of_one_and_of_many_make_one_file(tmp_path: Path) -> None:
    made = layer(["甲", "乙"])
    mixed = replace(made, table=made.table.set_geometry([at(0, 0), MultiPoint([at(1, 1), at(2, 2)])], crs=CRS))
    assert written(tmp_path, mixed).geom_type.unique().tolist() == ["MultiPoint"]


@pytest.mark.parametrize("code", [4490, 4524, 4526, 4544, 4545, 4547])
def test_the_prj_reads_back_as_the_same_crs(tmp_path: Path, code: int) -> None:
    made = layer(["甲"])
    moved = replace(made, table=made.table.to_crs(code))
    assert written(tmp_path, moved).crs.to_epsg(20) == code
    assert (tmp_path / "sites.prj").read_text().startswith(("PROJCS[\"CGCS2000_", "GEOGCS[\"GCS_China"))


def test_a_layer_without_rows_keeps_its_fields(tmp_path: Path) -> None:
    read = written(tmp_path, layer([]))
    assert len(read) == 0
    assert list(header(tmp_path / "sites.dbf")[1]) == [field.name for field in FIELDS]


def test_equal_layers_make_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written(tmp_path / name, layer())
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def changed(**columns: Any) -> OutLayer:
    made = layer(["甲", "乙", "丙"])
    return replace(made, table=made.table.assign(**columns))


@pytest.mark.parametrize(("made", "words"), [
    (layer(["䶮村"], encoding="GBK"), "converted correctly"),
    (layer(["长" * 100]), "truncated"),
    (changed(GG=[1e9, 1.0, 1.0]), "not successfully written"),
    (changed(JD=[float("inf"), 0.0, 0.0]), "sites.shp"),
    (replace(changed(), table=changed().table.set_crs(None, allow_override=True)), "没有坐标系"),
    (replace(changed(), name="../x"), "图层名"),
    (replace(changed(), profile=profile(fields=(*FIELDS[:-1], replace(FIELDS[-1], width=10**9)))),
     "超过 Shapefile 的 2 GB"),
    (replace(changed(), table=changed().table.set_geometry([at(0, 0), at(0, 0), shaped("Polygon").table.geometry[0]],
                                                          crs=CRS)), "sites.shp"),
], ids=["rare character", "long text", "number too wide", "infinite", "no crs", "path", "too large", "mixed kinds"])
def test_what_a_shapefile_cannot_hold_is_an_error(tmp_path: Path, made: OutLayer, words: str) -> None:
    """What narrowing lets through all the same stops here: every warning of GDAL is an error, or reading back tells."""
    with pytest.raises(ExportError) as caught:
        SHP.write([made], tmp_path)
    assert words in str(caught.value)
    assert all(problem.layer and problem.remedy for problem in caught.value.problems)
    assert not (tmp_path.parent / "x.shp").exists()


@pytest.mark.parametrize("part", ["dbf", "shx", "shp"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, part: str) -> None:
    made = layer()
    written(tmp_path, made)
    path = tmp_path / f"sites.{part}"
    path.write_bytes(path.read_bytes()[: 40])
    try:
        told = differences(made, SHP.read(tmp_path, made), SHP.kept)
    except ExportError as error:
        told = [str(error)]
    assert told


def test_ogrinfo_sees_the_same_fields(tmp_path: Path) -> None:
    if shutil.which("ogrinfo") is None:
        pytest.skip("ogrinfo is not installed (Debian package gdal-bin)")
    written(tmp_path, layer(encoding="UTF-8"))
    said = subprocess.run(["ogrinfo", "-ro", "-so", "-al", str(tmp_path / "sites.shp")], check=True,
                          capture_output=True, text=True).stdout.splitlines()
    assert f"Feature Count: {len(HOSTILE)}" in said
    assert said[-len(FIELDS):] == [
        "ZZBH: String (20.0)", "ZZMC: String (254.0)", "ZZLX: String (4.0)", "JSNF: Integer (4.0)", "GG: Real (7.1)",
        "JD: Real (12.7)", "RQ: Date (10.0)", "BBH: String (10.0)"]


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK", "GB18030"])
@pytest.mark.parametrize("fault", ["no .cpg", "another .cpg", "another language"])
def test_a_lost_mark_of_the_encoding_is_noticed(encoding: str, fault: str, tmp_path: Path) -> None:
    """GDAL reads such a file right on the machine that wrote it; a program in the bureau guesses."""
    plain = plain_layer()
    made = replace(plain, profile=replace(plain.profile, encoding=encoding))
    SHP.write([made], tmp_path)
    assert differences(made, SHP.read(tmp_path, made), SHP.kept) == []
    page, table = tmp_path / "ghzz.cpg", tmp_path / "ghzz.dbf"
    if fault == "no .cpg":
        page.unlink()
    elif fault == "another .cpg":
        page.write_text("ISO-8859-1")
    else:
        data = bytearray(table.read_bytes())
        data[29] ^= 0x57
        table.write_bytes(bytes(data))
    with pytest.raises(ExportError, match=r"不能读回"):
        SHP.read(tmp_path, made)
