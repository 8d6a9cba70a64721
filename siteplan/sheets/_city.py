"""Indicators of the whole plan, for the overview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from siteplan.sheets._areas import demand_name, percent, site_count_rows
from siteplan.sheets._sheet import Sheet


def city_rows(sheet: Sheet) -> list[list[str]]:
    """Indicators of the whole plan."""
    both = [sheet.content.facts.get("indicators", {}).get(state, {}) for state in ("before", "after")]
    rows: list[list[str]] = []
    for key, name in (("villages", "villages_passed"), ("zones", "zones_passed")):
        if any(state.get(key) for state in both):
            rows.append([sheet.word(name), *(_passed(sheet, state.get(key)) for state in both)])
    demand = demand_name(sheet.content, sheet.style)
    for key, name in (("area_share", sheet.word("area_share")),
                      ("demand_share", sheet.word("demand_share", demand=demand))):
        shares = [float("nan") if state.get(key) is None else float(state[key]) for state in both]
        if not all(np.isnan(shares)):
            rows.append([name, *(percent(share) for share in shares)])
    rows.append([sheet.word("gaps"), *(_gaps_text(sheet, state) for state in both)])
    return [*rows, *site_count_rows(sheet.sites, sheet.style)]


def _gaps_text(sheet: Sheet, state: Mapping[str, Any]) -> str:
    """How many gap areas, and their size."""
    if state.get("gap_count") is None:
        return "—"
    hectares = float(state.get("gap_area_m2") or 0.0) / 1e4
    return f"{state['gap_count']} {sheet.word('places')} {hectares:,.0f} {sheet.word('unit_ha')}"


def _passed(sheet: Sheet, counts: Mapping[str, Any] | None) -> str:
    if not counts:
        return "—"
    unknown = counts.get("not_assessable", 0)
    told = f" ({sheet.word('not_assessable')} {unknown})" if unknown else ""
    return f"{counts.get('passed', 0)}/{counts.get('total', 0)}{told}"
