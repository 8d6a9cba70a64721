"""Why each site was chosen, and why each candidate was not: gains, public rivals, sentences."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.selection.choose import Selection

LAST_PUBLIC_TIER = 3
"""Tiers up to this one are public venues, poles and existing masts (``tables/venues.toml``)."""
DEMAND_UNIT = {"people": "人", "floor_area_m2": "平方米建筑面积", "area_m2": "平方米"}
BARRED_ZH = {"no_gain": "能服务的空洞已由入选站服务", "min_gain": "新增服务的需求太少", "too_dear": "单位新增需求的造价过高", "budget": "超出预算"}


def _new_cells(selection: Selection) -> list[np.ndarray]:
    """For every chosen site the numbers of the cells it is the first to serve."""
    column = {site: number for number, site in enumerate(selection.candidate_ids)}
    waiting, found = np.ones(selection.reach.shape[0], dtype=bool), []
    for site in selection.site_ids:
        cells = selection.reach.indices[slice(*selection.reach.indptr[column[site]:column[site] + 2])]
        found.append(cells[waiting[cells]])
        waiting[cells] = False
    return found


def _best_rivals(selection: Selection, tier: pd.Series, news: list[np.ndarray]) -> list[tuple[float, str]]:
    """Per chosen site: the most of its weighted gain that one public candidate serves, and which one.

    ``tier`` is that of every candidate, by id. Sites that are public themselves have no rival.
    """
    public = np.flatnonzero(tier.to_numpy() <= LAST_PUBLIC_TIER)
    table = selection.reach[:, public].T
    rivals = []
    for site, new in zip(selection.site_ids, news, strict=True):
        share, best = 0.0, -1
        if len(public) and tier[site] > LAST_PUBLIC_TIER:
            weight = np.zeros(len(selection.weight))
            weight[new] = selection.weight[new]
            served = table @ weight
            best = int(served.argmax())
            share = float(served[best] / max(float(weight.sum()), 1e-12))
        rivals.append((share, selection.candidate_ids[public[best]] if share >= 0.005 else ""))
    return rivals


def _why_not(site: str, barred: Mapping[str, tuple[str, str]]) -> str:
    """Why an open candidate was not chosen."""
    reason, other = barred.get(site, ("", ""))
    if reason == "spacing":
        return f"备选:距入选站 {other} 过近"
    return f"备选:{BARRED_ZH[reason]}" if reason else "备选:新增服务量(按优先级加权)不及入选站址"


def _why(row: pd.Series, unit: str, barred: Mapping[str, tuple[str, str]]) -> str:
    """Why a proposed site is there, short enough for a Shapefile field."""
    text = (f"第{row['rank_no']}位:{row['tier_name']};新增服务{row['gain_demand']:.0f}{unit},"
            f"加权{row['gain']:.0f}(占空洞{row['gain_share']:.1%})")
    if row["tier"] <= LAST_PUBLIC_TIER:
        return text
    share, rival = row["rival"]
    if not rival:
        return f"{text};没有公共场所候选能服务这些需求"
    limit = "(但距入选站过近)" if barred.get(rival, ("", ""))[0] == "spacing" else ""
    return f"{text};公共场所候选 {rival} 最多能服务其中{share:.0%}{limit}"


def mark_proposed(sites: gpd.GeoDataFrame, selection: Selection, demand: np.ndarray, kind: str,
                  networks: str) -> gpd.GeoDataFrame:
    """The sites table with the choice in it.

    Parameters
    ----------
    sites : GeoDataFrame
        Index ``site_id``; the candidates of the selection have status ``candidate``.
    selection : Selection
    demand : ndarray, shape (demand cells,)
        Plain demand per cell.
    kind : str
        What the demand counts (``people``, ``floor_area_m2``, ``area_m2``).
    networks : str
        Networks the new sites serve, joined by ``|``.

    Returns
    -------
    GeoDataFrame
        ``status, rank_no, gain, gain_demand, gain_share, networks, reason`` filled in; every open candidate that was
        not chosen says why.
    """
    chosen, total, news = list(selection.site_ids), float(selection.weight.sum()), _new_cells(selection)
    table = sites.copy()
    waiting = table.index[table["status"] == "candidate"]
    table.loc[waiting, "reason"] = [_why_not(site, selection.barred) for site in waiting]
    table.loc[chosen, "status"] = "proposed"
    table.loc[chosen, "rank_no"] = np.arange(1, len(chosen) + 1)
    table.loc[chosen, "gain"] = np.round(selection.gains, 3)
    table.loc[chosen, "gain_demand"] = np.round([float(demand[new].sum()) for new in news], 3)
    table.loc[chosen, "gain_share"] = selection.gains / total if total > 0 else 0.0
    table.loc[chosen, "networks"] = networks
    if chosen:
        tier = sites.loc[list(selection.candidate_ids), "tier"]
        rows = table.loc[chosen].assign(rival=pd.Series(_best_rivals(selection, tier, news), index=chosen))
        table.loc[chosen, "reason"] = rows.apply(_why, axis=1, unit=DEMAND_UNIT[kind], barred=selection.barred)
    return table
