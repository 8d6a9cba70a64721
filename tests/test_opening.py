"""The one door of data files: formats by table, contents by first bytes, archives, links, and what leads outside."""

from __future__ import annotations

import os
import stat
import struct
import tomllib
import zipfile
from importlib.resources import files
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from siteplan.input_ledger import InputLedger
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats import archives, catalogue, opening, rasters, safety, vectors
from siteplan.layers.formats.opening import digest, holds_raster, is_raster, open_raster, open_tables
from siteplan.params import LayerSource

CRS = "EPSG:4547"
EAST, NORTH = 437000.0, 2491000.0
CSV = "杆号,经度,纬度\n一号杆,113.38,22.52\n二号杆,113.39,22.53\n"


def open_all(path, layer="poles", **words):
    """Raw tables of a file and its log; ``name`` is what the study file says."""
    name = words.pop("name", path.name)
    log = FileLog(layer, name, InputLedger())
    return list(open_tables(path, LayerSource(path=name, **words), log)), log


def fault(path, layer="poles", **words):
    """The one problem of a file, which gives no table."""
    raws, log = open_all(path, layer, **words)
    assert raws == []
    (problem,) = log.problems
    assert problem.remedy
    return problem


def raster_fault(path, **words):
    log = FileLog("heights", path.name, InputLedger())
    assert open_raster(path, LayerSource(path=path.name, **words), log) is None
    (problem,) = log.problems
    assert problem.remedy
    return problem


def told(log, action=None):
    return [line.reason for line in log.ledger if action in (None, line.action)]


def poles():
    return gpd.GeoDataFrame({"杆号": ["一号杆", "二号杆"], "杆高": [9.0, 8.0]},
                            geometry=[shapely.Point(EAST, NORTH), shapely.Point(EAST + 5, NORTH)], crs=CRS)


def write_tif(path, value=7.0):
    with rasterio.open(path, "w", driver="GTiff", height=4, width=5, count=1, dtype="float32", crs=CRS, nodata=-9999.0,
                       transform=Affine(10, 0, EAST, 0, -10, NORTH)) as data:
        data.write(np.full((4, 5), value, np.float32), 1)
    return path


