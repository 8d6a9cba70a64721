"""Vector layers of the page: tables of a plan as plain lists and dictionaries, ready for JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.maps._texts import (
    BUILDS,
    DEMAND_UNITS,
    KINDS,
    MOUNTS,
    SOURCES,
    VERDICTS,
    RuleWords,
    as_change,
    as_number,
    as_share,
    as_text,
    is_missing,
    rule_name,
    rule_words,
)

if TYPE_CHECKING:
    from siteplan.plan import Plan

Json = dict[str, Any]
VERTEX_BUDGET = 60_000
"""Greatest number of vertices of one layer; layers with more are simplified further."""
EXPOSURE_FIELD, ABOVE_LIMIT_MARK = "电磁环境筛查(估算)", "⚠ 辐射"
MAIN_ROADS = frozenset({"motorway", "trunk", "primary", "secondary", "高速公路", "国道", "省道", "快速路", "主干路", "次干路",
                        "主干道", "次干道"})


def collect_layers(plan: Plan) -> Json:
    """Every vector layer of the page.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    dict
        Layer name -> its content; see the functions of this module. Coordinates are degrees, (lon, lat) in
        geometries as GeoJSON asks, (lat, lon) in point rows as Leaflet asks.
    """
    pixel = abs(float(plan.surface.geobox.affine.a))
    tiers = tier_names(plan.sites)
    return {
        "boundary": _shapes(plan.boundary, pixel / 2),
        "villages": area_layer(plan.villages, pixel / 2, is_zone=False),
        "zones": area_layer(plan.zones, pixel / 2, is_zone=True),
        "gaps_before": gap_layer(plan.gaps_before, pixel),
        "gaps_after": gap_layer(plan.gaps_after, pixel),
        "existing": existing_layer(plan.sites, plan.context.get("stations")),
        "proposed": proposed_layer(plan.proposed, tiers, plan.demand_kind, exposure_words(plan)),
        "candidates": point_layer(plan.sites[plan.sites["status"] == "candidate"], tiers),
        "refused": point_layer(plan.sites[plan.sites["status"] == "refused"], tiers),
        "tiers": [{"tier": tier, "name": name} for tier, name in tiers.items()],
        "context": context_layers(plan.context, pixel),
    }


def tier_names(sites: gpd.GeoDataFrame) -> dict[int, str]:
    """Tier number -> name, of every tier among the sites that are not existing; best first."""
    named = sites.loc[sites["status"] != "existing", ["tier", "tier_name"]].dropna(subset=["tier"]).drop_duplicates()
    out: dict[int, str] = {}
    for tier, name in sorted({(int(t), as_text(n)) for t, n in zip(named["tier"], named["tier_name"], strict=True)}):
        out[tier] = out.get(tier) or name or f"第 {tier} 梯队"
    return out


def area_layer(areas: gpd.GeoDataFrame, tolerance_m: float, *, is_zone: bool) -> Json:
    """Villages or key zones: shape, verdict before and after, label place and the lines of the tooltip."""
    first = "区域类型" if is_zone else "所属镇街"
    fields = [first, "评判规则", "评判结果", "面积覆盖率", "需求覆盖率", "差额(现状)", "差额(规划后)",
              "说明(现状)", "说明(规划后)"]
    rules = rule_words()

    def item(row: Mapping[str, Any], key: str) -> Json:
        before, after = (as_text(row.get(f"verdict_{state}")) or "not_assessable" for state in ("before", "after"))
        place = as_text(row.get("zone_type")) if is_zone else (
            " ".join(filter(None, (as_text(row.get("county")), as_text(row.get("town"))))))
        name = as_text(row.get("name"))
        return {  # an area named by its number alone says what it is
            "title": name if name and name != key else f"{place} {key}".strip(), "before": before, "after": after,
            "values": [
                place, rule_name(row.get("rule"), rules),
                as_change(VERDICTS.get(before, before), VERDICTS.get(after, after)),
                _shares(row, "area_share"), _shares(row, "demand_share"),
                _shortfall(row, "before", rules), _shortfall(row, "after", rules),
                as_text(row.get("reason_before")), as_text(row.get("reason_after")),
            ],
        }

    return {"fields": fields, "items": _items(areas, tolerance_m, item, labelled=True)}


def gap_layer(gaps: gpd.GeoDataFrame, tolerance_m: float) -> Json:
    """Gap polygons with rank, size, demand, reason and the way to the nearest site."""
    fields = ["面积", "需求", "涉及行政村", "涉及重点区域", "最近站址", "距离", "原因"]

    def item(row: Mapping[str, Any], key: str) -> Json:
        unit = DEMAND_UNITS.get(as_text(row.get("demand_kind")), "")
        rank = row.get("rank_no")
        return {
            "title": f"覆盖空洞 {key if is_missing(rank) else '#' + str(int(float(str(rank))))}",
            "values": [
                as_number(_scaled(row.get("area_m2"), 1e-4), "公顷", 2), as_number(row.get("demand"), unit),
                as_text(row.get("villages")), as_text(row.get("zones")), as_text(row.get("nearest_site")),
                as_number(row.get("distance_m"), "m"), as_text(row.get("reason")),
            ],
        }

    return {"fields": fields, "items": _items(gaps, tolerance_m, item, labelled=False)}


def exposure_words(plan: Plan) -> dict[str, tuple[str, str]]:
    """State and sentence of the exposure screening by proposed site; empty where none was made."""
    from siteplan.coverage._exposure import site_exposure

    exposure = getattr(plan, "exposure", None)
    if exposure is None:
        return {}
    table = site_exposure(exposure)
    return {str(site_id): (str(state), str(flag))
            for site_id, state, flag in zip(table.index, table["state"], table["flag"], strict=True)}


def proposed_layer(proposed: gpd.GeoDataFrame, tiers: Mapping[int, str], demand_kind: str,
                   exposure: Mapping[str, tuple[str, str]]) -> Json:
    """Proposed sites in order of choice, with everything the meeting asks about a site.

    ``exposure``: state and sentence of the screening by site id. A site over the limit has ``mark`` (for the list) and
    ``first``: the number of the field that its card begins with.
    """
    unit = DEMAND_UNITS.get(demand_kind, "")
    fields = ["站型", "优先级", "来源", "建设方式", "安装方式", "天线挂高", "服务网络", "权属单位", "主管部门", "开放要求",
              "所属镇街", "控规单元", "地块", "估算造价", "新增覆盖", "入选理由", EXPOSURE_FIELD, "站址编号"]
    items: list[Json] = []
    for (lat, lon), key, row in _points(proposed):
        tier = _tier(row.get("tier"), tiers)
        duty = [word for name, word in (("must_open", "应开放"), ("must_be_free", "应免费")) if _is_true(row.get(name))]
        gain = as_number(row.get("gain_demand", row.get("gain")), unit)
        share = row.get("gain_share")
        exposed, said = exposure.get(key, ("", ""))
        warning = {"mark": ABOVE_LIMIT_MARK, "first": fields.index(EXPOSURE_FIELD)} if exposed == "above_limit" else {}
        items.append({
            "at": [lat, lon], "title": as_text(row.get("name")) or key, "no": int(float(str(row["rank_no"]))),
            "tier": tier, "kind": as_text(row.get("kind")), "gain": gain, **warning,
            "values": [
                as_text(row.get("kind"), KINDS), tiers.get(tier, ""), as_text(row.get("source"), SOURCES),
                as_text(row.get("build"), BUILDS), as_text(row.get("mount"), MOUNTS),
                as_number(row.get("antenna_height_m"), "m", 1),
                "全部" if as_text(row.get("networks")) == "*" else as_text(row.get("networks")).replace("|", "、"),
                as_text(row.get("owner")), as_text(row.get("department")), "、".join(duty),
                as_text(row.get("town")), as_text(row.get("unit_code")), as_text(row.get("parcel_code")),
                as_number(row.get("cost_yuan"), "元"),
                gain + (f"(占空洞加权需求 {float(str(share)):.1%})" if gain and not is_missing(share) else ""),
                as_text(row.get("reason")), said, key,
            ],
        })
    return {"fields": fields, "items": items}


def point_layer(sites: gpd.GeoDataFrame, tiers: Mapping[int, str]) -> Json:
    """Many sites in a compact form: one row per site, repeated words kept once.

    Returns
    -------
    dict
        ``fields``: labels; ``words``: list of texts; ``rows``: ``[lat, lon, tier, title, word, word, ...]``
        where title and the others are positions in ``words``.
    """
    fields = ["站型", "优先级", "来源", "天线挂高", "权属单位", "主管部门", "说明", "站址编号"]
    kept, lats, lons = _located(sites)
    keys = [str(key) for key in kept.index]
    titles = [name or key for name, key in zip(_column(kept, "name"), keys, strict=True)]
    ranks = [_tier(tier, tiers) for tier in kept["tier"].tolist()]
    columns = (titles, _column(kept, "kind", partial(as_text, words=KINDS)), [tiers.get(rank, "") for rank in ranks],
               _column(kept, "source", partial(as_text, words=SOURCES)),
               _column(kept, "antenna_height_m", partial(as_number, unit="m", digits=1)),
               *(_column(kept, name) for name in ("owner", "department", "reason")), keys)
    places: dict[str, int] = {}
    rows: list[list[float | int]] = []
    for lat, lon, rank, *texts in zip(lats, lons, ranks, *columns, strict=True):
        rows.append([lat, lon, rank, *[places.setdefault(text, len(places)) for text in texts]])
    return {"fields": fields, "words": list(places), "rows": rows}


def existing_layer(sites: gpd.GeoDataFrame, stations: gpd.GeoDataFrame | None) -> Json:
    """Existing sites, and a short tick for every different sector direction at a place."""
    out = point_layer(sites[sites["status"] == "existing"], {})
    ticks: set[tuple[float, float, float]] = set()
    if stations is not None and len(stations) and "azimuth_deg" in stations:
        for (lat, lon), _, row in _points(stations):
            azimuth = row.get("azimuth_deg")
            if not is_missing(azimuth):
                ticks.add((lat, lon, round(float(str(azimuth)) % 360.0)))
    return {**out, "ticks": [list(tick) for tick in sorted(ticks)]}


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
                out["main_roads"] = _shapes(frame[main.astype(bool)], pixel_m / 2)
                frame = frame[~main.astype(bool)]
        if name == "towns":
            out[name] = _items(frame, pixel_m, lambda row, key: {"title": as_text(row.get("name")) or key},
                               labelled=True)
        elif len(frame):
            out[name] = _shapes(frame, pixel_m / 2)
    return out


def _items(frame: gpd.GeoDataFrame, tolerance_m: float, make: Callable[[Mapping[str, Any], str], Json], *,
           labelled: bool) -> list[Json]:
    """One entry per row with a shape: what ``make`` says, the shape, and a place inside for a label."""
    kept, shapes = _light_shapes(frame, tolerance_m)
    inside = shapely.point_on_surface(np.asarray(shapes.array)) if labelled else [None] * len(shapes)
    out = []
    for key, row, shape, point in zip(kept.index, _rows(kept), shapes, inside, strict=True):
        entry = {**make(row, str(key)), "shape": _geojson(shape)}
        if point is not None:
            entry["at"] = [round(float(point.y), 5), round(float(point.x), 5)]
        out.append(entry)
    return out


def _shapes(frame: gpd.GeoDataFrame, tolerance_m: float) -> list[Json]:
    """The shapes alone, as GeoJSON geometries."""
    return [_geojson(shape) for shape in _light_shapes(frame, tolerance_m)[1]]


def _light_shapes(frame: gpd.GeoDataFrame, tolerance_m: float) -> tuple[gpd.GeoDataFrame, gpd.GeoSeries]:
    """Rows with a shape, and their shapes in degrees, simplified until they fit the vertex budget."""
    kept = _placed(frame)
    shapes = kept.geometry.simplify(tolerance_m)
    for _ in range(10):
        if int(shapely.get_num_coordinates(np.asarray(shapes.array)).sum()) <= VERTEX_BUDGET:
            break
        tolerance_m *= 2.0
        shapes = kept.geometry.simplify(tolerance_m)
    return kept, shapes.to_crs("EPSG:4326") if len(shapes) else shapes


def _placed(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Rows that have a geometry which is not empty."""
    shapes = np.asarray(frame.geometry.array)
    return frame[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]


