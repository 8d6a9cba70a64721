"""Prediction: best and second server, SINR and coverage probability of every pixel, per network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan._kernels import (
    CLEAR_NU,
    Limits,
    Mast,
    Pixels,
    Servers,
    add_mast,
    copy_window,
    empty_servers,
    exact_sight,
    exact_terrain,
    lend_sight,
    sweep_sight,
    sweep_terrain,
)
from siteplan.coverage._assemble import Ground, decode_layers
from siteplan.coverage._calibration import Calibration
from siteplan.coverage._equipment import Equipment, load_equipment
from siteplan.coverage._masts import LossTables, Masts, disc_of, prepare_masts, split_runs
from siteplan.coverage._nouns import EVERY, Coverage, Network
from siteplan.coverage._receivers import indoor_threshold_dbm, receiver_pixels
from siteplan.coverage._sectors import check_sectors, complete_sectors
from siteplan.coverage._surroundings import facade_steps
from siteplan.errors import ModelError
from siteplan.params import CoverageParams
from siteplan.surface import Surface

Region = tuple[slice, slice]
"""Rows and columns of a part of the grid."""


@dataclass(frozen=True)
class Place:
    """What predictions on one surface share, whatever the sectors: receivers' pixels, top surface, loss tables."""

    surface: Surface
    pixels: Pixels
    facade: NDArray[np.int8]
    """(row, col, 2): step from built pixels to the open one in front of them, see :func:`facade_steps`"""
    facade_px: int
    """the longest of these steps along a row or column"""
    top_m: NDArray[np.float32]
    tables: LossTables


@dataclass(frozen=True)
class Job:
    """What every part of a prediction shares."""

    networks: tuple[Network, ...]
    sector_ids: tuple[str, ...]
    """of the whole table"""
    masts: Masts
    serves: NDArray[np.bool_]
    """(radiating sectors, layers): networks that the same sectors serve are one layer"""
    layer_of: NDArray[np.int64]
    """(networks,): the layer of each"""
    place: Place


def predict_coverage(surface: Surface, sectors: pd.DataFrame, params: CoverageParams,
                     networks: Sequence[Network] | None = None, *, equipment: Equipment | None = None,
                     workers: int | None = None, region: Region | None = None,
                     calibration: Calibration | None = None) -> Coverage:
    """Predict the coverage of sectors.

    Parameters
    ----------
    surface : Surface
    sectors : DataFrame
        Columns ``SECTOR_COLUMNS``, index of unique sector ids. ``networks`` are joined by ``|``; ``*`` serves every
        network of the sector's technology. Indoor sectors do not radiate outdoors. May be empty. Optional columns:
        ``model`` (one of ``MODEL_NAMES``) and ``planned`` (see ``calibration``).
    params : CoverageParams
    networks : sequence of Network, optional
        Networks of the result; all that occur, sorted, when absent (``Network("*", "5G")`` when none occurs).
    equipment : Equipment, optional
        Antenna patterns; the package's table when absent.
    workers : int, optional
        Threads; one per processor when absent. The result does not depend on it.
    region : (slice, slice), optional
        Rows and columns of the grid that are asked for; the whole grid when absent. Equal, bit for bit, to this part of
        the whole; only the sectors that reach it are computed.
    calibration : Calibration, optional
        Model fitted to measurements; it takes the place of TR 38.901 for the sectors within its bands. Powers of
        sectors that are not ``planned`` count as far as it trusts them.

    Returns
    -------
    Coverage
        ``server`` counts in the rows of ``sectors``; its geobox is that of the region.

    Raises
    ------
    ModelError
        When the table cannot be used, or a mast stands outside of the grid; everything wrong is named.

    Notes
    -----
    Path loss is that of each sector's model, TR 38.901 unless the study says otherwise; line of sight is decided over
    the surface (ground and clutter) by a radial sweep, or by exact profiles (``params.sight``), and trusted as far as
    ``params.building_weight`` says. Where the ground cuts the sight line, or comes near it, the loss is at least free
    space plus the diffraction over the ground (Bullington, ITU-R P.526), which no weight reduces. Where the study
    knows no clutter, pixels that the ground leaves clear take the mean over the LOS probability of TR 38.901. A
    receiver on a built pixel has the sight of the nearest open pixel: the street in front of its wall. A mast stands
    at the centre of its pixel. Threads work on bands of rows, at most ``params.tile_px`` high where there are more of
    them than threads; bands never change the result. sigma of the probability is hypot(shadow fading of the model,
    ``params.model_sigma_db``); a calibration brings its own.
    """
    job = _checked_job(surface, sectors, params, networks, equipment, calibration)
    rows, cols = _span(surface, region)
    return coverage_of(job, predict_servers(job, rows, cols, workers or os.cpu_count() or 1))


