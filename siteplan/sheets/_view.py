"""The part of a plan that a map shows, and lines and areas cut to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from siteplan.sheets._style import MM_PER_POINT
from siteplan.sheets.content import Bounds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DETAIL_MM = 0.08
"""Bends smaller than this on paper are left out of lines."""


@dataclass(frozen=True)
class View:
    """Part of the plan that a map shows: frame on paper (left, bottom, width, height, mm), scale 1:N, ground bounds."""

    frame: tuple[float, float, float, float]
    scale: int
    bounds: Bounds

    def on_paper(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places in mm from the lower left corner of the frame."""
        metres = self.scale / 1000.0
        return np.stack([(np.asarray(x) - self.bounds[0]) / metres, (np.asarray(y) - self.bounds[1]) / metres], axis=1)


def view_of(shape_bounds: Sequence[float], frame: tuple[float, float, float, float], scale: int) -> View:
    """The view of a scale with an area in its middle."""
    metres = scale / 1000.0
    x, y = (shape_bounds[0] + shape_bounds[2]) / 2.0, (shape_bounds[1] + shape_bounds[3]) / 2.0
    half = frame[2] * metres / 2.0, frame[3] * metres / 2.0
    return View(frame, scale, (x - half[0], y - half[1], x + half[0], y + half[1]))


def part_of(table: gpd.GeoDataFrame, view: View) -> gpd.GeoDataFrame:
    """Rows of a layer that reach into the view."""
    if table.empty:
        return table
    box = table.geometry.bounds.to_numpy()
    west, south, east, north = view.bounds
    return table[(box[:, 0] <= east) & (box[:, 2] >= west) & (box[:, 1] <= north) & (box[:, 3] >= south)]


def lines_of(table: gpd.GeoDataFrame, view: View, outlines: bool = False) -> list[NDArray[np.float64]]:
    """Lines of a layer (outlines of its areas) cut to the view, as arrays of points."""
    shapes = part_of(table, view).geometry.to_numpy()
    if outlines:
        shapes = shapely.boundary(shapes)
    west, south, east, north = view.bounds
    cut = shapely.clip_by_rect(shapes, west, south, east, north)
    plain = shapely.simplify(cut, DETAIL_MM * view.scale / 1000.0)
    parts = shapely.get_parts(shapely.get_parts(plain))
    return [shapely.get_coordinates(part) for part in parts if shapely.get_dimensions(part) == 1]


def put_outlines(axes: Axes, segments: Sequence[NDArray[np.float64]], width_mm: float, shade: str, order: float,
                 **look: Any) -> None:
    """Lines of one look; their width in mm of paper."""
    from matplotlib.collections import LineCollection

    if segments:
        axes.add_collection(LineCollection(list(segments), linewidths=width_mm / MM_PER_POINT, colors=shade,
                                           zorder=order, **look), autolim=False)


def put_areas(axes: Axes, table: gpd.GeoDataFrame, view: View, order: float, **look: Any) -> None:
    """Areas of a layer cut to the view, of one look."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    shapes = part_of(table, view).geometry.to_numpy()
    west, south, east, north = view.bounds
    cut = shapely.clip_by_rect(shapely.make_valid(shapes), west, south, east, north)
    polygons = [part for part in shapely.get_parts(shapely.get_parts(cut)) if shapely.get_dimensions(part) == 2]
    rings = shapely.get_rings(np.array(polygons, object)) if polygons else []
    if len(rings):
        plain = shapely.simplify(rings, DETAIL_MM * view.scale / 1000.0)
        paths = [Path(shapely.get_coordinates(ring), closed=True) for ring in plain]
        axes.add_patch(PathPatch(Path.make_compound_path(*paths), zorder=order, **look))
