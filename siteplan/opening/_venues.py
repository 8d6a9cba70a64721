"""The ledger of venues: one row for every public venue and every other place that this plan proposes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.crs import transform_points
from siteplan.opening._words import days_of, department_names, filled, group_words, joined, numbers_of, text_of, words
from siteplan.venues import VenueCatalogue, classify_venue

VENUE_SOURCES = ("facility", "ground")
"""Sources of sites that belong to a facility."""
_PLAN_RANK = {"proposed": 0, "candidate": 1, "refused": 2}
SECRET_CODE = "secrecy"
"""Code of the rule of place (``tables/site_rules.toml``) that takes out what the secrecy layer names."""
_DOUBTFUL = 0.6
"""A class surer than this raises no doubt."""


def venue_ids(facility_ids: pd.Index | pd.Series) -> pd.Index:
    """Id of a venue: that of the site on it, whether there is one or not.

    >>> venue_ids(pd.Index(["F0012"])).tolist()
    ['V-facility:F0012']
    """
    return pd.Index([f"V-facility:{value}" for value in facility_ids], dtype="str", name="venue_id")


def venue_of_site(sites: pd.DataFrame) -> pd.Series:
    """Venue of each site: the facility's for a roof or ground of it, else the site itself."""
    own = pd.Series(sites.index.astype("str"), index=sites.index, dtype="str")
    return own.where(~sites["source"].isin(VENUE_SOURCES), "V-facility:" + text_of(sites, "source_id"))


def has_code(codes: pd.Series, code: str) -> pd.Series:
    """Whether codes joined by ``|`` hold this one."""
    return ("|" + codes + "|").str.contains(f"|{code}|", regex=False).astype(bool)


@cache
def opens_in_words(text: str) -> tuple[str, str]:
    """What a file says a venue is open for, as kinds and places in the ledger's words; other text stands in front.

    >>> opens_in_words("基站,光缆；天面"), opens_in_words("全部")
    (('光纤、基站', '楼顶'), ('全部', ''))
    """
    found = []
    for table in ("open_kinds", "open_places"):
        found.append("、".join(entry["zh"] for entry in words(table).values()
                              if any(word in text for word in entry["words"])))
    return (found[0], found[1]) if found[0] or found[1] else (text.strip(), "")


def _basis(venues: VenueCatalogue) -> pd.DataFrame:
    """Class id -> why it must open, why free of charge; empty where it need not."""
    rows = {}
    for key, entry in venues.classes.items():
        rows[key] = (entry.zh, entry.source_open, entry.source_free)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["class_zh", "open_basis", "free_basis"])


def _facility_rows(facilities: gpd.GeoDataFrame, venues: VenueCatalogue) -> gpd.GeoDataFrame:
    """Facilities inside the boundary whose class takes a site or must open, with their own columns."""
    listed = [key for key, entry in venues.classes.items() if entry.takes_site or entry.must_open]
    here = facilities["venue_class"].isin(listed)
    if "inside" in facilities:
        here &= facilities["inside"].fillna(True).astype(bool)
    table = facilities[here].sort_index()
    classes = text_of(table, "venue_class")
    opened = pd.DataFrame([opens_in_words(text) for text in text_of(table, "opens")], index=table.index,
                          columns=["kinds", "places"], dtype="str")
    given = text_of(table, "department_source") == "class"
    sure = numbers_of(table, "class_confidence").fillna(1.0) > _DOUBTFUL
    doubt = pd.Series("", index=table.index, dtype="str")
    kinds, names = text_of(table, "venue_type"), text_of(table, "name")
    for key in table.index[~sure]:
        doubt[key] = classify_venue(kinds[key], names[key], venues).doubt or "类别依据不足，请核实"
    doubt = joined(doubt, pd.Series("", index=table.index).mask(text_of(table, "owner") == "", "权属单位待核实"),
                   pd.Series("", index=table.index).mask(given, "主管部门按场所类别推定"))
    origin = joined(text_of(table, "source_file"), "第" + text_of(table, "source_row") + "行", by=" ")
    rule = text_of(table, "class_rule")
    lon, lat = transform_points(table.geometry.x, table.geometry.y, facilities.crs, "EPSG:4326")
    columns = {
        "name": names, "venue_class": classes, "address": text_of(table, "address"), "owner": text_of(table, "owner"),
        "department": text_of(table, "department"), "lon": np.round(lon, 7), "lat": np.round(lat, 7),
        "must_open": classes.map({key: entry.must_open for key, entry in venues.classes.items()}).astype(bool),
        "must_be_free": classes.map({key: entry.must_be_free for key, entry in venues.classes.items()}).astype(bool),
        "opened": joined(opened["kinds"], opened["places"], by=" / "), "agreed_on": days_of(table, "agreed_on"),
        "doubt": doubt, "evidence": joined(origin, ("类别依据 " + rule).where(rule != "", "")),
    }
    columns["secret"] = table["secret"].astype(bool) if "secret" in table else False
    out = gpd.GeoDataFrame(columns, geometry=table.geometry.to_numpy(), crs=facilities.crs, index=table.index)
    out.index = venue_ids(table.index)
    return out


