"""The rules of each table, by its name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from siteplan.register.rules.cases import case_faults, level_faults
from siteplan.register.rules.quotas import milestone_faults, quota_faults
from siteplan.register.rules.site_states import derived_by_state, on_air_faults, state_faults
from siteplan.register.rules.tasks import derived_by_task_state, task_faults
from siteplan.register.rules.works import match_faults

Values = Mapping[str, Any]


class RowFault(NamedTuple):
    """What is wrong with a row: the field, why, how to mend it."""

    field: str
    reason: str
    remedy: str


Check = Callable[[Values | None, Values, str], Iterator[tuple[str, str, str]]]
"""Old values (None = a new row), new values, the reason given for the change -> faults."""


def _ordered(*pairs: tuple[str, str, str, str]) -> Check:
    """Days that must not be in the wrong order: (earlier field, later field, their words)."""
    def check(_before: Values | None, after: Values, _why: str) -> Iterator[tuple[str, str, str]]:
        for first, second, zh_first, zh_second in pairs:
            one, other = after.get(first), after.get(second)
            if one is not None and other is not None and one > other:
                yield second, f"{zh_second} {other} 早于{zh_first} {one}", "核对两个日期"
    return check


CHECKS: Mapping[str, tuple[Check, ...]] = {
    "sites": (state_faults, on_air_faults, _ordered(("started_on", "completed_on", "开工日期", "完工日期"),
                                     ("started_on", "on_air_on", "开工日期", "开通日期"))),
    "tasks": (task_faults,
              _ordered(("issued_on", "due_on", "下达日期", "完成期限"), ("issued_on", "done_on", "下达日期", "完成日期"),
                       ("issued_on", "blocked_on", "下达日期", "受阻日期"), ("issued_on", "replied_on", "下达日期", "反馈日期"),
                       ("issued_on", "reminded_on", "下达日期", "最近催办日期"),
                       ("reminded_on", "reply_by", "最近催办日期", "催办答复期限"),
                       ("replied_on", "promised_on", "反馈日期", "承诺完成日期"))),
    "works": (_ordered(("start_on", "end_on", "计划开工", "计划完工")),),
    "joint_matches": (match_faults,),
    "quotas": (quota_faults, _ordered(("since", "by", "起始日", "完成期限"))),
    "milestones": (milestone_faults,),
    "cases": (case_faults, level_faults,
              _ordered(("opened_on", "level2_on", "吹哨日期", "升二级日期"), ("level2_on", "level3_on", "升二级日期", "升三级日期"),
                       ("opened_on", "reported_on", "吹哨日期", "报到日期"), ("opened_on", "closed_on", "吹哨日期", "办结日期"),
                       ("level2_on", "closed_on", "升二级日期", "办结日期"), ("level3_on", "closed_on", "升三级日期", "办结日期"))),
}


def row_faults(table: str, before: Values | None, after: Values, why: str = "") -> list[RowFault]:
    """Everything that is wrong with a row as it would stand after a change."""
    return [RowFault(*fault) for check in CHECKS.get(table, ()) for fault in check(before, after, why)]


def derived_values(table: str, before: Values | None, after: Values, day: dt.date) -> dict[str, Any]:
    """Fields that follow from a change, such as the day of a state."""
    if table == "tasks":
        return derived_by_task_state(before, after, day)
    return derived_by_state(before, after, day) if table == "sites" else {}
