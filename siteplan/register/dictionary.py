"""What the tables of a register hold (``tables/register.toml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from siteplan.schema import Field, read_field
from siteplan.tables import read_table


@dataclass(frozen=True)
class RegisterField:
    """One column of a table.

    Attributes
    ----------
    name : str
    spec : Field
        Type, Chinese name, spellings, bounds, codes.
    refers : str
        Table whose ids it holds; empty for other columns.
    organisation : bool
        Names of rows of ``organisations``.
    many : bool
        Several values joined by ``|``.
    since : int
        Version of the layout that brought it.
    """

    name: str
    spec: Field
    refers: str = ""
    organisation: bool = False
    many: bool = False
    since: int = 1


@dataclass(frozen=True)
class Completion:
    """How a row tells that it is completed.

    Attributes
    ----------
    day : str
        Field with the day; it counts on this day, also where it was entered later.
    field : str
        The field that is entered with it.
    value : str
        Its value; empty: as entered.
    since : str
        Field that takes the day too; empty where there is none.
    unless : tuple of str
        Values of ``field`` by which a row has ended otherwise.
    """

    day: str
    field: str
    value: str = ""
    since: str = ""
    unless: tuple[str, ...] = ()


@dataclass(frozen=True)
class RegisterTable:
    """One table: ``zh``, the letters its ids begin with, kind of geometry (point | line | any | empty), natural key."""

    name: str
    zh: str
    prefix: str
    geometry: str
    key: str
    fields: Mapping[str, RegisterField]
    since: int = 1
    completion: Completion | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all logged columns, the geometry last."""
        return (*self.fields, "geometry") if self.geometry else tuple(self.fields)


def _read(name: str, entry: Mapping[str, Any]) -> RegisterTable:
    fields = {key: RegisterField(key, read_field(key, value), value.get("refers", ""), value.get("organisation", False),
                                 value.get("many", False), value.get("since", 1))
              for key, value in entry["fields"].items()}
    told = entry.get("completion")
    completion = None if told is None else Completion(**{**told, "unless": tuple(told.get("unless", ()))})
    return RegisterTable(name, entry["zh"], entry["prefix"], entry["geometry"], entry["key"], MappingProxyType(fields),
                         entry.get("since", 1), completion)


@cache
def register_tables() -> Mapping[str, RegisterTable]:
    """Every table of a register by its name.

    Examples
    --------
    >>> register_tables()["sites"].fields["state"].spec.zh
    '状态'
    """
    return MappingProxyType({name: _read(name, entry) for name, entry in read_table("register")["tables"].items()})


def layout_version() -> int:
    """Version of the layout that this program writes."""
    return int(read_table("register")["version"])


def word_of(table: str, field: str, code: object) -> str:
    """What planners read for a code: its first spelling; the code itself where it has none, empty for nothing.

    >>> word_of("sites", "state", "on_air"), word_of("sites", "state", None)
    ('已开通', '')
    """
    if not isinstance(code, str):
        return ""
    spellings = register_tables()[table].fields[field].spec.values.get(code)
    return spellings[0] if spellings else code
