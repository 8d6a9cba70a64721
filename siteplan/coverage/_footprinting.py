"""From candidate sectors to footprints: batches of sites through the coverage kernel, threads over the batches."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan._kernels import Losses, MastRow, Scenery, cover_masts
from siteplan.constants import EARTH_RADIUS_EFFECTIVE_M
from siteplan.coverage._assemble import PROBABILITY_STEPS, probability_of
from siteplan.coverage._calibration import Calibration
from siteplan.coverage._equipment import Equipment, load_equipment
from siteplan.coverage._footprints import Footprints, join_footprints, spread
from siteplan.coverage._masts import disc_of, prepare_masts
from siteplan.coverage._predict import Job, make_place, sight_windows
from siteplan.coverage._sectors import check_sectors, complete_sectors
from siteplan.errors import ModelError
from siteplan.params import CoverageParams
from siteplan.surface import Surface

BATCH_PX = 4_000_000
"""Pixels of discs in a batch of sites, about: enough for the cost of a call not to count, few enough for threads."""
ROOM_RUNS = 1_000_000
"""Least room of a call of the kernel, in runs."""

Bools = NDArray[np.bool_]
Runs = NDArray[np.int32]
"""(3, runs): row, first and last column"""


@dataclass(frozen=True)
class _Work:
    """The radiating sectors in the order site, mast, link (one frequency and model), and where each of these begins."""

    job: Job
    scenery: Scenery
    threshold_dbm: float
    least_z: float
    order: NDArray[np.int64]
    """(sectors,): positions in the masts of the job"""
    link_first: NDArray[np.int64]
    """(links + 1,): first sector of each, in ``order``"""
    link_table: NDArray[np.int64]
    """(links,): number of its loss table; links with one number share it"""
    mast_first: NDArray[np.int64]
    """(masts + 1,): first link of each"""
    site_first: NDArray[np.int64]
    """(sites + 1,): first mast of each"""
    site_ids: tuple[str, ...]
    like: Footprints


def footprints(surface: Surface, sectors: pd.DataFrame, params: CoverageParams, probability: float, *,
               mask: Bools | None = None, equipment: Equipment | None = None, calibration: Calibration | None = None,
               workers: int | None = None) -> Footprints:
    """Pixels that each candidate site would cover alone with at least a probability, by its best sector.

    Parameters
    ----------
    surface : Surface
    sectors : DataFrame
        As in :func:`predict_coverage`, with ``site_id`` (see :func:`sectors_of_sites`).
    params : CoverageParams
        Footprints end at ``max_range_m`` and ``micro_range_m``; for another radius a copy with other ranges.
    probability : float
        Least probability of a covered pixel, 1/4096 to 1.
    mask : ndarray of bool (row, col), optional
        Pixels that count; footprints hold no others.
    equipment : Equipment, optional
    calibration : Calibration, optional
    workers : int, optional
        Threads; one per processor when absent. The result does not depend on it, nor on the order of the sectors.

    Returns
    -------
    Footprints
        Of every site of the table, sorted by id; those of sites whose sectors do not radiate outdoors are empty.

    Raises
    ------
    ModelError
        When the table cannot be used, a mast stands outside of the grid, probability or mask are not as above.

    Notes
    -----
    The pixels are, bit for bit, those of known surface where ``predict_coverage`` of the sectors of the site alone, all
    networks together, gives at least this probability.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from siteplan.coverage import sectors_of_sites
    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 1000.0, 1000.0), "EPSG:4547", 10.0)
    >>> plain = Surface(box, *np.zeros((2, 100, 100), np.float32), np.ones((100, 100), bool), True)
    >>> poles = gpd.GeoDataFrame({"kind": "micro", "antenna_height_m": 8.0}, index=["A", "B"], crs=box.crs,
    ...                          geometry=gpd.points_from_xy([505.0, 5.0], [505.0, 5.0]))
    >>> found = footprints(plain, sectors_of_sites(poles), CoverageParams(micro_range_m=100.0), 0.5)
    >>> found.site_ids, found.areas().tolist(), found.row[:3].tolist(), found.last[:3].tolist()
    (('A', 'B'), [31700.0, 9000.0], [39, 40, 41], [50, 54, 56])
    """
    return join_footprints(footprint_parts(surface, sectors, params, probability, mask=mask, equipment=equipment,
                                           calibration=calibration, workers=workers))


def footprint_parts(surface: Surface, sectors: pd.DataFrame, params: CoverageParams, probability: float, *,
                    mask: Bools | None = None, equipment: Equipment | None = None,
                    calibration: Calibration | None = None, workers: int | None = None) -> Iterator[Footprints]:
    """Footprints as :func:`footprints`, some sites at a time, for candidates whose runs do not fit into memory.

    Parameters
    ----------
    surface, sectors, params, probability, mask, equipment, calibration, workers
        As in :func:`footprints`.

    Returns
    -------
    iterator of Footprints
        One after the other the sites sorted by id; joined they are what :func:`footprints` gives. One part, at least.

    Raises
    ------
    ModelError
        As :func:`footprints`, before the first part is asked for.
    """
    if not 1.0 / PROBABILITY_STEPS <= probability <= 1.0:
        raise ModelError(f"probability {probability}: a footprint wants one from 1/4096 to 1")
    if mask is not None and (mask.shape != tuple(surface.geobox.shape) or mask.dtype != np.bool_):
        raise ModelError("the mask of footprints must be an array of bool in the shape of the grid")
    table = load_equipment() if equipment is None else equipment
    check_sectors(surface, sectors, table)
    if "site_id" not in sectors.columns:
        raise ModelError("table of sectors lacks the column site_id")
    counted = surface.known if mask is None else surface.known & mask
    outdoors = params.model_copy(update={"indoor": False})
    work = _make_work(surface, complete_sectors(sectors, table), outdoors, probability, (counted, table, calibration))
    return _parts(work, workers or os.cpu_count() or 1)


def _make_work(surface: Surface, sectors: pd.DataFrame, params: CoverageParams, probability: float,
               rest: tuple[Bools, Equipment, Calibration | None]) -> _Work:
    """Everything that the batches share."""
    counted, equipment, calibration = rest
    masts = prepare_masts(surface, sectors, params, equipment, calibration)
    place = make_place(surface, params, calibration)
    job = Job((), (), masts, np.zeros((masts.number.size, 0), np.bool_), np.zeros(0, np.int64), place)
    scenery = Scenery(
        place.top_m if surface.has_clutter else place.pixels.ground_m, place.pixels.ground_m, place.pixels.extra_db,
        place.facade, np.ascontiguousarray(counted), surface.has_clutter, place.facade_px)
    names, code = np.unique(sectors["site_id"].astype(str).to_numpy(object).astype(str), return_inverse=True)
    site = code[masts.number]
    mast_keys = (site, masts.row, masts.col, masts.height_m, masts.radius, masts.model)
    link_keys = (masts.freq_ghz, masts.calibrated)
    order = np.lexsort((*reversed(link_keys), *reversed(mast_keys)))
    new_mast = _changes([key[order] for key in mast_keys])
    new_link = new_mast | _changes([key[order] for key in link_keys])
    first = np.flatnonzero(new_link)
    mast_first = np.flatnonzero(new_mast[first])
    lead = order[first]
    tables = _codes([key[lead] for key in (masts.model, masts.height_m, masts.freq_ghz, masts.radius,
                                           masts.calibrated)])
    nothing = np.zeros(0, np.int16 if max(surface.geobox.shape) <= np.iinfo(np.int16).max else np.int32)
    return _Work(
        job, scenery, params.threshold_dbm, least_z(probability), order, np.append(first, order.size),
        tables, np.append(mast_first, first.size),
        np.searchsorted(site[lead[mast_first]], np.arange(names.size + 1)), tuple(map(str, names)),
        Footprints(surface.geobox, (), probability, np.zeros(1, np.int64), nothing, nothing, nothing))


def _changes(keys: list[NDArray[Any]]) -> Bools:
    """True where one of the keys is not that before; the first always."""
    out = np.zeros(keys[0].size, np.bool_)
    out[:1] = True
    for key in keys:
        out[1:] |= key[1:] != key[:-1]
    return out


def _codes(keys: list[NDArray[Any]]) -> NDArray[np.int64]:
    """Equal keys to equal numbers from 0."""
    order = np.lexsort(tuple(keys))
    out = np.empty(order.size, np.int64)
    out[order] = np.cumsum(_changes([key[order] for key in keys])) - 1
    return out


def least_z(probability: float) -> float:
    """Least z, a float32, whose probability in steps of 1/4096 is at least the one given; inf when there is none.

    Examples
    --------
    >>> round(least_z(0.75), 5), round(least_z(0.5), 5)  # half a step of 1/4096 below
    (0.67411, -0.00031)
    """
    low, high = np.float32(-40.0), np.float32(40.0)
    while np.nextafter(low, high) < high:
        middle = np.float32((float(low) + float(high)) / 2.0)
        if bool(probability_of(np.array([middle]))[0] >= probability):
            high = middle
        else:
            low = middle
    return float(high)


def _parts(work: _Work, threads: int) -> Iterator[Footprints]:
    """Batches of sites in order; no more of them are ready or in work than twice the threads."""
    batches = _batches(work)
    if threads == 1 or len(batches) == 1:
        for batch in batches:
            yield _batch_footprints(work, *batch)
        return
    waiting: deque[Future[Footprints]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for batch in batches:
                if len(waiting) == 2 * threads:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(_batch_footprints, work, *batch))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _batches(work: _Work) -> list[tuple[int, int]]:
    """First site and site after the last of each batch."""
    sites = len(work.site_ids)
    if sites == 0:
        return [(0, 0)]
    radius = work.job.masts.radius[work.order[work.link_first[work.mast_first[:-1]]]]
    done = np.concatenate([[0.0], np.cumsum(np.pi * (radius + 1.0) ** 2)])[work.site_first]
    cuts = np.searchsorted(done, np.arange(BATCH_PX, done[-1], BATCH_PX))
    return list(pairwise(np.unique(np.concatenate([[0], cuts, [sites]])).tolist()))


def _batch_footprints(work: _Work, start: int, stop: int) -> Footprints:
    """Footprints of some sites."""
    first, last = int(work.site_first[start]), int(work.site_first[stop])
    number = np.arange(first, last)
    radius = work.job.masts.radius[work.order[work.link_first[work.mast_first[first:last]]]]
    site = np.repeat(np.arange(stop - start), np.diff(work.site_first[start:stop + 1]))
    reaches = np.unique(radius)
    found = [_runs_of(work, number[radius == reach], int(reach)) for reach in reaches.tolist()]
    owner = [np.repeat(site[radius == reach], count) for reach, (_, count) in zip(reaches, found, strict=True)]
    runs = np.concatenate([runs for runs, _ in found], axis=1) if found else np.zeros((3, 0), np.int32)
    owners = np.concatenate(owner) if owner else np.zeros(0, np.int64)
    if reaches.size > 1 or number.size > stop - start or np.bincount(site, minlength=1).max() > 1:
        owners, runs = _united(owners, runs)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=stop - start))]).astype(np.int64)
    row, begin, end = (part.astype(work.like.row.dtype) for part in runs)
    return Footprints(work.like.geobox, work.site_ids[start:stop], work.like.probability, indptr, row, begin, end)


def _united(owner: NDArray[np.int64], runs: Runs) -> tuple[NDArray[np.int64], Runs]:
    """Runs of several masts put together: sorted by owner, row and column, those that meet or touch joined."""
    order = np.lexsort((runs[1], runs[0], owner))
    owner, (row, first, last) = owner[order], runs[:, order].astype(np.int64)
    if owner.size == 0:
        return owner, runs
    line = np.cumsum(_changes([owner, row]))  # 1, 2, ... for each row of each owner
    span = int(last.max()) + 2
    reached = np.maximum.accumulate(line * span + last)
    begins = np.ones(owner.size, np.bool_)
    begins[1:] = (line * span + first)[1:] > reached[:-1] + 1
    begins |= _changes([line])
    heads = np.flatnonzero(begins)
    tails = np.append(heads[1:], owner.size) - 1
    ends = reached[tails] - line[tails] * span
    return owner[heads], np.stack([row[heads], first[heads], ends]).astype(np.int32)


def _runs_of(work: _Work, chosen: NDArray[np.int64], radius: int) -> tuple[Runs, NDArray[np.int64]]:
    """Runs of masts of one reach, and how many each has."""
    disc, link, params = disc_of(radius), _link_of(work), work.job.masts.params
    masts, losses = _mast_row(work, chosen)
    size, counts = 2 * radius + 1, np.zeros(chosen.size, np.int64)
    room = np.empty((3, max(ROOM_RUNS, size * (radius + 1))), np.int32)
    swept = params.sight == "sweep" and params.terrain_diffraction == "bullington"
    ready = np.empty((0, size, size), np.float32), np.empty((0, size, size), np.float32)
    parts, done, stop = [], 0, chosen.size
    while done < chosen.size:
        if not swept:
            ready, stop = _ready_windows(work, int(chosen[done]), radius), done + 1
        done, written = cover_masts(work.scenery, disc, masts, ready, losses, link, (done, stop), (room, counts))
        parts.append(room[:, :written].copy())
    return np.concatenate(parts, axis=1), counts


def _ready_windows(work: _Work, mast: int, radius: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windows of nu around one mast, (1, n, n) each, for the settings that the kernel does not sweep itself."""
    first = int(work.order[work.link_first[work.mast_first[mast]]])
    height, width = work.scenery.ground_m.shape
    top, ground = sight_windows(work.job, work.job.masts.mast(first), radius, (0, height, 0, width))
    return top[None], ground[None]


