"""Antennas: entries of the equipment table, measured patterns, and the tables over angle that prediction reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from siteplan.errors import ModelError
from siteplan.params import Settings

VERTICAL_STEP_DEG = 0.25
"""Step of the vertical table of :func:`pattern_tables`, degrees."""
_ELEMENT_WIDTH_DEG, _ELEMENT_DEPTH_DB = 65.0, 30.0
"""Horizontal plane of one antenna element, TR 38.901 table 7.3-1."""
_DEGREES = np.arange(361)


class SsbBeam(Settings):
    """One beam of an SSB beam set, its axis and width in the horizontal plane."""

    azimuth_deg: float = Field(ge=-90, le=90, description="axis, clockwise from the antenna's boresight, degrees")
    width_deg: float = Field(gt=0, le=180, description="half-power width of the array beam, degrees")
    gain_db: float = Field(0.0, ge=-30, le=0, description="gain below that of the strongest beam, dB")


class Antenna(Settings):
    """One antenna: the form of TR 38.901 table 7.3-1, the envelope of an SSB beam set, or a measured pattern."""

    gain_dbi: float = Field(ge=-10, le=35, description="gain in the strongest direction, dBi")
    horizontal_deg: float = Field(gt=0, le=360, description="half-power beam width; 360 = omni, degrees")
    vertical_deg: float = Field(gt=0, le=180, description="half-power beam width, degrees")
    side_lobe_db: float = Field(ge=0, le=60, description="greatest attenuation of the vertical plane, dB")
    depth_db: float = Field(ge=0, le=60, description="greatest attenuation, dB")
    feeder_db: float = Field(0.0, ge=0, le=20, description="loss between transmitter and antenna, dB")
    beams: tuple[SsbBeam, ...] = Field((), description="SSB beams: their envelope is the horizontal plane")
    pattern: str | None = Field(None, min_length=1, description="file of a measured pattern (MSI Planet)")
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_form(self) -> Antenna:
        if self.beams and self.pattern is not None:
            raise ValueError("an antenna has beams or a measured pattern, not both")
        return self

    @property
    def omni(self) -> bool:
        """True when the antenna has no horizontal axis."""
        return self.horizontal_deg >= 360.0


@dataclass(frozen=True, eq=False)
class AntennaPattern:
    """A measured antenna pattern: two planes through the main beam.

    Attributes
    ----------
    name : str
    horizontal_db : ndarray of float64, shape (360,)
        Attenuation below the maximum by whole degrees clockwise from the boresight, dB >= 0.
    vertical_db : ndarray of float64, shape (360,)
        The same in the vertical plane: 0 = horizon in front, positive downwards, 90 = down, 180 = behind, 270 = up.
    tilt_deg : float
        Electrical tilt that the vertical plane holds: where its main beam points, degrees below the horizon.
    gain_dbi, freq_mhz : float
        NaN when the file does not say.
    notes : tuple of str
        What was doubtful or changed on reading, in Chinese.

    Raises
    ------
    ModelError
        A plane has another shape, or a value that is not finite or negative.
    """

    name: str
    horizontal_db: NDArray[np.float64]
    vertical_db: NDArray[np.float64]
    tilt_deg: float = 0.0
    gain_dbi: float = math.nan
    freq_mhz: float = math.nan
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("horizontal_db", "vertical_db"):
            values = np.array(getattr(self, name), np.float64)
            if values.shape != (360,) or not (values >= 0.0).all() or not np.isfinite(values).all():
                raise ModelError(f"antenna pattern {self.name}: {name} is not 360 attenuations, finite and >= 0 dB")
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @property
    def horizontal_deg(self) -> float:
        """Half-power width of the horizontal plane, degrees; 360 where it nowhere falls by 3 dB."""
        return half_power_width_deg(self.horizontal_db, 0.0)

    @property
    def vertical_deg(self) -> float:
        """Half-power width of the vertical plane's main beam, degrees."""
        return half_power_width_deg(self.vertical_db, self.tilt_deg)


def half_power_width_deg(plane_db: NDArray[np.float64], axis_deg: float) -> float:
    """Width between the two directions nearest to the axis where a plane has fallen by 3 dB, linear in between.

    Parameters
    ----------
    plane_db : ndarray of float64, shape (360,)
        Attenuation by whole degrees.
    axis_deg : float
        Where to start from.

    Returns
    -------
    float
        Degrees; 360 where the plane falls by 3 dB nowhere.

    Examples
    --------
    >>> off = np.abs((np.arange(360) + 180) % 360 - 180)
    >>> round(half_power_width_deg(12.0 * (off / 65.0) ** 2, 0.0), 1)
    65.0
    """
    steps = np.arange(0.0, 180.01, 0.1)
    halves = []
    for side in (1.0, -1.0):
        fallen = np.flatnonzero(_around(plane_db, axis_deg + side * steps) >= 3.0)
        if not fallen.size:
            return 360.0
        halves.append(float(steps[fallen[0]]))
    return sum(halves)


