"""Areas that get a sheet, their indicators and their sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from rasterio.features import geometry_mask
from rasterio.transform import from_bounds

from siteplan.errors import ExportError, Problem
from siteplan.gaps.judging.areas import percent_down
from siteplan.sheets._style import Style
from siteplan.sheets.content import Band, SheetContent, read_window

By = Literal["town", "unit"]
TABLES: Mapping[By, tuple[str, str, str]] = {"town": ("towns", "town_code", "镇街"),
                                             "unit": ("units", "unit_code", "控规单元")}
"""Master layer, column of its code, what it is called."""
LEAST_SHARE = 0.05
"""A village is touched by a unit that holds at least this share of it."""
_KINDS = {"宏站": "macro", "微站": "micro", "室分": "indoor"}
_BUILDS = {"新建": "new", "利旧": "reuse", "共址": "share"}


@dataclass(frozen=True)
class Area:
    """A town or a planning unit with a sheet of its own; ``county`` is empty of units."""

    by: By
    code: str
    name: str
    county: str
    shape: Any


def areas_of(content: SheetContent, by: By, only: Sequence[str] = ()) -> list[Area]:
    """Areas in the order of their code; ``only`` those of these codes or names.

    Raises
    ------
    ExportError
        The plan has no such layer, or ``only`` names something that is not in it.
    """
    layer, key, zh = TABLES[by]
    table = content.table(layer)
    if table.empty:
        raise ExportError("不能出图:", [Problem(layer, "areas.gpkg", "", "", f"成果中没有{zh}图层",
                                            f"在 study.toml 的 [layers] 写入 {layer} 后重新运行")])
    codes = table[key] if key in table else table.index.to_series()
    out = []
    for code, (_, row) in zip(codes, table.iterrows(), strict=True):
        if row.geometry is None or row.geometry.is_empty:
            continue
        name = text_of(row.get("name")) or text_of(row.get("unit_name")) or text_of(code)
        out.append(Area(by, text_of(code), name, text_of(row.get("county")), row.geometry))
    known = {word for area in out for word in (area.code, area.name)}
    if unknown := [word for word in only if word not in known]:
        raise ExportError("不能出图:", [Problem(layer, "areas.gpkg", word, key, f"没有这一{zh}", "核对编号或名称")
                                    for word in unknown])
    return sorted((area for area in out if not only or {area.code, area.name} & set(only)), key=lambda area: area.code)


def text_of(value: Any) -> str:
    """A cell as text; empty when missing."""
    return "" if value is None or value is pd.NA or value != value else str(value).strip()


def numbered_sites(content: SheetContent, style: Style) -> gpd.GeoDataFrame:
    """Proposed and existing sites with the number that all sheets show (``no``), proposed ones first by rank."""
    table = content.table("all_sites")
    if "status" not in table:
        return table.assign(no="", kind_key="", build_key="")
    status = table["status"].astype(str)
    proposed = table[status == "proposed"].sort_values("rank_no", kind="stable")
    existing = table[status == "existing"].sort_index()
    numbers = [f"{style.word('proposed_no')}{rank}" for rank in proposed["rank_no"].astype(int)]
    numbers += [f"{style.word('existing_no')}{number}" for number in range(1, len(existing) + 1)]
    both = pd.concat([proposed, existing])
    return both.assign(no=numbers, kind_key=[_KINDS.get(text_of(kind), text_of(kind)) for kind in both["kind"]],
                       build_key=[_BUILDS.get(text_of(build), text_of(build)) for build in both["build"]])


def sites_in(area: Area, sites: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Sites of an area by its name or code, or by place where the sites do not tell."""
    if area.by == "town" and "town" in sites:
        here = sites["town"].map(text_of) == area.name
        if area.county and "county" in sites:
            here &= sites["county"].map(text_of) == area.county
        return sites[here]
    if area.by == "unit" and "unit_code" in sites:
        return sites[sites["unit_code"].map(text_of) == area.code]
    return sites[sites.geometry.intersects(area.shape)]


