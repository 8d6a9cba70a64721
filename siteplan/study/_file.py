"""The study file: opened, checked, every problem of it told at once."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from siteplan.coverage import Calibration, Equipment, load_equipment
from siteplan.coverage._antennas import SsbBeam
from siteplan.errors import ExportError, Problem, StudyError
from siteplan.export import check_template, read_template
from siteplan.layers.where import nearest_field, override_keys
from siteplan.params import (
    LAYER_NAMES,
    RASTER_LAYERS,
    REQUIRED_PAIRS,
    EquipmentParams,
    LayerSource,
    MapParams,
    StudyParams,
    TitleParams,
)
from siteplan.setting_faults import suggestion, value_fault, written
from siteplan.study._calibration import check_calibration
from siteplan.study._deliver_settings import deliver_problems, profile_files
from siteplan.study._entries import entry_problems
from siteplan.study._equipment import check_equipment, entry_keys
from siteplan.study._register import RegisterState, check_register
from siteplan.study._selection_keys import keys_of_table, selection_problems, selection_remedy
from siteplan.study._site_rules import site_rule_problems
from siteplan.study._site_tables import site_table_problems
from siteplan.study._venues import venue_problems
from siteplan.toml_faults import syntax_fault
from siteplan.venues import VenueCatalogue, load_venues, venues_of


@dataclass(frozen=True)
class Study:
    """One study file, read and checked.

    Attributes
    ----------
    params : StudyParams
        Every setting, defaults included.
    root : Path
        Folder of the study file; layer paths are relative to it.
    path : Path
    sha256 : str
        Digest of the study file.
    equipment : Equipment
        Bands, antennas and site types: the package's with what ``[equipment]`` adds and changes.
    calibration : Calibration or None
        The model that ``coverage.calibration`` names.
    venues : VenueCatalogue
        Venue classes, departments and tiers under the study's profile, with what ``[venues]`` changes.
    letter_template : bytes or None
        The city's own template of the letters that ``opening.letter_template`` names.
    profile_files : mapping of str to bytes
        The bureau's profiles of exchange layers that ``deliver.profiles`` names, by file name.
    register : RegisterState or None
        What the register that ``[register]`` names says on its day, read when the study was opened.
    """

    params: StudyParams
    root: Path
    path: Path
    sha256: str
    equipment: Equipment = field(default_factory=load_equipment)
    calibration: Calibration | None = None
    venues: VenueCatalogue = field(default_factory=load_venues)
    letter_template: bytes | None = None
    profile_files: Mapping[str, bytes] = field(default_factory=dict)
    register: RegisterState | None = None

    @classmethod
    def from_toml(cls, path: str | Path) -> Study:
        """Open a study file.

        Raises
        ------
        StudyError
            The file is missing or not TOML, a key is unknown (the nearest one is named), a value is out of bounds, or a
            required layer is not named. All problems are listed at once.
        """
        file = Path(path)
        try:
            content = file.read_bytes()
            raw = tomllib.loads(content.decode("utf-8-sig"))
        except OSError as error:
            raise _one_problem(file, "", f"打不开研究文件:{error.strerror or error}", "检查路径是否正确") from error
        except UnicodeDecodeError as error:
            raise _one_problem(file, "", "不是 UTF-8 编码", "用 UTF-8 另存研究文件") from error
        except tomllib.TOMLDecodeError as error:
            raise _one_problem(file, "", f"TOML 语法错误:{syntax_fault(error)}",
                               "按提示的行列改正;文字和路径用双引号,反斜杠写成 /") from error
        except RecursionError as error:
            raise _one_problem(file, "", "括号嵌套太深", "这不像研究文件,核对路径") from error
        root = file.resolve().parent
        params, equipment, calibration, register = _checked_params(raw, file.name, root)
        asked = params.venues
        venues = venues_of(asked.profile, asked.classes, asked.tiers, asked.departments, tuple(params.candidates.costs))
        return cls(params, root, file, hashlib.sha256(content).hexdigest(), equipment, calibration, venues,
                   read_template(root / asked_letter) if (asked_letter := params.opening.letter_template) else None,
                   profile_files(params.deliver, root), register)


def _one_problem(file: Path, field: str, reason: str, remedy: str) -> StudyError:
    return StudyError("研究文件不能使用:", [Problem("study", file.name, "", field, reason, remedy)])


def _checked_params(raw: Mapping[str, Any], file: str, root: Path,
                    ) -> tuple[StudyParams, Equipment, Calibration | None, RegisterState | None]:
    """Settings, equipment, calibration and register from the parsed TOML; StudyError with every problem."""
    layers = raw.get("layers", {})
    problems = [*_layer_problems(layers, file), *_column_problems(layers, file), *entry_problems(raw, file),
                *venue_problems(raw, file), *site_rule_problems(raw, file), *site_table_problems(raw, file),
                *selection_problems(raw, file), *_letter_problems(raw, root, file), *deliver_problems(raw, root, file)]
    equipment, more = _checked_equipment(raw.get("equipment", {}), file, root)
    problems += more
    named = raw.get("coverage", {}).get("calibration") if isinstance(raw.get("coverage"), Mapping) else None
    calibration, more = check_calibration(named if isinstance(named, str) and named.strip() else None, root, file)
    problems += more
    register, more = check_register(raw, root, file)
    problems += more
    try:
        params = StudyParams.model_validate({**raw, "layers": layers})
    except ValidationError as error:
        faults = [_named(fault, layers) for fault in error.errors()]
        problems += dict.fromkeys(_as_problem(fault, file) for fault in faults if not _is_echo(fault))
        params = None
    problems += _exposure_problems(raw.get("exposure"), _antenna_names(equipment, raw.get("equipment")), file)
    if problems or params is None or equipment is None:
        raise StudyError("研究文件不能使用:", problems)
    return params, equipment, calibration, register


def _letter_problems(raw: Mapping[str, Any], root: Path, file: str) -> Iterator[Problem]:
    """What is wrong with the city's own template of the letters."""
    opening = raw.get("opening")
    named = opening.get("letter_template") if isinstance(opening, Mapping) else None
    if isinstance(named, str) and named.strip():
        try:
            check_template(root / named)
        except ExportError as error:
            yield Problem("study", file, "", "opening.letter_template", str(error), "核对模板,或去掉这个键用自带模板")


