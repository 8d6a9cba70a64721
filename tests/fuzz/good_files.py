"""Small good files of every format, written by code: what the fuzzer then damages."""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from affine import Affine
from shapely.geometry.base import BaseGeometry

from .osm_pbf import osm_pbf

EPSG = 4547
EAST, NORTH = 437_000.0, 2_491_000.0
LON, LAT = 113.39, 22.51
"""About the place of (EAST, NORTH)."""
SIZE_M = 2000.0
ZIP_TIME = (2024, 1, 1, 0, 0, 0)
FIXED_DATE = "2024-01-01T00:00:00.000Z"

Change = Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]


@dataclass(frozen=True)
class Good:
    """One good file.

    Attributes
    ----------
    path : str
        Main file, in its folder.
    layer : str
        The layer it is usually read as.
    write : callable
        ``write(folder, change)``; `change` alters the table before it is written (not used where there is none).
    options : dict
        What the study file says about it.
    """

    path: str
    layer: str
    write: Callable[[Path, Change], None]
    options: dict[str, Any] = field(default_factory=dict)


def unchanged(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The table as it is."""
    return frame


def square(x: float, y: float, size: float) -> BaseGeometry:
    """A square, metres from the corner of the study."""
    return shapely.box(EAST + x, NORTH + y, EAST + x + size, NORTH + y + size)


def village_table() -> gpd.GeoDataFrame:
    """Eight villages."""
    places = [(500.0 * (number % 4), 1000.0 * (number // 4)) for number in range(8)]
    return gpd.GeoDataFrame(
        {"村代码": [f"4420001{number:05d}" for number in range(8)], "村名": [f"第{number}村" for number in range(8)],
         "人口": np.arange(100, 108, dtype=np.int32)}, geometry=[square(*place, 500.0) for place in places], crs=EPSG)


def building_table() -> gpd.GeoDataFrame:
    """Twelve buildings, one with a courtyard, one of two parts."""
    shapes = [square(150.0 * number, 100.0, 40.0) for number in range(12)]
    shapes[3] = shapes[3].difference(shapes[3].buffer(-10.0))
    shapes[4] = shapely.union(shapes[4], square(600.0, 400.0, 20.0))
    return gpd.GeoDataFrame(
        {"id": [f"B{number}" for number in range(12)], "height": [9.0 + number for number in range(12)],
         "层数": [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14], "用途": ["住宅", "商业", "办公", "厂房"] * 3}, geometry=shapes,
        crs=EPSG)


def pole_table() -> gpd.GeoDataFrame:
    """Ten lamp poles."""
    return gpd.GeoDataFrame(
        {"灯杆编号": [f"P{number}" for number in range(10)], "高度": [8.0 + number / 2 for number in range(10)],
         "道路": ["中山路"] * 10}, geometry=[shapely.Point(EAST + 100.0 * number, NORTH + 300.0) for number in range(10)],
        crs=EPSG)


def facility_table() -> gpd.GeoDataFrame:
    """Six facilities in degrees."""
    names = ["西口镇人民政府", "西口小学", "西口医院", "体育馆", "加油站", "汽车站"]
    places = [shapely.Point(LON + 0.001 * number, LAT + 0.001) for number in range(6)]
    return gpd.GeoDataFrame({"name": names, "类型": ["政府", "学校", "医院", "体育", "加油站", "交通"]},
                            geometry=places, crs=4326)


def station_table() -> gpd.GeoDataFrame:
    """Twelve sectors of four sites; three azimuths in one cell of the last."""
    azimuths = ["0", "120", "240"] * 3 + ["0", "90", "0/120/240"]
    frame = pd.DataFrame({
        "基站名称": [f"站{number // 3}" for number in range(12)], "小区号": [f"C{number}" for number in range(12)],
        "运营商": ["移动", "联通", "电信", "移动"] * 3, "制式": ["5G"] * 12, "频段": ["n41"] * 6 + ["n78"] * 6,
        "挂高": ["30米", "25", "28.5"] * 4, "方位角": azimuths, "机械下倾角": [3] * 12, "功率": [200.0] * 12})
    lon = [LON + 0.002 * (number // 3) for number in range(12)]
    return gpd.GeoDataFrame(frame.assign(经度=lon, 纬度=[LAT + 0.002] * 12),
                            geometry=shapely.points(lon, [LAT + 0.002] * 12), crs=4326)


def _vector(name: str, driver: str, table: Callable[[], gpd.GeoDataFrame], **options: Any,
            ) -> Callable[[Path, Change], None]:
    def write(folder: Path, change: Change) -> None:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": FIXED_DATE})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a driver has against a nasty table
            pyogrio.write_dataframe(change(table()), folder / name, driver=driver, **options)

    return write


def _parquet(folder: Path, change: Change) -> None:
    change(building_table()).to_parquet(folder / "a.parquet", compression="none")


def rezip(path: Path, members: list[tuple[str, bytes]]) -> None:
    """A zip of these members, with a fixed date."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), data, zipfile.ZIP_DEFLATED)


def _kmz(folder: Path, change: Change) -> None:
    _vector("doc.kml", "KML", facility_table)(folder, change)
    rezip(folder / "a.kmz", [("doc.kml", (folder / "doc.kml").read_bytes())])
    (folder / "doc.kml").unlink()


def _shape_zip(folder: Path, change: Change) -> None:
    _vector("村.shp", "ESRI Shapefile", village_table, encoding="GBK")(folder, change)
    parts = sorted(path for path in folder.iterdir() if path.stem == "村")
    rezip(folder / "a.zip", [(f"村界/{part.name}", part.read_bytes()) for part in parts])
    for part in parts:
        part.unlink()


def _dbf(folder: Path, change: Change) -> None:
    frame = pd.DataFrame(change(station_table()).drop(columns="geometry"))
    pyogrio.write_dataframe(frame, folder / "a.dbf", driver="ESRI Shapefile", encoding="GBK")


def _dxf(version: str, encoding: str) -> Callable[[Path, Change], None]:
    def write(folder: Path, change: Change) -> None:
        import ezdxf
        from ezdxf import options

        options.write_fixed_meta_data_for_testing = True
        drawing = ezdxf.new(version)
        drawing.encoding = encoding
        drawing.layers.add("建筑")
        space = drawing.modelspace()
        for shape in change(building_table()).geometry:
            for part in shapely.get_parts(shape):
                if part.geom_type == "Polygon" and not part.is_empty:
                    space.add_lwpolyline(list(part.exterior.coords), close=True, dxfattribs={"layer": "建筑"})
        space.add_point((EAST + 50.0, NORTH + 50.0), dxfattribs={"layer": "路灯"})
        space.add_text("中山路", dxfattribs={"layer": "注记"}).set_placement((EAST + 70.0, NORTH + 70.0))
        space.add_circle((EAST + 90.0, NORTH + 90.0), 20.0)
        drawing.saveas(folder / "a.dxf")

    return write


def _xlsx(folder: Path, change: Change) -> None:
    from openpyxl import Workbook

    frame = pd.DataFrame(change(station_table()).drop(columns="geometry"))
    book = Workbook()
    sheet = book.active
    sheet.append(["西口镇5G工参表"])
    sheet.append(list(frame.columns))
    for row in frame.itertuples(index=False):
        sheet.append([None if value is None else value for value in row])
    stream = io.BytesIO()
    book.save(stream)
    with zipfile.ZipFile(stream) as archive:
        rezip(folder / "a.xlsx", [(name, archive.read(name)) for name in archive.namelist()])


def _csv(encoding: str, table: Callable[[], gpd.GeoDataFrame]) -> Callable[[Path, Change], None]:
    def write(folder: Path, change: Change) -> None:
        frame = change(table())
        if "经度" not in frame:
            points = frame.geometry.to_crs(4326).representative_point()
            frame = frame.assign(经度=points.x, 纬度=points.y)
        text = io.StringIO()
        writer = csv.writer(text)
        plain = frame.drop(columns="geometry")
        writer.writerow(list(plain.columns))
        writer.writerows(plain.itertuples(index=False))
        errors = "surrogatepass" if "utf" in encoding else "replace"
        (folder / "a.csv").write_bytes(text.getvalue().encode(encoding, errors))

    return write


def _pbf(folder: Path, change: Change) -> None:
    nodes = [(number, LON + 0.0005 * number, LAT, {"amenity": "school", "name": f"第{number}小学"})
             for number in range(1, 6)]
    corners = [(10, 0.0, 0.0), (11, 0.001, 0.0), (12, 0.001, 0.001), (13, 0.0, 0.001)]
    nodes += [(number, LON + east, LAT + north, {}) for number, east, north in corners]
    ways = [(100, (10, 11, 12, 13, 10), {"building": "hospital", "amenity": "hospital", "name": "西口医院"}),
            (101, (1, 2, 3), {"highway": "residential"})]
    (folder / "a.osm.pbf").write_bytes(osm_pbf(nodes, ways))


def _heights() -> np.ndarray:
    row, col = np.mgrid[0:24, 0:24]
    return (20.0 + row + 2.0 * col).astype(np.float32)


def _tiff(**options: Any) -> Callable[[Path, Change], None]:
    def write(folder: Path, change: Change) -> None:
        import rasterio

        with rasterio.open(folder / "a.tif", "w", driver="GTiff", height=24, width=24, count=1, dtype="float32",
                           crs=f"EPSG:{EPSG}", nodata=-9999.0,
                           transform=Affine(100, 0, EAST - 200, 0, -100, NORTH + 2200), **options) as data:
            data.write(_heights(), 1)

    return write


def _ascii_grid(folder: Path, change: Change) -> None:
    head = f"ncols 24\nnrows 24\nxllcorner {EAST - 200}\nyllcorner {NORTH - 200}\ncellsize 100\nNODATA_value -9999\n"
    body = "\n".join(" ".join(f"{value:g}" for value in row) for row in _heights())
    (folder / "a.asc").write_text(head + body + "\n")


def _hgt(folder: Path, change: Change) -> None:
    row, col = np.mgrid[0:1201, 0:1201]
    (folder / "N22E113.hgt").write_bytes(((row + col) % 500).astype(">i2").tobytes())


def _study(folder: Path, change: Change) -> None:
    (folder / "study.toml").write_text(f'''# 西口镇
[study]
name = "西口镇"
crs = "EPSG:{EPSG}"
resolution_m = 20.0
margin_m = 300
notices = ["虚构数据"]
[layers.boundary]
path = "../base/boundary.geojson"
[layers.villages]
path = ["../base/villages.geojson"]
columns = {{ name = "村名" }}
where = "人口 > 100"
[layers.ground]
path = "../base/ground.tif"
crs = "EPSG:{EPSG}"
nodata = -9999
[coverage]
threshold_dbm = -105
receiver_height_m = 1.5
[gaps]
gap_probability = 0.75
''', encoding="utf-8")


def write_base(folder: Path) -> None:
    """Boundary, villages and ground: what every case reads beside the damaged file."""
    folder.mkdir(parents=True, exist_ok=True)
    boundary = gpd.GeoDataFrame({"id": ["b"], "name": ["西口"]}, geometry=[square(0, 0, SIZE_M)], crs=EPSG)
    boundary.to_file(folder / "boundary.geojson", driver="GeoJSON")
    village_table().to_file(folder / "villages.geojson", driver="GeoJSON")
    _tiff()(folder, unchanged)
    (folder / "a.tif").rename(folder / "ground.tif")


def _geojson_poles() -> gpd.GeoDataFrame:
    return pole_table().to_crs(4326)


_ASCII = {"crs": f"EPSG:{EPSG}"}
_MAPINFO: dict[str, Any] = {"layer_options": {"ENCODING": "CP936"}}
GOOD: dict[str, Good] = {
    "shp_gbk": Good("a.shp", "villages", _vector("a.shp", "ESRI Shapefile", village_table, encoding="GBK")),
    "shp_utf8": Good("a.shp", "buildings", _vector("a.shp", "ESRI Shapefile", building_table, encoding="UTF-8")),
    "gpkg": Good("a.gpkg", "buildings", _vector("a.gpkg", "GPKG", building_table)),
    "geojson": Good("a.geojson", "poles", _vector("a.geojson", "GeoJSON", _geojson_poles)),
    "fgb": Good("a.fgb", "buildings", _vector("a.fgb", "FlatGeobuf", building_table)),
    "parquet": Good("a.parquet", "buildings", _parquet),
    "gdb": Good("a.gdb", "villages", _vector("a.gdb", "OpenFileGDB", village_table)),
    "tab": Good("a.tab", "poles", _vector("a.tab", "MapInfo File", pole_table, **_MAPINFO)),
    "mif": Good("a.mif", "villages", _vector("a.mif", "MapInfo File", village_table, **_MAPINFO)),
    "kml": Good("a.kml", "facilities", _vector("a.kml", "KML", facility_table)),
    "kmz": Good("a.kmz", "facilities", _kmz),
    "dxf_r2000": Good("a.dxf", "buildings", _dxf("R2000", "gbk"), dict(_ASCII)),
    "dxf_r2010": Good("a.dxf", "poles", _dxf("R2010", "utf-8"), dict(_ASCII)),
    "xlsx": Good("a.xlsx", "stations", _xlsx),
    "csv_gbk": Good("a.csv", "stations", _csv("gb18030", station_table)),
    "csv_bom": Good("a.csv", "poles", _csv("utf-8-sig", pole_table)),
    "dbf": Good("a.dbf", "stations", _dbf),
    "pbf": Good("a.osm.pbf", "facilities", _pbf),
    "zip": Good("a.zip", "villages", _shape_zip),
    "tif": Good("a.tif", "ground", _tiff()),
    "tif_packed": Good("a.tif", "heights", _tiff(compress="deflate", tiled=True, blockxsize=16, blockysize=16)),
    "hgt": Good("N22E113.hgt", "ground", _hgt),
    "asc": Good("a.asc", "ground", _ascii_grid, dict(_ASCII)),
    "toml": Good("study.toml", "study", _study),
}
"""Good files by format name."""
TABLES = {"shp_gbk", "shp_utf8", "gpkg", "geojson", "fgb", "parquet", "gdb", "tab", "mif", "kml", "kmz", "dxf_r2000",
          "xlsx", "csv_gbk", "csv_bom", "dbf", "zip"}
"""Formats whose table can be altered before it is written."""


def write_all(folder: Path) -> None:
    """Every good file, each in a folder named as its format, and the ``base`` beside them."""
    write_base(folder / "base")
    for name, good in GOOD.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        good.write(folder / name, unchanged)
