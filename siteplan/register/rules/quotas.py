"""What must hold in a quota, and in a milestone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from siteplan.register.dictionary import word_of
from siteplan.tables import read_table

_WHOLE = ("*", "全市", "各县区", "各镇街")
"""Words that name no single county or town."""


def quota_faults(_before: Mapping[str, Any] | None, after: Mapping[str, Any], _why: str,
                 ) -> Iterator[tuple[str, str, str]]:
    """Units that a measure cannot have, areas that a level does not name, counts that the register cannot make."""
    table, measure, unit = read_table("quotas"), after.get("measure"), after.get("unit")
    entry = table["measures"].get(measure)
    if entry and unit and unit not in entry["units"]:
        yield "unit", f"口径“{entry['zh']}”不能用单位“{unit}”", f"可用:{'、'.join(entry['units'])}"
    if after.get("counted") == "register" and entry and unit:
        if entry["counted"] != "register" or unit not in table["register"]["units"]:
            yield "counted", f"口径“{entry['zh']}”、单位“{unit}”储备库不能计数", "改为按上报数计数"
        elif after.get("level") == "province":
            yield "counted", "储备库只有本市站址,省级指标不能由储备库计数", "改为按上报数计数"
    if after.get("level") in ("county", "town") and str(after.get("area") or "").strip() in _WHOLE:
        zh = word_of("quotas", "level", after["level"])
        yield "area", f"“{after['area']}”不是一个{zh}", f"写明{zh}名称,每个{zh}一行"
    yield from _base_faults(after)


def _base_faults(after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    base, value = after.get("base_value"), after.get("value")
    if base is None:
        return
    if after.get("measure") not in (None, "total"):
        yield "base_value", "只有累计指标有基期数", "删去基期数,或改为累计"
    if after.get("since") is None:
        yield "base_value", "有基期数而没有起始日,不知道基期数截至哪一天", "补填起始日"
    if value is not None and base > value:
        yield "base_value", f"基期数 {base} 多于任务数 {value}", "核对两个数"


def milestone_faults(_before: Mapping[str, Any] | None, after: Mapping[str, Any], _why: str,
                     ) -> Iterator[tuple[str, str, str]]:
    """A milestone belongs to a quota, with a value, or to a site."""
    quota, site = after.get("quota_id"), after.get("site_id")
    if (quota is None) == (site is None):
        yield "quota_id", "里程碑须属于一个指标或一个站址" + (",不能两者都填" if quota else ""), "填指标编号或站址编号之一"
    if quota is not None and after.get("value") is None:
        yield "value", "指标的里程碑没有应累计完成数", "补填应累计完成数"
