"""Dated quotas: split among areas, checked to add up, followed against a plan, scheduled back from the due date."""

from siteplan.register.quotas.decompose import Needs, decompose, import_split, needs_of, retire
from siteplan.register.quotas.milestones import (
    SiteStep,
    lead_days,
    milestones_due,
    quota_milestones,
    schedule_sites,
    site_milestones,
)
from siteplan.register.quotas.plan_share import cumulative_plan, linear_share, months_between, planned_value
from siteplan.register.quotas.progress import milestone_points, quota_progress, shortfall_by_year
from siteplan.register.quotas.rows import Areas, Quota, areas_of, quota_of, quotas_in
from siteplan.register.quotas.split import exact_shares, split_quota
from siteplan.register.quotas.study_targets import quotas_of_targets
from siteplan.register.quotas.tree import split_problems, tree_problems

__all__ = ["Areas", "Needs", "Quota", "SiteStep", "areas_of", "cumulative_plan", "decompose",
           "exact_shares", "import_split", "lead_days", "linear_share", "milestone_points", "milestones_due",
           "months_between", "needs_of", "planned_value", "quota_milestones", "quota_of", "quota_progress",
           "quotas_in", "quotas_of_targets", "retire", "schedule_sites", "shortfall_by_year", "site_milestones",
           "split_problems", "split_quota", "tree_problems"]
