"""How probable it is that all points of a village are covered at once: errors are alike, chances do not multiply."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from siteplan.errors import ModelError
from siteplan.gaps.certainty.error_field import ErrorComponent, ErrorField

_DRAWS = 8192
_MOST = 64  # points of a village; the more doubtful ones are drawn, the others must not change the answer
_TOGETHER = 1 << 22  # drawn numbers at once
_SURE = 1e-9


def points_pass_probability(points: pd.DataFrame, components: Sequence[ErrorComponent]) -> pd.Series:
    r"""Probability that a village passes a rule that asks for all its points.

    A point is truly covered when :math:`z + e > 0`, :math:`z = \Phi^{-1}(p)`; the errors of two points at distance d
    are correlated as :func:`~siteplan.gaps.certainty.uncertainty.share_band` has it. The probability that all are
    covered at once (of an orthant) comes from 8192 seeded draws of the errors, one after the other, each only where all
    points before it are covered, weighted by how probable that is (Genz 1992); of points at one place only the least
    covered counts. One point is exact. The answer is that of drawn fields within about half a point.

    Parameters
    ----------
    points : DataFrame
        ``code`` of the village, ``x, y`` easting and northing, m, ``p`` probability of coverage 0..1, NaN where the
        point's place or the signal there is unknown. Points that the village does not have must not be in the table.
    components : sequence of ErrorComponent
        Parts of the error, see :func:`~siteplan.gaps.certainty.error_field.error_components`.

    Returns
    -------
    Series of float64
        0..1 on the codes, sorted; NaN for a village with an unknown point, unless another one is surely not covered
        (then 0). A village without a row is not in it: nothing is known of it.

    Raises
    ------
    ModelError
        A probability outside 0..1, a known point without a place, or components without a positive distance or
        without any error.

    Examples
    --------
    >>> points = pd.DataFrame({"code": ["a", "a", "b"], "x": [0.0, 4000.0, 0.0], "y": 0.0, "p": [0.9, 0.9, 0.7]})
    >>> points_pass_probability(points, [ErrorComponent(6, 50)]).round(2).to_dict()
    {'a': 0.81, 'b': 0.7}
    """
    errors = ErrorField(components, 1.0)
    p, xy = (points[names].to_numpy(np.float64, na_value=np.nan) for names in ("p", ["x", "y"]))
    if ((p < 0) | (p > 1)).any():
        raise ModelError("probabilities must be within 0..1")
    if (~np.isfinite(xy).all(axis=1) & ~np.isnan(p)).any():
        raise ModelError("a point whose probability is known needs a place")
    codes, number = np.unique(points["code"].astype(str).to_numpy(dtype=object), return_inverse=True)
    passed = np.full(len(codes), np.nan)
    order = np.lexsort((*xy.T, p, number))
    cuts = np.searchsorted(number[order], np.arange(len(codes) + 1))
    doubtful: dict[int, list[tuple[int, NDArray[np.intp]]]] = {}
    for village in range(len(codes)):
        own = order[cuts[village]:cuts[village + 1]]
        if (p[own] <= 0).any():
            passed[village] = 0.0
        elif not np.isnan(p[own]).any():
            _, first = np.unique(xy[own], axis=0, return_index=True)
            own = own[np.sort(first)]  # rising probability: of one place the least covered point
            own = own[p[own] < 1.0 - _SURE][:_MOST]
            if len(own) < 2:
                passed[village] = p[own[0]] if len(own) else 1.0
            else:
                doubtful.setdefault(len(own), []).append((village, own))
    for count, villages in doubtful.items():
        together = max(_TOGETHER // (_DRAWS * count), 1)
        for start in range(0, len(villages), together):
            some = villages[start:start + together]
            held = np.stack([own for _, own in some])
            away = np.linalg.norm(xy[held][:, :, None] - xy[held][:, None], axis=-1)
            passed[[village for village, _ in some]] = _all_above(ndtri(p[held]), errors.at(away))
    return pd.Series(passed, index=pd.Index(codes, name="code"), name="pass_probability")


def _all_above(z: NDArray[np.float64], rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that z + e > 0 for all points; z of shape (villages, points), rho (villages, points, points)."""
    count = z.shape[1]
    eye = np.eye(count)
    root = np.linalg.cholesky(rho * (1.0 - eye) + eye + 1e-10 * eye)
    uniform = _uniform()[:count]
    drawn = np.zeros((len(z), count, _DRAWS))
    weight = np.ones((len(z), _DRAWS))
    for k in range(count):
        before = np.einsum("vj,vjd->vd", root[:, k, :k], drawn[:, :k]) + z[:, k, None]
        chance = ndtr(before / root[:, k, k, None])  # of this point, given the ones before it
        weight *= chance
        if k + 1 < count:  # an error below -before is left out: the upper part of the normal, by its mirror image
            drawn[:, k] = -ndtri(np.clip(chance * uniform[k], 1e-300, 1.0 - 1e-16))
    return np.asarray(weight.mean(axis=1))


@cache
def _uniform() -> NDArray[np.float64]:
    """Numbers 0..1 in even steps, in another order in each row."""
    rng = np.random.default_rng(9)
    return (np.stack([rng.permutation(_DRAWS) for _ in range(_MOST)]) + 0.5) / _DRAWS
