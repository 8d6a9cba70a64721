"""Named coverage rules, read from ``tables/rules.toml``."""

from __future__ import annotations

import difflib
from functools import cache
from typing import Literal

from pydantic import Field

from siteplan.errors import ModelError
from siteplan.params import Settings
from siteplan.tables import read_table

KIND_ZH = {"committee": "村委会", "school": "学校", "clinic": "卫生室", "settlement": "自然村"}


class Rule(Settings):
    """One coverage rule: what is measured, and the least value that passes."""

    id: str
    zh: str = Field(description="sentence printed beside every rate")
    measure: Literal["area_share", "demand_share", "points"]
    minimum: float = Field(ge=0, le=1, description="least share that passes")
    kinds: tuple[str, ...] = Field((), description="kinds of village points that must be covered")
    point_probability: float = Field(0.75, gt=0, le=1, description="probability at which a point counts as covered")
    technology: Literal["5G", "4G"] = Field("5G", description="networks that count")
    site_within_m: float | None = Field(
        None, gt=0, description="a site of the technology so near the committee passes the village")
    least_households: int = Field(0, ge=0, description="settlements known to have fewer households are left out")
    source: str


@cache
def load_rules() -> dict[str, Rule]:
    """All rules by id.

    >>> load_rules()["area_share_95"].minimum
    0.95
    """
    return {key: Rule(id=key, **entry) for key, entry in read_table("rules")["rules"].items()}


def rule_named(rule_id: str) -> Rule:
    """The rule of that id.

    Raises
    ------
    ModelError
        The id is unknown; the nearest known one is named.

    >>> rule_named("village_miit_2025").kinds
    ('committee', 'school', 'clinic')
    """
    rules = load_rules()
    if rule_id not in rules:
        near = difflib.get_close_matches(rule_id, rules, n=1)
        hint = f", did you mean {near[0]!r}?" if near else f"; known: {', '.join(rules)}"
        raise ModelError(f"unknown rule {rule_id!r}{hint}")
    return rules[rule_id]
