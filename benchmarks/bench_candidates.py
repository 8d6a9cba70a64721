"""Candidates at the size of a city, beside their peers in the same run.

Raw: 90,000 poles (CSV, GBK) and 10,000 facilities (CSV) of a made-up city of 42 x 42 km with 100,000 buildings, 20,000
parcels, 200 restricted areas, 2,000 sectors, power and fibre (``raw_city.py``), read into typed tables and proposed as
candidates by every rule, on a grid of 10 m; 60 % of the city is a gap. The figure is the reading of poles and
facilities and the whole of ``propose_sites``; other layers and the surface are told apart.
Reach: footprints of 100,000 pole candidates (8 m, 300 m) and of 10,000 macro candidates (20-45 m, three sectors, 1 km)
in the city of ``bench_coverage.py``: 17.8 Mpx of 10 m, hills and 40,000 blocks, masts on open ground at random. Every
part runs in a process of its own, so that its memory is its own. Run ``python benchmarks/bench_candidates.py``, or one
part of it by its name. Speeds are printed, never asserted.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from bench_coverage import CITY_PX, make_town, peak_gib, run_parts, timed
from raw_city import CRS, SOURCES, write_city

from siteplan.candidates import CandidateContext, propose_sites
from siteplan.coverage import (
    Footprints,
    Reach,
    demand_of,
    footprints,
    load_equipment,
    reach_probability,
    sectors_of_sites,
    to_csc,
)
from siteplan.export import write_footprints
from siteplan.grid import pixel_of, study_geobox
from siteplan.input_ledger import InputLedger
from siteplan.layers import read_layers
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, CandidateParams, CoverageParams
from siteplan.surface import Surface, build_surface
from siteplan.venues import load_venues

PROBABILITY, PEER_SITES = 0.75, 500
POLES, POLE_RANGE_M, MACROS, MACRO_RANGE_M = 100_000, 300.0, 10_000, 1000.0


def make_candidates(surface: Surface, count: int, kind: str, seed: int = 5) -> gpd.GeoDataFrame:
    """Candidates on open pixels drawn at random; poles of 8 m, or macro masts of 20 to 45 m to the decimetre."""
    rng = np.random.default_rng(seed)
    row, col = np.divmod(rng.choice(np.flatnonzero(~surface.built.ravel()), count, replace=False),
                         surface.geobox.shape[1])
    x, y = col * 10.0 + 5.0, surface.geobox.shape[0] * 10.0 - row * 10.0 - 5.0
    height = np.full(count, 8.0) if kind == "micro" else np.round(rng.uniform(20, 45, count), 1)
    return gpd.GeoDataFrame({"kind": kind, "antenna_height_m": height},
                            index=pd.Index([f"P-pole:{number:06d}" for number in range(count)], name="site_id"),
                            crs=surface.geobox.crs, geometry=gpd.points_from_xy(x, y))


def ranges(metres: float) -> CoverageParams:
    return CoverageParams(max_range_m=metres, micro_range_m=metres)


def reach_lines(count: int, kind: str, range_m: float, bar: str) -> str:
    surface = make_town(CITY_PX, CITY_PX)
    sectors = sectors_of_sites(make_candidates(surface, count, kind))
    params = ranges(range_m)
    footprints(surface, sectors.iloc[:30], params, PROBABILITY)  # compiles
    before = peak_gib()
    kept: list[Footprints] = []
    wall, cpu = timed(lambda: kept.append(footprints(surface, sectors, params, PROBABILITY, workers=2)))
    found, memory = kept[0], peak_gib()
    people = np.random.default_rng(1).lognormal(0, 2, surface.geobox.shape).astype(np.float32)
    cells = np.divmod(np.arange(7, people.size, 100), people.shape[1])
    sums = [timed(lambda: demand_of(found, people)), timed(lambda: to_csc(found, *cells))]
    with tempfile.TemporaryDirectory() as folder:
        written = timed(lambda: write_footprints([found], Path(folder)))
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
    pixels, runs = int(found.counts().sum()), found.row.size
    disc = np.pi * (range_m / 10.0) ** 2 * count / 1e6
    return (f"reach of {count:,} {kind} candidates, {range_m:.0f} m: {wall:6.1f} s wall {cpu:6.1f} cpu s, {memory:.2f} GiB "
            f"({before:.2f} before)   ({bar})\n"
            f"  {disc / cpu:.1f} Mpx of disc per cpu s; {pixels / 1e6:.1f} M incidences in {runs / 1e6:.2f} M runs: "
            f"x {pixels / max(runs, 1):.1f} fewer\n"
            f"  demand of all {sums[0][0]:.2f} s wall; matrix of {cells[0].size:,} cells {sums[1][0]:.2f} s wall; "
            f"written {size:.0f} MB in {written[0]:.2f} s wall")


def part_poles() -> str:
    return reach_lines(POLES, "micro", POLE_RANGE_M, "bars 120 s wall on 2 cores, 3 GiB")


def part_macros() -> str:
    return reach_lines(MACROS, "macro", MACRO_RANGE_M, "of the same order")


def disc_pixels(surface: Surface, candidates: gpd.GeoDataFrame, reach: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows and columns of the pixels that lie in the disc of any candidate, and the pairs of candidate and pixel."""
    near, pairs = np.zeros(surface.geobox.shape, bool), 0
    dy, dx = np.mgrid[-reach:reach + 1, -reach:reach + 1]
    dy, dx = (part[dy**2 + dx**2 <= reach**2] for part in (dy, dx))
    for row, col in zip(*pixel_of(surface.geobox, candidates.geometry.x.to_numpy(), candidates.geometry.y.to_numpy()),
                        strict=True):
        y, x = row + dy, col + dx
        there = (y >= 0) & (x >= 0) & (y < near.shape[0]) & (x < near.shape[1])
        near[y[there], x[there]] = True
        pairs += int(there.sum())
    return *np.nonzero(near), pairs


