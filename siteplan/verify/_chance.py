"""Chance that a site serves a receiver: loss, signal and probability of one pair, each number kept for the reader."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from siteplan.verify._antenna import Antenna, attenuation_db
from siteplan.verify._calibrated import FittedModel, fitted_loss_db, fitted_sigma_db, straight, trusted_loss_db
from siteplan.verify._formulas import (
    MODELS,
    Link,
    bullington_db,
    fading_db,
    free_space_db,
    knife_edge_db,
    normal_share,
    sight_share,
)
from siteplan.verify._profile import Heights, Pixel, Sight, before_the_wall, built_share, sight_between, surroundings

GRAZING_NU = 1e-6
"""So near to 0 the last digits of a number decide whether an edge cuts the sight."""
LIMIT_NU = 3e-4
"""The study lets the ground count from 0.0001 (at 1 GHz, 0.0003 at 6 GHz) below nu = -0.78 on: single precision."""


@dataclass(frozen=True)
class Settings:
    """Settings of the prediction, names as in the study file."""

    threshold_dbm: float
    receiver_height_m: float
    max_range_m: float
    micro_range_m: float
    model_macro: str
    built_share_uma: float
    building_weight: float
    diffraction_weight: float
    diffraction_cap_db: float
    terrain_diffraction: str
    pattern_depth_db: float
    pattern_scale: float
    body_loss_db: float
    model_sigma_db: float


@dataclass(frozen=True)
class Sector:
    """A sector of a candidate."""

    sector_id: str
    x: float
    y: float
    antenna_height_m: float
    azimuth_deg: float | None
    """None: all round"""
    tilt_electrical_deg: float
    tilt_mechanical_deg: float
    freq_mhz: float
    epre_dbm: float
    feeder_db: float
    antenna: Antenna
    kind: str
    model: str
    """path-loss model that the table names; empty where it follows from the kind and the place"""
    planned: bool


@dataclass(frozen=True)
class Radio:
    """What every pair shares: settings, heights, a calibration where there is one."""

    settings: Settings
    heights: Heights
    fitted: FittedModel | None = None

    def range_px(self, kind: str) -> int:
        """How far sectors of a kind are computed, pixels; -1 indoors, as these serve nothing outdoors."""
        if kind == "indoor":
            return -1
        range_m = self.settings.micro_range_m if kind == "micro" else self.settings.max_range_m
        return max(math.floor(range_m / self.heights.pixel_m), 1)


@dataclass(frozen=True)
class Chance:
    """What comes of one sector at one receiver; ``loss_db`` without the antenna, ``signal_dbm`` with all."""

    probability: float
    loss_db: float
    signal_dbm: float
    sigma_db: float
    blocked: bool
    model: str
    grazing: bool
    """the sight, or the limit from which the ground counts, is decided by the last digits of a number"""


NOTHING = Chance(0.0, math.inf, -math.inf, math.nan, False, "", False)
"""Out of range, or nothing is known of the ground."""


def site_chance(radio: Radio, sectors: Sequence[Sector], cell: Pixel) -> Chance:
    """The best of a site's sectors at a receiver, each by its own profile."""
    best = NOTHING
    if not radio.heights.known[cell]:
        return best
    seen: dict[tuple[object, ...], Sight] = {}
    for sector in sectors:
        mast = radio.heights.pixel_at(sector.x, sector.y)
        if math.dist(mast, cell) > radio.range_px(sector.kind) + 1e-9:
            continue
        key = mast, sector.antenna_height_m, sector.freq_mhz, sector.kind
        if key not in seen:
            seen[key] = _sight(radio, sector, mast, cell)
        chance = sector_chance(radio, sector, cell, seen[key])
        best = max(best, chance, key=lambda found: found.probability)
    return best


def _sight(radio: Radio, sector: Sector, mast: Pixel, cell: Pixel) -> Sight:
    """Sight of a sector; over the roofs that of the open pixel before the wall, where the receiver is in a building."""
    heights, receiver_m, freq_ghz = radio.heights, radio.settings.receiver_height_m, sector.freq_mhz / 1000.0
    top_m = float(heights.ground_m[mast]) + sector.antenna_height_m
    own = sight_between(heights, mast, top_m, cell, receiver_m, freq_ghz)
    front = before_the_wall(heights, cell)
    if own.nu_top is None or front == cell or math.dist(mast, front) > radio.range_px(sector.kind) + 1e-9:
        return own
    street = sight_between(heights, mast, top_m, front, receiver_m, freq_ghz)
    return Sight(street.nu_top, own.nu_ground, own.nu_ridge)


