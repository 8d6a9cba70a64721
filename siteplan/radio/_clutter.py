"""Clutter around a terminal, ITU-R P.2108-1, and which losses may be added or combined without counting it twice."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from siteplan.errors import ModelError
from siteplan.radio._arrays import Floats, by_sight, floats, known_word
from siteplan.radio._diffraction import knife_edge_loss_db

SATURATED_KM = 2.0
"""The statistical clutter loss never exceeds its value at this distance, km."""

STREET_WIDTH_M = 27.0
"""Default street width of the height gain, m."""

_OPEN = ("open", "water")
_BUILT = ("urban", "suburban", "forest")

_CLUTTER_INSIDE: Mapping[str, bool] = MappingProxyType({
    "uma": True, "umi": True, "rma": True, "inh": True, "okumura_hata": True, "cost231": True, "spm": True,
    "p2108": True, "free_space": False, "terrain": False,
})  # True: fitted to measurements among buildings, or with a clutter term of its own


def statistical_clutter_db(freq_ghz: ArrayLike, d_km: ArrayLike, percent: ArrayLike = 50.0) -> Floats:
    """Clutter loss not exceeded at ``percent`` of places, ITU-R P.2108-1 section 3.2 (one end in clutter), dB.

    Parameters
    ----------
    freq_ghz : array_like
        Frequency, GHz; the text gives 0.5 to 67.
    d_km : array_like
        Length of the whole path, km; the text begins at 0.25. Nearer, its formula is used, but never below 0 dB.
    percent : array_like
        Percentage of places, more than 0 and less than 100.

    Returns
    -------
    ndarray of float64
        Loss, dB; NaN where an argument is NaN.

    Raises
    ------
    ModelError
        For a percentage outside 0..100.

    Examples
    --------
    >>> statistical_clutter_db(3.5, [0.25, 1.0, 5.0]).round(2).tolist()
    [20.2, 30.11, 30.38]
    """
    freq, d, part = floats(freq_ghz, d_km, percent)
    if bool(np.any((part <= 0.0) | (part >= 100.0))):
        raise ModelError("a percentage of places must lie between 0 and 100")
    return np.maximum(np.minimum(_statistical_db(freq, d, part), _statistical_db(freq, np.asarray(SATURATED_KM), part)),
                      0.0)


def statistical_clutter_sigma_db(freq_ghz: ArrayLike, d_km: ArrayLike) -> Floats:
    """Standard deviation over places of :func:`statistical_clutter_db`, ITU-R P.2108-1 section 3.2, dB.

    From 6 dB of short paths towards 4 dB of long ones; beyond 2 km it stays, as the loss does.

    Parameters
    ----------
    freq_ghz, d_km : array_like
        As in :func:`statistical_clutter_db`.

    Returns
    -------
    ndarray of float64
        dB; NaN where an argument is NaN.

    Examples
    --------
    >>> statistical_clutter_sigma_db(3.5, [0.25, 1.0, 5.0]).round(2).tolist()
    [5.98, 4.3, 4.01]
    """
    freq, d = floats(freq_ghz, d_km)
    return _statistical_parts(freq, np.minimum(d, SATURATED_KM))[1]


def _statistical_db(freq: Floats, d_km: Floats, percent: Floats) -> Floats:
    """Formula of P.2108-1 section 3.2 without its upper limit, dB."""
    median, sigma = _statistical_parts(freq, d_km)
    return np.asarray(median + sigma * ndtri(percent / 100.0))


def _statistical_parts(freq: Floats, d_km: Floats) -> tuple[Floats, Floats]:
    """Median and standard deviation of P.2108-1 section 3.2 at a distance, dB."""
    log_f = np.log10(freq)
    long_db = -2.0 * np.log10(10.0 ** (-5.0 * log_f - 12.5) + 10.0**-16.5)
    short_db = 32.98 + 23.9 * np.log10(np.maximum(d_km, 1e-3)) + 3.0 * log_f
    long_share, short_share = 10.0 ** (-0.2 * long_db), 10.0 ** (-0.2 * short_db)
    both = long_share + short_share
    sigma = np.sqrt((4.0**2 * long_share + 6.0**2 * short_share) / both)
    return np.asarray(-5.0 * np.log10(both)), np.asarray(sigma)


def height_gain_db(freq_ghz: ArrayLike, h_m: ArrayLike, clutter_height_m: ArrayLike, kind: str = "urban",
                   street_width_m: ArrayLike = STREET_WIDTH_M) -> Floats:
    """Loss of a terminal below the clutter around it, ITU-R P.2108-1 section 3.1, dB.

    Parameters
    ----------
    freq_ghz : array_like
        Frequency, GHz; the text gives 0.03 to 3.
    h_m, clutter_height_m : array_like
        Height of the terminal, more than 0, and of the clutter (R of the text) above ground, m.
    kind : str
        ``urban``, ``suburban``, ``forest`` (diffraction over the nearest roof), ``open`` or ``water``.
    street_width_m : array_like
        Distance between buildings, more than 0 m; matters to the first three.

    Returns
    -------
    ndarray of float64
        Loss, dB; 0 where the terminal is as high as the clutter or higher, NaN where an argument is NaN.

    Raises
    ------
    ModelError
        For an unknown kind.

    Examples
    --------
    >>> height_gain_db(0.7, 1.5, [10.0, 15.0, 1.0]).round(2).tolist()
    [17.67, 21.48, 0.0]
    """
    known_word(kind, (*_OPEN, *_BUILT), "kind of clutter")
    freq, h, top, width = floats(freq_ghz, h_m, clutter_height_m, street_width_m)
    below = np.maximum(top - h, 0.0)
    if kind in _OPEN:
        loss = (21.8 + 6.2 * np.log10(freq)) * np.log10(np.maximum(top / h, 1.0))
    else:
        angle = np.degrees(np.arctan2(below, width))
        loss = knife_edge_loss_db(0.342 * np.sqrt(freq) * np.sqrt(below * angle)) - 6.03
    return np.where(np.isnan(freq + h + top + width), np.nan, np.where(h >= top, 0.0, np.maximum(loss, 0.0)))


def clutter_applies(model: str, los: ArrayLike) -> NDArray[np.bool_]:
    """Tell where a clutter loss of P.2108 may be added to the loss of a model without counting clutter twice.

    Parameters
    ----------
    model : str
        ``free_space`` or ``terrain`` (free space and diffraction of the ground), which know no clutter; a model of TR
        38.901, ``okumura_hata``, ``cost231``, ``spm`` or ``p2108``, which contain it.
    los : array_like of bool
        True where the terminal sees the antenna over the clutter: nothing then stands in the way.

    Returns
    -------
    ndarray of bool
        True for a model without clutter where there is no sight; False where the sight is NaN.

    Raises
    ------
    ModelError
        For an unknown model.

    Notes
    -----
    The NLOS form of UMa was fitted to streets among buildings: its 13.5 + 39.1 log10(d) contain the loss from the
    roofs down into the street, which is what P.2108 gives alone.

    Examples
    --------
    >>> clutter_applies("uma", [True, False]).tolist(), clutter_applies("terrain", [True, False]).tolist()
    ([False, False], [False, True])
    """
    inside = _CLUTTER_INSIDE[known_word(model, _CLUTTER_INSIDE, "model")]
    flag = np.asarray(los, np.float64)
    return np.asarray((flag == 0.0) & (not inside))


def add_clutter_db(model: str, loss_db: ArrayLike, clutter_db: ArrayLike, los: ArrayLike) -> Floats:
    """Add ``clutter_db`` to the loss of a model where :func:`clutter_applies`, and nowhere else.

    Parameters
    ----------
    model, los
        As in :func:`clutter_applies`.
    loss_db, clutter_db : array_like
        Loss by the model, and of the clutter, dB.

    Returns
    -------
    ndarray of float64
        Loss, dB; NaN where an argument is NaN.

    Examples
    --------
    >>> [float(add_clutter_db(model, 120.0, 20.0, False)) for model in ("uma", "free_space")]
    [120.0, 140.0]
    """
    loss, clutter = floats(loss_db, clutter_db)
    added = loss + np.where(clutter_applies(model, los), clutter, 0.0 * clutter)
    return by_sight(los, added, added)


def environment_loss_db(path_db: ArrayLike, free_terrain_db: ArrayLike) -> Floats:
    """Combine the loss of the surroundings with that of the terrain: the greater of the two, dB.

    Parameters
    ----------
    path_db : array_like
        Loss of a model that contains the clutter of its surroundings but no hills (TR 38.901), dB.
    free_terrain_db : array_like
        Free space plus diffraction over the ground alone, dB.

    Returns
    -------
    ndarray of float64
        Loss, dB; NaN where an argument is NaN.

    Notes
    -----
    Not the sum: both contain free space, and the last edge of a hill and the roofs behind it are often the same
    obstacle. On flat ground the model is returned unchanged; behind a ridge that costs more than the town does, the
    ridge decides.

    Examples
    --------
    >>> environment_loss_db([120.0, 120.0], [100.0, 135.0]).tolist()
    [120.0, 135.0]
    """
    path, free_terrain = floats(path_db, free_terrain_db)
    return np.asarray(np.maximum(path, free_terrain))
