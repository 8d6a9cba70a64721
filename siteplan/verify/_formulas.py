"""Radio formulas of the spot check: one link at a time, written from the published texts and not from the engine.

Sources: 3GPP TR 38.901 tables 7.4.1-1 and 7.4.2-1 (UMa, UMi street canyon, RMa), ITU-R P.525 (free space), P.526
(knife edge, Bullington), P.2108-1 section 3.2 (clutter), COST 231 final report chapter 4 (Hata's form for 1.5 - 2 GHz).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

NEAREST_M = 10.0
"""Nearer than this TR 38.901 says nothing: the loss of 10 m is taken."""
EARTH_RADIUS_M = 8.5e6
"""4/3 of the Earth's radius: rays bend with the air."""
WAVE_GHZ_M = 0.2998
"""Wavelength in m of 1 GHz."""


@dataclass(frozen=True)
class Link:
    """An antenna and a receiver: horizontal distance, frequency, heights above their own ground."""

    distance_m: float
    freq_ghz: float
    antenna_m: float
    receiver_m: float

    @property
    def near_m(self) -> float:
        """Horizontal distance, 10 m at least."""
        return max(self.distance_m, NEAREST_M)

    @property
    def slant_m(self) -> float:
        """Distance from antenna to receiver in space, over 10 m of ground at least."""
        return math.hypot(self.near_m, self.antenna_m - self.receiver_m)


def free_space_db(distance_m: float, freq_ghz: float) -> float:
    """Free-space loss, ITU-R P.525: ``32.45 + 20 lg f + 20 lg d`` (GHz, m; 1 m at least), dB.

    >>> round(free_space_db(1000.0, 2.6), 2)
    100.75
    """
    return 32.45 + 20.0 * math.log10(freq_ghz) + 20.0 * math.log10(max(distance_m, 1.0))


def uma_db(link: Link) -> tuple[float, float]:
    """Urban macro, TR 38.901 table 7.4.1-1: loss with sight and without, dB.

    >>> [round(loss, 4) for loss in uma_db(Link(200.0, 0.7, 25.0, 1.5))]
    [80.0079, 100.4826]
    """
    seen = _two_slopes(link, 28.0, 22.0, 9.0)
    hidden = 13.54 + 39.08 * math.log10(link.slant_m) + 20.0 * math.log10(link.freq_ghz) - 0.6 * (link.receiver_m - 1.5)
    return seen, max(seen, hidden)


def umi_db(link: Link) -> tuple[float, float]:
    """Urban micro, street canyon, TR 38.901 table 7.4.1-1: loss with sight and without, dB."""
    seen = _two_slopes(link, 32.4, 21.0, 9.5)
    hidden = 22.4 + 35.3 * math.log10(link.slant_m) + 21.3 * math.log10(link.freq_ghz) - 0.3 * (link.receiver_m - 1.5)
    return seen, max(seen, hidden)


def _two_slopes(link: Link, constant: float, slope: float, step: float) -> float:
    """Loss with sight of UMa and UMi: one slope up to the breakpoint, 40 dB per decade beyond."""
    edge_m = breakpoint_m("uma", link)
    loss = constant + 20.0 * math.log10(link.freq_ghz)
    if link.near_m <= edge_m:
        return loss + slope * math.log10(link.slant_m)
    square = edge_m**2 + (link.antenna_m - link.receiver_m) ** 2
    return loss + 40.0 * math.log10(link.slant_m) - step * math.log10(max(square, 1e-300))


def rma_db(link: Link) -> tuple[float, float]:
    """Rural macro among houses of 5 m and streets of 20 m, TR 38.901 table 7.4.1-1: with sight and without, dB."""
    house_m, street_m = 5.0, 20.0

    def before(slant_m: float) -> float:
        lifted = house_m**1.72
        return (20.0 * math.log10(40.0 * math.pi * slant_m * link.freq_ghz / 3.0)
                + min(0.03 * lifted, 10.0) * math.log10(slant_m) - min(0.044 * lifted, 14.77)
                + 0.002 * math.log10(house_m) * slant_m)

    edge_m = max(breakpoint_m("rma", link), NEAREST_M)
    if link.near_m > edge_m:
        seen = before(edge_m) + 40.0 * math.log10(link.slant_m / edge_m)
    else:
        seen = before(link.slant_m)
    high = math.log10(link.antenna_m)
    hidden = (161.04 - 7.1 * math.log10(street_m) + 7.5 * math.log10(house_m)
              - (24.37 - 3.7 * (house_m / link.antenna_m) ** 2) * high
              + (43.42 - 3.1 * high) * (math.log10(link.slant_m) - 3.0) + 20.0 * math.log10(link.freq_ghz)
              - (3.2 * math.log10(11.75 * link.receiver_m) ** 2 - 4.97))
    return seen, max(seen, hidden)


def free_db(link: Link) -> tuple[float, float]:
    """Free space, with sight and without, dB."""
    loss = free_space_db(link.slant_m, link.freq_ghz)
    return loss, loss


