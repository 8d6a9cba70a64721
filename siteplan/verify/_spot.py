"""Spot check of the reach: pairs of candidate and cell recomputed from heights and sectors by plain formulas."""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.errors import RasterioError

from siteplan.verify._chance import Chance, Radio, Sector, site_chance
from siteplan.verify._check import Check
from siteplan.verify._spot_draw import StoredReach, draw_served, draw_unserved
from siteplan.verify._spot_read import (
    SPOT_FILES,
    differing_constants,
    not_rewritten,
    read_antennas,
    read_facts,
    read_radio,
    rows_of,
    sector_of,
)

EDGE_P = 2e-6
"""The study computes in single precision: its probabilities differ by up to 4e-7 from these. A pair nearer to the
threshold than this is not judged."""
SAME_PLACE_M = 0.1
"""A candidate and its sectors may differ so much: the table of candidates may be rounded."""
_FAULTS = (OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RasterioError, csv.Error,
           zipfile.BadZipFile)
Sites = Sequence[Mapping[str, str]]
_ASKED = {"spot_files": "抽查资料齐全", "spot_places": "扇区与候选站址一致", "spot_models": "预测常数与公布文件一致",
          "spot_served": "抽查记为服务的配对", "spot_unserved": "抽查记为不服务的配对"}


@dataclass(frozen=True)
class SpotPair:
    """One recomputed pair.

    Attributes
    ----------
    site_id : str
    chosen : bool
        Whether the plan builds this candidate.
    cell, row, col : int
        Number of the cell, and its pixel.
    distance_m : float
    chance : Chance
        As recomputed.
    service : float
        As stored; 0 = not served.
    verdict : str
        ``agrees``, ``edge`` (so near to the threshold that nothing follows) or ``contradicts``.
    """

    site_id: str
    chosen: bool
    cell: int
    row: int
    col: int
    distance_m: float
    chance: Chance
    service: float
    verdict: str

    def __str__(self) -> str:
        words = {"agrees": "相符", "edge": "恰在门限上，不作判断", "contradicts": "不符"}
        site = f"{self.site_id}（入选）" if self.chosen else self.site_id
        stored = f"记为服务 {self.service:.4g}" if self.service > 0.0 else "记为不服务"
        loss = f"损耗 {self.chance.loss_db:.2f} dB（{self.chance.model}，{'遮挡' if self.chance.blocked else '通视'}）"
        found = loss if math.isfinite(self.chance.loss_db) else "计算范围之外"
        return (f"{site} → 格 {self.cell}（行 {self.row} 列 {self.col}）：{self.distance_m:.0f} m，{found}，"
                f"概率 {self.chance.probability:.6f}，{stored}：{words[self.verdict]}")


def spot_check(folder: Path, seed: int = 0, count: int = 20) -> tuple[Check, ...]:
    """Recompute some pairs of candidate and cell, and hold them against the stored reach.

    Parameters
    ----------
    folder : Path
        Folder of the certificate, or the output folder that holds it as ``certificate``.
    seed : int
        Draws the pairs; the same seed draws the same pairs.
    count : int
        Pairs; half of them are stored as served, half not although in range, half of each of chosen candidates.

    Returns
    -------
    tuple of Check
        ``spot_files``, ``spot_places``, ``spot_models``, ``spot_served``, ``spot_unserved``; fewer where the first
        ones fail. ``told`` of the last two has a line for each pair.

    Notes
    -----
    A pair is served when the probability of its candidate's best sector is at least ``served_probability`` of
    ``radio.json``. The sight is decided on the exact profile between the two pixels. Nothing is shared with the code
    that made the reach; sectors, antennas, heights and settings are taken as the certificate gives them.
    """
    inside = folder / "certificate"
    place = inside if inside.is_dir() else folder
    missing = [name for name in SPOT_FILES if not (place / name).is_file()]
    if len(missing) == len(SPOT_FILES):
        return (_check("spot_files", None, told="证书没有附预测资料，未抽查服务关系"),)
    if missing:
        return (_check("spot_files", False, "、".join(SPOT_FILES), f"缺少 {'、'.join(missing)}"),)
    try:
        return _checks(place, seed, count)
    except _FAULTS as fault:
        return (_check("spot_files", False, told=f"抽查资料读不出或互相矛盾：{type(fault).__name__} {fault}"),)


