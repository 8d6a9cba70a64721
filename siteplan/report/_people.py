"""Who did what: tasks, cases and sites by department, county, enterprise and town."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from siteplan.register.duties import case_sums, case_table, lights, report_in_sums, task_sums, task_table
from siteplan.report._counting import counts_by, texts_of
from siteplan.report._sites import CITY_LEVEL, NO_AREA, filled, place_order, state_counts
from siteplan.report._towns import name_of, town_keys
from siteplan.report.period import Period

DEPARTMENT_KINDS = ("department", "office", "group")
TASK_COUNTS = ("total", "done", "done_in_period", "open", "late", "blocked", "overdue", "due", "due_done")
CASE_COUNTS = ("opened_in_period", "closed_in_period", "open", "overdue", "level3")
NOT_NAMED = "未注明"
"""What the sums of tasks and cases say for no name."""


def placed(table: pd.DataFrame, organisations: pd.DataFrame) -> pd.DataFrame:
    """Tasks with the place of who answers where the row names none: a county's task lies in the county.

    What departments and enterprises of the city lead, and lies in no county or town, is of the city (`CITY_LEVEL`).
    """
    kind = dict(zip(organisations["name"], organisations["kind"], strict=True))
    home = dict(zip(organisations["name"], organisations["county"], strict=True))
    lead = [(str(name), kind.get(name, "")) for name in texts_of(table["organisation"])]
    towns = pd.Series([name if of == "town" else None for name, of in lead], index=table.index, dtype="object")
    town = table["town"].astype("object").where(table["town"].notna(), towns)
    counties = [name if of == "county" else home[name] if of == "town" else CITY_LEVEL if of and no_town else None
                for (name, of), no_town in zip(lead, town.isna(), strict=True)]
    county = table["county"].astype("object").where(
        table["county"].notna(), pd.Series(counties, index=table.index, dtype="object"))
    return table.assign(county=county, town=town)


def task_rows(tasks: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Tasks with their status on the last day of a period; those called off are left out."""
    out = task_table(tasks, period.last, since=period.first)
    return out[out["status"] != "cancelled"].assign(county=filled(out["county"]), town=filled(out["town"]))


def case_rows(cases: pd.DataFrame, organisations: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Cases with their status on the last day of a period."""
    out = case_table(cases, period.last, organisations, since=period.first)
    return out.assign(county=filled(out["county"]), town=filled(out["town"]))


def duties_of(tasks: pd.DataFrame, cases: pd.DataFrame, period: Period) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts of tasks of every organisation, and its light: made once for the tables of all kinds."""
    return _tasks(tasks, "organisation", period), lights(tasks, cases, period.last, "organisation")


def organisation_rows(kinds: Sequence[str], column: Literal["department", "enterprise"],
                      held: Mapping[str, pd.DataFrame], duties: tuple[pd.DataFrame, pd.DataFrame], sites: pd.DataFrame,
                      refusals: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Organisations of some kinds: tasks (``duties`` of all), sites on their venues or built by them, light."""
    names, cases = _names(held["organisations"], kinds), held["cases"]
    parts = [duties[0], state_counts(sites, column)]
    if column == "enterprise":
        parts.append(_cases(cases, "enterprise", period))
    else:
        parts.append(report_in_sums(cases, period.last)[["called", "reported", "missed"]])
        parts.append(counts_by(refusals, "department", {"refusals": (refusals["action"] == "refused").to_numpy(bool)}))
    return _beside(names, parts, duties[1])


def county_rows(organisations: pd.DataFrame, tasks: pd.DataFrame, cases: pd.DataFrame, sites: pd.DataFrame,
                period: Period) -> pd.DataFrame:
    """Counties: tasks that lie in them, sites by state, cases, light."""
    parts = [_tasks(tasks, "county", period), state_counts(sites, "county"), _cases(cases, "county", period)]
    names = set(_names(organisations, ("county",))).union(*(part.index for part in parts)) - {""}
    ordered = sorted(names, key=place_order)
    return _beside(ordered, parts, _by_name(lights(tasks, cases, period.last, "county")))


def town_rows(homes: Mapping[str, str], organisations: pd.DataFrame, tasks: pd.DataFrame, cases: pd.DataFrame,
              sites: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Towns, those of one name in two counties apart: as `county_rows`, with the county beside and ``town_key``."""
    keyed = [table.assign(town=town_keys(table, homes)) for table in (tasks, cases, sites)]
    held, told, there = keyed
    parts = [_tasks(held, "town", period), state_counts(there, "town"), _cases(told, "town", period)]
    known = organisations[organisations["kind"] == "town"].assign(town=lambda rows: rows["name"])
    keys = set().union(*(part.index for part in parts)) - {""}
    told_of = {name_of(key)[1] for key in keys}
    keys |= {key for key in town_keys(known, homes) if name_of(key)[0] or name_of(key)[1] not in told_of}
    out = _beside(sorted(keys, key=lambda key: (key == NO_AREA, *reversed(name_of(key)))), parts,
                  _by_name(lights(held, told, period.last, "town")))
    places = [name_of(str(key)) for key in out["name"]]
    out = out.rename(columns={"name": "town_key"})
    out.insert(0, "name", [town for _, town in places])
    out.insert(1, "county", [county for county, _ in places])
    return out


def _tasks(tasks: pd.DataFrame, by: Literal["organisation", "county", "town"], period: Period) -> pd.DataFrame:
    out = task_sums(tasks, period.last, by, since=period.first)[list(TASK_COUNTS)]
    return _by_name(out).rename(columns={name: f"tasks_{name}" for name in TASK_COUNTS})


def _cases(cases: pd.DataFrame, by: Literal["county", "town", "enterprise"], period: Period) -> pd.DataFrame:
    out = case_sums(cases, period.last, by, since=period.first)[list(CASE_COUNTS)]
    return _by_name(out).rename(columns={name: f"cases_{name}" for name in CASE_COUNTS})


def _by_name(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each name; what has no town may lie in several counties, and is put together."""
    out = table.rename(index={NOT_NAMED: NO_AREA})
    if not out.index.has_duplicates:
        return out
    numbers = out.select_dtypes("number").groupby(level=0, sort=True).sum()
    if "light" not in out:
        return numbers
    worst = out.sort_values("light", key=lambda lamps: lamps.map(_LIGHT_ORDER), kind="stable")
    return worst[~worst.index.duplicated(keep="last")][["light", "reasons"]]


_LIGHT_ORDER: Mapping[str, int] = {"green": 0, "yellow": 1, "red": 2}


def _beside(names: Sequence[str], parts: Sequence[pd.DataFrame], lamps: pd.DataFrame) -> pd.DataFrame:
    """Counts beside each other, the share of due tasks that are done, the light with what it rests on."""
    out = pd.DataFrame(index=pd.Index(list(names), dtype="str", name="name"))
    for part in parts:
        out = out.join(part.reindex(out.index).fillna(0).astype("int64"))
    due = out["tasks_due"].where(out["tasks_due"] > 0)
    out["rate"] = out["tasks_due_done"] / due
    out["light"] = lamps["light"].reindex(out.index).fillna("").to_numpy(object)
    out["light_reason"] = lamps["reasons"].reindex(out.index).fillna("").to_numpy(object)
    return out.reset_index()


def _names(organisations: pd.DataFrame, kinds: Sequence[str]) -> list[str]:
    """Names of organisations of some kinds, in the order of kinds, then of the register."""
    return [str(name) for kind in kinds for name in organisations["name"][organisations["kind"] == kind]]
