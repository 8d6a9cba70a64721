"""What every formula of this room needs: numbers as float64 arrays, a choice by sight, checked words."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siteplan.errors import ModelError

Floats = NDArray[np.float64]

NEAREST_M = 10.0
"""TR 38.901 begins at 10 m outdoors: shorter horizontal distances count as 10 m."""


def floats(*values: ArrayLike) -> tuple[Floats, ...]:
    """Return every value as an array of float64."""
    return tuple(np.asarray(value, dtype=np.float64) for value in values)


def by_sight(los: ArrayLike, clear: ArrayLike, blocked: ArrayLike) -> Floats:
    """Take ``clear`` where ``los`` is true, ``blocked`` where it is false, NaN where it is NaN."""
    flag = np.asarray(los, np.float64)
    return np.where(np.isnan(flag), np.nan, np.where(flag != 0.0, clear, blocked))


def known_word(word: str, known: Iterable[str], what: str) -> str:
    """Return ``word``, or raise a ModelError that lists the known ones."""
    words = sorted(known)
    if word not in words:
        raise ModelError(f"unknown {what} {word!r}; known: {', '.join(words)}")
    return word


def within(value: ArrayLike, low: float, high: float, what: str) -> Floats:
    """Return ``value`` as floats, or raise a ModelError when a number lies outside ``low``..``high``; NaN passes."""
    (number,) = floats(value)
    if bool(np.any((number < low) | (number > high))):
        raise ModelError(f"{what} must lie within {low:g} and {high:g}")
    return number
