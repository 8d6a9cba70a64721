"""Venue classes as data: two duties with two sources, profiles of law, what a study adds, and whom the group lacks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import ModelError
from siteplan.layers import read_layers
from siteplan.layers.formats.osm import TAGS
from siteplan.params import LayerSource
from siteplan.study._venues import venue_problems
from siteplan.tables import read_table
from siteplan.venues import (
    OTHER,
    classify_venue,
    department_of,
    gap_outside,
    is_department,
    load_venues,
    profile_names,
    venue_faults,
    venues_of,
)

CLASSES = load_venues().classes
PROFILES = read_table("venue_profiles")["profiles"]
DUTY_FIELDS = {"must_open", "must_be_free", "source_open", "source_free", "tier", "cost_model"}
NAMES = ("id", "zh", "examples", "words", "types", "osm", "gaode")
"""What tells a class from others: never taken over with ``like``."""


def changed(profile):
    """Fields that differ from the national catalogue: class -> {field: value}."""
    out = {}
    for name, entry in venues_of(profile).classes.items():
        national = CLASSES[name].model_dump()
        now = {key: value for key, value in entry.model_dump().items() if value != national[key]}
        if now:
            out[name] = now
    return out


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_is_whole(name):
    entry = CLASSES[name]
    assert entry.examples
    assert entry.source_open not in read_table("venues")["sources"]
    assert entry.source_free not in read_table("venues")["sources"]
    assert entry.cost_model in read_table("costs")["costs"]
    assert entry.must_open or not entry.must_be_free
    assert entry.takes_site or entry.why_not


def test_cost_models_are_those_of_the_cost_table():
    assert set(read_table("venues")["cost_models"]) == set(read_table("costs")["costs"])


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"public_building", "existing_site", "open_land", OTHER}))
def test_all_that_a_class_lists_leads_to_it(name):
    entry = CLASSES[name]
    for text in (*entry.examples, *entry.words):
        assert classify_venue("", text).venue_class == name, text
    for tag in entry.osm:
        assert classify_venue(tag, "").venue_class == name, tag
    for code in entry.gaode:
        assert classify_venue(code.ljust(6, "0"), "").venue_class == name, code
    for word in entry.types:
        assert classify_venue(f"大类;中类;{word}", "").venue_class == name, word


def test_tiers_are_one_to_six_and_say_what_they_hold():
    venues = load_venues()
    assert list(venues.tiers) == [1, 2, 3, 4, 5, 6]
    assert {entry.must_be_free for entry in CLASSES.values() if entry.tier == 1} == {True}
    assert {entry.must_be_free for entry in CLASSES.values() if entry.tier >= 3} == {False}
    assert {entry.must_open for entry in CLASSES.values() if entry.tier in (1, 2, 3)} == {True}
    assert {entry.must_open for entry in CLASSES.values() if entry.tier >= 4} == {False}
    assert {entry.cost_model for entry in CLASSES.values() if entry.tier == 1} == {"free_public"}


UNION = {   # classes of venues on the lists of nine provinces and cities (domain notes 7)
    "人民政府": "government", "事业单位": "institution", "国有企业": "soe", "学校": "school", "大学": "university",
    "医院": "hospital", "研究所": "institution", "公园": "park", "市民广场": "park", "公共绿地": "green_strip", "景区": "scenic",
    "自然保护区": "nature_reserve", "图书馆": "culture", "博物馆": "culture", "体育场": "sports", "展览馆": "culture",
    "城市道路": "road", "跨江大桥": "road_structure", "隧道": "road_structure", "绿化带": "green_strip", "铁路": "railway",
    "地铁站": "transport_hub", "机场": "transport_hub", "汽车客运站": "transport_hub", "公交车站": "bus_stop", "码头": "wharf",
    "轮渡": "wharf", "船闸": "wharf", "高速公路服务区": "service_area", "路灯杆": "pole", "监控杆": "police_pole",
    "信号杆": "police_pole", "门架": "gantry", "道路指示牌": "gantry", "电力塔": "power_tower", "地下空间": "underground",
    "公共厕所": "municipal", "垃圾转运站": "municipal", "污水处理厂": "water_works", "公路道班": "service_area",
    "商业楼宇": "commercial", "住宅小区": "housing"}


@pytest.mark.parametrize("word", UNION)
def test_every_kind_of_venue_of_the_published_lists_has_a_class(word):
    entry = CLASSES[UNION[word]]
    assert classify_venue("", f"城东{word}").venue_class == entry.id
    assert entry.must_open == (entry.id not in ("commercial", "housing"))


def test_tags_can_be_asked_for_in_openstreetmap_files():
    assert {tag.split("=")[0] for entry in CLASSES.values() for tag in entry.osm} <= set(TAGS)


# ---- the law -------------------------------------------------------------------------------------------------------

FREE_17 = ["government", "police", "fire_station", "institution", "soe", "transport_hub"]
OPEN_17 = ["hospital", "school", "university", "sports", "culture", "scenic", "road", "road_structure"]


def test_article_17_is_two_lists():
    """State organs, institutions, enterprises, hubs are free; hospitals, schools, venues, sights, roads only open."""
    shandong = venues_of("shandong").classes
    assert [shandong[name].must_be_free for name in FREE_17] == [True] * len(FREE_17)
    assert {(shandong[name].must_open, shandong[name].must_be_free) for name in OPEN_17} == {(True, False)}
    for name in (*FREE_17, *OPEN_17):
        assert "第十七条" in shandong[name].source_open
        assert "第十七条" in shandong[name].source_free
        assert CLASSES[name].must_be_free == shandong[name].must_be_free
    assert not shandong["pole"].must_be_free
    assert "未核实" in shandong["pole"].source_free


def test_ankang_opens_public_facilities_free_but_its_list_is_not_published():
    ankang = venues_of("ankang")
    park = ankang.classes["park"]
    assert (park.must_open, park.must_be_free, park.tier, park.cost_model) == (True, True, 1, "free_public")
    assert "名单未公布" in park.source_free
    assert "未核实" in park.source_free
    assert ankang.classes["school"] == CLASSES["school"]
    assert ankang.banned_fees == ("进场费", "协调费", "分摊费")


def test_ezhou_forbids_one_fee_more():
    assert set(venues_of("hubei_ezhou").banned_fees) - set(load_venues().banned_fees) == {"场地租赁费"}


def test_a_class_that_hainan_does_not_call_free_stays_as_it_is():
    hainan = venues_of("hainan").classes
    assert (hainan["municipal"].must_open, hainan["municipal"].must_be_free) == (True, False)
    assert "海南" in hainan["municipal"].source_open
    assert hainan["municipal"].source_free == CLASSES["municipal"].source_free


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_changes_only_what_it_says(profile):
    said: dict[str, dict[str, object]] = {}
    for duty in PROFILES[profile].get("duties", ()):
        assert set(duty) <= {"classes", "must_open", "must_be_free", "source", "verified"}
        assert {"must_open", "must_be_free"} & set(duty)
        for name in duty["classes"]:
            assert name in CLASSES
            assert name not in said, f"{profile}: {name} stands in two lists"
            said[name] = duty
    catalogue = venues_of(profile)
    for name, duty in said.items():
        for key, source in (("must_open", "source_open"), ("must_be_free", "source_free")):
            told = getattr(catalogue.classes[name], source).startswith(str(duty["source"]))
            assert told == (key in duty)
            assert getattr(catalogue.classes[name], key) == duty.get(key, getattr(CLASSES[name], key))
    for name, fields in changed(profile).items():
        assert name in said
        assert set(fields) <= DUTY_FIELDS
        assert ("tier" in fields or "cost_model" in fields) <= ("must_be_free" in fields)
    assert (catalogue.profile, catalogue.profile_zh) == (profile, PROFILES[profile]["zh"])
    assert catalogue.source
    for entry in catalogue.classes.values():
        assert entry.must_open or not entry.must_be_free
        assert (entry.tier == 1) <= entry.must_be_free


def test_the_national_profile_is_the_table():
    assert changed("national") == {}
    assert venues_of() is load_venues()
    assert next(iter(profile_names())) == "national"


# ---- departments ---------------------------------------------------------------------------------------------------


def test_members_are_those_of_the_paper(shared):
    text = next(shared("seeds").glob("000*.txt")).read_text(encoding="utf-8")
    listed = re.search(r"跨行业协调工作组由(.+?)等单位组成", text)
    assert listed is not None
    members = [re.sub("^中山(市人民政府|市)?", "", name) for name in listed[1].split("、")]
    departments = load_venues().departments.values()
    assert sorted(members) == sorted(entry.zh for entry in departments if entry.in_group)
    assert len(members) == 15
    for entry in departments:
        assert entry.in_group == (entry.source == "中山市跨行业协调工作组成员单位")


@pytest.mark.parametrize(("number", "words"), [
    ("003", {"urban": "市城管执法局", "water": "市水务局", "power": "供电局"}),
    ("001", {"emergency": "市应急局", "commerce": "市商务局", "water": "市水务局"})])
def test_departments_outside_stand_in_the_papers_that_they_name(shared, number, words):
    text = next(shared("seeds").glob(f"{number}*.txt")).read_text(encoding="utf-8")
    for code, word in words.items():
        assert word in text
        assert {"003": "市政公用服务接入联动机制", "001": "联席会议"}[number] in load_venues().departments[code].source
        assert department_of(word) == load_venues().departments[code].zh


def test_the_gap_is_shown():
    gap = gap_outside(load_venues())
    assert {"公共杆塔", "公园、广场与绿地"} <= set(gap.loc["urban", "classes"].split("；"))
    assert gap.loc["urban", "must_open_count"] == 4
    assert gap.loc["affairs", "free_classes"] == "党政机关；事业单位"
    assert (gap["note"] != "").all()
    assert not set(gap.index) & {name for name, entry in load_venues().departments.items() if entry.in_group}
    asked = {name for name, entry in CLASSES.items() if not load_venues().departments[entry.department].in_group}
    assert {zh for text in gap["classes"] for zh in text.split("；")} == {CLASSES[name].zh for name in asked}


def test_a_member_that_joins_leaves_the_gap():
    joined = venues_of(departments={"urban": {"in_group": True}})
    assert "urban" not in gap_outside(joined).index
    assert joined.departments["urban"].zh == load_venues().departments["urban"].zh


# ---- what a study adds ---------------------------------------------------------------------------------------------

OVERRIDES = st.fixed_dictionaries({}, optional={
    "department": st.sampled_from(sorted(load_venues().departments)),
    "mount": st.sampled_from(["roof", "ground", "pole"]),
    "default_roof_height_m": st.floats(1.0, 100.0), "indoor": st.booleans(), "tier": st.integers(1, 6),
    "cost_model": st.sampled_from(sorted(read_table("costs")["costs"]))})


@given(st.sampled_from(sorted(CLASSES)), OVERRIDES)
def test_like_takes_over_everything_but_the_names(base, own):
    made = venues_of(classes={"own": {"like": base, "zh": "自设类别", **own}}).classes
    whole = made["own"].model_dump()
    assert {key: whole[key] for key in own} == own
    for key, value in CLASSES[base].model_dump().items():
        if key not in own and key not in NAMES:
            assert whole[key] == value
    assert (whole["words"], whole["osm"], whole["zh"]) == ((), (), "自设类别")
    assert {name: made[name] for name in CLASSES} == dict(CLASSES)


@given(st.sampled_from(sorted(CLASSES)), OVERRIDES)
def test_an_entry_of_the_same_name_changes_single_fields(name, own):
    made = venues_of(classes={name: own}).classes
    assert made[name].model_dump() == {**CLASSES[name].model_dump(), **own}
    assert list(made) == list(CLASSES)


@given(st.sampled_from(sorted(CLASSES)), st.sampled_from(sorted(PROFILES)))
def test_like_follows_the_profile_and_a_chain_its_links(base, profile):
    made = venues_of(profile, classes={"b": {"like": "a", "zh": "乙"},
                                       "a": {"like": base, "zh": "甲", "mount": "pole"}}).classes
    of_law = venues_of(profile).classes[base]
    assert (made["b"].must_be_free, made["b"].source_free) == (of_law.must_be_free, of_law.source_free)
    assert (made["b"].tier, made["b"].mount, made["b"].zh) == (of_law.tier, "pole", "乙")


def test_a_duty_that_a_study_sets_is_the_studys_and_tier_and_cost_follow():
    made = venues_of(classes={"park": {"must_be_free": True}, "school": {"must_be_free": True, "tier": 3},
                              "government": {"must_be_free": False, "source_free": "市政府会议纪要"}}).classes
    assert (made["park"].tier, made["park"].cost_model, made["park"].source_free) == (1, "free_public", "研究文件")
    assert made["park"].source_open == CLASSES["park"].source_open
    assert (made["school"].tier, made["school"].cost_model) == (3, "free_public")
    assert (made["government"].tier, made["government"].cost_model) == (3, "public_other")
    assert made["government"].source_free == "市政府会议纪要"


def test_a_duty_is_handed_on_with_its_source_and_its_tier():
    made = venues_of(classes={"b": {"like": "a", "zh": "乙"}, "a": {"like": "park", "zh": "甲", "must_be_free": True},
                              "c": {"like": "b", "zh": "丙", "must_be_free": False}}).classes
    assert (made["b"].must_be_free, made["b"].source_free, made["b"].tier) == (True, "研究文件", 1)
    assert (made["c"].must_be_free, made["c"].source_free, made["c"].tier) == (False, "研究文件", 3)


def test_words_of_the_study_are_read_and_leave_the_package_alone():
    own = venues_of(classes={"night": {"like": "park", "zh": "夜市", "words": ["夜市", "大排档"]},
                             "school": {"more_words": ["书院"]}},
                    departments={"science": {"zh": "科学技术局", "words": ["科技局"]}})
    assert classify_venue("", "人民路夜市", own)[:2] == ("night", "name:夜市")
    assert classify_venue("", "城东书院", own)[:2] == ("school", "name:书院")
    assert classify_venue("", "第二中学", own) == classify_venue("", "第二中学")
    assert classify_venue("", "人民路夜市").venue_class == classify_venue("", "城东书院").venue_class == OTHER
    assert own.classes["school"].words == (*CLASSES["school"].words, "书院")
    assert department_of("市科技局", own) == "科学技术局"
    assert is_department("市科技局", own)
    assert not is_department("市科技局")


def test_tiers_are_the_studys_to_change():
    made = venues_of(tiers={"3": {"preference": 0.85}, "7": {"zh": "自有新址", "preference": 0.3}},
                     classes={"park": {"tier": 7}})
    assert [made.tiers[number].preference for number in (2, 3, 7)] == [0.95, 0.85, 0.3]
    assert made.tiers[made.classes["park"].tier].zh == "自有新址"
    assert list(made.tiers) == sorted(made.tiers)


# ---- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("venues", "field", "said"), [
    ({"profile": "shandon"}, "profile", "没有这个开放规定"),
    ({"classes": {"park": {"tir": 2}}}, "classes.park.tir", "没有这个键"),
    ({"classes": {"park": {"id": "x"}}}, "classes.park.id", "没有这个键"),
    ({"classes": {"park": {"must_open": "yes"}}}, "classes.park.must_open", "true 或 false"),
    ({"classes": {"park": {"words": "公园"}}}, "classes.park.words", "列表"),
    ({"classes": {"park": {"words": ["公园", ""]}}}, "classes.park.words", "不能为空"),
    ({"classes": {"park": {"more_words": "公园"}}}, "classes.park.more_words", "文字的列表"),
    ({"classes": {"park": {"osm": ["park"]}}}, "classes.park.osm", "键=值"),
    ({"classes": {"park": {"gaode": ["十一"]}}}, "classes.park.gaode", "数字"),
    ({"classes": {"park": {"mount": "sky"}}}, "classes.park.mount", "只能写"),
    ({"classes": {"park": {"tier": 9}}}, "classes.park.tier", "没有这个层级:9"),
    ({"classes": {"park": {"department": "urbn"}}}, "classes.park.department", "没有这个主管部门:urbn"),
    ({"classes": {"park": {"cost_model": "gratis"}}}, "classes.park.cost_model", "没有这个造价模型"),
    ({"classes": {"housing": {"must_be_free": True}}}, "classes.housing.must_be_free", "必须应开放"),
    ({"classes": {"park": {"takes_site": False}}}, "classes.park.why_not", "没有写原因"),
    ({"classes": {"own": {"like": "prk", "zh": "甲"}}}, "classes.own.like", "没有这个条目:prk"),
    ({"classes": {"own": {"like": "park"}}}, "classes.own.zh", "缺少必需的键"),
    ({"classes": {"own": {"like": "park", "zh": "甲", "words": ["小学"]}}}, "classes.own.words", "中小学与幼儿园"),
    ({"classes": {"own": {"like": "park", "zh": "甲", "osm": ["leisure=park"]}}}, "classes.own.osm", "公园"),
    ({"classes": {"park": {"more_words": ["小学"]}}}, "classes.park.more_words", "中小学与幼儿园"),
    ({"tiers": {"first": {"preference": 1.0}}}, "tiers.first", "整数"),
    ({"tiers": {"7": {"preference": 0.1}}}, "tiers.7.zh", "缺少必需的键"),
    ({"tiers": {"2": {"preference": 0}}}, "tiers.2.preference", "须大于 0"),
    ({"tiers": {"2": {"preference": 1.5}}}, "tiers.2.preference", "与先后次序相反"),
    ({"departments": {"own": {"words": ["甲"]}}}, "departments.own.zh", "缺少必需的键"),
    ({"departments": {"own": {"zh": "公安局"}}}, "departments.own.zh", "公安局"),
    ({"departments": {"own": {"zh": "城管局", "words": ["城管"]}}}, "departments.own.words", "城市管理和综合执法局"),
    ({"departments": {"urban": {"in_group": 1}}}, "departments.urban.in_group", "true 或 false")])
def test_one_fault_is_told_once(venues, field, said):
    (problem,) = venue_problems({"venues": venues}, "study.toml")
    assert (problem.layer, problem.file, problem.field) == ("study", "study.toml", f"venues.{field}")
    assert said in problem.reason
    assert problem.remedy
    tables = {key: venues.get(key, {}) for key in ("classes", "tiers", "departments")}
    with pytest.raises(ModelError, match=re.escape(problem.reason)):
        venues_of(venues.get("profile", "national"), **tables)


def test_all_faults_are_told_at_once():
    raw = tomllib.loads("""
        [venues]
        profile = "mars"
        [venues.classes.a]
        like = "b"
        [venues.classes.b]
        like = "a"
        [venues.classes.park]
        tier = 12
        department = "nobody"
        [venues.tiers.0]
        [venues.departments.x]
        colour = "red"
        """)
    assert sorted(problem.field for problem in venue_problems(raw, "f")) == [
        "venues.classes.a.like", "venues.classes.b.like", "venues.classes.park.department", "venues.classes.park.tier",
        "venues.departments.x.colour", "venues.departments.x.zh", "venues.profile", "venues.tiers.0"]


@pytest.mark.parametrize("raw", [{}, {"venues": 3}, {"venues": {"classes": [], "tiers": "x", "profile": 7}},
                                 {"venues": {"classes": {"park": 1}}}])
def test_what_is_no_table_is_told_elsewhere(raw):
    assert list(venue_problems(raw, "f")) == []


def test_a_cost_model_of_the_study_may_be_named():
    raw = {"candidates": {"costs": {"own": {}}}, "venues": {"classes": {"park": {"cost_model": "own"}}}}
    assert list(venue_problems(raw, "f")) == []
    assert venues_of(classes=raw["venues"]["classes"], cost_models=("own",)).classes["park"].cost_model == "own"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text(max_size=4) | st.sampled_from(sorted(CLASSES)),
    lambda inner: st.lists(inner, max_size=2), max_leaves=4)


@given(st.dictionaries(st.sampled_from(["park", "school", "own"]), st.dictionaries(
    st.sampled_from(["like", "zh", "words", "more_words", "osm", "gaode", "tier", "department", "must_open",
                     "must_be_free", "takes_site", "opens"]), JUNK, max_size=4), max_size=3),
       st.dictionaries(st.text("0123456789ab", min_size=1, max_size=2), st.dictionaries(
           st.sampled_from(["like", "zh", "preference"]), JUNK, max_size=3), max_size=2))
def test_entries_without_a_fault_make_a_catalogue_and_others_do_not(classes, tiers):
    if list(venue_faults("national", classes, tiers, {})):
        with pytest.raises(ModelError):
            venues_of("national", classes, tiers)
    else:
        made = venues_of("national", classes, tiers)
        assert set(made.classes) == {*CLASSES, *classes}


# ---- real data -----------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_every_facility_of_chengdu_has_a_class_and_a_department(shared):
    """1,054 schools, parks and gymnasiums, 2,264 hotels."""
    folder = shared("data/chengdu/facilities_population")
    venues = pd.read_csv(folder / "supply_facilities_CLEAN.csv")
    found = pd.Series([classify_venue(kind, name).venue_class
                       for kind, name in zip(venues["facility_subtype"], venues["name"], strict=True)])
    assert len(found) == 1054
    told = found.groupby(venues["facility_subtype"]).unique().map(list).to_dict()
    assert told == {"小学": ["school"], "中学": ["school"], "其他学校": ["school"], "大学/高等院校": ["university"],
                    "公园绿地": ["park"], "体育场馆": ["sports"]}
    assert found.map(load_venues().department_name).value_counts().to_dict() == {
        "教育和体育局": 519 + 161 + 109, "城市管理和综合执法局": 265}
    hotels = pd.read_csv(folder / "hotel_facilities_filtered.csv")
    assert {classify_venue(kind, name).venue_class
            for kind, name in zip(hotels["facility_type"], hotels["name"], strict=True)} == {"commercial"}


@pytest.mark.shared
def test_town_halls_and_schools_of_liechtenstein(shared):
    file = shared("data/liechtenstein/liechtenstein-latest.osm.pbf")
    study = tomllib.loads((Path(__file__).parents[1] / "data/liechtenstein/study.toml").read_text(encoding="utf-8"))
    table = read_layers({
        "facilities": LayerSource(path=str(file), layer="multipolygons", where=study["layers"]["facilities"]["where"]),
        "villages": LayerSource(path=str(file), layer="multipolygons", where=study["layers"]["villages"]["where"]),
        "ground": LayerSource(path=str(file.with_name("N47E009.hgt")))}, "EPSG:32632", "/").table("facilities")
    assert OTHER not in set(table["venue_class"])
    assert set(table["department"]) <= {entry.zh for entry in load_venues().departments.values()}
    rule = table["class_rule"].str.removeprefix("osm:amenity=")
    wanted = {"school": "school", "kindergarten": "school", "townhall": "government", "hospital": "hospital",
              "police": "police", "fire_station": "fire_station", "library": "culture", "community_centre": "community",
              "place_of_worship": "religious", "post_office": "soe", "university": "university", "theatre": "culture",
              "nursing_home": "welfare", "bus_station": "transport_hub"}
    assert set(rule) <= set(wanted)
    assert {"school", "townhall", "fire_station"} <= set(rule)
    assert (table["venue_class"] == rule.map(wanted)).all()
