"""Which buildings must or should have infrastructure for indoor coverage, by the rule ``building_indoor``."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.errors import ModelError
from siteplan.gaps.buildings.building_standard import (
    UNDERGROUND,
    DutyEntry,
    KindsOfUse,
    kinds_of_name,
    kinds_of_use,
    kinds_of_venue,
    load_building_standard,
)
from siteplan.schema import layer_schema

RULE = "building_indoor"
DUTIES = ("must", "should", "none", "unknown")
DUTY_ZH = {"must": "应建", "should": "宜建", "none": "不作要求", "unknown": "无法判定"}
GIVEN, ESTIMATED, UNKNOWN = "given", "estimated", "unknown"
_STRENGTH = {"must": 2, "should": 1}
_WORD = ("none", "should", "must")
Floats = NDArray[np.float64]
Texts = NDArray[np.object_]


class _Sizes(NamedTuple):
    """Size of every building: the value told (NaN = unknown), and the least and greatest it can be."""

    value: Floats
    low: Floats
    high: Floats
    source: Texts


class _Facts(NamedTuple):
    """Everything the standard asks of, building by building."""

    floor_area_m2: _Sizes
    storeys: _Sizes
    seats: _Sizes
    parts: NDArray[np.int64]

    def of(self, entry: DutyEntry) -> _Sizes:
        """What an item of the standard measures."""
        return self.floor_area_m2 if entry.measure in ("need", "always") else getattr(self, entry.measure)


def _texts(table: pd.DataFrame, column: str) -> Texts:
    """A column of text as objects, empty where missing."""
    if column not in table:
        return np.full(len(table), "", dtype=object)
    values = table[column].astype("object")
    return values.where(values.notna(), "").to_numpy(dtype=object)


def _numbers(table: pd.DataFrame, column: str) -> Floats:
    """A column of numbers, NaN where missing."""
    if column not in table:
        return np.full(len(table), np.nan)
    return np.asarray(table[column].to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _sized(value: Floats, source: Texts, low: Floats, high: Floats) -> _Sizes:
    known = np.isfinite(value)
    return _Sizes(value, np.where(known, value, low), np.where(known, value, high), source)


def _measure(buildings: gpd.GeoDataFrame) -> _Facts:
    """Floor area, storeys and seats; floor area of what has none is footprint times storeys above ground."""
    most = load_building_standard().limits.most_storeys
    count = len(buildings)
    storeys, source = _numbers(buildings, "storeys"), np.full(count, GIVEN, dtype=object)
    measured = ~np.isin(_texts(buildings, "height_source"), ["default", "storeys"])
    storey_m = pd.Series(_texts(buildings, "use")).map(dict(layer_schema("buildings").defaults["storey_m"]))
    counted = np.maximum(1.0, np.rint(_numbers(buildings, "height_m") / storey_m.fillna(3.0).to_numpy(np.float64)))
    blank = ~np.isfinite(storeys)
    storeys = np.where(blank & measured, counted, storeys)
    source[blank] = np.where(np.isfinite(storeys[blank]), ESTIMATED, UNKNOWN)
    levels = _sized(storeys, source, np.ones(count), np.full(count, most))

    shapes = buildings.geometry.to_numpy()
    drawn = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    footprint = np.where(drawn, shapely.area(shapes), np.nan)
    area = _numbers(buildings, "floor_area_m2")
    given = area > 0
    area = np.where(given, area, footprint * np.maximum(storeys, 1.0))
    told = np.where(given, GIVEN, np.where(np.isfinite(area), ESTIMATED, UNKNOWN)).astype(object)
    floors = _sized(area, told, np.where(drawn, footprint, 0.0), np.where(drawn, footprint * most, np.inf))

    seats = _numbers(buildings, "seats")
    chairs = _sized(seats, np.where(np.isfinite(seats), GIVEN, UNKNOWN).astype(object), np.zeros(count),
                    np.full(count, np.inf))
    return _Facts(floors, levels, chairs, shapely.get_num_geometries(np.where(drawn, shapes, shapely.Point())))


def _kinds_by_facility(buildings: gpd.GeoDataFrame, asked: NDArray[np.int64],
                       facilities: gpd.GeoDataFrame) -> dict[int, KindsOfUse]:
    """What the facilities on a building say, where they agree; positions of the buildings."""
    if buildings.crs != facilities.crs:
        raise ModelError(f"facilities are in {facilities.crs}, buildings in {buildings.crs}")
    sure = _numbers(facilities, "class_confidence")
    told = [None if confidence < load_building_standard().limits.name_confidence else kinds_of_venue(str(venue), "设施点")
            for venue, confidence in zip(_texts(facilities, "venue_class"), sure, strict=True)]
    placed = ~(facilities.geometry.isna() | facilities.geometry.is_empty).to_numpy()
    place = np.flatnonzero(np.array([kinds is not None for kinds in told], dtype=bool) & placed)
    shapes = buildings.geometry.to_numpy()[asked]
    points = facilities.geometry.to_numpy()[place]
    on, at = shapely.STRtree(shapes).query(points, predicate="intersects")
    heard: dict[int, set[KindsOfUse]] = {}
    for facility, building in zip(place[on].tolist(), asked[at].tolist(), strict=True):
        kinds = told[facility]
        if kinds is not None:
            heard.setdefault(building, set()).add(kinds)
    return {building: next(iter(said)) for building, said in heard.items() if len(said) == 1}


def _kinds(buildings: gpd.GeoDataFrame, facilities: gpd.GeoDataFrame | None, seats: Floats) -> list[KindsOfUse]:
    """What every building is: by its use; where that is broad, by its name, else by the facilities on it."""
    kinds = [kinds_of_use(str(use)) for use in _texts(buildings, "use")]
    names = _texts(buildings, "name")
    left = []
    for i, found in enumerate(kinds):
        if found.broad:
            by_name = kinds_of_name(str(names[i]))
            kinds[i] = by_name or found
            if by_name is None:
                left.append(i)
    if left and facilities is not None and len(facilities):
        for i, found in _kinds_by_facility(buildings, np.asarray(left, dtype=np.int64), facilities).items():
            kinds[i] = found
    extra = load_building_standard().broad_without
    for i in np.flatnonzero(np.isfinite(seats)).tolist():
        if kinds[i].broad:
            kinds[i] = kinds[i]._replace(kinds=(*kinds[i].kinds, extra))
    return kinds


def _bounds(kind: str, facts: _Facts, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Least and greatest duty (0 none, 1 should, 2 must) of the rows, were they of one kind."""
    least = np.zeros(len(rows), dtype=np.int64)
    most = least.copy()
    for entry in load_building_standard().entries(kind):
        sizes, strength = facts.of(entry), _STRENGTH[entry.duty]
        may = sizes.high[rows] >= entry.minimum
        sure = sizes.low[rows] >= entry.minimum
        if entry.measure == "need":
            sure = np.zeros(len(rows), dtype=bool)
        least = np.where(sure, np.maximum(least, strength), least)
        most = np.where(may, np.maximum(most, strength), most)
    return least, most


