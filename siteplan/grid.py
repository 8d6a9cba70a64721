"""The study grid: a few functions on odc-geo's GeoBox. An array never carries its place, it travels beside one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import shapely
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from odc.geo.geobox import GeoBox, GeoboxTiles
from pyproj import CRS
from rasterio.enums import MergeAlg, Resampling
from rasterio.features import rasterize as burn
from rasterio.warp import reproject

from siteplan.errors import CrsError, ModelError

Merge = Literal["max", "sum", "last"]
Method = Literal["bilinear", "max", "average", "nearest"]
_METHODS = {"bilinear": Resampling.bilinear, "max": Resampling.max, "average": Resampling.average,
            "nearest": Resampling.nearest}
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Tile:
    """One tile of a grid: its own pixels, and the same with a halo, both as slices of the whole.

    Attributes
    ----------
    geobox : GeoBox
        The tile without its halo.
    own, halo : (slice, slice)
        Rows and columns of the whole grid; ``halo`` is cut at the edge of the grid.
    """

    geobox: GeoBox
    own: tuple[slice, slice]
    halo: tuple[slice, slice]


def pixel_size_m(geobox: GeoBox) -> float:
    """Edge of a pixel, m (CRS units)."""
    return float(geobox.affine.a)


def study_geobox(bounds: tuple[float, float, float, float], crs: object, resolution_m: float) -> GeoBox:
    """Grid that holds ``bounds``, snapped outward to multiples of the resolution; row 0 is north.

    Parameters
    ----------
    bounds : (left, bottom, right, top)
        Easting and northing, m.
    crs : str or CRS
        Projected CRS in metres.
    resolution_m : float
        Pixel edge, m.

    Returns
    -------
    GeoBox

    Raises
    ------
    CrsError
        When the CRS is geographic or not in metres.
    ModelError
        When the bounds are empty or not finite, or the resolution is not positive.

    Examples
    --------
    >>> study_geobox((500003.0, 2500001.0, 500042.0, 2500029.0), "EPSG:4547", 10.0).shape
    Shape2d(x=5, y=3)
    """
    known = CRS.from_user_input(str(crs) if not isinstance(crs, CRS) else crs)
    if not known.is_projected:
        raise CrsError(f"{known.name} 不是投影坐标系：请选用以米为单位的投影坐标系（如 CGCS2000 3 度带 EPSG:4547）")
    if any(axis.unit_conversion_factor != 1.0 for axis in known.axis_info):
        raise CrsError(f"{known.name} 不以米为单位：请选用以米为单位的投影坐标系")
    left, bottom, right, top = (float(value) for value in bounds)
    if not np.all(np.isfinite([left, bottom, right, top])) or right <= left or top <= bottom or resolution_m <= 0:
        raise ModelError(f"bounds {bounds} with resolution {resolution_m} m make no grid")
    col0, col1 = int(np.floor(left / resolution_m)), int(np.ceil(right / resolution_m))
    row0, row1 = int(np.floor(bottom / resolution_m)), int(np.ceil(top / resolution_m))
    affine = Affine(resolution_m, 0.0, col0 * resolution_m, 0.0, -resolution_m, row1 * resolution_m)
    return GeoBox((row1 - row0, col1 - col0), affine, known)


def pixel_of(geobox: GeoBox, x: ArrayLike, y: ArrayLike) -> tuple[Rows, Rows]:
    """Rows and columns of the pixels that hold the points; may lie outside of the grid.

    Parameters
    ----------
    geobox : GeoBox
    x, y : array_like
        Easting and northing, m; finite.

    Returns
    -------
    (rows, cols) : two ndarrays of int64

    Examples
    --------
    >>> box = study_geobox((0.0, 0.0, 40.0, 30.0), "EPSG:4547", 10.0)
    >>> [part.tolist() for part in pixel_of(box, [5.0, 39.0], [29.0, -1.0])]
    [[0, 3], [0, 3]]
    """
    affine = geobox.affine
    cols = np.floor((np.asarray(x, np.float64) - affine.c) / affine.a).astype(np.int64)
    rows = np.floor((np.asarray(y, np.float64) - affine.f) / affine.e).astype(np.int64)
    return rows, cols


def pixel_xy(geobox: GeoBox, rows: ArrayLike, cols: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Easting and northing of pixel centres, m.

    Examples
    --------
    >>> box = study_geobox((0.0, 0.0, 40.0, 30.0), "EPSG:4547", 10.0)
    >>> [float(part) for part in pixel_xy(box, 0, 3)]
    [35.0, 25.0]
    """
    affine = geobox.affine
    x = affine.c + (np.asarray(cols, np.float64) + 0.5) * affine.a
    y = affine.f + (np.asarray(rows, np.float64) + 0.5) * affine.e
    return x, y


