"""What the kernels take: tables of a disc, a mast, its losses, its sectors, and the arrays they fill."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

CLEAR_NU = -9.0
"""Diffraction parameter of a pixel whose sight line the ground does not cut."""
RAYS_PER_BORDER_PIXEL = 2


class Disc(NamedTuple):
    """Tables that depend on the radius alone (px); P = pixels of the disc, sorted by owner ray; n = 2 radius + 1."""

    radius: int
    ring: I32  # (n, n): row of the ring tables, -1 outside of the disc
    azimuth: F32  # (n, n): degrees clockwise from north
    distance: F64  # (rings,): pixels
    ray_sin: F64  # (rays,)
    ray_cos: F64  # (rays,)
    ray_start: I32  # (rays + 1,): first pixel of each ray in the next three
    pixel_row: I32  # (P,): row in the window
    pixel_col: I32  # (P,)
    pixel_samples: I32  # (P,): how many samples lie before the receiver
    pixel_distance: F64  # (P,): pixels


class Mast(NamedTuple):
    """One mast and how its sight lines are drawn; heights in m."""

    row: int
    col: int
    top_amsl_m: float  # antenna above sea level
    receiver_m: float  # receiver above the target surface
    pixel_m: float
    curvature: float  # 1 / (2 a_e), 1/m; 0 = flat Earth


class Losses(NamedTuple):
    """Tables by ring of one mast type and frequency: [0] receiver in the clear, [1] blocked."""

    path_db: F64  # (2, rings)
    sigma_db: F64  # (2, rings)
    free_db: F64  # (rings,)
    nu_limit: F64  # (rings,): up to this nu (at 1 GHz) the knife edge adds less than the blocked state has lost already
    nu_scale: float  # sqrt(frequency in GHz): nu is swept at 1 GHz


class Sectors(NamedTuple):
    """The sectors of one mast and frequency, S of them, that serve the same of N networks."""

    pattern: F64  # (7, S): azimuth and downtilt in degrees, EPRE + antenna gain in dBm, 1 / horizontal and 1 / vertical
    # half-power beam width in 1/degrees (0 = omni), greatest attenuation and that of the vertical plane in dB
    number: I32  # (S,) row in the table of sectors
    serves: NDArray[np.bool_]  # (N,)


class Best(NamedTuple):
    """Best signal so far on a part of the grid; the arrays are filled by the kernels. N networks."""

    row0: int
    col0: int
    rsrp: F32  # (N, rows, cols), -inf where nothing
    server: I32  # (N, rows, cols), -1 where nothing
    z: F32  # (N, rows, cols), greatest (rsrp - threshold) / sigma


def build_disc(radius: int) -> Disc:
    """Tables of a disc of ``radius`` pixels (see :class:`Disc`)."""
    span = np.arange(-radius, radius + 1, dtype=np.int64)
    rows, cols = np.meshgrid(span, span, indexing="ij")
    squared = rows**2 + cols**2
    within = squared <= radius**2
    values, inverse = np.unique(squared[within], return_inverse=True)
    ring = np.full(squared.shape, -1, np.int32)
    ring[within] = inverse.astype(np.int32)
    turn = np.degrees(np.arctan2(cols, -rows)) % 360.0
    rays = max(8, RAYS_PER_BORDER_PIXEL * 8 * radius)
    owner = (np.rint(turn[within] * (rays / 360.0)).astype(np.int64)) % rays
    e = np.sqrt(squared[within].astype(np.float64))
    order = np.lexsort((e, owner))
    samples = np.maximum(np.floor((e - 0.5) * 2.0).astype(np.int64) - 1, 0)
    angle = np.arange(rays) * (2.0 * np.pi / rays)
    start = np.searchsorted(owner[order], np.arange(rays + 1))
    return Disc(
        radius, ring, turn.astype(np.float32), np.sqrt(values.astype(np.float64)), np.sin(angle), np.cos(angle),
        start.astype(np.int32), (rows[within][order] + radius).astype(np.int32),
        (cols[within][order] + radius).astype(np.int32), samples[order].astype(np.int32), e[order],
    )
