"""What a venue class, a department, a tier and the whole catalogue are."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints

Word = Annotated[str, StringConstraints(min_length=1)]
OsmTag = Annotated[str, StringConstraints(pattern=r"^[a-z_:]+=[^;=]+$")]
GaodeCode = Annotated[str, StringConstraints(pattern=r"^\d{2,6}$")]
Opens = Literal["roof", "ground", "pole", "room"]


class Entry(BaseModel):
    """An entry of the venue table: frozen, no unknown field."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class VenueClass(Entry):
    """One class of venues; see the head of ``tables/venues.toml`` for the meaning of the fields.

    ``source_open`` and ``source_free`` say on what ``must_open`` and ``must_be_free`` rest: two duties, two sources.
    ``opens`` are the places that a venue of the class usually opens, ``cost_model`` is a key of ``tables/costs.toml``.
    """

    id: str
    zh: str = Field(min_length=1)
    examples: tuple[Word, ...] = ()
    words: tuple[Word, ...] = ()
    types: tuple[Word, ...] = ()
    osm: tuple[OsmTag, ...] = ()
    gaode: tuple[GaodeCode, ...] = ()
    family: str = ""
    must_open: StrictBool
    must_be_free: StrictBool
    source_open: str = Field(min_length=1)
    source_free: str = Field(min_length=1)
    department: str
    tier: StrictInt
    mount: Literal["roof", "ground", "pole"]
    default_roof_height_m: float = Field(ge=0, le=200)
    cost_model: str
    opens: tuple[Opens, ...] = Field(min_length=1)
    indoor: StrictBool
    takes_site: StrictBool = True
    why_not: str = ""


class Department(Entry):
    """A supervising department: ``in_group`` = one of the 15 members of the coordination group.

    ``source`` says where it comes from, ``note`` why one outside the group is needed all the same. ``enterprise``: an
    owner that has to be asked where no department of the city can (power grid, railway).
    """

    code: str
    zh: str = Field(min_length=1)
    in_group: StrictBool = False
    words: tuple[Word, ...] = ()
    source: str = Field(min_length=1)
    note: str = ""
    enterprise: StrictBool = False


class Tier(Entry):
    """A rank of preference; ``preference`` multiplies the gain of a candidate (editable default)."""

    number: StrictInt = Field(ge=1, le=99)
    zh: str = Field(min_length=1)
    preference: float = Field(gt=0, le=10)


@dataclass(frozen=True, eq=False)
class VenueCatalogue:
    """The whole table under one profile of duties: ``classes`` and ``departments`` by id, ``tiers`` by number.

    A catalogue is compared by identity, so that what is read with it can be kept (``classify_venue``).

    Attributes
    ----------
    classes : mapping of str to VenueClass
    departments : mapping of str to Department
    tiers : mapping of int to Tier
    building_use : mapping of str to str
        Class of a building that is no listed facility, by its normalised use.
    profile, profile_zh, source : str
        Id, name and source of the profile of duties.
    banned_fees : tuple of str
        Fees that the profile's papers forbid by name.
    """

    classes: Mapping[str, VenueClass]
    departments: Mapping[str, Department]
    tiers: Mapping[int, Tier]
    building_use: Mapping[str, str]
    profile: str = "national"
    profile_zh: str = ""
    source: str = ""
    banned_fees: tuple[str, ...] = ()

    def department_name(self, class_id: str) -> str:
        """Chinese name of the department that answers for a class."""
        return self.departments[self.classes[class_id].department].zh


def plain(text: str) -> str:
    """A text as words are looked for in it: full-width forms and case do not count."""
    return unicodedata.normalize("NFKC", text).casefold()
