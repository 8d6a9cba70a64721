"""Comments of a meeting: put on the map, kept, written as a CSV that the study reads, and read back."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from chrome import CHROMIUM, Tab, chrome
from js_checks import STILL, clean, reopen
from map_plan import HOSTILE, make_plan

from siteplan.decisions import read_decisions
from siteplan.export.exchange.formats.text import unguarded
from siteplan.input_ledger import InputLedger
from siteplan.layers import inspect_layers
from siteplan.maps import write_review_map
from siteplan.params import LayerSource
from siteplan.tables import read_table
from tests.longer import only_with

pytestmark = [
    pytest.mark.browser,
    only_with("browser", "half a minute and more"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the map page is not opened"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
SMALL = {"shape": (100, 120), "pixel": 100.0, "candidates": 60, "proposed": 12, "villages": 8}
FIELDS = read_table("columns")["decisions"]["fields"]
REMARKS = "#sp-export-remarks"
HEAD = [FIELDS[name]["zh"] for name in ("id", "action", "value", "who", "date", "why")]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_review_map(make_plan(**SMALL), tmp_path_factory.mktemp("map") / "map.html")


@pytest.fixture(scope="module")
def opened(page: Path) -> Iterator[Tab]:
    with chrome(page) as tab:
        yield tab


@pytest.fixture
def tab(opened: Tab) -> Iterator[Tab]:
    """The page, opened anew."""
    reopen(opened)
    yield opened
    clean(opened)


def fill(tab: Tab, **values: str) -> None:
    """Fill the form as a hand does, and save."""
    for name, value in values.items():
        node = f"document.querySelector('.sp-form').elements.{name}"
        tab.evaluate(f"{node}.value = {json.dumps(value)}; {node}.dispatchEvent(new Event('change'))")
    tab.click(".sp-form .sp-main")


def comment_site(tab: Tab, number: int, **values: str) -> None:
    """Comment on the site of a number, through its card."""
    tab.evaluate(f"SP.goToSite(SP.layersOf.proposed.items[{number - 1}])")
    tab.wait_for(STILL)
    tab.click(".leaflet-popup .sp-comment")
    fill(tab, **values)


def exported(tab: Tab, button: str = "#sp-export") -> bytes:
    for old in tab.downloads.glob("*"):
        old.unlink()
    tab.click(button)
    return tab.downloaded("*.csv").read_bytes()


def as_layer(content: bytes) -> pd.DataFrame:
    """The CSV as the layer of the study: Chinese headings as the dictionary of columns reads them."""
    table = pd.read_csv(io.BytesIO(content), encoding="utf-8-sig", dtype=str, keep_default_na=False)
    assert list(table.columns) == HEAD
    return table.rename(columns={FIELDS[name]["zh"]: name for name in FIELDS})


def test_comments_become_decisions_of_the_study(tab: Tab) -> None:
    comment_site(tab, 1, action="禁用", why="业主不同意", who="市资源局", date="2026-03-05")
    comment_site(tab, 2, action="移动", value="113.39,22.51", why="移到北侧", who="市资源局", date="2026-03-05")
    comment_site(tab, 3, action="年度", value="2027", who="例会", date="2026-03-06")
    comment_site(tab, 4, why="再看一次", date="2026-03-06")
    content = exported(tab)
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\r\n") == 4
    assert b"\n" not in content.replace(b"\r\n", b"")
    ledger = InputLedger()
    read = read_decisions(as_layer(content), ledger)
    assert [(row.id, row.action, row.who) for row in read.rows] == [
        ("P-00000", "ban", "市资源局"), ("P-00001", "move", "市资源局"), ("P-00002", "year", "例会")]
    assert read.rows[0].date == dt.date(2026, 3, 5)
    assert read.rows[1].place == (113.39, 22.51)
    assert read.rows[1].lonlat
    assert read.rows[2].year == 2027
    assert (read.unused, ledger.count("refused")) == ((), 0)  # nothing that the reader would refuse
    remarks = as_layer(exported(tab, REMARKS))
    assert remarks[["id", "action", "why"]].to_numpy().tolist() == [["P-00003", "", "再看一次"]]


def test_the_csv_is_read_as_a_layer_of_the_study(tab: Tab, tmp_path: Path) -> None:
    """Through the study's own reader: decisions are kept, and no remark is among them to be refused."""
    comment_site(tab, 1, action="禁用", why='多\n行, "引号"', who="市资源局", date="2026-03-05")
    comment_site(tab, 2, why="只是意见")
    (tmp_path / "批注.csv").write_bytes(exported(tab))
    layers = inspect_layers({"decisions": LayerSource(path="批注.csv")}, "EPSG:4547", tmp_path)
    table = layers.tables["decisions"]
    assert table[["id", "action", "why", "who"]].to_numpy().tolist() == [["P-00000", "禁用", '多\n行, "引号"', "市资源局"]]
    assert layers.ledger.count("refused", "decisions") == 0


