"""How a venue is read: its class from tags, codes, type words and name; the department that a text names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from siteplan.tables import read_table
from siteplan.venues._catalogue import VenueCatalogue, plain
from siteplan.venues._load import load_venues

OTHER = "other"
"""The class of a venue that no rule fits."""
_CODE = re.compile(r"\d{4,6}")
_OSM_TAG = re.compile(r"[a-z_:]+=[^;]+")
_BRACKET = re.compile(r"\(([^()]*)\)")
_COMPANY = re.compile(r"(?:股份)?(?:有限)?(?:责任)?公司.*$")
_GOVERNMENT = re.compile(r"(?:政府|[镇乡]|街道(?:办|办事处)?)$")
_SPORT = "体育"
"""Word that names of other departments take on as well (文化体育局): alone it counts least."""
_TRAILING = " -·—_、,，;；"


class VenueGuess(NamedTuple):
    """What a venue was taken for.

    Attributes
    ----------
    venue_class : str
        Key of the venue table; ``other`` when nothing fits.
    rule : str
        What fired: ``osm:amenity=school``, ``gaode:1412``, ``type:中学``, ``name:小学``; empty when nothing did.
    confidence : float
        0..1, by the rule (``[confidence]`` of the table).
    doubt : str
        Chinese sentence on what speaks against it; empty when nothing does.
    """

    venue_class: str
    rule: str
    confidence: float
    doubt: str


class _Hit(NamedTuple):
    venue: str
    rule: str
    how: str


@dataclass(frozen=True)
class _Rules:
    osm: Mapping[str, str]
    gaode: Sequence[tuple[str, str]]
    types: Mapping[str, str]
    words: Mapping[str, Sequence[tuple[int, str, str]]]
    """First letter -> (number, word, class), numbered in the order of the table."""
    naming: Mapping[str, Any]
    confidence: Mapping[str, float]


@lru_cache(maxsize=16)
def _rules(catalogue: VenueCatalogue) -> _Rules:
    data = read_table("venues")
    classes = list(catalogue.classes.values())
    words: dict[str, list[tuple[int, str, str]]] = {}
    every = [(plain(word), venue.id) for venue in classes for word in venue.words]
    for number, (word, name) in enumerate(every):
        words.setdefault(word[0], []).append((number, word, name))
    return _Rules(
        osm={tag: venue.id for venue in reversed(classes) for tag in venue.osm},
        gaode=sorted(((code, venue.id) for venue in classes for code in venue.gaode), key=lambda pair: -len(pair[0])),
        types={plain(word): venue.id for venue in classes for word in venue.types},
        words=MappingProxyType(words),
        naming=MappingProxyType(data["naming"]), confidence=MappingProxyType(data["confidence"]))


def _last_word(text: str, rules: _Rules) -> tuple[int, str, str] | None:
    """Where the word ends that ends last in a plain text (the longer on a tie), the word, its class.

    Words of the list ``weak`` count only where there is no other; words that are part of a place name do not count.
    """
    hits = []
    for _, word, venue in sorted(entry for letter in set(text) for entry in rules.words.get(letter, ())):
        start = text.rfind(word)
        while start >= 0 and text[start + len(word):start + len(word) + 1] in rules.naming["roads"] and (
                start + len(word) < len(text)):
            start = text.rfind(word, 0, start + len(word) - 1)
        if start >= 0:
            hits.append((word not in rules.naming["weak"], start + len(word), len(word), word, venue))
    if not hits:
        return None
    best = max(hits, key=lambda hit: hit[:3])
    return best[1], best[3], best[4]


def _hit(text: str, rules: _Rules) -> _Hit | None:
    found = _last_word(text, rules)
    if found is None:
        return None
    end, word, venue = found
    company = _COMPANY.search(text)
    if company and end <= company.start() and end < len(text):
        if end < company.start():
            return _Hit("office", "name:公司", "name_end")
        return _Hit(venue, f"name:{word}", "name_inside")
    if word in rules.naming["weak"]:
        return _Hit(venue, f"name:{word}", "weak")
    return _Hit(venue, f"name:{word}", "name_end" if end == len(text) else "name_inside")


def _class_of_name(name: str, rules: _Rules) -> _Hit | None:
    """Class that a name speaks for; what stands in brackets counts last, but for stops and car parks."""
    text = plain(name)
    inside = _BRACKET.findall(text)
    base = _BRACKET.sub("", text).strip(_TRAILING)
    for part in inside:
        if part.endswith(tuple(rules.naming["brackets"])):
            return _hit(part, rules)
    found = _hit(base, rules)
    if found is not None:
        return found
    for part in inside:
        found = _hit(part.strip(_TRAILING), rules)
        if found is not None:
            return _Hit(found.venue, found.rule, "weak" if found.how == "weak" else "name_inside")
    return None


def _class_of_type(venue_type: str, rules: _Rules) -> _Hit | None:
    """Class that the type speaks for: tags, a code, whole categories, words."""
    tags = _OSM_TAG.findall(venue_type)
    for tag in tags:
        for key in (tag, f"{tag.split('=', 1)[0]}=*", f"amenity={tag.split('=', 1)[1]}"):
            if key in rules.osm:
                return _Hit(rules.osm[key], f"osm:{tag}", "weak" if tag in rules.naming["weak_tags"] else "osm")
    if tags:
        return None
    word = f"amenity={venue_type.strip()}"
    if venue_type.strip() and word in rules.osm:
        return _Hit(rules.osm[word], f"osm:{word}", "osm")
    for code in _CODE.findall(venue_type):
        for prefix, venue in rules.gaode:
            if code.startswith(prefix):
                return _Hit(venue, f"gaode:{prefix}", "gaode")
    for group in venue_type.split("|"):
        for part in reversed(re.split("[;；]", group)):
            if plain(part).strip() in rules.types:
                return _Hit(rules.types[plain(part).strip()], f"type:{part.strip()}", "type")
    found = _last_word(plain(venue_type), rules)
    return None if found is None else _Hit(found[2], f"type:{found[1]}", "type")


def _doubt_of_name(name: str, naming: Mapping[str, Any]) -> str:
    """What a name says against a venue being one that can be used."""
    text = plain(name)
    base = _BRACKET.sub("", text).strip(_TRAILING)
    if base.endswith(tuple(naming["gates"])):
        return "名称是出入口，不是场所本身"
    if any(word in text for word in naming["closed"]):
        return "名称说明已撤并、停用或尚未建成"
    if base.startswith(tuple(naming["former"])) and not base.startswith(tuple(naming["former_not"])):
        return "名称以“原”开头，可能已撤并或改作他用"
    return ""


def _compatible(by_type: str, by_name: str, naming: Mapping[str, Any]) -> bool:
    """Whether a type and a name of different classes may both be right."""
    return by_type in naming["ownership"] or any({by_type, by_name} == set(pair) for pair in naming["akin"])


def classify_venue(venue_type: str, name: str, catalogue: VenueCatalogue | None = None) -> VenueGuess:
    """Class of a venue, the rule that decided, how sure it is, and what speaks against it.

    The type decides where it can: OpenStreetMap tags (``amenity=school``; the order of the tags counts), a Gaode type
    code, a category of Gaode, a Chinese word. Else the name: the word that ends last. Where type and name differ the
    type stands and a doubt is told, except within one family of classes (hospitals, clinics, dental shops), which the
    type confuses and the name tells apart.

    Parameters
    ----------
    venue_type : str
        What the file says about the type; tags are separated by ``;``. May be empty.
    name : str
        Name of the venue. May be empty.
    catalogue : VenueCatalogue, optional
        Whose words and codes are read; those of the package when absent.

    Returns
    -------
    VenueGuess
        ``venue_class, rule, confidence, doubt``; ``("other", "", 0.0, "")`` when nothing fits.

    Examples
    --------
    >>> classify_venue("科教文化服务;学校;中学", "")[:2]
    ('school', 'type:中学')
    >>> classify_venue("", "人民医院(公交站)")[:2]
    ('bus_stop', 'name:公交站')
    >>> classify_venue("amenity=townhall;building=yes", "Rathaus")[:2]
    ('government', 'osm:amenity=townhall')
    >>> classify_venue("学校", "城南医院").doubt
    '类型像“中小学与幼儿园”，名称像“医院”，按类型'
    """
    return _guess(venue_type, name, load_venues() if catalogue is None else catalogue)


@lru_cache(maxsize=65536)
def _guess(venue_type: str, name: str, catalogue: VenueCatalogue) -> VenueGuess:
    rules, classes = _rules(catalogue), catalogue.classes
    sure = rules.confidence
    by_type, by_name = _class_of_type(venue_type, rules), _class_of_name(name, rules)
    if by_type is not None and by_type.how == "weak" and by_name is not None:
        by_type = None
    found = by_type or by_name
    if found is None:
        return VenueGuess(OTHER, "", sure["unknown"], "")
    confidence, doubt = sure[found.how], ""
    if by_type is not None and by_name is not None and by_name.how in ("name_end", "name_inside"):
        one, two = classes[by_type.venue], classes[by_name.venue]
        if one.id == two.id:
            confidence = sure["agreed"]
        elif one.family and one.family == two.family:
            found, confidence = by_name, sure["refined"]
        elif by_name.how == "name_end" and not _compatible(one.id, two.id, rules.naming):
            confidence, doubt = sure["contradicted"], f"类型像“{one.zh}”，名称像“{two.zh}”，按类型"
    worse = _doubt_of_name(name, rules.naming)
    if worse:
        return VenueGuess(found.venue, found.rule, min(confidence, sure["doubtful"]), worse)
    return VenueGuess(found.venue, found.rule, confidence, doubt)


def department_of(text: str, catalogue: VenueCatalogue | None = None) -> str:
    """Name of a department in the table's spelling; the text itself when it is not known.

    The longest word of the table counts, of equal ones the department with more words in the text. A government of a
    town, county or city is no department and stays as written: 人民政府 is not 民政.

    >>> department_of("市教体局"), department_of("某某局")
    ('教育和体育局', '某某局')
    >>> department_of("石桥镇人民政府"), department_of("文化广电旅游体育局")
    ('石桥镇人民政府', '文化广电旅游局')
    """
    return _department(text, load_venues() if catalogue is None else catalogue)


@lru_cache(maxsize=4096)
def _department(text: str, catalogue: VenueCatalogue) -> str:
    if text in catalogue.departments:
        return catalogue.departments[text].zh
    name = text.strip()
    if name in {department.zh for department in catalogue.departments.values()}:
        return name
    bare = "" if _GOVERNMENT.search(name) else name.replace("人民政府", "")
    best, found = (0, 0, False), text
    for department in catalogue.departments.values():
        hits = {word for word in (*department.words, department.zh) if word in bare}
        rank = (max(map(len, hits), default=0), len(hits), hits != {_SPORT})
        if hits and rank > best:
            best, found = rank, department.zh
    return found


_AUTHORITY = ("局", "委", "委员会", "厅", "办公室", "通管办", "通信管理办")


def is_department(text: str, catalogue: VenueCatalogue | None = None) -> bool:
    """Whether a text names a supervising department, not an owner; the power grid's and the railway's own offices own.

    >>> is_department("市教育局"), is_department("某某教育集团"), is_department("县卫健委"), is_department("市供电局")
    (True, False, True, False)
    """
    known = load_venues() if catalogue is None else catalogue
    return text.strip().endswith(_AUTHORITY) and _department(text.strip(), known) in _names(known)


@lru_cache(maxsize=16)
def _names(catalogue: VenueCatalogue) -> frozenset[str]:
    return frozenset(entry.zh for entry in catalogue.departments.values() if not entry.enterprise)