def inside(geobox: GeoBox, rows: ArrayLike, cols: ArrayLike) -> NDArray[np.bool_]:
    """True where the pixel lies on the grid."""
    row, col = np.asarray(rows), np.asarray(cols)
    height, width = geobox.shape
    return np.asarray((row >= 0) & (row < height) & (col >= 0) & (col < width))


def sample(array: NDArray[np.generic], geobox: GeoBox, x: ArrayLike, y: ArrayLike) -> NDArray[np.float32]:
    """Value of the pixel that holds each point, as float32; NaN outside of the grid.

    Examples
    --------
    >>> box = study_geobox((0.0, 0.0, 20.0, 10.0), "EPSG:4547", 10.0)
    >>> sample(np.array([[1.0, 2.0]], np.float32), box, [15.0, 25.0], [5.0, 5.0]).tolist()
    [2.0, nan]
    """
    _same_shape(array, geobox)
    rows, cols = pixel_of(geobox, x, y)
    within = inside(geobox, rows, cols)
    out = np.full(rows.shape, np.nan, np.float32)
    out[within] = array[rows[within], cols[within]]
    return out


def rasterize(geometries: ArrayLike, values: ArrayLike, geobox: GeoBox, merge: Merge = "max") -> NDArray[np.float32]:
    """Burn geometries into an array: a polygon takes the pixels whose centre it holds.

    Parameters
    ----------
    geometries : array_like of shapely geometries
        In the CRS of the grid; empty and missing ones are left out.
    values : array_like of float
        One value for all, or one each; geometries with a NaN value are left out.
    geobox : GeoBox
    merge : {"max", "sum", "last"}
        What a pixel takes that several geometries claim. With ``max`` the pixel that holds a geometry's
        representative point is always marked, so that buildings smaller than a pixel do not vanish.

    Returns
    -------
    ndarray of float32, shape of the grid
        NaN where nothing was burnt.

    Raises
    ------
    ModelError
        For an unknown ``merge``.

    Examples
    --------
    >>> box = study_geobox((0.0, 0.0, 20.0, 10.0), "EPSG:4547", 10.0)
    >>> rasterize([shapely.box(11, 1, 13, 3)], 7.0, box).tolist()
    [[nan, 7.0]]
    """
    if merge not in ("max", "sum", "last"):
        raise ModelError(f"merge {merge!r} is not one of max, sum, last")
    shapes = np.asarray(geometries, dtype=object).ravel()
    number = np.broadcast_to(np.asarray(values, np.float64), shapes.shape)
    usable = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes)) & np.isfinite(number)
    shapes, number = shapes[usable], number[usable]
    out = np.full(geobox.shape, np.nan, np.float32)
    if shapes.size == 0:
        return out
    if merge == "max":
        order = np.argsort(number, kind="stable")
        shapes, number = shapes[order], number[order]
    where = {"out_shape": tuple(geobox.shape), "transform": geobox.affine, "dtype": "float32"}
    outlines = _outlines(shapes)
    if merge == "sum":
        total = burn(zip(outlines, number, strict=True), fill=0.0, merge_alg=MergeAlg.add, **where)
        hit = burn(((outline, 1.0) for outline in outlines), fill=0.0, **where) > 0
        out[hit] = total[hit]
        return out
    out = np.asarray(burn(zip(outlines, number, strict=True), fill=np.nan, **where), np.float32)
    if merge == "max":
        points = shapely.point_on_surface(shapes)
        rows, cols = pixel_of(geobox, shapely.get_x(points), shapely.get_y(points))
        within = inside(geobox, rows, cols)
        np.fmax.at(out, (rows[within], cols[within]), number[within].astype(np.float32))
    return out


