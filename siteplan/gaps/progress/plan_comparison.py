"""Two plans side by side: what their numbers rest on, indicators, villages and zones, sites, gap areas."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.gaps.progress.comparison import NOT_COMPARABLE, Parts, apart, area_state, changed_areas, compare_states
from siteplan.gaps.progress.matching import compare_gaps, compare_sites
from siteplan.schema import layer_zh

STATE_ZH = {"before": "现状", "after": "规划后"}
SAME_AREA_SHARE = 0.01
"""Areas of one code whose sizes differ by more than this share have other borders. Editable default."""
SAME_BOUNDARY_SHARE = 0.001
"""Boundaries that overlap but for this share are the same. Editable default."""
_NO_SIGNAL = ("tile_px", "indoor", "indoor_threshold_dbm", "wall", "load_share", "noise_figure_db", "threshold_dbm")
"""Settings of ``[coverage]`` that do not decide where there is signal outdoors, and the one told first."""


@dataclass(frozen=True)
class PlanTables:
    """What two plans are compared by; a ``Plan`` and a folder of deliverables both hold it.

    Attributes
    ----------
    name : str
        How the plan is called in the comparison.
    study, parameters, indicators, versions : mapping
        As in ``Plan`` and ``plan.json``.
    inputs : tuple of mapping
        ``layer, file, sha256`` per file.
    boundary, villages, zones : GeoDataFrame
        ``villages`` and ``zones`` are areas results with ``_before`` and ``_after`` columns.
    gaps : GeoDataFrame
        Gap areas with the proposed sites.
    sites : GeoDataFrame
        The proposed sites.
    """

    name: str
    study: Mapping[str, Any]
    parameters: Mapping[str, Any]
    indicators: Mapping[str, Any]
    versions: Mapping[str, str]
    inputs: tuple[Mapping[str, Any], ...]
    boundary: gpd.GeoDataFrame
    villages: gpd.GeoDataFrame
    zones: gpd.GeoDataFrame
    gaps: gpd.GeoDataFrame
    sites: gpd.GeoDataFrame


@dataclass(frozen=True)
class Comparison:
    """Two plans side by side.

    Attributes
    ----------
    names : tuple of str
        Of the former and the latter plan.
    indicators : DataFrame
        Of `compare_states`, for both states, with ``state`` before | after.
    villages, zones : DataFrame
        Of `changed_areas`, for both states, with ``state``.
    sites, gaps : DataFrame
        Of `compare_sites` and `compare_gaps`.
    area_note, gap_note : str
        Why the verdicts of the areas, and the gap areas, do not compare; blank where they do.
    notes : tuple of str
        What else differs: program versions, input files, settings of equipment.
    notices : tuple of str
        Sentences that every output of either plan carries.
    """

    names: tuple[str, str]
    indicators: pd.DataFrame
    villages: pd.DataFrame
    zones: pd.DataFrame
    sites: pd.DataFrame
    gaps: pd.DataFrame
    area_note: str
    gap_note: str
    notes: tuple[str, ...]
    notices: tuple[str, ...]


def _differing(table: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """``table.key=value`` of the keys whose values differ, on either side; a key that is not there says so."""
    texts: tuple[list[str], list[str]] = ([], [])
    for key in sorted({*one, *other}):
        if one.get(key) != other.get(key) or (key in one) != (key in other):
            for side, words in zip((one, other), texts, strict=True):
                value = json.dumps(side[key], ensure_ascii=False) if key in side else "无此设置"
                words.append(f"{table}.{key}={value}")
    return texts


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else "(未注明)"


def _table(plan: PlanTables, name: str) -> Mapping[str, Any]:
    found = plan.parameters.get(name)
    return found if isinstance(found, Mapping) else {}


def _boundary_parts(one: PlanTables, other: PlanTables) -> tuple[str, str]:
    """Size of both boundaries, the same words where they are the same land."""
    first, second = (plan.boundary.geometry.union_all() for plan in (one, other))
    words = [f"规划范围{shape.area / 1e6:.2f}平方公里" for shape in (first, second)]
    off = first.symmetric_difference(second).area
    if off <= SAME_BOUNDARY_SHARE * max(first.area, second.area):
        return words[0], words[0]
    whole = first.union(second).area
    return words[0], f"{words[1]}(与前者重合{100 * (1 - off / whole) if whole else 0:.1f}%)"


def _area_parts(one: gpd.GeoDataFrame, other: gpd.GeoDataFrame, what: str) -> tuple[str, str]:
    """Number of areas, and how they differ: codes, borders, rules."""
    first, second = [f"{len(one)}个{what}"], [f"{len(other)}个{what}"]
    both = one.index.intersection(other.index)
    if len(both) < max(len(one), len(other)):
        first.append(f"{len(one) - len(both)}个后者没有")
        second.append(f"{len(other) - len(both)}个前者没有")
    sizes = [table.loc[both, "area_m2"].astype("float64") for table in (one, other) if "area_m2" in table]
    if len(sizes) == 2:
        moved = int(((sizes[0] - sizes[1]).abs() > SAME_AREA_SHARE * np.maximum(*sizes)).sum())
        second += [f"{moved}个界线与前者不同"] * bool(moved)
    rules = [Counter(table.loc[both, "rule"].astype("str")) for table in (one, other)]
    if (one.loc[both, "rule"].astype("str") != other.loc[both, "rule"].astype("str")).any():
        for words, counts in zip((first, second), rules, strict=True):
            words.append("规则" + "、".join(f"{rule}({count})" for rule, count in sorted(counts.items())))
    return ",".join(first), ",".join(second)


def _rule_parts(one: PlanTables, other: PlanTables) -> tuple[dict[str, str], dict[str, str]]:
    """Definitions of the rules of both study files that differ under one id."""
    given = [_table(plan, "gaps").get("rules") for plan in (one, other)]
    sides = [rules if isinstance(rules, Mapping) else {} for rules in given]
    texts: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for rule in sorted({*sides[0], *sides[1]}):
        if sides[0].get(rule) != sides[1].get(rule):
            for side, words in zip(sides, texts, strict=True):
                told = json.dumps(side[rule], ensure_ascii=False, sort_keys=True) if rule in side else "软件自带"
                words[f"rule:{rule}"] = f"规则{rule}的定义:{told}"
    return texts


def parts_of(one: PlanTables, other: PlanTables) -> tuple[Parts, Parts]:
    """What the shares and rates of two plans rest on, in words; the words are the same where the basis is the same.

    Both plans are in one CRS.

    Returns
    -------
    (mapping, mapping)
        ``signal`` (threshold, and every setting of the model that differs), ``indoor``, ``sinr``, ``boundary``,
        ``demand``, ``gaps``, ``villages``, ``zones``, and ``rule:ID`` where one id is defined in two ways.
    """
    both = (one, other)
    coverage = [dict(_table(plan, "coverage")) for plan in both]
    model = [{**{key: value for key, value in settings.items() if key not in _NO_SIGNAL},
              "resolution_m": plan.study.get("resolution_m"), "calibration": plan.study.get("calibration"),
              "stand_in_5g": plan.study.get("stand_in_5g")} for plan, settings in zip(both, coverage, strict=True)]
    gaps = [dict(_table(plan, "gaps")) for plan in both]
    forms = [{key: value for key, value in settings.items() if key.startswith(("gap_", "min_gap", "cluster_"))}
             for settings in gaps]
    differ = {"signal": _differing("coverage", *model), "gaps": _differing("gaps", *forms)}
    differ |= {"model": differ["signal"], "indoor_gaps": differ["gaps"]}
    for name, keys in (("indoor", ("indoor_threshold_dbm", "wall")), ("sinr", ("load_share", "noise_figure_db"))):
        own = [{key: settings[key] for key in keys if key in settings} for settings in coverage]
        differ[name] = _differing("coverage", *own)
    people = [{key: settings[key] for key in ("people",) if key in settings} for settings in gaps]
    differ["demand"] = _differing("gaps", *people)
    boundary, rules = _boundary_parts(one, other), _rule_parts(one, other)
    areas = {"villages": _area_parts(one.villages, other.villages, "行政村"),
             "zones": _area_parts(one.zones, other.zones, "重点区域")}
    out = []
    for side, plan in enumerate(both):
        start = {"signal": f"SS-RSRP≥{_plain(plan.study.get('threshold_dbm'))}dBm的概率", "indoor": "", "sinr": "",
                 "demand": f"需求={plan.study.get('demand_zh', '未注明')}",
                 "gaps": f"覆盖概率<{_plain(gaps[side].get('gap_probability'))}", "model": "",
                 "indoor_gaps": f"室外概率≥{_plain(gaps[side].get('gap_probability'))}、室内概率低于它"}
        out.append({**{name: ";".join(filter(None, [text, *differ[name][side]])) for name, text in start.items()},
                    "boundary": boundary[side], **{name: words[side] for name, words in areas.items()}, **rules[side]})
    return out[0], out[1]


def _notes(one: PlanTables, other: PlanTables) -> list[str]:
    """What differs beside the rules."""
    notes = []
    versions = [str(plan.versions.get("siteplan", "未知")) for plan in (one, other)]
    if versions[0] != versions[1]:
        notes.append(f"两方案由不同版本的软件算出:{versions[0]}、{versions[1]}")
    files = [{(str(file.get("layer")), str(file.get("sha256"))) for file in plan.inputs} for plan in (one, other)]
    layers = sorted({layer for layer, _ in files[0] ^ files[1]})
    if layers:
        notes.append(f"输入文件不同的图层:{'、'.join(map(layer_zh, layers))};这些图层的差别也会改变结果")
    for name in ("equipment", "candidates", "selection"):
        first, second = _differing(name, _table(one, name), _table(other, name))
        if first:
            notes.append(f"[{name}] 设置不同:{';'.join(first)} / {';'.join(second)}")
    return notes


def _in_crs_of(one: PlanTables, other: PlanTables) -> PlanTables:
    """The other plan in the CRS of the first."""
    names = ("boundary", "villages", "zones", "gaps", "sites")
    crs = one.boundary.crs
    tables = {name: getattr(other, name) for name in names}
    moved = {name: table.to_crs(crs) for name, table in tables.items() if table.crs != crs}
    return replace(other, **moved)


def _with_definitions(table: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """The table with the rule's definition beside its id, where one id is defined in two ways."""
    told = [";".join(filter(None, [str(rule), parts.get(f"rule:{rule}", "")])) for rule in table["rule"]]
    return table.assign(rule=told)


