"""The atlas: true to scale, nothing on top of each other, nothing dropped, honest figures, equal bytes."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import pytest
import rasterio
from conftest import CRS, X0, Y0, rect
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from PIL import Image
from shapely import Point

from siteplan.errors import ExportError
from siteplan.export.master import PlanLayers
from siteplan.fonts import FontError, chinese_font, text_width
from siteplan.sheets import SheetContent, atlas, content_of_arrays, write_atlas
from siteplan.sheets._areas import Area, area_gaps, area_shares, areas_of, numbered_sites, verdict_text
from siteplan.sheets._classes import picture, scale_of
from siteplan.sheets._labels import Label, place_labels
from siteplan.sheets._page import fit_text, wrap_text
from siteplan.sheets._style import MM_PER_POINT, grid_step, map_scale, style_of
from siteplan.sheets._view import view_of
from siteplan.sheets.content import Band, read_window
from siteplan.tables import read_table

try:
    chinese_font()
except FontError:
    pytest.skip("no font with Chinese here", allow_module_level=True)

ROWS, COLS = 40, 60
HOSTILE = ("<script>alert(1)</script>", "$\\frac{1}{2}$", "${x}`y`", "=1+1", "../../x", "二\n行\x00", "\"'", "䶮㙍𬭎",
           "长" * 300, "{{ 7*7 }}", "\U0003134a")
"""Names as they may come from anywhere; the last letter is in hardly any font."""
GEOBOX = GeoBox.from_bbox((X0, Y0, X0 + COLS * 10, Y0 + ROWS * 10), CRS, resolution=10)
STYLE = style_of("A4", None, "zh")


def table(shapes: list[Any], key: str = "", **columns: Any) -> gpd.GeoDataFrame:
    new = gpd.GeoDataFrame(columns, geometry=shapes, crs=CRS)
    return new.set_index(key) if key else new


def some_sites(count: int = 4, names: tuple[str, ...] = ("甲",)) -> gpd.GeoDataFrame:
    """Sites in a row: the first half proposed in 东镇 (unit U-1), the others existing in 西镇."""
    half = count // 2
    return table([Point(X0 + 15 + 570 * at / count, Y0 + 200) for at in range(count)], "site_id",
                 site_id=[f"S{at:03d}" for at in range(count)], name=[names[at % len(names)] for at in range(count)],
                 status=["proposed"] * half + ["existing"] * (count - half),
                 rank_no=[*range(1, half + 1)] + [0] * (count - half),
                 kind=["宏站", "微站"] * half, build=["新建"] * count, antenna_height_m=[25.0, np.nan] * half,
                 owner=[names[-1]] * count, town=["东镇"] * half + ["西镇"] * (count - half), county=["甲县"] * count,
                 unit_code=["U-1"] * half + [""] * (count - half), tier=[1] * count, tier_name=["免费开放公共场所"] * count)


def toy(sites: gpd.GeoDataFrame | None = None, **facts: Any) -> SheetContent:
    """600 m x 400 m: 东镇 is the eastern, 西镇 the western half; the east has probability 0.8 after, the west 0.2."""
    after = np.where(np.arange(COLS) >= COLS // 2, 0.8, 0.2).astype(np.float32) * np.ones((ROWS, 1), np.float32)
    before = np.full((ROWS, COLS), 0.2, np.float32)
    after[0, :] = np.nan  # the northernmost row is not known
    signal = np.where(np.isnan(after), np.float32(np.nan), np.float32(-100.0))
    people = np.zeros((ROWS, COLS), np.float32)
    people[20, 45], people[20, 5] = 30.0, 10.0
    east, west = rect(300, 0, 600, 400), rect(0, 0, 300, 400)
    villages = table([east, west], "village_code", village_code=["V1", "V2"], name=["东村", "西村"], town=["东镇", "西镇"],
                     county=["甲县"] * 2, rule=["area_share_95"] * 2, verdict_before=["fail", "fail"],
                     verdict_after=["pass", "not_assessable"])
    layers = {"all_sites": some_sites() if sites is None else sites, "villages": villages,
              "towns": table([east, west], town_code=["T1", "T2"], name=["东镇", "西镇"], county=["甲县"] * 2),
              "units": table([rect(300, 100, 500, 300)], "unit_code", unit_code=["U-1"], unit_name=["东一单元"]),
              "boundary": table([rect(0, 0, 600, 400)], name=["市"]),
              "zones": table([rect(320, 120, 400, 200)], "zone_id", zone_id=["Z1"], name=["园区"], town=["东镇"],
                             county=["甲县"], rule=["area_full"], verdict_before=["fail"], verdict_after=["fail"]),
              "gaps": table([rect(50, 50, 150, 150), rect(250, 0, 350, 100)], gap_id=["G1", "G2"]),
              "roads": table([rect(0, 190, 600, 200).exterior], name=["路"], road_class=["主干路"]),
              "water": table([rect(100, 300, 140, 340), rect(0, 0, 600, 5).exterior], name=["湖", "河"],
                             width_m=[np.nan, 20.0])}
    study = {"name": "试验市规划", "crs": CRS, "threshold_dbm": -105.0, "demand_zh": "人口(人)", "notices": ["合成数据"], **facts}
    plan = {"study": study, "parameters": {"study": {"as_of": "2026-06-30"}},
            "indicators": {state: {"area_share": 0.5, "gap_count": 2} for state in ("before", "after")}}
    arrays = {("before", "probability"): before, ("after", "probability"): after, ("before", "rsrp"): signal,
              ("after", "rsrp"): signal}
    return content_of_arrays(PlanLayers(plan, layers), GEOBOX, arrays, people)  # type: ignore[arg-type]


def words_of(path: Path) -> str:
    """Text of a PDF as one can copy it, without blanks."""
    tool = shutil.which("pdftotext")
    if tool is None:
        pytest.skip("no pdftotext (poppler-utils) here")
    told = subprocess.run([tool, "-raw", str(path), "-"], capture_output=True, check=True).stdout.decode()
    return re.sub(r"\s", "", told)


@pytest.mark.parametrize(("width_m", "height_m", "scale"), [
    (2800.0, 100.0, 10000),   # 2,800 m on 280 mm: just fits
    (2801.0, 100.0, 15000),   # a metre more: the next round scale
    (100.0, 5600.0, 40000),   # the height decides: 5,600 m on 140 mm
    (10.0, 10.0, 5000)])      # a pixel of 10 m is at most 2 mm
def test_scale_is_the_largest_round_one_that_fits(width_m: float, height_m: float, scale: int) -> None:
    assert map_scale(width_m, height_m, (280.0, 140.0), 10.0) == scale


@given(st.floats(1.0, 3e6), st.floats(1.0, 3e6))
def test_any_area_fits_its_frame(width_m: float, height_m: float) -> None:
    scale = map_scale(width_m, height_m, (200.0, 150.0), 10.0)
    assert 1000.0 * width_m / scale <= 200.0 + 1e-6
    assert 1000.0 * height_m / scale <= 150.0 + 1e-6
    assert 1000.0 * grid_step(scale) / scale >= 38.0 or scale > 2_000_000


@pytest.mark.parametrize("paper", ["A3", "A4"])
def test_a_hundred_metres_are_as_long_on_paper_as_the_scale_says(paper: str) -> None:
    from siteplan.sheets._map import map_axes
    from siteplan.sheets._page import new_page

    style = style_of(paper, None, "zh")
    page = new_page(style)
    view = view_of((X0, Y0, X0 + 600, Y0 + 400), style.paper.map_frame, 5000)
    axes = map_axes(page, view)
    ends = axes.transData.transform([(X0, Y0), (X0 + 100, Y0), (X0, Y0 + 100)]) / page.figure.dpi * 25.4
    assert ends[1][0] - ends[0][0] == pytest.approx(20.0, abs=1e-6)  # 100 m at 1:5,000 = 20 mm
    assert ends[2][1] - ends[0][1] == pytest.approx(20.0, abs=1e-6)
    assert tuple(page.figure.get_size_inches() * 25.4) == pytest.approx((style.paper.width, style.paper.height))


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 80), st.floats(1, 12)), max_size=25))
def test_labels_never_overlap_and_stay_in_the_map(points: list[tuple[float, float, float]]) -> None:
    labels = [Label(x, y, width, 2.0, 1.0) for x, y, width in points]
    taken = np.array([[90.0, 70.0, 100.0, 80.0]])
    places = place_labels(labels, (100.0, 80.0), taken)
    placed = [(label, place) for label, place in zip(labels, places, strict=True) if place]
    boxes = [(p.x - k.width / 2, p.y - 1.0, p.x + k.width / 2, p.y + 1.0) for k, p in placed] + [tuple(taken[0])]
    for at, (left, bottom, right, top) in enumerate(boxes):
        assert min(left, bottom, 100 - right, 80 - top) >= 0
        for other in boxes[:at]:
            assert left >= other[2] or right <= other[0] or bottom >= other[3] or top <= other[1]


@given(st.text(st.sampled_from("站址 ,(ab…1。"), max_size=60), st.floats(4.0, 40.0))
def test_texts_stay_in_their_box_and_lose_no_letter_when_wrapped(text: str, width: float) -> None:
    shown, size, cut = fit_text(STYLE, text, 6.0, width)
    assert text_width(shown, STYLE.font) * size * MM_PER_POINT <= width * 1.001 or shown == "…"
    assert cut or shown == text
    lines = wrap_text(STYLE, text, 6.0, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(text_width(line, STYLE.font) * 6.0 * MM_PER_POINT <= width + 0.55 * 6.0 * MM_PER_POINT for line in lines)


def test_shares_are_those_of_the_pixels_of_an_area() -> None:
    content = toy()
    east, west = areas_of(content, "town")
    shares = area_shares(content, east)
    assert (shares["area_before"], shares["area_after"]) == pytest.approx((0.2, 0.8))  # the unknown row is left out
    assert (shares["demand_after"], shares["demand"]) == pytest.approx((0.8, 30.0))
    assert area_shares(content, west)["area_after"] == pytest.approx(0.2)
    both = Area("unit", "U-9", "跨界", "", rect(200, 100, 400, 300))  # half of it in the east
    assert area_shares(content, both)["area_after"] == pytest.approx(0.5)


def test_shares_of_a_town_are_those_of_the_other_deliverables() -> None:
    content = toy()
    rows = [{"area": "甲县/东镇", "area_share_before": 0.1, "area_share_after": 0.7, "population_share_before": None,
             "population_share_after": 0.6, "people_after": 77.0}]
    facts = {**content.facts, "results": {"towns": rows}}
    told = area_shares(replace(content, layers=PlanLayers(facts, content.layers.layers)), areas_of(content, "town")[0])
    assert (told["area_after"], told["demand"]) == (0.7, 77.0)
    assert np.isnan(told["demand_before"])


def test_gaps_and_verdicts_of_an_area() -> None:
    content = toy()
    east, west = areas_of(content, "town")
    assert area_gaps(content, west) == (2, pytest.approx(10_000.0 + 5_000.0))  # one gap lies across the border
    assert area_gaps(content, east) == (1, pytest.approx(5_000.0))
    assert verdict_text(content.table("villages"), "after", STYLE) == "1/2 (无法判定 1)"
    assert verdict_text(content.table("villages").iloc[:0], "after", STYLE) == "—"


def test_sites_have_the_same_number_on_all_sheets() -> None:
    sites = numbered_sites(toy(), STYLE)
    assert sites["no"].to_dict() == {"S000": "规1", "S001": "规2", "S002": "现1", "S003": "现2"}


def test_classes_of_the_picture() -> None:
    classes, _ = picture(toy(), "after", "probability", GEOBOX.boundingbox.bbox, 1000) or (None, None)
    assert classes is not None
    assert set(classes[0]) == {0}  # no data
    scale = scale_of(toy(), "probability", STYLE)
    assert [scale.legend[number][1] for number in (classes[5, 0], classes[5, -1])] == ["< 25 %", "75 ~ 90 %"]
    signal, _ = picture(toy(), "after", "rsrp", GEOBOX.boundingbox.bbox, 1000) or (None, None)
    assert signal is not None
    assert scale_of(toy(), "rsrp", STYLE).legend[signal[5, 5]][1] == "-105 ~ -95"


@given(st.integers(-5, 65), st.integers(-5, 45), st.integers(1, 70), st.integers(1, 50), st.integers(1, 30))
def test_a_window_in_memory_is_the_part_of_the_array(col: int, row: int, wide: int, high: int, most: int) -> None:
    array = np.arange(ROWS * COLS, dtype=np.float32).reshape(ROWS, COLS)
    north = Y0 + ROWS * 10 - row * 10
    bounds = (X0 + col * 10, north - high * 10, X0 + (col + wide) * 10, north)
    got = read_window(toy_grid(), Band(array=array), bounds, most)
    part = array[max(row, 0):max(row + high, 0), max(col, 0):max(col + wide, 0)]
    if not part.size:
        assert got is None
        return
    assert got is not None
    assert max(got[0].shape) <= most
    assert got[0][0, 0] == part[0, 0]
    assert got[1][0] == X0 + max(col, 0) * 10
    assert got[1][3] == Y0 + ROWS * 10 - max(row, 0) * 10


def toy_grid() -> SheetContent:
    return content_of_arrays(PlanLayers({}, {}), GEOBOX, {})


def test_a_window_of_a_file_is_that_of_the_array(tmp_path: Path) -> None:
    array = np.random.default_rng(1).random((ROWS, COLS)).astype(np.float32)
    path = tmp_path / "band.tif"
    with rasterio.open(path, "w", driver="GTiff", height=ROWS, width=COLS, count=1, dtype="float32", crs=CRS,
                       transform=GEOBOX.affine) as raster:
        raster.write(array, 1)
    bounds = (X0 + 95.0, Y0 + 45.0, X0 + 205.0, Y0 + 155.0)
    one, two = (read_window(toy_grid(), band, bounds) for band in (Band(array=array), Band(path=path)))
    assert one is not None
    assert two is not None
    assert (one[0] == two[0]).all()
    assert one[1] == two[1] == (X0 + 90, Y0 + 40, X0 + 210, Y0 + 160)


def test_atlas_of_towns(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    paths = write_atlas(toy(), tmp_path, paper="A4")
    assert [path.name for path in paths] == ["atlas_town_A4.pdf", *(f"atlas_town_A4_{at:03d}.png" for at in (1, 2, 3))]
    assert dict(mpl.rcParams) == before
    data = paths[0].read_bytes()
    assert data.count(b"/ToUnicode") > 0
    assert b"/Type3" in data
    assert b"/CreationDate" not in data
    with Image.open(paths[1]) as shown:
        assert shown.size == (1753, 1240)  # 297 mm x 210 mm at 150 dots per inch
        assert len(shown.convert("RGB").getcolors(1_000_000) or []) > 200
    again = write_atlas(toy(), tmp_path / "again", paper="A4")
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]


def test_a_sheet_says_what_it_must(tmp_path: Path) -> None:
    content = toy(map_approval_no="川S(2026)1号")
    text = words_of(write_atlas(content, tmp_path, formats=["pdf"], only=["东镇"])[0])
    for part in ("东镇5G覆盖与站址规划图", "1:5,000", "CGCS20003度带", "2/2", "2026-06-30", "川S(2026)1号", "内部资料", "合成数据",
                 "坐标北", "X为北、Y为东", "模型预测", "门限-105dBm", "图幅接合表", "东村", "规1", "规2", "80.0%"):
        assert part in text, part


def test_a_long_table_goes_on_and_no_site_is_dropped(tmp_path: Path) -> None:
    content = toy(some_sites(80))
    path = write_atlas(content, tmp_path, paper="A4", formats=["pdf"])[0]
    text = words_of(path)
    assert "续表" in text
    assert "见续表(图4)" in text
    assert "东镇(图2)" in text
    pages = int(re.findall(rb"/Count (\d+)", path.read_bytes())[0])
    assert pages == 4  # overview, a map of each town, and one page where both tables go on
    rows = re.findall(r"([规现]\d+)甲", text)
    assert sorted(rows) == sorted(numbered_sites(content, STYLE)["no"])


def test_hostile_names_are_texts(tmp_path: Path) -> None:
    content = toy(some_sites(22, HOSTILE), name=HOSTILE[0])
    layers = dict(content.layers.layers)
    layers["villages"] = layers["villages"].assign(name=[HOSTILE[1], HOSTILE[8]])
    layers["zones"] = layers["zones"].assign(name=[HOSTILE[5]])
    layers["towns"] = layers["towns"].assign(name=[HOSTILE[2], HOSTILE[4]])
    paths = write_atlas(replace(content, layers=PlanLayers(content.facts, layers)), tmp_path, formats=["pdf"])
    assert {path.name for path in tmp_path.iterdir()} == {"atlas_town_A3.pdf"} == {path.name for path in paths}
    text = words_of(paths[0])
    assert "$\\frac{1}{2…" in text  # a name on the map is cut after 11 letters, and is no formula
    assert "<script>alert(1)</script>" in text
    assert "字体缺字" in text
    assert "U+3134A" in text


def test_units_english_and_signal(tmp_path: Path) -> None:
    path = write_atlas(toy(), tmp_path, by="unit", paper="A4", what="rsrp", formats=["pdf"], language="en")[0]
    text = words_of(path)
    for part in ("东一单元", "Legend", "SS-RSRP", "villagestouched", "1/1", "index"):
        assert part in text, part
    assert "图例" not in text


@pytest.mark.parametrize(("change", "told"), [
    ({"paper": "A5"}, "A5"), ({"paper": "brief"}, "brief"), ({"language": "fr"}, "fr"), ({"formats": ["svg"]}, "svg"),
    ({"formats": []}, "formats"), ({"by": "county"}, "county"), ({"what": "sinr"}, "sinr"), ({"only": ["无此镇"]}, "无此镇")])
def test_options_that_do_not_exist_are_refused(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=told):
        write_atlas(toy(), tmp_path, **change)
    assert not list(tmp_path.iterdir())


def test_a_plan_without_units_says_so(tmp_path: Path) -> None:
    content = toy()
    layers = {name: layer for name, layer in content.layers.layers.items() if name != "units"}
    with pytest.raises(ExportError, match="控规单元"):
        write_atlas(replace(content, layers=PlanLayers(content.facts, layers)), tmp_path, by="unit")
    with pytest.raises(ExportError, match="没有常用汉字"):
        write_atlas(replace(content, font="DejaVu Sans"), tmp_path)


def test_nothing_is_left_of_an_atlas_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atlas, "check_pdf", lambda path, pages: (_ for _ in ()).throw(ExportError("读回不完整")))
    with pytest.raises(ExportError, match="读回"):
        write_atlas(toy(), tmp_path, paper="A4", formats=["pdf"], only=["T1"])
    assert not list(tmp_path.iterdir())


def test_a_broken_pdf_is_noticed(tmp_path: Path) -> None:
    path = write_atlas(toy(), tmp_path, paper="A4", formats=["pdf"], only=["T1"])[0]
    whole = path.read_bytes()
    atlas.check_pdf(path, 2)
    for broken in (whole[:-20], whole[5:], b""):
        path.write_bytes(broken)
        with pytest.raises(ExportError):
            atlas.check_pdf(path, 2)
    path.write_bytes(whole)
    with pytest.raises(ExportError):
        atlas.check_pdf(path, 3)


def test_words_and_papers_are_whole() -> None:
    sheets = read_table("sheets")
    assert all((len(pair) == 2 and all(pair)) or name == "places" for name, pair in sheets["words"].items())
    assert sheets["scales"] == sorted(sheets["scales"])