def _site_rows(sites: gpd.GeoDataFrame, venue: pd.Series) -> gpd.GeoDataFrame:
    """Sites that are venues of their own, with the columns of `_facility_rows`."""
    names = ("name", "venue_class", "address", "owner", "department", "evidence")
    columns = {name: text_of(sites, name) for name in names}
    doubt = pd.Series("", index=sites.index).mask(columns["owner"] == "", "权属单位待核实")
    out = gpd.GeoDataFrame({
        **columns, "lon": sites["lon"], "lat": sites["lat"], "must_open": sites["must_open"].astype(bool),
        "must_be_free": sites["must_be_free"].astype(bool), "opened": "", "agreed_on": "", "doubt": doubt,
        "secret": False,
    }, geometry=sites.geometry.to_numpy(), crs=sites.crs, index=sites.index)
    out.index = pd.Index(venue.to_numpy(), dtype="str", name="venue_id")
    return out


def _best_site(sites: gpd.GeoDataFrame, venue: pd.Series) -> pd.DataFrame:
    """The site that speaks for each venue (proposed before candidate before refused), and how many are proposed."""
    rank = sites["status"].map(_PLAN_RANK).fillna(9)
    ordered = sites.assign(venue_id=venue, plan_rank=rank, own_id=sites.index).sort_values(
        ["venue_id", "plan_rank", "rank_no", "own_id"], kind="stable")
    best = ordered.drop_duplicates("venue_id").set_index("venue_id")
    chosen = ordered[ordered["status"] == "proposed"]
    groups = chosen.groupby("venue_id")
    many = groups["own_id"].agg("|".join)
    named = filled(many.reindex(best.index))
    return best.assign(site_ids=named.where(named != "", best["own_id"]),
                       sites=groups.size().reindex(best.index).fillna(0).astype(int),
                       all_cost=groups["cost_yuan"].sum().reindex(best.index).fillna(0.0),
                       all_gain=groups["gain_demand"].sum().reindex(best.index).fillna(0.0))


def asked_opening(sites: pd.DataFrame, venues: VenueCatalogue) -> pd.Series:
    """What proposed sites ask their owners to open: kinds and places in words; empty for other sites.

    Every site needs fibre and room for the station; buildings that must open and take indoor systems are asked
    for those.
    """
    kinds, places = words("open_kinds"), words("open_places")
    place = text_of(sites, "opens")
    place = place.where(place != "", filled(text_of(sites, "mount").map(words("place_of_mount"))))
    takes_indoor = text_of(sites, "venue_class").isin([key for key, entry in venues.classes.items() if entry.indoor])
    indoors = takes_indoor & place.isin(["roof", "room"]) & sites["must_open"].astype(bool)
    what = pd.Series(f"{kinds['fibre']['zh']}、{kinds['station']['zh']}", index=sites.index).where(
        ~indoors, "、".join(entry["zh"] for entry in kinds.values()))
    where = filled(place.map({key: entry["zh"] for key, entry in places.items()}))
    return joined(what, where, by=" / ").where(sites["status"] == "proposed", "")


