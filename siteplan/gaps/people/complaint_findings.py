"""Complaints laid on the predicted coverage: which of them a modelled gap explains, and which none does."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.coverage import Coverage, Layer, Network
from siteplan.gaps.people.complaints import (
    check_crs,
    complaint_weight,
    complaint_xy,
    counted_complaints,
    duplicate_complaints,
    is_inside,
)
from siteplan.gaps.people.demand import Demand
from siteplan.grid import inside, pixel_of, pixel_size_m
from siteplan.input_ledger import LedgerLine
from siteplan.params import GapParams
from siteplan.schema import normalise_word
from siteplan.tables import read_table

FINDING_ZH: Mapping[str, str] = dict(read_table("complaints")["findings"])
"""Findings in the order in which they are tried, in Chinese."""
ANY_ZH = "任一网络"
EVERY_ZH = "全部网络"
"""The network ``*``, which serves every operator."""
STATE_ZH = {"gap": "覆盖空洞", "covered": "已覆盖", "unknown": "无数据"}
COLUMNS = ("date", "source", "operator", "text", "status", "networks", "own_probability", "probability",
           "indoor_probability", "weak_networks", "gap_id", "gap_distance_m", "finding", "finding_zh", "reason",
           "duplicate_of", "inside", "counted", "geometry")
_SPLIT = re.compile(r"[&+、,，;；/|]|和|与")
_LEAST_LATIN = 4
"""A spelling in Latin letters must be so long to be looked for inside a longer word."""
Values = NDArray[np.float64]
Rows = NDArray[np.int64]


def _spellings(networks: Iterable[str]) -> dict[str, set[str]]:
    """Spellings of each operator: those of ``tables/band_words.toml`` and the names in the networks."""
    words = {name: {normalise_word(word) for word in (name, *spelled)}
             for name, spelled in read_table("band_words")["operators"].items()}
    for name in sorted({part for network in networks for part in network.split("&")}):
        words.setdefault(name, {normalise_word(name)})
    return words


def operators_named(text: object, networks: Iterable[str] = ()) -> tuple[str, ...]:
    """Operators that the operator cell of a complaint names, sorted; none where it says nothing, or all of them.

    Parameters
    ----------
    text : str or missing
    networks : iterable of str
        Names of networks of the study, operators joined by ``&``; operators outside the package's table are known by
        them.

    Examples
    --------
    >>> operators_named("中国电信、联通宽带"), operators_named("CMCC"), operators_named("三网均无信号"), operators_named(None)
    (('电信', '联通'), ('移动',), (), ())
    """
    if pd.isna(text):
        return ()
    known = _spellings(networks)
    found: set[str] = set()
    for part in map(normalise_word, _SPLIT.split(str(text))):
        exact = {name for name, words in known.items() if part in words}
        found |= exact or {name for name, words in known.items() if any(
            word in part for word in words if not word.isascii() or len(word) >= _LEAST_LATIN)}
    return tuple(sorted(found))


class _Pixels(NamedTuple):
    """Pixels at which the complaints are judged, and the complaints that have one outdoors and indoors."""

    rows: Rows
    cols: Rows
    on: NDArray[np.bool_]
    indoor_rows: Rows
    indoor_cols: Rows
    built: NDArray[np.bool_]

    def outdoors(self, array: np.ndarray) -> Values:
        """Values at the complaints; NaN off the grid."""
        return _take(array, self.rows, self.cols, self.on)

    def indoors(self, array: np.ndarray | None) -> Values:
        """Values at the built pixels of the complaints; NaN without one."""
        if array is None:
            return np.full(len(self.on), np.nan)
        return _take(array, self.indoor_rows, self.indoor_cols, self.built)


def _take(array: np.ndarray, rows: Rows, cols: Rows, good: NDArray[np.bool_]) -> Values:
    out = np.full(len(good), np.nan)
    out[good] = array[rows[good], cols[good]]
    return out


def _says_indoors(complaints: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    words = read_table("complaints")["indoor"]["words"]
    return np.array([not pd.isna(text) and any(word in str(text) for word in words) for text in complaints["text"]],
                    dtype=bool)


def _pixels(complaints: gpd.GeoDataFrame, geobox: GeoBox, indoor: np.ndarray | None) -> _Pixels:
    """Own pixel of each complaint; indoors the same where it is built, else the nearest one if its text asks for it."""
    x, y = complaint_xy(complaints)
    placed = ~np.isnan(x)
    rows, cols = pixel_of(geobox, np.where(placed, x, 0.0), np.where(placed, y, 0.0))
    on = placed & inside(geobox, rows, cols)
    indoor_rows, indoor_cols, built = rows.copy(), cols.copy(), np.zeros(len(on), dtype=bool)
    if indoor is not None:
        radius = float(read_table("complaints")["indoor"]["distance_m"]) / pixel_size_m(geobox)
        seeks = _says_indoors(complaints)
        reach = range(-int(radius), int(radius) + 1)
        steps = sorted((math.hypot(down, right), down, right) for down in reach for right in reach)
        for away, down, right in steps:
            if away > radius:
                break
            there = on & ~built & (seeks if away else True) & inside(geobox, rows + down, cols + right)
            there[there] = ~np.isnan(indoor[rows[there] + down, cols[there] + right])
            indoor_rows[there], indoor_cols[there] = rows[there] + down, cols[there] + right
            built |= there
    return _Pixels(rows, cols, on, indoor_rows, indoor_cols, built)


def _nearest_gaps(complaints: gpd.GeoDataFrame, gap_areas: gpd.GeoDataFrame, within_m: float,
                  ) -> tuple[NDArray[np.object_], Values]:
    """Id of and distance to the nearest gap area within a distance, m; empty and NaN where there is none."""
    ids, away = np.full(len(complaints), "", dtype=object), np.full(len(complaints), np.nan)
    areas = gap_areas[~(gap_areas.geometry.isna() | gap_areas.geometry.is_empty)].sort_index()
    placed = np.flatnonzero(~np.isnan(complaint_xy(complaints)[0]))
    if areas.empty or not placed.size:
        return ids, away
    points = np.asarray(complaints.geometry.array, dtype=object)[placed]
    (who, which), distance = shapely.STRtree(np.asarray(areas.geometry.array, dtype=object)).query_nearest(
        points, max_distance=within_m, return_distance=True, all_matches=True)
    order = np.lexsort((which, who))
    who, first = np.unique(who[order], return_index=True)
    ids[placed[who]] = areas.index.to_numpy(dtype=object)[which[order][first]]
    away[placed[who]] = distance[order][first]
    return ids, away


def _words(network: Network) -> str:
    """Name of a network as planners read it."""
    return EVERY_ZH if network.name == "*" else network.name


def _own(named: tuple[str, ...], layers: Mapping[Network, Layer], pixels: _Pixels) -> tuple[str, Values, Values] | None:
    """Networks, probability and indoor probability of the operators that a complaint names; None without any there.

    Each operator is as good as the best network that it shares; a complaint of several is judged by the worst of them.
    """
    networks: list[str] = []
    outdoors: list[Values] = []
    indoors: list[Values] = []
    for operator in named:
        mine = [network for network in layers if operator in network.name.split("&") or network.name == "*"]
        if mine:
            networks += [_words(network) for network in mine]
            outdoors.append(np.fmax.reduce([pixels.outdoors(layers[one].probability) for one in mine]))
            indoors.append(np.fmax.reduce([pixels.indoors(layers[one].indoor_probability) for one in mine]))
    if not networks:
        return None
    return "、".join(sorted(set(networks))), np.fmin.reduce(outdoors), np.fmin.reduce(indoors)


def _weak_networks(layers: Mapping[Network, Layer], pixels: _Pixels, least: float) -> list[str]:
    """Networks that are known and below the least probability at each complaint."""
    weak = {_words(network): pixels.outdoors(layer.probability) < least for network, layer in layers.items()}
    return ["、".join(name for name in sorted(weak) if weak[name][row]) for row in range(len(pixels.on))]


def _reason(row: Any) -> str:
    """The finding in a sentence, with its figures; ``row`` is one of ``itertuples``."""
    own = "" if row.networks == ANY_ZH else _percent(row.networks, row.own_probability)
    parts = [FINDING_ZH[row.finding], own, _percent(ANY_ZH, row.probability),
             _percent("室内", row.indoor_probability) if row.finding == "indoor_gap" else ""]
    if row.networks == ANY_ZH and row.weak_networks and row.finding != "in_gap":
        parts.append(f"其中{row.weak_networks}未覆盖")
    if row.gap_id and row.finding != "unknown":
        parts.append(f"空洞 {row.gap_id}" + (f" 距 {row.gap_distance_m:.0f} 米" if row.gap_distance_m else ""))
    if not row.inside:
        parts.append("在规划范围之外,不计")
    if row.duplicate_of:
        parts.append(f"与 {row.duplicate_of} 重复,不计")
    return ";".join(part for part in parts if part)


def _percent(who: str, probability: float) -> str:
    """Probability in percent, rounded down to a tenth; nothing where it is not known."""
    return "" if np.isnan(probability) else f"{who}覆盖概率{math.floor(1000 * round(probability, 9)) / 10:g}%"


def match_complaints(complaints: gpd.GeoDataFrame, coverage: Coverage, gap_areas: gpd.GeoDataFrame,
                     params: GapParams, *, technology: str = "5G") -> gpd.GeoDataFrame:
    """What the predicted coverage says at the place of every complaint.

    Parameters
    ----------
    complaints : GeoDataFrame
        The layer ``complaints`` in the CRS of the coverage; index of unique ids.
    coverage : Coverage
    gap_areas : GeoDataFrame
        Gap areas of any network of the technology, index ``gap_id``; may be empty.
    params : GapParams
        A pixel below ``gap_probability`` is uncovered; gap areas within ``hot_spot_m`` are near.
    technology : {"5G", "4G"}

    Returns
    -------
    GeoDataFrame
        Sorted by ``complaint_id``: date, source, operator, text and status as told, ``inside`` (True where no boundary
        is known), and

        * ``networks``: those of the operators that are named, which ``own_probability`` is of, or 任一网络 (and NaN);
        * ``probability``: of any network; NaN where nothing is known;
        * ``indoor_probability``: of the own networks, else of any, on the built pixel of the complaint; if its text
          says that it is about the inside of a building, on the nearest built one; NaN without such a pixel;
        * ``weak_networks``: all networks that are below ``gap_probability`` there, joined by 、;
        * ``gap_id``, ``gap_distance_m``: the gap area that holds it, else the nearest within ``hot_spot_m``;
        * ``finding``: the first of `FINDING_ZH` that holds; ``finding_zh``, ``reason`` in Chinese;
        * ``duplicate_of``, ``counted``: see :func:`duplicate_complaints`, :func:`counted_complaints`.

        ``unknown`` is never covered and never uncovered. What lies at the place itself goes before what lies near.

    Raises
    ------
    CrsError
        Complaints or gap areas do not lie in the CRS of the coverage.
    """
    check_crs(complaints, coverage.geobox)
    if len(gap_areas):
        check_crs(gap_areas, coverage.geobox)
    table = complaints.sort_index()
    layers = {network: coverage.layer(network) for network in coverage.networks if network.technology == technology}
    best = coverage.any_of(technology)
    pixels = _pixels(table, coverage.geobox, best.indoor_probability)
    ids, away = _nearest_gaps(table, gap_areas, params.hot_spot_m)
    probability, indoor = pixels.outdoors(best.probability), pixels.indoors(best.indoor_probability)
    names = [network.name for network in layers]
    spelled = {text: operators_named(text, names) for text in table["operator"].dropna().unique()}
    named = [spelled.get(text, ()) for text in table["operator"]]
    own, networks = np.full(len(table), np.nan), np.full(len(table), ANY_ZH, dtype=object)
    for operators in sorted(set(named)):
        found = _own(operators, layers, pixels)
        if found is not None:
            chosen = np.array([one == operators for one in named], dtype=bool)
            networks[chosen], own[chosen], indoor[chosen] = found[0], found[1][chosen], found[2][chosen]
    least = params.gap_probability
    finding = np.select(
        [np.isnan(probability), (probability < least) | (away == 0.0), own < least, indoor < least, ~np.isnan(away)],
        list(FINDING_ZH)[:-1], list(FINDING_ZH)[-1])
    out = gpd.GeoDataFrame({
        **{name: table[name].array for name in ("date", "source", "operator", "text", "status")},
        "networks": networks, "own_probability": own, "probability": probability, "indoor_probability": indoor,
        "weak_networks": _weak_networks(layers, pixels, least), "gap_id": ids, "gap_distance_m": np.round(away, 1),
        "finding": finding,
        "finding_zh": [FINDING_ZH[one] for one in finding], "duplicate_of": duplicate_complaints(table).array,
        "inside": is_inside(table),
    }, geometry=table.geometry.array, crs=table.crs, index=table.index)
    out["counted"] = counted_complaints(out, params.complaints_since)
    texts = ["networks", "weak_networks", "gap_id", "finding", "finding_zh"]
    out[texts] = out[texts].astype("str")
    out["reason"] = pd.Series([_reason(row) for row in out.itertuples()], index=out.index, dtype="str")
    return out[list(COLUMNS)]


def count_findings(matched: gpd.GeoDataFrame) -> pd.DataFrame:
    """How many of the complaints that count have each finding.

    Parameters
    ----------
    matched : GeoDataFrame
        From :func:`match_complaints`.

    Returns
    -------
    DataFrame
        Index ``finding`` (each of `FINDING_ZH`): ``finding_zh``, ``number``, ``share`` of all that count, 0..1; NaN
        when none does.
    """
    number = matched.loc[matched["counted"], "finding"].value_counts().reindex(list(FINDING_ZH), fill_value=0)
    total = int(number.sum())
    share = number / total if total else np.nan
    table = pd.DataFrame({"finding_zh": list(FINDING_ZH.values()), "number": number.astype(int), "share": share})
    return table.rename_axis("finding")


def complaints_without_gap(matched: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Complaints that count and that no modelled gap explains: the model may be wrong there, or the cause another."""
    return matched[matched["counted"] & (matched["finding"] == "no_gap")]


