"""What a study file says about venues: every problem of ``[venues]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from siteplan.errors import Problem
from siteplan.study._entries import entries_of, table_of
from siteplan.venues import venue_faults


def venue_problems(raw: Mapping[str, Any], file: str) -> Iterator[Problem]:
    """What is wrong with the profile, classes, tiers and departments of ``[venues]``.

    Values that are no tables where tables belong are told with the faults of the whole study file.

    Parameters
    ----------
    raw : mapping
        The parsed study file.
    file : str
        Its name.

    Examples
    --------
    >>> [problem.field for problem in venue_problems({"venues": {"classes": {"park": {"tier": 9}}}}, "study.toml")]
    ['venues.classes.park.tier']
    """
    venues = table_of(raw.get("venues"))
    profile = venues.get("profile", "national")
    classes, tiers, departments = (entries_of(venues.get(key)) for key in ("classes", "tiers", "departments"))
    costs = entries_of(table_of(raw.get("candidates")).get("costs"))
    for field, reason, remedy in venue_faults(profile if isinstance(profile, str) else "national", classes, tiers,
                                              departments, tuple(costs)):
        yield Problem("study", file, "", f"venues.{field}", reason, remedy)
