"""Passes of the bound of a selection: runs of cells in small blocks, limits of a row one at a time.

A block is some thousand neighbouring cells: their sums stay in the first cache while the runs of all candidates in it
are read in order. Runs that cross the end of a block are cut there.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_steps(indptr, first, end, values, out):  # type: ignore[no-untyped-def]
    """Add the value of each candidate where its runs begin, take it off where they end; ``out`` (cells + 1,)."""
    for i in range(indptr.size - 1):
        value = values[i]
        for e in range(indptr[i], indptr[i + 1]):
            out[first[e]] += value
            out[end[e]] -= value


@njit(cache=True, nogil=True)
def add_by_number(number, values, out):  # type: ignore[no-untyped-def]
    """Add values to the places that ``number`` names, negative ones left out."""
    for j in range(number.size):
        if number[j] >= 0:
            out[number[j]] += values[j]


@njit(cache=True, nogil=True)
def count_runs(indptr, first, end, size, out):  # type: ignore[no-untyped-def]
    """Add the runs of each block of ``size`` cells to ``out`` (blocks,)."""
    for e in range(indptr[0], indptr[-1]):
        for block in range(first[e] // size, (end[e] - 1) // size + 1):
            out[block] += 1


@njit(cache=True, nogil=True)
def fill_runs(order, reach, size, at, runs):  # type: ignore[no-untyped-def]
    """Sort runs by block, within a block by place in ``order`` (candidates).

    ``at`` (blocks,) holds the next free place of each block and is moved on; ``runs`` is (place in ``order``, first
    cell, cell after the last), counted from the start of the block, filled.
    """
    indptr, first, end = reach
    who, begin, stop = runs
    for k in range(order.size):
        i = order[k]
        for e in range(indptr[i], indptr[i + 1]):
            a, b = np.int64(first[e]), np.int64(end[e])
            while a < b:
                block = a // size
                cut = min(b, (block + 1) * size)
                here = at[block]
                who[here], begin[here], stop[here] = k, a - block * size, cut - block * size
                at[block] = here + 1
                a = cut


@njit(cache=True, nogil=True)
def _crowd(part, runs, y, step):  # type: ignore[no-untyped-def]
    """Steps of the sum of y over the cells of a block into ``step``, which is zero."""
    who, begin, stop = runs
    for e in range(part[0], part[1]):
        value = y[who[e]]
        if value != 0.0:
            step[begin[e]] += value
            step[stop[e]] -= value


@njit(cache=True, nogil=True)
def _gather(part, runs, before, r):  # type: ignore[no-untyped-def]
    """Add sums over runs, from the running sum ``before`` of a block, to each candidate's ``r``."""
    who, begin, stop = runs
    for e in range(part[0], part[1]):
        r[who[e]] += before[stop[e]] - before[begin[e]]


@njit(cache=True, nogil=True)
def advance_cells(blocks, runs, cells, y, numbers, out):  # type: ignore[no-untyped-def]
    """One step of the cells' shares against y, and the reach sums of the worth so priced.

    ``blocks`` is (first run of each block and the end, cells in a block, first and last + 1 of the blocks to do);
    ``cells`` (share of the worth that is the multiplier, sum of shares (of multipliers, where ``served`` is asked for),
    worth, 1 / crowd, share that a second server counts: empty for none); ``numbers`` (length of the step, its weight
    in the sum of shares); ``out`` (sum per candidate, added to; served share of each cell, filled unless empty). The
    result is (square of the way of the shares, sum of what the priced worth leaves over for first servers, and for
    second ones).
    """
    start, size, low, high = blocks
    share, total, worth, calm, second = cells
    length, part_weight = np.float32(numbers[0]), np.float32(numbers[1])
    r, served = out
    step, before = np.zeros(size + 1), np.zeros(size + 1)
    way, left, left_second = 0.0, 0.0, 0.0
    zero, one = np.float32(0.0), np.float32(1.0)
    for block in range(low, high):
        part = (start[block], start[block + 1])
        _crowd(part, runs, y, step)
        base = block * size
        count = min(size, share.size - base)
        crowd, run = 0.0, 0.0
        for j in range(count):
            cell = base + j
            crowd += step[j]
            step[j] = 0.0
            old = share[cell]
            pace = length * calm[cell]
            new = old + pace * (one - np.float32(crowd))
            if second.size > 0:
                turn = second[cell]
                if new < turn:
                    new = min(new + pace, turn)
            new = min(max(new, zero), one)
            move = new - old
            w = worth[cell]
            if calm[cell] > zero:
                way += move * move * w / calm[cell]
            share[cell] = new
            total[cell] += part_weight * (new * w if served.size > 0 else new)
            left += w * (one - new)
            if second.size > 0 and second[cell] > new:
                left_second += w * (second[cell] - new)
            if served.size > 0:
                served[cell] = min(max(crowd, 0.0), 1.0)
            run += w * new
            before[j + 1] = run
        step[count] = 0.0
        _gather(part, runs, before, r)
    return way, left, left_second


