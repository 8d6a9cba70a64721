"""Every deliverable of a plan in one call."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from siteplan.export import write_plan
from siteplan.maps import MapOptions, write_review_map
from siteplan.params import MapParams
from siteplan.plan import Plan

REVIEW_MAP, PUBLIC_MAP = "review_map.html", "review_map_public.html"
KEY_VARIABLE = "SITEPLAN_TIANDITU_KEY"
"""Environment variable with the key of Tianditu; without it no base map is fetched."""


def map_options(plan: Plan, root: str | Path | None = None) -> MapOptions:
    """How the review map of a plan is written: what ``[deliver.map]`` asks, and the key of the environment.

    Parameters
    ----------
    plan : Plan
    root : path, optional
        Folder of the study file, which ``deliver.map.base`` is relative to; the working folder when absent.

    Returns
    -------
    MapOptions
        Of the map that is not public.
    """
    asked = MapParams.model_validate((plan.parameters.get("deliver") or {}).get("map") or {})
    return MapOptions(language=asked.language, public_step_m=asked.public_step_m,
                      base=Path(root or ".") / asked.base if asked.base else None,
                      tianditu_key=os.environ.get(KEY_VARIABLE, "").strip())


def write_deliverables(plan: Plan, out: str | Path, progress: Callable[[str], None] | None = None,
                       root: str | Path | None = None) -> dict[str, Path]:
    """Write the tables, layers, rasters, workbook and the review map of a plan into a folder.

    ``progress`` is called with the name of each file when it is ready; ``root`` is the folder of the study file
    (``Study.root``), which the paths of ``[deliver]`` are relative to.

    Returns
    -------
    dict
        File name -> path, see ``docs/outputs.md``.

    Raises
    ------
    ExportError
        A file could not be written or did not read back; nothing in ``out`` was touched.
    """
    options = map_options(plan, root)
    maps = [(REVIEW_MAP, partial(write_review_map, options=options))]
    if MapParams.model_validate((plan.parameters.get("deliver") or {}).get("map") or {}).public:
        maps.append((PUBLIC_MAP, partial(write_review_map, options=replace(options, public=True, base=None))))
    return write_plan(plan, Path(out), extra=maps, progress=progress)
