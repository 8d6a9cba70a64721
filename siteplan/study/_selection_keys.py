"""What a study file says about the selection: every problem of ``[selection]`` beyond the bounds of single keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from siteplan.errors import Problem
from siteplan.params import PassingParams, PhaseParams, QuotaParams, SelectionParams, Settings, ShareParams
from siteplan.selection.clashes import setting_clashes
from siteplan.selection.limits import number_zh
from siteplan.setting_faults import suggestion
from siteplan.study._entries import entries_of, table_of
from siteplan.venues import load_venues

TABLES: Mapping[str, type[Settings]] = {
    "quotas": QuotaParams, "shares": ShareParams, "phases": PhaseParams, "passing": PassingParams}
"""Tables below ``[selection]``."""
_LISTS = ("quotas", "shares")
_PARTNERS: Mapping[str, tuple[str, ...]] = {
    "objective": ("required_share",), "required_share": ("required_share",),
    "preference_mode": ("free_share_least", "tier_price_people")}
"""What is not asked of a key while its partner is wrong itself."""


_WORDS: Mapping[str, Mapping[str, str]] = {
    "of": {"全部": "all", "县区": "county", "区县": "county", "县": "county", "区": "county", "镇街": "town", "乡镇": "town",
           "街道": "town", "镇": "town", "主管部门": "department", "部门": "department", "运营商": "operator",
           "提出需求的运营商": "requested_by", "站型": "kind", "优先级": "tier", "来源": "source", "产权人": "owner", "业主": "owner",
           "产权单位": "owner"},
    "unit": {"处": "站址", "座": "站址", "站": "站址", "个": "基站", "万元": "元"},
    "count": {"新建": "new", "在用": "on_air"},
    "layer": {"行政村": "villages", "重点区域": "zones"},
    "measure": {"人口": "people", "面积": "area", "点位": "points"}}
"""What planners write for a word of a key, and the word."""
_TIMES = {"": 1.0, "万": 1e4, "亿": 1e8, "%": 0.01, "％": 0.01}
_NUMBER = re.compile(r"(?P<number>\d[\d,，]*(?:\.\d+)?)\s*(?P<times>[万亿%％]?)\s*(?:元|处|个|座|人|米|秒|%)?")


def selection_remedy(location: Sequence[object], fault: Mapping[str, Any]) -> str:
    """How a value of ``[selection]`` is written that was meant well: shares in percent, numbers with words; else empty.

    Parameters
    ----------
    location : sequence
        Keys from the root: ``("selection", "quotas#2", "of")``.
    fault : mapping
        As pydantic tells it: ``type``, ``input``, ``ctx``.

    Examples
    --------
    >>> selection_remedy(("selection", "budget_yuan"), {"type": "float_parsing", "input": "1000万"})
    '写 10000000,不加引号'
    >>> selection_remedy(("selection", "free_share_least"), {"type": "less_than_equal", "input": 60, "ctx": {"le": 1}})
    '写 0.6(表示 60%)'
    """
    given, key = fault.get("input"), str(location[-1])
    if location[0] != "selection":
        return ""
    if fault["type"] in ("less_than_equal", "less_than"):
        most = next(iter(dict(fault.get("ctx") or {}).values()), 0)
        if not isinstance(given, int | float) or not 2 < given <= 100 or most > 1 or given / 100 > most:
            return ""
        return f"写 {given / 100:g}(表示 {given:g}%)"
    if not isinstance(given, str):
        return ""
    if fault["type"] == "literal_error":
        if key == "unit" and given.strip() == "个":
            return '写 unit = "基站"(一处站址可有几个基站)或 unit = "站址"'
        word = _WORDS.get(key, {}).get(given.strip(), "")
        more = ",数也按元写" if word == "元" else ""
        return f'写 {key} = "{word}"{more}' if word else ""
    found = _NUMBER.fullmatch(given.strip())
    if found is None or fault["type"] not in ("float_parsing", "float_type", "int_parsing", "int_type"):
        return ""
    value = float(re.sub("[,，]", "", found["number"])) * _TIMES[found["times"]]
    return f"写 {number_zh(round(value, 9))},不加引号"


def keys_of_table(name: str) -> list[str]:
    """Keys of a table below ``[selection]``; ``quotas#2`` is the second quota.

    >>> keys_of_table("passing")
    ['villages', 'zones']
    """
    model = TABLES.get(name.split("#", maxsplit=1)[0])
    return list(model.model_fields) if model is not None else []


def selection_problems(raw: Mapping[str, Any], file: str) -> Iterator[Problem]:
    """What does not go together in ``[selection]``: quotas that do not add up, keys without partner, unknown tiers.

    Values out of bounds are told with the faults of the whole study file; what stands beside them is checked here.

    Parameters
    ----------
    raw : mapping
        The parsed study file.
    file : str
        Its name.

    Examples
    --------
    >>> wrong = {"selection": {"quotas": [{"of": "county", "least": 3}], "objective": "least_cost"}}
    >>> [problem.field for problem in selection_problems(wrong, "study.toml")]
    ['selection.required_share', 'selection.quotas#1.value']
    """
    table = table_of(raw.get("selection"))
    params, faulty = _readable(table)
    silent = {partner for key in faulty for partner in (key, *_PARTNERS.get(key, ()))}
    for clash in setting_clashes(params):
        first = clash.key.split(".")[0]
        about_year = clash.key.endswith(".year") and "phases" in faulty
        if first not in silent and not about_year:
            yield Problem("study", file, "", f"selection.{clash.key}", clash.reason, clash.remedy)
    yield from _unknown_tiers(params, raw, file)


def _readable(table: Mapping[str, Any]) -> tuple[SelectionParams, set[str]]:
    """The settings without what is out of bounds, and the keys that are (``quotas#2``: the second quota)."""
    known = {key: value for key, value in table.items() if key in SelectionParams.model_fields}
    for key in _LISTS:
        if key in known and not isinstance(known[key], list):
            known[key] = [known[key]]
    try:
        return SelectionParams.model_validate(known), set()
    except ValidationError as error:
        faulty = set()
        for fault in error.errors():
            place = fault["loc"]
            listed = place[0] in _LISTS and len(place) > 1
            faulty.add(f"{place[0]}#{int(place[1]) + 1}" if listed else str(place[0]))
    kept = {key: value for key, value in known.items() if key not in faulty}
    for key in _LISTS:
        entries = kept.get(key, [])
        kept[key] = [_stand_in(key, number) if f"{key}#{number}" in faulty else entry
                     for number, entry in enumerate(entries, 1)]
    return SelectionParams.model_validate(kept), faulty


def _stand_in(key: str, number: int) -> dict[str, Any]:
    """An entry that clashes with nothing, so that those after a faulty one keep their number."""
    if key == "shares":
        return {"layer": "villages", "least_share": 1e-9}
    return {"of": "county", "value": f"#{number}", "most": 1e12}


def _unknown_tiers(params: SelectionParams, raw: Mapping[str, Any], file: str) -> Iterator[Problem]:
    """Tiers that are priced or limited and that nothing has."""
    names = {str(number): tier.zh for number, tier in load_venues().tiers.items()}
    for number, entry in entries_of(table_of(raw.get("venues")).get("tiers")).items():
        names[number] = str(entry.get("zh", names.get(number, "")))
    known = [*names, *names.values()]
    for tier in params.tier_price_people:
        if tier not in known:
            yield Problem("study", file, "", f"selection.tier_price_people.{tier}", f"没有这个优先级:{tier}",
                          suggestion(tier, known))
    numbers = {zh: number for number, zh in names.items()}
    for place, quota in enumerate(params.quotas, 1):
        if quota.of == "tier" and quota.value and quota.value not in names:
            remedy = f"写序号 {numbers[quota.value]}" if quota.value in numbers else suggestion(quota.value, names)
            yield Problem("study", file, "", f"selection.quotas#{place}.value", f"没有这个优先级序号:{quota.value}", remedy)
