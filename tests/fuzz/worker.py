"""Reads one damaged file after another in a process of its own, under limits, and says how each ended.

Each line of standard input is ``{"format": ..., "seed": ...}``, each line of standard output an outcome. A case beyond
its cpu seconds kills the process, as does a crash inside a library: the parent sees the signal and starts another.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import re
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, TextIO

from siteplan.errors import SiteplanError
from siteplan.layers import Layers, read_layers
from siteplan.params import LayerSource
from siteplan.study import Study

from .good_files import EPSG, GOOD, write_all
from .mutate import Case, make_case

CPU_SECONDS = 20.0
MEMORY_BYTES = 1 << 30
TRACE_CHARACTERS = 3000


def read_case(case: Case, folder: Path, base: Path) -> Layers:
    """Read the damaged file of a case as its layer, beside a good boundary, villages and ground."""
    if case.path.endswith(".toml"):
        study = Study.from_toml(folder / case.path)
        return read_layers(study.params.layers, study.params.study.crs, study.root)
    sources = {"boundary": LayerSource(path=f"{base}/boundary.geojson"),
               "villages": LayerSource(path=f"{base}/villages.geojson"),
               "ground": LayerSource(path=f"{base}/ground.tif")}
    sources[case.layer] = LayerSource(path=case.path, **case.options)
    return read_layers(sources, case.crs, folder)


def faults_of(found: Layers) -> list[str]:
    """What does not add up in what was read: counts of each file, and a refused line for each refused row."""
    faults = []
    for file in found.files:
        if file.rows_in + file.rows_made != file.rows_kept + file.rows_refused or min(
                file.rows_in, file.rows_made, file.rows_kept, file.rows_refused) < 0:
            faults.append(f"rows: {file.layer} {file.rows_in} + {file.rows_made} != {file.rows_kept} + "
                          f"{file.rows_refused}")
        told = {line.row for line in found.ledger
                if line.action == "refused" and line.row and (line.layer, line.file) == (file.layer, file.file)}
        if len(told) < file.rows_refused:
            faults.append(f"lines: {file.layer} refused {file.rows_refused} rows, lines tell of {len(told)}: "
                          f"{sorted(told)[:9]}")
    for name, table in found.tables.items():
        kept = sum(file.rows_kept for file in found.files if file.layer == name)
        if kept != len(table):
            faults.append(f"rows: {name} has {len(table)} rows, its files kept {kept}")
        if not table.index.is_unique:
            faults.append(f"keys: {name} has repeated keys")
    for line in found.ledger:
        if not (line.reason and line.remedy and line.layer):
            faults.append(f"words: a ledger line without layer, reason or remedy: {line}")
    return faults


def error_faults(error: SiteplanError) -> list[str]:
    """What is missing in an error: every problem names its file (or the study), the reason and the remedy."""
    if not error.problems:
        return [f"words: an error without problems: {error}"]
    return [f"words: a problem without file, reason or remedy: {problem!r}" for problem in error.problems
            if not ((problem.file or problem.layer == "study") and problem.reason and problem.remedy)]


def judge(case: Case, folder: Path, base: Path) -> dict[str, Any]:
    """How a case ended: ``kind`` is read, told (an error in words), or what is wrong with it."""
    faults, detail = [], ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            faults = faults_of(read_case(case, folder, base))
            kind = "read"
        except SiteplanError as error:
            faults = error_faults(error)
            kind, detail = "told", str(error)[:TRACE_CHARACTERS]
        except MemoryError:
            return {"kind": "memory", "detail": traceback.format_exc()[-TRACE_CHARACTERS:]}
        except Exception:  # noqa: BLE001 - any other exception is what is looked for
            return {"kind": "exception", "detail": traceback.format_exc()[-TRACE_CHARACTERS:]}
    loose = dict(Counter(f"{warning.category.__name__}: {str(warning.message)[:120]} ({Path(warning.filename).name})"
                         for warning in caught))
    if faults:
        return {"kind": faults[0].partition(":")[0], "detail": "\n".join(faults[:5]), "warnings": loose}
    return {"kind": kind, "detail": detail, "warnings": loose}


def _status(key: str) -> int:
    """Bytes of one line of ``/proc/self/status``; 0 where there is none."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def run_case(asked: dict[str, Any], home: Path) -> dict[str, Any]:
    """Make, read and judge one case; its files stay in ``home/case`` until the next."""
    folder = home / "case"
    if "path" in asked:
        folder = Path(asked["path"]).parent
        case = Case(asked["format"], 0, Path(asked["path"]).name, asked["layer"], asked["options"], asked["crs"], [])
    else:
        try:
            case = make_case(asked["format"], asked["seed"], home / "good", folder)
        except Exception:  # noqa: BLE001 - the fuzzer's own fault is told as such
            trace = traceback.format_exc()[-TRACE_CHARACTERS:]
            return {"kind": "fuzzer", "detail": trace, "cpu_s": 0.0, "peak_bytes": 0}
    (home / "case.json").write_text(json.dumps(case.__dict__, ensure_ascii=True))
    gc.collect()
    _forget_peak()
    before, started = _status("VmRSS"), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    outcome = judge(case, folder, (home / "base").resolve())
    signal.setitimer(signal.ITIMER_PROF, 0.0)
    outcome |= {"cpu_s": time.process_time() - started, "peak_bytes": max(0, _status("VmHWM") - before),
                "case": case.__dict__}
    if outcome["peak_bytes"] > MEMORY_BYTES and outcome["kind"] in ("read", "told"):
        outcome |= {"kind": "memory", "detail": f"{outcome['peak_bytes'] >> 20} MiB"}
    return outcome


