"""Every rule is asked of every candidate: all that it breaks are told, with the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.rules import property_checks as checks
from siteplan.candidates.rules.refuse import (
    SECRET,
    Hits,
    far_from_gap,
    gap_distance_m,
    hits_where,
    mark,
    metres,
    outside_boundary,
    slope_deg,
    unknown_ground,
)
from siteplan.candidates.rules.restricted import (
    Areas,
    Near,
    area_hits,
    hazard_points,
    restricted_areas,
    sites_near,
    water_areas,
)
from siteplan.candidates.rules.rule_table import SiteRule, site_rules
from siteplan.candidates.rules.spacing import near_existing
from siteplan.candidates.traits.distances import nearest_feature_m
from siteplan.grid import sample

LAYER_OF = {"facility": "facilities", "ground": "facilities", "pole": "poles", "building": "buildings",
            "station": "stations", "sharing": "stations", "planned": "planned_buildings", "works": "works",
            "greenfield": "parcels", "demand": "demands"}
"""Layer that a kind of candidate comes from."""
EFFECT_ZH = {"refuse": "不可用", "flag": "提示"}
_SINGLE_LINES = 3
"""More rows than these are told in one ledger line."""


@dataclass(frozen=True)
class _Asked:
    """What the rules are asked of."""

    sites: gpd.GeoDataFrame
    context: CandidateContext
    existing: gpd.GeoDataFrame
    rules: Mapping[str, SiteRule]
    to_gap_m: np.ndarray
    decisions: Mapping[str, tuple[str, str]]


def _outside(asked: _Asked) -> Hits:
    return hits_where(outside_boundary(asked.sites, asked.context.boundary), "在规划范围之外")


def _hazard(asked: _Asked) -> Hits:
    classes, names = asked.context.venues.classes, asked.sites["venue_class"].to_numpy(object)
    rows = np.flatnonzero([not classes[name].takes_site if name in classes else False for name in names])
    return Hits(rows, [f"{classes[name].zh},不设基站" for name in names[rows]])


def _unknown(asked: _Asked) -> Hits:
    return hits_where(unknown_ground(asked.sites, asked.context.surface), "地面高程未知")


def _slope(asked: _Asked) -> Hits:
    slope, most = asked.sites["slope_deg"].to_numpy(float), asked.context.params.max_slope_deg
    rows = np.flatnonzero(slope > most)
    return Hits(rows, [f"地面坡度{value:g}度,须不大于{most:g}度" for value in slope[rows]])


def _near(asked: _Asked) -> Hits:
    return near_existing(asked.sites, asked.existing, asked.context.params.min_distance_existing_m,
                         asked.rules["near_existing"])


def _no_gap(asked: _Asked) -> Hits:
    sites, params, surface = asked.sites, asked.context.params, asked.context.surface
    radius = np.where(sites["kind"] == "macro", params.gap_radius_macro_m, params.gap_radius_micro_m)
    rows = np.flatnonzero(far_from_gap(sites, asked.to_gap_m, surface, radius))
    away = sample(asked.to_gap_m, surface.geobox, sites.geometry.x.to_numpy()[rows], sites.geometry.y.to_numpy()[rows])
    told = [f"(最近的在{value}米外)" if np.isfinite(metre) else ""
            for metre, value in zip(away, metres(np.nan_to_num(away, posinf=0.0)), strict=True)]
    return Hits(rows, [f"{limit:g}米内没有覆盖空洞{more}" for limit, more in zip(radius[rows], told, strict=True)])


_CHECKS: Mapping[str, Callable[[_Asked], Hits]] = {
    "outside_boundary": _outside, "hazard_class": _hazard, "unknown_ground": _unknown, "slope": _slope,
    "secrecy": lambda asked: checks.secret(asked.sites, asked.context.tables),
    "near_existing": _near, "no_gap": _no_gap,
    "roof_area": lambda asked: checks.small_roof(asked.sites, asked.context.params.roof_min_area_m2),
    "roof_height": lambda asked: checks.low_roof(asked.sites, asked.context),
    "land_use": lambda asked: checks.land_hits(asked.sites, "no"),
    "land_ask": lambda asked: checks.land_hits(asked.sites, "ask"),
    "refused_by_owner": lambda asked: checks.decided(asked.sites, asked.decisions, "refused_by_owner"),
    "banned": lambda asked: checks.decided(asked.sites, asked.decisions, "banned"),
}
"""Rules that are asked here; those of areas go together, others are found by the kinds or asked elsewhere."""


def _area_hits(sites: gpd.GeoDataFrame, context: CandidateContext, rules: Mapping[str, SiteRule]) -> dict[str, Hits]:
    """Hits of the rules of restricted areas, of water and of hazardous venues, by code."""
    tables, ledger = context.tables, context.ledger
    barred = frozenset(name for name, entry in context.venues.classes.items() if not entry.takes_site)
    petrol = hazard_points(tables["facilities"], barred, rules["petrol_station"])
    areas = restricted_areas(tables["restricted"], rules, ledger).joined(
        water_areas(tables["water"], rules["water"], ledger)).joined(petrol)
    near = sites_near(sites.geometry.to_numpy(), areas)
    own = sites["source"].isin(checks.VENUE_SOURCES).to_numpy()[near.row] & (
        sites["source_id"].to_numpy(object)[near.row] == areas.ids[near.area])
    kept = ~(own & (near.area >= len(areas.ids) - len(petrol.ids)))
    for code in sorted(set(areas.codes)):
        kept &= (areas.codes[near.area] != code) | rules[code].applies_to(sites)[near.row]
    near = Near(near.area[kept], near.row[kept], near.distance_m[kept])
    _tell_cover_all(sites, areas, near, rules, context)
    found = {code: area_hits(areas, near, code) for code in dict.fromkeys(areas.codes)}
    if "water" in found:
        found["water"], found["bridge"] = _on_bridges(found["water"], sites, tables["roads"], rules["bridge"])
    return found


def _on_bridges(wet: Hits, sites: gpd.GeoDataFrame, roads: gpd.GeoDataFrame, rule: SiteRule) -> tuple[Hits, Hits]:
    """Hits of water, parted into those that stand in it and those that stand on a bridge; off, none stand on one."""
    if rule.effect == "off":
        return wet, Hits(np.zeros(0, np.int64), [])
    away = nearest_feature_m(sites.geometry.iloc[wet.rows], roads)
    with np.errstate(invalid="ignore"):
        over = rule.applies_to(sites)[wet.rows] & (away <= (rule.distance_m or 0.0))
    reasons = np.asarray(wet.reasons, object)
    told = [f"{reason},距道路{metre}米,按桥上的杆处理" for reason, metre in zip(reasons[over], metres(away[over]), strict=True)]
    return Hits(wet.rows[~over], reasons[~over].tolist()), Hits(wet.rows[over], told)


def _tell_cover_all(sites: gpd.GeoDataFrame, areas: Areas, near: Near, rules: Mapping[str, SiteRule],
                    context: CandidateContext) -> None:
    """A ledger line where one restricted area, or all together, leave no candidate."""
    total = int((sites["status"] != "existing").sum())
    refusing = np.array([rules[code].effect == "refuse" and rules[code].is_area for code in areas.codes], bool)
    pairs = refusing[near.area]
    if not total or len(np.unique(near.row[pairs])) < total:
        return
    counts = np.bincount(near.area[pairs], minlength=len(areas.ids))
    whole = np.flatnonzero(counts == total)
    for number in whole if len(whole) else [-1]:
        row, label = ("", "") if number < 0 else (str(areas.ids[number]), str(areas.labels[number]))
        context.ledger.add("restricted", "", row, "geometry", label, "note",
                           f"限制区覆盖了全部候选(共 {total} 个),没有可用站址", "核对该限制区的范围、坐标系和控制距离")


def _file_of(context: CandidateContext, layer: str, ids: list[str]) -> tuple[str, list[str]]:
    """File and rows of the input that candidates come from."""
    table = context.tables[layer]
    key = table.index if layer != "stations" else pd.Index(table["source_site"])
    found = table[["source_file", "source_row"]].set_axis(key)
    found = found[~found.index.duplicated()].reindex(ids).astype("object").fillna("")
    files = sorted(set(found["source_file"]) - {""})
    rows = [str(row) or name for row, name in zip(found["source_row"], ids, strict=True)]
    return ",".join(files), rows


def _tell_faults(sites: gpd.GeoDataFrame, broken: list[tuple[SiteRule, Hits]], context: CandidateContext) -> None:
    """Ledger lines for rules whose breach may be a fault of the data: one each where few, one for all where many."""
    sources, ids = sites["source"].to_numpy(object), sites["source_id"].to_numpy(object)
    secret = sites["refusal_code"].to_numpy(object) == SECRET
    for rule, hits in broken:
        if not rule.check_data or rule.effect == "off":
            continue
        kept = ~secret[hits.rows]
        numbers, reasons = hits.rows[kept], np.asarray(hits.reasons, object)[kept]
        done = "按不可用候选处理" if rule.effect == "refuse" else "保留为候选并提示"
        remedy = f"核对坐标和数据;属实则无须处理,规则可改 [candidates.rules.{rule.id}]"
        for source in sorted(set(sources[numbers])):
            mine = np.flatnonzero(sources[numbers] == source)
            layer = LAYER_OF.get(source, source)
            file, rows = _file_of(context, layer, ids[numbers[mine]].tolist())
            if len(mine) > _SINGLE_LINES:
                shown = "、".join(ids[numbers[mine[:3]]])
                context.ledger.add(layer, file, f"共 {len(mine)} 行", "geometry", f"{shown}等", "note",
                                   f"{rule.zh}:如“{reasons[mine[0]]}”,{done}", remedy)
                continue
            for number, row in zip(mine, rows, strict=True):
                context.ledger.add(layer, file, row, "geometry", ids[numbers[number]], "note",
                                   f"{reasons[number]},{done}", remedy)


def _unlisted(code: str) -> SiteRule:
    """A rule for a code that a kind of candidates gives and the table does not have."""
    return SiteRule(id=code, zh=code, effect="refuse", source="candidates")


def apply_rules(sites: gpd.GeoDataFrame, context: CandidateContext, existing: gpd.GeoDataFrame, *,
                rules: Mapping[str, SiteRule] | None = None, to_gap_m: np.ndarray | None = None,
                decisions: Mapping[str, tuple[str, str]] | None = None) -> gpd.GeoDataFrame:
    """The candidates with every rule told that they break; none is left out.

    Parameters
    ----------
    sites : GeoDataFrame
        The sites table: candidates of all kinds together, with ``spacing_m`` and ``land_use_code`` filled in where
        they are known. Rows of status existing are left alone.
    context : CandidateContext
        Its ledger takes the lines on areas and on breaches that may be faults of the data.
    existing : GeoDataFrame
        Existing stations as rows of a sites table.
    rules : mapping of str to SiteRule, optional
        Those of :func:`~siteplan.candidates.rule_table.site_rules`; made from ``context.params.rules`` when absent.
    to_gap_m : ndarray, optional
        :func:`~siteplan.candidates.refuse.gap_distance_m`; computed when absent.
    decisions : mapping of str to (str, str), optional
        Site id or source id -> ``banned`` or ``refused_by_owner``, and a Chinese sentence.

    Returns
    -------
    GeoDataFrame
        A new table with ``slope_deg``, and ``status, refusal_code, reason, flags, evidence`` as
        :func:`~siteplan.candidates.refuse.mark` fills them in. Each rule is asked by itself, so switching one off
        never refuses more.

    Raises
    ------
    ModelError
        The rules of the study cannot be used.
    """
    if sites.empty:
        return sites
    known = site_rules(context.params.rules) if rules is None else rules
    gap = gap_distance_m(context.gap, context.surface) if to_gap_m is None else to_gap_m
    fresh, told = checks.of_kinds(sites, known)
    steep = fresh.assign(slope_deg=np.round(slope_deg(fresh, context.surface), 1))
    asked = _Asked(steep, context, existing, known, gap, decisions or {})
    areas = _area_hits(steep, context, known)
    broken = [(_unlisted(code), hits) for code, hits in told.items() if code not in known]
    for code, rule in known.items():
        if rule.effect == "off":
            continue
        if code in told:
            broken.append((rule, told[code]))
        if code in areas:
            broken.append((rule, areas[code]))
        if code in _CHECKS:
            hits = _CHECKS[code](asked)
            meant = rule.applies_to(steep)[hits.rows]
            broken.append((rule, Hits(hits.rows[meant], np.asarray(hits.reasons, object)[meant].tolist())))
    marked = mark(steep, broken)
    _tell_faults(marked, broken, context)
    return marked


def refusal_counts(sites: pd.DataFrame, rules: Mapping[str, SiteRule] | None = None) -> pd.DataFrame:
    """How many candidates break each rule, by kind of candidate.

    Parameters
    ----------
    sites : DataFrame
        The sites table; ``refusal_code``, ``flags`` and ``source`` are read.
    rules : mapping of str to SiteRule, optional
        Those of :func:`site_rules`; the package's when absent.

    Returns
    -------
    DataFrame
        ``code, zh, effect, effect_zh, source, number, alone``, in the order of the rules, then by source. A candidate
        that breaks several rules counts for each; ``alone`` = it breaks no other rule that refuses (0 for flags).

    Examples
    --------
    >>> sites = pd.DataFrame({"refusal_code": ["water|slope", "water", ""], "flags": "", "source": "ground"})
    >>> refusal_counts(sites)[["code", "zh", "number", "alone"]].values.tolist()
    [['water', '水域', 2, 1], ['slope', '坡度过大', 1, 0]]
    """
    known = site_rules() if rules is None else rules
    parts = []
    for column, effect in (("refusal_code", "refuse"), ("flags", "flag")):
        marked = sites.loc[(sites[column] != "").to_numpy(dtype=bool), [column, "source"]].astype("object")
        codes = marked[column].str.split("|")
        long = marked.assign(code=codes, alone=(codes.str.len() == 1) & (effect == "refuse")).explode("code")
        parts.append(long[["code", "source", "alone"]].assign(effect=effect))
    every = pd.concat(parts)
    counts = every.groupby(["code", "effect", "source"], sort=True)["alone"].agg(["size", "sum"]).reset_index()
    order = {code: number for number, code in enumerate(known)}
    counts = counts.assign(
        zh=[known[code].zh if code in known else code for code in counts["code"]],
        effect_zh=counts["effect"].map(EFFECT_ZH), number=counts["size"].astype("int64"),
        alone=counts["sum"].astype("int64"), rank=[order.get(code, len(order)) for code in counts["code"]])
    counts = counts.sort_values(["rank", "code", "effect", "source"], kind="stable").reset_index(drop=True)
    return counts[["code", "zh", "effect", "effect_zh", "source", "number", "alone"]]
