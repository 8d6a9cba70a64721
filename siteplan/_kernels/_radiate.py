"""From sight to signal: the sectors of one mast added to the servers of a part of the grid, row by row.

Loops are short and touch few arrays, so that the compiler can put them into vector instructions: a loop over many
arrays that may overlap is left scalar.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from siteplan._kernels._nouns import POWER_UNITS_PER_MW, STEPS_PER_DB

STEPS, PER_STEP = np.float32(STEPS_PER_DB), np.float32(1.0 / STEPS_PER_DB)
LOW, KEY = np.int64(2**31 - 1), np.int64(2**32)
_UNITS = np.float32(POWER_UNITS_PER_MW)
_DEGREES = np.float32(180.0 / math.pi)
_HALF_PI = np.float32(math.pi / 2)
_FEW = np.float32(1e-3)

# odd polynomial of atan on 0..1, fitted at 64 Chebyshev nodes of u^2: error below 2e-6 rad
_ATAN = tuple(np.float32(c) for c in (0.9999999, -0.3333196, 0.19969235, -0.14016585, 0.09906097, -0.0593671,
                                      0.02416619, -0.004668773))
_A0, _A1, _A2, _A3, _A4, _A5, _A6, _A7 = _ATAN

# 10^(dBm/10) = exp(x)^32, x = dBm ln(10) / 320; Taylor series around the middle of -200..20 dBm, relative error 1e-5
_TO_X = np.float32(math.log(10.0) / 320.0)
_MIDDLE = np.float32(-90.0 * math.log(10.0) / 320.0)
_E = tuple(np.float32(math.exp(float(_MIDDLE)) / math.factorial(k)) for k in range(9))
_E0, _E1, _E2, _E3, _E4, _E5, _E6, _E7, _E8 = _E
_LOWEST, _HIGHEST = np.float32(-200.0), np.float32(0.0)


@njit(cache=True, nogil=True)
def knife_edge_db(nu):  # type: ignore[no-untyped-def]
    """Knife-edge loss of one nu (P.526); twin of :func:`siteplan.radio.knife_edge_loss_db`."""
    if nu <= -0.78:
        return 0.0
    v = nu - 0.1
    return max(6.9 + 20.0 * math.log10(math.sqrt(v * v + 1.0) + v), 0.0)


@njit(cache=True, nogil=True)
def power_units(steps):  # type: ignore[no-untyped-def]
    """Power of a signal given in steps, in units of 2^-60 mW (float32); signals above 0 dBm count as 0 dBm."""
    dbm = min(max(np.float32(steps) * PER_STEP, _LOWEST), _HIGHEST)
    t = dbm * _TO_X - _MIDDLE
    e = _E0 + t * (_E1 + t * (_E2 + t * (_E3 + t * (_E4 + t * (_E5 + t * (_E6 + t * (_E7 + t * _E8)))))))
    e *= e
    e *= e
    e *= e
    e *= e
    return e * e * _UNITS


@njit(cache=True, nogil=True)
def path_row(ring, nu_top, path, inverse_sigma, loss, inverse):  # type: ignore[no-untyped-def]
    """Path loss and 1 / sigma of a row by ring and state."""
    for k in range(ring.size):
        p = np.uint32(2) * np.uint32(ring[k]) + (np.uint32(1) if nu_top[k] > np.float32(0.0) else np.uint32(0))
        loss[k] = path[p]
        inverse[k] = inverse_sigma[p]


@njit(cache=True, nogil=True)
def _edge_row(nu_top, scale, weight, cap, loss):  # type: ignore[no-untyped-def]
    """Weighted and capped knife edge of the top surface."""
    least = np.float32(-0.78 / scale)
    for k in range(nu_top.size):
        if nu_top[k] > least:
            loss[k] += np.float32(weight * min(knife_edge_db(nu_top[k] * scale), cap))


@njit(cache=True, nogil=True)
def _terrain_row(ring, nu_top, nu_ground, limit, free, correction, scale, loss):  # type: ignore[no-untyped-def]
    """At least free space and the edge of the ground."""
    for k in range(ring.size):
        r = np.uint32(ring[k])
        p = np.uint32(2) * r + (np.uint32(1) if nu_top[k] > np.float32(0.0) else np.uint32(0))
        if nu_ground[k] > limit[p]:
            edge = knife_edge_db(nu_ground[k] * scale)
            edge += (1.0 - math.exp(-edge / 6.0)) * correction[r]
            loss[k] = max(loss[k], np.float32(free[r] + edge))


@njit(cache=True, nogil=True)
def _add_row(extra, loss):  # type: ignore[no-untyped-def]
    for k in range(loss.size):
        loss[k] += extra[k]


@njit(cache=True, nogil=True)
def _down_row(ground, antenna, pixel, dy, first, down):  # type: ignore[no-untyped-def]
    """Angle below the horizon from the antenna to each receiver, degrees."""
    square = np.float32(dy) * np.float32(dy)
    for k in range(down.size):
        dx = np.float32(first + k)
        d = max(np.sqrt(square + dx * dx) * pixel, _FEW)
        t = (antenna - ground[k]) / d
        a = abs(t)
        u = np.float32(1.0) / a if a > np.float32(1.0) else a
        w = u * u
        v = u * (_A0 + w * (_A1 + w * (_A2 + w * (_A3 + w * (_A4 + w * (_A5 + w * (_A6 + w * _A7)))))))
        v = _HALF_PI - v if a > np.float32(1.0) else v
        down[k] = (-v if t < np.float32(0.0) else v) * _DEGREES


@njit(cache=True, nogil=True)
def attenuation(azimuth_off, below, horizontal, vertical, depth):  # type: ignore[no-untyped-def]
    """Attenuation of a pattern: azimuth off the axis in 0..360 degrees, angle below the beam in degrees."""
    i = np.uint32(azimuth_off)
    h = horizontal[i] + (azimuth_off - np.float32(i)) * (horizontal[i + np.uint32(1)] - horizontal[i])
    t = min(max((below + np.float32(90.0)) * np.float32(4.0), np.float32(0.0)), np.float32(720.0))
    j = np.uint32(t)
    v = vertical[j] + (t - np.float32(j)) * (vertical[j + np.uint32(1)] - vertical[j])
    return min(h + v, depth)


@njit(cache=True, nogil=True)
def turn(azimuth, axis):  # type: ignore[no-untyped-def]
    """Azimuth off the axis, 0..360 degrees (both within 0..360)."""
    off = azimuth - axis
    return off + np.float32(360.0) if off < np.float32(0.0) else off


@njit(cache=True, nogil=True)
def _sector_row(azimuth, down, loss, sector, tables, rsrp):  # type: ignore[no-untyped-def]
    """Signal of one sector along a row, dBm; ``sector`` is (azimuth, electrical and mechanical tilt, power, depth)."""
    axis, tilt, mechanical, power, depth = sector
    horizontal, vertical = tables
    if mechanical == np.float32(0.0):
        for k in range(rsrp.size):
            away = attenuation(turn(azimuth[k], axis), down[k] - tilt, horizontal, vertical, depth)
            rsrp[k] = power - away - loss[k]
        return
    for k in range(rsrp.size):
        off = turn(azimuth[k], axis)
        leaned = tilt + mechanical * np.float32(math.cos(off / _DEGREES))
        rsrp[k] = power - attenuation(off, down[k] - leaned, horizontal, vertical, depth) - loss[k]


@njit(cache=True, nogil=True)
def steps_row(rsrp, steps):  # type: ignore[no-untyped-def]
    for k in range(rsrp.size):
        steps[k] = np.int32(np.floor(rsrp[k] * STEPS + np.float32(0.5)))


@njit(cache=True, nogil=True)
def rank_row(steps, number, best, second):  # type: ignore[no-untyped-def]
    """Best and second key of a row after one more sector."""
    low = LOW - np.int64(number)
    for k in range(steps.size):
        key = np.int64(steps[k]) * KEY + low
        old = best[k]
        best[k] = max(old, key)
        second[k] = max(second[k], min(old, key))


@njit(cache=True, nogil=True)
def power_row(steps, load, power):  # type: ignore[no-untyped-def]
    """Add the load-weighted power of one more sector."""
    for k in range(steps.size):
        power[k] += np.int64(power_units(steps[k]) * load)


@njit(cache=True, nogil=True)
def _z_row(rsrp, inverse, threshold, z):  # type: ignore[no-untyped-def]
    for k in range(rsrp.size):
        z[k] = max(z[k], (rsrp[k] - threshold) * inverse[k])


@njit(cache=True, nogil=True)
def _above_row(rsrp, threshold, above):  # type: ignore[no-untyped-def]
    for k in range(rsrp.size):
        above[k] += np.int16(1) if rsrp[k] >= threshold else np.int16(0)


@njit(cache=True, nogil=True)
def _inside_row(rsrp, inside, wall):  # type: ignore[no-untyped-def]
    """Turn the signal outside into that inside; the loss of the way inwards is huge where no building stands."""
    for k in range(rsrp.size):
        rsrp[k] -= inside[k] + wall


@njit(cache=True, nogil=True)
def _best_row(rsrp, best):  # type: ignore[no-untyped-def]
    for k in range(rsrp.size):
        best[k] = max(best[k], rsrp[k])


@njit(cache=True, nogil=True)
def _wall_sigma_row(inverse, wall_sigma):  # type: ignore[no-untyped-def]
    """1 / sigma with the spread of the wall loss beside the fading."""
    for k in range(inverse.size):
        sigma = np.float32(1.0) / inverse[k]
        inverse[k] = np.float32(1.0) / np.sqrt(sigma * sigma + wall_sigma * wall_sigma)


@njit(cache=True, nogil=True)
def _row_of(pixels, mast, disc, sight, losses, place, buffers):  # type: ignore[no-untyped-def]
    """Fill loss, 1 / sigma and angle below the horizon of one row; ``place`` is (grid row, first and last column)."""
    ground, extra, _ = pixels
    nu_top, nu_ground = sight
    y, x0, x1 = place
    loss, inverse, down = buffers
    i, j0, j1 = y - mast.row + disc.radius, x0 - mast.col + disc.radius, x1 - mast.col + disc.radius
    ring, top = disc.ring[i, j0:j1], nu_top[i, j0:j1]
    path_row(ring, top, losses.path_db.ravel(), losses.inverse_sigma.ravel(), loss, inverse)
    if losses.edge_weight > 0.0:
        _edge_row(top, losses.nu_scale, losses.edge_weight, losses.edge_cap_db, loss)
    _terrain_row(ring, top, nu_ground[i, j0:j1], losses.nu_limit.ravel(), losses.free_db, losses.correction_db,
                 losses.nu_scale, loss)
    if extra.size > 0:
        _add_row(extra[y, x0:x1], loss)
    _down_row(ground[y, x0:x1], np.float32(mast.top_amsl_m - mast.receiver_m), np.float32(mast.pixel_m),
              y - mast.row, x0 - mast.col, down)


@njit(cache=True, nogil=True)
def add_mast(pixels, mast, disc, sight, losses, sectors, limits, servers):  # type: ignore[no-untyped-def]
    """Add the sectors of one mast and frequency to the servers of the networks that they serve.

    ``sight`` is (nu of the top surface, nu of the ground) in windows of the disc. The order in which masts are added
    does not change the result by a bit.
    """
    radius, cols = disc.radius, servers.best.shape[2]
    size = 2 * radius + 1
    loss, inverse, down = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    rsrp, steps, azimuth = np.empty(size, np.float32), np.empty(size, np.int32), disc.azimuth
    best, second, z, above, power = servers.best, servers.second, servers.z, servers.above, servers.power
    indoor, indoor_z, inside = servers.indoor, servers.indoor_z, pixels.inside_db
    threshold, threshold_in = np.float32(limits.outdoor_dbm), np.float32(limits.indoor_dbm)
    for y in range(max(mast.row - radius, servers.first_row), min(mast.row + radius + 1, servers.last_row)):
        half = int(math.floor(math.sqrt(radius * radius - (y - mast.row) ** 2)))
        x0, x1 = max(mast.col - half, servers.col0), min(mast.col + half + 1, servers.col0 + cols)
        n = x1 - x0
        if n <= 0:
            continue
        _row_of((pixels.ground_m, pixels.extra_db, inside), mast, disc, sight, losses, (y, x0, x1),
                (loss[:n], inverse[:n], down[:n]))
        r, c0, c1 = y - servers.row0, x0 - servers.col0, x1 - servers.col0
        i, j0 = y - mast.row + radius, x0 - mast.col + radius
        if indoor_z.size > 0:
            inverse_in = inverse[:n].copy()
            _wall_sigma_row(inverse_in, np.float32(sectors.wall_sigma_db))
        for s in range(sectors.number.size):
            sector = (sectors.azimuth_deg[s], sectors.tilt_electrical_deg[s], sectors.tilt_mechanical_deg[s],
                      sectors.power_dbm[s], sectors.depth_db[s])
            _sector_row(azimuth[i, j0:j0 + n], down[:n], loss[:n], sector,
                        (sectors.horizontal_db[s], sectors.vertical_db[s]), rsrp[:n])
            steps_row(rsrp[:n], steps[:n])
            power_row(steps[:n], sectors.load[s], power[sectors.carrier, r, c0:c1])
            for network in sectors.serves:
                rank_row(steps[:n], sectors.number[s], best[network, r, c0:c1], second[network, r, c0:c1])
                _z_row(rsrp[:n], inverse[:n], threshold, z[network, r, c0:c1])
                _above_row(rsrp[:n], threshold, above[network, r, c0:c1])
            if indoor_z.size > 0:
                _inside_row(rsrp[:n], inside[y, x0:x1], np.float32(sectors.wall_db))
                for network in sectors.serves:
                    _best_row(rsrp[:n], indoor[network, r, c0:c1])
                    _z_row(rsrp[:n], inverse_in, threshold_in, indoor_z[network, r, c0:c1])
