"""What lies between an antenna and a receiver, from the heights of the certificate: one pair at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siteplan.verify._formulas import EARTH_RADIUS_M, WAVE_GHZ_M

Floats = NDArray[np.float64]
Pixel = tuple[int, int]

BUILT_M = 2.0
"""What stands higher than this on the ground is a building."""
WALL_M = 60.0
"""A receiver in a building takes the sight of the open ground nearest to it, looked for so far."""
AROUND_M = 500.0
"""Buildings so near decide whether a macro mast stands in a town."""
BESIDE_M = 25.0
"""Half the edge of the square whose buildings are a receiver's surroundings."""


@dataclass(frozen=True)
class Heights:
    """Heights of the certificate.

    Attributes
    ----------
    ground_m, clutter_m : ndarray of float32 (row, col)
        Ground above sea level; what stands on it, m.
    known : ndarray of bool (row, col)
        False where the ground is a guess: nothing is served there.
    classes : ndarray of float32 (row, col) or None
        Clutter class, whole numbers, 0 = not known.
    left, top, pixel_m : float
        Western and northern edge, edge of a pixel, m.
    has_clutter : bool
        False: nothing is known of buildings.
    """

    ground_m: NDArray[np.float32]
    clutter_m: NDArray[np.float32]
    known: NDArray[np.bool_]
    classes: NDArray[np.float32] | None
    left: float
    top: float
    pixel_m: float
    has_clutter: bool

    def pixel_at(self, x: float, y: float) -> Pixel:
        """Row and column of the pixel that holds a point."""
        return math.floor((y - self.top) / -self.pixel_m), math.floor((x - self.left) / self.pixel_m)

    def holds(self, pixel: Pixel) -> bool:
        """Whether a pixel lies on the grid."""
        rows, cols = self.ground_m.shape
        return 0 <= pixel[0] < rows and 0 <= pixel[1] < cols


def steps_between(start: Pixel, end: Pixel) -> tuple[Floats, Floats, Floats]:
    """Samples of the straight way between two pixel centres: distance from the start, row, column, all in pixels.

    They stand at 1, 1.5, 2, ... pixels and end half a pixel before the end or earlier.

    Examples
    --------
    >>> steps_between((0, 0), (0, 3))[0].tolist()
    [1.0, 1.5, 2.0, 2.5]
    """
    down, right = end[0] - start[0], end[1] - start[1]
    length = math.hypot(down, right)
    count = max(math.floor(2.0 * (length - 0.5)) - 1, 0)
    away: Floats = np.asarray(1.0 + 0.5 * np.arange(count), np.float64)
    share: Floats = away / length if count else away
    return away, start[0] + share * down, start[1] + share * right


def heights_at(grid: NDArray[np.float32], row: Floats, col: Floats) -> Floats:
    """Heights between pixel centres: straight along the columns, then along the rows (bilinear), m."""
    i = np.minimum(row.astype(int), max(grid.shape[0] - 2, 0))
    j = np.minimum(col.astype(int), max(grid.shape[1] - 2, 0))
    below, beside = np.minimum(i + 1, grid.shape[0] - 1), np.minimum(j + 1, grid.shape[1] - 1)
    fy, fx = row - i, col - j
    upper = (1.0 - fx) * grid[i, j].astype(float) + fx * grid[i, beside]
    lower = (1.0 - fx) * grid[below, j].astype(float) + fx * grid[below, beside]
    return (1.0 - fy) * upper + fy * lower


def knife_nu(over_m: Floats, before_m: Floats, behind_m: Floats, freq_ghz: float) -> Floats:
    """Parameter of edges ``over_m`` above the line of sight: ``h sqrt(2 (d1 + d2) / (lambda d1 d2))`` (P.526)."""
    wave_m = WAVE_GHZ_M / freq_ghz
    return np.asarray(over_m * np.sqrt(2.0 * (before_m + behind_m) / (wave_m * before_m * behind_m)))


def greatest_nu(away_m: Floats, height_m: Floats, ends_m: tuple[float, float], total_m: float,
                freq_ghz: float) -> float:
    """Greatest knife-edge parameter of a profile; minus infinity without a sample, above 0 where it cuts the sight.

    ``height_m`` are heights above sea level, lifted by the Earth's bulge; ``ends_m`` those of antenna and receiver.
    """
    if not away_m.size:
        return -math.inf
    line_m = ends_m[0] + (ends_m[1] - ends_m[0]) * away_m / total_m
    return float(knife_nu(height_m - line_m, away_m, total_m - away_m, freq_ghz).max())


