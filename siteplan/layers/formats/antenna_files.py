"""Measured antenna patterns in MSI Planet files (.msi, .pln, .ant, .txt).

The format: keywords at the start of a line (NAME, FREQUENCY in MHz, GAIN in dBd unless it says dBi, TILT, ...),
then ``HORIZONTAL n`` and ``VERTICAL n``, each followed by n rows of angle and attenuation below the maximum.
Horizontal: 0 = boresight, clockwise. Vertical: 0 = horizon in front, positive downwards, 90 = down, 270 = up.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siteplan.errors import Problem
from siteplan.layers.formats.encodings import text_encoding
from siteplan.layers.formats.safety import place_fault

DBD_IN_DBI = 2.15
"""Gain of a half-wave dipole over an isotropic antenna, dB."""
_MOST_BYTES = 4_000_000
_PLANES = ("HORIZONTAL", "VERTICAL")
_PLANE_ZH = {"HORIZONTAL": "水平面", "VERTICAL": "垂直面"}
_SECTION = re.compile(r"(horizontal|vertical)\b[\s:=,;]*(\d+)?\s*$", re.IGNORECASE)
_KEYWORD = re.compile(r"([a-z][a-z_]*(?:[ _](?:tilt|width|downtilt))?)\b[\s:=,;]*(.*)$", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_FRONT_DEG = 60
"""The main beam points at most this far from the horizon."""
_WIDEST_STEP_DEG = {"HORIZONTAL": 15.0, "VERTICAL": 5.0}
_SAME_TILT_DEG, _SEEN_TILT_DEG = 2.0, 3.0
_DEEPEST_DB = 200.0
_SAME_DB = 1.0
_REMEDY = "向天线厂家索取 MSI Planet 格式的方向图（HORIZONTAL 360、VERTICAL 360，各 360 行“角度 衰减”）"


class MeasuredPattern(NamedTuple):
    """What a file says, in the order of the fields of ``coverage.AntennaPattern``, which has their meaning."""

    name: str
    horizontal_db: NDArray[np.float64]
    vertical_db: NDArray[np.float64]
    tilt_deg: float
    gain_dbi: float
    freq_mhz: float
    notes: tuple[str, ...]


class AntennaReading(NamedTuple):
    """A pattern, or None and the problems that it was not read for (``row`` = line in the file)."""

    pattern: MeasuredPattern | None
    problems: tuple[Problem, ...]


class _Rows(NamedTuple):
    """One plane as it stands in the file: line of its keyword, number of rows it announces, angles, values."""

    line: int
    announced: int | None
    degrees: list[float]
    values_db: list[float]


class _Faults:
    """Problems of one file, collected."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Problem] = []

    def add(self, line: int, field: str, reason: str, remedy: str = _REMEDY) -> None:
        self.found.append(Problem("equipment", self.file, str(line or ""), field, reason, remedy))


def read_antenna_file(path: Path, written: str) -> AntennaReading:
    """Read one file of a measured antenna pattern.

    Parameters
    ----------
    path : Path
        Where to look.
    written : str
        What the study file says; problems name it.

    Returns
    -------
    AntennaReading
        Never raises for what is in the file: all of it is collected.
    """
    faults = _Faults(written)
    fault = place_fault(path, written)
    if fault is None and path.is_dir():
        faults.add(0, "", "是文件夹，不是文件", "写到具体文件")
    elif fault is not None:
        faults.add(0, "", fault.reason, fault.remedy)
    elif path.stat().st_size > _MOST_BYTES:
        faults.add(0, "", "文件过大，不是单个天线的方向图")
    if faults.found:
        return AntennaReading(None, tuple(faults.found))
    return parse_antenna(path.read_bytes(), written)


