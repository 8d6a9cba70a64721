"""Scene of every place (密集城区 ... 农村): the site distance that is usual there, and the least spacing of sites."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from scipy import ndimage

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.table import text
from siteplan.entries import completed
from siteplan.grid import inside, pixel_of
from siteplan.params import Settings
from siteplan.surface import Surface
from siteplan.tables import read_table

UNKNOWN = "unknown"
"""The scene of places of which nothing is known."""
Extra = Mapping[str, Mapping[str, Any]]


class PlaceScene(Settings):
    """One scene; see the head of ``tables/scenes.toml`` for the fields."""

    zh: str = Field(min_length=1)
    order: int = Field(ge=0, le=1000)
    site_distance_m: float = Field(gt=0, le=20000)
    macro_spacing_share: float = Field(ge=0, le=1)
    micro_spacing_share: float = Field(ge=0, le=1)
    built_share: float | None = Field(None, ge=0, le=1)
    mean_height_m: float = Field(0.0, ge=0, le=300)
    zone_types: tuple[str, ...] = ()
    town_endings: tuple[str, ...] = ()
    source: str = Field(min_length=1)

    def spacing_m(self, kind: str) -> float:
        """Least distance of a site of this kind to others, whatever their kind, m: of two sites the smaller one counts.

        >>> scenes_of({})["dense_urban"].spacing_m("macro")
        80.0
        """
        share = self.micro_spacing_share if kind == "micro" else self.macro_spacing_share
        return round(share * self.site_distance_m, 1)


class AroundRule(Settings):
    """Over which square built share and mean height are taken (``[around]`` of the table)."""

    within_m: float = Field(gt=0, le=10000)
    cell_m: float = Field(gt=0, le=1000)
    source: str = Field(min_length=1)


class BuiltAround(NamedTuple):
    """What is built around the cells of a coarse grid; each is ``factor`` x ``factor`` pixels of the study grid."""

    share: NDArray[np.float64]
    """(cell row, cell col), 0..1: share of built pixels within 500 m, of those on the grid"""
    mean_height_m: NDArray[np.float64]
    """(cell row, cell col), m: mean height of the built pixels, 0 where nothing is built"""
    factor: int


def scene_named(name: str, extra: Extra) -> PlaceScene:
    """One scene of the package's table with what a study changes or adds.

    Parameters
    ----------
    name : str
    extra : mapping
        ``CandidateParams.scenes``: entries by id, ``like`` = another one.

    Raises
    ------
    ModelError
        There is no such scene, or its ``like`` leads nowhere.

    Examples
    --------
    >>> scene_named("old_town", {"old_town": {"like": "urban", "zh": "老城", "site_distance_m": 500}}).spacing_m("macro")
    100.0
    """
    return PlaceScene(**{"source": "研究文件", **completed(name, read_table("scenes")["scenes"], extra)})


def scenes_of(extra: Extra) -> dict[str, PlaceScene]:
    """Every scene by id, in the order in which they are asked.

    Raises
    ------
    ModelError
        A ``like`` leads nowhere.

    Examples
    --------
    >>> [scene.zh for scene in scenes_of({}).values()]
    ['县城', '密集城区', '一般城区', '乡镇', '市郊', '农村', '不明']
    """
    names = dict.fromkeys([*read_table("scenes")["scenes"], *extra])
    scenes = {name: scene_named(name, extra) for name in names}
    return dict(sorted(scenes.items(), key=lambda item: item[1].order))


@cache
def _around_rule() -> AroundRule:
    return AroundRule(**read_table("scenes")["around"])


def built_around(surface: Surface) -> BuiltAround:
    """Built share and mean height of what is built within 500 m, on cells of about 50 m.

    Parameters
    ----------
    surface : Surface

    Returns
    -------
    BuiltAround
        What lies beyond the grid is left out of the share. Rounded to 1e-6 and to a millimetre.

    Notes
    -----
    Sums over cells, then over the square of cells within 500 m of a cell (a box filter): 1050 m to the edge.

    Examples
    --------
    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 100.0, 100.0), "EPSG:4547", 10.0)
    >>> roofs = np.zeros(box.shape, np.float32)
    >>> roofs[:2, :] = 15.0
    >>> around = built_around(Surface(box, np.zeros_like(roofs), roofs, np.ones(roofs.shape, bool), True))
    >>> around.share.round(3).tolist(), around.mean_height_m.tolist()
    ([[0.2, 0.2], [0.2, 0.2]], [[15.0, 15.0], [15.0, 15.0]])
    """
    rule = _around_rule()
    factor = max(1, round(rule.cell_m / surface.pixel_m))
    built = surface.built
    pixels = _cell_sums(np.ones(built.shape, bool), factor)
    sums = [_cell_sums(built, factor), _cell_sums(np.where(built, surface.clutter_m, np.float32(0.0)), factor), pixels]
    edge = 2 * round(rule.within_m / (factor * surface.pixel_m)) + 1
    count, height, area = (_box_mean(part, edge) for part in sums)
    least = 0.5 / edge**2  # half a pixel: the running sums of the filter leave crumbs where nothing stands
    share: NDArray[np.float64] = np.clip(count / area, 0.0, 1.0)
    mean: NDArray[np.float64] = np.where(count < least, 0.0, height / np.maximum(count, least))
    return BuiltAround(share.round(6), mean.round(3), factor)


def _cell_sums(array: NDArray[Any], factor: int) -> NDArray[np.float64]:
    """Sums over cells of ``factor`` pixels to the edge; the last cells may be smaller."""
    starts = [np.arange(0, size, factor) for size in array.shape]
    down = np.add.reduceat(array, starts[0], axis=0, dtype=np.float64)
    return np.asarray(np.add.reduceat(down, starts[1], axis=1))


def _box_mean(cells: NDArray[np.float64], edge: int) -> NDArray[np.float64]:
    """Mean over a square of cells around each, 0 beyond the edge."""
    out: NDArray[np.float64] = ndimage.uniform_filter(cells, edge, mode="constant")
    return out


def scene_of(surface: Surface, x: ArrayLike, y: ArrayLike, *, zones: gpd.GeoDataFrame | None = None,
             towns: gpd.GeoDataFrame | None = None, scenes: Mapping[str, PlaceScene] | None = None,
             ) -> NDArray[np.object_]:
    """Id of the scene of every point.

    Parameters
    ----------
    surface : Surface
    x, y : array_like of float (point,)
        Easting and northing, m; finite.
    zones : GeoDataFrame, optional
        Layer ``zones``: polygons with ``zone_type``.
    towns : GeoDataFrame, optional
        Layer ``towns``: polygons with ``name``.
    scenes : mapping, optional
        As :func:`scenes_of` gives them; those of the package when absent.

    Returns
    -------
    ndarray of object (point,)
        Keys of ``scenes``. A zone's type goes before what is built; of several that fit, the scene of the lowest
        ``order``. ``unknown`` outside of the grid, where the study knows no clutter, and where no scene fits.

    Examples
    --------
    >>> from siteplan.grid import study_geobox
    >>> box = study_geobox((0.0, 0.0, 100.0, 100.0), "EPSG:4547", 10.0)
    >>> roofs = np.full(box.shape, 24.0, np.float32)
    >>> town = Surface(box, np.zeros_like(roofs), roofs, np.ones(roofs.shape, bool), True)
    >>> scene_of(town, [5.0, 500.0], [5.0, 5.0]).tolist()
    ['dense_urban', 'unknown']
    """
    known = scenes_of({}) if scenes is None else scenes
    east, north = np.atleast_1d(np.asarray(x, np.float64)), np.atleast_1d(np.asarray(y, np.float64))
    out = np.full(east.shape, UNKNOWN, object)
    free = np.ones(east.shape, bool)
    if surface.has_clutter and east.size:
        _by_clutter(out, surface, (east, north), known, towns)
    if zones is None or zones.empty:
        return out
    for name, scene in known.items():
        asked = zones[zones["zone_type"].isin(scene.zone_types)]
        here = free & (_polygon_at(east, north, asked) >= 0)
        out[here], free[here] = name, False
    return out


def _by_clutter(out: NDArray[np.object_], surface: Surface, place: tuple[NDArray[np.float64], NDArray[np.float64]],
                scenes: Mapping[str, PlaceScene], towns: gpd.GeoDataFrame | None) -> None:
    """Fill in the scenes that follow from what is built."""
    around = built_around(surface)
    rows, cols = pixel_of(surface.geobox, *place)
    on = inside(surface.geobox, rows, cols)
    cell = rows[on] // around.factor, cols[on] // around.factor
    share, height = np.full(out.shape, np.nan), np.full(out.shape, np.nan)
    share[on], height[on] = around.share[cell], around.mean_height_m[cell]
    town = _names_at(*place, towns)
    free = on.copy()
    for name, scene in scenes.items():
        if scene.built_share is None:
            continue
        fits = free & (share >= scene.built_share) & (height >= scene.mean_height_m)
        if scene.town_endings:
            fits &= np.char.endswith(town[:, None], list(scene.town_endings)).any(axis=1)
        out[fits], free[fits] = name, False


def _names_at(x: NDArray[np.float64], y: NDArray[np.float64], areas: gpd.GeoDataFrame | None) -> NDArray[np.str_]:
    """Name of the area each point lies in, empty where none."""
    if areas is None or areas.empty:
        return np.full(x.shape, "", dtype="U1")
    names = np.append(text(areas["name"]).to_numpy(object), "").astype(str)
    return np.asarray(names[_polygon_at(x, y, areas)])


def _polygon_at(x: NDArray[np.float64], y: NDArray[np.float64], areas: gpd.GeoDataFrame) -> NDArray[np.int64]:
    """Position of the area each point lies in, the first by id where several overlap; -1 where none."""
    found = np.full(x.shape, -1, np.int64)
    order = np.argsort(areas.index.astype(str).to_numpy(object), kind="stable")[::-1]
    shapes = areas.geometry.to_numpy()[order]
    if len(shapes) and len(x):
        # the polygons are the ones to prepare: they are few, and each is asked about many points
        polygon, point = shapely.STRtree(shapely.points(x, y)).query(shapes, predicate="intersects")
        last_wins = np.argsort(polygon, kind="stable")
        found[point[last_wins]] = order[polygon[last_wins]]
    return found


def with_scenes(sites: gpd.GeoDataFrame, context: CandidateContext) -> gpd.GeoDataFrame:
    """The sites table with ``scene`` and ``spacing_m`` filled in.

    Parameters
    ----------
    sites : GeoDataFrame
        Points with ``kind``.
    context : CandidateContext
        ``surface``, the tables ``zones`` and ``towns``, and ``params.scenes``; its ledger takes a line where the study
        knows nothing of what is built.

    Returns
    -------
    GeoDataFrame
        A new table; ``spacing_m`` is that of the scene for the kind of the site.

    Raises
    ------
    ModelError
        A scene of the study has a ``like`` that leads nowhere.
    """
    scenes = scenes_of(context.params.scenes)
    found = scene_of(context.surface, sites.geometry.x.to_numpy(), sites.geometry.y.to_numpy(),
                     zones=context.tables["zones"], towns=context.tables["towns"], scenes=scenes)
    micro = (sites["kind"] == "micro").to_numpy(bool)
    spacing = np.zeros(len(sites))
    for name, scene in scenes.items():
        here = found == name
        spacing[here] = np.where(micro[here], scene.spacing_m("micro"), scene.spacing_m("macro"))
    unknown = int((found == UNKNOWN).sum())
    if unknown and not context.surface.has_clutter:
        scene = scenes[UNKNOWN]
        context.ledger.add("buildings", "", f"共 {unknown} 行", "scene", scene.zh, "assumed",
                           f"没有建筑物和地物高度,候选站址所在场景不明,宏站间距按 {scene.spacing_m('macro'):g} 米",
                           "提供建筑物图层,或在重点区域图层标出县城主城区、镇区")
    return sites.assign(scene=found.astype(str), spacing_m=spacing)
