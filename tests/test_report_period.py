"""The period of a cut-off: exact first and last days, titles, which year an annual pack closes."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.report import period_of, year_closed_by


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(("as_of", "first", "title", "next_report"), [
    ("2026-06-30", "2026-01-01", "2026年上半年", "2026-12-31"),
    ("2026-12-31", "2026-07-01", "2026年下半年", "2027-06-30"),
    ("2026-07-01", "2026-07-01", "2026年下半年（截至7月1日）", "2026-12-31"),
    ("2027-01-15", "2027-01-01", "2027年上半年（截至1月15日）", "2027-06-30"),
    ("2024-02-29", "2024-01-01", "2024年上半年（截至2月29日）", "2024-06-30")])
def test_a_cut_off_closes_the_half_year_so_far(as_of: str, first: str, title: str, next_report: str) -> None:
    period = period_of(day(as_of))
    assert (period.first, period.last, period.title) == (day(first), day(as_of), title)
    assert period.next_report == day(next_report)
    assert not period.is_year


@given(st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)))
def test_half_years_follow_each_other_without_a_gap(as_of: dt.date) -> None:
    period = period_of(as_of)
    before = period_of(period.before)
    assert period.first <= as_of == period.last
    assert before.last == period.before == period.first - dt.timedelta(days=1)
    assert before.before < before.first <= before.last
    assert (before.last.month, before.last.day) in ((6, 30), (12, 31))
    assert period.next_report > as_of


@pytest.mark.parametrize(("as_of", "year"), [("2026-12-31", 2026), ("2027-01-01", 2026), ("2027-01-31", 2026),
                                             ("2026-12-30", None), ("2027-02-01", None), ("2026-06-30", None)])
def test_the_year_is_closed_on_its_last_day_and_in_the_january_after(as_of: str, year: int | None) -> None:
    closed = year_closed_by(day(as_of))
    assert (closed and closed.year) == year
    if closed is not None:
        assert (closed.first, closed.last) == (dt.date(closed.year, 1, 1), dt.date(closed.year, 12, 31))
        assert closed.is_year
        assert closed.plan_year == closed.year + 1


@pytest.mark.parametrize(("as_of", "plan_year"), [("2026-12-31", 2027), ("2027-01-15", 2027), ("2026-06-30", 2026)])
def test_the_plan_of_work_is_for_the_year_that_comes_or_has_begun(as_of: str, plan_year: int) -> None:
    assert period_of(day(as_of)).plan_year == plan_year


def test_answers_are_due_some_days_after_the_cut_off() -> None:
    assert period_of(day("2026-06-30"), 10).reply_by == day("2026-07-10")
    assert period_of(day("2026-12-31"), 10).reply_by == day("2027-01-10")
