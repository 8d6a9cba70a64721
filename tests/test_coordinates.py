"""Coordinates as planners write them: cells, pairs, shapes as text, zones, exchanged axes, old datums."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from siteplan import crs, datums
from siteplan.errors import CrsError, LayerError
from siteplan.input_ledger import InputLedger
from siteplan.layers import read_layers
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.places.degrees import (
    COMMA,
    CONVERTED,
    PLAIN,
    UNREAD,
    read_axis,
    read_degrees,
    read_pairs,
    read_shapes,
    split_pair,
)
from siteplan.layers.places.placing import place_rows, settle_crs, warn_spread
from siteplan.layers.places.zones import exchanged, meridian_of, zone_epsg, zone_numbers
from siteplan.params import LayerSource

EPSG = 4547
EAST, NORTH = 437000.0, 2491000.0
LON, LAT = (float(v) for v in crs.transform_points(EAST + 500, NORTH + 500, EPSG, 4326))
BOX = (LON - 0.05, LAT - 0.05, LON + 0.05, LAT + 0.05)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Boundary of 2 km, one village, flat ground."""
    folder = tmp_path_factory.mktemp("town")
    with rasterio.open(folder / "dem.tif", "w", driver="GTiff", height=60, width=60, count=1, dtype="float32",
                       crs=f"EPSG:{EPSG}", nodata=-9999.0,
                       transform=Affine(100, 0, EAST - 2000, 0, -100, NORTH + 4000)) as data:
        data.write(np.full((60, 60), 12.0, dtype=np.float32), 1)
    square = shapely.box(EAST, NORTH, EAST + 2000, NORTH + 2000)
    gpd.GeoDataFrame({"id": ["b"]}, geometry=[square], crs=EPSG).to_file(folder / "b.gpkg")
    gpd.GeoDataFrame({"村代码": ["01"], "村名": ["东村"]}, geometry=[square], crs=EPSG).to_file(folder / "v.gpkg")
    return folder


def read(folder, **more):
    sources = {"boundary": LayerSource(path="b.gpkg"), "villages": LayerSource(path="v.gpkg"),
               "ground": LayerSource(path="dem.tif")}
    return read_layers(sources | more, f"EPSG:{EPSG}", folder)


def poles_of(folder, text, **options):
    (folder / "p.csv").write_text(text, encoding="utf-8")
    found = read(folder, poles=LayerSource(path="p.csv", **options))
    for file in found.files:
        assert file.rows_in + file.rows_made == file.rows_kept + file.rows_refused
    told = [line for line in found.ledger if line.layer == "poles"]
    refused = {line.row for line in told if line.action == "refused" and line.row}
    assert len(refused) == sum(file.rows_refused for file in found.files if file.layer == "poles")
    return found.table("poles"), told


def reasons(lines, action):
    return "；".join(line.reason + line.remedy for line in lines if line.action == action)


def raw_of(shapes, named=None):
    rows = np.array([str(number) for number in range(1, len(shapes) + 1)], dtype=object)
    return RawTable(pd.DataFrame({"a": range(len(shapes))}), rows, np.array(shapes, dtype=object), named, "")


def points(x, y):
    return shapely.points(np.array(x, dtype=float), np.array(y, dtype=float))


def settled(shapes, named, box=BOX):
    ledger = InputLedger()
    log = FileLog("poles", "p.shp", ledger)
    found = settle_crs(raw_of(shapes), None if named is None else crs.read_crs(named), box, log)
    return found, list(ledger), log.problems


@pytest.mark.parametrize("text", [
    "113°22′48.5″E", "113°22'48.5\"E", "113度22分48.5秒", "113-22-48.5", "E113°22′48.5″", "东经113°22′48.5″",
    "１１３°２２′４８．５″", "113 22 48.5", "113:22:48.5", "113º22’48.5”", "113°22´48.5˝E", "113d22m48.5s", "E113d22m48.5s",
    "113° 22' 48.5'' E", "经度113°22′48.5″", "113deg22min48.5sec", "113度22.808333分", "E113°22.8083333'", "113˚22′48.5″",
])
def test_degrees_in_every_usual_spelling(text):
    value, how = read_degrees(text)
    assert value == pytest.approx(113 + 22 / 60 + 48.5 / 3600, abs=1e-7)
    assert how == CONVERTED


