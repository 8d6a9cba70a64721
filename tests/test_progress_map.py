"""The map of progress in a browser: no network, no errors, filters, cards, hostile names, 50,000 sites."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from chrome import CHROMIUM, Tab, chrome
from js_checks import clean, text
from PIL import Image
from report_city import HOSTILE

from siteplan.errors import ExportError
from siteplan.maps._progress import ProgressMap, render_progress_map, write_progress_map
from siteplan.maps._progress_looks import STATE_LOOKS
from siteplan.register.rules.site_states import STATES
from siteplan.report import Pack
from siteplan.report.progress import progress_content

CRS = "EPSG:4547"
browser = [pytest.mark.browser,
           pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the map page is not opened")]


def content(number: int = 400, name: str = "站") -> ProgressMap:
    """Sites on a square of 20 km, all states, two counties with outlines."""
    rng = np.random.default_rng(3)
    xy = rng.uniform(0.0, 20_000.0, (number, 2)) + (480_000.0, 2_500_000.0)
    sites = gpd.GeoDataFrame({
        "name": [f"{name}{at}" for at in range(number)], "state": [STATES[at % 7] for at in range(number)],
        "county": ["溪西县" if x < 490_000 else "溪东县" for x, _ in xy], "town": [f"镇{at % 5}" for at in range(number)],
        "year": [f"{2025 + at % 3}年" for at in range(number)]},
        index=pd.Index([f"ZZ{at:06d}" for at in range(number)], name="id"), geometry=shapely.points(xy), crs=CRS)
    boxes = [shapely.box(480_000, 2_500_000, 490_000, 2_520_000), shapely.box(490_000, 2_500_000, 500_000, 2_520_000)]
    counties = gpd.GeoDataFrame({"name": ["溪西县", HOSTILE]}, geometry=boxes, crs=CRS)
    return ProgressMap("溪口市5G站址进展图", "2026年上半年", "截至 2026-06-30", sites,
                       {"county": "县区", "town": "镇街", "year": "计划年度"}, {"counties": counties}, [("站址", f"{number}处")],
                       [("截止日", "2026-06-30")], ["截止日当天计入"])


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    path = write_progress_map(content(name=HOSTILE), tmp_path_factory.mktemp("map") / "map.html")
    with chrome(path) as opened:
        yield opened
        clean(opened)


def test_the_page_names_no_address_and_allows_none() -> None:
    page = render_progress_map(content(3))
    assert "default-src 'none'" in page
    assert not re.search(r"<(?:script|link|img|iframe)[^>]*\s(?:src|href)=", page)


def test_names_are_data_and_never_markup() -> None:
    assert "<script>alert" not in render_progress_map(content(3, HOSTILE))


def test_equal_contents_give_equal_pages() -> None:
    assert render_progress_map(content(20)) == render_progress_map(content(20))


def test_every_state_has_a_look_of_its_own() -> None:
    assert {look.state for look in STATE_LOOKS} == set(STATES)
    assert len({(look.colour, look.mark) for look in STATE_LOOKS}) == len(STATES)


def test_sites_without_a_place_are_told() -> None:
    sites = content(4)
    sites.sites.loc["ZZ000002", "geometry"] = None
    assert "没有位置的站址1处,图上未绘" in render_progress_map(sites)


def test_a_page_without_sites_and_outlines_can_be_made() -> None:
    empty = content(2)
    assert "显示 " in render_progress_map(ProgressMap("空", "", "", empty.sites.iloc[:0], empty.fields))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="进展图不能写出"):
        write_progress_map(content(1), tmp_path / "none" / "map.html")


def test_the_facts_of_a_register_stand_on_the_cards(june_pack: Pack) -> None:
    shown = progress_content(june_pack.facts)
    assert shown.sites.loc["ZZ000003", ["state_zh", "reason", "due_on", "phase_year"]].tolist() == [
        "受阻", "产权纠纷", "2026-05-31", "2026年"]
    assert ("截止日", "2026-06-30") in shown.title


class TestInABrowser:
    pytestmark = browser

    def test_all_sites_are_shown_first_and_states_can_be_switched_off(self, tab: Tab) -> None:
        assert tab.evaluate("SP.progress.shown()") == 400
        tab.click('#sp-states input[data-state="reserve"]')
        assert tab.evaluate("SP.progress.shown()") == 400 - len(range(0, 400, 7))
        assert "显示 342 处" in text(tab, "#sp-shown")
        tab.click('#sp-states input[data-state="reserve"]')

    def test_county_town_and_year_filter_together(self, tab: Tab) -> None:
        wanted = content(name=HOSTILE).sites
        tab.evaluate("""void ["county", "year"].forEach((name, k) => { const s = document.getElementById("sp-" + name);
            s.value = ["=溪西县", "=2026年"][k]; s.dispatchEvent(new Event("change")); })""")
        assert tab.evaluate("SP.progress.shown()") == ((wanted["county"] == "溪西县") & (wanted["year"] == "2026年")).sum()
        tab.evaluate("""void ["county", "year"].forEach((name) => { const s = document.getElementById("sp-" + name);
            s.value = ""; s.dispatchEvent(new Event("change")); })""")
        assert tab.evaluate("SP.progress.shown()") == 400

    def test_a_hostile_name_is_shown_as_it_is_and_runs_nothing(self, tab: Tab) -> None:
        tab.evaluate("void SP.progress.open(5)")
        assert text(tab, ".sp-card h4") == f"{HOSTILE}5"
        assert tab.evaluate("document.querySelectorAll('.sp-card script, .sp-name script').length") == 0
        tab.evaluate("void map_siteplan.closePopup()")

    def test_a_site_is_found_by_its_id_and_opened(self, tab: Tab) -> None:
        tab.type("ZZ000123", "#sp-find")
        tab.wait_for("document.querySelectorAll('#sp-found button').length === 1")
        tab.click("#sp-found button")
        tab.wait_for("!!document.querySelector('.sp-card')")
        assert "ZZ000123" in text(tab, ".sp-card")
        tab.evaluate("void (map_siteplan.closePopup(), document.getElementById('sp-find').value = '')")

    def test_legend_numbers_title_block_and_notes_are_there(self, tab: Tab) -> None:
        shown = text(tab)
        for word in ("已开通", "受阻", "溪口市5G站址进展图", "截至 2026-06-30", "截止日当天计入", "图签", "400处"):
            assert word in shown, word

    def test_fifty_thousand_sites_stay_quick(self, tmp_path: Path) -> None:
        path = write_progress_map(content(50_000), tmp_path / "big.html")
        with chrome(path) as big:
            assert big.evaluate("SP.progress.shown()") == 50_000
            begin = time.perf_counter()
            big.click('#sp-states input[data-state="withdrawn"]')
            assert big.evaluate("SP.progress.shown()") == 50_000 - len(range(6, 50_000, 7))
            assert time.perf_counter() - begin < 5.0
            assert big.evaluate("SP.progress.layer().drawnMs") < 500.0
            with Image.open(io.BytesIO(big.screenshot())) as picture:
                assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 100
            clean(big)
