"""Local frame of the city, coordinate shifts, and small geometry helpers.

Local coordinates are metres east and north of ``ORIGIN`` in EPSG:4547.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.ndimage import gaussian_filter
from shapely.geometry.base import BaseGeometry

Array = NDArray[np.float64]

SEED = 20240630
CRS = "EPSG:4547"
ORIGIN = (432000.0, 2484000.0)
WIDTH, HEIGHT = 12000.0, 10000.0
CELL = 20.0
MARGIN = 1000.0
SHAPE = (int((HEIGHT + 2 * MARGIN) / CELL), int((WIDTH + 2 * MARGIN) / CELL))
_TO_LONLAT = Transformer.from_crs(4547, 4326, always_xy=True)


def stage_rng(stage: int) -> np.random.Generator:
    """Random stream of one stage; stages do not disturb each other."""
    return np.random.default_rng([SEED, stage])


def to_grid(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
    """Array of local geometries to EPSG:4547, coordinates rounded to centimetres."""
    return shapely.transform(geometry, lambda xy: np.round(xy + np.asarray(ORIGIN), 2))


def lonlat(xy: Array) -> Array:
    """Local points (n, 2) to WGS 84 longitude and latitude (n, 2)."""
    lon, lat = _TO_LONLAT.transform(xy[:, 0] + ORIGIN[0], xy[:, 1] + ORIGIN[1])
    return np.column_stack([lon, lat])


def gcj02(ll: Array) -> Array:
    """WGS 84 to GCJ-02 by the published formula; (n, 2) degrees in and out."""
    a, ee, pi = 6378245.0, 0.00669342162296594323, np.pi
    x, y = ll[:, 0] - 105.0, ll[:, 1] - 35.0
    root = np.sqrt(np.abs(x))
    wave = (20.0 * np.sin(6.0 * x * pi) + 20.0 * np.sin(2.0 * x * pi)) * 2.0 / 3.0
    dlat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    dlat += (20.0 * np.sin(y * pi) + 40.0 * np.sin(y / 3.0 * pi)) * 2.0 / 3.0
    dlat += (160.0 * np.sin(y / 12.0 * pi) + 320.0 * np.sin(y * pi / 30.0)) * 2.0 / 3.0
    dlon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    dlon += (20.0 * np.sin(x * pi) + 40.0 * np.sin(x / 3.0 * pi)) * 2.0 / 3.0
    dlon += (150.0 * np.sin(x / 12.0 * pi) + 300.0 * np.sin(x / 30.0 * pi)) * 2.0 / 3.0
    rad = np.deg2rad(ll[:, 1])
    magic = 1.0 - ee * np.sin(rad) ** 2
    dlat = dlat * 180.0 / (a * (1.0 - ee) / (magic * np.sqrt(magic)) * pi)
    dlon = dlon * 180.0 / (a / np.sqrt(magic) * np.cos(rad) * pi)
    return np.column_stack([ll[:, 0] + dlon, ll[:, 1] + dlat])


def smooth_noise(rng: np.random.Generator, scale_m: float) -> Array:
    """Smooth random field on the ground grid: mean 0, deviation 1, features of about ``scale_m``."""
    field = gaussian_filter(rng.standard_normal(SHAPE), scale_m / CELL / 3.0, mode="reflect")
    return (field - field.mean()) / field.std()


def cells_of(xy: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of the ground grid under local points (n, 2), clipped to the grid."""
    row = np.floor((HEIGHT + MARGIN - xy[:, 1]) / CELL).astype(np.int64)
    col = np.floor((xy[:, 0] + MARGIN) / CELL).astype(np.int64)
    return np.clip(row, 0, SHAPE[0] - 1), np.clip(col, 0, SHAPE[1] - 1)


def points_along(line: BaseGeometry, step: float, start: float = 0.0) -> Array:
    """Points (n, 2) on a line every ``step`` metres from ``start``."""
    at = np.arange(start, line.length, step)
    return shapely.get_coordinates(shapely.line_interpolate_point(line, at))


def smooth_line(points: object, rounds: int = 3) -> shapely.LineString:
    """Chaikin's corner cutting: a hand-drawn polyline becomes a smooth one with the same ends."""
    xy = np.asarray(points, dtype=float)
    for _ in range(rounds):
        a, b = xy[:-1], xy[1:]
        cut = np.empty((2 * len(a), 2))
        cut[0::2], cut[1::2] = 0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b
        xy = np.vstack([xy[:1], cut, xy[-1:]])
    return shapely.LineString(xy)


def blob(centre: tuple[float, float], half: tuple[float, float], angle_deg: float = 0.0,
         power: float = 4.0, wobble: float = 0.04, phase: float = 0.0) -> shapely.Polygon:
    """Rounded, slightly uneven shape: a super-ellipse with waves on its rim."""
    t = np.linspace(0.0, 2.0 * np.pi, 73)[:-1]
    radius = 1.0 + wobble * (np.sin(3.0 * t + phase) + 0.7 * np.sin(5.0 * t + 2.0 * phase))
    c, s = np.cos(t), np.sin(t)
    x = np.sign(c) * np.abs(c) ** (2.0 / power) * half[0] * radius
    y = np.sign(s) * np.abs(s) ** (2.0 / power) * half[1] * radius
    a = np.deg2rad(angle_deg)
    return shapely.Polygon(np.column_stack([centre[0] + x * np.cos(a) - y * np.sin(a),
                                            centre[1] + x * np.sin(a) + y * np.cos(a)]))


def polygon_parts(geometry: BaseGeometry, least_area: float = 0.0) -> list[shapely.Polygon]:
    """Polygons inside any geometry, largest area filter, in a stable order (west to east, south to north)."""
    parts = [g for g in shapely.get_parts(geometry) if g.geom_type == "Polygon" and g.area >= least_area]
    return sorted(parts, key=lambda g: (round(g.centroid.x, 1), round(g.centroid.y, 1)))


def main_angle(polygon: BaseGeometry) -> float:
    """Direction of the long side of the smallest rectangle around a polygon, radians in [-pi/2, pi/2)."""
    ring = shapely.get_coordinates(shapely.oriented_envelope(polygon))
    if len(ring) < 4:
        return 0.0
    sides = np.diff(ring[:3], axis=0)
    long = sides[int(np.argmax(np.hypot(sides[:, 0], sides[:, 1])))]
    angle = float(np.arctan2(long[1], long[0]))
    return (angle + np.pi / 2) % np.pi - np.pi / 2
