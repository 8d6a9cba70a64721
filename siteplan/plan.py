"""Plan: the noun that every deliverable is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.coverage import Coverage
from siteplan.coverage._exposure import Exposure
from siteplan.coverage._spot_facts import SpotFacts
from siteplan.gaps import Rule, load_rules
from siteplan.input_ledger import InputLedger
from siteplan.opening import Letter, Opening
from siteplan.selection import Certificate, Selection
from siteplan.surface import Surface


@dataclass(frozen=True)
class Plan:
    """One finished plan. Nothing here is a path; writers of ``export`` and ``maps`` take it as it is.

    Attributes
    ----------
    study : mapping
        ``name, crs, resolution_m, synthetic, notices, map_approval_no`` ... of the study.
    parameters : mapping
        Every setting used, defaults included.
    inputs : tuple of mapping
        ``layer, file, bytes, sha256, encoding, crs, datum, rows_in, rows_kept, rows_refused`` per file.
    surface : Surface
    before, after : Coverage
        Existing stations alone, and with the proposed sites.
    demand : ndarray
        float32 (row, col): people (or floor area, see ``demand_kind``) per pixel.
    demand_kind : str
        ``people``, ``floor_area_m2`` or ``area_m2``.
    boundary : GeoDataFrame
    villages, zones : GeoDataFrame
        Areas results, one row per area, with ``_before`` and ``_after`` columns.
    gaps_before, gaps_after : GeoDataFrame
        Gap polygons, ranked.
    sites : GeoDataFrame
        ONE sites table: ``status`` existing | candidate | proposed | refused.
    selection : Selection
        Order of choice, gains, bound.
    indicators : mapping
        ``{"before": {...}, "after": {...}}``.
    ledger : InputLedger
    context : mapping of str -> GeoDataFrame
        Layers kept for the map and joins (towns, roads, water, ...).
    rules : mapping of str to Rule
        Every rule by id, those of the study with them.
    results : mapping of str to DataFrame
        Further tables of indicators by name, see DESIGN.md; those that the study gives nothing for are absent.
    opening : Opening or None
        The opening ledger of public venues; None where it was not made.
    letters : tuple of Letter
        One letter for each department that answers for proposed venues.
    letter_template : bytes or None
        The city's own template of the letters; the package's when None.
    exposure : Exposure or None
        Screening of the sensitive buildings near proposed sites (predicted, no environmental assessment); None where
        it was not made.
    profile_files : mapping of str to bytes
        The bureau's profiles of exchange layers by file name, as they are.
    certificate : Certificate or None
        What the choice and its bound are recounted from.
    spot : SpotFacts or None
        What single reaches are recomputed from.
    secret_rows : mapping of str to mapping of str to str
        Layer -> id -> name of its rows that the list of secret units means, whatever sites came of them.
    timings, versions : mapping
        Seconds by stage; versions of siteplan and its libraries.
    """

    study: Mapping[str, Any]
    parameters: Mapping[str, Any]
    inputs: tuple[Mapping[str, Any], ...]
    surface: Surface
    before: Coverage
    after: Coverage
    demand: np.ndarray
    demand_kind: str
    boundary: gpd.GeoDataFrame
    villages: gpd.GeoDataFrame
    zones: gpd.GeoDataFrame
    gaps_before: gpd.GeoDataFrame
    gaps_after: gpd.GeoDataFrame
    sites: gpd.GeoDataFrame
    selection: Selection
    indicators: Mapping[str, Any]
    ledger: InputLedger
    context: Mapping[str, gpd.GeoDataFrame] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    exposure: Exposure | None = None
    rules: Mapping[str, Rule] = field(default_factory=load_rules)
    results: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    opening: Opening | None = None
    letters: tuple[Letter, ...] = ()
    letter_template: bytes | None = None
    profile_files: Mapping[str, bytes] = field(default_factory=dict)
    certificate: Certificate | None = None
    spot: SpotFacts | None = None
    secret_rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def proposed(self) -> gpd.GeoDataFrame:
        """The proposed sites, in order of choice."""
        chosen = self.sites[self.sites["status"] == "proposed"]
        return chosen.sort_values("rank_no")
