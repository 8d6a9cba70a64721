"""Footprints: which pixels each candidate site would cover, as runs along the rows of the grid.

A run is a row with its first and last covered column: the runs of a hundred thousand candidates are some fifty times
fewer than the pixels in them, and sums over them are differences of sums along rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from odc.geo.geobox import GeoBox
from scipy.sparse import csc_matrix

from siteplan.errors import ModelError
from siteplan.grid import inside, pixel_size_m

RUNS_AT_ONCE = 4_000_000
"""Runs that a sum or a matrix works on at a time: bounds the memory where the runs lie on disk."""


@dataclass(frozen=True, eq=False)
class Footprints:
    """Pixels that sites cover, as runs along rows.

    Attributes
    ----------
    geobox : GeoBox
        The grid.
    site_ids : tuple of str
    probability : float
        Least probability of coverage of a pixel that belongs to a footprint.
    indptr : ndarray of int64 (sites + 1,)
        Runs ``indptr[k]`` to ``indptr[k + 1] - 1`` are those of site k, rows and in them columns rising.
    row, first, last : ndarray of int16 or int32 (runs,)
        Row, first and last covered column of each run (int32 on grids of more than 32,767 rows or columns). Runs of a
        site neither meet nor touch. May be memory maps.
    """

    geobox: GeoBox
    site_ids: tuple[str, ...]
    probability: float
    indptr: NDArray[np.int64]
    row: NDArray[Any]
    first: NDArray[Any]
    last: NDArray[Any]

    def __len__(self) -> int:
        """Number of sites."""
        return len(self.site_ids)

    @cached_property
    def places(self) -> dict[str, int]:
        """Place of each site in ``site_ids``."""
        return {name: place for place, name in enumerate(self.site_ids)}

    def pixels(self, site: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the pixels of one site, row by row; ModelError for a site that is not there."""
        if site not in self.places:
            raise ModelError(f"no footprint of site {site}")
        place = self.places[site]
        runs = slice(int(self.indptr[place]), int(self.indptr[place + 1]))
        row, first, last = (np.asarray(part[runs], np.int64) for part in (self.row, self.first, self.last))
        count = last - first + 1
        return np.repeat(row, count), spread(first, count)

    def counts(self) -> NDArray[np.int64]:
        """Covered pixels of each site (sites,)."""
        out = np.zeros(len(self), np.int64)
        for sites, runs in self.chunks():
            length = np.asarray(self.last[runs], np.int64) - self.first[runs] + 1
            out[sites] = _sums(length, self.indptr[sites.start:sites.stop + 1])
        return out

    def areas(self) -> NDArray[np.float64]:
        """Covered area of each site, m2 (sites,)."""
        return np.asarray(self.counts() * pixel_size_m(self.geobox) ** 2, np.float64)

    def chunks(self) -> Iterator[tuple[slice, slice]]:
        """Sites one after the other, as many at a time as have ``RUNS_AT_ONCE`` runs, and their runs."""
        total = int(self.indptr[-1])
        cuts = np.searchsorted(self.indptr, np.arange(RUNS_AT_ONCE, total, RUNS_AT_ONCE))
        for start, stop in pairwise(np.unique(np.concatenate([[0], cuts, [len(self)]])).tolist()):
            yield slice(start, stop), slice(int(self.indptr[start]), int(self.indptr[stop]))


