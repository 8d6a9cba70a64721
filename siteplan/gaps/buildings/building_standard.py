"""The rule ``building_indoor`` as data: limits by kind of building, the words for kinds, what rooms must be like."""

from __future__ import annotations

import datetime as dt
from functools import cache, lru_cache
from typing import Literal, NamedTuple

import pandas as pd
from pydantic import Field, model_validator

from siteplan.params import Settings
from siteplan.tables import read_table
from siteplan.venues import classify_venue

Strength = Literal["must", "should"]
UNDERGROUND = "underground"
"""The kind that comes on top of what else a building is."""


class DutyEntry(Settings):
    """One item of the standard: from which value on a kind of building must or should be equipped."""

    id: str
    duty: Strength
    clause: str
    zh: str
    measure: Literal["floor_area_m2", "seats", "storeys", "need", "always"]
    minimum: float = Field(ge=0, description="m2 of floor area, seats or storeys of one building")
    kinds: tuple[str, ...] = Field(min_length=1, description="kinds of buildings it holds for")
    arguable: tuple[str, ...] = Field((), description="kinds that it may be read to hold for; told, not decided")


class UseEntry(Settings):
    """What a word, a normalised use or a class of venues says about the kind of a building."""

    id: str
    zh: str = Field("", description="name; the names of the kinds when absent")
    kinds: tuple[str, ...] = Field(min_length=1, description="the building is one of these")
    codes: tuple[str, ...] = Field((), description="normalised uses of the buildings layer")
    words: tuple[str, ...] = ()
    venues: tuple[str, ...] = Field((), description="classes of tables/venues.toml")
    broad: bool = Field(False, description="a name or a facility on the building may tell more")


class StandardLimits(Settings):
    """Editable defaults of the package, unverified: the standard does not speak of them."""

    doubt_share: float = Field(ge=0, lt=1, description="an estimate so near to a limit is doubtful")
    most_storeys: float = Field(ge=1, description="a building of unknown storeys has 1 to so many")
    name_confidence: float = Field(ge=0, le=1, description="a name or venue that is less sure says nothing")
    room_zh: str
    filing_zh: str
    filing_source: str


class RoomCondition(Settings):
    """One condition for a room of mobile equipment."""

    id: str
    zh: str
    strength: Strength
    clause: str
    value: float | None = None
    unit: str = ""


class BuildingStandard(Settings):
    """The whole table ``building_duty.toml``."""

    id: str
    zh: str
    standard: str
    in_force: dt.date
    source: str
    note_zh: str
    broad_without: str
    limits: StandardLimits
    duties: tuple[DutyEntry, ...]
    kinds: dict[str, str]
    uses: tuple[UseEntry, ...]
    filing: dict[str, tuple[str, ...]]
    rooms: tuple[RoomCondition, ...]

    @model_validator(mode="after")
    def _kinds_are_known(self) -> BuildingStandard:
        named = {kind for duty in self.duties for kind in (*duty.kinds, *duty.arguable)} | {self.broad_without}
        named |= {kind for use in self.uses for kind in use.kinds}
        if named - set(self.kinds):
            raise ValueError(f"kinds {sorted(named - set(self.kinds))} have no name in [kinds]")
        return self

    def entries(self, kind: str) -> tuple[DutyEntry, ...]:
        """Items of the standard that hold for a kind."""
        return tuple(entry for entry in self.duties if kind in entry.kinds)


class KindsOfUse(NamedTuple):
    """What a building may be.

    Attributes
    ----------
    kinds : tuple of str
        The building is one of these, it is not known which; keys of ``[kinds]``.
    underground : bool
        It lies below the ground as well.
    zh : str
        What to call it.
    broad : bool
        A name or a facility may tell more.
    """

    kinds: tuple[str, ...]
    underground: bool
    zh: str
    broad: bool


@cache
def load_building_standard() -> BuildingStandard:
    """The standard shipped with the package.

    Examples
    --------
    >>> standard = load_building_standard()
    >>> [(entry.clause, entry.minimum) for entry in standard.entries("sports")]
    [('第3.0.3条第2款', 3000.0)]
    """
    data = dict(read_table("building_duty"))
    for name in ("duties", "uses", "rooms"):
        data[name] = tuple({"id": key, **entry} for key, entry in data[name].items())
    return BuildingStandard.model_validate(data)


