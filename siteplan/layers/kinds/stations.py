"""Existing stations: one row per sector, with network, technology, frequency and power filled."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.kinds.band_table import load_bands
from siteplan.layers.kinds.channels import channel_frequency
from siteplan.layers.kinds.operators import network_of, radio_words_of
from siteplan.layers.kinds.sectors import prepare_sectors
from siteplan.schema import layer_schema, match_columns, normalise_word

NAMES = ("stations",)
ADDED = {"network": "str", "tilt_deg": "float64"}
UNKNOWN_NETWORK = "未注明"
"""Network of sectors of which neither the table nor the band tells the operator."""
_NR_WORDS = re.compile(r"nr|5g(?!hz)|(?<![a-z])n\d{1,3}(?!\d)")
_LTE_WORDS = re.compile(r"lte|fdd|tdd|4g(?!hz)|band\d|(?<![a-z])b\d")
_RAISED_SCS_MHZ, _LOWEST_SCS_KHZ, _RAISED_SCS_KHZ = 2496.0, 15.0, 30.0
_SCS_KHZ = (15.0, 30.0, 60.0)
"""Subcarrier spacings below 7.125 GHz, TS 38.104 table 5.3.2-1."""
_MOST_TOTAL_W = 2000.0
"""Greatest power of a sector (as the column of powers allows), W."""
_TILT_SLACK_DEG = 0.5
_FEW_GROUPS = 50


@lru_cache(maxsize=4096)
def band_of(text: str) -> str | None:
    """Id of the band a text names, or None.

    >>> band_of("D频段"), band_of("NR 3.5GHz"), band_of("FDD 1800M"), band_of("78"), band_of("?")
    ('n41', 'n78', 'b3', 'n78', None)
    """
    word = normalise_word(text).replace("ghz", "g")
    bands = load_bands()["bands"]
    numbered = [name for name, band in bands.items() if word in map(str, band.get("numbers", ()))]
    if numbered:
        return numbered[0]
    spellings = [(normalise_word(spelling).replace("ghz", "g"), name) for name, band in bands.items()
                 for spelling in band["words"]]
    exact = [name for spelling, name in spellings if spelling == word]
    inside = [(len(spelling), name) for spelling, name in spellings if len(spelling) > 1 and spelling in word]
    return exact[0] if exact else (max(inside)[1] if inside else None)


def technology_of(band: str) -> str | None:
    """Technology that a band's spelling gives away: ``n41`` is 5G, ``Band 41`` is 4G, ``2.6G`` tells nothing.

    >>> technology_of("n41"), technology_of("FDD1800"), technology_of("2.6G"), technology_of("2.5GHz")
    ('5G', '4G', None, None)
    """
    word = normalise_word(band)
    if _NR_WORDS.search(word):
        return "5G"
    return "4G" if _LTE_WORDS.search(word) else None


def epre_from_power(power_dbm: float, blocks: int) -> float:
    """Energy per resource element: total power less 10 log10(12 N_RB), dBm.

    >>> round(epre_from_power(53.0103, 273), 2)
    17.86
    """
    return power_dbm - 10.0 * float(np.log10(12.0 * blocks))


def resource_blocks(technology: str, freq_mhz: float, bandwidth_mhz: float, scs_khz: float = math.nan) -> int:
    """Resource blocks of a carrier; the usual width and subcarrier spacing of its band where they are unknown (NaN).

    >>> resource_blocks("5G", 2565.0, 100.0), resource_blocks("5G", 773.0, float("nan"))
    (273, 160)
    >>> [resource_blocks("5G", 2130.0, 40.0, scs) for scs in (15.0, 30.0)]
    [216, 106]
    """
    data = load_bands()
    raised = scs_khz > _LOWEST_SCS_KHZ if scs_khz == scs_khz else freq_mhz >= _RAISED_SCS_MHZ
    kind = "4G" if technology == "4G" else ("5G_30" if raised else "5G_15")
    usual = data["assumed"]["bandwidth_mhz"]["n28" if kind == "5G_15" and freq_mhz < 1000.0 else kind]
    width = usual if np.isnan(bandwidth_mhz) else bandwidth_mhz
    table = {float(key): int(value) for key, value in data["resource_blocks"][kind].items()}
    blocks = table[min(table, key=lambda known: (abs(known - width), known))]
    return blocks // 2 if scs_khz > _RAISED_SCS_KHZ else blocks  # within 0.3 dB of TS 38.104's column of 60 kHz


def prepare(raw: RawTable, columns: Mapping[str, str], log: FileLog) -> RawTable:
    """One row per sector, values in the units of their columns: see `prepare_sectors`."""
    return prepare_sectors(_operators_named(raw, columns, log), log, columns)


def _operators_named(raw: RawTable, named: Mapping[str, str], log: FileLog) -> RawTable:
    """A column "网络" that holds operators takes the name of that field; the word alone would mean the technology."""
    headers = [str(column) for column in raw.frame.columns]
    found = match_columns(headers, layer_schema("stations").fields.values(), named).columns
    column = next((header for header in headers if normalise_word(header) == "网络"), None)
    if column is None or "operators" in found or column in named.values():
        return raw
    texts = raw.frame[column].dropna().astype(str)
    known = {name for text in texts.unique() for name in network_of(text).split("&")} & set(load_bands()["operators"])
    if not known:
        return raw
    field = layer_schema("stations").fields["operators"].zh
    log.line("", column, "", "note", f"“{column}”列里是运营商（{'、'.join(sorted(known))}），按“{field}”读入",
             "含义不同时在 columns 写明")
    return replace(raw, frame=raw.frame.rename(columns={column: field}))


def complete(table: pd.DataFrame, shapes: NDArray[np.object_], log: FileLog) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Fill what planning needs, each assumption with a line; sectors that are planned or closed are refused."""
    rows = table["source_row"].to_numpy(dtype=object)
    bounds = shapely.bounds(shapes)
    places = [f"P{east:.0f}-{north:.0f}" if np.isfinite(east) else "" for east, north in bounds[:, :2] / 10.0]
    out = _with_mast_height(_with_radio(table, log), places, log)
    out = _with_power(_with_antenna(out, log), log)
    lone = out["source_site"].isna().to_numpy()
    log.rows(rows[lone], "source_site", "", "assumed", "没有站址编号，同一位置（10 m）算一个站址", "补填站址编号")
    sites = out["source_site"].where(~lone, pd.Series(places, index=out.index, dtype="str"))
    out = out.assign(source_site=sites)
    idle = out["status"].isin(["planned", "closed"]).to_numpy()
    log.each(rows[idle], "status", out["status"][idle].map({"planned": "规划或在建", "closed": "停用或拆除"}), "refused",
             "不在网，不算现有基站", "已开通时把状态改为在网")
    _note_same_pci(out[~idle], log)
    _note_doubles(out[~idle], np.array(places, dtype=object)[~idle], log)
    return out, idle


