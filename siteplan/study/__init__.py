"""Study: opens a study file and runs the job; the only room that wires the stages together."""

from siteplan.study._check import check_layers, read_layers, write_layer_check
from siteplan.study._deliver import write_deliverables
from siteplan.study._file import Study
from siteplan.study._finish import build_plan
from siteplan.study._run import run
from siteplan.study._scene import Scene, build_scene
from siteplan.study._select import Choice, select_proposed
from siteplan.study._stages import (
    State,
    assess_state,
    cover_existing,
    cover_with_proposed,
    propose_candidates,
)

__all__ = [
    "Choice", "Scene", "State", "Study", "assess_state", "build_plan", "build_scene", "check_layers",
    "cover_existing", "cover_with_proposed", "propose_candidates", "read_layers", "run", "select_proposed",
    "write_deliverables", "write_layer_check",
]
