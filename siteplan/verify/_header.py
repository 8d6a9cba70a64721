"""What ``certificate.json`` has to say, and what is wrong where it does not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

FORMAT, VERSION = "siteplan certificate", 1
STATUSES = ("optimal", "feasible", "infeasible", "unknown")
PROOFS = ("multipliers", "search", "")
COLUMNS_OF = ("county", "town", "department", "operator", "requested_by", "kind", "tier", "source", "owner")
_KINDS = {"study": str, "study_sha256": str, "method": str, "status": str, "proof": str, "objective": dict,
          "limits": list, "stages": list, "floors": list, "wanted": list}
_NUMBERS = ("spacing_m", "total_weight", "served_weight")
Faults = Iterator[tuple[str, str]]


_GREATEST = 1e300


def is_number(value: Any, least: float = -math.inf) -> bool:
    """Whether a JSON value is a finite number, at least ``least``.

    >>> is_number(1), is_number(True), is_number("1"), is_number(-1, 0)
    (True, False, False, False)
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > _GREATEST:
        return False
    return math.isfinite(value) and value >= least


def _is_whole(value: Any) -> bool:
    return is_number(value) and float(value).is_integer()


def header_faults(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """(field, reason) of everything in ``certificate.json`` that cannot be used.

    >>> header_faults({"format": "other"})
    [('format', '不是 siteplan 的证书,或版本不同')]
    """
    if (facts.get("format"), facts.get("version")) != (FORMAT, VERSION):
        return [("format", "不是 siteplan 的证书,或版本不同")]
    wrong = [(name, "缺少,或类型不对") for name, kind in _KINDS.items() if not isinstance(facts.get(name), kind)]
    if not isinstance(facts.get("files", {}), dict):
        wrong.append(("files", "类型不对"))
    if wrong:
        return wrong
    found = [(name, "缺少,或不是有效的数") for name in _NUMBERS if not is_number(facts.get(name), 0)]
    found += [(name, "不是有效的数") for name in ("value", "bound", "gap")
              if facts.get(name) is not None and not is_number(facts[name])]
    if facts["status"] not in STATUSES:
        found.append(("status", f"“{facts['status']}”不是状态词"))
    if facts["proof"] not in PROOFS:
        found.append(("proof", f"“{facts['proof']}”不是证明方式"))
    found += _objective_faults(facts["objective"])
    found += _stage_faults(facts["stages"])
    if found:
        return found
    years = {int(stage["year"]) for stage in facts["stages"]}
    for number, limit in enumerate(facts["limits"]):
        found += [(f"limits[{number}].{name}", reason) for name, reason in _limit_faults(limit, years)]
    return [*found, *_floor_faults(facts["floors"], facts["wanted"])]


def _objective_faults(objective: dict[str, Any]) -> Faults:
    if objective.get("kind") not in ("coverage", "least_cost"):
        yield "objective.kind", "应为 coverage 或 least_cost"
    backup = objective.get("backup", 0.0)
    if not is_number(backup, 0) or backup >= 1:
        yield "objective.backup", "应在0到1之间"
    levels = objective.get("levels")
    if (not isinstance(levels, list) or not levels or not all(is_number(level, 0) for level in levels)
            or not all(one < other for one, other in zip([0, *levels], levels, strict=False)) or levels[-1] > 1):
        yield "objective.levels", "应为0到1之间递增的数"


def _stage_faults(stages: list[Any]) -> Faults:
    for number, stage in enumerate(stages):
        if not isinstance(stage, dict) or not _is_whole(stage.get("year")) or not is_number(stage.get("worth"), 0):
            yield f"stages[{number}]", "年度或份额不是有效的数"
            return
    years = [stage["year"] for stage in stages]
    if sorted(set(years)) != years:
        yield "stages", "年度应递增"


def _limit_faults(limit: Any, years: set[int]) -> Faults:
    if not isinstance(limit, dict) or not isinstance(limit.get("name"), str):
        yield "name", "缺少,或类型不对"
        return
    if limit.get("of") not in ("all", "free", *COLUMNS_OF):
        yield "of", f"“{limit.get('of')}”不是限制的对象"
    if limit.get("unit") not in ("站址", "基站", "元"):
        yield "unit", f"“{limit.get('unit')}”不是单位"
    if limit.get("count") not in ("new", "on_air"):
        yield "count", "应为 new 或 on_air"
    if not isinstance(limit.get("free", False), bool):
        yield "free", "应为 true 或 false"
    for name in ("least", "most", "share"):
        if limit.get(name) is not None and not is_number(limit[name]):
            yield name, "不是有效的数"
    if not is_number(limit.get("already", 0)):
        yield "already", "不是有效的数"
    elif limit.get("count") == "new" and limit.get("already"):
        yield "already", "只计新建的限制不应有已有数"
    year = limit.get("year")
    if year is not None and (not _is_whole(year) or int(year) not in years):
        yield "year", "不是分期的年度"
    if limit.get("of") == "free" and (not is_number(limit.get("share"), 0) or limit["share"] > 1):
        yield "share", "缺少,或不在0到1之间"


def _floor_faults(floors: list[Any], wanted: list[Any]) -> Faults:
    for number, floor in enumerate(floors):
        good = (isinstance(floor, dict) and isinstance(floor.get("name"), str)
                and isinstance(floor.get("required"), bool) and is_number(floor.get("least")))
        if not good:
            yield f"floors[{number}]", "缺少名称、是否必须或下限"
    for number, wish in enumerate(wanted):
        listed = wish.get("floors") if isinstance(wish, dict) else None
        good = (isinstance(listed, list) and all(_is_whole(entry) and 0 <= entry < len(floors) for entry in listed)
                and len(set(listed)) == len(listed) and _is_whole(wish.get("least")))
        if not good:
            yield f"wanted[{number}]", "缺少达标要求的编号或最少个数"
