r"""DXF (R2000, GBK) by ezdxf: layers by kind, sites as blocks with attributes, all fields in the extended data.

Extended data (``SITEPLAN``) keeps every value exactly: strings ``FIELD=JSON`` in GBK, at most `CHUNK` bytes each (a
string that starts with ``+`` goes on the one before it); letters outside GBK and backslashes as ``\uXXXX``. Labels and
attributes are for the eye: a letter outside GBK as ``\U+XXXX``, which CAD shows and GDAL reads in MTEXT; above U+FFFF,
for which R2000 has no notation, as ``〔U+2CB4E〕``.

CAD draws in metres: layers in degrees are drawn in the CGCS2000 3-degree zone of their middle longitude, which the
notes of the drawing say, and come back from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from siteplan.crs import crs_name, crs_zh, plan_epsg, read_crs, transform_geometry
from siteplan.errors import CrsError, ExportError, Problem
from siteplan.export.exchange.formats.dxf_reading import read_drawing
from siteplan.export.exchange.formats.dxf_texts import (
    APP,
    LABEL_LETTERS,
    NOTES,
    SYMBOL_M,
    attribute_text,
    field_strings,
    label_note,
    label_place,
    label_text,
    layer_names,
    of_source,
    shown_fields,
)
from siteplan.export.exchange.formats.registry import Format, Kept
from siteplan.export.exchange.formats.text import layer_cells
from siteplan.export.exchange.formats.words import layer_title, shown_word
from siteplan.export.exchange.out_layer import OutLayer

_NO_PLACE_DEG = 114.0
"""Longitude of a drawing in which nothing is."""
_MOST_BYTES = 16_000
"""Bytes of all extended data of an entity (DXF allows 16,383)."""
_TEXT_M = 30.0
"""Height of labels, m: 3 mm on a sheet of 1:10,000."""
_STYLE, _FONT, _FAMILY = "SITEPLAN", "simsun.ttc", "SimSun"
"""TrueType: SimSun is on every Chinese Windows and has all of GBK; gbcbig.shx has GB 2312 alone, in AutoCAD alone
(unverified; no AutoCAD was at hand)."""
_COLOURS = (1, 5, 94, 6, 30, 140, 200, 54, 4, 8)
"""Colours (ACI) of layers in their order: red, blue, green, magenta, orange ...; none is pale on white or on black"""


def _tags(layer: OutLayer, row: int, values: Mapping[str, Any]) -> list[tuple[int, Any]]:
    """Extended data of the first entity of a row: layer, row, whether its shape is a multi one, fields."""
    multi = int(layer.table.geometry.iloc[row].geom_type.startswith("Multi"))
    return [(1000, layer.name), (1071, row), (1071, 0), (1071, 0), (1071, multi),
            *((1000, text) for name, value in values.items() if value is not None
              for text in field_strings(name, value))]


def _faults(layers: Sequence[OutLayer]) -> list[Problem]:
    found = []
    for layer in layers:
        crs = layer.table.crs
        if crs is None:
            found.append(Problem(layer.name, "dxf", "", "geometry", "坐标系未知,CAD 图纸以米为单位",
                                 "在 [deliver] crs 填写 CGCS2000 3度带坐标系(如 EPSG:4547)"))
        keys = layer.table[layer.profile.key].astype("str")
        shapes = layer.table.geometry
        empty = (shapes.isna() | shapes.is_empty).to_numpy()
        for faulty, reason, remedy in ((empty, "没有图形", "在来源图层补全位置,或不列入该行"),
                                       (shapes.has_z.to_numpy() & ~empty, "图形带高程(三维),图纸只写平面位置", "去掉图形的高程")):
            found += [Problem(layer.name, "dxf", keys.iloc[row], "geometry", reason, remedy)
                      for row in np.flatnonzero(faulty)]
        columns = dict(layer_cells(layer))
        for row, key in enumerate(keys):
            values = {name: cells[row] for name, cells in columns.items()}
            for name, value in values.items():
                if isinstance(value, float) and not np.isfinite(value):
                    found.append(Problem(layer.name, "dxf", key, name, "数值为无穷大", "改正来源数据"))
                elif isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
                    found.append(Problem(layer.name, "dxf", key, name, "文字含不完整的字符(半个代理对)", "改正来源文字"))
            if sum(len(str(value)) for value in values.values()) > 1000 and not empty[row]:
                size = sum(len(text.encode("gbk", "replace")) + 8
                           for code, text in _tags(layer, row, values) if code == 1000)
                if size > _MOST_BYTES:
                    found.append(Problem(layer.name, "dxf", key, "", f"各字段合计 {size} 字节,超过图元扩展数据的 16 KB",
                                         "缩短文字,或使用 GeoPackage"))
    return found


def _kinds(layer: OutLayer) -> list[str]:
    """Title of the CAD layer of each row: that of the profile, with the word of the field it is coloured by."""
    title = layer_title(layer)
    style = next((field for field in layer.profile.fields if field.name == layer.profile.style), None)
    if style is None:
        return [title] * len(layer.table)
    words = {code: shown_word(word, code) for word, code in reversed(list(style.codes.items()))}  # of two the first one
    values = dict(layer_cells(layer))[style.name]
    return [f"{title}_{words.get(str(value), value)}" if value is not None else title for value in values]


def _in_metres(layers: Sequence[OutLayer]) -> list[OutLayer]:
    """Layers as they are drawn: those in degrees in the 3-degree zone of their middle, the same for all of them."""
    degrees = [layer for layer in layers if layer.table.crs.is_geographic]
    edges = np.array([layer.table.total_bounds[[0, 2]] for layer in degrees if len(layer.table)])
    if not degrees:
        return list(layers)
    try:
        zone = read_crs(plan_epsg(float(edges.min() + edges.max()) / 2 if edges.size else _NO_PLACE_DEG))
    except CrsError as error:
        raise ExportError("DXF 不能写出:", [Problem(
            layer.name, "dxf", "", "geometry", str(error), "改正坐标,或在 [deliver] crs 填写投影坐标系")
            for layer in degrees]) from error
    return [layer if not layer.table.crs.is_geographic else replace(layer, table=layer.table.set_geometry(
        transform_geometry(layer.table.geometry.to_numpy(), layer.table.crs, zone), crs=zone)) for layer in layers]


def _write(layers: Sequence[OutLayer], folder: Path) -> None:
    """``plan.dxf``; where layers are drawn in several CRS a drawing for each, ``plan_4547.dxf``.

    Raises
    ------
    ExportError
        The CRS is not known, or a row cannot be drawn whole.
    """
    problems = _faults(layers)
    if problems:
        raise ExportError("DXF 不能写出:", problems)
    drawings = defaultdict(list)
    for layer in _in_metres(layers):
        drawings[layer.table.crs.to_epsg()].append(layer)
    given = {layer.name: layer.table.crs for layer in layers}
    from ezdxf._options import options

    before = options.write_fixed_meta_data_for_testing
    options.write_fixed_meta_data_for_testing = True  # no time and no random id: the same plan, the same bytes
    try:
        for code, own in drawings.items():
            _draw(own, given, folder / ("plan.dxf" if len(drawings) == 1 else f"plan_{code}.dxf"))
    finally:
        options.write_fixed_meta_data_for_testing = before


def _draw(layers: Sequence[OutLayer], given: Mapping[str, Any], path: Path) -> None:
    from ezdxf import units
    from ezdxf.filemanagement import new

    doc = new("R2000", units=units.M)
    doc.encoding = "gbk"
    doc.appids.add(APP)
    style = doc.styles.add(_STYLE, font=_FONT)
    style.set_extended_font_data(_FAMILY)
    kinds = {layer.name: _kinds(layer) for layer in layers}
    titles = [title for layer in layers for title in (*sorted(set(kinds[layer.name])), f"{layer.profile.zh}_注记")]
    names = layer_names(titles)
    for number, title in enumerate(dict.fromkeys(titles)):
        doc.layers.add(names[title], color=7 if title.endswith("_注记") else _COLOURS[number % len(_COLOURS)])
    for layer in layers:
        _draw_layer(doc, layer, [names[kind] for kind in kinds[layer.name]], names[f"{layer.profile.zh}_注记"])
    _write_notes(doc, layers, given, kinds, names)
    _look_at(doc, layers)
    doc.saveas(path)


def _look_at(doc: Any, layers: Sequence[OutLayer]) -> None:
    """Extents of the drawing, and a first view that shows all of it; CAD would open on the empty origin."""
    edges = np.array([layer.table.total_bounds for layer in layers if len(layer.table)])
    if not edges.size:
        return
    (west, south), (east, north) = edges[:, :2].min(axis=0), edges[:, 2:].max(axis=0)
    doc.modelspace().reset_extents((west, south, 0.0), (east, north, 0.0))
    height = max(north - south, (east - west) / 2, SYMBOL_M) * 1.1
    doc.set_modelspace_vport(height=height, center=((west + east) / 2, (south + north) / 2))


def _draw_layer(doc: Any, layer: OutLayer, cad_layers: Sequence[str], labels: str) -> None:
    """Entities of all rows: a block, or polylines for the parts and rings; a label each."""
    space, columns = doc.modelspace(), dict(layer_cells(layer))
    name = of_source(layer, "name")
    told = shown_fields(layer)
    blocks = {cad: _block(doc, number) for number, cad in enumerate(sorted(set(cad_layers)))}
    shapes = np.asarray(layer.table.geometry)
    middles = shapely.get_coordinates(shapely.point_on_surface(shapes)).tolist()
    for row, shape in enumerate(shapes):
        values = {field: cells[row] for field, cells in columns.items()}
        tags = _tags(layer, row, values)
        cad, entity = cad_layers[row], None
        for part, piece in enumerate(shapely.get_parts(shape)):
            for ring, points in enumerate(_rings(piece)):
                if piece.geom_type == "Point":
                    entity = space.add_blockref(blocks[cad], points[0], dxfattribs={"layer": cad})
                    for field in told:
                        _attribute(entity, field, values[field], labels)
                else:
                    closed = piece.geom_type == "Polygon"
                    entity = space.add_lwpolyline(points[:-1] if closed else points, close=closed,
                                                  dxfattribs={"layer": cad})
                entity.set_xdata(APP, tags if not part + ring else [
                    (1000, layer.name), (1071, row), (1071, part), (1071, ring), (1071, tags[4][1])])
        label = values[name.name if name else layer.profile.key]
        if label is not None:
            text = space.add_mtext(label_text(str(label)), dxfattribs={
                "layer": labels, "style": _STYLE, "char_height": _TEXT_M,
                "attachment_point": 4 if layer.profile.geometry == "Point" else 5,
                "insert": label_place(layer, middles[row])})
            text.set_xdata(APP, [(1000, layer.name), (1071, row)])


def _rings(piece: Any) -> list[list[tuple[float, float]]]:
    """Coordinates of a point, a line, or of the outer ring and the holes of a polygon."""
    rings = [piece.exterior, *piece.interiors] if piece.geom_type == "Polygon" else [piece]
    return [[(float(x), float(y)) for x, y in shapely.get_coordinates(ring)] for ring in rings]


def _block(doc: Any, number: int) -> str:
    """A symbol (circle, triangle, square, diamond) by layer colour; ASCII, as GDAL recodes no names of blocks."""
    number %= 4
    name = f"SITEPLAN_{number + 1}"
    if name not in doc.blocks:
        block = doc.blocks.new(name)
        corners, turn = ((0, 0.0), (3, 90.0), (4, 45.0), (4, 0.0))[number]
        if corners:
            angles = np.radians(turn + 360.0 / corners * np.arange(corners))
            points = SYMBOL_M * np.column_stack([np.cos(angles), np.sin(angles)])
            block.add_lwpolyline(points.round(6).tolist(), close=True)
        else:
            block.add_circle((0, 0), SYMBOL_M)
        block.add_line((-SYMBOL_M / 2, 0), (SYMBOL_M / 2, 0))
        block.add_line((0, -SYMBOL_M / 2), (0, SYMBOL_M / 2))
    return name


def _attribute(entity: Any, field: str, value: Any, layer: str) -> None:
    """An attribute of a block; not drawn (the label is), but in the table of properties of CAD."""
    x, y, _ = entity.dxf.insert
    attribute = entity.add_attrib(field, attribute_text(value), (x, y - 2 * SYMBOL_M), dxfattribs={
        "layer": layer, "style": _STYLE, "height": _TEXT_M / 3})
    attribute.is_invisible = True


def _write_notes(doc: Any, layers: Sequence[OutLayer], given: Mapping[str, Any], kinds: Mapping[str, Sequence[str]],
                 names: Mapping[str, str]) -> None:
    """What the drawing is, beneath its lower left corner: CRS, axes, unit, rows by layer, what reads otherwise."""
    crs = layers[0].table.crs
    code = f"EPSG:{crs.to_epsg()}" if crs.to_epsg() else ""
    lines = [f"坐标系:{crs_zh(crs)} {code}", "图中横轴 x 为东(国家坐标的Y),纵轴 y 为北(国家坐标的X);单位:米",
             "各图元的全部字段在扩展数据(XDATA,应用名 SITEPLAN)中,文字以其为准;文字样式用宋体"]
    lines += [f"{layer_title(layer)} 原为经纬度({crs_name(given[layer.name])}),图中按中间经度换成{crs_name(crs)}的平面坐标"
              for layer in layers if given[layer.name] != crs]
    for layer in layers:
        counts = pd.Series(list(kinds[layer.name]), dtype="str").value_counts().sort_index()
        lines += [f"图层 {names[kind]}:{count} 个" for kind, count in counts.items()]
    lines += [f"图层名 {new} 由“{old}”改写(图层名不允许的字符)" for old, new in names.items() if new != old]
    shown = [str(value) for layer in layers for column, values in layer_cells(layer)
             if column in (layer.profile.key, getattr(of_source(layer, "name"), "name", ""))
             for value in values if value is not None]
    rare = sum("〔U+" in label_text(text) for text in shown)
    if rare:
        lines.append(f"{rare} 处注记含 R2000 图纸写不出的字,以〔U+码位〕代替;原字在扩展数据中")
    cut = sum(len(" ".join(text.split())) > LABEL_LETTERS for text in shown)
    if cut:
        lines.append(f"{cut} 处注记超过 {LABEL_LETTERS} 字,截短并以“…”结尾;全文在扩展数据中")
    bounds = np.array([layer.table.total_bounds for layer in layers if len(layer.table)]).reshape(-1, 4)
    place = (float(bounds[:, 0].min()), float(bounds[:, 1].min()) - 4 * _TEXT_M) if len(bounds) else (0.0, 0.0)
    doc.layers.add(NOTES, color=7)
    note = doc.modelspace().add_mtext("\\P".join(label_note(line) for line in lines), dxfattribs={
        "layer": NOTES, "style": _STYLE, "char_height": _TEXT_M, "attachment_point": 1, "insert": place})
    facts = {"crs": crs.to_string(), "layers": {layer.name: given[layer.name].to_string() for layer in layers}}
    note.set_xdata(APP, [(1000, ""), *((1000, text) for name, value in facts.items()
                                        for text in field_strings(name, value))])


DXF = Format("dxf", "DXF(R2000,GBK)", narrow=False, write=_write, read=read_drawing, kept=Kept(degrees=False))
