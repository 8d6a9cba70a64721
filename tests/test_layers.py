"""Reading layers: small files written here with known faults, and real files beside the project."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine

from siteplan import crs, datums
from siteplan.errors import CrsError, LayerError
from siteplan.layers import read_layers
from siteplan.params import LayerSource

SHARED = Path(__file__).parents[2] / "shared" / "data"
CHENGDU = SHARED / "chengdu"
LIECHTENSTEIN = SHARED / "liechtenstein"
BAD = SHARED / "badinput"
EPSG = 4547
EAST, NORTH = 437000.0, 2491000.0


def write_ground(path, **change):
    options = {"crs": f"EPSG:{EPSG}", "nodata": -9999.0,
               "transform": Affine(100, 0, EAST - 2000, 0, -100, NORTH + 4000)}
    options |= change
    array = options.pop("array", np.full((60, 60), 12.0, dtype=np.float32))
    with rasterio.open(path, "w", driver="GTiff", height=array.shape[0], width=array.shape[1], count=1, dtype="float32",
                       **options) as data:
        data.write(array, 1)


def square(x, y, size=1000.0):
    return shapely.box(EAST + x, NORTH + y, EAST + x + size, NORTH + y + size)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Boundary of 2 km, two villages, flat ground: the least a study needs. Tests add files of other names."""
    tmp_path = tmp_path_factory.mktemp("town")
    write_ground(tmp_path / "dem.tif")
    gpd.GeoDataFrame({"id": ["b"], "name": ["西口"]}, geometry=[square(0, 0, 2000)], crs=EPSG).to_file(
        tmp_path / "b.gpkg")
    gpd.GeoDataFrame({"村代码": ["01", "02"], "村名": ["东村", "西村"], "人口": ["120人", "80"]},
                     geometry=[square(0, 0), square(1000, 0)], crs=EPSG).to_file(tmp_path / "v.gpkg")
    return tmp_path


def layers_of(folder, **more):
    sources = {"boundary": LayerSource(path="b.gpkg"), "villages": LayerSource(path="v.gpkg"),
               "ground": LayerSource(path="dem.tif")}
    return read_layers(sources | more, None, folder)


def lines(found, layer, action=None):
    return [line for line in found.ledger if line.layer == layer and action in (None, line.action)]


def check_counts(found):
    for file in found.files:
        assert file.rows_in + file.rows_made == file.rows_kept + file.rows_refused
        refused = {line.row for line in found.ledger
                   if line.action == "refused" and line.row and line.layer == file.layer and line.file == file.file}
        assert len(refused) == file.rows_refused, file


def test_least_study(town):
    found = layers_of(town)
    assert found.crs.to_epsg() == EPSG
    assert lines(found, "study", "assumed")
    villages = found.table("villages")
    assert villages.index.tolist() == ["01", "02"]
    assert villages["people"].tolist() == [120.0, 80.0]
    assert villages["source_row"].tolist() == ["1", "2"]
    assert found.has("ground")
    assert not found.has("poles")
    assert len(found.table("poles")) == 0
    assert found.raster("heights") is None
    assert found.raster("ground").array.dtype == np.float32
    check_counts(found)
    assert all(len(file.sha256) == 64 and file.bytes > 0 for file in found.files)


def test_shapefile_in_gbk_without_cpg(town):
    poles = gpd.GeoDataFrame({"杆号": ["一号杆", "二号杆"], "杆高": [9.0, 200.0], "道路": ["环城路", "中山路"]},
                             geometry=[shapely.Point(EAST + 500, NORTH + 500), shapely.Point(EAST + 9000, NORTH)],
                             crs=EPSG)
    poles.to_file(town / "灯杆.shp", encoding="GBK")
    (town / "灯杆.cpg").unlink()
    found = layers_of(town, poles=LayerSource(path="灯杆.shp"))
    table = found.table("poles")
    assert table.index.tolist() == ["一号杆"]
    assert table["road"].tolist() == ["环城路"]
    assert [line.row for line in lines(found, "poles", "refused")] == ["2"]
    assert "范围外" in lines(found, "poles", "refused")[0].reason
    assert next(file for file in found.files if file.layer == "poles").encoding == "gb18030"
    check_counts(found)


