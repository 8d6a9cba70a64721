"""The radial sweep: knife edge of every pixel of a disc, in work per pixel that does not grow with the radius.

All rays of a band step outwards together: at each distance the heights of all rays are gathered into one buffer, and
plain arithmetic on such buffers keeps the steepest edge of each ray in windows counted back from the newest sample.
The pixels that have exactly so many samples before them then choose among these edges the one of greatest knife-edge
parameter. A pixel lies between two rays; slopes are interpolated between both. Towards the mast there are fewer rays.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from siteplan._kernels._nouns import CLEAR_NU

# Edges kept for each ray, each a slope from the antenna in m per pixel and a distance in pixels: the steepest since the
# last block of n samples but one began (RECENT_n), that of the present block (BLOCK_n), the steepest of all up to the
# last full block. The steepest edge is seldom the one of greatest parameter when it lies far before the receiver.
RECENT_8, BLOCK_8, RECENT_64, BLOCK_64, STEEPEST = 0, 1, 2, 3, 4
EDGES = 5
NONE = np.float32(-1e9)
"""Slope of no edge."""
DB_PER_DOUBLING, TWO_PER_LN2 = np.float32(20.0 * math.log10(2.0)), np.float32(2.0 / math.log(2.0))


@njit(cache=True, nogil=True)
def _places(frame, d, sin, cos, index, weights):  # type: ignore[no-untyped-def]
    """Upper left pixel centre (flat index) and bilinear weights of the samples at ``d`` pixels, ray by ray."""
    centre, width = frame
    fy, fx = weights
    for r in range(sin.size):
        y, x = centre - d * cos[r], centre + d * sin[r]
        i, j = np.int32(y), np.int32(x)
        fy[r], fx[r] = y - np.float32(i), x - np.float32(j)
        index[r] = i * width + j


@njit(cache=True, nogil=True)
def _pair_up(surface):  # type: ignore[no-untyped-def]
    """Each height with its right neighbour's in one word of 64 bits: two reads for a bilinear height, not four."""
    rows, cols = surface.shape
    pairs = np.empty((rows, cols), np.int64)
    for row in range(rows):
        line, pair = surface[row], pairs[row].view(np.float32)
        for col in range(cols - 1):
            pair[2 * col], pair[2 * col + 1] = line[col], line[col + 1]
        pair[2 * cols - 2] = pair[2 * cols - 1] = line[cols - 1]
    return pairs.ravel()


@njit(cache=True, nogil=True)
def _gather(pairs, width, index, upper, lower):  # type: ignore[no-untyped-def]
    """Read the four heights around each sample, two by two."""
    for r in range(index.size):
        p = np.uint32(index[r])
        upper[r], lower[r] = pairs[p], pairs[p + np.uint32(width)]


@njit(cache=True, nogil=True)
def _interpolate(upper, lower, weights, heights):  # type: ignore[no-untyped-def]
    """Bilinear heights; ``upper`` and ``lower`` hold left and right in turn."""
    fy, fx = weights
    for r in range(heights.size):
        above = upper[2 * r] + fx[r] * (upper[2 * r + 1] - upper[2 * r])
        below = lower[2 * r] + fx[r] * (lower[2 * r + 1] - lower[2 * r])
        heights[r] = above + fy[r] * (below - above)


@njit(cache=True, nogil=True)
def _to_slopes(heights, antenna, per_distance, fall):  # type: ignore[no-untyped-def]
    """Heights to slopes from the antenna, in place; ``fall`` is the Earth's."""
    for r in range(heights.size):
        heights[r] = (heights[r] - antenna) * per_distance - fall


@njit(cache=True, nogil=True)
def _keep(newest, d, slopes, places, edge):  # type: ignore[no-untyped-def]
    """Keep the steeper of an edge and the newest sample, ray by ray."""
    for r in range(newest.size):
        old = places[edge, r]
        places[edge, r] = d if newest[r] > slopes[edge, r] else old
    for r in range(newest.size):
        slopes[edge, r] = max(slopes[edge, r], newest[r])


