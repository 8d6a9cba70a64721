"""How the states of sites look on maps of progress: colour, mark and word; the same on the page and on paper."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StateLook:
    """Look of one state: word, colour, mark (as matplotlib names it), rank: high ones lie on top of others."""

    state: str
    zh: str
    colour: str
    mark: str
    rank: int


STATE_LOOKS = (
    StateLook("on_air", "已开通", "#1b8a3c", "^", 4), StateLook("building", "在建", "#e07b00", "s", 5),
    StateLook("approved", "已批准", "#1f6fc4", "D", 3), StateLook("ready", "具备条件", "#5aa9d6", "o", 2),
    StateLook("reserve", "储备", "#8a8f98", "o", 1), StateLook("blocked", "受阻", "#d4001a", "X", 6),
    StateLook("withdrawn", "已撤销", "#b7a6a6", "x", 0))
"""States in the order of the legend."""
