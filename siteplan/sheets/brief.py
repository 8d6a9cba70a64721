"""The brief of a meeting: four A4 pages as a Word file, from the shipped template or a city's own."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import shapely

from siteplan.errors import ExportError
from siteplan.export._staging import write_files
from siteplan.export._word import WordTemplate, fill_word, read_word
from siteplan.sheets._areas import numbered_sites, text_of
from siteplan.sheets._brief_facts import brief_facts
from siteplan.sheets._classes import scale_of
from siteplan.sheets._map import draw_base, draw_coverage, draw_focus, draw_gaps, draw_places, map_axes
from siteplan.sheets._marks import put_mark, put_north, put_scale_bar
from siteplan.sheets._page import new_page, put_text
from siteplan.sheets._sheet import Sheet, legend_entries, legend_height, put_legend, shape_bounds, title_of
from siteplan.sheets._style import drawing_settings, style_of
from siteplan.sheets._view import part_of, view_of
from siteplan.sheets.content import SheetContent, State

MAPS_MM = 170.0
DPI = 170
_NAME, _KIND = "meeting_brief.docx", "会议简报模板"


def write_brief(content: SheetContent, path: Path, template: bytes | None = None) -> Path:
    """Write the brief of a meeting: what is to be decided, maps, sites and money, what is open.

    Parameters
    ----------
    content : SheetContent
    path : Path
        Of the Word file; its folder is made when absent.
    template : bytes, optional
        A city's own template (:func:`read_brief_template`); the shipped one when absent. It may name what
        ``docs/sheets.md`` lists; lists are cut so that four pages hold them in the shipped one.

    Returns
    -------
    Path
        ``path``. Equal plans give equal bytes.

    Raises
    ------
    ExportError
        The template is broken or names something that briefs do not have, there is no font with Chinese, or the file
        cannot be written.

    Examples
    --------
    >>> write_brief(content, Path("brief.docx"))  # doctest: +SKIP
    """
    path = Path(path)
    data = files("siteplan").joinpath("templates", _NAME).read_bytes() if template is None else template
    shown = _NAME if template is None else "(自备模板)"
    filled = render_brief(data, brief_facts(content), maps_picture(content), shown)

    def write(draft: Path) -> None:
        draft.write_bytes(filled)
        with zipfile.ZipFile(draft) as archive:
            if archive.testzip() is not None or "word/document.xml" not in archive.namelist():
                raise ExportError(f"{path.name} 读回不完整")

    write_files(path.parent, [(path.name, write)])
    return path


def read_brief_template(path: Path) -> bytes:
    """A city's own template of the brief, filled once with a sample so that its faults are told early.

    Raises
    ------
    ExportError
        The file is missing, broken, or names something that briefs do not have.
    """
    data = read_word(path, _KIND)
    render_brief(data, sample_facts(), _dot(), path.name)
    return data


def sample_facts() -> dict[str, Any]:
    """Facts with every name a template may use."""
    import geopandas as gpd
    import numpy as np
    from odc.geo.geobox import GeoBox

    from siteplan.export.master import PlanLayers
    from siteplan.sheets.content import content_of_arrays

    box = GeoBox.from_bbox((0, 0, 20, 20), "EPSG:4547", resolution=10)
    empty = np.zeros((2, 2), np.float32)
    sites = gpd.GeoDataFrame({"name": ["样例"], "kind": ["宏站"]}, geometry=[shapely.Point(5, 5)], crs="EPSG:4547")
    layers = PlanLayers({"study": {"name": "样例"}}, {"sites": sites})
    facts = brief_facts(content_of_arrays(layers, box, {("after", "probability"): empty}))
    row = dict.fromkeys(("name", "number", "towns", "free", "before", "after", "rule", "rank", "where", "area",
                         "demand", "reason", "town", "kind", "owner", "gain", "cost", "macro", "micro", "reused",
                         "capex", "yearly"), "样例")
    return {name: ([row] if name in _ROW_LISTS else ["样例"]) if isinstance(value, list) else value
            for name, value in facts.items()}


_ROW_LISTS = ("indicators", "tiers", "counties", "departments", "sites", "gaps")


def render_brief(data: bytes, facts: Mapping[str, Any], maps: bytes, name: str) -> bytes:
    """A template filled with facts and the picture of the maps; every fault of the template told in words."""
    template = WordTemplate(data, _KIND, name, picture_mm={"maps": MAPS_MM})
    return next(fill_word(template, [{**{key: facts[key] for key in sorted(facts)}, "maps": maps}]))


def _dot() -> bytes:
    """A picture for samples."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (2, 2), "white").save(buffer, "PNG")
    return buffer.getvalue()