def sector_chance(radio: Radio, sector: Sector, cell: Pixel, sight: Sight) -> Chance:
    """Chance of one sector at a receiver.

    ``loss = max(surroundings, free space + ground)``, where the ground comes near the line of sight; then
    ``p = Phi((signal - threshold) / sigma)``.
    """
    settings, heights = radio.settings, radio.heights
    mast = heights.pixel_at(sector.x, sector.y)
    link = Link(math.dist(mast, cell) * heights.pixel_m, sector.freq_mhz / 1000.0, sector.antenna_height_m,
                settings.receiver_height_m)
    ridge = settings.terrain_diffraction != "bullington"
    nu_ground = sight.nu_ridge if ridge else sight.nu_ground
    nu_top = nu_ground if sight.nu_top is None else sight.nu_top
    blocked = nu_top > 0.0
    fitted = radio.fitted if radio.fitted and radio.fitted.holds_for(sector.freq_mhz, sector.kind) else None
    if fitted:
        model, losses, sigmas = "calibration", fitted_loss_db(fitted, link), fitted_sigma_db(fitted, link.distance_m)
        weight, cap_db = fitted.diffraction
    else:
        model = model_of(radio, sector, mast)
        losses, sigmas = _uncalibrated(radio, model, link)
        weight, cap_db = settings.diffraction_weight, settings.diffraction_cap_db
    loss = losses[blocked] + weight * min(knife_edge_db(nu_top), cap_db)
    if nu_ground > -0.78:
        free = free_space_db(math.hypot(link.distance_m, link.antenna_m - link.receiver_m), link.freq_ghz)
        path_km = link.distance_m / 1000.0
        loss = max(loss, free + (knife_edge_db(nu_ground) if ridge else bullington_db(nu_ground, path_km)))
    if fitted:
        loss += _pixel_loss_db(fitted, heights, cell)
    signal = _power_dbm(radio, sector, fitted) - _away_db(radio, sector, mast, cell, fitted) - loss
    probability = normal_share((signal - settings.threshold_dbm) / sigmas[blocked])
    grazing = abs(nu_top) < GRAZING_NU or abs(nu_ground + 0.78) < LIMIT_NU
    return Chance(probability, loss, signal, sigmas[blocked], blocked, model, grazing)


def model_of(radio: Radio, sector: Sector, mast: Pixel) -> str:
    """Path-loss model of a sector: its own, else UMi for micro sites, else the study's; ``auto`` asks the houses."""
    if sector.model in MODELS:
        return sector.model
    if sector.kind == "micro":
        return "umi"
    if radio.settings.model_macro != "auto":
        return radio.settings.model_macro
    if not radio.heights.has_clutter or built_share(radio.heights, mast) >= radio.settings.built_share_uma:
        return "uma"
    return "rma"


def _uncalibrated(radio: Radio, model: str, link: Link) -> tuple[tuple[float, float], tuple[float, float]]:
    """Loss and standard deviation in the clear and blocked, dB.

    Where nothing is known of buildings, "in the clear" of the ground means sight at its chance, and the spread between
    both states belongs to the standard deviation.
    """
    fading = fading_db(model, link)
    share = sight_share(model, link.distance_m, link.receiver_m)
    if radio.heights.has_clutter:
        weight = radio.settings.building_weight
        losses = trusted_loss_db(model, link, weight)
        seen = weight + (1.0 - weight) * share, (1.0 - weight) * share
        squares = [part * fading[0] ** 2 + (1.0 - part) * fading[1] ** 2 for part in seen]
    else:
        los, nlos = MODELS[model](link)
        losses = share * los + (1.0 - share) * nlos, nlos
        spread = share * (1.0 - share) * (nlos - los) ** 2
        squares = [share * fading[0] ** 2 + (1.0 - share) * fading[1] ** 2 + spread, fading[1] ** 2]
    own = radio.settings.model_sigma_db
    return losses, (math.hypot(math.sqrt(squares[0]), own), math.hypot(math.sqrt(squares[1]), own))


def _power_dbm(radio: Radio, sector: Sector, fitted: FittedModel | None) -> float:
    """Power towards the beam less what the feeder and the user's body take, dBm."""
    power = sector.epre_dbm + sector.antenna.gain_dbi - (sector.feeder_db + radio.settings.body_loss_db)
    if fitted and not sector.planned:
        trust, reference = fitted.power
        power = reference + trust * (power - reference)
    return power


def _away_db(radio: Radio, sector: Sector, mast: Pixel, cell: Pixel, fitted: FittedModel | None) -> float:
    """Attenuation of the antenna towards a receiver, dB."""
    heights, settings = radio.heights, radio.settings
    south, east = cell[0] - mast[0], cell[1] - mast[1]
    fall_m = (float(heights.ground_m[mast]) + sector.antenna_height_m - float(heights.ground_m[cell])
              - settings.receiver_height_m)
    down_deg = math.degrees(math.atan2(fall_m, math.hypot(south, east) * heights.pixel_m))
    off_deg = (math.degrees(math.atan2(east, -south)) - (sector.azimuth_deg or 0.0)) % 360.0
    tilt_deg = sector.tilt_electrical_deg + sector.tilt_mechanical_deg * math.cos(math.radians(off_deg))
    scales, deepest_db = (settings.pattern_scale, settings.pattern_scale), settings.pattern_depth_db
    if fitted:
        scales, deepest_db = fitted.pattern_scales, fitted.pattern_depth_db
    return attenuation_db(sector.antenna, None if sector.azimuth_deg is None else off_deg, down_deg - tilt_deg, scales,
                          deepest_db)


def _pixel_loss_db(fitted: FittedModel, heights: Heights, cell: Pixel) -> float:
    """Loss of the receiver's own place by a calibration: class of clutter, houses around, dB."""
    code = 0 if heights.classes is None else int(heights.classes[cell])
    around = surroundings(heights, cell) if fitted.terms else {}
    return fitted.class_db.get(code, 0.0) + sum(straight(around[name], curve) for name, curve in fitted.terms.items())
