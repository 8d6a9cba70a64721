"""Fitted forms for calibration: Okumura-Hata, COST 231-Hata, and a standard model linear in its coefficients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from siteplan.radio._arrays import NEAREST_M, Floats, floats, known_word

_LARGE_CITY_GHZ = 0.3
_SIZES = ("medium", "metropolitan")


def _hata_parts(d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike,
                h_ut_m: ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    """Logarithm of MHz; loss by mast height and distance; correction a(h_ut) of a medium city; h_ut."""
    d, freq, h_bs, h_ut = floats(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    log_f, log_h = np.log10(freq * 1000.0), np.log10(h_bs)
    by_distance = (44.9 - 6.55 * log_h) * np.log10(np.maximum(d, NEAREST_M) / 1000.0) - 13.82 * log_h
    return log_f, by_distance, (1.1 * log_f - 0.7) * h_ut - (1.56 * log_f - 0.8), h_ut


def okumura_hata_db(d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
                    city: str = "medium") -> Floats:
    """Urban path loss of Okumura-Hata, for 150 to 1500 MHz, dB.

    ``69.55 + 26.16 log10(f MHz) - 13.82 log10(h_bs) - a(h_ut) + (44.9 - 6.55 log10(h_bs)) log10(d km)``

    Parameters
    ----------
    d_2d_m : array_like
        Horizontal distance, m; at least 10 m is taken. The formula was fitted for 1 to 20 km.
    freq_ghz : array_like
        Frequency, GHz.
    h_bs_m, h_ut_m : array_like
        Antenna above the mean ground, 30 to 200 m, and terminal above ground, 1 to 10 m.
    city : str
        ``medium`` (and small) or ``metropolitan``, which has another a(h_ut).

    Returns
    -------
    ndarray of float64
        Loss, dB; NaN where an argument is NaN. ``validity("okumura_hata", ...)`` tells which range is left.

    Raises
    ------
    ModelError
        For an unknown size of city.

    Notes
    -----
    Hata, IEEE Trans. Veh. Technol. 29 (1980): in a large city a(h_ut) changes its form between 200 and 400 MHz; it
    changes at 300 MHz here.

    Examples
    --------
    >>> float(okumura_hata_db(1000.0, 0.9, 30.0, 1.5).round(2))
    126.4
    """
    known_word(city, _SIZES, "size of city")
    log_f, by_distance, lowered, h_ut = _hata_parts(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    if city == "metropolitan":
        low, high = (np.log10(factor * h_ut) ** 2 for factor in (1.54, 11.75))
        lowered = np.where(np.asarray(freq_ghz) < _LARGE_CITY_GHZ, 8.29 * low - 1.1, 3.2 * high - 4.97)
    return np.asarray(69.55 + 26.16 * log_f + by_distance - lowered)


def cost231_hata_db(d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
                    city: str = "medium") -> Floats:
    """Urban path loss of COST 231-Hata, for 1500 to 2000 MHz, dB.

    ``46.3 + 33.9 log10(f MHz) - 13.82 log10(h_bs) - a(h_ut) + (44.9 - 6.55 log10(h_bs)) log10(d km) + C``

    Parameters
    ----------
    d_2d_m, freq_ghz, h_bs_m, h_ut_m : array_like
        As in :func:`okumura_hata_db`, with the same ranges but for the frequency.
    city : str
        ``medium`` (and suburban; C = 0) or ``metropolitan`` (C = 3 dB).

    Returns
    -------
    ndarray of float64
        Loss, dB; NaN where an argument is NaN. ``validity("cost231", ...)`` tells which range is left.

    Raises
    ------
    ModelError
        For an unknown size of city.

    Notes
    -----
    COST 231 final report, chapter 4. The bands of 2.6 GHz and above lie outside; calibration mends the offset. As the
    model ``cost231`` of :func:`path_loss_db` it never falls below free space.

    Examples
    --------
    >>> float(cost231_hata_db(1000.0, 1.8, 30.0, 1.5, "metropolitan").round(2))
    139.2
    """
    known_word(city, _SIZES, "size of city")
    log_f, by_distance, lowered, _ = _hata_parts(d_2d_m, freq_ghz, h_bs_m, h_ut_m)
    return np.asarray(46.3 + 33.9 * log_f + by_distance - lowered + (3.0 if city == "metropolitan" else 0.0))


class StandardModel(NamedTuple):
    """Coefficients of :func:`standard_model_db`, in its order."""

    k1: float
    k2: float
    k3: float
    k4: float
    k5: float
    k6: float


def standard_model_terms(d_2d_m: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
                         diffraction_db: ArrayLike) -> Floats:
    """Columns that the coefficients of the standard model multiply: the matrix of a least-squares fit.

    Parameters
    ----------
    d_2d_m, h_bs_m, h_ut_m, diffraction_db : array_like, broadcasting to (rows,)
        As in :func:`standard_model_db`.

    Returns
    -------
    ndarray of float64, shape (rows, 6)
        ``1, log10 d, log10 h_bs, diffraction, log10 d log10 h_bs, h_ut``; without rows' axis for plain numbers.

    Examples
    --------
    >>> standard_model_terms([10.0, 1000.0], 10.0, 1.5, [0.0, 6.0]).tolist()
    [[1.0, 1.0, 1.0, 0.0, 1.0, 1.5], [1.0, 3.0, 1.0, 6.0, 3.0, 1.5]]
    """
    d, h_bs, h_ut, edge = np.broadcast_arrays(*floats(d_2d_m, h_bs_m, h_ut_m, diffraction_db))
    log_d, log_h = np.log10(np.maximum(d, NEAREST_M)), np.log10(h_bs)
    return np.stack([np.ones(d.shape), log_d, log_h, edge, log_d * log_h, h_ut], axis=-1)


def standard_model_db(model: StandardModel, d_2d_m: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
                      diffraction_db: ArrayLike, clutter_db: ArrayLike = 0.0) -> Floats:
    """Path loss of a standard propagation model, fitted per band.

    ``k1 + k2 log10 d + k3 log10 h_bs + k4 diffraction + k5 log10 d log10 h_bs + k6 h_ut + clutter``, d in m.

    Parameters
    ----------
    model : StandardModel
        Coefficients; the frequency is inside ``k1``.
    d_2d_m : array_like
        Horizontal distance, m; at least 10 m is taken.
    h_bs_m, h_ut_m : array_like
        Antenna and terminal above ground, m; the antenna more than 0 m.
    diffraction_db : array_like
        Diffraction loss of the profile, dB.
    clutter_db : array_like
        Term of the receiver's clutter class, dB.

    Returns
    -------
    ndarray of float64
        Loss, dB; NaN where an argument is NaN.

    Examples
    --------
    >>> float(standard_model_db(StandardModel(20.0, 45.0, 6.0, 0.5, -6.5, 0.0), 1000.0, 10.0, 1.5, 8.0))
    145.5
    """
    terms = standard_model_terms(d_2d_m, h_bs_m, h_ut_m, diffraction_db)
    return np.asarray(terms @ np.asarray(model, np.float64) + np.asarray(clutter_db, np.float64))
