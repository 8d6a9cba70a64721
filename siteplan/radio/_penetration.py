"""Loss into buildings and cars (O2I), TR 38.901 clause 7.4.3."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from siteplan.radio._arrays import Floats, floats, known_word
from siteplan.radio._terrestrial import known_model

DEPTH_DB_PER_M = 0.5
"""Loss per metre of the way inside the building (table 7.4.3-2), dB/m."""

INDOOR_SHADOW_DB = 7.0
"""Standard deviation of shadow fading of terminals in buildings served from outdoors (table 7.5-6), dB."""

LEGACY_WALL_DB, LEGACY_DEPTH_M = 20.0, 12.5
"""Single-frequency rule of the text below 6 GHz: wall loss without spread, mean of one uniform depth of 0..25 m."""

CAR_DB, CAR_METALLISED_DB, CAR_SIGMA_DB = 9.0, 20.0, 5.0
"""Loss into a car, into one with metallised windows, and its standard deviation (clause 7.4.3.2), dB."""

_MATERIALS: Mapping[str, tuple[float, float]] = MappingProxyType({
    "glass": (2.0, 0.2), "irr_glass": (23.0, 0.3), "irr_glass_v19": (25.4, 0.11), "concrete": (5.0, 4.0),
    "wood": (4.85, 0.12), "plywood": (1.03, 0.17),
})  # dB, dB per GHz (table 7.4.3-1; irr_glass_v19 and plywood from V19.2)

_WALLS: Mapping[str, tuple[tuple[tuple[str, float], tuple[str, float]], float]] = MappingProxyType({
    "low": ((("glass", 0.3), ("concrete", 0.7)), 4.4),
    "high": ((("irr_glass", 0.7), ("concrete", 0.3)), 6.5),
    "high_v19": ((("irr_glass_v19", 0.7), ("concrete", 0.3)), 6.5),
    "low_a": ((("glass", 0.3), ("plywood", 0.7)), 4.4),
})  # shares of the materials, standard deviation sigma_P in dB (table 7.4.3-2)

_DEEPEST_M: Mapping[str, float] = MappingProxyType({"uma": 25.0, "umi": 25.0, "rma": 10.0})


def material_loss_db(material: str, freq_ghz: ArrayLike) -> Floats:
    """Loss of a wall or window of one material, TR 38.901 table 7.4.3-1, dB.

    Parameters
    ----------
    material : str
        ``glass``, ``irr_glass`` (infrared-reflecting, up to V18), ``irr_glass_v19``, ``concrete``, ``wood`` or
        ``plywood`` (V19).
    freq_ghz : array_like
        Frequency, GHz.

    Examples
    --------
    >>> material_loss_db("concrete", [0.7, 3.5]).round(2).tolist()
    [7.8, 19.0]
    """
    base, per_ghz = _MATERIALS[known_word(material, _MATERIALS, "material")]
    (freq,) = floats(freq_ghz)
    return np.asarray(base + per_ghz * freq)


def wall_loss_db(freq_ghz: ArrayLike, kind: str) -> Floats:
    """Loss through the outer wall of a building, PL_tw of TR 38.901 table 7.4.3-2, dB.

    ``5 - 10 log10(sum_i p_i 10^(-L_i/10))`` over the materials of the wall and their shares.

    Parameters
    ----------
    freq_ghz : array_like
        Frequency, GHz.
    kind : str
        ``low`` (ordinary windows), ``high`` (infrared-reflecting windows), ``high_v19`` (the same with the glass of
        V19.2) or ``low_a`` (V19: ordinary windows and plywood). The text uses ``low`` alone with ``rma``.

    Returns
    -------
    ndarray of float64
        Loss, dB; NaN for NaN.

    Raises
    ------
    ModelError
        For an unknown kind.

    Examples
    --------
    >>> float(wall_loss_db(3.5, "low").round(2)), float(wall_loss_db(3.5, "high").round(2))
    (12.7, 26.85)
    """
    parts, _ = _WALLS[known_word(kind, _WALLS, "kind of wall")]
    (first, share), (second, rest) = parts
    passed = share * 10.0 ** (-material_loss_db(first, freq_ghz) / 10.0)
    passed = passed + rest * 10.0 ** (-material_loss_db(second, freq_ghz) / 10.0)
    return np.asarray(5.0 - 10.0 * np.log10(passed))


def wall_sigma_db(kind: str) -> float:
    """Standard deviation sigma_P of the wall loss, TR 38.901 table 7.4.3-2, dB.

    Examples
    --------
    >>> wall_sigma_db("high")
    6.5
    """
    return _WALLS[known_word(kind, _WALLS, "kind of wall")][1]


def indoor_sigma_db(kind: str) -> float:
    """Standard deviation of the signal in buildings: shadow fading (7 dB) and sigma_P, independent, dB.

    Examples
    --------
    >>> round(indoor_sigma_db("low"), 2)
    8.27
    """
    return float(np.hypot(INDOOR_SHADOW_DB, wall_sigma_db(kind)))


def mean_depth_m(model: str) -> float:
    """Mean way inside the building: least of two uniform draws of 0..25 m (``rma``: 0..10 m), m.

    Parameters
    ----------
    model : str
        ``uma``, ``umi`` or ``rma`` (TR 38.901 clause 7.4.3.1).

    Examples
    --------
    >>> round(mean_depth_m("uma"), 2), round(mean_depth_m("rma"), 2)
    (8.33, 3.33)
    """
    return _DEEPEST_M[known_word(known_model(model), _DEEPEST_M, "model served from outdoors")] / 3.0


def depth_loss_db(depth_m: ArrayLike) -> Floats:
    """Loss on the way inside the building, 0.5 dB per metre (TR 38.901 table 7.4.3-2), dB.

    Examples
    --------
    >>> float(depth_loss_db(mean_depth_m("uma")).round(2))
    4.17
    """
    (depth,) = floats(depth_m)
    return np.asarray(DEPTH_DB_PER_M * np.maximum(depth, 0.0))


def penetration_loss_db(freq_ghz: ArrayLike, kind: str, depth_m: ArrayLike) -> Floats:
    """Mean loss from the outer wall to a terminal ``depth_m`` inside: wall and way inside, dB.

    Parameters
    ----------
    freq_ghz : array_like
        Frequency, GHz.
    kind : str
        Kind of wall, as in :func:`wall_loss_db`.
    depth_m : array_like
        Way inside, m; :func:`mean_depth_m` gives the mean of the text.

    Examples
    --------
    >>> float(penetration_loss_db(3.5, "low", 10.0).round(2))
    17.7
    """
    return wall_loss_db(freq_ghz, kind) + depth_loss_db(depth_m)
