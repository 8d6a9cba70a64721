"""Places for labels on a map, so that none lies on another, on a mark or over the frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_TURNS = np.radians([45.0, 0.0, -45.0, 135.0, 180.0, -135.0, 90.0, -90.0, 22.5, -22.5, 67.5, -67.5, 157.5, -157.5,
                     112.5, -112.5])
_RINGS = (0.0, 1.2, 2.6, 4.5, 7.0, 10.0, 14.0)
"""How much farther away a label is tried, mm."""


class Label(NamedTuple):
    """A text that wants a place beside a point; lengths in mm.

    ``near``: distance between the point and the nearest edge of the text; ``rings``: how many distances are tried.
    """

    x: float
    y: float
    width: float
    height: float
    near: float
    rings: int = len(_RINGS)


class Place(NamedTuple):
    """Middle of a label, and whether it lies so far off that a line leads to its point."""

    x: float
    y: float
    led: bool


def place_labels(labels: Sequence[Label], size: tuple[float, float], taken: NDArray[np.float64]) -> list[Place | None]:
    """A place for every label in turn, the first that is free; None where there is none.

    Parameters
    ----------
    labels : sequence of Label
        The important ones first.
    size : tuple of float
        Width and height of the map, mm.
    taken : ndarray (n, 4)
        Boxes that must stay free: left, bottom, right, top, mm.

    Examples
    --------
    >>> one = Label(10.0, 10.0, 4.0, 2.0, 1.0)
    >>> first, second = place_labels([one, one], (50.0, 50.0), np.empty((0, 4)))
    >>> (first.x, first.y) != (second.x, second.y)
    True
    """
    boxes = np.empty((len(taken) + len(labels), 4))
    boxes[:len(taken)] = taken
    count = len(taken)
    out: list[Place | None] = []
    for label in labels:
        middle, led = _candidates(label)
        half = np.array([label.width, label.height]) / 2.0
        low, high = middle - half, middle + half
        free = (low >= 0.3).all(axis=1) & (high <= np.array(size) - 0.3).all(axis=1)
        there = boxes[:count]
        clash = ((low[:, None, 0] < there[None, :, 2]) & (high[:, None, 0] > there[None, :, 0])
                 & (low[:, None, 1] < there[None, :, 3]) & (high[:, None, 1] > there[None, :, 1])).any(axis=1)
        good = np.flatnonzero(free & ~clash)
        if not good.size:
            out.append(None)
            continue
        best = good[0]
        boxes[count] = (*low[best], *high[best])
        count += 1
        out.append(Place(float(middle[best, 0]), float(middle[best, 1]), bool(led[best])))
    return out


def _candidates(label: Label) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Middles to try, nearest first; each text just touches a circle around its point."""
    turns, rings = np.meshgrid(_TURNS, _RINGS[:label.rings])
    cos, sin = np.cos(turns).ravel(), np.sin(turns).ravel()
    far = label.near + rings.ravel()
    x = label.x + cos * far + np.sign(np.round(cos, 6)) * label.width / 2.0
    y = label.y + sin * far + np.sign(np.round(sin, 6)) * label.height / 2.0
    return np.stack([x, y], axis=1), rings.ravel() > 2.0
