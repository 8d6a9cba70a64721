"""Nouns of a profile: a layer as a bureau wants it, and its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FieldType = Literal["text", "int", "float", "date"]
GeometryKind = Literal["Point", "LineString", "Polygon"]
"""Kind of all geometries of a layer; the multi kind is meant as well."""


@dataclass(frozen=True)
class ProfileField:
    """One field of an exchange layer.

    Attributes
    ----------
    name : str
        Name in narrow formats (Shapefile, MapInfo): at most 10 bytes of ASCII.
    name_zh : str
        Chinese name there when Chinese names are asked for: at most 10 bytes in GBK (5 characters).
    zh : str
        Whole title: alias of File GDB, heading of workbooks, text of the dictionary.
    type : {"text", "int", "float", "date"}
    width : int
        Greatest number of bytes of a text in the encoding of narrow formats, of digits of a number (point and sign
        included).
    decimals : int
        Digits behind the point of a float; numbers are rounded to it.
    source : str
        Column of the master layer; empty where every row has ``value``.
    value : str, int, float or None
        What every row has where ``source`` is empty; what a row has whose column is empty, else.
    codes : mapping of str to str
        Word of the master -> code of the bureau; empty = as it is.
    other_codes : {"error", "keep"}
        What becomes of words that ``codes`` does not know.
    mandatory : bool
        An empty value is an error.
    over_long : {"error", "cut"}
        What becomes of a text over the width in narrow formats; a cut one ends in ``…`` and is told.
    note : str
        Further words of the dictionary.
    between : str
        What stands between entries of a list, which the master joins by ``|``; empty = as it is.
    """

    name: str
    name_zh: str
    zh: str
    type: FieldType
    width: int
    decimals: int = 0
    source: str = ""
    value: str | int | float | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    other_codes: Literal["error", "keep"] = "error"
    mandatory: bool = False
    over_long: Literal["error", "cut"] = "error"
    note: str = ""
    between: str = ""


@dataclass(frozen=True)
class Profile:
    """One exchange layer as a bureau wants it.

    Attributes
    ----------
    id : str
        Name of the profile (``sites``).
    zh : str
        Title of the layer: alias, name of a sheet.
    layer : str
        Master layer that the rows come from, a key of ``PlanLayers.layers``.
    out : str
        Name of the layer and of its files: ASCII letters, digits, ``_``.
    geometry : {"Point", "LineString", "Polygon"}
    key : str
        Name of the field that tells rows apart; its values are unique and never empty.
    fields : tuple of ProfileField
        In order; geometry comes besides.
    where : mapping of str to tuple of str
        Column of the master -> values of the rows that are taken; empty = all.
    crs : str
        CRS of the layer; empty = that of the export, else of the study.
    encoding : str
        Encoding of narrow formats.
    style : str
        Field by whose values the layer is coloured; empty = one colour.
    source : str
        Where the fields come from.
    replace : mapping of str to str
        Characters that the encoding of a narrow format may lack -> what is written there instead; asked only of texts
        that do not encode, and told.
    """

    id: str
    zh: str
    layer: str
    out: str
    geometry: GeometryKind
    key: str
    fields: tuple[ProfileField, ...]
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    crs: str = ""
    encoding: str = "UTF-8"
    style: str = ""
    source: str = ""
    replace: Mapping[str, str] = field(default_factory=dict)
