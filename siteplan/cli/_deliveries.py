"""Commands on the folder of a finished plan: ``export``, ``changes``, ``survey``, ``print``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siteplan.cli._terminal import Debug, open_console, told_errors
from siteplan.errors import CrsError, ExportError, Problem, StudyError

if TYPE_CHECKING:
    from siteplan.export.master import PlanLayers
    from siteplan.params import DeliverParams
    from siteplan.profiles import Profile

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="成果目录 (output folder of siteplan run)")]
Out = Annotated[Path, typer.Option("--out", help="写到此文件夹 (output folder)")]
PROFILES = "profiles"
"""Folder inside an output folder that holds the bureau's profiles of the study."""
CRS_REMEDY = "写 EPSG:4513–4533(带号在东坐标前)、EPSG:4534–4554(不带带号)或 EPSG:4490(经纬度)"
MOST_LINES = 20


def _settings(layers: PlanLayers, **given: str) -> DeliverParams:
    """The ``[deliver]`` settings that the plan was made with, and what the command line says instead."""
    from pydantic import ValidationError

    from siteplan.params import DeliverParams
    from siteplan.setting_faults import value_fault

    made_with = layers.facts.get("parameters", {}).get("deliver", {})
    asked = {key: value for key, value in given.items() if value}
    problems = list(_crs_problems(layers, asked["crs"])) if "crs" in asked else []
    try:
        settings = DeliverParams.model_validate({**made_with, **asked})
    except ValidationError as error:
        for fault in error.errors():
            key = ".".join(map(str, fault["loc"]))
            problems.append(
                Problem("export", "", "", f"--{key}", f"没有 {asked[key]}", value_fault(fault).removeprefix("取值不对:"))
                if key in asked else
                Problem("plan", "plan.json", "", f"parameters.deliver.{key}", value_fault(fault), "重新运行 siteplan run"))
    if problems:
        raise ExportError("选项不能使用:", problems)
    return settings


def _crs_problems(layers: PlanLayers, crs: str) -> Iterator[Problem]:
    """Why the files cannot leave in the CRS of the command line: said once, not for every layer."""
    from siteplan.export.exchange.zones import target_crs

    try:
        target_crs(crs, layers.layers["sites"].crs)
    except CrsError as error:
        yield from (Problem("export", "", "", "--crs", problem.reason, CRS_REMEDY) for problem in error.problems)


def _profiles(folder: Path, given: list[str]) -> tuple[Profile, ...]:
    """Profiles that are asked for, by id or by file; without any all of the package and of the study.

    A file of the command line takes the place of a profile of the same id, as one of the study does of the package's.
    """
    from siteplan.profiles import profiles_with, read_profiles

    of_study = sorted((folder / PROFILES).glob("*.toml"))
    files = [Path(word) for word in given if _is_file(word)]
    problems: list[Problem] = []
    read: list[dict[str, Profile]] = []
    for paths in (of_study, files):
        try:
            read.append(read_profiles(paths))
        except StudyError as error:
            problems += error.problems
    if problems:
        raise ExportError("导出方案不能使用:", problems)
    standing, asked = read
    kept = [path for path, name in zip(of_study, standing, strict=True) if name not in asked]
    known = profiles_with([*kept, *files])
    listed = [part for word in given if not _is_file(word) for part in re.split("[,\uff0c\u3001]", word)]
    ids = [name for part in listed if (name := part.strip())]
    unknown = [name for name in dict.fromkeys(ids) if name not in known]
    if unknown:
        raise ExportError("选项不能使用:", [
            Problem("export", "", "", "--profile", f"没有导出方案 {name}", f"可用:{'、'.join(known)},或写方案文件(.toml)")
            for name in unknown])
    return tuple(profile for name, profile in known.items() if name in (*ids, *asked)) or tuple(known.values())


def _is_file(word: str) -> bool:
    return word.lower().endswith(".toml") or Path(word).exists()


def _format_ids(text: str, known: Iterable[str]) -> list[str]:
    """Ids of formats from a list with commas; ``all`` stands for every one.

    >>> _format_ids("shp, GDB,", ["shp", "gdb", "csv"]), _format_ids("all", ["shp", "gdb"])
    (['shp', 'gdb'], ['shp', 'gdb'])
    """
    words = [word for part in re.split("[,\uff0c\u3001]", text) if (word := part.strip().lower())]
    return list(known) if "all" in words else words


