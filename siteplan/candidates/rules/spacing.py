"""Spacing: too near an existing mast, candidates that crowd each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
from scipy.spatial import cKDTree

from siteplan.candidates.rules.refuse import Hits, metres, refuse
from siteplan.candidates.rules.rule_table import SiteRule
from siteplan.candidates.rules.thin import keep_spaced


def masts_with_5g(existing: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Existing macro masts that carry 5G."""
    return existing[existing["networks"].str.contains("5G") & (existing["kind"] == "macro")]


def _xy(sites: gpd.GeoDataFrame) -> np.ndarray:
    return np.column_stack([sites.geometry.x, sites.geometry.y])


def near_existing(sites: gpd.GeoDataFrame, existing: gpd.GeoDataFrame, given_m: float | None, rule: SiteRule) -> Hits:
    """Sites nearer to an existing 5G macro mast than they may be.

    The least distance is ``given_m``, else the site's own ``spacing_m`` (by its scene), else the rule's. Sites on an
    existing mast (sources station and sharing) are not asked for the distance to that mast.
    """
    masts = masts_with_5g(existing)
    if masts.empty or sites.empty:
        return Hits(np.zeros(0, np.int64), [])
    spacing = sites["spacing_m"].to_numpy(float)
    limit = np.where(spacing > 0, spacing, rule.distance_m or 0.0) if given_m is None else np.full(len(sites), given_m)
    distance, number = cKDTree(_xy(masts)).query(_xy(sites), k=min(2, len(masts)))
    distance, number = distance.reshape(len(sites), -1), number.reshape(len(sites), -1)
    names, ids = masts["name"].to_numpy(object), masts["source_id"].to_numpy(object)
    on_mast = sites["source"].isin(["station", "sharing"]).to_numpy(dtype=bool)
    own = on_mast & (ids[number[:, 0]] == sites["source_id"].to_numpy(object))
    if distance.shape[1] == 1:
        nearest, which = np.where(own, np.inf, distance[:, 0]), number[:, 0]
    else:
        nearest, which = np.where(own, distance[:, 1], distance[:, 0]), np.where(own, number[:, 1], number[:, 0])
    rows = np.flatnonzero(nearest < limit)
    told = zip(names[which[rows]], ids[which[rows]], metres(nearest[rows]), metres(limit[rows]), strict=True)
    return Hits(rows, [f"距现有5G宏站“{name or mast}”{distance}米,须不小于{least}米" for name, mast, distance, least in told])


def _stand_ins(sites: gpd.GeoDataFrame, rows: np.ndarray, order: np.ndarray, spacing_m: float) -> np.ndarray:
    """For every site the row of the one that stands for it, -1 where none does; only ``rows`` are looked at."""
    out = np.full(len(sites), -1)
    position = np.full(len(sites), -1)
    position[rows] = np.arange(len(rows))
    wanted = position[order]
    found = keep_spaced(_xy(sites)[rows], wanted[wanted >= 0], spacing_m)
    out[rows[found >= 0]] = rows[found[found >= 0]]
    return out


def refuse_crowded(sites: gpd.GeoDataFrame, best: Sequence[str], spacing_m: float,
                   rules: Mapping[str, SiteRule]) -> gpd.GeoDataFrame:
    """Of open candidates nearer to each other than the spacing, the better one stands for the others.

    Parameters
    ----------
    sites : GeoDataFrame
        The sites table after all other rules.
    best : sequence of str
        Ids of the candidates that are thinned among each other, best first.
    spacing_m : float
        Least distance, m; 0 thins nothing.
    rules : mapping of str to SiteRule

    Returns
    -------
    GeoDataFrame
        A new table; the crowded ones break the rule ``crowded`` and name who stands for them.
    """
    order = sites.index.get_indexer(list(best))
    order = order[order >= 0]
    among = np.zeros(len(sites), dtype=bool)
    among[order] = True
    rows = np.flatnonzero(among & (sites["status"] == "candidate").to_numpy(dtype=bool)
                          & rules["crowded"].applies_to(sites))
    better = _stand_ins(sites, rows, order, spacing_m)
    crowded = np.flatnonzero(better >= 0)
    xy, ids = _xy(sites), sites.index.to_numpy(object)
    distance = metres(np.hypot(*(xy[crowded] - xy[better[crowded]]).T))
    reasons = np.full(len(sites), "", dtype=object)
    reasons[crowded] = [f"距更优候选{metre}米,须不小于{spacing_m:g}米,由 {other} 代表"
                        for metre, other in zip(distance, ids[better[crowded]], strict=True)]
    return refuse(sites, better >= 0, "crowded", reasons.tolist(), rules)
