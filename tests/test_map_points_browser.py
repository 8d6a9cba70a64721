"""100,000 points on the review map: counted where dense, single where not, found by a click, and quick."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chrome import CHROMIUM, Tab, chrome
from js_checks import clean
from map_plan import make_plan
from PIL import Image

from siteplan.maps import write_review_map
from siteplan.maps._pack import pack_points
from siteplan.maps._texts import as_json
from tests.longer import only_with

pytestmark = [
    pytest.mark.browser,
    only_with("browser", "half a minute and more"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the map page is not opened"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
SMALL = {"shape": (100, 120), "pixel": 100.0, "candidates": 80, "proposed": 12, "villages": 8}
NUMBER = 100_000
DATA = re.compile(r'(<script type="application/json" id="siteplan-data">)(.*?)(</script>)', re.DOTALL)
LAYER = "SP.onMap('candidates')[0]"


@pytest.fixture(scope="module")
def places() -> np.ndarray:
    """Half of the points scattered, half along streets; (lat, lon)."""
    rng = np.random.default_rng(5)
    lat, lon = rng.uniform(22.46, 22.54, NUMBER), rng.uniform(113.33, 113.43, NUMBER)
    lat[NUMBER // 2:] = 22.46 + 0.002 * rng.integers(0, 40, NUMBER - NUMBER // 2)
    return np.round(np.column_stack([lat, lon]), 6)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory, places: np.ndarray) -> Iterator[Tab]:
    path = write_review_map(make_plan(**SMALL), tmp_path_factory.mktemp("map") / "map.html")
    page = path.read_text("utf-8")
    found = DATA.search(page)
    assert found
    data = json.loads(found[2])
    keys = [f"P-{number:06d}" for number in range(NUMBER)]
    data["layers"]["candidates"] = pack_points(
        (places[:, 0], places[:, 1]), (np.arange(NUMBER) % 5 + 1).tolist(), [f"路灯杆{key}" for key in keys],
        {"说明": ["备选"] * NUMBER, "站址编号": keys})
    path.write_text(page[:found.start(2)] + as_json(data) + page[found.end(2):], "utf-8")
    with chrome(path, "on=candidates&off=gaps,villages,zones") as opened:
        yield opened
        clean(opened)


def look_at(tab: Tab, lat: float, lon: float, zoom: float) -> None:
    tab.evaluate(f"void (map_siteplan.closePopup(), map_siteplan.setView([{lat}, {lon}], {zoom}, {{animate: false}}))")


def test_unpacked_as_packed(tab: Tab, places: np.ndarray) -> None:
    for number in (0, 1, 77_777, NUMBER - 1):
        told = tab.evaluate(f"(p => [p.lat({number}), p.lon({number}), p.tier[{number}], p.title({number}),"
                            f" p.values({number}), p.id({number})])(SP.packed('candidates'))")
        key = f"P-{number:06d}"
        assert told == [places[number, 0], places[number, 1], number % 5 + 1, f"路灯杆{key}", ["备选", key], key]


def test_bubbles_count_every_point_of_the_view(tab: Tab) -> None:
    """The numbers of the bubbles add up to all the points, at every zoom that shows bubbles."""
    for zoom in (11, 12.5, 13.75):
        look_at(tab, 22.50, 113.38, zoom)
        assert tab.evaluate(f"{LAYER}.gathered({zoom})")
        assert tab.evaluate(f"{LAYER}._cellsAt({zoom}).number.reduce((a, b) => a + b)") == NUMBER
    look_at(tab, 22.50, 113.38, 11)
    total = tab.evaluate(f"""(() => {{ const l = {LAYER}, from = map_siteplan.getPixelOrigin().add(l._corner);
      let sum = 0;
      l._bubbles(256 * 2 ** 11, from, l._size, (x, y, number) => {{ sum += number; }}); return sum; }})()""")
    assert total == NUMBER


def test_bubbles_do_not_cover_each_other(tab: Tab) -> None:
    look_at(tab, 22.50, 113.38, 13)
    at = np.array(tab.evaluate(f"""(() => {{ const l = {LAYER}, out = [];
      l._bubbles(256 * 2 ** 13, map_siteplan.getPixelOrigin().add(l._corner), l._size, (x, y, number) => {{
        if (number > 1) {{ out.push([x, y]); }} }}); return out; }})()"""))
    away = np.hypot(*(at[:, None, :] - at[None, :, :]).transpose(2, 0, 1)) + 1e9 * np.eye(len(at))
    assert len(at) > 50
    assert away.min() > 30


def test_click_on_a_bubble_zooms_and_on_a_point_opens_it(tab: Tab, places: np.ndarray) -> None:
    look_at(tab, 22.50, 113.38, 13)
    spot = tab.evaluate(f"""(() => {{ for (let x = 300; x < 900; x += 3) {{ const found = {LAYER}.hit(L.point(x, 400));
      if (found && found.number) {{ return x; }} }} }})()""")
    top = tab.evaluate("map_siteplan.getContainer().getBoundingClientRect().top")
    tab.evaluate("void (SP.on.existing = SP.on.proposed = false, SP.refresh())")
    tab.click(spot, 400 + top)
    tab.wait_for("map_siteplan.getZoom() === 15 && !map_siteplan._animatingZoom")
    number = 4_321
    look_at(tab, *places[number], 19)
    x, y = tab.evaluate("(p => [p.x, p.y])(map_siteplan.latLngToContainerPoint("
                        f"[{places[number, 0]}, {places[number, 1]}]))")
    tab.click(x, y + top)
    assert tab.evaluate("document.querySelector('.sp-card h4').textContent") == f"路灯杆P-{number:06d}"
    tab.evaluate("void (SP.on.existing = SP.on.proposed = true, SP.refresh())")


def test_hit_is_the_nearest_point(tab: Tab, places: np.ndarray) -> None:
    """The index of cells against a plain search over all points."""
    rng = np.random.default_rng(9)
    for number in rng.integers(0, NUMBER, 25):
        look_at(tab, *places[number], 19)
        spots = (np.array([600, 450]) + rng.integers(-200, 200, 2)).tolist()
        found, lat, lon, reach = tab.evaluate(f"""(() => {{ const p = L.point({spots[0]}, {spots[1]});
          const f = {LAYER}.hit(p, 12), at = map_siteplan.containerPointToLatLng(p);
          return [f ? f.i : -1, at.lat, at.lng, 12 * 360 / (256 * 2 ** 19)]; }})()""")
        assert not tab.evaluate(f"{LAYER}.gathered(19)")
        away = np.hypot((places[:, 0] - lat) / np.cos(np.radians(lat)), places[:, 1] - lon)
        nearest = int(away.argmin())
        if abs(away[nearest] - reach) > 1e-3 * reach:
            assert (away[found] == pytest.approx(away[nearest], rel=1e-6) if found >= 0 else away[nearest] > reach)


def test_points_are_seen(tab: Tab) -> None:
    """Switched off, the pixels change at low and at high zoom."""
    for zoom in (12, 17):
        look_at(tab, 22.50, 113.38, zoom)
        pictures = []
        for _ in range(2):
            tab.evaluate("void (SP.on.candidates = !SP.on.candidates, SP.refresh())")
            shot = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
            pictures.append(np.asarray(shot)[:900, :1190].astype(int))
        assert (np.abs(pictures[0] - pictures[1]).max(axis=2) > 40).mean() > 0.01


def test_drawing_and_search_are_quick(tab: Tab) -> None:
    """A redraw at most 30 ms of the page's clock, the median of nine; a search half a second."""
    for zoom in (11.5, 13, 14.5, 16, 18):
        look_at(tab, 22.50, 113.38, zoom)
        times = tab.evaluate(f"(l => Array.from({{length: 9}}, () => (l._draw(), l.drawnMs)))({LAYER})")
        assert float(np.median(times)) < 30
    assert tab.evaluate("(t => (SP.search('杆P-09'), performance.now() - t))(performance.now())") < 500
    assert tab.evaluate("SP.search('p-077777').map(one => one.title)") == ["路灯杆P-077777"]


