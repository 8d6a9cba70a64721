"""Rasters of a plan as small palette pictures in the projection of the map page (EPSG:3857)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

MAP_CRS = "EPSG:3857"
MAX_PIXELS = 2_500_000
"""Greatest number of pixels of one picture; larger rasters are shown coarser."""


@dataclass(frozen=True)
class Picture:
    """A PNG as ``data:`` address and its corners, ``((south, west), (north, east))`` in degrees."""

    uri: str
    bounds: tuple[tuple[float, float], tuple[float, float]]


def draw_classes(classes: np.ndarray, geobox: GeoBox, palette: Sequence[tuple[int, int, int, int]]) -> Picture:
    """Warp an array of class numbers to the map and draw it with a palette.

    Parameters
    ----------
    classes : ndarray
        uint8 (row, col); 0 is transparent, class k takes ``palette[k - 1]``.
    geobox : GeoBox
        Place of the array.
    palette : sequence of (red, green, blue, alpha)
        0..255 each, at most 255 entries.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        When the array does not have the shape of its GeoBox.

    Examples
    --------
    >>> box = GeoBox.from_bbox((400000, 2500000, 400100, 2500100), "EPSG:4547", resolution=10)
    >>> picture = draw_classes(np.ones((10, 10), np.uint8), box, [(0, 90, 180, 200)])
    >>> picture.uri[:22], round(picture.bounds[0][0], 2)
    ('data:image/png;base64,', 22.59)
    """
    if classes.shape != tuple(geobox.shape):
        raise ValueError(f"array of shape {classes.shape} on a GeoBox of shape {tuple(geobox.shape)}")
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    source_crs, transform, (height, width), bounds = _frame(geobox)
    warped = np.zeros((height, width), np.uint8)
    reproject(np.ascontiguousarray(classes, np.uint8), warped, src_transform=geobox.affine, src_crs=source_crs,
              dst_transform=transform, dst_crs=MAP_CRS, resampling=Resampling.nearest, src_nodata=None,
              init_dest_nodata=False)
    return Picture(_png_uri(warped, palette), bounds)


@lru_cache(maxsize=4)
def _frame(geobox: GeoBox) -> tuple[str | None, Any, tuple[int, int], tuple[tuple[float, float], tuple[float, float]]]:
    """CRS of a grid, then transform, shape and corners of its pictures; the pictures of one page share them."""
    from rasterio.warp import calculate_default_transform, transform_bounds

    rows, cols = geobox.shape
    source_crs = geobox.crs.to_wkt() if geobox.crs is not None else None
    box = geobox.boundingbox
    transform, width, height = calculate_default_transform(
        source_crs, MAP_CRS, cols, rows, left=box.left, bottom=box.bottom, right=box.right, top=box.top)
    shrink = max(1.0, (width * height / MAX_PIXELS) ** 0.5)
    if shrink > 1.0:
        transform, width, height = calculate_default_transform(
            source_crs, MAP_CRS, cols, rows, left=box.left, bottom=box.bottom, right=box.right, top=box.top,
            resolution=abs(transform.a) * shrink)
    left, top = transform.c, transform.f
    right, bottom = left + transform.a * width, top + transform.e * height
    west, south, east, north = transform_bounds(MAP_CRS, "EPSG:4326", left, bottom, right, top)
    return source_crs, transform, (height, width), ((south, west), (north, east))


def shade_ground(ground_m: np.ndarray, pixel_m: float) -> np.ndarray:
    """Hillshade in eight grey classes, light from the north-west at 45 degrees.

    Parameters
    ----------
    ground_m : ndarray
        float32 (row, col), NaN = unknown.
    pixel_m : float
        Pixel edge, m.

    Returns
    -------
    ndarray
        uint8 (row, col): 1 darkest .. 8 lightest, 0 unknown; all 0 where the ground is flat everywhere.

    Notes
    -----
    Shade = sin(alt) cos(slope) + cos(alt) sin(slope) cos(azimuth - aspect), the Lambert reflection used by
    every GIS; slopes are drawn three times as steep so that low hills show.

    Examples
    --------
    >>> int(shade_ground(np.zeros((4, 4), np.float32), 10.0).max())
    0
    """
    known = np.isfinite(ground_m)
    out = np.zeros(ground_m.shape, np.uint8)
    if not known.any() or min(ground_m.shape) < 2 or float(np.ptp(ground_m[known])) < 1.0:
        return out
    filled = np.where(known, ground_m, np.float32(ground_m[known].mean())).astype(np.float32)
    to_south, to_east = np.gradient(filled, pixel_m)
    east, north = -3.0 * to_east, 3.0 * to_south
    light = np.array([-0.5, 0.5, 0.5 ** 0.5])
    shade = (east * light[0] + north * light[1] + light[2]) / np.sqrt(1.0 + east ** 2 + north ** 2)
    out[known] = 1 + np.clip((shade[known] + 0.05) * 8.0, 0, 7).astype(np.uint8)
    return out


def _png_uri(classes: np.ndarray, palette: Sequence[tuple[int, int, int, int]]) -> str:
    """Palette PNG of class numbers (0 transparent) as a ``data:`` address."""
    from PIL import Image

    image: Any = Image.fromarray(classes)
    colours = [(255, 255, 255, 0), *palette]
    image.putpalette([part for colour in colours for part in colour[:3]])
    image.info["transparency"] = bytes(colour[3] for colour in colours)
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=6, bits=_bits(len(colours)), transparency=image.info["transparency"])
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _bits(colours: int) -> int:
    """Bits per pixel that a palette of this many colours needs."""
    return next(bits for bits in (1, 2, 4, 8) if colours <= 1 << bits)
