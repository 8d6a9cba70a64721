"""Rules about what a candidate is: roof, parcel, secrecy, decisions of meetings and owners, what its kind found."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.candidates.context import CandidateContext, load_mounts
from siteplan.candidates.rules.land_use import PERMITS_ZH, land_use_of
from siteplan.candidates.rules.refuse import Hits, metres
from siteplan.candidates.rules.rule_table import SiteRule
from siteplan.candidates.rules.secrecy_list import secret_sites
from siteplan.candidates.rules.thin import SAME_SPOT_M

VENUE_SOURCES = ("facility", "ground")
MADE_FROM: Mapping[str, tuple[str, str]] = {"works": ("works", "members"),
                                            "planned": ("planned_buildings", "source_id")}
"""Sources whose sites are named otherwise than the rows they are made from: layer, column with the id of the row."""


def _below(values: np.ndarray, limit: np.ndarray | float) -> np.ndarray:
    """Rows whose value is known and below the limit."""
    with np.errstate(invalid="ignore"):
        return np.flatnonzero(values < limit)


def small_roof(sites: gpd.GeoDataFrame, least_m2: float) -> Hits:
    """Sites on roofs that are known to be too small."""
    area = sites["roof_area_m2"].to_numpy(float)
    rows = _below(area, least_m2)
    return Hits(rows, [f"楼顶面积{value}平方米,须不小于{least_m2:g}平方米" for value in metres(area[rows])])


def roof_height_m(sites: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame) -> np.ndarray:
    """Height of the roof that a site stands on: that of its building, else at most its antenna's less the mount."""
    raised = sites["mount"].map({key: mount.raise_m for key, mount in load_mounts().items()}).to_numpy(float)
    roof: np.ndarray = sites["antenna_height_m"].to_numpy(float) - raised
    known = sites["source_id"].map(buildings["height_m"].astype("float64")).to_numpy(float)
    return np.where((sites["source"] == "building") & ~np.isnan(known), known, roof)


def low_roof(sites: gpd.GeoDataFrame, context: CandidateContext) -> Hits:
    """Sites on roofs that are too low; public venues have a limit of their own."""
    params = context.params
    least = np.where(sites["source"] == "facility", params.venue_min_roof_m, params.roof_min_height_m)
    roof = roof_height_m(sites, context.tables["buildings"])
    rows = _below(roof, least)
    return Hits(rows, [f"楼顶高{value}米,须不小于{limit:g}米"
                       for value, limit in zip(metres(roof[rows]), least[rows], strict=True)])


def land_verdict(site_source: str, code: str) -> str:
    """Whether a tower may stand on a parcel: ``yes``, ``ask`` or ``no`` (``tables/land_use.toml``).

    The land of a venue (sources facility and ground) is built up for it already, so its own field ``venues`` counts.
    Of requests (source demand) an unknown code is asked about; new towers on open land need a code that permits them.

    >>> [land_verdict(source, "0804") for source in ("facility", "demand")], land_verdict("demand", "X9")
    (['yes', 'ask'], 'ask')
    """
    use = land_use_of(code)
    if site_source in VENUE_SOURCES:
        return use.venues
    return "ask" if site_source == "demand" and not use.code else use.permits


def _land_words(code: str, verdict: str) -> str:
    use = land_use_of(code)
    if not use.code:
        return f"用地性质“{code}”不认识,须核实能否新建落地塔" if verdict == "ask" else use.reason
    return f"用地性质 {use.code} {use.zh},{PERMITS_ZH[verdict]}新建落地塔"


def land_hits(sites: gpd.GeoDataFrame, verdict: str) -> Hits:
    """Sites on a parcel with a land-use code of this verdict; see :func:`land_verdict`."""
    codes, sources = sites["land_use_code"].to_numpy(object), sites["source"].to_numpy(object)
    pairs = pd.MultiIndex.from_arrays([sources, codes])
    found = {pair: _land_words(pair[1], verdict) for pair in pairs.unique()
             if pair[1] and land_verdict(*pair) == verdict}
    rows = np.flatnonzero(pairs.isin(list(found))) if found else np.zeros(0, np.int64)
    return Hits(rows, [found[sources[row], codes[row]] for row in rows])


