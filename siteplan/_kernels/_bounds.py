"""The proofs of the exact mode: upper bounds of the samples of all profiles of a wedge, from the rays at its sides.

How far a surface can rise above the interpolation. Between two points A and B, L < 1 pixels apart, a bilinear surface
is a function g of u in 0..1. Its slope bends by L times a second difference of the pixels, at most, where a line
between pixel centres is crossed, and g'' = 2 dx dy twist elsewhere, |dx dy| <= L^2 / 2. By Green's function of the
interval g exceeds its chord at u by u (1 - u) times the sum of all downward bends at most. The arc between A and B is
within L turn / 8 pixels of the chord, and in the same rectangle: no wedge contains a direction along rows or columns,
as their number is a multiple of 4 and the first begins in the north.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

CHUNK = 16
LANES = 16
"""Pixels that are marked in one word."""
ROUNDING = np.float32(3e-7)
"""Share of a slope that float32 may lose on the way to a bound, generously."""
ALL_BUT_SIGN = np.int32(0x7FFFFFFF)
"""Bits to turn in a negative float32 seen as int32, so that whole numbers are ordered as the floats are."""
NOWHERE = np.float32(-1e9)
"""Bound of the slope where a ray has ended."""


# The tables of a wedge are three arrays, as each array that is handed on costs time in every wedge. One column a pixel
# or a listed sample; distances in pixels, slopes in m per pixel.
# What is maximised over the samples, by SQUARED (over = slope over the sight line, d and e the distances of the sample
# and the receiver). 1: over |over| d e / (e - d), the signed square of the knife-edge parameter bar a constant; 0: over
# d / (e - d), the slope over the sight line as seen from the receiver. While ``steepest`` is asked for it is over.
PLACE, SPOT, COUNT, WHERE, BEATS = range(5)
"""int32: place in the windows of 2R + 1 and of 2R + 3, samples, that of the greatest value, marked chunks."""
AWAY, LINE, NORTH, EAST, BEST = range(5)
"""float64: distance, slope of the sight line, its direction to the south and east, greatest value."""
SHARE, SQUARED, LOW_LINE, NEAR, LEAST, BUFFER = range(6)
"""float32: share of the way from the left to the right ray, what is maximised; for the bounds, rounded in their favour:
the sight line, the distance, what must be beaten; a buffer."""
SLOPE, TWIST, BEND = range(3)
"""What the bounds need of a ray at 1, 1.5, 2, ... pixels from the mast, padded to whole chunks: slope from the antenna
in m per pixel with all that rounding may take, the bends within the sample's cell and beside it (m per pixel)."""


@njit(cache=True, nogil=True)
def fill_bends(surface, turn, width, point, bend):  # type: ignore[no-untyped-def]
    """Fill ``bend`` per cell, named by its upper left pixel: metres per pixel of distance.

    Between two points L pixels apart, at most ``width`` < 1, in this cell and a cell beside it, the surface exceeds
    the chord by L / 4 of this at most, and the arc of angle ``turn`` that has this chord, too. ``point`` is a buffer.
    """
    rows, cols = surface.shape
    widen = np.float32(math.sqrt(2.0))
    width, turn = np.float32(width), np.float32(turn)
    for i in range(1, rows - 1):
        up, here, down, out = surface[i - 1], surface[i], surface[i + 1], point[i]
        for j in range(1, cols - 1):
            h = here[j]
            left, right, over, under = here[j - 1] - h, here[j + 1] - h, up[j] - h, down[j] - h
            kink = max(-left - right, -over - under, np.float32(0.0))
            twist = max(abs(up[j - 1] - h - left - over), abs(up[j + 1] - h - right - over),
                        abs(down[j - 1] - h - left - under), abs(down[j + 1] - h - right - under))
            steep = max(abs(left), abs(right), abs(over), abs(under))
            out[j] = widen * kink + width * twist + turn * steep
    for i in range(1, rows - 2):
        upper, lower, out = point[i], point[i + 1], bend[i]
        for j in range(1, cols - 2):
            out[j] = max(upper[j], upper[j + 1], lower[j], lower[j + 1])


