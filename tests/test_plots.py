"""Pictures of a coverage: every pixel has the colour of the legend's entry that its value falls into."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from conftest import CRS, X0, Y0, rect
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.colors import to_rgb
from test_coverage import omni, params
from test_link import corridor

from siteplan.coverage import (
    Carrier,
    Coverage,
    Layer,
    LinkProfile,
    Network,
    Spectrum,
    crop_coverage,
    link_profile,
)
from siteplan.errors import ModelError
from siteplan.grid import study_geobox
from siteplan.maps import _plots, plot_comparison, plot_coverage, plot_link
from siteplan.maps._classes import (
    KINDS,
    NO_SIGNAL,
    OUTDOORS,
    REPORTED_SINR_DB,
    SERVER_COLOURS,
    ClassMap,
    class_map,
    colour_servers,
    difference_map,
)
from siteplan.maps._link_plot import budget_rows
from siteplan.maps._plots import FONTS, chinese_fonts, round_length
from siteplan.params import StudyInfo
from siteplan.surface import Surface

pytestmark = pytest.mark.filterwarnings("ignore:Glyph")  # names of networks where no font has Chinese
SHAPE = (6, 8)
FIVE, FOUR = Network("移动", "5G"), Network("移动", "4G")
NAN = np.float32(np.nan)
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    import matplotlib.pyplot as plt

    with mpl.rc_context(), plt.ioff():
        plt.switch_backend("agg")
        yield
        plt.close("all")


def make(seed: int = 0, shape: tuple[int, int] = SHAPE, names: tuple[str, ...] = ("A-1", "A-2", "B-1"),
         indoor: bool = True) -> Coverage:
    """A coverage of random signals: some pixels unknown, some without a sector, some with one only."""
    rng = np.random.default_rng(seed)
    full = (2, *shape)
    rsrp = rng.uniform(-140.0, -50.0, full).astype(np.float32)
    second = (rsrp - rng.uniform(0.0, 30.0, full)).astype(np.float32)
    probability = rng.uniform(0.0, 1.0, full).astype(np.float32)
    server = rng.integers(0, len(names), full).astype(np.int32)
    alone, silent, unknown = (rng.random(full) < share for share in (0.2, 0.2, 0.15))
    unknown = np.broadcast_to(unknown[0], full)
    second[alone | silent | unknown], rsrp[silent | unknown] = NAN, NAN
    server[silent | unknown], probability[silent] = -1, 0.0
    probability[unknown] = NAN
    inside = np.where(rng.random(full) < 0.5, probability, NAN)
    spectrum = Spectrum((Carrier(3500.0, 100.0, 30.0),), np.zeros(len(names), np.int64),
                        np.full(len(names), 0.5, np.float32), 7.0)
    arrays = (rsrp, server, probability, second, np.where(np.isnan(second), -1, server).astype(np.int32),
              np.where(np.isnan(rsrp), 0, rng.integers(0, 12, full)).astype(np.int16),
              np.where(np.isnan(rsrp), NAN, rng.uniform(-15.0, 40.0, full)).astype(np.float32),
              *((inside, inside) if indoor else ([None, None], [None, None])))
    box = study_geobox((X0, Y0, X0 + 10.0 * shape[1], Y0 + 10.0 * shape[0]), CRS, 10.0)
    return Coverage(box, (FOUR, FIVE), tuple(Layer(*parts) for parts in zip(*arrays, strict=True)), names, -105.0,
                    -110.0, spectrum, np.zeros((1, *shape), np.int64))


def with_layers(coverage: Coverage, **arrays: np.ndarray) -> Coverage:
    """The coverage with other arrays [network, row, col]."""
    return replace(coverage, layers=tuple(
        layer._replace(**{name: values[number] for name, values in arrays.items()})
        for number, layer in enumerate(coverage.layers)))


def sector_table(coverage: Coverage) -> pd.DataFrame:
    rows = len(coverage.sector_ids)
    return pd.DataFrame({"x": X0 + 15.0 + 20.0 * np.arange(rows), "y": Y0 + 25.0, "azimuth_deg": 90.0, "kind": "macro",
                         "technology": "5G", "networks": "移动"}, index=pd.Index(coverage.sector_ids))


def holds(words: str, value: float) -> bool:
    """Whether a legend's words name a class that holds the value."""
    numbers = [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", words)]
    if words.startswith("<"):
        return value < numbers[0]
    if words.startswith("≥"):
        return value >= numbers[0]
    if words.startswith("≤"):
        return value <= numbers[0]
    if "~" in words:
        return numbers[0] <= value < numbers[1]
    return value == numbers[0]


def words_at(picture: ClassMap, row: int, col: int) -> str:
    number = int(picture.classes[row, col])
    return "no data" if number == 0 else picture.legend[number - 1][1][0]


def values_of(coverage: Coverage, what: str) -> Any:
    layer = coverage.layer(FIVE)
    return {"rsrp": layer.rsrp_dbm, "sinr": layer.sinr_db, "probability": 100.0 * layer.probability.astype(float),
            "dominance": layer.rsrp_dbm - layer.second_rsrp_dbm, "servers_above": layer.servers_above}[what]


@pytest.mark.parametrize("what", ["rsrp", "sinr", "probability", "dominance", "servers_above"])
@given(seed=st.integers(0, 10_000))
def test_every_pixel_lies_in_the_class_the_legend_names(what: str, seed: int) -> None:
    coverage = make(seed)
    layer, picture, values = coverage.layer(FIVE), class_map(coverage, what, FIVE), values_of(coverage, what)
    for row, col in np.ndindex(SHAPE):
        words = words_at(picture, row, col)
        if np.isnan(layer.probability[row, col]):
            assert words == "no data"
        elif np.isnan(layer.rsrp_dbm[row, col]):
            assert words == NO_SIGNAL[1][0]
        elif what == "dominance" and np.isnan(layer.second_rsrp_dbm[row, col]):
            assert words == "one sector only"
        elif what == "servers_above" and "~" in words:
            low, high = map(int, words.split(" ~ "))  # whole numbers, both within
            assert low <= values[row, col] <= high
        else:
            assert holds(words, float(values[row, col])), (words, values[row, col])


def test_a_value_on_an_edge_belongs_to_the_upper_class() -> None:
    coverage = make()
    level = np.full((2, *SHAPE), coverage.threshold_dbm, np.float32)
    known = with_layers(coverage, rsrp_dbm=level, probability=np.full((2, *SHAPE), 0.5, np.float32))
    assert words_at(class_map(known, "rsrp"), 0, 0) == "-105 ~ -95"
    below = with_layers(known, rsrp_dbm=np.nextafter(level, np.float32(-np.inf)))
    assert words_at(class_map(below, "rsrp"), 0, 0) == "-115 ~ -105"


def test_indoor_tells_buildings_open_land_and_unknown_apart() -> None:
    coverage = make(3)
    layer, picture = coverage.layer(FIVE), class_map(coverage, "indoor", FIVE)
    assert layer.indoor_probability is not None
    seen = set()
    for row, col in np.ndindex(SHAPE):
        words, inside = words_at(picture, row, col), layer.indoor_probability[row, col]
        if np.isnan(layer.probability[row, col]):
            assert words == "no data"
        elif np.isnan(inside):
            assert words == OUTDOORS[1][0]
        else:
            assert holds(words, 100.0 * float(inside))
        seen.add(words)
    assert {"no data", OUTDOORS[1][0]} < seen


@pytest.mark.parametrize("what", ["rsrp", "sinr", "probability", "servers_above"])
@given(seeds=st.tuples(st.integers(0, 1000), st.integers(0, 1000)))
def test_differences_are_after_less_before(what: str, seeds: tuple[int, int]) -> None:
    before, after = (make(seed) for seed in seeds)
    picture = difference_map(before, after, what, FIVE)[2]
    first, second = values_of(before, what).astype(float), values_of(after, what).astype(float)
    old, new = before.layer(FIVE), after.layer(FIVE)
    for row, col in np.ndindex(SHAPE):
        words = words_at(picture, row, col)
        had, has = (not np.isnan(layer.rsrp_dbm[row, col]) for layer in (old, new))
        if np.isnan(old.probability[row, col]) or np.isnan(new.probability[row, col]):
            assert words == "no data"
        elif what != "probability" and (had, has) != (True, True):
            assert words == {(False, False): "no signal", (True, False): "signal lost",
                             (False, True): "signal gained"}[had, has]
        else:
            change = second[row, col] - first[row, col]
            near = [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", words)]
            assert holds(words, change) or min(abs(change - edge) for edge in near) < 1e-4, (words, change)


def touching(server: Any) -> set[tuple[int, int]]:
    pairs = set()
    for a, b in ((server[:, :-1], server[:, 1:]), (server[:-1], server[1:])):
        pairs |= {(int(x), int(y)) for x, y in zip(a.ravel(), b.ravel(), strict=True) if x != y and min(x, y) >= 0}
    return pairs


@given(server=arrays(np.int32, (7, 9), elements=st.integers(-1, len(SERVER_COLOURS) - 1)))
def test_few_servers_that_touch_never_share_a_colour(server: Any) -> None:
    colours = colour_servers([server], len(SERVER_COLOURS))
    assert all(colours[a] != colours[b] for a, b in touching(server))
    assert np.array_equal(colours, colour_servers([server], len(SERVER_COLOURS)))
    assert 0 <= colours.min() <= colours.max() < len(SERVER_COLOURS)


@given(st.integers(2, 12), st.integers(2, 12), st.randoms(use_true_random=False))
def test_many_servers_side_by_side_never_share_a_colour(rows: int, cols: int, random: Any) -> None:
    numbers = list(range(rows * cols))
    random.shuffle(numbers)
    server = np.kron(np.array(numbers, np.int32).reshape(rows, cols), np.ones((2, 3), np.int32))
    colours = colour_servers([server], rows * cols)
    assert all(colours[a] != colours[b] for a, b in touching(server))


def test_no_sector_at_all_can_be_drawn() -> None:
    silent = with_layers(make(), server=np.full((2, *SHAPE), -1, np.int32), rsrp_dbm=np.full((2, *SHAPE), NAN))
    nobody = replace(silent, sector_ids=(), spectrum=Spectrum((), np.zeros(0, np.int64), np.zeros(0, np.float32), 7.0))
    for what in KINDS:
        plot_coverage(nobody, what)


def test_a_sector_keeps_its_colour_in_a_comparison() -> None:
    before = make(5)
    turned = tuple(reversed(before.sector_ids))
    renumbered = with_layers(replace(before, sector_ids=turned), server=np.where(
        before.server >= 0, len(turned) - 1 - before.server, -1).astype(np.int32))
    first, second, change = difference_map(before, renumbered, "server", FIVE)
    assert np.array_equal(first.classes, second.classes)
    words = {words_at(change, row, col) for row, col in np.ndindex(SHAPE)}
    assert words == {"same server", "no signal", "no data"}
    other = replace(before, sector_ids=("C-1", *before.sector_ids[1:]))
    change = difference_map(before, other, "server", FIVE)[2]
    server = before.layer(FIVE).server
    assert {words_at(change, *place) for place in np.argwhere(server == 0)} == {"another server"}
    assert {words_at(change, *place) for place in np.argwhere(server == 1)} == {"same server"}


@pytest.mark.parametrize("what", KINDS)
def test_the_picture_shows_the_legend_s_colours(what: str) -> None:
    coverage = make(7)
    ax = plot_coverage(coverage, what, network=FIVE)
    picture, image = class_map(coverage, what, FIVE), ax.images[0]
    drawn = np.asarray(image.get_array())
    for row, col in np.ndindex(SHAPE):
        number = int(picture.classes[row, col])
        assert (drawn[row, col, 3] == 0) == (number == 0), "unknown pixels let the hatched ground show"
        if number:
            assert np.abs(drawn[row, col, :3] / 255.0 - to_rgb(picture.legend[number - 1][0])).max() < 1 / 200
    box = coverage.geobox.boundingbox
    assert tuple(image.get_extent()) == (box.left, box.right, box.bottom, box.top)
    legend = ax.get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert len(texts) == len(set(texts))
    assert ("无数据" if chinese_fonts() else "no data") in texts
    ax.figure.canvas.draw()


def test_titles_and_notices_say_what_must_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    study = StudyInfo(name="试", synthetic=True, stand_in_5g=True, notices=["© OpenStreetMap contributors, ODbL"],
                      map_approval_no="川S(2026)1号")
    if chinese_fonts():
        ax = plot_coverage(make(), "probability", study=study)
        said = ax.get_xlabel().replace("\n", "")
        assert ax.get_title().startswith("预测")
        assert "任一5G网络" in ax.get_title()
        for part in ("模型预测值，非实测", "合成数据", "以 4G 小区代替 5G", "ODbL", "川S(2026)1号"):
            assert part in said
    monkeypatch.setattr(_plots, "FONTS", ("no such font",))
    ax = plot_coverage(make(), "sinr", network=FOUR, study=study.model_copy(update={"map_approval_no": ""}))
    assert ax.get_title() == "Predicted SS-SINR (移动 4G)"
    assert "not measured" in ax.get_xlabel()
    legend = ax.get_legend()
    assert legend is not None
    texts = [legend.get_title(), ax.xaxis.label, *legend.get_texts()]
    words = " ".join(text.get_text() for text in texts)
    assert not CHINESE.search(words)


def test_notices_are_not_said_twice() -> None:
    study = StudyInfo(name="试", synthetic=True, notices=["合成数据：地名均为虚构"])
    assert plot_coverage(make(), "rsrp", study=study).get_xlabel().count("合成数据") == 1


def test_rc_params_stay() -> None:
    before = dict(mpl.rcParams)
    plot_coverage(make(), "rsrp")
    assert dict(mpl.rcParams) == before


def test_axes_of_the_caller_are_used() -> None:
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert plot_coverage(make(), "rsrp", ax) is ax
    assert plt.get_fignums() == [ax.figure.number]
    wanted = (*chinese_fonts(), "DejaVu Sans")[0]
    texts = ax.title, ax.xaxis.label, ax.get_legend().get_title()
    assert [text.get_fontfamily()[0] for text in texts] == [wanted] * 3


def test_comparison_marks_what_changed() -> None:
    before = make(1)
    after = replace(before, sector_ids=("A-1", "A-2", "N-1"))
    table = pd.concat([sector_table(before), sector_table(after).iloc[[2]].assign(x=X0 + 75.0)])
    boundary = gpd.GeoDataFrame(geometry=[rect(5, 5, 75, 55)], crs=CRS)
    axes = plot_comparison(before, after, "rsrp", sectors=table, boundary=boundary, network=FIVE)
    marks = [next(c for c in ax.collections if c.get_gid() == "masts").get_offsets()[:, 0] - X0 for ax in axes]
    assert [mark.tolist() for mark in marks] == [[15.0, 35.0, 55.0], [15.0, 35.0, 75.0], [55.0, 75.0]]
    outline = next(c for c in axes[0].collections if c.get_gid() == "boundary").get_segments()
    assert [line.min(0).tolist() + line.max(0).tolist() for line in outline] == [[X0 + 5, Y0 + 5, X0 + 75, Y0 + 55]]
    axes[0].figure.canvas.draw()


def test_only_masts_of_the_network_that_radiate_are_marked() -> None:
    coverage = make(1)
    table = sector_table(coverage)
    table["technology"], table["kind"] = ["5G", "4G", "5G"], ["macro", "macro", "indoor"]
    ax = plot_coverage(coverage, "server", sectors=table, network=FIVE)
    masts = next(c for c in ax.collections if c.get_gid() == "masts")
    assert (masts.get_offsets()[:, 0] - X0).tolist() == [15.0]
    lines = next(c for c in ax.collections if c is not masts).get_segments()
    assert len(lines) == 1
    (x0, y0), (x1, y1) = lines[0]
    assert x1 > x0, "azimuth 90 points east"
    assert y1 == pytest.approx(y0)


def test_relief_is_that_of_the_same_place() -> None:
    coverage = make(2, (20, 30))
    rows, cols = np.mgrid[0:20, 0:30]
    ground = (20.0 * np.sin(rows / 3.0) + 15.0 * np.cos(cols / 4.0)).astype(np.float32)
    surface = Surface(coverage.geobox, ground, np.zeros_like(ground), np.ones(ground.shape, bool), True)
    part = slice(4, 15), slice(6, 26)
    whole = np.asarray(plot_coverage(coverage, "rsrp", surface=surface).images[0].get_array())
    small = np.asarray(plot_coverage(crop_coverage(coverage, part), "rsrp", surface=surface).images[0].get_array())
    assert np.array_equal(small[1:-1, 1:-1], whole[part][1:-1, 1:-1])
    plain = np.asarray(plot_coverage(coverage, "rsrp").images[0].get_array())
    to_west = np.gradient(ground, axis=1) > 0  # a slope that rises eastward faces the light in the west
    to_north = np.gradient(ground, axis=0) > 0
    light, dark = to_west & to_north, ~to_west & ~to_north
    ratio = whole[..., :3].sum(-1) / np.maximum(plain[..., :3].sum(-1), 1)
    shown = plain[..., 3] > 0
    assert ratio[light & shown].mean() > ratio[dark & shown].mean()


def test_what_cannot_be_drawn_is_refused() -> None:
    coverage = make()
    away = study_geobox((X0 + 20.0, Y0, X0 + 100.0, Y0 + 60.0), CRS, 10.0)
    flat = np.zeros(SHAPE, np.float32)
    surface = Surface(away, flat, flat, np.ones(SHAPE, bool), True)
    with pytest.raises(ModelError, match="no picture of 'rsrq'"):
        plot_coverage(coverage, "rsrq")
    with pytest.raises(ModelError, match="is not one of"):
        plot_coverage(coverage, "rsrp", network=Network("电信", "5G"))
    with pytest.raises(ModelError, match=r"coverage\.indoor"):
        plot_coverage(make(indoor=False), "indoor")
    with pytest.raises(ModelError, match="another grid"):
        plot_coverage(coverage, "rsrp", surface=surface)
    with pytest.raises(ModelError, match="different grids"):
        plot_comparison(coverage, replace(coverage, geobox=away), "rsrp")


@given(st.floats(0.01, 1e6))
def test_scale_bars_are_round_and_not_tiny(longest: float) -> None:
    length = round_length(longest)
    assert longest / 2.6 < length <= longest * 1.000001
    assert f"{length:.0e}"[0] in "125"


@given(st.text(st.sampled_from("中文字，。ab c"), max_size=120), st.integers(12, 40))
def test_small_print_fits_and_is_whole(text: str, columns: int) -> None:
    wrapped = _plots._wrap(text, columns)
    assert wrapped.replace("\n", "").replace(" ", "") == text.replace(" ", "")
    for line in wrapped.split("\n"):
        width = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)
        pieces = max((sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in piece)
                      for piece in _plots._words(text)), default=0)
        assert width <= max(columns, pieces)


