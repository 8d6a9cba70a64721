"""The problem of selection in arrays: what to serve, what candidates cost, and every limit at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siteplan.selection.model.reach import Reach

_NO_NUMBERS = np.zeros(0, dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Row:
    """A limit on a sum over chosen candidates: ``least <= already + sum(amount of the chosen) <= most``.

    Count quotas (amount 1 for 站址, the number of base stations for 基站), budgets (yuan), and the floor on the share
    of free venues (amount 1 - share for free ones, -share for the others, least 0) are all such rows.

    Attributes
    ----------
    name : str
        Which limit it is, unique in its problem (of a yearly quota: the same in every stage).
    candidates : ndarray of int32
        Candidates that count, ascending.
    amounts : ndarray of float64
        What each of them counts.
    least, most : float
        -inf, inf where there is no such limit.
    already : float
        What stands already and counts too (existing stations of a quota of those on air).
    zh : str
        The limit in words for planners.
    unit : str
        ``站址``, ``基站``, ``元``, ...
    """

    name: str
    candidates: NDArray[np.int32]
    amounts: NDArray[np.float64]
    least: float = -np.inf
    most: float = np.inf
    already: float = 0.0
    zh: str = ""
    unit: str = "站址"


@dataclass(frozen=True, eq=False)
class Floor:
    """Served weight that an area (village, key zone, or all) has to reach: ``sum(weights of served cells) >= least``.

    ``cells`` ascending; ``weights`` > 0 in the area's own measure (people, area, points), which need not be that of
    the objective. ``required`` False: it counts for a :class:`Wanted` only.
    """

    name: str
    cells: NDArray[np.int64]
    weights: NDArray[np.float64]
    least: float
    required: bool = True
    zh: str = ""


@dataclass(frozen=True)
class Wanted:
    """At least ``least`` of these floors (numbers in ``Problem.floors``) have to be reached: villages that pass."""

    name: str
    floors: tuple[int, ...]
    least: int
    zh: str = ""


@dataclass(frozen=True, eq=False)
class Stage:
    """One year of a plan in phases.

    Attributes
    ----------
    year : int
    worth : float
        What service at the end of this year counts in the objective, >= 0; all stages together 1.
    on_air : tuple of Row
        Limits on all that is chosen up to the end of this year.
    new : tuple of Row
        Limits on what is built in this year.
    """

    year: int
    worth: float
    on_air: tuple[Row, ...] = ()
    new: tuple[Row, ...] = ()


@dataclass(frozen=True, eq=False)
class Problem:
    """What to maximise, and within which limits.

    For a set S of candidates, with n_j the number of them that serve cell j, the value is
    ``sum_j weight_j [n_j >= 1] + backup sum_j weight_j [n_j >= 2] + sum_{i in S} bonus_i``.
    With stages, S_1 within S_2 within ... within S_T: ``sum_t worth_t (service of S_t) + sum_{i in S_T} bonus_i``.
    Least cost for a required coverage: ``weight`` 0, ``bonus`` minus the cost, and a :class:`Floor` over all cells.

    Attributes
    ----------
    reach : Reach
    weight : ndarray of float64, shape (cells,)
        >= 0.
    bonus : ndarray of float64, shape (candidates,)
        Worth of the site itself in the unit of the weight; a price is negative.
    backup : float
        What a second server counts, as a share (0 <= backup < 1) of the weight.
    locked : ndarray of bool, shape (candidates,)
        Has to be chosen (mandatory sites; existing ones whose cells are counted in this problem).
    barred : ndarray of bool, shape (candidates,)
        May not be chosen.
    rows, floors, wanted : tuples
        Hold for all that is chosen (with stages: at the end of the last).
    group : ndarray of int32, shape (candidates,)
        Of candidates of the same group at most one is chosen (alternatives at a venue); -1 = none.
    near : ndarray of int32, shape (pairs, 2)
        Pairs that stand nearer to each other than their spacing allows: not both. First < second, rows sorted.
    stages : tuple of Stage
        Empty: everything at once.
    built_in : ndarray of int32, shape (candidates,)
        Stage (0, 1, ...) in which the candidate is built if it is chosen at all (a decision of a year); -1 = free.
    names : tuple of str
        Ids of the candidates; ties go to the lower number, so candidates are sorted by id beforehand.
    """

    reach: Reach
    weight: NDArray[np.float64]
    bonus: NDArray[np.float64]
    locked: NDArray[np.bool_]
    barred: NDArray[np.bool_]
    backup: float = 0.0
    rows: tuple[Row, ...] = ()
    floors: tuple[Floor, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    group: NDArray[np.int32] = field(default_factory=lambda: _NO_NUMBERS)
    near: NDArray[np.int32] = field(default_factory=lambda: _NO_NUMBERS.reshape(0, 2))
    stages: tuple[Stage, ...] = ()
    built_in: NDArray[np.int32] = field(default_factory=lambda: _NO_NUMBERS)
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of candidates."""
        return len(self.reach)


