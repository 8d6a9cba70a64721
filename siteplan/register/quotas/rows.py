"""Quotas as rows of the register hold them, and the areas that they may name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pandas as pd

LEVELS = ("province", "city", "county", "town")


@dataclass(frozen=True)
class Quota:
    """One dated quota; what a row lacks is None or empty.

    Attributes
    ----------
    id : str
    title, parent_id, level, area, measure, unit, organisation, counted, basis, source : str
        As in the table ``quotas``; codes, not words.
    value : int or None
    since, by : date or None
        First and last day that count.
    base : int or None
        What was there before ``since``, for a total.
    is_current : bool
        False = replaced by a later split.
    file, row : str
        Where it was read, for problems.
    """

    id: str
    title: str = ""
    parent_id: str = ""
    level: str = ""
    area: str = ""
    measure: str = ""
    unit: str = ""
    value: int | None = None
    since: dt.date | None = None
    by: dt.date | None = None
    base: int | None = None
    organisation: str = ""
    counted: str = ""
    basis: str = ""
    source: str = ""
    is_current: bool = True
    file: str = ""
    row: str = ""

    @property
    def first_day(self) -> dt.date | None:
        """First day that counts: ``since``, else 1 January of the year of ``by``."""
        return self.since or (dt.date(self.by.year, 1, 1) if self.by else None)

    @property
    def where(self) -> tuple[str, str, str]:
        """Layer, file and row of a problem."""
        return "quotas", self.file, self.row or self.id


@dataclass(frozen=True)
class Areas:
    """Areas of a city that quotas may name.

    Attributes
    ----------
    counties : frozenset of str
        Empty where a city has no counties (中山), or none is known.
    towns : mapping of str to frozenset of str
        Town -> counties that have a town of this name; an empty name where the county is not known.
    city : str
        Empty = not known.
    """

    counties: frozenset[str] = frozenset()
    towns: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    city: str = ""


def text_in(row: Mapping[str, Any], name: str) -> str:
    """A cell as text; empty for nothing.

    >>> text_in({"area": " 溪西县 "}, "area"), text_in({"area": float("nan")}, "area")
    ('溪西县', '')
    """
    value = row.get(name)
    return "" if value is None or pd.isna(value) else str(value).strip()


def whole_in(row: Mapping[str, Any], name: str) -> int | None:
    """A cell as a whole number; None for nothing."""
    value = row.get(name)
    return None if value is None or pd.isna(value) else int(value)


def day_in(row: Mapping[str, Any], name: str) -> dt.date | None:
    """A cell as a day; None for nothing."""
    value = row.get(name)
    if value is None or pd.isna(value):
        return None
    return value.date() if isinstance(value, dt.datetime) else value if isinstance(value, dt.date) else None


def quota_of(row_id: str, row: Mapping[str, Any]) -> Quota:
    """A row of the table ``quotas`` as a quota.

    >>> quota_of("ZB000001", {"level": "city", "value": 3399.0, "by": pd.Timestamp("2020-12-31")}).first_day
    datetime.date(2020, 1, 1)
    """
    texts = {name: text_in(row, name) for name in ("title", "parent_id", "level", "area", "measure", "unit",
                                                   "organisation", "counted", "basis", "source")}
    current = row.get("is_current")
    return Quota(row_id, **texts, value=whole_in(row, "value"), since=day_in(row, "since"), by=day_in(row, "by"),
                 base=whole_in(row, "base_value"), is_current=current is None or pd.isna(current) or bool(current),
                 file=text_in(row, "source_file"), row=text_in(row, "source_row"))


def quotas_in(table: pd.DataFrame) -> dict[str, Quota]:
    """Quotas of a table by id, in its order."""
    return {str(row_id): quota_of(str(row_id), row)
            for row_id, row in zip(table.index, table.to_dict("records"), strict=True)}


def areas_of(organisations: pd.DataFrame, sites: pd.DataFrame | None = None, city: str = "") -> Areas:
    """Areas that are known: organisations of kind county and town, and the counties and towns of sites.

    Parameters
    ----------
    organisations : DataFrame
        ``name, kind, county``.
    sites : DataFrame, optional
        ``county, town``.
    city : str

    Examples
    --------
    >>> known = areas_of(pd.DataFrame({"name": ["溪西县", "云岭镇"], "kind": ["county", "town"],
    ...                                "county": [None, "溪西县"]}))
    >>> sorted(known.counties), {town: sorted(counties) for town, counties in known.towns.items()}
    (['溪西县'], {'云岭镇': ['溪西县']})
    """
    pairs = [(text_in(row, "county") if row.get("kind") == "town" else text_in(row, "name"),
              text_in(row, "name") if row.get("kind") == "town" else "")
             for row in organisations.to_dict("records") if row.get("kind") in ("county", "town")]
    if sites is not None:
        cells = {name: sites[name] if name in sites else pd.Series("", sites.index) for name in ("county", "town")}
        pairs += [(text_in(row, "county"), text_in(row, "town"))
                  for row in pd.DataFrame(cells).drop_duplicates().to_dict("records")]
    towns: dict[str, set[str]] = {}
    for county, town in pairs:
        if town:
            towns.setdefault(town, set()).add(county)
    return Areas(frozenset(county for county, _ in pairs if county), MappingProxyType(
        {town: frozenset(filter(None, found)) or frozenset({""}) for town, found in towns.items()}), city)


def county_and_town(quota: Quota, line: Iterable[Quota] = ()) -> tuple[str, str]:
    """County and town that a quota names; empty = not named.

    Parameters
    ----------
    quota : Quota
        A town may be named ``county/town``.
    line : iterable of Quota
        The quotas above it; the county of a town follows from them where it does not name one.

    Examples
    --------
    >>> county_and_town(Quota("b", level="town", area="城关镇"), [Quota("a", level="county", area="溪西县")])
    ('溪西县', '城关镇')
    """
    if quota.level == "county":
        return quota.area, ""
    if quota.level != "town":
        return "", ""
    county, _, town = quota.area.rpartition("/")
    return county or next((above.area for above in line if above.level == "county"), ""), town


def line_above(quotas: Mapping[str, Quota], quota: Quota) -> Iterator[Quota]:
    """The quotas above one, the nearest first; ends where it is endless."""
    seen = {quota.id}
    while quota.parent_id in quotas and quota.parent_id not in seen:
        quota = quotas[quota.parent_id]
        seen.add(quota.id)
        yield quota
