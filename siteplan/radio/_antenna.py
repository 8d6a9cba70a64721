"""Antenna patterns: the sector and element of TR 38.901, a column of elements, mechanical tilt."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from siteplan.errors import ModelError
from siteplan.radio._arrays import Floats, floats


def pattern_loss_db(azimuth_off_deg: ArrayLike, vertical_off_deg: ArrayLike, beam_deg: tuple[float, float],
                    depth_db: ArrayLike, side_lobe_db: ArrayLike | None = None) -> Floats:
    """Attenuation of a sector antenna off its axis, in the form of TR 38.901 table 7.3-1.

    ``A = min(min(12 (phi/phi3)^2, depth) + min(12 (theta/theta3)^2, side lobe), depth)``.

    Parameters
    ----------
    azimuth_off_deg, vertical_off_deg : array_like
        Angles off the axis; the azimuth is wrapped.
    beam_deg : (float, float)
        Half-power beam widths, horizontal and vertical, degrees; ``inf`` means no attenuation in that plane.
    depth_db : array_like
        Greatest attenuation, dB.
    side_lobe_db : array_like, optional
        Greatest attenuation of the vertical plane, dB; ``depth_db`` when absent.

    Examples
    --------
    >>> float(pattern_loss_db(32.5, 0.0, (65.0, 65.0), 30.0))
    3.0
    """
    phi, theta, depth = floats(azimuth_off_deg, vertical_off_deg, depth_db)
    phi = np.abs((phi + 180.0) % 360.0 - 180.0)
    side = depth if side_lobe_db is None else np.minimum(np.asarray(side_lobe_db, np.float64), depth)
    horizontal = np.minimum(12.0 * (phi / beam_deg[0]) ** 2, depth)
    vertical = np.minimum(12.0 * (theta / beam_deg[1]) ** 2, side)
    return np.asarray(np.minimum(horizontal + vertical, depth))


def element_gain_dbi(azimuth_deg: ArrayLike, zenith_deg: ArrayLike) -> Floats:
    """Gain of the TR 38.901 antenna element (table 7.3-1): 8 dBi, 65 degrees, 30 dB deep; NaN where an angle is NaN.

    Parameters
    ----------
    azimuth_deg : array_like
        Azimuth in the antenna's frame, boresight 0, any turn; degrees.
    zenith_deg : array_like
        Zenith angle in the antenna's frame, horizon 90; degrees.

    Examples
    --------
    >>> element_gain_dbi([0.0, 65.0, 180.0], 90.0).tolist()
    [8.0, -4.0, -22.0]
    """
    theta = np.asarray(zenith_deg, np.float64) - 90.0
    return 8.0 - pattern_loss_db(azimuth_deg, theta, (65.0, 65.0), 30.0)


def antenna_angles(azimuth_off_deg: ArrayLike, down_deg: ArrayLike,
                   tilt_mechanical_deg: ArrayLike) -> tuple[Floats, Floats]:
    """Direction to a receiver in the frame of an antenna that is tilted mechanically: an exact rotation.

    Parameters
    ----------
    azimuth_off_deg : array_like
        Azimuth of the receiver off the antenna's azimuth, any turn; degrees.
    down_deg : array_like
        Angle of the receiver below the horizon, -90..90; degrees.
    tilt_mechanical_deg : array_like
        How far the axis is tilted below the horizon, degrees.

    Returns
    -------
    tuple of ndarray of float64
        Azimuth off the axis (-180..180) and angle below the antenna's own horizontal plane (-90..90), degrees; an
        electrical tilt is to be taken from the latter. NaN where an argument is NaN.

    Notes
    -----
    The axes turn about the antenna's horizontal cross axis. Forwards the tilt lowers the beam, sideways it does
    nothing, backwards it lifts it; taking the tilt from the vertical angle everywhere is right forwards only.

    Examples
    --------
    >>> [float(angle.round(6)) for angle in antenna_angles(0.0, 10.0, 6.0)]
    [0.0, 4.0]
    >>> [float(angle.round(6)) for angle in antenna_angles(180.0, 0.0, 6.0)]
    [180.0, 6.0]
    """
    phi, down, tilt = (np.radians(angle) for angle in floats(azimuth_off_deg, down_deg, tilt_mechanical_deg))
    ahead, aside, up = np.cos(down) * np.cos(phi), np.cos(down) * np.sin(phi), -np.sin(down)
    turned = ahead * np.cos(tilt) - up * np.sin(tilt)
    lifted = ahead * np.sin(tilt) + up * np.cos(tilt)
    azimuth = np.degrees(np.arctan2(aside, turned))
    return np.asarray(azimuth), np.asarray(-np.degrees(np.arctan2(lifted, np.hypot(turned, aside))))


def column_gain_db(down_deg: ArrayLike, elements: int, spacing_wavelengths: float, tilt_electrical_deg: float,
                   depth_db: float = 60.0) -> Floats:
    """Gain of a uniform column of elements over one of them, by the weights of TR 38.901 clause 7.3.

    ``|sum_m w_m exp(2 pi i (m-1) d cos(theta))|^2`` with ``w_m = M^-0.5 exp(-2 pi i (m-1) d cos(theta_tilt))``.

    Parameters
    ----------
    down_deg : array_like
        Angle below the antenna's horizontal plane, degrees (theta - 90).
    elements : int
        Number M of elements, one above the other.
    spacing_wavelengths : float
        Distance d between neighbours in wavelengths; 0.5 is usual.
    tilt_electrical_deg : float
        Electrical tilt below the horizontal plane, degrees (theta_tilt - 90).
    depth_db : float
        Nulls are filled to this far below the peak, dB.

    Returns
    -------
    ndarray of float64
        Gain, dB: ``10 log10(M)`` in the direction of the tilt; NaN for NaN. The gain of the element is not included.

    Raises
    ------
    ModelError
        For less than one element or a spacing of 0 or less.

    Examples
    --------
    >>> column_gain_db([6.0, 90.0], 8, 0.5, 6.0).round(2).tolist()
    [9.03, -9.2]
    """
    if elements < 1 or not spacing_wavelengths > 0.0:
        raise ModelError("a column needs one element at least and a spacing of more than 0 wavelengths")
    (down,) = floats(down_deg)
    step = 2.0 * np.pi * spacing_wavelengths * (np.sin(np.radians(tilt_electrical_deg)) - np.sin(np.radians(down)))
    field = np.exp(1j * step[..., None] * np.arange(elements)).sum(axis=-1)
    power = np.abs(field) ** 2 / elements
    return np.asarray(10.0 * np.log10(np.maximum(power, elements * 10.0 ** (-depth_db / 10.0))))
