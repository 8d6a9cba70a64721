"""The review page: a folium map made self-contained, with the plan's data, style and script put in."""

from __future__ import annotations

import html as html_text
import os
import re
import tempfile
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siteplan.errors import ExportError, Problem
from siteplan.maps._layers import Json, collect_layers
from siteplan.maps._offline import inline_page
from siteplan.maps._panel import (
    count_sites,
    describe_bound,
    describe_kinds,
    list_badges,
    list_indicators,
    list_statements,
)
from siteplan.maps._raster import draw_classes, shade_ground
from siteplan.maps._texts import as_json, as_text
from siteplan.secrecy import hide_secret_units

if TYPE_CHECKING:
    from siteplan.plan import Plan

UNUSED_FILES = frozenset({"jquery-3.7.1.min.js", "all.min.css"})
"""Files that folium always names and this page does not use."""

SIGNAL_COLOURS = ("#8c4a12", "#d9924a", "#b9d9ec", "#6aaed6", "#2878b8", "#0a3f7a")
"""No signal or far below the threshold, just below; then above it, ten dB a class: brown is lacking, blue covered."""
GAINED_COLOUR = "#f5c400"
_CONTENT_POLICY = ("default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
                   "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'")
_MAP_ID = "siteplan"


def render_review_map(plan: Plan) -> str:
    """One HTML page for the review meeting; it opens without a network and asks for nothing.

    Parameters
    ----------
    plan : Plan
        Finished plan; its tables and rasters are not changed.

    Returns
    -------
    str
        The page. Text of the data is kept as data and shown as text, never as markup; secret units are left out. The
        same plan gives the same page.

    Raises
    ------
    ExportError
        When an asset package is not installed, or the map would ask the network for a file.

    Examples
    --------
    >>> page = render_review_map(plan)  # doctest: +SKIP
    >>> page.startswith("<!DOCTYPE html>")  # doctest: +SKIP
    True
    """
    plan = hide_secret_units(plan)
    skeleton = inline_page(_draw_skeleton(), unused=UNUSED_FILES)
    title = html_text.escape(f"{as_text(plan.study.get('name'))} · 站址规划评审图", quote=True)
    here = files("siteplan.maps")
    style, script, body = (here.joinpath(name).read_text(encoding="utf-8")
                           for name in ("page.css", "page.js", "page.html"))
    head = (f'<meta charset="utf-8"><title>{title}</title>'
            f'<meta http-equiv="Content-Security-Policy" content="{_CONTENT_POLICY}">')
    before_head, rest = skeleton.split("<head>", 1)
    in_head, rest = rest.split("</head>", 1)
    in_body, map_script = rest.rsplit("<script>", 1)
    data = f'<script type="application/json" id="siteplan-data">{as_json(collect_page(plan))}</script>'
    map_script = map_script.replace("</html>", "").rstrip()
    map_script = re.sub(r"</script>\s*$", "", map_script)
    return "".join((
        before_head.replace("<html>", '<html lang="zh-CN">').strip(), "<head>", head, in_head,
        f"<style>{style}</style></head>", re.sub(r"</body>\s*$", "", in_body), body, data,
        "<script>", map_script, script, "</script></body></html>\n",
    ))


def write_review_map(plan: Plan, path: str | os.PathLike[str]) -> Path:
    """Write :func:`render_review_map` to a file: under a temporary name first, checked, then moved.

    Parameters
    ----------
    plan : Plan
    path : str or path-like
        File to write, ``.html``; one that exists is replaced only when the new one is whole.

    Returns
    -------
    Path

    Raises
    ------
    ExportError
        When the page cannot be made or the file cannot be written or read back.

    Examples
    --------
    >>> write_review_map(plan, "out/map.html")  # doctest: +SKIP
    """
    target = Path(path)
    content = render_review_map(plan).encode("utf-8")
    temporary = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if Path(temporary).read_bytes() != content:
            raise OSError("the file does not read back as it was written")
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise ExportError("the review map could not be written", [
            Problem("map", str(target), "", "", str(error), "检查磁盘空间和写入权限,关闭正在打开该文件的程序后重试"),
        ]) from error
    return target


def collect_page(plan: Plan) -> Json:
    """Everything the page's script draws, as plain values.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    dict
        Title, statements, indicators, pictures (``data:`` addresses) and the vector layers.
    """
    return {
        "name": as_text(plan.study.get("name")), "badges": list_badges(plan.study),
        "statements": list_statements(plan), "indicators": list_indicators(plan), "site_counts": count_sites(plan),
        "kinds": describe_kinds(plan), "bound": describe_bound(plan), "signal": signal_legend(plan.after.threshold_dbm),
        "datum": datum_name(plan), "gained_colour": GAINED_COLOUR, "pictures": draw_pictures(plan),
        "bounds": _bounds(plan),
        "layers": collect_layers(plan),
    }


