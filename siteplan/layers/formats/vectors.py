"""Vector files into raw tables: which reader each ending has, and which layers of a file are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyogrio

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.drawings import read_drawing
from siteplan.layers.formats.features import Cells, Opened, quietly, read_cells
from siteplan.layers.formats.layer_reading import LIBRARY_ERRORS, read_layer, unreadable
from siteplan.layers.formats.mapinfo import read_mapinfo
from siteplan.layers.formats.markup import read_geojson, read_kml
from siteplan.layers.formats.osm import TAGS, Selection, example_where, expand_tags, usual_selection, write_config
from siteplan.layers.formats.parquet import read_parquet
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.formats.scratch import scratch_folder
from siteplan.layers.formats.shapefile import read_shapefile
from siteplan.layers.where import quote_names
from siteplan.params import LayerSource
from siteplan.schema import layer_schema, normalise_word

_READERS = {".shp": read_shapefile, ".tab": read_mapinfo, ".mif": read_mapinfo, ".dxf": read_drawing, ".kml": read_kml,
            ".geojson": read_geojson, ".json": read_geojson, ".parquet": read_parquet, ".geoparquet": read_parquet}
_CONTAINERS = (".gpkg", ".fgb", ".gdb")
SUFFIXES = (*_READERS, *_CONTAINERS, ".pbf")
"""File name endings read here."""
_POINTERS = (b"ogrvrtdatasource", b"vrtdataset", b"gdal_streamed_alg")
"""Text by which GDAL takes a file for a list of other files, whatever its ending."""
_TEXT_START = 1 << 16


def read_vector(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read every wanted layer of a vector file; problems are logged.

    Parameters
    ----------
    path : Path
        A file, or a folder for a File Geodatabase.
    source : LayerSource
    log : FileLog

    Yields
    ------
    RawTable
        Cells and shapes as they stand in the file, one table per layer read.
    """
    suffix = path.suffix.lower()
    place = path.absolute()
    tables: list[RawTable] = []
    try:
        if _points_elsewhere(place):
            log.problem("内容指向别的文件（GDAL 虚拟格式），不读", "请提供方给出数据文件本身")
            return
        reader = _READERS.get(suffix) or (_read_osm if suffix == ".pbf" else _read_container)
        tables = list(reader(place, source, log))
    except LIBRARY_ERRORS as error:
        unreadable(error, place, log)
        return
    for raw in tables:
        if not len(raw.rows):
            log.line("", "", "", "note", "图层里没有要素", "核对文件、layer 和 where")
        yield raw


def _points_elsewhere(path: Path) -> bool:
    """Whether a text file would make GDAL open other files."""
    if path.is_dir():
        return False
    with path.open("rb") as stream:
        head = stream.read(_TEXT_START).lower()
    return any(word in head for word in _POINTERS) and path.suffix.lower() not in (".gpkg", ".fgb", ".pbf", ".parquet")


