"""A GeoTIFF of the user as base map: clipped to the study, warped to the map, embedded."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from siteplan.errors import ExportError, Problem
from siteplan.maps._raster import MAP_CRS, Picture, image_uri

MOST_PIXELS = 2_000_000
"""Of the embedded picture."""
MOST_READ = 400_000_000
"""Pixels of the study's part of the file that are read without smaller copies (overviews) in it."""
MARGIN = 0.05
"""Part of the study's extent that is shown beyond it."""
Corners = tuple[tuple[float, float], tuple[float, float]]


def embed_base(path: Path, bounds: Corners) -> Picture:
    """Read the part of a GeoTIFF that a page shows.

    Parameters
    ----------
    path : Path
        1 band (grey, or with a palette), 3 (RGB) or 4 (RGB and alpha); bands that are not uint8 are stretched.
    bounds : ((south, west), (north, east))
        Extent of the study, degrees.

    Returns
    -------
    Picture
        Palette PNG of a file with a palette, else JPEG.

    Raises
    ------
    ExportError
        No such file, no GeoTIFF that can be read, no CRS, another number of bands, too large, or elsewhere.

    Examples
    --------
    >>> embed_base(Path("base.tif"), ((22.4, 113.3), (22.6, 113.5)))  # doctest: +SKIP
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    if not path.is_file():
        raise _failure(path, "没有这个文件", "核对 deliver.map.base 的路径(相对研究文件)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # told as a missing CRS
        try:
            with rasterio.open(path, driver="GTiff") as file:
                return _embed(file, path, bounds)
        except RasterioError as error:
            raise _failure(path, "不是可读的 GeoTIFF", "用 GIS 软件重新导出为 GeoTIFF") from error


def _embed(file: Any, path: Path, bounds: Corners) -> Picture:
    """The picture of an open file."""
    from rasterio.enums import Resampling
    from rasterio.warp import reproject, transform_bounds

    if file.crs is None:
        raise _failure(path, "没有坐标系", "用 GIS 软件写入坐标系,如 EPSG:4547")
    if file.count not in (1, 3, 4):
        raise _failure(path, f"有 {file.count} 个波段", "导出为 1 个(灰度或调色板)、3 个(RGB)或 4 个(RGBA)波段")
    (south, west), (north, east) = bounds
    west, east, south, north = (*_widened(west, east), *_widened(south, north))
    window = _window(file, transform_bounds("EPSG:4326", file.crs, west, south, east, north))
    if window is None:
        raise _failure(path, "不在研究范围内", "核对底图的坐标系和范围")
    if window.width * window.height > MOST_READ and not file.overviews(1):
        raise _failure(path, f"研究范围内有 {window.width * window.height / 1e8:.1f} 亿像素,没有金字塔", "先建金字塔(gdaladdo),或裁切、降低分辨率")
    palette = _palette(file) if file.count == 1 else None
    shrink = max(1.0, (window.width * window.height / MOST_PIXELS) ** 0.5)
    shape = (max(int(window.height / shrink), 1), max(int(window.width / shrink), 1))
    resampling = Resampling.nearest if palette is not None else Resampling.average
    bands = file.read(window=window, out_shape=(file.count, *shape), resampling=resampling)
    known = file.read_masks(1, window=window, out_shape=shape) > 0
    place = file.window_transform(window) @ _scaling(window, shape)
    target, (height, width), corners = _target(file.crs, place, shape)
    out = np.zeros((file.count + 1, height, width), np.uint8)
    for number, band in enumerate([*(_bytes(band, known) for band in bands), known.astype(np.uint8) * 255]):
        reproject(np.ascontiguousarray(band), out[number], src_transform=place, src_crs=file.crs, dst_transform=target,
                  dst_crs=MAP_CRS, resampling=Resampling.nearest if palette is not None or number == file.count
                  else Resampling.bilinear)
    return Picture(_uri(out, palette), corners)


def _uri(bands: np.ndarray, palette: list[tuple[int, int, int, int]] | None) -> str:
    """Bands, the last of them what is known, as PNG with a palette or JPEG on white."""
    from PIL import Image

    *colours, known = bands
    if palette is not None:
        image: Any = Image.fromarray(colours[0])
        image.putpalette([part for colour in palette for part in colour[:3]])
        free = next((number for number, colour in enumerate(palette) if colour[3] == 0), None)
        if free is None and len(set(np.unique(colours[0]).tolist())) < 256:
            free = next(number for number in range(256) if not (colours[0] == number).any())
        if free is None:
            return image_uri(image.convert("RGB"), "JPEG", quality=75)
        index = np.where(known > 0, colours[0], free).astype(np.uint8)
        image = Image.fromarray(index)
        image.putpalette([part for colour in palette for part in colour[:3]])
        alpha = bytearray(colour[3] for colour in palette)
        alpha[free] = 0
        return image_uri(image, "PNG", compress_level=9, transparency=bytes(alpha))
    opaque = known.astype(np.float32) / 255.0
    if len(colours) == 4:
        opaque *= colours.pop().astype(np.float32) / 255.0
    drawn = [np.rint(255.0 + opaque * (band.astype(np.float32) - 255.0)).astype(np.uint8) for band in colours]
    return image_uri(Image.fromarray(drawn[0] if len(drawn) == 1 else np.dstack(drawn)), "JPEG", quality=75)


def _palette(file: Any) -> list[tuple[int, int, int, int]] | None:
    """256 colours of the file's palette; None where it has none."""
    try:
        found = file.colormap(1)
    except ValueError:
        return None
    return [tuple(found.get(number, (0, 0, 0, 255))) for number in range(256)]


