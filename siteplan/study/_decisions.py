"""Decisions of meetings in the choice of a scene: what has to be in, in which year, and what became of every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import geopandas as gpd
import pandas as pd

from siteplan.candidates.rules.secrecy_list import secret_sites
from siteplan.decisions import Decisions, comment_table, decision_effects, kept_groups, site_years
from siteplan.input_ledger import InputLedger
from siteplan.study._scene import Scene

TOLD_HERE = ("保留", "禁用", "移动", "年度")
"""Actions of which a ledger line tells that they were not followed; the others are told by the opening ledger."""
_ENCODING = "utf-8-sig"


def kept_candidates(scene: Scene, sites: gpd.GeoDataFrame) -> tuple[tuple[str, ...], ...]:
    """Open candidates that meetings keep: of each group at least one is in the plan.

    A group of one is a locked candidate; of a group of several (roof and land of one venue) any one will do. See
    :func:`siteplan.decisions.kept_groups`.
    """
    return kept_groups(scene.decisions, sites)


def fixed_years(scene: Scene, sites: gpd.GeoDataFrame, years: Sequence[int]) -> Mapping[str, int]:
    """Year in which an open candidate is built if it is chosen at all; years outside of the plan fix nothing.

    Parameters
    ----------
    scene : Scene
    sites : GeoDataFrame
        The sites table before the choice.
    years : sequence of int
        Years of the phases; none = nothing is fixed.
    """
    status = sites["status"]
    return MappingProxyType({site_id: year for site_id, year in sorted(site_years(scene.decisions, sites).items())
                             if year in years and status[site_id] == "candidate"})


def with_build_years(scene: Scene, sites: gpd.GeoDataFrame, built: Mapping[str, int] | None = None,
                     ) -> gpd.GeoDataFrame:
    """The sites table after the choice with ``build_year`` of the proposed sites.

    Parameters
    ----------
    scene : Scene
    sites : GeoDataFrame
    built : mapping of str to int, optional
        Year of each proposed site by the phases of the plan; without phases the year of a decision is noted, 0 = none.
    """
    decided = built if built is not None else site_years(scene.decisions, sites)
    proposed = (sites["status"] == "proposed").to_numpy(dtype=bool)
    years = pd.Series([decided.get(str(site_id), 0) for site_id in sites.index], index=sites.index, dtype="int64")
    return sites.assign(build_year=years.where(proposed, 0))


def effects_of(scene: Scene, sites: gpd.GeoDataFrame, years: Sequence[int] = ()) -> pd.DataFrame:
    """What became of every row of the decisions table; rows that were not followed have a ledger line.

    Parameters
    ----------
    scene : Scene
        Its ledger takes a note for each row of ``TOLD_HERE`` that the plan does not follow and that reading has not
        told of already, and one for phases in years that are past.
    sites : GeoDataFrame
        The sites table of the plan, with ``build_year``.
    years : sequence of int
        Years of the phases.

    Returns
    -------
    DataFrame
        See :func:`siteplan.decisions.decision_effects`; no row where the study has no decisions.
    """
    facilities, listed = scene.tables["facilities"], scene.tables["secrecy"]
    secret = facilities.index[secret_sites(listed, facilities)].astype("str") if len(listed) else ()
    effects = decision_effects(scene.decisions, sites, years=years, known=frozenset(facilities.index.astype("str")),
                               secret=frozenset(secret))
    tell_effects(effects, scene.decisions, scene.ledger)
    tell_past_years(scene, years)
    return effects


def tell_effects(effects: pd.DataFrame, decisions: Decisions, ledger: InputLedger) -> None:
    """A note for each decision of a meeting that means a site and was not followed."""
    for row, told in zip(decisions.every, effects.itertuples(), strict=True):
        if row.note or told.followed or not told.site_ids or told.action not in TOLD_HERE:
            continue
        ledger.add("decisions", row.file, row.row, "action", told.action, "note", told.effect, "核对决定，需要时改写这一行")


def tell_past_years(scene: Scene, years: Sequence[int]) -> None:
    """A note where phases lie in years before that of the day on which the study is judged."""
    as_of = scene.params.study.as_of
    past = [] if as_of is None else [str(year) for year in sorted(years) if year < as_of.year]
    if past:
        scene.ledger.add("study", "", "selection", "phases.years", "、".join(past), "note",
                         f"分期年度 {'、'.join(past)} 已早于研究日期 {as_of}", "核对 selection.phases.years 和 study.as_of")


def write_comments(decisions: Decisions, path: Path) -> None:
    """Write decisions as the comments of the review map are: CSV in UTF-8 with BOM, read by the layer ``decisions``."""
    comment_table(decisions.every).to_csv(path, index=False, encoding=_ENCODING, lineterminator="\n")
