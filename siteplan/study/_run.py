"""Run the job stage by stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from siteplan.plan import Plan
from siteplan.study._check import read_layers
from siteplan.study._file import Study
from siteplan.study._finish import build_plan
from siteplan.study._scene import build_scene
from siteplan.study._select import select_proposed
from siteplan.study._stages import (
    assess_state,
    cover_existing,
    cover_with_proposed,
    propose_candidates,
)

Progress = Callable[[str], None]

STAGES = ("ingest", "surface", "coverage", "gaps", "candidates", "selection", "coverage_after", "gaps_after")
"""Names a progress callable is given, in order."""


@contextmanager
def _stage(name: str, timings: dict[str, float], progress: Progress | None) -> Iterator[None]:
    """Tell the progress, and keep the cpu seconds of one stage."""
    if progress is not None:
        progress(name)
    start = time.process_time()
    yield
    timings[name] = round(time.process_time() - start, 3)


def run(study: Study, progress: Progress | None = None) -> Plan:
    """Run the whole job: layers, surface, coverage, gaps, candidates, selection, plan.

    Parameters
    ----------
    study : Study
    progress : callable, optional
        Called with the name of each stage (see ``STAGES``) as it starts.

    Returns
    -------
    Plan

    Raises
    ------
    LayerError
        A required layer is unusable; every problem of every layer is listed.
    """
    timings: dict[str, float] = {}
    with _stage("ingest", timings, progress):
        layers = read_layers(study)
    with _stage("surface", timings, progress):
        scene = build_scene(study.params, layers, study.equipment, study.calibration, study.venues)
        del layers  # the scene holds what is needed; the rest need not stay in memory
    with _stage("coverage", timings, progress):
        before = cover_existing(scene)
    with _stage("gaps", timings, progress):
        state_before = assess_state(scene, before)
    with _stage("candidates", timings, progress):
        sites = propose_candidates(scene, before)
    with _stage("selection", timings, progress):
        choice, sites = select_proposed(scene, sites, before, state_before)
    with _stage("coverage_after", timings, progress):
        after = cover_with_proposed(scene, sites, before)
    with _stage("gaps_after", timings, progress):
        state_after = assess_state(scene, after, sites, state_before)
    return build_plan(study, scene, (before, after), (state_before, state_after), sites, choice, timings)