@pytest.mark.parametrize(("text", "value", "how"), [
    ("113.38", 113.38, PLAIN), ("113.38°", 113.38, CONVERTED), ("113.38E", 113.38, CONVERTED), ("-22.5", -22.5, PLAIN),
    ("S22.5", -22.5, CONVERTED), ("22°31′12″S", -22.52, CONVERTED), ("南纬22°31′12″", -22.52, CONVERTED),
    ("122.4194° W", -122.4194, CONVERTED), ("160°20'2.04\"E", 160.3339, CONVERTED), ("33.8688 S", -33.8688, CONVERTED),
    ("113,38", 113.38, COMMA), ("1.1338e2", 113.38, PLAIN), ("22d31m12s", 22.52, CONVERTED),
    ("22d31m12sS", -22.52, CONVERTED), ("1132248.5", 1132248.5, PLAIN), ("113.2248", 113.2248, PLAIN),
])
def test_degrees_say_how_they_were_read(text, value, how):
    found = read_degrees(text)
    assert found == (pytest.approx(value, abs=1e-6), how)


@pytest.mark.parametrize("text", ["113°72′", "113°22′75″", "x", "22.5.3", "113 22", "113-22", "E", "N22E",
                                  "113°22.5′48″", "inf",
                                  "113.38,22.52", "#REF!", "1e999"])
def test_what_is_no_angle_is_not_guessed(text):
    value, how = read_degrees(text)
    assert np.isnan(value)
    assert how == UNREAD


@given(st.text(max_size=24))
def test_no_text_breaks_the_readers(text):
    value, how = read_degrees(text)
    assert np.isnan(value) == (how == UNREAD)
    split_pair(text)
    read_pairs(pd.Series([text]))
    read_axis(pd.Series([text]), False)


def test_both_coordinates_in_one_cell(town):
    table, told = poles_of(town, "杆号,经纬度\n" + "\n".join([
        f'1,"{LON},{LAT}"', f"2,{LON} {LAT}", f'3,"({LON}，{LAT})"', f'4,"{LAT},{LON}"', "5,E113°23′36″N22°31′20″",
        "6,某处", "7,"])
        + "\n")
    assert table.index.tolist() == ["1", "2", "3", "4", "5"]
    assert table.geometry.x.to_numpy()[:4] == pytest.approx(EAST + 500, abs=0.01)
    assert [line.value for line in told if line.field == "经纬度" and line.action == "refused"] == ["某处"]
    assert "先后不一" in reasons(told, "assumed")
    table, told = poles_of(town, f'杆号,坐标\n1,"{LAT},{LON}"\n2,"{LAT},{LON}"\n')
    assert "先纬度后经度" in reasons(told, "assumed")
    assert len(table) == 2
    table, _ = poles_of(town, f'杆号,位置\n1,"{LON},{LAT}"\n', columns={"lon": "位置", "lat": "位置"})
    assert len(table) == 1


def test_a_datum_in_the_header_is_the_word_of_the_file(town):
    glon, glat = (float(v) for v in datums.from_wgs84(LON, LAT, "gcj02"))
    blon, blat = (float(v) for v in datums.from_wgs84(LON, LAT, "bd09"))
    table, told = poles_of(town, f"杆号,GCJ02经度,GCJ02纬度\n1,{glon:.9f},{glat:.9f}\n2,{glat:.9f},{glon:.9f}\n")
    assert table.geometry.x.to_numpy() == pytest.approx(EAST + 500, abs=0.01)
    assert any(line.value == "gcj02" and "列名" in line.reason and line.action == "assumed" for line in told)
    table, _ = poles_of(town, f"杆号,百度经度,百度纬度\n1,{blon:.9f},{blat:.9f}\n")
    assert table.geometry.x.to_numpy() == pytest.approx(EAST + 500, abs=0.01)
    table, told = poles_of(town, f"杆号,lon_wgs84,lat_wgs84\n1,{LON},{LAT}\n", datum="wgs84")
    assert table.geometry.x.to_numpy() == pytest.approx(EAST + 500, abs=0.01)
    assert not any(line.field == "datum" for line in told)
    table, told = poles_of(town, f"杆号,lon_wgs84,lat_wgs84\n1,{glon:.9f},{glat:.9f}\n", datum="gcj02")
    assert table.geometry.x.to_numpy() == pytest.approx(EAST + 500, abs=0.01)
    assert any("按研究文件" in line.reason and line.action == "note" for line in told)