def _note_same_pci(table: pd.DataFrame, log: FileLog) -> None:
    """A note on sectors of one site that have the same PCI on the same frequency."""
    given = table[table["pci"].notna()]
    groups = given.groupby(["source_site", "freq_mhz", "pci"], sort=True)["source_row"]
    for (site, freq, pci), rows in groups:
        if len(rows) > 1:
            log.rows(rows.to_numpy(dtype=object), "pci", f"{pci:g}", "note",
                     f"站址 {site} 在 {freq:g} MHz 有 {len(rows)} 个小区 PCI 相同",
                     "核对 PCI")


def _note_doubles(table: pd.DataFrame, places: NDArray[np.object_], log: FileLog) -> None:
    """A note on sectors that are the same but for their id: on one carrier they interfere with each other."""
    same = ["network", "technology", "freq_mhz", "azimuth_deg", "antenna_height_m", "tilt_deg", "carrier"]
    outdoors = table.assign(_place=places)[(table["kind"] != "indoor").to_numpy()]
    doubles = outdoors[outdoors.duplicated([*same, "_place"], keep=False)]
    reason = "小区编号不同，位置、网络、频率、方位角、挂高、下倾角都相同，像是重复；干扰会重复计算"
    remedy = "删去重复的小区，或补填频点、频率"
    groups = [list(rows) for _, rows in doubles.groupby([*same, "_place"], dropna=False, sort=True)["source_row"]]
    if len(groups) > _FEW_GROUPS:
        log.rows(doubles["source_row"].to_numpy(dtype=object), "sector_id", f"{len(groups)} 组", "note", reason, remedy)
        return
    for rows in groups:
        others = "、".join(rows[1:6]) + (" 等" if len(rows) > 6 else "")
        log.line(rows[0], "sector_id", f"{len(rows)} 个小区，另在第 {others} 行", "note", reason, remedy)


