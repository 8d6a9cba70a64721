"""What Shapefile and MapInfo hold of a layer: names, encodings, widths; changes are told, the rest is a problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import ExportError
from siteplan.export.exchange.narrow import narrowed
from siteplan.export.exchange.out_layer import Adjustment, OutLayer
from siteplan.profiles import Profile, ProfileField

KEY = ProfileField("BH", "编号", "编号", "text", 20, source="site_id", mandatory=True)
RARE = "䶮村𬭎㙍"
"""Characters of place names that GBK does not have."""
ENCODINGS = ("UTF-8", "GBK", "GB18030")


def layer(
    values: Sequence[Any], kind: str = "text", width: int = 20, replace: dict[str, str] | None = None, **more: Any
) -> OutLayer:
    field = ProfileField("MC", "站址名称", "站址名称", kind, width, source="name", **more)  # type: ignore[arg-type]
    profile = Profile("t", "站址", "sites", "zz", "Point", "BH", (KEY, field), replace=replace or {})
    dtype = {"text": "str", "int": "Int64", "float": "float64", "date": "datetime64[s]"}[kind]
    table = gpd.GeoDataFrame(
        {
            "BH": pd.Series([f"S{number + 1}" for number in range(len(values))], dtype="str"),
            "MC": pd.Series(list(values), dtype=dtype),
        },
        geometry=gpd.GeoSeries([shapely.Point(0, 0)] * len(values), crs=4547),
    )
    return OutLayer(profile, "zz", table, (Adjustment("zz", "S1", "geometry", "a", "b", "earlier"),))


def faults(given: OutLayer, encoding: str = "GBK", names: str = "pinyin") -> list[tuple[str, str, str]]:
    """Row, field and reason of every problem."""
    with pytest.raises(ExportError) as caught:
        narrowed(given, encoding, names)
    assert all(problem.remedy for problem in caught.value.problems)
    return [(problem.row, problem.field, problem.reason) for problem in caught.value.problems]


def changes(given: OutLayer, encoding: str = "GBK") -> tuple[list[Any], list[tuple[str, str, str]]]:
    """What is written, and row, value and written text of every change."""
    narrow = narrowed(given, encoding, "pinyin")
    assert narrow.adjustments[:1] == given.adjustments
    texts = [None if pd.isna(value) else value for value in narrow.table["MC"]]
    return texts, [(change.row, change.value, change.written) for change in narrow.adjustments[1:]]


def test_what_fits_stays_as_it_is() -> None:
    given = layer(["溪口站", None, "a b"])
    narrow = narrowed(given, "GBK", "pinyin")
    pd.testing.assert_frame_equal(pd.DataFrame(narrow.table), pd.DataFrame(given.table))
    assert narrow.table.crs == given.table.crs
    assert narrow.adjustments == given.adjustments


def test_names_are_pinyin_or_chinese() -> None:
    assert narrowed(layer(["x"]), "GBK", "pinyin").table.columns.tolist() == ["BH", "MC", "geometry"]
    assert narrowed(layer(["x"]), "GBK", "chinese").table.columns.tolist() == ["编号", "站址名称", "geometry"]


def test_four_chinese_characters_do_not_fit_ten_bytes_of_utf_8() -> None:
    ((row, field, reason),) = faults(layer(["x"]), "UTF-8", "chinese")
    assert (row, field) == ("", "MC")
    assert "12 字节" in reason


def test_a_character_that_the_encoding_lacks_is_told_with_row_field_and_code() -> None:
    ((row, field, reason),) = faults(layer(["溪口站", RARE]))
    assert (row, field) == ("S2", "MC")
    assert "䶮𬭎㙍(U+4DAE U+2CB4E U+364D)" in reason
    assert "村" not in reason.split("没有")[1]


@pytest.mark.parametrize("encoding", ["UTF-8", "GB18030"])
def test_other_encodings_keep_every_character(encoding: str) -> None:
    assert changes(layer([RARE]), encoding) == ([RARE], [])


def test_the_profile_says_what_stands_for_a_character() -> None:
    given = layer([RARE, "溪口"], replace={"䶮": "龑", "𬭎": "宏", "㙍": "都", "溪": "西"})
    assert changes(given) == (["龑村宏都", "溪口"], [("S1", RARE, "龑村宏都")])  # what encodes is not replaced
    assert [row for row, _, _ in faults(layer([RARE], replace={"䶮": "龑"}))] == ["S1"]


@pytest.mark.parametrize(
    ("encoding", "width", "fits"),
    [
        ("GBK", 6, True),
        ("GBK", 5, False),
        ("UTF-8", 9, True),
        ("UTF-8", 8, False),
        ("GB18030", 6, True),
        ("GB18030", 5, False),
    ],
)
def test_the_width_counts_bytes_of_the_encoding(encoding: str, width: int, fits: bool) -> None:
    if fits:
        assert changes(layer(["溪口站"], width=width), encoding) == (["溪口站"], [])
    else:
        ((row, _, reason),) = faults(layer(["溪口站"], width=width), encoding)
        assert row == "S1"
        assert f"超过宽度 {width}" in reason


def test_rare_characters_take_up_to_four_bytes_in_gb18030() -> None:
    assert "有 12 字节" in faults(layer([RARE], width=11), "GB18030")[0][2]
    assert changes(layer([RARE], width=12), "GB18030") == ([RARE], [])


@pytest.mark.parametrize(("encoding", "expected"), [("UTF-8", "溪口…"), ("GBK", "溪口站名…")])
def test_a_text_is_cut_between_characters_and_told(encoding: str, expected: str) -> None:
    given = layer(["溪口站名称很长很长", "短"], width=10, over_long="cut")
    assert changes(given, encoding) == ([expected, "短"], [("S1", "溪口站名称很长很长", expected)])


def test_the_same_change_of_many_rows_is_told_once_with_their_number() -> None:
    texts, told = changes(layer(["一二三四五六"] * 9, width=8, over_long="cut"))
    assert texts == ["一二三…"] * 9
    assert told == [("S1、S2、S3等9行", "一二三四五六", "一二三…")]


def test_line_breaks_tabs_and_blanks_at_the_end_are_told() -> None:
    texts, told = changes(layer(["甲\r\n乙\t丙", "甲  ", " \n", "甲\u2028"]), "UTF-8")
    assert texts == ["甲 乙 丙", "甲", None, "甲"]
    assert {row for row, _, _ in told} == {"S1", "S2", "S3", "S4"}


@pytest.mark.parametrize(
    ("value", "kind", "width", "decimals", "fits"),
    [
        (999, "int", 3, 0, True),
        (1000, "int", 3, 0, False),
        (-99, "int", 3, 0, True),
        (-100, "int", 3, 0, False),
        (0, "int", 1, 0, True),
        (99.99, "float", 5, 2, True),
        (100.0, "float", 5, 2, False),
        (-9.99, "float", 5, 2, True),
        (-10.0, "float", 5, 2, False),
        (1e300, "float", 24, 3, False),
        (0.5, "float", 3, 1, True),
        (float("nan"), "float", 3, 1, True),
        (-0.5, "float", 3, 1, False),
    ],
)
def test_numbers_count_their_point_and_their_sign(
    value: float, kind: str, width: int, decimals: int, fits: bool
) -> None:
    given = layer([value], kind, width, decimals=decimals)
    if fits:
        assert narrowed(given, "GBK", "pinyin").table["MC"].equals(given.table["MC"])
    else:
        assert [(row, field) for row, field, _ in faults(given)] == [("S1", "MC")]


def test_all_faults_are_told_at_once() -> None:
    found = faults(layer([RARE, "一" * 11, "好"], width=20), "GBK")
    assert [row for row, _, _ in found] == ["S1", "S2"]
    with pytest.raises(ExportError, match="共 500 个问题"):
        narrowed(layer([RARE + str(number) for number in range(500)]), "GBK", "pinyin")


def test_keys_that_are_cut_alike_are_a_problem() -> None:
    field = ProfileField("BH", "编号", "编号", "text", 5, source="a", mandatory=True, over_long="cut")
    table = gpd.GeoDataFrame(
        {"BH": pd.Series(["站址一号", "站址二号"], dtype="str")}, geometry=[shapely.Point(0, 0)] * 2, crs=4547
    )
    given = OutLayer(Profile("t", "站址", "sites", "zz", "Point", "BH", (field,)), "zz", table)
    assert "主键重复" in faults(given)[0][2]


@pytest.mark.parametrize("text", ["<script>", "${x}", "`x`", "</script>", "=1+1", "../../x", "'\"", "@x"])
def test_names_are_data(text: str) -> None:
    assert changes(layer([text])) == ([text], [])


LETTERS = st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from([*"䶮𬭎㙍溪口站 ab…\n\t"]))


@given(
    st.lists(st.one_of(st.none(), st.text(LETTERS, min_size=1, max_size=12)), min_size=1, max_size=5),
    st.integers(1, 24),
    st.sampled_from(ENCODINGS),
    st.sampled_from(["error", "cut"]),
)
def test_what_comes_out_encodes_fits_and_reads_the_same_unless_told(
    values: list[str | None], width: int, encoding: str, over_long: str
) -> None:
    given, problems, narrow = layer(values, width=width, over_long=over_long), (), None
    try:
        narrow = narrowed(given, encoding, "pinyin")
    except ExportError as error:
        problems = error.problems
    if narrow is None:
        assert problems
        for problem in problems:  # each one is true of its row
            text = str(values[int(problem.row[1:]) - 1])
            kept = text.encode(encoding, errors="ignore").decode(encoding)
            assert kept != text or len(kept.encode(encoding)) > width
        return
    changed = {change.row for change in narrow.adjustments[1:]}
    for number, (before, after) in enumerate(zip(values, narrow.table["MC"], strict=True)):
        told = f"S{number + 1}" in changed or any("等" in row for row in changed)
        assert told or (pd.isna(after) if before is None else after == before)
        if not pd.isna(after):
            assert len(after.encode(encoding)) <= width
            assert after.encode(encoding).decode(encoding) == after
            assert after == after.rstrip(" ")
            assert not set(after) & set("\n\r\t")
