"""The review map: size and time of writing on the sample city, and how a page of 100,000 points opens and moves.

Sample: the plan of ``data/xikou`` made in the same process, then written. Big: a made-up plan of 100,000 candidates on a
raster of 6,000 x 6,000 (``tests/map_plan.py``), written, opened in a headless Chromium without a network, dragged
about with every point shown, before and after zooming in. Each part runs in a process of its own. Seconds of writing are
cpu, those of the browser wall (it draws by software here). Run ``python benchmarks/bench_map.py``, or one part by its
name. Times are printed, never asserted.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "tests"))
from bench_coverage import peak_gib, run_parts
from bench_demo import judged
from chrome import CHROMIUM, chrome

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_MB, SAMPLE_CPU_S = 6.0, 3.0
BIG_MB, BIG_OPEN_S, BIG_FRAME_MS = 12.0, 6.0, 120.0
FRAMES = 90
PAN = """new Promise(function (done) {
  var at = performance.now(), gaps = [], step = 0, map = map_siteplan;
  function frame() {
    var now = performance.now(); gaps.push(now - at); at = now;
    if (++step > FRAMES) { gaps.shift(); done(gaps); return; }
    map.panBy([step % 30 < 15 ? 12 : -12, 4], { animate: false });
    requestAnimationFrame(frame);
  }
  requestAnimationFrame(frame);
})""".replace("FRAMES", str(FRAMES))


def _written(plan: Any, folder: str) -> tuple[Path, float, float]:
    """The page of a plan, cpu seconds of the second writing (imports are done), megabytes."""
    from siteplan.maps import write_review_map

    page = Path(folder, "map.html")
    seconds = []
    for _ in range(2):
        start = time.process_time()
        write_review_map(plan, page)
        seconds.append(time.process_time() - start)
    return page, min(seconds), page.stat().st_size / 1e6


def part_sample() -> str:
    from siteplan.study import Study, run

    plan = run(Study.from_toml(ROOT / "data" / "xikou" / "study.toml"))
    with tempfile.TemporaryDirectory() as folder:
        _, cpu_s, megabytes = _written(plan, folder)
    return (f"sample city: {megabytes:.2f} MB ({judged(megabytes, SAMPLE_MB)}), written in {cpu_s:.2f} cpu s "
            f"({judged(cpu_s, SAMPLE_CPU_S)})")


def part_big() -> str:
    from map_plan import make_big_plan

    with tempfile.TemporaryDirectory() as folder:
        page, cpu_s, megabytes = _written(make_big_plan(), folder)
        lines = [(f"100,000 points, 6,000 x 6,000: {megabytes:.2f} MB ({judged(megabytes, BIG_MB)}), written in "
                 f"{cpu_s:.1f} cpu s, peak {peak_gib():.2f} GiB")]
        if CHROMIUM is None:
            return "\n".join([*lines, "no Chromium here: the page was not opened"])
        with chrome(page, "on=candidates,refused") as tab:
            tab.wait_for("document.body.dataset.state")
            lines.append(f"  opened in {tab.loaded_s:.2f} s ({judged(tab.loaded_s, BIG_OPEN_S)}), every point shown")
            for where, zoom in (("whole city", 0), ("two steps in", 2), ("five steps in", 5)):
                tab.evaluate(f"map_siteplan.setZoom(map_siteplan.getMinZoom() + 1 + {zoom}, {{ animate: false }}); 0")
                gaps = sorted(tab.evaluate(PAN))
                middle, late = gaps[len(gaps) // 2], gaps[int(0.95 * len(gaps))]
                lines.append(f"  dragged, {where}: {middle:.0f} ms a frame, 95 % under {late:.0f} ms, most {gaps[-1]:.0f} "
                             f"({judged(late, BIG_FRAME_MS)})")
            lines.append(f"  requests {len(tab.requests)}, console messages {len(tab.console)}, heap "
                         f"{tab.evaluate('performance.memory ? performance.memory.usedJSHeapSize / 1e6 : 0'):.0f} MB")
    return "\n".join(lines)


PARTS = {"sample": part_sample, "big": part_big}


def test_map(capsys: pytest.CaptureFixture[str]) -> None:
    text = run_parts(__file__, list(PARTS))
    with capsys.disabled():
        print("\n" + text)
    assert len(text.splitlines()) > len(PARTS)  # a part that fails raises


if __name__ == "__main__":
    print(PARTS[sys.argv[1]]() if len(sys.argv) == 2 and sys.argv[1] in PARTS else run_parts(__file__, list(PARTS)))
