"""Exchange files of a finished plan: every profile in every format, checked value by value, then moved into place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from siteplan.errors import ExportError, Problem
from siteplan.export._staging import write_parts
from siteplan.export.exchange.apply import apply_profile
from siteplan.export.exchange.compare import check_read_back
from siteplan.export.exchange.dictionary import write_dictionary, write_field_list
from siteplan.export.exchange.formats.dxf import DXF
from siteplan.export.exchange.formats.filegdb import GDB
from siteplan.export.exchange.formats.geojson import GEOJSON
from siteplan.export.exchange.formats.geopackage import GPKG
from siteplan.export.exchange.formats.kmz import KMZ
from siteplan.export.exchange.formats.mapinfo import TAB
from siteplan.export.exchange.formats.registry import Format
from siteplan.export.exchange.formats.shapefile import SHP
from siteplan.export.exchange.formats.text import CSV
from siteplan.export.exchange.formats.workbook import XLSX
from siteplan.export.exchange.metadata import LayerCheck, metadata_tables, write_metadata
from siteplan.export.exchange.narrow import narrowed
from siteplan.export.exchange.out_layer import Adjustment, OutLayer
from siteplan.export.exchange.own_files import LIST, check_others, write_list
from siteplan.export.exchange.style import write_style
from siteplan.export.master.plan_layers import FILES as MASTER_LAYERS
from siteplan.export.master.plan_layers import PlanLayers
from siteplan.params import DeliverParams
from siteplan.profiles import Profile, load_profiles

FORMATS: Mapping[str, Format] = MappingProxyType({
    entry.id: entry for entry in (SHP, GPKG, GDB, TAB, KMZ, DXF, GEOJSON, XLSX, CSV)})
"""Formats by their ids."""
OWN_ENCODING = {"tab": "GBK"}
"""Narrow formats that know one encoding only."""
CRS_OF_THE_LAYER = ("csv", "xlsx")
"""Formats whose readers take the CRS of the layer that was written: it cannot be compared."""


@dataclass(frozen=True)
class Bundle:
    """What an export wrote.

    Attributes
    ----------
    folder : Path
    files : tuple of Path
    adjustments : tuple of Adjustment
        Values that were changed on purpose on their way out.
    checks : tuple of LayerCheck
        A layer of a format each, as it was compared.
    absent : tuple of str
        Ids of profiles whose layer the plan does not have.
    """

    folder: Path
    files: tuple[Path, ...]
    adjustments: tuple[Adjustment, ...]
    checks: tuple[LayerCheck, ...]
    absent: tuple[str, ...] = ()


def export_bundle(layers: PlanLayers, out: Path, formats: Sequence[str], profiles: Sequence[Profile] | None = None,
                  settings: DeliverParams | None = None, progress: Callable[[str], None] | None = None) -> Bundle:
    """Write a plan in exchange formats: ``out/shp``, ``out/gpkg`` ... with metadata beside.

    All profiles are applied, and narrowed where a format asks for it, before a file is written. Every file is read back
    and compared. Then each format's folder is replaced as a whole, all or none.

    Parameters
    ----------
    layers : PlanLayers
    out : Path
        Folder; made when absent.
    formats : sequence of str
        Keys of `FORMATS`.
    profiles : sequence of Profile, optional
        Those of the package when absent.
    settings : DeliverParams, optional
    progress : callable, optional
        Called with the name of each format when it is ready.

    Raises
    ------
    ExportError
        A value does not fit its profile or format, a file could not be written or did not read back equal, or one in
        ``out`` is not ours or was changed: all problems are listed, and ``out`` is as it was.
    """
    settings = DeliverParams() if settings is None else settings
    wanted = _formats(formats)
    asked = tuple(load_profiles().values()) if profiles is None else tuple(profiles)
    absent = [profile for profile in asked if _is_absent(layers, profile)]
    made = applied(layers, asked, settings)
    ready = _narrowed_for(wanted, made, settings)
    checks: list[LayerCheck] = []
    adjusted: list[Adjustment] = []

    def write(folder: Path) -> None:
        problems: list[Problem] = []
        for entry in wanted:
            try:
                checks.extend(_write_format(entry, ready[entry.id], folder, _notices(layers)))
            except ExportError as error:
                problems += error.problems or [Problem(entry.zh, entry.id, "", "", str(error), "见原因")]
            if progress is not None:
                progress(entry.id)
        if problems:
            raise ExportError("导出未通过:", problems)
        adjusted.extend(dict.fromkeys(item for check in checks for item in check.layer.adjustments))
        left = [name for name in FORMATS if name not in ready and (out / name / LIST).is_file()]
        tables = metadata_tables(layers, checks, adjusted, settings, left, [profile.zh for profile in absent])
        write_metadata(tables, folder, str(layers.facts.get("study", {}).get("name", "")))
        for entry in wanted:
            write_list(folder / entry.id)
        write_list(folder, over=out)

    out = Path(out)
    files = write_parts(out, write, lambda folder: check_others(folder, out), LIST)
    return Bundle(out, files, tuple(adjusted), tuple(checks), tuple(profile.id for profile in absent))


def _is_absent(layers: PlanLayers, profile: Profile) -> bool:
    """Whether the plan could have the layer of a profile, but has not (a study without planning units)."""
    return profile.layer not in layers.layers and profile.layer in MASTER_LAYERS


def applied(layers: PlanLayers, profiles: Sequence[Profile], settings: DeliverParams) -> tuple[OutLayer, ...]:
    """The layers of all profiles; a profile whose master layer the plan does not have makes none.

    Raises
    ------
    ExportError
        The problems of all profiles, two layers of the same name among them.
    """
    problems: list[Problem] = []
    made: list[OutLayer] = []
    for profile in profiles:
        if _is_absent(layers, profile):
            continue
        try:
            made += apply_profile(layers, profile, settings)
        except ExportError as error:
            problems += error.problems
    names = [layer.name.lower() for layer in made]
    problems += [Problem(name, "", "", "out", "两个图层的文件名相同(不分大小写)", "改导出方案的 out")
                 for name in dict.fromkeys(names) if names.count(name) > 1]
    if not made and not problems:
        problems.append(Problem("export", "", "", "", "没有可以导出的图层", "检查导出方案的 layer 和成果目录"))
    if problems:
        raise ExportError("数据不符合导出方案:", problems)
    return tuple(made)


def write_profile_shapes(layers: PlanLayers, settings: DeliverParams, profiles: Sequence[Profile], path: Path) -> None:
    """The Shapefiles of profiles into the folder of a path, with dictionaries and styles beside.

    They are the toolkit's own copy, which ``siteplan verify`` reads: in the CRS of the study, UTF-8, with the names in
    pinyin, whatever the settings ask of exchange files.

    Parameters
    ----------
    layers : PlanLayers
    settings : DeliverParams
    profiles : sequence of Profile
    path : Path
        ``.../sites.shp``; the other layers and ``dictionary.xlsx`` come beside.

    Raises
    ------
    ExportError
        As :func:`export_bundle`.
    """
    own = settings.model_copy(update={"crs": str(layers.facts["study"]["crs"]), "county_crs": {}, "encoding": "UTF-8",
                                      "names": "pinyin"})
    made = _narrowed_for([SHP], applied(layers, profiles, own), own)["shp"]
    _write_format(SHP, made, path.parent, _notices(layers), own_folder=False)


def _formats(formats: Sequence[str]) -> list[Format]:
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise ExportError("导出格式不对:", [Problem("export", "", "", name, "没有这种格式", f"可用:{'、'.join(FORMATS)}")
                                      for name in unknown or [""]])
    return [FORMATS[name] for name in dict.fromkeys(formats)]


def _narrowed_for(wanted: Sequence[Format], made: Sequence[OutLayer],
                  settings: DeliverParams) -> dict[str, tuple[OutLayer, ...]]:
    """Layers by format, narrowed where it asks for that; the problems of all at once."""
    problems: dict[Problem, None] = {}
    known: dict[tuple[str, str], OutLayer] = {}
    ready: dict[str, tuple[OutLayer, ...]] = {}
    for entry in wanted:
        given = []
        for layer in made:
            if not entry.narrow:
                given.append(layer)
                continue
            encoding = OWN_ENCODING.get(entry.id) or settings.encoding or layer.profile.encoding
            try:
                if (layer.name, encoding) not in known:
                    narrow = narrowed(layer, encoding, settings.names)
                    known[layer.name, encoding] = replace(narrow, profile=replace(narrow.profile, encoding=encoding))
                given.append(known[layer.name, encoding])
            except ExportError as error:
                problems.update(dict.fromkeys(_own_encoding(entry, error.problems)))
        ready[entry.id] = tuple(given)
    if problems:
        raise ExportError("数据写不进所选格式:", problems)
    return ready


def _own_encoding(entry: Format, problems: Sequence[Problem]) -> list[Problem]:
    """Problems of a format that knows one encoding only: it is named, and what helps there."""
    if entry.id not in OWN_ENCODING:
        return list(problems)
    return [replace(problem, file=entry.id, remedy=f"{entry.zh} 只有 {OWN_ENCODING[entry.id]} 编码:不导出该格式(--format),"
                    "或在导出方案的 [replace] 中写替换字;其他按前面的提示") if "字符集" in problem.reason else problem
            for problem in problems]


def _write_format(entry: Format, made: Sequence[OutLayer], folder: Path, notices: Sequence[str], *,
                  own_folder: bool = True) -> list[LayerCheck]:
    """Write the layers in one format, read each back and compare it; dictionaries and styles beside narrow ones."""
    place = folder / entry.id if own_folder else folder
    place.mkdir(parents=True, exist_ok=True)
    entry.write(made, place)
    problems: list[Problem] = []
    for layer in made:
        try:
            check_read_back(layer, entry.read(place, layer), entry.kept, f"{entry.id}/{layer.name}")
        except ExportError as error:
            problems += error.problems or [Problem(layer.name, entry.id, "", "", str(error), "重新导出")]
    if problems:
        raise ExportError(f"{entry.zh} 读回检查未通过:", problems)
    if entry.narrow:
        for layer in made:
            write_field_list(layer, place / f"{layer.name}_fields.csv")
        write_dictionary(made, place / "dictionary.xlsx", notices)
    if entry is SHP:
        for layer in made:
            write_style(layer, place / f"{layer.name}.qml")
    return [_checked(entry, layer) for layer in made]


def _checked(entry: Format, layer: OutLayer) -> LayerCheck:
    kept = entry.kept
    names = [str(name) for name in layer.table.columns.drop(layer.table.geometry.name)]
    fields = [name for name in names if kept.fields is None or name in kept.fields]
    shapes = kept.geometry_m < float("inf") and layer.profile.geometry in kept.kinds
    lost = [words for words, gone in (
        ("图形", not shapes), (f"{len(names) - len(fields)} 个字段", len(fields) < len(names)),
        ("数值和日期的类型", not kept.types), ("小数位", not kept.numbers), ("坐标系标记", not kept.crs),
        ("经纬度坐标(按三度带平面坐标绘出)", shapes and not kept.degrees and _in_degrees(layer))) if gone]
    with_crs = shapes and kept.crs and entry.id not in CRS_OF_THE_LAYER
    told = ("字段名、类型和每行每个字段的值" if kept.types else "字段名和每行每个字段的值(数值和日期按文本比)",
            f"每个图形的坐标(相差不超过 {kept.geometry_m:g} 米)" if shapes else "", "坐标系" if with_crs else "",
            "不比图形和坐标系" if not shapes else "" if with_crs else "不比坐标系")
    return LayerCheck(entry.id, layer, len(fields), shapes, "、".join(lost), "、".join(words for words in told if words))


def _in_degrees(layer: OutLayer) -> bool:
    return layer.table.crs is not None and bool(layer.table.crs.is_geographic)


def _notices(layers: PlanLayers) -> list[str]:
    return [str(notice) for notice in layers.facts.get("study", {}).get("notices", [])]
