"""Diffraction over the round Earth and delta-Bullington, ITU-R P.526 and P.1812, over land."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from siteplan.constants import LIGHT_METRES_GHZ
from siteplan.radio._arrays import Floats, floats, known_word, within
from siteplan.radio._diffraction import EARTH_RADIUS_KM, Profile, edge_loss_db, equivalent_nu, read_profile

LAND_PERMITTIVITY, LAND_CONDUCTIVITY_S_M = 22.0, 0.003
"""Relative permittivity and conductivity of land (ITU-R P.1812)."""

LOWEST_ANTENNA_M = 0.01
"""Antennas lower than this above the smooth Earth count as this high, m."""

SHORTEST_KM = 0.001
"""Shorter paths count as this long, km."""


def _admittance(freq: Floats, radius_km: Floats, polarisation: str) -> Floats:
    """Normalised factor K of the surface admittance."""
    conducting = (18.0 * LAND_CONDUCTIVITY_S_M / freq) ** 2
    k = 0.036 * (radius_km * freq) ** (-1.0 / 3.0) * ((LAND_PERMITTIVITY - 1.0) ** 2 + conducting) ** -0.25
    if known_word(polarisation, ("horizontal", "vertical"), "polarisation") == "vertical":
        k = k * np.sqrt(LAND_PERMITTIVITY**2 + conducting)
    return np.asarray(k)


def _height_gain_db(scaled: Floats, k: Floats) -> Floats:
    """Height gain G of an antenna of scaled height ``beta Y``, dB."""
    above = np.maximum(scaled, 2.0) - 1.1
    high = 17.6 * np.sqrt(above) - 5.0 * np.log10(above) - 8.0
    low = 20.0 * np.log10(scaled + 0.1 * scaled**3)
    return np.maximum(np.where(scaled > 2.0, high, low), 2.0 + 20.0 * np.log10(k))


def _first_term_db(d: Floats, heights: tuple[Floats, Floats], freq: Floats, radius_km: Floats,
                   polarisation: str) -> Floats:
    """First term of the residue series: loss of a path beyond the horizon, dB."""
    k = _admittance(freq, radius_km, polarisation)
    beta = (1.0 + 1.6 * k**2 + 0.67 * k**4) / (1.0 + 4.5 * k**2 + 1.53 * k**4)
    x = 21.88 * beta * (freq / radius_km**2) ** (1.0 / 3.0) * d
    far = 11.0 + 10.0 * np.log10(x) - 17.6 * x
    near = -20.0 * np.log10(x) - 5.6488 * x**1.425
    scale = beta * 0.9575 * (freq**2 / radius_km) ** (1.0 / 3.0)
    gains = _height_gain_db(scale * heights[0], k) + _height_gain_db(scale * heights[1], k)
    return -np.where(x >= 1.6, far, near) - gains


def _clearance(d: Floats, heights: tuple[Floats, Floats], freq: Floats, radius_km: Floats) -> tuple[Floats, Floats]:
    """Smallest clearance of the path over the bulge, and the clearance that loses nothing, m."""
    tx, rx = heights
    c = (tx - rx) / (tx + rx)
    m = 250.0 * d**2 / (radius_km * (tx + rx))
    turn = np.clip(1.5 * c * np.sqrt(3.0 * m / (m + 1.0) ** 3), -1.0, 1.0)
    b = 2.0 * np.sqrt((m + 1.0) / (3.0 * m)) * np.cos(np.pi / 3.0 + np.arccos(turn) / 3.0)
    d_1 = 0.5 * d * (1.0 + b)
    d_2 = d - d_1
    smallest = ((tx - 500.0 * d_1**2 / radius_km) * d_2 + (rx - 500.0 * d_2**2 / radius_km) * d_1) / d
    enough = 17.456 * np.sqrt(np.maximum(d_1 * d_2, 0.0) * LIGHT_METRES_GHZ / freq / d)
    return np.asarray(smallest), np.asarray(enough)


def spherical_earth_loss_db(d_km: ArrayLike, h_tx_m: ArrayLike, h_rx_m: ArrayLike, freq_ghz: ArrayLike,
                            earth_radius_km: float = EARTH_RADIUS_KM, polarisation: str = "horizontal") -> Floats:
    """Diffraction loss over a smooth round Earth of land, ITU-R P.526 section 3.2 and P.1812 section 4.3.2, dB.

    Parameters
    ----------
    d_km : array_like
        Length of the path, more than 0 km; less than 1 m counts as 1 m.
    h_tx_m, h_rx_m : array_like
        Antennas above the smooth Earth, m; less than 1 cm counts as 1 cm.
    freq_ghz : array_like
        Frequency, GHz.
    earth_radius_km : float
        Effective Earth radius, km.
    polarisation : str
        ``horizontal`` or ``vertical``; the two differ little above 0.3 GHz.

    Returns
    -------
    ndarray of float64
        Loss beyond free space, dB, 0 at least; NaN where an argument is NaN.

    Raises
    ------
    ModelError
        For an unknown polarisation, a length or frequency of 0 or less.

    Examples
    --------
    >>> spherical_earth_loss_db([5.0, 60.0], 30.0, 1.5, 0.7).round(1).tolist()
    [11.5, 57.0]
    """
    tiny = float(np.finfo(np.float64).tiny)
    d, freq = within(d_km, tiny, np.inf, "the length in km"), within(freq_ghz, tiny, np.inf, "the frequency in GHz")
    tx, rx = (np.maximum(height, LOWEST_ANTENNA_M) for height in floats(h_tx_m, h_rx_m))
    d, freq, tx, rx, radius = np.broadcast_arrays(np.maximum(d, SHORTEST_KM), freq, tx, rx, float(earth_radius_km))
    beyond = _first_term_db(d, (tx, rx), freq, radius, polarisation)
    horizon = np.sqrt(2.0 * radius) * (np.sqrt(0.001 * tx) + np.sqrt(0.001 * rx))
    smallest, enough = _clearance(d, (tx, rx), freq, radius)
    just_seen = 500.0 * (d / (np.sqrt(tx) + np.sqrt(rx))) ** 2
    marginal = _first_term_db(d, (tx, rx), freq, just_seen, polarisation)
    within_sight = np.where(smallest > enough, 0.0, (1.0 - smallest / enough) * np.maximum(marginal, 0.0))
    loss = np.where(d >= horizon, beyond, within_sight)
    return np.where(np.isnan(d + freq + tx + rx + radius), np.nan, np.maximum(loss, 0.0))


def _smooth_heights(profile: Profile) -> tuple[float, float]:
    """Heights of the smooth surface at both ends, for diffraction (P.1812 annex 1, section 5.6.2), m above sea."""
    d, h, total, (tx, rx) = profile.d_km, profile.ground_m, profile.total_km, profile.ends_m
    step, low, high, before, after = np.diff(d), d[:-1], d[1:], h[:-1], h[1:]
    v_1 = float(np.sum(step * (after + before)))
    v_2 = float(np.sum(step * (after * (2.0 * high + low) + before * (high + 2.0 * low))))
    first, last = (2.0 * v_1 * total - v_2) / total**2, (v_2 - v_1 * total) / total**2
    inner = d[1:-1]
    over = h[1:-1] - (tx * (total - inner) + rx * inner) / total
    highest = float(np.max(over, initial=0.0))
    if highest > 0.0:
        to_tx, to_rx = float(np.max(over / inner)), float(np.max(over / (total - inner)))
        first -= highest * to_tx / (to_tx + to_rx)
        last -= highest * to_rx / (to_tx + to_rx)
    return min(first, float(h[0])), min(last, float(h[-1]))


def delta_bullington_loss_db(d_km: ArrayLike, h_amsl_m: ArrayLike, ends_amsl_m: tuple[float, float], freq_ghz: float,
                             earth_radius_km: float = EARTH_RADIUS_KM, polarisation: str = "horizontal") -> float:
    """Diffraction loss of a profile by delta-Bullington, ITU-R P.526 section 4.5 and P.1812 section 4.3.4, over land.

    ``L = L_B + max(L_sph - L_Bs, 0)``: Bullington on the profile, and what the round Earth loses more than Bullington
    on a smooth one, both with the antennas above the smooth surface that is fitted to the profile.

    Parameters
    ----------
    d_km, h_amsl_m : array_like, shape (points,)
        Profile as in :func:`bullington_loss_db`.
    ends_amsl_m : (float, float)
        Transmitter and receiver above sea level, m.
    freq_ghz : float
        Frequency, GHz.
    earth_radius_km : float
        Effective Earth radius, km.
    polarisation : str
        ``horizontal`` or ``vertical``.

    Returns
    -------
    float
        Loss beyond free space, dB; NaN when any number is NaN.

    Raises
    ------
    ModelError
        As in :func:`bullington_loss_db`; for an unknown polarisation too.

    Examples
    --------
    >>> ground = [300, 310, 420, 360, 430, 330, 310]
    >>> round(delta_bullington_loss_db([0, 0.5, 1, 1.5, 2, 2.5, 3], ground, (335.0, 311.5), 2.6), 2)
    50.22
    """
    profile = read_profile(d_km, h_amsl_m, ends_amsl_m, earth_radius_km)
    if profile is None or np.isnan(freq_ghz):
        return float("nan")
    total, root = profile.total_km, float(np.sqrt(freq_ghz))
    first, last = _smooth_heights(profile)
    heights = profile.ends_m[0] - first, profile.ends_m[1] - last
    smooth = Profile(profile.d_km, np.zeros_like(profile.d_km), profile.top_m - profile.ground_m, heights)
    rough_db, smooth_db = (float(edge_loss_db(equivalent_nu(part) * root, total)) for part in (profile, smooth))
    round_db = float(spherical_earth_loss_db(total, *heights, freq_ghz, earth_radius_km, polarisation))
    return rough_db + max(round_db - smooth_db, 0.0)
