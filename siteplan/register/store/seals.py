"""Seals: digests of rows and events as the toolkit wrote them, by which what another program changed is found."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from siteplan.register.store.values import text_of

_PART, _NONE = "\x1f", "\x00"


def seal_of(row_id: str, columns: Sequence[str], values: Mapping[str, Any]) -> str:
    """Digest of a row: its id and its logged columns, typed, in the order of their names; empty ones do not count.

    A column that a later version adds is empty and changes no seal.

    >>> row = {"name": "甲", "note": None}
    >>> seal_of("ZZ000001", ("name",), row) == seal_of("ZZ000001", ("name", "note"), row)
    True
    """
    wanted = set(columns)
    return seal_of_texts(row_id, {name: text for name, value in values.items()
                                  if name in wanted and (text := text_of(value)) is not None})


def seal_of_texts(row_id: str, texts: Mapping[str, str]) -> str:
    """Digest of a row whose values are spelled already.

    >>> seal_of_texts("ZZ000001", {"name": "甲"}) == seal_of("ZZ000001", ("name",), {"name": "甲"})
    True
    """
    return digest([row_id, *[f"{name}={texts[name]}" for name in sorted(texts)]])


def seal_of_event(event: Sequence[Any]) -> str:
    """Digest of an event: its values in the order of the columns of the log, as text.

    >>> seal_of_event((1, "2026-01-05", None)) == seal_of_event(("1", "2026-01-05", None))
    True
    """
    return digest([_NONE if part is None else str(part) for part in event])


def digest(parts: Sequence[str]) -> str:
    """The seal of parts that are spelled already: the id, then ``name=value`` in the order of names."""
    return hashlib.sha256(_PART.join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