def _checked_equipment(table: object, file: str, root: Path) -> tuple[Equipment | None, list[Problem]]:
    """The equipment, or the problems inside the entries of its table."""
    known = {key: value for key, value in table.items() if key in EquipmentParams.model_fields} if isinstance(
        table, Mapping) else table
    try:
        params = EquipmentParams.model_validate(known)
    except ValidationError:  # told with the faults of the whole study file
        return None, []
    equipment, problems, faults = check_equipment(params, root, file)
    return equipment, [*problems, *dict.fromkeys(_as_problem(fault, file) for fault in faults)]


def _antenna_names(equipment: Equipment | None, table: object) -> list[str]:
    """Antennas that there are, those of faulty entries too."""
    if equipment is not None:
        return list(equipment.antennas)
    added = table.get("antennas") if isinstance(table, Mapping) else None
    return list(dict.fromkeys([*load_equipment().antennas, *(added if isinstance(added, Mapping) else ())]))


def _exposure_problems(table: object, known: list[str], file: str) -> Iterator[Problem]:
    """Antennas of ``[exposure]`` that the equipment does not have."""
    antennas = table.get("antennas") if isinstance(table, Mapping) else None
    for name in antennas if isinstance(antennas, Mapping) else ():
        if name not in known:
            yield Problem("study", file, "", f"exposure.antennas.{name}", f"设备中没有这个天线:{name}",
                          suggestion(name, known))


def _layer_problems(layers: object, file: str) -> Iterator[Problem]:
    """Unknown layer names, and required layers that are not named."""
    if not isinstance(layers, Mapping):
        return
    for name in layers:
        if name not in LAYER_NAMES:
            yield Problem("study", file, "", f"layers.{name}", "没有这个图层名(unknown layer)",
                          suggestion(str(name), LAYER_NAMES))
    for pair in REQUIRED_PAIRS:
        if not any(name in layers for name in pair):
            yield Problem("study", file, "", "layers", f"缺少必需图层:{' 或 '.join(pair)}", f"增加 [layers.{pair[0]}]")