def _read_container(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """GeoPackage, FlatGeobuf, File Geodatabase."""
    opened = Opened(path)
    names = _layer_names(path, source, log)
    for name in names:
        raw = read_layer(opened, name, source, log, name if len(names) > 1 else "")
        if raw is not None:
            yield raw


def _layer_names(place: Path, source: LayerSource, log: FileLog) -> list[str]:
    """Layers to read: those of the study file; else the one that fits by name or by kind of geometry."""
    listed = quietly(pyogrio.list_layers, place)
    names = [str(name) for name in listed[:, 0]]
    if source.layer:
        wanted = _split(source.layer)
        wanted = [source.layer] if source.layer in names else wanted
        strange = [name for name in wanted if name not in names]
        if strange:
            log.mistake(f"没有图层“{'、'.join(strange)}”；有：{'、'.join(names[:40])}", "核对 layer", "layer")
            return []
        return wanted
    if not names:
        log.problem("文件里没有任何图层", "请提供方重新导出")
        return []
    if len(names) == 1:
        return names
    schema = layer_schema(log.layer)
    kinds = {str(name): str(kind).lower() for name, kind in listed}
    fitting = [name for name in names if _kind_fits(kinds[name], schema.geometry)] or names
    words = {normalise_word(log.layer), normalise_word(schema.zh)}
    chosen = next((name for name in fitting if normalise_word(name) in words), fitting[0])
    log.line("", "layer", chosen, "note", f"有 {len(names)} 个图层（{'、'.join(names[:8])}），读“{chosen}”", "需要别的图层时写明 layer")
    return [chosen]


def _kind_fits(found: str, wanted: str) -> bool:
    if found == "none":
        return wanted == "none"
    return wanted in ("any", "none") or wanted in found or found in ("unknown", "geometrycollection") or (
        wanted == "polygon" and "surface" in found) or (wanted == "line" and "curve" in found) or wanted == "point"


def _split(layer: str) -> list[str]:
    """Names of the study's ``layer``, each once.

    >>> _split("lines, points,lines")
    ['lines', 'points']
    """
    return list(dict.fromkeys(name.strip() for name in layer.split(",") if name.strip()))


def _read_osm(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read the layers of an OSM file; a tag that GDAL keeps in ``other_tags`` may be used in ``where`` too."""
    usual = None if source.where else usual_selection(log.layer)
    if not source.where and usual is None:
        log.mistake("OSM 文件里什么要素都有，没有写 where",
                    f'按标签写明要哪些要素，例如 where = "{example_where(log.layer)}"', "where")
        return
    names = _split(source.layer) if source.layer else _osm_layers(log)
    if usual is None:
        for name in names:
            yield _osm_layer(path, name, source, log)
        return
    found = [_usual_osm_layer(path, name, usual, source, log) for name in names]
    counts = "、".join(f"{name} {len(raw.rows)} 个（共 {total} 个）"
                      for name, (raw, total) in zip(names, found, strict=True))
    log.line("", "where", usual.where[:150], "assumed", f"OSM 文件未写明 where，按标签选：{usual.zh}；选出 {counts}",
             "核对；需要别的要素时写明 where")
    for raw, _ in found:
        yield raw


def _usual_osm_layer(path: Path, name: str, usual: Selection, source: LayerSource, log: FileLog,
                     ) -> tuple[RawTable, int]:
    """Features of one OSM layer that the usual selection takes, and how many there are in all."""
    with scratch_folder() as folder:
        opened = Opened(path, options={"CONFIG_FILE": str(write_config(str(folder), usual.areas))})
        cells = read_cells(opened, name, usual.where, None, "", log)
        total = quietly(pyogrio.read_info, path, layer=name, force_feature_count=True, **opened.options)["features"]
    return _osm_table(cells, name, source, log), int(total)


def _osm_layers(log: FileLog) -> list[str]:
    usual = {"point": ["points"], "polygon": ["multipolygons"], "line": ["lines"]}
    wanted = usual.get(layer_schema(log.layer).geometry, ["lines", "multipolygons"])
    chosen = ["points", "multipolygons"] if log.layer in ("facilities", "population") else wanted
    log.line("", "layer", ",".join(chosen), "assumed", "OSM 文件未写明 layer", "需要别的要素时写明 layer")
    return chosen


def _osm_layer(path: Path, name: str, source: LayerSource, log: FileLog) -> RawTable:
    where = quote_names(source.where or "")
    try:
        cells = read_cells(Opened(path), name, where, None, "", log)
    except (ValueError, OSError):
        with scratch_folder() as folder:
            options = {"CONFIG_FILE": str(write_config(str(folder)))}
            cells = read_cells(Opened(path, options=options), name, where, None, "", log)
    log.line("", "layer", name, "note", f"OSM 图层 {name}：按 where 条件（{source.where}）读入 {len(cells.rows)} 个要素",
             "无需处理")
    return _osm_table(cells, name, source, log)


def _osm_table(cells: Cells, name: str, source: LayerSource, log: FileLog) -> RawTable:
    words = {word for spec in layer_schema(log.layer).fields.values() for word in spec.accepts}
    frame, labels = expand_tags(cells.frame, name, words | {*TAGS, *source.columns.values()})
    return RawTable(frame, labels, cells.geometry, cells.crs, "utf-8")
