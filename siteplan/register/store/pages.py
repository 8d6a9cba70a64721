"""Read the pages of a broken SQLite file one by one: whatever records can still be made out, wherever they belong.

The format is that of sqlite.org/fileformat2: leaf pages of tables, cells, overflow chains, records. Nothing here trusts
anything that it reads: what does not fit is passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

HEAD = b"SQLite format 3\x00"
_LEAF, _SIZES = 0x0D, (4096, 1024, 8192, 2048, 512, 16384, 32768, 65536)
_WHOLE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_MOST_COLUMNS, _LONGEST, _SAMPLE = 2000, 1 << 26, 1 << 23
_REAL, _ZERO, _ONE, _FIRST_BLOB = 7, 8, 9, 12


class _NoRecordError(ValueError):
    """These bytes are no record."""


def records(data: bytes) -> Iterator[tuple[int, list[Any]]]:
    """Rowid and values of every record in the leaf pages of a file, old and dead ones among them."""
    size = _page_size(data)
    for start in range(0, len(data), size):
        yield from _leaf(data, start, size)


def _page_size(data: bytes) -> int:
    """What the head of the file says; of a broken head the size with which most records can be made out."""
    told = int.from_bytes(data[16:18], "big")
    told = 65536 if told == 1 else told
    if data.startswith(HEAD) and told in _SIZES:
        return told
    sample = data[:_SAMPLE]
    return max(_SIZES, key=lambda size: sum(
        1 for start in range(0, len(sample), size) for _ in _leaf(sample, start, size)))


def _leaf(data: bytes, start: int, size: int) -> Iterator[tuple[int, list[Any]]]:
    head = start + 100 if start == 0 else start
    if len(data) < head + 8 or data[head] != _LEAF:
        return
    cells = min(int.from_bytes(data[head + 3:head + 5], "big"), size // 4)
    for number in range(cells):
        place = head + 8 + 2 * number
        offset = int.from_bytes(data[place:place + 2], "big")
        if 8 <= offset < size:
            try:
                yield _cell(data, start, offset, size)
            except (_NoRecordError, IndexError, struct.error, UnicodeDecodeError):
                continue


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for step in range(8):
        byte = data[at + step]
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            return value, at + step + 1
    return (value << 8) | data[at + 8], at + 9


def _cell(data: bytes, start: int, offset: int, size: int) -> tuple[int, list[Any]]:
    length, at = _varint(data, start + offset)
    rowid, at = _varint(data, at)
    if not 0 < length <= _LONGEST:
        raise _NoRecordError
    local = length
    if length > size - 35:
        least = (size - 12) * 32 // 255 - 23
        local = least + (length - least) % (size - 4)
        local = local if local <= size - 35 else least
    if at + local > start + size:
        raise _NoRecordError
    payload = data[at:at + local]
    if local < length:
        payload += _overflow(data, int.from_bytes(data[at + local:at + local + 4], "big"), length - local, size)
    return rowid, _record(payload)


def _overflow(data: bytes, page: int, length: int, size: int) -> bytes:
    parts: list[bytes] = []
    while length > 0:
        start = (page - 1) * size
        if page < 1 or start + size > len(data) or len(parts) > _LONGEST // size:
            raise _NoRecordError
        parts.append(data[start + 4:start + 4 + min(length, size - 4)])
        length -= size - 4
        page = int.from_bytes(data[start:start + 4], "big")
    return b"".join(parts)


def _record(payload: bytes) -> list[Any]:
    end, at = _varint(payload, 0)
    if not 0 < end <= len(payload):
        raise _NoRecordError
    kinds: list[int] = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if at != end or len(kinds) > _MOST_COLUMNS:
        raise _NoRecordError
    values: list[Any] = []
    for kind in kinds:
        value, at = _value(payload, at, kind)
        values.append(value)
    if at != len(payload):
        raise _NoRecordError
    return values


def _value(payload: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (0, _ZERO, _ONE):
        return (None if kind == 0 else kind - _ZERO), at
    if kind in _WHOLE:
        end = at + _WHOLE[kind]
        return int.from_bytes(payload[at:end], "big", signed=True), end
    if kind == _REAL:
        return struct.unpack(">d", payload[at:at + 8])[0], at + 8
    if kind < _FIRST_BLOB:
        raise _NoRecordError
    end = at + (kind - _FIRST_BLOB) // 2
    part = payload[at:end]
    return (part if kind % 2 == 0 else part.decode("utf-8")), end
