"""Path loss by model: 3GPP TR 38.901 table 7.4.1-1, COST 231-Hata, free space alone and with the clutter of P.2108."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from siteplan.constants import SPEED_OF_LIGHT_38901_M_S
from siteplan.radio._arrays import NEAREST_M, Floats, by_sight, floats, known_word
from siteplan.radio._clutter import add_clutter_db, statistical_clutter_db
from siteplan.radio._empirical import cost231_hata_db

PathLoss = Callable[[ArrayLike, ArrayLike, ArrayLike, ArrayLike, ArrayLike], Floats]

RMA_BUILDING_M, RMA_STREET_M = 5.0, 20.0
"""Default building height and street width of RMa (TR 38.901 table 7.4.1-1)."""

INDOOR_NEAREST_M = 1.0
"""InH begins at a slope distance of 1 m: shorter ones count as 1 m."""

_OPTIONAL_NLOS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"uma": (30.0, 7.8), "umi": (31.9, 8.2), "inh": (31.9, 8.29)}
)  # dB per decade of slope distance, standard deviation in dB


def _distances(d_2d_m: Floats, h_bs_m: Floats, h_ut_m: Floats) -> tuple[Floats, Floats]:
    """Horizontal distance (10 m at least) and slope distance, m."""
    d_2d = np.maximum(d_2d_m, NEAREST_M)
    return d_2d, np.hypot(d_2d, h_bs_m - h_ut_m)


def _indoor_distance(d_2d_m: Floats, h_bs_m: Floats, h_ut_m: Floats) -> Floats:
    """Slope distance of InH, m."""
    return np.asarray(np.maximum(np.hypot(d_2d_m, h_bs_m - h_ut_m), INDOOR_NEAREST_M))


def breakpoint_m(model: str, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike) -> Floats:
    """Breakpoint distance of TR 38.901 table 7.4.1-1 (hE = 1 m for uma and umi; c = 3.0e8 m/s), m.

    Parameters
    ----------
    model : str
        ``uma``, ``umi``, ``rma``; the other models of :func:`path_loss_db` have none: ``inf``.
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
    freq, h_bs, h_ut = floats(freq_ghz, h_bs_m, h_ut_m)
    per_metre = freq * 1e9 / SPEED_OF_LIGHT_38901_M_S
    if known_model(model) not in ("uma", "umi", "rma"):
        return np.where(np.isnan(freq + h_bs + h_ut), np.nan, np.inf)
    if model == "rma":
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
    d_2d, freq, h_bs, h_ut = floats(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    d_2d, d_3d = _distances(d_2d, h_bs, h_ut)
    clear = _dual_slope("uma", 28.0, 22.0, 9.0, (d_2d, d_3d, freq, h_bs, h_ut))
    blocked = 13.54 + 39.08 * np.log10(d_3d) + 20.0 * np.log10(freq) - 0.6 * (h_ut - 1.5)
    return by_sight(los, clear, np.maximum(clear, blocked))


def _umi_db(d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike, los: ArrayLike) -> Floats:
    """Urban micro street canyon, TR 38.901 table 7.4.1-1, dB."""
    d_2d, freq, h_bs, h_ut = floats(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    d_2d, d_3d = _distances(d_2d, h_bs, h_ut)
    clear = _dual_slope("umi", 32.4, 21.0, 9.5, (d_2d, d_3d, freq, h_bs, h_ut))
    blocked = 22.4 + 35.3 * np.log10(d_3d) + 21.3 * np.log10(freq) - 0.3 * (h_ut - 1.5)
    return by_sight(los, clear, np.maximum(clear, blocked))


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
    d_2d, freq, h_bs, h_ut = floats(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
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
    return by_sight(los, clear, np.maximum(clear, blocked))


def _inh_db(d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike, los: ArrayLike) -> Floats:
    """Indoor office, TR 38.901 table 7.4.1-1, dB."""
    d_2d, freq, h_bs, h_ut = floats(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    decades = np.log10(_indoor_distance(d_2d, h_bs, h_ut))
    clear = 32.4 + 17.3 * decades + 20.0 * np.log10(freq)
    blocked = 17.3 + 38.3 * decades + 24.9 * np.log10(freq)
    return by_sight(los, clear, np.maximum(clear, blocked))


def _free_space_db(d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
                   los: ArrayLike) -> Floats:
    """Free space over the slope distance, with sight and without, dB."""
    d_2d, freq, h_bs, h_ut = floats(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    free = free_space_loss_db(_distances(d_2d, h_bs, h_ut)[1], freq)
    return by_sight(los, free, free)


def _p2108_db(d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike, los: ArrayLike) -> Floats:
    """Free space; without sight the clutter of ITU-R P.2108-1 section 3.2 at half of all places is added, dB."""
    free = _free_space_db(d_2d_m, freq_ghz, h_bs_m, h_ut_m, los)
    clutter = statistical_clutter_db(freq_ghz, slope_distance_m(d_2d_m, h_bs_m, h_ut_m) / 1000.0)
    return add_clutter_db("free_space", free, clutter, los)


def _cost231_db(d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
                los: ArrayLike) -> Floats:
    """COST 231-Hata of a medium city, with sight and without; never below free space, dB."""
    free = _free_space_db(d_2d_m, freq_ghz, h_bs_m, h_ut_m, los)
    return np.asarray(np.maximum(cost231_hata_db(d_2d_m, freq_ghz, h_bs_m, h_ut_m), free))


MODELS: Mapping[str, PathLoss] = MappingProxyType({
    "uma": _uma_db, "umi": _umi_db, "rma": _rma_db, "inh": _inh_db, "cost231": _cost231_db, "p2108": _p2108_db,
    "free_space": _free_space_db,
})
"""Path-loss models by name; each is ``f(d_2d_m, freq_ghz, h_bs_m, h_ut_m, los) -> dB``."""


def slope_distance_m(d_2d_m: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike) -> Floats:
    """Distance from antenna to terminal as the outdoor models take it: over 10 m of ground at least, m.

    Examples
    --------
    >>> slope_distance_m([3.0, 30.0], 41.5, 1.5).round(2).tolist()
    [41.23, 50.0]
    """
    return _distances(*floats(d_2d_m, h_bs_m, h_ut_m))[1]


def known_model(model: str) -> str:
    """Return the name, or raise a ModelError that lists the path-loss models."""
    return known_word(model, MODELS, "path-loss model")


def path_loss_db(model: str, d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
                 los: ArrayLike) -> Floats:
    """Median path loss of a model.

    Parameters
    ----------
    model : str
        Of 3GPP TR 38.901, table 7.4.1-1: ``uma`` (urban macro), ``umi`` (street canyon), ``rma`` (rural macro) or
        ``inh`` (indoor office). Besides: ``cost231`` (:func:`cost231_hata_db` of a medium city, never below free
        space; the same with sight and without, for it was fitted to both), ``free_space`` (the same with and without)
        and ``p2108`` (free space; without sight :func:`statistical_clutter_db` at half of all places is added).
    d_2d_m : array_like
        Horizontal distance, m. Below 10 m, where the text begins, the loss of 10 m is returned (``inh``: below a
        slope distance of 1 m that of 1 m).
    freq_ghz : array_like
        Frequency, GHz.
    h_bs_m, h_ut_m : array_like
        Heights of base station and terminal above ground (``inh``: above the floor), m. hE = 1 m always (a
        deterministic choice; from 13 m up the text draws it at random, and :func:`validity` says so).
    los : array_like of bool
        True where the terminal sees the antenna.

    Returns
    -------
    ndarray of float64
        Loss, dB, of the broadcast shape; NaN where an argument is NaN. Outside the validity of the model the
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
    return MODELS[known_model(model)](d_2d_m, freq_ghz, h_bs_m, h_ut_m, los)


def optional_nlos_db(model: str, d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike,
                     h_ut_m: ArrayLike) -> Floats:
    """Optional loss without line of sight, TR 38.901 table 7.4.1-1: ``32.4 + 20 log10(f) + n log10(d_3D)``, dB.

    Parameters
    ----------
    model : str
        ``uma`` (n = 30), ``umi`` or ``inh`` (n = 31.9); the table has no such form for ``rma``.
    d_2d_m, freq_ghz, h_bs_m, h_ut_m : array_like
        As in :func:`path_loss_db`; the heights matter through the slope distance only.

    Returns
    -------
    ndarray of float64
        Loss, dB; its standard deviation is :func:`optional_nlos_sigma_db`.

    Raises
    ------
    ModelError
        For a model without this form.

    Examples
    --------
    >>> float(optional_nlos_db("uma", 500.0, 3.5, 25.0, 1.5).round(2))
    124.26
    """
    slope, _ = _OPTIONAL_NLOS[known_word(model, _OPTIONAL_NLOS, "model with an optional form")]
    d_2d, freq, h_bs, h_ut = floats(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    d_3d = _indoor_distance(d_2d, h_bs, h_ut) if model == "inh" else _distances(d_2d, h_bs, h_ut)[1]
    return np.asarray(32.4 + 20.0 * np.log10(freq) + slope * np.log10(d_3d))


def optional_nlos_sigma_db(model: str) -> float:
    """Standard deviation of shadow fading that belongs to :func:`optional_nlos_db`, dB.

    Examples
    --------
    >>> optional_nlos_sigma_db("umi")
    8.2
    """
    return _OPTIONAL_NLOS[known_word(model, _OPTIONAL_NLOS, "model with an optional form")][1]


def free_space_loss_db(d_m: ArrayLike, freq_ghz: ArrayLike) -> Floats:
    """Free-space loss ``32.45 + 20 log10(f GHz) + 20 log10(d m)`` (ITU-R P.525), dB; d is 1 m at least, NaN gives NaN.

    Examples
    --------
    >>> float(free_space_loss_db(1000.0, 2.6).round(2))
    100.75
    """
    d, freq = floats(d_m, freq_ghz)
    return np.asarray(32.45 + 20.0 * np.log10(freq) + 20.0 * np.log10(np.maximum(d, 1.0)))
