"""Vector formats: what each kind of file, good, awkward or broken, must come out as. Most files are made here."""

from __future__ import annotations

import os
import shutil
import struct
import warnings
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from siteplan.input_ledger import InputLedger
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats import layer_reading
from siteplan.layers.formats.encodings import choose_encoding, codec_of, decode_text, judge, mojibake
from siteplan.layers.formats.vectors import SUFFIXES, read_vector
from siteplan.params import LayerSource

BAD = Path(__file__).parents[2] / "shared" / "data" / "badinput"
LON, LAT = 113.39, 22.52


def read(path, kind="stations", /, **words):
    """Raw tables of a file, and its log."""
    log = FileLog(kind, path.name, InputLedger())
    return list(read_vector(path, LayerSource(path=path.name, **words), log)), log


def one(path, kind="stations", /, **words):
    """The one table of a file that must be readable."""
    tables, log = read(path, kind, **words)
    assert not log.problems, log.problems
    assert len(tables) == 1
    check(tables[0])
    return tables[0], log


def check(raw):
    assert len(raw.frame) == len(raw.rows) == len(set(raw.rows))
    assert raw.geometry is None or len(raw.geometry) == len(raw.rows)
    assert raw.frame.columns.is_unique


def refused(path, kind="stations", /, **words):
    """The one problem of a file that cannot be used."""
    tables, log = read(path, kind, **words)
    assert not tables
    (problem,) = log.problems
    assert problem.reason
    assert problem.remedy
    return problem


def said(log, action=None):
    return [line for line in log.ledger if action in (None, line.action)]


def bad(name):
    if not BAD.exists():
        pytest.skip("../shared/data/badinput is absent")
    return BAD / name


def sites(**columns):
    columns = columns or {"站名": ["甲村站", "乙村站"], "挂高": [30.0, 25.0]}
    count = len(next(iter(columns.values())))
    return gpd.GeoDataFrame(columns, geometry=[shapely.Point(LON + i / 100, LAT) for i in range(count)], crs=4490)


