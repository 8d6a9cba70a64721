"""A Shapefile of 100,000 sites: the whole profile of the package applied, narrowed, written, read back and compared.

``python benchmarks/bench_shapefile.py [sites]``: in a fresh process; cpu seconds by part, peak memory. Made-up sites.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

COUNT = 100_000
BAR_CPU_S = 8.0
CRS = "EPSG:4547"
KEY = "site_id"
NAMES = ("青山镇中心小学", "城关镇人民政府", "石桥村村委会", "人民路与解放路路口路灯杆", "溪口市第一人民医院住院部", "竹园镇卫生院")
REASON = "第{}位:新增服务 {} 人,其中重点区域 {} 人;屋顶免费开放,有市电和光缆,与最近现有站址相距 {} 米"
PLACE = {"x_north_m": (2_491_000.0, 40_000.0), "y_east_m": (437_000.0, 40_000.0),
         "lon": (113.2, 0.4), "lat": (22.3, 0.4)}
WORDS = {"kind": ("宏站", "微站"), "mount": ("落地塔", "楼面塔", "楼面抱杆", "灯杆"), "build": ("新建", "利旧", "共址"),
         "phase": ("近期", "中期", "远期"), "must_open": ("是", "否"), "must_be_free": ("是", "否")}


def made_up(count: int) -> gpd.GeoDataFrame:
    """Sites with a value in every column that the profile takes; one in fifty is empty where it may be."""
    from siteplan.profiles import load_profiles

    random = np.random.default_rng(3)
    number = np.arange(count)
    columns: dict[str, Any] = {}
    for field in load_profiles()["sites"].fields:
        if not field.source or field.source in columns or field.source == KEY:
            continue
        columns[field.source] = _column(field, number, random)
    ids = [f"V-facility:F{entry:06d}" for entry in number]
    table = pd.DataFrame(columns, index=pd.Index(ids, name=KEY, dtype="str"))
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table["y_east_m"], table["x_north_m"]), crs=CRS)


def _column(field: Any, number: NDArray[np.int64], random: np.random.Generator) -> Any:
    """Values of one column: a tenth of the texts differ from all others."""
    count = len(number)
    if field.source in PLACE:
        least, span = PLACE[field.source]
        return np.round(least + span * random.random(count), field.decimals)
    if field.type == "float":
        values = np.round(random.random(count) * 10.0 ** min(field.width - field.decimals - 3, 6), field.decimals)
        return values if field.mandatory else np.where(number % 50 == 0, np.nan, values)
    if field.type == "int":
        return random.integers(0, 10 ** min(field.width, 4) - 1, count)
    words = list(field.codes) or WORDS.get(field.source)
    if words:
        return pd.Series(np.array(words, dtype=object)[random.integers(0, len(words), count)], dtype="str").to_numpy()
    if field.source in ("reason", "name"):
        own = [REASON.format(entry, entry % 911, entry % 97, 100 + entry % 1900) if field.source == "reason"
               else f"{NAMES[entry % len(NAMES)]}{entry % 10_000}" for entry in number]
        return np.array(own, dtype=object)
    most = max(field.width // 4, 1)
    some = np.array([f"{NAMES[entry % len(NAMES)]}{entry}"[:most] for entry in range(500)], dtype=object)
    return np.where(number % 50 == 0, "", some[random.integers(0, len(some), count)])


def export_once(folder: Path, count: int) -> dict[str, Any]:
    """The way of one layer in this process; cpu seconds by part."""
    from siteplan.export.exchange.apply import apply_profile
    from siteplan.export.exchange.compare import check_read_back
    from siteplan.export.exchange.formats.shapefile import SHP
    from siteplan.export.exchange.narrow import narrowed
    from siteplan.export.master.plan_layers import PlanLayers
    from siteplan.params import DeliverParams
    from siteplan.profiles import load_profiles

    facts = {"study": {"name": "虚构", "crs": CRS, "notices": ["合成数据"]}, "parameters": {}}
    plan = PlanLayers(facts, {"sites": made_up(count)})
    spent, marks = {}, [time.process_time()]

    def mark(part: str) -> None:
        marks.append(time.process_time())
        spent[part] = marks[-1] - marks[-2]

    layer, = apply_profile(plan, load_profiles()["sites"], DeliverParams())
    mark("apply")
    narrow = narrowed(layer, "UTF-8", "pinyin")
    mark("narrow")
    SHP.write([narrow], folder)
    mark("write")
    read = SHP.read(folder, narrow)
    mark("read")
    check_read_back(narrow, read, SHP.kept, "sites.shp")
    mark("compare")
    size = sum(path.stat().st_size for path in folder.iterdir())
    return {"rows": len(read), "fields": len(narrow.profile.fields), "bytes": size,
            "total": marks[-1] - marks[0], **spent}


def measure(count: int) -> str:
    """Export in a fresh process; the table as text."""
    with tempfile.TemporaryDirectory() as name:
        call = subprocess.Popen([sys.executable, __file__, "--child", name, str(count)],
                                stdout=subprocess.PIPE, text=True)
        text = call.stdout.read() if call.stdout else ""
        _, status, usage = os.wait4(call.pid, 0)
    if status:
        raise SystemExit("the export failed")
    facts = json.loads(text.splitlines()[-1])
    parts = "   ".join(f"{part} {facts[part]:.2f} s" for part in ("apply", "narrow", "write", "read", "compare"))
    verdict = "within" if facts["total"] <= BAR_CPU_S else "OVER"
    return "\n".join([
        (f"{facts['rows']:,} sites x {facts['fields']} fields ({facts['bytes'] / 1e6:.0f} MB), "
         f"load {os.getloadavg()[0]:.2f}"),
        (f"  Shapefile   {facts['total']:6.2f} cpu s   bar {BAR_CPU_S:g}: {verdict}   "
         f"(process with imports and made-up sites {usage.ru_utime + usage.ru_stime:.1f})"),
        f"  {parts}", f"  peak memory {usage.ru_maxrss / 2**20:6.2f} GiB"])


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4")
def test_shapefile(capsys: pytest.CaptureFixture[str]) -> None:
    text = measure(COUNT)
    with capsys.disabled():
        print("\n" + text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(export_once(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT))
