"""Pictures of the page: signal, probability and best server before and after, land newly covered, the relief."""

from __future__ import annotations

import colorsys
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.maps._classes import _SCALES, NO_SIGNAL, SERVER_COLOURS
from siteplan.maps._raster import (
    MAX_PIXELS,
    Frame,
    Palette,
    Picture,
    draw_classes,
    forget_frames,
    map_frame,
    paint,
    shade_ground,
)
from siteplan.maps._shapes import Json
from siteplan.maps._words import CHINESE, Say

if TYPE_CHECKING:
    from siteplan.plan import Plan

SIGNAL_COLOURS = ("#8c4a12", "#d9924a", "#b9d9ec", "#6aaed6", "#2878b8", "#0a3f7a")
"""No signal or far below the threshold, just below; then above it, ten dB a class: brown is lacking, blue covered."""
GAINED_COLOUR = "#f5c400"
MOST_SERVER_COLOURS = 254
_GOLDEN = 0.618033988749895


def draw_pictures(plan: Plan, least_m: float = 0.0) -> Json:
    """Every picture of a plan.

    Parameters
    ----------
    plan : Plan
    least_m : float
        Least edge of a pixel, m; above 0 (public pages) best servers and the relief are left out: they show where
        stations stand.

    Returns
    -------
    dict
        ``before, after, gained, probability_before, probability_after``, and ``relief, server_before, server_after``;
        each ``{uri, bounds}``.
    """
    frame = map_frame(plan.after.geobox, least_m)
    best = [coverage.any_5g() for coverage in (plan.before, plan.after)]
    rsrp = [frame.take(layer.rsrp_dbm, np.nan) for layer in best]
    chance = [frame.take(layer.probability, np.nan) for layer in best]
    before, after = (_signal_classes(signal, likely, plan.after.threshold_dbm)
                     for signal, likely in zip(rsrp, chance, strict=True))
    gained = ((after > 2) & (before > 0) & (before <= 2)).astype(np.uint8)
    palette = _opaque(SIGNAL_COLOURS)
    out = {"before": paint(before, frame, palette), "after": paint(after, frame, palette),
           "gained": paint(gained, frame, _opaque((GAINED_COLOUR,)))}
    scale = _SCALES["probability"](plan.after)
    colours = _opaque((NO_SIGNAL[0], *scale.colours))
    for state, signal, likely in zip(("before", "after"), rsrp, chance, strict=True):
        out[f"probability_{state}"] = paint(_chance_classes(signal, likely, scale.edges), frame, colours)
    if not least_m:
        out |= _server_pictures(plan, frame, [frame.take(layer.server, -1) for layer in best], chance)
        out |= _relief(plan)
    forget_frames()
    return {name: {"uri": picture.uri, "bounds": picture.bounds} for name, picture in out.items()}


def picture_legends(plan: Plan, say: Say = CHINESE) -> Json:
    """Colours and words of the pictures of probability and best server.

    Returns
    -------
    dict
        ``probability``: ``{colour, text}``, the highest first; ``server``: one entry, its ``colours`` only tell
        neighbours apart.
    """
    scale = _SCALES["probability"](plan.after)
    named = [*zip(scale.colours, (words[1] for words in scale.words), strict=True)][::-1]
    return {
        "probability": [*({"colour": colour, "text": text} for colour, text in named),
                        {"colour": NO_SIGNAL[0], "text": say("无信号")}],
        "server": [{"colour": SERVER_COLOURS[0], "colours": list(SERVER_COLOURS),
                    "text": say("颜色只区分相邻小区,本身没有含义")},
                   {"colour": NO_SIGNAL[0], "text": say("无信号")}],
    }


def signal_legend(threshold_dbm: float, say: Say = CHINESE) -> list[Json]:
    """Colour and meaning of each signal class, strongest first."""
    edges = _edges(threshold_dbm)
    texts = [say("< {edge} 或无信号(未覆盖)", edge=f"{edges[0]:g}"),
             *(f"{low:g} ~ {high:g}" for low, high in pairwise(edges)), f"≥ {edges[-1]:g}"]
    texts[1] += say("(弱,未覆盖)")
    return [{"colour": colour, "text": text} for colour, text in zip(SIGNAL_COLOURS, texts, strict=True)][::-1]


