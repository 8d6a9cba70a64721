"""Cells of a cell table before typing: several azimuths in one cell, powers and frequencies in another unit."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.values import BAD, parse_number, plain_numbers
from siteplan.schema import layer_schema, match_columns, normalise_word

_OMNI = {normalise_word(word) for word in ("全向", "omni", "全向天线", "omnidirectional", "全向站")}
_SPLIT = re.compile(r"[/\\|、;；，\n]+")
_DASHES = re.compile(r"\d+(?:-\d+){2,}")
_LISTED = re.compile(r"(\d+)°?,(\d+)°?")
_MOST_PARTS = 12
_FEW_ROWS = 50
_ALONGSIDE = ("tilt_mechanical_deg", "tilt_electrical_deg", "tilt_total_deg", "antenna_height_m", "sector_id", "pci",
              "power_w", "power_dbm", "epre_dbm", "carrier", "band", "antenna")
"""Fields that may list as many values as there are azimuths."""
_FULL_TURN, _MOST_TURNS, _PAST_TURN_DEG = 360.0, 10.0, 5.0
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_KILOHERTZ = re.compile(r"\s*(\d+(?:\.\d+)?)\s*k(?:hz)?\s*", re.IGNORECASE)
_UNIT = re.compile(r"[(\[][^)\]]*w|瓦|watt|_w$", re.IGNORECASE)
_LIKE_DBM = (37.0, 56.0)
"""Powers of macro sectors, dBm."""
_TOWER_WORDS = {normalise_word(word) for word in ("铁塔高度", "塔高")}


def parts_of(text: str) -> list[str]:
    """Values that one cell lists, in order; one value when it lists none.

    A comma between two numbers is a separator only where it cannot be a decimal comma (``0,120``; not ``22,5``).

    >>> parts_of("0/120/240"), parts_of("0°、120°、240°"), parts_of("0,120,240"), parts_of("22,5"), parts_of("10-130-250")
    (['0', '120', '240'], ['0°', '120°', '240°'], ['0', '120', '240'], ['22,5'], ['10', '130', '250'])
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    parts = [part.strip() for part in _SPLIT.split(plain) if part.strip()]
    if len(parts) == 1 and "," in plain:
        listed = [part.strip() for part in plain.split(",") if part.strip()]
        pair = _LISTED.fullmatch(plain.replace(" ", ""))
        if len(listed) > 2 or (len(listed) == 2 and pair and (len(pair[2]) == 3 or pair[1] == "0")):
            parts = listed
    if len(parts) == 1 and _DASHES.fullmatch(plain):
        parts = plain.split("-")
    if len(parts) == 1 and len(plain.split()) > 1 and all(part.rstrip("°度").isdigit() for part in plain.split()):
        parts = plain.split()
    return parts or [plain]


def azimuths_of(cell: object) -> list[str]:
    """Azimuths that a cell lists when there are several and each is a number; else none.

    >>> azimuths_of("0/120/240"), azimuths_of("120"), azimuths_of("0/x"), azimuths_of(None)
    (['0', '120', '240'], [], [], [])
    """
    if not isinstance(cell, str):
        return []
    parts = parts_of(cell)
    good = 2 <= len(parts) <= _MOST_PARTS and all(parse_number(part, "deg")[1] != BAD for part in parts)
    return parts if good else []


def prepare_sectors(raw: RawTable, log: FileLog, named: Mapping[str, str] | None = None) -> RawTable:
    """One row per sector, with values in the units of their columns.

    Rows with several azimuths are split; labels become ``12（1/3）`` and ``made`` counts the rows added. Tilts, heights,
    ids and powers that list as many values go with them; the others are emptied, with a line. Words for
    omnidirectional antennas become empty azimuths.

    Parameters
    ----------
    raw : RawTable
    log : FileLog
    named : mapping of str to str, optional
        Field -> column, as the study file says.

    Returns
    -------
    RawTable

    Examples
    --------
    >>> from siteplan.input_ledger import InputLedger
    >>> table = pd.DataFrame({"小区号": ["A"], "方位角": ["0/120/240"], "机械下倾角": ["6/6/8"]}, dtype=object)
    >>> raw = RawTable(table, np.array(["2"], dtype=object), None, None, "")
    >>> out = prepare_sectors(raw, FileLog("stations", "cells.csv", InputLedger()))
    >>> out.rows.tolist(), out.made, out.frame["机械下倾角"].tolist(), out.frame["小区号"].tolist()
    (['2（1/3）', '2（2/3）', '2（3/3）'], 2, ['6', '6', '8'], ['A-1', 'A-2', 'A-3'])
    """
    fields = layer_schema("stations").fields
    columns = match_columns([str(column) for column in raw.frame.columns], fields.values(), named).columns
    out = raw
    if "azimuth_deg" in columns:
        azimuth = columns["azimuth_deg"]
        plain = out.frame[azimuth].where(~out.frame[azimuth].map(_is_omni).astype(bool), None)
        out = _split(replace(out, frame=out.frame.assign(**{azimuth: plain})), columns, log)
        out = _turned_back(out, azimuth, log)
    height = columns.get("antenna_height_m", "")
    if normalise_word(height.split("(")[0].split("（")[0]) in _TOWER_WORDS:
        log.line("", height, "", "assumed", "没有挂高列，按铁塔高度", "提供天线挂高")
    return _in_column_units(out, columns, log)


