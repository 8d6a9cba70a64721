"""What candidates newly serve: weight of cells beyond the best service that they have, level by level."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def serve(service: sp.csc_matrix, candidate: int, best: NDArray[np.float64]) -> None:
    """Raise the best service (changed in place) of the cells that a candidate serves."""
    part = slice(service.indptr[candidate], service.indptr[candidate + 1])
    cells = service.indices[part]
    best[cells] = np.maximum(best[cells], service.data[part])


def fresh_weights(service: sp.csc_matrix, weight: NDArray[Any], best: NDArray[np.float64],
                  most: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Weight that each column of ``service`` would newly serve, shape (columns,).

    Parameters
    ----------
    service : csc_matrix, shape (cells, columns)
        Share of the cell's weight that counts when the candidate serves it.
    weight, best : ndarray, shape (cells,)
        Weight, and the best service that each cell has already.
    most : ndarray, shape (cells,), optional
        Service beyond which nothing counts.

    Examples
    --------
    >>> levels = sp.csc_matrix(np.array([[1.0, 0.5], [0.0, 1.0]]))
    >>> fresh_weights(levels, np.array([4.0, 2.0]), np.array([0.5, 0.0])).tolist()
    [2.0, 2.0]
    """
    cells = service.indices
    data = service.data if most is None else np.minimum(service.data, most[cells])
    fresh = weight[cells] * np.maximum(data - best[cells], 0.0)
    owner = np.repeat(np.arange(service.shape[1]), np.diff(service.indptr))
    return np.asarray(np.bincount(owner, fresh, minlength=service.shape[1]), dtype=np.float64)


def new_weights(service: sp.csc_matrix, weight: NDArray[Any], order: NDArray[Any],
                already: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Weight that each candidate of an order newly serves; with levels of service, what it serves better than before.

    >>> new_weights(sp.csc_matrix(np.array([[1.0, 0.5], [0.0, 1.0]])), np.array([4.0, 2.0]), np.array([1, 0])).tolist()
    [4.0, 2.0]
    """
    best = np.zeros(service.shape[0]) if already is None else already.copy()
    found = np.zeros(len(order))
    for number, column in enumerate(order):
        found[number] = fresh_weights(service[:, [column]], weight, best)[0]
        serve(service, column, best)
    return found
