"""Two states side by side: indicators with their rules, villages and zones gained and lost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from siteplan.errors import ModelError
from siteplan.gaps.judging.areas import VERDICT_ZH

NOT_COMPARABLE = "口径不同,不可比"
CHANGE_ZH = {"gained": "新达标", "lost": "不再达标", "became_assessable": "变为可判定", "became_not_assessable": "变为无法判定",
             "added": "仅后者有", "removed": "仅前者有", "not_comparable": NOT_COMPARABLE}
_AREA_COLUMNS = ("name", "county", "town", "zone_type")

Parts = Mapping[str, str]
"""What shares and rates rest on, in words: ``signal, model, indoor, sinr, boundary, demand, gaps, indoor_gaps,
villages, zones`` -> text;
``rule:ID`` -> how a rule is defined, where one id stands for two rules."""


class _Meaning(NamedTuple):
    """How an indicator is told: Chinese label, unit, and the parts of the basis it rests on."""

    zh: str
    unit: str
    parts: tuple[str, ...] = ()


_GAP_WORDS = (("gap", "覆盖空洞", ("signal", "gaps", "boundary")),
              ("gap_small", "面积过小未列出的覆盖空洞", ("signal", "gaps", "boundary")),
              ("indoor_gap", "室内覆盖空洞(室外已覆盖、室内未覆盖)", ("model", "indoor_gaps", "boundary")),
              ("indoor_gap_small", "面积过小未列出的室内覆盖空洞", ("model", "indoor_gaps", "boundary")))
_LEAVES: Mapping[str, _Meaning] = {
    **{f"{key}_count": _Meaning(f"{zh}数", "count", parts) for key, zh, parts in _GAP_WORDS},
    **{f"{key}_area_m2": _Meaning(f"{zh}面积", "m2", parts) for key, zh, parts in _GAP_WORDS},
    **{f"{key}_demand": _Meaning(f"{zh}内需求", "", (*parts, "demand")) for key, zh, parts in _GAP_WORDS},
    "area_share": _Meaning("面积覆盖率", "share", ("signal", "boundary")),
    "demand_share": _Meaning("需求覆盖率", "share", ("signal", "boundary", "demand")),
    "indoor_share": _Meaning("室内覆盖概率均值", "share", ("model", "indoor", "boundary")),
    "sinr_share": _Meaning("SINR≥0dB面积占比", "share", ("model", "sinr", "boundary")),
    "existing": _Meaning("现状站址", "count"), "candidate": _Meaning("候选站址", "count"),
    "proposed": _Meaning("规划站址", "count"), "refused": _Meaning("不可用站址", "count"),
    "proposed_free_venues": _Meaning("规划站址中应免费开放的场所", "count"),
    "proposed_cost_yuan": _Meaning("规划站址投资", "yuan"),
    "sensitive_buildings": _Meaning("规划站附近的敏感建筑", "count"), "above_limit": _Meaning("可能超过公众限值的敏感建筑", "count"),
    "above_managed": _Meaning("可能超过管理值的敏感建筑", "count"), "taller_near": _Meaning("邻近且高于天线的敏感建筑", "count"),
    "justify": _Meaning("须避让或说明理由的敏感建筑", "count"),
}
_GROUPS: Mapping[str, str] = {
    "villages": "行政村", "zones": "重点区域", "lines": "道路、铁路、水系分段", "networks": "",
    "sites": "", "proposed_by_tier_name": "规划站址,优先级",
    "proposed_by_source": "规划站址,来源", "proposed_by_build": "规划站址,建设性质",
    "proposed_by_kind": "规划站址,站型",
    "exposure_screening": "电磁环境筛查",
}
_BLOCK: Mapping[str, tuple[str, str]] = {
    "rate": ("达标率", "share"), "passed": ("达标数", "count"), "failed": ("未达标数", "count"),
    "not_assessable": ("无法判定数", "count"), "total": ("总数", "count")}
_UNITS = {"_share": "share", "_count": "count", "rate": "share", "_m2": "m2", "_yuan": "yuan", "_m": "m",
          "_per_10000": "per_10000"}


class _Value(NamedTuple):
    """One indicator: what it means, its number, and its rule where it has one of its own."""

    meaning: _Meaning
    value: float
    rule: str = ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _number(value: object) -> float:
    """The number, NaN for anything else and for what is not finite."""
    number = float(value) if isinstance(value, int | float | np.number) and not isinstance(value, bool) else math.nan
    return number if math.isfinite(number) else math.nan


def _meaning(path: tuple[str, ...]) -> _Meaning:
    """Label, unit and parts of a number; one that is not in the list is told by its key."""
    own = _LEAVES.get(path[-1])
    unit = own.unit if own else next((unit for end, unit in _UNITS.items() if path[-1].endswith(end)), "")
    parts = own.parts if own else ("signal", "boundary") if unit == "share" else ()
    words = [_GROUPS.get(word, word) for word in path[:-1]]
    return _Meaning(" ".join([*filter(None, words), own.zh if own else path[-1]]), unit, parts)


def _walk(node: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], _Value]]:
    """Every number of nested indicators; a mapping with a rule and a rate is one block under that rule."""
    if "rule" in node and "rate" in node:
        rule = ":".join(str(node[key]) for key in ("rule", "rule_zh") if node.get(key))
        group = next((word for word in path if word in ("villages", "zones")), "boundary" if "lines" in path else "")
        if "threshold_dbm" in node:  # the rule's own, in place of the study's
            rule += f"(SS-RSRP≥{_number(node['threshold_dbm']):g}dBm)"
        signal = "model" if "threshold_dbm" in node else "signal"
        own = [f"rule:{rule_id}" for rule_id in str(node["rule"]).split("|")]
        told = [f"({node.get('rule_zh')})" if word == node["rule"] else _GROUPS.get(word, word) for word in path]
        label = "".join(filter(None, told))
        for key, (zh, unit) in _BLOCK.items():
            if key in node:
                parts = () if key == "total" else (*own, signal, *filter(None, [group]))
                yield (*path, key), _Value(_Meaning(f"{label}{zh}", unit, parts), _number(node[key]),
                                           "" if key == "total" else rule)
        parts_by_rule = node.get("by_rule")
        for part in parts_by_rule if isinstance(parts_by_rule, list | tuple) else ():
            if isinstance(part, Mapping):
                yield from _walk(part, (*path, str(part.get("rule"))))
        return
    for key, value in node.items():
        here = (*path, str(key))
        if isinstance(value, Mapping):
            yield from _walk(value, here)
        elif _is_number(value) or (value is None and here[-1] in _LEAVES):
            yield here, _Value(_meaning(here), _number(value))


def _basis(value: _Value | None, parts: Parts) -> str:
    """The rule of a value: its own, and what it rests on."""
    if value is None:
        return ""
    return ";".join(filter(None, [value.rule, *(parts.get(name, "") for name in value.meaning.parts)]))


def apart(one: str, other: str) -> str:
    """Two bases in words: what differs first, then what is the same.

    >>> apart("≥-105dBm;5公里;甲", "≥-105dBm;3公里;甲")
    '5公里 / 3公里(相同:≥-105dBm;甲)'
    """
    first, second = one.split(";"), other.split(";")
    own = [";".join(word for word in words if word not in others) or "未注明"
           for words, others in ((first, second), (second, first))]
    common = [word for word in first if word and word in second]
    return " / ".join(own) + (f"(相同:{';'.join(common)})" if common else "")


def compare_states(before: Mapping[str, Any], after: Mapping[str, Any], *, parts_before: Parts | None = None,
                   parts_after: Parts | None = None) -> pd.DataFrame:
    """One table of the indicators of two states, every rate with its rule.

    Parameters
    ----------
    before, after : mapping
        Indicators as ``State.indicators`` and ``plan.json`` hold them: numbers, mappings of numbers, and blocks with
        ``rule, total, passed, failed, not_assessable, rate`` (and such blocks in a list ``by_rule``). Numbers this
        function does not know keep their key.
    parts_before, parts_after : mapping, optional
        What shares rest on, in words (``signal, boundary, demand``, ...), see ``plan_comparison.parts_of``;
        ``parts_after`` is that of ``before`` when absent. Where the words differ, the numbers are not compared.

    Returns
    -------
    DataFrame
        Index ``indicator`` (keys joined by ``.``): ``label_zh``, ``unit`` (share | count | m2 | m | yuan | per_10000 |
        blank), ``before``, ``after`` (NaN = no data), ``change`` (after - before; NaN where one is missing or they do
        not compare), ``comparable`` (bool), ``rule_before``, ``rule_after``, ``note`` (Chinese).

    Examples
    --------
    >>> before = {"area_share": 0.5, "villages": {"rule": "a", "total": 4, "passed": 1, "rate": 0.25}}
    >>> after = {"area_share": 0.75, "villages": {"rule": "b", "total": 4, "passed": 3, "rate": 0.75}}
    >>> compare_states(before, after)[["before", "after", "change", "note"]].loc[["area_share", "villages.rate"]]
                   before  after  change              note
    indicator
    area_share       0.50   0.75    0.25
    villages.rate    0.25   0.75     NaN  口径不同,不可比:a / b
    """
    sides = [dict(_walk(before)), dict(_walk(after))]
    parts = [parts_before or {}, (parts_before or {}) if parts_after is None else parts_after]
    rows = {}
    for path in dict.fromkeys(key for side in sides for key in side):
        first, second = (side.get(path) for side in sides)
        told = first or second
        if told is None:
            continue
        rules = [_basis(value, words) for value, words in zip((first, second), parts, strict=True)]
        values = [math.nan if value is None else value.value for value in (first, second)]
        both = first is not None and second is not None
        comparable = not both or rules[0] == rules[1]
        note = (f"{NOT_COMPARABLE}:{apart(*rules)}" if not comparable
                else "" if both else "前者没有这项指标" if first is None else "后者没有这项指标")
        rows[".".join(path)] = {
            "label_zh": told.meaning.zh, "unit": told.meaning.unit, "before": values[0], "after": values[1],
            "change": values[1] - values[0] if comparable else math.nan, "comparable": comparable,
            "rule_before": rules[0], "rule_after": rules[1], "note": note}
    columns = ["label_zh", "unit", "before", "after", "change", "comparable", "rule_before", "rule_after", "note"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.rename_axis("indicator")


def area_state(areas: pd.DataFrame, state: str) -> pd.DataFrame:
    """One state of an areas results table: ``verdict_after`` becomes ``verdict``, and so on.

    Raises
    ------
    ModelError
        The table has no verdicts of that state.

    Examples
    --------
    >>> list(area_state(pd.DataFrame({"name": ["甲"], "verdict_after": ["pass"], "reason_after": [""]}), "after"))
    ['name', 'verdict', 'reason']
    """
    if f"verdict_{state}" not in areas:
        raise ModelError(f"the table of areas has no column verdict_{state}")
    kept = [name for name in areas.columns if not name.endswith(("_before", "_after"))]
    named = {f"{name}_{state}": name for name in ("verdict", "reason", "shortfall", "area_share", "demand_share")}
    return pd.DataFrame(areas[[*(name for name in kept if name != "geometry"),
                               *(name for name in named if name in areas)]]).rename(columns=named)


def _change(before: str | None, after: str | None) -> str:
    """What became of one area; blank where nothing changed. None = it is not there."""
    if before is None or after is None:
        return "added" if before is None else "removed"
    if before == after:
        return ""
    if "not_assessable" in (before, after):
        return "became_assessable" if before == "not_assessable" else "became_not_assessable"
    return "gained" if after == "pass" else "lost"


def _verdicts(areas: pd.DataFrame) -> dict[str, str]:
    if "verdict" not in areas:
        raise ModelError("the table of areas has no column verdict")
    if not areas.index.is_unique:
        raise ModelError("the table of areas has an index that is not unique")
    words = areas["verdict"].astype("object").where(areas["verdict"].notna(), "not_assessable")
    odd = sorted(set(words) - set(VERDICT_ZH))
    if odd:
        raise ModelError(f"unknown verdict {', '.join(map(str, odd))}; known: {', '.join(VERDICT_ZH)}")
    return {str(code): str(word) for code, word in zip(areas.index, words, strict=True)}


def _cells(areas: pd.DataFrame, column: str) -> dict[str, str]:
    if column not in areas:
        return {}
    return {str(code): str(value) for code, value in areas[column].items() if not pd.isna(value)}


def changed_areas(before: pd.DataFrame, after: pd.DataFrame, *, basis: tuple[str, str] = ("", "")) -> pd.DataFrame:
    """Villages or zones whose verdict changed, with both reasons.

    Parameters
    ----------
    before, after : DataFrame
        Unique index of area codes; ``verdict`` (pass | fail | not_assessable, missing = not assessable), and
        ``reason, rule, name, county, town, zone_type`` where given; see `area_state`.
    basis : (str, str)
        What both rest on beside their rules (threshold, model); where it differs, no verdict is compared.

    Returns
    -------
    DataFrame
        On the codes of the areas that changed, sorted by kind of change, then by code: ``change`` gained (from fail
        to pass) | lost | became_assessable | became_not_assessable | added | removed | not_comparable (another
        verdict, but under another rule or basis); ``change_zh``; names; ``verdict_before, verdict_after`` (blank =
        not there), ``rule_before, rule_after, reason_before, reason_after``.

    Raises
    ------
    ModelError
        Verdicts are missing or misspelled, or codes repeat.

    Examples
    --------
    >>> changed_areas(pd.DataFrame({"verdict": ["fail", "pass", "pass"]}, index=["A", "B", "C"]),
    ...               pd.DataFrame({"verdict": ["pass", "pass", None]}, index=["A", "B", "C"]))["change_zh"].to_dict()
    {'A': '新达标', 'C': '变为无法判定'}
    """
    verdicts = [_verdicts(table) for table in (before, after)]
    rules, reasons = ([_cells(table, column) for table in (before, after)] for column in ("rule", "reason"))
    names = {column: _cells(before, column) | _cells(after, column) for column in _AREA_COLUMNS}
    rows: dict[str, dict[str, str]] = {}
    for code in sorted({*verdicts[0], *verdicts[1]}):
        change = _change(verdicts[0].get(code), verdicts[1].get(code))
        own = [side.get(code, "") for side in rules]
        if change and change not in ("added", "removed") and (own[0] != own[1] or basis[0] != basis[1]):
            change = "not_comparable"
        if change:
            told = [";".join(filter(None, [rule, words])) if basis[0] != basis[1] else rule
                    for rule, words in zip(own, basis, strict=True)]
            rows[code] = {"change": change, "change_zh": CHANGE_ZH[change],
                          **{column: cells.get(code, "") for column, cells in names.items()},
                          "verdict_before": verdicts[0].get(code, ""), "verdict_after": verdicts[1].get(code, ""),
                          "rule_before": told[0], "rule_after": told[1],
                          "reason_before": reasons[0].get(code, ""), "reason_after": reasons[1].get(code, "")}
    columns = ["change", "change_zh", *_AREA_COLUMNS, "verdict_before", "verdict_after", "rule_before", "rule_after",
               "reason_before", "reason_after"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype="object")
    table.index = pd.Index(table.index.astype("str"), name=before.index.name or after.index.name or "code")
    order = {change: number for number, change in enumerate(CHANGE_ZH)}
    return table.sort_values("change", key=lambda words: words.map(order), kind="stable")
