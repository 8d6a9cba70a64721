"""Pictures of a choice: what money brings and what no plan can; which sites stay when the data are a little off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from siteplan.maps._classes import Words
from siteplan.maps._plots import _columns, _family, _lettering, _notice, _wrap
from siteplan.params import StudyInfo
from siteplan.selection import MoneyCurve, Selection, knee_sentence
from siteplan.selection.stability import at_most

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from siteplan.selection.stability import Stability

_WORDS: Mapping[str, Words] = {
    "money": ("Coverage by money", "投资与覆盖：钱花到哪里为止"),
    "cost": ("cost, 10,000 yuan", "累计投资（万元）"),
    "share": ("share of the gaps' weighted demand, %", "占空洞加权需求的比例（%）"),
    "achieved": ("reached by single sites, most for the money first", "逐处选站，每元服务最多者先选"),
    "bound": ("upper bound, proved", "上界（已证明）"), "beyond": ("no plan gets here", "任何方案都到不了这里"),
    "knee": ("knee", "拐点"), "plan": ("this plan: {0} sites, {1:,.0f}, {2:.1f} %", "本方案：{0} 处，{1:,.0f} 万元，{2:.1f}%"),
    "knee_at": ("Knee at {0} sites, {1:,.0f}: {2:,.1f} served for each 10,000 yuan so far, {3:,.1f} from there on.",
                ""),
    "nothing": ("no site serves any demand", "没有能服务空洞的站址"),
    "cut": ("Not drawn: {0} further sites up to {1:,.0f}, {2:.1f} %.", "右边没有画：再建 {0} 处，到 {1:,.0f} 万元、{2:.1f}%。"),
    "free": ("The curve heeds spacing and venues; not number, budget, quotas, tiers and the least worth of a site.",
             "曲线只守站间距和同一场所只选一处；不计站数、预算、限额、优先级和建站门槛。"),
    "stability": ("How often each site stays when demand and cost are off by {0:.0%}",
                  "需求和造价各有 {0:.0%} 随机误差时，各处站址留在方案中的次数"),
    "draws": ("share of {0} draws, %", "{0} 次试算中仍入选的比例（%）"), "always": ("{0} sites: every time", "{0} 处：每次都在"),
    "site": ("{1} (no. {0})", "第{0}位 {1}"), "others": ("{0} further sites", "其余 {0} 处"),
    "changes": ("{0:.1f} of {1} sites exchanged on average, {2} at most; the plan as it is gives away {3} at most.",
                "{1} 处站址平均更换 {0:.1f} 处，最多 {2} 处；不改方案的目标值损失不超过 {3}。"),
    "no_plan": ("the plan has no site", "方案没有站址"),
}
_REACHED, _BEYOND, _PLAN, _SHAKY = "#1d4ed8", "#b91c1c", "#b45309", "#d97706"
_YUAN = 1e4
_SITES_SHOWN = 20
_DRAWN_SHARE = 0.995
"""The curve is drawn up to this share of what it reaches in the end, and past the plan: the rest is a flat line."""


def plot_money(curve: MoneyCurve, selection: Selection, axes: Axes | None = None, study: StudyInfo | None = None, *,
               unit: str = "人") -> Axes:
    """Draw what is served for each sum of money, what no plan exceeds, the knee, and where the plan stands.

    Parameters
    ----------
    curve : MoneyCurve
        See :func:`siteplan.selection.money_curve`.
    selection : Selection
        The plan that is marked.
    axes : Axes, optional
        A new figure when absent.
    study : StudyInfo, optional
        Its notices stand under the picture.
    unit : str
        Unit of the plain demand in the words of the knee.

    Returns
    -------
    Axes
        Cost in units of 10,000 yuan, served share of the weight of all gaps in percent. Artists have ``money:reached``,
        ``money:bound``, ``money:beyond``, ``money:knee`` and ``money:plan`` as their ``gid``. Both lines are stairs:
        a sum between two sites buys no more than the lower one, and its bound is that of the upper one. The long
        flat end of the curve is left out, and told at the foot. Words are Chinese where a font has them, else English;
        ``rcParams`` stay as they are.

    Examples
    --------
    >>> axes = plot_money(plan.selection.money, plan.selection)  # doctest: +SKIP
    >>> axes.figure.savefig("money.png")  # doctest: +SKIP
    """
    with _lettering() as chinese:
        axis = _new_axes((8.6, 5.0)) if axes is None else axes
        table, said = _drawn(curve, selection), ""
        if len(table) > 1:
            _draw_money(axis, table, selection, chinese)
            _mark_knee(axis, curve, unit, chinese)
            axis.legend(loc="lower right", prop={"family": _family(), "size": 8}, framealpha=0.95)
        else:
            _say(axis, _WORDS["nothing"][chinese])
        _name_axes(axis, (_WORDS["money"], _WORDS["cost"], _WORDS["share"]), chinese)
        if len(table) < len(curve.table):
            end = curve.table.iloc[-1]
            said = _WORDS["cut"][chinese].format(len(curve.table) - len(table), end["cost_yuan"] / _YUAN,
                                                 100.0 * end["gap_share"])
        if axes is None:
            _foot(axis, f"{_WORDS['free'][chinese]} {said} {_notice(study, chinese)}")
    return axis


def _drawn(curve: MoneyCurve, selection: Selection) -> pd.DataFrame:
    """The part of the curve that there is something to see in."""
    table = curve.table
    served, cost = (table[name].to_numpy(dtype=float) for name in ("served_weight", "cost_yuan"))
    enough = int(np.searchsorted(served, _DRAWN_SHARE * served[-1]))
    beside = int(np.searchsorted(cost, 1.2 * selection.cost_yuan))
    return table.iloc[:max(enough, beside, curve.knee) + 2]


def _draw_money(axis: Axes, table: pd.DataFrame, selection: Selection, chinese: bool) -> None:
    """The stairs of what is reached, the bound over them, and the plan."""
    total = float(selection.weight.sum())
    percent = 100.0 / total if total > 0 else 0.0
    cost = table["cost_yuan"].to_numpy(dtype=float) / _YUAN
    reached, bound = (percent * table[name].to_numpy(dtype=float) for name in ("served_weight", "upper_weight"))
    own = selection.cost_yuan / _YUAN, percent * selection.covered
    top, right = 103.0, max(float(cost[-1]), 1.02 * own[0], 1e-9)
    ends = (*cost, max(right, float(cost[-1])))
    axis.fill_between(ends, (*bound, bound[-1]), top, step="pre", facecolor="#fdecec", edgecolor=_BEYOND,
                      hatch="///", linewidth=0.0, alpha=0.55, label=_WORDS["beyond"][chinese], gid="money:beyond")
    axis.plot(cost, bound, drawstyle="steps-pre", color=_BEYOND, linestyle="--", linewidth=1.4, gid="money:bound",
              label=_WORDS["bound"][chinese])
    axis.plot(cost, reached, drawstyle="steps-post", color=_REACHED, linewidth=2.0, label=_WORDS["achieved"][chinese],
              gid="money:reached")
    axis.plot(*([value] for value in own), marker="D", markersize=8, color=_PLAN, markeredgecolor="white", zorder=5.0,
              linestyle="none", gid="money:plan", label=_WORDS["plan"][chinese].format(len(selection.site_ids), *own))
    axis.set(xlim=(0.0, right), ylim=(0.0, top))


def _mark_knee(axis: Axes, curve: MoneyCurve, unit: str, chinese: bool) -> None:
    """A mark where the curve bends, and what a yuan brings before it and after it."""
    if curve.knee == 0:
        return
    table = curve.table
    at, end = table.iloc[curve.knee], table.iloc[-1]
    spent, rest = at["cost_yuan"] / _YUAN, (end["cost_yuan"] - at["cost_yuan"]) / _YUAN
    more = (end["served_demand"] - at["served_demand"]) / rest if rest > 0 else 0.0
    said = knee_sentence(curve, unit) if chinese else _WORDS["knee_at"][False].format(
        int(at["step"]), spent, at["served_demand"] / max(spent, 1e-12), more)
    y = 100.0 * float(at["gap_share"])
    axis.plot([spent], [y], marker="o", markersize=9, markerfacecolor="none", markeredgecolor="black",
              markeredgewidth=1.6, linestyle="none", zorder=6.0, label=_WORDS["knee"][chinese], gid="money:knee")
    axis.annotate(_wrap(said, 36), (spent, y), (0.34, 0.6), textcoords="axes fraction", fontsize=9, va="top",
                  fontfamily=_family(), arrowprops={"arrowstyle": "-", "color": "#444444", "linewidth": 0.8},
                  bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": "#bbbbbb"}, zorder=7.0)


def plot_stability(stability: Stability, selection: Selection, axes: Axes | None = None,
                   study: StudyInfo | None = None, *, names: Mapping[str, str] | None = None) -> Axes:
    """Draw how often each site stays in the plan when it is improved on data with small errors.

    Parameters
    ----------
    stability : Stability
        See :func:`siteplan.selection.stability.stability`.
    selection : Selection
        The plan; its order of choice numbers the sites.
    axes : Axes, optional
        A new figure when absent.
    study : StudyInfo, optional
        Its notices stand under the picture.
    names : mapping of str to str, optional
        What sites are called; their ids where absent.

    Returns
    -------
    Axes
        A bar for all sites that stay every time, then one for each that does not, the shakiest last; of over 20 the
        steadier are one bar. Bars have ``stability:SITE`` as their ``gid``.

    Examples
    --------
    >>> axes = plot_stability(plan.selection.stability, plan.selection)  # doctest: +SKIP
    """
    rank = {site: number for number, site in enumerate(selection.site_ids, start=1)}
    with _lettering() as chinese:
        bars = _bars(stability, rank, names or {}, chinese)
        axis = _new_axes((8.6, 1.8 + 0.28 * max(len(bars), 2))) if axes is None else axes
        if not bars:
            _say(axis, _WORDS["no_plan"][chinese])
        for number, (gid, _, share, firm) in enumerate(bars):
            bar = axis.barh(number, 100.0 * share, height=0.68, color=_REACHED if firm else _SHAKY)
            bar[0].set_gid(f"stability:{gid}")
            axis.text(100.0 * share + 1.0, number, f"{100.0 * share:.0f}%", va="center", fontsize=8)
        axis.set_yticks(range(len(bars)), [name for _, name, _, _ in bars], fontsize=8, fontfamily=_family())
        axis.set(xlim=(0.0, 108.0), ylim=(len(bars) - 0.4, -0.6) if bars else (0.0, 1.0))
        draws = len(stability.draws)
        title = tuple(word.format(stability.noise) for word in _WORDS["stability"])
        along = tuple(word.format(draws) for word in _WORDS["draws"])
        _name_axes(axis, ((title[0], title[1]), (along[0], along[1]), ("", "")), chinese)
        axis.grid(visible=False, axis="y")
        if axes is None:
            _foot(axis, f"{_changes(stability, chinese)} {_notice(study, chinese)}")
    return axis


def _bars(stability: Stability, rank: Mapping[str, int], names: Mapping[str, str], chinese: bool,
          ) -> list[tuple[str, str, float, bool]]:
    """Id, name, share and whether it is firm, of every bar from the top down."""
    kept = pd.Series(stability.kept_share, dtype=float)
    firm, shaky = kept[kept >= 1.0], kept[kept < 1.0]
    shaky = shaky.iloc[np.lexsort(([rank[str(site)] for site in shaky.index], -shaky.to_numpy()))]
    found = [("always", _WORDS["always"][chinese].format(len(firm)), 1.0, True)] if len(firm) else []
    steadier = shaky.iloc[:max(len(shaky) - _SITES_SHOWN, 0)]
    if len(steadier):
        found.append(("others", _WORDS["others"][chinese].format(len(steadier)), float(steadier.mean()), False))
    for site, share in shaky.iloc[len(steadier):].items():
        word = _WORDS["site"][chinese].format(rank[str(site)], names.get(str(site)) or str(site))
        found.append((str(site), word, float(share), False))
    return found


def _changes(stability: Stability, chinese: bool) -> str:
    """How many sites change, and what that is worth."""
    draws = stability.draws
    if not len(draws):
        return ""
    return _WORDS["changes"][chinese].format(float(draws["changed"].mean()), len(stability.kept_share),
                                             int(draws["changed"].max()), at_most(float(draws["regret"].max())))


def _new_axes(size: tuple[float, float]) -> Axes:
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=size, layout="constrained")
    figure.set_dpi(110)
    return axis


def _name_axes(axis: Axes, words: tuple[Words, Words, Words], chinese: bool) -> None:
    """Title, labels, and a quiet grid."""
    title, along, up = (word[chinese] for word in words)
    axis.set_title(title, fontsize=11, loc="left", fontfamily=_family())
    axis.set_xlabel(along, fontsize=9, fontfamily=_family())
    axis.set_ylabel(up, fontsize=9, fontfamily=_family())
    axis.grid(visible=True, color="#e2e2e2", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8)


def _say(axis: Axes, text: str) -> None:
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", fontfamily=_family())


def _foot(axis: Axes, text: str) -> None:
    axis.figure.supxlabel(_wrap(text, int(1.15 * _columns(axis))), fontsize=7, x=0.01, ha="left", color="#444444")