@njit(cache=True, nogil=True)
def _ray_places(width, angle, count, cell, room):  # type: ignore[no-untyped-def]
    """Cells and bilinear weights of the samples of a ray."""
    centre, sin, cos, wide = float(width // 2), math.sin(angle), math.cos(angle), np.int32(width)
    for k in range(count):
        d = 1.0 + 0.5 * np.int32(k)
        y, x = centre - d * cos, centre + d * sin
        i, j = np.int32(y), np.int32(x)
        room[0, k], room[1, k] = y - i, x - j
        cell[k] = np.int32(i * wide + j)


@njit(cache=True, nogil=True)
def _ray_reads(pairs, flat_bend, width, count, cell, words, ray):  # type: ignore[no-untyped-def]
    """Read the four heights around each sample, two by two, and the bend of its cell."""
    wide = np.uint32(width)
    for k in range(count):
        p = np.uint32(cell[k])
        words[0, k], words[1, k] = pairs[p], pairs[np.uint32(p + wide)]
        ray[BEND, k] = flat_bend[p]


@njit(cache=True, nogil=True, error_model="numpy")
def _ray_slopes(link, count, room, heights, ray):  # type: ignore[no-untyped-def]
    """Slopes with their rounding, and the bends within the cells."""
    antenna, drop, loose, turn, widest = link
    half = np.float32(0.5)
    for k in range(count):
        d = np.float32(1.0) + half * np.float32(np.int32(k))
        a, b, u, v = heights[0, 2 * k], heights[0, 2 * k + 1], heights[1, 2 * k], heights[1, 2 * k + 1]
        east, under = b - a, v - u
        down, wy, wx = u - a, np.float32(room[0, k]), np.float32(room[1, k])
        steep = (a + wx * east + wy * (down + wx * (under - east)) - antenna) / d
        ray[SLOPE, k] = steep + (ROUNDING * (abs(steep) + drop * d) + loose / d - drop * d)
    for k in range(count):
        a, b, u, v = heights[0, 2 * k], heights[0, 2 * k + 1], heights[1, 2 * k], heights[1, 2 * k + 1]
        east, under = b - a, v - u
        crossed = abs(under - east)
        ray[TWIST, k] = widest * crossed + turn * (max(abs(east), abs(u - a)) + crossed)


@njit(cache=True, nogil=True)
def sample_ray(pairs, flat_bend, line, link, buffers, count, cell, ray):  # type: ignore[no-untyped-def]
    """Fill the cells and rows ``SLOPE``, ``TWIST``, ``BEND`` of a ray of ``count`` samples.

    ``pairs`` are the heights two by two, ``line`` is (width of the window, angle of the ray), ``link`` is (height of
    the antenna, Earth drop, rounding of the heights, angle of a wedge, its width at the rim in pixels), ``buffers``
    are two rows of float64, of int64, and the latter seen as float32.
    """
    (width, angle), (room, words, heights) = line, buffers
    _ray_places(width, angle, count, cell, room)
    _ray_reads(pairs, flat_bend, width, count, cell, words, ray)
    _ray_slopes(link, count, room, heights, ray)


@njit(cache=True, nogil=True)
def _greatest_of_chunks(words, chunks):  # type: ignore[no-untyped-def]
    """Greatest of each chunk; float32 seen as whole numbers of the same order, as the compiler vectorises these."""
    for c in range(chunks.size):
        k0, greatest = np.uint64(c * CHUNK), np.int32(-0x80000000)
        for k in range(CHUNK):
            word = words[k0 + np.uint64(k)]
            greatest = max(greatest, np.int32(word ^ ((word >> np.int32(31)) & ALL_BUT_SIGN)))
        chunks[c] = greatest ^ ((greatest >> np.int32(31)) & ALL_BUT_SIGN)


@njit(cache=True, nogil=True)
def bound_wedge(cells, rays, right, quarter, count, sides, chunks):  # type: ignore[no-untyped-def]
    """Fill ``sides``: slopes of the left ray, of the right ray, what the slopes halfway can exceed their mean by.

    ``rays`` holds both rays, ``right`` is the number of the right one; ``quarter`` is a quarter of the angle of the
    wedge. ``sides`` and ``chunks`` come as (float32, the same seen as int32). ``chunks`` is filled with the greatest
    bounds, and with the peaks: the greatest mean of both rays, whose last four bits are replaced by the sample's place
    in the chunk. The last row of ``sides`` is a buffer.
    """
    (sides, words), (_, chunks), left = sides, chunks, 1 - right
    for k in range(count):
        bend = max(rays[0, BEND, k], rays[1, BEND, k])
        sides[2, k] = quarter * (rays[0, TWIST, k] if cells[0, k] == cells[1, k] else bend)
    for k in range(count):
        sides[0, k] = rays[left, SLOPE, k]
    for k in range(count):
        sides[1, k] = rays[right, SLOPE, k]
    for k in range(count):
        sides[3, k] = max(rays[0, SLOPE, k], rays[1, SLOPE, k]) + sides[2, k]
    sides[3, count:] = NOWHERE
    _greatest_of_chunks(words[3], chunks[0])
    for k in range(count):
        sides[3, k] = np.float32(0.5) * (rays[0, SLOPE, k] + rays[1, SLOPE, k])
    for k in range(count):
        words[3, k] = (words[3, k] & np.int32(-CHUNK)) | (np.int32(k) & np.int32(CHUNK - 1))
    _greatest_of_chunks(words[3], chunks[1])


@njit(cache=True, nogil=True, error_model="numpy")
def choose_peaks(steepest, peaks, n, f, count):  # type: ignore[no-untyped-def]
    """Choose in ``WHERE`` a sample of each pixel: among the peaks of the chunks that which seems to be worth most.

    ``peaks`` are of :func:`bound_wedge`, as whole numbers and seen as float32, and so is ``f``. A choice is good or
    bad, never wrong: the value is one whole number, rounded, its last bits name the chunk.
    """
    (coded, slopes), (values, words) = peaks, f
    one, half, none = np.float32(1.0), np.float32(0.5), np.int32(-0x80000000)
    n[BEATS, :count] = none
    start, stop = 0, (count + LANES - 1) // LANES * LANES
    for c in range(slopes.size):
        k0 = np.int32(c * CHUNK)
        while start < count and n[COUNT, start] <= k0:
            start += 1
        if start == count:
            break
        k, code, i0 = k0 + (coded[c] & np.int32(CHUNK - 1)), np.int32(min(c, 1023)), np.uint64(start // LANES * LANES)
        slope, d = slopes[c], one + half * np.float32(k)
        for j in range(stop - np.int64(i0)):
            i = i0 + np.uint64(j)
            over, p = slope - values[LOW_LINE, i], values[SQUARED, i]
            value = over * (p * abs(over) + (one - p)) * (d / max(values[NEAR, i] - d, half))
            values[BUFFER, i] = over if steepest else value
        for j in range(stop - np.int64(i0)):
            i = i0 + np.uint64(j)
            word = words[BUFFER, i] ^ ((words[BUFFER, i] >> np.int32(31)) & ALL_BUT_SIGN)
            word = np.int32((word & np.int32(-1024)) | code)
            n[BEATS, i] = max(n[BEATS, i], word if n[COUNT, i] > k else none)
    for b in range(count):
        chosen = np.uint32(n[BEATS, b] & np.int32(1023))
        k = np.int32(chosen * np.uint32(CHUNK)) + (coded[chosen] & np.int32(CHUNK - 1))
        n[WHERE, b] = min(k, n[COUNT, b] - np.int32(1))


@njit(cache=True, nogil=True)
def choose_before(steepest, sides, n, z, f, last, count):  # type: ignore[no-untyped-def]
    """Choose instead what pixels about as far away (``last``) chose in the wedge before, if that seems worth more."""
    one, half = np.float32(1.0), np.float32(0.5)
    for i in range(count):
        n[BEATS, i] = min(last[np.uint32(z[AWAY, i])], n[COUNT, i] - np.int32(1))
    for i in range(count):
        f[BUFFER, i] = sides[0, np.uint32(n[BEATS, i])]
    for i in range(count):
        f[LEAST, i] = sides[1, np.uint32(n[BEATS, i])]
    for i in range(count):
        f[BUFFER, i] += f[SHARE, i] * (f[LEAST, i] - f[BUFFER, i]) - f[LOW_LINE, i]
    for i in range(count):
        k = np.uint32(n[WHERE, i])
        f[LEAST, i] = half * (sides[0, k] + sides[1, k])
    for i in range(count):
        new, old, p = f[BUFFER, i], f[LEAST, i] - f[LOW_LINE, i], f[SQUARED, i]
        at_new, at_old = one + half * np.float32(n[BEATS, i]), one + half * np.float32(n[WHERE, i])
        better = new > old
        if not steepest:
            better = (new * (p * abs(new) + (one - p)) * at_new * (f[NEAR, i] - at_old)
                      > old * (p * abs(old) + (one - p)) * at_old * (f[NEAR, i] - at_new))
        n[WHERE, i] = n[BEATS, i] if better else n[WHERE, i]


@njit(cache=True, nogil=True, error_model="numpy")
def set_limits(z, f, count):  # type: ignore[no-untyped-def]
    """What a bound must beat, each number rounded so that no sample that beats the best is lost."""
    for i in range(count):
        p = float(f[SQUARED, i])
        limit = z[BEST, i] / (p * z[AWAY, i] + (1.0 - p))
        f[LEAST, i] = np.float32(limit - 3e-6 * abs(limit))
        f[NEAR, i] = np.float32(z[AWAY, i] - (1.5e-7 if limit > 0.0 else -1.5e-7) * z[AWAY, i])


@njit(cache=True, nogil=True)
def mark_chunks(steepest, chunks, n, f, masks, count):  # type: ignore[no-untyped-def]
    """Mark the pixels for which the greatest bound of a chunk beats their best; returns the number of masks.

    A mask is of 16 pixels and one chunk. A bound above the sight line is taken at the far end of a chunk, another one
    at its near end.
    """
    zero, one, half, found = np.float32(0.0), np.float32(1.0), np.float32(0.5), np.uint32(0)
    at_e, at_d = (zero, one) if steepest else (one, -one)
    for block in range((count + LANES - 1) // LANES):
        i0, longest = np.uint64(block * LANES), np.int32(1)
        for j in range(LANES):
            longest = max(longest, n[COUNT, i0 + np.uint64(j)])
        for c in range((longest - 1) // CHUNK + 1):
            k0, bound, mask = np.int32(c * CHUNK), chunks[c], np.int32(0)
            first = one + half * np.float32(k0)
            far = first + half * np.float32(CHUNK - 1)
            for j in range(LANES):
                i = i0 + np.uint64(j)
                over, p, end = bound - f[LOW_LINE, i], f[SQUARED, i], half + half * np.float32(n[COUNT, i])
                d = min(far, end) if over > zero else first
                beats = over * (p * abs(over) + (one - p)) * d > f[LEAST, i] * (at_e * f[NEAR, i] + at_d * d)
                yes = beats & (n[COUNT, i] > k0)
                mask = np.int32(mask | np.int32(np.int32(np.int32(1) << np.int32(j)) if yes else np.int32(0)))
            masks[0, found], masks[1, found] = np.int32((block << 12) + c), mask
            found += np.uint32(mask != 0)
    return found


@njit(cache=True, nogil=True)
def mark_samples(steepest, sides, n, f, spots, masks, count):  # type: ignore[no-untyped-def]
    """Mark the samples of the listed chunks whose bound beats the best of their pixel; returns the number of masks."""
    zero, one, half, four = np.float32(0.0), np.float32(1.0), np.float32(0.5), np.float32(4.0)
    at_e, at_d = (zero, one) if steepest else (one, -one)
    found = np.uint32(0)
    for b in range(count):
        i, begin = np.uint32(spots[0, b]), spots[1, b] * np.int32(CHUNK)
        k0, part, line, least, e = np.uint64(begin), f[SHARE, i], f[LOW_LINE, i], f[LEAST, i], f[NEAR, i]
        p, rest, first = f[SQUARED, i], one - part, one + half * np.float32(begin)
        q, curve = one - p, four * part * rest
        stop, known = np.int32(n[COUNT, i] - begin), np.int32(n[WHERE, i] - begin)
        mask = np.int32(0)
        for k in range(CHUNK):
            at = k0 + np.uint64(k)
            over = rest * sides[0, at] + part * sides[1, at] + curve * sides[2, at] - line
            d = first + half * np.float32(np.int32(k))
            beats = over * (p * abs(over) + q) * d > least * (at_e * e + at_d * d)
            yes = beats & (np.int32(k) < stop) & (np.int32(k) != known)
            mask = np.int32(mask | np.int32(np.int32(np.int32(1) << np.int32(k)) if yes else np.int32(0)))
        masks[0, found], masks[1, found] = b, mask
        found += np.uint32(mask != 0)
    return found