def _outlines(shapes: NDArray[np.object_]) -> list[Any]:
    """Shapes for rasterio; plain polygons as lists of points, which takes half the time when all are made at once."""
    out: list[Any] = shapes.tolist()
    plain = np.flatnonzero(shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON)
    if len(plain):
        _, points, (cuts, ends) = shapely.to_ragged_array(shapes[plain], include_z=False)
        places = list(zip(*points.T.tolist(), strict=True))
        rings = [places[start:end] for start, end in pairwise(cuts.tolist())]
        for number, (start, end) in zip(plain.tolist(), pairwise(ends.tolist()), strict=True):
            out[number] = {"type": "Polygon", "coordinates": rings[start:end]}
    return out


def resample(array: NDArray[np.generic], source_geobox: GeoBox, geobox: GeoBox,
             method: Method = "bilinear") -> NDArray[np.float32]:
    """Bring an array onto another grid (and CRS); NaN is no data on both sides.

    Parameters
    ----------
    array : ndarray, shape of ``source_geobox``
    source_geobox, geobox : GeoBox
        Where the array lies, and where it shall lie.
    method : {"bilinear", "max", "average", "nearest"}

    Returns
    -------
    ndarray of float32, shape of ``geobox``

    Raises
    ------
    ModelError
        For an unknown method, or an array that does not fit its grid.

    Examples
    --------
    >>> fine = study_geobox((0.0, 0.0, 40.0, 40.0), "EPSG:4547", 10.0)
    >>> coarse = study_geobox((0.0, 0.0, 40.0, 40.0), "EPSG:4547", 20.0)
    >>> resample(np.arange(16.0).reshape(4, 4), fine, coarse, "max").tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    if method not in _METHODS:
        raise ModelError(f"method {method!r} is not one of {', '.join(_METHODS)}")
    _same_shape(array, source_geobox)
    source = np.ascontiguousarray(array, dtype=np.float32)
    if source_geobox == geobox:
        return source.copy()
    out = np.full(geobox.shape, np.nan, np.float32)
    reproject(source, out, src_transform=source_geobox.affine, src_crs=_wkt(source_geobox), src_nodata=np.nan,
              dst_transform=geobox.affine, dst_crs=_wkt(geobox), dst_nodata=np.nan, init_dest_nodata=True,
              resampling=_METHODS[method])
    return out


def tiles(geobox: GeoBox, tile_px: int, halo_px: int = 0) -> Iterator[Tile]:
    """The tiles of a grid, row by row, each with its halo cut at the edge of the grid.

    Parameters
    ----------
    geobox : GeoBox
    tile_px : int
        Edge of a tile, pixels; the last row and column of tiles may be smaller.
    halo_px : int
        Width of the halo, pixels.

    Examples
    --------
    >>> box = study_geobox((0.0, 0.0, 50.0, 30.0), "EPSG:4547", 10.0)
    >>> [(t.own[1].start, t.halo[1].stop) for t in tiles(box, 3, 1)]
    [(0, 4), (3, 5)]
    """
    if tile_px < 1 or halo_px < 0:
        raise ModelError(f"tile of {tile_px} px with a halo of {halo_px} px makes no tiles")
    parts = GeoboxTiles(geobox, (tile_px, tile_px))
    for row in range(parts.shape[0]):
        for col in range(parts.shape[1]):
            part = parts[row, col]
            if not isinstance(part, GeoBox):
                raise ModelError("tiles are made of grids with an affine transform only")
            halo = part.pad(halo_px) & geobox if halo_px else part
            yield Tile(part, _slices(geobox, part), _slices(geobox, halo))


def _slices(geobox: GeoBox, part: GeoBox) -> tuple[slice, slice]:
    """Rows and columns of a grid that a part of it takes."""
    rows, cols = geobox.overlap_roi(part)
    return slice(int(rows.start), int(rows.stop)), slice(int(cols.start), int(cols.stop))


def _wkt(geobox: GeoBox) -> str:
    if geobox.crs is None:
        raise CrsError("栅格没有坐标系：请在研究文件中给出 crs")
    return str(geobox.crs.to_wkt())


def _same_shape(array: NDArray[np.generic], geobox: GeoBox) -> None:
    if array.shape != tuple(geobox.shape):
        raise ModelError(f"array of shape {array.shape} does not fit a grid of shape {tuple(geobox.shape)}")
