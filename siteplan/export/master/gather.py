"""From a plan to its master layers: the one source of every table that leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.coverage._exposure import site_exposure
from siteplan.export._detailed_plan import export_table
from siteplan.export._opening import opening_layers
from siteplan.export.master.fibre_links import fibre_links
from siteplan.export.master.plan_facts import facts_text
from siteplan.export.master.plan_layers import FILES, PlanLayers, plain
from siteplan.export.master.served_areas import best_rsrp_dbm
from siteplan.export.master.short_texts import rule_title, short_notice
from siteplan.export.master.site_columns import site_columns
from siteplan.export.master.units import unit_table
from siteplan.plan import Plan
from siteplan.schema import layer_schema
from siteplan.secrecy import hide_secret_units

SITE_STATUS_ZH = {"existing": "现状", "candidate": "备选", "proposed": "规划", "refused": "不可用"}
PLACED = ("indoor_gaps", "stretches", "complaints", "hot_spots", "indoor_buildings")
"""Results with a place, layers of ``gaps.gpkg`` beside the gap areas."""
AROUND = ("towns", "counties", "roads", "rail", "water", "restricted", "works", "planned_buildings")
"""Layers of the study that ``areas.gpkg`` holds for maps and sheets, as far as the study has them."""
TOLD_ALREADY = ("sites", "all_sites", "venues")
"""Layers whose rows carry the notices already."""
SITE_EXTRAS = ("status", "source", "source_id", "preference", "gain_share", "tilt_radius_m", "refusal_code", "flags",
               "choice_code", "choice_text", "loss", "loss_demand", "rival_id", "rival_text", "evidence",
               "members", "demand_ids", "lessee", "spacing_m", "roof_area_m2", "slope_deg", "cost_model")
"""Columns of ``candidates.gpkg`` beside those of the site layer."""


def plan_layers(plan: Plan) -> PlanLayers:
    """The master layers of a plan: the same tables that its GeoPackages hold.

    Parameters
    ----------
    plan : Plan
        Secret units are hidden in what comes out.

    Returns
    -------
    PlanLayers
        What :func:`read_plan_layers` gives of the folder that the plan is written to.

    Examples
    --------
    A finished study, ``plan = siteplan.study.run(Study.from_toml(path))``:

    >>> plan_layers(plan).layers["sites"][["name", "kind", "conflicts"]]  # doctest: +SKIP
    """
    plan = hide_secret_units(plan)
    columns = site_columns(plan)
    notices = {"notice": ";".join(plan.study["notices"]), "notice_short": short_notice(plan.study)}
    units = unit_table(plan, columns)
    tables: dict[str, gpd.GeoDataFrame | None] = {
        "sites": _sites(plan, columns), "all_sites": _all_sites(plan, columns),
        "gaps": plan.gaps_after, "gaps_before": plan.gaps_before,
        **{name: gpd.GeoDataFrame(plan.results[name]) for name in PLACED if name in plan.results},
        "boundary": plan.boundary[["name", "geometry"]], "villages": _villages(plan),
        "zones": _ruled(plan.zones, plan),
        "units": units, **{name: _around(plan, name) for name in AROUND},
        "fibre_links": fibre_links(plan.proposed, plan.context.get("fibre")), "venues": _venues(plan)}
    layers = {name: plain(table if name in TOLD_ALREADY else _noticed(table, notices), FILES[name][2])
              for name, table in tables.items() if table is not None}
    return PlanLayers(json.loads(facts_text(plan)), layers)


def _venues(plan: Plan) -> gpd.GeoDataFrame | None:
    """The venues of the opening ledger, as ``ledger.gpkg`` has them; None where no ledger was made."""
    if plan.opening is None:
        return None
    return opening_layers(plan.opening, plan.sites, ";".join(plan.study["notices"]))["venues"]


def _noticed(table: gpd.GeoDataFrame, notices: Mapping[str, str]) -> gpd.GeoDataFrame:
    """The table with the notices of the study in columns ``notice`` and ``notice_short``."""
    return table.assign(**notices)


def _keyed(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The export table with its id as index again (the id column is the first)."""
    return table.drop(columns="site_id").rename_axis("site_id")


def _sites(plan: Plan, columns: pd.DataFrame) -> gpd.GeoDataFrame:
    """The proposed sites, in order of choice."""
    return _keyed(export_table(plan.proposed, plan.study["notices"], _flags(plan), columns))


def _flags(plan: Plan) -> Mapping[str, str]:
    """What the exposure screening says of each proposed site."""
    if plan.exposure is None:
        return {}
    flags: dict[str, str] = site_exposure(plan.exposure)["flag"].to_dict()
    return flags


