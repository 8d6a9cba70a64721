"""The choice of a scene: demand cells, wishes of the study, the choice, and what proves and explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse as sp

from siteplan.coverage import Coverage, reach_probability, sectors_of_sites
from siteplan.coverage._spot_facts import SpotFacts, gather_spot_facts
from siteplan.gaps import complaint_weight, gap_mask
from siteplan.grid import inside, pixel_of, pixel_size_m, rasterize
from siteplan.selection import (
    DemandCells,
    Selection,
    Wishes,
    compare_preference,
    demand_weight,
    gather_demand,
    mark_proposed,
    money_curve,
    select_sites,
)
from siteplan.selection.sifting import sift
from siteplan.selection.stability import stability
from siteplan.study._decisions import fixed_years, kept_candidates, with_build_years
from siteplan.study._gaps import rule_points, zone_points
from siteplan.study._limits import AreaLimits, floors_of, pixel_cells
from siteplan.study._scene import Scene
from siteplan.study._signals import serves
from siteplan.study._stages import State, assess_state, best_probability

ASKED = ("cost_yuan", "capex_yuan", "yearly_yuan", "preference", "tier", "tier_name", "must_open", "must_be_free",
         "spacing_m", "county", "town", "department", "operators", "networks", "kind", "source", "owner")
"""Columns of the sites table that the choice and its limits look at."""
COMPARED = ("factor", "cost", "floor")
"""Modes of preference whose price is told."""


@dataclass(frozen=True, eq=False)
class Choice:
    """A choice on a scene, with what its proof needs.

    Attributes
    ----------
    selection : Selection
        With ``price``, ``money`` and ``stability``.
    cells : DemandCells
    points : ndarray of int, shape (demand cells,)
        Key points in each cell: those that village and zone rules ask for.
    spot : SpotFacts
        What single reaches are recomputed from.
    """

    selection: Selection
    cells: DemandCells
    points: np.ndarray
    spot: SpotFacts


def _weight(scene: Scene, gap: np.ndarray) -> np.ndarray:
    """Weight per pixel: demand and land, zone priority, uncovered village points."""
    geobox, zones = scene.demand.geobox, scene.tables["zones"]
    in_zone = np.zeros(geobox.shape, dtype=bool)
    if len(zones):
        in_zone = ~np.isnan(rasterize(zones.geometry, np.ones(len(zones)), geobox, merge="last"))
    weight = demand_weight(scene.demand.per_pixel, scene.demand.kind, geobox, in_zone, _key_pixels(scene),
                           scene.params.selection)
    told = complaint_weight(scene.tables["complaints"], geobox, scene.params.gaps, mask=gap,
                            since=scene.params.gaps.complaints_since)
    return np.where(gap, weight + told, 0.0)


def _key_pixels(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the points that village and zone rules ask for."""
    points = pd.concat([rule_points(scene).geometry, zone_points(scene).geometry])
    rows, cols = pixel_of(scene.demand.geobox, points.x.to_numpy(), points.y.to_numpy())
    on = inside(scene.demand.geobox, rows, cols)
    return rows[on], cols[on]


def _points_in(scene: Scene, cells: DemandCells, gap: np.ndarray) -> np.ndarray:
    """Number of key points in the gap pixels of each cell."""
    rows, cols = _key_pixels(scene)
    edge = pixel_size_m(scene.demand.geobox)
    cell = pixel_cells(cells, gap, scene.params.selection.demand_cell_m, edge)[rows * gap.shape[1] + cols]
    return np.bincount(cell[cell >= 0], minlength=len(cells))


def _asked(candidates: gpd.GeoDataFrame, wanted: str) -> pd.DataFrame:
    """What the selection asks of candidates: one venue's roof and land are alternatives of each other.

    Those that serve every network that is ``wanted`` (joined by ``|``) name them.
    """
    venue = np.where(candidates["source"].isin(["facility", "ground"]), candidates["source_id"], "")
    return pd.DataFrame(candidates[list(ASKED)]).assign(
        networks=candidates["networks"].replace("*", wanted), stations=candidates["station_count"], venue=venue,
        x=candidates.geometry.x, y=candidates.geometry.y)


def _kept(scene: Scene, sites: gpd.GeoDataFrame, candidates: pd.DataFrame) -> tuple[str, ...]:
    """Candidates that meetings keep; of several places at one venue that of better preference, then the cheaper."""
    found = []
    for group in kept_candidates(scene, sites):
        rows = candidates.loc[[site for site in group if site in candidates.index]]
        if len(rows):
            order = np.lexsort((rows.index.to_numpy(dtype=object).astype(str), rows["cost_yuan"], -rows["preference"]))
            found.append(str(rows.index[order[0]]))
    return tuple(sorted(found))


def _wishes(scene: Scene, sites: gpd.GeoDataFrame, candidates: pd.DataFrame, areas: AreaLimits) -> Wishes:
    existing = sites[sites["status"] == "existing"]
    years = scene.params.selection.phases.years
    old = pd.DataFrame(existing[list(ASKED)]).assign(stations=existing["station_count"])
    return Wishes(old, areas.floors, areas.wanted, _kept(scene, sites, candidates),
                  fixed_years(scene, sites, years), floor_facts=areas.facts)


