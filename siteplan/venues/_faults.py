"""What is wrong with the venue classes, tiers and departments of a study, all at once, in a planner's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from pydantic import ValidationError

from siteplan.entries import LIKE, like_faults
from siteplan.errors import ModelError
from siteplan.setting_faults import suggestion, value_fault, written
from siteplan.tables import read_table
from siteplan.venues._catalogue import Department, Entry, Tier, VenueClass, plain
from siteplan.venues._entries import MORE_WORDS, NATIONAL, completed_entry, known_entries

Tables = Mapping[str, Mapping[str, Any]]
_WORD_FIELDS = {"words": "词", "types": "高德分类", "osm": "OSM 标签", "gaode": "高德编码"}
_PATTERNS = {"osm": "应写成 键=值,如 amenity=school", "gaode": "应为 2 到 6 位数字,如 1412"}


class Fault(NamedTuple):
    """One thing wrong with ``[venues]``: the key below it, why, and how to mend it."""

    field: str
    reason: str
    remedy: str


def venue_faults(profile: str, classes: Tables, tiers: Tables, departments: Tables,
                 cost_models: Iterable[str] = ()) -> Iterator[Fault]:
    """Everything that is wrong with the venue entries of a study.

    Parameters
    ----------
    profile, classes, tiers, departments
        As ``venues_of`` takes them.
    cost_models : iterable of str
        Cost models that the study adds.

    Examples
    --------
    >>> [fault.reason for fault in venue_faults("shandon", {}, {}, {})]
    ['没有这个开放规定(unknown profile):shandon']
    """
    profiles = read_table("venue_profiles")["profiles"]
    if profile not in profiles:
        yield Fault("profile", f"没有这个开放规定(unknown profile):{profile}", suggestion(profile, profiles))
        profile = NATIONAL
    yield from _tier_faults(tiers)
    ranks = {key: entry for key, entry in tiers.items() if _is_rank(key)}
    yield from _entry_faults("tiers", ranks, known_entries("tiers"), Tier)
    known = known_entries("departments")
    yield from _entry_faults("departments", departments, known, Department)
    yield from _department_clashes(departments, known)
    known = known_entries("classes", profile)
    yield from _entry_faults("classes", classes, known, VenueClass)
    places: dict[str, tuple[str, set[Any]]] = {
        "tier": ("层级", {int(key) for key in (*known_entries("tiers"), *ranks)}),
        "department": ("主管部门", {*known_entries("departments"), *departments}),
        "cost_model": ("造价模型", {*read_table("venues")["cost_models"], *cost_models})}
    for name in classes:
        yield from _reference_faults(name, known, classes, places)
    yield from _shared_words(known, classes)


def _is_rank(key: str) -> bool:
    return key.isascii() and key.isdigit() and 1 <= int(key) <= 99 and key == str(int(key))


def _tier_faults(tiers: Tables) -> Iterator[Fault]:
    """Tiers that are no number, and preferences that rise with the number."""
    for key in tiers:
        if not _is_rank(key):
            yield Fault(f"tiers.{key}", "层级的名称应为 1 到 99 的整数", "写成 [venues.tiers.2] 这样的一节,1 最优先")
    known, ranks = known_entries("tiers"), {key: entry for key, entry in tiers.items() if _is_rank(key)}
    found = []
    for key in sorted({**known, **ranks}, key=int):
        entry = _completed("tiers", key, known, ranks)
        value = entry.get("preference") if entry else None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
            found.append((key, float(value)))
    for (key, value), (after, more) in pairwise(found):
        if more > value:
            name = after if after in ranks else key
            yield Fault(f"tiers.{name}.preference", f"层级 {after} 的系数 {more:g} 大于层级 {key} 的 {value:g},与先后次序相反",
                        "层级越靠后,系数不得越大;要改变先后,改类别的 tier")


def _completed(table: str, name: str, known: Tables, extra: Tables) -> dict[str, Any] | None:
    """An entry with what it takes over; None where that leads nowhere."""
    try:
        return completed_entry(table, name, known, extra)
    except ModelError:
        return None


def _entry_faults(table: str, extra: Tables, known: Tables, model: type[Entry]) -> Iterator[Fault]:
    """Faults of single entries: ``like``, unknown and missing keys, values out of bounds."""
    astray = {name: (reason, remedy) for name, reason, remedy in like_faults(known, extra)}
    key = {"classes": "id", "tiers": "number", "departments": "code"}[table]
    fields = [LIKE, *(name for name in model.model_fields if name != key)]
    fields += [MORE_WORDS] if table == "classes" else []
    for name, entry in extra.items():
        place = f"{table}.{name}"
        if name in astray:
            yield Fault(f"{place}.{LIKE}", *astray[name])
            continue
        whole = _completed(table, name, known, extra)
        if whole is None:  # it takes over an entry that leads nowhere, which is told there
            continue
        more = entry.get(MORE_WORDS) if table == "classes" else None
        if more is not None and not (isinstance(more, list) and all(isinstance(word, str) for word in more)):
            yield Fault(f"{place}.{MORE_WORDS}", f"取值不对:应为文字的列表(现为 {written(more)})", "写成 [\"甲\", \"乙\"]")
            whole = {**whole, "words": ()}
        if key in entry:
            yield Fault(f"{place}.{key}", "没有这个键(unknown key)", "名称写在节名里,去掉这一行")
        unchecked = {field: value for field, value in whole.items() if field != key}
        try:
            model.model_validate({**unchecked, key: int(name) if table == "tiers" else name})
        except ValidationError as error:
            yield from dict.fromkeys(_fault(fault, place, entry, fields) for fault in error.errors())


def _fault(fault: Mapping[str, Any], place: str, entry: Mapping[str, Any], fields: list[str]) -> Fault:
    """One pydantic fault in a planner's words; a word that came with ``more_words`` is told there."""
    parts = [str(part) for part in fault["loc"]]
    if parts[:1] == ["words"] and MORE_WORDS in entry and "words" not in entry:
        parts[0] = MORE_WORDS
    field = ".".join([place, *parts[:1]])
    if fault["type"] == "extra_forbidden":
        return Fault(field, "没有这个键(unknown key)", suggestion(parts[-1], fields))
    if fault["type"] == "missing":
        return Fault(field, "缺少必需的键", f"增加 {parts[-1]},或用 like 取自另一个条目")
    if fault["type"] == "string_pattern_mismatch":
        return Fault(field, f"取值不对:{_PATTERNS[parts[0]]}(现为 {written(fault['input'])})", "改正这一项")
    return Fault(field, f"{value_fault(fault)}(现为 {written(fault.get('input'))})", "见 docs/study-file.md 中该键的范围")


