"""Vector layers of the page: tables of a plan as plain lists and dictionaries, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import geopandas as gpd

from siteplan.maps._area_layer import area_layer
from siteplan.maps._context_layers import context_layers, pole_layer, restricted_layer, works_layer
from siteplan.maps._gap_layers import gap_layer, result_layers
from siteplan.maps._pack import pack_points
from siteplan.maps._proposed import OwnerWords, exposure_words, owner_words, proposed_layer, tier_of
from siteplan.maps._shapes import Json, located, plain_shapes, point_rows, told_column
from siteplan.maps._statements import settings_of
from siteplan.maps._texts import KINDS, SOURCES, as_number, as_text, as_word, is_missing
from siteplan.maps._unit_layer import unit_layer
from siteplan.maps._words import CHINESE, Say

if TYPE_CHECKING:
    from siteplan.plan import Plan

__all__ = ["Json", "OwnerWords", "collect_layers", "proposed_layer", "tier_names"]


def collect_layers(plan: Plan, say: Say = CHINESE) -> Json:
    """Every vector layer of the page.

    Parameters
    ----------
    plan : Plan
    say : Say
        In which language.

    Returns
    -------
    dict
        Layer name -> its content; see the functions of this module. Coordinates are degrees, (lon, lat) in
        geometries as GeoJSON asks, (lat, lon) in point rows as Leaflet asks.
    """
    pixel = abs(float(plan.surface.geobox.affine.a))
    tiers = tier_names(plan.sites, say)
    context = plan.context
    return {
        "boundary": plain_shapes(plan.boundary, pixel / 2),
        "villages": area_layer(plan, "villages", pixel / 2, say),
        "zones": area_layer(plan, "zones", pixel / 2, say),
        "gaps_before": gap_layer(plan.gaps_before, pixel, say),
        "gaps_after": gap_layer(plan.gaps_after, pixel, say),
        "existing": existing_layer(plan.sites, context.get("stations"), say),
        "proposed": proposed_layer(plan.proposed, tiers, plan.demand_kind, exposure_words(plan), owner_words(plan),
                                   say),
        "candidates": point_layer(plan.sites[plan.sites["status"] == "candidate"], tiers, say),
        "refused": point_layer(plan.sites[plan.sites["status"] == "refused"], tiers, say),
        "tiers": [{"tier": tier, "name": name} for tier, name in tiers.items()],
        "context": context_layers(context, pixel),
        **{name: layer for name, layer in (
            ("units", unit_layer(plan, pixel / 2, say)),
            ("restricted", restricted_layer(context.get("restricted"), pixel,
                                            settings_of(plan, "candidates").get("rules") or {}, say)),
            ("works", works_layer(context, pixel, say)), ("poles", pole_layer(context.get("poles"), say))) if layer},
        **result_layers(plan, pixel, say),
    }


def tier_names(sites: gpd.GeoDataFrame, say: Say = CHINESE) -> dict[int, str]:
    """Tier number -> name, of every tier among the sites that are not existing; best first."""
    ranked = (sites["status"] != "existing") & (sites["tier"] != 0)
    named = sites.loc[ranked, ["tier", "tier_name"]].dropna(subset=["tier"]).drop_duplicates()
    out: dict[int, str] = {}
    for tier, name in sorted({(int(t), as_text(n)) for t, n in zip(named["tier"], named["tier_name"], strict=True)}):
        out[tier] = out.get(tier) or say.word(name) or say("第 {tier} 梯队", tier=tier)
    return out


def point_layer(sites: gpd.GeoDataFrame, tiers: Mapping[int, str], say: Say = CHINESE) -> Json:
    """Many sites in a compact form, see :func:`~siteplan.maps._pack.pack_points`.

    What a few words say of many sites (kind, source, height of the antenna, tier) stands in one field.
    """
    kept, lats, lons = located(sites)
    keys = [str(key) for key in kept.index]
    titles = [name or key for name, key in zip(told_column(kept, "name"), keys, strict=True)]
    ranks = [tier_of(tier, tiers) for tier in kept["tier"].tolist()]
    parts = (told_column(kept, "kind", partial(as_word, words=KINDS, say=say)),
             told_column(kept, "source", partial(as_word, words=SOURCES, say=say)),
             told_column(kept, "antenna_height_m", partial(as_number, unit="m", digits=1)),
             [tiers.get(rank, "") for rank in ranks])
    joined: dict[tuple[str, ...], str] = {}
    brief = [joined.get(row) or joined.setdefault(row, " · ".join(filter(None, row)))
             for row in zip(*parts, strict=True)]
    columns = {say("站型、来源、天线挂高、优先级"): brief, say("权属单位"): told_column(kept, "owner"),
               say("主管部门"): told_column(kept, "department"), say("说明"): told_column(kept, "reason"),
               say("站址编号"): keys}
    return pack_points((lats, lons), ranks, titles, columns)


def existing_layer(sites: gpd.GeoDataFrame, stations: gpd.GeoDataFrame | None, say: Say = CHINESE) -> Json:
    """Existing sites, and a short tick for every different sector direction at a place."""
    out = point_layer(sites[sites["status"] == "existing"], {}, say)
    ticks: set[tuple[float, float, float]] = set()
    if stations is not None and len(stations) and "azimuth_deg" in stations:
        for (lat, lon), _, row in point_rows(stations):
            azimuth = row.get("azimuth_deg")
            if not is_missing(azimuth):
                ticks.add((lat, lon, round(float(str(azimuth)) % 360.0)))
    return {**out, "ticks": [list(tick) for tick in sorted(ticks)]}
