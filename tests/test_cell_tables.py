"""Cell tables (工参表): headers, several azimuths in a cell, units, channel numbers, faults row by row."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from siteplan import crs
from siteplan.input_ledger import InputLedger
from siteplan.layers import read_layers
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.kinds.channels import channel_frequency, lte_frequency, nr_frequency
from siteplan.layers.kinds.sectors import azimuths_of, parts_of, prepare_sectors
from siteplan.layers.kinds.stations import band_of
from siteplan.layers.places.placing import place_rows
from siteplan.layers.values import plain_numbers, read_column
from siteplan.params import LayerSource
from siteplan.schema import layer_schema, match_columns

SHARED = Path(__file__).parents[2] / "shared" / "data"
NASTY = SHARED / "badinput" / "generated" / "cell_table_nasty.csv"
LATLON = SHARED / "badinput" / "terragraph-planner" / "test_csv_with_latlon_strings.csv"
SHANGHAI = SHARED / "shanghai"
EPSG = 4547
EAST, NORTH = 437000.0, 2491000.0
LON, LAT = (float(v) for v in crs.transform_points(EAST + 500, NORTH + 500, EPSG, 4326))
FIELDS = layer_schema("stations").fields


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Boundary of 4 km, one village, flat ground."""
    folder = tmp_path_factory.mktemp("town")
    with rasterio.open(folder / "dem.tif", "w", driver="GTiff", height=60, width=60, count=1, dtype="float32",
                       crs=f"EPSG:{EPSG}", nodata=-9999.0,
                       transform=Affine(100, 0, EAST - 2000, 0, -100, NORTH + 4000)) as data:
        data.write(np.full((60, 60), 12.0, dtype=np.float32), 1)
    square = shapely.box(EAST - 2000, NORTH - 2000, EAST + 2000, NORTH + 2000)
    gpd.GeoDataFrame({"id": ["b"]}, geometry=[square], crs=EPSG).to_file(folder / "b.gpkg")
    gpd.GeoDataFrame({"村代码": ["01"], "村名": ["东村"]}, geometry=[square], crs=EPSG).to_file(folder / "v.gpkg")
    return folder


def read(folder, path, layer="stations", **options):
    sources = {"boundary": LayerSource(path="b.gpkg"), "villages": LayerSource(path="v.gpkg"),
               "ground": LayerSource(path="dem.tif"), layer: LayerSource(path=str(path), **options)}
    found = read_layers(sources, f"EPSG:{EPSG}", folder)
    for file in found.files:
        refused = {line.row for line in found.ledger if line.action == "refused" and line.row
                   and (line.layer, line.file) == (file.layer, file.file)}
        assert file.rows_in + file.rows_made == file.rows_kept + file.rows_refused, file
        assert len(refused) == file.rows_refused, (file, refused)
    return found.table(layer), [line for line in found.ledger if line.layer == layer], found.files[-1]


def cells(folder, rows, header="小区号,经度,纬度,频段,挂高,方位角,机械下倾角,电子下倾角"):
    text = header + "\n" + "".join(row.replace("@", f"{LON},{LAT}") + "\n" for row in rows)
    (folder / "cells.csv").write_text(text, encoding="utf-8-sig")
    return read(folder, "cells.csv")


def column(name, values, layer="stations"):
    ledger = InputLedger()
    rows = np.array([str(number) for number in range(2, len(values) + 2)], dtype=object)
    field = layer_schema(layer).fields[name]
    found, refused = read_column(pd.Series(values, dtype=object), field, 1.0, FileLog(layer, "f.csv", ledger), rows,
                                 is_key=name == layer_schema(layer).key)
    return found, refused, list(ledger)


