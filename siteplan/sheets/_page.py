"""A page in millimetres: texts that stay in their boxes, rules, tables, the title block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from siteplan.fonts import letter_width, text_width
from siteplan.sheets._style import MM_PER_POINT, Style, colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST = 0.78
"""Letters are made smaller by at most this before a text is cut."""
PAD = 1.0
"""Between a text and the rule of its cell, mm."""
_CLOSING = "，。；：、）》”！？,.;:)]}%·…"


@dataclass(frozen=True)
class Page:
    """One page: ``axes`` covers it and counts mm from its lower left corner; ``cut`` holds texts that were cut."""

    figure: Figure
    axes: Axes
    style: Style
    cut: list[str]


class Column(NamedTuple):
    """A column of a table: heading, share of the width, alignment (l, c, r)."""

    heading: str
    share: float
    align: str = "l"


def new_page(style: Style) -> Page:
    """An empty page of the paper."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    paper = style.paper
    figure = Figure(figsize=(paper.width / 25.4, paper.height / 25.4), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), zorder=-1)
    axes.set(xlim=(0.0, paper.width), ylim=(0.0, paper.height))
    axes.set_axis_off()
    return Page(figure, axes, style, [])


def fit_text(style: Style, text: str, size: float, width_mm: float) -> tuple[str, float, bool]:
    """A text that fits a width: smaller letters first, then cut with ``…``; whether it was cut."""
    length = text_width(text, style.font) * MM_PER_POINT
    if length * size <= width_mm:
        return text, size, False
    small = max(size * LEAST, min(size, width_mm / length))
    if length * small <= width_mm * 1.0001:
        return text, small, False
    room, kept = width_mm / (small * MM_PER_POINT) - text_width("…", style.font), ""
    for char in text:
        room -= letter_width(char, style.font)
        if room < 0.0:
            break
        kept += char
    return kept.rstrip() + "…", small, True


def wrap_text(style: Style, text: str, size: float, width_mm: float, most: int | None = None) -> list[str]:
    """Lines of at most a width; the last of ``most`` lines ends in ``…`` where there is more."""
    lines, line, room = [], "", width_mm / (size * MM_PER_POINT)
    left = room
    for piece in _pieces(text):
        length = text_width(piece, style.font)
        if length > left and line:
            lines.append(line.rstrip())
            line, left = "", room
            piece = piece.lstrip()
        line += piece
        left -= length
    lines.append(line.rstrip())
    lines = [part for whole in lines for part in _broken(style, whole, room)]
    if most is not None and len(lines) > most:
        last, _, _ = fit_text(style, lines[most - 1] + "　" * 99, size, width_mm)
        lines = [*lines[:most - 1], last.rstrip("…　 ") + "…"]
    return lines


def _pieces(text: str) -> Iterable[str]:
    """Parts that a line may be broken between: words with their blank, single wide letters."""
    word = ""
    for char in text:
        wide = ord(char) >= 0x2E80
        if word and char not in _CLOSING and (wide or ord(word[-1]) >= 0x2E80 or word[-1] == " "):
            yield word
            word = ""
        word += char
    yield word


def _broken(style: Style, line: str, room: float) -> list[str]:
    """A line in parts that fit: a word without blanks may be longer than a line."""
    out, part, left = [], "", room
    for char in line:
        length = letter_width(char, style.font)
        if length > left + 0.51 and part:
            out.append(part)
            part, left = "", room
        part += char
        left -= length
    return [*out, part]


def put_text(page: Page, x: float, y: float, text: str, size: float, **look: Any) -> None:
    """A text as it stands (no formulas) at a place; ``look``: ``ha, va, color, rotation, width`` (mm, to fit)."""
    width = look.pop("width", None)
    if not text:
        return
    if width is not None:
        shown, size, cut = fit_text(page.style, text, size, width)
        if cut:
            page.cut.append(text)
        text = shown
    look = {"va": "center", "ha": "left", "color": colour("ink"), **look}
    page.axes.text(x, y, text, fontsize=size, parse_math=False, **look)


