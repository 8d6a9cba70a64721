"""Well-known binary into geometry: open rings are closed, surfaces of triangles become their footprint."""

from __future__ import annotations

import struct

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from siteplan.layers.file_log import FileLog

Shapes = NDArray[np.object_]

_POLYGON, _MULTIPOLYGON = 3, 6
_SURFACES = {15: _MULTIPOLYGON, 16: _MULTIPOLYGON, 17: _POLYGON}
"""PolyhedralSurface, TIN and Triangle are laid out as MultiPolygon and Polygon (OGC 06-103r4, 8.2.8)."""
_ARCS = (8, 9, 10, 11, 12)
_DEEPEST = 8
_NESTING = (4, 5, 6, 7)
"""MultiPoint, MultiLineString, MultiPolygon, GeometryCollection: what may hold others, and so without end."""
_MOST_NESTED = 1000
_LONG = 9 * _MOST_NESTED


def decode_shapes(wkb: Shapes, rows: Shapes, log: FileLog) -> Shapes:
    """Geometry of well-known binary, one ledger line per row that was mended; what cannot be read is None.

    Parameters
    ----------
    wkb : ndarray of bytes or None
    rows : ndarray of str
        Row labels.
    log : FileLog

    Returns
    -------
    ndarray of geometry
        In two dimensions; None where there is none.

    Examples
    --------
    >>> from siteplan.input_ledger import InputLedger
    >>> log = FileLog("zones", "z.geojson", InputLedger())
    >>> ring = struct.pack("<BIII6d", 1, 3, 1, 3, 0, 0, 1, 0, 1, 1)
    >>> decode_shapes(np.array([ring], dtype=object), np.array(["1"], dtype=object), log)[0].wkt
    'POLYGON ((0 0, 1 0, 1 1, 0 0))'
    """
    deep = [place for place, item in enumerate(wkb) if item is not None and len(item) > _LONG and _too_deep(item)]
    if deep:  # left to the caller as rows without geometry, which are refused
        wkb = wkb.copy()
        wkb[deep] = None
    try:
        with np.errstate(invalid="ignore"):
            shapes = np.asarray(shapely.from_wkb(wkb, on_invalid="ignore"), dtype=object)
    except NotImplementedError:  # arcs, that the driver should have made straight
        shapes = np.array([_or_none(item) for item in wkb], dtype=object)
    lost = np.flatnonzero(shapely.is_missing(shapes) & np.array([item is not None for item in wkb], dtype=bool))
    flat = [place for place in lost if type_code(wkb[place]) in _SURFACES]
    open_rings = [place for place in lost if type_code(wkb[place]) not in _SURFACES]
    for place in flat:
        shapes[place] = footprint(_surface(wkb[place]))
    for place in open_rings:
        shapes[place] = None if type_code(wkb[place]) in _ARCS else shapely.from_wkb(wkb[place], on_invalid="fix")
    log.rows(rows[[place for place in flat if shapes[place] is not None]], "geometry", "TIN", "repaired",
             "三角面片（TIN、多面体）取其平面投影", "无需处理；需要立体形状时另存")
    closed = [place for place in open_rings if shapes[place] is not None]
    log.each(rows[closed], "geometry", [shapes[place].geom_type for place in closed], "repaired",
             "环没有闭合，已连回起点", "核对图形是否完整")
    return shapely.force_2d(shapes) if bool(shapely.has_z(shapes).any()) else shapes


def _too_deep(wkb: bytes) -> bool:
    """Whether collections may be nested beyond what the stack of GEOS holds; counted by their headers."""
    if type_code(wkb) not in _NESTING:
        return False
    return sum(wkb.count(bytes([1]) + code.to_bytes(4, "little")) + wkb.count(bytes([0]) + code.to_bytes(4, "big"))
               for plain in _NESTING for code in (plain, plain + 1000, plain + 2000, plain + 3000, plain | 1 << 31)
               ) > _MOST_NESTED


def footprint(shape: BaseGeometry | None) -> BaseGeometry | None:
    """Union of the faces of a surface, seen from above; None when no face has an area.

    >>> faces = shapely.multipolygons([shapely.box(0, 0, 1, 1), shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)])
    >>> footprint(faces).area
    2.0
    """
    if shape is None:
        return None
    faces = shapely.get_parts(shapely.force_2d(shape))
    faces = faces[np.isin(shapely.get_type_id(faces), (3, 6))]
    faces = shapely.make_valid(faces[np.isfinite(shapely.bounds(faces)).all(axis=1)])
    faces = faces[shapely.area(faces) > 0.0]
    return shapely.union_all(faces) if len(faces) else None


def _or_none(wkb: bytes | None) -> BaseGeometry | None:
    try:
        return shapely.from_wkb(wkb, on_invalid="ignore")
    except NotImplementedError:
        return None


def type_code(wkb: bytes) -> int:
    """Type number without dimension: ISO adds thousands, the older way sets high bits.

    >>> type_code(shapely.to_wkb(shapely.Point(1, 2, 3))), type_code(b"")
    (1, 0)
    """
    if len(wkb) < 5:
        return 0
    return (int.from_bytes(wkb[1:5], "little" if wkb[0] == 1 else "big") & 0x0FFFFFFF) % 1000


def _surface(wkb: bytes) -> BaseGeometry | None:
    """A surface read as the polygons it is laid out as; None when it is cut short."""
    out = bytearray(wkb)
    try:
        _rewrite(out, 0, 0)
    except (struct.error, IndexError, ValueError):
        return None
    return shapely.from_wkb(bytes(out), on_invalid="fix")


def _rewrite(data: bytearray, place: int, depth: int) -> int:
    """Change type numbers in place from `place` on; the place behind the geometry."""
    if depth > _DEEPEST:
        raise ValueError("too deep")
    order = "<" if data[place] == 1 else ">"
    (code,) = struct.unpack_from(f"{order}I", data, place + 1)
    thousands, kind = code & 0x0FFFFFFF, (code & 0x0FFFFFFF) % 1000
    has_z = bool(code & 0x80000000) or thousands // 1000 in (1, 3)
    has_m = bool(code & 0x40000000) or thousands // 1000 in (2, 3)
    size = 8 * (2 + has_z + has_m)
    struct.pack_into(f"{order}I", data, place + 1, code - kind + _SURFACES.get(kind, kind))
    (count,) = struct.unpack_from(f"{order}I", data, place + 5)
    here = place + 9
    if count > len(data):
        raise ValueError("count")
    for _ in range(count):
        if _SURFACES.get(kind, kind) == _POLYGON:
            (points,) = struct.unpack_from(f"{order}I", data, here)
            here += 4 + points * size
        else:
            here = _rewrite(data, here, depth + 1)
        if here > len(data):
            raise ValueError("short")
    return here
