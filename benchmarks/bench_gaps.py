"""Indicators of 2,000 villages and 300 zones on 17.8 million pixels: cpu seconds and memory beyond the rasters.

Run ``python benchmarks/bench_gaps.py``, or ``make bench``. The villages are Voronoi cells with bent edges that tile the
raster; a third of the zones is smaller than a pixel, the others have holes or two parts; they lie across villages.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that wait for others would count as cpu time

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from odc.geo.geobox import GeoBox
from scipy.ndimage import zoom

from siteplan.gaps.certainty.error_field import error_components
from siteplan.gaps.certainty.uncertainty import pass_probability, share_band
from siteplan.gaps.judging.areas import assess_areas
from siteplan.gaps.judging.rules import rule_named
from siteplan.gaps.judging.shares import AreaPixels, area_pixels
from siteplan.gaps.judging.update import reassess
from siteplan.gaps.people.demand import Demand

sys.path.insert(0, str(Path(__file__).parent))
from bench_demo import judged, machine

SIDE, PIXEL_M, CRS = 4219, 10.0, "EPSG:4547"
VILLAGES, ZONES = 2000, 300
BAR_CPU_S, BAR_GIB, BAR_UPDATE_S = 6.0, 1.0, 0.1
COMPONENTS = error_components("uma", blocked=True, shadow_sigma_db=6.0, model_sigma_db=12.0)


class City(NamedTuple):
    """What is assessed: rasters, areas, village points."""

    geobox: GeoBox
    probability: np.ndarray
    networks: list[np.ndarray]
    demand: Demand
    areas: dict[str, gpd.GeoDataFrame]
    points: gpd.GeoDataFrame


def noise(rng: np.random.Generator, cell_px: int, side: int) -> np.ndarray:
    """Even noise of about that wavelength, float32."""
    coarse = rng.standard_normal((side // cell_px + 3,) * 2).astype(np.float32)
    return zoom(coarse, cell_px, order=1)[:side, :side]


def made_probability(rng: np.random.Generator, side: int) -> np.ndarray:
    """Probabilities like those of a prediction: in patches of many sizes, few certain, some unknown."""
    z = 1.4 + 1.6 * noise(rng, 150, side)
    for cell_px, weight in ((40, 0.8), (8, 0.5), (2, 0.3)):
        z += weight * noise(rng, cell_px, side)
    p = np.rint(4096 / (1 + np.exp(-1.7 * z))).astype(np.float32) / 4096
    p[noise(rng, 200, side) > 2.2] = np.nan
    return p


def made_villages(rng: np.random.Generator, width_m: float, count: int) -> gpd.GeoDataFrame:
    """Cells that tile the square, their edges bent alike on both sides."""
    points = shapely.multipoints(rng.uniform(0, width_m, (count, 2)))
    frame = shapely.box(0, 0, width_m, width_m)
    cells = shapely.intersection(shapely.get_parts(shapely.voronoi_polygons(points, extend_to=frame)), frame)

    def bent(xy: np.ndarray) -> np.ndarray:
        edge = np.prod(np.sin(np.pi * xy / width_m), axis=1)[:, None]  # 0 on the frame
        return xy + 25 * edge * np.sin(xy[:, ::-1] / 45 + np.sin(xy / 130))

    cells = shapely.transform(shapely.segmentize(cells, 25.0), bent)
    return gpd.GeoDataFrame({"name": [f"村{k}" for k in range(count)]}, geometry=cells, crs=CRS,
                            index=pd.Index([f"V{k:04d}" for k in range(count)], name="village_code"))


def made_zones(rng: np.random.Generator, width_m: float, count: int) -> gpd.GeoDataFrame:
    """Smaller than a pixel, with a hole, of two parts, in turn."""
    shapes = []
    for k, (x, y) in enumerate(rng.uniform(500, width_m - 500, (count, 2))):
        radius = rng.uniform(60, 400)
        disc = shapely.Point(x, y).buffer(radius)
        if k % 3 == 0:
            shapes.append(shapely.box(x, y, x + rng.uniform(1, 9), y + rng.uniform(1, 9)))
        elif k % 3 == 1:
            shapes.append(disc.difference(shapely.Point(x + 10, y).buffer(radius / 3)))
        else:
            shapes.append(shapely.union_all([disc, shapely.box(x + 410, y, x + 480, y + 33)]))
    return gpd.GeoDataFrame({"name": [f"区{k}" for k in range(count)]}, geometry=shapes, crs=CRS,
                            index=pd.Index([f"Z{k:03d}" for k in range(count)], name="zone_id"))


def made_city(side: int = SIDE, villages: int = VILLAGES, zones: int = ZONES) -> City:
    """The city of the benchmark, or a smaller one."""
    rng = np.random.default_rng(3)
    geobox = GeoBox.from_bbox((0, 0, side * PIXEL_M, side * PIXEL_M), crs=CRS, resolution=PIXEL_M)
    p = made_probability(rng, side)
    people = np.where(noise(rng, 30, side) > 1.0, rng.uniform(0, 2, (side, 1)), 0.0).astype(np.float32)
    areas = {"villages": made_villages(rng, side * PIXEL_M, villages), "zones": made_zones(rng, side * PIXEL_M, zones)}
    codes = np.repeat(areas["villages"].index.to_numpy(), 3)
    inner = np.repeat(shapely.get_coordinates(areas["villages"].geometry.representative_point()), 3, axis=0)
    points = gpd.GeoDataFrame({"village_code": codes, "kind": ["committee", "school", "clinic"] * villages,
                               "exists": True}, geometry=shapely.points(inner + rng.uniform(-99, 99, inner.shape)),
                              crs=CRS, index=pd.Index([f"P{k}" for k in range(len(codes))], name="point_id"))
    networks = [p, (p * np.float32(0.9)).astype(np.float32), np.sqrt(p)]
    return City(geobox, p, networks, Demand(people, "people", geobox), areas, points)


class Watch:
    """Cpu seconds of the steps, the best where one comes again, and greatest memory, sampled beside them."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self.base = self.peak = resident_bytes()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.005):
            self.peak = max(self.peak, resident_bytes())

    def step(self, name: str, call: Callable[[], Any]) -> Any:
        """Result of the call, its cost noted."""
        start = time.process_time()
        out = call()
        self.steps[name] = min(self.steps.get(name, np.inf), time.process_time() - start)
        return out

    def stop(self) -> None:
        """No more looks."""
        self._over.set()
        self._thread.join()