def parse_antenna(data: bytes, file: str) -> AntennaReading:
    r"""Read the bytes of an MSI Planet file.

    Other numbers of rows are brought to whole degrees, linear in between; decimal commas, CRLF, keywords in any case
    and comments in any encoding are understood. Attenuations that are written as negative gains are turned round. What
    was changed stands in the pattern's ``notes``.

    Parameters
    ----------
    data : bytes
    file : str
        Name for problems.

    Returns
    -------
    AntennaReading

    Examples
    --------
    >>> rows = "".join(f"{a} {min(abs((a + 180) % 360 - 180) / 4, 30)}\n" for a in range(360))
    >>> text = f"NAME Panel\nGAIN 15,35 dBd\nHORIZONTAL 360\n{rows}VERTICAL 360\n{rows}"
    >>> pattern = parse_antenna(text.encode(), "panel.msi").pattern
    >>> pattern.name, pattern.gain_dbi, float(pattern.horizontal_db[12])
    ('Panel', 17.5, 3.0)
    >>> [problem.reason for problem in parse_antenna(b"NAME Panel", "panel.msi").problems]
    ['没有水平面（HORIZONTAL）', '没有垂直面（VERTICAL）']
    """
    faults = _Faults(file)
    if not data.strip():
        faults.add(0, "", "文件是空的")
        return AntennaReading(None, tuple(faults.found))
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        faults.add(0, "", "不是文本文件")
        return AntennaReading(None, tuple(faults.found))
    header, sections = _sections(data.decode(text_encoding(data, None) or "latin-1", "replace"), faults)
    notes: list[str] = []
    gain, freq = _gain_dbi(header, faults), _freq_mhz(header, faults)
    planes = {name: _plane(name, sections[name], faults, notes) for name in _PLANES if name in sections}
    for name in _PLANES:
        if name not in sections:
            faults.add(0, name, f"没有{_PLANE_ZH[name]}（{name}）")
    horizontal, vertical = planes.get("HORIZONTAL"), planes.get("VERTICAL")
    if faults.found or horizontal is None or vertical is None:
        return AntennaReading(None, tuple(faults.found))
    tilted = _tilt(vertical, header, faults, notes, sections["VERTICAL"].line)
    if faults.found:
        return AntennaReading(None, tuple(faults.found))
    turned, tilt = tilted
    name = header.get("NAME", (0, ""))[1] or Path(file).stem
    return AntennaReading(MeasuredPattern(name, horizontal, turned, tilt, gain, freq, tuple(notes)), ())


def _sections(text: str, faults: _Faults) -> tuple[dict[str, tuple[int, str]], dict[str, _Rows]]:
    """Keywords with their line and value, and the rows of the planes."""
    header: dict[str, tuple[int, str]] = {}
    sections: dict[str, _Rows] = {}
    current: str | None = None
    for number, line in _lines(text):
        section = _SECTION.match(line)
        if section:
            current = section[1].upper()
            if current in sections:
                faults.add(number, current, f"{_PLANE_ZH[current]}出现了两次，一个文件只能有一个天线的一种方向图", "每个方向图存成一个文件")
            sections[current] = _Rows(number, int(section[2]) if section[2] else None, [], [])
            continue
        pair = _pair(line) if current else None
        if current and pair is not None:
            sections[current].degrees.append(pair[0])
            sections[current].values_db.append(pair[1])
        elif current and (line[0].isdigit() or line[0] in "+-.,"):
            faults.add(number, current, f"这一行应为角度和衰减两个数：{line[:40]}", "改正这一行")
        else:
            found = _KEYWORD.match(line)
            key = re.sub(r"[ _]+", "_", found[1].upper()) if found else ""
            if not header and key not in _KNOWN:
                header["NAME"] = (number, line[:80])
            elif found:
                header.setdefault(key, (number, found[2].strip()))
    return header, sections


