"""Which text encoding a file really is in: what it says is tried first, and tested against its bytes."""

from __future__ import annotations

import codecs
from pathlib import Path

from siteplan.layers.file_log import FileLog

_LDID = {0x4D: "gbk", 0x7A: "gbk", 0x78: "big5", 0x79: "cp949", 0x7B: "cp932", 0x4F: "big5", 0x4E: "cp949",
         0x13: "cp932"}
"""Language bytes of a .dbf that name one code page; others (0x00, 0x03, 0x57) say nothing certain."""
_SAMPLE_BYTES = 1 << 26


def decodes(data: bytes, encoding: str) -> bool:
    """Whether bytes are valid in an encoding; a character cut at the end is forgiven.

    >>> decodes("基站".encode("gbk"), "utf-8"), decodes("基站".encode("gbk"), "gb18030")
    (False, True)
    """
    try:
        codecs.getincrementaldecoder(encoding)("strict").decode(data, False)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def text_encoding(data: bytes, wanted: str | None) -> str | None:
    """Encoding of a text file: the one named, BOM, strict UTF-8, GB18030; None when none fits.

    >>> text_encoding("站名".encode("gbk"), None), text_encoding(b"a,b", None)
    ('gb18030', 'utf-8')
    """
    if wanted:
        return wanted if decodes(data, wanted) else None
    for bom, encoding in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
                          (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(bom):
            return encoding
    return next((encoding for encoding in ("utf-8", "gb18030") if decodes(data, encoding)), None)


def _dbf_texts(data: bytes) -> list[bytes]:
    """Field names and text values of a .dbf, as bytes without padding."""
    if len(data) < 33:
        return []
    header, width = int.from_bytes(data[8:10], "little"), int.from_bytes(data[10:12], "little")
    names, spans, start = [], [], 1
    for place in range(32, min(header, len(data)) - 31, 32):
        entry = data[place:place + 32]
        if entry[0] == 0x0D:
            break
        names.append(entry[:11].split(b"\0")[0])
        if entry[11:12] == b"C":
            spans.append((start, start + entry[16] + 256 * entry[17]))
        start += entry[16] + (256 * entry[17] if entry[11:12] == b"C" else 0)
    values = []
    if width and any(byte > 0x7F for byte in data[header:]):
        for row in range(header, len(data) - width + 1, width):
            values += [data[row + first:row + last].rstrip(b" \0") for first, last in spans]
    return [text for text in names + values if text and max(text) > 0x7F]


def _fits(texts: list[bytes], encoding: str) -> bool:
    return all(decodes(text, encoding) for text in texts)


def dbf_encoding(path: Path, wanted: str | None, log: FileLog) -> str:
    """Encoding of the .dbf beside a Shapefile.

    Tried in order: the study's, .cpg, language byte, strict UTF-8, GB18030; the first that fits the bytes wins. What
    the file says and does not keep to is a ``repaired`` line.
    """
    sidecars = {item.suffix.lower(): item for item in path.parent.glob(f"{_escape(path.stem)}.*")}
    if ".dbf" not in sidecars:
        return "utf-8"
    with sidecars[".dbf"].open("rb") as stream:
        data = stream.read(_SAMPLE_BYTES)
    texts = _dbf_texts(data)
    said: list[tuple[str, str]] = [("研究文件", wanted)] if wanted else []
    if ".cpg" in sidecars:
        named = sidecars[".cpg"].read_bytes()[:40].decode("ascii", "ignore").strip()
        said.append((".cpg", _codec(named) or named))
    if len(data) > 29 and data[29] in _LDID:
        said.append(("LDID", _LDID[data[29]]))
    for source, encoding in said:
        if _codec(encoding) and _fits(texts, encoding):
            return encoding
        log.line("", "encoding", encoding, "repaired", f"{source} 说是 {encoding}，与 .dbf 的字节不符，已另行判断",
                 "用正确的编码重新导出")
    for encoding in ("utf-8", "gb18030"):
        if _fits(texts, encoding):
            if texts and not said:
                log.line("", "encoding", encoding, "assumed", "没有 .cpg，按字节判断编码", "导出时附 .cpg，或在研究文件写明")
            return encoding
    log.line("", "encoding", "iso-8859-1", "assumed", "不是 UTF-8 也不是 GB18030，按西欧编码读取", "在研究文件写明 encoding")
    return "iso-8859-1"


def _codec(name: str) -> str | None:
    """Python name of a code page as .cpg files write it; None when unknown."""
    plain = name.strip().lower().replace("ansi ", "cp").replace("ldid/77", "gbk").replace("ldid/", "")
    for attempt in (plain, f"cp{plain}", plain.replace("8859", "iso8859-") if plain.startswith("8859") else plain):
        try:
            return codecs.lookup(attempt).name
        except LookupError:
            continue
    return None


def _escape(stem: str) -> str:
    return "".join(f"[{letter}]" if letter in "[]*?" else letter for letter in stem)
