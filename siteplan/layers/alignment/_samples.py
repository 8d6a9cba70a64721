"""Points that stand for a file when it is laid against a reference: a few thousand places, the same in every run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from siteplan.crs import transform_points
from siteplan.datums import DISTORTED
from siteplan.layers.alignment._references import BUILT_M
from siteplan.layers.alignment._shift_search import Floats
from siteplan.layers.collection import Layers, Raster

MAX_POINTS = 3000
MAX_PIXELS = 10_000
MAX_CLASSES = 64
LINE_STEP_M = 20.0


@dataclass(frozen=True)
class Sample:
    """Points of one file, m in the study CRS, with the class of each where they are pixels.

    ``datum`` is what the study file declares; ``wgs84`` stands for CGCS2000 and for nothing declared too.
    """

    layer: str
    file: str
    x: Floats
    y: Floats
    labels: NDArray[np.int64] | None
    datum: str


def find_samples(layers: Layers, names: tuple[str, ...]) -> Iterator[Sample]:
    """Points of every file of the named layers; of a raster layer one sample of its pixels."""
    datums = {(file.layer, file.file): file.datum for file in layers.files}
    for layer in names:
        table = layers.tables.get(layer)
        if table is not None and len(table):
            files, shapes = table["source_file"], table.geometry.to_numpy()
            for file in files.unique():
                place = _points(shapes[(files == file).to_numpy(dtype=bool)])
                declared = datums.get((layer, str(file)), "")
                if len(place[0]):
                    yield Sample(layer, str(file), *place, None, declared if declared in DISTORTED else "wgs84")
        raster = layers.raster(layer)
        if raster is not None:
            joined = "、".join(fact.file for fact in layers.files if fact.layer == layer)
            found = _pixels(layer, raster, layers.crs)
            if found is not None and len(found[0]):
                yield Sample(layer, joined, *found, "wgs84")


def _points(given: NDArray[np.object_]) -> tuple[Floats, Floats]:
    """At most `MAX_POINTS` different places: of polygons a point inside, of lines one every 20 m."""
    shapes = given[~(shapely.is_missing(given) | shapely.is_empty(given))]
    if not len(shapes):
        return np.zeros(0), np.zeros(0)
    dimension = shapely.get_dimensions(shapes)
    if dimension.max() == 1:
        places = shapely.get_coordinates(shapely.segmentize(_thin(shapes, 10 * MAX_POINTS), LINE_STEP_M))
    else:
        places = shapely.get_coordinates(shapely.point_on_surface(
            _thin(shapes, MAX_POINTS) if dimension.max() == 2 else shapes))
    x, y = _thin(np.unique(np.round(places), axis=0), MAX_POINTS).T
    return x, y


def _thin(values: NDArray[Any], most: int) -> NDArray[Any]:
    """At most so many rows, evenly taken."""
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).astype(np.int64)]


def _pixels(layer: str, raster: Raster, crs: pyproj.CRS) -> tuple[Floats, Floats, NDArray[np.int64]] | None:
    """Known pixels drawn with a fixed seed, and the class of each; None when the raster has no classes."""
    if raster.geobox.crs is None:
        return None
    known = np.flatnonzero(np.isfinite(raster.array))
    if not len(known):
        return None
    drawn = np.unique(known[np.random.default_rng(0).integers(0, len(known), MAX_PIXELS)])
    values = raster.array.ravel()[drawn]
    classes, labels = np.unique(values > BUILT_M if layer == "heights" else values, return_inverse=True)
    if not 2 <= len(classes) <= MAX_CLASSES:
        return None
    rows, cols = np.divmod(drawn, raster.array.shape[1])
    affine = raster.geobox.affine
    x, y = transform_points(affine.c + (cols + 0.5) * affine.a, affine.f + (rows + 0.5) * affine.e,
                            pyproj.CRS.from_user_input(str(raster.geobox.crs)), crs)
    good = np.isfinite(x) & np.isfinite(y)
    return x[good], y[good], labels[good].astype(np.int64)
