"""Villages and key zones judged by a named rule: pass, fail, or not assessable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypedDict, Unpack

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.errors import ModelError
from siteplan.gaps.judging.key_points import judge_key_points, points_of_areas
from siteplan.gaps.judging.rules import KIND_ZH, Rule
from siteplan.gaps.judging.shares import AreaPixels, area_pixels
from siteplan.gaps.judging.verdicts import (
    REST_COVERED,
    VERDICT_ZH,
    VERDICTS,
    Signal,
    judge_indoor,
    judge_shares,
    judge_villages,
    not_assessable,
    percent_down,
    wrong_threshold,
)
from siteplan.gaps.people.demand import Demand
from siteplan.grid import inside, pixel_of, pixel_size_m

__all__ = [
    "REST_COVERED", "VERDICTS", "VERDICT_ZH", "AreaTables", "Signal", "assess_areas", "assess_rules", "count_verdicts",
    "percent_down", "point_probability",
]


class AreaTables(TypedDict, total=False):
    """What rules look at beside the probability; all may be left out or None.

    Attributes
    ----------
    points : GeoDataFrame
        Village points, for rules of points. A kind without a row is missing data (not assessable); a row with
        ``exists`` false says the village has none (left out of the rule).
    pixels : AreaPixels
        Pixel fractions of the areas, where they were computed before.
    sites : GeoDataFrame
        Sites of the rule's technology, for rules with ``site_within_m``; without rows where there is none.
    indoor : ndarray, shape (rows, cols)
        Probability inside buildings; NaN where there is no building.
    key_points : GeoDataFrame
        Points for rules of key points: with a ``zone_id``, or those inside the polygon;
        see :func:`siteplan.gaps.judging.key_points.points_of_areas`.
    threshold_dbm : float
        SS-RSRP that the probabilities are for; that of the rule when absent.
    """

    points: gpd.GeoDataFrame | None
    pixels: AreaPixels | None
    sites: gpd.GeoDataFrame | None
    indoor: np.ndarray | None
    key_points: gpd.GeoDataFrame | None
    threshold_dbm: float | None


class _Given(NamedTuple):
    """`AreaTables` with what was left out."""

    points: gpd.GeoDataFrame | None = None
    pixels: AreaPixels | None = None
    sites: gpd.GeoDataFrame | None = None
    indoor: np.ndarray | None = None
    key_points: gpd.GeoDataFrame | None = None
    threshold_dbm: float | None = None


_SUMS = ("known", "covered", "demand", "known_demand", "covered_demand", "built", "covered_built")


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


def _site_distance_m(points: gpd.GeoDataFrame, sites: gpd.GeoDataFrame | None) -> np.ndarray:
    """Distance of each point to the nearest site; infinite where there is none at all, NaN where it is not known."""
    if sites is not None and sites.empty:
        return np.full(len(points), np.inf)
    out = np.full(len(points), np.nan)
    placed = np.flatnonzero(~(points.geometry.isna() | points.geometry.is_empty).to_numpy())
    if sites is None or len(placed) == 0:
        return out
    where = points.geometry.iloc[placed]
    _, distance = sites.sindex.nearest(where, return_all=False, return_distance=True)
    out[placed] = distance
    return out


def too_small(points: pd.DataFrame, rule: Rule) -> NDArray[np.bool_]:
    """Settlements known to have fewer households than the rule asks for: as if the village did not have them."""
    if not rule.least_households or "households" not in points:
        return np.zeros(len(points), dtype=bool)
    few = points["households"].to_numpy(np.float64, na_value=np.nan) < rule.least_households
    return np.asarray(few & (points["kind"] == "settlement").to_numpy())


def asked_points(points: gpd.GeoDataFrame, rule: Rule) -> gpd.GeoDataFrame:
    """Village points of the kinds that a rule of points asks for; ``exists`` is False where they count as not there."""
    asked = points[points["kind"].isin(rule.kinds)]
    return asked.assign(exists=asked["exists"].astype(bool) & ~too_small(asked, rule))


def _judge_points(areas: gpd.GeoDataFrame, points: gpd.GeoDataFrame | None, signal: Signal, demand: Demand,
                  rule: Rule) -> pd.DataFrame:
    if points is None or points.empty:
        kinds = "、".join(KIND_ZH[kind] for kind in rule.kinds)
        return not_assessable(areas.index, f"缺村内点位图层(village_points),{kinds}缺点位数据,无法判定")
    near = rule.site_within_m is not None
    table = pd.DataFrame({
        "code": points["village_code"].astype(str).to_numpy(), "kind": points["kind"].to_numpy(object),
        "exists": points["exists"].to_numpy(bool), "p": point_probability(points, signal.probability, demand),
        "site_m": _site_distance_m(points, signal.sites) if near else np.nan,
    })
    table["exists"] &= ~too_small(points, rule)
    return judge_villages(areas.index, table, rule, None if signal.sites is None else signal.sites.empty)


def _figures(areas: gpd.GeoDataFrame, signal: Signal, demand: Demand, pixels: AreaPixels) -> pd.DataFrame:
    """Sums over the pixels of each area by their fractions, in one pass, and the shares made of them."""
    shape = tuple(pixels.geobox.shape)
    layers = [np.asarray(layer) for layer in (signal.probability, demand.per_pixel, signal.indoor_probability)
              if layer is not None]
    if any(layer.shape != shape for layer in layers):
        raise ModelError(f"probabilities or demand do not fit a geobox of shape {shape}")
    chance, people, *indoors = (layer.ravel() for layer in layers)

    def products(cells: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, ...]:
        found, weight = chance[cells], np.nan_to_num(people[cells]) * part
        known = ~np.isnan(found)
        covered = np.where(known, found, 0.0)
        values = [part * known, part * covered, weight, weight * known, weight * covered]
        for layer in indoors:
            inner = layer[cells]
            built = ~np.isnan(inner)
            values += [part * built, part * np.where(built, inner, 0.0)]
        return tuple(values)

    sums = dict(zip(_SUMS, pixels.gathered(products), strict=False))
    return _shares(areas, sums, pixel_size_m(demand.geobox) ** 2)


def _ratio(part: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.divide(part, total, out=np.full(len(total), np.nan), where=total > 0)


def _shares(areas: gpd.GeoDataFrame, sums: Mapping[str, np.ndarray], pixel_m2: float) -> pd.DataFrame:
    area = areas.geometry.area.to_numpy()
    known = np.nan_to_num(_ratio(sums["known"] * pixel_m2, area))
    known_demand = np.nan_to_num(_ratio(sums["known_demand"], sums["demand"]))
    known, known_demand = (np.where(share < 1.0 - 1e-6, share, 1.0) for share in (known, known_demand))
    built = sums.get("built", np.zeros(len(areas)))
    return pd.DataFrame({
        "area_m2": area, "demand": sums["demand"], "area_share": _ratio(sums["covered"], sums["known"]),
        "demand_share": _ratio(sums["covered_demand"], sums["known_demand"]),
        "indoor_share": _ratio(sums.get("covered_built", built), built),
        "known": known, "known_demand": known_demand, "built": built,
        "unknown": (1.0 - known) * area / pixel_m2,
    }, index=areas.index)


def _judge_area_rule(figures: pd.DataFrame, signal: Signal, demand: Demand, rule: Rule) -> pd.DataFrame:
    """Areas under a rule of a share of the land or of the demand."""
    if rule.measure == "demand_share":
        judged = judge_shares(figures["demand_share"], figures["known_demand"], rule.minimum, f"{demand.zh}覆盖率")
        nobody = (figures["demand"] <= 0) & (figures["area_m2"] > 0)
        judged.loc[nobody, "reason"] = f"区域内{demand.zh}为0,无法判定"
    else:
        judged = judge_shares(figures["area_share"], figures["known"], rule.minimum, "面积覆盖率")
    if rule.indoor_minimum is None:
        return judged
    if signal.indoor_probability is None:
        missing = not_assessable(judged.index, "")
        missing["reason"] = [f"室外{reason};缺室内覆盖预测(coverage.indoor),无法判定" for reason in judged["reason"]]
        failed = judged["verdict"] == "fail"  # outdoors alone decides
        return missing.where(~failed, judged.assign(reason="室外" + judged["reason"]))
    return judge_indoor(judged, figures["indoor_share"], figures["built"], figures["unknown"], rule.indoor_minimum)


def _assess(areas: gpd.GeoDataFrame, signal: Signal, demand: Demand, rule: Rule, figures: pd.DataFrame,
            given: _Given) -> pd.DataFrame:
    """Figures and verdicts of one rule."""
    astray = wrong_threshold(signal, rule)
    if rule.measure == "line_share":
        raise ModelError(f"rule {rule.id} is about lines: judge them by assess_lines")
    if astray:
        figures = figures.assign(area_share=np.nan, demand_share=np.nan, indoor_share=np.nan)
        judged = not_assessable(areas.index, astray)
    elif rule.measure == "points":
        judged = _judge_points(areas, given.points, signal, demand, rule)
    elif rule.measure == "key_points":
        found = None if given.key_points is None or given.key_points.empty else points_of_areas(
            areas, given.key_points, point_probability(given.key_points, signal.probability, demand), rule)
        judged = judge_key_points(areas.index, found, rule)
    else:
        judged = _judge_area_rule(figures, signal, demand, rule)
    known = figures["known_demand"] if rule.measure == "demand_share" else figures["known"]
    table = pd.DataFrame({
        "rule": rule.id, "area_m2": figures["area_m2"], "demand": figures["demand"], "demand_kind": demand.kind,
        "area_share": figures["area_share"], "demand_share": figures["demand_share"],
        "indoor_share": figures["indoor_share"], "known_share": known,
    }, index=areas.index)
    return table.join(judged)


def assess_areas(areas: gpd.GeoDataFrame, probability: np.ndarray, demand: Demand, rule: Rule,
                 **tables: Unpack[AreaTables]) -> pd.DataFrame:
    """Shares and verdict of each area under one rule.

    Parameters
    ----------
    areas : GeoDataFrame
        Polygons in the CRS of the demand grid, index unique.
    probability : ndarray, shape (rows, cols)
        Probability of coverage (best of the networks of the rule's technology); NaN where unknown.
    demand : Demand
    rule : Rule
        Its ``operators`` are not looked at here: see :func:`siteplan.gaps.judging.networks.judge_operators`.
    **tables
        ``points, pixels, sites, indoor, key_points, threshold_dbm``: see :class:`AreaTables`.

    Returns
    -------
    DataFrame
        ``rule, area_m2, demand, demand_kind, area_share, demand_share, indoor_share, known_share, verdict, shortfall,
        reason`` on the index of the areas. Shares count the known part; a share rule judges the unknown part both
        ways. ``indoor_share`` is the mean over built pixels, NaN without any or where not predicted. The shortfall is
        in share for share rules and in number of points for point rules. A rule that needs what is not there (points,
        key points, the signal indoors, a threshold of its own) is not assessable, and the reason names it.

    Raises
    ------
    CrsError
        Areas or key points do not have the CRS of the grid.
    ModelError
        Arrays do not fit the grid; the rule is about lines.

    Examples
    --------
    >>> from odc.geo.geobox import GeoBox
    >>> from shapely import box
    >>> from siteplan.gaps.judging.rules import rule_named
    >>> grid = GeoBox.from_bbox((0, 0, 20, 10), crs="EPSG:4547", resolution=10)
    >>> areas = gpd.GeoDataFrame(geometry=[box(5, 0, 15, 10)], index=["a"], crs="EPSG:4547")
    >>> people = Demand(np.ones((1, 2), np.float32), "people", grid)
    >>> assess_areas(areas, np.array([[1.0, 0.8]]), people, rule_named("area_share_95")).loc["a", "reason"]
    '面积覆盖率90.0%,低于95%'
    """
    return assess_rules(areas, probability, demand, [rule], **tables)[rule.id]


def assess_rules(areas: gpd.GeoDataFrame, probability: np.ndarray, demand: Demand, rules: Iterable[Rule],
                 **tables: Unpack[AreaTables]) -> dict[str, pd.DataFrame]:
    """The same areas under several rules by one probability: shares are summed once.

    Parameters
    ----------
    areas, probability, demand, **tables
        As for :func:`assess_areas`; the rules must be of one technology and threshold.
    rules : iterable of Rule

    Returns
    -------
    dict of str to DataFrame
        A table of :func:`assess_areas` for each rule id.
    """
    given = _Given(**tables)
    signal = Signal(probability, given.indoor, given.sites, given.threshold_dbm)
    pixels = given.pixels if given.pixels is not None else area_pixels(demand.geobox, areas)
    figures = _figures(areas, signal, demand, pixels)
    return {rule.id: _assess(areas, signal, demand, rule, figures, given) for rule in rules}


def count_verdicts(verdicts: pd.Series, rule: Rule) -> Mapping[str, Any]:
    """Counts and rate of a column of verdicts, with the rule's name.

    The rate divides by all areas, not by the assessable ones: what cannot be judged is never counted as covered.

    >>> from siteplan.gaps.judging.rules import rule_named
    >>> dict(count_verdicts(pd.Series(["pass", "fail", "not_assessable", "pass"]), rule_named("area_share_95")))["rate"]
    0.5
    """
    counts = {verdict: int((verdicts == verdict).sum()) for verdict in VERDICTS}
    total = len(verdicts)
    own = {} if rule.threshold_dbm is None else {"threshold_dbm": rule.threshold_dbm}
    return {"rule": rule.id, "rule_zh": rule.zh, **own, "total": total, "passed": counts["pass"],
            "failed": counts["fail"], "not_assessable": counts["not_assessable"],
            "rate": counts["pass"] / total if total else None}