def resident_bytes() -> int:
    """Memory of the process in use now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def assess(city: City, watch: Watch) -> tuple[dict[str, AreaPixels], dict[str, pd.DataFrame]]:
    """All indicators of the city."""
    area, people, points = (rule_named(name) for name in ("area_share_95", "population_share_95", "village_miit_2025"))
    pixels = {name: watch.step(f"area_pixels {name}", lambda t=table: area_pixels(city.geobox, t))
              for name, table in city.areas.items()}
    tables = {}
    for name, rule in (("villages", area), ("villages", people), ("villages", points), ("zones", area)):
        tables[f"{name} {rule.id}"] = watch.step(f"assess_areas {name} {rule.id}", lambda n=name, r=rule: assess_areas(
            city.areas[n], city.probability, city.demand, r, points=city.points, pixels=pixels[n]))
    for name in city.areas:
        band = watch.step(f"share_band {name}",
                          lambda n=name: share_band(city.probability, pixels[n], COMPONENTS))
        watch.step(f"pass_probability {name}", lambda b=band: pass_probability(b, 0.95))
    layers = {f"network {number}": layer for number, layer in enumerate(city.networks)}
    for name, table in pixels.items():
        watch.step(f"means of {len(layers)} networks {name}", lambda t=table: t.means(layers, city.demand.per_pixel))
    return pixels, tables


def update(city: City, pixels: dict[str, AreaPixels], tables: dict[str, pd.DataFrame], runs: int = 5) -> float:
    """Cpu seconds of an update after 1000 x 1000 pixels changed, best of some places."""
    rules = {"villages": rule_named("area_share_95"), "zones": rule_named("area_share_95")}
    costs = []
    for run in range(runs):
        at = 300 * run
        window = (slice(at, at + 1000), slice(at + 100, at + 1100))
        after = city.probability.copy()
        after[window] = np.sqrt(after[window])
        start = time.process_time()
        for name, rule in rules.items():
            reassess(tables[f"{name} {rule.id}"], city.areas[name], after, city.demand, rule, pixels[name], window)
        costs.append(time.process_time() - start)
    return min(costs)


def measure(city: City | None = None, runs: int = 2) -> str:
    """A table of the steps, each the best of ``runs``, and the bars."""
    city = made_city() if city is None else city
    watch = Watch()
    pixels, tables = assess(city, watch)
    for _ in range(runs - 1):
        del pixels, tables
        pixels, tables = assess(city, watch)
    watch.stop()
    total, memory = sum(watch.steps.values()), (watch.peak - watch.base) / 2 ** 30
    sizes = " and ".join(f"{len(table)} {name}" for name, table in city.areas.items())
    lines = [f"{sizes} on {city.probability.size / 1e6:.1f} Mpx, {machine()}"]
    lines += [f"  {name:<44} {cost:6.2f} cpu s" for name, cost in watch.steps.items()]
    changed = update(city, pixels, tables)
    lines += [f"  {'all':<44} {total:6.2f} cpu s   {judged(total, BAR_CPU_S)}",
              f"  {'greatest memory beyond the rasters':<44} {memory:6.2f} GiB     {judged(memory, BAR_GIB)}",
              f"  {'update, 1000 x 1000 pixels changed':<44} {changed:6.3f} cpu s  {judged(changed, BAR_UPDATE_S)}"]
    return "\n".join(lines)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_gaps(capsys: pytest.CaptureFixture[str]) -> None:
    text = measure()
    with capsys.disabled():
        print("\n" + text)


if __name__ == "__main__":
    print(measure())
