"""Opening: all tables of the opening of public venues, built from the plan's sites."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import geopandas as gpd
import pandas as pd

from siteplan.decisions import Decisions, sites_meant
from siteplan.input_ledger import InputLedger
from siteplan.opening._public import public_list
from siteplan.opening._records import (
    agreed_after,
    fee_table,
    hard_table,
    record_table,
    refusal_table,
    venues_of_decisions,
    with_records,
)
from siteplan.opening._sums import department_sums, pole_sums, town_sums
from siteplan.opening._venues import venue_of_site, venue_table
from siteplan.opening._words import department_order, filled
from siteplan.venues import VenueCatalogue

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Opening:
    """Tables of the opening ledger; codes in English columns, words for planners in those that end in ``_zh``.

    Attributes
    ----------
    venues : GeoDataFrame
        Index ``venue_id``: one row per public venue and per other place that is proposed or decided on. ``number, name,
        venue_class, class_zh, address, owner, department, group_zh, county, town, lon, lat, must_open, open_basis,
        must_be_free, free_basis, opened, agreed_on, agreed, asked, status`` (proposed | candidate | refused | none)
        ``, status_zh, status_reason, rank_no, site_ids, sites, site_kind, mount, build, tier_name, antenna_height_m,
        cost_yuan, gain_demand, screening, refusal_code, secret, state`` (refused | hard | fee | agreed | asked | idle)
        ``, state_zh, refused_on, refusal, refusal_kind, refused_by, fees, fee_count, fees_yuan, hard_cause, evidence,
        doubt``.
    departments, towns : DataFrame
        Counts, see :mod:`siteplan.opening._sums`.
    fees : DataFrame
        ``number, verdict`` (violation | check | negotiate) ``, verdict_zh, kind, kind_zh, amount_yuan, payer, date,
        name, class_zh, owner, department, county, town, why, tell, stated, remark, venue_id, id, source_row,
        geometry``.
    hard : DataFrame
        ``number, name, cause, cause_zh, steps, responsible, responsible_source, date, days, department, ...``.
    refusals : DataFrame
        ``number, name, class_zh, owner, must_open, kind, kind_zh, why, who, date, tell, stands, stands_zh, ...``.
    public, left_out : DataFrame
        The list that may be published, and what it leaves out.
    poles : DataFrame
        Candidate poles by street.
    screened : bool
        Whether the public list was held against a list of secret units.
    """

    venues: gpd.GeoDataFrame
    departments: pd.DataFrame
    towns: pd.DataFrame
    fees: pd.DataFrame
    hard: pd.DataFrame
    refusals: pd.DataFrame
    public: pd.DataFrame
    left_out: pd.DataFrame
    poles: pd.DataFrame
    screened: bool = True


def build_opening(sites: gpd.GeoDataFrame, facilities: gpd.GeoDataFrame, decisions: Decisions, venues: VenueCatalogue,
                  as_of: dt.date | None = None, screening: Mapping[str, str] = _NOTHING,
                  flag_words: Mapping[str, str] = _NOTHING, ledger: InputLedger | None = None) -> Opening:
    """Put the opening ledger together.

    Parameters
    ----------
    sites : GeoDataFrame
        Sites table after selection, index ``site_id``.
    facilities : GeoDataFrame
        Layer of public facilities, index ``facility_id``, in the same CRS. A column ``secret`` (bool) marks those of
        the secrecy layer; without it the public list says that it was held against no list of secret units.
    decisions : Decisions
    venues : VenueCatalogue
        Classes, departments and duties of the study.
    as_of : date, optional
        Day on which the age of hard sites is told.
    screening, flag_words : mapping of str to str
        Site id -> what the exposure screening says; code of a screening flag -> Chinese words.
    ledger : InputLedger, optional
        Takes a line for ids of decisions that mean nothing or several things.

    Returns
    -------
    Opening
    """
    planned = sites[sites["status"] != "existing"]
    ids = frozenset(facilities.index.astype("str"))
    others = ids | {f"V-facility:{text}" for text in ids}
    meant = sites_meant(decisions, planned, ledger, others)
    venue_of = venue_of_site(planned)
    wanted = {site_id for found in meant.values() for site_id in found}
    own = venue_of[venue_of.index.isin(wanted)].to_dict()
    venue_of_id = venues_of_decisions(decisions, meant, own, ids)
    told = frozenset(venue_of_id.values()) - {""}
    table = venue_table(sites, facilities, venues, told, screening, flag_words)
    records = {action: record_table(decisions.of(action, overruled=True), venue_of_id, table)
               for action in ("fee", "hard", "refused")}
    fees, hard = fee_table(records["fee"], venues.banned_fees), hard_table(records["hard"], as_of)
    refused = refusal_table(records["refused"], agreed_after(records["refused"]))
    full = with_records(table, fees, refused, hard)
    order = department_order(venues)
    first = full["status"].map({"proposed": 0, "candidate": 1}).fillna(2)
    full = full.assign(first=first, order=full["department"].map(order).fillna(len(order)), key=full.index).sort_values(
        ["order", "department", "first", "rank_no", "county", "town", "key"], kind="stable")
    full = full.drop(columns=["first", "order", "key"]).assign(number=range(1, len(full) + 1))
    states = full["state_zh"]
    hard = hard.assign(state_zh=filled(hard["venue_id"].map(states)))
    public, left_out = public_list(pd.DataFrame(full.drop(columns="geometry")).assign(checked=True))
    return Opening(full, department_sums(full, fees, venues), town_sums(full, fees), fees, hard, refused, public,
                   left_out, pole_sums(sites, venues), "secret" in facilities)
