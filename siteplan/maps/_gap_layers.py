"""What is not covered, on the page: gap areas, stretches of lines, complaints and hot spots, buildings with a duty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd

from siteplan.gaps.buildings.building_duty import RULE as INDOOR_RULE
from siteplan.gaps.holes.causes import CAUSE_ZH, CAUSES
from siteplan.gaps.holes.gap_areas import GAP_TYPE_ZH, UNEXPLAINED_ZH
from siteplan.gaps.judging.rules import LINE_LAYER_ZH
from siteplan.gaps.people.complaint_findings import FINDING_ZH
from siteplan.maps._shapes import Json, point_rows, shape_items
from siteplan.maps._texts import (
    DEMAND_UNITS,
    as_chance,
    as_count,
    as_day,
    as_number,
    as_text,
    as_word,
    is_missing,
    plan_results,
)
from siteplan.maps._words import CHINESE, Say

if TYPE_CHECKING:
    from siteplan.plan import Plan

LABELLED_GAPS = 20
"""So many populated gap areas carry their rank on the map."""
MOST_COMPLAINTS, MOST_BUILDINGS = 2000, 500
"""Greatest number of points of a layer; the page says how many there are."""
BUILT_ZH = {"no": "未建室内系统", "unknown": "有无室内系统未知", "yes": "已建室内系统"}


def gap_layer(gaps: gpd.GeoDataFrame, tolerance_m: float, say: Say = CHINESE) -> Json:
    """Gap areas: reason and kind for the look, and everything the tooltip says.

    Returns
    -------
    dict
        ``fields, items``; an item has ``title, look`` (reason code, "" where none was found), ``faint`` for land where
        few people are, ``no`` (rank, of the first populated ones), ``values, shape, at``.
    """
    fields = say.words("类型", "面积", "需求", "投诉", "未覆盖点位", "原因", "最近站址", "最近应开放场所", "涉及行政村", "涉及重点区域",
                       "镇街", "编号")

    def item(row: Mapping[str, Any], key: str) -> Json:
        code, kind, rank = as_text(row.get("reason_code")), as_text(row.get("gap_type")), row.get("rank_no")
        number = 0 if is_missing(rank) else int(float(str(rank)))
        labelled = {"no": number} if 0 < number <= LABELLED_GAPS and kind in ("", "populated") else {}
        name = say.word("室内空洞" if kind == "indoor" else "覆盖空洞")
        return {
            "title": f"{name} #{number}" if number else f"{name} {key}", "look": code if code in CAUSES else "",
            **({"faint": 1} if kind == "land" else {}), **labelled,
            "values": [
                as_word(kind, GAP_TYPE_ZH, say), as_number(_scaled(row.get("area_m2"), 1e-4), say("公顷"), 2),
                as_number(row.get("demand"), say.word(DEMAND_UNITS.get(as_text(row.get("demand_kind")), ""))),
                as_count(row.get("complaints"), say("件")), as_count(row.get("key_points"), say("处")),
                as_text(row.get("reason")),
                _near(row.get("nearest_site"), row.get("distance_m")),
                _near(row.get("venue_name"), row.get("venue_distance_m")) or
                _near(row.get("nearest_venue"), row.get("venue_distance_m")),
                as_text(row.get("villages")), as_text(row.get("zones")),
                " ".join(filter(None, (as_text(row.get("county")), as_text(row.get("town"))))), key,
            ],
        }

    return {"fields": fields, "items": shape_items(gaps, tolerance_m, item, labelled=True)}


def reason_words(say: Say = CHINESE) -> dict[str, str]:
    """Reasons of gap areas in the order of the legend; the empty one is of gaps whose reason was not looked for."""
    return {**{code: say.word(CAUSE_ZH[code]) for code in CAUSES}, "": say.word(UNEXPLAINED_ZH)}


def result_layers(plan: Plan, tolerance_m: float, say: Say = CHINESE) -> Json:
    """Layers from the further tables of a plan; those that the plan does not have are left out.

    Parameters
    ----------
    plan : Plan
    tolerance_m : float
        How far a simplified outline may lie from the true one, m.

    Returns
    -------
    dict
        ``indoor_gaps, stretches, complaints, hot_spots, indoor_buildings``, each as far as the plan has it, and
        ``reasons``: ``[code, words]`` of gap areas.
    """
    makers: dict[str, Callable[[gpd.GeoDataFrame, float, Say], Json]] = {
        "indoor_gaps": gap_layer, "stretches": stretch_layer, "hot_spots": hot_spot_layer,
        "complaints": lambda table, _, say: complaint_layer(table, say),
        "indoor_buildings": lambda table, _, say: building_layer(table, say)}
    out: Json = {"reasons": [list(pair) for pair in reason_words(say).items()]}
    for name, make in makers.items():
        table = plan_results(plan).get(name)
        if isinstance(table, gpd.GeoDataFrame) and len(table):
            out[name] = make(table, tolerance_m, say)
    return out


def stretch_layer(stretches: gpd.GeoDataFrame, tolerance_m: float, say: Say = CHINESE) -> Json:
    """Stretches of roads, rail and rivers that stay uncovered."""

    def item(row: Mapping[str, Any], key: str) -> Json:
        layer, kind = as_text(row.get("layer")), as_word(row.get("layer"), LINE_LAYER_ZH, say)
        section = as_text(row.get("section_id")).removeprefix(f"{layer}:")  # the title says which layer
        return {"title": f"{kind} {as_text(row.get('name'))}".strip(),
                "values": [as_number(row.get("length_m"), "m"), section, key]}

    return {"fields": say.words("未覆盖长度", "路段", "编号"),
            "total": as_number(_scaled(stretches["length_m"].sum(), 1e-3), "km", 1),
            "items": shape_items(stretches, tolerance_m / 2, item, labelled=False)}


def complaint_layer(complaints: gpd.GeoDataFrame, say: Say = CHINESE) -> Json:
    """Complaints that count, by what was found of them. Their own words are left out: they may name people.

    Returns
    -------
    dict
        ``fields``; ``findings``: ``[code, words, number]`` of those that there are, in order; ``items``: ``at, look,
        title, values``; ``total`` of those that count, of which at most `MOST_COMPLAINTS` have an item, the latest
        first.
    """
    counted = complaints[complaints["counted"].fillna(False).astype(bool)] if "counted" in complaints else complaints
    numbers = counted["finding"].value_counts()
    shown = counted.sort_values("date", ascending=False, kind="stable", na_position="last").head(MOST_COMPLAINTS)
    items = []
    for at, key, row in point_rows(shown):
        title = " ".join(filter(None, (as_day(row.get("date")), as_text(row.get("source"))))) or key
        items.append({"at": at, "look": as_text(row.get("finding")), "title": title, "values": [
            say.word(as_text(row.get("finding_zh"))), as_text(row.get("operator")), as_text(row.get("reason")),
            as_text(row.get("status")), key]})
    return {"fields": say.words("结论(现状)", "运营商", "说明", "办理状态", "编号"), "items": items, "total": len(counted),
            "findings": [[code, say.word(words), int(numbers[code])] for code, words in FINDING_ZH.items()
                         if code in numbers]}


def hot_spot_layer(hot_spots: gpd.GeoDataFrame, tolerance_m: float, say: Say = CHINESE) -> Json:
    """Outlines of places with many complaints at a time."""
    fields = say.words("投诉", "时间", "来源", "运营商", "结论(现状)", "位于空洞的占比", "行政村", "重点区域", "编号")

    def item(row: Mapping[str, Any], key: str) -> Json:
        days = [as_day(row.get(name)) for name in ("first_date", "last_date")]
        number = as_number(row.get("rank_no"))
        return {"title": say("投诉热点 #{number}", number=number), "no": number, "values": [
            as_count(row.get("count"), say("件")), say(" 至 ").join(day for day in dict.fromkeys(days) if day),
            as_text(row.get("sources")), as_text(row.get("operators")), say.word(as_text(row.get("finding_zh"))),
            "" if is_missing(row.get("in_gap_share")) else f"{100 * float(str(row['in_gap_share'])):.0f}%",
            as_text(row.get("village")), as_text(row.get("zone")), key]}

    return {"fields": fields, "items": shape_items(hot_spots, tolerance_m, item, labelled=True)}


def building_layer(buildings: gpd.GeoDataFrame, say: Say = CHINESE) -> Json:
    """Buildings that must have an indoor system, are not known to have one, and are not reached from outdoors.

    Returns
    -------
    dict
        ``fields``; ``states``: ``[code, words, number]`` by whether an indoor system is there; ``items``: ``at, look,
        title, values``; ``total`` of those that there are, of which at most `MOST_BUILDINGS` have an item, the first
        of the list first; ``rule``.
    """
    lacking = buildings[(buildings["duty"] == "must") & (buildings["reach"] == "not_reached")]
    lacking = lacking[~lacking["has_indoor"].astype("boolean").fillna(False).astype(bool)]
    if "rank_no" in lacking:
        lacking = lacking.sort_values("rank_no", kind="stable")
    states = pd.Series([_built(value) for value in lacking["has_indoor"]], index=lacking.index, dtype="object")
    items = []
    for at, key, row in point_rows(lacking.assign(built=states).head(MOST_BUILDINGS)):
        title = as_text(row.get("name")) or say("建筑 {key}", key=key)
        items.append({"at": at, "look": row["built"], "title": title, "values": [
            as_word(row["built"], BUILT_ZH, say), as_text(row.get("reason")), as_text(row.get("clause")),
            as_chance(row.get("indoor_probability")), say.word(as_text(row.get("need"))), key]})
    return {"fields": say.words("室内系统", "建设要求", "依据", "室内覆盖概率(规划后)", "结论", "编号"), "items": items,
            "total": len(lacking), "rule": INDOOR_RULE,
            "states": [[code, say.word(words), int((states == code).sum())] for code, words in BUILT_ZH.items()
                       if (states == code).any()]}


def _built(value: Any) -> str:
    """Whether an indoor system is there: yes, no, unknown."""
    return "unknown" if is_missing(value) else "yes" if bool(value) else "no"


def _near(name: Any, distance_m: Any) -> str:
    """A place and how far it is: ``XK016,626 m``."""
    return ",".join(filter(None, (as_text(name), as_number(distance_m, "m")))) if as_text(name) else ""


def _scaled(value: Any, factor: float) -> Any:
    return value if is_missing(value) else float(value) * factor
