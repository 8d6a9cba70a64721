"""Diffraction over profiles, ITU-R P.526: single knife edge, Bullington, Deygout cascade."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from siteplan.constants import EARTH_RADIUS_EFFECTIVE_M, LIGHT_METRES_GHZ
from siteplan.errors import ModelError
from siteplan.radio._arrays import Floats, floats

EARTH_RADIUS_KM = EARTH_RADIUS_EFFECTIVE_M / 1000.0
"""Effective Earth radius, km."""


def knife_edge_loss_db(nu: ArrayLike) -> Floats:
    """Loss of a single knife edge, ITU-R P.526: 0 for nu <= -0.78, NaN for NaN, dB.

    Examples
    --------
    >>> knife_edge_loss_db([-1.0, 0.0, 1.0, float("nan")]).round(3).tolist()
    [0.0, 6.033, 13.926, nan]
    """
    value = np.asarray(nu, np.float64)
    above = np.maximum(value, -0.78) - 0.1
    loss = 6.9 + 20.0 * np.log10(np.sqrt(above**2 + 1.0) + above)
    return np.where(value <= -0.78, 0.0, np.maximum(loss, 0.0))


def knife_edge_nu(loss_db: ArrayLike) -> Floats:
    """Parameter nu that loses ``loss_db`` at a knife edge: the inverse of :func:`knife_edge_loss_db`; -0.78 for 0 dB.

    Examples
    --------
    >>> float(knife_edge_nu(knife_edge_loss_db(2.4)).round(9))
    2.4
    """
    ratio = 10.0 ** ((np.maximum(np.asarray(loss_db, np.float64), 0.0) - 6.9) / 20.0)
    return np.asarray(np.maximum((ratio**2 - 1.0) / (2.0 * ratio) + 0.1, -0.78))


def edge_correction_db(d_km: ArrayLike) -> Floats:
    """Bullington's addition ``c = 10 + 0.02 D`` to a path of D km whose equivalent edge loses much (ITU-R P.526), dB.

    Examples
    --------
    >>> edge_correction_db([0.0, 5.0]).tolist()
    [10.0, 10.1]
    """
    (length,) = floats(d_km)
    return np.asarray(10.0 + 0.02 * length)


def edge_loss_db(nu: ArrayLike, d_km: ArrayLike) -> Floats:
    """Loss of a path whose equivalent edge has ``nu``: ``J + (1 - exp(-J/6)) (10 + 0.02 D)`` (ITU-R P.526), dB.

    J is :func:`knife_edge_loss_db`, the second bracket :func:`edge_correction_db`.

    Parameters
    ----------
    nu : array_like
        Parameter of the equivalent edge at the frequency of the path (that of 1 GHz times ``sqrt(f GHz)``);
        ``-inf`` where there is none.
    d_km : array_like
        Length D of the path, km.

    Returns
    -------
    ndarray of float64
        Loss beyond free space, dB; 0 for nu <= -0.78, NaN where an argument is NaN.

    Examples
    --------
    >>> edge_loss_db([-1.0, 0.0, 2.0], 3.0).round(3).tolist()
    [0.0, 12.412, 28.682]
    """
    knife = knife_edge_loss_db(nu)
    return np.asarray(knife + (1.0 - np.exp(-knife / 6.0)) * edge_correction_db(d_km))


class Profile(NamedTuple):
    """A checked profile: distances from the first point, heights with and without the Earth's bulge, the two ends.

    Attributes
    ----------
    d_km : ndarray of float64, shape (points,)
        Distances from the transmitter, first 0, km.
    ground_m, top_m : ndarray of float64, shape (points,)
        Ground above sea level, and the same lifted by the bulge of the effective Earth (0 at both ends), m.
    ends_m : (float, float)
        Antennas above sea level, m.
    """

    d_km: Floats
    ground_m: Floats
    top_m: Floats
    ends_m: tuple[float, float]

    @property
    def total_km(self) -> float:
        """Length of the path, km."""
        return float(self.d_km[-1])


def read_profile(d_km: ArrayLike, h_amsl_m: ArrayLike, ends_m: tuple[float, float], radius_km: float) -> Profile | None:
    """Check a profile and lift it by the Earth's bulge; None when any number is NaN.

    Raises
    ------
    ModelError
        When the profile is not two equally long sequences of two points or more, or the distances do not rise.
    """
    d, h = floats(d_km, h_amsl_m)
    gap = any(bool(np.isnan(part).any()) for part in (d, h, np.asarray((*ends_m, radius_km))))
    if d.ndim != 1 or d.shape != h.shape or d.size < 2 or not (gap or np.all(np.diff(d) > 0)):
        raise ModelError("a profile needs distances that rise and as many heights (two at least)")
    if gap:
        return None
    d = d - d[0]
    return Profile(d, h, h + 500.0 * d * (d[-1] - d) / radius_km, (float(ends_m[0]), float(ends_m[1])))


def edge_nu(over_m: ArrayLike, d_1_km: ArrayLike, d_2_km: ArrayLike) -> Floats:
    """Parameter nu at 1 GHz of an edge ``over_m`` above the direct line, ``d_1_km`` and ``d_2_km`` from the two ends.

    ``h sqrt(0.002 (d1 + d2) / (lambda d1 d2))`` with lambda = 0.2998 m (ITU-R P.526).

    Examples
    --------
    >>> float((edge_nu(10.0, 0.5, 0.5) * 3.5**0.5).round(3))
    3.056
    """
    over, d_1, d_2 = floats(over_m, d_1_km, d_2_km)
    return np.asarray(over * np.sqrt(0.002 * (d_1 + d_2) / (LIGHT_METRES_GHZ * d_1 * d_2)))


def fresnel_radius_m(d_1_km: ArrayLike, d_2_km: ArrayLike, freq_ghz: ArrayLike) -> Floats:
    """Radius of the first Fresnel zone at a point ``d_1_km`` and ``d_2_km`` from the two ends (ITU-R P.526), m.

    ``sqrt(1000 lambda d1 d2 / (d1 + d2))`` with lambda = 0.2998 m / f; 0 where both ends are one point.

    Examples
    --------
    >>> fresnel_radius_m([0.0, 0.5], [1.0, 0.5], 3.5).round(2).tolist()
    [0.0, 4.63]
    """
    d_1, d_2, freq = floats(d_1_km, d_2_km, freq_ghz)
    apart = np.where(d_1 + d_2 == 0.0, 1.0, d_1 + d_2)
    return np.asarray(np.sqrt(1000.0 * LIGHT_METRES_GHZ / freq * d_1 * d_2 / apart))


def equivalent_nu(profile: Profile) -> float:
    """Parameter nu at 1 GHz of Bullington's equivalent edge of a checked profile; ``-inf`` without inner points."""
    total, (tx, rx) = profile.total_km, profile.ends_m
    inner, top = profile.d_km[1:-1], profile.top_m[1:-1]
    if inner.size == 0:
        return float("-inf")
    slope_tx = float(np.max((top - tx) / inner))
    if slope_tx <= (rx - tx) / total:  # equal: the sight line grazes, nu = 0; the construction would divide 0 by 0
        line = (tx * (total - inner) + rx * inner) / total
        return float(np.max(edge_nu(top - line, inner, total - inner)))
    slope_rx = float(np.max((top - rx) / (total - inner)))
    at = (rx - tx + slope_rx * total) / (slope_tx + slope_rx)
    line_at = (tx * (total - at) + rx * at) / total
    return float(edge_nu(tx + slope_tx * at - line_at, at, total - at))


