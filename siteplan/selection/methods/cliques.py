"""Sets of candidates of which at most one can be chosen, from pairs that stand too near to each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from siteplan._kernels import grow_cliques
from siteplan.selection.model.problem import Problem


def cliques_of(problem: Problem) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Sets of pairwise conflicting candidates that cover every pair of ``problem.near``.

    Greedy in the order of numbers: each pair not covered yet grows to a set, first by candidates whose conflict with
    its first member is not covered, then by any.

    Returns
    -------
    ndarray of int64, shape (cliques + 1,)
        Where each clique begins.
    ndarray of int32
        Members, ascending in each clique.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from siteplan.selection.model.problem import cover_problem
    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> near = np.array([[0, 1], [0, 2], [1, 2], [2, 3]], dtype=np.int32)
    >>> problem = cover_problem(reach_of_matrix(sp.eye(4).tocsc()), np.ones(4), near=near)
    >>> indptr, members = cliques_of(problem)
    >>> indptr.tolist(), members.tolist()
    ([0, 3, 5], [0, 1, 2, 2, 3])
    """
    if not len(problem.near):
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32)
    near = problem.near.astype(np.int64)
    near = near[near[:, 0] != near[:, 1]]
    keys = np.concatenate([near[:, 0] * len(problem) + near[:, 1], near[:, 1] * len(problem) + near[:, 0]])
    pairs = np.column_stack(np.divmod(np.unique(keys), len(problem)))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(pairs[:, 0], minlength=len(problem)))]).astype(np.int64)
    others, done = pairs[:, 1].astype(np.int32), np.zeros(len(pairs), dtype=np.uint8)
    room = max(4 * len(pairs), 1)
    members, ends = np.zeros(room, dtype=np.int32), np.zeros(len(pairs), dtype=np.int64)
    cliques, filled = grow_cliques(indptr, others, done, members, ends)
    bounds = np.concatenate([[0], ends[:cliques]])
    owner = np.repeat(np.arange(cliques), np.diff(bounds))
    order = np.lexsort((members[:filled], owner))
    return bounds.astype(np.int64), members[:filled][order]
