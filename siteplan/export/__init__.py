"""Edge out: every deliverable of a plan, written to a temporary place, checked, then moved."""

from siteplan.export._check import write_check
from siteplan.export._detailed_plan import export_table, write_shapefile
from siteplan.export._footprint_store import open_footprints, write_footprints
from siteplan.export._letters import check_template, read_template, write_letters
from siteplan.export._plan import write_plan
from siteplan.export._staging import check_folder

__all__ = [
    "check_folder", "check_template", "export_table", "open_footprints", "read_template", "write_check",
    "write_footprints", "write_letters", "write_plan", "write_shapefile",
]