def cover_problem(reach: Reach, weight: NDArray[Any], most_sites: int | None = None, **more: Any) -> Problem:
    """A problem of covering with its defaults filled in: no price, nothing locked or barred, at most so many sites.

    >>> from siteplan.selection.model.reach import reach_of_matrix
    >>> import scipy.sparse as sp
    >>> problem = cover_problem(reach_of_matrix(sp.eye(3).tocsc()), np.array([3.0, 2.0, 1.0]), 2)
    >>> problem.rows[0].name, problem.rows[0].most
    ('max_sites', 2.0)
    """
    count = len(reach)
    everyone, nobody = np.arange(count, dtype=np.int32), np.zeros(count, dtype=bool)
    rows = tuple(more.pop("rows", ()))
    if most_sites is not None:
        rows = (Row("max_sites", everyone, np.ones(count), most=float(most_sites), zh=f"最多新建{most_sites}处"), *rows)
    filled: dict[str, Any] = {
        "bonus": np.zeros(count), "locked": nobody, "barred": nobody, "group": np.full(count, -1, dtype=np.int32),
        "built_in": np.full(count, -1, dtype=np.int32), **more}
    return Problem(reach, np.asarray(weight, dtype=np.float64), rows=rows, **filled)


def relaxed(problem: Problem, stage: int) -> Problem:
    """The problem of one stage alone: every limit of it that follows from those of all stages, as rows.

    Its best value bounds the share of the stage in the value of the whole. What is on air at the end of stage t obeys
    the rows of the stage, the upper limits of later ones (what stands stays, amounts >= 0), and sums of the yearly
    limits up to t. The bonus counts in the last stage. Locked sites need not stand before the last stage unless their
    stage is fixed; candidates fixed to a later stage are barred.
    """
    if not problem.stages:
        return problem
    last = stage == len(problem.stages) - 1
    here = problem.stages[stage]
    later = [row for other in problem.stages[stage + 1:] for row in other.on_air] + ([] if last else [*problem.rows])
    rows = [*here.on_air, *_summed(problem.stages[:stage + 1]), *(problem.rows if last else ())]
    rows += [_upper(row) for row in later if np.isfinite(row.most) and (row.amounts >= 0).all()]
    rows = [_renamed(row, f"{row.name}#{number}") for number, row in enumerate(rows)]
    fixed = problem.built_in
    return Problem(
        problem.reach, problem.weight * here.worth, problem.bonus if last else np.zeros(len(problem)),
        problem.locked if last else problem.locked & (fixed >= 0) & (fixed <= stage),
        problem.barred | (fixed > stage), problem.backup, tuple(rows),
        problem.floors if last else (), problem.wanted if last else (), problem.group, problem.near,
        names=problem.names)


def _renamed(row: Row, name: str) -> Row:
    return Row(name, row.candidates, row.amounts, row.least, row.most, row.already, row.zh, row.unit)


def _upper(row: Row) -> Row:
    return Row(row.name, row.candidates, row.amounts, most=row.most, already=row.already, zh=row.zh, unit=row.unit)


def _summed(stages: tuple[Stage, ...]) -> list[Row]:
    """Sums of the yearly limits of the same name that every stage so far has, over the same candidates."""
    found = []
    for row in stages[0].new:
        same = [next((other for other in stage.new if other.name == row.name), None) for stage in stages]
        rows = [other for other in same if other is not None and np.array_equal(other.candidates, row.candidates)
                and np.array_equal(other.amounts, row.amounts)]
        if len(rows) < len(stages):
            continue
        least, most = (sum(getattr(other, side) - other.already for other in rows) for side in ("least", "most"))
        found.append(Row(row.name, row.candidates, row.amounts, least, most, zh=row.zh, unit=row.unit))
    return found
