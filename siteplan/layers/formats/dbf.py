"""Tables in dBASE layout (.dbf of a Shapefile, .dat of a MapInfo table): header, field names, text as bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

_MOST_TEXTS = 50_000
_BLOCK_ROWS = 1 << 15


@dataclass(frozen=True)
class DbfField:
    """One column: name as bytes without padding, type letter, first byte in the record, width in bytes, decimals."""

    name: bytes
    kind: str
    start: int
    width: int
    decimals: int


@dataclass(frozen=True)
class Dbf:
    """Header of a table.

    Attributes
    ----------
    fields : tuple of DbfField
    rows : int
        Records that the header claims.
    held : int
        Whole records that the file has room for.
    header, width : int
        Bytes before the first record, and of one record.
    language : bytes
        First 32 bytes of the file (byte 29 names a code page).
    """

    fields: tuple[DbfField, ...]
    rows: int
    held: int
    header: int
    width: int
    language: bytes


def read_dbf_header(path: Path) -> Dbf | None:
    """Header of a table; None when the file is no dBASE table."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        data = stream.read(32 + 32 * 4096)
    header, width = int.from_bytes(data[8:10], "little"), int.from_bytes(data[10:12], "little")
    if size < 33 or header < 33 or width < 1 or (data[0] & 7) not in (2, 3, 4, 5) or header > size:
        return None
    fields, start = [], 1
    for place in range(32, min(header, len(data)) - 31, 32):
        entry = data[place:place + 32]
        if entry[0] in (0x0D, 0x00):
            break
        kind = entry[11:12].decode("latin-1")
        breadth = entry[16] + (256 * entry[17] if kind == "C" else 0)
        fields.append(DbfField(entry[:11].split(b"\0")[0], kind, start, breadth, 0 if kind == "C" else entry[17]))
        start += breadth
    if not fields or start > width:
        return None
    rows = int.from_bytes(data[4:8], "little")
    return Dbf(tuple(fields), rows, (size - header) // width, header, width, data[:32])


def dbf_texts(path: Path, table: Dbf) -> list[bytes]:
    """Field names and text values that hold bytes beyond ASCII, without padding, each once; at most 50,000 values.

    All records are looked at: a file may hold one Chinese name in its last row.
    """
    names = [field.name for field in table.fields if not field.name.isascii()]
    columns = [field for field in table.fields if field.kind == "C" and field.width]
    values: dict[bytes, None] = {}
    if columns:
        with path.open("rb") as stream:
            stream.seek(table.header)
            while len(values) < _MOST_TEXTS:
                block = stream.read(table.width * _BLOCK_ROWS)
                rows = len(block) // table.width
                if not rows:
                    break
                if not block.isascii():
                    cells = np.frombuffer(block, np.uint8, rows * table.width).reshape(rows, table.width)
                    for field in columns:
                        values |= _high_values(cells[:, field.start:field.start + field.width])
    return [*names, *list(values)[:_MOST_TEXTS]]


def _high_values(cells: np.ndarray) -> dict[bytes, None]:
    high = (cells > 0x7F).any(axis=1)
    found = (cells[row].tobytes().split(b"\0")[0].strip() for row in np.flatnonzero(high))
    return {text: None for text in found if not text.isascii()}