def test_a_wrong_cpg_is_seen_in_the_bytes(town):
    gpd.GeoDataFrame({"杆号": ["一号杆"]}, geometry=[shapely.Point(EAST, NORTH)], crs=EPSG).to_file(
        town / "p.shp", encoding="GBK")
    (town / "p.cpg").write_text("UTF-8")
    found = layers_of(town, poles=LayerSource(path="p.shp"))
    assert found.table("poles").index.tolist() == ["一号杆"]
    assert any("cpg" in line.reason for line in lines(found, "poles", "repaired"))


def write_cells(path, rows):
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["西口市5G工参表（示例）"])
    book.active.append(["小区号", "站名", "经度", "纬度", "运营商", "频段", "挂高", "方位角（度）", "机械下倾", "功率(W)", "站型"])
    for row in rows:
        book.active.append(row)
    book.save(path)
    book.close()


def test_cell_table_in_xlsx(town):
    lon, lat = (float(v) for v in crs.transform_points(EAST + 500, NORTH + 500, EPSG, 4326))
    write_cells(town / "工参.xlsx", [
        ["A-1", "甲站", lon, lat, "中国电信、联通", "3.5G", "30米", 360, "6", "200W", "宏站"],
        ["A-2", "甲站", f"{lon}", f"{lat}", "移动", "n41", "98ft", 120, None, None, None],
        ["B-1", "甲站", lon, lat, "移动", "D频段", 31, 240, None, None, None],
        ["A-3", "甲站", lat, lon, "CBN", "700M", 0, "全向", None, "40", "微站"],
        ["A-3", "甲站", lat, lon, "CBN", "700M", 0, "全向", None, "40", "微站"],
        ["A-4", "甲站", None, lat, "移动", "n41", 20, 0, None, None, None],
        ["A-5", "甲站", lon, lat, "移动", "n41", 20, 400, None, None, None],
        ["A-6", "甲站", lon, lat, "移动", "n41", 20, "0/120/240", None, None, None],
    ])
    found = layers_of(town, stations=LayerSource(path="工参.xlsx"))
    cells = found.table("stations")
    assert cells.loc["B-1", "technology"] == "4G"  # the D band carries both: the cautious choice, with a line
    split = cells[cells.index.str.startswith("A-6")]  # three azimuths in one cell are three sectors
    assert split.index.tolist() == ["A-6-1", "A-6-2", "A-6-3"]
    assert split["azimuth_deg"].tolist() == [0.0, 120.0, 240.0]
    assert split["source_row"].tolist() == ["10（1/3）", "10（2/3）", "10（3/3）"]
    assert np.isnan(cells.loc["A-5", "azimuth_deg"])
    assert ("9", "400") in {(line.row, line.value) for line in lines(found, "stations", "repaired")}
    cells = cells.loc[["A-1", "A-2", "A-3"]]
    assert cells["network"].tolist() == ["电信&联通", "移动", "广电"]
    assert cells["technology"].tolist() == ["5G", "5G", "5G"]
    assert cells["freq_mhz"].tolist() == [3500.0, 2565.0, 773.0]
    assert cells["antenna_height_m"].tolist() == pytest.approx([30.0, 29.8704, 8.0])
    assert cells["azimuth_deg"].tolist()[:2] == [0.0, 120.0]
    assert np.isnan(cells["azimuth_deg"].iloc[2])
    assert cells["tilt_deg"].tolist() == [6.0, 6.0, 0.0]
    assert cells["epre_dbm"].iloc[0] == pytest.approx(17.86, abs=0.01)
    assert cells["epre_dbm"].iloc[2] == pytest.approx(46.02 - 10 * np.log10(12 * 160), abs=0.01)
    assert cells["kind"].tolist() == ["macro", "macro", "micro"]
    assert cells["source_site"].nunique() == 1
    assert cells.geometry.x.to_numpy() == pytest.approx(EAST + 500, abs=0.01)
    assert {line.row for line in lines(found, "stations", "refused")} == {"7", "8"}
    assert any("写反" in line.reason and line.row in ("6", "7") for line in lines(found, "stations", "repaired"))
    assert {line.field for line in lines(found, "stations", "assumed")} >= {
        "technology", "freq_mhz", "antenna_height_m", "epre_dbm", "kind", "bandwidth_mhz", "tilt_deg"}
    check_counts(found)


