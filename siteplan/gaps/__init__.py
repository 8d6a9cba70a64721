"""Gaps: how much of every area is covered, under which rule, and where the uncovered land lies."""

from siteplan.gaps.areas import VERDICT_ZH, assess_areas, count_verdicts
from siteplan.gaps.demand import Demand, build_demand, people_points
from siteplan.gaps.polygons import find_gaps, gap_mask
from siteplan.gaps.rules import KIND_ZH, Rule, load_rules, rule_named
from siteplan.gaps.shares import AreaPixels, area_pixels, area_sum, covered_share, weighted_share

__all__ = [
    "KIND_ZH",
    "VERDICT_ZH",
    "AreaPixels",
    "Demand",
    "Rule",
    "area_pixels",
    "area_sum",
    "assess_areas",
    "build_demand",
    "count_verdicts",
    "covered_share",
    "find_gaps",
    "gap_mask",
    "load_rules",
    "people_points",
    "rule_named",
    "weighted_share",
]
