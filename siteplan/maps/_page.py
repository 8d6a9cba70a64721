"""The review page: a folium map made self-contained, with the plan's data, style and script put in."""

from __future__ import annotations

import html as html_text
import os
import re
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siteplan.errors import ExportError, Problem
from siteplan.maps._base_image import embed_base
from siteplan.maps._facts import decision_words, licences, phases_of, projection_of, title_block, uses_clusters
from siteplan.maps._layers import Json, collect_layers
from siteplan.maps._offline import inline_page
from siteplan.maps._options import MapOptions
from siteplan.maps._panel import count_sites, describe_bound, describe_kinds, list_indicators
from siteplan.maps._pictures import GAINED_COLOUR, draw_pictures, picture_legends, signal_legend
from siteplan.maps._public import public_page, public_plan
from siteplan.maps._statements import list_badges, list_statements
from siteplan.maps._texts import as_json, as_text
from siteplan.maps._tiles import fetch_base
from siteplan.maps._words import Say, script_words
from siteplan.maps._years import years_told
from siteplan.secrecy import hide_secret_units

if TYPE_CHECKING:
    from siteplan.plan import Plan

DEFAULT = MapOptions()
UNUSED_FILES = frozenset({"jquery-3.7.1.min.js", "all.min.css"})
"""Files that folium always names and this page does not use."""

_CONTENT_POLICY = ("default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
                   "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'")
_MAP_ID = "siteplan"
_HTML_LANGUAGE = {"zh": "zh-CN", "en": "en"}


def render_review_map(plan: Plan, options: MapOptions = DEFAULT) -> str:
    """One HTML page for the review meeting; it opens without a network and asks for nothing.

    Parameters
    ----------
    plan : Plan
        Finished plan; its tables and rasters are not changed.
    options : MapOptions
        Language, public variant, base map. With a key of Tianditu tiles are fetched while the page is made.

    Returns
    -------
    str
        The page. Text of the data is kept as data and shown as text, never as markup; secret units are left out. The
        same plan gives the same page.

    Raises
    ------
    ExportError
        When an asset package is not installed, the base map cannot be used, or the map would ask the network for a
        file.

    Examples
    --------
    >>> page = render_review_map(plan)  # doctest: +SKIP
    >>> page.startswith("<!DOCTYPE html>")  # doctest: +SKIP
    True
    """
    plan, say = hide_secret_units(plan), Say(options.language)
    style, script, body = _assets()
    skeleton = inline_page(_draw_skeleton(clusters=uses_clusters(script)), unused=UNUSED_FILES)
    title = html_text.escape(say("{name} · 站址规划评审图", name=as_text(plan.study.get("name"))), quote=True)
    head = (f'<meta charset="utf-8"><title>{title}</title>'
            f'<meta http-equiv="Content-Security-Policy" content="{_CONTENT_POLICY}">')
    before_head, rest = skeleton.split("<head>", 1)
    in_head, rest = rest.split("</head>", 1)
    in_body, map_script = rest.rsplit("<script>", 1)
    page = {**collect_page(plan, options), "licences": licences(script)}
    data = f'<script type="application/json" id="siteplan-data">{as_json(page)}</script>'
    map_script = map_script.replace("</html>", "").rstrip()
    map_script = re.sub(r"</script>\s*$", "", map_script)
    language = _HTML_LANGUAGE[options.language]
    return "".join((
        before_head.replace("<html>", f'<html lang="{language}">').strip(), "<head>", head, in_head,
        f"<style>{style}</style></head>", re.sub(r"</body>\s*$", "", in_body), body, data,
        "<script>", map_script, script, "</script></body></html>\n",
    ))


def _assets() -> tuple[str, str, str]:
    """Style, script (its files in the order of their names) and body of the page."""
    here = files("siteplan.maps").joinpath("assets")
    scripts = sorted((file for file in here.iterdir() if file.name.endswith(".js")), key=lambda file: file.name)
    texts = [here.joinpath("page.css").read_text(encoding="utf-8"),
             "".join(file.read_text(encoding="utf-8") for file in scripts),
             here.joinpath("page.html").read_text(encoding="utf-8")]
    return texts[0], texts[1], texts[2]


