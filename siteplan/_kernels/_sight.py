"""Line of sight and the terrain's knife edge: the exact profile, and the radial sweep."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from siteplan._kernels._tables import CLEAR_NU


@njit(cache=True, nogil=True)
def _gather(flat, index, width, fy, fx, heights):  # type: ignore[no-untyped-def]
    """Bilinear height of each sample; ``index`` is the pixel centre up and left of it."""
    for k in range(index.size):
        p = np.uint32(index[k])
        q = p + np.uint32(width)
        above = flat[p] + fx[k] * (flat[p + np.uint32(1)] - flat[p])
        below = flat[q] + fx[k] * (flat[q + np.uint32(1)] - flat[q])
        heights[k] = above + fy[k] * (below - above)


@njit(cache=True, nogil=True)
def _to_slopes(heights, antenna, per_distance, fall):  # type: ignore[no-untyped-def]
    """Turn heights into slopes from the antenna (m per pixel), in place; ``fall`` is the Earth's, per distance."""
    for k in range(heights.size):
        heights[k] = (heights[k] - antenna) * per_distance[k] - fall[k]


@njit(cache=True, nogil=True)
def _profile_places(shape, row, col, dy, dx, index, fy, fx):  # type: ignore[no-untyped-def]
    """Pixel centre up and left of each sample of one exact profile (flat index), and the weights."""
    height, width = shape
    for k in range(index.size):
        d = 1.0 + 0.5 * k
        y, x = row + d * dy, col + d * dx
        i, j = min(np.int32(y), height - 2), min(np.int32(x), width - 2)
        fy[k], fx[k] = y - i, x - j
        index[k] = i * width + j


@njit(cache=True, nogil=True)
def _count_above(slopes, target):  # type: ignore[no-untyped-def]
    """How many samples rise above the sight line."""
    count = 0
    for k in range(slopes.size):
        count += 1 if slopes[k] > target else 0
    return count


@njit(cache=True, nogil=True)
def profile_space(reach, mast):  # type: ignore[no-untyped-def]
    """Buffers of :func:`target_sight` for targets up to ``reach`` pixels away: index, and rows of float64."""
    longest = 2 * int(math.ceil(reach)) + 2
    space = np.empty((5, longest), np.float64)
    drop = mast.curvature * mast.pixel_m * mast.pixel_m
    for k in range(longest):
        space[3, k], space[4, k] = 1.0 / (1.0 + 0.5 * k), drop * (1.0 + 0.5 * k)
    return np.empty(longest, np.int32), space


@njit(cache=True, nogil=True)
def diffraction_nu(over_m, near_px, e_px, pixel_m):  # type: ignore[no-untyped-def]
    """Knife-edge parameter at 1 GHz of an edge ``over_m`` above the sight line, ``near_px`` from the mast."""
    d1, d2 = near_px * pixel_m, (e_px - near_px) * pixel_m
    return over_m * math.sqrt(2.0 * (d1 + d2) / (0.2998 * d1 * d2))


@njit(cache=True, nogil=True)
def target_sight(top, ground, two, mast, row, col, space):  # type: ignore[no-untyped-def]
    """Exact sight of one target: (blocked by the top surface, nu of the ground at 1 GHz)."""
    dy, dx = float(row - mast.row), float(col - mast.col)
    e = math.sqrt(dy * dy + dx * dx)
    if e < 1.5:
        return False, CLEAR_NU
    n = int(math.floor((e - 0.5) * 2.0)) - 1
    index, buffers = space
    fy, fx, slopes, per_distance, fall = buffers[0, :n], buffers[1, :n], buffers[2, :n], buffers[3, :n], buffers[4, :n]
    target = (ground[row, col] + mast.receiver_m - mast.top_amsl_m) / e - mast.curvature * mast.pixel_m**2 * e
    _profile_places(ground.shape, float(mast.row), float(mast.col), dy / e, dx / e, index[:n], fy, fx)
    _gather(ground.ravel(), index[:n], ground.shape[1], fy, fx, slopes)
    _to_slopes(slopes, mast.top_amsl_m, per_distance, fall)
    if _count_above(slopes, target) > 0:
        k = np.argmax(slopes)
        near = 1.0 + 0.5 * k
        return True, diffraction_nu((slopes[k] - target) * near, near, e, mast.pixel_m)
    if not two:
        return False, CLEAR_NU
    _gather(top.ravel(), index[:n], ground.shape[1], fy, fx, slopes)
    _to_slopes(slopes, mast.top_amsl_m, per_distance, fall)
    return _count_above(slopes, target) > 0, CLEAR_NU


