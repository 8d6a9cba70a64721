"""Villages and key zones judged, each by its rule: for any network, for every operator, with bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.gaps import (
    KIND_ZH,
    ErrorComponent,
    Rule,
    assess_areas,
    assess_networks,
    count_verdicts,
    judge_operators,
    pass_probability,
    share_band,
)
from siteplan.gaps.certainty.point_chances import points_pass_probability
from siteplan.gaps.judging.areas import asked_points, point_probability, too_small
from siteplan.gaps.judging.key_points import points_of_areas
from siteplan.study._scene import Scene
from siteplan.study._signals import Signals, serves

POINT_STATES = ("none", "covered", "missing", "not_covered")
"""The village has no such point; it is covered; the data do not say; it is not covered: of several the last decides."""


def serving_sites(scene: Scene, technology: str, sites: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame:
    """Places of the existing sites of a technology with their ``networks`` (joined by ``|``); proposed ones are 5G."""
    stations = scene.tables["stations"]
    stations = stations[stations["technology"] == technology].sort_index()
    by_site = stations.groupby(stations["source_site"].astype("str"), sort=True)
    names = by_site["network"].agg(lambda texts: "|".join(sorted({one for text in texts for one in text.split("&")})))
    found = pd.DataFrame({"networks": names, "geometry": by_site["geometry"].first()})
    if sites is not None and technology == "5G":
        new = sites[sites["status"] == "proposed"]
        found = pd.concat([found, new[["geometry"]].assign(networks=serves(scene))])
    return gpd.GeoDataFrame(found, geometry="geometry", crs=scene.crs)


def judge_layer(scene: Scene, name: str, signals: Signals) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Results of villages or zones, each by the rule that the study gives it, and the same for every operator.

    Parameters
    ----------
    scene : Scene
    name : {"villages", "zones"}
    signals : Signals

    Returns
    -------
    table : DataFrame
        Columns of :func:`~siteplan.gaps.assess_areas` and ``share_low, share_high, pass_probability``.
    networks : DataFrame
        Index (area, network), see :func:`~siteplan.gaps.assess_networks`.
    """
    areas, rule_ids = scene.tables[name], scene.area_rules[name]
    tables, by_network = [], []
    for rule_id in dict.fromkeys(rule_ids):
        places = np.flatnonzero((rule_ids == rule_id).to_numpy())
        judged, networks = _judge(scene, name, places, scene.all_rules[rule_id], signals)
        tables.append(judged)
        by_network.append(networks)
    if not tables:
        rule = scene.rules[name]
        judged, networks = _judge(scene, name, np.zeros(0, dtype=int), rule, signals)
        return judged, networks
    return pd.concat(tables).reindex(areas.index), pd.concat(by_network)


class _Asked(NamedTuple):
    """Areas of a layer, and what rules look at beside the probability."""

    areas: gpd.GeoDataFrame
    tables: dict[str, Any]


def _ask(scene: Scene, name: str, rule: Rule, signals: Signals, places: np.ndarray | None = None) -> _Asked:
    """The whole layer, or its areas at some places."""
    areas, pixels = scene.tables[name], scene.pixels[name]
    if places is not None:
        areas, pixels = areas.iloc[places], pixels.rows(places)
    return _Asked(areas, {
        "points": scene.tables["village_points"] if name == "villages" else None, "pixels": pixels,
        "sites": serving_sites(scene, rule.technology, signals.sites) if signals.knows(rule) else None,
        "key_points": key_points(scene) if rule.measure == "key_points" else None})


