"""One link, sector to pixel: its profile, what stands in the way, and the budget line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan._kernels import OUT_OF_REACH_DB, Losses
from siteplan.coverage._antennas import VERTICAL_STEP_DEG
from siteplan.coverage._calibration import Calibration
from siteplan.coverage._equipment import Equipment, load_equipment
from siteplan.coverage._losses import calibrated_losses, ring_losses
from siteplan.coverage._masts import Masts, prepare_masts
from siteplan.coverage._models import MODEL_NAMES
from siteplan.coverage._path_profile import (
    TERRAIN_WORDS,
    PathEdge,
    PathSamples,
    dominant_edge,
    equivalent_nu,
    greatest_nu,
    path_samples,
    surface_around,
    terrain_losses,
)
from siteplan.coverage._receivers import indoor_threshold_dbm, receiver_pixels
from siteplan.coverage._sectors import check_sectors, complete_sectors
from siteplan.coverage._surroundings import FACADE_M, facade_steps
from siteplan.errors import ModelError
from siteplan.grid import inside, pixel_of, pixel_xy
from siteplan.params import CoverageParams
from siteplan.radio import (
    MODEL_WORDS,
    Validity,
    coverage_probability,
    environment_loss_db,
    fresnel_radius_m,
    knife_edge_loss_db,
    los_probability,
    path_loss_db,
    validity,
    validity_words,
    wall_loss_db,
    wall_sigma_db,
)
from siteplan.surface import Surface

Floats = NDArray[np.float64]

LOSS_LINES = ("自由空间损耗", "环境附加损耗", "遮挡附加", "地形附加损耗", "像元修正")
"""Lines of a budget that make up the path loss."""


class BudgetLine(NamedTuple):
    """One line of a link budget; all lines of a budget add up to its signal."""

    name: str
    value: float
    """dBm of the first line, dB of the others; losses are negative"""
    note: str


@dataclass(frozen=True)
class LinkProfile:
    """The way from one antenna to one pixel, and its budget.

    Attributes
    ----------
    sector_id : str
    freq_mhz, azimuth_deg : float
        Frequency; direction from the mast to the receiver, degrees clockwise from north.
    mast_xy, receiver_xy : (float, float)
        Centres of their pixels, m.
    antenna_amsl_m, receiver_amsl_m : float
        Both ends above sea level, m.
    distance_m : ndarray of float64 (points,)
        Samples of the profile from the mast (0) to the receiver, m.
    ground_m, top_m : ndarray of float64 (points,)
        Ground, and ground with what stands on it, above sea level, lifted by the bulge of the effective Earth (0 at
        both ends), m. The two ends are no obstacles.
    sight_m, fresnel_m : ndarray of float64 (points,)
        Height of the direct line, and radius of the first Fresnel zone around it, m.
    blocked : bool
        Whether the top surface cuts the direct line, as the prediction counts it (see ``facade_m``).
    facade_m : float
        0, or for a receiver on a built pixel how far away the open pixel is whose sight it takes, m.
    top_edge, ground_edge : PathEdge or None
        The dominant edge of both surfaces, of the top surface on the way that ``blocked`` tells of; None where no
        sample lies between the ends, and of the top surface where nothing is known of buildings.
    model : str
        Name of the path-loss model; ``calibration`` where a calibration takes its place.
    environment_db : (float, float)
        Loss of the environment in the clear and blocked, as ``building_weight`` blends them, dB.
    terrain_db : mapping of str to float
        Loss over the ground beyond free space by ``knife_edge``, ``bullington``, ``delta_bullington``, ``deygout``, dB.
    terrain_method : str
        Which of them the prediction takes.
    validity : tuple of str
        In which respects the model is used outside of its range.
    budget : tuple of BudgetLine
        Outdoors; the values add up to ``rsrp_dbm``.
    loss_db, rsrp_dbm, sigma_db, threshold_dbm, probability : float
        Path loss, signal outdoors, standard deviation of its error, threshold, probability of coming up to it.
    indoor : tuple of BudgetLine
        What is lost from the wall to the receiver; empty where no building stands or it is not asked for.
    indoor_rsrp_dbm, indoor_probability : float
        NaN where ``indoor`` is empty.
    within_reach : bool
        False where the receiver is farther away than the prediction computes this sector.
    """

    sector_id: str
    freq_mhz: float
    azimuth_deg: float
    mast_xy: tuple[float, float]
    receiver_xy: tuple[float, float]
    antenna_amsl_m: float
    receiver_amsl_m: float
    distance_m: Floats
    ground_m: Floats
    top_m: Floats
    sight_m: Floats
    fresnel_m: Floats
    blocked: bool
    facade_m: float
    top_edge: PathEdge | None
    ground_edge: PathEdge | None
    model: str
    environment_db: tuple[float, float]
    terrain_db: Mapping[str, float]
    terrain_method: str
    validity: tuple[str, ...]
    budget: tuple[BudgetLine, ...]
    loss_db: float
    rsrp_dbm: float
    sigma_db: float
    threshold_dbm: float
    probability: float
    indoor: tuple[BudgetLine, ...]
    indoor_rsrp_dbm: float
    indoor_probability: float
    within_reach: bool


class _Link(NamedTuple):
    """What the lines of a budget are made of; nu at the frequency of the link."""

    masts: Masts
    sector: pd.Series
    gain_dbi: float
    down_deg: float
    bearing_deg: float
    path: PathSamples
    seen: PathSamples
    nu_top: float
    nu_ground: float
    facade_m: float
    losses: Losses
    pixel_db: float
    inside_db: float

    @property
    def state(self) -> int:
        """0 in the clear, 1 blocked: column of the loss tables."""
        return int(self.nu_top > 0.0)


def link_profile(surface: Surface, sector: pd.DataFrame | pd.Series, x: float, y: float, params: CoverageParams, *,
                 equipment: Equipment | None = None, calibration: Calibration | None = None) -> LinkProfile:
    """Profile and budget of the link from a sector to a place, as the prediction counts it.

    Parameters
    ----------
    surface : Surface
    sector : DataFrame of one row, or Series
        A row of a table of sectors (``sectors.loc[["A-1"]]`` or ``sectors.loc["A-1"]``), see
        :func:`predict_coverage`; not an indoor sector.
    x, y : float
        Easting and northing of the receiver, m; its pixel's centre is taken, and that of the mast's pixel.
    params : CoverageParams
    equipment : Equipment, optional
        The package's table when absent.
    calibration : Calibration, optional

    Returns
    -------
    LinkProfile
        Its signal is that of :func:`predict_coverage` with ``sight = "exact"`` for this sector at this pixel.

    Raises
    ------
    ModelError
        When the sector cannot be used, there is not one of them, or the place is outside of the grid or unknown.

    Notes
    -----
    The profile is sampled as the engine does it: bilinear at 1, 1.5, 2, ... pixels from the mast, the last sample half
    a pixel before the receiver at least, with the bulge of an effective Earth of 8500 km.

    Examples
    --------
    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 500.0, 30.0), "EPSG:4547", 10.0)
    >>> hill = np.zeros(box.shape, np.float32)
    >>> hill[:, 20] = 60.0
    >>> ridge = Surface(box, hill, np.zeros_like(hill), np.ones(hill.shape, bool), True)
    >>> row = {"x": 5.0, "y": 15.0, "antenna_height_m": 30.0, "azimuth_deg": 90.0, "tilt_deg": 6.0, "freq_mhz": 3450.0,
    ...        "epre_dbm": 17.8, "antenna": "macro_64t", "kind": "macro", "networks": "*", "technology": "5G"}
    >>> link = link_profile(ridge, pd.Series(row, name="A-1"), 405.0, 15.0, CoverageParams())
    >>> link.blocked, link.ground_edge.distance_m, round(sum(line.value for line in link.budget) - link.rsrp_dbm, 9)
    (True, 200.0, 0.0)
    """
    kit = load_equipment() if equipment is None else equipment
    table = _checked(surface, sector, kit)
    masts = prepare_masts(surface, table, params, kit, calibration)
    row, col = (int(part[0]) for part in pixel_of(surface.geobox, [x], [y]))
    if not inside(surface.geobox, row, col) or not surface.known[row, col]:
        raise ModelError(f"the receiver at {x:g}, {y:g} is outside of the grid, or its ground is unknown")
    link = _link(masts, table.iloc[0], kit.antennas[str(table["antenna"].iloc[0])].gain_dbi, (row, col))
    path, freq = link.path, float(masts.freq_ghz[0])
    budget = _budget(link)
    rsrp, sigma = sum(line.value for line in budget), 1.0 / float(link.losses.inverse_sigma[0, link.state])
    indoor = _indoor(link)
    spread = float(np.hypot(sigma, wall_sigma_db(params.wall)))
    indoor_dbm = rsrp + sum(line.value for line in indoor) if indoor else float("nan")
    threshold_in = indoor_threshold_dbm(params)
    d, model = path.distance_m, MODEL_NAMES[masts.model[0]]
    calibrated = bool(masts.calibrated[0])
    ends = _xy(surface, int(masts.row[0]), int(masts.col[0])), _xy(surface, row, col)
    return LinkProfile(
        str(table.index[0]), 1000.0 * freq, link.bearing_deg, *ends, *path.ends_m,
        d, path.ground_m, path.top_m, path.sight_m, fresnel_radius_m(d / 1000.0, (d[-1] - d) / 1000.0, freq),
        bool(link.state), link.facade_m,
        dominant_edge(link.seen, link.seen.top_m, freq) if surface.has_clutter else None,
        dominant_edge(path, path.ground_m, freq),
        "calibration" if calibrated else model,
        (float(link.losses.path_db[0, 0]), float(link.losses.path_db[0, 1])), terrain_losses(path, freq),
        params.terrain_diffraction, () if calibrated else _validity(link, model), budget,
        -sum(line.value for line in budget if line.name in LOSS_LINES), rsrp, sigma, params.threshold_dbm,
        float(coverage_probability(rsrp, params.threshold_dbm, sigma)), indoor, indoor_dbm,
        float(coverage_probability(indoor_dbm, threshold_in, spread)),
        bool(d[-1] <= masts.radius[0] * surface.pixel_m),
    )


def _checked(surface: Surface, sector: pd.DataFrame | pd.Series, equipment: Equipment) -> pd.DataFrame:
    """The sector as a complete table of one row."""
    table = pd.DataFrame([sector.to_dict()], index=[str(sector.name)]) if isinstance(sector, pd.Series) else sector
    if len(table) != 1:
        raise ModelError(f"a link has one sector, not {len(table)}")
    check_sectors(surface, table, equipment)
    if table["kind"].iloc[0] == "indoor":
        raise ModelError(f"sector {table.index[0]} is an indoor one: it does not radiate outdoors")
    return complete_sectors(table, equipment)


def _xy(surface: Surface, row: int, col: int) -> tuple[float, float]:
    x, y = pixel_xy(surface.geobox, row, col)
    return float(x), float(y)


def _link(masts: Masts, sector: pd.Series, gain_dbi: float, here: tuple[int, int]) -> _Link:
    """Everything that the budget needs, by the rules of the engine."""
    surface, params, calibration = masts.surface, masts.params, masts.calibration
    freq, height = float(masts.freq_ghz[0]), float(masts.height_m[0])
    near, at = surface_around(surface, here, int(FACADE_M // surface.pixel_m) + 2)
    steps = facade_steps(near)
    pixels = receiver_pixels(near, params, steps, calibration)
    path = path_samples(masts.surface, masts.mast(0), here)
    d, root = path.distance_m, float(np.sqrt(freq))
    bullington = params.terrain_diffraction == "bullington"
    nu_ground = equivalent_nu(path) if bullington else greatest_nu(path, path.ground_m)
    seen, facade_m = _seen(masts, here, steps[at])
    nu_top = greatest_nu(seen, seen.top_m) if surface.has_clutter else nu_ground
    if calibration is not None and masts.calibrated[0]:
        losses = calibrated_losses(calibration, height, freq, d[-1:], params)
    else:
        losses = ring_losses(MODEL_NAMES[masts.model[0]], height, freq, d[-1:], surface.has_clutter, params)
    east, south = here[1] - int(masts.col[0]), here[0] - int(masts.row[0])
    return _Link(
        masts, sector, gain_dbi, float(np.degrees(np.arctan2(path.ends_m[0] - path.ends_m[1], max(d[-1], 1e-3)))),
        float(np.degrees(np.arctan2(east, -south)) % 360.0), path, seen, nu_top * root, nu_ground * root, facade_m,
        losses,
        float(pixels.extra_db[at]) if pixels.extra_db.size and masts.calibrated[0] else 0.0,
        float(pixels.inside_db[at]) if pixels.inside_db.size else OUT_OF_REACH_DB,
    )


def _seen(masts: Masts, here: tuple[int, int], step: NDArray[np.int8]) -> tuple[PathSamples, float]:
    """Path to the pixel whose sight the receiver takes, and how far away that is, m (0: its own)."""
    surface, mast = masts.surface, masts.mast(0)
    there = here[0] + int(step[0]), here[1] + int(step[1])
    own, other = (float(np.hypot(row - mast.row, col - mast.col)) for row, col in (here, there))
    beyond = other > max(own, float(masts.radius[0]))
    if there == here or beyond or not inside(surface.geobox, *there) or not surface.has_clutter:
        return path_samples(surface, mast, here), 0.0
    return path_samples(surface, mast, there), float(np.hypot(*step.astype(np.float64))) * surface.pixel_m


def _pattern(link: _Link) -> tuple[float, float, float]:
    """Attenuation of the antenna, dB; angles off its azimuth (-180..180) and below its beam, degrees."""
    masts, k = link.masts, int(link.masts.antenna[0])
    off = (link.bearing_deg - float(masts.azimuth_deg[0])) % 360.0
    lean = float(masts.tilt_mechanical_deg[0]) * float(np.cos(np.radians(off)))
    below = link.down_deg - float(masts.tilt_electrical_deg[0]) - lean
    around, column = masts.patterns.horizontal_db[k], masts.patterns.vertical_db[k]
    steps = -90.0 + VERTICAL_STEP_DEG * np.arange(column.size - 1)
    total = np.interp(off, np.arange(around.size), around) + np.interp(below, steps, column[:-1])
    return min(float(total), float(masts.patterns.depth_db[k])), (off + 180.0) % 360.0 - 180.0, below


def _environment_words(link: _Link) -> str:
    """Where the loss of the environment comes from."""
    masts, params, d = link.masts, link.masts.params, link.path.distance_m[-1]
    clear, blocked = link.losses.path_db[0]
    if masts.calibration is not None and masts.calibrated[0]:
        return f"校正“{masts.calibration.name}”：通视 {clear:.1f}，遮挡 {blocked:.1f} dB"
    model, numbers = MODEL_NAMES[masts.model[0]], (float(masts.freq_ghz[0]), float(masts.height_m[0]))
    los, nlos = (float(path_loss_db(model, d, *numbers, params.receiver_height_m, state)) for state in (True, False))
    share = float(los_probability(model, d, params.receiver_height_m))
    return (f"{MODEL_WORDS[model]}：视距 {los:.1f}，非视距 {nlos:.1f}，视距概率 {share:.0%}；"
            f"混合后通视 {clear:.1f}，遮挡 {blocked:.1f} dB")


def _budget(link: _Link) -> tuple[BudgetLine, ...]:
    """Lines that add up to the signal outdoors."""
    masts, sector, losses, state = link.masts, link.sector, link.losses, link.state
    params, path = masts.params, link.path
    epre, feeder, body = float(sector["epre_dbm"]), float(sector["feeder_db"]), params.body_loss_db
    power = float(masts.power_dbm[0])
    gain = link.gain_dbi
    away, off, below = _pattern(link)
    free, clear, here = float(losses.free_db[0]), float(losses.path_db[0, 0]), float(losses.path_db[0, state])
    roofs = 0.0
    if losses.edge_weight > 0.0:
        roofs = losses.edge_weight * min(float(knife_edge_loss_db(link.nu_top)), losses.edge_cap_db)
    hills = 0.0
    if link.nu_ground / losses.nu_scale > losses.nu_limit[0, state]:
        edge = float(knife_edge_loss_db(link.nu_ground))
        edge += (1.0 - float(np.exp(-edge / 6.0))) * float(losses.correction_db[0])
        hills = float(environment_loss_db(here + roofs, free + edge)) - here - roofs
    slope = float(np.hypot(path.distance_m[-1], path.ends_m[0] - path.ends_m[1]))
    trusted = power - (epre + gain - feeder - body)
    method = TERRAIN_WORDS[params.terrain_diffraction]
    lines = (
        BudgetLine("EPRE", epre, "每资源粒子功率，dBm"),
        BudgetLine("天线增益", gain, f"天线 {sector['antenna']}"),
        BudgetLine("馈线损耗", 0.0 - feeder, ""), BudgetLine("人体损耗", 0.0 - body, ""),
        BudgetLine("工参功率校正", trusted, "校正对工参功率只信一部分"),
        BudgetLine("方向图衰减", 0.0 - away, f"偏离方位角 {off:.0f}°，{'低' if below >= 0.0 else '高'}于波束轴 {abs(below):.1f}°"),
        BudgetLine("自由空间损耗", 0.0 - free, f"{slope:.0f} m，ITU-R P.525"),
        BudgetLine("环境附加损耗", free - clear, _environment_words(link)),
        BudgetLine("遮挡附加", clear - here - roofs, _roof_words(link, roofs)),
        BudgetLine("地形附加损耗", 0.0 - hills, f"{method}；超出以上损耗的部分" if hills else f"{method}；未超出以上损耗"),
        BudgetLine("像元修正", 0.0 - link.pixel_db, "校正：终端所在像元"),
    )
    optional = {"工参功率校正": abs(trusted) > 1e-4, "像元修正": bool(masts.calibrated[0])}
    return tuple(line for line in lines if optional.get(line.name, True))


def _roof_words(link: _Link, roofs_db: float) -> str:
    """How the top surface stands in the way."""
    words = "遮挡" if link.state else "通视"
    if not link.masts.surface.has_clutter:
        words = f"没有建筑资料；地面{words}"
    if link.facade_m:
        words += f"，取墙外 {link.facade_m:.0f} m 处街面的视线"
    return f"{words}，含屋顶绕射 {roofs_db:.1f} dB" if roofs_db else words


def _indoor(link: _Link) -> tuple[BudgetLine, ...]:
    """Lines from the wall inwards; none where no building stands."""
    params = link.masts.params
    if link.inside_db >= OUT_OF_REACH_DB:
        return ()
    wall = float(wall_loss_db(float(link.masts.freq_ghz[0]), params.wall))
    kind = {"low": "普通玻璃", "high": "镀膜玻璃"}[params.wall]
    return BudgetLine("外墙损耗", 0.0 - wall, kind), BudgetLine("进深损耗", 0.0 - link.inside_db, "每米 0.5 dB")


def _validity(link: _Link, model: str) -> tuple[str, ...]:
    """Ranges left; that uma and umi are stated for one mast height alone is not told, as every network differs."""
    masts = link.masts
    flags = validity(model, link.path.distance_m[-1], float(masts.freq_ghz[0]), float(masts.height_m[0]),
                     masts.params.receiver_height_m, not link.state)
    return validity_words(flags & ~np.uint8(Validity.MAST) if model in ("uma", "umi") else flags)
