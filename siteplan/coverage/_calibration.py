"""A calibration: numbers fitted to measurements, as settings, as text, and applied."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, ValidationError, model_validator

from siteplan.coverage._toml_text import toml_text
from siteplan.errors import ModelError
from siteplan.params import CoverageParams, Settings
from siteplan.radio import edge_loss_db, free_space_loss_db, knife_edge_loss_db, sight_loss_db

Floats = NDArray[np.float64]
Term = Literal["built_share", "clutter_mean_m"]
FREE_SLOPE_DB = 20.0
"""Beyond its last knot a table of losses grows by this per decade at least: free space."""
RECEIVER_M = 1.5
"""Height of the receiver where nothing says otherwise, m: a phone in the hand, the usual drive test."""
_PLAIN = CoverageParams()
"""What a calibration does not say is as the settings of a study have it by default."""
_SIGMA_DB = round(float(np.hypot(6.0, _PLAIN.model_sigma_db)), 2)
"""Without a word on its error a calibration is as uncertain as what it replaces: UMa's 6 dB and the model's error."""
_Weight = Annotated[float, Field(ge=0, le=1)]
_Db = Annotated[float, Field(ge=-200, le=300)]
_Metres = Annotated[float, Field(ge=0, le=100_000)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class Curve(Settings):
    """A function by its values at rising knots: straight lines between them, held beyond both ends."""

    knots: tuple[_Finite, ...] = Field(min_length=1, description="rising")
    db: tuple[_Db, ...] = Field(min_length=1, description="values at the knots, dB")

    @model_validator(mode="after")
    def _fits(self) -> Curve:
        _rising("knots", self.knots, len(self.db))
        return self

    def at(self, x: ArrayLike) -> Floats:
        """Value at ``x``."""
        return np.asarray(np.interp(np.asarray(x, np.float64), self.knots, self.db))


class Provenance(Settings):
    """Where the numbers come from, and what they are worth."""

    data: str = Field("", description="which measurements, in words")
    date: str = Field("", description="day of the fit, given by the caller, e.g. 2026-11-22")
    split: str = Field("", description="how scores were found, e.g. 'leave one district out, 5 districts'")
    rows: int = Field(0, ge=0, description="rows fitted")
    rows_left_out: int = Field(0, ge=0, description="rows left out: matched to the wrong cell, or behind a hill")
    sectors: int = Field(0, ge=0)
    sites: int = Field(0, ge=0)
    scores: dict[str, float] = Field(default_factory=dict, description="scores by name, e.g. rmse_db")
    notes: tuple[str, ...] = Field((), description="what the reader should know")


class Domain(Settings):
    """What the measurements of a fit were like: elsewhere its numbers are carried on, not measured."""

    kinds: tuple[Literal["macro", "micro"], ...] = Field(
        (), description="kinds of sites that were measured; the calibration holds for these. Empty = not told, for all")
    antenna_height_m: tuple[_Metres, _Metres] | None = Field(
        None, description="least and greatest height of the antennas, m; absent = not told")
    distance_m: tuple[_Metres, _Metres] | None = Field(
        None, description="least and greatest distance of the measurements, m; absent = not told")
    receiver_height_m: float = Field(RECEIVER_M, ge=0.5, le=50, description="height of the receiver, m")

    @model_validator(mode="after")
    def _in_order(self) -> Domain:
        for name in ("antenna_height_m", "distance_m"):
            ends = getattr(self, name)
            if ends is not None and ends[0] > ends[1]:
                raise ValueError(f"{name}: the least is above the greatest")
        return self


class Calibration(Settings):
    """A fitted model. Its loss stands for the environment's in the engine's ``max(environment, free space + terrain)``.

    With base ``table`` the loss of a clear and of a blocked pixel at 1 GHz comes from two tables by distance, straight
    over log10 of the distance, and 20 log10 of the frequency is added; another base is a TR 38.901 model with
    ``building_weight``. To both come ``offset_db + slope_db_per_decade * log10(d / 1 km)``, d being the horizontal
    distance with tables and the slant distance with models (whose loss grows by more than 20 dB per decade of it, so it
    goes on growing), and ``diffraction_weight`` times the capped knife edge of the top surface. ``clutter_db`` and
    ``pixel_terms`` belong to the receiver's pixel and are added behind the maximum.

    What is not given is as ``[coverage]`` has it by default, never as a study sets it: a file means the same in every
    study, and one that gives no more than a TR 38.901 ``base`` has the median of the uncalibrated model (where that is
    not below free space).
    """

    schema_version: Literal[1] = 1
    name: str = Field(min_length=1, max_length=120)
    base: Literal["table", "uma", "umi", "rma"] = "table"
    freq_low_mhz: float = Field(300.0, ge=300, le=7125, description="the calibration holds from here, MHz")
    freq_high_mhz: float = Field(7125.0, ge=300, le=7125, description="to here, MHz")
    offset_db: _Db = 0.0
    slope_db_per_decade: float = Field(0.0, ge=-20, le=60)
    distance_m: tuple[_Finite, ...] = Field((), description="knots of the tables, rising, m")
    clear_db: tuple[_Db, ...] = Field((), description="loss in the clear at the knots at 1 GHz, never falling, dB")
    blocked_db: tuple[_Db, ...] = Field((), description="loss of a blocked pixel, never below clear, dB")
    building_weight: _Weight = Field(
        _PLAIN.building_weight, description="trust in sight over buildings; used by TR 38.901 bases")
    diffraction_weight: _Weight = _PLAIN.diffraction_weight
    diffraction_cap_db: float = Field(_PLAIN.diffraction_cap_db, ge=0, le=80)
    pattern_scale_horizontal: _Weight = _PLAIN.pattern_scale
    pattern_scale_vertical: _Weight = _PLAIN.pattern_scale
    pattern_depth_db: float = Field(
        _PLAIN.pattern_depth_db, ge=0, le=60, description="greatest attenuation after scaling, dB")
    power_weight: _Weight = Field(1.0, description="trust in the powers of the stations table")
    power_reference_dbm: float = Field(0.0, ge=-50, le=100, description="power that a weight of 0 leaves to all, dBm")
    clutter_db: dict[int, _Db] = Field(default_factory=dict, description="loss by clutter class; 0 for other classes")
    pixel_terms: dict[Term, Curve] = Field(default_factory=dict, description="loss by the receiver's surroundings")
    sigma_distance_m: tuple[_Finite, ...] = Field((100.0,), min_length=1, description="knots of sigma, rising, m")
    sigma_clear_db: tuple[_Finite, ...] = Field(
        (_SIGMA_DB,), description="standard deviation of the error, in the clear, dB")
    sigma_blocked_db: tuple[_Finite, ...] = Field((_SIGMA_DB,), description="likewise of blocked pixels, dB")
    domain: Domain = Domain()
    provenance: Provenance = Provenance()

    @model_validator(mode="after")
    def _holds_together(self) -> Calibration:
        if self.freq_low_mhz > self.freq_high_mhz:
            raise ValueError("freq_low_mhz is above freq_high_mhz")
        _rising("sigma_distance_m", self.sigma_distance_m, len(self.sigma_clear_db), len(self.sigma_blocked_db))
        if min(*self.sigma_clear_db, *self.sigma_blocked_db, *self.sigma_distance_m) <= 0:
            raise ValueError("sigma and its distances must be positive")
        if self.base != "table":
            if self.distance_m or self.clear_db or self.blocked_db:
                raise ValueError("tables by distance go with the base 'table' only")
            return self
        if len(self.distance_m) < 2 or self.distance_m[0] <= 0:
            raise ValueError("a table needs two positive distances at least")
        _rising("distance_m", self.distance_m, len(self.clear_db), len(self.blocked_db))
        decades = np.log10(np.asarray(self.distance_m) / 1000.0)
        for name, table in (("clear_db", self.clear_db), ("blocked_db", self.blocked_db)):
            if (np.diff(np.asarray(table) + self.slope_db_per_decade * decades) < -1e-9).any():
                raise ValueError(f"{name} falls with distance")
        if (np.asarray(self.blocked_db) < np.asarray(self.clear_db) - 1e-9).any():
            raise ValueError("blocked_db is below clear_db")
        return self


def _rising(name: str, knots: Iterable[float], *lengths: int) -> None:
    values = tuple(knots)
    if any(b <= a for a, b in pairwise(values)):
        raise ValueError(f"{name} must rise")
    if any(length != len(values) for length in lengths):
        raise ValueError(f"{name} and its values differ in length")


def holds_for(calibration: Calibration, sectors: pd.DataFrame) -> NDArray[np.bool_]:
    """Which sectors a calibration may predict: those of its bands and of the kinds it was fitted on.

    A pole micro does not take the loss of macro sites: it stays with TR 38.901. Heights do not decide, as they act
    through sight, edges and the vertical pattern whatever the base; who uses a calibration tells of those outside.

    Parameters
    ----------
    calibration : Calibration
    sectors : DataFrame
        With ``freq_mhz`` and ``kind``.

    Returns
    -------
    ndarray of bool (sectors,)
        False for indoor sectors, and for a frequency that is NaN.

    Examples
    --------
    >>> model = Calibration(name="n41", base="uma", freq_low_mhz=2500, freq_high_mhz=2700, domain={"kinds": ["macro"]})
    >>> table = pd.DataFrame({"freq_mhz": [2565.0, 2565.0, 3500.0], "kind": ["macro", "micro", "macro"]})
    >>> holds_for(model, table).tolist()
    [True, False, False]
    """
    freq, kind = sectors["freq_mhz"].to_numpy(np.float64), sectors["kind"].astype(str)
    holds = (freq >= calibration.freq_low_mhz) & (freq <= calibration.freq_high_mhz)
    return np.asarray(holds & kind.isin(calibration.domain.kinds or ("macro", "micro")).to_numpy(bool))


def environment_loss_tables(calibration: Calibration, d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike,
                            h_ut_m: ArrayLike = RECEIVER_M) -> tuple[Floats, Floats]:
    """Loss of the environment in the clear and blocked, without the knife edge of roofs and terms of the pixel.

    Parameters
    ----------
    calibration : Calibration
    d_2d_m : array_like
        Horizontal distance, m; below 10 m that of 10 m.
    freq_ghz, h_bs_m, h_ut_m : array_like
        Frequency; heights of antenna and receiver (they matter to TR 38.901 bases only).

    Returns
    -------
    (clear_db, blocked_db) : ndarrays of float64
        Of the broadcast shape, never below free space. Beyond the last knot a table goes on with its last slope, 20 dB
        per decade at least.

    Examples
    --------
    >>> line = Calibration(name="line", distance_m=(10, 10000), clear_db=(50, 140), blocked_db=(60, 150))
    >>> [float(x) for x in environment_loss_tables(line, 100.0, 1.0, 30.0)]
    [80.0, 90.0]
    """
    d, freq, h_bs, h_ut = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in (d_2d_m, freq_ghz, h_bs_m, h_ut_m)))
    free = free_space_loss_db(np.hypot(d, h_bs - h_ut), freq)
    near = np.maximum(d, 10.0)
    if calibration.base != "table":
        clear, blocked = sight_loss_db(calibration.base, d, freq, h_bs, h_ut, calibration.building_weight)
        shift = calibration.offset_db + calibration.slope_db_per_decade * (np.log10(np.hypot(near, h_bs - h_ut)) - 3.0)
    else:
        decades, knots = np.log10(near), np.log10(np.asarray(calibration.distance_m))
        shift = calibration.offset_db + calibration.slope_db_per_decade * (decades - 3.0) + 20.0 * np.log10(freq)
        least = FREE_SLOPE_DB - calibration.slope_db_per_decade
        clear = _prolonged(decades, knots, np.asarray(calibration.clear_db), least)
        blocked = _prolonged(decades, knots, np.asarray(calibration.blocked_db), least)
    return np.maximum(clear + shift, free), np.maximum(blocked + shift, free)


def _prolonged(x: Floats, knots: Floats, values: Floats, least_slope: float) -> Floats:
    slope = max(float((values[-1] - values[-2]) / (knots[-1] - knots[-2])), least_slope)
    return np.asarray(np.interp(x, knots, values) + slope * np.maximum(x - knots[-1], 0.0))


def environment_sigma_tables(calibration: Calibration, d_2d_m: ArrayLike) -> tuple[Floats, Floats]:
    """Standard deviation of the whole error, in the clear and blocked, straight over log10 of the distance, dB.

    Examples
    --------
    >>> both = Calibration(name="s", base="uma", sigma_distance_m=(100, 1000), sigma_clear_db=(6, 8),
    ...                    sigma_blocked_db=(9, 9))
    >>> [float(x.round(3)) for x in environment_sigma_tables(both, 316.227766)]
    [7.0, 9.0]
    """
    x = np.log10(np.maximum(np.asarray(d_2d_m, np.float64), 10.0))
    knots = np.log10(np.asarray(calibration.sigma_distance_m))
    return (np.asarray(np.interp(x, knots, calibration.sigma_clear_db)),
            np.asarray(np.interp(x, knots, calibration.sigma_blocked_db)))


def pixel_term_db(calibration: Calibration, clutter_code: ArrayLike, terms: Mapping[str, ArrayLike]) -> Floats:
    """Loss that belongs to the receiver's pixel alone: a raster computed once for a city, dB (may be negative).

    Parameters
    ----------
    calibration : Calibration
    clutter_code : array_like of int
        Clutter class, 0 = not known.
    terms : mapping of str to array_like
        ``built_share`` and ``clutter_mean_m`` of :func:`surroundings`; those that the calibration uses must be there.

    Examples
    --------
    >>> near = Curve(knots=(0.0, 0.5), db=(-1.0, 3.0))
    >>> model = Calibration(name="c", base="uma", clutter_db={7: 2.0}, pixel_terms={"built_share": near})
    >>> pixel_term_db(model, [7, 5], {"built_share": [0.0, 0.25]}).tolist()
    [1.0, 1.0]
    """
    code = np.asarray(clutter_code, np.int64)
    loss = np.zeros(code.shape)
    for number, db in calibration.clutter_db.items():
        loss[code == number] = db
    for name, curve in calibration.pixel_terms.items():
        if name not in terms:
            raise ModelError(f"the calibration {calibration.name} needs the term {name} of every pixel")
        loss = loss + curve.at(terms[name])
    return np.asarray(loss)


def calibrated_power_dbm(calibration: Calibration, power_dbm: ArrayLike) -> Floats:
    """Power of existing sectors as far as the stations table is trusted, dBm.

    Examples
    --------
    >>> half = Calibration(name="p", base="uma", power_weight=0.5, power_reference_dbm=30.0)
    >>> float(calibrated_power_dbm(half, 34.0))
    32.0
    """
    reference = calibration.power_reference_dbm
    return np.asarray(reference + calibration.power_weight * (np.asarray(power_dbm, np.float64) - reference))


def pattern_attenuation_db(calibration: Calibration, horizontal_db: ArrayLike, vertical_db: ArrayLike,
                           depth_db: ArrayLike) -> Floats:
    """Attenuation of an antenna from that of both planes as drawn, dB: each scaled, the sum capped.

    The cap is the antenna's depth times the greater of both scales, and ``pattern_depth_db`` at most.

    Examples
    --------
    >>> model = Calibration(name="p", base="uma", pattern_scale_horizontal=0.4, pattern_scale_vertical=0.2)
    >>> pattern_attenuation_db(model, [10.0, 30.0], [10.0, 18.0], 30.0).tolist()
    [6.0, 12.0]
    """
    scale = max(calibration.pattern_scale_horizontal, calibration.pattern_scale_vertical)
    deepest = np.minimum(scale * np.asarray(depth_db, np.float64), calibration.pattern_depth_db)
    total = (calibration.pattern_scale_horizontal * np.asarray(horizontal_db, np.float64)
             + calibration.pattern_scale_vertical * np.asarray(vertical_db, np.float64))
    return np.asarray(np.minimum(total, deepest))


def receiver_heights(samples: pd.DataFrame, otherwise_m: float) -> Floats:
    """Height of each sample's receiver, m: its column ``receiver_height_m``, where the samples have it."""
    if "receiver_height_m" in samples:
        return samples["receiver_height_m"].to_numpy(np.float64)
    return np.full(len(samples), otherwise_m)