def write_mapinfo(frame, path, **options):
    """GDAL warns of the Chinese it spoils, in bytes that Python cannot read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        form = {"FORMAT": "MIF"} if path.suffix == ".mif" else {}
        frame.to_file(path, driver="MapInfo File", layer_options=options | form)


def shapefile(folder, encoding, cpg=None, frame=None, name="s"):
    frame = sites() if frame is None else frame
    path = folder / f"{name}.shp"
    frame.to_file(path, encoding=encoding)
    path.with_suffix(".cpg").unlink()
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg, encoding="utf-8")
    return path


# encodings

@pytest.mark.parametrize(("text", "written", "found"), [
    ("深圳市福田区梅林街道", "gbk", "gb18030"), ("镇", "gbk", "gb18030"), ("䶮村𬭎㙍站", "gb18030", "gb18030"),
    ("臺北市大安區", "big5", "cp950"), ("國語", "big5", "cp950"), ("基站名称", "utf-8", "utf-8"),
    ("Zürich", "utf-8", "utf-8"), ("2ñandú", "latin-1", "cp1252"), ("abc", "ascii", "utf-8")])
def test_the_bytes_tell_the_encoding(text, written, found):
    assert judge([text.encode(written)]).encoding == found


def test_what_a_file_says_is_tried_against_its_bytes():
    def chosen(texts, claims, wanted=None):
        log = FileLog("poles", "p.shp", InputLedger())
        return choose_encoding(texts, claims, wanted, log), [line.action for line in log.ledger]

    gbk = [text.encode("gbk") for text in ("灯杆编号", "环城路中段", "中山路")]
    assert chosen(gbk, [(".cpg", "GBK")]) == ("gbk", [])
    assert chosen(gbk, [(".cpg", "UTF-8")]) == ("gb18030", ["repaired"])
    assert chosen(gbk, [(".cpg", "ANSI 1250")]) == ("gb18030", ["repaired"])
    assert chosen(gbk, [(".cpg", "<html><body>404</body></html>")]) == ("gb18030", ["note", "assumed"])
    assert chosen(gbk, []) == ("gb18030", ["assumed"])
    assert chosen(gbk, [], "CP936") == ("gbk", [])
    assert chosen([b"abc"], []) == ("utf-8", [])
    assert chosen(["灯杆".encode()], [("LDID", "gbk")]) == ("utf-8", ["repaired"])
    assert chosen(["ñandú".encode("cp1252")], [(".cpg", "1252")]) == ("cp1252", [])
    assert chosen(gbk, [], "big5")[1] == ["note"]  # the study's word holds, but it is told what the bytes look like
    assert chosen([text.encode("big5") for text in ("學校與醫院", "鄉鎮市公所")], [(".cpg", "GBK")])[0] == "cp950"


def test_codecs_as_files_spell_them():
    spelled = {"UTF-8": "utf-8", "GBK": "gbk", "936": "gbk", "CP936": "gbk", "ANSI 936": "gbk", "LDID/77": "gbk",
               "Big-5": "cp950", "950": "cp950", "WindowsTradChinese": "cp950", "88591": "iso8859-1",
               "1252": "cp1252", "GB18030": "gb18030"}
    assert {name: codec_of(name) for name in spelled} == spelled
    strange = ("", "Neutral", "OEM", "<!DOCTYPE html>", "base64", "\0", "x" * 99)
    assert [codec_of(name) for name in strange] == [None] * 7


def test_single_cells_in_another_encoding_are_read_apart():
    assert decode_text("甲村".encode("gbk"), "utf-8") == ("甲村", "gb18030")
    assert decode_text("甲村".encode(), "gbk")[0] in ("甲村", "鐢叉潙")
    assert decode_text("基站名称".encode()[:10], "utf-8", 10) == ("基站名", "cut")
    assert decode_text(b"\xff\xff", "utf-8")[1] in ("broken", "gb18030")


def test_garbled_text_is_recognised():
    assert mojibake(["基站名称".encode("gbk").decode("latin-1")]) == "基站名称"
    assert mojibake(["规划基站".encode().decode("gbk", "replace")]) == "规划基站"
    assert mojibake(["规划基站", "Vaduz", "Zürich", "Ångström"]) == ""


# Shapefile

@pytest.mark.parametrize("encoding", ["UTF-8", "GBK", "GB18030", "Big5"])
@pytest.mark.parametrize("cpg", [None, "right", "UTF-8", "ANSI 1250", "<html>404</html>", ""])
def test_shapefile_text_is_right_whatever_the_cpg_says(tmp_path, encoding, cpg):
    names = ["學校站", "醫院與公園"] if encoding == "Big5" else ["甲村站", "乙村学校站"]
    field = "站名"
    path = shapefile(tmp_path, encoding, encoding if cpg == "right" else cpg, sites(**{field: names, "H": [1.0, 2.0]}))
    raw, log = one(path)
    assert raw.frame[field].tolist() == names
    assert raw.frame["H"].tolist() == [1.0, 2.0]
    assert raw.crs.to_epsg() == 4490
    quiet = cpg == "right" or (cpg == "UTF-8" and encoding == "UTF-8")
    assert bool([line for line in said(log) if line.field == "encoding"]) != quiet
    assert all(names[0][:2] in line.reason or line.action == "note" for line in said(log))


def test_the_study_overrides_the_encoding(tmp_path):
    raw, _ = one(shapefile(tmp_path, "GBK", "UTF-8"), encoding="GBK")
    assert raw.frame["站名"].tolist() == ["甲村站", "乙村站"]
    raw, log = one(shapefile(tmp_path, "GBK", None, name="t"), encoding="UTF-8")
    assert raw.frame["站名"].tolist() == ["甲村站", "乙村站"]
    assert any("研究文件" in line.reason for line in said(log, "repaired"))


def test_language_byte_stands_for_a_cpg(tmp_path):
    path = tmp_path / "s.shp"
    sites().to_file(path, engine="pyogrio", encoding="LDID/77", use_arrow=True)
    raw, log = one(path)
    assert (raw.encoding, raw.frame["站名"].iloc[0]) == ("gbk", "甲村站")
    assert not said(log)


def test_upper_case_side_files_are_found(tmp_path):
    path = shapefile(tmp_path, "GBK", "GBK")
    for item in list(tmp_path.iterdir()):
        item.rename(tmp_path / ("S" + item.suffix.upper()))
    raw, log = one(path.with_name("S.SHP"))
    assert raw.frame["站名"].tolist() == ["甲村站", "乙村站"]
    assert raw.crs.to_epsg() == 4490
    assert not said(log)


@pytest.mark.parametrize("index", [None, b"", b"not an index" * 20, "short"])
def test_a_lost_index_is_made_again_in_memory(tmp_path, index):
    path = shapefile(tmp_path, "GBK", "GBK")
    shx = path.with_suffix(".shx")
    if index is None:
        shx.unlink()
    else:
        shx.write_bytes(shx.read_bytes()[:-4] if index == "short" else index)
    before = sorted((item.name, item.read_bytes()) for item in tmp_path.iterdir())
    raw, log = one(path)
    assert shapely.get_x(raw.geometry).tolist() == pytest.approx([LON, LON + 0.01])
    assert [line.field for line in said(log, "repaired")] == [""]
    assert "2 个图形" in said(log, "repaired")[0].reason
    assert sorted((item.name, item.read_bytes()) for item in tmp_path.iterdir()) == before


def test_missing_table_or_projection(tmp_path):
    path = shapefile(tmp_path, "GBK", "GBK")
    path.with_suffix(".dbf").unlink()
    path.with_suffix(".prj").unlink()
    raw, log = one(path)
    assert len(raw.geometry) == 2
    assert raw.crs is None
    assert any("没有 .dbf" in line.reason for line in said(log, "note"))
    path.with_suffix(".prj").write_text("<html><body>Not found</body></html>")
    raw, log = one(path)
    assert raw.crs is None
    assert [line.field for line in said(log, "note")].count("crs") == 1


def test_a_name_cut_at_ten_bytes_is_completed_from_the_dictionary(tmp_path):
    path = shapefile(tmp_path, "UTF-8", "UTF-8", sites(s1=["甲", "乙"], s2=["丙", "丁"]))
    data = bytearray(path.with_suffix(".dbf").read_bytes())
    data[32:42], data[64:74] = "基站名称".encode()[:10], "责任部门".encode()[:10]
    path.with_suffix(".dbf").write_bytes(data)
    raw, log = one(path)
    assert list(raw.frame.columns) == ["基站名称", "责任部"]
    assert [line.field for line in said(log, "repaired")] == ["基站名称", "责任部"]
    raw, _ = one(path, where="基站名称 = '乙'")
    assert raw.frame["责任部"].tolist() == ["丁"]


def test_a_header_that_claims_too_much(tmp_path):
    path = shapefile(tmp_path, "GBK", "GBK")
    dbf = path.with_suffix(".dbf")
    data = bytearray(dbf.read_bytes())
    data[4:8] = struct.pack("<I", 2**31)
    dbf.write_bytes(data)
    raw, log = one(path)
    assert raw.frame["站名"].tolist() == ["甲村站", "乙村站"]
    assert any("2 行" in line.reason for line in said(log, "repaired"))


def multipatch(path, part_type):
    """A Shapefile of one MultiPatch: four corners of a square about 100 m wide."""
    points = [(LON, LAT), (LON + 0.001, LAT), (LON, LAT + 0.001), (LON + 0.001, LAT + 0.001)]
    box = (LON, LAT, LON + 0.001, LAT + 0.001)
    record = struct.pack("<i4d3i", 31, *box, 1, 4, 0) + struct.pack("<i", part_type)
    record += b"".join(struct.pack("<2d", *point) for point in points)
    record += struct.pack("<2d4d", 0, 9, 0, 9, 0, 9) + struct.pack("<2d4d", 0, 0, 0, 0, 0, 0)

    def head(size):
        return struct.pack(">7i", 9994, 0, 0, 0, 0, 0, size // 2) + struct.pack("<2i8d", 1000, 31, *box, 0, 9, 0, 0)

    path.write_bytes(head(108 + len(record)) + struct.pack(">2i", 1, len(record) // 2) + record)
    path.with_suffix(".shx").write_bytes(head(108) + struct.pack(">2i", 50, len(record) // 2))


def test_triangles_become_their_footprint(tmp_path):
    path = tmp_path / "m.shp"
    multipatch(path, 0)  # a strip of triangles: GDAL gives a TIN
    raw, log = one(path, "buildings")
    assert raw.geometry[0].geom_type == "Polygon"
    assert raw.geometry[0].area == pytest.approx(1e-6)
    assert any("三维面片" in line.reason or "三角面片" in line.reason for line in said(log, "repaired"))


@pytest.mark.parametrize("content", [b"", b"\x00\x00\x27\x0a", b"<html></html>" * 20, os.urandom(400)])
def test_what_is_no_shapefile_is_refused(tmp_path, content):
    path = shapefile(tmp_path, "GBK", "GBK")
    path.write_bytes(content)
    refused(path)


# MapInfo

@pytest.mark.parametrize("suffix", [".tab", ".mif"])
@pytest.mark.parametrize(("encoding", "names"), [("CP936", ["甲村站", "乙"]), ("CP950", ["學校站", "乙"])])
@pytest.mark.parametrize("header", ["right", b"Neutral", b"WindowsLatin1"])
def test_mapinfo_text(tmp_path, suffix, encoding, names, header):
    path = tmp_path / f"m{suffix}"
    write_mapinfo(sites(站名=names), path, ENCODING=encoding)
    if header != "right":
        data = path.read_bytes()
        for charset in (b"WindowsSimpChinese", b"WindowsTradChinese"):
            data = data.replace(charset, header)
        path.write_bytes(data)
    raw, log = one(path)
    assert raw.frame["站名"].tolist() == names
    assert raw.crs.is_geographic
    assert bool(said(log)) == (header != "right")


@pytest.mark.parametrize("epsg", [4547, 4526])
def test_mapinfo_in_gauss_kruger(tmp_path, epsg):
    path = tmp_path / "m.mif"
    write_mapinfo(sites().to_crs(epsg), path, ENCODING="CP936")
    raw, _ = one(path)
    back = gpd.GeoSeries(raw.geometry, crs=raw.crs).to_crs(4326)
    assert back.x.tolist() == pytest.approx([LON, LON + 0.01], abs=1e-6)


def test_mapinfo_with_destroyed_names_is_refused(tmp_path):
    path = tmp_path / "m.tab"
    write_mapinfo(sites(站名=["甲", "乙"], 基站名称=["丙", "丁"]), path)
    if "基站" in path.read_text("utf-8", "replace"):
        pytest.skip("this GDAL writes whole names")
    assert "字段名已损坏" in refused(path).reason


@pytest.mark.parametrize("text", ["!table\n!version 300\n\nDefinition Table\n  File \"x.xls\"\n  Type XLS\n",
                                  "!table\ncreate view v as select * from a\nopen table \"a\"", "hello", ""])
def test_a_tab_that_points_elsewhere_is_refused(tmp_path, text):
    path = tmp_path / "m.tab"
    path.write_text(text)
    refused(path)


# KML and GeoJSON

KML = ('<?xml version="1.0" encoding="{}"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>文档</name>{}'
       "</Document></kml>")
PLACES = ('<Folder><name>站点</name><Placemark><name>甲站</name><ExtendedData><Data name="挂高"><value>30</value></Data>'
          '<Data name="站型"><value>宏站</value></Data></ExtendedData><Point><coordinates>113,22,0</coordinates></Point>'
          "</Placemark></Folder><Folder><name>站点</name><Placemark><name>乙站</name><Point>"
          "<coordinates>113.1,22</coordinates></Point></Placemark></Folder><Folder><name>范围</name><Placemark>"
          "<name>全区</name><Polygon><outerBoundaryIs><LinearRing><coordinates>113,22 113.1,22 113.1,22.1 113,22"
          "</coordinates></LinearRing></outerBoundaryIs></Polygon>"
          "</Placemark></Folder>")


@pytest.mark.parametrize(("declared", "written"), [("UTF-8", "utf-8"), ("GBK", "gbk"), ("UTF-8", "gbk"),
                                                   ("GB2312", "gb2312"), ("UTF-16", "utf-16"), ("UTF-8", "utf-8-sig")])
def test_kml_folders_of_the_wanted_kind(tmp_path, declared, written):
    path = tmp_path / "k.kml"
    path.write_bytes(KML.format(declared, PLACES).encode(written))
    tables, log = read(path)
    assert not log.problems
    assert [raw.frame["Name"].tolist() for raw in tables] == [["甲站"], ["乙站"]]
    assert tables[0].frame["挂高"].tolist() == ["30"]
    assert tables[0].frame["站型"].tolist() == ["宏站"]
    assert len({label for raw in tables for label in raw.rows}) == 2
    assert any("范围" in line.reason for line in said(log, "note"))
    raw, _ = one(path, "boundary")
    assert raw.geometry[0].geom_type == "Polygon"
    tables, _ = read(path, layer="站点")
    assert len(tables) == 2
    assert not set(tables[0].frame.columns) & {"tessellate", "visibility", "drawOrder"}


def test_kml_folder_that_is_not_there_is_a_mistake_of_the_study(tmp_path):
    path = tmp_path / "k.kml"
    path.write_text(KML.format("UTF-8", PLACES), encoding="utf-8")
    log = FileLog("stations", "k.kml", InputLedger())
    assert list(read_vector(path, LayerSource(path="k.kml", layer="站台"), log)) == []
    assert "站点" in log.mistakes[0].reason


@pytest.mark.parametrize("text", [
    KML.format("UTF-8", PLACES).replace("<kml", '<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/hostname">]><kml'),
    KML.format("UTF-8", "<Folder>" * 5000 + "</Folder>" * 5000), KML.format("UTF-8", PLACES)[:-200], "<svg></svg>",
    "<a", "kml",
    "<OGRVRTDataSource><OGRVRTLayer name='a'><SrcDataSource>b.kml</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"])
def test_hostile_or_broken_kml_is_refused(tmp_path, text):
    path = tmp_path / "k.kml"
    path.write_text(text, encoding="utf-8")
    refused(path)


def feature(geometry, **words):
    import json

    return json.dumps({"type": "Feature", "properties": words, "geometry": geometry}, ensure_ascii=False)


def geojson(path, *features, before="", encoding="utf-8"):
    text = f'{{"type": "FeatureCollection", {before} "features": [{", ".join(features)}]}}'
    path.write_bytes(text.encode(encoding))
    return path


def test_geojson_geometry_is_mended_feature_by_feature(tmp_path):
    ring = [[113, 22], [113.1, 22], [113.1, 22.1], [113, 22]]
    path = geojson(
        tmp_path / "g.geojson", feature({"type": "Polygon", "coordinates": [ring]}, n="好"),
        feature({"type": "Polygon", "coordinates": [ring[:-1]]}, n="未闭合"), feature(None, n="空"),
        feature({"type": "Point", "coordinates": [1e300, -1e300]}, n="远"),
        feature({"type": "Point", "coordinates": [113, 22, 3, 4]}, n="高"))
    raw, log = one(path, "zones")
    assert raw.frame["n"].tolist() == ["好", "未闭合", "空", "远", "高"]
    assert raw.geometry[1].equals(raw.geometry[0])
    assert raw.geometry[2] is None
    assert raw.geometry[4].equals(shapely.Point(113, 22))
    assert raw.crs.to_epsg() == 4326
    assert [(line.row, line.action) for line in said(log) if line.field == "geometry"] == [("2", "repaired")]


@pytest.mark.parametrize(("name", "epsg"), [("urn:ogc:def:crs:EPSG::4490", 4490), ("EPSG:4547", 4547)])
def test_geojson_keeps_to_a_named_crs(tmp_path, name, epsg):
    crs = f'"crs": {{"type": "name", "properties": {{"name": "{name}"}}}},'
    path = geojson(tmp_path / "g.geojson", feature({"type": "Point", "coordinates": [LON, LAT]}), before=crs)
    assert one(path)[0].crs.to_epsg() == epsg


def test_geojson_in_gcj02_is_moved_and_told(tmp_path):
    crs = '"crs": {"type": "name", "properties": {"name": "GCJ-02"}},'
    place = {"type": "Point", "coordinates": [113.3982823, 22.5141106]}
    path = geojson(tmp_path / "g.geojson", feature(place), before=crs)
    raw, log = one(path)
    assert (raw.geometry[0].x, raw.geometry[0].y) == pytest.approx((113.3928, 22.5168), abs=1e-6)
    assert [line.value for line in said(log, "repaired")] == ["GCJ-02"]
    raw, log = one(path, datum="gcj02")  # the study says so too: moved later, once
    assert raw.geometry[0].x == pytest.approx(113.3982823)


@pytest.mark.parametrize("encoding", ["gbk", "utf-8-sig", "utf-16"])
def test_geojson_in_other_encodings(tmp_path, encoding):
    place = {"type": "Point", "coordinates": [113, 22]}
    path = geojson(tmp_path / "g.geojson", feature(place, 站名="甲村学校站"), encoding=encoding)
    raw, log = one(path)
    assert raw.frame["站名"].tolist() == ["甲村学校站"]
    assert bool(said(log, "assumed")) == (encoding == "gbk")


def test_geojson_with_repeated_keys_and_nested_values(tmp_path):
    path = tmp_path / "g.geojson"
    path.write_text('{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": '
                    '{"a": 1, "a": 2, "b": [1, 2], "c": {"d": "甲"}}, '
                    '"geometry": {"type": "Point", "coordinates": [113, 22]}}]}', encoding="utf-8")
    raw, log = one(path)
    assert raw.frame["a"].tolist() == [2]
    assert raw.frame["b"].tolist() == ["[1, 2]"]
    assert "甲" in raw.frame["c"].iloc[0]
    assert any("重复的键" in line.reason and line.value == "a" for line in said(log, "note"))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"type": "gdal_streamed_alg", "command_line": "gdal"}',
                                  '{"a": 1}', "hello", "null"])
def test_what_is_no_geojson_is_refused(tmp_path, text):
    path = tmp_path / "g.geojson"
    path.write_text(text)
    refused(path)


# DXF

def drawing(path, version="R2010", encoding=None, spline=False):
    import ezdxf

    made = ezdxf.new(version)
    if encoding:
        made.encoding = encoding
    space = made.modelspace()
    space.add_lwpolyline([(0, 0), (10, 0), (10, 10), (0, 10)], close=True, dxfattribs={"layer": "建筑"})
    space.add_lwpolyline([(20, 0), (30, 0), (30, 10), (20, 0)], dxfattribs={"layer": "建筑"})
    space.add_text("甲楼", dxfattribs={"layer": "建筑", "insert": (5, 5)})
    space.add_lwpolyline([(40, 0), (50, 0)], dxfattribs={"layer": "道路"})
    block = made.blocks.new("灯杆")
    block.add_circle((0, 0), 1)
    block.add_attdef("编号", (0, 0))
    for number in range(3):
        space.add_blockref("灯杆", (100 + number, 50), dxfattribs={"layer": "杆"}).add_auto_attribs({"编号": f"L{number}"})
    if spline:
        space.add_spline([(0, 100), (5, 110), (10, 100)], dxfattribs={"layer": "道路"})
    made.saveas(path)
    return path


@pytest.mark.parametrize(("version", "encoding"), [
    ("R2000", "gbk"), ("R2004", "gbk"), ("R2010", None), ("R2018", None)])
@pytest.mark.parametrize("spline", [False, True])
def test_dxf_areas_labels_and_blocks(tmp_path, version, encoding, spline):
    """With the spline GDAL gives up, and the other reader takes over."""
    path = drawing(tmp_path / "d.dxf", version, encoding, spline)
    raw, log = one(path, "buildings", layer="建筑")
    assert [shape.area for shape in raw.geometry] == [100.0, 50.0]
    assert raw.frame["Layer"].tolist() == ["建筑", "建筑"]
    assert raw.frame["Text"].tolist()[0] == "甲楼"
    assert raw.crs is None
    assert any("1 个点" in line.reason for line in said(log, "note"))
    poles, _ = one(path, "poles", layer="杆")
    assert poles.frame["编号"].tolist() == ["L0", "L1", "L2"]
    assert shapely.get_x(poles.geometry).tolist() == [100.0, 101.0, 102.0]
    roads, _ = one(path, "roads", layer="道路")
    assert len(roads.rows) == 1 + spline
    log = FileLog("buildings", "d.dxf", InputLedger())
    assert list(read_vector(path, LayerSource(path="d.dxf", layer="房屋"), log)) == []
    assert "建筑" in log.mistakes[0].reason


def test_dxf_code_page_that_lies(tmp_path):
    path = drawing(tmp_path / "d.dxf", "R2000", "gbk")
    path.write_bytes(path.read_bytes().replace(b"ANSI_936", b"ANSI_1252"))
    raw, log = one(path, "buildings", layer="建筑")
    assert raw.frame["Text"].tolist()[0] == "甲楼"
    assert [line.field for line in said(log, "repaired")] == ["encoding"]


@pytest.mark.parametrize("content", [
    b"", b"  0\nSECTION\n  2\nHEADER\n", b"AC1015" + bytes(100), b"AutoCAD Binary DXF\r\n\x1a\0"])
def test_broken_dxf_is_refused(tmp_path, content):
    path = tmp_path / "d.dxf"
    path.write_bytes(content)
    tables, log = read(path, "buildings")
    assert log.problems or not sum(len(raw.rows) for raw in tables)


def test_what_a_drawing_library_asserts_is_a_problem(tmp_path, monkeypatch):
    """Found by the fuzzer: ezdxf's repair of a broken drawing ends in an AssertionError."""
    from ezdxf import recover

    def fail(*words, **options):
        raise AssertionError(type)

    monkeypatch.setattr(recover, "readfile", fail)
    path = tmp_path / "d.dxf"
    path.write_bytes(b"  0\nSECTION\n  2\nENTITIES\n  0\nLINE\n 10\nx\n")
    refused(path, "roads")