def zipped(path, members):
    """A zip of names and contents (bytes, text or files)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content.read_bytes() if isinstance(content, Path) else content)
    return path


def shapefile(folder, stem="lamps"):
    poles().to_file(folder / f"{stem}.shp", encoding="GBK")
    return {item.name: item for item in sorted(folder.glob(f"{stem}.*"))}


# ---------------------------------------------------------------- the table of formats

def test_the_table_has_every_suffix_that_a_reader_has():
    assert set(rasters.SUFFIXES) == set(catalogue.suffixes_of("raster"))
    assert set(vectors.SUFFIXES) <= set(catalogue.suffixes_of("vector", "table", "archive"))
    tables = {found.id for found in catalogue.load_formats().values() if found.kind == "table"}
    assert tables == set(opening._TABLE_READERS)
    assert all(is_raster(f"a{suffix}") for suffix in rasters.SUFFIXES)


def test_entries_of_the_table_are_whole():
    formats, contents = catalogue.load_formats(), catalogue.load_contents()
    suffixes = [suffix for found in formats.values() for suffix in found.suffixes]
    assert len(suffixes) == len(set(suffixes))
    for found in formats.values():
        assert found.kind in catalogue.KINDS
        assert found.detects
        assert found.refuses
        assert found.source
        assert (found.kind == "refused") == bool(found.advice)
        assert set(found.contents) <= set(contents)
        assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in found.suffixes)
        assert found.contents or found.kind == "refused" or found.id == "filegdb"
    for content in contents.values():
        if content.suffix:
            named = catalogue.format_of(f"a{content.suffix}")
            assert named.kind != "refused"
            assert content.id in named.contents
        else:
            assert content.remedy
    raw = tomllib.loads(files("siteplan").joinpath("tables/formats.toml").read_text(encoding="utf-8"))
    keys = {"zh", "suffixes", "kind", "contents", "drivers", "detects", "refuses", "advice", "source"}
    assert all(set(entry) <= keys for entry in raw["formats"].values())


@pytest.mark.parametrize(("name", "words"), [
    ("a.dwg", "DXF"), ("a.et", ".xlsx"), ("a.docx", ".xlsx"), ("a.mdb", ".gdb"), ("a.rar", ".zip"), ("a.7z", ".zip"),
    ("a.tfw", ".tif"), ("a.dbt", "gpkg"), ("a.jpg", "GeoTIFF"), ("a", "gpkg"), ("a.mxd", "GeoPackage"),
    ("a.shx", ".shp"),
])
def test_refused_formats_have_advice(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"\x01\x02\x00nothing known" * 9)
    assert words in fault(tmp_path / name).remedy


# ---------------------------------------------------------------- contents that are not what the ending says

HTML = "<!DOCTYPE html>\n<html><head><title>登录</title></head><body><table><tr><td>1</td></tr></table></body></html>"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
DBF = (bytes([3, 120, 1, 1]) + struct.pack("<IHH", 1, 65, 11) + bytes(20) + b"NAME" + bytes(7) + b"C" + bytes(4)
       + bytes([10]) + bytes(15) + b"\r" + b" " + b"abcdefghij")


@pytest.mark.parametrize(("name", "content", "reason", "remedy"), [
    ("a.shp", DBF, "内容像DBF", ".dbf"),
    ("a.geojson", b"\0\0\x27\x0a" + bytes(96), "内容像Shapefile", ".shp"),
    ("a.gpkg", CSV, "内容像普通文本", ".csv"),
    ("a.csv", HTML, "内容像网页", "重新下载"),
    ("a.xls", HTML, "内容像网页", "另存为 .xlsx"),
    ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "内容像旧版 Office", "另存为 .xlsx"),
    ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "不读 .xls", "另存为 .xlsx"),
    ("a.csv", LFS, "Git LFS", "git lfs pull"),
    ("a.gpkg", LFS, "Git LFS", "git lfs pull"),
    ("a.csv", b"", "空文件", "重新复制"),
    ("a.shp", b"", "空文件", "重新复制"),
    ("a.zip", b"Rar!\x1a\x07\x01\0" + bytes(50), "内容像RAR", "解压"),
    ("a.zip", "hello", "内容像普通文本", ".zip" and "核对"),
    ("a.csv", '{"type": "FeatureCollection", "features": []}', "内容像JSON", ".geojson"),
    ("a.kml", "<?xml version='1.0'?><gml:FeatureCollection xmlns:gml='g'/>", "内容像XML", "GeoPackage"),
    ("a.tab", b"SQLite format 3\0" + bytes(100), "内容像GeoPackage", ".gpkg"),
    ("a.fgb", bytes(range(200)), "认不出的二进制", "重新复制"),
    ("a.pbf", b"\x1a\x20" + bytes(100), "认不出的二进制", "重新复制"),
    ("a.xyz", b"SQLite format 3\0" + bytes(100), "不认识的格式 .xyz，内容像GeoPackage", ".gpkg"),
    ("a.parquet", "PAR", "内容像普通文本", "核对"),
])
def test_contents_are_told_by_their_first_bytes(tmp_path, name, content, reason, remedy):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    problem = fault(path)
    assert reason in problem.reason
    assert remedy in problem.remedy


@pytest.mark.parametrize("content", [HTML, LFS, "", "PK\3\4", CSV])
def test_a_tif_that_is_none(tmp_path, content):
    (tmp_path / "dem.tif").write_text(content, encoding="utf-8")
    problem = raster_fault(tmp_path / "dem.tif")
    assert any(word in problem.reason for word in ("内容像", "Git LFS", "空文件"))


def test_a_layer_of_the_wrong_kind(tmp_path):
    problem = fault(write_tif(tmp_path / "a.tif"))
    assert "GeoTIFF" in problem.reason
    (tmp_path / "a.csv").write_text(CSV, encoding="utf-8")
    assert "这个图层要栅格" in raster_fault(tmp_path / "a.csv").reason


# ---------------------------------------------------------------- places

def test_addresses_are_refused():
    for name in ("http://a.b/x.gpkg", "https://a.b/dem.tif", "/vsicurl/http://a.b/x.shp", "s3://bucket/x.csv",
                 "file:///data/x.csv", "zip:///data/a.zip!x.shp", "/vsizip/a.zip/x.shp"):
        problem = fault(Path("/nowhere") / name, name=name)
        assert "网址" in problem.reason, name
        assert "本地" in problem.remedy


def test_places_that_are_no_plain_file(tmp_path):
    assert "不存在" in fault(tmp_path / "none.csv").reason
    assert "路径不能用" in fault(tmp_path / ("x" * 300 + ".csv")).reason
    assert "路径不能用" in fault(Path(f"{tmp_path}/a\0b.csv")).reason
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "在里面.shp").touch()
    problem = fault(tmp_path / "folder")
    assert "是文件夹" in problem.reason
    assert "在里面.shp" in problem.remedy
    (tmp_path / "a.gdb").mkdir()
    assert "不是完整的 File GDB" in fault(tmp_path / "a.gdb").reason
    (tmp_path / "b.gdb").write_bytes(b"PK\3\4")
    assert "应为文件夹" in fault(tmp_path / "b.gdb").reason


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFO")
@pytest.mark.parametrize("name", ["pipe.csv", "pipe.gpkg", "pipe.zip", "pipe.xlsx"])
def test_a_fifo_does_not_hang(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert "不是普通文件" in fault(tmp_path / name).reason


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFO")
def test_a_fifo_beside_a_shapefile_does_not_hang(tmp_path):
    shapefile(tmp_path)
    (tmp_path / "lamps.dbf").unlink()
    os.mkfifo(tmp_path / "lamps.dbf")
    assert "lamps.dbf 不是普通文件" in fault(tmp_path / "lamps.shp").reason


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text(CSV, encoding="utf-8")

    def forbidden(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    problem = fault(path)
    assert "打不开" in problem.reason
    assert "权限" in problem.remedy


def test_links_may_not_leave_the_folder(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    shapefile(inside)
    (inside / "lamps.dbf").rename(outside / "secret.dbf")
    (inside / "lamps.dbf").symlink_to(outside / "secret.dbf")
    problem = fault(inside / "lamps.shp")
    assert "lamps.dbf 是指向别处的链接" in problem.reason
    (inside / "lamps.dbf").unlink()
    (outside / "secret.dbf").rename(inside / "real.dbf")
    (inside / "lamps.dbf").symlink_to(inside / "real.dbf")
    raws, log = open_all(inside / "lamps.shp")  # a link inside the folder is no harm
    assert len(raws[0].frame) == 2
    assert not log.problems
    poles().to_file(inside / "p.gpkg")
    (outside / "named.gpkg").symlink_to(inside / "p.gpkg")  # the study file itself names the link
    assert len(open_all(outside / "named.gpkg")[0][0].frame) == 2


def test_links_in_a_gdb_may_not_leave_it(tmp_path):
    poles().to_file(tmp_path / "p.gdb", driver="OpenFileGDB", layer="lamps")
    raws, _log = open_all(tmp_path / "p.gdb")
    assert len(raws[0].frame) == 2
    (tmp_path / "other").write_text("x")
    (tmp_path / "p.gdb" / "a00000099.gdbtable").symlink_to(tmp_path / "other")
    assert "a00000099.gdbtable 是指向别处的链接" in fault(tmp_path / "p.gdb").reason


# ---------------------------------------------------------------- what leads outside

OGR_VRT = ('<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer>'
           "</OGRVRTDataSource>")


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.geojson", "a.shp", "a.gpkg", "a.kml", "a.tab", "a.vrt",
                                  "a.txt", "a.xml"])
@pytest.mark.parametrize("text", [OGR_VRT, "\ufeff<?xml version='1.0'?>\n<!-- x -->\n" + OGR_VRT, "    " + OGR_VRT])
def test_ogr_vrt_is_refused_whatever_its_name(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    problem = fault(tmp_path / name)
    assert "引用别的文件" in problem.reason or name.endswith(".xml")


@pytest.mark.parametrize("text", [
    '<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:9/</ServerUrl></Service></GDAL_WMS>',
    '<VRTDataset rasterXSize="1" rasterYSize="1"/>',
    '{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline"}',
    '<OGRWFSDataSource><URL>http://127.0.0.1:9/</URL></OGRWFSDataSource>', '{"stac_version": "1.0.0"}'])
@pytest.mark.parametrize("name", ["a.tif", "a.asc", "a.json", "a.shp", "a.mif", "a.hgt", "a.dem", "a.tab"])
def test_pointers_to_services_are_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    if is_raster(name):
        raster_fault(tmp_path / name)
    elif "stac" not in text:
        fault(tmp_path / name)


def test_a_tiff_that_is_a_vrt_for_gdal_too(tmp_path):
    head = b"II*\0" + b" " * 20 + b'<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>'
    (tmp_path / "a.tif").write_bytes(head)
    assert "引用别的文件" in raster_fault(tmp_path / "a.tif").reason


def vrt(name, relative="1", band="", source="SimpleSource", more=""):
    return (f'<VRTDataset rasterXSize="5" rasterYSize="4"><SRS>{CRS}</SRS><GeoTransform>{EAST}, 10, 0, {NORTH}, 0, -10'
            f'</GeoTransform>{more}<VRTRasterBand dataType="Float32" band="1"{band}><{source}>'
            f'<SourceFilename relativeToVRT="{relative}">{name}</SourceFilename><SourceBand>1</SourceBand>'
            f'<SrcRect xOff="0" yOff="0" xSize="5" ySize="4"/><DstRect xOff="0" yOff="0" xSize="5" ySize="4"/>'
            f"</{source}></VRTRasterBand></VRTDataset>")


def test_a_vrt_of_its_own_folder_is_read(tmp_path):
    (tmp_path / "tiles").mkdir()
    write_tif(tmp_path / "tiles" / "a.tif")
    (tmp_path / "a.vrt").write_text(vrt("tiles/a.tif"))
    log = FileLog("heights", "a.vrt", InputLedger())
    array, _ = open_raster(tmp_path / "a.vrt", LayerSource(path="a.vrt"), log)
    assert array.shape == (4, 5)
    assert not log.problems


@pytest.mark.parametrize(("text", "reason"), [
    (vrt("../secret.tif"), "以外"), (vrt("/etc/passwd"), "以外"), (vrt("/etc/passwd", "0"), "以外"),
    (vrt("http://127.0.0.1:9/a.tif"), "以外"), (vrt("/vsicurl/http://127.0.0.1:9/a.tif"), "以外"),
    (vrt("a.tif", "0"), "以外"), (vrt("link.tif"), "以外"), (vrt("b.vrt"), "不是普通栅格"), (vrt("a.json"), "不是普通栅格"),
    (vrt("gone.tif"), "不存在"), (vrt("html.tif"), "内容像网页"), (vrt("GTIFF_DIR:1:a.tif"), "以外"),
    (vrt("a.tif", band=' subClass="VRTRawRasterBand"'), "VRTRawRasterBand"),
    (vrt("a.tif", band=' subClass="VRTDerivedRasterBand"'), "VRTDerivedRasterBand"),
    (vrt("a.tif", more="<GDALWarpOptions/>"), "GDALWarpOptions"),
    (vrt("a.tif", source="ArraySource"), "ArraySource"),
    (vrt("a.tif", more="<Metadata domain='OVERVIEWS'><MDI key='OVERVIEW_FILE'>/etc/x</MDI></Metadata>"), "Metadata"),
    ("<!DOCTYPE VRTDataset [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>" + vrt("&b;"), "DOCTYPE"),
    (vrt("a.tif")[:-9], "不是完整的 XML"),
])
def test_a_vrt_may_not_lead_outside(tmp_path, text, reason):
    home = tmp_path / "home"
    home.mkdir()
    write_tif(tmp_path / "secret.tif")
    write_tif(home / "a.tif")
    (home / "link.tif").symlink_to(tmp_path / "secret.tif")
    (home / "b.vrt").write_text(vrt("a.tif"))
    (home / "html.tif").write_text(HTML, encoding="utf-8")
    (home / "t.vrt").write_text(text)
    assert reason in raster_fault(home / "t.vrt").reason


@pytest.mark.parametrize(("side", "content"), [
    ("a.tif.ovr", vrt("/etc/passwd")), ("a.tif.msk", HTML), ("a.ovr", "<GDAL_WMS>"),
    ("a.tif.aux.xml", ("<PAMDataset><Metadata domain='OVERVIEWS'><MDI key='OVERVIEW_FILE'>/vsicurl/http://a.b/c"
                       "</MDI></Metadata></PAMDataset>")),
    ("a.tif.aux.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><PAMDataset/>"),
])
def test_side_files_of_a_raster_may_not_lead_outside(tmp_path, side, content):
    write_tif(tmp_path / "a.tif")
    (tmp_path / side).write_text(content, encoding="utf-8")
    assert f"附属文件 {side}" in raster_fault(tmp_path / "a.tif").reason


def test_a_geopackage_may_not_read_other_files(tmp_path):
    import sqlite3

    poles().to_file(tmp_path / "p.gpkg")
    connection = sqlite3.connect(tmp_path / "p.gpkg")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("INSERT INTO sqlite_master VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING "
                       "VirtualOGR(''/etc/passwd'')')")
    connection.commit()
    connection.close()
    assert "虚拟表（VirtualOGR）" in fault(tmp_path / "p.gpkg").reason


@pytest.mark.parametrize("more", ['  "\\IsSeamless" = "TRUE"', '  File "..\\other.dat"', '  Type "RASTER"',
                                  "create view v as", '  File "C:\\x.tif"'])
def test_a_tab_may_not_name_other_files(tmp_path, more):
    (tmp_path / "a.tab").write_text(f'!table\n!version 300\n!charset WindowsSimpChinese\n\nDefinition Table\n{more}\n')
    assert "TAB 引用了别的文件" in fault(tmp_path / "a.tab").reason


def test_kml_with_entities_is_refused(tmp_path):
    bomb = "<!DOCTYPE kml [" + "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10 if n else 'x'}'>" for n in range(9)) + "]>"
    body = "<kml xmlns='http://www.opengis.net/kml/2.2'><Placemark><name>&e8;</name></Placemark></kml>"
    (tmp_path / "a.kml").write_text("<?xml version='1.0'?>" + bomb + body)
    assert "DOCTYPE" in fault(tmp_path / "a.kml").reason
    (tmp_path / "b.kml").write_bytes(("<?xml version='1.0' encoding='utf-16'?>" + bomb + body).encode("utf-16"))
    assert "DOCTYPE" in fault(tmp_path / "b.kml").reason
    words = ("<Placemark><name>一</name><description><![CDATA[<!DOCTYPE html><p>x</p>]]></description><Point>"
             "<coordinates>113.38,22.52</coordinates></Point></Placemark>")
    (tmp_path / "c.kml").write_text(f"<kml xmlns='http://www.opengis.net/kml/2.2'>{words}</kml>", encoding="utf-8")
    assert len(open_all(tmp_path / "c.kml")[0][0].frame) == 1


# ---------------------------------------------------------------- names

@pytest.mark.parametrize("name", ["!甲.gpkg", "a!b.gpkg", "a b'c\"d.gpkg", "-x.gpkg", "a;b?c#d.gpkg", "a\nb.gpkg",
                                  "http:x.gpkg", "甲" * 83 + ".gpkg", "[a]*.gpkg", "%20.gpkg", "a&b|c.gpkg"])
def test_hostile_names_of_vector_files(tmp_path, name):
    poles().to_file(tmp_path / "p.gpkg")
    assert len(name.encode()) <= 255
    (tmp_path / "p.gpkg").rename(tmp_path / name)
    raws, log = open_all(tmp_path / name)
    assert not log.problems
    assert raws[0].frame["杆号"].tolist() == ["一号杆", "二号杆"]


@pytest.mark.parametrize("stem", ["!甲", "a;b", "x" * 251])
def test_hostile_names_of_shapefiles_and_folders(tmp_path, stem):
    home = tmp_path / "a!b;c"
    home.mkdir()
    for name, item in shapefile(tmp_path).items():
        (home / f"{stem}{item.suffix}").write_bytes(item.read_bytes())
        assert name
    raws, log = open_all(home / f"{stem}.shp")
    assert not log.problems
    assert raws[0].frame["杆号"].tolist() == ["一号杆", "二号杆"]


@pytest.mark.parametrize("name", ["!a.csv", "a\nb.csv", "-a.csv", "x" * 251 + ".csv", "a'\"b.csv"])
def test_hostile_names_of_tables(tmp_path, name):
    (tmp_path / name).write_text(CSV, encoding="utf-8")
    assert len(open_all(tmp_path / name)[0][0].frame) == 2


@pytest.mark.parametrize("name", ["!a.tif", "a;b?.tif", "-a.tif", "x" * 251 + ".tif", "a'\"b.tif"])
def test_hostile_names_of_rasters(tmp_path, name):
    write_tif(tmp_path / "a.tif").rename(tmp_path / name)
    log = FileLog("heights", name, InputLedger())
    assert open_raster(tmp_path / name, LayerSource(path=name), log) is not None


def test_names_that_are_prefixes_of_drivers_stay_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "不存在" in fault(Path("GTIFF_DIR:1:a.gpkg")).reason
    poles().to_file(tmp_path / "p.gpkg")
    (tmp_path / "p.gpkg").rename(tmp_path / "GPKG:p.gpkg")
    assert len(open_all(Path("GPKG:p.gpkg"))[0][0].frame) == 2


# ---------------------------------------------------------------- archives

def test_a_zip_of_one_layer_is_read(tmp_path):
    parts = shapefile(tmp_path)
    poles().to_file(tmp_path / "p.gdb", driver="OpenFileGDB", layer="lamps")
    gdb = {f"data/p.gdb/{item.name}": item for item in (tmp_path / "p.gdb").iterdir()}
    for name, members in {
        "sub.zip": {f"三级/目录/{key}": item for key, item in parts.items()}
        | {"说明.txt": "请看", "__MACOSX/x/._lamps.shp": "x"},
        "upper.zip": {key.upper(): item for key, item in parts.items()},
        "gdb.zip": gdb, "csv.zip": {"灯杆.csv": CSV, "readme.doc": "x"}, "dbf.zip": {"only.dbf": parts["lamps.dbf"]},
        "kmz.kmz": {"doc.kml": "<kml xmlns='http://www.opengis.net/kml/2.2'><Document>" + "".join(
            f"<Placemark><name>{n}</name><Point><coordinates>113,22</coordinates></Point></Placemark>" for n in "ab")
            + "</Document></kml>", "files/other.kml": "<kml/>", "files/a.png": "x"},
    }.items():
        path = zipped(tmp_path / name, members)
        raws, log = open_all(path)
        assert [len(raw.frame) for raw in raws] == [2], name
        assert not log.problems, name
        assert digest(path)[0] == path.stat().st_size
        assert raws[0].rows.tolist() == (["2", "3"] if name == "csv.zip" else ["1", "2"])
    assert not list(Path(archives.tempfile.gettempdir()).glob("siteplan-*/0/lamps.shp"))


def test_a_raster_in_a_zip(tmp_path):
    path = zipped(tmp_path / "dem.zip", {"x/dem.tif": write_tif(tmp_path / "dem.tif"), "x/dem.tfw": "1", "b.csv": CSV})
    log = FileLog("heights", "dem.zip", InputLedger())
    array, _ = open_raster(path, LayerSource(path="dem.zip"), log)
    assert array.shape == (4, 5)
    assert not holds_raster(path, LayerSource(path="dem.zip"))
    assert holds_raster(path, LayerSource(path="dem.zip", member="*.tif"))
    assert holds_raster(Path("a.tif"), LayerSource(path="a.tif"))
    two = zipped(tmp_path / "two.zip", {"a.tif": tmp_path / "dem.tif", "b.tif": tmp_path / "dem.tif"})
    assert "2 个可读" in raster_fault(two).reason
    assert "2 个栅格" in raster_fault(two, member="*.tif").reason
    assert open_raster(two, LayerSource(path="two.zip", member="b.tif"), log) is not None
    assert "不是这个图层要的类型" in fault(two).reason


def test_members_are_chosen_by_the_study_file(tmp_path):
    path = zipped(tmp_path / "a.zip", {"北/甲.csv": CSV, "南/乙.csv": CSV, "丙.csv": CSV})
    problem = fault(path)
    assert problem.field == "member"
    assert "北/甲.csv" in problem.reason
    for member, count in (("甲.csv", 1), ("南/乙.CSV", 1), ("*.csv", 3), ("北\\甲.csv", 1), ("北/*", 1)):
        raws, log = open_all(path, member=member)
        assert len(raws) == count, member
        assert not log.problems
    assert open_all(path, member="*.csv")[0][0].rows.tolist()[0] == "丙.csv 2"
    raws, log = open_all(path, member="丁.csv")
    assert not raws
    assert log.mistakes[0].field == "member"
    assert "甲.csv" in log.mistakes[0].remedy
    (tmp_path / "b.csv").write_text(CSV, encoding="utf-8")
    raws, log = open_all(tmp_path / "b.csv", member="x")
    assert raws
    assert "不是压缩包，不用 member" in told(log)


@pytest.mark.parametrize(("name", "words"), [
    ("../evil.csv", "指向包外"), ("a/../../evil.csv", "指向包外"), ("/etc/evil.csv", "指向包外"), ("C:\\evil.csv", "指向包外"),
    ("..\\evil.csv", "指向包外"), ("inner.zip", "还是压缩包"), ("inner.rar", "还是压缩包"), ("a.dwg", "没有可读的文件"),
    ("readme.md", "没有可读的文件"), ("t.vrt", "没有可读的文件"),
])
def test_members_that_are_refused(tmp_path, name, words):
    path = zipped(tmp_path / "a.zip", {name: CSV})
    assert words in fault(path).reason
    assert not (tmp_path.parent / "evil.csv").exists()


def test_a_symlink_in_a_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("lamps.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert "成员是链接" in fault(tmp_path / "a.zip").reason


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", CSV)
        archive.writestr("a.csv", CSV)
    assert "同名" in fault(tmp_path / "a.zip").reason


def test_a_password_is_told(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.csv": CSV})
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + place] |= 1
    path.write_bytes(data)
    assert "加了密码" in fault(path).reason


def test_names_in_gbk_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("XXXXXXXX.csv", CSV)  # as many bytes as 路灯灯杆 has in GBK
        archive.writestr("YYYY.txt", "x")
    data = (tmp_path / "a.zip").read_bytes()
    data = data.replace(b"XXXXXXXX", "路灯灯杆".encode("gbk")).replace(b"YYYY", "说明".encode("gbk"))
    (tmp_path / "a.zip").write_bytes(data)
    raws, log = open_all(tmp_path / "a.zip", member="路灯灯杆.csv")
    assert len(raws) == 1
    assert any("GBK" in reason for reason in told(log, "assumed"))


def test_a_zip_bomb_is_stopped_while_it_unpacks(tmp_path):
    path = zipped(tmp_path / "bomb.zip", {"a.csv": bytes(60 << 20)})
    assert "压缩炸弹" in fault(path).reason
    small = archives.Limits(total_bytes=1 << 20, ratio=50.0, ratio_from_bytes=1 << 16, members=3)
    for members, words in (({"a.csv": "1" * (1 << 18)}, "压缩炸弹"), ({"a.csv": os.urandom(2 << 20).hex()}, "压缩炸弹"),
                           ({f"{n}.csv": CSV for n in range(4)}, "4 个成员")):
        log = FileLog("poles", "a.zip", InputLedger())
        path = zipped(tmp_path / "a.zip", members)
        with archives.unpacked(path, LayerSource(path="a.zip"), ("table",), log, small) as parts:
            assert parts == []
        assert words in log.problems[0].reason


def test_real_bytes_count_whatever_the_header_claims(tmp_path, monkeypatch):
    path = zipped(tmp_path / "a.zip", {"a.csv": "1" * (1 << 20)})
    small = archives.Limits(total_bytes=1 << 30, ratio=50.0, ratio_from_bytes=1 << 16)
    monkeypatch.setattr(archives, "_fits", lambda *_: True)  # as if the claims were modest
    log = FileLog("poles", "a.zip", InputLedger())
    with archives.unpacked(path, LayerSource(path="a.zip"), ("table",), log, small) as parts:
        assert parts == []
    assert "仍未完" in log.problems[0].reason
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        start = data.index(mark) + place
        data[start:start + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    assert "已损坏" in fault(path).reason


def test_broken_zips(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.csv": CSV * 50})
    data = path.read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[:len(data) // 2])
    assert "不完整" in fault(tmp_path / "cut.zip").reason
    flipped = bytearray(data)
    flipped[60] ^= 0xFF
    (tmp_path / "flip.zip").write_bytes(flipped)
    assert "已损坏" in fault(tmp_path / "flip.zip").reason
    lying = bytearray(data)
    lying[-10:-6] = (1 << 30).to_bytes(4, "little")
    (tmp_path / "lie.zip").write_bytes(lying)
    assert "目录过大" in fault(tmp_path / "lie.zip").reason
    (tmp_path / "none.zip").write_bytes(b"PK\5\6" + bytes(18))
    assert "没有可读的文件" in fault(tmp_path / "none.zip").reason


def test_contents_of_members_are_checked_too(tmp_path):
    assert "内容像网页" in fault(zipped(tmp_path / "a.zip", {"a.csv": HTML})).reason
    assert "引用别的文件" in fault(zipped(tmp_path / "b.zip", {"a.shp": OGR_VRT})).reason
    assert "内容像Excel" in fault(zipped(tmp_path / "c.zip", {"xl/worksheets/sheet1.xml": "<a/>"})).reason


def test_a_zip_of_a_zip_beside_a_layer_is_noted(tmp_path):
    raws, log = open_all(zipped(tmp_path / "a.zip", {"a.csv": CSV, "b.zip": "x"}))
    assert raws
    assert "压缩包里还有压缩包，未读" in told(log, "note")


@pytest.mark.shared
def test_zips_of_other_projects(shared):
    assert "还是压缩包" in fault(shared("data/badinput/mapshaper/zip-in-zip.zip")).reason
    assert fault(shared("data/badinput/pyshp/empty_zipfile.zip"))


@pytest.mark.shared
def test_real_files_are_what_their_endings_say(shared):
    for path in sorted(shared("data").rglob("*")):
        found = catalogue.format_of(path.name)
        if path.is_file() and found is not None and found.contents and path.suffix not in (".xlsx",):
            with path.open("rb") as stream:
                head = stream.read(catalogue.HEAD_BYTES)
            assert catalogue.content_of(head, found.kind == "table").id in found.contents, path.name


def test_safety_knows_what_leaves_a_folder():
    assert safety.escapes("a\\..\\..\\b")
    assert not safety.escapes("a/..b/c..d")
    assert safety.xml_fault(b"\xff\xfe" + "<?xml version='1.0'?><!DOCTYPE a>".encode("utf-16-le"))
    assert safety.xml_fault(b"<!--" + b"x" * (1 << 20)) is not None
