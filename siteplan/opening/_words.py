"""Words and small column helpers of the opening ledger."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd

from siteplan.tables import read_table
from siteplan.venues import VenueCatalogue, department_of


@cache
def words(table: str) -> Mapping[str, Any]:
    """One table of ``tables/ledger_words.toml``."""
    found: Mapping[str, Any] = read_table("ledger_words")[table]
    return found


def filled(column: pd.Series) -> pd.Series:
    """A column as text, empty where missing, whatever its type (a column of nothing but missing values has any)."""
    return column.astype("object").where(column.notna(), "").astype("str")


def text_of(table: pd.DataFrame, column: str) -> pd.Series:
    """A column as text, empty where missing or where the table lacks it."""
    if column not in table:
        return pd.Series("", index=table.index, dtype="str")
    return filled(table[column])


def numbers_of(table: pd.DataFrame, column: str) -> pd.Series:
    """A column as numbers, NaN where missing or where the table lacks it."""
    if column not in table:
        return pd.Series(float("nan"), index=table.index, dtype="float64")
    return table[column].astype("float64")


def days_of(table: pd.DataFrame, column: str) -> pd.Series:
    """A column of days as ISO text, empty where missing."""
    if column not in table:
        return pd.Series("", index=table.index, dtype="str")
    days = pd.to_datetime(table[column], errors="coerce")
    return days.dt.strftime("%Y-%m-%d").astype("str").where(days.notna(), "")


def joined(*columns: pd.Series, by: str = "；") -> pd.Series:
    """Texts of several columns joined, empty ones left out."""
    out = columns[0].astype("str")
    for column in columns[1:]:
        column = column.astype("str")
        between = pd.Series(by, index=out.index).where((out != "") & (column != ""), "")
        out = out + between + column
    return out


def department_names(column: pd.Series, venues: VenueCatalogue) -> pd.Series:
    """Departments in the spelling of the table; what it does not know as it stands, an empty one as to be settled."""
    known = {entry.zh for entry in venues.departments.values()}
    names = {name: name if name in known else department_of(name, venues) if name else words("department")["blank"]
             for name in column.unique()}
    return column.map(names).astype("str")


def group_words(column: pd.Series, venues: VenueCatalogue) -> pd.Series:
    """Whether departments are members of the coordination group, in words; empty where there is no department."""
    inside = {entry.zh for entry in venues.departments.values() if entry.in_group}
    entry = words("department")
    nobody = {entry["blank"], *(item.zh for key, item in venues.departments.items() if key == "none")}
    return column.map({name: "" if name in nobody else entry["inside"] if name in inside else entry["outside"]
                       for name in column.unique()}).astype("str")


def department_order(venues: VenueCatalogue) -> dict[str, int]:
    """Rank of a department: members of the group first, then the others, each in the order of the table."""
    ranked = sorted(enumerate(venues.departments.values()), key=lambda pair: (not pair[1].in_group, pair[0]))
    return {entry.zh: rank for rank, (_, entry) in enumerate(ranked)}
