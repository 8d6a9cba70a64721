"""Files of comments: texts that look like formulas, large files, texts slow to read; decisions by themselves."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import pytest
from chrome import CHROMIUM, Tab, chrome
from js_checks import clean
from map_plan import make_plan

from siteplan.export.exchange.formats.text import unguarded
from siteplan.maps import write_review_map

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the map page is not opened"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
SMALL = {"shape": (100, 120), "pixel": 100.0, "candidates": 60, "proposed": 12, "villages": 8}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
STARTS = ["", "'", "''", *FORMULA, *(f"'{sign}" for sign in FORMULA)]
TEXTS = [start + end for start in STARTS for end in ("", "1", ' "a", b', "x\r\ny") if start + end]
READ = "SP.readPins(new TextEncoder().encode({0}).buffer)"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    page = write_review_map(make_plan(**SMALL), tmp_path_factory.mktemp("map") / "map.html")
    with chrome(page) as tab:
        yield tab
        clean(tab)


@pytest.fixture
def tab(opened: Tab) -> Tab:
    opened.evaluate("SP.pins.all().length = 0")
    return opened


def read(tab: Tab, rows: list[list[str]]) -> str:
    """Import rows; what the page says."""
    text = io.StringIO()
    csv.writer(text).writerows([["id", "action", "value", "who", "date", "why"], *rows])
    tab.evaluate(READ.format(json.dumps(text.getvalue())))
    return str(tab.evaluate("document.querySelector('#sp-said').textContent"))


def test_every_text_goes_out_safe_and_comes_back_exactly(tab: Tab) -> None:
    pins = [{"id": "P-00001", "action": "ban", "value": "", "who": text, "date": "", "why": text} for text in TEXTS]
    tab.evaluate(f"SP.pins.add({json.dumps(pins)})")
    content = tab.evaluate("SP.pinsText(true)")
    rows = list(csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline="")))[1:]
    assert not [cell for row in rows for cell in row if cell.startswith(FORMULA)]
    assert [unguarded(row[5]) for row in rows] == TEXTS
    tab.evaluate("SP.pins.all().length = 0")
    tab.evaluate(READ.format(json.dumps(content)))
    assert tab.evaluate("SP.pins.all().map(pin => [pin.who, pin.why])") == [[text, text] for text in TEXTS]
    assert tab.evaluate("SP.pinsText(true)") == content


@pytest.mark.parametrize("text", [
    "1" + " " * 20_000 + "x", "1" * 20_000 + "x", "1°" + " " * 20_000 + "x", "1 " * 10_000 + "x", "1°1′" * 5_000,
    "1" + " " * 400 + "x", "1" + " " * 70 + "x", "1°" * 39 + "x", "1," * 39 + "x", "9" * 79 + "x",
    "1°" + "2" * 76 + "x"])
def test_a_long_text_is_refused_at_once(tab: Tab, text: str) -> None:
    spent, place = tab.evaluate("(text => { const start = performance.now(), place = SP.readPlace(text);"
                                f" return [performance.now() - start, place]; }})({json.dumps(text)})")
    assert place is None
    assert spent < 50


def test_places_with_much_white_space_are_still_read(tab: Tab) -> None:
    typed = ["  113.39 ,\t 22.51 ", "113.39\n22.51", "113\u3000 °  23 ′ 24″ E ,  22° 30′ 36″  N", "113.39 °E  22.51 °N"]
    for text in typed:
        at = tab.evaluate(f"(p => p && [p.at.lng, p.at.lat])(SP.readPlace({json.dumps(text)}))")
        assert at == pytest.approx([113.39, 22.51])


def test_many_rows_are_read_in_linear_time(tab: Tab) -> None:
    """Four thousand rows with hostile places: seconds, most of them for the list that shows them."""
    slow = "1" + " " * 400 + "x"
    rows = [[f"X-{number}" if number % 2 else "", "", slow, "", "", f"说明{number}"] for number in range(4_000)]
    start = tab.evaluate("performance.now()")
    assert "4000 条" in read(tab, rows)
    assert tab.evaluate("performance.now()") - start < 6000
    assert "1000 条与已有的相同" in read(tab, rows[:1000])


def test_too_many_rows_and_too_large_a_file_are_told(tab: Tab) -> None:
    assert "5001 行" in read(tab, [["", "", "", "", "", str(number)] for number in range(5_001)])
    tab.evaluate("SP.readPins(new ArrayBuffer(8e6 + 1))")
    assert "超过 8 MB" in tab.evaluate("document.querySelector('#sp-said').textContent")
    assert tab.evaluate("SP.pins.all().length") == 0


def test_only_what_the_study_reads_is_a_decision(tab: Tab) -> None:
    """Words of the table and its other spellings; not without a site, a year or a place where one is asked for."""
    rows = [["P-1", "剔除", ""], ["P-2", "年度", "2027"], ["P-3", "year", "2028.0"], ["P-4", "移动", "113.39，22.51"],
            ["P-5", "ＢＡＮ", ""], ["", "禁用", ""], ["P-7", "年度", "明年"], ["P-8", "移动", "北侧"], ["P-9", "", ""],
            ["P-10", "涨价", ""]]
    said = read(tab, [[*row, "甲", "2026-03-05", "x"] for row in rows])
    assert "4 条的决定或取值读不出" in said
    written = [list(csv.reader(io.StringIO(tab.evaluate(f"SP.pinsText({kind})"))))[1:] for kind in ("true", "false")]
    assert [[row[0] for row in part] for part in written] == [
        ["P-1", "P-2", "P-3", "P-4", "P-5"], ["", "P-7", "P-8", "P-9", "P-10"]]


def test_a_decision_without_the_value_it_needs_is_not_kept(tab: Tab) -> None:
    tab.evaluate("SP.tell('comment', SP.commentedSite(SP.layersOf.proposed.items[0]))")
    tab.evaluate("(a => { a.value = '年度'; a.dispatchEvent(new Event('change')); })"
                 "(document.querySelector('.sp-form').elements.action)")
    tab.click(".sp-form .sp-main")
    assert tab.evaluate("SP.pins.all().length") == 0
    assert "请填写取值" in tab.evaluate("document.querySelector('#sp-said').textContent")


def test_a_site_is_found_by_its_number_in_every_layer(tab: Tab) -> None:
    told = tab.evaluate("['candidates', 'existing', 'refused'].map(name => SP.packed(name)).filter(p => p)"
                        ".map(p => [p.id(p.count - 1), p.lat(p.count - 1), p.lon(p.count - 1)])")
    assert told
    read(tab, [[key, "禁用", "", "", "", ""] for key, _, _ in told])
    assert tab.evaluate("SP.pins.all().map(pin => pin.at)") == [[lat, lon] for _, lat, lon in told]
