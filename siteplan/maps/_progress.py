"""The map of progress: sites of a register by state, as one page that opens without a network."""

from __future__ import annotations

import html as html_text
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from siteplan.errors import ExportError, Problem
from siteplan.maps._facts import licences
from siteplan.maps._offline import inline_page
from siteplan.maps._pack import pack_points
from siteplan.maps._page import _CONTENT_POLICY
from siteplan.maps._progress_looks import STATE_LOOKS
from siteplan.maps._shapes import Json, located, plain_shapes
from siteplan.maps._texts import as_json

_SHARED = ("10_base.js", "20_point_source.js", "25_points.js")
"""Scripts of the review map that this page carries as well."""
_STYLES: Mapping[str, Json] = {
    "boundary": {"color": "#16202c", "weight": 2.4, "fill": False},
    "counties": {"color": "#34404d", "weight": 1.6, "dashArray": "8 3 2 3", "fill": False},
    "towns": {"color": "#7b8793", "weight": 1.0, "dashArray": "3 3", "fill": False}}
_MAP = ("var map_siteplan = L.map('map_siteplan', {center: [30, 110], zoom: 4, zoomControl: false, "
        "attributionControl: false, maxZoom: 19, zoomSnap: 0.25, zoomDelta: 0.5, fadeAnimation: false});\n")
_TOLERANCE_M = 15.0
_MARGIN = 0.02
_EMPTY_BOUNDS = ((18.0, 73.5), (53.5, 135.0))
"""South-west and north-east corner that is shown where nothing has a place."""


@dataclass(frozen=True)
class ProgressMap:
    """What a map of progress shows.

    Attributes
    ----------
    name, sub, day : str
        Title, what stands beside it, the cut-off.
    sites : GeoDataFrame
        Index = id; ``name``, ``state`` (code) and a geometry; the columns of ``fields``. In a projected CRS.
    fields : mapping of str to str
        Column of texts -> what it is called in the card of a site. ``县区``, ``镇街`` and ``计划年度`` are filtered by.
    areas : mapping of str to GeoDataFrame
        ``boundary, counties, towns`` with a column ``name``.
    numbers : sequence of (str, str)
        Label and number of the list beside the map.
    title : sequence of (str, str)
        Label and text of the title block.
    statements : sequence of str
        Under the map.
    """

    name: str
    sub: str
    day: str
    sites: gpd.GeoDataFrame
    fields: Mapping[str, str]
    areas: Mapping[str, gpd.GeoDataFrame] = field(default_factory=dict)
    numbers: Sequence[tuple[str, str]] = ()
    title: Sequence[tuple[str, str]] = ()
    statements: Sequence[str] = ()


def render_progress_map(content: ProgressMap) -> str:
    """The page. Text of the data is kept as data and shown as text, never as markup; it asks for no address.

    Parameters
    ----------
    content : ProgressMap

    Returns
    -------
    str
        Equal contents give equal pages.

    Raises
    ------
    ExportError
        An asset package is not installed.
    """
    here = files("siteplan.maps").joinpath("assets")
    own = here.joinpath("progress")
    script = "".join(here.joinpath(name).read_text(encoding="utf-8") for name in _SHARED)
    script += own.joinpath("90_progress.js").read_text(encoding="utf-8")
    title = html_text.escape(f"{content.name} · {content.sub}", quote=True)
    libraries = inline_page('<link rel="stylesheet" href="leaflet.css"><script src="leaflet.js"></script>')
    page = {**_page_data(content), "licences": [line for line in licences(script) if line[0] == "Leaflet"]}
    return "".join((
        '<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8">',
        f'<title>{title}</title><meta http-equiv="Content-Security-Policy" content="{_CONTENT_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">', libraries,
        f"<style>{own.joinpath('page.css').read_text(encoding='utf-8')}</style></head><body>",
        own.joinpath("page.html").read_text(encoding="utf-8"),
        f'<script type="application/json" id="siteplan-data">{as_json(page)}</script>',
        "<script>", _MAP, script, "</script></body></html>\n"))


