"""Picture of one link: the profile with what stands in the way, and the budget beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from siteplan.coverage import LinkProfile, PathEdge
from siteplan.maps._classes import Words
from siteplan.maps._plots import _family, _lettering, _notice, _wrap
from siteplan.params import StudyInfo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUND, BUILT, FRESNEL, CLEAR, BLOCKED = "#b08d57", "#8a8f99", "#9ecae1", "#1a7f37", "#c62828"
TOUCHES_NU = -0.78
"""From this knife-edge parameter on an edge costs something (ITU-R P.526)."""
_SAME_M = 0.5
"""Edges of both surfaces that are not farther apart are one."""
_SIZE, _LEAST_TOP = (13.0, 6.6), 12.0
_TABLE_COLUMNS = 52
_NOTED = {"方向图衰减", "环境附加损耗", "遮挡附加", "地形附加损耗"}
"""Lines of the budget whose note stands in the picture."""
_WORDS: Mapping[str, Words] = {
    "title": ("Link {0}, {1:g} MHz: {2:.0f} m to ({3:.0f}, {4:.0f})", "链路 {0}，{1:g} MHz：{2:.0f} 米，至（{3:.0f}，{4:.0f}）"),
    "distance": ("distance from the mast (m)", "距基站的距离（米）"),
    "height": ("height above sea level (m), Earth's bulge included", "海拔（米，含地球曲率隆起）"),
    "ground": ("ground", "地面"), "built": ("buildings and trees", "建筑与树木"), "fresnel": ("first Fresnel zone", "第一菲涅耳区"),
    "clear": ("sight line, clear", "视线：通视"), "blocked": ("sight line, blocked", "视线：遮挡"),
    "top_edge": ("main edge, all obstacles", "最强刃峰（含建筑）"), "ground_edge": ("main edge of the ground", "地面最强刃峰"),
    "over": ("{0:+.1f} m, nu {1:.2f}", "{0} {1:.1f} 米，ν = {2:.2f}"),
    "rsrp": ("SS-RSRP outdoors", "SS-RSRP（室外）"), "loss": ("path loss", "其中路径损耗"), "sigma": ("sigma", "误差标准差 σ"),
    "threshold": ("threshold", "门限"), "probability": ("probability", "达到门限的概率"),
    "inside": ("SS-RSRP inside", "SS-RSRP（建筑物内）"), "inside_probability": ("probability inside", "室内达到门限的概率"),
    "terrain": ("Loss over the ground, by method", "地形绕射损耗，各法对照"), "taken": ("(taken)", "（采用）"),
    "far": ("Beyond the distance computed for this sector.", "超出该扇区的计算半径，覆盖图上没有这一信号。"),
    "range": ("Out of the model's range", "超出模型适用范围"),
}
_BUDGET_EN = {
    "EPRE": "EPRE", "天线增益": "antenna gain", "馈线损耗": "feeder", "人体损耗": "body", "工参功率校正": "calibrated power",
    "方向图衰减": "antenna pattern", "自由空间损耗": "free space", "环境附加损耗": "environment", "遮挡附加": "obstruction",
    "地形附加损耗": "terrain", "像元修正": "pixel term", "外墙损耗": "wall", "进深损耗": "way inside",
}
_METHODS: Mapping[str, Words] = {
    "knife_edge": ("single knife edge", "最大单刃峰"), "bullington": ("Bullington", "Bullington"),
    "delta_bullington": ("delta-Bullington", "delta-Bullington"), "deygout": ("Deygout", "Deygout 三刃峰"),
}


def plot_link(link: LinkProfile, *, study: StudyInfo | None = None) -> tuple[Axes, Axes]:
    """Draw the profile of a link and its budget.

    Parameters
    ----------
    link : LinkProfile
        See :func:`siteplan.coverage.link_profile`.
    study : StudyInfo, optional
        Its notices stand under the picture.

    Returns
    -------
    tuple of two Axes
        Of a new figure: the profile (metres; ground lifted by the Earth's bulge, so that the sight line is straight),
        and the budget. Words are Chinese where a font has them, else English; ``rcParams`` stay as they are.

    Examples
    --------
    >>> profile, budget = plot_link(link)  # doctest: +SKIP
    >>> profile.figure.savefig("link.png")  # doctest: +SKIP
    """
    import matplotlib.pyplot as plt

    with _lettering() as chinese:
        figure, (axes, table) = plt.subplots(1, 2, figsize=_SIZE, width_ratios=(1.9, 1.0), layout="compressed")
        figure.set_dpi(110)
        _draw_profile(axes, link, chinese)
        _draw_budget(table, link, chinese)
        ends = link.sector_id, link.freq_mhz, link.distance_m[-1], *link.receiver_xy
        axes.set_title(_WORDS["title"][chinese].format(*ends), fontsize=13, fontfamily=_family())
        figure.supxlabel(_wrap(_notice(study, chinese), 190), fontsize=8, x=0.01, ha="left", color="#444444")
    return axes, table


def _draw_profile(axes: Axes, link: LinkProfile, chinese: bool) -> None:
    """Ground, what stands on it, sight line, Fresnel zone, both ends, main edges."""
    d, ground, top, sight = link.distance_m, link.ground_m, link.top_m, link.sight_m
    if d.size == 1:  # the foot of the mast
        d, ground, top, sight = (np.repeat(part, 2) for part in (d, ground, top, sight))
    fresnel = np.resize(link.fresnel_m, d.size)
    low, high = float(min(ground.min(), (sight - fresnel).min())), float(max(top.max(), link.antenna_amsl_m))
    room = max(high - low, _LEAST_TOP)
    base = low - 0.06 * room
    axes.fill_between(d, sight - fresnel, sight + fresnel, color=FRESNEL, alpha=0.55, linewidth=0.0,
                      label=_WORDS["fresnel"][chinese], gid="fresnel")
    axes.fill_between(d, ground, top, color=BUILT, linewidth=0.0, label=_WORDS["built"][chinese], gid="built")
    axes.fill_between(d, base, ground, color=GROUND, linewidth=0.0, label=_WORDS["ground"][chinese], gid="ground")
    state = "blocked" if link.blocked else "clear"
    axes.plot([d[0], d[-1]], [link.antenna_amsl_m, link.receiver_amsl_m], color=BLOCKED if link.blocked else CLEAR,
              linewidth=2.0, label=_WORDS[state][chinese], gid="sight")
    axes.plot([d[0], d[0]], [ground[0], link.antenna_amsl_m], color="black", linewidth=3.0)
    axes.plot([d[-1], d[-1]], [ground[-1], link.receiver_amsl_m], color="black", linewidth=3.0)
    axes.plot([d[0], d[-1]], [link.antenna_amsl_m, link.receiver_amsl_m], color="black", marker="o", markersize=5,
              linestyle="none")
    axes.set(xlim=(d[0] - 0.02 * max(d[-1], 1.0), 1.02 * max(d[-1], 1.0)), ylim=(base, high + 0.2 * room))
    axes.set_xlabel(_WORDS["distance"][chinese], fontsize=11)
    axes.set_ylabel(_WORDS["height"][chinese], fontsize=11)
    axes.tick_params(labelsize=10)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    same = link.top_edge is not None and link.ground_edge is not None and np.allclose(
        link.top_edge[:2], link.ground_edge[:2], rtol=0.0, atol=_SAME_M)
    _mark(axes, link.top_edge, "top_edge", chinese, 34.0)
    _mark(axes, None if same else link.ground_edge, "ground_edge", chinese, 14.0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), fontsize=10, ncols=3, frameon=False)


def _mark(axes: Axes, edge: PathEdge | None, name: str, chinese: bool, lift: float) -> None:
    """The edge's place, how far it is over the sight line, and nu; ``lift`` in points. None: no such edge."""
    if edge is None:
        return
    touches = edge.nu > TOUCHES_NU
    colour = BLOCKED if edge.nu > 0.0 else "#e08a00" if touches else "#555555"
    axes.plot([edge.distance_m], [edge.height_m], marker="^" if name == "top_edge" else "v", markersize=9, color=colour,
              markerfacecolor=colour if touches else "white", linestyle="none", label=_WORDS[name][chinese], gid=name)
    if not touches:
        return
    side = "高出视线" if edge.over_m > 0.0 else "低于视线"
    numbers = (side, abs(edge.over_m), edge.nu) if chinese else (edge.over_m, edge.nu)
    share = edge.distance_m / axes.get_xlim()[1]
    towards = "left" if share < 0.25 else "right" if share > 0.75 else "center"
    axes.annotate(_WORDS["over"][chinese].format(*numbers), (edge.distance_m, edge.height_m), (0.0, lift),
                  textcoords="offset points", ha=towards, fontsize=10, color=colour,
                  arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8},
                  bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.0})


