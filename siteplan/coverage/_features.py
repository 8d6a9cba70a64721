"""What is known of measured signals: each measurement matched to its sector, with the features that explain it."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

from siteplan._kernels import CLEAR_NU, Mast
from siteplan._kernels._exact import point_sight, point_space
from siteplan.constants import EARTH_RADIUS_EFFECTIVE_M
from siteplan.coverage._antennas import VERTICAL_STEP_DEG, pattern_tables
from siteplan.coverage._equipment import Equipment, load_equipment
from siteplan.coverage._sectors import complete_sectors
from siteplan.coverage._surroundings import facade_steps, for_profiles, surroundings
from siteplan.errors import ModelError
from siteplan.grid import inside, pixel_of
from siteplan.input_ledger import InputLedger
from siteplan.params import CoverageParams
from siteplan.surface import Surface

SAMPLE_COLUMNS = (
    "sector_id", "site", "x", "y", "rsrp_dbm", "power_dbm", "freq_ghz", "antenna_height_m", "distance_m",
    "azimuth_off_deg", "down_deg", "horizontal_db", "vertical_db", "depth_db", "nu_top", "nu_ground", "blocked",
    "clutter_code", "built_share", "clutter_mean_m", "reach_ratio", "kind", "receiver_height_m",
)
"""Columns of a table of samples (index ``sample_id``), see :func:`measurement_samples`."""
NEAREST_D_M = 10.0
"""A receiver nearer to the mast than this counts as so far away, m: models and tables begin there."""
_DEEPEST_DB = 60.0


def draw_measurements(measurements: gpd.GeoDataFrame, per_sector: int, seed: int) -> gpd.GeoDataFrame:
    """At most ``per_sector`` rows of each sector, drawn at random, in the order of the table.

    Neighbouring rows of one sector share its shadowing, so more of them cost time and tell little.

    Examples
    --------
    >>> rows = pd.DataFrame({"sector_id": ["a"] * 50 + ["b"] * 3})
    >>> draw_measurements(rows, 10, seed=1)["sector_id"].value_counts().to_dict()
    {'a': 10, 'b': 3}
    """
    if per_sector < 1:
        raise ModelError("at least one row per sector must be drawn")
    ticket = np.random.default_rng(seed).random(len(measurements))
    rank = pd.Series(ticket).groupby(measurements["sector_id"].to_numpy(), sort=False).rank(method="first")
    return measurements[(rank <= per_sector).to_numpy()]


def measurement_samples(measurements: gpd.GeoDataFrame, sectors: pd.DataFrame, surface: Surface,
                        params: CoverageParams | None = None, clutter_code: NDArray[np.integer] | None = None,
                        equipment: Equipment | None = None, ledger: InputLedger | None = None) -> pd.DataFrame:
    """Measured signals with the features of the way from their sector to them.

    Parameters
    ----------
    measurements : GeoDataFrame
        Layer ``measurements`` in the study CRS: points, ``rsrp_dbm`` and ``sector_id``.
    sectors : DataFrame
        Table of sectors, see ``SECTOR_COLUMNS`` (index ``sector_id``).
    surface : Surface
    params : CoverageParams, optional
        Height of the receiver and loss by the body; the defaults when absent.
    clutter_code : ndarray of int (row, col), optional
        Clutter class of each pixel of the surface, 0 = not known.
    equipment : Equipment, optional
        Antennas that the sectors name; the package's table when absent.
    ledger : InputLedger, optional
        Takes one line per reason for which rows are left out.

    Returns
    -------
    DataFrame
        Index ``sample_id`` as in the measurements, in their order; ``SAMPLE_COLUMNS``:

        * ``sector_id``, ``site`` (row and column of the mast: sectors of one mast share it), ``x``, ``y``, ``rsrp_dbm``
        * ``power_dbm``: EPRE + gain - feeder - body; ``freq_ghz``, ``antenna_height_m``
        * ``distance_m`` from pixel centre to pixel centre, 10 m at least; ``azimuth_off_deg`` -180..180 (NaN = omni),
          ``down_deg`` below the horizon
        * ``horizontal_db``, ``vertical_db``: attenuation of the antenna in both planes, not damped; ``depth_db``: the
          greatest sum of both
        * ``nu_top``, ``nu_ground``: edge parameters at 1 GHz of the exact profile, over clutter and over the ground
          (Bullington); ``blocked``: the top surface cuts the sight line
        * ``clutter_code``, ``built_share``, ``clutter_mean_m``: what stands at and around the receiver
        * ``reach_ratio``: distance over the distance of the third nearest mast to the receiver (the farthest mast,
          where there are fewer). A report from far beyond its neighbours' masts is most often matched to the wrong cell
        * ``kind`` of the sector, ``receiver_height_m`` of ``params``: what a calibration fitted to the rows holds for

    Raises
    ------
    ModelError
        When a column is missing, ids are not unique, or the clutter raster has another shape than the surface.
    """
    wanted = CoverageParams() if params is None else params
    table = load_equipment() if equipment is None else equipment
    notes = InputLedger() if ledger is None else ledger
    _check(measurements, sectors, surface, clutter_code)
    filled = complete_sectors(sectors, table)
    kept, place = _matched(measurements, filled, surface, table, notes)
    link = _Link.of(surface, filled, kept, place, wanted)
    nu_top, nu_ground = _sight(surface, link, wanted.receiver_height_m)
    off, horizontal, vertical = _antenna(link, table)
    near, (rows, cols) = surroundings(surface), (link.row, link.col)
    code = np.zeros(len(kept), np.int64) if clutter_code is None else clutter_code[rows, cols].astype(np.int64)
    antennas = [table.antennas[str(name)] for name in link.sector["antenna"]]
    gain = np.array([antenna.gain_dbi for antenna in antennas], np.float64)
    fixed = gain - link.sector["feeder_db"].to_numpy(np.float64) - wanted.body_loss_db
    return pd.DataFrame(
        {
            "sector_id": kept["sector_id"].astype(str).to_numpy(object),
            "site": [f"{row}_{col}" for row, col in zip(link.mast_row, link.mast_col, strict=True)],
            "x": kept.geometry.x.to_numpy(np.float64), "y": kept.geometry.y.to_numpy(np.float64),
            "rsrp_dbm": kept["rsrp_dbm"].to_numpy(np.float64),
            "power_dbm": link.sector["epre_dbm"].to_numpy(np.float64) + fixed,
            "freq_ghz": link.sector["freq_mhz"].to_numpy(np.float64) / 1000.0,
            "antenna_height_m": link.sector["antenna_height_m"].to_numpy(np.float64),
            "distance_m": np.maximum(link.distance_m, NEAREST_D_M), "azimuth_off_deg": off, "down_deg": link.down_deg,
            "horizontal_db": horizontal, "vertical_db": vertical,
            "depth_db": np.array([antenna.depth_db for antenna in antennas], np.float64),
            "nu_top": nu_top, "nu_ground": nu_ground,
            "blocked": nu_top > 0.0, "clutter_code": code,
            "built_share": near.built_share[rows, cols].astype(np.float64),
            "clutter_mean_m": near.clutter_mean_m[rows, cols].astype(np.float64),
            "reach_ratio": _reach_ratio(filled, kept, link.distance_m),
            "kind": link.sector["kind"].astype(str).to_numpy(object), "receiver_height_m": wanted.receiver_height_m,
        },
        index=pd.Index(kept.index.astype(str), name="sample_id"),
    )


class _Link(NamedTuple):
    """The way of every sample: pixels of mast and receiver, and its sector's row."""

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    mast_row: NDArray[np.int64]
    mast_col: NDArray[np.int64]
    top_amsl_m: NDArray[np.float64]
    distance_m: NDArray[np.float64]
    azimuth_deg: NDArray[np.float64]
    down_deg: NDArray[np.float64]
    sector: pd.DataFrame

    @classmethod
    def of(cls, surface: Surface, sectors: pd.DataFrame, kept: gpd.GeoDataFrame, place: NDArray[np.int64],
           params: CoverageParams) -> _Link:
        sector = sectors.iloc[place]
        row, col = pixel_of(surface.geobox, kept.geometry.x.to_numpy(float), kept.geometry.y.to_numpy(float))
        mast_row, mast_col = pixel_of(surface.geobox, sector["x"].to_numpy(float), sector["y"].to_numpy(float))
        north, east = (mast_row - row) * surface.pixel_m, (col - mast_col) * surface.pixel_m
        distance = np.hypot(north, east)
        ground = surface.ground_m.astype(np.float64)
        top = ground[mast_row, mast_col] + sector["antenna_height_m"].to_numpy(np.float64)
        fall = top - params.receiver_height_m - ground[row, col]
        down = np.degrees(np.arctan2(fall, np.maximum(distance, 1e-3)))
        azimuth = np.degrees(np.arctan2(east, north)) % 360.0
        return cls(row, col, mast_row, mast_col, top, distance, azimuth, down, sector)


