"""The life of a site: reserve, ready, approved, building, on air; blocked and withdrawn with reasons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from siteplan.register.dictionary import word_of
from siteplan.tables import read_table

STATES = ("reserve", "ready", "approved", "building", "on_air", "blocked", "withdrawn")

_BUILT_DAYS = ("started_on", "completed_on", "on_air_on")


def may_follow(state: str) -> tuple[str, ...]:
    """States that may follow a state.

    >>> may_follow("reserve")
    ('ready', 'blocked', 'withdrawn')
    """
    return tuple(read_table("register")["states"][state]["next"])


def state_faults(before: Mapping[str, Any] | None, after: Mapping[str, Any], why: str,
                 ) -> Iterator[tuple[str, str, str]]:
    """A state that may not follow, or that lacks its reason."""
    old, new = (before or {}).get("state"), after.get("state")
    if not isinstance(new, str) or old == new:
        return
    table = read_table("register")
    known = may_follow(old) if isinstance(old, str) else ("reserve", "ready", "approved", "building", "on_air")
    if new not in known:
        told = "、".join(word_of("sites", "state", code) for code in known)
        where = f"“{word_of('sites', 'state', old)}”" if isinstance(old, str) else "新登记"
        yield "state", f"状态不能从{where}直接变为“{word_of('sites', 'state', new)}”", f"可变为:{told}"
        return
    if old == "blocked" and new != "withdrawn" and after.get("blocked_from") not in (None, new):
        was = word_of("sites", "state", after["blocked_from"])
        yield "state", f"受阻前是“{was}”,解除后只能回到这一状态", f"先改为“{was}”"
    reasons = table["states"].get(old, {}).get("reason", ()) if isinstance(old, str) else ()
    needs, given = new in table["states_need_reason"]["states"], after.get("state_reason")
    is_fresh = needs and bool(given) and given != (before or {}).get("state_reason")
    if (needs and not given) or (new in reasons and not why and not is_fresh):
        yield "state_reason", f"变为“{word_of('sites', 'state', new)}”没有写原因", "写明原因"


def on_air_faults(before: Mapping[str, Any] | None, after: Mapping[str, Any], _why: str,
                  ) -> Iterator[tuple[str, str, str]]:
    """A day of going on air of a site that is not on air; one that was withdrawn since keeps it."""
    state, day = after.get("state"), after.get("on_air_on")
    if day is None or state in ("on_air", "withdrawn", None) or (before or {}).get("on_air_on") == day:
        return
    yield "on_air_on", f"状态为“{word_of('sites', 'state', state)}”,却写了开通日期 {day}", "改状态为已开通,或删去该日期"


def derived_by_state(before: Mapping[str, Any] | None, after: Mapping[str, Any], day: dt.date) -> dict[str, Any]:
    """Day of the state, the day that belongs to it, the state before a block; what comes back has no days yet."""
    old, new = (before or {}).get("state"), after.get("state")
    if old == new or not isinstance(new, str):
        return {}
    out: dict[str, Any] = {"state_on": day}
    dated = read_table("register")["states"].get(new, {}).get("dated")
    if dated and after.get(dated) is None:
        out[dated] = day
    if new == "blocked" and isinstance(old, str):
        out["blocked_from"] = old
    if old == "withdrawn":  # what was built once is gone; the log knows its days
        out |= {name: None for name in _BUILT_DAYS if after.get(name) == (before or {}).get(name)}
    if old == "blocked":
        out["blocked_from"] = None
        if new != "withdrawn" and after.get("state_reason") == (before or {}).get("state_reason"):
            out["state_reason"] = None
    return out
