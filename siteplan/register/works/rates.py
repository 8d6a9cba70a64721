"""How near, how early, at what saving works are done together (``tables/joint_works.toml``)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from siteplan.errors import Problem, RegisterError
from siteplan.params import Settings
from siteplan.register.dictionary import register_tables
from siteplan.schema import match_value
from siteplan.setting_faults import value_fault
from siteplan.tables import read_table

KINDS = ("road", "land", "building", "gallery")
"""Kinds of works, as the register has them."""


class WorksKind(Settings):
    """One kind of works: corridors, time, money; see the head of the table."""

    site_corridor_m: float = Field(ge=0, le=1000)
    link_corridor_m: float = Field(gt=0, le=1000)
    lead_months: int = Field(ge=0, le=60)
    joins_after_start: bool
    usual_months: int = Field(ge=1, le=240)
    own_trench_yuan_per_m: float = Field(ge=0)
    joint_trench_yuan_per_m: float = Field(ge=0)
    foundation_yuan: float = Field(ge=0)
    power_yuan: float = Field(ge=0)
    positions_yuan: float = Field(ge=0)
    words: tuple[str, ...] = ()
    source: str = ""

    @model_validator(mode="after")
    def _joint_is_cheaper(self) -> Self:
        if self.joint_trench_yuan_per_m > self.own_trench_yuan_per_m:
            raise ValueError("同步开挖的每米费用高于单独开挖")
        return self


class MatchRules(Settings):
    """What counts as a match, whatever the kind."""

    least_shared_m: float = Field(ge=0)
    founded_mounts: tuple[str, ...]
    placed_mounts: tuple[str, ...]
    demand_kinds: tuple[str, ...]


class ListRules(Settings):
    """When a works of a new list is one that is known."""

    same_place_m: float = Field(gt=0)
    same_share: float = Field(gt=0, le=1)


class PowerRates(Settings):
    """Power that sites need, kW for each station of a kind, times a headroom."""

    kind_kw: dict[str, float]
    headroom: float = Field(ge=1)
    source: str = ""


class JointWorks(Settings):
    """The whole table ``joint_works.toml``."""

    source: str
    match: MatchRules
    list: ListRules
    power: PowerRates
    kinds: dict[str, WorksKind]

    @model_validator(mode="after")
    def _every_kind(self) -> Self:
        if set(self.kinds) != set(KINDS):
            raise ValueError(f"工程类型须为 {', '.join(KINDS)}")
        return self


@cache
def _usual() -> JointWorks:
    return JointWorks.model_validate(dict(read_table("joint_works")))


def load_joint_works(changes: Mapping[str, Any] | None = None) -> JointWorks:
    """The rates of the package, with those that a city changes.

    Parameters
    ----------
    changes : mapping, optional
        Single keys in the shape of the table; all others stay.

    Raises
    ------
    RegisterError
        A key that is not known, or a value out of bounds: every one is named.

    Examples
    --------
    >>> load_joint_works({"kinds": {"road": {"lead_months": 4}}}).kinds["road"].lead_months
    4
    """
    if not changes:
        return _usual()
    try:
        return JointWorks.model_validate(_changed(read_table("joint_works"), changes))
    except ValidationError as error:
        raise RegisterError("同步工程的参数不能用:", [_problem(dict(fault)) for fault in error.errors()]) from None


def _changed(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(table)
    for key, value in changes.items():
        inner = out.get(key)
        out[key] = _changed(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return out


def _problem(fault: Mapping[str, Any]) -> Problem:
    key = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return Problem("works", "joint_works", "", key, "没有这个参数", "按 joint_works.toml 的键填写")
    if fault["type"] == "value_error":
        return Problem("works", "joint_works", "", key, str(fault["ctx"]["error"]), "核对两个数")
    return Problem("works", "joint_works", "", key, value_fault(fault), "改正取值")


@lru_cache(maxsize=4096)
def works_kind(text: str, name: str = "") -> str:
    """Kind of works by the words of a list; empty where no word says it.

    A spelling of the register decides; else the words of the table in the kind, then in the name: the word that ends
    last, the longer on a tie.

    Examples
    --------
    >>> works_kind("管廊"), works_kind("雨污分流"), works_kind("路面大修"), works_kind("", "滨河公路工程"), works_kind("绿化")
    ('gallery', 'gallery', 'road', 'road', '')
    """
    code = match_value(register_tables()["works"].fields["kind"].spec, text) if text else None
    if code is not None:
        return code
    for told in (text.casefold(), name.casefold()):
        hits = [(told.rfind(word) + len(word), len(word), kind) for word, kind in _words().items() if word in told]
        if hits:
            return max(hits)[2]
    return ""


@cache
def _words() -> Mapping[str, str]:
    return MappingProxyType({word: kind for kind in KINDS for word in _usual().kinds[kind].words})
