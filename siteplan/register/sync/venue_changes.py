"""Venues of a plan beside those of the register."""

from __future__ import annotations

import unicodedata
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import shapely

from siteplan.register.dictionary import register_tables
from siteplan.register.sync.cells import shown, zh_of
from siteplan.register.sync.matching import strange_pairs, xy_of
from siteplan.register.sync.office import OfficeValues
from siteplan.register.sync.record import TypedTable, place_setting

FACTS = ("name", "venue_class", "owner", "department", "county", "town", "address", "must_open", "must_be_free",
         "geometry")
"""What a plan says of a venue; a value that the office wrote itself stands."""
FILLED = ("opened", "agreed_on")
"""What a plan only fills in: once known, it is the office's."""


class VenueChanges(NamedTuple):
    """What the venues of a plan change.

    Attributes
    ----------
    rows : dict of str to str
        Study id of a venue -> its id in the register; without those to be added.
    added : list of dict
        New rows, with ``study_id``.
    edits : dict of str to dict
    held : list of tuple
        Rows of ``SyncResult.held``.
    freed : frozenset of str
        Rows whose study id is another venue's in the plan: it is emptied before that venue gets it.
    """

    rows: dict[str, str]
    added: list[dict[str, Any]]
    edits: dict[str, dict[str, Any]]
    held: list[tuple[str, ...]]
    freed: frozenset[str] = frozenset()


def venue_changes(plan: TypedTable, held: TypedTable, office: OfficeValues) -> VenueChanges:
    """Compare the venues of a plan with those of the register.

    They are matched by study id, unless name and place say that it was given to another venue, else by name within
    ``same_place_m``. Those that the plan does not have stay; they are
    no longer chosen. A plan without any venues says nothing of them.
    """
    spec = register_tables()["venues"]
    cells = {**held.cells, "geometry": list(held.shapes)}
    row_of = _matches(plan, held, cells)
    listed = dict.fromkeys(plan.ids)
    out = VenueChanges({}, [], {}, [], frozenset(
        row_id for number, (row_id, text) in enumerate(zip(held.ids, cells["study_id"], strict=True))
        if text in listed and row_of.get(text) != number))
    for number, study_id in enumerate(plan.ids):
        own = {name: column[number] for name, column in plan.cells.items()} | {"geometry": plan.shapes[number]}
        at = row_of.get(study_id)
        if at is None:
            out.added.append({**own, "study_id": study_id})
            continue
        row_id = held.ids[at]
        out.rows[study_id] = row_id
        now = {name: column[at] for name, column in cells.items()}
        edit: dict[str, Any] = {}
        for name in FACTS:
            if own[name] is None or _same(now[name], own[name]):
                continue
            if office.keeps(row_id, name, now[name], own[name]):
                values = shown(spec, name, now[name]), shown(spec, name, own[name])
                out.held.append(("venues", row_id, now["name"] or "", name, zh_of(spec, name), *values,
                                 "办公室登记的取值"))
            else:
                edit[name] = own[name]
        edit |= {name: own[name] for name in FILLED
                 if now[name] is None and own[name] is not None and not office.keeps(row_id, name, None, own[name])}
        edit |= {name: value for name, value in (("study_id", study_id), ("is_chosen", bool(own["is_chosen"])))
                 if now[name] != value}
        if edit:
            out.edits[row_id] = edit
    matched = set(out.rows.values())
    for row_id, chosen in zip(held.ids, cells["is_chosen"], strict=True):
        if chosen and plan.ids and row_id not in matched:
            out.edits[row_id] = {"is_chosen": False}
    return out


def _same(now: Any, then: Any) -> bool:
    if isinstance(then, shapely.Geometry) and isinstance(now, shapely.Geometry):
        return bool(shapely.distance(now, then) <= place_setting("moved_m"))
    return bool(now == then)


def _matches(plan: TypedTable, held: TypedTable, cells: dict[str, list[Any]]) -> dict[str, int]:
    """Study id -> number of the row of the register."""
    out = _by_id(plan, held, cells)
    used = set(out.values())
    mine = [number for number, study_id in enumerate(plan.ids) if study_id not in out]
    free = [number for number in range(len(held.ids)) if number not in used]
    if not mine or not free:
        return out
    here = pd.DataFrame({"name": [_plain(plan.cells["name"][number]) for number in mine], "number": mine})
    there = pd.DataFrame({"name": [_plain(cells["name"][number]) for number in free], "row": free})
    pairs = here[here["name"] != ""].merge(there, on="name")
    one = xy_of(plan.shapes)[pairs["number"].to_numpy(int)]
    other = xy_of(held.shapes)[pairs["row"].to_numpy(int)]
    pairs = pairs.assign(away=np.hypot(*(one - other).T) if len(pairs) else [])
    near = pairs[pairs["away"] <= place_setting("same_place_m")].sort_values(["away", "number", "row"], kind="stable")
    taken: set[int] = set()
    for number, row in zip(near["number"], near["row"], strict=True):
        study_id = plan.ids[number]
        if study_id not in out and row not in taken:
            out[study_id] = int(row)
            taken.add(row)
    return out


def _by_id(plan: TypedTable, held: TypedTable, cells: dict[str, list[Any]]) -> dict[str, int]:
    """Study id -> number of the row that has it and is not strange to it."""
    rows = {text: number for number, text in enumerate(cells["study_id"]) if text is not None}
    pairs = [(number, rows[study_id]) for number, study_id in enumerate(plan.ids) if study_id in rows]
    mine, theirs = (np.array(numbers, dtype=int) for numbers in (zip(*pairs, strict=True) if pairs else ((), ())))
    ours, known = (np.array([_plain(name) for name in column["name"]], dtype=object) for column in (plan.cells, cells))
    strange = strange_pairs(mine, theirs, (xy_of(plan.shapes), xy_of(held.shapes)), ours, known)
    return {plan.ids[number]: row for (number, row), bad in zip(pairs, strange, strict=True) if not bad}


def _plain(name: Any) -> str:
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold() if isinstance(name, str) else ""
