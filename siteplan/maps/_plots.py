"""Pictures of a coverage for notebooks and reports: classed colours, a legend in words, and what a map must say."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.coverage import Coverage, Network
from siteplan.errors import ExportError, ModelError
from siteplan.fonts import FONTS, FontError, chinese_families
from siteplan.grid import pixel_of
from siteplan.maps._classes import ClassMap, Words, class_map, difference_map
from siteplan.params import StudyInfo
from siteplan.surface import Surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.font_manager import FontManager

UNKNOWN_COLOUR, UNKNOWN_LINES = "#ececec", "#a8a8a8"
_WORDS: Mapping[str, Words] = {
    "unknown": ("no data", "无数据"), "metres": ("m, north up", "米 · 上为北"), "kilometres": ("km, north up", "千米 · 上为北"),
    "masts": ("stations", "基站"), "before": (" - before", " · 变更前"), "after": (" - after", " · 变更后"),
    "predicted": ("Predicted by a model, not measured.", "模型预测值，非实测。"), "synthetic": ("Synthetic data.", "合成数据。"),
    "stand_in": ("4G cells stand in for 5G.", "以 4G 小区代替 5G。"), "approval": ("Map approval no.", "审图号："),
}
_LIGHT_STEP = 0.04
_MANY_MASTS = 400
"""With more masts than this a picture shows smaller marks, and no azimuths."""


def plot_coverage(coverage: Coverage, what: str, ax: Axes | None = None, *, network: Network | None = None,
                  boundary: gpd.GeoDataFrame | None = None, surface: Surface | None = None,
                  sectors: pd.DataFrame | None = None, study: StudyInfo | None = None) -> Axes:
    """Draw one result of a coverage.

    Parameters
    ----------
    coverage : Coverage
    what : str
        ``rsrp`` (best SS-RSRP), ``server`` (best server), ``sinr``, ``probability``, ``indoor`` (probability inside
        buildings), ``servers_above`` (sectors that come up to the threshold) or ``dominance`` (best less second, dB).
    ax : Axes, optional
        A new figure when absent.
    network : Network, optional
        The best of the 5G networks when absent.
    boundary : GeoDataFrame, optional
        Outlined; in the CRS of the coverage.
    surface : Surface, optional
        Its relief is shaded into the colours; its grid must hold that of the coverage.
    sectors : DataFrame, optional
        Table of sectors: masts of those that the coverage knows are marked, and azimuths on a picture of servers.
    study : StudyInfo, optional
        Its notices stand under the picture, as that it is synthetic or that 4G stands in for 5G.

    Returns
    -------
    Axes
        In metres of the CRS. Words are Chinese where a font has them, else English; ``rcParams`` stay as they are.

    Raises
    ------
    ModelError
        For an unknown ``what`` or network, the signal inside where it was not predicted, or a surface elsewhere.

    Examples
    --------
    >>> axes = plot_coverage(coverage, "rsrp", boundary=boundary)  # doctest: +SKIP
    >>> axes.figure.savefig("rsrp.png")  # doctest: +SKIP
    """
    picture = class_map(coverage, what, network)
    shade = _shade(surface, coverage.geobox)
    with _lettering() as chinese:
        axes = _new_axes(1, coverage.geobox)[0] if ax is None else ax
        _draw(axes, picture, coverage.geobox, shade)
        _overlay(axes, coverage.geobox, boundary, _masts(sectors, coverage.sector_ids, network), what == "server")
        axes.set_title(picture.title[chinese], fontsize=11, fontfamily=_family())
        _legend(axes, picture, chinese)
        _scale_bar(axes, coverage.geobox, chinese)
        axes.set_xlabel(_wrap(_notice(study, chinese), _columns(axes)), fontsize=7, loc="left", color="#444444",
                        fontfamily=_family())
    return axes


def plot_comparison(before: Coverage, after: Coverage, what: str, *, network: Network | None = None,
                    boundary: gpd.GeoDataFrame | None = None, surface: Surface | None = None,
                    sectors: pd.DataFrame | None = None, study: StudyInfo | None = None) -> tuple[Axes, Axes, Axes]:
    """Draw a result before and after a change, and the difference.

    Parameters
    ----------
    before, after : Coverage
        On the same grid, as :func:`what_if` gives them.
    what, network, boundary, surface, sectors, study
        As in :func:`plot_coverage`. A server keeps its colour in both pictures. The third marks the masts of sectors
        that only one of the coverages knows, where there are such.

    Returns
    -------
    tuple of three Axes
        Of a new figure: before, after, after less before.

    Raises
    ------
    ModelError
        As :func:`plot_coverage`; when the grids differ.

    Examples
    --------
    >>> axes = plot_comparison(change.before, change.after, "rsrp")  # doctest: +SKIP
    """
    if before.geobox != after.geobox:
        raise ModelError("coverages of different grids cannot be compared")
    geobox = before.geobox
    pictures = difference_map(before, after, what, network)
    shade = _shade(surface, geobox)
    others = set(before.sector_ids) ^ set(after.sector_ids)
    standing = before.sector_ids, after.sector_ids, others or before.sector_ids
    with _lettering() as chinese:
        axes = _new_axes(3, geobox)
        for number, (axis, picture) in enumerate(zip(axes, pictures, strict=True)):
            _draw(axis, picture, geobox, shade)
            _overlay(axis, geobox, boundary, _masts(sectors, standing[number], network), what == "server")
            _scale_bar(axis, geobox, chinese)
            state = _WORDS[("before", "after")[number]][chinese] if number < 2 else ""
            axis.set_title(picture.title[chinese] + state, fontsize=10)
            _legend(axis, picture, chinese, below=True)
        axes[0].figure.supxlabel(_wrap(_notice(study, chinese), 200), fontsize=7, x=0.01, ha="left", color="#444444")
    return axes[0], axes[1], axes[2]


@contextmanager
def _lettering() -> Iterator[bool]:
    """Texts made inside take a font with Chinese where there is one; yields whether there is."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    if not plt.get_fignums():  # loads the backend now: inside of the context its own settings would be put back
        plt.switch_backend(mpl.get_backend())
    with mpl.rc_context({"font.family": _family()}):
        yield bool(chinese_fonts())


