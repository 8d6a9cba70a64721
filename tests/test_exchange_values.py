"""Days, digits and rounding of exchange fields: nothing is guessed, what is changed is told."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplan.export.exchange.field_values import field_column, rounded
from siteplan.export.exchange.findings import Findings
from siteplan.profiles import ProfileField

DAY = "2026-11-30"


def column(value: Any, kind: Any) -> tuple[Any, Findings]:
    """The one value of a field as it comes out, and what was told."""
    findings = Findings("sites", np.array(["S1"], dtype=object))
    field = ProfileField("A", "甲", "甲", kind, 20, source="a")
    source = value if isinstance(value, pd.Series) else pd.Series([value], dtype="object")
    return field_column(field, source, 1, findings).iloc[0], findings


@pytest.mark.parametrize("text", ["202611", "2026123", "2026-W01-1", "2026W011", "2026-6", "20261301", "2026-02-30",
                                  "20261130T08", "٢٠٢٦-١١-٣٠", "26-11-30", "0000-01-01"])
def test_a_day_that_is_not_said_in_full_is_not_guessed(text: str) -> None:
    day, findings = column(text, "date")
    assert pd.isna(day)
    assert [problem.row for problem in findings.problems] == ["S1"]


@pytest.mark.parametrize("text", ["2026-11-30", "2026/11/30", "20261130", "2026-11-30T00:00", "2026-11-30 00:00:00"])
def test_days_said_in_full_are_read(text: str) -> None:
    day, findings = column(text, "date")
    assert (str(day.date()), findings.problems, findings.adjustments) == (DAY, [], [])


NIGHT = pd.Timestamp("2026-11-29 20:00", tz="UTC")


@pytest.mark.parametrize("value", [
    "2026-11-29T20:00:00Z", "2026-11-29T20:00:00+00:00", "2026-11-29 20:00+0000", NIGHT, NIGHT.to_pydatetime(),
    pd.Series([NIGHT])], ids=["Z", "colon", "no colon", "timestamp", "datetime", "column"])
def test_a_time_of_another_zone_has_the_day_of_beijing_and_is_told(value: Any) -> None:
    """20:00 of the 29th in Greenwich is 4:00 of the 30th in Beijing."""
    day, findings = column(value, "date")
    assert str(day.date()) == DAY
    assert findings.problems == []
    assert [change.row for change in findings.adjustments if "北京时间" in change.written] == ["S1"]


def test_a_time_of_beijing_keeps_its_day() -> None:
    day, findings = column(pd.Timestamp("2026-11-30 08:00", tz="Asia/Shanghai"), "date")
    assert str(day.date()) == DAY
    assert [change.reason for change in findings.adjustments] == ["日期字段不存时刻"]


@pytest.mark.parametrize(("text", "kind", "value"), [
    ("12", "int", 12), ("-1.5", "float", -2.0), ("2026-11-30", "date", pd.Timestamp(DAY))])
def test_full_width_digits_are_read_and_told(text: str, kind: str, value: Any) -> None:
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in text)
    found, findings = column(wide, kind)
    assert (found, findings.problems) == (value, [])
    assert [(change.value, change.reason) for change in findings.adjustments] == [(wide, "全角数字改为半角")]


@pytest.mark.parametrize(("text", "kind"), [("١٢", "int"), ("١٫٥", "float"), ("१२", "float"), ("1_2", "int")])
def test_digits_of_other_scripts_are_told(text: str, kind: str) -> None:
    found, findings = column(text, kind)
    assert pd.isna(found)
    assert [problem.row for problem in findings.problems] == ["S1"]


@given(st.integers(-10**9, 10**9), st.integers(0, 6), st.integers(0, 5))
def test_fives_go_up_in_size_as_on_paper(digits: int, places: int, decimals: int) -> None:
    """Against decimal arithmetic on the number as it is written."""
    asked = Decimal(digits).scaleb(-places)
    paper = asked.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    assert rounded(np.array([float(asked)]), decimals)[0] == float(paper)


@given(st.floats(-1e6, 1e6), st.integers(0, 7))
def test_rounding_moves_by_half_a_step_at_most_and_not_twice(number: float, decimals: int) -> None:
    once = rounded(np.array([number]), decimals)
    assert abs(once[0] - number) <= 0.5 * 10.0**-decimals * (1 + 1e-6) + 1e-9
    assert rounded(once, decimals)[0] == once[0]


def test_a_day_column_without_zone_is_as_it_was() -> None:
    assert column(pd.Series([pd.Timestamp(DAY)]), "date")[0] == dt.datetime(2026, 11, 30)  # noqa: DTZ001
