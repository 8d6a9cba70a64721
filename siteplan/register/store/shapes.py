"""Geometry columns of both stores: GeoPackage binary, and PostGIS."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import shapely
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import UserDefinedType

GPKG_KINDS = {"point": "POINT", "line": "GEOMETRY", "any": "GEOMETRY"}
_POSTGIS_KINDS = {"point": "Point", "line": "Geometry", "any": "Geometry"}
_ENVELOPES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}


class Shape(UserDefinedType[Any]):
    """A column of geometries in the CRS of the register: ``kind`` point, line or any."""

    cache_ok = True

    def __init__(self, kind: str, srid: int) -> None:
        self.kind, self.srid = kind, srid

    @property
    def python_type(self) -> type[Any]:
        """What its cells are in Python."""
        return shapely.Geometry


@compiles(Shape, "sqlite")
def _in_gpkg(kind: Shape, _: Any, **__: Any) -> str:
    return GPKG_KINDS[kind.kind]


@compiles(Shape, "postgresql")
def _in_postgis(kind: Shape, _: Any, **__: Any) -> str:
    return f"geometry({_POSTGIS_KINDS[kind.kind]},{kind.srid})"


def to_gpkg(shape: shapely.Geometry, srid: int) -> bytes:
    """A geometry as GeoPackage binary: header without envelope, little endian, then WKB (OGC 12-128r19, 2.1.3).

    >>> wkb_of(to_gpkg(shapely.Point(1, 2), 4547)) == shapely.to_wkb(shapely.Point(1, 2))
    True
    """
    return struct.pack("<2sBBi", b"GP", 0, 0x11 if shape.is_empty else 0x01, srid) + shapely.to_wkb(shape, byte_order=1)


def wkb_of(blob: Any) -> bytes:
    """The WKB inside GeoPackage binary, whoever wrote it.

    Raises
    ------
    ValueError
        It is none.
    """
    if not isinstance(blob, bytes) or len(blob) < 8 or blob[:2] != b"GP":
        raise ValueError("no GeoPackage geometry")
    return blob[8 + _ENVELOPES.get((blob[3] >> 1) & 7, 0):]


def add_shape_functions(connection: Any) -> None:
    """Functions that triggers of a spatial index ask for: QGIS may have added one."""
    last: list[tuple[Any, tuple[float, ...] | None]] = [(None, None)]

    def bounds(blob: bytes | None) -> tuple[float, ...] | None:
        if blob is None or blob is last[0][0]:
            return last[0][1]
        shape = _shape_of(blob)
        last[0] = (blob, None if shape is None or shape.is_empty else shape.bounds)
        return last[0][1]

    def edge(number: int) -> Callable[[bytes | None], float | None]:
        def ask(blob: bytes | None) -> float | None:
            box = None if blob is None else bounds(blob)
            return None if box is None else box[number]
        return ask

    connection.create_function("ST_IsEmpty", 1, lambda blob: None if blob is None else int(bounds(blob) is None),
                               deterministic=True)
    for number, name in enumerate(("ST_MinX", "ST_MinY", "ST_MaxX", "ST_MaxY")):
        connection.create_function(name, 1, edge(number), deterministic=True)


def _shape_of(blob: Any) -> shapely.Geometry | None:
    """The geometry of GeoPackage binary; None where it is none."""
    try:
        return shapely.from_wkb(wkb_of(blob), on_invalid="ignore")
    except ValueError:
        return None


def shapes_of(column: Sequence[Any], dialect: str) -> np.ndarray:
    """Geometries of a raw column, all at once; None where there is none, or where the cell holds none."""
    out = np.full(len(column), None, dtype=object)
    rows = [row for row, cell in enumerate(column) if cell is not None]
    if not rows:
        return out
    if dialect != "sqlite":
        out[rows] = shapely.set_srid(shapely.from_wkb([column[row] for row in rows]), 0)
        return out
    try:
        cells = [wkb_of(column[row]) for row in rows]
    except ValueError:
        for row in rows:
            out[row] = _shape_of(column[row])
        return out
    out[rows] = _without_srid(shapely.from_wkb(cells, on_invalid="ignore"))
    return out


def _without_srid(shapes: np.ndarray) -> np.ndarray:
    """Geometries without a number of their own; most have none, and stay as they are."""
    own = shapely.get_srid(shapes)
    return shapely.set_srid(shapes, 0) if ((own != 0) & ~shapely.is_missing(shapes)).any() else shapes


def driver_shapes(shapes: Sequence[Any], srid: int, dialect: str) -> list[Any]:
    """Geometries as the driver takes them, all at once."""
    found = np.empty(len(shapes), dtype=object)
    found[:] = shapes
    if dialect == "sqlite":
        head = struct.pack("<2sBBi", b"GP", 0, 0x01, srid)
        return [None if wkb is None else head + wkb for wkb in shapely.to_wkb(found, byte_order=1)]
    return list(shapely.to_wkb(shapely.set_srid(found, srid), hex=True, include_srid=True))
