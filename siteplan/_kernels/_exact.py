"""Exact profiles: the sight of single targets on a whole grid."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from siteplan._kernels._nouns import CLEAR_NU


@njit(cache=True, nogil=True)
def point_space(reach, mast):  # type: ignore[no-untyped-def]
    """Buffers of :func:`point_sight` for targets up to ``reach`` pixels away, and masts of one pixel and curvature."""
    longest = 2 * int(math.ceil(reach)) + 2
    space = np.empty((6, longest), np.float64)
    drop = mast.curvature * mast.pixel_m * mast.pixel_m
    for k in range(longest):
        d = 1.0 + 0.5 * k
        space[3, k], space[4, k], space[5, k] = 1.0 / d, drop * d, d
    return np.empty(longest, np.int32), space


@njit(cache=True, nogil=True)
def _profile_places(shape, start, step, index, fy, fx):  # type: ignore[no-untyped-def]
    """Pixel centre up and left of each sample of one exact profile (flat index), and the weights."""
    for k in range(index.size):
        d = 1.0 + 0.5 * k
        y, x = start[0] + d * step[0], start[1] + d * step[1]
        i, j = max(min(np.int32(y), shape[0] - 2), 0), max(min(np.int32(x), shape[1] - 2), 0)
        fy[k], fx[k] = y - i, x - j
        index[k] = i * shape[1] + j


@njit(cache=True, nogil=True)
def profile_heights(flat, width, index, fy, fx, heights):  # type: ignore[no-untyped-def]
    """Bilinear heights of the samples."""
    for k in range(index.size):
        p = np.uint32(index[k])
        q = p + np.uint32(width)
        above = flat[p] + fx[k] * (flat[p + np.uint32(1)] - flat[p])
        below = flat[q] + fx[k] * (flat[q + np.uint32(1)] - flat[q])
        heights[k] = above + fy[k] * (below - above)


@njit(cache=True, nogil=True)
def _over_line(heights, antenna, target, per_distance, fall):  # type: ignore[no-untyped-def]
    """Heights to slopes over the sight line (m per pixel), in place; returns the greatest."""
    greatest = -np.inf
    for k in range(heights.size):
        heights[k] = (heights[k] - antenna) * per_distance[k] - fall[k] - target
        greatest = max(greatest, heights[k])
    return greatest


@njit(cache=True, nogil=True, error_model="numpy")
def _greatest_square(over, distance, e):  # type: ignore[no-untyped-def]
    """Greatest signed square of the knife-edge parameter, bar the constant."""
    greatest = -np.inf
    for k in range(over.size):
        d = distance[k]
        greatest = max(greatest, over[k] * abs(over[k]) * (d * e / (e - d)))
    return greatest


@njit(cache=True, nogil=True, error_model="numpy")
def _greatest_back(over, distance, e):  # type: ignore[no-untyped-def]
    """Greatest slope over the sight line as seen from the receiver, m per pixel."""
    greatest = -np.inf
    for k in range(over.size):
        d = distance[k]
        greatest = max(greatest, over[k] * (d / (e - d)))
    return greatest


@njit(cache=True, nogil=True)
def _to_nu(square, pixel_m):  # type: ignore[no-untyped-def]
    """Knife-edge parameter at 1 GHz of a signed square bar the constant."""
    nu = math.sqrt(abs(square) * 2.0 / (0.2998 * pixel_m))
    return nu if square > 0.0 else -nu


@njit(cache=True, nogil=True)
def point_sight(top, ground, two, mast, row, col, space):  # type: ignore[no-untyped-def]
    """Exact sight of one target on a whole grid.

    The profile is sampled bilinearly at 1, 1.5, 2, ... pixels from the mast, the last sample at most e - 0.5 pixels
    away (e = distance of the target); a height d from the mast counts ``curvature * d^2`` less.

    Parameters
    ----------
    top, ground : ndarray, (rows, cols)
        Heights above sea level, m; the receiver stands ``mast.receiver_m`` above ``ground``.
    two : bool
        Whether ``top`` differs from ``ground``; if not, ``top`` is not read.
    mast : Mast
    row, col : int
        Pixel of the target.
    space : tuple
        Of :func:`point_space`.

    Returns
    -------
    nu_top : float
        Greatest knife-edge parameter of the profile at 1 GHz (ITU-R P.526), above 0 where a sample rises above the
        sight line; ``CLEAR_NU`` without a sample.
    nu_ground : float
        That of Bullington's equivalent edge over the ground: the greatest parameter while the ground leaves the line
        free, else that of the point where the steepest lines from both ends meet (see :func:`sweep_terrain`).

    Examples
    --------
    >>> import numpy as np
    >>> from siteplan._kernels import Mast
    >>> mast, ridge = Mast(0, 0, 10.0, 1.5, 10.0, 0.0), np.zeros((2, 9), np.float32)
    >>> ridge[:, 4] = 20.0
    >>> sight = point_sight(ridge, ridge, False, mast, 0, 8, point_space(9, mast))
    >>> [round(float(nu), 3) for nu in sight]  # 14.25 m over the line, 40 m from both ends
    [8.23, 8.23]
    """
    dy, dx = float(row - mast.row), float(col - mast.col)
    e = math.sqrt(dy * dy + dx * dx)
    if e < 1.5:
        return CLEAR_NU, CLEAR_NU
    n = int(math.floor((e - 0.5) * 2.0)) - 1
    index, buffers = space
    fy, fx, over, distance = buffers[0, :n], buffers[1, :n], buffers[2, :n], buffers[5, :n]
    per_distance, fall, index = buffers[3, :n], buffers[4, :n], index[:n]
    target = (ground[row, col] + mast.receiver_m - mast.top_amsl_m) / e - mast.curvature * mast.pixel_m**2 * e
    _profile_places(ground.shape, (float(mast.row), float(mast.col)), (dy / e, dx / e), index, fy, fx)
    profile_heights(ground.ravel(), ground.shape[1], index, fy, fx, over)
    ahead = _over_line(over, mast.top_amsl_m, target, per_distance, fall)
    nu_top = nu_ground = CLEAR_NU
    if ahead <= 0.0 or not two:
        nu_top = nu_ground = _to_nu(_greatest_square(over, distance, e), mast.pixel_m)
    if ahead > 0.0:
        nu_ground = _to_nu(ahead * _greatest_back(over, distance, e) * e, mast.pixel_m)
    if two:
        profile_heights(top.ravel(), ground.shape[1], index, fy, fx, over)
        _over_line(over, mast.top_amsl_m, target, per_distance, fall)
        nu_top = _to_nu(_greatest_square(over, distance, e), mast.pixel_m)
    return nu_top, nu_ground


@njit(cache=True, nogil=True)
def _is_seen(surface, mast, row, col, space):  # type: ignore[no-untyped-def]
    """Whether no sample of the profile rises above the sight line."""
    dy, dx = float(row - mast.row), float(col - mast.col)
    e = math.sqrt(dy * dy + dx * dx)
    if e < 1.5:
        return True
    n = int(math.floor((e - 0.5) * 2.0)) - 1
    index, buffers = space
    fy, fx, over = buffers[0, :n], buffers[1, :n], buffers[2, :n]
    target = (surface[row, col] + mast.receiver_m - mast.top_amsl_m) / e - mast.curvature * mast.pixel_m**2 * e
    _profile_places(surface.shape, (float(mast.row), float(mast.col)), (dy / e, dx / e), index[:n], fy, fx)
    profile_heights(surface.ravel(), surface.shape[1], index[:n], fy, fx, over)
    return _over_line(over, mast.top_amsl_m, target, buffers[3, :n], buffers[4, :n]) <= 0.0


@njit(cache=True, nogil=True)
def exact_visible(surface, mast, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (bool, shape of the surface) with the exact rule; targets stand ``receiver_m`` above the surface."""
    space = point_space(math.sqrt(surface.shape[0] ** 2 + surface.shape[1] ** 2), mast)
    for row in range(surface.shape[0]):
        for col in range(surface.shape[1]):
            out[row, col] = _is_seen(surface, mast, row, col, space)
