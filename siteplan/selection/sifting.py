"""Candidates put aside before a choice: those that serve nothing, and those that are in the table twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan.errors import Problem

MOST_NAMED = 20
"""So many rows are named in a problem; the rest is counted."""


def named(ids: Sequence[object]) -> str:
    """Ids of rows, at most 20 of them.

    >>> named(["A", "B"]), named([str(number) for number in range(22)])[-11:]
    ('A、B', '、19 等共 22 处')
    """
    text = "、".join(map(str, ids[:MOST_NAMED]))
    return text if len(ids) <= MOST_NAMED else f"{text} 等共 {len(ids)} 处"


def idle(matrix: sp.csc_matrix) -> NDArray[np.bool_]:
    """Which candidates serve no cell at all, shape (candidates,)."""
    return np.diff(matrix.indptr) == 0


def twins(candidates: pd.DataFrame, matrix: sp.csc_matrix) -> list[list[str]]:
    """Candidates that stand in one place and serve the same cells alike: ids, sorted, each group once.

    Alternatives at one venue (column ``venue``) are no twins of each other (the first by id stands for them), nor are
    candidates that serve nothing.

    >>> sites = pd.DataFrame({"x": [0.0, 0.0, 9.0], "y": 0.0}, index=["B", "A", "C"])
    >>> twins(sites, sp.csc_matrix(np.ones((2, 3))))
    [['A', 'B']]
    """
    places = candidates[["x", "y"]].to_numpy(dtype=np.float64)
    venue = candidates["venue"].fillna("").astype(str) if "venue" in candidates else pd.Series("", candidates.index)
    alike: dict[tuple[object, ...], list[int]] = {}
    spots = pd.MultiIndex.from_arrays([places[:, 0], places[:, 1]])
    for number in np.flatnonzero(spots.duplicated(keep=False) & ~idle(matrix)):
        part = slice(int(matrix.indptr[number]), int(matrix.indptr[number + 1]))
        key = (*places[number], matrix.indices[part].tobytes(), matrix.data[part].tobytes())
        alike.setdefault(key, []).append(int(number))
    found = []
    for numbers in alike.values():
        one = pd.Series({str(candidates.index[number]): venue.iloc[number] for number in numbers}).sort_index()
        one = one[(one == "") | ~one.duplicated()]
        if len(one) > 1:
            found.append([str(site) for site in one.index])
    return sorted(found)


class Sifted(NamedTuple):
    """Candidates that a choice can use, and what there is to tell of the others.

    Attributes
    ----------
    usable : ndarray of bool, shape (candidates,)
    notes : tuple of Problem
        One for the candidates that serve nothing, one for each group of twins.
    """

    usable: NDArray[np.bool_]
    notes: tuple[Problem, ...]


def sift(candidates: pd.DataFrame, matrix: sp.csc_matrix, kept: Iterable[str] = ()) -> Sifted:
    """Put candidates aside that serve nothing, and all but the first of twins.

    Of twins the cheapest stays, of equal ones the first by id. What has to be chosen (``kept``) always stays.

    Parameters
    ----------
    candidates : DataFrame
        Index ``site_id``; ``x, y, cost_yuan``, and ``venue`` where it is there.
    matrix : csc_matrix, shape (demand cells, candidates)
        Without stored zeros.
    kept : iterable of str

    Examples
    --------
    >>> sites = pd.DataFrame({"x": [0.0, 0.0, 9.0], "y": 0.0, "cost_yuan": [2.0, 1.0, 1.0]}, index=["A", "B", "C"])
    >>> found = sift(sites, sp.csc_matrix(np.array([[1, 1, 0]])))
    >>> found.usable.tolist(), [(note.row, note.reason) for note in found.notes]
    ([False, True, False], [('C', '服务不到任何需求格,不参与选址'), ('A', '与 B 位置和服务范围相同,只用 B')])
    """
    must = set(kept)
    ids = candidates.index.astype(str)
    held = np.array([site in must for site in ids], dtype=bool)
    useless = idle(matrix) & ~held
    notes = []
    if useless.any():
        notes.append(Problem("candidates", "", named(list(ids[useless])), "geometry", "服务不到任何需求格,不参与选址",
                             "附近没有空洞,或覆盖被遮挡;不需要时无需处理"))
    usable = ~useless
    cost = pd.Series(candidates["cost_yuan"].to_numpy(dtype=np.float64), index=ids)
    for group in twins(candidates, matrix):
        best = min(group, key=lambda site: (site not in must, float(cost[site]), site))
        others = [site for site in group if site != best and site not in must]
        usable &= ~ids.isin(others)
        if others:
            notes.append(Problem("candidates", "", named(others), "geometry", f"与 {best} 位置和服务范围相同,只用 {best}",
                                 "核对是否同一处;是则去掉一条"))
    return Sifted(usable, tuple(notes))
