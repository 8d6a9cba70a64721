"""Profiles: those of the package hold what is asked of them; every fault of a bureau's file is named, all at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import StudyError
from siteplan.export.master.plan_layers import FILES
from siteplan.profiles import (
    LAYERS,
    Profile,
    load_profiles,
    master_columns,
    profiles_with,
    read_profile,
    read_profiles,
)
from siteplan.tables import read_table

DOMAIN_FIELDS = {
    "BSM",
    "YSDM",
    "XZQDM",
    "XZQMC",
    "ZZBH",
    "ZZMC",
    "ZZLX",
    "JSFS",
    "GHZT",
    "JSSX",
    "JSNF",
    "JD",
    "WD",
    "XZB",
    "YZB",
    "GG",
    "TG",
    "JFMJ",
    "ZDMJ",
    "DKBH",
    "BZDYBH",
    "YDYHFLDM",
    "YDYHFLMC",
    "QSDW",
    "ZGBM",
    "CSLB",
    "MFKF",
    "GXYYS",
    "PD",
    "FGMB",
    "FGCUN",
    "MGJL",
    "CTBZ",
    "LY",
    "BBH",
    "BZ",
}
"""Fields that a site of the detailed plan has."""
SMALL = """
zh = "站址"
layer = "sites"
out = "zz"
geometry = "Point"
key = "BH"

[fields]
BH = { zh = "编号", source = "site_id", width = 40, mandatory = true }
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str | bytes, name: str = "bureau.toml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    return written


def faults(path: Path) -> list[tuple[str, str]]:
    """Field and key of every problem of a profile file."""
    with pytest.raises(StudyError) as caught:
        read_profile(path)
    assert all(problem.layer == "profile" and problem.file == path.name for problem in caught.value.problems)
    assert all(problem.reason and problem.remedy for problem in caught.value.problems)
    return [(problem.row, problem.field) for problem in caught.value.problems]


def told(path: Path) -> str:
    with pytest.raises(StudyError) as caught:
        read_profile(path)
    return str(caught.value)


def test_the_master_layers_are_those_that_a_plan_is_read_into() -> None:
    assert set(LAYERS) == set(FILES)


def test_sites_have_every_field_of_the_plan_databases() -> None:
    assert {field.name for field in load_profiles()["sites"].fields} >= DOMAIN_FIELDS


def test_sites_keep_every_field_of_the_plain_shapefile() -> None:
    """Names, types and decimals of shp/sites.shp are those that users know; a text has at least the same room."""
    fields = {(field.name, field.source): field for field in load_profiles()["sites"].fields}
    for source, known in read_table("export_fields")["sites"].items():
        if "out" in known:
            field = fields[known["out"], source]
            assert (field.type, field.decimals) == (known["type"], known.get("out_decimals", known.get("decimals", 0)))
            assert field.between == ("、" if known.get("list") else ""), source
    widths = {"ZZBH": 80, "ZZMC": 160, "DZ": 200, "QSDW": 160, "LY": 254, "BZ": 254}
    assert {name: field.width for (name, _), field in fields.items() if name in widths} == widths


@pytest.mark.parametrize("name", ["sites", "villages", "gaps", "units"])
def test_names_fit_a_shapefile_in_both_languages(name: str) -> None:
    for field in load_profiles()[name].fields:
        assert len(field.name.encode("ascii")) <= 10
        assert len(field.name_zh.encode("gbk")) <= 10
        assert not field.source or field.source in master_columns(load_profiles()[name].layer)
    assert load_profiles()[name].source


def test_coordinates_of_sites_have_the_digits_that_are_asked() -> None:
    fields = {field.name: field for field in load_profiles()["sites"].fields}
    assert (fields["XZB"].source, fields["XZB"].decimals, fields["YZB"].source) == ("x_north_m", 3, "y_east_m")
    assert (fields["JD"].decimals, fields["WD"].decimals) == (7, 7)


def test_a_small_profile_says_only_what_it_must(write: Write) -> None:
    profile = read_profile(
        write(SMALL + 'GG = { zh = "挂高", source = "antenna_height_m", type = "float", decimals = 1 }\n')
    )
    assert (profile.id, profile.out, profile.encoding, profile.crs) == ("bureau", "zz", "UTF-8", "")
    assert [(field.name, field.name_zh, field.type, field.width) for field in profile.fields] == [
        ("BH", "编号", "text", 40),
        ("GG", "挂高", "float", 18),
    ]
    assert dataclasses.asdict(profile)["fields"][0]["codes"] == {}


def test_a_change_of_a_field_that_is_not_kept_says_so(write: Write) -> None:
    """One that is dropped as well; a new field of the same name is complete by itself and may stand."""
    with pytest.raises(StudyError) as told:
        read_profile(write('''
like = "sites"
keep = ["ZZBH", "ZZMC", "ZZLX", "GG"]
drop = ["GG"]
[fields]
DZ = { width = 100 }
GG = { width = 9 }
QSDW = { zh = "权属", source = "owner", width = 80 }
'''))
    found = {(problem.row, problem.field, problem.reason) for problem in told.value.problems}
    assert found == {("DZ", "", "该字段不在 keep 中"), ("GG", "", "该字段在 drop 中")}


