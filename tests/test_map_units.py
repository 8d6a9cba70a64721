"""The review map's control-plan units, its years, words without raw codes, and what it keeps in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from chrome import CHROMIUM, chrome
from js_checks import clean
from map_plan import CRS, SOUTH, WEST, make_plan
from odc.geo.geobox import GeoBox
from test_maps import SMALL

from siteplan.maps import MapOptions, _raster, write_review_map
from siteplan.maps._page import collect_page
from siteplan.maps._raster import map_frame
from siteplan.maps._unit_layer import unit_layer
from siteplan.maps._words import ENGLISH
from siteplan.maps._years import years_told

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
FIELDS = ["现有站址", "规划站址", "其中新增站址", "其中现状站址利旧", "面积覆盖率", "单元编号"]


@pytest.fixture(scope="module")
def plan() -> Any:
    return make_plan(**SMALL)


@pytest.fixture(scope="module")
def data(plan: Any) -> Any:
    return collect_page(plan)


def test_units_by_hand(plan: Any) -> None:
    """Unit A: an existing site, one on a city pole, one on a mast that stands; B: nothing; the candidate is no site."""
    rows = [("A", "existing", "new", "station"), ("A", "proposed", "reuse", "pole"),
            ("A", "proposed", "share", "sharing"), ("A", "candidate", "new", "pole"),
            (None, "proposed", "reuse", "pole"), ("", "proposed", "reuse", "pole")]
    sites = plan.sites.iloc[:len(rows)].assign(**dict(zip(("unit_code", "status", "build", "source"),
                                                          zip(*rows, strict=True), strict=True)))
    units = gpd.GeoDataFrame({"name": ["甲单元", None]}, geometry=[
        shapely.box(WEST, SOUTH, WEST + 1000, SOUTH + 500), shapely.box(WEST - 9000, SOUTH, WEST - 8000, SOUTH + 500)],
        index=pd.Index(["A", "B"], name="unit_code"), crs=CRS)
    layer = unit_layer(replace(plan, sites=sites, context={"units": units}), 1.0)
    assert layer["fields"] == FIELDS
    first, second = layer["items"]
    assert (first["title"], first["code"], second["title"]) == ("A 甲单元", "A", "B")
    pixels = [float(state.probability[-10:, :20].mean()) for state in (plan.before, plan.after)]  # 20 x 10 whole pixels
    told = [float(part.strip().rstrip("%")) / 100 for part in first["values"][4].split("→")]
    np.testing.assert_allclose(told, pixels if len(told) == 2 else pixels[:1], atol=0.001)
    assert first["values"][:4] == ["1 处", "2 处", "1 处", "1 处"]
    assert second["values"] == ["0 处", "0 处", "0 处", "0 处", "无法判定", "B"]  # outside of the grid


def test_units_of_the_page_count_every_site_of_theirs(plan: Any, data: Any) -> None:
    items = data["layers"]["units"]["items"]
    assert [item["title"] for item in items] == ["DY-01 城东第1单元", "DY-02"]
    for column, status in ((0, "existing"), (1, "proposed")):
        assert sum(int(item["values"][column].split()[0]) for item in items) == (plan.sites["status"] == status).sum()
    english = unit_layer(plan, 10.0, ENGLISH)
    assert not re.search("[\u4e00-\u9fff]", "".join(english["fields"]))


def test_no_units_no_layer_and_none_in_public(plan: Any) -> None:
    rest = {name: table for name, table in plan.context.items() if name != "units"}
    assert "units" not in collect_page(replace(plan, context=rest))["layers"]
    assert "units" not in collect_page(plan, MapOptions(public=True))["layers"]


def test_year_says_how_many_sites_it_has_and_what_the_slider_leaves(plan: Any, data: Any) -> None:
    built = plan.proposed["build_year"]
    assert data["phases"]["counts"] == [int((built == year).sum()) for year in data["phases"]["years"]]
    for word in ("只改变显示的站址", "指标", "全部规划站址"):
        assert word in data["phases"]["note"]
    early = replace(plan, sites=plan.sites.assign(build_year=[2026] * (len(plan.sites) - 1) + [None]))
    told = years_told(early, [2026, 2027])
    assert told["counts"] == [len(plan.proposed), 0]
    assert told["notes"] == ["", "该年没有站址(分期没有限额时全部尽早建设)"]
    assert years_told(plan, []) == {"years": [], "counts": [], "notes": [], "note": ""}


def test_frame_is_small_and_not_kept(plan: Any) -> None:
    box = GeoBox.from_bbox((WEST, SOUTH, WEST + 1000, SOUTH + 1000), CRS, resolution=10.0)
    assert map_frame(box).index.dtype == np.int32
    huge = GeoBox.from_bbox((WEST, SOUTH, WEST + 5e4, SOUTH + 5e4), CRS, resolution=1.0)  # 2.5e9 places
    index = map_frame(huge, 500.0).index
    assert index.dtype == np.int64
    assert index.max() > np.iinfo(np.int32).max
    collect_page(plan)
    assert _raster._frame.cache_info().currsize == 0


def shown(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text that a reader of the page meets; looks, kinds and verdicts are codes that the script translates."""
    hidden = {"pictures", "look", "before", "after", "shape", "colour", "colours", "gained_colour", "kind", "lang",
              "boundary", "words", "actions", "code", "rule"}
    if isinstance(value, dict):
        given = "items" not in value and "rows" not in value and path[:1] == ("indicators",)
        for key, part in value.items():
            if key not in hidden or (given and key in ("before", "after")):
                yield from shown(part, (*path, key))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from shown(part, path)
    elif isinstance(value, str):
        yield path, value


