"""Picture of the price of preference: a line for each strength, in sites and in money, that ends with the plan."""

from __future__ import annotations

import re
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from siteplan.maps import _plots, chinese_fonts
from siteplan.maps._preference_plot import plot_preference
from siteplan.params import SelectionParams, StudyInfo
from siteplan.selection import PreferencePrice, compare_preference, select_sites

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    import matplotlib.pyplot as plt

    with mpl.rc_context(), plt.ioff():
        plt.switch_backend("agg")
        yield
        plt.close("all")


def price(max_sites: int = 2) -> PreferencePrice:
    """Favoured: the office (8 - 2.4), then the roof (10 - 4.8); without preference the other way round."""
    table = pd.DataFrame({"cost_yuan": [3e5, 1e5], "preference": [0.5, 1.0], "x": [0.0, 5000.0], "y": 0.0,
                          "tier": [6, 1], "must_be_free": [False, True]}, index=["roof", "office"])
    weight = np.array([10.0, 8.0, 2.0])
    params = SelectionParams(max_sites=max_sites, min_gain=2.4, max_yuan_per_gain=1e9)
    plan = select_sites(table, sp.csc_matrix(np.array([[1, 0], [0, 1], [0, 0]])), weight, params)
    return compare_preference(plan, weight)


def test_every_strength_has_a_line_in_sites_and_in_money() -> None:
    left, right = plot_preference(price())
    left.figure.canvas.draw()
    for axes, favoured, none in ((left, [0, 1, 2], [0, 1, 2]), (right, [0, 10, 40], [0, 30, 40])):
        lines = {line.get_gid(): line for line in axes.lines if line.get_gid() is not None
                 and line.get_gid().startswith("preference:")}
        assert list(lines) == ["preference:0", "preference:0.5", "preference:1", "preference:2"]
        assert lines["preference:1"].get_xdata() == pytest.approx(favoured)
        assert lines["preference:1"].get_ydata() == pytest.approx([0, 40, 90])
        assert lines["preference:0"].get_xdata() == pytest.approx(none)
        assert lines["preference:0"].get_ydata() == pytest.approx([0, 50, 90])
        assert lines["preference:1"].get_linestyle() != lines["preference:0"].get_linestyle()


def test_the_legend_tells_where_the_plans_end_and_the_foot_what_they_are() -> None:
    left, right = plot_preference(price(), study=StudyInfo(name="试", synthetic=True))
    words = [text.get_text() for text in right.get_legend().get_texts()]
    assert len(words) == 4
    assert all("40" in word and "90.0" in word for word in words)
    foot = left.figure.get_supxlabel()
    assert ("不一定是最优" in foot and "合成" in foot) if chinese_fonts() else "none of them need be the best" in foot


def test_a_plan_without_sites_is_said_to_be_empty() -> None:
    left, _ = plot_preference(price(max_sites=0))
    left.figure.canvas.draw()
    assert [text.get_text() for text in left.texts]


def test_words_are_english_without_a_chinese_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_plots, "chinese_fonts", lambda: ())
    left, right = plot_preference(price())
    legend = [text.get_text() for text in right.get_legend().get_texts()]
    said = [left.get_title(loc="left"), left.get_xlabel(), left.get_ylabel(), right.get_xlabel(), *legend]
    assert not any(CHINESE.search(text) for text in said)


def test_given_axes_are_drawn_on_and_settings_stay() -> None:
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    figure, axes = plt.subplots(1, 2)
    assert plot_preference(price(), (axes[0], axes[1])) == (axes[0], axes[1])
    assert figure.get_supxlabel() == ""
    assert {key: value for key, value in mpl.rcParams.items() if value != before[key]} == {}
