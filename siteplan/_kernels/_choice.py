"""Choosing one candidate after another, and the books that every search keeps: counts, limits, conflicts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

SLACK = 1e-9
"""How far, in units of a limit's scale, a sum may lie beyond the limit: sums are float64."""


class Spans(NamedTuple):
    """Cells of each candidate as intervals, see ``siteplan.selection.model.Reach``."""

    indptr: NDArray[np.int64]
    first: NDArray[np.int32]
    end: NDArray[np.int32]


class Terms(NamedTuple):
    """Limits of a problem by candidate and by cell.

    Candidate k counts ``amount[e]`` in row ``row_of[e]`` for e from ``row_indptr[k]`` to ``row_indptr[k + 1] - 1``,
    belongs to ``group[k]`` (-1 = none), and stands too near to ``near[near_indptr[k]:near_indptr[k + 1]]``. Cell j
    counts ``floor_weight[e]`` in ``floor_of[e]`` likewise; ``floor_indptr`` is empty without floors. ``row_only_adds``:
    no amount of the row is below 0. ``row_scale`` and ``floor_scale``: what is a small amount there.
    """

    bonus: NDArray[np.float64]
    row_indptr: NDArray[np.int64]
    row_of: NDArray[np.int32]
    amount: NDArray[np.float64]
    row_only_adds: NDArray[np.bool_]
    row_scale: NDArray[np.float64]
    group: NDArray[np.int32]
    near_indptr: NDArray[np.int64]
    near: NDArray[np.int32]
    floor_indptr: NDArray[np.int64]
    floor_of: NDArray[np.int32]
    floor_weight: NDArray[np.float64]
    floor_scale: NDArray[np.float64]


class Bounds(NamedTuple):
    """The two sides of every row (net of what stands already), and the least of every floor (-inf: not asked).

    ``wish_least[w]`` of the floors ``wish_floors[wish_indptr[w]:wish_indptr[w + 1]]`` have to reach their ``goal``.
    """

    row_least: NDArray[np.float64]
    row_most: NDArray[np.float64]
    floor_least: NDArray[np.float64]
    goal: NDArray[np.float64]
    wish_least: NDArray[np.int64]
    wish_indptr: NDArray[np.int64]
    wish_floors: NDArray[np.int64]


class Books(NamedTuple):
    """How things stand: what is taken, servers per cell, sums of rows, taken member of a group (-1), sums of floors.

    ``won`` and ``lost``: running sums of what cells win and lose with one server more or less, for exchanges (greedy
    does without: empty).
    """

    taken: NDArray[np.bool_]
    servers: NDArray[np.int16]
    used: NDArray[np.float64]
    member: NDArray[np.int32]
    served: NDArray[np.float64]
    won: NDArray[np.float32]
    lost: NDArray[np.float32]


class Prices(NamedTuple):
    """What greedy scores with: ``(weight left + bonus + prices of unmet limits) x scale`` (bonus x ``own``).

    ``row`` per unit of a row that is below its least, ``floor`` per unit of a floor that is.
    """

    scale: NDArray[np.float64]
    own: float
    row: NDArray[np.float64]
    floor: NDArray[np.float64]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def span_sum(spans, values, k):  # type: ignore[no-untyped-def]
    """Sum of ``values`` over the cells of candidate k."""
    total = 0.0
    for e in range(spans.indptr[k], spans.indptr[k + 1]):
        for j in range(spans.first[e], spans.end[e]):
            total += values[j]
    return total


@njit(cache=True, nogil=True)
def put(spans, terms, books, k, sign):  # type: ignore[no-untyped-def]
    """Take candidate k (``sign`` 1) or give it back (-1) in the books."""
    books.taken[k] = sign > 0
    for e in range(terms.row_indptr[k], terms.row_indptr[k + 1]):
        books.used[terms.row_of[e]] += sign * terms.amount[e]
    if terms.group[k] >= 0:
        books.member[terms.group[k]] = k if sign > 0 else -1
    count, floors = books.servers, terms.floor_indptr.size > 0
    turning = 0 if sign > 0 else 1
    for e in range(spans.indptr[k], spans.indptr[k + 1]):
        if floors:
            for j in range(spans.first[e], spans.end[e]):
                if count[j] == turning:
                    for f in range(terms.floor_indptr[j], terms.floor_indptr[j + 1]):
                        books.served[terms.floor_of[f]] += sign * terms.floor_weight[f]
        for j in range(spans.first[e], spans.end[e]):
            count[j] += sign


@njit(cache=True, nogil=True)
def rival(terms, books, k):  # type: ignore[no-untyped-def]
    """The taken candidate that excludes k: -1 when there is none, -2 when there are several."""
    found = -1
    if terms.group[k] >= 0:
        found = books.member[terms.group[k]]
        if found == k:
            found = -1
    for e in range(terms.near_indptr[k], terms.near_indptr[k + 1]):
        other = terms.near[e]
        if books.taken[other] and other != found:
            if found >= 0:
                return -2
            found = other
    return found


@njit(cache=True, nogil=True)
def fits(terms, bounds, books, k):  # type: ignore[no-untyped-def]
    """Whether k may join: no rival, and no row that only adds rises above its most."""
    if rival(terms, books, k) != -1:
        return False
    for e in range(terms.row_indptr[k], terms.row_indptr[k + 1]):
        row = terms.row_of[e]
        if terms.row_only_adds[row] and terms.amount[e] > 0:
            room = bounds.row_most[row] - books.used[row]
            if terms.amount[e] > room + SLACK * terms.row_scale[row]:
                return False
    return True


