"""KMZ for Google Earth and 奥维: a styled folder for each layer and value, descriptions, all fields with their types.

Made here and not by GDAL, which writes no styles from tables. Each value has a document of its own with its schema:
GDAL and QGIS find the fields of a row only there. Coordinates are WGS 84 (CGCS2000 is taken as equal), never GCJ-02.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from lxml import etree

from siteplan.crs import transform_geometry
from siteplan.export.exchange.formats.registry import Format, Kept
from siteplan.export.exchange.formats.text import layer_cells, reading, typed_column
from siteplan.export.exchange.formats.through_gdal import refuse
from siteplan.export.exchange.formats.words import layer_title, shown_word
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.export.exchange.style import COLOURS, OTHER_COLOUR, OTHERS, categories, name_field
from siteplan.profiles import ProfileField

FILE = "plan.kmz"
_MAIN = "doc.kml"
_ICONS = ("circle", "square", "triangle", "diamond")
"""Shapes of points: another one each time the colours have been through, as in the styles of QGIS."""
_NAMESPACE = "http://www.opengis.net/kml/2.2"
_LON_LAT = "EPSG:4326"
_DECIMALS = 9
"""Decimals of degrees; the last is 0.1 mm on the ground."""
_LABEL_LETTERS = 60
"""Letters of a name on the map; the whole one is in the description."""
_DATE = (1980, 1, 1, 0, 0, 0)
_INT32 = 2**31 - 1
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "$": "&#36;",
                         "`": "&#96;", "\n": "<br>", "\r": "<br>"})


def write(layers: Sequence[OutLayer], folder: Path) -> None:
    """Write all layers into ``plan.kmz``.

    Raises
    ------
    ExportError
        Something cannot be held: a control character, an infinite number, a missing CRS.
    """
    refuse(layers, f" ({FILE})", xml=True)
    with zipfile.ZipFile(folder / FILE, "w") as archive:
        # sites come as they are made, so that 100,000 of them need no memory
        with archive.open(_entry(_MAIN), "w") as stream, etree.xmlfile(stream, encoding="UTF-8") as file:
            file.write_declaration()
            with file.element("kml", xmlns=_NAMESPACE), file.element("Document"):
                file.write(_element("name", "规划成果"))
                _write_layers(file, layers)
        for shape in _ICONS:
            archive.writestr(_entry(_icon(shape)), _draw(shape))


def _entry(name: str) -> zipfile.ZipInfo:
    """A file in the archive, always of the same date: same plan, same bytes."""
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    return entry


def _write_layers(file: Any, layers: Sequence[OutLayer]) -> None:
    groups = {layer.name: _groups(layer) for layer in layers}
    for layer in layers:
        for number, group in enumerate(groups[layer.name]):
            file.write(_style(f"{layer.name}-{number}", group))
    for layer in layers:
        with file.element("Folder"):
            file.write(_element("name", layer_title(layer)))
            file.write(_element("open", "0"))
            _write_groups(file, layer, groups[layer.name])


class _Group(NamedTuple):
    """Rows that share a folder and a style."""

    title: str
    colour: str
    icon: str
    rows: np.ndarray


def _groups(layer: OutLayer) -> list[_Group]:
    """A group for each value of the field that colours the layer, in the colours of the QGIS styles."""
    values = categories(layer)
    if not values:
        return [_Group(f"{layer_title(layer)}({len(layer.table)})", COLOURS[0], _ICONS[0], np.arange(len(layer.table)))]
    column = dict(layer_cells(layer))[layer.profile.style]
    numbers = {value: number for number, (value, _) in enumerate(values)}
    group = np.array([len(values) if value is None else numbers.get(_word(value), len(values)) for value in column])
    found = [(number, shown_word(word, value))
             for number, (value, word) in enumerate((*values, ("", OTHERS))) if (group == number).any()]
    # GDAL takes the title for the name of a layer: it differs from those of other layers
    return [_Group(f"{layer_title(layer)}:{word}({np.count_nonzero(group == number)})",
                   COLOURS[number % len(COLOURS)] if number < len(values) else OTHER_COLOUR,
                   _ICONS[number // len(COLOURS) % len(_ICONS)], np.flatnonzero(group == number))
            for number, word in found]


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _write_groups(file: Any, layer: OutLayer, groups: Sequence[_Group]) -> None:
    shapes = transform_geometry(layer.table.geometry.to_numpy(), layer.table.crs, _LON_LAT)
    cells = dict(layer_cells(layer))
    titles = _titles(layer)
    for number, group in enumerate(groups):
        style = f"{layer.name}-{number}"
        with file.element("Document"):
            file.write(_element("name", group.title))
            file.write(_schema(layer, f"{style}-fields"))
            for row in group.rows:
                values = {name: column[row] for name, column in cells.items()}
                file.write(_placemark(layer, int(row), shapes[row], values, (titles[row], style)))


def _titles(layer: OutLayer) -> list[str]:
    """What stands beside each row on the map: its name where it has one, else its key."""
    keys = layer.table[layer.profile.key]
    return [str(key if pd.isna(name) else name)
            for name, key in zip(layer.table[name_field(layer).name], keys, strict=True)]


def _element(tag: str, text: str | None = None, *children: Any, **attributes: str) -> Any:
    element = etree.Element(tag, attributes)  # of the namespace that the root declares
    element.text = text
    element.extend(children)
    return element


def _style(name: str, group: _Group) -> Any:
    """One style of points, lines and areas; KML writes colours as opacity, blue, green, red."""
    shade = "".join(f"{int(part):02x}" for part in reversed(group.colour.split(",")))
    return _element(
        "Style", None,
        _element("IconStyle", None, _element("color", f"ff{shade}"), _element("scale", "0.8"),
                 _element("Icon", None, _element("href", _icon(group.icon)))),
        _element("LabelStyle", None, _element("scale", "0.8")),
        _element("LineStyle", None, _element("color", f"ff{shade}"), _element("width", "2")),
        _element("PolyStyle", None, _element("color", f"55{shade}")),
        # the balloon that programs make by themselves takes names for markup
        _element("BalloonStyle", None, _element("text", "$[description]")), id=name)


def _schema(layer: OutLayer, name: str) -> Any:
    """Fields with their types and titles; days are text as 2026-01-31."""
    schema = _element("Schema", None, name=name, id=name)
    for field in layer.profile.fields:
        schema.append(_element("SimpleField", None, _element("displayName", field.zh), type=_kind(layer, field),
                               name=field.name))
    return schema


def _kind(layer: OutLayer, field: ProfileField) -> str:
    if field.type == "int":
        return "double" if (layer.table[field.name].abs() > _INT32).any() else "int"
    return "double" if field.type == "float" else "string"


def _placemark(layer: OutLayer, row: int, shape: Any, values: dict[str, Any], look: tuple[str, str]) -> Any:
    title, style = look
    data = _element("SchemaData", None, schemaUrl=f"#{style}-fields")
    for name, value in values.items():
        if value is not None and value != "":
            etree.SubElement(data, "SimpleData", name=name).text = str(value)
    label = title if len(title) <= _LABEL_LETTERS else title[:_LABEL_LETTERS - 1] + "…"
    placemark = _element("Placemark", None, _element("name", label), _element("Snippet", "", maxLines="0"),
                         _element("description", _description(layer, title, values)),
                         _element("styleUrl", f"#{style}"), _element("ExtendedData", None, data),
                         id=f"{layer.name}.{row}")
    place = _shape(shape)
    if place is not None:
        placemark.append(place)
    return placemark


@lru_cache(maxsize=4096)  # titles and words come again and again
def _markup(text: str) -> str:
    """A text as HTML that says just that: programs fill in ``$[name]`` and run what looks like markup."""
    return text.replace("\r\n", "\n").translate(_MARKUP)


def _description(layer: OutLayer, title: str, values: dict[str, Any]) -> str:
    rows = [f"<tr><td nowrap>{_markup(field.zh)}</td><td>{_markup(_shown(field, values[field.name]))}</td></tr>"
            for field in layer.profile.fields if values[field.name] not in (None, "")]
    return f"<b>{_markup(title)}</b><table border=\"1\" cellspacing=\"0\" cellpadding=\"3\">{''.join(rows)}</table>"


def _shown(field: ProfileField, value: Any) -> str:
    return f"{value:.{field.decimals}f}" if field.type == "float" else str(value)


def _shape(shape: Any) -> Any:
    """A geometry, on the ground; multi ones as their parts; None where there is none."""
    if shape is None or shape.is_empty:
        return None
    if hasattr(shape, "geoms"):
        return _element("MultiGeometry", None, *(_shape(part) for part in shape.geoms))
    if shape.geom_type == "Polygon":
        shape = shapely.orient_polygons(shape)
        return _element("Polygon", None, _ring("outerBoundaryIs", shape.exterior),
                        *(_ring("innerBoundaryIs", ring) for ring in shape.interiors))
    return _element(shape.geom_type, None, _coordinates(shape))


def _ring(tag: str, ring: Any) -> Any:
    return _element(tag, None, _element("LinearRing", None, _coordinates(ring)))


def _coordinates(shape: Any) -> Any:
    points = shapely.get_coordinates(shape)
    return _element("coordinates", " ".join(f"{lon:.{_DECIMALS}f},{lat:.{_DECIMALS}f}" for lon, lat in points))


def _icon(shape: str) -> str:
    return f"files/{shape}.png"


def _draw(shape: str) -> bytes:
    """A white mark with a dark rim, as PNG; the style gives it its colour."""
    from PIL import Image, ImageDraw

    size, drawn, rim = 32, 128, 10
    near, middle, far = 8, drawn // 2, drawn - 9
    image = Image.new("RGBA", (drawn, drawn), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    look: Any = {"fill": (255, 255, 255, 255), "outline": (60, 60, 60, 255), "width": rim}
    if shape == "circle":
        draw.ellipse((near, near, far, far), **look)
    elif shape == "square":
        draw.rectangle((near + rim, near + rim, far - rim, far - rim), **look)
    elif shape == "triangle":
        draw.polygon([(middle, near), (far, far), (near, far)], **look)
    else:
        draw.polygon([(middle, near), (far, middle), (middle, far), (near, middle)], **look)
    buffer = io.BytesIO()
    image.resize((size, size), Image.Resampling.LANCZOS).save(buffer, "PNG")
    return buffer.getvalue()


def read(folder: Path, layer: OutLayer) -> gpd.GeoDataFrame:
    """The layer as it stands in the file, in the order of its rows, back in the CRS it came from.

    Raises
    ------
    ExportError
        It cannot be read, or a value is not of the type of its field.
    """
    found: dict[int, tuple[dict[str, str], Any]] = {}
    with reading(f"{FILE}(图层 {layer.name})"):
        with zipfile.ZipFile(folder / FILE) as archive, archive.open(_MAIN) as file:
            for _, mark in etree.iterparse(file, tag=f"{{{_NAMESPACE}}}Placemark", resolve_entities=False):
                name, _, row = mark.get("id", "").rpartition(".")
                if name == layer.name:
                    found[int(row)] = _values(mark), _read_shape(mark)
                mark.clear()
        columns = {field.name: typed_column(field.type, [found[row][0].get(field.name) for row in sorted(found)])
                   for field in layer.profile.fields}
        shapes = np.empty(len(found), dtype=object)
        shapes[:] = [found[row][1] for row in sorted(found)]
        placed = transform_geometry(shapes, _LON_LAT, layer.table.crs)
        return gpd.GeoDataFrame(columns, geometry=placed, crs=layer.table.crs)


def _values(mark: Any) -> dict[str, str]:
    return {data.get("name"): data.text or "" for data in mark.iter(f"{{{_NAMESPACE}}}SimpleData")}


def _read_shape(mark: Any) -> Any:
    parts = list(_parts(mark))
    if not parts:
        return None
    if mark.find(f"{{{_NAMESPACE}}}MultiGeometry") is None:
        return parts[0]
    kinds = {"Point": shapely.MultiPoint, "LineString": shapely.MultiLineString, "Polygon": shapely.MultiPolygon}
    return kinds[parts[0].geom_type](parts)


def _parts(mark: Any) -> Iterator[Any]:
    for tag, make in (("Point", shapely.Point), ("LineString", shapely.LineString)):
        for shape in mark.iter(f"{{{_NAMESPACE}}}{tag}"):
            lines = _read_coordinates(shape)
            yield make(lines[0] if tag == "Point" else lines)
    for shape in mark.iter(f"{{{_NAMESPACE}}}Polygon"):
        outer = shape.find(f"{{{_NAMESPACE}}}outerBoundaryIs")
        yield shapely.Polygon(_read_coordinates(outer),
                              [_read_coordinates(ring) for ring in shape.iter(f"{{{_NAMESPACE}}}innerBoundaryIs")])


def _read_coordinates(element: Any) -> list[tuple[float, float]]:
    text = next(element.iter(f"{{{_NAMESPACE}}}coordinates")).text
    return [(float(point.split(",")[0]), float(point.split(",")[1])) for point in text.split()]


KMZ = Format("kmz", "KMZ", False, write, read, Kept(geometry_m=1e-3, crs=False))