def _check(measurements: gpd.GeoDataFrame, sectors: pd.DataFrame, surface: Surface,
           clutter_code: NDArray[np.integer] | None) -> None:
    missing = [name for name in ("sector_id", "rsrp_dbm") if name not in measurements.columns]
    if missing:
        raise ModelError(f"table of measurements lacks the columns {', '.join(missing)}")
    if not sectors.index.is_unique or not measurements.index.is_unique:
        raise ModelError("ids of sectors and of measurements must be unique")
    if clutter_code is not None and clutter_code.shape != tuple(surface.geobox.shape):
        raise ModelError(f"clutter classes have the shape {clutter_code.shape}, the grid {tuple(surface.geobox.shape)}")


def _matched(measurements: gpd.GeoDataFrame, sectors: pd.DataFrame, surface: Surface,
             equipment: Equipment, ledger: InputLedger) -> tuple[gpd.GeoDataFrame, NDArray[np.int64]]:
    """Rows that can be used, and the row number of each one's sector; the others are told by reason."""
    place = pd.Index(sectors.index.astype(str)).get_indexer(measurements["sector_id"].astype(str))
    geometry = measurements.geometry
    x, y = geometry.x.to_numpy(np.float64), geometry.y.to_numpy(np.float64)
    row, col = pixel_of(surface.geobox, x, y)
    here = inside(surface.geobox, row, col)
    unknown = here.copy()
    unknown[here] = ~surface.known[row[here], col[here]]
    numbers = sectors[["antenna_height_m", "epre_dbm", "freq_mhz"]].to_numpy(np.float64)
    usable = np.isfinite(numbers).all(axis=1) & sectors["antenna"].isin(list(equipment.antennas)).to_numpy(bool)
    mast_x, mast_y = sectors["x"].to_numpy(np.float64), sectors["y"].to_numpy(np.float64)
    mast_here = inside(surface.geobox, *pixel_of(surface.geobox, mast_x, mast_y))
    indoor = (sectors["kind"] == "indoor").to_numpy(bool)
    left = np.ones(len(measurements), np.bool_)
    for bad, reason, remedy in (
        (~np.isfinite(measurements["rsrp_dbm"].to_numpy(np.float64)), "没有 RSRP 数值", "补全 rsrp_dbm"),
        (place < 0, "小区编号在基站表里找不到", "核对路测与基站表的小区编号"),
        (~here, "测点不在研究范围的网格内", "扩大研究范围，或核对坐标系"),
        (unknown, "测点处没有地面高程", "补充该处的地面高程，或去掉这些测点"),
        (~_at(usable, place), "测点所属小区缺挂高、功率或频率，或其天线不在设备表", "补全工参，或在 [equipment.antennas] 增加天线"),
        (~_at(mast_here, place), "测点所属小区的基站不在网格内", "扩大研究范围，或核对基站坐标"),
        (_at(indoor, place), "测点属于室内分布小区，室外传播模型不适用", "校正时不使用室分小区"),
    ):
        out = left & bad
        if out.any():
            ledger.add("measurements", "", "", "", f"{int(out.sum())} 行", "refused",
                       f"{int(out.sum())} 行测量不能用于校正：{reason}", remedy)
        left &= ~bad
    return measurements[left], place[left].astype(np.int64)


