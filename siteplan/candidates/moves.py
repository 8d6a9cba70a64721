"""Candidates that a meeting moved: at their new place before any rule is asked, with the move in their evidence."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.kinds.facilities import building_of
from siteplan.candidates.kinds.same_spot import ROOF_MOUNTS
from siteplan.candidates.places import ON_MAST
from siteplan.candidates.rules.refuse import refuse
from siteplan.candidates.rules.rule_table import SiteRule, site_rules
from siteplan.candidates.rules.thin import SAME_SPOT_M
from siteplan.crs import transform_points
from siteplan.decisions import Move, site_moves

FAR, OFF_ROOF = "moved_far", "moved_off_roof"
"""Rules (flags) of moves over a great distance, and of roof sites that are no longer on their roof."""


def with_moves(sites: gpd.GeoDataFrame, context: CandidateContext, every: gpd.GeoDataFrame | None = None,
               rules: Mapping[str, SiteRule] | None = None) -> gpd.GeoDataFrame:
    """The candidates with those at their new place that a meeting moved.

    To be called before places, scenes, distances and rules, so that these judge the new place. Id, heights, mount and
    costs of the mount stay; the town is asked anew. A candidate on an existing mast is not moved, nor one whose new
    place has no coordinates in the study CRS: told in the ledger.

    Parameters
    ----------
    sites : GeoDataFrame
        The sites table of candidates.
    context : CandidateContext
        ``decisions``, ``tables`` (buildings, planned_buildings, towns), ``params.rules``, ``ledger``.
    every : GeoDataFrame, optional
        The sites among which an id of the decisions is looked for; ``sites`` when absent.
    rules : mapping of str to SiteRule, optional
        Those of the study; the package's when absent.

    Returns
    -------
    GeoDataFrame
        A new table: ``geometry``, ``moved_m`` (how far, m; 0 = not moved), ``evidence`` (who, when, why), and the flags
        ``moved_far`` and ``moved_off_roof``.
    """
    if not context.decisions.of("move") or sites.empty:
        return sites
    known = site_rules(context.params.rules) if rules is None else rules
    moves = site_moves(context.decisions, sites if every is None else every, sites.crs)
    mine = {site_id: moves[site_id] for site_id in sites.index if site_id in moves}
    moves = {site_id: move for site_id, move in mine.items() if _may_move(sites.loc[site_id], site_id, move, context)}
    if not moves:
        return sites
    rows = sites.index.get_indexer(list(moves))
    new = shapely.points([(move.x, move.y) for move in moves.values()])
    shapes = sites.geometry.to_numpy().copy()
    apart_m = np.round(shapely.distance(shapes[rows], new), 1)
    off = _off_roof(sites.iloc[rows], new, apart_m, context)
    shapes[rows] = new
    evidence, towns = (sites[name].to_numpy(dtype=object).copy() for name in ("evidence", "town"))
    moved_m = np.zeros(len(sites))
    moved_m[rows] = apart_m
    evidence[rows] = [f"{words};{_told(move, metres)}" if words else _told(move, metres)
                      for words, move, metres in zip(evidence[rows], moves.values(), apart_m, strict=True)]
    towns[rows] = "" if len(context.tables["towns"]) else towns[rows]
    table = sites.assign(moved_m=moved_m, evidence=pd.array(evidence, dtype=sites["evidence"].dtype),
                         town=pd.array(towns, dtype=sites["town"].dtype)).set_geometry(
                             gpd.GeoSeries(shapes, index=sites.index, crs=sites.crs))
    _tell_far(moves, apart_m, known[FAR], context)
    return _flagged(table, rows[off], known)


def _may_move(site: pd.Series, site_id: str, move: Move, context: CandidateContext) -> bool:
    """Whether the site can stand at the place that the decision gives; told where not."""
    reason = ""
    if site["source"] in ON_MAST:
        reason = f"{site_id} 在现有塔上，不能移动，按原位置"
    elif not np.isfinite(transform_points(move.x, move.y, context.boundary.crs, "EPSG:4490")).all():
        reason = f"{site_id} 的新位置不在研究坐标系内，按原位置"
    if reason:
        row = move.decision
        context.ledger.add("decisions", row.file, row.row, "value", "", "note", reason, "核对编号和新坐标")
    return not reason


def _told(move: Move, metres: float) -> str:
    """Words on who moved a site, when and why; no ``;`` within, which parts the evidence."""
    row = move.decision
    why = f"：{row.why}" if row.why else ""
    return f"会议决定移至（{move.x:.1f}，{move.y:.1f}）{row.origin}{why}，距原位置{metres:g}米".replace(";", "，")


def _off_roof(sites: gpd.GeoDataFrame, new: np.ndarray, apart_m: np.ndarray, context: CandidateContext) -> np.ndarray:
    """Sites on roofs whose new place is not on the building of the old one.

    A roof that no layer has an outline of is left by any move of more than ``SAME_SPOT_M``.
    """
    out = sites["mount"].isin(ROOF_MOUNTS).to_numpy(dtype=bool) & (apart_m > 0)
    houses = context.tables["buildings"]
    old, there = (building_of(gpd.GeoSeries(points, crs=sites.crs), houses) for points in (
        sites.geometry.to_numpy(), new))
    own = (old["distance_m"] <= SAME_SPOT_M).to_numpy()
    same = own & (old["building"] == there["building"]).to_numpy() & (there["distance_m"] <= SAME_SPOT_M).to_numpy()
    planned = context.tables["planned_buildings"].geometry
    drawn = (sites["source"] == "planned").to_numpy(dtype=bool)
    for number in np.flatnonzero(drawn):
        same[number] = shapely.covers(planned[sites["source_id"].iloc[number]], new[number])
    near = ~own & ~drawn & (apart_m <= SAME_SPOT_M)
    return out & ~same & ~near


def _tell_far(moves: Mapping[str, Move], apart_m: np.ndarray, rule: SiteRule, context: CandidateContext) -> None:
    """A ledger line for each move that is farther than is plausible."""
    for (site_id, move), metres in zip(moves.items(), apart_m, strict=True):
        if rule.effect != "off" and metres > (rule.distance_m or np.inf):
            row = move.decision
            context.ledger.add("decisions", row.file, row.row, "value", "", "note",
                               f"{site_id} 移动{metres:g}米，超过{rule.distance_m:g}米，已按新位置", "核对新坐标")


def _flagged(table: gpd.GeoDataFrame, off_roof: np.ndarray, rules: Mapping[str, SiteRule]) -> gpd.GeoDataFrame:
    """The table with the two flags of moves."""
    metres, limit = table["moved_m"].to_numpy(dtype=float), rules[FAR].distance_m or np.inf
    far = [f"会议决定移动{value:g}米，超过{limit:g}米，请核对坐标" for value in metres]
    off = np.zeros(len(table), dtype=bool)
    off[off_roof] = True
    table = refuse(table, metres > limit, FAR, far, rules)
    return refuse(table, off, OFF_ROOF, "新位置不在原楼顶，挂高和建设方式仍按原楼顶，须重新核定", rules)
