"""Why a gap area is not covered: no sector near, the ground, buildings, or too weak a signal over a free way."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan._kernels import sight_of_pairs, steps_outwards
from siteplan.constants import EARTH_RADIUS_EFFECTIVE_M
from siteplan.coverage._surroundings import FACADE_M, for_profiles
from siteplan.errors import ModelError
from siteplan.gaps.holes.gap_areas import INDOOR_ZH, SHARES, GapAreas
from siteplan.gaps.holes.gap_cells import Whole
from siteplan.grid import inside, pixel_of
from siteplan.surface import Surface

CAUSES = ("no_site", "terrain", "buildings", "weak")
CAUSE_ZH: Mapping[str, str] = MappingProxyType({
    "no_site": "计算范围内无5G基站", "terrain": "地形遮挡", "buildings": "建筑遮挡", "weak": "距离远或天线背向",
    "indoor": INDOOR_ZH,
})
SHARE_COLUMNS = SHARES
"""Columns of the shares, in the order of ``CAUSES``."""
CAUSE_COLUMNS = ("reason_code", "reason", *SHARE_COLUMNS)


class _Sample(NamedTuple):
    """Pixels that stand for an area; one entry each."""

    area: Whole
    row: Whole
    col: Whole
    share: NDArray[np.float64]
    """of the area, summing to 1"""


def gap_causes(areas: GapAreas, server: NDArray[np.int32], sectors: pd.DataFrame, surface: Surface, *,
               receiver_height_m: float = 1.5, samples: int = 64) -> pd.DataFrame:
    """Why each gap area is not covered, from a sample of its pixels.

    Parameters
    ----------
    areas : GapAreas
    server : ndarray of int32, shape (rows, cols)
        Row in ``sectors`` of the strongest sector of each pixel, -1 where none is computed (``Layer.server``).
    sectors : DataFrame
        Index of sector ids; ``x, y, antenna_height_m``. In the order that ``server`` counts in, which for a coverage
        is ``sectors.loc[list(coverage.sector_ids)]``.
    surface : Surface
    receiver_height_m : float
        Above the ground, m.
    samples : int
        Places looked at in each area; fewer where it has fewer cells.

    Returns
    -------
    DataFrame
        Index ``gap_id``: ``reason_code`` (the cause of the greatest share; of equal ones the first of ``CAUSES``),
        ``reason`` (Chinese sentence), ``share_no_site, share_terrain, share_buildings, share_weak`` (0..1, their sum
        is 1), ``server_distance_m`` (median distance to the strongest sector where the leading cause holds; NaN for
        ``no_site``). Areas of type ``indoor`` keep their reason, their shares are NaN.

    Raises
    ------
    ModelError
        When the arrays do not fit the grid, ``server`` counts further than ``sectors``, or ``samples`` is below 1.

    Notes
    -----
    The cells of an area are sampled at even steps of their summed weight (of their pixels for ``land``, or where
    nothing weighs), ordered by place: no random numbers, and no dependence on other areas. A cell is judged at the
    pixel nearest to its middle, open ones first. Where no sector is computed the cause is ``no_site``; where the
    profile to the strongest sector is cut by the ground it is ``terrain``; where only by the top surface (buildings
    or trees), ``buildings``; else ``weak``: too far, or out of the antenna's beam. A pixel in a building takes
    the sight of the nearest open pixel within 60 m, as the prediction does.
    """
    shape = tuple(surface.geobox.shape)
    if areas.labels.shape != shape or server.shape != shape or samples < 1:
        raise ModelError("gap areas, servers and surface lie on one grid, and at least one sample is taken")
    if int(server.max(initial=-1)) >= len(sectors):
        raise ModelError(f"pixels are served by sector {int(server.max())}, but there are {len(sectors)} sectors")
    if areas.table.empty or (areas.table["gap_type"] == "indoor").all():
        return _unexplained(areas.table)
    taken = _draw_sample(areas, surface.built, samples)
    number = server[taken.row, taken.col].astype(np.int64)
    cause = np.zeros(taken.row.size, np.int64)
    distance = np.full(taken.row.size, np.nan)
    served = np.flatnonzero(number >= 0)
    if served.size:
        here = sectors.iloc[number[served]]
        mast_row, mast_col = pixel_of(surface.geobox, here["x"].to_numpy(float), here["y"].to_numpy(float))
        if not inside(surface.geobox, mast_row, mast_col).all():
            raise ModelError("sectors that serve a gap lie outside of the surface")
        pixels = taken.row[served], taken.col[served]
        distance[served] = np.hypot(mast_row - pixels[0], mast_col - pixels[1]) * surface.pixel_m
        masts = mast_row, mast_col, surface.ground_m[mast_row, mast_col] + here["antenna_height_m"].to_numpy(float)
        cause[served] = _obstacles(surface, masts, pixels, receiver_height_m)
    return _sum_up(areas.table, taken, cause, distance)


def with_causes(table: gpd.GeoDataFrame, causes: pd.DataFrame) -> gpd.GeoDataFrame:
    """The table of gap areas with the columns that :func:`gap_causes` found."""
    return table.assign(**{name: causes[name].reindex(table.index) for name in CAUSE_COLUMNS})


def _draw_sample(areas: GapAreas, built: NDArray[np.bool_], samples: int) -> _Sample:
    """Pixels of the cells at even steps of each area's weight; of land at even steps of its pixels."""
    cells, count = areas.cells, len(areas.table)
    land = (areas.table["gap_type"] == "land").to_numpy()
    total = np.bincount(cells.area, cells.weight, minlength=count + 1)[1:]
    by_pixels = (land | ~(total > 0))[cells.area - 1]
    measure = np.where(by_pixels, cells.pixels.astype(np.float64), cells.weight)
    measure /= np.bincount(cells.area, measure, minlength=count + 1)[cells.area]
    start = np.searchsorted(cells.area, np.arange(1, count + 2))
    running = np.concatenate([[0.0], np.cumsum(measure)])
    within = running[1:] - running[start[:-1]][cells.area - 1] + (cells.area - 1)
    wanted = (np.arange(count)[:, None] + (np.arange(samples) + 0.5) / samples).ravel()
    chosen = np.searchsorted(within, wanted)
    first, last = (np.repeat(part, samples) for part in (start[:-1], start[1:] - 1))
    cell, times = np.unique(np.clip(chosen, first, last), return_counts=True)
    rows, cols, on = areas.lattice.pixels_of(cells.row[cell], cells.col[cell], areas.labels.shape)
    own = on & (areas.labels[rows, cols] == cells.area[cell, None])
    rank = np.where(own, areas.lattice.off_centre() + areas.lattice.step * 2.0 * built[rows, cols], np.inf)
    best = np.argmin(rank, axis=1)[:, None]
    row, col = (np.take_along_axis(part, best, 1)[:, 0] for part in (rows, cols))
    return _Sample(cells.area[cell], row, col, times / samples)