def test_csv_in_gcj02_and_gbk(town):
    lon, lat = (float(v) for v in crs.transform_points(EAST + 700, NORTH + 300, EPSG, 4326))
    glon, glat = (float(v) for v in datums.from_wgs84(lon, lat, "gcj02"))
    text = ("﻿编号,名称,类型,经度,纬度,主管部门\n"
            f"F1,第一中学,学校,{glon:.9f},{glat:.9f},市教体局\n"
            f"F2,,公园,{glat:.9f},{glon:.9f},\n"
            "F3,某处,?,abc,22,\n").replace("﻿", "")
    (town / "设施.csv").write_bytes(text.encode("gbk"))
    found = layers_of(town, facilities=LayerSource(path="设施.csv", datum="gcj02"))
    table = found.table("facilities")
    assert table.index.tolist() == ["F1", "F2"]
    assert table.geometry.x.to_numpy() == pytest.approx(EAST + 700, abs=0.01)
    assert table.geometry.y.to_numpy() == pytest.approx(NORTH + 300, abs=0.01)
    assert table["venue_class"].tolist() == ["school", "park"]
    assert table["department"].tolist() == ["教育和体育局", "城市管理和综合执法局"]
    assert table["department_source"].tolist() == ["given", "class"]
    assert table["name"].tolist() == ["第一中学", "公园、广场与绿地（未命名）"]
    assert [line.row for line in lines(found, "facilities", "refused")] == ["4"]
    file = next(file for file in found.files if file.layer == "facilities")
    assert (file.encoding, file.datum, file.rows_in, file.rows_kept) == ("gb18030", "gcj02", 3, 2)
    check_counts(found)


def test_survey_axes_and_missing_crs(town):
    (town / "p.csv").write_text(f"杆号,X,Y\n1,{NORTH + 10},{EAST + 20}\n2,{NORTH + 30},{EAST + 20}\n", encoding="utf-8")
    found = layers_of(town, poles=LayerSource(path="p.csv", crs=f"EPSG:{EPSG}"))
    assert found.table("poles").geometry.y.tolist() == pytest.approx([NORTH + 10, NORTH + 30])
    assert [line.row for line in lines(found, "poles", "repaired")] == ["共 2 行:2、3"]
    found = layers_of(town, poles=LayerSource(path="p.csv"))
    assert not found.has("poles")
    assert [line.field for line in lines(found, "poles", "refused")] == ["crs"]
    (town / "p38.csv").write_text(f"杆号,X坐标,Y坐标\n1,{NORTH + 10},{38e6 + EAST + 20}\n", encoding="utf-8")
    found = layers_of(town, poles=LayerSource(path="p38.csv"))
    assert found.table("poles").geometry.x.tolist() == pytest.approx([EAST + 20], abs=1e-3)
    assert any(line.value == "EPSG:4526" for line in lines(found, "poles", "assumed"))
    (town / "deg.csv").write_text("杆号,经度,纬度\n1,113.39,22.52\n", encoding="utf-8")
    assert not layers_of(town, poles=LayerSource(path="deg.csv", crs=f"EPSG:{EPSG}")).has("poles")


