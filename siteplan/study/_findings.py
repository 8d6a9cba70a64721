"""Tables of results beside areas and gaps: rules compared, operators, targets, places, complaints, buildings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.rules.refuse import inside_polygons
from siteplan.gaps import (
    building_duty,
    complaint_rates,
    connectivity,
    count_connectivity,
    count_findings,
    count_indoor,
    filing_list,
    hot_spots,
    indoor_list,
    indoor_reach,
    match_complaints,
    room_conditions,
)
from siteplan.gaps.judging.areas import point_probability
from siteplan.gaps.progress.comparison import changed_areas
from siteplan.gaps.progress.connectivity import resettlement_zones
from siteplan.study._areas import compare_rules, judged_under, point_states
from siteplan.study._cheapest import cheapest_villages, rules_wanted, why_no_list
from siteplan.study._places import with_places
from siteplan.study._ranking import ranked
from siteplan.study._scene import AREA_LAYERS, Scene
from siteplan.study._signals import Signals
from siteplan.study._stages import State
from siteplan.study._stations import stations_of
from siteplan.study._targets import judged_areas, target_table

RULE_4G = "village_4g_2018"
MINOR_USES = ("residential", "industrial", "other")
INDOOR_WORDS: Mapping[str, str] = {
    "total": "建筑总数", "must": "应当配建室内覆盖设施", "must_built": "其中已有", "must_not_built": "其中没有",
    "must_built_unknown": "其中不明", "must_not_reached": "应当配建而宏站室内未达", "should": "宜配建", "should_built": "其中已有(宜)",
    "should_not_reached": "宜配建而宏站室内未达", "unknown": "待核实", "none": "无要求", "doubtful": "面积接近界限,待核"}
"""Counts of buildings, in the order of the sheet."""
LAYER_WORDS = {"villages": "行政村", "zones": "重点区域"}
Results = Mapping[str, pd.DataFrame]


def _operators(scene: Scene, before: State, after: State) -> pd.DataFrame:
    """Verdicts of every operator, before and after side by side; index (layer, area, network)."""
    parts = {}
    for name in AREA_LAYERS:
        now, planned = (state.operators[name] for state in (before, after))
        if now.empty and planned.empty:
            continue
        rule = planned["rule"].combine_first(now["rule"])
        joined = now.drop(columns="rule").add_suffix("_before").join(
            planned.drop(columns="rule").add_suffix("_after"), how="outer")
        joined.index.names = ["area", "network"]
        codes = joined.index.get_level_values("area")
        rule = rule.set_axis(rule.index.rename(["area", "network"]))
        named = scene.tables[name]["name"].reindex(codes).to_numpy()
        parts[name] = joined.assign(rule=rule.reindex(joined.index), name=named, layer_zh=LAYER_WORDS[name])
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, names=["layer"])


def _states_4g(scene: Scene, signals: Signals) -> tuple[pd.Series | None, pd.Series | None]:
    """Verdicts on 4G of villages and of resettlement zones; None where no 4G network is predicted."""
    rule = scene.all_rules[RULE_4G]
    if not signals.knows(rule):
        return None, None
    share = scene.all_rules["area_share_95"].model_copy(update={"technology": "4G"})
    villages, zones = (judged_under(scene, name, asked, signals)["verdict"] for name, asked in (
        ("villages", rule), ("zones", share)))
    return villages, zones


def _connected(scene: Scene, signals: Signals) -> dict[str, pd.DataFrame]:
    """4G and fibre of villages and resettlement zones."""
    tables, within = scene.tables, scene.params.gaps.fibre_within_m
    fibre = tables["fibre"] if len(tables["fibre"]) else None
    of_villages, of_zones = _states_4g(scene, signals)
    zones = resettlement_zones(tables["zones"])
    return {
        "行政村": connectivity(tables["villages"], tables["village_points"], of_villages, fibre, within, rule_4g=RULE_4G,
                            complete=scene.params.gaps.fibre_complete),
        "安置点": connectivity(zones, None, of_zones, fibre, within, rule_4g="area_share_95 (4G)",
                            complete=scene.params.gaps.fibre_complete),
    }


def _buildings(scene: Scene, before: State, after: State) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Buildings that must or should have indoor coverage, or that the outdoor sites do not reach; and counts of all.

    Dwellings and the like of no duty are counted, not listed: in thousands, indoor gaps say where they stand.
    """
    buildings = scene.tables["buildings"]
    inner = buildings[buildings["inside"].fillna(True).astype(bool)]
    duty = building_duty(inner, facilities=scene.tables["facilities"])
    reach = {}
    for state, found in (("before", before), ("after", after)):
        best = found.signals.coverage.any_5g()
        reach[state] = indoor_reach(inner, best.indoor_probability, scene.surface.geobox,
                                    scene.params.gaps.gap_probability, unknown=np.isnan(best.probability))
    listed = indoor_list(inner, duty, reach["after"])
    duty_free = (listed["duty"] == "none") & listed["use"].isin(MINOR_USES)
    listed = listed[~duty_free].assign(rank_no=np.arange(1, int((~duty_free).sum()) + 1))
    listed = listed.assign(reach_before=reach["before"]["state"].reindex(listed.index),
                           indoor_probability_before=reach["before"]["indoor_probability"].reindex(listed.index))
    counts = {state: pd.Series(count_indoor(inner, duty, table)) for state, table in reach.items()}
    table = pd.DataFrame({"item": INDOOR_WORDS, **{
        state: found.reindex(list(INDOOR_WORDS)) for state, found in counts.items()}})
    placed = gpd.GeoDataFrame(listed, geometry=inner.geometry.reindex(listed.index), crs=scene.crs)
    points = placed.set_geometry(placed.geometry.representative_point())
    return placed.assign(town=inside_polygons(points, scene.tables["towns"])), table