def maps_picture(content: SheetContent) -> bytes:
    """Coverage before and after above each other at one scale, with a legend, as PNG."""
    style = style_of("brief", content.font, "zh")
    sheet = Sheet(content, style, "probability", scale_of(content, "probability", style),
                  numbered_sites(content, style), 0, title_of(content.facts))
    with drawing_settings(style):
        page = new_page(style)
        paper = style.paper
        bounds = _extent(content)[0]
        entries = legend_entries(sheet, view_of(bounds, (0.0, 0.0, bounds[2] - bounds[0], bounds[3] - bounds[1]), 1030))
        legend = legend_height(sheet, entries) + 0.5
        put_legend(sheet, page, legend, entries)
        put_scale_bar(page, paper.width / 2.0, legend + 2.5, _draw_states(sheet, page, legend + 9.0), 70.0, named=False)
        buffer = io.BytesIO()
        page.figure.savefig(buffer, dpi=DPI, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _draw_states(sheet: Sheet, page: Any, bottom: float) -> int:
    """The two maps above or beside each other, whichever makes them larger; their scale."""
    paper, head = sheet.style.paper, 6.0
    bounds, shape = _extent(sheet.content)
    wide, high = bounds[2] - bounds[0], bounds[3] - bounds[1]
    options = []
    for across in (1, 2):
        room = (paper.width - 3.0) / across - 2.0 * (across - 1), (paper.height - bottom) / (3 - across) - head
        options.append((max(wide / room[0], high / room[1]), across, room))
    metres, across, room = min(options)
    size = min(wide / metres * 1.06, room[0]), min(high / metres * 1.06, room[1])
    scale = int(1000.0 * max(wide * 1.05 / size[0], high * 1.05 / size[1])) + 1
    states: tuple[State, ...] = ("before", "after")
    for number, state in enumerate(states):
        column, row = (number, 0) if across == 2 else (0, 1 - number)
        left = (paper.width - 3.0) / across * (column + 0.5) + 1.5 - size[0] / 2.0
        low = bottom + row * (room[1] + head)
        view = view_of(bounds, (left, low, size[0], size[1]), scale)
        _state_map(sheet, page, view, state, shape)
        put_text(page, left, low + size[1] + head / 2.0, sheet.word(state), paper.heading)
    return scale


def _extent(content: SheetContent) -> tuple[tuple[float, float, float, float], Any]:
    """Bounds of the plan and its outline."""
    boundary = content.table("boundary")
    shape = shapely.union_all(boundary.geometry.to_numpy()) if len(boundary) else None
    box = content.geobox.boundingbox
    whole = shapely.box(box.left, box.bottom, box.right, box.top) if shape is None else shape
    return shape_bounds(whole), shape


def _state_map(sheet: Sheet, page: Any, view: Any, state: State, shape: Any) -> None:
    """One of the two maps: before with what stands, after with what is proposed and the gaps that remain."""
    content, mark = sheet.content, sheet.style.paper.mark
    axes = map_axes(page, view)
    draw_coverage(axes, content, state, sheet.what, view, sheet.scale)
    if state == "after":
        draw_gaps(axes, content, view, mark)
    draw_base(axes, content, view, mark)
    if shape is not None:
        draw_focus(axes, shape, view, mark)
    left, bottom, width, height = view.frame
    if state == "after":
        arrow = put_north(page, left + width - 1.0, bottom + height - 1.0, mark)
        taken = [(arrow[0] - left, arrow[1] - bottom, arrow[0] - left + arrow[2], arrow[1] - bottom + arrow[3])]
        towns = content.table("towns")
        headings = [(shapely.point_on_surface(row.geometry), text_of(row.get("name"))) for _, row in towns.iterrows()]
        corner = [(shapely.Point(view.bounds[0], view.bounds[1]), "")]  # without towns: an empty heading
        draw_places(page, axes, content, view, sheet.sites, taken, headings or corner)
        return
    here = part_of(sheet.sites, view)
    here = here[here["status"].astype(str) == "existing"] if len(here) else here
    if len(here):
        put_mark(axes, here.geometry.x.to_numpy(), here.geometry.y.to_numpy(), "existing", mark)
