"""Ids of gap areas: made of a place, and carried from one list to the next."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.errors import CrsError

GRID_M = 100.0
"""Edge of the squares that ids are made of, m."""
LEAST_M = 0.01
"""Corners nearer than this are the same."""
MOST_PIXELS = 40_000_000
"""Overlaps are counted on so many pixels at most; they are exact while the pixels of both lists fit in that grid."""
Whole = NDArray[np.int64]


def place_ids(xy: NDArray[np.float64], prefix: str, pixel_m: float) -> list[str]:
    """Ids of areas by the square of 100 m that holds the place of each, the first area first.

    Parameters
    ----------
    xy : ndarray, shape (areas, 2)
        Places, by falling rank: centres of pixels, none twice.
    prefix : str
    pixel_m : float
        Edge of a pixel, m.

    Returns
    -------
    list of str
        ``prefix-east-north`` in units of 100 m; an area whose square belongs to one of higher rank takes the number of
        its pixel in the square (rows from the south) after a point.

    Examples
    --------
    >>> place_ids(np.array([[437_215.0, 2_491_045.0], [437_285.0, 2_491_005.0]]), "G", 10.0)
    ['G-4372-24910', 'G-4372-24910.8']
    """
    ids: list[str] = []
    taken: set[str] = set()
    for x, y in xy.tolist():
        name = f"{prefix}-{int(x // GRID_M)}-{int(y // GRID_M)}"
        if name in taken:
            name = _finer(name, x, y, pixel_m)
        taken.add(name)
        ids.append(name)
    return ids


def _finer(name: str, x: float, y: float, pixel_m: float) -> str:
    """An id with the number of the pixel in its square."""
    across = max(1, round(GRID_M / pixel_m))
    return f"{name}.{int(y % GRID_M // pixel_m) * across + int(x % GRID_M // pixel_m)}"


def carry_ids(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """A list of gap areas with the ids of an older list wherever an area is the same one.

    Parameters
    ----------
    old, new : GeoDataFrame
        Results of :func:`siteplan.gaps.holes.gap_areas.find_gap_areas` (index ``gap_id``; ``gap_type``, ``weight``,
        geometry), on any grid, in one CRS.

    Returns
    -------
    GeoDataFrame
        ``new`` in its order with other ids. An area takes the id of the old one that it overlaps most; where several
        areas do so (an old one was split), the one of the old type, of these the heaviest, of these the one of greater
        overlap keeps the id. An area that carries none keeps its own id, with ``+`` appended where the old list has
        that id for another place. What is covered outdoors and weak indoors is never taken for an outdoor gap.

    Raises
    ------
    CrsError
        When the lists are not in the same CRS.

    Examples
    --------
    >>> def areas(**shapes):
    ...     return gpd.GeoDataFrame({"gap_type": "populated", "weight": [one.area for one in shapes.values()]},
    ...                             geometry=list(shapes.values()), index=list(shapes))
    >>> before = areas(a=shapely.box(0, 0, 9, 9))
    >>> carry_ids(before, areas(b=shapely.box(0, 0, 3, 9), c=shapely.box(4, 0, 9, 9))).index.tolist()
    ['b', 'a']
    """
    if old.crs != new.crs:
        raise CrsError(f"the lists of gap areas differ in their CRS: {old.crs} and {new.crs}")
    pairs = _claims(old, new)
    carried: dict[str, str] = dict(zip(pairs["new"], pairs["old"], strict=True))
    taken = set(carried.values())
    before = set(old.index)
    ids: list[str] = []
    for name in new.index:
        found = carried.get(name, name)
        while name not in carried and (found in before or found in taken):
            found += "+"
        taken.add(found)
        ids.append(found)
    return new.set_axis(pd.Index(ids, name=new.index.name, dtype="str"), axis=0)


def earlier_ids(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> pd.Series:
    """Id of the older gap area of which each new one holds the most; empty where it lies on none.

    Several pieces of one old area have the same answer; only one of them carries its id on (:func:`carry_ids`).
    """
    a, b, shared = _overlaps(old, new)
    pairs = pd.DataFrame({"new": a, "old": b, "shared": shared})
    best = pairs.sort_values(["shared", "old"], ascending=[False, True]).drop_duplicates("new")
    found = pd.Series("", index=new.index, dtype="str")
    found.iloc[best["new"].to_numpy()] = _texts(old.index, best["old"].to_numpy())
    return found


def _claims(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> pd.DataFrame:
    """Which new area (``new``) keeps which old id (``old``)."""
    a, b, shared = _overlaps(old, new)
    pairs = pd.DataFrame({
        "new": _texts(new.index, a), "old": _texts(old.index, b), "shared": shared,
        "new_type": _texts(new["gap_type"], a), "old_type": _texts(old["gap_type"], b),
        "weight": new["weight"].to_numpy(np.float64)[a],
    })
    pairs = pairs[(pairs["new_type"] == "indoor") == (pairs["old_type"] == "indoor")]
    best = pairs.sort_values(["shared", "old"], ascending=[False, True]).drop_duplicates("new")
    best = best.assign(same=best["new_type"] == best["old_type"])
    order = ["same", "weight", "shared", "new"]
    return best.sort_values(order, ascending=[False, False, False, True]).drop_duplicates("old")[["new", "old"]]


def _overlaps(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> tuple[Whole, Whole, Whole]:
    """Rows of the new and the old areas that overlap, and in how many pixels of a grid that fits the corners of both.

    Polygons of pixels have too many corners to be cut with one another.
    """
    none = np.zeros(0, np.int64)
    if old.empty or new.empty:
        return none, none, none
    low, shape, edge = _common_grid(shapely.get_coordinates([*old.geometry, *new.geometry]))
    first, second = (_fill(one.geometry.to_numpy(), low, shape, edge) for one in (new, old))
    key = np.where((first > 0) & (second > 0), first.astype(np.int64) * (len(old) + 1) + second, 0).ravel()
    start = np.flatnonzero(np.diff(key, prepend=-1))
    pairs, back = np.unique(key[start], return_inverse=True)
    shared = np.bincount(back, np.diff(start, append=key.size)).astype(np.int64)
    pairs, shared = pairs[pairs > 0], shared[pairs > 0]
    return pairs // (len(old) + 1) - 1, pairs % (len(old) + 1) - 1, shared


def _common_grid(xy: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[int, int], float]:
    """South-west corner, shape and edge of a grid whose lines run through points, where that is not too fine."""
    low, high = xy.min(axis=0), xy.max(axis=0)
    steps = np.concatenate([np.diff(np.unique(np.round(axis, 3))) for axis in xy.T])
    finest = float(np.min(steps, initial=np.inf, where=steps > LEAST_M))
    edge = max(finest if np.isfinite(finest) else GRID_M, float(np.sqrt(np.prod(high - low) / MOST_PIXELS)))
    cols, rows = np.maximum(np.ceil((high - low) / edge - 1e-6), 1).astype(int)
    return low, (int(rows), int(cols)), edge


def _fill(polygons: NDArray[np.object_], low: NDArray[np.float64], shape: tuple[int, int], edge: float,
          ) -> NDArray[np.int32]:
    """Number (1, 2, ...) of the polygon that holds the centre of each pixel, row 0 in the south; 0 = none.

    The polygons do not overlap. Where a row of centres meets an edge of a ring, the number is added or taken off,
    by the edge's direction; the running sum along the row is the answer.
    """
    parts, owner = shapely.get_parts(shapely.orient_polygons(polygons), return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    u, v = ((xy - low) / edge).T
    here = np.flatnonzero(ring[1:] == ring[:-1])
    start, stop = v[here], v[here + 1]
    first, last = (np.ceil(end(start, stop) - 0.5).astype(np.int64) for end in (np.minimum, np.maximum))
    times = last - first
    row = np.repeat(first, times) + np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    here, start, stop = (np.repeat(values, times) for values in (here, start, stop))
    meets = u[here] + (row + 0.5 - start) * (u[here + 1] - u[here]) / (stop - start)
    number = (owner[part[ring[here]]] + 1) * np.where(stop < start, 1, -1)
    out = np.zeros((shape[0], shape[1] + 1), np.int32)
    np.add.at(out, (np.clip(row, 0, shape[0] - 1), np.clip(np.ceil(meets - 0.5).astype(np.int64), 0, shape[1])),
              number.astype(np.int32))
    return np.asarray(np.cumsum(out, axis=1, dtype=np.int32)[:, :-1], np.int32)


def _texts(values: Sequence[str] | pd.Index | pd.Series, rows: Whole) -> NDArray[np.object_]:
    return np.asarray(values, object)[rows]