def _family() -> list[str]:
    """Fonts of all texts; titles and labels of the caller's axes, made before :func:`_lettering`, need to be told."""
    return [*chinese_fonts()[:1], "DejaVu Sans"]


def chinese_fonts(manager: FontManager | None = None) -> tuple[str, ...]:
    """Fonts with Chinese that are installed, best first; ``manager`` is matplotlib's when absent.

    Raises
    ------
    ExportError
        The font that ``SITEPLAN_FONT`` names is not there or has no Chinese.

    Examples
    --------
    >>> set(chinese_fonts()) <= set(FONTS)
    True
    """
    try:
        return chinese_families(manager, FONTS)
    except FontError as error:
        raise ExportError(str(error)) from error


def _new_axes(count: int, geobox: GeoBox) -> list[Axes]:
    """Axes side by side in a new figure of the grid's shape, with room for the legends."""
    import matplotlib.pyplot as plt

    rows, cols = geobox.shape
    width = 7.4 if count == 1 else 5.0
    height = min(max(width * rows / cols, 0.45 * width), 1.5 * width) + (0.6 if count == 1 else 1.7)
    size = (width + 2.0 if count == 1 else count * width, height)
    figure, axes = plt.subplots(1, count, figsize=size, layout="compressed", squeeze=False)
    figure.set_dpi(110)
    return list(axes[0])


def _draw(axes: Axes, picture: ClassMap, geobox: GeoBox, shade: NDArray[np.float32] | None) -> None:
    """Classes in their colours; what is unknown shows the hatched ground of the axes."""
    from matplotlib.colors import to_rgb

    palette = np.array([(0.0, 0.0, 0.0), *(to_rgb(colour) for colour, _ in picture.legend)], np.float32)
    image = np.ones((*picture.classes.shape, 4), np.float32)
    image[..., :3] = palette[picture.classes]
    if shade is not None:
        image[..., :3] *= shade[..., None]
    image[..., 3] = picture.classes > 0
    box = geobox.boundingbox
    axes.patch.set(facecolor=UNKNOWN_COLOUR, edgecolor=UNKNOWN_LINES, hatch="///")
    axes.imshow((np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8), interpolation="nearest", aspect="equal",
                extent=(box.left, box.right, box.bottom, box.top))
    axes.set(xticks=[], yticks=[], xlim=(box.left, box.right), ylim=(box.bottom, box.top))


