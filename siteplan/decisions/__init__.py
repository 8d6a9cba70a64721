"""Decisions of meetings and fates of venues (layer ``decisions``): read, checked against each other, tied to sites."""

from siteplan.decisions._read import read_decisions
from siteplan.decisions._sites import kept_sites, moved_sites, refusals, site_years, sites_meant
from siteplan.decisions._values import Decision, Decisions, fee_is_rent, parse_amount, parse_place, words_of

__all__ = ["Decision", "Decisions", "fee_is_rent", "kept_sites", "moved_sites", "parse_amount", "parse_place",
           "read_decisions", "refusals", "site_years", "sites_meant", "words_of"]
