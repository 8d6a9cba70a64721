"""Where the opening of each venue stands on a day: agreed, refused, asked or idle; which fee complaints are open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd

from siteplan.opening import fee_verdict
from siteplan.register.duties._columns import days, flags, texts

STANDS = {"agreed": "已同意", "refused": "已拒绝", "asked": "征询中", "idle": "未列入"}


def venue_stands(venues: pd.DataFrame, decisions: pd.DataFrame, as_of: dt.date, sites: pd.DataFrame | None = None,
                 ) -> pd.Series:
    """What was last said of each venue up to a day.

    Parameters
    ----------
    venues, decisions : DataFrame
        Rows of these tables. A decision is of the venue that it names, or on which the site stands that it names.
    as_of : date
        What is dated on the day counts, what was withdrawn by then does not.
    sites : DataFrame, optional
        Rows of that table.

    Returns
    -------
    Series
        On the ids of the venues: ``agreed`` or ``refused``, whichever came last (the day of an agreement counts as
        such); ``asked`` for those of the plan that nothing was said of; ``idle`` for the rest.
    """
    said = decisions[texts(decisions, "action").isin(["agreed", "refused"]).to_numpy(bool)]
    held = ~(days(said, "day") > pd.Timestamp(as_of)) & days(said, "withdrawn_on", as_of).isna()
    said = said[held.to_numpy(bool)]
    agreed_on = days(venues, "agreed_on", as_of).dropna()
    spoken = pd.concat([
        pd.DataFrame({"venue": agreed_on.index.astype("str"), "action": "agreed", "day": agreed_on.array}),
        pd.DataFrame({"venue": venue_of(said, venues, sites).array, "action": texts(said, "action").array,
                      "day": days(said, "day").array})], ignore_index=True)
    last = spoken.sort_values("day", kind="stable", na_position="first").drop_duplicates("venue", keep="last")
    stand = pd.Series("idle", index=venues.index, dtype="str").mask(flags(venues, "is_chosen"), "asked")
    known = last.set_index("venue")["action"].reindex(venues.index.astype("str")).set_axis(venues.index)
    return known.fillna(stand).astype("str").rename("stand")


def open_violations(fees: pd.DataFrame, venues: pd.DataFrame, as_of: dt.date, sites: pd.DataFrame | None = None,
                    ) -> pd.Series:
    """Fee complaints up to a day that are not settled by then and whose first verdict is a violation: their venues.

    Returns
    -------
    Series
        Id of the venue on the id of each complaint; complaints about places that are no venue of the register, and
        those that are only to be checked, are not there.
    """
    there = ~(days(fees, "day") > pd.Timestamp(as_of)) & days(fees, "resolved_on", as_of).isna()
    held = fees[there.to_numpy(bool)]
    places = venue_of(held, venues, sites)
    must_open, must_be_free = flags(venues, "must_open"), flags(venues, "must_be_free")
    verdicts = [venue in venues.index and fee_verdict(kind, known=True, must_open=bool(must_open[venue]),
                                                      must_be_free=bool(must_be_free[venue])) == "violation"
                for venue, kind in zip(places, texts(held, "kind"), strict=True)]
    return places[pd.Series(verdicts, index=places.index, dtype="bool")]


def venue_of(rows: pd.DataFrame, venues: pd.DataFrame, sites: pd.DataFrame | None) -> pd.Series:
    """Id of the venue that each row names, or on which the site stands that it names; empty where it names none."""
    if not len(rows):
        return texts(rows, "venue_id").astype("str")
    known: dict[str, str] = {}
    if sites is not None:
        known |= {name: venue for ids in (sites.index.astype("str"), texts(sites, "study_id"))
                  for name, venue in zip(ids, texts(sites, "venue_id"), strict=True) if name and venue}
    known |= _own_ids(venues)
    out = texts(rows, "venue_id")
    for column in ("site_id", "ref"):
        named = pd.Series([known.get(name, "") for name in texts(rows, column)], index=rows.index, dtype="str")
        out = out.where(out != "", named)
    return out.astype("str")


def _own_ids(venues: pd.DataFrame) -> Mapping[str, str]:
    ids = [str(venue) for venue in venues.index]
    return {name: venue for name, venue in zip(texts(venues, "study_id"), ids, strict=True) if name} | {
        venue: venue for venue in ids}
