"""The exact mode: every pixel of a disc by its own profile, pruned by proofs.

The disc is cut into wedges less than a pixel wide at the rim. The two rays that bound a wedge are sampled once, at the
distances of all profiles. A sample of the profile of a pixel between them lies close to the interpolation between the
two rays' samples, and how much higher it can lie follows from the bends of the surface beside it (:mod:`._bounds`). So
each sample has an upper bound without being taken. A pixel starts with one sample: where the interpolation between the
rays seems to be worth most among the peaks of all chunks of 16 samples, or where its neighbours in the wedge before
had their greatest value. Only chunks, and samples in them, whose bound beats this are looked at. Everything
that is reported was sampled on the pixel's own profile.

The work of a wedge is cut into loops over plain arrays: those that read scattered places do nothing else, so that the
compiler turns all others into vector instructions.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from siteplan._kernels._bounds import (
    AWAY,
    BEST,
    BUFFER,
    CHUNK,
    COUNT,
    EAST,
    LANES,
    LINE,
    LOW_LINE,
    NEAR,
    NORTH,
    PLACE,
    ROUNDING,
    SHARE,
    SPOT,
    SQUARED,
    WHERE,
    bound_wedge,
    choose_before,
    choose_peaks,
    fill_bends,
    mark_chunks,
    mark_samples,
    sample_ray,
    set_limits,
)
from siteplan._kernels._disc import BAND_RAYS
from siteplan._kernels._nouns import CLEAR_NU
from siteplan._kernels._sweep import _pair_up

LEAST_NU = -1.25
"""Below this nu at 1 GHz the knife edge costs nothing from 0.4 GHz upwards: J(nu) = 0 up to nu = -0.78."""
WIDEST = 0.7
"""Greatest width of a wedge at the rim, pixels; the bounds need less than 1."""
LIST = 4096 + CHUNK
"""Room for the samples that are taken at a time, a chunk more than are."""


PIXEL, SAMPLE, CELL = range(3)
"""int32, listed samples: pixel of the wedge, number of the sample, upper left pixel of its cell."""
DOWN, RIGHT, VALUE = range(3)
"""float64, listed samples: bilinear weights, value."""


@njit(cache=True, nogil=True)
def _find_cells(frame, listed, found, count):  # type: ignore[no-untyped-def]
    """Cells and bilinear weights of the listed samples, whose directions stand where the weights will."""
    wide, centre = np.int32(frame[0]), frame[1]
    for b in range(count):
        d = 1.0 + 0.5 * listed[SAMPLE, b]
        y, x = centre + d * found[DOWN, b], centre + d * found[RIGHT, b]
        row, col = np.int32(y), np.int32(x)
        found[DOWN, b], found[RIGHT, b] = y - row, x - col
        listed[CELL, b] = np.int32(row * wide + col)


@njit(cache=True, nogil=True)
def _read_heights(pairs, wide, listed, words, count):  # type: ignore[no-untyped-def]
    """Read the four heights around each listed sample, two by two."""
    for b in range(count):
        p = np.uint32(listed[CELL, b])
        words[0, b], words[1, b] = pairs[p], pairs[np.uint32(p + np.uint32(wide))]


@njit(cache=True, nogil=True, error_model="numpy")
def _find_slopes(frame, listed, heights, found, count):  # type: ignore[no-untyped-def]
    """Slopes of the listed samples from the antenna, in the arithmetic of :mod:`._exact`."""
    _, _, antenna, drop = frame
    for b in range(count):
        fx, fy = found[RIGHT, b], found[DOWN, b]
        above = heights[0, 2 * b] + fx * (heights[0, 2 * b + 1] - heights[0, 2 * b])
        below = heights[1, 2 * b] + fx * (heights[1, 2 * b + 1] - heights[1, 2 * b])
        d = 1.0 + 0.5 * listed[SAMPLE, b]
        found[VALUE, b] = (above + fy * (below - above) - antenna) * (1.0 / d) - drop * d


@njit(cache=True, nogil=True, error_model="numpy")
def _find_values(steepest, listed, heights, found, count):  # type: ignore[no-untyped-def]
    """Slopes to values."""
    for b in range(count):
        found[VALUE, b] -= found[DOWN, b]
    if steepest:
        return
    for b in range(count):
        d, over, p, away = 1.0 + 0.5 * listed[SAMPLE, b], found[VALUE, b], float(heights[0, b]), found[RIGHT, b]
        found[VALUE, b] = over * (p * abs(over) + (1.0 - p)) * (d * (p * away + (1.0 - p)) / (away - d))


@njit(cache=True, nogil=True, inline="always")
def _take(steepest, surface, n, z, f, lists, count):  # type: ignore[no-untyped-def]
    """Take the listed samples and keep the greatest of each pixel."""
    (pairs, frame), (listed, words, heights, found, _) = surface, lists
    for b in range(count):
        i = np.uint32(listed[PIXEL, b])
        found[DOWN, b], found[RIGHT, b] = z[NORTH, i], z[EAST, i]
    _find_cells(frame, listed, found, count)
    _read_heights(pairs, frame[0], listed, words, count)
    _find_slopes(frame, listed, heights, found, count)
    for b in range(count):
        i = np.uint32(listed[PIXEL, b])
        found[DOWN, b], found[RIGHT, b], heights[0, b] = z[LINE, i], z[AWAY, i], f[SQUARED, i]
    _find_values(steepest, listed, heights, found, count)
    for b in range(count):
        i = np.uint32(listed[PIXEL, b])
        value, old, place = found[VALUE, b], z[BEST, i], n[WHERE, i]
        greater = value > old
        z[BEST, i] = value if greater else old
        n[WHERE, i] = listed[SAMPLE, b] if greater else place


@njit(cache=True, nogil=True, inline="always")
def _take_first(steepest, surface, n, z, f, lists, count):  # type: ignore[no-untyped-def]
    """Take one sample of each pixel."""
    (pairs, frame), (listed, words, heights, found, _) = surface, lists
    for i in range(count):
        listed[SAMPLE, i], found[DOWN, i], found[RIGHT, i] = n[WHERE, i], z[NORTH, i], z[EAST, i]
    _find_cells(frame, listed, found, count)
    _read_heights(pairs, frame[0], listed, words, count)
    _find_slopes(frame, listed, heights, found, count)
    for i in range(count):
        found[DOWN, i], found[RIGHT, i], heights[0, i] = z[LINE, i], z[AWAY, i], f[SQUARED, i]
    _find_values(steepest, listed, heights, found, count)
    for i in range(count):
        z[BEST, i] = max(z[BEST, i], found[VALUE, i])


@njit(cache=True, nogil=True)
def _list_bits(masks, start, count, listed, as_float):  # type: ignore[no-untyped-def]
    """List (owner, number of the bit) for each bit of the masks (owners, masks); returns their number.

    One bit of each mask in a pass over all that are left, as no branch depends on a bit then. The number of a bit is
    the exponent of its value in float32; ``as_float`` is ``listed`` seen as such. The input is used up.
    """
    found, left = np.uint32(0), np.uint32(count)
    while left:
        some = np.uint32(start)
        for j in range(np.int64(left)):
            b = np.uint32(start + j)
            i, bits = masks[0, b], masks[1, b]
            listed[0, found], listed[1, found] = i, bits & -bits
            found += np.uint32(bits != 0)
            rest = np.int32(bits & (bits - 1))
            masks[0, some], masks[1, some] = i, rest
            some += np.uint32(rest != 0)
        left = np.uint32(some - np.uint32(start))
    for k in range(found):
        as_float[2, k] = np.float32(listed[1, k])
    for k in range(found):
        listed[1, k] = np.int32((listed[2, k] >> np.int32(23)) - np.int32(127))
    return found


@njit(cache=True, nogil=True, inline="always")
def _take_marked(steepest, surface, tables, spots, masks, count, lists):  # type: ignore[no-untyped-def]
    """Take the marked samples of the listed chunks."""
    (n, z, f, _), listed = tables, lists[0]
    for first in range(0, count, (LIST // CHUNK - 1)):
        size = min(count - first, (LIST // CHUNK - 1))
        found = _list_bits(masks, first, size, listed, lists[4])
        for j in range(found):
            b = np.uint32(listed[PIXEL, j])
            listed[PIXEL, j], listed[SAMPLE, j] = spots[0, b], listed[SAMPLE, j] + spots[1, b] * np.int32(CHUNK)
        _take(steepest, surface, n, z, f, lists, found)


@njit(cache=True, nogil=True)
def _maximise(steepest, kind, surface, wedge, tables, count, memory):  # type: ignore[no-untyped-def]
    """Raise the best of each pixel of a wedge to the greatest value of all its samples."""
    (sides, chunks, coded), (n, z, f, f_coded), (last, spots, spots_as_float, masks, lists) = wedge, tables, memory
    for i in range(count):
        f[NEAR, i] = z[AWAY, i]
    choose_peaks(steepest, (coded[1], chunks[1]), n, (f, f_coded), count)
    choose_before(steepest, sides, n, z, f, last[kind], count)
    _take_first(steepest, surface, n, z, f, lists, count)
    set_limits(z, f, count)
    found = mark_chunks(steepest, chunks[0], n, f, masks, count)
    found = _list_bits(masks, 0, found, spots, spots_as_float)
    for b in range(found):
        code = spots[0, b]
        spots[0, b], spots[1, b] = (code >> np.int32(12)) * np.int32(LANES) + spots[1, b], code & np.int32(4095)
    found = mark_samples(steepest, sides, n, f, spots, masks, found)
    _take_marked(steepest, surface, tables, spots, masks, found, lists)
    for i in range(count):
        last[kind, np.uint32(z[AWAY, i])] = n[WHERE, i]


@njit(cache=True, nogil=True)
def _solve(terrain, surface, wedge, tables, count, least, memory):  # type: ignore[no-untyped-def]
    """Leave the signed square of the parameter, bar a constant, as the best of each pixel; ``least`` at least."""
    _, z, f, _ = tables
    for i in range(count):
        z[BEST, i], f[SQUARED, i] = 0.0 if terrain else least, np.float32(0.0 if terrain else 1.0)
    if not terrain:
        _maximise(False, 0, surface, wedge, tables, count, memory)
        return
    _maximise(True, 0, surface, wedge, tables, count, memory)
    slopes = z[BEST, :count].copy()
    for i in range(count):
        f[SQUARED, i] = np.float32(0.0 if slopes[i] > 0.0 else 1.0)
        z[BEST, i] = 0.0 if slopes[i] > 0.0 else least
    _maximise(False, 1, surface, wedge, tables, count, memory)
    for i in range(count):
        z[BEST, i] *= slopes[i] * z[AWAY, i] if slopes[i] > 0.0 else 1.0


@njit(cache=True, nogil=True)
def _select(radius, starts, ray_pixel, ray_away, within, n, flat):  # type: ignore[no-untyped-def]
    """Pixels of a wedge that are asked for; returns their number. The nearest have no sample and are settled."""
    size, found = 2 * radius + 1, 0
    whole = within[0] <= 0 and within[1] >= size and within[2] <= 0 and within[3] >= size
    for r in range(starts.size - 1):
        first, stop = starts[r], starts[r + 1]
        while first < stop and whole and ray_away[first] < np.float32(1.5):
            flat[ray_pixel[first]] = np.float32(CLEAR_NU)
            first += 1
        if whole:
            begin, into = np.uint64(first), np.uint64(found)
            for b in range(stop - first):
                n[PLACE, into + np.uint64(b)] = ray_pixel[begin + np.uint64(b)]
            found += stop - first
            continue
        for b in range(first, stop):
            pixel = ray_pixel[b]
            row = pixel // size
            if not (within[0] <= row < within[1] and within[2] <= pixel - row * size < within[3]):
                continue
            if ray_away[b] < np.float32(1.5):
                flat[pixel] = np.float32(CLEAR_NU)
                continue
            n[PLACE, found] = pixel
            found += 1
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _place_pixels(radius, ray, turn, n, z, f, count):  # type: ignore[no-untyped-def]
    """Distances and directions of the pixels of the wedge that begins at the angle ``ray``."""
    size, centre, per_size = np.int32(2 * radius + 1), float(radius), 1.0 / (2 * radius + 1)
    sin, cos, shift = math.sin(ray), math.cos(ray), size + np.int32(3)
    for i in range(count):
        row = np.int32((n[PLACE, i] + 0.5) * per_size)
        n[SPOT, i] = np.int32(n[PLACE, i] + np.int32(2) * row + shift)
        dy, dx = row - centre, np.int32(n[PLACE, i] - row * size) - centre
        e = math.sqrt(dy * dy + dx * dx)
        z[AWAY, i], z[NORTH, i], z[EAST, i] = e, dy / e, dx / e
    for i in range(count):
        f[SHARE, i] = min(max((cos * z[EAST, i] + sin * z[NORTH, i]) / turn, 0.0), 1.0)
        n[COUNT, i] = np.int32((z[AWAY, i] - 0.5) * 2.0) - np.int32(1)
    n[COUNT, count:count + LANES] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _aim(flat, above, drop, n, z, f, count):  # type: ignore[no-untyped-def]
    """Slopes of the sight lines to the receivers."""
    for i in range(count):
        f[BUFFER, i] = flat[np.uint32(n[SPOT, i])]
    for i in range(count):
        z[LINE, i] = (f[BUFFER, i] + above) / z[AWAY, i] - drop * z[AWAY, i]
    for i in range(count):
        line = np.float32(z[LINE, i])
        f[LOW_LINE, i] = line - ROUNDING * abs(line)


@njit(cache=True, nogil=True)
def _store(n, z, f, count, least, scale, flat):  # type: ignore[no-untyped-def]
    """Take the roots and put them in their places."""
    for i in range(count):
        best = z[BEST, i]
        root = math.sqrt(abs(best) * scale)
        f[BUFFER, i] = np.float32(CLEAR_NU if best <= least else root if best > 0.0 else -root)
    for i in range(count):
        flat[np.uint32(n[PLACE, i])] = f[BUFFER, i]


@njit(cache=True, nogil=True)
def _rays_of_wedge(disc):  # type: ignore[no-untyped-def]
    """How many rays of the disc make a wedge, a power of 2, and the greatest number of pixels of a wedge."""
    rays = disc.ray_start.size - 1
    group = BAND_RAYS
    while group > 1 and 2.0 * math.pi * group / rays * disc.radius > WIDEST:
        group //= 2
    most = 0
    for ray in range(0, rays, group):
        most = max(most, disc.ray_start[ray + group] - disc.ray_start[ray])
    return group, most


@njit(cache=True, nogil=True)
def _sight(terrain, top, ground, mast, disc, within, nu):  # type: ignore[no-untyped-def]
    """Both exact modes: greatest parameter of the top surface, or Bullington's edge of ``top`` = ``ground``."""
    rays, (group, most) = disc.ray_start.size - 1, _rays_of_wedge(disc)
    turn = 2.0 * math.pi * group / rays
    most = (most // LANES + 1) * LANES
    bend = np.zeros(top.shape, np.float32)
    fill_bends(top, turn, turn * disc.radius, np.zeros(top.shape, np.float32), bend)
    flat_bend = bend.ravel()
    longest = max(2 * disc.radius - 2, 0)
    padded = (longest // CHUNK + 1) * CHUNK
    n, z, f = np.zeros((5, most), np.int32), np.zeros((5, most)), np.zeros((6, most), np.float32)
    tables = (n, z, f, f.view(np.int32))
    bound = most * (padded // CHUNK)
    words = np.zeros((2, LIST), np.int64)
    listed, spots = np.zeros((3, LIST), np.int32), np.zeros((3, bound + 1), np.int32)
    lists = (listed, words, words.view(np.float32), np.zeros((3, LIST)), listed.view(np.float32))
    memory = (np.zeros((2, disc.radius + 2), np.int32), spots, spots.view(np.float32),
              np.zeros((2, bound + 1), np.int32), lists)
    cells, room, bits = np.zeros((2, padded), np.int32), np.zeros((2, padded)), np.zeros((2, padded), np.int64)
    rays_of, sides = np.zeros((2, 3, padded), np.float32), np.zeros((4, padded), np.float32)
    chunks, heights = np.zeros((2, padded // CHUNK), np.float32), bits.view(np.float32)
    both_sides, both_chunks = (sides, sides.view(np.int32)), (chunks, chunks.view(np.int32))
    antenna, drop, scale = mast.top_amsl_m, mast.curvature * mast.pixel_m**2, 2.0 / (0.2998 * mast.pixel_m)
    loose = 4e-7 * (np.max(np.abs(top)) + abs(antenna))
    link = (np.float32(antenna), np.float32(drop), np.float32(loose), np.float32(turn), np.float32(turn * disc.radius))
    pairs, flat_ground, flat_nu = _pair_up(top), ground.ravel(), nu.ravel()
    frame = (top.shape[1], float(disc.radius + 1), antenna, drop)
    least, ready, side = -(LEAST_NU**2) / scale, -rays, 0
    for ray in range(0, rays, group):
        count = _select(disc.radius, disc.ray_start[ray:ray + group + 1], disc.ray_pixel, disc.ray_away, within, n,
                        flat_nu)
        if count == 0:
            continue
        _place_pixels(disc.radius, ray // group * turn, turn, n, z, f, count)
        _aim(flat_ground, mast.receiver_m - antenna, drop, n, z, f, count)
        for right in range(0 if ready != ray - group else 1, 2):
            side = 1 - side
            sample_ray(pairs, flat_bend, (frame[0], (ray // group + right) * turn), link, (room, bits, heights),
                       longest, cells[side], rays_of[side])
        bound_wedge(cells, rays_of, side, np.float32(0.25 * turn), longest, both_sides, both_chunks)
        ready = ray
        _solve(terrain, (pairs, frame), (sides, *both_chunks), tables, count, least, memory)
        _store(n, z, f, count, least, scale, flat_nu)


@njit(cache=True, nogil=True)
def exact_sight(top, ground, mast, disc, within, nu):  # type: ignore[no-untyped-def]
    """Knife edge of every pixel of a disc over the top surface, each by its own exact profile.

    ``top`` and ``ground`` are windows (2R + 3, 2R + 3) of float32 around the mast, in m, without gaps
    (:func:`._disc.copy_window`, reach R + 1). Samples are taken from ``top``, bilinear, at 1, 1.5, 2, ... pixels from
    the mast, the last half a pixel before the receiver at least, which stands ``mast.receiver_m`` above ``ground``.
    ``nu`` (2R + 1, 2R + 1) of float32 is filled at the pixels of the disc inside of ``within`` (first row, row after
    the last, first column, column after the last of the window): the greatest knife-edge parameter at 1 GHz of all
    samples, above 0 exactly where a sample rises above the sight line. ``CLEAR_NU`` where there is no sample, and
    where nu is below ``LEAST_NU``: no edge costs anything there. What a pixel is given does not depend on ``within``.
    """
    _sight(False, top, ground, mast, disc, within, nu)


@njit(cache=True, nogil=True)
def exact_terrain(ground, mast, disc, within, nu):  # type: ignore[no-untyped-def]
    """Bullington's equivalent edge of every pixel of a disc, each by its own exact profile of the ground.

    As :func:`exact_sight`, with samples of ``ground``. Where none rises above the sight line, nu is the greatest of
    all samples, else that of the point where the steepest lines from both ends meet (ITU-R P.526).
    """
    _sight(True, ground, ground, mast, disc, within, nu)
