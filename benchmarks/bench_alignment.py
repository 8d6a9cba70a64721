"""Datum suspicion: cpu seconds of ``check_alignment`` on layers that are read already, best of three.

``python benchmarks/bench_alignment.py``: the sample city, and Chengdu as received where its data lie beside the project.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from siteplan.layers.alignment import check_alignment
from siteplan.study import Study, check_layers

sys.path.insert(0, str(Path(__file__).parent))
from bench_demo import judged, machine

DATA = Path(__file__).parents[1] / "data"
SHARED = Path(__file__).parents[2] / "shared" / "data" / "chengdu"
BAR_CPU_S = {"xikou/study.toml": 1.0, "chengdu/as_received.toml": 6.0}


def measure(runs: int = 3) -> str:
    """One line per city: cost, files judged, files suspected."""
    lines = [f"datum suspicion on {machine()}"]
    for name, bar in BAR_CPU_S.items():
        if name.startswith("chengdu") and not SHARED.exists():
            lines.append(f"  {name:<26} data are absent")
            continue
        layers = check_layers(Study.from_toml(DATA / name))
        costs = []
        for _ in range(runs):
            start = time.process_time()
            found = check_alignment(layers)
            costs.append(time.process_time() - start)
        told = ", ".join(f"{Path(one.file).name} {one.verdict}" for one in found if one.suspected) or "none"
        lines.append(f"  {name:<26} {min(costs):6.2f} cpu s   {judged(min(costs), bar)}   {len(found)} files, suspected: "
                     f"{told}")
    return "\n".join(lines)


def test_alignment(capsys: pytest.CaptureFixture[str]) -> None:
    text = measure()
    with capsys.disabled():
        print("\n" + text)


if __name__ == "__main__":
    print(measure())
