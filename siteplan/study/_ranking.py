"""Counties and towns: their indicators under one state, and their rank by published weights."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.coverage import Layer
from siteplan.gaps import AreaPixels, Demand, build_demand, rank_areas
from siteplan.gaps.progress.ranking import ranking_of, sites_per_10000
from siteplan.study._places import LEVELS, area_keys, keys_at, people_of
from siteplan.study._scene import Scene
from siteplan.study._stations import stations_of

LEAST_KNOWN_SHARE = 0.95
"""Least known part of a place for which its covered share is told (an editable default, unverified)."""
POPULATION_LAYER, VILLAGE_TABLE = "人口图层(常住)", "行政村表"


def _verdicts(judged: pd.DataFrame, keys: pd.Series, names: pd.Index, name: str) -> pd.DataFrame:
    """Areas of each place counted by verdict, their rate and rules; no area that can be judged, no rate."""
    keys = keys.reindex(judged.index)
    counted = {column: keys[rows].value_counts().reindex(names, fill_value=0) for column, rows in (
        ("total", judged.index), ("passed", judged["verdict"] == "pass"),
        ("unclear", ~judged["verdict"].isin(["pass", "fail"])))}
    if judged.empty:  # there is no such layer: nothing is known of their number
        counted = {column: pd.Series(np.nan, index=names) for column in counted}
    total, passed, unclear = counted["total"], counted["passed"], counted["unclear"]
    rules = judged["rule"].groupby(keys).agg(lambda ids: "|".join(dict.fromkeys(ids.astype("str"))))
    return pd.DataFrame({f"{name}s": total, f"{name}s_passed": passed, f"{name}s_not_assessable": unclear,
                         f"{name}_rate": passed / total.where(total > unclear),
                         f"{name}_rule": rules.reindex(names).fillna("")}, index=names)


def _residents(scene: Scene, pixels: AreaPixels, layer: str) -> pd.DataFrame:
    """Residents of each place and where the number comes from, whichever people count as demand.

    Those of the population layer; where it has none, those of the village table, unless a village lacks its own.
    """
    names, demand = pixels.index, scene.demand
    if demand.basis != "resident":  # a raster has residents alone, so this population is a table
        population = scene.tables["population"]
        demand = build_demand(demand.geobox, scene.boundary, population, population.iloc[:0])
    if demand.kind == "people":
        return pd.DataFrame({"people": pixels.sums(demand.per_pixel), "people_source": POPULATION_LAYER}, index=names)
    keys = area_keys(scene.tables, "villages", layer)
    said = people_of(scene.tables["villages"]).groupby(keys).sum(skipna=False).reindex(names)
    return pd.DataFrame({"people": said, "people_source": np.where(said.notna(), VILLAGE_TABLE, "")}, index=names)


def _shares(pixels: AreaPixels, probability: np.ndarray, demand: Demand) -> pd.DataFrame:
    """Covered shares of land and people and how much of either is known; missing where too little is."""
    people = demand.per_pixel if demand.kind == "people" else np.zeros_like(demand.per_pixel)
    known = (~np.isnan(probability)).astype(np.float32)
    land_known, people_known = (pixels.mean(known, weight).clip(upper=1.0) for weight in (None, people))
    enough = land_known >= LEAST_KNOWN_SHARE
    return pd.DataFrame({
        "known_share": land_known, "people_known_share": people_known,
        "area_share": pixels.mean(probability).clip(upper=1.0).where(enough),
        "population_share": pixels.mean(probability, people).clip(upper=1.0).where(
            enough & (people_known >= LEAST_KNOWN_SHARE)),
        "population_basis": demand.zh if demand.kind == "people" else ""}, index=pixels.index)


def place_indicators(scene: Scene, pixels: AreaPixels, level: str, best: Layer, judged: Mapping[str, pd.DataFrame],
                     sites: gpd.GeoDataFrame | None) -> pd.DataFrame:
    """Indicators of counties or towns: of what lies inside the boundary.

    Stations, villages and zones (by a point inside them) count where they lie, whatever their tables call the place.

    Parameters
    ----------
    scene : Scene
    pixels : AreaPixels
        Of :func:`place_pixels`.
    level : {"county", "town"}
    best : Layer
        Best of the 5G networks.
    judged : mapping
        ``villages`` and ``zones`` with ``verdict`` and ``rule``, on the ids of the areas.
    sites : GeoDataFrame or None
        The sites table whose proposed sites count as well.

    Returns
    -------
    DataFrame
        On the names of the places, for villages and zones: ``villages, villages_passed, villages_not_assessable,
        village_rate`` (of all; NaN where none can be judged), ``village_rule`` (ids joined by ``|``), and ``zones``,
        ... Further ``known_share`` (of the land), ``people_known_share``, ``area_share`` and ``population_share`` (of
        the known part; NaN where less than `LEAST_KNOWN_SHARE` of the land, or of the people, is known),
        ``population_basis`` (which people the latter counts, Chinese), ``people`` (residents), ``people_source``
        (Chinese), ``stations`` (5G stations), ``sites_per_10000`` (these per 10,000 residents). NaN where there is
        nothing to count.
    """
    layer = next(name for name, column in LEVELS.items() if column == level)
    names = pixels.index
    counted = [_verdicts(judged[name], area_keys(scene.tables, name, layer), names, name.removesuffix("s"))
               for name in ("villages", "zones")]
    residents = _residents(scene, pixels, layer)
    stations = stations_of(scene, sites)
    per = sites_per_10000(keys_at(stations.geometry, scene.tables, layer), residents["people"]).reindex(names)
    table = pd.concat([*counted, _shares(pixels, best.probability, scene.demand), residents], axis=1)
    return table.assign(stations=per["sites"], sites_per_10000=per["sites_per_10000"]).rename_axis("area")


def ranked(scene: Scene, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Score and rank now and as planned side by side, in the order of the rank now, with the indicators."""
    weights = ranking_of(scene.params.gaps.ranking, scene.params.rankings)
    scores = {state: rank_areas(table, weights)[["rank_no", "score", "missing"]].add_suffix(f"_{state}")
              for state, table in (("before", before), ("after", after))}
    order = scores["before"].index
    parts = [scores["before"], scores["after"].reindex(order), before.reindex(order).add_suffix("_before"),
             after.reindex(order).add_suffix("_after")]
    return pd.concat(parts, axis=1).assign(ranking=weights.zh).rename_axis("area")