# containers

@pytest.mark.parametrize("suffix", [".gpkg", ".gdb", ".fgb", ".parquet", ".geojson"])
def test_containers_keep_names_numbers_dates_and_nulls(tmp_path, suffix):
    frame = sites(基站所属行政村名称=["甲", None], 建成日期=pd.to_datetime(["2024-01-02", None]), n=[1, 2**60], 通电=[True, False])
    path = tmp_path / f"c{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        options = {"TARGET_ARCGIS_VERSION": "ARCGIS_PRO_3_2_OR_LATER"} if suffix == ".gdb" else {}
        frame.to_file(path, driver="OpenFileGDB" if suffix == ".gdb" else None, layer_options=options)
    raw, log = one(path)
    raw = replace(raw, frame=raw.frame.sort_values("n").reset_index(drop=True))  # FlatGeobuf orders by place
    assert raw.frame["基站所属行政村名称"].iloc[0] == "甲"
    assert pd.isna(raw.frame["基站所属行政村名称"].iloc[1])
    assert pd.Timestamp(raw.frame["建成日期"].iloc[0]) == pd.Timestamp("2024-01-02")
    assert pd.isna(raw.frame["建成日期"].iloc[1])
    assert [int(value) for value in raw.frame["n"]] == [1, 2**60]
    assert [bool(value) for value in raw.frame["通电"]] == [True, False]
    assert raw.crs.to_epsg() == 4490
    assert not said(log, "repaired")


