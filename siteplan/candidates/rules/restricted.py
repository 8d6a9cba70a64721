"""Restricted areas and water: which rule an area falls under, and which candidates stand in it or too near."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.candidates.rules.refuse import Hits, metres
from siteplan.candidates.rules.rule_table import OTHER, SiteRule
from siteplan.candidates.table import text
from siteplan.input_ledger import InputLedger

_POLYGONS = (3, 6)


class Areas(NamedTuple):
    """Shapes that candidates keep away from, ordered by id.

    Attributes
    ----------
    shapes : ndarray of shapely geometries, shape (n,)
        Valid, none empty.
    ids, labels : ndarray of str
        Id in its layer; what reasons call it.
    codes : ndarray of str
        Code of the rule it falls under.
    limit_m : ndarray of float
        Least distance; 0 = only inside.
    half_m : ndarray of float
        Half the width of what a line stands for.
    """

    shapes: NDArray[np.object_]
    ids: NDArray[np.object_]
    labels: NDArray[np.object_]
    codes: NDArray[np.object_]
    limit_m: NDArray[np.float64]
    half_m: NDArray[np.float64]

    def joined(self, other: Areas) -> Areas:
        """These areas and the others."""
        return Areas(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


class Near(NamedTuple):
    """Pairs of a site and an area that it stands in or too near to: row numbers, and distance (0 inside), m."""

    area: NDArray[np.int64]
    row: NDArray[np.int64]
    distance_m: NDArray[np.float64]


def _plain(value: str) -> str:
    return unicodedata.normalize("NFKC", value).casefold()


def _longest(value: str, words: Mapping[str, str]) -> str | None:
    """What the longest of the words stands for that a text holds, the first of equal ones; the words are plain."""
    plain = _plain(value)
    found = max((word for word in words if word in plain), key=len, default=None)
    return None if found is None else words[found]


def _area_words(rules: Mapping[str, SiteRule]) -> dict[str, str]:
    """Plain word -> code, in the order of the rules; the first rule that has a word keeps it."""
    words: dict[str, str] = {}
    for rule in rules.values():
        for word in rule.words:
            words.setdefault(_plain(word), rule.id)
    return words


def rule_of_area(kind: str, name: str, rules: Mapping[str, SiteRule]) -> str:
    """Code of the rule that a restricted area falls under, by the words in its type, else in its name.

    >>> from siteplan.candidates.rules.rule_table import site_rules
    >>> rule_of_area("永久基本农田", "", site_rules()), rule_of_area("", "南岭生态保护红线", site_rules())
    ('farmland', 'ecology_red_line')
    """
    words = _area_words(rules)
    return _longest(kind, words) or _longest(name, words) or OTHER


def clean_shapes(layer: gpd.GeoDataFrame, zh: str, ledger: InputLedger) -> gpd.GeoDataFrame:
    """The layer by id without missing and empty shapes, invalid ones mended; the ledger tells of the mended ones."""
    shapes = layer.geometry.to_numpy()
    usable = layer[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))].sort_index()
    bad = np.flatnonzero(~shapely.is_valid(usable.geometry.to_numpy()))
    if not len(bad):
        return usable
    mended = usable.geometry.to_numpy().copy()
    mended[bad] = shapely.make_valid(mended[bad])
    ledger.add(zh, "", f"共 {len(bad)} 行", "geometry", "、".join(map(str, usable.index[bad][:3])), "repaired",
               "图形自相交,修复后再判断候选站址", "修正图形")
    return usable.set_geometry(gpd.GeoSeries(mended, index=usable.index, crs=layer.crs))


def _labels(layer: gpd.GeoDataFrame) -> np.ndarray:
    name = text(layer["name"]).str.strip()
    return name.where(name != "", layer.index.astype("str")).to_numpy(object)


def restricted_areas(layer: gpd.GeoDataFrame, rules: Mapping[str, SiteRule], ledger: InputLedger) -> Areas:
    """The restricted layer as areas of rules, with the distance that each asks for.

    Parameters
    ----------
    layer : GeoDataFrame
        Polygons, lines or points with ``kind, name, distance_m``. A row's own distance comes first, then that of the
        rule by a word in type or name, then the rule's.
    rules : mapping of str to SiteRule
    ledger : InputLedger
        Takes a line for each kind that no rule has a word for, and for lines without a distance.
    """
    rows = clean_shapes(layer, "restricted", ledger)
    kinds, names = text(rows["kind"]).str.strip(), text(rows["name"]).str.strip()
    words = _area_words(rules)
    by_kind = {kind: _longest(kind, words) for kind in kinds.unique()}
    codes = np.array([by_kind[kind] or _longest(name, words) or OTHER for kind, name in zip(kinds, names, strict=True)],
                     object)
    shapes = rows.geometry.to_numpy()
    limit = _limits(kinds + " " + names, codes, np.isin(shapely.get_type_id(shapes), _POLYGONS), rules)
    own = rows["distance_m"].astype("float64").to_numpy()
    limit = np.where(np.isnan(own), limit, own)
    _tell_kinds(rows, kinds, codes, ledger)
    _tell_idle(rows, (shapely.get_dimensions(shapes) < 2) & (limit == 0), ledger)
    zh = np.array([kind if code == OTHER and kind else rules[code].zh
                   for code, kind in zip(codes, kinds, strict=True)], object)
    names_of = _labels(rows)
    labels = np.array([f"{kind}“{name}”" if rules[code].named else kind
                       for kind, name, code in zip(zh, names_of, codes, strict=True)], object)
    return Areas(shapes, rows.index.to_numpy(object), labels, codes, limit, np.zeros(len(rows)))


def _limits(named: pd.Series, codes: np.ndarray, drawn: np.ndarray, rules: Mapping[str, SiteRule]) -> np.ndarray:
    """Distance that the rule of each area asks for, by its words first; ``drawn`` = polygons."""
    limit = np.zeros(len(codes))
    for code in dict.fromkeys(codes):
        rule, mine = rules[code], np.flatnonzero(codes == code)
        limit[mine] = rule.distance_m or 0.0
        words = {_plain(word): word for word in rule.by_word}
        for row in mine if words else ():
            word = _longest(named.iloc[row], words)
            if word is not None:
                limit[row] = rule.by_word[word]
        if rule.lines:
            limit[mine[drawn[mine]]] = 0.0
    return limit


def _tell_kinds(rows: gpd.GeoDataFrame, kinds: pd.Series, codes: np.ndarray, ledger: InputLedger) -> None:
    """One ledger line for each kind that falls to the rule for all others."""
    unknown = kinds[codes == OTHER]
    for kind, count in unknown.value_counts().sort_index().items():
        files = sorted(set(text(rows.loc[unknown.index[unknown == kind], "source_file"])))
        ledger.add("restricted", ",".join(files), f"共 {count} 行", "kind", kind, "assumed",
                   "限制类型未识别,按“限制区”处理:区内不设站,区外不留距离" if kind else "没有限制类型,按“限制区”处理:区内不设站,区外不留距离",
                   "填写限制类型,或在 [candidates.rules] 中为它新增一条(zh、words、distance_m)")


def _tell_idle(rows: gpd.GeoDataFrame, idle: np.ndarray, ledger: InputLedger) -> None:
    """Lines and points without a distance keep nobody away."""
    if idle.any():
        ledger.add("restricted", "", f"共 {int(idle.sum())} 行", "distance_m",
                   "、".join(map(str, rows.index[idle][:3])), "note", "线状或点状限制区没有控制距离,不起作用", "填写控制距离")


def water_areas(layer: gpd.GeoDataFrame, rule: SiteRule, ledger: InputLedger) -> Areas:
    """Water as areas: polygons, and lines of a known width (half of it on either side)."""
    rows = clean_shapes(layer, "water", ledger)
    width = rows["width_m"].astype("float64").to_numpy()
    solid = np.isin(shapely.get_type_id(rows.geometry.to_numpy()), _POLYGONS)
    rows, width, solid = rows[solid | (width > 0)], width[solid | (width > 0)], solid[solid | (width > 0)]
    labels = np.array([f"水域“{name}”" for name in _labels(rows)], object)
    return Areas(rows.geometry.to_numpy(), rows.index.to_numpy(object), labels,
                 np.full(len(rows), rule.id, object), np.full(len(rows), rule.distance_m or 0.0),
                 np.where(solid, 0.0, width / 2))


def hazard_points(facilities: gpd.GeoDataFrame, barred: frozenset[str], rule: SiteRule) -> Areas:
    """Venues of classes that take no site, as points to keep away from."""
    rows = facilities[facilities["venue_class"].isin(barred)].sort_index()
    rows = rows[~(rows.geometry.isna() | rows.geometry.is_empty)]
    labels = np.array([f"{rule.zh}“{name}”" for name in _labels(rows)], object)
    return Areas(rows.geometry.to_numpy(), rows.index.to_numpy(object), labels, np.full(len(rows), rule.id, object),
                 np.full(len(rows), rule.distance_m or 0.0), np.zeros(len(rows)))


def sites_near(points: NDArray[np.object_], areas: Areas) -> Near:
    """Pairs of points and areas that the points stand in or nearer to than the limit.

    The areas are prepared, because they are few and each is asked about many points; distances are taken only of
    points that are near and not inside.
    """
    tree = shapely.STRtree(points)
    area, row = tree.query(areas.shapes, predicate="intersects")
    reach = areas.limit_m + areas.half_m
    wide = np.flatnonzero(reach > 0)
    if not len(wide):
        return Near(area, row, np.zeros(len(area)))
    near, there = tree.query(areas.shapes[wide], predicate="dwithin", distance=reach[wide])
    near = wide[near]
    outside = ~np.isin(near * len(points) + there, area * len(points) + row)
    near, there = near[outside], there[outside]
    shapely.prepare(areas.shapes[np.unique(near)])
    distance = shapely.length(shapely.shortest_line(areas.shapes[near], points[there])) - areas.half_m[near]
    close = (distance < areas.limit_m[near] - 1e-6) | (distance <= 0)
    return Near(np.concatenate([area, near[close]]), np.concatenate([row, there[close]]),
                np.concatenate([np.zeros(len(area)), np.maximum(distance[close], 0.0)]))


def area_hits(areas: Areas, near: Near, code: str) -> Hits:
    """Sites that break one rule of areas: the nearest area is named (of equal ones the first by id), others counted."""
    mine = np.flatnonzero(areas.codes[near.area] == code)
    order = mine[np.lexsort((near.area[mine], near.distance_m[mine], near.row[mine]))]
    rows, first, counts = np.unique(near.row[order], return_index=True, return_counts=True)
    worst = order[first]
    reasons = []
    told = zip(areas.labels[near.area[worst]], near.distance_m[worst] > 0, metres(near.distance_m[worst]),
               metres(areas.limit_m[near.area[worst]]), counts, strict=True)
    for label, outside, distance, limit, count in told:
        more = f"(共{count}处)" if count > 1 else ""
        reasons.append(f"距{label}{distance}米,须不小于{limit}米{more}" if outside else f"位于{label}内{more}")
    return Hits(rows, reasons)