def export(folder: Folder, out: Out,
           formats: Annotated[str, typer.Option(
               "--format", help="格式,逗号分隔:shp,gpkg,gdb,tab,kmz,dxf,geojson,xlsx,csv")] = "all",
           profile: Annotated[list[str] | None, typer.Option(
               help="只要这些导出方案:名称(sites,villages)或本市的方案文件(.toml),可写多次;不写为全部")] = None,
           crs: Annotated[str, typer.Option(help="坐标系,如 EPSG:4526")] = "",
           encoding: Annotated[str, typer.Option(help="Shapefile 编码:UTF-8、GBK、GB18030")] = "",
           names: Annotated[str, typer.Option(help="字段名:pinyin、chinese")] = "", debug: Debug = False) -> None:
    """按控规字段把成果导出为各种格式,逐值读回核对。Export a plan in exchange formats, read back value by value."""
    with told_errors(debug):
        from siteplan.export.exchange.bundle import FORMATS, export_bundle
        from siteplan.export.master import read_plan_layers

        console = open_console()
        layers = read_plan_layers(folder)
        settings = _settings(layers, crs=crs, encoding=encoding, names=names)
        profiles = _profiles(folder, profile or [])
        bundle = export_bundle(layers, out, _format_ids(formats, FORMATS), profiles, settings,
                               lambda name: console.print(f"· {FORMATS[name].zh}", style="dim", markup=False))
        for check in bundle.checks:
            lost = f";不保留:{check.not_kept}" if check.not_kept else ""
            console.print(f"{FORMATS[check.format].zh} {check.layer.name}:{len(check.layer.table)} 行,"
                          f"{check.values} 个值读回一致{lost}", markup=False)
        for change in bundle.adjustments[:MOST_LINES]:
            where = f"{change.layer} {change.row} {change.field}"
            console.print(f"调整 {where}:{change.reason}", style="yellow", markup=False)
        if len(bundle.adjustments) > MOST_LINES:
            console.print(f"另有 {len(bundle.adjustments) - MOST_LINES} 处调整", style="yellow", markup=False)
        console.print(f"导出目录(exported): {out};说明和全部调整见 metadata.xlsx", markup=False)


def changes(old: Annotated[Path, typer.Argument(metavar="OLD", help="前一次的成果目录 (earlier output folder)")],
            new: Annotated[Path, typer.Argument(metavar="NEW", help="后一次的成果目录 (later output folder)")], out: Out,
            layer: Annotated[str, typer.Option(help="图层:sites、all_sites、villages、zones、gaps、units")] = "sites",
            moved_m: Annotated[float, typer.Option(help="移动超过多少米才算移动", min=0.0)] = 1.0,
            debug: Debug = False) -> None:
    """列出两次成果之间新增、移动、取消的站址和属性变更。Change set between two output folders."""
    with told_errors(debug):
        from siteplan.export.exchange.changes import change_set, write_changes
        from siteplan.export.master import read_plan_layers

        console = open_console()
        found = change_set(read_plan_layers(old), read_plan_layers(new), layer, moved_m)
        written = write_changes(found, out)
        console.print(f"新增 {len(found.added)}、取消 {len(found.removed)}、移动 {len(found.moved)}、"
                      f"属性变更 {len(found.changed)} 项,不变 {found.unchanged}", markup=False)
        console.print(f"变更清单(changes): {'、'.join(map(str, written.values()))}", markup=False)


def survey(folder: Folder, out: Out,
           also: Annotated[list[Path] | None, typer.Option(help="不得外传清单还要列入的文件夹(导出、图册),可写多次")] = None,
           debug: Debug = False) -> None:
    """写出每处站址的勘察表(xlsx、kmz)和不得外传清单。Survey sheets, and the list of what may not leave the bureau."""
    with told_errors(debug):
        from siteplan.export.master import read_plan_layers
        from siteplan.export.survey import write_survey, write_withheld

        layers, console = read_plan_layers(folder), open_console()
        lacking = [path for path in also or [] if not path.is_dir()]
        if lacking:
            raise ExportError("选项不能使用:", [Problem("survey", str(path), "", "--also", "文件夹不存在", "核对路径")
                                           for path in lacking])
        for path in write_survey(layers, out):
            console.print(f"勘察表(survey): {path}", markup=False)
        listed = write_withheld(layers, [folder, out, *(also or [])], out / "withheld.xlsx")
        console.print(f"不得外传清单({len(listed)} 个文件): {out / 'withheld.xlsx'}", markup=False)


def print_sheets(folder: Folder, out: Out,
                 by: Annotated[str, typer.Option(help="分幅:town 按镇街,unit 按控规单元")] = "town",
                 paper: Annotated[str, typer.Option(help="A3、A4")] = "A3",
                 what: Annotated[str, typer.Option(help="底图:probability 覆盖概率,rsrp 信号强度")] = "probability",
                 only: Annotated[list[str] | None, typer.Option(help="只要这些镇街或单元,可写多次")] = None,
                 template: Annotated[Path | None, typer.Option(help="本市的简报模板(.docx)")] = None,
                 debug: Debug = False) -> None:
    """打印图集(PDF 和 PNG)和四页会议简报。Printed atlas by town or planning unit, and the meeting brief."""
    with told_errors(debug):
        from siteplan.sheets import content_of_folder, read_brief_template, write_atlas, write_brief

        problems = [Problem("print", "", "", name, f"没有 {given}", f"可用:{'、'.join(known)}")
                    for name, given, known in (("--by", by, ("town", "unit")), ("--paper", paper, ("A3", "A4")),
                                               ("--what", what, ("probability", "rsrp"))) if given not in known]
        if problems:
            raise ExportError("选项不能使用:", problems)
        console, content = open_console(), content_of_folder(folder)
        own = read_brief_template(template) if template is not None else None  # its faults before the drawing
        written = write_atlas(content, out, by=by, paper=paper, what=what, only=only or ())  # type: ignore[arg-type]
        console.print(f"图集(atlas): {written[0]},共 {len(written)} 个文件", markup=False)
        console.print(f"会议简报(brief): {write_brief(content, out / 'brief.docx', own)}", markup=False)