@pytest.mark.parametrize(("header", "field"), [
    ("站名", "name"), ("site name", "name"), ("Cell Name", "name"), ("CGI", "sector_id"), ("ECGI", "sector_id"),
    ("NCI", "sector_id"),
    ("gNodeB ID", "source_site"), ("eNodeB_ID", "source_site"), ("天线方位角(度)", "azimuth_deg"), ("AZIMUTH", "azimuth_deg"),
    ("预置下倾", "tilt_electrical_deg"), ("总下倾角", "tilt_total_deg"), ("天线挂高（米）", "antenna_height_m"),
    ("站高", "antenna_height_m"),
    ("铁塔高度", "antenna_height_m"), ("NR-ARFCN", "carrier"), ("下行频点", "carrier"), ("频点(MHz)", "freq_mhz"),
    ("带宽(MHz)", "bandwidth_mhz"),
    ("最大发射功率(dBm)", "power_dbm"), ("最大发射功率(W)", "power_w"), ("RS功率", "epre_dbm"), ("SSB功率(dBm)", "epre_dbm"),
    ("PCI", "pci"),
    ("覆盖类型", "kind"), ("共享运营商", "operators"), ("小区状态", "status"), ("网络制式", "technology"),
])
def test_headers_of_cell_tables(header, field):
    assert match_columns([header], FIELDS.values()).columns == {field: header}


@pytest.mark.parametrize(("cell", "parts"), [
    ("0/120/240", 3), ("0,120,240", 3), ("0°、120°、240°", 3), ("０／１２０／２４０", 3), ("0 120 240", 3), ("0|180", 2),
    ("10;130;250", 3),
    ("0-120-240", 3), ("0,120", 2), ("22,5", 1), ("120.5", 1), ("0/全向", 0), ("N/A", 0), ("-10", 1), ("120-130", 1),
])
def test_azimuths_in_one_cell(cell, parts):
    assert len(azimuths_of(cell)) == (parts if parts > 1 else 0)
    if parts == 1:
        assert len(parts_of(cell)) == 1


@given(st.text(max_size=20))
def test_no_text_breaks_the_splitting(text):
    frame = pd.DataFrame({"小区号": [text], "方位角": [text], "机械下倾角": [text], "功率(dBm)": [text]}, dtype=object)
    out = prepare_sectors(RawTable(frame, np.array(["2"], dtype=object), None, None, ""), FileLog("stations", "c",
                                                                                                  InputLedger()))
    assert len(out.frame) == len(out.rows) == 1 + out.made


def test_rows_are_split_with_what_is_listed_alongside(town):
    table, told, file = cells(town, ["A,@,n41,30,0/120/240,6/6/8,3", "B-1/B-2,@,n41,30/28,10/190,4,1/2/3",
                                     "C,@,n41,25,90,2,2",
                                     "D,@,n41,25,0/400,2,2", "E,@,n41,25,0/x,2,2", "F,@,n41,25,全向,2,2"])
    assert table.index.tolist() == ["A-1", "A-2", "A-3", "B-1", "B-2", "C", "D-1", "D-2", "E", "F"]
    assert table["azimuth_deg"].tolist()[:7] == [0.0, 120.0, 240.0, 10.0, 190.0, 90.0, 0.0]
    assert table.loc[["D-2", "E", "F"], "azimuth_deg"].isna().all()
    assert table["tilt_deg"].tolist() == [9.0, 9.0, 11.0] + [4.0] * 7
    assert table.loc[["B-1", "B-2"], "antenna_height_m"].tolist() == [30.0, 28.0]
    assert table["source_row"].tolist()[:5] == ["2（1/3）", "2（2/3）", "2（3/3）", "3（1/2）", "3（2/2）"]
    assert (file.rows_in, file.rows_made, file.rows_kept, file.rows_refused) == (6, 4, 10, 0)
    assert {line.row for line in told if "，已置空" in line.reason and line.field == "azimuth_deg"} == {"5（2/2）", "6"}
    assert [line.row for line in told if "对不上" in line.reason] == ["3（1/2）", "3（2/2）"]
    assert sum("拆成一行一个扇区" in line.reason for line in told) == 7


