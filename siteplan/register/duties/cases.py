"""Whistle cases (企业吹哨、部门报到) and hard sites: how they stand on a day, at which level, who did not report in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from siteplan.register.duties._columns import (
    days,
    flags,
    half_year_start,
    parts_of,
    per_name,
    span,
    spelled_codes,
    texts,
    totals,
)
from siteplan.tables import read_table

STATUS_WORDS = {"closed": "已办结", "overdue": "超期", "open": "办理中"}
CaseKey = Literal["county", "town", "kind", "enterprise", "lead", "level", "cause"]


def case_levels() -> Mapping[int, Mapping[str, Any]]:
    """The levels of ``tables/cases.toml`` by their number: name, days, who leads.

    >>> sorted(case_levels()), case_levels()[3]["zh"]
    ([1, 2, 3], '领导小组协调')
    """
    return {int(entry["level"]): entry for entry in read_table("cases")["levels"]}


def case_table(cases: pd.DataFrame, as_of: dt.date, organisations: pd.DataFrame | None = None, *,
               since: dt.date | None = None) -> pd.DataFrame:
    """Cases as they stand at the end of a day: what is dated on the day counts, the day after does not.

    Parameters
    ----------
    cases : DataFrame
        Rows of the table ``cases``; as of the day, so that ``reported`` holds who had reported in by then.
    as_of : date
    organisations : DataFrame, optional
        Rows of that table: names of the city's office and leading group.
    since : date, optional
        First day of the period of the flags; that of the half-year when absent.

    Returns
    -------
    DataFrame
        The cases opened by the day, with

        * ``status``: closed, else overdue (longer at its level than the level's days), else open; ``status_zh``.
        * ``level`` and ``level_zh`` as of the day, ``level_since``, ``level_days`` (so far), ``level_limit``,
          ``handled_by`` (joined by ``|``): the lead of the case at level 1, who leads the level above.
        * ``age_days``: from the opening to the day, or to the closing; ``days_to_close`` of closed ones, else NaN.
        * ``days_to_report``: from the opening until all that were called had reported in, else NaN.
        * ``to_report``: called and not there yet; ``not_reported``: those of an open case past the term for it.
        * ``in_time``: True closed at level 1 within its days, False not so, NA not decided yet.
        * ``light``: red overdue; yellow when the level ends soon or somebody did not report in; green else.
        * ``opened_in_period``, ``closed_in_period``.

    Examples
    --------
    >>> cases = pd.DataFrame({"opened_on": ["2026-06-01"], "closed_on": ["2026-07-01"], "called": ["教育局"]})
    >>> case_table(cases, dt.date(2026, 6, 30))[["status", "level_days", "not_reported"]].values.tolist()
    [['overdue', 29, '教育局']]
    >>> case_table(cases, dt.date(2026, 7, 1))[["status", "days_to_close"]].values.tolist()
    [['closed', 30.0]]
    """
    day, first = pd.Timestamp(as_of), pd.Timestamp(since or half_year_start(as_of))
    out = pd.DataFrame(cases)[(days(cases, "opened_on") <= day).to_numpy(bool)].copy()
    opened, closed = days(out, "opened_on"), days(out, "closed_on", as_of)
    end = closed.fillna(day).astype("datetime64[us]")
    out = _with_level(out, as_of, end, organisations)
    is_closed = closed.notna()
    is_over = out["level_days"] > out["level_limit"]
    table = read_table("cases")["cases"]
    status = np.select([is_closed, is_over], ["closed", "overdue"], "open")
    out["status"] = pd.Series(status, index=out.index, dtype="str")
    out["status_zh"] = out["status"].map(STATUS_WORDS).astype("str")
    for name in ("kind", "cause", "outcome"):
        out[f"{name}_zh"] = spelled_codes("cases", name, texts(out, name))
    out["outcome_zh"] = out["outcome_zh"].where(is_closed, "").astype("str")
    out["age_days"] = span(end, opened).astype("int64")
    out["days_to_close"] = span(closed, opened)
    reported_on = days(out, "reported_on", as_of)
    missing = [tuple(name for name in parts_of(called) if name not in parts_of(there)) for called, there in zip(
        texts(out, "called"), texts(out, "reported").where(reported_on.notna(), ""), strict=True)]
    out["to_report"] = pd.Series(["|".join(names) for names in missing], index=out.index, dtype="str")
    is_complete = (out["to_report"] == "") & (texts(out, "called") != "")
    out["days_to_report"] = span(reported_on, opened).where(is_complete)
    is_past = ~is_closed & (out["age_days"] > table["report_days"])
    out["not_reported"] = out["to_report"].where(is_past, "").astype("str")
    is_soon = out["level_limit"] - out["level_days"] <= table["warn_days"]
    out["light"] = pd.Series(np.select([is_closed, is_over, is_soon | (out["not_reported"] != "")],
                                       ["green", "red", "yellow"], "green"), index=out.index, dtype="str")
    out["in_time"] = _in_time(out, is_closed)
    out["opened_in_period"], out["closed_in_period"] = opened >= first, closed >= first
    for name in ("lead", "county", "town", "enterprise", "title"):
        out[name] = texts(out, name)
    return out


def _with_level(cases: pd.DataFrame, as_of: dt.date, end: pd.Series, organisations: pd.DataFrame | None,
                ) -> pd.DataFrame:
    levels = case_levels()
    second, third = days(cases, "level2_on", as_of), days(cases, "level3_on", as_of)
    level = pd.Series(np.select([third.notna(), second.notna()], [3, 2], 1), index=cases.index, dtype="int64")
    start = third.fillna(second).fillna(days(cases, "opened_on")).astype("datetime64[us]")
    leads = {number: "|".join(leaders_of(number, organisations)) for number in levels}
    handled = level.map(leads).astype("str").where(level > 1, texts(cases, "lead"))
    return cases.assign(
        level=level, level_zh=level.map({number: entry["zh"] for number, entry in levels.items()}).astype("str"),
        level_since=start, level_days=span(end, start).astype("int64"),
        level_limit=level.map({number: entry["days"] for number, entry in levels.items()}).astype("int64"),
        handled_by=handled.astype("str"))


def leaders_of(level: int, organisations: pd.DataFrame | None = None) -> tuple[str, ...]:
    """Who leads a level above the first: organisations of its kind, else the words of ``tables/cases.toml``.

    >>> leaders_of(2)
    ('通信建设管理办公室', '工业和信息化局')
    """
    entry = case_levels()[level]
    found: list[str] = []
    if organisations is not None and entry["kind"]:
        found = sorted(texts(organisations, "name")[texts(organisations, "kind") == entry["kind"]])
    return (*(found or [entry["words"]]), *entry["with"])


def _in_time(table: pd.DataFrame, is_closed: pd.Series) -> pd.Series:
    """Closed at level 1 within its days; NA for what is still open within them."""
    first = (table["level"] == 1) & (table["level_days"] <= table["level_limit"])
    return (first & is_closed).astype("boolean").mask(first & ~is_closed)


def case_sums(cases: pd.DataFrame, as_of: dt.date, by: CaseKey, *, since: dt.date | None = None) -> pd.DataFrame:
    """Cases counted by county, town, kind, enterprise, lead, level or cause, as they stand at the end of a day.

    Returns
    -------
    DataFrame
        Index ``by`` (towns beside their county): ``total`` (= open + overdue + closed), ``open, overdue, closed``,
        ``level1, level2, level3`` (of those not closed), ``mean_days_to_close, max_days_to_close`` (NaN where none is
        closed), ``mean_days_to_report`` (NaN where nobody's reporting is complete), ``in_time,
        decided`` (cases that were in time or were not), ``opened_in_period, closed_in_period``.
    """
    table = case_table(cases, as_of, since=since)
    table = table.assign(**{name: texts(table, name) for name in ("kind", "cause")})
    is_live = table["status"] != "closed"
    marks = {"total": pd.Series(True, index=table.index),
             **{name: table["status"] == name for name in ("open", "overdue", "closed")},
             **{f"level{number}": is_live & (table["level"] == number) for number in case_levels()},
             "in_time": table["in_time"].fillna(False), "decided": table["in_time"].notna(),
             "opened_in_period": table["opened_in_period"], "closed_in_period": table["closed_in_period"]}
    counted = table.drop(columns="level").assign(**{name: mark.astype("int64") for name, mark in marks.items()})
    counted["level"] = table["level"].astype("str")
    columns: dict[str, Any] = {**totals(marks)}
    columns["mean_days_to_close"] = lambda group: float(group["days_to_close"].mean())
    columns["max_days_to_close"] = lambda group: float(group["days_to_close"].max())
    columns["mean_days_to_report"] = lambda group: float(group["days_to_report"].mean())
    out = per_name(counted, columns, by)
    return out.astype(dict.fromkeys(marks, "int64") | {name: "float64" for name in columns if name not in marks})


def mean_days_to_close(cases: pd.DataFrame, as_of: dt.date, since: dt.date | None = None) -> float:
    """Mean days from opening to closing of the cases closed by a day, from ``since`` on where given; NaN of none.

    >>> cases = pd.DataFrame({"opened_on": ["2026-06-01", "2026-06-10"], "closed_on": ["2026-06-11", None]})
    >>> mean_days_to_close(cases, dt.date(2026, 6, 30)), mean_days_to_close(cases, dt.date(2026, 6, 10))
    (10.0, nan)
    """
    table = case_table(cases, as_of, since=since)
    return float(table["days_to_close"][table["closed_in_period"] if since else slice(None)].mean())


def report_in_sums(cases: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """For every organisation that was called: how often, how often it came, and where it did not within the term.

    Returns
    -------
    DataFrame
        Index ``organisation``: ``called, reported, waiting`` (within the term), ``missed`` (past it, or the case was
        closed without it), ``rate`` = reported / (reported + missed), NaN where neither, ``cases`` (missed, joined by
        ``|``).
    """
    rows = []
    for case_id, row in case_table(cases, as_of).iterrows():
        left, late = parts_of(row["to_report"]), parts_of(row["not_reported"])
        for name in dict.fromkeys(parts_of(row["called"])):
            missed = name in late or (name in left and row["status"] == "closed")
            rows.append({"organisation": name, "called": 1, "reported": int(name not in left), "missed": int(missed),
                         "waiting": int(name in left and not missed), "cases": str(case_id) if missed else ""})
    table = pd.DataFrame(rows, columns=["organisation", "called", "reported", "waiting", "missed", "cases"])
    names = ["called", "reported", "waiting", "missed"]
    columns = {**totals(names), "cases": lambda group: "|".join(sorted(filter(None, group["cases"])))}
    out = per_name(table, columns, "organisation")
    out = out.astype(dict.fromkeys(names, "int64") | {"cases": "str"})
    decided = out["reported"] + out["missed"]
    return out.assign(rate=out["reported"] / decided.where(decided > 0))


def escalation_due(cases: pd.DataFrame, as_of: dt.date, organisations: pd.DataFrame | None = None) -> pd.DataFrame:
    """Open cases that are past the days of their level and below the highest: they are to go one level up.

    Returns
    -------
    DataFrame
        ``title, enterprise, county, town, level, level_since, level_days, level_limit, handled_by, next_level,
        next_level_zh, next_handled_by``, the longest first.
    """
    table, levels = case_table(cases, as_of, organisations), case_levels()
    table = table[(table["status"] == "overdue") & (table["level"] < max(levels))]
    above, words = table["level"] + 1, {number: entry["zh"] for number, entry in levels.items()}
    table = table.assign(
        next_level=above, next_level_zh=above.map(words).astype("str"),
        next_handled_by=above.map({number: "|".join(leaders_of(number, organisations)) for number in levels
                                   if number > 1}).astype("str"), row=table.index)
    columns = ["title", "enterprise", "county", "town", "level", "level_since", "level_days", "level_limit",
               "handled_by", "next_level", "next_level_zh", "next_handled_by"]
    return table.sort_values(["level_days", "row"], ascending=[False, True])[columns]


def hard_site_table(cases: pd.DataFrame, sites: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Hard sites: their cases, and sites marked hard that no case stands for.

    Returns
    -------
    DataFrame
        ``case_id`` (empty where there is none), ``site_id, title, county, town, cause_zh, lead, steps, opened_on,
        closed_on, status`` (of the case; ``none`` without), ``lacks`` (Chinese: what the record lacks), cases first.
    """
    table = case_table(cases, as_of)
    hard = table[texts(table, "kind") == "hard_site"]
    closed = days(hard, "closed_on", as_of)
    lacks = ["、".join(word for word, held in (("原因类别", cause), ("牵头单位", lead), ("办理经过", note)) if not held)
             for cause, lead, note in zip(hard["cause_zh"], hard["lead"], texts(hard, "note"), strict=True)]
    listed = pd.DataFrame({
        "case_id": hard.index.astype("str"), "site_id": texts(hard, "site_id").array, "title": hard["title"].array,
        "county": hard["county"].array, "town": hard["town"].array, "cause_zh": hard["cause_zh"].array,
        "lead": hard["lead"].array, "steps": texts(hard, "note").array, "opened_on": days(hard, "opened_on").array,
        "closed_on": closed.array, "status": hard["status"].array, "lacks": pd.array(lacks, dtype="str")})
    known = set(texts(table, "site_id"))
    wanted = flags(sites, "is_hard") & ~texts(sites, "state").isin(["on_air", "withdrawn"])
    alone = sites[wanted.to_numpy(bool) & ~sites.index.isin(known)]
    blank, none = pd.Series("", index=alone.index, dtype="str"), days(alone, "no_day")
    more = pd.DataFrame({
        "case_id": blank.array, "site_id": alone.index.astype("str"), "title": texts(alone, "name").array,
        "county": texts(alone, "county").array, "town": texts(alone, "town").array, "cause_zh": blank.array,
        "lead": texts(alone, "department").array, "steps": texts(alone, "state_reason").array, "opened_on": none.array,
        "closed_on": none.array, "status": (blank + "none").array, "lacks": (blank + "未立疑难站址事项").array})
    return pd.concat([listed, more], ignore_index=True)