def _doubtful(entries: list[DutyEntry], facts: _Facts, rows: NDArray[np.int64]) -> Texts:
    """What makes an estimated size doubtful near a limit, as a Chinese clause; empty where nothing does."""
    share = load_building_standard().limits.doubt_share
    out = np.full(len(rows), "", dtype=object)
    for entry in entries:
        if entry.measure in ("need", "always"):
            continue
        sizes = facts.of(entry)
        near = (sizes.source[rows] == ESTIMATED) & (np.abs(sizes.value[rows] - entry.minimum) <= share * entry.minimum)
        what, unit = ("建筑面积", "平方米") if entry.measure == "floor_area_m2" else ("层数", "层")
        out[near] = f";估算{what}与限值{entry.minimum:.0f}{unit}相差不超过{share:.0%},结论存疑,请核实{what}"
    return out


def _size_words(entries: list[DutyEntry], facts: _Facts, rows: NDArray[np.int64]) -> list[list[str]]:
    """The numbers that the items of the standard ask of, in words, row by row."""
    asked = {"floor_area_m2" if entry.measure in ("need", "always") else entry.measure for entry in entries}
    told: list[list[str]] = [[] for _ in rows]
    words = {"floor_area_m2": ("建筑面积{:.0f}平方米", "建筑面积约{:.0f}平方米(占地面积×地上层数估算)", "建筑面积不明"),
             "storeys": ("{:g}层", "约{:g}层(按高度估算)", "层数不明"),
             "seats": ("座席{:.0f}个", "座席约{:.0f}个", "座席数未填")}
    for measure, (given, estimated, unknown) in words.items():
        if measure not in asked:
            continue
        sizes: _Sizes = getattr(facts, measure)
        for at, row in enumerate(rows.tolist()):
            text = {GIVEN: given, ESTIMATED: estimated}.get(sizes.source[row], unknown)
            told[at].append(text.format(sizes.value[row]))
    return told


