"""The file formats siteplan knows (``tables/formats.toml``), and what a file is by its first bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from types import MappingProxyType

from siteplan.tables import read_table

KINDS = ("vector", "table", "raster", "archive", "refused")
"""What can be done with a format."""
HEAD_BYTES = 1 << 16
"""So much of the beginning of a file is looked at."""
REFERENCES = (
    b"<vrtdataset", b"<ogrvrtdatasource", b"<gdal_wms", b"<gdaltileindexdataset", b"<ogrwfsdatasource",
    b"<ogrcswdatasource", b"<wms_capabilities", b"<wmt_ms_capabilities", b"<gdal_wmts", b"<wcs_gdal",
    b'"gdal_streamed_alg"',
)
"""Lower-case words by which GDAL knows files that only point to other files or addresses."""
_TAG = re.compile(rb"<(?:[a-z_][\w.-]*:)?([a-z_][\w.-]*)", re.IGNORECASE)
_PROLOG = re.compile(rb"\s*(?:(?:<\?.*?\?>|<!--.*?-->)\s*)*", re.DOTALL)
_DOCTYPE = re.compile(rb"<!doctype\s+(?:[a-z_][\w.-]*:)?([a-z_][\w.-]*)", re.IGNORECASE)
_HTML_TAGS = (b"html", b"table", b"head", b"body", b"meta", b"div", b"style", b"title")
_KML_TAGS = (b"kml", b"document", b"folder", b"placemark")
_GRID_WORDS = (b"ncols", b"nrows", b"xllcorner", b"xllcenter", b"yllcorner", b"yllcenter", b"north:", b"cellsize")
_DBF_VERSIONS = frozenset((0x02, 0x03, 0x30, 0x31, 0x32, 0x43, 0x63, 0x83, 0x8B, 0xCB, 0xF5, 0xFB))

_WIDE_BYTES, _LEAST_SEPARATORS = 1 << 14, 4
_TABLE_LETTERS = re.compile(
    "[\t\n\r -~\u00a0-\u052f\u2000-\u33ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
"""ASCII, Latin, Greek, Cyrillic, signs, kana, Hanzi, full-width forms."""


@dataclass(frozen=True)
class Format:
    """One file format.

    Attributes
    ----------
    id, zh : str
        Key in the table, and Chinese name.
    suffixes : tuple of str
        File name endings, lower case, with the dot.
    kind : str
        One of `KINDS`.
    detects, refuses : str
        Chinese sentences for planners: what is found out, what is refused or limited.
    advice : str
        What to do instead, for refused formats.
    contents : tuple of str
        Ids of `Content` that its first bytes may be.
    drivers : tuple of str
        GDAL drivers that may open it; empty where GDAL is not used.
    source : str
        Where the facts come from.
    """

    id: str
    zh: str
    suffixes: tuple[str, ...]
    kind: str
    detects: str
    refuses: str
    advice: str
    contents: tuple[str, ...]
    drivers: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Content:
    """What a file can be by its first bytes: Chinese name, the suffix it should have, else what to do with it."""

    id: str
    zh: str
    suffix: str
    remedy: str
    starts: tuple[bytes, ...]


@lru_cache(maxsize=1)
def load_formats() -> Mapping[str, Format]:
    """Every format, by id, in the order of the table.

    >>> load_formats()["dwg"].kind, load_formats()["zip"].suffixes
    ('refused', ('.zip',))
    """
    return MappingProxyType({
        name: Format(name, entry["zh"], tuple(entry["suffixes"]), entry["kind"], entry["detects"], entry["refuses"],
                     entry.get("advice", ""), tuple(entry.get("contents", ())), tuple(entry.get("drivers", ())),
                     entry["source"])
        for name, entry in read_table("formats")["formats"].items()})


@lru_cache(maxsize=1)
def load_contents() -> Mapping[str, Content]:
    """Every kind of content, by id.

    >>> load_contents()["tiff"].suffix
    '.tif'
    """
    return MappingProxyType({
        name: Content(name, entry["zh"], entry.get("suffix", ""), entry.get("remedy", ""),
                      tuple(bytes.fromhex(text) for text in entry.get("starts", ())))
        for name, entry in read_table("formats")["contents"].items()})


@lru_cache(maxsize=1)
def _by_suffix() -> Mapping[str, Format]:
    return MappingProxyType({suffix: found for found in load_formats().values() for suffix in found.suffixes})


def format_of(name: str) -> Format | None:
    """The format a file name stands for, by its ending; None when it is not in the table.

    >>> format_of("a/工参.XLSX").id, format_of("a.xyz") is None
    ('xlsx', True)
    """
    return _by_suffix().get(PurePath(name).suffix.lower())


def suffixes_of(*kinds: str) -> tuple[str, ...]:
    """Endings of all formats of some kinds.

    >>> suffixes_of("archive")
    ('.kmz', '.zip')
    """
    return tuple(suffix for found in load_formats().values() if found.kind in kinds for suffix in found.suffixes)


def content_of(head: bytes, plain_table: bool = False) -> Content:
    r"""What a file is by its first bytes (`HEAD_BYTES` of them are enough).

    What GDAL would take for a pointer to other files comes first, whatever else the bytes look like; in a plain table,
    which GDAL never opens, such words may stand in a cell. A zip is only a zip here: what is in it is seen by listing.

    >>> content_of(b"<html><body>404").id, content_of(b"II*\0").id, content_of("站名,经度".encode("gbk")).id
    ('html', 'tiff', 'text')
    """
    return load_contents()[_content_id(head, plain_table)]


def _content_id(head: bytes, plain_table: bool) -> str:
    if not head:
        return "empty"
    if head.startswith(b"version https://git-lfs"):
        return "lfs"
    plain = _single_bytes(head[:HEAD_BYTES]).lower()
    if any(word in plain for word in REFERENCES) and (not plain_table or plain.lstrip().startswith((b"<", b"{"))):
        return "vrt" if _root_tag(plain) == b"vrtdataset" else "reference"
    for content in load_contents().values():
        if any(head.startswith(start) for start in content.starts):
            return content.id
    if b"OSMHeader" in head[:64]:
        return "osm_pbf"
    if _is_dbf(head):
        return "dbf"
    return _text_id(plain.lstrip(), head)


def _text_id(plain: bytes, head: bytes) -> str:
    """What kind of text; ``binary`` when it is none."""
    if plain.startswith(b"<"):
        return _markup_id(plain)
    if re.match(rb'\{\s*(["}]|$)|\[\s*[{\]]', plain):
        return "json"
    if plain.startswith(b"!table"):
        return "mapinfo_tab"
    if re.match(rb"version\s+\d+\s", plain):
        return "mif"
    if plain.startswith(b"autocad binary dxf") or re.match(rb"(?:999\s*\n.*\n\s*)*0\s*\n\s*section", plain):
        return "dxf"
    if plain.split(None, 1)[:1] and plain.split(None, 1)[0] in _GRID_WORDS:
        return "ascii_grid"
    return "text" if _is_text(head) else "binary"


def _markup_id(plain: bytes) -> str:
    root = _root_tag(plain)
    if root in _HTML_TAGS:
        return "html"
    if root in _KML_TAGS:
        return "kml"
    return "xml" if root and (plain.startswith((b"<?xml", b"<!")) or b"xmlns" in plain[:2048]) else "text"


def _root_tag(plain: bytes) -> bytes:
    """Name of the first element, lower case, without its prefix; empty when there is none."""
    body = plain.lstrip()
    start = _PROLOG.match(body)
    place = start.end() if start else 0
    found = _TAG.match(body, place) or _DOCTYPE.match(body, place)
    return found[1].lower() if found else b""


def _single_bytes(head: bytes) -> bytes:
    """The head without BOM; UTF-16 made single bytes, so that words in it are seen."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[2:].replace(b"\0", b"")
    return head.removeprefix(b"\xef\xbb\xbf")