def test_no_raw_code_where_a_reader_looks(plan: Any, data: Any) -> None:
    """A code is a word of four letters or more: site ids, units, names of networks, software are shorter or known."""
    known = {"siteplan", "degree", "Gauss", "Kruger", "xlsx", "indicators", "ledger", "exposure", "Leaflet", "folium"}
    parts = {**data, "layers": {name: layer for name, layer in data["layers"].items() if name != "context"}}
    parts["layers"]["reasons"] = [words for _, words in data["layers"]["reasons"]]
    for name, codes in (("complaints", "findings"), ("indoor_buildings", "states")):
        parts["layers"][name] = {**parts["layers"][name], codes: [row[1] for row in parts["layers"][name][codes]]}
    for name in ("existing", "candidates", "refused"):
        layer = data["layers"][name]
        parts["layers"][name] = {"fields": layer["fields"], "told": layer["words"]}
    parts["title"] = [row for row in data["title"] if not row[1].startswith("siteplan ")]  # ends with a digest
    found = {(path, word, text) for path, text in shown(parts)
             for word in re.findall(r"[A-Za-z_]*[a-z_]{4,}[A-Za-z_]*", text)
             if word not in known}
    told = [text for _, text in shown(parts)]
    assert len(told) > 500
    allowed = {text for _, word, text in found if "ODbL" in text or word == "my_rule"}  # a notice; a rule nobody names
    assert sorted((path, word, text) for path, word, text in found if text not in allowed) == []


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the map page is not opened")
def test_units_are_searched_shown_and_told(plan: Any, tmp_path: Path) -> None:
    early = replace(plan, sites=plan.sites.assign(build_year=plan.sites["build_year"].mask(
        plan.sites["build_year"] == 2027, 2026)))
    with chrome(write_review_map(early, tmp_path / "map.html")) as tab:
        assert tab.evaluate("SP.onMap('units').length") == 0
        hits = tab.evaluate("SP.search('dy-01').map(hit => [hit.kind, hit.title, hit.rank])")
        assert hits[0] == ["units", "DY-01 城东第1单元", 0]
        tab.evaluate("SP.search('城东第1')[0].go()")
        assert tab.evaluate("SP.onMap('units').length") == 1
        card = tab.evaluate("document.querySelector('.leaflet-popup').innerText")
        assert [word for word in ("DY-01", *FIELDS) if word not in card] == []
        assert tab.evaluate("document.querySelector('[data-layer=units]').checked")
        labels = tab.evaluate("[...document.querySelectorAll('.sp-label')].map(node => node.textContent)")
        assert {"DY-01 城东第1单元", "DY-02"} <= set(labels)
        tab.evaluate("SP.set({year: 2027})")
        assert "该年没有站址" in tab.evaluate("document.querySelector('.sp-years small').innerText")
        tab.evaluate("SP.set({year: 2026})")
        assert "该年没有站址" not in tab.evaluate("document.querySelector('.sp-years small').innerText")
        clean(tab)
