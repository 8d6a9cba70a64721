"""Decisions of meetings and fates of venues (layer ``decisions``): read, checked against each other, tied to sites."""

from siteplan.decisions._effects import EFFECT_COLUMNS, decision_effects
from siteplan.decisions._read import read_decisions
from siteplan.decisions._sites import (
    Move,
    kept_groups,
    kept_sites,
    moved_sites,
    refusals,
    site_moves,
    site_years,
    sites_meant,
)
from siteplan.decisions._table import COMMENT_COLUMNS, comment_table
from siteplan.decisions._values import Decision, Decisions, fee_is_rent, parse_amount, parse_place, words_of

__all__ = ["COMMENT_COLUMNS", "EFFECT_COLUMNS", "Decision", "Decisions", "Move", "comment_table", "decision_effects",
           "fee_is_rent", "kept_groups", "kept_sites", "moved_sites", "parse_amount", "parse_place", "read_decisions",
           "refusals", "site_moves", "site_years", "sites_meant", "words_of"]
