"""Controls of the review map, used as a meeting uses them: states, divider, years, search, measuring, coordinates."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
from chrome import CHROMIUM, Tab, chrome
from js_checks import clean
from map_plan import make_plan
from PIL import Image
from shapely.geometry import Polygon

from siteplan.maps import write_review_map

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the map page is not opened"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
SMALL = {"shape": (100, 120), "pixel": 100.0, "candidates": 300, "proposed": 12, "villages": 8}
ELLIPSOID = pyproj.Geod(ellps="GRS80")
RESET = """SP.leave(); map_siteplan.closePopup(); Object.assign(SP.view, {state: "after", swipe: false, year: null,
  cover: "signal"}); SP.entries.forEach(entry => { SP.on[entry.id] = Boolean(entry.on); });
  document.querySelector("#sp-search").value = ""; document.querySelector("[data-tool=home]").click(); SP.refresh()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_review_map(make_plan(**SMALL), tmp_path_factory.mktemp("map") / "map.html")


@pytest.fixture(scope="module")
def opened(page: Path) -> Iterator[Tab]:
    with chrome(page) as tab:
        yield tab


@pytest.fixture
def tab(opened: Tab) -> Iterator[Tab]:
    opened.evaluate(RESET)
    yield opened
    clean(opened)


def picture(tab: Tab) -> Any:
    return np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("RGB")).astype(int)


def test_state_button_changes_signal_gaps_and_sites(tab: Tab) -> None:
    after = picture(tab)
    tab.click("#sp-state [data-state=before]")
    assert tab.evaluate("document.querySelectorAll('.sp-site').length") == 0
    assert tab.evaluate("document.querySelector('#sp-indicators td.now').dataset.state") == "before"
    assert (np.abs(picture(tab) - after).max(axis=2) > 30).mean() > 0.03


def test_layers_toggle_with_mouse_and_keyboard(tab: Tab) -> None:
    assert tab.evaluate("SP.onMap('candidates').length") == 0
    tab.click("[data-layer=candidates]")
    assert tab.evaluate("SP.onMap('candidates').length") == 1
    focused = tab.evaluate("document.activeElement.dataset.layer")
    assert focused == "candidates"  # the list was made anew under the focus
    tab.key(" ")
    assert tab.evaluate("SP.onMap('candidates').length") == 0


def test_choice_of_the_coverage_picture_and_its_opacity(tab: Tab) -> None:
    sources = set()
    for cover in ("probability", "server", "signal"):
        tab.click(f"[data-cover={cover}]")
        sources.add(tab.evaluate("document.querySelector('.leaflet-sp-signal-after-pane img').src"))
        legend = tab.evaluate("document.querySelector('.sp-cover + .sp-legend').innerText")
        assert ("dBm" in legend or "-105" in legend) == (cover == "signal")
    assert len(sources) == 3
    tab.evaluate("(s => { s.value = 30; s.dispatchEvent(new Event('input')); })(document.querySelector('#sp-opacity'))")
    assert tab.evaluate("document.querySelector('.leaflet-sp-signal-after-pane img').style.opacity") == "0.3"
    tab.evaluate("SP.fade(0.75)")


def test_divider_shows_both_states_and_is_dragged(tab: Tab) -> None:
    tab.click("#sp-state [data-state=before]")
    before = picture(tab)
    tab.click("#sp-state [data-state=after]")
    after = picture(tab)
    tab.click("#sp-state [data-state=swipe]")
    x, y = tab.place(".sp-grip")
    tab.drag(x, y, x + 200, y)
    assert tab.place(".sp-grip")[0] == pytest.approx(x + 200, abs=2)
    tab.move(x + 200, 5)
    both = picture(tab)
    left, right = slice(75, int(x + 150)), slice(int(x + 250), int(x + 400))
    rows = slice(330, 620)
    assert (np.abs(both - before)[rows, left].max(axis=2) > 40).mean() < 0.02
    assert (np.abs(both - after)[rows, right].max(axis=2) > 40).mean() < 0.02
    assert (np.abs(both - after)[rows, left].max(axis=2) > 40).mean() > 0.05  # the comparison can fail
    tab.evaluate("document.querySelector('.sp-grip').focus()")
    now = int(tab.evaluate("document.querySelector('.sp-grip').getAttribute('aria-valuenow')"))
    tab.key("ArrowLeft")
    assert int(tab.evaluate("document.querySelector('.sp-grip').getAttribute('aria-valuenow')")) == now - 2
    tab.evaluate("SP.swipeTo(0.5)")