def complaint_rates(complaints: gpd.GeoDataFrame, probability: np.ndarray, demand: Demand, params: GapParams,
                    ) -> pd.DataFrame:
    """Complaints per 10,000 people in gaps and in covered land: a prediction worth its name has more of them in gaps.

    Parameters
    ----------
    complaints : GeoDataFrame
        As in :func:`~siteplan.gaps.people.complaints.duplicate_complaints`, in the CRS of the demand; those that count.
    probability : ndarray, shape (rows, cols)
        Probability of coverage; NaN where unknown.
    demand : Demand
    params : GapParams
        A known pixel below ``gap_probability`` is a gap.

    Returns
    -------
    DataFrame
        Index ``state`` (gap, covered, unknown): ``state_zh``, ``number`` of complaints, ``demand``, ``demand_zh`` and
        ``per_10000``, NaN without people or where the demand is no people.
    """
    weight = complaint_weight(complaints, demand.geobox, params.model_copy(update={"complaint_people": 1.0}),
                              since=params.complaints_since)
    masks = {"gap": probability < params.gap_probability, "covered": probability >= params.gap_probability,
             "unknown": np.isnan(probability)}
    table = pd.DataFrame({
        "state_zh": STATE_ZH, "number": {key: int(weight[mask].sum()) for key, mask in masks.items()},
        "demand": {key: float(demand.per_pixel[mask].sum(dtype=np.float64)) for key, mask in masks.items()},
        "demand_zh": demand.zh}).rename_axis("state")
    people = table["demand"].where((table["demand"] > 0) & (demand.kind == "people"))
    return table.assign(per_10000=1e4 * table["number"] / people)


def operator_notes(complaints: gpd.GeoDataFrame, networks: Iterable[str]) -> tuple[LedgerLine, ...]:
    """A note for each operator that complaints name and no network of the study serves.

    Parameters
    ----------
    complaints : GeoDataFrame
    networks : iterable of str
        Names of the networks of the technology that the complaints are judged by.

    Returns
    -------
    tuple of LedgerLine
    """
    names = tuple(networks)
    there = {part for name in names for part in name.split("&")}
    named = [operators_named(text, names) for text in complaints["operator"]]
    counts = pd.Series([one for operators in named for one in operators], dtype="str").value_counts().sort_index()
    return () if "*" in there else tuple(
        LedgerLine("complaints", "", f"共 {count} 条", "operator", str(name), "note",
                   "研究中没有该运营商的网络,其投诉按任一网络判断", "补充该运营商的工参")
        for name, count in counts.items() if name not in there)
