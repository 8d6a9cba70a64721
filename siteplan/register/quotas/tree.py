"""The tree of quotas, province to city to county to town: what must hold in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import pandas as pd

from siteplan.errors import Problem
from siteplan.register.dictionary import word_of
from siteplan.register.quotas.rows import (
    LEVELS,
    Areas,
    Quota,
    county_and_town,
    line_above,
    quota_of,
    quotas_in,
    text_in,
)

Row = Quota | Mapping[str, Any]
Fault = tuple[Quota, str, str, str]
"""The quota at fault, field, reason, remedy."""
_NEEDED = {"level": "层级", "area": "区域", "measure": "计数口径", "unit": "单位", "value": "任务数", "by": "完成期限"}


def split_problems(parent: Row, children: Iterable[Row], areas: Areas | None = None) -> list[Problem]:
    """What is wrong with the split of one quota.

    Its parts must add up to it, in its unit and measure, at levels below its own (which may leave one out), within its
    dates, each area once and no town beside its own county. A single city under a province is a part of what the
    province splits among its cities: it must not exceed it.

    Parameters
    ----------
    parent : Quota or mapping
    children : iterable of Quota or mapping
        Rows of the table ``quotas``; ``source_file`` and ``source_row`` name them in problems.
    areas : Areas, optional
        Known areas; names are not checked without them.

    Returns
    -------
    list of Problem

    Examples
    --------
    >>> city = {"id": "ZB000001", "level": "city", "measure": "free_public", "unit": "站址", "value": 13}
    >>> parts = [{**city, "level": "county", "area": area, "value": value} for area, value in (("甲县", 6), ("乙县", 5))]
    >>> print(*split_problems(city, parts))
    quotas / ZB000001 / value: 下级任务数合计 11,应为 13,少 2 -> 核对各区域的任务数(甲县 6、乙县 5)
    """
    above, parts = _quota(parent), [_quota(row) for row in children]
    faults = [fault for part in parts for fault in _part_faults(above, part)]
    faults += _twice(above, parts)
    faults += _sum_faults(above, parts)
    if areas is not None:
        faults += [fault for part in parts for fault in area_faults(part, [above], areas)]
        faults += _beside_own_county(above, parts, areas)
    return _problems(faults)


def tree_problems(quotas: pd.DataFrame, areas: Areas | None = None) -> list[Problem]:
    """Everything that is wrong with the quotas of a register, each problem with its row.

    Parameters
    ----------
    quotas : DataFrame
        The table ``quotas``; rows that are not current any more are left alone.
    areas : Areas, optional
        Of `areas_of`; names of areas are not checked without them.

    Returns
    -------
    list of Problem
        Missing values, parents that are not there or not current, circles, quotas that are there twice, unknown areas,
        and `split_problems` of every quota that is split.
    """
    known = quotas_in(quotas)
    current = {row_id: quota for row_id, quota in known.items() if quota.is_current}
    faults = [(quota, name, f"{zh}为空", f"补填{zh}") for quota in current.values() for name, zh in _NEEDED.items()
              if getattr(quota, name) in ("", None)]
    faults += [fault for quota in current.values() for fault in _parent_faults(quota, known)]
    for quota in current.values():
        if areas is not None and quota.parent_id not in current:
            faults += area_faults(quota, [], areas)
    faults += _twice(None, [quota for quota in current.values() if not quota.parent_id])
    problems = _problems(faults)
    for row_id, parts in children_of(current).items():
        if row_id in current:
            problems += split_problems(current[row_id], parts, areas)
    return list(dict.fromkeys(problems))


def children_of(quotas: Mapping[str, Quota]) -> dict[str, list[Quota]]:
    """The quotas right below each one, by its id."""
    out: dict[str, list[Quota]] = defaultdict(list)
    for quota in quotas.values():
        if quota.parent_id:
            out[quota.parent_id].append(quota)
    return dict(out)


def _quota(row: Row) -> Quota:
    return row if isinstance(row, Quota) else quota_of(text_in(row, "id"), row)


def _problems(faults: Iterable[Fault]) -> list[Problem]:
    return list(dict.fromkeys(Problem(*quota.where, name, reason, remedy) for quota, name, reason, remedy in faults))


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else -1


def _part_faults(above: Quota, part: Quota) -> Iterator[Fault]:
    """One part against the quota that it is a part of."""
    if part.unit and part.unit != above.unit:
        yield part, "unit", f"单位是{part.unit},上级指标 {above.id} 的单位是{above.unit},不能混计", "改为同一单位,或另立指标"
    if part.measure and part.measure != above.measure:
        told = [word_of("quotas", "measure", quota.measure) for quota in (part, above)]
        yield part, "measure", f"口径是“{told[0]}”,上级指标 {above.id} 的口径是“{told[1]}”", "改为同一口径,或另立指标"
    if part.level and above.level and _rank(part.level) <= _rank(above.level):
        told = [word_of("quotas", "level", quota.level) for quota in (part, above)]
        yield part, "level", f"层级“{told[0]}”不在上级指标 {above.id} 的层级“{told[1]}”之下", "核对层级和上级指标"
    if part.by and above.by and part.by > above.by:
        yield part, "by", f"完成期限 {part.by} 晚于上级指标 {above.id} 的 {above.by}", "改到上级期限以内"
    first, earliest = part.since, above.first_day
    if first and earliest and first < earliest:
        yield part, "since", f"起始日 {first} 早于上级指标 {above.id} 的 {earliest}", "改到上级起始日以后"
    if part.by and part.first_day and part.first_day > part.by:
        yield part, "since", f"起始日 {part.first_day} 晚于完成期限 {part.by}", "核对两个日期"


def _sum_faults(above: Quota, parts: Sequence[Quota]) -> Iterator[Fault]:
    """Parts that do not add up; one city alone may have less than its province."""
    values = [part.value for part in parts if part.value is not None]
    if not parts or above.value is None or len(values) < len(parts):
        return
    total = sum(values)
    alone = above.level == "province" and len(parts) == 1
    if total == above.value or (alone and total < above.value):
        return
    told = "、".join(f"{part.area} {part.value}" for part in parts[:20]) + ("等" if len(parts) > 20 else "")
    more = f"多 {total - above.value}" if total > above.value else f"少 {above.value - total}"
    yield above, "value", f"下级任务数合计 {total},应为 {above.value},{more}", f"核对各区域的任务数({told})"


def _twice(above: Quota | None, parts: Sequence[Quota]) -> Iterator[Fault]:
    """An area that stands twice: under one quota, or twice at the top with the same measure and dates."""
    first: dict[tuple[object, ...], Quota] = {}
    for part in parts:
        place = county_and_town(part, [above] if above else []) if part.level in ("county", "town") else part.area
        key = (part.level, place) if above else (part.level, place, part.measure, part.unit, part.first_day, part.by,
                                                 part.title if part.measure == "other" else "")
        if not part.area:
            continue
        if key in first:
            other = first[key]
            told = other.row or other.id
            where = f"上级指标 {above.id} 下" if above else "同口径、同期限的指标中"
            yield part, "area", f"“{part.area}”在{where}已有一行{f'({told})' if told else ''}", "删去重复的一行,或合并任务数"
        first.setdefault(key, part)


def _parent_faults(quota: Quota, known: Mapping[str, Quota]) -> Iterator[Fault]:
    """A parent that is not there, is replaced, or leads back to the quota."""
    if not quota.parent_id:
        return
    parent = known.get(quota.parent_id)
    if parent is None:
        yield quota, "parent_id", f"上级指标 {quota.parent_id} 不存在", "核对上级指标编号"
    elif not parent.is_current:
        yield quota, "parent_id", f"上级指标 {quota.parent_id} 已被替换,不再现行", "改为现行的上级指标,或一并停用"
    if quota.parent_id == quota.id or any(above.parent_id == quota.id for above in line_above(known, quota)):
        line = [quota.id, *(above.id for above in line_above(known, quota)), quota.id]
        yield quota, "parent_id", f"上级指标绕回自身:{' → '.join(dict.fromkeys(line))} → {quota.id}", "改正上级指标"


def area_faults(quota: Quota, line: Sequence[Quota], areas: Areas) -> Iterator[Fault]:
    """An area that is not known, or does not lie in the one above.

    Parameters
    ----------
    quota : Quota
    line : sequence of Quota
        The quotas above it, the nearest first.
    areas : Areas
    """
    county, town = county_and_town(quota, line)
    if quota.level == "city":
        yield from _city_faults(quota, line, areas)
    elif quota.level == "county" and county and areas.counties and county not in areas.counties:
        yield quota, "area", f"没有名为“{county}”的县区", _remedy(county, areas.counties)
    elif quota.level == "town" and town:
        yield from _town_faults(quota, line, areas)


def _city_faults(quota: Quota, line: Sequence[Quota], areas: Areas) -> Iterator[Fault]:
    """A city at the top that is not the register's own."""
    names = {areas.city, areas.city.removesuffix("市"), "全市"}
    if areas.city and quota.area and not line and not quota.parent_id and quota.area not in names:
        yield quota, "area", f"本储备库是{areas.city}的,不是“{quota.area}”的", f"改为{areas.city},或写明上级指标"