def _bytes(band: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A band as uint8: what is not so is stretched between its 2nd and 98th percentile."""
    if band.dtype == np.uint8:
        return band
    values = band.astype(np.float64)
    usable = values[known & np.isfinite(values)]
    low, high = np.percentile(usable, (2, 98)) if usable.size else (0.0, 1.0)
    scaled = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0)
    out: np.ndarray = np.rint(255.0 * np.nan_to_num(scaled)).astype(np.uint8)
    return out


def _widened(low: float, high: float) -> tuple[float, float]:
    return low - MARGIN * (high - low), high + MARGIN * (high - low)


def _window(file: Any, box: tuple[float, float, float, float]) -> Any:
    """The pixels of a file inside a box of its CRS; None where there are none."""
    from rasterio.errors import WindowError
    from rasterio.windows import Window

    west, south, east, north = box
    inverse = ~file.transform
    corners = [inverse @ point for point in ((west, south), (west, north), (east, south), (east, north))]
    columns, rows = ([corner[axis] for corner in corners] for axis in (0, 1))
    first, top = max(int(np.floor(min(columns))), 0), max(int(np.floor(min(rows))), 0)
    last, bottom = min(int(np.ceil(max(columns))), file.width), min(int(np.ceil(max(rows))), file.height)
    if not np.isfinite(box).all() or last <= first or bottom <= top:
        return None
    try:
        return Window(first, top, last - first, bottom - top)
    except WindowError:
        return None


def _scaling(window: Any, shape: tuple[int, int]) -> Any:
    from affine import Affine

    return Affine.scale(window.width / shape[1], window.height / shape[0])


def _target(crs: Any, place: Any, shape: tuple[int, int]) -> tuple[Any, tuple[int, int], Corners]:
    """Transform, shape and corners of the picture in the projection of the map."""
    from rasterio.transform import array_bounds
    from rasterio.warp import calculate_default_transform, transform_bounds

    sides = array_bounds(*shape, place)
    transform, width, height = calculate_default_transform(crs, MAP_CRS, shape[1], shape[0], *sides)
    right, bottom = transform.c + transform.a * width, transform.f + transform.e * height
    west, south, east, north = transform_bounds(MAP_CRS, "EPSG:4326", transform.c, bottom, right, transform.f)
    return transform, (height, width), ((south, west), (north, east))


def _failure(path: Path, reason: str, remedy: str) -> ExportError:
    return ExportError("底图不能使用:", [Problem("study", path.name, "", "deliver.map.base", reason, remedy)])
