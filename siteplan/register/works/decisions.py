"""Suggestions of joint work: kept, accepted, declined."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from siteplan.errors import Problem
from siteplan.register.dictionary import word_of
from siteplan.register.store import Transaction, add_rows, edit_rows, read_rows
from siteplan.register.works.listed import plain
from siteplan.register.works.matching import DONE
from siteplan.register.works.windows import window_words

TABLE = "joint_matches"


def record_suggestions(transaction: Transaction, matches: pd.DataFrame) -> int:
    """Keep the best works of each site as suggested.

    Parameters
    ----------
    transaction : Transaction
    matches : DataFrame
        Of :func:`~siteplan.register.works.match_works`.

    Returns
    -------
    int
        Suggestions that are new or whose year, length or saving changed. What was accepted or declined stays.
    """
    known = _known(transaction)
    fresh, edits = [], dict[str, dict[str, Any]]()
    for (work, site), rows in matches[matches["is_best"]].groupby(["work_id", "site_id"], sort=True):
        year = rows["suggested_year"].iloc[0]
        values = {"year": None if pd.isna(year) else int(year), "shared_m": float(rows["shared_m"].sum()),
                  "saving_yuan": float(rows["saving_yuan"].sum())}
        row_id, state = known.get((str(work), str(site)), ("", ""))
        if state == "suggested":
            edits[row_id] = values
        elif not state:
            fresh.append({"work_id": work, "site_id": site, "state": "suggested", **values})
    return len(add_rows(transaction, TABLE, fresh, "同步实施匹配")) + edit_rows(transaction, TABLE, edits, "同步实施匹配")


def accept_match(transaction: Transaction, work_id: str, site_id: str, year: int, why: str = "") -> None:
    """A site is built together with works in a year: ``joint_work`` and ``phase_year`` of the site, and the decision.

    Parameters
    ----------
    transaction : Transaction
        Problems are kept in it: unknown ids, a site that is on air, withdrawn or of another year under construction,
        works that are no longer listed or that are not going on in that year.
    work_id, site_id : str
    year : int
    why : str
        Besides the reason that is written of itself (which works, which year before).

    Notes
    -----
    Other works that were accepted for the site before are declined with this reason.
    """
    work, site = _row(transaction, "works", work_id), _row(transaction, "sites", site_id)
    if work is None or site is None:
        return
    before = len(transaction.problems)
    where = (TABLE, transaction.register.shown, f"{work_id}+{site_id}")
    transaction.problems += [Problem(*where, *fault)
                             for fault in (*_site_faults(site, year), *_work_faults(work, year))]
    if len(transaction.problems) > before:
        return
    old = plain(site["phase_year"])
    moved = f"计划年度由{int(old)}年改为{year}年" if old is not None and int(old) != year else f"计划年度{year}年"
    reason = ";".join(part for part in (f"与“{work['name']}”({work_id})同步实施,{moved}", why) if part)
    edit_rows(transaction, "sites", {site_id: {"joint_work": work_id, "phase_year": year}}, reason)
    for (other, of_site), (row_id, state) in sorted(_known(transaction).items()):
        if of_site == site_id and other != work_id and state == "accepted":
            edit_rows(transaction, TABLE, {row_id: {"state": "declined", "decided_on": transaction.stamp.day,
                                                    "why": f"改与“{work['name']}”({work_id})同步实施"}}, reason)
    _settle(transaction, work_id, site_id, {"state": "accepted", "year": year, "why": reason}, reason)


def decline_match(transaction: Transaction, work_id: str, site_id: str, why: str) -> None:
    """A site is not built together with works: it is not suggested again; one that was accepted no longer holds.

    Parameters
    ----------
    transaction : Transaction
    work_id, site_id : str
    why : str
        Needed.
    """
    work, site = _row(transaction, "works", work_id), _row(transaction, "sites", site_id)
    if work is None or site is None:
        return
    if plain(site["joint_work"]) == work_id:
        edit_rows(transaction, "sites", {site_id: {"joint_work": None}}, why)
    _settle(transaction, work_id, site_id, {"state": "declined", "why": why}, why)


def _settle(transaction: Transaction, work_id: str, site_id: str, values: dict[str, Any], why: str) -> None:
    row_id, _ = _known(transaction).get((work_id, site_id), ("", ""))
    values = {**values, "decided_on": transaction.stamp.day}
    if row_id:
        edit_rows(transaction, TABLE, {row_id: values}, why)
    else:
        add_rows(transaction, TABLE, [{"work_id": work_id, "site_id": site_id, **values}], why)


def _known(transaction: Transaction) -> dict[tuple[str, str], tuple[str, str]]:
    """Id and state of every decision, by works and site."""
    table = read_rows(transaction.register, TABLE, connection=transaction.connection)
    return {(str(work), str(site)): (str(key), str(state)) for key, work, site, state
            in zip(table.index, table["work_id"], table["site_id"], table["state"], strict=True)}


def _row(transaction: Transaction, table: str, row_id: str) -> pd.Series | None:
    found = read_rows(transaction.register, table, connection=transaction.connection, ids=[row_id])
    if not len(found):
        zh = {"works": "同步工程", "sites": "站址"}[table]
        transaction.problems.append(Problem(TABLE, transaction.register.shown, row_id, f"{table.rstrip('s')}_id",
                                            f"{zh}中没有“{row_id}”", "核对编号"))
        return None
    return found.iloc[0]


def _site_faults(site: pd.Series, year: int) -> list[tuple[str, str, str]]:
    state, planned = plain(site["state"]), plain(site["phase_year"])
    if state in DONE:
        return [("site_id", f"站址{word_of('sites', 'state', state)},不再需要同步实施", "核对站址编号")]
    if state == "building" and planned is not None and int(planned) != year:
        return [("year", f"站址已在建(计划年度{int(planned)}年),不能改为{year}年", "按原年度采纳,或不采纳")]
    return []


def _work_faults(work: pd.Series, year: int) -> list[tuple[str, str, str]]:
    start, end = plain(work["start_on"]), plain(work["end_on"])
    out = []
    if plain(work["is_current"]) is False:
        out.append(("work_id", f"工程“{work['name']}”已不在现行清单", "核对工程清单"))
    if not _first(start) <= year <= _last(end):
        out.append(("year", f"{year}年不在工程窗口内({window_words(start, end)})", "改为窗口内的年度"))
    return out


def _first(start: dt.date | None) -> int:
    return start.year if start is not None else 0


def _last(end: dt.date | None) -> int:
    return end.year if end is not None else 9999
