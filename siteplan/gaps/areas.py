"""Villages and key zones judged by a named rule: pass, fail, or not assessable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.gaps.demand import Demand
from siteplan.gaps.rules import KIND_ZH, Rule
from siteplan.gaps.shares import AreaPixels, area_pixels
from siteplan.grid import inside, pixel_of, pixel_size_m

VERDICTS = ("pass", "fail", "not_assessable")
VERDICT_ZH = {"pass": "达标", "fail": "未达标", "not_assessable": "无法判定"}
REST_COVERED = "其余点位均已覆盖"
"""Stands in the reason of a village that is not assessable only because points are missing; all others are covered."""


def percent_down(share: float) -> float:
    """A share in percent, rounded down to a tenth, so that 94.96 % never reads as 95.0 %.

    Parameters
    ----------
    share : float
        0..1.

    Returns
    -------
    float
        Percent: at least that of a rule's minimum exactly where the share is at least the minimum.

    Examples
    --------
    >>> percent_down(0.9496), percent_down(0.57), percent_down(0.99985)
    (94.9, 57.0, 99.9)
    """
    return math.floor(Decimal(repr(float(share))) * 1000) / 10


def _judge_share(shares: pd.Series, known: pd.Series, rule: Rule, what: str) -> pd.DataFrame:
    """Verdict, shortfall and reason from a share per area.

    ``shares`` counts the known part only. An area passes when it would pass even with all its unknown part uncovered,
    and fails when it would fail even with all of it covered; in between it is not assessable.
    """
    measured = shares.fillna(0.0)
    worst, best = measured * known, measured * known + (1.0 - known)
    some = shares.notna() & (known > 0)
    passed = some & (worst >= rule.minimum)
    failed = some & (best < rule.minimum)
    verdict = np.select([passed, failed], ["pass", "fail"], "not_assessable")
    lack = (rule.minimum - shares).where(failed, 0.0).where(passed | failed)
    reason = []
    for code in shares.index:
        if not some[code]:
            reason.append(f"{what}无数据,无法判定")
            continue
        part = f"(仅{percent_down(known[code]):g}%有数据)" if known[code] < 0.9995 else ""
        end = (f"达到{100 * rule.minimum:g}%" if passed[code] else f"低于{100 * rule.minimum:g}%" if failed[code]
               else "无数据部分可能改变结论,无法判定")
        reason.append(f"{what}{percent_down(shares[code]):.1f}%{part},{end}")
    return pd.DataFrame({"verdict": verdict, "shortfall": lack, "reason": reason}, index=shares.index)


def point_probability(points: gpd.GeoDataFrame, probability: np.ndarray, demand: Demand) -> np.ndarray:
    """Probability at each point's pixel; NaN outside the grid, where unknown, or without a geometry."""
    values = np.full(len(points), np.nan)
    placed = np.flatnonzero(~(points.geometry.isna() | points.geometry.is_empty).to_numpy())
    if len(placed) == 0:
        return values
    where = points.geometry.iloc[placed]
    rows, cols = pixel_of(demand.geobox, where.x.to_numpy(), where.y.to_numpy())
    on = inside(demand.geobox, rows, cols)
    values[placed[on]] = probability[rows[on], cols[on]]
    return values


def _judge_village(points: pd.DataFrame, rule: Rule) -> tuple[str, float, str]:
    """One village under a rule of points: verdict, number of lacking points, reason."""
    near = points.loc[(points["kind"] == "committee") & points["exists"].astype(bool), "site_m"].min()
    if rule.site_within_m is not None and near <= rule.site_within_m:
        return "pass", 0.0, f"村委会 {near / 1000:.1f} 公里处有{rule.technology}基站"
    failed: list[str] = []
    missing: list[str] = []
    absent: list[str] = []
    for kind in rule.kinds:
        rows = points[points["kind"] == kind]
        there = rows[rows["exists"].astype(bool)]
        if (there["p"] < rule.point_probability).any():
            failed.append(KIND_ZH[kind])
        elif rows.empty or there["p"].isna().any():
            missing.append(KIND_ZH[kind])
        elif there.empty:
            absent.append(KIND_ZH[kind])
    note = f"(本村不设{'、'.join(absent)})" if absent else ""
    if failed:
        extra = f";{'、'.join(missing)}缺点位数据" if missing else ""
        return "fail", float(len(failed)), f"{'、'.join(failed)}未覆盖{extra}{note}"
    if missing:
        rest = f",{REST_COVERED}" if len(missing) + len(absent) < len(rule.kinds) else ""
        return "not_assessable", np.nan, f"{'、'.join(missing)}缺点位数据{rest},无法判定{note}"
    if len(absent) == len(rule.kinds):
        return "not_assessable", np.nan, "规则所列点位本村均不设,无法判定"
    return "pass", 0.0, f"规则所列点位均已覆盖{note}"