def put_rect(page: Page, box: Sequence[float], face: str = "none", edge: str | None = None, width: float = 0.4) -> None:
    """A rectangle (left, bottom, width, height in mm); ``width`` of its line in points."""
    from matplotlib.patches import Rectangle

    page.axes.add_patch(Rectangle((box[0], box[1]), box[2], box[3], facecolor=face, linewidth=width if edge else 0.0,
                                  edgecolor=edge or "none", clip_on=False))


def put_lines(page: Page, segments: Sequence[Any], width: float = 0.35, color: str | None = None, **look: Any) -> None:
    """Lines between points in mm."""
    from matplotlib.collections import LineCollection

    page.axes.add_collection(LineCollection(list(segments), linewidths=width, colors=color or colour("ink"),
                                            clip_on=False, **look), autolim=False)


def put_heading(page: Page, left: float, top: float, width: float, text: str) -> float:
    """A bar with the heading of a block; returns the place below it."""
    high = page.style.paper.row * 1.2
    put_rect(page, (left, top - high, width, high), colour("head"), colour("soft"), 0.3)
    put_text(page, left + PAD, top - high / 2.0, text, page.style.paper.heading, width=width - 2 * PAD)
    return top - high


def put_table(page: Page, left: float, top: float, width: float, columns: Sequence[Column],
              rows: Sequence[Sequence[str]]) -> float:
    """A ruled table; returns the place below it. The last cell of a row that is short goes on to the right edge."""
    paper = page.style.paper
    high, size = paper.row, paper.text
    edges = [left]
    for column in columns:
        edges.append(edges[-1] + width * column.share / sum(each.share for each in columns))
    bottom = top - high * (len(rows) + 1)
    put_rect(page, (left, top - high, width, high), colour("head"))
    every: list[Sequence[str]] = [[column.heading for column in columns], *rows]
    rules = [[(left, top - high * step), (left + width, top - high * step)] for step in range(len(rows) + 2)]
    for number, row in enumerate(every):
        ends = [*edges[:len(row)], edges[-1]]
        rules += [[(edge, top - high * number), (edge, top - high * (number + 1))] for edge in ends]
        for at, text in enumerate(row):
            start, end = ends[at], ends[at + 1]
            align = "c" if number == 0 or (1 < len(row) < len(columns) and at == len(row) - 1) else columns[at].align
            align = "l" if len(row) == 1 < len(columns) else align
            x = {"l": start + PAD, "c": (start + end) / 2.0, "r": end - PAD}[align]
            put_text(page, x, top - high * (number + 0.5), text, size, width=end - start - 1.4 * PAD,
                     ha={"l": "left", "c": "center", "r": "right"}[align])
    put_lines(page, rules, 0.25, colour("soft"))
    return bottom


def put_paragraph(page: Page, left: float, top: float, width: float, text: str, **look: Any) -> float:
    """A text in lines below each other (``size``, ``most``, ``color``); returns the place below it."""
    size = look.pop("size", page.style.paper.text * 0.9)
    high = size * MM_PER_POINT * 1.32
    for line in wrap_text(page.style, text, size, width, look.pop("most", None)):
        put_text(page, left, top - high / 2.0, line, size, **look)
        top -= high
    return top


def put_title_block(page: Page, box: Sequence[float], rows: Sequence[Sequence[tuple[str, str, float]]]) -> None:
    """The title block (图签): rows of (label, value, share of the width), labels in small letters."""
    left, bottom, width, height = box
    high = height / len(rows)
    size = page.style.paper.text
    rules = []
    for number, row in enumerate(rows):
        top, start = bottom + height - number * high, left
        total = sum(share for _, _, share in row)
        for label, value, share in row:
            end = start + width * share / total
            tag = start + max(1.4 * PAD + text_width(label, page.style.font) * size * 0.92 * MM_PER_POINT, 8.0)
            put_rect(page, (start, top - high, tag - start, high), colour("head"))
            put_text(page, (start + tag) / 2.0, top - high / 2.0, label, size * 0.92, ha="center", color=colour("soft"))
            put_text(page, (tag + end) / 2.0, top - high / 2.0, value, size * 1.05, ha="center",
                     width=end - tag - 1.4 * PAD)
            rules += [[(start, top), (start, top - high)], [(tag, top), (tag, top - high)]]
            start = end
        rules.append([(left, top - high), (left + width, top - high)])
    put_lines(page, rules, 0.3)
    put_rect(page, box, "none", colour("ink"), 0.8)