def _column_problems(layers: object, file: str) -> Iterator[Problem]:
    """Keys of ``columns`` that are no field of their layer."""
    tables = [(name, table) for name, given in (layers.items() if isinstance(layers, Mapping) else ())
              for table in (given if isinstance(given, list) else [given])]
    for name, table in tables:
        columns = table.get("columns") if isinstance(table, Mapping) else None
        if not columns or not isinstance(columns, Mapping) or name not in LAYER_NAMES:
            continue
        if name in RASTER_LAYERS:
            yield Problem("study", file, "", f"layers.{name}.columns", "栅格图层没有列,不用 columns", "删去 columns")
            continue
        for key in columns:
            if key not in override_keys(name):
                near = nearest_field(name, str(key))
                remedy = suggestion(near or str(key), override_keys(name))
                yield Problem("study", file, "", f"layers.{name}.columns.{key}",
                              f"图层 {name} 没有这个字段(unknown field)", remedy)


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """Keys allowed in the table that holds the last part of ``location``."""
    if len(location) == 1:
        return list(StudyParams.model_fields)
    if location[0] == "layers":
        return list(LayerSource.model_fields)
    if location[0] == "equipment" and len(location) > 2:
        return entry_keys(str(location[1])) if len(location) == 4 else list(SsbBeam.model_fields)
    if location[0] == "selection" and len(location) > 2:
        return keys_of_table(str(location[1]))
    if location[0] == "deliver" and len(location) > 2:
        return list((TitleParams if location[1] == "title" else MapParams).model_fields)
    table = StudyParams.model_fields[str(location[0])].annotation
    return list(getattr(table, "model_fields", {}))


def _named(fault: Mapping[str, Any], layers: object) -> dict[str, Any]:
    """A fault that names ``layers.poles``, or ``layers.poles#2`` where the study has several ``[[layers.poles]]``.

    Quotas and other tables of ``[selection]`` are numbered likewise: ``selection.quotas#2.least``.
    """
    location = tuple(fault["loc"])
    if location[:1] == ("layers",) and len(location) > 2 and isinstance(location[2], int):
        several = isinstance(layers, Mapping) and isinstance(layers.get(location[1]), list)
        name = f"{location[1]}#{location[2] + 1}" if several else str(location[1])
        location = ("layers", name, *location[3:])
    if location[:1] == ("selection",) and len(location) > 2 and isinstance(location[2], int):
        location = ("selection", f"{location[1]}#{location[2] + 1}", *location[3:])
    return {**fault, "loc": location}


def _is_echo(fault: Mapping[str, Any]) -> bool:
    """Whether a list of paths is also blamed for being no text: its entries have their own faults."""
    return fault["loc"][2:3] == ("path",) and fault["type"] == "string_type" and isinstance(fault.get("input"), list)


def _as_problem(fault: Mapping[str, Any], file: str) -> Problem:
    """One pydantic fault in a planner's words."""
    location = tuple(fault["loc"])
    reason = value_fault(fault)
    if location[0] == "layers" and location[2:3] == ("path",) and len(location) > 3:  # neither text nor list of texts
        reason = "取值不对:应为文件路径(加引号),或文件路径的列表"
        location = (*location[:3], *(part for part in location[3:] if isinstance(part, int)))
    field = ".".join(map(str, location))
    if fault["type"] == "extra_forbidden":
        return Problem("study", file, "", field, "没有这个键(unknown key)",
                       suggestion(str(location[-1]), _known_keys(location)))
    if fault["type"] == "missing":
        return Problem("study", file, "", field, "缺少必需的键", f"增加 {field}")
    if fault["type"] == "model_type":
        head = f"[[{field.split('#')[0]}]]" if "#" in field else f"[{field}]"
        remedy = f"写成 {head} 一节,其下逐行写 键 = 值"
    else:
        remedy = selection_remedy(location, fault) or "见 docs/study-file.md 中该键的范围"
    return Problem("study", file, "", field, f"{reason}(现为 {written(fault.get('input'))})", remedy)
