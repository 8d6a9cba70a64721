"""Base maps of the review map: a GeoTIFF of the user, tiles of a service (here a local server), and their settings."""

from __future__ import annotations

import base64
import http.server
import io
import threading
import traceback
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
from map_plan import make_plan
from PIL import Image
from rasterio.transform import from_origin
from test_maps import SMALL, data_of

from siteplan.errors import ExportError
from siteplan.maps import MapOptions, _base_image, _page, render_review_map, write_review_map
from siteplan.maps._base_image import embed_base
from siteplan.maps._tiles import fetch_base, tiles_of
from siteplan.maps._words import CHINESE, ENGLISH
from siteplan.study import _deliver
from siteplan.tables import read_table

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
WEST, NORTH, PIXEL, SIDE = 429_000.0, 2_489_500.0, 50.0, 240
KEY = "k3y&with=signs/../?#"
MARK = slice(60, 100)
"""Rows and columns of the mark in the test images."""


@pytest.fixture(scope="module")
def plan() -> Any:
    return make_plan(**SMALL)


@pytest.fixture(scope="module")
def bounds(plan: Any) -> Any:
    return _page._bounds(plan)


def write_tif(path: Path, bands: list[np.ndarray], crs: str | None = "EPSG:4547", colours: Any = None,
              **more: Any) -> Path:
    with rasterio.open(path, "w", driver="GTiff", width=bands[0].shape[1], height=bands[0].shape[0], count=len(bands),
                       dtype=bands[0].dtype, crs=crs, transform=from_origin(WEST, NORTH, PIXEL, PIXEL), **more) as file:
        for number, band in enumerate(bands, start=1):
            file.write(band, number)
        if colours:
            file.write_colormap(1, colours)
    return path


def marked(value: int = 255, dtype: Any = np.uint8) -> np.ndarray:
    band = np.full((SIDE, SIDE), 10, dtype)
    band[MARK, MARK] = value
    return band


def colours_at(picture: Any, x: float, y: float) -> tuple[int, ...]:
    """Colour of the picture at a place of the study CRS."""
    kind, content = picture.uri.split(",", 1)
    image = Image.open(BytesIO(base64.b64decode(content))).convert("RGBA")
    lon, lat = pyproj.Transformer.from_crs("EPSG:4547", "EPSG:4490", always_xy=True).transform(x, y)
    (south, west), (north, east) = picture.bounds
    rows = [np.arcsinh(np.tan(np.radians(value))) for value in (south, lat, north)]
    assert kind.startswith("data:image/")
    at = (int((lon - west) / (east - west) * image.width),
          int((rows[2] - rows[1]) / (rows[2] - rows[0]) * image.height))
    return tuple(image.getpixel(at))  # type: ignore[arg-type]


CENTRE = (WEST + 80 * PIXEL, NORTH - 80 * PIXEL)
BESIDE = (WEST + 50 * PIXEL, NORTH - 50 * PIXEL)


@pytest.mark.parametrize(("bands", "kind", "mark", "rest"), [
    ([marked()], "jpeg", (255, 255, 255), (10, 10, 10)),
    ([marked(), marked(10), marked(10)], "jpeg", (255, 10, 10), (10, 10, 10)),
    ([marked(), marked(10), marked(10), marked(255)], "jpeg", (255, 10, 10), (245, 245, 245)),
    ([marked(40000, np.uint16)], "jpeg", (255, 255, 255), (0, 0, 0)),
])
def test_base_image_lies_where_it_belongs(tmp_path: Path, bounds: Any, bands: list[np.ndarray], kind: str,
                                          mark: tuple[int, ...], rest: tuple[int, ...]) -> None:
    more = {"photometric": "RGB", "alpha": "unspecified"} if len(bands) == 4 else {}
    picture = embed_base(write_tif(tmp_path / "base.tif", bands, **more), bounds)
    assert picture.uri.startswith(f"data:image/{kind};base64,")
    np.testing.assert_allclose(colours_at(picture, *CENTRE)[:3], mark, atol=12)
    np.testing.assert_allclose(colours_at(picture, *BESIDE)[:3], rest, atol=12)


def test_palette_stays_a_palette(tmp_path: Path, bounds: Any) -> None:
    path = write_tif(tmp_path / "palette.tif", [marked(7)], colours={7: (200, 30, 40, 255), 10: (1, 2, 3, 255)})
    picture = embed_base(path, bounds)
    assert picture.uri.startswith("data:image/png;base64,")
    assert colours_at(picture, *CENTRE) == (200, 30, 40, 255)
    assert colours_at(picture, *BESIDE) == (1, 2, 3, 255)


