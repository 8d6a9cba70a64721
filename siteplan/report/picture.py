"""The map of a report: sites by state, with the outlines of counties and towns, as a picture."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely

from siteplan.maps._progress_looks import STATE_LOOKS
from siteplan.report._sentences import chinese_day
from siteplan.report.facts import ReportFacts
from siteplan.sheets._labels import Label, place_labels
from siteplan.sheets._map import map_axes
from siteplan.sheets._marks import put_north, put_scale_bar
from siteplan.sheets._page import Page, new_page, put_text
from siteplan.sheets._style import MM_PER_POINT, Style, colour, drawing_settings, style_of
from siteplan.sheets._view import View, lines_of, put_outlines, view_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 170
LEGEND_MM, BAR_MM, TITLE_MM = 14.0, 9.0, 10.0
LOWEST_MM = 90.0
_OUTLINES = (("towns", 0.18, (6, 1.6, 1.2, 1.6)), ("counties", 0.32, (8, 1.8, 1.4, 1.8, 1.4, 1.8)),
             ("boundary", 0.5, None))
_FEW, _DENSE = 60, 400
"""Up to so many sites marks are larger; from so many on they are smaller."""


def map_picture(facts: ReportFacts, font: str | None = None) -> bytes:
    """Sites by state at the cut-off, as PNG.

    Parameters
    ----------
    facts : ReportFacts
        Outlines are drawn where it has some.
    font : str, optional
        Font file or family.

    Returns
    -------
    bytes
        Equal facts give equal bytes.

    Raises
    ------
    ExportError
        There is no font with Chinese.
    """
    style, shapes = style_of("brief", font, "zh"), facts.sites.geometry.to_numpy()
    sites = facts.sites[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    bounds = _bounds(facts, sites)
    style = _fitted(style, bounds)
    with drawing_settings(style):
        page = new_page(style)
        paper = style.paper
        invented = "合成数据 " if any("合成" in text for text in facts.notices) else ""
        title = f"{invented}{style.plain(facts.city)}5G站址状态({chinese_day(facts.period.last)})"
        put_text(page, paper.width / 2.0, paper.height - 5.0, title, paper.top, ha="center", width=paper.width - 4.0)
        frame = 1.0, LEGEND_MM + BAR_MM, paper.width - 2.0, paper.height - LEGEND_MM - BAR_MM - TITLE_MM
        wide, high = bounds[2] - bounds[0], bounds[3] - bounds[1]
        scale = int(1060.0 * max(wide / frame[2], high / frame[3])) + 1
        view = view_of(bounds, frame, scale)
        axes = map_axes(page, view)
        _draw_areas(axes, facts, view)
        _draw_sites(axes, sites, style.paper.mark)
        _name_areas(page, axes, facts, view, sites)
        put_north(page, frame[0] + frame[2] - 1.5, frame[1] + frame[3] - 1.5, style.paper.mark)
        put_scale_bar(page, paper.width / 2.0, LEGEND_MM + 1.5, scale, 60.0, named=False)
        _legend(page, facts, sites)
        if sites.empty:
            put_text(page, paper.width / 2.0, paper.height / 2.0, "没有站址", paper.top, ha="center")
        buffer = io.BytesIO()
        page.figure.savefig(buffer, dpi=DPI, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _fitted(style: Style, bounds: tuple[float, float, float, float]) -> Style:
    """The style with a page as high as the map needs, within that of its paper."""
    paper = style.paper
    shape = (bounds[3] - bounds[1]) / (bounds[2] - bounds[0])
    high = LEGEND_MM + BAR_MM + TITLE_MM + max((paper.width - 2.0) * shape, LOWEST_MM)
    return replace(style, paper=replace(paper, height=min(high, paper.height)))


def _bounds(facts: ReportFacts, sites: gpd.GeoDataFrame) -> tuple[float, float, float, float]:
    """Bounds of the boundary, else of all outlines, else of the sites; never without extent."""
    found = [facts.areas[name].total_bounds for name in ("boundary", "counties", "towns")
             if name in facts.areas and len(facts.areas[name])][:1]
    found = found or ([sites.total_bounds] if len(sites) else [np.array([0.0, 0.0, 1000.0, 1000.0])])
    west, south, east, north = (float(value) for value in found[0])
    pad = max(0.02 * max(east - west, north - south), 200.0)
    return west - pad, south - pad, east + pad, north + pad


def _draw_areas(axes: Axes, facts: ReportFacts, view: View) -> None:
    axes.set_facecolor("#fbfbf8")
    for name, width, dashes in _OUTLINES:
        table = facts.areas.get(name)
        if table is not None and len(table):
            look: dict[str, Any] = {} if dashes is None else {"linestyles": [(0, dashes)]}
            shade = colour({"towns": "town", "counties": "county"}.get(name, name))
            put_outlines(axes, lines_of(table, view, outlines=True), width, shade, 7 + width, **look)


def _draw_sites(axes: Axes, sites: gpd.GeoDataFrame, mark: float) -> None:
    """Marks of all sites, those that need looking at on top."""
    size = 26.0 * mark**2 * (1.7 if len(sites) <= _FEW else 1.0 if len(sites) < _DENSE else max(
        0.12, (_DENSE / len(sites)) ** 0.6))
    state = sites["state"].astype("object").to_numpy()
    x, y = sites.geometry.x.to_numpy(), sites.geometry.y.to_numpy()
    for look in STATE_LOOKS:
        here = state == look.state
        if here.any():
            rim: dict[str, Any] = {} if look.mark == "x" else {"edgecolors": "white"}
            axes.scatter(x[here], y[here], s=size, marker=look.mark, c=look.colour, linewidths=0.35 * mark,
                         zorder=10 + look.rank, clip_on=True, **rim)


def _name_areas(page: Page, axes: Axes, facts: ReportFacts, view: View, sites: gpd.GeoDataFrame) -> None:
    """Names of counties, then small those of towns, where there is room beside the marks."""
    size = page.style.paper.heading
    few = sites if len(sites) <= _DENSE else sites.iloc[:0]
    marks = view.on_paper(few.geometry.x.to_numpy(), few.geometry.y.to_numpy())
    taken = np.hstack([marks - 1.2, marks + 1.2])
    for name, high, ink in (("counties", 1.3 * size, "ink"), ("towns", size, "soft")):
        table = facts.areas.get(name)
        if table is not None and "name" in table:
            taken = np.vstack([taken, _put_names(page, axes, table, view, (high, colour(ink)), taken)])


def _put_names(page: Page, axes: Axes, table: gpd.GeoDataFrame, view: View, look: tuple[float, str],
               taken: np.ndarray) -> np.ndarray:
    """Names of areas of one kind; the boxes that they fill."""
    from matplotlib.patheffects import Stroke

    size, ink = look
    points = shapely.point_on_surface(table.geometry.to_numpy())
    spots = view.on_paper(shapely.get_x(points), shapely.get_y(points))
    texts = [page.style.plain(str(name))[:12] for name in table["name"]]
    labels = [Label(float(x), float(y), len(text) * size * MM_PER_POINT + 1.0, size * MM_PER_POINT * 1.2, 0.1, 2)
              for (x, y), text in zip(spots, texts, strict=True)]
    metres, filled = view.scale / 1000.0, []
    places = place_labels(labels, (view.frame[2], view.frame[3]), taken)
    for text, label, place in zip(texts, labels, places, strict=True):
        if place is None:
            continue
        filled.append((place.x - label.width / 2, place.y - label.height / 2, place.x + label.width / 2,
                       place.y + label.height / 2))
        at = view.bounds[0] + place.x * metres, view.bounds[1] + place.y * metres
        style: dict[str, Any] = {"fontsize": size, "ha": "center", "va": "center", "parse_math": False, "clip_on": True}
        axes.text(*at, text, color="white", zorder=20, path_effects=[Stroke(linewidth=1.8, foreground="white")],
                  **style)
        axes.text(*at, text, color=ink, zorder=21, **style)
    return np.array(filled).reshape(-1, 4)


def _legend(page: Page, facts: ReportFacts, sites: gpd.GeoDataFrame) -> None:
    """Mark, word and number of each state; the cut-off."""
    size, paper = page.style.paper.heading, page.style.paper
    numbers = sites["state"].value_counts()
    wide = (paper.width - 4.0) / 4
    for number, look in enumerate(STATE_LOOKS):
        row, column = divmod(number, 4)
        x, y = 2.0 + column * wide, LEGEND_MM - 3.0 - row * 4.6
        rim: dict[str, Any] = {} if look.mark == "x" else {"edgecolors": "white"}
        page.axes.scatter([x + 2.0], [y], s=26.0, marker=look.mark, c=look.colour, linewidths=0.4, **rim)
        put_text(page, x + 4.6, y, f"{look.zh} {int(numbers.get(look.state, 0))}处", size)
    lacking = len(facts.sites) - len(sites)
    told = f"截止日当天计入;变更号 {facts.last_event}" + (f";无位置{lacking}处未绘" if lacking else "")
    put_text(page, 2.0 + 3 * wide, LEGEND_MM - 3.0 - 4.6, told, paper.text, color=colour("soft"), width=wide)
