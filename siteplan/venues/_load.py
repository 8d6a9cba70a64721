"""The venue catalogue: the package's table under a profile of duties, with what a study changes and adds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import pandas as pd

from siteplan.errors import ModelError, Problem
from siteplan.tables import read_table
from siteplan.venues._catalogue import Department, Tier, VenueCatalogue, VenueClass
from siteplan.venues._entries import NATIONAL, completed_entry, known_entries
from siteplan.venues._faults import venue_faults

Tables = Mapping[str, Mapping[str, Any]]


@cache
def load_venues() -> VenueCatalogue:
    """The venue table of the package under the national profile.

    Returns
    -------
    VenueCatalogue

    Examples
    --------
    >>> venues = load_venues()
    >>> venues.classes["school"].must_open, venues.classes["school"].must_be_free
    (True, False)
    >>> venues.department_name("school"), venues.tiers[1].zh
    ('教育和体育局', '免费开放公共场所')
    """
    return _built(NATIONAL, {}, {}, {})


def profile_names() -> dict[str, str]:
    """Chinese name of every profile of duties by id.

    >>> profile_names()["shandong"]
    '山东省'
    """
    return {name: entry["zh"] for name, entry in read_table("venue_profiles")["profiles"].items()}


def venues_of(profile: str = NATIONAL, classes: Tables | None = None, tiers: Tables | None = None,
              departments: Tables | None = None, cost_models: tuple[str, ...] = ()) -> VenueCatalogue:
    """The venue table under a profile of duties, with the entries of a study.

    Parameters
    ----------
    profile : str
        Id of ``tables/venue_profiles.toml``. It changes the duties that it names; tier and cost model follow.
    classes, tiers, departments : mapping of str to mapping, optional
        ``[venues.classes]``, ``[venues.tiers]``, ``[venues.departments]`` of the study: single fields of an entry of
        the package, or new entries; ``like`` names the entry whose fields are taken over, but for its names and words.
    cost_models : tuple of str
        Cost models that the study adds.

    Raises
    ------
    ModelError
        Something is wrong with the entries; all faults are listed.

    Examples
    --------
    >>> venues_of("shandong").classes["village_committee"].must_be_free
    False
    >>> own = venues_of(classes={"night_market": {"like": "park", "zh": "夜市", "words": ["夜市"]}})
    >>> own.classes["night_market"].department, own.classes["night_market"].tier
    ('urban', 3)
    """
    if profile == NATIONAL and not classes and not tiers and not departments:
        return load_venues()
    given = (classes or {}, tiers or {}, departments or {})
    faults = list(venue_faults(profile, *given, cost_models=cost_models))
    if faults:
        raise ModelError("场所类别不能使用:", [Problem("study", "", "", f"venues.{field}", reason, remedy)
                                         for field, reason, remedy in faults])
    return _built(profile, *given)


def _built(profile: str, classes: Tables, tiers: Tables, departments: Tables) -> VenueCatalogue:
    """The catalogue of sound entries."""
    made = {}
    for table, extra in (("classes", classes), ("tiers", tiers), ("departments", departments)):
        known = known_entries(table, profile)
        made[table] = {name: completed_entry(table, name, known, extra) for name in {**known, **extra}}
    entry = read_table("venue_profiles")["profiles"][profile]
    ranks = sorted((int(key), value) for key, value in made["tiers"].items())
    return VenueCatalogue(
        MappingProxyType({key: VenueClass(id=key, **value) for key, value in made["classes"].items()}),
        MappingProxyType({key: Department(code=key, **value) for key, value in made["departments"].items()}),
        MappingProxyType({number: Tier(number=number, **value) for number, value in ranks}),
        MappingProxyType(dict(read_table("venues")["building_use"])),
        profile, entry["zh"], entry["source"], tuple(entry["banned_fees"]))


def gap_outside(catalogue: VenueCatalogue) -> pd.DataFrame:
    """Departments outside the coordination group that answer for venues: whom the group has to ask as well.

    Parameters
    ----------
    catalogue : VenueCatalogue

    Returns
    -------
    DataFrame
        Index ``department`` (code), columns ``zh, source, note``, ``classes`` and ``free_classes`` (Chinese names of
        the classes that it answers for and of those that open free of charge, joined by ``；``), ``must_open_count``.
        In the order of the table; departments without any class are left out.

    Examples
    --------
    >>> gap_outside(load_venues()).loc["urban", "zh"]
    '城市管理和综合执法局'
    """
    rows = {}
    for code, department in catalogue.departments.items():
        mine = [entry for entry in catalogue.classes.values() if entry.department == code]
        if mine and not department.in_group:
            rows[code] = (department.zh, department.source, department.note, "；".join(entry.zh for entry in mine),
                          "；".join(entry.zh for entry in mine if entry.must_be_free),
                          sum(entry.must_open for entry in mine))
    columns = ["zh", "source", "note", "classes", "free_classes", "must_open_count"]
    out = pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), dtype="str", name="department"), columns=columns)
    return out.astype({"must_open_count": "int64"})