def test_large_base_is_bounded_and_clipped(tmp_path: Path, bounds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tif(tmp_path / "large.tif", [np.zeros((3000, 3000), np.uint8)])
    monkeypatch.setattr(_base_image, "MOST_PIXELS", 5000)
    picture = embed_base(path, bounds)
    assert Image.open(BytesIO(base64.b64decode(picture.uri.split(",")[1]))).size[0] < 100
    (south, west), (north, east) = picture.bounds
    assert north - south < 1.5 * (bounds[1][0] - bounds[0][0])
    assert east - west < 1.5 * (bounds[1][1] - bounds[0][1])


def faulty(folder: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = folder / f"{fault}.tif"
    if fault == "not_a_tiff":
        path.write_text("not a picture")
    elif fault == "a_png":
        Image.new("RGB", (4, 4)).save(path, "PNG")
    elif fault == "cut_off":
        content = write_tif(path, [np.random.default_rng(1).integers(0, 255, (900, 900), np.uint8)]).read_bytes()
        path.write_bytes(content[:20_000])
    elif fault == "no_crs":
        write_tif(path, [marked()], crs=None)
    elif fault == "two_bands":
        write_tif(path, [marked(), marked()])
    elif fault == "elsewhere":
        write_tif(path, [marked()], crs="EPSG:32633")
    elif fault == "too_large":
        monkeypatch.setattr(_base_image, "MOST_READ", 1000)
        write_tif(path, [marked()])
    return path


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(("fault", "said"), [
    ("absent", "没有这个文件"), ("not_a_tiff", "不是可读的 GeoTIFF"), ("a_png", "不是可读的 GeoTIFF"), ("cut_off", "不是可读的 GeoTIFF"),
    ("no_crs", "没有坐标系"), ("two_bands", "有 2 个波段"), ("elsewhere", "不在研究范围内"), ("too_large", "没有金字塔")])
def test_base_that_cannot_be_used_is_told(tmp_path: Path, bounds: Any, monkeypatch: pytest.MonkeyPatch, fault: str,
                                          said: str) -> None:
    with pytest.raises(ExportError) as caught:
        embed_base(faulty(tmp_path, fault, monkeypatch), bounds)
    problem, = caught.value.problems
    assert said in problem.reason
    assert (problem.file, problem.field) == (f"{fault}.tif", "deliver.map.base")
    assert problem.remedy


def test_base_is_in_the_page_but_not_in_the_public_one(plan: Any, tmp_path: Path) -> None:
    path = write_tif(tmp_path / "<b>底图.tif", [marked()])
    data = data_of(render_review_map(plan, MapOptions(base=path)))
    assert data["pictures"]["base"]["uri"].startswith("data:image/jpeg")
    assert any("<b>底图.tif" in sentence for sentence in data["statements"])
    assert "base" not in data_of(render_review_map(plan, MapOptions(base=path, public=True)))["pictures"]


class Service(http.server.ThreadingHTTPServer):
    """A tile service: each tile has the colour of its column and row; ``mode`` is how it fails."""

    mode = "ok"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[dict[str, str]] = []

    def source(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.server_port}/" + "{layer}_w/wmts?TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk={key}"
        return {**read_table("tile_sources")["tianditu"], "url": url, "most_tiles": 12, "servers": ["0", "1"]}


class Answer(http.server.BaseHTTPRequestHandler):
    """One answer of the service."""

    server: Service

    def do_GET(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        asked = {name: values[0] for name, values in urllib.parse.parse_qs(parts.query).items()}
        self.server.asked.append({**asked, "layer": parts.path.split("_")[0].strip("/")})
        mode = self.server.mode
        if mode in ("403", "302"):
            self.send_response(int(mode))
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere?{parts.query}")
            self.end_headers()
            return
        out = io.BytesIO()
        colour = (int(asked.get("TILECOL", 0)) % 256, int(asked.get("TILEROW", 0)) % 256, 0,
                  255 if "vec" in self.path else 0)
        Image.new("RGBA", (256, 256) if mode != "small" else (9, 9), colour).save(out, "PNG")
        content = b"<html>key expired</html>" if mode == "html" else out.getvalue()
        if mode == "cut":
            self.send_response(200)
            self.send_header("Content-Length", str(10 * len(content)))
            self.end_headers()
            self.wfile.write(content[:len(content) // 2])
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_tiles_are_stitched_where_they_belong(service: Service, bounds: Any) -> None:
    source = service.source()
    found = fetch_base(bounds, KEY, CHINESE, source)
    assert found.picture is not None
    assert "天地图" in found.sentences[0]
    tiles = tiles_of(bounds, source["max_zoom"], source["most_tiles"])
    assert len(service.asked) == 2 * tiles.number() <= 2 * source["most_tiles"]
    assert {row["tk"] for row in service.asked} == {KEY}
    assert {row["layer"] for row in service.asked} == {"vec", "cva"}
    (south, west), (north, east) = found.picture.bounds
    assert south <= bounds[0][0] < bounds[1][0] <= north
    assert west <= bounds[0][1] < bounds[1][1] <= east
    lon, lat = pyproj.Transformer.from_crs("EPSG:4547", "EPSG:4490", always_xy=True).transform(*CENTRE)
    column = int((lon + 180) / 360 * 2 ** tiles.zoom)
    row = int((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2 ** tiles.zoom)
    np.testing.assert_allclose(colours_at(found.picture, *CENTRE)[:3], (column % 256, row % 256, 0), atol=6)


@pytest.mark.parametrize(("mode", "said"), [("403", "HTTP 403"), ("302", "HTTP 302"), ("html", "答复不是图片"),
                                            ("small", "答复不是图片"), ("cut", "答复不是图片")])
def test_a_service_that_refuses_is_told_and_the_key_is_not(service: Service, bounds: Any, mode: str, said: str) -> None:
    service.mode = mode
    found = fetch_base(bounds, KEY, CHINESE, service.source())
    assert found.picture is None
    sentence, = found.sentences
    assert said in sentence
    assert "k3y" not in sentence
    assert len(service.asked) == 1  # a refused key is not tried again and again, and carried nowhere else
    assert "vector base" in fetch_base(bounds, KEY, ENGLISH, service.source()).sentences[0]


def test_a_service_that_is_not_there_is_told(bounds: Any) -> None:
    source = {**read_table("tile_sources")["tianditu"], "url": "http://127.0.0.1:9/{layer}/{z}/{x}/{y}?tk={key}"}
    found = fetch_base(bounds, KEY, CHINESE, source)
    assert found.picture is None
    assert "连接不上" in found.sentences[0]


def test_the_key_is_never_written(service: Service, plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                  capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    source = service.source()
    monkeypatch.setattr(_page, "fetch_base", lambda where, key, say: fetch_base(where, key, say, source))
    options = MapOptions(tianditu_key=KEY)
    for mode in ("ok", "403", "302"):
        service.mode = mode
        text = write_review_map(plan, tmp_path / f"{mode}.html", options).read_text("utf-8")
        assert "k3y" not in text
        assert "127.0.0.1" not in text
        assert ("base" in data_of(text)["pictures"]) == (mode == "ok")
    assert "k3y" not in repr(options)
    monkeypatch.setattr(_page, "_assets", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        render_review_map(plan, options)
    assert "k3y" not in "".join(traceback.format_exception(caught.value))
    told = capfd.readouterr()
    assert "k3y" not in told.out + told.err + caplog.text


def test_nothing_is_fetched_without_a_key_or_with_an_own_base(plan: Any, tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(_page, "fetch_base", asked)
    render_review_map(plan)
    render_review_map(plan, MapOptions(base=write_tif(tmp_path / "own.tif", [marked()]), tianditu_key=KEY))
    with pytest.raises(AssertionError, match="network"):
        render_review_map(plan, MapOptions(tianditu_key=KEY))


def test_deliverables_ask_for_the_map_as_the_study_says(plan: Any, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_deliver.KEY_VARIABLE, f" {KEY} ")
    asked = {"map": {"language": "en", "base": "maps/base.tif", "public": True, "public_step_m": 250.0}}
    own = replace(plan, parameters={**plan.parameters, "deliver": asked})
    options = _deliver.map_options(own, tmp_path)
    assert (options.language, options.base, options.public_step_m) == ("en", tmp_path / "maps/base.tif", 250.0)
    assert options.tianditu_key == KEY
    seen: dict[str, Any] = {}
    monkeypatch.setattr(_deliver, "write_plan", lambda *_, extra, progress: seen.update(extra) or {})
    _deliver.write_deliverables(own, tmp_path, root=tmp_path)
    options_of = {name: writer.keywords["options"] for name, writer in seen.items()}
    assert {name: (options.public, options.base) for name, options in options_of.items()} == {
        "review_map.html": (False, tmp_path / "maps/base.tif"), "review_map_public.html": (True, None)}
    monkeypatch.delenv(_deliver.KEY_VARIABLE)
    assert _deliver.map_options(plan) == MapOptions()
    seen.clear()
    _deliver.write_deliverables(plan, tmp_path)
    assert list(seen) == ["review_map.html"]