def write_progress_map(content: ProgressMap, path: Path) -> Path:
    """Write :func:`render_progress_map` to a file; its folder is there.

    Raises
    ------
    ExportError
        The page cannot be made or written.
    """
    text = render_progress_map(content)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExportError("进展图不能写出:", [Problem("map", str(path), "", "", error.strerror or str(error), "检查磁盘空间和写入权限")]
                          ) from error
    return path


def _page_data(content: ProgressMap) -> Json:
    kept, lats, lons = located(content.sites)
    order = {look.state: number for number, look in enumerate(STATE_LOOKS)}
    known = kept["state"].isin(list(order)).to_numpy(bool)
    kept, lats, lons = kept[known], list(np.array(lats)[known]), list(np.array(lons)[known])
    columns = {label: _texts(kept, column) for column, label in content.fields.items()}
    numbers = content.sites["state"].value_counts()
    sites = pack_points((lats, lons), [order[state] for state in kept["state"]], _texts(kept, "name"),
                        {**columns, "编号": [str(key) for key in kept.index]})
    lacking = len(content.sites) - len(kept)
    return {
        "name": content.name, "sub": content.sub, "day": content.day, "words": {"colon": ":"}, "public": False,
        "states": [{"state": look.state, "zh": look.zh, "colour": look.colour, "mark": look.mark, "rank": look.rank,
                    "number": int(numbers.get(look.state, 0))} for look in STATE_LOOKS],
        "layers": {"sites": sites}, "areas": _areas(content), "bounds": _bounds(content, lats, lons),
        "numbers": [list(row) for row in content.numbers], "title": [list(row) for row in content.title],
        "statements": [*content.statements, *([f"没有位置的站址{lacking}处,图上未绘"] if lacking else [])]}


def _texts(table: gpd.GeoDataFrame, column: str) -> list[str]:
    return ["" if value is None or value != value else str(value) for value in table[column].astype("object")]


def _areas(content: ProgressMap) -> list[Json]:
    """Outlines, the widest last, and names of counties (of towns as well, in small letters)."""
    out: list[Json] = []
    for kind in ("towns", "counties", "boundary"):
        table = content.areas.get(kind)
        if table is None or not len(table):
            continue
        for shape in plain_shapes(table, _TOLERANCE_M):
            out.append({"kind": kind, "shape": shape, "style": _STYLES[kind]})
        if kind == "boundary" or "name" not in table:
            continue
        there = table[~(table.geometry.is_empty | table.geometry.isna())]
        inside = gpd.GeoSeries(shapely.point_on_surface(there.geometry.to_numpy()), crs=there.crs).to_crs("EPSG:4326")
        small = "small" if kind == "towns" else ""
        for name, point in zip(_texts(there, "name"), inside, strict=True):
            out.append({"kind": small, "title": name, "at": [round(point.y, 5), round(point.x, 5)],
                        "shape": {"type": "FeatureCollection", "features": []}, "style": {}})
    return out


def _bounds(content: ProgressMap, lats: Sequence[float], lons: Sequence[float],
            ) -> tuple[tuple[float, float], tuple[float, float]]:
    """South-west and north-east corner of the outlines, else of the sites."""
    for kind in ("boundary", "counties", "towns"):
        table = content.areas.get(kind)
        if table is not None and len(table):
            west, south, east, north = (float(value) for value in table.geometry.to_crs("EPSG:4326").total_bounds)
            return (round(south, 5), round(west, 5)), (round(north, 5), round(east, 5))
    if not lats:
        return _EMPTY_BOUNDS
    pad = max(_MARGIN * max(max(lats) - min(lats), max(lons) - min(lons)), 0.002)
    south, west, north, east = min(lats) - pad, min(lons) - pad, max(lats) + pad, max(lons) + pad
    return (round(south, 5), round(west, 5)), (round(north, 5), round(east, 5))
