"""The plan of the sample city, run once for all workers of the tests and kept as a file.

``python -m tests.sample_run FOLDER`` makes it beforehand.
"""

from __future__ import annotations

import copyreg
import operator
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

STUDY = Path(__file__).resolve().parents[1] / "data" / "xikou" / "study.toml"
NAME = "sample_run.pickle"
STEPS_NAME = "sample_steps.pickle"
STEPS = ("build_scene", "cover_existing", "assess_state", "propose_candidates", "select_proposed",
         "cover_with_proposed")


@dataclass(frozen=True)
class SampleRun:
    """The study as it was read, its layers and its plan."""

    study: Any
    layers: Any
    plan: Any


@dataclass(frozen=True)
class Step:
    """One step of that run: the function, what it was given, what it gave."""

    name: str
    given: tuple[Any, ...]
    result: Any


def shown_only(content: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """Mappings that nobody may change are no longer so easy to keep."""
    return MappingProxyType(content)


copyreg.pickle(MappingProxyType, lambda held: (shown_only, (dict(held),)))


def folder_of_all_workers(factory: pytest.TempPathFactory) -> Path:
    """A folder that every worker of this test run sees; that of `make test`, which has run it already."""
    given = os.environ.get("SITEPLAN_SAMPLE_RUN")
    if given:
        return Path(given).resolve()
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process at a time."""
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sample_run_file(folder: Path) -> Path:
    """The file; made by the first who asks."""
    from siteplan.study import Study, run

    path = folder / NAME
    with alone(folder / f"{NAME}.lock"):
        if not path.exists():
            study = Study.from_toml(STUDY)
            with recorded_steps() as steps:
                plan = run(study)
            _, layers, *_ = steps[0].given
            keep(folder / STEPS_NAME, steps)
            keep(path, SampleRun(study, layers, plan))
    return path


def keep(path: Path, content: Any) -> None:
    """Whole, or not there."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        pickle.dump(content, file, protocol=5)
    part.replace(path)


@contextmanager
def recorded_steps() -> Iterator[list[Step]]:
    """What the steps of a run are given and give while this lasts."""
    from siteplan.study import _run

    steps: list[Step] = []

    def recorded(name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        def step(*given: Any) -> Any:
            steps.append(Step(name, given, inner(*given)))
            return steps[-1].result
        return step
    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(_run, name, recorded(name, getattr(_run, name)))
        yield steps


def read_sample_run(path: Path) -> SampleRun:
    """What was kept."""
    found = pickle.loads(path.read_bytes())
    assert isinstance(found, SampleRun)
    return found


def is_sample(study: Any) -> bool:
    """The sample study as its file has it."""
    from siteplan.study import Study

    own = Study.from_toml(STUDY)
    parts = ("sha256", "params", "equipment", "calibration")
    return Path(study.path).resolve() == STUDY and all(getattr(study, part) == getattr(own, part) for part in parts)


def serve_sample_run(path: Path) -> None:
    """`sp.run` of the unchanged sample city gives the plan that was kept; every other study is run."""
    import siteplan as sp

    inner = sp.run
    kept: list[SampleRun] = []  # read when it is asked for

    def run(study: Any, *args: Any, **more: Any) -> Any:
        if not args and not more and is_sample(study):
            kept[:] = kept or [read_sample_run(path)]
            return kept[0].plan
        return inner(study, *args, **more)
    sp.run = run


def serve_sample_steps(path: Path) -> None:
    """The steps of `sp.run`, called one by one with what the kept run gave them, give what they gave there.

    The first is known by the parts and the layers of the unchanged sample study, the others by the very objects of
    those before them. Whatever was changed is worked out.
    """
    import siteplan as sp

    kept: list[list[Step]] = []  # read when it is asked for
    read: list[tuple[Any, ...]] = []
    inner_read = sp.read_layers

    def read_layers(study: Any) -> Any:
        layers = inner_read(study)
        if is_sample(study):
            read.append((study.params, layers, study.equipment, study.calibration, study.venues))
        return layers

    def same(asked: tuple[Any, ...], step: Step) -> bool:
        known = read if step.name == "build_scene" else [step.given]
        return any(len(asked) == len(given) and all(map(operator.is_, asked, given)) for given in known)

    def served(name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        def step(*asked: Any, **more: Any) -> Any:
            kept[:] = kept or [pickle.loads(path.with_name(STEPS_NAME).read_bytes())]
            found = [one.result for one in kept[0] if one.name == name and not more and same(asked, one)]
            return found[0] if found else inner(*asked, **more)
        return step
    sp.read_layers = read_layers
    for name in STEPS:
        setattr(sp, name, served(name, getattr(sp, name)))


if __name__ == "__main__":
    from tests import sample_run  # what is kept is read by that name

    sample_run.sample_run_file(Path(sys.argv[1]))