def test_geometry_is_mended_or_refused_with_a_line(town):
    bowtie = shapely.Polygon([(EAST, NORTH), (EAST + 100, NORTH + 100), (EAST + 100, NORTH), (EAST, NORTH + 100)])
    shapes = [bowtie, None, shapely.Point(EAST, NORTH), square(0, 0, 50), shapely.Polygon(),
              shapely.GeometryCollection([square(0, 0, 10), shapely.Point(EAST, NORTH)]), square(90000, 0)]
    gpd.GeoDataFrame({"编号": list("abcdefg"), "层数": ["3层", 2, 2, "x", 2, 40, 2], "高度": [None, 5, 5, None, 5, 33, 5],
                      "用途": ["住宅", "办公", "", "商场", "", "写字楼", ""]}, geometry=shapes, crs=EPSG).to_file(
        town / "h.gpkg")
    found = layers_of(town, buildings=LayerSource(path="h.gpkg"))
    table = found.table("buildings")
    assert table.index.tolist() == ["a", "d", "f"]
    assert table.geometry.is_valid.all()
    assert set(table.geom_type) <= {"Polygon", "MultiPolygon"}
    assert table["height_m"].tolist() == [9.0, 12.0, 33.0]
    assert table["height_source"].tolist() == ["storeys", "default", "measured"]
    assert table["use"].tolist() == ["residential", "commercial", "office"]
    assert {line.row for line in lines(found, "buildings", "refused")} == {"2", "3", "5", "7"}
    assumed = {line.reason for line in lines(found, "buildings", "assumed")}
    assert {"没有高度，按层数乘 3 m（住宅）", "没有高度和层数，按 12 m（商业）"} <= assumed
    check_counts(found)


def test_keys_are_unique_and_do_not_depend_on_order(town):
    points = [shapely.Point(EAST + 10 * n, NORTH) for n in range(4)]
    base = gpd.GeoDataFrame({"编号": ["a", "a", "a", None], "高度": [8.0, 9.0, 8.0, 8.0]},
                            geometry=[points[0], points[1], points[0], points[3]], crs=EPSG)
    base.to_file(town / "p.gpkg")
    found = layers_of(town, poles=LayerSource(path="p.gpkg"))
    table = found.table("poles")
    assert table.index.tolist()[:2] == ["a", "a-2"]
    made = table.index[2]
    assert made.startswith("poles-")
    assert [line.row for line in lines(found, "poles", "refused")] == ["3"]
    check_counts(found)
    base.iloc[::-1].to_file(town / "q.gpkg")
    assert made in layers_of(town, poles=LayerSource(path="q.gpkg")).table("poles").index


def test_where_files_and_columns_of_the_study(town):
    (town / "p1.csv").write_text(f"no,H,x,y\n1,9,{EAST},{NORTH}\n2,7,{EAST},{NORTH + 5}\n", encoding="utf-8")
    (town / "p2.csv").write_text(f"no,H,x,y\n3,9,{EAST + 9},{NORTH}\n", encoding="utf-8")
    source = LayerSource(path=["p1.csv", "p2.csv"], crs=f"EPSG:{EPSG}", where="H > 8",
                         columns={"pole_id": "no", "height_m": "H"})
    found = layers_of(town, poles=source)
    assert found.table("poles").index.tolist() == ["1", "3"]
    assert found.table("poles")["source_file"].tolist() == ["p1.csv", "p2.csv"]
    assert found.table("poles")["source_row"].tolist() == ["2", "2"]


def mistakes(folder, **more):
    """Problems of a study whose words do not fit its files; the run stops, whatever the layer."""
    with pytest.raises(LayerError, match="对不上") as caught:
        layers_of(folder, **more)
    return caught.value.problems


def test_columns_no_file_has_stop_the_run(town):
    (town / "q1.csv").write_text(f"杆号,H,x,y\n1,9,{EAST},{NORTH}\n", encoding="utf-8")
    (town / "q2.csv").write_text(f"杆号,杆高,x,y\n2,7,{EAST},{NORTH + 5}\n", encoding="utf-8")
    plane = {"path": "q2.csv", "crs": f"EPSG:{EPSG}"}
    for wrong, near in (({"height_m": "干高"}, "“杆高”"), ({"heigt_m": "杆高"}, "height_m"), ({"x": "X8"}, "“x”")):
        (problem,) = mistakes(town, poles=LayerSource(**plane, columns=wrong))
        assert problem.layer == "poles"
        assert problem.file == "q2.csv"
        assert problem.field == f"columns.{next(iter(wrong))}"
        assert f"是否应为 {near}" in problem.remedy or f"是否应为{near}" in problem.remedy
    source = LayerSource(path=["q1.csv", "q2.csv"], crs=f"EPSG:{EPSG}", columns={"height_m": "H"})
    found = layers_of(town, poles=source)  # one of the files has it: the other is read by its own header
    assert found.table("poles")["height_m"].tolist() == [9.0, 7.0]
    assert [line.file for line in lines(found, "poles", "note") if line.field == "columns.height_m"] == ["q2.csv"]
    (problem,) = mistakes(town, poles=source.model_copy(update={"columns": {"height_m": "HH"}}))
    assert problem.file == "q1.csv、q2.csv"
    assert "“H”" in problem.remedy
    (problem,) = mistakes(town, ground=LayerSource(path="dem.tif", columns={"height_m": "band1"}))
    assert "栅格" in problem.reason
    with pytest.raises(LayerError, match="没有“村明”这一列"):  # also where no CRS can be chosen without the layer
        read_layers({"villages": LayerSource(path="v.gpkg", where="村明 = '东村'")}, None, town)