def budget_rows(link: LinkProfile, chinese: bool) -> list[tuple[str, str, str]]:
    """Rows of the picture's table: words, number, kind (``line``, ``sum``, ``note`` or ``head``).

    Parameters
    ----------
    link : LinkProfile
    chinese : bool
        Else in English, and without notes.
    """
    def word(name: str) -> str:
        return _WORDS[name][chinese]

    rows: list[tuple[str, str, str]] = []
    for line in link.budget:
        unit = "dBm" if line.name == "EPRE" else "dB"
        rows.append((line.name if chinese else _BUDGET_EN[line.name], f"{_signed(line.value)} {unit}", "line"))
        if chinese and line.name in _NOTED and line.note:
            rows += [(part, "", "note") for part in _wrap(line.note, _TABLE_COLUMNS).split("\n")]
    rows += [(word("rsrp"), f"{link.rsrp_dbm:.1f} dBm", "sum"), (word("loss"), f"{link.loss_db:.1f} dB", "line"),
             (word("threshold"), f"{link.threshold_dbm:g} dBm", "line"),
             (word("sigma"), f"{link.sigma_db:.1f} dB", "line"),
             (word("probability"), f"{link.probability:.0%}", "sum")]
    for line in link.indoor:
        rows.append((line.name if chinese else _BUDGET_EN[line.name], f"{_signed(line.value)} dB", "line"))
    if link.indoor:
        rows += [(word("inside"), f"{link.indoor_rsrp_dbm:.1f} dBm", "sum"),
                 (word("inside_probability"), f"{link.indoor_probability:.0%}", "line")]
    rows.append((word("terrain"), "", "head"))
    for name, loss in link.terrain_db.items():
        taken = word("taken") if name == link.terrain_method else ""
        rows.append((_METHODS[name][chinese] + taken, f"{loss:.1f} dB", "line"))
    if link.validity:
        told = f"{word('range')}：{'；'.join(link.validity)}" if chinese else word("range")
        rows += [(part, "", "note") for part in _wrap(told, _TABLE_COLUMNS).split("\n")]
    if not link.within_reach:
        rows += [(part, "", "note") for part in _wrap(word("far"), _TABLE_COLUMNS).split("\n")]
    return rows


def _signed(value: float) -> str:
    """One decimal with its sign; nothing is 0.0."""
    return "0.0" if abs(value) < 0.05 else f"{value:+.1f}"


def _draw_budget(axes: Axes, link: LinkProfile, chinese: bool) -> None:
    """The rows, one under the other; sums in bold over a line."""
    rows = budget_rows(link, chinese)
    heights = np.array([0.78 if kind == "note" else 1.0 for _, _, kind in rows])
    places = (np.cumsum(heights) - 0.5 * heights) / heights.sum()
    axes.set(xlim=(0.0, 1.0), ylim=(1.0, 0.0))
    axes.set_axis_off()
    for (words, number, kind), place, height in zip(rows, places, heights / heights.sum(), strict=True):
        weight = "bold" if kind in ("sum", "head") else "normal"
        size, colour = (8.5, "#555555") if kind == "note" else (11.0, "black")
        left = 0.04 if kind == "note" else 0.0
        axes.text(left, place, words, va="center", fontsize=size, color=colour, weight=weight)
        axes.text(1.0, place, number.replace("-", "−"), va="center", ha="right", fontsize=11.0, weight=weight)
        if kind in ("sum", "head"):
            axes.axhline(place - 0.5 * height, color="#999999", linewidth=0.8)
