"""The review map's language, title block, packed points, years, decisions, and its public variant."""

from __future__ import annotations

import ast
import copy
import csv
import json
import re
import string
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st
from map_plan import make_plan, unpacked
from odc.geo.geobox import GeoBox
from test_maps import SMALL, data_of

import siteplan
import siteplan.maps
from siteplan.decisions import read_decisions
from siteplan.input_ledger import InputLedger
from siteplan.maps import MapOptions, render_review_map
from siteplan.maps._context_layers import restricted_layer
from siteplan.maps._facts import decision_words, phases_of, projection_of, title_block
from siteplan.maps._pack import pack_points
from siteplan.maps._pictures import neighbour_colours, server_palette
from siteplan.maps._raster import map_frame
from siteplan.tables import read_table

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
HAN = re.compile("[\u4e00-\u9fff]")
NASTY = Path(__file__).parents[1] / "../shared/data/badinput/generated/cell_table_nasty.csv"
STEP = 100.0


@pytest.fixture(scope="module")
def plan() -> Any:
    return make_plan(**SMALL)


@pytest.fixture(scope="module")
def public(plan: Any) -> str:
    return render_review_map(plan, MapOptions(public=True, public_step_m=STEP))


@pytest.fixture(scope="module")
def english(plan: Any) -> Any:
    return data_of(render_review_map(plan, MapOptions(language="en")))