def test_shapes_as_text(town):
    table, told = poles_of(town, f"杆号,the_geom\n1,POINT ({LON} {LAT})\n2,SRID=4326;POINT({LON} {LAT})\n3,POINT (a b)\n"
                           f'4,"{{""type"":""Point"",""coordinates"":[{LON},{LAT}]}}"\n'
                           f"5,{shapely.to_wkb(shapely.Point(LON, LAT), hex=True)}\n")
    assert table.index.tolist() == ["1", "2", "4", "5"]
    assert table.geometry.x.to_numpy() == pytest.approx(EAST + 500, abs=0.01)
    assert [line.value for line in told if line.field == "the_geom" and line.action == "refused"] == ["POINT (a b)"]
    (town / "r.csv").write_text(
        f'id;wkt;lon;lat\n1;POLYGON (({EAST} {NORTH}, {EAST + 9} {NORTH}, {EAST} {NORTH + 9}, {EAST} {NORTH}));1;2\n')
    found = read(town, restricted=LayerSource(path="r.csv", crs=f"EPSG:{EPSG}"))
    assert found.table("restricted").geometry.area.tolist() == pytest.approx([40.5])


def test_doubtful_rows_have_a_line_each(town):
    lon_digits, lat_digits = f"{LON:.6f}".replace(".", ""), f"{LAT:.5f}".replace(".", "")
    packed = f"{int(LON)}{int(LON % 1 * 60):02d}{LON % 1 * 60 % 1 * 60:04.1f}"
    rows = {"点": (lon_digits, lat_digits), "逗号": (f'"{LON:.6f}"'.replace(".", ","), f'"{LAT:.6f}"'.replace(".", ",")),
            "零": ("0", "0"), "同": (LON, LON), "写反": (LAT, LON), "连写": (packed, LAT), "度分秒": ("113°23′36″", "22°31′20″"),
            "坏": ("abc", LAT), "空": ("", LAT), "好": (LON, LAT)}
    table, told = poles_of(town, "杆号,经度,纬度\n" + "".join(f"{name},{lon},{lat}\n" for name, (lon, lat) in rows.items()))
    number = {name: str(place) for place, name in enumerate(rows, start=2)}
    assert set(table.index) == {"点", "逗号", "写反", "度分秒", "好"}
    assert table.loc[["点", "逗号", "写反", "好"]].geometry.x.to_numpy() == pytest.approx(EAST + 500, abs=1.5)
    said = {name: [line for line in told if line.row == number[name]] for name in rows}
    assert {line.action for line in said["点"]} == {"repaired"}
    assert "没有小数点" in said["点"][0].reason
    assert "逗号" in said["逗号"][0].reason
    assert any("0, 0" in line.reason for line in said["零"])
    assert any("同一个数" in line.reason for line in said["同"])
    assert any("写反" in line.reason for line in said["写反"])
    assert any("连写" in line.reason and line.value == packed for line in said["连写"])
    assert any("度分秒" in line.reason for line in said["度分秒"])
    assert any(line.value == "abc" and line.field == "经度" and line.action == "refused" for line in said["坏"])
    assert not said["好"]


def test_plane_coordinates_as_text(town):
    table, told = poles_of(town,
                           f'杆号,X,Y\n1,"{EAST:,.1f}","{NORTH:,.1f}"\n2,{EAST}m,{NORTH}m\n'
                           f"3,x,{NORTH}\n4,{NORTH},{EAST}\n",
                           crs=f"EPSG:{EPSG}")
    assert table.index.tolist() == ["1", "2", "4"]
    assert table.geometry.x.to_numpy() == pytest.approx(EAST, abs=0.01)
    assert any("写反" in line.reason and line.row == "5" for line in told)


