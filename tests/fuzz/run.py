"""The fuzzer's command: damaged files of every format through the layer readers.

``python -m tests.fuzz.run --cases 2000`` runs that many over all formats; ``--seed 17 --format shp_gbk`` repeats one.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ("shp_gbk", "shp_utf8", "gpkg", "geojson", "fgb", "parquet", "gdb", "tab", "mif", "kml", "kmz", "dxf_r2000",
           "dxf_r2010", "xlsx", "csv_gbk", "csv_bom", "dbf", "pbf", "zip", "tif", "tif_packed", "hgt", "asc", "toml")
CLEAN = ("read", "told")
"""The outcomes allowed: layers that add up, or an error that names file, reason and remedy."""
START_SECONDS, CASE_SECONDS = 600.0, 300.0
"""Waiting time on a busy machine; the limit of a case is its cpu time, which the worker keeps."""
LOG_CHARACTERS = 3000


class Worker:
    """A reading process that is started anew when a case kills it."""

    def __init__(self, home: Path, *, bare: bool = False) -> None:
        self.home = home
        self.good: dict[str, str] = {}
        self._bare = ["--bare"] if bare else []
        home.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""

    def run(self, name: str, seed: int) -> dict[str, Any]:
        """Outcome of one case."""
        return self._ask({"format": name, "seed": seed})

    def read(self, path: Path, layer: str, options: Mapping[str, Any], crs: str | None) -> dict[str, Any]:
        """Outcome of one file as it is, read as `layer` beside good ones."""
        return self._ask({"format": path.suffix, "seed": 0, "path": str(path.resolve()), "layer": layer,
                          "options": dict(options), "crs": crs})

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            self._start()
        process = self._process
        if process is None or process.stdin is None:
            raise RuntimeError("the reading process did not start")
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        process.stdin.flush()
        line = self._line(CASE_SECONDS)
        return dict(json.loads(line)) if line is not None else {**asked, "cpu_s": 0.0, "peak_bytes": 0, **self._end()}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._drop()

    def _drop(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout) if self._process is not None else ():
            if pipe is not None:
                pipe.close()
        self._process = None

    def _start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests"))),
                       "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "CPL_LOG": os.devnull}
        self._buffer = b""
        with (self.home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fuzz.worker", str(self.home), *self._bare], cwd=ROOT, env=environment,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        while True:
            line = self._line(START_SECONDS)
            if line is None:
                raise RuntimeError(f"the reading process did not start:\n{self._end()['detail']}")
            said = json.loads(line)
            if "ready" in said:
                return
            self.good[said["good"]] = said["kind"] + (f": {said['detail']}" if said["detail"] else "")

    def _line(self, seconds: float) -> bytes | None:
        """The next line; None when the process ended or the time is over."""
        process, end = self._process, time.monotonic() + seconds
        if process is None or process.stdout is None:
            return None
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))
            block = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
            if not block:
                return None
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _end(self) -> dict[str, Any]:
        """How the process ended; it is gone afterwards."""
        process = self._process
        if process is None:
            return {"kind": "crash", "detail": "not started"}
        try:
            code = process.wait(2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
        self._drop()
        kind = "hang" if code in (None, -signal.SIGPROF) else "crash"
        how = "no answer" if code is None else signal.Signals(-code).name if code < 0 else f"exit code {code}"
        log = (self.home / "log").read_bytes()[-LOG_CHARACTERS:].decode("utf-8", "replace")
        case = json.loads((self.home / "case.json").read_text()) if (self.home / "case.json").exists() else {}
        return {"kind": kind, "detail": f"{how}\n{log}", "case": case}


def plan(cases: int, first: int, formats: Sequence[str] = FORMATS) -> list[tuple[str, int]]:
    """Formats in turn, each with seeds of its own.

    >>> plan(3, 7, ("a", "b"))
    [('a', 7), ('b', 7), ('a', 8)]
    """
    return [(formats[number % len(formats)], first + number // len(formats)) for number in range(cases)]


def outcomes(cases: Sequence[tuple[str, int]], home: Path, keep: Path | None = None,
             workers: int = 1) -> Iterator[dict[str, Any]]:
    """Run cases; files of those that are not clean are copied to ``keep/FORMAT-SEED``."""
    def part(number: int) -> list[dict[str, Any]]:
        worker = Worker(home / f"worker{number}")
        try:
            return [run_kept(worker, name, seed, keep) for name, seed in cases[number::workers]]
        finally:
            worker.close()

    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(part, range(workers)):
            yield from found


def run_kept(worker: Worker, name: str, seed: int, keep: Path | None) -> dict[str, Any]:
    """One case; where it is not clean it is told, and its files are copied to ``keep/FORMAT-SEED``."""
    outcome = worker.run(name, seed)
    if outcome["kind"] not in CLEAN and keep is not None:
        _keep(outcome, worker.home, keep / f"{name}-{seed}")
        print(describe(outcome), end="\n\n", flush=True)
    return outcome


def _keep(outcome: dict[str, Any], home: Path, folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    if (home / "case").exists():
        shutil.copytree(home / "case", folder)
        text = json.dumps(outcome, ensure_ascii=False, indent=1)
        (folder.parent / f"{folder.name}.json").write_text(text, "utf-8", "replace")


def describe(outcome: dict[str, Any]) -> str:
    """One finding in words, with the command that repeats it."""
    case = outcome.get("case") or {}
    how = "; ".join(case.get("done", []))
    return (f"[{outcome['kind']}] --format {outcome['format']} --seed {outcome['seed']}  ({how}; read as "
            f"{case.get('layer')}, options {case.get('options')}, crs {case.get('crs')}; cpu {outcome['cpu_s']:.1f} s, "
            f"{outcome['peak_bytes'] >> 20} MiB)\n{outcome['detail'].strip()}")


def signature(outcome: dict[str, Any]) -> str:
    """What findings of one cause have alike: kind, last place in the package, last line."""
    lines = [line.strip() for line in outcome["detail"].strip().splitlines()]
    places = [line for line in lines if "siteplan/" in line and line.startswith("File")]
    last = lines[-1][:100] if lines else ""
    return f"{outcome['kind']} | {places[-1].split('siteplan/')[-1] if places else ''} | {last}"


def summary(found: Iterable[dict[str, Any]]) -> str:
    """Counts per format and outcome."""
    counts = Counter((outcome["format"], outcome["kind"]) for outcome in found)
    formats = sorted({name for name, _ in counts})
    kinds = sorted({kind for _, kind in counts})
    rows = [f"{'format':12}" + "".join(f"{kind:>11}" for kind in kinds)]
    rows += [f"{name:12}" + "".join(f"{counts[name, kind]:>11}" for kind in kinds) for name in formats]
    return "\n".join(rows)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; 1 when anything but a clean outcome was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("--cases", type=int, default=0, help="number of cases, spread over the formats")
    parser.add_argument("--seed", type=int, default=0, help="first seed; alone with --format: the one case to repeat")
    parser.add_argument("--format", choices=FORMATS, action="append", help="only this format (may be repeated)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=ROOT / "build" / "fuzz", help="folder for the files of findings")
    given = parser.parse_args(words)
    formats = tuple(given.format or FORMATS)
    cases = plan(given.cases or len(formats), given.seed, formats)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="siteplan-fuzz-") as home:
        found = list(outcomes(cases, Path(home), given.keep, given.workers))
    bad = [outcome for outcome in found if outcome["kind"] not in CLEAN]
    print(summary(found))
    loose = Counter(text for outcome in found for text in outcome.get("warnings", {}))
    for text, count in loose.most_common(20):
        print(f"warning in {count} cases: {text}")
    causes = Counter(signature(outcome) for outcome in bad)
    for text, count in causes.most_common():
        print(f"{count:5} x {text}")
    cpu, peak = max(found, key=lambda outcome: outcome["cpu_s"]), max(found, key=lambda outcome: outcome["peak_bytes"])
    print(f"{len(found)} cases in {time.monotonic() - started:.0f} s, {len(bad)} findings of {len(causes)} kinds; "
          f"most cpu {cpu['cpu_s']:.1f} s ({cpu['format']} {cpu['seed']}), most memory {peak['peak_bytes'] >> 20} MiB "
          f"({peak['format']} {peak['seed']})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
