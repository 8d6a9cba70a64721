"""What a certificate holds: the problem of a plan as plain tables, and the answer with what proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan.errors import ModelError
from siteplan.selection.model.answer import Answer

CANDIDATE_COLUMNS = ("site_id", "x", "y", "preference", "price", "cost_yuan", "stations", "spacing_m", "venue",
                     "county", "town", "department", "operators", "networks", "kind", "tier", "source", "owner",
                     "must_be_free", "state", "fixed_year")
"""Columns of ``Certificate.candidates``; the writer puts ``number`` before them, what was chosen behind them."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """Everything that is needed to recount a plan and its bound.

    Attributes
    ----------
    study, study_sha256 : str
        As in ``plan.json``.
    candidates : DataFrame
        ``CANDIDATE_COLUMNS``, a row for each candidate in the order of the problem; ``site_id`` may be the index.
        ``state`` free | locked | barred, ``fixed_year`` 0 = none, ``venue`` "" = none.
    service : csc_matrix of float32, shape (cells, candidates)
        Share of the weight of a cell that counts when the candidate serves it, in (0, 1].
    weight, demand : ndarray of float64, shape (cells,)
    row, col : ndarray of int32, shape (cells,)
        Pixel of each cell.
    already : ndarray of float32, shape (cells,)
        Service that existing stations give already.
    objective : mapping
        ``kind`` coverage | least_cost, ``backup``, ``levels``.
    limits, floors, wanted, stages : tuple of mapping
        As ``certificate.json`` holds them; infinite sides as None.
    floor_cells, floor_weights : tuple of ndarray
        Cells (not sub-cells) of each floor, ascending, and what each counts there.
    spacing_m : float
        Least distance of any two chosen sites.
    answer : Answer
        Multipliers over sub-cells: number of sub-cell (level, cell) = level x cells + cell.
    ranked : ndarray of int64
        The chosen candidates in the order of choice.
    served_weight : float
        Weight that the chosen ones serve, in the weight of the cells.
    versions, give_way : mapping
    """

    study: str
    study_sha256: str
    candidates: pd.DataFrame
    service: sp.csc_matrix
    weight: NDArray[np.float64]
    demand: NDArray[np.float64]
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    already: NDArray[np.float32]
    objective: Mapping[str, Any]
    answer: Answer
    ranked: NDArray[np.int64]
    served_weight: float
    limits: tuple[Mapping[str, Any], ...] = ()
    floors: tuple[Mapping[str, Any], ...] = ()
    floor_cells: tuple[NDArray[np.int64], ...] = ()
    floor_weights: tuple[NDArray[np.float64], ...] = ()
    wanted: tuple[Mapping[str, Any], ...] = ()
    stages: tuple[Mapping[str, Any], ...] = ()
    spacing_m: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    give_way: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = _faults(self)
        if faults:
            raise ModelError("the parts of a certificate do not fit: " + "; ".join(faults))

    @property
    def table(self) -> pd.DataFrame:
        """The table of candidates with ``site_id`` as a column."""
        return self.candidates if "site_id" in self.candidates else self.candidates.rename_axis("site_id").reset_index()


def _faults(facts: Certificate) -> list[str]:
    """Where the shapes of the parts do not agree."""
    missing = [name for name in CANDIDATE_COLUMNS if name not in facts.table]
    faults = [f"columns {', '.join(missing)} are missing"] if missing else []
    if not (sp.issparse(facts.service) and facts.service.format == "csc"):
        return [*faults, "service is no csc matrix"]
    cells, count = facts.service.shape
    if count != len(facts.candidates):
        faults.append(f"service has {count} columns, there are {len(facts.candidates)} candidates")
    for name in ("weight", "demand", "row", "col", "already"):
        if np.shape(getattr(facts, name)) != (cells,):
            faults.append(f"{name} has shape {np.shape(getattr(facts, name))}, there are {cells} cells")
    if not len(facts.floors) == len(facts.floor_cells) == len(facts.floor_weights):
        faults.append("floors, floor_cells and floor_weights differ in length")
    if sorted(facts.ranked.tolist()) != facts.answer.chosen.tolist():
        faults.append("ranked is not an order of the chosen candidates")
    return faults


def venue_groups(venue: pd.Series) -> NDArray[np.int32]:
    """Groups of "one of a venue", as ``Problem.group`` and ``Multipliers.groups`` number them in a certificate.

    Group g is the g-th venue by first appearance among the candidates; -1 = no venue.

    Examples
    --------
    >>> venue_groups(pd.Series(["", "B", "A", "B"])).tolist()
    [-1, 0, 1, 0]
    """
    words = venue.astype("object").where(venue.notna() & (venue != ""), None)
    return np.asarray(pd.factorize(words)[0], dtype=np.int32)
