"""Towns (镇街) by county and name: two counties may have a town of one name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from siteplan.report._counting import texts_of
from siteplan.report._sites import NO_AREA

_BETWEEN = "\x1f"


def town_homes(tables: Sequence[pd.DataFrame]) -> Mapping[str, str]:
    """The county of every town name that is in one county alone, of all rows that name both.

    >>> rows = pd.DataFrame({"county": ["东县", "西县", "东县"], "town": ["城关镇", "城关镇", "云岭镇"]})
    >>> dict(town_homes([rows]))
    {'云岭镇': '东县'}
    """
    known: dict[str, set[str]] = {}
    for table in tables:
        pairs = table[["county", "town"]].dropna().drop_duplicates()
        for county, town in zip(pairs["county"], pairs["town"], strict=True):
            if NO_AREA not in (county, town):
                known.setdefault(str(town), set()).add(str(county))
    return {town: next(iter(counties)) for town, counties in known.items() if len(counties) == 1}


def town_keys(table: pd.DataFrame, homes: Mapping[str, str]) -> list[str]:
    """County and town of each row in one text; a row without a county is in the one county that has the town.

    >>> rows = pd.DataFrame({"county": ["东县", None, None], "town": ["城关镇", "云岭镇", None]})
    >>> [name_of(key) for key in town_keys(rows, {"云岭镇": "西县"})]
    [('东县', '城关镇'), ('西县', '云岭镇'), ('', '(未写)')]
    """
    out = []
    for county, town in zip(texts_of(table["county"]), texts_of(table["town"]), strict=True):
        there = county if county not in ("", NO_AREA) else homes.get(town, "")
        out.append(f"{there}{_BETWEEN}{town}" if town not in ("", NO_AREA) else NO_AREA)
    return out


def name_of(key: str) -> tuple[str, str]:
    """County and town of a key."""
    county, _, town = key.rpartition(_BETWEEN)
    return county, town
