"""Papers, colours and words of sheets, from ``tables/sheets.toml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from siteplan.errors import ExportError, Problem
from siteplan.fonts import Font, FontError, chinese_font, drawable, missing_letters
from siteplan.tables import read_table

Language = Literal["zh", "en"]
MM_PER_POINT = 25.4 / 72.0
_ENGLISH = re.compile(r"\s*\([a-z][a-z]*[,;]? [\x20-\x27\x2a-\x7e]*\)$|(?<=[。！])\s*[A-Z][a-z]* [\x20-\x7e]*$")
"""What follows a Chinese notice in English: words in brackets, or a sentence after the full stop."""


@dataclass(frozen=True)
class Paper:
    """A sheet of paper and what is set on it: lengths in mm, letters in points.

    ``left`` is the binding edge, ``column`` the width of the column of tables, ``title``, ``coordinates`` and ``foot``
    the strips around the map, ``mark`` the size of marks against those of A3.
    """

    name: str
    width: float
    height: float
    left: float
    edge: float
    column: float
    title: float
    coordinates: float
    foot: float
    inset: float
    row: float
    text: float
    heading: float
    top: float
    label: float
    block_row: float
    mark: float

    @property
    def frame(self) -> tuple[float, float, float, float]:
        """Left, bottom, width, height of the inner frame line."""
        return self.left, self.edge, self.width - self.left - self.edge, self.height - 2.0 * self.edge

    @property
    def map_frame(self) -> tuple[float, float, float, float]:
        """Left, bottom, width, height of the map."""
        left, bottom, width, height = self.frame
        rim = self.coordinates
        return (left + rim, bottom + self.foot + rim, width - self.column - 2.0 * rim,
                height - self.foot - self.title - 2.0 * rim)


@dataclass(frozen=True)
class Style:
    """How a sheet is set: paper, font, language; ``lacking`` collects the letters that the font lacks."""

    paper: Paper
    font: Font
    language: Language
    lacking: set[str] = field(default_factory=set)

    def word(self, key: str, **values: Any) -> str:
        """A text of the sheet in its language."""
        return str(read_table("sheets")["words"][key][self.language == "en"]).format(**values)

    def plain(self, text: Any) -> str:
        """A text of the data as it can be drawn, on one line."""
        line = "" if text is None or text != text else str(text)
        if lacking := missing_letters(line, self.font):
            self.lacking.update(lacking)
        return drawable(line, self.font)


def style_of(paper: str, named: str | None, language: str) -> Style:
    """Style of a paper's name.

    Raises
    ------
    ExportError
        Unknown paper or language, or no font with Chinese.
    """
    papers: Mapping[str, Any] = read_table("sheets")["papers"]
    problems = []
    if paper not in papers:
        problems.append(Problem("sheets", "", "", "paper", f"没有纸张 {paper}", "可用:A3、A4"))
    if language not in ("zh", "en"):
        problems.append(Problem("sheets", "", "", "language", f"没有语言 {language}", "可用:zh、en"))
    if problems:
        raise ExportError("图纸的选项不能使用:", problems)
    try:
        font = chinese_font(named)
    except FontError as error:
        raise ExportError("图纸没有可用的中文字体:", [Problem("sheets", "", error.asked, "font", error.reason, error.remedy)]
                          ) from error
    return Style(Paper(paper, **papers[paper]), font, "en" if language == "en" else "zh")


def chinese_part(text: str) -> str:
    """A notice without its English translation; whole where it has none.

    Examples
    --------
    >>> chinese_part("合成数据,仅供演示(synthetic data)"), chinese_part("均为虚构。Synthetic data: invented.")
    ('合成数据,仅供演示', '均为虚构。')
    >>> chinese_part("坐标系(EPSG:4547)"), chinese_part("No survey yet")
    ('坐标系(EPSG:4547)', 'No survey yet')
    """
    return _ENGLISH.sub("", text.strip()) or text


def drawing_settings(style: Style) -> Any:
    """Settings of matplotlib while sheets are drawn: a context, so that those of the caller stay as they are.

    Fonts go into a PDF as Type 3: outlines of OpenType (CFF), as those of Noto Sans CJK, are embedded with the wrong
    kind as Type 42. Texts stay text either way: they can be searched and copied. Letters are not fitted to pixels, so
    that a picture is as wide as the print.
    """
    import matplotlib as mpl

    settings: Any = {"font.family": [style.font.family, "DejaVu Sans"], "pdf.fonttype": 3, "pdf.compression": 6,
                     "hatch.linewidth": 0.35, "text.hinting": "no_hinting",
                     "savefig.facecolor": "white", "savefig.bbox": None, "path.simplify": True}
    return mpl.rc_context(settings)


def colour(name: str) -> str:
    """A colour of the sheets.

    >>> colour("boundary")
    '#000000'
    """
    return str(read_table("sheets")["colours"][name])


def road_width(road_class: Any) -> float:
    """Width of a road on paper, mm, by its class.

    >>> road_width("高速公路") > road_width("村道")
    True
    """
    text = "" if road_class is None or road_class != road_class else str(road_class).lower()
    return float(next(entry["width"] for entry in read_table("sheets")["roads"]
                      if any(word in text for word in entry["words"])))


def map_scale(width_m: float, height_m: float, frame_mm: tuple[float, float], pixel_m: float) -> int:
    """The largest round scale, 1:N, under which a rectangle fits a frame.

    A pixel of the coverage stays small on paper (``pixel_mm``): the map promises no more than was computed.

    Examples
    --------
    >>> map_scale(2000.0, 1000.0, (250.0, 250.0), 10.0)
    10000
    >>> map_scale(20.0, 10.0, (250.0, 250.0), 10.0)
    5000
    """
    table = read_table("sheets")
    least = max(1000.0 * width_m / frame_mm[0], 1000.0 * height_m / frame_mm[1], 1000.0 * pixel_m / table["pixel_mm"])
    return int(next((scale for scale in table["scales"] if scale >= least), 0) or -(-least // 1_000_000) * 1_000_000)


def grid_step(scale: int) -> float:
    """Distance of the grid lines of a map, m.

    >>> grid_step(10000), grid_step(50000)
    (500.0, 2000.0)
    """
    table = read_table("sheets")
    return float(next((step for step in table["grid_m"] if 1000.0 * step / scale >= table["grid_mm"]),
                      table["grid_m"][-1]))
