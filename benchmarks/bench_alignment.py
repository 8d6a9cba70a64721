"""Datum suspicion: cpu seconds of ``check_alignment`` on layers that are read already, best of three.

``python benchmarks/bench_alignment.py``: the sample city, and Chengdu where its data lie beside the project.
"""

from __future__ import annotations

import sys
import time
import tomllib
from pathlib import Path

import pytest

from siteplan.layers import read_layers
from siteplan.layers.alignment import check_alignment
from siteplan.layers.collection import Layers
from siteplan.params import LayerSource, StudyParams

sys.path.insert(0, str(Path(__file__).parent))
from bench_demo import judged, machine

ROOT = Path(__file__).parents[1]
SHARED = "../../../shared/data/chengdu"
BAR_CPU_S = {"xikou": 1.0, "chengdu": 6.0}
MORE = {
    "clutter": LayerSource(path=f"{SHARED}/radio/clutter_index_5m.tif"),
    "complaints": LayerSource(path=f"{SHARED}/facilities_population/hotel_facilities_filtered.csv", datum="wgs84"),
}
"""Traps that the study file of Chengdu leaves out: the shifted clutter, the hotels (as points of any layer)."""


def read(name: str) -> Layers | None:
    """The layers of a study; None where its data are absent."""
    folder = ROOT / "data" / name
    if name == "chengdu" and not (folder / SHARED).exists():
        return None
    study = StudyParams.model_validate(tomllib.loads((folder / "study.toml").read_text(encoding="utf-8")))
    return read_layers({**study.layers, **(MORE if name == "chengdu" else {})}, study.study.crs, folder)


def measure(runs: int = 3) -> str:
    """One line per city: cost, files judged, files suspected."""
    lines = [f"datum suspicion on {machine()}"]
    for name, bar in BAR_CPU_S.items():
        layers = read(name)
        if layers is None:
            lines.append(f"  {name:<10} data are absent")
            continue
        costs = []
        for _ in range(runs):
            start = time.process_time()
            found = check_alignment(layers)
            costs.append(time.process_time() - start)
        told = "、".join(f"{one.layer} {one.verdict}" for one in found if one.suspected) or "none"
        lines.append(f"  {name:<10} {min(costs):6.2f} cpu s   {judged(min(costs), bar)}   {len(found)} files, suspected: "
                     f"{told}")
    return "\n".join(lines)


def test_alignment(capsys: pytest.CaptureFixture[str]) -> None:
    text = measure()
    with capsys.disabled():
        print("\n" + text)


if __name__ == "__main__":
    print(measure())