def peer_line(surface: Surface, kind: str, range_m: float, sites: int) -> str:
    candidates, params = make_candidates(surface, sites, kind), ranges(range_m)
    sectors = sectors_of_sites(candidates)
    rows, cols, pairs = disc_pixels(surface, candidates, int(range_m // 10))
    found: list[Footprints] = []
    exact: list[Reach] = []
    calls = (lambda: found.append(footprints(surface, sectors, params, PROBABILITY, workers=1)),
             lambda: exact.append(reach_probability(surface, sectors, params, rows, cols, floor=PROBABILITY)))
    for call in calls:
        call()  # compiles
    ours, theirs = (min(times) for times in zip(*([timed(call)[1] for call in calls] for _ in range(3)), strict=True))
    mine, other = to_csc(found[-1], rows, cols), exact[-1].matrix.astype(bool)
    assert found[-1].site_ids == exact[-1].site_ids
    both = mine.multiply(other).nnz
    alike = 1 - (mine.nnz + other.nnz - 2 * both) / pairs
    return (f"{sites} {kind} candidates, {range_m:.0f} m, one thread: footprints {ours:.2f} cpu s, exact profiles at every "
            f"pixel {theirs:.2f} cpu s: x {theirs / ours:.1f}; alike on {100 * alike:.2f} % of {pairs / 1e6:.2f} M pairs of "
            f"candidate and pixel, F1 {2 * both / (mine.nnz + other.nnz):.4f}")


def part_peer() -> str:
    """Exact profiles (``reach_probability``) of some of the candidates at every pixel of their discs."""
    surface = make_town(CITY_PX // 2, CITY_PX // 2)
    return "\n".join([peer_line(surface, "micro", POLE_RANGE_M, PEER_SITES),
                      peer_line(surface, "macro", MACRO_RANGE_M, PEER_SITES // 10)])


RAW_POLES, RAW_FACILITIES, RAW_BUILDINGS, RAW_SECTORS = 90_000, 10_000, 100_000, 2_000
GAP_BLOCK_PX, GAP_SHARE = 50, 0.6
OF_CANDIDATES = ("poles", "facilities")
"""Layers that the candidates come from: reading them is part of the figure, reading the others is not."""


def gap_blocks(shape: tuple[int, int], seed: int = 9) -> np.ndarray:
    """Gaps in blocks of 500 m, at random."""
    blocks = np.random.default_rng(seed).random([size // GAP_BLOCK_PX + 1 for size in shape]) < GAP_SHARE
    return np.kron(blocks, np.ones((GAP_BLOCK_PX, GAP_BLOCK_PX), dtype=bool))[:shape[0], :shape[1]]


def raw_context(folder: Path, spent: dict[str, float]) -> CandidateContext:
    """The files read and the surface built; cpu seconds by part."""
    kept: list[Any] = []
    frame = {name: SOURCES[name] for name in ("villages", "ground")}
    spent["reading no candidates"] = timed(lambda: read_layers(frame, CRS, folder))[1]
    wanted = frame | {name: SOURCES[name] for name in OF_CANDIDATES}
    spent["reading poles and facilities"] = (timed(lambda: read_layers(wanted, CRS, folder))[1]
                                             - spent["reading no candidates"])
    spent["reading all layers"] = timed(lambda: kept.append(read_layers(SOURCES, CRS, folder)))[1]
    layers, ledger = kept[0], InputLedger()
    tables = {name: layers.table(name) for name in LAYER_NAMES if name not in RASTER_LAYERS}
    box = study_geobox(tuple(tables["villages"].total_bounds), CRS, 10.0)
    spent["building the surface"] = timed(lambda: kept.append(
        build_surface(box, tables["buildings"], layers.raster("ground"), None, ledger)))[1]
    surface = kept[1]
    params = CandidateParams(kinds=["facility", "ground", "pole"])
    return CandidateContext(tables, tables["villages"][["geometry"]], surface, gap_blocks(surface.geobox.shape),
                            load_venues(), load_equipment(), params, ledger, dt.date(2026, 6, 30))


def part_raw() -> str:
    """Raw layers to checked candidates: kinds, rules with reasons, scenes, sectors, distances, costs, screening."""
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        write_city(Path(name), poles=RAW_POLES, facilities=RAW_FACILITIES, buildings=RAW_BUILDINGS, sectors=RAW_SECTORS)
        context = raw_context(Path(name), spent)
    before = peak_gib()
    kept: list[gpd.GeoDataFrame] = []
    spent["proposing"] = timed(lambda: kept.append(propose_sites(context)))[1]
    sites = kept[0]
    counts = sites.loc[sites["status"] != "existing"].groupby(["source", "status"]).size()
    told = ", ".join(f"{source} {status} {number:,}" for (source, status), number in counts.items())
    figure = spent["reading poles and facilities"] + spent["proposing"]
    return (f"raw layers to checked candidates: {RAW_POLES:,} poles, {RAW_FACILITIES:,} facilities: {figure:.1f} cpu s "
            f"(bar 20: {'within' if figure <= 20 else 'OVER'}) = reading poles and facilities "
            f"{spent['reading poles and facilities']:.1f} + proposing {spent['proposing']:.1f}; "
            f"peak {peak_gib():.2f} GiB ({before:.2f} before)\n"
            f"  not in the figure: all other layers ({RAW_BUILDINGS:,} buildings) "
            f"{spent['reading all layers'] - spent['reading poles and facilities']:.1f}, surface of "
            f"{context.gap.size / 1e6:.1f} Mpx {spent['building the surface']:.1f} cpu s\n  {told}")


PARTS = {"raw": part_raw, "poles": part_poles, "macros": part_macros, "peer": part_peer}


def test_candidates(capsys: pytest.CaptureFixture[str]) -> None:
    text = run_parts(__file__, list(PARTS))
    with capsys.disabled():
        print("\n" + text)
    assert len(text.splitlines()) > len(PARTS)  # a part that fails raises


if __name__ == "__main__":
    print(PARTS[sys.argv[1]]() if len(sys.argv) == 2 and sys.argv[1] in PARTS else run_parts(__file__, list(PARTS)))
