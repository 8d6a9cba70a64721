"""Marks of sites and verdicts on the map and in its legend; the scale bar and the arrow to the north."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from siteplan.sheets._areas import text_of
from siteplan.sheets._page import Page, put_rect, put_text
from siteplan.sheets._style import colour
from siteplan.sheets._view import View, lines_of, part_of, put_outlines
from siteplan.sheets.content import SheetContent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 17.0
"""Area of a mark in square points."""
VERDICTS = ("pass", "fail", "not_assessable")
_DRAWN = (("gap", "gaps", False), ("zone", "zones", True), ("restricted", "restricted", False),
          ("road", "roads", False), ("rail", "rail", False), ("water", "water", False),
          ("boundary", "boundary", True), ("county", "counties", True), ("town", "towns", True),
          ("unit", "units", True), ("village", "villages", True))
"""Sign of the legend, its layer, whether only the outlines of it are drawn."""


def mark_radius(mark: float) -> float:
    """Half of a mark's width, mm."""
    return 0.95 * mark


def put_mark(axes: Axes, x: Any, y: Any, kind: str, mark: float) -> None:
    """Marks of one kind: ``proposed_macro, proposed_micro, existing, village_<verdict>, zone_<verdict>``."""
    group, _, verdict = kind.partition("_")
    look: dict[str, Any] = {"clip_on": True}
    if group in ("village", "zone"):
        shape, size, order = ("o", SIZE * 1.25, 14.0) if group == "village" else ("s", SIZE * 1.0, 13.0)
        axes.scatter(x, y, s=size * mark**2, marker=shape, c=colour(verdict), linewidths=0.5 * mark, zorder=order,
                     edgecolors="white" if group == "village" else colour("zone"), **look)
        axes.scatter(x, y, s=size * 0.4 * mark**2, marker=_sign(verdict), facecolors="none", edgecolors="white",
                     linewidths=0.75 * mark, zorder=order + 0.1, **look)
        return
    shape, face, rim, size, order = {
        "proposed_macro": ("^", colour("proposed"), "white", SIZE * 1.55, 16.0),
        "proposed_micro": ("D", colour("proposed"), "white", SIZE * 0.75, 16.0),
    }.get(kind, ("^", colour("existing"), colour("existing_edge"), SIZE * 0.95, 15.0))
    axes.scatter(x, y, s=size * mark**2, marker=shape, c=face, edgecolors=rim, linewidths=0.55 * mark, zorder=order,
                 **look)


def _sign(verdict: str) -> Any:
    """A tick, a cross or a bar: verdicts stay readable in black and white."""
    from matplotlib.path import Path

    strokes = {"pass": [[(-1.0, 0.0), (-0.25, -0.8), (1.0, 0.9)]],
               "fail": [[(-0.8, -0.8), (0.8, 0.8)], [(-0.8, 0.8), (0.8, -0.8)]]
               }.get(verdict, [[(-1.0, 0.0), (1.0, 0.0)]])
    return Path.make_compound_path(*(Path(np.array(stroke)) for stroke in strokes))


def draw_sites(axes: Axes, sites: gpd.GeoDataFrame, mark: float) -> None:
    """Sites by status and kind."""
    if sites.empty:
        return
    status = sites["status"].astype(str).to_numpy()
    micro = sites["kind_key"].astype(str).to_numpy() == "micro"
    x, y = sites.geometry.x.to_numpy(), sites.geometry.y.to_numpy()
    for kind, chosen in (("existing", status == "existing"), ("proposed_macro", (status == "proposed") & ~micro),
                         ("proposed_micro", (status == "proposed") & micro)):
        if chosen.any():
            put_mark(axes, x[chosen], y[chosen], kind, mark)


def draw_verdicts(axes: Axes, table: gpd.GeoDataFrame, view: View, mark: float, *, zones: bool,
                  ) -> list[tuple[NDArray[np.float64], str]]:
    """Marks of villages or zones by their verdict after the plan; where they stand on paper, and their names.

    Zones are outlined as well.
    """
    if table.empty or "verdict_after" not in table:
        return []
    if zones:
        put_outlines(axes, lines_of(table, view, outlines=True), 0.35 * mark, colour("zone"), 8.5)
    there, points = seen_points(table, view)
    names = table["name"].to_numpy()[there]
    verdicts = np.array([text_of(word) for word in table["verdict_after"].to_numpy()[there]], object)
    x, y = shapely.get_x(points), shapely.get_y(points)
    for verdict in VERDICTS:
        these = verdicts == verdict
        if these.any():
            put_mark(axes, x[these], y[these], f"{'zone' if zones else 'village'}_{verdict}", mark)
    return list(zip(view.on_paper(x, y), names, strict=True))


