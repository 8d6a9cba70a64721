"""4G and fibre of villages and resettlement zones: what is reported, what is predicted or mapped, what is unknown."""

from __future__ import annotations

from typing import Literal

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.errors import ModelError

YES, NO, UNKNOWN = "yes", "no", "unknown"
STATE_ZH = {YES: "已通", NO: "未通", UNKNOWN: "无资料"}
SOURCE_ZH = {"reported": "上报", "predicted": "预测", "mapped": "光缆图层", "unknown": "无资料"}
RESETTLEMENT_WORD = "安置"
"""Zones whose type holds this word are resettlement zones (易地扶贫搬迁安置点)."""
RULE_4G = "village_4g_2018"
COLUMNS = ["name", "zone_type", "town", "county", "has_4g", "source_4g", "rule_4g", "conflict_4g", "has_fibre",
           "source_fibre", "fibre_m", "fibre_from", "conflict_fibre", "reason_4g", "reason_fibre"]
_PREDICTED = {"pass": YES, "fail": NO}
_VERDICT_ZH = {YES: "达标", NO: "未达标"}


def resettlement_zones(zones: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The resettlement zones: those whose ``zone_type`` holds 安置.

    Examples
    --------
    >>> zones = gpd.GeoDataFrame({"zone_type": ["易地扶贫搬迁安置点", "产业园区", None]}, geometry=[None] * 3)
    >>> len(resettlement_zones(zones))
    1
    """
    return zones[zones["zone_type"].astype("str").str.contains(RESETTLEMENT_WORD, regex=False, na=False).astype(bool)]


def _reported(areas: gpd.GeoDataFrame, column: str) -> pd.Series:
    """yes, no or unknown from a yes-no column that may lack values or be absent."""
    if column not in areas:
        return pd.Series(UNKNOWN, index=areas.index, dtype="object")
    told = areas[column].astype("boolean")
    words = np.where(told.fillna(False), YES, np.where(told.isna(), UNKNOWN, NO))
    return pd.Series(words, index=areas.index, dtype="object")


def _has_place(geometry: gpd.GeoSeries) -> np.ndarray:
    return ~(geometry.isna() | geometry.is_empty).to_numpy()


def _nearest_m(places: gpd.GeoSeries, fibre: gpd.GeoDataFrame) -> np.ndarray:
    """Distance of each place to the nearest line, m; NaN without a place."""
    out = np.full(len(places), np.nan)
    placed = np.flatnonzero(_has_place(places))
    if len(placed):
        out[placed] = fibre.sindex.nearest(places.iloc[placed], return_all=False, return_distance=True)[1]
    return out


def _fibre_distance(areas: gpd.GeoDataFrame, points: gpd.GeoDataFrame | None,
                    fibre: gpd.GeoDataFrame) -> pd.DataFrame:
    """Distance of each area to the nearest line, m, and what it was measured from: committee, or area without one."""
    table = pd.DataFrame({"fibre_m": _nearest_m(areas.geometry, fibre), "fibre_from": "area"}, index=areas.index)
    if points is not None and len(points):
        committees = points[(points["kind"] == "committee") & points["exists"].astype("boolean").fillna(False)]
        committees = committees[_has_place(committees.geometry)]
        away = pd.Series(_nearest_m(committees.geometry, fibre), index=committees["village_code"].astype(str))
        least = away.groupby(level=0).min().reindex(areas.index.astype(str)).to_numpy()
        table = table.assign(fibre_m=np.where(np.isnan(least), table["fibre_m"], least),
                             fibre_from=np.where(np.isnan(least), "area", "committee"))
    table["fibre_from"] = table["fibre_from"].where(table["fibre_m"].notna(), "")
    return table


def _reason_4g(told: str, predicted: str, has_prediction: bool, rule: str) -> str:
    verdict = f"按规则{rule}预测{_VERDICT_ZH.get(predicted, '无法判定')}"
    if told == UNKNOWN:
        return f"4G:未上报,{verdict}" if has_prediction else "4G:未上报,也没有4G预测"
    if predicted not in (UNKNOWN, told):
        return f"4G:上报{STATE_ZH[told]},但{verdict},需核实"
    return f"4G:上报{STATE_ZH[told]}"


def _reason_fibre(told: str, mapped: str, place: tuple[float, str], within_m: float) -> str:
    away, measured_from = place
    where = "村委会" if measured_from == "committee" else "区域边界"
    near = "有光缆经过区域内" if away == 0 and measured_from == "area" else f"距{where}{away:.0f}米处有光缆"
    if told != UNKNOWN:
        if mapped in (UNKNOWN, told):
            return f"光纤:上报{STATE_ZH[told]}"
        seen = f"{near},可能只是过境" if mapped == YES else f"光缆图层(已声明完整){within_m:g}米内没有光缆"
        return f"光纤:上报{STATE_ZH[told]},但{seen},需核实"
    if mapped == YES:
        return f"光纤:未上报,{near}({within_m:g}米以内按已通计)"
    if mapped == NO:
        return f"光纤:未上报,光缆图层(已声明完整){within_m:g}米内没有光缆,按未通计"
    if np.isnan(away):
        return "光纤:未上报,没有可用的光缆图层或位置,不能判断"
    return f"光纤:未上报,最近的光缆距{where}{away:.0f}米,图层未声明完整,不能据此判为未通"


def _check(areas: gpd.GeoDataFrame, points: gpd.GeoDataFrame | None, fibre: gpd.GeoDataFrame | None,
           within_m: float) -> None:
    """Raise ModelError for what cannot be judged."""
    if not areas.index.is_unique:
        raise ModelError("the areas have an index that is not unique")
    if not within_m >= 0:
        raise ModelError(f"within_m is {within_m}, it must be 0 or more")
    for name, table in (("points", points), ("fibre", fibre)):
        if table is not None and len(table) and table.crs != areas.crs:
            raise ModelError(f"{name} and areas are in different CRS: {table.crs}, {areas.crs}")


def connectivity(areas: gpd.GeoDataFrame, points: gpd.GeoDataFrame | None, verdict_4g: pd.Series | None,
                 fibre: gpd.GeoDataFrame | None, within_m: float, *, rule_4g: str = RULE_4G,
                 complete: bool = False) -> pd.DataFrame:
    """4G and fibre state of each village or zone, each with its source.

    What the bureau reports counts. Where it reports nothing, 4G follows from the verdict of a rule, and fibre from
    the map: a line within ``within_m`` of the village committee (of the polygon where no committee is placed) means
    yes. No line so near means unknown, because maps of fibre are rarely whole; it means no only where the layer is
    declared ``complete``. An absent or empty layer always means unknown.

    Parameters
    ----------
    areas : GeoDataFrame
        Villages or zones, unique index; ``name``, ``town``, ``county``, ``zone_type``, ``has_4g``, ``has_fibre``
        (yes-no, missing = not reported) where given.
    points : GeoDataFrame or None
        Village points: ``village_code``, ``kind``, ``exists``.
    verdict_4g : Series or None
        pass, fail or not_assessable under ``rule_4g``, on the index of the areas; None = no prediction of 4G.
    fibre : GeoDataFrame or None
        Lines (or points) of the fibre layer, in the CRS of the areas; None = there is no such layer.
    within_m : float
        A line so near is taken to reach the place, m (an unverified planning default, ``gaps.fibre_within_m``).
    rule_4g : str
        Id of the rule behind ``verdict_4g``, told beside every predicted state.
    complete : bool
        The fibre layer is declared to hold all fibre there is.

    Returns
    -------
    DataFrame
        On the index of the areas: ``name, zone_type, town, county``; ``has_4g, has_fibre`` yes | no | unknown;
        ``source_4g`` reported | predicted | unknown; ``rule_4g`` (blank where no verdict was used);
        ``source_fibre`` reported | mapped | unknown; ``fibre_m`` (m, NaN = not known), ``fibre_from`` committee |
        area | blank; ``conflict_4g, conflict_fibre`` (bool: the report and the other source disagree);
        ``reason_4g, reason_fibre`` (Chinese).

    Raises
    ------
    ModelError
        The index repeats, the CRS differ, or ``within_m`` is negative.

    Examples
    --------
    >>> from shapely import LineString, box
    >>> villages = gpd.GeoDataFrame({"has_4g": [True, None], "has_fibre": [None, None]},
    ...                             geometry=[box(0, 0, 9, 9), box(900, 0, 909, 9)], index=["A", "B"], crs=4547)
    >>> cable = gpd.GeoDataFrame(geometry=[LineString([(-100, 5), (100, 5)])], crs=4547)
    >>> connectivity(villages, None, pd.Series(["fail", "fail"], ["A", "B"]), cable, 500)[
    ...     ["has_4g", "source_4g", "conflict_4g", "has_fibre", "source_fibre"]]
        has_4g  source_4g  conflict_4g has_fibre source_fibre
    A  yes   reported         True       yes       mapped
    B   no  predicted        False   unknown      unknown
    """
    _check(areas, points, fibre, within_m)
    usable = fibre[_has_place(fibre.geometry)] if fibre is not None else None
    if usable is not None and len(usable):
        distance = _fibre_distance(areas, points, usable)
        far = NO if complete else UNKNOWN
        mapped = pd.Series(np.where(distance["fibre_m"] <= within_m, YES,
                                    np.where(distance["fibre_m"].isna(), UNKNOWN, far)), areas.index, dtype="object")
    else:
        distance = pd.DataFrame({"fibre_m": np.nan, "fibre_from": ""}, index=areas.index)
        mapped = pd.Series(UNKNOWN, index=areas.index, dtype="object")
    given = pd.Series(None, areas.index, dtype="object") if verdict_4g is None else verdict_4g.reindex(areas.index)
    predicted = given.astype("object").map(lambda verdict: _PREDICTED.get(verdict, UNKNOWN))
    table = pd.DataFrame({name: areas[name].astype("str").fillna("") if name in areas else ""
                          for name in ("name", "zone_type", "town", "county")}, index=areas.index)
    for short, other, source in (("4g", predicted, "predicted"), ("fibre", mapped, "mapped")):
        told = _reported(areas, f"has_{short}")
        table[f"told_{short}"] = told
        table[f"has_{short}"] = told.where(told != UNKNOWN, other)
        table[f"source_{short}"] = np.where(told != UNKNOWN, "reported", np.where(other != UNKNOWN, source, UNKNOWN))
        table[f"conflict_{short}"] = ((told != UNKNOWN) & (other != UNKNOWN) & (told != other)).astype(bool)
    table["rule_4g"] = np.where((table["source_4g"] == "predicted") | table["conflict_4g"], rule_4g, "")
    table = table.join(distance)
    has_prediction = given.notna()
    table["reason_4g"] = [_reason_4g(*row, rule_4g) for row in
                          zip(table["told_4g"], predicted, has_prediction, strict=True)]
    table["reason_fibre"] = [_reason_fibre(told, seen, (away, start), within_m) for told, seen, away, start in
                             zip(table["told_fibre"], mapped, table["fibre_m"], table["fibre_from"], strict=True)]
    return table[COLUMNS]


_LEVEL_COLUMNS: dict[str, list[str]] = {"city": [], "county": ["county"], "town": ["county", "town"]}


def _counts(group: pd.DataFrame, what: str) -> dict[str, object]:
    """Counts of one area for 4G and fibre, with the sentence."""
    total = len(group)
    out: dict[str, object] = {"total": total}
    words = []
    for short, zh, other in (("4g", "4G", "predicted"), ("fibre", "光纤", "mapped")):
        state, source = group[f"has_{short}"], group[f"source_{short}"]
        yes, no = int((state == YES).sum()), int((state == NO).sum())
        unknown = total - yes - no
        derived = int(((state == YES) & (source == other)).sum())
        out |= {f"yes_{short}": yes, f"no_{short}": no, f"unknown_{short}": unknown,
                f"reported_yes_{short}": yes - derived, f"{other}_yes_{short}": derived,
                f"conflict_{short}": int(group[f"conflict_{short}"].sum()),
                f"rate_{short}": yes / total if total else np.nan,
                f"rate_{short}_at_most": (yes + unknown) / total if total else np.nan}
        parts = [f"{yes}个已通{zh}(上报{yes - derived}、{SOURCE_ZH[other]}{derived})", f"{no}个未通"]
        parts += [f"{unknown}个无资料"] * bool(unknown)
        parts += [f"{out[f'conflict_{short}']}个上报与{SOURCE_ZH[other]}不一致"] * bool(out[f"conflict_{short}"])
        words.append("、".join(parts))
    out["sentence"] = f"{total}个{what}:{';'.join(words)}"
    return out


def count_connectivity(table: pd.DataFrame, level: Literal["city", "county", "town"] = "city",
                       what: str = "行政村") -> pd.DataFrame:
    """Villages or zones with and without 4G and fibre, by city, county or town.

    Parameters
    ----------
    table : DataFrame
        Result of `connectivity`.
    level : {"city", "county", "town"}
    what : str
        What is counted, for the sentence.

    Returns
    -------
    DataFrame
        One row per area, sorted: ``county, town`` (blank above that level, 未注明 where not given), ``total``; for each
        of ``4g`` and ``fibre``: ``yes_, no_, unknown_, reported_yes_, predicted_yes_4g`` or ``mapped_yes_fibre``,
        ``conflict_``, ``rate_`` (yes / total: what is unknown is not counted as yes), ``rate_..._at_most`` (all
        unknown ones being yes), both NaN without any; ``sentence`` (Chinese).

    Raises
    ------
    ModelError
        The level is unknown.

    Examples
    --------
    >>> villages = gpd.GeoDataFrame({"has_4g": [True, None]}, geometry=[None, None], index=["A", "B"], crs=4547)
    >>> found = count_connectivity(connectivity(villages, None, None, None, 500.0))
    >>> found["sentence"][0]
    '2个行政村:1个已通4G(上报1、预测0)、0个未通、1个无资料;0个已通光纤(上报0、光缆图层0)、0个未通、2个无资料'
    """
    if level not in _LEVEL_COLUMNS:
        raise ModelError(f"unknown level {level!r}; known: {', '.join(_LEVEL_COLUMNS)}")
    places = [table[name].replace("", "未注明") for name in _LEVEL_COLUMNS[level]]
    groups = table.groupby(places, sort=True) if places else [((), table)]
    rows = []
    for key, group in groups:
        names = dict(zip(_LEVEL_COLUMNS[level], key, strict=True))
        rows.append({"county": names.get("county", ""), "town": names.get("town", ""), **_counts(group, what)})
    return pd.DataFrame(rows, columns=None if rows else ["county", "town", *_counts(table.iloc[:0], what)])