def test_total_tilt_and_tower_height(town):
    header = "小区号,经度,纬度,频段,铁塔高度,方位角,机械下倾角,电子下倾角,总下倾角"
    table, told, _ = cells(town, ["A,@,n41,35,0,,,9", "B,@,n41,35,0,4,,9", "C,@,n41,35,0,4,3,7", "D,@,n41,35,0,4,3,12",
                                  "E,@,n41,35,0,,3,9", "F,@,n41,35,0,,,"], header)
    assert table["tilt_deg"].tolist() == [9.0, 9.0, 7.0, 7.0, 9.0, 6.0]
    assert table.loc["B", ["tilt_mechanical_deg", "tilt_electrical_deg"]].tolist()[0] == 4.0
    assert [line.row for line in told if line.field == "tilt_total_deg"] == ["5"]
    assert any("铁塔高度" in line.reason and line.action == "assumed" for line in told)


def test_channel_numbers_are_frequencies():
    assert nr_frequency(504990) == pytest.approx(2524.95)
    assert nr_frequency(513000) == pytest.approx(2565.0)
    assert nr_frequency(620000) == pytest.approx(3300.0)
    assert nr_frequency(633334) == pytest.approx(3500.01)
    assert nr_frequency(2016667) == pytest.approx(24250.08)
    assert nr_frequency(3279166) is None
    assert lte_frequency(1850) == (pytest.approx(1870.0), "b3")
    assert lte_frequency(37900) == (pytest.approx(2585.0), "n41")
    assert lte_frequency(3683) == (pytest.approx(948.3), "b8")
    assert lte_frequency(60000) is None
    assert channel_frequency("1250", "b3", None)[0] == pytest.approx(1810.0)
    assert channel_frequency("1825", "b3", "4G") is None
    assert channel_frequency("1300", None, "4G")[0] == pytest.approx(1815.0)
    assert channel_frequency("1825", None, "4G") is None  # 1825 MHz, or EARFCN 1825
    assert channel_frequency("3500", "n78", "5G") == (3500.0, "", "MHz")
    assert channel_frequency("38400", "n41", None) is None
    assert [band_of(text) for text in ("78", "41", "3", "N28", "8")] == ["n78", "n41", "b3", "n28", "b8"]


def test_channels_powers_and_frequencies_of_a_table(town):
    header = "小区号,经度,纬度,频点,频率,最大发射功率(dBm),RS功率,方位角"
    table, told, _ = cells(town, ["A,@,504990,,200,,0", "B,@,38400,,46,,0", "C,@,,3.5,53,,0", "D,@,2565,2565,53,,0",
                                  "E,@,2500,,900,,0",
                                  "F,@,,,,152,0", "G,@,,3500000,,15.2,0"], header)
    assert table["freq_mhz"].tolist()[:4] == pytest.approx([2524.95, 1895.0, 3500.0, 2565.0])
    assert table.loc["G", "freq_mhz"] == pytest.approx(3500.0)
    assert table["technology"].tolist()[:3] == ["5G", "4G", "5G"]
    assert table.loc["A", "power_dbm"] == pytest.approx(53.0103, abs=1e-3)
    assert np.isnan(table.loc["E", "power_dbm"])
    assert table.loc[["F", "G"], "epre_dbm"].tolist() == pytest.approx([15.2, 15.2])
    said = {line.row: line for line in told if line.action == "repaired"}
    assert "按瓦" in said["2"].reason
    assert "GHz" in said["4"].reason
    assert "0.1 dBm" in said["7"].reason
    assert any("NR-ARFCN" in line.reason and line.action == "assumed" for line in told)
    assert any("分不清" in line.reason and line.row == "6" for line in told)


def test_powers_that_may_be_either_unit_are_noted(town):
    for header, noted in (("发射功率", True), ("发射功率(W)", False)):
        table, told, _ = cells(town, ["A,@,n41,46,0", "B,@,n41,53,0"], f"小区号,经度,纬度,频段,{header},方位角")
        assert table["power_w"].tolist() == [46.0, 53.0]
        assert any("也可能是 dBm" in line.reason for line in told) == noted


