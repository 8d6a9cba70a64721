"""Tables of a disc of pixels around a mast, and its windows: what depends on the radius alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

RAYS_PER_RADIUS = 16
"""Rays of the outermost level per pixel of radius: 2 for each pixel of the square's border."""
BAND_RAYS, BAND_BITS = 1024, 5
"""Rays of a band on the outermost level, and how often their number may be halved (to 32 near the mast)."""


class Disc(NamedTuple):
    """Tables that depend on the radius alone, in pixels; n = 2 radius + 1, P = pixels of the disc.

    Ray r of N on level 0 looks towards the angle (r + 1/2) 2 pi / N, clockwise from north; level s has N / 2^s rays,
    its ray r stands in the middle of the rays 2 r and 2 r + 1 of level s - 1. Level s serves the distances up to
    radius / 2^(s + 1/2), level 0 all beyond.
    Bands of ``BAND_RAYS`` neighbouring rays are swept apart. Samples lie at 1, 1.5, 2, ... pixels.
    """

    radius: int
    ring: I32  # (n, n): row of the ring tables, -1 outside of the disc
    azimuth: F32  # (n, n): degrees clockwise from north
    distance: F64  # (rings,)
    level_start: I32  # (levels,): first of each level in the next two, its rays -1 .. N / 2^s (both ends again)
    sin: F32  # towards the east
    cos: F32  # towards the north
    level: I32  # (samples,): level of each sample distance
    shell: I32  # (bands, samples + 2): first pixel of each shell of a band; shell m has m samples before its pixels
    pixel: I32  # (P,): row * n + column, sorted by band, shell, owner ray
    place: I32  # (P,): the same pixel in a window of (n + 2, n + 2)
    across: F32  # (P,): angle in rays of level 0 from the beginning of the band
    away: F32  # (P,): distance of the pixel
    by_ray: I32  # (P,): places in the four above, sorted by the nearest ray of level 1, the nearest pixel first
    ray_start: I32  # (N / 2 + 1,): first of each ray in ``by_ray`` and in the next two
    ray_pixel: I32  # (P,): ``pixel`` in this order
    ray_away: F32  # (P,): ``away`` in this order


def build_disc(radius: int) -> Disc:
    """Tables of a disc.

    Parameters
    ----------
    radius : int
        In pixels, 1 at least; a pixel belongs to the disc when its centre is not farther away.

    Returns
    -------
    Disc
        About 11 MB for 300 pixels, growing with the square of the radius.

    Examples
    --------
    >>> disc = build_disc(2)
    >>> disc.ring.tolist()[2], disc.distance.tolist()[:3]
    ([3, 1, 0, 1, 3], [0.0, 1.0, 1.4142135623730951])
    """
    span = np.arange(-radius, radius + 1, dtype=np.int64)
    rows, cols = np.meshgrid(span, span, indexing="ij")
    squared = rows**2 + cols**2
    within = squared <= radius**2
    values, inverse = np.unique(squared[within], return_inverse=True)
    ring = np.full(squared.shape, -1, np.int32)
    ring[within] = inverse.astype(np.int32)
    turn = np.degrees(np.arctan2(cols, -rows)) % 360.0
    bands = max(1, -(-RAYS_PER_RADIUS * radius // BAND_RAYS))
    rays = bands * BAND_RAYS
    angles = np.concatenate([(np.arange(-1, (rays >> s) + 1) + 0.5) * (2.0 * np.pi / (rays >> s))
                             for s in range(BAND_BITS + 1)])
    samples = max(2 * radius - 2, 0)
    far = np.log2(radius / (1.0 + 0.5 * np.arange(samples))) - 0.5
    level = np.clip(np.floor(far), 0, BAND_BITS).astype(np.int32)

    across = turn[within] * (rays / 360.0)
    owner = np.minimum(across.astype(np.int64), rays - 1)
    e = np.sqrt(squared[within].astype(np.float64))
    shell = np.maximum(np.floor((e - 0.5) * 2.0).astype(np.int64) - 1, 0)
    band = owner // BAND_RAYS
    order = np.lexsort((owner, shell, band))
    owner, shell, band, e = owner[order], shell[order], band[order], e[order]
    row, col = (part[within][order] + radius for part in (rows, cols))
    pixel, away = (row * (2 * radius + 1) + col).astype(np.int32), e.astype(np.float32)
    by_ray = np.lexsort((e, owner // 2))
    starts = np.searchsorted(band * (samples + 2) + shell, np.arange(bands * (samples + 2)))
    return Disc(
        radius, ring, turn.astype(np.float32), np.sqrt(values.astype(np.float64)),
        np.cumsum([0] + [(rays >> s) + 2 for s in range(BAND_BITS)]).astype(np.int32),
        np.sin(angles).astype(np.float32), np.cos(angles).astype(np.float32), level,
        starts.reshape(bands, samples + 2).astype(np.int32), pixel,
        ((row + 1) * (2 * radius + 3) + col + 1).astype(np.int32),
        (across[order] - band * BAND_RAYS).astype(np.float32), away, by_ray.astype(np.int32),
        np.searchsorted(owner[by_ray] // 2, np.arange(rays // 2 + 1)).astype(np.int32), pixel[by_ray], away[by_ray],
    )


@njit(cache=True, nogil=True)
def copy_window(surface, row, col, reach, out):  # type: ignore[no-untyped-def]
    """Copy the surface around a pixel into ``out`` (2 reach + 1 square), repeating its edge outside of the grid."""
    height, width = surface.shape
    size = 2 * reach + 1
    left = min(max(reach - col, 0), size)
    right = max(min(width - col + reach, size), left)
    for i in range(size):
        y = min(max(row - reach + i, 0), height - 1)
        for j in range(left):
            out[i, j] = surface[y, 0]
        for j in range(left, right):
            out[i, j] = surface[y, col - reach + j]
        for j in range(right, size):
            out[i, j] = surface[y, width - 1]