def texts_said() -> set[str]:
    """Every text that siteplan/maps gives to ``say(...)``."""
    out = set()
    for file in Path(siteplan.maps.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else (
                node.func.attr if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "say" else "")
            if name in ("say", "words"):
                out |= {part.value for part in node.args
                        if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    return out - {""}


def parts_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_of_the_page_is_in_the_english_table() -> None:
    said, table = texts_said(), read_table("map_labels")["english"]
    assert len(said) > 150
    assert sorted(text for text in said if text not in table) == []
    assert {key: english for key, english in table.items() if parts_of(key) != parts_of(english)} == {}
    assert [english for english in table.values() if HAN.search(english)] == []
    package = Path(siteplan.__file__).parent
    sources = [*package.rglob("*.py"), *(file for file in package.glob("tables/*.toml") if file.stem != "map_labels")]
    written = "".join(file.read_text("utf-8") for file in sources)
    assert [key for key in table if key not in written] == []  # no text that nobody says


def test_english_page_is_english_but_for_names_and_rules(english: Any) -> None:
    assert english["lang"] == "en"
    assert "Names and reasons of the plan are in Chinese" in english["badges"]
    layers = english["layers"]
    fields = {field for layer in layers.values() if isinstance(layer, dict) for field in layer.get("fields", ())}
    assert len(fields) > 60
    assert sorted(field for field in fields if HAN.search(field)) == []
    labels = [row["label"] for row in english["indicators"]] + [label for label, _ in english["title"]]
    assert sorted(label for label in labels if HAN.search(label)) == []
    said = [english["bound"]["proof"], english["bound"]["stopped"], english["kinds"],
            *(entry["text"] for entries in (english["signal"], *english["legends"].values()) for entry in entries)]
    assert [text for text in said if HAN.search(text)] == []
    assert english["words"] != {}
    assert all(isinstance(text, str) and not HAN.search(text) for text in english["words"].values())


def test_chinese_by_default(plan: Any) -> None:
    page = render_review_map(plan)
    assert '<html lang="zh-CN">' in page
    assert data_of(page)["lang"] == "zh"
    assert '<html lang="en">' in render_review_map(plan, MapOptions(language="en"))


def test_title_block_says_what_is_given_and_what_is_missing(plan: Any) -> None:
    told = dict(title_block(plan))
    assert told["数据日期"] == "2026-06-30"
    assert told["审图号"] == "粤S(2026)000号"
    assert told["坐标系"].startswith("CGCS2000 3度带 中央子午线114°")
    assert told["密级"] == "内部资料"
    assert plan.rules["area_share_95"].zh in told["评判规则"]
    assert "非实测" in told["说明"]
    assert "合成数据" in told["说明"]
    own = replace(plan, study={**plan.study, "map_approval_no": ""}, parameters={
        **plan.parameters, "deliver": {"title": {"project": "某项目", "institute": "某院", "drawn_by": "张三"}}})
    told, public = dict(title_block(own)), dict(title_block(own, public=True))
    assert (told["工程名称"], told["编制单位"], told["绘制"], told["审图号"]) == ("某项目", "某院", "张三", "无审图号,不得公开")
    assert (public["密级"], public["审图号"]) == ("公众版", "无审图号,不得公开发布")
    assert "绘制" not in public


def test_digest_tells_plans_apart(plan: Any) -> None:
    other = replace(plan, sites=plan.sites.drop(plan.proposed.index[:1]))
    digests = {dict(title_block(one))["软件与方案"] for one in (plan, other, copy.copy(plan))}
    assert len(digests) == 2


@pytest.mark.parametrize("crs", ["EPSG:4547", "EPSG:4526", "EPSG:32649"])
def test_projection_gives_the_coordinates_of_the_crs(crs: str) -> None:
    box = GeoBox.from_bbox((0, 0, 10, 10), crs, resolution=1.0)
    found = projection_of(SimpleNamespace(surface=SimpleNamespace(geobox=box)))  # type: ignore[arg-type]
    assert found is not None
    rebuilt = pyproj.CRS(f"+proj=tmerc +lat_0={found['lat0_deg']} +lon_0={found['lon0_deg']} +k={found['k0']} "
                         f"+x_0={found['false_easting_m']} +y_0={found['false_northing_m']} +a={found['a_m']} "
                         f"+rf={found['rf']} +units=m +type=crs")
    ours, theirs = (pyproj.Transformer.from_crs(one.geodetic_crs, one, always_xy=True).transform(113.3926, 22.517)
                    for one in (rebuilt, pyproj.CRS(crs)))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert ("38" in found["zone_text"]) == (crs == "EPSG:4526")


def test_no_projection_where_it_is_another_one() -> None:
    box = GeoBox.from_bbox((0, 0, 10, 10), "EPSG:3035", resolution=1.0)
    assert projection_of(SimpleNamespace(surface=SimpleNamespace(geobox=box))) is None  # type: ignore[arg-type]


def test_years_of_the_phases(plan: Any) -> None:
    data = data_of(render_review_map(plan))
    assert data["phases"]["years"] == [2026, 2027, 2028]
    assert [item["year"] for item in data["layers"]["proposed"]["items"]] == plan.proposed["build_year"].tolist()
    plain = replace(plan, parameters={}, sites=plan.sites.assign(build_year=0))
    assert phases_of(plain) == {"years": [], "note": ""}
    one_decision = plan.sites.assign(build_year=[2027] + [0] * (len(plan.sites) - 1))
    assert phases_of(replace(plan, parameters={}, sites=one_decision))["years"] == []


def test_comments_in_the_words_of_the_page_are_read_back_as_decisions(plan: Any) -> None:
    told = decision_words(plan)
    with (Path(__file__).parents[1] / "data/xikou/decisions.csv").open(encoding="utf-8-sig") as stream:
        assert told["head"] == next(csv.reader(stream))
    keys = {entry["zh"]: name for name, entry in read_table("columns")["decisions"]["fields"].items()}
    rows = [["V-1", action["word"], value, told["by"], "2026-01-02", "x"] for action in told["actions"]
            for value in (action["choices"] or [action["value"]])]
    rows = [[f"V-{number}", *row[1:]] for number, row in enumerate(rows)]
    ledger = InputLedger()
    table = pd.DataFrame(rows, columns=[keys[head] for head in told["head"]])
    read = read_decisions(table, ledger)
    assert len(read.rows) == len(rows)
    assert {row.action for row in read.rows} == set(read_table("decisions")["actions"])
    assert ledger.count("refused") == 0


@given(st.lists(st.tuples(st.floats(-85, 85), st.floats(-180, 180), st.integers(0, 255), st.text(max_size=8),
                          st.text(max_size=8), st.text(max_size=8)), max_size=12))
def test_packed_points_come_back(rows: list[tuple[float, float, int, str, str, str]]) -> None:
    lats, lons, tiers, titles, first, last = ([row[k] for row in rows] for k in range(6))
    layer = json.loads(json.dumps(pack_points((lats, lons), tiers, titles, {"a": first, "b": last})))
    back = unpacked(layer)
    assert layer["count"] == len(back) == len(rows)
    for (lat, lon, tier, texts), row in zip(back, rows, strict=True):
        assert abs(lat - row[0]) < 6e-7
        assert abs(lon - row[1]) < 6e-7
        assert (tier, texts[0], texts[-1]) == (row[2], row[3], row[5])
    assert layer["fields"] == (["a", "b"] if any(first) else ["b"])


def test_points_lie_where_the_table_says_and_end_with_their_id(plan: Any) -> None:
    layer = data_of(render_review_map(plan))["layers"]["candidates"]
    kept = plan.sites[plan.sites["status"] == "candidate"]
    degrees = kept.geometry.to_crs("EPSG:4326")
    back = unpacked(layer)
    np.testing.assert_allclose([row[0] for row in back], degrees.y, atol=1e-6)
    np.testing.assert_allclose([row[1] for row in back], degrees.x, atol=1e-6)
    assert [row[3][-1] for row in back] == kept.index.tolist()
    assert [row[2] for row in back] == kept["tier"].tolist()


def test_restricted_areas_by_what_their_rule_does(plan: Any) -> None:
    layer = restricted_layer(plan.context["restricted"], 10.0, {})
    looks = {item["values"][-1]: item["look"] for item in layer["items"]}
    assert looks["R1"] == "exclude"
    off = restricted_layer(plan.context["restricted"], 10.0, {"ecology_red_line": {"effect": "flag"}})
    assert off["items"][0]["look"] == "avoid"
    assert {item["shape"]["type"] for item in layer["items"]} == {"Polygon", "Point", "LineString"}
    works = data_of(render_review_map(plan))["layers"]["works"]
    assert [(item["title"], item["look"]) for item in works["items"]] == [
        ("人民路改造", "道路改造"), ("市民中心二期", "planned_building")]


@given(st.integers(1, 30), st.integers(0, 2 ** 32 - 1))
def test_neighbouring_servers_never_share_a_colour(count: int, seed: int) -> None:
    servers = [np.random.default_rng(seed + k).integers(-1, count, (9, 11)) for k in range(2)]
    colours = neighbour_colours(servers, count)
    for server in servers:
        for a, b in ((server[:, :-1], server[:, 1:]), (server[:-1], server[1:])):
            apart = (a != b) & (a >= 0) & (b >= 0)
            assert (colours[a[apart]] != colours[b[apart]]).all()
    palette = server_palette(int(colours.max()) + 1)
    assert len(set(palette)) == len(palette)


def test_pictures_lie_where_the_projection_says() -> None:
    box = GeoBox.from_bbox((300_000, 2_480_000, 360_000, 2_520_000), "EPSG:4547", resolution=100)
    frame = map_frame(box)
    (rows, cols), ((south, west), (north, east)) = frame.index.shape, frame.bounds
    left, right = (np.radians(lon) * 6378137 for lon in (west, east))
    bottom, top = (np.arcsinh(np.tan(np.radians(lat))) * 6378137 for lat in (south, north))
    x, y = np.meshgrid(left + (np.arange(cols) + 0.5) * (right - left) / cols,
                       top - (np.arange(rows) + 0.5) * (top - bottom) / rows)
    easting, northing = pyproj.Transformer.from_crs("EPSG:3857", "EPSG:4547", always_xy=True).transform(x, y)
    col, row = np.floor((easting - 300_000) / 100), np.floor((2_520_000 - northing) / 100)
    inside = (col >= 0) & (col < 600) & (row >= 0) & (row < 400)
    assert (frame.index == np.where(inside, row * 600 + col, -1)).mean() > 0.999
    values = np.arange(400 * 600).reshape(400, 600)
    assert set(frame.take(values, -1)[frame.index < 0].tolist()) == {-1}


def test_licences_name_what_is_in_the_page(plan: Any) -> None:
    page = render_review_map(plan)
    names = {name: licence for name, _, licence in data_of(page)["licences"]}
    assert names["Leaflet"] == "BSD-2-Clause"
    assert ("Leaflet.markercluster" in names) == ("MarkerClusterGroup" in page.split('id="siteplan-data"')[0])


def test_names_of_the_nasty_table_stay_data(plan: Any) -> None:
    if not NASTY.is_file():
        pytest.skip("no ../shared/data/badinput here: its names are not tried")
    rows = list(csv.reader(NASTY.read_text("gb18030").splitlines()))[1:]
    names = [row[0] for row in rows if row and row[0].strip()]
    assert len(names) >= 5
    many = (names * (len(plan.sites) // len(names) + 1))[:len(plan.sites)]
    own = replace(plan, sites=plan.sites.assign(name=many, owner=many[::-1]), study={**plan.study, "name": names[0]})
    page = render_review_map(own)
    blob = page.split('id="siteplan-data">')[1].split("</script>", maxsplit=1)[0]
    assert not set("<>&$`=(@\u2028\u2029") & set(blob)
    titles = {row[3][0] for row in unpacked(data_of(page)["layers"]["refused"])}
    assert titles <= {name.strip() for name in names}
