"""The half-year that a cut-off closes: first and last day, title, when departments are to reply."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from siteplan.tables import read_table


@dataclass(frozen=True)
class Period:
    """A half-year up to a cut-off, or a whole year.

    Attributes
    ----------
    first, last : date
        Both count; ``last`` is the cut-off.
    title : str
        Such as ``2026年上半年``.
    is_year : bool
        A whole year.
    reply_by : date
        By which organisations are to answer.
    next_report : date
        When they report again: the next 06-30 or 12-31.
    """

    first: dt.date
    last: dt.date
    title: str
    is_year: bool
    reply_by: dt.date
    next_report: dt.date

    @property
    def before(self) -> dt.date:
        """The cut-off before this period."""
        return self.first - dt.timedelta(days=1)

    @property
    def year(self) -> int:
        """The year that is reported on."""
        return self.last.year

    @property
    def plan_year(self) -> int:
        """The year that the next plan of work is for: the next one when the year is over, else this one."""
        return self.year + 1 if (self.last.month, self.last.day) == (12, 31) else self.year


def period_of(as_of: dt.date, reply_days: int | None = None) -> Period:
    """The half-year that a day lies in, up to that day.

    Parameters
    ----------
    as_of : date
        Cut-off; any day. What is dated on it counts.
    reply_days : int, optional
        Days from the cut-off to the day by which organisations are to answer; of ``tables/cases.toml`` when absent.

    Returns
    -------
    Period
        ``title`` names the day where it is not the last one of the half-year.

    Examples
    --------
    >>> period_of(dt.date(2026, 6, 30)).title, period_of(dt.date(2026, 6, 30)).first
    ('2026年上半年', datetime.date(2026, 1, 1))
    >>> period_of(dt.date(2026, 9, 15)).title
    '2026年下半年（截至9月15日）'
    """
    is_first = as_of.month <= 6
    last = dt.date(as_of.year, 6, 30) if is_first else dt.date(as_of.year, 12, 31)
    title = f"{as_of.year}年{'上' if is_first else '下'}半年"
    if as_of != last:
        title += f"（截至{as_of.month}月{as_of.day}日）"
    return Period(dt.date(as_of.year, 1 if is_first else 7, 1), as_of, title, False,
                  _reply_by(as_of, reply_days), last if as_of < last else _report_after(last))


def year_closed_by(as_of: dt.date, reply_days: int | None = None) -> Period | None:
    """The year whose annual report and next year's plan belong to a pack: its own on 12-31, in January the year before.

    Parameters
    ----------
    as_of : date
        Cut-off of the pack.
    reply_days : int, optional

    Returns
    -------
    Period or None
        The whole year, its cut-off 12-31; None on all other days.

    Examples
    --------
    >>> year_closed_by(dt.date(2027, 1, 15)).title, year_closed_by(dt.date(2026, 6, 30)) is None
    ('2026年度', True)
    """
    if as_of.month == 1:
        year = as_of.year - 1
    elif (as_of.month, as_of.day) == (12, 31):
        year = as_of.year
    else:
        return None
    last = dt.date(year, 12, 31)
    return Period(dt.date(year, 1, 1), last, f"{year}年度", True, _reply_by(as_of, reply_days), _report_after(last))


def _reply_by(as_of: dt.date, reply_days: int | None) -> dt.date:
    days = read_table("cases")["tasks"]["reply_days"] if reply_days is None else reply_days
    return as_of + dt.timedelta(days=days)


def _report_after(day: dt.date) -> dt.date:
    """The next day of reports after a 06-30 or 12-31."""
    return dt.date(day.year, 12, 31) if day.month == 6 else dt.date(day.year + 1, 6, 30)
