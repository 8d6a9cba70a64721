"""The calibration that a study names: read, checked, told."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from siteplan.coverage import Calibration, calibration_from_toml
from siteplan.errors import ModelError, Problem
from siteplan.input_ledger import InputLedger

FIELD = "coverage.calibration"
LARGEST_BYTES = 1_000_000
"""A calibration has a few kilobytes; something greater is another file."""
_REMEDY = "用 notebooks/07_calibrate.ipynb 或 fit_calibration 生成；不用校正时删去这一行"
_MEND = "按提示改正，或重新拟合（notebooks/07_calibrate.ipynb）"
_FAULTS = {
    "missing": "缺少必需的键", "float_type": "应为数（不加引号）", "float_parsing": "应为数（不加引号）", "int_type": "应为整数",
    "int_parsing": "应为整数", "int_from_float": "应为整数，不带小数", "string_type": "应为文字（加引号）",
    "tuple_type": "应为列表", "dict_type": "应为表", "model_type": "应为表", "finite_number": "应为有限的数",
    "greater_than_equal": "不得小于 {ge:g}", "less_than_equal": "不得大于 {le:g}", "literal_error": "只能写 {expected}",
    "too_short": "至少 {min_length} 个", "string_too_short": "不能为空",
}
"""What each kind of pydantic fault says to a planner, with the bound of its context."""
_AT_ODDS = {
    "is above freq_high_mhz": "频率下限 freq_low_mhz 高于上限 freq_high_mhz", "must rise": "节点须从小到大",
    "differ in length": "节点与数值的个数不同", "must be positive": "标准差及其距离须大于 0",
    "'table' only": "按距离的损耗表只与 base = \"table\" 同用", "two positive distances": "损耗表至少要有两个大于 0 的距离",
    "falls with distance": "损耗随距离变小", "is below clear_db": "遮挡的损耗 blocked_db 小于通视的 clear_db",
}
"""What values that contradict each other say, by words of the message."""


def check_calibration(name: str | None, root: Path, file: str) -> tuple[Calibration | None, list[Problem]]:
    """The calibration of a study, or what is wrong with it; (None, no problem) when it names none.

    Parameters
    ----------
    name : str or None
        ``coverage.calibration``: a path relative to the study file. Like a layer it may lie in another folder.
    root : Path
        Folder of the study file.
    file : str
        Name of the study file, for problems.
    """
    if name is None:
        return None, []
    try:
        path = root / name
        if not path.is_file():
            return None, [Problem("study", file, "", FIELD, f"{name}：没有这个文件", f"路径相对于研究文件；{_REMEDY}")]
        if path.stat().st_size > LARGEST_BYTES:
            return None, [Problem("study", file, "", FIELD, f"{name}：超过 1 MB，不是校正文件", _REMEDY)]
        return calibration_from_toml(path.read_text(encoding="utf-8-sig")), []
    except OSError as error:
        return None, [Problem("study", file, "", FIELD, f"{name}：读不出来（{error.strerror or error}）",
                               f"检查路径和文件权限；{_REMEDY}")]
    except UnicodeDecodeError:
        return None, [Problem("study", file, "", FIELD, f"{name}：不是 UTF-8 编码的文本", _REMEDY)]
    except ModelError as error:
        return None, list(_problems(error, name))


def _problems(error: ModelError, name: str) -> Iterator[Problem]:
    """Each fault of a calibration file, at its place in that file."""
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        for fault in cause.errors():
            where = ".".join(map(str, fault["loc"]))
            yield Problem("study", name, "", where or FIELD, f"校正文件有误：{_reason(fault)}", _remedy(fault))
    elif isinstance(cause, tomllib.TOMLDecodeError):
        yield Problem("study", name, "", FIELD, f"校正文件不是 TOML 格式：{cause}", _REMEDY)
    else:
        yield Problem("study", name, "", FIELD, str(error), _REMEDY)


def _reason(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "extra_forbidden":
        return "没有这个键(unknown key)"
    if fault["type"] == "value_error":
        told = next((words for part, words in _AT_ODDS.items() if part in fault["msg"]), "")
        return told or f"取值互相矛盾（{fault['msg']}）"
    words = _FAULTS.get(fault["type"])
    if words is None:
        return f"取值不对（{fault['msg']}）"
    value = fault["input"]
    shown = f"（现为 {value}）" if isinstance(value, int | float | str) else ""
    return words.format_map(fault.get("ctx") or {}) + shown


def _remedy(fault: Mapping[str, Any]) -> str:
    place = fault["loc"]
    if fault["type"] == "extra_forbidden" and len(place) == 1:
        near = difflib.get_close_matches(str(place[0]), Calibration.model_fields, n=1, cutoff=0.5)
        return f"是否应为 {near[0]}？" if near else "删去这个键"
    return _MEND


def tell_calibration(calibration: Calibration | None, has_clutter: bool, ledger: InputLedger,
                     freq_mhz: Iterable[float] = (), has_classes: bool = True) -> Calibration | None:
    """The calibration as far as the study can use it, and ledger lines about it.

    Parameters
    ----------
    calibration : Calibration or None
    has_clutter : bool
        Whether the study knows heights of buildings or objects.
    ledger : InputLedger
    freq_mhz : iterable of float
        Frequencies of the study's sectors, old and new, MHz; those that the calibration does not hold for are told.
    has_classes : bool
        Whether the study has clutter classes.

    Returns
    -------
    Calibration or None
        None when it names none, or when it cannot be used.
    """
    if calibration is None:
        return None
    name, told = calibration.name, calibration.provenance
    if not has_clutter:
        ledger.add("study", name, "", FIELD, name, "refused",
                   "校正模型要知道建筑或地物高度，本研究没有，改用未校正的模型", "提供 buildings 或 heights 图层")
        return None
    low, high = calibration.freq_low_mhz, calibration.freq_high_mhz
    scored = told.scores.get("rmse_db")
    parts = [told.data or "来源未注明", f"{told.rows} 行、{told.sites} 处站址", told.split, told.date,
             "" if scored is None else f"均方根误差 {scored:.1f} dB"]
    ledger.add("study", name, "", FIELD, name, "note",
               f"{low:.0f}–{high:.0f} MHz 的扇区用校正模型预测（{'，'.join(part for part in parts if part)}）；预测值仍是预测，不是实测",
               "换城市、换频段要重新校正")
    frequencies = set(freq_mhz)
    others = sorted(freq for freq in frequencies if not low <= freq <= high)
    if others:
        which = "本研究没有一个扇区在此频段内" if len(others) == len(frequencies) else "以下频率的扇区不在此频段内"
        shown = "、".join(f"{freq:g}" for freq in others)
        ledger.add("study", name, "", FIELD, f"{shown} MHz", "note",
                   f"校正只适用于 {low:.0f}–{high:.0f} MHz：{which}，仍按未校正的模型预测", "用这些频段的路测另行校正")
    if calibration.clutter_db and not has_classes:
        ledger.add("study", name, "", FIELD, name, "note", "校正含地物类别一项，本研究没有 clutter 图层，该项按 0 计",
                   "提供 clutter 图层，或用不含地物类别的拟合（fit_clutter = False）")
    return calibration
