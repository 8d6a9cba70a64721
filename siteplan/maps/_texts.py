"""Words and numbers as planners read them on the page; text from files never becomes markup."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from siteplan.gaps import VERDICT_ZH, load_rules
from siteplan.gaps.judging.areas import percent_down
from siteplan.maps._words import CHINESE, Say

if TYPE_CHECKING:
    from siteplan.plan import Plan

VERDICTS = VERDICT_ZH
VERDICT_MARKS = {"pass": "✓", "fail": "✗", "not_assessable": "?"}
KINDS = {"macro": "宏站", "micro": "微站", "indoor": "室分"}
BUILDS = {"new": "新建", "reuse": "利旧", "share": "共址"}
MOUNTS = {"ground_tower": "落地塔", "roof_tower": "楼面塔", "roof_pole": "楼面抱杆", "pole": "灯杆"}
SOURCES = {"facility": "公共设施楼顶", "ground": "公共设施场地", "pole": "公共杆体", "building": "楼宇", "station": "现有站址",
           "sharing": "共享站址", "planned": "规划建筑", "works": "在建工程", "greenfield": "空地", "demand": "运营商需求"}
OPENS = {"roof": "楼顶", "ground": "场地", "pole": "杆体", "room": "机房"}
DEMAND_UNITS = {"people": "人", "floor_area_m2": "m² 建筑面积", "area_m2": "m²"}
DEMAND_NAMES = {"people": "人口", "floor_area_m2": "建筑面积", "area_m2": "面积"}

_UNSAFE = {char: f"\\u{ord(char):04x}" for char in "<>&$`=(@\u2028\u2029"}


@dataclass(frozen=True)
class RuleWords:
    """What the page says about a coverage rule."""

    name: str
    measure: str


def rule_words(plan: Plan | None = None) -> dict[str, RuleWords]:
    """Sentence and measure of every rule of a plan by id, those of the study with them.

    Parameters
    ----------
    plan : Plan, optional
        Without one, and of a plan that names no rules, those of ``tables/rules.toml``.

    Examples
    --------
    >>> rule_words()["area_share_95"].measure
    'area_share'
    """
    rules = getattr(plan, "rules", None) or load_rules()
    return {key: RuleWords(rule.zh, rule.measure) for key, rule in rules.items()}


def plan_results(plan: Plan) -> Mapping[str, pd.DataFrame]:
    """The further tables of a plan by name; none where a plan was written before there were any."""
    return getattr(plan, "results", None) or {}


def rule_name(rule: Any, rules: Mapping[str, RuleWords]) -> str:
    """Sentence of a rule id; the id itself when the table does not know it.

    >>> rule_name("my_rule", {})
    'my_rule'
    """
    text = as_text(rule)
    return rules[text].name if text in rules else text


def is_missing(value: Any) -> bool:
    """Whether a table cell is empty (None, NaN, NA, NaT).

    >>> is_missing(float("nan")), is_missing(""), is_missing(0)
    (True, False, False)
    """
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def as_text(value: Any, words: Mapping[str, str] | None = None) -> str:
    """A cell as text: empty when missing, translated when ``words`` knows it.

    >>> as_text("macro", KINDS), as_text(None), as_text("自建", KINDS)
    ('宏站', '', '自建')
    """
    if is_missing(value):
        return ""
    text = str(value).strip()
    return text if words is None else words.get(text, text)


def as_word(value: Any, words: Mapping[str, str], say: Say) -> str:
    """A cell as a word of the page, translated twice: by ``words``, then into the page's language.

    >>> from siteplan.maps._words import ENGLISH
    >>> as_word("macro", KINDS, ENGLISH), as_word(None, KINDS, ENGLISH)
    ('macro', '')
    """
    return say.word(as_text(value, words))


def as_number(value: Any, unit: str = "", digits: int = 0) -> str:
    """A number with thousands separators and unit; empty when missing or not finite.

    >>> as_number(12345.6, "人"), as_number(float("nan")), as_number(27.5, "m", 1)
    ('12,346 人', '', '27.5 m')
    """
    if is_missing(value) or not math.isfinite(float(value)):
        return ""
    return f"{float(value):,.{digits}f}" + (f" {unit}" if unit else "")


def as_share(value: Any, say: Say = CHINESE) -> str:
    """A share (0..1) in percent; ``无法判定`` when missing. Never rounded up to 100 %.

    >>> as_share(0.953), as_share(float("nan")), as_share(0.99999)
    ('95.3%', '无法判定', '99.9%')
    """
    if is_missing(value):
        return say.word(VERDICTS["not_assessable"])
    return f"{percent_down(value):.1f}%"


def as_chance(value: Any) -> str:
    """A probability in percent, rounded down; empty when missing. Never 0 % or 100 %.

    >>> as_chance(0.825615), as_chance(1.0), as_chance(0.0), as_chance(float("nan"))
    ('82.5%', '≥99.9%', '<0.1%', '')
    """
    if is_missing(value):
        return ""
    if float(value) >= 0.999:
        return "≥99.9%"
    return f"{percent_down(value):.1f}%" if float(value) >= 0.001 else "<0.1%"


def as_count(value: Any, unit: str = "") -> str:
    """A whole number with unit; empty when missing or none.

    >>> as_count(3, "件"), as_count(0, "件"), as_count(None)
    ('3 件', '', '')
    """
    return "" if is_missing(value) or float(value) == 0 else as_number(value, unit)


def as_day(value: Any) -> str:
    """A date as ``2024-02-06``; empty when missing.

    >>> as_day(pd.Timestamp("2024-02-06")), as_day(pd.NaT)
    ('2024-02-06', '')
    """
    return "" if is_missing(value) else str(value)[:10]


def as_change(before: str, after: str) -> str:
    """Two states of one value; one alone when they are equal.

    >>> as_change("62.0%", "97.8%"), as_change("达标", "达标")
    ('62.0% → 97.8%', '达标')
    """
    return after if before == after else f"{before} → {after}"


def as_json(data: Any) -> str:
    r"""JSON that is safe inside a ``<script>`` element, an attribute and a template literal.

    Besides ``<``, ``>``, ``&``, ``$`` and the backtick, ``=``, ``(`` and ``@`` are written as escapes, so that
    a search of the page for addresses (``src=http``, ``url(http``, ``@import``) never meets text of the data.

    Raises
    ------
    ValueError
        When a number is not finite.

    Examples
    --------
    >>> as_json({"name": "</script>${1}"})
    '{"name":"\\u003c/script\\u003e\\u0024{1}"}'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char, escape in _UNSAFE.items():
        text = text.replace(char, escape)
    return text