def test_columns_name_coordinates_and_titles_may_stand_above(town):
    lon, lat = (float(v) for v in crs.transform_points(EAST + 500, NORTH + 500, EPSG, 4326))
    (town / "t.csv").write_text(f"灯杆统计表\nBM,A1,A2\n一号杆,{lon},{lat}\n", encoding="utf-8")
    columns = {"pole_id": "bm", "lon": "A1", "lat": "a2"}
    found = layers_of(town, poles=LayerSource(path="t.csv", columns=columns))
    assert found.table("poles").index.tolist() == ["一号杆"]
    assert found.table("poles").geometry.x.tolist() == pytest.approx([EAST + 500], abs=0.01)
    problem, *_ = mistakes(town, poles=LayerSource(path="t.csv", columns=columns | {"lon": "A7"}))
    assert problem.field == "columns.lon"


@pytest.fixture(scope="module")
def named(town):
    """The same two villages with Chinese field names as Shapefile in GBK without .cpg and in other formats."""
    frame = gpd.GeoDataFrame({"村名": ["甲村", "乙村"], "村代码": ["01", "02"], "2020年人口": [120, 80]},
                             geometry=[square(0, 0), square(1000, 0)], crs=EPSG)
    frame.rename(columns={"2020年人口": "人口"}).to_file(town / "n.shp", encoding="GBK")
    (town / "n.cpg").unlink()
    for path in ("n.gpkg", "n.geojson", "n.fgb"):
        frame.to_file(town / path)
    frame.to_parquet(town / "n.parquet")
    points = frame.drop(columns="geometry").assign(x=EAST + 10, y=NORTH + 10)
    points.to_csv(town / "n.csv", index=False, encoding="gbk")
    return town


NAMED = ("n.shp", "n.gpkg", "n.geojson", "n.fgb", "n.parquet", "n.csv")


def source_of(path, where):
    """Villages, or facilities where there are points only."""
    return {"facilities" if path == "n.csv" else "villages":
            LayerSource(path=path, where=where, crs=f"EPSG:{EPSG}", columns={"name": "村名"})}


@pytest.mark.parametrize("path", NAMED)
def test_where_takes_chinese_names_with_and_without_quotes(named, path):
    people = "人口" if path == "n.shp" else "2020年人口"
    for where in ("村名='甲村'", "\"村名\" = '甲村'", "村名 IN ('甲村', '丙村')", f"{people} > 100 AND 村名 IS NOT NULL",
                  "村名 LIKE '甲%'"):
        source = source_of(path, where)
        (layer,) = source
        found = layers_of(named, **source)
        assert found.table(layer)["name"].tolist() == ["甲村"], where
        assert any(line.value == where for line in lines(found, layer, "note"))


@pytest.mark.parametrize("path", NAMED)
def test_a_where_that_cannot_be_used_stops_the_run(named, path):
    for where, words in (("村明='甲村'", "村明"), ("\"村明\"='甲村'", "村明"), ("村名 === '甲村'", ""), ("村名 = '甲村", ""),
                         ("村名 = 甲村", "甲村"), ("nam = 1", "nam")):
        problem, *more = mistakes(named, **source_of(path, where))
        assert not more
        assert (problem.file, problem.field) == (path, "where")
        assert problem.reason.startswith("where 条件不能用（")
        assert words in problem.reason
        assert "Invalid SQL query" not in problem.reason
        assert "文件的列：村名、村代码" in problem.remedy
        if "村明" in where:
            assert "是否应为“村名”" in problem.remedy