def test_lonlat_columns_that_hold_metres(town):
    table, told = poles_of(town, f"杆号,经度,纬度\n1,{EAST + 38e6},{NORTH}\n2,{EAST + 38e6 + 5},{NORTH}\n")
    assert table.geometry.x.to_numpy() == pytest.approx([EAST, EAST + 5], abs=0.01)
    assert "列名是经纬度" in reasons(told, "assumed")


def test_unprefixed_eastings_are_asked_for_and_the_problem_says_which_zone(town):
    table, told = poles_of(town, f"杆号,X,Y\n1,{EAST},{NORTH}\n")
    assert len(table) == 0
    assert "EPSG:4547 会落在规划范围内" in reasons(told, "refused")
    gpd.GeoDataFrame({"杆号": ["a"]}, geometry=points([EAST], [NORTH]), crs=EPSG).to_file(town / "noprj.shp")
    (town / "noprj.prj").unlink()
    found = read(town, poles=LayerSource(path="noprj.shp"))
    assert not found.has("poles")
    assert any("EPSG:4547 会落在规划范围内" in line.remedy for line in found.ledger)
    _, _, problems = settled(points([EAST], [NORTH - 1e6]), None)
    assert "任何一带都不" in problems[0].remedy
    _, _, problems = settled(points([EAST], [NORTH]), None, None)
    assert "EPSG:4547" in problems[0].remedy


@pytest.mark.parametrize("zone", [*range(25, 46), *range(13, 24)])
def test_every_zone_number_is_understood(zone):
    lon = 3 * zone if zone >= 25 else 6 * zone - 3
    x, y = crs.transform_points([lon + 0.3], [30.0], 4490, zone_epsg(zone))
    assert zone_numbers(x).tolist() == [zone]
    assert meridian_of(pyproj.CRS(zone_epsg(zone))).zone == zone
    assert meridian_of(pyproj.CRS(zone_epsg(zone))).degrees == lon
    for shapes in (points(x, y), points(y, x)):
        found, told, _ = settled(shapes, None, (lon - 1.0, 29.0, lon + 1.0, 31.0) if zone < 16 else None)
        assert found.crs.to_epsg() == zone_epsg(zone)
        assert any(line.action == "assumed" and line.field == "crs" for line in told)
        back = crs.transform_points(*shapely.get_coordinates(found.geometry).T, found.crs, 4490)
        assert (back[0][0], back[1][0]) == pytest.approx((lon + 0.3, 30.0), abs=1e-7)


@pytest.mark.parametrize(("shift", "named", "words"), [
    (38e6, "EPSG:4547", "已去掉带号"), (0.0, "EPSG:4526", "已按坐标系改正"), (38e6, "EPSG:4546", "采用带号"),
    (37e6, "EPSG:4547", "采用坐标系"), (38e6, "EPSG:4525", "采用带号"), (38e6, "EPSG:32649", "采用带号"),
    (37e6, "EPSG:4526", "采用坐标系"), (38e6, "EPSG:4490", "数值是平面坐标"),
])
def test_zone_conflicts_are_resolved_with_a_line(shift, named, words):
    found, told, problems = settled(points([EAST + shift + 500], [NORTH + 500]), named)
    assert not problems
    assert any(words in line.reason and line.action == "repaired" for line in told)
    x, y = crs.transform_points(*shapely.get_coordinates(found.geometry).T, found.crs, EPSG)
    assert (x[0], y[0]) == pytest.approx((EAST + 500, NORTH + 500), abs=0.01)


def test_zone_conflicts_that_nothing_settles_are_problems_with_figures():
    found, _, problems = settled(points([EAST + 38e6], [NORTH]), "EPSG:4546", None)
    assert found is None
    assert "38" in problems[0].reason
    assert "EPSG:4526" in problems[0].remedy
    found, _, problems = settled(points([EAST + 37e6], [NORTH - 5e5]), "EPSG:4547")
    assert "0 %" in problems[0].reason
    found, _, problems = settled(points([EAST], [NORTH]), "EPSG:4490")
    assert "EPSG:4547 会落在规划范围内" in problems[0].remedy