def datum_name(plan: Plan) -> str:
    """What the degrees under the pointer refer to: CGCS2000 where the study's CRS does, else WGS 84.

    The page's degrees are those of EPSG:4326; from a CRS of CGCS2000 no shift is applied on the way.
    """
    crs = plan.surface.geobox.crs
    base = crs.proj.geodetic_crs if crs is not None else None
    name = base.datum.name if base is not None and base.datum is not None else ""
    return "CGCS2000" if name.replace("_", " ").startswith("China 2000") else "WGS 84"


def signal_legend(threshold_dbm: float) -> list[Json]:
    """Colour and meaning of each signal class, strongest first."""
    edges = _edges(threshold_dbm)
    texts = [f"< {edges[0]:g} 或无信号(未覆盖)", *(f"{low:g} ~ {high:g}" for low, high in pairwise(edges)), f"≥ {edges[-1]:g}"]
    texts[1] += "(弱,未覆盖)"
    return [{"colour": colour, "text": text} for colour, text in zip(SIGNAL_COLOURS, texts, strict=True)][::-1]


def draw_pictures(plan: Plan) -> Json:
    """Signal classes before and after, land newly covered, and the relief, as pictures with their corners."""
    geobox = plan.after.geobox
    before, after = (_signal_classes(best.rsrp_dbm, best.probability, plan.after.threshold_dbm)
                     for best in (plan.before.any_5g(), plan.after.any_5g()))
    gained = ((after > 2) & (before > 0) & (before <= 2)).astype(np.uint8)
    palette = [(*_rgb(colour), 255) for colour in SIGNAL_COLOURS]
    out = {"before": draw_classes(before, geobox, palette), "after": draw_classes(after, geobox, palette),
           "gained": draw_classes(gained, geobox, [(*_rgb(GAINED_COLOUR), 255)])}
    surface = plan.surface.geobox
    relief = shade_ground(plan.surface.ground_m, abs(float(surface.affine.a)))
    if relief.any():
        greys = [(grey, grey, grey, 255) for grey in range(178, 255, 11)]
        out["relief"] = draw_classes(relief, surface, greys)
    return {name: {"uri": picture.uri, "bounds": picture.bounds} for name, picture in out.items()}


def _draw_skeleton() -> str:
    """A bare folium map with the cluster plugin's files named in its head."""
    import folium
    from folium.plugins import MarkerCluster

    figure_map = folium.Map(location=[0, 0], zoom_start=2, tiles=None, prefer_canvas=False, zoom_control=False,
                            attribution_control=False, max_zoom=19, zoom_snap=0.25, zoom_delta=0.5,
                            fade_animation=False)
    figure_map._id = _MAP_ID
    figure_map.options["maxZoom"] = 19
    root: Any = figure_map.get_root()
    root.render()
    for link in (*MarkerCluster.default_js, *MarkerCluster.default_css):
        element = folium.JavascriptLink(link[1]) if link[1].endswith(".js") else folium.CssLink(link[1])
        root.header.add_child(element, name=link[0])
    page: str = root.render()
    return page


def _signal_classes(rsrp_dbm: np.ndarray, probability: np.ndarray, threshold_dbm: float) -> np.ndarray:
    """uint8 class numbers: 0 unknown, 1 no signal or far below the threshold, ... 6 strongest."""
    signal = np.where(np.isfinite(rsrp_dbm), rsrp_dbm, np.float32(-999.0))
    classes = 1 + np.digitize(signal, _edges(threshold_dbm))
    known = np.isfinite(rsrp_dbm) | np.isfinite(probability)
    return np.where(known, classes, 0).astype(np.uint8)


def _edges(threshold_dbm: float) -> list[float]:
    return [threshold_dbm + step for step in (-10.0, 0.0, 10.0, 20.0, 30.0)]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _bounds(plan: Plan) -> list[list[float]]:
    """South-west and north-east corner of the boundary, or of the grid where there is none."""
    if len(plan.boundary):
        west, south, east, north = plan.boundary.geometry.to_crs("EPSG:4326").total_bounds
    else:
        from rasterio.warp import transform_bounds

        geobox = plan.surface.geobox
        crs = geobox.crs.to_wkt() if geobox.crs is not None else None
        west, south, east, north = transform_bounds(crs, "EPSG:4326", *geobox.boundingbox.bbox)
    return [[round(float(south), 5), round(float(west), 5)], [round(float(north), 5), round(float(east), 5)]]