def stations_csv(path, rows):
    head = "小区号,站址编号,x,y,运营商,频段,挂高,方位角,站型"
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")


def test_a_missing_height_is_that_of_the_mast(town):
    here, there = (EAST + 500, NORTH + 500), (EAST + 900, NORTH + 500)
    stations_csv(town / "m.csv", [
        ("a1", "S1", *here, "移动", "n41", 42, 0, ""), ("a2", "S1", *here, "移动", "n41", 0, 120, ""),
        ("a3", "S1", *here, "移动", "n41", "", 240, "宏站"), ("a4", "S1", *here, "移动", "n41", 42, 0, ""),
        ("a5", "S1", *here, "移动", "n41", 30, 10, ""),
        ("a6", "S1", *here, "移动", "n41", "", 0, "室分"), ("a7", "S1", *here, "移动", "n41", "", 0, "微站"),
        ("b1", "S2", *here, "移动", "n41", 5000, 0, ""), ("c1", "S1", *there, "移动", "n41", "", 0, ""),
        ("d1", "", *there, "移动", "n41", 33, 0, ""), ("d2", "", *there, "移动", "n41", "", 90, "")])
    found = layers_of(town, stations=LayerSource(path="m.csv", crs=f"EPSG:{EPSG}"))
    heights = found.table("stations")["antenna_height_m"].to_dict()
    assert heights == {"a1": 42.0, "a2": 42.0, "a3": 42.0, "a4": 42.0, "a5": 30.0, "a6": 3.0, "a7": 8.0, "b1": 25.0,
                       "c1": 25.0, "d1": 33.0, "d2": 33.0}
    told = {line.row: line for line in lines(found, "stations", "assumed")
            if line.field == "antenna_height_m" and "其他小区" in line.reason}
    assert {row: (line.value, line.reason) for row, line in told.items()} == {
        "共 2 行:3、4": ("42", "没有挂高，按站址 S1 其他小区的挂高"), "12": ("33", "没有挂高，按同一位置其他小区的挂高")}


def test_absent_points_of_a_village_need_no_place(town):
    (town / "vp.csv").write_text(f"编号,村代码,类型,是否设有,x,y\n1,01,村委会,有,{EAST},{NORTH}\n2,01,学校,无,,\n3,01,卫生室,有,,\n"
                                 "4,,学校,无,,\n", encoding="utf-8")
    found = layers_of(town, village_points=LayerSource(path="vp.csv", crs=f"EPSG:{EPSG}"))
    table = found.table("village_points")
    assert table["kind"].tolist() == ["committee", "school"]
    assert table["exists"].tolist() == [True, False]
    assert {line.row for line in lines(found, "village_points", "refused")} == {"4", "5"}
    check_counts(found)


def test_population_of_polygons_is_points_with_area(town):
    gpd.GeoDataFrame({"人口数": [100.0]}, geometry=[square(0, 0, 100)], crs=EPSG).to_file(town / "n.gpkg")
    table = layers_of(town, population=LayerSource(path="n.gpkg")).table("population")
    assert table.geom_type.tolist() == ["Point"]
    assert table["cell_area_m2"].tolist() == pytest.approx([10000.0])


def test_every_problem_is_in_one_error(town):
    sources = {"villages": LayerSource(path="none.gpkg"), "ground": LayerSource(path="b.gpkg"),
               "streets": LayerSource(path="x"),
               "poles": LayerSource(path="lost.csv"), "boundary": LayerSource(path="b.gpkg")}
    with pytest.raises(LayerError) as caught:
        read_layers(sources, EPSG, town)
    assert {problem.layer for problem in caught.value.problems} >= {"villages", "ground", "streets", "poles"}
    assert all(problem.remedy for problem in caught.value.problems)
    with pytest.raises(LayerError, match="villages 或 zones"):
        read_layers({"ground": LayerSource(path="dem.tif")}, EPSG, town)
    with pytest.raises(CrsError):
        read_layers({"ground": LayerSource(path="dem.tif")}, "EPSG:4490", town)


