"""What the register's commands take of a study or of a map: the city, its counties and towns, departments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siteplan.errors import Problem, RegisterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import geopandas as gpd

    from siteplan.layers import Layers
    from siteplan.params import LayerSource
    from siteplan.study import Study

_NOTE = re.compile(r"\s*[(\uff08][^()\uff08\uff09]*[)\uff09]\s*$")
"""A note in brackets behind a name."""


@dataclass(frozen=True)
class StudyPlaces:
    """City (empty where the study does not say), CRS, counties, towns with their counties, venue catalogue."""

    city: str
    crs: str
    counties: tuple[str, ...]
    towns: tuple[tuple[str, str], ...]
    venues: Any


def study_places(path: Path) -> StudyPlaces:
    """Of a study file: the city is the name of its boundary, where that is one name."""
    from siteplan.crs import crs_name
    from siteplan.study import Study

    opened = Study.from_toml(path)
    layers = _layers(opened, opened.params.study.crs, ("boundary", "towns", "counties"))
    rows = layers.table("towns")
    towns = tuple((str(town), county if isinstance(county, str) else "")
                  for town, county in zip(rows["name"], rows["county"], strict=True) if isinstance(town, str))
    counties = [county for _, county in towns if county] + [
        name for name in layers.table("counties")["name"] if isinstance(name, str)]
    return StudyPlaces(_city(layers.table("boundary")["name"]), crs_name(layers.crs), tuple(dict.fromkeys(counties)),
                       towns, opened.venues)


def _city(names: Any) -> str:
    found = {_NOTE.sub("", name).strip() for name in names if isinstance(name, str)}
    return found.pop() if len(found) == 1 else ""


def _layers(opened: Study, crs: Any, names: Sequence[str]) -> Layers:
    """Some layers of a study, and no other: what else a run would need is not asked for."""
    from siteplan.layers import inspect_layers

    wanted: dict[str, LayerSource | Sequence[LayerSource]] = {
        name: opened.params.layers[name] for name in names if name in opened.params.layers}
    return inspect_layers(wanted, crs, opened.root)


def counties_of(path: Path, crs: Any) -> gpd.GeoDataFrame:
    """Counties with their names in the register's CRS: of a GIS file, a study file or the folder of a plan."""
    if path.is_dir():
        from siteplan.export.master import read_plan_layers

        rows = read_plan_layers(path).layers.get("counties")
    elif path.suffix.lower() == ".toml":
        from siteplan.study import Study

        opened = Study.from_toml(path)
        named = "counties" if "counties" in opened.params.layers else "towns"
        layers = _layers(opened, crs, [named])
        rows = layers.table(named)
        if not len(rows):
            lines = [line for line in layers.ledger if line.layer == named and line.action == "refused"]
            raise RegisterError("县区面不能使用:", [
                Problem(named, line.file, line.row, line.field, line.reason, line.remedy) for line in lines
                ] or [Problem(named, str(path), "", "--counties", "研究没有可用的县区或镇街图层", "在研究文件写明,或给出县区面")])
    else:
        from siteplan.layers import inspect_layers
        from siteplan.params import LayerSource

        read = inspect_layers({"towns": LayerSource(path=path.name)}, crs, path.parent)  # a town may say its county
        own = [problem for problem in read.problems if problem.file == path.name]
        if own:
            raise RegisterError("县区面不能使用:", own)
        rows = read.table("towns")
    return _named(rows, path, crs)


def _named(rows: gpd.GeoDataFrame | None, path: Path, crs: Any) -> gpd.GeoDataFrame:
    """Rows with a name and a shape; towns count for their county."""
    import geopandas as gpd

    from siteplan.crs import transform_geometry

    if rows is not None and len(rows):
        names = rows["county"].fillna(rows["name"]) if "county" in rows else rows["name"]
        here = (names.notna() & rows.geometry.notna()).to_numpy(bool)
        if here.any():
            shapes = transform_geometry(rows.geometry.to_numpy()[here], rows.crs, crs)
            return gpd.GeoDataFrame({"name": names.to_numpy(object)[here]}, geometry=shapes, crs=crs)
    raise RegisterError("选项不能使用:", [Problem("register", str(path), "", "--counties", "没有带名称的县区面",
                                            "给出县区图层、研究文件,或带县区的成果目录")])