def seen_points(table: gpd.GeoDataFrame, view: View) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Rows of a layer whose mark lies in the view, and the points of the marks."""
    box, shapes = shapely.box(*view.bounds), table.geometry.to_numpy()
    there = np.flatnonzero(shapely.intersects(shapely.make_valid(shapes), box))
    points = shapely.point_on_surface(shapes[there])
    seen = shapely.intersects(points, box)
    return there[seen], points[seen]


def drawn_signs(content: SheetContent, sites: gpd.GeoDataFrame, view: View) -> list[str]:
    """Signs of the legend that a view holds something of, in their order."""
    here = part_of(sites, view)
    status = here["status"].astype(str) if len(here) else []
    micro = (here["kind_key"].astype(str) == "micro") if len(here) else []
    pairs = set(zip(status, micro, strict=True))
    out = [f"proposed_{'micro' if small else 'macro'}" for small in (False, True) if ("proposed", small) in pairs]
    out += ["existing"] * any(state == "existing" for state, _ in pairs)
    for sign, layer in (("village", "villages"), ("zone", "zones")):
        table = part_of(content.table(layer), view)
        if "verdict_after" in table:
            found = {text_of(word) for word in table["verdict_after"].to_numpy()[seen_points(table, view)[0]]}
            out += [f"{sign}_{verdict}" for verdict in VERDICTS if verdict in found]
    box = shapely.box(*view.bounds)
    for sign, layer, outlined in _DRAWN:
        shapes = part_of(content.table(layer), view).geometry.to_numpy()
        shapes = shapely.boundary(shapes) if outlined else shapes
        out += [sign] * bool(shapely.intersects(shapes, box).any())
    return out


def put_scale_bar(page: Page, middle: float, bottom: float, scale: int, longest_mm: float, *,
                  named: bool = True) -> None:
    """A bar in four parts of a round length and its numbers; ``named``: 1:N beside it."""
    best = max((step * power for power in 10.0 ** np.arange(0, 7) for step in (1.0, 2.0, 5.0)
                if step * power * 4000.0 / scale <= longest_mm), default=1.0)
    part = best * 1000.0 / scale
    size, left, high = page.style.paper.text * 0.9, middle - 2.0 * part, 1.1
    unit, by = ("kilometres", 1000.0) if best * 4 >= 2000.0 else ("metres", 1.0)
    for number in range(4):
        face = "black" if number % 2 == 0 else "white"
        put_rect(page, (left + number * part, bottom, part, high), face, "black", 0.4)
    for number in range(5):
        text = f"{number * best / by:g}"
        put_text(page, left + number * part, bottom + high + 1.6, text, size, ha="center")
    put_text(page, left + 4 * part + 2.4, bottom + high + 1.6, page.style.word(unit), size)
    put_text(page, left - 3.0, bottom + 1.2, f"1:{scale:,}" * named, page.style.paper.heading * 1.15, ha="right")


def put_north(page: Page, right: float, top: float, mark: float) -> tuple[float, float, float, float]:
    """A white box with an arrow to the grid's north; returns the box."""
    from matplotlib.patches import Polygon

    wide, high = 9.0 * mark, 13.5 * mark
    left, bottom = right - wide, top - high
    axes = page.figure.add_axes((0.0, 0.0, 1.0, 1.0), zorder=5)
    axes.set(xlim=page.axes.get_xlim(), ylim=page.axes.get_ylim())
    axes.set_axis_off()
    above = Page(page.figure, axes, page.style, page.cut)
    put_rect(above, (left, bottom, wide, high), "white", colour("ink"), 0.5)
    x, tip, foot = left + wide / 2.0, top - 3.9 * mark, bottom + 3.2 * mark
    notch = foot + 1.6 * mark
    axes.add_patch(Polygon([(x, tip), (x - 2.1 * mark, foot), (x, notch)], facecolor="black", edgecolor="black",
                           linewidth=0.5))
    axes.add_patch(Polygon([(x, tip), (x + 2.1 * mark, foot), (x, notch)], facecolor="white", edgecolor="black",
                           linewidth=0.5))
    put_text(above, x, top - 2.3 * mark, page.style.word("north"), page.style.paper.heading, ha="center")
    put_text(above, x, bottom + 1.6 * mark, page.style.word("grid_north"), page.style.paper.text * 0.75, ha="center",
             color=colour("soft"), width=wide - 1.0)
    return left, bottom, wide, high
