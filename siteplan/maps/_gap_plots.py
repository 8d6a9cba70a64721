"""Picture of gap areas: where the uncovered land lies, why, and in which order of weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.gaps.holes.causes import CAUSE_ZH, CAUSES
from siteplan.gaps.holes.gap_areas import GAP_TYPE_ZH, UNEXPLAINED_ZH
from siteplan.gaps.people.complaints import check_crs
from siteplan.maps._classes import ClassMap, Words
from siteplan.maps._plots import (
    UNKNOWN_COLOUR,
    UNKNOWN_LINES,
    _columns,
    _draw,
    _family,
    _lettering,
    _masts,
    _new_axes,
    _notice,
    _overlay,
    _scale_bar,
    _shade,
    _wrap,
)
from siteplan.params import StudyParams
from siteplan.surface import Surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOOKS: Mapping[str, tuple[str, str]] = {
    "no_site": ("#a3005c", "ooo"), "terrain": ("#14532d", "////"), "buildings": ("#101828", "++++"),
    "weak": ("#3b1fa8", "----"), "indoor": ("#0e7490", "...."), "": ("#57534e", "\\\\\\\\"),
}
"""Colour and hatch of each reason: the colours of the review map, hatched so that a grey print tells them apart."""
_REASONS: Mapping[str, Words] = {
    "no_site": ("no 5G site in range", CAUSE_ZH["no_site"]), "terrain": ("blocked by terrain", CAUSE_ZH["terrain"]),
    "buildings": ("blocked by buildings", CAUSE_ZH["buildings"]),
    "weak": ("too far or off the beam", CAUSE_ZH["weak"]),
    "indoor": ("covered outdoors only", CAUSE_ZH["indoor"]), "": ("reason not looked for", UNEXPLAINED_ZH),
}
_GROUND: tuple[tuple[str, Words], ...] = (("#f1efe9", ("other land", "其余土地")), ("#c9c5bd", ("built up", "建筑物")))
_WORDS: Mapping[str, Words] = {
    "title": ("Gap areas and the main reason of each", "覆盖空洞及主要原因"),
    "areas": ("areas", "处"), "none": ("no gap areas", "没有空洞"),
    "land": ("paler: loose land", f"较淡：{GAP_TYPE_ZH['land']}"),
    "numbers": ("number: rank by weight, the first {0}", "编号：按权重排的次序，前 {0} 处"),
    "villages": ("villages", "行政村"), "boundary": ("boundary", "规划范围"), "masts": ("5G stations", "5G基站"),
    "unknown": ("no data", "无数据"),
    "rule": ("Gap: probability of coverage below {0:g} for every 5G network (SS-RSRP {1:g} dBm outdoors).",
             "空洞：任一5G网络的覆盖概率都低于 {0:g}（室外，SS-RSRP 门限 {1:g} dBm）。"),
    "indoor_rule": ("Gap: covered outdoors, inside buildings below {0:g} (SS-RSRP {1:g} dBm).",
                    "室内空洞：室外已覆盖，建筑物内的覆盖概率低于 {0:g}（SS-RSRP 门限 {1:g} dBm）。"),
    "listed": ("Loose pieces below {0:g} m² are not listed.", "小于 {0:g} 平方米的零散小块不列。"),
}
_MOST_NAMES = 80
"""With more villages than this their names are left out."""
_NEAR = (0.035, 0.018)
"""A name is hidden by a number that stands nearer than these shares of the picture's width, across and upwards."""


