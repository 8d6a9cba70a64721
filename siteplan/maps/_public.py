"""The plan as the public may see it: places rounded, nothing internal in it, so that nothing internal can leave it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.maps._facts import NO_APPROVAL, NO_APPROVAL_PUBLIC
from siteplan.maps._shapes import Json
from siteplan.maps._texts import DEMAND_NAMES, plan_results
from siteplan.maps._words import Say
from siteplan.tables import read_table

if TYPE_CHECKING:
    from siteplan.plan import Plan


def public_plan(plan: Plan, step_m: float, say: Say) -> Plan:
    """A copy that holds no more than ``[public]`` of ``tables/map_labels.toml`` allows.

    Parameters
    ----------
    plan : Plan
    step_m : float
        Sites, stations and outlines of gap areas are rounded to this in the CRS of the study, m.
    say : Say
        Names sites by their number.

    Returns
    -------
    Plan
        Existing and proposed sites under numbers instead of names and ids; areas without reasons; gap areas and areas
        for orientation on the rounding grid or as they are published; no opening ledger, screening, stations.

    Notes
    -----
    Outlines of villages and key zones are those of the internal page: they are published by others and not rounded.
    """
    allowed: Mapping[str, Any] = read_table("map_labels")["public"]
    sites = _public_sites(plan, step_m, allowed["site_columns"], say)
    gaps = {name: _public_gaps(getattr(plan, name), step_m, allowed["gap_columns"])
            for name in ("gaps_before", "gaps_after")}
    areas = {name: _only(getattr(plan, name), allowed["area_columns"]) for name in ("villages", "zones")}
    context = {name: _only(plan.context[name], ("name", "road_class")) for name in allowed["context"]
               if name in plan.context}
    results = {name: table for name, table in plan_results(plan).items() if name in allowed["results"]}
    changes: dict[str, Any] = {**gaps, **areas, "sites": sites, "context": context, "results": results,
                               "opening": None, "exposure": None, "letters": ()}
    return dataclasses.replace(plan, **changes)


def public_page(data: Json, say: Say) -> Json:
    """The page's data without what ``[public]`` of ``tables/map_labels.toml`` does not name."""
    allowed: Mapping[str, Any] = read_table("map_labels")["public"]
    layers = {name: layer for name, layer in data["layers"].items() if name in allowed["layers"]}
    for name, fields in allowed["fields"].items():
        if name in layers and "items" in layers[name]:
            layers[name] = _fields_only(layers[name], {say.word(field) for field in fields})
    labels = {say(label, demand=say.word(demand)) for label in allowed["indicators"]
              for demand in DEMAND_NAMES.values()}
    layers["reasons"] = [["", say("公众版不列原因")]]
    bound = {**dict.fromkeys(data["bound"], ""), "sites": data["bound"]["sites"]}
    return {**data, "layers": layers, "decisions": None, "projection": None, "bound": bound,
            "title": _public_title(data["title"], say),
            "indicators": [row for row in data["indicators"] if row["label"] in labels]}


def _public_title(lines: Sequence[tuple[str, str]], say: Say) -> list[tuple[str, str]]:
    """The title block: which version it is, and a marking that never says more than the map approval number allows."""
    approval = dict(lines).get(say("审图号"), "")
    approved = approval not in ("", say.word(NO_APPROVAL_PUBLIC), say.word(NO_APPROVAL))
    marking = say("公开(须经审图)") if approved else say("未经审核,不得公开发布")
    out: list[tuple[str, str]] = []
    for label, text in lines:
        out += [(say("版本"), say("公众版")), (label, marking)] if label == say("密级") else [(label, text)]
    return out


def _public_sites(plan: Plan, step_m: float, columns: Collection[str], say: Say) -> gpd.GeoDataFrame:
    """Existing and proposed sites by number, at rounded places."""
    kept = plan.sites[plan.sites["status"].isin(("existing", "proposed"))]
    kept = kept[~kept.geometry.is_empty & ~kept.geometry.isna()]
    kept = kept.sort_values(["status", "rank_no"], kind="stable")
    told = {name: kept[name] for name in columns if name in kept}
    numbers = [str(number) for number in range(1, len(kept) + 1)]
    names = [say("{number}号规划站址", number=int(rank)) if status == "proposed" else say("现有基站")
             for status, rank in zip(kept["status"], kept["rank_no"], strict=True)]
    points = kept.geometry.representative_point()
    x, y = (np.round(part.to_numpy() / step_m) * step_m for part in (points.x, points.y))
    blank = {name: "" for name in ("owner", "department", "reason", "networks", "source") if name not in told}
    table = pd.DataFrame({**{name: values.to_numpy() for name, values in told.items()}, **blank, "name": names},
                         index=pd.Index(numbers, name=plan.sites.index.name))
    if "tier" in told:
        table["tier"] = told["tier"].array
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(x, y), crs=plan.sites.crs)


def _public_gaps(gaps: gpd.GeoDataFrame, step_m: float, columns: Collection[str]) -> gpd.GeoDataFrame:
    """Gap areas by number, their outlines on the rounding grid; those smaller than its cells are a cell."""
    out = _only(gaps, columns)
    shapes = shapely.make_valid(np.asarray(gaps.geometry.array))
    coarse = shapely.set_precision(shapes, step_m)
    small = shapely.is_empty(coarse) & ~shapely.is_empty(shapes)
    inside = shapely.point_on_surface(shapes[small])
    west, south = (np.floor(part / step_m) * step_m for part in (shapely.get_x(inside), shapely.get_y(inside)))
    coarse[small] = shapely.box(west, south, west + step_m, south + step_m)
    out = out.set_geometry(gpd.GeoSeries(coarse, index=out.index, crs=gaps.crs))
    out.index = pd.Index([str(number) for number in range(1, len(out) + 1)], name=gaps.index.name)
    return out


def _only(table: gpd.GeoDataFrame, columns: Collection[str]) -> gpd.GeoDataFrame:
    """Some columns and the geometry."""
    return table[[*(name for name in columns if name in table), table.geometry.name]]


def _fields_only(layer: Json, fields: Collection[str]) -> Json:
    """Items with some of their fields."""
    kept = [number for number, field in enumerate(layer["fields"]) if field in fields]
    hidden = ("mark", "first", "gain") if "gain" not in fields else ()
    items = [{**{key: value for key, value in item.items() if key not in hidden},
              "values": [item["values"][number] for number in kept]} for item in layer["items"]]
    return {**layer, "fields": [layer["fields"][number] for number in kept], "items": items}
