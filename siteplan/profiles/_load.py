"""Profiles opened: those of the package, and those that a bureau writes."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from siteplan.errors import Problem, StudyError
from siteplan.profiles._checks import USUAL_WIDTH, field_faults, key_faults, name_faults, profile_faults
from siteplan.profiles._like import Raw, overlaid
from siteplan.profiles._nouns import Profile, ProfileField
from siteplan.profiles._shape import PROFILE_KEYS, Fault, FieldShape, ProfileShape, shape_faults
from siteplan.setting_faults import suggestion
from siteplan.tables import read_table
from siteplan.toml_faults import syntax_fault

PACKAGED = ("sites", "villages", "gaps", "units")
"""Profiles of the package, ``tables/profiles/*.toml``."""
MOST_BYTES = 1_000_000
_ONLY_LIKE, _ONLY_LIKE_FIELD = ("keep", "drop"), ("was", "after")


@cache
def load_profiles() -> Mapping[str, Profile]:
    """The profiles of the package by their ids.

    Examples
    --------
    >>> load_profiles()["sites"].key, list(load_profiles())
    ('ZZBH', ['sites', 'villages', 'gaps', 'units'])
    """
    profiles = {name: _profile(dict(read_table(f"profiles/{name}")), f"{name}.toml") for name in PACKAGED}
    return MappingProxyType(profiles)


def read_profile(path: Path) -> Profile:
    """The profile of a bureau, from its TOML file (``docs/profiles.md`` says how one is written).

    Raises
    ------
    StudyError
        The file or something in it cannot be used; every problem is listed.
    """
    path = Path(path)
    return _profile(_opened(path), path.name)


def read_profiles(paths: Iterable[Path]) -> dict[str, Profile]:
    """Profiles of a bureau by their ids, in the order of the files.

    Raises
    ------
    StudyError
        As :func:`read_profile`, the problems of all files at once; or two profiles have the same id.
    """
    problems: list[Problem] = []
    profiles: dict[str, Profile] = {}
    for path in map(Path, paths):
        try:
            profile = read_profile(path)
        except StudyError as error:
            problems += error.problems
            continue
        if profile.id in profiles:
            problems.append(Problem("profile", path.name, "", "id", f"与另一个导出方案同名:{profile.id}", "改 id 或文件名"))
        profiles[profile.id] = profile
    if problems:
        raise StudyError("导出方案不能使用:", problems)
    return profiles


def profiles_with(paths: Iterable[Path]) -> dict[str, Profile]:
    """The profiles of the package with those of a bureau: one of the same id takes the place of the package's.

    Raises
    ------
    StudyError
        As :func:`read_profiles`, or two profiles would write files of the same name.

    Examples
    --------
    >>> list(profiles_with([]))
    ['sites', 'villages', 'gaps', 'units']
    """
    profiles = {**load_profiles(), **read_profiles(paths)}
    problems, seen = [], dict[str, str]()
    for profile in profiles.values():
        first = seen.setdefault(profile.out.lower(), profile.id)
        if first != profile.id:
            problems.append(Problem("profile", profile.id, "", "out", f"图层名 {profile.out} 与导出方案 {first} 的相同",
                                    f'改 out;要代替 {first},写 id = "{first}"'))
    if problems:
        raise StudyError("导出方案不能使用:", problems)
    return profiles


def _opened(path: Path) -> Raw:
    """What the TOML file says."""
    def refused(reason: str, remedy: str) -> StudyError:
        return StudyError("导出方案不能使用:", [Problem("profile", path.name, "", "", reason, remedy)])

    try:
        if path.stat().st_size > MOST_BYTES:
            raise refused(f"文件超过 {MOST_BYTES // 1_000_000} MB,不是导出方案", "检查文件")
        content = path.read_bytes()
    except OSError as error:
        raise refused(f"不能读取文件:{error.strerror or error}", "检查路径(相对于研究文件)") from None
    try:
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise refused(f"不是 UTF-8 编码(第 {error.start + 1} 字节)", "用文本编辑器另存为 UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise refused(f"TOML 语法错误:{syntax_fault(error)}", "文字和中文键名要加引号,一行写一项,同一个键只写一次") from None
    except RecursionError:
        raise refused("括号嵌套太深", "这不像导出方案,核对路径") from None


def _profile(raw: Raw, file: str) -> Profile:
    """The profile that a mapping says; every fault of it at once."""
    faults: list[Fault] = []
    raw = _completed(_tidied(raw, faults), faults, file)
    shapes: dict[str, FieldShape] = {}
    for name, entry in raw["fields"].items():
        try:
            shapes[name] = FieldShape.model_validate(entry)
        except ValidationError as error:
            faults += shape_faults(name, error, entry)
    top = {key: value for key, value in raw.items() if key != "fields"}
    head: ProfileShape | None = None
    try:
        head = ProfileShape.model_validate(top)
    except ValidationError as error:
        faults += shape_faults("", error, top)
    names = list(raw["fields"])
    faults += name_faults(names, shapes)
    layer, encoding = (head.layer, head.encoding) if head else (str(top.get("layer")), "UTF-8")
    for name, shape in shapes.items():
        faults += field_faults(name, shape, layer, encoding)
    if head is not None:
        faults += [*profile_faults(head), *key_faults(head, shapes, names)]
    if faults or head is None:
        raise _refused(faults, file)
    return _built(head, shapes, Path(file).stem)


def _refused(faults: Iterable[Fault], file: str) -> StudyError:
    return StudyError("导出方案不能使用:", [Problem("profile", file, *fault) for fault in faults])


def _tidied(raw: Raw, faults: list[Fault]) -> Raw:
    """The mapping with ``fields`` a table of tables; what is none is told and left out."""
    fields = raw.get("fields", {})
    if not isinstance(fields, Mapping):
        faults.append(("", "fields", "应为表", "写作 [fields] 一节,其下逐行写 字段名 = { zh = \"…\", … }"))
        fields = {}
    wrong = [name for name, entry in fields.items() if not isinstance(entry, Mapping)]
    faults += [(name, "", "应为表", f'写作 {name} = {{ zh = "…", source = "…", width = 40 }}') for name in wrong]
    return {**raw, "fields": {name: dict(entry) for name, entry in fields.items() if name not in wrong}}


def _completed(raw: Raw, faults: list[Fault], file: str) -> Raw:
    """The mapping with what it takes over by ``like``."""
    like = raw.get("like")
    if like in PACKAGED:
        return overlaid(raw, read_table(f"profiles/{like}"), faults)
    if like is not None:  # what the fields take over is not known: nothing more can be said of them
        faults.append(("", "like", f"没有这个导出方案:{like}", suggestion(str(like), PACKAGED)))
        faults += [("", key, "没有这个键(unknown key)", suggestion(key, PROFILE_KEYS))
                   for key in raw if key not in PROFILE_KEYS]
        raise _refused(faults, file)
    alone = [("", key) for key in _ONLY_LIKE if key in raw]
    alone += [(name, key) for name, entry in raw["fields"].items() for key in _ONLY_LIKE_FIELD if key in entry]
    faults += [(name, key, "只能与 like 一起用", '顶部写 like = "sites",或删去这个键') for name, key in alone]
    fields = {name: {key: value for key, value in entry.items() if key not in _ONLY_LIKE_FIELD}
              for name, entry in raw["fields"].items()}
    return {**{key: value for key, value in raw.items() if key not in _ONLY_LIKE}, "fields": fields}


def _built(head: ProfileShape, shapes: Mapping[str, FieldShape], stem: str) -> Profile:
    """The noun, from shapes without faults."""
    fields = tuple(ProfileField(
        name, shape.name_zh or shape.zh, shape.zh, shape.type, shape.width or USUAL_WIDTH[shape.type], shape.decimals,
        shape.source, shape.value.isoformat() if isinstance(shape.value, dt.date) else shape.value,
        dict(shape.codes), shape.other_codes, shape.mandatory, shape.over_long, shape.note, shape.between)
        for name, shape in shapes.items())
    return Profile(
        head.id or stem, head.zh, head.layer, head.out, head.geometry, head.key, fields,
        {column: tuple(values) for column, values in head.where.items()}, head.crs, head.encoding,
        head.style, head.source, dict(head.replace))
