"""Footprints: the pixels that masts cover with a wanted probability, as runs along rows."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siteplan._kernels._disc import copy_window
from siteplan._kernels._exact import profile_heights
from siteplan._kernels._facade import lend_sight
from siteplan._kernels._nouns import CLEAR_NU, Losses, Mast
from siteplan._kernels._radiate import _row_of, _sector_row, _z_row
from siteplan._kernels._sweep import sweep_sight
from siteplan._kernels._terrain import ON_RAY, _ray_places, sweep_terrain

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]
LEAST_Z = np.float32(-np.inf)
FAR_PX, LOOKS_PER_PX = 200, 4
"""To show that the ground does not matter, tables of the rays are kept up to this reach, and so many samples per pixel
are compared one by one at most: beyond, this would cost more than it saves."""
NEARLY = np.float32(0.999)
"""Margin of the bounds for single precision."""


class Scenery(NamedTuple):
    """The grid as masts look at it."""

    top_m: F32  # (row, col): the ground itself where nothing is known of clutter
    ground_m: F32
    extra_db: F32  # loss of the receiver's pixel for calibrated sectors; (0, 0) without
    facade: NDArray[np.int8]  # (row, col, 2), see nearest_open
    counted: Bools  # (row, col): pixels that may belong to a footprint
    has_clutter: bool
    facade_px: int  # longest step of ``facade``


class MastRow(NamedTuple):
    """M masts, each with its links (one frequency and model), L of them, each with its sectors, S of them."""

    row: I64  # (M,)
    col: I64  # (M,)
    top_m: NDArray[np.float64]  # (M,): antenna above sea level
    link_start: I64  # (M + 1,)
    table: I64  # (L,): row of the loss tables
    calibrated: Bools  # (L,)
    sector_start: I64  # (L + 1,)
    azimuth_deg: F32  # (S,), and so on, as in Sectors
    tilt_electrical_deg: F32
    tilt_mechanical_deg: F32
    power_dbm: F32
    antenna: I64  # (S,): row of the next three
    horizontal_db: F32  # (A, 362)
    vertical_db: F32  # (A, 722)
    depth_db: F32  # (A,)


class RayTables(NamedTuple):
    """Samples of the rays of the terrain sweep, distance by distance, and what each pixel reads; empty = not wanted."""

    corner: NDArray[np.int32]  # (samples,): upper left pixel in the window of the ground
    fy: F32  # (samples,): bilinear weights
    fx: F32
    sample: NDArray[np.int32]  # (4, pixels): last sample before the pixel, those around it, one halfway; -1 without
    place: NDArray[np.int32]  # (2, pixels): its place in the window of the ground, its ring


@njit(cache=True, nogil=True)
def _within(shape, mast, radius, margin):  # type: ignore[no-untyped-def]
    """The grid, wider by a margin, in rows and columns of the window of a mast."""
    row, col, size = mast.row - radius, mast.col - radius, 2 * radius + 1
    return (max(-margin - row, 0), min(shape[0] + margin - row, size),
            max(-margin - col, 0), min(shape[1] + margin - col, size))


@njit(cache=True, nogil=True)
def _limits(masts, m, losses, limit):  # type: ignore[no-untyped-def]
    """Least limit of nu of the ground by ring over the links of a mast."""
    limit[:] = np.float32(np.inf)
    for k in range(masts.link_start[m], masts.link_start[m + 1]):
        table = losses.nu_limit[masts.table[k]]
        for r in range(limit.size):
            limit[r] = min(limit[r], table[r, 0], table[r, 1])


@njit(cache=True, nogil=True)
def rays_of(disc):  # type: ignore[no-untyped-def]
    """Tables of the rays of :func:`sweep_terrain`: its samples, and what its pixels read of them."""
    radius, size, width = disc.radius, 2 * disc.radius + 1, 2 * disc.radius + 3
    rays, pixels, rings = disc.ray_start.size - 1, disc.ray_pixel.size, disc.ring.ravel()
    corner = np.empty((radius, rays), np.int32)
    weights = np.empty((2, radius, rays), np.float32)
    numbers, fy, fx = np.empty(radius, np.int32), np.empty(radius, np.float32), np.empty(radius, np.float32)
    sample, place = np.full((4, pixels), -1, np.int32), np.empty((2, pixels), np.int32)
    for ray in range(rays):
        angle = disc.level_start[1] + 1 + ray
        _ray_places(np.float32(radius + 1), np.int32(width), disc.sin[angle], disc.cos[angle], numbers, (fy, fx))
        corner[:, ray], weights[0, :, ray], weights[1, :, ray] = numbers, fy, fx
        for p in range(disc.ray_start[ray], disc.ray_start[ray + 1]):
            pixel, e = disc.ray_pixel[p], disc.ray_away[p]
            before, k = int(e - np.float32(0.5)), int(e)
            place[0, p] = pixel + 2 * (pixel // size) + size + 3
            place[1, p] = rings[pixel]
            if before > 0:
                sample[0, p] = (before - 1) * rays + ray
                sample[1, p] = (k - 1) * rays + ray
                sample[2, p] = min(k, radius - 1) * rays + ray
                if before > 1:
                    sample[3, p] = (before // 2 - 1) * rays + ray
    return RayTables(corner.ravel(), weights[0].copy().ravel(), weights[1].copy().ravel(), sample, place)


@njit(cache=True, nogil=True)
def _slopes(heights, antenna, drop, rays, slopes, steepest):  # type: ignore[no-untyped-def]
    """Heights over the antenna less the Earth's curvature, in place, their slopes, and the steepest so far."""
    for k in range(heights.size // rays):
        d = np.float32(k + 1)
        row, slope = heights[k * rays:(k + 1) * rays], slopes[k * rays:(k + 1) * rays]
        for r in range(rays):
            row[r] = row[r] - antenna - drop * d * d
        for r in range(rays):
            slope[r] = row[r] / d
        most, last = steepest[k * rays:(k + 1) * rays], steepest[max(k - 1, 0) * rays:max(k, 1) * rays]
        if k == 0:
            most[:] = slope
        else:
            for r in range(rays):
                most[r] = max(last[r], slope[r])


@njit(cache=True, nogil=True, error_model="numpy")
def _stays_below(slopes, rays, last, e, target, nu):  # type: ignore[no-untyped-def]
    """Whether all samples of a ray up to the place ``last`` have a lower knife-edge parameter (bar its scale)."""
    r, before = last % rays, last // rays + 1
    best = np.float32(-np.inf)
    for j in range(before):
        d, over = np.float32(j + 1), slopes[j * rays + r] - target
        best = max(best, over * abs(over) * (d * e / (e - d)))
    return best <= np.float32(0.0) and np.float32(math.sqrt(-best)) * NEARLY > -nu


@njit(cache=True, nogil=True, error_model="numpy")
def _ground_is_low(ground, mast, disc, tables, limit, work):  # type: ignore[no-untyped-def]
    """Whether nu of :func:`sweep_terrain` surely stays below the limit by ring at all pixels of a disc.

    Where no sample rises above the sight line, nu is at most 0. Where the limit lies below that, the steepest samples
    of both halves of the way bound it, else all are compared. The samples are those of the rays; the vertices of the
    hull that :func:`sweep_terrain` searches are some of them.
    """
    heights, slopes, steepest = work
    corner, fy, fx, sample, place = tables
    before, below, beyond, half, away = sample[0], sample[1], sample[2], sample[3], disc.ray_away
    looks = LOOKS_PER_PX * away.size
    flat, width, rays = ground.ravel(), 2 * disc.radius + 3, disc.ray_start.size - 1
    antenna, drop = np.float32(mast.top_amsl_m), np.float32(mast.curvature * mast.pixel_m * mast.pixel_m)
    scale = np.float32(math.sqrt(2.0 / (0.2998 * mast.pixel_m)))
    rise = np.float32(mast.receiver_m)
    profile_heights(flat, width, corner, fy, fx, heights)
    _slopes(heights, antenna, drop, rays, slopes, steepest)
    for p in range(away.size):
        if before[p] < 0:
            continue
        e = away[p]
        near, far = heights[below[p]], heights[beyond[p]]
        own = flat[place[0, p]] - antenna - drop * e * e
        target = (rise + own + ON_RAY * (near + (e - np.float32(int(e))) * (far - near) - own)) / e
        most, least = steepest[before[p]], limit[place[1, p]]
        if most > target:
            return False
        if least < np.float32(0.0):
            d = np.float32(int(e - np.float32(0.5)) // 2 + 1)  # the first sample of the second half
            root = (target - most) * np.float32(math.sqrt(d * e / (e - d)))
            if half[p] >= 0:
                root = min(root, target - steepest[half[p]])
            if root * scale * NEARLY <= -least:
                looks -= before[p] // rays + 1
                if looks < 0 or not _stays_below(slopes, rays, before[p], e, target, least / scale):
                    return False
    return True


@njit(cache=True, nogil=True)
def _look(scenery, mast, disc, low, windows, sight):  # type: ignore[no-untyped-def]
    """Fill ``sight``, nu of the top surface and of the ground around a mast; ``windows`` are work space.

    ``low`` is (tables of the rays, nu by ring up to which the ground does not matter, work space for the samples):
    where it does not matter anywhere, its nu is left at ``CLEAR_NU``. Without tables all nu are filled.
    """
    top, ground, facade = scenery.top_m, scenery.ground_m, scenery.facade
    top_window, ground_window = windows
    nu_top, nu_ground = sight
    within = _within(ground.shape, mast, disc.radius, 0)
    copy_window(ground, mast.row, mast.col, disc.radius + 1, ground_window)
    nu_ground[:] = np.float32(CLEAR_NU)
    if low[0].corner.size == 0 or not _ground_is_low(ground_window, mast, disc, low[0], low[1], low[2]):
        sweep_terrain(ground_window, mast, disc, within, nu_ground)
    if not scenery.has_clutter:
        nu_top[:] = nu_ground
        return
    copy_window(top, mast.row, mast.col, disc.radius + 1, top_window)
    nu_top[:] = np.float32(CLEAR_NU)
    wider = _within(ground.shape, mast, disc.radius, scenery.facade_px)
    sweep_sight(top_window, ground_window, mast, disc, wider, nu_top)
    lend_sight(facade, mast, disc, (0, ground.shape[0], 0, ground.shape[1]), nu_top)


@njit(cache=True, nogil=True)
def _emit(z, least, counted, place, runs, count):  # type: ignore[no-untyped-def]
    """Add the runs of a row to ``runs`` (row, first, last) from ``count`` on; returns their number."""
    y, x0 = place
    inside = False
    for k in range(z.size):
        if z[k] >= least and counted[k]:
            if not inside:
                runs[0, count], runs[1, count] = y, x0 + k
                inside = True
        elif inside:
            runs[2, count] = x0 + k - 1
            count += 1
            inside = False
    if inside:
        runs[2, count] = x0 + z.size - 1
        count += 1
    return count


@njit(cache=True, nogil=True)
def cover_masts(scenery, disc, masts, ready, losses, link, span, out):  # type: ignore[no-untyped-def]
    """Pixels that masts of one reach cover, as runs along rows.

    Parameters
    ----------
    scenery : Scenery
    disc : Disc
    masts : MastRow
    ready : (ndarray, ndarray) of float32 (masts of ``span`` or 0, n, n)
        Nu of the top surface and of the ground around each mast of ``span``, where that is known already; without them
        both come from the sweeps (edge of the ground: Bullington's).
    losses : Losses
        The arrays by ring stacked (T, rings, ..), the numbers as arrays (T,).
    link : tuple of float
        Receiver above ground (m), pixel edge (m), 1 / (2 a_e) in 1/m, threshold (dBm), least z = (signal - threshold) /
        sigma that counts as covered.
    span : (int, int)
        First mast, mast after the last.
    out : (ndarray of int32 (3, capacity), ndarray of int64 (M,))
        Filled: row, first and last column of each run, masts in their order, rows and columns rising; runs of each
        mast.

    Returns
    -------
    (int, int)
        The mast after the last one done (the room in ``out`` may not do for all), runs written.

    Notes
    -----
    Signal, sight and loss of a pixel are those of :func:`add_mast`, of the same functions row by row.
    """
    runs, counts = out
    ground, counted, radius = scenery.ground_m, scenery.counted, disc.radius
    size, count = 2 * radius + 1, 0
    windows = np.empty((size + 2, size + 2), np.float32), np.empty((size + 2, size + 2), np.float32)
    sight = np.empty((size, size), np.float32), np.empty((size, size), np.float32)
    loss, inverse, down = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    rsrp, z, azimuth = np.empty(size, np.float32), np.empty(size, np.float32), disc.azimuth
    receiver_m, pixel_m, curvature, threshold_dbm, least_z = link
    threshold, least = np.float32(threshold_dbm), np.float32(least_z)
    nothing, limit = np.zeros((0, 0), np.float32), np.empty(disc.distance.size, np.float32)
    no_rays = RayTables(np.empty(0, np.int32), nothing[0:0].ravel(), nothing[0:0].ravel(),
                        np.empty((4, 0), np.int32), np.empty((2, 0), np.int32))
    wanted = scenery.has_clutter and ready[0].shape[0] == 0 and radius <= FAR_PX
    rays = rays_of(disc) if wanted else no_rays
    samples = (np.empty(rays.corner.size, np.float32), np.empty(rays.corner.size, np.float32),
               np.empty(rays.corner.size, np.float32))
    for m in range(span[0], span[1]):
        if count + size * (radius + 1) > runs.shape[1]:
            return m, count
        mast = Mast(masts.row[m], masts.col[m], masts.top_m[m], receiver_m, pixel_m, curvature)
        if ready[0].shape[0] > 0:
            sight = ready[0][m - span[0]], ready[1][m - span[0]]
        else:
            _limits(masts, m, losses, limit)
            _look(scenery, mast, disc, (rays, limit, samples), windows, sight)
        before = count
        for y in range(max(mast.row - radius, 0), min(mast.row + radius + 1, ground.shape[0])):
            half = int(math.floor(math.sqrt(radius * radius - (y - mast.row) ** 2)))
            x0, x1 = max(mast.col - half, 0), min(mast.col + half + 1, ground.shape[1])
            n = x1 - x0
            if n <= 0:
                continue
            i, j0 = y - mast.row + radius, x0 - mast.col + radius
            z[:n] = LEAST_Z
            for k in range(masts.link_start[m], masts.link_start[m + 1]):
                t = masts.table[k]
                table = Losses(losses.path_db[t], losses.inverse_sigma[t], losses.nu_limit[t], losses.free_db[t],
                               losses.correction_db[t], losses.nu_scale[t], losses.edge_weight[t],
                               losses.edge_cap_db[t])
                extra = scenery.extra_db if masts.calibrated[k] else nothing
                _row_of((ground, extra, nothing), mast, disc, sight, table, (y, x0, x1),
                        (loss[:n], inverse[:n], down[:n]))
                for s in range(masts.sector_start[k], masts.sector_start[k + 1]):
                    a = masts.antenna[s]
                    sector = (masts.azimuth_deg[s], masts.tilt_electrical_deg[s], masts.tilt_mechanical_deg[s],
                              masts.power_dbm[s], masts.depth_db[a])
                    _sector_row(azimuth[i, j0:j0 + n], down[:n], loss[:n], sector,
                                (masts.horizontal_db[a], masts.vertical_db[a]), rsrp[:n])
                    _z_row(rsrp[:n], inverse[:n], threshold, z[:n])
            count = _emit(z[:n], least, counted[y, x0:x1], (y, x0), runs, count)
        counts[m] = count - before
    return span[1], count
