"""The problem of a certificate as plain arrays: weights by level, limits as sums, the problem of each stage alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.verify._read import Papers

ROUNDING = 1e-6
"""By how much a service (float32) may stay below its level."""


@dataclass(frozen=True, eq=False)
class Sum:
    """A limit: ``least <= already + sum of amounts of what is chosen <= most``.

    ``members``: candidates that count, ``amounts``: what each of them counts. A limit on free venues counts all
    candidates, some with a negative amount.
    """

    name: str
    zh: str
    unit: str
    members: NDArray[np.int64]
    amounts: NDArray[np.float64]
    least: float
    most: float
    already: float = 0.0
    year: int | None = None
    count: str = "new"


@dataclass(frozen=True, eq=False)
class Single:
    """The problem of one stage alone, every limit a :class:`Sum`; without phases that is the whole problem.

    Attributes
    ----------
    weight : ndarray, shape (levels, cells)
        What a cell counts at each level.
    bonus : ndarray, shape (candidates,)
    locked, barred : ndarray of bool
    sums : tuple of Sum
        In the order that the multipliers of rows have.
    last : bool
        Whether floors and wishes hold in it.
    """

    weight: NDArray[np.float64]
    bonus: NDArray[np.float64]
    locked: NDArray[np.bool_]
    barred: NDArray[np.bool_]
    sums: tuple[Sum, ...]
    last: bool


@dataclass(frozen=True, eq=False)
class Case:
    """The whole problem, made from the papers.

    Attributes
    ----------
    papers : Papers
    levels : ndarray
        Rising shares of service at which a cell counts more.
    weight : ndarray, shape (levels, cells)
        What each cell counts more from one level to the next, 0 where existing stations serve that already, and
        everywhere where the cost alone counts.
    bonus : ndarray, shape (candidates,)
        Minus the price.
    backup : float
    venue : ndarray of int
        Number of the venue by first appearance, -1 = none.
    stage : ndarray of int
        Of the chosen candidates (0 without phases), -1 for the others.
    fixed : ndarray of int
        Stage that is fixed, -1 = none.
    sums : tuple of Sum
        In the order of ``certificate.json``.
    """

    papers: Papers
    levels: NDArray[np.float64]
    weight: NDArray[np.float64]
    bonus: NDArray[np.float64]
    backup: float
    venue: NDArray[np.int64]
    stage: NDArray[np.int64]
    fixed: NDArray[np.int64]
    sums: tuple[Sum, ...]

    @property
    def worths(self) -> tuple[float, ...]:
        """What each stage counts; (1,) without phases."""
        return tuple(float(stage["worth"]) for stage in self.papers.facts["stages"]) or (1.0,)

    def levels_of(self, first: int, end: int) -> NDArray[np.int64]:
        """How many levels each entry of the reach of candidates ``first`` to ``end - 1`` attains."""
        papers = self.papers
        shares = papers.service[int(papers.indptr[first]):int(papers.indptr[end])]
        return np.searchsorted(self.levels - ROUNDING, shares.astype(np.float64), side="right")

    def spacing_of(self, one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
        """Least distance that candidates have to keep from each other, m."""
        own = self.papers.candidates["spacing_m"].to_numpy()
        return np.maximum(np.minimum(own[one], own[other]), float(self.papers.facts["spacing_m"]))


def case_of(papers: Papers) -> Case:
    """The problem that a certificate states."""
    table, facts = papers.candidates, papers.facts
    objective, years = facts["objective"], list(papers.years)
    levels = np.array(objective["levels"], dtype=np.float64)
    share = np.diff(levels, prepend=0.0)
    level_weight = share[:, None] * papers.weight * (levels[:, None] > papers.already.astype(np.float64) + ROUNDING)
    least_cost = objective["kind"] == "least_cost"
    known = {year: number for number, year in enumerate(years)}
    chosen = table["chosen"].to_numpy() == 1
    when = table["year"].map(known).fillna(-1).to_numpy(dtype=np.int64) if years else np.where(chosen, 0, -1)
    fixed = table["fixed_year"].map(known).fillna(-1).to_numpy(dtype=np.int64)
    venue = pd.factorize(table["venue"].where(table["venue"] != "", None))[0].astype(np.int64)
    backup, counted = float(objective.get("backup", 0.0)), level_weight * (not least_cost)
    return Case(papers, levels, counted, -table["price"].to_numpy(), backup, venue, when, fixed,
                tuple(_sum(limit, table) for limit in facts["limits"]))


def _sum(limit: dict[str, Any], table: pd.DataFrame) -> Sum:
    of, value = limit["of"], str(limit.get("value", ""))
    stations = np.ones(len(table)) if of == "operator" else table["stations"].to_numpy(dtype=np.float64)
    unit = {"站址": np.ones(len(table)), "基站": stations, "元": table["cost_yuan"].to_numpy()}[limit["unit"]]
    least, most = limit.get("least"), limit.get("most")
    if of in ("all", "free"):
        members = np.ones(len(table), dtype=bool)
    elif of == "operator":
        members = table["networks"].map(lambda words: _serves(words, value)).to_numpy(dtype=bool)
    elif of == "requested_by":
        members = table["operators"].map(lambda words: value in words.split("|")).to_numpy(dtype=bool)
    else:
        members = (table[of] == value).to_numpy(dtype=bool)
    if limit.get("free"):
        members = members & (table["must_be_free"].to_numpy() == 1)
    if of == "free":
        unit = (table["must_be_free"].to_numpy() - float(limit["share"])) * unit
        least, most = 0.0, None
    numbers = np.flatnonzero(members)
    return Sum(limit["name"], str(limit.get("zh") or limit["name"]), limit["unit"], numbers, unit[numbers],
               -np.inf if least is None else float(least), np.inf if most is None else float(most),
               float(limit.get("already") or 0.0), None if limit.get("year") is None else int(limit["year"]),
               limit["count"])


def _serves(networks: str, operator: str) -> bool:
    """Whether a candidate of these networks (joined by ``|``, a shared one by ``&``, ``*`` = every one) serves it."""
    return any(operator in words.split("&") or words == "*" for words in networks.split("|"))


def single(case: Case, stage: int) -> Single:
    """The problem of one stage alone: what is on air at its end, with every limit that follows from those of all.

    The order of its sums is that of ``siteplan/selection/model/problem.py`` ``relaxed``, which the multipliers follow:
    limits on air in this stage; sums of the yearly limits so far, those of the same name and members; limits on
    everything (in the last stage); then upper sides of later limits (what stands stays, so they hold before as well).
    """
    table, years = case.papers.candidates, case.papers.years
    state = table["state"].to_numpy()
    locked, barred = state == "locked", state == "barred"
    if not years:
        return Single(case.weight, case.bonus, locked, barred, case.sums, last=True)
    last = stage == len(years) - 1
    whole = [one for one in case.sums if one.year is None]
    on_air = [one for one in case.sums if one.year == years[stage] and one.count == "on_air"]
    later = [one for year in years[stage + 1:] for one in case.sums if one.year == year and one.count == "on_air"]
    later += [] if last else whole
    upper = [replace(one, least=-np.inf) for one in later if one.most < np.inf and (one.amounts >= 0).all()]
    sums = (*on_air, *_yearly(case, stage), *(whole if last else ()), *upper)
    known = locked if last else locked & (case.fixed >= 0) & (case.fixed <= stage)
    return Single(case.weight * case.worths[stage], case.bonus if last else np.zeros_like(case.bonus), known,
                  barred | (case.fixed > stage), sums, last)


def _yearly(case: Case, stage: int) -> list[Sum]:
    """Sums of the yearly limits of the same name that every stage so far has, over the same candidates."""
    years = case.papers.years
    found = []
    for one in (entry for entry in case.sums if entry.year == years[0] and entry.count == "new"):
        same = [one]
        for year in years[1:stage + 1]:
            named = next((entry for entry in case.sums
                          if entry.year == year and entry.count == "new" and entry.name == one.name), None)
            if named is not None and np.array_equal(named.members, one.members) and np.array_equal(
                    named.amounts, one.amounts):
                same.append(named)
        if len(same) == stage + 1:
            found.append(replace(one, least=sum(entry.least for entry in same), most=sum(entry.most for entry in same)))
    return found
