"""Sites and gap areas of two plans matched: kept, moved, gone, new, carried on."""

from __future__ import annotations

import math

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.errors import ModelError

SITE_CHANGE_ZH = {"only_before": "仅前者有", "only_after": "仅后者有", "moved": "移位", "changed": "同址不同配置", "kept": "相同"}
GAP_CHANGE_ZH = {"gone": "已消除", "new": "新出现", "carried": "延续"}
MOVED_M = 100.0
"""A site of the one plan this near one of the other, under another id, counts as moved. Editable default, m."""
SAME_PLACE_M = 1.0
"""Sites of one id that are nearer than this stand at the same place, m."""
CARRIED_SHARE = 0.1
"""A gap is carried on where the overlap is at least this share of the smaller one. Editable default."""
_SITE_COLUMNS = ("kind", "build", "antenna_height_m", "cost_yuan")


def _nearest_pairs(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame, within_m: float) -> list[tuple[str, str, float]]:
    """Pairs of rows, each used once, nearest first, no further apart than ``within_m``."""
    if before.empty or after.empty:
        return []
    first, second = after.sindex.query(before.geometry, predicate="dwithin", distance=within_m)
    away = shapely.distance(before.geometry.to_numpy()[first], after.geometry.to_numpy()[second])
    found = sorted((round(float(metres), 3), str(before.index[i]), str(after.index[j]))
                   for i, j, metres in zip(first, second, away, strict=True))
    used: tuple[set[str], set[str]] = (set(), set())
    pairs = []
    for metres, one, other in found:
        if one not in used[0] and other not in used[1]:
            used[0].add(one)
            used[1].add(other)
            pairs.append((one, other, metres))
    return pairs


def _same_cells(one: pd.Series, other: pd.Series) -> bool:
    return all(one[name] == other[name] or (pd.isna(one[name]) and pd.isna(other[name]))
               for name in _SITE_COLUMNS if name in one and name in other)


def compare_sites(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame, moved_m: float = MOVED_M) -> pd.DataFrame:
    """Proposed sites of two plans: in both, moved, only in one.

    Sites of one id belong together. Of the others, the nearest pairs up to ``moved_m`` apart count as moved.

    Parameters
    ----------
    before, after : GeoDataFrame
        Points in one projected CRS, unique index ``site_id``; ``name, kind, build, antenna_height_m, cost_yuan`` where
        given.
    moved_m : float
        Greatest distance between the two places of a moved site, m.

    Returns
    -------
    DataFrame
        ``change`` only_before | only_after | moved | changed (same place, another kind, height or cost) | kept,
        ``change_zh, site_before, site_after, name_before, name_after, distance_m`` (NaN where only in one),
        ``cost_before_yuan, cost_after_yuan``; sorted by change, then by id.

    Raises
    ------
    ModelError
        The CRS differ or ids repeat.

    Examples
    --------
    >>> from shapely import Point
    >>> old = gpd.GeoDataFrame({"cost_yuan": [5, 5]}, geometry=[Point(0, 0), Point(900, 0)], index=["a", "b"], crs=4547)
    >>> new = gpd.GeoDataFrame({"cost_yuan": [5, 7]}, geometry=[Point(60, 0), Point(900, 0)], index=["c", "b"],
    ...                        crs=4547)
    >>> compare_sites(old, new)[["change", "site_before", "site_after", "distance_m"]]
        change site_before site_after  distance_m
    0    moved           a          c        60.0
    1  changed           b          b         0.0
    """
    _check_pair(before, after, "sites")
    both = [str(site) for site in before.index if site in after.index]
    pairs = [(site, site, round(float(before.geometry[site].distance(after.geometry[site])), 3)) for site in both]
    pairs += _nearest_pairs(before.drop(both), after.drop(both), moved_m)
    rows = []
    for one, other, metres in pairs:
        same = _same_cells(before.loc[one], after.loc[other])
        change = "moved" if metres > SAME_PLACE_M or one != other else "kept" if same else "changed"
        rows.append((change, one, other, metres))
    rows += [("only_before", str(site), "", math.nan) for site in before.index.difference([row[1] for row in rows])]
    rows += [("only_after", "", str(site), math.nan) for site in after.index.difference([row[2] for row in rows])]
    order = {change: number for number, change in enumerate(SITE_CHANGE_ZH)}
    rows.sort(key=lambda row: (order[row[0]], row[1], row[2]))
    table = pd.DataFrame(rows, columns=["change", "site_before", "site_after", "distance_m"])
    table.insert(1, "change_zh", table["change"].map(SITE_CHANGE_ZH))
    for side, sites in (("before", before), ("after", after)):
        for name, column in (("name", f"name_{side}"), ("cost_yuan", f"cost_{side}_yuan")):
            empty = "" if name == "name" else math.nan
            values = sites[name].to_dict() if name in sites else {}
            table[column] = [values.get(site, empty) for site in table[f"site_{side}"]]
    return table