@njit(cache=True, nogil=True)
def weigh_cells(blocks, runs, cells, y, out):  # type: ignore[no-untyped-def]
    """What shares and y are worth: the sums of a bound and of a value.

    ``blocks`` and ``runs`` as in :func:`advance_cells`; ``cells`` is (share, worth, second); ``out`` (sum per
    candidate, added to; served share of each cell, filled unless empty). The result is (left over for first servers,
    for second ones, served worth of y).
    """
    start, size, low, high = blocks
    share, worth, second = cells
    r, served = out
    step, before = np.zeros(size + 1), np.zeros(size + 1)
    left, left_second, value = 0.0, 0.0, 0.0
    for block in range(low, high):
        part = (start[block], start[block + 1])
        _crowd(part, runs, y, step)
        base = block * size
        count = min(size, share.size - base)
        crowd, run = 0.0, 0.0
        for j in range(count):
            cell = base + j
            crowd += step[j]
            step[j] = 0.0
            w = np.float64(worth[cell])
            new = np.float64(share[cell])
            left += w * (1.0 - new)
            value += w * min(1.0, max(crowd, 0.0))
            if second.size > 0:
                left_second += w * max(second[cell] - new, 0.0)
                value += w * second[cell] * min(1.0, max(crowd - 1.0, 0.0))
            if served.size > 0:
                served[cell] = min(max(crowd, 0.0), 1.0)
            run += w * new
            before[j + 1] = run
        step[count] = 0.0
        _gather(part, runs, before, r)
    return left, left_second, value


@njit(cache=True, nogil=True)
def _held(row, limits, point, pace, price):  # type: ignore[no-untyped-def]
    """Sum of a row, and its slope, when its price is ``price`` more than in ``point``."""
    indptr, members, amounts = limits
    y0, low, high = point
    total, slope = 0.0, 0.0
    for e in range(indptr[row], indptr[row + 1]):
        i = members[e]
        value = y0[i] - pace[i] * amounts[e] * price
        if value <= low[i]:
            total += amounts[e] * low[i]
        elif value >= high[i]:
            total += amounts[e] * high[i]
        else:
            total += amounts[e] * value
            slope += pace[i] * amounts[e] * amounts[e]
    return total, slope


@njit(cache=True, nogil=True)
def _price(row, limits, point, pace, side, guess):  # type: ignore[no-untyped-def]
    """Price at which the sum of a row equals ``side``: Newton steps held between brackets; (price, found)."""
    low, high = -np.inf, np.inf
    price, wide = guess, 0.0
    slack = 1e-9 * max(1.0, abs(side))
    for _ in range(80):
        total, slope = _held(row, limits, point, pace, price)
        if abs(total - side) <= slack:
            return price
        if total > side:
            low = price
        else:
            high = price
        if slope > 0.0:
            follow = price + (total - side) / slope
        else:
            follow = np.nan
        if not low < follow < high:
            if np.isfinite(low) and np.isfinite(high):
                follow = 0.5 * (low + high)
                if follow in (low, high):
                    return price
            else:
                if wide == 0.0:
                    wide = max(1e-6, 0.1 * abs(price))
                wide *= 4.0
                if wide > 1e30:
                    return price
                follow = price + wide if total > side else price - wide
        price = follow
    return price


@njit(cache=True, nogil=True)
def settle_rows(limits, sides, point, pace, prices):  # type: ignore[no-untyped-def]
    """Bring y near to all limits, one row after the other, each exactly; ``prices`` (rows,) are moved.

    ``limits`` is (indptr, members, amounts) of the rows, ``sides`` (least, most), ``point`` (y before its limits, at
    the prices given, low, high), ``pace`` the step of each candidate. The y of ``point`` is moved, not clipped.
    """
    indptr, members, amounts = limits
    least, most = sides
    y0 = point[0]
    for row in range(least.size):
        old = prices[row]
        free = _held(row, limits, point, pace, -old)[0]
        if free > most[row]:
            new = max(_price(row, limits, point, pace, most[row], 0.0) + old, 0.0)
        elif free < least[row]:
            new = min(_price(row, limits, point, pace, least[row], 0.0) + old, 0.0)
        else:
            new = 0.0
        if new != old:
            for e in range(indptr[row], indptr[row + 1]):
                i = members[e]
                y0[i] -= pace[i] * amounts[e] * (new - old)
            prices[row] = new