def test_web_mercator_is_not_taken_for_a_zone_number():
    box = (120.0, 30.5, 122.0, 32.0)
    shapes = points(*crs.transform_points([121.0], [31.2], 4326, 3857))
    found, told, problems = settled(shapes, "EPSG:3857", box)
    assert found.crs.to_epsg() == 3857
    assert not told
    for known in (box, None):
        found, _, problems = settled(shapes, None, known)
        assert found is None
        assert problems
    _, _, problems = settled(shapes, None, box)
    assert "EPSG:3857 会落在规划范围内" in problems[0].remedy


def test_a_wrong_meridian_without_zone_number_is_noted():
    found, told, _ = settled(points([EAST + 500], [NORTH + 500]), "EPSG:4546")
    assert found.crs.to_epsg() == 4546
    assert any("EPSG:4547 会落在规划范围内" in line.reason and line.action == "note" for line in told)
    assert not settled(points([EAST + 500], [NORTH + 500]), "EPSG:4547")[1]


def test_rows_of_two_zones_in_one_file():
    lon, lat = np.array([109.3, 109.4, 109.6, 109.45]), np.full(4, 32.7)
    west = crs.transform_points(lon[:2], lat[:2], 4490, 4524)
    east = crs.transform_points(lon[2:3], lat[2:3], 4490, 4525)
    bare = crs.transform_points(lon[3:], lat[3:], 4490, 4545)
    shapes = points(np.concatenate([west[0], east[0], bare[0]]), np.concatenate([west[1], east[1], bare[1]]))
    found, told, _ = settled(shapes, None, (109.0, 32.5, 110.0, 33.0))
    assert found.crs.to_epsg() == 4524
    back = crs.transform_points(*shapely.get_coordinates(found.geometry).T, 4524, 4490)[0]
    assert back == pytest.approx(lon, abs=1e-6)
    assert {line.row for line in told if line.action == "repaired"} == {"3", "4"}


def test_degrees_under_a_plane_crs_and_without_any(town):
    found, told, _ = settled(points([LON], [LAT]), "EPSG:4547")
    assert found.crs.to_epsg() == 4490
    assert "按经纬度读" in told[0].reason
    found, told, _ = settled(points([LON], [LAT]), None)
    assert found.crs.to_epsg() == 4326
    assert told[0].action == "assumed"
    found, _, problems = settled(points([9.5], [47.1]), None)
    assert found is None
    assert problems


def test_axes_mixed_within_a_file_are_told_by_row():
    assert exchanged(np.array([NORTH, EAST, np.nan]), np.array([EAST, NORTH, 1.0])).tolist() == [True, False, False]
    found, told, _ = settled(points([NORTH, EAST, NORTH], [EAST, NORTH, EAST + 19e6]), "EPSG:4547", None)
    assert found is not None or told
    found, told, _ = settled(points([NORTH, EAST], [EAST, NORTH]), "EPSG:4547")
    assert shapely.get_x(found.geometry).tolist() == [EAST, EAST]
    assert [line.row for line in told] == ["1"]


def test_features_across_two_zones_are_warned_of():
    lon, lat = np.array([108.2, 109.0, 109.4, 110.1]), np.array([32.5, 32.7, 32.8, 32.8])
    ledger = InputLedger()
    x, y = crs.transform_points(lon, lat, 4490, 4545)
    warn_spread(points(x, y), pyproj.CRS(4545), FileLog("villages", "v.shp", ledger))
    line = next(iter(ledger))
    assert line.action == "note"
    assert line.value == "36 带 75.0 %、37 带 25.0 %"
    assert "经度 110.09°" in line.reason
    worst = float(line.reason.split("长度变形 ")[1].split(" ")[0])
    assert worst == pytest.approx(47.7, abs=0.5)  # measured for Baihe county in 4545
    ledger = InputLedger()
    warn_spread(points(x[:3], y[:3]), pyproj.CRS(4545), FileLog("villages", "v.shp", ledger))
    warn_spread(points([], []), pyproj.CRS(4545), FileLog("villages", "v.shp", ledger))
    assert not len(ledger)
    warn_spread(points([-5e5], [5.2e6]), pyproj.CRS(32632), FileLog("villages", "v.shp", ledger))
    assert len(ledger) == 1