def test_closed_and_planned_cells_do_not_count_and_pci_is_noted(town):
    header = "小区号,站号,经度,纬度,频段,方位角,PCI,状态"
    table, told, _ = cells(town, ["A,S1,@,n41,0,1,在网", "B,S1,@,n41,120,1,现网",
                                  "C,S1,@,n41,240,1008,规划", "D,S1,@,n41,240,1008,", "E,S1,@,n41,0,,退网",
                                  "F,S1,@,n78,240,1,?"], header)
    assert table.index.tolist() == ["A", "B", "D", "F"]
    assert {line.row for line in told if line.action == "refused"} == {"4", "6"}
    notes = [line for line in told if line.field == "pci" and line.action == "note"]
    assert len(notes) == 1
    assert "S1" in notes[0].reason
    assert np.isnan(table.loc["D", "pci"])


def test_impossible_ranges_and_repeated_ids(town):
    table, told, _ = cells(town, ["A,@,n41,0,0,6,0", "B,@,n41,3000,0,80,0", "C,@,n41,30,-10,6,0", "D,@,n41,30,370,6,0",
                                  "E,@,n41,30,0,6,0",
                                  "E,@,n41,30,0,6,0", "E,@,n41,30,120,6,0", "G,@,n41,20-25米,0,6,0",
                                  "H,@,n41,30m/35m,0,6,0"])
    assert table.index.tolist() == ["A", "B", "C", "D", "E", "E-2", "G", "H"]
    assert (table["antenna_height_m"] >= 2).all()
    assert {line.row for line in told if line.action == "refused"} == {"7"}
    assert {line.row for line in told if line.field == "azimuth_deg" and "超出" in line.reason} == {"4", "5"}
    assert table.loc[["C", "D"], "azimuth_deg"].isna().all()
    emptied = {line.row: line.reason for line in told if line.action == "repaired" and line.field == "antenna_height_m"}
    assert "超出" in emptied["2"]
    assert "超出" in emptied["3"]
    assert "范围" in emptied["9"]
    assert "几个数" in emptied["10"]


@pytest.mark.parametrize(("text", "value", "words"), [
    ("30米", 30.0, "单位文字"), ("30 m", 30.0, "单位文字"), ("98ft", 29.8704, "换算"), ("约30米", 30.0, "单位文字"), ("30,5", 30.5,
                                                                                                     "换算"),
    ("30m/35m", None, "几个数"), ("30、35", None, "几个数"), ("20-25米", None, "范围"), ("20~25", None, "范围"), ("20至25m", None,
                                                                                                      "范围"),
    ("三十", None, "中文数字"), ("三十米", None, "中文数字"), ("#REF!", None, "错误值"), ("#N/A", None, "错误值"), ("85%", None, "无法识别"),
    ("TRUE", None, "无法识别"), ("—", None, ""), ("暂无", None, ""), ("３０", 30.0, "全角"), ("3e1", 30.0, ""), ("2023-05-01",
                                                                                                       None, ""),
])
def test_heights_as_planners_write_them(text, value, words):
    found, refused, told = column("antenna_height_m", [text, "31"])
    assert (found[0] == pytest.approx(value)) if value is not None else np.isnan(found[0])
    assert not refused.any()
    if words:
        assert words in told[0].reason
        assert (told[0].row, told[0].value) == ("2", text)


def test_ids_that_spreadsheets_have_broken():
    found, _, told = column("sector_id", ["460001234.0", "4.60E+12", "460-00-1", 4.6e12, 1.2345678901234567e17, "１２",
                                          "#REF!", "007", "1.0"])
    assert found[:6].tolist() == ["460001234", "4.60E+12", "460-00-1", "4600000000000", "123456789012345664", "12"]
    assert found.isna()[6]
    assert found[7:].tolist() == ["007", "1.0"]
    assert [line.row for line in told if line.action == "note"] == ["3", "6"]
    assert all("尾数已丢失" in line.reason for line in told if line.action == "note")
    assert any("错误值" in line.reason and line.row == "8" for line in told)


def test_plain_numbers_take_no_words_for_numbers():
    values, left = plain_numbers(pd.Series([1, "2", True, "x", None, pd.Timestamp("2023-01-01"), "inf", "0x10",
                                            "1_000"], dtype=object))
    assert values[:2].tolist() == [1.0, 2.0]
    assert np.isnan(values[2:]).all()
    assert left.tolist() == [False, False, True, True, False, True, True, True, True]
    for series in (pd.Series([1.5, np.nan]), pd.Series([1, 2]), pd.Series([1, None], dtype="Int64")):
        assert plain_numbers(series)[1].sum() == 0
    assert plain_numbers(pd.Series([True, False]))[1].all()


