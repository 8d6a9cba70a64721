"""Small files that ask for much: memory, time or stack; none of them is a good file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from .found import EPSG, Found, as_bytes, geoparquet, workbook

_LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha" * 5}">' for n in range(10))
_DOCTYPE = f"<!DOCTYPE x [{_LAUGHS}]>"
_BOMB_BLOCKS = 1200
_WORKSHEET = "xl/worksheets/sheet1.xml"
_KML = ('<?xml version="1.0" encoding="UTF-8"?>{doctype}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        "<Placemark><name>{name}</name><Point><coordinates>113.39,22.51</coordinates></Point></Placemark></Document>"
        "</kml>")


def _sparse_tiff(folder: Path) -> None:
    import rasterio
    from affine import Affine

    place = Affine(1, 0, 437_000, 0, -1, 2_491_000)
    with rasterio.open(folder / "a.tif", "w", driver="GTiff", height=60_000, width=60_000, count=1, dtype="float32",
                       crs=f"EPSG:{EPSG}", transform=place, sparse_ok=True, tiled=True):
        pass


def _bomb(member: str, path: str, declared: int | None = None) -> Callable[[Path], None]:
    """A zip of one member of 1.2 GiB of blanks; `declared` = the size it claims to have."""
    def write(folder: Path) -> None:
        block = b" " * (1 << 20)
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
        packed = packed * _BOMB_BLOCKS + packer.flush()
        crc = 0
        for _ in range(_BOMB_BLOCKS):
            crc = zlib.crc32(block, crc)
        size = declared if declared is not None else _BOMB_BLOCKS << 20
        name = member.encode()
        facts = struct.pack("<HHHHHIIIHH", 20, 0x800, 8, 0, 0x5821, crc, len(packed), size, len(name), 0)
        local = b"PK\x03\x04" + facts + name + packed
        central = b"PK\x01\x02" + struct.pack("<H", 20) + facts + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
        end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
        (folder / path).write_bytes(local + central + end)

    return write


def _far_cell(data: bytes) -> bytes:
    return data.replace(b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')


def _deep_wkb(depth: int) -> bytes:
    point = struct.pack("<BIdd", 1, 1, 113.39, 22.51)
    return struct.pack("<BII", 1, 7, 1) * depth + point


def _deep_json(depth: int) -> bytes:
    inner = b'{"type": "GeometryCollection", "geometries": [' * depth
    return (b'{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": '
            + inner + b'{"type": "Point", "coordinates": [113.39, 22.51]}' + b"]}" * depth + b"}]}")


def _deep_gpkg(folder: Path) -> None:
    import sqlite3

    import pyogrio
    from geopandas import GeoDataFrame
    from shapely import GeometryCollection, Point

    path = folder / "a.gpkg"
    shapes = [GeometryCollection([Point(437_000, 2_491_000)])]
    pyogrio.write_dataframe(GeoDataFrame({"name": ["a"]}, geometry=shapes, crs=EPSG), path, driver="GPKG",
                            layer_options={"SPATIAL_INDEX": "NO"})
    blob = b"GP\x00\x01" + struct.pack("<i", EPSG) + _deep_wkb(200_000)
    base = sqlite3.connect(path)
    triggers = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    for name in triggers:
        base.execute(f'DROP TRIGGER "{name}"')
    base.execute("UPDATE a SET geom = ?", (blob,))
    base.commit()
    base.close()


_GRID = (b"ncols 200000\nnrows 200000\nxllcorner 437000\nyllcorner 2491000\ncellsize 1\nNODATA_value -9999\n1 2 3\n")
_IN_PLANE = {"crs": f"EPSG:{EPSG}"}
HOSTILE: dict[str, Found] = {
    "raster of 14 GB in a small file": Found("a.tif", "ground", _sparse_tiff),
    "grid of 160 GB in its header": Found("a.asc", "ground", as_bytes("a.asc", _GRID), _IN_PLANE),
    "entities in kml": Found("a.kml", "poles", as_bytes("a.kml", _KML.format(doctype=_DOCTYPE, name="&a9;").encode())),
    "entity of a file in kml": Found("a.kml", "poles", as_bytes("a.kml", _KML.format(
        doctype='<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>', name="&f;").encode())),
    "entities in a sheet": Found("a.xlsx", "stations", workbook(
        _WORKSHEET, lambda data: _DOCTYPE.encode() + data.replace(b"</sheetData>", b"&a9;</sheetData>"))),
    "cell in the last corner of a sheet": Found("a.xlsx", "stations", workbook(_WORKSHEET, _far_cell)),
    "bomb as xlsx": Found("a.xlsx", "stations", _bomb(_WORKSHEET, "a.xlsx")),
    "bomb as kmz": Found("a.kmz", "poles", _bomb("doc.kml", "a.kmz")),
    "bomb as zip": Found("a.zip", "poles", _bomb("a.csv", "a.zip")),
    "bomb as zip that lies": Found("a.zip", "poles", _bomb("a.csv", "a.zip", 1000)),
    "bomb as kmz that lies": Found("a.kmz", "poles", _bomb("doc.kml", "a.kmz", 1000)),
    "bomb as zip of a shapefile that lies": Found("a.zip", "poles", _bomb("a.shp", "a.zip", 1000)),
    "deep collection in geoparquet": Found("a.parquet", "poles", geoparquet(_deep_wkb(200_000))),
    "deep collection in geojson": Found("a.geojson", "poles", as_bytes("a.geojson", _deep_json(100_000))),
    "deep collection in geopackage": Found("a.gpkg", "poles", _deep_gpkg),
    "deep brackets in json": Found("a.geojson", "poles", as_bytes(
        "a.geojson", b'{"type": "Point", "coordinates": ' + b"[" * 200_000)),
    "million columns": Found("a.csv", "poles", as_bytes("a.csv", b"a," * 1_000_000 + b"\n" + b"1," * 1_000_000)),
    "one long field": Found("a.csv", "poles", as_bytes("a.csv", "经度,纬度,名称\n1,1,\"".encode() + b"x" * (8 << 20))),
    "many digits": Found("a.csv", "poles", as_bytes("a.csv", "经度,纬度,高度\n".encode() + b"9" * 200_000 + b",1,1\n")),
    "deep study lists": Found("a.geojson", "poles", as_bytes("a.geojson", b"[" * 1000)),
}
"""Hostile cases by what they do."""
