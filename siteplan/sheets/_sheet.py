"""One sheet put together: map, inset, legend, tables, notices, title block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pyproj
import shapely

from siteplan.crs import crs_zh
from siteplan.gaps import load_rules
from siteplan.params import TitleParams
from siteplan.sheets._areas import Area, text_of, villages_in, zones_in
from siteplan.sheets._classes import Scale
from siteplan.sheets._map import (
    draw_base,
    draw_coverage,
    draw_focus,
    draw_gaps,
    draw_grid,
    draw_places,
    map_axes,
)
from siteplan.sheets._marks import drawn_signs, put_mark, put_north, put_scale_bar
from siteplan.sheets._page import (
    PAD,
    Column,
    Page,
    new_page,
    put_heading,
    put_lines,
    put_paragraph,
    put_rect,
    put_text,
    put_title_block,
    wrap_text,
)
from siteplan.sheets._style import MM_PER_POINT, Style, chinese_part, colour
from siteplan.sheets._view import View, lines_of, put_outlines, view_of
from siteplan.sheets.content import SheetContent, What

SITE_COLUMNS = (("number", 0.12, "c"), ("name", 0.34, "l"), ("kind", 0.2, "c"), ("height", 0.1, "r"),
                ("owner", 0.28, "l"))


@dataclass(frozen=True)
class Sheet:
    """What all sheets of an atlas share: the plan, how it is set and what the title block says."""

    content: SheetContent
    style: Style
    what: What
    scale: Scale
    sites: gpd.GeoDataFrame
    total: int
    title: TitleParams

    def word(self, key: str, **values: Any) -> str:
        """A text in the language of the sheets."""
        return self.style.word(key, **values)


def title_of(facts: Mapping[str, Any]) -> TitleParams:
    """What the study says of the title block; its name stands in for the project's."""
    given = dict(facts.get("parameters", {}).get("deliver", {}).get("title", {}))
    known = {key: value for key, value in given.items() if key in TitleParams.model_fields}
    title = TitleParams(**known)
    name = str(facts.get("study", {}).get("name", ""))[:120]
    return title if title.project else title.model_copy(update={"project": name})


def crs_text(content: SheetContent, language: str) -> str:
    """Name of the CRS in words: ``CGCS2000 3度带 中央子午线114°(EPSG:4547)``."""
    named = str(content.facts.get("study", {}).get("crs", "")) or str(content.geobox.crs)
    try:
        crs = pyproj.CRS(named)
    except pyproj.exceptions.CRSError:
        return named
    code = f"EPSG:{crs.to_epsg()}" if crs.to_epsg() else ""
    return f"{crs.name if language == 'en' else crs_zh(crs)} {code}".strip()


def begin_page(sheet: Sheet, title: str) -> Page:
    """A page with its frame and the title above the map."""
    page = new_page(sheet.style)
    paper = sheet.style.paper
    left, bottom, width, height = paper.frame
    put_rect(page, (left, bottom, width, height), "none", colour("ink"), 1.2)
    put_rect(page, (1.0, 1.0, paper.width - 2.0, paper.height - 2.0), "none", colour("faint"), 0.3)
    middle = left + (width - paper.column) / 2.0
    put_text(page, middle, bottom + height - paper.title / 2.0 + 0.5, title, paper.top, ha="center",
             width=width - paper.column - 8.0)
    return page


