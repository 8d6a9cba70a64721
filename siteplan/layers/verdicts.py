"""A verdict on every file and every layer that was read: usable, usable with a loss or a doubt, not usable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from siteplan.layers.collection import InputFile, Layers
from siteplan.params import LAYER_NAMES

USABLE, LOSSES, DOUBT, UNUSABLE = "可用", "可用，有拒收", "存疑", "不可用"
"""Verdicts, from good to bad."""


@dataclass(frozen=True)
class Verdict:
    """What a planner should think of a file or of a layer: ``word`` is one of the verdicts, ``why`` a sentence."""

    layer: str
    file: str
    word: str
    why: str


def file_verdict(file: InputFile, doubt: str = "") -> Verdict:
    """The verdict on one file.

    Parameters
    ----------
    file : InputFile
    doubt : str
        What speaks against its coordinates, empty when nothing does.

    Examples
    --------
    >>> file_verdict(InputFile("poles", "p.csv", 9, "", "utf-8", "EPSG:4326", "", 10, 8, 2)).word
    '可用，有拒收'
    """
    if file.problem:
        return Verdict(file.layer, file.file, UNUSABLE, file.problem)
    if file.rows_in and not file.rows_kept:
        return Verdict(file.layer, file.file, UNUSABLE, "没有一行可用")
    if doubt:
        lost = f"拒收 {file.rows_refused} 行；" if file.rows_refused else ""
        return Verdict(file.layer, file.file, DOUBT, lost + doubt)
    if file.rows_refused:
        return Verdict(file.layer, file.file, LOSSES, f"拒收 {file.rows_refused} 行")
    return Verdict(file.layer, file.file, USABLE, "")


def file_verdicts(layers: Layers) -> list[Verdict]:
    """One verdict per file, in the order of ``layers.files``."""
    known = {(file.layer, file.file) for file in layers.files}
    doubts = {(found.layer, file): found.doubt for found in layers.alignments
              for file in ([found.file] if (found.layer, found.file) in known else found.file.split("、"))}
    return [file_verdict(file, doubts.get((file.layer, file.file), "")) for file in layers.files]


def layer_verdicts(layers: Layers) -> list[Verdict]:
    """One verdict per layer that the study names: that of its worst file, unless other files make it usable."""
    by_layer: dict[str, list[Verdict]] = {}
    for verdict in file_verdicts(layers):
        by_layer.setdefault(verdict.layer, []).append(verdict)
    for problem in layers.problems:
        by_layer.setdefault(problem.layer, [])
    order = {name: number for number, name in enumerate(LAYER_NAMES)}
    return [_of_layer(layers, name, by_layer[name]) for name in sorted(by_layer, key=lambda name: order.get(name, -1))]


def _of_layer(layers: Layers, name: str, files: Sequence[Verdict]) -> Verdict:
    stops = [problem.reason for problem in layers.problems if problem.layer == name]
    if files and not stops and not layers.has(name) and all(verdict.word == USABLE for verdict in files):
        return Verdict(name, "", USABLE, "没有一行数据")
    if stops or not layers.has(name):
        return Verdict(name, "", UNUSABLE, (stops or [verdict.why for verdict in files] or [""])[0])
    if len(files) == 1:
        return Verdict(name, "", files[0].word, files[0].why)
    counts = {word: sum(verdict.word == word for verdict in files) for word in (DOUBT, UNUSABLE, LOSSES)}
    why = "；".join(f"{count} 个文件{word}" for word, count in counts.items() if count)
    word = DOUBT if counts[DOUBT] else (LOSSES if why else USABLE)
    return Verdict(name, "", word, why)