def _shade(surface: Surface | None, geobox: GeoBox) -> NDArray[np.float32] | None:
    """Light of the relief on the grid of the coverage, 0.8..1.04 in steps (flat ground 1); None without a surface."""
    if surface is None:
        return None
    affine, whole = geobox.affine, surface.geobox
    row, col = (int(part[0]) for part in pixel_of(whole, [affine.c + affine.a / 2.0], [affine.f + affine.e / 2.0]))
    rows, cols = geobox.shape
    if min(row, col) < 0 or whole[row:row + rows, col:col + cols] != geobox:
        raise ModelError("the surface lies on another grid than the coverage")
    ground = surface.ground_m[row:row + rows, col:col + cols]
    to_south, to_east = np.gradient(ground, surface.pixel_m) if min(rows, cols) > 1 else (0.0 * ground, 0.0 * ground)
    east, north = -2.0 * to_east, 2.0 * to_south
    light = (-0.5 * east + 0.5 * north + 0.5**0.5) / np.sqrt(1.0 + east**2 + north**2)
    steps = np.rint((0.28 * (light - 0.5**0.5)) / _LIGHT_STEP)  # few colours make small files
    return (1.0 + _LIGHT_STEP * np.clip(steps, -5.0, 1.0)).astype(np.float32)


def _masts(sectors: pd.DataFrame | None, known: Collection[str], network: Network | None) -> pd.DataFrame | None:
    """Sectors among ``known`` of the picture's networks that radiate outdoors."""
    if sectors is None:
        return None
    technology = "5G" if network is None else network.technology
    chosen = (sectors["technology"] == technology) & (sectors["kind"] != "indoor")
    chosen &= sectors.index.astype(str).isin(list(known))
    if network is not None:
        serves = sectors["networks"].astype(str).str.split("|", regex=False)
        chosen &= serves.map(lambda names: network.name in names or "*" in names).astype(bool)
    return sectors[chosen]


def _overlay(axes: Axes, geobox: GeoBox, boundary: gpd.GeoDataFrame | None, masts: pd.DataFrame | None,
             azimuths: bool) -> None:
    """Outline of the boundary, masts, and the azimuths of their sectors where asked for and not too many."""
    from matplotlib.collections import LineCollection

    box = geobox.boundingbox
    limits = axes.get_xlim(), axes.get_ylim()
    if boundary is not None and len(boundary):
        outline = shapely.get_parts(boundary.geometry.boundary.to_numpy())
        axes.add_collection(LineCollection([shapely.get_coordinates(line) for line in outline], colors="black",
                                           linewidths=1.0, gid="boundary"), autolim=False)
    if masts is not None and len(masts):
        x, y = masts["x"].to_numpy(float), masts["y"].to_numpy(float)
        inside = (x >= box.left) & (x <= box.right) & (y >= box.bottom) & (y <= box.top)
        x, y, azimuth = x[inside], y[inside], masts["azimuth_deg"].to_numpy(float)[inside]
        places = np.unique(np.stack([x, y], axis=1), axis=0)
        few = len(places) <= _MANY_MASTS
        if azimuths and few:
            length = min(0.025 * (box.right - box.left), 0.4 * ((box.right - box.left) * (box.top - box.bottom)
                                                                / max(len(places), 1)) ** 0.5)
            angle = np.radians(azimuth)
            tips = np.stack([x + length * np.sin(angle), y + length * np.cos(angle)], axis=1)
            lines = np.stack([np.stack([x, y], axis=1), tips], axis=1)[~np.isnan(angle)]
            axes.add_collection(LineCollection(list(lines), colors="black", linewidths=0.7), autolim=False)
        axes.scatter(places[:, 0], places[:, 1], s=12 if few else 1.5, marker="^" if few else ".", color="black",
                     edgecolor="white", linewidth=0.4 if few else 0.0, zorder=3, gid="masts")
    axes.set(xlim=limits[0], ylim=limits[1], xlabel="", ylabel="")


