"""Verdicts from shares and points: pass, fail, or not assessable, each with its shortfall and a Chinese sentence."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.gaps.judging.rules import KIND_ZH, Rule

VERDICTS = ("pass", "fail", "not_assessable")
VERDICT_ZH = {"pass": "达标", "fail": "未达标", "not_assessable": "无法判定"}
REST_COVERED = "其余点位均已覆盖"
"""Stands in the reason of a village that is not assessable only because points are missing; all others are covered."""
JUDGED = ["verdict", "shortfall", "reason"]


class Signal(NamedTuple):
    """Predicted coverage that is judged: of one network, or the best of several.

    Attributes
    ----------
    probability : ndarray, shape (rows, cols)
        Probability of coverage 0..1; NaN where unknown.
    indoor_probability : ndarray, shape (rows, cols), or None
        The same inside buildings; NaN where there is no building. None where it was not predicted.
    sites : GeoDataFrame or None
        Sites of the network, for rules with ``site_within_m``; None where they are not known.
    threshold_dbm : float or None
        SS-RSRP that the probabilities are for. None = that of the rule, whatever it is.
    """

    probability: np.ndarray
    indoor_probability: np.ndarray | None = None
    sites: gpd.GeoDataFrame | None = None
    threshold_dbm: float | None = None


class KeyPoints(NamedTuple):
    """Key points as they fall to areas: one row per area and point.

    Attributes
    ----------
    area : ndarray of int64
        Row number of the area.
    name : ndarray of str
    probability : ndarray of float64
        NaN where unknown.
    point : ndarray of int64
        Row number of the point.
    """

    area: NDArray[np.int64]
    name: NDArray[np.object_]
    probability: NDArray[np.float64]
    point: NDArray[np.int64]


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


def not_assessable(index: pd.Index, reason: str) -> pd.DataFrame:
    """The same verdict for all: not assessable, for a reason that holds for all of them.

    >>> not_assessable(pd.Index(["a"]), "缺道路图层(roads),无法判定").loc["a", "verdict"]
    'not_assessable'
    """
    return pd.DataFrame({"verdict": "not_assessable", "shortfall": np.nan, "reason": reason}, index=index)


def wrong_threshold(signal: Signal, rule: Rule) -> str:
    """Why a signal does not serve a rule that asks for a level of its own; empty where it does.

    >>> from siteplan.gaps.judging.rules import rule_named
    >>> wrong_threshold(Signal(np.ones((1, 1)), threshold_dbm=-105.0), rule_named("area_98_-90"))
    '缺按-90dBm门限预测的信号(现为-105dBm),无法判定'
    """
    told, asked = signal.threshold_dbm, rule.threshold_dbm
    if told is None or asked is None or told == asked:
        return ""
    return f"缺按{asked:g}dBm门限预测的信号(现为{told:g}dBm),无法判定"


def judge_shares(shares: pd.Series, known: pd.Series, minimum: float, what: str) -> pd.DataFrame:
    """Verdict, shortfall and reason from a share per row.

    Parameters
    ----------
    shares : Series
        Share 0..1 of the known part; NaN where nothing is known.
    known : Series
        Part 0..1 that is known.
    minimum : float
        Least share that passes.
    what : str
        What the share is of, in Chinese.

    Returns
    -------
    DataFrame
        ``verdict, shortfall, reason`` on the index of the shares. A row passes when it would pass even with all its
        unknown part uncovered, and fails when it would fail even with all of it covered; in between it is not
        assessable.

    Examples
    --------
    >>> judge_shares(pd.Series([0.9, 1.0]), pd.Series([1.0, 0.5]), 0.95, "面积覆盖率")["verdict"].to_list()
    ['fail', 'not_assessable']
    """
    share, part = shares.to_numpy(np.float64), known.to_numpy(np.float64)
    measured = np.nan_to_num(share)
    some = ~np.isnan(share) & (part > 0)
    passed = some & (measured * part >= minimum)
    failed = some & (measured * part + (1.0 - part) < minimum)
    lack = np.select([failed, passed], [minimum - measured, 0.0], np.nan)
    reason = []
    for found, value, there, good, bad in zip(some, share, part, passed, failed, strict=True):
        if not found:
            reason.append(f"{what}无数据,无法判定")
            continue
        note = f"(仅{percent_down(there):g}%有数据)" if there < 0.9995 else ""
        end = (f"达到{100 * minimum:g}%" if good else f"低于{100 * minimum:g}%" if bad
               else "无数据部分可能改变结论,无法判定")
        reason.append(f"{what}{percent_down(value):.1f}%{note},{end}")
    return pd.DataFrame({"verdict": _words(passed, failed), "shortfall": lack, "reason": reason}, index=shares.index)


def judge_indoor(outdoors: pd.DataFrame, share: pd.Series, built: pd.Series, unknown: pd.Series,
                 minimum: float) -> pd.DataFrame:
    """Outdoors and inside buildings together: both must pass.

    Parameters
    ----------
    outdoors : DataFrame
        ``verdict, shortfall, reason`` outdoors.
    share : Series
        Mean indoor probability 0..1 of the built pixels; NaN where there is none.
    built, unknown : Series
        Built pixels of each area, and pixels where nothing is known, which may be built as well.
    minimum : float
        Least share indoors.

    Returns
    -------
    DataFrame
        ``verdict, shortfall, reason``; an area without buildings is judged outdoors alone, and says so. The shortfall
        is the greater of the two.
    """
    total = built + unknown
    known = (built / total.where(total > 0)).fillna(0.0)
    indoors = judge_shares(share, known.where(known < 1.0 - 1e-6, 1.0), minimum, "建筑内覆盖率")
    empty = (total <= 1e-9).to_numpy()
    verdicts = np.stack([outdoors["verdict"].to_numpy(object),
                         np.where(empty, "pass", indoors["verdict"].to_numpy(object))])
    failed, passed = (verdicts == "fail").any(axis=0), (verdicts == "pass").all(axis=0)
    lacks = np.stack([outdoors["shortfall"].to_numpy(np.float64), indoors["shortfall"].to_numpy(np.float64)])
    lack = np.select([failed, passed], [np.nan_to_num(lacks).max(axis=0), 0.0], np.nan)
    told = np.where(empty, "区域内无建筑,只判室外", indoors["reason"].to_numpy(object))
    reason = [f"室外{out};{inside}" for out, inside in zip(outdoors["reason"], told, strict=True)]
    return pd.DataFrame({"verdict": _words(passed, failed), "shortfall": lack, "reason": reason}, index=outdoors.index)


def _words(passed: NDArray[np.bool_], failed: NDArray[np.bool_]) -> NDArray[np.object_]:
    return np.select([passed, failed], ["pass", "fail"], "not_assessable").astype(object)


class _Points(NamedTuple):
    """Village points of one kind, counted per village."""

    zh: str
    rows: list[int]
    there: list[int]
    failed: list[int]
    unknown: list[int]


def judge_villages(index: pd.Index, points: pd.DataFrame, rule: Rule, no_sites: bool | None) -> pd.DataFrame:
    """Villages under a rule of points.

    Parameters
    ----------
    index : Index
        Codes of the villages.
    points : DataFrame
        Village points: ``code, kind, exists``, ``p`` (probability, NaN = unknown), ``site_m`` (distance to the
        nearest site, NaN = unknown).
    rule : Rule
    no_sites : bool or None
        Whether it is known that there is no site at all; None where sites are not known.

    Returns
    -------
    DataFrame
        ``verdict, shortfall, reason`` on the index; the shortfall is the number of kinds that lack coverage.
    """
    village = index.astype(str).get_indexer(points["code"])
    there = points["exists"].to_numpy(bool)
    chance, kind = points["p"].to_numpy(np.float64), points["kind"].to_numpy(object)

    def count(chosen: NDArray[np.bool_]) -> list[int]:
        return np.bincount(village[chosen & (village >= 0)], minlength=len(index)).tolist()

    counted = [_Points(KIND_ZH[name], count(kind == name), count((kind == name) & there),
                       count((kind == name) & there & (chance < rule.point_probability)),
                       count((kind == name) & there & np.isnan(chance))) for name in rule.kinds]
    near, doubtful = _committee_sites(village, points[["kind", "site_m"]].assign(there=there), len(index), no_sites)
    rows = []
    for number in range(len(index)):
        if rule.site_within_m is not None and near[number] <= rule.site_within_m:
            rows.append(("pass", 0.0, f"村委会 {near[number] / 1000:.1f} 公里处有{rule.technology}基站"))
            continue
        verdict, lack, reason = _judge_village(counted, number, rule.least_households)
        if rule.site_within_m is not None and verdict == "fail" and doubtful[number]:
            missing = f"缺{rule.technology}站址数据" if no_sites is None else "村委会位置未知"
            verdict, lack = "not_assessable", np.nan
            reason += f",但{missing},不能排除{rule.site_within_m / 1000:g}公里内有{rule.technology}基站,无法判定"
        rows.append((verdict, lack, reason))
    return pd.DataFrame(rows, columns=JUDGED, index=index)


def _committee_sites(village: NDArray[np.int64], points: pd.DataFrame, count: int,
                     no_sites: bool | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Distance of each village's committee to the nearest site, and where a nearer one cannot be ruled out."""
    rows = (points["kind"] == "committee").to_numpy(bool) & (village >= 0)
    placed = rows & points["there"].to_numpy(bool)
    distance = points["site_m"].to_numpy(np.float64)
    near = np.full(count, np.inf)
    np.fmin.at(near, village[placed], distance[placed])
    doubtful = np.bincount(village[rows], minlength=count) == 0
    doubtful[village[placed & np.isnan(distance)]] = True
    return near, doubtful & (no_sites is not True)


def _judge_village(counted: list[_Points], number: int, least: int) -> tuple[str, float, str]:
    """One village by its points alone: verdict, number of lacking kinds, reason."""
    failed = [kind.zh for kind in counted if kind.failed[number]]
    missing = [kind.zh for kind in counted if not kind.failed[number] and (
        not kind.rows[number] or kind.unknown[number])]
    absent = [kind.zh for kind in counted if kind.rows[number] and not kind.there[number]]
    few = f"或不足{least}户" if least and KIND_ZH["settlement"] in absent else ""
    note = f"(本村不设{'、'.join(absent)}{few})" if absent else ""
    if failed:
        extra = f";{'、'.join(missing)}缺点位数据" if missing else ""
        return "fail", float(len(failed)), f"{'、'.join(failed)}未覆盖{extra}{note}"
    if missing:
        rest = f",{REST_COVERED}" if len(missing) + len(absent) < len(counted) else ""
        return "not_assessable", np.nan, f"{'、'.join(missing)}缺点位数据{rest},无法判定{note}"
    if len(absent) == len(counted):
        return "not_assessable", np.nan, "规则所列点位本村均不设,无法判定"
    return "pass", 0.0, f"规则所列点位均已覆盖{note}"
