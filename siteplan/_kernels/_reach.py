"""Reach of candidates: the best of one mast's sectors at points, by exact profiles."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from siteplan._kernels._exact import point_sight, point_space
from siteplan._kernels._facade import facade_of
from siteplan._kernels._radiate import attenuation, knife_edge_db, turn

# Tuples of arrays are taken apart before a loop: handing them on inside would count references at every point.


@njit(cache=True, nogil=True)
def _strongest(azimuth, down, sectors):  # type: ignore[no-untyped-def]
    """Greatest power of a mast's sectors towards a direction, pattern taken off, dBm."""
    best = np.float32(-np.inf)
    for s in range(sectors.number.size):
        off = turn(azimuth, sectors.azimuth_deg[s])
        lean = sectors.tilt_electrical_deg[s]
        if sectors.tilt_mechanical_deg[s] != np.float32(0.0):
            lean += sectors.tilt_mechanical_deg[s] * np.float32(math.cos(math.radians(off)))
        away = attenuation(off, down - lean, sectors.horizontal_db[s], sectors.vertical_db[s], sectors.depth_db[s])
        best = max(best, sectors.power_dbm[s] - away)
    return best


@njit(cache=True, nogil=True)
def point_loss(ring, nu_top, nu_ground, losses):  # type: ignore[no-untyped-def]
    """Loss at one point, dB; the same rule as :func:`siteplan._kernels.add_mast` follows row by row."""
    state = 1 if nu_top > 0.0 else 0
    loss = np.float64(losses.path_db[ring, state])
    if losses.edge_weight > 0.0 and nu_top * losses.nu_scale > -0.78:
        loss += losses.edge_weight * min(knife_edge_db(nu_top * losses.nu_scale), losses.edge_cap_db)
    if nu_ground > losses.nu_limit[ring, state]:
        edge = knife_edge_db(nu_ground * losses.nu_scale)
        edge += (1.0 - math.exp(-edge / 6.0)) * losses.correction_db[ring]
        loss = max(loss, losses.free_db[ring] + edge)
    return loss


@njit(cache=True, nogil=True)
def reach_mast(surface, mast, disc, losses, sectors, limits, points, reached):  # type: ignore[no-untyped-def]
    """Best z of one mast's sectors at points.

    ``surface`` is (top, ground, whether they differ, whether the edge of the ground is Bullington's, extra, facade),
    ``limits`` (threshold in dBm, least z worth keeping), ``points`` (start of each grid row in the sorted points,
    column of each). ``reached`` is (best z per point, numbers of the points touched, how many), filled.
    """
    top, ground, two, bullington, extra, facade = surface
    threshold, floor_z = limits
    row_start, point_col = points
    best_z, touched, count = reached
    space = point_space(disc.radius, mast)
    radius, rings, azimuths, distance = disc.radius, disc.ring, disc.azimuth, disc.distance
    path, inverse = losses.path_db, losses.inverse_sigma
    for row in range(max(mast.row - radius, 0), min(mast.row + radius + 1, row_start.size - 1)):
        first, last = row_start[row], row_start[row + 1]
        p = first + np.searchsorted(point_col[first:last], mast.col - radius)
        while p < last and point_col[p] <= mast.col + radius:
            col = point_col[p]
            i, j = row - mast.row + radius, col - mast.col + radius
            ring = rings[i, j]
            if ring >= 0:
                fall = mast.top_amsl_m - ground[row, col] - mast.receiver_m
                down = np.float32(math.degrees(math.atan2(fall, distance[ring] * mast.pixel_m)))
                power = _strongest(azimuths[i, j], down, sectors) - threshold
                if extra.size > 0:
                    power -= extra[row, col]
                bound = max((power - path[ring, 0]) * inverse[ring, 0], (power - path[ring, 1]) * inverse[ring, 1])
                if bound >= floor_z - 1e-3:
                    nu_top, nu_ground = point_sight(top, ground, two, mast, row, col, space)
                    if not bullington:
                        nu_ground = point_sight(ground, ground, False, mast, row, col, space)[0] if two else nu_top
                    if not two:
                        nu_top = nu_ground
                    else:
                        dy, dx = facade_of(facade, rings, row, col, i, j)
                        if dy != 0 or dx != 0:
                            nu_top, _ = point_sight(top, ground, two, mast, row + dy, col + dx, space)
                    state = 1 if nu_top > 0.0 else 0
                    z = np.float32((power - point_loss(ring, nu_top, nu_ground, losses)) * inverse[ring, state])
                    if z >= floor_z:
                        if best_z[p] == -np.inf:
                            touched[count[0]] = p
                            count[0] += 1
                        best_z[p] = max(best_z[p], z)
            p += 1
