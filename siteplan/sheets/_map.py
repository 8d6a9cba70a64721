"""The map of a sheet: coverage in classes, lines, areas, marks and numbers of sites, grid and coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from siteplan.fonts import text_width
from siteplan.sheets._areas import text_of
from siteplan.sheets._classes import Scale, colours_of, picture
from siteplan.sheets._labels import Label, Place, place_labels
from siteplan.sheets._marks import draw_sites, draw_verdicts, mark_radius
from siteplan.sheets._page import Page, put_text
from siteplan.sheets._style import MM_PER_POINT, colour, grid_step, road_width
from siteplan.sheets._view import View, lines_of, part_of, put_areas, put_outlines
from siteplan.sheets.content import SheetContent, State, What

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PIXELS = 1600
LONGEST = 12
"""Letters of a name on the map; longer ones end in ``…``."""


def map_axes(page: Page, view: View) -> Axes:
    """Axes of the map, true to scale on paper: data are metres of the study's CRS."""
    paper, (left, bottom, width, height) = page.style.paper, view.frame
    axes = page.figure.add_axes((left / paper.width, bottom / paper.height, width / paper.width, height / paper.height))
    west, south, east, north = view.bounds
    axes.set(xlim=(west, east), ylim=(south, north), xticks=[], yticks=[], facecolor=colour("no_data"))
    for spine in axes.spines.values():
        spine.set(linewidth=0.9, zorder=30)
    return axes


def draw_coverage(axes: Axes, content: SheetContent, state: State, what: What, view: View, scale: Scale) -> None:
    """Classes of the coverage, every pixel as it is."""
    got = picture(content, state, what, view.bounds, MOST_PIXELS)
    if got is None:
        return
    classes, (west, south, east, north) = got
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(colours_of(classes, scale), extent=(west, east, south, north), interpolation="none", aspect="auto",
                zorder=1)
    axes.set(xlim=limits[0], ylim=limits[1])


def draw_base(axes: Axes, content: SheetContent, view: View, mark: float) -> None:
    """Water, roads, railways, limits and boundaries."""
    water = content.table("water")
    if len(water):
        areas = water[shapely.get_dimensions(water.geometry.to_numpy()) == 2]
        put_areas(axes, areas, view, 3, facecolor=colour("water"), edgecolor=colour("water_edge"), linewidth=0.3)
        streams = water[~water.index.isin(areas.index)]
        wide = np.nan_to_num(streams["width_m"].to_numpy(float)) if "width_m" in streams else np.zeros(len(streams))
        for width in np.unique(wide):  # as wide as the river is, where that can be seen
            put_outlines(axes, lines_of(streams[wide == width], view), max(0.4 * mark, 1000.0 * width / view.scale),
                         colour("water" if 1000.0 * width / view.scale > 1.0 else "water_edge"), 3)
    roads = part_of(content.table("roads"), view)
    if len(roads):
        classes = roads["road_class"] if "road_class" in roads else roads.index.to_series().map(lambda _: "")
        widths = np.array([road_width(text) for text in classes]) * mark
        for width in np.unique(widths):
            segments = lines_of(roads[widths == width], view)
            put_outlines(axes, segments, width + 0.16 * mark, colour("road_edge"), 4 + width)
            put_outlines(axes, segments, width, colour("road"), 4.01 + width)
    rail = lines_of(content.table("rail"), view)
    put_outlines(axes, rail, 0.55 * mark, colour("rail"), 6)
    put_outlines(axes, rail, 0.35 * mark, "white", 6.1, linestyles=[(0, (4, 4))])
    put_areas(axes, content.table("restricted"), view, 6.5, facecolor="none", edgecolor=colour("restricted"),
              linewidth=0.6, linestyle=(0, (1.5, 1.2)))
    for name, width, dashes in (("villages", 0.14, (2.2, 1.6)), ("units", 0.22, None),
                                ("towns", 0.28, (6, 1.6, 1.2, 1.6)),
                                ("counties", 0.42, (8, 1.8, 1.4, 1.8, 1.4, 1.8)), ("boundary", 0.7, None)):
        shade = colour({"villages": "village", "units": "unit", "towns": "town", "counties": "county"}.get(name, name))
        look: Mapping[str, Any] = {} if dashes is None else {"linestyles": [(0, dashes)]}
        put_outlines(axes, lines_of(content.table(name), view, outlines=True), width * mark, shade, 7 + width, **look)