def test_unusable_optional_layers_are_lines(town):
    (town / "empty.csv").write_text("")
    (town / "no_place.csv").write_text("杆号\n1\n", encoding="utf-8")
    (town / "x.dwg").write_text("x")
    (town / "broken.gpkg").write_bytes(b"SQLite format 3\0 no")
    found = layers_of(town, **{name: LayerSource(path=path) for name, path in {
        "poles": "no_place.csv", "complaints": "empty.csv", "roads": "x.dwg", "rail": "broken.gpkg"}.items()})
    for layer in ("poles", "complaints", "roads", "rail"):
        refused = lines(found, layer, "refused")
        assert [line.row for line in refused] == [""], layer
        assert not found.has(layer)


def test_rasters_face_north_in_metres_with_nan(town):
    array = np.arange(16, dtype=np.float32).reshape(4, 4) * 10
    array[0, 0], array[1, 1], array[2, 2], array[3, 3] = -9999.0, -32768.0, 9.9e9, 77.0
    write_ground(town / "south.tif", array=array, nodata=None, transform=Affine(10, 0, EAST, 0, 10, NORTH))
    found = read_layers({"villages": LayerSource(path="v.gpkg"), "boundary": LayerSource(path="b.gpkg"),
                         "ground": LayerSource(path="south.tif", unit="ft", nodata=77.0)}, None, town)
    raster = found.raster("ground")
    assert raster.geobox.transform.e < 0
    assert raster.geobox.extent.boundingbox.bottom == pytest.approx(NORTH)
    assert raster.filled.sum() == 4
    assert np.isfinite(raster.array).all()
    assert raster.array[3, 1] == pytest.approx(10 * 0.3048)
    assert len(lines(found, "ground")) == 5
    turned = Affine.translation(EAST, NORTH) * Affine.rotation(10) * Affine.scale(10, -10)
    write_ground(town / "turned.tif", transform=turned)
    found = layers_of(town, ground=LayerSource(path="turned.tif"))
    assert any("旋转" in line.reason for line in lines(found, "ground", "repaired"))


def test_tiles_of_one_raster_are_joined(town):
    for number in range(2):
        write_ground(town / f"t{number}.tif", array=np.full((5, 5), float(number + 1), dtype=np.float32),
                     transform=Affine(100, 0, EAST + 500 * number, 0, -100, NORTH + 500))
    found = layers_of(town, heights=LayerSource(path=["t0.tif", "t1.tif"]))
    array = found.raster("heights").array
    assert array.shape == (5, 10)
    assert array[:, 0].tolist() == [1.0] * 5
    assert array[:, 9].tolist() == [2.0] * 5


def test_same_input_same_tables(town):
    first, second = layers_of(town), layers_of(town)
    pd.testing.assert_frame_equal(first.table("villages"), second.table("villages"))
    assert list(first.ledger) == list(second.ledger)
    assert first.files == second.files


@pytest.mark.shared
@pytest.mark.skipif(not CHENGDU.exists(), reason="../shared/data/chengdu is not here")
def test_chengdu():
    districts = SHARED / "boundaries_china" / "districts_chengdu_zhongshan_ankang_liupanshui.geojson"
    five = LayerSource(path=str(districts), where="name in ('武侯区','金牛区','青羊区','成华区','锦江区')")
    folder = CHENGDU / "facilities_population"
    found = read_layers({
        "boundary": five, "zones": five,
        "heights": LayerSource(path=str(CHENGDU / "radio" / "building_height_m_5m.tif")),
        "stations": LayerSource(path=str(CHENGDU / "radio" / "cells.csv"), crs="EPSG:32648"),
        "facilities": LayerSource(path=str(folder / "supply_facilities_CLEAN.csv"), datum="wgs84"),
        "population": LayerSource(path=str(folder / "demand_grids_nighttime_CLEAN.csv"))}, None, "/")
    assert found.crs.to_epsg() == 4544
    cells = found.table("stations")
    assert len(cells) == 3313
    assert cells.index[0] == "111801"
    assert cells.loc["111801", ["azimuth_deg", "tilt_deg", "freq_mhz", "epre_dbm"]].tolist() == [310, 15, 2585, 14.2]
    assert sum(line.field == "antenna_height_m" and line.value == "0" for line in found.ledger) == 124
    assert (cells["antenna_height_m"] >= 2).all()
    assert found.table("facilities")["venue_class"].value_counts().to_dict() == {
        "school": 519, "park": 265, "university": 161, "sports": 109}
    assert len(found.table("population")) > 4000
    check_counts(found)