def bullington_nu(d_km: ArrayLike, h_amsl_m: ArrayLike, h_tx_amsl_m: float, h_rx_amsl_m: float,
                  earth_radius_km: float = EARTH_RADIUS_KM) -> float:
    """Parameter nu at 1 GHz of the edge that Bullington's construction puts in place of a profile (ITU-R P.526).

    Parameters
    ----------
    d_km : array_like, shape (points,)
        Distances of the profile points, rising, first the transmitter and last the receiver, km.
    h_amsl_m : array_like, shape (points,)
        Ground above sea level at these points, m (the two ends are not obstacles).
    h_tx_amsl_m, h_rx_amsl_m : float
        Antennas above sea level, m.
    earth_radius_km : float
        Effective Earth radius, km.

    Returns
    -------
    float
        nu at 1 GHz: times ``sqrt(f GHz)`` it is that of another frequency. ``-inf`` when there is no point between
        the ends; NaN when any number is NaN.

    Raises
    ------
    ModelError
        When the profile is not two equally long sequences of two points or more, or the distances do not rise.

    Examples
    --------
    >>> ground = [300, 310, 420, 360, 430, 330, 310]
    >>> round(bullington_nu([0, 0.5, 1, 1.5, 2, 2.5, 3], ground, 335.0, 311.5) * 2.6**0.5, 4)
    23.148
    """
    profile = read_profile(d_km, h_amsl_m, (h_tx_amsl_m, h_rx_amsl_m), earth_radius_km)
    return float("nan") if profile is None else equivalent_nu(profile)