def spot_pairs(folder: Path, seed: int = 0, count: int = 20) -> tuple[SpotPair, ...]:
    """The pairs of :func:`spot_check` with all their numbers; ``folder`` is that of the certificate.

    Raises
    ------
    OSError, ValueError, LookupError
        A file is missing or damaged.
    """
    facts = read_facts(folder)
    reach, sites = _read_reach(folder)
    _, places, _ = _read_places(folder, sites)
    return _recompute(folder, facts, reach, (sites, places), (seed, count))


def _checks(folder: Path, seed: int, count: int) -> tuple[Check, ...]:
    """All checks of a folder that has its files."""
    facts = read_facts(folder)
    reach, sites = _read_reach(folder)
    apart, places, models = _read_places(folder, sites)
    bare = [site["site_id"] for number, site in enumerate(sites)
            if number not in places and reach.cells_of(number).size]
    known = [_check("spot_files", True, found="、".join(SPOT_FILES)), _place_check(apart, bare, len(places))]
    unknown = not_rewritten(facts, models)
    if unknown:
        return (*known, *(_check(name, None, told=f"未核对：{'、'.join(unknown)} 没有另写的公式")
                          for name in ("spot_models", "spot_served", "spot_unserved")))
    differing, least = differing_constants(facts), float(facts["served_probability"])
    known.append(_check("spot_models", not differing, "TR 38.901、P.525、P.526 所载", "；".join(differing) or "一致",
                        f"门限 {facts['settings']['threshold_dbm']:g} dBm，概率不低于 {least:g} 算服务"))
    pairs = _recompute(folder, facts, reach, (sites, places), (seed, count))
    served = [pair for pair in pairs if pair.service > 0.0]
    return (*known, _pair_check("spot_served", served, f"重算概率不低于 {least:g}"),
            _pair_check("spot_unserved", [pair for pair in pairs if pair.service <= 0.0], f"重算概率低于 {least:g}"))


def _check(name: str, ok: bool | None, expected: str = "", found: str = "", told: str = "") -> Check:
    return Check(name, _ASKED[name], ok, expected, found, told)


def _place_check(apart: Sequence[str], bare: Sequence[str], count: int) -> Check:
    """Whether sectors stand where their candidates do, and every candidate that serves has some."""
    told = [f"{name}：扇区不在候选站址处" for name in apart[:5]] + [f"{name}：没有扇区" for name in bare[:5]]
    return _check("spot_places", not apart and not bare, "每处候选站址的扇区都在原处",
                  f"{count} 处候选站址有扇区，{len(apart)} 处位置不符，{len(bare)} 处缺扇区", "；".join(told))


def _pair_check(name: str, pairs: Sequence[SpotPair], expected: str) -> Check:
    """What pairs of one sort add up to; the contradicting ones are told first."""
    counts = {word: sum(pair.verdict == word for pair in pairs) for word in ("agrees", "edge", "contradicts")}
    if not counts["agrees"] + counts["contradicts"]:
        told = "没有这样的配对可抽" if not pairs else "抽到的配对都恰在门限上"
        return _check(name, None, expected, told="\n".join([told, *map(str, pairs)]))
    order = sorted(pairs, key=lambda pair: pair.verdict != "contradicts")
    found = f"{len(pairs)} 对：相符 {counts['agrees']}，恰在门限上 {counts['edge']}，不符 {counts['contradicts']}"
    return _check(name, counts["contradicts"] == 0, expected, found, "\n".join(map(str, order)))


@dataclass(frozen=True)
class _Place:
    """Where the sectors of a candidate stand, and what they ask for."""

    x: float
    y: float
    kinds: frozenset[str]


