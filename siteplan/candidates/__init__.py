"""Candidates: where sites may stand - existing stations, public venues, lamp poles, roofs - in preference tiers."""

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.propose import propose_sites
from siteplan.candidates.table import SITE_COLUMNS, empty_sites

__all__ = ["SITE_COLUMNS", "CandidateContext", "empty_sites", "propose_sites"]
