"""Cases the fuzzer found, written by code: each must end in layers that add up or in an error in words."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EPSG = 4547
PLANE = f'"crs": {{"type": "name", "properties": {{"name": "urn:ogc:def:crs:EPSG::{EPSG}"}}}}, '


@dataclass(frozen=True)
class Found:
    """One case: its main file, the layer it is read as, what the study says about it, what writes it."""

    path: str
    layer: str
    write: Callable[[Path], None]
    options: dict[str, Any] = field(default_factory=dict)
    crs: str | None = f"EPSG:{EPSG}"


def as_bytes(name: str, data: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return write


def polygon(rings: str, head: str = "") -> Callable[[Path], None]:
    text = (f'{{"type": "FeatureCollection", {head}"features": [{{"type": "Feature", "properties": {{"name": "a"}}, '
            f'"geometry": {{"type": "Polygon", "coordinates": {rings}}}}}]}}')
    return as_bytes("a.geojson", text.encode())


def _fgb(folder: Path) -> None:
    import pyogrio
    import shapely
    from geopandas import GeoDataFrame

    corner = (437000, 2491000)
    bad = shapely.from_wkb(_wkb_polygon([corner, (float("inf"), 2491000), (437005, 2491005), corner]))
    frame = GeoDataFrame({"id": ["a"]}, geometry=[bad], crs=EPSG)
    pyogrio.write_dataframe(frame, folder / "a.fgb", driver="FlatGeobuf")


def _wkb_polygon(points: list[tuple[float, float]]) -> bytes:
    return struct.pack("<BIII", 1, 3, 1, len(points)) + b"".join(struct.pack("<dd", *point) for point in points)


def geoparquet(wkb: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        import pyarrow
        import pyarrow.parquet

        geo = {"version": "1.0.0", "primary_column": "geometry", "columns": {
            "geometry": {"encoding": "WKB", "geometry_types": [], "crs": None}}}
        table = pyarrow.table({"id": ["a"], "geometry": pyarrow.array([wkb], pyarrow.binary())})
        pyarrow.parquet.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), folder / "a.parquet")

    return write


def workbook(member: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        from openpyxl import Workbook

        book, stream = Workbook(), io.BytesIO()
        for row in (["基站名称", "经度", "纬度", "方位角"], ["甲", 113.39, 22.51, 0], ["乙", 113.391, 22.51, 120]):
            book.active.append(row)
        book.save(stream)
        with zipfile.ZipFile(stream) as whole, zipfile.ZipFile(folder / "a.xlsx", "w") as damaged:
            for name in whole.namelist():
                data = whole.read(name)
                damaged.writestr(name, change(data) if name == member else data)

    return write


def _broken_deflate(folder: Path) -> None:
    workbook("none", bytes)(folder)
    with zipfile.ZipFile(folder / "a.xlsx") as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
        start = archive.getinfo("xl/worksheets/sheet1.xml").header_offset + 30 + len("xl/worksheets/sheet1.xml")
    data = bytearray(stream.getvalue())
    data[start + 8:start + 16] = b"\xff" * 8
    (folder / "a.xlsx").write_bytes(data)


def _shape_of(sidecar: str, data: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        import pyogrio
        from geopandas import GeoDataFrame
        from shapely import Point

        pyogrio.write_dataframe(GeoDataFrame({"name": ["杆"]}, geometry=[Point(437000, 2491000)], crs=EPSG),
                                folder / "a.shp", driver="ESRI Shapefile", encoding="GBK")
        (folder / sidecar).write_bytes(data)

    return write


def _two_kinds(folder: Path) -> None:
    import pyogrio
    from geopandas import GeoDataFrame
    from shapely import Point, box

    shapes = [box(437000, 2491000, 437020, 2491020), Point(437100, 2491100)]
    frame = GeoDataFrame({"id": ["a", "b"]}, geometry=shapes, crs=EPSG)
    pyogrio.write_dataframe(frame, folder / "a.gpkg", driver="GPKG", layer="a", geometry_type="Unknown")


def _broken_schema(folder: Path) -> None:
    _two_kinds(folder)
    path = folder / "a.gpkg"
    path.write_bytes(path.read_bytes().replace(b"CREATE VIRTUAL TABLE", b"CREATE VIRTUAL T\xe8BLE"))


def _tab(folder: Path) -> None:
    import pyogrio
    from geopandas import GeoDataFrame
    from shapely import Point

    pyogrio.write_dataframe(GeoDataFrame({"id": ["a"]}, geometry=[Point(437000, 2491000)], crs=EPSG), folder / "a.tab",
                            driver="MapInfo File")


_CSV = "名称,经度,纬度\n小学,113.39,22.51\n".encode("gb18030")
_DRAWING = b"  0\nSECTION\n  2\nENTITIES\n  0\nPOINT\n  8\na\r\x00\n 10\n1.0\n 20\n2.0\n  0\nENDSEC\n  0\nEOF\n"
_LONG_PATH = f'''[study]
name = "西口镇"
crs = "EPSG:{EPSG}"
[layers.boundary]
path = "{"9" * 300}.geojson"
[layers.villages]
path = "{"9" * 300}.geojson"
[layers.ground]
path = "{"9" * 300}.tif"
'''
_SHEET = "xl/worksheets/sheet1.xml"
_PROJECTION = (
    'PROJCS["西口地方坐标系",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",'
    'SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Gauss_Kruger"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",114.0],PARAMETER["Scale_Factor",1.0],PARAMETER["Latitude_Of_Origin",0.0],'
    'UNIT["Meter",1.0]]')
FOUND: dict[str, Found] = {
    "polygon beyond the projection": Found(
        "a.geojson", "buildings", polygon("[[[113.39, 22.51], [1e9, 22.51], [113.4, 22.6], [113.39, 22.51]]]")),
    "polygon of the whole plane": Found(
        "a.geojson", "villages",
        polygon("[[[-1e300, -1e300], [1e300, -1e300], [1e300, 1e300], [-1e300, -1e300]]]", PLANE)),
    "infinite coordinate": Found(
        "a.geojson", "buildings", polygon("[[[113.39, 22.51], [1e999, 22.51], [113.4, 22.6], [113.39, 22.51]]]")),
    "ring of one point": Found("a.geojson", "buildings", polygon("[[[113.39, 22.51]]]")),
    "unclosed ring": Found("a.geojson", "villages", polygon("[[[113.39, 22.51], [113.4, 22.51], [113.4, 22.6]]]")),
    "infinite vertex in the plane": Found("a.fgb", "buildings", _fgb),
    "geoparquet of broken shapes": Found("a.parquet", "buildings", geoparquet(b"\x01\x03\x00\x00\x00\xff\xff\xff\xff")),
    "geoparquet with an open ring": Found(
        "a.parquet", "buildings",
        geoparquet(_wkb_polygon([(113.39, 22.51), (113.4, 22.51), (113.4, 22.6), (113.3, 22.6)])),
        {"crs": "EPSG:4326"}),
    "geoparquet with no shape": Found("a.parquet", "poles", geoparquet(b"")),
    "sheet with a wild cell name": Found(
        "a.xlsx", "stations", workbook(_SHEET, lambda data: data.replace(b'"B2"', b'"B!2"'))),
    "sheet cut short": Found("a.xlsx", "stations", workbook(_SHEET, lambda data: data[:-40])),
    "sheet with a bad number": Found(
        "a.xlsx", "stations", workbook(_SHEET, lambda data: data.replace(b"<v>", b"<v>x"))),
    "workbook without names": Found("a.xlsx", "stations", workbook("xl/workbook.xml", lambda data: data[:200])),
    "relations that are no XML": Found("a.xlsx", "stations", workbook("_rels/.rels", lambda data: b"\xff\xfe" + data)),
    "styles that are no XML": Found("a.xlsx", "stations", workbook("xl/styles.xml", lambda data: b"\x00" + data)),
    "broken compression": Found("a.xlsx", "stations", _broken_deflate),
    "encoding that needs a mark": Found("a.csv", "facilities", as_bytes("a.csv", _CSV), {"encoding": "utf-16"}),
    "encoding that is none": Found("a.csv", "facilities", as_bytes("a.csv", _CSV), {"encoding": "no-such-code"}),
    "encoding of other things": Found("a.csv", "facilities", as_bytes("a.csv", _CSV), {"encoding": "rot13"}),
    "encoding of a tab that is none": Found("a.tab", "poles", _tab, {"encoding": "no-such-code"}),
    "encoding of a tab of other things": Found("a.tab", "poles", _tab, {"encoding": "rot13"}),
    "projection file in GBK": Found("a.shp", "poles", _shape_of("a.prj", _PROJECTION.encode("gb18030"))),
    "projection file of noise": Found("a.shp", "poles", _shape_of("a.prj", bytes(range(128, 256)))),
    "code page file of noise": Found("a.shp", "poles", _shape_of("a.cpg", bytes(range(128, 256)))),
    "path too long in the study": Found("study.toml", "study", as_bytes("study.toml", _LONG_PATH.encode())),
    "path with an end of text in the study": Found(
        "study.toml", "study", as_bytes("study.toml", _LONG_PATH.replace("9" * 300, "a\\u0000b").encode())),
    "same layer named twice": Found("a.gpkg", "buildings", _two_kinds, {"layer": "a, a"}),
    "end of text in a drawing": Found(
        "a.dxf", "poles", as_bytes("a.dxf", _DRAWING), {"crs": f"EPSG:{EPSG}"}),
    "geopackage whose schema is no text": Found("a.gpkg", "buildings", _broken_schema),
    "buildings without storeys": Found(
        "a.geojson", "buildings",
        polygon("[[[113.39, 22.51], [113.391, 22.51], [113.391, 22.511], [113.39, 22.511], [113.39, 22.51]]]")),
    "empty csv": Found("a.csv", "poles", as_bytes("a.csv", b"")),
    "csv of one mark": Found("a.csv", "poles", as_bytes("a.csv", b"\xef\xbb\xbf")),
}
