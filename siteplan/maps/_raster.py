"""Rasters of a plan as small palette pictures in the projection of the map page (EPSG:3857)."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.crs import transform_points

MAP_CRS = "EPSG:3857"
MAX_PIXELS = 2_500_000
"""Greatest number of pixels of one picture; larger rasters are shown coarser."""
EXACT_EVERY = 32
"""Places of a picture's pixels are computed exactly at every so many pixels."""
LEAST_SCALE = 0.9933
"""The map is a sphere's: a metre of its north is so much shorter on the ellipsoid (1 - e2, at the equator)."""
Bounds = tuple[tuple[float, float], tuple[float, float]]
Palette = Sequence[tuple[int, int, int, int]]


@dataclass(frozen=True)
class Picture:
    """A PNG as ``data:`` address and its corners, ``((south, west), (north, east))`` in degrees."""

    uri: str
    bounds: Bounds


@dataclass(frozen=True)
class Frame:
    """Pixels of a picture in the projection of the map, and where each lies in the array it is drawn from.

    Attributes
    ----------
    index : ndarray
        int32, or int64 for more places, (row, col): place in the flattened array, -1 outside of it.
    bounds : ((south, west), (north, east))
        Corners, degrees.
    """

    index: NDArray[np.signedinteger]
    bounds: Bounds

    def take(self, values: np.ndarray, outside: Any) -> np.ndarray:
        """The array at the picture's pixels (nearest pixel), ``outside`` where there is none."""
        found = values.reshape(-1)[np.maximum(self.index, 0)]
        found[self.index < 0] = outside
        return found


def map_frame(geobox: GeoBox, least_m: float = 0.0) -> Frame:
    """The picture that an array on a grid is drawn into: about its pixels, at most `MAX_PIXELS` of them.

    Parameters
    ----------
    geobox : GeoBox
    least_m : float
        Least edge of a pixel on the ground, m.

    Examples
    --------
    >>> box = GeoBox.from_bbox((400000, 2500000, 400100, 2500100), "EPSG:4547", resolution=10)
    >>> frame = map_frame(box)
    >>> bool((frame.take(np.arange(100).reshape(10, 10), -1)[3:7, 3:7] > 0).all())
    True
    """
    return _frame(geobox, least_m)


def forget_frames() -> None:
    """Let go of what :func:`map_frame` keeps: up to 10 MB for the life of the process."""
    _frame.cache_clear()


def draw_classes(classes: np.ndarray, geobox: GeoBox, palette: Palette) -> Picture:
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
    frame = map_frame(geobox)
    return paint(frame.take(np.asarray(classes, np.uint8), 0), frame, palette)


def paint(classes: np.ndarray, frame: Frame, palette: Palette) -> Picture:
    """Class numbers at the pixels of a frame, as a picture."""
    return Picture(png_uri(classes, palette), frame.bounds)


@lru_cache(maxsize=1)
def _frame(geobox: GeoBox, least_m: float) -> Frame:
    """See :func:`map_frame`; the pictures of one page share it, which then forgets it."""
    from rasterio.warp import calculate_default_transform, transform_bounds

    rows, cols = geobox.shape
    source_crs = geobox.crs.to_wkt() if geobox.crs is not None else None
    box = geobox.boundingbox
    sides = {"left": box.left, "bottom": box.bottom, "right": box.right, "top": box.top}
    transform, width, height = calculate_default_transform(source_crs, MAP_CRS, cols, rows, **sides)
    shrink = max(1.0, (width * height / MAX_PIXELS) ** 0.5)
    if least_m > 0:
        _, south, _, north = transform_bounds(source_crs, "EPSG:4326", *box.bbox)
        farthest = max(abs(south), abs(north))  # where a pixel of the map is smallest on the ground
        shrink = max(shrink, least_m / (LEAST_SCALE * math.cos(math.radians(farthest))) / abs(transform.a))
    if shrink > 1.0:
        transform, width, height = calculate_default_transform(
            source_crs, MAP_CRS, cols, rows, **sides, resolution=abs(transform.a) * shrink)
    left, top = transform.c, transform.f
    right, bottom = left + transform.a * width, top + transform.e * height
    west, south, east, north = transform_bounds(MAP_CRS, "EPSG:4326", left, bottom, right, top)
    return Frame(_sources(geobox, transform, (height, width)), ((south, west), (north, east)))


def _sources(geobox: GeoBox, transform: Any, shape: tuple[int, int]) -> NDArray[np.signedinteger]:
    """Place of each map pixel in the flattened array of a grid; -1 outside.

    The transformation is exact at every 32nd pixel and linear between: off by less than a hundredth of a pixel.
    """
    nodes = [np.minimum(np.arange(0, size + EXACT_EVERY, EXACT_EVERY), size - 1) for size in shape]
    x = transform.c + (nodes[1] + 0.5) * transform.a
    y = transform.f + (nodes[0] + 0.5) * transform.e
    across, down = np.meshgrid(x, y)
    east, north = transform_points(across, down, MAP_CRS, None if geobox.crs is None else geobox.crs.to_wkt())
    inverse = ~geobox.affine
    columns = inverse.a * east + inverse.b * north + inverse.c
    lines = inverse.d * east + inverse.e * north + inverse.f
    rows, cols = geobox.shape
    row, col = (_between(part, nodes, shape) for part in (lines, columns))
    inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)  # what cannot be transformed is NaN: outside
    return np.where(inside, np.floor(np.where(inside, row, 0)) * cols + np.floor(np.where(inside, col, 0)),
                    -1).astype(np.int32 if rows * cols <= np.iinfo(np.int32).max else np.int64)


def _between(values: np.ndarray, nodes: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Values at nodes, linear between them, at every pixel."""
    out = values
    for axis, (known, size) in enumerate(zip(nodes, shape, strict=True)):
        wanted = np.arange(size)
        low = np.minimum(wanted // EXACT_EVERY, len(known) - 2)
        gap = np.maximum(known[low + 1] - known[low], 1)
        part = ((wanted - known[low]) / gap).astype(np.float64)
        part = part[:, None] if axis == 0 else part
        below, above = np.take(out, low, axis), np.take(out, low + 1, axis)
        out = below + part * (above - below)
    return out


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


def png_uri(classes: np.ndarray, palette: Palette) -> str:
    """Palette PNG of class numbers (0 transparent) as a ``data:`` address."""
    from PIL import Image

    image: Any = Image.fromarray(classes)
    colours = [(255, 255, 255, 0), *palette]
    image.putpalette([part for colour in colours for part in colour[:3]])
    return image_uri(image, "PNG", compress_level=7, bits=_bits(len(colours)),
                     transparency=bytes(colour[3] for colour in colours))


def image_uri(image: Any, kind: Literal["PNG", "JPEG"], **options: Any) -> str:
    """A PIL image as ``data:`` address.

    >>> from PIL import Image
    >>> image_uri(Image.new("L", (2, 2)), "JPEG", quality=70)[:23]
    'data:image/jpeg;base64,'
    """
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _bits(colours: int) -> int:
    """Bits per pixel that a palette of this many colours needs."""
    return next(bits for bits in (1, 2, 4, 8) if colours <= 1 << bits)