def cost231_db(link: Link) -> tuple[float, float]:
    """COST 231-Hata of a medium city, the same with sight and without, never below free space, dB."""
    log_f, high = math.log10(link.freq_ghz * 1000.0), math.log10(link.antenna_m)
    receiver = (1.1 * log_f - 0.7) * link.receiver_m - (1.56 * log_f - 0.8)
    loss = (46.3 + 33.9 * log_f - 13.82 * high - receiver
            + (44.9 - 6.55 * high) * math.log10(link.near_m / 1000.0))
    loss = max(loss, free_space_db(link.slant_m, link.freq_ghz))
    return loss, loss


def p2108_db(link: Link) -> tuple[float, float]:
    """Free space; without sight the clutter of P.2108-1 at half of all places comes on top, dB."""
    free = free_space_db(link.slant_m, link.freq_ghz)
    far = min(_clutter(link.freq_ghz, link.slant_m / 1000.0)[0], _clutter(link.freq_ghz, 2.0)[0])
    return free, free + max(far, 0.0)


def _clutter(freq_ghz: float, path_km: float) -> tuple[float, float]:
    """Median and standard deviation of the clutter loss, P.2108-1 section 3.2, dB."""
    log_f = math.log10(freq_ghz)
    long_db = -2.0 * math.log10(10.0 ** (-5.0 * log_f - 12.5) + 10.0**-16.5)
    short_db = 32.98 + 23.9 * math.log10(max(path_km, 1e-3)) + 3.0 * log_f
    long_part, short_part = 10.0 ** (-0.2 * long_db), 10.0 ** (-0.2 * short_db)
    both = long_part + short_part
    return -5.0 * math.log10(both), math.sqrt((16.0 * long_part + 36.0 * short_part) / both)


MODELS: Mapping[str, Callable[[Link], tuple[float, float]]] = MappingProxyType({
    "uma": uma_db, "rma": rma_db, "umi": umi_db, "cost231": cost231_db, "p2108": p2108_db, "free_space": free_db})
"""Path-loss models by name; each gives the loss with sight and without, dB."""

FADING_DB: Mapping[str, tuple[float, float, float]] = MappingProxyType({
    "uma": (4.0, 4.0, 6.0), "umi": (4.0, 4.0, 7.82), "rma": (4.0, 6.0, 8.0), "cost231": (6.0, 6.0, 6.0),
    "free_space": (4.0, 4.0, 6.0)})
"""Shadow fading with sight before the breakpoint, beyond it, and without sight (table 7.4.1-1), dB. COST 231 takes that
of UMa without sight, free space that of UMa."""


def breakpoint_m(model: str, link: Link) -> float:
    """Breakpoint distance, TR 38.901 table 7.4.1-1 (c = 3.0e8 m/s, hE = 1 m); infinite where a model has none."""
    per_m = link.freq_ghz * 1e9 / 3.0e8
    if model == "rma":
        return 2.0 * math.pi * link.antenna_m * link.receiver_m * per_m
    if model in ("uma", "umi"):
        return 4.0 * max(link.antenna_m - 1.0, 0.0) * max(link.receiver_m - 1.0, 0.0) * per_m
    return math.inf


def fading_db(model: str, link: Link) -> tuple[float, float]:
    """Standard deviation of shadow fading with sight and without, dB."""
    if model == "p2108":
        return FADING_DB["uma"][0], _clutter(link.freq_ghz, min(link.slant_m / 1000.0, 2.0))[1]
    near, beyond, hidden = FADING_DB[model]
    return (beyond if link.distance_m > breakpoint_m(model, link) else near), hidden


def sight_share(model: str, distance_m: float, receiver_m: float) -> float:
    """Probability of sight, TR 38.901 table 7.4.2-1; models that state none take that of UMa.

    >>> round(sight_share("uma", 100.0, 1.5), 4)
    0.3477
    """
    if model == "rma":
        return math.exp(-max(distance_m - 10.0, 0.0) / 1000.0)
    if distance_m <= 18.0:
        return 1.0
    fall_m = 36.0 if model == "umi" else 63.0
    share = 18.0 / distance_m + math.exp(-distance_m / fall_m) * (1.0 - 18.0 / distance_m)
    if model != "umi" and receiver_m > 13.0:
        lift = ((receiver_m - 13.0) / 10.0) ** 1.5
        share *= 1.0 + lift * 1.25 * (distance_m / 100.0) ** 3 * math.exp(-distance_m / 150.0)
    return min(share, 1.0)


def knife_edge_db(nu: float) -> float:
    """Loss of one knife edge, ITU-R P.526: 0 up to nu = -0.78, dB.

    >>> [round(knife_edge_db(nu), 3) for nu in (-1.0, 0.0, 1.0)]
    [0.0, 6.033, 13.926]
    """
    if nu <= -0.78:
        return 0.0
    return max(6.9 + 20.0 * math.log10(math.sqrt((nu - 0.1) ** 2 + 1.0) + nu - 0.1), 0.0)


def bullington_db(nu: float, path_km: float) -> float:
    """Loss of a path by its equivalent edge, ITU-R P.526: ``J + (1 - e^(-J/6)) (10 + 0.02 D)``, dB."""
    knife = knife_edge_db(nu)
    return knife + (1.0 - math.exp(-knife / 6.0)) * (10.0 + 0.02 * path_km)


def normal_share(z: float) -> float:
    """Share of the normal distribution below z.

    >>> normal_share(0.0)
    0.5
    """
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