@njit(cache=True, nogil=True)
def exact_visible(surface, mast, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (bool, shape of the surface) with the exact rule; targets stand ``receiver_m`` above the surface."""
    space = profile_space(math.sqrt(surface.shape[0] ** 2 + surface.shape[1] ** 2), mast)
    for row in range(surface.shape[0]):
        for col in range(surface.shape[1]):
            blocked, _ = target_sight(surface, surface, False, mast, row, col, space)
            out[row, col] = not blocked


@njit(cache=True, nogil=True)
def copy_window(surface, row, col, reach, out):  # type: ignore[no-untyped-def]
    """Copy the surface around a pixel into ``out`` (2 reach + 1 square), repeating its edge outside of the grid."""
    height, width = surface.shape
    for i in range(2 * reach + 1):
        y = min(max(row - reach + i, 0), height - 1)
        for j in range(2 * reach + 1):
            out[i, j] = surface[y, min(max(col - reach + j, 0), width - 1)]


@njit(cache=True, nogil=True)
def _ray_places(centre, width, sin, cos, index, fy, fx):  # type: ignore[no-untyped-def]
    """Flat index of the upper left pixel centre, and the weights, of the samples of one ray in a window."""
    for k in range(index.size):
        d = np.float32(1.0) + np.float32(0.5) * np.float32(k)
        y, x = centre - d * cos, centre + d * sin
        i, j = np.int32(y), np.int32(x)
        fy[k], fx[k] = y - np.float32(i), x - np.float32(j)
        index[k] = i * width + j


@njit(cache=True, nogil=True)
def _running_max(slopes, greatest):  # type: ignore[no-untyped-def]
    """Greatest slope up to each sample."""
    best = np.float32(-np.inf)
    for k in range(slopes.size):
        best = max(best, slopes[k])
        greatest[k] = best


@njit(cache=True, nogil=True)
def _running_argmax(slopes, greatest, where):  # type: ignore[no-untyped-def]
    """Greatest slope up to each sample, and the number of its sample."""
    best, best_k = np.float32(-np.inf), 0
    for k in range(slopes.size):
        if slopes[k] > best:
            best, best_k = slopes[k], k
        greatest[k], where[k] = best, best_k


@njit(cache=True, nogil=True)
def sweep(top, ground, two, mast, disc, within, blocked, nu):  # type: ignore[no-untyped-def]
    """Radial sweep of one mast's disc.

    ``top`` and ``ground`` are windows of (2R+3, 2R+3) around the mast (see :func:`copy_window`, reach R+1). ``blocked``
    (bool) and ``nu`` (float32, at 1 GHz, ground alone) are windows of (2R+1, 2R+1) and are filled inside of the disc.
    With ``two`` False the top surface is the ground itself and is not swept. ``within`` (first row, row after the last,
    first column, column after the last) is the part of the window that is asked for: a ray ends where it leaves it.
    """
    steps, width = max(2 * disc.radius - 2, 0), 2 * disc.radius + 3
    index, where = np.empty(steps, np.int32), np.empty(steps, np.int32)
    fy, fx, slopes = np.empty(steps, np.float32), np.empty(steps, np.float32), np.empty(steps, np.float32)
    greatest, top_greatest = np.empty(steps, np.float32), np.empty(steps, np.float32)
    drop = mast.curvature * mast.pixel_m * mast.pixel_m
    distance = 1.0 + 0.5 * np.arange(steps)
    per_distance, fall = (1.0 / distance).astype(np.float32), (drop * distance).astype(np.float32)
    centre, antenna = np.float32(disc.radius + 1), np.float32(mast.top_amsl_m)
    for ray in range(disc.ray_sin.size):
        first, last = disc.ray_start[ray], disc.ray_start[ray + 1]
        while last > first and not (within[0] <= disc.pixel_row[last - 1] < within[1]
                                    and within[2] <= disc.pixel_col[last - 1] < within[3]):
            last -= 1
        if first == last:
            continue
        n = disc.pixel_samples[last - 1]
        sin, cos = np.float32(disc.ray_sin[ray]), np.float32(disc.ray_cos[ray])
        _ray_places(centre, width, sin, cos, index[:n], fy, fx)
        _gather(ground.ravel(), index[:n], width, fy, fx, slopes)
        _to_slopes(slopes[:n], antenna, per_distance, fall)
        _running_argmax(slopes[:n], greatest, where)
        if two:
            _gather(top.ravel(), index[:n], width, fy, fx, slopes)
            _to_slopes(slopes[:n], antenna, per_distance, fall)
            _running_max(slopes[:n], top_greatest)
        for p in range(first, last):
            i, j, m, e = disc.pixel_row[p], disc.pixel_col[p], disc.pixel_samples[p], disc.pixel_distance[p]
            blocked[i, j], nu[i, j] = False, CLEAR_NU
            if m == 0:
                continue
            target = (ground[i + 1, j + 1] + mast.receiver_m - mast.top_amsl_m) / e - drop * e
            if greatest[m - 1] > target:
                near = distance[where[m - 1]]
                over = (greatest[m - 1] - target) * near
                blocked[i, j], nu[i, j] = True, diffraction_nu(over, near, e, mast.pixel_m)
            elif two:
                blocked[i, j] = top_greatest[m - 1] > target