def plot_gaps(gaps: gpd.GeoDataFrame, surface: Surface, params: StudyParams, ax: Axes | None = None, *,
              boundary: gpd.GeoDataFrame | None = None, villages: gpd.GeoDataFrame | None = None,
              sectors: pd.DataFrame | None = None, numbered: int = 20) -> Axes:
    """Draw gap areas over the relief, each in the colour of its main reason.

    Parameters
    ----------
    gaps : GeoDataFrame
        Gap areas outdoors or indoors, see :func:`siteplan.gaps.find_gap_areas`; in the CRS of the surface;
        may be empty.
    surface : Surface
        Its grid is what is shown; its relief and buildings are the ground of the picture.
    params : StudyParams
        What counts as a gap, and the notices that stand under the picture.
    ax : Axes, optional
        A new figure when absent.
    boundary, villages : GeoDataFrame, optional
        Outlined; villages with their ``name``, unless there are more than 80.
    sectors : DataFrame, optional
        Table of sectors: the masts of those with 5G that radiate outdoors are marked.
    numbered : int
        So many of the heaviest areas carry their ``rank_no``.

    Returns
    -------
    Axes
        In metres of the CRS. Words are Chinese where a font has them, else English; ``rcParams`` stay as they are.

    Raises
    ------
    CrsError
        The gap areas do not lie in the CRS of the surface.

    Examples
    --------
    >>> axes = plot_gaps(state.gaps, scene.surface, scene.params, boundary=scene.boundary)  # doctest: +SKIP
    >>> axes.figure.savefig("gaps.png")  # doctest: +SKIP
    """
    check_crs(gaps, surface.geobox)
    classes = np.where(surface.known, 1 + (surface.built & surface.has_clutter), 0).astype(np.uint8)
    with _lettering() as chinese:
        axes = _new_axes(1, surface.geobox)[0] if ax is None else ax
        title = _WORDS["title"]
        _draw(axes, ClassMap(classes, _GROUND, title, title), surface.geobox, _shade(surface, surface.geobox))
        _add_areas(axes, gaps)
        masts = None if sectors is None else _masts(sectors, list(sectors.index.astype(str)), None)
        _overlay(axes, surface.geobox, boundary, masts, False)
        marked = _number(axes, gaps, numbered)
        if villages is not None and len(villages):
            _add_villages(axes, villages, marked)
        axes.set_title(title[chinese], fontsize=11, fontfamily=_family())
        _add_legend(axes, gaps, len(marked), chinese, bool((classes == 0).any()))
        _scale_bar(axes, surface.geobox, chinese)
        said = f"{_rule(gaps, params, chinese)} {_notice(params.study, chinese)}"
        axes.set_xlabel(_wrap(said, _columns(axes)), fontsize=7, loc="left", color="#444444", fontfamily=_family())
    return axes


def _rule(gaps: gpd.GeoDataFrame, params: StudyParams, chinese: bool) -> str:
    """What counts as a gap in this picture."""
    coverage, indoors = params.coverage, bool((gaps["gap_type"] == "indoor").any())
    threshold = coverage.threshold_dbm
    if indoors and coverage.indoor_threshold_dbm is not None:
        threshold = coverage.indoor_threshold_dbm
    told = _WORDS["indoor_rule" if indoors else "rule"][chinese].format(params.gaps.gap_probability, threshold)
    return f"{told} {_WORDS['listed'][chinese].format(params.gaps.min_gap_area_m2)}"


def _code(gaps: gpd.GeoDataFrame) -> pd.Series:
    """Reason of each area, empty where it was not looked for or has no look of its own."""
    code = gaps["reason_code"].fillna("").astype("str")
    return code.where(code.isin(list(_LOOKS)), "")


def _look(code: str, faint: bool) -> dict[str, Any]:
    """Fill, hatch and edge of a reason; loose land is paler."""
    from matplotlib.colors import to_rgb

    colour, hatch = _LOOKS[code]
    tone = np.array(to_rgb(colour))
    fill = 1.0 - (0.16 if faint else 0.45) * (1.0 - tone)
    edge = 1.0 - (0.45 if faint else 1.0) * (1.0 - tone)
    return {"facecolor": tuple(fill), "edgecolor": tuple(edge), "hatch": hatch, "linewidth": 0.4 if faint else 0.8}


def _add_areas(axes: Axes, gaps: gpd.GeoDataFrame) -> None:
    """The areas, loose land below the others; each group carries its reason as ``gid``."""
    codes, land = _code(gaps), gaps["gap_type"] == "land"
    there = ~(gaps.geometry.isna() | gaps.geometry.is_empty)
    for faint in (True, False):
        for code in _LOOKS:
            chosen = gaps[there & (codes == code) & (land == faint)]
            if len(chosen):
                chosen.plot(ax=axes, aspect=None, autolim=False, gid=f"gap:{code}", zorder=2.0 if faint else 2.2,
                            **_look(code, faint))


