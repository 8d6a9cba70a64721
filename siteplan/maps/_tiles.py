"""A base map from a tile service, fetched while the page is made; its key goes to the service alone."""

from __future__ import annotations

import http.client
import math
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import quote

from siteplan.maps._raster import Picture, image_uri
from siteplan.maps._words import Say
from siteplan.tables import read_table

TILE_PX = 256
TIMEOUT_S, WHOLE_S = 8.0, 60.0
"""Greatest time for one tile, and for all of them, s."""
MOST_BYTES = 2_000_000
"""Of one tile."""
_NORTH = 85.05112877980659
Corners = tuple[tuple[float, float], tuple[float, float]]


class FetchedBase(NamedTuple):
    """A fetched base map, or why there is none.

    Attributes
    ----------
    picture : Picture or None
    sentences : tuple of str
        What the page says of it: attribution and licence, or the reason.
    """

    picture: Picture | None
    sentences: tuple[str, ...]


class _NotFetchedError(Exception):
    """A tile did not come; the text never holds an address."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key elsewhere."""

    def redirect_request(self, *_args: Any) -> None:
        return None


class Tiles(NamedTuple):
    """Tiles of a zoom level, ends included."""

    zoom: int
    west: int
    east: int
    north: int
    south: int

    def number(self) -> int:
        """How many there are."""
        return (self.east - self.west + 1) * (self.south - self.north + 1)

    def corners(self) -> Corners:
        """South-west and north-east corner, degrees."""
        return ((_latitude(self.south + 1, self.zoom), 360.0 * self.west / 2 ** self.zoom - 180.0),
                (_latitude(self.north, self.zoom), 360.0 * (self.east + 1) / 2 ** self.zoom - 180.0))


def fetch_base(bounds: Corners, key: str, say: Say, source: Mapping[str, Any] | None = None) -> FetchedBase:
    """Fetch and stitch the tiles of a place.

    Parameters
    ----------
    bounds : ((south, west), (north, east))
        Degrees.
    key : str
        Of the service.
    say : Say
    source : mapping, optional
        An entry of ``tables/tile_sources.toml``; ``tianditu`` when absent.

    Returns
    -------
    FetchedBase
        Without a picture, and with the reason, where a tile did not come. Nothing is raised.
    """
    source = source or read_table("tile_sources")["tianditu"]
    tiles = tiles_of(bounds, int(source["max_zoom"]), int(source["most_tiles"]))
    name = str(source[say.language])
    try:
        picture = Picture(_stitch(tiles, source, key), tiles.corners())
    except _NotFetchedError as error:
        return FetchedBase(None, (say("{name}底图没有取到({reason}),用矢量底图。", name=name, reason=say.word(str(error))),))
    return FetchedBase(picture, tuple(str(source[part][say.language]) for part in ("attribution", "licence")))


def tiles_of(bounds: Corners, max_zoom: int, most: int) -> Tiles:
    """The finest tiles that cover a place and are not too many.

    >>> tiles_of(((22.0, 113.0), (22.5, 113.5)), 18, 12)
    Tiles(zoom=10, west=833, east=834, north=446, south=447)
    """
    (south, west), (north, east) = bounds
    found = Tiles(0, 0, 0, 0, 0)
    for zoom in range(1, max_zoom + 1):
        scale, last = 2 ** zoom, 2 ** zoom - 1
        columns = [min(max(math.floor((lon + 180.0) / 360.0 * scale), 0), last) for lon in (west, east)]
        rows = [min(max(math.floor(_row(lat) * scale), 0), last) for lat in (north, south)]
        tiles = Tiles(zoom, *columns, *rows)
        if tiles.number() > most:
            break
        found = tiles
    return found


def _stitch(tiles: Tiles, source: Mapping[str, Any], key: str) -> str:
    """All tiles as one JPEG picture, layers over each other."""
    from PIL import Image

    width, height = tiles.east - tiles.west + 1, tiles.south - tiles.north + 1
    whole = Image.new("RGBA", (width * TILE_PX, height * TILE_PX), "white")
    jobs = [(layer, x, y) for layer in source["layers"] for y in range(tiles.north, tiles.south + 1)
            for x in range(tiles.west, tiles.east + 1)]
    ask = _asker(tiles.zoom, source, key)
    first = ask(jobs[0])  # a refused key is found at once
    with ThreadPoolExecutor(max_workers=4) as pool:
        pictures = [first, *pool.map(ask, jobs[1:])]
    for (_, x, y), tile in zip(jobs, pictures, strict=True):
        whole.alpha_composite(tile, ((x - tiles.west) * TILE_PX, (y - tiles.north) * TILE_PX))
    return image_uri(whole.convert("RGB"), "JPEG", quality=72)


def _asker(zoom: int, source: Mapping[str, Any], key: str) -> Callable[[tuple[str, int, int]], Any]:
    """A function that fetches one tile; it gives up when all of them take too long."""
    opener = urllib.request.build_opener(_NoRedirect)
    servers, until = list(source["servers"]), time.monotonic() + WHOLE_S

    def ask(job: tuple[str, int, int]) -> Any:
        layer, x, y = job
        if time.monotonic() > until:
            raise _NotFetchedError("用时过长")
        url = str(source["url"]).format(server=servers[(x + y) % len(servers)], layer=layer, z=zoom, x=x, y=y,
                                        key=quote(key, safe=""))
        return _tile(_content(opener, url))

    return ask


def _content(opener: urllib.request.OpenerDirector, url: str) -> bytes:
    """What a server answers; errors without the address, which holds the key."""
    reason = ""
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "siteplan"})
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read(MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        reason = f"HTTP {error.code}"
        error.close()
    except (OSError, ValueError, http.client.HTTPException):
        reason = "连接不上"
    if reason:  # outside of the handler: no chained exception that would show the address
        raise _NotFetchedError(reason)
    if len(content) > MOST_BYTES:
        raise _NotFetchedError("答复不是图片")
    return content


def _tile(content: bytes) -> Any:
    """A tile as RGBA."""
    from PIL import Image

    try:
        image = Image.open(BytesIO(content), formats=("PNG", "JPEG"))
        if image.size == (TILE_PX, TILE_PX):
            return image.convert("RGBA")
    except (OSError, ValueError, SyntaxError):
        pass
    raise _NotFetchedError("答复不是图片")


def _row(lat: float) -> float:
    """Share of the way from the north to the south edge of the map."""
    lat = math.radians(min(max(lat, -_NORTH), _NORTH))
    return (1.0 - math.asinh(math.tan(lat)) / math.pi) / 2.0


def _latitude(row: int, zoom: int) -> float:
    return math.degrees(math.atan(math.sinh(math.pi * (1.0 - 2.0 * row / 2 ** zoom))))