def secret(sites: gpd.GeoDataFrame, tables: Mapping[str, gpd.GeoDataFrame]) -> Hits:
    """Sites that the secrecy list means (:func:`secret_sites`), and those inside a building that is closed.

    Closed are the listed buildings, and those in which a listed facility stands (within ``SAME_SPOT_M``). What was made
    from listed works or planned buildings is meant too. The sentence says nothing else, and nothing else is said of
    them.
    """
    listed, buildings, venues = tables["secrecy"], tables["buildings"], tables["facilities"]
    if listed.empty or sites.empty:
        return Hits(np.zeros(0, np.int64), [])
    where, secret_venues = secret_sites(listed, sites), venues[secret_sites(listed, venues)]
    for source, (layer, column) in MADE_FROM.items():
        rows = tables[layer]
        meant = rows.index[secret_sites(listed, rows, source)].astype("str")
        where |= ((sites["source"] == source) & sites[column].isin(list(meant))).to_numpy(dtype=bool)
    if len(buildings):
        here = np.unique(buildings.sindex.query(sites.geometry.to_numpy())[1])  # by bounds: others hold no site
        held = buildings.sindex.nearest(secret_venues.geometry.to_numpy(), max_distance=SAME_SPOT_M)[1]
        closed = here[secret_sites(listed, buildings.iloc[here], "building") | np.isin(here, held)]
        shapes = shapely.make_valid(buildings.geometry.to_numpy()[closed])
        where[sites.geometry.sindex.query(shapes, predicate="intersects")[1]] = True
    rows = np.flatnonzero(where)
    return Hits(rows, ["涉密单位"] * len(rows))


def decided(sites: gpd.GeoDataFrame, decisions: Mapping[str, tuple[str, str]], code: str) -> Hits:
    """Sites that a decision of this code names by site id or, where it names none, by source id.

    Parameters
    ----------
    sites : GeoDataFrame
    decisions : mapping of str to (str, str)
        Site id or source id -> code of the rule (banned, refused_by_owner), Chinese sentence.
    code : str
    """
    mine = {key: sentence for key, (rule, sentence) in decisions.items() if rule == code}
    words = [mine.get(site_id) or mine.get(source_id, "")
             for site_id, source_id in zip(sites.index, sites["source_id"], strict=True)] if mine else []
    rows = np.flatnonzero(np.array(words, dtype=object) != "") if words else np.zeros(0, np.int64)
    return Hits(rows, [words[row] for row in rows])


def of_kinds(sites: gpd.GeoDataFrame, rules: Mapping[str, SiteRule]) -> tuple[gpd.GeoDataFrame, dict[str, Hits]]:
    """What the kinds of candidates found themselves, as hits, and the table without it.

    Kinds refuse poles that are too low, masts without room, one of two venues on one spot, and the like; the effect of
    the rule decides what becomes of it.

    Returns
    -------
    (GeoDataFrame, dict of str to Hits)
        Refused rows are candidates again; flags stay unless their rule does not flag.
    """
    codes, reasons = sites["refusal_code"].to_numpy(object), sites["reason"].to_numpy(object)
    open_to = (sites["status"] != "existing").to_numpy(dtype=bool)
    told = np.flatnonzero((codes != "") & open_to)
    found: dict[str, list[tuple[int, str]]] = {}
    for row in told.tolist():
        names, words = codes[row].split("|"), reasons[row].split(";")
        if len(names) != len(words):
            words = [reasons[row], *(rules[name].zh if name in rules else name for name in names[1:])]
        for name, word in zip(names, words, strict=True):
            found.setdefault(name, []).append((row, word))
    flags = sites["flags"].to_numpy(object).copy()
    for row in np.flatnonzero((flags != "") & open_to).tolist():
        names = flags[row].split("|")
        kept = [name for name in names if name not in rules or rules[name].effect == "flag"]
        for name in set(names) - set(kept):
            found.setdefault(name, []).append((row, rules[name].zh))
        flags[row] = "|".join(kept)
    clear = np.isin(np.arange(len(sites)), told)
    table = sites.assign(**{name: pd.array(np.where(clear, "", sites[name].to_numpy(object)), dtype=sites[name].dtype)
                            for name in ("refusal_code", "reason")},
                         flags=pd.array(flags, dtype=sites["flags"].dtype),
                         status=pd.array(np.where(clear, "candidate", sites["status"].to_numpy(object)),
                                         dtype=sites["status"].dtype))
    return table, {name: Hits(np.array([row for row, _ in pairs], np.int64), [word for _, word in pairs])
                   for name, pairs in found.items()}
