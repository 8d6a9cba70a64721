"""Villages and key zones of the page: shape, verdicts, and everything their tooltip says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from siteplan.gaps.progress.connectivity import SOURCE_ZH, STATE_ZH
from siteplan.maps._shapes import Json, shape_items
from siteplan.maps._texts import (
    VERDICT_MARKS,
    VERDICTS,
    RuleWords,
    as_chance,
    as_change,
    as_share,
    as_text,
    as_word,
    is_missing,
    plan_results,
    rule_name,
    rule_words,
)
from siteplan.maps._words import CHINESE, Say

if TYPE_CHECKING:
    from siteplan.plan import Plan

FIELDS = ("评判规则", "评判结果", "面积覆盖率", "需求覆盖率", "覆盖率80%区间", "达标概率", "各运营商(现状)",
          "各运营商(规划后)", "差额(现状)", "差额(规划后)", "说明(现状)", "说明(规划后)", "4G", "光纤")
STATES = ("before", "after")


def area_layer(plan: Plan, name: Literal["villages", "zones"], tolerance_m: float,
               say: Say = CHINESE) -> Json:
    """Villages or key zones: shape, verdict before and after, label place and the lines of the tooltip.

    Parameters
    ----------
    plan : Plan
        Its table ``name``, rules, and of its results ``operators`` and ``connectivity``, as far as they are there.
    name : {"villages", "zones"}
    tolerance_m : float
        How far a simplified outline may lie from the true one, m.
    say : Say
        In which language.

    Returns
    -------
    dict
        ``fields``: labels; ``items``: ``title, before, after, values, shape, at`` per area.
    """
    is_zone, results, rules = name == "zones", plan_results(plan), rule_words(plan)
    operators = operator_words(results.get("operators"), name)
    connected = connectivity_words(results.get("connectivity"), rules, is_zone=is_zone, say=say)

    def item(row: Mapping[str, Any], key: str) -> Json:
        before, after = (as_text(row.get(f"verdict_{state}")) or "not_assessable" for state in STATES)
        place = as_text(row.get("zone_type")) if is_zone else (
            " ".join(filter(None, (as_text(row.get("county")), as_text(row.get("town"))))))
        title = as_text(row.get("name"))
        return {  # an area named by its number alone says what it is
            "title": title if title and title != key else f"{place} {key}".strip(), "before": before, "after": after,
            "values": [
                place, rule_name(row.get("rule"), rules),
                as_change(as_word(before, VERDICTS, say), as_word(after, VERDICTS, say)),
                _shares(row, "area_share", say), _shares(row, "demand_share", say), _bands(row, rules, say),
                _chances(row, say),
                *operators.get(key, ("", "")), *(_shortfall(row, state, rules, say) for state in STATES),
                *(as_text(row.get(f"reason_{state}")) for state in STATES), *connected.get(key, ("", "")),
            ],
        }

    first = "区域类型" if is_zone else "所属镇街"
    return {"fields": say.words(first, *FIELDS),
            "items": shape_items(plan.zones if is_zone else plan.villages, tolerance_m, item, labelled=True)}


def operator_words(operators: pd.DataFrame | None, layer: str) -> dict[str, tuple[str, str]]:
    """Verdicts of each network alone by area, now and as planned: ``移动✓ 电信✗``.

    >>> index = pd.MultiIndex.from_tuples([("zones", "Z1", "移动"), ("zones", "Z1", "电信")],
    ...                                   names=["layer", "area", "network"])
    >>> table = pd.DataFrame({"verdict_before": ["pass", "fail"], "verdict_after": ["pass", None]}, index=index)
    >>> operator_words(table, "zones")
    {'Z1': ('移动✓ 电信✗', '移动✓ 电信?')}
    """
    if operators is None or operators.empty:
        return {}
    rows = operators.reset_index()
    rows = rows[rows["layer"] == layer]
    out: dict[str, tuple[list[str], list[str]]] = {}
    columns = ["area", "network", "verdict_before", "verdict_after"]
    for area, network, *verdicts in rows[columns].itertuples(index=False):
        for words, verdict in zip(out.setdefault(str(area), ([], [])), verdicts, strict=True):
            words.append(as_text(network) + VERDICT_MARKS.get(as_text(verdict), "?"))
    return {area: (" ".join(before), " ".join(after)) for area, (before, after) in out.items()}


def connectivity_words(table: pd.DataFrame | None, rules: Mapping[str, RuleWords], *,
                       is_zone: bool, say: Say = CHINESE) -> dict[str, tuple[str, str]]:
    """State of 4G and of fibre by area, and where it is known from."""
    if table is None or table.empty:
        return {}
    rows = table.reset_index()
    rows = rows[(rows["kind"] != "行政村") if is_zone else (rows["kind"] == "行政村")]
    return {str(row["area"]): (_state(row, "4g", rules, say), _state(row, "fibre", rules, say))
            for row in rows.to_dict("records")}


def _state(row: Mapping[str, Any], what: str, rules: Mapping[str, RuleWords], say: Say) -> str:
    """One state in words: ``已通(上报)``."""
    state, source = as_text(row.get(f"has_{what}")) or "unknown", as_text(row.get(f"source_{what}"))
    said = [] if state == "unknown" else [as_word(source, SOURCE_ZH, say)]
    if source == "predicted":
        said.append(say("规则:{rules}", rules=rule_name(row.get(f"rule_{what}"), rules)))
    conflict = row.get(f"conflict_{what}")
    if not is_missing(conflict) and bool(conflict):
        said.append(say.word("与预测不一致,需核实" if what == "4g" else "与光缆图层不一致,需核实"))
    told = ",".join(word for word in said if word)
    return as_word(state, STATE_ZH, say) + (f"({told})" if told else "")


def _shares(row: Mapping[str, Any], name: str, say: Say) -> str:
    return as_change(*(as_share(row.get(f"{name}_{state}"), say) for state in STATES))


def _bands(row: Mapping[str, Any], rules: Mapping[str, RuleWords], say: Say) -> str:
    """80 % band of the share that the rule measures, now and as planned; empty where there is none."""
    told = []
    for state in STATES:
        low, high = row.get(f"share_low_{state}"), row.get(f"share_high_{state}")
        told.append("" if is_missing(low) or is_missing(high) else f"{as_share(low)}~{as_share(high)}")
    if not any(told):
        return ""
    rule = rules.get(as_text(row.get("rule")))
    what = say.word("需求" if rule is not None and rule.measure == "demand_share" else "面积")
    return f"{what} " + as_change(*(text or say.word(VERDICTS["not_assessable"]) for text in told))


def _chances(row: Mapping[str, Any], say: Say) -> str:
    """Probability that the area passes, now and as planned; none is told of a state that cannot be judged."""
    told = [as_chance(row.get(f"pass_probability_{state}")) for state in STATES]
    if not any(told):
        return ""
    unknown = [as_text(row.get(f"verdict_{state}")) == "not_assessable" for state in STATES]
    return as_change(*(say.word(VERDICTS["not_assessable"]) if not text or open_ else text
                       for text, open_ in zip(told, unknown, strict=True)))


def _shortfall(row: Mapping[str, Any], state: str, rules: Mapping[str, RuleWords], say: Say) -> str:
    """How much the rule's measure lacks, in the unit of the rule; empty when nothing."""
    value = row.get(f"shortfall_{state}")
    if is_missing(value) or float(str(value)) <= 0:
        return ""
    number = float(str(value))
    rule = rules.get(as_text(row.get("rule")))
    if rule is not None and rule.measure == "points":
        return say("差 {number} 类点位", number=f"{number:.0f}")
    if rule is not None and rule.measure == "key_points":
        return say("差 {number} 处点位", number=f"{number:.0f}")
    return say("差 {number} 个百分点", number=f"{max(number * 100, 0.1):.1f}")