def test_large_numbers_beside_nulls_stay_whole(tmp_path):
    path = tmp_path / "c.gpkg"
    sites(id=pd.array([440112345678901234, None], dtype="Int64")).to_file(path)
    raw, _ = one(path)
    assert raw.frame["id"].iloc[0] == 440112345678901234


def test_curves_are_made_straight(tmp_path):
    raw, log = one(bad("pyogrio/curvepolygon.gpkg"), "zones")
    assert raw.geometry[0].geom_type in ("Polygon", "MultiPolygon")
    assert raw.geometry[0].is_valid
    assert [line.value for line in said(log, "repaired")] == ["曲线"]


def test_the_layer_that_fits_is_read_and_told(tmp_path):
    path = tmp_path / "c.gpkg"
    sites().to_file(path, layer="a_sites")
    area = gpd.GeoDataFrame({"n": [1]}, geometry=[shapely.box(LON, LAT, LON + 1, LAT + 1)], crs=4490)
    area.to_file(path, layer="b_areas")
    sites().to_file(path, layer="现有基站")
    raw, log = one(path, "zones")
    assert raw.geometry[0].geom_type == "Polygon"
    assert [line.value for line in said(log, "note")] == ["b_areas"]
    assert said(one(path, "stations")[1], "note")[0].value == "现有基站"
    tables, log = read(path, "stations", layer="a_sites, 现有基站")
    assert len({label for raw in tables for label in raw.rows}) == 4
    log = FileLog("zones", "c.gpkg", InputLedger())
    assert list(read_vector(path, LayerSource(path="c.gpkg", layer="c"), log)) == []
    assert log.mistakes


