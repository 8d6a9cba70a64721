"""The review map in a headless Chromium without a network: it draws, asks for nothing, and runs no text of the data."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chrome import CHROMIUM, Tab, chrome
from js_checks import clean, count, reopen, text
from map_plan import HOSTILE, make_plan
from PIL import Image

from siteplan.maps import inline_page, write_review_map
from siteplan.maps._options import MapOptions

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the map page is not opened"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
SMALL = {"shape": (100, 120), "pixel": 100.0, "candidates": 500, "proposed": 12, "villages": 8}
OPEN_ALL = """(() => { let cards = 0;
  map_siteplan.eachLayer(layer => {
    if (layer.getTooltip && layer.getTooltip()) { layer.openTooltip(); cards += 1; layer.fire("click"); }
  });
  SP.layersOf.proposed.items.forEach(site => { SP.openSite(site); cards += 1; });
  ["existing", "candidates", "refused"].forEach(name => { for (let i = 0; i < SP.packed(name).count; i += 1) {
    SP.openPacked(name, i); cards += 1; } });
  return cards; })()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_review_map(make_plan(**SMALL), tmp_path_factory.mktemp("map") / "评审图 a.html")


@pytest.fixture(scope="module")
def opened(page: Path) -> Iterator[Tab]:
    with chrome(page) as tab:
        yield tab


def test_page_draws_everything_offline(opened: Tab) -> None:
    tab = opened
    assert tab.evaluate("document.title").endswith("站址规划评审图")
    assert count(tab, ".sp-site .sp-no") == 12
    assert count(tab, "#sp-sites li") == 12
    assert count(tab, "img.leaflet-image-layer") == 2  # signal and relief
    assert count(tab, "path[stroke-dasharray='7 4']") == 4  # zones
    assert count(tab, ".leaflet-control-scale-line") == count(tab, ".sp-north") == count(tab, ".sp-block") == 1
    assert count(tab, ".sp-legend") >= 8
    ticks = "[...document.querySelectorAll('#sp-layers [data-layer]')].map(tick => tick.dataset.layer)"
    assert tab.evaluate(ticks) == [
        "signal", "gained", "gaps", "indoor_gaps", "stretches", "indoor_buildings", "hot_spots", "complaints",
        "villages", "zones", "proposed", "existing", "candidates", "refused", "restricted", "works", "units",
        "boundary", "towns", "main_roads", "roads", "water", "relief"]
    assert count(tab, ".sp-label.gap") > 0
    assert "热点1" in text(tab, ".folium-map")
    assert tab.evaluate("SP.onMap('existing')[0]._source.count") == 40
    clean(tab)


def test_no_word_of_the_page_is_missing(opened: Tab) -> None:
    """A word that the table lacks would show as its key: letters with an underscore."""
    shown = text(opened) + opened.evaluate("""
        [...document.querySelectorAll('[aria-label], [title], [placeholder]')].map(n =>
            ['aria-label', 'title', 'placeholder'].map(a => n.getAttribute(a)).join(' ')).join(' ')""")
    keys = opened.evaluate("Object.keys(SP.data.words)")
    assert {key for key in keys if "_" in key and key in shown.split()} == set()


def test_the_check_for_requests_sees_a_request(tmp_path: Path) -> None:
    path = tmp_path / "asks.html"
    path.write_text('<img src="http://map.example.org/a.png">', "utf-8")
    with chrome(path) as tab:
        assert tab.requests == ["http://map.example.org/a.png"]