def draw_gaps(axes: Axes, content: SheetContent, view: View, mark: float) -> None:
    """Gap areas after the plan, hatched."""
    put_areas(axes, content.table("gaps"), view, 2.5, facecolor="none", edgecolor=colour("gap"), linewidth=0.5 * mark,
              hatch="/////")


def draw_focus(axes: Axes, shape: Any, view: View, mark: float) -> None:
    """What lies outside of an area is faded, its outline is drawn bold."""
    outside = shapely.difference(shapely.box(*view.bounds), shape)
    table = gpd.GeoDataFrame(geometry=[outside, shape])
    put_areas(axes, table.iloc[:1], view, 9, facecolor="white", alpha=0.55, linewidth=0.0)
    put_outlines(axes, lines_of(table.iloc[1:], view, outlines=True), 1.3 * mark, "white", 9.1, alpha=0.8)
    put_outlines(axes, lines_of(table.iloc[1:], view, outlines=True), 0.6 * mark, colour("ink"), 9.2)


def draw_grid(page: Page, axes: Axes, view: View) -> None:
    """Grid lines of round coordinates, and their numbers around the map (X north, Y east)."""
    step = grid_step(view.scale)
    left, bottom, width, height = view.frame
    size, off = page.style.paper.text * 0.82, page.style.paper.coordinates / 2.0
    places = {}
    for along, (low, high) in enumerate(((view.bounds[0], view.bounds[2]), (view.bounds[1], view.bounds[3]))):
        places[along] = np.arange(np.ceil(low / step), np.floor(high / step) + 0.5) * step
    segments = [[(x, view.bounds[1]), (x, view.bounds[3])] for x in places[0]]
    segments += [[(view.bounds[0], y), (view.bounds[2], y)] for y in places[1]]
    put_outlines(axes, [np.array(segment) for segment in segments], 0.07, colour("ink"), 8.9, alpha=0.45)
    for x, y in zip(places[0], view.on_paper(places[0], np.zeros_like(places[0]))[:, 0], strict=True):
        for level in (bottom - off, bottom + height + off):
            if 6.0 < y < width - 6.0:
                put_text(page, left + y, level, f"{x:.0f}", size, ha="center", color=colour("soft"))
    for x, y in zip(places[1], view.on_paper(np.zeros_like(places[1]), places[1])[:, 1], strict=True):
        for level in (left - off, left + width + off):
            if 6.0 < y < height - 6.0:
                put_text(page, level, bottom + y, f"{x:.0f}", size, ha="center", rotation=90, color=colour("soft"))


