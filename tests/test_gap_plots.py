"""Picture of gap areas: every area in the look of its reason, numbered by rank, and the rule stands below."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import shapely
from conftest import CRS, X0, Y0, rect
from matplotlib.colors import to_rgb

from siteplan.errors import CrsError
from siteplan.gaps import Demand, find_gap_areas
from siteplan.gaps.holes.causes import CAUSES
from siteplan.grid import study_geobox
from siteplan.maps import _gap_plots, _plots, chinese_fonts, plot_gaps
from siteplan.params import CoverageParams, GapParams, StudyInfo, StudyParams
from siteplan.surface import Surface

pytestmark = pytest.mark.filterwarnings("ignore:Glyph")  # names of villages where no font has Chinese
CHINESE = re.compile(r"[\u4e00-\u9fff]")
BOX = study_geobox((X0, Y0, X0 + 1000.0, Y0 + 600.0), CRS, 10.0)
SHAPE = tuple(BOX.shape)
BOUNDARY = gpd.GeoDataFrame(geometry=[rect(5, 5, 950, 590)], crs=CRS)
PARAMS = StudyParams(study=StudyInfo(name="试", synthetic=True), layers={})


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    import matplotlib.pyplot as plt

    with mpl.rc_context(), plt.ioff():
        plt.switch_backend("agg")
        yield
        plt.close("all")


def surface(unknown: int = 0, built: int = 0) -> Surface:
    """Flat land; so many columns in the west are not known, so many in the east are built up."""
    clutter, known = np.zeros(SHAPE, np.float32), np.ones(SHAPE, bool)
    clutter[:, SHAPE[1] - built:] = 9.0
    known[:, :unknown] = False
    return Surface(BOX, np.zeros(SHAPE, np.float32), clutter, known, True)


def areas(*rows: tuple[int, str, str, shapely.Geometry]) -> gpd.GeoDataFrame:
    """Gap areas of rank, type, reason and shape; ids G1, G2, ... in the order given."""
    ranks, types, codes, shapes = zip(*rows, strict=True)
    return gpd.GeoDataFrame({"rank_no": ranks, "gap_type": types, "reason_code": codes}, geometry=list(shapes), crs=CRS,
                            index=pd.Index([f"G{number}" for number in range(1, len(rows) + 1)], name="gap_id"))


TOWN = areas((1, "populated", "buildings", rect(100, 100, 200, 200)),
             (3, "populated", "terrain", rect(300, 100, 400, 200)),
             (2, "populated", "buildings", rect(700, 300, 800, 400)), (4, "land", "terrain", rect(300, 300, 600, 500)),
             (5, "land", "weak", rect(100, 300, 200, 500)))


def drawn(axes: Any, code: str) -> list[Any]:
    return [one for one in axes.collections if one.get_gid() == f"gap:{code}"]


def ranks(axes: Any) -> dict[str, Any]:
    numbers = [text for text in axes.texts if (text.get_gid() or "").startswith("rank:")]
    return {text.get_gid().removeprefix("rank:"): text for text in numbers}


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_every_area_has_the_look_of_its_reason() -> None:
    axes = plot_gaps(TOWN, surface(), PARAMS)
    axes.figure.canvas.draw()
    for code, shapes in TOWN.groupby("reason_code").geometry:
        found = [path.get_extents().extents.tolist() for part in drawn(axes, code) for path in part.get_paths()]
        assert sorted(found) == sorted(list(shape.bounds) for shape in shapes), code
        assert {part.get_hatch() for part in drawn(axes, code)} == {_gap_plots._LOOKS[code][1]}
    assert drawn(axes, "no_site") == []
    land, populated = sorted(drawn(axes, "terrain"), key=lambda part: -part.get_facecolor()[0, :3].sum())
    assert land.get_paths()[0].get_extents().extents.tolist() == list(TOWN.geometry["G4"].bounds), "loose land is paler"
    assert land.get_zorder() < populated.get_zorder()


def test_legend_counts_the_areas_of_each_reason() -> None:
    said = legend(plot_gaps(TOWN, surface(built=5), PARAMS, boundary=BOUNDARY))
    chinese = bool(chinese_fonts())
    counted = [line for line in said if line[-2:] in (" 处", "as")]
    words = {code: _gap_plots._REASONS[code][chinese] for code in _gap_plots._REASONS}
    unit = _gap_plots._WORDS["areas"][chinese]
    numbers = (("terrain", 2), ("buildings", 2), ("weak", 1))
    assert counted[:3] == [f"{words[code]} {number} {unit}" for code, number in numbers]
    assert _gap_plots._WORDS["land"][chinese] in said
    assert _gap_plots._WORDS["boundary"][chinese] in said
    assert _gap_plots._WORDS["masts"][chinese] not in said
    assert _gap_plots._WORDS["unknown"][chinese] not in said


def test_every_reason_has_a_look_of_its_own_and_words() -> None:
    assert set(_gap_plots._LOOKS) == set(_gap_plots._REASONS) == {*CAUSES, "indoor", ""}
    colours, hatches = zip(*_gap_plots._LOOKS.values(), strict=True)
    assert len({to_rgb(colour) for colour in colours}) == len({hatch[0] for hatch in hatches}) == len(colours)
    assert not any(CHINESE.search(english) for english, _ in _gap_plots._REASONS.values())


@pytest.mark.parametrize(("numbered", "shown"), [(0, []), (2, ["G1", "G3"]), (20, ["G1", "G2", "G3", "G4", "G5"])])
def test_the_heaviest_areas_carry_their_rank(numbered: int, shown: list[str]) -> None:
    axes = plot_gaps(TOWN, surface(), PARAMS, numbered=numbered)
    found = ranks(axes)
    assert sorted(found) == shown
    for gap_id, text in found.items():
        assert text.get_text() == str(TOWN.at[gap_id, "rank_no"])
        assert TOWN.geometry[gap_id].contains(shapely.Point(text.xy))
    order = sorted(found, key=lambda gap_id: found[gap_id].get_zorder(), reverse=True)
    above = [TOWN.at[gap_id, "rank_no"] for gap_id in order]
    assert above == sorted(TOWN.loc[shown, "rank_no"]), "the first lies on top"


def test_names_of_villages_step_aside_of_numbers() -> None:
    villages = gpd.GeoDataFrame({"name": ["同处", "在上", "远处", None]}, crs=CRS, geometry=[
        rect(100, 100, 200, 200), rect(300, 110, 400, 200), rect(850, 500, 950, 590), rect(0, 0, 50, 50)])
    axes = plot_gaps(TOWN, surface(), PARAMS, villages=villages)
    aside = {text.get_text(): text.xyann[1] for text in axes.texts if text.get_text() in ("同处", "在上", "远处")}
    assert aside == {"同处": -10.0, "在上": 10.0, "远处": 0.0}
    outline = next(part for part in axes.collections if part.get_gid() == "villages")
    assert len(outline.get_segments()) == 4
    many = pd.concat([villages] * 30, ignore_index=True)
    assert not [text for text in plot_gaps(TOWN, surface(), PARAMS, villages=many).texts if text.get_text() == "同处"]


def test_no_gaps_is_said() -> None:
    axes = plot_gaps(TOWN.iloc[:0], surface(), PARAMS)
    assert legend(axes)[0] == _gap_plots._WORDS["none"][bool(chinese_fonts())]
    assert not ranks(axes)


def test_what_is_not_known_is_not_drawn_as_land() -> None:
    axes = plot_gaps(TOWN, surface(unknown=7, built=5), PARAMS)
    image = np.asarray(axes.images[0].get_array())
    assert (image[:, :7, 3] == 0).all()
    assert (image[:, 7:, 3] == 255).all()
    assert (image[:, -5:, :3].sum(-1) < image[:, 7:-5, :3].sum(-1).min()).all(), "built land is darker"
    assert _gap_plots._WORDS["unknown"][bool(chinese_fonts())] in legend(axes)


def test_the_rule_and_what_the_data_are_stand_below() -> None:
    params = PARAMS.model_copy(update={
        "gaps": GapParams(gap_probability=0.8, min_gap_area_m2=700.0),
        "coverage": CoverageParams(threshold_dbm=-103.0, indoor_threshold_dbm=-111.0)})
    inside = TOWN.assign(gap_type="indoor", reason_code="indoor")
    said, indoors = (plot_gaps(table, surface(), params).get_xlabel().replace("\n", "") for table in (TOWN, inside))
    for text, threshold in ((said, "-103 dBm"), (indoors, "-111 dBm")):
        assert all(part in text for part in ("0.8", threshold, "700"))
        assert ("合成数据" in text) if chinese_fonts() else ("Synthetic" in text)
    assert said != indoors


def test_areas_as_they_are_found() -> None:
    people = np.zeros(SHAPE, np.float32)
    people[20, 20], people[40, 70] = 90.0, 60.0
    mask = np.zeros(SHAPE, bool)
    mask[:, :80] = True
    found = find_gap_areas(mask, Demand(people, "people", BOX), GapParams()).table
    axes = plot_gaps(found, surface(), PARAMS)
    axes.figure.canvas.draw()
    assert len(found) == 3
    assert sorted(text.get_text() for text in ranks(axes).values()) == ["1", "2", "3"]
    faces = {tuple(np.round(part.get_facecolor()[0], 3)) for part in drawn(axes, "")}
    assert len(faces) == 2, "two populated areas and the loose land, their reason not looked for"


def test_another_crs_is_refused() -> None:
    with pytest.raises(CrsError):
        plot_gaps(TOWN.to_crs(4490), surface(), PARAMS)


def test_without_chinese_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_plots, "FONTS", ("no such font",))
    axes = plot_gaps(TOWN, surface(unknown=3), PARAMS, boundary=BOUNDARY)
    axes.figure.canvas.draw()
    texts = [axes.get_title(), axes.get_xlabel(), *legend(axes), *(text.get_text() for text in axes.texts)]
    assert not CHINESE.search(" ".join(texts))
    assert "Synthetic" in axes.get_xlabel()


def test_axes_and_settings_of_the_caller_stay() -> None:
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    before = dict(mpl.rcParams)
    table = TOWN.copy()
    assert plot_gaps(table, surface(), PARAMS, ax) is ax
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == [ax.figure.number]
    assert ax.get_xlim() == (X0, X0 + 1000.0)
    pd.testing.assert_frame_equal(table, TOWN)


def test_only_masts_of_5g_outdoors_are_marked() -> None:
    sectors = pd.DataFrame({"x": X0 + np.array([100.0, 300.0, 500.0]), "y": Y0 + 50.0, "azimuth_deg": np.nan,
                            "technology": ["5G", "4G", "5G"], "kind": ["macro", "macro", "indoor"], "networks": "移动"},
                           index=["a", "b", "c"])
    axes = plot_gaps(TOWN, surface(), PARAMS, sectors=sectors)
    masts = next(part for part in axes.collections if part.get_gid() == "masts")
    assert (masts.get_offsets()[:, 0] - X0).tolist() == [100.0]