def test_like_takes_over_changes_renames_moves_adds_and_drops(write: Write) -> None:
    profile = read_profile(
        write("""
like = "sites"
zh = "中山通信站址"
out = "TXJZ"
encoding = "GBK"
keep = ["ZZBH", "ZZLX", "XZB", "YZB", "GG"]
drop = ["GG"]
[replace]
"䶮" = "龚"
[where]
kind = ["宏站", "微站"]
[fields]
JZBH = { was = "ZZBH", zh = "基站编号", name_zh = "基站编号" }
ZZLX = { width = 2, codes = { "宏站" = "01", "微站" = "02" } }
YSDM = { zh = "要素代码", value = "2090030100", width = 10, after = "JZBH" }
RQ = { zh = "编制日期", type = "date", value = 2026-06-30 }
""")
    )
    assert [field.name for field in profile.fields] == ["JZBH", "YSDM", "ZZLX", "XZB", "YZB", "RQ"]
    assert (profile.key, profile.style, profile.geometry) == ("JZBH", "ZZLX", "Point")  # the key follows its new name
    by_name = {field.name: field for field in profile.fields}
    assert (by_name["JZBH"].source, by_name["JZBH"].width, by_name["JZBH"].mandatory) == ("site_id", 80, True)
    assert dict(by_name["ZZLX"].codes) == {"宏站": "01", "微站": "02"}
    assert by_name["RQ"].value == "2026-06-30"
    assert profile.where == {"kind": ("宏站", "微站")}
    assert profile.replace == {"䶮": "龚"}
    assert load_profiles()["sites"].fields[0].name == "BSM"  # the package's own is untouched


def test_every_fault_of_a_file_is_told_at_once(write: Write) -> None:
    path = write("""
zh = "站址"
layer = "sits"
out = "规划"
geometry = "Polygone"
key = "NR"
encodng = "GBK"
[fields]
ZZBHZZBHZZB = { zh = "一", source = "site_id", width = 9 }
"站址" = { zh = "二", source = "name", width = 9 }
FID = { zh = "三", source = "name", width = 255 }
A = { zh = "基站共享运营商", source = "networks", width = 9 }
B = { zh = "㙍村", source = "name", width = 9 }
b = { zh = "五", width = 9 }
C = { zh = "六", source = "nme", width = 9, hight = 3 }
D = { zh = "七", source = "name" }
E = { zh = "八", source = "gain", type = "float", width = 5, decimals = 4 }
F = { zh = "九", source = "kind", width = 2, codes = { "宏站" = "001" } }
G = { zh = "十", source = "name", type = "real", width = 2 }
H = { zh = "五", source = "name", width = "9" }
I = 3
""")
    found = faults(path)
    for fault in [
        ("", "encodng"),
        ("", "geometry"),
        ("ZZBHZZBHZZB", ""),
        ("站址", ""),
        ("FID", ""),
        ("FID", "width"),
        ("A", "name_zh"),
        ("B", "name_zh"),
        ("b", ""),
        ("b", "source"),
        ("C", "hight"),
        ("D", "width"),
        ("E", "decimals"),
        ("F", "codes.宏站"),
        ("G", "type"),
        ("H", "width"),
        ("I", ""),
    ]:
        assert fault in found, fault
    text = told(path)
    assert "是否应为 encoding?" in text
    assert "不分大小写" in text
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('"sites"', '"sits"'), ("", "layer")),
        (('"zz"', '"../zz"'), ("", "out")),
        (('"zz"', '"CON"'), ("", "out")),
        (('"BH"', '"NR"'), ("", "key")),
        ((", mandatory = true", ""), ("BH", "mandatory")),
        (('source = "site_id"', 'value = "1"'), ("BH", "source")),
        (('"site_id"', '"siteid"'), ("BH", "source")),
        (('key = "BH"', 'key = "BH"\ncrs = "EPSG:2383"'), ("", "crs")),
        (('key = "BH"', 'key = "BH"\nstyle = "LX"'), ("", "style")),
        (('key = "BH"', 'key = "BH"\nwhere = { knd = ["宏站"] }'), ("", "where.knd")),
        (('key = "BH"', 'key = "BH"\nreplace = { "䶮" = "㙍" }'), ("", "replace.䶮")),
        (('key = "BH"', 'key = "BH"\ndrop = ["BH"]'), ("", "drop")),
        (('zh = "编号"', 'zh = "编号", was = "ZZBH"'), ("BH", "was")),
        (('key = "BH"', 'key = "BH"\nlike = "site"'), ("", "like")),
        (("width = 40", "width = 0"), ("BH", "width")),
        (("width = 40", "width = 40, value = 3"), ("BH", "value")),
        (('zh = "编号"', 'zh = "编\\n号"'), ("BH", "zh")),
    ],
)
def test_one_fault_is_one_problem(write: Write, change: tuple[str, str], fault: tuple[str, str]) -> None:
    assert change[0] in SMALL
    found = faults(write(SMALL.replace(*change)))
    assert fault in found
    assert len(found) <= 2  # a title with a line break is also no name


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('A = { zh = "甲", type = "int", value = "x" }', "value"),
        ('A = { zh = "甲", type = "float", value = inf }', "value"),
        ('A = { zh = "甲", type = "date", value = "30.6." }', "value"),
        ('A = { zh = "甲", width = 3, value = "四个汉字" }', "value"),
        ('A = { zh = "甲", type = "int", width = 2, value = 100 }', "value"),
        ('A = { zh = "甲", width = 3, value = true }', "value"),
        ('A = { zh = "甲", type = "int", source = "tier", codes = { "1" = "甲" } }', "codes.1"),
        ('A = { zh = "甲", type = "date", source = "name", codes = { "1" = "2" } }', "codes"),
        ('A = { zh = "甲", width = 3, value = "1", codes = { "1" = "2" } }', "codes"),
        ('A = { zh = "甲", type = "int", source = "tier", width = 19 }', "width"),
        ('A = { zh = "编号", source = "name", width = 9 }', "zh"),
        ('A = { zh = "甲", width = 9, value = "", mandatory = true }', "value"),
        ('A = { zh = "甲", type = "int", source = "tier", decimals = 1 }', "decimals"),
    ],
)
def test_a_value_that_cannot_stand_in_its_field_is_told(write: Write, line: str, key: str) -> None:
    assert ("A", key) in faults(write(SMALL + line))


