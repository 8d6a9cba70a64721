"""Rules of place as settings, read from ``tables/site_rules.toml`` and from the study file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError, field_validator

from siteplan.candidates.context import load_mounts
from siteplan.entries import LIKE, Entries, completed, like_faults
from siteplan.errors import ModelError, Problem
from siteplan.params import CANDIDATE_KINDS, CandidateKind, Settings
from siteplan.setting_faults import suggestion, value_fault
from siteplan.tables import read_table

OTHER = "restricted_other"
"""Code of restricted areas that no rule has a word for."""
OWN_SOURCE = "研究文件"
_ALWAYS = ("zh", "effect", "kinds", "mounts", "sources", "not_sources", "check_data", "source")
"""Fields that every rule has; the others are for the rules of the package that have them, and for restricted areas."""
_AREAS = ("words", "distance_m", "by_word", "lines", "named")
_REMEDY = {
    "effect": "refuse = 不可用,flag = 只提示,off = 停用", "distance_m": "写 0 到 20000 之间的米数,如 50",
    "kinds": "写成列表,如 [\"macro\"]", "mounts": "写成列表,可用:见 tables/mounts.toml", "words": "写成列表,如 [\"湿地\"]",
    "zh": "写规则的简短名称,它印在每条理由里", "by_word": "写成表,如 { \"高速\" = 30 }",
}


class SiteRule(Settings):
    """One rule of place; see the head of ``tables/site_rules.toml`` for the fields.

    Raises
    ------
    pydantic.ValidationError
        A field is missing, unknown or out of bounds.
    """

    id: str
    zh: str = Field(min_length=1, max_length=40)
    effect: Literal["refuse", "flag", "off"]
    kinds: tuple[Literal["macro", "micro"], ...] = ()
    mounts: tuple[str, ...] = ()
    sources: tuple[CandidateKind, ...] = ()
    not_sources: tuple[CandidateKind, ...] = ()
    words: tuple[str, ...] = ()
    distance_m: float | None = Field(None, ge=0, le=20000)
    by_word: dict[str, float] = Field(default_factory=dict)
    lines: bool = False
    named: bool = True
    check_data: bool = False
    source: str = Field(min_length=1)

    @field_validator("mounts")
    @classmethod
    def _known_mounts(cls, mounts: tuple[str, ...]) -> tuple[str, ...]:
        for name in mounts:
            if name not in load_mounts():
                raise ValueError(f"没有这种架设方式:{name}")
        return mounts

    @field_validator("by_word")
    @classmethod
    def _distances(cls, by_word: dict[str, float]) -> dict[str, float]:
        if not all(0 <= value <= 20000 for value in by_word.values()):
            raise ValueError("距离应在 0 到 20000 米之间")
        return by_word

    @field_validator("words")
    @classmethod
    def _no_empty_word(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if not all(words):
            raise ValueError("不能有空的词")
        return words

    @property
    def is_area(self) -> bool:
        """Whether the rule is about a kind of restricted area."""
        return bool(self.words) or self.id == OTHER

    def applies_to(self, sites: pd.DataFrame) -> np.ndarray:
        """Sites that the rule is for: not existing ones, and of its kinds, mounts and sources."""
        out = (sites["status"] != "existing").to_numpy(dtype=bool)
        for column, wanted in (("kind", self.kinds), ("mount", self.mounts), ("source", self.sources)):
            if wanted:
                out = out & sites[column].isin(wanted).to_numpy(dtype=bool)
        if self.not_sources:
            out = out & ~sites["source"].isin(self.not_sources).to_numpy(dtype=bool)
        return out


def _known() -> Mapping[str, Mapping[str, Any]]:
    return read_table("site_rules")["rules"]


def _rule_of(code: str, extra: Entries) -> SiteRule:
    """One rule; what a study gives as ``distance_m`` comes before the package's distances by word."""
    entry = completed(code, _known(), extra)
    own = extra.get(code, {})
    if "distance_m" in own and "by_word" not in own:
        entry.pop("by_word", None)
    if code not in _known():
        entry = {"effect": "refuse", "distance_m": 0.0, "source": OWN_SOURCE, **entry}
    return SiteRule(**{**entry, "id": code})


