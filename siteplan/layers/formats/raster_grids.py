"""Grids of rasters: faced north, joined, voids filled. Arrays travel beside their GeoBox; NaN = no data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.fill import fillnodata
from rasterio.warp import reproject

from siteplan import crs as crs_module
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raster_values import pixel_metres

Values = NDArray[np.float32]
Part = tuple[Values, GeoBox]

MAX_PX = 200_000_000
"""A raster of more pixels (0.8 GB) is not held in memory."""
FILL_M = 500.0
"""Voids are filled this far from a known height, m."""
_FOOT_M = 0.3048
_SNAP_PX = 0.02


def is_straight(transform: Affine, shape: tuple[int, int]) -> bool:
    """Whether rows run east-west and columns north-south: off by less than a hundredth of a pixel over the raster.

    >>> is_straight(Affine(10, 0, 0, 0, 10, 0), (5, 5)), is_straight(Affine(10, 1, 0, 1, -10, 0), (5, 5))
    (True, False)
    """
    size = min(abs(transform.a), abs(transform.e))
    return abs(transform.b) * shape[0] < 0.01 * size and abs(transform.d) * shape[1] < 0.01 * size


def face_north(array: Values, transform: Affine, crs: str, log: FileLog) -> Part | None:
    """Row 0 north, column 0 west: mirrored rasters are flipped, rotated ones resampled, each with a line.

    Parameters
    ----------
    array : ndarray of float32 (row, col)
        NaN = no data.
    transform : Affine
        Pixel to CRS, any invertible one.
    crs : str
    log : FileLog

    Returns
    -------
    (array, GeoBox) or None
        None when a problem was logged.

    Notes
    -----
    Rotated rasters keep their CRS and the mean size of their pixels; heights are resampled bilinearly, classes by the
    nearest pixel. A population raster is not resampled: its people would no longer add up.
    """
    if not is_straight(transform, array.shape):
        return _turn(array, transform, crs, log)
    a, e = transform.a, transform.e
    c, f = transform.c, transform.f
    if e > 0:
        array, e, f = array[::-1], -e, f + e * array.shape[0]
        log.line("", "", "", "repaired", "栅格南北颠倒，已翻转", "无需处理")
    if a < 0:
        array, a, c = array[:, ::-1], -a, c + a * array.shape[1]
        log.line("", "", "", "repaired", "栅格东西颠倒，已翻转", "无需处理")
    return np.ascontiguousarray(array), GeoBox(array.shape, Affine(a, 0.0, c, 0.0, e, f), crs)


def _turn(array: Values, transform: Affine, crs: str, log: FileLog) -> Part | None:
    if log.layer == "population":
        log.problem("人口栅格是旋转的，重采样会改变人数", "转为正北朝上的栅格，或提供格网点表")
        return None
    height, width = array.shape
    corners = [transform @ corner for corner in ((0, 0), (width, 0), (0, height), (width, height))]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    size = math.sqrt(abs(transform.determinant))
    shape = (math.ceil((max(ys) - min(ys)) / size - 1e-6), math.ceil((max(xs) - min(xs)) / size - 1e-6))
    if shape[0] * shape[1] > min(MAX_PX, 4 * height * width + 10_000):
        log.problem("栅格的旋转或错切过大，不能转为正北朝上", "在 GIS 软件中重采样为正北朝上后再提供")
        return None
    target = GeoBox(shape, Affine(size, 0.0, min(xs), 0.0, -size, max(ys)), crs)
    method = _method(log.layer)
    turned = _resample(array, transform, crs, target, method)
    angle = math.degrees(math.atan2(transform.d, transform.a))
    log.line("", "", f"{angle:.3g}°", "repaired",
             f"栅格是旋转的（{angle:.3g}°），已{_METHOD_ZH[method]}重采样为正北朝上，像元 {size:g}", "无需处理；最好提供正北朝上的原始栅格")
    return turned, target


_METHOD_ZH = {Resampling.nearest: "按最邻近", Resampling.bilinear: "双线性", Resampling.average: "按平均"}


def _method(layer: str) -> Resampling:
    return Resampling.nearest if layer == "clutter" else Resampling.bilinear


def _resample(array: Values, transform: Affine, crs: str, target: GeoBox, method: Resampling) -> Values:
    out = np.full(tuple(target.shape), np.nan, dtype=np.float32)
    reproject(np.ascontiguousarray(array), out, src_transform=transform, src_crs=crs, src_nodata=np.nan,
              dst_transform=target.affine, dst_crs=_wkt(target), dst_nodata=np.nan, init_dest_nodata=True,
              resampling=method)
    return out


def _wkt(box: GeoBox) -> str:
    return str(box.crs.to_wkt()) if box.crs is not None else ""


def join_rasters(parts: Sequence[Part], log: FileLog) -> Part | None:
    """One raster of several tiles, on the pixels of the first; the first file wins where tiles overlap.

    Parameters
    ----------
    parts : sequence of (ndarray of float32, GeoBox)
        At least one, faced north.
    log : FileLog
        Lines name tiles by their place in the list.

    Returns
    -------
    (array, GeoBox) or None
        NaN between tiles; None when a problem was logged.

    Notes
    -----
    Tiles with another CRS or pixel size, or off by a part of a pixel, are resampled onto the first: bilinear for
    heights (mean where their pixels are much smaller), nearest for classes, with a ``repaired`` line each. Ground tiles
    whose heights differ by the factor of a foot where they overlap are a problem.

    Examples
    --------
    >>> from siteplan.input_ledger import InputLedger
    >>> def tile(east):
    ...     return np.ones((1, 1), np.float32), GeoBox((1, 1), Affine(10, 0, east, 0, -10, 0), "EPSG:4547")
    >>> joined, box = join_rasters([tile(500000.0), tile(500020.0)], FileLog("ground", "", InputLedger()))
    >>> joined.tolist()
    [[1.0, nan, 1.0]]
    """
    if len(parts) == 1:
        return parts[0]
    base = parts[0][1]
    placed: list[tuple[Values, int, int]] = []
    for number, (array, box) in enumerate(parts, start=1):
        twin = next((other for other in range(number - 1) if _same(parts[other], (array, box))), None)
        if twin is not None:
            log.line("", "", "", "note", f"第 {number} 个栅格与第 {twin + 1} 个完全相同，只用一个", "删去重复的文件")
            continue
        found = _on_pixels(array, box, base, number, log)
        if found is None:
            return None
        placed.append(found)
    top, left = min(row for _, row, _ in placed), min(col for _, _, col in placed)
    bottom = max(row + array.shape[0] for array, row, _ in placed)
    right = max(col + array.shape[1] for array, _, col in placed)
    shape = bottom - top, right - left
    if shape[0] * shape[1] > MAX_PX:
        log.problem(f"几个栅格合起来有 {shape[1]}×{shape[0]} 个像元，相距太远或太大", "核对各文件的坐标系，裁剪到规划范围后再提供")
        return None
    out = np.full(shape, np.nan, dtype=np.float32)
    for number, (array, row, col) in enumerate(placed, start=1):
        view = out[row - top:row - top + array.shape[0], col - left:col - left + array.shape[1]]
        both = np.isfinite(view) & np.isfinite(array)
        if both.any() and not _agree(view[both], array[both], number, log):
            return None
        np.copyto(view, array, where=np.isnan(view))
    affine = base.affine @ Affine.translation(left, top)
    return out, GeoBox(shape, affine, base.crs)


def _same(one: Part, other: Part) -> bool:
    return bool(one[1] == other[1]) and np.array_equal(one[0], other[0], equal_nan=True)


def _on_pixels(array: Values, box: GeoBox, base: GeoBox, number: int, log: FileLog) -> tuple[Values, int, int] | None:
    """A tile on the pixels of the first, with its first row and column there; resampled where it must be."""
    same_crs = box.crs == base.crs
    if same_crs:
        col, row = ~base.affine @ (box.affine.c, box.affine.f)
        far_col, far_row = ~base.affine @ (box.affine @ (box.shape[1], box.shape[0]))
        off = max(abs(value - round(value)) for value in (col, row, far_col, far_row))
        if off < _SNAP_PX and (round(far_row - row), round(far_col - col)) == tuple(array.shape):
            return array, round(row), round(col)
    if log.layer == "population":
        log.problem(f"第 {number} 个人口栅格与第一个的坐标系或像元不同，重采样会改变人数", "先拼接成一个文件")
        return None
    west, south, east, north = _extent(box, base)
    corner, far = ~base.affine @ (west, north), ~base.affine @ (east, south)
    if not all(map(math.isfinite, (*corner, *far))):
        log.problem(f"第 {number} 个栅格不能转到第一个的坐标系", "核对坐标系，或先拼接成一个文件")
        return None
    col, row = math.floor(corner[0] + _SNAP_PX), math.floor(corner[1] + _SNAP_PX)
    shape = math.ceil(far[1] - _SNAP_PX) - row, math.ceil(far[0] - _SNAP_PX) - col
    if not 0 < shape[0] * shape[1] <= MAX_PX or min(shape) < 1:
        log.problem(f"第 {number} 个栅格的像元比第一个大得多，放不下", "把像元最大的文件写在最前，或先拼接成一个文件")
        return None
    target = GeoBox(shape, base.affine @ Affine.translation(col, row), base.crs)
    method = _method(log.layer)
    coarser = pixel_metres(target) / pixel_metres(box)
    if coarser > 1.5 and method is Resampling.bilinear:
        method = Resampling.average
    moved = _resample(array, box.affine, _wkt(box), target, method)
    what = "坐标系" if not same_crs else "像元大小" if abs(coarser - 1.0) > 1e-3 else "像元位置"
    log.line("", "", f"{pixel_metres(box):.4g} m", "repaired",
             f"第 {number} 个栅格与第一个的{what}不同，已{_METHOD_ZH[method]}重采样到第一个（{pixel_metres(target):.4g} m）",
             "要保留更细的像元时，把像元最小的文件写在最前")
    return moved, row, col


def _extent(box: GeoBox, base: GeoBox) -> tuple[float, float, float, float]:
    """West, south, east, north of a tile in the CRS of another."""
    a, e, c, f = box.affine.a, box.affine.e, box.affine.c, box.affine.f
    outline = shapely.box(c, f + e * box.shape[0], c + a * box.shape[1], f)
    if box.crs != base.crs:
        edge = max(abs(a) * box.shape[1], abs(e) * box.shape[0]) / 32.0
        source, target = (pyproj.CRS.from_user_input(str(one.crs)) for one in (box, base))
        outline = crs_module.transform_geometry([outline.segmentize(edge)], source, target)[0]
    west, south, east, north = shapely.bounds(outline)
    return float(west), float(south), float(east), float(north)


def _agree(first: Values, second: Values, number: int, log: FileLog) -> bool:
    """Tell how far two tiles differ where they overlap; False when one of them is surely in feet."""
    if log.layer not in ("ground", "heights"):
        return True
    if log.layer == "ground" and len(first) >= 20:
        ratio = second.astype(np.float64)[(np.abs(first) > 20.0) & (np.abs(second) > 20.0)]
        ratio /= first[(np.abs(first) > 20.0) & (np.abs(second) > 20.0)]
        middle = float(np.median(ratio)) if len(ratio) >= 20 else 1.0
        for factor, which in ((1.0 / _FOOT_M, f"第 {number} 个"), (_FOOT_M, "前面的")):
            if abs(middle / factor - 1.0) < 0.005 and np.mean(np.abs(ratio / factor - 1.0) < 0.02) > 0.9:
                log.problem(f"第 {number} 个栅格与前面的在重叠处相差 {middle:.4g} 倍：{which}栅格像是英尺",
                            "给英尺的文件单独写一段 [[layers.ground]]，写明 unit = \"ft\"", "unit")
                return False
    middle = float(np.median(np.abs(second - first)))
    if middle > 3.0:
        log.line("", "", f"{middle:.3g} m", "note",
                 f"第 {number} 个栅格与前面的在重叠处的 {len(first)} 个像元上相差中位数 {middle:.3g} m，用前面的", "核对高程基准、单位和坐标系")
    return True


def fill_voids(array: Values, geobox: GeoBox, log: FileLog) -> tuple[Values, NDArray[np.bool_]]:
    """Fill voids of ground from the heights around them, no farther than 500 m from one.

    Parameters
    ----------
    array : ndarray of float32 (row, col)
        Heights, m; NaN = void.
    geobox : GeoBox
    log : FileLog
        Takes one line with the count and share of what was filled and what stays void.

    Returns
    -------
    filled : ndarray of float32 (row, col)
        NaN where no height is near.
    mask : ndarray of bool (row, col)
        True where a void was filled.

    Notes
    -----
    Inverse distance weighting of the nearest known heights in eight directions (GDAL FillNodata).

    Examples
    --------
    >>> from siteplan.input_ledger import InputLedger
    >>> box = GeoBox((1, 3), Affine(10, 0, 500000, 0, -10, 0), "EPSG:4547")
    >>> heights = np.array([[10.0, np.nan, 20.0]], np.float32)
    >>> filled, mask = fill_voids(heights, box, FileLog("ground", "dem.tif", InputLedger()))
    >>> filled.tolist(), mask.tolist()
    ([[10.0, 15.0, 20.0]], [[False, True, False]])
    """
    void = ~np.isfinite(array)
    if not void.any() or void.all():
        return array.copy(), np.zeros(array.shape, dtype=bool)
    reach = max(1.0, FILL_M / pixel_metres(geobox))
    start = np.where(void, np.float32(0.0), array)
    filled = fillnodata(start, mask=(~void).astype(np.uint8), max_search_distance=reach, smoothing_iterations=0)
    near = void & _within(void, reach)
    out = np.where(void & ~near, np.float32(np.nan), filled).astype(np.float32)
    left = int((void & ~near).sum())
    log.line("", "nodata", int(near.sum()), "repaired",
             f"{int(near.sum())} 个无数据像元（占 {100 * near.mean():.2g} %）由周围高程内插"
             + (f"；另有 {left} 个离已知高程超过 {FILL_M:g} m，保持无数据" if left else ""), "补全高程数据")
    return out, near


def _within(void: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """Pixels no farther than `reach` pixels from one that is not void."""
    from scipy import ndimage

    return np.asarray(ndimage.distance_transform_edt(void) <= reach)