def test_too_many_fields_are_told(write: Write) -> None:
    lines = "".join(f'F{number} = {{ zh = "列{number}", source = "name", width = 9 }}\n' for number in range(255))
    assert ("", "fields") in faults(write(SMALL + lines))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("zh = '规划'".encode("gbk"), "UTF-8"),
        ("zh = 站址".encode(), "第1行"),
        ("站 = 1".encode(), "TOML 语法错误"),
        (b"a = [", "TOML 语法错误"),
        (b"#" * 1_000_001, "1 MB"),
        (b"fields = 3", "应为表"),
        (b"", "缺少必需的键"),
        (b"a = " + b"[" * 5000, "嵌套太深"),
    ],
)
def test_a_file_that_is_none(write: Write, content: bytes, words: str) -> None:
    assert words in told(write(content))


def test_a_file_that_is_missing_and_one_from_notepad(write: Write, tmp_path: Path) -> None:
    assert "不能读取文件" in told(tmp_path / "none.toml")
    assert read_profile(write(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())).key == "BH"


def test_profiles_of_a_bureau_beside_those_of_the_package(write: Write) -> None:
    own = write(SMALL, "a.toml")
    assert list(profiles_with([own])) == ["sites", "villages", "gaps", "units", "a"]
    instead = write('like = "sites"\nid = "sites"\nzh = "代替"', "b.toml")
    assert profiles_with([instead])["sites"].zh == "代替"
    with pytest.raises(StudyError, match="相同"):
        profiles_with([write('like = "sites"', "c.toml")])  # would write sites.shp a second time
    with pytest.raises(StudyError) as caught:
        read_profiles([write("zh = 3", "d.toml"), write("key = 3", "e.toml")])
    assert {problem.file for problem in caught.value.problems} == {"d.toml", "e.toml"}
    with pytest.raises(StudyError, match="同名"):
        read_profiles(
            [own, write(SMALL + '\n[where]\nkind = ["宏站"]\n', "f.toml"), write('id = "a"' + SMALL, "g.toml")]
        )


def test_the_example_of_the_docs_is_one(write: Write) -> None:
    text = (Path(__file__).parents[1] / "docs" / "profiles.md").read_text("utf-8")
    examples = [part.split("```")[0] for part in text.split("```toml\n")[1:]]
    whole = [example for example in examples if "like =" in example or "layer =" in example]
    assert len(whole) >= 2
    for number, example in enumerate(whole):
        assert isinstance(read_profile(write(example, f"{number}.toml")), Profile)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.text(max_size=3), max_size=2)
)


@given(
    entry=st.dictionaries(
        st.sampled_from(["zh", "name_zh", "type", "width", "source", "value", "codes", "decimals", "x", "was"]),
        SCALARS,
        max_size=6,
    ),
    top=st.dictionaries(st.sampled_from(["zh", "key", "like", "keep", "crs"]), SCALARS),
)
def test_nothing_in_a_profile_is_a_traceback(entry: dict[str, object], top: dict[str, object]) -> None:
    from siteplan.profiles._load import _profile

    raw = {"zh": "甲", "layer": "sites", "out": "a", "geometry": "Point", "key": "A", **top, "fields": {"A": entry}}
    problems = ()
    try:
        profile = _profile(raw, "a.toml")
    except StudyError as error:
        problems = error.problems
    assert problems or profile.fields[0].zh == entry["zh"].strip()
