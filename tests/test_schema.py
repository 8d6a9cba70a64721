"""The column dictionary, header matching, values, and the generated page."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import StudyError
from siteplan.input_ledger import InputLedger
from siteplan.layers.file_log import FileLog
from siteplan.layers.kinds import empty_table
from siteplan.layers.places.coordinates import parse_degrees
from siteplan.layers.values import BAD, parse_bool, parse_date, parse_number, read_column
from siteplan.params import LAYER_NAMES, RASTER_LAYERS
from siteplan.schema import (
    coordinate_words,
    layer_names_zh,
    layer_schema,
    layer_zh,
    load_columns,
    match_columns,
    match_value,
    table_schema,
)
from siteplan.venues import classify_venue, department_of, load_venues

STATIONS = layer_schema("stations")


def read(field, cells, factor=1.0, layer="stations"):
    ledger = InputLedger()
    log = FileLog(layer, "f.csv", ledger)
    rows = np.array([str(n) for n in range(2, len(cells) + 2)], dtype=object)
    column, refused = read_column(pd.Series(cells, dtype=object), layer_schema(layer).fields[field], factor, log, rows)
    return column, refused, list(ledger)


def test_dictionary_covers_the_vector_layers_and_is_sound():
    schemas = load_columns()
    assert set(schemas) == set(LAYER_NAMES) - set(RASTER_LAYERS)
    for schema in schemas.values():
        assert schema.key in schema.fields
        for spec in schema.fields.values():
            assert spec.low is None or spec.low <= spec.high
            assert len(spec.out.encode()) <= 10
            if spec.default is not None and spec.type == "float":
                assert spec.low <= spec.default <= spec.high
    assert all(coordinate_words()[name] for name in ("lon", "lat", "x", "y"))
    with pytest.raises(StudyError, match="stations"):
        layer_schema("station")


@pytest.mark.parametrize(("layer", "field", "cell", "said"), [
    ("stations", "azimuth_deg", 400, "超出 0 至 360 度，已置空"), ("population", "people", -1, "超出 0 至 10000000 人"),
    ("stations", "load_share", 1.5, "超出 0 至 1，已置空"), ("stations", "antenna_height_m", 900, "至 300 m，已置空"),
    ("buildings", "height_m", "33ft", "已换算为 m"), ("population", "people", "2万", "已换算为 人")])
def test_bounds_and_units_are_told_as_planners_write_them(layer, field, cell, said):
    _, _, told = read(field, [cell, None], layer=layer)
    assert [line.row for line in told if said in line.reason] == ["2"]


def test_every_layer_has_a_chinese_name():
    assert set(layer_names_zh()) == set(LAYER_NAMES)
    assert layer_zh("stations") == "现有基站 stations"


def test_headers_match_whatever_case_width_blanks_and_units():
    header = ["﻿小区号", "挂高（m）", "Ａzimuth", "电子 下倾角", "发射功率(dBm)", "频点(MHz)", "频点", "备注"]
    found = match_columns(header, STATIONS.fields.values())
    assert dict(found.columns) == {"sector_id": "﻿小区号", "antenna_height_m": "挂高（m）", "azimuth_deg": "Ａzimuth",
                                   "tilt_electrical_deg": "电子 下倾角", "power_dbm": "发射功率(dBm)",
                                   "freq_mhz": "频点(MHz)", "carrier": "频点"}
    assert found.unused == ("备注",)


def test_a_unit_in_the_header_converts_and_a_foreign_unit_is_no_match():
    found = match_columns(["挂高(ft)", "功率(dBm)"], STATIONS.fields.values())
    assert found.factors["antenna_height_m"] == pytest.approx(0.3048)
    assert found.columns["power_dbm"] == "功率(dBm)"
    assert "power_w" not in found.columns


def test_two_columns_for_one_field_are_reported_and_the_study_wins():
    fields = layer_schema("buildings").fields.values()
    found = match_columns(["height", "建筑高度"], fields)
    assert found.columns["height_m"] == "height"
    assert found.notes[0][0] == "建筑高度"
    assert match_columns(["height", "建筑高度"], fields, {"height_m": "建筑高度"}).columns["height_m"] == "建筑高度"
    with pytest.raises(StudyError, match="没有这一列"):
        match_columns(["height"], fields, {"height_m": "H"})


@pytest.mark.parametrize(("text", "unit", "value"), [
    ("30", "m", 30.0), ("30米", "m", 30.0), ("３０ m", "m", 30.0), ("约30m", "m", 30.0), ("98ft", "m", 29.8704),
    ("1,234.5", "m", 1234.5), ("22,5", "m", 22.5), ("12层", "1", 12.0), ("2.6GHz", "MHz", 2600.0),
    ("1.5万人", "people", 15000.0), ("-6°", "deg", -6.0), ("3e2", "m", 300.0), ("100㎡", "m2", 100.0),
])
def test_numbers_as_planners_write_them(text, unit, value):
    assert parse_number(text, unit)[0] == pytest.approx(value)


@pytest.mark.parametrize("text", ["三十", "30kg", "10;20", "0/120/240", "=1+1", "1e999", "inf", "--5"])
def test_what_is_no_number_is_not_guessed(text):
    assert parse_number(text, "m")[1] == BAD


@given(st.text(max_size=20))
def test_no_text_breaks_the_parsers(text):
    for value, how in (parse_number(text, "m"), parse_bool(text), parse_date(text)):
        assert (value is None) == (how == BAD)
    parse_degrees(text)
    classify_venue(text, text)


def test_dates_and_truths():
    for text in ("2023-05-01", "2023/5/1", "2023年5月1日", "20230501", "2023.5.1", "2023-05-01T00:00:00", "45047"):
        assert parse_date(text)[0].isoformat() == "2023-05-01T00:00:00", text
    assert parse_date("2023-13-01")[1] == BAD
    assert [parse_bool(text)[0] for text in ("是", "有", "1", "TRUE", "否", "无", "0")] == [True] * 4 + [False] * 3
    column, _, _ = read("install_date", [pd.Timestamp("2023-05-01"), None, "2023年5月1日"], layer="poles")
    assert column[0] == column[2] == pd.Timestamp("2023-05-01")
    assert column.isna()[1]


def test_degrees_minutes_seconds():
    assert parse_degrees("113度22分48秒E") == pytest.approx(113.38)
    assert parse_degrees("22°31′12″S") == pytest.approx(-22.52)
    assert np.isnan(parse_degrees("22.5.3"))


def test_optional_values_are_emptied_and_required_ones_refuse_the_row():
    column, refused, lines = read("antenna_height_m", ["30米", "98ft", "三十", 900, None, "31"])
    assert column[[0, 1, 5]].tolist() == pytest.approx([30.0, 29.8704, 31.0])
    assert column[[2, 3, 4]].isna().all()
    assert not refused.any()
    assert {(line.row, line.action) for line in lines} == {("2", "repaired"), ("3", "repaired"), ("4", "repaired"),
                                                           ("5", "repaired")}
    column, refused, lines = read("people", ["12", "", "-1", "x"], layer="population")
    assert refused.tolist() == [False, True, True, True]
    assert [line.action for line in lines] == ["refused"] * 3
    assert all(line.remedy for line in lines)


def test_defaults_are_assumed_in_one_line():
    column, _, lines = read("height_m", ["", "9", None], layer="poles")
    assert column.tolist() == [8.0, 9.0, 8.0]
    assert [(line.row, line.action, line.value) for line in lines] == [("共 2 行:2、4", "assumed", "8.0")]


def test_codes_stay_text_and_values_are_canonical():
    column, _, lines = read("village_code", [442000001001.0, "０12", " 7 "], layer="villages")
    assert column.tolist() == ["442000001001", "０12", "7"]
    assert match_value(STATIONS.fields["kind"], "宏站(室外)") == "macro"
    assert match_value(STATIONS.fields["kind"], "?") is None
    use = layer_schema("buildings").fields["use"]
    assert [match_value(use, text) for text in ("商住楼", "写字楼", "apartments", "yes")] == [
        "residential", "office", "residential", "other"]
    assert not lines


def test_the_gate_collects_every_fault():
    from pandera.errors import SchemaErrors

    table = pd.DataFrame(empty_table("poles", 4547).drop(columns="geometry"))
    assert len(table_schema("poles").validate(table)) == 0
    bad = pd.DataFrame({name: pd.Series([None, None], dtype=dtype) for name, dtype in table.dtypes.items()})
    bad = bad.assign(height_m=[900.0, 1.0], source_file="f", source_row="1")
    bad.index = pd.Index(["a", "b"], dtype="str", name="pole_id")
    bad = bad.astype({"source_file": "str", "source_row": "str"})
    with pytest.raises(SchemaErrors) as caught:
        table_schema("poles").validate(bad, lazy=True)
    assert len(caught.value.failure_cases) == 2


def test_an_absent_layer_is_an_empty_table_with_its_columns():
    for name in load_columns():
        table = empty_table(name, 4547)
        assert isinstance(table, gpd.GeoDataFrame)
        assert len(table) == 0
        assert table.crs.to_epsg() == 4547
        assert table.index.name == layer_schema(name).key
        assert set(layer_schema(name).columns) <= set(table.columns)


def test_venue_table_is_sound():
    venues = load_venues()
    assert sum(department.in_group for department in venues.departments.values()) == 15
    assert not venues.departments["urban"].in_group
    assert [venues.tiers[number].preference for number in range(1, 7)] == [1.0, 0.95, 0.9, 0.8, 0.7, 0.55]
    words = [word for venue in venues.classes.values() for word in venue.words]
    tags = [tag for venue in venues.classes.values() for tag in venue.osm]
    assert len(words) == len(set(words))
    assert len(tags) == len(set(tags))
    for venue in venues.classes.values():
        assert venue.department in venues.departments
        assert venue.tier in venues.tiers
        assert venue.mount in ("roof", "ground", "pole")
        assert venue.must_open or not venue.must_be_free
        assert (venue.tier == 1) <= venue.must_be_free
    assert set(venues.building_use) == set(layer_schema("buildings").defaults["height_m"])
    assert set(venues.building_use.values()) <= set(venues.classes)


@pytest.mark.parametrize(("kind", "name", "venue"), [
    ("中学", "", "school"), ("大学/高等院校", "", "university"), ("体育场馆", "", "sports"), ("公园绿地", "", "park"),
    ("医疗保健服务;综合医院;三级甲等医院", "", "hospital"), ("交通设施服务;地铁站;地铁站", "", "transport_hub"),
    ("141202", "某校", "school"), ("141201", "", "university"), ("school", "", "school"), ("酒店", "", "commercial"),
    ("", "某镇人民政府", "government"), ("", "某某村卫生室", "clinic"), ("", "市第一中学体育馆", "sports"),
    ("", "某某", "other"), ("amenity=school", "Gemeindeschule", "school"), ("tourism=hotel", "", "commercial"),
])
def test_venue_classes(kind, name, venue):
    assert classify_venue(kind, name)[0] == venue


def test_departments_have_one_spelling():
    assert department_of("市卫健局") == "卫生健康局"
    assert department_of("tongxin") == "通信建设管理办公室"
