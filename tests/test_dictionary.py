"""What explains an exchange copy: the dictionary of its fields, its style for QGIS, its metadata."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import geopandas as gpd
import openpyxl
import pandas as pd
import pyproj
import pytest
from conftest import CRS, at
from hypothesis import given
from hypothesis import strategies as st
from out_layers import FIELDS, HOSTILE, layer, profile, shaped

from siteplan.export.exchange.dictionary import HEAD, field_table, write_dictionary, write_field_list
from siteplan.export.exchange.metadata import LayerCheck, adjustment_table, crs_facts, metadata_tables, write_metadata
from siteplan.export.exchange.out_layer import Adjustment, OutLayer
from siteplan.export.exchange.style import COLOURS, MOST_VALUES, categories, name_field, style_text, write_style
from siteplan.export.master.plan_layers import PlanLayers
from siteplan.params import DeliverParams
from siteplan.profiles import Profile, ProfileField

# the dictionary


def test_the_dictionary_says_what_every_field_is(tmp_path: Path) -> None:
    write_field_list(layer(), tmp_path / "sites_fields.csv")
    assert (tmp_path / "sites_fields.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "sites_fields.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == list(HEAD)
    assert [row["字段"] for row in rows] == [field.name for field in FIELDS]
    kind = rows[2]
    assert (kind["中文名"], kind["取值"], kind["主文件字段"], kind["代码说明"]) == ("站址类型", "宏站/微站", "kind", "01=宏站;02=微站")
    assert (rows[4]["类型"], rows[4]["宽度"], rows[4]["小数"], rows[4]["必填"]) == ("float", "7", "1", "否")
    assert rows[0]["必填"] == "是"
    assert rows[1]["备注"] == "自由填写"
    assert rows[7]["备注"] == "固定值:v1"


def test_words_that_are_their_own_codes_need_no_explanation() -> None:
    own = ProfileField("ZT", "状态", "状态", "text", 6, source="build", codes={"新建": "新建"})
    table = gpd.GeoDataFrame({"ZT": ["新建"]}, geometry=[at(0, 0)], crs=CRS)
    made = OutLayer(profile(fields=(own,), key="ZT"), "a", table)
    assert field_table(made).loc[0, ["取值", "代码说明"]].tolist() == ["新建", ""]


def test_the_workbook_has_a_sheet_for_each_layer(tmp_path: Path) -> None:
    """Layers of one profile in two zones have two sheets; nothing is a formula; equal layers make equal files."""
    hostile = replace(FIELDS[1], zh="=1+1", note="@x")
    made = layer(fields=(FIELDS[0], hostile, *FIELDS[2:]), zh="=规划/站址:[1]")
    zones = [made, replace(made, name="sites_4546"), shaped("Polygon")]
    for name in ("a.xlsx", "b.xlsx"):
        write_dictionary(zones, tmp_path / name, ["合成数据", "=2+2"])
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert len(book.sheetnames) == 3
    for sheet in book:
        assert not [cell.value for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
        words = [cell.value for row in sheet.iter_rows() for cell in row]
        assert {"字段对照表", "合成数据", "=2+2", "ZZBH"} <= {str(word).split(":")[0] for word in words}
    rows = list(book.worksheets[0].iter_rows(min_row=6, values_only=True))
    assert [row[0] for row in rows] == [field.name for field in FIELDS]
    assert rows[1][1] == "=1+1"


# the style


def parsed(made: OutLayer) -> Xml.Element:
    text = style_text(made)
    assert text.startswith("<!DOCTYPE qgis")
    return Xml.fromstring(text)


@pytest.mark.parametrize(("made", "symbol", "drawn", "number"), [
    (layer(), "marker", "SimpleMarker", "0"), (shaped("LineString"), "line", "SimpleLine", "1"),
    (shaped("Polygon"), "fill", "SimpleFill", "2")], ids=["points", "lines", "areas"])
def test_the_style_has_a_symbol_for_each_value(made: OutLayer, symbol: str, drawn: str, number: str) -> None:
    root = parsed(made)
    renderer = root.find("renderer-v2")
    assert renderer is not None
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "ZZLX")
    listed = [(entry.get("value"), entry.get("label")) for entry in renderer.iter("category")]
    assert listed == [("01", "宏站"), ("02", "微站"), ("", "其他")]
    symbols = renderer.findall("symbols/symbol")
    assert [entry.get("name") for entry in symbols] == [entry.get("symbol") for entry in renderer.iter("category")]
    assert {entry.get("type") for entry in symbols} == {symbol}
    assert {entry.get("class") for entry in renderer.iter("layer")} == {drawn}
    assert root.findtext("layerGeometryType") == number


def test_labels_and_titles_of_the_style() -> None:
    root = parsed(layer())
    style = root.find("labeling/settings/text-style")
    assert style is not None
    assert style.get("fieldName") == "ZZMC"
    assert [(entry.get("field"), entry.get("name")) for entry in root.iter("alias")] == [
        (field.name, field.zh) for field in FIELDS]
    given_codes = root.findall(
        "fieldConfiguration/field[@name='ZZLX']/editWidget[@type='ValueMap']/config//Option[@value]")
    assert [(entry.get("name"), entry.get("value")) for entry in given_codes] == [("宏站", "01"), ("微站", "02")]


def test_the_style_names_columns_as_they_are_written() -> None:
    made = layer()
    chinese = replace(made, table=made.table.rename(columns={field.name: field.name_zh for field in FIELDS}))
    root = parsed(chinese)
    assert root.find("renderer-v2[@attr='站址类型']") is not None
    assert root.find("labeling/settings/text-style[@fieldName='站址名称']") is not None
    assert root.find("aliases/alias[@field='挂高'][@name='挂高(米)']") is not None


@given(words=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6, unique=True))
def test_any_word_is_text_in_the_style(words: list[str]) -> None:
    """Markup, quotes and control characters of the data never become XML; what XML can hold comes back as it is."""
    words = [word.encode("utf-8", "replace").decode() for word in words]
    made = layer(words, style="ZZMC")
    root = parsed(made)
    found = {entry.get("label") for entry in root.iter("category")}
    for word in (word for word in words if word.isprintable()):
        assert word in found
    assert {entry.tag for entry in root} == {
        "renderer-v2", "labeling", "fieldConfiguration", "aliases", "layerGeometryType"}


def test_hostile_words_of_the_style(tmp_path: Path) -> None:
    write_style(layer(style="ZZMC"), tmp_path / "sites.qml")
    found = {entry.get("value") for entry in Xml.parse(tmp_path / "sites.qml").iter("category")}
    assert set(HOSTILE) <= found


def test_many_values_differ_by_colour_and_shape() -> None:
    """Eight colours that colour-blind people tell apart, then the same with another shape; the rest is grey."""
    made = layer([f"值{number:02d}" for number in range(MOST_VALUES + 5)], style="ZZMC")
    assert len(categories(made)) == MOST_VALUES
    looks = [tuple(option.get("value") for option in symbol.iter("Option") if option.get("name") in ("name", "color"))
             for symbol in parsed(made).findall("renderer-v2/symbols/symbol")]
    assert len(set(looks)) == len(looks) == MOST_VALUES + 1
    assert len(set(COLOURS)) == 8


def test_a_style_without_a_field_has_one_colour() -> None:
    root = parsed(layer(style=""))
    assert root.find("renderer-v2[@type='singleSymbol']/symbols/symbol") is not None
    assert parsed(layer([])).find("renderer-v2[@type='singleSymbol']") is not None


def test_numbers_are_categories_of_their_type() -> None:
    listed = parsed(layer(style="JSNF")).findall("renderer-v2/categories/category")
    assert [(entry.get("type"), entry.get("value")) for entry in listed] == [
        ("long", "2026"), ("long", "2027"), ("string", "")]


def test_the_field_that_names_a_place() -> None:
    assert name_field(layer()).name == "ZZMC"
    assert name_field(layer(fields=(FIELDS[0], *FIELDS[2:]), style="")).name == "ZZBH"


# the metadata


def test_crs_facts_of_degrees_and_of_metres() -> None:
    assert "中央经线 111°" in crs_facts(pyproj.CRS(4546))
    assert "东伪偏移 38500000 米" in crs_facts(pyproj.CRS(4526))
    assert "X 坐标(XZB)为北向" in crs_facts(pyproj.CRS(4526))
    degrees = crs_facts(pyproj.CRS(4490))
    assert "经度,纬度" in degrees
    assert "中央经线" not in degrees


def test_metadata_of_a_plan_that_says_little(tmp_path: Path) -> None:
    """An older ``plan.json`` without inputs, date or versions: told as missing, never made up."""
    made = layer(["甲"])
    plan = PlanLayers({"study": {"name": "试验", "synthetic": True}}, {})
    changed = [Adjustment("sites", "S000", "ZZMC", "=1+1", "=1…", "截短")]
    tables = metadata_tables(plan, [LayerCheck("shp", made, 8, shapes=True)], changed, DeliverParams())
    told = dict(tables["元数据"].to_numpy())
    assert (told["数据截止日期"], told["审图号"]) == ("未写明", "未提供")
    assert [words for label, words in tables["元数据"].to_numpy() if label == "声明"] == [
        "覆盖为模型预测值,非实测", "合成数据,不可用于真实规划"]
    assert told["比对结果"] == "1 个图层文件、9 个值读回一致"
    assert told["导出调整"] == "1 处,见导出调整清单"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_metadata(tables, tmp_path / name, "=试验")
    assert (tmp_path / "a" / "metadata.xlsx").read_bytes() == (tmp_path / "b" / "metadata.xlsx").read_bytes()
    read = pd.read_csv(tmp_path / "a" / "adjustments.csv", encoding="utf-8-sig", dtype="str")
    assert read.loc[0, ["图层", "行", "字段", "原值", "写出值", "原因"]].tolist() == [
        "sites", "S000", "ZZMC", "'=1+1", "'=1…", "截短"]


def test_no_adjustment_is_an_empty_list() -> None:
    assert list(adjustment_table([]).columns) == ["图层", "行", "字段", "原值", "写出值", "原因"]
    assert len(adjustment_table([])) == 0


def test_words_of_codes_are_the_chinese_side() -> None:
    """``{pass = "达标"}``: the file holds 达标; legend, form and dictionary say so, not the name in the program."""
    field = ProfileField("PD", "判定", "判定", "text", 20, source="verdict", codes={"pass": "达标", "fail": "未达标"})
    own = Profile("p", "行政村", "villages", "p", "Polygon", "PD", (field,), style="PD")
    made = OutLayer(own, "p", gpd.GeoDataFrame({"PD": ["达标", "未达标"]}, geometry=[None, None]))
    assert categories(made) == [("达标", "达标"), ("未达标", "未达标")]
    assert "pass" not in style_text(made).replace('pass="0"', "")
    assert field_table(made).loc[0, ["取值", "代码说明"]].tolist() == ["达标/未达标", "达标=pass;未达标=fail"]


def test_metadata_says_per_format_what_was_compared() -> None:
    """No claim that shapes or the CRS were compared where they were not."""
    plan = PlanLayers({"study": {"name": "溪口市"}}, {})
    made = layer()
    tables = metadata_tables(plan, [LayerCheck("shp", made, 8, True, compared="字段、图形、坐标系"),
                                    LayerCheck("xlsx", made, 8, False, compared="字段、不比图形和坐标系")], [], DeliverParams())
    told = dict(tables["元数据"].to_numpy())
    assert (told["比对内容 shp"], told["比对内容 xlsx"]) == ("字段、图形、坐标系", "字段、不比图形和坐标系")
    assert "坐标系" not in told["检查方法"]
