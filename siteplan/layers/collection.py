"""What reading gives: tables and rasters in the study CRS, file facts, the input ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.errors import Problem
from siteplan.input_ledger import InputLedger
from siteplan.layers.finding import Alignment
from siteplan.layers.kinds import empty_table


@dataclass(frozen=True)
class Raster:
    """One raster: float32 array (row, col), row 0 north, NaN = no data, beside its GeoBox (any CRS).

    ``filled`` (bool, row, col) is True where a void was filled from around it; None where nothing was filled.
    """

    array: NDArray[np.float32]
    geobox: GeoBox
    filled: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class InputFile:
    """Facts of one input file; ``rows_in + rows_made = rows_kept + rows_refused`` (all 0 for rasters).

    ``rows_made`` are those that splitting a row adds (three azimuths in one cell make two more rows); ``problem`` says
    why a file gave nothing, and is empty otherwise.
    """

    layer: str
    file: str
    bytes: int
    sha256: str
    encoding: str
    crs: str
    datum: str
    rows_in: int
    rows_kept: int
    rows_refused: int
    rows_made: int = 0
    problem: str = ""


def no_refused(crs: pyproj.CRS | None) -> gpd.GeoDataFrame:
    """A table of refused rows without a row."""
    empty = pd.Series([], dtype="str")
    return gpd.GeoDataFrame({"layer": empty, "file": empty, "row": empty, "reason": empty}, geometry=[], crs=crs)


@dataclass(frozen=True)
class Layers:
    """Everything that was read.

    Attributes
    ----------
    crs : pyproj.CRS
        Study CRS.
    tables : mapping of str to GeoDataFrame
        Vector layers, in the study CRS, indexed by their key.
    rasters : mapping of str to Raster
    ledger : InputLedger
        One line per refused, repaired or assumed value.
    files : tuple of InputFile
    problems : tuple of Problem
        What would stop a run; always empty from ``read_layers``.
    alignments : tuple of Alignment
        How each file that could be judged lies against buildings or roads.
    refused : GeoDataFrame
        Rows that were refused and have a place: ``layer, file, row, reason``, geometry in the study CRS.
    """

    crs: pyproj.CRS
    tables: Mapping[str, gpd.GeoDataFrame]
    rasters: Mapping[str, Raster]
    ledger: InputLedger
    files: tuple[InputFile, ...]
    problems: tuple[Problem, ...] = ()
    alignments: tuple[Alignment, ...] = ()
    refused: gpd.GeoDataFrame = field(default_factory=lambda: no_refused(None))

    def has(self, name: str) -> bool:
        """Whether a layer was read (a table with rows, or a raster)."""
        return name in self.rasters or (name in self.tables and len(self.tables[name]) > 0)

    def table(self, name: str) -> gpd.GeoDataFrame:
        """The table of a layer; empty with the canonical columns when it is absent."""
        return self.tables[name] if name in self.tables else empty_table(name, self.crs)

    def raster(self, name: str) -> Raster | None:
        """The raster of a layer, or None."""
        return self.rasters.get(name)