def bullington_nu(away_m: Floats, height_m: Floats, ends_m: tuple[float, float], total_m: float,
                  freq_ghz: float) -> float:
    """Parameter of Bullington's equivalent edge (P.526): where the steepest lines from both ends meet.

    While no height cuts the sight it is :func:`greatest_nu`.

    Examples
    --------
    >>> away, heights = np.array([40.0]), np.array([20.0])
    >>> round(bullington_nu(away, heights, (10.0, 1.5), 80.0, 1.0), 2)  # 14.25 m over the line, in the middle
    8.23
    """
    if not away_m.size:
        return -math.inf
    start, end = ends_m
    from_start = float(((height_m - start) / away_m).max())
    if from_start <= (end - start) / total_m:
        return greatest_nu(away_m, height_m, ends_m, total_m, freq_ghz)
    from_end = float(((height_m - end) / (total_m - away_m)).max())
    meet_m = (end - start + from_end * total_m) / (from_start + from_end)
    over_m = start + from_start * meet_m - (start + (end - start) * meet_m / total_m)
    return float(knife_nu(np.array(over_m), np.array(meet_m), np.array(total_m - meet_m), freq_ghz))


@dataclass(frozen=True)
class Sight:
    """Edges between an antenna and a receiver at a frequency: over roofs and ground, over the ground alone."""

    nu_top: float | None
    """greatest over ground and roofs; None where nothing is known of buildings"""
    nu_ground: float
    """of Bullington's equivalent edge over the ground"""
    nu_ridge: float
    """greatest over the ground"""


def sight_between(heights: Heights, mast: Pixel, antenna_amsl_m: float, cell: Pixel, receiver_m: float,
                  freq_ghz: float) -> Sight:
    """Sight from an antenna to a receiver that stands ``receiver_m`` above the ground of its pixel."""
    away, row, col = steps_between(mast, cell)
    pixel_m = heights.pixel_m
    total_m = math.hypot(cell[0] - mast[0], cell[1] - mast[1]) * pixel_m
    away_m = away * pixel_m
    bulge_m = away_m * (total_m - away_m) / (2.0 * EARTH_RADIUS_M)
    ends_m = antenna_amsl_m, float(heights.ground_m[cell]) + receiver_m
    ground = heights_at(heights.ground_m, row, col) + bulge_m
    ridge = greatest_nu(away_m, ground, ends_m, total_m, freq_ghz)
    equivalent = bullington_nu(away_m, ground, ends_m, total_m, freq_ghz)
    if not heights.has_clutter:
        return Sight(None, equivalent, ridge)
    corners = (slice(min(mast[0], cell[0]), max(mast[0], cell[0]) + 2),
               slice(min(mast[1], cell[1]), max(mast[1], cell[1]) + 2))
    top = heights.ground_m[corners] + heights.clutter_m[corners]  # in single precision, as the study adds them
    top_m = heights_at(top, row - corners[0].start, col - corners[1].start) + bulge_m
    return Sight(greatest_nu(away_m, top_m, ends_m, total_m, freq_ghz), equivalent, ridge)


def before_the_wall(heights: Heights, cell: Pixel) -> Pixel:
    """Open pixel nearest to a built one, within 60 m; of equal ones the first by row, then by column; else itself."""
    reach = min(int(WALL_M // heights.pixel_m), 127)
    row, col = cell
    if not heights.clutter_m[cell] > BUILT_M:
        return cell
    top, left = max(row - reach, 0), max(col - reach, 0)
    part = heights.clutter_m[top:row + reach + 1, left:col + reach + 1]
    rows, cols = np.nonzero(~(part > BUILT_M))
    square = (rows + top - row) ** 2 + (cols + left - col) ** 2
    near = np.flatnonzero(square <= reach**2)
    if not near.size:
        return cell
    best = near[np.lexsort((cols[near], rows[near], square[near]))[0]]
    return int(rows[best]) + top, int(cols[best]) + left


def built_share(heights: Heights, mast: Pixel) -> float:
    """Share of built pixels among those of the grid within 500 m of a mast."""
    reach = max(int(AROUND_M // heights.pixel_m), 1)
    top, left = max(mast[0] - reach, 0), max(mast[1] - reach, 0)
    part = heights.clutter_m[top:mast[0] + reach + 1, left:mast[1] + reach + 1] > BUILT_M
    down, right = np.arange(top, top + part.shape[0]) - mast[0], np.arange(left, left + part.shape[1]) - mast[1]
    near = down[:, None] ** 2 + right[None, :] ** 2 <= reach**2
    return int((part & near).sum()) / int(near.sum())


def surroundings(heights: Heights, cell: Pixel) -> dict[str, float]:
    """Share of built pixels and mean height of what stands in the square of 25 m to each side of a receiver.

    Beyond the edge of the grid the pixels of the edge are repeated.
    """
    reach = int(BESIDE_M // heights.pixel_m)
    rows = np.clip(np.arange(cell[0] - reach, cell[0] + reach + 1), 0, heights.clutter_m.shape[0] - 1)
    cols = np.clip(np.arange(cell[1] - reach, cell[1] + reach + 1), 0, heights.clutter_m.shape[1] - 1)
    part = heights.clutter_m[np.ix_(rows, cols)].astype(float)
    return {"built_share": float((part > BUILT_M).mean()), "clutter_mean_m": float(part.mean())}