def _at(flags: NDArray[np.bool_], place: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Flag of each place; False for place -1, which an empty table does not even have a last row for."""
    return np.append(flags, False)[place]


def _sight(surface: Surface, link: _Link, receiver_m: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edge parameters of the top surface and of the ground, by the exact profile of every link.

    A receiver on a built pixel has the sight over the top surface of the open pixel in front of it, as the engine's.
    """
    ground = for_profiles(surface.ground_m)
    top = for_profiles(surface.top_m) if surface.has_clutter else ground
    nu_top, nu_ground = np.full(link.row.size, CLEAR_NU), np.full(link.row.size, CLEAR_NU)
    seen_row, seen_col = _seen_pixels(surface, link)
    order = np.lexsort((link.top_amsl_m, link.mast_col, link.mast_row))
    keys = np.stack([link.mast_row, link.mast_col, link.top_amsl_m], axis=1)[order]
    for run in np.split(order, 1 + np.flatnonzero((np.diff(keys, axis=0) != 0).any(axis=1))) if order.size else ():
        first = int(run[0])
        mast = Mast(int(link.mast_row[first]), int(link.mast_col[first]), float(link.top_amsl_m[first]), receiver_m,
                    surface.pixel_m, 0.5 / EARTH_RADIUS_EFFECTIVE_M)
        farthest = np.hypot(seen_row[run] - mast.row, seen_col[run] - mast.col).max()
        space = point_space(max(float(link.distance_m[run].max()) / surface.pixel_m, float(farthest)) + 1.0, mast)
        for i in run:
            nu_top[i], nu_ground[i] = point_sight(top, ground, surface.has_clutter, mast, int(link.row[i]),
                                                  int(link.col[i]), space)
            if (seen_row[i], seen_col[i]) != (link.row[i], link.col[i]):
                nu_top[i] = point_sight(top, ground, True, mast, int(seen_row[i]), int(seen_col[i]), space)[0]
    return nu_top, nu_ground


def _seen_pixels(surface: Surface, link: _Link) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels whose sight the receivers take: their own, or the open one in front of their wall."""
    if not surface.has_clutter:
        return link.row, link.col
    step = facade_steps(surface)[link.row, link.col].astype(np.int64)
    row, col = link.row + step[:, 0], link.col + step[:, 1]
    here = inside(surface.geobox, row, col)
    return np.where(here, row, link.row), np.where(here, col, link.col)


def _antenna(link: _Link, equipment: Equipment) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Angle off the azimuth (-180..180, NaN = omni), and attenuation in both planes as the engine's tables have it."""
    sector = link.sector
    off = (link.azimuth_deg - sector["azimuth_deg"].to_numpy(np.float64)) % 360.0
    lean = sector["tilt_mechanical_deg"].to_numpy(np.float64) * np.cos(np.radians(np.nan_to_num(off)))
    below = link.down_deg - sector["tilt_electrical_deg"].to_numpy(np.float64) - lean
    horizontal, vertical = np.zeros(off.size), np.zeros(off.size)
    names = sector["antenna"].astype(str).to_numpy(object)
    for name in sorted(set(names)):
        mine = names == name
        antenna = equipment.antennas[name]
        around, column, _ = pattern_tables(antenna, equipment.pattern_of(name), _DEEPEST_DB, 1.0)
        horizontal[mine] = np.interp(off[mine], np.arange(around.size), around)
        steps = -90.0 + VERTICAL_STEP_DEG * np.arange(column.size)
        vertical[mine] = np.interp(np.clip(below[mine], -90.0, 90.0), steps, column)
    omni = np.isnan(off)
    return (off + 180.0) % 360.0 - 180.0, np.where(omni, 0.0, horizontal), vertical


def _reach_ratio(sectors: pd.DataFrame, kept: gpd.GeoDataFrame, distance_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each sample over that of the third nearest mast."""
    if not len(kept):
        return np.zeros(0)
    masts = np.unique(sectors.loc[sectors["kind"] != "indoor", ["x", "y"]].to_numpy(np.float64).round(1), axis=0)
    points = np.stack([kept.geometry.x.to_numpy(np.float64), kept.geometry.y.to_numpy(np.float64)], axis=1)
    third, _ = KDTree(masts).query(points, k=[min(3, len(masts))])
    return distance_m / np.maximum(third[:, 0], NEAREST_D_M)