def _venues(scene: Scene, before: State, after: State) -> pd.DataFrame:
    """Public venues by class: how many have the signal of any 5G network at their place, now and as planned."""
    venues = scene.tables["facilities"]
    venues = venues[venues["inside"].fillna(True).astype(bool) & venues.geometry.notna()]
    if venues.empty:
        return pd.DataFrame()
    least, classes = scene.params.gaps.gap_probability, scene.venues.classes
    columns = {"total": pd.Series(1, index=venues.index)}
    for state, found in (("before", before), ("after", after)):
        p = point_probability(venues, found.signals.coverage.any_5g().probability, scene.demand)
        columns |= {f"covered_{state}": p >= least, f"unknown_{state}": np.isnan(p),
                    f"not_covered_{state}": p < least}
    names = venues["venue_class"].map(lambda name: classes[name].zh if name in classes else str(name))
    table = pd.DataFrame(columns, index=venues.index).groupby(names.rename("venue_class")).sum().astype(int)
    for state in ("before", "after"):
        table[f"rate_{state}"] = table[f"covered_{state}"] / table["total"]
    return table.sort_values(["not_covered_after", "not_covered_before", "total"], ascending=False, kind="stable")


def _filings(scene: Scene) -> pd.DataFrame:
    planned = scene.tables["planned_buildings"]
    named = planned.assign(town=with_places(planned, scene.tables)["town"])
    return filing_list(named, building_duty(named, facilities=scene.tables["facilities"]),
                       today=scene.params.study.as_of)


