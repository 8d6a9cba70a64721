"""A calibration as the certificate holds it: losses and errors that measurements gave, applied to one link."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siteplan.verify._formulas import MODELS, Link, free_space_db, sight_share

Curve = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True)
class FittedModel:
    """What a calibration says; curves are (knots, values in dB), straight between the knots."""

    base: str
    """``table``, or the TR 38.901 model below it"""
    freq_mhz: tuple[float, float]
    kinds: tuple[str, ...]
    """kinds of sites that it holds for; empty = all"""
    offset_db: float
    slope_db_per_decade: float
    clear: Curve
    blocked: Curve
    building_weight: float
    diffraction: tuple[float, float]
    """weight and cap (dB) of the roofs' knife edge"""
    pattern_scales: tuple[float, float]
    pattern_depth_db: float
    power: tuple[float, float]
    """trust in the powers of stations that stand, and the power that no trust leaves, dBm"""
    class_db: Mapping[int, float]
    terms: Mapping[str, Curve]
    sigma_clear: Curve
    sigma_blocked: Curve

    def holds_for(self, freq_mhz: float, kind: str) -> bool:
        """Whether it was fitted for such sectors."""
        return self.freq_mhz[0] <= freq_mhz <= self.freq_mhz[1] and kind in (self.kinds or ("macro", "micro"))


def straight(x: float, curve: Curve) -> float:
    """Value of a curve: straight lines between the knots, held beyond both ends.

    >>> straight(2.0, ((1.0, 3.0), (10.0, 20.0))), straight(9.0, ((1.0, 3.0), (10.0, 20.0)))
    (15.0, 20.0)
    """
    knots, values = curve
    if x <= knots[0]:
        return values[0]
    for k in range(1, len(knots)):
        if x <= knots[k]:
            return values[k - 1] + (values[k] - values[k - 1]) * (x - knots[k - 1]) / (knots[k] - knots[k - 1])
    return values[-1]


def fitted_loss_db(model: FittedModel, link: Link) -> tuple[float, float]:
    """Loss of the surroundings in the clear and blocked, never below free space, dB."""
    free = free_space_db(math.hypot(link.distance_m, link.antenna_m - link.receiver_m), link.freq_ghz)
    if model.base == "table":
        decades = math.log10(link.near_m)
        shift = model.offset_db + model.slope_db_per_decade * (decades - 3.0) + 20.0 * math.log10(link.freq_ghz)
        least = 20.0 - model.slope_db_per_decade
        both = _over_decades(decades, model.clear, least), _over_decades(decades, model.blocked, least)
    else:
        shift = model.offset_db + model.slope_db_per_decade * (math.log10(link.slant_m) - 3.0)
        both = trusted_loss_db(model.base, link, model.building_weight)
    return max(both[0] + shift, free), max(both[1] + shift, free)


def _over_decades(decades: float, curve: Curve, least_slope: float) -> float:
    """A table over log10 of the distance, carried on beyond its end with its last slope, ``least_slope`` at least."""
    knots = [math.log10(knot) for knot in curve[0]]
    slope = max((curve[1][-1] - curve[1][-2]) / (knots[-1] - knots[-2]), least_slope)
    return straight(decades, (knots, curve[1])) + slope * max(decades - knots[-1], 0.0)


def fitted_sigma_db(model: FittedModel, distance_m: float) -> tuple[float, float]:
    """Standard deviation of the whole error, in the clear and blocked, dB."""
    decades = math.log10(max(distance_m, 10.0))
    clear, blocked = (([math.log10(knot) for knot in knots], values)
                      for knots, values in (model.sigma_clear, model.sigma_blocked))
    return straight(decades, clear), straight(decades, blocked)


def trusted_loss_db(model: str, link: Link, weight: float) -> tuple[float, float]:
    """Loss in the clear and blocked where sight over buildings is trusted by a weight, else taken at its chance, dB.

    >>> [round(loss, 2) for loss in trusted_loss_db("uma", Link(100.0, 3.5, 25.0, 1.5), 0.5)]
    [89.63, 99.58]
    """
    seen, hidden = MODELS[model](link)
    share = sight_share(model, link.distance_m, link.receiver_m)
    in_clear, if_blocked = weight + (1.0 - weight) * share, (1.0 - weight) * share
    clear = in_clear * seen + (1.0 - in_clear) * hidden
    return clear, max(clear, if_blocked * seen + (1.0 - if_blocked) * hidden)
