"""Instances of selection, made again from their recipes: clustered points, a city, a city with limits, known optima.

``python benchmarks/selection_instances.py S city`` prints what was made. Every instance is checked against the figures
of its recipe (``../shared/reference/selection.md``, section 5) and refused when it differs: a figure measured on
another instance would mean nothing. Points and candidates are numbered along a Hilbert curve, so that what a candidate
serves falls into long intervals; the problem itself does not care about numbers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from siteplan.selection.model.problem import Problem, Row, Stage, cover_problem
from siteplan.selection.model.reach import Reach

CHECKS = Path(__file__).parents[2] / "shared" / "checks"
# candidates, points, seed, wanted mean cover; incidences, radius, total weight
CLUSTERED = {"S": (1_000, 10_000, 1, 150, 150_445, "0.0649492", 130_218),
             "M": (10_000, 100_000, 2, 150, 1_489_127, "0.0176164", 1_328_273),
             "L": (50_000, 1_000_000, 3, 300, 14_515_619, "0.00825305", 13_185_732)}
SIDE, CITY_SITES, DISC_PX = 4243, 2600, 30
CITY_FACTS = (12_624_855, (1545, 1710), 6_078_284, 280_299_089)
SPACING_PX, ON_AIR_BEFORE, ON_AIR_AIM = 10, 7400, 10_000
YEARS, YEARLY, WORTH = (2026, 2027, 2028), (900, 900, 800), (0.4, 0.3, 0.3)
FREE_SHARE, MOST_PRIVATE = 0.30, 900
CUSTOMERS, FACILITIES, CUSTOMER_RADIUS, CUSTOMER_SITES = 1_000_000, 100, 5.4, 10


class WrongInstanceError(Exception):
    """What was made is not the instance of the recipe (another version of numpy draws otherwise)."""


def checked(name: str, **facts: tuple[object, object]) -> None:
    """Refuse what differs from its recipe; each fact is (made, wanted)."""
    wrong = [f"{fact} {made} instead of {wanted}" for fact, (made, wanted) in facts.items() if made != wanted]
    if wrong:
        raise WrongInstanceError(f"{name}: {'; '.join(wrong)}")


def hilbert(xy: NDArray[np.float64], bits: int = 16) -> NDArray[np.int64]:
    """Place of points of the unit square along a Hilbert curve."""
    x, y = (np.clip(xy * (1 << bits), 0, (1 << bits) - 1).astype(np.int64)).T
    place = np.zeros(len(xy), dtype=np.int64)
    for level in range(bits - 1, -1, -1):
        right, up = (x >> level) & 1, (y >> level) & 1
        place += ((3 * right) ^ up) << (2 * level)
        mirror = (up == 0) & (right == 1)
        x, y = np.where(mirror, (1 << bits) - 1 - x, x), np.where(mirror, (1 << bits) - 1 - y, y)
        x, y = np.where(up == 0, y, x), np.where(up == 0, x, y)
    return place


def along_curve(xy: NDArray[np.float64]) -> NDArray[np.int64]:
    """Order of points along the curve, ties by number."""
    return np.argsort(hilbert(xy), kind="stable")


def intervals(cells: NDArray[np.int64], count: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """First and end of the intervals of ascending cells, and how many each candidate has."""
    owner = np.repeat(np.arange(len(count)), count)
    begins = np.ones(len(cells), dtype=bool)
    begins[1:] = (np.diff(cells) != 1) | (np.diff(owner) != 0)
    at = np.flatnonzero(begins)
    last = np.append(at[1:], len(cells)) - 1
    return cells[at], cells[last] + 1, np.bincount(owner[at], minlength=len(count))


def reach_of_points(points: NDArray[np.float64], sites: NDArray[np.float64], radius: float) -> Reach:
    """Points within a radius of sites, a block of sites at a time (lists of numbers are large)."""
    tree, parts = cKDTree(points), []
    for start in range(0, len(sites), 1000):
        found = tree.query_ball_point(sites[start:start + 1000], radius, return_sorted=True)
        count = np.array([len(one) for one in found])
        parts.append(intervals(np.concatenate([np.asarray(one, dtype=np.int64) for one in found]), count))
    first, end, number = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Reach(len(points), np.append(0, np.cumsum(number)), first.astype(np.int32), end.astype(np.int32))


def clustered(rng: np.random.Generator, candidates: int, points: int) -> tuple[NDArray[np.float64], ...]:
    """Points, their weights and sites of the recipe of S, M and L, in the order of its draws."""
    towns = max(5, points // 2500)
    centre = rng.random((towns, 2))
    spread = rng.uniform(0.3, 1.2, towns) * np.sqrt(1 / towns) * 0.35
    inside = int(0.6 * points)
    town = rng.integers(0, towns, inside)
    near = np.clip(centre[town] + rng.normal(size=(inside, 2)) * spread[town][:, None], 0, 1)
    xy = np.concatenate([near, rng.random((points - inside, 2))])
    weight = np.rint(np.exp(rng.normal(2, 1, points))) + 1
    close = int(0.7 * candidates)
    beside = xy[rng.integers(0, points, close)] + rng.normal(size=(close, 2)) * 0.1 * np.sqrt(1 / candidates)
    return xy, weight, np.concatenate([beside, rng.random((candidates - close, 2))])


def fitting_radius(xy: NDArray[np.float64], sample: NDArray[np.float64], mean: float) -> float:
    """Radius in which the sites of a sample see so many points on average, by 40 bisections."""
    tree, low, high = cKDTree(xy), 0.0, 0.5
    for _ in range(40):
        middle = (low + high) / 2
        seen = tree.query_ball_point(sample, middle, return_length=True).mean()
        low, high = (middle, high) if seen <= mean else (low, middle)
    return high


def instance(name: str) -> tuple[Problem, int]:
    """One of S, M, L, and how many sites it may open."""
    candidates, points, seed, mean, incidences, radius_text, total = CLUSTERED[name]
    rng = np.random.default_rng(seed)
    xy, weight, sites = clustered(rng, candidates, points)
    radius = fitting_radius(xy, sites[rng.integers(0, candidates, 500)], mean)
    order = along_curve(xy)
    reach = reach_of_points(xy[order], sites[along_curve(sites)], radius)
    checked(name, incidences=(int(reach.counts.sum()), incidences), radius=(f"{radius:.6g}", radius_text),
            total=(int(weight.sum()), total))
    most = candidates // 20
    return cover_problem(reach, weight[order], most), most


def city_weight(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Demand per pixel of the city, and the coarse field of it that candidates are drawn from."""
    lo = np.zeros((425, 425))
    for _ in range(300):
        lo[rng.integers(0, 425), rng.integers(0, 425)] += rng.gamma(0.7) * 40
    field = gaussian_filter(lo, 3) + 0.15 * gaussian_filter(lo, 15) + 0.001
    weight = rng.gamma(1, 1, (SIDE, SIDE))
    for row in range(425):  # what a product of Kronecker would give, without its 144 MB
        band = weight[10 * row:10 * row + 10]
        band *= np.repeat(field[row], 10)[:SIDE]
    weight = weight.astype(np.float32)
    weight /= weight.mean()
    weight[rng.random((SIDE, SIDE)) < 0.3] = 0
    return weight, lo


