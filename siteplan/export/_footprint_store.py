"""Footprints in a folder: arrays that open as memory maps, for candidates whose runs do not fit into memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.coverage import Footprints
from siteplan.errors import ExportError
from siteplan.export._staging import write_files

HEADER = "footprints.json"
FORMAT, VERSION = "siteplan footprints", 1
RUN_COLUMNS = ("row", "first", "last")
"""Columns of the runs, one file (``row.npy``, ...) each; ``indptr.npy`` and ``site_ids.npy`` stand beside them."""


class _GrowingArray:
    """A ``.npy`` file of one dimension that is written piece by piece; its header is mended at the end."""

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self.size = 0
        self._dtype = dtype
        self._file: BinaryIO = path.open("wb")
        self._header()
        self._begin = self._file.tell()

    def _header(self) -> None:
        described = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (self.size,)}
        np.lib.format.write_array_header_1_0(self._file, described)

    def add(self, values: NDArray[Any]) -> None:
        """Write further values."""
        self._file.write(np.ascontiguousarray(values, self._dtype).data)
        self.size += values.size

    def close(self, *, complete: bool) -> None:
        """Close the file; ``complete``: its header now tells the length."""
        with self._file:
            if complete:
                self._file.seek(0)
                self._header()
                if self._file.tell() != self._begin:
                    raise ExportError(f"覆盖范围文件 {self._file.name} 的文件头长度有变,未能写出")


def write_footprints(parts: Iterable[Footprints], folder: Path) -> Footprints:
    """Write footprints into a folder as they come, and open them from there.

    Parameters
    ----------
    parts : iterable of Footprints
        As :func:`siteplan.coverage.footprint_parts` yields them, or ``[footprints]``; one part at least. Only one is
        held at a time.
    folder : Path
        Made when absent. Files of footprints that are there already are replaced when all new ones are ready; arrays
        that are open keep the old ones (except on Windows, where they bar the way).

    Returns
    -------
    Footprints
        All sites in the order of the parts, the runs as memory maps.

    Raises
    ------
    ExportError
        When there is no part, when parts are of different grids or probabilities or a site comes twice, or a file
        cannot be written; the folder is then as before.
    """
    def ready(place: Path) -> None:
        _write(parts, place.parent)
        open_footprints(place.parent)

    write_files(folder, [(HEADER, ready)])
    return open_footprints(folder)


def _write(parts: Iterable[Footprints], folder: Path) -> None:
    columns: dict[str, _GrowingArray] = {}
    like: Footprints | None = None
    names: list[str] = []
    counts: list[NDArray[np.int64]] = []
    complete = False
    try:
        for part in parts:
            if like is None:
                like = part
                columns = {name: _GrowingArray(folder / f"{name}.npy", part.row.dtype) for name in RUN_COLUMNS}
            if part.geobox != like.geobox or part.probability != like.probability:
                raise ExportError("覆盖范围各部分的栅格或概率不一致,未能写出")
            names.extend(part.site_ids)
            counts.append(np.diff(part.indptr))
            for name, column in columns.items():
                column.add(getattr(part, name))
        complete = True
    finally:
        for column in columns.values():
            column.close(complete=complete)
    if like is None or len(set(names)) < len(names):
        raise ExportError("没有可写的覆盖范围,或有站址重复,未能写出")
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    np.save(folder / "indptr.npy", indptr)
    np.save(folder / "site_ids.npy", np.array(names, np.str_))
    crs = like.geobox.crs
    header = {"format": FORMAT, "version": VERSION, "crs": None if crs is None else crs.to_wkt(),
              "transform": list(like.geobox.affine)[:6], "shape": [int(edge) for edge in like.geobox.shape],
              "probability": like.probability, "sites": len(names), "runs": int(indptr[-1])}
    (folder / HEADER).write_text(json.dumps(header, ensure_ascii=False, indent=1), "utf-8")


def open_footprints(folder: Path) -> Footprints:
    """Open footprints that :func:`write_footprints` wrote; the runs are read from disk as they are asked for.

    Raises
    ------
    ExportError
        When the folder holds none, or they are not whole.
    """
    try:
        header = json.loads((folder / HEADER).read_text("utf-8"))
        if (header["format"], header["version"]) != (FORMAT, VERSION):
            raise ValueError("format")
        load = partial(np.load, allow_pickle=False)
        indptr, names = load(folder / "indptr.npy"), load(folder / "site_ids.npy")
        row, first, last = (_mapped(folder / f"{name}.npy", int(header["runs"])) for name in RUN_COLUMNS)
        if indptr.shape != (header["sites"] + 1,) or names.shape != (header["sites"],) or indptr[-1] != row.size:
            raise ValueError("length")
        box = GeoBox(tuple(header["shape"]), Affine(*header["transform"]), header["crs"])
        return Footprints(box, tuple(names.tolist()), float(header["probability"]), indptr, row, first, last)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{folder} 中没有完整的覆盖范围文件:{error}") from error


def _mapped(path: Path, runs: int) -> NDArray[Any]:
    """An array of runs as a memory map; an empty one cannot be mapped and is read."""
    out = np.load(path, mmap_mode="r" if runs else None, allow_pickle=False)
    if out.shape != (runs,):
        raise ValueError(f"{path.name}: {out.shape[0]} runs, not {runs}")
    return np.asarray(out) if not runs else out