def _geojson(shape: Any) -> Json:
    """A GeoJSON geometry with five decimals (1 m)."""
    rounded = shapely.transform(shapely.force_2d(shape), lambda xy: np.round(xy, 5))
    out: Json = shapely.geometry.mapping(rounded)
    return out


def _points(frame: gpd.GeoDataFrame) -> Iterable[tuple[tuple[float, float], str, Mapping[str, Any]]]:
    """``((lat, lon), key, row)`` of every row with a place, lines and areas by a point inside."""
    kept, lats, lons = _located(frame)
    for lat, lon, key, row in zip(lats, lons, kept.index, _rows(kept), strict=True):
        yield (lat, lon), str(key), row


def _located(frame: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, list[float], list[float]]:
    """Rows with a place, their latitudes and longitudes in degrees."""
    kept = _placed(frame)
    if not len(kept):
        return kept, [], []
    points = kept.geometry.representative_point().to_crs("EPSG:4326")
    return kept, *(np.round(part.to_numpy(), 6).tolist() for part in (points.y, points.x))


def _column(frame: gpd.GeoDataFrame, name: str, tell: Callable[[Any], str] = as_text) -> list[str]:
    """A column in words, each different value told once; empty texts where the table does not have it."""
    if name not in frame:
        return [""] * len(frame)
    values = frame[name].tolist()
    told = {value: tell(value) for value in set(values)}
    return [told[value] for value in values]


def _rows(frame: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries without the geometry."""
    out: list[dict[str, Any]] = pd.DataFrame(frame.drop(columns=frame.geometry.name)).to_dict("records")
    return out


def _tier(value: Any, tiers: Mapping[int, str]) -> int:
    return 0 if is_missing(value) or not tiers else int(float(str(value)))


def _is_true(value: Any) -> bool:
    return not is_missing(value) and bool(value)


def _scaled(value: Any, factor: float) -> Any:
    return value if is_missing(value) else float(value) * factor


def _shares(row: Mapping[str, Any], name: str) -> str:
    return as_change(as_share(row.get(f"{name}_before")), as_share(row.get(f"{name}_after")))


def _shortfall(row: Mapping[str, Any], state: str, rules: Mapping[str, RuleWords]) -> str:
    """How much the rule's measure lacks, in the unit of the rule; empty when nothing."""
    value = row.get(f"shortfall_{state}")
    if is_missing(value) or float(str(value)) <= 0:
        return ""
    number = float(str(value))
    rule = rules.get(as_text(row.get("rule")))
    if rule is not None and rule.measure == "points":
        return f"差 {number:.0f} 类点位"
    return f"差 {max(number * 100, 0.1):.1f} 个百分点"