def _areas(scene: Scene, before: Coverage, state: State | None, cells: DemandCells, gap: np.ndarray,
           reached: np.ndarray) -> AreaLimits:
    """Floors of villages and zones where the study asks for any; the state is judged anew where it was not given."""
    asked = scene.params.selection
    if not asked.shares and asked.passing.villages is None and asked.passing.zones is None:
        return AreaLimits((), (), (), ())
    found = floors_of(scene, state or assess_state(scene, before), cells, gap, reached)
    for note in found.notes:
        scene.ledger.add("study", "", note.row, note.field, "", "note", note.reason, note.remedy)
    return found


def _reach(scene: Scene, candidates: gpd.GeoDataFrame, cells: DemandCells,
           ) -> tuple[sp.csc_matrix, Sequence[str], SpotFacts]:
    """Probability that each candidate gives at each cell, where it reaches the least that counts."""
    gaps, asked = scene.params.gaps, scene.params.selection
    floor = gaps.gap_probability
    if asked.probability_weighted:
        floor = min(floor, asked.probability_levels[0])
    sectors = sectors_of_sites(candidates, scene.equipment, serves(scene))
    reach = reach_probability(scene.surface, sectors, scene.params.coverage, cells.rows, cells.cols, floor=floor,
                              equipment=scene.equipment, calibration=scene.calibration)
    served = reach.matrix.tocsc()
    served.data = np.where(served.data >= floor, served.data, 0.0)
    served.eliminate_zeros()
    spot = gather_spot_facts(scene.surface, sectors, scene.params.coverage, scene.equipment, scene.calibration, floor)
    return served, reach.site_ids, spot


def choose_sites(scene: Scene, sites: gpd.GeoDataFrame, before: Coverage, state: State | None = None) -> Choice:
    """Choose among the open candidates of the sites table.

    Parameters
    ----------
    scene : Scene
    sites : GeoDataFrame
        As :func:`propose_candidates` gives it.
    before : Coverage
    state : State, optional
        As it stands before; asked for where villages or zones have to reach something.

    Raises
    ------
    ModelError
        Everything that is wrong with the question.
    PlanError
        No plan meets every limit, with advice.
    """
    gap = gap_mask(best_probability(before), scene.demand.geobox, scene.boundary, scene.params.gaps.gap_probability)
    cells = gather_demand(gap, scene.demand.per_pixel, _weight(scene, gap), scene.demand.geobox,
                          scene.params.selection.demand_cell_m)
    candidates = sites[sites["status"] == "candidate"].sort_index()
    served, ids, spot = _reach(scene, candidates, cells)
    asked = _asked(candidates.loc[list(ids)], serves(scene))
    reached = np.bincount(served.indices, minlength=len(cells)) > 0
    wishes = _wishes(scene, sites, asked, _areas(scene, before, state, cells, gap, reached))
    wishes = replace(wishes, barred=_twins(scene, asked, served, wishes.kept))
    if scene.params.selection.probability_weighted:
        now = best_probability(before)[cells.rows, cells.cols]
        wishes = replace(wishes, already=np.nan_to_num(now).astype(np.float64))
    selection = select_sites(asked, served, cells.weight, scene.params.selection, wishes)
    return Choice(_told(selection, cells), cells, _points_in(scene, cells, gap), spot)


def _twins(scene: Scene, asked: pd.DataFrame, served: sp.csc_matrix, kept: Sequence[str]) -> dict[str, str]:
    """Candidates that stand in the place of another one and serve the same: put aside, with a ledger line."""
    sifted = sift(asked, served, kept)
    for note in sifted.notes:
        scene.ledger.add("candidates", "", note.row, note.field, "", "note", note.reason, note.remedy)
    idle = np.diff(served.indptr) == 0
    return dict.fromkeys(asked.index[~sifted.usable & ~idle].astype(str), "与另一候选位置和服务范围相同")


def _told(selection: Selection, cells: DemandCells) -> Selection:
    """The selection with what the preference costs, coverage by money, and what noise does to it."""
    params = selection.task.params
    compared = params.objective == "coverage" and params.preference_mode in COMPARED
    price = compare_preference(selection, cells.demand) if compared else None
    return replace(selection, price=price, money=money_curve(selection, cells.demand), stability=stability(selection))


def select_proposed(scene: Scene, sites: gpd.GeoDataFrame, before: Coverage, state: State | None = None,
                    ) -> tuple[Choice, gpd.GeoDataFrame]:
    """Choose among the open candidates; the table comes back with status, rank, gain, year and reason filled in."""
    choice = choose_sites(scene, sites, before, state)
    selection = choice.selection
    marked = mark_proposed(sites, selection, choice.cells.demand, scene.demand.kind, serves(scene), choice.points)
    phased = bool(scene.params.selection.phases.years)
    built = dict(zip(selection.site_ids, selection.years, strict=True)) if phased else None
    return choice, with_build_years(scene, marked, built)
