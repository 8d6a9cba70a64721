"""When a works lets others join: the window, the latest day of a request, the years that are possible."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from siteplan.register.works.rates import JointWorks, WorksKind, load_joint_works

JOIN_ZH = {"in_time": "可同步", "late": "开工后加入", "too_late": "来不及", "unknown": "时间待定", "finished": "已结束"}
"""What planners read for whether a request can still be met."""


@dataclass(frozen=True)
class Window:
    """When a works lets others join, seen from one day.

    Attributes
    ----------
    start, end : date or None
        As listed; None = not given.
    join : str
        in_time (before the start) | late (works going on) | too_late | unknown | finished.
    file_by : date or None
        Latest day of a request, that day included; None where no day can be told.
    first_year, last_year : int or None
        Years in which joint work is possible.
    usual_year : int or None
        The year that is suggested to a site that is planned for none of them.
    note : str
        What was assumed or is not known, in Chinese; empty where nothing.
    """

    start: dt.date | None
    end: dt.date | None
    join: str
    file_by: dt.date | None = None
    first_year: int | None = None
    last_year: int | None = None
    usual_year: int | None = None
    note: str = ""


def months_on(day: dt.date, months: int) -> dt.date:
    """The same day of another month, or its last day where it has none such.

    >>> months_on(dt.date(2026, 8, 31), -6), months_on(dt.date(2026, 11, 15), 3)
    (datetime.date(2026, 2, 28), datetime.date(2027, 2, 15))
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def window_of(start: dt.date | None, end: dt.date | None, as_of: dt.date, rule: WorksKind) -> Window:
    """When works let others join, seen from a day.

    Parameters
    ----------
    start, end : date or None
        Both days belong to the works: works that end on ``as_of`` are not finished.
    as_of : date
        A request is filed on this day at the earliest.
    rule : WorksKind

    Returns
    -------
    Window

    Notes
    -----
    A request filed up to ``lead_months`` before the start counts from the start on: any year of the works is possible,
    the year of the start is suggested. Filed later it counts (where the kind allows it) when ``lead_months`` remain
    before the end; the year of the end is suggested. Without a start the year of the end alone is possible. Without an
    end the usual length is assumed, and works that are past it may be going on: nothing but its own end ends a works.

    Examples
    --------
    >>> road = load_joint_works().kinds["road"]
    >>> window_of(dt.date(2026, 9, 1), dt.date(2027, 3, 31), dt.date(2026, 6, 1), road).usual_year
    2026
    >>> window_of(dt.date(2026, 9, 1), dt.date(2027, 3, 31), dt.date(2026, 6, 2), road).usual_year
    2027
    """
    if start is None and end is None:
        return Window(start, end, "unknown", note="开工、完工日期均未提供")
    if start is not None and end is not None and start > end:
        return Window(start, end, "unknown", note=f"开工日期 {start} 晚于完工日期 {end},时间待定")
    if end is not None and end < as_of:
        return Window(start, end, "finished", note=f"已于 {end} 完工")
    if start is None:
        return replace(_by_end(end or as_of, as_of, rule), note="开工日期未提供,按完工日期推算")
    if end is not None:
        return _joining(start, end, as_of, rule)
    closes = months_on(start, rule.usual_months)
    if closes < as_of:
        return Window(start, end, "unknown", note=f"完工日期未提供,已过常规工期{rule.usual_months}个月,时间待定")
    return replace(_joining(start, closes, as_of, rule), end=None,
                   note=f"完工日期未提供,按开工后{rule.usual_months}个月推算")


def _joining(start: dt.date, closes: dt.date, as_of: dt.date, rule: WorksKind) -> Window:
    """The window of works with a start and a (perhaps assumed) end."""
    before_start, before_end = months_on(start, -rule.lead_months), months_on(closes, -rule.lead_months)
    if as_of <= before_start:
        return Window(start, closes, "in_time", before_start, start.year, closes.year, start.year)
    if not rule.joins_after_start:
        return Window(start, closes, "too_late", before_start)
    if as_of <= before_end:
        first = min(months_on(as_of, rule.lead_months).year, closes.year)
        return Window(start, closes, "late", before_end, first, closes.year, closes.year)
    return Window(start, closes, "too_late", before_end)


def _by_end(end: dt.date, as_of: dt.date, rule: WorksKind) -> Window:
    """The window of works of which only the end is known."""
    before_end = months_on(end, -rule.lead_months)
    if as_of <= before_end:
        return Window(None, end, "in_time", before_end, end.year, end.year, end.year)
    return Window(None, end, "too_late", before_end)


def window_words(start: dt.date | None, end: dt.date | None) -> str:
    """A window in words.

    >>> window_words(dt.date(2026, 9, 1), None), window_words(None, None)
    ('2026-09-01 至 完工日期未提供', '时间待定')
    """
    if start is None and end is None:
        return "时间待定"
    return f"{start or '开工日期未提供'} 至 {end or '完工日期未提供'}"


def open_works(works: pd.DataFrame, as_of: dt.date, settings: JointWorks | None = None) -> dict[str, Window]:
    """Windows of the works that are current and not finished on a day, by id, in order of the ids.

    Parameters
    ----------
    works : DataFrame
        The table ``works`` of a register.
    as_of : date
    settings : JointWorks, optional
    """
    rules = (settings or load_joint_works()).kinds
    live = works[works["is_current"].fillna(True).astype(bool)] if "is_current" in works else works
    cells = zip(live.index.astype("str"), live["kind"], days_of(live, "start_on"), days_of(live, "end_on"), strict=True)
    found = {key: window_of(start, end, as_of, rules[kind]) for key, kind, start, end in cells if kind in rules}
    return {key: found[key] for key in sorted(found) if found[key].join != "finished"}


def days_of(table: pd.DataFrame, column: str) -> list[dt.date | None]:
    """A column of days as dates, None where there is none."""
    if column not in table:
        return [None] * len(table)
    return [None if pd.isna(day) else day.date() for day in pd.to_datetime(table[column])]


def window_columns(windows: Iterable[Window]) -> Mapping[str, Any]:
    """Windows as columns of a table."""
    told = list(windows)

    def column(name: str) -> Any:
        return pd.to_datetime(pd.Series([getattr(window, name) for window in told], dtype="object")).astype(
            "datetime64[us]").array
    return {"window_start": column("start"), "window_end": column("end"), "file_by": column("file_by")}