def _legend(axes: Axes, picture: ClassMap, chinese: bool, below: bool = False) -> None:
    """The classes from the last (best) to the first, then what the picture has of masts and of unknown pixels."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    there = np.unique(picture.classes)
    special = {1: 1 in there}  # "no signal" is told only where there is some
    handles: list[Any] = [
        Patch(facecolor=colour, edgecolor="#777777", linewidth=0.4, label=words[chinese])
        for number, (colour, words) in reversed(list(enumerate(picture.legend, start=1)))
        if special.get(number, True) and words[chinese]]
    if 0 in there:
        handles.append(Patch(facecolor=UNKNOWN_COLOUR, edgecolor=UNKNOWN_LINES, hatch="////", linewidth=0.4,
                             label=_WORDS["unknown"][chinese]))
    if any(artist.get_gid() == "masts" for artist in axes.collections):
        handles.append(Line2D([], [], color="black", marker="^", linestyle="none", markersize=4,
                              label=_WORDS["masts"][chinese]))
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
    if below:
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.01), "ncols": 3}
    legend = axes.legend(handles=handles, title=picture.heading[chinese] or None, fontsize=8, title_fontsize=8,
                         frameon=False, borderaxespad=0.0, **place)
    legend.get_title().set(multialignment="left", linespacing=1.5)
    legend.set_alignment("left")


def _scale_bar(axes: Axes, geobox: GeoBox, chinese: bool) -> None:
    """A bar of a round length, about a fifth of the picture's width."""
    from matplotlib.offsetbox import AnchoredOffsetbox, AuxTransformBox, TextArea, VPacker
    from matplotlib.patches import Rectangle

    box = geobox.boundingbox
    length = round_length(0.25 * (box.right - box.left))
    number, unit = (length / 1000.0, "kilometres") if length >= 1000.0 else (length, "metres")
    line = AuxTransformBox(axes.transData)
    line.add_artist(Rectangle((0.0, 0.0), length, 0.006 * (box.top - box.bottom), color="black"))
    text = TextArea(f"{number:g} {_WORDS[unit][chinese]}", textprops={"fontsize": 7})
    bar = AnchoredOffsetbox("lower left", pad=0.3, borderpad=0.4,
                            child=VPacker(children=[line, text], align="center", pad=0, sep=3))
    bar.patch.set(alpha=0.85, linewidth=0.4)
    axes.add_artist(bar)


def round_length(longest: float) -> float:
    """The greatest of 1, 2, 5, 10, 20, 50, ... that is not longer.

    Examples
    --------
    >>> [round_length(value) for value in (1.0, 4.9, 730.0)]
    [1.0, 2.0, 500.0]
    """
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= longest * (1.0 + 1e-9)))


def _notice(study: StudyInfo | None, chinese: bool) -> str:
    """What stands under every picture: that it is predicted, and what the study says of its data."""
    parts = [_WORDS["predicted"][chinese]]
    if study is not None:
        told = any(_WORDS["synthetic"][True].rstrip("。") in notice for notice in study.notices)
        parts += [_WORDS["synthetic"][chinese]] * (study.synthetic and not told)
        parts += [_WORDS["stand_in"][chinese]] * study.stand_in_5g
        parts += [notice if notice[-1:] in "。.!！" else f"{notice}。" for notice in study.notices]
        parts += [_WORDS["approval"][chinese] + study.map_approval_no] * bool(study.map_approval_no)
    return " ".join(parts)


def _columns(axes: Axes) -> int:
    """How many columns of small print stand side by side under the axes; a Chinese character takes two."""
    inches = axes.get_window_extent().width / axes.figure.dpi
    return max(int(inches * 72.0 / 3.6), 30)


def _wrap(text: str, columns: int) -> str:
    """Text in lines of at most ``columns`` columns, broken at blanks and between Chinese characters."""
    lines, line, width = [], "", 0
    for word in _words(text):
        size = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in word)
        if width + size > columns and line.strip():
            lines.append(line.strip())
            line, width = "", 0
        line, width = line + word, width + size
    return "\n".join([*lines, line.strip()])


def _words(text: str) -> Iterator[str]:
    """Pieces that a line may be broken between: words with their blank, single Chinese characters."""
    word = ""
    for char in text:
        wide = unicodedata.east_asian_width(char) in "WF"
        closing = char in "，。；：、）》”！"
        if word and not closing and (wide or word[-1].isspace() or unicodedata.east_asian_width(word[-1]) in "WF"):
            yield word
            word = ""
        word += char
    yield word
