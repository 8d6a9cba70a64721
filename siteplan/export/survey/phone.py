"""The survey for a phone: KMZ with a placemark for each site, its facts, and empty fields to be filled in."""

from __future__ import annotations

import html
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Tree
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from siteplan.export.survey.facts import SiteFacts
from siteplan.tables import read_table

_KML = "http://www.opengis.net/kml/2.2"
_ICON_PIXELS = 48
_MACRO, _MICRO = "#C00000", "#1F5FBF"
_BARRED = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBERED_PLACE = "{number} {name}"


def write_phone_file(sites: Sequence[SiteFacts], head: Mapping[str, str], path: Path) -> None:
    """Write the KMZ: folders by town, numbered icons, all facts and empty fields as extended data.

    Coordinates are CGCS2000, which KML takes for WGS 84 (they agree within decimetres; source: libraries.md, section
    4: WGS 84 ~ CGCS2000 is allowed).
    """
    root = Tree.Element("kml", xmlns=_KML)
    document = Tree.SubElement(root, "Document")
    _text(document, "name", f"{head['project']} {read_table('survey_sheet')['index']['title']}")
    _text(document, "description", html.escape(";".join(part for part in (
        f"密级:{head['secrecy']}", "坐标为 CGCS2000 经纬度,按 WGS84 显示", head["notice"]) if part)))
    towns = defaultdict(list)
    for site in sites:
        towns[site.text("county"), site.text("town")].append(site)
    icons: dict[str, bytes] = {}
    for (county, town), own in sorted(towns.items()):
        folder = Tree.SubElement(document, "Folder")
        _text(folder, "name", f"{county}{town}({len(own)})" if county or town else f"未注明镇街({len(own)})")
        for site in own:
            _placemark(folder, site, icons)
    Tree.indent(root, " ")
    parts = {"doc.kml": Tree.tostring(root, encoding="utf-8", xml_declaration=True), **dict(sorted(icons.items()))}
    with ZipFile(path, "w") as archive:
        for name, content in parts.items():
            entry = ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # a fixed time: the same input gives the same bytes
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, content)


def slots(site: SiteFacts) -> Iterator[tuple[str, str, str]]:
    """Name, label and value of every slot of the survey sheet for a site; blank slots with an empty value."""
    table = read_table("survey_sheet")
    blank = 0
    for block in table["blocks"]:
        for slot in (slot for row in block.get("rows", ()) for slot in row):
            if "value" in slot:
                yield slot["value"], slot["label"], site.text(slot["value"]) or table["unknown"]
            else:
                blank += 1
                yield f"fill_{blank}", slot["label"], ""
        if block["kind"] == "text":
            yield block["value"], str(block["title"]).partition("、")[2], site.text(block["value"])
        elif block["kind"] == "sectors":
            parts = ([sector["number"], sector["azimuth"], sector.get("bands", ""), sector.get("tilt", "")]
                     for sector in site.sectors)
            yield "sectors", "扇区(方位角、频段、下倾角)", ";".join(
                " ".join(str(part) for part in sector if part != "") for sector in parts)
        elif block["kind"] == "frames":
            for name in (name for row in block["photos"] for name in row):
                blank += 1
                yield f"fill_{blank}", f"照片:{name}", ""


def _placemark(folder: Any, site: SiteFacts, icons: dict[str, bytes]) -> None:
    number, name = site.text("rank_no"), site.text("name") or site.text("site_id")
    colour = _MICRO if site.text("kind") == "微站" else _MACRO
    icon = f"icons/{'micro' if colour == _MICRO else 'macro'}_{number}.png"
    if icon not in icons:
        icons[icon] = _icon(number, colour)
    place = Tree.SubElement(folder, "Placemark")
    _text(place, "name", _NUMBERED_PLACE.format(number=number, name=name))
    facts = list(slots(site))
    lines = (f"<b>{html.escape(label)}</b>:{html.escape(value)}".replace("\n", "<br/>") for _, label, value in facts)
    _text(place, "description", "<br/>".join(lines))
    style = Tree.SubElement(Tree.SubElement(place, "Style"), "IconStyle")
    _text(style, "scale", "1.0")
    _text(Tree.SubElement(style, "Icon"), "href", icon)
    data = Tree.SubElement(place, "ExtendedData")
    for key, label, value in facts:
        entry = Tree.SubElement(data, "Data", name=key)
        _text(entry, "displayName", label)
        _text(entry, "value", value)
    if "lon" in site.values and "lat" in site.values:
        _text(Tree.SubElement(place, "Point"), "coordinates", f"{site.values['lon']:.7f},{site.values['lat']:.7f}")


def _text(parent: Any, name: str, text: str) -> None:
    """A child with text; letters that XML forbids as ``U+0001``."""
    plain = _BARRED.sub(lambda found: f"〔U+{ord(found[0]):04X}〕", text)
    Tree.SubElement(parent, name).text = plain


def _icon(number: str, colour: str) -> bytes:
    """A disc with a number, PNG."""
    from PIL import ImageDraw

    image = _disc(colour).copy()
    share = 0.5 if len(number) < 3 else 0.36 if len(number) < 4 else 0.28
    ImageDraw.Draw(image).text((_ICON_PIXELS / 2, _ICON_PIXELS / 2), number, fill="white",
                               font=_digits(_ICON_PIXELS * share), anchor="mm")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@cache
def _disc(colour: str) -> Any:
    """The disc without a number, drawn four times as large for a smooth edge."""
    from PIL import Image, ImageDraw

    size = 4 * _ICON_PIXELS
    image = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((4, 4, size - 5, size - 5), fill=colour, outline="white", width=12)
    return image.resize((_ICON_PIXELS, _ICON_PIXELS), Image.Resampling.LANCZOS)


@cache
def _digits(size: float) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
