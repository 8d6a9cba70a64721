"""Arithmetic of public exposure to electromagnetic fields in the far field: power density, field, distance.

A screening estimate, no environmental assessment. The limits are numbers of ``tables/exposure.toml``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from siteplan.errors import ModelError
from siteplan.radio._arrays import Floats, floats

IMPEDANCE_OHM = 120.0 * np.pi
"""Wave impedance of free space as the usual ``E = sqrt(30 P G) / r`` has it."""


def power_density_w_m2(power_w: ArrayLike, gain_dbi: ArrayLike, distance_m: ArrayLike, factor: ArrayLike) -> Floats:
    """Power density in the far field, ``S = P G F / (4 pi r^2)``, W/m2.

    Parameters
    ----------
    power_w : array_like
        Power of the transmitter, W.
    gain_dbi : array_like
        Gain towards the place, off the axis the pattern's loss taken away, dBi.
    distance_m : array_like
        Slope distance r to the place, more than 0 m.
    factor : array_like
        Share F of time and power actually used (TDD share times power reduction), an explicit choice.

    Returns
    -------
    ndarray of float64
        W/m2; NaN where an argument is NaN.

    Raises
    ------
    ModelError
        For a distance of 0 m or less.

    Examples
    --------
    >>> float(power_density_w_m2(200.0, 24.0, 100.0, 0.1875).round(4))
    0.075
    """
    r = _positive(distance_m, "a distance from the antenna in m")
    return np.asarray(_radiated_w(power_w, gain_dbi, factor) / (4.0 * np.pi * r**2))


def field_strength_v_m(power_w: ArrayLike, gain_dbi: ArrayLike, distance_m: ArrayLike, factor: ArrayLike) -> Floats:
    """Electric field in the far field, ``E = sqrt(120 pi S) = sqrt(30 P G F) / r``, V/m: what a probe reads.

    Parameters
    ----------
    power_w, gain_dbi, distance_m, factor : array_like
        As in :func:`power_density_w_m2`.

    Returns
    -------
    ndarray of float64
        V/m, root mean square; NaN where an argument is NaN.

    Raises
    ------
    ModelError
        For a distance of 0 m or less.

    Examples
    --------
    >>> float(field_strength_v_m(200.0, 24.0, 100.0, 0.1875).round(2))
    5.32
    """
    return np.asarray(np.sqrt(IMPEDANCE_OHM * power_density_w_m2(power_w, gain_dbi, distance_m, factor)))


def compliance_distance_m(power_w: ArrayLike, gain_dbi: ArrayLike, limit_w_m2: ArrayLike, factor: ArrayLike) -> Floats:
    """Distance at which the power density falls to a limit, ``r = sqrt(P G F / (4 pi S))``, m.

    Parameters
    ----------
    power_w, gain_dbi, factor : array_like
        As in :func:`power_density_w_m2`; the gain in the direction that is asked for.
    limit_w_m2 : array_like
        Power density S that may be reached, more than 0 W/m2.

    Returns
    -------
    ndarray of float64
        Distance, m; NaN where an argument is NaN.

    Raises
    ------
    ModelError
        For a limit of 0 W/m2 or less.

    Examples
    --------
    >>> compliance_distance_m(200.0, 24.0, 3500.0 / 7500.0, [1.0, 0.1875]).round(1).tolist()
    [92.6, 40.1]
    """
    limit = _positive(limit_w_m2, "a limit of the power density in W/m2")
    return np.asarray(np.sqrt(power_density_w_m2(power_w, gain_dbi, 1.0, factor) / limit))


def _radiated_w(power_w: ArrayLike, gain_dbi: ArrayLike, factor: ArrayLike) -> Floats:
    """Mean power times gain, W."""
    power, gain, part = floats(power_w, gain_dbi, factor)
    return np.asarray(power * 10.0 ** (gain / 10.0) * part)


def _positive(value: ArrayLike, what: str) -> Floats:
    """Return the value as floats, or raise a ModelError when a number is 0 or less; NaN passes."""
    (number,) = floats(value)
    if bool(np.any(number <= 0.0)):
        raise ModelError(f"{what} must be more than 0")
    return number
