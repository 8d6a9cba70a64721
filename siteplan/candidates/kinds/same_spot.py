"""Venues on one spot: one of them stands for the roof or the place, the others are kept with the reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.rules.refuse import refuse
from siteplan.candidates.rules.rule_table import SiteRule
from siteplan.candidates.rules.thin import SAME_SPOT_M, keep_spaced

SAME_SPOT = "same_spot"
ROOF_MOUNTS = ("roof_pole", "roof_tower")


def one_per_spot(sites: gpd.GeoDataFrame, building: pd.Series, given: pd.Series, competes: pd.Series,
                 kept: Collection[str] = frozenset()) -> np.ndarray:
    """Which venue stands for which.

    Of venues on the roof of one building one stands for the others; then of venues nearer than ``SAME_SPOT_M``, on
    roofs or on land. A mall with ten clinics gives one candidate, a campus of several buildings one for each building
    that has a venue of its own. The better tier comes first, then the duty to be free, a department that the file
    names, a roof before land, the lower id.

    Parameters
    ----------
    sites : GeoDataFrame
        n venues, index ``site_id``.
    building : Series of str
        Building each stands in, within ``SAME_SPOT_M``; empty where there is none. A venue farther from the nearest
        building has a house of its own that is not drawn: it only takes the height of its neighbour.
    given : Series of bool
        The department is the file's.
    competes : Series of bool
        Venues that take a site; the others neither stand for one nor are stood for.
    kept : collection of str
        Sites that a meeting keeps: they come first.

    Returns
    -------
    ndarray of int, shape (n,)
        -1 for a venue that stands for itself, else the row of the one that stands for it.
    """
    on_roof = sites["mount"].isin(ROOF_MOUNTS).to_numpy()
    order = np.lexsort((np.asarray(sites.index, dtype=object).astype(str), ~on_roof, ~given.to_numpy(dtype=bool),
                        ~sites["must_be_free"].to_numpy(dtype=bool), sites["tier"].to_numpy(),
                        ~sites.index.isin(list(kept))))
    order = order[competes.to_numpy(dtype=bool)[order]]
    stands_for = np.full(len(sites), -1)
    ranked = building.iloc[order][on_roof[order]]
    ranked = ranked[ranked != ""]
    first = pd.Series(sites.index.get_indexer(ranked.index), index=ranked.to_numpy())
    best = first.groupby(level=0).first()
    chosen = best.loc[first.index].to_numpy() if len(first) else first.to_numpy()
    stands_for[first.to_numpy()] = np.where(chosen == first.to_numpy(), -1, chosen)
    left = order[stands_for[order] < 0]
    place = np.full(len(sites), -1)
    place[np.sort(left)] = np.arange(len(left))
    rows = np.sort(left)
    near = keep_spaced(np.column_stack([sites.geometry.x, sites.geometry.y])[rows], place[left], SAME_SPOT_M)
    stands_for[rows] = np.where(near >= 0, rows[near], stands_for[rows])
    other = stands_for[stands_for]  # the one that stands for a roof may itself be stood for by a neighbour
    return np.where((stands_for >= 0) & (other >= 0), other, stands_for)


def refuse_same_spot(sites: gpd.GeoDataFrame, stands_for: np.ndarray, building: pd.Series,
                     rules: Mapping[str, SiteRule]) -> gpd.GeoDataFrame:
    """The table with the rule ``same_spot`` told to venues that another stands for; that other tells how many they are.

    Towers on the land of such a venue (source ``ground``, ``members`` the venue's site) follow it. What becomes of them
    is the effect of the rule; off does nothing.

    Parameters
    ----------
    sites : GeoDataFrame
        n sites of source ``facility`` or ``ground``.
    stands_for : ndarray of int, shape (n,)
        As :func:`one_per_spot` gives it; -1 for towers on land.
    building : Series of str
        Building each venue stands in; empty where there is none.
    rules : mapping of str to SiteRule
    """
    rule = rules[SAME_SPOT]
    spoken = (stands_for >= 0) & rule.applies_to(sites)
    if rule.effect == "off" or not spoken.any():
        return sites
    ids, names = sites.index.to_numpy(), sites["name"].to_numpy()
    houses, evidence = building.to_numpy(), sites["evidence"].to_numpy(dtype=object).copy()
    reasons = np.full(len(sites), "", dtype=object)
    for row in np.flatnonzero(spoken):
        other = stands_for[row]
        where = f"建筑 {houses[row]}" if houses[row] and houses[row] == houses[other] else "位置"
        reasons[row] = f"与“{names[other]}”在同一{where},由 {ids[other]} 代表"
    rows, counts = np.unique(stands_for[spoken], return_counts=True)
    evidence[rows] = [f"{evidence[row]};同址另有 {count} 处场所" for row, count in zip(rows, counts, strict=True)]
    land = (sites["source"] == "ground").to_numpy(dtype=bool)
    roof = sites.index.get_indexer(sites["members"].where(land, ""))
    for row in np.flatnonzero(land & (roof >= 0) & spoken[roof]):
        reasons[row] = f"其场所与“{names[stands_for[roof[row]]]}”在同一位置,由 {ids[stands_for[roof[row]]]} 代表"
    table = sites.assign(evidence=pd.array(evidence, dtype=sites["evidence"].dtype))
    return refuse(table, reasons != "", SAME_SPOT, reasons.tolist(), rules)
