"""The sample city from a fresh process: cpu seconds and memory of ``python -m siteplan demo``, split by stage.

Run ``python benchmarks/bench_demo.py``, or ``make bench``. The first run fills the caches of compiled kernels and of
bytecode and is shown apart; the figure is the best of three after it. Times are printed, never asserted.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BAR_CPU_S, BAR_GIB = 20.0, 1.5
WARM_RUNS = 3


@dataclass(frozen=True)
class Cost:
    """What one process and its children took."""

    cpu_s: float
    peak_gib: float
    exit_code: int


def cost_of(words: list[str], log: Path) -> Cost:
    """Run a command of this Python, its output into a file; user + system seconds, children included.

    Compiled bytecode is kept, as it is where the package is installed.
    """
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**own, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    with log.open("wb") as sink:
        actions = [(os.POSIX_SPAWN_DUP2, sink.fileno(), 1), (os.POSIX_SPAWN_DUP2, sink.fileno(), 2)]
        process = os.posix_spawn(sys.executable, [sys.executable, *words], environment, file_actions=actions)
        _, status, usage = os.wait4(process, 0)
    unit = 1024**3 if sys.platform == "darwin" else 1024**2
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, os.waitstatus_to_exitcode(status))


def machine() -> str:
    """Processor, number of processors, load at this moment."""
    names = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
             if line.startswith("model name")] if Path("/proc/cpuinfo").is_file() else ["unknown processor"]
    return f"{os.cpu_count()} x {names[0]}, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.2f}"


def judged(value: float, bar: float) -> str:
    """Bar, and on which side of it the value is."""
    return f"bar {bar:g}: {'within' if value <= bar else 'OVER'}"


def measure(runs: int = WARM_RUNS) -> str:
    """Run the demo once cold and ``runs`` times warm; the table as text."""
    with tempfile.TemporaryDirectory() as folder:
        out, log = Path(folder, "demo"), Path(folder, "log")
        costs, stages = [], []
        for _ in range(1 + runs):
            costs.append(cost_of(["-m", "siteplan", "demo", "--out", str(out)], log))
            if costs[-1].exit_code != 0:
                raise SystemExit(log.read_text(encoding="utf-8", errors="replace"))
            stages.append(json.loads((out / "plan.json").read_text(encoding="utf-8"))["timings"])
        megabytes = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
    best = min(range(1, len(costs)), key=lambda number: costs[number].cpu_s)
    peak = max(cost.peak_gib for cost in costs)
    rest = costs[best].cpu_s - sum(stages[best].values())
    rows = [*stages[best].items(), ("imports, map, files", rest)]
    return "\n".join([
        f"demo on {machine()}",
        f"  first run (fills the cache of compiled kernels if empty) {costs[0].cpu_s:7.2f} cpu s",
        f"  best of {runs} warm runs {costs[best].cpu_s:7.2f} cpu s   {judged(costs[best].cpu_s, BAR_CPU_S)}",
        f"  greatest memory     {peak:7.2f} GiB     {judged(peak, BAR_GIB)}", f"  written {megabytes:.1f} MB",
        *(f"    {name:<20} {seconds:7.2f} cpu s" for name, seconds in rows)])


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4")
def test_demo(capsys: pytest.CaptureFixture[str]) -> None:
    text = measure()
    with capsys.disabled():
        print("\n" + text)


if __name__ == "__main__":
    print(measure())
