"""How long a planner waits for ``siteplan --help``: cpu seconds of a fresh process, best of ten.

Run ``python benchmarks/bench_help.py``, or ``make bench``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from bench_demo import cost_of, judged, machine

BAR_CPU_S = 0.6


def measure(runs: int = 10) -> str:
    """Best of ``runs`` for the help, and for a study file that is not there."""
    lines = [f"start on {machine()}"]
    with tempfile.TemporaryDirectory() as folder:
        for words, code in ((["--help"], 0), (["check", "missing.toml"], 2)):
            costs = [cost_of(["-m", "siteplan", *words], Path(folder, "log")) for _ in range(runs)]
            if any(cost.exit_code != code for cost in costs):
                raise SystemExit(Path(folder, "log").read_text(encoding="utf-8", errors="replace"))
            best = min(cost.cpu_s for cost in costs)
            bar = judged(best, BAR_CPU_S) if words == ["--help"] else ""
            lines.append(f"  siteplan {' '.join(words):<20} {best:6.2f} cpu s   {bar}")
    return "\n".join(lines)


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4")
def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    text = measure()
    with capsys.disabled():
        print("\n" + text)


if __name__ == "__main__":
    print(measure())
