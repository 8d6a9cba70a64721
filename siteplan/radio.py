"""Radio physics: path loss, line-of-sight probability, antenna patterns, diffraction. Arrays in, arrays out.

Every function broadcasts its arguments as NumPy does and returns float64. Losses are positive dB. Outside the
validity of a model the number of its formula is returned all the same: planning needs heights other than 25 m.
NaN in any argument (a flag of sight too) gives NaN, never "no loss".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siteplan.constants import LIGHT_METRES_GHZ, SPEED_OF_LIGHT_38901_M_S
from siteplan.errors import ModelError

Floats = NDArray[np.float64]
PathLoss = Callable[[ArrayLike, ArrayLike, ArrayLike, ArrayLike, ArrayLike], Floats]

NEAREST_M = 10.0
"""TR 38.901 begins at 10 m: shorter horizontal distances count as 10 m."""

RMA_BUILDING_M, RMA_STREET_M = 5.0, 20.0
"""Default building height and street width of RMa (TR 38.901 table 7.4.1-1)."""

_SIGMA_DB: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {"uma": (4.0, 4.0, 6.0), "umi": (4.0, 4.0, 7.82), "rma": (4.0, 6.0, 8.0)}
)  # line of sight before and beyond the breakpoint, no line of sight


def _floats(*values: ArrayLike) -> tuple[Floats, ...]:
    return tuple(np.asarray(value, dtype=np.float64) for value in values)


def _by_sight(los: ArrayLike, clear: Floats, blocked: Floats) -> Floats:
    """``clear`` where ``los`` is true, ``blocked`` where it is false, NaN where it is NaN."""
    flag = np.asarray(los, np.float64)
    return np.where(np.isnan(flag), np.nan, np.where(flag != 0.0, clear, blocked))


def _distances(d_2d_m: Floats, h_bs_m: Floats, h_ut_m: Floats) -> tuple[Floats, Floats]:
    """Horizontal distance (10 m at least) and slope distance, m."""
    d_2d = np.maximum(d_2d_m, NEAREST_M)
    return d_2d, np.hypot(d_2d, h_bs_m - h_ut_m)


def breakpoint_m(model: str, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike) -> Floats:
    """Breakpoint distance of TR 38.901 table 7.4.1-1 (hE = 1 m for uma and umi; c = 3.0e8 m/s), m.

    Parameters
    ----------
    model : str
        ``uma``, ``umi`` or ``rma``.
    freq_ghz, h_bs_m, h_ut_m : array_like
        Frequency in GHz; heights above ground in m.

    Returns
    -------
    ndarray of float64
        To be compared with the horizontal distance.

    Examples
    --------
    >>> float(breakpoint_m("uma", 3.5, 25.0, 1.5))
    560.0
    """
    freq, h_bs, h_ut = _floats(freq_ghz, h_bs_m, h_ut_m)
    per_metre = freq * 1e9 / SPEED_OF_LIGHT_38901_M_S
    if _known(model) == "rma":
        return 2.0 * np.pi * h_bs * h_ut * per_metre
    return 4.0 * np.maximum(h_bs - 1.0, 0.0) * np.maximum(h_ut - 1.0, 0.0) * per_metre


def _dual_slope(model: str, constant: float, slope: float, step: float, parts: tuple[Floats, ...]) -> Floats:
    """LOS loss of uma and umi: one slope before the breakpoint, 40 dB per decade beyond."""
    d_2d, d_3d, freq, h_bs, h_ut = parts
    d_bp = breakpoint_m(model, freq, h_bs, h_ut)
    decades = np.log10(d_3d)
    near = constant + slope * decades
    with np.errstate(divide="ignore"):
        far = constant + 40.0 * decades - step * np.log10(d_bp**2 + (h_bs - h_ut) ** 2)
    return np.asarray(np.where(d_2d <= d_bp, near, far) + 20.0 * np.log10(freq))


def _uma_db(d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike, los: ArrayLike) -> Floats:
    """Urban macro, TR 38.901 table 7.4.1-1, dB."""
    d_2d, freq, h_bs, h_ut = _floats(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    d_2d, d_3d = _distances(d_2d, h_bs, h_ut)
    clear = _dual_slope("uma", 28.0, 22.0, 9.0, (d_2d, d_3d, freq, h_bs, h_ut))
    blocked = 13.54 + 39.08 * np.log10(d_3d) + 20.0 * np.log10(freq) - 0.6 * (h_ut - 1.5)
    return _by_sight(los, clear, np.maximum(clear, blocked))


def _umi_db(d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike, los: ArrayLike) -> Floats:
    """Urban micro street canyon, TR 38.901 table 7.4.1-1, dB."""
    d_2d, freq, h_bs, h_ut = _floats(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    d_2d, d_3d = _distances(d_2d, h_bs, h_ut)
    clear = _dual_slope("umi", 32.4, 21.0, 9.5, (d_2d, d_3d, freq, h_bs, h_ut))
    blocked = 22.4 + 35.3 * np.log10(d_3d) + 21.3 * np.log10(freq) - 0.3 * (h_ut - 1.5)
    return _by_sight(los, clear, np.maximum(clear, blocked))


def _rma_near_db(d_3d: Floats, freq: Floats) -> Floats:
    """PL1 of RMa before the breakpoint, dB."""
    h = RMA_BUILDING_M
    decades = np.log10(d_3d)
    return np.asarray(
        20.0 * (np.log10(40.0 * np.pi / 3.0) + decades + np.log10(freq))
        + min(0.03 * h**1.72, 10.0) * decades - min(0.044 * h**1.72, 14.77) + 0.002 * np.log10(h) * d_3d
    )


def _rma_db(d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike, los: ArrayLike) -> Floats:
    """Rural macro with 5 m buildings and 20 m streets, TR 38.901 table 7.4.1-1, dB."""
    d_2d, freq, h_bs, h_ut = _floats(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    d_2d, d_3d = _distances(d_2d, h_bs, h_ut)
    d_bp = np.maximum(breakpoint_m("rma", freq, h_bs, h_ut), NEAREST_M)
    beyond = np.maximum(d_2d, d_bp) > d_bp
    near = _rma_near_db(np.where(beyond, d_bp, d_3d), freq)
    clear = near + np.where(beyond, 40.0 * np.log10(d_3d / d_bp), 0.0)
    h, log_h_bs = RMA_BUILDING_M, np.log10(h_bs)
    blocked = (
        161.04 - 7.1 * np.log10(RMA_STREET_M) + 7.5 * np.log10(h) - (24.37 - 3.7 * (h / h_bs) ** 2) * log_h_bs
        + (43.42 - 3.1 * log_h_bs) * (np.log10(d_3d) - 3.0) + 20.0 * np.log10(freq)
        - (3.2 * np.log10(11.75 * h_ut) ** 2 - 4.97)
    )
    return _by_sight(los, clear, np.maximum(clear, blocked))


MODELS: Mapping[str, PathLoss] = MappingProxyType({"uma": _uma_db, "umi": _umi_db, "rma": _rma_db})
"""Path-loss models by name; each is ``f(d_2d_m, freq_ghz, h_bs_m, h_ut_m, los) -> dB``."""


def _known(model: str) -> str:
    if model not in MODELS:
        raise ModelError(f"unknown path-loss model {model!r}; known models: {', '.join(sorted(MODELS))}")
    return model


def path_loss_db(model: str, d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
                 los: ArrayLike) -> Floats:
    """Median path loss of 3GPP TR 38.901, table 7.4.1-1.

    Parameters
    ----------
    model : str
        ``uma`` (urban macro), ``umi`` (street canyon) or ``rma`` (rural macro).
    d_2d_m : array_like
        Horizontal distance, m. Below 10 m, where the text begins, the loss of 10 m is returned.
    freq_ghz : array_like
        Frequency, GHz.
    h_bs_m, h_ut_m : array_like
        Heights of base station and terminal above ground, m. hE = 1 m always (a deterministic choice; from
        13 m up the text draws it at random).
    los : array_like of bool
        True where the terminal sees the antenna.

    Returns
    -------
    ndarray of float64
        Loss, dB, of the broadcast shape; NaN where an argument is NaN. Outside the validity of the table the
        formula's number is returned.

    Raises
    ------
    ModelError
        For an unknown model.

    Notes
    -----
    c = 3.0e8 m/s in the breakpoint, as the notes of the table have it.

    Examples
    --------
    >>> path_loss_db("uma", [250.0, 500.0], 3.5, 25.0, 1.5, [True, False]).round(2).tolist()
    [91.68, 129.92]
    """
    return MODELS[_known(model)](d_2d_m, freq_ghz, h_bs_m, h_ut_m, los)


def los_probability(model: str, d_2d_m: ArrayLike, h_ut_m: ArrayLike) -> Floats:
    """Probability of line of sight, TR 38.901 table 7.4.2-1 (outdoor terminals).

    Parameters
    ----------
    model : str
        ``uma``, ``umi`` or ``rma``.
    d_2d_m : array_like
        Horizontal distance, m.
    h_ut_m : array_like
        Height of the terminal, m; matters to ``uma`` above 13 m only.

    Returns
    -------
    ndarray of float64
        0..1; NaN where an argument is NaN, also one that the model does not use.

    Examples
    --------
    >>> float(los_probability("uma", 100.0, 1.5).round(4))
    0.3477
    """
    d, h_ut = np.broadcast_arrays(*_floats(d_2d_m, h_ut_m))
    gap = np.isnan(d) | np.isnan(h_ut)
    if _known(model) == "rma":
        return np.where(gap, np.nan, np.exp(-np.maximum(d - 10.0, 0.0) / 1000.0))
    near = np.maximum(d, 18.0)
    fall = 63.0 if model == "uma" else 36.0
    share = 18.0 / near + np.exp(-near / fall) * (1.0 - 18.0 / near)
    if model == "uma":
        lift = (np.maximum(h_ut - 13.0, 0.0) / 10.0) ** 1.5
        share = share * (1.0 + lift * 1.25 * (near / 100.0) ** 3 * np.exp(-near / 150.0))
    return np.where(gap, np.nan, np.where(d <= 18.0, 1.0, np.minimum(share, 1.0)))


def shadow_sigma_db(model: str, los: ArrayLike, beyond_breakpoint: ArrayLike = False) -> Floats:
    """Standard deviation of shadow fading, TR 38.901 table 7.4.1-1, dB; NaN where a flag is NaN.

    Parameters
    ----------
    model : str
        ``uma``, ``umi`` or ``rma``.
    los : array_like of bool
    beyond_breakpoint : array_like of bool
        True beyond the breakpoint distance; matters to ``rma`` with line of sight only.

    Examples
    --------
    >>> float(shadow_sigma_db("uma", True)), float(shadow_sigma_db("umi", False))
    (4.0, 7.82)
    """
    near, far, blocked = _SIGMA_DB[_known(model)]
    beyond = np.asarray(beyond_breakpoint, np.float64)
    clear = _by_sight(beyond, np.asarray(far), np.asarray(near))
    return _by_sight(los, clear, np.where(np.isnan(beyond), np.nan, blocked))


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
    phi, theta, depth = _floats(azimuth_off_deg, vertical_off_deg, depth_db)
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


def free_space_loss_db(d_m: ArrayLike, freq_ghz: ArrayLike) -> Floats:
    """Free-space loss ``32.45 + 20 log10(f GHz) + 20 log10(d m)`` (ITU-R P.525), dB; d is 1 m at least, NaN gives NaN.

    Examples
    --------
    >>> float(free_space_loss_db(1000.0, 2.6).round(2))
    100.75
    """
    d, freq = _floats(d_m, freq_ghz)
    return np.asarray(32.45 + 20.0 * np.log10(freq) + 20.0 * np.log10(np.maximum(d, 1.0)))


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


def bullington_loss_db(d_km: ArrayLike, h_amsl_m: ArrayLike, h_tx_amsl_m: float, h_rx_amsl_m: float,
                       freq_ghz: float, earth_radius_km: float = 8500.0) -> float:
    """Diffraction loss of a terrain profile by Bullington's construction (ITU-R P.526, P.1812), dB.

    Parameters
    ----------
    d_km : array_like
        Distances of the profile points, rising, first the transmitter and last the receiver, km.
    h_amsl_m : array_like
        Ground above sea level at these points, m (the two ends are not obstacles).
    h_tx_amsl_m, h_rx_amsl_m : float
        Antennas above sea level, m.
    freq_ghz : float
        Frequency, GHz; the wavelength is 0.2998 / f.
    earth_radius_km : float
        Effective Earth radius, km.

    Returns
    -------
    float
        Loss beyond free space, dB; NaN when any number is NaN, a height of the two ends too.

    Raises
    ------
    ModelError
        When the profile is not two equally long sequences of two points or more, or the distances do not rise.

    Examples
    --------
    >>> ground = [300, 310, 420, 360, 430, 330, 310]
    >>> round(bullington_loss_db([0, 0.5, 1, 1.5, 2, 2.5, 3], ground, 335.0, 311.5, 2.6), 4)
    50.2249
    """
    d, h = _floats(d_km, h_amsl_m)
    numbers = (h_tx_amsl_m, h_rx_amsl_m, freq_ghz, earth_radius_km)
    gap = any(bool(np.isnan(part).any()) for part in (d, h, numbers))
    if d.ndim != 1 or d.shape != h.shape or d.size < 2 or not (gap or np.all(np.diff(d) > 0)):
        raise ModelError("a profile needs distances that rise and as many heights (two at least)")
    if gap:
        return float("nan")
    d = d - d[0]
    total, inner = float(d[-1]), d[1:-1]
    if inner.size == 0:
        return 0.0
    top = h[1:-1] + 500.0 * inner * (total - inner) / earth_radius_km
    wavelength = LIGHT_METRES_GHZ / freq_ghz
    slope_tx = float(np.max((top - h_tx_amsl_m) / inner))
    slope_direct = (h_rx_amsl_m - h_tx_amsl_m) / total
    if slope_tx <= slope_direct:  # equal: the sight line grazes, nu = 0; the construction would divide 0 by 0
        over = top - (h_tx_amsl_m * (total - inner) + h_rx_amsl_m * inner) / total
        nu = float(np.max(over * np.sqrt(0.002 * total / (wavelength * inner * (total - inner)))))
    else:
        slope_rx = float(np.max((top - h_rx_amsl_m) / (total - inner)))
        edge = (h_rx_amsl_m - h_tx_amsl_m + slope_rx * total) / (slope_tx + slope_rx)
        over_edge = h_tx_amsl_m + slope_tx * edge - (h_tx_amsl_m * (total - edge) + h_rx_amsl_m * edge) / total
        nu = over_edge * float(np.sqrt(0.002 * total / (wavelength * edge * (total - edge))))
    knife = float(knife_edge_loss_db(nu))
    return knife + (1.0 - float(np.exp(-knife / 6.0))) * (10.0 + 0.02 * total)


def epre_dbm(power_w: ArrayLike, resource_blocks: ArrayLike) -> Floats:
    """Energy per resource element: total power spread evenly over 12 subcarriers per resource block, dBm.

    Examples
    --------
    >>> float(epre_dbm(200.0, 273).round(2))
    17.86
    """
    power, blocks = _floats(power_w, resource_blocks)
    return np.asarray(10.0 * np.log10(power * 1000.0) - 10.0 * np.log10(12.0 * blocks))