def draw_places(page: Page, axes: Axes, content: SheetContent, view: View, sites: gpd.GeoDataFrame,
                taken: Sequence[Sequence[float]], headings: Sequence[tuple[Any, str]] = ()) -> tuple[int, int]:
    """Marks of villages, zones and sites, then numbers and names beside them.

    Parameters
    ----------
    taken : sequence of boxes
        What else lies in the map, mm from its lower left corner (left, bottom, right, top).
    headings : sequence of (point, text)
        Texts that come first, as numbers of sheets on an overview; then only proposed sites are numbered and villages
        and zones not named.

    Returns
    -------
    tuple of int
        How many sites and how many places of the view found no room for their number or name.
    """
    mark, size = page.style.paper.mark, page.style.paper.label
    here = part_of(sites, view)
    spots = view.on_paper(here.geometry.x.to_numpy(), here.geometry.y.to_numpy()) if len(here) else np.empty((0, 2))
    villages = draw_verdicts(axes, part_of(content.table("villages"), view), view, mark, zones=False)
    zones = draw_verdicts(axes, part_of(content.table("zones"), view), view, mark, zones=True)
    draw_sites(axes, here, mark)
    wanted = [_label(page, view.on_paper(np.array([point.x]), np.array([point.y]))[0], page.style.plain(text),
                     colour("ink"), size * 1.7) for point, text in headings]
    first = len(wanted)
    wanted += _numbers(page, here, spots, bool(headings))
    last = len(wanted)
    for table, shade in () if headings else ((villages, colour("ink")), (zones, colour("zone"))):
        for spot, name in table:
            if text := page.style.plain(text_of(name)):
                if len(text) > LONGEST:
                    page.cut.append(text)
                    text = text[:LONGEST - 1] + "…"
                wanted.append(_label(page, spot, text, shade, size, 3))
    marks = [spots, *(np.array([spot for spot, _ in table]).reshape(-1, 2) for table in (villages, zones))]
    boxes = [np.asarray(taken, np.float64).reshape(-1, 4)]
    boxes += [np.hstack([part - mark_radius(mark), part + mark_radius(mark)]) for part in marks]
    places = place_labels([entry[0] for entry in wanted], (view.frame[2], view.frame[3]), np.vstack(boxes))
    _write_labels(axes, view, wanted, places)
    missed = [place is None for place in places]
    return sum(missed[first:last]), sum(missed[:first]) + sum(missed[last:])


def _numbers(page: Page, sites: gpd.GeoDataFrame, spots: NDArray[np.float64], proposed_only: bool,
             ) -> list[tuple[Label, str, str, float]]:
    """Numbers of sites, those of proposed ones first."""
    if sites.empty:
        return []
    size, numbers = page.style.paper.label, sites["no"].to_numpy()
    proposed = sites["status"].astype(str).to_numpy() == "proposed"
    order = [at for at in np.argsort(~proposed, kind="stable") if proposed[at] or not proposed_only]
    return [_label(page, spots[at], str(numbers[at]), colour("proposed" if proposed[at] else "ink"),
                   size * (1.0 if proposed[at] else 0.85)) for at in order]


def _label(page: Page, spot: NDArray[np.float64], text: str, shade: str, size: float, rings: int = 7,
           ) -> tuple[Label, str, str, float]:
    width = text_width(text, page.style.font) * size * MM_PER_POINT + 0.5
    height = size * MM_PER_POINT * 1.12
    near = mark_radius(page.style.paper.mark) + 0.25
    return Label(float(spot[0]), float(spot[1]), width, height, near, rings), text, shade, size


def _write_labels(axes: Axes, view: View, wanted: Sequence[tuple[Label, str, str, float]],
                  places: Sequence[Place | None]) -> None:
    """Texts with a white rim; a thin line to the point of those that lie farther off.

    The rim is drawn apart: a text with an effect would go into a PDF as outlines, which nobody can search or copy.
    """
    from matplotlib.patheffects import Stroke

    metres = view.scale / 1000.0
    west, south = view.bounds[:2]
    leads = []
    for (label, text, shade, size), place in zip(wanted, places, strict=True):
        if place is None:
            continue
        look: dict[str, Any] = {"fontsize": size, "ha": "center", "va": "center", "parse_math": False, "clip_on": True}
        x, y = west + place.x * metres, south + place.y * metres
        rim = [Stroke(linewidth=1.5, foreground="white")]
        axes.text(x, y, text, color="white", zorder=20, path_effects=rim, **look)
        axes.text(x, y, text, color=shade, zorder=21, **look)
        if place.led:
            edge = (np.clip(label.x, place.x - label.width / 2, place.x + label.width / 2),
                    np.clip(label.y, place.y - label.height / 2, place.y + label.height / 2))
            leads.append(np.array([[west + label.x * metres, south + label.y * metres],
                                   [west + edge[0] * metres, south + edge[1] * metres]]))
    put_outlines(axes, leads, 0.1, colour("ink"), 17)
