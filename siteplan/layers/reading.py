"""Read every layer of a study: the edge in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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
from siteplan.layers.collection import InputFile, Layers, Raster
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats import rasters
from siteplan.layers.formats.opening import digest, is_raster, open_raster, open_tables
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.study_columns import ColumnCheck
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
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, REQUIRED_PAIRS, LayerSource

"""Of each pair at least one layer must be usable."""
ESSENTIAL = ("boundary", "ground", "heights", "villages", "zones")
"""A layer of these that is named must be usable; other layers are left out with a ledger line."""


def read_layers(sources: Mapping[str, LayerSource | Sequence[LayerSource]], crs: Any, root: Path | str,
                context_m: float = 3000.0) -> Layers:
    """Read all layers of a study into its CRS, with one ledger line per refused, repaired or assumed value.

    Parameters
    ----------
    sources : mapping of str to LayerSource, or to several
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
    ordered = {name: [given] if isinstance(given := sources[name], LayerSource) else list(given)
               for name in LAYER_NAMES if name in sources}
    chosen = crs_module.require_projected(crs) if crs is not None else reader.choose_crs(ordered)
    frame = Frame(chosen, None, None, context_m)
    for name, layer in ordered.items():
        if _is_raster_layer(name, layer):
            reader.read_raster_layer(name, layer)
        else:
            reader.read_table_layer(name, layer, frame)
        if name == "boundary" and name in reader.tables:
            frame = _frame(chosen, reader.tables[name], context_m)
    reader.check_required(ordered)
    return Layers(chosen, MappingProxyType(reader.tables), MappingProxyType(reader.rasters), reader.ledger,
                  tuple(reader.files))


def _files(sources: Sequence[LayerSource]) -> list[tuple[LayerSource, str]]:
    """Every file of a layer, with the source that names it."""
    return [(source, path) for source in sources
            for path in ([source.path] if isinstance(source.path, str) else source.path)]


def _names(sources: Sequence[LayerSource]) -> str:
    return "、".join(path for _, path in _files(sources))


def _is_raster_layer(name: str, sources: Sequence[LayerSource]) -> bool:
    return name in RASTER_LAYERS or (name == "population" and all(is_raster(path) for _, path in _files(sources)))


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

    def choose_crs(self, sources: Mapping[str, Sequence[LayerSource]]) -> pyproj.CRS:
        """The zone of the boundary, or of the first vector layer that can be read."""
        met: list[Problem] = []
        for name, layer in sources.items():
            if _is_raster_layer(name, layer) or name == "decisions":
                continue
            for source, path in _files(layer):
                log = FileLog(name, path, InputLedger())
                centre = _centre(open_tables(self.root / path, source, log), source, log)
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

    def read_table_layer(self, name: str, sources: Sequence[LayerSource], frame: Frame) -> None:
        """Read all files of a vector layer."""
        parts: list[TypedRows] = []
        facts: list[InputFile] = []
        problems: list[Problem] = []
        checks = {id(source): ColumnCheck(name, source, _names([source])) for source in sources}
        for source, path in _files(sources):
            log = FileLog(name, path, self.ledger)
            typed, encodings = [], []
            for raw in open_tables(self.root / path, source, log):
                found = type_rows(raw, checks[id(source)].fit(raw, log), frame, log)
                if found is not None:
                    typed.append(found)
                    encodings.append(raw.encoding)
            problems += log.problems
            self.mistakes += log.mistakes
            if typed:
                parts += typed
                facts.append(InputFile(
                    name, path, *digest(self.root / path), encodings[0], typed[0].crs, typed[0].datum,
                    sum(part.rows_in for part in typed), 0, 0, sum(part.rows_made for part in typed)))
        wrong = [mistake for check in checks.values() for mistake in check.mistakes()]
        table = finish_table(name, parts, frame, self.ledger) if any(len(part.table) for part in parts) else None
        for fact in facts:
            kept = 0 if table is None else int((table["source_file"] == fact.file).sum())
            refused = fact.rows_in + fact.rows_made - kept
            self.files.append(replace(fact, rows_kept=kept, rows_refused=refused))
        if table is not None and len(table):
            self.tables[name] = table
        elif not problems and not wrong:
            problems.append(Problem(name, _names(sources), "", "", "没有一行可用", "见数据问题清单中被拒绝的行"))
        self.problems += [*problems, *wrong]
        self.mistakes += wrong

    def read_raster_layer(self, name: str, sources: Sequence[LayerSource]) -> None:
        """Read all tiles of a raster layer."""
        parts, log = [], FileLog(name, _names(sources), self.ledger)
        if any(source.columns for source in sources):
            log.mistake("栅格图层没有列，不用 columns", "删去 columns，或换用矢量文件", "columns")
            self.problems += log.problems
            self.mistakes += log.mistakes
        for source, path in _files(sources):
            log = FileLog(name, path, self.ledger)
            try:
                found = open_raster(self.root / path, source, log)
            except CrsError as error:
                found = None
                log.problem(error.problems[0].reason, error.problems[0].remedy, "crs")
            self.problems += log.problems
            if found is not None:
                parts.append(found)
                crs = found[1].crs
                text = "" if crs is None else crs_text(pyproj.CRS.from_user_input(str(crs)))
                self.files.append(InputFile(name, path, *digest(self.root / path), "", text, "", 0, 0, 0))
        if parts:
            log = FileLog(name, _names(sources), self.ledger)
            joined = rasters.join_rasters(parts, log)
            self.problems += log.problems
            if joined is not None:
                self.rasters[name] = Raster(*joined)

    def check_required(self, sources: Mapping[str, Sequence[LayerSource]], more: list[Problem] | None = None) -> None:
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
