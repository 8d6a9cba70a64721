"""From the deliverables of a plan to what the register takes of it."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj

from siteplan.candidates.context import load_mounts
from siteplan.export._detailed_plan import site_fields
from siteplan.export.master.plan_layers import PlanLayers
from siteplan.opening._venues import venue_of_site
from siteplan.register.sync import PlanRecord
from siteplan.register.sync.record import INDICATOR_FIELDS, VENUE_FIELDS
from siteplan.secrecy import HIDDEN
from siteplan.tables import read_table

_SAME = ("name", "antenna_height_m", "azimuths", "networks", "bands", "station_count", "venue_class", "owner", "county",
         "town", "address", "unit_code", "parcel_code", "land_use_code", "land_m2", "capex_yuan", "rank_no",
         "gain_demand", "reason")
"""Columns of the site layer that the register has under the same name."""
_SETS = ("networks", "bands")
"""Columns whose parts have no order of their own: another order is no other value."""
_YES = "是"
_LEVELS: Mapping[str, str] = {"counties": "county", "towns": "town"}


def record_of(layers: PlanLayers, day: dt.date, folder: str = "") -> PlanRecord:
    """What the register takes of a plan.

    Parameters
    ----------
    layers : PlanLayers
        Of the plan, or of its folder; a folder of an earlier version may lack venues and fibre links.
    day : date
        Day on which the plan is brought in: the data are of the study's ``as_of`` where that is not later, else of this
        day.
    folder : str
        Where the deliverables lie, as it is to be told.

    Returns
    -------
    PlanRecord
        Sites and venues under their study ids, codes for kind and build, a way of standing in words. Venues are all
        those of the opening ledger.

    Examples
    --------
    >>> record_of(read_plan_layers(folder), dt.date(2026, 1, 1)).sites["kind"]  # doctest: +SKIP
    """
    facts, sites = layers.facts, layers.layers["sites"]
    venues = _venues(layers.layers.get("venues"), sites)
    proposed = _sites(layers, venues, _hard(layers.layers.get("venues")))
    years = ((facts["parameters"].get("selection") or {}).get("phases") or {}).get("years") or []
    version = next((text for text in _texts(sites, "version") if text), "")
    return PlanRecord(
        str(facts["study"].get("name", "")), _data_day(facts, day), version, pyproj.CRS.from_user_input(sites.crs),
        tuple(int(year) for year in years), proposed, venues, _links(layers.layers.get("fibre_links"), sites),
        _indicators(facts), folder, tuple(str(text) for text in facts["study"].get("notices") or ()))


def _data_day(facts: Mapping[str, Any], day: dt.date) -> dt.date:
    told = (facts["parameters"].get("study") or {}).get("as_of")
    try:
        return min(dt.date.fromisoformat(str(told)), day) if told else day
    except ValueError:
        return day


def _sites(layers: PlanLayers, venues: gpd.GeoDataFrame, hard: frozenset[str]) -> gpd.GeoDataFrame:
    """Proposed sites in the columns of the register."""
    sites = layers.layers["sites"]
    every = layers.layers["all_sites"].reindex(sites.index)
    own = pd.DataFrame({name: _texts(every, name) for name in ("source", "source_id")}, index=sites.index)
    venue = venue_of_site(own).to_numpy(object)
    venue = np.where(np.isin(venue, venues.index.to_numpy(object)), venue, "")
    columns: dict[str, Any] = {name: _plain(sites[name]) for name in _SAME if name in sites}
    free, public = (_yes(sites, name) for name in ("must_be_free", "must_open"))
    columns |= {
        "kind": _codes(sites, "kind"), "build": _codes(sites, "build"), "mount": _mounts(sites),
        "department": _departments(sites), "is_free": free, "is_public": public, "is_hard": np.isin(venue, list(hard)),
        "venue": venue, "build_year": sites.get("build_year", np.nan)}
    columns |= {name: [_in_order(text) for text in _texts(sites, name)] for name in _SETS if name in sites}
    return gpd.GeoDataFrame(columns, geometry=sites.geometry.to_numpy(), crs=sites.crs,
                            index=pd.Index(sites.index, name="study_id"))


def _in_order(text: str) -> str:
    """Parts joined by ``|``, sorted."""
    return "|".join(sorted(text.split("|")))


def _codes(sites: pd.DataFrame, name: str) -> list[str]:
    """Words of a coded column back to codes."""
    codes = {word: code for code, word in site_fields()[name]["values"].items()}
    return [codes.get(text, text) for text in _texts(sites, name)]


def _mounts(sites: pd.DataFrame) -> list[str]:
    """Ways of standing in words; the master has codes where its field list has no word."""
    words = {code: entry.zh for code, entry in load_mounts().items()}
    return [words.get(text, text) for text in _texts(sites, "mount")]


def _departments(table: pd.DataFrame) -> list[str]:
    """Departments; nothing where the catalogue says that there is none."""
    nobody = read_table("venues")["departments"]["none"]["zh"]
    return ["" if text == nobody else text for text in _texts(table, "department")]


def _venues(venues: gpd.GeoDataFrame | None, sites: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Venues of the opening ledger, without places that are private sites and no venues."""
    if venues is None or venues.empty:
        return gpd.GeoDataFrame({name: [] for name in VENUE_FIELDS}, geometry=gpd.GeoSeries([], crs=sites.crs),
                                index=pd.Index([], dtype="str", name="study_id"))
    told = venues[np.array([_is_venue(key) for key in venues.index], dtype=bool)]
    named = told[(told["name"] != HIDDEN).to_numpy(bool)]
    columns: dict[str, Any] = {name: _texts(named, name) for name in ("name", "owner", "county", "town", "address")}
    columns |= {
        "venue_class": _texts(named, "class_zh"), "department": _departments(named), "opened": _texts(named, "opened"),
        "must_open": _yes(named, "must_open"), "must_be_free": _yes(named, "must_be_free"),
        "agreed_on": [text if len(text) == _DAY else "" for text in _texts(named, "agreed_on")],
        "is_chosen": np.array(_texts(named, "status"), dtype=object) == "proposed"}
    return gpd.GeoDataFrame(columns, geometry=named.geometry.to_numpy(), crs=named.crs,
                            index=pd.Index(named.index, name="study_id"))


