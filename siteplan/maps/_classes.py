"""Results of a coverage as classes with a colour and words each: what the pictures show, before they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siteplan.coverage import Coverage, Network
from siteplan.coverage._nouns import Layer
from siteplan.errors import ModelError

Words = tuple[str, str]
"""English and Chinese: a bool "in Chinese" picks one."""
Classes = NDArray[np.uint8]

NO_SIGNAL: tuple[str, Words] = ("#bdbdbd", ("no signal", "无信号"))
OUTDOORS: tuple[str, Words] = ("#fafaf7", ("outside of buildings", "建筑物以外"))
SERVER_COLOURS = ("#77aadd", "#ee8866", "#eedd88", "#ffaabb", "#99ddff", "#44bb99", "#bbcc33")
"""Pale colours that the colour-blind tell apart (Paul Tol, "light")."""
_SIGNAL = ("#6b3a10", "#b5733a", "#e8c196", "#cfe1f2", "#8fbfdf", "#4a90c5", "#1c5f9f", "#0a2f66")
_QUALITY = ("#7f3b08", "#d0741a", "#fcc983", "#d8daeb", "#998ec3", "#542788")
_CHANCE = ("#6e3b07", "#a8692a", "#dcb877", "#c3e5df", "#5fb3a8", "#0b5f57")
_COUNT = ("#f6efc0", "#cfe0a0", "#8fcb9b", "#4fae9f", "#2f7f98", "#2a4f86", "#2b1f63")
_LEAD = ("#7a0177", "#c85a9c", "#f3b6c8", "#c9dfc4", "#73b08a", "#1f6f4a")
_CHANGE = ("#8c2d04", "#e07b39", "#f9cfae", "#f4f4f4", "#c2d9ec", "#5b9bd0", "#0b4a8f")
_LOST, _GAINED = ("#3d1300", ("signal lost", "信号消失")), ("#041f42", ("signal gained", "新有信号"))
REPORTED_SINR_DB = 40.0
"""Terminals report no SS-SINR above this, 3GPP TS 38.133 table 10.1.16.1-1."""
_DECIBEL_STEPS = (-10.0, -3.0, -1.0, 1.0, 3.0, 10.0)


class ClassMap(NamedTuple):
    """Classes of every pixel and what they mean.

    ``classes`` is uint8 (row, col): 0 no data, k the entry ``legend[k - 1]`` of (colour, words).
    """

    classes: Classes
    legend: tuple[tuple[str, Words], ...]
    title: Words
    heading: Words


class ClassScale(NamedTuple):
    """One kind of picture: what is drawn, its classes (from one of the edges up to below the next) and words.

    ``steps`` and ``unit`` are those of a difference.
    """

    values: Callable[[Layer], NDArray[np.float32]]
    edges: tuple[float, ...]
    colours: tuple[str, ...]
    words: tuple[Words, ...]
    title: Words
    heading: Words
    steps: tuple[float, ...]
    unit: str


def _ranges(edges: Sequence[float], scale: float = 1.0, unit: str = "") -> tuple[Words, ...]:
    """Words of the classes between edges, and below and above them."""
    shown = [f"{edge * scale:g}" for edge in edges]
    texts = [f"< {shown[0]}{unit}", *(f"{a} ~ {b}{unit}" for a, b in pairwise(shown)), f"≥ {shown[-1]}{unit}"]
    return tuple((text, text) for text in texts)


def _count_words(edges: Sequence[float]) -> tuple[Words, ...]:
    """Words of classes of whole numbers."""
    ends = [int(np.ceil(edge)) for edge in edges]
    texts = [f"{a}" if b - a == 1 else f"{a} ~ {b - 1}" for a, b in pairwise((0, *ends))]
    return tuple((text, text) for text in (*texts, f"≥ {ends[-1]}"))


def _load_words(coverage: Coverage) -> Words:
    """Load of the interfering sectors."""
    load = coverage.spectrum.load
    if load.size == 0:
        return "", ""
    low, high = (f"{100.0 * float(value):.0f}" for value in (load.min(), load.max()))
    text = f"{low} %" if low == high else f"{low} ~ {high} %"
    return f"\nload {text}", f"\n小区负荷 {text}"


def _beyond_words(coverage: Coverage) -> Words:
    """What values above all that terminals report are worth; nothing where there are none."""
    if not any((layer.sinr_db > REPORTED_SINR_DB).any() for layer in coverage.layers):
        return "", ""
    return f"\nterminals report {REPORTED_SINR_DB:g} at most", f"\n终端至多报 {REPORTED_SINR_DB:g}"


def signal_scale(threshold: float) -> ClassScale:
    """Classes of SS-RSRP around a threshold, dBm."""
    edges = tuple(threshold + step for step in (-20.0, -10.0, 0.0, 10.0, 20.0, 30.0, 40.0))
    return ClassScale(lambda layer: layer.rsrp_dbm, edges, _SIGNAL, _ranges(edges), ("SS-RSRP, median", "SS-RSRP 中值"),
                  (f"dBm\nthreshold {threshold:g}", f"dBm（门限 {threshold:g}）\n褐色低于门限"), _DECIBEL_STEPS, "dB")


def _quality_scale(coverage: Coverage) -> ClassScale:
    edges = (-5.0, 0.0, 5.0, 15.0, 25.0)
    load, beyond = _load_words(coverage), _beyond_words(coverage)
    return ClassScale(lambda layer: layer.sinr_db, edges, _QUALITY, _ranges(edges), ("SS-SINR", "SS-SINR"),
                  ("dB" + load[0] + beyond[0], "dB" + load[1] + beyond[1]), _DECIBEL_STEPS, "dB")


def chance_scale(title: Words, threshold_dbm: float, inside: bool) -> ClassScale:
    """Classes of the coverage probability, outdoors or ``inside`` buildings."""
    def values(layer: Layer) -> NDArray[np.float32]:
        if not inside:
            return layer.probability
        if layer.indoor_probability is None:
            raise ModelError("the signal inside was not predicted: set coverage.indoor")
        return layer.indoor_probability

    edges = (0.25, 0.5, 0.75, 0.9, 0.95)
    return ClassScale(values, edges, _CHANCE, _ranges(edges, 100.0, " %"), title,
                  (f"threshold {threshold_dbm:g} dBm", f"门限 {threshold_dbm:g} dBm"),
                  (-0.25, -0.1, -0.02, 0.02, 0.1, 0.25), "%")


def _count_scale(coverage: Coverage) -> ClassScale:
    edges = (0.5, 1.5, 2.5, 3.5, 5.5, 8.5)
    threshold = coverage.threshold_dbm
    return ClassScale(lambda layer: np.where(np.isnan(layer.rsrp_dbm), np.float32(np.nan),
                                         layer.servers_above.astype(np.float32)), edges, _COUNT, _count_words(edges),
                  ("Sectors above the threshold", "达到门限的小区数"), (f"≥ {threshold:g} dBm", f"≥ {threshold:g} dBm"),
                  (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5), "")


def _lead_scale(_coverage: Coverage) -> ClassScale:
    edges = (3.0, 6.0, 10.0, 20.0)
    words = (*_ranges(edges), ("one sector only", "只有一个小区"))

    def values(layer: Layer) -> NDArray[np.float32]:
        alone = np.isnan(layer.second_rsrp_dbm) & ~np.isnan(layer.rsrp_dbm)
        return np.where(alone, np.float32(1000.0), layer.rsrp_dbm - layer.second_rsrp_dbm)

    return ClassScale(values, (*edges, 500.0), _LEAD, words, ("Best less second sector", "最强与次强小区之差"), ("dB", "dB"),
                  _DECIBEL_STEPS, "dB")


_SCALES: dict[str, Callable[[Coverage], ClassScale]] = {
    "rsrp": lambda c: signal_scale(c.threshold_dbm), "sinr": _quality_scale,
    "probability": lambda c: chance_scale(("coverage probability", "覆盖概率"), c.threshold_dbm, False),
    "indoor": lambda c: chance_scale(("coverage probability inside buildings", "建筑物内覆盖概率"),
                                      c.indoor_threshold_dbm, True),
    "servers_above": _count_scale, "dominance": _lead_scale,
}
KINDS = (*_SCALES, "server")
"""What can be drawn."""


def _layer_of(coverage: Coverage, network: Network | None) -> Layer:
    return coverage.any_5g() if network is None else coverage.layer(network)


def _title(words: Words, network: Network | None) -> Words:
    of = ("any 5G network", "任一5G网络") if network is None else (f"{network.name} {network.technology}",) * 2
    return f"Predicted {words[0]} ({of[0]})", f"预测 · {words[1]}（{of[1]}）"


def _known(what: str) -> None:
    if what not in KINDS:
        raise ModelError(f"no picture of {what!r}; there are {', '.join(KINDS)}")


def _classed(layer: Layer, scale: ClassScale, what: str) -> Classes:
    """0 no data, 1 no signal (for ``indoor``: outside of buildings), then the classes of the scale."""
    values = scale.values(layer)
    out = (np.digitize(np.nan_to_num(values), scale.edges) + 2).astype(np.uint8)
    out[np.isnan(values)] = 1
    if what == "probability":
        out[np.isnan(layer.rsrp_dbm)] = 1
    out[np.isnan(layer.probability)] = 0
    return out


def class_map(coverage: Coverage, what: str, network: Network | None = None) -> ClassMap:
    """One result of a coverage as classes.

    Parameters
    ----------
    coverage : Coverage
    what : str
        One of ``KINDS``.
    network : Network, optional
        The best of the 5G networks when absent.

    Raises
    ------
    ModelError
        For an unknown ``what`` or network, and for the signal inside where it was not predicted.
    """
    _known(what)
    layer = _layer_of(coverage, network)
    if what == "server":
        colours = colour_servers([layer.server], len(coverage.sector_ids))
        return _server_map(layer, colours[layer.server], network)
    scale = _SCALES[what](coverage)
    plain = OUTDOORS if what == "indoor" else NO_SIGNAL
    legend = (plain, *zip(scale.colours, scale.words, strict=True))
    return ClassMap(_classed(layer, scale, what), legend, _title(scale.title, network), scale.heading)


def _server_map(layer: Layer, colour: NDArray[np.int64], network: Network | None) -> ClassMap:
    classes = np.where(layer.server >= 0, colour + 2, 1).astype(np.uint8)
    classes[np.isnan(layer.probability)] = 0
    legend = (NO_SIGNAL, *((colour, ("", "")) for colour in SERVER_COLOURS))
    heading = "colours only tell\nneighbours apart", "颜色只区分相邻小区，\n本身没有含义"
    return ClassMap(classes, legend, _title(("best server", "主服小区"), network), heading)


def difference_map(before: Coverage, after: Coverage, what: str, network: Network | None = None,
                   ) -> tuple[ClassMap, ClassMap, ClassMap]:
    """One result before, after, and after less before, as classes; both on the same grid.

    Raises
    ------
    ModelError
        As :func:`class_map`.
    """
    _known(what)
    old, new = _layer_of(before, network), _layer_of(after, network)
    if what == "server":
        return _server_change(before, after, (old, new), network)
    scale = _SCALES[what](before)
    first, second = scale.values(old), scale.values(new)
    scaled = 100.0 if scale.unit == "%" else 1.0
    words = _ranges(scale.steps, scaled, f" {scale.unit}")
    if what == "servers_above":
        words = tuple((text, text) for text in ("≤ -3", "-2", "-1", "0", "1", "2", "≥ 3"))
    plain = OUTDOORS if what == "indoor" else NO_SIGNAL
    step = _change_of(first, second, scale.steps) + 2
    step[np.isnan(first) & np.isnan(second)] = 1
    legend = [plain, *zip(_CHANGE, words, strict=True)]
    if what not in ("probability", "indoor"):
        step[~np.isnan(first) & np.isnan(second)] = len(legend) + 1
        step[np.isnan(first) & ~np.isnan(second)] = len(legend) + 2
        legend += [_LOST, _GAINED]
    step[np.isnan(old.probability) | np.isnan(new.probability)] = 0
    title = f"change of {scale.title[0]}", f"{scale.title[1]}的变化"
    change = ClassMap(step.astype(np.uint8), tuple(legend), _title(title, network), ("after - before", "后 − 前"))
    return class_map(before, what, network), class_map(after, what, network), change


def _change_of(first: NDArray[np.float32], second: NDArray[np.float32], steps: Iterable[float]) -> NDArray[np.int64]:
    return np.asarray(np.digitize(np.nan_to_num(second - first), tuple(steps)), np.int64)


def _server_change(before: Coverage, after: Coverage, layers: tuple[Layer, Layer], network: Network | None,
                   ) -> tuple[ClassMap, ClassMap, ClassMap]:
    """Best servers with one colour per sector in both pictures, and where the server is another one."""
    names = {name: number for number, name in enumerate(dict.fromkeys((*before.sector_ids, *after.sector_ids)))}
    servers = []
    for coverage, layer in zip((before, after), layers, strict=True):
        numbers = np.array([*(names[name] for name in coverage.sector_ids), -1], np.int64)
        servers.append(numbers[layer.server])
    colours = colour_servers(servers, len(names))
    maps = [_server_map(layer._replace(server=server.astype(np.int32)), colours[server], network)
            for layer, server in zip(layers, servers, strict=True)]
    old, new = servers
    step = np.where(old == new, 2, 3)
    step[(old < 0) & (new < 0)], step[(old >= 0) & (new < 0)], step[(old < 0) & (new >= 0)] = 1, 4, 5
    step[np.isnan(layers[0].probability) | np.isnan(layers[1].probability)] = 0
    legend = (NO_SIGNAL, (_CHANGE[3], ("same server", "主服不变")), (_CHANGE[5], ("another server", "主服改变")), _LOST,
              _GAINED)
    title = _title(("change of the best server", "主服小区的变化"), network)
    return maps[0], maps[1], ClassMap(step.astype(np.uint8), legend, title, ("after - before", "后 − 前"))


def colour_servers(servers: Sequence[NDArray[np.integer]], count: int) -> NDArray[np.int64]:
    """A colour number for every server, so that neighbouring footprints differ.

    Parameters
    ----------
    servers : sequence of ndarray of int (row, col)
        Server numbers, -1 none. Servers side by side in any of them are neighbours.
    count : int
        How many servers there are.

    Returns
    -------
    ndarray of int64 (count + 1,)
        0 .. ``len(SERVER_COLOURS) - 1``; the last entry, 0, is that of "none" (-1).

    Notes
    -----
    Greedy: servers with much border first; each takes the colour that shares the least border with it, of equal ones
    the least used, then the first. Neighbours can be equal only where a server has as many neighbours as there are
    colours; then the shortest borders are.

    Examples
    --------
    >>> colours = colour_servers([np.array([[0, 0, 1], [0, 2, -1]])], 3)
    >>> len(set(colours[:3].tolist()))
    3
    """
    import scipy.sparse as sp

    codes = []
    for server in servers:
        for a, b in ((server[:, :-1], server[:, 1:]), (server[:-1], server[1:])):
            apart = (a != b) & (a >= 0) & (b >= 0)
            codes.append(np.minimum(a, b)[apart].astype(np.int64) * count + np.maximum(a, b)[apart])
    code, length = np.unique(np.concatenate(codes), return_counts=True)
    low, high = (code // count, code % count) if count else (code, code)
    border = sp.coo_matrix((length, (low, high)), shape=(count, count)).tocsr()
    border = (border + border.T).tocsr()
    total = np.asarray(border.sum(axis=1)).ravel()
    out, used = np.full(count + 1, -1, np.int64), np.zeros(len(SERVER_COLOURS), np.int64)
    for number in np.lexsort((np.arange(count), -total)):
        near = slice(border.indptr[number], border.indptr[number + 1])
        theirs, shared = out[border.indices[near]], border.data[near]
        cost = np.bincount(theirs[theirs >= 0], shared[theirs >= 0], len(SERVER_COLOURS))
        out[number] = np.lexsort((np.arange(used.size), used, cost))[0]
        used[out[number]] += 1
    out[-1] = 0
    return out
