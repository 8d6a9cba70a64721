"""Public facilities: venue class, the rule that gave it, department."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.venues import OTHER, classify_venue, department_of, load_venues

NAMES = ("facilities",)
ADDED = {"venue_class": "str", "class_rule": "str", "department_source": "str"}
_OSM_TAGS = ("amenity", "government", "healthcare", "tourism", "leisure", "railway", "aeroway", "highway",
             "public_transport", "man_made", "power", "office", "shop", "historic", "landuse", "place", "building")
"""Tags in the order in which they say what a thing is."""


def prepare(raw: RawTable, log: FileLog) -> RawTable:
    """For OpenStreetMap rows, ``venue_type`` of all telling tags: ``amenity=school;building=yes``."""
    del log
    frame = raw.frame
    present = [tag for tag in _OSM_TAGS if tag in frame]
    if "osm_id" not in frame or "venue_type" in frame or not present:
        return raw
    texts = [";".join(f"{tag}={value}" for tag, value in zip(present, values, strict=True) if isinstance(value, str))
             for values in frame[present].itertuples(index=False, name=None)]
    kept = frame.drop(columns=["amenity", "type"], errors="ignore")
    typed = pd.Series(texts, index=frame.index, dtype="str").replace("", None)
    return replace(raw, frame=kept.assign(venue_type=typed))


def complete(table: pd.DataFrame, shapes: NDArray[np.object_], log: FileLog) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Class every venue, name the unnamed after their class, fill the department from the class."""
    del shapes
    rows = table["source_row"].to_numpy()
    venues = load_venues()
    types, names = table["venue_type"].fillna(""), table["name"].fillna("")
    classed = [classify_venue(kind, name) for kind, name in zip(types, names, strict=True)]
    venue_class = pd.Series([found for found, _ in classed], index=table.index, dtype="str")
    rule = pd.Series([found for _, found in classed], index=table.index, dtype="str")
    unknown = (venue_class == OTHER).to_numpy()
    for kind in sorted(set(types[unknown])):
        mine = unknown & (types == kind).to_numpy()
        log.rows(rows[mine], "venue_type", kind, "assumed", "类型和名称都判断不出设施类别，按“其他”", "核对类型，或在 venues.toml 增加词条")
    unnamed = table["name"].isna().to_numpy()
    called = venue_class.map({name: f"{entry.zh}（未命名）" for name, entry in venues.classes.items()})
    for text in sorted(set(called[unnamed])):
        log.rows(rows[unnamed & (called == text).to_numpy()], "name", text, "assumed", "没有名称，用类别代替", "补填名称")
    given = table["department"].notna().to_numpy()
    from_class = venue_class.map({name: venues.department_name(name) for name in venues.classes})
    department = table["department"].map(department_of, na_action="ignore").where(given, from_class).astype("str")
    log.rows(rows[~given], "department", "", "assumed", "没有主管部门，按设施类别对应（venues.toml）", "有明确主管部门时补填")
    ownerless = table["owner"].isna().to_numpy()
    log.rows(rows[ownerless], "owner", "", "note", "没有权属单位，开放台账中标为待核实", "补填权属单位")
    source = pd.Series(np.where(given, "given", "class"), index=table.index, dtype="str")
    return table.assign(name=table["name"].fillna(called), venue_class=venue_class, class_rule=rule,
                        department=department, department_source=source), np.zeros(len(table), dtype=bool)
