"""The review map in a headless Chromium without a network: it draws, asks for nothing, and runs no text of the data."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from map_plan import HOSTILE, make_plan

from siteplan.maps import inline_page, write_review_map

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
                 if (found := shutil.which(name))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the map page is not opened"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
SMALL = {"shape": (100, 120), "pixel": 100.0, "candidates": 500, "proposed": 12, "villages": 8}
PROBE = """<script>
window.addEventListener("error", function (e) { console.error("probe: " + e.message); });
map_siteplan.eachLayer(function (layer) {
  if (layer.getTooltip && layer.getTooltip()) { layer.openTooltip(); }
  if (layer.getPopup && layer.getPopup()) { layer.openPopup(); }
});
document.body.dataset.cards = document.querySelectorAll(".sp-card").length;
</script></body>"""


POINTED_AT = """<script>
var met = JSON.parse(document.getElementById("siteplan-data").textContent).layers.gaps_after.items
  .filter(function (item) { return item.no; }).map(function (item) {
    var at = map_siteplan.latLngToContainerPoint(item.at), box = map_siteplan.getContainer().getBoundingClientRect();
    var node = document.elementFromPoint(box.left + at.x, box.top + at.y);
    return node && node.getAttribute("fill") || "nothing";
  });
document.body.dataset.met = met.join(" ");
</script></body>"""


@dataclass
class Visit:
    """What a browser made of a page."""

    dom: str
    console: list[str]
    requests: list[str]

    @property
    def title(self) -> str:
        found = re.search(r"<title>(.*?)</title>", self.dom, re.DOTALL)
        assert found
        return found[1]

    def count(self, pattern: str) -> int:
        return len(re.findall(pattern, self.dom))


def visit(page: Path, tmp_path: Path, fragment: str = "") -> Visit:
    """Open a page with every host name unknown and a dead proxy; give the DOM, the console and the requests."""
    net_log = tmp_path / "net.json"
    done = subprocess.run([
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND",
        "--proxy-server=127.0.0.1:9", "--window-size=1600,1000", "--virtual-time-budget=6000",
        f"--log-net-log={net_log}", "--enable-logging=stderr", "--v=0", "--dump-dom", f"{page.as_uri()}#{fragment}",
    ], capture_output=True, timeout=180, check=True, env={**os.environ, "LANG": "C.UTF-8"})
    console = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in line]
    return Visit(done.stdout.decode("utf-8"), console, asked_for(net_log))


def asked_for(net_log: Path) -> list[str]:
    """Addresses of the page's requests in a net log; those of the browser itself are left out."""
    text = net_log.read_text("utf-8", "replace")
    try:
        events = json.loads(text)["events"]
    except json.JSONDecodeError:  # cut off when the browser stopped
        events = json.loads(text.rstrip().rstrip(",") + "]}")["events"]
    urls = {event["params"]["url"] for event in events if "url" in event.get("params", {})}
    own = ("google.com", "googleapis.com", "gvt1.com", "gstatic.com")
    return sorted(url for url in urls if not url.startswith(("file:", "data:", "chrome", "devtools:", "about:"))
                  and not any(re.match(rf"https?://[^/]*{re.escape(host)}[:/]", url) for host in own))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_review_map(make_plan(**SMALL), tmp_path_factory.mktemp("map") / "评审图 a.html")


def test_page_draws_everything_offline(page: Path, tmp_path: Path) -> None:
    seen = visit(page, tmp_path)
    assert seen.console == []
    assert seen.requests == []
    assert seen.title.endswith("站址规划评审图")
    assert seen.count(r'class="sp-no') == 12 * 2  # on the map, and in the list
    assert seen.count(r'<img[^>]*class="leaflet-image-layer') == 2  # signal and relief
    assert seen.count(r"<path[^>]*stroke-dasharray=\"7 4\"") == 4  # zones
    assert seen.count(r'class="leaflet-control-scale-line"') == 1
    assert "sp-north" in seen.dom
    assert seen.count(r'class="sp-legend"') >= 8
    assert seen.count(r'data-layer="') == 20
    assert seen.count(r'class="sp-label gap"') > 0
    assert "热点1" in seen.dom


def test_the_check_for_requests_sees_a_request(tmp_path: Path) -> None:
    path = tmp_path / "asks.html"
    path.write_text('<img src="http://map.example.org/a.png">', "utf-8")
    assert visit(path, tmp_path).requests == ["http://map.example.org/a.png"]


@pytest.mark.parametrize(("fragment", "present", "absent"), [
    ("state=before", 'data-state="before"', 'class="leaflet-marker-icon sp-site'),
    ("on=candidates,refused,gained,roads", "sp-bubble", "no such text"),
    ("off=signal,relief,proposed", "url(#sp-gap-terrain)", "leaflet-image-layer"),
    ("on=complaints", 'stroke="#ff1fa5"', "no such text"),
    ("on=stretches,indoor_gaps,indoor_buildings", 'fill="#f59e0b"', "no such text"),
    ("on=stretches,indoor_gaps,indoor_buildings&state=before", "切换到“规划后”显示", 'fill="#f59e0b"'),
    ("tab=goals", '<section id="sp-goals"><details', "no such text"),
    ("site=1", "sp-found", "no such text"),
])
def test_layers_and_states_switch(page: Path, tmp_path: Path, fragment: str, present: str, absent: str) -> None:
    seen = visit(page, tmp_path, fragment)
    assert seen.console == []
    assert seen.requests == []
    body = seen.dom.rsplit("<script>", 1)[0].split("<body", 1)[1]
    shown = re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)
    assert present in "<body" + shown
    assert absent not in shown


def test_pointer_meets_populated_gaps_before_villages(page: Path, tmp_path: Path) -> None:
    copied = tmp_path / "pointed.html"
    copied.write_text(POINTED_AT.join(page.read_text("utf-8").rsplit("</body>", 1)), "utf-8")
    seen = visit(copied, tmp_path, "on=villages,zones&off=proposed,existing,hot_spots")
    met = re.search(r'data-met="([^"]+)"', seen.dom)
    assert met
    assert len(met[1].split()) > 3
    assert {fill.startswith("url(#sp-gap-") for fill in met[1].split()} == {True}


def test_legend_follows_what_is_on(page: Path, tmp_path: Path) -> None:
    seen = visit(page, tmp_path, "off=signal,villages&on=gained")
    legend = "".join(re.findall(r'<div class="sp-legend">.*?</div>', seen.dom))
    assert "无信号" not in legend
    assert "现状未覆盖,规划后覆盖" in legend


def test_hostile_names_run_nothing(tmp_path: Path) -> None:
    source = write_review_map(make_plan(**{**SMALL, "candidates": 60}, hostile=True), tmp_path / "hostile.html")
    text = source.read_text("utf-8")
    source.write_text(PROBE.join(text.rsplit("</body>", 1)), "utf-8")
    seen = visit(source, tmp_path, "on=candidates,refused,complaints,indoor_buildings,stretches,indoor_gaps")
    assert seen.console == []
    assert seen.requests == []
    assert seen.title == html.escape(f"{HOSTILE[5]} · 站址规划评审图", quote=False)
    cards = re.search(r'data-cards="(\d+)"', seen.dom)
    assert cards
    assert int(cards[1]) > 10
    shown = re.sub(r"<script.*?</script>", "", seen.dom.split("<body", 1)[1], flags=re.DOTALL)
    assert "<img src" not in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert HOSTILE[1] in shown


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
    seen = visit(path, tmp_path)
    assert seen.console == []
    assert seen.requests == []
    assert seen.count(r"<path[^>]*leaflet-interactive") == 8
