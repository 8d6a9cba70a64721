"""Exchanging chosen candidates: what a change is worth, swap search, and annealing of one part of the cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplan._kernels._choice import SLACK, put, rival

BLOCK = 128
"""Cells after which running sums begin anew: what a change makes to sum up again."""


class Index(NamedTuple):
    """Candidates that serve every ``step``-th cell, see :func:`invert`, and the members of rows and floors."""

    step: int
    indptr: NDArray[np.int64]
    members: NDArray[np.int32]
    row_indptr: NDArray[np.int64]
    row_members: NDArray[np.int32]
    floor_indptr: NDArray[np.int64]
    floor_cells: NDArray[np.int64]


class Worth(NamedTuple):
    """Weight per cell, share of a second server, what a broken limit costs (far more than any service)."""

    weight: NDArray[np.float32]
    backup: float
    strict: float


@njit(cache=True, nogil=True)
def _sum_block(worth, books, start, end):  # type: ignore[no-untyped-def]
    """Running sums of what cells start to end - 1 win and lose with a server more or less; each block from 0 on."""
    weight, backup, count = worth.weight, worth.backup, books.servers
    share = np.float32(backup)
    won = lost = np.float32(0.0)
    if start % BLOCK > 0:
        won, lost = books.won[start - 1], books.lost[start - 1]
    for j in range(start, end):
        if j % BLOCK == 0:
            won = lost = np.float32(0.0)
        servers = count[j]
        if servers == 0:
            won += weight[j]
        elif servers == 1:
            lost += weight[j]
            won += share * weight[j]
        elif servers == 2:
            lost += share * weight[j]
        books.won[j], books.lost[j] = won, lost


@njit(cache=True, nogil=True)
def sum_up(worth, books):  # type: ignore[no-untyped-def]
    """Make all running sums of the books anew."""
    _sum_block(worth, books, 0, worth.weight.size)


@njit(cache=True, nogil=True)
def seat(spans, terms, worth, books, k, sign):  # type: ignore[no-untyped-def]
    """Take candidate k (``sign`` 1) or give it back (-1) in the books, running sums included."""
    put(spans, terms, books, k, sign)
    done = 0
    for e in range(spans.indptr[k], spans.indptr[k + 1]):
        start = max(spans.first[e], done)
        stop = min(((spans.end[e] - 1) // BLOCK + 1) * BLOCK, books.servers.size)
        if start < stop:
            _sum_block(worth, books, start, stop)
            done = stop


@njit(inline="always")
def _between(sums, start, end):  # type: ignore[no-untyped-def]
    """Sum over cells start to end - 1, from running sums that begin anew with each block."""
    total = sums[end - 1]
    if start % BLOCK > 0:
        total -= sums[start - 1]
    for block in range(start // BLOCK, (end - 1) // BLOCK):
        total += sums[block * BLOCK + BLOCK - 1]
    return total


@njit(cache=True, nogil=True)
def service_change(indptr, first, end, won, lost, out, into):  # type: ignore[no-untyped-def] # noqa: C901, PLR0912
    """Change of service when ``out`` goes and ``into`` comes (-1 = none); cells of both stay as they are."""
    a = a_last = b = b_last = 0
    x = x_end = y = y_end = 0
    if out >= 0:
        a, a_last = indptr[out], indptr[out + 1]
    if into >= 0:
        b, b_last = indptr[into], indptr[into + 1]
    if a < a_last:
        x, x_end = first[a], end[a]
    if b < b_last:
        y, y_end = first[b], end[b]
    total = 0.0
    while a < a_last and b < b_last:
        if x < y:
            stop = min(x_end, y)
            total -= _between(lost, x, stop)
            x = stop
        elif y < x:
            stop = min(y_end, x)
            total += _between(won, y, stop)
            y = stop
        else:
            x = y = min(x_end, y_end)
        if x == x_end:
            a += 1
            if a < a_last:
                x, x_end = first[a], end[a]
        if y == y_end:
            b += 1
            if b < b_last:
                y, y_end = first[b], end[b]
    while a < a_last:
        total -= _between(lost, x, x_end)
        a += 1
        if a < a_last:
            x, x_end = first[a], end[a]
    while b < b_last:
        total += _between(won, y, y_end)
        b += 1
        if b < b_last:
            y, y_end = first[b], end[b]
    return total


@njit(cache=True, nogil=True)
def _broken(has, least, most, scale):  # type: ignore[no-untyped-def]
    """How far a sum is outside of its limits, in units of its scale, and 1 more for being outside at all."""
    over = max(least - has, has - most) / scale
    return over + 1.0 if over > SLACK else 0.0


@njit(cache=True, nogil=True)
def rows_broken(terms, bounds, books):  # type: ignore[no-untyped-def]
    """What all rows are broken by."""
    total = 0.0
    for row in range(bounds.row_least.size):
        total += _broken(books.used[row], bounds.row_least[row], bounds.row_most[row], terms.row_scale[row])
    return total


@njit(cache=True, nogil=True)
def floors_broken(terms, bounds, books):  # type: ignore[no-untyped-def]
    """What all floors are broken by, and every wish by the floors of it that miss least."""
    total = 0.0
    for z in range(bounds.floor_least.size):
        total += _broken(books.served[z], bounds.floor_least[z], np.inf, terms.floor_scale[z])
    for w in range(bounds.wish_least.size):
        total += _wish_broken(terms, bounds, books, w)
    return total


@njit(cache=True, nogil=True)
def _wish_broken(terms, bounds, books, w):  # type: ignore[no-untyped-def]
    """What the floors that a wish still needs are broken by: of those that are not met, the nearest ones."""
    start, stop = bounds.wish_indptr[w], bounds.wish_indptr[w + 1]
    misses = np.empty(stop - start)
    number, need = 0, bounds.wish_least[w]
    for e in range(start, stop):
        z = bounds.wish_floors[e]
        miss = _broken(books.served[z], bounds.goal[z], np.inf, terms.floor_scale[z])
        if miss > 0.0:
            misses[number] = miss
            number += 1
        else:
            need -= 1
    if need <= 0:
        return 0.0
    return np.sort(misses[:number])[:need].sum() + max(need - number, 0) * 1e6


@njit(cache=True, nogil=True)
def rows_change(terms, bounds, books, out, into):  # type: ignore[no-untyped-def]
    """Change of :func:`rows_broken` when ``out`` goes and ``into`` comes (-1 = none)."""
    a = a_last = b = b_last = 0
    if out >= 0:
        a, a_last = terms.row_indptr[out], terms.row_indptr[out + 1]
    if into >= 0:
        b, b_last = terms.row_indptr[into], terms.row_indptr[into + 1]
    total = 0.0
    while a < a_last and b < b_last and terms.row_of[a] == terms.row_of[b] and terms.amount[a] == terms.amount[b]:
        a += 1
        b += 1
    if a == a_last and b == b_last:
        return 0.0
    while a < a_last or b < b_last:  # rows of a candidate ascend
        row_a = terms.row_of[a] if a < a_last else 2**30
        row_b = terms.row_of[b] if b < b_last else 2**30
        row, step = min(row_a, row_b), 0.0
        if row_a == row:
            step -= terms.amount[a]
            a += 1
        if row_b == row:
            step += terms.amount[b]
            b += 1
        if step != 0.0:
            has, least, most = books.used[row], bounds.row_least[row], bounds.row_most[row]
            total += _broken(has + step, least, most, terms.row_scale[row])
            total -= _broken(has, least, most, terms.row_scale[row])
    return total


@njit(cache=True, nogil=True)
def exchange(spans, terms, worth, books, out, into):  # type: ignore[no-untyped-def]
    """Let ``out`` go and ``into`` come (-1 = none)."""
    if out >= 0:
        seat(spans, terms, worth, books, out, -1)
    if into >= 0:
        seat(spans, terms, worth, books, into, 1)


@njit(cache=True, nogil=True)
def _note(state, k):  # type: ignore[no-untyped-def]
    """Note the gain of k as it was before the first change since the notes were emptied."""
    gain, _, _, _, noted, notes, number = state
    if noted[k] != number[1]:
        noted[k] = number[1]
        notes[number[0], 0], notes[number[0], 1] = gain[k], k
        number[0] += 1


@njit(cache=True, nogil=True)
def _put_back(state):  # type: ignore[no-untyped-def]
    """Give all gains back what was noted of them."""
    gain, _, _, _, _, notes, number = state
    for at in range(number[0]):
        gain[int(notes[at, 1])] = notes[at, 0]


@njit(cache=True, nogil=True)
def _refresh(spans, books, index, k, state):  # type: ignore[no-untyped-def]
    """Compute the gains anew of all candidates that share an indexed cell with k."""
    gain, stamp, tick, movable, _, _, _ = state
    indptr, first, end, won, lost = spans.indptr, spans.first, spans.end, books.won, books.lost
    tick[0] += 1
    stamp[k] = tick[0]
    _note(state, k)
    gain[k] = service_change(spans.indptr, spans.first, spans.end, books.won, books.lost, -1, k)
    for e in range(spans.indptr[k], spans.indptr[k + 1]):
        for c in range((spans.first[e] + index.step - 1) // index.step, (spans.end[e] - 1) // index.step + 1):
            for m in range(index.indptr[c], index.indptr[c + 1]):
                other = index.members[m]
                if stamp[other] != tick[0]:
                    stamp[other] = tick[0]
                    if movable[other] and not books.taken[other]:
                        _note(state, other)
                        gain[other] = service_change(indptr, first, end, won, lost, -1, other)


@njit(cache=True, nogil=True)
def _best_joining(spans, terms, bounds, books, state, gone, broken):  # type: ignore[no-untyped-def]
    """The best to come where a site (-1 = none) has gone; its own return is among them. -1 = none."""
    gain, _, _, movable, _, _, _ = state
    rows = rows_broken(terms, bounds, books)
    refused = np.empty(32, dtype=np.int64)
    number = 0
    while True:
        best, most = -1, -np.inf
        for k in range(gain.size):
            if movable[k] and not books.taken[k] and gain[k] + terms.bonus[k] > most:
                known = False
                for r in range(number):
                    known = known or refused[r] == k
                if (not known and rival(terms, books, k) == -1
                        and rows + rows_change(terms, bounds, books, -1, k) <= broken + SLACK):
                    best, most = k, gain[k] + terms.bonus[k]
        if best < 0 or best == gone or bounds.floor_least.size == 0:
            return best
        put(spans, terms, books, best, 1)
        good = rows_broken(terms, bounds, books) + floors_broken(terms, bounds, books) <= broken + SLACK
        put(spans, terms, books, best, -1)
        if good:
            return best
        if number == 32:
            return -1
        refused[number] = best
        number += 1


@njit(cache=True, nogil=True)
def _trial(spans, terms, bounds, books, worth, index, state, ask):  # type: ignore[no-untyped-def]
    """Let a site give way to the best that fits: to none, one, or with ``twice`` to two. By how much the value rose.

    ``ask`` is (the site, twice, least rise). Without a rise all is as it was.
    """
    k, twice, least = ask
    movable, counter = state[3], state[6]
    has = terms.bonus[k] - service_change(spans.indptr, spans.first, spans.end, books.won, books.lost, k, -1)
    broken = rows_broken(terms, bounds, books) + floors_broken(terms, bounds, books)
    counter[0], counter[1] = 0, counter[1] + 1
    seat(spans, terms, worth, books, k, -1)
    _refresh(spans, books, index, k, state)
    movable[k] = not twice  # with two to come for it, its own return is left out
    come, total, best, best_total = np.full(2, -1), 0.0, 0, -np.inf
    for step in range(3):  # 0, 1, 2 come for k
        good = rows_broken(terms, bounds, books) + floors_broken(terms, bounds, books) <= broken + SLACK
        if good and total > best_total and total > has + least:
            best, best_total = step, total
        if step == 2 or (step == 1 and (not twice or best_total > has + least)):
            break
        other = _best_joining(spans, terms, bounds, books, state, k, broken)
        if other < 0 or other == k or (step == 1 and state[0][other] + terms.bonus[other] <= 0.0):
            break
        total += state[0][other] + terms.bonus[other]
        come[step] = other
        seat(spans, terms, worth, books, other, 1)
        _refresh(spans, books, index, other, state)
    movable[k] = True
    good = best_total > has + least
    for step in range(1, -1, -1):
        if come[step] >= 0 and (not good or step >= best):
            seat(spans, terms, worth, books, come[step], -1)
            if good:
                _refresh(spans, books, index, come[step], state)
    if good:
        return best_total - has
    seat(spans, terms, worth, books, k, 1)
    _put_back(state)
    return 0.0


@njit(cache=True, nogil=True)
def swap_pass(spans, terms, bounds, books, worth, index, movable, twice):  # type: ignore[no-untyped-def]
    """One pass of swap search: each chosen site, least loss first, gives way to the best other one where that helps.

    A site whose price is above its loss goes without another; with ``twice`` two may come for one; at last all
    that helps and fits is added. Limits that hold go on holding. Returns by how much the value rose, and the number
    of changes.
    """
    n, movable = movable.size, movable.copy()
    gain, stamp, tick = np.full(n, -np.inf), np.zeros(n, dtype=np.int64), np.zeros(1, dtype=np.int64)
    noted, notes, counter = np.full(n, -1, dtype=np.int64), np.empty((n, 2)), np.zeros(2, dtype=np.int64)
    state = (gain, stamp, tick, movable, noted, notes, counter)
    indptr, first, end, won, lost = spans.indptr, spans.first, spans.end, books.won, books.lost
    loss, sites, number = np.empty(n), np.empty(n, dtype=np.int64), 0
    for k in range(n):
        if movable[k]:
            if books.taken[k]:
                loss[number] = terms.bonus[k] - service_change(indptr, first, end, won, lost, k, -1)
                sites[number] = k
                number += 1
            else:
                gain[k] = service_change(indptr, first, end, won, lost, -1, k)
    order = np.argsort(loss[:number], kind="mergesort")
    least = 1e-6 * max(abs(loss[order[number - 1]]) if number > 0 else 0.0, 1e-300)
    rise, changes = 0.0, 0
    for place in range(number):
        step = _trial(spans, terms, bounds, books, worth, index, state, (sites[order[place]], twice, least))
        rise += step
        changes += 1 if step > 0.0 else 0
    while True:
        broken = rows_broken(terms, bounds, books) + floors_broken(terms, bounds, books)
        k = _best_joining(spans, terms, bounds, books, state, -1, broken)
        if k < 0 or gain[k] + terms.bonus[k] <= least:
            break
        rise += gain[k] + terms.bonus[k]
        changes += 1
        seat(spans, terms, worth, books, k, 1)
        counter[0], counter[1] = 0, counter[1] + 1
        _refresh(spans, books, index, k, state)
    return rise, changes
