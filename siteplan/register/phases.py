"""Phases: yearly batches, what was not built goes on to the next year, what is on air serves already."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from siteplan.errors import Problem
from siteplan.register.dictionary import word_of
from siteplan.register.rules.site_states import STATES
from siteplan.register.store import Transaction, edit_rows, read_rows

ENDED = ("on_air", "withdrawn")
_TOLD = ("name", "county", "town", "state")
NOT_LISTED_ZH = "站址未列入现行方案,不计入年度批次,也不结转"
LIST_AGAIN_ZH = "须建的先改为已批准,或由新方案重新列入;不建的撤销并写原因"
CARRIED, BLOCKED, UNLISTED = "carried", "blocked", "unlisted"
_WHAT_ZH = {CARRIED: "结转", BLOCKED: "受阻,未结转", UNLISTED: "未列入现行方案,未结转"}


def year_batches(sites: pd.DataFrame) -> pd.DataFrame:
    """Sites by the year in which they are to be built.

    Parameters
    ----------
    sites : DataFrame
        Table ``sites`` of the register, as it stands on a day.

    Returns
    -------
    DataFrame
        Index ``phase_year`` (0 = no year given), in order: ``sites``, a column for each state, ``stations``,
        ``stations_on_air``, ``capex_yuan``, ``invested_yuan`` (sums of what is known), ``delayed`` (sites first planned
        for an earlier year), ``left`` (neither on air nor withdrawn), ``unlisted``: sites that left the plan without
        being approved (``in_plan`` no, in ``reserve`` or ``ready``); the other columns do not count these.

    Examples
    --------
    >>> rows = pd.DataFrame({"phase_year": [2026.0, 2026.0, None], "first_year": [2025.0, 2026.0, None],
    ...                      "state": ["on_air", "reserve", "ready"], "station_count": [2.0, None, 1.0],
    ...                      "capex_yuan": 1e5, "invested_yuan": None, "in_plan": True})
    >>> year_batches(rows)[["sites", "on_air", "left", "delayed", "capex_yuan"]].to_numpy().tolist()
    [[1.0, 0.0, 1.0, 0.0, 100000.0], [2.0, 1.0, 1.0, 1.0, 200000.0]]
    """
    table, counts = pd.DataFrame(sites), listed(sites)
    year = table["phase_year"].fillna(0).astype("int64")
    state, number = table["state"], {name: pd.to_numeric(table[name]).fillna(0.0) for name in (
        "station_count", "capex_yuan", "invested_yuan")}
    columns: dict[str, pd.Series] = {"sites": pd.Series(1, index=table.index)}
    columns |= {name: (state == name).astype("int64") for name in STATES}
    columns |= {"stations": number["station_count"].astype("int64"),
                "stations_on_air": number["station_count"].where(state == "on_air", 0.0).astype("int64"),
                "capex_yuan": number["capex_yuan"], "invested_yuan": number["invested_yuan"],
                "delayed": (table["first_year"] < table["phase_year"]).astype("int64"),
                "left": (~state.isin(ENDED)).astype("int64")}
    known = pd.DataFrame(columns, index=table.index).mul(counts.astype("int64"), axis=0)
    return known.assign(unlisted=(~counts).astype("int64")).groupby(year.rename("phase_year"), sort=True).sum()


def listed(sites: pd.DataFrame) -> np.ndarray:
    """Rows that count in the batches: all but those that a new plan dropped before they were approved."""
    dropped = (sites["in_plan"].astype("boolean") == False).fillna(False)  # noqa: E712
    return np.asarray(~(dropped & sites["state"].isin(["reserve", "ready"])), dtype=bool)


def unlisted_sites(sites: pd.DataFrame, year: int) -> pd.DataFrame:
    """Sites that have a year, or none, and are in no batch: a new plan dropped them before they were approved.

    Parameters
    ----------
    sites : DataFrame
        Table ``sites`` of the register.
    year : int
        Sites of this year, and those without a year.

    Returns
    -------
    DataFrame
        Rows of the table. A site that was blocked counts in its batch; once it is unblocked to ``ready`` it is here.
    """
    return sites[~listed(sites) & (sites["phase_year"].isna() | (sites["phase_year"] == year)).to_numpy(bool)]


def year_plan(sites: pd.DataFrame, year: int) -> pd.DataFrame:
    """What is to be built in a year: the sites of its batch that count.

    Parameters
    ----------
    sites : DataFrame
        Table ``sites`` of the register.
    year : int

    Returns
    -------
    DataFrame
        Rows of the table in order of county, town, rank and id, with ``delay_years`` (years since the site was first
        planned; 0 where that is not known).
    """
    table = sites[listed(sites) & (sites["phase_year"] == year).to_numpy(bool)]
    delay = (table["phase_year"] - table["first_year"]).clip(lower=0).fillna(0).astype("int64")
    ordered = table.assign(delay_years=delay, own_id=table.index)
    by = ["county", "town", "rank_no", "own_id"]
    return ordered.sort_values(by, kind="stable", na_position="last").drop(columns="own_id")


def carry_over(transaction: Transaction, year: int, day: dt.date, why: str = "") -> pd.DataFrame:
    """Move what was not built in a year, or in earlier ones, to the next year.

    Sites that are on air or withdrawn have ended. Blocked ones are listed and not moved: nobody can say when they go
    on, and moving them would hide why; ``set_year`` gives them a year when the block is lifted. Those that a new plan
    dropped before they were approved are listed and not moved either, also those without a year. ``first_year`` stays,
    so that years of delay are told.

    Parameters
    ----------
    transaction : Transaction
    year : int
        The year that is over.
    day : date
        Day of the change: the last of the year, or later.
    why : str
        Reason; the package's sentence when empty.

    Returns
    -------
    DataFrame
        Index ``id``: ``name, county, town, state, first_year, from_year, to_year`` (NaN where it was not moved)``,
        delay_years, what`` (carried | blocked | unlisted)``, what_zh``.

    Examples
    --------
    >>> with writing(register, stamp) as transaction:  # doctest: +SKIP
    ...     table = carry_over(transaction, 2026, dt.date(2026, 12, 31))
    """
    if day < dt.date(year, 12, 31):
        transaction.problems.append(Problem(
            "sites", transaction.register.shown, "", "phase_year", f"{year} 年度到 {day} 还没有结束,不能结转",
            f"在 {year}-12-31 或以后办理"))
        none = np.zeros(0, dtype=bool)
        return _moved(pd.DataFrame(columns=["first_year", "phase_year", *_TOLD]), year, none, none)
    sites = pd.DataFrame(read_rows(transaction.register, "sites", connection=transaction.connection))
    undated = sites["phase_year"].isna().to_numpy(bool) & ~listed(sites)
    late = sites[((sites["phase_year"] <= year).to_numpy(bool) | undated)
                 & ~sites["state"].isin(ENDED).to_numpy(bool)]
    blocked, unlisted = (late["state"] == "blocked").to_numpy(bool), ~listed(late)
    out = _moved(late, year, blocked, unlisted)
    edit_rows(transaction, "sites", {str(row_id): {"phase_year": year + 1, "event_day": day}
                                     for row_id in out.index[out["what"] == CARRIED]},
              why or f"{year} 年度未建成,结转至 {year + 1} 年度")
    return out


def _moved(late: pd.DataFrame, year: int, blocked: np.ndarray, unlisted: np.ndarray) -> pd.DataFrame:
    what = np.where(blocked, BLOCKED, np.where(unlisted, UNLISTED, CARRIED))
    to_year = np.where(what == CARRIED, float(year + 1), np.nan)
    delay = np.where(what == CARRIED, year + 1, year) - late["first_year"].to_numpy(float)
    return pd.DataFrame({
        **{name: late[name] for name in _TOLD}, "first_year": late["first_year"], "from_year": late["phase_year"],
        "to_year": to_year, "delay_years": np.maximum(delay, 0.0), "what": pd.array(what, dtype="str"),
        "what_zh": pd.array([_WHAT_ZH[word] for word in what], dtype="str")}, index=late.index)


def completed_sites(sites: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Sites on air on a day: they serve, and a new plan takes them as existing coverage.

    Parameters
    ----------
    sites : DataFrame
        Table ``sites`` of the register.
    as_of : date
        A site that went on air on this day counts.

    Returns
    -------
    DataFrame
        Rows of the table; a site without a day of going on air counts from its day of state.
    """
    since = sites["on_air_on"].where(sites["on_air_on"].notna(), sites["state_on"])
    return sites[((sites["state"] == "on_air") & (since <= pd.Timestamp(as_of))).to_numpy(bool)]


