"""Entries of the venue table as they stand under a profile of duties and with what a study adds to them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from siteplan.entries import LIKE, Entries, completed
from siteplan.tables import read_table

NATIONAL = "national"
OWN_SOURCE = "研究文件"
MORE_WORDS = "more_words"
"""Key of a class of the study: words beside those that the class has; ``words`` would take their place."""
OWN: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "classes": ("zh", "examples", "words", "types", "osm", "gaode"), "tiers": ("zh",),
    "departments": ("zh", "words", "note"),
})
"""Fields by which an entry is told from others: ``like`` does not take them over."""
_DUTIES = (("must_open", "source_open"), ("must_be_free", "source_free"))


def known_entries(table: str, profile: str = NATIONAL) -> dict[str, dict[str, Any]]:
    """Entries of the package: ``classes`` (under a profile), ``tiers`` (keys as text) or ``departments``."""
    data = read_table("venues")
    if table != "classes":
        return {str(key): dict(entry) for key, entry in data[table].items()}
    sources = data["sources"]
    known = {key: {**entry, **{name: sources.get(entry[name], entry[name]) for _, name in _DUTIES}}
             for key, entry in data["classes"].items()}
    for duty in read_table("venue_profiles")["profiles"][profile].get("duties", ()):
        told = {key: duty[key] for key, _ in _DUTIES if key in duty}
        said = duty["source"] + ("" if duty.get("verified", True) else "(按类别推定,未核实)")
        for name in duty["classes"]:
            changed = {**known[name], **told, **{source: said for key, source in _DUTIES if key in told}}
            known[name] = _followed(changed, told)
    return known


def completed_entry(table: str, name: str, known: Entries, extra: Entries) -> dict[str, Any]:
    """One entry with what it takes over from the one that it is ``like``, or from the package's of its name.

    Raises
    ------
    ModelError
        There is no such entry, or its ``like`` leads nowhere.
    """
    own = {key: {field: value for field, value in entry.items() if field != MORE_WORDS} if table == "classes" else entry
           for key, entry in extra.items()}
    entry = completed(name, known, own)
    if name not in extra:
        return entry
    mine = own[name]
    if mine.get(LIKE, name) != name:
        entry = {key: value for key, value in entry.items() if key not in OWN[table] or key in mine}
    if table == "departments":
        return {"source": OWN_SOURCE, **entry}
    if table == "tiers":
        return entry
    more, words = extra[name].get(MORE_WORDS), entry.get("words", ())
    if isinstance(more, (list, tuple)) and isinstance(words, (list, tuple)):
        entry["words"] = [*words, *more]
    given = _given(name, own)
    for key, source in _DUTIES:
        if (key in given or source not in entry) and source not in given:
            entry[source] = OWN_SOURCE
    return _followed(entry, given)


def _given(name: str, own: Entries) -> dict[str, Any]:
    """Fields that the study gives an entry, itself or by way of other entries of the study that it is ``like``."""
    given: dict[str, Any] = {}
    link: object = name
    while isinstance(link, str) and link in own:
        given = {**own[link], **given}
        link = own[link].get(LIKE) if own[link].get(LIKE) != link else None
    return given


def _followed(entry: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """An entry whose duty was changed: tier and cost model go with ``must_be_free``, unless they are given as well."""
    if "must_be_free" not in given:
        return dict(entry)
    follows = read_table("venues")["follows"]
    now, was = (follows["free"], follows["open"])[::1 if entry["must_be_free"] is True else -1]
    return {**entry, **{key: value for key, value in now.items() if key not in given and entry.get(key) == was[key]}}
