"""Read every layer of a study: the edge in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan import crs as crs_module
from siteplan.errors import CrsError, LayerError, Problem
from siteplan.input_ledger import InputLedger
from siteplan.layers.alignment import check_alignment, tell_alignment
from siteplan.layers.collection import InputFile, Layers, Raster, no_refused
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats import rasters
from siteplan.layers.formats.opening import digest, holds_raster, is_raster, open_raster, open_tables
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.places.placing import place_rows, unswap
from siteplan.layers.study_columns import ColumnCheck
from siteplan.layers.typing_rows import (
    Frame,
    TypedRows,
    finish_table,
    fit_columns,
    type_rows,
)
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, REQUIRED_PAIRS, LayerSource
from siteplan.venues import VenueCatalogue

FIRST = ("boundary", "villages", "zones")
"""Read before the others: the first of them that is there says where the study is."""
ESSENTIAL = ("boundary", "ground", "heights", "villages", "zones", "stations")
"""A layer of these that is named must be usable; other layers are left out with a ledger line."""


def read_layers(sources: Mapping[str, LayerSource | Sequence[LayerSource]], crs: Any, root: Path | str,
                context_m: float = 3000.0, venues: VenueCatalogue | None = None) -> Layers:
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
    venues : VenueCatalogue, optional
        Classes that facilities are sorted into, and departments; the package's when absent.

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
    reader, found = _read(sources, crs, Path(root), context_m, venues)
    if found.problems:
        mistaken = all(problem in reader.mistakes for problem in found.problems)
        others = [problem for problem in reader.problems if problem not in found.problems]
        raise LayerError("研究文件写的列名或条件与数据对不上：" if mistaken else "必需图层不能使用：", [*found.problems, *others])
    return found


def inspect_layers(sources: Mapping[str, LayerSource | Sequence[LayerSource]], crs: Any, root: Path | str,
                   context_m: float = 3000.0, venues: VenueCatalogue | None = None) -> Layers:
    """As `read_layers`, for a look at the data: what would stop a run is in ``Layers.problems`` instead.

    Raises
    ------
    LayerError
        No layer tells where the study is, so no CRS can be chosen.
    CrsError
        `crs` is refused.
    """
    return _read(sources, crs, Path(root), context_m, venues)[1]


def _read(sources: Mapping[str, LayerSource | Sequence[LayerSource]], crs: Any, root: Path, context_m: float,
          venues: VenueCatalogue | None = None) -> tuple[_Reader, Layers]:
    reader = _Reader(root, venues)
    unknown = [name for name in sources if name not in LAYER_NAMES]
    reader.problems += [Problem(name, "", "", "", "没有这个图层名", f"可用：{'、'.join(LAYER_NAMES)}") for name in unknown]
    ordered = {name: [given] if isinstance(given := sources[name], LayerSource) else list(given)
               for name in (*FIRST, *LAYER_NAMES) if name in sources}
    chosen = crs_module.require_projected(crs) if crs is not None else reader.choose_crs(ordered)
    frame = Frame(chosen, None, None, context_m)
    for name, layer in ordered.items():
        if _is_raster_layer(name, layer, root):
            reader.read_raster_layer(name, layer, frame)
        else:
            reader.read_table_layer(name, layer, frame)
        if frame.area is None and name in FIRST and name in reader.tables:
            frame = frame_of(chosen, reader.tables[name], context_m)
            if frame.box is not None and not np.isfinite(frame.box).all():
                reader.problems.append(Problem(name, _names(layer), "", "crs", "坐标超出研究坐标系的范围，换算不成经纬度",
                                               "核对该图层的坐标和 crs，以及 [study] 的 crs"))
                frame = Frame(chosen, None, None, context_m)
    fatal = reader.fatal_problems(ordered)
    order = {(name, path): number for number, (name, path) in enumerate(
        (name, file) for name in LAYER_NAMES if name in ordered for _, _, file in _files(ordered[name]))}
    files = sorted(reader.files, key=lambda file: order[file.layer, file.file])
    found = Layers(chosen, MappingProxyType(reader.tables), MappingProxyType(reader.rasters), reader.ledger,
                   tuple(files), tuple(fatal), refused=with_reasons(reader.refused, reader.ledger, chosen))
    alignments = check_alignment(found)
    tell_alignment(alignments, found.ledger)
    return reader, replace(found, alignments=alignments)


def _files(sources: Sequence[LayerSource]) -> list[tuple[LayerSource, str, str]]:
    """Every file of a layer: the source that names it, its path, and what it is called in ledger and tables.

    A file that is named twice (two members of a zip, two layers of a GeoPackage) is two files by name.
    """
    found = [(source, path) for source in sources
             for path in ([source.path] if isinstance(source.path, str) else source.path)]
    paths = [path for _, path in found]
    parts = [(source.member or source.layer or source.where or "").rpartition("/")[2] for source, _ in found]
    names = [path if paths.count(path) == 1 else f"{path}（{part}）" for path, part in zip(paths, parts, strict=True)]
    return [(*pair, name if names.count(name) == 1 else f"{name}#{names[:place + 1].count(name)}")
            for place, (pair, name) in enumerate(zip(found, names, strict=True))]


def _names(sources: Sequence[LayerSource]) -> str:
    return "、".join(path for _, path, _ in _files(sources))


def _is_raster_layer(name: str, sources: Sequence[LayerSource], root: Path) -> bool:
    return name in RASTER_LAYERS or (name == "population" and all(
        holds_raster(root / path, source) for source, path, _ in _files(sources)))


def frame_of(crs: pyproj.CRS, boundary: gpd.GeoDataFrame, context_m: float) -> Frame:
    """Where a study is that has this boundary; its box is not finite where the boundary lies off its CRS."""
    inner = boundary.geometry.union_all()
    area = inner.buffer(context_m)
    lonlat = crs_module.transform_geometry([shapely.box(*area.bounds).segmentize(5000.0)], crs, 4326)[0]
    west, south, east, north = lonlat.bounds
    return Frame(crs, area, (west, south, east, north), context_m, inner)


EMPTY_IS_NONE = {"stations": "工参表没有一行数据，按没有现有基站计算：全部区域都是覆盖空洞"}
"""Layers whose table may be empty, and what that means."""


class _Reader:
    """Collects tables, rasters, files, lines and problems while layers are read."""

    def __init__(self, root: Path, venues: VenueCatalogue | None) -> None:
        self.root = root
        self.venues = venues
        self.ledger = InputLedger()
        self.tables: dict[str, gpd.GeoDataFrame] = {}
        self.rasters: dict[str, Raster] = {}
        self.files: list[InputFile] = []
        self.problems: list[Problem] = []
        self.mistakes: list[Problem] = []
        self.refused: list[gpd.GeoDataFrame] = []

    def choose_crs(self, sources: Mapping[str, Sequence[LayerSource]]) -> pyproj.CRS:
        """The zone of the boundary, or of the first vector layer that can be read."""
        met: list[Problem] = []
        for name, layer in sources.items():
            if _is_raster_layer(name, layer, self.root) or name in ("decisions", "secrecy"):
                continue
            for source, path, file in _files(layer):
                log = FileLog(name, file, InputLedger())
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
                self.ledger.add("study", "", "", "crs", crs_module.crs_name(chosen), "assumed", reason, remedy)
                return chosen
        lost = Problem("study", "", "", "crs", "没有一个图层能读出位置，选不了坐标系", "改正各图层的问题，或在 [study] 写明 crs")
        raise LayerError("必需图层不能使用：", [*self.required_problems(), *dict.fromkeys(met), lost])

    def read_table_layer(self, name: str, sources: Sequence[LayerSource], frame: Frame) -> None:
        """Read all files of a vector layer."""
        parts: list[TypedRows] = []
        paths: list[str] = []
        facts: list[InputFile] = []
        problems: list[Problem] = []
        checks = {id(source): ColumnCheck(name, source, _names([source])) for source in sources}
        for source, path, file in _files(sources):
            log = FileLog(name, file, self.ledger, self.venues)
            typed, encodings = [], []
            for raw in open_tables(self.root / path, source, log):
                found = type_rows(raw, checks[id(source)].fit(raw, log), frame, log)
                if found is not None:
                    typed.append(found)
                    encodings.append(raw.encoding)
            problems += log.problems
            self.mistakes += log.mistakes
            if not typed:
                self.files.append(self.lost_file(log, path))
            else:
                parts += typed
                paths += [file] * len(typed)
                facts.append(InputFile(
                    name, file, *digest(self.root / path), encodings[0], typed[0].crs, typed[0].datum,
                    sum(part.rows_in for part in typed), 0, 0, sum(part.rows_made for part in typed)))
        wrong = [mistake for check in checks.values() for mistake in check.mistakes()]
        table = finish_table(name, parts, frame, self.ledger) if any(len(part.table) for part in parts) else None
        self.refused += refused_places(name, paths, parts, table)
        none = name in EMPTY_IS_NONE and not any(fact.rows_in for fact in facts) and not any(s.where for s in sources)
        for fact in facts:
            kept = 0 if table is None else int((table["source_file"] == fact.file).sum())
            refused = fact.rows_in + fact.rows_made - kept
            problem = "" if fact.rows_in or none else "没有一行数据（文件是空的，或 where 没有选出）"
            self.files.append(replace(fact, rows_kept=kept, rows_refused=refused, problem=problem))
        if table is not None and len(table):
            self.tables[name] = table
        elif none and facts and not problems and not wrong:
            self.ledger.add(name, _names(sources), "", "", "", "note", EMPTY_IS_NONE[name], "确认不是导出时漏了数据")
        elif not problems and not wrong:
            problems.append(Problem(name, _names(sources), "", "", "没有一行可用", "见数据问题清单中拒收的行"))
        self.problems += [*problems, *wrong]
        self.mistakes += wrong

    def lost_file(self, log: FileLog, path: str) -> InputFile:
        """Facts of a file that gave nothing."""
        try:
            size, sha256 = digest(self.root / path)
        except (OSError, ValueError):  # not there, too long a name, no permission: the problem says so
            size, sha256 = 0, ""
        why = log.problems[0].reason if log.problems else ("在研究范围之外" if is_raster(path) else "没有可用的图层")
        return InputFile(log.layer, log.file, size, sha256, "", "", "", 0, 0, 0, problem=why)

    def read_raster_layer(self, name: str, sources: Sequence[LayerSource], frame: Frame) -> None:
        """Read all tiles of a raster layer that touch the study."""
        parts, log = [], FileLog(name, _names(sources), self.ledger, self.venues)
        if any(source.columns for source in sources):
            log.mistake("栅格图层没有列，不用 columns", "删去 columns，或换用矢量文件", "columns")
            self.problems += log.problems
            self.mistakes += log.mistakes
        for source, path, file in _files(sources):
            log = FileLog(name, file, self.ledger, self.venues)
            found = open_raster(self.root / path, source, log, frame.box)
            self.problems += log.problems
            self.mistakes += log.mistakes
            if found is None:
                self.files.append(self.lost_file(log, path))
            else:
                parts.append(_shifted(*found, source, log))
                crs = found[1].crs
                text = "" if crs is None else crs_module.crs_name(pyproj.CRS.from_user_input(str(crs)))
                self.files.append(InputFile(name, file, *digest(self.root / path), "", text, "", 0, 0, 0))
        log = FileLog(name, _names(sources), self.ledger, self.venues)
        if parts:
            joined = rasters.join_rasters(parts, log)
            if joined is not None:
                self.rasters[name] = _raster(name, *joined, log)
        elif not any(problem.layer == name for problem in self.problems):
            log.problem("没有一个栅格落在研究范围内", "核对坐标系和范围")
        self.problems += log.problems

    def fatal_problems(self, sources: Mapping[str, Sequence[LayerSource]]) -> list[Problem]:
        """What stops a run: an unusable required layer, a mistake of the study file. Other problems become lines."""
        fatal = self.required_problems()
        for pair in REQUIRED_PAIRS:
            if not any(name in sources for name in pair):
                fatal.append(Problem(pair[0], "", "", "", f"缺少必需图层：{pair[0]} 或 {pair[1]}",
                                     f"在研究文件增加 [layers.{pair[0]}] 或 [layers.{pair[1]}]"))
        for problem in self.problems:
            self.ledger.add(problem.layer, problem.file, "", problem.field, "", "refused", problem.reason,
                            problem.remedy)
        return fatal

    def required_problems(self) -> list[Problem]:
        """Problems met so far that stop a run."""
        return [problem for problem in self.problems if problem.layer in ESSENTIAL
                or problem.layer not in LAYER_NAMES or problem in self.mistakes]


def refused_places(layer: str, paths: Sequence[str], parts: Sequence[TypedRows], table: gpd.GeoDataFrame | None,
                   ) -> list[gpd.GeoDataFrame]:
    """Refused rows of each file that have a place: those that typing refused, and those refused as repeated."""
    all_kept = table is not None and len(table) == sum(len(part.table) for part in parts)
    kept = set() if table is None or all_kept else set(zip(table["source_file"], table["source_row"], strict=True))
    out = []
    for path, part in zip(paths, parts, strict=True):
        repeated = np.zeros(len(part.table), dtype=bool)
        if not all_kept:
            repeated |= np.array([(path, row) not in kept for row in part.table["source_row"]], dtype=bool)
            repeated &= ~shapely.is_missing(part.shapes)
        rows = np.concatenate([part.lost[0], part.table["source_row"].to_numpy(dtype=object)[repeated]])
        shapes = np.concatenate([part.lost[1], part.shapes[repeated]])
        if len(rows):
            out.append(gpd.GeoDataFrame({"layer": layer, "file": path, "row": rows}, geometry=shapes))
    return out


def with_reasons(parts: Sequence[gpd.GeoDataFrame], ledger: InputLedger, crs: pyproj.CRS) -> gpd.GeoDataFrame:
    """Refused rows of all layers with the first reason the ledger gives."""
    if not parts:
        return no_refused(crs)
    reasons: dict[tuple[str, str, str], str] = {}
    for line in ledger:
        if line.action == "refused":
            reasons.setdefault((line.layer, line.file, line.row), line.reason)
    joined = pd.concat(parts, ignore_index=True)
    why = [reasons.get(place, "") for place in zip(joined["layer"], joined["file"], joined["row"], strict=True)]
    return gpd.GeoDataFrame(joined.assign(reason=pd.Series(why, dtype="str")), geometry="geometry", crs=crs)


def _shifted(array: NDArray[np.float32], geobox: GeoBox, source: LayerSource, log: FileLog,
             ) -> tuple[NDArray[np.float32], GeoBox]:
    """The raster moved by the ``shift_m`` of the study."""
    if source.shift_m is None:
        return array, geobox
    east, north = source.shift_m
    box = geobox.boundingbox
    if geobox.crs is not None and geobox.crs.geographic:
        degrees = 1.0 / 111_320.0
        east, north = east * degrees / np.cos(np.radians((box.bottom + box.top) / 2.0)), north * degrees
    log.line("", "geometry", f"[{source.shift_m[0]:g}, {source.shift_m[1]:g}]", "assumed",
             "按研究文件 shift_m 整层平移（东、北，m）", "来源改正后去掉 shift_m")
    return array, GeoBox(geobox.shape, Affine.translation(east, north) * geobox.transform, geobox.crs)


def _raster(name: str, array: NDArray[np.float32], geobox: GeoBox, log: FileLog) -> Raster:
    """One raster; voids of the ground are filled from around, with a mask."""
    if name != "ground":
        return Raster(array, geobox)
    filled, mask = rasters.fill_voids(array, geobox, log)
    return Raster(filled, geobox, mask)


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
        except CrsError as error:
            log.problems += [replace(problem, layer=log.layer, file=log.file) for problem in error.problems]
            continue
        if np.isfinite(lon) and np.isfinite(lat):
            return float(lon), float(lat)
    return None