def _turned_back(raw: RawTable, azimuth: str, log: FileLog) -> RawTable:
    """Azimuths a full turn too great (361, 720) as the same direction within 0..360, each with a line.

    Sums that were not brought back go a few degrees past a full turn; what lies further past (400) is more likely a
    slip of the keys, and stays for the bounds of the column to empty.
    """
    cells = raw.frame[azimuth]
    values, left = plain_numbers(cells)
    values[left] = [math.nan if pd.isna(cell) else _degrees(cell) for cell in cells[left]]
    past = (values > _FULL_TURN) & (values <= _MOST_TURNS * _FULL_TURN) & (values % _FULL_TURN <= _PAST_TURN_DEG)
    if not past.any():
        return raw
    column = cells.to_numpy(dtype=object, copy=True)
    told = column[past]
    column[past] = values[past] % _FULL_TURN
    log.each(raw.rows[past], "azimuth_deg", told, "repaired", "“方位角”超过一整圈，减去整圈", "核对方位角")
    return replace(raw, frame=raw.frame.assign(**{azimuth: column}))


def _degrees(cell: object) -> float:
    value, how = parse_number(str(cell), "deg")
    return math.nan if how == BAD or value is None else float(value)


def _is_omni(value: object) -> bool:
    return isinstance(value, str) and normalise_word(value) in _OMNI


def _split(raw: RawTable, columns: Mapping[str, str], log: FileLog) -> RawTable:
    cells = raw.frame[columns["azimuth_deg"]]
    _, left = plain_numbers(cells)
    listed = {int(place): azimuths_of(cells.iloc[place]) for place in np.flatnonzero(left)}
    listed = {place: azimuths for place, azimuths in listed.items() if azimuths}
    if not listed:
        return raw
    counts = np.array([len(listed.get(place, "1")) for place in range(len(cells))])
    order = np.repeat(np.arange(len(cells)), counts)
    starts = np.cumsum(counts) - counts
    frame = raw.frame.iloc[order].reset_index(drop=True).astype(object)
    rows = raw.rows[order].astype(object)
    new = {name: frame[column].to_numpy(dtype=object, copy=True) for name, column in columns.items()
           if name == "azimuth_deg" or name in _ALONGSIDE}
    for place, azimuths in listed.items():
        mine = slice(int(starts[place]), int(starts[place]) + len(azimuths))
        rows[mine] = [f"{raw.rows[place]}（{number}/{len(azimuths)}）" for number in range(1, len(azimuths) + 1)]
        new["azimuth_deg"][mine] = azimuths
        for name, values in new.items():
            if name != "azimuth_deg":
                values[mine] = _alongside(name, raw.frame[columns[name]].iloc[place], len(azimuths), rows[mine], log)
    split = counts[order] > 1
    words = cells.to_numpy(dtype=object)[order[split]]
    reason = "一格有多个方位角，拆成一行一个扇区，小区编号加 -1、-2……"
    if len(listed) <= _FEW_ROWS:
        log.each(rows[split], columns["azimuth_deg"], words, "repaired", reason, "核对各扇区")
    else:
        log.rows(rows[split], columns["azimuth_deg"], words[0], "repaired", reason, "核对各扇区")
    return replace(raw, frame=frame.assign(**{columns[name]: values for name, values in new.items()}), rows=rows,
                   geometry=None if raw.geometry is None else raw.geometry[order],
                   made=raw.made + len(order) - len(cells))


def _alongside(name: str, cell: Any, count: int, rows: np.ndarray[Any, Any], log: FileLog) -> list[Any]:
    """Values of the sectors of one row: as many as are listed, or the one for all."""
    if not isinstance(cell, str):
        missing = cell is None or bool(pd.isna(cell))
        return [None] * count if missing else ([f"{_plain(cell)}-{number}" for number in range(1, count + 1)]
                                               if name == "sector_id" else [cell] * count)
    parts = parts_of(cell)
    if len(parts) == count:
        return list(parts)
    if name == "sector_id":
        return [f"{cell.strip()}-{number}" for number in range(1, count + 1)]
    if len(parts) == 1 or name in ("carrier", "band", "antenna"):
        return [cell] * count
    log.each(rows, name, [cell] * count, "repaired", f"有 {len(parts)} 个值，方位角有 {count} 个，对不上，已置空", "按扇区逐行填写")
    return [None] * count


