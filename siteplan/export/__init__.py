"""Edge out: every deliverable of a plan, written to a temporary place, checked, then moved."""

from siteplan.export._check import write_check
from siteplan.export._detailed_plan import export_table, write_shapefile
from siteplan.export._plan import write_plan
from siteplan.export._staging import check_folder

__all__ = ["check_folder", "export_table", "write_check", "write_plan", "write_shapefile"]