def write_review_map(plan: Plan, path: str | os.PathLike[str], options: MapOptions = DEFAULT) -> Path:
    """Write :func:`render_review_map` to a file: under a temporary name first, checked, then moved.

    Parameters
    ----------
    plan : Plan
    path : str or path-like
        File to write, ``.html``; one that exists is replaced only when the new one is whole.
    options : MapOptions

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
    content = render_review_map(plan, options).encode("utf-8")
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


def collect_page(plan: Plan, options: MapOptions = DEFAULT) -> Json:
    """Everything the page's script draws, as plain values.

    Parameters
    ----------
    plan : Plan
        Without secret units.
    options : MapOptions

    Returns
    -------
    dict
        Title block, words, statements, indicators, pictures (``data:`` addresses) and the vector layers; those of the
        public variant come from a plan that holds nothing internal.
    """
    say, public = Say(options.language), options.public
    title = title_block(plan, say, public=public)
    statements = list_statements(plan, say, public=public)
    if public:
        plan = public_plan(plan, options.public_step_m, say)
    bounds = _bounds(plan)
    pictures = draw_pictures(plan, options.public_step_m if public else 0.0)
    if options.base is not None and not public:
        base = embed_base(options.base, bounds)
        pictures["base"] = {"uri": base.uri, "bounds": base.bounds}
        statements.append(say("底图:{file}(用户提供)。", file=options.base.name))
    elif options.tianditu_key:
        fetched = fetch_base(bounds, options.tianditu_key, say)
        statements += fetched.sentences
        if fetched.picture is not None:
            pictures["base"] = {"uri": fetched.picture.uri, "bounds": fetched.picture.bounds}
    data = {
        "lang": options.language, "words": script_words(options.language), "public": public,
        "step_m": options.public_step_m if public else 0.0, "title": title, "name": as_text(plan.study.get("name")),
        "badges": list_badges(plan.study, say, public=public), "statements": statements,
        "indicators": list_indicators(plan, say), "site_counts": count_sites(plan, say),
        "kinds": describe_kinds(plan, say), "bound": describe_bound(plan, say),
        "signal": signal_legend(plan.after.threshold_dbm, say), "legends": picture_legends(plan, say),
        "datum": datum_name(plan), "gained_colour": GAINED_COLOUR, "pictures": pictures, "bounds": bounds,
        "projection": projection_of(plan, say), "phases": years_told(plan, phases_of(plan)["years"], say),
        "decisions": decision_words(plan),
        "layers": collect_layers(plan, say),
    }
    return public_page(data, say) if public else data


def datum_name(plan: Plan) -> str:
    """What the degrees under the pointer refer to: CGCS2000 where the study's CRS does, else WGS 84.

    The page's degrees are those of EPSG:4326; from a CRS of CGCS2000 no shift is applied on the way.
    """
    crs = plan.surface.geobox.crs
    base = crs.proj.geodetic_crs if crs is not None else None
    name = base.datum.name if base is not None and base.datum is not None else ""
    return "CGCS2000" if name.replace("_", " ").startswith("China 2000") else "WGS 84"


def _draw_skeleton(*, clusters: bool) -> str:
    """A bare folium map; with clusters, the plugin's files are named in its head."""
    import folium
    from folium.plugins import MarkerCluster

    figure_map = folium.Map(location=[0, 0], zoom_start=2, tiles=None, prefer_canvas=False, zoom_control=False,
                            attribution_control=False, max_zoom=19, zoom_snap=0.25, zoom_delta=0.5,
                            fade_animation=False)
    figure_map._id = _MAP_ID
    figure_map.options["maxZoom"] = 19
    root: Any = figure_map.get_root()
    root.render()
    for link in (*MarkerCluster.default_js, *MarkerCluster.default_css) if clusters else ():
        element = folium.JavascriptLink(link[1]) if link[1].endswith(".js") else folium.CssLink(link[1])
        root.header.add_child(element, name=link[0])
    page: str = root.render()
    return page


def _bounds(plan: Plan) -> tuple[tuple[float, float], tuple[float, float]]:
    """South-west and north-east corner of the boundary, or of the grid where there is none."""
    if len(plan.boundary):
        west, south, east, north = plan.boundary.geometry.to_crs("EPSG:4326").total_bounds
    else:
        from rasterio.warp import transform_bounds

        geobox = plan.surface.geobox
        crs = geobox.crs.to_wkt() if geobox.crs is not None else None
        west, south, east, north = transform_bounds(crs, "EPSG:4326", *geobox.boundingbox.bbox)
    return (round(float(south), 5), round(float(west), 5)), (round(float(north), 5), round(float(east), 5))
