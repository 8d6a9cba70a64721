"""A profile that takes over another one: ``like``, ``keep``, ``drop``, and ``was``, ``after`` of its fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from siteplan.profiles._shape import Fault
from siteplan.setting_faults import suggestion

Raw = dict[str, Any]


def overlaid(own: Mapping[str, Any], base: Mapping[str, Any], faults: list[Fault]) -> Raw:
    """The keys of ``base`` with those of ``own`` over them; fields key by key, a list of codes as a whole.

    ``keep`` names the fields of the base that stay, in this order; ``drop`` those that go. A field with ``was`` takes
    the place of that field of the base under its own name; one with ``after`` comes behind that field; other new ones
    come last. The profile's ``key`` and ``style`` follow a field that gets another name.

    >>> base = {"key": "A", "fields": {"A": {"width": 9}, "B": {"width": 5}}}
    >>> overlaid({"drop": ["B"], "fields": {"C": {"was": "A", "width": 7}}}, base, [])
    {'key': 'C', 'fields': {'C': {'width': 7}}}
    """
    known = dict(base["fields"])
    fields = {name: known[name] for name in _kept(own, known, faults)}
    renamed: dict[str, str] = {}
    for name, entry in own.get("fields", {}).items():
        entry = dict(entry)
        was, after = entry.pop("was", None), entry.pop("after", None)
        if was is not None and was not in fields:
            faults.append((name, "was", f"承接的导出方案中没有这个字段:{was}", suggestion(str(was), fields)))
        if was is None and name in known and name not in fields and "zh" not in entry:
            faults.append((name, "", "该字段不在 keep 中" if name not in own.get("drop", ()) else "该字段在 drop 中",
                           "把它加进 keep" if name not in own.get("drop", ()) else "从 drop 中删去,或删去这个字段的改动"))
            continue
        old = was if isinstance(was, str) and was in fields else name
        if old != name:
            renamed[old] = name
            fields = {name if field == old else field: value for field, value in fields.items()}
        fields[name] = {**fields.get(name, {}), **entry}
        if after is not None:
            fields = _moved(fields, name, after, faults)
    rest = {key: value for key, value in own.items() if key not in ("like", "keep", "drop", "fields")}
    follow = {key: renamed[base[key]] for key in ("key", "style") if base.get(key) in renamed}
    return {**{key: value for key, value in base.items() if key != "id"}, **follow, **rest, "fields": fields}


def _kept(own: Mapping[str, Any], known: Mapping[str, Any], faults: list[Fault]) -> list[str]:
    """Names of the fields of the base that stay, in their order."""
    kept = _names(own, "keep", known, faults) if "keep" in own else list(known)
    gone = set(_names(own, "drop", known, faults))
    return [name for name in kept if name not in gone]


def _names(own: Mapping[str, Any], key: str, known: Iterable[str], faults: list[Fault]) -> list[str]:
    names = own.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        faults.append(("", key, "应为字段名的列表", f'写作 {key} = ["ZZBH", "ZZMC"]'))
        return []
    faults += [("", key, f"承接的导出方案中没有这个字段:{name}", suggestion(name, known)) for name in names if name not in known]
    return [name for name in dict.fromkeys(names) if name in known]


def _moved(fields: Raw, name: str, after: object, faults: list[Fault]) -> Raw:
    """The fields with one of them behind another."""
    others = {field: value for field, value in fields.items() if field != name}
    if not isinstance(after, str) or after not in others:
        faults.append((name, "after", f"没有这个字段:{after}", suggestion(str(after), others)))
        return fields
    out: Raw = {}
    for field, value in others.items():
        out[field] = value
        if field == after:
            out[name] = fields[name]
    return out