def test_panning_keeps_the_divider_in_its_place(tab: Tab) -> None:
    tab.click("#sp-state [data-state=swipe]")
    tab.evaluate("void map_siteplan.panBy([150, 40], {animate: false})")
    left = tab.evaluate("""(() => { const pane = document.querySelector('.leaflet-sp-signal-before-pane');
      const ends = pane.style.clipPath.match(/-?[\\d.]+(?=px)/g).map(Number), map = map_siteplan;
      return map.layerPointToContainerPoint([ends[2], ends[3]]).x - map.getSize().x / 2; })()""")
    assert left == pytest.approx(0, abs=1.5)


def test_years_show_sites_up_to_the_year(tab: Tab) -> None:
    years = tab.evaluate("SP.data.phases.years")
    assert len(years) > 1
    for number, year in enumerate(years):
        tab.evaluate(f"(s => {{ s.value = {number}; s.dispatchEvent(new Event('input')); }})"
                     "(document.querySelector('#sp-year'))")
        wanted = tab.evaluate(f"SP.layersOf.proposed.items.filter(site => site.year && site.year <= {year}).length")
        assert tab.evaluate("document.querySelectorAll('.sp-site').length") == wanted
        assert tab.evaluate("document.querySelectorAll('#sp-sites li').length") == wanted
        assert f"{wanted} 处" in tab.evaluate("document.querySelector('.sp-years').innerText")
        assert "覆盖" in tab.evaluate("document.querySelector('.sp-years small').innerText")
    tab.evaluate("document.querySelector('#sp-year').focus()")
    tab.key("End")
    assert tab.evaluate("document.querySelectorAll('.sp-site').length") == 12


@pytest.mark.parametrize(("words", "kind", "title"), [
    ("甲村", "villages", "甲村"), ("重点乙", "zones", "重点乙景区"), ("西江", "towns", "西江镇"), ("7", "proposed", "7号 规划站7"),
    ("p-00003", "proposed", "4号 规划站4"), ("空洞2", "gaps", "覆盖空洞 #2"), ("现有站12", "existing", "现有站12"),
    ("C-00042", "candidates", "候选点43"), ("不可用点3", "refused", "不可用点3"),
    ("113.39, 22.51", "place", "113.390000°E  22.510000°N"),
])
def test_search_finds_flies_and_opens(tab: Tab, words: str, kind: str, title: str) -> None:
    tab.type(words, into="#sp-search")
    tab.key("Enter")
    first = tab.evaluate(f"(one => [one.kind, one.title])(SP.search({json.dumps(words)})[0])")
    assert first == [kind, title]
    card = tab.wait_for("(n => n && n.innerText)(document.querySelector('.leaflet-popup .sp-card'))")
    assert re.split("号 ", title)[-1] in card or kind == "place"
    inside = tab.evaluate("(p => map_siteplan.getBounds().contains(p))(map_siteplan._popup.getLatLng())")
    assert inside
    assert tab.evaluate("document.querySelector('#sp-hits').hidden")


def test_search_list_works_with_arrows_and_has_a_limit(tab: Tab) -> None:
    tab.type("点", into="#sp-search")
    tab.wait_for("document.querySelectorAll('#sp-hits li').length > 10")
    assert tab.evaluate("document.querySelectorAll('#sp-hits li[role=option]').length") == 50
    assert "50" in tab.evaluate("document.querySelector('#sp-hits li.none').innerText")
    tab.key("ArrowDown")
    tab.key("ArrowDown")
    tab.key("ArrowUp")
    assert tab.evaluate("[...document.querySelectorAll('#sp-hits li')]"
                        ".findIndex(row => row.classList.contains('on'))") == 1
    tab.key("Escape")
    assert tab.evaluate("document.querySelector('#sp-hits').hidden")
    tab.evaluate("document.querySelector('#sp-search').value = ''")
    tab.type("没有这个名字", into="#sp-search")
    assert tab.wait_for("(n => !n.hidden && n.innerText)(document.querySelector('#sp-hits'))") == "没有找到"