def _assume(out: pd.DataFrame, column: str, values: pd.Series, log: FileLog, reason: str, remedy: str) -> pd.DataFrame:
    """A table with missing cells filled; one line for each different value."""
    fill = out[column].isna() & values.notna()
    for value in sorted(set(values[fill])):
        mine = (fill & (values == value)).to_numpy()
        log.rows(out["source_row"].to_numpy()[mine], column, value, "assumed", reason, remedy)
    return out.assign(**{column: out[column].where(~fill, values)})


def _in_ranges(freq: pd.Series, what: str) -> pd.Series:
    found = pd.Series([None] * len(freq), index=freq.index, dtype="str")
    for entry in load_bands()["ranges"]:
        if entry[what]:
            found = found.where(~freq.between(entry["low"], entry["high"]), entry[what])
    return found


def _text(values: Any, index: pd.Index) -> pd.Series:
    return pd.Series(values, index=index, dtype="str")


def _with_radio(table: pd.DataFrame, log: FileLog) -> pd.DataFrame:
    """Technology, frequency, network."""
    data, bands = load_bands(), load_bands()["bands"]
    band = table["band"].map(band_of, na_action="ignore").astype("str")
    unread = (table["band"].notna() & band.isna()).to_numpy()
    log.each(table["source_row"][unread], "band", table["band"][unread], "note", "频段写法不认识", "写 n41、2.6G、3.5G、700M 等")
    table = _with_channels(table, band, log)
    told = band.notna() | table["freq_mhz"].notna()
    remedy = "补填制式"
    spelled = table["band"].map(technology_of, na_action="ignore").astype("str")
    out = _assume(table, "technology", spelled, log, "没有制式，按频段的写法", remedy)
    single = {name: entry["technologies"][0] for name, entry in bands.items() if len(entry["technologies"]) == 1}
    out = _assume(out, "technology", band.map(single).astype("str"), log, "没有制式，按频段", remedy)
    out = _assume(out, "technology", _in_ranges(out["freq_mhz"], "technology"), log, "没有制式，按频率", remedy)
    out = _assume(out, "technology", _text("4G", out.index), log,
                  "没有制式，频段也定不了，保守按 4G（不计入 5G 覆盖）", remedy)
    centre = band.map({name: entry["freq_mhz"] for name, entry in bands.items()}).astype("float64")
    out = _assume(out, "freq_mhz", centre, log, "没有频率，取频段的中心频率", "补填中心频率")
    usual = out["technology"].map(data["assumed"]["freq_mhz"]).astype("float64")
    out = _assume(out, "freq_mhz", usual, log, "没有频段和频率，按制式常用频率", "补填频段或频率")
    out = out.assign(network=_networks(out, log))
    remedy = "补填运营商"
    holders = {name: entry["network"] for name, entry in bands.items() if entry["network"]}
    out = _assume(out, "network", band.map(holders).astype("str"), log, "没有运营商，按频段的持有者", remedy)
    by_freq = _in_ranges(out["freq_mhz"].where(told), "network")
    out = _assume(out, "network", by_freq, log, "没有运营商，按频率的持有者", remedy)
    return _assume(out, "network", _text(UNKNOWN_NETWORK, out.index), log, "没有运营商", remedy)


def _networks(table: pd.DataFrame, log: FileLog) -> pd.Series:
    """Networks that the operators make, missing where none is named; words that are a technology or a band are told."""
    operators = table["operators"]
    rows = table["source_row"].to_numpy(dtype=object)
    name = layer_schema("stations").fields["operators"].zh
    for text in operators.dropna().unique():
        if words := radio_words_of(text):
            log.rows(rows[(operators == text).to_numpy()], "operators", text, "repaired",
                     f"“{name}”里的 {'、'.join(words)} 是制式或频段，不是运营商，已略去", f"“{name}”只填运营商")
    return operators.map(network_of, na_action="ignore").astype("str").replace("", None)


