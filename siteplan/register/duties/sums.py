"""Sums of tasks by organisation, county, town or kind, and the traffic lights of organisations and towns."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import pandas as pd

from siteplan.register.duties._columns import days, parts_of, per_name, texts, totals, worst_light
from siteplan.register.duties.cases import case_table
from siteplan.register.duties.tasks import task_table

TaskKey = Literal["organisation", "county", "town", "kind"]
DUE_SOON_WORD, LATE_WORD, BLOCKED_WORD = "项临近期限", "项逾期", "项受阻"


def task_sums(tasks: pd.DataFrame, as_of: dt.date, by: TaskKey, *, since: dt.date | None = None) -> pd.DataFrame:
    """Tasks counted by organisation, county, town or kind, as they stand at the end of a day.

    A task counts once, for its lead organisation; the number that an organisation helps with stands in ``helps_with``
    and is in no other sum. Tasks without a name are under 未注明. Cancelled tasks stand in ``cancelled`` alone.

    Parameters
    ----------
    tasks : DataFrame
        Rows of the table ``tasks``.
    as_of : date
    by : str
        ``organisation``, ``county``, ``town`` (with the county beside it) or ``kind``.
    since : date, optional
        First day of the period of ``done_in_period``; that of the half-year when absent.

    Returns
    -------
    DataFrame
        Index ``by``: ``total`` (= done + open + late + blocked), ``done, done_late`` (of the done ones), ``open, late,
        blocked, overdue`` (late, and blocked ones past their day), ``cancelled, done_in_period``; ``due`` (due up to
        the day), ``due_done`` (of these done by the day), ``due_on_time`` (of these done by their own day), ``rate`` =
        due_done / due and ``on_time_rate`` = due_on_time / due, NaN where nothing was due; ``next_due`` (the next day
        on which something not done is due); ``light`` (the worst).
    """
    table = task_table(tasks, as_of, since=since)
    live = (table["status"] != "cancelled").to_numpy()
    due_on, done_on = days(table, "due_on"), days(table, "done_on", as_of)
    day, is_done = pd.Timestamp(as_of), table["status"] == "done"
    is_due = live & (due_on <= day)
    marks = pd.DataFrame({
        "total": live, **{name: table["status"] == name for name in ("done", "open", "late", "blocked", "cancelled")},
        "done_late": table["is_done_late"], "overdue": table["is_overdue"], "done_in_period": table["done_in_period"],
        "due": is_due, "due_done": is_due & is_done, "due_on_time": is_due & is_done & (done_on <= due_on),
    }, index=table.index).astype("int64")
    rest = table.assign(**marks, next_due=due_on.where(live & ~is_done & (due_on >= day)))
    counts = ["total", "done", "done_late", "open", "late", "blocked", "overdue", "cancelled", "done_in_period", "due",
              "due_done", "due_on_time"]
    out = per_name(rest, {**totals(counts), "next_due": lambda group: group["next_due"].min(),
                          "light": lambda group: worst_light(group["light"])}, by)
    return _with_rates(out.astype(dict.fromkeys(counts, "int64") | {"next_due": "datetime64[us]", "light": "str"}),
                       table, by)


def _with_rates(sums: pd.DataFrame, table: pd.DataFrame, by: str) -> pd.DataFrame:
    due = sums["due"].where(sums["due"] > 0)
    out = sums.assign(rate=sums["due_done"] / due, on_time_rate=sums["due_on_time"] / due)
    if by == "organisation":
        helpers = [name for text, status in zip(texts(table, "partners"), table["status"], strict=True)
                   if status != "cancelled" for name in parts_of(text)]
        helps = pd.Series(helpers, dtype="str").value_counts()
        every = sorted({*out.index, *helps.index})
        numbers = [name for name in out.columns if out[name].dtype == "int64"]
        out = out.reindex(pd.Index(every, dtype="str", name=by))
        out[numbers] = out[numbers].fillna(0).astype("int64")
        out["light"] = out["light"].fillna("green").astype("str")
        out["helps_with"] = helps.reindex(out.index).fillna(0).astype("int64")
    return out


def lights(tasks: pd.DataFrame, cases: pd.DataFrame, as_of: dt.date, by: Literal["organisation", "county", "town"],
           organisations: pd.DataFrame | None = None) -> pd.DataFrame:
    """The traffic light of every organisation, county or town, with what it rests on.

    Tasks count for the lead organisation, its county and town. Cases count for their county and town; for
    organisations, a case counts where they were called and did not report in within the term, or where it is past the
    days of its level and they handle it there.

    Returns
    -------
    DataFrame
        Index ``by`` (towns beside their county): ``light, late, blocked, soon`` (tasks), ``cases_overdue``,
        ``not_reported`` and ``reasons`` (Chinese; empty for green).
    """
    keys: list[str] = ["county", "town"] if by == "town" else [by]
    columns = ["late", "blocked", "soon", "cases_overdue", "not_reported"]
    rows = _case_marks(case_table(cases, as_of, organisations), by)
    table = pd.concat([_task_marks(tasks, as_of, keys), pd.DataFrame(rows, columns=[*keys, "light", *columns])],
                      ignore_index=True)
    out = per_name(table, {"light": lambda group: worst_light(group["light"]), **totals(columns)}, by)
    words = dict(zip(columns, (LATE_WORD, BLOCKED_WORD, DUE_SOON_WORD, "件吹哨超期", "次未按时报到"), strict=True))
    reasons = ["、".join(f"{row[name]}{word}" for name, word in words.items() if row[name])
               for row in out.to_dict("records")]
    return out.assign(reasons=pd.Series(reasons, index=out.index, dtype="str"))


def _task_marks(tasks: pd.DataFrame, as_of: dt.date, keys: list[str]) -> pd.DataFrame:
    table = task_table(tasks, as_of)
    table = table[table["status"] != "cancelled"]
    is_soon = (table["status"] == "open") & (table["light"] == "yellow")
    return pd.DataFrame({key: texts(table, key) for key in keys}).assign(
        light=table["light"], late=table["is_overdue"].astype("int64"), soon=is_soon.astype("int64"),
        blocked=(table["status"] == "blocked").astype("int64"), cases_overdue=0, not_reported=0)


def _case_marks(table: pd.DataFrame, by: str) -> list[dict[str, object]]:
    table = table[table["status"] != "closed"]
    blank = {"late": 0, "blocked": 0, "soon": 0}
    rows: list[dict[str, object]] = []
    for row in table.to_dict("records"):
        overdue = int(row["status"] == "overdue")
        missing = parts_of(row["not_reported"])
        if by != "organisation":
            place = {"county": row["county"], "town": row["town"]} if by == "town" else {"county": row["county"]}
            rows.append({**place, "light": row["light"], **blank, "cases_overdue": overdue,
                         "not_reported": len(missing)})
            continue
        rows += [{by: name, "light": "red", **blank, "cases_overdue": 0, "not_reported": 1} for name in missing]
        rows += [{by: name, "light": "red", **blank, "cases_overdue": 1, "not_reported": 0}
                 for name in parts_of(row["handled_by"]) if overdue]
    return rows