def neighbour_colours(servers: list[NDArray[np.integer]], count: int) -> NDArray[np.int64]:
    """A colour number for every server; servers side by side in any of the arrays never have the same one.

    Parameters
    ----------
    servers : list of ndarray of int (row, col)
        Server numbers, -1 none.
    count : int
        How many servers there are.

    Returns
    -------
    ndarray of int64 (count,)
        From 0 on, as few as the greedy order (most neighbours first) needs.

    Examples
    --------
    >>> neighbour_colours([np.array([[0, 0, 1], [0, 2, -1]])], 3).tolist()
    [0, 1, 1]
    """
    codes = []
    for server in servers:
        for a, b in ((server[:, :-1], server[:, 1:]), (server[:-1], server[1:])):
            apart = (a != b) & (a >= 0) & (b >= 0)
            low, high = np.minimum(a[apart], b[apart]).astype(np.int64), np.maximum(a[apart], b[apart])
            codes.append(np.unique(low * count + high))
    code = np.unique(np.concatenate(codes))
    near: list[list[int]] = [[] for _ in range(count)]
    for low, high in zip((code // max(count, 1)).tolist(), (code % max(count, 1)).tolist(), strict=True):
        near[low].append(high)
        near[high].append(low)
    out = np.zeros(count, np.int64)
    done = np.zeros(count, bool)
    for number in sorted(range(count), key=lambda server: (-len(near[server]), server)):
        taken = {int(out[other]) for other in near[number] if done[other]}
        out[number] = next(colour for colour in range(len(taken) + 1) if colour not in taken)
        done[number] = True
    return out


def server_palette(colours: int) -> tuple[str, ...]:
    """So many pale colours: those of pictures in notebooks first, further ones by the golden angle of hue."""
    more = []
    for number in range(max(colours - len(SERVER_COLOURS), 0)):
        red, green, blue = colorsys.hsv_to_rgb((0.1 + number * _GOLDEN) % 1.0, 0.3 + 0.25 * (number % 3), 0.9)
        more.append(f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}")
    return (*SERVER_COLOURS, *more)[:colours]


def _server_pictures(plan: Plan, frame: Frame, servers: list[np.ndarray], chance: list[np.ndarray],
                     ) -> dict[str, Picture]:
    """Best servers, one colour for a sector in both pictures."""
    numbered = _shared_numbers(plan, servers)
    count = 1 + max(int(server.max(initial=-1)) for server in numbered)
    colours = neighbour_colours(numbered, count)
    used = int(colours.max(initial=-1)) + 1
    palette = _opaque((NO_SIGNAL[0], *server_palette(min(used, MOST_SERVER_COLOURS))))
    looks = np.append(colours % MOST_SERVER_COLOURS + 2, 1).astype(np.uint8)  # the last one is that of no server
    out = {}
    for state, server, likely in zip(("before", "after"), numbered, chance, strict=True):
        out[f"server_{state}"] = paint(np.where(np.isnan(likely), 0, looks[server]).astype(np.uint8), frame, palette)
    return out


def _shared_numbers(plan: Plan, servers: list[np.ndarray]) -> list[np.ndarray]:
    """Server numbers under which a sector is the same one before and after."""
    names: dict[str, int] = {}
    out = []
    for coverage, server in zip((plan.before, plan.after), servers, strict=True):
        numbers = [names.setdefault(str(sector), len(names)) for sector in coverage.sector_ids]
        out.append(np.array([*numbers, -1], np.int64)[server])
    return out


def _relief(plan: Plan) -> dict[str, Picture]:
    """The ground as grey shades; nothing where it is flat."""
    surface, ground = plan.surface.geobox, plan.surface.ground_m
    every = math.ceil((ground.size / MAX_PIXELS) ** 0.5) if ground.size else 1
    if every > 1:  # not more of the ground than the picture shows
        ground = ground[every // 2::every, every // 2::every]
        surface = GeoBox(ground.shape, surface.affine @ Affine.scale(every), surface.crs)
    relief = shade_ground(ground, abs(float(surface.affine.a)))
    if not relief.any():
        return {}
    return {"relief": draw_classes(relief, surface, [(grey, grey, grey, 255) for grey in range(178, 255, 11)])}


def _signal_classes(rsrp_dbm: np.ndarray, probability: np.ndarray, threshold_dbm: float) -> np.ndarray:
    """uint8 class numbers: 0 unknown, 1 no signal or far below the threshold, ... 6 strongest."""
    signal = np.where(np.isfinite(rsrp_dbm), rsrp_dbm, np.float32(-999.0))
    classes = 1 + np.digitize(signal, _edges(threshold_dbm))
    known = np.isfinite(rsrp_dbm) | np.isfinite(probability)
    return np.where(known, classes, 0).astype(np.uint8)


def _chance_classes(rsrp_dbm: np.ndarray, probability: np.ndarray, edges: Any) -> np.ndarray:
    """uint8 class numbers: 0 unknown, 1 no signal, then the classes of the scale."""
    classes = np.digitize(np.nan_to_num(probability), edges) + 2
    classes[np.isnan(rsrp_dbm)] = 1
    classes[np.isnan(probability)] = 0
    return classes.astype(np.uint8)


def _edges(threshold_dbm: float) -> list[float]:
    return [threshold_dbm + step for step in (-10.0, 0.0, 10.0, 20.0, 30.0)]


def _opaque(colours: tuple[str, ...]) -> Palette:
    return [(int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16), 255) for colour in colours]
