"""Vector layers of the page: tables of a plan as plain lists and dictionaries, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import geopandas as gpd

from siteplan.maps._area_layer import area_layer
from siteplan.maps._gap_layers import gap_layer, result_layers
from siteplan.maps._shapes import Json, located, plain_shapes, point_rows, shape_items, told_column
from siteplan.maps._texts import BUILDS, DEMAND_UNITS, KINDS, MOUNTS, OPENS, SOURCES, as_number, as_text, is_missing

if TYPE_CHECKING:
    from siteplan.plan import Plan

__all__ = ["Json", "collect_layers", "proposed_layer", "tier_names"]

OUTSIDE = "组外"
"""Word of the opening ledger for a department that is no member of the coordination group."""
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
        "boundary": plain_shapes(plan.boundary, pixel / 2),
        "villages": area_layer(plan, "villages", pixel / 2),
        "zones": area_layer(plan, "zones", pixel / 2),
        "gaps_before": gap_layer(plan.gaps_before, pixel),
        "gaps_after": gap_layer(plan.gaps_after, pixel),
        "existing": existing_layer(plan.sites, plan.context.get("stations")),
        "proposed": proposed_layer(plan.proposed, tiers, plan.demand_kind, exposure_words(plan), owner_words(plan)),
        "candidates": point_layer(plan.sites[plan.sites["status"] == "candidate"], tiers),
        "refused": point_layer(plan.sites[plan.sites["status"] == "refused"], tiers),
        "tiers": [{"tier": tier, "name": name} for tier, name in tiers.items()],
        "context": context_layers(plan.context, pixel),
        **result_layers(plan, pixel),
    }


def tier_names(sites: gpd.GeoDataFrame) -> dict[int, str]:
    """Tier number -> name, of every tier among the sites that are not existing; best first."""
    ranked = (sites["status"] != "existing") & (sites["tier"] != 0)
    named = sites.loc[ranked, ["tier", "tier_name"]].dropna(subset=["tier"]).drop_duplicates()
    out: dict[int, str] = {}
    for tier, name in sorted({(int(t), as_text(n)) for t, n in zip(named["tier"], named["tier_name"], strict=True)}):
        out[tier] = out.get(tier) or name or f"第 {tier} 梯队"
    return out


def exposure_words(plan: Plan) -> dict[str, tuple[str, str]]:
    """State and sentence of the exposure screening by proposed site; empty where none was made."""
    from siteplan.coverage._exposure import site_exposure

    exposure = getattr(plan, "exposure", None)
    if exposure is None:
        return {}
    table = site_exposure(exposure)
    return {str(site_id): (str(state), str(flag))
            for site_id, state, flag in zip(table.index, table["state"], table["flag"], strict=True)}


@dataclass(frozen=True)
class OwnerWords:
    """What the opening ledger says of the owner of a proposed site.

    Attributes
    ----------
    open_basis, free_basis : str
        What the duty to open, and to open free of charge, rests on; empty where there is none.
    outside : bool
        Whether the department is no member of the coordination group.
    state : str
        How far the opening is.
    """

    open_basis: str = ""
    free_basis: str = ""
    outside: bool = False
    state: str = ""


def owner_words(plan: Plan) -> dict[str, OwnerWords]:
    """What the opening ledger says, by proposed site; empty where the plan has no such ledger."""
    opening = getattr(plan, "opening", None)
    if opening is None:
        return {}
    venues = opening.venues[opening.venues["status"] == "proposed"]
    columns = [venues[name].tolist() for name in ("site_ids", "open_basis", "free_basis", "group_zh", "state_zh")]
    return {site: OwnerWords(as_text(must), as_text(free), group == OUTSIDE, as_text(state))
            for sites, must, free, group, state in zip(*columns, strict=True) for site in str(sites).split("|")}


def _duty(row: Mapping[str, Any], owner: OwnerWords) -> tuple[str, str]:
    """Duties of a site's owner, each with what it rests on."""
    words = (("must_open", "应开放", "公平协商,不属于应当开放的场所", owner.open_basis),
             ("must_be_free", "应免费开放", "", owner.free_basis))
    told = [(yes + (f"(依据:{basis})" if basis else "")) if _is_true(row.get(name)) else no
            for name, yes, no, basis in words]
    return told[0], told[1]


