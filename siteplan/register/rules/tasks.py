"""What must hold in a task: days and reasons that belong to its state, which state may follow, days in order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from siteplan.register.dictionary import word_of
from siteplan.tables import read_table

Fault = tuple[str, str, str]
_NEEDS = {"done": (("done_on", "没有写完成日期", "补填完成日期"),),
          "blocked": (("blocked_on", "没有写受阻日期", "补填受阻日期"), ("blocked_reason", "没有写受阻原因", "写明原因")),
          "cancelled": (("note", "没有写取消的理由", "在备注中写明理由或文号"),)}
"""What a state needs."""
_LEAVES = {"done": ("done_on",), "blocked": ("blocked_on", "blocked_reason"), "cancelled": ("cancelled_on",)}
"""What goes when a task leaves a state for open."""


def task_faults(before: Mapping[str, Any] | None, after: Mapping[str, Any], why: str) -> Iterator[Fault]:
    """A state without its day or reason, or that may not follow; a day without its state; partners; replies."""
    yield from _other_faults(after)
    state = after.get("state")
    if not isinstance(state, str):
        return
    yield from _move_faults((before or {}).get("state"), state, why)
    for field, reason, remedy in _NEEDS.get(state, ()):
        if not after.get(field):
            yield field, f"状态为“{word_of('tasks', 'state', state)}”,{reason}", remedy
    for field, states in (("done_on", ("done",)), ("blocked_on", ("blocked", "done", "cancelled")),
                          ("cancelled_on", ("cancelled",))):
        if after.get(field) is not None and state not in states:
            yield field, f"状态为“{word_of('tasks', 'state', state)}”,却写了{_zh(field)} {after[field]}", "改状态,或删去该日期"


def derived_by_task_state(before: Mapping[str, Any] | None, after: Mapping[str, Any], day: dt.date) -> dict[str, Any]:
    """Day of calling off; days and reasons that go when a task is open again."""
    old, new = (before or {}).get("state"), after.get("state")
    if new == "cancelled" and after.get("cancelled_on") is None:
        return {"cancelled_on": day}
    if before is None or new != "open" or not isinstance(old, str) or old == "open":
        return {}
    return {field: None for field in ("blocked_on", "blocked_reason", *_LEAVES[old])
            if after.get(field) == before.get(field)}


def _other_faults(after: Mapping[str, Any]) -> Iterator[Fault]:
    lead, partners = after.get("organisation"), after.get("partners")
    if lead and isinstance(partners, str) and lead in partners.split("|"):
        yield "partners", f"“{lead}”既是责任单位又是配合单位", "从配合单位中删去"
    if (after.get("reply") or after.get("promised_on")) and after.get("replied_on") is None:
        yield "replied_on", "有反馈或承诺,没有写反馈日期", "补填反馈日期"


def _move_faults(old: object, new: str, why: str) -> Iterator[Fault]:
    if not isinstance(old, str) or old == new:
        return
    moves = read_table("cases")["task_states"][old]
    if new not in moves["next"]:
        told = "、".join(word_of("tasks", "state", code) for code in moves["next"])
        yield "state", f"状态不能从“{word_of('tasks', 'state', old)}”变为“{word_of('tasks', 'state', new)}”", f"可变为:{told}"
    elif new in moves.get("why", ()) and not why:
        yield "state", f"从“{word_of('tasks', 'state', old)}”改回“{word_of('tasks', 'state', new)}”没有写理由", "写明理由(--why)"


def _zh(field: str) -> str:
    return {"done_on": "完成日期", "blocked_on": "受阻日期", "cancelled_on": "取消日期"}[field]