SEVEN = [-12.5, 103.2, 41.7, 0.35, -0.8, 1.2, 3.1]


def by_hand(x, y, ellipsoid, numbers):
    """Gauss-Kruger of an old datum to WGS 84 degrees, each step spelled out for PROJ."""
    names = ("x", "y", "z", "rx", "ry", "rz", "s")[:len(numbers)]
    helmert = " ".join(f"+{name}={value}" for name, value in zip(names, numbers, strict=True))
    turn = " +convention=position_vector" if len(numbers) == 7 else ""
    steps = (f"+proj=pipeline +step +inv +proj=tmerc +lon_0=114 +x_0=500000 +ellps={ellipsoid} "
             f"+step +proj=cart +ellps={ellipsoid} +step +proj=helmert {helmert}{turn} "
             "+step +inv +proj=cart +ellps=WGS84 +step +proj=unitconvert +xy_in=rad +xy_out=deg")
    return pyproj.Transformer.from_pipeline(steps).transform(x, y, 0.0)[:2]


@pytest.mark.parametrize(("named", "ellipsoid"), [("EPSG:2383", "IAU76"), ("EPSG:2435", "krass")])
@pytest.mark.parametrize("numbers", [SEVEN, SEVEN[:3]])
def test_old_datums_with_parameters(town, named, ellipsoid, numbers):
    lon, lat = by_hand(EAST + 500, NORTH + 500, ellipsoid, numbers)
    east, north = crs.transform_points(lon, lat, 4326, EPSG)
    (town / "old.csv").write_text(f"杆号,X,Y\n1,{EAST + 500},{NORTH + 500}\n", encoding="utf-8")
    gpd.GeoDataFrame({"杆号": ["1"]}, geometry=points([EAST + 500], [NORTH + 500]), crs=named).to_file(town / "old.shp")
    for source in (LayerSource(path="old.csv", crs=named, towgs84=numbers), LayerSource(path="old.shp",
                                                                                        towgs84=numbers)):
        found = read(town, poles=source)
        table = found.table("poles")
        assert (table.geometry.x.iloc[0], table.geometry.y.iloc[0]) == pytest.approx((float(east), float(north)),
                                                                                     abs=1e-3)
        assert any("towgs84" in line.value and line.action == "assumed" for line in found.ledger)
    assert abs(float(east) - EAST - 500) + abs(float(north) - NORTH - 500) > 10.0


def test_old_and_nameless_datums_are_refused_without_parameters(town):
    gpd.GeoDataFrame({"杆号": ["1"]}, geometry=points([EAST], [NORTH]), crs=2383).to_file(town / "x80.shp")
    found = read(town, poles=LayerSource(path="x80.shp"))
    assert not found.has("poles")
    assert any("西安80" in line.reason and "towgs84" in line.remedy for line in found.ledger)
    with pytest.raises(LayerError, match="3 个或 7 个"):
        read(town, poles=LayerSource(path="x80.shp", towgs84=[1.0, 2.0, 3.0, 4.0]))
    found = read(town, poles=LayerSource(path="x80.shp", crs=f"EPSG:{EPSG}", towgs84=SEVEN))
    assert any("不用 towgs84" in line.reason for line in found.ledger)


ESRI = ('PROJCS["{name}",GEOGCS["{geo}",DATUM["{datum}",SPHEROID["{ball}",{axis},{flat}]],PRIMEM["Greenwich",0.0],'
        'UNIT["Degree",0.0174532925199433]],PROJECTION["{how}"],PARAMETER["False_Easting",500000.0],'
        'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",114.0],PARAMETER["Scale_Factor",1.0],'
        'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]')