def test_every_action_of_the_table_is_offered_and_read(tab: Tab) -> None:
    actions = read_table("decisions")["actions"]
    values = {"move": "113.39,22.51", "year": "2028", "fee": "进场费 20000", "hard": "手续", "refused": "安全"}
    for number, (code, entry) in enumerate(actions.items(), start=1):
        comment_site(tab, number, action=entry["zh"], value=values.get(code, ""), why="x", who="y")
    read = read_decisions(as_layer(exported(tab)), InputLedger())
    assert [row.action for row in read.rows] == list(actions)
    assert read.unused == ()
    assert {row.date for row in read.rows} == {dt.datetime.now().astimezone().date()}  # the form's day, unless changed


def test_click_in_comment_mode_takes_the_site_or_the_place(tab: Tab) -> None:
    tab.click("[data-tool=pin]")
    x, y = tab.place(".sp-site .sp-no", 4)
    tab.click(x + 2, y + 2)
    number = int(tab.evaluate("document.querySelectorAll('.sp-site .sp-no')[4].textContent"))
    assert f"P-{number - 1:05d}" in tab.evaluate("document.querySelector('.sp-at').textContent")
    fill(tab, action="保留")
    tab.click("[data-tool=pin]")
    free = tab.evaluate("""(() => { const box = map_siteplan.getContainer().getBoundingClientRect();
      for (let x = 300; x < 800; x += 17) { for (let y = 200; y < 700; y += 13) {
        if (!SP.siteUnder(L.point(x, y))) { const at = map_siteplan.containerPointToLatLng([x, y]);
          return [x + box.left, y + box.top, at.lng, at.lat]; } } } })()""")
    tab.click(free[0], free[1])
    assert tab.evaluate("document.querySelector('.sp-form').elements.action.length") == 1  # no decision without a site
    fill(tab, why="此处要加站")
    assert tab.evaluate("document.querySelectorAll('.sp-pin-holder').length") == 2
    assert as_layer(exported(tab))["id"].tolist() == [f"P-{number - 1:05d}"]
    table = as_layer(exported(tab, REMARKS))
    assert table["id"].tolist() == [""]
    lon, lat = (float(part) for part in table["value"][0].split(","))
    assert (lon, lat) == pytest.approx((free[2], free[3]), abs=1.2e-4)  # half a pixel


def test_place_of_a_move_is_picked_on_the_map(tab: Tab) -> None:
    tab.evaluate("SP.goToSite(SP.layersOf.proposed.items[0])")
    tab.wait_for(STILL)
    tab.click(".leaflet-popup .sp-comment")
    tab.evaluate("(a => { a.value = '移动'; a.dispatchEvent(new Event('change')); })"
                 "(document.querySelector('.sp-form').elements.action)")
    tab.click(".sp-pick")
    tab.click(500, 600)
    at = tab.evaluate("(p => [p.lng, p.lat])(map_siteplan.containerPointToLatLng(L.point(500, 600 - "
                      "map_siteplan.getContainer().getBoundingClientRect().top)))")
    told = tab.evaluate("document.querySelector('.sp-form').elements.value.value")
    assert [float(part) for part in told.split(",")] == pytest.approx(at, abs=1.2e-4)  # half a pixel
    assert tab.evaluate("SP.mode") == ""


def test_comments_are_changed_and_deleted(tab: Tab) -> None:
    comment_site(tab, 1, action="保留", why="一")
    comment_site(tab, 2, action="保留", why="二")
    tab.click(".sp-pinlist li:nth-child(1) .sp-line button:nth-child(2)")
    fill(tab, action="禁用", why="改了")
    tab.click(".sp-pinlist li:nth-child(2) .sp-delete")
    assert [(row["id"], row["action"], row["why"]) for row in as_layer(exported(tab)).to_dict("records")] == [
        ("P-00000", "禁用", "改了")]
    assert tab.evaluate("document.querySelectorAll('.sp-pin-holder').length") == 1


def test_an_empty_comment_is_not_kept(tab: Tab) -> None:
    tab.evaluate("SP.goToSite(SP.layersOf.proposed.items[0])")
    tab.wait_for(STILL)
    tab.click(".leaflet-popup .sp-comment")
    fill(tab, why="  ")
    assert tab.evaluate("SP.pins.all().length") == 0
    assert "写下意见" in tab.evaluate("document.querySelector('#sp-said').innerText")


