"""From sight to signal: best server of a mast's window, merging of parts, reach of candidates."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from siteplan._kernels._sight import profile_space, target_sight

# Tuples of arrays are taken apart before a loop: handing them on inside would count references at every pixel.


@njit(cache=True, nogil=True)
def knife_edge_db(nu):  # type: ignore[no-untyped-def]
    """Knife-edge loss of one nu (P.526); twin of :func:`siteplan.radio.knife_edge_loss_db`."""
    if nu <= -0.78:
        return 0.0
    v = nu - 0.1
    return max(6.9 + 20.0 * math.log10(math.sqrt(v * v + 1.0) + v), 0.0)


@njit(cache=True, nogil=True)
def _best_sector(pattern, numbers, azimuth, down, loss):  # type: ignore[no-untyped-def]
    """Strongest sector towards a direction: (rsrp in dBm, number); equal float32 signals go to the lower number.

    ``pattern`` is that of :class:`Sectors`; the attenuation has the form of TR 38.901 table 7.3-1.
    """
    best, number = np.float32(-np.inf), np.int32(-1)
    for s in range(numbers.size):
        off = abs(azimuth - pattern[0, s])
        if off > 180.0:
            off = 360.0 - off
        off *= pattern[3, s]
        tilt_off = (down - pattern[1, s]) * pattern[4, s]
        away = min(min(12.0 * off * off, pattern[5, s]) + min(12.0 * tilt_off * tilt_off, pattern[6, s]), pattern[5, s])
        rsrp = np.float32(pattern[2, s] - away - loss)
        if rsrp > best or (rsrp == best and numbers[s] < number):
            best, number = rsrp, numbers[s]
    return best, number


@njit(cache=True, nogil=True)
def add_sectors(ground, mast, disc, sight, losses, sectors, threshold, best):  # type: ignore[no-untyped-def]
    """Add the sectors of one mast and frequency, which serve the same networks, to the best signal of these networks.

    ``sight`` is (blocked, nu) of :func:`sweep`. Equal signals go to the lower sector number, so the order in which
    masts are added does not matter. ``best`` is filled. A pixel is left at once when even the strongest sector's axis
    and undisturbed ground could not beat what the pixel has.
    """
    blocked, nu = sight
    radius, rings, azimuths, distances = disc.radius, disc.ring, disc.azimuth, disc.distance * mast.pixel_m
    path_db, free_db, nu_limit, per_sigma = losses.path_db, losses.free_db, losses.nu_limit, 1.0 / losses.sigma_db
    pattern, numbers, networks = sectors.pattern, sectors.number, np.flatnonzero(sectors.serves)
    best_rsrp, best_server, best_z = best.rsrp, best.server, best.z
    rows, cols = best_rsrp.shape[1], best_rsrp.shape[2]
    peak = pattern[2].max()
    for y in range(max(mast.row - radius, best.row0), min(mast.row + radius + 1, best.row0 + rows)):
        i, r = y - mast.row + radius, y - best.row0
        for x in range(max(mast.col - radius, best.col0), min(mast.col + radius + 1, best.col0 + cols)):
            j, c = x - mast.col + radius, x - best.col0
            ring = rings[i, j]
            if ring < 0:
                continue
            state = 1 if blocked[i, j] else 0
            loss, inverse = path_db[state, ring], per_sigma[state, ring]
            bound = np.float32(peak - loss)
            bound_z = np.float32((bound - threshold) * inverse)
            takers = 0
            for n in networks:
                takers += 1 if bound >= best_rsrp[n, r, c] or bound_z > best_z[n, r, c] else 0
            if takers == 0:
                continue
            if nu[i, j] > nu_limit[ring]:
                loss = max(loss, free_db[ring] + knife_edge_db(nu[i, j] * losses.nu_scale))
            fall = mast.top_amsl_m - ground[y, x] - mast.receiver_m
            down = math.degrees(math.atan2(fall, distances[ring]))
            rsrp, number = _best_sector(pattern, numbers, azimuths[i, j], down, loss)
            z = np.float32((rsrp - threshold) * inverse)
            for n in networks:
                old = best_rsrp[n, r, c]
                if rsrp > old or (rsrp == old and number < best_server[n, r, c]):
                    best_rsrp[n, r, c], best_server[n, r, c] = rsrp, number
                best_z[n, r, c] = max(best_z[n, r, c], z)


@njit(cache=True, nogil=True)
def merge_best(rsrp, server, z, best):  # type: ignore[no-untyped-def]
    """Merge a part into the whole arrays (filled); order of the parts does not matter."""
    networks, rows, cols = best.rsrp.shape
    for n in range(networks):
        for i in range(rows):
            y = best.row0 + i
            for j in range(cols):
                x = best.col0 + j
                new, old = best.rsrp[n, i, j], rsrp[n, y, x]
                if new > old or (new == old and best.server[n, i, j] < server[n, y, x]):
                    rsrp[n, y, x] = new
                    server[n, y, x] = best.server[n, i, j]
                z[n, y, x] = max(z[n, y, x], best.z[n, i, j])


@njit(cache=True, nogil=True)
def _reach_z(surface, mast, disc, losses, sectors, limits, pixel, space):  # type: ignore[no-untyped-def]
    """Best z of one mast's sectors at one pixel by the exact rule; -inf where it cannot come to the floor."""
    top, ground, two = surface
    threshold, floor_z = limits
    row, col = pixel
    i, j = row - mast.row + disc.radius, col - mast.col + disc.radius
    ring = disc.ring[i, j]
    if ring < 0:
        return np.float32(-np.inf)
    fall = mast.top_amsl_m - ground[row, col] - mast.receiver_m
    down = math.degrees(math.atan2(fall, disc.distance[ring] * mast.pixel_m))
    azimuth, bound = disc.azimuth[i, j], -np.inf
    for state in range(2):
        rsrp, _ = _best_sector(sectors.pattern, sectors.number, azimuth, down, losses.path_db[state, ring])
        bound = max(bound, (rsrp - threshold) / losses.sigma_db[state, ring])
    if bound < floor_z - 1e-3:
        return np.float32(-np.inf)
    blocked, nu = target_sight(top, ground, two, mast, row, col, space)
    state = 1 if blocked else 0
    loss = losses.path_db[state, ring]
    if np.float32(nu) > losses.nu_limit[ring]:
        loss = max(loss, losses.free_db[ring] + knife_edge_db(np.float32(nu) * losses.nu_scale))
    rsrp, _ = _best_sector(sectors.pattern, sectors.number, azimuth, down, loss)
    return np.float32((rsrp - threshold) * (1.0 / losses.sigma_db[state, ring]))


@njit(cache=True, nogil=True)
def reach_mast(surface, mast, disc, losses, sectors, limits, points, reached):  # type: ignore[no-untyped-def]
    """Best z of one mast's sectors at points, by the exact rule.

    ``surface`` is (top, ground, two), ``limits`` (threshold in dBm, least z worth keeping), ``points`` (start of each
    grid row in the sorted points, column of each). ``reached`` is (best z per point, numbers of the points touched,
    how many), filled.
    """
    row_start, point_col = points
    best_z, touched, count = reached
    space = profile_space(disc.radius, mast)
    for y in range(max(mast.row - disc.radius, 0), min(mast.row + disc.radius + 1, row_start.size - 1)):
        first, last = row_start[y], row_start[y + 1]
        p = first + np.searchsorted(point_col[first:last], mast.col - disc.radius)
        while p < last and point_col[p] <= mast.col + disc.radius:
            z = _reach_z(surface, mast, disc, losses, sectors, limits, (y, point_col[p]), space)
            if z >= limits[1]:
                if best_z[p] == -np.inf:
                    touched[count[0]] = p
                    count[0] += 1
                best_z[p] = max(best_z[p], z)
            p += 1