def _judge_points(areas: gpd.GeoDataFrame, points: gpd.GeoDataFrame, probability: np.ndarray, demand: Demand,
                  rule: Rule, sites: gpd.GeoDataFrame | None) -> pd.DataFrame:
    table = pd.DataFrame({
        "code": points["village_code"].astype(str).to_numpy(), "kind": points["kind"].to_numpy(),
        "exists": points["exists"].to_numpy(), "p": point_probability(points, probability, demand),
        "site_m": _site_distance_m(points, sites),
    })
    if rule.least_households and "households" in points:
        few = points["households"].to_numpy(np.float64, na_value=np.nan) < rule.least_households
        table = table[~(few & (table["kind"] == "settlement").to_numpy())]
    by_village = dict(iter(table.groupby("code")))
    nothing = table.iloc[:0]
    rows = [_judge_village(by_village.get(str(code), nothing), rule) for code in areas.index]
    return pd.DataFrame(rows, columns=["verdict", "shortfall", "reason"], index=areas.index)


def _site_distance_m(points: gpd.GeoDataFrame, sites: gpd.GeoDataFrame | None) -> np.ndarray:
    """Distance of each point to the nearest site; infinite without one."""
    out = np.full(len(points), np.inf)
    placed = np.flatnonzero(~(points.geometry.isna() | points.geometry.is_empty).to_numpy())
    if sites is None or sites.empty or len(placed) == 0:
        return out
    where = points.geometry.iloc[placed]
    _, distance = sites.sindex.nearest(where, return_all=False, return_distance=True)
    out[placed] = distance
    return out


def _known_share(areas: gpd.GeoDataFrame, pixels: AreaPixels, probability: np.ndarray, demand: Demand,
                 rule: Rule) -> pd.Series:
    """Share of each area (or of its demand) where the probability is known, 0..1; what lies off the grid is unknown."""
    known = (~np.isnan(probability)).astype(np.float64)
    if rule.measure == "demand_share":
        total, part = pixels.sums(demand.per_pixel), pixels.sums(known * demand.per_pixel)
    else:
        pixel_area = pixel_size_m(demand.geobox) ** 2
        total, part = areas.geometry.area, pixels.sums(known) * pixel_area
    share = (part / total.where(total > 0)).fillna(0.0)
    return share.where(share < 1.0 - 1e-6, 1.0)


def assess_areas(areas: gpd.GeoDataFrame, probability: np.ndarray, demand: Demand, rule: Rule, *,
                 points: gpd.GeoDataFrame | None = None, pixels: AreaPixels | None = None,
                 sites: gpd.GeoDataFrame | None = None) -> pd.DataFrame:
    """Shares and verdict of each area under one rule.

    Parameters
    ----------
    areas : GeoDataFrame
        Polygons in the CRS of the demand grid, index unique.
    probability : ndarray, shape (rows, cols)
        Probability of coverage (best of the networks of the rule's technology); NaN where unknown.
    demand : Demand
    rule : Rule
    points : GeoDataFrame, optional
        Village points, needed by rules that measure points. A kind without a row is missing data (not assessable);
        a row with ``exists`` false says the village has none (left out of the rule).
    pixels : AreaPixels, optional
        Pixel fractions of the areas, where they were computed before.
    sites : GeoDataFrame, optional
        Sites of the rule's technology, for rules with ``site_within_m``.

    Returns
    -------
    DataFrame
        ``rule, area_m2, demand, demand_kind, area_share, demand_share, known_share, verdict, shortfall, reason`` on the
        index of the areas. Shares count the known part; a share rule judges the unknown part both ways. The
        shortfall is in share for share rules and in number of points for point rules.
    """
    inside_of = pixels if pixels is not None else area_pixels(demand.geobox, areas)
    area_share = inside_of.mean(probability)
    demand_share = inside_of.mean(probability, demand.per_pixel)
    known_share = _known_share(areas, inside_of, probability, demand, rule)
    if rule.measure == "points":
        given = points if points is not None else gpd.GeoDataFrame(
            {"village_code": [], "kind": [], "exists": []}, geometry=[], crs=areas.crs)
        judged = _judge_points(areas, given, probability, demand, rule, sites)
    elif rule.measure == "demand_share":
        judged = _judge_share(demand_share, known_share, rule, f"{demand.zh}覆盖率")
    else:
        judged = _judge_share(area_share, known_share, rule, "面积覆盖率")
    table = pd.DataFrame({
        "rule": rule.id, "area_m2": areas.geometry.area, "demand": inside_of.sums(demand.per_pixel),
        "demand_kind": demand.kind, "area_share": area_share, "demand_share": demand_share,
        "known_share": known_share,
    }, index=areas.index)
    return table.join(judged)


def count_verdicts(verdicts: pd.Series, rule: Rule) -> Mapping[str, Any]:
    """Counts and rate of a column of verdicts, with the rule's name.

    The rate divides by all areas, not by the assessable ones: what cannot be judged is never counted as covered.

    >>> from siteplan.gaps.rules import rule_named
    >>> dict(count_verdicts(pd.Series(["pass", "fail", "not_assessable", "pass"]), rule_named("area_share_95")))["rate"]
    0.5
    """
    counts = {verdict: int((verdicts == verdict).sum()) for verdict in VERDICTS}
    total = len(verdicts)
    return {"rule": rule.id, "rule_zh": rule.zh, "total": total, "passed": counts["pass"], "failed": counts["fail"],
            "not_assessable": counts["not_assessable"], "rate": counts["pass"] / total if total else None}
