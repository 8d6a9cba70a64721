"""Study: opens a study file and runs the job; the only room that wires the stages together."""

from siteplan.study._file import Study
from siteplan.study._run import read_layers, run
from siteplan.study._scene import Scene, build_scene

__all__ = ["Scene", "Study", "build_scene", "read_layers", "run"]
