"""Best and second servers: many ready windows at once, and what the keys and sums say at the end."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from siteplan._kernels._nouns import NO_SERVER, POWER_UNITS_PER_MW
from siteplan._kernels._radiate import KEY, LOW, PER_STEP, STEPS, power_row, power_units, rank_row, steps_row

_MW = 1.0 / POWER_UNITS_PER_MW
BAND = 64
"""Rows that are worked on together, so that their servers stay in the cache."""


@njit(cache=True, nogil=True)
def _key_of(rsrp, server):  # type: ignore[no-untyped-def]
    """Key of a decoded server, exactly."""
    if server < 0:
        return np.int64(NO_SERVER)
    return np.int64(math.floor(rsrp * STEPS + np.float32(0.5))) * KEY + LOW - np.int64(server)


@njit(cache=True, nogil=True)
def decode_keys(keys, rsrp, server):  # type: ignore[no-untyped-def]
    """Signal (dBm, NaN without a server) and sector number (-1 without) of keys (flat arrays)."""
    for k in range(keys.size):
        if keys[k] == NO_SERVER:
            rsrp[k], server[k] = np.float32(np.nan), np.int32(-1)
        else:
            rsrp[k] = np.float32(keys[k] >> 32) * PER_STEP
            server[k] = np.int32(LOW - (keys[k] & np.int64(0xFFFFFFFF)))


@njit(cache=True, nogil=True)
def merge_servers(a, b, offset, out):  # type: ignore[no-untyped-def]
    """Best and second server of two sets of sectors together.

    ``a``, ``b`` and ``out`` are (rsrp, server, second rsrp, second server), (row, col) each; ``offset`` is added to
    the numbers of ``b``.
    """
    rsrp_a, server_a, rsrp2_a, server2_a = a
    rsrp_b, server_b, rsrp2_b, server2_b = b
    rsrp, server, rsrp2, server2 = out
    rows, cols = rsrp.shape
    keys, keys2 = np.empty(cols, np.int64), np.empty(cols, np.int64)
    for r in range(rows):
        for c in range(cols):
            one = _key_of(rsrp_a[r, c], server_a[r, c])
            two = _key_of(rsrp_b[r, c], server_b[r, c] + offset if server_b[r, c] >= 0 else -1)
            then = max(_key_of(rsrp2_a[r, c], server2_a[r, c]),
                       _key_of(rsrp2_b[r, c], server2_b[r, c] + offset if server2_b[r, c] >= 0 else -1))
            keys[c], keys2[c] = max(one, two), max(min(one, two), then)
        decode_keys(keys, rsrp[r], server[r])
        decode_keys(keys2, rsrp2[r], server2[r])


@njit(cache=True, nogil=True)
def fill_sinr(rsrp, server, power, air, out):  # type: ignore[no-untyped-def]
    """SS-SINR of the best server, dB (flat arrays; NaN without a server).

    ``power`` (carriers, pixels) holds the load-weighted sums, the server's own share included. ``air`` is (carrier of
    each sector, its load, overlap of carriers [of the server, of the other], noise per carrier in mW).
    """
    carrier_of, load, overlap, noise_mw = air
    carriers = power.shape[0]
    for k in range(rsrp.size):
        s = server[k]
        if s < 0:
            out[k] = np.float32(np.nan)
            continue
        own = carrier_of[s]
        units = power_units(np.int32(math.floor(rsrp[k] * STEPS + np.float32(0.5))))
        total = np.float64(power[own, k] - np.int64(units * load[s])) * overlap[own, own]
        for carrier in range(carriers):
            if carrier != own:
                total += np.float64(power[carrier, k]) * overlap[own, carrier]
        out[k] = np.float32(rsrp[k] - 10.0 * math.log10(total * _MW + noise_mw[own]))


@njit(cache=True, nogil=True)
def fuse_windows(rsrp, numbers, load, best, second, power):  # type: ignore[no-untyped-def]
    """Best server, second server and interference of ready windows (S, rows, cols) on one carrier, in bands of rows.

    ``numbers`` (S,) and ``load`` (S,) belong to the windows; the three arrays of (rows, cols) are filled further.
    """
    rows, cols = best.shape
    steps = np.empty(cols, np.int32)
    for band in range(0, rows, BAND):
        for s in range(rsrp.shape[0]):
            for r in range(band, min(band + BAND, rows)):
                steps_row(rsrp[s, r], steps)
                rank_row(steps, numbers[s], best[r], second[r])
                power_row(steps, load[s], power[r])