@pytest.mark.parametrize(("fragment", "check"), [
    ("state=before", "!document.querySelector('.sp-site') && document.body.dataset.state === 'before'"),
    ("on=candidates,refused,gained,roads", "SP.pointLayers.length === 3 && SP.onMap('gained').length === 1"),
    ("off=signal,relief,proposed",
     "!document.querySelector('.leaflet-image-layer') && !document.querySelector('.sp-site')"),
    ("on=complaints", "document.querySelector('path[stroke=\"#ff1fa5\"]')"),
    ("on=stretches,indoor_gaps,indoor_buildings", "document.querySelector('path[fill=\"#f59e0b\"]')"),
    ("on=indoor_buildings&state=before", ("!document.querySelector('path[fill=\"#f59e0b\"]') && "
                                          "document.body.innerText.includes('切换到“规划后”显示')")),
    ("tab=goals", "!document.querySelector('#sp-goals').hidden && document.querySelector('#sp-goals details')"),
    ("site=1", "document.querySelector('.sp-found') && document.querySelector('.leaflet-popup')"),
    ("cover=probability&swipe=30&year=2027",
     "SP.view.swipe && SP.view.cover === 'probability' && SP.onMap('signal').length === 2"),
])
def test_the_address_says_what_is_shown(opened: Tab, fragment: str, check: str) -> None:
    reopen(opened, fragment)
    opened.wait_for(f"Boolean({check})", 3)
    clean(opened)


def test_pointer_meets_populated_gaps_before_villages(opened: Tab) -> None:
    reopen(opened)
    met = opened.evaluate("""(() => { ["proposed", "existing", "hot_spots"].forEach(id => { SP.on[id] = false; });
      SP.refresh();
      const found = SP.layersOf.gaps_after.items.filter(item => item.no).map(item => {
        const at = map_siteplan.latLngToContainerPoint(item.at);
        const box = map_siteplan.getContainer().getBoundingClientRect();
        return document.elementFromPoint(box.left + at.x, box.top + at.y);
      }).filter(node => node && node.closest(".leaflet-map-pane")).map(node => node.getAttribute("fill") || "nothing");
      ["proposed", "existing", "hot_spots"].forEach(id => { SP.on[id] = true; });
      SP.refresh();
      return found; })()""")
    assert len(met) >= 3
    assert {fill.startswith("url(#sp-gap-") for fill in met} == {True}


def test_hostile_names_run_nothing(tmp_path: Path) -> None:
    path = write_review_map(make_plan(**{**SMALL, "candidates": 60}, hostile=True), tmp_path / "hostile.html")
    more = "on=candidates,refused,complaints,indoor_buildings,stretches,indoor_gaps,works,restricted"
    with chrome(path, more) as tab:
        assert tab.evaluate(OPEN_ALL) > 100
        for state in ("before", "swipe", "after"):
            tab.click(f"#sp-state [data-state={state}]")
        tab.click("[data-tool=about]")
        assert tab.evaluate("document.title") == f"{HOSTILE[5]} · 站址规划评审图"
        assert tab.evaluate("document.querySelectorAll('body img:not(.leaflet-image-layer)').length") == 0
        assert count(tab, "body script") == tab.evaluate("[...document.scripts].filter(s => s.closest('body')).length")
        shown = text(tab)
        for name in (HOSTILE[0], HOSTILE[1], HOSTILE[5]):
            assert name in shown
        clean(tab)


@pytest.mark.parametrize(("width", "height"), [(1600, 1000), (1280, 720), (390, 844)])
def test_nothing_hangs_out_of_the_window(opened: Tab, width: int, height: int) -> None:
    tab = opened
    tab.resize(width, height)
    reopen(tab)
    try:
        assert tab.evaluate("(d => [d.scrollWidth, d.scrollHeight])(document.documentElement)") == [width, height]
        boxes = tab.evaluate("""
          [...document.querySelectorAll(".sp-search, .sp-bar, .sp-block, .sp-years, #sp-tabs, #sp-state")]
          .map(node => { const b = node.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; })""")
        assert len(boxes) == 6
        for left, top, right, bottom in boxes:
            assert left >= 0
            assert top >= 0
            assert right <= width
            assert bottom <= height
        picture = np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("RGB"))
        assert picture.shape == (height, width, 3)
        assert len(set(map(tuple, picture[::7, ::7].reshape(-1, 3).tolist()))) > 200
        clean(tab)
    finally:
        tab.resize(1600, 1000)


