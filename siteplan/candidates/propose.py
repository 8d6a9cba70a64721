"""Put the kinds together, tell each what it is and costs, refuse what the rules forbid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import geopandas as gpd
import numpy as np

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.kinds import (
    demands,
    facilities,
    greenfield,
    grounds,
    planned,
    poles,
    roofs,
    sharing,
    stations,
    works,
)
from siteplan.candidates.kinds.operators import wanted_operators
from siteplan.candidates.moves import with_moves
from siteplan.candidates.places import concat_sites, tilt_radius_m, with_places
from siteplan.candidates.rules.place_rules import apply_rules
from siteplan.candidates.rules.refuse import gap_distance_m, refuse
from siteplan.candidates.rules.rule_table import SiteRule, site_rules
from siteplan.candidates.rules.spacing import refuse_crowded
from siteplan.candidates.traits.base_stations import with_station_count
from siteplan.candidates.traits.costs import with_costs
from siteplan.candidates.traits.distances import with_distances
from siteplan.candidates.traits.feasible_sectors import feasible_azimuths, without_sector
from siteplan.candidates.traits.scenes import with_scenes
from siteplan.candidates.traits.screening import EMF, emf_flags
from siteplan.decisions import kept_sites, refusals
from siteplan.input_ledger import InputLedger

Propose = Callable[[CandidateContext], gpd.GeoDataFrame]
KINDS: Mapping[str, Propose] = {
    "station": stations.propose, "sharing": sharing.propose, "pole": poles.offered, "building": roofs.propose,
    "planned": planned.propose, "works": works.propose, "greenfield": greenfield.propose,
}
"""Kinds that are proposed on their own, by the name a study gives them; venues and requests need more."""
NO_SECTOR = "no_sector"


def _of_kinds(context: CandidateContext) -> dict[str, gpd.GeoDataFrame]:
    """The candidates of every kind that the study offers, before any rule of place."""
    asked = context.params.kinds
    found: dict[str, gpd.GeoDataFrame] = {
        name: propose(context) for name, propose in KINDS.items() if name in asked}
    if {"facility", "ground"} & set(asked):
        venues = facilities.offered(context)
        if "ground" in asked:
            land = grounds.propose(context, venues)
            venues, found["ground"] = grounds.link_alternatives(venues, land), land
        found["facility"] = venues
    return found


def _judged(sites: gpd.GeoDataFrame, context: CandidateContext, existing: gpd.GeoDataFrame,
            rules: Mapping[str, SiteRule], to_gap_m: np.ndarray, *,
            before: gpd.GeoDataFrame | None = None) -> gpd.GeoDataFrame:
    """Sites with place, scene, distances and sectors, and every rule of place that they break.

    Whatever a meeting moved is at its new place beforehand. ``before`` are sites that were judged earlier: an id of the
    decisions that means one of them means none of these.
    """
    if sites.empty:
        return sites
    every = sites if before is None else concat_sites([before, sites])
    sites = with_moves(sites, context, every, rules)
    sites = with_distances(with_scenes(with_places(sites, context), context), context)
    sites = sites.assign(azimuths=feasible_azimuths(sites, context.surface, context.equipment))
    sites = apply_rules(sites, context, existing, rules=rules, to_gap_m=to_gap_m,
                        decisions=refusals(context.decisions, every))
    shut = without_sector(sites, context.equipment)
    return refuse(sites, shut, NO_SECTOR, "各方向近处都有高于天线的墙体,没有可用扇区", rules)


def _thinned(sites: gpd.GeoDataFrame, kinds: Mapping[str, gpd.GeoDataFrame], context: CandidateContext,
             rules: Mapping[str, SiteRule]) -> gpd.GeoDataFrame:
    """Of open poles, roofs and places on open land that crowd each other, the better ones stand for the others.

    What a meeting keeps is the best.
    """
    params, kept = context.params, set(kept_sites(context.decisions, sites))

    def kept_first(order: list[str]) -> list[str]:
        return sorted(order, key=lambda site_id: site_id not in kept)

    best: list[str] = []
    if "pole" in kinds:
        standing = sites[sites["source"] == "pole"]
        best += standing.index[poles.thinning_order(context, standing)].tolist()
    if "works" in kinds:  # a pole that stands comes before one that works could set up
        best += sorted(kinds["works"].index)
    sites = refuse_crowded(sites, kept_first(best), params.pole_spacing_m, rules)
    if "building" in kinds:
        houses = kinds["building"].index[roofs.thinning_order(kinds["building"])].tolist()
        sites = refuse_crowded(sites, kept_first(houses), params.roof_spacing_m, rules)
    if "greenfield" in kinds:
        sites = refuse_crowded(sites, kept_first(sorted(kinds["greenfield"].index)), params.greenfield_spacing_m,
                               rules)
    return sites


def _with_demands(sites: gpd.GeoDataFrame, context: CandidateContext, existing: gpd.GeoDataFrame,
                  rules: Mapping[str, SiteRule], to_gap_m: np.ndarray) -> gpd.GeoDataFrame:
    """Operators' requests given to the best open candidate nearby; for the others candidates of their own."""
    if "demand" not in context.params.kinds or context.tables["demands"].empty:
        return sites
    groups = demands.demand_groups(context)
    sites, left = demands.attach_demands(sites, groups, context.params.demand_merge_m, wanted_operators(context))
    own = replace(context, ledger=InputLedger())
    found = _judged(demands.demand_sites(context, left), own, existing, rules, to_gap_m, before=sites)
    # what holds for the study as a whole (areas, scenes, distances) has been told; what is said of requests has not
    context.ledger.extend(line for line in own.ledger if line.layer in ("demands", "decisions"))
    return concat_sites([sites, found])


