"""Annealing of one part of the cells: random exchanges, worse ones taken with a chance that falls.

The inner loop is handed plain arrays: tuples of arrays cost a count of references at every call.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from siteplan._kernels._choice import SLACK, rival
from siteplan._kernels._swaps import exchange, floors_broken, rows_broken, rows_change, service_change


@njit(cache=True, nogil=True)
def _draw(seeds):  # type: ignore[no-untyped-def]
    """A random number in (0, 1), the same with and without jit: xorshift and a Weyl sequence (Marsaglia 2003)."""
    x = seeds[0]
    x ^= (x << 13) & 0xFFFFFFFF
    x ^= x >> 17
    x ^= (x << 5) & 0xFFFFFFFF
    seeds[0] = x
    seeds[1] = (seeds[1] + 362437) & 0xFFFFFFFF
    return (((x + seeds[1]) & 0xFFFFFFFF) + 0.5) * 2.3283064365386963e-10


@njit(cache=True, nogil=True)
def _at_cell(seeds, index, movable, taken, profit, j):  # type: ignore[no-untyped-def]
    """A random candidate about cell j that may come; with profits the better of two. -1 = none."""
    indptr, members, step = index
    c = j // step
    start, size = indptr[c], indptr[c + 1] - indptr[c]
    best = -1
    if size > 0:
        for _ in range(2 if profit.size else 1):
            k = members[start + int(_draw(seeds) * size)]
            if movable[k] and not taken[k] and (best < 0 or profit[k] > profit[best]):
                best = k
    return best


@njit(cache=True, nogil=True)
def _cell_of(seeds, indptr, first, end, k):  # type: ignore[no-untyped-def]
    """A random cell of candidate k, rather from its middle; -1 where it serves none."""
    start, number = indptr[k], indptr[k + 1] - indptr[k]
    if number == 0:
        return -1
    e = start + int(_draw(seeds) * number)
    for _ in range(2):  # the longest of three intervals: short ones lie at the rim
        other = start + int(_draw(seeds) * number)
        if end[other] - first[other] > end[e] - first[e]:
            e = other
    return first[e] + int(_draw(seeds) * (end[e] - first[e]))


@njit(cache=True, nogil=True)
def _open_cell(seeds, step, weight, count, low, high):  # type: ignore[no-untyped-def]
    """A random cell from low to high - 1 that nobody serves, of three the one of greatest weight; -1 = none met."""
    start, end = low // step, min((high - 1) // step + 1, (count.size - 1) // step + 1)
    best, found = -1, 0
    for _ in range(12):
        j = min(start + int(_draw(seeds) * (end - start)), end - 1) * step
        if count[j] == 0 and weight[j] > 0:
            found += 1
            if best < 0 or weight[j] > weight[best]:
                best = j
            if found == 3:
                break
    return best


@njit(cache=True, nogil=True)
def _mending(terms, bounds, books, index, part, sites, number):  # type: ignore[no-untyped-def]
    """A move (out, into) that aims at a random limit among those that are broken; (-1, -1) when none is found."""
    seeds, movable, _ = part
    lookup = (index.indptr, index.members, index.step)
    rows, floors = bounds.row_least.size, bounds.floor_least.size
    for _ in range(8):
        limit = int(_draw(seeds) * (rows + floors))
        into = out = -1
        if limit < rows:
            low = books.used[limit] < bounds.row_least[limit] - SLACK * terms.row_scale[limit]
            high = books.used[limit] > bounds.row_most[limit] + SLACK * terms.row_scale[limit]
            start, size = index.row_indptr[limit], index.row_indptr[limit + 1] - index.row_indptr[limit]
            if not (low or high) or size == 0:
                continue
            k = index.row_members[start + int(_draw(seeds) * size)]
            if not movable[k]:
                continue
            if books.taken[k]:
                out = k
            else:
                into = k
        else:
            z = limit - rows
            if books.served[z] >= bounds.floor_least[z] - SLACK * terms.floor_scale[z]:
                continue
            start, size = index.floor_indptr[z], index.floor_indptr[z + 1] - index.floor_indptr[z]
            j = index.floor_cells[start + int(_draw(seeds) * size)]
            if books.servers[j] > 0:
                continue
            into = _at_cell(seeds, lookup, movable, books.taken, np.zeros(0), j)
        if number > 0 and into >= 0 and _draw(seeds) < 0.6:
            out = sites[int(_draw(seeds) * number)]
        if out >= 0 or into >= 0:
            return out, into
    return -1, -1


@njit(cache=True, nogil=True)
def _tried(spans, terms, bounds, books, worth, move, floors_bad, threshold):  # type: ignore[no-untyped-def]
    """Make a move if its worth is above the threshold: (made, change of value, what floors are broken by)."""
    out, into = move
    change = service_change(spans.indptr, spans.first, spans.end, books.won, books.lost, out, into)
    if out >= 0:
        change -= terms.bonus[out]
    if into >= 0:
        change += terms.bonus[into]
    total = change
    if bounds.row_least.size > 0:
        total -= worth.strict * rows_change(terms, bounds, books, out, into)
    if floors_bad == 0.0 and total < threshold:
        return False, 0.0, floors_bad
    exchange(spans, terms, worth, books, out, into)
    if bounds.floor_least.size > 0:
        after = floors_broken(terms, bounds, books)
        total -= worth.strict * (after - floors_bad)
        if total < threshold:
            exchange(spans, terms, worth, books, into, out)
            return False, 0.0, floors_bad
        floors_bad = after
    return True, change, floors_bad


@njit(cache=True, nogil=True)
def _usual(seeds, spans, lookup, books, sites, walk):  # type: ignore[no-untyped-def]
    """A move (out, into) of the usual kinds, (-1, -1) when nothing was found.

    Of the moves of a site, 85 % are local: what comes serves a cell of what goes; for the rest it serves an open cell.
    """
    indptr, first, end, middles = spans
    taken, movable, servers, profit, weight = books
    slot, number, low, high, alone, window = walk
    kind = _draw(seeds)
    if alone or number == 0:
        if number > 0 and kind < 0.5:
            return sites[slot], -1
        j = _open_cell(seeds, lookup[2], weight, servers, low, high)
        return -1, (_at_cell(seeds, lookup, movable, taken, profit, j) if j >= 0 else -1)
    out = sites[slot]
    if kind < 0.85:
        j = _cell_of(seeds, indptr, first, end, out)
    elif kind < 0.9 and movable.size <= 1000:  # few candidates: any of them
        into = int(_draw(seeds) * movable.size)
        return (out, into) if movable[into] and not taken[into] else (-1, -1)
    else:
        if kind < 0.95 and window < number:  # not far along the cells
            near, far = middles[out], middles[sites[min(slot + 8, number - 1)]]
            if abs(far - near) > 8 * lookup[2]:
                low, high = min(near, far), max(near, far) + 1
        j = _open_cell(seeds, lookup[2], weight, servers, low, high)
    into = _at_cell(seeds, lookup, movable, taken, profit, j) if j >= 0 else -1
    return (out, into) if into >= 0 else (-1, -1)


@njit(cache=True, nogil=True)
def listed(sites, slots, number, out, into):  # type: ignore[no-untyped-def]
    """Bring the list of sites up to date after a move; how many there are."""
    slot = slots[out] if out >= 0 else number
    if out >= 0:
        slots[out] = -1
    if into >= 0:
        sites[slot] = into
        slots[into] = slot
        return number if out >= 0 else number + 1
    number -= 1
    sites[slot] = sites[number]
    if slot < number:
        slots[sites[slot]] = slot
    return number


@njit(cache=True, nogil=True)
def _instead(terms, books, movable, out, into):  # type: ignore[no-untyped-def]
    """What goes when ``into`` comes: the one that excludes it, else ``out``; -2 where it cannot come."""
    other = rival(terms, books, into)
    if other == -2 or (other >= 0 and not movable[other]):
        return -2
    return other if other >= 0 else out


@njit(cache=True, nogil=True)
def anneal_part(spans, terms, bounds, books, worth, index, part, plan):  # type: ignore[no-untyped-def]
    """Anneal one part: candidates that ``part`` lets move, ``plan`` moves at temperatures that fall geometrically.

    ``part`` is (seeds, movable, profit or none), ``plan`` (sites, how many of them, moves, temperatures at the start
    and at the end, first and last cell of the part, middle cell per candidate, kind per candidate: equal where all
    rows are filled alike, share of moves of one site alone, within how many sites beside each other it picks). A
    broken limit costs ``worth.strict``, far more than any service: what is broken is mended first, and nothing whole
    is broken. Returns by how much the value changed, and the number of moves made.
    """
    seeds, movable, profit = part
    sites, number, moves, hot, cold, cells, middles, kinds, free, window = plan
    indptr, first, end = spans.indptr, spans.first, spans.end
    won, lost, bonus = books.won, books.lost, terms.bonus
    lookup = (index.indptr, index.members, index.step)
    places, state = (indptr, first, end, middles), (books.taken, movable, books.servers, profit, worth.weight)
    slots = np.full(movable.size, -1, dtype=np.int32)
    for slot in range(number):
        slots[sites[slot]] = slot
    floors_bad = floors_broken(terms, bounds, books)
    floors = bounds.floor_least.size > 0
    excluding = terms.near.size > 0 or books.member.size > 0
    bad = floors_bad > 0.0 or rows_broken(terms, bounds, books) > 0.0
    rise, made, heat = 0.0, 0, hot
    cooling = (cold / hot) ** (64.0 / max(moves, 64))
    for move in range(moves):
        if move % 64 == 63:
            heat *= cooling
            bad = floors_bad > 0.0 or rows_broken(terms, bounds, books) > 0.0
        if bad and _draw(seeds) < 0.5:
            out, into = _mending(terms, bounds, books, index, part, sites, number)
        else:
            slot = 0
            if number > 0:
                slot = (int(move / moves * number) + int(_draw(seeds) * min(number, window))) % number
            alone = free > 0.0 and _draw(seeds) < free
            walk = (slot, number, cells[0], cells[1], alone, window)
            out, into = _usual(seeds, places, lookup, state, sites, walk)
        if into >= 0 and excluding:
            out = _instead(terms, books, movable, out, into)
        if out == -2 or (out < 0 and into < 0):
            continue
        threshold = heat * math.log(_draw(seeds))
        if bad or floors or out < 0 or into < 0 or kinds[out] != kinds[into]:
            done, change, floors_bad = _tried(spans, terms, bounds, books, worth, (out, into), floors_bad, threshold)
            if not done:
                continue
        else:
            change = service_change(indptr, first, end, won, lost, out, into) + bonus[into] - bonus[out]
            if change < threshold:
                continue
            exchange(spans, terms, worth, books, out, into)
        rise += change
        made += 1
        number = listed(sites, slots, number, out, into)
    return rise, made