@njit(cache=True, nogil=True)
def _merge(slopes, places, source, into):  # type: ignore[no-untyped-def]
    """Keep the steeper of two edges, ray by ray; two loops, as one with both stores is not vectorised."""
    for r in range(slopes.shape[1]):
        new, old = places[source, r], places[into, r]
        places[into, r] = new if slopes[source, r] > slopes[into, r] else old
    for r in range(slopes.shape[1]):
        slopes[into, r] = max(slopes[into, r], slopes[source, r])


@njit(cache=True, nogil=True)
def _hand_on(slopes, places, block, recent):  # type: ignore[no-untyped-def]
    """A block is full: it becomes the recent one, and a new one begins."""
    for r in range(slopes.shape[1]):
        slopes[recent, r] = slopes[block, r]
        slopes[block, r] = NONE
    for r in range(slopes.shape[1]):
        places[recent, r] = places[block, r]


@njit(cache=True, nogil=True)
def _close_blocks(slopes, places, k):  # type: ignore[no-untyped-def]
    """After sample ``k``: full blocks of 8 and 64 samples become recent ones; the former flow into the latter."""
    if k % 8 != 7:
        return
    _merge(slopes, places, BLOCK_8, RECENT_64)
    _merge(slopes, places, BLOCK_8, BLOCK_64)
    _merge(slopes, places, BLOCK_8, STEEPEST)
    _hand_on(slopes, places, BLOCK_8, RECENT_8)
    if k % 64 == 63:
        _hand_on(slopes, places, BLOCK_64, RECENT_64)


@njit(cache=True, nogil=True)
def _branch(parents, lo, hi, near):  # type: ignore[no-untyped-def]
    """State of the rays lo..hi - 1, each from the two rays of the coarser level that it lies between."""
    state, far = np.empty((EDGES, hi - lo), np.float32), np.float32(1.0) - near
    for edge in range(EDGES):
        for r in range(lo, hi):
            left, right = parents[edge, (r >> 1) - (lo >> 1)], parents[edge, (r >> 1) - (lo >> 1) + 1]
            state[edge, r - lo] = far * left + near * right if r % 2 else near * left + far * right
    return state


