"""Selection: which candidates to open (maximal covering), with a valid upper bound on any such choice."""

from siteplan.selection.choose import Selection, select_sites
from siteplan.selection.cover import Cover, bound_from_multipliers, max_cover, optimality_gap
from siteplan.selection.explain import CHOICE_ZH, explain_choice, mark_proposed
from siteplan.selection.preference import PreferencePrice, compare_preference, price_sentences
from siteplan.selection.problem import DemandCells, demand_weight, gather_demand

__all__ = [
    "CHOICE_ZH", "Cover", "DemandCells", "PreferencePrice", "Selection", "bound_from_multipliers", "compare_preference",
    "demand_weight", "explain_choice", "gather_demand", "mark_proposed", "max_cover", "optimality_gap",
    "price_sentences", "select_sites",
]
