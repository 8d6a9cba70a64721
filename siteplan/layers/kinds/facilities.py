"""Public facilities: venue class, the rule that gave it and how sure it is, department, owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.kinds.buildings import plain_storeys
from siteplan.venues import OTHER, VenueGuess, classify_venue, department_of, is_department

NAMES = ("facilities",)
ADDED = {"venue_class": "str", "class_rule": "str", "class_confidence": "float64", "department_source": "str"}
_OSM_TAGS = ("amenity", "government", "healthcare", "tourism", "leisure", "railway", "aeroway", "highway",
             "public_transport", "man_made", "power", "office", "shop", "historic", "landuse", "place", "building")
"""Tags in the order in which they say what a thing is."""
_FEW_ROWS = 50
_FEW_NAMES = 8


def prepare(raw: RawTable, columns: Mapping[str, str], log: FileLog) -> RawTable:
    """Storeys as plain numbers; for OpenStreetMap rows ``venue_type`` of all tags: ``amenity=school;building=yes``."""
    raw = plain_storeys(raw, columns, log)
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
    rows = table["source_row"].to_numpy(dtype=object)
    venues = log.venues
    types, names = table["venue_type"].fillna(""), table["name"].fillna("")
    guesses = [classify_venue(kind, name, venues) for kind, name in zip(types, names, strict=True)]
    venue_class = pd.Series([guess.venue_class for guess in guesses], index=table.index, dtype="str")
    rule = pd.Series([guess.rule for guess in guesses], index=table.index, dtype="str")
    confidence = pd.Series([guess.confidence for guess in guesses], index=table.index, dtype="float64")
    _tell_classes(types, names, guesses, rows, log)
    unnamed = table["name"].isna().to_numpy()
    called = venue_class.map({name: f"{entry.zh}（未命名）" for name, entry in venues.classes.items()})
    for text in sorted(set(called[unnamed])):
        log.rows(rows[unnamed & (called == text).to_numpy()], "name", text, "assumed", "没有名称，用类别代替", "补填名称")
    given = table["department"].notna().to_numpy()
    from_class = venue_class.map({name: venues.department_name(name) for name in venues.classes})
    department = table["department"].map(lambda text: department_of(text, venues), na_action="ignore").where(
        given, from_class).astype("str")
    log.rows(rows[~given], "department", "", "assumed", "没有主管部门，按设施类别对应（venues.toml）", "有明确主管部门时补填")
    _tell_owners(table, venue_class, rows, log)
    _tell_departments(table["department"], rows, log)
    source = pd.Series(np.where(given, "given", "class"), index=table.index, dtype="str")
    out = table.assign(name=table["name"].fillna(called), venue_class=venue_class, class_rule=rule,
                       class_confidence=confidence, department=department, department_source=source)
    return out, np.zeros(len(table), dtype=bool)


def _tell_classes(types: pd.Series, names: pd.Series, guesses: list[VenueGuess], rows: NDArray[np.object_],
                  log: FileLog) -> None:
    """Lines on venues of which nothing tells the class, and on those of which something speaks against it."""
    unknown = np.array([guess.venue_class == OTHER for guess in guesses], dtype=bool)
    for kind in sorted(set(types[unknown])):
        mine = unknown & (types == kind).to_numpy()
        log.rows(rows[mine], "venue_type", kind, "assumed", "类型和名称都判断不出设施类别，按“其他”", "核对类型，或在 venues.toml 增加词条")
    doubts = np.array([guess.doubt for guess in guesses], dtype=object)
    words = np.array([f"{kind} / {name}" if kind else name for kind, name in zip(types, names, strict=True)],
                     dtype=object)
    for doubt in sorted(set(doubts) - {""}):
        mine = doubts == doubt
        if mine.sum() <= _FEW_ROWS:
            log.each(rows[mine], "venue_class", words[mine], "note", doubt, "核对类型和名称")
        else:
            log.rows(rows[mine], "venue_class", words[mine][0], "note", doubt, "核对类型和名称")


def _tell_owners(table: pd.DataFrame, classes: pd.Series, rows: NDArray[np.object_], log: FileLog) -> None:
    """Owner and supervising department are two facts: neither is filled from the other, a mix-up is told.

    State organs, police stations and the like may belong to a department; schools and clinics hardly do.
    """
    owner = table["owner"]
    log.rows(rows[owner.isna().to_numpy()], "owner", "", "note", "没有权属单位，开放台账中标为待核实", "补填权属单位")
    authority = {name for name, entry in log.venues.classes.items() if entry.must_be_free}
    mixed = np.array([isinstance(text, str) and is_department(text, log.venues) and kind not in authority
                      for text, kind in zip(owner, classes, strict=True)], dtype=bool)
    log.rows(rows[mixed], "owner", "、".join(sorted(set(owner[mixed]))[:_FEW_NAMES]), "note",
             "权属单位写的像是主管部门，照原样保留，不当作主管部门", "权属单位填产权人，主管部门另填一列")


def _tell_departments(given: pd.Series, rows: NDArray[np.object_], log: FileLog) -> None:
    """One line for each name that is not in the table, or is replaced by the table's; a place before it is neither."""
    departments = {entry.zh for entry in log.venues.departments.values()}
    for text in sorted(set(given.dropna())):
        name, mine = department_of(text, log.venues), rows[(given == text).fillna(False).to_numpy(dtype=bool)]
        if name not in departments:
            log.rows(mine, "department", text, "note", "主管部门不在部门表（venues.toml）中，照原样保留",
                     "核对是否把权属单位写成了主管部门")
        elif not text.strip().endswith(name):
            log.rows(mine, "department", text, "assumed", f"主管部门按部门表（venues.toml）记作“{name}”",
                     "本地部门设置不同的，在 venues.toml 的部门表中修改")
