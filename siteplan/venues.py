"""Venue classes, departments and tiers as data (``tables/venues.toml``), and the rule that classes a venue."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from siteplan.tables import read_table

OTHER = "other"
"""The class of a venue that no rule fits."""
_CODE = re.compile(r"\d{4,6}")
_OSM_TAG = re.compile(r"[a-z_:]+=[^;]+")
_BRACKET = re.compile(r"\(([^()]*)\)")
_COMPANY = re.compile(r"(?:股份)?(?:有限)?(?:责任)?公司.*$")
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
class VenueClass:
    """One class of venues; see the head of ``tables/venues.toml`` for the meaning of the fields."""

    id: str
    zh: str
    words: tuple[str, ...]
    osm: tuple[str, ...]
    gaode: tuple[str, ...]
    must_open: bool
    must_be_free: bool
    department: str
    tier: int
    mount: str
    default_roof_height_m: float
    takes_site: bool = True
    types: tuple[str, ...] = ()
    family: str = ""


@dataclass(frozen=True)
class Department:
    """A supervising department: ``in_group`` = one of the 15 members of the coordination group."""

    code: str
    zh: str
    in_group: bool
    words: tuple[str, ...]


@dataclass(frozen=True)
class Tier:
    """A rank of preference; ``preference`` multiplies the gain of a candidate (editable default)."""

    number: int
    zh: str
    preference: float


@dataclass(frozen=True)
class VenueCatalogue:
    """The whole table: ``classes`` and ``departments`` by id, ``tiers`` by number.

    ``building_use`` gives the class of a building by its normalised use.
    """

    classes: Mapping[str, VenueClass]
    departments: Mapping[str, Department]
    tiers: Mapping[int, Tier]
    building_use: Mapping[str, str]

    def department_name(self, class_id: str) -> str:
        """Chinese name of the department that answers for a class."""
        return self.departments[self.classes[class_id].department].zh


@lru_cache(maxsize=1)
def load_venues() -> VenueCatalogue:
    """Read the venue table shipped with the package.

    Returns
    -------
    VenueCatalogue

    Examples
    --------
    >>> venues = load_venues()
    >>> venues.classes["school"].must_open, venues.classes["school"].must_be_free
    (True, False)
    >>> venues.department_name("school"), venues.tiers[1].zh
    ('教育和体育局', '免费开放公共场所')
    """
    data = read_table("venues")
    classes = {key: VenueClass(
        id=key, zh=entry["zh"], words=tuple(entry["words"]), osm=tuple(entry["osm"]), gaode=tuple(entry["gaode"]),
        must_open=entry["must_open"], must_be_free=entry["must_be_free"], department=entry["department"],
        tier=entry["tier"], mount=entry["mount"], default_roof_height_m=float(entry["default_roof_height_m"]),
        takes_site=entry.get("takes_site", True), types=tuple(entry.get("types", ())), family=entry.get("family", ""))
        for key, entry in data["classes"].items()}
    departments = {key: Department(key, entry["zh"], entry["in_group"], tuple(entry["words"]))
                   for key, entry in data["departments"].items()}
    tiers = {int(key): Tier(int(key), entry["zh"], float(entry["preference"])) for key, entry in data["tiers"].items()}
    return VenueCatalogue(MappingProxyType(classes), MappingProxyType(departments), MappingProxyType(tiers),
                          MappingProxyType(dict(data["building_use"])))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


@dataclass(frozen=True)
class _Rules:
    osm: Mapping[str, str]
    gaode: Sequence[tuple[str, str]]
    types: Mapping[str, str]
    words: Mapping[str, Sequence[tuple[int, str, str]]]
    """First letter -> (number, word, class), numbered in the order of the table."""
    naming: Mapping[str, Any]
    confidence: Mapping[str, float]


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    data = read_table("venues")
    classes = list(load_venues().classes.values())
    words: dict[str, list[tuple[int, str, str]]] = {}
    every = [(_plain(word), venue.id) for venue in classes for word in venue.words]
    for number, (word, name) in enumerate(every):
        words.setdefault(word[0], []).append((number, word, name))
    return _Rules(
        osm={tag: venue.id for venue in reversed(classes) for tag in venue.osm},
        gaode=sorted(((code, venue.id) for venue in classes for code in venue.gaode), key=lambda pair: -len(pair[0])),
        types={_plain(word): venue.id for venue in classes for word in venue.types},
        words=MappingProxyType(words),
        naming=MappingProxyType(data["naming"]), confidence=MappingProxyType(data["confidence"]))


def _last_word(plain: str) -> tuple[int, str, str] | None:
    """Where the word ends that ends last in the text (the longer on a tie), the word, its class.

    Words of the list ``weak`` count only where there is no other; words that are part of a place name do not count.
    """
    rules = _rules()
    hits = []
    for _, word, venue in sorted(entry for letter in set(plain) for entry in rules.words.get(letter, ())):
        start = plain.rfind(word)
        while start >= 0 and plain[start + len(word):start + len(word) + 1] in rules.naming["roads"] and (
                start + len(word) < len(plain)):
            start = plain.rfind(word, 0, start + len(word) - 1)
        if start >= 0:
            hits.append((word not in rules.naming["weak"], start + len(word), len(word), word, venue))
    if not hits:
        return None
    best = max(hits, key=lambda hit: hit[:3])
    return best[1], best[3], best[4]


def _hit(plain: str) -> _Hit | None:
    found = _last_word(plain)
    if found is None:
        return None
    end, word, venue = found
    company = _COMPANY.search(plain)
    if company and end <= company.start() and end < len(plain):
        if end < company.start():
            return _Hit("office", "name:公司", "name_end")
        return _Hit(venue, f"name:{word}", "name_inside")
    if word in _rules().naming["weak"]:
        return _Hit(venue, f"name:{word}", "weak")
    return _Hit(venue, f"name:{word}", "name_end" if end == len(plain) else "name_inside")


def _class_of_name(name: str) -> _Hit | None:
    """Class that a name speaks for; what stands in brackets counts last, but for stops and car parks."""
    plain = _plain(name)
    inside = _BRACKET.findall(plain)
    base = _BRACKET.sub("", plain).strip(_TRAILING)
    for text in inside:
        if text.endswith(tuple(_rules().naming["brackets"])):
            return _hit(text)
    found = _hit(base)
    if found is not None:
        return found
    for text in inside:
        found = _hit(text.strip(_TRAILING))
        if found is not None:
            return _Hit(found.venue, found.rule, "weak" if found.how == "weak" else "name_inside")
    return None


def _class_of_type(venue_type: str) -> _Hit | None:
    """Class that the type speaks for: tags, a code, whole categories, words."""
    rules = _rules()
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
            if _plain(part).strip() in rules.types:
                return _Hit(rules.types[_plain(part).strip()], f"type:{part.strip()}", "type")
    found = _last_word(_plain(venue_type))
    return None if found is None else _Hit(found[2], f"type:{found[1]}", "type")


def _doubt_of_name(name: str) -> str:
    """What a name says against a venue being one that can be used."""
    plain, naming = _plain(name), _rules().naming
    base = _BRACKET.sub("", plain).strip(_TRAILING)
    if base.endswith(tuple(naming["gates"])):
        return "名称是出入口，不是场所本身"
    if any(word in plain for word in naming["closed"]):
        return "名称说明已撤并、停用或尚未建成"
    if base.startswith(tuple(naming["former"])) and not base.startswith(tuple(naming["former_not"])):
        return "名称以“原”开头，可能已撤并或改作他用"
    return ""


def _compatible(by_type: str, by_name: str) -> bool:
    """Whether a type and a name of different classes may both be right."""
    naming = _rules().naming
    return by_type in naming["ownership"] or any({by_type, by_name} == set(pair) for pair in naming["akin"])


@lru_cache(maxsize=65536)
def classify_venue(venue_type: str, name: str) -> VenueGuess:
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

    Returns
    -------
    VenueGuess
        ``venue_class, rule, confidence, doubt``; ``("other", "", 0.0, "")`` when nothing fits.

    Examples
    --------
    >>> classify_venue("科教文化服务;学校;中学", "")[:2]
    ('school', 'type:中学')
    >>> classify_venue("", "人民医院(公交站)")[:2]
    ('municipal', 'name:公交站')
    >>> classify_venue("amenity=townhall;building=yes", "Rathaus")[:2]
    ('government', 'osm:amenity=townhall')
    >>> classify_venue("学校", "城南医院").doubt
    '类型像“中小学与幼儿园”，名称像“医院”，按类型'
    """
    sure, classes = _rules().confidence, load_venues().classes
    by_type, by_name = _class_of_type(venue_type), _class_of_name(name)
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
        elif by_name.how == "name_end" and not _compatible(one.id, two.id):
            confidence, doubt = sure["contradicted"], f"类型像“{one.zh}”，名称像“{two.zh}”，按类型"
    worse = _doubt_of_name(name)
    if worse:
        return VenueGuess(found.venue, found.rule, min(confidence, sure["doubtful"]), worse)
    return VenueGuess(found.venue, found.rule, confidence, doubt)


@lru_cache(maxsize=4096)
def department_of(text: str) -> str:
    """Name of a department in the table's spelling; the text itself when it is not known.

    >>> department_of("市教体局"), department_of("某某局")
    ('教育和体育局', '某某局')
    """
    best = [(len(word), department.zh) for department in load_venues().departments.values()
            for word in (*department.words, department.zh) if word in text]
    if text in load_venues().departments:
        return load_venues().departments[text].zh
    return max(best, key=lambda pair: pair[0])[1] if best else text


_AUTHORITY = ("局", "委", "委员会", "厅", "办公室", "通管办", "通信管理办")


@lru_cache(maxsize=4096)
def is_department(text: str) -> bool:
    """Whether a text names a supervising department, not an owner.

    >>> is_department("市教育局"), is_department("某某教育集团"), is_department("县卫健委")
    (True, False, True)
    """
    known = {department.zh for department in load_venues().departments.values()}
    return text.strip().endswith(_AUTHORITY) and department_of(text.strip()) in known
