"""Named coverage rules, read from ``tables/rules.toml`` and from the study file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from siteplan.entries import LIKE, Entries, completed, like_faults
from siteplan.errors import ModelError, Problem
from siteplan.params import Settings
from siteplan.setting_faults import suggestion, value_fault
from siteplan.tables import read_table
from siteplan.venues import load_venues

KIND_ZH = {"committee": "村委会", "school": "学校", "clinic": "卫生室", "settlement": "自然村"}
LINE_LAYER_ZH = {"roads": "道路", "rail": "铁路", "water": "水系"}
OWN_SOURCE = "研究文件"
_SHARES = ("area_share", "demand_share", "line_share")
_MEANT_FOR = {
    "kinds": ("points",), "site_within_m": ("points",), "least_households": ("points",), "classes": ("key_points",),
    "point_probability": ("points", "key_points"), "indoor_minimum": ("area_share", "demand_share"),
    "layers": ("line_share",), "line_classes": ("line_share",),
}
"""Fields that only rules of some measures have; all others are for every rule."""
_OWN = ("zh", "source")
"""Fields that are not taken over with ``like``: they tell what the other rule asks for, and who said so."""
_REMEDY = {
    "zh": "写一句话说明这条规则,它印在每个比率旁边", "measure": "写面积、人口、点位、关键点位或线路的口径,见 docs/study-file.md",
    "minimum": "写 0 到 1 之间的小数,如 0.95", "indoor_minimum": "写 0 到 1 之间的小数,如 0.95",
    "point_probability": "写 0 到 1 之间的小数,如 0.75", "threshold_dbm": "写 -140 到 -40 之间的数,如 -95",
    "kinds": f"写成列表,可用:{', '.join(KIND_ZH)}", "layers": f"写成列表,可用:{', '.join(LINE_LAYER_ZH)}",
    "operators": "any = 各网络合并,one = 某一家独自满足,every = 每一家都满足", "technology": "写 5G 或 4G",
}


class Rule(Settings):
    """One coverage rule: what is measured, and the least value that passes.

    Raises
    ------
    pydantic.ValidationError
        A field is missing, unknown or out of bounds, or the fields do not go together.
    """

    id: str
    zh: str = Field(min_length=1, description="sentence printed beside every rate")
    measure: Literal["area_share", "demand_share", "points", "key_points", "line_share"]
    minimum: float = Field(1.0, ge=0, le=1, description="least share that passes; shares must name it")
    kinds: tuple[Literal["committee", "school", "clinic", "settlement"], ...] = Field(
        (), description="kinds of village points that must be covered")
    point_probability: float = Field(0.75, gt=0, le=1, description="probability at which a point counts as covered")
    technology: Literal["5G", "4G"] = Field("5G", description="networks that count")
    operators: Literal["any", "one", "every"] = Field(
        "any", description="best signal of all networks; one network alone satisfies the whole rule; every one does")
    threshold_dbm: float | None = Field(
        None, ge=-140, le=-40, description="SS-RSRP that the rule asks for, dBm; coverage.threshold_dbm when absent")
    indoor_minimum: float | None = Field(
        None, gt=0, le=1, description="least share of the built pixels that must be covered inside buildings as well")
    site_within_m: float | None = Field(
        None, gt=0, le=100000, description="a site of the technology so near the committee passes the village, m")
    least_households: int = Field(0, ge=0, description="settlements known to have fewer households are left out")
    classes: tuple[str, ...] = Field((), description="venue classes whose venues are key points; none = all")
    layers: tuple[Literal["roads", "rail", "water"], ...] = Field((), description="lines that count; none = all")
    line_classes: tuple[str, ...] = Field((), description="words of road_class that count; none = all roads")
    source: str

    @model_validator(mode="after")
    def _agrees(self) -> Rule:
        clashes = list(_clashes(self))
        if clashes:
            raise _ClashError(clashes)
        return self

    @property
    def line_layers(self) -> tuple[str, ...]:
        """Layers of lines that the rule is about."""
        return self.layers or tuple(LINE_LAYER_ZH)


class _ClashError(ValueError):
    """Fields of a rule that do not go together: ``(key, Chinese reason, Chinese remedy)`` each."""

    def __init__(self, clashes: list[tuple[str, str, str]]) -> None:
        self.clashes = clashes
        super().__init__("; ".join(f"{key}: {reason}" for key, reason, _ in clashes))


def _clashes(rule: Rule) -> Iterator[tuple[str, str, str]]:
    for key, measures in _MEANT_FOR.items():
        if rule.measure not in measures and getattr(rule, key) != Rule.model_fields[key].default:
            yield key, f"measure = \"{rule.measure}\" 的规则不用这个键", f"去掉它,或把 measure 改为 {' 或 '.join(measures)}"
    if rule.measure in _SHARES and "minimum" not in rule.model_fields_set:
        yield "minimum", "未写最低比例", _REMEDY["minimum"]
    if rule.measure == "points" and not rule.kinds:
        yield "kinds", "点位规则未写要覆盖哪些点位", _REMEDY["kinds"]
    if rule.measure == "points" and rule.minimum < 1:
        yield "minimum", "点位规则要求所列点位全部覆盖,不能写小于 1 的比例", "去掉它"
    if rule.line_classes and "roads" not in rule.line_layers:
        yield "line_classes", "道路等级只对道路有用,而 layers 中没有 roads", "去掉它,或在 layers 中增加 roads"
    known = load_venues().classes
    for name in rule.classes:
        if name not in known:
            yield "classes", f"没有这个场所类别:{name}", suggestion(name, known)


@cache
def load_rules() -> dict[str, Rule]:
    """All rules of the package by id.

    >>> load_rules()["area_share_95"].minimum
    0.95
    """
    return {key: Rule(id=key, **entry) for key, entry in read_table("rules")["rules"].items()}


def rule_named(rule_id: str, rules: Mapping[str, Rule] | None = None) -> Rule:
    """The rule of that id.

    Parameters
    ----------
    rule_id : str
    rules : mapping of str to Rule, optional
        The rules that there are, as :func:`rules_of` gives them; those of the package when absent.

    Raises
    ------
    ModelError
        The id is unknown; the nearest known one is named.

    Examples
    --------
    >>> rule_named("village_miit_2025").kinds
    ('committee', 'school', 'clinic')
    """
    known = load_rules() if rules is None else rules
    if rule_id not in known:
        near = difflib.get_close_matches(rule_id, known, n=1)
        hint = f", did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
        raise ModelError(f"unknown rule {rule_id!r}{hint}")
    return known[rule_id]


def rule_of(rule_id: str, extra: Entries) -> Rule:
    """One rule, of the package or of a study; ``like`` takes over the fields of another one.

    Parameters
    ----------
    rule_id : str
    extra : mapping
        ``[gaps.rules]`` of the study file. Its rules say what they ask for themselves (``zh``); their source is the
        study file where they name no other. Fields taken over that the measure has no use for are left out.

    Raises
    ------
    ModelError
        There is no such rule, or its ``like`` leads nowhere.
    pydantic.ValidationError
        A field is missing, unknown or out of bounds, or the fields do not go together.

    Examples
    --------
    >>> mine = {"ours": {"like": "village_miit_2025", "zh": "村委会和学校", "kinds": ["committee", "school"]}}
    >>> rule_of("ours", mine).kinds, rule_of("ours", mine).source
    (('committee', 'school'), '研究文件')
    """
    known = read_table("rules")["rules"]
    if rule_id not in extra:
        return rule_named(rule_id)
    own = extra[rule_id]
    if "id" in own:
        raise ValidationError.from_exception_data("Rule", [
            InitErrorDetails(type="extra_forbidden", loc=("id",), input=own["id"])])
    entry = completed(rule_id, known, extra)
    measure = entry.get("measure")
    taken = {key: value for key, value in entry.items()
             if key in own or (key not in _OWN and measure in _MEANT_FOR.get(key, (measure,)))}
    return Rule(**{"source": OWN_SOURCE, **taken, "id": rule_id})


def rule_faults(extra: Entries) -> list[tuple[str, str, str, str]]:
    """Everything that is wrong with the rules of a study file.

    Parameters
    ----------
    extra : mapping
        ``[gaps.rules]`` of the study file.

    Returns
    -------
    list of (str, str, str, str)
        Rule id, key, Chinese reason, Chinese remedy. What a rule takes over from a faulty one is told there only.

    Examples
    --------
    >>> rule_faults({"ours": {"zh": "七成面积", "measure": "area_share", "minimun": 0.7}})
    [('ours', 'minimun', '没有这个键', '是否应为 minimum?')]
    """
    astray = {name: (reason, remedy) for name, reason, remedy in like_faults(read_table("rules")["rules"], extra)}
    found = []
    for name in extra:
        if name in astray:
            found.append((name, LIKE, *astray[name]))
            continue
        base = name
        while base in extra and base not in astray and extra[base].get(LIKE, base) != base:
            base = str(extra[base][LIKE])
        if base not in astray:
            found += _faults_of(name, extra)
    return found


def _faults_of(rule_id: str, extra: Entries) -> list[tuple[str, str, str, str]]:
    try:
        rule_of(rule_id, extra)
    except ValidationError as error:
        own, needed = extra[rule_id], ("zh", "measure")
        faults = []
        for fault in error.errors():
            if fault["type"] == "value_error":
                faults += fault["ctx"]["error"].clashes
            elif str(fault["loc"][0]) in (*own, *needed):
                faults.append(_fault(fault))
        base_faulty = isinstance(own.get(LIKE), str) and own[LIKE] in extra and bool(_faults_of(own[LIKE], extra))
        return [(rule_id, *fault) for fault in dict.fromkeys(faults) if not base_faulty or fault[0] in own]
    return []


def _fault(fault: Mapping[str, Any]) -> tuple[str, str, str]:
    """Key, reason and remedy of one pydantic fault."""
    key = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        return key, "没有这个键", suggestion(key, [LIKE, *(name for name in Rule.model_fields if name != "id")])
    reason = "缺少必需的键" if fault["type"] == "missing" else value_fault(fault)
    return key, reason, _REMEDY.get(key, "见 docs/study-file.md 中该键的写法")


def rules_of(extra: Entries) -> dict[str, Rule]:
    """The rules of the package and those of a study file, by id.

    Parameters
    ----------
    extra : mapping
        ``[gaps.rules]`` of the study file: fields of ``tables/rules.toml`` by id, ``like`` = another rule.

    Raises
    ------
    ModelError
        With a problem for every fault of every rule.

    Examples
    --------
    >>> rules = rules_of({"area_90": {"like": "area_share_95", "zh": "面积覆盖率不低于90%", "minimum": 0.9}})
    >>> rules["area_90"].minimum, rules["area_90"].measure
    (0.9, 'area_share')
    """
    faults = rule_faults(extra)
    if faults:
        raise ModelError("the rules of the study file cannot be used", (
            Problem("study", "", "", f"gaps.rules.{name}.{key}", *words) for name, key, *words in faults))
    return {**load_rules(), **{name: rule_of(name, extra) for name in extra}}
