"""The atlas: an overview, then one sheet for every town or planning unit, as PDF and PNG."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import shapely

from siteplan.errors import ExportError, Problem
from siteplan.export._staging import write_files
from siteplan.fonts import missing_letters
from siteplan.sheets._areas import (
    Area,
    By,
    areas_of,
    indicator_rows,
    numbered_sites,
    site_rows,
    sites_in,
)
from siteplan.sheets._city import city_rows
from siteplan.sheets._classes import scale_of
from siteplan.sheets._page import (
    Column,
    Page,
    put_heading,
    put_paragraph,
    put_table,
    put_text,
)
from siteplan.sheets._sheet import (
    Sheet,
    begin_page,
    column_box,
    draw_map,
    legend_entries,
    put_block,
    put_inset,
    put_legend,
    put_notices,
    rule_sentences,
    shape_bounds,
    site_columns,
    title_of,
)
from siteplan.sheets._style import colour, drawing_settings, map_scale, style_of
from siteplan.sheets._view import View, view_of
from siteplan.sheets.content import SheetContent, What
from siteplan.tables import read_table

Format = Literal["pdf", "png"]
MARGIN = 1.06
"""An area fills at most its share of the map: 1 / MARGIN."""
Rows = list[list[str]]


@dataclass(frozen=True)
class Leaf:
    """One page that is to be drawn: of an area, the overview (no area), or tables that go on (``blocks``).

    ``more`` rows of the table follow on sheet ``at``; ``across``: tables side by side on the overview.
    """

    title: str
    area: Area | None = None
    rows: Rows = field(default_factory=list)
    columns: tuple[Column, ...] = ()
    more: int = 0
    at: int = 0
    across: int = 2
    blocks: tuple[tuple[tuple[Column, ...], Rows], ...] = ()


def write_atlas(content: SheetContent, out: Path, *, by: By = "town", paper: Literal["A3", "A4"] = "A3",
                what: What = "probability", formats: Sequence[Format] = ("pdf", "png"), language: str = "zh",
                only: Sequence[str] = ()) -> tuple[Path, ...]:
    """Write the atlas of a plan: one PDF of all sheets, and a PNG of each.

    Parameters
    ----------
    content : SheetContent
        From :func:`~siteplan.sheets.content_of_folder` or ``content_of_plan``.
    out : Path
        Folder; made when absent.
    by : {"town", "unit"}
        A sheet for every town or every planning unit.
    paper : {"A3", "A4"}
        Landscape, binding edge on the left.
    what : {"probability", "rsrp"}
        What the colours show.
    formats : sequence of {"pdf", "png"}
    language : {"zh", "en"}
        Of the sheets' own words; texts of the data stay as they are.
    only : sequence of str
        Codes or names of the areas that get a sheet; all when empty. The overview comes always.

    Returns
    -------
    tuple of Path
        The PDF, then the pictures in the order of their pages. Equal plans give equal bytes.

    Raises
    ------
    ExportError
        No such layer, paper, format or language; no font with Chinese; a file cannot be written or read back. Nothing
        is written then.

    Examples
    --------
    >>> paths = write_atlas(content, Path("sheets"), by="unit", paper="A4")  # doctest: +SKIP
    """
    _known_options(by, what, paper, formats)
    style = style_of(paper, content.font, language)
    sheet = Sheet(content, style, what, scale_of(content, what, style), numbered_sites(content, style), 0,
                  title_of(content.facts))
    leaves = _leaves(sheet, areas_of(content, by, only))
    sheet = replace(sheet, total=len(leaves))
    stem = f"atlas_{by}_{paper}"
    names = [f"{stem}.pdf"] * ("pdf" in formats)
    pictures = [f"{stem}_{number:03d}.png" for number in range(1, len(leaves) + 1)] * ("png" in formats)
    first = (names or pictures)[0]
    old = [f"{stem}_{'[0-9]' * digits}.png" for digits in (3, 4) if pictures]  # sheets of an earlier, longer atlas
    written = write_files(out, [(first, partial(_write, sheet, leaves, names, pictures))], old)
    return tuple(written[first].with_name(name) for name in (*names, *pictures))


def _known_options(by: str, what: str, paper: str, formats: Sequence[str]) -> None:
    """Raise ExportError with every option that there is none of."""
    asked = {"by": ((by,), ("town", "unit")), "what": ((what,), ("probability", "rsrp")),
             "paper": ((paper,), ("A3", "A4")), "formats": (tuple(formats), ("pdf", "png"))}
    problems = [Problem("sheets", "", "", name, f"不能用“{'、'.join(given)}”", f"可用:{'、'.join(known)}")
                for name, (given, known) in asked.items() if not given or set(given) - set(known)]
    if problems:
        raise ExportError("图纸的选项不能使用:", problems)


def _write(sheet: Sheet, leaves: Sequence[Leaf], names: Sequence[str], pictures: Sequence[str], draft: Path) -> None:
    """All files beside each other, then read back."""
    from matplotlib.backends.backend_pdf import PdfPages

    dpi = int(read_table("sheets")["dpi"])
    title = sheet.style.plain(sheet.title.project)
    with drawing_settings(sheet.style):
        facts = {"CreationDate": None, "Title": title}
        pdf: Any = PdfPages(draft.with_name(names[0]), metadata=facts) if names else None
        try:
            for number, page in enumerate(_pages(sheet, leaves)):
                if pdf is not None:
                    pdf.savefig(page.figure)
                if pictures:
                    page.figure.savefig(draft.with_name(pictures[number]), dpi=dpi, metadata={"Software": None})
        finally:
            if pdf is not None:
                pdf.close()
    if names:
        check_pdf(draft.with_name(names[0]), len(leaves))
    for name in pictures:
        _check_png(draft.with_name(name), sheet, dpi)


def check_pdf(path: Path, pages: int) -> None:
    """Raise ExportError unless a PDF of matplotlib is whole and has as many pages."""
    data = path.read_bytes()
    counts = re.findall(rb"/Count (\d+)", data)
    if not data.startswith(b"%PDF-") or not data.rstrip().endswith(b"%%EOF") or counts != [b"%d" % pages] \
            or len(re.findall(rb"/Type /Page\b", data)) != pages:
        raise ExportError(f"{path.name} 读回不完整:应有 {pages} 页")


def _check_png(path: Path, sheet: Sheet, dpi: int) -> None:
    from PIL import Image

    paper = sheet.style.paper
    with Image.open(path) as picture:
        picture.load()
        wanted = paper.width / 25.4 * dpi, paper.height / 25.4 * dpi
        if any(abs(has - size) > 1.0 for has, size in zip(picture.size, wanted, strict=True)):
            raise ExportError(f"{path.name} 读回的尺寸不对:{picture.size}")


def _leaves(sheet: Sheet, areas: Sequence[Area]) -> list[Leaf]:
    """All pages in order; tables that do not fit go on together on the last ones."""
    title, columns = sheet.word(f"title_{sheet.what}"), tuple(site_columns(sheet))
    found: list[Leaf] = []
    rest: list[tuple[int, Rows]] = []
    for number, area in enumerate(areas):
        rows = site_rows(sites_in(area, sheet.sites), sheet.style)
        kept = _room(sheet, area, len(rows))
        found.append(Leaf(f"{sheet.style.plain(area.name)}{title}", area, rows[:kept], columns, len(rows) - kept))
        if rows[kept:]:
            rest.append((number, rows[kept:]))
    index_columns = tuple(Column(sheet.word(key), share, align)
                          for key, share, align in (("sheet", 0.14, "c"), ("area", 0.52, "l"), ("scale", 0.3, "c")))
    index = [[str(number), sheet.style.plain(area.name), f"1:{_view(sheet, area).scale:,}"]
             for number, area in enumerate(areas, start=2)]
    room, side = _index_room(sheet, len(index))
    overview = Leaf(f"{sheet.style.plain(sheet.title.project)}{sheet.word('overview')}", None, index[:room],
                    index_columns, len(index) - room, across=side)
    high, across = _rows_of_page(sheet), BLOCKS[sheet.style.paper.name]
    blocks = [(index_columns, index[room:][at:at + high]) for at in range(0, len(index) - room, high)]
    starts: dict[int, int] = {}
    blocks += [(columns, part) for part in _flow(sheet, areas, rest, high, len(blocks), starts)]
    leaves = [replace(leaf, at=2 + len(areas) + block // across) if leaf.more else leaf
              for leaf, block in zip([overview, *found], (starts.get(at - 1, 0) for at in range(len(areas) + 1)),
                                    strict=True)]
    name = sheet.word("continued" if rest else "index_more")
    return leaves + [Leaf(name, blocks=tuple(blocks[at:at + across])) for at in range(0, len(blocks), across)]


def _flow(sheet: Sheet, areas: Sequence[Area], rest: Sequence[tuple[int, Rows]], high: int, before: int,
          starts: dict[int, int]) -> list[Rows]:
    """Rows of all areas that go on, below each other in blocks, the name of the area above its rows in every block.

    ``starts`` gets the number of the block, counted from ``before``, in which the rows of an area begin.
    """
    out: list[Rows] = []
    for number, rows in rest:
        area = sheet.style.plain(areas[number].name)
        head = [sheet.word("on_sheet", area=area, sheet=number + 2)]
        for row in rows:
            if not out or len(out[-1]) >= high or (number not in starts and len(out[-1]) > high - 2):
                out.append([])
            if number not in starts or not out[-1]:
                out[-1].append(head)
            starts.setdefault(number, before + len(out) - 1)
            out[-1].append(row)
    return out


BLOCKS: Mapping[str, int] = {"A3": 3, "A4": 2}
"""Tables side by side on a page that goes on."""


def _rows_of_page(sheet: Sheet) -> int:
    """How many rows a table of a page that goes on has."""
    paper = sheet.style.paper
    return int((paper.frame[3] - paper.title - 4.0 - paper.block_row * 8 - 24.0) / paper.row) - 1


def _pages(sheet: Sheet, leaves: Sequence[Leaf]) -> Iterator[Page]:
    """Pages one after the other: one is held in memory at a time."""
    for number, leaf in enumerate(leaves, start=1):
        if leaf.blocks:
            yield _table_page(sheet, leaf, number)
        elif leaf.area is not None:
            yield _area_page(sheet, leaf, number)
        else:
            yield _overview_page(sheet, leaf, number, leaves)


def _view(sheet: Sheet, area: Area | None) -> View:
    """View of an area, of the whole plan without one."""
    bounds = shape_bounds(area.shape) if area is not None else _whole(sheet)
    frame = sheet.style.paper.map_frame
    pixel = abs(float(sheet.content.geobox.affine.a))
    scale = map_scale((bounds[2] - bounds[0]) * MARGIN, (bounds[3] - bounds[1]) * MARGIN, (frame[2], frame[3]), pixel)
    return view_of(bounds, frame, scale)


def _whole(sheet: Sheet) -> tuple[float, float, float, float]:
    boundary = sheet.content.table("boundary")
    if len(boundary):
        west, south, east, north = boundary.total_bounds
        return float(west), float(south), float(east), float(north)
    box = sheet.content.geobox.boundingbox
    return float(box.left), float(box.bottom), float(box.right), float(box.top)


def _column(sheet: Sheet, page: Page, leaf: Leaf, number: int, top: float, scale: str) -> tuple[float, float]:
    """Legend, indicators, notices and title block; the upper and lower end of what is free between them."""
    left, _, width = column_box(sheet.style)
    view = _view(sheet, leaf.area)
    top = put_legend(sheet, page, top, legend_entries(sheet, view, leaf.area is not None))
    rows = city_rows(sheet) if leaf.area is None else indicator_rows(
        sheet.content, leaf.area, sites_in(leaf.area, sheet.sites), sheet.style)
    columns = [Column(sheet.word("indicator"), 0.44), Column(sheet.word("before").partition("(")[0], 0.24, "c"),
               Column(sheet.word("after"), 0.32, "c")]
    top = put_table(page, left, put_heading(page, left, top, width, sheet.word("indicators")), width, columns, rows)
    size = sheet.style.paper.text * 0.8
    top -= 0.4
    for sentence in rule_sentences(sheet, leaf.area):
        top = put_paragraph(page, left, top, width, sentence, size=size, most=3, color=colour("soft"))
    bottom = put_block(sheet, page, leaf.title, number, scale)
    extra = [] if leaf.area is not None else _lacking(sheet)
    return top - 0.8, put_notices(sheet, page, bottom, extra)


def _room(sheet: Sheet, area: Area, wanted: int) -> int:
    """How many rows of the table of sites fit on the sheet of an area; a row is left for what follows elsewhere."""
    page = begin_page(sheet, "")
    below = column_box(sheet.style)[1] - sheet.style.paper.inset - 1.2
    top, bottom = _column(sheet, page, Leaf("", area), 1, below, "1:1")
    row = sheet.style.paper.row
    fit = max(int((top - bottom - 0.5 - 2.2 * row) / row), 0)
    return wanted if wanted <= fit else max(fit - 1, 0)


def _index_room(sheet: Sheet, wanted: int) -> tuple[int, int]:
    """How many index rows fit on the overview, in how many tables side by side; a row is left for what follows."""
    page = begin_page(sheet, "")
    top, bottom = _column(sheet, page, Leaf(""), 1, column_box(sheet.style)[1], "1:1")
    fit = max(int((top - bottom - 0.5 - 2.2 * sheet.style.paper.row) / sheet.style.paper.row), 0)
    across = 2 if wanted <= 2 * fit else 3
    return (wanted, across) if wanted <= across * fit else (across * max(fit - 1, 0), across)


def _area_page(sheet: Sheet, leaf: Leaf, number: int) -> Page:
    area = leaf.area
    if area is None:
        raise ExportError("图纸没有范围")
    page, view = begin_page(sheet, leaf.title), _view(sheet, area)
    draw_map(sheet, page, view, area.shape)
    left, top, width = column_box(sheet.style)
    top = put_inset(sheet, page, top, shape_bounds(area.shape), area.shape)
    top, _ = _column(sheet, page, leaf, number, top, f"1:{view.scale:,}")
    top = put_heading(page, left, top, width, sheet.word("sites"))
    rows, more = leaf.rows, leaf.more
    if rows:
        top = put_table(page, left, top, width, leaf.columns, rows)
    told = [sheet.word("more_sites", n=more, sheet=leaf.at)] if more else []
    told += [sheet.word("no_sites")] if not rows and not more else []
    told += [sheet.word("cut")] if page.cut else []
    if told:
        high = sheet.style.paper.row
        put_text(page, left + 1.0, top - high / 2.0, ";".join(told), sheet.style.paper.text * 0.9, color=colour("soft"),
                 width=width - 2.0)
    return page


def _overview_page(sheet: Sheet, leaf: Leaf, number: int, leaves: Sequence[Leaf]) -> Page:
    page, view = begin_page(sheet, leaf.title), _view(sheet, None)
    headings = [(shapely.point_on_surface(each.area.shape), f"{at} {each.area.name}")
                for at, each in enumerate(leaves, start=1) if each.area is not None]
    boundary = sheet.content.table("boundary")
    draw_map(sheet, page, view, shapely.union_all(boundary.geometry.to_numpy()) if len(boundary) else None, headings)
    left, top, width = column_box(sheet.style)
    top, _ = _column(sheet, page, leaf, number, top, f"1:{view.scale:,}")
    top = put_heading(page, left, top, width, sheet.word("overview"))
    high, part, below = max(-(-len(leaf.rows) // leaf.across), 1), width / leaf.across, top
    for at in range(0, len(leaf.rows), high):
        below = min(below, put_table(page, left + at // high * part, top, part - 0.5, leaf.columns,
                                     leaf.rows[at:at + high]))
    if leaf.more:
        put_text(page, left + 1.0, below - sheet.style.paper.row / 2.0,
                 sheet.word("more_index", n=leaf.more, sheet=leaf.at),
                 sheet.style.paper.text * 0.9, color=colour("soft"), width=width - 2.0)
    return page


def _table_page(sheet: Sheet, leaf: Leaf, number: int) -> Page:
    """A page of tables side by side, with the title block."""
    page, paper = begin_page(sheet, leaf.title), sheet.style.paper
    left, bottom, width, height = paper.frame
    across = BLOCKS[paper.name]
    part = (width - 8.0) / across
    for at, (columns, rows) in enumerate(leaf.blocks):
        put_table(page, left + 3.0 + at * (part + 1.0), bottom + height - paper.title - 1.0, part, columns, rows)
    put_notices(sheet, page, put_block(sheet, page, leaf.title, number, "—"), [sheet.word("cut")] if page.cut else [])
    return page


def _lacking(sheet: Sheet) -> list[str]:
    """The letters of the plan's names that the font lacks."""
    texts: list[str] = []
    for name, columns in (("all_sites", ("name", "owner")), ("villages", ("name",)), ("zones", ("name",)),
                          ("towns", ("name",)), ("units", ("name",))):
        table = sheet.sites if name == "all_sites" else sheet.content.table(name)
        for column in columns:
            texts += [str(text) for text in table[column].dropna()] if column in table else []
    letters = missing_letters(texts, sheet.style.font)
    shown = "、".join(f"U+{ord(letter):04X}" for letter in letters[:12]) + ("…" if len(letters) > 12 else "")
    return [sheet.word("missing", letters=shown)] if letters else []
