"""Organisations that a new register starts with: departments, enterprises, counties, towns, who leads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from siteplan.tables import read_table
from siteplan.venues import VenueCatalogue

OFFICE = "tongxin"
"""Department of the catalogue that leads."""
NO_DEPARTMENT = "none"
"""Entry of the catalogue that stands for no department at all."""


def default_enterprises() -> Mapping[str, tuple[str, ...]]:
    """Who builds, where a city names nobody else: name -> other names (``tables/organisations.toml``).

    >>> list(default_enterprises())[:2]
    ['铁塔公司', '移动公司']
    """
    return {entry["name"]: tuple(entry["words"]) for entry in read_table("organisations")["enterprises"].values()}


def seed_rows(catalogue: VenueCatalogue, counties: Iterable[str] = (), towns: Iterable[tuple[str, str]] = (),
              enterprises: Mapping[str, Sequence[str]] | None = None) -> list[dict[str, Any]]:
    """Rows of the table ``organisations`` for a new register.

    Parameters
    ----------
    catalogue : VenueCatalogue
        Its departments; the one that leads is the office.
    counties : iterable of str
        Names.
    towns : iterable of (str, str)
        Town and its county; the county is empty where the city has none. Towns that share their name are called after
        their county.
    enterprises : mapping of str to sequence of str, optional
        Who builds -> other names; :func:`default_enterprises` when absent.

    Returns
    -------
    list of dict
        ``name, kind, words, county, in_group``; every name once, what comes first stands.

    Examples
    --------
    >>> from siteplan.venues import load_venues
    >>> rows = seed_rows(load_venues(), ["东县"], [("城关镇", "东县"), ("城关镇", "西县")])
    >>> [row["name"] for row in rows if row["kind"] in ("office", "town")]
    ['通信建设管理办公室', '东县城关镇', '西县城关镇']
    """
    rows = [_row(entry.zh, "office" if code == OFFICE else "department", entry.words, in_group=entry.in_group)
            for code, entry in catalogue.departments.items() if code != NO_DEPARTMENT]
    rows.sort(key=lambda row: row["kind"] != "office")
    group = read_table("organisations")["group"]
    rows.append(_row(group["name"], "group", group["words"], in_group=True))
    rows += [_row(name, "enterprise", words) for name, words in
             (default_enterprises() if enterprises is None else enterprises).items()]
    rows += [_row(name.strip(), "county", (), county=name.strip()) for name in counties]
    listed = list(dict.fromkeys((town.strip(), county.strip()) for town, county in towns))
    times = Counter(town for town, _ in listed)
    rows += [_row(f"{county}{town}", "town", (town,), county=county) if times[town] > 1 else
             _row(town, "town", (), county=county) for town, county in listed]
    known: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["name"]:
            known.setdefault(row["name"], row)
    return list(known.values())


def _row(name: str, kind: str, words: Iterable[str], county: str = "", *, in_group: bool = False) -> dict[str, Any]:
    return {"name": name, "kind": kind, "words": "|".join(words) or None, "county": county or None,
            "in_group": in_group}
