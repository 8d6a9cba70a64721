"""Coverage as classed colours, the same as those of plots and the review map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siteplan.maps._classes import NO_SIGNAL, ClassScale, chance_scale, signal_scale
from siteplan.sheets._style import Style, colour
from siteplan.sheets.content import Bounds, SheetContent, State, What, read_window

PALE = 0.58
"""Colours are mixed with white so far that lines and texts stay readable on them."""


@dataclass(frozen=True)
class Scale:
    """Classes of a picture: ``legend`` of (colour, text), the first for no data, the second for no signal."""

    edges: tuple[float, ...]
    legend: tuple[tuple[str, str], ...]
    heading: str


def scale_of(content: SheetContent, what: What, style: Style) -> Scale:
    """Edges, pale colours and words of the classes."""
    scale = _class_scale(content, what)
    zh = style.language == "zh"
    classes = zip(scale.colours, scale.words, strict=True)
    legend = ((colour("no_data"), style.word("no_data")), (pale(NO_SIGNAL[0]), style.word("no_signal")),
              *((pale(shade), words[zh]) for shade, words in classes))
    heading = f"{style.word(what)},{style.word('threshold')} {content.threshold_dbm:g} dBm"
    return Scale(scale.edges, legend, heading)


def _class_scale(content: SheetContent, what: What) -> ClassScale:
    """Classes of the review map."""
    return (chance_scale(("", ""), content.threshold_dbm, False) if what == "probability"
            else signal_scale(content.threshold_dbm))


def pale(shade: str) -> str:
    """A colour mixed with white.

    >>> pale("#ffffff")
    '#ffffff'
    """
    parts = [int(shade[at:at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - PALE * (255 - part)):02x}" for part in parts)


def picture(content: SheetContent, state: State, what: What, bounds: Bounds, most: int,
            ) -> tuple[NDArray[np.uint8], Bounds] | None:
    """Classes of a window: 0 no data, 1 no signal, then those of the scale; None outside of the grid."""
    got = read_window(content, content.coverage[state, what], bounds, most)
    if got is None:
        return None
    values, place = got
    chance = values
    if what == "rsrp":
        read = read_window(content, content.coverage[state, "probability"], bounds, most)
        chance = values if read is None else read[0]
    edges = _class_scale(content, what).edges
    out = (np.digitize(np.nan_to_num(values), edges) + 2).astype(np.uint8)
    out[np.isnan(values) if what == "rsrp" else values == 0.0] = 1
    out[np.isnan(chance)] = 0
    return out, place


def colours_of(classes: NDArray[np.uint8], scale: Scale) -> NDArray[np.uint8]:
    """Classes as RGB (row, col, 3)."""
    palette = np.array([[int(shade[at:at + 2], 16) for at in (1, 3, 5)] for shade, _ in scale.legend], np.uint8)
    return palette[classes]