def test_the_page_shows_every_picture_and_none_that_must_not_be_public() -> None:
    docs = Path(__file__).resolve().parents[1] / "docs"
    page = (docs / "coverage.md").read_text("utf-8")
    files = sorted((docs / "pictures").glob("coverage_*.png"))
    assert sorted(re.findall(r"\]\(pictures/([^)]+)\)", page)) == [path.name for path in files]
    assert {path.name: path.stat().st_size for path in files if path.stat().st_size > 250_000} == {}
    for picture, said in re.findall(r"\]\(pictures/([^)]+)\)\n\n\*(.*?)\*\n", page, re.DOTALL):
        assert ("合成" if "xikou" in picture else "ODbL") in said, picture
    assert not [path.name for path in files if not re.match(r"coverage_(xikou|liechtenstein)", path.name)]


def test_fonts_are_taken_in_order() -> None:
    manager: Any = SimpleNamespace(ttflist=[SimpleNamespace(name=name) for name in ("Arial", FONTS[3], FONTS[1])])
    assert chinese_fonts(manager) == (FONTS[1], FONTS[3])


def link(**heights: float) -> LinkProfile:
    return link_profile(corridor(81, **heights), omni(5, 15), 805.0, 15.0, params(500.0, model_macro="rma"))


def test_picture_of_a_link_shows_what_the_profile_holds() -> None:
    found = link(g40=60.0, c80=20.0, c60=5.0)
    assert found.indoor
    axes, table = plot_link(found)
    axes.figure.canvas.draw()
    areas = {artist.get_gid(): artist.get_paths()[0].vertices for artist in axes.collections if artist.get_gid()}
    lines = {line.get_gid(): line.get_xydata() for line in axes.lines if line.get_gid()}
    assert areas["ground"][:, 1].max() == pytest.approx(found.ground_m.max())
    assert areas["built"][:, 1].max() == pytest.approx(found.top_m.max())
    middle = areas["fresnel"][np.abs(areas["fresnel"][:, 0] - 400.0) < 1e-6, 1]
    assert middle.max() - middle.min() == pytest.approx(2.0 * found.fresnel_m[found.distance_m == 400.0][0])
    assert lines["sight"].tolist() == [[0.0, found.antenna_amsl_m], [800.0, found.receiver_amsl_m]]
    edge = found.top_edge
    assert edge is not None
    assert edge.distance_m == 400.0
    assert lines["top_edge"].tolist() == [[edge.distance_m, edge.height_m]]
    assert "ground_edge" not in lines, "one and the same edge is marked once"
    said = [text.get_text() for text in table.texts]
    assert f"−{-found.rsrp_dbm:.1f} dBm" in said
    assert f"{found.probability:.0%}" in said


