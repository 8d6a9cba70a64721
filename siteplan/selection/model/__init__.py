"""The problem of selection as frozen nouns: reach, limits, objective, answer; and what is worth counting on them."""

from siteplan.selection.model.answer import Answer, Effort, Multipliers
from siteplan.selection.model.problem import Floor, Problem, Row, Stage, Wanted
from siteplan.selection.model.reach import Reach

__all__ = ["Answer", "Effort", "Floor", "Multipliers", "Problem", "Reach", "Row", "Stage", "Wanted"]
