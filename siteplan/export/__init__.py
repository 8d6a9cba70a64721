"""Edge out: every deliverable of a plan, written to a temporary place, checked, then moved."""

from siteplan.export._detailed_plan import export_table, write_shapefile
from siteplan.export._plan import check_folder, write_plan

__all__ = ["check_folder", "export_table", "write_plan", "write_shapefile"]