def set_year(transaction: Transaction, ids: Iterable[str], year: int, why: str = "") -> int:
    """Give sites another year, as a meeting decided.

    Parameters
    ----------
    transaction : Transaction
    ids : iterable of str
    year : int
        Not before that of the stamp's day. A site without a first year gets this one.
    why : str
        Needed, here or in the stamp.

    Returns
    -------
    int
        Sites that changed. Sites that are on air or withdrawn or that count in no batch (see `listed`), years gone by
        and a missing reason are problems.
    """
    wanted, source = list(dict.fromkeys(ids)), transaction.register.shown
    reason, this_year = why or transaction.stamp.why, transaction.stamp.day.year
    if not reason.strip():
        transaction.problems.append(Problem("sites", source, "", "why", "调整年度没有写原因", "写明依据,如会议纪要"))
    if year < this_year:
        transaction.problems.append(Problem("sites", source, "", "phase_year", f"{year} 年度已过", f"填 {this_year} 或以后"))
    sites = read_rows(transaction.register, "sites", connection=transaction.connection, ids=wanted)
    edits: dict[str, dict[str, Any]] = {row_id: {"phase_year": year} for row_id in wanted}
    for row_id, state, first, counts in zip(
            sites.index, sites["state"], sites["first_year"], listed(sites), strict=True):
        if state in ENDED:
            transaction.problems.append(Problem("sites", source, str(row_id), "phase_year",
                                                f"站址“{word_of('sites', 'state', state)}”,不再调整年度", "核对编号"))
        elif not counts:
            transaction.problems.append(
                Problem("sites", source, str(row_id), "phase_year", NOT_LISTED_ZH, LIST_AGAIN_ZH))
        if pd.isna(first):
            edits[str(row_id)]["first_year"] = year
    return edit_rows(transaction, "sites", edits, reason)


def delay_sentence(sites: pd.DataFrame, years: Sequence[int] = ()) -> str:
    """How many sites are later than first planned, and how late, in a sentence; empty where none is.

    >>> rows = pd.DataFrame({"phase_year": [2027.0, 2028.0, 2027.0], "first_year": [2026.0, 2026.0, 2027.0],
    ...                      "state": "reserve", "in_plan": True})
    >>> delay_sentence(rows)
    '比首次列入的年度推迟的站址 2 处:1 年 1 处,2 年 1 处。'
    """
    table = sites[listed(sites)]
    if years:
        table = table[table["phase_year"].isin(years)]
    delay = (table["phase_year"] - table["first_year"]).dropna()
    counts = delay[delay > 0].astype(int).value_counts().sort_index()
    if counts.empty:
        return ""
    told = ",".join(f"{late} 年 {number} 处" for late, number in counts.items())
    return f"比首次列入的年度推迟的站址 {int(counts.sum())} 处:{told}。"
