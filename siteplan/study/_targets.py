"""Targets of a study: what is reached, and what is still needed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal

import pandas as pd

from siteplan.gaps import shortfall
from siteplan.gaps.progress.targets import Target, targets_of
from siteplan.study._areas import judged_under
from siteplan.study._places import people_of
from siteplan.study._scene import Scene
from siteplan.study._signals import Signals
from siteplan.study._stations import sites_of

OWN = ""
"""Key of the table in which each area is judged by the rule that the study gives it."""
COUNTS: Mapping[str, str] = {"village_rate": "villages", "full_coverage": "zones"}
"""Measure of a target -> the layer whose areas it counts."""
MEASURES: Mapping[str, tuple[str, ...]] = {
    "villages": ("area_share", "demand_share", "points"), "zones": ("area_share", "demand_share", "key_points")}
"""What rules may measure of the areas of each layer."""


def study_targets(scene: Scene) -> list[Target]:
    """The targets of the study file, in its order."""
    return list(targets_of(scene.params.targets).values())


def judged_areas(scene: Scene, name: str, states: Mapping[str, tuple[Signals, pd.DataFrame]],
                 ) -> dict[str, pd.DataFrame]:
    """Villages or zones as targets ask for them, under their own rule and under each rule that a target names.

    Parameters
    ----------
    scene : Scene
    name : {"villages", "zones"}
    states : mapping
        ``before`` and ``after`` -> signals and results of the layer.

    Returns
    -------
    dict of str to DataFrame
        ``OWN`` and the ids of rules -> ``name, county, town, zone_type`` (where there), ``people, rule,
        verdict_before, verdict_after`` on the areas. A rule that cannot judge the layer (one of lines, say) has no
        table; one that judges all its areas anyway has none either.
    """
    areas = scene.tables[name]
    columns = [column for column in ("name", "county", "town", "zone_type") if column in areas]
    own = pd.DataFrame(areas[columns]).assign(people=people_of(areas), rule=states["before"][1]["rule"], **{
        f"verdict_{state}": judged["verdict"] for state, (_, judged) in states.items()})
    tables = {OWN: own}
    named = {item.rule for item in study_targets(scene) if item.rule and COUNTS.get(item.measure) == name}
    for rule_id in sorted(named):
        rule = scene.all_rules[rule_id]
        if rule.measure in MEASURES[name] and not (own["rule"] == rule_id).all():
            tables[rule_id] = own.assign(rule=rule_id, **{
                f"verdict_{state}": judged_under(scene, name, rule, signals)["verdict"]
                for state, (signals, _) in states.items()})
    return tables


def target_table(scene: Scene, judged: Mapping[str, Mapping[str, pd.DataFrame]], stations: pd.DataFrame,
                 today: dt.date | None = None) -> pd.DataFrame:
    """Every target of the study, area by area, now and as planned side by side.

    Parameters
    ----------
    scene : Scene
    judged : mapping
        ``villages`` and ``zones`` -> :func:`judged_areas`. A target with a rule counts its areas under that rule.
    stations : DataFrame
        Of :func:`~siteplan.study._stations.stations_of`.
    today : date, optional

    Returns
    -------
    DataFrame
        As :func:`~siteplan.gaps.shortfall`, with ``_before`` and ``_after`` at what the plan changes.
    """
    targets = study_targets(scene)
    given = [tuple(judged[name].get(target.rule or OWN, judged[name][OWN]) for name in ("villages", "zones"))
             for target in targets]

    by_unit = {"站址": sites_of(stations)}  # 基站 are counted one by one

    def counted(state: Literal["before", "after"]) -> pd.DataFrame:
        tables = [shortfall([target], villages, zones, by_unit.get(target.unit, stations), today, state=state)
                  for target, (villages, zones) in zip(targets, given, strict=True)]
        return pd.concat(tables, ignore_index=True) if tables else shortfall([], None, None, None)

    now, planned = counted("before"), counted("after")
    late = ["reached", "not_assessable", "needed", "rate", "status", "reason"]
    planned["reason"] = planned["reason"] + _late_words(planned, by_unit["站址"])
    return now.rename(columns={name: f"{name}_before" for name in late}).assign(
        **{f"{name}_after": planned[name] for name in late})


def _late_words(table: pd.DataFrame, sites: pd.DataFrame) -> list[str]:
    """How many new sites come after the last day of a target whose areas are judged by the whole plan's coverage."""
    days = sites.loc[sites["status"] == "proposed", "built_on"]
    late = [int((days > pd.Timestamp(by)).sum()) if measure in COUNTS else 0
            for by, measure in zip(table["by"], table["measure"], strict=True)]
    return [f";按全部规划站址建成后判定,其中{number}处在期限之后" if number else "" for number in late]