def _with_channels(table: pd.DataFrame, band: pd.Series, log: FileLog) -> pd.DataFrame:
    """Missing frequencies (and technologies) from channel numbers."""
    wanted = np.flatnonzero((table["freq_mhz"].isna() & table["carrier"].notna()).to_numpy())
    if not len(wanted):
        return table
    freq, technology = table["freq_mhz"].copy(), table["technology"].copy()
    rows = table["source_row"].to_numpy(dtype=object)
    taken: dict[tuple[str, str], list[str]] = {}
    for row in wanted:
        given = [None if pd.isna(values.iloc[row]) else str(values.iloc[row]) for values in (band, technology)]
        text = str(table["carrier"].iloc[row])
        found = channel_frequency(text, *given)
        if found is not None:
            freq.iloc[row] = found[0]
            said = f"频点 {text} 按 {found[2]} 是 {found[0]:.2f} MHz"
            if found[1] and given[1] is None:
                technology.iloc[row] = found[1]
                said += f"，制式 {found[1]}"
            taken.setdefault((text, said), []).append(rows[row])
        elif text.replace(".", "").isdigit() and len(text) > 2:
            taken.setdefault((text, ""), []).append(rows[row])
    for (text, said), mine in taken.items():
        if said:
            log.rows(mine, "carrier", text, "assumed", f"没有频率，{said}", "补填中心频率（MHz）")
        else:
            log.rows(mine, "carrier", text, "note", "频点是频率还是频点号分不清，未采用", "补填频段或中心频率（MHz）")
    return table.assign(freq_mhz=freq, technology=technology)


def _with_mast_height(table: pd.DataFrame, places: list[str], log: FileLog) -> pd.DataFrame:
    """Missing heights from the other sectors of the mast: same site and place, the commonest height (the lower of two).

    Indoor sectors neither give nor take; a sector whose kind is given takes from that kind only.
    """
    sites, here = table["source_site"].fillna("").astype(object), pd.Series(places, index=table.index, dtype=object)
    masts = pd.Series(list(zip(sites, here, strict=True)), index=table.index, dtype=object)
    height, kind = table["antenna_height_m"], table["kind"]
    low = height < load_bands()["assumed"]["micro_below_m"]
    stands = kind.fillna(_text(np.where(low, "micro", "macro"), table.index))
    giving = height.notna() & (here != "") & (stands != "indoor")
    taking = height.isna() & (here != "") & (kind.fillna("") != "indoor")
    wanted = set(masts[taking])
    given: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for mast, standing, metres in zip(masts[giving], stands[giving], height[giving], strict=True):
        if mast in wanted:
            given.setdefault(mast, []).append((standing, metres))
    filled = height.copy()
    taken: dict[tuple[str, float], list[str]] = {}
    for row in np.flatnonzero(taking.to_numpy()):
        own = kind.iloc[row]
        heights = [metres for standing, metres in given.get(masts.iloc[row], []) if pd.isna(own) or standing == own]
        if heights:
            value = min(set(heights), key=lambda metres: (-heights.count(metres), metres))
            filled.iloc[row] = value
            name = sites.iloc[row] or table["name"].iloc[row]
            name = "同一位置" if pd.isna(name) else f"站址 {name} "
            taken.setdefault((name, value), []).append(table["source_row"].iloc[row])
    for (name, value), rows in taken.items():
        log.rows(rows, "antenna_height_m", f"{value:g}", "assumed", f"没有挂高，按{name}其他小区的挂高", "补填挂高")
    return table.assign(antenna_height_m=filled)


def _with_antenna(table: pd.DataFrame, log: FileLog) -> pd.DataFrame:
    """Kind, height, azimuth, tilt."""
    assumed = load_bands()["assumed"]
    limit = assumed["micro_below_m"]
    kind = _text(np.where(table["antenna_height_m"] < limit, "micro", "macro"), table.index)
    out = _assume(table, "kind", kind, log, f"没有站型，挂高低于 {limit:g} m 算微站，否则宏站", "补填站型")
    usual_height = out["kind"].map(assumed["antenna_height_m"]).astype("float64")
    out = _assume(out, "antenna_height_m", usual_height, log, "没有挂高，按站型的常用挂高", "补填挂高")
    azimuth = out["azimuth_deg"]
    rows = out["source_row"].to_numpy()
    omni = azimuth.isna().to_numpy()
    log.rows(rows[omni], "azimuth_deg", "", "assumed", "没有方位角，按全向天线", "定向天线请补填方位角")
    mechanical, electrical = _tilt_parts(out, log)
    lacking = mechanical.isna().to_numpy().astype(int) + electrical.isna().to_numpy().astype(int)
    log.rows(rows[lacking == 1], "tilt_deg", 0.0, "assumed", "机械、电子下倾角只有一个，另一个按 0", "补填下倾角")
    usual = out["kind"].map(assumed["tilt_deg"]).astype("float64").where(~omni, 0.0)
    for value in sorted(set(usual[lacking == 2])):
        mine = (lacking == 2) & (usual == value).to_numpy()
        log.rows(rows[mine], "tilt_deg", value, "assumed", "没有下倾角，按常用值", "补填下倾角")
    mechanical, electrical = mechanical.fillna(0.0), electrical.fillna(0.0).where(lacking < 2, usual)
    return out.assign(azimuth_deg=azimuth.where(azimuth != 360.0, 0.0), tilt_mechanical_deg=mechanical,
                      tilt_electrical_deg=electrical, tilt_deg=mechanical + electrical)


