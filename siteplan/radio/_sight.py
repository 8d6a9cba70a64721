"""What sight does to the median loss: LOS probability, shadow fading, and the blend of both states."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from siteplan.radio._arrays import Floats, by_sight, floats, known_word, within
from siteplan.radio._clutter import statistical_clutter_sigma_db
from siteplan.radio._terrestrial import breakpoint_m, known_model, path_loss_db, slope_distance_m

_SIGMA_DB: Mapping[str, tuple[float, float, float]] = MappingProxyType({
    "uma": (4.0, 4.0, 6.0), "umi": (4.0, 4.0, 7.82), "rma": (4.0, 6.0, 8.0), "inh": (3.0, 3.0, 8.03),
    "cost231": (6.0, 6.0, 6.0), "free_space": (4.0, 4.0, 6.0), "p2108": (4.0, 4.0, np.nan),
})  # line of sight before and beyond the breakpoint, no line of sight; NaN: depends on the distance

_CORRELATION_M: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"uma": (37.0, 50.0), "umi": (10.0, 13.0), "rma": (37.0, 120.0), "inh": (10.0, 6.0), "indoor": (7.0, 7.0)}
)  # line of sight, no line of sight


_TABLED = tuple(name for name, sigma in _SIGMA_DB.items() if not np.isnan(sigma).any())


def _office_sight(d: Floats, office: str) -> Floats:
    """LOS probability of InH; the mixed office has more walls than the open one."""
    if known_word(office, ("mixed", "open"), "kind of office") == "mixed":
        near, fall, far, last, share = 1.2, 4.7, d >= 6.5, (d - 6.5) / 32.6, 0.32
    else:
        near, fall, far, last, share = 5.0, 70.8, d > 49.0, (d - 49.0) / 211.7, 0.54
    middle = np.exp(-np.maximum(d - near, 0.0) / fall)
    return np.where(far, share * np.exp(-np.maximum(last, 0.0)), middle)


def los_probability(model: str, d_2d_m: ArrayLike, h_ut_m: ArrayLike, office: str = "mixed") -> Floats:
    """Probability of line of sight, TR 38.901 table 7.4.2-1.

    Parameters
    ----------
    model : str
        ``uma``, ``umi``, ``rma`` (outdoor terminals) or ``inh``; ``cost231``, ``p2108`` and ``free_space``, which state
        none, take that of ``uma``.
    d_2d_m : array_like
        Horizontal distance, m; for terminals in buildings the part outdoors.
    h_ut_m : array_like
        Height of the terminal, m; matters above 13 m only, and to ``umi``, ``rma`` and ``inh`` not at all.
    office : str
        ``mixed`` or ``open``; matters to ``inh`` only.

    Returns
    -------
    ndarray of float64
        0..1; NaN where an argument is NaN, also one that the model does not use.

    Raises
    ------
    ModelError
        For an unknown model or office.

    Examples
    --------
    >>> float(los_probability("uma", 100.0, 1.5).round(4))
    0.3477
    >>> los_probability("inh", [5.0, 50.0], 1.5, office="open").round(4).tolist()
    [1.0, 0.5375]
    """
    d, h_ut = np.broadcast_arrays(*floats(d_2d_m, h_ut_m))
    gap = np.isnan(d) | np.isnan(h_ut)
    if known_model(model) == "rma":
        return np.where(gap, np.nan, np.exp(-np.maximum(d - 10.0, 0.0) / 1000.0))
    if model == "inh":
        return np.where(gap, np.nan, _office_sight(d, office))
    near = np.maximum(d, 18.0)
    fall = 36.0 if model == "umi" else 63.0
    share = 18.0 / near + np.exp(-near / fall) * (1.0 - 18.0 / near)
    if model != "umi":
        lift = (np.maximum(h_ut - 13.0, 0.0) / 10.0) ** 1.5
        share = share * (1.0 + lift * 1.25 * (near / 100.0) ** 3 * np.exp(-near / 150.0))
    return np.where(gap, np.nan, np.where(d <= 18.0, 1.0, np.minimum(share, 1.0)))


def shadow_sigma_db(model: str, los: ArrayLike, beyond_breakpoint: ArrayLike = False) -> Floats:
    """Standard deviation of shadow fading that a table gives, TR 38.901 table 7.4.1-1, dB; NaN where a flag is NaN.

    Parameters
    ----------
    model : str
        ``uma``, ``umi``, ``rma`` or ``inh``. Free space knows no fading: ``free_space`` takes that of ``uma``, and
        ``cost231``, one formula for both states, that of ``uma`` without sight. ``p2108`` has none here, see
        :func:`fading_sigma_db`.
    los : array_like of bool
    beyond_breakpoint : array_like of bool
        True beyond the breakpoint distance; matters to ``rma`` with line of sight only.

    Raises
    ------
    ModelError
        For an unknown model, and for ``p2108``, whose deviation depends on frequency and distance.

    Examples
    --------
    >>> float(shadow_sigma_db("uma", True)), float(shadow_sigma_db("umi", False))
    (4.0, 7.82)
    """
    near, far, blocked = _SIGMA_DB[known_word(known_model(model), _TABLED, "model with a table of fading")]
    beyond = np.asarray(beyond_breakpoint, np.float64)
    clear = by_sight(beyond, np.asarray(far), np.asarray(near))
    return by_sight(los, clear, np.where(np.isnan(beyond), np.nan, blocked))


def fading_sigma_db(model: str, d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike,
                    h_ut_m: ArrayLike) -> tuple[Floats, Floats]:
    """Standard deviation of the fading of a model with line of sight and without, at distances, dB.

    Parameters
    ----------
    model : str
        As in :func:`path_loss_db`.
    d_2d_m, freq_ghz, h_bs_m, h_ut_m : array_like
        As in :func:`path_loss_db`.

    Returns
    -------
    tuple of ndarray of float64
        With sight and without: :func:`shadow_sigma_db` before and beyond the breakpoint; of ``p2108`` that of ``uma``
        with sight, and :func:`statistical_clutter_sigma_db` without. NaN where an argument is NaN.

    Raises
    ------
    ModelError
        For an unknown model.

    Examples
    --------
    >>> [float(sigma.round(2)) for sigma in fading_sigma_db("rma", 9000.0, 0.7, 35.0, 1.5)]
    [6.0, 8.0]
    >>> [float(sigma.round(2)) for sigma in fading_sigma_db("p2108", 1000.0, 3.5, 25.0, 1.5)]
    [4.0, 4.3]
    """
    d, edge = np.broadcast_arrays(*floats(d_2d_m, breakpoint_m(model, freq_ghz, h_bs_m, h_ut_m)))
    beyond = np.where(np.isnan(d) | np.isnan(edge), np.nan, (d > edge).astype(np.float64))
    if model != "p2108":
        return shadow_sigma_db(model, True, beyond), shadow_sigma_db(model, False, beyond)
    spread = statistical_clutter_sigma_db(freq_ghz, slope_distance_m(d_2d_m, h_bs_m, h_ut_m) / 1000.0)
    return shadow_sigma_db("uma", True, beyond), np.asarray(spread + 0.0 * beyond)


def shadow_correlation_m(model: str, los: ArrayLike) -> Floats:
    """Distance at which the correlation of shadow fading falls to 1/e, TR 38.901 table 7.5-6, m.

    Parameters
    ----------
    model : str
        ``uma``, ``umi``, ``rma``, ``inh``; ``indoor`` for terminals in buildings served from outdoors.
    los : array_like of bool

    Examples
    --------
    >>> shadow_correlation_m("uma", [True, False]).tolist()
    [37.0, 50.0]
    """
    return by_sight(los, *_CORRELATION_M[known_word(model, _CORRELATION_M, "model with a correlation distance")])


def shadow_correlation(apart_m: ArrayLike, correlation_m: ArrayLike) -> Floats:
    """Correlation of shadow fading of two places ``apart_m`` apart, ``exp(-dx / d_cor)`` (TR 38.901 clause 7.4.4).

    Examples
    --------
    >>> float(shadow_correlation(37.0, shadow_correlation_m("uma", True)).round(4))
    0.3679
    """
    apart, length = floats(apart_m, correlation_m)
    return np.asarray(np.exp(-np.abs(apart) / length))


def mixture_db(share: ArrayLike, losses_db: tuple[ArrayLike, ArrayLike],
               sigmas_db: tuple[ArrayLike, ArrayLike]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of a loss that is in the first state for ``share`` of all places.

    Parameters
    ----------
    share : array_like
        Share of the first state, 0..1.
    losses_db, sigmas_db : (array_like, array_like)
        Mean loss of the two states and the standard deviation within each, dB.

    Returns
    -------
    tuple of ndarray of float64
        Mean, and the standard deviation of the mixture: the fading of each state and the spread between their means,
        ``sqrt(q s1^2 + (1-q) s2^2 + q (1-q) (L2 - L1)^2)``; NaN where an argument is NaN.

    Raises
    ------
    ModelError
        When a share lies outside 0..1.

    Examples
    --------
    >>> [float(value) for value in mixture_db(0.5, (100.0, 120.0), (0.0, 0.0))]
    [110.0, 10.0]
    """
    first = within(share, 0.0, 1.0, "a share")
    clear, blocked, sigma_clear, sigma_blocked = floats(*losses_db, *sigmas_db)
    rest = 1.0 - first
    spread = first * rest * (blocked - clear) ** 2
    mean = first * clear + rest * blocked
    return np.asarray(mean), np.asarray(np.sqrt(first * sigma_clear**2 + rest * sigma_blocked**2 + spread))


