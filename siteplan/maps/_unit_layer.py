"""Control-plan units (控规单元) of the page: outline, name, and what the plan puts into each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import geopandas as gpd

from siteplan.candidates.table import on_existing_sites
from siteplan.gaps.judging.shares import area_pixels
from siteplan.maps._shapes import Json, shape_items
from siteplan.maps._texts import as_change, as_share, as_text
from siteplan.maps._words import CHINESE, Say

if TYPE_CHECKING:
    from siteplan.plan import Plan

FIELDS = ("现有站址", "规划站址", "其中新增站址", "其中现状站址利旧", "面积覆盖率", "单元编号")


def unit_layer(plan: Plan, tolerance_m: float, say: Say = CHINESE) -> Json:
    """Planning units: sites by the unit that the plan put them into, share of the area covered before and after.

    Parameters
    ----------
    plan : Plan
        Of its context ``units``, of its sites ``unit_code, status, build``.
    tolerance_m : float
        How far a simplified outline may lie from the true one, m.
    say : Say

    Returns
    -------
    dict
        ``fields, items``; an item has ``title`` (code and name), ``code, values, shape, at``. The share is that of the
        planning-unit sheets: mean predicted probability of any 5G network over the known pixels. Empty where the study
        has no units.

    Examples
    --------
    >>> unit_layer(plan, 10.0)["items"][0]["title"]  # doctest: +SKIP
    'XX-01 溪西第1单元'
    """
    units = plan.context.get("units")
    if units is None or not len(units):
        return {}
    counts = count_by_unit(plan.sites)
    pixels = area_pixels(plan.after.geobox, units)
    before, after = (dict(zip(units.index.astype("str"), pixels.mean(state.any_5g().probability), strict=True))
                     for state in (plan.before, plan.after))

    def item(row: Mapping[str, Any], key: str) -> Json:
        name = as_text(row.get("name"))
        existing, new, reused = counts.get(key, (0, 0, 0))
        return {"title": f"{key} {name}" if name and name != key else key, "code": key,
                "values": [*(say("{number} 处", number=number) for number in (existing, new + reused, new, reused)),
                           as_change(as_share(before[key], say), as_share(after[key], say)), key]}

    return {"fields": say.words(*FIELDS), "items": shape_items(units, tolerance_m, item, labelled=True)}


def count_by_unit(sites: gpd.GeoDataFrame) -> dict[str, tuple[int, int, int]]:
    """Existing sites, proposed ones at a place of their own and ones on an existing mast, by the code of their unit.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"unit_code": ["A", "A", None, "B"], "build": ["new", "share", "new", "new"],
    ...                       "source": ["pole", "sharing", "pole", "station"],
    ...                       "status": ["proposed", "proposed", "proposed", "existing"]})
    >>> count_by_unit(table)
    {'A': (0, 1, 1), 'B': (1, 0, 0)}
    """
    if "unit_code" not in sites:
        return {}
    out: dict[str, tuple[int, int, int]] = {}
    codes, states = (sites[name].map(as_text) for name in ("unit_code", "status"))
    for code, status, again in zip(codes, states, on_existing_sites(sites), strict=True):
        if code and status in ("existing", "proposed"):
            old, new, reused = out.get(code, (0, 0, 0))
            out[code] = (old + 1, new, reused) if status == "existing" else (
                old, new + (not again), reused + bool(again))
    return out