def bullington_loss_db(d_km: ArrayLike, h_amsl_m: ArrayLike, h_tx_amsl_m: float, h_rx_amsl_m: float,
                       freq_ghz: float, earth_radius_km: float = EARTH_RADIUS_KM) -> float:
    """Diffraction loss of a terrain profile by Bullington's construction (ITU-R P.526, P.1812), dB.

    :func:`edge_loss_db` of :func:`bullington_nu` times ``sqrt(f GHz)``.

    Parameters
    ----------
    d_km, h_amsl_m, h_tx_amsl_m, h_rx_amsl_m, earth_radius_km
        As in :func:`bullington_nu`.
    freq_ghz : float
        Frequency, GHz; the wavelength is 0.2998 / f.

    Returns
    -------
    float
        Loss beyond free space, dB; NaN when any number is NaN, a height of the two ends too.

    Raises
    ------
    ModelError
        As in :func:`bullington_nu`.

    Examples
    --------
    >>> ground = [300, 310, 420, 360, 430, 330, 310]
    >>> round(bullington_loss_db([0, 0.5, 1, 1.5, 2, 2.5, 3], ground, 335.0, 311.5, 2.6), 4)
    50.2249
    """
    profile = read_profile(d_km, h_amsl_m, (h_tx_amsl_m, h_rx_amsl_m), earth_radius_km)
    if profile is None or np.isnan(freq_ghz):
        return float("nan")
    return float(edge_loss_db(equivalent_nu(profile) * float(np.sqrt(freq_ghz)), profile.total_km))


def _main_edge(d_km: Floats, top_m: Floats, ends_m: tuple[float, float]) -> tuple[float, int]:
    """Greatest nu at 1 GHz between the ends of a stretch, and where in the stretch; (-inf, 0) without inner points."""
    inner, (left, right) = d_km[1:-1] - d_km[0], ends_m
    if inner.size == 0:
        return float("-inf"), 0
    total = float(d_km[-1] - d_km[0])
    line = (left * (total - inner) + right * inner) / total
    nu = edge_nu(top_m[1:-1] - line, inner, total - inner)
    at = int(np.argmax(nu))
    return float(nu[at]), at + 1


def deygout_loss_db(d_km: ArrayLike, h_amsl_m: ArrayLike, h_tx_amsl_m: float, h_rx_amsl_m: float,
                    freq_ghz: float, earth_radius_km: float = EARTH_RADIUS_KM) -> float:
    """Diffraction loss of a profile by the three-edge cascade of ITU-R P.526 (10/2009), after Deygout, dB.

    ``L = J(p) + T [J(t) + J(r) + C]`` with the main edge p, the greatest edges t and r on either side of it,
    ``T = 1 - exp(-J(p)/6)`` and ``C = 10 + 0.04 D``.

    Parameters
    ----------
    d_km, h_amsl_m, h_tx_amsl_m, h_rx_amsl_m, freq_ghz, earth_radius_km
        As in :func:`bullington_loss_db`.

    Returns
    -------
    float
        Loss beyond free space, dB; 0 when the main edge has nu <= -0.78, NaN when any number is NaN.

    Raises
    ------
    ModelError
        As in :func:`bullington_loss_db`.

    Notes
    -----
    An option, not the default: over two ridges it lies 22 to 29 dB above Bullington, and no table of expected
    values is published for it.

    Examples
    --------
    >>> ground = [300, 310, 420, 360, 430, 330, 310]
    >>> round(deygout_loss_db([0, 0.5, 1, 1.5, 2, 2.5, 3], ground, 335.0, 311.5, 2.6), 2)
    77.71
    """
    profile = read_profile(d_km, h_amsl_m, (h_tx_amsl_m, h_rx_amsl_m), earth_radius_km)
    if profile is None or np.isnan(freq_ghz):
        return float("nan")
    d, top, (tx, rx) = profile.d_km, profile.top_m, profile.ends_m
    root = float(np.sqrt(freq_ghz))
    nu, at = _main_edge(d, top, profile.ends_m)
    main = float(knife_edge_loss_db(nu * root))
    if main == 0.0:
        return 0.0
    peak = float(top[at])
    left, _ = _main_edge(d[:at + 1], top[:at + 1], (tx, peak))
    right, _ = _main_edge(d[at:], top[at:], (peak, rx))
    sides = float(knife_edge_loss_db(left * root)) + float(knife_edge_loss_db(right * root))
    return main + (1.0 - float(np.exp(-main / 6.0))) * (sides + 10.0 + 0.04 * profile.total_km)