def test_comments_of_several_meetings_are_merged(tab: Tab, tmp_path: Path) -> None:
    comment_site(tab, 1, action="保留", why="甲会", who="甲", date="2026-03-05")
    first = exported(tab)
    path = tmp_path / "甲.csv"
    path.write_bytes(first)
    more = tmp_path / "乙.csv"  # another order of the columns, English headings, GBK, a site that the map lacks, a place
    rows = [["why", "id", "action", "value", "who", "date"], ["", "P-00005", "年度", "2027", "乙", "2026-03-06"],
            ["不在图上", "X-9", "禁用", "", "乙", ""], ["加站", "", "", "113.4,22.5", "乙", ""]]
    more.write_bytes("\n".join(",".join(f'"{cell}"' for cell in row) for row in rows).encode("gbk"))
    tab.choose_file("#sp-import", path)
    tab.wait_for("document.querySelector('#sp-said').innerText.includes('1 条与已有的相同')")
    tab.choose_file("#sp-import", more)
    tab.wait_for("SP.pins.all().length === 4")
    assert "1 条的站址编号图上没有" in tab.evaluate("document.querySelector('#sp-said').innerText")
    table = as_layer(exported(tab))
    assert table["id"].tolist() == ["P-00000", "P-00005", "X-9"]
    assert table["value"].tolist() == ["", "2027", ""]
    assert as_layer(exported(tab, REMARKS))["value"].tolist() == ["113.400000,22.500000"]
    assert tab.evaluate("document.querySelectorAll('.sp-pin-holder').length") == 3


@pytest.mark.parametrize("content", [b"", b"a,b\r\n1,2\r\n", b"\xff\xfe\x00\x01", "站址编号\r\nP-1\r\n".encode()])
def test_a_file_that_is_no_table_of_comments_is_told(tab: Tab, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    tab.choose_file("#sp-import", path)
    tab.wait_for("document.querySelector('#sp-said').innerText.includes('不是批注表')")
    assert tab.evaluate("SP.pins.all().length") == 0


FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
NASTY = [*HOSTILE, "=1+1", "+SUM(A1)", "-2+3", "@cmd", "\t=1", "多\n行", "逗,号", "'已有撇号", "../../x", "䶮𬭎㙍", "长" * 300,
         "'=1+1", "''=1", "'", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20cmd", "'\uff1d1"]


def test_nasty_text_goes_out_and_comes_back(tmp_path: Path) -> None:
    """Every text through the form, the list, the card, the CSV and back: shown as text, no formula, never changed."""
    path = write_review_map(make_plan(**SMALL, hostile=True), tmp_path / "hostile.html")
    wanted = [text.strip() for text in NASTY]
    with chrome(path) as tab:
        for number, text in enumerate(NASTY):
            tab.evaluate(f"SP.tell('comment', SP.commentedSite(SP.layersOf.proposed.items[{number % 12}]))")
            fill(tab, action="疑难", value=text.replace("\n", " "), why=text, who=text.replace("\n", " "))
        for number in (1, len(NASTY)):
            tab.click(f".sp-pinlist li:nth-child({number}) .sp-line button:first-child")
        content = exported(tab)
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))[1:]
        assert not [cell for row in rows for cell in row if cell.startswith(FORMULA)]
        assert [unguarded(row[5]) for row in rows] == wanted  # by the rule of the toolkit's own tables
        assert tab.evaluate("SP.pins.all().map(pin => pin.why)") == wanted
        assert [tab.evaluate("document.title"), tab.console, tab.requests] == [f"{HOSTILE[5]} · 站址规划评审图", [], []]
        assert tab.evaluate("document.querySelectorAll('#sp-pins script, #sp-pins img').length") == 0
        copy = tmp_path / "copy.csv"
        copy.write_bytes(content)
        reopen(tab)
        assert tab.evaluate("SP.pins.all().length") == 0
        tab.choose_file("#sp-import", copy)
        tab.wait_for(f"SP.pins.all().length === {len(NASTY)}")
        assert tab.evaluate("SP.pins.all().map(pin => pin.why)") == wanted
        assert exported(tab) == content
        for text in HOSTILE:
            tab.evaluate("document.querySelector('#sp-search').value = ''")
            tab.type(text, into="#sp-search")
            tab.key("Enter")
        clean(tab)


def test_unsaved_comments_warn_on_leaving(tab: Tab) -> None:
    def warned() -> bool:
        return bool(tab.evaluate("(e => (window.dispatchEvent(e), e.defaultPrevented))"
                                 "(new Event('beforeunload', {cancelable: true}))"))

    assert not warned()
    comment_site(tab, 1, action="保留")
    assert warned()
    exported(tab)
    assert not warned()
