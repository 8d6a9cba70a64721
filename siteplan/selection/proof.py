"""A selection as a certificate: the whole question and the answer, for whoever wants to count it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from siteplan.errors import ModelError
from siteplan.selection.certificate import CANDIDATE_COLUMNS, Certificate
from siteplan.selection.choose import Selection
from siteplan.selection.demand import DemandCells
from siteplan.selection.limits import limit_facts
from siteplan.selection.model import Floor
from siteplan.selection.task import Wishes, column_of

_TEXTS = ("venue", "county", "town", "department", "operators", "networks", "kind", "source", "owner")
_NUMBERS = {"preference": 1.0, "spacing_m": 0.0, "stations": 1.0, "tier": 0.0, "must_be_free": 0.0}


def certificate_of(selection: Selection, cells: DemandCells, study: Mapping[str, Any],
                   versions: Mapping[str, str]) -> Certificate:
    """Everything that is needed to recount a selection and its bound.

    Parameters
    ----------
    selection : Selection
    cells : DemandCells
        Those it was made on, in the same order.
    study : mapping
        ``name`` and ``sha256`` of the study, as in ``plan.json``.
    versions : mapping
        Versions of siteplan and its libraries.

    Raises
    ------
    ModelError
        Cells of another selection.
    """
    task = selection.task
    if len(cells) != len(task.weight):
        raise ModelError(f"{len(cells)} demand cells for a selection on {len(task.weight)}")
    problem, params, wishes = task.problem, task.params, task.wishes
    already = np.zeros(len(cells)) if wishes.already is None else np.asarray(wishes.already)
    priced = not problem.weight.any()
    answer = replace(selection.answer, value=selection.value, bound=selection.upper_bound, status=selection.status,
                     chosen=np.sort(selection.chosen), stage=_stages(selection))
    return Certificate(
        str(study["name"]), str(study["sha256"]), _candidates(selection), task.service.astype(np.float32), task.weight,
        cells.demand, cells.rows.astype(np.int32), cells.cols.astype(np.int32), already.astype(np.float32),
        {"kind": "least_cost" if priced else "coverage", "backup": problem.backup,
         "levels": [float(level) for level in task.levels.levels]},
        answer, selection.chosen, selection.covered, tuple(limit_facts(task.limits)),
        tuple(_floor_fact(floor, wishes) for floor in problem.floors),
        tuple(floor.cells for floor in problem.floors), tuple(floor.weights for floor in problem.floors),
        tuple({"name": wish.name, "zh": wish.zh, "floors": list(wish.floors), "least": wish.least}
              for wish in problem.wanted),
        tuple({"year": stage.year, "worth": stage.worth} for stage in problem.stages), params.spacing_m, versions,
        {"within_m": params.give_way_m, "share": params.give_way_share, "given": dict(selection.given)})


def _floor_fact(floor: Floor, wishes: Wishes) -> dict[str, Any]:
    """A floor in the words of the certificate."""
    told: dict[str, Any] = {"kind": "all", "share": None}
    known: Mapping[str, Any] = next((fact for fact in wishes.floor_facts if fact["name"] == floor.name), {})
    told |= {key: known[key] for key in told if key in known}
    return {**told, "name": floor.name, "zh": floor.zh, "required": floor.required, "least": floor.least}


def _stages(selection: Selection) -> np.ndarray:
    """Stage of each chosen candidate, in the order of their numbers."""
    years = [stage.year for stage in selection.task.problem.stages]
    when = np.array([years.index(year) if years else 0 for year in selection.years], dtype=np.int32)
    return when[np.argsort(selection.chosen)]


def _candidates(selection: Selection) -> pd.DataFrame:
    """The table of candidates in the columns of the certificate."""
    task = selection.task
    problem, given = task.problem, task.candidates
    table = pd.DataFrame({"site_id": list(problem.names), "x": task.xy[:, 0], "y": task.xy[:, 1],
                          "price": -problem.bonus, "cost_yuan": task.cost})
    for name in _TEXTS:
        table[name] = given[name].astype("str").fillna("").to_numpy() if name in given else ""
    for name, default in _NUMBERS.items():
        table[name] = column_of(given, name, default)
    years = np.array([0, *(stage.year for stage in problem.stages)])
    table["fixed_year"] = years[problem.built_in + 1] if problem.stages else 0
    table["state"] = np.where(problem.locked, "locked", np.where(problem.barred, "barred", "free"))
    for name in ("stations", "tier", "must_be_free"):
        table[name] = table[name].astype("int64")
    return table[list(CANDIDATE_COLUMNS)]
