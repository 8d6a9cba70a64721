"""The ``[equipment]`` table of a study file: patterns read, entries checked, every problem told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from siteplan.coverage import Antenna, Band, Equipment, SiteType, load_equipment
from siteplan.coverage._antennas import AntennaPattern
from siteplan.coverage._equipment import equipment_of
from siteplan.errors import Problem
from siteplan.layers.formats.antenna_files import read_antenna_file
from siteplan.params import EquipmentParams, Settings

Fault = Mapping[str, Any]
_MODELS: Mapping[str, type[Settings]] = {"bands": Band, "antennas": Antenna, "site_types": SiteType}
_NOUN_ZH = {"bands": "频段", "antennas": "天线", "site_types": "站型"}
_MISFIT_ZH = {"bands": ("资源块按子载波间隔排开,比带宽还宽", "核对 bandwidth_mhz、scs_khz、resource_blocks"),
              "antennas": ("beams 和 pattern 只能写一个", "删去其一")}


def entry_keys(table: str) -> list[str]:
    """Keys that an entry of ``[equipment.TABLE]`` may have.

    >>> entry_keys("site_types")[:3]
    ['band', 'antenna', 'power_w']
    """
    return list(_MODELS[table].model_fields) if table in _MODELS else []


def check_equipment(params: EquipmentParams, root: Path, file: str,
                    ) -> tuple[Equipment | None, list[Problem], list[Fault]]:
    """The equipment of a study, or what is wrong with its table.

    Parameters
    ----------
    params : EquipmentParams
    root : Path
        Folder of the study file; patterns are relative to it.
    file : str
        Name of the study file, for problems.

    Returns
    -------
    equipment : Equipment or None
        None when anything is wrong.
    problems : list of Problem
        Pattern files that cannot be read, names that nothing has, incomplete new entries, keys at odds.
    faults : list of mapping
        Faults of single keys as pydantic tells them, their place below ``equipment``.
    """
    patterns, problems = _read_patterns(params, root, file)
    usable = params.model_copy(update={"antennas": {
        name: entry for name, entry in params.antennas.items()
        if "pattern" not in entry or (isinstance(entry["pattern"], str) and entry["pattern"] in patterns)}})
    problems += _name_problems(params, usable, patterns, file)
    told = {problem.field for problem in problems}
    faults: list[Fault] = []
    try:
        equipment = equipment_of(usable, patterns)
    except ValidationError as error:
        for fault in error.errors():
            place = ("equipment", *fault["loc"])
            if fault["type"] == "value_error" and len(place) == 3:
                reason, remedy = _MISFIT_ZH[str(place[1])]
                problems.append(Problem("study", file, "", ".".join(map(str, place)), reason, remedy))
            elif len(place) > 1 and ".".join(map(str, place[:3])) not in told:
                faults.append({**fault, "loc": place})
        equipment = None
    return (None if problems or faults else equipment), problems, faults


def _read_patterns(params: EquipmentParams, root: Path, file: str) -> tuple[dict[str, AntennaPattern], list[Problem]]:
    """Patterns by the name that the study file gives, and what is wrong with the others."""
    patterns: dict[str, AntennaPattern] = {}
    problems: list[Problem] = []
    for name, entry in params.antennas.items():
        written = entry.get("pattern")
        field = f"equipment.antennas.{name}.pattern"
        if "pattern" not in entry or (isinstance(written, str) and written in patterns):
            continue
        if not isinstance(written, str) or not written.strip():
            problems.append(Problem("study", file, "", field, "应为方向图文件的路径(加引号)", "如 pattern = \"antennas/x.msi\""))
            continue
        reading = read_antenna_file(root / written, written)
        if reading.pattern is not None:
            patterns[written] = AntennaPattern(*reading.pattern)
        for fault in reading.problems:
            where = f" 第 {fault.row} 行" if fault.row else ""
            problems.append(Problem("study", file, "", field, f"方向图 {written}{where}:{fault.reason}", fault.remedy))
    return patterns, problems


def _name_problems(params: EquipmentParams, usable: EquipmentParams, patterns: Mapping[str, AntennaPattern], file: str,
                   ) -> Iterator[Problem]:
    """New entries that lack keys (perhaps a misspelt name), and bands and antennas that site types only name."""
    known = load_equipment().model_dump()
    for table, model in _MODELS.items():
        needed = {key for key, field in model.model_fields.items() if field.is_required()}
        for name, entry in getattr(usable, table).items():
            if name in known[table]:
                continue
            from_file = table == "antennas" and entry.get("pattern") in patterns
            lacking = sorted(needed - set(entry) - (_measured_keys(patterns[entry["pattern"]]) if from_file else set()))
            if lacking:
                yield Problem("study", file, "", f"equipment.{table}.{name}",
                              f"程序自带的{_NOUN_ZH[table]}没有 {name};作为新条目还缺少键 {'、'.join(lacking)}",
                              f"补齐这些键,或改用自带的名称:{'、'.join(known[table])}")
    for name, entry in params.site_types.items():
        for key, table in (("band", "bands"), ("antenna", "antennas")):
            names = {**known[table], **getattr(params, table)}
            if isinstance(entry.get(key), str) and entry[key] not in names:
                yield Problem("study", file, "", f"equipment.site_types.{name}.{key}",
                              f"没有这个{_NOUN_ZH[table]}:{entry[key]}", f"可用:{'、'.join(names)}")


def _measured_keys(pattern: AntennaPattern) -> set[str]:
    """Keys of an antenna that its measured pattern fills."""
    said = pattern.gain_dbi == pattern.gain_dbi
    return {"horizontal_deg", "vertical_deg", "side_lobe_db", "depth_db", "source"} | ({"gain_dbi"} if said else set())
