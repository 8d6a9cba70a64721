"""Key points of zones: which points fall to which zone, and whether all of them are covered."""

from __future__ import annotations

import math

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.errors import CrsError
from siteplan.gaps.judging.rules import Rule
from siteplan.gaps.judging.verdicts import JUDGED, KeyPoints, not_assessable

NAMED = 5
"""So many uncovered points are named in a reason."""
NO_LAYER = "缺关键点位图层(zone_points),无法判定"
NO_POINT = "区域内无关键点位数据,无法判定"


def points_of_areas(areas: gpd.GeoDataFrame, points: gpd.GeoDataFrame, probability: NDArray[np.float64],
                    rule: Rule) -> KeyPoints:
    """Key points as they fall to areas.

    Parameters
    ----------
    areas : GeoDataFrame
        Polygons, index unique.
    points : GeoDataFrame
        In the CRS of the areas. A point with a ``zone_id`` belongs to that area wherever it lies, another one to every
        area that it lies in. Of the points with a ``venue_class`` only those of the rule's classes count; one without
        a class was listed as a key point by somebody, and counts. ``name`` is told, the index where there is none.
    probability : ndarray of float64
        Probability of coverage at each point; NaN where unknown.
    rule : Rule

    Returns
    -------
    KeyPoints

    Raises
    ------
    CrsError
        Areas and points do not share a CRS.
    """
    if len(points) and points.crs != areas.crs:
        raise CrsError(f"key points are in {points.crs}, areas in {areas.crs}: bring both into one CRS first")
    counts = np.ones(len(points), bool)
    if rule.classes and "venue_class" in points:
        kind = points["venue_class"]
        counts = (kind.isna() | kind.isin(rule.classes)).to_numpy(bool)
    owner = points["zone_id"].to_numpy(object, na_value=None) if "zone_id" in points else np.full(len(points), None)
    owned = np.array([isinstance(name, str) and name != "" for name in owner], bool)
    named, placed = np.flatnonzero(counts & owned), np.flatnonzero(counts & ~owned)
    area = areas.index.astype(str).get_indexer(pd.Index(owner[named], dtype="object"))
    point, area = named[area >= 0], area[area >= 0]
    if len(placed):
        hit_point, hit_area = areas.sindex.query(points.geometry.iloc[placed], predicate="intersects")
        point, area = np.r_[point, placed[hit_point]], np.r_[area, hit_area]
    names = points["name"].astype("object") if "name" in points else pd.Series(None, index=points.index, dtype="object")
    told = names.where(names.notna() & (names != ""), points.index.astype(str).to_series(index=points.index))
    order = np.lexsort((point, area))
    chosen = point[order].astype(np.int64)
    return KeyPoints(area[order].astype(np.int64), told.to_numpy(object)[chosen], probability[chosen], chosen)


def judge_key_points(index: pd.Index, points: KeyPoints | None, rule: Rule) -> pd.DataFrame:
    """Areas under a rule of key points.

    Parameters
    ----------
    index : Index
        Of the areas.
    points : KeyPoints or None
        None where there is no layer of them.
    rule : Rule
        ``minimum`` is the share of the points that must be covered; a point is at ``point_probability``.

    Returns
    -------
    DataFrame
        ``verdict, shortfall, reason`` on the index of the areas. An area without a point is not assessable, nor one
        whose unknown points may change the verdict. The shortfall is the number of points that lack coverage; the
        reason names the first five.

    Examples
    --------
    >>> from siteplan.gaps.judging.rules import rule_named
    >>> found = KeyPoints(np.array([0, 0]), np.array(["东门", "西门"], object), np.array([0.9, 0.2]),
    ...                   np.array([0, 1]))
    >>> judge_key_points(pd.Index(["Z1", "Z2"]), found, rule_named("key_points_all"))["reason"].to_list()
    ['关键点位2个,未覆盖1个:西门', '区域内无关键点位数据,无法判定']
    """
    if points is None:
        return not_assessable(index, NO_LAYER)
    bad, unknown = points.probability < rule.point_probability, np.isnan(points.probability)
    edges = np.searchsorted(points.area, np.arange(len(index) + 1))
    rows = []
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        own = slice(start, end)
        rows.append(_judge(points.name[own], bad[own], unknown[own], rule.minimum))
    return pd.DataFrame(rows, columns=JUDGED, index=index)


def _judge(names: NDArray[np.object_], bad: NDArray[np.bool_], unknown: NDArray[np.bool_],
           minimum: float) -> tuple[str, float, str]:
    total = len(names)
    if total == 0:
        return "not_assessable", np.nan, NO_POINT
    needed = math.ceil(minimum * total - 1e-9)
    uncovered, lost = int(bad.sum()), int(unknown.sum())
    parts = [f"关键点位{total}个"]
    if uncovered:
        parts.append(f"未覆盖{uncovered}个:{_listed(names[bad])}")
    if lost:
        parts.append(f"{lost}个无数据:{_listed(names[unknown])}")
    if total - uncovered - lost >= needed:
        return "pass", 0.0, ",".join([*parts, "达到要求" if uncovered or lost else "均已覆盖"])
    if total - uncovered < needed:
        return "fail", float(needed - (total - uncovered)), ",".join(parts)
    return "not_assessable", np.nan, ",".join([*parts, "无法判定"])


def _listed(names: NDArray[np.object_]) -> str:
    more = "等" if len(names) > NAMED else ""
    return "、".join(map(str, names[:NAMED])) + more
