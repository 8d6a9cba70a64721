"""Operators of a study: who has 5G, who is wanted at new sites, whom a text names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import pandas as pd

from siteplan.candidates.context import CandidateContext
from siteplan.schema import normalise_word
from siteplan.tables import read_table

EVERY = "*"
UNKNOWN = "未注明"
"""Network that the stations layer gives to sectors of which nothing tells the operator; it is nobody's name."""
_SPLIT = re.compile(r"[&+、,，;；/|]|和|与")
_RADIO_WORD = re.compile(r"(?:[2-5]g|nr|lte|fdd|tdd|nsa|sa|gsm|w?cdma|umts|n\d{1,3}|b(?:and)?\d{1,2}|\d+[gm](?:hz)?|"
                         r"[a-z]频段|c波段|频段|频率|制式|网络|网)+")
"""A technology, a band or both, spelled as ``normalise_word`` does; the study leaves them out too."""


def split_operators(network: str) -> tuple[str, ...]:
    """Operators of a network of the stations layer: a shared RAN has several.

    >>> split_operators("电信&联通"), split_operators("未注明"), split_operators("")
    (('电信', '联通'), (), ())
    """
    return tuple(name for name in network.replace("|", "&").split("&") if name and name != UNKNOWN)


def listed(names: str) -> str:
    """Names joined by ``|`` as they are read.

    >>> listed("电信|联通"), listed("")
    ('电信、联通', '无')
    """
    return names.replace("|", "、") or "无"


def only_words(networks: str, wanted: Sequence[str]) -> str:
    """What the evidence of a site says that does not serve all operators of the study; else empty.

    >>> only_words("移动", ("移动", "电信")), only_words("移动|电信", ("移动", "电信")), only_words("*", ("移动",))
    (';仅服务移动', '', '')
    """
    return "" if networks == EVERY or set(wanted) <= set(networks.split("|")) else f";仅服务{listed(networks)}"


def operators_with_5g(stations: pd.DataFrame) -> tuple[str, ...]:
    """Operators of the 5G stations, those on more masts first, then by name."""
    five = stations[(stations["technology"] == "5G").to_numpy()]
    pairs = five[["source_site", "network"]].drop_duplicates()
    names = pairs["network"].astype("str").map(split_operators).explode().dropna()
    count = names.value_counts()
    return tuple(sorted(count.index, key=lambda name: (-int(count[name]), name)))


@lru_cache(maxsize=4096)
def operators_named(text: str, known: Sequence[str] = ()) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Operators that a text names, sorted, and its words that are no known operator.

    Parameters
    ----------
    text : str
        One or several operators in any spelling of ``tables/band_words.toml``.
    known : tuple of str
        Further operators, as the stations name them.

    Returns
    -------
    tuple of (tuple of str, tuple of str)

    Examples
    --------
    >>> operators_named("中国联通、CTCC"), operators_named("Salt/某公司", ("Salt",))
    ((('电信', '联通'), ()), (('Salt',), ('某公司',)))
    """
    table = read_table("band_words")["operators"]
    spelled = {normalise_word(word): name for name, words in table.items() for word in (name, *words)}
    spelled |= {normalise_word(name): name for name in known}
    named, strange = set(), []
    for part in (part.strip() for part in _SPLIT.split(text)):
        inside = [name for name, words in table.items() if any(word in part for word in words[:2])]
        found = [spelled[normalise_word(part)]] if normalise_word(part) in spelled else inside
        named.update(found)
        if part and not found:
            strange.append(part)
    return tuple(sorted(named)), tuple(strange)


def wanted_operators(context: CandidateContext) -> tuple[str, ...]:
    """Operators that new sites shall serve: those of ``candidates.serves``, ``*`` = all with 5G stations.

    Those on more masts come first, then the names that only the setting knows. A technology or a band is nobody's name.
    """
    there = operators_with_5g(context.tables["stations"])
    named = [part for text in context.params.serves for part in (
        (EVERY,) if text.strip() == EVERY else _as_named(text, there))]
    if EVERY in named or not named:
        return tuple(dict.fromkeys([*there, *(name for name in named if name != EVERY)]))
    return tuple(dict.fromkeys([*(name for name in there if name in named), *named]))


def _as_named(text: str, there: tuple[str, ...]) -> tuple[str, ...]:
    """Operators of one entry of ``candidates.serves``; another name is that of a new network, as in the study."""
    named, strange = operators_named(text, there)
    return (*named, *(word for word in strange if not _RADIO_WORD.fullmatch(normalise_word(word))))