def compare_plans(one: PlanTables, other: PlanTables) -> Comparison:
    """Two plans side by side, before and after; what rests on different rules is told as not comparable.

    Parameters
    ----------
    one, other : PlanTables
        The former and the latter; ``other`` is taken into the CRS of ``one``.

    Returns
    -------
    Comparison

    Raises
    ------
    ModelError
        Ids repeat, or verdicts are missing or misspelled.
    """
    second = _in_crs_of(one, other)
    parts = parts_of(one, second)
    indicators: list[pd.DataFrame] = []
    changes: dict[str, list[pd.DataFrame]] = {"villages": [], "zones": []}
    for state in STATE_ZH:
        sides = [plan.indicators.get(state) or {} for plan in (one, second)]
        table = compare_states(*sides, parts_before=parts[0], parts_after=parts[1])
        indicators.append(table.rename(index=lambda key, state=state: f"{state}.{key}").assign(state=state))
        for name, found in changes.items():
            pair = [_with_definitions(area_state(getattr(plan, name), state), words)
                    for plan, words in zip((one, second), parts, strict=True)]
            changed = changed_areas(*pair, basis=(parts[0]["signal"], parts[1]["signal"]))
            found.append(changed.assign(state=state))
    signal, form = ([words["signal"] for words in parts], [f"{words['signal']};{words['gaps']}" for words in parts])
    area_note, gap_note = (f"{NOT_COMPARABLE}:{apart(*on)}" if on[0] != on[1] else "" for on in (signal, form))
    notices = dict.fromkeys(str(text) for plan in (one, other) for text in plan.study.get("notices") or ())
    return Comparison(
        names=(one.name, other.name), indicators=pd.concat(indicators), villages=pd.concat(changes["villages"]),
        zones=pd.concat(changes["zones"]), sites=compare_sites(one.sites, second.sites),
        gaps=compare_gaps(one.gaps, second.gaps), area_note=area_note, gap_note=gap_note,
        notes=tuple(_notes(one, other)), notices=tuple(notices))
