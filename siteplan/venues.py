"""Venue classes, departments and tiers as data (``tables/venues.toml``), and the rule that classes a venue."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

OTHER = "other"
"""The class of a venue that no rule fits."""
_CODE = re.compile(r"\d{4,6}")
_OSM_TAG = re.compile(r"[a-z_:]+=[^;]+")


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
    data = tomllib.loads(files("siteplan").joinpath("tables/venues.toml").read_text(encoding="utf-8"))
    classes = {key: VenueClass(
        id=key, zh=entry["zh"], words=tuple(entry["words"]), osm=tuple(entry["osm"]), gaode=tuple(entry["gaode"]),
        must_open=entry["must_open"], must_be_free=entry["must_be_free"], department=entry["department"],
        tier=entry["tier"], mount=entry["mount"], default_roof_height_m=float(entry["default_roof_height_m"]),
        takes_site=entry.get("takes_site", True))
        for key, entry in data["classes"].items()}
    departments = {key: Department(key, entry["zh"], entry["in_group"], tuple(entry["words"]))
                   for key, entry in data["departments"].items()}
    tiers = {int(key): Tier(int(key), entry["zh"], float(entry["preference"])) for key, entry in data["tiers"].items()}
    return VenueCatalogue(MappingProxyType(classes), MappingProxyType(departments), MappingProxyType(tiers),
                          MappingProxyType(dict(data["building_use"])))


@lru_cache(maxsize=1)
def _rules() -> tuple[dict[str, str], list[tuple[str, str]], list[tuple[str, str]]]:
    classes = load_venues().classes.values()
    osm = {tag: venue.id for venue in reversed(list(classes)) for tag in venue.osm}
    gaode = sorted(((code, venue.id) for venue in classes for code in venue.gaode), key=lambda pair: -len(pair[0]))
    words = [(word.casefold(), venue.id) for venue in classes for word in venue.words]
    return osm, gaode, words


def _last_word(text: str) -> tuple[str, str] | None:
    """The word that ends last in the text (the longer on a tie), with its class."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    hits = [(plain.rfind(word) + len(word), len(word), word, venue) for word, venue in _rules()[2] if word in plain]
    if not hits:
        return None
    best = max(hits, key=lambda hit: hit[:2])
    return best[2], best[3]


@lru_cache(maxsize=65536)
def classify_venue(venue_type: str, name: str) -> tuple[str, str]:
    """Class of a venue, and the rule that decided.

    Tried in order: OpenStreetMap tags in the type (``amenity=school``; the order of the tags counts), a Gaode type
    code, a Chinese word in the type, a Chinese word in the name.

    Parameters
    ----------
    venue_type : str
        What the file says about the type; tags are separated by ``;``. May be empty.
    name : str
        Name of the venue. May be empty.

    Returns
    -------
    class_id, rule : str
        ``("other", "")`` when nothing fits.

    Examples
    --------
    >>> classify_venue("科教文化服务;学校;中学", "")
    ('school', 'type:中学')
    >>> classify_venue("", "人民医院(公交站)")
    ('municipal', 'name:公交站')
    >>> classify_venue("amenity=townhall;building=yes", "Rathaus")
    ('government', 'osm:amenity=townhall')
    """
    osm, gaode, _ = _rules()
    tags = _OSM_TAG.findall(venue_type)
    for tag in tags:
        for key in (tag, f"{tag.split('=', 1)[0]}=*", f"amenity={tag.split('=', 1)[1]}"):
            if key in osm:
                return osm[key], f"osm:{tag}"
    if not tags and venue_type.strip() and f"amenity={venue_type.strip()}" in osm:
        return osm[f"amenity={venue_type.strip()}"], f"osm:amenity={venue_type.strip()}"
    for code in _CODE.findall(venue_type):
        for prefix, venue in gaode:
            if code.startswith(prefix):
                return venue, f"gaode:{prefix}"
    for source, text in (("type", "" if tags else venue_type), ("name", name)):
        hit = _last_word(text)
        if hit is not None:
            return hit[1], f"{source}:{hit[0]}"
    return OTHER, ""


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
