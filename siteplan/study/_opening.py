"""The opening of public venues under a plan: the ledger, and the tables of poles, sharing, refusals and preference."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.kinds.pole_leases import lease_tables
from siteplan.candidates.kinds.sharing import sharing_table
from siteplan.candidates.rules.place_rules import refusal_counts
from siteplan.candidates.rules.rule_table import site_rules
from siteplan.candidates.rules.secrecy_list import secret_sites, unmatched
from siteplan.coverage._exposure import Exposure, site_exposure
from siteplan.opening import NO_SECRECY_LIST, Opening, build_opening
from siteplan.selection import Selection
from siteplan.study._scene import Scene

SECRET_LAYERS = {"works": "works", "planned_buildings": "planned", "restricted": "restricted", "buildings": "building",
                 "zones": "zone", "units": "unit"}
"""Layers whose rows are held against the list of secret units, with what their places are called in site ids.

Villages, towns and counties are not: they are where everything is counted, and no secret unit.
"""


def open_venues(scene: Scene, sites: gpd.GeoDataFrame, exposure: Exposure) -> Opening:
    """The opening ledger of a plan; secret units are marked, so that the public list leaves them out.

    Without a list of secret units nothing is marked or taken for checked: the ledger and the public list say so.
    """
    facilities, listed = scene.tables["facilities"], scene.tables["secrecy"]
    _tell_secrecy(scene, sites)
    _tell_later_hard(scene)
    if len(listed):
        facilities = facilities.assign(secret=secret_sites(listed, facilities))
    flag_words = {code: rule.zh for code, rule in site_rules(scene.params.candidates.rules).items()}
    return build_opening(sites, facilities, scene.decisions, scene.venues, scene.params.study.as_of,
                         screening=site_exposure(exposure)["flag"].to_dict(), flag_words=flag_words,
                         ledger=scene.ledger)


def _tell_secrecy(scene: Scene, sites: gpd.GeoDataFrame) -> None:
    """A ledger line for each row of the list of secret units without effect, by its number alone; or for no list."""
    listed = scene.tables["secrecy"]
    if listed.empty:
        if len(scene.tables["facilities"]):
            scene.ledger.add("secrecy", "", "", "", "", "note", NO_SECRECY_LIST, "提供涉密单位名单（图层 secrecy）")
        return
    tables = {"facility": scene.tables["facilities"], "sites": sites,
              **{source: scene.tables[layer] for layer, source in SECRET_LAYERS.items() if layer in scene.tables}}
    for row in unmatched(listed, tables).itertuples():
        scene.ledger.add("secrecy", row.source_file, row.source_row, "id", "", "note",
                         f"名单第 {row.source_row} 行没有对上任何设施或站址，未起作用", "核对编号和单位名称")


def _tell_later_hard(scene: Scene) -> None:
    """A ledger line for each hard site of a day after that of the study: how long it is one is not told."""
    day = scene.params.study.as_of
    for row in scene.decisions.of("hard", overruled=True):
        if day is not None and row.date is not None and row.date > day:
            scene.ledger.add("decisions", row.file, row.row, "date", row.date.isoformat(), "assumed",
                             f"登记日期晚于研究日期 {day.isoformat()}，不计已历天数", "核对日期")


def candidate_tables(scene: Scene, context: CandidateContext, sites: gpd.GeoDataFrame, selection: Selection,
                     ) -> dict[str, pd.DataFrame]:
    """Tables of the plan on its candidates, by their name in ``Plan.results``.

    ``refusal_counts``, ``pole_leases``, ``pole_shares``, ``sharing``, ``preference``, ``preference_curve``.
    """
    params = scene.params
    leases = lease_tables(scene.tables["poles"], params.candidates, params.study.as_of, scene.tables["towns"])
    found = {"refusal_counts": refusal_counts(sites, site_rules(params.candidates.rules)), **leases}
    if len(scene.tables["stations"]):
        found["sharing"] = sharing_table(context)
    if selection.price is not None:
        found |= {"preference": selection.price.table, "preference_curve": selection.price.curve}
    return found
