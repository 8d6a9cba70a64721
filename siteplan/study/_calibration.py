"""The calibration that a study names: read, checked, told."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from siteplan.candidates.context import load_mounts
from siteplan.coverage import MODEL_NAMES, Calibration, Equipment, calibration_from_toml, models_of
from siteplan.coverage._calibration import holds_for
from siteplan.errors import ModelError, Problem
from siteplan.grid import pixel_of
from siteplan.input_ledger import InputLedger
from siteplan.params import CoverageParams
from siteplan.setting_faults import value_fault, written
from siteplan.surface import Surface
from siteplan.toml_faults import syntax_fault

FIELD = "coverage.calibration"
LARGEST_BYTES = 1_000_000
"""A calibration has a few kilobytes; something greater is another file."""
_REMEDY = "用 notebooks/07_calibrate.ipynb 或 fit_calibration 生成；不用校正时删去这一行"
_MEND = "按提示改正，或重新拟合（notebooks/07_calibrate.ipynb）"
_AT_ODDS = {
    "is above freq_high_mhz": "频率下限 freq_low_mhz 高于上限 freq_high_mhz", "must rise": "节点须从小到大",
    "differ in length": "节点与数值的个数不同", "must be positive": "标准差及其距离须大于 0",
    "'table' only": "按距离的损耗表只与 base = \"table\" 同用", "two positive distances": "损耗表至少要有两个大于 0 的距离",
    "falls with distance": "损耗随距离变小", "is below clear_db": "遮挡的损耗 blocked_db 小于通视的 clear_db",
    "the least is above the greatest": "下限大于上限",
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
        return None, list(_problems(error, name, file))


def _problems(error: ModelError, name: str, file: str) -> Iterator[Problem]:
    """Each fault of a calibration file, under the key of the study file that names it."""
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        for fault in cause.errors():
            where = ".".join(map(str, fault["loc"]))
            yield Problem("study", file, "", FIELD, f"校正文件 {name}{f' 的 {where}' if where else ''}:{_reason(fault)}",
                          _remedy(fault))
    elif isinstance(cause, tomllib.TOMLDecodeError):
        yield Problem("study", file, "", FIELD, f"校正文件 {name} 不是 TOML 格式:{syntax_fault(cause)}", _REMEDY)
    else:
        yield Problem("study", file, "", FIELD, f"校正文件 {name}:{error}", _REMEDY)


def _reason(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "extra_forbidden":
        return "没有这个键(unknown key)"
    if fault["type"] == "missing":
        return "缺少必需的键"
    if fault["type"] == "value_error":
        told = next((words for part, words in _AT_ODDS.items() if part in fault["msg"]), "")
        return told or f"取值互相矛盾({fault['msg']})"
    return f"{value_fault(fault)}(现为 {written(fault.get('input'))[:60]})"


def _remedy(fault: Mapping[str, Any]) -> str:
    place = fault["loc"]
    if fault["type"] == "extra_forbidden" and len(place) == 1:
        near = difflib.get_close_matches(str(place[0]), Calibration.model_fields, n=1, cutoff=0.5)
        return f"是否应为 {near[0]}?" if near else "删去这个键"
    return _MEND


_KIND_ZH = {"macro": "宏站", "micro": "微站"}
RECEIVER_TOLERANCE_M = 1.0
"""Tables by distance serve receivers higher or lower by so much: UMa without sight changes by 0.6 dB per metre."""


def tell_calibration(calibration: Calibration | None, surface: Surface, sectors: pd.DataFrame, equipment: Equipment,
                     params: CoverageParams, ledger: InputLedger) -> Calibration | None:
    """The calibration as far as the study can use it, and ledger lines about it.

    The first line says whether it is used: a ``note`` (``value``: how many of how many existing sectors that radiate
    outdoors take it; ``row``: the keys of the site types whose new sites take it) or ``refused``. The others tell what
    lies outside of what it was fitted on.

    Parameters
    ----------
    calibration : Calibration or None
    surface : Surface
    sectors : DataFrame
        Existing sectors, see ``SECTOR_COLUMNS``.
    equipment : Equipment
        Its site types are what may be built.
    params : CoverageParams
    ledger : InputLedger

    Returns
    -------
    Calibration or None
        None when the study names none, or when no sector can take it.
    """
    if calibration is None:
        return None
    told = _Told(calibration, ledger)
    receiver_m = calibration.domain.receiver_height_m
    apart_m = abs(params.receiver_height_m - receiver_m)
    if not surface.has_clutter:
        told.add(calibration.name, "校正模型要知道建筑或地物高度,本研究没有,改用未校正的模型", "提供 buildings 或 heights 图层",
                 action="refused")
        return None
    if calibration.base == "table" and apart_m > RECEIVER_TOLERANCE_M:
        told.add(f"{params.receiver_height_m:g} 米",
                 f"校正的损耗表按终端高 {receiver_m:g} 米拟合,不能换算到本研究的 {params.receiver_height_m:g} 米,改用未校正的模型",
                 "改 coverage.receiver_height_m,或用这一高度的测量重新校正", action="refused")
        return None
    old, new = sectors[sectors["kind"] != "indoor"], new_sectors(equipment)
    takes, would_take = (holds_for(calibration, table) for table in (old, new))
    _tell_use(told, takes, new.index[would_take], has_sectors=bool(len(old)))
    _tell_left_out(told, old[~takes], new[~would_take])
    if not takes.any() and not would_take.any():
        return None
    _tell_rural(told, surface, old[takes], params)
    _tell_heights(told, old[takes], new[would_take])
    _tell_distance(told, sorted({*old["kind"][takes], *new["kind"][would_take]}), params)
    if apart_m > 0.0:
        how = "损耗表不随终端高度变,仍用原值" if calibration.base == "table" else "差别按 TR 38.901 换算"
        told.add(f"{params.receiver_height_m:g} 米", f"校正用的测量终端高 {receiver_m:g} 米,本研究为 {params.receiver_height_m:g} 米:"
                 f"{how}", "终端高度与测量一致时不必处理")
    if calibration.clutter_db and surface.classes is None:
        told.add(calibration.name, "校正含地物类别一项,本研究没有 clutter 图层,该项按 0 计",
                 "提供 clutter 图层,或用不含地物类别的拟合(fit_clutter = False)")
    if not calibration.domain.kinds:
        told.add(calibration.name, "校正文件没有写明测量了哪些站型(domain.kinds),宏站、微站都用它预测",
                 "用 fit_calibration 重新拟合,或在校正文件 [domain] 写 kinds = [\"macro\"]")
    return calibration


class _Told(NamedTuple):
    """Where lines about a calibration go."""

    calibration: Calibration
    ledger: InputLedger

    def add(self, value: str, reason: str, remedy: str, *, row: str = "", action: str = "note") -> None:
        self.ledger.add("study", self.calibration.name, row, FIELD, value, action, reason, remedy)


def new_sectors(equipment: Equipment) -> pd.DataFrame:
    """What a new site of each type is like: index its name, columns ``kind, freq_mhz, antenna_height_m``.

    The height is the least that its mounts have (``tables/mounts.toml``): where sites will stand is not known yet.

    >>> from siteplan.coverage import load_equipment
    >>> new_sectors(load_equipment())["antenna_height_m"].to_dict()
    {'macro': 15.0, 'micro': 4.0}
    """
    mounts = load_mounts()
    least = {"micro": mounts["pole"].min_antenna_m,
             "macro": min(mount.min_antenna_m for name, mount in mounts.items() if name != "pole")}
    names = sorted(set(equipment.site_types) - {"indoor"})
    return pd.DataFrame({
        "kind": names, "freq_mhz": [equipment.bands[equipment.site_types[name].band].freq_mhz for name in names],
        "antenna_height_m": [least.get(name, np.nan) for name in names]}, index=pd.Index(names))


def kinds_zh(names: Iterable[str]) -> str:
    """Kinds of sites in Chinese.

    >>> kinds_zh(["macro", "micro"])
    '宏站、微站'
    """
    return "、".join(_KIND_ZH.get(name, name) for name in names)


def _who(old: pd.DataFrame, new: pd.DataFrame) -> str:
    """Sectors in words: how many stand, which site types may be built."""
    counts = old["kind"].value_counts().sort_index()
    parts = [f"现有{kinds_zh([str(kind)])}扇区 {int(number)} 个" for kind, number in counts.items()]
    return "、".join([*parts, *([f"拟建{kinds_zh(new.index)}"] if len(new) else [])])


def _tell_use(told: _Told, takes: NDArray[np.bool_], new: pd.Index, *, has_sectors: bool) -> None:
    calibration, source = told.calibration, told.calibration.provenance
    scored = source.scores.get("rmse_db")
    size = f"{source.rows} 行、{source.sites} 处站址" if source.rows else "行数未注明"
    parts = [source.data or "来源未注明", size, source.split, source.date,
             "" if scored is None else f"均方根误差 {scored:.1f} dB"]
    count = f"{int(takes.sum())}/{takes.size}"
    band = f"{calibration.freq_low_mhz:.0f}–{calibration.freq_high_mhz:.0f} MHz"
    about = f"{band}{f'、{kinds_zh(calibration.domain.kinds)}' if calibration.domain.kinds else ''}"
    if not takes.any() and not len(new):
        told.add(count, f"校正只适用于 {about}:本研究没有一个扇区适用,全部按未校正的模型预测", "用本研究的频段和站型的路测另行校正",
                 action="refused")
        return
    uses = [f"现有 {takes.size} 个室外扇区中的 {int(takes.sum())} 个"] * has_sectors + [f"拟建{kinds_zh(new)}"] * bool(len(new))
    told.add(count, f"校正适用于 {about}:{'、'.join(uses)}用校正模型预测({'，'.join(part for part in parts if part)});"
             "预测值仍是预测,不是实测", "换城市、换频段、换站型要重新校正", row="、".join(f"site_types.{name}" for name in new))


def _tell_left_out(told: _Told, old: pd.DataFrame, new: pd.DataFrame) -> None:
    """Sectors that stay uncalibrated: of another band, or of a kind that was not measured."""
    calibration = told.calibration
    low, high = calibration.freq_low_mhz, calibration.freq_high_mhz
    away, new_away = (~table["freq_mhz"].between(low, high) for table in (old, new))
    if away.any() or new_away.any():
        shown = sorted({*old["freq_mhz"][away], *new["freq_mhz"][new_away]})
        told.add("、".join(f"{freq:g}" for freq in shown) + " MHz",
                 f"{_who(old[away], new[new_away])}的频率不在校正的 {low:.0f}–{high:.0f} MHz 之内,按未校正的模型预测",
                 "用这些频段的路测另行校正")
    if not (away.all() and new_away.all()):
        told.add(kinds_zh(sorted({*old["kind"][~away], *new["kind"][~new_away]})),
                 f"校正的测量只有{kinds_zh(calibration.domain.kinds)}:{_who(old[~away], new[~new_away])}不用它,按未校正的模型预测",
                 "用这种站型的路测另行校正")


def _tell_rural(told: _Told, surface: Surface, taking: pd.DataFrame, params: CoverageParams) -> None:
    """Sectors whose own model would be that of the country."""
    rows, cols = pixel_of(surface.geobox, taking["x"].to_numpy(float), taking["y"].to_numpy(float))
    count = int((models_of(surface, taking, rows, cols, params) == MODEL_NAMES.index("rma")).sum())
    if count and told.calibration.base != "rma":
        told.add(f"{count} 个扇区", "站址周围建筑稀少,本应按农村模型 rma,也由校正模型代替:测量若只在城区,农村的损耗会偏大",
                 "补测农村的站一并校正,或另立研究、不用校正")


def _tell_heights(told: _Told, old: pd.DataFrame, new: pd.DataFrame) -> None:
    """Calibrated sectors that stand lower or higher than all that were measured; site types only where they must."""
    ends = told.calibration.domain.antenna_height_m
    if ends is None:
        return
    how = "挂高的影响按 TR 38.901 外推"
    if told.calibration.base == "table":
        how = "损耗表不随挂高变(挂高只经视线、绕射和垂直方向图起作用)"
    for kind in sorted({*old["kind"], *new["kind"]}):
        height, least = (table["antenna_height_m"][table["kind"] == kind] for table in (old, new))
        low, high = int((height < ends[0]).sum()), int((height > ends[1]).sum())
        counts = {f"低于 {ends[0]:g} 米": low, f"高于 {ends[1]:g} 米": high}
        parts = [f"现有扇区 {number} 个{word}" for word, number in counts.items() if number]
        parts += [f"拟建的一律高于 {ends[1]:g} 米"] * bool((least > ends[1]).any())
        if parts:
            told.add(f"{kinds_zh([kind])}:{'、'.join(parts)}",
                     f"挂高在测量过的 {ends[0]:g}–{ends[1]:g} 米之外,仍用校正模型:{how},误差可能大于校正所报", "核对挂高;补测这样的站再校正")


def _tell_distance(told: _Told, kinds: list[str], params: CoverageParams) -> None:
    ends = told.calibration.domain.distance_m
    reach = max(params.micro_range_m if kind == "micro" else params.max_range_m for kind in kinds)
    if ends is not None and reach > ends[1]:
        how = "末段的斜率(每十倍距离至少 20 dB)" if told.calibration.base == "table" else "公式"
        told.add(f"{reach:g} 米", f"测量最远到 {ends[1]:g} 米,覆盖算到 {reach:g} 米:更远处按{how}外推", "补测更远处,或减小 coverage.max_range_m")
