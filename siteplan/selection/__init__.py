"""Selection: which candidates to open (maximal covering under every limit), with a proof of how good the choice is."""

from siteplan.selection.certificate import Certificate
from siteplan.selection.choose import Selection, select_sites
from siteplan.selection.cover import Cover, bound_from_multipliers, max_cover, optimality_gap
from siteplan.selection.demand import DemandCells, demand_weight, gather_demand
from siteplan.selection.explain import CHOICE_ZH, explain_choice, mark_proposed
from siteplan.selection.methods.solve import METHODS, solve
from siteplan.selection.money import MoneyCurve, knee_sentence, money_curve
from siteplan.selection.preference import PreferencePrice, compare_preference, price_sentences
from siteplan.selection.proof import certificate_of
from siteplan.selection.task import Task, Wishes
from siteplan.selection.words import PLAN_STATUS_ZH, STOPS_ZH, gap_text, objective_zh, proof_sentence

__all__ = [
    "CHOICE_ZH", "METHODS", "PLAN_STATUS_ZH", "STOPS_ZH", "Certificate", "Cover", "DemandCells", "MoneyCurve",
    "PreferencePrice", "Selection", "Task", "Wishes", "bound_from_multipliers", "certificate_of", "compare_preference",
    "demand_weight", "explain_choice", "gap_text", "gather_demand", "knee_sentence", "mark_proposed", "max_cover",
    "money_curve", "objective_zh", "optimality_gap", "price_sentences", "proof_sentence", "select_sites", "solve",
]
