"""Make a folium page self-contained: script and style files come from installed packages, never from the network."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection
from importlib import import_module
from pathlib import Path

from siteplan.errors import ExportError, Problem

ASSETS: dict[str, tuple[str, str]] = {
    "leaflet.js": ("leaflet", "leaflet.js"),
    "leaflet.css": ("leaflet", "leaflet.css"),
    "leaflet.markercluster.js": ("leaflet_markercluster", "leaflet.markercluster.js"),
    "MarkerCluster.css": ("leaflet_markercluster", "MarkerCluster.css"),
    "MarkerCluster.Default.css": ("leaflet_markercluster", "MarkerCluster.Default.css"),
    "jquery-3.7.1.min.js": ("jquery", "jquery.min.js"),
    "d3.min.js": ("d3", "d3.js"),
    "all.min.css": ("font_awesome", "css/all.min.css"),
}
"""Last part of an address that folium writes -> (XStatic package, file in its data folder)."""

PACKAGES: dict[str, tuple[str, str]] = {
    "Leaflet": ("XStatic-Leaflet", "BSD-2-Clause"), "Leaflet.markercluster": ("XStatic-Leaflet-MarkerCluster", "MIT"),
    "folium": ("folium", "MIT"),
}
"""What a page carries of others: package, licence (named in the page)."""

PIN_ICON_FILES = frozenset({
    "bootstrap.bundle.min.js", "bootstrap.min.css", "bootstrap-glyphicons.css", "leaflet.awesome-markers.js",
    "leaflet.awesome-markers.css", "leaflet.awesome.rotate.min.css",
})
"""Files that only pin icons need. No package carries them: their tags are dropped, and a pin icon is an error."""

_MIME = {".png": "image/png", ".gif": "image/gif", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
_TAG = re.compile(
    r"""<script\b[^>]*?\bsrc\s*=\s*["']?(?P<js>[^"'\s>]+)["']?[^>]*>\s*</script\s*>"""
    r"""|<link\b[^>]*?\bhref\s*=\s*["']?(?P<css>[^"'\s>]+)["']?[^>]*>""",
    re.IGNORECASE,
)
_REMOTE = re.compile(
    r"""(?:\b(?:src|href|srcset|poster)\s*=\s*["']?\s*|url\(\s*["']?|@import\s+(?:url\(\s*)?["']?"""
    r"""|(?:tileLayer|wms|imageOverlay)\(\s*["'`])"""
    r"""(?P<url>(?:https?:|ftp:|//)[^"'`\s)>]*)""",
    re.IGNORECASE,
)
_CSS_URL = re.compile(r"""url\(\s*["']?(?P<url>[^"')]+)["']?\s*\)""")
_SOURCE_MAP = re.compile(r"^//[#@] sourceMappingURL=.*$|/\*[#@] sourceMappingURL=.*?\*/", re.MULTILINE)


def inline_page(html: str, *, unused: Collection[str] = ()) -> str:
    """Put every script and style file that a page asks for into the page itself.

    Works on what ``folium.Map.get_root().render()`` or ``GeoDataFrame.explore`` gives.

    Parameters
    ----------
    html : str
        The page.
    unused : collection of str
        File names (keys of :data:`ASSETS`) whose tags are dropped because the page does not need them.

    Returns
    -------
    str
        The page, which asks for no file any more.

    Raises
    ------
    ExportError
        When an address is not known, an asset package is not installed, the page draws pin icons, or an
        address of a remote file is left in the markup.

    Examples
    --------
    >>> inline_page('<link href="https://cdn.example.org/bootstrap.min.css"/><p>x</p>')
    '<p>x</p>'
    """
    if "L.AwesomeMarkers" in html:
        raise _failure("", "the page draws pin icons, whose files no package carries",
                       "draw points as circle markers or div icons, and give FastMarkerCluster a callback")
    pieces: list[str] = []
    position = 0
    for match in _TAG.finditer(html):
        pieces.append(_checked(html[position:match.start()]))
        url = match["js"] or match["css"]
        pieces.append(_replacement(match[0], url, is_script=bool(match["js"]), unused=unused))
        position = match.end()
    pieces.append(_checked(html[position:]))
    return "".join(pieces)


def read_asset(package: str, file: str) -> bytes:
    """Read one file of an installed XStatic package.

    Parameters
    ----------
    package : str
        Name under ``xstatic.pkg``, e.g. ``leaflet``.
    file : str
        Path inside the package's data folder.

    Returns
    -------
    bytes

    Raises
    ------
    ExportError
        When the package or the file is missing.

    Examples
    --------
    >>> b"Leaflet" in read_asset("leaflet", "leaflet.js")[:200]
    True
    """
    try:
        base = Path(str(import_module(f"xstatic.pkg.{package}").BASE_DIR))
        return (base / file).read_bytes()
    except (ImportError, AttributeError, OSError) as error:
        name = "XStatic-" + package.replace("_", "-")
        raise _failure(f"{package}/{file}", f"page asset cannot be read ({error})",
                       f"install the package {name}") from error


def data_uri(content: bytes, mime: str) -> str:
    """A ``data:`` address that holds the content itself.

    >>> data_uri(b"abc", "image/png")
    'data:image/png;base64,YWJj'
    """
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"


def _replacement(tag: str, url: str, *, is_script: bool, unused: Collection[str]) -> str:
    """The inline form of one tag, or nothing when the page does not need the file."""
    name = re.split(r"[?#]", url, maxsplit=1)[0].rsplit("/", 1)[-1]
    if url.startswith("data:"):
        return tag
    if name in PIN_ICON_FILES or name in unused:
        return ""
    if name not in ASSETS:
        raise _failure(url, "the page asks for a file that no installed package carries",
                       "leave out the folium plugin that needs it, or add the file to ASSETS")
    package, file = ASSETS[name]
    text = read_asset(package, file).decode("utf-8").replace("\r\n", "\n")
    if is_script:
        return f"<script>{_inline_script(text)}{_icon_fix() if name == 'leaflet.js' else ''}</script>"
    return f"<style>{_inline_css(text, package, file)}</style>"


def _inline_script(text: str) -> str:
    """Script text that cannot end its own element and asks for no source map."""
    text = _SOURCE_MAP.sub("", text)
    return re.sub(r"<(/script|!--)", r"<\\\1", text, flags=re.IGNORECASE).strip()


def _inline_css(text: str, package: str, file: str) -> str:
    """Style text with its pictures and woff2 fonts as ``data:`` addresses; other font formats are left out."""
    folder = Path(file).parent

    def embed(match: re.Match[str]) -> str:
        url = match["url"].strip()
        if url.startswith(("data:", "#")):
            return match[0]
        path = re.split(r"[?#]", url, maxsplit=1)[0]
        mime = _MIME.get(Path(path).suffix.lower())
        if mime is None:
            return "url(data:,)"
        inside = (Path("/") / folder / path).resolve().relative_to("/")
        return f"url({data_uri(read_asset(package, inside.as_posix()), mime)})"

    text = _SOURCE_MAP.sub("", _CSS_URL.sub(embed, text))
    return _checked(re.sub(r"<(/style)", r"<\\\1", text, flags=re.IGNORECASE).strip())


def _icon_fix() -> str:
    """Leaflet looks for its marker picture beside the page; give it the picture itself."""
    pictures = {
        "iconUrl": "images/marker-icon.png", "iconRetinaUrl": "images/marker-icon-2x.png",
        "shadowUrl": "images/marker-shadow.png",
    }
    options = ",".join(f'{key}:"{data_uri(read_asset("leaflet", file), "image/png")}"'
                       for key, file in pictures.items())
    return f"\ndelete L.Icon.Default.prototype._getIconUrl;L.Icon.Default.mergeOptions({{{options}}});"


def _checked(markup: str) -> str:
    """The markup unchanged, when it names no remote file."""
    found = _REMOTE.search(markup)
    if found and not _is_plain_link(markup, found.start()):
        raise _failure(found["url"], "the page would ask the network for this address",
                       "use no tile layer and no picture from the network; embed pictures as data: addresses")
    return markup


def _is_plain_link(markup: str, position: int) -> bool:
    """Whether the address stands in an ``<a>`` element: a link to click, not a request."""
    start = markup.rfind("<", 0, position)
    return start >= 0 and re.match(r"<a\s", markup[start:start + 3], re.IGNORECASE) is not None


def _failure(url: str, reason: str, remedy: str) -> ExportError:
    return ExportError("the page cannot be made to open without a network",
                       [Problem("map", "html", "", url, reason, remedy)])
