"""Entries of tables as data, with those that a study adds: an entry may take over the fields of another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from siteplan.errors import ModelError
from siteplan.setting_faults import suggestion

LIKE = "like"
"""Key of an entry that names the one whose fields it takes over."""
Entries = Mapping[str, Mapping[str, Any]]


def like_faults(known: Entries, extra: Entries) -> Iterator[tuple[str, str, str]]:
    """Entries whose ``like`` leads nowhere: ``(id, reason, remedy)`` in Chinese.

    >>> list(like_faults({"a": {}}, {"b": {"like": "x"}, "c": {"like": "a"}}))
    [('b', '没有这个条目:x', '可用:a, c')]
    """
    for name, entry in extra.items():
        like = entry.get(LIKE)
        if like is None:
            continue
        names = [other for other in {**known, **extra} if other != name]
        if not isinstance(like, str):
            yield name, "like 应为另一个条目的名称(加引号)", f"可用:{', '.join(names)}"
        elif like not in known and like not in extra:
            yield name, f"没有这个条目:{like}", suggestion(like, names)
        elif _leads_back(name, known, extra):
            yield name, "like 绕回了自己", "去掉其中一个 like"


def _base(name: str, known: Entries, extra: Entries) -> str | None:
    """Id of the entry that ``extra[name]`` takes over; its own id means the known entry of that name."""
    like = extra[name].get(LIKE)
    return like if isinstance(like, str) else name if name in known else None


def _leads_back(name: str, known: Entries, extra: Entries) -> bool:
    seen = {name}
    base = _base(name, known, extra)
    while base in extra and base is not None:
        if base in seen:
            return not (base in known and extra[base].get(LIKE) in (None, base))
        seen.add(base)
        base = _base(base, known, extra)
    return False


def completed(name: str, known: Entries, extra: Entries) -> dict[str, Any]:
    """The fields of an entry with those that it takes over; tables inside it are taken over key by key.

    An entry that has the name of a known one changes single fields of it.

    Raises
    ------
    ModelError
        There is no such entry, or its ``like`` leads nowhere.

    Examples
    --------
    >>> completed("b", {"a": {"value": 1, "unit": "村"}}, {"b": {"like": "a", "value": 2}})
    {'value': 2, 'unit': '村'}
    """
    for fault, reason, remedy in like_faults(known, extra):
        if fault == name:
            raise ModelError(f"{name}: {reason} -> {remedy}")
    if name not in extra:
        if name not in known:
            raise ModelError(f"there is no entry {name!r}; known: {', '.join({**known, **extra})}")
        return dict(known[name])
    base = _base(name, known, extra)
    if base is None:
        start: Mapping[str, Any] = {}
    elif base != name and base in extra:
        start = completed(base, known, extra)
    else:
        start = known[base]
    return _overlaid(start, {key: value for key, value in extra[name].items() if key != LIKE})


def _overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        out[key] = _overlaid(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return out