def _link_of(work: _Work) -> tuple[float, float, float, float, float]:
    masts = work.job.masts
    return (masts.params.receiver_height_m, masts.surface.pixel_m, 0.5 / EARTH_RADIUS_EFFECTIVE_M, work.threshold_dbm,
            work.least_z)


def _mast_row(work: _Work, chosen: NDArray[np.int64]) -> tuple[MastRow, Losses]:
    """The chosen masts as the kernel takes them, with the loss tables of their links."""
    links_each = np.diff(work.mast_first)[chosen]
    links = spread(work.mast_first[chosen], links_each)
    sectors_each = np.diff(work.link_first)[links]
    masts, at = work.job.masts, work.order[spread(work.link_first[links], sectors_each)]
    lead = work.order[work.link_first[links]]
    mast = work.order[work.link_first[work.mast_first[chosen]]]
    _, some, table = np.unique(work.link_table[links], return_index=True, return_inverse=True)
    losses = [work.job.place.tables.of(masts, int(i)) for i in lead[some]]
    top = masts.surface.ground_m[masts.row[mast], masts.col[mast]].astype(np.float64) + masts.height_m[mast]
    return MastRow(
        masts.row[mast], masts.col[mast], top, _starts(links_each), table.astype(np.int64), masts.calibrated[lead],
        _starts(sectors_each), masts.azimuth_deg[at], masts.tilt_electrical_deg[at], masts.tilt_mechanical_deg[at],
        masts.power_dbm[at], masts.antenna[at], masts.patterns.horizontal_db, masts.patterns.vertical_db,
        masts.patterns.depth_db,
    ), _stacked(losses)


def _stacked(losses: list[Losses]) -> Losses:
    """Loss tables as arrays of them all; numbers become arrays as well."""
    columns: list[Any] = [np.stack([np.asarray(part) for part in column]) for column in zip(*losses, strict=True)]
    return Losses(*columns)


def _starts(count: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
