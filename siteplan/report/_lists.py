"""Lists of a report: what is late, blocked, due; indicators and the weakest places; the plan of work of a year."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd

from siteplan.register import word_of
from siteplan.report._counting import text_of
from siteplan.report._sites import NO_AREA, NO_PLACES, blocked_sites
from siteplan.report.period import Period
from siteplan.tables import read_table

WORST = 5
"""Places of a list of the weakest; editable default, unverified."""
AHEAD_DAYS = 92
"""Milestones that are due within so many days of the cut-off are listed; editable default, unverified."""
_LIST = ("what", "id", "title", "organisation", "county", "town", "since", "reason", "before")


def blocked_rows(tasks: pd.DataFrame, sites: pd.DataFrame) -> pd.DataFrame:
    """Tasks and sites that are blocked, since when and why; the longest first."""
    part = tasks[tasks["status"] == "blocked"]
    own = pd.DataFrame({
        "what": "任务", "id": part.index.astype("str"), "title": part["title"].to_numpy(object),
        "organisation": part["organisation"].to_numpy(object), "county": part["county"].to_numpy(object),
        "town": part["town"].to_numpy(object), "since": part["blocked_on"].to_numpy(),
        "reason": part["blocked_reason"].to_numpy(object), "before": ""}, columns=list(_LIST))
    both = [table for table in (own, blocked_sites(sites)) if len(table)]
    out = pd.concat(both, ignore_index=True) if both else own
    return out.sort_values(["since", "what", "id"], na_position="last").reset_index(drop=True)


def milestone_rows(milestones: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Milestones of sites that are not done and late or due soon."""
    limit = pd.Timestamp(period.last) + pd.Timedelta(days=AHEAD_DAYS)
    due = milestones["status"].isin(["due", "late"]) & (pd.to_datetime(milestones["due_on"]) <= limit)
    return milestones[due].reset_index(names="id")


