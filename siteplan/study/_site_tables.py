"""Scenes and cost models that a study file adds: all that is wrong with ``[candidates.scenes]`` and ``.costs``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from siteplan.candidates.context import load_mounts
from siteplan.candidates.traits.costs import CostModel, cost_model_named
from siteplan.candidates.traits.scenes import PlaceScene, scene_named
from siteplan.errors import Problem
from siteplan.setting_faults import suggestion
from siteplan.study._entries import entries_of, faulty_entries, table_of
from siteplan.tables import read_table


def site_table_problems(raw: Mapping[str, Any], file: str) -> Iterator[Problem]:
    """What is wrong with ``[candidates.scenes]`` and ``[candidates.costs]``.

    Parameters
    ----------
    raw : mapping
        The parsed study file.
    file : str
        Its name.

    Examples
    --------
    >>> wrong = {"candidates": {"costs": {"hall": {"like": "free_publik"}}}}
    >>> [(problem.field, problem.remedy) for problem in site_table_problems(wrong, "study.toml")]
    [('candidates.costs.hall.like', '是否应为 free_public?')]
    """
    tables = table_of(raw.get("candidates"))
    scenes, costs = entries_of(tables.get("scenes")), entries_of(tables.get("costs"))
    yield from faulty_entries("candidates.scenes", scenes, read_table("scenes")["scenes"],
                       (PlaceScene, lambda name: scene_named(name, scenes)), file)
    yield from faulty_entries("candidates.costs", costs, read_table("costs")["costs"],
                       (CostModel, lambda name: cost_model_named(name, costs)), file)
    yield from _unknown_mounts(costs, file)


def _unknown_mounts(costs: Mapping[str, Mapping[str, Any]], file: str) -> Iterator[Problem]:
    """Cost models whose ``civil_mount`` no mount has."""
    for name, entry in costs.items():
        mount = entry.get("civil_mount")
        if isinstance(mount, str) and mount and mount not in load_mounts():
            yield Problem("study", file, "", f"candidates.costs.{name}.civil_mount",
                          f"没有这种安装方式(unknown mount):{mount}", suggestion(mount, load_mounts()))
