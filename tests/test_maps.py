"""The review map without a browser: what the file holds, and that it asks the network for nothing."""

from __future__ import annotations

import base64
import copy
import json
import re
import time
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import geopandas as gpd
import numpy as np
import pytest
from geopandas.testing import assert_geodataframe_equal
from map_plan import HOSTILE, make_plan
from odc.geo.geobox import GeoBox
from PIL import Image
from rasterio.warp import transform_bounds

from siteplan.errors import ExportError
from siteplan.gaps.judging.areas import REST_COVERED
from siteplan.maps import inline_page, render_review_map, write_review_map
from siteplan.maps._layers import OwnerWords, proposed_layer
from siteplan.maps._offline import ASSETS, read_asset
from siteplan.maps._page import datum_name
from siteplan.maps._panel import covered_demand, list_indicators
from siteplan.maps._raster import draw_classes, shade_ground
from siteplan.maps._statements import list_statements
from siteplan.maps._texts import as_json
from tests.pace import allowed_s

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
SMALL = {"shape": (60, 80), "pixel": 50.0, "candidates": 40, "proposed": 6, "villages": 5}
REMOTE = re.compile(r"""(?:\b(?:src|srcset|href|poster|action)\s*=\s*\\?["']?|url\(\s*["']?|@import\s+["']?)\s*"""
                    r"""(?:https?:)?//[^"'\s)]*""", re.IGNORECASE)