def site_rows(sites: gpd.GeoDataFrame, style: Style) -> list[list[str]]:
    """Rows of the table of sites: number, name, kind, height, owner."""
    rows = []
    for key, row in sites.iterrows():
        kind = [style.word(part) if part in (*_KINDS.values(), *_BUILDS.values()) else style.plain(part)
                for part in (row["kind_key"], row["build_key"]) if part]
        height = pd.to_numeric(row.get("antenna_height_m"), errors="coerce")
        rows.append([row["no"], style.plain(text_of(row.get("name")) or key), "·".join(kind),
                     "" if pd.isna(height) else f"{float(height):.0f}", style.plain(text_of(row.get("owner")))])
    return rows


def area_gaps(content: SheetContent, area: Area, layer: str = "gaps") -> tuple[int, float]:
    """Gap areas (after the plan, or ``gaps_before``) in an area: how many, and how much of them lies in it, m2."""
    gaps = content.table(layer)
    if gaps.empty:
        return 0, 0.0
    near = gaps.geometry[gaps.geometry.intersects(area.shape)]
    inside = shapely.area(shapely.intersection(shapely.make_valid(near.to_numpy()), area.shape))
    return int((inside > 1.0).sum()), float(inside.sum())


def villages_in(content: SheetContent, area: Area) -> gpd.GeoDataFrame:
    """Villages of a town, or those that a unit holds a part of."""
    return _of_area(content.table("villages"), area)


def zones_in(content: SheetContent, area: Area) -> gpd.GeoDataFrame:
    """Key zones of a town, or those that a unit holds a part of."""
    return _of_area(content.table("zones"), area)


def _of_area(table: gpd.GeoDataFrame, area: Area) -> gpd.GeoDataFrame:
    if table.empty:
        return table
    if area.by == "town" and "town" in table:
        here = table["town"].map(text_of) == area.name
        if area.county and "county" in table:
            here &= table["county"].map(text_of) == area.county
        return table[here]
    shapes = table.geometry.to_numpy()
    near = np.flatnonzero(shapely.intersects(shapes, area.shape))
    shared = shapely.area(shapely.intersection(shapely.make_valid(shapes[near]), area.shape))
    return table.iloc[near[shared >= LEAST_SHARE * np.minimum(shapely.area(shapes[near]), area.shape.area)]]


def verdict_text(table: gpd.GeoDataFrame, state: str, style: Style) -> str:
    """``passed/all``, and how many cannot be told; a dash without areas."""
    verdict = table.get(f"verdict_{state}")
    if verdict is None or not len(verdict):
        return "—"
    unknown = int((verdict == "not_assessable").sum())
    told = f" ({style.word('not_assessable')} {unknown})" if unknown else ""
    return f"{int((verdict == 'pass').sum())}/{len(verdict)}{told}"


def area_shares(content: SheetContent, area: Area) -> dict[str, float]:
    """Covered shares and people of an area: ``area_before, area_after, demand_before, demand_after, demand``.

    Those of ``results.towns`` where the plan has them, so that all deliverables agree; else the mean probability of
    the pixels whose centre lies in the area, of people where their raster is there. NaN = not known.
    """
    out = _told_shares(content, area)
    return out if out is not None else _measured_shares(content, area)


def _told_shares(content: SheetContent, area: Area) -> dict[str, float] | None:
    wanted = {f"{area.county}/{area.name}", area.name} if area.by == "town" else set()
    for row in content.facts.get("results", {}).get("towns", []):
        if row.get("area") in wanted and row.get("area_share_after") is not None:
            shares = {f"area_{state}": row.get(f"area_share_{state}") for state in ("before", "after")}
            shares |= {f"demand_{state}": row.get(f"population_share_{state}") for state in ("before", "after")}
            shares["demand"] = row.get("people_after")
            return {key: float("nan") if value is None else float(value) for key, value in shares.items()}
    return None