def _without_roofs(sites: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The sites without the roofs of venues, where a study offers only their land."""
    land = sites[((sites["source"] != "facility") | (sites["opens"] == "ground")).to_numpy(dtype=bool)]
    beside = (land["source"] == "ground").to_numpy(dtype=bool)
    return land.assign(members=land["members"].mask(beside, ""))


def _screened(sites: gpd.GeoDataFrame, context: CandidateContext, rules: Mapping[str, SiteRule]) -> gpd.GeoDataFrame:
    """Open candidates near schools and hospitals are flagged, never banned."""
    waiting = (sites["status"] == "candidate").to_numpy(dtype=bool)
    if not waiting.any():
        return sites
    told = emf_flags(sites[waiting], context.tables["facilities"], context.equipment, context.exposure,
                     buildings=context.tables["buildings"], surface=context.surface)
    hit, sentences = np.zeros(len(sites), dtype=bool), np.full(len(sites), "", dtype=object)
    hit[waiting], sentences[waiting] = told["flag"].to_numpy(dtype=bool), told["sentence"].to_numpy(dtype=object)
    return refuse(sites, hit, EMF, sentences.tolist(), rules)


def propose_sites(context: CandidateContext) -> gpd.GeoDataFrame:
    """ONE sites table: existing stations, open candidates, and refused ones with the reason.

    Parameters
    ----------
    context : CandidateContext

    Returns
    -------
    GeoDataFrame
        Index ``site_id`` (from kind and source id), columns of DESIGN.md, sorted by id. Free public venues have the
        best tier (1), private housing and open land the last.
    """
    existing = stations.existing_sites(context)
    rules = site_rules(context.params.rules)
    to_gap_m = gap_distance_m(context.gap, context.surface)
    kinds = _of_kinds(context)
    sites = _judged(concat_sites([existing.iloc[:0], *kinds.values()]), context, existing, rules, to_gap_m)
    if "facility" in kinds:
        sites = facilities.settle_spots(sites, context, rules)
        if "facility" not in context.params.kinds:
            sites = _without_roofs(sites)
    if "pole" in kinds:
        sites = poles.merged(sites, context)
    sites = _thinned(sites, kinds, context, rules)
    sites = _with_demands(sites, context, existing, rules, to_gap_m)
    table = concat_sites([with_places(existing, context), _screened(sites, context, rules)]).sort_index()
    table = table.assign(tilt_radius_m=tilt_radius_m(table, existing))
    cells = context.tables["stations"]
    shared = cells.loc[cells["technology"] == "5G", "network"].dropna().astype("str").unique()
    return with_costs(with_station_count(table, wanted_operators(context), shared), context)