def _limit_words(entries: list[DutyEntry]) -> str:
    """The limits of several items, each named once: ``10000平方米、7层``."""
    unit = {"floor_area_m2": "平方米", "need": "平方米", "seats": "座", "storeys": "层", "always": ""}
    return "、".join(dict.fromkeys(f"{entry.minimum:.0f}{unit[entry.measure]}" for entry in entries
                                  if entry.measure != "always"))


def _verdict_words(kinds: KindsOfUse, entries: list[DutyEntry], least: int, most: int) -> str:
    """What follows from the sizes of a building."""
    standard = load_building_standard()
    if least == most == 0:
        return f"未达到配建限值({_limit_words(entries)})" if entries else "标准未列该类建筑"
    if least == most:
        mine = [entry for entry in entries if _STRENGTH[entry.duty] == most]
        limits = _limit_words(mine)
        return f"{'达到' + limits + ',' if limits else ''}{'应' if most == 2 else '宜按需求'}配建"
    if len(kinds.kinds) > 1:
        likely = "、".join(standard.kinds[kind] for kind in kinds.kinds)
        return f"可能属{likely},限值不同({_limit_words(entries)}),无法判定"
    if any(entry.measure == "need" for entry in entries):
        return "有信息化需求时宜配建,需求情况未填,无法判定"
    return f"缺少判定所需数据(限值{_limit_words(entries)}),无法判定"


def _arguable(kinds: KindsOfUse, facts: _Facts, rows: NDArray[np.int64]) -> Texts:
    """Items that may be read to hold as well, as a Chinese clause."""
    out = np.full(len(rows), "", dtype=object)
    standard = load_building_standard()
    for entry in standard.duties:
        if len(kinds.kinds) == 1 and kinds.kinds[0] in entry.arguable:
            over = facts.of(entry).low[rows] >= entry.minimum
            out[over] = f";若视作其他民用建筑则达到{entry.minimum:.0f}平方米应配建({entry.clause}),以当地口径为准"
    return out


def _judge(kinds: KindsOfUse, facts: _Facts, rows: NDArray[np.int64]) -> dict[str, Texts]:
    """Duty, clause and reason of the rows, which are all of these kinds."""
    standard = load_building_standard()
    bounds = [_bounds(kind, facts, rows) for kind in kinds.kinds] or [(np.zeros(len(rows), int),) * 2]
    least = np.min([low for low, _ in bounds], axis=0)
    most = np.max([high for _, high in bounds], axis=0)
    asked = [*kinds.kinds, *([UNDERGROUND] if kinds.underground else [])]
    if kinds.underground:
        low, high = _bounds(UNDERGROUND, facts, rows)
        least, most = np.maximum(least, low), np.maximum(most, high)
    entries = [entry for entry in standard.duties if set(entry.kinds) & set(asked)]
    clause, verdict = np.full(len(rows), "", dtype=object), np.full(len(rows), "", dtype=object)
    for low, high in sorted(set(zip(least.tolist(), most.tolist(), strict=True))):
        at = (least == low) & (most == high)
        named = [entry.clause for entry in entries if low < _STRENGTH[entry.duty] <= high
                 or low == high == _STRENGTH[entry.duty]]
        clause[at] = f"{standard.standard} {'、'.join(named)}" if named else ""
        verdict[at] = _verdict_words(kinds, entries, low, high)
    doubt, argued = _doubtful(entries, facts, rows), _arguable(kinds, facts, rows)
    several = (facts.parts[rows] > 1) & (facts.floor_area_m2.source[rows] == GIVEN)
    blocks = np.where(several, ";图形含多个部分,标准按单体建筑面积计,请逐栋核对", "")
    sizes = _size_words(entries, facts, rows)
    reason = [f"{','.join([kinds.zh, *size, words])}{more}{argue}{block}" for size, words, more, argue, block
              in zip(sizes, verdict, doubt, argued, blocks, strict=True)]
    words = np.array(_WORD, dtype=object)
    return {"duty": np.where(least == most, words[most], "unknown"), "duty_at_most": words[most], "clause": clause,
            "reason": np.array(reason, dtype=object), "doubtful": (doubt != "") | several}


