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
)
from siteplan.coverage._exposure import Exposure, screen_exposure
from siteplan.coverage._predict import occurring_networks
from siteplan.coverage._sensitive import exposure_of
from siteplan.gaps import LineResults, count_verdicts, gap_mask
from siteplan.study._areas import count_layer, judge_layer
from siteplan.study._gaps import find_scene_gaps, judge_lines, tell_skipped
from siteplan.study._places import LEVELS
from siteplan.study._ranking import place_indicators
from siteplan.study._scene import AREA_LAYERS, Scene
from siteplan.study._signals import Signals, proposed_sectors, serves


@dataclass(frozen=True)
class State:
    """How things stand under one coverage.

    Attributes
    ----------
    signals : Signals
    areas : mapping of str to DataFrame
        Results of villages and zones.
    operators : mapping of str to DataFrame
        The same for every operator, index (area, network).
    gaps, indoor_gaps : GeoDataFrame
        Gap areas outdoors, and of buildings that are covered outside only; empty where that was not predicted.
    lines : LineResults
    places : mapping of str to DataFrame
        Indicators of ``counties`` and ``towns``.
    indicators : mapping
    """

    signals: Signals
    areas: Mapping[str, pd.DataFrame]
    operators: Mapping[str, pd.DataFrame]
    gaps: gpd.GeoDataFrame
    indoor_gaps: gpd.GeoDataFrame
    lines: LineResults
    places: Mapping[str, pd.DataFrame]
    indicators: Mapping[str, Any]


def cover_existing(scene: Scene) -> Coverage:
    """Coverage of the existing stations; where none is 5G, the networks that new sites will serve are there, empty."""
    networks: list[Network] | None = None
    if not scene.networks:
        new = [Network(name, "5G") for name in serves(scene).split("|")]
        networks = sorted({*occurring_networks(scene.sectors), *new} - {Network("*", "5G")})
    return predict_coverage(scene.surface, scene.sectors, scene.params.coverage, networks, equipment=scene.equipment,
                            calibration=scene.calibration)


def best_probability(coverage: Coverage) -> np.ndarray:
    """Best 5G probability (NaN where the surface is unknown)."""
    return coverage.any_5g().probability


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


def assess_state(scene: Scene, coverage: Coverage, sites: gpd.GeoDataFrame | None = None,
                 earlier: State | None = None) -> State:
    """Villages and zones judged, lines judged, gap areas found and explained, indicators counted.

    ``sites`` adds the proposed sites to those that count as serving; gap areas that were there ``earlier`` keep their
    ids.
    """
    signals = Signals(scene, coverage, sites)
    best = coverage.any_5g()
    judged = {name: judge_layer(scene, name, signals) for name in AREA_LAYERS}
    areas = {name: table for name, (table, _) in judged.items()}
    found = find_scene_gaps(scene, signals, None if earlier is None else (earlier.gaps, earlier.indoor_gaps))
    lines = judge_lines(scene, signals)
    indicators: dict[str, Any] = {name: count_layer(scene, name, areas[name]["verdict"]) for name in AREA_LAYERS}
    if sites is None:
        tell_skipped(lines, scene.ledger)
    real = lines.sections["length_m"] > 0  # a layer that is not there has a row, and is no line
    indicators["lines"] = dict(count_verdicts(lines.sections.loc[real, "verdict"], scene.rules["lines"]))
    indicators |= {**_shares(scene, best), **found.indicators}
    indicators["networks"] = _network_shares(scene, coverage)
    places = {layer: place_indicators(scene, pixels, LEVELS[layer], best, {
        name: areas[name].join(scene.tables[name][["county", "town"]]) for name in AREA_LAYERS}, sites)
        for layer, pixels in scene.pixels.items() if layer in LEVELS}
    return State(signals, areas, {name: table for name, (_, table) in judged.items()}, found.outdoors, found.indoors,
                 lines, places, indicators)


def candidate_context(scene: Scene, gap: np.ndarray) -> CandidateContext:
    """What candidates are made from; ``gap`` (rows, cols) are the pixels that are not covered today."""
    return CandidateContext(
        scene.tables, scene.boundary, scene.surface, gap, scene.venues, scene.equipment, scene.params.candidates,
        scene.ledger, scene.params.study.as_of, exposure_of(scene.params.exposure, scene.equipment), scene.decisions)


def propose_candidates(scene: Scene, before: Coverage) -> gpd.GeoDataFrame:
    """The sites table: existing, candidate and refused."""
    probability = best_probability(before)
    gap = gap_mask(probability, scene.demand.geobox, scene.boundary, scene.params.gaps.gap_probability)
    return propose_sites(candidate_context(scene, gap))


def cover_with_proposed(scene: Scene, sites: gpd.GeoDataFrame, before: Coverage) -> Coverage:
    """Coverage of existing stations and proposed sites together."""
    sectors = proposed_sectors(scene, sites)
    if sectors.empty:
        return before
    new = predict_coverage(scene.surface, sectors, scene.params.coverage, equipment=scene.equipment,
                           calibration=scene.calibration)
    return merge_coverage(before, new)


def screen_sites(scene: Scene, sites: gpd.GeoDataFrame) -> Exposure:
    """Exposure of the sensitive buildings near proposed sites, by these and by the existing stations near them."""
    stations = scene.tables["stations"].reindex(scene.sectors.index)
    old = scene.sectors.assign(site_id="E-station:" + stations["source_site"].astype("str"),
                               site_name=stations["name"].astype("str").fillna(""), site_status="existing")
    new = proposed_sectors(scene, sites)
    sectors = old.iloc[:0] if new.empty else pd.concat(
        [new.assign(site_name=new["site_id"].map(sites["name"]), site_status="proposed"), old])
    return screen_exposure(sectors, scene.tables["facilities"], scene.tables["buildings"], scene.surface,
                           scene.equipment, exposure_of(scene.params.exposure, scene.equipment))