def site_rules(extra: Entries | None = None) -> Mapping[str, SiteRule]:
    """Rules of place by code, in the order in which reasons name them.

    Parameters
    ----------
    extra : mapping, optional
        ``[candidates.rules]`` of the study: single fields by code. A code that the package has not is a kind of
        restricted area, needs ``zh`` and ``words`` and comes last.

    Raises
    ------
    ModelError
        With a problem for every fault of every rule.

    Examples
    --------
    >>> rules = site_rules({"ecology_red_line": {"distance_m": 50}, "water": {"effect": "off"}})
    >>> rules["ecology_red_line"].distance_m, rules["water"].effect, rules["highway"].by_word["高速"]
    (50.0, 'off', 30.0)
    """
    given = extra or {}
    faults = site_rule_faults(given)
    if faults:
        raise ModelError("the rules of candidates cannot be used", (
            Problem("study", "", "", ".".join(filter(None, ("candidates.rules", code, key))), *words)
            for code, key, *words in faults))
    return {code: _rule_of(code, given) for code in (*_known(), *(code for code in given if code not in _known()))}


def site_rule_faults(extra: Entries) -> list[tuple[str, str, str, str]]:
    """Everything that is wrong with the rules of place of a study file.

    Parameters
    ----------
    extra : mapping
        ``[candidates.rules]`` of the study file.

    Returns
    -------
    list of (str, str, str, str)
        Code, key, Chinese reason, Chinese remedy.

    Examples
    --------
    >>> site_rule_faults({"water": {"effect": "of"}})
    [('water', 'effect', '取值不对:只能写 "refuse"、"flag"、"off"', 'refuse = 不可用,flag = 只提示,off = 停用')]
    """
    astray = {code: (reason, remedy) for code, reason, remedy in like_faults(_known(), extra)}
    found: list[tuple[str, str, str, str]] = []
    for code, own in extra.items():
        if code in astray:
            found.append((code, LIKE, *astray[code]))
        elif code not in _known() and LIKE not in own and not {"zh", "words"} & set(own):
            found.append((code, "", "没有这条规则(unknown rule)",
                          f"{suggestion(code, _known())};新的限制区类型须写 zh 和 words"))
        else:
            found += dict.fromkeys(_faults_of(code, extra))
    return found


def _faults_of(code: str, extra: Entries) -> Iterator[tuple[str, str, str, str]]:
    """Faults of one rule: keys that it has no use for, values out of bounds."""
    own, known = extra[code], _known()
    area = code not in known or "words" in known[code] or code == OTHER
    usable = [*_ALWAYS, *(_AREAS if area else ()), *known.get(code, ())]
    if code == OTHER:
        usable.remove("words")
    for key in own:
        if key not in usable and key != LIKE:
            reason = "这条规则不用这个键" if key in SiteRule.model_fields and key != "id" else "没有这个键(unknown key)"
            yield code, key, reason, suggestion(key, dict.fromkeys(usable))
    if code not in known:
        for key in ("zh", "words"):
            if not own.get(key):
                yield code, key, "缺少必需的键", _REMEDY[key]
    try:
        _rule_of(code, extra)
    except ModelError:  # it takes over an entry that leads nowhere, which is told there
        return
    except ValidationError as error:
        for fault in error.errors():
            key = str(fault["loc"][0])
            if fault["type"] in ("extra_forbidden", "missing") or key not in own:
                continue
            if fault["type"] == "value_error":
                yield code, key, f"取值不对:{fault['ctx']['error']}", _REMEDY.get(key, "见 docs/study-file.md")
            else:
                yield code, key, value_fault(fault), _REMEDY.get(key, f"可用:{', '.join(CANDIDATE_KINDS)}"
                                                                 if key.endswith("sources") else "见 docs/study-file.md")