def _add_villages(axes: Axes, villages: gpd.GeoDataFrame, marked: NDArray[np.float64]) -> None:
    """Outlines of villages, and their names where they are few; beside a rank number that would hide the name."""
    from matplotlib.collections import LineCollection
    from matplotlib.patheffects import withStroke

    shapes = villages[~(villages.geometry.isna() | villages.geometry.is_empty)]
    lines = shapely.get_parts(shapes.geometry.boundary.to_numpy())
    axes.add_collection(LineCollection([shapely.get_coordinates(line) for line in lines], colors="#7a746a",
                                       linewidths=0.5, gid="villages", zorder=1.8), autolim=False)
    if len(shapes) > _MOST_NAMES or "name" not in shapes:
        return
    near_m = np.array(_NEAR) * abs(np.diff(axes.get_xlim())[0])
    for name, point in zip(shapes["name"], shapes.geometry.representative_point(), strict=True):
        if pd.notna(name):
            away = marked - [point.x, point.y]
            hiding = away[(np.abs(away) < near_m).all(axis=1)]
            aside = 0.0 if not len(hiding) else 10.0 if hiding[0, 1] < 0.0 else -10.0
            axes.annotate(str(name), (point.x, point.y), xytext=(0.0, aside), fontsize=6,
                          textcoords="offset points", color="#4a453d", ha="center", va="center",
                          fontfamily=_family(), zorder=5.0, annotation_clip=True,
                          path_effects=[withStroke(linewidth=1.6, foreground="white")])


def _number(axes: Axes, gaps: gpd.GeoDataFrame, numbered: int) -> NDArray[np.float64]:
    """Rank numbers of the heaviest areas, the first on top; gives where they stand: x, y in rows."""
    there = gaps[~(gaps.geometry.isna() | gaps.geometry.is_empty)]
    first = there.sort_values("rank_no", kind="stable").head(max(numbered, 0))
    points, codes = shapely.get_coordinates(first.geometry.representative_point().to_numpy()), _code(first)
    for place, (gap_id, rank) in enumerate(first["rank_no"].items()):
        axes.annotate(f"{rank}", tuple(points[place]), fontsize=6.5, color="white", ha="center", va="center",
                      gid=f"rank:{gap_id}", zorder=4.0 + (len(first) - place) * 0.01, annotation_clip=True,
                      bbox={"boxstyle": "circle,pad=0.22", "facecolor": _LOOKS[codes[gap_id]][0], "edgecolor": "white",
                            "linewidth": 0.6})
    return points


def _add_legend(axes: Axes, gaps: gpd.GeoDataFrame, shown: int, chinese: bool, unknown: bool) -> None:
    """Reasons with the number of their areas, then what else the picture has."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    codes, land = _code(gaps), gaps["gap_type"] == "land"
    handles: list[Any] = []
    for code in (*CAUSES, "indoor", ""):
        number = int((codes == code).sum())
        if number:
            handles.append(Patch(label=f"{_REASONS[code][chinese]} {number} {_WORDS['areas'][chinese]}",
                                 **_look(code, bool(land[codes == code].all()))))
    if not handles:
        handles.append(Line2D([], [], linestyle="none", label=_WORDS["none"][chinese]))
    if land.any():
        handles.append(Patch(label=_WORDS["land"][chinese], facecolor="#e4e2e6", edgecolor="#b5b1b8", linewidth=0.4))
    if shown:
        handles.append(Line2D([], [], linestyle="none", marker="o", color="#57534e", markeredgecolor="white",
                              markersize=8, label=_WORDS["numbers"][chinese].format(shown)))
    gids = {artist.get_gid() for artist in axes.collections}
    if "masts" in gids:
        handles.append(Line2D([], [], color="black", marker="^", linestyle="none", markersize=4,
                              label=_WORDS["masts"][chinese]))
    for gid, colour, width in (("boundary", "black", 1.0), ("villages", "#7a746a", 0.5)):
        if gid in gids:
            handles.append(Line2D([], [], color=colour, linewidth=width, label=_WORDS[gid][chinese]))
    handles.append(Patch(facecolor=_GROUND[1][0], edgecolor="#777777", linewidth=0.4, label=_GROUND[1][1][chinese]))
    if unknown:
        handles.append(Patch(facecolor=UNKNOWN_COLOUR, edgecolor=UNKNOWN_LINES, hatch="////", linewidth=0.4,
                             label=_WORDS["unknown"][chinese]))
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=8, frameon=False,
                borderaxespad=0.0)
