"""What organisations are scored by, from the tables of a register: each value with what it was divided from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd

from siteplan.register.duties._columns import days, numbers, texts
from siteplan.register.duties.cases import case_sums, case_table, report_in_sums
from siteplan.register.duties.sums import task_sums
from siteplan.register.duties.tasks import task_table
from siteplan.register.duties.venue_stands import open_violations, venue_stands
from siteplan.tables import read_table

Tables = Mapping[str, pd.DataFrame]
Parts = tuple[pd.Series, pd.Series]
"""Numerator and denominator by organisation."""


def department_parts(tables: Tables, as_of: dt.date) -> dict[str, Parts]:
    """Parts of each indicator of departments."""
    sums = task_sums(tables["tasks"], as_of, "organisation")
    reports = report_in_sums(tables["cases"], as_of)
    venues = tables["venues"]
    stands = venue_stands(venues, tables["decisions"], as_of, tables["sites"])
    owner = texts(venues, "department")
    asked = stands != "idle"
    return {
        "task_rate": (sums["due_done"], sums["due"]), "on_time_rate": (sums["due_on_time"], sums["due"]),
        "venue_rate": (_count(owner[stands == "agreed"]), _count(owner[asked])),
        "disputes": _disputes(tables, stands, as_of), "reply_rate": _replies(tables["tasks"], as_of),
        "report_rate": (reports["reported"], reports["reported"] + reports["missed"])}


def enterprise_parts(tables: Tables, as_of: dt.date, progress: pd.DataFrame | None) -> dict[str, Parts]:
    """Parts of each indicator of enterprises."""
    sites, builder = tables["sites"], texts(tables["sites"], "enterprise")
    sums = task_sums(tables["tasks"], as_of, "organisation")
    on_air, of_year = on_air_by(sites, as_of), _of_year(sites, as_of)
    planned = numbers(sites, "capex_yuan").where(of_year & (numbers(sites, "capex_yuan") > 0))
    spent = numbers(sites, "invested_yuan").fillna(0.0).clip(upper=planned).where(planned.notna())
    filed = on_air & texts(sites, "environment").isin(["done", "not_needed"])
    return {
        "quota_rate": _quota_parts(progress, "organisation"),
        "year_rate": (_count(builder[of_year & on_air]), _count(builder[of_year])),
        "money_rate": (spent.groupby(builder).sum(), planned.groupby(builder).sum()),
        "task_rate": (sums["due_done"], sums["due"]),
        "filing_rate": (_count(builder[filed]), _count(builder[on_air]))}


def county_parts(tables: Tables, as_of: dt.date, progress: pd.DataFrame | None) -> dict[str, Parts]:
    """Parts of each indicator of counties; ``village_gain`` is no share, its denominator is 1."""
    sites, county = tables["sites"], texts(tables["sites"], "county")
    free = (tables["sites"]["is_free"].astype("boolean").fillna(False).astype("bool") if "is_free" in sites
            else pd.Series(False, index=sites.index)) & ~_withdrawn(sites, as_of)
    sums = task_sums(_with_county(tables), as_of, "county")
    cases = case_sums(tables["cases"], as_of, "county")
    table = case_table(tables["cases"], as_of)
    hard = texts(table, "kind") == "hard_site"
    solved = hard & (table["status"] == "closed") & (texts(table, "outcome") != "dropped")
    gain = village_gain(tables["indicators"], as_of)
    return {
        "quota_rate": _quota_parts(progress, "area"), "village_gain": (gain, gain.notna().astype("float64")),
        "case_rate": (cases["in_time"], cases["decided"]),
        "free_rate": (_count(county[free & on_air_by(sites, as_of)]), _count(county[free])),
        "hard_rate": (_count(table["county"][solved]), _count(table["county"][hard])),
        "task_rate": (sums["due_done"], sums["due"])}


def on_air_by(sites: pd.DataFrame, as_of: dt.date) -> pd.Series:
    """Sites that are on air, and were by a day: by ``on_air_on``, else by the day of the state."""
    day = days(sites, "on_air_on").fillna(days(sites, "state_on"))
    return (texts(sites, "state") == "on_air") & ~(day > pd.Timestamp(as_of))


def village_gain(indicators: pd.DataFrame, as_of: dt.date) -> pd.Series:
    """How much the village rate of each county rose: the last value of today's network, less an earlier one.

    The earlier one is the last before the year of the day, else the first. Only what stands today is compared
    (``now``), judged by one rule; planned values are predictions and no merit. NaN where there is only one value, or
    two rules.
    """
    key = read_table("scores")["facts"]["village_rate"]
    names = (key, read_table("register_sync")["indicators"][key]["zh"])  # a plan that was merged has the latter
    is_wanted = (texts(indicators, "level") == "county") & texts(indicators, "name").isin(names)
    rows = indicators[(is_wanted & (days(indicators, "day") <= pd.Timestamp(as_of))).to_numpy(bool)]
    table = pd.DataFrame({"area": texts(rows, "area"), "day": days(rows, "day"), "now": numbers(rows, "now"),
                          "rule": texts(rows, "rule")}).dropna(subset=["now"]).sort_values("day", kind="stable")
    out = {}
    for area, group in table.groupby("area", sort=True):
        last, earlier = group.iloc[-1], group[group["day"] < pd.Timestamp(as_of.year, 1, 1)]
        base = earlier.iloc[-1] if len(earlier) else group.iloc[0]
        same = last["rule"] == base["rule"] and last["day"] > base["day"]
        out[str(area)] = float(last["now"] - base["now"]) if same else float("nan")
    return pd.Series(out, dtype="float64")


def _count(names: pd.Series) -> pd.Series:
    return names.value_counts().astype("float64")


def _withdrawn(sites: pd.DataFrame, as_of: dt.date) -> pd.Series:
    return (texts(sites, "state") == "withdrawn") & ~(days(sites, "state_on") > pd.Timestamp(as_of))


def _of_year(sites: pd.DataFrame, as_of: dt.date) -> pd.Series:
    return (numbers(sites, "phase_year") == as_of.year) & ~_withdrawn(sites, as_of)


def _with_county(tables: Tables) -> pd.DataFrame:
    """Tasks with the county whose they are: that of the lead organisation, a county or one of its towns."""
    known = tables["organisations"]
    kinds, names = texts(known, "kind"), texts(known, "name")
    own = names.where(kinds == "county", texts(known, "county").where(kinds == "town", ""))
    home = dict(zip(names, own, strict=True))
    led = [home.get(name, "") for name in texts(tables["tasks"], "organisation")]
    return pd.DataFrame(tables["tasks"]).assign(county=pd.array(led, dtype="str"))


def _disputes(tables: Tables, stands: pd.Series, as_of: dt.date) -> Parts:
    """Venues that refuse and complaints that are open; only for departments with venues, the denominator is 1."""
    venues, owner = tables["venues"], texts(tables["venues"], "department")
    charged = open_violations(tables["fees"], venues, as_of, tables["sites"])
    refused = _count(owner[stands == "refused"])
    complained = _count(charged.map(owner).astype("str"))
    every = sorted({*owner.unique(), *complained.index} - {""})
    return (refused.reindex(every, fill_value=0.0) + complained.reindex(every, fill_value=0.0),
            pd.Series(1.0, index=pd.Index(every, dtype="str")))


def _replies(tasks: pd.DataFrame, as_of: dt.date) -> Parts:
    """Tasks whose last reminder was answered in its term, of those answered or past the term."""
    table = task_table(tasks, as_of)
    table = table[table["status"] != "cancelled"]
    reminded, replied = days(table, "reminded_on", as_of), days(table, "replied_on", as_of)
    limit = days(table, "reply_by")
    in_time = (replied >= reminded) & (replied <= limit)
    decided = reminded.notna() & (in_time | (limit < pd.Timestamp(as_of)))
    owner = texts(table, "organisation")
    return _count(owner[in_time & decided]), _count(owner[decided])


def _quota_parts(progress: pd.DataFrame | None, column: str) -> Parts:
    """Sum over quotas of done against what should be done by now (1 at most), and their number."""
    if progress is None:
        return pd.Series(dtype="float64"), pd.Series(dtype="float64")
    table = progress[(texts(progress, "level") == "county").to_numpy(bool)] if column == "area" else progress
    wanted = numbers(table, "value") * numbers(table, "plan_share")
    ratio = (numbers(table, "done") / wanted.where(wanted > 0)).clip(upper=1.0).dropna()
    names = texts(table, column)[ratio.index]
    return ratio.groupby(names).sum(), _count(names)