def draw_map(sheet: Sheet, page: Page, view: View, shape: Any, headings: Sequence[tuple[Any, str]] = ()) -> None:
    """The map with its grid, scale bar and arrow; how many sites and names found no room is said under it."""
    mark, paper = sheet.style.paper.mark, sheet.style.paper
    axes = map_axes(page, view)
    draw_coverage(axes, sheet.content, "after", sheet.what, view, sheet.scale)
    draw_gaps(axes, sheet.content, view, mark)
    draw_base(axes, sheet.content, view, mark)
    if shape is not None:
        draw_focus(axes, shape, view, mark)
    draw_grid(page, axes, view)
    left, bottom, width, height = view.frame
    arrow = put_north(page, left + width - 1.5, bottom + height - 1.5, mark)
    taken = [(arrow[0] - left, arrow[1] - bottom, arrow[0] - left + arrow[2], arrow[1] - bottom + arrow[3])]
    sites, names = draw_places(page, axes, sheet.content, view, sheet.sites, taken, headings)
    foot = paper.edge + paper.foot * 0.42
    put_scale_bar(page, left + width / 2.0, foot - 0.6, view.scale, width * 0.35)
    put_text(page, left + width, foot, sheet.word("axis"), paper.text * 0.85, ha="right", color=colour("soft"))
    told = [sheet.word("unlabelled", n=sites)] * bool(sites) + [sheet.word("unnamed", n=names)] * bool(names)
    if told:
        put_text(page, left, foot, ";".join(told), paper.text * 0.85, color=colour("notice"), width=width * 0.26)


def column_box(style: Style) -> tuple[float, float, float]:
    """Left, top and width of the column of tables."""
    left, bottom, width, height = style.paper.frame
    return left + width - style.paper.column + 1.5, bottom + height - 1.5, style.paper.column - 3.0


def put_inset(sheet: Sheet, page: Page, top: float, bounds: Sequence[float], shape: Any) -> float:
    """A small map of how things stood before; returns the place below it."""
    left, _, width = column_box(sheet.style)
    paper = sheet.style.paper
    below = put_heading(page, left, top, width, f"{sheet.word('before')} · {sheet.word(sheet.what).partition('(')[0]}")
    high = paper.inset - (top - below)
    span = max((bounds[2] - bounds[0]) / width, (bounds[3] - bounds[1]) / high) * 1.06 * 1000.0
    view = view_of(bounds, (left, below - high, width, high), int(span))
    axes = map_axes(page, view)
    draw_coverage(axes, sheet.content, "before", sheet.what, view, sheet.scale)
    for name, wide in (("towns", 0.12), ("boundary", 0.35)):
        put_outlines(axes, lines_of(sheet.content.table(name), view, outlines=True), wide * paper.mark, colour(name[:-1]
                     if name == "towns" else name), 7)
    here = sheet.sites[sheet.sites["status"].astype(str) == "existing"]
    if len(here):
        put_mark(axes, here.geometry.x.to_numpy(), here.geometry.y.to_numpy(), "existing", paper.mark * 0.55)
    if shape is not None:
        draw_focus(axes, shape, view, paper.mark * 0.7)
    return below - high - 1.2


