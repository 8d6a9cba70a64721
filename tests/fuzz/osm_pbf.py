"""A few nodes and closed ways as an OSM .pbf, by the format's description (wiki.openstreetmap.org/wiki/PBF_Format)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

Node = tuple[int, float, float, Mapping[str, str]]
Way = tuple[int, Sequence[int], Mapping[str, str]]
_GRANULARITY_DEGREES = 1e-7


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _packed(field: int, values: Iterable[int]) -> bytes:
    content = b"".join(_varint(value) for value in values)
    return _bytes(field, content) if content else b""


def _deltas(values: Sequence[int]) -> list[int]:
    return [_zigzag(value - before) for before, value in zip([0, *values[:-1]], values, strict=True)]


def _blob(kind: bytes, content: bytes) -> bytes:
    blob = _bytes(1, content)
    header = _bytes(1, kind) + _number(3, len(blob))
    return struct.pack(">I", len(header)) + header + blob


def osm_pbf(nodes: Sequence[Node], ways: Sequence[Way]) -> bytes:
    """The file: one header block and one uncompressed data block.

    Parameters
    ----------
    nodes : sequence of (id, lon, lat, tags)
        Degrees.
    ways : sequence of (id, node ids, tags)

    Returns
    -------
    bytes
    """
    words: list[bytes] = [b""]

    def word(text: str) -> int:
        data = text.encode()
        if data not in words:
            words.append(data)
        return words.index(data)

    group = b""
    for number, lon, lat, tags in nodes:
        group += _bytes(1, _number(1, _zigzag(number)) + _packed(2, map(word, tags))
                        + _packed(3, map(word, tags.values()))
                        + _number(8, _zigzag(round(lat / _GRANULARITY_DEGREES)))
                        + _number(9, _zigzag(round(lon / _GRANULARITY_DEGREES))))
    more = b""
    for number, members, tags in ways:
        more += _bytes(3, _number(1, number) + _packed(2, map(word, tags)) + _packed(3, map(word, tags.values()))
                       + _packed(8, _deltas(members)))
    strings = b"".join(_bytes(1, text) for text in words)
    block = _bytes(1, strings) + _bytes(2, group) + _bytes(2, more)
    header = _bytes(4, b"OsmSchema-V0.6") + _bytes(16, b"siteplan tests")
    return _blob(b"OSMHeader", header) + _blob(b"OSMData", block)