def test_columns_no_field_wants_stay_in_a_large_file(tmp_path, monkeypatch):
    monkeypatch.setattr(layer_reading, "MANY_ROWS", 2)
    path = tmp_path / "c.gpkg"
    sites(站名=["甲", "乙"], 备注=["x", "y"], 高=[3, 4], 类=["a", "b"]).to_file(path)
    raw, log = one(path, columns={"antenna_height_m": "高"}, where="类 = 'b'")
    assert raw.frame["站名"].tolist() == ["乙"]
    assert raw.frame["高"].tolist() == [4]
    assert raw.frame["备注"].isna().all()  # its name is known, its values were not read
    assert [line.value for line in said(log, "note") if "没有读" in line.reason] == ["备注"]


def test_garbled_text_in_a_container_is_told(tmp_path):
    path = tmp_path / "c.gpkg"
    sites(站名=[name.encode("gbk").decode("latin-1") for name in ("甲村学校", "乙村医院")]).to_file(path)
    _, log = one(path)
    assert any("甲村学校" in line.reason for line in said(log, "note"))


def test_parquet_without_geometry_and_with_unknown_crs(tmp_path):
    pd.DataFrame({"站名": ["甲"], "经度": [LON], "纬度": [LAT]}).to_parquet(tmp_path / "t.parquet")
    raw, log = one(tmp_path / "t.parquet")
    assert raw.geometry is None
    assert raw.frame["站名"].tolist() == ["甲"]
    assert any("没有几何" in line.reason for line in said(log, "note"))
    sites().set_crs(None, allow_override=True).to_parquet(tmp_path / "n.parquet")
    assert one(tmp_path / "n.parquet")[0].crs is None
    (tmp_path / "n.parquet").write_bytes((tmp_path / "n.parquet").read_bytes()[:-50])
    refused(tmp_path / "n.parquet")


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix != ".gdb"])
@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"\xff" * 5000, "村名,x,y\n".encode("gbk")])
def test_no_content_breaks_a_reader(tmp_path, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    tables, log = read(path, "zones")
    assert log.problems or not sum(len(raw.rows) for raw in tables)
    assert all(problem.remedy and str(tmp_path) not in problem.reason for problem in log.problems)


# files of other projects

@pytest.mark.shared
@pytest.mark.parametrize("name", ["R2000.dxf", "R2010.dxf"])
def test_dxf_of_both_ages_say_the_same(name):
    raw, _ = one(bad(f"generated/{name}"), "poles")
    assert raw.frame["Layer"].tolist() == ["规划基站"]  # the label beside it is no pole
    raw, _ = one(bad(f"generated/{name}"), "poles", layer="规划基站")
    assert len(raw.rows) == 1
    assert raw.crs is None


@pytest.mark.shared
@pytest.mark.parametrize(("name", "names", "action"), [
    ("generated/gbk_no_cpg.shp", ["安康一号站", "六盘水二号站"], "assumed"),
    ("generated/no_prj.shp", ["安康一号站", "六盘水二号站"], None),
    ("generated/lonlat_swapped.shp", ["交换"], None),
    ("generated/utf8_field_4hanzi.shp", ["安康一号站", "六盘水二号站"], "repaired"),
    ("generated/good_mapinfo_cp936.tab", ["安康一号站", "六盘水二号站"], None),
    ("mapshaper/cpg_big5.shp", ["國語"], None), ("mapshaper/ldid_chinese.shp", ["简体"], None)])
def test_chinese_names_of_other_files(name, names, action):
    raw, log = one(bad(name))
    assert raw.frame.iloc[:, 0].tolist() == names
    assert [line.action for line in said(log)] == ([action] * (2 if "4hanzi" in name else 1) if action else [])


@pytest.mark.shared
def test_names_of_four_characters_are_whole_again():
    raw, _ = one(bad("generated/utf8_field_4hanzi.shp"))
    assert list(raw.frame.columns) == ["基站名称", "责任部"]


@pytest.mark.shared
def test_destroyed_tab_is_refused_with_advice():
    problem = refused(bad("generated/default_mapinfo.tab"))
    assert "字段名已损坏" in problem.reason
    assert "CP936" in problem.remedy


@pytest.mark.shared
def test_geometry_zoo():
    raw, log = one(bad("generated/geometry_zoo.geojson"), "zones")
    kinds = [None if shape is None else shape.geom_type for shape in raw.geometry]
    assert kinds == ["Polygon", "Polygon", None, "Polygon", "Polygon", "Point", "Polygon", "Point",
                     "GeometryCollection", "Point"]
    assert shapely.is_empty(raw.geometry[3])
    assert raw.geometry[4].area == 0.5
    assert [line.row for line in said(log, "repaired")] == ["5"]
    assert not shapely.has_z(raw.geometry).any()


@pytest.mark.shared
@pytest.mark.parametrize(("name", "count", "epsg"), [
    ("mapshaper/gauss_kruger.shp", 3, 2435), ("mapshaper/cell1.shp", 1, None), ("pyshp/latin1.shp", 1, None),
    ("mapshaper/c_utm.shp", 1, None), ("mapshaper/points.shp", 2, None),
    ("mapshaper/data_corruption_error.shp", 8, 3006),
    ("mapshaper/max_callstack_error.shp", 138, 3021), ("pyshp/corrupt_too_long.shp", 10, None),
    ("Fiona/bang_test.geojson", 1, 4326), ("Fiona/issue627.geojson", 3, 4326),
    ("pyogrio/test_gpkg_nulls.gpkg", 4, 4326),
    ("terragraph-planner/test_extract_boundary_polygon_from_multipolygon.kml", 1, 4326)])
def test_rows_of_other_files(name, count, epsg):
    raw, log = one(bad(name), "zones")
    assert len(raw.rows) == count
    assert (None if raw.crs is None else raw.crs.to_epsg()) == epsg
    if name in ("mapshaper/gauss_kruger.shp", "mapshaper/cell1.shp", "pyshp/latin1.shp"):
        assert any("重建索引" in line.reason for line in said(log, "repaired"))
        assert not path_has_index(bad(name))
    if name == "pyshp/latin1.shp":
        assert raw.frame["Name"].tolist() == ["Ñandú"]


def path_has_index(path):
    return path.with_suffix(".shx").exists()


def test_names_with_odd_characters(tmp_path):
    for name in ("a!b", "a'b", 'a"b', "a[1]", "中" * 60):
        path = shutil.copyfile(shapefile(tmp_path, "GBK", "GBK", name="plain"), tmp_path / f"{name}.shp")
        for suffix in (".dbf", ".shx", ".prj", ".cpg"):
            shutil.copyfile(tmp_path / f"plain{suffix}", tmp_path / f"{name}{suffix}")
        assert one(path)[0].frame["站名"].tolist() == ["甲村站", "乙村站"]


def test_rows_are_numbered_as_in_the_file():
    assert layer_reading.LIBRARY_ERRORS
    assert np.all(one(bad("mapshaper/max_callstack_error.shp"), "roads")[0].rows == np.arange(1, 139).astype(str))


# what a file holds beside the things of the layer

def pbf(path):
    from fuzz.osm_pbf import osm_pbf

    nodes = [(1, LON, LAT, {"highway": "street_lamp"}), (2, LON, LAT + 0.001, {"highway": "crossing"}),
             (3, LON, LAT + 0.002, {"man_made": "mast", "communication:mobile_phone": "yes"}),
             (4, LON, LAT + 0.003, {"man_made": "mast"}), (5, LON, LAT + 0.004, {"amenity": "school", "name": "甲小学"}),
             (6, LON, LAT + 0.005, {"amenity": "bench"})]
    nodes += [(10, LON, LAT, {}), (11, LON + 0.001, LAT, {}), (12, LON + 0.001, LAT + 0.001, {})]
    ring = (10, 11, 12, 10)
    ways = [(100, ring, {"building": "house"}), (101, ring, {"building": "no", "amenity": "parking"}),
            (102, ring, {"boundary": "administrative", "admin_level": "2"}), (103, ring, {"power": "substation"}),
            (104, ring, {"waterway": "riverbank"}), (105, (10, 11), {"highway": "residential"}),
            (106, (10, 11), {"highway": "footway"}), (107, (10, 11), {"railway": "tram"}),
            (108, (10, 11), {"railway": "rail"}), (109, (10, 11), {"waterway": "river"})]
    path.write_bytes(osm_pbf(nodes, ways))
    return path


@pytest.mark.parametrize(("kind", "ids"), [
    ("buildings", ["w100"]), ("poles", ["n1"]), ("stations", ["n3"]), ("roads", ["w105"]), ("rail", ["w108"]),
    ("water", ["w104", "w109"])])
def test_osm_without_where_takes_what_the_tags_say(tmp_path, kind, ids):
    tables, log = read(pbf(tmp_path / "a.osm.pbf"), kind)
    assert not log.problems
    assert sorted(name for raw in tables for name in raw.frame["osm_id"]) == ids
    (line,) = [line for line in said(log, "assumed") if line.field == "where"]
    assert "（共 " in line.reason
    assert "where" in line.remedy


def test_osm_facilities_without_where_are_venues_and_no_dwellings(tmp_path):
    tables, log = read(pbf(tmp_path / "a.osm.pbf"), "facilities")
    found = {name for raw in tables for name in raw.frame["osm_id"]}
    assert {"n5", "w101", "w103"} <= found
    assert not found & {"n2", "n6", "w100", "w102"}
    assert len([line for line in said(log, "assumed") if line.field == "where"]) == 1


@pytest.mark.parametrize("kind", ["boundary", "villages", "zones", "towns", "counties", "restricted", "power"])
def test_osm_without_where_is_a_mistake_where_no_tag_is_usual(tmp_path, kind):
    problem = refused(pbf(tmp_path / "a.osm.pbf"), kind)
    assert problem.field == "where"
    assert 'where = "' in problem.remedy


def test_osm_with_where_assumes_no_selection(tmp_path):
    raw, log = one(pbf(tmp_path / "a.osm.pbf"), "poles", layer="points", where="highway = 'crossing'")
    assert raw.frame["osm_id"].tolist() == ["n2"]
    assert said(log, "assumed") == []


def lamps(path, version="R2010", spline=False):
    """Four lamps, each with its label; a spline at the end makes GDAL give up."""
    import ezdxf

    made = ezdxf.new(version, units=6)
    space = made.modelspace()
    for number in range(4):
        space.add_point((number, 0), dxfattribs={"layer": "A" if number < 3 else "B"})
        if number % 2 or version == "R12":
            space.add_text(f"L{number}", dxfattribs={"layer": "A", "insert": (number, 1)})
        else:
            space.add_mtext(f"L{number}", dxfattribs={"layer": "A", "insert": (number, 1)})
    if spline:
        space.add_spline([(0, 100), (5, 110), (10, 100)])
    made.saveas(path)
    return path


@pytest.mark.parametrize(("version", "spline"), [("R2010", False), ("R2010", True), ("R2000", False)])
def test_dxf_labels_are_no_points_of_a_point_layer(tmp_path, version, spline):
    path = lamps(tmp_path / "d.dxf", version, spline)
    raw, log = one(path, "poles")
    assert shapely.get_coordinates(raw.geometry).tolist() == [[0, 0], [1, 0], [2, 0], [3, 0]]
    (line,) = [line for line in said(log, "note") if line.field == "Text"]
    assert "4 个文字" in line.reason
    assert "需要文字时" in line.remedy
    labels, log = one(path, "poles", where="Text IS NOT NULL")
    assert sorted(labels.frame["Text"]) == ["L0", "L1", "L2", "L3"]
    assert not any(line.field == "Text" for line in log.ledger)


@pytest.mark.parametrize("spline", [False, True])
def test_dxf_where_counts_whichever_library_reads(tmp_path, spline):
    path = lamps(tmp_path / "d.dxf", spline=spline)
    raw, log = one(path, "poles", where="Layer = 'B'")
    assert shapely.get_coordinates(raw.geometry).tolist() == [[3, 0]]
    (line,) = [line for line in log.ledger if line.field == "where"]
    assert "按 where 条件选出 1 " in line.reason
    raw, log = one(path, "poles", where="Layer = 'C'")
    assert len(raw.rows) == 0
    assert raw.geometry is not None
    assert any("没有要素" in line.reason for line in log.ledger)
    assert "where" in refused(path, "poles", where="图层 = 'B'").field


def test_dxf_where_that_selects_nothing_does_not_ask_for_coordinates(tmp_path):
    from siteplan.layers.reading import read_layers

    for spline in (False, True):
        lamps(tmp_path / "d.dxf", spline=spline)
        ledger = InputLedger()
        try:
            ledger = read_layers({"poles": LayerSource(path="d.dxf", where="Layer = 'C'", crs="EPSG:4547")}, None,
                                 tmp_path).ledger
            words = [line.reason for line in ledger]
        except ValueError as error:
            words = [str(error)]
        assert words
        assert not any("没有坐标列" in text for text in words), words


def odd_drawing(path):
    """Things without a shape in plan beside two lines; the spline at the end makes GDAL give up."""
    import ezdxf

    made = ezdxf.new("R2010", units=6)
    space = made.modelspace()
    space.add_lwpolyline([(0, 0), (10, 0)])
    space.add_image(made.add_image_def("a.png", (10, 10)), (0, 0), (5, 5))
    space.add_wipeout([(0, 0), (5, 5)])
    with space.add_mesh().edit_data() as data:
        data.vertices, data.faces = [(0, 0, 0), (1, 0, 0), (0, 1, 0)], [[0, 1, 2]]
    space.add_ray((0, 0), (1, 0))
    space.new_entity("VIEWPORT", {"center": (0, 0), "width": 5, "height": 5})
    space.new_entity("DIMENSION", {"geometry": "*D9", "dimtype": 0})
    space.add_spline([(0, 100), (5, 110), (10, 100)])
    made.saveas(path)
    return path


@pytest.mark.parametrize("kind", ["roads", "poles"])
def test_dxf_entities_without_a_shape_are_counted(tmp_path, kind):
    tables, log = read(odd_drawing(tmp_path / "d.dxf"), kind)
    assert not log.problems
    assert sum(len(raw.rows) for raw in tables) == 2
    (line,) = [line for line in log.ledger if "没有平面图形" in line.reason]
    assert all(f"1 个 {name}" in line.reason for name in ("IMAGE", "WIPEOUT", "MESH", "RAY", "VIEWPORT", "DIMENSION"))
    assert line.value == "6 个"


def test_one_bad_dimension_does_not_spoil_a_dxf(tmp_path, monkeypatch):
    from ezdxf.entities import Dimension
    from ezdxf.lldxf.const import DXFStructureError

    def fail(self):
        raise DXFStructureError("no block")

    monkeypatch.setattr(Dimension, "__virtual_entities__", fail)
    raw, log = one(odd_drawing(tmp_path / "d.dxf"), "roads")
    assert len(raw.rows) == 2
    assert any("1 个 DIMENSION" in line.reason for line in said(log, "note"))
