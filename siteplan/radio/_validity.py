"""Which range of its table a path-loss model is used outside of: bit flags, and words for messages."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siteplan.radio._arrays import Floats, by_sight, floats, known_word

RANDOM_HEIGHT_M = 13.0
"""From this height of the terminal on, TR 38.901 draws the environment height of UMa at random."""


class Validity(IntFlag):
    """Bits of :func:`validity`; 0 is a use within the table."""

    NEAR = 1
    FAR = 2
    MAST = 4
    TERMINAL = 8
    FREQUENCY = 16
    RANDOM_HEIGHT = 32
    UNKNOWN = 64


VALIDITY_WORDS: Mapping[Validity, str] = MappingProxyType({
    Validity.NEAR: "距离小于模型下限",
    Validity.FAR: "距离超过模型上限",
    Validity.MAST: "天线挂高超出模型范围",
    Validity.TERMINAL: "终端高度超出模型范围",
    Validity.FREQUENCY: "频率超出模型范围",
    Validity.RANDOM_HEIGHT: "终端高于 13 m，环境高度原为随机值，此处取 1 m",
    Validity.UNKNOWN: "参数缺失",
})
"""What each bit means, for messages."""


MODEL_WORDS: Mapping[str, str] = MappingProxyType({
    "uma": "TR 38.901 城区宏站 UMa", "umi": "TR 38.901 城区微站 UMi", "rma": "TR 38.901 农村宏站 RMa",
    "inh": "TR 38.901 室内办公 InH", "cost231": "COST231-Hata（中等城市）", "p2108": "自由空间＋P.2108 统计地物损耗",
    "free_space": "自由空间（ITU-R P.525）", "okumura_hata": "Okumura-Hata",
})
"""Name of each model, for messages and pictures."""


class _Ranges(NamedTuple):
    """Ranges of a model, both ends within; distance by sight (with, without), m, the slope distance if ``slope``."""

    nearest_m: tuple[float, float]
    farthest_m: tuple[float, float]
    mast_m: tuple[float, float]
    terminal_m: tuple[float, float]
    freq_ghz: tuple[float, float]
    slope: bool = False


_ANY = (-np.inf, np.inf)
_ENDLESS = (np.inf, np.inf)
_HATA = ((1000.0, 1000.0), (20_000.0, 20_000.0), (30.0, 200.0), (1.0, 10.0))
_RANGES: Mapping[str, _Ranges] = MappingProxyType({
    "uma": _Ranges((10.0, 10.0), (5000.0, 5000.0), (25.0, 25.0), (1.5, 22.5), (0.5, 100.0)),
    "umi": _Ranges((10.0, 10.0), (5000.0, 5000.0), (10.0, 10.0), (1.5, 22.5), (0.5, 100.0)),
    "rma": _Ranges((10.0, 10.0), (10_000.0, 5000.0), (10.0, 150.0), (1.0, 10.0), (0.5, 30.0)),
    "inh": _Ranges((1.0, 1.0), (150.0, 150.0), _ANY, _ANY, (0.5, 100.0), slope=True),
    "okumura_hata": _Ranges(*_HATA, (0.15, 1.5)),
    "cost231": _Ranges(*_HATA, (1.5, 2.0)),
    "p2108": _Ranges((10.0, 250.0), _ENDLESS, _ANY, _ANY, (0.5, 67.0)),
    "free_space": _Ranges((10.0, 10.0), _ENDLESS, _ANY, _ANY, _ANY),
})  # TR 38.901 table 7.4.1-1; COST 231 final report, chapter 4; ITU-R P.2108-1 section 3.2; 10 m: see NEAREST_M


def _outside(value: Floats, ends: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray((value < ends[0]) | (value > ends[1]))


def validity(model: str, d_2d_m: ArrayLike, freq_ghz: ArrayLike, h_bs_m: ArrayLike, h_ut_m: ArrayLike,
             los: ArrayLike = False) -> NDArray[np.uint8]:
    """Which ranges of its table a model is used outside of.

    Parameters
    ----------
    model : str
        As in :func:`path_loss_db`, or ``okumura_hata``.
    d_2d_m, freq_ghz, h_bs_m, h_ut_m : array_like
        As in :func:`path_loss_db`.
    los : array_like of bool
        Matters to ``rma``, which reaches 10 km with and 5 km without line of sight, and to ``p2108``, whose clutter
        is stated from 250 m on.

    Returns
    -------
    ndarray of uint8
        Sum of :class:`Validity` bits, 0 where all is within; UNKNOWN where an argument is NaN (it sets that bit alone).

    Raises
    ------
    ModelError
        For an unknown model.

    Notes
    -----
    UMa is given for masts of 25 m, UMi for 10 m; other heights are normal in planning and get the MAST bit.
    RANDOM_HEIGHT does not leave the table: it says that hE = 1 m was a choice.

    Examples
    --------
    >>> flags = validity("uma", [5.0, 300.0, 6000.0], 3.5, [25.0, 25.0, 40.0], 1.5)
    >>> flags.tolist()
    [1, 0, 6]
    """
    ranges = _RANGES[known_word(model, _RANGES, "model with ranges")]
    d, freq, h_bs, h_ut, sight = np.broadcast_arrays(*floats(d_2d_m, freq_ghz, h_bs_m, h_ut_m, los))
    length = np.hypot(d, h_bs - h_ut) if ranges.slope else d
    tests = {
        Validity.NEAR: length < by_sight(sight, *ranges.nearest_m),
        Validity.FAR: length > by_sight(sight, *ranges.farthest_m),
        Validity.MAST: _outside(h_bs, ranges.mast_m),
        Validity.TERMINAL: _outside(h_ut, ranges.terminal_m),
        Validity.FREQUENCY: _outside(freq, ranges.freq_ghz),
        Validity.RANDOM_HEIGHT: (h_ut >= RANDOM_HEIGHT_M) & (model == "uma"),
    }
    flags = np.zeros(d.shape, np.uint8)
    for bit, is_set in tests.items():
        flags |= np.where(is_set, np.uint8(bit), np.uint8(0))
    return np.where(np.isnan(d + freq + h_bs + h_ut + sight), np.uint8(Validity.UNKNOWN), flags)


def validity_words(flags: ArrayLike) -> tuple[str, ...]:
    """Words of every bit that is set anywhere in ``flags``, in the order of the bits.

    Examples
    --------
    >>> validity_words([1, 0, 6])
    ('距离小于模型下限', '距离超过模型上限', '天线挂高超出模型范围')
    """
    together = int(np.bitwise_or.reduce(np.asarray(flags, np.uint8), axis=None))
    return tuple(words for bit, words in VALIDITY_WORDS.items() if together & bit)
