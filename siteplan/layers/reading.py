"""Read every layer of a study: the edge in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import shapely

from siteplan import crs as crs_module
from siteplan.errors import CrsError, LayerError, Problem
from siteplan.input_ledger import InputLedger
from siteplan.layers import ground, spreadsheets, vectors
from siteplan.layers.collection import InputFile, Layers, Raster
from siteplan.layers.file_log import FileLog
from siteplan.layers.raw_table import RawTable
from siteplan.layers.typing_rows import (
    Frame,
    TypedRows,
    crs_text,
    finish_table,
    fit_columns,
    place_rows,
    type_rows,
    unswap,
)
from siteplan.layers.where import column_remedy, nearest_field, override_keys
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, REQUIRED_PAIRS, LayerSource

"""Of each pair at least one layer must be usable."""
ESSENTIAL = ("boundary", "ground", "heights", "villages", "zones")
"""A layer of these that is named must be usable; other layers are left out with a ledger line."""
_TABLE_SUFFIXES = (".csv", ".txt", ".xlsx", ".xlsm")
_SIDECARS = {".shp": (".shp", ".shx", ".dbf", ".prj", ".cpg"), ".tab": (".tab", ".dat", ".map", ".id", ".ind"),
             ".mif": (".mif", ".mid")}


def read_layers(sources: Mapping[str, LayerSource], crs: Any, root: Path | str, context_m: float = 3000.0) -> Layers:
    """Read all layers of a study into its CRS, with one ledger line per refused, repaired or assumed value.

    Parameters
    ----------
    sources : mapping of str to LayerSource
        By layer name.
    crs : str, int, pyproj.CRS or None
        Study CRS, projected, metres. None = the CGCS2000 3-degree zone of the boundary (or else of the first vector
        layer); UTM outside China.
    root : Path
        Folder that paths are relative to.
    context_m : float
        Features farther outside the boundary are refused, m.

    Returns
    -------
    Layers

    Raises
    ------
    LayerError
        A required layer cannot be used, with every problem of every layer.
    CrsError
        `crs` is refused.
    """
    reader = _Reader(Path(root))
    unknown = [name for name in sources if name not in LAYER_NAMES]
    reader.problems += [Problem(name, "", "", "", "没有这个图层名", f"可用：{'、'.join(LAYER_NAMES)}") for name in unknown]
    ordered = {name: sources[name] for name in LAYER_NAMES if name in sources}
    chosen = crs_module.require_projected(crs) if crs is not None else reader.choose_crs(ordered)
    frame = Frame(chosen, None, None, context_m)
    for name, source in ordered.items():
        if name in RASTER_LAYERS or (name == "population" and _is_raster(source)):
            reader.read_raster_layer(name, source)
        else:
            reader.read_table_layer(name, source, frame)
        if name == "boundary" and name in reader.tables:
            frame = _frame(chosen, reader.tables[name], context_m)
    reader.check_required(ordered)
    return Layers(chosen, MappingProxyType(reader.tables), MappingProxyType(reader.rasters), reader.ledger,
                  tuple(reader.files))


def _paths(source: LayerSource) -> list[str]:
    return [source.path] if isinstance(source.path, str) else list(source.path)


def _is_raster(source: LayerSource) -> bool:
    return all(Path(path).suffix.lower() in ground.SUFFIXES for path in _paths(source))


def _frame(crs: pyproj.CRS, boundary: gpd.GeoDataFrame, context_m: float) -> Frame:
    area = boundary.geometry.union_all().buffer(context_m)
    lonlat = crs_module.transform_geometry([shapely.box(*area.bounds).segmentize(5000.0)], crs, 4326)[0]
    west, south, east, north = lonlat.bounds
    return Frame(crs, area, (west, south, east, north), context_m)


class _Reader:
    """Collects tables, rasters, files, lines and problems while layers are read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ledger = InputLedger()
        self.tables: dict[str, gpd.GeoDataFrame] = {}
        self.rasters: dict[str, Raster] = {}
        self.files: list[InputFile] = []
        self.problems: list[Problem] = []
        self.mistakes: list[Problem] = []

    def raw_tables(self, path: str, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
        """Raw tables of one file; problems are logged."""
        full = self.root / path
        suffix = full.suffix.lower()
        if not full.exists():
            log.problem("文件不存在", f"核对路径（相对研究文件所在文件夹）：{path}")
        elif suffix in vectors.SUFFIXES:
            yield from vectors.read_vector(full, source, log)
        elif suffix in _TABLE_SUFFIXES:
            read = spreadsheets.read_xlsx if suffix.startswith(".xls") else spreadsheets.read_csv
            raw = read(full, source, log)
            if raw is not None:
                yield raw
        else:
            log.problem(f"不认识的格式 {suffix or '（无后缀）'}", "转为 gpkg、shp、geojson、tab、csv 或 xlsx（DWG 请转 DXF 再转 gpkg）")

    def choose_crs(self, sources: Mapping[str, LayerSource]) -> pyproj.CRS:
        """The zone of the boundary, or of the first vector layer that can be read."""
        met: list[Problem] = []
        for name, source in sources.items():
            if name in RASTER_LAYERS or (name == "population" and _is_raster(source)) or name == "decisions":
                continue
            for path in _paths(source):
                log = FileLog(name, path, InputLedger())
                centre = _centre(self.raw_tables(path, source, log), source, log)
                met += log.problems
                if centre is None:
                    continue
                try:
                    chosen = pyproj.CRS.from_epsg(crs_module.plan_epsg(centre[0]))
                    remedy = "研究区跨带或有指定坐标系时在 [study] 写明 crs"
                    reason = f"没有写明坐标系，按中心经度 {centre[0]:.3f} 选 CGCS2000 三度带"
                except CrsError:
                    chosen = pyproj.CRS.from_epsg(crs_module.utm_epsg(*centre))
                    remedy = "需要当地坐标系时在 [study] 写明 crs"
                    reason = f"中心经度 {centre[0]:.3f} 不在中国的三度带范围内，用 UTM"
                self.ledger.add("study", "", "", "crs", crs_text(chosen), "assumed", reason, remedy)
                return chosen
        lost = Problem("study", "", "", "crs", "没有一个图层能读出位置，选不了坐标系", "改正各图层的问题，或在 [study] 写明 crs")
        self.check_required(sources, [*dict.fromkeys(met), lost])
        raise CrsError("没有坐标系：请在 [study] 写明 crs")

    def read_table_layer(self, name: str, source: LayerSource, frame: Frame) -> None:
        """Read all files of a vector layer."""
        parts: list[TypedRows] = []
        facts: list[tuple[str, str, int, str, str]] = []
        problems: list[Problem] = []
        columns = _ColumnCheck(name, source)
        for path in _paths(source):
            log = FileLog(name, path, self.ledger)
            typed, encodings = [], []
            for raw in self.raw_tables(path, source, log):
                found = type_rows(raw, columns.fit(raw, log), frame, log)
                if found is not None:
                    typed.append(found)
                    encodings.append(raw.encoding)
            problems += log.problems
            self.mistakes += log.mistakes
            if typed:
                parts += typed
                facts.append((path, encodings[0], sum(part.rows_in for part in typed), typed[0].crs, typed[0].datum))
        table = finish_table(name, parts, frame, self.ledger) if any(len(part.table) for part in parts) else None
        for path, encoding, rows_in, crs, datum in facts:
            kept = 0 if table is None else int((table["source_file"] == path).sum())
            size, digest = _digest(self.root / path)
            self.files.append(InputFile(name, path, size, digest, encoding, crs, datum, rows_in, kept, rows_in - kept))
        if table is not None and len(table):
            self.tables[name] = table
        elif not problems and not columns.mistakes():
            problems.append(Problem(name, "、".join(_paths(source)), "", "", "没有一行可用", "见数据问题清单中被拒绝的行"))
        self.problems += [*problems, *columns.mistakes()]
        self.mistakes += columns.mistakes()

    def read_raster_layer(self, name: str, source: LayerSource) -> None:
        """Read all tiles of a raster layer."""
        parts, log = [], FileLog(name, "、".join(_paths(source)), self.ledger)
        if source.columns:
            log.mistake("栅格图层没有列，不用 columns", "删去 columns，或换用矢量文件", "columns")
            self.problems += log.problems
            self.mistakes += log.mistakes
        for path in _paths(source):
            log = FileLog(name, path, self.ledger)
            full = self.root / path
            found = None
            if not full.exists():
                log.problem("文件不存在", f"核对路径（相对研究文件所在文件夹）：{path}")
            else:
                try:
                    found = ground.read_raster(full, source, log)
                except CrsError as error:
                    log.problem(error.problems[0].reason, error.problems[0].remedy, "crs")
            self.problems += log.problems
            if found is not None:
                parts.append(found)
                crs = found[1].crs
                text = "" if crs is None else crs_text(pyproj.CRS.from_user_input(str(crs)))
                size, digest = _digest(full)
                self.files.append(InputFile(name, path, size, digest, "", text, "", 0, 0, 0))
        if parts:
            log = FileLog(name, "、".join(_paths(source)), self.ledger)
            joined = ground.join_rasters(parts, log)
            self.problems += log.problems
            if joined is not None:
                self.rasters[name] = Raster(*joined)

    def check_required(self, sources: Mapping[str, LayerSource], more: list[Problem] | None = None) -> None:
        """Raise if a required layer is unusable or the study file is mistaken; else optional layers get their lines."""
        fatal = [problem for problem in self.problems if problem.layer in ESSENTIAL
                 or problem.layer not in LAYER_NAMES or problem in self.mistakes]
        fatal += more or []
        for pair in REQUIRED_PAIRS:
            if not any(name in self.tables or name in self.rasters for name in pair) and more is None:
                named = [name for name in pair if name in sources]
                if not named:
                    fatal.append(Problem(pair[0], "", "", "", f"缺少必需图层：{pair[0]} 或 {pair[1]}",
                                         f"在研究文件增加 [layers.{pair[0]}] 或 [layers.{pair[1]}]"))
        if fatal:
            others = [problem for problem in self.problems if problem not in fatal]
            only_words = all(problem in self.mistakes for problem in fatal)
            raise LayerError("研究文件写的列名或条件与数据对不上：" if only_words else "必需图层不能使用：", [*fatal, *others])
        for problem in self.problems:
            self.ledger.add(problem.layer, problem.file, "", problem.field, "", "refused", problem.reason,
                            problem.remedy)


class _ColumnCheck:
    """The ``columns`` of a layer against its files: what no file has is a mistake of the study file."""

    def __init__(self, layer: str, source: LayerSource) -> None:
        self.layer = layer
        self.source = source
        self.met: set[str] = set()
        self.have: dict[str, None] = {}

    def fit(self, raw: RawTable, log: FileLog) -> LayerSource:
        """The source with the columns this table has; one line for each it has not."""
        columns = [str(column) for column in raw.frame.columns]
        if not columns or (not len(raw.frame) and log.file.lower().endswith(".pbf")):  # tags come with the features
            return self.source.model_copy(update={"columns": {}})
        fitted = fit_columns(raw, self.source)
        self.met |= set(fitted.columns)
        self.have |= dict.fromkeys(columns)
        for field, column in self.source.columns.items():
            if field not in fitted.columns:
                log.line("", f"columns.{field}", column, "note", "这个文件没有 columns 写的这一列，按列名自动识别", "核对列名")
        return fitted

    def mistakes(self) -> list[Problem]:
        """Fields the layer does not know, and columns that none of its files has."""
        found, files = [], "、".join(_paths(self.source))
        for field, column in self.source.columns.items():
            place = (self.layer, files, "", f"columns.{field}")
            if field not in override_keys(self.layer):
                near = nearest_field(self.layer, field)
                remedy = f"是否应为 {near}？" if near else f"可用：{'、'.join(override_keys(self.layer))}"
                found.append(Problem(*place, f"图层 {self.layer} 没有这个字段", remedy))
            elif self.have and field not in self.met:
                found.append(Problem(*place, f"文件没有“{column}”这一列", column_remedy(column, list(self.have))))
        return found


def _centre(raws: Iterator[RawTable], source: LayerSource, log: FileLog) -> tuple[float, float] | None:
    """Longitude and latitude of the middle of the first raw table that has a place."""
    for raw in raws:
        try:
            placed = place_rows(raw, fit_columns(raw, source), log)
            if placed is None or placed[0].geometry is None or placed[0].crs is None:
                continue
            located = unswap(placed[0], log, None)
            bounds = shapely.bounds(located.geometry)
            bounds = bounds[np.isfinite(bounds).all(axis=1)]
            if not len(bounds):
                continue
            x, y = np.median((bounds[:, 0] + bounds[:, 2]) / 2.0), np.median((bounds[:, 1] + bounds[:, 3]) / 2.0)
            lon, lat = crs_module.transform_points(x, y, located.crs, 4326)
        except CrsError:
            continue
        if np.isfinite(lon) and np.isfinite(lat):
            return float(lon), float(lat)
    return None


def _digest(path: Path) -> tuple[int, str]:
    """Bytes and sha256 of a file; of all its parts for a Shapefile, a TAB or a folder (.gdb), in order of name."""
    if path.is_dir():
        parts = sorted(item for item in path.rglob("*") if item.is_file())
    elif path.suffix.lower() in _SIDECARS:
        wanted = _SIDECARS[path.suffix.lower()]
        parts = sorted(item for item in path.parent.iterdir()
                       if item.stem == path.stem and item.suffix.lower() in wanted and item.is_file())
    else:
        parts = [path]
    digest, size = hashlib.sha256(), 0
    for part in parts:
        with part.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                size += len(block)
    return size, digest.hexdigest()
