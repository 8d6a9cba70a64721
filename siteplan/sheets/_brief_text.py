"""Texts of the brief: cut to a width, counted in lines, amounts and yes-or-no as the master spells them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from siteplan.export._word import plain_line
from siteplan.sheets._areas import text_of

_NUMBER, _LOSS = 5.0, 8.0
"""Columns that the number of a list takes, and that a line loses where a word does not fit its end."""


class Fitted(NamedTuple):
    """Sentences that fit a number of lines: those kept, the lines they take, how many are left out."""

    texts: list[str]
    lines: int
    left: int


def short(text: Any, width: float) -> str:
    """A text on one line of at most ``width`` columns; a cut one ends in ``…``.

    A wide letter takes two columns, others 1.25: where Word has no Chinese Latin letters, others are wider than half.

    Examples
    --------
    >>> short("站址规划", 8), short("站址规划图", 8), short(None, 8)
    ('站址规划', '站址规…', '')
    """
    line = plain_line(text_of(text))
    sizes = [_size(char) for char in line]
    if sum(sizes) <= width:
        return line
    room, kept = width - 2.0, 0
    for size in sizes:
        room -= size
        if room < 0.0:
            break
        kept += 1
    return line[:kept].rstrip() + "…"


def _size(char: str) -> float:
    return 2.0 if unicodedata.east_asian_width(char) in "WFA" else 1.25


def fitted(texts: Sequence[str], width: float, lines: int, each: int = 2) -> Fitted:
    """As many numbered sentences as fit a number of lines, none longer than ``each`` lines.

    Examples
    --------
    >>> fitted(["站址" * 8, "站址"], 30.0, 2)
    Fitted(texts=['站址站址站址站址站址站址站址站址'], lines=2, left=1)
    """
    kept: list[str] = []
    used = 0
    for text in texts:
        room = min(each, lines - used)
        if room <= 0:
            break
        shown = short(text, width - _NUMBER if room == 1 else room * (width - _LOSS) - _NUMBER)
        kept.append(shown)
        used += lines_of_text(shown, width)
    return Fitted(kept, used, len(texts) - len(kept))


def lines_of_text(text: str, width: float) -> int:
    """Lines that a numbered sentence takes at most."""
    wide = sum(_size(char) for char in text) + _NUMBER
    return 1 if wide <= width else int(-(-wide // (width - _LOSS)))


def is_yes(column: Any) -> pd.Series:
    """Yes and no as the master spells them."""
    return pd.Series(column).map(lambda value: text_of(value) in ("是", "True", "1", "1.0", "yes")).astype(bool)


def count_of(table: pd.DataFrame, name: str, words: Sequence[str]) -> int:
    """How many rows have one of the words in a column; 0 without it."""
    return int(table[name].map(text_of).isin(list(words)).sum()) if name in table else 0


def ten_thousands(yuan: Any) -> str:
    """Money in units of 10,000 yuan.

    >>> ten_thousands(385000)
    '38.5'
    """
    return f"{float(yuan) / 1e4:,.1f}"


def sum_of(table: pd.DataFrame, name: str) -> float:
    """Sum of a column; 0 without it."""
    return float(pd.to_numeric(table[name], errors="coerce").fillna(0.0).sum()) if name in table else 0.0