def predict_samples(samples: pd.DataFrame, calibration: Calibration) -> Floats:
    """Median signal of samples by a calibration: the plain form of what the engine computes pixel by pixel.

    Parameters
    ----------
    samples : DataFrame
        See :func:`~siteplan.coverage.measurement_samples`; ``rsrp_dbm`` is not read. Without ``receiver_height_m`` the
        receivers are as high as those of the fit.
    calibration : Calibration

    Returns
    -------
    ndarray of float64, shape (len(samples),)
        dBm.
    """
    column = {name: samples[name].to_numpy(np.float64) for name in (
        "distance_m", "freq_ghz", "antenna_height_m", "nu_top", "nu_ground", "horizontal_db", "vertical_db",
        "depth_db", "power_dbm")}
    blocked, freq, d = samples["blocked"].to_numpy(bool), column["freq_ghz"], column["distance_m"]
    h_ut = receiver_heights(samples, calibration.domain.receiver_height_m)
    clear_db, blocked_db = environment_loss_tables(calibration, d, freq, column["antenna_height_m"], h_ut)
    edge = np.minimum(knife_edge_loss_db(column["nu_top"] * np.sqrt(freq)), calibration.diffraction_cap_db)
    loss = np.where(blocked, blocked_db, clear_db) + calibration.diffraction_weight * edge
    terrain = edge_loss_db(column["nu_ground"] * np.sqrt(freq), d / 1000.0)
    loss = np.maximum(loss, free_space_loss_db(np.hypot(d, column["antenna_height_m"] - h_ut), freq) + terrain)
    loss = loss + pixel_term_db(calibration, samples["clutter_code"].to_numpy(np.int64),
                                {name: samples[name].to_numpy(np.float64) for name in calibration.pixel_terms})
    away = pattern_attenuation_db(calibration, column["horizontal_db"], column["vertical_db"], column["depth_db"])
    return np.asarray(calibrated_power_dbm(calibration, column["power_dbm"]) - away - loss)