def _all_sites(plan: Plan, columns: pd.DataFrame) -> gpd.GeoDataFrame:
    """All sites in the words and columns of the master, with all that the rules and the choice say of them.

    ``choice_key`` is the code of ``choice_code``; secret units are rows without a place.
    """
    ordered = plan.sites.sort_values(["status", "rank_no"], kind="stable")
    table = _keyed(export_table(ordered, plan.study["notices"][:1], _flags(plan), columns))
    extra = ordered[[name for name in SITE_EXTRAS if name in ordered]].rename(columns={"choice_code": "choice_key"})
    status_zh = ordered["status"].map(SITE_STATUS_ZH)
    front = {"status": extra["status"], "status_zh": status_zh, **{name: extra[name] for name in extra.columns[1:]}}
    told = {**front, **{name: table[name] for name in table.columns if name != "geometry"}}
    return gpd.GeoDataFrame(told, geometry=table.geometry, crs=table.crs, index=table.index)


def _ruled(areas: gpd.GeoDataFrame, plan: Plan) -> gpd.GeoDataFrame:
    """Areas with the title of their rule."""
    titles = {rule_id: rule_title(rule.zh) for rule_id, rule in plan.rules.items()}
    return areas.assign(rule_zh=areas["rule"].astype("str").map(lambda rule_id: titles.get(rule_id, rule_id)))


def _counted(areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Villages whose households and people are whole numbers, where they are."""
    whole = {name: areas[name].astype("Int64") for name in ("households", "people")
             if name in areas and (areas[name].dropna() % 1 == 0).all()}
    return areas.assign(**whole)


def _villages(plan: Plan) -> gpd.GeoDataFrame:
    """Villages with the state of their points now, 4G and fibre, the best signal and the nearest site."""
    villages, facts = plan.villages, plan.results.get("village_facts")
    if facts is not None:
        villages = villages.join(facts.drop(columns=["asked_kinds", *villages.columns], errors="ignore"))
    site, away_m = nearest_sites(village_places(plan.villages, plan.context.get("village_points")), plan.sites)
    return _ruled(_counted(villages), plan).assign(best_rsrp_dbm=best_rsrp_dbm(plan.villages, plan.after),
                                                   nearest_site=site, nearest_site_m=np.round(away_m, 1))


def village_places(villages: gpd.GeoDataFrame, points: gpd.GeoDataFrame | None) -> gpd.GeoSeries:
    """Where each village is: its committee, the first by id; a point inside its land where that is not known."""
    inner = gpd.GeoSeries(shapely.point_on_surface(villages.geometry.to_numpy()), index=villages.index,
                          crs=villages.crs)
    if points is None or not len(points):
        return inner
    placed = points[(points["kind"] == "committee") & ~(points.geometry.isna() | points.geometry.is_empty)].sort_index()
    first = placed.drop_duplicates("village_code").set_index("village_code").geometry
    own = first.reindex(villages.index)
    return inner.where(own.isna(), own)


def nearest_sites(places: gpd.GeoSeries, sites: gpd.GeoDataFrame) -> tuple[list[str], np.ndarray]:
    """The nearest site that has 5G with the plan (existing or proposed), and its distance, m; of equal ones the first.

    Returns
    -------
    (list of str, ndarray of float)
        Empty text and NaN where there is no site, or the place is not known.
    """
    with_5g = (sites["status"] == "existing") & sites["networks"].astype("str").str.contains("5G")
    serving = sites[with_5g | (sites["status"] == "proposed")].sort_index()
    serving = serving[~(serving.geometry.isna() | serving.geometry.is_empty)]
    shapes = places.to_numpy()
    known = np.flatnonzero(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    names, away = [""] * len(places), np.full(len(places), np.nan)
    if len(serving) and len(known):
        found, distance = shapely.STRtree(serving.geometry.to_numpy()).query_nearest(
            shapes[known], return_distance=True, all_matches=True)
        order = np.lexsort((found[1], found[0]))
        _, first = np.unique(found[0][order], return_index=True)
        for place in order[first]:
            row = known[found[0][place]]
            names[row], away[row] = str(serving.index[found[1][place]]), distance[place]
    return names, away


def _around(plan: Plan, name: str) -> gpd.GeoDataFrame | None:
    """One layer of the study with the fields of its column dictionary; None where there is none."""
    table = plan.context.get(name)
    if table is None or not len(table):
        return None
    schema = layer_schema(name)
    fields: Sequence[str] = [field for field in schema.fields if field in table and field != schema.key]
    return table[[*fields, table.geometry.name]]
