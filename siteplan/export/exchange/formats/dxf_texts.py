"""Texts of a drawing (DXF R2000, GBK): labels, notes, names of CAD layers, extended data; see :mod:`.dxf`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from siteplan.export.exchange.formats.words import encodes
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import ProfileField

APP = "SITEPLAN"
"""Name of the extended data."""
SYMBOL_M = 20.0
"""Radius of symbols, m: 2 mm on a sheet of 1:10,000."""
_CHUNK = 240
"""Bytes of one string of extended data (DXF allows 255)."""
LABEL_LETTERS = 60
"""Letters of a label; the whole text is in the extended data."""
NOTES = "图纸说明"
"""CAD layer of the notes; no other layer gets its name."""
_FORBIDDEN = re.compile(r"""[<>/\\":;?*|=',`\x00-\x1f\x7f]""")


def label_text(text: str) -> str:
    r"""Text of a label: one line, letters that GBK lacks in the notation of CAD, codes of CAD without effect.

    Source: AutoCAD's ``\U+XXXX``; measured: GDAL reads it in MTEXT, halves of a pair break its UTF-8.

    >>> label_text("䶮村"), label_text("𬭎站"), label_text("a\nb"), label_text(r"C:\U+4E00 50%%d")
    ('\\U+4DAE村', '〔U+2CB4E〕站', 'a b', 'C:\\U+005CU+4E00 50%\\U+0025d')
    """
    text = " ".join(text.split())
    short = text if len(text) <= LABEL_LETTERS else text[:LABEL_LETTERS - 1] + "…"
    return "".join(_letter(letter, before) for before, letter in zip(" " + short, short, strict=False))


def _letter(letter: str, before: str) -> str:
    code = ord(letter)
    if letter in "\\{}^" or (letter == "%" and before == "%"):
        return f"\\U+{code:04X}"
    if code < 32 or code == 127 or code > 0xFFFF or 0xD800 <= code <= 0xDFFF:
        return f"〔U+{code:04X}〕"
    return letter if encodes(letter, "gbk") else f"\\U+{code:04X}"


def layer_names(titles: Sequence[str]) -> dict[str, str]:
    """Titles -> names of CAD layers: what DXF forbids becomes ``_``, letters outside GBK their number; none twice.

    >>> layer_names(["行政村", "站址:宏|微", "站址_宏_微"])
    {'行政村': '行政村', '站址:宏|微': '站址_宏_微', '站址_宏_微': '站址_宏_微_2'}
    """
    names: dict[str, str] = {}
    taken = {"", "0", "defpoints", NOTES}
    for title in dict.fromkeys(titles):
        plain = "".join(letter if encodes(letter, "gbk") else f"U{ord(letter):04X}"
                        for letter in _FORBIDDEN.sub("_", title))
        plain = plain.strip()[:60] or "图层"
        name, number = plain, 2
        while name.casefold() in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(name.casefold())
        names[title] = name
    return names


def label_note(line: str) -> str:
    """A line of the notes: as a label, but of any length.

    >>> label_note("行政村 36 个")
    '行政村 36 个'
    """
    return "".join(_letter(letter, before) for before, letter in zip(" " + line, line, strict=False))


def field_strings(name: str, value: Any) -> Iterator[str]:
    """One field as strings of extended data; see the head of this module."""
    code = json.dumps(value, ensure_ascii=False).replace("\\\\", "\\u005c")
    code = "".join(letter if encodes(letter, "gbk") and letter != "\x7f" else
                   json.dumps(letter)[1:-1] for letter in code)
    line, size = "", 0
    for letter in f"{name}={code}":
        width = len(letter.encode("gbk"))
        if size + width > _CHUNK:
            yield line
            line, size = "+", 1
        line, size = line + letter, size + width
    yield line


def field_values(strings: Sequence[str]) -> dict[str, Any]:
    """Fields of an entity from the strings of its extended data."""
    whole: list[str] = []
    for text in strings:
        if text.startswith("+"):
            whole[-1] += text[1:]
        else:
            whole.append(text)
    return {name: json.loads(code) for name, _, code in (text.partition("=") for text in whole)}


def of_source(layer: OutLayer, source: str) -> ProfileField | None:
    """The field that holds a column of the master."""
    return next((field for field in layer.profile.fields if field.source == source), None)


def shown_fields(layer: OutLayer) -> list[str]:
    """Fields that are attributes of a block: key, name, height."""
    fields = (of_source(layer, "name"), of_source(layer, "antenna_height_m"))
    return list(dict.fromkeys([layer.profile.key, *(field.name for field in fields if field is not None)]))


def label_place(layer: OutLayer, middle: Sequence[float]) -> tuple[float, float]:
    """Where the label of a row stands: beside the symbol of a point, else on a place inside."""
    return middle[0] + (1.5 * SYMBOL_M if layer.profile.geometry == "Point" else 0.0), middle[1]


def attribute_text(value: Any) -> str:
    """Text of an attribute of a block; an empty one where there is no value."""
    return "" if value is None else label_text(str(value))
