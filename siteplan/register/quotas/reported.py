"""What was reported to quotas, up to a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from siteplan.register.quotas.rows import Quota, day_in, text_in, whole_in


@dataclass(frozen=True)
class Reported:
    """The last report to a quota.

    Attributes
    ----------
    value : int
        Cumulative count.
    day : date
        The day up to which it counts.
    in_time : int or None
        Count of the last report up to the quota's own day; None = there is none.
    notes : tuple of str
        What stands out (Chinese).
    """

    value: int
    day: dt.date
    in_time: int | None
    notes: tuple[str, ...] = ()


def reported_counts(quotas: Mapping[str, Quota], reports: pd.DataFrame | None, as_of: dt.date) -> dict[str, Reported]:
    """The last report up to a day of each current quota, by its id.

    Parameters
    ----------
    quotas : mapping of str to Quota
        With those that were replaced: what was reported to them counts for the current quota of the same area, measure,
        unit and first day.
    reports : DataFrame or None
        The table ``reports``.
    as_of : date
    """
    if reports is None or not len(reports):
        return {}
    heirs = {_place(quota): row_id for row_id, quota in quotas.items() if quota.is_current}
    found: dict[str, list[tuple[dt.date, str, int, str]]] = {}
    for report_id, row in zip(reports.index, reports.to_dict("records"), strict=True):
        told_to, day, value = quotas.get(text_in(row, "quota_id")), day_in(row, "day"), whole_in(row, "value")
        if told_to is None or day is None or value is None or day > as_of:
            continue
        row_id = told_to.id if told_to.is_current else heirs.get(_place(told_to))
        if row_id is not None:
            found.setdefault(row_id, []).append((day, str(report_id), value, told_to.id))
    return {row_id: _last(quotas[row_id], sorted(rows)) for row_id, rows in found.items()}


def _place(quota: Quota) -> tuple[object, ...]:
    return quota.parent_id, quota.level, quota.area, quota.measure, quota.unit, quota.first_day


def _last(quota: Quota, rows: list[tuple[dt.date, str, int, str]]) -> Reported:
    """The last of the reports to a quota, in order of their days."""
    day, _, value, told_to = rows[-1]
    notes = []
    if told_to != quota.id:
        notes.append(f"上报给调整前的指标 {told_to}")
    same_day = sorted({row[2] for row in rows if row[0] == day})
    if len(same_day) > 1:
        notes.append(f"{day}有{'、'.join(map(str, same_day))}几个上报数,取最后登记的{value}")
    earlier = [row for row in rows if row[0] < day]
    if earlier and earlier[-1][2] > value:
        notes.append(f"上报数比{earlier[-1][0]}的{earlier[-1][2]}个少")
    in_time = [row[2] for row in rows if quota.by is None or row[0] <= quota.by]
    if quota.by is not None and day > quota.by:
        notes.append("上报截止日晚于完成期限")
    return Reported(value, day, in_time[-1] if in_time else None, tuple(notes))
