"""Annealing by choice: a site gives way to one of all its neighbours at once, the better the likelier (heat bath).

What every candidate would bring, and every site would leave, is kept: a choice among dozens of neighbours then costs
about what trying one of them would cost otherwise. Of two neighbours only what both serve has to be gone through.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplan._kernels._anneal import _draw, listed
from siteplan._kernels._choice import SLACK, put, rival
from siteplan._kernels._swaps import floors_broken, rows_change

REACH_OF_HEAT = 12.0
"""What lies more than so many temperatures below the best is never drawn."""


class Beside(NamedTuple):
    """Neighbours: candidates that serve a cell of the same; at most what weight both serve.

    Those of k are ``other[indptr[k]:indptr[k + 1]]``, without k itself; ``shared`` goes with them.
    """

    indptr: NDArray[np.int64]
    other: NDArray[np.int32]
    shared: NDArray[np.float32]


@njit(cache=True, nogil=True)
def find_beginners(spans, begins, owner, indptr, other):  # type: ignore[no-untyped-def]
    """Candidates of which an interval begins within one of each candidate: of two neighbours one finds the other.

    Intervals that begin at cell j are those of the candidates ``owner[begins[j]:begins[j + 1]]``. A first call with
    empty ``other`` counts, a second one fills.
    """
    stamp = np.full(spans.indptr.size - 1, -1, dtype=np.int32)
    total = 0
    for k in range(stamp.size):
        stamp[k] = k
        for e in range(spans.indptr[k], spans.indptr[k + 1]):
            for s in range(begins[spans.first[e]], begins[spans.end[e]]):
                one = owner[s]
                if stamp[one] != k:
                    stamp[one] = k
                    if other.size > 0:
                        other[total] = one
                    total += 1
        indptr[k + 1] = total


@njit(cache=True, nogil=True)
def _common(indptr, first, end, k, other, running):  # type: ignore[no-untyped-def]
    """Sum over cells of both; ``running`` holds running sums over the cells of k, 0 first."""
    a, a_last, b, b_last = indptr[k], indptr[k + 1], indptr[other], indptr[other + 1]
    total, at = 0.0, 0
    if a == a_last or b == b_last:
        return total
    x, x_end, y, y_end = first[a], end[a], first[b], end[b]
    while True:
        low, high = max(x, y), min(x_end, y_end)
        if low < high:
            total += running[at + high - x] - running[at + low - x]
        if x_end <= y_end:
            at += x_end - x
            a += 1
            if a == a_last:
                return total
            x, x_end = first[a], end[a]
        else:
            b += 1
            if b == b_last:
                return total
            y, y_end = first[b], end[b]


@njit(cache=True, nogil=True)
def share_weights(spans, weight, indptr, other, shared, running):  # type: ignore[no-untyped-def]
    """Weight that neighbours both serve, a little rounded up; ``running`` is room for the cells of the greatest."""
    for k in range(indptr.size - 1):
        at, total = 0, 0.0
        for e in range(spans.indptr[k], spans.indptr[k + 1]):
            for j in range(spans.first[e], spans.end[e]):
                total += weight[j]
                at += 1
                running[at] = total
        for m in range(indptr[k], indptr[k + 1]):
            shared[m] = 1.00001 * _common(spans.indptr, spans.first, spans.end, k, other[m], running)


@njit(cache=True, nogil=True)
def value_anew(spans, worth, books, which, value):  # type: ignore[no-untyped-def]
    """What each candidate of ``which`` would bring, or leave when it is taken, without its bonus."""
    weight, share = worth.weight, worth.backup
    for k in which:
        own = 1 if books.taken[k] else 0
        total = 0.0
        for e in range(spans.indptr[k], spans.indptr[k + 1]):
            for j in range(spans.first[e], spans.end[e]):
                others = books.servers[j] - own
                if others == 0:
                    total += weight[j]
                elif others == 1:
                    total += share * weight[j]
        value[k] = total


@njit(cache=True, nogil=True)
def _left(indptr, first, end, servers, weight, share, k, running):  # type: ignore[no-untyped-def]
    """Running sums over the cells of k: what they would win with one more server once k is gone."""
    at, total, full = 0, 0.0, 1.0 - share
    for e in range(indptr[k], indptr[k + 1]):
        for j in range(first[e], end[e]):
            if servers[j] == 1:
                total += full * weight[j]
            elif servers[j] == 2:
                total += share * weight[j]
            at += 1
            running[at] = total


@njit(cache=True, nogil=True)
def _turn(spans, terms, worth, books, index, kept, k, sign):  # type: ignore[no-untyped-def]
    """Take k (``sign`` 1) or give it back (-1), and bring the values of its neighbours up to date."""
    value, only = kept
    servers, weight, share, taken = books.servers, worth.weight, worth.backup, books.taken
    indptr, members, own = index.indptr, index.members, value[k]
    full, before = 1.0 - share, 0 if sign > 0 else 1
    for e in range(spans.indptr[k], spans.indptr[k + 1]):
        for j in range(spans.first[e], spans.end[e]):
            others = servers[j] - before
            only[j] += sign * k
            step = sign * weight[j]
            if others == 0:
                for m in range(indptr[j], indptr[j + 1]):
                    value[members[m]] -= full * step
            elif others == 1 and share == 0.0:
                value[only[j] if sign < 0 else only[j] - k] -= step
            elif others <= 2 and share > 0.0:
                for m in range(indptr[j], indptr[j + 1]):
                    if taken[members[m]]:
                        value[members[m]] -= (full if others == 1 else share) * step
                    elif others == 1:
                        value[members[m]] -= share * step
    value[k] = own
    put(spans, terms, books, k, sign)


@njit(cache=True, nogil=True)
def _allowed(terms, bounds, books, kinds, out, into):  # type: ignore[no-untyped-def]
    """Whether no row is broken more, and nothing but ``out`` excludes what comes; -1 = none."""
    if into >= 0 and (terms.near.size > 0 or books.member.size > 0):
        other = rival(terms, books, into)
        if other != -1 and other != out:
            return False
    if bounds.row_least.size == 0 or (out >= 0 and into >= 0 and kinds[out] == kinds[into]):
        return True
    return rows_change(terms, bounds, books, out, into) <= SLACK


@njit(cache=True, nogil=True)
def _start(seeds, beside, taken, mine, sites, number, last, chain):  # type: ignore[no-untyped-def]
    """The site that may give way: rather one beside the last place of change, which is still in cache."""
    if last >= 0 and _draw(seeds) < chain:
        start, size = beside.indptr[last], beside.indptr[last + 1] - beside.indptr[last]
        for _ in range(10 if size > 0 else 0):
            k = beside.other[start + int(_draw(seeds) * size)]
            if taken[k] and mine[k]:
                return k
    return sites[int(_draw(seeds) * number)]


@njit(cache=True, nogil=True)
def _tournament(seeds, pool, taken, value, bonus, rounds):  # type: ignore[no-untyped-def]
    """Of some random candidates that are not taken, the one that brings most; -1 = none."""
    best, most = -1, -np.inf
    for _ in range(rounds):
        k = pool[int(_draw(seeds) * pool.size)]
        if not taken[k] and value[k] + bonus[k] > most:
            best, most = k, value[k] + bonus[k]
    return best


@njit(cache=True, nogil=True)
def _beside(seeds, spans, sides, books, worth, beside, walk, ask):  # type: ignore[no-untyped-def]
    """What comes for ``out`` among its neighbours, by their values at this temperature; -1: it stays."""
    (terms, bounds), (out, heat) = sides, ask
    value, mine, kinds, score, running = walk
    indptr, first, end, bonus, taken = spans.indptr, spans.first, spans.end, terms.bonus, books.taken
    _left(indptr, first, end, books.servers, worth.weight, worth.backup, out, running)
    start, stop = beside.indptr[out], beside.indptr[out + 1]
    stays = value[out] + bonus[out]
    best, reach, most = stays, REACH_OF_HEAT * heat, value[out]
    for m in range(start, stop):
        k = beside.other[m]
        score[m - start] = -np.inf
        if taken[k] or not mine[k]:
            continue
        brings = value[k] + bonus[k]
        if brings + min(most, beside.shared[m]) < best - reach:
            continue
        brings += _common(indptr, first, end, out, k, running)
        score[m - start] = brings
        best = max(best, brings)
    least, total = best - reach, math.exp((stays - best) / heat)
    for m in range(stop - start):
        if score[m] >= least:
            score[m] = math.exp((score[m] - best) / heat)
            total += score[m]
        else:
            score[m] = 0.0
    for _ in range(8):
        pick = _draw(seeds) * total - math.exp((stays - best) / heat)
        if pick < 0.0:
            return -1
        found = -1
        for m in range(stop - start):
            if score[m] > 0.0:
                found = m
                pick -= score[m]
                if pick < 0.0:
                    break
        if found < 0:
            return -1
        into = beside.other[start + found]
        if _allowed(terms, bounds, books, kinds, out, into):
            return into
        total -= score[found]
        score[found] = 0.0
    return -1


@njit(cache=True, nogil=True)
def _afar(seeds, spans, sides, books, worth, walk, lists, heat):  # type: ignore[no-untyped-def]
    """A change (out, into) between places that need not have to do with each other; (-1, -1) = none."""
    terms, bounds = sides
    value, mine, kinds, _, running = walk
    sites, number, pool, alone = lists
    bonus, taken = terms.bonus, books.taken
    threshold = heat * math.log(_draw(seeds))
    out = into = -1
    kind = _draw(seeds) if alone else 1.0
    if kind >= 0.5 or kind < 0.25:
        into = _tournament(seeds, pool, taken, value, bonus, 12)
    if kind >= 0.25 and number > 0:
        for _ in range(3):
            k = sites[int(_draw(seeds) * number)]
            if out < 0 or value[k] + bonus[k] < value[out] + bonus[out]:
                out = k
    if into >= 0 and (terms.near.size > 0 or books.member.size > 0):
        other = rival(terms, books, into)
        if other == -2 or (other >= 0 and not mine[other]):
            return -1, -1
        out = other if other >= 0 else out
    if (out < 0 and into < 0) or (kind >= 0.5 and (into < 0 or out < 0)):
        return -1, -1
    change = 0.0
    if into >= 0:
        change += value[into] + bonus[into]
    if out >= 0:
        change -= value[out] + bonus[out]
    if change < threshold and out >= 0 and into >= 0 and terms.near.size + books.member.size > 0:
        _left(spans.indptr, spans.first, spans.end, books.servers, worth.weight, worth.backup, out, running)
        change += _common(spans.indptr, spans.first, spans.end, out, into, running)
    if change < threshold or not _allowed(terms, bounds, books, kinds, out, into):
        return -1, -1
    return out, into


@njit(cache=True, nogil=True)
def heat_part(spans, terms, bounds, books, worth, near, part, plan):  # type: ignore[no-untyped-def]
    """Anneal one part of a choice that keeps its limits, and keep them.

    ``near`` is (neighbours, index of all cells), ``part`` (seeds, value per candidate, per cell the sum of the numbers
    of its servers, which candidates may move, kind per candidate: equal where all rows are
    filled alike), ``plan`` (sites, how many of them, steps, temperatures at the start and at the end, share of changes
    afar, whether sites may come or go alone, chance to go on beside the last change, cells of the greatest candidate).
    Returns by how much the value rose, and the number of changes.
    """
    seeds, value, only, mine, kinds = part
    (beside, index), kept = near, (value, only)
    sites, number, steps, hot, cold, far, alone, chain, cells = plan
    running = np.zeros(cells + 1)
    walk = (value, mine, kinds, np.empty(np.diff(beside.indptr).max() + 1), running)
    pool, slots = np.flatnonzero(mine), np.full(mine.size, -1, dtype=np.int64)
    for slot in range(number):
        slots[sites[slot]] = slot
    floors = bounds.floor_least.size > 0
    broken = floors_broken(terms, bounds, books) if floors else 0.0
    rise, made, heat, last = 0.0, 0, hot, -1
    cooling = (cold / hot) ** (64.0 / max(steps, 64))
    for step in range(steps):
        if step % 64 == 63:
            heat *= cooling
        if number == 0 or _draw(seeds) < far:
            out, into = _afar(seeds, spans, (terms, bounds), books, worth, walk, (sites, number, pool, alone), heat)
        else:
            out = _start(seeds, beside, books.taken, mine, sites, number, last, chain)
            last = out
            into = _beside(seeds, spans, (terms, bounds), books, worth, beside, walk, (out, heat))
            out = out if into >= 0 else -1
        if out < 0 and into < 0:
            continue
        change = 0.0
        if out >= 0:
            change -= value[out] + terms.bonus[out]
            _turn(spans, terms, worth, books, index, kept, out, -1)
        if into >= 0:
            change += value[into] + terms.bonus[into]
            _turn(spans, terms, worth, books, index, kept, into, 1)
        if floors:
            after = floors_broken(terms, bounds, books)
            if after > broken + SLACK:
                if into >= 0:
                    _turn(spans, terms, worth, books, index, kept, into, -1)
                if out >= 0:
                    _turn(spans, terms, worth, books, index, kept, out, 1)
                continue
            broken = after
        rise += change
        made += 1
        last = into if into >= 0 else out
        number = listed(sites, slots, number, out, into)
    return rise, made
