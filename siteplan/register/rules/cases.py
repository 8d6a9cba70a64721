"""What must hold in a whistle case: who whistles after which talks, who is called, days of levels, how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Fault = tuple[str, str, str]
_WHISTLE = (("enterprise", "企业吹哨没有写吹哨企业", "写明企业"),
            ("failed_talks", "企业吹哨没有写自行协调情况(协调无果后才吹哨)", "写明与谁协调、几次、结果"),
            ("lead", "企业吹哨没有写牵头单位", "写明县区牵头单位"),
            ("called", "企业吹哨没有写应报到单位", "写明应报到的部门和镇街"))


def case_faults(before: Mapping[str, Any] | None, after: Mapping[str, Any], why: str) -> Iterator[Fault]:
    """A whistle that lacks what a whistle needs; who reported in without being called; an end without outcome."""
    if after.get("kind") == "whistle":
        for field, reason, remedy in _WHISTLE:
            if not after.get(field):
                yield field, reason, remedy
    stray = sorted(_names(after.get("reported")) - _names(after.get("called")))
    if stray:
        yield "reported", f"{'、'.join(stray)} 报到,却不在应报到单位中", "补入应报到单位,或删去"
    if after.get("reported") and after.get("reported_on") is None:
        yield "reported_on", "有单位报到,没有写报到日期", "补填报到日期"
    if after.get("closed_on") is not None and not after.get("outcome"):
        yield "outcome", "已办结,没有写办理结果", "写明:已解决、另行选址或不再建设"
    if after.get("outcome") and after.get("closed_on") is None:
        yield "closed_on", "有办理结果,没有写办结日期", "补填办结日期"
    if after.get("outcome") == "dropped" and not after.get("note"):
        yield "note", "不再建设,没有写理由", "在办理经过中写明理由"
    if before is not None and before.get("closed_on") is not None and after.get("closed_on") is None and not why:
        yield "closed_on", "已办结的事项重新办理,没有写理由", "写明理由(--why)"


def level_faults(before: Mapping[str, Any] | None, after: Mapping[str, Any], why: str) -> Iterator[Fault]:
    """A level without the day on which it was reached, or that was skipped; a level that goes back."""
    level, old = after.get("level") or 1, (before or {}).get("level") or 1
    if level < old and not why:
        yield "level", f"协调层级从 {old} 级退回 {level} 级,没有写理由", "写明理由(--why)"
    for number, zh in ((2, "二"), (3, "三")):
        field = f"level{number}_on"
        if level >= number and after.get(field) is None:
            yield field, f"协调层级为 {level} 级,没有写升{zh}级日期", f"补填升{zh}级日期"
        if level < number and after.get(field) is not None:
            yield field, f"协调层级为 {level} 级,却写了升{zh}级日期 {after[field]}", "改层级,或删去该日期"


def _names(text: object) -> set[str]:
    return {part.strip() for part in text.split("|") if part.strip()} if isinstance(text, str) else set()
