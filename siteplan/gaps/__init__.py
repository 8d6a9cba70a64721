"""Gaps: how much of every area is covered, under which rule, and where the uncovered land lies."""

from siteplan.gaps.areas import VERDICT_ZH, assess_areas, count_verdicts
from siteplan.gaps.demand import Demand, build_demand, people_points
from siteplan.gaps.error_field import ErrorComponent, error_components
from siteplan.gaps.polygons import find_gaps, gap_mask
from siteplan.gaps.ranking import (
    Indicator,
    Weights,
    cheapest_to_gain,
    load_rankings,
    rank_areas,
    sites_per_10000,
)
from siteplan.gaps.rules import KIND_ZH, Rule, load_rules, rule_named
from siteplan.gaps.shares import AreaPixels, area_pixels, area_sum, covered_share, weighted_share
from siteplan.gaps.targets import Target, load_targets, shortfall
from siteplan.gaps.uncertainty import ShareBand, pass_probability, share_band

__all__ = [
    "KIND_ZH", "VERDICT_ZH", "AreaPixels", "Demand", "ErrorComponent", "Indicator", "Rule", "ShareBand", "Target",
    "Weights", "area_pixels", "area_sum", "assess_areas", "build_demand", "cheapest_to_gain", "count_verdicts",
    "covered_share", "error_components", "find_gaps", "gap_mask", "load_rankings", "load_rules", "load_targets",
    "pass_probability", "people_points", "rank_areas", "rule_named", "share_band", "shortfall", "sites_per_10000",
    "weighted_share",
]
