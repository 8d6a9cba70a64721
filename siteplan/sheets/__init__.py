"""Printed sheets: an atlas by town and planning unit, and the brief of a meeting."""

from siteplan.sheets.atlas import write_atlas
from siteplan.sheets.brief import read_brief_template, write_brief
from siteplan.sheets.content import Band, SheetContent, content_of_arrays, content_of_folder, content_of_plan

__all__ = ["Band", "SheetContent", "content_of_arrays", "content_of_folder", "content_of_plan", "read_brief_template",
           "write_atlas", "write_brief"]