def test_panning_moves_the_canvas_without_drawing(tab: Tab) -> None:
    look_at(tab, 22.50, 113.38, 14)
    drawn = tab.evaluate(f"(l => {{ l.count = 0; const d = l._draw; "
                         f"l._draw = function () {{ l.count += 1; d.call(l); }}; "
                         f"map_siteplan._rawPanBy(L.point(60, 30)); "
                         f"map_siteplan.fire('move'); return l.count; }})({LAYER})")
    assert drawn == 0
    drawn = tab.evaluate(f"new Promise(done => {{ const l = {LAYER}; map_siteplan._rawPanBy(L.point(900, 0)); "
                         "map_siteplan.fire('move'); requestAnimationFrame(() => requestAnimationFrame(() => "
                         "done(l.count))); })")
    assert drawn == 1  # the view has left what is drawn
    tab.evaluate(f"void (delete {LAYER}._draw)")


def test_many_ends_of_moves_in_a_pan_draw_once_it_rests(tab: Tab) -> None:
    """Ten small steps, each with its own end: neither the points nor the lines are drawn until the map stands still."""
    look_at(tab, 22.50, 113.38, 14)
    counts = tab.evaluate(f"""new Promise(done => {{
      const l = {LAYER}, r = Object.values(map_siteplan._layers).find(one => one instanceof L.Renderer);
      const out = {{points: 0, lines: 0}}, draw = l._draw, update = r._update;
      setTimeout(() => {{
        l._draw = function () {{ out.points += 1; draw.call(l); }};
        r._update = function () {{ out.lines += 1; update.call(r); }};
        for (let k = 0; k < 10; k += 1) {{ map_siteplan.panBy([4, 2], {{animate: false}}); }}
        const during = {{...out}};
        setTimeout(() => {{ delete l._draw; delete r._update; done([during, out]); }}, 3 * SP.REST_MS);
      }}, 2 * SP.REST_MS); }})""")
    assert counts == [{"points": 0, "lines": 0}, {"points": 1, "lines": 1}]


def test_many_proposed_sites_are_points_too(tmp_path: Path) -> None:
    path = write_review_map(make_plan(**{**SMALL, "proposed": 700}), tmp_path / "map.html")
    with chrome(path) as opened:
        assert opened.evaluate("document.querySelectorAll('.sp-site').length") == 0
        assert opened.evaluate("SP.onMap('proposed')[0]._source.count") == 700
        opened.evaluate("SP.goToSite(SP.layersOf.proposed.items[41])")
        assert opened.evaluate("document.querySelector('.sp-card h4').textContent") == "42号 规划站42"
        assert opened.evaluate("SP.siteUnder(map_siteplan.latLngToContainerPoint("
                               "SP.layersOf.proposed.items[41].at)).id") == "P-00041"
        opened.click("#sp-state [data-state=before]")
        assert opened.evaluate("SP.onMap('proposed').length") == 0
        clean(opened)
