"""Counting rows of tables by who or where: small steps that every table of a report is made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from siteplan.register import word_of

LIGHT_ZH: Mapping[str, str] = {"green": "绿", "yellow": "黄", "red": "红"}
"""Words of the traffic lights."""


def text_of(value: Any) -> str:
    """A cell as text; empty where it holds nothing.

    >>> text_of(float("nan")), text_of("溪口镇")
    ('', '溪口镇')
    """
    return "" if value is None or value is pd.NA or value is pd.NaT or value != value else str(value)


def day_text(value: Any) -> str:
    """A day as ``2026-06-30``; empty where it holds nothing."""
    return text_of(value)[:10]


def texts_of(column: pd.Series) -> list[str]:
    """A column as texts, empty where it holds nothing.

    >>> texts_of(pd.Series(["云岭镇", None]))
    ['云岭镇', '']
    """
    return [str(value) for value in column.astype("object").where(column.notna(), "")]


def words_of(table: str, field: str, codes: pd.Series) -> list[str]:
    """Codes of a field as planners read them.

    >>> words_of("sites", "state", pd.Series(["on_air", None]))
    ['已开通', '']
    """
    known = {code: word_of(table, field, code) for code in codes.dropna().unique()}
    return [known.get(code, "") for code in codes.astype("object")]


def days_of(column: pd.Series) -> list[str]:
    """A column of days as ``2026-06-30``, empty where it holds nothing."""
    known = {day: day_text(day) for day in column.dropna().unique()}
    return [known.get(day, "") for day in column]


def share_of(part: Any, whole: Any) -> float:
    """A share, NaN of nothing.

    >>> share_of(1, 4), share_of(0, 0)
    (0.25, nan)
    """
    return float(part) / float(whole) if whole else float("nan")


def counts_by(table: pd.DataFrame, by: str, what: Mapping[str, Any]) -> pd.DataFrame:
    """How many rows of each kind belong to each name.

    Parameters
    ----------
    table : DataFrame
    by : str
        Column of names; rows without one are left out.
    what : mapping of str to array of bool
        New column -> rows that count.
    """
    flags = pd.DataFrame({name: np.asarray(rows, dtype="int64") for name, rows in what.items()}, index=table.index)
    names = table[by].astype("object")
    return flags[names.notna()].groupby(names[names.notna()].astype("str"), sort=True).sum()


def joined(names: Sequence[str], *parts: pd.DataFrame) -> pd.DataFrame:
    """Tables of counts beside each other for given names, 0 where a table has no row."""
    out = pd.DataFrame(index=pd.Index(list(names), dtype="str", name="name"))
    for part in parts:
        out = out.join(part.reindex(out.index).fillna(0).astype("int64"))
    return out
