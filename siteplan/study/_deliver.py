"""Every deliverable of a plan in one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from siteplan.export import write_plan
from siteplan.maps import write_review_map
from siteplan.plan import Plan

REVIEW_MAP = "review_map.html"


def write_deliverables(plan: Plan, out: str | Path, progress: Callable[[str], None] | None = None) -> dict[str, Path]:
    """Write the tables, layers, rasters, workbook and the review map of a plan into a folder.

    ``progress`` is called with the name of each file when it is ready.

    Returns
    -------
    dict
        File name -> path, see ``docs/outputs.md``.

    Raises
    ------
    ExportError
        A file could not be written or did not read back; nothing in ``out`` was touched.
    """
    return write_plan(plan, Path(out), extra=((REVIEW_MAP, write_review_map),), progress=progress)
