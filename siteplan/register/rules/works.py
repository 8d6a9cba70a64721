"""What must hold in a decision on joint works."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def match_faults(before: Mapping[str, Any] | None, after: Mapping[str, Any], why: str,
                 ) -> Iterator[tuple[str, str, str]]:
    """Accepted without a year, declined without a reason, another works or site put into a decision.

    >>> [fault[0] for fault in match_faults(None, {"state": "declined"}, "")]
    ['why']
    """
    state = after.get("state")
    if state == "accepted" and after.get("year") is None:
        yield "year", "采纳了同步实施,没有写实施年度", "补填实施年度"
    if state == "declined" and not (after.get("why") or why):
        yield "why", "不采纳没有写理由", "写明理由"
    for name, zh in (("work_id", "工程"), ("site_id", "站址")):
        if before is not None and before.get(name) not in (None, after.get(name)):
            yield name, f"已登记的建议不能换{zh}", "另行登记"