def _screening(best: pd.DataFrame, screening: Mapping[str, str], flag_words: Mapping[str, str]) -> pd.Series:
    """Words of the exposure screening and of the flags of the rules, by venue."""
    told = filled(best["own_id"].map(dict(screening)))
    flags = text_of(best, "flags")
    said = {text: "；".join(flag_words.get(code, code) for code in text.split("|") if code) for text in flags.unique()}
    return joined(told, filled(flags.map(said)))


def venue_table(sites: gpd.GeoDataFrame, facilities: gpd.GeoDataFrame, venues: VenueCatalogue, told: frozenset[str],
                screening: Mapping[str, str], flag_words: Mapping[str, str]) -> gpd.GeoDataFrame:
    """Venues with their place in the plan; what decisions say of them comes later.

    Parameters
    ----------
    sites : GeoDataFrame
        Sites table after selection; existing sites are no venues.
    facilities : GeoDataFrame
        Layer of public facilities, index ``facility_id``; a column ``secret`` (bool), where there is one, marks those
        of the secrecy layer.
    venues : VenueCatalogue
    told : frozenset of str
        Ids of sites and venues that decisions speak of: listed although they are not proposed.
    screening, flag_words : mapping of str to str
        Site id -> what the exposure screening says; flag code -> Chinese words.

    Returns
    -------
    GeoDataFrame
        Index ``venue_id``; sorted by id.
    """
    planned = sites[sites["status"] != "existing"]
    venue = venue_of_site(planned)
    own = _facility_rows(facilities, venues)
    more = ((planned["status"] == "proposed") | venue.isin(told)).to_numpy() & ~venue.isin(own.index).to_numpy()
    rest = _site_rows(planned[more], venue[more])
    rest = rest[~rest.index.duplicated()]
    rows = gpd.GeoDataFrame(pd.concat([own, rest]) if len(rest) else own, crs=facilities.crs).sort_index()
    best = _best_site(planned[venue.isin(rows.index)], venue[venue.isin(rows.index)]).reindex(rows.index)
    found = best["own_id"].notna()
    basis = _basis(venues).reindex(rows["venue_class"]).set_index(rows.index)
    must_open = best["must_open"].where(found, rows["must_open"]).astype(bool)
    must_be_free = best["must_be_free"].where(found, rows["must_be_free"]).astype(bool)
    status = text_of(best, "status").where(found, "none")
    status = status.where(status.isin(words("plan_status")), "none")
    department = text_of(best, "department")
    department = department_names(department.where(department != "", rows["department"]), venues)
    known, refusal_code = best[found], text_of(best, "refusal_code")
    columns = {
        "department": department, "group_zh": group_words(department, venues),
        "class_zh": filled(basis["class_zh"]).where(basis["class_zh"].notna(), rows["venue_class"]),
        "town": text_of(best, "town"), "county": text_of(best, "county"), "must_open": must_open,
        "open_basis": filled(basis["open_basis"]).where(must_open, ""), "must_be_free": must_be_free,
        "free_basis": filled(basis["free_basis"]).where(must_be_free, ""),
        "asked": filled(asked_opening(known, venues).reindex(rows.index)), "status": status,
        "status_zh": filled(status.map(words("plan_status"))), "status_reason": text_of(best, "reason"),
        "rank_no": best["rank_no"].fillna(0).astype(int), "site_ids": text_of(best, "site_ids"),
        "sites": best["sites"].fillna(0).astype(int), "site_kind": text_of(best, "kind"),
        "mount": text_of(best, "mount"), "build": text_of(best, "build"), "tier_name": text_of(best, "tier_name"),
        "antenna_height_m": best["antenna_height_m"], "cost_yuan": best["all_cost"].fillna(0.0),
        "gain_demand": best["all_gain"].fillna(0.0),
        "screening": filled(_screening(known, screening, flag_words).reindex(rows.index)),
        "refusal_code": refusal_code,
        "secret": rows["secret"].astype(bool) | has_code(refusal_code, SECRET_CODE),
        "evidence": rows["evidence"].where(text_of(best, "evidence") == "", text_of(best, "evidence")),
    }
    return rows.assign(**columns)
