"""What is committed: sites that are approved, being built, withdrawn or blocked, as rows of the layer decisions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pandas as pd

from siteplan.register.dictionary import word_of
from siteplan.register.opinions import OPINION_COLUMNS

WHO = "储备库"
"""Who decides where the register itself says so."""
KEPT = ("approved", "building")
"""States that keep a site in the next plan, in its year."""


def commitments(sites: pd.DataFrame, as_of: dt.date | None = None) -> pd.DataFrame:
    """What the states of sites mean for the next plan.

    Approved sites and sites being built are kept, in their year where one is planned: money and procedures are under
    way. Withdrawn sites are banned, with their reason, until they come back as a reserve. Blocked sites are hard sites:
    they may be proposed again, since what blocks them may go away, and need not be, since it may not; the opening
    ledger shows why they wait. Sites on air are stations (:func:`~siteplan.register.built.built_stations`). Reserve and
    ready sites commit nobody.

    Parameters
    ----------
    sites : DataFrame
        Table ``sites`` as it stood on the day.
    as_of : date, optional
        States of a later day do not count.

    Returns
    -------
    DataFrame
        As :func:`~siteplan.register.opinions.opinion_rows` gives them, without ``source_file``: index ``decision_id``
        (``ZZ000001-keep``), ``source_row`` the id of the site, ``date`` the day of its state. A site without an id in a
        plan keeps that of the register, which no candidate has: it is told as unknown.

    Examples
    --------
    >>> sites = pd.DataFrame({"study_id": ["V-facility:F1", "P-pole:D1"], "state": ["building", "withdrawn"],
    ...                       "state_on": pd.to_datetime(["2026-03-01", "2026-04-01"]), "state_reason": [None, "拆迁"],
    ...                       "phase_year": [2026.0, 2027.0]}, index=["ZZ000001", "ZZ000002"])
    >>> commitments(sites)[["id", "action", "value", "why"]].values.tolist()
    [['V-facility:F1', 'keep', '', '在建'], ['V-facility:F1', 'year', '2026', '在建'], ['P-pole:D1', 'ban', '', '已撤销：拆迁']]
    """
    rows = [row for site in sites.itertuples() for row in _of_site(site, as_of)]
    out = pd.DataFrame(rows, columns=["decision_id", *OPINION_COLUMNS]).set_index("decision_id")
    out.index = pd.Index(out.index.astype("str"), name="decision_id")
    texts = {name: "str" for name in OPINION_COLUMNS if name != "date"}
    return out.astype(texts).assign(date=pd.to_datetime(out["date"]).astype("datetime64[us]"))


def _of_site(site: object, as_of: dt.date | None) -> Iterator[tuple[object, ...]]:
    """Rows of one site."""
    row_id, state, day = str(site.Index), site.state, site.state_on  # type: ignore[attr-defined]
    if as_of is not None and not pd.isna(day) and day > pd.Timestamp(as_of):
        return
    own, reason = (value if isinstance(value, str) else "" for value in (
        site.study_id, site.state_reason))  # type: ignore[attr-defined]
    year, why = site.phase_year, word_of("sites", "state", state)  # type: ignore[attr-defined]
    why = f"{why}：{reason}" if reason and state not in KEPT else why
    said = {"withdrawn": ["ban"], "blocked": ["hard"]}.get(state, ["keep"] if state in KEPT else [])
    for action in [*said, *(["year"] if state in KEPT and not pd.isna(year) else [])]:
        value = f"{int(year)}" if action == "year" else ""
        yield f"{row_id}-{action}", own or row_id, action, value, WHO, day, why, "", row_id
