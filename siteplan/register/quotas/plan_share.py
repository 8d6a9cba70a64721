"""What a plan asks for by a day: months of a period, milestones, cumulative values."""

from __future__ import annotations

import calendar
import datetime as dt
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from siteplan.errors import RegisterError
from siteplan.register.quotas.split import split_quota

STEPS: Mapping[str, int] = {"month": 1, "quarter": 3, "half": 6, "year": 12}
"""Length of a step in months; steps end with the months of the calendar."""


def _position(day: dt.date, *, at_start: bool = False) -> Fraction:
    """Months since year 0 at the end (or start) of a day."""
    days = calendar.monthrange(day.year, day.month)[1]
    return 12 * day.year + day.month - 1 + Fraction(day.day - at_start, days)


def months_between(since: dt.date, until: dt.date) -> Fraction:
    """Months from the start of one day to the end of another: whole months, and parts of months by their days.

    >>> months_between(dt.date(2020, 1, 1), dt.date(2020, 8, 31))
    Fraction(8, 1)
    >>> months_between(dt.date(2020, 2, 1), dt.date(2020, 2, 29))
    Fraction(1, 1)
    """
    return _position(until) - _position(since, at_start=True)


def linear_share(since: dt.date, by: dt.date, as_of: dt.date) -> Fraction:
    """Share of a period that is over at the end of a day, by months: 0 before it, 1 after.

    Parameters
    ----------
    since, by, as_of : date
        First and last day of the period, and the day in question.

    Returns
    -------
    Fraction
        Exact, so that a share is on schedule when it is the same.

    Examples
    --------
    >>> linear_share(dt.date(2020, 1, 1), dt.date(2020, 12, 31), dt.date(2020, 8, 31)) == Fraction(8, 12)
    True
    """
    if as_of < since:
        return Fraction(0)
    if as_of >= by:
        return Fraction(1)
    return months_between(since, as_of) / months_between(since, by)


def planned_value(points: Sequence[tuple[dt.date, int]], since: dt.date, base: int, as_of: dt.date) -> Fraction:
    """Cumulative value that milestones ask for by a day: straight by months from one to the next.

    Parameters
    ----------
    points : sequence of (date, int)
        Milestones in order, the last of them that of the quota itself.
    since : date
        First day; the value at its start is ``base``.
    base : int
    as_of : date

    Examples
    --------
    >>> planned_value([(dt.date(2020, 6, 30), 30), (dt.date(2020, 12, 31), 100)], dt.date(2020, 1, 1), 0,
    ...               dt.date(2020, 9, 30))
    Fraction(65, 1)
    """
    if as_of < since:
        return Fraction(base)
    days = [day for day, _ in points]
    index = bisect_right(days, as_of)
    if index == len(points):
        return Fraction(points[-1][1])
    start = days[index - 1] + dt.timedelta(1) if index else since
    low = points[index - 1][1] if index else base
    return low + (points[index][1] - low) * linear_share(start, days[index], as_of)


def step_days(since: dt.date, by: dt.date, steps: str) -> list[dt.date]:
    """Last days of the months, quarters, half years or years of a period; the last one is ``by``.

    >>> [str(day) for day in step_days(dt.date(2020, 3, 15), dt.date(2020, 11, 30), "quarter")]
    ['2020-03-31', '2020-06-30', '2020-09-30', '2020-11-30']
    """
    if steps not in STEPS:
        raise RegisterError(f"steps {steps!r}: {', '.join(STEPS)} are known")
    return [*_ends(since, by, STEPS[steps]), by]


def _ends(since: dt.date, by: dt.date, months: int) -> Iterator[dt.date]:
    year, month = since.year, since.month
    while True:
        month = -(-month // months) * months
        last = dt.date(year, month, calendar.monthrange(year, month)[1])
        if last >= by:
            return
        if last >= since:
            yield last
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def cumulative_plan(value: int, since: dt.date, by: dt.date, steps: str | Sequence[dt.date], base: int = 0,
                    weights: Sequence[float] | None = None) -> list[tuple[dt.date, int]]:
    """Cumulative whole values at the ends of steps, by largest remainder.

    Parameters
    ----------
    value : int
        Of the whole period, with ``base``.
    since, by : date
    steps : {"month", "quarter", "half", "year"} or sequence of date
        Or the last days of the steps; ``by`` ends the last one.
    base : int
        What is there at the start.
    weights : sequence of float, optional
        Of the steps (a winter without works gets little); their length in months when absent.

    Returns
    -------
    list of (date, int)

    Raises
    ------
    RegisterError
        Days are not in order or outside the period, weights do not fit the steps, ``base`` is above ``value``.

    Examples
    --------
    >>> [number for _, number in cumulative_plan(13, dt.date(2020, 1, 1), dt.date(2020, 12, 31), "quarter")]
    [4, 7, 10, 13]
    """
    days = step_days(since, by, steps) if isinstance(steps, str) else [*steps, *([by] if by not in steps else [])]
    if since > by or any(one >= other for one, other in pairwise(days)) or days[0] < since or days[-1] > by:
        raise RegisterError(f"里程碑的日期须依次排列,且在 {since} 至 {by} 之内")
    if base > value:
        raise RegisterError(f"基期数 {base} 多于任务数 {value}")
    if weights is not None and len(weights) != len(days):
        raise RegisterError(f"有 {len(days)} 个里程碑,却给了 {len(weights)} 个权重")
    starts = [since, *(day + dt.timedelta(1) for day in days[:-1])]
    lengths = [months_between(start, day) for start, day in zip(starts, days, strict=True)]
    given: Sequence[float | Fraction] = lengths if weights is None else weights
    needs = {day.isoformat(): need for day, need in zip(days, given, strict=True)}
    parts, total, out = split_quota(value - base, needs), base, []
    for day in days:
        total += parts[day.isoformat()]
        out.append((day, total))
    return out