def put_legend(sheet: Sheet, page: Page, top: float, entries: Sequence[str]) -> float:
    """Classes of the coverage in one row, then signs in columns; returns the place below it."""
    left, _, width = column_box(sheet.style)
    paper = sheet.style.paper
    size, row = paper.text * 0.95, paper.row
    top = put_heading(page, left, top, width, sheet.word("legend")) - 0.6
    put_text(page, left + PAD, top - row / 2.0, sheet.scale.heading, size, width=width - 2 * PAD)
    top -= row
    part = (width - 2 * PAD) / len(sheet.scale.legend)
    for number, (shade, text) in enumerate(sheet.scale.legend):
        at = left + PAD + number * part
        put_rect(page, (at, top - row * 0.72, part, row * 0.66), shade, colour("soft"), 0.25)
        put_text(page, at + part / 2.0, top - row * 1.2, text, size * 0.92, ha="center", width=part - 0.3)
    top -= row * 1.75
    across = _across(width)
    for number, kind in enumerate(entries):
        x, y = left + PAD + (number % across) * (width - PAD) / across, top - row * (number // across + 0.5)
        _put_sign(page, x, y, 7.0 * paper.mark, row * 0.55, kind)
        put_text(page, x + 7.0 * paper.mark + 1.2, y, sheet.word(kind), size,
                 width=(width - PAD) / across - 7.0 * paper.mark - 1.6)
    return top - row * -(-len(entries) // across) - 1.0


def legend_height(sheet: Sheet, entries: Sequence[str]) -> float:
    """Height of the legend, mm."""
    rows = -(-len(entries) // _across(column_box(sheet.style)[2]))
    return sheet.style.paper.row * (3.95 + rows) + 1.6


def _across(width: float) -> int:
    """Columns of signs in a legend of a width."""
    return 3 if width < 140.0 else 5


def legend_entries(sheet: Sheet, view: View, focused: bool = False) -> list[str]:
    """Signs that the map of a view has something of; ``focused``: an area of it is outlined."""
    return ["focus"] * focused + drawn_signs(sheet.content, sheet.sites, view)


def _put_sign(page: Page, x: float, y: float, wide: float, high: float, kind: str) -> None:
    """The sign of a legend entry in a box ``wide`` by ``high`` mm, from ``x``, around ``y``."""
    from matplotlib.patches import Rectangle

    mark, middle = page.style.paper.mark, x + wide / 2.0
    dashes = {"county": (8, 1.8, 1.4, 1.8, 1.4, 1.8), "town": (6, 1.6, 1.2, 1.6), "village": (2.2, 1.6)}
    widths = {"county": 0.42, "town": 0.28, "village": 0.14, "unit": 0.22, "boundary": 0.7}
    if kind == "gap":
        page.axes.add_patch(Rectangle((x, y - high / 2.0), wide, high, facecolor="none", edgecolor=colour("gap"),
                                      hatch="/////", linewidth=0.5 * mark))
    elif kind == "restricted":
        page.axes.add_patch(Rectangle((x, y - high / 2.0), wide, high, facecolor="none", edgecolor=colour(kind),
                                      linewidth=0.6, linestyle=(0, (1.5, 1.2))))
    elif kind == "zone":
        put_rect(page, (x, y - high / 2.0, wide, high), "none", colour("zone"), 0.35 * mark / MM_PER_POINT)
    elif kind == "focus":
        put_lines(page, [[(x, y), (x + wide, y)]], 0.6 * mark / MM_PER_POINT, colour("ink"))
    elif kind == "water":
        put_rect(page, (x, y - high / 2.0, wide, high), colour("water"), colour("water_edge"), 0.3)
    elif kind == "road":
        line = [[(x, y), (x + wide, y)]]
        put_lines(page, line, 0.71 * mark / MM_PER_POINT, colour("road_edge"))
        put_lines(page, line, 0.55 * mark / MM_PER_POINT, colour("road"))
    elif kind == "rail":
        line = [[(x, y), (x + wide, y)]]
        put_lines(page, line, 0.55 * mark / MM_PER_POINT, colour("rail"))
        put_lines(page, line, 0.35 * mark / MM_PER_POINT, "white", linestyles=[(0, (4, 4))])
    elif kind in widths:
        look = {"linestyles": [(0, dashes[kind])]} if kind in dashes else {}
        put_lines(page, [[(x, y), (x + wide, y)]], widths[kind] * mark / MM_PER_POINT, colour(kind), **look)
    else:
        put_mark(page.axes, [middle], [y], kind, mark)


def put_block(sheet: Sheet, page: Page, drawing: str, number: int, scale: str) -> float:
    """The title block at the lower right; returns its upper edge."""
    left, _, width = column_box(sheet.style)
    style, title, facts = sheet.style, sheet.title, sheet.content.facts
    study = facts.get("study", {})
    day = facts.get("parameters", {}).get("study", {}).get("as_of") or sheet.word("none_given")
    no = " ".join(part for part in (style.plain(title.drawing_no), f"{number}/{sheet.total}") if part)
    approval = style.plain(study.get("map_approval_no", "")) or sheet.word("none_given")
    rows: list[list[tuple[str, str, float]]] = [
        [(sheet.word("project"), style.plain(title.project), 1.0)],
        [(sheet.word("drawing"), drawing, 1.0)],
        [(sheet.word("institute"), style.plain(title.institute), 1.0)],
        [(sheet.word("drawn"), style.plain(title.drawn_by), 1.0),
         (sheet.word("checked"), style.plain(title.checked_by), 1.0),
         (sheet.word("approved"), style.plain(title.approved_by), 1.0)],
        [(sheet.word("crs"), style.plain(crs_text(sheet.content, style.language)), 1.0)],
        [(sheet.word("heights"), sheet.word("heights_value"), 1.0), (sheet.word("scale"), scale, 1.0)],
        [(sheet.word("date"), style.plain(day), 1.0), (sheet.word("drawing_no"), no, 1.0)],
        [(sheet.word("approval"), approval, 1.0),
         (sheet.word("secrecy"), style.plain(title.secrecy) or sheet.word("none_given"), 1.0)],
    ]
    bottom, high = style.paper.edge + 1.5, style.paper.block_row * len(rows)
    put_title_block(page, (left, bottom, width, high), rows)
    return bottom + high


def put_notices(sheet: Sheet, page: Page, bottom: float, extra: Sequence[str]) -> float:
    """What must be said of the data, above the title block; returns the upper edge."""
    left, _, width = column_box(sheet.style)
    size = sheet.style.paper.text * 0.86
    said = [str(text) for text in sheet.content.facts.get("study", {}).get("notices", [])]
    said = said if sheet.style.language == "en" else [chinese_part(text) for text in said]
    texts = [sheet.style.plain(text) for text in (*said, *extra)]
    lines = [line for text in texts for line in wrap_text(sheet.style, text, size, width - 2 * PAD, 4)]
    high = size * MM_PER_POINT * 1.32
    top = bottom + 1.0 + high * len(lines) + 0.8
    place = top - 0.4
    for text in texts:
        place = put_paragraph(page, left + PAD, place, width - 2 * PAD, text, size=size, most=4, color=colour("notice"))
    return top


def rule_sentences(sheet: Sheet, area: Area | None) -> list[str]:
    """By what rules the verdicts and shares of a sheet were found."""
    rules = load_rules()
    told = {row.get("rule"): row.get("rule_zh") for row in sheet.content.facts.get("results", {}).get("rules", [])}
    after = sheet.content.facts.get("indicators", {}).get("after", {})
    for part in (after.get("villages", {}), *after.get("zones", {}).get("by_rule", [])):
        told.setdefault(part.get("rule"), part.get("rule_zh"))
    out = []
    for key, table in (("village_rule", sheet.content.table("villages") if area is None
                        else villages_in(sheet.content, area)),
                       ("zone_rule", sheet.content.table("zones") if area is None else zones_in(sheet.content, area))):
        if len(table) and "rule" in table:
            ids = sorted({text_of(rule) for rule in table["rule"]} - {""})
            names = [sheet.style.plain(told.get(rule) or (rules[rule].zh if rule in rules else rule)) for rule in ids]
            out.append(f"{sheet.word(key)}:{';'.join(names)}")
    threshold = f"{sheet.content.threshold_dbm:g}"
    return [*out, f"{sheet.word('share_rule')}:{sheet.word('share_meaning', threshold=threshold)}"]


def site_columns(sheet: Sheet) -> list[Column]:
    """Columns of the table of sites."""
    return [Column(sheet.word(name), share, align) for name, share, align in SITE_COLUMNS]


def shape_bounds(shape: Any) -> tuple[float, float, float, float]:
    """Bounds of a shape; a point or a line gets some room."""
    west, south, east, north = shapely.bounds(shape)
    return float(west), float(south), float(max(east, west + 1.0)), float(max(north, south + 1.0))
