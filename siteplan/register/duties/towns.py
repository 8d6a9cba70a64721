"""One page per town (镇街) for those who go there to look: sites, tasks, cases, refusals, quotas."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from siteplan.register.dictionary import register_tables
from siteplan.register.duties._columns import texts, worst_light
from siteplan.register.duties.cases import case_table
from siteplan.register.duties.tasks import task_table
from siteplan.register.duties.venue_stands import STANDS, venue_stands

TOWN_TABLES = ("organisations", "sites", "tasks", "cases", "venues", "decisions")
"""Tables of the register that `town_facts` needs."""


@dataclass(frozen=True)
class TownFacts:
    """What the page of one town holds.

    Attributes
    ----------
    town, county : str
    as_of : date
    light : str
        The worst of its tasks, cases and quotas.
    sites : DataFrame
        ``state, state_zh, sites`` for every state.
    tasks : DataFrame
        Tasks that lie in the town or that it leads (`task_table`), worst light first.
    cases : DataFrame
        Cases of the town (`case_table`), worst light first.
    venues : DataFrame
        ``stand, stand_zh, venues`` for every stand.
    refused : DataFrame
        Venues that refuse: ``name, owner, department, address``.
    quotas : DataFrame
        Quotas of the town, as ``quota_progress`` gives them.
    """

    town: str
    county: str
    as_of: dt.date
    light: str
    sites: pd.DataFrame
    tasks: pd.DataFrame
    cases: pd.DataFrame
    venues: pd.DataFrame
    refused: pd.DataFrame
    quotas: pd.DataFrame


def town_facts(tables: Mapping[str, pd.DataFrame], town: str, as_of: dt.date, *, county: str = "",
               progress: pd.DataFrame | None = None) -> TownFacts:
    """What stands in one town at the end of a day.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        `TOWN_TABLES` of the register, as of the day.
    town : str
    as_of : date
    county : str
        Only rows of this county, where two counties have a town of one name.
    progress : DataFrame, optional
        What ``quota_progress`` gives for the day.
    """
    sites, venues = _here(tables["sites"], town, county), _here(tables["venues"], town, county)
    led = texts(tables["tasks"], "organisation") == town
    tasks = _by_light(task_table(_here(tables["tasks"], town, county, led), as_of))
    cases = _by_light(case_table(_here(tables["cases"], town, county), as_of, tables["organisations"]))
    states = {code: words[0] for code, words in register_tables()["sites"].fields["state"].spec.values.items()}
    stands = venue_stands(venues, tables["decisions"], as_of, tables["sites"])
    refused = venues[(stands == "refused").to_numpy(bool)]
    quotas = pd.DataFrame() if progress is None else progress[
        ((texts(progress, "level") == "town") & (texts(progress, "area") == town)).to_numpy(bool)]
    return TownFacts(
        town, county or next(iter(name for name in texts(sites, "county") if name), ""), as_of,
        worst_light([*tasks["light"], *cases["light"], *texts(quotas, "light")]),
        _counted(texts(sites, "state"), states, "state", "sites"), tasks, cases,
        _counted(stands, STANDS, "stand", "venues"),
        pd.DataFrame({name: texts(refused, name) for name in ("name", "owner", "department", "address")}), quotas)


def _here(table: pd.DataFrame, town: str, county: str, more: pd.Series | None = None) -> pd.DataFrame:
    """Rows of a town, or of those marked besides."""
    there = texts(table, "town") == town
    if county:
        there &= texts(table, "county").isin([county, ""])
    return table[(there if more is None else there | more).to_numpy(bool)]


def _by_light(table: pd.DataFrame) -> pd.DataFrame:
    rank = table["light"].map({"red": 0, "yellow": 1, "green": 2}).fillna(3)
    return table.assign(rank=rank).sort_values("rank", kind="stable").drop(columns="rank")


def _counted(codes: pd.Series, words: Mapping[str, str], name: str, what: str) -> pd.DataFrame:
    numbers = codes.value_counts()
    return pd.DataFrame({name: list(words), f"{name}_zh": list(words.values()),
                         what: [int(numbers.get(code, 0)) for code in words]})