@pytest.mark.parametrize("change", [
    {"geo": "GCS_Xian_1980", "datum": "D_Xian_1980", "ball": "Xian_1980", "axis": 6378140.0, "flat": 298.257},
    {"geo": "Xian_1980", "datum": "Xian_1980", "ball": "IAG_1975", "axis": 6378140.0, "flat": 298.257},
    {"geo": "GCS_Beijing_1954", "datum": "D_Beijing_1954", "ball": "Krasovsky_1940", "axis": 6378245.0, "flat": 298.3},
    {"geo": "Unknown", "datum": "Unknown_datum", "ball": "unnamed", "axis": 6378140.0, "flat": 298.257},
    {"geo": "local", "datum": "D_local", "ball": "Krassovsky", "axis": 6378245.0, "flat": 298.3},
    {"geo": "Unknown", "datum": "Unknown_datum", "ball": "GRS 1980", "axis": 6378137.0, "flat": 298.257222101},
])
@pytest.mark.parametrize("how", ["Gauss_Kruger", "Transverse_Mercator"])
def test_prj_files_of_old_and_nameless_datums(change, how):
    text = ESRI.format(name="CASS", how=how, **change)
    with pytest.raises(CrsError) as caught:
        crs.read_crs(text)
    assert "crs" in caught.value.problems[0].remedy or "towgs84" in caught.value.problems[0].remedy
    if change["axis"] != 6378137.0:
        assert crs.read_crs(text, SEVEN[:3]).is_bound


@pytest.mark.parametrize("bad", [
    "EPSG:4284", "EPSG:4555", "EPSG:4214", 'LOCAL_CS["Zhongshan",UNIT["metre",1]]', "EPSG:4978",
    "+proj=tmerc +lat_0=0 +lon_0=114 +k=1 +x_0=500000 +ellps=krass +units=m", "+proj=longlat +ellps=WGS84",
    "+proj=tmerc +lon_0=114 +x_0=500000 +ellps=krass +towgs84=0,0,0 +units=m",
])
def test_no_datum_is_changed_silently(bad):
    with pytest.raises(CrsError):
        crs.read_crs(bad)


def test_heights_and_file_parameters_are_left_out_and_names_of_cgcs2000_known():
    assert crs.read_crs("EPSG:4547+5773").to_epsg() == 4547
    assert crs.read_crs("+proj=longlat +datum=WGS84 +towgs84=0,0,0").is_geographic
    for datum in ("D_China_2000", "CGCS2000", "D_CGCS_2000", "China_2000", "China_Geodetic_Coordinate_System_2000"):
        text = ESRI.format(name="a", geo="GCS_x", datum=datum, ball="CGCS2000", axis=6378137.0, flat=298.257222101,
                           how="Gauss_Kruger")
        x, y = crs.transform_points(LON, LAT, 4490, text)
        assert (float(x), float(y)) == pytest.approx((EAST + 500, NORTH + 500), abs=0.01)


def test_layers_without_places_and_places_without_geometry():
    ledger = InputLedger()
    raw = RawTable(pd.DataFrame({"id": ["a"]}), np.array(["2"], dtype=object), None, None, "")
    assert place_rows(raw, LayerSource(path="d.csv"), FileLog("decisions", "d.csv", ledger)) == (raw, ())
    log = FileLog("poles", "d.csv", ledger)
    assert place_rows(raw, LayerSource(path="d.csv"), log) is None
    assert "没有坐标列" in log.problems[0].reason


@pytest.mark.parametrize("text", [
    "GEOMETRYCOLLECTION(" * 200_000 + "POINT(113.39 22.51)" + ")" * 200_000,
    (b"\1\7\0\0\0\1\0\0\0" * 200_000 + b"\1\1\0\0\0" + bytes(16)).hex().upper()], ids=["wkt", "wkb"])
def test_collections_nested_without_end_are_not_read(text):
    """GEOS would run out of stack and take the program with it."""
    shapes, _, unread = read_shapes(pd.Series([text, "POINT (113.38 22.52)"]))
    assert unread.tolist() == [True, False]
    assert shapes[1].x == 113.38