def indicator_rows(indicators: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """The newest value of every indicator up to a day; each names its rule. Predicted, not measured."""
    known = indicators[indicators["day"] <= pd.Timestamp(as_of)].sort_values(["day"], kind="stable")
    newest = known.drop_duplicates(["level", "area", "name"], keep="last")
    order = {"city": 0, "county": 1, "town": 2}
    out = newest.assign(level_zh=[word_of("indicators", "level", code) for code in newest["level"]],
                        rank=newest["level"].map(order), told_by="预测")
    return out.sort_values(["name", "rank", "area"]).drop(columns="rank").reset_index(drop=True)


def worst_rows(indicators: pd.DataFrame, counties: pd.DataFrame, towns: pd.DataFrame, most: int = WORST,
               ) -> pd.DataFrame:
    """The weakest places of each indicator (查弱项): lowest predicted values, most late tasks, most blocked sites.

    Which indicators tell of weakness says ``weak`` of ``tables/register_sync.toml``; shares are in percent.

    Columns ``indicator, level_zh, rank, area, value, rule``; places of equal value share a rank, and none of them is
    left out for its name.
    """
    parts: list[pd.DataFrame] = []
    kept = read_table("register_sync")["indicators"].values()
    weak = {entry["zh"]: entry["weak"] for entry in kept if "weak" in entry}
    below = indicators[indicators["level"].isin(["county", "town"]) & indicators["name"].isin(list(weak))]
    for (name, level), group in below.groupby(["name", "level"], sort=True):
        part = group[group["now"].notna()].sort_values(["now", "area"])
        percent = weak[str(name)] == "share"
        parts.append(_ranked(part["area"], part["now"] * (100.0 if percent else 1.0),
                             f"{name}({'%,' if percent else ''}现状,预测)", word_of("indicators", "level", str(level)),
                             part["rule"].map(text_of), most))
    for level, table in (("县区", counties), ("镇街", towns)):
        known = table[~table["name"].isin(NO_PLACES)]
        for column, title in (("tasks_overdue", "逾期任务合计(项)"), ("tasks_blocked", "受阻任务(项)"),
                              ("sites_late", "逾期未开通站址(处)")):
            part = known[known[column] > 0].sort_values([column, "name"], ascending=[False, True])
            parts.append(_ranked(part["name"], part[column].astype("float64"), title, level,
                                 pd.Series("截止日在册数,多者在前", index=part.index), most))
    columns = ["indicator", "level_zh", "rank", "area", "value", "rule"]
    some = [part for part in parts if len(part)]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame(columns=columns)


def _ranked(areas: pd.Series, values: pd.Series, title: str, level: str, rules: pd.Series, most: int) -> pd.DataFrame:
    """The first places in order; those that are equal to the last one stay."""
    rank = values.ne(values.shift()).cumsum().to_numpy() if len(values) else np.empty(0, int)
    place = np.array([int(np.searchsorted(rank, each)) + 1 for each in rank], dtype="int64")
    kept = place <= most
    return pd.DataFrame({"indicator": title, "level_zh": level, "rank": place[kept],
                         "area": areas.to_numpy(object)[kept], "value": values.to_numpy(float)[kept],
                         "rule": rules.to_numpy(object)[kept]})


def year_plan_rows(tasks: pd.DataFrame, sites: pd.DataFrame, quotas: pd.DataFrame, year: int) -> pd.DataFrame:
    """What every organisation has to do in a year: tasks that are due or left over, sites of the year, quotas.

    Columns ``organisation, kind_zh, item, number, unit, due_on, note``, by organisation.
    """
    first, last = pd.Timestamp(dt.date(year, 1, 1)), pd.Timestamp(dt.date(year, 12, 31))
    due = tasks[tasks["status"].isin(["open", "late", "blocked"]) & (tasks["due_on"] <= last)]
    parts = [pd.DataFrame({
        "organisation": due["organisation"].to_numpy(object), "kind_zh": "任务", "item": due["title"].to_numpy(object),
        "number": 1, "unit": "项", "due_on": due["due_on"].to_numpy(),
        "note": np.where(due["due_on"] < first, "上年结转", "")})]
    now = sites[(sites["phase_year"] <= year) & sites["is_live"]].assign(left=lambda rows: rows["phase_year"] < year)
    for column, item in (("enterprise", "建设并开通站址"), ("department", "主管场所配合开放站址"), ("county", "属地保障站址建设")):
        named = now[now[column].notna() & (now[column] != NO_AREA)]
        if len(named):
            sums = named.groupby(column, sort=True).agg(number=("left", "size"), left=("left", "sum"))
            notes = [f"其中上年结转{left}处" if left else "" for left in sums["left"]]
            parts.append(pd.DataFrame({"organisation": sums.index.to_numpy(object), "kind_zh": "站址", "item": item,
                                       "number": sums["number"].to_numpy(), "unit": "处", "due_on": last,
                                       "note": notes}))
    parts.append(_quota_items(quotas, first, last))
    kept = [part for part in parts if len(part)]
    columns = ["organisation", "kind_zh", "item", "number", "unit", "due_on", "note"]
    if not kept:
        return pd.DataFrame(columns=columns)
    out = pd.concat(kept, ignore_index=True)[columns]
    rank: Mapping[str, int] = {"指标": 0, "站址": 1, "任务": 2}
    return out.assign(order=out["kind_zh"].map(rank)).sort_values(
        ["organisation", "order", "due_on", "item"], na_position="last").drop(columns="order").reset_index(drop=True)


def _quota_items(quotas: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Quotas that are due in the year or left over, with what is still needed."""
    if not len(quotas):
        return pd.DataFrame()
    by = pd.to_datetime(quotas["by"])
    due = quotas[(by >= first) & (by <= last)]
    left = pd.to_numeric(due["needed"], errors="coerce")
    who = [text_of(name) or text_of(area) for name, area in zip(due["organisation"], due["area"], strict=True)]
    notes = [f"任务数{int(value)}" + (f",已完成{int(done)}" if done == done else "")
             for value, done in zip(due["value"], due["done"], strict=True)]
    return pd.DataFrame({"organisation": who, "kind_zh": "指标", "item": due["title"].to_numpy(object),
                         "number": left.to_numpy(), "unit": due["unit"].to_numpy(object),
                         "due_on": pd.to_datetime(due["by"]).to_numpy(), "note": notes})