def _around(plane_db: NDArray[np.float64], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Attenuation at any angles, linear between whole degrees."""
    return np.interp(degrees % 360.0, np.arange(361.0), np.append(plane_db, plane_db[0]))


def ssb_envelope(beams: Sequence[SsbBeam], element_width_deg: float = _ELEMENT_WIDTH_DEG,
                 depth_db: float = _ELEMENT_DEPTH_DB) -> NDArray[np.float64]:
    """Horizontal plane of a set of SSB beams: in every direction the strongest beam counts.

    Parameters
    ----------
    beams : sequence of SsbBeam
        At least one.
    element_width_deg : float
        Half-power width of the antenna element, degrees.
    depth_db : float
        Greatest attenuation of the element, and of each array beam beside it, dB.

    Returns
    -------
    ndarray of float64, shape (361,)
        Attenuation below the strongest direction at 0..360 degrees clockwise from the boresight, dB.

    Raises
    ------
    ModelError
        No beam.

    Notes
    -----
    A beam is the element pattern of TR 38.901 table 7.3-1 times an array pattern of the same form round the beam's
    axis. A terminal measures the best beam (TS 38.215: SS-RSRP is of one SSB index), hence the maximum.

    Examples
    --------
    >>> one = ssb_envelope([SsbBeam(azimuth_deg=0.0, width_deg=15.0)])
    >>> three = ssb_envelope([SsbBeam(azimuth_deg=a, width_deg=15.0) for a in (-30.0, 0.0, 30.0)])
    >>> [round(float(plane[30]), 2) for plane in (one, three)]
    [32.56, 2.56]
    """
    if not beams:
        raise ModelError("an envelope needs at least one beam")
    element = np.minimum(12.0 * (_off_deg(0.0) / element_width_deg) ** 2, depth_db)
    gains = [beam.gain_db - element - np.minimum(12.0 * (_off_deg(beam.azimuth_deg) / beam.width_deg) ** 2, depth_db)
             for beam in beams]
    best: NDArray[np.float64] = np.max(np.stack(gains), axis=0)
    return best.max() - best


def _off_deg(axis_deg: float) -> NDArray[np.float64]:
    """Angle between 0..360 degrees and an axis, 0..180."""
    return np.abs((_DEGREES - axis_deg + 180.0) % 360.0 - 180.0)


def pattern_tables(antenna: Antenna, pattern: AntennaPattern | None, depth_db: float, scale: float,
                   ) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Attenuation of an antenna by angle, as the kernels take it.

    The attenuation in a direction is ``min(horizontal + vertical, depth)``.

    Parameters
    ----------
    antenna : Antenna
    pattern : AntennaPattern or None
        The measured pattern that the antenna names; None for the other forms.
    depth_db : float
        Greatest attenuation that the study allows (``coverage.pattern_depth_db``), dB.
    scale : float
        The attenuation is multiplied by this (``coverage.pattern_scale``), 0..1: reflections fill the pattern, and
        with its full depth predictions of measured cities were worse.

    Returns
    -------
    horizontal_db : ndarray of float32, shape (361,)
        At 0..360 degrees clockwise from the azimuth.
    vertical_db : ndarray of float32, shape (721,)
        At -90..90 degrees in steps of 0.25 relative to the beam's axis, positive = below it.
    depth_db : float
        Greatest sum of both: the scaled depth of the antenna, at most that of the study.

    Raises
    ------
    ModelError
        The antenna names a measured pattern and none is given.

    Notes
    -----
    The form of TR 38.901 table 7.3-1: 12 (angle / width)^2, horizontally at most the antenna's depth, vertically at
    most its side-lobe level. The electrical tilt that a measured vertical plane holds is taken out, so that the tilt of
    the sector is applied once.

    Examples
    --------
    >>> antenna = Antenna(gain_dbi=15, horizontal_deg=65, vertical_deg=7, side_lobe_db=18, depth_db=30, source="-")
    >>> horizontal, vertical, depth = pattern_tables(antenna, None, 30.0, 1.0)
    >>> round(float(horizontal[65]), 2), round(float(vertical[360 + 14]), 2), float(vertical[0]), depth
    (12.0, 3.0, 18.0, 30.0)
    """
    if antenna.pattern is not None and pattern is None:
        raise ModelError(f"the measured antenna pattern {antenna.pattern} was not read")
    below = np.arange(-90.0, 90.0 + VERTICAL_STEP_DEG / 2.0, VERTICAL_STEP_DEG)
    if pattern is not None:
        horizontal = pattern.horizontal_db[_DEGREES % 360]
        vertical = _around(pattern.vertical_db, pattern.tilt_deg + below)
    else:
        if antenna.beams:
            horizontal = ssb_envelope(antenna.beams, antenna.horizontal_deg, antenna.depth_db)
        elif antenna.omni:
            horizontal = np.zeros(_DEGREES.size)
        else:
            horizontal = np.minimum(12.0 * (_off_deg(0.0) / antenna.horizontal_deg) ** 2, antenna.depth_db)
        vertical = np.minimum(12.0 * (below / antenna.vertical_deg) ** 2, antenna.side_lobe_db)
    return ((scale * horizontal).astype(np.float32), (scale * vertical).astype(np.float32),
            float(min(scale * antenna.depth_db, depth_db)))
