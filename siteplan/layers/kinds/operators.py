"""Operators as cell tables and study files spell them; words that are a technology or a band are none."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from siteplan.layers.kinds.band_table import load_bands
from siteplan.schema import normalise_word

_SPLIT = re.compile(r"[&+、,，;；/|]|和|与")
_RADIO_WORD = re.compile(
    r"(?:[2-5]g|nr|lte|fdd|tdd|nsa|sa|gsm|w?cdma|umts|n\d{1,3}|b(?:and)?\d{1,2}|\d+(?:\.\d+)?[gm](?:hz)?|[a-z]频段|"
    r"c-?band|c波段|频段|频率|制式|网络|网|[()\[\]_-])+")
"""A technology, a band or both, without blanks, in small letters."""


def _is_radio_word(part: str) -> bool:
    return _RADIO_WORD.fullmatch("".join(unicodedata.normalize("NFKC", part).casefold().split())) is not None


def _operators_of(part: str) -> list[str]:
    """Canonical operators that a part of a cell names; none where it is a technology or a band."""
    names = load_bands()["operators"]
    word = normalise_word(part)
    exact = [name for name, words in names.items() if word in {normalise_word(spelling) for spelling in words}]
    inside = [name for name, words in names.items() if any(spelling in part for spelling in words[:2])]
    return exact or inside or ([part.strip()] if word and not _is_radio_word(part) else [])


@lru_cache(maxsize=4096)
def network_of(operators: str) -> str:
    """Canonical operators, sorted, joined by ``&`` (several = one shared network); empty where none is named.

    >>> network_of("中国联通、电信"), network_of("CMCC"), network_of("Swisscom"), network_of("5G NR")
    ('电信&联通', '移动', 'Swisscom', '')
    """
    return "&".join(sorted({name for part in _SPLIT.split(operators) for name in _operators_of(part)}))


@lru_cache(maxsize=4096)
def radio_words_of(operators: str) -> tuple[str, ...]:
    """Parts of a cell of operators that are a technology or a band.

    >>> radio_words_of("移动/5G"), radio_words_of("n78"), radio_words_of("中国移动5G"), radio_words_of("Salt")
    (('5G',), ('n78',), (), ())
    """
    return tuple(part.strip() for part in _SPLIT.split(operators)
                 if normalise_word(part) and not _operators_of(part))


def operator_spellings() -> dict[str, str]:
    """Spellings of the operators that are long enough to be told from a slip of the keys -> canonical name.

    >>> operator_spellings()["中国电信"], "dx" in operator_spellings()
    ('电信', False)
    """
    return {word: name for name, words in load_bands()["operators"].items() for word in (name, *words)
            if len(word) > 2 or not word.isascii()}