def _blend(model: str, d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
           building_weight: ArrayLike) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Mean and standard deviation in the clear, then of blocked pixels."""
    weight = within(building_weight, 0.0, 1.0, "the building weight")
    los = path_loss_db(model, d_2d_m, freq_ghz, h_bs_m, h_ut_m, True)
    nlos = path_loss_db(model, d_2d_m, freq_ghz, h_bs_m, h_ut_m, False)
    sigmas = fading_sigma_db(model, d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    share = los_probability(model, d_2d_m, h_ut_m)
    return (mixture_db(weight + (1.0 - weight) * share, (los, nlos), sigmas),
            mixture_db((1.0 - weight) * share, (los, nlos), sigmas))


def sight_loss_db(model: str, d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
                  building_weight: ArrayLike) -> tuple[Floats, Floats]:
    """Loss of pixels in the clear and of pixels blocked by the top surface, sight being trusted by a weight.

    With weight b and ``mix = P_LOS PL_LOS + (1 - P_LOS) PL_NLOS`` (P_LOS of TR 38.901):
    ``clear = b PL_LOS + (1-b) mix`` and ``blocked = b PL_NLOS + (1-b) mix``. At b = 1 the surface decides alone, at
    b = 0 it says nothing and both are the mean over the LOS probability.

    Parameters
    ----------
    model : str
        As in :func:`path_loss_db`; ``inh`` is a mixed office.
    d_2d_m, freq_ghz, h_bs_m, h_ut_m : array_like
        As in :func:`path_loss_db`.
    building_weight : array_like
        b, 0..1.

    Returns
    -------
    tuple of ndarray of float64
        Clear and blocked, dB; blocked is never less than clear. NaN where an argument is NaN.

    Raises
    ------
    ModelError
        For an unknown model or a weight outside 0..1.

    Examples
    --------
    >>> [float(loss.round(2)) for loss in sight_loss_db("uma", 100.0, 3.5, 25.0, 1.5, 1.0)]
    [83.14, 103.04]
    >>> [float(loss.round(2)) for loss in sight_loss_db("uma", 100.0, 3.5, 25.0, 1.5, 0.5)]
    [89.63, 99.58]
    """
    (clear, _), (blocked, _) = _blend(model, d_2d_m, freq_ghz, h_bs_m, h_ut_m, building_weight)
    return clear, np.maximum(clear, blocked)


def sight_sigma_db(model: str, d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
                   building_weight: ArrayLike) -> tuple[Floats, Floats]:
    """Standard deviation that belongs to :func:`sight_loss_db`: that of the mixture of both states, dB.

    The blend is the mean of a mixture whose LOS share is ``b + (1-b) P_LOS`` in the clear and ``(1-b) P_LOS`` when
    blocked; :func:`mixture_db` gives its spread.

    Parameters
    ----------
    model, d_2d_m, freq_ghz, h_bs_m, h_ut_m, building_weight
        As in :func:`sight_loss_db`.

    Returns
    -------
    tuple of ndarray of float64
        Clear and blocked, dB.

    Examples
    --------
    >>> [float(sigma.round(2)) for sigma in sight_sigma_db("uma", 100.0, 3.5, 25.0, 1.5, 1.0)]
    [4.0, 6.0]
    """
    (_, clear), (_, blocked) = _blend(model, d_2d_m, freq_ghz, h_bs_m, h_ut_m, building_weight)
    return clear, blocked
