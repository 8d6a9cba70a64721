"""The coverage engine at the size of a city, beside its peers in the same run.

City: 42.24 x 42.24 km (1,784 km2) at 10 m = 17.8 Mpx, hills and 40,000 blocks, 10,000 sites of three sectors, 1 km
radius: line of sight over the roofs, Bullington on the ground, best and second server, number of servers, SS-SINR,
probability. Every part runs in a process of its own, so that its memory is its own. Run
``python benchmarks/bench_coverage.py``, or ``make bench``. Speeds are printed, never asserted.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numba import njit

sys.path.insert(0, str(Path(__file__).parent))
from bench_demo import machine

from siteplan import _kernels as kernels
from siteplan import radio
from siteplan.coverage import predict_coverage, prepare_situation, what_if
from siteplan.grid import study_geobox
from siteplan.params import CoverageParams
from siteplan.surface import Surface

CITY_PX, CITY_SITES, RADIUS_M = 4224, 10_000, 1000.0
PARAMS = CoverageParams(max_range_m=RADIUS_M, indoor=False)


def make_town(rows: int, cols: int, seed: int = 20241122) -> Surface:
    """Hills and blocks; as many of each per square kilometre whatever the size."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[0:rows, 0:cols].astype(np.float32) * 10.0
    ground = np.full((rows, cols), 30.0, np.float32)
    for _ in range(max(rows * cols // 450_000, 1)):
        cx, cy = rng.uniform(0, cols * 10), rng.uniform(0, rows * 10)
        s, a = rng.uniform(600, 2500), rng.uniform(10, 160)
        ground += a * np.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / (2 * s * s)).astype(np.float32)
    clutter = np.zeros((rows, cols), np.float32)
    for _ in range(rows * cols // 446):
        r, c = rng.integers(0, rows), rng.integers(0, cols)
        h, w = rng.integers(1, 7, 2)
        clutter[r:r + h, c:c + w] = rng.uniform(6, 60)
    box = study_geobox((0.0, 0.0, cols * 10.0, rows * 10.0), "EPSG:4547", 10.0)
    return Surface(box, ground, clutter, np.ones((rows, cols), bool), True)


def make_sectors(surface: Surface, sites: int, seed: int = 7) -> pd.DataFrame:
    """Three sectors a site, heights of 20-45 m to the decimetre."""
    rng = np.random.default_rng(seed)
    rows, cols = surface.geobox.shape
    x, y = rng.uniform(0, cols * 10.0, sites), rng.uniform(0, rows * 10.0, sites)
    height = np.round(rng.uniform(20, 45, sites), 1)
    return pd.DataFrame({
        "x": np.repeat(x, 3), "y": np.repeat(y, 3), "antenna_height_m": np.repeat(height, 3),
        "azimuth_deg": np.tile([0.0, 120.0, 240.0], sites), "tilt_electrical_deg": 6.0, "tilt_mechanical_deg": 0.0,
        "freq_mhz": 3500.0, "bandwidth_mhz": 100.0, "scs_khz": 30.0, "epre_dbm": 17.86, "feeder_db": 0.0,
        "load_share": np.nan, "antenna": "macro_64t", "kind": "macro", "networks": "*", "technology": "5G",
    }, index=pd.Index([f"S{i}-{k}" for i in range(sites) for k in range(3)], name="sector_id"))


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timed(call: object) -> tuple[float, float]:
    """Wall and cpu seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()  # type: ignore[operator]
    return time.perf_counter() - wall, time.process_time() - cpu


def part_city() -> str:
    surface = make_town(CITY_PX, CITY_PX)
    sectors = make_sectors(surface, CITY_SITES)
    predict_coverage(surface, sectors.iloc[:30], PARAMS, region=(slice(0, 50), slice(0, 50)))  # compiles
    kept: list[object] = []
    wall, cpu = timed(lambda: kept.append(predict_coverage(surface, sectors, PARAMS)))
    line = (f"city, 10,000 x 3 sectors    {wall:6.1f} s wall {cpu:6.1f} cpu s {peak_gib():5.2f} GiB"
            f"   (bars 30 s wall on 2 cores, 2 GiB)\n")
    situation = prepare_situation(surface, sectors, PARAMS, kept[0])  # type: ignore[arg-type]
    rng, best = np.random.default_rng(3), []
    for site in rng.integers(0, CITY_SITES, 12):
        ids = [f"S{site}-{k}" for k in range(3)]
        moved = sectors.loc[ids].assign(x=lambda t: np.clip(t["x"] + 40.0, 0, CITY_PX * 10 - 1))
        best.append(timed(lambda ids=ids, moved=moved: what_if(situation, ids, moved)))
    wall, cpu = np.median(np.array(best), axis=0)
    return line + (f"what-if, one site moved     {wall:6.3f} s wall {cpu:6.3f} cpu s, median of 12, greatest "
                   f"{max(w for w, _ in best):.3f} s wall   (bar 0.2 s)")


def part_networks() -> str:
    """The same city as a planner has it: two shared networks of their own sites, three operators, indoors as well."""
    surface = make_town(CITY_PX, CITY_PX)
    sectors = make_sectors(surface, CITY_SITES)
    own = np.repeat(np.arange(CITY_SITES) % 2 == 0, 3)
    sectors = sectors.assign(networks=np.where(own, "移动", "电信|联通"), freq_mhz=np.where(own, 2565.0, 3450.0))
    params = PARAMS.model_copy(update={"indoor": True})
    predict_coverage(surface, sectors.iloc[:30], params, region=(slice(0, 50), slice(0, 50)))  # compiles
    wall, cpu = timed(lambda: predict_coverage(surface, sectors, params))
    return (f"city, 3 operators, indoors   {wall:6.1f} s wall {cpu:6.1f} cpu s {peak_gib():5.2f} GiB   (no bar; tile by "
            "tile with predict_tiles where memory is short)")


def part_growth() -> str:
    cases = {"half the city, 5,000 sites": (CITY_PX // 2, 5000), "half the city, 10,000 sites": (CITY_PX // 2, 10_000),
             "the city, 10,000 sites": (CITY_PX, 10_000)}
    found = {}
    for name, (rows, sites) in cases.items():
        surface = make_town(rows, CITY_PX)
        sectors = make_sectors(surface, sites)
        predict_coverage(surface, sectors.iloc[:30], PARAMS, region=(slice(0, 50), slice(0, 50)))
        found[name] = min(timed(lambda s=surface, t=sectors: predict_coverage(s, t, PARAMS))[1] for _ in range(2))
    base, sites, area = found.values()
    lines = [f"{name:<28}{cpu:6.1f} cpu s" for name, cpu in found.items()]
    lines.append(f"twice the sites x {sites / base:.2f}, twice the area and sites x {area / base:.2f}   (bar 2.1)")
    return "\n".join(lines)


def part_fusion() -> str:
    rng = np.random.default_rng(0)
    count, size = 100, 600
    rsrp = (-90 + 20 * rng.standard_normal((count, size, size))).astype(np.float32)
    numbers, load = np.arange(count), np.full(count, 0.5, np.float32)
    air = np.zeros(count, np.int64), load, np.ones((1, 1)), np.full(1, 1e-12)
    signal, server = np.empty(size * size, np.float32), np.empty(size * size, np.int32)
    sinr = np.empty(size * size, np.float32)

    def run() -> None:
        keys = np.full((2, size, size), kernels.NO_SERVER, np.int64)
        power = np.zeros((size, size), np.int64)
        kernels.fuse_windows(rsrp, numbers, load, keys[0], keys[1], power)
        kernels.decode_keys(keys[0].ravel(), signal, server)
        kernels.fill_sinr(signal, server, power.reshape(1, -1), air, sinr)

    def in_numpy() -> None:
        order = np.argpartition(rsrp[:20], -2, axis=0)[-2:]
        mw = 10.0 ** (rsrp[:20] / 10.0)
        best = np.take_along_axis(mw, order[-1:], axis=0)[0]
        10 * np.log10(best / (0.5 * (mw.sum(axis=0) - best) + 1e-12))

    run()
    ours = count * size**2 / 1e6 / min(timed(run)[1] for _ in range(5))
    numpy = 20 * size**2 / 1e6 / min(timed(in_numpy)[1] for _ in range(3))
    return (f"best + second server + SINR, 100 ready windows {ours:6.0f} Mpx per cpu s (bar 400); "
            f"NumPy {numpy:.0f}: x {ours / numpy:.0f}")


@njit
def fill_window(ring, sight, table, sigma, out, inverse):  # type: ignore[no-untyped-def]
    for i in range(ring.shape[0]):
        kernels.path_row(ring[i], sight[i], table, sigma, out[i], inverse)


def part_uma() -> str:
    """100 masts of ten heights, 600 x 600 pixels: a table by distance per height and a look-up per mast, as the engine."""
    size, freq, h_ut, masts, heights = 600, 3.5, 1.5, 100, np.arange(20.0, 40.0, 2.0)
    disc = kernels.build_disc(size // 2)
    yy, xx = np.mgrid[0:size, 0:size].astype(np.float32) - size // 2
    out, sight = np.empty(disc.ring.shape, np.float32), np.full(disc.ring.shape, -9.0, np.float32)
    inverse, sigma = np.empty(size + 1, np.float32), np.ones(2 * disc.distance.size, np.float32)
    ring, metres = np.maximum(disc.ring, 0), disc.distance * 10.0

    def ours() -> None:
        for h_bs in heights:
            table = np.stack(radio.sight_loss_db("uma", metres, freq, h_bs, h_ut, 0.0), axis=1).astype(np.float32).ravel()
            for _ in range(masts // heights.size):
                fill_window(ring, sight, table, sigma, out, inverse)

    def in_numpy(h_bs: float) -> np.ndarray:
        d, f20, up = np.maximum(np.hypot(yy, xx) * np.float32(10), np.float32(10)), np.float32(20 * np.log10(freq)), h_bs - h_ut
        d3, bp = np.sqrt(d * d + np.float32(up**2)), np.float32(4 * (h_bs - 1) * (h_ut - 1) * freq / 0.3)
        near = 28 + 22 * np.log10(d3) + f20
        pl = np.where(d <= bp, near, 28 + 40 * np.log10(d3) + f20 - np.float32(9 * np.log10(bp**2 + up**2)))
        nlos = np.maximum(pl, np.float32(13.54) + np.float32(39.08) * np.log10(d3) + f20)
        p = np.where(d <= 18, np.float32(1), 18 / d + np.exp(-d / 63) * (1 - 18 / d))
        return p * pl + (1 - p) * nlos

    ours()
    inside = disc.ring[:size, :size] >= 0
    error = float(np.abs(out[:size, :size] - in_numpy(float(heights[-1])))[inside].max())
    cpu = [min(timed(call)[1] for _ in range(5))
           for call in (ours, lambda: [in_numpy(float(h)) for h in heights for _ in range(masts // heights.size)])]
    speed = [masts * size**2 / 1e6 / seconds for seconds in cpu]
    return (f"UMa, mean over LOS probability, 100 masts of 10 heights {speed[0]:6.0f} Mpx per cpu s; NumPy float32 formula "
            f"{speed[1]:.0f}: x {speed[0] / speed[1]:.1f} (bar 6), greatest difference {error:.4f} dB")


def part_naive() -> str:
    """A plain NumPy engine: nearest profile of 100 steps, UMa, pattern, best server; 1 km radius, three sectors."""
    size, sites = 1500, 400
    surface = make_town(size, size)
    sectors = make_sectors(surface, sites)
    x, y = sectors["x"].to_numpy(), sectors["y"].to_numpy()
    top = surface.top_m
    reach = 100
    dy, dx = np.mgrid[-reach:reach + 1, -reach:reach + 1].astype(np.float32)
    d = np.hypot(dy, dx)

    def one(site: int, best: np.ndarray) -> None:
        r, c = int(size - y[3 * site] / 10), int(x[3 * site] / 10)
        r, c = min(max(r, reach), size - 1 - reach), min(max(c, reach), size - 1 - reach)
        eye = top[r, c] + 30.0
        window = surface.ground_m[r - reach:r + reach + 1, c - reach:c + reach + 1]
        blocked = np.zeros(d.shape, bool)
        for k in range(1, reach):
            t = np.float32(k / reach)
            h = top[(r + dy * t + 0.5).astype(int), (c + dx * t + 0.5).astype(int)]
            blocked |= h > eye + t * (window + 1.5 - eye)
        metres = np.maximum(d * 10, 10)
        loss = np.where(blocked, 13.54 + 39.08 * np.log10(metres) + 10.9, 28 + 22 * np.log10(metres) + 10.9)
        bearing = np.degrees(np.arctan2(dx, -dy))
        down = np.degrees(np.arctan2(eye - window - 1.5, metres))
        for azimuth in (0.0, 120.0, 240.0):
            off = (bearing - azimuth + 180) % 360 - 180
            away = np.minimum(np.minimum(12 * (off / 65) ** 2, 30) + np.minimum(12 * ((down - 6) / 12) ** 2, 18), 30)
            view = best[r - reach:r + reach + 1, c - reach:c + reach + 1]
            np.maximum(view, 17.86 + 17 - away - loss, out=view)

    best = np.full((size, size), -np.inf)
    one(0, best)
    naive = timed(lambda: [one(k, best) for k in range(5)])[1] / 5
    predict_coverage(surface, sectors, PARAMS, workers=1)
    engine = min(timed(lambda: predict_coverage(surface, sectors, PARAMS, workers=1))[1] for _ in range(3)) / sites
    return (f"whole engine, one thread {0.0314 / engine:6.1f} Mpx of disc per cpu s; naive NumPy engine "
            f"(line of sight, best server only) {0.0314 / naive:.2f}: x {naive / engine:.0f}")


def part_gdal() -> str:
    """GDAL's viewshed in one process of the system's Python: 100 masts, 3 km, work B's radius."""
    code = ("import sys, time; from osgeo import gdal; gdal.UseExceptions(); d = gdal.Open(sys.argv[1])\n"
            "b = d.GetRasterBand(1)\n"
            "import random; random.seed(1)\nt = time.process_time()\n"
            "for _ in range(100):\n"
            "    x, y = random.uniform(3200, 14800), random.uniform(3200, 14800)\n"
            "    gdal.ViewshedGenerate(b, 'MEM', '', [], x, y, 30, 1.5, 255, 0, 0, -1, 0.85714,"
            " gdal.GVM_Edge, 3000)\n"
            "print(time.process_time() - t)")
    surface = make_town(1800, 1800)
    import rasterio

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dsm.tif"
        with rasterio.open(path, "w", driver="GTiff", width=1800, height=1800, count=1, dtype="float32",
                           transform=surface.geobox.affine, crs="EPSG:4547") as target:
            target.write(surface.top_m, 1)
        plain = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        done = subprocess.run(["/usr/bin/python3", "-c", code, str(path)], capture_output=True, text=True, check=False,
                              env=plain)
    if done.returncode != 0:
        return "GDAL viewshed: not installed here (Debian python3-gdal)"
    cpu = float(done.stdout)
    ours = sight_cpu_s(surface)
    return (f"GDAL viewshed in process, 100 masts of 3 km: {cpu:.2f} cpu s = {28.27 / cpu:.0f} Mpx of disc per cpu s; "
            f"the sweep on the same surface and masts {ours:.2f} cpu s = {28.27 / ours:.0f}: x {cpu / ours:.1f} "
            "(GDAL tells sight alone, by a plane through two neighbours; the sweep tells nu as well)")


def sight_cpu_s(surface: Surface) -> float:
    """The radial sweep over the top surface from the masts of :func:`part_gdal`."""
    random.seed(1)
    disc, top = kernels.build_disc(300), np.ascontiguousarray(surface.top_m)
    masts = [(random.uniform(3200, 14800), random.uniform(3200, 14800)) for _ in range(100)]
    window, nu = np.empty((603, 603), np.float32), np.full((601, 601), -9.0, np.float32)

    def run() -> None:
        for x, y in masts:
            row, col = int((18_000.0 - y) // 10.0), int(x // 10.0)
            kernels.copy_window(top, row, col, 301, window)
            mast = kernels.Mast(row, col, float(top[row, col]) + 30.0, 1.5, 10.0, 0.0)
            kernels.sweep_sight(window, window, mast, disc, (0, 601, 0, 601), nu)

    run()
    return timed(run)[1]


PARTS = {"fusion": part_fusion, "uma": part_uma, "naive": part_naive, "gdal": part_gdal, "city": part_city,
         "networks": part_networks, "growth": part_growth}


def run_parts(script: str, names: list[str]) -> str:
    """What the parts of a benchmark print, each run in a fresh process."""
    lines = [machine()]
    for name in names:
        done = subprocess.run([sys.executable, script, name], capture_output=True, text=True, check=True)
        lines.append(done.stdout.rstrip())
    return "\n".join(lines)


def test_coverage(capsys: pytest.CaptureFixture[str]) -> None:
    text = run_parts(__file__, list(PARTS))
    with capsys.disabled():
        print("\n" + text)
    assert len(text.splitlines()) > len(PARTS)  # a part that fails raises


if __name__ == "__main__":
    print(PARTS[sys.argv[1]]() if len(sys.argv) == 2 and sys.argv[1] in PARTS else run_parts(__file__, list(PARTS)))
