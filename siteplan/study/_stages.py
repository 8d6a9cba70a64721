"""The stages of the job on a scene: coverage, state of the areas, candidates, selection, coverage again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates import CandidateContext, propose_sites
from siteplan.coverage import (
    Coverage,
    Layer,
    Network,
    merge_coverage,
    predict_coverage,
    reach_probability,
    sectors_of_sites,
)
from siteplan.coverage._exposure import Exposure, screen_exposure
from siteplan.coverage._predict import occurring_networks
from siteplan.coverage._sensitive import exposure_of
from siteplan.gaps import assess_areas, count_verdicts, find_gaps, gap_mask
from siteplan.grid import inside, pixel_of, rasterize
from siteplan.selection import Selection, demand_weight, gather_demand, mark_proposed, select_sites
from siteplan.study._networks import wanted_networks
from siteplan.study._scene import AREA_LAYERS, Scene
from siteplan.venues import load_venues


@dataclass(frozen=True)
class State:
    """How things stand under one coverage: results per area, gap polygons, indicators."""

    areas: Mapping[str, pd.DataFrame]
    gaps: gpd.GeoDataFrame
    indicators: Mapping[str, Any]


def cover_existing(scene: Scene) -> Coverage:
    """Coverage of the existing stations; where none is 5G, the networks that new sites will serve are there, empty."""
    networks: list[Network] | None = None
    if not scene.networks:
        new = [Network(name, "5G") for name in _serves(scene).split("|")]
        networks = sorted({*occurring_networks(scene.sectors), *new} - {Network("*", "5G")})
    return predict_coverage(scene.surface, scene.sectors, scene.params.coverage, networks, equipment=scene.equipment,
                            calibration=scene.calibration)


def _probability(coverage: Coverage) -> tuple[np.ndarray, np.ndarray]:
    """Best 5G probability (NaN where the surface is unknown), and where any 5G sector is computed at all."""
    best = coverage.any_5g()
    return best.probability, ~np.isnan(best.rsrp_dbm)


def _shares(scene: Scene, layer: Layer) -> dict[str, float | None]:
    """Shares inside the boundary; None where nothing is known.

    ``area_share`` and ``demand_share`` are means of the probability, ``indoor_share`` its mean on built pixels (None
    where not predicted), ``sinr_share`` the share of the area with SS-SINR of 0 dB or more (no signal is less).
    """
    pixels = scene.pixels["boundary"]
    good = np.where(np.isnan(layer.probability), np.nan, layer.sinr_db >= 0.0)
    means = {"area_share": pixels.mean(layer.probability),
             "demand_share": pixels.mean(layer.probability, scene.demand.per_pixel), "sinr_share": pixels.mean(good)}
    if layer.indoor_probability is not None:
        means["indoor_share"] = pixels.mean(layer.indoor_probability)
    shares = {key: float(mean.iloc[0]) for key, mean in means.items()}
    return {"indoor_share": None, **{key: None if np.isnan(value) else value for key, value in shares.items()}}


def _network_shares(scene: Scene, coverage: Coverage) -> dict[str, dict[str, float | None]]:
    """`_shares` of every network; networks that the same sectors serve share one layer, which is counted once."""
    once = {key: _shares(scene, layer) for key, layer in {id(layer): layer for layer in coverage.layers}.items()}
    return {f"{network.name} {network.technology}": dict(once[id(layer)])
            for network, layer in zip(coverage.networks, coverage.layers, strict=True)}


def _serving(scene: Scene, technology: str, sites: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame:
    """Places of the existing sites of a technology; the proposed ones, which are 5G, with them."""
    stations = scene.tables["stations"]
    stations = stations[stations["technology"] == technology].drop_duplicates("source_site")
    found = stations.set_index(stations["source_site"].astype("str"))[["geometry"]]
    if sites is not None and technology == "5G":
        found = pd.concat([found, sites.loc[sites["status"] == "proposed", ["geometry"]]])
    return gpd.GeoDataFrame(found, crs=scene.crs)


def assess_state(scene: Scene, coverage: Coverage, sites: gpd.GeoDataFrame | None = None) -> State:
    """Villages and zones judged, gap polygons found, indicators counted.

    ``sites`` adds the proposed sites to those that count as serving.
    """
    probability, served = _probability(coverage)
    areas: dict[str, pd.DataFrame] = {}
    indicators: dict[str, Any] = dict(_shares(scene, coverage.any_5g()))
    for name in AREA_LAYERS:
        rule = scene.rules[name]
        areas[name] = assess_areas(
            scene.tables[name], coverage.any_of(rule.technology).probability, scene.demand, rule,
            points=scene.tables["village_points"], pixels=scene.pixels[name],
            sites=_serving(scene, rule.technology, sites))
        indicators[name] = dict(count_verdicts(areas[name]["verdict"], rule))
    gaps = find_gaps(probability, served, scene.demand, scene.boundary, _serving(scene, "5G", sites),
                     scene.params.gaps, villages=scene.tables["villages"], zones=scene.tables["zones"])
    indicators["gap_count"] = len(gaps)
    indicators["gap_area_m2"] = float(gaps["area_m2"].sum())
    indicators["networks"] = _network_shares(scene, coverage)
    return State(areas, gaps, indicators)


def propose_candidates(scene: Scene, before: Coverage) -> gpd.GeoDataFrame:
    """The sites table: existing, candidate and refused."""
    probability, _ = _probability(before)
    gap = gap_mask(probability, scene.demand.geobox, scene.boundary, scene.params.gaps.gap_probability)
    return propose_sites(CandidateContext(scene.tables, scene.boundary, scene.surface, gap, load_venues(),
                                          scene.equipment, scene.params.candidates))


def _serves(scene: Scene) -> str:
    """Networks a new site serves, joined by ``|``."""
    return "|".join(wanted_networks(scene.params.candidates.serves, scene.networks))


def _weight(scene: Scene, gap: np.ndarray) -> np.ndarray:
    """Weight per pixel: demand and land, zone priority, uncovered village points."""
    geobox, zones = scene.demand.geobox, scene.tables["zones"]
    in_zone = np.zeros(geobox.shape, dtype=bool)
    if len(zones):
        in_zone = ~np.isnan(rasterize(zones.geometry, np.ones(len(zones)), geobox, merge="last"))
    points = scene.tables["village_points"]
    wanted = scene.rules["villages"].kinds
    points = points[points["kind"].isin(wanted) & points["exists"].astype(bool) & points.geometry.notna()]
    rows, cols = pixel_of(geobox, points.geometry.x.to_numpy(), points.geometry.y.to_numpy())
    on = inside(geobox, rows, cols)
    weight = demand_weight(scene.demand.per_pixel, scene.demand.kind, geobox, in_zone, (rows[on], cols[on]),
                           scene.params.selection)
    return np.where(gap, weight, 0.0)


def select_proposed(scene: Scene, sites: gpd.GeoDataFrame, before: Coverage) -> tuple[Selection, gpd.GeoDataFrame]:
    """Choose among the open candidates; the table comes back with status, rank, gain and reason filled in."""
    probability, _ = _probability(before)
    gaps = scene.params.gaps
    gap = gap_mask(probability, scene.demand.geobox, scene.boundary, gaps.gap_probability)
    cells = gather_demand(gap, scene.demand.per_pixel, _weight(scene, gap), scene.demand.geobox,
                          scene.params.selection.demand_cell_m)
    candidates = sites[sites["status"] == "candidate"].sort_index()
    sectors = sectors_of_sites(candidates, scene.equipment, _serves(scene))
    reach = reach_probability(scene.surface, sectors, scene.params.coverage, cells.rows, cells.cols,
                              floor=gaps.gap_probability, equipment=scene.equipment, calibration=scene.calibration)
    served = (reach.matrix >= gaps.gap_probability).tocsc()
    candidates = candidates.loc[list(reach.site_ids)]
    points = pd.DataFrame({"x": candidates.geometry.x, "y": candidates.geometry.y})
    selection = select_sites(pd.DataFrame(candidates[["cost_yuan", "preference"]]).join(points), served, cells.weight,
                             scene.params.selection)
    return selection, mark_proposed(sites, selection, cells.demand, scene.demand.kind, _serves(scene))


def cover_with_proposed(scene: Scene, sites: gpd.GeoDataFrame, before: Coverage) -> Coverage:
    """Coverage of existing stations and proposed sites together."""
    proposed = sites[sites["status"] == "proposed"].sort_index()
    if proposed.empty:
        return before
    sectors = sectors_of_sites(proposed, scene.equipment, _serves(scene))
    new = predict_coverage(scene.surface, sectors, scene.params.coverage, equipment=scene.equipment,
                           calibration=scene.calibration)
    return merge_coverage(before, new)


def screen_sites(scene: Scene, sites: gpd.GeoDataFrame) -> Exposure:
    """Exposure of the sensitive buildings near proposed sites, by these and by the existing stations near them."""
    proposed = sites[sites["status"] == "proposed"].sort_index()
    stations = scene.tables["stations"].reindex(scene.sectors.index)
    old = scene.sectors.assign(site_id="E-station:" + stations["source_site"].astype("str"),
                               site_name=stations["name"].astype("str").fillna(""), site_status="existing")
    if proposed.empty:
        sectors = old.iloc[:0]
    else:
        new = sectors_of_sites(proposed, scene.equipment, _serves(scene))
        sectors = pd.concat([new.assign(site_name=new["site_id"].map(proposed["name"]), site_status="proposed"), old])
    return screen_exposure(sectors, scene.tables["facilities"], scene.tables["buildings"], scene.surface,
                           scene.equipment, exposure_of(scene.params.exposure, scene.equipment))
