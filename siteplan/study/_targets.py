"""Targets of a study: what is reached, what is still needed, and the villages that are cheapest to gain."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.coverage import reach_probability, sectors_of_sites
from siteplan.gaps import Rule, cheapest_to_gain, shortfall
from siteplan.gaps.progress.targets import targets_of
from siteplan.grid import inside, pixel_of
from siteplan.study._places import people_of
from siteplan.study._scene import Scene
from siteplan.study._signals import serves

SAMPLES = 64
"""Uncovered pixels of a village at which candidates are tried for a rule of shares."""


def judged_areas(scene: Scene, name: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Villages or zones as targets ask for them: verdicts before and after, place, people, type."""
    areas = scene.tables[name]
    columns = [column for column in ("name", "county", "town", "zone_type") if column in areas]
    table = pd.DataFrame(areas[columns]).assign(people=people_of(areas), rule=tables["before"]["rule"])
    for state, judged in tables.items():
        table[f"verdict_{state}"] = judged["verdict"]
    return table


def target_table(scene: Scene, villages: pd.DataFrame, zones: pd.DataFrame, stations: pd.DataFrame,
                 today: dt.date | None = None) -> pd.DataFrame:
    """Every target of the study, area by area, now and as planned side by side."""
    targets = list(targets_of(scene.params.targets).values())
    now, planned = (shortfall(targets, villages, zones, stations, today, state=state) for state in ("before", "after"))
    late = ["reached", "not_assessable", "needed", "rate", "status", "reason"]
    return now.rename(columns={name: f"{name}_before" for name in late}).assign(
        **{f"{name}_after": planned[name] for name in late})


def _tried(scene: Scene, village_ids: pd.Index, rule: Rule, probability: np.ndarray) -> pd.DataFrame:
    """Pixels at which candidates are tried: ``village_id, row, col, gain`` of covering it, in the rule's measure."""
    if rule.measure == "points":
        points = scene.tables["village_points"]
        points = points[points["village_code"].isin(village_ids) & points["kind"].isin(rule.kinds)
                        & points["exists"].astype(bool) & points.geometry.notna()]
        rows, cols = pixel_of(scene.surface.geobox, points.geometry.x.to_numpy(), points.geometry.y.to_numpy())
        on = inside(scene.surface.geobox, rows, cols)
        table = pd.DataFrame({"village_id": points["village_code"].astype("str").to_numpy()[on], "row": rows[on],
                              "col": cols[on], "kind": points["kind"].to_numpy()[on]})
        weak = np.nan_to_num(probability[table["row"], table["col"]], nan=1.0) < rule.point_probability
        table = table[weak]
        return table.assign(gain=1.0 / table.groupby(["village_id", "kind"])["row"].transform("size"))
    pixels = scene.pixels["villages"]
    weight = scene.demand.per_pixel.ravel() if rule.measure == "demand_share" else np.ones(probability.size)
    parts = []
    for number in pixels.index.get_indexer(village_ids):
        part = slice(*pixels.fractions.indptr[number:number + 2])
        cells, inside_of = pixels.fractions.indices[part], pixels.fractions.data[part]
        share = inside_of * weight[cells]
        lack = 1.0 - np.nan_to_num(probability.ravel()[cells], nan=1.0)
        open_ = np.flatnonzero(share * lack > 0)
        if len(open_) == 0:
            continue
        taken = open_[np.unique(np.linspace(0, len(open_) - 1, min(SAMPLES, len(open_))).round().astype(int))]
        each = float((share * lack)[open_].sum() / (share * lack)[taken].sum())
        rows, cols = np.divmod(cells[taken], probability.shape[1])
        parts.append(pd.DataFrame({"village_id": str(pixels.index[number]), "row": rows, "col": cols,
                                   "gain": each * (share * lack)[taken] / share.sum()}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["village_id", "row", "col", "gain"])


def cheapest_villages(scene: Scene, judged: pd.DataFrame, probability: np.ndarray, sites: gpd.GeoDataFrame, rule: Rule,
                      needed: int) -> pd.DataFrame:
    """Failing villages that candidates gain at least cost, see :func:`~siteplan.gaps.cheapest_to_gain`.

    Gains are counted at the uncovered points of the rule, or at up to 64 uncovered pixels of each village.
    """
    failing = judged[judged["verdict"] == "fail"]
    if rule.measure == "points":  # where a point is missing no site makes the village pass
        kinds = scene.tables["village_points"].groupby("village_code")["kind"].agg(set)
        failing = failing[[set(rule.kinds) <= set(kinds.get(code, ())) for code in failing.index]]
    candidates = sites[sites["status"].isin(["candidate", "proposed"])].sort_index()
    helps = pd.DataFrame(columns=["village_id", "site_id", "gain"])
    tried = _tried(scene, failing.index, rule, probability)
    if len(candidates) and len(tried):
        floor = rule.point_probability if rule.measure == "points" else scene.params.gaps.gap_probability
        params = scene.params.coverage
        if rule.threshold_dbm is not None:
            params = params.model_copy(update={"threshold_dbm": rule.threshold_dbm})
        reach = reach_probability(scene.surface, sectors_of_sites(candidates, scene.equipment, serves(scene)), params,
                                  tried["row"].to_numpy(), tried["col"].to_numpy(), floor=floor,
                                  equipment=scene.equipment, calibration=scene.calibration)
        served = (reach.matrix >= floor).tocoo()
        helps = pd.DataFrame({"village_id": tried["village_id"].to_numpy()[served.row],
                              "site_id": np.asarray(reach.site_ids, dtype=object)[served.col],
                              "gain": tried["gain"].to_numpy()[served.row]})
        helps = helps.groupby(["village_id", "site_id"], as_index=False)["gain"].sum()
    areas = scene.tables["villages"]
    listed = pd.DataFrame({"name": areas["name"], "people": people_of(areas)}).loc[failing.index].assign(
        shortfall=failing["shortfall"])
    return cheapest_to_gain(listed, pd.DataFrame(candidates[["cost_yuan"]]), helps, needed)
