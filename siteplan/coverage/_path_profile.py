"""The profile under a link: samples as the engine takes them, edges, and the loss over the ground by every method."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from siteplan._kernels import Mast
from siteplan.radio import (
    bullington_loss_db,
    bullington_nu,
    delta_bullington_loss_db,
    deygout_loss_db,
    edge_nu,
    knife_edge_loss_db,
)
from siteplan.surface import Surface

Floats = NDArray[np.float64]

TERRAIN_WORDS: Mapping[str, str] = MappingProxyType({
    "knife_edge": "最大单刃峰", "bullington": "Bullington", "delta_bullington": "delta-Bullington", "deygout": "Deygout 三刃峰",
})
"""Names of the ways to count the loss over the ground."""


class PathEdge(NamedTuple):
    """The edge of a profile that stands highest over the sight line, measured by its knife-edge parameter."""

    distance_m: float
    """from the antenna"""
    height_m: float
    """above sea level, lifted by the Earth's bulge"""
    over_m: float
    """above the sight line; negative below it"""
    nu: float
    """knife-edge parameter at the frequency of the link (ITU-R P.526); above 0 it cuts the sight line"""
    loss_db: float
    """of this edge alone"""


class PathSamples(NamedTuple):
    """Samples from a mast to a pixel, both ends with them, and the heights of both antennas.

    All but ``bare_m``, the ground once more, are lifted by the Earth's bulge.
    """

    distance_m: Floats
    ground_m: Floats
    top_m: Floats
    sight_m: Floats
    bare_m: Floats
    ends_m: tuple[float, float]


def surface_around(surface: Surface, here: tuple[int, int], margin: int) -> tuple[Surface, tuple[int, int]]:
    """The part of a surface up to ``margin`` pixels around one of them, and this pixel's place in it."""
    first = max(here[0] - margin, 0), max(here[1] - margin, 0)
    rows, cols = surface.geobox.shape
    part = slice(first[0], min(here[0] + margin + 1, rows)), slice(first[1], min(here[1] + margin + 1, cols))
    classes = None if surface.classes is None else surface.classes[part]
    near = Surface(surface.geobox[part], surface.ground_m[part], surface.clutter_m[part], surface.known[part],
                   surface.has_clutter, classes)
    return near, (here[0] - first[0], here[1] - first[1])


def path_samples(surface: Surface, mast: Mast, here: tuple[int, int]) -> PathSamples:
    """Samples of the exact profile and its two ends."""
    dy, dx = here[0] - mast.row, here[1] - mast.col
    e = float(np.hypot(dy, dx))
    inner = 1.0 + 0.5 * np.arange(max(int(np.floor((e - 0.5) * 2.0)) - 1, 0))
    away = np.concatenate([[0.0], inner, [e]]) if e > 0.0 else np.zeros(1)
    places = mast.row + away * (dy / max(e, 1.0)), mast.col + away * (dx / max(e, 1.0))
    d = away * surface.pixel_m
    bulge = d * (d[-1] - d) * mast.curvature
    bare, top = (ndimage.map_coordinates(heights, places, np.float64, order=1, mode="nearest")
                 for heights in (surface.ground_m, surface.top_m))
    low = float(surface.ground_m[here]) + mast.receiver_m
    line = mast.top_amsl_m + (low - mast.top_amsl_m) * (away / max(e, 1.0))
    return PathSamples(d, bare + bulge, top + bulge, line, bare, (mast.top_amsl_m, low))


def _nu(path: PathSamples, heights_m: Floats) -> Floats:
    """Knife-edge parameter of every sample between the ends at 1 GHz."""
    d = path.distance_m[1:-1]
    return edge_nu(heights_m[1:-1] - path.sight_m[1:-1], d / 1000.0, (path.distance_m[-1] - d) / 1000.0)


def greatest_nu(path: PathSamples, heights_m: Floats) -> float:
    """Greatest knife-edge parameter of a surface at 1 GHz; ``-inf`` where no sample lies between the ends."""
    return float(np.max(_nu(path, heights_m), initial=-np.inf))


def dominant_edge(path: PathSamples, heights_m: Floats, freq_ghz: float) -> PathEdge | None:
    """The sample of greatest knife-edge parameter; None where no sample lies between the ends."""
    nu = _nu(path, heights_m) * np.sqrt(freq_ghz)
    if nu.size == 0:
        return None
    k = int(np.argmax(nu))
    height, line = heights_m[k + 1], path.sight_m[k + 1]
    return PathEdge(float(path.distance_m[k + 1]), float(height), float(height - line), float(nu[k]),
                    float(knife_edge_loss_db(nu[k])))


def equivalent_nu(path: PathSamples) -> float:
    """Knife-edge parameter at 1 GHz of Bullington's equivalent edge over the ground."""
    return bullington_nu(*_terrain_profile(path)) if path.distance_m[-1] > 0.0 else float("-inf")


def _terrain_profile(path: PathSamples) -> tuple[Floats, Floats, float, float]:
    """Distances in km, bare ground, both ends: as the functions on a profile take them."""
    return path.distance_m / 1000.0, path.bare_m, *path.ends_m


def terrain_losses(path: PathSamples, freq_ghz: float) -> Mapping[str, float]:
    """Loss over the ground by every method, dB."""
    if path.distance_m[-1] == 0.0:
        return MappingProxyType(dict.fromkeys(TERRAIN_WORDS, 0.0))
    d, ground, tx, rx = _terrain_profile(path)
    single = knife_edge_loss_db(greatest_nu(path, path.ground_m) * np.sqrt(freq_ghz))
    return MappingProxyType({
        "knife_edge": float(single), "bullington": bullington_loss_db(d, ground, tx, rx, freq_ghz),
        "delta_bullington": delta_bullington_loss_db(d, ground, (tx, rx), freq_ghz),
        "deygout": deygout_loss_db(d, ground, tx, rx, freq_ghz),
    })
