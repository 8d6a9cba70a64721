"""What if: sectors added, moved, changed or taken away, and only what they reach predicted anew."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.coverage._assemble import crop_coverage, merge_coverage, with_sinr
from siteplan.coverage._calibration import Calibration
from siteplan.coverage._equipment import Equipment, load_equipment
from siteplan.coverage._masts import reach_px
from siteplan.coverage._nouns import Coverage, Floats, Layer
from siteplan.coverage._predict import (
    Job,
    Region,
    coverage_of,
    make_job,
    make_place,
    occurring_networks,
    predict_servers,
)
from siteplan.coverage._receivers import indoor_threshold_dbm
from siteplan.coverage._sectors import check_sectors
from siteplan.errors import ModelError
from siteplan.grid import pixel_of
from siteplan.params import CoverageParams
from siteplan.surface import Surface


@dataclass(frozen=True)
class Situation:
    """A predicted network, ready to be asked what a change would do; made by :func:`prepare_situation`.

    Attributes
    ----------
    surface : Surface
    sectors : DataFrame
        Sectors that stand, as in :func:`predict_coverage`.
    params : CoverageParams
    coverage : Coverage
        Of these sectors on the whole grid.
    equipment : Equipment
    calibration : Calibration or None
    job : Job
        The standing sectors as the kernels take them, and what every question shares.
    row, col, reach : ndarray of int64 (sectors,)
        Pixel and reach of each sector; reach -1 for indoor ones.
    """

    surface: Surface
    sectors: pd.DataFrame
    params: CoverageParams
    coverage: Coverage
    equipment: Equipment
    calibration: Calibration | None
    job: Job
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    reach: NDArray[np.int64]


@dataclass(frozen=True)
class Change:
    """What a change of sectors does to the coverage.

    Attributes
    ----------
    region : (slice, slice)
        Rows and columns of the grid outside of which nothing changes.
    before, after : Coverage
        Of the region; each counts its servers in its own ``sector_ids`` (``after`` lists those that can reach it).
        ``after`` also has the networks that added sectors bring.
    added, removed, changed : tuple of str
        Sector ids.
    """

    region: Region
    before: Coverage
    after: Coverage
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def prepare_situation(surface: Surface, sectors: pd.DataFrame, params: CoverageParams, coverage: Coverage,
                      equipment: Equipment | None = None, calibration: Calibration | None = None) -> Situation:
    """Keep what every question of :func:`what_if` shares.

    Raises
    ------
    ModelError
        When sectors, surface, thresholds, noise figure or ``indoor`` are not those of the coverage, or the sectors
        cannot be used. The other settings must be those it was predicted with: a coverage does not know them.
    """
    if coverage.geobox != surface.geobox or coverage.sector_ids != tuple(map(str, sectors.index)):
        raise ModelError("what-if needs the coverage of just these sectors on this surface")
    told = coverage.threshold_dbm, coverage.indoor_threshold_dbm, coverage.spectrum.noise_figure_db
    if told != (params.threshold_dbm, indoor_threshold_dbm(params), params.noise_figure_db) or (
            params.indoor != coverage.has_indoor):
        raise ModelError("the coverage was predicted with other settings")
    row, col = pixel_of(surface.geobox, sectors["x"].to_numpy(float), sectors["y"].to_numpy(float))
    table = load_equipment() if equipment is None else equipment
    check_sectors(surface, sectors, table)
    job = make_job(make_place(surface, params, calibration), sectors, params, table, coverage.networks, calibration)
    return Situation(surface, sectors, params, coverage, table, calibration, job, row, col,
                     reach_px(sectors["kind"], params, surface.pixel_m))


def what_if(situation: Situation, removed: Sequence[str] = (), added: pd.DataFrame | None = None, *,
            workers: int | None = None) -> Change:
    """What taking away some sectors and adding others does; only the footprint of the change is computed.

    Parameters
    ----------
    situation : Situation
    removed : sequence of str
        Sector ids.
    added : DataFrame, optional
        Sectors, as in :func:`predict_coverage`. One whose id is removed in the same step is a change: a site that
        moves, turns or gets more power.
    workers : int, optional
        Threads; one per processor when absent.

    Returns
    -------
    Change
        ``after`` equals, bit for bit, this part of a prediction of all sectors after the change (those that stay in
        their order, the added ones after them), but for the numbers of the servers.

    Raises
    ------
    ModelError
        For a sector that is not there, or is there already, or cannot be used.
    """
    sectors, surface = situation.sectors, situation.surface
    gone = [str(name) for name in removed]
    new = sectors.iloc[:0] if added is None else added
    check_sectors(surface, new, situation.equipment)
    lost = pd.Index(situation.coverage.sector_ids).get_indexer(gone)
    unknown = [name for name, place in zip(gone, lost, strict=True) if place < 0]
    ids = set(map(str, new.index))
    twice = sorted((ids - set(gone)) & set(situation.coverage.sector_ids))
    if unknown or twice:
        told = [f"no such sectors: {', '.join(unknown)}"] * bool(unknown)
        told += [f"sectors are there already: {', '.join(twice)}"] * bool(twice)
        raise ModelError("; ".join(told))
    region = _footprint(situation, lost, new)
    near = _near(situation, region)
    near[lost] = False
    threads = workers or os.cpu_count() or 1
    before = crop_coverage(situation.coverage, region)
    after = _only(_without(situation, region, lost, near, threads) if gone else before, near)
    if len(new):
        networks = tuple(sorted({*before.networks, *occurring_networks(new)}))
        job = make_job(situation.job.place, new, situation.params, situation.equipment, networks, situation.calibration)
        after = merge_coverage(after, _predict(job, region, threads))
    return Change(region, before, after, tuple(sorted(ids - set(gone))), tuple(sorted(set(gone) - ids)),
                  tuple(sorted(ids & set(gone))))


def _footprint(situation: Situation, lost: NDArray[np.int64], new: pd.DataFrame) -> Region:
    """Rows and columns that the changed sectors reach; one pixel when they reach none."""
    geobox = situation.surface.geobox
    height, width = geobox.shape
    new_row, new_col = pixel_of(geobox, new["x"].to_numpy(float), new["y"].to_numpy(float))
    row, col = np.concatenate([situation.row[lost], new_row]), np.concatenate([situation.col[lost], new_col])
    new_reach = reach_px(new["kind"], situation.params, situation.surface.pixel_m)
    reach = np.concatenate([situation.reach[lost], new_reach])
    row, col, reach = row[reach >= 0], col[reach >= 0], reach[reach >= 0]
    if row.size == 0:
        return slice(0, 1), slice(0, 1)
    return (slice(max(int((row - reach).min()), 0), min(int((row + reach).max()) + 1, height)),
            slice(max(int((col - reach).min()), 0), min(int((col + reach).max()) + 1, width)))


def _near(situation: Situation, region: Region) -> NDArray[np.bool_]:
    """Sectors that can reach a region."""
    rows, cols = region
    row, col, reach = situation.row, situation.col, situation.reach
    return ((row + reach >= rows.start) & (row - reach < rows.stop) & (col + reach >= cols.start)
            & (col - reach < cols.stop) & (reach >= 0))


def _predict(job: Job, region: Region, threads: int, among: NDArray[np.bool_] | None = None) -> Coverage:
    """Coverage of a region by the sectors of a job; by some of them only, where ``among`` says so."""
    rows, cols = (range(part.start, part.stop) for part in region)
    return coverage_of(job, predict_servers(job, rows, cols, threads, among))


def _without(situation: Situation, region: Region, lost: NDArray[np.int64], near: NDArray[np.bool_],
             threads: int) -> Coverage:
    """Coverage of a region without some sectors; ``near``: those that stay and can reach it.

    What the lost sectors gave is taken off power and number of servers. Only where one of them was the best or second
    server, or as likely to cover as the best, the others are computed anew.
    """
    before = crop_coverage(situation.coverage, region)
    leaving = np.zeros(near.size, np.bool_)
    leaving[lost] = True
    gone = _predict(situation.job, region, threads, leaving)
    touched = np.zeros(tuple(before.geobox.shape), np.bool_)
    served = np.append(leaving, False)  # the last entry is that of "no server"
    for old, out in _pairs(before, gone):
        touched |= served[old.server] | served[old.second_server] | _as_good(out.probability, old.probability)
        if out.indoor_rsrp_dbm is not None:
            touched |= _as_good(out.indoor_probability, old.indoor_probability)
            touched |= _as_good(out.indoor_rsrp_dbm, old.indoor_rsrp_dbm, -np.inf)
    part = _box(touched)
    box = tuple(slice(whole.start + cut.start, whole.start + cut.stop) for whole, cut in zip(region, part, strict=True))
    anew = _predict(situation.job, (box[0], box[1]), threads, near)
    power = before.power - gone.power
    made: dict[tuple[int, int], Layer] = {}
    for old, out, new in zip(before.layers, gone.layers, anew.layers, strict=True):
        if (id(old), id(new)) not in made:
            kept = old._replace(servers_above=old.servers_above - out.servers_above)
            made[id(old), id(new)] = with_sinr(_pasted(kept, new, part), power, before.spectrum)
    layers = tuple(made[id(old), id(new)] for old, new in zip(before.layers, anew.layers, strict=True))
    return replace(before, layers=layers, power=power)


def _pairs(a: Coverage, b: Coverage) -> Iterable[tuple[Layer, Layer]]:
    """Layers of two coverages of the same networks, each pair once."""
    return {(id(one), id(two)): (one, two) for one, two in zip(a.layers, b.layers, strict=True)}.values()


def _as_good(lost: Floats | None, best: Floats | None, nothing: float = 0.0) -> NDArray[np.bool_]:
    """Where what is lost may have been the best."""
    if lost is None or best is None:
        return np.zeros((), np.bool_)
    return (lost >= best) & (lost > nothing)


def _box(touched: NDArray[np.bool_]) -> Region:
    """Rows and columns that hold everything touched; one pixel where nothing is."""
    if not touched.any():
        return slice(0, 1), slice(0, 1)
    rows, cols = (np.flatnonzero(touched.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def _pasted(old: Layer, new: Layer, part: Region) -> Layer:
    """A layer with a part of it exchanged."""
    def exchanged(name: str) -> NDArray[Any] | None:
        values = getattr(old, name)
        if values is None:
            return None
        out = values.copy()
        out[part] = getattr(new, name)
        return out

    return Layer._make(exchanged(name) for name in Layer._fields)


def _only(coverage: Coverage, kept: NDArray[np.bool_]) -> Coverage:
    """The coverage with the kept sectors alone in its list; the others serve nowhere in it."""
    number = np.append(np.cumsum(kept) - 1, -1).astype(np.int32)  # the last entry is that of "no server"
    layers = {id(layer): layer._replace(server=number[layer.server], second_server=number[layer.second_server])
              for layer in coverage.layers}
    spectrum = coverage.spectrum
    return replace(
        coverage, layers=tuple(layers[id(layer)] for layer in coverage.layers),
        sector_ids=tuple(np.asarray(coverage.sector_ids, object)[kept]),
        spectrum=replace(spectrum, carrier_of=spectrum.carrier_of[kept], load=spectrum.load[kept]))