def _read_reach(folder: Path) -> tuple[StoredReach, Sites]:
    """The stored reach, and the rows of ``candidates.csv`` in the order of their numbers."""
    sites = sorted(rows_of(folder / "candidates.csv"), key=lambda row: int(row["number"]))
    if [int(row["number"]) for row in sites] != list(range(len(sites))):
        raise ValueError("candidates.csv 的 number 不是 0、1、2……")
    with (folder / "reach.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        indptr, row, col = (stored[name].astype(np.int64) for name in ("indptr", "row", "col"))
        indices, service = stored["indices"], stored["service"]
    chosen = np.flatnonzero([row["chosen"].strip() in ("1", "True", "true") for row in sites])
    if (len(indptr) != len(sites) + 1 or indptr[0] != 0 or (np.diff(indptr) < 0).any() or indptr[-1] != len(indices)
            or len(service) != len(indices) or len(row) != len(col)):
        raise ValueError("reach.npz 与 candidates.csv 的个数不符")
    if len(indices) and not 0 <= indices.min() <= indices.max() < len(row):
        raise ValueError("reach.npz 的格号超出范围")
    return StoredReach(indptr, indices, service, row, col, chosen), sites


def _read_places(folder: Path, sites: Sites) -> tuple[list[str], dict[int, _Place], set[str]]:
    """Candidates whose sectors stand elsewhere, place of each that has sectors by its number, models that they name."""
    numbers = {site["site_id"]: number for number, site in enumerate(sites)}
    found: dict[int, _Place] = {}
    apart: dict[str, None] = {}
    models: set[str] = set()
    for row in rows_of(folder / "sectors.csv"):
        models.add(row["model"])
        number = numbers.get(row["site_id"])
        if number is None:
            continue
        x, y, site = float(row["x"]), float(row["y"]), sites[number]
        if not math.dist((x, y), (float(site["x"]), float(site["y"]))) <= SAME_PLACE_M:
            apart[row["site_id"]] = None
        kinds = found[number].kinds if number in found else frozenset()
        if row["kind"] not in kinds:
            found[number] = _Place(x, y, kinds | {row["kind"]})
    return list(apart), found, models


def _recompute(folder: Path, facts: Mapping[str, Any], reach: StoredReach,
               known: tuple[Sites, Mapping[int, _Place]], draw: tuple[int, int]) -> tuple[SpotPair, ...]:
    """Chance and verdict of each drawn pair; ``known`` is (rows of candidates, places), ``draw`` (seed, count)."""
    sites, places = known
    radio, antennas = read_radio(folder, facts), read_antennas(folder)
    pairs = _drawn(radio, reach, places, draw)
    sectors: dict[str, list[Sector]] = {sites[number]["site_id"]: [] for number, _ in pairs}
    for row in rows_of(folder / "sectors.csv"):
        if row["site_id"] in sectors:
            sectors[row["site_id"]].append(sector_of(row, antennas))
    least, chosen = float(facts["served_probability"]), set(reach.chosen.tolist())
    return tuple(_pair(radio, sectors[sites[number]["site_id"]], (sites[number]["site_id"], number in chosen),
                       (cell, int(reach.row[cell]), int(reach.col[cell])),
                       (reach.service_of(number, cell), least)) for number, cell in pairs)


def _drawn(radio: Radio, reach: StoredReach, places: Mapping[int, _Place],
           draw: tuple[int, int]) -> list[tuple[int, int]]:
    """Pairs to look at, the served ones first."""
    seed, count = draw
    rng = np.random.default_rng(seed)
    pixels = np.zeros((len(reach.indptr) - 1, 2), np.int64)
    ranges = np.full(len(pixels), -1, np.int64)
    for number, place in places.items():
        pixels[number] = radio.heights.pixel_at(place.x, place.y)
        ranges[number] = max(map(radio.range_px, place.kinds))
    served = draw_served(reach, rng, count // 2)
    return served + draw_unserved(reach, rng, count - len(served), (pixels, ranges))


def _pair(radio: Radio, sectors: Sequence[Sector], site: tuple[str, bool], cell: tuple[int, int, int],
          stored: tuple[float, float]) -> SpotPair:
    """One pair; ``cell`` is (number, row, column), ``stored`` (service, least probability of a served pair)."""
    pixel, (service, least) = cell[1:], stored
    masts = [radio.heights.pixel_at(sector.x, sector.y) for sector in sectors]
    if not radio.heights.holds(pixel) or not all(map(radio.heights.holds, masts)):
        raise ValueError(f"站址 {site[0]} 或格 {cell[0]} 不在 surface.tif 的范围内")
    chance = site_chance(radio, sectors, pixel)
    verdict = "agrees" if (service > 0.0) == (chance.probability >= least) else "contradicts"
    if abs(chance.probability - least) <= EDGE_P or (chance.grazing and verdict == "contradicts"):
        verdict = "edge"
    apart_m = min((math.dist(mast, pixel) for mast in masts), default=math.nan) * radio.heights.pixel_m
    return SpotPair(*site, *cell, apart_m, chance, service, verdict)
