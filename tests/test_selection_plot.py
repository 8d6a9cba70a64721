"""Pictures of a choice: coverage by money under what no plan exceeds, and which sites stay on disturbed data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from siteplan.maps import _plots, chinese_fonts, plot_money, plot_stability
from siteplan.params import SelectionParams, StudyInfo
from siteplan.selection import MoneyCurve, Selection, money_curve, select_sites
from siteplan.selection.stability import Stability, stability

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    import matplotlib.pyplot as plt

    with mpl.rc_context(), plt.ioff():
        plt.switch_backend("agg")
        yield
        plt.close("all")


def plan(max_sites: int = 2) -> Selection:
    """Three sites far from each other: 60 for 100,000 yuan, 30 for 200,000, 8 for 400,000; 2 that nobody serves."""
    table = pd.DataFrame({"cost_yuan": [1e5, 2e5, 4e5], "preference": 1.0, "x": [0.0, 5e3, 9e3], "y": 0.0, "tier": 1},
                         index=["school", "mast", "roof"])
    reach = sp.csc_matrix(np.vstack([np.eye(3), np.zeros(3)]))
    params = SelectionParams(max_sites=max_sites, min_gain=0, max_yuan_per_gain=1e9)
    return select_sites(table, reach, np.array([60.0, 30.0, 8.0, 2.0]), params)


def curve(made: Selection) -> MoneyCurve:
    return money_curve(made, np.array([30.0, 15.0, 4.0, 1.0]))


def shares(**kept: float) -> Stability:
    draws = pd.DataFrame({"changed": [1, 0], "added": [1, 0], "regret": [0.0125, 0.0]}).rename_axis("draw")
    return Stability(0.01, draws, pd.Series(kept, index=pd.Index(list(kept), name="site_id")))


def by_gid(axes: Axes) -> dict[str, Any]:
    return {str(artist.get_gid()): artist for artist in axes.get_children() if artist.get_gid() is not None}


def test_money_is_drawn_as_stairs_under_a_bound_that_none_of_them_crosses() -> None:
    made = plan()
    axes = plot_money(curve(made), made)
    axes.figure.canvas.draw()
    reached, bound = (by_gid(axes)[f"money:{name}"] for name in ("reached", "bound"))
    assert reached.get_xdata() == pytest.approx([0, 10, 30, 70])
    assert reached.get_ydata() == pytest.approx([0, 60, 90, 98])
    assert reached.get_drawstyle() == "steps-post"  # between two sites money buys nothing more
    assert bound.get_drawstyle() == "steps-pre"  # and is bounded by what the greater sum can bring
    assert (bound.get_ydata() >= reached.get_ydata() - 1e-9).all()
    assert bound.get_ydata()[-1] == pytest.approx(98)


def test_the_land_above_the_bound_is_hatched_to_the_top() -> None:
    made = plan()
    axes = plot_money(curve(made), made)
    beyond = by_gid(axes)["money:beyond"]
    assert beyond.get_hatch()
    corners = beyond.get_paths()[0].vertices
    assert corners[:, 1].max() == pytest.approx(axes.get_ylim()[1])
    assert corners[:, 0].max() == pytest.approx(axes.get_xlim()[1])


def test_the_plan_stands_at_its_own_cost_and_coverage() -> None:
    made = plan()
    axes = plot_money(curve(made), made)
    own = by_gid(axes)["money:plan"]
    assert (own.get_xdata()[0], own.get_ydata()[0]) == pytest.approx((30, 90))
    legend = axes.get_legend()
    words = [] if legend is None else [text.get_text() for text in legend.get_texts()]
    assert any("30" in word and "90.0" in word and re.search(r"\b2\b", word) for word in words)


def test_the_knee_is_marked_with_what_money_brings_before_and_after_it() -> None:
    made = plan()
    found = curve(made)
    axes = plot_money(found, made)
    mark = by_gid(axes)["money:knee"]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == pytest.approx((30, 90))  # 0.918 - 0.429
    said = axes.texts[0].get_text().replace("\n", "")
    assert "1.5" in said  # 45 people for 300,000 yuan
    assert "0.1" in said  # 4 people for 400,000 yuan


def test_a_long_flat_end_is_left_out_and_told() -> None:
    sites = [f"S{number}" for number in range(30)]
    table = pd.DataFrame({"cost_yuan": 1e5, "preference": 1.0, "x": 2e3 * np.arange(30.0), "y": 0.0, "tier": 1},
                         index=sites)
    weight = np.array([10_000.0, *[1.0] * 29])
    made = select_sites(table, sp.csc_matrix(np.eye(30)), weight, SelectionParams(max_sites=1, min_gain=0))
    axes = plot_money(money_curve(made, weight), made)
    assert len(by_gid(axes)["money:reached"].get_xdata()) == 4  # to the plan, a fifth past it, and one on
    assert "27" in axes.figure.get_supxlabel()
    assert "300" in axes.figure.get_supxlabel()  # 30 sites of 100,000 yuan


def test_a_straight_curve_has_no_knee() -> None:
    made = plan()
    axes = plot_money(replace(curve(made), knee=0), made)
    assert "money:knee" not in by_gid(axes)
    assert not axes.texts


def test_nothing_to_serve_is_said() -> None:
    table = pd.DataFrame({"cost_yuan": [1e5], "preference": 1.0, "x": 0.0, "y": 0.0, "tier": 1}, index=["school"])
    made = select_sites(table, sp.csc_matrix(np.zeros((1, 1))), np.array([5.0]), SelectionParams())
    axes = plot_money(money_curve(made, np.array([5.0])), made)
    axes.figure.canvas.draw()
    assert [text.get_text() for text in axes.texts if text.get_text()]
    assert "money:plan" not in by_gid(axes)


def test_sites_that_stay_every_time_are_one_bar_and_the_shakiest_is_last() -> None:
    made = plan(3)
    axes = plot_stability(shares(school=1.0, mast=0.5, roof=0.8), made, names={"mast": "铁塔", "roof": ""})
    axes.figure.canvas.draw()
    assert [bar.get_gid() for bar in axes.patches] == ["stability:always", "stability:roof", "stability:mast"]
    assert [bar.get_bbox().width for bar in axes.patches if isinstance(bar, Rectangle)] == pytest.approx([100, 80, 50])
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert "1" in labels[0]
    assert {"roof", "3"} <= set(re.findall(r"[a-z]+|\d", labels[1]))
    assert {"铁塔", "2"} <= set(re.findall(r"铁塔|\d", labels[2]))
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # from the top down


def test_of_many_shaky_sites_the_shakiest_are_named() -> None:
    made = plan(3)
    many = replace(made, site_ids=tuple(f"S{number}" for number in range(50)))
    kept = {f"S{number}": number / 50 for number in range(50)}
    axes = plot_stability(shares(**kept), many)
    names = [bar.get_gid() for bar in axes.patches]
    assert len(names) == 21
    assert names[0] == "stability:others"
    assert names[1:] == [f"stability:S{number}" for number in range(19, -1, -1)]


def test_what_noise_does_stands_at_the_foot_with_the_notices() -> None:
    made = plan()
    axes = plot_stability(shares(school=1.0, mast=0.5), made, study=StudyInfo(name="试", synthetic=True))
    foot = axes.figure.get_supxlabel()
    assert all(number in foot for number in ("1.25%", "0.5"))
    assert ("合成" in foot) if chinese_fonts() else ("Synthetic" in foot)
    money = plot_money(curve(made), made, study=StudyInfo(name="试", synthetic=True)).figure.get_supxlabel()
    assert ("合成" in money) if chinese_fonts() else ("Synthetic" in money)


def test_a_plan_without_sites_has_no_bars() -> None:
    made = plan(0)
    axes = plot_stability(stability(made), made)
    axes.figure.canvas.draw()
    assert not axes.patches
    assert [text.get_text() for text in axes.texts]


def test_words_are_english_without_a_chinese_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_plots, "chinese_fonts", lambda: ())
    made = plan()
    for axes in (plot_money(curve(made), made), plot_stability(shares(school=1.0, mast=0.5), made)):
        legend = axes.get_legend()
        said = [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel(), axes.figure.get_supxlabel(),
                *(text.get_text() for text in axes.texts), *(text.get_text() for text in axes.get_yticklabels()),
                *(text.get_text() for text in ([] if legend is None else legend.get_texts()))]
        assert [text for text in said if CHINESE.search(text)] == []


def test_given_axes_are_drawn_on_and_settings_stay() -> None:
    import matplotlib.pyplot as plt

    made, before = plan(), dict(mpl.rcParams)
    figure, (left, right) = plt.subplots(1, 2)
    assert plot_money(curve(made), made, left) is left
    assert plot_stability(shares(school=1.0, mast=0.5), made, right) is right
    assert figure.get_supxlabel() == ""
    assert {key: value for key, value in mpl.rcParams.items() if value != before[key]} == {}
