"""Which sites and links lie in the corridor of which works."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.register.works.rates import JointWorks

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Shapes = NDArray[np.object_]
_METRE_PLACES = 3
_TOUCH_M = 1e-6
"""What two lengths may differ by and count as equal, m."""


class Pairs(NamedTuple):
    """Rows of two tables that belong together, with distance and shared length, m."""

    row: Whole
    work: Whole
    distance_m: Floats
    shared_m: Floats


def placed(table: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Rows that have a geometry."""
    shapes = table.geometry.to_numpy()
    return ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))


def mended(shapes: Shapes) -> Shapes:
    """Geometries with crossed rings put right, so that distances and lengths can be taken."""
    out = shapes.copy()
    wrong = ~shapely.is_valid(out)
    out[wrong] = shapely.make_valid(out[wrong])
    return out


def corridor_of(shapes: Shapes, width_m: Floats) -> Shapes:
    """The land within a distance of works.

    The ends of a line are cut off square: a trench goes no further than the works. Parts of a line that meet are one.

    Examples
    --------
    >>> street = np.array([shapely.LineString([(0, 0), (100, 0)])], dtype=object)
    >>> corridor_of(street, np.array([10.0]))[0].bounds
    (0.0, -10.0, 100.0, 10.0)
    """
    out = np.empty(len(shapes), dtype=object)
    lines = shapely.get_dimensions(shapes) == 1
    if lines.any():
        joined = np.array([shapely.line_merge(shape) if shape.geom_type == "MultiLineString" else shape
                           for shape in shapes[lines]], dtype=object)
        out[lines] = shapely.buffer(joined, width_m[lines], cap_style="flat")
    out[~lines] = shapely.buffer(shapes[~lines], width_m[~lines])
    return out


def sites_beside(sites: gpd.GeoDataFrame, works: gpd.GeoDataFrame, rules: JointWorks) -> Pairs:
    """Sites within ``site_corridor_m`` of works; every site and all works have a geometry."""
    points, shapes = sites.geometry.to_numpy(), mended(works.geometry.to_numpy())
    reach = _widths(works["kind"], rules, "site_corridor_m")
    work, row = shapely.STRtree(points).query(shapes, predicate="dwithin", distance=reach)
    away = shapely.distance(points[row], shapes[work])
    return Pairs(row, work, np.round(away, _METRE_PLACES), np.zeros(len(row)))


def links_along(links: gpd.GeoDataFrame, works: gpd.GeoDataFrame, rules: JointWorks) -> Pairs:
    """Links with at least ``least_shared_m`` inside the corridor of works; all have a geometry."""
    lines, shapes = mended(links.geometry.to_numpy()), mended(works.geometry.to_numpy())
    reach = _widths(works["kind"], rules, "link_corridor_m")
    work, row = shapely.STRtree(lines).query(shapes, predicate="dwithin", distance=reach)
    if not len(work):
        return Pairs(row, work, np.zeros(0), np.zeros(0))
    used, at = np.unique(work, return_inverse=True)
    corridors = corridor_of(shapes[used], reach[used])
    shapely.prepare(corridors)
    shared = shapely.length(shapely.intersection(lines[row], corridors[at]))
    long = (shared + _TOUCH_M >= rules.match.least_shared_m) & (shared > 0)
    row, work = row[long], work[long]
    away = shapely.distance(lines[row], shapes[work])
    return Pairs(row, work, np.round(away, _METRE_PLACES), np.round(shared[long], _METRE_PLACES))


def _widths(kinds: pd.Series, rules: JointWorks, name: str) -> Floats:
    return kinds.map({kind: float(getattr(rule, name)) for kind, rule in rules.kinds.items()}).to_numpy(np.float64)