@njit(cache=True, nogil=True)
def _score(spans, terms, prices, left, unmet, k):  # type: ignore[no-untyped-def]
    """Score of k now; ``left`` holds what each cell still counts, prices of floors included."""
    total = span_sum(spans, left, k) + prices.own * terms.bonus[k]
    for e in range(terms.row_indptr[k], terms.row_indptr[k + 1]):
        if unmet[terms.row_of[e]]:
            total += prices.row[terms.row_of[e]] * terms.amount[e]
    return total * prices.scale[k]


@njit(cache=True, nogil=True)
def _before(score, a, b):  # type: ignore[no-untyped-def]
    """Whether a comes before b: greater score, ties to the lower number."""
    return score[a] > score[b] or (score[a] == score[b] and a < b)


@njit(cache=True, nogil=True)
def _sink(heap, size, score, at):  # type: ignore[no-untyped-def]
    """Let the entry at a place of the heap sink to where it belongs."""
    moving = heap[at]
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and _before(score, heap[below + 1], heap[below]):
            below += 1
        if not _before(score, heap[below], moving):
            break
        heap[at] = heap[below]
        at = below
    heap[at] = moving


@njit(cache=True, nogil=True)
def _take(spans, terms, books, left, k, shares):  # type: ignore[no-untyped-def]
    """Take k; what its cells still count falls to the share of a second server, then to 0. Weight newly served."""
    weight, backup = shares
    gain = 0.0
    for e in range(spans.indptr[k], spans.indptr[k + 1]):
        for j in range(spans.first[e], spans.end[e]):
            if books.servers[j] == 0:
                gain += weight[j]
                left[j] = backup * weight[j]
            else:
                left[j] = 0.0
    put(spans, terms, books, k, 1)
    return gain


@njit(cache=True, nogil=True)
def _settle(terms, bounds, books, prices, left, unmet, floors):  # type: ignore[no-untyped-def]
    """Note limits that are met now; the price of a floor that is met leaves its cells."""
    for row in range(unmet.size):
        if unmet[row] and terms.row_only_adds[row]:
            unmet[row] = books.used[row] < bounds.row_least[row] - SLACK * terms.row_scale[row]
    pending, indptr, cells, worth = floors
    for z in range(pending.size):
        if pending[z] and books.served[z] >= bounds.floor_least[z] - SLACK * terms.floor_scale[z]:
            pending[z] = False
            for e in range(indptr[z], indptr[z + 1]):
                if books.servers[cells[e]] == 0:
                    left[cells[e]] -= prices.floor[z] * worth[e]


@njit(cache=True, nogil=True)
def choose_lazily(  # type: ignore[no-untyped-def] # noqa: C901
        spans, terms, bounds, books, prices, shares, floors, out):
    """Lazy greedy (Minoux 1978): always the best that fits; stale scores are upper bounds.

    ``shares`` is (weight per cell, share of a second server), ``floors`` (which floors are pending, and their cells
    as indptr, cells, weights), ``out`` (order, gains, whether each candidate may be chosen, whether to go on without
    gain). ``books`` is brought up to date. Returns how many were chosen and how often a score was computed.
    """
    weight, backup = shares
    pending, indptr, cells, worth = floors
    order, gains, allowed, everything = out
    left = np.empty(weight.size)
    for j in range(weight.size):
        left[j] = weight[j] if books.servers[j] == 0 else (backup * weight[j] if books.servers[j] == 1 else 0.0)
    for z in range(pending.size):
        if pending[z]:
            for e in range(indptr[z], indptr[z + 1]):
                if books.servers[cells[e]] == 0:
                    left[cells[e]] += prices.floor[z] * worth[e]
    unmet = np.ones(bounds.row_least.size, dtype=np.bool_)
    for row in range(unmet.size):
        unmet[row] = prices.row[row] != 0.0
    _settle(terms, bounds, books, prices, left, unmet, floors)
    score = np.zeros(allowed.size)
    heap = np.empty(allowed.size, dtype=np.int32)
    size = 0
    for k in range(allowed.size):
        if allowed[k] and not books.taken[k]:
            score[k] = _score(spans, terms, prices, left, unmet, k)
            heap[size] = k
            size += 1
    for at in range(size // 2 - 1, -1, -1):
        _sink(heap, size, score, at)
    number, looks = 0, size
    while size > 0:
        k = heap[0]
        if fits(terms, bounds, books, k):
            score[k] = _score(spans, terms, prices, left, unmet, k)
            looks += 1
            if score[k] <= 0.0 and not everything:
                heap[0] = heap[size - 1]
                size -= 1
                _sink(heap, size, score, 0)
                continue
            _sink(heap, size, score, 0)
            if heap[0] != k:
                continue
            gains[number] = _take(spans, terms, books, left, k, shares)
            order[number] = k
            number += 1
            _settle(terms, bounds, books, prices, left, unmet, floors)
        heap[0] = heap[size - 1]
        size -= 1
        if size > 0:
            _sink(heap, size, score, 0)
    return number, looks


@njit(cache=True, nogil=True)
def invert(spans, step, indptr, members):  # type: ignore[no-untyped-def]
    """Which candidates serve every ``step``-th cell: ``members[indptr[c]:indptr[c + 1]]`` serve cell c x step.

    ``indptr`` (zeros at first, cells // step + 2 of them) is filled by a first call with empty ``members``; a second
    call fills these.
    """
    counting = members.size == 0
    for k in range(spans.indptr.size - 1):
        for e in range(spans.indptr[k], spans.indptr[k + 1]):
            for c in range((spans.first[e] + step - 1) // step, (spans.end[e] - 1) // step + 1):
                if counting:
                    indptr[c + 2] += 1
                else:
                    members[indptr[c + 1]] = k
                    indptr[c + 1] += 1
    if counting:
        for c in range(1, indptr.size):
            indptr[c] += indptr[c - 1]
