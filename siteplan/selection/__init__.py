"""Selection: which candidates to open (maximal covering), with a valid upper bound on any such choice."""

from siteplan.selection.choose import Selection, select_sites
from siteplan.selection.cover import Cover, bound_from_multipliers, max_cover, optimality_gap
from siteplan.selection.explain import mark_proposed
from siteplan.selection.problem import DemandCells, demand_weight, gather_demand

__all__ = [
    "Cover", "DemandCells", "Selection", "bound_from_multipliers", "demand_weight", "gather_demand", "mark_proposed",
    "max_cover", "optimality_gap", "select_sites",
]
