"""What is wrong with the ``[deliver]`` table beyond its types, and the files that it names."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyproj

from siteplan.crs import read_crs
from siteplan.errors import CrsError, Problem, StudyError
from siteplan.export.exchange.zones import target_crs
from siteplan.fonts import FontError, chinese_font
from siteplan.params import DeliverParams
from siteplan.profiles import profiles_with

SUFFIX = ".toml"
CRS_REMEDY = "写 EPSG:4513–4533(带号在东坐标前)、EPSG:4534–4554(不带带号)或 EPSG:4490(经纬度)"
Fault = tuple[str, str, str]
"""Key below ``deliver``, reason, remedy."""


def deliver_problems(raw: Mapping[str, Any], root: Path, file: str) -> Iterator[Problem]:
    """Profiles that cannot be used, a base image or a font that is not there, CRS that files cannot leave in.

    Parameters
    ----------
    raw : mapping
        The study file as it is read; wrong types are told elsewhere.
    root : Path
        Folder of the study file.
    file : str
        Its name, for the problems.
    """
    table = raw.get("deliver")
    if not isinstance(table, Mapping):
        return
    info = raw.get("study")
    study_crs = info.get("crs") if isinstance(info, Mapping) else None
    for field, reason, remedy in (*_crs_faults(table, study_crs), *_base_faults(table.get("map"), root),
                                  *_font_faults(table.get("font"))):
        yield Problem("study", file, "", f"deliver.{field}", reason, remedy)
    names = table.get("profiles")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        yield from _profile_problems(names, root, file, study_crs)


def profile_files(settings: DeliverParams, root: Path) -> dict[str, bytes]:
    """The bureau's profiles by the names of their files, as they are: they travel with the plan."""
    return {Path(name).name: (root / name).read_bytes() for name in settings.profiles}


def _profile_problems(names: Sequence[str], root: Path, file: str, study_crs: object) -> Iterator[Problem]:
    """What is wrong with the profiles, as files and inside."""
    usable, seen = [], dict[str, str]()
    for name in names:
        own = Path(name).name
        first = seen.setdefault(own.casefold(), name)
        if not _is_path(name) or Path(name).suffix != SUFFIX:
            yield Problem("study", file, "", "deliver.profiles", f"不是导出方案的文件名:{name!r}", f"导出方案的文件名以 {SUFFIX} 结尾")
        elif first != name:
            # they go into one folder of the plan, where the second would take the place of the first
            yield Problem("study", file, "", "deliver.profiles", f"{name} 与 {first} 的文件名相同(不分大小写)", "改其中一个的文件名")
        else:
            usable.append(name)
    try:
        profiles = profiles_with(root / name for name in usable)
    except StudyError as error:
        yield from error.problems
        return
    for profile in profiles.values():
        if profile.crs:
            yield from (Problem("profile", profile.id, "", "crs", reason, remedy)
                        for reason, remedy in _crs_fault(profile.crs, study_crs))


def _crs_faults(table: Mapping[str, Any], study_crs: object) -> Iterator[Fault]:
    """CRS of all files, and those of counties."""
    by_county = table.get("county_crs")
    named = {"crs": table.get("crs"), **{f"county_crs.{county}": crs for county, crs in (
        by_county.items() if isinstance(by_county, Mapping) else ())}}
    for field, crs in named.items():
        if isinstance(crs, str) and crs:
            yield from ((field, reason, remedy) for reason, remedy in _crs_fault(crs, study_crs))


def _crs_fault(crs: str, study_crs: object) -> Iterator[tuple[str, str]]:
    """Why files cannot leave in a CRS; where that of the study is not known, only whether it can be used at all."""
    ours = _read(study_crs)
    try:
        if ours is None:
            read_crs(crs)
        else:
            target_crs(crs, ours)
    except CrsError as error:
        yield from ((problem.reason, CRS_REMEDY) for problem in error.problems)


def _read(study_crs: object) -> pyproj.CRS | None:
    """The CRS of the study; None where it names none, or one that is a fault of its own."""
    try:
        return read_crs(study_crs) if isinstance(study_crs, str) and study_crs.strip() else None
    except CrsError:
        return None


def _base_faults(shown: object, root: Path) -> Iterator[Fault]:
    """A base image that is not there or cannot be read: told before the run, not after it."""
    base = shown.get("base") if isinstance(shown, Mapping) else None
    if not isinstance(base, str) or not base:
        return
    remedy = "核对路径(相对于研究文件),或去掉这个键"
    if not _is_path(base) or not (root / base).is_file():
        yield "map.base", f"没有这个文件:{base}", remedy
        return
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # told as a missing CRS
        try:
            with rasterio.open(root / base, driver="GTiff") as image:
                if image.crs is None:
                    yield "map.base", f"底图没有坐标系:{base}", "用 GIS 软件写入坐标系,如 EPSG:4547"
        except RasterioError:
            yield "map.base", f"底图不是可读的 GeoTIFF:{base}", "用 GIS 软件重新导出为 GeoTIFF,或去掉这个键"


def _font_faults(font: object) -> Iterator[Fault]:
    """A font that sheets cannot be written with."""
    if isinstance(font, str) and font:
        try:
            chinese_font(font)
        except FontError as error:
            yield "font", f"{font}:{error.reason}", error.remedy


def _is_path(name: str) -> bool:
    """Whether a text can be the path of a file at all."""
    return bool(name.strip()) and "\0" not in name and all(len(part.encode()) <= 255 for part in Path(name).parts)
