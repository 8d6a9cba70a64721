"""Gaps: how much of every area is covered, under which rule, and where the uncovered land lies."""

from siteplan.gaps.buildings.building_duty import building_duty
from siteplan.gaps.buildings.building_standard import room_conditions
from siteplan.gaps.buildings.indoor import count_indoor, filing_list, indoor_list, indoor_reach
from siteplan.gaps.certainty.error_field import ErrorComponent, error_components
from siteplan.gaps.certainty.point_chances import points_pass_probability
from siteplan.gaps.certainty.uncertainty import ShareBand, pass_probability, share_band
from siteplan.gaps.holes.causes import gap_causes, with_causes
from siteplan.gaps.holes.gap_areas import GapAreas, GapPlaces, find_gap_areas, find_indoor_gaps
from siteplan.gaps.holes.gap_ids import carry_ids, earlier_ids
from siteplan.gaps.holes.mask import gap_mask
from siteplan.gaps.judging.area_faults import area_faults
from siteplan.gaps.judging.areas import VERDICT_ZH, Signal, assess_areas, assess_rules, count_verdicts
from siteplan.gaps.judging.lines import LineResults, assess_lines
from siteplan.gaps.judging.networks import assess_networks, judge_operators
from siteplan.gaps.judging.rules import KIND_ZH, Rule, load_rules, rule_named, rules_of
from siteplan.gaps.judging.shares import AreaPixels, area_pixels, area_sum, covered_share, weighted_share
from siteplan.gaps.judging.update import reassess, touched_areas
from siteplan.gaps.people.complaint_findings import (
    complaint_rates,
    complaints_without_gap,
    count_findings,
    match_complaints,
    operator_notes,
)
from siteplan.gaps.people.complaints import complaint_notes, complaint_weight, counted_complaints, duplicate_complaints
from siteplan.gaps.people.demand import Demand, build_demand, day_and_night, day_night_shares, people_points
from siteplan.gaps.people.hot_spots import hot_spots
from siteplan.gaps.progress.connectivity import connectivity, count_connectivity
from siteplan.gaps.progress.ranking import (
    Indicator,
    Weights,
    cheapest_to_gain,
    load_rankings,
    rank_areas,
    sites_per_10000,
)
from siteplan.gaps.progress.targets import Target, load_targets, shortfall

__all__ = [
    "KIND_ZH",
    "VERDICT_ZH",
    "AreaPixels",
    "Demand",
    "ErrorComponent",
    "GapAreas",
    "GapPlaces",
    "Indicator",
    "LineResults",
    "Rule",
    "ShareBand",
    "Signal",
    "Target",
    "Weights",
    "area_faults",
    "area_pixels",
    "area_sum",
    "assess_areas",
    "assess_lines",
    "assess_networks",
    "assess_rules",
    "build_demand",
    "building_duty",
    "carry_ids",
    "cheapest_to_gain",
    "complaint_notes",
    "complaint_rates",
    "complaint_weight",
    "complaints_without_gap",
    "connectivity",
    "count_connectivity",
    "count_findings",
    "count_indoor",
    "count_verdicts",
    "counted_complaints",
    "covered_share",
    "day_and_night",
    "day_night_shares",
    "duplicate_complaints",
    "earlier_ids",
    "error_components",
    "filing_list",
    "find_gap_areas",
    "find_indoor_gaps",
    "gap_causes",
    "gap_mask",
    "hot_spots",
    "indoor_list",
    "indoor_reach",
    "judge_operators",
    "load_rankings",
    "load_rules",
    "load_targets",
    "match_complaints",
    "operator_notes",
    "pass_probability",
    "people_points",
    "points_pass_probability",
    "rank_areas",
    "reassess",
    "room_conditions",
    "rule_named",
    "rules_of",
    "share_band",
    "shortfall",
    "sites_per_10000",
    "touched_areas",
    "weighted_share",
    "with_causes",
]
