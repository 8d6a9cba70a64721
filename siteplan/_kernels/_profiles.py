"""The exact mode: every pixel of a disc by its own profile, pruned by proofs.

The disc is cut into wedges less than a pixel wide at the rim. The two rays that bound a wedge are sampled once, at the
distances of all profiles. A sample of the profile of a pixel between them lies close to the interpolation between the
two rays' samples, and how much higher it can lie follows from the bends of the surface beside it (:func:`_bends`). So
each sample has an upper bound without being taken. A pixel starts with the samples where its neighbours in the wedge
before had their greatest value; only chunks of 16 samples, and samples in them, whose bound beats this are looked
at. Everything that is reported was sampled on the pixel's own profile.

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

from siteplan._kernels._disc import BAND_RAYS
from siteplan._kernels._tables import CLEAR_NU

LEAST_NU = -1.01
"""Below this nu at 1 GHz the knife edge costs nothing from 0.6 GHz upwards: J(nu) = 0 up to nu = -0.78."""
CHUNK = 16
SQUARE, SLOPE, BACK = 0, 1, 2
"""What a search maximises over the samples; over = slope over the sight line (m per pixel), d and e - d in pixels.

SQUARE: over |over| d e / (e - d), the signed square of the knife-edge parameter bar a constant; SLOPE: over;
BACK: over d / (e - d), the slope over the sight line as seen from the receiver.
"""
WIDEST = 0.7
"""Greatest width of a wedge at the rim, pixels; the bounds need less than 1."""
LOWEST_BIT = np.array([{(1 << bit) % 37: bit for bit in range(CHUNK)}.get(rest, 0) for rest in range(37)], np.int32)
"""Number of a bit by the rest that its power of two leaves when divided by 37."""
ROUNDING = np.float32(3e-7)
"""Share of a slope that float32 may lose on the way to a bound, generously."""


@njit(cache=True, nogil=True)
def _bends(surface, turn, width, point, bend):  # type: ignore[no-untyped-def]
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
def _ray(surface, bend, angle, wedge, ray):  # type: ignore[no-untyped-def]
    """Sample one ray at 1, 1.5, 2, ... pixels from the centre: cell, height, bend within the cell and beside it.

    ``wedge`` is (angle, width at the rim in pixels).
    """
    cells, heights, twists, bends = ray
    turn, widest = np.float32(wedge[0]), np.float32(wedge[1])
    flat, flat_bend, width = surface.ravel(), bend.ravel(), np.uint32(surface.shape[1])
    centre, sin, cos = float(surface.shape[1] // 2), math.sin(angle), math.cos(angle)
    one = np.uint32(1)
    for k in range(heights.size):
        d = 1.0 + 0.5 * k
        y, x = centre - d * cos, centre + d * sin
        i, j = np.int32(y), np.int32(x)
        fy, fx = np.float32(y - i), np.float32(x - j)
        p = np.uint32(i) * width + np.uint32(j)
        q = p + width
        east, under, down = flat[p + one] - flat[p], flat[q + one] - flat[q], flat[q] - flat[p]
        heights[k] = flat[p] + fx * east + fy * (down + fx * (under - east))
        twist = abs(under - east)
        cells[k] = p
        twists[k] = widest * twist + turn * (max(abs(east), abs(down)) + twist)
        bends[k] = flat_bend[p]


@njit(cache=True, nogil=True)
def _bound_wedge(left, right, link, bounds, pool, chunks):  # type: ignore[no-untyped-def]
    """Bounds of the slopes of a wedge, in m per pixel, and their greatest by chunks.

    ``left`` and ``right`` are as :func:`_ray` fills them, ``link`` is (height of the antenna, Earth drop, a quarter of
    the angle of a wedge, rounding of the heights), ``bounds`` the slopes at the left ray, at the right ray, and what
    the slopes halfway can exceed the interpolation by; ``pool`` is a buffer.
    """
    antenna, drop, quarter, loose = link
    one, two, over = bounds
    left_cells, left_heights, left_twists, left_bends = left
    right_cells, right_heights, _, right_bends = right
    for k in range(left_cells.size):
        d = np.float32(1.0) + np.float32(0.5) * np.float32(np.int32(k))
        a, b = (left_heights[k] - antenna) / d, (right_heights[k] - antenna) / d
        slack = ROUNDING * (max(abs(a), abs(b)) + drop * d) + loose / d - drop * d
        one[k], two[k] = a + slack, b + slack
    for k in range(left_cells.size):
        over[k] = quarter * (left_twists[k] if left_cells[k] == right_cells[k] else max(left_bends[k], right_bends[k]))
        pool[k] = max(one[k], two[k]) + over[k]
    size = pool.size
    while size > pool.size // CHUNK:
        size //= 2
        for k in range(size):
            pool[k] = max(pool[np.uint64(2 * k)], pool[np.uint64(2 * k + 1)])
    chunks[:size] = pool[:size]


@njit(inline="always")
def _weights(kind, e):  # type: ignore[no-untyped-def]
    """Numbers (p, q, r, s, u, w) of the value over (p |over| + q) (r d + s) / (u (e - d) + w)."""
    zero, one = np.float32(0.0), np.float32(1.0)
    if kind == SQUARE:
        return one, zero, np.float32(e), zero, one, zero
    if kind == BACK:
        return zero, one, one, zero, one, zero
    return zero, one, zero, one, zero, one


@njit(inline="always")
def _lowered(value):  # type: ignore[no-untyped-def]
    """``value`` in float32, and less by more than the rounding of a bound."""
    return np.float32(value - 3e-6 * abs(value))


@njit(inline="always")
def _value(kind, flat, frame, pixels, i, k):  # type: ignore[no-untyped-def]
    """What is maximised, at sample ``k`` of the profile of pixel ``i``, in the arithmetic of :mod:`._exact`."""
    width, centre, antenna, drop = frame
    away, target, north, east = pixels[0][i], pixels[1][i], pixels[2][i], pixels[3][i]
    d = 1.0 + 0.5 * k
    y, x = centre + d * north, centre + d * east
    row, col = np.int32(y), np.int32(x)
    fy, fx = y - row, x - col
    p = np.uint32(row) * np.uint32(width) + np.uint32(col)
    q = p + np.uint32(width)
    above = flat[p] + fx * (flat[p + np.uint32(1)] - flat[p])
    below = flat[q] + fx * (flat[q + np.uint32(1)] - flat[q])
    over = (above + fy * (below - above) - antenna) * (1.0 / d) - drop * d - target
    if kind == SLOPE:
        return over
    return over * (d / (away - d)) if kind == BACK else over * abs(over) * (d * away / (away - d))


@njit(cache=True, nogil=True)
def _begin(kind, surface, pixels, active, start, last):  # type: ignore[no-untyped-def]
    """Take two samples of each pixel: where pixels about as far away in the wedge before had their greatest."""
    flat, frame = surface
    away, count, best, where, guess = pixels[0], pixels[5], pixels[6], pixels[7], pixels[8]
    for a in range(active.size):
        i = np.uint32(active[a])
        k = min(last[np.uint32(away[i])], count[i] - np.int32(1))
        best[i] = max(start, _value(kind, flat, frame, pixels, i, k))
        where[i] = guess[i] = k
        other = min(last[np.uint32(away[i] - 1.0)], count[i] - np.int32(1))
        value = _value(kind, flat, frame, pixels, i, other)
        if value > best[i]:
            best[i], where[i], guess[i] = value, other, other


@njit(cache=True, nogil=True)
def _find_chunks(kind, chunks, pixels, active, pairs):  # type: ignore[no-untyped-def]
    """List (pixel, chunk) where the bound of a chunk beats the best of a pixel; returns their number.

    A bound above the sight line is taken at the far end of a chunk, another one at its near end. The last samples
    of a profile, less than a chunk, are always listed.
    """
    away, target, count, best = pixels[0], pixels[1], pixels[5], pixels[6]
    listed, chunk = pairs
    zero, one, more, stride = np.float32(0.0), np.float32(1.0), np.float32(0.5 * (CHUNK - 1)), np.float32(0.5 * CHUNK)
    found = np.uint32(0)
    for a in range(active.size):
        i = np.uint32(active[a])
        p, q, r, s, u, w = _weights(kind, away[i])
        e, line, least = np.float32(away[i]), np.float32(target[i]), _lowered(best[i])
        line -= ROUNDING * abs(line)
        full = count[i] // CHUNK
        for c0 in range(0, full, CHUNK):
            near, last, mask = one + stride * np.float32(np.int32(c0)), np.int32(full - c0), np.int32(0)
            for c in range(CHUNK):
                over = chunks[np.uint64(c0 + c)] - line
                d = near + stride * np.float32(np.int32(c)) + (more if over > zero else zero)
                excess = over * (p * abs(over) + q) * (r * d + s) - least * (u * (e - d) + w)
                beats = excess > zero and np.int32(c) < last
                mask = np.int32(mask | np.int32(np.int32(1) << np.int32(c) if beats else np.int32(0)))
            while mask:
                listed[found], chunk[found] = i, c0 + LOWEST_BIT[np.uint32(mask & -mask) % np.uint32(37)]
                found += np.uint32(1)
                mask = np.int32(mask & (mask - 1))
        if count[i] % CHUNK:
            listed[found], chunk[found] = i, full
            found += np.uint32(1)
    return found


@njit(cache=True, nogil=True)
def _settle(kind, surface, pixels, listed, sample):  # type: ignore[no-untyped-def]
    """Take the listed samples (pixel, sample) and keep the greatest."""
    flat, frame = surface
    best, where = pixels[6], pixels[7]
    for b in range(listed.size):
        i = np.uint32(listed[b])
        value = _value(kind, flat, frame, pixels, i, sample[b])
        if value > best[i]:
            best[i], where[i] = value, sample[b]


@njit(cache=True, nogil=True)
def _take_samples(kind, surface, sides, pixels, pairs, lists):  # type: ignore[no-untyped-def]
    """Take the samples of the listed chunks whose bound beats the best of their pixel."""
    left, right, bend = sides
    away, target, share, count, best, guess = pixels[0], pixels[1], pixels[4], pixels[5], pixels[6], pixels[8]
    (owner, chunk), (listed, sample), found = pairs, lists, np.uint32(0)
    for b in range(owner.size):
        i = np.uint32(owner[b])
        k0 = np.int32(chunk[b]) * np.int32(CHUNK)
        p, q, r, s, u, w = _weights(kind, away[i])
        e, line, least, part = np.float32(away[i]), np.float32(target[i]), _lowered(best[i]), share[i]
        line -= ROUNDING * abs(line)
        curve = np.float32(4.0) * part * (np.float32(1.0) - part)
        near, last, known = np.float32(1.0 + 0.5 * k0), np.int32(count[i] - k0), np.int32(guess[i] - k0)
        mask = np.int32(0)
        for k in range(CHUNK):
            at = np.uint64(k0 + k)
            over = left[at] + part * (right[at] - left[at]) + curve * bend[at] - line
            d = near + np.float32(0.5) * np.float32(np.int32(k))
            excess = over * (p * abs(over) + q) * (r * d + s) - least * (u * (e - d) + w)
            beats = excess > np.float32(0.0) and np.int32(k) < last and np.int32(k) != known
            mask = np.int32(mask | np.int32(np.int32(1) << np.int32(k) if beats else np.int32(0)))
        while mask:
            listed[found], sample[found] = i, k0 + LOWEST_BIT[np.uint32(mask & -mask) % np.uint32(37)]
            found += np.uint32(1)
            mask = np.int32(mask & (mask - 1))
        if found + CHUNK > listed.size:
            _settle(kind, surface, pixels, listed[:found], sample[:found])
            found = np.uint32(0)
    _settle(kind, surface, pixels, listed[:found], sample[:found])


@njit(cache=True, nogil=True)
def _maximise(kind, surface, wedge, pixels, active, memory):  # type: ignore[no-untyped-def]
    """Greatest values of the ``active`` pixels of a wedge, ``memory[0]`` at least."""
    (sides, chunks), (start, last, pairs, lists) = wedge, memory
    _begin(kind, surface, pixels, active, start, last[kind])
    found = _find_chunks(kind, chunks, pixels, active, pairs)
    _take_samples(kind, surface, sides, pixels, (pairs[0][:found], pairs[1][:found]), lists)
    for i in active:
        last[kind, int(pixels[0][i])] = pixels[7][i]


@njit(cache=True, nogil=True)
def _solve(terrain, surface, wedge, pixels, active, memory):  # type: ignore[no-untyped-def]
    """Leave the signed square of the parameter, bar a constant, as the best of each pixel; ``memory[0]`` at least."""
    if not terrain:
        _maximise(SQUARE, surface, wedge, pixels, active, memory)
        return
    away, best, rest = pixels[0], pixels[6], memory[1:]
    _maximise(SLOPE, surface, wedge, pixels, active, (0.0,) + rest)
    slopes = best[:active.size].copy()
    blocked, clear = active[slopes > 0.0], active[slopes <= 0.0]
    _maximise(BACK, surface, wedge, pixels, blocked, (0.0,) + rest)
    _maximise(SQUARE, surface, wedge, pixels, clear, memory)
    for i in blocked:
        best[i] *= slopes[i] * away[i]


@njit(cache=True, nogil=True)
def _gather(disc, ray, group, within, pixels, place, nu):  # type: ignore[no-untyped-def]
    """Pixels of a wedge that are asked for: distance and directions; returns their number. The nearest are settled."""
    size, turn = 2 * disc.radius + 1, 2.0 * math.pi / (disc.ray_start.size - 1)
    sin, cos = math.sin(ray * turn), math.cos(ray * turn)
    away, north, east, share, count = pixels[0], pixels[2], pixels[3], pixels[4], pixels[5]
    found = np.uint32(0)
    for b in range(disc.ray_start[ray], disc.ray_start[ray + group]):
        pixel = disc.pixel[np.uint32(disc.by_ray[b])]
        row = np.int32(np.uint32(pixel) // np.uint32(size))
        col = np.int32(pixel - row * size)
        if not (within[0] <= row < within[1] and within[2] <= col < within[3]):
            continue
        dy, dx = float(row - disc.radius), float(col - disc.radius)
        e = math.sqrt(dy * dy + dx * dx)
        if e < 1.5:
            nu[row, col] = CLEAR_NU
            continue
        place[found] = pixel
        away[found], north[found], east[found] = e, dy / e, dx / e
        share[found] = min(max((cos * dx + sin * dy) / (e * turn * group), 0.0), 1.0)
        count[found] = int(math.floor((e - 0.5) * 2.0)) - 1
        found += np.uint32(1)
    return found


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
def _pixel_space(most):  # type: ignore[no-untyped-def]
    """Buffers of the pixels of a wedge, in this order.

    Distance, slope of the sight line, its direction to the south and east, share of the way from the left to the
    right ray, number of samples; greatest value, its sample, the sample that was taken first.
    """
    return (np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most, np.float32),
            np.zeros(most, np.int32), np.zeros(most), np.zeros(most, np.int32), np.zeros(most, np.int32))


@njit(cache=True, nogil=True)
def _sight(terrain, top, ground, mast, disc, within, nu):  # type: ignore[no-untyped-def]
    """Both exact modes: greatest parameter of the top surface, or Bullington's edge of ``top`` = ``ground``."""
    rays, (group, most) = disc.ray_start.size - 1, _rays_of_wedge(disc)
    turn = 2.0 * math.pi * group / rays
    bend = np.zeros(top.shape, np.float32)
    _bends(top, turn, turn * disc.radius, np.zeros(top.shape, np.float32), bend)
    longest = max(2 * disc.radius - 2, 0)
    padded = (longest // CHUNK + CHUNK) * CHUNK
    pixels, place = _pixel_space(most), np.zeros(most, np.int32)
    left = (np.zeros(longest, np.uint32), np.zeros(longest, np.float32), np.zeros(longest, np.float32),
            np.zeros(longest, np.float32))
    right = (left[0].copy(), left[1].copy(), left[2].copy(), left[3].copy())
    sides = (np.zeros(padded, np.float32), np.zeros(padded, np.float32), np.zeros(padded, np.float32))
    pool, chunks = np.zeros(padded, np.float32), np.zeros(padded // CHUNK + CHUNK, np.float32)
    antenna, drop, scale = mast.top_amsl_m, mast.curvature * mast.pixel_m**2, 2.0 / (0.2998 * mast.pixel_m)
    loose = 4e-7 * (np.max(np.abs(top)) + abs(antenna))
    link = (np.float32(antenna), np.float32(drop), np.float32(0.25 * turn), np.float32(loose))
    surface = (top.ravel(), (top.shape[1], float(disc.radius + 1), antenna, drop))
    everyone = np.arange(most).astype(np.int32)
    pairs = (np.zeros(most * (longest // CHUNK + 1), np.int32), np.zeros(most * (longest // CHUNK + 1), np.int32))
    lists = (np.zeros(64 * CHUNK, np.int32), np.zeros(64 * CHUNK, np.int32))
    least, ready = -(LEAST_NU**2) / scale, -rays
    memory = (least, np.zeros((3, disc.radius + 1), np.int32), pairs, lists)
    for ray in range(0, rays, group):
        count = _gather(disc, ray, group, within, pixels, place, nu)
        if count == 0:
            continue
        left, right = right, left
        if ready != ray - group:
            _ray(top, bend, ray // group * turn, (turn, turn * disc.radius), left)
        _ray(top, bend, (ray // group + 1) * turn, (turn, turn * disc.radius), right)
        _bound_wedge(left, right, link, sides, pool, chunks)
        ready = ray
        for i in range(count):
            row, col = divmod(place[i], 2 * disc.radius + 1)
            e = pixels[0][i]
            pixels[1][i] = (ground[row + 1, col + 1] + mast.receiver_m - antenna) / e - drop * e
        _solve(terrain, surface, (sides, chunks), pixels, everyone[:count], memory)
        for i in range(count):
            square, (row, col) = pixels[6][i], divmod(place[i], 2 * disc.radius + 1)
            nu[row, col] = CLEAR_NU if square <= least else math.copysign(math.sqrt(abs(square) * scale), square)


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