def _measured_shares(content: SheetContent, area: Area) -> dict[str, float]:
    out = dict.fromkeys(("area_before", "area_after", "demand_before", "demand_after", "demand"), float("nan"))
    people = None if content.demand is None else _pixels(content, content.demand, area)
    for state in ("before", "after"):
        chance = _pixels(content, content.coverage[state, "probability"], area)
        if chance is None or np.isnan(chance).all():
            continue
        known = ~np.isnan(chance)
        out[f"area_{state}"] = float(chance[known].mean(dtype=np.float64))
        if people is not None:
            weight = np.where(known, np.nan_to_num(people), 0.0).astype(np.float64)
            out["demand"] = float(np.nan_to_num(people).sum(dtype=np.float64))
            if weight.sum() > 0.0:
                out[f"demand_{state}"] = float((weight * np.nan_to_num(chance)).sum() / weight.sum())
    return out


def _pixels(content: SheetContent, band: Band, area: Area) -> np.ndarray | None:
    """Values of the pixels whose centre lies in an area."""
    got = read_window(content, band, area.shape.bounds)
    if got is None:
        return None
    values, bounds = got
    rows, cols = values.shape
    return values[geometry_mask([area.shape], (rows, cols), from_bounds(*bounds, cols, rows), invert=True)]


def percent(share: float) -> str:
    """A share in percent, rounded down; a dash when not known.

    >>> percent(0.95349), percent(float("nan"))
    ('95.3%', '—')
    """
    return "—" if share != share else f"{percent_down(share):.1f}%"


def indicator_rows(content: SheetContent, area: Area, sites: gpd.GeoDataFrame, style: Style) -> list[list[str]]:
    """Rows of the table of indicators of an area: what, before, after; two cells where one value is all there is."""
    villages, zones = villages_in(content, area), zones_in(content, area)
    touched = "villages_passed" if area.by == "town" else "villages_touched"
    rows = [[style.word(key), *(verdict_text(table, state, style) for state in ("before", "after"))]
            for key, table in ((touched, villages), ("zones_passed", zones)) if len(table)]
    shares = area_shares(content, area)
    demand = demand_name(content, style)
    rows.append([style.word("area_share"), percent(shares["area_before"]), percent(shares["area_after"])])
    if shares["demand"] == shares["demand"]:
        rows.append([style.word("demand_share", demand=demand), percent(shares["demand_before"]),
                     percent(shares["demand_after"])])
        rows.append([demand, f"{shares['demand']:,.0f}"])
    rows.append([style.word("gaps"), *(_gaps_of(content, area, layer, style) for layer in ("gaps_before", "gaps"))])
    return [*rows, *site_count_rows(sites, style)]


def _gaps_of(content: SheetContent, area: Area, layer: str, style: Style) -> str:
    """How many gap areas and their size; a dash where the plan does not tell."""
    if layer not in content.layers.layers:
        return "—"
    count, area_m2 = area_gaps(content, area, layer)
    return f"{count} {style.word('places')} {area_m2 / 1e4:,.1f} {style.word('unit_ha')}"


def site_count_rows(sites: gpd.GeoDataFrame, style: Style) -> list[list[str]]:
    """Rows of how many sites stand and are proposed, new ones apart from those on what stands, and by tier."""
    status = sites["status"].astype(str) if "status" in sites else pd.Series(dtype=str)
    existing, proposed = int((status == "existing").sum()), int((status == "proposed").sum())
    reused = int(((status == "proposed") & sites["build_key"].isin(["reuse", "share"])).sum()) if proposed else 0
    rows = [[style.word("existing_count"), f"{existing}"], [style.word("new_count"), f"{proposed - reused}"],
            [style.word("reused_count"), f"{reused}"]]
    if proposed and "tier_name" in sites:
        chosen = sites[status == "proposed"]
        for _, group in chosen.groupby("tier", sort=True):
            tier = style.plain(text_of(group["tier_name"].iloc[0]))
            rows.append([style.word("tier", tier=tier), f"{len(group)}"])
    return rows


def demand_name(content: SheetContent, style: Style) -> str:
    """What demand is: people, unless the study says otherwise."""
    study = content.facts.get("study", {})
    if style.language == "en":
        return str(study.get("demand_kind", "people"))
    return style.plain(str(study.get("demand_zh", "人口")).partition("(")[0])