def selftest(name: str) -> dict[str, Any]:
    """Misbehave on purpose: what the parent must notice."""
    signal.setitimer(signal.ITIMER_PROF, 0.3)
    if name == "selftest-crash":
        os.abort()
    if name == "selftest-memory":
        try:
            bytearray(MEMORY_BYTES + (256 << 20))
        except MemoryError:
            return {"kind": "memory", "detail": "", "cpu_s": 0.0, "peak_bytes": 0}
    while name == "selftest-hang":
        pass
    return {"kind": "read", "detail": "", "cpu_s": 0.0, "peak_bytes": 0}


def _warm_up(home: Path, answers: TextIO) -> None:
    """Read the good files: first readings import and compile, which is not a case's time or memory."""
    if not (home / "good" / "done").exists():
        write_all(home / "good")
        shutil.copytree(home / "good" / "base", home / "base")
        (home / "good" / "done").touch()
    for name, good in GOOD.items():
        case = Case(name, 0, good.path, good.layer, good.options, f"EPSG:{EPSG}", [])
        outcome = judge(case, home / "good" / name, (home / "base").resolve())
        said = {"good": name, "kind": outcome["kind"], "detail": outcome["detail"]}
        print(json.dumps(said), file=answers, flush=True)


def _limit_memory() -> None:
    """What may be asked for beyond what is held now; no core file."""
    import resource  # not on every system

    data = _status("VmData")
    if data:
        resource.setrlimit(resource.RLIMIT_DATA, (data + MEMORY_BYTES + (128 << 20),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Answer cases until standard input ends."""
    home = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to the log
    faulthandler.enable(sys.stderr)
    faulthandler.register(signal.SIGPROF, file=sys.stderr, all_threads=False, chain=True)
    if "--bare" not in sys.argv:
        _warm_up(home, answers)
    gc.collect()
    gc.freeze()
    _limit_memory()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        outcome = selftest(asked["format"]) if asked["format"].startswith("selftest") else run_case(asked, home)
        print(json.dumps({**asked, **outcome}), file=answers, flush=True)


if __name__ == "__main__":
    main()