def _targets(scene: Scene, before: State, after: State, sites: gpd.GeoDataFrame) -> dict[str, pd.DataFrame]:
    """Targets with what they lack, and for those of villages the ones that are cheapest to gain."""
    judged = {name: judged_areas(scene, name, {"before": (before.signals, before.areas[name]),
                                               "after": (after.signals, after.areas[name])}) for name in AREA_LAYERS}
    table = target_table(scene, judged, stations_of(scene, sites), scene.params.study.as_of)
    lists = []
    for rule in rules_wanted(scene, table):
        reason = why_no_list(rule, before.signals.any_network(rule))
        if reason:
            scene.ledger.add("study", "", "", "targets", rule.id, "note", f"不列补齐清单:{reason}",
                             "目标差距照列;要清单的,另写一个按任一5G网络室外信号判定的目标")
        lists.append(cheapest_villages(scene, before.signals, table, sites, rule))
    found = [part for part in lists if len(part)]
    return {"targets": table} | ({"cheapest": pd.concat(found, ignore_index=True)} if found else {})


def _changes(scene: Scene, before: State, after: State) -> pd.DataFrame:
    """Villages and zones whose verdict the plan changes."""
    parts = {}
    for name in AREA_LAYERS:
        columns = [column for column in ("name", "county", "town", "zone_type") if column in scene.tables[name]]
        named = scene.tables[name][columns]
        parts[LAYER_WORDS[name]] = changed_areas(pd.DataFrame(named).join(before.areas[name]),
                                                 pd.DataFrame(named).join(after.areas[name]))
    return pd.concat(parts, names=["layer", "area"])


def _village_facts(scene: Scene, before: State, connected: pd.DataFrame) -> pd.DataFrame:
    """What the annex says of a village beside its verdicts: its points now, 4G, fibre."""
    own = scene.rules["villages"]
    rule = own if own.measure == "points" else scene.all_rules["village_miit_2025"]
    states = point_states(scene, before.signals, rule)
    return states.assign(asked_kinds="|".join(rule.kinds)).join(connected[["has_4g", "has_fibre"]])


def _complaints(scene: Scene, before: State) -> dict[str, pd.DataFrame]:
    """Complaints against the coverage there is, hot spots, and how often gaps and covered land are complained of."""
    params, tables = scene.params.gaps, scene.tables
    told = match_complaints(tables["complaints"], before.signals.coverage, before.gaps, params)
    told = told.assign(**{name: inside_polygons(told, tables[layer]) for name, layer in (
        ("village", "villages"), ("town", "towns"))})
    best = before.signals.coverage.any_5g()
    return {"complaints": told, "complaint_findings": count_findings(told),
            "complaint_rates": complaint_rates(tables["complaints"], best.probability, scene.demand, params),
            "hot_spots": hot_spots(told, params, villages=tables["villages"], zones=tables["zones"],
                                   since=params.complaints_since)}


def find_results(scene: Scene, before: State, after: State, sites: gpd.GeoDataFrame) -> dict[str, Any]:
    """Every further table of a plan, by its name in ``Plan.results``."""
    tables = scene.tables
    villages = {state: (found.signals, found.areas["villages"])
                for state, found in (("before", before), ("after", after))}
    connected = _connected(scene, before.signals)
    results: dict[str, Any] = {
        "connectivity": pd.concat(connected, names=["kind", "area"]),
        "connectivity_counts": count_connectivity(connected["行政村"], "town"),
        "changes": _changes(scene, before, after), **_targets(scene, before, after, sites),
        "operators": _operators(scene, before, after),
        "lines": after.lines.sections.join(before.lines.sections[
            ["length_share", "verdict", "worst_stretch_m", "reason"]].add_suffix("_before")),
        "stretches": after.lines.stretches, "indoor_gaps": after.indoor_gaps,
        "filing": _filings(scene), "venues": _venues(scene, before, after),
    }
    results["indoor_buildings"], results["indoor_counts"] = _buildings(scene, before, after)
    if len(tables["villages"]):
        results["rules"] = compare_rules(scene, villages)
        results["village_facts"] = _village_facts(scene, before, connected["行政村"])
    for layer in before.places:
        results[layer] = ranked(scene, before.places[layer], after.places[layer])
    if len(tables["complaints"]):
        results |= _complaints(scene, before)
    if len(tables["planned_buildings"]):
        results["rooms"] = room_conditions()
    return {name: table for name, table in results.items() if len(table)}
