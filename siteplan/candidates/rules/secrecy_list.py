"""The list of secret units (layer ``secrecy``): which places its rows mean, sites and facilities alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from siteplan.candidates.table import text

_BLANK = re.compile(r"[^\S\n]+")
_FULL_ID = re.compile(r"[a-z]-([a-z]+):(.+)")
_FAMILY: Mapping[str, str] = {"ground": "facility", "sharing": "station"}
"""Sources whose ids are those of another source's places: roof and ground of a venue, mast and room on it."""
_BOTH_WAYS = ("name", "owner")


def _plain(words: Iterable[str]) -> list[str]:
    """Texts as the list compares them: NFKC (so brackets of either width), no case, no blanks."""
    lines = "\n".join(word.replace("\n", " ") for word in words)   # all at once: 100,000 sites are compared
    return _BLANK.sub("", unicodedata.normalize("NFKC", lines).casefold()).split("\n")


def _id_key(word: str) -> str:
    """A full site id as ``source:id``, the source being that whose ids it uses; a bare id as it stands."""
    found = _FULL_ID.fullmatch(word)
    return f"{_FAMILY.get(found[1], found[1])}:{found[2]}" if found else word


def _listed(listed: pd.DataFrame, column: str) -> pd.Series:
    """Ids or names of the list as they are compared; empty where a row has none."""
    if column not in listed:
        return pd.Series("", index=listed.index, dtype="str")
    words = _plain(text(listed[column])) if len(listed) else []
    return pd.Series([_id_key(word) for word in words] if column == "id" else words, index=listed.index, dtype="str")


def _own_ids(places: pd.DataFrame, source: str) -> tuple[pd.Series, pd.Series]:
    """Bare id, and ``source:id``, of every place."""
    bare = text(places["source_id"]) if "source_id" in places else pd.Series(places.index.astype("str"), dtype="str")
    own = pd.Series(_plain(bare), index=places.index, dtype="str")
    sources = text(places["source"]) if "source" in places else pd.Series(source, index=places.index, dtype="str")
    return own, sources.replace(dict(_FAMILY)) + ":" + own


def _hits(listed: pd.DataFrame, places: pd.DataFrame, source: str) -> tuple[np.ndarray, set[str], set[str]]:
    """Places that are meant, and the ids and names of the list that mean one."""
    where = np.zeros(len(places), dtype=bool)
    ids, names = (set(_listed(listed, column)) - {""} for column in ("id", "name"))
    if places.empty:
        return where, set(), set()
    used: dict[str, set[str]] = {"id": set(), "name": set()}
    bare, full = _own_ids(places, source)
    if ids:
        for own in (bare, full):
            hit = own.isin(ids).to_numpy(dtype=bool)
            used["id"] |= set(own[hit])
            where |= hit
        members = text(places["members"]) if "members" in places else pd.Series(dtype="str")
        ends = tuple({word.split(":", 1)[-1] for word in ids})
        for row, merged in enumerate(_plain(members) if len(members) else ()):
            if not any(end in merged for end in ends):
                continue
            own_keys, layer = [_id_key(word) for word in merged.split("|")], full.iloc[row].split(":", 1)[0]
            found = ids & {*own_keys, *(f"{layer}:{word}" for word in own_keys)}
            used["id"] |= found
            where[row] |= bool(found)
    if names:
        for column in (name for name in _BOTH_WAYS if name in places):
            own = pd.Series(_plain(text(places[column])), index=places.index, dtype="str")
            hit = own.isin(names).to_numpy(dtype=bool)
            used["name"] |= set(own[hit])
            where |= hit
    return where | full.isin(set(full[where])).to_numpy(dtype=bool), used["id"], used["name"]


def secret_sites(listed: pd.DataFrame, sites: pd.DataFrame, source: str = "facility") -> np.ndarray:
    """Places that the list of secret units means, by id, by name or by owner.

    A listed id is that of a layer (``F0461``, ``XK018``, ``LD001234``) or of a site (``V-facility:F0461``; roof and
    ground of a venue go by either). A bare id means every place that has it, whatever its layer: rather one too many
    than one too few. A place merged from several (``members``) is meant by each of their ids. A listed name is that of
    the place or of its owner; roof and ground of a venue are secret together. Everything is compared without
    blanks, case, and the width of letters and brackets.

    Parameters
    ----------
    listed : DataFrame
        Columns ``id, name``; either may be missing or empty.
    sites : DataFrame
        The sites table (``source, source_id, name, owner, members``), or a layer with its id as index and ``name``,
        ``owner`` where it has them.
    source : str
        What a layer's places are called in site ids; of no account for the sites table.

    Returns
    -------
    ndarray of bool, shape (sites,)

    Examples
    --------
    >>> places = pd.DataFrame({"name": ["粮站（东）", "小学"], "owner": ["粮食集团", "小学"]}, index=["F1", "F2"])
    >>> listed = pd.DataFrame({"id": ["G-ground:F2", ""], "name": ["", " 粮站(东) "]})
    >>> secret_sites(listed, places).tolist(), secret_sites(listed[:1], places).tolist()
    ([True, True], [False, True])
    """
    return _hits(listed, sites, source)[0]


def unmatched(listed: pd.DataFrame, places: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Rows of the list that mean none of these places: they have no effect, which has to be told.

    Parameters
    ----------
    listed : DataFrame
        As for :func:`secret_sites`.
    places : mapping of str to DataFrame
        Tables by what their places are called in site ids (facility, building ...); that name is of no account for a
        sites table.

    Returns
    -------
    DataFrame
        Those rows of ``listed``.

    Examples
    --------
    >>> listed = pd.DataFrame({"id": ["F1", "F9"], "name": ["", "某局"]})
    >>> unmatched(listed, {"facility": pd.DataFrame({"name": ["小学"]}, index=["F1"])})["id"].tolist()
    ['F9']
    """
    ids, names = set[str](), set[str]()
    for source, table in places.items():
        _, by_id, by_name = _hits(listed, table, source)
        ids, names = ids | by_id, names | by_name
    return listed[~(_listed(listed, "id").isin(ids) | _listed(listed, "name").isin(names))]
