"""Arithmetic of public exposure to electromagnetic fields: limits of GB 8702-2014, power density, distance.

A screening estimate in the far field, no environmental assessment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from siteplan.errors import ModelError
from siteplan.radio._arrays import Floats, floats, within

LOWEST_MHZ, HIGHEST_MHZ, KINK_MHZ = 30.0, 15_000.0, 3000.0
"""Ends of the two frequency ranges used here, and where they meet, MHz."""

PROJECT_SHARE = 0.2
"""Share of the power-density limit that one project may use (HJ/T 10.3-1996)."""


def _allowed_band(freq_mhz: ArrayLike) -> Floats:
    return within(freq_mhz, LOWEST_MHZ, HIGHEST_MHZ, "a frequency in MHz")


def exposure_limit_w_m2(freq_mhz: ArrayLike) -> Floats:
    """Limit of the power density for the public, GB 8702-2014: 0.4 W/m2 up to 3000 MHz, f/7500 above.

    Parameters
    ----------
    freq_mhz : array_like
        Frequency, 30 to 15000 MHz.

    Returns
    -------
    ndarray of float64
        W/m2, mean over 6 minutes; NaN for NaN.

    Raises
    ------
    ModelError
        For a frequency outside the two ranges.

    Examples
    --------
    >>> exposure_limit_w_m2([2600.0, 3500.0]).round(4).tolist()
    [0.4, 0.4667]
    """
    freq = _allowed_band(freq_mhz)
    return np.asarray(np.maximum(freq, KINK_MHZ) / 7500.0)


def exposure_limit_v_m(freq_mhz: ArrayLike) -> Floats:
    """Limit of the electric field for the public, GB 8702-2014: 12 V/m up to 3000 MHz, 0.22 sqrt(f) above.

    Parameters
    ----------
    freq_mhz : array_like
        Frequency, 30 to 15000 MHz.

    Returns
    -------
    ndarray of float64
        V/m, root mean square over 6 minutes; NaN for NaN.

    Raises
    ------
    ModelError
        For a frequency outside the two ranges.

    Examples
    --------
    >>> exposure_limit_v_m([700.0, 4900.0]).round(2).tolist()
    [12.0, 15.4]
    """
    freq = _allowed_band(freq_mhz)
    return np.where(np.isnan(freq), np.nan, np.where(freq <= KINK_MHZ, 12.0, 0.22 * np.sqrt(freq)))


def _radiated_w(power_w: ArrayLike, gain_dbi: ArrayLike, factor: ArrayLike) -> Floats:
    """Mean power times gain, W."""
    power, gain, part = floats(power_w, gain_dbi, factor)
    return np.asarray(power * 10.0 ** (gain / 10.0) * part)


def _distance(distance_m: ArrayLike) -> Floats:
    (r,) = floats(distance_m)
    if bool(np.any(r <= 0.0)):
        raise ModelError("a distance from the antenna must be more than 0 m")
    return r


def power_density_w_m2(power_w: ArrayLike, gain_dbi: ArrayLike, distance_m: ArrayLike,
                       factor: ArrayLike) -> Floats:
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
    r = _distance(distance_m)
    return np.asarray(_radiated_w(power_w, gain_dbi, factor) / (4.0 * np.pi * r**2))


def field_strength_v_m(power_w: ArrayLike, gain_dbi: ArrayLike, distance_m: ArrayLike, factor: ArrayLike) -> Floats:
    """Electric field in the far field, ``E = sqrt(30 P G F) / r``, V/m.

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
    r = _distance(distance_m)
    return np.asarray(np.sqrt(30.0 * _radiated_w(power_w, gain_dbi, factor)) / r)


def compliance_distance_m(power_w: ArrayLike, gain_dbi: ArrayLike, freq_mhz: ArrayLike, factor: ArrayLike,
                          limit_share: ArrayLike = 1.0) -> Floats:
    """Distance at which the power density falls to the limit, ``r = sqrt(P G F / (4 pi S))``, m.

    Parameters
    ----------
    power_w, gain_dbi, factor : array_like
        As in :func:`power_density_w_m2`; the gain in the direction that is asked for.
    freq_mhz : array_like
        Frequency, 30 to 15000 MHz.
    limit_share : array_like
        Share of the limit that may be used, more than 0; one fifth by HJ/T 10.3-1996 (``PROJECT_SHARE``).

    Returns
    -------
    ndarray of float64
        Distance, m; NaN where an argument is NaN.

    Raises
    ------
    ModelError
        For a frequency outside the ranges, or a share of 0 or less.

    Examples
    --------
    >>> compliance_distance_m(200.0, 24.0, 3500.0, [1.0, 0.1875]).round(1).tolist()
    [92.6, 40.1]
    """
    (part,) = floats(limit_share)
    if bool(np.any(part <= 0.0)):
        raise ModelError("the share of the limit must be more than 0")
    return np.asarray(np.sqrt(_radiated_w(power_w, gain_dbi, factor)
                              / (4.0 * np.pi * exposure_limit_w_m2(freq_mhz) * part)))