_KNOWN = frozenset(("NAME", "MAKE", "FREQUENCY", "H_WIDTH", "V_WIDTH", "FRONT_TO_BACK", "GAIN", "TILT",
                    "ELECTRICAL_TILT", "POLARIZATION", "COMMENT", "COMMENTS"))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of the lines that are not blank, full-width forms made plain."""
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        plain = unicodedata.normalize("NFKC", line).strip("\ufeff \t\x1a\"")
        if plain:
            yield number, plain


def _pair(line: str) -> tuple[float, float] | None:
    """Angle and attenuation of one row; a comma is the separator only where nothing else is."""
    parts = [part for part in re.split(r"[\s;]+", line) if part]
    if len(parts) == 1:
        parts = line.split(",")
    if len(parts) != 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    degrees, value = (float(part.replace(",", ".")) for part in parts)
    return (degrees, value) if math.isfinite(degrees) and math.isfinite(value) else None


def _number_of(text: str) -> float | None:
    found = _NUMBER.search(text)
    return float(found[0].replace(",", ".")) if found else None


def _gain_dbi(header: dict[str, tuple[int, str]], faults: _Faults) -> float:
    """Gain in dBi, NaN where the file has none; dBd unless it says dBi."""
    line, text = header.get("GAIN", (0, ""))
    if not text:
        return math.nan
    value = _number_of(text)
    if value is None or not -20.0 <= value <= 50.0:
        faults.add(line, "GAIN", f"增益读不出或不合理：{text[:40]}", "写成 GAIN 17.5 dBi 或 GAIN 15.35 dBd")
        return math.nan
    return round(value + (0.0 if "dbi" in text.lower() else DBD_IN_DBI), 4)


def _freq_mhz(header: dict[str, tuple[int, str]], faults: _Faults) -> float:
    """Frequency in MHz, the middle of a range; NaN where the file has none."""
    line, text = header.get("FREQUENCY", (0, ""))
    numbers = [float(part.replace(",", ".")) for part in re.findall(r"\d+(?:[.,]\d+)?", text)][:2]
    if not text:
        return math.nan
    scale = 1000.0 if "ghz" in text.lower() or (numbers and max(numbers) < 100.0) else 1.0
    value = scale * sum(numbers) / len(numbers) if numbers else math.nan
    if not 30.0 <= value <= 100_000.0:
        faults.add(line, "FREQUENCY", f"频率读不出或不合理：{text[:40]}", "写成 FREQUENCY 2600（MHz）")
    return value


def _plane(name: str, rows: _Rows, faults: _Faults, notes: list[str]) -> NDArray[np.float64] | None:
    """Attenuation at 0..359 degrees, its least value 0; None when a problem was added."""
    before, zh = len(faults.found), _PLANE_ZH[name]
    degrees, values = np.array(rows.degrees), np.array(rows.values_db)
    if rows.announced is not None and degrees.size < rows.announced:
        faults.add(rows.line, name, f"{zh}写明 {rows.announced} 行，只有 {degrees.size} 行", "文件可能被截断，重新取得")
    elif degrees.size < 2:
        faults.add(rows.line, name, f"{zh}没有数据行")
    if len(faults.found) > before:
        return None
    if rows.announced is not None and degrees.size > rows.announced:
        notes.append(f"{zh}写明 {rows.announced} 行，实有 {degrees.size} 行，全部采用")
    if values.min() < 0.0:
        if values.max() > 0.01:
            faults.add(rows.line, name, f"{zh}的衰减有正有负（{values.min():g} 至 {values.max():g} dB）", "统一为正的衰减值")
            return None
        values = -values
        notes.append(f"{zh}写的是负的增益，已改为衰减")
    if values.max() > _DEEPEST_DB or abs(degrees).max() > 360.0:
        faults.add(rows.line, name, f"{zh}的角度或衰减超出范围（角度 {degrees.min():g} 至 {degrees.max():g}，"
                                    f"衰减至 {values.max():g} dB）", "核对角度（度）和衰减（dB）两列")
        return None
    turned, first, where = np.unique(degrees % 360.0, return_index=True, return_inverse=True)
    if (np.abs(values - values[first][where]) > _SAME_DB).any():
        faults.add(rows.line, name, f"{zh}有角度重复而衰减不同", "删去重复的角度")
        return None
    gap = _widest_gap(turned, name)
    if gap > _WIDEST_STEP_DEG[name]:
        faults.add(rows.line, name, f"{zh}的角度没有连成一圈，最大间隔 {gap:g}°", "补齐缺少的角度")
        return None
    if values.min() > 0.5:
        notes.append(f"{zh}最小衰减 {values.min():g} dB，已归零")
    whole: NDArray[np.float64] = np.interp(np.arange(360.0), turned, values[first], period=360.0)
    return whole - whole.min()


def _widest_gap(turned: NDArray[np.float64], name: str) -> float:
    """Widest step between neighbouring angles on the circle; of the vertical plane only the front half counts."""
    steps = np.diff(np.append(turned, turned[0] + 360.0))
    if name == "VERTICAL":
        ends = np.append(turned[1:], turned[0] + 360.0)
        steps = np.where((turned >= 90.0) & (ends <= 270.0), 0.0, steps)
    return float(steps.max())


def _tilt(vertical: NDArray[np.float64], header: dict[str, tuple[int, str]], faults: _Faults, notes: list[str],
          line: int) -> tuple[NDArray[np.float64], float]:
    """The vertical plane, positive downwards, and the electrical tilt in it, degrees.

    The tilt is what the header says where the main beam agrees with it, else where the main beam points. A plane that
    shows the said tilt upwards is turned over.
    """
    front = np.arange(-_FRONT_DEG, _FRONT_DEG + 1)
    seen = front[vertical[front % 360] <= vertical[front % 360].min() + 1e-9]
    if vertical[seen[0] % 360] > 3.0:
        faults.add(line, "VERTICAL", f"主瓣在 {int(vertical.argmin())}°，不在水平方向附近", "垂直面应以 0 = 前方水平、90 = 向下、270 = 向上")
        return vertical, 0.0
    beam = float(seen.mean())
    said = _said_tilt(header)
    if said is None:
        return vertical, beam
    if said >= _SEEN_TILT_DEG and abs(beam + said) <= _SAME_TILT_DEG:
        notes.append(f"写明下倾 {said:g}°，垂直面的主瓣却在上方 {-beam:g}°，按向上为正的写法翻转")
        vertical, beam = np.roll(vertical[::-1], 1), -beam
    if abs(beam - said) > _SAME_TILT_DEG:
        notes.append(f"写明电下倾 {said:g}°，垂直面的主瓣在 {beam:g}°，按主瓣")
        return vertical, beam
    return vertical, said


def _said_tilt(header: dict[str, tuple[int, str]]) -> float | None:
    """Electrical tilt of the header, degrees; None where it gives no number."""
    for key in ("ELECTRICAL_TILT", "TILT"):
        text = header.get(key, (0, ""))[1]
        value = None if "mech" in text.lower() else _number_of(text)
        if value is not None and abs(value) <= _FRONT_DEG:
            return value
    return None
