"""Columns of tables that may be absent or empty, in one type each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import pandas as pd

from siteplan.register.dictionary import word_of

NOT_NAMED = "未注明"
"""Stands for an empty name."""
LIGHTS = ("green", "yellow", "red")
LIGHT_WORDS = {"green": "绿", "yellow": "黄", "red": "红", "": ""}


def days(table: pd.DataFrame, name: str, until: dt.date | None = None) -> pd.Series:
    """A column of days; NaT where there is none, and where it is later than ``until``.

    >>> days(pd.DataFrame({"day": [dt.date(2026, 6, 30), None]}), "day").dtype
    dtype('<M8[us]')
    """
    if name not in table:
        return pd.Series(pd.NaT, index=table.index, dtype="datetime64[us]")
    found = pd.to_datetime(table[name]).astype("datetime64[us]")
    return found if until is None else found.where(found <= pd.Timestamp(until))


def texts(table: pd.DataFrame, name: str) -> pd.Series:
    """A column of texts; empty where there is none.

    >>> texts(pd.DataFrame({"a": ["x", None]}), "a").tolist(), texts(pd.DataFrame({"a": ["x"]}), "b").tolist()
    (['x', ''], [''])
    """
    if name not in table:
        return pd.Series("", index=table.index, dtype="str")
    return table[name].astype("object").where(table[name].notna(), "").astype("str").str.strip()


def numbers(table: pd.DataFrame, name: str) -> pd.Series:
    """A column of numbers; NaN where there is none."""
    if name not in table:
        return pd.Series(float("nan"), index=table.index, dtype="float64")
    return pd.to_numeric(table[name]).astype("float64")


def flags(table: pd.DataFrame, name: str) -> pd.Series:
    """A column of yes and no; no where there is none."""
    if name not in table:
        return pd.Series(False, index=table.index, dtype="bool")
    return table[name].astype("boolean").fillna(False).astype("bool")


def spelled_codes(table: str, field: str, codes: pd.Series) -> pd.Series:
    """Codes of a field as planners read them."""
    known = {code: word_of(table, field, code) for code in codes.unique()}
    return codes.map(known).astype("str")


def span(later: pd.Series, earlier: pd.Series) -> pd.Series:
    """Days between two columns of days; NaN where one is missing."""
    return (later - earlier).dt.days.astype("float64")


def parts_of(text: object) -> tuple[str, ...]:
    """Names that are joined by ``|``.

    >>> parts_of("甲局| 乙局"), parts_of(float("nan"))
    (('甲局', '乙局'), ())
    """
    return tuple(part.strip() for part in text.split("|") if part.strip()) if isinstance(text, str) else ()


def worst_light(lights: Iterable[str]) -> str:
    """The worst of some lights; green where there is none.

    >>> worst_light(["green", "red", "yellow"]), worst_light([])
    ('red', 'green')
    """
    return max((light for light in lights if light in LIGHTS), key=LIGHTS.index, default="green")


def totals(names: Iterable[str]) -> dict[str, Callable[[pd.DataFrame], object]]:
    """Columns of whole numbers, each with the function that adds it up over a group."""
    return {name: partial(_total, name) for name in names}


def _total(name: str, group: pd.DataFrame) -> int:
    return int(group[name].sum())


def per_name(table: pd.DataFrame, columns: Mapping[str, Callable[[pd.DataFrame], object]], by: str) -> pd.DataFrame:
    """One row per name of a column, each value by its function; towns beside their county."""
    keys = ["county", "town"] if by == "town" else [by]
    named = table.assign(**{key: texts(table, key).replace("", NOT_NAMED) for key in keys})
    rows = []
    for name, group in named.groupby(keys, sort=True):
        parts = dict(zip(keys, name, strict=True))
        rows.append({**parts, **{column: function(group) for column, function in columns.items()}})
    return pd.DataFrame(rows, columns=[*keys, *columns]).set_index(by)


def half_year_start(day: dt.date) -> dt.date:
    """First day of the half-year of a day.

    >>> half_year_start(dt.date(2026, 6, 30)), half_year_start(dt.date(2026, 7, 1))
    (datetime.date(2026, 1, 1), datetime.date(2026, 7, 1))
    """
    return dt.date(day.year, 1 if day.month <= 6 else 7, 1)