def _judge(scene: Scene, name: str, places: np.ndarray, rule: Rule, signals: Signals,
           ) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Areas at some places of a layer under one rule, with their bands; and the same for every operator."""
    asked = _ask(scene, name, rule, signals, places)
    judged, networks = _by_best(scene, asked, rule, signals), _alone(scene, asked, rule, signals)
    if rule.operators != "any" and signals.knows(rule):
        judged = judge_operators(judged, networks, rule)
    return judged.join(_band(scene, asked, rule, signals)), networks


def judged_under(scene: Scene, name: str, rule: Rule, signals: Signals) -> pd.DataFrame:
    """Every area of a layer judged by one rule, whichever rule the study gives it.

    Parameters
    ----------
    scene : Scene
    name : {"villages", "zones"}
    rule : Rule
        Not one of lines.
    signals : Signals

    Returns
    -------
    DataFrame
        Columns of :func:`~siteplan.gaps.assess_areas`, without bands.
    """
    asked = _ask(scene, name, rule, signals)
    judged = _by_best(scene, asked, rule, signals)
    if rule.operators == "any" or not signals.knows(rule):
        return judged
    return judge_operators(judged, _alone(scene, asked, rule, signals), rule)


def _alone(scene: Scene, asked: _Asked, rule: Rule, signals: Signals) -> pd.DataFrame:
    return assess_networks(asked.areas, signals.networks(rule), scene.demand, rule, **asked.tables)


def _by_best(scene: Scene, asked: _Asked, rule: Rule, signals: Signals) -> pd.DataFrame:
    """Areas under one rule by the best of all networks; not assessable without a cell of its technology."""
    best = signals.any_network(rule)
    judged = assess_areas(asked.areas, best.probability, scene.demand, rule, indoor=best.indoor_probability,
                          threshold_dbm=best.threshold_dbm, **asked.tables)
    if signals.knows(rule):
        return judged
    reason = f"没有{rule.technology}工参,无法判定"
    shares = dict.fromkeys(("area_share", "demand_share", "indoor_share"), np.nan)
    return judged.assign(**shares, verdict="not_assessable", shortfall=np.nan, reason=reason)


def _band(scene: Scene, asked: _Asked, rule: Rule, signals: Signals) -> pd.DataFrame:
    """Band of the share that the rule measures, and the probability that the area passes; NaN without all points."""
    probability, parts = signals.any_network(rule).probability, signals.error_parts
    weight = scene.demand.per_pixel if rule.measure == "demand_share" else None
    band = share_band(probability, asked.tables["pixels"], parts, weight)
    chance = pd.Series(np.nan, index=asked.areas.index)
    part = rule.measure == "key_points" and rule.minimum < 1
    odd = part or rule.operators != "any" or rule.indoor_minimum is not None or rule.site_within_m is not None
    if odd:  # the band is that of the signal of any network outdoors, which does not decide alone
        pass
    elif rule.measure in ("area_share", "demand_share"):
        chance = pass_probability(band, rule.minimum)
    elif rule.measure == "points":
        chance = _points_chance(scene, asked.areas, probability, rule, parts)
    elif rule.measure == "key_points":
        chance = _key_points_chance(scene, asked.areas, probability, rule, parts)
    return pd.DataFrame({"share_low": band.low, "share_high": band.high, "pass_probability": chance})


def _points_chance(scene: Scene, villages: gpd.GeoDataFrame, probability: np.ndarray, rule: Rule,
                   parts: Sequence[ErrorComponent]) -> pd.Series:
    """Probability that all points of each village are covered at once; NaN where a kind has no row."""
    points = asked_points(scene.tables["village_points"], rule)
    points = points[points["village_code"].isin(villages.index)]
    there = points[points["exists"]]
    table = pd.DataFrame({
        "code": there["village_code"].astype("str").to_numpy(), "x": there.geometry.x.to_numpy(),
        "y": there.geometry.y.to_numpy(), "p": point_probability(there, probability, scene.demand)})
    told = points.groupby(points["village_code"].astype("str"))["kind"].nunique().reindex(villages.index)
    return points_pass_probability(table, parts).reindex(villages.index).where(told == len(rule.kinds))


def _key_points_chance(scene: Scene, zones: gpd.GeoDataFrame, probability: np.ndarray, rule: Rule,
                       parts: Sequence[ErrorComponent]) -> pd.Series:
    """Probability that all key points of each zone are covered at once."""
    points = key_points(scene)
    points = points[points.geometry.notna()]
    found = points_of_areas(zones, points, point_probability(points, probability, scene.demand), rule)
    where, codes = points.geometry.iloc[found.point], zones.index.astype("str")
    table = pd.DataFrame({"code": codes[found.area], "x": where.x.to_numpy(), "y": where.y.to_numpy(),
                          "p": found.probability})
    return points_pass_probability(table, parts).reindex(codes).set_axis(zones.index)


def key_points(scene: Scene) -> gpd.GeoDataFrame:
    """Key points of zones: those of the layer, else the public venues."""
    given = scene.tables["zone_points"]
    return given if len(given) else scene.tables["facilities"]


def point_states(scene: Scene, signals: Signals, rule: Rule) -> pd.DataFrame:
    """State of every kind of village point, one of `POINT_STATES`; a kind is covered when all its points are.

    Returns
    -------
    DataFrame
        On the codes of the villages, a column for each kind of `KIND_ZH`.
    """
    points, villages = scene.tables["village_points"], scene.tables["villages"]
    p = pd.Series(point_probability(points, signals.any_network(rule).probability, scene.demand), index=points.index)
    there = points["exists"].astype(bool) & ~too_small(points, rule)
    state = np.select([~there, p.isna(), p >= rule.point_probability], ["none", "missing", "covered"], "not_covered")
    worst = pd.Series(pd.Categorical(state, POINT_STATES, ordered=True).codes, index=points.index)
    by_kind = worst.groupby([points["village_code"].astype("str"), points["kind"]]).max().unstack("kind")
    table = by_kind.reindex(index=villages.index, columns=list(KIND_ZH))
    return table.map(lambda code: POINT_STATES[int(code)] if code == code else "missing").astype("str")


def compare_rules(scene: Scene, states: Mapping[str, tuple[Signals, pd.DataFrame]]) -> pd.DataFrame:
    """Villages counted under every rule of ``gaps.compare_rules`` and their own, now and as planned.

    ``states``: ``before`` and ``after`` -> signals and results of the villages.
    """
    own = scene.rules["villages"].id
    rows = []
    for rule_id in dict.fromkeys([own, *scene.params.gaps.compare_rules]):
        rule = scene.all_rules[rule_id]
        row: dict[str, Any] = {"rule": rule_id, "rule_zh": rule.zh, "source": rule.source, "own": rule_id == own}
        for state, (signals, judged) in states.items():
            table = judged if rule_id == own else judged_under(scene, "villages", rule, signals)
            counts = count_verdicts(table["verdict"], rule)
            row |= {f"{key}_{state}": counts[key] for key in ("passed", "failed", "not_assessable", "rate")}
            row["total"] = counts["total"]
        rows.append(row)
    return pd.DataFrame(rows).set_index("rule")


def count_layer(scene: Scene, name: str, verdicts: pd.Series) -> dict[str, Any]:
    """Counts and rate of a layer, with its rule; where areas have different rules, ``by_rule`` counts each."""
    ids = scene.area_rules[name]
    rules = [scene.all_rules[rule_id] for rule_id in dict.fromkeys(ids)] or [scene.rules[name]]
    counts = dict(count_verdicts(verdicts, rules[0]))
    if len(rules) > 1:
        counts |= {"rule": "|".join(rule.id for rule in rules), "rule_zh": ";".join(rule.zh for rule in rules),
                   "by_rule": [dict(count_verdicts(verdicts[ids == rule.id], rule)) for rule in rules]}
    return counts
