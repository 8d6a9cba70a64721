"""Rules of place that a study file changes: every problem of ``[candidates.rules]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from siteplan.candidates.rules.rule_table import site_rule_faults
from siteplan.errors import Problem
from siteplan.study._entries import entries_of, table_of


def site_rule_problems(raw: Mapping[str, Any], file: str) -> Iterator[Problem]:
    """What is wrong with ``[candidates.rules]``.

    Parameters
    ----------
    raw : mapping
        The parsed study file.
    file : str
        Its name.

    Examples
    --------
    >>> raw = {"candidates": {"rules": {"watter": {"effect": "off"}}}}
    >>> [(found.field, found.reason) for found in site_rule_problems(raw, "study.toml")]
    [('candidates.rules.watter', '没有这条规则(unknown rule)')]
    """
    for code, key, reason, remedy in site_rule_faults(entries_of(table_of(raw.get("candidates")).get("rules"))):
        yield Problem("study", file, "", ".".join(filter(None, ("candidates.rules", code, key))), reason, remedy)
