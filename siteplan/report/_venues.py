"""What owners of venues and sites have said, and complaints about fees; refusals are those of `venue_stands`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from siteplan.register import word_of
from siteplan.register.duties import open_violations, venue_stands
from siteplan.register.duties.venue_stands import venue_of
from siteplan.report._counting import texts_of, words_of
from siteplan.report.period import Period


def refusal_rows(decisions: pd.DataFrame, venues: pd.DataFrame, sites: pd.DataFrame, period: Period) -> pd.DataFrame:
    """What owners have refused or made hard and nobody has agreed to since: one row for each place.

    A venue of the register is refused where :func:`venue_stands` says so, whichever site on it was asked about; of
    other places the newest word counts. Columns ``ref, name, department, county, town, action, action_zh, day, who,
    why``.
    """
    last = pd.Timestamp(period.last)
    said = decisions[decisions["action"].isin(["refused", "agreed", "hard"]) & ~(decisions["day"] > last)
                     & ~(decisions["withdrawn_on"] <= last)]
    own = venue_of(said, venues, sites)
    place = [venue or site or ref for venue, site, ref in zip(
        own, texts_of(said["site_id"]), texts_of(said["ref"]), strict=True)]
    ordered = said.assign(place=place).reset_index(names="row").sort_values(["day", "row"], na_position="first")
    stands = venue_stands(venues, decisions, period.last, sites)
    refused = ordered["place"].isin(set(stands.index[(stands == "refused").to_numpy(bool)].astype("str")))
    no = ordered[refused & (ordered["action"] == "refused")].drop_duplicates("place", keep="last")
    rest = ordered[~refused].drop_duplicates("place", keep="last")
    agreed_on = venues["agreed_on"].reindex(rest["place"].astype("str")).set_axis(rest.index)
    is_hard = (rest["action"] == "hard") & ~((agreed_on <= last) & ~(agreed_on < rest["day"]))
    is_else = (rest["action"] == "refused") & ~rest["place"].isin(venues.index)
    kept = pd.concat([no, rest[is_hard | is_else]]).sort_values(["day", "row"])
    facts: Mapping[str, pd.Series] = {
        name: _looked_up(kept["place"], name, venues, sites) for name in ("name", "department", "county", "town")}
    organisation = kept["organisation"].astype("object")
    return pd.DataFrame({
        "ref": kept["place"].astype("str"), "name": facts["name"].where(facts["name"].notna(), kept["place"]),
        "department": facts["department"].where(facts["department"].notna(), organisation),
        "county": facts["county"], "town": facts["town"], "action": kept["action"],
        "action_zh": words_of("decisions", "action", kept["action"]),
        "day": kept["day"], "who": kept["who"], "why": kept["why"]}).reset_index(drop=True)


def _looked_up(places: pd.Series, column: str, *tables: pd.DataFrame) -> pd.Series:
    """A column of the row of each id, of the first table that has it."""
    known = pd.concat([table[column].astype("object") for table in tables])
    return places.map(known[~known.index.duplicated()]).astype("object")


def fee_rows(fees: pd.DataFrame, venues: pd.DataFrame, sites: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Complaints about fees up to the cut-off, those that are not settled first.

    Columns ``ref, name, department, kind_zh, amount_yuan, payer, day, why, told_on, resolved_on, outcome, status_zh,
    is_open, is_violation`` (not settled, and a violation by the first verdict), ``verdict_zh``.
    """
    last = pd.Timestamp(period.last)
    known = fees[~(fees["day"] > last)]
    settled = (known["resolved_on"] <= last).to_numpy(bool)
    told = (known["told_on"] <= last).to_numpy(bool)
    wrong = known.index.isin(open_violations(fees, venues, period.last, sites).index)
    place = venue_of(known, venues, sites)
    out = pd.DataFrame({
        "ref": known["ref"], "name": _looked_up(place, "name", venues),
        "department": _looked_up(place, "department", venues),
        "kind_zh": [word_of("fees", "kind", code) for code in known["kind"]], "amount_yuan": known["amount_yuan"],
        "payer": known["payer"], "day": known["day"], "why": known["why"], "told_on": known["told_on"].where(told),
        "resolved_on": known["resolved_on"].where(settled), "outcome": known["outcome"].where(settled),
        "status_zh": np.where(settled, "已办结", np.where(told, "已移送", "未移送"))})
    ordered = out.assign(is_open=~settled, is_violation=wrong, verdict_zh=np.where(
        wrong, "违规", "")).sort_values(["is_open", "day", "ref"], ascending=[False, True, True])
    return ordered.reset_index(drop=True)