def proposed_layer(proposed: gpd.GeoDataFrame, tiers: Mapping[int, str], demand_kind: str,
                   exposure: Mapping[str, tuple[str, str]], owners: Mapping[str, OwnerWords] | None = None) -> Json:
    """Proposed sites in order of choice, with everything the meeting asks about a site.

    ``exposure``: state and sentence of the screening by site id. A site over the limit has ``mark`` (for the list) and
    ``first``: the number of the field that its card begins with. ``owners``: what the opening ledger says, by site id.
    """
    unit = DEMAND_UNITS.get(demand_kind, "")
    fields = ["站型", "优先级", "来源", "建设方式", "安装方式", "天线挂高", "服务网络", "权属单位", "主管部门", "为何选此处、此权属",
              "开放部位", "应当开放", "免费开放", "开放状态", "地址", "所属镇街", "控规单元", "地块", "投资估算", "距电源、光缆",
              "运营商需求", "新增覆盖", EXPOSURE_FIELD, "依据与出处", "站址编号"]
    items: list[Json] = []
    for (lat, lon), key, row in point_rows(proposed):
        tier = _tier(row.get("tier"), tiers)
        owner = (owners or {}).get(key, OwnerWords())
        department = as_text(row.get("department"))
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
                "全部" if as_text(row.get("networks")) == "*" else _listed(row.get("networks")),
                as_text(row.get("owner")), department + ("(协调组外)" if department and owner.outside else ""),
                as_text(row.get("choice_text")) or as_text(row.get("reason")),
                as_text(row.get("opens"), OPENS), *_duty(row, owner), owner.state, as_text(row.get("address")),
                as_text(row.get("town")), as_text(row.get("unit_code")), as_text(row.get("parcel_code")),
                _money(row), _lines(row), _listed(row.get("operators")),
                gain + (f"(占空洞加权需求 {float(str(share)):.1%})" if gain and not is_missing(share) else ""),
                said, as_text(row.get("evidence")), key,
            ],
        })
    return {"fields": fields, "items": items}


def _listed(names: Any) -> str:
    return as_text(names).replace("|", "、")


def _money(row: Mapping[str, Any]) -> str:
    """The cost of a site, and what it is made of."""
    parts = [f"{word} {told}" for word, told in (
        ("建设投资", as_number(row.get("capex_yuan"), "元")), ("年费用", as_number(row.get("yearly_yuan"), "元/年"))) if told]
    whole = as_number(row.get("cost_yuan"), "元")
    return whole + (f"({','.join(parts)})" if whole and parts else "")


def _lines(row: Mapping[str, Any]) -> str:
    """Distances to the nearest power and fibre, as far as they are known."""
    return ",".join(f"{word} {told}" for word, told in (
        ("电源", as_number(row.get("power_m"), "m")), ("光缆", as_number(row.get("fibre_m"), "m"))) if told)


def point_layer(sites: gpd.GeoDataFrame, tiers: Mapping[int, str]) -> Json:
    """Many sites in a compact form: one row per site, repeated words kept once.

    Returns
    -------
    dict
        ``fields``: labels; ``words``: list of texts; ``rows``: ``[lat, lon, tier, title, word, word, ...]``
        where title and the others are positions in ``words``.
    """
    fields = ["站型", "优先级", "来源", "天线挂高", "权属单位", "主管部门", "说明", "站址编号"]
    kept, lats, lons = located(sites)
    keys = [str(key) for key in kept.index]
    titles = [name or key for name, key in zip(told_column(kept, "name"), keys, strict=True)]
    ranks = [_tier(tier, tiers) for tier in kept["tier"].tolist()]
    columns = (titles, told_column(kept, "kind", partial(as_text, words=KINDS)),
               [tiers.get(rank, "") for rank in ranks],
               told_column(kept, "source", partial(as_text, words=SOURCES)),
               told_column(kept, "antenna_height_m", partial(as_number, unit="m", digits=1)),
               *(told_column(kept, name) for name in ("owner", "department", "reason")), keys)
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
        for (lat, lon), _, row in point_rows(stations):
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
                out["main_roads"] = plain_shapes(frame[main.astype(bool)], pixel_m / 2)
                frame = frame[~main.astype(bool)]
        if name == "towns":
            out[name] = shape_items(frame, pixel_m, lambda row, key: {"title": as_text(row.get("name")) or key},
                               labelled=True)
        elif len(frame):
            out[name] = plain_shapes(frame, pixel_m / 2)
    return out


def _tier(value: Any, tiers: Mapping[int, str]) -> int:
    return 0 if is_missing(value) or not tiers else int(float(str(value)))


def _is_true(value: Any) -> bool:
    return not is_missing(value) and bool(value)
