"""Counties and towns: their indicators under one state, and their rank by published weights."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.coverage import Layer
from siteplan.gaps import AreaPixels, Demand, rank_areas
from siteplan.gaps.progress.ranking import ranking_of, sites_per_10000
from siteplan.study._places import people_of, place_keys
from siteplan.study._scene import Scene
from siteplan.study._stations import stations_of


def _rate(table: pd.DataFrame, level: str, names: pd.Index) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Passed, total and rate of the areas of each place; no area, no rate."""
    keys = place_keys(table, level)
    total = keys.value_counts().reindex(names, fill_value=0)
    passed = keys[table["verdict"] == "pass"].value_counts().reindex(names, fill_value=0)
    return passed, total, passed / total.where(total > 0)


def place_indicators(scene: Scene, pixels: AreaPixels, level: str, best: Layer, judged: Mapping[str, pd.DataFrame],
                     sites: gpd.GeoDataFrame | None) -> pd.DataFrame:
    """Indicators of counties or towns.

    Parameters
    ----------
    scene : Scene
    pixels : AreaPixels
        Of :func:`place_pixels`.
    level : {"county", "town"}
    best : Layer
        Best of the 5G networks.
    judged : mapping
        ``villages`` and ``zones`` with ``verdict``, ``county``, ``town``.
    sites : GeoDataFrame or None
        The sites table whose proposed sites count as well.

    Returns
    -------
    DataFrame
        On the names of the places: ``villages, villages_passed, village_rate, zones, zones_passed, zone_rate,
        area_share, population_share, people, stations, sites_per_10000``; NaN where there is nothing to count.
    """
    demand: Demand = scene.demand
    names = pixels.index
    passed, total, rate = _rate(judged["villages"], level, names)
    zones_passed, zones, zone_rate = _rate(judged["zones"], level, names)
    said = people_of(scene.tables["villages"]).groupby(place_keys(scene.tables["villages"], level)).sum(min_count=1)
    counted = pixels.sums(demand.per_pixel) if demand.kind == "people" else pd.Series(np.nan, index=names)
    people = counted.where(counted.notna(), said.reindex(names))
    stations = stations_of(scene, sites)
    single = stations.loc[stations.index.repeat(stations["stations"].astype(int))]
    per = sites_per_10000(place_keys(single, level), people).reindex(names)
    nobody = np.zeros_like(demand.per_pixel)
    share = pixels.mean(best.probability, demand.per_pixel if demand.kind == "people" else nobody)
    land = pixels.mean(best.probability).clip(upper=1.0)
    return pd.DataFrame({
        "villages": total, "villages_passed": passed, "village_rate": rate, "zones": zones,
        "zones_passed": zones_passed, "zone_rate": zone_rate, "area_share": land,
        "population_share": share.clip(upper=1.0), "people": people,
        "stations": per["sites"], "sites_per_10000": per["sites_per_10000"]}, index=names.rename("area"))


def ranked(scene: Scene, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Score and rank now and as planned side by side, in the order of the rank now, with the indicators."""
    weights = ranking_of(scene.params.gaps.ranking, scene.params.rankings)
    scores = {state: rank_areas(table, weights)[["rank_no", "score", "missing"]].add_suffix(f"_{state}")
              for state, table in (("before", before), ("after", after))}
    order = scores["before"].index
    parts = [scores["before"], scores["after"].reindex(order), before.reindex(order).add_suffix("_before"),
             after.reindex(order).add_suffix("_after")]
    return pd.concat(parts, axis=1).assign(ranking=weights.zh).rename_axis("area")
