"""From a table of candidates to the problem in arrays: objective, limits, levels of service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from siteplan.errors import ModelError
from siteplan.params import SelectionParams
from siteplan.selection.certificate import venue_groups
from siteplan.selection.faults import check_wishes
from siteplan.selection.levels import Levels, levelled, service_of
from siteplan.selection.limits import Limit, limits_of, required_floor, rows_of
from siteplan.selection.model import Floor, Problem, Wanted
from siteplan.selection.spacing import near_pairs

LEAST_PREFERENCE = 0.01
"""No preference counts for less: what a site has to bring is divided by it."""
LAST_PUBLIC_TIER = 3
"""Where candidates do not say ``must_open``, tiers up to this one are public venues, poles and existing masts."""


@dataclass(frozen=True, eq=False)
class Wishes:
    """What a plan has to heed besides settings and candidates.

    Attributes
    ----------
    existing : DataFrame or None
        Existing sites, for quotas of those on air: the columns that quotas ask for, and ``stations``.
    floors, wanted : tuples
        On plain demand cells, see :class:`siteplan.selection.model.Floor`.
    kept : tuple of str
        Ids of candidates that have to be chosen.
    years : mapping of str to int
        Year in which a candidate is built if it is chosen.
    already : ndarray or None
        Per demand cell the service that existing stations give, 0..1.
    barred : mapping of str to str
        Ids of candidates that may not be chosen, and why (Chinese).
    floor_facts : tuple of mapping
        The floors in the words of the certificate.
    """

    existing: pd.DataFrame | None = None
    floors: tuple[Floor, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    kept: tuple[str, ...] = ()
    years: Mapping[str, int] = field(default_factory=dict)
    already: NDArray[np.float64] | None = None
    barred: Mapping[str, str] = field(default_factory=dict)
    floor_facts: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, eq=False)
class Task:
    """The question of a selection, in tables and in arrays; candidates in the order of the problem.

    Attributes
    ----------
    candidates : DataFrame
        Index ``site_id``; best preference first, then the cheaper, then by id: of equal ones the first is chosen.
    given : csc_matrix
        Demand cells x candidates, as it was given (probabilities where service is weighted by them).
    matrix : csc_matrix
        The same entries, 1 where the candidate serves the cell at all.
    service : csc_matrix
        The same entries: share of the cell's weight that counts when the candidate serves it, 0..1.
    weight : ndarray, shape (demand cells,)
    price : ndarray, shape (candidates,)
        Weight that the objective takes off for building the site: ``least`` divided by the preference of its tier.
    least : ndarray, shape (candidates,)
        Weight that the site has to serve newly to be worth building, whoever owns it: ``min_gain``, or what its cost
        asks for.
    levels : Levels
    limits : tuple of Limit
    problem : Problem
    params : SelectionParams
    """

    candidates: pd.DataFrame
    given: sp.csc_matrix
    matrix: sp.csc_matrix
    service: sp.csc_matrix
    weight: NDArray[np.float64]
    price: NDArray[np.float64]
    least: NDArray[np.float64]
    levels: Levels
    limits: tuple[Limit, ...]
    problem: Problem
    params: SelectionParams
    wishes: Wishes

    @property
    def xy(self) -> NDArray[np.float64]:
        """Places of the candidates, m, shape (candidates, 2)."""
        return np.asarray(self.candidates[["x", "y"]].to_numpy(dtype=np.float64))

    @property
    def public(self) -> NDArray[np.bool_]:
        """Which candidates have to open, see :func:`is_public`."""
        return is_public(self.candidates)

    @property
    def cost(self) -> NDArray[np.float64]:
        """Cost of the candidates, yuan."""
        return np.asarray(self.candidates["cost_yuan"].to_numpy(dtype=np.float64))


def is_public(candidates: pd.DataFrame) -> NDArray[np.bool_]:
    """Which candidates are public venues, poles or existing masts: those that have to open.

    Tiers and duties are edited apart from each other, so the duty (``must_open``) decides; only where the table has no
    such column, the tiers 1 to ``LAST_PUBLIC_TIER`` do.

    >>> is_public(pd.DataFrame({"tier": [0, 1, 3, 4]})).tolist()
    [False, True, True, False]
    >>> is_public(pd.DataFrame({"tier": [3, 4], "must_open": [False, True]})).tolist()
    [False, True]
    """
    if "must_open" in candidates:
        return np.asarray(candidates["must_open"].to_numpy(dtype=bool))
    tier = column_of(candidates, "tier", 0.0)
    return np.asarray((tier >= 1) & (tier <= LAST_PUBLIC_TIER))


def column_of(candidates: pd.DataFrame, name: str, default: float) -> NDArray[np.float64]:
    """A number per candidate; the default where the column or the value is missing."""
    if name not in candidates:
        return np.full(len(candidates), default)
    return np.asarray(np.nan_to_num(candidates[name].to_numpy(dtype=np.float64), nan=default))


def _readable(candidates: pd.DataFrame) -> pd.DataFrame:
    """The table with ids as text and duties as yes or no; ModelError for columns that are missing or no numbers."""
    missing = [name for name in ("cost_yuan", "preference", "x", "y") if name not in candidates]
    if missing:
        raise ModelError(f"candidates lack the columns {', '.join(missing)}")
    table = candidates.set_axis(candidates.index.astype(str).rename(candidates.index.name))
    for name in ("cost_yuan", "preference", "x", "y"):
        try:
            table = table.assign(**{name: table[name].astype(np.float64)})
        except (TypeError, ValueError) as error:
            raise ModelError(f"the column {name} of candidates holds something that is no number: {error}") from error
    duties = [name for name in ("must_open", "must_be_free") if name in table]
    return table.assign(**{name: table[name].astype("boolean").fillna(False).astype(bool) for name in duties})


def _check_names(candidates: pd.DataFrame, params: SelectionParams, wishes: Wishes) -> None:
    """ModelError for wishes about candidates or years that there are not, and for existing sites without a number."""
    known, years = set(candidates.index), params.phases.years
    strange = sorted({site for site in (*wishes.kept, *wishes.years, *wishes.barred) if site not in known})
    told = [f"wishes name candidates that there are not: {', '.join(strange[:5])}"] if strange else []
    astray = sorted(site for site, year in wishes.years.items() if year not in years)
    if astray and years:
        told.append(f"years of candidates lie outside of the phases {years}: {', '.join(astray[:5])}")
    old = wishes.existing
    if old is not None and "stations" in old:
        bad = old.index[pd.to_numeric(old["stations"], errors="coerce").isna()]
        if len(bad):
            told.append(f"existing sites without a number of stations: {', '.join(map(str, bad[:5]))}")
    if told:
        raise ModelError("; ".join(told))


def checked_reach(reach: sp.spmatrix, weight: NDArray[Any]) -> tuple[sp.csc_matrix, NDArray[np.float64]]:
    """Reach as a csc matrix without zeros, and weights as float64; ModelError names what is wrong."""
    if not sp.issparse(reach):
        raise ModelError("reach must be a scipy.sparse matrix, demand x sites")
    matrix = sp.csc_matrix(reach, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    if not (np.isfinite(matrix.data).all() and (matrix.data > 0).all()):
        raise ModelError("reach must hold no NaN and no negative number")
    weights = np.asarray(weight, dtype=np.float64)
    if weights.shape != (matrix.shape[0],):
        raise ModelError(f"weight has shape {weights.shape}, reach has {matrix.shape[0]} rows: one weight per row")
    bad = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if len(bad):
        raise ModelError(f"weight must be finite and >= 0; wrong in {len(bad)} rows, first rows {bad[:5].tolist()}")
    return matrix, weights


def task_of(candidates: pd.DataFrame, reach: sp.spmatrix, weight: NDArray[Any], params: SelectionParams,
            wishes: Wishes | None = None, strength: float = 1.0) -> Task:
    """The question in arrays.

    Parameters
    ----------
    candidates, reach, weight, params, wishes
        As :func:`siteplan.selection.select_sites` takes them.
    strength : float
        Power that the preference is taken to: 1 as it is, 0 none at all (no share of free venues is asked for either).

    Raises
    ------
    ModelError
        Everything that is wrong with candidates, weights and wishes, collected.
    """
    asked = Wishes() if wishes is None else wishes
    matrix, weights = checked_reach(reach, weight)
    if len(candidates) != matrix.shape[1]:
        raise ModelError(f"{len(candidates)} candidates for {matrix.shape[1]} columns of reach")
    candidates = _readable(candidates)
    _check_names(candidates, params, asked)
    open_ = ~np.isin(candidates.index.astype(str), list(asked.barred))
    check_wishes(candidates[open_], sp.csc_matrix(matrix[:, np.flatnonzero(open_)]), weights, params, asked)
    factor = _preference(candidates, params, strength)
    order = np.lexsort((np.asarray(candidates.index, dtype=object).astype(str), candidates["cost_yuan"], -factor))
    table, matrix, factor = candidates.iloc[order], sp.csc_matrix(matrix[:, order]), factor[order]
    thresholds = params.probability_levels if params.probability_weighted else None
    plain = sp.csc_matrix((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    service = service_of(plain if thresholds is None else matrix, np.ones(len(table)), thresholds)
    levels = levelled(service, weights, _graded(asked.already, thresholds))
    least = np.maximum(params.min_gain, table["cost_yuan"].to_numpy(dtype=np.float64) / params.max_yuan_per_gain)
    price = least / factor + strength * _tier_price(table, params)
    table = table if "stations" in table else table.assign(stations=1)
    limits = tuple(limit for limit in limits_of(params, asked.existing) if strength > 0 or limit.of != "free")
    problem = _problem(table, levels, price, limits, (params, asked))
    return Task(table, matrix, plain, service, weights, price, least, levels, limits, problem, params, asked)


def _graded(already: NDArray[np.float64] | None, grades: Sequence[float] | None) -> NDArray[np.float64] | None:
    """Service that was there before, rounded down to the grades that service is told in."""
    if already is None or grades is None:
        return already
    return np.asarray(np.concatenate([[0.0], grades])[np.searchsorted(grades, already, side="right")])


def _preference(candidates: pd.DataFrame, params: SelectionParams, strength: float) -> NDArray[np.float64]:
    if params.preference_mode != "factor" or params.objective == "least_cost":
        return np.ones(len(candidates))
    return np.asarray(np.maximum(candidates["preference"].to_numpy(dtype=np.float64), LEAST_PREFERENCE) ** strength)


def _tier_price(candidates: pd.DataFrame, params: SelectionParams) -> NDArray[np.float64]:
    """Weight that a site of each tier has to bring besides, in the mode that tells it."""
    told = params.tier_price_people if params.preference_mode == "cost" else {}
    tier = [str(int(number)) for number in column_of(candidates, "tier", 0.0)]
    name = candidates["tier_name"].astype(str) if "tier_name" in candidates else pd.Series("", candidates.index)
    return np.array([told.get(number, told.get(word, 0.0)) for number, word in zip(tier, name, strict=True)])


def _problem(table: pd.DataFrame, levels: Levels, price: NDArray[np.float64], limits: tuple[Limit, ...],
             asked: tuple[SelectionParams, Wishes]) -> Problem:
    params, wishes = asked
    rows, stages = rows_of(limits, table, params.phases)
    count, index = len(table), {str(site): number for number, site in enumerate(table.index)}
    locked = np.zeros(count, dtype=bool)
    locked[[index[site] for site in wishes.kept if site in index]] = True
    built_in = np.full(count, -1, dtype=np.int32)
    years = [stage.year for stage in stages]
    for site, year in wishes.years.items():
        if site in index and year in years:
            built_in[index[site]] = years.index(year)
    venue = table["venue"] if "venue" in table else pd.Series("", index=table.index)
    near = near_pairs(table[["x", "y"]].to_numpy(dtype=np.float64), column_of(table, "spacing_m", 0.0),
                      params.spacing_m)
    barred = np.array([str(site) in wishes.barred for site in table.index], dtype=bool)
    problem = Problem(
        levels.reach, levels.weight, -price, locked, barred, params.backup_share, rows,
        wishes.floors, wishes.wanted, venue_groups(venue), near, stages, built_in, tuple(map(str, table.index)))
    if params.objective != "least_cost":
        return problem
    floor = required_floor(problem.weight[:levels.cells], float(params.required_share or 0.0))
    return replace(problem, weight=np.zeros(len(problem.weight)), bonus=-table["cost_yuan"].to_numpy(dtype=np.float64),
                   floors=(*problem.floors, floor))