@pytest.mark.parametrize(("width", "height"), [(1600, 1000), (1280, 720), (390, 844)])
def test_title_block_is_one_line_until_it_is_opened(opened: Tab, width: int, height: int) -> None:
    """Closed it hides little of the map, covers no other control, and says day, approval and secrecy in full."""
    tab = opened
    tab.resize(width, height)
    reopen(tab)
    try:
        told = tab.evaluate("""(block => { const box = block.getBoundingClientRect();
          const years = document.querySelector('.sp-years').getBoundingClientRect();
          const parts = [...block.querySelectorAll('.sp-closed span')].slice(1);
          const apart = box.left >= years.right || box.bottom <= years.top;
          return [block.open, box.height, apart, parts.every(part => { const own = part.getBoundingClientRect();
            return own.width > 0 && own.right <= box.right && own.bottom <= box.bottom; }),
            parts.map(part => part.textContent)]; })(document.querySelector('.sp-block'))""")
        assert told[0] is False
        assert told[1] < 45
        assert told[2:4] == [True, True]
        assert told[4] == ["数据日期 2026-06-30", "审图号 粤S(2026)000号", "内部资料"]
        tab.click(".sp-block summary")
        assert tab.evaluate("document.querySelector('.sp-block table').offsetHeight") > 60
    finally:
        tab.resize(1600, 1000)


def test_printed_sheet_holds_map_legend_and_title_block(page: Path) -> None:
    with chrome(page) as tab:
        sheet = tab.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        content = base64.b64decode(sheet["data"])
        boxes = set(re.findall(rb"/MediaBox\s*\[([^\]]+)\]", content))
        sides = [[round(float(part)) for part in box.split()] for box in boxes]
        assert sides == [[0, 0, 1191, 842]]  # A3 across, points
        assert len(re.findall(rb"/Type\s*/Page\b", content)) == 1
        tab.evaluate("SP.forPrint(true)")
        assert tab.evaluate("document.querySelector('#sp-side .sp-block').open")
        assert tab.evaluate("document.querySelector('.sp-search').offsetParent === null")
        legend = ("(n => [n.scrollWidth - n.clientWidth, n.scrollHeight - n.clientHeight])"
                  "(document.querySelector('#sp-layers'))")
        assert max(tab.evaluate(legend)) <= 2
        tab.evaluate("SP.forPrint(false), SP.entries.forEach(entry => { SP.on[entry.id] = true; }), SP.refresh(),"
                     " SP.forPrint(true)")
        assert tab.evaluate(legend)[0] <= 2  # every layer at once: smaller, but all there
        assert tab.evaluate("document.querySelector('#sp-cut').hidden")
        tab.evaluate("SP.forPrint(false)")
        assert count(tab, ".leaflet-bottom .sp-block:not([open])") == 1
        clean(tab)


@pytest.mark.parametrize(("options", "here", "gone"), [
    (MapOptions(language="en"), "Site plan review map", "评审图"),
    (MapOptions(public=True), "公众版", "批注"),
])
def test_english_and_public_pages_work(tmp_path: Path, options: MapOptions, here: str, gone: str) -> None:
    path = write_review_map(make_plan(**SMALL), tmp_path / "other.html", options)
    with chrome(path) as tab:
        for state in ("before", "swipe", "after"):
            tab.click(f"#sp-state [data-state={state}]")
        tab.evaluate("SP.goToSite(SP.layersOf.proposed.items[0])")
        shown = text(tab, "#sp-title") + text(tab, "#sp-tabs") + text(tab, ".sp-bar")
        assert here in shown
        assert gone not in shown.replace(tab.evaluate("SP.data.name"), "")
        clean(tab)


def test_any_folium_page_made_offline_draws(tmp_path: Path) -> None:
    import branca.colormap
    import folium

    plan: Any = make_plan(**SMALL)
    drawn = folium.Map([22.5, 113.4], tiles=None, zoom_start=11)
    folium.GeoJson(plan.villages[["name", "geometry"]].to_json(to_wgs84=True), name="行政村",
                   tooltip=folium.GeoJsonTooltip(["name"])).add_to(drawn)
    branca.colormap.linear.viridis.scale(0, 1).add_to(drawn)
    folium.LayerControl().add_to(drawn)
    path = tmp_path / "any.html"
    path.write_text(inline_page(drawn.get_root().render()), "utf-8")
    with chrome(path) as tab:
        assert count(tab, "path.leaflet-interactive") == 8
        clean(tab)
