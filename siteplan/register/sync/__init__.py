"""A new plan is brought into the register: sites are matched, keep ids and history, are added, told when dropped."""

from siteplan.register.sync.matching import match_sites, mount_family
from siteplan.register.sync.merge import sync_plan
from siteplan.register.sync.record import PlanRecord, empty_record
from siteplan.register.sync.result import SyncResult

__all__ = ["PlanRecord", "SyncResult", "empty_record", "match_sites", "mount_family", "sync_plan"]