def test_table_of_a_link_has_every_line_and_method() -> None:
    found = link(c40=60.0)
    rows = budget_rows(found, chinese=True)
    for line in (*found.budget, *found.indoor):
        number = f"{line.value:+.1f}" if abs(line.value) >= 0.05 else "0.0"
        assert [row[1].split()[0] for row in rows if row[0] == line.name] == [number]
    numbers = [row[1] for row in rows]
    assert all(f"{loss:.1f} dB" in numbers for loss in found.terrain_db.values())
    assert [row[0] for row in rows if "采用" in row[0]] == ["Bullington（采用）"]
    assert any("计算半径" in row[0] for row in rows), "800 m away, computed to 500 m"


def test_picture_of_a_link_without_chinese_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_plots, "FONTS", ("no such font",))
    study = StudyInfo(name="试", synthetic=True)
    for found in (link(g40=60.0, c80=20.0), link(), link_profile(corridor(9), omni(5, 15), 5.0, 15.0, params())):
        axes, table = plot_link(found, study=study)
        axes.figure.canvas.draw()
        labels = axes.title, axes.xaxis.label, axes.yaxis.label
        texts = [*table.texts, *axes.texts, *labels, *axes.get_legend().get_texts()]
        assert not CHINESE.search(" ".join(text.get_text() for text in texts))
    assert "Synthetic" in axes.figure.get_supxlabel()


def test_legend_of_sinr_tells_when_values_exceed_what_terminals_report() -> None:
    usual = make()
    beyond = with_layers(usual, sinr_db=np.where(np.isnan(usual.sinr_db), usual.sinr_db, usual.sinr_db + 60.0))
    plain, told = (class_map(coverage, "sinr") for coverage in (usual, beyond))
    assert np.nanmax(usual.sinr_db) <= REPORTED_SINR_DB < np.nanmax(beyond.sinr_db)
    assert [f"{REPORTED_SINR_DB:g}" in words for words in plain.heading] == [False, False]
    assert [f"{REPORTED_SINR_DB:g}" in words for words in told.heading] == [True, True]
    assert plain.legend == told.legend
