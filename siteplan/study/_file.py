"""The study file: opened, checked, every problem of it told at once."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from siteplan.errors import Problem, StudyError
from siteplan.gaps import load_rules
from siteplan.params import LAYER_NAMES, REQUIRED_PAIRS, LayerSource, StudyParams


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
    """

    params: StudyParams
    root: Path
    path: Path
    sha256: str

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
            raise _one_problem(file, "", f"TOML 语法错误:{error}", "按提示的行列改正;路径用双引号,反斜杠写成 /") from error
        params = _checked_params(raw, file.name)
        return cls(params, file.resolve().parent, file, hashlib.sha256(content).hexdigest())


def _one_problem(file: Path, field: str, reason: str, remedy: str) -> StudyError:
    return StudyError("研究文件不能使用:", [Problem("study", file.name, "", field, reason, remedy)])


def _checked_params(raw: Mapping[str, Any], file: str) -> StudyParams:
    """Settings from the parsed TOML; StudyError with every problem."""
    problems = [*_layer_problems(raw.get("layers", {}), file), *_rule_problems(raw.get("gaps", {}), file)]
    try:
        params = StudyParams.model_validate({**raw, "layers": raw.get("layers", {})})
    except ValidationError as error:
        problems += [_as_problem(fault, file) for fault in error.errors()]
        params = None
    if problems or params is None:
        raise StudyError("研究文件不能使用:", problems)
    return params


def _layer_problems(layers: object, file: str) -> Iterator[Problem]:
    """Unknown layer names, and required layers that are not named."""
    if not isinstance(layers, Mapping):
        return
    for name in layers:
        if name not in LAYER_NAMES:
            near = difflib.get_close_matches(str(name), LAYER_NAMES, n=1, cutoff=0.5)
            remedy = f"是否应为 {near[0]}?" if near else f"可用:{', '.join(LAYER_NAMES)}"
            yield Problem("study", file, "", f"layers.{name}", "没有这个图层名(unknown layer)", remedy)
    for pair in REQUIRED_PAIRS:
        if not any(name in layers for name in pair):
            yield Problem("study", file, "", "layers", f"缺少必需图层:{' 或 '.join(pair)}", f"增加 [layers.{pair[0]}]")


def _rule_problems(table: object, file: str) -> Iterator[Problem]:
    """Rules that do not exist."""
    if not isinstance(table, Mapping):
        return
    for key in ("village_rule", "zone_rule"):
        name = table.get(key)
        if isinstance(name, str) and name not in load_rules():
            near = difflib.get_close_matches(name, load_rules(), n=1, cutoff=0.5)
            remedy = f"是否应为 {near[0]}?" if near else f"可用:{', '.join(load_rules())}"
            yield Problem("study", file, "", f"gaps.{key}", f"没有这个规则(unknown rule):{name}", remedy)


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """Keys allowed in the table that holds the last part of ``location``."""
    if len(location) == 1:
        return list(StudyParams.model_fields)
    if location[0] == "layers":
        return list(LayerSource.model_fields)
    table = StudyParams.model_fields[str(location[0])].annotation
    return list(getattr(table, "model_fields", {}))


def _as_problem(fault: Mapping[str, Any], file: str) -> Problem:
    """One pydantic fault in a planner's words."""
    location = tuple(fault["loc"])
    field = ".".join(map(str, location))
    if fault["type"] == "extra_forbidden":
        known = _known_keys(location)
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        remedy = f"是否应为 {near[0]}?" if near else f"可用:{', '.join(known)}"
        return Problem("study", file, "", field, "没有这个键(unknown key)", remedy)
    if fault["type"] == "missing":
        return Problem("study", file, "", field, "缺少必需的键", f"增加 {field}")
    return Problem("study", file, "", field, f"取值不对:{fault['msg']}(现为 {fault.get('input')!r})",
                   "见 docs/study-file.md 中该键的范围")