def building_duty(buildings: gpd.GeoDataFrame, *, facilities: gpd.GeoDataFrame | None = None) -> pd.DataFrame:
    """Whether each building must or should have infrastructure for indoor coverage (GB 51456-2023).

    Parameters
    ----------
    buildings : GeoDataFrame
        The buildings or the planned buildings: polygons in a projected CRS, ``use`` (normalised or free text), and
        what there is of ``name``, ``floor_area_m2``, ``storeys``, ``seats``, ``height_m`` with ``height_source``.
    facilities : GeoDataFrame, optional
        Points with ``venue_class`` in the same CRS. Those on a building tell what it is, where neither its use nor its
        name does and they agree.

    Returns
    -------
    DataFrame
        On the index of the buildings:

        * ``rule`` (``building_indoor``), ``duty``: must | should | none | unknown; ``duty_at_most``: the strongest duty
          that the data leave open (must | should | none), the duty itself where it is known;
        * ``clause``: of that duty, empty for none; ``reason``: a Chinese sentence with the numbers;
        * ``doubtful``: an estimate lies within 20 % of a limit (editable default), or the floor area given may be that
          of several buildings;
        * ``kinds``: what the building may be, joined by ``|``;
        * ``floor_area_m2`` (NaN = unknown) and ``floor_area_source``: given | estimated (footprint times storeys above
          ground) | unknown; ``storeys`` and ``storeys_source`` (estimated from a measured height) in the same way.

    Raises
    ------
    ModelError
        The facilities are in another CRS.

    Notes
    -----
    A building may be of several kinds (``public`` holds schools and town halls). It has a duty where every kind it may
    be of, and every size it may have, give the same one; else the duty is unknown. Public buildings of no known kind
    are not tried as stadiums unless seats are given. The standard is written for new buildings: for older ones the duty
    is a yardstick of planning.

    Source: GB 51456-2023, 3.0.3 and 3.0.4 (``tables/building_duty.toml``).

    Examples
    --------
    >>> towers = gpd.GeoDataFrame({"use": ["office", "public"], "storeys": [20.0, 15.0]},
    ...                           geometry=[shapely.box(0, 0, 30, 30)] * 2, crs="EPSG:4547")
    >>> building_duty(towers)[["duty", "duty_at_most", "floor_area_m2"]].values.tolist()
    [['must', 'must', 18000.0], ['unknown', 'must', 13500.0]]
    """
    facts = _measure(buildings)
    groups: dict[KindsOfUse, list[int]] = {}
    for row, kinds in enumerate(_kinds(buildings, facilities, facts.seats.value)):
        groups.setdefault(kinds, []).append(row)
    columns: dict[str, Texts] = {name: np.full(len(buildings), "", dtype=object)
                                 for name in ("duty", "duty_at_most", "clause", "reason", "kinds")}
    columns["doubtful"] = np.zeros(len(buildings), dtype=object)
    for kinds, positions in groups.items():
        rows = np.asarray(positions, dtype=np.int64)
        for name, values in _judge(kinds, facts, rows).items():
            columns[name][rows] = values
        columns["kinds"][rows] = "|".join([*kinds.kinds, *([UNDERGROUND] if kinds.underground else [])])
    text = {name: pd.Series(columns[name], index=buildings.index, dtype="str")
            for name in ("duty", "duty_at_most", "clause", "reason", "kinds")}
    return pd.DataFrame({
        "rule": pd.Series(RULE, index=buildings.index, dtype="str"), **text,
        "doubtful": pd.Series(columns["doubtful"].astype(bool), index=buildings.index),
        "floor_area_m2": facts.floor_area_m2.value,
        "floor_area_source": pd.Series(facts.floor_area_m2.source, index=buildings.index, dtype="str"),
        "storeys": facts.storeys.value,
        "storeys_source": pd.Series(facts.storeys.source, index=buildings.index, dtype="str"),
    }, index=buildings.index)
