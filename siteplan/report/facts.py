"""The facts of a report: tables and numbers of one cut-off, from which every sheet, letter and map is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import pyproj

from siteplan.register import Register
from siteplan.register.snapshots import snapshot_sentences
from siteplan.report._changes import changed_rows
from siteplan.report._lists import blocked_rows, indicator_rows, milestone_rows, worst_rows, year_plan_rows
from siteplan.report._numbers import report_numbers
from siteplan.report._people import (
    DEPARTMENT_KINDS,
    case_rows,
    county_rows,
    duties_of,
    organisation_rows,
    placed,
    task_rows,
    town_rows,
)
from siteplan.report._scores import score_tables
from siteplan.report._sites import investment_rows, library_rows, phase_rows, progress_rows, site_facts, site_rows
from siteplan.report._towns import town_homes, town_keys
from siteplan.report._venues import fee_rows, refusal_rows
from siteplan.report._warnings import state_warnings
from siteplan.report.period import Period, period_of
from siteplan.report.reading import RegisterState, register_states

if TYPE_CHECKING:
    from siteplan.export.master import PlanLayers
    from siteplan.register.duties import Reminder


@dataclass(frozen=True)
class ReportFacts:
    """What a report says.

    Attributes
    ----------
    city : str
    period : Period
    last_event : int
        Number of the last event that is dated up to the cut-off: two reports of one number say the same.
    late_entries : int
        Completions entered after the cut-off that are dated up to it; they count.
    crs : pyproj.CRS
    sites : GeoDataFrame
        Sites of the library with flags.
    tables : mapping of str to DataFrame
        By the keys of ``tables/report_sheets.toml``.
    numbers : mapping of str to float
        What the sentences say; NaN where it cannot be told.
    reminders : tuple of Reminder
        Letters that are due.
    areas : mapping of str to GeoDataFrame
        Outlines ``boundary, counties, towns`` of the plan; empty without one.
    warnings : tuple of str
        What a reader of the whole report must know first, such as that nothing was entered by the cut-off.
    notes : mapping of str to tuple of str
        Sentences above single tables.
    notices : tuple of str
        What every output of the latest plan carries, such as that its data are invented.
    """

    city: str
    period: Period
    last_event: int
    late_entries: int
    crs: pyproj.CRS
    sites: gpd.GeoDataFrame
    tables: Mapping[str, pd.DataFrame]
    numbers: Mapping[str, float]
    reminders: tuple[Reminder, ...]
    areas: Mapping[str, gpd.GeoDataFrame]
    warnings: tuple[str, ...]
    notes: Mapping[str, tuple[str, ...]]
    notices: tuple[str, ...] = ()


def report_facts(register: Register, as_of: dt.date, plan: PlanLayers | None = None, previous: dt.date | None = None,
                 ) -> ReportFacts:
    """Everything that a report of a cut-off says.

    Parameters
    ----------
    register : Register
        Is not changed.
    as_of : date
        The cut-off: what is dated on it counts, the day after does not.
    plan : PlanLayers, optional
        Outlines for the maps.
    previous : date, optional
        The cut-off that changes are told against; the last day before the half-year when absent.

    Returns
    -------
    ReportFacts

    Raises
    ------
    RegisterError
        The register cannot be read, or another program changed rows of it.

    Examples
    --------
    >>> report_facts(register, dt.date(2026, 6, 30)).numbers["late"]  # doctest: +SKIP
    3.0
    """
    period = period_of(as_of)
    earlier = previous or period.before
    states = register_states(register, {as_of: (), earlier: ("sites",)})
    return facts_of(states[as_of], period, states[earlier], plan, earlier_notes(register, states[as_of], earlier))


def earlier_notes(register: Register, state: RegisterState, earlier: dt.date) -> tuple[str, ...]:
    """What was entered late about the time before an earlier cut-off, where a snapshot of that day was kept."""
    kept = state.tables["snapshots"]
    names = kept["name"][kept["day"] == pd.Timestamp(earlier)].dropna()
    return snapshot_sentences(register, [str(name) for name in names])


def facts_of(state: RegisterState, period: Period, before: RegisterState, plan: PlanLayers | None = None,
             late: tuple[str, ...] = ()) -> ReportFacts:
    """The facts of a state that was read, for a period that ends with it; ``before``: the earlier cut-off.

    ``late`` are sentences about it.
    """
    from siteplan.register.duties import reminders_due

    held = state.tables
    sites = site_facts(held["sites"], period)
    sites = sites.assign(town_key=town_keys(sites, _homes(held)))
    unlisted = len(held["sites"]) - len(sites)
    tables = _duty_tables(held, sites, period)
    tables |= _site_tables(held, sites, period, None if plan is None else plan.layers.get("gaps"))
    tables |= _place_tables(held, tables, sites, period)
    scores = score_tables(held, tables["quotas"].set_index("id"), period.last)
    weak = [table for table in (tables["worst"], scores.pop("score_worst")) if len(table)]
    tables |= {**scores, "worst": pd.concat(weak, ignore_index=True) if weak else tables["worst"]}
    tables["changes"] = changed_rows(gpd.GeoDataFrame(before.tables["sites"]), gpd.GeoDataFrame(held["sites"]))
    tables["year_plan"] = year_plan_rows(tables["tasks"], sites, tables["quotas"], period.plan_year)
    reminders = reminders_due(held["tasks"], held["organisations"], period.last, decisions=held["decisions"])
    areas = {name: plan.layers[name] for name in ("boundary", "counties", "towns")
             if plan is not None and name in plan.layers}
    numbers = report_numbers(tables, sites, period, len(reminders)) | {"sites_unlisted": unlisted}
    return ReportFacts(state.city, period, state.last_event, state.late_entries, state.crs,
                       gpd.GeoDataFrame(sites, geometry="geometry", crs=state.crs), MappingProxyType(tables),
                       MappingProxyType(numbers), tuple(reminders), MappingProxyType(areas),
                       state_warnings(state), MappingProxyType({"changes": _changes_notes(before, late)}),
                       _notices(held["plans"]))


def _notices(plans: pd.DataFrame) -> tuple[str, ...]:
    """Notices of the plan that was brought in last."""
    told = plans.sort_values("day", kind="stable")["notices"].dropna() if "notices" in plans else pd.Series(dtype="str")
    return tuple(str(told.iloc[-1]).split("\n")) if len(told) else ()


def _changes_notes(before: RegisterState, late: tuple[str, ...]) -> tuple[str, ...]:
    """Against which day changes are told, and what was entered late about it."""
    return (f"比较基准:{before.as_of} 当天的站址(按现在的登记)", *late)


def _duty_tables(held: Mapping[str, pd.DataFrame], sites: pd.DataFrame, period: Period) -> dict[str, pd.DataFrame]:
    """Tasks and cases with their status, what is overdue and blocked, refusals and fees."""
    from siteplan.register.duties import escalation_due, hard_site_table, overdue_tasks

    organisations = held["organisations"]
    tasks = task_rows(placed(held["tasks"], organisations), period)
    cases = case_rows(held["cases"], organisations, period)
    homes = _homes(held)
    tasks, cases = (table.assign(town_key=town_keys(table, homes)) for table in (tasks, cases))
    refusals = refusal_rows(held["decisions"], held["venues"], held["sites"], period)
    return {
        "tasks": tasks.reset_index(names="id"), "cases": cases.reset_index(names="id"),
        "overdue": overdue_tasks(held["tasks"], period.last).reset_index(names="id"),
        "blocked": blocked_rows(tasks, sites),
        "escalations": escalation_due(held["cases"], period.last, organisations).reset_index(names="id"),
        "hard_sites": hard_site_table(held["cases"], held["sites"], period.last),
        "refusals": refusals.assign(town_key=town_keys(refusals, homes)),
        "fees": fee_rows(held["fees"], held["venues"], held["sites"], period),
    }


def _homes(held: Mapping[str, pd.DataFrame]) -> Mapping[str, str]:
    """The county of every town that only one county has."""
    towns = held["organisations"][held["organisations"]["kind"] == "town"]
    named = [held[name] for name in ("sites", "venues", "tasks", "cases")]
    return town_homes([towns.assign(town=towns["name"]), *named])


def _site_tables(held: Mapping[str, Any], sites: pd.DataFrame, period: Period, gaps: gpd.GeoDataFrame | None,
                 ) -> dict[str, pd.DataFrame]:
    """The reserve library, quotas and milestones, joint works."""
    from siteplan.register.quotas import milestones_due, quota_progress
    from siteplan.register.works import demand_list, match_works, owner_table

    quotas = quota_progress(held["quotas"], held["sites"], held["reports"], period.last, milestones=held["milestones"],
                            cases=held["cases"])
    matches = match_works(held["sites"], held["links"], held["works"], period.last, decided=held["joint_matches"])
    steps = milestones_due(held["milestones"], held["sites"], period.last, held["venues"])
    demands = demand_list(held["works"], held["sites"], held["links"], period.last, decided=held["joint_matches"],
                          gap_areas=gaps, matches=matches)
    return {
        "library": library_rows(sites), "progress": progress_rows(sites), "investment": investment_rows(sites),
        "phases": phase_rows(sites), "quotas": quotas.reset_index(names="id"),
        "milestones": milestone_rows(steps, period),
        "on_air_sites": site_rows(sites[sites["is_now"]]).sort_values(["on_air_on", "id"]),
        "late_sites": site_rows(sites[sites["is_late"]]).sort_values(["due_on", "id"]),
        "joint_works": matches, "works_owners": owner_table(matches), "demands": demands.reset_index(names="work_id"),
        "indicators": indicator_rows(held["indicators"], period.last),
    }


def _place_tables(held: Mapping[str, pd.DataFrame], tables: Mapping[str, pd.DataFrame], sites: pd.DataFrame,
                  period: Period) -> dict[str, pd.DataFrame]:
    """Departments, counties, enterprises, towns, and the weakest of them."""
    organisations, cases, refusals = held["organisations"], held["cases"], tables["refusals"]
    tasks = placed(held["tasks"], organisations)
    duties, homes = duties_of(tasks, cases, period), _homes(held)
    out = {
        "departments": organisation_rows(DEPARTMENT_KINDS, "department", held, duties, sites, refusals, period),
        "enterprises": organisation_rows(("enterprise",), "enterprise", held, duties, sites, refusals, period),
        "counties": county_rows(organisations, tasks, cases, sites, period),
        "towns": town_rows(homes, organisations, tasks, cases, sites, period),
    }
    return out | {"worst": worst_rows(tables["indicators"], out["counties"], out["towns"])}
