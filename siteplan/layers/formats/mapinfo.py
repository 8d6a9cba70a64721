"""MapInfo TAB and MIF: the character set of the header against the bytes of names and values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.dbf import dbf_texts, read_dbf_header
from siteplan.layers.formats.encodings import choose_encoding
from siteplan.layers.formats.features import Opened
from siteplan.layers.formats.layer_reading import read_layer
from siteplan.layers.formats.raw_table import RawTable
from siteplan.layers.formats.scratch import scratch_folder, siblings, stand_in
from siteplan.params import LayerSource

_CHARSET = re.compile(rb'(charset\s+)("?)([\w-]+)("?)', re.IGNORECASE)
_TYPE = re.compile(rb"^\s*Type\s+(\w+)", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(rb"^\s+(\S+)\s+(?:Char|Integer|SmallInt|LargeInt|Decimal|Float|Date|DateTime|Time|Logical)\b",
                   re.IGNORECASE | re.MULTILINE)
_LONE_BYTE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?:_|$)")
_TEXT = re.compile(rb'"((?:[^"]|"")*)"')
_HEADER_BYTES = 1 << 20
_MOST_BYTES = 1 << 28
_TAB_PARTS = (".dat", ".map", ".id", ".ind")


def read_mapinfo(path: Path, source: LayerSource, log: FileLog) -> Iterator[RawTable]:
    """Read a TAB or a MIF; text is decoded here, by what the header says where the bytes agree.

    Parameters
    ----------
    path : Path
        The .tab or .mif.
    source : LayerSource
    log : FileLog
    """
    parts = siblings(path)
    suffix = path.suffix.lower()
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
    if suffix == ".mif":
        header = header[:header.lower().find(b"\ndata") + 5] if b"\ndata" in header.lower() else header
    if not _usable(header, suffix, parts, log):
        return
    names = _NAME.findall(header)
    spoilt = [name for name in names if _LONE_BYTE.search(name)]
    if spoilt:
        log.problem(f"字段名已损坏（{len(spoilt)} 个，如 {spoilt[0].decode('latin-1')}），写文件的软件没有用中文字符集",
                    "请提供方重新导出：MapInfo 中另存，或 GDAL 用 -lco ENCODING=CP936；也可改交 GeoPackage")
        return
    texts = [name for name in names if not name.isascii()] + _values(parts, suffix)
    charset = found[3].decode("ascii") if (found := _CHARSET.search(header)) else ""
    said = [] if charset.lower() in ("", "neutral") else [(f"{suffix} 的字符集", charset)]
    encoding = choose_encoding(texts, said, source.encoding, log)
    with scratch_folder() as folder:
        place = _neutral(path, parts, header, folder) if texts else _linked(path, parts, folder)
        raw = read_layer(Opened(place, encoding if texts else ""), None, source, log)
    if raw is not None:
        if ".mid" in parts and suffix == ".mif" and not source.where:
            with parts[".mid"].open("rb") as stream:
                lines = sum(1 for line in stream if line.strip())
            if lines != len(raw.rows):
                log.line("", "", f"{lines} 行", "note", f".mid 有 {lines} 行，.mif 里读到 {len(raw.rows)} 个图形，两者对不上",
                         "文件可能没有传完，请把 .mif 和 .mid 重新传送")
        yield raw


def _usable(header: bytes, suffix: str, parts: dict[str, Path], log: FileLog) -> bool:
    """Whether the header is that of a table with data of its own; a problem is logged where it is not."""
    if suffix == ".mif":
        if ".mid" not in parts:
            log.line("", "", "", "note", "没有 .mid，只读到几何，没有属性", "向提供方索取 .mid")
        if b"version" not in header[:200].lower():
            log.problem("不是 MIF 文件（开头没有 Version）", "请提供方重新导出")
            return False
        return True
    if not header.lstrip(b"\xef\xbb\xbf \r\n").lower().startswith(b"!table"):
        log.problem("不是 MapInfo 表（开头没有 !table）", "请提供方重新导出")
        return False
    kind = _TYPE.search(header)
    if kind is None or kind[1].upper() != b"NATIVE" or b"isseamless\" = \"true" in header.lower():
        name = "视图或拼接表" if kind is None else kind[1].decode("ascii", "replace")
        log.problem(f"这个 TAB 只是指向别的文件（{name}），不读", "在 MapInfo 中另存为一个本地表（NATIVE）后提供")
        return False
    missing = [ending for ending in (".dat", ".map", ".id") if ending not in parts]
    if ".dat" in missing:
        log.problem("缺少 .dat，读不出属性和图形", "把同名的 .tab、.dat、.map、.id 一起提供")
        return False
    if missing:
        log.line("", "", "、".join(missing), "note", "缺少图形文件，只读到属性", "把同名的 .tab、.dat、.map、.id 一起提供")
    return True


def _values(parts: dict[str, Path], suffix: str) -> list[bytes]:
    """Text values beyond ASCII."""
    if suffix == ".tab":
        table = read_dbf_header(parts[".dat"])
        names = {field.name for field in table.fields} if table else set()
        return [] if table is None else [text for text in dbf_texts(parts[".dat"], table) if text not in names]
    if ".mid" not in parts:
        return []
    with parts[".mid"].open("rb") as stream:
        lines = [line for line in stream.read(_MOST_BYTES).splitlines() if not line.isascii()]
    found = dict.fromkeys(text for line in lines for text in _TEXT.findall(line) or [line])
    return [text for text in found if not text.isascii()][:50_000]


def _neutral(path: Path, parts: dict[str, Path], header: bytes, folder: Path) -> Path:
    """Stand-ins whose header names no character set, so that GDAL gives the bytes as they are."""
    plain = _CHARSET.sub(rb"\1\2Neutral\4", header)
    suffix = path.suffix.lower()
    place = folder / f"data{suffix}"
    with place.open("wb") as out, path.open("rb") as stream:
        out.write(plain)
        stream.seek(len(header))
        while block := stream.read(1 << 20):
            out.write(block)
    _sidecars(parts, suffix, folder)
    return place


def _linked(path: Path, parts: dict[str, Path], folder: Path) -> Path:
    suffix = path.suffix.lower()
    _sidecars(parts, suffix, folder)
    return stand_in(path, folder, f"data{suffix}")


def _sidecars(parts: dict[str, Path], suffix: str, folder: Path) -> None:
    for ending in _TAB_PARTS if suffix == ".tab" else (".mid",):
        if ending in parts:
            stand_in(parts[ending], folder, f"data{ending}")
        elif ending == ".mid":
            (folder / "data.mid").write_bytes(b"")