@pytest.mark.shared
@pytest.mark.skipif(not LIECHTENSTEIN.exists(), reason="../shared/data/liechtenstein is not here")
def test_liechtenstein():
    osm = str(LIECHTENSTEIN / "liechtenstein-latest.osm.pbf")
    found = read_layers({
        "boundary": LayerSource(path=osm, layer="multipolygons", where="boundary='administrative' AND admin_level='2'"),
        "villages": LayerSource(path=osm, layer="multipolygons", where="boundary='administrative' AND admin_level='8'"),
        "ground": LayerSource(path=str(LIECHTENSTEIN / "N47E009.hgt")),
        "buildings": LayerSource(path=osm, layer="multipolygons", where="building IS NOT NULL"),
        "facilities": LayerSource(path=osm, layer="points,multipolygons", where="amenity IN ('school', 'townhall')"),
        "stations": LayerSource(path=osm, layer="points", where="man_made = 'mast'"),
        "poles": LayerSource(path=osm, layer="points", where="highway = 'street_lamp'")}, None, "/")
    assert found.crs.to_epsg() == 32632
    assert len(found.table("villages")) == 11
    buildings = found.table("buildings")
    assert len(buildings) == 17717
    assert buildings["height_m"].notna().all()
    assert buildings["height_source"].value_counts().to_dict()["storeys"] > 800
    assert set(found.table("facilities")["venue_class"]) == {"school", "government"}
    assert len(found.table("poles")) == 87
    ground = found.raster("ground")
    assert np.nanmin(ground.array) > 300
    assert ground.filled is not None
    check_counts(found)


@pytest.mark.shared
@pytest.mark.skipif(not BAD.exists(), reason="../shared/data/badinput is not here")
@pytest.mark.parametrize("path", [
    "generated/utf8_field_4hanzi.shp", "generated/gbk_no_cpg.shp", "generated/lonlat_swapped.shp",
    "generated/no_prj.shp", "generated/cell_table_nasty.csv", "generated/geometry_zoo.geojson",
    "generated/good_mapinfo_cp936.tab", "generated/default_mapinfo.tab", "mapshaper/data_corruption_error.shp",
    "mapshaper/cpg_big5.shp", "mapshaper/c_utm.shp", "mapshaper/invalid_coordinates.shp",
    "mapshaper/points.shp", "pyshp/corrupt_too_long.shp", "pyogrio/curvepolygon.gpkg",
    "pyogrio/test_gpkg_nulls.gpkg", "Fiona/issue627.geojson",
    "terragraph-planner/test_links_reader_duplicated_cols.csv",
    "mapshaper/zip-in-zip.zip",
])
@pytest.mark.parametrize("layer", ["poles", "restricted"])
def test_bad_files_give_lines_and_never_break(town, path, layer):
    found = layers_of(town, **{layer: LayerSource(path=str(BAD / path))})
    assert lines(found, layer)
    check_counts(found)


@pytest.mark.shared
@pytest.mark.skipif(not BAD.exists(), reason="../shared/data/badinput is not here")
@pytest.mark.parametrize("path", [
    "generated/dem_no_crs_no_nodata.tif", "rasterio/corrupt.tif", "rasterio/test_esri_wkt.tif",
    "rasterio/float_nan.tif", "generated/dem_feet_4326.tif",
])
def test_bad_rasters_give_problems_or_values(town, path):
    try:
        found = layers_of(town, heights=LayerSource(path=str(BAD / path)))
    except LayerError as error:
        assert all(problem.remedy for problem in error.problems)  # noqa: PT017
    else:
        assert np.isfinite(found.raster("heights").array).any()