class Tags(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="siteplan-data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.fixture(scope="module")
def plan() -> Any:
    return make_plan(**SMALL)


@pytest.fixture(scope="module")
def page(plan: Any) -> str:
    return render_review_map(plan)


@pytest.fixture(scope="module")
def hostile_page() -> str:
    return render_review_map(make_plan(**SMALL, hostile=True))


def remote_addresses(page: str) -> list[str]:
    # the one link inside leaflet.js is the text of its attribution, which this page switches off
    return [found for found in REMOTE.findall(page) if "leafletjs.com" not in found]


def test_page_names_no_remote_file(page: str, hostile_page: str) -> None:
    for text in (page, hostile_page):
        assert remote_addresses(text) == []
        assert "sourceMappingURL" not in text
        for tag, attributes in Tags(text).found:
            assert tag not in ("link", "img", "iframe", "object", "embed", "base", "a"), (tag, attributes)
            assert not {"src", "href", "srcset"} & set(attributes), (tag, attributes)


def test_content_policy_forbids_every_request(page: str) -> None:
    policy = next(a["content"] for t, a in Tags(page).found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_every_layer_is_there_with_its_counts(plan: Any, page: str) -> None:
    layers = data_of(page)["layers"]
    assert len(layers["villages"]["items"]) == len(plan.villages) == 5
    assert len(layers["zones"]["items"]) == len(plan.zones)
    assert len(layers["gaps_before"]["items"]) == len(plan.gaps_before)
    assert len(layers["gaps_after"]["items"]) == len(plan.gaps_after)
    counts = plan.sites["status"].value_counts()
    for name, status in (("existing", "existing"), ("candidates", "candidate"), ("refused", "refused")):
        assert layers[name]["count"] == counts[status]
    assert [item["no"] for item in layers["proposed"]["items"]] == [1, 2, 3, 4, 5, 6]
    assert set(layers["context"]) == {"water", "towns", "roads", "main_roads"}


def test_points_lie_where_the_table_says(plan: Any, page: str) -> None:
    items = data_of(page)["layers"]["proposed"]["items"]
    expected = plan.proposed.geometry.to_crs("EPSG:4326")
    np.testing.assert_allclose([item["at"] for item in items], np.column_stack([expected.y, expected.x]), atol=1e-6)


def test_sector_directions_without_omni(page: str) -> None:
    ticks = data_of(page)["layers"]["existing"]["ticks"]
    assert len(ticks) == 40 * 3 - 3
    assert {tick[2] for tick in ticks} == {0.0, 120.0, 240.0}


def test_statements_badges_and_rules(page: str) -> None:
    data = data_of(page)
    said = "".join(data["statements"])
    for part in ("预测值,非实测", "-105 dBm", "σ", "审图号:粤S(2026)000号", "ODbL"):
        assert part in said
    assert data["badges"] == ["合成数据 · 仅供演示", "以4G小区代替5G"]
    assert "面积覆盖率不低于95%" in data["indicators"][0]["note"]
    assert data["bound"]["covered"] == "82,311"
    assert data["bound"]["proof"] == "任何满足同样限制的方案,目标值最多再高 3.15%"
    assert "目标值(加权需求减去各站的建站门槛)82,311,上界 84,900" in data["bound"]["sizes"]
    assert "gap" not in data["bound"]


@pytest.mark.parametrize(("settings", "has_clutter", "words", "absent"), [
    ({"model_macro": "auto", "building_weight": 0.25}, True, ["自动", "城区 UMa", "农村 RMa", "= 0.25"], "不是城市"),
    ({"model_macro": "auto", "building_weight": 0.25}, False, ["全部按 TR 38.901 城区 UMa", "没有建筑高度资料"], "0.25"),
    ({"model_macro": "cost231", "building_weight": 1.0}, True, ["COST231-Hata", "= 1("], "自动"),
    ({"model_macro": "free_space", "building_weight": 0.5}, True, ["自由空间", "不是城市覆盖的预测"], "自动"),
])
def test_foot_names_the_model(settings: dict[str, Any], has_clutter: bool, words: list[str], absent: str) -> None:
    plan = make_plan(**SMALL)
    plan.parameters = {**plan.parameters, "coverage": {**plan.parameters["coverage"], **settings}}
    plan.surface.has_clutter = has_clutter
    said = "".join(list_statements(plan))
    assert [word for word in words if word not in said] == []
    assert absent not in said


def test_indoor_row_only_where_it_was_predicted(plan: Any) -> None:
    told = copy.copy(plan)
    told.after = copy.copy(plan.after)
    told.after.indoor_threshold_dbm = -110.0
    told.indicators = {"before": {"indoor_share": 0.5}, "after": {"indoor_share": 0.99999}}
    row = next(row for row in list_indicators(told) if row["label"].startswith("室内"))
    assert (row["before"], row["after"]) == ("50.0%", "99.9%")
    assert "-110 dBm" in row["note"]
    told.indicators = {"before": {"indoor_share": None}, "after": {"indoor_share": None}}
    assert not any("室内" in row["label"] for row in list_indicators(told))


@pytest.mark.parametrize(("reasons", "told"), [
    ((f"卫生室缺点位数据,{REST_COVERED},无法判定",) * 2, f"另 2 村缺点位资料,{REST_COVERED}"),
    ((f"卫生室缺点位数据,{REST_COVERED},无法判定", "村委会、学校、卫生室缺点位数据,无法判定"), "2 个无法判定,不计入达标"),
])
def test_villages_without_points_are_told_as_what_they_are(plan: Any, reasons: tuple[str, str], told: str) -> None:
    villages = plan.villages.assign(verdict_after="pass")
    villages.iloc[:2, villages.columns.get_loc("verdict_after")] = "not_assessable"
    villages.iloc[:2, villages.columns.get_loc("reason_after")] = list(reasons)
    changed = copy.copy(plan)
    changed.villages = villages
    note = list_indicators(changed)[0]["note"]
    assert told in note
    assert (REST_COVERED in note) == (REST_COVERED in told)


def test_site_over_the_limit_is_marked_in_list_and_card(plan: Any) -> None:
    words = ["above_limit", "taller_near", "below", "none", "above_managed"]
    states = dict(zip(plan.proposed.index[:5], words, strict=True))
    said = {site: (state, f"说明 {state}") for site, state in states.items()}
    layer = proposed_layer(plan.proposed, {}, "people", said)
    marked = {item["values"][-1]: item for item in layer["items"] if "mark" in item}
    assert set(marked) == {site for site, state in states.items() if state == "above_limit"}
    for item in marked.values():
        assert item["values"][item["first"]] == "说明 above_limit"
        assert "辐射" in item["mark"]


def test_card_says_why_there_and_why_this_owner(plan: Any) -> None:
    site = plan.proposed.index[0]
    one = plan.proposed.loc[[site]].assign(
        choice_text="第1位:附近公共候选能服务的少得多", must_open=True, must_be_free=False, opens="roof", department="城管局",
        operators="移动|电信", capex_yuan=200_000.0, yearly_yuan=10_000.0, cost_yuan=250_000.0, power_m=120.0,
        fibre_m=float("nan"), evidence="设施表第2行")
    owners = {site: OwnerWords("条例第七条", "", True, "待开放")}
    layer = proposed_layer(one, {}, "people", {}, owners)
    card = dict(zip(layer["fields"], layer["items"][0]["values"], strict=True))
    wanted = {
        "为何选此处、此权属": "第1位:附近公共候选能服务的少得多",
        "主管部门": "城管局(协调组外)", "开放部位": "楼顶", "应当开放": "应开放(依据:条例第七条)",
        "免费开放": "", "开放状态": "待开放", "运营商需求": "移动、电信", "距电源、光缆": "电源 120 m", "依据与出处": "设施表第2行",
        "投资估算": "250,000 元(建设投资 200,000 元,年费用 10,000 元/年)"}
    assert {name: card[name] for name in wanted} == wanted
    private = proposed_layer(one.assign(must_open=False), {}, "people", {})
    told = dict(zip(private["fields"], private["items"][0]["values"], strict=True))
    assert told["应当开放"] == "公平协商,不属于应当开放的场所"
    assert told["主管部门"] == "城管局"


@pytest.mark.parametrize(("crs", "name"), [
    ("EPSG:4547", "CGCS2000"), ("EPSG:2056", "WGS 84"), ("EPSG:32649", "WGS 84")])
def test_degrees_name_their_datum(crs: str, name: str) -> None:
    geobox = GeoBox.from_bbox((0, 0, 10, 10), crs, resolution=1.0)
    assert datum_name(cast("Any", SimpleNamespace(surface=SimpleNamespace(geobox=geobox)))) == name


def test_prediction_is_said_once() -> None:
    plan = make_plan(**SMALL, notices=["覆盖为模型预测值,非实测(predicted, not measured)"])
    assert sum("非实测" in sentence for sentence in list_statements(plan)) == 1


def test_share_below_the_rule_is_never_rounded_up_to_it(plan: Any) -> None:
    table = copy.copy(plan)
    villages = plan.villages.copy()
    villages["area_share_after"] = 0.94999
    villages["shortfall_after"] = 0.00001
    table.villages = villages
    text = json.dumps(data_of(render_review_map(table))["layers"]["villages"], ensure_ascii=False)
    assert "94.9%" in text
    assert "95.0%" not in text
    assert "差 0.1 个百分点" in text


def test_pictures_carry_their_place(plan: Any, page: str) -> None:
    pictures = data_of(page)["pictures"]
    assert set(pictures) == {"before", "after", "gained", "relief", "probability_before", "probability_after",
                             "server_before", "server_after"}
    (south, west), (north, east) = pictures["after"]["bounds"]
    lefts, bottoms, rights, tops = transform_bounds("EPSG:4547", "EPSG:4326", *plan.surface.geobox.boundingbox.bbox)
    np.testing.assert_allclose([south, west, north, east], [bottoms, lefts, tops, rights], atol=2e-3)
    image = Image.open(BytesIO(base64.b64decode(pictures["after"]["uri"].split(",")[1])))
    assert image.mode == "P"


def test_picture_is_warped_to_the_right_place() -> None:
    from odc.geo.geobox import GeoBox

    box = GeoBox.from_bbox((300_000, 2_480_000, 340_000, 2_520_000), "EPSG:4547", resolution=200)
    classes = np.zeros((200, 200), np.uint8)
    classes[40, 160] = 1
    picture = draw_classes(classes, box, [(255, 0, 0, 255)])
    image = np.asarray(Image.open(BytesIO(base64.b64decode(picture.uri.split(",")[1]))))
    row, col = (float(np.mean(axis)) + 0.5 for axis in np.nonzero(image))
    (south, west), (north, east) = picture.bounds
    x, y = box.affine @ (160.5, 40.5)
    point = gpd.GeoSeries.from_xy([x], [y], crs="EPSG:4547").to_crs("EPSG:4326").iloc[0]
    metres_lon = (west + (east - west) * col / image.shape[1] - point.x) * 103_000
    top, bottom = (np.log(np.tan(np.pi / 4 + np.radians(lat) / 2)) for lat in (north, south))
    lat = np.degrees(2 * np.arctan(np.exp(top + (bottom - top) * row / image.shape[0])) - np.pi / 2)
    assert abs(metres_lon) < 200
    assert abs(lat - point.y) * 111_000 < 200


def test_hillshade_lights_the_north_west() -> None:
    rows, cols = np.mgrid[0:21, 0:21]
    hill = (100 - 5 * np.hypot(rows - 10, cols - 10)).astype(np.float32)
    shade = shade_ground(hill, 10.0)
    assert shade[5, 5] > shade[15, 15]
    hill[0, 0] = np.nan
    assert shade_ground(hill, 10.0)[0, 0] == 0


def test_covered_demand_leaves_the_unknown_out(plan: Any) -> None:
    coverage = copy.copy(plan.after)
    coverage.rsrp = np.array([[-80.0, -120.0, np.nan]], np.float32)
    coverage.probability = np.array([[1.0, 0.25, np.nan]], np.float32)
    assert covered_demand(np.array([[10.0, 30.0, 60.0]], np.float32), coverage) == (17.5, 0.4375)


def test_hostile_names_stay_data(hostile_page: str) -> None:
    tags = Tags(hostile_page)
    scripts = [attributes for tag, attributes in tags.found if tag == "script"]
    assert len(scripts) == len([1 for tag, _ in Tags(render_review_map(make_plan(**SMALL))).found if tag == "script"])
    data = data_of(hostile_page)
    titles = {item["title"] for item in data["layers"]["villages"]["items"]}
    assert titles == set(HOSTILE[:5])
    blob = hostile_page.split('id="siteplan-data">')[1].split("</script>", maxsplit=1)[0]
    assert not set("<>$`\u2028\u2029") & set(blob)
    assert any("{{ 7*7 }}" in sentence for sentence in data["statements"])


def test_json_is_escaped_and_reads_back() -> None:
    text = as_json(list(HOSTILE))
    assert json.loads(text) == list(HOSTILE)
    assert not set("<>&$`=(@") & set(text)


def test_same_plan_same_page_and_unchanged(plan: Any, page: str) -> None:
    tables = {name: getattr(plan, name).copy() for name in ("sites", "villages", "zones", "gaps_after", "boundary")}
    assert render_review_map(plan) == page
    for name, table in tables.items():
        assert_geodataframe_equal(getattr(plan, name), table)


def test_folium_keeps_its_own_lists(page: str) -> None:
    import folium

    assert not [name for name, _ in folium.Map.default_js + folium.Map.default_css if "cluster" in name.lower()]


def test_empty_tables(plan: Any) -> None:
    empty = copy.copy(plan)
    for name in ("villages", "zones", "gaps_before", "gaps_after", "boundary"):
        setattr(empty, name, getattr(plan, name).iloc[:0])
    empty.sites = plan.sites[plan.sites["status"] == "existing"]
    empty.context = {}
    data = data_of(render_review_map(empty))
    assert data["layers"]["villages"]["items"] == []
    assert data["layers"]["tiers"] == []
    assert np.isfinite(data["bounds"]).all()


def test_page_weight_of_a_city() -> None:
    made = make_plan(shape=(1000, 1200), pixel=10.0, candidates=12_000)
    start = time.process_time()
    page = render_review_map(made)
    spent = time.process_time() - start
    assert spent < allowed_s(3.0)
    assert len(page.encode()) < 6e6


def test_write_is_whole_or_nothing(plan: Any, page: str, tmp_path: Path) -> None:
    path = write_review_map(plan, tmp_path / "sub" / "review.html")
    assert path.read_text("utf-8") == page
    assert [file.name for file in path.parent.iterdir()] == ["review.html"]


def test_failed_write_keeps_the_old_file(plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "review.html"
    target.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("siteplan.maps._page.os.fsync", full)
    with pytest.raises(ExportError, match="No space left"):
        write_review_map(plan, target)
    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["review.html"]


def test_target_that_is_a_folder(plan: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError):
        write_review_map(plan, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package_and_file", sorted(set(ASSETS.values())))
def test_every_asset_is_installed(package_and_file: tuple[str, str]) -> None:
    assert len(read_asset(*package_and_file)) > 500


def test_missing_asset_names_the_package() -> None:
    with pytest.raises(ExportError, match="XStatic-leaflet-search"):
        read_asset("leaflet_search", "leaflet-search.js")


@pytest.mark.parametrize("markup", [
    '<script src="https://example.org/unknown.js"></script>',
    "<link rel='stylesheet' href='//example.org/unknown.css'>",
    '<img src="https://example.org/a.png">', "<style>@import 'https://example.org/a.css';</style>",
    "<style>p{background:url(https://example.org/a.png)}</style>", "<script>L.AwesomeMarkers.icon();</script>",
    '<script>L.tileLayer("https://tile.example.org/{z}/{x}/{y}.png")</script>',
])
def test_anything_from_the_network_is_an_error(markup: str) -> None:
    with pytest.raises(ExportError):
        inline_page(f"<html><head></head><body>{markup}</body></html>")


def test_link_to_click_is_allowed() -> None:
    assert inline_page('<a href="https://example.org/licence">ODbL</a>').startswith("<a")


def test_inlined_script_cannot_end_its_element(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siteplan.maps._offline.read_asset", lambda *_: b"x='</script>';y='</SCRIPT >';z='<!--'")
    page = inline_page('<script src="https://example.org/d3.min.js"></script>')
    assert page == r"<script>x='<\/script>';y='<\/SCRIPT >';z='<\!--'</script>"


def test_any_folium_page_can_be_made_offline() -> None:
    import folium
    from folium.plugins import FastMarkerCluster

    drawn = folium.Map([22, 113], tiles=None)
    FastMarkerCluster([[22.0, 113.0]], callback="function (r) { return L.circleMarker([r[0], r[1]]); }").add_to(drawn)
    page = inline_page(drawn.get_root().render())
    assert remote_addresses(page) == []
    assert "L.Icon.Default.mergeOptions" in page
    assert "font/woff2;base64" in page
    assert ".ttf" not in page
