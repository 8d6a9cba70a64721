"""How well points lie on a mask under every shift of a search window: plain arrays, no layer names.

A window sum stands for a correlation by FFT: every point adds the part of the mask around it, so that the cost is that
of the points (about 10 microseconds each), not that of the area, and pixels that are not known drop out exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

STEP_M = 10.0
"""Step of the search and pixel of the masks, m: half a small house, a tenth of the least datum offset searched for."""
REACH = 80
"""Steps searched to each side (800 m): GCJ-02 offsets are at most 672 m over 664 Chinese cities."""
_HIT = np.uint32(1 << 16)
"""Known points are counted in the lower half of 32 bits, hits in the upper: at most 65,535 points of one label."""


@dataclass(frozen=True)
class Mask:
    """Where a reference is, and where one can tell: pixels of `STEP_M`, row 0 south, column 0 west.

    Attributes
    ----------
    hit, known : ndarray of bool, (row, col)
    left, bottom : float
        South-west corner, m.
    """

    hit: NDArray[np.bool_]
    known: NDArray[np.bool_]
    left: float
    bottom: float


@dataclass(frozen=True)
class Counted:
    """Hits and known points by label and shift: int64 (label, north, east), shifts from -reach to +reach steps."""

    hits: Counts
    known: Counts


def count_shifts(x: Floats, y: Floats, mask: Mask, labels: Counts | None = None, reach: int = REACH) -> Counted:
    """Count the points that hit the mask, and those that lie where it is known, under every shift.

    Parameters
    ----------
    x, y : ndarray of float64, (point,)
        m, finite.
    mask : Mask
    labels : ndarray of int64, (point,), optional
        Class of each point, from 0; all points are of one class when absent.
    reach : int
        Steps to each side.

    Returns
    -------
    Counted
        Arrays of shape (label, 2 * reach + 1, 2 * reach + 1).

    Examples
    --------
    >>> hit = np.zeros((5, 5), bool)
    >>> hit[3, 2] = True
    >>> mask = Mask(hit, np.ones((5, 5), bool), 0.0, 0.0)
    >>> count_shifts(np.array([15.0]), np.array([35.0]), mask, reach=1).hits[0].tolist()
    [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
    """
    code = np.pad(mask.known.astype(np.uint32) + (mask.hit & mask.known) * _HIT, reach)
    rows = np.floor((y - mask.bottom) / STEP_M).astype(np.int64)
    cols = np.floor((x - mask.left) / STEP_M).astype(np.int64)
    inside = (rows >= 0) & (rows < mask.hit.shape[0]) & (cols >= 0) & (cols < mask.hit.shape[1])
    kinds = np.zeros(len(x), dtype=np.int64) if labels is None else labels
    size = 2 * reach + 1
    total = np.zeros((int(kinds.max(initial=0)) + 1, size, size), dtype=np.uint32)
    for row, col, kind in zip(rows[inside].tolist(), cols[inside].tolist(), kinds[inside].tolist(), strict=True):
        total[kind] += code[row:row + size, col:col + size]
    return Counted((total >> np.uint32(16)).astype(np.int64), (total & np.uint32(0xFFFF)).astype(np.int64))


def hit_share(counted: Counted, pool: bool) -> tuple[Floats, Floats]:
    """Share of known points that hit, and the number of known points.

    Parameters
    ----------
    counted : Counted
        Of one label.
    pool : bool
        Whether neighbouring shifts are pooled.

    Returns
    -------
    share, known : ndarray of float64, (north, east)
        The share is NaN where fewer than half as many points are known as where most are.
    """
    hits, known = _smooth(counted, pool)
    return np.where(_enough(known[0]), hits[0] / np.maximum(known[0], 1e-9), np.nan), known[0]


def class_agreement(counted: Counted, pool: bool) -> tuple[Floats, Floats]:
    """How well the classes of points tell hit from miss: (1 + distance of the two distributions) / 2.

    The best rule "these classes are hits" is right for this share of points when hits and misses weigh alike; 0.5 =
    the classes tell nothing, 1 = everything. Which class means what need not be known.

    Parameters
    ----------
    counted : Counted
        By class.
    pool : bool
        Whether neighbouring shifts are pooled.

    Returns
    -------
    agreement, known : ndarray of float64, (north, east)

    Notes
    -----
    Total variation distance between the class shares among hits and among misses.
    """
    hits, known = _smooth(counted, pool)
    misses, total = known - hits, known.sum(axis=0)
    all_hits, all_misses = np.maximum(hits.sum(axis=0), 1e-9), np.maximum(misses.sum(axis=0), 1e-9)
    distance = 0.5 * np.abs(hits / all_hits - misses / all_misses).sum(axis=0)
    return np.where(_enough(total), 0.5 + 0.5 * distance, np.nan), total


def _smooth(counted: Counted, pool: bool) -> tuple[Floats, Floats]:
    """Hits and known points; pooled, the mean of each shift and its eight neighbours."""
    hits, known = counted.hits.astype(np.float64), counted.known.astype(np.float64)
    return (uniform_filter(hits, (1, 3, 3)), uniform_filter(known, (1, 3, 3))) if pool else (hits, known)


def _enough(known: Floats) -> NDArray[np.bool_]:
    return np.asarray((known >= 0.5 * known.max(initial=0.0)) & (known > 0.0))


def shift_axis(reach: int = REACH) -> Floats:
    """Shifts of the rows or columns of a score, m."""
    return np.arange(-reach, reach + 1, dtype=np.float64) * STEP_M


@dataclass(frozen=True)
class Background:
    """What the share is at shifts that mean nothing: a quadratic surface over the shifts, and the scatter about it.

    The surface takes away the trend (points in the centre of a city lose hits with every shift outward); the scatter
    holds the clustering of points and buildings, which makes it far larger than that of independent points.
    """

    terms: Floats
    scatter: float

    def score(self, share: Floats | float, east_m: Floats | float, north_m: Floats | float) -> Floats:
        """Share in units of the scatter above the surface; shifts beyond the search count as at its edge."""
        limit = REACH * STEP_M
        return (share - _terms(np.clip(east_m, -limit, limit), np.clip(north_m, -limit, limit)) @ self.terms
                ) / self.scatter


def _terms(east_m: Floats, north_m: Floats) -> Floats:
    u, v = np.broadcast_arrays(np.asarray(east_m) / 1000.0, np.asarray(north_m) / 1000.0)
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)


def find_background(share: Floats, apart: list[tuple[float, float]], apart_m: float = 100.0) -> Background | None:
    """Trend and scatter of the shares of a whole search.

    Parameters
    ----------
    share : ndarray of float64, (north, east)
        NaN = not known.
    apart : list of (east_m, north_m)
        Shifts that may hold a true fit: what lies within `apart_m` of them is left out.
    apart_m : float

    Returns
    -------
    Background or None
        None where too little is known, or nothing scatters.
    """
    axis = shift_axis(share.shape[0] // 2)
    east, north = np.meshgrid(axis, axis)
    use = np.isfinite(share)
    for shift in apart:
        use &= np.hypot(east - shift[0], north - shift[1]) > apart_m
    if use.sum() < 100:
        return None
    terms = _terms(east, north)
    fit = np.asarray(np.linalg.lstsq(terms[use], share[use], rcond=None)[0], dtype=np.float64)
    scatter = float(np.sqrt(np.mean((share - terms @ fit)[use] ** 2)))
    return Background(fit, scatter) if scatter > 1e-6 else None


def value_near(values: Floats, shift: tuple[float, float], tolerance: int = 1) -> float:
    """Greatest value within `tolerance` steps of a shift (m); NaN outside of the search.

    >>> value_near(np.arange(9.0).reshape(3, 3), (0.0, -10.0), 0)
    1.0
    """
    middle = values.shape[0] // 2
    col, row = (middle + round(metres / STEP_M) for metres in shift)
    if not (0 <= row < values.shape[0] and 0 <= col < values.shape[1]):
        return float("nan")
    part = values[max(0, row - tolerance):row + tolerance + 1, max(0, col - tolerance):col + tolerance + 1]
    return float(np.nanmax(part)) if np.isfinite(part).any() else float("nan")


def best_shift(values: Floats) -> tuple[float, float]:
    """Shift (east_m, north_m) of the greatest value, between steps by a parabola through its neighbours.

    >>> axis = shift_axis(3)
    >>> east, north = best_shift(-((axis[None, :] - 13.0) ** 2 + (axis[:, None] + 4.0) ** 2))
    >>> round(east, 3), round(north, 3)
    (13.0, -4.0)
    """
    filled = np.where(np.isfinite(values), values, -np.inf)
    row, col = (int(part) for part in np.unravel_index(int(np.argmax(filled)), values.shape))
    middle = values.shape[0] // 2
    return ((col - middle + _vertex(filled[row], col)) * STEP_M, (row - middle + _vertex(filled[:, col], row)) * STEP_M)


def _vertex(line: Floats, at: int) -> float:
    """Where between its neighbours the parabola through a greatest value peaks, steps in -0.5..0.5."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = line[at - 1:at + 2]
    bend = before - 2.0 * here + after
    return float(0.5 * (before - after) / bend) if np.isfinite(bend) and bend < 0.0 else 0.0