def room_conditions() -> pd.DataFrame:
    """What rooms for mobile equipment in a building have to be like.

    Returns
    -------
    DataFrame
        Index ``item``; ``condition`` (Chinese), ``strength`` (应 | 宜), ``clause``, ``value``, ``unit`` (NaN and empty
        where the condition is no number).

    Examples
    --------
    >>> room_conditions().loc["clear_height", "strength"], float(room_conditions().loc["clear_height", "value"])
    ('应', 2.8)
    """
    standard = load_building_standard()
    rows = [{"item": room.id, "condition": room.zh, "strength": "应" if room.strength == "must" else "宜",
             "clause": f"{standard.standard} {room.clause}", "value": room.value, "unit": room.unit}
            for room in standard.rooms]
    return pd.DataFrame(rows).set_index("item").astype({"value": "float64"})


@cache
def _by_word() -> tuple[tuple[str, UseEntry], ...]:
    pairs = [(word.casefold(), entry) for entry in load_building_standard().uses for word in entry.words]
    return tuple(sorted(pairs, key=lambda pair: (-len(pair[0]), pair[0])))


def _named(entries: list[UseEntry]) -> KindsOfUse:
    standard = load_building_standard()
    kinds = tuple(dict.fromkeys(kind for entry in entries for kind in entry.kinds if kind != UNDERGROUND))
    words = [entry.zh or "或".join(standard.kinds[kind] for kind in entry.kinds) for entry in entries]
    return KindsOfUse(kinds, any(UNDERGROUND in entry.kinds for entry in entries), "、".join(dict.fromkeys(words)),
                      any(entry.broad for entry in entries))


@lru_cache(maxsize=8192)
def kinds_of_use(use: str) -> KindsOfUse:
    """Kinds of building that the text of a use speaks for.

    A normalised use of the buildings layer is taken by its code, any other text by the words in it: a longer word
    hides the shorter ones inside it, and a broad word (公共, 综合) says nothing beside a plain one. What holds no known
    word may be anything.

    Parameters
    ----------
    use : str
        Empty when not given.

    Returns
    -------
    KindsOfUse

    Examples
    --------
    >>> kinds_of_use("综合医院").kinds, kinds_of_use("商住楼").kinds, kinds_of_use("地下商业街").underground
    (('health',), ('housing', 'commerce'), True)
    >>> kinds_of_use("public").broad, kinds_of_use("").zh
    (True, '用途不详')
    """
    uses = load_building_standard().uses
    plain = use.strip().casefold()
    by_code = [entry for entry in uses if plain in entry.codes]
    if by_code:
        return _named(by_code)
    free = list(plain)
    found: list[tuple[int, UseEntry]] = []
    for word, entry in _by_word():
        start = plain.find(word)
        while start >= 0:
            if any(free[start:start + len(word)]):
                found.append((start, entry))
                free[start:start + len(word)] = [""] * len(word)
            start = plain.find(word, start + 1)
    entries = [entry for _, entry in sorted(found, key=lambda pair: pair[0])]
    told = [entry for entry in entries if not entry.broad] or entries
    if all(entry.kinds == (UNDERGROUND,) for entry in told) and len(told) < len(entries):
        told = entries
    return _named(told or [entry for entry in uses if entry.id == "unknown"])


@cache
def _by_venue() -> dict[str, UseEntry]:
    return {venue: entry for entry in load_building_standard().uses for venue in entry.venues if not entry.broad}


def kinds_of_venue(venue_class: str, how: str) -> KindsOfUse | None:
    """Kinds of building that a class of venues speaks for; None where the class says nothing.

    >>> kinds_of_venue("school", "名称").zh
    '教育(按名称)'
    >>> kinds_of_venue("pole", "名称") is None
    True
    """
    entry = _by_venue().get(venue_class)
    if entry is None:
        return None
    named = _named([entry])
    return named._replace(zh=f"{named.zh}(按{how})")


@lru_cache(maxsize=65536)
def kinds_of_name(name: str) -> KindsOfUse | None:
    """Kinds of building that a name speaks for; None where it says nothing, or not surely enough.

    >>> kinds_of_name("溪西县人民医院").kinds
    ('health',)
    >>> kinds_of_name("12号楼") is None
    True
    """
    guess = classify_venue("", name) if name else None
    if guess is None or guess.confidence < load_building_standard().limits.name_confidence:
        return None
    return kinds_of_venue(guess.venue_class, "名称")
