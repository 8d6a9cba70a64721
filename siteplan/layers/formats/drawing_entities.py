"""Entities of a DXF through ezdxf: for drawings that GDAL does not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.features import label_rows
from siteplan.layers.formats.raw_table import RawTable

_SAG_M = 0.05
"""Greatest distance between an arc and its straight pieces, drawing units."""
_MOST_ENTITIES = 2_000_000
_FRAMES = frozenset(("IMAGE", "WIPEOUT", "VIEWPORT", "OLE2FRAME"))
"""Entities of which ezdxf gives the frame, which is no line of the map."""
_FAULTS = (TypeError, ValueError, AttributeError, ArithmeticError, LookupError, AssertionError, ShapelyError)
"""What ezdxf raises, beside its own errors, on an entity that is broken or that it cannot draw."""
_MOST_KINDS = 12


class DrawingError(ValueError):
    """A drawing that ezdxf cannot read."""


def read_entities(path: Path, encoding: str, blocks_as_points: bool, log: FileLog) -> RawTable:
    """Entities of model space with their layer and text.

    Parameters
    ----------
    path : Path
    encoding : str
        Of the text of drawings before R2007; later ones are UTF-8 by themselves.
    blocks_as_points : bool
        An insert becomes its insertion point, with the block's name and attributes; else it is taken apart.
    log : FileLog
        Entities without a shape in plan, or too broken to draw, are left out; one line counts them.

    Returns
    -------
    RawTable
        Columns ``Layer, PaperSpace, Linetype, EntityHandle, Text, BlockName`` as GDAL names them, and one per block
        attribute; no CRS.

    Raises
    ------
    DrawingError
        ezdxf cannot read the file.
    """
    from ezdxf import recover
    from ezdxf.filemanagement import readfile
    from ezdxf.lldxf.const import DXFError

    try:
        try:
            drawing = readfile(str(path), encoding=None if encoding == "utf-8" else encoding, errors="ignore")
        except DXFError:
            drawing, audit = recover.readfile(str(path), errors="ignore")
            log.line("", "", f"{len(audit.errors) + len(audit.fixes)} 处", "repaired",
                     "图纸已损坏，修复后读入，可能缺少图元", "用 CAD 打开核对（AUDIT），另存后再提供")
        entities: Any = drawing.modelspace()
        dropped: Counter[str] = Counter()
        if not blocks_as_points:
            entities = _taken_apart(entities, dropped)
        records = list(_records(entities, dropped))
    except (DXFError, OSError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError) as error:
        raise DrawingError(str(error) or type(error).__name__) from error
    if dropped:
        kinds = "、".join(f"{count} 个 {kind}" for kind, count in sorted(dropped.items())[:_MOST_KINDS])
        more = "等" if len(dropped) > _MOST_KINDS else ""
        log.line("", "geometry", f"{dropped.total()} 个", "note", f"图元没有平面图形或已损坏，没有读：{kinds}{more}",
                 "需要时在 CAD 里把它们分解（EXPLODE）成点、线或填充，再导出")
    cells = [cells for cells, _ in records]
    names = dict.fromkeys(["Layer", "PaperSpace", "Linetype", "EntityHandle", "Text", "BlockName",
                           *(name for found in cells for name in found)])
    frame = pd.DataFrame(cells, columns=list(names))
    shapes = np.empty(len(records), dtype=object)
    shapes[:] = [shape for _, shape in records]
    return RawTable(frame.astype("str"), label_rows(len(records)), shapes, None, encoding)


def _taken_apart(entities: Iterable[Any], dropped: Counter[str]) -> Iterator[Any]:
    """Entities with blocks, dimensions and leaders replaced by their parts; what has none is counted in `dropped`."""
    from ezdxf.protocols import SupportsVirtualEntities

    for entity in entities:
        kind = str(entity.dxftype())
        if isinstance(entity, SupportsVirtualEntities):
            yield from _taken_apart(_until_broken(_parts(entity), kind, dropped), dropped)
        else:
            yield entity


def _parts(entity: Any) -> Iterator[Any]:
    from ezdxf.protocols import virtual_entities

    if entity.dxftype() != "INSERT":
        yield from virtual_entities(entity)
    elif entity.mcount > 1:
        yield from entity.multi_insert()
    else:
        yield from entity.attribs
        yield from virtual_entities(entity)


def _until_broken(parts: Iterator[Any], kind: str, dropped: Counter[str]) -> Iterator[Any]:
    """Parts of one entity as far as they can be had; `dropped` counts it when that fails, or when it has none."""
    from ezdxf.lldxf.const import DXFError

    count = 0
    while True:
        try:
            part = next(parts, None)
        except (DXFError, *_FAULTS):
            part, count = None, 0
        if part is None:
            break
        count += 1
        yield part
    if not count:
        dropped[kind] += 1
        if dropped.total() > _MOST_ENTITIES:
            raise DrawingError(f"超过 {_MOST_ENTITIES} 个图元")


def _records(entities: Iterable[Any], dropped: Counter[str]) -> Iterator[tuple[dict[str, str], BaseGeometry]]:
    from ezdxf.lldxf.const import DXFError

    for number, entity in enumerate(entities):
        if number >= _MOST_ENTITIES:
            raise DrawingError(f"超过 {_MOST_ENTITIES} 个图元")
        kind = entity.dxftype()
        try:
            cells, shape = _record(entity, kind)
        except (DXFError, *_FAULTS):
            shape = None
        if shape is None or shape.is_empty:
            dropped[kind] += 1
        else:
            yield cells, shape


def _record(entity: Any, kind: str) -> tuple[dict[str, str], BaseGeometry | None]:
    """Cells and shape of one entity; it raises what ezdxf raises."""
    known = {"Layer": entity.dxf.get("layer", "0"), "Linetype": entity.dxf.get("linetype"),
             "EntityHandle": entity.dxf.handle}
    cells = {name: str(value) for name, value in known.items() if value is not None}
    if kind in _FRAMES:
        return cells, None
    if kind in ("TEXT", "MTEXT", "ATTRIB", "ATTDEF"):
        return cells | {"Text": entity.plain_text()}, _point(entity.dxf.insert)
    if kind == "INSERT":
        cells["BlockName"] = str(entity.dxf.name)
        cells |= {attribute.dxf.tag: attribute.dxf.text for attribute in entity.attribs}
        return cells, _point(entity.dxf.insert)
    if kind == "POINT":
        return cells, _point(entity.dxf.location)
    return cells, _drawn(entity, kind)


def _point(place: Any) -> BaseGeometry:
    return shapely.Point(float(place.x), float(place.y))


def _drawn(entity: Any, kind: str) -> BaseGeometry | None:
    """Line or area of an entity; None where it has too few points."""
    from ezdxf import path as paths

    if kind in ("HATCH", "MPOLYGON"):
        rings = [_xy(part.flattening(_SAG_M)) for part in paths.from_hatch(entity)]
        areas = [shapely.Polygon(ring) for ring in rings if len(ring) >= 3]
        shape: BaseGeometry | None = None
        for area in sorted(shapely.make_valid(areas), key=lambda item: -item.area):
            shape = area if shape is None else shapely.symmetric_difference(shape, area)
        return shape
    line = _xy(paths.make_path(entity).flattening(_SAG_M))
    if kind in ("SOLID", "TRACE", "3DFACE") and len(line) >= 3:
        return shapely.Polygon(line)
    return shapely.LineString(line) if len(line) >= 2 else None


def _xy(points: Any) -> list[tuple[float, float]]:
    return [(float(point.x), float(point.y)) for point in points]
