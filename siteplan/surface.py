"""Surface: the heights that signals meet, ground and what stands on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy import ndimage

from siteplan.errors import ModelError
from siteplan.grid import pixel_size_m, rasterize, resample
from siteplan.input_ledger import InputLedger

Heights = NDArray[np.float32]

BUILT_M = 2.0
"""Clutter higher than this counts as built, m."""
FILL_LIMIT_M = 500.0
"""Ground further than this from a known height stays unknown: there is nothing to judge coverage by."""


class HeightRaster(Protocol):
    """An array of heights (float32, m, NaN = no data) beside its grid."""

    @property
    def array(self) -> Heights:
        """Heights, float32 (row, col), m."""

    @property
    def geobox(self) -> GeoBox:
        """Where the array lies."""

    @property
    def filled(self) -> NDArray[np.bool_] | None:
        """True where a void was filled from around it; None where nothing was."""


@dataclass(frozen=True)
class Surface:
    """Heights of the study grid.

    Attributes
    ----------
    geobox : GeoBox
    ground_m : ndarray of float32 (row, col)
        Ground above sea level, m; never NaN (voids are filled).
    clutter_m : ndarray of float32 (row, col)
        Buildings and trees above the ground, m; 0 where there is none, never NaN.
    known : ndarray of bool (row, col)
        False where the ground is further than 500 m from any known height: coverage is NaN there.
    has_clutter : bool
        True when the study has buildings or object heights at all. False means "not known", and line of sight is
        then a probability.
    classes : ndarray of int16 (row, col) or None
        Clutter class of each pixel, 0 = not known; None when the study has no such layer.
    """

    geobox: GeoBox
    ground_m: Heights
    clutter_m: Heights
    known: NDArray[np.bool_]
    has_clutter: bool
    classes: NDArray[np.int16] | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.geobox.shape)
        for name in ("ground_m", "clutter_m", "known"):
            if getattr(self, name).shape != shape:
                raise ModelError(f"surface: {name} has shape {getattr(self, name).shape}, the grid {shape}")
        if np.isnan(self.ground_m).any() or np.isnan(self.clutter_m).any():
            raise ModelError("surface: ground_m and clutter_m must not hold NaN")

    @property
    def top_m(self) -> Heights:
        """Ground plus clutter above sea level, float32, m."""
        return self.ground_m + self.clutter_m

    @property
    def built(self) -> NDArray[np.bool_]:
        """True where what stands on the ground is higher than 2 m: lower things are fences, shrubs, noise."""
        return self.clutter_m > BUILT_M

    @property
    def pixel_m(self) -> float:
        """Edge of a pixel, m."""
        return pixel_size_m(self.geobox)


def build_surface(geobox: GeoBox, buildings: gpd.GeoDataFrame | None = None, ground: HeightRaster | None = None,
                  heights: HeightRaster | None = None, ledger: InputLedger | None = None,
                  classes: HeightRaster | None = None) -> Surface:
    """Bring ground, object heights and buildings onto the study grid.

    Parameters
    ----------
    geobox : GeoBox
        The study grid.
    buildings : GeoDataFrame, optional
        Footprints in the study CRS with ``height_m``.
    ground : raster, optional
        Ground above sea level (``array`` and ``geobox``). Absent: flat ground at 0 m.
    heights : raster, optional
        Heights of objects above the ground. Where buildings and this raster meet, the larger counts.
    ledger : InputLedger, optional
        Takes a line for every assumption.
    classes : raster, optional
        Clutter classes as whole numbers; the nearest pixel counts.

    Returns
    -------
    Surface

    Notes
    -----
    Voids of the ground take the height of the nearest known pixel; ``known`` is False further than 500 m from a
    measured one.
    Pixels of ``heights`` without data count as 0 m.

    Examples
    --------
    >>> from siteplan.grid import study_geobox
    >>> flat = build_surface(study_geobox((0.0, 0.0, 40.0, 30.0), "EPSG:4547", 10.0))
    >>> flat.ground_m.shape, flat.has_clutter, bool(flat.known.all())
    ((3, 4), False, True)
    """
    notes = InputLedger() if ledger is None else ledger
    ground_m, known = _ground(geobox, ground, notes)
    clutter_m, has_clutter = _clutter(geobox, buildings, heights, notes)
    codes = None
    if classes is not None:
        codes = np.nan_to_num(resample(classes.array, classes.geobox, geobox, "nearest"), nan=0.0).astype(np.int16)
    return Surface(geobox, ground_m, clutter_m, known, has_clutter, codes)


def _fitting(raster: HeightRaster, geobox: GeoBox, coarse: str, fine: str) -> Heights:
    """The raster on the grid: ``fine`` method when its pixels are smaller than those of the grid."""
    ratio = pixel_size_m(geobox) / abs(pixel_size_m(raster.geobox)) if raster.geobox.crs == geobox.crs else 1.0
    return resample(raster.array, raster.geobox, geobox, fine if ratio > 1.2 else coarse)  # type: ignore[arg-type]


def _ground(geobox: GeoBox, ground: HeightRaster | None, ledger: InputLedger) -> tuple[Heights, NDArray[np.bool_]]:
    shape = tuple(geobox.shape)
    if ground is None:
        ledger.add("ground", "", "", "", "0 m", "assumed", "没有地面高程数据，按平地（0 m）计算",
                   "提供数字高程模型（DEM），山地城市尤其需要")
        return np.zeros(shape, np.float32), np.ones(shape, np.bool_)
    heights = _fitting(ground, geobox, "bilinear", "average")
    void = ~np.isfinite(heights)
    made = _filled(ground, geobox)
    if not void.any() and not made.any():
        return heights, ~void
    if void.all():
        ledger.add("ground", "", "", "", f"{void.size} px", "assumed",
                   "地面高程与研究范围没有重叠或全部无值，无法判断覆盖", "检查高程文件的坐标系和范围")
        return np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
    away = ndimage.distance_transform_edt(void | made) * pixel_size_m(geobox)
    known = np.asarray(away <= FILL_LIMIT_M) & ~(void | made).all()
    if void.any():
        nearest = ndimage.distance_transform_edt(void, return_distances=False, return_indices=True)
        ledger.add("ground", "", "", "", f"{int(void.sum())} px", "assumed",
                   f"{int(void.sum())} 个像元没有地面高程，取最近像元的值；其中 {int((~known).sum())} 个离已知高程超过 "
                   f"{FILL_LIMIT_M:.0f} m，覆盖记为无数据", "补全高程数据")
        heights = heights[nearest[0], nearest[1]]
    return heights, known


def _filled(ground: HeightRaster, geobox: GeoBox) -> NDArray[np.bool_]:
    """Pixels of the grid whose ground was filled in from around, not measured."""
    if ground.filled is None or not ground.filled.any():
        return np.zeros(tuple(geobox.shape), np.bool_)
    return np.asarray(resample(ground.filled.astype(np.float32), ground.geobox, geobox, "nearest") > 0.5)


def _clutter(geobox: GeoBox, buildings: gpd.GeoDataFrame | None, heights: HeightRaster | None,
             ledger: InputLedger) -> tuple[Heights, bool]:
    clutter = np.full(geobox.shape, np.nan, np.float32)
    if buildings is not None and len(buildings):
        clutter = rasterize(buildings.geometry.to_numpy(), buildings["height_m"].to_numpy(float), geobox, "max")
    has_clutter = buildings is not None and len(buildings) > 0
    if heights is not None:
        objects = _fitting(heights, geobox, "nearest", "max")
        clutter = np.fmax(clutter, objects)
        has_clutter = has_clutter or bool(np.isfinite(objects).any())
        void = int(np.isnan(clutter).sum())
        if void:
            ledger.add("heights", "", "", "", f"{void} px", "assumed",
                       f"{void} 个像元没有地物高度，按 0 m 计算", "补全地物高度数据，或确认这些地方是空地")
    elif not has_clutter:
        ledger.add("buildings", "", "", "", "", "assumed",
                   "没有建筑物和地物高度数据，视距按 TR 38.901 的视距概率处理", "提供建筑物轮廓和高度，或地物高度栅格")
    clutter = np.maximum(np.nan_to_num(clutter, nan=0.0), 0.0).astype(np.float32)
    return clutter, has_clutter
