"""Picture of the price of preference: what is served for so many sites and for so much money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from siteplan.maps._classes import Words
from siteplan.maps._plots import _family, _lettering, _notice, _wrap
from siteplan.params import StudyInfo
from siteplan.selection import PreferencePrice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WORDS: Mapping[str, Words] = {
    "title": ("Price of preference: demand served by the first choices", "优先免费公共场所的代价：按入选次序累计的服务需求"),
    "share": ("share of the gap's weighted demand, %", "占空洞加权需求的比例（%）"),
    "sites": ("number of sites", "站数（处）"), "cost": ("cost, 10,000 yuan", "累计投资（万元）"),
    "none": ("no preference", "不设优先"), "study": ("preference of the study", "按本研究的优先系数"),
    "power": ("preference to the power {0:g}", "优先系数的 {0:g} 次方"),
    "end": (": {0} sites, {1:,.0f}, {2:.1f} %", "：{0} 处，{1:,.0f} 万元，{2:.1f}%"),
    "made": ("Every plan is the result of a search; none of them need be the best. Cost by the study's models.",
             "各方案都是搜索所得，都不一定是最优；造价按本研究的造价模型。"),
    "nothing": ("no site is worth it", "没有值得建的站址"),
}
_MAIN: Mapping[float, tuple[str, str, float]] = {0.0: ("#b45309", "--", 2.0), 1.0: ("#1d4ed8", "-", 2.4)}
"""Colour, dashes and width of the two plans that are compared; told apart in a grey print by the dashes."""
_OTHERS = (("#0f766e", ":"), ("#7c3aed", "-."), ("#57534e", (0, (5, 1, 1, 1, 1, 1))))


def plot_preference(price: PreferencePrice, axes: tuple[Axes, Axes] | None = None, *,
                    study: StudyInfo | None = None) -> tuple[Axes, Axes]:
    """Draw what is served against the number of sites, and against their cost, for every strength of preference.

    Parameters
    ----------
    price : PreferencePrice
        See :func:`siteplan.selection.compare_preference`.
    axes : two Axes, optional
        A new figure when absent.
    study : StudyInfo, optional
        Its notices stand under the picture.

    Returns
    -------
    tuple of two Axes
        Against the number of sites; against the cost in units of 10,000 yuan. Each line has ``preference:STRENGTH`` as
        its ``gid``. Words are Chinese where a font has them, else English; ``rcParams`` stay as they are.

    Examples
    --------
    >>> left, right = plot_preference(price)  # doctest: +SKIP
    >>> left.figure.savefig("preference.png")  # doctest: +SKIP
    """
    with _lettering() as chinese:
        left, right = _new_pair() if axes is None else axes
        for axis, column, scale, label in ((left, "step", 1.0, "sites"), (right, "cost_yuan", 1e4, "cost")):
            _draw_curves(axis, price.curve, column, scale, chinese)
            axis.set_xlabel(_WORDS[label][chinese], fontsize=9, fontfamily=_family())
        left.set_ylabel(_WORDS["share"][chinese], fontsize=9, fontfamily=_family())
        left.set_title(_WORDS["title"][chinese], fontsize=11, loc="left", fontfamily=_family())
        right.legend(loc="lower right", fontsize=8, prop={"family": _family(), "size": 8})
        if axes is None:
            said = f"{_WORDS['made'][chinese]} {_notice(study, chinese)}"
            left.figure.supxlabel(_wrap(said, 170), fontsize=7, x=0.01, ha="left", color="#444444")
    return left, right


def _new_pair() -> tuple[Axes, Axes]:
    """Two axes side by side that share what is served."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.4), layout="constrained", sharey=True)
    figure.set_dpi(110)
    return axes[0], axes[1]


def _name(strength: float, rows: pd.DataFrame, chinese: bool) -> str:
    """Strength in words, and where its plan ends."""
    key, end = {0.0: "none", 1.0: "study"}.get(strength, "power"), rows.iloc[-1]
    return _WORDS[key][chinese].format(strength) + _WORDS["end"][chinese].format(
        int(end["step"]), float(end["cost_yuan"]) / 1e4, 100.0 * float(end["gap_share"]))


def _draw_curves(axis: Axes, curve: pd.DataFrame, column: str, scale: float, chinese: bool) -> None:
    """A line for every strength, the two plans that are compared on top, with a mark at their ends."""
    others = 0
    for strength, rows in curve.groupby("strength", sort=True):
        value = float(str(strength))
        x, y = rows[column].to_numpy(dtype=float) / scale, 100.0 * rows["gap_share"].to_numpy(dtype=float)
        look: dict[str, Any]
        if value in _MAIN:
            colour, dashes, width = _MAIN[value]
            look = {"color": colour, "linestyle": dashes, "linewidth": width, "zorder": 3.0 + value}
        else:
            colour, pattern = _OTHERS[others % len(_OTHERS)]
            look = {"color": colour, "linestyle": pattern, "linewidth": 1.2, "zorder": 2.0}
            others += 1
        axis.plot(x, y, label=_name(value, rows, chinese), gid=f"preference:{value:g}", **look)
        if value in _MAIN:
            axis.plot(x[-1:], y[-1:], marker="o", markersize=5, color=colour, linestyle="none", zorder=5.0)
    if curve["step"].max() == 0:
        axis.text(0.5, 0.5, _WORDS["nothing"][chinese], transform=axis.transAxes, ha="center", fontfamily=_family())
    top = float(np.nanmax(curve["gap_share"])) if len(curve) else 0.0
    axis.set_ylim(0.0, max(1.0, 105.0 * top))
    axis.set_xlim(left=0.0)
    axis.grid(visible=True, color="#e2e2e2", linewidth=0.6)
    axis.tick_params(labelsize=8)