@pytest.mark.shared
@pytest.mark.skipif(not NASTY.exists(), reason="../shared/data/badinput is not here")
def test_the_nasty_cell_table_row_by_row(town):
    table, told, file = read(town, NASTY)
    said = {line.row: line for line in told if line.action == "refused"}
    assert table["source_row"].tolist() == ["2（1/3）", "2（2/3）", "2（3/3）", "3", "4", "6"]
    assert (file.rows_in, file.rows_made, file.rows_kept, file.rows_refused) == (5, 2, 6, 1)
    assert set(said) == {"5"}
    rows = table.set_index("source_row")
    assert rows.loc["2（2/3）", "name"].startswith("=HYPERLINK")
    assert rows["azimuth_deg"].tolist()[:3] == [0.0, 120.0, 240.0]
    assert rows["antenna_height_m"].tolist()[:4] == pytest.approx([30.0, 30.0, 30.0, 29.8704])
    assert rows.loc[["3", "4"], "azimuth_deg"].isna().all()
    east, north = crs.transform_points(113.38, 22.52, 4326, EPSG)
    assert rows.geometry.x.to_numpy() == pytest.approx(float(east), abs=0.01)
    assert rows.geometry.y.to_numpy() == pytest.approx(float(north), abs=0.01)
    repaired = {(line.row, line.field): line for line in told if line.action == "repaired"}
    assert "没有小数点" in repaired["6", "经度"].reason
    assert "逗号" in repaired["6", "纬度"].reason
    assert "度分秒" in repaired["3", "经度"].reason
    assert "中文数字" in repaired["6", "antenna_height_m"].reason
    assert ("4", "geometry") in repaired
    assert "已置空" in repaired["4", "azimuth_deg"].reason


@pytest.mark.shared
@pytest.mark.skipif(not LATLON.exists(), reason="../shared/data/badinput is not here")
def test_degree_strings_of_another_planner():
    frame = pd.read_csv(LATLON, dtype=object)
    rows = np.array(["2", "3", "4"], dtype=object)
    log = FileLog("poles", LATLON.name, InputLedger())
    placed, used = place_rows(RawTable(frame, rows, None, None, ""), LayerSource(path="x.csv"), log)
    assert used == ("base_lon", "base_lat")
    assert shapely.get_x(placed.geometry) == pytest.approx([160 + 20 / 60 + 2.04 / 3600, -122.4194, 171.2093])
    assert shapely.get_y(placed.geometry) == pytest.approx([5 + 25 / 60 + 0.9 / 3600, 37.7749, -33.8688])
    assert sum(line.action == "repaired" for line in log.ledger) == 6


@pytest.mark.shared
@pytest.mark.skipif(not SHANGHAI.exists(), reason="../shared/data/shanghai is not here")
def test_shanghai_keeps_what_is_in_shanghai(tmp_path):
    with rasterio.open(tmp_path / "dem.tif", "w", driver="GTiff", height=40, width=40, count=1, dtype="float32",
                       crs="EPSG:4326", nodata=-9999.0, transform=Affine(0.05, 0, 120.5, 0, -0.05, 32.2)) as data:
        data.write(np.full((40, 40), 4.0, dtype=np.float32), 1)
    districts = LayerSource(path=str(SHANGHAI / "区县界_area.shp"))
    sources = {"boundary": districts, "zones": districts, "ground": LayerSource(path="dem.tif"),
               "stations": LayerSource(path=str(SHANGHAI / "base_stations_all.csv"))}
    found = read_layers(sources, "EPSG:4549", tmp_path)
    file = next(file for file in found.files if file.layer == "stations")
    assert file.rows_in == 3042
    assert file.rows_in == file.rows_kept + file.rows_refused
    assert 30 <= file.rows_refused <= 60
    refused = [line for line in found.ledger if line.layer == "stations" and line.action == "refused" and line.row]
    assert all("范围外" in line.reason for line in refused)
