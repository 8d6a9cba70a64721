"""Counts of venues, refusals, fees and hard sites by department and by town, and of poles by street."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.opening._words import department_names, department_order, group_words, text_of, words
from siteplan.venues import VenueCatalogue

COUNTS = ("venues", "must_open", "must_be_free", "proposed", "agreed", "refused", "hard", "fees", "violations",
          "fees_unknown", "sites")


def _counts(venues: pd.DataFrame, fees: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Sums of venues and of fee records by the same keys."""
    marks = venues.assign(venues=1, proposed=venues["status"] == "proposed", refused=venues["refusal"] != "",
                          hard=venues["hard_cause"] != "")
    names = ["venues", "must_open", "must_be_free", "proposed", "agreed", "refused", "hard", "sites", "cost_yuan",
             "gain_demand"]
    of_venues = marks.groupby(keys)[names].sum()
    records = fees.assign(fees=1, violations=fees["verdict"] == "violation", fees_unknown=fees["amount_yuan"].isna(),
                          fees_yuan=fees["amount_yuan"].fillna(0.0))
    of_fees = records.groupby(keys)[["fees", "violations", "fees_unknown", "fees_yuan"]].sum()
    out = of_venues.join(of_fees, how="outer").fillna(0.0)
    return out.astype(dict.fromkeys(COUNTS, "int64"))


def department_sums(venues: gpd.GeoDataFrame, fees: pd.DataFrame, catalogue: VenueCatalogue) -> pd.DataFrame:
    """One row per department: members of the group (also those without a venue), then departments outside of it."""
    order, entry = department_order(catalogue), words("department")
    members = [item.zh for item in catalogue.departments.values() if item.in_group]
    sums = _counts(pd.DataFrame(venues.drop(columns="geometry")), fees, ["department"])
    every = sorted({*members, *sums.index},
                   key=lambda name: (order.get(name, len(order)), name == entry["blank"], name))
    out = sums.reindex(every, fill_value=0).rename_axis("department").reset_index()
    none = catalogue.departments["none"].zh if "none" in catalogue.departments else ""
    note = np.select([out["department"].isin(members), out["department"] == entry["blank"], out["department"] == none],
                     ["", entry["note_blank"], entry["note_none"]],
                     entry["note_outside"].format(number=len(members)))
    return out.assign(group_zh=group_words(out["department"], catalogue), note=note.astype(str))


def hide_in_departments(departments: pd.DataFrame, venues: pd.DataFrame, fees: pd.DataFrame) -> pd.DataFrame:
    """The counts of departments with secret units in one row of their own, the last: no department tells of them.

    ``departments``: of `department_sums` of these ``venues`` and ``fees``. A department outside of the group that has
    nothing else is no row. Every sum over the rows stays.
    """
    secret, entry = venues["secret"].astype(bool), words("department")
    if not secret.any():
        return departments
    of_secret = fees["venue_id"].isin(venues.index[secret])
    sums = _counts(venues.assign(department=venues["department"].mask(secret, entry["secret"])),
                   fees.assign(department=fees["department"].mask(of_secret, entry["secret"])), ["department"])
    facts = departments.set_index("department")[["group_zh", "note"]]
    facts.loc[entry["secret"]] = ["", entry["note_secret"]]
    kept = [name for name in facts.index if name in sums.index or facts.loc[name, "group_zh"] == entry["inside"]]
    table = sums.reindex(kept, fill_value=0).rename_axis("department").join(facts).reset_index()
    return table[departments.columns].astype(departments.dtypes.to_dict())


def with_total(table: pd.DataFrame, label: str) -> pd.DataFrame:
    """A table of counts with a last row of its sums, named in the column ``label``; an empty one as it is.

    >>> with_total(pd.DataFrame({"town": ["甲", "乙"], "venues": [2, 3]}), "town").values.tolist()
    [['甲', 2], ['乙', 3], ['合计', 5]]
    """
    if table.empty:
        return table
    total = {name: table[name].sum() if pd.api.types.is_numeric_dtype(table[name]) else "" for name in table.columns}
    row = pd.DataFrame([{**total, label: words("department")["total"]}]).astype(table.dtypes.to_dict())
    return pd.concat([table, row], ignore_index=True)


def town_sums(venues: gpd.GeoDataFrame, fees: pd.DataFrame) -> pd.DataFrame:
    """One row per town; places outside all towns come last with empty names."""
    out = _counts(pd.DataFrame(venues.drop(columns="geometry")), fees, ["county", "town"]).reset_index()
    last = (out["town"] == "").to_numpy()
    ordered = out.assign(last=last).sort_values(["last", "county", "town"], kind="stable")
    return ordered.drop(columns="last").reset_index(drop=True)


def pole_sums(sites: gpd.GeoDataFrame, catalogue: VenueCatalogue) -> pd.DataFrame:
    """Candidate poles by street: how many there are, are proposed, are refused; the street is the site's address."""
    poles = sites[(sites["source"] == "pole") & (sites["status"] != "existing")]
    street = text_of(poles, "address")
    table = pd.DataFrame({
        "county": text_of(poles, "county"), "town": text_of(poles, "town"),
        "street": street.where(street != "", "(路名不详)"),
        "department": department_names(text_of(poles, "department"), catalogue), "poles": 1,
        "proposed": poles["status"] == "proposed", "refused": poles["status"] == "refused"})
    sums = table.groupby(["county", "town", "street", "department"])[["poles", "proposed", "refused"]].sum()
    return sums.astype("int64").reset_index()
