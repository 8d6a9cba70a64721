"""Attenuation of antennas off their axis, from the numbers of the certificate: one direction at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Plane = Callable[[float], float]


@dataclass(frozen=True)
class Beam:
    """One beam of an SSB beam set: axis and width in degrees, gain below the strongest beam in dB."""

    azimuth_deg: float
    width_deg: float
    gain_db: float


@dataclass(frozen=True)
class MeasuredPattern:
    """A measured antenna: attenuation at 360 whole degrees of both planes, dB, and the tilt that the second holds."""

    horizontal_db: Sequence[float]
    vertical_db: Sequence[float]
    tilt_deg: float


@dataclass(frozen=True)
class Antenna:
    """An antenna: the form of TR 38.901 table 7.3-1, the envelope of SSB beams, or a measured pattern."""

    gain_dbi: float
    horizontal_deg: float
    """360: no axis"""
    vertical_deg: float
    side_lobe_db: float
    depth_db: float
    beams: tuple[Beam, ...] = ()
    measured: MeasuredPattern | None = None


def parabola(off_deg: float, width_deg: float, deepest_db: float) -> float:
    """``12 (angle / width)^2``, ``deepest_db`` at most (TR 38.901 table 7.3-1), dB.

    >>> parabola(32.5, 65.0, 30.0)
    3.0
    """
    return min(12.0 * (off_deg / width_deg) ** 2, deepest_db)


def from_axis(degrees: float, axis_deg: float) -> float:
    """Angle between a direction and an axis, 0..180 degrees.

    >>> from_axis(350.0, 10.0)
    20.0
    """
    return abs((degrees - axis_deg + 180.0) % 360.0 - 180.0)


def horizontal_db(antenna: Antenna, degree: int) -> float:
    """Attenuation of the horizontal plane at a whole degree clockwise from the azimuth, dB."""
    if antenna.measured is not None:
        return antenna.measured.horizontal_db[degree % 360]
    if antenna.beams:
        return max(_beams_db(antenna, other) for other in range(360)) - _beams_db(antenna, degree)
    if antenna.horizontal_deg >= 360.0:
        return 0.0
    return parabola(from_axis(degree, 0.0), antenna.horizontal_deg, antenna.depth_db)


def _beams_db(antenna: Antenna, degree: int) -> float:
    """Gain of the strongest beam towards a whole degree: that of the element times that of the beam, dB."""
    element = parabola(from_axis(degree, 0.0), antenna.horizontal_deg, antenna.depth_db)
    return max(beam.gain_db - element
               - parabola(from_axis(degree, beam.azimuth_deg), beam.width_deg, antenna.depth_db)
               for beam in antenna.beams)


def vertical_db(antenna: Antenna, below_deg: float) -> float:
    """Attenuation of the vertical plane at an angle below the beam, dB."""
    if antenna.measured is None:
        return parabola(below_deg, antenna.vertical_deg, antenna.side_lobe_db)
    plane = antenna.measured.vertical_db
    return _between(lambda degree: plane[round(degree) % 360], antenna.measured.tilt_deg + below_deg, 1.0)


def _between(plane: Plane, angle: float, step: float) -> float:
    """A plane that is known at multiples of a step, straight lines between them: the study holds it so."""
    first = math.floor(angle / step)
    share = angle / step - first
    value = plane(first * step)
    return value if share == 0.0 else (1.0 - share) * value + share * plane((first + 1) * step)


def attenuation_db(antenna: Antenna, off_deg: float | None, below_deg: float, scales: tuple[float, float],
                   deepest_db: float) -> float:
    """Attenuation of a sector towards a receiver, dB.

    Parameters
    ----------
    antenna : Antenna
    off_deg : float or None
        Direction of the receiver clockwise from the sector's azimuth, degrees; None for a sector without one.
    below_deg : float
        Angle of the receiver below the beam, degrees.
    scales : (float, float)
        Trust in the horizontal and in the vertical plane.
    deepest_db : float
        Greatest attenuation that the study allows, dB.

    Examples
    --------
    >>> antenna = Antenna(17.0, 65.0, 12.0, 18.0, 30.0)
    >>> attenuation_db(antenna, 65.0, 12.0, (0.5, 0.5), 30.0)
    12.0
    """
    total = scales[1] * _between(lambda angle: vertical_db(antenna, angle), min(max(below_deg, -90.0), 90.0), 0.25)
    if off_deg is not None:
        total += scales[0] * _between(lambda angle: horizontal_db(antenna, round(angle)), off_deg % 360.0, 1.0)
    return min(total, max(scales) * antenna.depth_db, deepest_db)
