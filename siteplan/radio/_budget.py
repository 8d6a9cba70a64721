"""Link budget per resource element: power, noise, signal to interference, margins, overlap of carriers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf, ndtr, ndtri

from siteplan.errors import ModelError
from siteplan.radio._arrays import Floats, floats

THERMAL_DBM_HZ = -174.0
"""Thermal noise at 290 K, dBm per Hz."""


def epre_dbm(power_w: ArrayLike, resource_blocks: ArrayLike) -> Floats:
    """Energy per resource element: total power spread evenly over 12 subcarriers per resource block, dBm.

    Examples
    --------
    >>> float(epre_dbm(200.0, 273).round(2))
    17.86
    """
    power, blocks = floats(power_w, resource_blocks)
    return np.asarray(10.0 * np.log10(power * 1000.0) - 10.0 * np.log10(12.0 * blocks))


def rsrp_dbm(epre: ArrayLike, gain_dbi: ArrayLike, feeder_db: ArrayLike, body_db: ArrayLike,
             penetration_db: ArrayLike, loss_db: ArrayLike) -> Floats:
    """Mean received power of a reference signal, every line of the budget by itself, dBm.

    ``EPRE + gain - feeder - body - penetration - path loss``

    Parameters
    ----------
    epre : array_like
        Energy per resource element at the transmitter, dBm.
    gain_dbi : array_like
        Gain of the antenna towards the receiver, its pattern and beam included, dBi.
    feeder_db, body_db, penetration_db : array_like
        Losses between transmitter and antenna, of the user's body, into the building; positive, dB. A map of the mean
        outdoors has no body loss.
    loss_db : array_like
        Path loss outdoors, dB.

    Returns
    -------
    ndarray of float64
        RSRP, dBm; NaN where a line is NaN.

    Examples
    --------
    >>> round(float(rsrp_dbm(17.86, 17.0, 0.5, 3.0, 12.7, 110.0)), 2)
    -91.34
    """
    power, gain, feeder, body, penetration, loss = floats(epre, gain_dbi, feeder_db, body_db, penetration_db, loss_db)
    return np.asarray(power + gain - feeder - body - penetration - loss)


def noise_dbm(scs_khz: ArrayLike, noise_figure_db: ArrayLike) -> Floats:
    """Noise of the receiver in one resource element (one subcarrier), ``-174 + 10 log10(SCS Hz) + NF``, dBm.

    Examples
    --------
    >>> noise_dbm([15.0, 30.0], 7.0).round(2).tolist()
    [-125.24, -122.23]
    """
    spacing, figure = floats(scs_khz, noise_figure_db)
    return np.asarray(THERMAL_DBM_HZ + 10.0 * np.log10(spacing * 1000.0) + figure)


def sinr_db(signal_dbm: ArrayLike, interference_mw: ArrayLike, noise: ArrayLike) -> Floats:
    """Signal over interference and noise, all per resource element, dB.

    Parameters
    ----------
    signal_dbm : array_like
        Power of the server, dBm.
    interference_mw : array_like
        Sum of the others, each times its load and its overlap, 0 or more, mW.
    noise : array_like
        Noise of the receiver, dBm (:func:`noise_dbm`).

    Returns
    -------
    ndarray of float64
        SINR, dB; NaN where an argument is NaN.

    Examples
    --------
    >>> sinr_db(-90.0, [0.0, 2e-9], -122.23).round(2).tolist()
    [32.23, -3.01]
    """
    signal, interference, floor = floats(signal_dbm, interference_mw, noise)
    return np.asarray(signal - 10.0 * np.log10(interference + 10.0 ** (floor / 10.0)))


def coverage_probability(rsrp: ArrayLike, threshold_dbm: ArrayLike, sigma_db: ArrayLike) -> Floats:
    """Probability that the signal reaches the threshold under log-normal fading, ``Phi((rsrp - threshold) / sigma)``.

    Parameters
    ----------
    rsrp, threshold_dbm : array_like
        Mean signal and threshold, dBm.
    sigma_db : array_like
        Standard deviation of the fading, dB; at 0 the signal reaches the threshold or does not.

    Returns
    -------
    ndarray of float64
        0..1; NaN where an argument is NaN.

    Raises
    ------
    ModelError
        For a negative standard deviation.

    Examples
    --------
    >>> coverage_probability([-105.0, -97.0], -105.0, 8.0).round(4).tolist()
    [0.5, 0.8413]
    """
    signal, threshold, sigma = floats(rsrp, threshold_dbm, sigma_db)
    _refuse_negative(sigma)
    spread = np.where(sigma == 0.0, 1.0, sigma)
    over = signal - threshold
    hard = np.where(np.isnan(over), np.nan, (over >= 0.0).astype(np.float64))
    return np.where(sigma == 0.0, hard, ndtr(over / spread))


def _refuse_negative(sigma: Floats) -> None:
    if bool(np.any(sigma < 0.0)):
        raise ModelError("a standard deviation must not be negative")


def shadow_margin_db(sigma_db: ArrayLike, edge_probability: ArrayLike) -> Floats:
    """Margin over the threshold that gives ``edge_probability`` at the edge of the cell, ``sigma Phi^-1(p)``, dB.

    Parameters
    ----------
    sigma_db : array_like
        Standard deviation of the fading, dB.
    edge_probability : array_like
        More than 0 and less than 1.

    Raises
    ------
    ModelError
        For a negative standard deviation or a probability that is not between 0 and 1.

    Examples
    --------
    >>> shadow_margin_db(8.0, [0.5, 0.75, 0.95]).round(2).tolist()
    [0.0, 5.4, 13.16]
    """
    sigma, edge = floats(sigma_db, edge_probability)
    _refuse_negative(sigma)
    if bool(np.any((edge <= 0.0) | (edge >= 1.0))):
        raise ModelError("a probability at the edge must lie between 0 and 1")
    return np.asarray(sigma * ndtri(edge))


def area_probability(margin_db: ArrayLike, sigma_db: ArrayLike, exponent: ArrayLike) -> Floats:
    """Mean probability of coverage over a round cell whose edge has a margin: the formula of Jakes.

    ``F = 0.5 [1 - erf a + exp((1 - 2ab) / b^2) (1 - erf((1 - ab) / b))]`` with ``a = -M / (sigma sqrt 2)`` and
    ``b = 10 n log10(e) / (sigma sqrt 2)``.

    Parameters
    ----------
    margin_db : array_like
        Margin M at the edge, dB (:func:`shadow_margin_db`).
    sigma_db : array_like
        Standard deviation of the fading, more than 0 dB.
    exponent : array_like
        Path-loss exponent n (39.08 dB per decade: 3.908).

    Returns
    -------
    ndarray of float64
        Share of the cell, 0..1; NaN for NaN.

    Raises
    ------
    ModelError
        For a standard deviation or an exponent of 0 or less.

    Notes
    -----
    W. C. Jakes, Microwave Mobile Communications (1974), chapter 2.

    Examples
    --------
    >>> float(area_probability(shadow_margin_db(8.0, 0.75), 8.0, 3.908).round(4))
    0.9059
    """
    margin, sigma, n = floats(margin_db, sigma_db, exponent)
    if bool(np.any(sigma <= 0.0)) or bool(np.any(n <= 0.0)):
        raise ModelError("the area probability needs a standard deviation and an exponent of more than 0")
    a = -margin / (sigma * np.sqrt(2.0))
    b = 10.0 * n * np.log10(np.e) / (sigma * np.sqrt(2.0))
    return np.asarray(0.5 * (1.0 - erf(a) + np.exp((1.0 - 2.0 * a * b) / b**2) * (1.0 - erf((1.0 - a * b) / b))))


def overlap_share(centre_mhz: ArrayLike, bandwidth_mhz: ArrayLike, other_centre_mhz: ArrayLike,
                  other_bandwidth_mhz: ArrayLike) -> Floats:
    """Share of a carrier that another one overlaps, 0..1: what part of its resource elements the other disturbs.

    Parameters
    ----------
    centre_mhz, bandwidth_mhz : array_like
        The carrier that is disturbed; its bandwidth is more than 0 MHz.
    other_centre_mhz, other_bandwidth_mhz : array_like
        The carrier that disturbs.

    Returns
    -------
    ndarray of float64
        0..1; NaN where an argument is NaN.

    Raises
    ------
    ModelError
        For a bandwidth of 0 or less.

    Examples
    --------
    >>> overlap_share(3450.0, 100.0, [3450.0, 3500.0, 3550.0], 100.0).tolist()
    [1.0, 0.5, 0.0]
    """
    centre, width, other, other_width = floats(centre_mhz, bandwidth_mhz, other_centre_mhz, other_bandwidth_mhz)
    if bool(np.any(width <= 0.0)) or bool(np.any(other_width <= 0.0)):
        raise ModelError("a bandwidth must be more than 0")
    low = np.maximum(centre - 0.5 * width, other - 0.5 * other_width)
    high = np.minimum(centre + 0.5 * width, other + 0.5 * other_width)
    return np.asarray(np.maximum(high - low, 0.0) / width)


def subcarrier_scale(scs_khz: ArrayLike, other_scs_khz: ArrayLike) -> Floats:
    """Factor from the other carrier's power per resource element to what falls into one of ours: SCS over its SCS.

    The power per hertz of the other carrier is its EPRE over its subcarrier spacing; a resource element of ours is
    as wide as our spacing.

    Parameters
    ----------
    scs_khz, other_scs_khz : array_like
        Subcarrier spacings of the carrier that is disturbed and of the one that disturbs, kHz.

    Examples
    --------
    >>> subcarrier_scale(30.0, [15.0, 30.0]).tolist()
    [2.0, 1.0]
    """
    ours, theirs = floats(scs_khz, other_scs_khz)
    return np.asarray(ours / theirs)
