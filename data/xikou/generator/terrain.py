"""Rivers, hills and the ground raster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from rasterio.features import rasterize
from scipy.ndimage import distance_transform_edt, gaussian_filter

from .frame import CELL, HEIGHT, MARGIN, SHAPE, Array, blob, cells_of, smooth_line, smooth_noise, stage_rng

TRANSFORM = Affine(CELL, 0.0, -MARGIN, 0.0, -CELL, HEIGHT + MARGIN)


def axis_x(y: Array | float) -> Array:
    """Easting of the city's gentle axis, which the streets of both banks follow."""
    return 5900.0 + 120.0 * np.sin(np.asarray(y, dtype=float) / 1100.0)


def _main_river() -> shapely.LineString:
    y = np.arange(11000.0, -1001.0, -50.0)
    return shapely.LineString(np.column_stack([axis_x(y) + 70.0 * np.sin(y / 430.0 + 0.6), y]))


RIVERS: dict[str, tuple[shapely.LineString, float]] = {
    "锦溪": (_main_river(), 130.0),
    "东溪": (smooth_line([(12900, 7300), (11900, 7000), (10500, 6450), (9300, 6420), (8000, 6450), (7000, 6350),
                        (5940, 6420)]), 30.0),
    "西溪": (smooth_line([(-900, 1600), (300, 1900), (1300, 2350), (2300, 2600), (3600, 2450), (5000, 2350),
                        (5980, 2300)]), 28.0),
    "竹溪": (smooth_line([(-900, 6200), (400, 6000), (1500, 5450), (2600, 5300), (3400, 5050), (4400, 4880),
                        (5830, 4790)]), 16.0),
    "云溪": (smooth_line([(600, 10900), (1400, 9700), (2700, 8500), (3900, 7900), (5000, 7620), (5990, 7560)]), 24.0),
    "松溪": (smooth_line([(9900, 10900), (9500, 9900), (8650, 8350), (7700, 7500), (6700, 7080), (5950, 7000)]), 22.0),
    "茶溪": (smooth_line([(12900, 4600), (11700, 3900), (10400, 2850), (9300, 2700), (8000, 2500), (6900, 2100),
                        (6000, 1750)]), 24.0),
}
LAKE = blob((10650, 8420), (330, 190), 35.0, power=2.4, wobble=0.12, phase=1.0)

WEST = blob((4480, 5000), (1330, 2050), 3.0, power=3.0, wobble=0.045, phase=0.9)
EAST = blob((7420, 4430), (1370, 1620), -2.0, power=3.0, wobble=0.045, phase=2.4)
INDUSTRY = blob((9250, 1650), (880, 620), 4.0, power=8.0, wobble=0.0)
TOWN_SITES: dict[str, tuple[float, float, float]] = {
    "石桥镇": (2350, 2830, 4.0), "云岭镇": (2830, 8740, -40.0), "竹园镇": (1650, 5660, -20.0),
    "松坪镇": (8550, 8560, 50.0), "茶亭镇": (10500, 6680, 2.0), "河湾镇": (10380, 3110, 38.0),
}


def town_shape(name: str) -> shapely.Polygon:
    """Built-up footprint of a rural town."""
    x, y, angle = TOWN_SITES[name]
    return blob((x, y), (430, 250), angle, power=3.5, wobble=0.04, phase=x % 7)


def distance_to(geometries: Sequence[shapely.Geometry]) -> Array:
    """Distance of every ground cell to the nearest of some geometries, metres."""
    mask = rasterize([(g, 0) for g in geometries], out_shape=SHAPE, transform=TRANSFORM, fill=1, all_touched=True,
                     dtype="uint8")
    return distance_transform_edt(mask) * CELL


@dataclass(frozen=True)
class Ground:
    """Ground heights in metres (row, col), row 0 north, on the 20 m grid."""

    height: Array

    def at(self, xy: Array) -> Array:
        """Height under local points (n, 2)."""
        return self.height[cells_of(np.asarray(xy, dtype=float).reshape(-1, 2))]

    def slope(self) -> Array:
        """Slope as rise over run, every cell."""
        gy, gx = np.gradient(self.height, CELL)
        return np.hypot(gx, gy)


def _smoothstep(t: Array) -> Array:
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def build_ground() -> Ground:
    """Valley floors along the rivers, ridged hills between them, heights about 10 to 350 m."""
    rng = stage_rng(1)
    ridges = np.zeros(SHAPE)
    for scale, weight in ((2600.0, 0.44), (1200.0, 0.30), (560.0, 0.18)):
        ridges += weight * (1.0 - np.abs(smooth_noise(rng, scale)) / 1.6)
    ridges += 0.035 * smooth_noise(rng, 280.0) + 0.010 * smooth_noise(rng, 110.0)
    low, high = np.percentile(ridges, [2, 99.7])
    ridges = np.clip((ridges - low) / (high - low), 0.0, 1.08)
    main = distance_to([RIVERS["锦溪"][0]])
    side = distance_to([line for name, (line, _) in RIVERS.items() if name != "锦溪"])
    flat = distance_to([WEST, EAST, INDUSTRY, *(town_shape(name) for name in TOWN_SITES)])
    away = np.minimum.reduce([main - 420.0, side - 130.0 - 25.0 * smooth_noise(rng, 900.0), flat - 40.0])
    rise = _smoothstep(gaussian_filter(away, 3.0) / 1000.0)
    floor = 11.0 + 0.0085 * gaussian_filter(main, 8.0) + 0.6 * smooth_noise(rng, 500.0)
    height = floor + rise * (25.0 + 250.0 * ridges ** 1.25)
    rows, cols = np.mgrid[0:SHAPE[0], 0:SHAPE[1]]
    x, y = (cols + 0.5) * CELL - MARGIN, HEIGHT + MARGIN - (rows + 0.5) * CELL
    for cx, cy, top, radius in ((4250, 6150, 62.0, 190.0), (8050, 3350, 40.0, 160.0)):
        height += top * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2.0 * radius ** 2))
    for line, width in RIVERS.values():
        bed = distance_to([line])
        height -= (2.0 + width / 50.0) * np.exp(-((bed / (width / 2.0 + 15.0)) ** 2))
    lake = distance_to([LAKE])
    level = float(np.percentile(height[lake == 0.0], 30))
    height = np.where(lake == 0.0, level, height * (1 - np.exp(-lake / 120)) + level * np.exp(-lake / 120))
    return Ground(np.round(np.clip(height, 6.0, None), 1))


def level_places(ground: Ground, points: Array, radius: float = 170.0) -> Ground:
    """Ground evened out around settlements, so that hill villages stand on terraces."""
    near = distance_to(list(shapely.points(points)))
    weight = np.exp(-((near / radius) ** 2))
    return Ground(np.round(ground.height * (1.0 - weight) + gaussian_filter(ground.height, 7.0) * weight, 1))