def _is_dbf(head: bytes) -> bool:
    """A .dbf header: version, month, day, and lengths that fit each other."""
    if len(head) < 33 or head[0] not in _DBF_VERSIONS or not (head[2] <= 12 and head[3] <= 31):
        return False
    header, width = int.from_bytes(head[8:10], "little"), int.from_bytes(head[10:12], "little")
    return header >= 33 and width >= 1 and head[12:28].count(0) >= 8


def _is_text(head: bytes) -> bool:
    """Hardly any control characters; NULs only as UTF-16 has them."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or wide_encoding(head) is not None:
        return True
    controls = sum(head.count(bytes([code])) for code in range(1, 32) if code not in (9, 10, 11, 12, 13, 26, 27))
    nulls = head.count(0)
    wide = 0.2 * len(head) <= nulls <= 0.55 * len(head)
    return controls <= 0.01 * len(head) + 1 and (nulls <= 0.1 * len(head) or wide)


def wide_encoding(head: bytes) -> str | None:
    r"""UTF-16 without BOM, known by its ASCII characters; None when the bytes are something else.

    One byte of an ASCII character is zero, always on the same side: in a fifth of all bytes, or, where most of the text
    is Chinese, in the commas, tabs and line ends between. All else must be letters and signs that tables hold.

    >>> wide_encoding("站名,经度\n甲,1\n".encode("utf-16-le")), wide_encoding("站名,经度\n甲,1\n".encode())
    ('utf-16-le', None)
    """
    head = head[:_WIDE_BYTES]
    head = head[:len(head) // 2 * 2]
    if len(head) < 8 or head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    for encoding, zero, other in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        units = len(zero)
        nulls = zero.count(0)
        if nulls < _LEAST_SEPARATORS or other.count(0) > max(0.05 * units, 0.2 * nulls):
            continue
        text = head.decode(encoding, "replace")
        marks = sum(text.count(mark) for mark in ",\t;|\n\r")
        split = marks >= max(_LEAST_SEPARATORS, 0.03 * units) and ("\n" in text or "\r" in text)
        if (nulls >= 0.2 * len(head) or split) and len(_TABLE_LETTERS.findall(text)) >= 0.97 * units:
            return encoding
    return None