def _tilt_parts(table: pd.DataFrame, log: FileLog) -> tuple[pd.Series, pd.Series]:
    """Mechanical and electrical tilt, what is missing from the total tilt; the parts win where all three are given.

    Where the total alone is given, all of it is electrical: the beam keeps its shape.
    """
    mechanical, electrical, total = (table[f"tilt_{part}_deg"] for part in ("mechanical", "electrical", "total"))
    rows = table["source_row"].to_numpy(dtype=object)
    odd = ((mechanical + electrical - total).abs() > _TILT_SLACK_DEG).to_numpy()
    log.each(rows[odd], "tilt_total_deg", total[odd], "note", "总下倾角不等于机械加电子下倾角，采用后两者之和", "核对下倾角")
    mechanical = mechanical.where(mechanical.notna() | total.isna(), (total - electrical).fillna(0.0))
    return mechanical, electrical.where(electrical.notna() | total.isna(), total - mechanical)


def _with_power(table: pd.DataFrame, log: FileLog) -> pd.DataFrame:
    """EPRE from the reference-signal power, the total power, or the usual value."""
    table = _with_spacing(table, log)
    blocks = np.array([resource_blocks(*carrier) for carrier in zip(
        table["technology"], table["freq_mhz"], table["bandwidth_mhz"], table["scs_khz"], strict=True)], dtype=float)
    total = table["power_dbm"].where(table["power_dbm"].notna(), 10.0 * np.log10(table["power_w"] * 1000.0))
    from_total = total - 10.0 * np.log10(12.0 * blocks)
    rows = table["source_row"].to_numpy()
    worked_out = (table["epre_dbm"].isna() & from_total.notna()).to_numpy()
    no_width = worked_out & table["bandwidth_mhz"].isna().to_numpy()
    for count in sorted(set(blocks[no_width])):
        log.rows(rows[no_width & (blocks == count)], "bandwidth_mhz", f"{count:g} RB", "assumed",
                 "没有带宽，按该频段常用带宽的资源块数折算每 RE 功率", "补填带宽")
    out = table.assign(epre_dbm=table["epre_dbm"].where(~worked_out, from_total))
    total_w = 10.0 ** ((out["epre_dbm"] + 10.0 * np.log10(12.0 * blocks) - 30.0) / 10.0)
    strong = (total_w > _MOST_TOTAL_W).to_numpy()
    log.each(rows[strong], "epre_dbm", out["epre_dbm"][strong].round(2), "note",
             f"每 RE 功率折合总功率超过 {_MOST_TOTAL_W:g} W，像是填错，仍按所填计算", "核对参考信号功率（dBm，每 RE）")
    usual = (out["technology"] + " " + out["kind"]).map(load_bands()["assumed"]["epre_dbm"]).astype("float64")
    return _assume(out, "epre_dbm", usual, log, "没有功率，按制式和站型的常用每 RE 功率", "补填发射功率或参考信号功率")


def _with_spacing(table: pd.DataFrame, log: FileLog) -> pd.DataFrame:
    """Subcarrier spacings that do not exist are emptied: the band's is taken."""
    wrong = (table["scs_khz"].notna() & ~table["scs_khz"].isin(_SCS_KHZ)).to_numpy()
    log.each(table["source_row"][wrong], "scs_khz", table["scs_khz"][wrong], "repaired",
             "“子载波间隔”只能是 15、30 或 60 kHz，已置空，按频段取值", "核对子载波间隔")
    return table.assign(scs_khz=table["scs_khz"].mask(wrong))
