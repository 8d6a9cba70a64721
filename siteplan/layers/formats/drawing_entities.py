"""Entities of a DXF through ezdxf: for drawings that GDAL does not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.features import label_rows
from siteplan.layers.formats.raw_table import RawTable

_SAG_M = 0.05
"""Greatest distance between an arc and its straight pieces, drawing units."""
_MOST_ENTITIES = 2_000_000


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

    Returns
    -------
    RawTable
        Columns ``Layer, Text, BlockName`` and one per block attribute; no CRS.

    Raises
    ------
    DrawingError
        ezdxf cannot read the file.
    """
    from ezdxf import recover
    from ezdxf.disassemble import recursive_decompose
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
        if not blocks_as_points:
            entities = recursive_decompose(entities)
        records = list(_records(entities))
    except (DXFError, OSError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError) as error:
        raise DrawingError(str(error) or type(error).__name__) from error
    cells = [cells for cells, _ in records]
    names = dict.fromkeys(["Layer", "Text", "BlockName", *(name for found in cells for name in found)])
    frame = pd.DataFrame(cells, columns=list(names))
    shapes = np.empty(len(records), dtype=object)
    shapes[:] = [shape for _, shape in records]
    return RawTable(frame.astype("str"), label_rows(len(records)), shapes, None, encoding)


def _records(entities: Any) -> Iterator[tuple[dict[str, str], BaseGeometry]]:
    for number, entity in enumerate(entities):
        if number >= _MOST_ENTITIES:
            raise DrawingError(f"超过 {_MOST_ENTITIES} 个图元")
        cells = {"Layer": str(entity.dxf.get("layer", "0"))}
        kind = entity.dxftype()
        if kind in ("TEXT", "MTEXT", "ATTRIB", "ATTDEF"):
            cells["Text"] = entity.plain_text()
            shape: BaseGeometry | None = _point(entity.dxf.insert)
        elif kind == "INSERT":
            cells["BlockName"] = str(entity.dxf.name)
            cells |= {attribute.dxf.tag: attribute.dxf.text for attribute in entity.attribs}
            shape = _point(entity.dxf.insert)
        elif kind == "POINT":
            shape = _point(entity.dxf.location)
        else:
            shape = _drawn(entity, kind)
        if shape is not None and not shape.is_empty:
            yield cells, shape


def _point(place: Any) -> BaseGeometry:
    return shapely.Point(float(place.x), float(place.y))


def _drawn(entity: Any, kind: str) -> BaseGeometry | None:
    """Line or area of an entity; None for what has no shape in plan (images, dimensions, viewports)."""
    from ezdxf import path as paths

    if kind in ("HATCH", "MPOLYGON"):
        rings = [_xy(part.flattening(_SAG_M)) for part in paths.from_hatch(entity)]
        areas = [shapely.Polygon(ring) for ring in rings if len(ring) >= 3]
        shape: BaseGeometry | None = None
        for area in sorted(shapely.make_valid(areas), key=lambda item: -item.area):
            shape = area if shape is None else shapely.symmetric_difference(shape, area)
        return shape
    try:
        line = _xy(paths.make_path(entity).flattening(_SAG_M))
    except TypeError:
        return None
    if kind in ("SOLID", "TRACE", "3DFACE") and len(line) >= 3:
        return shapely.Polygon(line)
    return shapely.LineString(line) if len(line) >= 2 else None


def _xy(points: Any) -> list[tuple[float, float]]:
    return [(float(point.x), float(point.y)) for point in points]
