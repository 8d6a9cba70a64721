"""Layers for orientation on the page, restricted areas, planned works and poles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd

from siteplan.maps._pack import pack_points
from siteplan.maps._shapes import Json, located, plain_shapes, shape_items, told_column
from siteplan.maps._texts import as_day, as_number, as_text
from siteplan.maps._words import CHINESE, Say

MAIN_ROADS = frozenset({"motorway", "trunk", "primary", "secondary", "高速公路", "国道", "省道", "快速路", "主干路", "次干路",
                        "主干道", "次干道"})
PLANNED_BUILDING = "planned_building"
"""Look of a planned building among the works."""
LOOKS = {"refuse": "exclude"}
EFFECTS = {"refuse": "不可设站", "flag": "仅提示", "off": "规则停用"}


def context_layers(context: Mapping[str, gpd.GeoDataFrame], pixel_m: float) -> Json:
    """Towns, roads, rail and water for orientation; those that the plan does not carry are left out."""
    out: Json = {}
    for name in ("water", "towns", "counties", "roads", "rail"):
        frame = context.get(name)
        if frame is None or not len(frame):
            continue
        if name == "roads" and "road_class" in frame:
            main = frame["road_class"].astype("object").map(lambda value: as_text(value).lower() in MAIN_ROADS)
            if main.any():
                out["main_roads"] = plain_shapes(frame[main.astype(bool)], pixel_m / 2)
                frame = frame[~main.astype(bool)]
        if name == "towns":
            out[name] = shape_items(frame, pixel_m, lambda row, key: {"title": as_text(row.get("name")) or key},
                                    labelled=True)
        elif len(frame):
            out[name] = plain_shapes(frame, pixel_m / 2)
    return out


def restricted_layer(restricted: gpd.GeoDataFrame | None, tolerance_m: float, own_rules: Mapping[str, Any],
                     say: Say = CHINESE) -> Json:
    """Areas where no site may stand, or only on conditions; empty where there are none.

    Parameters
    ----------
    restricted : GeoDataFrame or None
    tolerance_m : float
    own_rules : mapping
        ``[candidates.rules]`` of the study.
    say : Say

    Returns
    -------
    dict
        ``fields, items``; ``look`` is ``exclude`` where the rule of the area refuses sites, ``avoid`` where it is told.
    """
    if restricted is None or restricted.empty:
        return {}
    from siteplan.candidates.rules.restricted import rule_of_area
    from siteplan.candidates.rules.rule_table import site_rules

    rules = site_rules(own_rules)

    def item(row: Mapping[str, Any], key: str) -> Json:
        kind, name = as_text(row.get("kind")), as_text(row.get("name"))
        rule = rules[rule_of_area(kind, name, rules)]
        return {"title": name or kind or say("限制区 {key}", key=key), "look": LOOKS.get(rule.effect, "avoid"),
                "values": [kind, rule.zh, say.word(EFFECTS.get(rule.effect, "")),
                           as_number(row.get("distance_m"), "m"), key]}

    return {"fields": say.words("限制类型", "适用规则", "处理", "控制距离", "编号"),
            "items": shape_items(restricted, tolerance_m / 2, item, labelled=False)}


def works_layer(context: Mapping[str, gpd.GeoDataFrame], tolerance_m: float, say: Say = CHINESE) -> Json:
    """Planned works on roads and planned buildings; empty where there are none.

    Returns
    -------
    dict
        ``fields, items``; ``look`` is the kind of the work, ``planned_building`` of a building.
    """
    works, buildings = context.get("works"), context.get("planned_buildings")
    items: list[Json] = []

    def work(row: Mapping[str, Any], key: str) -> Json:
        kind = as_text(row.get("kind"))
        return {"title": as_text(row.get("name")) or say("工程 {key}", key=key), "look": kind,
                "values": [kind or say("道路工程"), as_day(row.get("start_date")), as_day(row.get("end_date")), "", key]}

    def building(row: Mapping[str, Any], key: str) -> Json:
        use = as_text(row.get("use"))
        return {"title": as_text(row.get("name")) or say("规划建筑 {key}", key=key), "look": PLANNED_BUILDING,
                "values": [say("规划建筑") + (f" · {use}" if use else ""), "", as_day(row.get("completed_on")),
                           as_text(row.get("filing")), key]}

    if works is not None and len(works):
        items += shape_items(works, tolerance_m / 2, work, labelled=False)
    if buildings is not None and len(buildings):
        items += shape_items(buildings, tolerance_m / 2, building, labelled=False)
    return {"fields": say.words("类型", "开工日期", "完工日期", "通信设施验收备案", "编号"), "items": items} if items else {}


def pole_layer(poles: gpd.GeoDataFrame | None, say: Say = CHINESE) -> Json:
    """Poles in the compact form of many points; empty where the plan carries none."""
    if poles is None or poles.empty:
        return {}
    kept, lats, lons = located(poles)
    keys = [str(key) for key in kept.index]
    heights = told_column(kept, "height_m", lambda value: as_number(value, "m", 1))
    return pack_points((lats, lons), [0] * len(keys), keys, {
        say("高度"): heights, say("权属单位"): told_column(kept, "owner"), say("编号"): keys})