def _town_faults(quota: Quota, line: Sequence[Quota], areas: Areas) -> Iterator[Fault]:
    county, town = county_and_town(quota, line)
    above = next((one.area for one in line if one.level == "county"), "")
    if above and county != above:
        yield quota, "area", f"“{quota.area}”不在上级区域“{above}”内", "核对区域和上级指标"
    elif areas.towns and town not in areas.towns:
        yield quota, "area", f"没有名为“{town}”的镇街", _remedy(town, areas.towns)
    elif areas.towns:
        homes = areas.towns[town] - {""}
        if county and homes and county not in homes:
            yield quota, "area", f"“{town}”属于{'、'.join(sorted(homes))},不属于“{county}”", "核对区域和上级指标"
        elif not county and len(homes) > 1:
            yield (quota, "area", f"{'、'.join(sorted(homes))}都有“{town}”",
                   f"写成“县区/镇街”,如 {sorted(homes)[0]}/{town}")


def _beside_own_county(above: Quota, parts: Sequence[Quota], areas: Areas) -> Iterator[Fault]:
    """A town beside the county that it lies in: it would count twice."""
    counties = {part.area for part in parts if part.level == "county"}
    for part in parts:
        county, town = county_and_town(part, [above])
        homes = {county} if county else set(areas.towns.get(town, ()))
        if part.level == "town" and len(homes) == 1 and homes <= counties:
            yield part, "area", f"“{town}”与其所属的“{next(iter(homes))}”并列,会重复计数", "把镇街的任务放到所属县区之下"


def _remedy(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, sorted(known), n=2, cutoff=0.5)
    return f"是不是 {'、'.join(near)}?否则先登记为责任单位(县区或镇街)" if near else "核对,或先登记为责任单位(县区或镇街)"