def spread(first: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers ``first[k]``, ``first[k] + 1``, ..., ``count[k]`` of them, for every k."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if ends.size else 0
    return np.repeat(first - (ends - count), count) + np.arange(total)


def _sums(values: NDArray[Any], indptr: NDArray[np.int64]) -> NDArray[Any]:
    """Sum of the values of each site; ``indptr`` may begin anywhere, the values begin with its first entry."""
    out = np.zeros(indptr.size - 1, values.dtype)
    some = np.flatnonzero(np.diff(indptr))
    if some.size:
        out[some] = np.add.reduceat(values, indptr[some] - indptr[0])
    return out


def demand_of(footprints: Footprints, weight: ArrayLike) -> NDArray[np.float64]:
    """Weight of the pixels in each footprint.

    Parameters
    ----------
    footprints : Footprints
    weight : array_like (row, col)
        Of each pixel, people for instance; NaN counts as 0.

    Returns
    -------
    ndarray of float64 (sites,)
        In the unit of the weight. Sums of whole numbers are exact; else the error is that of float64 sums along rows.

    Raises
    ------
    ModelError
        When the weight does not have the shape of the grid.

    Examples
    --------
    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 40.0, 20.0), "EPSG:4547", 10.0)
    >>> runs = (np.array(part, np.int16) for part in ([0, 1, 1], [1, 0, 3], [2, 0, 3]))
    >>> two = Footprints(box, ("A", "B"), 0.75, np.array([0, 1, 3]), *runs)
    >>> demand_of(two, [[1, 2, 3, 4], [5, 6, 7, 8]]).tolist(), two.areas().tolist()
    ([5.0, 13.0], [200.0, 200.0])
    """
    values = np.asarray(weight)
    rows, cols = (int(edge) for edge in footprints.geobox.shape)
    if values.shape != (rows, cols):
        raise ModelError(f"weight has shape {values.shape}, the grid {(rows, cols)}")
    before = np.zeros((rows, cols + 1))
    np.cumsum(np.nan_to_num(values, nan=0.0), axis=1, dtype=np.float64, out=before[:, 1:])
    flat = before.ravel()
    out = np.zeros(len(footprints))
    for sites, runs in footprints.chunks():
        at = np.asarray(footprints.row[runs], np.int64) * (cols + 1)
        part = flat[at + footprints.last[runs] + 1] - flat[at + footprints.first[runs]]
        out[sites] = _sums(part, footprints.indptr[sites.start:sites.stop + 1])
    return out


def to_csc(footprints: Footprints, rows: ArrayLike, cols: ArrayLike) -> csc_matrix:
    """Which points lie in which footprint, as selection takes it.

    Parameters
    ----------
    footprints : Footprints
    rows, cols : array_like of int (points,)
        Pixels of the points, those of demand cells for instance; several points may share one.

    Returns
    -------
    scipy.sparse.csc_matrix of bool (points, sites)

    Raises
    ------
    ModelError
        When points lie outside of the grid.

    Examples
    --------
    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 40.0, 20.0), "EPSG:4547", 10.0)
    >>> runs = (np.array(part, np.int16) for part in ([0, 1], [1, 0], [2, 3]))
    >>> to_csc(Footprints(box, ("A", "B"), 0.75, np.array([0, 1, 2]), *runs), [1, 0], [1, 2]).toarray().tolist()
    [[False, True], [True, False]]
    """
    row, col = np.asarray(rows, np.int64).ravel(), np.asarray(cols, np.int64).ravel()
    if row.shape != col.shape or not inside(footprints.geobox, row, col).all():
        raise ModelError("points must lie on the grid, rows and columns in pairs")
    height, width = (int(edge) for edge in footprints.geobox.shape)
    place = row * width + col
    order = np.argsort(place, kind="stable").astype(np.int32)
    before = np.zeros(height * width + 1, np.int32)  # points at pixels before each pixel
    np.cumsum(np.bincount(place, minlength=height * width), out=before[1:])
    found: list[NDArray[np.int32]] = []
    counts = np.zeros(len(footprints), np.int64)
    for sites, runs in footprints.chunks():
        at = np.asarray(footprints.row[runs], np.int64) * width
        low = before[at + footprints.first[runs]].astype(np.int64)
        count = before[at + footprints.last[runs] + 1] - low
        some = count > 0
        found.append(order[spread(low[some], count[some])])
        counts[sites] = _sums(count, footprints.indptr[sites.start:sites.stop + 1])
    indices = np.concatenate(found) if found else np.zeros(0, np.int32)
    matrix = csc_matrix((np.ones(indices.size, np.bool_), indices, np.concatenate([[0], np.cumsum(counts)])),
                        shape=(row.size, len(footprints)))
    matrix.sort_indices()
    return matrix


def pick_footprints(footprints: Footprints, site_ids: Sequence[str]) -> Footprints:
    """Footprints of some of the sites, in the order given, in memory; ModelError for a site that is not there."""
    lost = [name for name in site_ids if name not in footprints.places]
    if lost:
        raise ModelError(f"no footprint of {len(lost)} sites: {', '.join(lost[:10])}")
    at = np.array([footprints.places[name] for name in site_ids], np.int64)
    count = np.diff(footprints.indptr)[at]
    runs = spread(footprints.indptr[at], count)
    parts = (np.asarray(part[runs]) for part in (footprints.row, footprints.first, footprints.last))
    return replace_runs(footprints, tuple(site_ids), count, *parts)


def join_footprints(parts: Iterable[Footprints]) -> Footprints:
    """Footprints of different sites together, in the order of the parts.

    Raises
    ------
    ModelError
        When there are none, when grids or probabilities differ or a site is in two parts.
    """
    these = list(parts)
    check_joint(these)
    names = tuple(name for part in these for name in part.site_ids)
    runs = (np.concatenate([getattr(part, column) for part in these]) for column in ("row", "first", "last"))
    return replace_runs(these[0], names, np.concatenate([np.diff(part.indptr) for part in these]), *runs)


def check_joint(parts: Sequence[Footprints]) -> None:
    """Raise a ModelError when footprints cannot be put together."""
    if not parts:
        raise ModelError("no footprints to join")
    if any(part.geobox != parts[0].geobox or part.probability != parts[0].probability for part in parts):
        raise ModelError("footprints of different grids or probabilities cannot be joined")
    names = [name for part in parts for name in part.site_ids]
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
        raise ModelError(f"sites with two footprints: {', '.join(twice[:10])}")


def replace_runs(like: Footprints, site_ids: tuple[str, ...], count: NDArray[np.int64], row: NDArray[Any],
                 first: NDArray[Any], last: NDArray[Any]) -> Footprints:
    """Footprints on the same grid with other sites; ``count`` runs of each."""
    indptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return replace(like, site_ids=site_ids, indptr=indptr, row=row, first=first, last=last)