def _checked_job(surface: Surface, sectors: pd.DataFrame, params: CoverageParams, networks: Sequence[Network] | None,
                 equipment: Equipment | None, calibration: Calibration | None) -> Job:
    table = load_equipment() if equipment is None else equipment
    check_sectors(surface, sectors, table)
    chosen = tuple(Network(*network) for network in networks) if networks is not None else occurring_networks(sectors)
    if not chosen:
        raise ModelError("a coverage needs at least one network")
    return make_job(make_place(surface, params, calibration), sectors, params, table, chosen, calibration)


def make_job(place: Place, sectors: pd.DataFrame, params: CoverageParams, equipment: Equipment,
             networks: tuple[Network, ...], calibration: Calibration | None = None) -> Job:
    """Arrays that every part of a prediction shares."""
    masts = prepare_masts(place.surface, complete_sectors(sectors, equipment), params, equipment, calibration)
    serves, layer_of = _distinct(_serves(sectors, networks)[masts.number])
    return Job(networks, tuple(map(str, sectors.index)), masts, serves, layer_of, place)


def _distinct(serves: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Columns that differ, in the order of their first occurrence, and which of them each column is."""
    known: dict[bytes, int] = {}
    layer_of = np.array([known.setdefault(column.tobytes(), len(known)) for column in serves.T], np.int64)
    first = np.unique(layer_of, return_index=True)[1]
    return np.ascontiguousarray(serves[:, first]), layer_of


def make_place(surface: Surface, params: CoverageParams, calibration: Calibration | None = None) -> Place:
    """What does not depend on the sectors."""
    facade = facade_steps(surface)
    return Place(surface, receiver_pixels(surface, params, facade, calibration), facade, int(np.abs(facade).max()),
                 surface.top_m, LossTables(params, calibration, surface.pixel_m, surface.has_clutter))


def _span(surface: Surface, region: Region | None) -> tuple[range, range]:
    height, width = surface.geobox.shape
    if region is None:
        return range(height), range(width)
    rows, cols = range(height)[region[0]], range(width)[region[1]]
    if len(rows) == 0 or len(cols) == 0 or rows.step != 1 or cols.step != 1:
        raise ModelError("a region must be a part of the grid, row by row and column by column")
    return rows, cols


def predict_servers(job: Job, rows: range, cols: range, threads: int,
                    among: NDArray[np.bool_] | None = None) -> Servers:
    """Servers of a part of the grid; ``among`` (rows of the table of sectors) leaves some sectors out."""
    masts, (networks, carriers) = job.masts, (job.serves.shape[1], len(job.masts.spectrum.carriers))
    whole = empty_servers(rows.start, cols.start, (len(rows), len(cols)), networks, carriers, masts.params.indoor)
    reaching = _reaching(masts, rows, cols)
    groups = masts.groups(reaching if among is None else reaching[among[masts.number[reaching]]])
    bands = _bands(masts, groups, rows, max(1, threads))
    if len(bands) == 1:
        _add_groups(job, groups, whole)
        return whole
    with ThreadPoolExecutor(min(threads, len(bands))) as pool:
        for _ in pool.map(lambda band: _add_groups(job, groups, whole._replace(first_row=band[0], last_row=band[1])),
                          bands):
            pass
    return whole


def coverage_of(job: Job, servers: Servers) -> Coverage:
    """Servers, which this uses up, as a Coverage."""
    surface, params = job.masts.surface, job.masts.params
    rows = slice(servers.row0, servers.row0 + servers.best.shape[1])
    cols = slice(servers.col0, servers.col0 + servers.best.shape[2])
    ground = Ground(surface.geobox[rows, cols], surface.known[rows, cols], surface.built[rows, cols])
    layers = decode_layers(servers, ground, job.masts.spectrum)
    return Coverage(ground.geobox, job.networks, tuple(layers[number] for number in job.layer_of), job.sector_ids,
                    params.threshold_dbm, indoor_threshold_dbm(params), job.masts.spectrum, servers.power)


def predict_tiles(surface: Surface, sectors: pd.DataFrame, params: CoverageParams,
                  networks: Sequence[Network] | None = None, *, equipment: Equipment | None = None,
                  workers: int | None = None, calibration: Calibration | None = None,
                  ) -> Iterator[tuple[Region, Coverage]]:
    """Predict tile by tile, for grids whose coverage does not fit into memory.

    Yields
    ------
    ((rows, cols), Coverage)
        Slices of the grid and the coverage of this part, row of tiles by row of tiles; ``params.tile_px`` is the edge.

    Raises
    ------
    ModelError
        As :func:`predict_coverage`.
    """
    job = _checked_job(surface, sectors, params, networks, equipment, calibration)
    (height, width), tile = surface.geobox.shape, params.tile_px
    for row in range(0, height, tile):
        for col in range(0, width, tile):
            rows, cols = range(row, min(row + tile, height)), range(col, min(col + tile, width))
            servers = predict_servers(job, rows, cols, workers or os.cpu_count() or 1)
            yield (slice(rows.start, rows.stop), slice(cols.start, cols.stop)), coverage_of(job, servers)


def _split(text: object) -> list[str]:
    return [name for name in (part.strip() for part in str(text).split("|")) if name]


def occurring_networks(sectors: pd.DataFrame) -> tuple[Network, ...]:
    """Networks that the sectors name, sorted; ``*`` only for technologies without a named one."""
    pairs = sectors[["networks", "technology"]].drop_duplicates()
    found = {Network(name, str(kind)) for text, kind in pairs.itertuples(index=False) for name in _split(text)}
    named = {network.technology for network in found if network.name != EVERY}
    kept = sorted(network for network in found if network.name != EVERY or network.technology not in named)
    return tuple(kept) or (Network(EVERY, "5G"),)


def _serves(sectors: pd.DataFrame, networks: tuple[Network, ...]) -> NDArray[np.bool_]:
    """(sectors, networks): which sector serves which network."""
    out = np.zeros((len(sectors), len(networks)), np.bool_)
    known: dict[tuple[str, str], list[bool]] = {}
    for i, key in enumerate(zip(sectors["networks"].astype(str), sectors["technology"].astype(str), strict=True)):
        if key not in known:
            names = _split(key[0])
            known[key] = [n.technology == key[1] and (n.name in names or EVERY in names) for n in networks]
        out[i] = known[key]
    return out


def _reaching(masts: Masts, rows: range, cols: range) -> NDArray[np.int64]:
    """Positions of the sectors whose square of reach meets a part of the grid."""
    near = ((masts.row + masts.radius >= rows.start) & (masts.row - masts.radius < rows.stop)
            & (masts.col + masts.radius >= cols.start) & (masts.col - masts.radius < cols.stop))
    return np.flatnonzero(near)


def _bands(masts: Masts, groups: list[NDArray[np.int64]], rows: range, threads: int) -> list[tuple[int, int]]:
    """Bands of rows with about as much work in each: (first row, row after the last).

    Threads write into bands of their own, so nothing has to be merged.
    """
    if not groups or threads == 1:
        return [(rows.start, rows.stop)]
    first = np.array([group[0] for group in groups])
    reach, row = masts.radius[first], masts.row[first]
    ends = np.zeros(len(rows) + 1)
    np.add.at(ends, np.clip(row - reach - rows.start, 0, len(rows)), reach)
    np.add.at(ends, np.clip(row + reach + 1 - rows.start, 0, len(rows)), -reach)
    work = np.cumsum(np.cumsum(ends[:-1]))
    count = min(max(threads, -(-len(rows) // masts.params.tile_px)), len(rows))
    cuts = np.unique(np.searchsorted(work, work[-1] * np.arange(1, count) / count))
    edges = [rows.start, *(int(cut) + rows.start for cut in cuts if 0 < cut < len(rows)), rows.stop]
    return list(pairwise(edges))


def _add_groups(job: Job, groups: list[NDArray[np.int64]], servers: Servers) -> None:
    """Add the masts that reach the rows in work."""
    masts = job.masts
    part = (servers.first_row, servers.last_row, servers.col0, servers.col0 + servers.best.shape[2])
    limits = Limits(masts.params.threshold_dbm, indoor_threshold_dbm(masts.params))
    plain = job.place.pixels._replace(extra_db=np.zeros((0, 0), np.float32))
    for group in groups:
        row, reach = masts.row[group[0]], masts.radius[group[0]]
        if row + reach < servers.first_row or row - reach >= servers.last_row:
            continue
        mast, disc = masts.mast(int(group[0])), disc_of(int(masts.radius[group[0]]))
        sight = sight_windows(job, mast, int(masts.radius[group[0]]), part)
        serves = job.serves[group]
        for same in split_runs([masts.carrier[group], masts.freq_ghz[group], masts.calibrated[group], *serves.T]):
            chosen = group[same]
            pixels = job.place.pixels if masts.calibrated[chosen[0]] else plain
            add_mast(pixels, mast, disc, sight, job.place.tables.of(masts, int(chosen[0])),
                     masts.sectors(chosen, job.serves[chosen[0]]), limits, servers)


def sight_windows(job: Job, mast: Mast, radius: int, part: tuple[int, int, int, int],
                  ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Nu of the top surface and of the ground around a mast; ``part``: rows and columns of the grid asked for."""
    disc, params = disc_of(radius), job.masts.params
    edge, size = 2 * radius + 3, 2 * radius + 1
    corner_row, corner_col = mast.row - radius, mast.col - radius
    within = window_part(part, (corner_row, corner_col), size, 0)
    ground = np.empty((edge, edge), np.float32)
    copy_window(job.masts.surface.ground_m, mast.row, mast.col, radius + 1, ground)
    exact = params.sight == "exact"
    over = exact_sight if exact else sweep_sight
    terrain = over
    nu_ground = np.full((size, size), CLEAR_NU, np.float32)
    if params.terrain_diffraction == "bullington":
        (exact_terrain if exact else sweep_terrain)(ground, mast, disc, within, nu_ground)
    else:
        terrain(ground, ground, mast, disc, within, nu_ground)
    if not job.masts.surface.has_clutter:
        return nu_ground, nu_ground
    top = np.empty((edge, edge), np.float32)
    copy_window(job.place.top_m, mast.row, mast.col, radius + 1, top)
    nu_top = np.full((size, size), CLEAR_NU, np.float32)
    over(top, ground, mast, disc, window_part(part, (corner_row, corner_col), size, job.place.facade_px), nu_top)
    lend_sight(job.place.facade, mast, disc, part, nu_top)
    return nu_top, nu_ground


def window_part(part: tuple[int, int, int, int], corner: tuple[int, int], size: int, margin: int,
                ) -> tuple[int, int, int, int]:
    """A part of the grid, wider by a margin, in rows and columns of a window whose first pixel is at ``corner``."""
    row0, row1, col0, col1 = part
    return (max(row0 - margin - corner[0], 0), min(row1 + margin - corner[0], size),
            max(col0 - margin - corner[1], 0), min(col1 + margin - corner[1], size))