@njit(cache=True, nogil=True)
def _best_price(breaks, rise, order, total, side):  # type: ignore[no-untyped-def]
    """Price at which a falling sum, ``total`` at minus infinity, comes within its limits; nearest to 0.

    Where the sum never does, no choice holds the limit: the price runs off, twice as far at every call.
    """
    least, most, old = side
    used = order.size
    if total < least:
        return 2.0 * old - max(1.0, abs(breaks[order[0]]) if used > 0 else 0.0)
    last = -np.inf
    for at in range(used + 1):
        upper = breaks[order[at]] if at < used else np.inf
        # on this side of ``last`` the sum is more than allowed, up to ``upper`` it is ``total``
        if last < 0.0 and total < least:
            return last
        if upper >= 0.0 and total <= most:
            return max(last, 0.0)
        if at < used:
            total -= rise[order[at]]
            last = upper
    return 2.0 * old + max(1.0, abs(last) if used > 0 else 0.0)


@njit(cache=True, nogil=True)
def _holds(row, limits, profit, fixed, side):  # type: ignore[no-untyped-def]
    """Whether a row that costs nothing is kept by choosing all that pays."""
    indptr, members, amounts = limits
    total = 0.0
    for e in range(indptr[row], indptr[row + 1]):
        i = members[e]
        if fixed[i] > 0 or (fixed[i] == 0 and profit[i] > 0.0):
            total += amounts[e]
    return side[0] <= total <= side[1]


@njit(cache=True, nogil=True)
def polish_rows(limits, sides, profit, fixed, prices):  # type: ignore[no-untyped-def]
    """The best price of each row while the others stay: the sum at which the order of breakpoints meets its limit.

    ``profit`` (candidates,) holds the profit at ``prices`` and is moved with them; ``fixed`` is 1 for candidates that
    are chosen whatever they cost, -1 for those that cannot be, 0 for the others.
    """
    indptr, members, amounts = limits
    least, most = sides
    for row in range(least.size):
        begin, stop = indptr[row], indptr[row + 1]
        count = stop - begin
        old = prices[row]
        if old == 0.0 and _holds(row, limits, profit, fixed, (least[row], most[row])):
            continue
        breaks, rise = np.empty(count), np.empty(count)
        total, used = 0.0, 0
        # held at a price of minus infinity: all with amounts above 0; every breakpoint takes |amount| off the sum
        for e in range(begin, stop):
            i, amount = members[e], amounts[e]
            if fixed[i] > 0:
                total += amount
            elif fixed[i] == 0 and amount != 0.0:
                if amount > 0.0:
                    total += amount
                breaks[used], rise[used] = profit[i] / amount + old, abs(amount)
                used += 1
        order = np.argsort(breaks[:used])
        new = _best_price(breaks, rise, order, total, (least[row], most[row], old))
        if new != old:
            for e in range(begin, stop):
                profit[members[e]] -= amounts[e] * (new - old)
            prices[row] = new


@njit(cache=True, nogil=True)
def grow_cliques(indptr, others, done, members, ends):  # type: ignore[no-untyped-def]
    """Cover the edges of a graph by cliques, greedily; the numbers of cliques and of members.

    ``indptr``, ``others`` hold the neighbours of each node, ascending, ``done`` a flag for each of these entries (0);
    ``members`` (room for four times as many as entries of ``others``) and ``ends`` are filled.
    """
    nodes = indptr.size - 1
    mark = np.full(nodes, -1, np.int64)
    filled, cliques = 0, 0
    for i in range(nodes):
        for e in range(indptr[i], indptr[i + 1]):
            if done[e] or others[e] < i:
                continue
            begin = filled
            members[begin], members[begin + 1] = i, others[e]
            filled += 2
            done[e] = 1
            # first neighbours whose edge to i is not covered yet, then any that are near to all
            for fresh in range(2):
                if fresh == 1 and filled > members.size // 2:
                    break
                for f in range(indptr[i], indptr[i + 1]):
                    k = others[f]
                    if (fresh == 0) == (done[f] != 0) or k == others[e]:
                        continue
                    if mark[k] != e and _near_all(indptr, others, k, members, begin + 1, filled):
                        members[filled] = k
                        mark[k] = e
                        filled += 1
            _cover(indptr, others, done, members, begin, filled)
            ends[cliques] = filled
            cliques += 1
    return cliques, filled


@njit(cache=True, nogil=True)
def _find(indptr, others, i, k):  # type: ignore[no-untyped-def]
    """Place of k among the neighbours of i, or -1."""
    low, high = indptr[i], indptr[i + 1]
    while low < high:
        middle = (low + high) // 2
        if others[middle] < k:
            low = middle + 1
        else:
            high = middle
    return low if low < indptr[i + 1] and others[low] == k else -1


@njit(cache=True, nogil=True)
def _near_all(indptr, others, k, members, begin, end):  # type: ignore[no-untyped-def]
    for at in range(begin, end):  # noqa: SIM110 - a compiled loop
        if _find(indptr, others, members[at], k) < 0:
            return False
    return True


@njit(cache=True, nogil=True)
def _cover(indptr, others, done, members, begin, end):  # type: ignore[no-untyped-def]
    """Flag all edges within a clique, in both directions."""
    for at in range(begin, end):
        for to in range(begin, end):
            if at != to:
                done[_find(indptr, others, members[at], members[to])] = 1
