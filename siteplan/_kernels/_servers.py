"""Best and second servers: many ready windows at once, and what the keys and sums say at the end."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from siteplan._kernels._nouns import NO_SERVER, POWER_UNITS_PER_MW, STEPS_PER_DB
from siteplan._kernels._radiate import power_row, power_units, rank_row

_KEY = np.int64(2**32)
_LOW = np.int64(2**31 - 1)
_PER_STEP = np.float32(1.0 / STEPS_PER_DB)
_STEPS = np.float32(STEPS_PER_DB)
_MW = 1.0 / POWER_UNITS_PER_MW
BAND = 64
"""Rows that are worked on together, so that their servers stay in the cache."""


@njit(cache=True, nogil=True)
def encode_keys(rsrp, server, keys):  # type: ignore[no-untyped-def]
    """Keys of decoded servers (flat arrays): the inverse of :func:`decode_keys`, exactly."""
    for k in range(rsrp.size):
        if server[k] < 0:
            keys[k] = NO_SERVER
        else:
            keys[k] = np.int64(math.floor(rsrp[k] * _STEPS + np.float32(0.5))) * _KEY + _LOW - np.int64(server[k])


@njit(cache=True, nogil=True)
def decode_keys(keys, rsrp, server):  # type: ignore[no-untyped-def]
    """Signal (dBm, NaN without a server) and sector number (-1 without) of keys (flat arrays)."""
    for k in range(keys.size):
        if keys[k] == NO_SERVER:
            rsrp[k], server[k] = np.float32(np.nan), np.int32(-1)
        else:
            rsrp[k] = np.float32(keys[k] >> 32) * _PER_STEP
            server[k] = np.int32(_LOW - (keys[k] & np.int64(0xFFFFFFFF)))


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
        units = power_units(np.int32(math.floor(rsrp[k] * _STEPS + np.float32(0.5))))
        total = np.float64(power[own, k] - np.int64(units * load[s])) * overlap[own, own]
        for carrier in range(carriers):
            if carrier != own:
                total += np.float64(power[carrier, k]) * overlap[own, carrier]
        out[k] = np.float32(rsrp[k] - 10.0 * math.log10(total * _MW + noise_mw[own]))


@njit(cache=True, nogil=True)
def _steps_of(rsrp, steps):  # type: ignore[no-untyped-def]
    for k in range(rsrp.size):
        steps[k] = np.int32(np.floor(rsrp[k] * _STEPS + np.float32(0.5)))


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
                _steps_of(rsrp[s, r], steps)
                rank_row(steps, numbers[s], best[r], second[r])
                power_row(steps, load[s], power[r])
