"""Existing 5G masts with room for the operators that are missing there: co-building and sharing (共建共享)."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.kinds.mast_places import allot_places, free_places, of_one_tower, partners_of
from siteplan.candidates.kinds.operators import listed, only_words, wanted_operators
from siteplan.candidates.kinds.origins import count_words, few
from siteplan.candidates.kinds.stations import mast_sites, mast_table
from siteplan.candidates.table import empty_sites, site_ids, sites_table

SHARING_COLUMNS = ("name", "owner", "operators_5g", "operators", "missing", "places", "places_source", "offered",
                   "verdict", "antenna_height_m", "evidence")
"""Columns of the sharing table, beside its geometry."""
VERDICT_ZH = {"room": "可共享", "full": "没有空余挂载位", "complete": "各家5G齐全"}


def _masts_with_5g(context: CandidateContext) -> gpd.GeoDataFrame:
    """Macro masts with 5G of their own, with ``operators_5g``; rooms with indoor systems only are no masts."""
    stations = of_one_tower(context.tables["stations"])
    outdoor = stations[(stations["kind"] != "indoor").to_numpy()]
    five = outdoor[((outdoor["technology"] == "5G") & (outdoor["kind"] == "macro")).to_numpy()]
    if five.empty:
        return mast_table(five).assign(operators_5g="")
    masts = mast_table(outdoor[outdoor["source_site"].isin(five["source_site"].unique()).to_numpy()])
    of_5g = outdoor[(outdoor["technology"] == "5G").to_numpy()]
    return masts.assign(operators_5g=mast_table(of_5g)["operators"].reindex(masts.index))


def _evidence(table: pd.DataFrame) -> list[str]:
    """Who is on each mast, who is missing, and what room there is, in words."""
    columns = [table[name].tolist() for name in ("rows", "operators_5g", "operators", "missing", "places_words",
                                                  "antenna_height_m")]
    return [f"{rows};5G现有 {listed(five)};塔上现有 {listed(there)};缺 {listed(missing)};{free};挂高{high:g}米按现有最高一副"
            for rows, five, there, missing, free, high in zip(*columns, strict=True)]


def _judged(context: CandidateContext) -> gpd.GeoDataFrame:
    """The sharing table with all that is known of the masts."""
    masts = _masts_with_5g(context)
    wanted = wanted_operators(context)
    stations = context.tables["stations"]
    groups = partners_of(stations.loc[(stations["technology"] == "5G").to_numpy(), "network"], wanted)
    places = free_places(masts, context)
    missing, offered = [], []
    for five, there, free, source in zip(masts["operators_5g"], masts["operators"], places["places"],
                                         places["places_source"], strict=True):
        have = set(five.split("|"))
        lacking = tuple(part for part in (tuple(n for n in group if n not in have) for group in groups) if part)
        missing.append("|".join(name for group in lacking for name in group))
        offered.append("|".join(allot_places(lacking, set(there.split("|")), int(free), source == "given")))
    found = masts.join(places).assign(missing=pd.Series(missing, index=masts.index, dtype="str"),
                                      offered=pd.Series(offered, index=masts.index, dtype="str"))
    verdict = np.where(found["missing"] == "", "complete", np.where(found["offered"] == "", "full", "room"))
    return found.assign(verdict=pd.Series(verdict, index=masts.index, dtype="str"),
                         evidence=pd.Series(_evidence(found), index=masts.index, dtype="str"))


def sharing_table(context: CandidateContext) -> gpd.GeoDataFrame:
    """Existing 5G masts: who is there, who is missing, and for how many there is room.

    Parameters
    ----------
    context : CandidateContext

    Returns
    -------
    GeoDataFrame
        Index ``source_site`` (the first site number of each tower), sorted: ``name, owner, operators_5g`` (with 5G
        there), ``operators`` (with any equipment there), ``missing`` (of the operators wanted, without 5G there),
        ``places`` (number), ``places_source`` (given | assumed), ``offered`` (the missing ones that there is room for),
        ``verdict`` (room | full | complete: nobody is missing), ``antenna_height_m, evidence, geometry``. Operators are
        joined by ``|``.

    Notes
    -----
    Site numbers on one tower are judged together (:func:`~siteplan.candidates.kinds.mast_places.of_one_tower`).
    Places are the ``free_positions`` of the stations layer. Cell tables repeat the number of the mast in each of its
    rows: it is taken once, and the least of them where they differ. One position takes one RAN, of one operator or of
    several that share it everywhere. Where nothing is given, a mast takes ``candidates.station_operators`` operators,
    of which each one there has used one: a shared RAN is several operators. An operator that has 4G there takes no
    further place. Missing operators are tried in the order of the number of their 5G masts in the study; partners of
    one RAN come together or not at all.
    """
    return _judged(context)[[*SHARING_COLUMNS, "geometry"]]


def _tell(table: gpd.GeoDataFrame, context: CandidateContext) -> None:
    """What was assumed of the capacity of masts."""
    assumed = (table["places_source"] == "assumed") & (table["verdict"] != "complete")
    for where, reason, remedy in (
        (assumed, f"空余挂载位未提供,每塔按{context.params.station_operators}家运营商计",
         "补填空余挂载位,或改 candidates.station_operators"),
        (table["free_unclear"], "同一站址各行的空余挂载位不一致,取最小值", "核对空余挂载位"),
    ):
        masts = table.index[where.to_numpy(dtype=bool)]
        if len(masts):
            context.ledger.add("stations", "", count_words(len(masts), masts[0], "个站址"), "free_positions", few(masts),
                               "assumed", reason, remedy)


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Existing 5G masts where operators are missing, as macro candidates of build ``share``.

    ``networks`` are the missing operators that there is room for (:func:`sharing_table`). Masts without room are
    refused (``no_capacity``) with all that are missing. The rule of spacing to existing masts is not for these sites:
    each stands on one.
    """
    stations = context.tables["stations"]
    table = _judged(context)
    _tell(table, context)
    lacking = table[(table["verdict"] != "complete").to_numpy()]
    if lacking.empty:
        return empty_sites(stations.crs)
    full = (lacking["verdict"] == "full").to_numpy()
    networks = lacking["offered"].where(~full, lacking["missing"])
    wanted = wanted_operators(context)
    only = networks.map(lambda names: only_words(names, wanted)).where(~full, "")
    rows = mast_sites(lacking, context).assign(
        source="sharing", build="share", networks=networks, evidence=lacking["evidence"] + only,
        status=np.where(full, "refused", "candidate"),
        refusal_code=np.where(full, "no_capacity", ""),
        reason=[f"没有空余挂载位:塔上已有{listed(there)},容不下{listed(missing)}" if none else ""
                for none, there, missing in zip(full, lacking["operators"], lacking["missing"], strict=True)])
    rows.index = site_ids("sharing", lacking.index)
    return sites_table(rows, gpd.GeoSeries(lacking.geometry.to_numpy(), crs=stations.crs))
