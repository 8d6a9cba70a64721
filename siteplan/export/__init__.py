"""Edge out: every deliverable of a plan, written to a temporary place, checked, then moved."""

from siteplan.export._detailed_plan import export_table, write_shapefile
from siteplan.export._plan import write_plan

__all__ = ["export_table", "write_plan", "write_shapefile"]