def _plain(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, (float, np.floating)) and float(cell).is_integer() else str(cell)


def _doubt_watts(raw: RawTable, column: str | None, log: FileLog) -> None:
    """A note where a power column without unit holds what dBm would look like."""
    if column is None or _UNIT.search(unicodedata.normalize("NFKC", column)):
        return
    values, _ = plain_numbers(raw.frame[column])
    given = values[np.isfinite(values)]
    if len(given) and ((given >= _LIKE_DBM[0]) & (given <= _LIKE_DBM[1])).all():
        log.line("", column, f"{given.min():g}–{given.max():g}", "note", "功率列没有写单位，按瓦读；这些数也可能是 dBm",
                 "是 dBm 时把列名改为“发射功率(dBm)”")


def _with_shares(raw: RawTable, column: str, log: FileLog) -> RawTable:
    """Loads as shares: per cent where a cell says so, and the whole column where any number is greater than 1."""
    cells = raw.frame[column]
    signs = np.array([_PERCENT.fullmatch(unicodedata.normalize("NFKC", cell)) if isinstance(cell, str) else None
                      for cell in cells], dtype=object)
    signed = np.array([sign is not None for sign in signs], dtype=bool)
    values, _ = plain_numbers(cells.where(~signed, None))
    bare = np.isfinite(values) & bool((values > 1.0).any())
    if not (signed | bare).any():
        return raw
    column_cells = cells.to_numpy(dtype=object, copy=True)
    column_cells[signed] = [float(sign[1]) / 100.0 for sign in signs[signed]]
    column_cells[bare] = values[bare] / 100.0
    log.rows(raw.rows[signed | bare], "load_share", cells[signed | bare].iloc[0], "repaired", "负荷是百分数，已除以 100", "无需处理")
    return replace(raw, frame=raw.frame.assign(**{column: column_cells}))


def _kilohertz(cell: object) -> object:
    """A subcarrier spacing without its unit; the cell itself where it is written otherwise."""
    found = _KILOHERTZ.fullmatch(unicodedata.normalize("NFKC", cell)) if isinstance(cell, str) else None
    return float(found[1]) if found else cell


_Rescale = tuple[str, float, float, Callable[[float], float], str]
_RESCALED: tuple[_Rescale, ...] = (
    ("power_dbm", 70.0, 400.0, lambda watt: 10.0 * math.log10(watt * 1000.0), "不可能是 dBm，按瓦"),
    ("epre_dbm", 60.0, 300.0, lambda tenths: tenths / 10.0, "不可能是 dBm，按 0.1 dBm"),
    ("freq_mhz", 0.4, 6.0, lambda ghz: ghz * 1e3, "不可能是 MHz，按 GHz"),
    ("freq_mhz", 4e5, 6e6, lambda khz: khz / 1e3, "不可能是 MHz，按 kHz"),
    ("freq_mhz", 4e8, 6e9, lambda hertz: hertz / 1e6, "不可能是 MHz，按 Hz"),
)
"""Field, bounds of numbers that can only be in another unit, conversion, what is said of it."""


def _in_column_units(raw: RawTable, columns: Mapping[str, str], log: FileLog) -> RawTable:
    """Bare numbers that can only be in another unit than their column's are converted, each with a line."""
    _doubt_watts(raw, columns.get("power_w"), log)
    if "load_share" in columns:
        raw = _with_shares(raw, columns["load_share"], log)
    new: dict[str, Any] = {}
    if "scs_khz" in columns and raw.frame[columns["scs_khz"]].map(lambda cell: isinstance(cell, str)).any():
        new[columns["scs_khz"]] = np.array([_kilohertz(cell) for cell in raw.frame[columns["scs_khz"]]], dtype=object)
    for name, low, high, convert, words in _RESCALED:
        if name not in columns:
            continue
        cells = raw.frame[columns[name]] if columns[name] not in new else pd.Series(new[columns[name]])
        values, _ = plain_numbers(cells)
        mine = (values > low) & (values <= high) & (values != 0.0)
        if not mine.any():
            continue
        column = cells.to_numpy(dtype=object, copy=True)
        told = column[mine]
        column[mine] = [round(convert(value), 4) for value in values[mine]]
        new[columns[name]] = column
        reason = f"“{layer_schema('stations').fields[name].zh}”{words}换算"
        if mine.sum() <= _FEW_ROWS:
            log.each(raw.rows[mine], name, told, "repaired", reason, "在列名里写明单位")
        else:
            log.rows(raw.rows[mine], name, told[0], "repaired", reason, "在列名里写明单位")
    return replace(raw, frame=raw.frame.assign(**new)) if new else raw
