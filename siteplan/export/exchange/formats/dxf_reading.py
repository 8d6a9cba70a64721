"""A drawing read back: rows from the extended data and the coordinates; labels and attributes are held against them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from siteplan.crs import read_crs, transform_geometry
from siteplan.errors import ExportError, Problem
from siteplan.export.exchange.compare import REMEDY
from siteplan.export.exchange.formats.dxf_texts import (
    APP,
    attribute_text,
    field_values,
    label_place,
    label_text,
    of_source,
    shown_fields,
)
from siteplan.export.exchange.formats.text import reading, typed_column
from siteplan.export.exchange.out_layer import OutLayer

_LABEL_WAY_M = 1e-3
"""How far a label may come back from its place, m."""


def read_drawing(folder: Path, layer: OutLayer) -> gpd.GeoDataFrame:
    """A layer read back from the extended data and the coordinates of its entities."""
    from ezdxf.lldxf.const import DXFError

    with reading("DXF", DXFError):
        return _from_drawing(folder, layer)


def _from_drawing(folder: Path, layer: OutLayer) -> gpd.GeoDataFrame:
    doc, facts = _drawing_of(folder, layer)
    rows: dict[int, dict[str, Any]] = defaultdict(dict)
    parts: dict[int, dict[tuple[int, int], Any]] = defaultdict(dict)
    multi: dict[int, bool] = {}
    labels: dict[int, Any] = {}
    blocks = []
    for entity in doc.modelspace():
        tags: list[Any] = [tag.value for tag in entity.get_xdata(APP)] if entity.has_xdata(APP) else [""]
        if tags[0] != layer.name:
            continue
        if entity.dxftype() == "MTEXT":
            labels[tags[1]] = entity
            continue
        row, part, ring, multi[tags[1]] = tags[1], tags[2], tags[3], bool(tags[4])
        rows[row].update(field_values(tags[5:]))
        parts[row][part, ring] = _coordinates(entity)
        if entity.dxftype() == "INSERT":
            blocks.append((row, entity))
    numbers = sorted(parts)
    columns = {field.name: typed_column(field.type, [rows[row].get(field.name) for row in numbers])
               for field in layer.profile.fields}
    shapes = [_shape(layer.profile.geometry, parts[row], multi=multi[row]) for row in numbers]
    _check_words(layer, rows, dict(zip(numbers, shapes, strict=True)), labels, blocks)
    read = gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(shapes, crs=facts["crs"]), crs=facts["crs"])
    given = read_crs(facts["layers"][layer.name])
    if given == read.crs:
        return read
    return read.set_geometry(transform_geometry(read.geometry.to_numpy(), read.crs, given), crs=given)


def _drawing_of(folder: Path, layer: OutLayer) -> tuple[Any, dict[str, Any]]:
    """The drawing that holds a layer, and what its notes say: its CRS, and that of each layer."""
    from ezdxf.filemanagement import readfile

    paths = sorted(folder.glob("plan*.dxf"))
    if not paths:
        raise FileNotFoundError("没有图纸 plan.dxf")
    code = f"plan_{layer.table.crs.to_epsg()}" if layer.table.crs is not None else ""
    for path in sorted(paths, key=lambda path: path.stem != code):
        doc = readfile(path)
        for entity in doc.modelspace().query("MTEXT"):
            tags: list[Any] = [tag.value for tag in entity.get_xdata(APP)] if entity.has_xdata(APP) else [None]
            if tags[0] == "" and layer.name in (facts := field_values(tags[1:]))["layers"]:
                return doc, facts
    raise ValueError(f"图纸中没有图层 {layer.name}")


def _check_words(layer: OutLayer, rows: Mapping[int, Mapping[str, Any]], shapes: Mapping[int, Any],
                 labels: Mapping[int, Any], blocks: Sequence[tuple[int, Any]]) -> None:
    """Labels and attributes say what the rows say, and labels stand where their rows are.

    Raises
    ------
    ExportError
        One does not.
    """
    name = of_source(layer, "name")
    field = name.name if name else layer.profile.key
    problems = []

    def tell(row: int, field: str, reason: str) -> None:
        problems.append(Problem(layer.name, "dxf", str(rows[row].get(layer.profile.key, "")), field, reason, REMEDY))

    for row in sorted({*shapes, *labels}):
        asked = rows[row].get(field)
        words = None if asked is None else label_text(str(asked))
        read = labels[row].text if row in labels else None
        if words != read:
            tell(row, field, f"注记应为“{words or ''}”,读回“{read or ''}”")
        elif read is not None:
            place = label_place(layer, shapely.get_coordinates(shapely.point_on_surface(shapes[row]))[0].tolist())
            way = float(np.hypot(*(labels[row].dxf.insert.vec2 - place)))
            if not way <= _LABEL_WAY_M:
                tell(row, field, f"注记离图形 {way:.3g} 米")
    for row, block in blocks:
        said = {attribute.dxf.tag: attribute.dxf.text for attribute in block.attribs}
        for shown in shown_fields(layer):
            value = attribute_text(rows[row].get(shown))
            if said.get(shown) != value:
                tell(row, shown, f"块属性应为“{value}”,读回“{said.get(shown, '')}”")
    if problems:
        raise ExportError("DXF 的注记读回检查未通过:", problems)


def _coordinates(entity: Any) -> list[tuple[float, float]]:
    if entity.dxftype() == "INSERT":
        return [(entity.dxf.insert.x, entity.dxf.insert.y)]
    return [(x, y) for x, y in entity.get_points("xy")]


def _shape(kind: str, parts: Mapping[tuple[int, int], Any], *, multi: bool) -> Any:
    """The geometry of a row from its parts and rings."""
    pieces = []
    for part in sorted({part for part, _ in parts}):
        rings = [parts[place] for place in sorted(parts) if place[0] == part]
        pieces.append(shapely.Point(rings[0][0]) if kind == "Point" else shapely.LineString(rings[0])
                      if kind == "LineString" else shapely.Polygon(rings[0], rings[1:]))
    if not multi:
        return pieces[0]
    many = {"Point": shapely.MultiPoint, "LineString": shapely.MultiLineString, "Polygon": shapely.MultiPolygon}
    return many[kind](pieces)