def _obstacles(surface: Surface, masts: tuple[Whole, Whole, NDArray[np.float64]], pixels: tuple[Whole, Whole],
               receiver_height_m: float) -> Whole:
    """Number in ``CAUSES`` of what stands between each mast and its pixel."""
    heights = for_profiles(surface.top_m), for_profiles(surface.ground_m), surface.has_clutter
    shared = receiver_height_m, surface.pixel_m, 0.5 / EARTH_RADIUS_EFFECTIVE_M
    sight = np.empty((pixels[0].size, 2))
    sight_of_pairs(heights, shared, masts, pixels, sight)
    over_ground, over_top = sight[:, 1] > 0.0, sight[:, 0] > 0.0
    inner = np.flatnonzero(surface.built[pixels])
    if inner.size and surface.has_clutter:
        lent = np.empty((inner.size, 2))
        sight_of_pairs(heights, shared, tuple(part[inner] for part in masts),
                       _open_pixels(surface, (pixels[0][inner], pixels[1][inner])), lent)
        over_top[inner] = lent[:, 0] > 0.0
    return np.select([over_ground, over_top], [1, 2], 3).astype(np.int64)


def _open_pixels(surface: Surface, pixels: tuple[Whole, Whole]) -> tuple[Whole, Whole]:
    """The nearest pixel that is not built, within 60 m; the pixel itself where there is none."""
    steps = steps_outwards(min(int(FACADE_M // surface.pixel_m), 127)).astype(np.int64)
    if len(steps) == 0:
        return pixels
    rows, cols = pixels[0][:, None] + steps[:, 0], pixels[1][:, None] + steps[:, 1]
    on = inside(surface.geobox, rows, cols)
    free = on & ~surface.built[np.where(on, rows, 0), np.where(on, cols, 0)]
    first, some = np.argmax(free, axis=1)[:, None], free.any(axis=1)
    row, col = (np.take_along_axis(part, first, 1)[:, 0] for part in (rows, cols))
    return np.where(some, row, pixels[0]), np.where(some, col, pixels[1])


def _sum_up(table: gpd.GeoDataFrame, taken: _Sample, cause: Whole, distance: NDArray[np.float64]) -> pd.DataFrame:
    """Shares, leading cause, distance and sentence of every area."""
    count, kinds = len(table), len(CAUSES)
    place = (taken.area - 1) * kinds + cause
    shares = np.bincount(place, taken.share, minlength=count * kinds).reshape(count, kinds)
    leading = np.argmax(np.round(shares, 9), axis=1)
    away = pd.Series(np.where(cause == leading[taken.area - 1], distance, np.nan)).groupby(taken.area - 1).median()
    out = pd.DataFrame(shares, index=table.index, columns=list(SHARE_COLUMNS))
    out["reason_code"] = pd.Series(np.array(CAUSES, object)[leading], index=table.index, dtype="str")
    out["server_distance_m"] = away.reindex(range(count)).to_numpy()
    nearest = table["distance_m"].to_numpy(float)
    out["reason"] = pd.Series([
        _sentence(code, share, server_m, site_m) for code, share, server_m, site_m in zip(
            out["reason_code"], shares[np.arange(count), leading], out["server_distance_m"], nearest, strict=True)],
        index=table.index, dtype="str")
    indoor = table["gap_type"] == "indoor"
    if indoor.any():
        out[indoor] = _unexplained(table)[out.columns][indoor]
    return out[[*CAUSE_COLUMNS, "server_distance_m"]]


def _unexplained(table: gpd.GeoDataFrame) -> pd.DataFrame:
    """The rows as they stand."""
    return pd.DataFrame(table[list(CAUSE_COLUMNS)]).assign(server_distance_m=np.nan)


def _sentence(code: str, share: float, server_m: float, site_m: float) -> str:
    """Cause in Chinese, with its share where it is not all, and how far the site is.

    >>> _sentence("terrain", 0.721, 1834.0, 900.0), _sentence("no_site", 1.0, float("nan"), 12345.0)
    ('距主服站1.8公里,地形遮挡(占72%)', '计算范围内无5G基站,最近5G基站12.3公里')
    """
    part = f"(占{int(100 * share + 1e-6)}%)" if share < 1.0 - 1e-6 else ""
    if code == "no_site":
        return f"{CAUSE_ZH[code]}{part}" + (f",最近5G基站{_length(site_m)}" if np.isfinite(site_m) else "")
    return f"距主服站{_length(server_m)},{CAUSE_ZH[code]}{part}"


def _length(metres: float) -> str:
    return f"{metres:.0f}米" if metres < 950 else f"{metres / 1000:.1f}公里"
