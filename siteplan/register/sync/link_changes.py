"""Fibre links of a plan beside those of the register."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import shapely

from siteplan.register.sync.record import TypedTable, place_setting


class LinkChanges(NamedTuple):
    """What the links of a plan change.

    Attributes
    ----------
    added : dict of str to LineString
        Study id of a site -> its new link.
    ended : list of str
        Ids of links that are no longer current.
    """

    added: dict[str, Any]
    ended: list[str]


def link_changes(plan: Mapping[str, Any], held: TypedTable, rows: Mapping[str, str], dropped: Collection[str],
                 moved: Collection[str]) -> LinkChanges:
    """Compare links.

    A link gives way to one of another course, and ends with a site that was dropped. A plan that knows no link of a
    site ends it only where the site has moved, or where the plan knows links of others: without a layer of fibre it
    says nothing of them.

    Parameters
    ----------
    plan : mapping of str to LineString
        By study id of the site.
    held : TypedTable
        Table ``links`` of the register.
    rows : mapping of str to str
        Study id -> register id of the sites that were there already.
    dropped, moved : collection of str
        Register ids.
    """
    link_of: dict[str, tuple[str, Any]] = {
        site: (key, shape) for key, site, current, shape in
        zip(held.ids, held.cells["site_id"], held.cells["is_current"], held.shapes, strict=True) if current}
    added, ended, study_of = {}, [], {row: study for study, row in rows.items()}
    for site, (key, shape) in link_of.items():
        new = plan.get(study_of.get(site, ""))
        if site in dropped or (site in study_of and new is None and (bool(plan) or site in moved)):
            ended.append(key)
        elif new is not None and not _same(shape, new):
            ended.append(key)
            added[study_of[site]] = new
    added |= {study_id: shape for study_id, shape in plan.items() if rows.get(study_id, "") not in link_of}
    return LinkChanges({key: added[key] for key in plan if key in added}, sorted(ended))


def _same(one: Any, other: Any) -> bool:
    """Whether two lines run alike, within ``moved_m``."""
    return one is not None and bool(shapely.hausdorff_distance(one, other) <= place_setting("moved_m"))