_DAY = len("2026-01-01")
_FACILITY = "V-facility:"


def _is_venue(key: str) -> bool:
    """Whether a row of the ledger is a facility, and not a pole or a building that the plan chose."""
    return key.startswith(_FACILITY)


def _hard(venues: gpd.GeoDataFrame | None) -> frozenset[str]:
    """Venues that the ledger keeps as hard ones."""
    if venues is None or "state" not in venues:
        return frozenset()
    return frozenset(str(key) for key in venues.index[(venues["state"] == "hard").to_numpy(bool)])


def _links(links: gpd.GeoDataFrame | None, sites: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    if links is None:
        return gpd.GeoDataFrame(geometry=gpd.GeoSeries([], crs=sites.crs),
                                index=pd.Index([], dtype="str", name="study_id"))
    known = links[links.index.isin(sites.index)]
    return gpd.GeoDataFrame(geometry=known.geometry.to_numpy(), crs=links.crs,
                            index=pd.Index(known.index, name="study_id"))


def _yes(table: pd.DataFrame, name: str) -> np.ndarray:
    return np.array([text == _YES for text in _texts(table, name)], dtype=bool)


def _texts(table: pd.DataFrame, name: str) -> list[str]:
    """A column of texts; empty where the table has none, and for no value."""
    if name not in table:
        return [""] * len(table)
    return [_clean(value) if isinstance(value, str) else "" for value in table[name].to_numpy(object)]


def _plain(column: pd.Series) -> Any:
    """A column as it is; texts without control characters, numbers that are none left out."""
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(float, na_value=np.nan)
        return np.where(np.isfinite(values), values, np.nan)
    return [_clean(value) if isinstance(value, str) else "" for value in column.to_numpy(object)]


def _clean(text: str) -> str:
    """A text without control characters, which no store and no sheet takes; line ends stay.

    >>> _clean("甲" + chr(7) + "乙")
    '甲 乙'
    """
    return "".join(" " if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" else letter
                   for letter in text) if not text.isprintable() else text


def _indicators(facts: Mapping[str, Any]) -> pd.DataFrame:
    """Results of the plan by city, county and town, now and with the plan; those that are not known are left out."""
    rows = [*_city_rows(facts), *(row for table, level in _LEVELS.items()
                                  for row in _area_rows(facts.get("results", {}).get(table) or (), level, facts))]
    return pd.DataFrame(rows, columns=list(INDICATOR_FIELDS))


def _city_rows(facts: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    before, after = (facts["indicators"].get(state) or {} for state in ("before", "after"))
    for entry in read_table("register_sync")["indicators"].values():
        if "city" not in entry:
            continue
        now, planned = (_number(_at(found, entry["city"])) for found in (before, after))
        rule = entry.get("rule") or _at(after, entry.get("city_rule", ())) or ""
        if now is not None or planned is not None:
            yield "city", "", entry["zh"], now, planned, str(rule)


def _area_rows(table: Sequence[Mapping[str, Any]], level: str, facts: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    titles = _rule_titles(facts)
    for row in table:
        for entry in read_table("register_sync")["indicators"].values():
            if "area" not in entry:
                continue
            now, planned = (_number(row.get(f"{entry['area']}_{state}")) for state in ("before", "after"))
            if now is None and planned is None:
                continue
            key = entry.get("rule_of", "")
            rule = str(row.get(f"{key}_after") or row.get(key) or "")
            told = titles.get(rule, rule) or entry.get("rule", "")
            yield level, str(row.get("area") or ""), entry["zh"], now, planned, told


def _rule_titles(facts: Mapping[str, Any]) -> dict[str, str]:
    """Id of a rule -> its words, as far as the plan tells them."""
    out = {str(entry["rule"]): str(entry["rule_zh"]) for state in ("before", "after")
           for entry in (facts["indicators"].get(state) or {}).values()
           if isinstance(entry, Mapping) and entry.get("rule") and entry.get("rule_zh")}
    return {rule: str(entry["zh"]) for rule, entry in read_table("rules")["rules"].items()} | out


def _at(table: Any, path: Sequence[str]) -> Any:
    for key in path:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table if path else None


def _number(value: Any) -> float | None:
    told = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
    return float(value) if told else None