def _reference_faults(name: str, known: Tables, extra: Tables, places: Mapping[str, tuple[str, set[Any]]],
                      ) -> Iterator[Fault]:
    """Tier, department, cost model that nothing has; a duty to be free without one to open; a bar without a reason."""
    entry = _completed("classes", name, known, extra)
    if entry is None:
        return
    for key, (noun, there) in places.items():
        value = entry.get(key)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value not in there:
            yield Fault(f"classes.{name}.{key}", f"没有这个{noun}:{value}",
                        suggestion(str(value), [str(other) for other in sorted(there)]))
    if entry.get("must_be_free") is True and entry.get("must_open") is False:
        yield Fault(f"classes.{name}.must_be_free", "应免费开放的场所必须应开放(must_open = false 与之矛盾)",
                    "把 must_open 改为 true,或把 must_be_free 改为 false")
    if entry.get("takes_site") is False and entry.get("why_not", "") == "":
        yield Fault(f"classes.{name}.why_not", "不设站的类别没有写原因", "用 why_not 写一句话,印在不可用的候选旁边")


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str) and text] if isinstance(value, (list, tuple)) else []


def _shared_words(known: Tables, extra: Tables) -> Iterator[Fault]:
    """Words, categories, tags and codes that an entry of the study has in common with another class."""
    whole = {name: _completed("classes", name, known, extra) or {} for name in {**known, **extra}}
    for field, noun in _WORD_FIELDS.items():
        holders: dict[str, list[str]] = {}
        for name, entry in whole.items():
            for word in dict.fromkeys(map(plain, _texts(entry.get(field)))):
                holders.setdefault(word, []).append(name)
        for word, names in holders.items():
            mine = [name for name in names if name in extra and (field in extra[name] or (
                field == "words" and MORE_WORDS in extra[name]))]
            if len(names) > 1 and mine:
                name = mine[-1]
                other = next(other for other in names if other != name)
                key = MORE_WORDS if word in map(plain, _texts(extra[name].get(MORE_WORDS))) else field
                said = whole[other].get("zh", other)
                yield Fault(f"classes.{name}.{key}", f"“{word}”也是类别“{said}”({other})的{noun},分不清是哪一类",
                            "只留在一类;或写更长的词,更长的优先" if field == "words" else "只留在一类")


def _department_clashes(extra: Tables, known: Tables) -> Iterator[Fault]:
    """Names and words of departments that two of them have."""
    whole = {name: _completed("departments", name, known, extra) or {} for name in {**known, **extra}}
    holders: dict[str, list[str]] = {}
    for name, entry in whole.items():
        for word in dict.fromkeys([*_texts([entry.get("zh")]), *_texts(entry.get("words"))]):
            holders.setdefault(word, []).append(name)
    for word, names in holders.items():
        mine = [name for name in names if name in extra]
        if len(names) > 1 and mine:
            other = next(other for other in names if other != mine[-1])
            yield Fault(f"departments.{mine[-1]}.{'zh' if word == whole[mine[-1]].get('zh') else 'words'}",
                        f"“{word}”也是部门“{whole[other].get('zh', other)}”({other})的名称或词", "只留在一个部门")