def test_length_is_the_geodesic_of_the_clicks(tab: Tab) -> None:
    tab.click("[data-tool=length]")
    for x, y in ((300, 300), (500, 420), (700, 350)):
        tab.move(x, y)
        tab.click(x, y)
    tab.move(650, 600)
    tab.key("Backspace")
    tab.move(640, 500)
    tab.click(640, 500, count=2)
    told = tab.evaluate("SP.measured()")
    assert told["finished"]
    assert len(told["points"]) == 3
    lons, lats = [p["lng"] for p in told["points"]], [p["lat"] for p in told["points"]]
    assert told["text"] == f"{ELLIPSOID.line_length(lons, lats) / 1000:,.3f} km"
    assert "1 mm" in tab.evaluate("document.querySelector('.sp-tool').innerText")
    tab.key("Escape")
    assert tab.evaluate("document.querySelector('.sp-tool').hidden && SP.mode === ''")


def test_area_is_that_on_the_ellipsoid(tab: Tab) -> None:
    tab.click("[data-tool=area]")
    for x, y in ((300, 300), (600, 320), (650, 600), (280, 560)):
        tab.move(x, y)
        tab.click(x, y)
    tab.key("Escape")
    told = tab.evaluate("SP.measured()")
    ring = Polygon([(p["lng"], p["lat"]) for p in told["points"]])
    assert told["text"] == f"{abs(ELLIPSOID.geometry_area_perimeter(ring)[0]) / 1e6:,.3f} km²"