@njit(cache=True, nogil=True)
def _select(disc, band, within, numbers, starts):  # type: ignore[no-untyped-def]
    """Numbers of the pixels of a band inside of ``within`` and starts of their shells; returns (count, last shell)."""
    shell, width = disc.shell[band], np.int32(2 * disc.radius + 1)
    top, bottom, left, right = within
    first, stop = top * width, bottom * width
    count, last = 0, 0
    for m in range(shell.size - 1):
        starts[m] = count
        for p in range(shell[m], shell[m + 1]):
            pixel = disc.pixel[p]
            if first <= pixel < stop and left <= pixel - (pixel // width) * width < right:
                numbers[count] = p
                count += 1
                last = m
    starts[shell.size - 1] = count
    return count, last


@njit(cache=True, nogil=True)
def _between(across, share_of_level, lo, rays, share):  # type: ignore[no-untyped-def]
    """Rays left of each pixel (their place in the state), and how far the pixel lies towards the next one."""
    for i in range(across.size):
        u = across[i] * share_of_level + np.float32(0.5)
        r = np.int32(u)
        rays[i] = r - lo
        share[i] = u - np.float32(r)


@njit(cache=True, nogil=True, error_model="numpy")
def _targets(flat, place, link, away, target):  # type: ignore[no-untyped-def]
    """Slopes of the sight lines to the receivers."""
    antenna, receiver, drop = link
    for i in range(place.size):
        target[i] = flat[np.uint32(place[i])]
    for i in range(place.size):
        target[i] = (target[i] + receiver - antenna) / away[i] - drop * away[i]


@njit(cache=True, nogil=True)
def _fetch(rays, share, slopes, places, edge, count, found):  # type: ignore[no-untyped-def]
    """Edges of the two rays of each pixel: ``found`` = slope left, slope right, distance of the nearer ray's."""
    left, right, place = found
    for i in range(count):
        r = np.uint32(rays[i])
        left[i], right[i] = slopes[edge, r], slopes[edge, r + np.uint32(1)]
        place[i] = places[edge, r + np.uint32(share[i] + np.float32(0.5))]


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(found, share, target, away, best):  # type: ignore[no-untyped-def]
    """Keep the greatest signed square of the knife-edge parameter (bar a constant)."""
    left, right, place = found
    for i in range(away.size):
        over = left[i] + share[i] * (right[i] - left[i]) - target[i]
        best[i] = max(best[i], over * abs(over) * (place[i] * away[i] / (away[i] - place[i])))


@njit(cache=True, nogil=True)
def _store(best, scale, pixel, nu):  # type: ignore[no-untyped-def]
    """Take the roots and put them in their places."""
    for i in range(pixel.size):
        root = np.float32(math.sqrt(abs(best[i]))) * scale
        best[i] = root if best[i] > np.float32(0.0) else -root
    for i in range(pixel.size):
        nu[np.uint32(pixel[i])] = best[i]


@njit(cache=True, nogil=True)
def _sweep_level(surface, link, lines, part, slopes, places, nu):  # type: ignore[no-untyped-def]
    """Sweep the samples of one level of a band."""
    pairs, ground, width = surface
    s, lo, samples, sin, cos = lines
    starts, pixels, grounds, acrosses, aways = part
    n = sin.size
    newest, index = np.empty(n, np.float32), np.empty(n, np.int32)
    weights = (np.empty(n, np.float32), np.empty(n, np.float32))
    upper, lower = np.empty(n, np.int64), np.empty(n, np.int64)
    upper_heights, lower_heights = upper.view(np.float32), lower.view(np.float32)
    most = np.max(starts[1:] - starts[:-1])
    rays, share = np.empty(most, np.int32), np.empty(most, np.float32)
    target, best = np.empty(most, np.float32), np.empty(most, np.float32)
    found = (np.empty(most, np.float32), np.empty(most, np.float32), np.empty(most, np.float32))
    frame, scale = (np.float32(width // 2), np.int32(width)), link[3]
    for k in range(samples[0], samples[1]):
        d = np.float32(1.0) + np.float32(0.5) * np.float32(k)
        _places(frame, d, sin, cos, index, weights)
        _gather(pairs, width, index, upper, lower)
        _interpolate(upper_heights, lower_heights, weights, newest)
        _to_slopes(newest, link[0], np.float32(1.0) / d, link[2] * d)
        _keep(newest, d, slopes, places, RECENT_8)
        _keep(newest, d, slopes, places, BLOCK_8)
        _close_blocks(slopes, places, k)
        a, b = starts[k + 1], starts[k + 2]
        if a == b:
            continue
        away = aways[a:b]
        _between(acrosses[a:b], np.float32(1.0 / (1 << s)), np.int32(lo), rays, share)
        _targets(ground, grounds[a:b], link[:3], away, target)
        best[:b - a] = np.float32(-np.inf)
        for edge in (RECENT_8, RECENT_64, STEEPEST):
            _fetch(rays, share, slopes, places, edge, b - a, found)
            _weigh(found, share, target, away, best)
        _store(best, scale, pixels[a:b], nu)


@njit(cache=True, nogil=True)
def _sweep_band(surface, mast, disc, band, part, nu):  # type: ignore[no-untyped-def]
    """Sweep one band of rays; ``part`` is (shell starts, pixel, place, across, away) of the pixels asked for."""
    across, last, bits = part[3], part[0].size - 2, disc.level_start.size - 1
    first_of_band = band * ((disc.level_start[1] - 2) // disc.shell.shape[0])
    low, high = np.zeros(bits + 1, np.int64), np.zeros(bits + 1, np.int64)
    low[0], high[0] = int(across.min() + np.float32(0.5)), int(across.max() + np.float32(0.5)) + 2
    for s in range(bits):
        low[s + 1], high[s + 1] = low[s] >> 1, (high[s] - 1 >> 1) + 2
    link = (np.float32(mast.top_amsl_m), np.float32(mast.receiver_m),
            np.float32(mast.curvature * mast.pixel_m * mast.pixel_m),
            np.float32(math.sqrt(2.0 / (0.2998 * mast.pixel_m))))
    shape = (EDGES, high[bits] - low[bits])
    slopes, places = np.full(shape, NONE, np.float32), np.ones(shape, np.float32)
    stop = 0
    for s in range(bits, -1, -1):
        lo, hi = low[s], high[s]
        if s < bits:
            slopes, places = _branch(slopes, lo, hi, np.float32(0.75)), _branch(places, lo, hi, np.float32(1.0))
        first = disc.level_start[s] + (first_of_band >> s)
        start = stop
        while stop < last and disc.level[stop] == s:
            stop += 1
        lines = (s, lo, (start, stop), disc.sin[first + lo:first + hi], disc.cos[first + lo:first + hi])
        _sweep_level(surface, link, lines, part, slopes, places, nu)


@njit(cache=True, nogil=True)
def sweep_sight(top, ground, mast, disc, within, nu):  # type: ignore[no-untyped-def]
    """Knife edge of every pixel of a disc over the top surface, by the radial sweep.

    Parameters
    ----------
    top, ground : ndarray of float32, (2R + 3, 2R + 3)
        Windows around the mast, m above sea level (:func:`copy_window` with reach R + 1). The obstacles are samples
        of ``top``; receivers stand ``mast.receiver_m`` above ``ground``.
    mast : Mast
    disc : Disc
        Of radius R.
    within : (int, int, int, int)
        Part of the window of (2R + 1, 2R + 1) pixels that is asked for: first row, row after the last, first column,
        column after the last. What a pixel is given does not depend on it.
    nu : ndarray of float32, (2R + 1, 2R + 1)
        Filled at the pixels of the disc inside of ``within``: parameter of the knife edge of greatest parameter at
        1 GHz (ITU-R P.526), above 0 where the sight line is cut; ``CLEAR_NU`` where no sample lies before the pixel.

    Notes
    -----
    An approximation of :func:`point_sight` in three ways: a profile is interpolated between two rays, on each ray
    only the steepest edges of three stretches compete, and heights are float32.

    Examples
    --------
    >>> import numpy as np
    >>> from siteplan._kernels import Mast, build_disc
    >>> disc, mast = build_disc(3), Mast(3, 3, 10.0, 1.5, 10.0, 0.0)
    >>> flat, nu = np.zeros((9, 9), np.float32), np.zeros((7, 7), np.float32)
    >>> wall = flat.copy()
    >>> wall[:, 6] = 20.0
    >>> sweep_sight(wall, flat, mast, disc, (0, 7, 0, 7), nu)
    >>> (nu[3] > 0).tolist()  # the wall is column 5 of nu
    [False, False, False, False, False, True, True]
    """
    pairs, flat_ground, flat_nu = _pair_up(top), ground.ravel(), nu.ravel()
    size = 2 * disc.radius + 1
    whole = within[0] <= 0 and within[1] >= size and within[2] <= 0 and within[3] >= size
    for band in range(disc.shell.shape[0]):
        shell = disc.shell[band]
        first, stop = shell[0], shell[-1]
        if whole:
            starts = shell - first
            pixels, places = disc.pixel[first:stop], disc.place[first:stop]
            across, away = disc.across[first:stop], disc.away[first:stop]
        else:
            numbers, starts = np.empty(stop - first, np.int32), np.empty(shell.size, np.int32)
            count, last = _select(disc, band, within, numbers, starts)
            numbers, starts = numbers[:count], starts[:last + 2]
            pixels, places = disc.pixel[numbers], disc.place[numbers]
            across, away = disc.across[numbers], disc.away[numbers]
        if starts[-1] == 0:
            continue
        flat_nu[pixels[:starts[1]]] = np.float32(CLEAR_NU)
        part = (starts, pixels, places, across, away)
        _sweep_band((pairs, flat_ground, top.shape[1]), mast, disc, band, part, flat_nu)


@njit(cache=True, nogil=True, error_model="numpy")
def _knife_edge_row(nu, nu_scale, work):  # type: ignore[no-untyped-def]
    """Turn the parameters ``nu`` of a row into losses, dB, in ``work[0]``; log2 by its series in (m - 1) / (m + 1)."""
    ratio, power = work
    bits = ratio.view(np.int32)
    limit, one = np.float32(-0.78), np.float32(1.0)
    for i in range(nu.size):
        x = max(nu[i] * nu_scale, limit) - np.float32(0.1)
        ratio[i] = np.float32(math.sqrt(x * x + one)) + x
    for i in range(nu.size):
        whole = (bits[i] - np.int32(0x3F3504F3)) >> np.int32(23)  # of log2; the rest lies in -1/2 .. 1/2
        bits[i] -= whole << np.int32(23)
        power[i] = np.float32(whole)
    for i in range(nu.size):
        t = (ratio[i] - one) / (ratio[i] + one)
        u = t * t
        series = one + u * (np.float32(1.0 / 3.0) + u * (np.float32(0.2) + u * np.float32(1.0 / 7.0)))
        loss = np.float32(6.9) + DB_PER_DOUBLING * (power[i] + TWO_PER_LN2 * t * series)
        ratio[i] = max(loss, np.float32(0.0)) if nu[i] * nu_scale > limit else np.float32(0.0)


@njit(cache=True, nogil=True)
def free_edge_loss(disc, nu, free_db, nu_scale, out):  # type: ignore[no-untyped-def]
    """Free-space loss plus the loss of the knife edge of every pixel of a disc.

    Parameters
    ----------
    disc : Disc
    nu : ndarray of float32, (n, n)
        Parameters at 1 GHz, as of :func:`sweep_sight`.
    free_db : ndarray of float64, (rings,)
        Free-space loss by ring, dB.
    nu_scale : float
        Root of the frequency in GHz.
    out : ndarray of float32, (n, n)
        Filled inside of the disc, dB: free-space loss + J(nu) (ITU-R P.526; 0 up to nu = -0.78), within 1e-4 dB.

    Examples
    --------
    >>> import numpy as np
    >>> from siteplan._kernels import Mast, build_disc
    >>> disc, out = build_disc(1), np.zeros((3, 3), np.float32)
    >>> free_edge_loss(disc, np.zeros((3, 3), np.float32), np.array([60.0, 80.0]), 1.0, out)
    >>> [round(float(loss), 3) for loss in out[1]]
    [86.033, 66.033, 86.033]
    """
    size, radius = 2 * disc.radius + 1, disc.radius
    by_ring, scale = free_db.astype(np.float32), np.float32(nu_scale)
    ratio, power = np.empty(size, np.float32), np.empty(size, np.float32)
    for row in range(size):
        reach = int(math.sqrt(float(radius * radius - (row - radius) * (row - radius))))
        first, n = radius - reach, 2 * reach + 1
        ring, line = disc.ring[row, first:first + n], out[row, first:first + n]
        _knife_edge_row(nu[row, first:first + n], scale, (ratio[:n], power[:n]))
        for i in range(n):
            line[i] = by_ring[np.uint32(ring[i])]
        for i in range(n):
            line[i] += ratio[i]
