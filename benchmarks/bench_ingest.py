"""Reading large layers: 1,000,000 building polygons of a GeoPackage, 200,000 lamp poles of a CSV.

``python benchmarks/bench_ingest.py [buildings] [poles]``: each in a fresh process, whole way into typed tables in the
study CRS; cpu seconds, peak memory, and the share of reading, projecting and checking.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

COUNTS = {"buildings": 1_000_000, "poles": 200_000}
BAR_CPU_S = {"buildings": 40.0, "poles": 4.0}
BAR_GIB = {"buildings": 4.0, "poles": 4.0}
WEST, SOUTH, DEGREES = 113.2, 22.3, 0.4
"""A square city of about 41 x 44 km."""


def write_buildings(folder: Path, count: int) -> None:
    """Houses of four to eight corners on a jittered lattice, in EPSG:4490, as a GeoPackage."""
    random = np.random.default_rng(7)
    side = int(np.ceil(np.sqrt(count)))
    step = DEGREES / side
    column, row = np.arange(count) % side, np.arange(count) // side
    x = WEST + (column + 0.5) * step + random.uniform(-0.05, 0.05, count) * step
    y = SOUTH + (row + 0.5) * step + random.uniform(-0.05, 0.05, count) * step
    width, depth = random.uniform(0.15, 0.4, (2, count)) * step
    corners = np.array([[-1, -1], [1, -1], [1, 0.2], [0.3, 0.2], [0.3, 1], [-1, 1], [-1, -1]], dtype=float)
    rings = np.stack([x[:, None] + width[:, None] * corners[:, 0], y[:, None] + depth[:, None] * corners[:, 1]], axis=-1)
    uses = np.array(["住宅", "商业", "办公", "厂房", "学校", None], dtype=object)
    table = gpd.GeoDataFrame({
        "建筑编号": [f"B{number:07d}" for number in range(count)],
        "用途": uses[random.integers(0, len(uses), count)],
        "层数": random.integers(1, 30, count),
        "高度": np.where(random.random(count) < 0.7, random.uniform(3.0, 90.0, count).round(1), np.nan),
        "备注": "无",
    }, geometry=shapely.polygons(rings), crs=4490)
    table.to_file(folder / "buildings.gpkg", layer="建筑物", engine="pyogrio", use_arrow=True)


def write_poles(folder: Path, count: int) -> None:
    """Poles with number, road, owner, height and place, UTF-8 with BOM."""
    random = np.random.default_rng(11)
    pd.DataFrame({
        "灯杆编号": [f"D{number:06d}" for number in range(count)],
        "经度": (WEST + random.random(count) * DEGREES).round(7), "纬度": (SOUTH + random.random(count) * DEGREES).round(7),
        "杆高": random.choice([8.0, 10.0, 12.0], count), "道路名称": np.char.add("道路", random.integers(0, 900, count).astype(str)),
        "管理单位": "市城管局", "通电": random.choice(["是", "否"], count),
    }).to_csv(folder / "poles.csv", index=False, encoding="utf-8-sig")


def write_study(folder: Path) -> None:
    """A village that covers the city: the boundary of the reading."""
    village = gpd.GeoDataFrame({"村代码": ["1"], "村名": ["全市"]}, crs=4490, geometry=[
        shapely.box(WEST, SOUTH, WEST + DEGREES, SOUTH + DEGREES)])
    village.to_file(folder / "villages.gpkg", engine="pyogrio")


def read_once(folder: Path, layer: str) -> dict[str, Any]:
    """Read the layer in this process; cpu seconds by part."""
    from siteplan import crs as crs_module
    from siteplan.layers import read_layers, reading
    from siteplan.params import LayerSource

    spent = {"reading": 0.0, "projecting": 0.0}
    open_tables, transform = reading.open_tables, crs_module.transform_geometry

    def timed_open(*arguments: Any) -> Iterator[Any]:
        tables = open_tables(*arguments)
        while True:
            start = time.process_time()
            table = next(tables, None)
            spent["reading"] += time.process_time() - start
            if table is None:
                return
            yield table

    def timed_transform(*arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        out = transform(*arguments, **options)
        spent["projecting"] += time.process_time() - start
        return out

    reading.open_tables, crs_module.transform_geometry = timed_open, timed_transform
    file = {"buildings": "buildings.gpkg", "poles": "poles.csv"}[layer]
    sources = {"villages": LayerSource(path="villages.gpkg"), "ground": LayerSource(path="ground.tif"),
               layer: LayerSource(path=file, datum="wgs84" if layer == "poles" else None)}
    start = time.process_time()
    layers = read_layers(sources, "EPSG:4547", folder)
    total = time.process_time() - start
    return {"rows": len(layers.tables[layer]), "lines": len(layers.ledger), "total": total, **spent,
            "checking": total - sum(spent.values())}


def write_ground(folder: Path) -> None:
    """A flat terrain, for a study must have one."""
    import rasterio
    from rasterio.transform import from_origin

    with rasterio.open(folder / "ground.tif", "w", driver="GTiff", width=90, height=90, count=1, dtype="float32", crs=4490,
                       transform=from_origin(WEST, SOUTH + DEGREES, DEGREES / 90, DEGREES / 90)) as data:
        data.write(np.full((1, 90, 90), 20.0, dtype=np.float32))


def measure(layer: str, count: int) -> str:
    """Write the layer, read it in a fresh process; the table as text."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_study(folder)
        write_ground(folder)
        {"buildings": write_buildings, "poles": write_poles}[layer](folder, count)
        size = sum(path.stat().st_size for path in folder.glob(f"{layer}.*")) / 1e6
        call = subprocess.Popen([sys.executable, __file__, "--child", str(folder), layer], stdout=subprocess.PIPE, text=True)
        text = call.stdout.read() if call.stdout else ""
        _, status, usage = os.wait4(call.pid, 0)
    if status:
        raise SystemExit(f"reading {layer} failed")
    facts = json.loads(text.splitlines()[-1])
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20
    shares = "   ".join(f"{part} {facts[part]:.1f} s ({facts[part] / facts['total']:.0%})"
                        for part in ("reading", "projecting", "checking"))
    return "\n".join([
        (f"{count:,} {layer} ({size:.0f} MB), load {os.getloadavg()[0]:.2f}: {facts['rows']:,} rows kept, "
        f"{facts['lines']} ledger lines"),
        (f"  ingest      {facts['total']:6.1f} cpu s   bar {BAR_CPU_S[layer]:g}: "
        f"{'within' if facts['total'] <= BAR_CPU_S[layer] else 'OVER'}   (process with imports {cpu:.1f})"),
        f"  peak memory {peak:6.2f} GiB     bar {BAR_GIB[layer]:g}: {'within' if peak <= BAR_GIB[layer] else 'OVER'}",
        f"  {shares}"])


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4")
@pytest.mark.parametrize("layer", list(COUNTS))
def test_ingest(layer: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = measure(layer, COUNTS[layer])
    with capsys.disabled():
        print("\n" + text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(read_once(Path(sys.argv[2]), sys.argv[3])))
    else:
        for wanted in sys.argv[1:] or list(COUNTS):
            print(measure(wanted, COUNTS[wanted]))