def sigma_of_samples(samples: pd.DataFrame, calibration: Calibration) -> Floats:
    """Standard deviation of the error of :func:`predict_samples`, by distance and sight, dB."""
    clear, blocked = environment_sigma_tables(calibration, samples["distance_m"].to_numpy(np.float64))
    return np.where(samples["blocked"].to_numpy(bool), blocked, clear)


def calibration_to_toml(calibration: Calibration) -> str:
    """A calibration as TOML text; the same one, the same text.

    Examples
    --------
    >>> model = Calibration(name="示例", base="umi", clutter_db={12: 1.5})
    >>> calibration_from_toml(calibration_to_toml(model)) == model
    True
    """
    head = "# siteplan calibration: fitted to measurements; predictions by it are predictions all the same\n"
    return head + toml_text(calibration.model_dump(mode="json", exclude_none=True))


def calibration_from_toml(text: str) -> Calibration:
    """A calibration from TOML text.

    Raises
    ------
    ModelError
        The text is not TOML, or not a calibration; every fault is named.
    """
    try:
        return Calibration.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"校正文件不是 TOML 格式：{error}") from error
    except RecursionError as error:
        raise ModelError("括号嵌套太深，不是校正文件") from error
    except ValidationError as error:
        faults = "；".join(f"{'.'.join(map(str, fault['loc'])) or '整体'}：{fault['msg']}" for fault in error.errors())
        raise ModelError(f"校正文件有误：{faults}") from error
