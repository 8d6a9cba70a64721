"""What printed sheets are drawn from: the layers of a finished plan, and its rasters read window by window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from siteplan.errors import ExportError, Problem
from siteplan.export._raster import RSRP_STEPS
from siteplan.export.master import PlanLayers, plan_layers, read_plan_layers
from siteplan.plan import Plan

State = Literal["before", "after"]
What = Literal["probability", "rsrp"]
Bounds = tuple[float, float, float, float]
BANDS: Mapping[What, str] = {"probability": "probability", "rsrp": "best_rsrp_dbm"}
"""First word of the band's description, followed by words that hold ``ANY``."""
ANY = "任一5G网络"
FILES: Mapping[State, str] = {"before": "coverage_before.tif", "after": "coverage.tif"}


@dataclass(frozen=True)
class Band:
    """One array of the plan's grid: in memory, or a band of a file.

    Attributes
    ----------
    array : ndarray of float32 (row, col) or None
    path : Path or None
    number : int
        Of the band in the file, from 1.
    """

    array: NDArray[np.float32] | None = None
    path: Path | None = None
    number: int = 1


@dataclass(frozen=True)
class SheetContent:
    """A plan as sheets need it.

    Attributes
    ----------
    layers : PlanLayers
    geobox : GeoBox
        Of all rasters.
    coverage : mapping of (state, what) to Band
        ``before`` and ``after``; ``probability`` (0..1) and ``rsrp`` (dBm) of the best 5G network, NaN = no data.
    threshold_dbm : float
    demand : Band or None
        People (or what ``facts["study"]["demand_kind"]`` says) per pixel.
    font : str or None
        Font file or family that the study asks for.
    """

    layers: PlanLayers
    geobox: GeoBox
    coverage: Mapping[tuple[State, What], Band]
    threshold_dbm: float
    demand: Band | None = None
    font: str | None = field(default=None)

    @property
    def facts(self) -> Mapping[str, Any]:
        """``plan.json`` as it is read."""
        return self.layers.facts

    def table(self, name: str) -> gpd.GeoDataFrame:
        """A master layer; an empty one where the plan has none."""
        found = self.layers.layers.get(name)
        crs = self.geobox.crs and self.geobox.crs.to_wkt()
        return gpd.GeoDataFrame(geometry=[], crs=crs) if found is None else found


def content_of_folder(folder: Path) -> SheetContent:
    """Content of the folder of a finished plan.

    Parameters
    ----------
    folder : Path
        That ``siteplan run`` wrote.

    Raises
    ------
    ExportError
        A layer or a raster is missing or cannot be read; every problem is listed.

    Examples
    --------
    >>> content = content_of_folder(Path("results"))  # doctest: +SKIP
    """
    layers = read_plan_layers(folder)
    problems: list[Problem] = []
    coverage: dict[tuple[State, What], Band] = {}
    boxes: list[GeoBox] = []
    for state, file in FILES.items():
        path = folder / file
        try:
            with rasterio.open(path) as raster:
                boxes.append(GeoBox.from_rio(raster))
                names = [str(name or "") for name in raster.descriptions]
        except OSError as error:
            problems.append(Problem("coverage", file, "", "", f"不能读取:{error}", "重新运行 siteplan run"))
            continue
        for what, word in BANDS.items():
            number = next((number for number, name in enumerate(names, start=1)
                           if name.partition(" ")[0] == word and ANY in name), 0)
            if number:
                coverage[state, what] = Band(path=path, number=number)
            else:
                problems.append(Problem("coverage", file, "", word, f"没有“{ANY}”的这一波段", "重新运行 siteplan run"))
    if len(boxes) == len(FILES) and boxes[0] != boxes[1]:
        problems.append(Problem("coverage", FILES["before"], "", "", "与 coverage.tif 的格网不同", "重新运行 siteplan run"))
    if problems:
        raise ExportError(f"成果目录 {folder} 不能出图:", problems)
    return SheetContent(layers, boxes[0], coverage, _threshold(layers.facts), _demand_file(folder, boxes[0]),
                        _font(layers.facts))