@pytest.mark.parametrize("size_deg", [0.001, 0.05, 0.5])
def test_lengths_and_areas_against_an_independent_library(tab: Tab, size_deg: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        lon, lat = rng.uniform(75, 134), rng.uniform(4, 53)
        angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
        ring = [(lon + size_deg * np.cos(a), lat + size_deg * np.sin(a)) for a in angles]
        places = json.dumps([{"lng": x, "lat": y} for x, y in ring])
        length, area = tab.evaluate(f"(r => [SP.distance(r[0], r[3]), SP.area(r)])({places})")
        assert length == pytest.approx(ELLIPSOID.inv(*ring[0], *ring[3])[2], abs=1e-3)
        wanted = abs(ELLIPSOID.geometry_area_perimeter(Polygon(ring))[0])
        assert area == pytest.approx(wanted, rel=1e-5 if size_deg > 0.1 else 1e-6, abs=0.01)


@pytest.mark.parametrize(("epsg", "lon0", "east0"), [
    (4547, 114.0, 500_000.0), (4526, 114.0, 38_500_000.0), (4538, 87.0, 500_000.0)])
def test_grid_coordinates_agree_to_a_millimetre(tab: Tab, epsg: int, lon0: float, east0: float) -> None:
    """X north, Y east of Gauss-Krueger against PROJ, over the zone and two degrees beyond, and back again."""
    lon, lat = (part.ravel() for part in np.meshgrid(np.linspace(lon0 - 3.5, lon0 + 3.5, 15), np.linspace(3, 54, 18)))
    east, north = pyproj.Transformer.from_crs(4490, epsg, always_xy=True).transform(lon, lat)
    projection = json.dumps({"lon0_deg": lon0, "k0": 1, "false_easting_m": east0, "false_northing_m": 0})
    places = json.dumps(list(zip(lon.tolist(), lat.tolist(), strict=True)))
    found = np.array(tab.evaluate(f"""{places}.map(p => {{ const g = SP.toGrid({{lng: p[0], lat: p[1]}}, {projection});
      const b = SP.fromGrid(g.north, g.east, {projection}); return [g.north, g.east, b.lng, b.lat]; }})"""))
    assert np.abs(found[:, 0] - north).max() < 1e-3
    assert np.abs(found[:, 1] - east).max() < 1e-3
    assert np.abs(found[:, 2:] - np.column_stack([lon, lat])).max() < 1e-8  # 1 mm


def test_coordinates_under_the_pointer(tab: Tab) -> None:
    tab.move(600, 500)
    degrees, grid = tab.evaluate("[...document.querySelector('.sp-coords').children].map(node => node.textContent)")
    lon, lat = (float(part[:-2]) for part in degrees.split())
    east, north = pyproj.Transformer.from_crs(4490, 4547, always_xy=True).transform(lon, lat)
    x, y = grid.split()[1::2]
    assert float(x) == pytest.approx(north, abs=0.2)
    assert float(y) == pytest.approx(east, abs=0.2)


@pytest.mark.parametrize(("typed", "lon", "lat"), [
    ("113.39, 22.51", 113.39, 22.51), ("22.51 113.39", 113.39, 22.51), ("113。39", None, None),
    ("113.39，22.51", 113.39, 22.51),
    ("113°23′24″E, 22°30′36″N", 113.39, 22.51), ("113度23分24秒 22度30分36秒", 113.39, 22.51),
    ("经度113.39 纬度22.51", 113.39, 22.51),
    ("X 2490402.345, Y 437247.001", "grid", 0), ("437247.001,2490402.345", "grid", 0),
    ("X=2490402.345 Y=38437247.001", "grid", 0),
    ("1号楼 2栋", None, None), ("<script>", None, None), ("200, 300", None, None), ("1e400,2", None, None),
    ("", None, None),
])
def test_typed_places(tab: Tab, typed: str, lon: Any, lat: float) -> None:
    found = tab.evaluate(f"(p => p && [p.at.lng, p.at.lat])(SP.readPlace({json.dumps(typed)}))")
    if lon is None:
        assert found is None
        return
    if lon == "grid":
        lon, lat = pyproj.Transformer.from_crs(4547, 4490, always_xy=True).transform(437247.001, 2490402.345)
    assert found == pytest.approx([lon, lat], abs=1e-8)


def test_going_to_coordinates(tab: Tab) -> None:
    tab.click("[data-tool=goto]")
    tab.type("乱写", into="#sp-goto")
    tab.key("Enter")
    assert "看不懂" in tab.evaluate("document.querySelector('.sp-tool').innerText")
    tab.evaluate("document.querySelector('#sp-goto').value = ''")
    tab.type("113.40, 22.50", into="#sp-goto")
    tab.key("Enter")
    place = tab.evaluate("map_siteplan._popup.getLatLng()")
    assert [place["lng"], place["lat"]] == pytest.approx([113.40, 22.50])
    assert tab.evaluate("document.querySelectorAll('.sp-cross').length") == 1


def test_site_in_the_list_opens_its_card_and_area_opens_on_click(tab: Tab) -> None:
    tab.click("#sp-tabs [data-tab=sites]")
    tab.click("#sp-sites li:nth-child(3) button")
    assert tab.evaluate("document.querySelector('.sp-card h4').textContent") == "3号 规划站3"
    assert "为何选此处" in tab.evaluate("document.querySelector('.sp-card').innerText")
    tab.click("#sp-tabs [data-tab=layers]")
    tab.evaluate(RESET)
    tab.click(620, 480)
    assert tab.wait_for("document.querySelector('.leaflet-popup .sp-card h4') && "
                        "document.querySelector('.leaflet-popup .sp-card h4').textContent")


def test_rules_and_about_are_a_click_away(tab: Tab) -> None:
    assert not tab.evaluate("document.querySelector('#sp-indicators tr.note').offsetParent")
    tab.click("#sp-rules")
    assert "规则" in tab.evaluate("document.querySelector('#sp-indicators').innerText")
    tab.click("#sp-rules")
    tab.click("[data-tool=about]")
    told = tab.evaluate("document.querySelector('#sp-about').innerText")
    assert "Leaflet" in told
    assert "BSD" in told
    tab.key("Escape")
    assert not tab.evaluate("document.querySelector('#sp-about').open")


def test_every_control_is_reached_by_the_tab_key(tab: Tab) -> None:
    tab.evaluate("document.activeElement.blur(); window.getSelection().collapse(document.body, 0)")
    met = set()
    for _ in range(90):
        tab.key("Tab")
        met.add(tab.evaluate("(n => String(n.id || n.dataset.tool || n.dataset.layer || n.dataset.tab ||"
                             " n.dataset.state || n.className))(document.activeElement)"))
    assert {"sp-search", "sp-year", "sp-opacity", "home", "length", "area", "goto", "pin", "print", "about",
            "before", "after", "swipe", "layers", "sites", "pins", "signal", "candidates"} <= met
