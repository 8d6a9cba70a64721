"""Classes of venues: traps of Chinese names, how sure a class is, owner and department kept apart, real data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from test_geometry_cleaning import read
from test_layers import EAST, NORTH

from siteplan.venues import OTHER, classify_venue, department_of, is_department, load_venues

FAMILIES = {name: venue.family or name for name, venue in load_venues().classes.items()}


@pytest.mark.parametrize(("name", "venue"), [
    ("人民医院(公交站)", "bus_stop"), ("人民医院（公交站）", "bus_stop"), ("市政府停车场", "municipal"), ("学校路小区", "housing"),
    ("阳光幼儿园", "school"), ("希望小学教育培训中心", "commercial"), ("中共某县委党校", "institution"), ("中国移动营业厅", "soe"),
    ("万达广场", "commercial"), ("人民广场", "park"), ("大学城地铁站", "transport_hub"), ("医院路便利店", "commercial"),
    ("师范大学附属小学", "school"), ("交通大学医学院附属精神卫生中心", "hospital"), ("城东派出所", "police"), ("市教育局", "government"),
    ("口腔门诊部(万科广场店)", "private_clinic"), ("宠物医院", "commercial"), ("康宁医院管理有限公司", "office"),
    ("海韵口腔门诊部有限公司", "private_clinic"), ("国网供电公司", "soe"), ("第一中心小学", "school"), ("市民中心路", OTHER),
    ("花园村卫生室", "clinic"), ("瑞金医院17号楼", "hospital"), ("中学(宁锦小区南)", "school"), ("", OTHER), ("路", OTHER),
    ("城东消防救援站", "fire_station"), ("消防路小区", "housing"), ("云岭镇敬老院", "welfare"), ("市疾病预防控制中心", "public_health"),
    ("县广播电视台", "broadcast"), ("铁路小学", "school"), ("铁路新村", "housing"), ("地下停车场", "underground"),
    ("人民广场地下通道", "underground"), ("自然保护区管理局", "nature_reserve"), ("水库村村委会", "village_committee"), ("农场小学", "school"),
    ("高速公路收费站", "service_area"), ("南门公园", "park")])
def test_names(name, venue):
    assert classify_venue("", name).venue_class == venue


@pytest.mark.parametrize(("kind", "venue", "rule"), [
    ("141202", "school", "gaode:1412"), ("141201", "university", "gaode:141201"), ("090102", "clinic", "gaode:090102"),
    ("090202", "private_clinic", "gaode:090202"), ("090101", "hospital", "gaode:0901"),
    ("150500", "transport_hub", "gaode:1505"),
    ("130501", "police", "gaode:1305"), ("130503", "government", "gaode:130503"), ("010100", "hazard", "gaode:0101"),
    ("医疗保健服务;专科医院;口腔医院", "private_clinic", "type:口腔医院"), ("医疗保健服务;综合医院;卫生院", "clinic", "type:卫生院"),
    ("医疗保健服务;动物医疗场所;宠物诊所", "commercial", "type:宠物诊所"), ("科教文化服务;学校;中学|公司企业;公司;公司", "school", "type:中学"),
    ("amenity=school;building=yes", "school", "osm:amenity=school"), ("building=yes", "housing", "osm:building=yes"),
    ("amenity=dentist", "private_clinic", "osm:amenity=dentist"), ("999999", OTHER, "")])
def test_types(kind, venue, rule):
    assert classify_venue(kind, "")[:2] == (venue, rule)


def test_confidence_follows_the_rule_that_fired():
    agreed = classify_venue("科教文化服务;学校;中学", "第二中学").confidence
    code, word = classify_venue("141202", "").confidence, classify_venue("科教文化服务;学校;中学", "").confidence
    end, inside = classify_venue("", "第二中学").confidence, classify_venue("", "第二中学实验楼").confidence
    against, weak = classify_venue("学校", "城南医院").confidence, classify_venue("", "时代大厦").confidence
    gate, none = classify_venue("", "人民医院南门").confidence, classify_venue("", "某某").confidence
    assert agreed > code > word >= end > inside > against > weak > gate > none == 0.0


def test_what_speaks_against_a_class_is_told():
    assert "撤并" in classify_venue("", "原城东小学(已撤并)").doubt
    assert "原" in classify_venue("", "原城东小学").doubt
    assert classify_venue("", "原平市人民政府").doubt == ""
    assert "出入口" in classify_venue("", "人民医院南门").doubt
    assert classify_venue("学校", "城南医院")[:2] == ("school", "type:学校")
    assert classify_venue("学校", "城南医院").doubt == "类型像“中小学与幼儿园”，名称像“医院”，按类型"
    refined = classify_venue("医疗保健服务;诊所;诊所", "某某村卫生室")
    assert (refined.venue_class, refined.doubt) == ("clinic", "")
    assert classify_venue("building=yes", "城东小学").venue_class == "school"
    assert classify_venue("国有企业", "城投集团和平路办公楼")[::3] == ("soe", "")
    assert classify_venue("事业单位", "县青少年宫")[::3] == ("institution", "")


def facilities(**cells):
    count = len(next(iter(cells.values())))
    return read("facilities", [shapely.Point(EAST + number, NORTH) for number in range(count)], **cells)


def test_the_table_holds_rule_and_confidence_and_doubts_have_lines():
    table, ledger = facilities(名称=["第二中学", "城南医院", None], 类型=["中学", "学校", "?"])
    assert table["venue_class"].tolist() == ["school", "school", OTHER]
    assert table["class_rule"].tolist() == ["type:中学", "type:学校", ""]
    assert table["class_confidence"].tolist() == [0.98, 0.5, 0.0]
    (line,) = [line for line in ledger if line.field == "venue_class"]
    assert (line.row, line.action, line.value) == ("2", "note", "学校 / 城南医院")


def test_owner_and_department_are_two_facts():
    table, ledger = facilities(名称=["第二中学"] * 4, 权属单位=["市教育局", "第二中学", None, "某某教育集团"],
                               主管部门=[None, "市教体局", None, "某某物业公司"])
    assert table["owner"].fillna("").tolist() == ["市教育局", "第二中学", "", "某某教育集团"]
    assert table["department"].tolist() == ["教育和体育局", "教育和体育局", "教育和体育局", "某某物业公司"]
    assert table["department_source"].tolist() == ["class", "given", "class", "given"]
    told = {(line.field, line.row) for line in ledger
            if line.action == "note" and line.field in ("owner", "department")}
    assert told == {("owner", "1"), ("owner", "3"), ("department", "4")}
    assert not is_department("某某教育集团")


@pytest.mark.parametrize(("text", "department"), [
    ("市人民政府", "市人民政府"), ("石桥镇人民政府", "石桥镇人民政府"), ("公安镇人民政府", "公安镇人民政府"), ("石桥镇", "石桥镇"),
    ("体育路街道办事处", "体育路街道办事处"), ("市人民政府国有资产监督管理委员会", "国有资产监督管理委员会"), ("县民政局", "民政局"),
    ("民政", "民政局"),
    ("文化广电旅游体育局", "文化广电旅游局"), ("区文化体育局", "文化广电旅游局"), ("文旅体育局", "文化广电旅游局"),
    ("教育文化体育局", "教育和体育局"),
    ("市体育局", "教育和体育局"), ("教育和体育局", "教育和体育局"), ("商务印书馆", "商务印书馆"), ("市商务局", "商务局"),
    ("商务和经济信息化局", "商务局"), ("edu_sport", "教育和体育局")])
def test_departments_by_their_names(text, department):
    assert department_of(text) == department


def test_every_department_of_the_table_is_itself():
    for entry in load_venues().departments.values():
        assert department_of(entry.zh) == department_of(f" {entry.zh} ") == entry.zh


def test_a_department_replaced_by_the_tables_is_told_once_per_name():
    _, ledger = facilities(名称=["第二中学"] * 5, 主管部门=["市教育局", "市教育局", "市教育和体育局", "石桥镇人民政府", "教育和体育局"])
    told = {(line.action, line.value, line.row) for line in ledger if line.field == "department"}
    assert told == {("assumed", "市教育局", "共 2 行:1、2"), ("note", "石桥镇人民政府", "4")}
    assert any("“教育和体育局”" in line.reason for line in ledger)


def test_classes_of_one_family_are_known():
    assert sorted(name for name, venue in load_venues().classes.items() if venue.family == "medical") == [
        "clinic", "hospital", "private_clinic"]


@pytest.mark.shared
def test_names_agree_with_the_types_of_shanghai(shared):
    """14,113 places: the class of the name alone against that of Gaode's type; 95 % have one, 97 % of these agree."""
    folder = shared("data/shanghai")
    places = pd.concat([pd.read_csv(folder / f"shanghai_{name}.csv") for name in ("hospital", "school", "urban")])
    by_type = np.array([FAMILIES[classify_venue(str(kind), "").venue_class] for kind in places["type"]])
    by_name = np.array([FAMILIES[classify_venue("", str(name)).venue_class] for name in places["name"]])
    named = by_name != OTHER
    assert named.mean() > 0.94
    assert (by_type == by_name)[named].mean() > 0.965
    sure = np.array([classify_venue(str(kind), str(name)).confidence for kind, name in zip(
        places["type"], places["name"], strict=True)])
    assert (sure >= 0.85).mean() > 0.97