def content_of_plan(plan: Plan) -> SheetContent:
    """Content of a plan that is still in memory; the same sheets as from the folder it is written to.

    Examples
    --------
    >>> content = content_of_plan(plan)  # doctest: +SKIP
    """
    arrays: dict[tuple[State, What], NDArray[np.float32]] = {}
    states: Mapping[State, Any] = {"before": plan.before, "after": plan.after}
    for state, coverage in states.items():
        best = coverage.any_5g()
        arrays[state, "probability"] = best.probability
        arrays[state, "rsrp"] = np.rint(best.rsrp_dbm * RSRP_STEPS) / RSRP_STEPS
    return content_of_arrays(plan_layers(plan), plan.after.geobox, arrays, plan.demand)


def content_of_arrays(layers: PlanLayers, geobox: GeoBox, arrays: Mapping[tuple[State, What], NDArray[np.float32]],
                      demand: NDArray[np.float32] | None = None) -> SheetContent:
    """Content of layers and arrays in memory, all arrays on the grid of ``geobox``."""
    bands = {key: Band(array=np.asarray(array, np.float32)) for key, array in arrays.items()}
    people = None if demand is None else Band(array=np.asarray(demand, np.float32))
    return SheetContent(layers, geobox, bands, _threshold(layers.facts), people, _font(layers.facts))


def _demand_file(folder: Path, geobox: GeoBox) -> Band | None:
    """Demand of the plan, where it is written and lies on the grid."""
    path = folder / "demand.tif"
    if not path.is_file():
        return None
    with rasterio.open(path) as raster:
        return Band(path=path) if GeoBox.from_rio(raster) == geobox else None


def _threshold(facts: Mapping[str, Any]) -> float:
    return float(facts.get("study", {}).get("threshold_dbm", -105.0))


def _font(facts: Mapping[str, Any]) -> str | None:
    """Font that the study asks for; None of a plan that was written before there was such a setting."""
    return facts.get("parameters", {}).get("deliver", {}).get("font") or None


def read_window(content: SheetContent, band: Band, bounds: Bounds, most: int | None = None,
                ) -> tuple[NDArray[np.float32], Bounds] | None:
    """The part of a raster that lies in a box.

    Parameters
    ----------
    content : SheetContent
    band : Band
    bounds : tuple of float
        West, south, east, north, m.
    most : int, optional
        More pixels than this on a side are thinned (nearest pixel).

    Returns
    -------
    array : ndarray of float32 (row, col)
    bounds : tuple of float
        Of its outer edges; None in place of both where the box lies outside.
    """
    affine, (rows, cols) = content.geobox.affine, content.geobox.shape
    west, south, east, north = bounds
    left, right = (west - affine.c) / affine.a, (east - affine.c) / affine.a
    top, bottom = (north - affine.f) / affine.e, (south - affine.f) / affine.e
    first, last = max(int(np.floor(left)), 0), min(int(np.ceil(right)), cols)
    upper, lower = max(int(np.floor(top)), 0), min(int(np.ceil(bottom)), rows)
    if last <= first or lower <= upper:
        return None
    step = 1 if most is None else max(1, -(-max(last - first, lower - upper) // most))
    place = (affine.c + first * affine.a, affine.f + lower * affine.e, affine.c + last * affine.a,
             affine.f + upper * affine.e)
    if band.array is not None:
        part = band.array[upper:lower:step, first:last:step]
        return part, (place[0], place[3] + part.shape[0] * step * affine.e, place[0] + part.shape[1] * step * affine.a,
                      place[3])
    shape = (-(-(lower - upper) // step), -(-(last - first) // step))
    with rasterio.open(band.path) as raster:
        window = Window(first, upper, last - first, lower - upper)
        return raster.read(band.number, window=window, out_shape=shape).astype(np.float32), place