def city_sites(rng: np.random.Generator, lo: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of the 100,000 candidates, in the order of their draws."""
    chance = gaussian_filter(lo, 4) + 0.02
    chance = (chance / chance.sum()).ravel()
    block = rng.choice(425 * 425, 100_000, p=chance)
    row = (block // 425) * 10 + rng.integers(0, 10, 100_000)
    col = (block % 425) * 10 + rng.integers(0, 10, 100_000)
    return np.minimum(row, SIDE - 1), np.minimum(col, SIDE - 1)


def discs(row: NDArray[np.int64], col: NDArray[np.int64]) -> Reach:
    """Discs around pixels as intervals, a row of the raster each, clipped to it."""
    offset = np.arange(-DISC_PX, DISC_PX + 1)
    half = np.sqrt(DISC_PX ** 2 - offset ** 2).astype(np.int64)
    at = row[:, None] + offset
    left = np.maximum(col[:, None] - half, 0)
    right = np.minimum(col[:, None] + half, SIDE - 1)
    inside = (at >= 0) & (at < SIDE)
    first, end = (at * SIDE + left)[inside], (at * SIDE + right)[inside] + 1
    count = inside.sum(axis=1)
    return Reach(SIDE * SIDE, np.append(0, np.cumsum(count)), first.astype(np.int32), end.astype(np.int32))


def city_parts() -> tuple[Reach, NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Reach, demand, and row and column of the candidates of the city, checked."""
    rng = np.random.default_rng(7)
    weight, lo = city_weight(rng)
    row, col = city_sites(rng, lo)
    place = (int(row[0]), int(col[0]))
    order = along_curve(np.column_stack([col, row]) / SIDE)
    row, col = row[order], col[order]
    reach = discs(row, col)
    facts = (round(float(weight.sum(dtype=np.float64))), place, len(reach.first), int(reach.counts.sum()))
    checked("city", **{name: pair for name, *pair in zip(
        ("total_weight", "first_candidate", "runs", "incidences"), facts, CITY_FACTS, strict=True)})
    return reach, weight.ravel().astype(np.float64), row, col


def city() -> Problem:
    """4243 x 4243 pixels of 10 m, 100,000 candidates with discs of 300 m, at most 2600 of them."""
    reach, weight, _, _ = city_parts()
    return cover_problem(reach, weight, CITY_SITES)


def counties(row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.int64]:
    """County 0 to 7 of pixels: four bands of rows, each cut in two."""
    return 2 * (row * 4 // SIDE) + col * 2 // SIDE


def county_rows(weight: NDArray[np.float64], county: NDArray[np.int64]) -> Iterator[Row]:
    """Quotas of the counties: between 70 and 120 % of what their share in demand would give."""
    pixel = np.arange(SIDE)
    where = counties(pixel[:, None], pixel[None, :]).ravel()
    share = np.bincount(where, weights=weight, minlength=8) / weight.sum()
    for number in range(8):
        inside = np.flatnonzero(county == number).astype(np.int32)
        least, most = np.floor(0.7 * share[number] * CITY_SITES), np.ceil(1.2 * share[number] * CITY_SITES)
        yield Row(f"county_{number}", inside, np.ones(len(inside)), float(least), float(most),
                  zh=f"{number + 1}县新建{least:.0f}至{most:.0f}处")


def near_pairs(row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.int32]:
    """Pairs of candidates nearer to each other than 100 m, first < second, sorted."""
    wide = cKDTree(np.column_stack([row, col])).query_pairs(SPACING_PX, output_type="ndarray")
    apart = (row[wide[:, 0]] - row[wide[:, 1]]) ** 2 + (col[wide[:, 0]] - col[wide[:, 1]]) ** 2
    pairs = np.sort(wide[apart < SPACING_PX ** 2], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].astype(np.int32)


def phases(count: int) -> tuple[Stage, ...]:
    """Three years: 900, 900, 800 new sites at most, 10,000 base stations on air at the end, 7,400 of them before."""
    everyone, one = np.arange(count, dtype=np.int32), np.ones(count)
    stages = []
    for number, (year, quota, worth) in enumerate(zip(YEARS, YEARLY, WORTH, strict=True)):
        new = Row("new_sites", everyone, one, most=float(quota), zh=f"{year}年新建不超过{quota}处")
        most = ON_AIR_BEFORE + sum(YEARLY[:number + 1])
        least = float(ON_AIR_AIM) if number == len(YEARS) - 1 else -np.inf
        on_air = Row("on_air", everyone, one, least, float(most), float(ON_AIR_BEFORE),
                     f"{year}年底在网基站{most}个", "基站")
        stages.append(Stage(year, worth, (on_air,), (new,)))
    return tuple(stages)


def city_limits() -> Problem:
    """The city with quotas of 8 counties, three tiers, 100 m between sites, and three years."""
    reach, weight, row, col = city_parts()
    count = len(reach)
    tier = np.random.default_rng(11).choice(3, count, p=[0.25, 0.40, 0.35])  # free venue, pole, private
    everyone, private = np.arange(count, dtype=np.int32), np.flatnonzero(tier == 2).astype(np.int32)
    rows = (*county_rows(weight, counties(row, col)),
            Row("free_share", everyone, (tier == 0) - FREE_SHARE, least=0.0, zh=f"免费场所占比不低于{FREE_SHARE:.0%}"),
            Row("private", private, np.ones(len(private)), most=float(MOST_PRIVATE),
                zh=f"社会物业不超过{MOST_PRIVATE}处"))
    return cover_problem(reach, weight, CITY_SITES, rows=rows, near=near_pairs(row, col), stages=phases(count))


def customers() -> tuple[Problem, int]:
    """100 facilities, a million customers, even in a square of 30 x 30: the class of Cordeau, Furini, Ljubic (2019)."""
    rng = np.random.default_rng(5)
    xy, sites = rng.uniform(0, 30, (CUSTOMERS, 2)), rng.uniform(0, 30, (FACILITIES, 2))
    weight = rng.integers(1, 101, CUSTOMERS).astype(np.float64)
    order = along_curve(xy / 30)
    reach = reach_of_points(xy[order], sites[along_curve(sites / 30)], CUSTOMER_RADIUS)
    return cover_problem(reach, weight[order], CUSTOMER_SITES), CUSTOMER_SITES


def maxcover(number: int) -> tuple[Problem, int, float]:
    """One of ``../shared/checks/maxcover`` (0 to 3): problem, sites, proved optimum."""
    folder = CHECKS / "maxcover"
    known = json.loads((folder / "optima.json").read_text(encoding="utf-8"))[number]
    with np.load(folder / f"inst_{number}.npz") as stored:
        count, weight = int(stored["nD"]), stored["weight"].astype(np.float64)
        cover = np.unpackbits(stored["cover"], axis=1, count=count)
    cells = np.nonzero(cover)[1].astype(np.int64)
    first, end, number_of = intervals(cells, cover.sum(axis=1, dtype=np.int64))
    reach = Reach(count, np.append(0, np.cumsum(number_of)), first.astype(np.int32), end.astype(np.int32))
    return cover_problem(reach, weight, int(known["p"])), int(known["p"]), float(known["optimum"])


def sjc(name: str, radius_m: float, sites: int) -> Problem:
    """One of ``../shared/checks/sjc``: at every point of São José dos Campos a site may stand."""
    folder = CHECKS / "sjc"
    xy = np.loadtxt(folder / f"{name}.txt", skiprows=1)
    weight = np.loadtxt(folder / f"demand-{name}.dat")
    scale = np.ptp(xy, axis=0).max()
    order = along_curve((xy - xy.min(axis=0)) / (scale * (1 + 1e-9)))
    return cover_problem(reach_of_points(xy[order], xy[order], radius_m), weight[order], sites)


def sjc_optima() -> pd.DataFrame:
    """Instances of sjc with their proved optima: instance, R_m, p, optimum."""
    return pd.read_csv(CHECKS / "sjc" / "optima_highs.csv")[["instance", "R_m", "p", "optimum"]]


def made(name: str) -> Problem:
    """An instance by the name that the benchmark uses."""
    if name in CLUSTERED:
        return instance(name)[0]
    if name == "customers":
        return customers()[0]
    return {"city": city, "city_limits": city_limits}[name]()


def told(name: str, problem: Problem) -> str:
    """An instance in one line."""
    reach = problem.reach
    served, runs = int(reach.counts.sum()), len(reach.first)
    return (f"{name}: {len(problem):,} candidates, {reach.cells:,} cells, {served:,} served in {runs:,} intervals "
            f"of {served / runs:.1f} cells, weight {problem.weight.sum():,.0f}, {len(problem.near):,} near pairs, "
            f"{len(problem.rows)} rows, {len(problem.stages)} stages")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or ["S", "M", "L", "customers", "city", "city_limits"]:
        print(told(wanted, made(wanted)), flush=True)
