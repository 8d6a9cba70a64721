"""What a method answers: the choice, how good it is, and how that is proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NONE = np.zeros(0)


@dataclass(frozen=True)
class Effort:
    """How long a method may work. Moves and passes are counted, not timed: the same effort gives the same plan.

    Attributes
    ----------
    seed : int
        Of all that is random.
    moves : int or None
        Moves of the annealing; None: by the size of the problem.
    passes : int or None
        Passes of the bound; None: by the size of the problem.
    gap : float
        Good enough: methods stop when the proved gap is not greater.
    seconds : float or None
        Greatest wall time; what it cuts short is told (``Answer.cut``) and need not come out the same again.
    threads : int
    share : float
        Of the passes that the bound takes by the size of the problem, where ``passes`` does not give them.
    """

    seed: int = 0
    moves: int | None = None
    passes: int | None = None
    gap: float = 0.0
    seconds: float | None = None
    threads: int = 2
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Multipliers:
    """Prices of the limits of one problem (one stage), all >= 0: any of them give a valid upper bound.

    Attributes
    ----------
    cells : ndarray, shape (cells,)
        Of "a cell counts only when it is served", 0 to the greatest worth of the cell.
    rows_least, rows_most : ndarray, shape (rows,)
        Of the two sides of each row, 0 where that side is no limit.
    groups : ndarray, shape (greatest group + 1,)
        Of "one of a group".
    cliques : ndarray, shape (cliques,)
        Of "one of a clique" (sets of candidates that are pairwise too near).
    floors : ndarray, shape (floors,)
        Of the floors that are required, and of those that are wanted.
    wanted : ndarray, shape (wanted,)
    clique_indptr, clique_members : ndarray of int
        Members of clique k: ``clique_members[clique_indptr[k]:clique_indptr[k + 1]]``.
    """

    cells: NDArray[np.float64]
    rows_least: NDArray[np.float64] = field(default_factory=lambda: _NONE)
    rows_most: NDArray[np.float64] = field(default_factory=lambda: _NONE)
    groups: NDArray[np.float64] = field(default_factory=lambda: _NONE)
    cliques: NDArray[np.float64] = field(default_factory=lambda: _NONE)
    floors: NDArray[np.float64] = field(default_factory=lambda: _NONE)
    wanted: NDArray[np.float64] = field(default_factory=lambda: _NONE)
    clique_indptr: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    clique_members: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, dtype=np.int32))


@dataclass(frozen=True, eq=False)
class Answer:
    """A choice and what is known of it.

    Attributes
    ----------
    status : str
        ``optimal`` (gap at most 1e-9, or an exact search that ended), ``feasible`` (every limit holds), ``infeasible``
        (proved; ``conflicts`` names limits that cannot hold together) or ``unknown`` (no plan found, nothing proved).
    chosen : ndarray of int64
        Candidates, ascending; empty where there is no plan.
    stage : ndarray of int32
        Stage in which each of them is built, 0 without stages.
    value, bound : float
        Value of the choice, and what no choice within the limits exceeds (inf where nothing is proved).
    multipliers : tuple of Multipliers
        One for each stage (one in all without stages); empty where the bound does not come from them.
    proof : str
        ``multipliers``, ``search`` (an exact search that ended, or its bound), or "".
    method : str
    seed : int
    seconds : float
        Of the processor.
    cut : str
        What a limit of time or memory cut short; empty when nothing was.
    conflicts : tuple of str
        Names of the limits that conflict.
    facts : mapping
        What else the method tells: moves made, passes, ...
    """

    status: str
    chosen: NDArray[np.int64]
    stage: NDArray[np.int32]
    value: float
    bound: float = np.inf
    multipliers: tuple[Multipliers, ...] = ()
    proof: str = ""
    method: str = ""
    seed: int = 0
    seconds: float = 0.0
    cut: str = ""
    conflicts: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gap(self) -> float:
        """``(bound - value) / |value|``; 0 when both are equal, inf where nothing is proved or the value is 0."""
        if not np.isfinite(self.bound):
            return float("inf")
        room = max(self.bound - self.value, 0.0)
        if room == 0:
            return 0.0
        return float(room / abs(self.value)) if self.value else float("inf")