def _check_pair(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame, what: str) -> None:
    if len(before) and len(after) and before.crs != after.crs:
        raise ModelError(f"the {what} are in different CRS: {before.crs}, {after.crs}")
    if not (before.index.is_unique and after.index.is_unique):
        raise ModelError(f"the {what} have an index that is not unique")


def compare_gaps(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame, least_share: float = CARRIED_SHARE) -> pd.DataFrame:
    """Gap areas of two plans: gone, new, carried on.

    Parameters
    ----------
    before, after : GeoDataFrame
        Polygons in one projected CRS, unique index ``gap_id``; ``demand`` where given.
    least_share : float
        Two gaps are one carried on where they overlap by this share of the smaller one, 0..1.

    Returns
    -------
    DataFrame
        One row per gap that is gone or new, and one per pair that is carried on (a gap that fell apart has several):
        ``change`` gone | new | carried, ``change_zh, gap_before, gap_after, area_before_m2, area_after_m2, overlap_m2,
        demand_before, demand_after``; sorted by change, then by id.

    Raises
    ------
    ModelError
        The CRS differ or ids repeat.

    Examples
    --------
    >>> from shapely import box
    >>> old = gpd.GeoDataFrame(geometry=[box(0, 0, 10, 10), box(50, 0, 60, 10)], index=["a", "b"], crs=4547)
    >>> new = gpd.GeoDataFrame(geometry=[box(5, 0, 10, 10), box(90, 0, 95, 10)], index=["c", "d"], crs=4547)
    >>> compare_gaps(old, new)[["change", "gap_before", "gap_after", "overlap_m2"]]
        change gap_before gap_after  overlap_m2
    0     gone          b                   0.0
    1      new                    d         0.0
    2  carried          a         c        50.0
    """
    _check_pair(before, after, "gaps")
    rows: list[tuple[str, str, str, float]] = []
    if len(before) and len(after):
        first, second = after.sindex.query(before.geometry, predicate="intersects")
        shapes = before.geometry.to_numpy()[first], after.geometry.to_numpy()[second]
        overlap = shapely.area(shapely.intersection(*shapes))
        smaller = np.minimum(*(shapely.area(shape) for shape in shapes))
        keep = (overlap > 0) & (overlap >= least_share * smaller)
        rows = [("carried", str(before.index[i]), str(after.index[j]), float(area))
                for i, j, area in zip(first[keep], second[keep], overlap[keep], strict=True)]
    rows += [("gone", str(gap), "", 0.0) for gap in before.index.difference([row[1] for row in rows])]
    rows += [("new", "", str(gap), 0.0) for gap in after.index.difference([row[2] for row in rows])]
    order = {change: number for number, change in enumerate(GAP_CHANGE_ZH)}
    rows.sort(key=lambda row: (order[row[0]], row[1], row[2]))
    table = pd.DataFrame(rows, columns=["change", "gap_before", "gap_after", "overlap_m2"])
    table.insert(1, "change_zh", table["change"].map(GAP_CHANGE_ZH))
    for side, gaps in (("before", before), ("after", after)):
        demand = gaps["demand"].to_dict() if "demand" in gaps else {}
        columns = {f"area_{side}_m2": gaps.geometry.area.to_dict(), f"demand_{side}": demand}
        for column, known in columns.items():
            table[column] = [known.get(gap, math.nan) for gap in table[f"gap_{side}"]]
    return table
